"""A server is killed while articles stream through it, or come one by one and are cancelled: none is lost.

A client streams articles to the victim, which passes them on to a server of this process.  After each kill
what the victim had acknowledged is known to it; in the end all of that is at the other end, once.  Another
client offers by IHAVE and cancels: what was acknowledged is there or gone, and no number is used twice.
``QUINTET_KILLS=100`` asks for more rounds.
"""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from quintet.admin import peerblock
from quintet.config.peers import Peer
from quintet.store import check, feeding, groups
from quintet.store.store import Store
from tests.support import server
from tests.support.feedhouse import article, count, ids, peer, until
from tests.support.victim import Mother, Victim

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("QUINTET_KILLS", "8"))
BATCH = 20


async def feeding_victim(folder: Path, *peers: Peer) -> Victim:
    """A server that may be killed, with its groups and these peers."""
    folder.mkdir()
    victim = Victim(folder, ("nntp",), nntp={"path_host": "a.test"}, news={"docancels": "all"})
    store = await Store.open(victim.config.store)
    await server.people(store, victim.config)
    await store.close()
    blocks = "".join(map(peerblock.block, peers))
    victim.path.write_text(victim.path.read_text().replace("\npeer = []\n", "\n") + "\n" + blocks)
    return victim


async def _stream(port: int, first: int, acknowledged: set[str]) -> int:
    """Streams articles until the connection breaks; the next number."""
    number = first
    with suppress(OSError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await reader.readuntil(b"\r\n")
            while True:
                names = [f"{number + at}@kill.test" for at in range(BATCH)]
                number += BATCH
                for name in names:
                    writer.write(f"TAKETHIS <{name}>\r\n".encode() + article(name) + b".\r\n")
                for name in names:
                    line = await reader.readuntil(b"\r\n")
                    assert line.split()[1] == f"<{name}>".encode()
                    if line.startswith(b"239"):
                        acknowledged.add(name)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    return number


async def _all_known(port: int, names: list[str]) -> list[bytes]:
    """Answers to CHECK that are not "we have it"."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        await reader.readuntil(b"\r\n")
        wrong = []
        for start in range(0, len(names), 100):
            page = names[start : start + 100]
            writer.write(b"".join([f"CHECK <{name}>\r\n".encode() for name in page]))
            wrong += [line for _ in page if not (line := await reader.readuntil(b"\r\n")).startswith(b"438")]
        return wrong
    finally:
        writer.close()
        await writer.wait_closed()


async def test_killed_while_articles_stream_through(tmp_path: Path) -> None:
    rng = random.Random(os.environ.get("QUINTET_SEED", "7"))
    taking = {"peer": (peer("a", identity=("a.test",)),), "path_host": "b.test"}
    async with server.start_server(tmp_path / "b", only=("nntp",), nntp=taking) as b:
        to_b = peer("b", host="127.0.0.1", port=b.ports["nntp"], send="*", addresses=("192.0.2.1",))
        victim = await feeding_victim(tmp_path / "a", peer("in"), to_b)
        mother = Mother()
        acknowledged: set[str] = set()
        number = 0
        try:
            for _ in range(KILLS):
                await victim.start(1, mother)
                assert await _all_known(victim.ports["nntp"], sorted(acknowledged)) == []
                streaming = asyncio.create_task(_stream(victim.ports["nntp"], number, acknowledged))
                before = len(acknowledged)
                await until(lambda before=before: len(acknowledged) > before, "nothing was acknowledged")
                await asyncio.sleep(rng.uniform(0, 0.5))
                await victim.kill()
                number = await streaming
            assert len(acknowledged) >= KILLS * BATCH
            await victim.start(1, mother)
            wanted = {f"<{name}>" for name in acknowledged}
            await until(lambda: wanted <= set(ids(b)), "not all arrived", 60)
            there = ids(b)
            assert len(there) == len(set(there))
            await victim.kill()
        finally:
            victim.close()
            mother.close()
        assert await b.store.read(check.all) == []
    store = await Store.open(victim.config.store)
    try:
        assert await store.read(check.all) == []
        backlog = store.peek(feeding.backlogs)[0]
        assert backlog.later == 0
        assert count(store) >= len(acknowledged)
    finally:
        await store.close()


@dataclass
class Told:
    """What a client of IHAVE was told."""

    there: set[str] = field(default_factory=set)  # 235
    asked: set[str] = field(default_factory=set)  # their cancels were sent
    gone: set[str] = field(default_factory=set)  # their cancels were answered with 235
    numbers: dict[int, str] = field(default_factory=dict)  # of the group, as they were ever seen
    next: int = 0


async def _one_by_one(port: int, told: Told, rng: random.Random) -> None:
    """Offers articles, and cancels some, until the connection breaks."""
    with suppress(OSError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await reader.readuntil(b"\r\n")
            while True:
                told.next += 1
                name, more, target = f"{told.next}@ihave.test", "", ""
                if told.next % 3 == 0 and told.there - told.asked:
                    target = rng.choice(sorted(told.there - told.asked))
                    more = f"Control: cancel <{target}>\r\n"
                    told.asked.add(target)
                for said, code in (
                    (f"IHAVE <{name}>\r\n".encode(), b"335"),
                    (article(name, more=more) + b".\r\n", b"235"),
                ):
                    writer.write(said)
                    answer = await reader.readuntil(b"\r\n")
                    if answer.startswith(b"400"):
                        return  # a worker whose supervisor was killed before it
                    assert answer.startswith(code), answer
                if target:
                    told.gone.add(target)
                else:
                    told.there.add(name)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _listed(port: int) -> dict[int, str]:
    """Numbers and ids of the group, as a reader sees them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        await reader.readuntil(b"\r\n")
        writer.write(b"GROUP local.test\r\nXHDR Message-ID 1-\r\n")
        await reader.readuntil(b"\r\n")
        await reader.readuntil(b"\r\n")
        found = {}
        while (line := await reader.readuntil(b"\r\n")) != b".\r\n":
            number, name = line.decode().split()
            found[int(number)] = name.strip("<>")
        return found
    finally:
        writer.close()


async def test_killed_while_articles_are_offered_and_cancelled(tmp_path: Path) -> None:
    """RFC 3977 6.3.2, RFC 5537 5.3; also while one worker of two is doing it."""
    rng = random.Random(os.environ.get("QUINTET_SEED", "7"))
    victim = await feeding_victim(tmp_path / "a", peer("in"))
    mother, told = Mother(), Told()
    try:
        lives = KILLS // 2
        for life in range(lives + 1):
            await victim.start(1 if life % 4 else 2, mother if life % 4 else None)
            listed = await _listed(victim.ports["nntp"])
            names = set(listed.values())
            assert len(names) == len(listed)
            assert told.there - told.asked <= names
            assert not told.gone & names
            assert all(told.numbers.get(number, name) == name for number, name in listed.items())
            told.numbers.update(listed)
            if life == lives:
                break
            before = len(told.there)
            offering = asyncio.create_task(_one_by_one(victim.ports["nntp"], told, rng))
            await until(lambda before=before: len(told.there) > before + 3, "nothing was acknowledged")
            await asyncio.sleep(rng.uniform(0, 0.4))
            await victim.kill()
            await offering
        assert len(told.gone) >= lives
        await victim.kill()
    finally:
        victim.close()
        mother.close()
    store = await Store.open(victim.config.store)
    try:
        assert await store.read(check.all) == []
        found = store.peek(groups.find, "local.test")
        assert found is not None
        assert found.high >= max(told.numbers)
    finally:
        await store.close()
