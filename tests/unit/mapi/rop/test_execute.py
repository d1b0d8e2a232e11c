"""Connect, Execute, handles, what does not fit, notifications (MS-OXCROPS 3.2.5.1, MS-OXCRPC 3.1.4.2)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from quintet.errors import BadSyntax
from quintet.mapi import frame
from quintet.mapi.buffer import Reader, Writer
from quintet.mapi.http.endpoint import Failed
from quintet.mapi.ids import ShortId
from quintet.mapi.nspi import names
from quintet.mapi.rop import events, folders, messages, others, properties, registry, stores, streams, tables
from quintet.mapi.rop.serve import of_tables
from quintet.mapi.rows import Key, Order, SortOrder
from quintet.mapi.types import Error
from quintet.store import accounts, db
from quintet.store.store import Store
from tests.support.mapiclient import BODY, INBOX, MID, SUBJECT
from tests.unit.mapi.rop.desk import connect, desk, execute, executed


async def test_connect(tmp_path: Path) -> None:
    """MS-OXCMAPIHTTP R1349, R1350, R211 to R216; R188 of MS-OXCRPC: who is unknown gets an ErrorCode."""
    async with desk(tmp_path) as it:
        opened = await it.endpoint.open(it.people["alice"], connect())
        reader = Reader(opened.body)
        assert [reader.u32() for _ in range(5)] == [0, 0, 60000, 6, 10000]
        assert reader.text8().startswith(b"/o=Quintet/")
        assert reader.text() == "Alice"
        assert reader.u32() == 0
        bob = names.of_object(it.people["bob"].account_id, "bob").encode()
        for body, code in (
            (connect(b""), 0x80070005),  # R1369
            (connect(bob), 0x80070005),  # R4888
            (connect(b"/o=x/ou=y/cn=Recipients/cn=nobody"), 0x3EB),  # R600
            (connect(code_page=99999), 0x3EF),
            (connect()[:-4] + b"\4\0\0\0abcd", 0x80040115),  # R1367
        ):
            refused = await it.endpoint.open(it.people["alice"], body)
            assert refused.state is None
            assert Reader(refused.body[4:]).u32() == code
        own = names.of_object(it.people["alice"].account_id, "alice").encode()
        for dn in (own, b"/o=x/ou=y/cn=Recipients/cn=ALICE", b"/o=x/cn=alice@example.org"):
            assert (await it.endpoint.open(it.people["alice"], connect(dn))).state
        with pytest.raises(BadSyntax):
            await it.endpoint.open(it.people["alice"], connect() + b"x")
        with pytest.raises(BadSyntax):
            await it.endpoint.open(it.people["alice"], b"/o=x")


async def test_auxiliary_buffers_are_read_and_bounded(tmp_path: Path) -> None:
    """MS-OXCRPC R678: 0x1008 bytes; blocks tell their size with their header (2.2.2.2)."""
    async with desk(tmp_path) as it:

        def with_auxiliary(raw: bytes) -> bytes:
            writer = Writer()
            writer.put(connect()[:-4])
            writer.u32(len(raw))
            writer.put(raw)
            return writer.done()

        good = frame.wrap([b"\x08\0\1\1abcd" * 3])
        assert (await it.endpoint.open(it.people["alice"], with_auxiliary(good))).state
        for bad in (frame.wrap([b"\x03\0\1"]), frame.wrap([b"\xff\0\1\1ab"]), b"nonsense"):
            with pytest.raises(BadSyntax):
                await it.endpoint.open(it.people["alice"], with_auxiliary(bad))
        with pytest.raises(Failed):
            await it.endpoint.open(it.people["alice"], with_auxiliary(bytes(0x1009)))


async def test_handles_are_numbered_from_the_logon(tmp_path: Path) -> None:
    """The logon is LogonId << 24, then +1 in the order of creation; R4556, R4558."""
    async with desk(tmp_path) as it:
        box = await it.box(logon=0x0C)
        assert box.handle == 0x0C000000
        assert [await box.folder(INBOX), await box.folder(INBOX)] == [0x0C000001, 0x0C000002]
        await box.release(0x0C000001)
        gone = await box.try_(folders.GetContentsTable(0), 0x0C000001)
        assert gone.told is not None
        assert gone.told.code == 0x80040108  # R457301
        never = await box.try_(folders.GetContentsTable(0), 0x0C000099)
        assert never.told is not None
        assert never.told.code == 0x4B9  # R457302
        assert await box.folder(INBOX) == 0x0C000003


async def test_a_logon_of_the_same_number_replaces_the_old_one(tmp_path: Path) -> None:
    """R28, R29, R4587; an operation of a logon that is not there fails (R4555)."""
    async with desk(tmp_path) as it:
        box = await it.box(logon=1)
        inbox = await box.folder(INBOX)
        await box.log_on(logon=1)
        step = await box.try_(folders.GetContentsTable(0), inbox)
        assert step.told is not None
        assert step.told.code == 0x4B9
        other = await box.folder(INBOX)
        await box.log_on(logon=2)
        step = await box.try_(folders.GetContentsTable(0), other)
        assert step.told is not None
        assert step.told.code == 0x80070005  # R457303
        box.logon = 9
        step = await box.try_(folders.OpenFolder(box.folders[INBOX], 0))
        assert step.told is not None
        assert step.told.code == 0x4B9


async def test_operations_of_one_buffer_use_each_others_handles(tmp_path: Path) -> None:
    """R4548, R4550, R4559: in order; and RopRelease has no answer."""
    async with desk(tmp_path) as it:
        await it.letter("One")
        await it.letter("Two")
        box = await it.box()
        batch = box.batch()
        folder = batch.add(folders.OpenFolder(box.folders[INBOX], 0), box.handle)
        assert folder.opens is not None
        table = batch.add(folders.GetContentsTable(0), folder.opens)
        assert table.opens is not None
        batch.add(tables.SetColumns(0, (SUBJECT, MID)), table.opens)
        rows = batch.add(tables.QueryRows(0, True, 10), table.opens)
        batch.add(registry.RELEASE, table.opens)
        position = batch.add(0x17, table.opens)
        await box.run(batch)
        assert table.answer.rows == 2
        assert [row[0] for row in rows.answer.rows] == ["One", "Two"]
        assert position.told is not None
        assert position.told.code == 0x80040108


@pytest.mark.parametrize("payload", [b"\x05\0\x28\0\0", b"\x05\0\x02\0\0", b"\x01", b"\x09\0\0\0"])
async def test_buffers_that_cannot_be_read(tmp_path: Path, payload: bytes) -> None:
    """R4551, R18, MS-OXCRPC R697: ErrorCode ecRpcFormat, and no ROP buffer; nothing was done."""
    async with desk(tmp_path) as it:
        box = await it.box()
        body = await it.endpoint.answer(box.state, "execute", execute(frame.wrap([payload])))
        assert executed(body) == (0, 0x4B6, b"")
        body = await it.endpoint.answer(box.state, "execute", execute(b"\1\0\4\0\0\0\0\0"))
        assert executed(body) == (0, 0x4B6, b"")


async def test_sizes_beyond_the_limits(tmp_path: Path) -> None:
    """MS-OXCRPC R1373, R1379, R663."""
    async with desk(tmp_path) as it:
        box = await it.box()
        empty = frame.wrap([registry.join(b"", [])])
        for body in (execute(bytes(0x40001)), execute(empty, most=0x40001)):  # R1373, R666
            with pytest.raises(Failed):
                await it.endpoint.answer(box.state, "execute", body)
        short = execute(empty)[:-4] + b"\1\0\0\0x"
        assert executed(await it.endpoint.answer(box.state, "execute", short)) == (0, 0x80040115, b"")
        for body in (execute(b"1234567"), execute(empty, most=7)):
            assert executed(await it.endpoint.answer(box.state, "execute", body)) == (0, 0x80040115, b"")
        assert executed(await it.endpoint.answer(box.state, "execute", execute(empty)))[1] == 0


@pytest.mark.parametrize("flags, seen", [(0, 3), (1, 2), (2, 1), (3, 0)])
async def test_answers_are_packed_as_asked(tmp_path: Path, flags: int, seen: int) -> None:
    """MS-OXCRPC R634, R638, R1635: NoCompression, NoXorMagic; requests in every packing are read."""
    async with desk(tmp_path) as it:
        box = await it.box()
        writer = Writer()
        for _ in range(1000):
            registry.put_request(writer, 0x49, 0, 0)
        payload = registry.join(writer.done(), [box.handle])
        for raw in (frame.wrap([payload]), frame.wrap([payload], compress=False, obfuscate=True)):
            answer = executed(await it.endpoint.answer(box.state, "execute", execute(raw, flags=flags)))[2]
            assert answer[2] == seen | frame.LAST
            assert len(registry.read_answers(frame.unwrap(answer)[0]).told) == 1000


async def test_what_does_not_fit_comes_back(tmp_path: Path) -> None:
    """R4443 to R4447, R454502, R4545: RopBufferTooSmall holds the requests that were not done."""
    async with desk(tmp_path) as it:
        box = await it.box()
        writer = Writer()
        for _ in range(30):
            registry.put_request(writer, 0x49, 0, 0)  # 17 bytes of answer for 3 of request
        listed = writer.done()
        raw = frame.wrap([registry.join(listed, [box.handle])])
        answer = executed(await it.endpoint.answer(box.state, "execute", execute(raw, most=400)))[2]
        told = registry.read_answers(frame.unwrap(answer)[0]).told
        small = told[-1]
        assert isinstance(small, others.BufferTooSmall)
        done = len(told) - 1
        assert 0 < done < 30
        assert small.requests == listed[3 * done :]
        with pytest.raises(Failed) as failed:  # R4546
            await it.endpoint.answer(box.state, "execute", execute(raw, most=60))
        assert failed.value.status == 0x47D


async def test_rows_fill_what_room_there_is(tmp_path: Path) -> None:
    """MS-OXCTABL R464 to R467: whole rows, as many as fit; R478: not a single one."""
    async with desk(tmp_path) as it:
        for number in range(20):
            await it.letter(f"{number:02} " + "x" * 200)
        box = await it.box()
        table = await box.open(folders.GetContentsTable(0), await box.folder(INBOX))
        await box.ask(tables.SetColumns(0, (SUBJECT, MID)), table)

        async def query(most: int) -> registry.Told:
            writer = Writer()
            registry.put_request(writer, tables.QueryRows(0, True, 20), 0, 0)
            raw = frame.wrap([registry.join(writer.done(), [table])])
            body = await it.endpoint.answer(box.state, "execute", execute(raw, most=most))
            payload = frame.unwrap(executed(body)[2])[0]
            return registry.read_answers(payload, lambda place: (SUBJECT, MID)).told[0]

        first = await query(1500)
        assert [row[0][:2] for row in first.body.rows] == ["00", "01", "02"]
        assert first.body.origin == 1
        assert (await query(0x10008)).body.rows[0][0][:2] == "03"
        await box.ask(tables.SeekRow(0, 0, False), table)
        assert (await query(200)).code == 0x47D


async def test_one_operation_that_fails_leaves_the_others(tmp_path: Path) -> None:
    """docs/decisions/0123: each has its own end, also within one transaction that writes."""
    async with desk(tmp_path) as it:
        box = await it.box()
        inbox = await box.folder(INBOX)
        batch = box.batch()
        made = batch.add(folders.CreateFolder((1, False, False, "One", "")), inbox)
        again = batch.add(folders.CreateFolder((1, False, False, "One", "")), inbox)
        other = batch.add(folders.CreateFolder((1, False, False, "Two", "")), inbox)
        await box.run(batch)
        codes = [step.told.code for step in (made, again, other) if step.told]
        assert codes == [0, 0x80040604, 0]
        table = await box.open(folders.GetHierarchyTable(0), inbox)
        assert [row[0] for row in await box.rows(table, (0x3001001F,))] == ["One", "Two"]


async def test_waiting(tmp_path: Path) -> None:
    """MS-OXCMAPIHTTP R1371; MS-OXCRPC R1343: a second wait is rejected; R1231: at once if there is one."""
    async with desk(tmp_path) as it:
        box = await it.box()
        await box.open(others.RegisterNotification(events.Kind.CREATED, (box.folders[INBOX], events.NOTHING)))
        first = asyncio.create_task(it.endpoint.answer(box.state, "notificationwait", bytes(8)))
        await asyncio.sleep(0)
        second = await it.endpoint.answer(box.state, "notificationwait", bytes(8))
        assert Reader(second[4:]).u32() == 0x7EE
        await it.letter("Elsewhere", folder="Sent")
        await asyncio.sleep(0.05)
        assert not first.done()
        await it.letter("Here")
        assert (await first)[8:12] == b"\1\0\0\0"
        assert (await it.endpoint.answer(box.state, "notificationwait", bytes(8)))[8:12] == b"\1\0\0\0"
        await box.run(box.batch())
        assert [one.event.flags for one in box.notices] == [events.Kind.CREATED | events.Kind.MESSAGE]


async def test_tables_tell_what_happened_to_their_rows(tmp_path: Path) -> None:
    """MS-OXCNOTIF R246 to R256: once somebody has looked; R258, R272: without notices, or reset, not."""
    async with desk(tmp_path) as it:
        box = await it.box()
        inbox = await box.folder(INBOX)
        told, silent, unseen = [
            await box.open(folders.GetContentsTable(flags), inbox) for flags in (0, 0x10, 0)
        ]
        for table in (told, silent):
            await box.rows(table, (SUBJECT,))
        await it.letter("One")
        await it.letter("Two")
        await box.run(box.batch())
        assert [(one.handle, one.event.table) for one in box.notices] == [(told, 3), (told, 3)]
        assert unseen
        box.notices.clear()
        await it.letter("Three")
        assert len(await box.rows(told, (SUBJECT,))) == 3  # and beside what it shows it tells the same
        assert [one.event.data for one in box.notices] == [b"\0" + "Three\0".encode("utf-16-le")]
        box.notices.clear()
        await box.ask(0x81, told)
        await it.letter("Four")
        await box.run(box.batch())
        assert box.notices == []
        await box.rows(told, (SUBJECT,))
        await it.letter("Five")
        await box.run(box.batch())
        assert len(box.notices) == 1


async def test_a_row_that_is_added_as_bytes(tmp_path: Path) -> None:
    """MS-OXCNOTIF 2.2.1.4.1.2, MS-OXCROPS 2.2.14.2: each field; the first row stands behind nothing."""
    async with desk(tmp_path) as it:
        box = await it.box()
        table = await box.open(folders.GetContentsTable(0), await box.folder(INBOX))
        await box.rows(table, (SUBJECT, 0x0E070003))
        first = await it.letter("A")
        raw = frame.wrap([registry.join(b"", [])], compress=False)
        answer = executed(await it.endpoint.answer(box.state, "execute", execute(raw)))[2]
        folder = b"\1\0" + box.folders[INBOX].counter.to_bytes(6, "big")
        data = b"\0" + "A\0".encode("utf-16-le") + bytes(4)
        assert frame.unwrap(answer)[0][2:] == (
            b"\x2a" + table.to_bytes(4, "little") + b"\0"  # RopId, NotificationHandle, LogonId
            + b"\x00\x81\x03\x00"  # TableModified of messages, TableRowAdded
            + folder + b"\1\0" + first.to_bytes(6, "big") + bytes(4)  # the row
            + bytes(20)  # the one before it
            + len(data).to_bytes(2, "little") + data
        )  # fmt: skip


async def test_an_execute_that_reads_is_one_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 6, section 4: all its operations, and what it tells unasked, see one snapshot of the store."""
    begun: list[str] = []
    begin = db.SqliteTx.begin

    def counted(tx: db.SqliteTx, now: int, sql: str = "BEGIN IMMEDIATE") -> None:
        begun.append(sql)
        begin(tx, now, sql)

    async with desk(tmp_path) as it:
        number = await it.letter("One")
        box = await it.box()
        await box.open(others.RegisterNotification(0x1FE, None))
        inbox = await box.folder(INBOX)
        looked = await box.open(folders.GetContentsTable(0), inbox)
        await box.rows(looked, (SUBJECT,))
        await it.letter("Two")  # which both are to be told of
        monkeypatch.setattr(db.SqliteTx, "begin", counted)
        batch = box.batch()
        table = batch.add(folders.GetContentsTable(0), inbox).opens
        batch.add(tables.SetColumns(0, (SUBJECT,)), table)
        batch.add(tables.SortTable(0, SortOrder((Key(SUBJECT, Order.ASCENDING),))), table)
        rows = batch.add(tables.QueryRows(0, True, 50), table)
        message = batch.add(
            messages.OpenMessage(0x0FFF, box.folders[INBOX], 0, ShortId(1, number)), box.handle
        ).opens
        batch.add(properties.GetPropertiesAll(0, True), message)
        stream = batch.add(streams.OpenStream(BODY, 0), message).opens
        batch.add(streams.ReadStream(1000), stream)
        batch.add(folders.GetHierarchyTable(0), inbox)
        batch.add(registry.RELEASE, message)
        await box.run(batch)
        assert [step.told.code for step in batch.steps if step.told] == [0] * 9
        assert len(rows.answer.rows) == 2
        assert {one.handle for one in box.notices} > {looked}
        assert begun == ["BEGIN"]
        begun.clear()
        await box.run(box.batch())
        assert begun == []  # nothing happened
        await box.ask(0x16, looked)
        assert begun == ["BEGIN"]


