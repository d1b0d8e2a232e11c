"""A server between two others is killed while articles stream through it: none is lost, none comes twice.

A client streams articles to the victim, which passes them on to a server of this process.  After each kill
what the victim had acknowledged is known to it; in the end all of that is at the other end, once.
``QUINTET_KILLS=100`` asks for more rounds.
"""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import suppress
from pathlib import Path

import pytest

from quintet.admin import peerblock
from quintet.store import check, feeding
from quintet.store.store import Store
from tests.support import server
from tests.support.feedhouse import article, count, ids, peer, until
from tests.support.victim import Mother, Victim

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("QUINTET_KILLS", "8"))
BATCH = 20


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
        (tmp_path / "a").mkdir()
        victim = Victim(tmp_path / "a", ("nntp",), nntp={"path_host": "a.test"})
        store = await Store.open(victim.config.store)
        await server.people(store, victim.config)
        await store.close()
        config = victim.path
        blocks = peerblock.block(peer("in")) + peerblock.block(to_b)
        config.write_text(config.read_text().replace("\npeer = []\n", "\n") + "\n" + blocks)
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
