"""Rows of properties, problems with them, and the order of tables (MS-OXCDATA 2.7, 2.8, 2.13)."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from quintet.mapi import types
from quintet.mapi.buffer import Reader, Writer, bad
from quintet.mapi.types import Error, Tag, Value
from quintet.values import dataclass

MAX_COLUMNS = 1024  # Exchange takes 32,767; a table of ours has a few hundred properties
MAX_KEYS = 16  # of a sort order

_PRESENT, _ABSENT, _ERROR = 0x0, 0x1, 0xA  # the flag of a FlaggedPropertyValue (2.11.5)


def get_row(reader: Reader, columns: Sequence[Tag]) -> list[Value]:
    """A PropertyRow: one value a column; None for an absent one, `types.Error` for a failed one (2.8.1)."""
    flag = reader.u8()
    if flag == 0:
        return [types.get(reader, types.type_of(tag)) for tag in columns]
    if flag != 1:
        raise bad("no such kind of row")
    return [_flagged(reader, types.type_of(tag)) for tag in columns]


def _flagged(reader: Reader, kind: int) -> Value:
    """FlaggedPropertyValue, or with its type where the column has none (2.11.5, 2.11.6)."""
    if kind == types.UNSPECIFIED:
        kind = reader.u16()
        flag = reader.u8()
        if flag == _PRESENT:
            return kind, types.get(reader, kind)
    else:
        flag = reader.u8()
        if flag == _PRESENT:
            return types.get(reader, kind)
    if flag == _ABSENT:
        return None
    if flag == _ERROR:
        return Error(reader.u32())
    raise bad("no such flag of a value")


def put_row(writer: Writer, columns: Sequence[Tag], values: Sequence[Value]) -> None:
    """The shorter form where every value is there (2.8.1.1), else the flagged one (2.8.1.2)."""
    if not any(value is None or isinstance(value, Error) for value in values):
        writer.u8(0)
        for tag, value in zip(columns, values, strict=True):
            types.put(writer, types.type_of(tag), value)
        return
    writer.u8(1)
    for tag, value in zip(columns, values, strict=True):
        kind = types.type_of(tag)
        if kind == types.UNSPECIFIED:
            writer.u16(value[0] if isinstance(value, tuple) else types.ERROR_CODE)
            kind, value = value if isinstance(value, tuple) else (types.ERROR_CODE, value)
        if value is None:
            writer.u8(_ABSENT)
        elif isinstance(value, Error):
            writer.u8(_ERROR)
            writer.u32(value.code)
        else:
            writer.u8(_PRESENT)
            types.put(writer, kind, value)


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong with one of many properties (2.7)."""

    index: int  # of the property in the request
    tag: Tag
    code: int


def get_problem(reader: Reader) -> Problem:
    return Problem(reader.u16(), reader.u32(), reader.u32())


def put_problem(writer: Writer, problem: Problem) -> None:
    writer.u16(problem.index)
    writer.u32(problem.tag)
    writer.u32(problem.code)


def get_tags(reader: Reader) -> list[Tag]:
    """A PropertyTagArray (2.10.1): 16 bits of count."""
    number = reader.counted(reader.u16(), 4)
    if number > MAX_COLUMNS:
        raise bad("too many columns")
    return [reader.u32() for _ in range(number)]


def put_tags(writer: Writer, tags: Sequence[Tag]) -> None:
    writer.u16(len(tags))
    for tag in tags:
        writer.u32(tag)


# --- sorting ------------------------------------------------------------------------------------------


class Order(enum.IntEnum):
    """How one key sorts (2.13.1)."""

    ASCENDING = 0
    DESCENDING = 1
    MAXIMUM_CATEGORY = 4


@dataclass(frozen=True, slots=True)
class Key:
    tag: Tag
    order: Order


@dataclass(frozen=True, slots=True)
class SortOrder:
    """A SortOrderSet (2.13.2): the first ``categories`` keys make headings, ``expanded`` of them open."""

    keys: tuple[Key, ...]
    categories: int = 0
    expanded: int = 0


def get_sort_order(reader: Reader) -> SortOrder:
    number, categories, expanded = reader.u16(), reader.u16(), reader.u16()
    reader.counted(number, 5)
    if number > MAX_KEYS:
        raise bad("too many keys to sort by")
    # more categories than keys: MS-OXCDATA 2.13.2 forbids it
    if not expanded <= categories <= number:
        raise bad("more categories than keys")
    keys = []
    for _ in range(number):
        tag, order = reader.u32(), reader.u8()
        try:
            keys.append(Key(tag, Order(order)))
        except ValueError:
            raise bad("no such order") from None
    return SortOrder(tuple(keys), categories, expanded)


def put_sort_order(writer: Writer, order: SortOrder) -> None:
    writer.u16(len(order.keys))
    writer.u16(order.categories)
    writer.u16(order.expanded)
    for key in order.keys:
        writer.u32(key.tag)
        writer.u8(key.order)
