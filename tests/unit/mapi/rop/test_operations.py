"""What single operations do, by the requirements of MS-OXCFOLD and MS-OXCTABL."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from quintet.mapi import objects, pr, restrict
from quintet.mapi.ids import ServerId, ShortId
from quintet.mapi.objects import Message, ruletable, searching
from quintet.mapi.rop import events, folders, messages, others, stores, streams, tables
from quintet.mapi.rop.serve import of_messages, run
from quintet.mapi.rows import Key, Order, SortOrder
from quintet.mapi.rules import Action, Op, Target, Template, TemplateEntry
from quintet.store.content import Content
from quintet.store.db import Tx
from tests.support.mapiclient import BODY, INBOX, NAME, SENT, SUBJECT, short
from tests.unit.mapi.rop.asking import (
    RECEIVED,
    code,
    new_message,
    opened,
)
from tests.unit.mapi.rop.desk import desk

# --- folders ------------------------------------------------------------------------------------------------


async def test_folders_are_made_and_deleted(tmp_path: Path) -> None:
    """MS-OXCFOLD R481 to R483: opened when it is there and that is wanted; DeleteFolder: partial (R2061)."""
    async with desk(tmp_path) as it:
        box = await it.box()
        inbox = await box.folder(INBOX)
        made = (await box.ask(folders.CreateFolder((1, False, False, "Füße", "why")), inbox)).answer
        assert made.existing is None
        again = await box.try_(folders.CreateFolder((1, False, False, b"F\xfc\xdfe", b"")), inbox)
        assert code(again) == 0x80040604
        same = (await box.ask(folders.CreateFolder((1, True, False, b"F\xfc\xdfe", b"")), inbox)).answer
        assert same.folder == made.folder
        handle = await box.folder(made.folder)
        assert await box.values(handle, NAME, 0x3004001F) == ["Füße", "why"]
        await box.ask(folders.CreateFolder((1, False, False, "Below", "")), handle)
        assert (await box.ask(folders.DeleteFolder(0x01, made.folder), inbox)).answer.partial is True
        assert (await box.ask(folders.DeleteFolder(0x05, made.folder), inbox)).answer.partial is False
        assert code(await box.try_(folders.OpenFolder(made.folder, 0))) == 0x8004010F
        assert code(await box.try_(folders.DeleteFolder(0x02, made.folder), inbox)) == 0x80070057
        assert code(await box.try_(folders.CreateFolder((7, False, False, "x", "")), inbox)) == 0x80070057
        assert code(await box.try_(folders.CreateFolder((1, False, False, "", "")), inbox)) == 0x80070057
        root = box.folders[0]  # R2509, R1248: it stays, with what is in it
        assert code(await box.try_(folders.DeleteFolder(0x05, root), inbox)) == 0x80040102
        assert code(await box.try_(folders.EmptyFolder(False, False), await box.folder(root))) == 0x80040102


async def test_messages_move_copy_and_go(tmp_path: Path) -> None:
    """MS-OXCFOLD 3.2.5.6, 3.2.5.11: what is not there makes it partial; MS-OXCROPS R791 without a target."""
    async with desk(tmp_path) as it:
        first, second = await it.letter("One"), await it.letter("Two")
        box = await it.box()
        inbox, sent = await box.folder(INBOX), await box.folder(SENT)
        ids = (ShortId(1, first), ShortId(1, second))
        copied = await box.ask(folders.MoveCopyMessages(ids, False, True), inbox, sent)
        assert copied.answer.partial is False
        assert [row[1] for row in await box.contents(sent)] == ["One", "Two"]
        moved = await box.ask(folders.MoveCopyMessages((ids[0], ShortId(1, 9999)), False, False), inbox, sent)
        assert moved.answer.partial is True
        assert [row[1] for row in await box.contents(inbox)] == ["Two"]
        assert code(await box.try_(folders.MoveCopyMessages(ids, False, True), inbox, 0x00123456)) == 0x503
        gone = await box.ask(folders.DeleteMessages(False, False, (ids[1], ShortId(9, 1))), inbox)
        assert gone.answer.partial is True
        assert await box.contents(inbox) == []
        assert (await box.ask(folders.EmptyFolder(False, False), sent)).answer.partial is False
        assert await box.contents(sent) == []


async def test_read_flags(tmp_path: Path) -> None:
    """MS-OXCMSG 2.2.3.10, 2.2.3.11: of a message, and of many; ReadStatusChanged is for public folders."""
    async with desk(tmp_path) as it:
        one, two = await it.letter("One"), await it.letter("Two")
        box = await it.box()
        inbox = await box.folder(INBOX)

        async def read() -> list[int]:
            return [row[2] & 1 for row in await box.contents(inbox)]

        handle = await opened(box, one)
        assert (await box.ask(messages.SetMessageReadFlag(1, b""), handle)).answer.changed == (False, b"")
        assert await read() == [1, 0]
        await box.ask(folders.SetReadFlags(False, 0, ()), inbox)
        assert await read() == [1, 1]
        await box.ask(folders.SetReadFlags(False, 4, (ShortId(1, two),)), inbox)
        assert await read() == [1, 0]


async def test_receive_folders(tmp_path: Path) -> None:
    """MS-OXCSTOR R3121, R3122: the longest class that fits; R859: IPM stays."""
    async with desk(tmp_path) as it:
        box = await it.box()
        inbox, sent = box.folders[INBOX], box.folders[SENT]
        assert (await box.ask(stores.GetReceiveFolder("MY.Class"))).answer.folder == inbox
        await box.ask(stores.SetReceiveFolder(sent, "MY.Class"))
        found = (await box.ask(stores.GetReceiveFolder("MY.Class.SOMETHING"))).answer
        assert (found.folder, found.message_class.upper()) == (sent, "MY.CLASS")
        rows = (await box.ask(0x68)).answer.rows
        assert short(next(row[0] for row in rows if row[1].upper() == b"MY.CLASS")) == sent
        assert code(await box.try_(stores.SetReceiveFolder(sent, "IPM"))) == 0x80070005
        assert code(await box.try_(stores.GetReceiveFolder(".x."))) == 0x80070057


async def test_search_folders(tmp_path: Path) -> None:
    """MS-OXCFOLD 3.2.5.4, 3.2.5.5; MS-OXCNOTIF R109: SearchComplete."""
    async with desk(tmp_path) as it:
        await it.letter("Apples")
        await it.letter("Pears")
        box = await it.box()
        finder = await box.folder(10)
        made = await box.ask(folders.CreateFolder((2, False, False, "Fruit", "")), finder)
        assert made.opens is not None
        handle = made.opens.handle
        await box.open(others.RegisterNotification(events.Kind.SEARCH_COMPLETE, None))
        wanted = restrict.Content(restrict.Where.SUBSTRING, 1, SUBJECT, (SUBJECT, "apple"))
        await box.ask(folders.SetSearchCriteria(wanted, (box.folders[INBOX],), 0x2), handle)
        assert [one.event.flags for one in box.notices] == [events.Kind.SEARCH_COMPLETE]
        assert [row[1] for row in await box.contents(handle)] == ["Apples"]
        found = (await box.ask(folders.GetSearchCriteria(True, True, True), handle)).answer
        assert (found.restriction, found.folders) == (wanted, (box.folders[INBOX],))


@pytest.fixture
def writing(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Its last one: whether operations are carried out in a transaction that writes."""
    found, some = [False], run._some

    def within(tx: Tx, **how: Any) -> None:
        found.append(how["writes"])
        try:
            some(tx, **how)
        finally:
            found.pop()

    monkeypatch.setattr(run, "_some", within)
    return found


