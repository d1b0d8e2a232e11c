"""What single operations do, by the requirements of MS-OXCFOLD, MS-OXCMSG, MS-OXCPRPT and MS-OXCTABL."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from quintet.mapi import frame, recipients, restrict
from quintet.mapi.buffer import Reader, Writer
from quintet.mapi.ids import ShortId
from quintet.mapi.nspi import names
from quintet.mapi.rop import events, folders, messages, others, properties, registry, stores, streams, tables
from quintet.mapi.rop.batch import Step
from quintet.mapi.rop.serve.of_messages import COLUMNS
from quintet.mapi.rows import Key, Order, SortOrder
from quintet.mapi.types import Error, Named
from tests.support.mapiclient import BODY, CLASS, INBOX, NAME, SENT, SUBJECT, short
from tests.unit.mapi.rop.desk import Direct, desk, execute, executed

DATA, FILE_NAME, HTML = 0x37010102, 0x3707001F, 0x10130102
SUBJECT8, BODY8 = 0x0037001E, 0x1000001E
RECEIVED, IMPORTANCE = 0x0E060040, 0x00170003


def code(step: Step) -> int:
    assert step.told is not None
    return step.told.code


async def new_message(box: Direct, **values: Any) -> int:
    handle = await box.open(messages.CreateMessage(0x0FFF, box.folders[INBOX], False))
    await box.put(handle, **values)
    return handle


async def opened(box: Direct, number: int, mode: int = 3) -> int:
    return await box.open(messages.OpenMessage(0x0FFF, box.folders[INBOX], mode, ShortId(1, number)))


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
        assert short(next(row[0] for row in rows if row[1].upper() == "MY.CLASS")) == sent
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
        rules = await box.open(others.GetRulesTable(0), inbox)
        assert await box.rows(rules, (0x66740014,)) == []


# --- messages -----------------------------------------------------------------------------------------------


async def test_opening_tells_subject_and_recipients(tmp_path: Path) -> None:
    """MS-OXCMSG 2.2.3.1.2: the prefix apart, recipient rows with the columns of the answer."""
    async with desk(tmp_path) as it:
        number = await it.letter("Re: A question")
        box = await it.box()
        step = await box.ask(messages.OpenMessage(0x0FFF, box.folders[INBOX], 0, ShortId(1, number)))
        told = step.answer
        assert (told.prefix, told.subject, told.recipients) == ("Re: ", "A question", 1)
        (row,) = told.rows
        found = recipients.get(Reader(row.row), told.columns)
        assert (found.email, row.kind) == ("alice@example.org", 1)
        wrong = messages.OpenMessage(0x0FFF, box.folders[SENT], 0, ShortId(1, number))
        assert code(await box.try_(wrong)) == 0x8004010F  # R1477


async def test_nothing_is_kept_before_it_is_saved(tmp_path: Path) -> None:
    """MS-OXCMSG R339, R476, R478; 2.2.3.3: the id comes with the first save."""
    async with desk(tmp_path) as it:
        box = await it.box()
        inbox = await box.folder(INBOX)
        handle = await new_message(box, subject="Draft", body="text")
        assert await box.values(handle, SUBJECT) == ["Draft"]
        assert await box.contents(inbox) == []
        saved = await box.save(handle)
        assert [(short(row[0]), row[1]) for row in await box.contents(inbox)] == [(saved, "Draft")]
        await box.put(handle, subject="Changed")
        assert [row[1] for row in await box.contents(inbox)] == ["Draft"]
        assert await box.save(handle) == saved
        assert [(short(row[0]), row[1]) for row in await box.contents(inbox)] == [(saved, "Changed")]


async def test_who_saves_second_is_told(tmp_path: Path) -> None:
    """MS-OXCMSG R705: ObjectModified, unless it forces."""
    async with desk(tmp_path) as it:
        number = await it.letter("One")
        box = await it.box()
        first, second = await opened(box, number), await opened(box, number)
        await box.put(first, subject="First")
        await box.save(first)
        await box.put(second, subject="Second")
        assert code(await box.try_(messages.SaveChangesMessage(0x0A), second)) == 0x80040109
        await box.save(second, 0x04)
        assert [row[1] for row in await box.contents(await box.folder(INBOX))] == ["Second"]


async def test_modes_of_opening(tmp_path: Path) -> None:
    """MS-OXCMSG 2.2.3.1.1: what was opened to be read is not written; R1699: nor saved."""
    async with desk(tmp_path) as it:
        number = await it.letter("One")
        box = await it.box()
        handle = await opened(box, number, 0)
        assert code(await box.try_(properties.SetProperties(((SUBJECT, "x"),)), handle)) == 0x80070005
        assert code(await box.try_(messages.SaveChangesMessage(0), handle)) == 0x80004005


def row(address: str, name: str, page: str = "latin-1", *, unicode: bool = True) -> bytes:
    writer = Writer()
    one = recipients.Row(kind=recipients.Address.SMTP, name=name, email=address, unicode=unicode)
    recipients.put(writer, one, (), page)
    return writer.done()


async def test_recipients(tmp_path: Path) -> None:
    """MS-OXCMSG R388 to R391: rows by their ids, an empty one deletes; R328, R329: read from an id on."""
    async with desk(tmp_path) as it:
        box = await it.box()
        handle = await new_message(box, subject="To many")
        changes = (
            messages.ChangedRecipient(5, 1, row("bob@example.org", "Bob")),
            messages.ChangedRecipient(7, 2, row("zoe@example.org", "Zo\xeb", "cp1252", unicode=False)),
            messages.ChangedRecipient(9, 3, row("x@example.org", "X")),
        )
        await box.ask(messages.ModifyRecipients(messages.Changes((), changes)), handle)
        gone = messages.Changes((), (messages.ChangedRecipient(9, 3, b""),))
        await box.ask(messages.ModifyRecipients(gone), handle)
        assert await box.values(handle, 0x0E04001F, 0x0E03001F) == ["Bob", "Zoë"]
        found = (await box.ask(messages.ReadRecipients(6, 0), handle)).answer.rows
        assert [(one.id, one.kind) for one in found] == [(7, 2)]
        assert code(await box.try_(messages.ReadRecipients(8, 0), handle)) == 0x8004010F
        raw = frame.wrap([registry.join(bytes((0x0F, 0, 0, 6, 0, 0, 0, 0, 0)), [handle])])
        body = await it.endpoint.answer(
            box.state, "execute", execute(raw, most=100)
        )  # R1056: no room for one
        assert frame.unwrap(executed(body)[2])[0][4:8] == b"\x7d\4\0\0"
        reloaded = (await box.ask(messages.ReloadCachedInformation(0), handle)).answer
        assert (reloaded.subject, reloaded.recipients) == ("To many", 2)
        await box.ask(messages.RemoveAllRecipients(0), handle)
        assert code(await box.try_(messages.ReadRecipients(0, 0), handle)) == 0x8004010F


async def test_recipients_of_the_address_book(tmp_path: Path) -> None:
    """MS-OXCRPC_R539, MS-OXCDATA 2.8.3.2: names are told without the prefix that Connect gave."""
    async with desk(tmp_path) as it:
        box = await it.box()
        handle = await new_message(box, subject="To a colleague")
        dn = names.of_object(it.people["bob"].account_id, "bob@example.org")
        changes = []
        for at, used in enumerate((len(names.RECIPIENTS), 0)):
            one = recipients.Row(kind=recipients.Address.X500, name="Bob", prefix_used=used, x500=dn[used:])
            writer = Writer()
            recipients.put(writer, one, ())
            changes.append(messages.ChangedRecipient(at, 1, writer.done()))
        await box.ask(messages.ModifyRecipients(messages.Changes((), tuple(changes))), handle)
        await box.ask(messages.SaveChangesMessage(0x0A), handle)
        found = (await box.ask(messages.ReadRecipients(0, 0), handle)).answer.rows
        assert len(found) == 2
        for one in found:
            told = recipients.get(Reader(one.row), COLUMNS)
            bag = recipients.to_bag(told, COLUMNS)
            assert (told.x500, bag[recipients.SMTP_ADDRESS]) == (dn, "bob@example.org")
            assert bag[recipients.ENTRY_ID] == names.permanent(0, dn)


async def test_attachments_and_messages_in_them(tmp_path: Path) -> None:
    """MS-OXCMSG R446, R1062, R440, R1063; 2.2.3.16: an embedded message is saved into its attachment."""
    async with desk(tmp_path) as it:
        box = await it.box()
        handle = await new_message(box, subject="With parts")
        first = await box.ask(0x23, handle)
        assert first.opens is not None
        await box.ask(
            properties.SetProperties(((FILE_NAME, "a.txt"), (DATA, b"content"))), first.opens.handle
        )
        await box.ask(messages.SaveChangesAttachment(0x0A), first.opens.handle)
        second = await box.ask(0x23, handle)
        assert second.opens is not None
        assert (
            code(await box.try_(messages.OpenEmbeddedMessage(0x0FFF, 1), second.opens.handle)) == 0x8004010F
        )
        inner = await box.open(messages.OpenEmbeddedMessage(0x0FFF, 2), second.opens.handle)
        await box.put(inner, subject="Inside")
        await box.save(inner)
        await box.ask(messages.SaveChangesAttachment(0x0A), second.opens.handle)
        saved = await box.save(handle)

        again = await box.open(messages.OpenMessage(0x0FFF, box.folders[INBOX], 1, saved))
        table = await box.open(messages.GetAttachmentTable(0), again)
        rows = await box.rows(table, (0x0E210003, FILE_NAME, 0x37050003))
        assert [(line[0], line[2]) for line in rows] == [(0, 1), (1, 5)]
        assert rows[0][1] == "a.txt"
        assert (await box.ask(0x52, again)).answer.numbers == (0, 1)
        part = await box.open(messages.OpenAttachment(0, 0), again)
        assert await box.stream(part, DATA, 3) == b"content"
        part = await box.open(messages.OpenAttachment(0, 1), again)
        step = await box.ask(messages.OpenEmbeddedMessage(0x0FFF, 0), part)
        assert step.answer.subject == "Inside"
        assert code(await box.try_(messages.OpenAttachment(0, 7), again)) == 0x8004010F
        await box.ask(messages.DeleteAttachment(0), again)
        await box.save(again)
        assert (await box.ask(0x52, again)).answer.numbers == (1,) or (
            await box.ask(0x52, again)
        ).answer.numbers == (0,)


async def test_status(tmp_path: Path) -> None:
    """MS-OXCMSG 2.2.3.8, 2.2.3.9: bits by a mask; what they were is told."""
    async with desk(tmp_path) as it:
        number = await it.letter("One")
        box = await it.box()
        inbox = await box.folder(INBOX)
        assert (
            await box.ask(messages.SetMessageStatus(ShortId(1, number), 0x1004, 0x1004), inbox)
        ).answer.status == 0
        step = await box.ask(messages.SetMessageStatus(ShortId(1, number), 0, 0x4), inbox)
        assert step.answer.status == 0x1004
        assert (await box.ask(messages.GetMessageStatus(ShortId(1, number)), inbox)).answer.status == 0x1000


# --- properties and streams ---------------------------------------------------------------------------------


async def test_widths_of_text(tmp_path: Path) -> None:
    """MS-OXCPRPT R458 to R460: as the tag says; without a type by WantUnicode, in the session's code page."""
    async with desk(tmp_path) as it:
        box = await it.box()
        handle = await new_message(box)
        await box.ask(properties.SetProperties(((SUBJECT8, b"Gr\xfc\xdfe"),)), handle)
        assert await box.values(handle, SUBJECT, SUBJECT8) == ["Grüße", b"Gr\xfc\xdfe"]
        untyped = 0x00370000
        assert await box.values(handle, untyped) == [(0x1F, "Grüße")]
        step = await box.ask(properties.GetPropertiesSpecific(0, False, (untyped, 0x12340003)), handle)
        assert step.answer.row == [(0x1E, b"Gr\xfc\xdfe"), Error(0x8004010F)]
        everything = dict((await box.ask(properties.GetPropertiesAll(0, True), handle)).answer.values)
        assert everything[SUBJECT] == "Grüße"
        listed = (await box.ask(0x09, handle)).answer.tags
        assert SUBJECT in listed
        await box.ask(properties.DeleteProperties((SUBJECT,)), handle)
        assert await box.values(handle, SUBJECT) == [Error(0x8004010F)]


