"""Fuzz target: any restriction, order, columns and collapse state on a table; MapiError may come out."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from quintet.errors import BadSyntax
from quintet.mapi import restrict, rows
from quintet.mapi.buffer import Reader, Writer
from quintet.mapi.errors import MapiError
from quintet.mapi.rows import Key, Order, SortOrder
from quintet.mapi.table import Rows, Table
from quintet.mapi.types import Tag, Value

_NAME, _SIZE, _WORDS = 0x3001001F, 0x0E080003, 0x8001101F
_DATA: list[dict[Tag, Value]] = [
    {_NAME: "Zoë", _SIZE: 1, _WORDS: ["red", "blue"], 0x0E69000B: True, 0x30130102: b"\1\2"},
    {_NAME: "zoe", _SIZE: 1 << 30, 0x80020048: uuid.UUID(int=7), 0x00390040: 132514560000000000},
    {_NAME: "", _WORDS: [], 0x80030005: 1.5},
    {},
]


class _Rows(Rows):
    def ids(self) -> Sequence[int]:
        return range(1, len(_DATA) + 1)

    def values(self, ids: Sequence[int], keys: Sequence[Tag]) -> list[list[Value]]:
        return [[_DATA[row - 1].get(key) for key in keys] for row in ids]

    def columns(self) -> Sequence[Tag]:
        return [_NAME, _SIZE, _WORDS]

    def version(self) -> Hashable:
        return 0

    def parts(self, row: int, table: Tag) -> Sequence[Mapping[Tag, Value]]:
        return _DATA


def _seed(which: int, put: Callable[..., None], value: Any) -> bytes:
    writer = Writer()
    put(writer, value)
    return bytes((which,)) + writer.done()


SEEDS: list[bytes] = [
    _seed(0, restrict.put, restrict.Property(restrict.Relation.GREATER, _SIZE, (_SIZE, 1))),
    _seed(0, restrict.put, restrict.Content(restrict.Where.SUBSTRING, 1, _WORDS, (_WORDS & ~0x1000, "RED"))),
    _seed(0, restrict.put, restrict.SubObject(restrict.RECIPIENTS, restrict.Exist(_NAME))),
    _seed(
        1, rows.put_sort_order, SortOrder((Key(_NAME, Order.ASCENDING), Key(_SIZE, Order.DESCENDING)), 1, 0)
    ),
    _seed(1, rows.put_sort_order, SortOrder((Key(_WORDS | 0x2000, Order.ASCENDING),), 1, 1)),
    _seed(2, rows.put_tags, [_NAME, _WORDS | 0x2000, 0x674D0014, 0x0FF50003]),
    b"\3" + bytes(36),
]


def _table() -> Table:
    shown = Table(_Rows())
    shown.set_columns([_NAME, _SIZE])
    return shown


def _restrict(raw: bytes) -> None:
    shown, wanted = _table(), restrict.get(Reader(raw))
    shown.restrict(wanted)
    assert len(shown.query(100)) <= len(_DATA)
    shown.restrict(None)
    shown.find(wanted)


def _sort(raw: bytes) -> None:
    shown = _table()
    shown.sort(rows.get_sort_order(Reader(raw)))
    assert len(shown.query(100)) == len(shown)
    shown.set_collapse_state(shown.collapse_state(1, 0))


def _columns(raw: bytes) -> None:
    shown, tags = _table(), rows.get_tags(Reader(raw))
    shown.set_columns(tags)
    for row in shown.query(100):
        assert len(row) == len(tags)


def _state(raw: bytes) -> None:
    _table().set_collapse_state(raw)


_TARGETS: list[Callable[[bytes], None]] = [
    _restrict,
    _sort,
    _columns,
    _state,
]


def target(data: bytes) -> None:
    """The first byte says what the others are."""
    if not data:
        return
    try:
        _TARGETS[data[0] % len(_TARGETS)](data[1:])
    except (BadSyntax, MapiError):
        return
