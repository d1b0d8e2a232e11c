"""Tables on the wire, contents and hierarchies alike: rows, places, bookmarks (MS-OXCTABL 2.2.2, 3.2.5)."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from quintet.mapi import restrict
from quintet.mapi.rop import folders, others, properties, tables
from quintet.mapi.rows import Key, Order, SortOrder
from tests.support.mapiclient import INBOX, NAME, SUBJECT, short
from tests.unit.mapi.rop.asking import code
from tests.unit.mapi.rop.desk import Direct, desk

NAMES: Final = ("a", "b", "c", "d", "e")
BEGINNING, CURRENT, END = 0, 1, 2
INVALID_BOOKMARK, NOT_FOUND, UNABLE_TO_ABORT = 0x80040405, 0x8004010F, 0x80040114
INST_ID, INST_NUM = 0x674D0014, 0x674E0003


@contextlib.asynccontextmanager
async def showing(tmp_path: Path, kind: str) -> AsyncIterator[tuple[Direct, int, int]]:
    """A table of five rows whose names are `NAMES`, in that order; and the tag of the name."""
    async with desk(tmp_path) as it:
        if kind == "contents":
            for name in reversed(NAMES):
                await it.letter(name)
        box = await it.box()
        inbox = await box.folder(INBOX)
        if kind == "hierarchy":
            for name in NAMES:
                await box.ask(folders.CreateFolder((1, False, False, name, "")), inbox)
        asked: Any = folders.GetContentsTable(0) if kind == "contents" else folders.GetHierarchyTable(0)
        table, tag = await box.open(asked, inbox), SUBJECT if kind == "contents" else NAME
        await box.ask(tables.SetColumns(0, (tag,)), table)
        if kind == "contents":
            await box.ask(tables.SortTable(0, SortOrder((Key(tag, Order.ASCENDING),))), table)
        yield box, table, tag


KINDS: Final = pytest.mark.parametrize("kind", ["contents", "hierarchy"])


async def ask(box: Direct, table: int, body: Any) -> Any:
    return (await box.ask(body, table)).answer


async def names(
    box: Direct, table: int, count: int = 9, *, forward: bool = True, flags: int = 0
) -> list[Any]:
    answer = await ask(box, table, tables.QueryRows(flags, forward, count))
    return [row[0] for row in answer.rows]


async def position(box: Direct, table: int) -> tuple[int, int]:
    answer = await ask(box, table, 0x17)
    return answer.numerator, answer.denominator


@KINDS
async def test_rows_from_the_cursor_on(tmp_path: Path, kind: str) -> None:
    """R95, R110 to R120, R133 to R139, R427, R462, R463, R491, R724, R837, R844, R846: no more than were
    asked for, in order, with an Origin of three; the cursor goes along, but for NoAdvance.
    """
    async with showing(tmp_path, kind) as (box, table, _):
        assert await names(box, table, 2, flags=1) == ["a", "b"]
        assert await position(box, table) == (0, 5)
        for count, found, origin, at in ((2, "ab", CURRENT, 2), (9, "cde", END, 5), (9, "", END, 5)):
            answer = await ask(box, table, tables.QueryRows(0, True, count))
            assert ("".join(row[0] for row in answer.rows), answer.origin) == (found, origin)
            assert await position(box, table) == (at, 5)
        for count, found, origin, at in ((2, "de", CURRENT, 3), (9, "abc", BEGINNING, 0)):
            answer = await ask(box, table, tables.QueryRows(0, False, count))
            assert ("".join(row[0] for row in answer.rows), answer.origin) == (found, origin)
            assert await position(box, table) == (at, 5)


@KINDS
async def test_columns_are_those_that_were_set_last(tmp_path: Path, kind: str) -> None:
    """R44, R116, R426, R427, R824, R829, R831: in their order, for QueryRows and FindRow; a second set
    replaces the first, and leaves the cursor alone.
    """
    async with showing(tmp_path, kind) as (box, table, tag):
        await ask(box, table, tables.SeekRow(BEGINNING, 2, False))
        for columns in ((INST_NUM, tag), (tag, INST_NUM), (tag,)):
            await ask(box, table, tables.SetColumns(0, columns))
            assert (await position(box, table))[0] == 2
            answer = await ask(box, table, tables.QueryRows(1, True, 1))
            expected = ["c" if one == tag else 0 for one in columns]
            assert answer.rows == [expected]
            found = await ask(box, table, tables.FindRow(0, restrict.Exist(tag), CURRENT, b""))
            assert found.row == expected


@KINDS
async def test_a_restriction_limits_and_nothing_more(tmp_path: Path, kind: str) -> None:
    """R85 to R87, R454, R833, R834: rows that do not match are not there; without one all are again."""
    async with showing(tmp_path, kind) as (box, table, tag):
        wanted = restrict.Property(restrict.Relation.GREATER, tag, (tag, "b"))
        await ask(box, table, tables.SeekRow(BEGINNING, 4, False))
        await ask(box, table, tables.Restrict(0, wanted))
        assert await position(box, table) == (0, 3)  # R453
        assert await names(box, table) == ["c", "d", "e"]
        await ask(box, table, tables.Restrict(0, None))
        assert await names(box, table) == list(NAMES)


async def test_an_order_replaces_the_one_before(tmp_path: Path) -> None:
    """R56, R438, R439: and the cursor goes to the beginning."""
    async with showing(tmp_path, "contents") as (box, table, tag):
        for order, expected in ((Order.DESCENDING, "edcba"), (Order.ASCENDING, "abcde")):
            await ask(box, table, tables.SeekRow(END, 0, False))
            answer = await ask(box, table, tables.SortTable(0, SortOrder((Key(tag, order),))))
            assert answer.status == 0
            assert await position(box, table) == (0, 5)
            assert "".join(await names(box, table)) == expected


@KINDS
@pytest.mark.parametrize("flags", [0, 1])
async def test_everything_is_done_at_once(tmp_path: Path, kind: str, flags: int) -> None:
    """R33, R40, R55, R84, R94, R132, R625, R781, R797, R798, R812, R416: also where a client asks for it
    later; R402, R479, R487, R839 to R842: so nothing is to be aborted, and the status is always the same.
    """
    async with showing(tmp_path, kind) as (box, table, tag):
        asked = [tables.SetColumns(flags, (tag,)), tables.Restrict(flags, restrict.Exist(tag)), 0x16]
        if kind == "contents":
            asked.insert(1, tables.SortTable(flags, SortOrder((Key(tag, Order.DESCENDING),))))
        for body in asked:
            assert (await ask(box, table, body)).status == 0
        assert code(await box.try_(0x38, table)) == UNABLE_TO_ABORT


SEEKS: Final = list(itertools.product((BEGINNING, CURRENT, END), (-9, -2, -1, 0, 1, 2, 9)))


@KINDS
@pytest.mark.parametrize(("origin", "rows"), SEEKS)
async def test_seeking(tmp_path: Path, kind: str, origin: int, rows: int) -> None:
    """R27, R140, R141, R150 to R163, R496, R848, R850: as far as there are rows, and how far is told."""
    async with showing(tmp_path, kind) as (box, table, _):
        await ask(box, table, tables.SeekRow(BEGINNING, 2, False))
        start = {BEGINNING: 0, CURRENT: 2, END: 5}[origin]
        target = min(max(start + rows, 0), 5)
        answer = await ask(box, table, tables.SeekRow(origin, rows, True))
        assert (answer.sought_less, answer.rows) == (target - start != rows, target - start)
        assert await position(box, table) == (target, 5)


@KINDS
@pytest.mark.parametrize(("numerator", "denominator", "at"), [
    (0, 1, 0), (1, 1, 5), (1, 2, 2), (2, 5, 2), (9, 5, 5), (0xFFFFFFFF, 0xFFFFFFFF, 5), (0, 0xFFFFFFFF, 0),
])  # fmt: skip
async def test_seeking_a_fraction(
    tmp_path: Path, kind: str, numerator: int, denominator: int, at: int
) -> None:
    """R198, R513, R853, R855; R516: of nothing is an invalid bookmark."""
    async with showing(tmp_path, kind) as (box, table, _):
        await box.ask(tables.SeekRowFractional(numerator, denominator), table)
        assert await position(box, table) == (at, 5)
        assert code(await box.try_(tables.SeekRowFractional(1, 0), table)) == INVALID_BOOKMARK


@KINDS
async def test_bookmarks(tmp_path: Path, kind: str) -> None:
    """R165, R166, R178 to R194, R208, R503, R504, R508, R526, R852, R857: rows from where one was made, as
    RopSeekRow counts them; R545, R2481, R511: none that was freed.
    """
    async with showing(tmp_path, kind) as (box, table, _):
        await ask(box, table, tables.SeekRow(BEGINNING, 2, False))
        mark = (await ask(box, table, 0x1B)).bookmark
        for rows in (-9, -2, 0, 1, 9):
            await ask(box, table, tables.SeekRow(END, 0, False))
            answer = await ask(box, table, tables.SeekRowBookmark(mark, rows, True))
            target = min(max(2 + rows, 0), 5)
            assert not answer.no_longer_visible
            assert (answer.sought_less, answer.rows) == (target - 2 != rows, target - 2)
            assert await position(box, table) == (target, 5)
        await box.ask(tables.FreeBookmark(mark), table)
        assert code(await box.try_(tables.SeekRowBookmark(mark, 0, True), table)) == INVALID_BOOKMARK


@pytest.mark.parametrize("how", ["sort", "restrict", "reset"])
async def test_bookmarks_end_with_the_arrangement(tmp_path: Path, how: str) -> None:
    """R257, R439, R453, R505, R511, R863 to R865, R868, R869: for seeks and for finds."""
    async with showing(tmp_path, "contents") as (box, table, tag):
        mark = (await ask(box, table, 0x1B)).bookmark
        bodies: dict[str, Any] = {
            "sort": tables.SortTable(0, SortOrder((Key(tag, Order.DESCENDING),))),
            "restrict": tables.Restrict(0, restrict.Exist(tag)),
            "reset": 0x81,
        }
        await box.ask(bodies[how], table)
        await box.ask(tables.SetColumns(0, (tag,)), table)
        find = tables.FindRow(0, restrict.Exist(tag), 3, mark)
        for body in (tables.SeekRowBookmark(mark, 0, True), find):
            assert code(await box.try_(body, table)) == INVALID_BOOKMARK


def named(tag: int, name: str) -> restrict.Property:
    return restrict.Property(restrict.Relation.EQUAL, tag, (tag, name))


@KINDS
async def test_finding(tmp_path: Path, kind: str) -> None:
    """R223, R225, R226, R239, R241, R243, R245, R858, R544001: from a place on or back from it, and the row
    becomes the current one; who finds nothing stays where they are.
    """
    async with showing(tmp_path, kind) as (box, table, tag):
        await ask(box, table, tables.SeekRow(BEGINNING, 2, False))
        mark = (await ask(box, table, 0x1B)).bookmark
        places = ((BEGINNING, b"", 0), (CURRENT, b"", 2), (END, b"", 5), (3, mark, 2))
        for (origin, bookmark, start), flags, name in itertools.product(places, (0, 1), NAMES):
            await ask(box, table, tables.SeekRow(BEGINNING, 2, False))
            step = await box.try_(tables.FindRow(flags, named(tag, name), origin, bookmark), table)
            at = NAMES.index(name)
            if at >= start if flags == 0 else at < start:
                assert (code(step), step.answer.row) == (0, [name])
                assert not step.answer.no_longer_visible
                assert (await position(box, table))[0] == at
            else:
                assert code(step) == NOT_FOUND
                assert (await position(box, table))[0] == 2


async def test_finding_from_a_row_that_is_gone(tmp_path: Path) -> None:
    """R237, R238, R240: said so, and the search goes on from the next one."""
    async with showing(tmp_path, "contents") as (box, table, tag):
        await ask(box, table, tables.SeekRow(BEGINNING, 2, False))
        mark = (await ask(box, table, 0x1B)).bookmark
        found = await ask(box, table, tables.QueryRows(1, True, 1))
        assert found.rows == [["c"]]
        await ask(box, table, tables.SetColumns(0, (tag, 0x674A0014)))
        number = (await ask(box, table, tables.QueryRows(1, True, 1))).rows[0][1]
        inbox = await box.folder(INBOX)
        await box.ask(folders.DeleteMessages(False, False, (short(number),)), inbox)
        answer = await ask(box, table, tables.FindRow(0, restrict.Exist(tag), 3, mark))
        assert (answer.no_longer_visible, answer.row[0]) == (True, "d")


async def test_long_values_are_cut(tmp_path: Path) -> None:
    """R121, R122: a row holds 510 bytes of a value, a stream all of it."""
    async with showing(tmp_path, "contents") as (box, table, _):
        inbox = await box.folder(INBOX)
        comment, blob = 0x3004001F, 0x68770102
        await box.ask(properties.SetProperties(((comment, "x" * 300), (blob, b"y" * 600))), inbox)
        subtree = await box.folder(3)
        above = await box.open(folders.GetHierarchyTable(0), subtree)
        await ask(box, above, tables.SetColumns(0, (NAME, comment, blob)))
        row = next(
            one for one in (await ask(box, above, tables.QueryRows(0, True, 50))).rows if one[0] == "Inbox"
        )
        assert len(row[1].encode("utf-16-le")) <= 510
        assert row[2] == b"y" * 510
        assert await box.values(inbox, comment, blob) == ["x" * 300, b"y" * 600]
        assert table


@KINDS
async def test_all_columns(tmp_path: Path, kind: str) -> None:
    """R217, R530, R875: also those that nobody set, and those that only tables have."""
    async with showing(tmp_path, kind) as (box, table, tag):
        known = (await ask(box, table, 0x37)).tags
        assert {tag, 0x674A0014 if kind == "contents" else 0x67480014} <= set(known)
        assert len(known) > 20
        await ask(box, table, tables.SetColumns(0, tuple(known)[:200]))
        assert len((await ask(box, table, tables.QueryRows(0, True, 1))).rows[0]) == min(len(known), 200)


async def test_tables_of_rules(tmp_path: Path) -> None:
    """R830, R832, R836, R841, R845, R849, R854, R874: as far as a table that has no rows can."""
    async with desk(tmp_path) as it:
        box = await it.box()
        table = await box.open(others.GetRulesTable(0), await box.folder(INBOX))
        await ask(box, table, tables.SetColumns(0, (0x66740014, 0x66820003 + 0x1C)))
        await ask(box, table, tables.Restrict(0, restrict.Exist(0x66740014)))
        assert (await ask(box, table, 0x16)).status == 0
        assert await position(box, table) == (0, 0)
        assert (await ask(box, table, tables.SeekRow(END, -1, True))).rows == 0
        await box.ask(tables.SeekRowFractional(1, 2), table)
        assert (await ask(box, table, tables.QueryRows(0, True, 5))).rows == []
        assert code(await box.try_(tables.FindRow(0, restrict.Exist(1), BEGINNING, b""), table)) == NOT_FOUND


async def test_collapsed_states(tmp_path: Path) -> None:
    """R288, R304, R579 to R581, R585 to R587, R576, R577: what was expanded, and the row that was current."""
    async with showing(tmp_path, "contents") as (box, table, tag):
        keys = SortOrder((Key(tag, Order.ASCENDING),), categories=1, expanded=1)
        await ask(box, table, tables.SortTable(0, keys))
        await ask(box, table, tables.SetColumns(0, (0x0FF50003, INST_ID, INST_NUM, tag)))
        rows = (await ask(box, table, tables.QueryRows(1, True, 20))).rows
        heads = [row for row in rows if row[0] == 3]
        assert [row[3] for row in heads] == list(NAMES)
        assert len(rows) == 10
        await ask(box, table, tables.CollapseRow(heads[1][1] % (1 << 64)))
        assert code(await box.try_(tables.CollapseRow(heads[1][1] % (1 << 64)), table)) == 0x4F7
        assert code(await box.try_(tables.CollapseRow(12345), table)) == NOT_FOUND
        state = (await ask(box, table, tables.GetCollapseState(heads[3][1] % (1 << 64), heads[3][2]))).state
        await ask(box, table, tables.SortTable(0, keys))
        assert (await position(box, table))[1] == 10
        mark = (await ask(box, table, tables.SetCollapseState(state))).bookmark
        assert (await position(box, table))[1] == 9
        await ask(box, table, tables.SeekRowBookmark(mark, 0, False))
        assert (await ask(box, table, tables.QueryRows(1, True, 1))).rows[0][3] == "d"