async def test_a_message_has_a_code_page_of_its_own(tmp_path: Path) -> None:
    """MS-OXCMSG R655, R656, R691, R692, R885, R1068: 0x0FFF is the logon's; an unknown one is refused."""
    async with desk(tmp_path) as it:
        box = await it.box()
        made = await box.open(messages.CreateMessage(1251, box.folders[INBOX], False))
        await box.ask(properties.SetProperties(((SUBJECT8, "Чай".encode("cp1251")),)), made)
        number = (await box.save(made)).counter
        for page, text in ((1251, "Чай".encode("cp1251")), (866, "Чай".encode("cp866")), (0x0FFF, b"???")):
            opening = messages.OpenMessage(page, box.folders[INBOX], 3, ShortId(1, number))
            assert await box.values(await box.open(opening), SUBJECT8, SUBJECT) == [text, "Чай"]
        for body in (
            messages.OpenMessage(999, box.folders[INBOX], 3, ShortId(1, number)),
            messages.CreateMessage(999, box.folders[INBOX], False),
        ):
            assert code(await box.try_(body)) == 0x3EF


async def test_computed_properties_are_a_problem(tmp_path: Path) -> None:
    """MS-OXCPRPT R475: told by place and tag; the others are set."""
    async with desk(tmp_path) as it:
        box = await it.box()
        handle = await new_message(box)
        step = await box.ask(properties.SetProperties(((0x0E080003, 5), (IMPORTANCE, 2))), handle)
        (problem,) = step.answer.problems
        assert (problem.index, problem.tag, problem.code) == (0, 0x0E080003, 0x8004011A)
        assert await box.values(handle, IMPORTANCE) == [2]


