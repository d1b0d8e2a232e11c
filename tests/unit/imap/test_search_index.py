"""SEARCH by the index of trigrams finds exactly what SEARCH without it finds."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quintet.imap import commands, matching, searching, sets
from quintet.imap.cmd import search as answers
from quintet.message import text as texts
from quintet.net.memory import Talk
from quintet.store import entries, search
from quintet.store.content import content_of
from quintet.store.store import Store
from tests.unit.imap.world import World, letter, open_world

QUESTIONS = (
    'BODY "needle"',
    'TEXT "letter 1"',
    'SUBJECT "letter 3"',
    'OR BODY "needle" BODY "word 7 "',
    'NOT BODY "needle"',
    'BODY "needle" FROM "zoe" 2:30',
    'BODY "xy"',
    'NOT (BODY "needle" SUBJECT "letter")',
    'HEADER X-None ""',
    'TEXT "nowhere at all"',
)


async def ask(talk: Talk, question: str) -> str:
    await talk.send(f"a UID SEARCH {question}\r\n".encode())
    found, *_, done, _ = talk.take().decode().split("\r\n")  # HIGHESTMODSEQ may stand between
    assert done == "a OK Done"
    return found


async def fill(world: World, first: int, last: int) -> None:
    for number in range(first, last + 1):
        words = "needle in it" if number % 7 == 3 else f"word {number % 10} xy"
        await world.put("INBOX", letter(number, words))


@pytest.mark.parametrize("here", [0, searching.HERE])  # in reader threads, or between the loop's turns
async def test_the_index_changes_no_answer(
    tmp_path: Path, here: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "HERE", here)
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await fill(world, 1, 40)
        await world.expunge("INBOX", "5:6")
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(b"a LOGIN alice@example.org demo\r\na SELECT INBOX\r\n")
        talk.take()
        before = [await ask(talk, question) for question in QUESTIONS]
        assert before[0] == "* SEARCH 3 10 17 24 31 38"
        while (await search.index_some(world.store, 25))[1]:
            pass
        assert [await ask(talk, question) for question in QUESTIONS] == before
        await fill(world, 41, 50)  # not in the index yet
        await talk.send(b"a NOOP\r\n")
        talk.take()
        assert await ask(talk, 'BODY "needle"') == "* SEARCH 3 10 17 24 31 38 45"
        await talk.end()


@pytest.mark.parametrize("count", [1, 99, 100, 101, 700])
async def test_every_width_of_range_is_looked_at(tmp_path: Path, count: int) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        folder = world.folder("INBOX")

        content = content_of(letter(1))

        def many(tx):
            for _ in range(count):
                entries.add(tx, [folder.id], content, received_at=0)

        await world.store.write(many)
        await world.expunge("INBOX", "2" if count > 2 else "77")
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(b"a LOGIN alice@example.org demo\r\na SELECT INBOX\r\n")
        talk.take()
        have = [uid for uid in range(1, count + 1) if uid != 2 or count <= 2]
        for question in ("ALL", 'TEXT "letter"', "UID 1:20,40,90:*"):
            found = [int(word) for word in (await ask(talk, question)).split()[2:]]
            wanted = have
            if question.startswith("UID"):
                ranges = sets.parse(b"1:20,40,90:*").resolve(max(have))
                wanted = [uid for uid in have if sets.contains(ranges, uid)]
            assert found == wanted
        await talk.end()


async def test_many_matches_are_held_and_written_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await fill(world, 1, 40)
        await world.expunge("INBOX", "5:6")
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(b"a LOGIN alice@example.org demo\r\na SELECT INBOX\r\n")
        talk.take()
        before = [await ask(talk, question) for question in ("ALL", "NOT 7", "MODSEQ 1", *QUESTIONS)]
        assert before[0] == "* SEARCH " + " ".join(str(uid) for uid in range(1, 41) if uid not in (5, 6))
        monkeypatch.setattr(answers, "WRITTEN", 3)
        for name, value in (("NARROWED", 7), ("MANY", 4), ("PAGE", 5), ("WINDOW", 6)):
            monkeypatch.setattr(searching, name, value)
        assert [await ask(talk, question) for question in ("ALL", "NOT 7", "MODSEQ 1", *QUESTIONS)] == before
        await talk.end()
    found = searching.Found(range(1, 1_000_001), range(1, 1_000_001))
    assert sys.getsizeof(found.uids) + sys.getsizeof(found.modseqs) < 13 * 1024 * 1024


async def test_a_field_is_kept_once_looking_into_letters_has_cost_as_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "STEP", 2)  # the letters that the index leaves, in several turns
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await fill(world, 1, 40)
        while (await search.index_some(world.store, 25))[1]:
            pass
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(b"a LOGIN alice@example.org demo\r\na SELECT INBOX\r\n")
        talk.take()
        kept = world.service.house.fields
        for times in range(4):
            assert not kept._kept, times  # 6 letters hold it: 24 looks at two for one are more than 40
            assert await ask(talk, 'SUBJECT "needle"') == "* SEARCH"
        assert [name[1] for name in kept._kept] == [b"subject"]
        assert await ask(talk, 'SUBJECT "letter 3"') == "* SEARCH 3 30 31 32 33 34 35 36 37 38 39"
        assert not kept._looked
        monkeypatch.setattr("quintet.imap.fields.MAX_LOOKED", 1)
        await ask(talk, 'FROM "needle"')
        await ask(talk, 'HEADER To "needle"')
        assert [name[1] for name in kept._looked] == [b"to"]
        await talk.end()


async def test_a_body_is_read_and_decoded_once_for_any_number_of_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty texts that no index narrows made a search of 8,000 letters take 79 seconds."""
    read: list[object] = []
    decoded: list[object] = []
    real, real_texts = Store.read_body, texts.body_texts
    monkeypatch.setattr(Store, "read_body", lambda self, ref: read.append(ref) or real(self, ref))
    monkeypatch.setattr(texts, "body_texts", lambda *of: decoded.append(of) or real_texts(*of))
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await fill(world, 1, 10)
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(b"a LOGIN alice@example.org demo\r\na SELECT INBOX\r\n")
        talk.take()
        question = "".join(f'OR TEXT "{number}q" ' for number in range(30)) + 'FUZZY BODY "zq"'
        assert await ask(talk, question) == "* SEARCH"
        assert len(read) == len(decoded) == 10


