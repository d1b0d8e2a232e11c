"""INPROGRESS over many steps: the numbers never fall, and come no oftener than they should (RFC 9585)."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from quintet.imap import matching, progress, searching
from quintet.imap.cmd import copy, mailboxes, store
from quintet.net.memory import Talk
from tests.unit.imap.world import open_world

_NEWS = re.compile(rb'\* OK \[INPROGRESS \("(\w+)" (\d+|NIL) (\d+|NIL)\)\]')
SEARCH = b'SEARCH SUBJECT "Letter"'


async def _told(talk: Talk, tag: bytes, command: bytes) -> list[tuple[bytes, bytes]]:
    await talk.send(tag + b" " + command + b"\r\n")
    heard = talk.take()
    assert tag + b" OK" in heard, heard
    found = _NEWS.findall(heard)
    assert all(one == tag for one, _, _ in found)
    return [(done, total) for _, done, total in found]


@pytest.mark.parametrize("command", [SEARCH, b"COPY 1:* Drafts", b"STORE 1:* +FLAGS.SILENT (a)"])
async def test_numbers_rise_to_the_whole(
    command: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "PAGE", 5)
    monkeypatch.setattr(searching, "STEP", 5)
    monkeypatch.setattr(searching, "SLICE", dict.fromkeys((matching.ROW, matching.HEADER, matching.TEXT), 5))
    for module, name in ((copy, "WHOLE"), (copy, "SLICE"), (store, "PAGE")):
        monkeypatch.setattr(module, name, 5)
    async with open_world(tmp_path / "data") as world:
        await world.fill("INBOX", 40)
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(b"a LOGIN alice@example.org demo\r\nb SELECT INBOX\r\n")
        talk.take()
        assert await _told(talk, b"quick", command) == []
        world.clock.step_s = 3.0
        told = await _told(talk, b"slow", command)
        assert 2 <= len(told) < 8  # eight steps, and some are quicker than ten seconds
        numbers = [int(done) for done, _ in told]
        assert numbers == sorted(set(numbers))
        assert {total for _, total in told} == {b"40"}
        assert numbers[-1] < 40  # section 4: the goal is for the tagged answer
        await talk.end()


@pytest.mark.parametrize("command", [b"RENAME INBOX Old", b"DELETE Large"])
async def test_what_empties_a_large_mailbox_says_how_far_it_is(
    command: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailboxes, "WHOLE", 5)
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.given("folder Large")
        await world.fill("INBOX" if b"INBOX" in command else "Large", 40)
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(b"a LOGIN alice@example.org demo\r\n")
        talk.take()
        world.clock.step_s = 3.0
        told = await _told(talk, b"slow", command)
        numbers = [int(done) for done, _ in told]
        assert len(numbers) >= 2
        assert numbers == sorted(numbers)
        assert {total for _, total in told} == {b"40"}
        assert numbers[-1] < 40
        await talk.end()


def test_tag_that_would_end_the_code_is_not_told() -> None:
    """RFC 9585 section 4: it MUST be NIL if it contains a closing bracket."""
    assert progress.line(b"a]1", 3, 7) == b"* OK [INPROGRESS (NIL 3 7)] Working\r\n"


async def test_work_that_tells_nothing_is_told_of_without_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY_MS", 20)

    async def work() -> int:
        await asyncio.sleep(0.05)
        return 7

    waiting = progress.Waiting(b"a1", work())
    told = [one async for one in waiting.news() if isinstance(one, bytes)]
    assert told
    assert set(told) == {b'* OK [INPROGRESS ("a1" NIL NIL)] Working\r\n'}
    assert waiting.result == 7


async def test_work_that_fails_fails_for_who_waits() -> None:
    async def work() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        async for _ in progress.Waiting(b"a1", work()).news():
            pass


async def test_work_that_nobody_waits_for_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY_MS", 1)
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    news = progress.Waiting(b"a1", work()).news()
    await anext(news)
    await news.aclose()
    async with asyncio.timeout(30):
        assert await ended.wait()