async def test_what_is_small_and_quick_is_read_on_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/decisions/0170: the second page of a table, a letter and its properties; nothing large or slow."""
    beside: list[bool] = []
    read = Store.read

    async def noted(store: Store, *arguments: Any, **more: Any) -> Any:
        beside.append(True)
        return await read(store, *arguments, **more)

    async with desk(tmp_path) as it:
        small, large = await it.letter("Small"), await it.letter("Large", "x" * 70_000)
        box = await it.box()
        monkeypatch.setattr(Store, "read", noted)
        table = await box.open(folders.GetContentsTable(0), await box.folder(INBOX))
        for _ in range(2):  # made, and looked at once more since it is watched
            await box.rows(table, (SUBJECT,))
        assert len(beside) > 1
        beside.clear()
        await box.rows(table, (SUBJECT,))
        await box.ask(0x17, table)
        batch = box.batch()
        opened = batch.add(messages.OpenMessage(0x0FFF, box.folders[INBOX], 0, ShortId(1, small)), box.handle)
        batch.add(properties.GetPropertiesAll(0, True), opened.opens)
        await box.run(batch)
        assert not beside
        await box.rows(table, (SUBJECT,), count=100)
        await box.open(messages.OpenMessage(0x0FFF, box.folders[INBOX], 0, ShortId(1, large)))
        assert len(beside) == 2
        beside.clear()
        monkeypatch.setattr(of_tables, "QUICK_S", 0.0)
        await box.rows(table, (SUBJECT,))
        assert not beside
        await box.rows(table, (SUBJECT,))
        assert beside


async def test_more_notices_than_fit_are_pending(tmp_path: Path) -> None:
    """R452201, R452202, MS-OXCNOTIF R347, R338: as many as fit, and RopPending."""
    async with desk(tmp_path) as it:
        box = await it.box()
        await box.open(others.RegisterNotification(events.Kind.CREATED, None))
        for number in range(20):
            await it.letter(f"Letter {number}")
        raw = frame.wrap([registry.join(b"", [])])
        answer = executed(await it.endpoint.answer(box.state, "execute", execute(raw, most=200)))[2]
        told = registry.read_answers(frame.unwrap(answer)[0]).told
        assert isinstance(told[-1], others.Pending)
        assert all(isinstance(one, others.Notify) for one in told[:-1])
        await box.run(box.batch())
        assert len(told) - 1 + len(box.notices) == 20


async def test_public_folders(tmp_path: Path) -> None:
    """MS-OXCSTOR R3110001, R59783; MS-OXCROPS 2.2.3.1.3."""
    async with desk(tmp_path) as it:
        box = await it.box(public=True)
        assert box.folders[0].counter
        step = await box.try_(stores.GetReceiveFolder(""))
        assert step.told is not None
        assert step.told.code == 0x80040102
        step = await box.ask(stores.PublicFolderIsGhosted(box.folders[1]))
        assert step.answer.replicas is None
        batch = box.batch()
        step = batch.add(stores.Logon(0, 0, 0, ""))  # without PUBLIC
        wrong = batch.add(stores.Logon(0x08, 0, 0, ""))  # a flag that is none (R1202)
        unknown = batch.add(stores.Logon(0, 0x10002, 0, ""))  # R3109
        other = batch.add(stores.Logon(0, 0x102, 0, ""))  # R835: no other server has them
        await box.run(batch)
        codes = [one.told.code for one in (step, wrong, unknown, other) if one.told]
        assert codes == [0x80040111, 0x80004005, 0x80004005, 0x80040111]


async def test_whose_mailbox(tmp_path: Path) -> None:
    """MS-OXCSTOR R788: unknown; R3107: not the reader's."""
    async with desk(tmp_path) as it:
        box = await it.box(log_on=False)
        for dn, code in (
            ("/o=Quintet/cn=Recipients/cn=alice", 0),
            ("/o=x/cn=nobody", 0x3EB),
            ("/o=x/cn=bob", 0x80070005),
        ):
            batch = box.mailbox.batch(0)
            step = batch.add(stores.Logon(1, 0, 0, dn))
            await box.run(batch)
            assert step.told is not None
            assert step.told.code == code


