"""What one search may cost: keys, time, memory; and who is served beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from quintet.errors import Refused
from quintet.imap import effort, matching, search_grammar, searching
from quintet.imap.tokens import Cursor
from quintet.net.memory import Talk
from quintet.store import search
from tests.support.turns import others
from tests.unit.imap.world import World, letter, open_world


def tree(keys: list[str]) -> str:
    """All of them joined by OR, as flat as can be."""
    if len(keys) == 1:
        return keys[0]
    middle = len(keys) // 2
    return f"OR {tree(keys[:middle])} {tree(keys[middle:])}"


@asynccontextmanager
async def selected(tmp_path: Path, count: int, seconds: float = 300.0) -> AsyncIterator[tuple[World, Talk]]:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        world.config = replace(world.config, search_time_s=seconds)
        for number in range(1, count + 1):
            await world.put("INBOX", letter(number, "common words of all kinds " * 20))
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(b"a LOGIN alice@example.org demo\r\na SELECT INBOX\r\n")
        talk.take()
        yield world, talk
        await talk.end()


async def ask(talk: Talk, command: str) -> bytes:
    await talk.send(b"t " + command.encode() + b"\r\n")
    return talk.take()


async def test_a_search_without_end_is_refused_in_time_and_holds_nobody_up(tmp_path: Path) -> None:
    """RFC 5530 3: LIMIT; 400 texts in 400 letters take longer than a fifth of a second on any machine."""
    async with selected(tmp_path, 400, 0.2) as (_, talk):
        command = "SEARCH " + tree([f'BODY "common words {number}"' for number in range(400)])
        async with others() as turns:
            assert (await ask(talk, command)).startswith(b"t NO [LIMIT] ")
            assert turns.count > 10
        assert await ask(talk, "SEARCH 2:3") == b"* SEARCH 2 3\r\nt OK Done\r\n", "the session goes on"


async def test_slices_that_end_after_each_message_find_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = (
        'SEARCH OR SUBJECT "letter 1" BODY "letter 7."',
        'SEARCH 2:9,11,13:20 SUBJECT "letter 1"',
        "SEARCH " + tree([f'BODY "letter {number}."' for number in range(3, 90)]),
        "SEARCH " + tree([f'SUBJECT "letter {number}"' for number in range(2, 90)]),
    )
    async with selected(tmp_path, 30) as (_, talk):
        whole = [await ask(talk, command) for command in asked]
        for name, value in (("STAY_S", 0.0), ("TURN_S", 0.0), ("LONG_S", 60.0)):
            monkeypatch.setattr(searching, name, value)
        assert [await ask(talk, command) for command in asked] == whole
        assert whole[0] == b"* SEARCH 1 7 10 11 12 13 14 15 16 17 18 19\r\nt OK Done\r\n"
        assert whole[1] == b"* SEARCH 11 13 14 15 16 17 18 19\r\nt OK Done\r\n"
        assert whole[2].split()[2:4] == [b"3", b"4"]


async def test_what_the_index_tells_is_asked_for_up_to_a_limit_and_found_either_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    candidates = search.Index.candidates

    def counting(self: search.Index, pattern: str) -> tuple[search.Rows, int]:
        asked.append(pattern)
        return candidates(self, pattern)

    monkeypatch.setattr(search.Index, "candidates", counting)
    command = "SEARCH " + tree([f'BODY "letter {number}."' for number in range(10, 20)]) + ' BODY "common"'
    async with selected(tmp_path, 20) as (world, talk):
        await search.index_some(world.store)
        told = await ask(talk, command)
        assert told == b"* SEARCH 10 11 12 13 14 15 16 17 18 19\r\nt OK Done\r\n"
        assert len(asked) == 11
        assert asked[0] == search.fold("common"), "what must be there comes first"
        asked.clear()
        monkeypatch.setattr(searching, "KNOWN", 0)
        assert await ask(talk, command) == told
        assert len(asked) == 1


async def test_filters_together_have_no_more_keys_than_a_search(tmp_path: Path) -> None:
    """RFC 5466 3.1 has filters among the keys, so they count as what they stand for."""
    each = " ".join(["LARGER 1"] * (search_grammar.MAX_KEYS // 3))
    async with selected(tmp_path, 2) as (_, talk):
        for name in "abcd":
            assert b"t OK" in await ask(talk, f'SETMETADATA "" (/private/filters/values/{name} "{each}")')
        assert await ask(talk, "SEARCH FILTER a FILTER b") == b"* SEARCH 1 2\r\nt OK Done\r\n"
        assert (await ask(talk, "SEARCH FILTER a FILTER b FILTER c FILTER d")).startswith(b"t NO [LIMIT] ")


@pytest.mark.parametrize("deep", ["NOT ", "OR SEEN "])
async def test_filters_within_filters_are_no_deeper_than_can_be_asked(tmp_path: Path, deep: str) -> None:
    """RFC 5466 3.1: ten filters of a hundred NOTs each were an internal error."""
    async with selected(tmp_path, 2) as (_, talk):
        for number in range(9):
            value = deep * 95 + (f"FILTER f{number + 1}" if number < 8 else "UNSEEN")
            told = await ask(talk, f'SETMETADATA "" (/private/filters/values/f{number} "{value}")')
            assert b"t OK" in told
        assert (await ask(talk, "SEARCH FILTER f0")).startswith(b"t NO [LIMIT] ")
        assert (await ask(talk, "SEARCH FILTER f8")).endswith(b"t OK Done\r\n")


async def test_results_of_very_many_keys_are_found_but_not_followed(tmp_path: Path) -> None:
    """RFC 5267 4.3.1: a server may refuse to keep results up to date."""
    async with selected(tmp_path, 2) as (_, talk):
        keys = " ".join(["LARGER 1"] * (effort.MAX_FOLLOWED + 1))
        told = await ask(talk, f"SEARCH RETURN (UPDATE COUNT) {keys}")
        assert b'* ESEARCH (TAG "t") COUNT 2' in told
        assert b'* NO [NOUPDATE "t"]' in told
        assert told.endswith(b"t OK Done\r\n")


async def test_who_goes_away_ends_what_runs_in_a_thread(tmp_path: Path) -> None:
    async with selected(tmp_path, 1) as (world, _):
        talk = Talk(world.service)
        await talk.begin()
        session = talk.driver.session
        spent = effort.Effort(session)  # type: ignore[arg-type]
        spent.check()
        spent.stop()
        reader = matching.Reader([1], lambda _: {}, lambda _: {}, lambda _: b"", check=spent.check)
        with pytest.raises(Refused):
            reader.document((1, 0, "", 1, 0, 0, 10, 1, None, 0, b""))
        await talk.end()


def test_keys_are_counted_wherever_they_stand() -> None:
    _, key = search_grammar.criteria(Cursor(b"SEEN (OR NOT FLAGGED (DRAFT TO x)) FUZZY BODY y UID 1"))
    assert effort.keys(key) == 6