async def test_named_properties(tmp_path: Path) -> None:
    """MS-OXCPRPT 3.2.5.9, 3.2.5.10; R222: 0 where there is none and none is made."""
    async with desk(tmp_path) as it:
        box = await it.box()
        guid = uuid.UUID("00062008-0000-0000-c000-000000000046")
        names = (Named(guid, 0x8503), Named(guid, "Mine"))
        nothing = (await box.ask(properties.GetPropertyIdsFromNames(0, names))).answer.numbers
        assert nothing[1] == 0
        numbers = (await box.ask(properties.GetPropertyIdsFromNames(2, names))).answer.numbers
        assert all(number >= 0x8000 for number in numbers)
        assert (await box.ask(properties.GetNamesFromPropertyIds(numbers))).answer.names == names
        handle = await new_message(box)
        tag = numbers[1] << 16 | 0x1F
        await box.ask(properties.SetProperties(((tag, "value"),)), handle)
        saved = await box.save(handle)
        again = await box.open(messages.OpenMessage(0x0FFF, box.folders[INBOX], 0, saved))
        assert await box.values(again, tag) == ["value"]
        # MS-OXCPRPT R495, R876 to R878: all of a mailbox, or those that an object has
        every = (await box.ask(properties.GetPropertyIdsFromNames(0, ()))).answer.numbers
        assert set(numbers) <= set(every)
        query = properties.QueryNamedProperties
        assert dict((await box.ask(query(0xF0, None))).answer.mapping).keys() == set(every)
        assert (await box.ask(query(0, None), again)).answer.mapping == ((numbers[1], names[1]),)
        assert (await box.ask(query(1, None), again)).answer.mapping == ()
        only = (await box.ask(query(2, guid))).answer.mapping
        assert only and all(one.guid == guid and isinstance(one.name, str) for _, one in only)


