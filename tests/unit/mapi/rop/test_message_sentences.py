"""Messages and attachments of the wire, sentence by sentence (MS-OXCMSG 3.2.5.1 to 3.2.5.17)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quintet.mapi.ids import ShortId
from quintet.mapi.rop import folders, messages, properties, streams
from tests.support.mapiclient import INBOX, SUBJECT
from tests.unit.mapi.rop.asking import DATA, code, new_message, opened, row
from tests.unit.mapi.rop.desk import Desk, Direct, desk

DENIED, NOT_FOUND, NOT_SUPPORTED, NULL = 0x80070005, 0x8004010F, 0x80040102, 0x4B9
MODIFIED, FAILED, UNKNOWN_PAGE = 0x80040109, 0x80004005, 0x3EF
LEVEL, ACCESS, FLAGS, SIZE, CHANGE_KEY = 0x0FF70003, 0x0FF40003, 0x0E070003, 0x0E080003, 0x65E20102
FILE_NAME, NUMBER, RENDERING, METHOD = 0x3707001F, 0x0E210003, 0x370B0003, 0x37050003
CREATED, CHANGED, HAS_ATTACHMENTS, STATUS = 0x30070040, 0x30080040, 0x0E1B000B, 0x0E170003
READ_ONLY, READ_WRITE = 0, 1
WRITE = properties.SetProperties(((SUBJECT, "Other"),))
NAMED = properties.SetProperties(((FILE_NAME, "other.txt"),))


async def writes(box: Direct, handle: int, asked: Any = WRITE) -> bool:
    """Whether a property of what is open can be set."""
    step = await box.try_(asked, handle)
    return code(step) == 0 and step.answer.problems == ()


async def attached(it: Desk, *names: str) -> tuple[Direct, int, int]:
    """A letter of one's own with attachments; it is open."""
    number = await it.letter("One")
    box = await it.box()
    handle = await opened(box, number)
    for name in names:
        part = await box.open(0x23, handle)
        await box.ask(properties.SetProperties(((FILE_NAME, name), (METHOD, 1), (DATA, b"content"))), part)
        await box.ask(messages.SaveChangesAttachment(0x0A), part)
    await box.save(handle)
    return box, number, handle


# --- messages -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "level"), [(0x00, READ_ONLY), (0x01, READ_WRITE), (0x03, READ_WRITE), (0xF0, READ_ONLY)]
)
async def test_a_message_is_opened_as_was_asked(tmp_path: Path, mode: int, level: int) -> None:
    """R321, R661, R663, R665, R1293."""
    async with desk(tmp_path) as it:
        number = await it.letter("One")
        box = await it.box()
        handle = await opened(box, number, mode)
        assert await box.values(handle, SUBJECT, LEVEL) == ["One", level]
        assert await writes(box, handle) is bool(level)


async def test_messages_that_are_not_opened(tmp_path: Path) -> None:
    """R323, R333, R1068: there is none; in no code page that is known."""
    async with desk(tmp_path) as it:
        number = await it.letter("One")
        box = await it.box()
        inbox = box.folders[INBOX]
        for page, one, expected in ((0x0FFF, 99_999, NOT_FOUND), (54_321, number, UNKNOWN_PAGE)):
            asked = messages.OpenMessage(page, inbox, 0, ShortId(1, one))
            assert code(await box.try_(asked)) == expected
        assert code(await box.try_(messages.CreateMessage(54_321, inbox, False))) == UNKNOWN_PAGE


async def test_each_handle_has_its_own_changes(tmp_path: Path) -> None:
    """R1475, R703; and who saves last says that he means it, R724."""
    async with desk(tmp_path) as it:
        number = await it.letter("One")
        box = await it.box()
        first, second = await opened(box, number), await opened(box, number)
        assert first != second
        assert await writes(box, first)
        assert await box.values(first, SUBJECT) == ["Other"]
        assert await box.values(second, SUBJECT) == ["One"]
        await box.save(first)
        await box.put(second, subject="Third")
        assert code(await box.try_(messages.SaveChangesMessage(0x0A), second)) == MODIFIED
        assert await writes(box, second)  # it stays open as it was (R718)
        await box.put(second, subject="Third")
        assert code(await box.try_(messages.SaveChangesMessage(0x0C), second)) == 0
        assert await box.values(await opened(box, number), SUBJECT) == ["Third"]


