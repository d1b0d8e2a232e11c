"""An item to a .msg file (MS-OXMSG): all text wide, the names of properties in one place for the file."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator

from quintet.mapi import guids, types
from quintet.mapi.bag import Attachment, Bag, Data, Item, Key, NamedTag
from quintet.mapi.buffer import bad
from quintet.mapi.msgfile import compound, layout
from quintet.mapi.msgfile.compound import Storage
from quintet.mapi.msgfile.reading import MAX_EMBEDDED
from quintet.mapi.types import Tag, Value

_SUPPORT = 0x00040E79  # PidTagStoreSupportMask of what Outlook writes, UNICODE_OK among it
_EMBEDDED, _STORAGE = 1, 4  # what an object's entry says of it (2.4.2.2)
_MOST_NAMES = 0x7FFE


def write(item: Item) -> bytes:
    """The whole file.  Raises as `chunks`."""
    return b"".join(chunks(item))


def chunks(item: Item) -> Iterator[bytes]:
    """The file in pieces; an attachment of many megabytes is read bit by bit.

    Properties that a file cannot hold (restrictions, actions, errors, empty text) are left out.
    Raises BadSyntax: a value that is none of its type, messages nested deeper than `MAX_EMBEDDED`, an
    attachment of 2 GB, or more than 32,766 names.
    """
    names = _Names()
    root = _message(item, names, layout.TOP, 0)
    root.clsid = layout.CLASS
    root.entries[layout.NAMES] = names.storage()
    return compound.write(root)


def _message(item: Item, names: _Names, head: int, depth: int) -> Storage:
    if depth > MAX_EMBEDDED:
        raise bad("messages nested too deeply")
    props: Bag = {layout.MESSAGE_CLASS: "IPM.Note", **item.props}
    if head == layout.TOP:
        props[layout.SUPPORT_MASK] = props.get(layout.SUPPORT_MASK, _SUPPORT) | layout.UNICODE_OK
    numbers = (len(item.recipients), len(item.attachments))
    counts = struct.pack("<8x4I", *numbers, *numbers).ljust(head, b"\0")
    storage = _object(props, names, counts)
    for place, row in enumerate(item.recipients):
        part = _object({**row, layout.ROW_ID: place}, names, bytes(layout.PART))
        storage.entries[f"{layout.RECIPIENT}{place:08X}"] = part
    for place, attachment in enumerate(item.attachments):
        storage.entries[f"{layout.ATTACHMENT}{place:08X}"] = _attachment(attachment, names, place, depth)
    return storage


def _attachment(attachment: Attachment, names: _Names, place: int, depth: int) -> Storage:
    bag: Bag = {layout.ATTACH_METHOD: layout.BY_VALUE, **attachment.props, layout.ATTACH_NUMBER: place}
    if attachment.item is not None:
        bag[layout.ATTACH_METHOD] = layout.EMBEDDED_MESSAGE
        inner = _message(attachment.item, names, layout.INNER, depth + 1)
        return _with_object(bag, names, inner, _EMBEDDED)
    if bag[layout.ATTACH_METHOD] == layout.OLE and (ole := _compound(attachment.data)) is not None:
        return _with_object(bag, names, ole, _STORAGE)
    size = compound.size_of(attachment.data)
    storage = _object(bag, names, bytes(layout.PART), _entry(layout.ATTACH_BYTES, size))
    storage.entries[layout.stream_name(layout.ATTACH_BYTES)] = attachment.data
    return storage


def _with_object(bag: Bag, names: _Names, inner: Storage, what: int) -> Storage:
    row = layout.ROW.pack(
        layout.ATTACH_OBJECT, layout.READABLE_WRITABLE, struct.pack("<II", 0xFFFFFFFF, what)
    )
    storage = _object(bag, names, bytes(layout.PART), row)
    storage.entries[layout.EMBEDDED] = inner
    return storage


def _compound(data: bytes | Data) -> Storage | None:
    """What an OLE object's bytes hold; None where they are no compound file."""
    raw = data if isinstance(data, bytes) else data.read(0, data.size)
    return compound.read(raw) if raw.startswith(compound.SIGNATURE) else None


# --- properties -----------------------------------------------------------------------------------------


