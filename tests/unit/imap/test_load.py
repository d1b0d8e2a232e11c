"""What must hold under load: constant memory, others served between, small idle connections."""

from __future__ import annotations

import asyncio
import base64
import time
import tracemalloc
from pathlib import Path

import pytest

from quintet.errors import Hangup
from quintet.imap.commands import Noop
from quintet.imap.grammar import BadCommand
from quintet.imap.wire import MAX_EMPTY, Wire
from quintet.net.memory import Talk
from quintet.net.seam import CHUNK, Need
from quintet.store import entries
from quintet.store.content import content_of
from tests.support.effort import linear
from tests.support.turns import others
from tests.unit.imap.world import World, letter, open_world

pytestmark = pytest.mark.unmeasured

LOGIN = b"a LOGIN alice@example.org demo\r\n"


async def fill(world: World, count: int, data: bytes) -> None:
    folder = world.folder("INBOX")
    content = content_of(data)

    def many(tx, size):
        for _ in range(size):
            entries.add(tx, [folder.id], content, received_at=0)

    for start in range(0, count, 500):
        await world.store.write(many, min(500, count - start))


async def test_all_bodies_of_a_mailbox_in_constant_memory_with_others_served(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data", people=("alice", "bob")) as world:
        data = letter(1, "x" * 30_000)
        await fill(world, 600, data)
        slow = Talk(world.service, room=100_000)
        await slow.begin()
        tracemalloc.start()
        await slow.send(LOGIN + b"a SELECT INBOX\r\na FETCH 1:* BODY.PEEK[]\r\n")
        other = Talk(world.service)
        await other.begin()
        await other.send(b"b LOGIN bob@example.org demo\r\nb NOOP\r\n")
        assert b"b OK Done" in other.take()
        while not bytes(slow.transport.sent[-200:]).endswith(b"a OK Done\r\n"):
            slow.transport.read(400_000)
            await slow.settle()
            slow.transport.sent[:] = slow.transport.sent[-200:]
            slow._taken = 0
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert slow.transport.peak < 4 * 1024 * 1024
        assert peak < 16 * 1024 * 1024, f"{peak} bytes for {600 * len(data)} sent"
        await slow.end()
        await other.end()


async def test_a_large_body_is_streamed(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        size = 3_000_000
        head = b"Subject: large\r\n\r\n"
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(LOGIN + b"a APPEND INBOX {%d+}\r\n" % size + head)
        body = b"0123456789abcdef\r\n" * ((size - len(head)) // 18)
        body += b"." * (size - len(head) - len(body))
        await talk.send(body + b"\r\n", 60_000)
        assert b"APPENDUID" in talk.take()
        await talk.send(b"a SELECT INBOX\r\n")
        talk.take()
        await talk.send(b"a FETCH 1 (RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[]<17.50>)\r\n")
        assert (
            b"RFC822.SIZE 3000000 BODY[HEADER.FIELDS (SUBJECT)] {18}\r\nSubject: large\r\n\r\n" in talk.take()
        )
        await talk.send(b"a FETCH 1 (UID BODY.PEEK[] BINARY.PEEK[1] BINARY.SIZE[1])\r\n")
        answer = talk.take()
        start = answer.index(b"BODY[] {3000000}\r\n") + len(b"BODY[] {3000000}\r\n")
        assert answer[start : start + size] == head + body
        assert answer[start + size :].startswith(b" BINARY[1] {%d}\r\n" % len(body) + body)
        assert answer.endswith(b" BINARY.SIZE[1] %d)\r\na OK Done\r\n" % len(body))
        await talk.end()


async def test_a_thousand_idle_connections_are_small_and_hear_at_once(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await fill(world, 1000, letter(1))
        await world.expunge("INBOX", "500")  # gaps: every session needs its list of numbers
        talks = []
        warm = Talk(world.service)
        await warm.begin()
        await warm.send(LOGIN + b"a SELECT INBOX\r\na IDLE\r\n")
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(300):
            talk = Talk(world.service)
            await talk.begin()
            await talk.send(LOGIN + b"a SELECT INBOX\r\na IDLE\r\n")
            talk.take()
            talk.transport.sent.clear()
            talk._taken = 0
            talks.append(talk)
        each = (tracemalloc.get_traced_memory()[0] - before) / len(talks)
        tracemalloc.stop()
        assert each < 20_000, f"{each:.0f} bytes"
        begun = time.perf_counter()
        await world.fill("INBOX", 1)
        while not all(b"1000 EXISTS" in talk.transport.sent for talk in talks):
            await asyncio.sleep(0)
            assert time.perf_counter() - begun < 60
        for talk in (*talks, warm):
            await talk.end()


async def test_a_large_mailbox_opens_quickly(tmp_path: Path) -> None:
    """20,000 messages with gaps here; the time is that of reading the numbers, 0.2 us each."""
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await fill(world, 20_000, letter(1))
        await world.expunge("INBOX", "7,77,777,7777")
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(LOGIN)
        talk.take()
        await talk.send(b"a SELECT INBOX\r\n")
        assert b"* 19996 EXISTS" in talk.take()
        begun = time.process_time()
        await talk.send(b"a SELECT INBOX\r\n")
        assert time.process_time() - begun < 0.5
        talk.take()
        await talk.send(b"a FETCH 19990:* UID\r\n")
        assert talk.take().split(b"\r\n")[0] == b"* 19990 FETCH (UID 19994)"
        await talk.end()


async def test_more_changes_than_a_page_are_all_told(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await fill(world, 3, letter(1))
        folder = world.folder("INBOX")
        talk, idle = Talk(world.service), Talk(world.service)
        for one in (talk, idle):
            await one.begin()
            await one.send(LOGIN + b"a ENABLE IMAP4rev2\r\na SELECT INBOX\r\n")
        await idle.send(b"i IDLE\r\n")
        idle.take()
        talk.take()
        await fill(world, 1300, letter(2))
        await talk.send(b"b NOOP\r\n")
        lines = talk.take().split(b"\r\n")
        assert lines[-3:] == [b"* 1303 EXISTS", b"b OK Done", b""]

        def change(tx):
            for uid in range(1, 1201):  # each with a change number of its own
                entries.set_flags(tx, folder.id, [uid], "+", 4)

        await world.store.write(change)
        await world.expunge("INBOX", "1:1100")
        await talk.send(b"c NOOP\r\n")
        lines = talk.take().split(b"\r\n")
        assert sum(b"EXPUNGE" in line for line in lines) == 1100
        assert sum(b"FETCH (UID" in line for line in lines) == 100
        await idle.send(b"DONE\r\n")
        heard = idle.take().split(b"\r\n")
        assert heard[-2] == b"i OK Done"
        assert [line for line in heard if line.endswith(b"EXISTS")][-1] == b"* 1303 EXISTS"
        assert sum(b"EXPUNGE" in line for line in heard) == 1100
        for one in (talk, idle):
            await one.send(b"d UID SEARCH FLAGGED\r\n")
            assert one.take().startswith(b'* ESEARCH (TAG "d") UID ALL 1101:1200\r\n')
            await one.end()


async def test_many_small_messages_that_come_together_let_others_have_their_turn(tmp_path: Path) -> None:
    """Two thousand messages of one APPEND held everybody up for half a second."""
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(LOGIN)
        talk.take()
        longest = 0.0

        async def watch() -> None:
            nonlocal longest
            while True:
                before = time.perf_counter()
                await asyncio.sleep(0)
                longest = max(longest, time.perf_counter() - before)

        other = asyncio.create_task(watch())
        for name, answer in (("INBOX", b"a OK "), ("Nowhere", b"a NO ")):
            await asyncio.sleep(0)
            longest, begun = 0.0, time.perf_counter()
            await talk.send(f"a APPEND {name}".encode() + b" {3+}\r\na:b" * 3000 + b"\r\n", 1 << 20)
            assert answer in talk.take()
            taken = time.perf_counter() - begun
            assert longest < taken / 3, f"{longest:.3f} of {taken:.3f} s in one piece"
        other.cancel()
        await talk.end()


@pytest.mark.parametrize(
    "wanted",
    [
        "BODY.PEEK[HEADER.FIELDS.NOT (Z%d)]",  # of headers, by the shorter way
        "BODY.PEEK[HEADER.FIELDS.NOT (Z%d)] BODY.PEEK[TEXT]",
    ],
)
@pytest.mark.parametrize("fields", [5_000, 60_000])
async def test_many_sections_of_a_long_header_let_others_have_their_turn(
    tmp_path: Path, fields: int, wanted: str
) -> None:
    """A hundred and ninety of them, of a header of a megabyte, held everybody up for eleven seconds."""
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        header = b"".join(b"X%d: y\r\n" % number for number in range(fields))
        await world.put("INBOX", header + b"\r\nbody\r\n")
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(LOGIN + b"a SELECT INBOX\r\n")
        talk.take()
        asked = " ".join([wanted.replace("%d", str(number)) for number in range(40)])
        async with others() as turns:
            await talk.send(f"a FETCH 1 ({asked})\r\n".encode(), 1 << 20)
        told = talk.take()
        assert told.endswith(b"a OK Done\r\n")
        assert told.count(b"BODY[HEADER.FIELDS.NOT (Z") == 40
        assert turns.count > 10, f"others had their turn {turns.count} times"
        await talk.end()


async def test_long_envelopes_go_out_a_few_at_a_time(tmp_path: Path) -> None:
    """Five hundred of them were one piece, of any length."""
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        people = b",\r\n ".join(b"n%d <a%d@example.org>" % (number, number) for number in range(8000))
        await fill(world, 200, b"Subject: x\r\nTo: " + people + b"\r\n\r\nbody\r\n")
        talk = Talk(world.service, room=100_000)
        await talk.begin()
        await talk.send(LOGIN + b"a SELECT INBOX\r\na FETCH 1:* ENVELOPE\r\n")
        told = 0
        while not bytes(talk.transport.sent[-200:]).endswith(b"a OK Done\r\n"):
            talk.transport.read(4_000_000)
            await talk.settle()
            told += max(len(talk.transport.sent) - 200, 0)
            talk.transport.sent[:] = talk.transport.sent[-200:]
            talk._taken = 0
        assert told > 200 * 200_000
        assert talk.transport.peak < 16 * 1024 * 1024
        await talk.end()


async def test_decoding_lets_others_have_their_turn(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        text = base64.encodebytes(b"hello world " * 400_000).replace(b"\n", b"\r\n")
        head = b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        await world.put("INBOX", head + text)
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(LOGIN + b"a SELECT INBOX\r\n")
        talk.take()
        async with others() as turns:
            await talk.send(b"a FETCH 1 BINARY.SIZE[1]\r\n")
        assert b"BINARY.SIZE[1] 4800000)" in talk.take()
        assert turns.count > len(text) // CHUNK, f"others had their turn {turns.count} times"
        await talk.end()


def test_a_command_of_many_small_literals_takes_linear_time() -> None:
    """A hundred thousand of them were copied, and looked through for a mailbox, once for each."""
    wire = Wire()
    wire.max_command = 16 * 1024 * 1024
    with linear():
        wire.feed(b"a{1+}\r\nb" + b"{1+}\r\nb" * 500_000 + b"\r\n")
        with pytest.raises(BadCommand):
            wire.next()


def test_nothing_but_empty_lines_ends_the_connection() -> None:
    """Twenty million of them are forty kilobytes when they are compressed."""
    wire = Wire()
    wire.feed(b"\r\n" * MAX_EMPTY + b"a NOOP\r\n" + b"\r\n" * MAX_EMPTY)
    assert wire.next() == Noop(b"a")
    assert wire.next() is Need.DATA
    wire.feed(b"\r\n")
    with pytest.raises(Hangup):
        wire.next()