async def test_identifiers(tmp_path: Path) -> None:
    """MS-OXCSTOR 2.2.1.8, 2.2.1.9: long-term ids and back."""
    async with desk(tmp_path) as it:
        box = await it.box()
        long = (await box.ask(stores.LongTermIdFromId(box.folders[INBOX]))).answer.id
        assert (await box.ask(stores.IdFromLongTermId(long))).answer.id == box.folders[INBOX]
        step = await box.try_(stores.LongTermIdFromId(ShortId(77, 5)))
        assert step.told is not None
        assert step.told.code == 0x8004010F


async def test_another_mailbox_beside_the_first(tmp_path: Path) -> None:
    """MS-OXCSTOR R803: only for who knows that each has names and replicas of its own."""
    async with desk(tmp_path) as it:
        box, other = await it.box(), await it.box("bob")
        (who,) = await box.values(box.handle, 0x661B0102)
        add = others.RowChange(1, ((0x0FFF0102, who), (0x66730003, 0x401)))
        await other.ask(others.ModifyPermissions(0, (add,)), await other.folder(INBOX))
        dn = "/o=Quintet/cn=Recipients/cn=bob"
        for logon, flags, code in ((1, 0, 0x80070057), (1, 0x01000000, 0), (0, 0, 0)):
            batch = box.mailbox.batch(logon)
            step = batch.add(stores.Logon(1, flags, 0, dn))
            await box.run(batch)
            assert step.told is not None
            assert step.told.code == code


