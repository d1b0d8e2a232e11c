"""Property types, tags and values (MS-OXCDATA 2.9, 2.11).

A value is plain Python: int, float, bool, bytes, str, uuid.UUID, a list of such for a multi-value type, a
`restrict.Restriction`, a tuple of `rules.Action`.
Which it is follows from the type in the tag, so nothing is wrapped; what no type fits (an error in a row) is
an `Error`.  Times are FILETIMEs, 100 ns since 1601, as ``int``: see `to_ms` and `of_ms`.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from typing import Any, Final

from quintet.mapi.buffer import Reader, Writer, bad
from quintet.values import dataclass

Tag = int
"""PropertyId << 16 | PropertyType (MS-OXCDATA 2.9)."""

Value = Any  # one of the types in the module's first lines; the tag knows which
"""A property's value."""

MULTIPLE: Final = 0x1000
INSTANCE: Final = 0x2000  # with MULTIPLE: each value of a column has a row of its own (MS-OXCTABL 2.2.2.2)

UNSPECIFIED: Final = 0x0000
NULL: Final = 0x0001
INTEGER16: Final = 0x0002
INTEGER32: Final = 0x0003
FLOATING32: Final = 0x0004
FLOATING64: Final = 0x0005
CURRENCY: Final = 0x0006  # 1/10,000
FLOATING_TIME: Final = 0x0007  # days since 1899-12-30
ERROR_CODE: Final = 0x000A
BOOLEAN: Final = 0x000B
OBJECT: Final = 0x000D
INTEGER64: Final = 0x0014
STRING8: Final = 0x001E
STRING: Final = 0x001F
TIME: Final = 0x0040
GUID: Final = 0x0048
SERVER_ID: Final = 0x00FB
RESTRICTION: Final = 0x00FD
RULE_ACTION: Final = 0x00FE
BINARY: Final = 0x0102

_EPOCH_MS: Final = 11_644_473_600_000  # from 1601 to 1970
MAX_TIME: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Error:
    """Stands where a value could not be had: an error code (MS-OXCDATA 2.4)."""

    code: int


@dataclass(frozen=True, slots=True)
class Named:
    """A named property: a number or a name within a property set (MS-OXCDATA 2.6.1)."""

    guid: uuid.UUID
    name: int | str


def type_of(tag: Tag) -> int:
    """The type of a property; an instance of a multi-value has the type of one value."""
    kind = tag & 0xFFFF
    return kind & ~(MULTIPLE | INSTANCE) if kind & (MULTIPLE | INSTANCE) == MULTIPLE | INSTANCE else kind


def id_of(tag: Tag) -> int:
    return tag >> 16


def tag_of(number: int, kind: int) -> Tag:
    return number << 16 | kind


def to_ms(time: int) -> int:
    """UTC milliseconds since 1970 of a FILETIME."""
    return time // 10_000 - _EPOCH_MS


def of_ms(ms: int) -> int:
    """The FILETIME of UTC milliseconds; what lies outside is the nearest that can be told."""
    time = (ms + _EPOCH_MS) * 10_000
    return time if 0 <= time <= MAX_TIME else min(max(time, 0), MAX_TIME)


# --- values -----------------------------------------------------------------------------------------

_FORMS = {
    INTEGER16: struct.Struct("<h"),
    INTEGER32: struct.Struct("<i"),
    FLOATING32: struct.Struct("<f"),
    FLOATING64: struct.Struct("<d"),
    CURRENCY: struct.Struct("<q"),
    FLOATING_TIME: struct.Struct("<d"),
    ERROR_CODE: struct.Struct("<I"),
    INTEGER64: struct.Struct("<q"),
    TIME: struct.Struct("<Q"),
}
_SMALLEST = {STRING8: 1, STRING: 2, GUID: 16} | {kind: form.size for kind, form in _FORMS.items()}
_MANY = frozenset((*_FORMS, STRING8, STRING, GUID, BINARY)) - {ERROR_CODE}
_FLAGGED = frozenset((STRING8, STRING, BINARY, *(MULTIPLE | kind for kind in _MANY)))


def get(reader: Reader, kind: int) -> Value:
    """A PropertyValue of a type (MS-OXCDATA 2.11.2.1); None for one that the address book leaves out.

    Raises BadSyntax: too little is there, or no such type can stand in a buffer.
    """
    form = _FORMS.get(kind)
    if form is not None:
        return reader.unpack(form)[0]
    if reader.book and not _is_there(reader, kind):
        return None
    getter = _GETTERS.get(kind)
    if getter is not None:
        return getter(reader)
    one = kind & ~MULTIPLE
    if kind & MULTIPLE and one in _MANY:
        # Deviates: 2.11.2.1 says 16 bits; Exchange and its clients write 32 in every buffer
        least = _SMALLEST.get(one, 4 if reader.wide else 2)
        if reader.book and one in _FLAGGED:
            least = 1
        number = reader.counted(reader.u32(), least)
        form = _FORMS.get(one)
        if form is not None:  # six times as fast
            return [value for (value,) in form.iter_unpack(reader.take(number * form.size))]
        return [get(reader, one) for _ in range(number)]
    raise bad("no such property type")


