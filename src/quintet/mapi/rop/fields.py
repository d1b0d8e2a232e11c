"""The fields of which requests and answers consist (MS-OXCROPS 2.2.2), each with both its directions.

An annotation such as ``U16`` is a field's Python type to a checker, and its codec to `registry`.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from quintet.mapi import ids, restrict, rows, types
from quintet.mapi.buffer import Reader, Writer, bad
from quintet.mapi.ids import LongId, ShortId
from quintet.mapi.restrict import Restriction
from quintet.mapi.rows import Problem, SortOrder
from quintet.mapi.types import Named, Tag, Value
from quintet.values import dataclass

MORE = 0xBABE  # a 16-bit size that says: the real one follows in 32 (MS-OXCROPS_R3212)


@dataclass(frozen=True, slots=True)
class Field:
    """How a field is read and written."""

    get: Callable[[Any], Any]  # Any: a reader of the side that reads; the value of the field's type
    put: Callable[[Writer, Any], None]


class Asks(Reader):
    """Reads requests; some fields are there only in public logons."""

    __slots__ = ("logon", "public")

    def __init__(self, data: bytes, public: set[int]) -> None:
        super().__init__(data)
        self.public = public  # numbers of the logons that are public
        self.logon = 0  # of the request that is read


class Tells(Reader):
    """Reads answers; rows consist of the columns that the client asked for."""

    __slots__ = ("columns",)

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.columns: Sequence[Tag] = ()


# --- numbers --------------------------------------------------------------------------------------------

_I32, _I64 = struct.Struct("<i"), struct.Struct("<q")


def _get_flag(reader: Reader) -> bool:
    """A Boolean as clients send it: anything but 0 is true."""
    return reader.u8() != 0


def _get_wide_flag(reader: Reader) -> bool:
    return reader.u16() != 0


U8 = Annotated[int, Field(Reader.u8, Writer.u8)]
U16 = Annotated[int, Field(Reader.u16, Writer.u16)]
U32 = Annotated[int, Field(Reader.u32, Writer.u32)]
U64 = Annotated[int, Field(Reader.u64, Writer.u64)]
I32 = Annotated[int, Field(lambda reader: reader.unpack(_I32)[0], lambda w, value: w.pack(_I32, value))]
I64 = Annotated[int, Field(lambda reader: reader.unpack(_I64)[0], lambda w, value: w.pack(_I64, value))]
Flag = Annotated[bool, Field(_get_flag, lambda writer, value: writer.u8(1 if value else 0))]
Flag16 = Annotated[bool, Field(_get_wide_flag, lambda writer, value: writer.u16(1 if value else 0))]

# --- bytes and text ---------------------------------------------------------------------------------------


def fixed(size: int) -> Field:
    """Exactly ``size`` bytes."""

    def put(writer: Writer, value: bytes) -> None:
        if len(value) != size:
            raise bad("a field of another size")
        writer.put(value)

    return Field(lambda reader: reader.take(size), put)


def _put_raw16(writer: Writer, value: bytes) -> None:
    writer.u16(len(value))
    writer.put(value)


def _put_raw32(writer: Writer, value: bytes) -> None:
    writer.u32(len(value))
    writer.put(value)


def _get_ascii(reader: Reader) -> str:
    return reader.text8().decode("latin-1")


def _put_ascii(writer: Writer, value: str) -> None:
    writer.text8(value.encode("latin-1", "replace"))


def _get_sized_ascii(reader: Reader) -> str:
    """An ESSDN: its size counts the NUL (R41), and is 0 where there is none."""
    raw = reader.take(reader.u16())
    return raw.partition(b"\0")[0].decode("latin-1")


def _put_sized_ascii(writer: Writer, value: str) -> None:
    raw = value.encode("latin-1", "replace") + b"\0" if value else b""
    _put_raw16(writer, raw)


Raw16 = Annotated[bytes, Field(lambda reader: reader.take(reader.u16()), _put_raw16)]
Raw32 = Annotated[bytes, Field(lambda reader: reader.take(reader.u32()), _put_raw32)]
Raw6 = Annotated[bytes, fixed(6)]
Ascii = Annotated[str, Field(_get_ascii, _put_ascii)]
SizedAscii = Annotated[str, Field(_get_sized_ascii, _put_sized_ascii)]
Guid = Annotated[
    uuid.UUID,
    Field(lambda reader: uuid.UUID(bytes_le=reader.take(16)), lambda w, value: w.put(value.bytes_le)),
]

Text = str | bytes
"""Text as it came: ``str`` was Unicode, ``bytes`` are in the session's code page."""


def _get_typed(reader: Reader) -> Text | None:
    """A TypedString (MS-OXCDATA 2.11.7)."""
    kind = reader.u8()
    if kind == 0x00:
        return None
    if kind == 0x01:
        return ""
    if kind == 0x02:
        return reader.text8()
    if kind == 0x03:  # reduced: the high bytes, which are all 0, left out
        return reader.text8().decode("latin-1")
    if kind == 0x04:
        return reader.text()
    raise bad("no such kind of typed string")


def _put_typed(writer: Writer, value: Text | None) -> None:
    if value is None:
        writer.u8(0x00)
    elif not value:
        writer.u8(0x01)
    elif isinstance(value, bytes):
        writer.u8(0x02)
        writer.text8(value)
    else:
        writer.u8(0x04)
        writer.text(value)