@pytest.mark.parametrize("flags", [0x2, 0x40002])
async def test_a_search_keeps_no_writer_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writing: list[bool], flags: int
) -> None:
    """Asked for and looked at in one buffer: letters are read in a transaction that reads."""
    looked: list[bool] = []
    refresh = searching.Answer.refresh

    def spied(answer: searching.Answer, folder: objects.Folder) -> None:
        looked.append(writing[-1])
        refresh(answer, folder)

    monkeypatch.setattr(searching.Answer, "refresh", spied)
    async with desk(tmp_path) as it:
        await it.letter("Apples")
        box = await it.box()
        batch = box.batch()
        made = batch.add(folders.CreateFolder((2, False, False, "Fruit", "")), await box.folder(10))
        assert made.opens is not None
        wanted = restrict.Content(restrict.Where.SUBSTRING, 1, SUBJECT, (SUBJECT, "apple"))
        batch.add(folders.SetSearchCriteria(wanted, (box.folders[INBOX],), flags), made.opens)
        table = batch.add(folders.GetContentsTable(0), made.opens)
        assert table.opens is not None
        batch.add(tables.SetColumns(0, (SUBJECT,)), table.opens)
        rows = batch.add(tables.QueryRows(0, True, 9), table.opens)
        await box.run(batch)
        assert rows.answer.rows == [["Apples"]]
        assert looked and not any(looked)