def put(writer: Writer, kind: int, value: Value) -> None:
    """The same the other way.  Raises BadSyntax: a value that is none of that type."""
    form = _FORMS.get(kind)
    if form is not None:
        writer.pack(form, value)
        return
    if writer.book and (kind in _FLAGGED or kind == OBJECT):
        if kind in _FLAGGED:
            writer.put(b"\0" if value is None else b"\xff")
        if value is None or kind == OBJECT:
            return
    putter = _PUTTERS.get(kind)
    if putter is not None:
        putter(writer, value)
        return
    one = kind & ~MULTIPLE
    if not kind & MULTIPLE or one not in _MANY:
        raise bad("no such property type")
    writer.u32(len(value))
    for each in value:
        put(writer, one, each)


def _is_there(reader: Reader, kind: int) -> bool:
    """HasValue of an AddressBookPropertyValue: before text, bytes and many values, and before each text and
    each bytes among many (MS-OXCMAPIHTTP 2.2.1.1).  An embedded table has no bytes in a row.
    """
    if kind not in _FLAGGED:
        return kind != OBJECT
    flag = reader.u8()
    if flag not in (0x00, 0xFF):
        raise bad("a value that is neither there nor absent")
    return flag == 0xFF


def _get_binary(reader: Reader) -> bytes:
    return reader.take(reader.count())


def _put_binary(writer: Writer, value: bytes) -> None:
    writer.count(len(value))
    writer.put(value)


def _get_server_id(reader: Reader) -> bytes:
    """Its size is told in 16 bits everywhere (MS-OXCDATA 2.11.1.4)."""
    return reader.take(reader.u16())


def _put_server_id(writer: Writer, value: bytes) -> None:
    writer.u16(len(value))
    writer.put(value)


def _get_typed(reader: Reader) -> tuple[int, Value]:
    """PtypUnspecified: the type, then the value (MS-OXCDATA 2.11.3)."""
    reader.deeper()
    kind = reader.u16()
    if kind == UNSPECIFIED:
        raise bad("a value of no type")
    value = get(reader, kind)
    reader.shallower()
    return kind, value


def _put_typed(writer: Writer, value: tuple[int, Value]) -> None:
    kind, inner = value
    if kind == UNSPECIFIED:
        raise bad("a value of no type")
    writer.u16(kind)
    put(writer, kind, inner)


def _get_restriction(reader: Reader) -> Value:
    from quintet.mapi import restrict  # which needs values itself

    return restrict.get(reader)


def _put_restriction(writer: Writer, value: Value) -> None:
    from quintet.mapi import restrict

    restrict.put(writer, value)


def _get_actions(reader: Reader) -> Value:
    from quintet.mapi import rules  # the same

    return rules.get(reader)


def _put_actions(writer: Writer, value: Value) -> None:
    from quintet.mapi import rules

    rules.put(writer, value)


_GETTERS: dict[int, Callable[[Reader], Value]] = {
    UNSPECIFIED: _get_typed,
    NULL: lambda reader: None,
    BOOLEAN: Reader.flag,
    OBJECT: _get_binary,
    STRING8: Reader.text8,
    STRING: Reader.text,
    GUID: lambda reader: uuid.UUID(bytes_le=reader.take(16)),
    SERVER_ID: _get_server_id,
    RESTRICTION: _get_restriction,
    RULE_ACTION: _get_actions,
    BINARY: _get_binary,
}
_PUTTERS: dict[int, Callable[[Writer, Any], None]] = {  # Any: each takes the value of its type
    UNSPECIFIED: _put_typed,
    NULL: lambda writer, value: None,
    BOOLEAN: lambda writer, value: writer.u8(1 if value else 0),
    OBJECT: _put_binary,
    STRING8: Writer.text8,
    STRING: Writer.text,
    GUID: lambda writer, value: writer.put(value.bytes_le),
    SERVER_ID: _put_server_id,
    RESTRICTION: _put_restriction,
    RULE_ACTION: _put_actions,
    BINARY: _put_binary,
}


# --- tagged values, names -----------------------------------------------------------------------------


def get_tagged(reader: Reader) -> tuple[Tag, Value]:
    """A TaggedPropertyValue (MS-OXCDATA 2.11.4)."""
    tag = reader.u32()
    return tag, get(reader, type_of(tag))


def put_tagged(writer: Writer, tag: Tag, value: Value) -> None:
    writer.u32(tag)
    put(writer, type_of(tag), value)


def get_name(reader: Reader) -> Named | None:
    """A PropertyName (MS-OXCDATA 2.6.1); None where a property has no name (kind 0xFF)."""
    kind = reader.u8()
    guid = uuid.UUID(bytes_le=reader.take(16))
    if kind == 0x00:
        return Named(guid, reader.u32())
    if kind == 0x01:
        size = reader.u8()
        inner = Reader(reader.take(size))
        return Named(guid, inner.text())
    if kind == 0xFF:
        return None
    raise bad("no such kind of name")


def put_name(writer: Writer, name: Named | None) -> None:
    if name is None:
        writer.put(b"\xff" + bytes(16))
    elif isinstance(name.name, int):
        writer.put(b"\0" + name.guid.bytes_le)
        writer.u32(name.name)
    else:
        inner = Writer()
        inner.text(name.name)
        raw = inner.done()
        writer.put(b"\1" + name.guid.bytes_le)
        writer.u8(len(raw))
        writer.put(raw)