TypedString = Annotated[Text | None, Field(_get_typed, _put_typed)]

# --- lists ------------------------------------------------------------------------------------------------


def listed(
    item: Field, least: int, count: tuple[Callable[[Reader], int], Callable[[Writer, int], None]]
) -> Field:
    """A count, then as many items of at least ``least`` bytes; a tuple."""
    get_count, put_count = count

    def get(reader: Reader) -> tuple[Any, ...]:
        return tuple([item.get(reader) for _ in range(reader.counted(get_count(reader), least))])

    def put(writer: Writer, values: Sequence[Any]) -> None:
        put_count(writer, len(values))
        for value in values:
            item.put(writer, value)

    return Field(get, put)


COUNT8 = (Reader.u8, Writer.u8)
COUNT16 = (Reader.u16, Writer.u16)
COUNT32 = (Reader.u32, Writer.u32)

ID = Field(ids.get_short, ids.put_short)
LONG = Field(ids.get_long, ids.put_long)
_TAGGED = Field(types.get_tagged, lambda writer, value: types.put_tagged(writer, *value))
_NAME = Field(types.get_name, types.put_name)
_PROBLEM = Field(rows.get_problem, rows.put_problem)

Id = Annotated[ShortId, ID]
Ids = Annotated[tuple[ShortId, ...], listed(ID, 8, COUNT16)]
Long = Annotated[LongId, LONG]
Longs = Annotated[tuple[LongId, ...], listed(LONG, 24, COUNT16)]
Tags = Annotated[tuple[Tag, ...], Field(lambda reader: tuple(rows.get_tags(reader)), rows.put_tags)]
Numbers16 = Annotated[tuple[int, ...], listed(Field(Reader.u16, Writer.u16), 2, COUNT16)]
Names = Annotated[tuple[Named | None, ...], listed(_NAME, 17, COUNT16)]
Problems = Annotated[tuple[Problem, ...], listed(_PROBLEM, 10, COUNT16)]
TAGGED = listed(_TAGGED, 4, COUNT16)
Tagged = Annotated[tuple[tuple[Tag, Value], ...], TAGGED]


def _get_sized_tagged(reader: Reader) -> tuple[tuple[Tag, Value], ...]:
    """PropertyValueSize counts the count and the values (R2797)."""
    inner = Reader(reader.take(reader.u16()))
    found: tuple[tuple[Tag, Value], ...] = TAGGED.get(inner)
    return found


def _put_sized_tagged(writer: Writer, values: Sequence[tuple[Tag, Value]]) -> None:
    inner = Writer()
    TAGGED.put(inner, values)
    _put_raw16(writer, inner.done())


SizedTagged = Annotated[tuple[tuple[Tag, Value], ...], Field(_get_sized_tagged, _put_sized_tagged)]


def _get_ascii_list(reader: Reader) -> tuple[str, ...]:
    """A count, the size of all, and NUL-terminated strings (RopGetAddressTypes, R2413)."""
    count, size = reader.u16(), reader.u16()
    inner = Reader(reader.take(size))
    return tuple([_get_ascii(inner) for _ in range(inner.counted(count))])


def _put_ascii_list(writer: Writer, values: Sequence[str]) -> None:
    inner = Writer()
    for value in values:
        _put_ascii(inner, value)
    writer.u16(len(values))
    _put_raw16(writer, inner.done())


AsciiList = Annotated[tuple[str, ...], Field(_get_ascii_list, _put_ascii_list)]

# --- restrictions, orders, rows ---------------------------------------------------------------------------


def _get_restriction(reader: Reader) -> Restriction | None:
    raw = reader.take(reader.u16())
    if not raw:
        return None
    inner = Reader(raw)
    found = restrict.get(inner)
    if len(inner):
        raise bad("more than a restriction")
    return found


def _put_restriction(writer: Writer, value: Restriction | None) -> None:
    inner = Writer()
    if value is not None:
        restrict.put(inner, value)
    _put_raw16(writer, inner.done())


MaybeRestriction = Annotated[Restriction | None, Field(_get_restriction, _put_restriction)]
Order = Annotated[SortOrder, Field(rows.get_sort_order, rows.put_sort_order)]


def _get_row(reader: Tells) -> list[Value]:
    return rows.get_row(reader, reader.columns)


def _get_rows(reader: Tells) -> list[list[Value]]:
    return [rows.get_row(reader, reader.columns) for _ in range(reader.counted(reader.u16()))]


def _put_rows(writer: Writer, value: Sequence[bytes]) -> None:
    writer.u16(len(value))
    for row in value:
        writer.put(row)


def _get_maybe_row(reader: Tells) -> list[Value] | None:
    return _get_row(reader) if _get_flag(reader) else None


def _put_maybe_row(writer: Writer, value: bytes | None) -> None:
    writer.u8(0 if value is None else 1)
    if value is not None:
        writer.put(value)


# a server knows the columns and gives rows as bytes (`rows.put_row`); a client gets values (`Tells.columns`)
Row = Annotated[Any, Field(_get_row, lambda writer, value: writer.put(value))]
Rows = Annotated[Sequence[Any], Field(_get_rows, _put_rows)]
MaybeRow = Annotated[Any, Field(_get_maybe_row, _put_maybe_row)]
