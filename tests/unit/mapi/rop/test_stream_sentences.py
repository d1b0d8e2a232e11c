"""Streams of every kind of object, sentence by sentence (MS-OXCPRPT 3.2.5.11 to 3.2.5.19)."""

from __future__ import annotations

from pathlib import Path

import pytest

from quintet.mapi.rop import streams
from tests.unit.mapi.rop.asking import code
from tests.unit.mapi.rop.test_property_sentences import BINARY, KINDS, NUMBER, TEXT, Held, holding

NOT_SUPPORTED, NOT_FOUND, TOO_BIG, NO_TARGET = 0x80040102, 0x8004010F, 0x80040305, 0x503
STREAM_DENIED, SEEK_ERROR, STREAM_INVALID = 0x80030005, 0x80030019, 0x80030057
CONTENT = bytes(range(200)) * 5
OF = pytest.mark.parametrize("kind", [one for one in KINDS if one != "logon"])


async def written(it: Held, content: bytes = CONTENT) -> int:
    """A stream of a new property with this content; the seek pointer is at its end."""
    stream = await it.box.open(streams.OpenStream(BINARY, 2), it.handle)
    assert (await it.box.ask(streams.WriteStream(content), stream)).answer.written == len(content)
    return stream


async def read(it: Held, stream: int, most: int) -> bytes:
    found: bytes = (await it.box.ask(streams.ReadStream(most), stream)).answer.data
    return found


async def seek(it: Held, stream: int, origin: int, offset: int) -> int:
    found: int = (await it.box.ask(streams.SeekStream(origin, offset), stream)).answer.position
    return found


async def size(it: Held, stream: int) -> int:
    found: int = (await it.box.ask(0x5E, stream)).answer.size
    return found


@OF
async def test_a_stream_has_the_value_and_gives_it_back(tmp_path: Path, kind: str) -> None:
    """R537, R545 to R547, R55202, R552, R55205, R55206, R555, R556, R55703, R560, R561, R56902, R571,
    R57502, R575: reading goes on where it was, as much as was asked, until nothing is left.
    """
    async with holding(tmp_path, kind) as it:
        stream = await written(it)
        await it.box.ask(0x5D, stream)
        for mode in (0, 1):
            step = await it.box.ask(streams.OpenStream(BINARY, mode), it.handle)
            assert step.answer.size == len(CONTENT)
            assert step.opens is not None
            other = step.opens.handle
            assert await size(it, other) == len(CONTENT)
            assert await read(it, other, 7) == CONTENT[:7]
            assert await read(it, other, 0xBABE + 1) == CONTENT[7:]
            assert await read(it, other, 7) == b""
        again = await it.again() if kind == "folder" else None
        if again is not None:  # R56404 and its like: a folder keeps it at once
            assert await it.box.stream(again, BINARY) == CONTENT


@pytest.mark.parametrize("kind", ["message", "attachment"])
async def test_what_is_written_is_kept_when_its_object_is_saved(tmp_path: Path, kind: str) -> None:
    """R56402 to R56404."""
    async with holding(tmp_path, kind) as it:
        stream = await written(it)
        await it.box.ask(0x5D, stream)
        if kind == "message":
            assert (await it.told(await it.again())).get(BINARY) is None
        await it.commit()
        assert await it.box.stream(await it.again(), BINARY) == CONTENT


@OF
async def test_streams_that_are_not_opened(tmp_path: Path, kind: str) -> None:
    """R548, R549: of a number; of what is not there and is not to be made."""
    async with holding(tmp_path, kind) as it:
        for mode in (0, 1, 2):
            assert code(await it.box.try_(streams.OpenStream(NUMBER, mode), it.handle)) == NOT_SUPPORTED
        for mode in (0, 1):
            assert code(await it.box.try_(streams.OpenStream(TEXT, mode), it.handle)) == NOT_FOUND
        assert code(await it.box.try_(streams.OpenStream(TEXT, 2), it.handle)) == 0


@OF
async def test_the_seek_pointer(tmp_path: Path, kind: str) -> None:
    """R57902, R581 to R584: from the beginning, here, the end; not before it nor too far."""
    async with holding(tmp_path, kind) as it:
        stream = await written(it, b"0123456789")
        assert await seek(it, stream, 0, 3) == 3
        assert await seek(it, stream, 1, 2) == 5
        assert await read(it, stream, 2) == b"56"
        assert await seek(it, stream, 2, -1) == 9
        for origin, offset in ((0, -1), (1, -10), (2, -11), (0, 2**31 + 1), (2, 2**31), (0, 2**62)):
            assert code(await it.box.try_(streams.SeekStream(origin, offset), stream)) == SEEK_ERROR
        assert code(await it.box.try_(streams.SeekStream(3, 0), stream)) == STREAM_INVALID
        assert await seek(it, stream, 1, 0) == 9  # where it was
        assert await seek(it, stream, 2, 5) == 15
        assert await size(it, stream) == 15
        assert await seek(it, stream, 0, 8) == 8
        assert await read(it, stream, 99) == b"89" + bytes(5)
        assert await seek(it, stream, 0, 2) == 2
        await it.box.ask(streams.WriteStream(b"ab"), stream)
        assert await read(it, stream, 2) == b"45"


@OF
async def test_the_size_of_a_stream(tmp_path: Path, kind: str) -> None:
    """R57702, R57705 to R57707: cut, or with zeros to fill it."""
    async with holding(tmp_path, kind) as it:
        stream = await written(it, b"0123456789")
        await it.box.ask(streams.SetStreamSize(4), stream)
        assert await size(it, stream) == 4
        await it.box.ask(streams.SetStreamSize(6), stream)
        assert await seek(it, stream, 0, 0) == 0
        assert await read(it, stream, 99) == b"0123\0\0"
        assert code(await it.box.try_(streams.SetStreamSize(2**40), stream)) == TOO_BIG


@OF
async def test_a_stream_that_is_only_read(tmp_path: Path, kind: str) -> None:
    """Nothing is written to it, in no way."""
    async with holding(tmp_path, kind) as it:
        first = await written(it, b"text")
        await it.box.ask(0x5D, first)
        stream = await it.box.open(streams.OpenStream(BINARY, 0), it.handle)
        for body in (
            streams.WriteStream(b"x"),
            streams.WriteStreamExtended(b"x"),
            streams.WriteAndCommitStream(b"x"),
            streams.SetStreamSize(1),
            0x5D,
        ):
            assert code(await it.box.try_(body, stream)) == STREAM_DENIED
        assert code(await it.box.try_(streams.CopyToStream(4), first, stream)) == STREAM_DENIED
        assert await read(it, stream, 99) == b"text"


@OF
@pytest.mark.parametrize("count", [0, 1, 500, 1000, 2**40])
async def test_a_stream_is_copied_to_another(tmp_path: Path, kind: str, count: int) -> None:
    """R76002, R59201, R591 to R593: both go on by as much; R886 and its like where there is no other."""
    async with holding(tmp_path, kind) as it:
        source = await written(it)
        target = await it.box.open(streams.OpenStream(TEXT, 2), it.handle)
        await seek(it, source, 0, 0)
        answer = (await it.box.ask(streams.CopyToStream(count), source, target)).answer
        done = min(count, len(CONTENT))
        assert (answer.read, answer.written) == (done, done)
        assert await seek(it, source, 1, 0) == await seek(it, target, 1, 0) == done
        await seek(it, target, 0, 0)
        assert await read(it, target, 2000) == CONTENT[:done]
        assert code(await it.box.try_(streams.CopyToStream(1), source, 0x00123456)) == NO_TARGET
