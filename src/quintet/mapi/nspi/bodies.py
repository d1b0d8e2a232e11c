"""Bodies of the nineteen request types and of their answers, both ways (MS-OXCMAPIHTTP 2.2.5).  Pure.

A body is a value of `messages` and a row in `REQUESTS` or `RESPONSES`: its fields in their order, each with
how it is read and written.  The client writes what the server reads, from the same row.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

from quintet.errors import BadSyntax
from quintet.mapi import restrict, rows, types
from quintet.mapi.buffer import Reader, Writer, bad
from quintet.mapi.nspi import messages as m
from quintet.mapi.nspi import packing
from quintet.mapi.nspi.consts import MAX_ARRAY

MAX_NAMES: Final = 1000  # that one request has resolved or mapped
_STAT: Final = struct.Struct("<IIIiIIIII")

# --- fields -----------------------------------------------------------------------------------------------

Get = Callable[[Reader], Any]  # Any: the value of its field
Put = Callable[[Writer, Any], None]
Field = tuple[Get, Put]

_I32 = struct.Struct("<i")

FLAG: Final[Field] = (lambda reader: reader.u8() != 0, lambda writer, value: writer.u8(0xFF if value else 0))
U32: Final[Field] = (Reader.u32, Writer.u32)
I32: Final[Field] = (
    lambda reader: int(reader.unpack(_I32)[0]),
    lambda writer, value: writer.pack(_I32, value),
)
GUID: Final[Field] = (
    lambda reader: uuid.UUID(bytes_le=reader.take(16)),
    lambda writer, value: writer.put(value.bytes_le),
)
TEXT: Final[Field] = (Reader.text, Writer.text)
TEXT8: Final[Field] = (Reader.text8, Writer.text8)
STAT: Final[Field] = (
    lambda reader: m.Stat(*map(int, reader.unpack(_STAT))),
    lambda writer, one: writer.pack(
        _STAT, one.sort, one.container, one.current, one.delta, one.position, one.total,
        one.code_page, one.template_locale, one.sort_locale,
    ),
)  # fmt: skip
TAGGED: Final[Field] = (types.get_tagged, lambda writer, value: types.put_tagged(writer, *value))
FILTER: Final[Field] = (restrict.get, restrict.put)
PROPERTY: Final[Field] = (
    lambda reader: (uuid.UUID(bytes_le=reader.take(16)), reader.u32()),
    lambda writer, value: writer.put(value[0].bytes_le + value[1].to_bytes(4, "little")),
)


def maybe(inner: Field) -> Field:
    """A byte that says whether the field is there; what comes is read loosely, 0xFF is written (2.2.1.1)."""
    get, put = inner

    def put_maybe(writer: Writer, value: Any) -> None:
        writer.u8(0 if value is None else 0xFF)
        if value is not None:
            put(writer, value)

    return (lambda reader: get(reader) if reader.u8() else None), put_maybe


def array(inner: Field, least: int, most: int = MAX_ARRAY) -> Field:
    """A count of 32 bits and so many things of at least ``least`` bytes each."""
    get, put = inner

    def get_array(reader: Reader) -> tuple[Any, ...]:
        number = reader.counted(reader.u32(), least)
        if number > most:
            raise bad("too many things in an array")
        return tuple([get(reader) for _ in range(number)])

    def put_array(writer: Writer, values: Sequence[Any]) -> None:
        writer.u32(len(values))
        for value in values:
            put(writer, value)

    return get_array, put_array


def _get_words(reader: Reader) -> tuple[int, ...]:
    number = reader.counted(reader.u32(), 4)
    if number > MAX_ARRAY:
        raise bad("too many things in an array")
    return struct.unpack(f"<{number}I", reader.take(4 * number))


def _put_words(writer: Writer, values: Sequence[int]) -> None:
    writer.u32(len(values))
    writer.pack(struct.Struct(f"<{len(values)}I"), *values)


WORDS: Final[Field] = (_get_words, _put_words)
"""LargePropertyTagArray (2.2.1.8), and arrays of Minimal Entry IDs."""


def _get_table(reader: Reader) -> m.Table:
    columns = _get_words(reader)
    number = reader.counted(reader.u32())
    if number > MAX_ARRAY:
        raise bad("too many rows")
    return m.Table(columns, tuple([rows.get_row(reader, columns) for _ in range(number)]))


def _put_table(writer: Writer, table: m.Table) -> None:
    _put_words(writer, table.columns)
    writer.u32(len(table.rows))
    writer.put(packing.packed(table.columns, table.rows))


TABLE: Final[Field] = (_get_table, _put_table)


def _get_sized(reader: Reader) -> bytes:
    return reader.take(reader.u32())


def _put_sized(writer: Writer, value: bytes) -> None:
    writer.u32(len(value))
    writer.put(value)


SIZED: Final[Field] = (_get_sized, _put_sized)
VALUES: Final = array(TAGGED, 4)
"""AddressBookPropertyValueList (2.2.1.3)."""

_RESERVED = ("reserved", U32)
_FLAGS = ("flags", U32)
_STATE = ("state", maybe(STAT))
_COLUMNS = ("columns", maybe(WORDS))
_MIDS = ("mids", maybe(WORDS))
_PAGE = ("code_page", U32)
_ERROR = ("error", U32)
_TABLE = ("table", maybe(TABLE))

Layout = tuple[tuple[str, Field], ...]

REQUESTS: Final[dict[str, tuple[type[Any], Layout]]] = {  # Any: a class of this module
    "bind": (m.Bind, (_FLAGS, _STATE)),
    "unbind": (m.Unbind, (_RESERVED,)),
    "compareminids": (m.CompareMinIds, (_RESERVED, _STATE, ("first", U32), ("second", U32))),
    "dntominid": (m.DnToMinId, (_RESERVED, ("names", maybe(array(TEXT8, 1, MAX_NAMES))))),
    "getmatches": (m.GetMatches, (
        _RESERVED, _STATE, _MIDS, ("options", U32), ("filter", maybe(FILTER)), ("property", maybe(PROPERTY)),
        ("most", U32), _COLUMNS,
    )),
    "getproplist": (m.GetPropList, (_FLAGS, ("mid", U32), _PAGE)),
    "getprops": (m.GetProps, (_FLAGS, _STATE, ("tags", maybe(WORDS)))),
    "getspecialtable": (m.GetSpecialTable, (_FLAGS, _STATE, ("version", maybe(U32)))),
    "gettemplateinfo": (m.GetTemplateInfo, (
        _FLAGS, ("display_type", U32), ("dn", maybe(TEXT8)), _PAGE, ("locale", U32),
    )),
    "modlinkatt": (m.ModLinkAtt, (
        _FLAGS, ("tag", U32), ("mid", U32), ("entry_ids", maybe(array(SIZED, 4, MAX_NAMES))),
    )),
    "modprops": (m.ModProps, (
        _RESERVED, _STATE, ("gone", maybe(WORDS)), ("values", maybe(VALUES)),
    )),
    "queryrows": (m.QueryRows, (_FLAGS, _STATE, ("table", WORDS), ("count", U32), _COLUMNS)),
    "querycolumns": (m.QueryColumns, (_RESERVED, _FLAGS)),
    "resolvenames": (m.ResolveNames, (
        _RESERVED, _STATE, _COLUMNS, ("names", maybe(array(TEXT, 2, MAX_NAMES))),
    )),
    "resortrestriction": (m.ResortRestriction, (_RESERVED, _STATE, _MIDS)),
    "seekentries": (m.SeekEntries, (
        _RESERVED, _STATE, ("target", maybe(TAGGED)), ("table", maybe(WORDS)), _COLUMNS,
    )),
    "updatestat": (m.UpdateStat, (_RESERVED, _STATE, ("delta_wanted", FLAG))),
    "getmailboxurl": (m.GetMailboxUrl, (_FLAGS, ("dn", TEXT))),
    "getaddressbookurl": (m.GetAddressBookUrl, (_FLAGS, ("dn", TEXT))),
}  # fmt: skip

_PROPS = (_ERROR, _PAGE, ("values", maybe(VALUES)))
_TAGS = (_ERROR, ("tags", maybe(WORDS)))
_ROWS = (_ERROR, _STATE, _TABLE)
_URL = (_ERROR, ("url", TEXT))

RESPONSES: Final[dict[str, tuple[type[Any], Layout]]] = {  # the same
    "bind": (m.Bound, (_ERROR, ("server", GUID))),
    "unbind": (m.Plain, (_ERROR,)),
    "compareminids": (m.Compared, (_ERROR, ("result", I32))),
    "dntominid": (m.Mapped, (_ERROR, _MIDS)),
    "getmatches": (m.Matched, (_ERROR, _STATE, _MIDS, _TABLE)),
    "getproplist": (m.Columns, _TAGS),
    "getprops": (m.Props, _PROPS),
    "getspecialtable": (m.SpecialTable, (
        _ERROR, _PAGE, ("version", maybe(U32)), ("rows", maybe(array(VALUES, 4))),
    )),
    "gettemplateinfo": (m.Props, _PROPS),
    "modlinkatt": (m.Plain, (_ERROR,)),
    "modprops": (m.Plain, (_ERROR,)),
    "queryrows": (m.Rows, _ROWS),
    "querycolumns": (m.Columns, _TAGS),
    "resolvenames": (m.Resolved, (_ERROR, _PAGE, _MIDS, _TABLE)),
    "resortrestriction": (m.Resorted, (_ERROR, _STATE, _MIDS)),
    "seekentries": (m.Rows, _ROWS),
    "updatestat": (m.Updated, (_ERROR, _STATE, ("delta", maybe(I32)))),
    "getmailboxurl": (m.Url, _URL),
    "getaddressbookurl": (m.Url, _URL),
}  # fmt: skip


class Failure(Exception):
    """The failure response body of any request type: a StatusCode that is not 0."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def read_request(kind: str, raw: bytes) -> Any:  # Any: of the class that `REQUESTS` names
    """A request's body.  Raises BadSyntax: malformed, or more than there should be."""
    return _read(Reader(raw, wide=True, book=True), *REQUESTS[kind])


def write_request(kind: str, request: Any) -> bytes:  # the same
    writer = Writer(wide=True, book=True)
    _write(writer, request, REQUESTS[kind][1])
    return writer.done()


def read_response(kind: str, raw: bytes) -> Any:  # Any: of the class that `RESPONSES` names
    """An answer's body.  Raises BadSyntax, Failure."""
    reader = Reader(raw, wide=True, book=True)
    status = reader.u32()
    if status:
        raise Failure(status)
    return _read(reader, *RESPONSES[kind])


def write_response(kind: str, response: Any) -> bytes:  # the same
    """StatusCode 0 and what the answer says (2.2.5.*.2)."""
    writer = Writer(wide=True, book=True)
    writer.u32(0)
    _write(writer, response, RESPONSES[kind][1])
    return writer.done()


def _read(reader: Reader, made: type[Any], layout: Layout) -> Any:
    found = made(*[get(reader) for _, (get, _) in layout])
    _get_sized(reader)  # the auxiliary buffer: telemetry of clients, let go
    if len(reader):
        raise BadSyntax("more than a body")
    return found


def _write(writer: Writer, body: Any, layout: Layout) -> None:
    for name, (_, put) in layout:
        put(writer, getattr(body, name))
    _put_sized(writer, b"")
