"""Five servers in a ring, three of ours and two INNs, each feeding both neighbours: all is everywhere, once.

Articles enter at two places, some in two groups; some are cancelled at the other place, and meanwhile one
of ours and one INN are away.  ``QUINTET_ARTICLES=20000`` sends so many.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from quintet.config.peers import Peer
from quintet.store import check
from tests.support import inn as news
from tests.support.feedhouse import article, bring, count, ids, until
from tests.support.inn import Feed, Inn
from tests.support.server import Server, configured, start_server
from tests.support.victim import free_ports

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(bool(news.missing()), reason=news.missing() or "there"),
]

ARTICLES = int(os.environ.get("QUINTET_ARTICLES", "150"))
PATIENCE_S = 60.0 + ARTICLES / 15
GROUPS = ("local.test", "comp.lang.python")
ORDER = ("a", "i1", "b", "i2", "c")  # the ring; those with a digit are INN


@dataclass
class Ring:
    """Where everybody listens."""

    ports: dict[str, int]
    folder: Path

    def neighbours(self, name: str) -> tuple[str, str]:
        at = ORDER.index(name)
        return ORDER[at - 1], ORDER[(at + 1) % len(ORDER)]

    def ours(self, name: str) -> contextlib.AbstractAsyncContextManager[Server]:
        """One of ours: feeds both neighbours, takes from everybody on this machine."""
        feeds = [
            Peer(
                name=other, host="127.0.0.1", port=self.ports[other], send="*", identity=(f"{other}.test",),
                addresses=("192.0.2.1",),
            )
            for other in self.neighbours(name)
        ]  # fmt: skip
        peers = (Peer(name="any", addresses=("127.0.0.1",), max_in=200), *feeds)
        listeners: dict[str, Any] = configured(self.folder).listeners
        listeners = {"nntp": dataclasses.replace(listeners["nntp"], port=self.ports[name])}
        return start_server(
            self.folder / name,
            only=("nntp",),
            listeners=listeners,
            nntp={"peer": peers, "path_host": f"{name}.test"},
            news={"docancels": "all"},
        )

    def inn(self, name: str, folder: Path) -> Inn:
        feeds = [Feed(other, f"{other}.test", self.ports[other]) for other in self.neighbours(name)]
        return Inn(folder / name, f"{name}.test", GROUPS, feeds=feeds, port=self.ports[name])


def numbered(low: int, high: int) -> list[tuple[str, bytes]]:
    made = []
    for number in range(low, high):
        names = ",".join(GROUPS) if number % 5 == 0 else GROUPS[number % 2]
        made.append((f"{number}@ring.test", article(f"{number}@ring.test", names)))
    return made


def cancels(numbers: range) -> list[tuple[str, bytes]]:
    return [
        (
            f"c{number}@ring.test",
            article(f"c{number}@ring.test", GROUPS[0], more=f"Control: cancel <{number}@ring.test>\r\n"),
        )
        for number in numbers
    ]


def holds(server: Server | Inn, expected: Counter[str]) -> bool:
    """Whether exactly these lie there; looks at names only when the numbers are right."""
    if isinstance(server, Inn):
        number = sum(len(server.numbers(group)) for group in GROUPS)
    else:
        number = sum(count(server, group) for group in GROUPS)
    return number == expected.total() and lies(server) == expected


def lies(server: Server | Inn) -> Counter[str]:
    """How often each Message-ID lies in a group of a server."""
    if isinstance(server, Inn):
        found = Counter[str]()
        for group in GROUPS:
            for data in server.articles(group):
                at = data.index(b"Message-ID: ") + 12
                found[data[at : data.index(b"\r\n", at)].decode()] += 1
        return found
    return Counter(each for group in GROUPS for each in ids(server, group))


async def test_a_ring_of_five(tmp_path: Path) -> None:
    ring = Ring(dict(zip(ORDER, free_ports(len(ORDER)), strict=True)), tmp_path)
    gone = range(0, ARTICLES, 10)
    expected = Counter[str]()
    for number in range(ARTICLES):
        if number not in gone:
            expected[f"<{number}@ring.test>"] = 2 if number % 5 == 0 else 1
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ring-") as name:
        Path(name).chmod(0o755)
        inns = {each: ring.inn(each, Path(name)) for each in ("i1", "i2")}
        try:
            for each in inns.values():
                each.prepare()
                await each.start()
            async with ring.ours("a") as a, ring.ours("b") as b:
                third = ARTICLES // 3
                async with ring.ours("c") as c:
                    await everybody(ring, a, numbered(0, third))
                inns["i1"].stop()  # a and b are apart now: i1 and c are away
                await everybody(ring, b, numbered(third, 2 * third))
                await inns["i1"].start()
                await everybody(ring, a, numbered(2 * third, ARTICLES))
                await everybody(ring, b, cancels(gone))
                async with ring.ours("c") as c:
                    for server in (a, b, c, inns["i1"], inns["i2"]):
                        await until(
                            lambda server=server: holds(server, expected),
                            f"{_name(server)} differs",
                            PATIENCE_S,
                        )
                    for server in (a, b, c):
                        assert await server.store.read(check.all) == []
                    print(f"{ARTICLES} articles and {len(gone)} cancels: {time.monotonic() - began:.1f} s")
        finally:
            for each in inns.values():
                each.stop()


async def everybody(ring: Ring, entry: Server, articles: list[tuple[str, bytes]]) -> None:
    answers = await bring(entry.ports["nntp"], articles)
    assert all(answer.startswith("239") for answer in answers), [one for one in answers if one[:3] != "239"][
        :3
    ]
    await asyncio.sleep(0.5)


def _name(server: Server | Inn) -> str:
    return server.path_host if isinstance(server, Inn) else server.app.config.nntp.path_host