@pytest.mark.parametrize(
    ("flags", "level"),
    [(0x01, READ_ONLY), (0x09, READ_ONLY), (0x02, READ_WRITE), (0x0A, READ_WRITE), (0x0C, READ_WRITE)],
)
async def test_a_message_is_open_after_it_is_saved(tmp_path: Path, flags: int, level: int) -> None:
    """R370, R372, R710, R1671, R719, R723."""
    async with desk(tmp_path) as it:
        number = await it.letter("One")
        box = await it.box()
        handle = await opened(box, number)
        assert await writes(box, handle)
        assert await box.save(handle, flags) == ShortId(1, number)
        assert await box.values(handle, LEVEL) == [level]
        assert await writes(box, handle) is bool(level)
        saved = await box.try_(messages.SaveChangesMessage(flags), handle)
        assert code(saved) == (0 if level else FAILED)


async def test_what_a_new_message_has(tmp_path: Path) -> None:
    """R340, R341 to R346, R1141, R1480, R3006, R3016, R349, R352 to R354,
    R2034, R356 to R358, R364, R1481.
    """
    async with desk(tmp_path) as it:
        box = await it.box()
        handle = await new_message(box)
        tags = (
            0x00170003, 0x001A001F, 0x00360003, 0x0E02001F, 0x0E03001F, 0x0E04001F, FLAGS, HAS_ATTACHMENTS,
            0x0E790003, ACCESS, LEVEL, 0x664A000B,
        )  # fmt: skip
        found = await box.values(handle, *tags)
        assert found[:8] == [1, "IPM.Note", 0, "", "", "", 0x409, False]
        assert found[8] == 1
        assert found[9] & 3 == 3
        assert found[10:] == [1, False]
        made, changed, key, size = await box.values(handle, CREATED, CHANGED, 0x300B0102, SIZE)
        assert made == changed
        assert len(key) >= 16
        assert size > 0


# --- recipients ---------------------------------------------------------------------------------------------


async def recipients(box: Direct, handle: int, start: int = 0) -> list[int] | int:
    step = await box.try_(messages.ReadRecipients(start, 0), handle)
    return [one.id for one in step.answer.rows] if not code(step) else code(step)


async def test_recipients_stay_with_the_handle_until_it_is_saved(tmp_path: Path) -> None:
    """R327, R330, R379, R381, R382, R400, R401, R1054, R1495, R403, R1055."""
    async with desk(tmp_path) as it:
        box = await it.box()
        handle = await new_message(box)
        assert await recipients(box, handle) == NOT_FOUND
        rows = tuple(
            messages.ChangedRecipient(at, 1, row(f"p{at}@example.org", f"P{at}")) for at in (0, 1, 4)
        )
        await box.ask(messages.ModifyRecipients(messages.Changes((), rows)), handle)
        number = (await box.save(handle)).counter
        one, other = await opened(box, number), await opened(box, number)
        assert await recipients(box, one) == [0, 1, 2]  # anew, without gaps
        assert await recipients(box, one, 1) == [1, 2]
        assert await recipients(box, one, 9) == NOT_FOUND
        told = (await box.ask(messages.ReloadCachedInformation(0), one)).answer
        assert (told.recipients, len(told.rows)) == (3, 3)
        await box.ask(messages.RemoveAllRecipients(0x12345678), one)
        assert await recipients(box, one) == NOT_FOUND
        assert await recipients(box, other) == [0, 1, 2]
        assert await recipients(box, await opened(box, number)) == [0, 1, 2]
        await box.save(one)
        assert await recipients(box, await opened(box, number)) == NOT_FOUND


# --- states -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0x0, 0x3, 0xF, 0xFFFFFFFF])
async def test_the_status_of_a_message(tmp_path: Path, mask: int) -> None:
    """R416, R1500, R1501, R421: at once, of the mask's bits, without its being opened or changed."""
    async with desk(tmp_path) as it:
        number = await it.letter("One")
        box = await it.box()
        inbox, one = await box.folder(INBOX), ShortId(1, number)
        before = await box.values(await opened(box, number), CHANGE_KEY)
        await box.ask(messages.SetMessageStatus(one, 0x5, 0xF), inbox)
        told = await box.ask(messages.SetMessageStatus(one, 0x2, mask), inbox)
        assert told.answer.status == 0x5
        expected = 0x5 & ~mask | 0x2 & mask
        assert (await box.ask(messages.GetMessageStatus(one), inbox)).answer.status == expected
        assert await box.values(await opened(box, number), CHANGE_KEY, STATUS) == [*before, expected]