async def test_a_large_letter_is_made_before_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writing: list[bool]
) -> None:
    """That takes seconds, for which no other writer waits; what is changed afterwards is in the next one."""
    made: list[bool] = []
    content = Message._content

    def spied(message: Message, *, bcc: bool) -> Content:
        made.append(writing[-1])
        return content(message, bcc=bcc)

    monkeypatch.setattr(Message, "_content", spied)
    monkeypatch.setattr(of_messages, "LARGE", 10)
    async with desk(tmp_path) as it:
        box = await it.box()
        handle = await new_message(box, subject="first", body="one")
        number = await box.save(handle)
        await box.put(handle, body="two")
        assert await box.save(handle) == number
        assert made == [False, False]
        again = await opened(box, number.counter)
        assert (await box.values(again, BODY))[0].strip() == "two"


async def test_permissions(tmp_path: Path) -> None:
    """MS-OXCPERM R47, R1187, R1188, R46, R43: added by entry id, changed and removed by member id."""
    async with desk(tmp_path) as it:
        box, other = await it.box(), await it.box("bob")
        inbox = await box.folder(INBOX)
        table = await box.open(others.GetPermissionsTable(0), inbox)
        columns = (0x66710014, 0x6672001F, 0x66730003)
        assert [row[:2] for row in await box.rows(table, columns)] == [[0, ""], [-1, "Anonymous"]]
        (entry,) = await other.values(other.handle, 0x661B0102)
        add = others.RowChange(1, ((0x0FFF0102, entry), (0x66730003, 0x401)))  # see the folder, read
        await box.ask(others.ModifyPermissions(0, (add,)), inbox)
        rows = await box.rows(table, columns)
        assert rows[2][1:] == ["Bob", 0x401]
        change = others.RowChange(2, ((0x66710014, rows[2][0]), (0x66730003, 0x400)))
        await box.ask(others.ModifyPermissions(0, (change,)), inbox)
        assert (await box.rows(table, columns))[2][2] == 0x400
        gone = others.RowChange(4, ((0x66710014, rows[2][0]),))
        assert code(await box.try_(others.ModifyPermissions(1, (gone,)), inbox)) == 0x80070057
        await box.ask(others.ModifyPermissions(0, (gone,)), inbox)
        assert len(await box.rows(table, columns)) == 2
        assert code(await box.try_(others.ModifyPermissions(8, ()), inbox)) == 0x80070057