async def test_what_is_too_long_for_an_answer_is_a_stream(tmp_path: Path) -> None:
    """MS-OXCPRPT R90701: 0x8007000E in its place; MS-OXCTABL R122: a table cuts at 255 characters."""
    async with desk(tmp_path) as it:
        box = await it.box()
        long = "ä" * 70_000
        handle = await new_message(box, subject="s" * 400)
        stream = await box.open(streams.OpenStream(BODY, 2), handle)
        for start in range(0, 140_000, 30_000):
            await box.ask(streams.WriteStream(long.encode("utf-16-le")[start : start + 30_000]), stream)
        assert await box.values(handle, BODY, CLASS) == [Error(0x8007000E), "IPM.Note"]
        assert (await box.stream(handle, BODY, 0x8000)).decode("utf-16-le") == long
        await box.save(handle)
        assert (await box.contents(await box.folder(INBOX)))[0][1] == "s" * 255


async def test_streams(tmp_path: Path) -> None:
    """MS-OXCPRPT 3.2.5.11 to 3.2.5.19: R56401, R57706, R57707, R583, R582, R902, R900, R891, R592."""
    async with desk(tmp_path) as it:
        box = await it.box()
        handle = await new_message(box, subject="Stream")
        assert code(await box.try_(streams.OpenStream(HTML, 0), handle)) == 0x8004010F
        stream = await box.open(streams.OpenStream(HTML, 2), handle)
        assert (await box.ask(streams.WriteStream(b"<p>one</p>"), stream)).answer.written == 10
        assert await box.values(handle, HTML) == [b"<p>one</p>"]  # at once for who holds the object
        await box.ask(streams.SetStreamSize(12), stream)
        assert (await box.ask(0x5E, stream)).answer.size == 12
        await box.ask(streams.SetStreamSize(6), stream)
        assert (await box.ask(streams.SeekStream(0, 0), stream)).answer.position == 0
        assert (await box.ask(streams.ReadStream(100), stream)).answer.data == b"<p>one"
        assert (await box.ask(streams.SeekStream(2, 2), stream)).answer.position == 8
        assert (await box.ask(0x5E, stream)).answer.size == 8
        for origin, offset, wrong in ((0, -1, 0x80030019), (0, 1 << 31, 0x80030019), (3, 0, 0x80030057)):
            assert code(await box.try_(streams.SeekStream(origin, offset), stream)) == wrong
        await box.ask(0x5D, stream)
        assert await box.values(handle, HTML) == [b"<p>one\0\0"]
        reading = await box.open(streams.OpenStream(HTML, 0), handle)
        assert code(await box.try_(streams.WriteStream(b"x"), reading)) == 0x80030005
        target = await box.open(streams.OpenStream(BODY8, 2), handle)
        copied = (await box.ask(streams.CopyToStream(6), reading, target)).answer
        assert (copied.read, copied.written) == (6, 6)
        await box.ask(0x5D, target)
        assert await box.values(handle, BODY) == ["<p>one"]


