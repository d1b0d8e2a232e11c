"""Messages, their properties and streams, by the requirements of MS-OXCMSG and MS-OXCPRPT."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from quintet.mapi import frame, recipients
from quintet.mapi.buffer import Reader, Writer
from quintet.mapi.ids import ShortId
from quintet.mapi.nspi import names
from quintet.mapi.rop import folders, messages, properties, registry, streams
from quintet.mapi.rop.serve import session
from quintet.mapi.rop.serve.of_messages import COLUMNS
from quintet.mapi.types import Error, Named
from quintet.store import entries
from quintet.store.content import content_of
from quintet.store.model import FolderId
from tests.support.mapiclient import BODY, CLASS, INBOX, NAME, SENT, SUBJECT, short
from tests.unit.mapi.rop.asking import (
    BODY8,
    DATA,
    FILE_NAME,
    HTML,
    IMPORTANCE,
    SUBJECT8,
    code,
    new_message,
    opened,
    row,
)
from tests.unit.mapi.rop.desk import desk, execute, executed

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


async def test_names_that_everybody_knows_are_listed(tmp_path: Path) -> None:
    """MS-OXCPRPT R468, R46803: all that a letter has, also what nobody asked for by name before."""
    letter = b"Subject: s\r\nKeywords: red, blue\r\nX-Odd: 1\r\n\r\ntext\r\n"
    async with desk(tmp_path) as it:
        box = await it.box()
        inbox = FolderId(box.folders[INBOX].counter)
        (added,) = await it.store.write(entries.add, [inbox], content_of(letter), received_at=1)
        handle = await opened(box, added.entry_id)
        query = properties.QueryNamedProperties(0, None)
        ((number, name),) = (await box.ask(query, handle)).answer.mapping
        assert name.name == "Keywords"
        found = dict((await box.ask(properties.GetPropertiesAll(0, True), handle)).answer.values)
        assert found[number << 16 | 0x101F] == ["red", "blue"]
        assert number << 16 | 0x101F in (await box.ask(0x09, handle)).answer.tags


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


async def test_extended_rules_are_refused(tmp_path: Path) -> None:
    """MS-OXORULE R1015, R1016; MS-OXCSTOR R643, R3055001: conditions have no bytes, as the logon says."""
    async with desk(tmp_path) as it:
        box = await it.box()
        assert await box.values(box.handle, 0x0E9B0003) == [0]
        hidden = await box.open(messages.CreateMessage(0x0FFF, box.folders[INBOX], True))
        await box.put(hidden, klass="IPM.ExtendedRule.Message")
        step = await box.ask(properties.SetProperties(((0x0E9A0102, b"\0\0\3"), (0x65E90003, 1))), hidden)
        assert [(one.index, one.code) for one in step.answer.problems] == [(0, 0x80040305)]
        stream = await box.open(streams.OpenStream(0x0E9A0102, 2), hidden)
        await box.ask(streams.WriteStream(b"\0\0\3"), stream)
        assert code(await box.try_(0x5D, stream)) == 0x80040305
        (problem,) = (await box.ask(properties.SetProperties(((0x0E9B0003, 9),)))).answer.problems
        assert problem.code == 0x8004011A


async def test_what_is_held_open_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small requests for large things: all sessions of an account together, until something is released."""
    monkeypatch.setattr(session, "MAX_WEIGHT", 1_000_000)
    async with desk(tmp_path) as it:
        number = await it.letter("Large", "x" * 150_000)
        box, beside, bob = await it.box(), await it.box(), await it.box("bob")
        handle = await opened(box, number)
        held = []
        while not code(step := await box.try_(streams.OpenStream(0x1000001F, 0), handle)):
            assert step.opens is not None
            held.append(step.opens.handle)
        assert code(step) == 0x8007000E
        assert 1 < len(held) < 8
        letter = messages.OpenMessage(0x0FFF, beside.folders[INBOX], 3, ShortId(1, number))
        assert code(await beside.try_(letter)) == 0x8007000E
        made = await new_message(bob)
        await bob.ask(streams.OpenStream(0x1000001F, 2), made)
        await box.release(held[0])
        assert code(await beside.try_(letter)) == 0


async def test_what_is_attached_weighs_once(tmp_path: Path) -> None:
    """Whoever's it is at the moment: the stream's, the attachment's, the message's."""
    async with desk(tmp_path) as it:
        box = await it.box()
        message = await new_message(box)
        held = box.state.session
        attached = await box.open(0x23, message)
        stream = await box.open(streams.OpenStream(DATA, 2), attached)
        await box.ask(streams.SetStreamSize(1_000_000), stream)
        for step in (None, (0x5D, stream), (messages.SaveChangesAttachment(0x0A), attached)):
            if step is not None:
                await box.ask(*step)
            assert 1_000_000 < held.weight < 1_500_000
        await box.save(message)
        for handle in (stream, attached, message):
            await box.release(handle)
        assert held.weight == 0