async def test_rules_table(tmp_path: Path) -> None:
    """MS-OXORULE R122, R123, R449: a row for each rule, as standard ones are told; R827; only the owner's."""
    async with desk(tmp_path) as it:
        box, bob = await it.box(), await it.box("bob")
        alice = it.people["alice"].account_id
        own = await it.store.write(objects.logon, alice, alice, files=it.store.blobs)
        inbox = await box.folder(INBOX)
        condition = restrict.Content(restrict.Where.SUBSTRING, 1, SUBJECT, (SUBJECT, "apple" * 200))
        entry = own.folder_entry_id(box.folders[SENT].counter)
        template = uuid.uuid4()

        def put(tx: Tx) -> list[int]:
            with own.using(tx):
                folder = own.folder(box.folders[INBOX].counter)
                answer = TemplateEntry(own.message_entry_id(folder.id, 77), template)
                moved = {
                    pr.RULE_STATE: 1, pr.RULE_SEQUENCE: 2, pr.RULE_NAME: "Äpfel", pr.RULE_PROVIDER: "R",
                    pr.RULE_CONDITION: condition, pr.RULE_ACTIONS: (Action(Op.MOVE, Target(entry)),),
                }  # fmt: skip
                replied = {
                    pr.RULE_SEQUENCE: 1,
                    pr.RULE_ACTIONS: (Action(Op.REPLY, answer), Action(Op.DELETE)),
                }
                return ruletable.change(folder, [moved, replied])

        first, second = await it.store.write(put)
        rules = await box.open(others.GetRulesTable(0x40), inbox)
        columns = (
            pr.RULE_ID,
            pr.RULE_SEQUENCE,
            pr.RULE_STATE,
            pr.RULE_NAME,
            pr.RULE_CONDITION,
            pr.RULE_ACTIONS,
        )
        sent = ServerId(box.folders[SENT], ShortId(0, 0)).write()
        replied_, moved_ = await box.rows(rules, columns)
        assert moved_ == [first, 2, 1, "Äpfel", condition, (Action(Op.MOVE, Target(sent)),)]
        reply = Template(box.folders[INBOX], ShortId(1, 77), template)
        assert replied_[:3] == [second, 1, 0]
        assert replied_[5] == (Action(Op.REPLY, reply), Action(Op.DELETE))
        assert code(await box.try_(others.GetRulesTable(0x41), inbox)) == 0x80040102
        (entry,) = await bob.values(bob.handle, 0x661B0102)
        reads = others.RowChange(1, ((0x0FFF0102, entry), (0x66730003, 0x401)))
        await box.ask(others.ModifyPermissions(0, (reads,)), inbox)
        await bob.log_on(dn="alice@example.org")
        theirs = await bob.folder(box.folders[INBOX])
        assert code(await bob.try_(others.GetRulesTable(0), theirs)) == 0x80070005


# --- tables -------------------------------------------------------------------------------------------------


async def test_tables(tmp_path: Path) -> None:
    """MS-OXCTABL R437, R451, R534, R522, R553: sort, restrict, find, seek, bookmarks, position, reset."""
    async with desk(tmp_path) as it:
        for subject in ("Cherry", "apple", "Banana"):
            await it.letter(subject)
        box = await it.box()
        inbox = await box.folder(INBOX)
        table = await box.open(folders.GetContentsTable(0), inbox)
        assert code(await box.try_(tables.QueryRows(0, True, 5), table)) == 0x4B9  # R428
        await box.ask(tables.SetColumns(0, (SUBJECT,)), table)
        await box.ask(tables.SortTable(0, SortOrder((Key(SUBJECT, Order.DESCENDING),))), table)

        async def rows(count: int = 10, *, flags: int = 0, forward: bool = True) -> list[str]:
            step = await box.ask(tables.QueryRows(flags, forward, count), table)
            return [line[0] for line in step.answer.rows]

        assert await rows(2) == ["Cherry", "Banana"]
        assert (await box.ask(0x17, table)).answer.numerator == 2
        bookmark = (await box.ask(0x1B, table)).answer.bookmark
        assert await rows(5, flags=1) == ["apple"]
        assert await rows(5) == ["apple"]
        assert await rows(2, forward=False) == ["Banana", "apple"]
        sought = (await box.ask(tables.SeekRow(1, -5, True), table)).answer
        assert (sought.sought_less, sought.rows) == (True, -1)
        assert (
            await box.ask(tables.SeekRowBookmark(bookmark, 0, True), table)
        ).answer.no_longer_visible is False
        assert await rows(1) == ["apple"]
        await box.ask(tables.FreeBookmark(bookmark), table)
        assert code(await box.try_(tables.SeekRowBookmark(bookmark, 0, True), table)) == 0x80040405
        wanted = restrict.Content(restrict.Where.PREFIX, 1, SUBJECT, (SUBJECT, "ban"))
        found = (await box.ask(tables.FindRow(0, wanted, 0, b""), table)).answer
        assert found.row == ["Banana"]
        assert code(await box.try_(tables.FindRow(0, wanted, 2, b""), table)) == 0x8004010F
        await box.ask(tables.Restrict(0, wanted), table)
        assert await rows() == ["Banana"]
        await box.ask(tables.SeekRowFractional(1, 2), table)
        assert SUBJECT in (await box.ask(0x37, table)).answer.tags
        assert code(await box.try_(0x38, table)) == 0x80040114  # R485
        assert (await box.ask(0x16, table)).answer.status == 0
        await box.ask(0x81, table)
        assert code(await box.try_(tables.QueryRows(0, True, 5), table)) == 0x4B9
        hierarchy = await box.open(folders.GetHierarchyTable(0), inbox)
        sort = tables.SortTable(0, SortOrder((Key(NAME, Order.ASCENDING),)))
        assert code(await box.try_(sort, hierarchy)) == 0x80040102  # R450


