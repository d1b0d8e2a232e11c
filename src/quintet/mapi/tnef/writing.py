"""An item to TNEF.

All properties go into the lists of properties; what readers look for among the attributes is told there too.
The code page of those is UTF-8, which tells everything.
"""

from __future__ import annotations

import datetime
import struct
import uuid
from collections.abc import Iterator

from quintet.mapi import guids
from quintet.mapi.bag import Attachment, Bag, Data, Item
from quintet.mapi.buffer import Writer, bad
from quintet.mapi.tnef import attributes as att
from quintet.mapi.tnef import values
from quintet.mapi.tnef.reading import MAX_EMBEDDED

MAX_TEXT = 99  # bytes of a text among the attributes
MAX_SUFFIX = 8  # characters behind the last point of a file's name
PIECE = 64 * 1024  # bytes of an attachment that are read at once
_PAGE = 65001
_RENDERING = struct.Struct("<HiHHI")
_NOWHERE = -1  # in the text
_CLASS, _NOTE = att.ATTRIBUTES[att.MESSAGE_CLASS][1], "IPM.Note"
_CLASSES = {new.lower(): old for old, new in att.CLASSES.items()}


def write(item: Item, key: int = 1) -> bytes:
    """The whole stream.  Raises as `chunks`."""
    return b"".join(chunks(item, key))


def chunks(item: Item, key: int = 1) -> Iterator[bytes]:
    """The stream in pieces; an attachment of many megabytes is read bit by bit.

    ``key`` is a number that is not 0.  Raises BadSyntax: a value that is none of its type, messages nested
    deeper than `MAX_EMBEDDED`, or an attachment of 4 GB.
    """
    yield from _stream(item, key, 0)


def _stream(item: Item, key: int, depth: int) -> Iterator[bytes]:
    if depth > MAX_EMBEDDED:
        raise bad("messages nested too deeply")
    yield struct.pack("<IH", att.SIGNATURE, key & 0xFFFF or 1)
    yield _attribute(att.MESSAGE, att.TNEF_VERSION, struct.pack("<I", att.VERSION))
    yield _attribute(att.MESSAGE, att.OEM_CODEPAGE, struct.pack("<II", _PAGE, 0))
    yield from _old(item.props)
    if item.recipients:
        rows = Writer()
        rows.u32(len(item.recipients))
        for row in item.recipients:
            values.put_list(rows, row)
        yield _attribute(att.MESSAGE, att.RECIPIENTS, rows.done())
    # never an empty list, which libytnef 2.0 takes for a broken one
    yield _attribute(att.MESSAGE, att.MESSAGE_PROPS, _list({_CLASS: _NOTE, **item.props}))
    for attachment in item.attachments:
        yield from _attachment(attachment, key, depth)


def _attribute(level: int, number: int, data: bytes) -> bytes:
    head = struct.pack("<BII", level, number, len(data))
    return b"".join((head, data, struct.pack("<H", sum(data) & 0xFFFF)))


def _list(bag: Bag) -> bytes:
    writer = Writer()
    values.put_list(writer, bag)
    return writer.done()


def _narrow(text: str, end: str = "") -> bytes:
    """As much of a text as libytnef 2.0 takes, with the ``end`` of a longer one; it is whole in the list."""
    raw = text.encode("utf-8", "replace")
    if len(raw) > MAX_TEXT:
        last = end.encode("utf-8", "replace")
        raw = raw[: MAX_TEXT - len(last)].decode("utf-8", "ignore").encode() + last
    return raw + b"\0"


