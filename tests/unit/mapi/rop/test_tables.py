"""Which tables support which operations, and in what state (MS-OXCTABL 3.2.5.2 to 3.2.5.20)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quintet.mapi import restrict
from quintet.mapi.rop import folders, messages, others, tables
from quintet.mapi.rows import Key, Order, SortOrder
from tests.support.mapiclient import INBOX, NAME, SUBJECT
from tests.unit.mapi.rop.asking import code, new_message, opened
from tests.unit.mapi.rop.desk import Direct, desk

NOT_SUPPORTED, NULL_OBJECT, INVALID_BOOKMARK = 0x80040102, 0x4B9, 0x80040405
WANTED = restrict.Exist(NAME)
EVERYWHERE: list[Any] = [  # R432, R474, R488, R493, R499, R519, R531
    tables.SetColumns(0, (NAME,)),
    tables.QueryRows(0, True, 5),
    0x16,
    0x17,
    tables.SeekRow(0, 0, False),
    tables.SeekRowFractional(0, 1),
    0x37,
]
ONLY: list[tuple[Any, str]] = [
    (tables.SortTable(0, SortOrder((Key(NAME, Order.ASCENDING),))), "c"),  # R447, R450
    (tables.Restrict(0, WANTED), "chr"),  # R459, R461
    (0x38, "ch"),  # R860, R486
    (0x1B, "ch"),  # R862, R529
    (tables.SeekRowBookmark(b"", 0, False), "ch"),  # R861, R512
    (tables.FreeBookmark(b""), "ch"),  # R547, R548, R551
    (tables.FindRow(0, WANTED, 0, b""), "chr"),  # R542, R544
    (0x81, "c"),  # R564, R566
    (tables.ExpandRow(1, 1), "c"),  # R568, R572
    (tables.CollapseRow(1), "c"),  # R574, R578
    (tables.GetCollapseState(1, 0), "c"),  # R582, R584
    (tables.SetCollapseState(b""), "c"),  # R588, R590
]


async def every_table(box: Direct) -> dict[str, int]:
    """One of each kind by a letter: contents, hierarchy, rules, permissions, attachments."""
    inbox = await box.folder(INBOX)
    return {
        "c": await box.open(folders.GetContentsTable(0), inbox),
        "h": await box.open(folders.GetHierarchyTable(0), inbox),
        "r": await box.open(others.GetRulesTable(0), inbox),
        "p": await box.open(others.GetPermissionsTable(0), inbox),
        "a": await box.open(messages.GetAttachmentTable(0), await new_message(box)),
    }


async def test_what_each_kind_of_table_supports(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        box = await it.box()
        every = await every_table(box)
        for kind, table in every.items():
            for body in EVERYWHERE:
                assert code(await box.try_(body, table)) == 0, (kind, body)
            for body, kinds in ONLY:
                refused = code(await box.try_(body, table)) == NOT_SUPPORTED
                assert refused == (kind not in kinds), (kind, body)
                await box.ask(tables.SetColumns(0, (NAME,)), table)


async def test_what_is_no_table_supports_none_of_it(tmp_path: Path) -> None:
    """R436, R477, R490, R495, R502, R521, R533 and their like."""
    async with desk(tmp_path) as it:
        box = await it.box()
        inbox = await box.folder(INBOX)
        for body in (*EVERYWHERE, *[body for body, _ in ONLY]):
            assert code(await box.try_(body, inbox)) == NOT_SUPPORTED, body


async def test_what_needs_columns(tmp_path: Path) -> None:
    """R428, R826, R8261, R8263 to R8267: before there are some, and R429: after they could not be set."""
    async with desk(tmp_path) as it:
        await it.letter("One")
        box = await it.box()
        table = await box.open(folders.GetContentsTable(0), await box.folder(INBOX))
        needing = (
            tables.QueryRows(0, True, 5),
            tables.FindRow(0, WANTED, 0, b""),
            tables.CollapseRow(1),
            tables.ExpandRow(1, 1),
            tables.FreeBookmark(b"1234"),
            tables.GetCollapseState(1, 0),
            tables.SeekRowBookmark(b"1234", 0, False),
            tables.SetCollapseState(b"1234"),
        )
        for again in (False, True):
            for body in needing:
                assert code(await box.try_(body, table)) == NULL_OBJECT, body
            if not again:
                await box.ask(tables.SetColumns(0, (SUBJECT,)), table)
                assert code(await box.try_(tables.SetColumns(0, (0x0037000A,)), table)) == 0x80070057  # R435


async def test_errors_after_which_nothing_follows(tmp_path: Path) -> None:
    """R501, R510, R528: the rest of the buffer is not processed; other errors leave it alone."""
    async with desk(tmp_path) as it:
        number = await it.letter("One")
        box = await it.box()
        inbox = await box.folder(INBOX)
        table = await box.open(folders.GetContentsTable(0), inbox)
        await box.ask(tables.SetColumns(0, (SUBJECT,)), table)
        for body, handle, failure in (
            (tables.SeekRow(0, 0, False), inbox, NOT_SUPPORTED),
            (tables.SeekRowBookmark(b"lost", 0, False), table, INVALID_BOOKMARK),
            (0x1B, inbox, NOT_SUPPORTED),
        ):
            batch = box.batch()
            first = batch.add(0x7B, box.handle)
            failed = batch.add(body, handle)
            last = batch.add(0x7B, box.handle)
            await box.run(batch)
            assert (code(first), code(failed), last.told) == (0, failure, None)
        batch = box.batch()
        failed, last = batch.add(tables.QueryRows(0, True, 1), inbox), batch.add(0x7B, box.handle)
        await box.run(batch)
        assert (code(failed), code(last)) == (NOT_SUPPORTED, 0)
        assert await opened(box, number)


async def test_folders_that_were_deleted_are_gone(tmp_path: Path) -> None:
    """MS-OXCFOLD R806, R1219: with SoftDeletes only the deleted ones, of which there are none (R22002)."""
    async with desk(tmp_path) as it:
        box = await it.box()
        inbox = await box.folder(INBOX)
        await box.ask(folders.CreateFolder((1, False, False, "Below", "")), inbox)
        for flags, names in ((0, ["Below"]), (0x20, [])):
            table = await box.open(folders.GetHierarchyTable(flags), inbox)
            assert [row[0] for row in await box.rows(table, (NAME,))] == names