async def test_a_status_is_asked_of_its_folder(tmp_path: Path) -> None:
    """R1505, R1507, R1521: of nothing else; R333: a message that is there."""
    async with desk(tmp_path) as it:
        number = await it.letter("One")
        box = await it.box()
        inbox, message = await box.folder(INBOX), await opened(box, number)
        for asked in (
            messages.SetMessageStatus(ShortId(1, number), 1, 1),
            messages.GetMessageStatus(ShortId(1, number)),
        ):
            assert code(await box.try_(asked, message)) == NULL
        assert code(await box.try_(messages.SetMessageReadFlag(0, b""), inbox)) == NULL
        assert code(await box.try_(messages.GetMessageStatus(ShortId(1, 99_999)), inbox)) == NOT_FOUND


@pytest.mark.parametrize("later", [False, True])
async def test_read_flags_of_many(tmp_path: Path, later: bool) -> None:
    """R1703, R426, R1509 to R1512, R1514: done when it answers, whatever was asked."""
    async with desk(tmp_path) as it:
        one, two = await it.letter("One"), await it.letter("Two")
        box = await it.box()
        inbox = await box.folder(INBOX)
        before = await box.values(await opened(box, one), CHANGE_KEY)
        asked = folders.SetReadFlags(later, 1, (ShortId(1, one), ShortId(1, 99_999)))
        assert (await box.ask(asked, inbox)).answer.partial is True
        assert [found[2] & 1 for found in await box.contents(inbox)] == [1, 0]
        assert await box.values(await opened(box, one), CHANGE_KEY) == before
        asked = folders.SetReadFlags(later, 1, (ShortId(1, one), ShortId(1, two)))
        assert (await box.ask(asked, inbox)).answer.partial is False
        assert [found[2] & 1 for found in await box.contents(inbox)] == [1, 1]


# --- attachments --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "level"), [(0, READ_ONLY), (1, READ_WRITE), (3, READ_WRITE)])
async def test_an_attachment_is_opened_as_was_asked(tmp_path: Path, mode: int, level: int) -> None:
    """R436, R853, R917 to R919, R1842."""
    async with desk(tmp_path) as it:
        box, _, message = await attached(it, "a.txt")
        part = await box.open(messages.OpenAttachment(mode, 0), message)
        assert await box.values(part, FILE_NAME, LEVEL) == ["a.txt", level]
        assert await box.stream(part, DATA) == b"content"
        assert await writes(box, part, NAMED) is bool(level)
        stream = await box.try_(streams.OpenStream(DATA, 1), part)
        assert code(stream) == (0 if level else DENIED)
        saved = await box.try_(messages.SaveChangesAttachment(0x0A), part)
        assert code(saved) == (0 if level else DENIED)


@pytest.mark.parametrize("mode", [0, 1, 3])
async def test_an_attachment_of_what_is_only_read(tmp_path: Path, mode: int) -> None:
    """R442, R919, R1064: not even with the best access it is written."""
    async with desk(tmp_path) as it:
        box, number, _ = await attached(it, "a.txt")
        message = await opened(box, number, 0)
        step = await box.try_(messages.OpenAttachment(mode, 0), message)
        if mode == 1:
            assert code(step) == DENIED
        else:
            assert step.opens is not None
            assert await box.values(step.opens.handle, LEVEL) == [READ_ONLY]
            assert await writes(box, step.opens.handle, NAMED) is False
            stream = await box.try_(streams.OpenStream(DATA, 1), step.opens.handle)
            assert code(stream) == DENIED
        assert code(await box.try_(messages.DeleteAttachment(0), message)) == DENIED
        assert code(await box.try_(0x23, message)) == DENIED


