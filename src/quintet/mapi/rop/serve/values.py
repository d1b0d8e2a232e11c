"""Values between objects and the wire: widths of text, code pages, what is too long (MS-OXCPRPT 3.2.5.1).

Objects know text as ``str`` only.  A tag that asks for 8-bit text gets bytes in the session's code page, and
what comes so is read with it.
"""

from __future__ import annotations

import codecs
import functools
import struct
from collections.abc import Callable, Sequence
from typing import Final

from quintet.errors import BadSyntax
from quintet.mapi import restrict, rows, types
from quintet.mapi.buffer import Writer
from quintet.mapi.errors import Code
from quintet.mapi.restrict import Restriction
from quintet.mapi.types import Error, Tag, Value

MAX_CELL = 510  # bytes of a value in a table's row (MS-OXCTABL R121, R122)
MAX_CELL_TEXT = MAX_CELL // 2  # characters
TOO_LONG = Error(Code.OUT_OF_MEMORY)  # in place of a value that does not fit; it is read as a stream
ABSENT = Error(Code.NOT_FOUND)

_PAGES: Final = {
    65001: "utf-8",
    65000: "utf-7",
    20127: "ascii",
    20866: "koi8-r",
    21866: "koi8-u",
    51932: "euc-jp",
    51949: "euc-kr",
    936: "gbk",
    54936: "gb18030",
    50220: "iso2022_jp",
    28591: "latin-1",
}
UNICODE_PAGE = 1200
DEFAULT_CHARSET = "cp1252"


def charset(code_page: int) -> str | None:
    """Python's name of a code page; None for one that nobody knows."""
    if code_page in (0, UNICODE_PAGE, 0x0FFF):  # none in particular: the logon's
        return DEFAULT_CHARSET
    name = _PAGES.get(code_page)
    if name is None:
        name = f"iso8859-{code_page - 28590}" if 28591 <= code_page <= 28606 else f"cp{code_page}"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def decoded(raw: bytes | str, page: str) -> str:
    """Text of either width as ``str``."""
    return raw if isinstance(raw, str) else raw.decode(page, "replace")


def incoming(tag: Tag, value: Value, page: str) -> tuple[Tag, Value]:
    """A tagged value as objects take it: 8-bit text becomes wide."""
    kind = types.type_of(tag)
    if kind & ~types.MULTIPLE != types.STRING8:
        return tag, value
    wide = tag - types.STRING8 + types.STRING
    if kind & types.MULTIPLE:
        return wide, [decoded(one, page) for one in value]
    return wide, decoded(value, page)


def condition(one: Restriction | None, page: str) -> Restriction | None:
    """A restriction as objects take it: its 8-bit text is of the client's code page."""
    return None if one is None else restrict.changed(one, lambda tag, value: incoming(tag, value, page))


def narrow_condition(one: Restriction | None, page: str) -> Restriction | None:
    """One as a client wants it that asks for 8-bit text."""

    def change(tag: Tag, value: Value) -> tuple[Tag, Value]:
        if types.type_of(tag) & ~types.MULTIPLE != types.STRING:
            return tag, value
        return tag - types.STRING + types.STRING8, _narrow(value, page)

    return None if one is None else restrict.changed(one, change)


def outgoing(tag: Tag, value: Value, page: str, *, unicode: bool = True) -> Value:
    """A value as the wire's type of ``tag`` wants it; ``unicode`` is for text that was asked untyped."""
    kind = types.type_of(tag)
    if value is None:
        return ABSENT
    if isinstance(value, Error):
        return value
    if kind == types.UNSPECIFIED:
        found, inner = value
        if unicode or found & ~types.MULTIPLE != types.STRING:
            return value
        narrow = found - types.STRING + types.STRING8
        return narrow, _narrow(inner, page)
    return _narrow(value, page) if kind & ~types.MULTIPLE == types.STRING8 else value


def _narrow(value: Value, page: str) -> Value:
    if isinstance(value, list):
        return [one.encode(page, "replace") for one in value]
    return value.encode(page, "replace") if isinstance(value, str) else value


def cut(value: Value) -> Value:
    """A value as a table shows it."""
    if isinstance(value, str):
        return value[:MAX_CELL_TEXT]
    if isinstance(value, bytes):
        return value[:MAX_CELL]
    if isinstance(value, list):
        return [cut(one) for one in value]
    if isinstance(value, tuple) and isinstance(value[0], int):  # a type and its value; actions stay whole
        return value[0], cut(value[1])
    return value


# --- rows: an encoder for each set of columns, since a table asks for the same one again and again ---------

