"""A .msg file to an item (MS-OXMSG).

Text of a code page is read as text.  A hostile file costs no more than a few times its size: see `compound`.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass

from quintet.mapi import codepages, types
from quintet.mapi.bag import Attachment, Bag, Item, Key, NamedTag
from quintet.mapi.buffer import bad
from quintet.mapi.msgfile import compound, layout
from quintet.mapi.msgfile.compound import Storage, Stream
from quintet.mapi.types import Tag, Value

MAX_EMBEDDED = 16  # levels of messages within messages
MAX_PARTS = 10_000  # recipients or attachments of one message
MAX_PROPS = 10_000  # of one object
MAX_VALUES = 100_000  # of one multi-value
_WINDOWS = 1252  # the code page where none is told

Names = dict[int, tuple[uuid.UUID, int | str]]


def read(raw: bytes) -> Item:
    """The item of a file.

    Raises BadSyntax: no compound file, no message in it, malformed, or beyond one of the limits above.
    """
    root = compound.read(raw)
    return _message(root, layout.TOP, _names(root), _WINDOWS, 0)


def _message(storage: Storage, head: int, names: Names, page: int, depth: int) -> Item:
    if depth > MAX_EMBEDDED:
        raise bad("messages nested too deeply")
    reader = _Object(storage, head, names, page)
    page = reader.page
    recipients = [_Object(part, layout.PART, names, page).bag() for part in _parts(storage, layout.RECIPIENT)]
    attachments = [_attachment(part, names, page, depth) for part in _parts(storage, layout.ATTACHMENT)]
    return Item(reader.bag(), recipients, attachments)


def _parts(storage: Storage, prefix: str) -> list[Storage]:
    """Recipients or attachments, in the order of their numbers."""
    found = []
    for name, node in storage.entries.items():
        if name.startswith(prefix) and isinstance(node, Storage):
            try:
                found.append((int(name[len(prefix) :], 16), node))
            except ValueError:
                raise bad("a recipient or an attachment without a number") from None
    if len(found) > MAX_PARTS:
        raise bad("too many recipients or attachments")
    return [node for _, node in sorted(found, key=lambda pair: pair[0])]


def _attachment(storage: Storage, names: Names, page: int, depth: int) -> Attachment:
    """Properties, and the content: bytes, a message, or a storage as a compound file of its own."""
    reader = _Object(storage, layout.PART, names, page)
    bag = reader.bag()
    inner = storage.entries.get(layout.EMBEDDED)
    if isinstance(inner, Storage):
        if bag.get(layout.ATTACH_METHOD) == layout.OLE:
            return Attachment(bag, b"".join(compound.write(inner)))
        item = _message(inner, layout.INNER, names, page, depth + 1)
        bag[layout.ATTACH_METHOD] = layout.EMBEDDED_MESSAGE
        return Attachment(bag, b"", item)
    data = _load(storage, layout.stream_name(layout.ATTACH_BYTES)) or b""
    if not data and isinstance(inner, Stream):  # OLE 1 objects are a stream
        data = inner.load()
    return Attachment(bag, data)


def _load(storage: Storage, name: str) -> bytes | None:
    node = storage.entries.get(name)
    return node.load() if isinstance(node, Stream) else None


# --- properties -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Row:
    tag: Tag
    value: bytes  # eight of them: the value, or its size


class _Object:
    """The properties of a message, a recipient or an attachment (2.4)."""

    def __init__(self, storage: Storage, head: int, names: Names, page: int) -> None:
        self._storage = storage
        self._names = names
        raw = _load(storage, layout.PROPERTIES)
        if raw is None:
            raise bad("an object without properties")
        number = max(len(raw) - head, 0) // layout.ROW.size
        if number > MAX_PROPS:
            raise bad("too many properties")
        rows = [layout.ROW.unpack_from(raw, head + place * layout.ROW.size) for place in range(number)]
        self._rows = [_Row(tag, value) for tag, _, value in rows]
        self.page = self._page(page)

    def _page(self, page: int) -> int:
        told = {row.tag: int.from_bytes(row.value[:4], "little") for row in self._rows}
        return told.get(layout.MESSAGE_CODEPAGE) or told.get(layout.INTERNET_CODEPAGE) or page

    def bag(self) -> Bag:
        """All but what is an attachment's content, and what has a name that nobody told."""
        bag: Bag = {}
        for row in self._rows:
            kind = row.tag & 0xFFFF
            if row.tag == layout.ATTACH_BYTES or kind & ~types.MULTIPLE == types.OBJECT:
                continue
            value = self._value(row, kind)
            if kind & ~types.MULTIPLE == types.STRING8:
                kind += types.STRING - types.STRING8
            key = self._key(types.id_of(row.tag), kind)
            if key is not None and value is not None:
                bag[key] = value
        return bag

    def _key(self, number: int, kind: int) -> Key | None:
        if number < layout.FIRST_NAMED:
            return types.tag_of(number, kind)
        name = self._names.get(number)
        return None if name is None else NamedTag(name[0], name[1], kind)

    def _value(self, row: _Row, kind: int) -> Value:
        """None for what is not there, or is of a type that nothing has in a bag."""
        form = layout.FIXED.get(kind)
        if form is not None:
            return form.unpack(row.value)[0]
        one = kind & ~types.MULTIPLE
        raw = _load(self._storage, layout.stream_name(row.tag))
        if raw is None:
            return None
        if kind & types.MULTIPLE:
            return self._values(row.tag, one, raw)
        if one == types.GUID:
            return uuid.UUID(bytes_le=raw) if len(raw) == 16 else None
        return self._text_or_bytes(one, raw) if one in layout.VARIABLE else None

    def _values(self, tag: Tag, kind: int, raw: bytes) -> Value:
        """A multi-value: packed where its values have one size, else a stream for each (2.1.4)."""
        form = layout.PACKED.get(kind)
        if form is not None:
            packed = [value for (value,) in form.iter_unpack(raw[: len(raw) // form.size * form.size])]
            return [uuid.UUID(bytes_le=value) for value in packed] if kind == types.GUID else packed
        if kind not in layout.VARIABLE:
            return None
        number = len(raw) // (8 if kind == types.BINARY else 4)
        if number > MAX_VALUES:
            raise bad("too many values")
        found = []
        for place in range(number):
            value = _load(self._storage, f"{layout.stream_name(tag)}-{place:08X}")
            if value is None:
                raise bad("a multi-value of fewer values than it says")
            found.append(self._text_or_bytes(kind, value))
        return found

    def _text_or_bytes(self, kind: int, raw: bytes) -> str | bytes:
        if kind == types.STRING:
            return raw[: len(raw) & ~1].decode("utf-16-le", "surrogatepass").removesuffix("\0")
        if kind == types.STRING8:
            return codepages.decode(raw.removesuffix(b"\0"), self.page)
        return raw


# --- names ----------------------------------------------------------------------------------------------


def _names(root: Storage) -> Names:
    """The names of the numbers from 0x8000 on, for all objects of the file (2.2.3)."""
    storage = root.entries.get(layout.NAMES)
    if not isinstance(storage, Storage):
        return {}
    sets = _load(storage, layout.GUIDS) or b""
    strings = _load(storage, layout.STRINGS) or b""
    raw = _load(storage, layout.ENTRIES) or b""
    found: Names = {}
    for number, kind, place in layout.NAME.iter_unpack(raw[: len(raw) // 8 * 8]):
        guid = _guid(kind >> 1, sets)
        name = _string(strings, number) if kind & 1 else number
        if guid is not None and name is not None and place < 0x8000:
            found[layout.FIRST_NAMED + place] = guid, name
    return found


def _guid(index: int, sets: bytes) -> uuid.UUID | None:
    if index < len(layout.KNOWN_SETS):
        return layout.KNOWN_SETS[index]
    at = (index - len(layout.KNOWN_SETS)) * 16
    return uuid.UUID(bytes_le=sets[at : at + 16]) if at + 16 <= len(sets) else None


def _string(strings: bytes, at: int) -> str | None:
    if at + 4 > len(strings):
        return None
    (size,) = struct.unpack_from("<I", strings, at)
    raw = strings[at + 4 : at + 4 + size]
    return raw.decode("utf-16-le", "surrogatepass") if len(raw) == size and size % 2 == 0 else None
