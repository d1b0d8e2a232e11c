"""Two workers with one feed: each article is sent once; when the one that sends is killed, it goes on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from quintet.delivery.feeds.feeder import RANGE
from quintet.store import check, feeding
from quintet.store.store import Store
from tests.crash.test_feed_kills import feeding_victim
from tests.support.feedhouse import article, bring, peer, until
from tests.support.serving import serving

pytestmark = pytest.mark.slow

ARTICLES = 400


class Sham:
    """A peer that wants everything, and counts."""

    def __init__(self) -> None:
        self.offered, self.sent = Counter[str](), Counter[str]()
        self.slow_s = 0.0  # for each article
        self.port = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Sham]:
        async with serving(self._serve) as self.port:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"200 hello\r\n")
        with suppress(OSError, asyncio.IncompleteReadError):
            while line := (await reader.readuntil(b"\n")).decode().strip():
                word, _, name = line.partition(" ")
                if word == "CHECK":
                    self.offered[name] += 1
                    writer.write(f"238 {name}\r\n".encode())
                elif word == "TAKETHIS":
                    await reader.readuntil(b"\r\n.\r\n")
                    await asyncio.sleep(self.slow_s)
                    self.sent[name] += 1
                    writer.write(f"239 {name}\r\n".encode())
                else:
                    writer.write(b"203 fine\r\n" if word == "MODE" else b"205 bye\r\n")
        writer.close()


def numbered(low: int, high: int) -> list[tuple[str, bytes]]:
    return [(f"{number}@w.test", article(f"{number}@w.test")) for number in range(low, high)]


async def test_two_workers_send_each_article_once_and_follow_each_other(tmp_path: Path) -> None:
    async with Sham().open() as sham:
        to_sham = peer("sham", host="127.0.0.1", port=sham.port, send="*", addresses=("192.0.2.1",))
        victim = await feeding_victim(tmp_path / "a", peer("in"), to_sham)
        try:
            await victim.start(2)
            port = victim.ports["nntp"]
            await asyncio.gather(
                *[bring(port, numbered(low, low + 50)) for low in range(0, ARTICLES // 2, 50)]
            )
            await until(lambda: len(sham.sent) == ARTICLES // 2, "not all sent")
            assert set(sham.sent.values()) == {1}
            assert max(sham.offered.values(), default=1) == 1
            sham.slow_s = 0.01  # so that there is a middle
            await bring(port, numbered(ARTICLES // 2, ARTICLES))
            await until(lambda: len(sham.sent) > ARTICLES // 2 + 10)
            victim.workers()[0].kill()
            sham.slow_s = 0.0
            await until(lambda: len(sham.sent) == ARTICLES, "the other did not go on")
            again = [name for name, count in sham.sent.items() if count > 1]
            assert len(again) <= RANGE  # what was under way when it died
            await victim.end()
        finally:
            await victim.kill()
            victim.close()
    store = await Store.open(victim.config.store)
    try:
        assert await store.read(check.all) == []
        (backlog,) = store.peek(feeding.backlogs)
        assert (backlog.ahead, backlog.ranges, backlog.later) == (0, 0, 0)
    finally:
        await store.close()