async def test_streams_of_folders(tmp_path: Path) -> None:
    """MS-OXCPRPT R56401, R56405: its value at once, and kept when the stream is committed or released."""
    async with desk(tmp_path) as it:
        box = await it.box()
        inbox, binary = await box.folder(INBOX), 0x36DA0102
        stream = await box.open(streams.OpenStream(binary, 2), inbox)
        await box.ask(streams.WriteStream(b"one"), stream)
        assert await box.values(inbox, binary) == [b"one"]
        await box.ask(streams.WriteStream(b" two"), stream)
        await box.release(stream)
        assert await box.values(await box.folder(INBOX), binary) == [b"one two"]
        batch = box.batch()  # all in one buffer, in which nobody knows yet that it is a folder's
        opened = batch.add(folders.OpenFolder(box.folders[SENT], 0), box.handle)
        made = batch.add(streams.OpenStream(binary, 2), opened.opens)
        batch.add(streams.WriteStream(b"three"), made.opens)
        read = batch.add(properties.GetPropertiesSpecific(0, True, (binary,)), opened.opens)
        batch.add(0x5D, made.opens)
        await box.run(batch)
        assert [code(step) for step in batch.steps] == [0] * 5
        assert list(read.answer.row) == [b"three"]
        assert await box.values(await box.folder(SENT), binary) == [b"three"]


