"""An item written over the wire: a new message, or by what differs from the one that is there.

Nothing of it is in the store before the last request saves it (MS-OXCMSG 3.1.4.3).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from quintet.mapi import pr, recipients, types
from quintet.mapi.bag import Attachment, Bag, Data, Item, Key
from quintet.mapi.buffer import Writer
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.ids import ShortId
from quintet.mapi.providers import derive
from quintet.mapi.providers.wire import loading
from quintet.mapi.providers.wire.link import Link, Talk, check
from quintet.mapi.rop import messages, properties, streams
from quintet.mapi.rop.batch import Slot
from quintet.mapi.rop.messages import OpenMode, SaveFlag
from quintet.mapi.types import Tag, Value

PIECE = 16 * 1024  # bytes of a stream in one request
LONG = 4 * 1024  # bytes of a value that goes by a stream
COMMIT: Final = 0x5D  # RopCommitStream
CREATE_ATTACHMENT: Final = 0x23
SAVE: Final = SaveFlag.KEEP_OPEN_READ_WRITE
_LATER = frozenset((pr.INSTANCE_KEY, pr.HASATTACH, pr.ATTACH_NUM, pr.ATTACH_SIZE))
_NOT_IN_ROWS = frozenset((pr.ROWID, pr.RECIPIENT_TYPE))
_ROW = frozenset((pr.DISPLAY_NAME, pr.ADDRTYPE, pr.EMAIL_ADDRESS, pr.SEND_RICH_INFO, pr.RESPONSIBILITY))


def fresh(link: Link, folder: ShortId, item: Item, *, hidden: bool) -> ShortId:
    """A new message; its number."""
    talk = Talk(link)
    handle = talk.open(messages.CreateMessage(loading.CODE_PAGE, folder, hidden))
    flags = item.props.get(pr.MESSAGE_FLAGS, 0)  # who says nothing brings something that is unread
    put(link, talk, handle, _split({**item.props, pr.MESSAGE_FLAGS: flags & ~derive.HAS_ATTACH}))
    _put_recipients(link, talk, handle, item.recipients)
    for one in item.attachments:
        _put_attachment(link, talk, handle, one)
    step = talk.ask(messages.SaveChangesMessage(SAVE), handle)
    talk.run()
    found: ShortId = check(step).message
    return found


def replace(link: Link, pair: tuple[ShortId, ShortId], item: Item, expected: bytes | None) -> ShortId:
    """The whole new state of a message, by what differs; its number.

    Raises MapiError(OBJECT_CHANGED): it has not the change key ``expected`` any more.
    """
    before = loading.item(link, pair)
    if expected is not None and before.props.get(pr.CHANGE_KEY) != expected:
        raise MapiError(Code.OBJECT_CHANGED)
    talk = Talk(link)
    handle, _ = loading.opened(talk, pair, OpenMode.READ_WRITE)
    changes = {key: value for key, value in item.props.items() if before.props.get(key) != value}
    put(link, talk, handle, _split(changes))
    remove(link, talk, handle, [key for key in before.props if key not in item.props])
    if _plain(item.recipients) != _plain(before.recipients):
        talk.ask(messages.RemoveAllRecipients(0), handle)
        _put_recipients(link, talk, handle, item.recipients)
    _replace_attachments(link, talk, handle, before.attachments, item.attachments)
    step = talk.ask(messages.SaveChangesMessage(SAVE), handle)
    talk.run()
    found: ShortId = check(step).message
    return found


def _split(changes: Bag) -> Bag:
    """A whole subject follows its parts unless they were told (`derive.complete_subject`)."""
    if pr.NORMALIZED_SUBJECT in changes:
        return {key: value for key, value in changes.items() if key != pr.SUBJECT}
    return changes


# --- properties -------------------------------------------------------------------------------------------


def put(link: Link, talk: Talk, handle: Slot | int, bag: Mapping[Key, Value]) -> None:
    """Sets properties; those that the server works out by itself are passed over."""
    keys = [key for key, value in bag.items() if value is not None and key not in _LATER]
    pairs: list[tuple[Tag, Value]] = []
    size = 0
    for key, tag in zip(keys, link.tags_of(keys, create=True), strict=True):
        value = bag[key]
        if not tag or types.type_of(tag) in (types.OBJECT, types.ERROR_CODE, types.UNSPECIFIED):
            continue
        if isinstance(value, str | bytes) and len(value) > LONG:
            _write(
                talk, handle, tag, value.encode("utf-16-le", "replace") if isinstance(value, str) else value
            )
            continue
        pairs.append((tag, value))
        size += _size(value)
        if size > PIECE:
            talk.ask(properties.SetProperties(tuple(pairs)), handle, size=size)
            pairs, size = [], 0
    if pairs:
        talk.ask(properties.SetProperties(tuple(pairs)), handle, size=size)


def _size(value: Value) -> int:
    if isinstance(value, list):
        return 8 + sum([_size(one) for one in value])
    return 12 + (2 * len(value) if isinstance(value, str) else len(value) if isinstance(value, bytes) else 8)


def remove(link: Link, talk: Talk, handle: Slot | int, gone: Collection[Key]) -> None:
    tags = [tag for tag in link.tags_of(list(gone)) if tag]
    if tags:
        talk.ask(properties.DeleteProperties(tuple(tags)), handle, size=4 * len(tags))


def _write(talk: Talk, handle: Slot | int, tag: Tag, data: bytes | Data) -> None:
    stream = talk.open(streams.OpenStream(tag, streams.StreamMode.CREATE), handle)
    size = len(data) if isinstance(data, bytes) else data.size
    for start in range(0, size, PIECE):
        piece = data[start : start + PIECE] if isinstance(data, bytes) else data.read(start, PIECE)
        talk.ask(streams.WriteStream(piece), stream, size=len(piece))
    talk.ask(COMMIT, stream)


# --- recipients -------------------------------------------------------------------------------------------


def _plain(bags: Sequence[Bag]) -> list[Bag]:
    return [{key: value for key, value in one.items() if key != pr.ROWID} for one in bags]


def _put_recipients(link: Link, talk: Talk, handle: Slot, bags: Sequence[Bag]) -> None:
    keys = list(dict.fromkeys([key for one in bags for key in one if key not in _NOT_IN_ROWS | _ROW]))
    tags = link.tags_of(keys, create=True)
    columns = tuple([tag for tag in tags if tag and types.type_of(tag) != types.OBJECT])
    rows: list[messages.ChangedRecipient] = []
    size = 0
    for number, one in enumerate(bags):
        bag: Bag = {tag: one[key] for key, tag in zip(keys, tags, strict=True) if key in one}
        bag |= {key: value for key, value in one.items() if key in _ROW}
        writer = Writer()
        recipients.put(writer, recipients.of_bag(bag, columns), columns)
        raw = writer.done()
        rows.append(messages.ChangedRecipient(number, one.get(pr.RECIPIENT_TYPE, derive.TO), raw))
        size += len(raw)
        if size > PIECE:
            talk.ask(messages.ModifyRecipients(messages.Changes(columns, tuple(rows))), handle, size=size)
            rows, size = [], 0
    if rows:
        talk.ask(messages.ModifyRecipients(messages.Changes(columns, tuple(rows))), handle, size=size)


# --- attachments ------------------------------------------------------------------------------------------


def _replace_attachments(
    link: Link, talk: Talk, handle: Slot, before: Sequence[Attachment], after: Sequence[Attachment]
) -> None:
    """Takes away what is not the same any more, and adds what is new behind the others."""
    same = 0
    while same < min(len(before), len(after)) and _alike(before[same], after[same]):
        same += 1
    for one in before[same:]:
        talk.ask(messages.DeleteAttachment(one.props[pr.ATTACH_NUM]), handle)
    for one in after[same:]:
        _put_attachment(link, talk, handle, one)


def _alike(one: Attachment, other: Attachment) -> bool:
    """Contents by reference are not read: two of the same attachment and size are the same bytes."""
    if one.props != other.props or one.item != other.item:
        return False
    if isinstance(one.data, bytes) or isinstance(other.data, bytes):
        return one.data == other.data
    return one.data.size == other.data.size


def _put_attachment(link: Link, talk: Talk, message: Slot, one: Attachment) -> None:
    handle = talk.open(CREATE_ATTACHMENT, message)
    method = derive.BY_VALUE if one.item is None else derive.EMBEDDED
    put(link, talk, handle, {pr.ATTACH_METHOD: method, **one.props})
    if one.item is not None:
        inner = talk.open(messages.OpenEmbeddedMessage(loading.CODE_PAGE, OpenMode.CREATE), handle)
        put(link, talk, inner, _split(one.item.props))
        _put_recipients(link, talk, inner, one.item.recipients)
        for each in one.item.attachments:
            _put_attachment(link, talk, inner, each)
        talk.ask(messages.SaveChangesMessage(SAVE), inner)
    elif isinstance(one.data, bytes) and not one.data:
        pass
    else:
        _write(talk, handle, loading.DATA, one.data)
    talk.ask(messages.SaveChangesAttachment(SAVE), handle)