def _old(bag: Bag) -> Iterator[bytes]:
    """The attributes without which readers older than properties see nothing."""
    name: str = bag.get(_CLASS, _NOTE)
    yield _attribute(att.MESSAGE, att.MESSAGE_CLASS, _narrow(_CLASSES.get(name.lower(), name)))
    importance = bag.get(att.ATTRIBUTES[att.PRIORITY][1])
    if importance in (0, 1, 2):
        yield _attribute(att.MESSAGE, att.PRIORITY, struct.pack("<H", 3 - importance))
    subject: str | None = bag.get(att.ATTRIBUTES[att.SUBJECT][1])
    if subject is not None:
        yield _attribute(att.MESSAGE, att.SUBJECT, _narrow(subject))
    sent = bag.get(att.ATTRIBUTES[att.DATE_SENT][1])
    if sent is not None and (date := _date(sent)):
        yield _attribute(att.MESSAGE, att.DATE_SENT, date)


def _date(time: int) -> bytes:
    """Seven numbers, the last the day of the week from Sunday; nothing for what no calendar has."""
    try:
        when = _EPOCH + datetime.timedelta(microseconds=time // 10)
    except OverflowError:
        return b""
    parts = (when.year, when.month, when.day, when.hour, when.minute, when.second, when.isoweekday() % 7)
    return struct.pack("<7H", *parts)


_EPOCH = datetime.datetime(1601, 1, 1, tzinfo=datetime.UTC)


# --- attachments ----------------------------------------------------------------------------------------


def _attachment(attachment: Attachment, key: int, depth: int) -> Iterator[bytes]:
    bag = attachment.props
    method = att.EMBEDDED if attachment.item else bag.get(att.ATTACH_METHOD, att.BY_VALUE)
    position = bag.get(att.RENDERING_POSITION, _NOWHERE)
    kind = 2 if method == att.OLE else 1
    mac = int(bag.get(att.ATTACH_ENCODING) == att.MAC_BINARY)
    bag = {att.ATTACH_METHOD: method, **bag}
    yield _attribute(att.ATTACHMENT, att.RENDERING, _RENDERING.pack(kind, position, 0, 0, mac))
    names = (bag.get(tag) for tag in (att.ATTACH_FILENAME, att.ATTACH_LONG_FILENAME, att.DISPLAY_NAME))
    title = next(filter(None, names), None)
    if title is not None:
        yield _attribute(att.ATTACHMENT, att.ATTACHMENT_TITLE, _narrow(title, _suffix(title)))
    if attachment.item is not None:
        inner = b"".join(_stream(attachment.item, key, depth + 1))
        found = guids.INTERFACES["IID_IMessage"].bytes_le + inner
        bag |= {att.ATTACH_METHOD: method, att.ATTACH_OBJECT: found}
    elif method == att.OLE:
        found = _STORAGE + b"".join(_pieces(attachment.data))
        bag |= {att.ATTACH_OBJECT: found}
    elif _size(attachment.data):  # libytnef 2.0 breaks off at an empty one
        yield from _data(attachment.data)
    yield _attribute(att.ATTACHMENT, att.ATTACHMENT_PROPS, _list(bag))


_STORAGE = uuid.UUID("0000000b-0000-0000-c000-000000000046").bytes_le  # IID_IStorage


def _data(data: bytes | Data) -> Iterator[bytes]:
    """attAttachData, its checksum behind it."""
    size = _size(data)
    if size > 0xFFFFFFFF:
        raise bad("an attachment that is too large")
    yield struct.pack("<BII", att.ATTACHMENT, att.ATTACHMENT_DATA, size)
    total = 0
    for piece in _pieces(data):
        total += sum(piece)
        yield piece
    yield struct.pack("<H", total & 0xFFFF)


def _size(data: bytes | Data) -> int:
    return len(data) if isinstance(data, bytes) else data.size


def _suffix(name: str) -> str:
    """What tells a file's kind; none where it is no short one."""
    _, dot, kind = name.rpartition(".")
    return dot + kind if len(kind) <= MAX_SUFFIX else ""


def _pieces(data: bytes | Data) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
        return
    at = 0
    while at < data.size:
        piece = data.read(at, PIECE)
        if not piece:
            raise bad("an attachment that is shorter than it says")
        at += len(piece)
        yield piece