@pytest.mark.parametrize(
    ("flags", "level"),
    [(0x01, READ_ONLY), (0x09, READ_ONLY), (0x02, READ_WRITE), (0x0A, READ_WRITE), (0x0C, READ_WRITE)],
)
async def test_an_attachment_is_open_after_it_is_saved(tmp_path: Path, flags: int, level: int) -> None:
    """R462."""
    async with desk(tmp_path) as it:
        box, _, message = await attached(it, "a.txt")
        part = await box.open(messages.OpenAttachment(1, 0), message)
        assert await writes(box, part, NAMED)
        await box.ask(messages.SaveChangesAttachment(flags), part)
        assert await box.values(part, LEVEL) == [level]
        assert await writes(box, part, NAMED) is bool(level)


@pytest.mark.parametrize("flags", [0x03, 0x0B, 0x10, 0x80, 0xFF])
async def test_attachments_that_are_not_saved(tmp_path: Path, flags: int) -> None:
    """R466, R467."""
    async with desk(tmp_path) as it:
        box, _, message = await attached(it, "a.txt")
        part = await box.open(messages.OpenAttachment(1, 0), message)
        assert code(await box.try_(messages.SaveChangesAttachment(flags), part)) == NOT_SUPPORTED
        assert code(await box.try_(messages.SaveChangesAttachment(0x0A), message)) == NOT_SUPPORTED


async def test_what_a_new_attachment_has(tmp_path: Path) -> None:
    """R447, R448, R2035, R452, R453: its number is one that no other has."""
    async with desk(tmp_path) as it:
        box, _, message = await attached(it, "a.txt", "b.txt")
        step = await box.ask(0x23, message)
        assert step.opens is not None
        part = step.opens.handle
        number, rendering, level, made, changed = await box.values(
            part, NUMBER, RENDERING, LEVEL, CREATED, CHANGED
        )
        assert number == step.answer.number
        assert number not in (0, 1)
        assert (rendering & 0xFFFFFFFF, level) == (0xFFFFFFFF, READ_WRITE)
        assert made == changed
        table = await box.open(messages.GetAttachmentTable(0), message)
        assert len(await box.rows(table, (FILE_NAME,))) == 2  # not before it is saved


async def test_an_attachment_is_deleted_with_its_message_saved(tmp_path: Path) -> None:
    """R469, R1523, R490."""
    async with desk(tmp_path) as it:
        box, number, message = await attached(it, "a.txt")
        assert await box.values(message, HAS_ATTACHMENTS) == [True]
        await box.ask(messages.DeleteAttachment(0), message)
        assert await box.values(message, HAS_ATTACHMENTS) == [False]
        other = await opened(box, number)
        assert await box.values(other, HAS_ATTACHMENTS) == [True]
        await box.save(message)
        assert await box.values(await opened(box, number), HAS_ATTACHMENTS) == [False]
        table = await box.open(messages.GetAttachmentTable(0), await opened(box, number))
        assert await box.rows(table, (FILE_NAME,)) == []


async def test_a_message_in_an_attachment(tmp_path: Path) -> None:
    """R479, R881, R912, R913, R1845, R1848, R481, R911: it is there once it and what holds it are saved."""
    async with desk(tmp_path) as it:
        box, number, message = await attached(it)
        part = await box.open(0x23, message)
        await box.ask(properties.SetProperties(((METHOD, 5),)), part)
        step = await box.try_(messages.OpenEmbeddedMessage(0x0FFF, 0x01), part)
        assert code(step) == NOT_FOUND
        inner = await box.open(messages.OpenEmbeddedMessage(0x0FFF, 0x02), part)
        await box.put(inner, subject="Inner")
        step = await box.try_(messages.OpenEmbeddedMessage(0x0FFF, 0x01), part)
        assert code(step) == NOT_FOUND  # not saved yet
        await box.save(inner)
        await box.ask(messages.SaveChangesAttachment(0x0A), part)
        await box.save(message)
        again = await opened(box, number)
        for mode, level in ((0, READ_ONLY), (1, READ_WRITE)):
            part = await box.open(messages.OpenAttachment(3, 0), again)
            inner = await box.open(messages.OpenEmbeddedMessage(0x0FFF, mode), part)
            assert await box.values(inner, SUBJECT, LEVEL) == ["Inner", level]
            assert await writes(box, inner) is bool(level)
