"""PidTagSearchFolderDefinition: what a search folder looks for, as clients keep it (MS-OXOSRCH 2.2.1.2.8).

Its flags and version travel big-endian, everything else little-endian.  Which fields are there follows from
the flags, which follow from the fields.
"""

from __future__ import annotations

from quintet.mapi import entrylists, restrict, types
from quintet.mapi.buffer import Reader, Writer, bad
from quintet.mapi.restrict import Restriction
from quintet.mapi.types import Tag, Value
from quintet.values import dataclass

VERSION = 0x04100000
MAX_ADDRESSES = 1000
_FOLDERS, _FOLDER_NAMES, _ADVANCED, _RESTRICTION = 0x40, 0x20, 0x10, 0x08
_ADDRESSES, _TEXT, _NUMBER = 0x04, 0x02, 0x01
_TOLD = _FOLDERS | _FOLDER_NAMES | _ADVANCED | _RESTRICTION | _ADDRESSES | _TEXT | _NUMBER
_LONG = 0xFF  # a length of 8 bits that says: see the next 16

Addressee = tuple[tuple[Tag, Value], ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """None stands for what is not there."""

    deep: bool = True  # folders below the listed ones too
    number: int | None = None  # days or kilobytes, as the template has it
    text: str | None = None
    folder_names: str | None = None  # for people
    folders: tuple[bytes, ...] | None = None  # entry ids
    addresses: tuple[Addressee, ...] | None = None
    restriction: Restriction | None = None
    advanced: bytes | None = None  # the client's own
    more: int = 0  # other flags: PidTagSearchFolderStorageType has them too

    @property
    def flags(self) -> int:
        """PidTagSearchFolderStorageType (2.2.1.2.6)."""
        bits = (
            (self.folders, _FOLDERS), (self.folder_names, _FOLDER_NAMES), (self.advanced, _ADVANCED),
            (self.restriction, _RESTRICTION), (self.addresses, _ADDRESSES), (self.text, _TEXT),
            (self.number, _NUMBER),
        )  # fmt: skip
        return self.more & ~_TOLD | sum(bit for value, bit in bits if value is not None)


def read(raw: bytes) -> Definition:
    """Raises BadSyntax: malformed."""
    reader = Reader(raw)
    reader.take(4)  # the version, which should be, and is not always, VERSION
    flags = int.from_bytes(reader.take(4), "big")
    number = reader.u32()
    text = _get_text(reader)
    _skip(reader)
    deep = bool(reader.u32())
    names = _get_text(reader)
    folders = _get_folders(reader)
    addresses = _get_addresses(reader) if flags & _ADDRESSES else None
    _skip(reader)
    restriction = None
    if flags & _RESTRICTION:
        reader.wide = True
        restriction = restrict.get(reader)
    advanced = None
    if flags & _ADVANCED:
        # nobody tells its length: all but the last block's size, which is 0
        advanced = reader.take(max(len(reader) - 4, 0))
    return Definition(
        deep, number if flags & _NUMBER else None, text if flags & _TEXT else None,
        names if flags & _FOLDER_NAMES else None, folders if flags & _FOLDERS else None, addresses,
        restriction, advanced, flags & ~_TOLD,
    )  # fmt: skip


def write(one: Definition) -> bytes:
    """Raises BadSyntax: a text of more than 65,535 characters."""
    writer = Writer()
    writer.put(VERSION.to_bytes(4, "big") + one.flags.to_bytes(4, "big"))
    writer.u32(one.number or 0)
    _put_text(writer, one.text or "")
    writer.u32(0)
    writer.u32(int(one.deep))
    _put_text(writer, one.folder_names or "")
    _put_folders(writer, one.folders)
    if one.addresses is not None:
        writer.u32(len(one.addresses))
        for addressee in one.addresses:
            writer.u32(len(addressee))
            writer.u32(0)
            for tag, value in addressee:
                types.put_tagged(writer, tag, value)
    writer.u32(0)
    if one.restriction is not None:
        writer.wide = True
        restrict.put(writer, one.restriction)
    writer.put(one.advanced or b"")
    writer.u32(0)
    return writer.done()


def _skip(reader: Reader) -> None:
    reader.take(reader.u32())


def _get_text(reader: Reader) -> str:
    length = reader.u8()
    if length == _LONG:
        length = reader.u16()
    return reader.take(length * 2).decode("utf-16-le", "surrogatepass")


def _put_text(writer: Writer, text: str) -> None:
    raw = text.encode("utf-16-le", "surrogatepass")
    length = len(raw) // 2
    writer.u8(min(length, _LONG))
    if length >= _LONG:
        writer.u16(length)
    writer.put(raw)


def _get_folders(reader: Reader) -> tuple[bytes, ...]:
    size = reader.u32()
    return tuple(entrylists.get_list(Reader(reader.take(size)))) if size else ()


def _put_folders(writer: Writer, folders: tuple[bytes, ...] | None) -> None:
    inner = Writer()
    if folders is not None:
        entrylists.put_list(inner, folders)
    raw = inner.done()
    writer.u32(len(raw))
    writer.put(raw)


def _get_addresses(reader: Reader) -> tuple[Addressee, ...]:
    number = reader.counted(reader.u32(), 8)
    if number > MAX_ADDRESSES:
        raise bad("too many addressees")
    found = []
    for _ in range(number):
        count = reader.u32()
        reader.u32()
        found.append(tuple([types.get_tagged(reader) for _ in range(reader.counted(count, 4))]))
    return tuple(found)
