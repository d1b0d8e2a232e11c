"""Tables against a naive model, restrictions of any shape, and what the store packs comes back."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.mapi import changelists, convert, match, types
from quintet.mapi.bag import Item
from quintet.mapi.errors import MapiError
from quintet.mapi.objects import numbers, packed
from quintet.mapi.rows import Key, Order, SortOrder
from quintet.mapi.table import Origin, Rows, Table
from quintet.mapi.types import Tag, Value
from tests.property.mapi.shapes import COUNTER, ITEM, RESTRICTION, VALUES

NAME, SIZE, WORDS = 0x3001001F, 0x0E080003, 0x8001101F
ROW_TYPE, INST_ID = 0x0FF50003, 0x674D0014
ROW = st.fixed_dictionaries(
    {}, optional={NAME: st.sampled_from(("a", "B", "b", "Ä", "")), SIZE: st.integers(0, 3),
                  WORDS: st.lists(st.sampled_from("xyz"), max_size=3)},
)  # fmt: skip


class Memory(Rows):
    def __init__(self, rows: list[dict[Tag, Value]]) -> None:
        self.data = dict(enumerate(rows, 1))
        self.changes = 0

    def ids(self) -> Sequence[int]:
        return list(self.data)

    def values(self, ids: Sequence[int], keys: Sequence[Tag]) -> list[list[Value]]:
        return [[self.data.get(row, {}).get(key) for key in keys] for row in ids]

    def columns(self) -> Sequence[Tag]:
        return [NAME, SIZE, WORDS]

    def version(self) -> Hashable:
        return self.changes

    def parts(self, row: int, table: Tag) -> Sequence[Mapping[Tag, Value]]:
        return [self.data[row]]


DIRECTION = st.sampled_from((Order.ASCENDING, Order.DESCENDING))


@given(st.lists(ROW, max_size=12), DIRECTION, DIRECTION, st.integers(0, 2), st.data())
def test_order_and_headings_are_those_of_a_naive_sort(rows, first, second, categories, data):
    source = Memory(rows)
    shown = Table(source)
    shown.set_columns([NAME, SIZE, INST_ID, ROW_TYPE])
    expanded = data.draw(st.integers(0, categories))
    shown.sort(SortOrder((Key(NAME, first), Key(SIZE, second)), categories, expanded))
    found = shown.query(1000)
    naive = list(source.data)
    naive.sort(key=lambda row: match.sort_key(source.data[row].get(SIZE)), reverse=second == Order.DESCENDING)
    naive.sort(key=lambda row: match.sort_key(source.data[row].get(NAME)), reverse=first == Order.DESCENDING)
    leaves = [row[2] for row in found if row[3] == 1]
    if expanded == categories:
        assert leaves == naive
    else:
        assert leaves == []
    headings = [row[2] for row in found if row[3] != 1]
    assert len(set(headings)) == len(headings)
    opened = 0
    for heading in [row[2] for row in found if row[3] == 4]:
        opened += shown.expand(heading, 0)[0]
    assert len(shown) == len(found) + opened


@given(st.lists(ROW, min_size=1, max_size=10), st.data())
def test_cursor_never_leaves_the_table(rows, data):
    source = Memory(rows)
    shown = Table(source)
    shown.set_columns([NAME, WORDS | types.INSTANCE])
    marks = []
    for _ in range(data.draw(st.integers(1, 12))):
        act = data.draw(st.integers(0, 6))
        if act == 0 and source.data:
            del source.data[data.draw(st.sampled_from(sorted(source.data)))]
            source.changes += 1
        elif act == 1:
            shown.seek(data.draw(st.sampled_from(Origin)), data.draw(st.integers(-5, 5)))
        elif act == 2:
            shown.query(data.draw(st.integers(0, 4)), forward=data.draw(st.booleans()))
        elif act == 3:
            marks.append(shown.create_bookmark())
        elif act == 4 and marks:
            shown.seek_bookmark(data.draw(st.sampled_from(marks)), data.draw(st.integers(-2, 2)))
        elif act == 5:
            shown.seek_fraction(data.draw(st.integers(0, 9)), data.draw(st.integers(1, 9)))
        at, total = shown.position()
        assert 0 <= at <= total
        assert total == sum(len(row.get(WORDS) or "1") for row in source.data.values())


@given(RESTRICTION, st.lists(ROW, max_size=4))
def test_any_restriction_is_compiled_or_refused(restriction, rows):
    try:
        matcher = match.compiled(restriction)
    except MapiError:
        return
    for row in rows:
        assert matcher.of_bag(row, lambda table: rows) in (True, False)


@given(st.sampled_from(sorted(VALUES)).flatmap(lambda kind: st.tuples(st.just(kind), VALUES[kind])))
def test_stored_values_come_back(value):
    kind, one = value
    tag = types.tag_of(0x6610, kind)
    raw = packed.value(tag, one)
    assert raw != packed.GONE
    assert packed.of_value(tag, raw) == one


@settings(max_examples=40)
@given(ITEM, ITEM)
def test_differences_come_back_packed(one, other):
    found = convert.difference(one, other)
    rows = None if found.recipients is None else packed.of_rows(packed.rows(found.recipients))
    assert rows == found.recipients
    for each in found.attachments or ():
        assert packed.of_attachment(packed.attachment(each, with_data=True)) == each
    assert convert.difference(Item(), Item()) == convert.Difference()


@given(COUNTER, st.integers(0, 0xFFFF))
def test_identifiers_come_back(counter, replica):
    assert numbers.from_wire(numbers.on_wire(counter, replica)) == (replica, counter)


@given(st.dictionaries(st.uuids(), st.binary(min_size=1, max_size=8), max_size=5))
def test_predecessors_come_back_and_join(changes):
    assert changelists.read(changelists.write(changes)) == changes
    assert changelists.includes(changelists.joined(changes, {}), changes)


@given(st.binary(max_size=80))
def test_any_bytes_are_predecessors_or_refused(raw):
    from quintet.errors import BadSyntax

    try:
        found = changelists.read(raw)
    except BadSyntax:
        return
    assert changelists.includes(changelists.joined(found, {}), found)


@pytest.mark.parametrize("state", [b"", b"\0" * 28, b"\xff" * 36])
def test_states_of_no_table_are_refused(state):
    shown = Table(Memory([{NAME: "a"}]))
    shown.set_columns([NAME])
    with pytest.raises(MapiError):
        shown.set_collapse_state(state)