async def test_categories(tmp_path: Path) -> None:
    """MS-OXCTABL 2.2.2.17, 2.2.2.18: headings expand and collapse; their state comes back."""
    async with desk(tmp_path) as it:
        for subject in ("One", "Two", "One"):
            await it.letter(subject)
        box = await it.box()
        table = await box.open(folders.GetContentsTable(0), await box.folder(INBOX))
        await box.ask(tables.SetColumns(0, (SUBJECT, 0x674D0014, 0x0FF50003)), table)
        keys = (Key(SUBJECT, Order.ASCENDING), Key(RECEIVED, Order.ASCENDING))
        await box.ask(tables.SortTable(0, SortOrder(keys, 1, 0)), table)
        step = await box.ask(tables.QueryRows(0, True, 10), table)
        assert [line[2] for line in step.answer.rows] == [4, 4]
        category = step.answer.rows[0][1] & (1 << 64) - 1
        expanded = (await box.ask(tables.ExpandRow(10, category), table)).answer
        assert (expanded.expanded, len(expanded.rows)) == (2, 2)
        state = (await box.ask(tables.GetCollapseState(category, 0), table)).answer.state
        assert (await box.ask(tables.CollapseRow(category), table)).answer.collapsed == 2
        assert code(await box.try_(tables.CollapseRow(category), table)) == 0x4F7
        assert (await box.ask(tables.SetCollapseState(state), table)).answer.bookmark
        assert (await box.ask(0x17, table)).answer.denominator == 4


async def test_objects_of_another_kind_are_not_supported(tmp_path: Path) -> None:
    """R472 of MS-OXCFOLD and its like: ecNotSupported."""
    async with desk(tmp_path) as it:
        box = await it.box()
        inbox = await box.folder(INBOX)
        for body, handle in (
            (folders.GetContentsTable(0), box.handle),
            (tables.QueryRows(0, True, 1), inbox),
            (messages.SaveChangesMessage(0), inbox),
            (streams.ReadStream(1), inbox),
            (messages.SubmitMessage(0), inbox),
            (0x7B, inbox),
        ):
            assert code(await box.try_(body, handle)) == 0x80040102
        message = await new_message(box)
        for body, handle in (  # MS-OXCMSG R1493, R1982, R1057, R1498, R1516, R1620, R1712, R1524, R1478
            (messages.RemoveAllRecipients(0), inbox),
            (messages.ReadRecipients(0, 0), inbox),
            (messages.ReloadCachedInformation(0), box.handle),
            (folders.SetReadFlags(False, 0, ()), message),
            (messages.OpenAttachment(0, 0), inbox),
            (0x23, inbox),
            (messages.DeleteAttachment(0), inbox),
            (messages.GetAttachmentTable(0), inbox),
            (messages.OpenMessage(0x0FFF, box.folders[INBOX], 0, short(1)), message),
        ):
            assert code(await box.try_(body, handle)) == 0x04B9