def _object(bag: Bag, names: _Names, head: bytes, more: bytes = b"") -> Storage:
    """A storage with the property stream and a stream for each value that does not fit in there (2.4)."""
    storage = Storage()
    rows = []
    for key, value in bag.items():
        kind = key.kind if isinstance(key, NamedTag) else key & 0xFFFF
        if value is None or (value in ("", b"") and kind != types.BINARY):
            continue  # 2.4.2.2: a text has one character at the least
        tag = names.tag(key)
        form = layout.FIXED.get(kind)
        if form is not None:
            rows.append(layout.ROW.pack(tag, layout.READABLE_WRITABLE, _pack(form, value)))
        elif (size := _stream(storage, tag, kind, value)) is not None:
            rows.append(_entry(tag, size))
    storage.entries[layout.PROPERTIES] = b"".join((head, *rows, more))
    return storage


def _entry(tag: Tag, size: int) -> bytes:
    return layout.ROW.pack(tag, layout.READABLE_WRITABLE, struct.pack("<II", size, 0))


def _pack(form: struct.Struct, value: Value) -> bytes:
    try:
        return form.pack(value)
    except struct.error:
        raise bad("a value that is none of its type") from None


def _stream(storage: Storage, tag: Tag, kind: int, value: Value) -> int | None:
    """Adds the streams of a value and gives the size for its entry; None for what no stream holds."""
    one = kind & ~types.MULTIPLE
    name = layout.stream_name(tag)
    if kind & types.MULTIPLE:
        form = layout.PACKED.get(one)
        if form is not None:
            raw = b"".join(_pack(form, _plain(each)) for each in value)
        elif one in layout.VARIABLE:
            raw = _lengths(storage, name, one, value)
        else:
            return None
        storage.entries[name] = raw
        return len(raw)
    if one == types.GUID:
        storage.entries[name] = value.bytes_le
        return 16
    if one not in layout.VARIABLE:
        return None
    raw = _raw(one, value)
    storage.entries[name] = raw
    return len(raw) + {types.STRING: 2, types.STRING8: 1}.get(one, 0)


def _plain(value: Value) -> Value:
    return value.bytes_le if isinstance(value, uuid.UUID) else value


def _raw(kind: int, value: Value) -> bytes:
    return value.encode("utf-16-le", "surrogatepass") if kind == types.STRING else bytes(value)


def _lengths(storage: Storage, name: str, kind: int, values: Value) -> bytes:
    """A stream for each value, text with its NUL, and the lengths of all (2.1.4.2)."""
    lengths = []
    for place, value in enumerate(values):
        raw = _raw(kind, value) + {types.STRING: b"\0\0", types.STRING8: b"\0"}.get(kind, b"")
        storage.entries[f"{name}-{place:08X}"] = raw
        lengths.append(len(raw).to_bytes(8 if kind == types.BINARY else 4, "little"))
    return b"".join(lengths)


# --- names ----------------------------------------------------------------------------------------------


class _Names:
    """Numbers for the named properties of a file, from 0x8000 on (2.2.3)."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[uuid.UUID, int | str], int] = {}

    def tag(self, key: Key) -> Tag:
        if not isinstance(key, NamedTag):
            return key
        number = self._numbers.setdefault((key.guid, key.name), len(self._numbers))
        if number > _MOST_NAMES:
            raise bad("too many named properties")
        return types.tag_of(layout.FIRST_NAMED + number, key.kind)

    def storage(self) -> Storage:
        sets: list[uuid.UUID] = []
        strings, entries = bytearray(), bytearray()
        buckets: dict[str, bytes] = {}
        for (guid, name), number in self._numbers.items():
            index = _index(guid, sets)
            kind = index << 1 | int(isinstance(name, str))
            where, mark = layout.bucket(_looked_for(guid, name), index)
            buckets[where] = buckets.get(where, b"") + layout.NAME.pack(mark, kind, number)
            entries += layout.NAME.pack(len(strings) if isinstance(name, str) else name, kind, number)
            if isinstance(name, str):
                raw = name.encode("utf-16-le", "surrogatepass")
                strings += len(raw).to_bytes(4, "little") + raw + bytes(-len(raw) % 4)
        streams = {
            layout.GUIDS: b"".join(guid.bytes_le for guid in sets),
            layout.ENTRIES: bytes(entries),
            layout.STRINGS: bytes(strings),
        }
        return Storage({**streams, **buckets})


def _index(guid: uuid.UUID, sets: list[uuid.UUID]) -> int:
    """Of a GUID: two are known, the others are listed."""
    if guid in layout.KNOWN_SETS:
        return layout.KNOWN_SETS.index(guid)
    if guid not in sets:
        sets.append(guid)
    return len(layout.KNOWN_SETS) + sets.index(guid)


def _looked_for(guid: uuid.UUID, name: int | str) -> int | str:
    """Names of header fields are looked for in small letters."""
    return name.lower() if isinstance(name, str) and guid == guids.PS_INTERNET_HEADERS else name
