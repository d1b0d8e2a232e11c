"""Properties of a message that follow from the rest of it, alike in every provider (MS-OXCMSG 2.2.1.6,
3.2.5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quintet.mapi import names, pr, restrict, subjects
from quintet.mapi.bag import Attachment, Bag, Item
from quintet.mapi.types import Tag, Value

# PidTagMessageFlags, MS-OXCMSG 2.2.1.6
READ, UNMODIFIED, SUBMITTED, UNSENT, HAS_ATTACH, FROM_ME, ASSOCIATED = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20, 0x40
TO, CC, BCC = 1, 2, 3  # PidTagRecipientType
BY_VALUE, EMBEDDED = 1, 5  # PidTagAttachMethod
HIDDEN = pr.ATTACHMENT_HIDDEN


def row_of(item: Item) -> Bag:
    """The item's properties with those that follow: what a table shows and a program reads.

    Ids, times and the change key are the store's to add.
    """
    row = dict(item.props)
    row.setdefault(pr.MESSAGE_CLASS, "IPM.Note")
    complete_subject(row)
    for kind, tag in ((TO, pr.DISPLAY_TO), (CC, pr.DISPLAY_CC), (BCC, pr.DISPLAY_BCC)):
        row[tag] = "; ".join(
            [
                one.get(pr.DISPLAY_NAME) or one.get(pr.EMAIL_ADDRESS) or ""
                for one in item.recipients
                if one.get(pr.RECIPIENT_TYPE, TO) & 0xF == kind
            ]
        )
    row[pr.HASATTACH] = any(not one.props.get(HIDDEN) for one in item.attachments)
    flags = row.get(pr.MESSAGE_FLAGS, 0) & ~HAS_ATTACH
    row[pr.MESSAGE_FLAGS] = flags | (HAS_ATTACH if row[pr.HASATTACH] else 0)
    row[pr.MESSAGE_SIZE] = size_of(item)
    row[pr.OBJECT_TYPE] = 5
    return row


def complete_subject(row: Bag) -> None:
    """The whole subject and its two parts agree; the parts count where both are told."""
    prefix, normal = row.get(pr.SUBJECT_PREFIX), row.get(pr.NORMALIZED_SUBJECT)
    subject = row.get(pr.SUBJECT)
    if subject is None and normal is None:
        row[pr.SUBJECT] = ""
        return
    if subject is None:
        row[pr.SUBJECT] = f"{prefix or ''}{normal}"
    elif prefix is None or prefix + subject[len(prefix) :] != subject:
        prefix, normal = subjects.parts(subject)
    else:
        normal = subject[len(prefix) :]
    row[pr.SUBJECT_PREFIX], row[pr.NORMALIZED_SUBJECT] = prefix or "", normal
    row.setdefault(pr.CONVERSATION_TOPIC, normal)


def size_of(item: Item) -> int:
    """About as many bytes as its properties, recipients and attachments hold."""
    total = sum([_size(value) for value in item.props.values()])
    for one in item.recipients:
        total += sum([_size(value) for value in one.values()])
    for each in item.attachments:
        total += sum([_size(value) for value in each.props.values()]) + data_size(each)
    return min(total, 0x7FFFFFFF)


def _size(value: Value) -> int:
    if isinstance(value, str):
        return 2 * len(value)
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, list):
        return sum([_size(each) for each in value])
    return 8


def data_size(one: Attachment) -> int:
    """Bytes of an attachment's content."""
    if one.item is not None:
        return size_of(one.item)
    return len(one.data) if isinstance(one.data, bytes) else one.data.size


def parts(item: Item, table: Tag) -> Sequence[Mapping[Tag, Value]]:
    """Recipients or attachments, as restrictions look at them (`match.Parts`)."""
    bags = item.recipients if table == restrict.RECIPIENTS else [one.props for one in item.attachments]
    return [{names.tag(key): value for key, value in bag.items()} for bag in bags]


def copied(item: Item) -> Item:
    """A copy whose lists and bags are its own; values and contents are shared, nobody changes them in
    place.
    """
    return Item(
        dict(item.props),
        [dict(one) for one in item.recipients],
        [
            Attachment(dict(one.props), one.data, None if one.item is None else copied(one.item))
            for one in item.attachments
        ],
    )