async def test_state_of_the_mailbox(tmp_path: Path) -> None:
    """MS-OXCSTOR R129: who is away; R889, R890, R888: whether there are searches."""
    async with desk(tmp_path) as it:
        box, public = await it.box(), await it.box(public=True)
        assert (await box.ask(0x7B)).answer.state == 0
        made = folders.CreateFolder((2, False, False, "Fruit", ""))
        await box.ask(made, await box.folder(10))
        assert (await box.ask(0x7B)).answer.state == 0x01000000
        assert await box.values(box.handle, 0x340E0003) == [0x01000000]
        step = await public.try_(0x7B)
        assert step.told is not None
        assert step.told.code == 0x80040102
        states = []
        for away in (False, True):
            await box.ask(properties.SetProperties(((0x661D000B, away),)))
            batch = box.mailbox.batch(0)
            step = batch.add(stores.Logon(1, 0, 0, ""))
            await box.run(batch)
            states.append(step.answer.logon.response_flags)
        assert states == [0x07, 0x17]


async def test_what_a_mailbox_may_hold_and_holds(tmp_path: Path) -> None:
    """MS-OXCSTOR R646 to R649: KiB, unset without a limit; R651: without hidden messages; R4005; R4003004."""
    quotas, content, replicas, locale = (0x666A0003, 0x666E0003), 0x36020003, 0x66380102, 0x67050003
    async with desk(tmp_path) as it:
        box, public = await it.box(), await it.box(public=True)
        assert [type(one) for one in await box.values(box.handle, *quotas)] == [Error, Error]
        for number in range(3):
            await it.letter(f"letter {number}", folder=("INBOX", "INBOX", "Sent")[number])
        hidden = await box.open(messages.CreateMessage(0x0FFF, box.folders[INBOX], True), box.handle)
        await box.save(hidden)
        account = it.people["alice"].account_id
        await it.store.write(accounts.change, account, quota_bytes=5 * 1024 * 1024)
        assert await box.values(box.handle, *quotas, content, locale) == [5120, 5120, 3, 0x0409]
        (pairs,) = await box.values(box.handle, replicas)
        long = (await box.ask(stores.LongTermIdFromId(box.folders[INBOX]))).answer.id
        assert pairs == b"\x01\0" + long.replica.bytes_le
        assert await public.values(public.handle, content) == [0]
