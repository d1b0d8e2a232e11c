"""8-bit text in conditions is in the code page that the client named (MS-OXCRPC 3.1.4.1, MS-OXCDATA 2.11)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from quintet.mapi import restrict
from quintet.mapi.http.client import Mailbox
from quintet.mapi.restrict import And, Comment, Content, Not, Property, Relation, SubObject, Where
from quintet.mapi.rop import folders, tables
from tests.support.mapiclient import INBOX, SUBJECT
from tests.unit.mapi.rop.asking import SUBJECT8
from tests.unit.mapi.rop.desk import Desk, Direct, connect, desk

WORD = "Привет"
RAW = WORD.encode("cp1251")
NAME8 = 0x3001001E


@asynccontextmanager
async def russian(folder: Path) -> AsyncIterator[tuple[Desk, Direct]]:
    """A client that named code page 1251."""
    async with desk(folder) as it:
        opened = await it.endpoint.open(it.people["alice"], connect(code_page=1251))
        it.states.append(opened.state)
        line: object = None
        box = Direct(Mailbox(line), line, line, desk=it, state=opened.state)  # type: ignore[arg-type]
        await box.log_on()
        yield it, box


async def test_tables_are_searched_in_the_clients_code_page(tmp_path: Path) -> None:
    """MS-OXCTABL 2.2.2.4, 2.2.2.14: Restrict and FindRow."""
    async with russian(tmp_path) as (it, box):
        for subject in ("one", WORD, "two"):
            await it.letter(subject)
        table = await box.open(folders.GetContentsTable(0), await box.folder(INBOX))
        await box.ask(tables.SetColumns(0, (SUBJECT,)), table)
        starts = Content(Where.PREFIX, 1, SUBJECT8, (SUBJECT8, RAW[:4]))
        found = await box.ask(tables.FindRow(0, starts, 0, b""), table)
        assert found.answer.row == [WORD]
        same = Property(Relation.EQUAL, SUBJECT8, (SUBJECT8, RAW))
        await box.ask(tables.Restrict(0, And((Not(Not(same)), Comment((), same)))), table)
        assert (await box.ask(tables.QueryRows(0, True, 9), table)).answer.rows == [[WORD]]
        nobody = SubObject(restrict.RECIPIENTS, Content(Where.SUBSTRING, 1, NAME8, (NAME8, RAW)))
        await box.ask(tables.Restrict(0, nobody), table)
        assert (await box.ask(tables.QueryRows(0, True, 9), table)).answer.rows == []


async def test_a_search_is_told_in_the_width_that_is_asked(tmp_path: Path) -> None:
    """MS-OXCFOLD_R127, R128: UseUnicode; what a client says in its code page, any client finds."""
    async with russian(tmp_path) as (it, box):
        await it.letter(WORD)
        made = folders.CreateFolder((2, False, False, "Found", ""))
        found = await box.open(
            folders.OpenFolder((await box.ask(made, await box.folder(5))).answer.folder, 0)
        )
        said = And((Content(Where.PREFIX, 1, SUBJECT8, (SUBJECT8, RAW)),))
        await box.ask(folders.SetSearchCriteria(said, (box.folders[INBOX],), 0x2), found)
        assert [row[1] for row in await box.contents(found)] == [WORD]
        for wide, told in (
            (False, said),
            (True, And((Content(Where.PREFIX, 1, SUBJECT, (SUBJECT, WORD)),))),
        ):
            answer = (await box.ask(folders.GetSearchCriteria(wide, True, True), found)).answer
            assert answer.restriction == told