@pytest.mark.parametrize("count", [3, 40])
async def test_large_streams_are_written_in_pieces(tmp_path: Path, count: int) -> None:
    async with desk(tmp_path) as it:
        box = await it.box()
        handle = await new_message(box, subject="Large")
        part = await box.ask(0x23, handle)
        assert part.opens is not None
        stream = await box.open(streams.OpenStream(DATA, 2), part.opens.handle)
        for _ in range(count):
            assert (
                await box.ask(streams.WriteStreamExtended(b"x" * 30_000), stream)
            ).answer.written == 30_000
        await box.release(stream)
        await box.ask(messages.SaveChangesAttachment(0x0A), part.opens.handle)
        saved = await box.save(handle)
        again = await box.open(messages.OpenMessage(0x0FFF, box.folders[INBOX], 0, saved))
        reading = await box.open(messages.OpenAttachment(0, 0), again)
        assert await box.stream(reading, DATA, 0x7000) == b"x" * 30_000 * count


async def test_copying(tmp_path: Path) -> None:
    """MS-OXCPRPT R500, R879, R880, R881, R5070501, R821."""
    async with desk(tmp_path) as it:
        number = await it.letter("The source", "Its text")
        box = await it.box()
        source = await opened(box, number)
        target = await new_message(box, subject="Mine")
        kept = properties.CopyTo(False, True, 2, ())
        await box.ask(kept, source, target)
        assert await box.values(target, SUBJECT) == ["Mine"]
        body = (await box.values(target, BODY))[0]
        assert body.startswith("Its text")
        await box.ask(properties.CopyProperties(False, 0, (SUBJECT,)), source, target)
        assert await box.values(target, SUBJECT, 0x0E04001F) == ["The source", "alice@example.org"]
        assert code(await box.try_(properties.CopyTo(False, True, 8, ()), source, target)) == 0x80070057
        inbox = await box.folder(INBOX)
        assert code(await box.try_(properties.CopyTo(False, True, 0, ()), source, inbox)) == 0x80040102
        assert code(await box.try_(properties.CopyProperties(False, 1, (NAME,)), inbox, inbox)) == 0x80040102
        assert code(await box.try_(properties.CopyTo(False, True, 0, ()), source, 0x00777777)) == 0x503


async def test_the_store_has_properties(tmp_path: Path) -> None:
    """MS-OXCSTOR 2.2.2.1: who owns it; where its folders are; what the owner sets stays."""
    async with desk(tmp_path) as it:
        box = await it.box()
        name, entry, other = await box.values(box.handle, 0x661C001F, 0x35E30102, 0x36D00102)
        assert name == "Alice"
        assert len(entry) == len(other) == 46
        inbox = await box.folder(INBOX)
        assert (await box.values(inbox, 0x36D00102))[0] == other  # where clients look it up
        assert len((await box.values(inbox, 0x36D81102))[0]) == 5
        await box.ask(properties.SetProperties(((0x3004001F, "my store"),)))
        assert await box.values(box.handle, 0x3004001F) == ["my store"]


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
