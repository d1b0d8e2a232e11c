"""Properties of every kind of object: read, set, deleted, named, copied, as streams (MS-OXCPRPT 3.2.5.1)."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from quintet.mapi.ids import ShortId
from quintet.mapi.rop import messages, properties, streams
from quintet.mapi.types import Named
from tests.support.mapiclient import INBOX
from tests.unit.mapi.rop.asking import code, opened
from tests.unit.mapi.rop.desk import Desk, Direct, desk

NOT_SUPPORTED = 0x80040102
TEXT, NARROW, BINARY, NUMBER = 0x6900001F, 0x6900001E, 0x69010102, 0x69020003
VALUES: Final = ((TEXT, "text"), (BINARY, b"\0bytes"), (NUMBER, 7))
NAME: Final = Named(uuid.UUID(int=77), "Colour of the tea")
KINDS: Final = ("message", "folder", "attachment", "logon")


@dataclass
class Held:
    """An object that is open, and how to commit it and open it anew."""

    box: Direct
    handle: int
    again: Callable[[], Awaitable[int]]
    commit: Callable[[], Awaitable[None]]

    async def all(self, handle: int | None = None) -> dict[int, Any]:
        """What RopGetPropertiesAll tells."""
        asked = properties.GetPropertiesAll(0, True)
        return dict((await self.box.ask(asked, self.handle if handle is None else handle)).answer.values)

    async def told(self, handle: int | None = None) -> dict[int, Any]:
        """Of the properties of `VALUES` those that are there."""
        tags = [tag for tag, _ in VALUES]
        row = await self.box.values(self.handle if handle is None else handle, *tags)
        return {tag: value for tag, value in zip(tags, row, strict=True) if not hasattr(value, "code")}


async def _nothing() -> None:
    """It is committed at once."""


async def held(it: Desk, kind: str) -> Held:
    number = await it.letter("One")
    box = await it.box()
    if kind == "logon":

        async def relogged() -> int:
            return (await it.box()).handle

        return Held(box, box.handle, relogged, _nothing)
    if kind == "folder":

        async def reopened() -> int:
            return await box.folder(INBOX)

        return Held(box, await reopened(), reopened, _nothing)
    message = await opened(box, number)

    async def save() -> None:
        await box.ask(messages.SaveChangesMessage(0x0A), message)

    if kind == "message":

        async def read() -> int:
            return await box.open(messages.OpenMessage(0x0FFF, box.folders[INBOX], 0, ShortId(1, number)))

        return Held(box, message, read, save)
    attachment = await box.open(0x23, message)

    async def save_both() -> None:
        await box.ask(messages.SaveChangesAttachment(0x0A), attachment)
        await save()

    async def inner() -> int:
        other = await box.open(messages.OpenMessage(0x0FFF, box.folders[INBOX], 0, ShortId(1, number)))
        return await box.open(messages.OpenAttachment(0, 0), other)

    return Held(box, attachment, inner, save_both)


@contextlib.asynccontextmanager
async def holding(tmp_path: Path, kind: str) -> AsyncIterator[Held]:
    async with desk(tmp_path) as it:
        yield await held(it, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("set_", [properties.SetProperties, properties.SetPropertiesNoReplicate])
@pytest.mark.parametrize("drop", [properties.DeleteProperties, properties.DeletePropertiesNoReplicate])
async def test_what_is_set_is_there_until_it_is_deleted(
    tmp_path: Path, kind: str, set_: Any, drop: Any
) -> None:
    """R56, R5801 to R5804, R78, R8001 to R8004, R95, R9701 to R9704, R10001, R101, R10201 to R10204,
    R107, R113, R11401 to R11404, R112, R124, R822 to R824, R825, R826, R828, R830, R832, R83306, R835
    to R837, R839, R841, R843, R83604, R83605, R8360501, R83607, R84404: through the same handle at
    once, by each way of reading.
    """
    async with holding(tmp_path, kind) as it:
        assert (await it.box.ask(set_(VALUES), it.handle)).answer.problems == ()
        assert await it.told() == dict(VALUES)
        assert dict(VALUES).items() <= (await it.all()).items()
        assert set(dict(VALUES)) <= set((await it.box.ask(0x09, it.handle)).answer.tags)
        tags = (TEXT, NUMBER)
        assert (await it.box.ask(drop(tags), it.handle)).answer.problems == ()
        assert await it.told() == {BINARY: b"\0bytes"}
        assert not set(tags) & set(await it.all())
        assert not set(tags) & set((await it.box.ask(0x09, it.handle)).answer.tags)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_kept_and_when(tmp_path: Path, kind: str) -> None:
    """R82401, R82501, R83606, R83608: of messages and attachments when they are saved; R82502, R83609:
    of a logon, and of a folder, at once.
    """
    async with holding(tmp_path, kind) as it:
        at_once = kind in ("logon", "folder")
        await it.box.ask(properties.SetProperties(VALUES), it.handle)
        if kind != "attachment":  # which is not there before
            assert await it.told(await it.again()) == (dict(VALUES) if at_once else {})
        await it.commit()
        assert await it.told(await it.again()) == dict(VALUES)
        if kind == "attachment":
            return
        await it.box.ask(properties.DeleteProperties((TEXT,)), it.handle)
        assert (TEXT in await it.told(await it.again())) is not at_once
        await it.commit()
        assert TEXT not in await it.told(await it.again())


@pytest.mark.parametrize("kind", KINDS)
async def test_names_of_properties(tmp_path: Path, kind: str) -> None:
    """R126, R12901 to R12903, R198, R20701 to R20704, R230, R23701 to R23704, R238, R41404, R41405:
    from any object, and the same number wherever it is asked.
    """
    async with holding(tmp_path, kind) as it:
        absent = await it.box.ask(properties.GetPropertyIdsFromNames(0, (NAME,)), it.handle)
        assert absent.answer.numbers == (0,)
        (number,) = (
            await it.box.ask(properties.GetPropertyIdsFromNames(2, (NAME,)), it.handle)
        ).answer.numbers
        assert number & 0x8000
        again = await it.box.ask(properties.GetPropertyIdsFromNames(0, (NAME,)), it.box.handle)
        assert again.answer.numbers == (number,)
        back = await it.box.ask(properties.GetNamesFromPropertyIds((number,)), it.handle)
        assert back.answer.names == (NAME,)
        tag = number << 16 | 0x1F
        await it.box.ask(properties.SetProperties(((tag, "green"),)), it.handle)
        assert (await it.all())[tag] == "green"
        mapping = (await it.box.ask(properties.QueryNamedProperties(0, None), it.handle)).answer.mapping
        assert (number, NAME) in mapping


@pytest.mark.parametrize("kind", KINDS)
async def test_types_that_a_client_leaves_open(tmp_path: Path, kind: str) -> None:
    """R64, R6401, R65: in the order that was asked, text as WantUnicode says; R2052, R2055: what is not
    there.
    """
    async with holding(tmp_path, kind) as it:
        await it.box.ask(properties.SetProperties(VALUES), it.handle)
        tags = (NUMBER & ~0xFFFF, 0x6A00001F, TEXT & ~0xFFFF)
        for wide, expected in ((True, (0x1F, "text")), (False, (0x1E, b"text"))):
            step = await it.box.ask(properties.GetPropertiesSpecific(0, wide, tags), it.handle)
            number, absent, text = step.answer.row
            assert (number, absent.code, text) == ((3, 7), 0x8004010F, expected)


@pytest.mark.parametrize("kind", ["message", "folder", "attachment"])
async def test_streams_of_bytes(tmp_path: Path, kind: str) -> None:
    """R251, R25301 to R25303, R256, R25502, R25506, R267 to R271, R27601, R277, R297, R305, R308, R322,
    R330: read, written, cut; what was written is the property's when it is committed.
    """
    async with holding(tmp_path, kind) as it:
        box = it.box
        await box.ask(properties.SetProperties(((BINARY, b"0123456789"),)), it.handle)
        reading = await box.ask(streams.OpenStream(BINARY, 0), it.handle)
        assert reading.answer.size == 10
        assert reading.opens is not None
        assert code(await box.try_(streams.WriteStream(b"x"), reading.opens.handle)) != 0
        writing = await box.open(streams.OpenStream(BINARY, 1), it.handle)
        assert (await box.ask(streams.SeekStream(0, 4), writing)).answer.position == 4
        assert (await box.ask(streams.WriteStream(b"abc"), writing)).answer.written == 3
        assert (await box.ask(streams.SeekStream(2, -2), writing)).answer.position == 8
        assert (await box.ask(streams.ReadStream(9), writing)).answer.data == b"89"
        await box.ask(streams.SetStreamSize(9), writing)
        assert (await box.ask(0x5E, writing)).answer.size == 9
        await box.ask(0x5D, writing)
        assert (await it.all())[BINARY] == b"0123abc78"
        fresh = await box.open(streams.OpenStream(BINARY, 2), it.handle)
        assert (await box.ask(0x5E, fresh)).answer.size == 0


STREAMING: Final[tuple[Any, ...]] = (
    streams.ReadStream(5), streams.WriteStream(b"x"), streams.WriteStreamExtended(b"x"), 0x5D, 0x5E,
    streams.SetStreamSize(1), streams.SeekStream(0, 0), streams.WriteAndCommitStream(b"x"),
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_no_stream(tmp_path: Path, kind: str) -> None:
    """R278, R298, R30401002, R306, R309, R323, R331, R632: is not read, written, sought or cut."""
    async with holding(tmp_path, kind) as it:
        for body in STREAMING:
            assert code(await it.box.try_(body, it.handle)) == NOT_SUPPORTED, body


@pytest.mark.parametrize("kind", ["message", "folder", "attachment"])
@pytest.mark.parametrize(("flags", "kept"), [(0, False), (2, True)])
async def test_copies(tmp_path: Path, kind: str, flags: int, kept: bool) -> None:
    """R146, R14901 to R14903, R171, R17201 to R17203, R15901, R191, R264, R265, R624, R625: what is
    named, or all but that; what the other has is overwritten, unless NoOverwrite says not.
    """
    async with desk(tmp_path) as desk_:
        one = await held(desk_, kind)
        box = one.box
        if kind == "folder":
            other = await box.folder(5)
        elif kind == "message":
            other = await opened(box, await desk_.letter("Two"))
        else:
            other = await box.open(0x23, await opened(box, await desk_.letter("Two")))
        await box.ask(properties.SetProperties(VALUES), one.handle)
        await box.ask(properties.SetProperties(((TEXT, "other"),)), other)
        copied = await box.ask(properties.CopyProperties(False, flags, (TEXT, BINARY)), one.handle, other)
        assert copied.answer.problems == ()
        expected = {TEXT: "other" if kept else "text", BINARY: b"\0bytes"}
        assert await one.told(other) == expected
        excluded = properties.CopyTo(False, False, flags, (BINARY,))
        await box.ask(properties.DeleteProperties((BINARY,)), other)
        await box.ask(excluded, one.handle, other)
        assert await one.told(other) == {TEXT: expected[TEXT], NUMBER: 7}
        assert await one.told() == dict(VALUES)
