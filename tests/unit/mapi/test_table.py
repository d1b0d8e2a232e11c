"""Tables over rows in memory: what MS-OXCTABL says of columns, order, categories, cursor and bookmarks."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import pytest

from quintet.mapi import layout, restrict, types
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.restrict import Relation
from quintet.mapi.rows import Key, Order, SortOrder
from quintet.mapi.table import Origin, Rows, Table
from quintet.mapi.types import Tag, Value

SUBJECT, SIZE, READ, COLOURS = 0x0037001F, 0x0E080003, 0x0E69000B, 0x8001101F
INST_ID, INSTANCE, ROW_TYPE, DEPTH = 0x674D0014, 0x674E0003, 0x0FF50003, 0x30050003
COUNT, UNREAD = 0x36020003, 0x36030003


class Memory(Rows):
    """Rows that a test writes down."""

    def __init__(self, *rows: dict[Tag, Value]) -> None:
        self.data = dict(enumerate(rows, 1))
        self.changes = 0
        self.sub: dict[int, list[Mapping[Tag, Value]]] = {}

    def ids(self) -> Sequence[int]:
        return list(self.data)

    def values(self, ids: Sequence[int], keys: Sequence[Tag]) -> list[list[Value]]:
        return [[self.data.get(row, {}).get(key) for key in keys] for row in ids]

    def columns(self) -> Sequence[Tag]:
        return sorted({tag for row in self.data.values() for tag in row})

    def version(self) -> Hashable:
        return self.changes

    def parts(self, row: int, table: Tag) -> Sequence[Mapping[Tag, Value]]:
        return self.sub.get(row, [])

    def drop(self, row: int) -> None:
        del self.data[row]
        self.changes += 1


def letters(*rows: tuple[str, int]) -> Memory:
    return Memory(*[{SUBJECT: subject, SIZE: size, READ: size % 2 == 0} for subject, size in rows])


def table(rows: Memory, *columns: Tag, order: SortOrder | None = None) -> Table:
    made = Table(rows)
    made.set_columns(columns or (SUBJECT,))
    made.sort(order)
    return made


def by(tag: Tag, order: Order = Order.ASCENDING) -> SortOrder:
    return SortOrder((Key(tag, order),))


def first(rows: list[list[Value]]) -> list[Value]:
    return [row[0] for row in rows]


def is_size(size: int, relation: Relation = Relation.EQUAL) -> restrict.Property:
    return restrict.Property(relation, SIZE, (SIZE, size))


# --- columns --------------------------------------------------------------------------------------


def test_rows_without_columns_are_refused() -> None:  # MS-OXCTABL_R428, R826, R8261 to R8267
    shown = Table(letters(("a", 1)))
    for call in (
        lambda: shown.query(1),
        lambda: shown.find(is_size(1)),
        lambda: shown.expand(1, 1),
        lambda: shown.collapse(1),
        lambda: shown.collapse_state(1, 0),
        lambda: shown.set_collapse_state(b""),
    ):
        with pytest.raises(MapiError) as caught:
            call()
        assert caught.value.code == Code.NULL_OBJECT


@pytest.mark.parametrize("tag", [0x00370000, 0x0037000A, 0x00370099, 0x0037200B, 0x0037100B, 0x00372003])
def test_columns_of_no_possible_type_are_refused(tag: Tag) -> None:  # MS-OXCTABL_R435, R429
    shown = table(letters(("a", 1)))
    with pytest.raises(MapiError) as caught:
        shown.set_columns([SUBJECT, tag])
    assert caught.value.code == Code.INVALID_PARAMETER
    with pytest.raises(MapiError) as caught:
        shown.query(1)
    assert caught.value.code == Code.NULL_OBJECT


def test_column_without_type_takes_that_of_the_source_where_a_table_is_loose() -> None:
    shown = Table(letters(("a", 1)), loose=True)
    shown.set_columns([0x00370000, 0x12340000, SIZE])
    assert shown.query(1) == [[(types.STRING, "a"), None, 1]]


def test_narrow_text_is_the_same_column() -> None:
    shown = table(letters(("a", 1)), 0x0037001E, ROW_TYPE, INST_ID, DEPTH)
    assert shown.query(1) == [["a", 1, 1, 0]]  # MS-OXCTABL_R15, R636


def test_each_value_of_an_instance_column_has_a_row() -> None:  # MS-OXCTABL_R433, R8, R12
    rows = Memory({SUBJECT: "a", COLOURS: ["red", "blue"]}, {SUBJECT: "b"})
    instance = COLOURS | types.INSTANCE
    shown = table(rows, SUBJECT, instance, INST_ID, INSTANCE)
    assert shown.query(9) == [["a", "red", 1, 0], ["a", "blue", 1, 1], ["b", None, 2, 0]]
    shown.sort(SortOrder((Key(instance, Order.ASCENDING),)))
    assert first(shown.query(9)) == ["b", "a", "a"]
    shown.seek(Origin.BEGINNING, 0)
    assert [row[1] for row in shown.query(9)] == [None, "blue", "red"]  # MS-OXCTABL_R448
    with pytest.raises(MapiError) as caught:
        shown.set_columns([instance, 0x8002301F])
    assert caught.value.code == Code.TOO_COMPLEX


# --- order and restriction ------------------------------------------------------------------------


def test_order_is_without_case_and_marks_count_last() -> None:  # MS-OXCTABL_R76, R77
    rows = letters(("edge", 1), ("Écart", 2), ("Zoo", 3), ("ecart", 4), ("apple", 5))
    assert first(table(rows, order=by(SUBJECT)).query(9)) == ["apple", "ecart", "Écart", "edge", "Zoo"]
    descending = table(rows, order=by(SUBJECT, Order.DESCENDING)).query(9)
    assert first(descending) == ["Zoo", "edge", "Écart", "ecart", "apple"]


def test_rows_without_the_key_come_first() -> None:
    rows = Memory({SUBJECT: "b", SIZE: 1}, {SUBJECT: "none"}, {SUBJECT: "a", SIZE: 1})
    order = SortOrder((Key(SIZE, Order.ASCENDING), Key(SUBJECT, Order.ASCENDING)))
    assert first(table(rows, order=order).query(9)) == ["none", "a", "b"]


def test_restriction_limits_what_is_seen_and_forgets_bookmarks() -> None:  # R452, R453, R117
    shown = table(letters(("a", 1), ("b", 2), ("c", 3)))
    shown.seek(Origin.BEGINNING, 1)
    bookmark = shown.create_bookmark()
    shown.restrict(is_size(2, Relation.GREATER_OR_EQUAL))
    assert shown.position() == (0, 2)
    assert first(shown.query(9)) == ["b", "c"]
    with pytest.raises(MapiError) as caught:
        shown.seek_bookmark(bookmark, 0)
    assert caught.value.code == Code.INVALID_BOOKMARK  # MS-OXCTABL_R870
    shown.restrict(None)
    assert len(shown) == 3


def test_refused_restriction_leaves_the_old_one() -> None:  # MS-OXCTABL_R457
    shown = table(letters(("a", 1), ("b", 2)))
    shown.restrict(is_size(2))
    with pytest.raises(MapiError):
        shown.restrict(restrict.Property(Relation.EQUAL, SIZE, (SUBJECT, "2")))
    assert len(shown) == 1


def test_count_restriction_limits_rows() -> None:
    shown = table(letters(("a", 1), ("b", 1), ("c", 1)))
    shown.restrict(restrict.Count(2, is_size(1)))
    assert first(shown.query(9)) == ["a", "b"]


def test_reset_removes_everything() -> None:  # MS-OXCTABL_R553 to R562
    shown = table(letters(("b", 1), ("a", 2)), order=by(SUBJECT))
    shown.restrict(is_size(1))
    bookmark = shown.create_bookmark()
    shown.reset()
    with pytest.raises(MapiError) as caught:
        shown.query(1)
    assert caught.value.code == Code.NULL_OBJECT
    shown.set_columns([SUBJECT])
    assert first(shown.query(9)) == ["b", "a"]
    with pytest.raises(MapiError) as caught:
        shown.seek_bookmark(bookmark, 0)
    assert caught.value.code == Code.INVALID_BOOKMARK  # R871


# --- the cursor -----------------------------------------------------------------------------------


def test_query_reads_both_ways_and_tells_where_it_stands() -> None:  # R468 to R470, R725, R726, R784
    shown = table(letters(*[(c, 1) for c in "abcde"]))
    assert first(shown.query(2, advance=False)) == ["a", "b"]
    assert shown.position() == (0, 5)
    assert first(shown.query(2)) == ["a", "b"]
    assert shown.origin() == Origin.CURRENT
    assert first(shown.query(9)) == ["c", "d", "e"]
    assert shown.origin() == Origin.END
    assert shown.query(9) == []  # R467
    assert first(shown.query(2, forward=False)) == ["d", "e"]
    assert shown.position() == (3, 5)
    assert first(shown.query(9, forward=False)) == ["a", "b", "c"]
    assert shown.origin(forward=False) == Origin.BEGINNING


def test_seek_stops_at_the_ends() -> None:  # MS-OXCTABL_R497, R154, R160
    shown = table(letters(*[(c, 1) for c in "abcde"]))
    assert shown.seek(Origin.BEGINNING, 2) == 2
    assert shown.seek(Origin.CURRENT, -9) == -2
    assert shown.seek(Origin.CURRENT, 9) == 5
    assert shown.seek(Origin.END, -2) == -2
    assert shown.position() == (3, 5)


def test_fraction() -> None:  # MS-OXCTABL_R514 to R516, R203, R204
    shown = table(letters(*[(c, 1) for c in "abcdefghij"]))
    for numerator, denominator, at in ((0, 7, 0), (7, 7, 10), (9, 7, 10), (1, 2, 5)):
        shown.seek_fraction(numerator, denominator)
        assert shown.position() == (at, 10)
    with pytest.raises(MapiError) as caught:
        shown.seek_fraction(1, 0)
    assert caught.value.code == Code.INVALID_BOOKMARK


def test_cursor_and_bookmarks_stay_at_their_rows() -> None:  # MS-OXCTABL_R182 to R185, R506, R522
    rows = letters(*[(c, 1) for c in "abcde"])
    shown = table(rows)
    shown.seek(Origin.BEGINNING, 3)
    bookmark = shown.create_bookmark()
    rows.drop(1)
    assert shown.position() == (2, 4)  # still at "d"
    shown.seek(Origin.BEGINNING, 0)
    assert shown.seek_bookmark(bookmark, 0) == (0, False)
    assert first(shown.query(1, advance=False)) == ["d"]
    rows.drop(4)
    assert shown.seek_bookmark(bookmark, 0) == (0, True)
    assert first(shown.query(1)) == ["e"]
    shown.free_bookmark(bookmark)
    with pytest.raises(MapiError) as caught:
        shown.free_bookmark(bookmark)
    assert caught.value.code == Code.INVALID_BOOKMARK  # R5521


def test_bookmarks_are_bounded() -> None:
    shown = table(letters(("a", 1)))
    for _ in range(1000):
        shown.create_bookmark()
    with pytest.raises(MapiError) as caught:
        shown.create_bookmark()
    assert caught.value.code == Code.OUT_OF_RESOURCES


def test_find_moves_to_the_row() -> None:  # MS-OXCTABL_R534 to R540, R241
    rows = letters(("a", 1), ("b", 2), ("c", 1), ("d", 2))
    shown = table(rows)
    assert shown.find(is_size(2)) == (["b"], False)
    assert shown.position() == (1, 4)
    shown.seek(Origin.CURRENT, 1)
    assert shown.find(is_size(2)) == (["d"], False)
    assert shown.find(is_size(2), backwards=True) == (["b"], False)
    assert shown.find(is_size(2), Origin.END, backwards=True) == (["d"], False)
    with pytest.raises(MapiError) as caught:
        shown.find(is_size(9), Origin.BEGINNING)
    assert caught.value.code == Code.NOT_FOUND  # R536
    shown.seek(Origin.BEGINNING, 0)
    bookmark = shown.create_bookmark()
    rows.drop(1)
    assert shown.find(is_size(1), bookmark=bookmark) == (["c"], True)  # R238, R538


def test_find_looks_far() -> None:
    shown = table(letters(*[("x", n) for n in range(1000)]), SIZE)
    assert shown.find(is_size(999)) == ([999], False)
    assert shown.find(is_size(1), backwards=True) == ([1], False)


# --- categories -----------------------------------------------------------------------------------

ROWS = (("b", 1), ("A", 4), ("a", 2), ("B", 3))
GROUPED = SortOrder((Key(SUBJECT, Order.ASCENDING), Key(SIZE, Order.DESCENDING)), 1, 1)


def test_categories_have_headings_with_counts() -> None:  # R16 to R23, R71, R72, R67
    shown = table(letters(*ROWS), SUBJECT, SIZE, ROW_TYPE, DEPTH, COUNT, UNREAD, order=GROUPED)
    assert shown.query(9) == [
        ["A", None, 3, 0, 2, 0],
        ["A", 4, 1, 1, None, None],
        ["a", 2, 1, 1, None, None],
        ["B", None, 3, 0, 2, 2],
        ["B", 3, 1, 1, None, None],
        ["b", 1, 1, 1, None, None],
    ]


def test_closed_categories_open_and_close() -> None:  # R272 to R287, R567 to R575
    order = SortOrder(GROUPED.keys, 1, 0)
    shown = table(letters(*ROWS), SUBJECT, ROW_TYPE, INST_ID, order=order)
    (a, b) = shown.query(9)
    assert (a[1], b[1]) == (4, 4)
    assert shown.position() == (2, 2)
    shown.seek(Origin.BEGINNING, 1)
    assert shown.expand(a[2], 1) == (2, [["A", 1, 2]])
    assert shown.position() == (3, 4)  # the cursor stays at "B"
    for heading, code in ((a[2], Code.NOT_COLLAPSED), (12345, Code.NOT_FOUND)):
        with pytest.raises(MapiError) as caught:
            shown.expand(heading, 9)
        assert caught.value.code == code
    assert shown.collapse(a[2]) == 2
    for heading, code in ((a[2], Code.NOT_EXPANDED), (12345, Code.NOT_FOUND)):
        with pytest.raises(MapiError) as caught:
            shown.collapse(heading)
        assert caught.value.code == code


def test_bookmark_in_a_closed_category_goes_to_the_next_row() -> None:  # MS-OXCTABL_R182
    shown = table(letters(*ROWS), SUBJECT, INST_ID, order=GROUPED)
    shown.seek(Origin.BEGINNING, 1)
    bookmark = shown.create_bookmark()
    heading = shown.query(9, forward=False)[0][1]
    shown.collapse(heading)
    assert shown.seek_bookmark(bookmark, 0) == (0, True)
    assert first(shown.query(1)) == ["B"]


def test_what_was_opened_stays_open_when_rows_change() -> None:
    rows = letters(*ROWS)
    shown = table(rows, SUBJECT, INST_ID, order=SortOrder(GROUPED.keys, 1, 0))
    shown.expand(shown.query(1)[0][1], 0)
    rows.drop(3)
    shown.seek(Origin.BEGINNING, 0)
    assert first(shown.query(9)) == ["A", "A", "B"]


def test_maximum_orders_categories() -> None:  # MS-OXCTABL_R78 to R82
    keys = (Key(SUBJECT, Order.DESCENDING), Key(SIZE, Order.MAXIMUM_CATEGORY), Key(SIZE, Order.ASCENDING))
    shown = table(letters(*ROWS), SUBJECT, SIZE, ROW_TYPE, order=SortOrder(keys, 1, 1))
    assert [row[:2] for row in shown.query(9)] == [
        ["a", 4], ["a", 2], ["A", 4], ["b", 3], ["b", 1], ["B", 3],
    ]  # fmt: skip


def test_categories_in_categories() -> None:  # MS-OXCTABL_R19, R621, R66
    rows = Memory(*[{SUBJECT: s, SIZE: n, READ: False} for s, n in (("a", 1), ("a", 2), ("b", 1))])
    order = SortOrder((Key(SUBJECT, Order.ASCENDING), Key(SIZE, Order.ASCENDING)), 2, 1)
    shown = table(rows, SUBJECT, SIZE, ROW_TYPE, DEPTH, order=order)
    assert shown.query(9) == [
        ["a", None, 3, 0], ["a", 1, 4, 1], ["a", 2, 4, 1], ["b", None, 3, 0], ["b", 1, 4, 1],
    ]  # fmt: skip


def test_collapse_state_goes_to_another_table_of_that_order() -> None:  # R289, R305 to R309
    rows = letters(*ROWS)
    shown = table(rows, SUBJECT, INST_ID, order=GROUPED)
    heading = shown.query(1)[0][1]
    shown.collapse(heading)
    state = shown.collapse_state(1, 0)
    other = table(rows, SUBJECT, INST_ID, order=GROUPED)
    bookmark = other.set_collapse_state(state)
    assert first(other.query(9)) == ["A", "B", "B", "b"]
    assert other.seek_bookmark(bookmark, 0) == (0, False)
    assert first(other.query(1)) == ["b"]
    for wrong in (b"", b"x" * 29, state[:-1], state + b"1"):
        with pytest.raises(MapiError) as caught:
            other.set_collapse_state(wrong)
        assert caught.value.code == Code.INVALID_PARAMETER
    other.sort(by(SUBJECT))
    with pytest.raises(MapiError) as caught:
        other.set_collapse_state(state)
    assert caught.value.code == Code.INVALID_PARAMETER  # R308


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (SortOrder((Key(SUBJECT, Order.ASCENDING),), 2), Code.INVALID_PARAMETER),
        (SortOrder((Key(SUBJECT, Order.ASCENDING),), 0, 1), Code.INVALID_PARAMETER),
        (SortOrder((Key(SUBJECT, Order.MAXIMUM_CATEGORY),), 0), Code.INVALID_PARAMETER),
        (SortOrder((Key(0x00370000, Order.ASCENDING),), 0), Code.INVALID_PARAMETER),
        (
            SortOrder((Key(0x8001301F, Order.ASCENDING), Key(0x8002301F, Order.ASCENDING)), 0),
            Code.TOO_COMPLEX,
        ),
    ],
)
def test_orders_that_cannot_be(order: SortOrder, code: Code) -> None:  # MS-OXCTABL_R63, R65, R75, R78
    shown = table(letters(*ROWS))
    with pytest.raises(MapiError) as caught:
        shown.sort(order)
    assert caught.value.code == code


def test_source_may_put_rows_in_order_itself() -> None:
    class Quick(Memory):
        def arranged(
            self, restriction: restrict.Restriction | None, order: SortOrder | None
        ) -> Sequence[int] | None:
            return [2, 1] if order is not None else None

    rows = Quick({SUBJECT: "a"}, {SUBJECT: "b"})
    assert first(table(rows, order=by(SUBJECT)).query(9)) == ["b", "a"]
    assert first(table(rows).query(9)) == ["a", "b"]


def test_more_rows_than_can_be_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MAX_ROWS", 2)
    shown = table(letters(*ROWS), order=by(SUBJECT))
    with pytest.raises(MapiError) as caught:
        shown.query(1)
    assert caught.value.code == Code.TABLE_TOO_BIG