def test_a_message_that_is_large_is_searched_in_pieces_that_are_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "KEPT", 100)
    data = b"Subject: s\r\n\r\n" + b"some words here\r\n" * 20
    decoded: list[int] = []

    def read(start: int, end: int) -> bytes:
        decoded.append(start)
        return data[start:end]

    document = search.Document(content_of(data).digest, b"", read)
    assert document.has("WORDS", "body")
    assert not document.has("NONE", "body")
    assert len(decoded) == 2


def test_a_message_that_is_large_is_searched_fuzzily_piece_by_piece() -> None:
    """RFC 6203 8: large messages."""
    data = (
        b"Subject: s\r\n\r\nstart here\r\n" + b"some words stand here\r\n" * 400_000 + b"the searches end\r\n"
    )
    document = search.Document(content_of(data).digest, b"", lambda start, end: data[start:end])
    reader: Any = SimpleNamespace(document=lambda row: document)  # Any: all of a reader that is asked for
    context = matching.Context(b"UTF-8", 0, lambda numbers, uid: [], lambda uid: False)

    def question(text: bytes) -> matching.Question:
        return matching.compile_key(commands.Fuzzy(commands.InText(text, with_header=False)), context)

    row = (1, 0, "", 1, 0, 0, len(data), 1)
    tracemalloc.start()
    try:
        far, none = question(b"end started searching"), question(b"words nowhere")
        assert far.ask(row, reader)
        assert far.score is not None and far.score(row, reader) == 40
        assert not none.ask(row, reader)
        together = question(b"The searches end")
        assert together.ask(row, reader)
        assert together.score is not None and together.score(row, reader) == 80
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000