_NUMBERS: Final = {
    types.INTEGER16: struct.Struct("<h").pack,
    types.INTEGER32: struct.Struct("<i").pack,
    types.FLOATING32: struct.Struct("<f").pack,
    types.FLOATING64: struct.Struct("<d").pack,
    types.INTEGER64: struct.Struct("<q").pack,
    types.TIME: struct.Struct("<Q").pack,
}
_COUNT = struct.Struct("<H").pack
_ABSENT_CELL: Final = b"\x0a" + struct.pack("<I", Code.NOT_FOUND)
_ODD = (BadSyntax, TypeError, AttributeError, ValueError, LookupError, struct.error)

Cell = Callable[[Value], bytes]
Column = Callable[[Sequence[Value]], Sequence[bytes | None]]  # None: no value
Encoder = Callable[[Sequence[Sequence[Value]]], list[bytes]]


def _cell(kind: int, page: str, most: int | None) -> Cell:
    """How one value is written, ``most`` bytes of it; raises one of `_ODD` for what is none of its type."""
    if kind in _NUMBERS:
        return _NUMBERS[kind]
    if kind == types.BOOLEAN:
        return {True: b"\1", False: b"\0"}.__getitem__
    if kind == types.STRING:
        return lambda value: _wide((value,), most)[0]
    if kind == types.BINARY:
        return lambda value: _COUNT(len(value[:most])) + value[:most]

    def general(value: Value) -> bytes:
        writer = Writer()
        made = outgoing(types.tag_of(0, kind), value, page)
        types.put(writer, kind, cut(made) if most else made)
        return writer.done()

    return general


def _wide(texts: Sequence[str], most: int | None) -> list[bytes]:
    if "\0" in "".join(texts):
        raise TypeError
    longest = most and most // 2
    return [(text[:longest] + "\0").encode("utf-16-le", "surrogatepass") for text in texts]


def _column(kind: int, page: str, most: int | None) -> Column:
    """How the values of a column are written, those of many rows at once."""
    cell = _cell(kind, page, most)

    def encode(found: Sequence[Value]) -> Sequence[bytes | None]:
        if None in found:
            return [None if value is None else cell(value) for value in found]
        return _wide(found, most) if kind == types.STRING else list(map(cell, found))

    return encode


@functools.lru_cache(maxsize=512)
def encoder(columns: tuple[Tag, ...], page: str, *, table: bool = False) -> Encoder:
    """Writes PropertyRows (MS-OXCDATA 2.8.1) of these columns; None and `Error` are told as errors."""
    each = [_column(types.type_of(tag), page, MAX_CELL if table else None) for tag in columns]

    def encode(found: Sequence[Sequence[Value]]) -> list[bytes]:
        try:
            cells = [column(values) for column, values in zip(each, zip(*found, strict=True), strict=True)]
        except _ODD:  # an error, or a value that is none of its column's type
            if len(found) == 1:
                return [row(columns, found[0], page, table=table)]
            return [encode((one,))[0] for one in found]
        return list(map(_joined, zip(*cells, strict=True)))

    return encode if columns else lambda found: [b"\0"] * len(found)


def _joined(cells: tuple[bytes | None, ...]) -> bytes:
    if None not in cells:
        return b"\0" + b"".join(cells)  # type: ignore[arg-type] # none of them is None
    return b"\1" + b"".join([_ABSENT_CELL if cell is None else b"\0" + cell for cell in cells])


def row(
    columns: Sequence[Tag],
    found: Sequence[Value],
    page: str,
    *,
    table: bool = False,
    unicode: bool = True,
    most: int = 0,
) -> bytes:
    """A PropertyRow.  A value longer than ``most`` bytes (0: any), or of no type, is an error in it."""
    values = [outgoing(tag, one, page, unicode=unicode) for tag, one in zip(columns, found, strict=True)]
    if table:
        values = [cut(one) for one in values]
    elif most:
        values = [TOO_LONG if _size(one) > most else one for one in values]
    writer = Writer()
    try:
        rows.put_row(writer, columns, values)
    except _ODD:
        writer = Writer()
        rows.put_row(writer, columns, [_writable(tag, one) for tag, one in zip(columns, values, strict=True)])
    return writer.done()


def _size(value: Value) -> int:
    if isinstance(value, str):
        return 2 * len(value)
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, list):
        return sum(map(_size, value))
    return _size(value[1]) if isinstance(value, tuple) else 16


def _writable(tag: Tag, value: Value) -> Value:
    """The value, or an error where its type cannot tell it: one odd property costs no other."""
    try:
        rows.put_row(Writer(), (tag,), (value,))
    except _ODD:
        return Error(Code.CORRUPT_DATA)
    return value
