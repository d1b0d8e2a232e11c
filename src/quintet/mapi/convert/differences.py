"""What MIME does not carry: the difference between an item and what its MIME says of it.

A store that keeps the MIME keeps this beside it, and no property twice.  ``merge(derived, difference(stored,
derived))`` is ``stored`` again, but for what a server works out by itself (`COMPUTED`), which may be there in
addition, and for the line end at a text's end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from quintet.mapi.bag import Attachment, Bag, Data, Item, Key
from quintet.mapi.convert import attachments, carried, names, sources
from quintet.mapi.types import Value

# Nobody deletes these: where they are missing they are made of the others (MS-OXBBODY 2.1.3)
COMPUTED: frozenset[Key] = frozenset(
    (
        names.MESSAGE_CLASS, names.SUBJECT, names.SUBJECT_PREFIX, names.NORMALIZED_SUBJECT,
        names.CONVERSATION_TOPIC, names.IMPORTANCE, names.PRIORITY, names.SENSITIVITY,
        names.BODY, names.HTML, names.CODEPAGE, names.NATIVE_BODY,
        names.DISPLAY_NAME, names.TRANSMITTABLE_NAME, names.OBJECT_TYPE, names.DISPLAY_TYPE,
        names.ENTRY_ID, names.SEARCH_KEY, names.ADDRESS_TYPE, names.EMAIL_ADDRESS, names.SMTP_ADDRESS,
        names.RECIPIENT_TYPE,
        *carried.PEOPLE,
        names.NON_READ_RECEIPT, names.REPLY_NAMES,
        names.ATTACH_NUMBER, names.ATTACH_METHOD, names.ATTACH_SIZE, names.ATTACH_FLAGS, names.ATTACH_HIDDEN,
        names.ATTACH_LONG_NAME, names.ATTACH_NAME, names.ATTACH_EXTENSION, names.ATTACH_MIME_TAG,
        names.RENDERING_POSITION, names.DELIVERY_TIME,
    )
)  # fmt: skip


@dataclass(slots=True)
class Change:
    """Values that are other ones, and properties that are not there."""

    props: Bag = field(default_factory=dict)
    gone: list[Key] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.props or self.gone)


@dataclass(slots=True)
class ChangedRow:
    """A recipient: the derived row that it is like (None: like none), and what is different."""

    base: int | None
    change: Change


@dataclass(slots=True)
class ChangedAttachment:
    """An attachment likewise; ``data`` or ``item`` where the derived one has another content."""

    base: int | None
    change: Change
    data: bytes | Data | None = None
    item: Item | None = None  # an embedded message that the derived attachment does not have
    inner: Difference | None = None  # of the embedded message that both have


@dataclass(slots=True)
class Difference:
    """All of it; None for recipients or attachments that are as derived."""

    change: Change = field(default_factory=Change)
    recipients: list[ChangedRow] | None = None
    attachments: list[ChangedAttachment] | None = None

    def __bool__(self) -> bool:
        return bool(self.change) or self.recipients is not None or self.attachments is not None


def difference(stored: Item, derived: Item) -> Difference:
    """What has to be kept beside ``derived`` so that it says what ``stored`` says."""
    found = Difference(_change(stored.props, derived.props))
    rows = [
        ChangedRow(base, _change(row, derived.recipients[base] if base is not None else {}))
        for row, base in zip(stored.recipients, _bases(stored.recipients, derived.recipients), strict=True)
    ]
    if len(rows) != len(derived.recipients) or any(
        row.base != at or row.change for at, row in enumerate(rows)
    ):
        found.recipients = rows
    bases = _attachment_bases(stored.attachments, derived.attachments)
    parts = [
        _changed_attachment(one, base, None if base is None else derived.attachments[base])
        for one, base in zip(stored.attachments, bases, strict=True)
    ]
    if len(parts) != len(derived.attachments) or any(_differs(at, part) for at, part in enumerate(parts)):
        found.attachments = parts
    return found


def merge(derived: Item, kept: Difference) -> Item:
    """``derived`` with the difference put upon it; neither is changed."""
    item = Item(_merged(derived.props, kept.change))
    if kept.recipients is None:
        item.recipients = [dict(row) for row in derived.recipients]
    else:
        item.recipients = [
            _merged(_at(derived.recipients, row.base) or {}, row.change) for row in kept.recipients
        ]
    if kept.attachments is None:
        item.attachments = [Attachment(dict(one.props), one.data, one.item) for one in derived.attachments]
    else:
        item.attachments = [_put_together(one, derived) for one in kept.attachments]
    return item


# --- properties -----------------------------------------------------------------------------------------


def _change(stored: Bag, derived: Bag) -> Change:
    missing = object()
    props = {key: value for key, value in stored.items() if not _equal(key, value, derived.get(key, missing))}
    return Change(props, [key for key in derived if key not in stored and key not in COMPUTED])


def _merged(derived: Bag, change: Change) -> Bag:
    bag = derived | change.props
    for key in change.gone:
        bag.pop(key, None)
    return bag


def _equal(key: Key, one: Value, other: Value) -> bool:
    if key == names.BODY and isinstance(one, str) and isinstance(other, str):
        return one == other or _lines(one) == _lines(other)
    if key == names.HTML and isinstance(one, bytes) and isinstance(other, bytes):
        return one == other or _lines(one.decode("latin-1")) == _lines(other.decode("latin-1"))
    return bool(one == other)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


# --- recipients and attachments ----------------------------------------------------------------------------


def _at(rows: list[Bag], base: int | None) -> Bag | None:
    return rows[base] if base is not None and base < len(rows) else None


def _bases(stored: list[Bag], derived: list[Bag]) -> Iterator[int | None]:
    """For each stored row the derived one for the same address in the same field."""
    return _pairs([_who(row) for row in stored], [_who(row) for row in derived])


def _pairs(stored: Sequence[Hashable], derived: Sequence[Hashable]) -> Iterator[int | None]:
    """For each of ``stored`` the place of an equal one in ``derived``; each is given once, in order."""
    places: dict[Hashable, deque[int]] = {}
    for at, key in enumerate(derived):
        places.setdefault(key, deque()).append(at)
    for key in stored:
        left = places.get(key)
        yield left.popleft() if left else None


def _who(row: Bag) -> tuple[int, str]:
    address = row.get(names.SMTP_ADDRESS) or row.get(names.EMAIL_ADDRESS) or ""
    return row.get(names.RECIPIENT_TYPE, names.TO) & 0x0F, str(address).lower()


def _attachment_bases(stored: list[Attachment], derived: list[Attachment]) -> list[int | None]:
    """The derived attachment of the same name and kind; of those without any, the next of their kind."""
    found = list(_pairs([_what(one) for one in stored], [_what(one) for one in derived]))
    used = {base for base in found if base is not None}
    left = {
        embedded: deque(
            at for at, one in enumerate(derived) if at not in used and (one.item is not None) is embedded
        )
        for embedded in (False, True)
    }
    for at, base in enumerate(found):
        if base is None and (free := left[stored[at].item is not None]):
            found[at] = free.popleft()
    return found


def _what(one: Attachment) -> tuple[str, object, bool]:
    return attachments.file_name(one.props), one.props.get(names.ATTACH_CONTENT_ID), one.item is not None


def _changed_attachment(one: Attachment, base: int | None, like: Attachment | None) -> ChangedAttachment:
    if like is None:
        data = one.data if one.item is None else None
        return ChangedAttachment(None, Change(dict(one.props)), data, one.item)
    change = _change(one.props, like.props)
    if one.item is not None and like.item is not None:
        return ChangedAttachment(base, change, inner=difference(one.item, like.item) or None)
    if sources.same(one.data, like.data):
        return ChangedAttachment(base, change)
    return ChangedAttachment(base, change, one.data)


def _differs(number: int, part: ChangedAttachment) -> bool:
    return part.base != number or any((part.change, part.data is not None, part.item, part.inner))


def _put_together(one: ChangedAttachment, derived: Item) -> Attachment:
    like = Attachment()
    if one.base is not None and one.base < len(derived.attachments):
        like = derived.attachments[one.base]
    item = one.item or like.item
    if item is not None and one.inner is not None:
        item = merge(item, one.inner)
    data = like.data if one.data is None else one.data
    return Attachment(_merged(like.props, one.change), data, item)
