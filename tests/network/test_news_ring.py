"""Five news servers in a ring, each a host of its own: three of ours and two INNs; all is everywhere, once.

Each feeds both neighbours: one of ours streams, one offers by IHAVE alone, one sends packed batches by XBATCH
and is fed under TLS.  Articles enter at two places, some in two groups; some are cancelled at the other
place.  Meanwhile cables are pulled, so that the ring falls into parts.  ``QUINTET_ARTICLES=20000`` sends
so many: with 2,000 cancels they were everywhere after 77 s on two busy cores (2026-11-30).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from quintet.config.listeners import Listener
from quintet.config.peers import Peer
from quintet.store import check, groups
from quintet.store.store import Store
from tests.support import inn as news
from tests.support.feedhouse import article
from tests.support.inn import Feed, Inn
from tests.support.network import NET, Network, missing, network
from tests.support.relays import Quintet

_MISSING = missing() or news.missing()
pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(bool(_MISSING), reason=_MISSING or "there"),
]

ARTICLES = int(os.environ.get("QUINTET_ARTICLES", "150"))
PATIENCE_S = 60.0 + ARTICLES / 15
GROUPS = ("local.test", "comp.lang.python")
ORDER = ("a.test", "i1.test", "b.test", "i2.test", "c.test")  # those with a digit are INN
ADDRESS = {name: f"{NET}.{number}" for number, name in enumerate(ORDER, 2)}  # as `Network` gives them
PORT = 119


def neighbours(name: str) -> tuple[str, str]:
    at = ORDER.index(name)
    return ORDER[at - 1], ORDER[(at + 1) % len(ORDER)]


class Ours(Quintet):
    """One of ours: takes from everybody on the bridge, feeds both neighbours."""

    def __init__(
        self,
        net: Network,
        name: str,
        *,
        streaming: bool = True,
        acknowledge: str = "flushed",
        to: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        feeds = [
            Peer(
                name=other, host=ADDRESS[other], send="*", identity=(other,), addresses=("192.0.2.1",),
                verify=False, **{"streaming": streaming, **(to or {}).get(other, {})},
            )
            for other in neighbours(name)
        ]  # fmt: skip
        peers = (Peer(name="any", addresses=(f"{NET}.0/24",), max_in=200, streaming=streaming), *feeds)
        super().__init__(
            net, name,
            listeners={"nntp": Listener("nntp", "nntp", "", ADDRESS[name], PORT, tls="starttls")},
            nntp={"peer": peers, "path_host": name, "acknowledge": acknowledge},
            news={"docancels": "all"},
        )  # fmt: skip
        assert self.host.address == ADDRESS[name]

    async def _furnish(self) -> None:
        store = await Store.open(self.config.store)
        try:
            for name in GROUPS:
                await store.write(groups.create, name)
        finally:
            await store.close()

    async def lies(self) -> Counter[str]:
        """How often each Message-ID lies in a group, as a reader sees it."""
        found = Counter[str]()
        for group in GROUPS:
            lines = await ask(self.net, self.host.name, f"GROUP {group}", "XHDR Message-ID 1-")
            found.update(line.split()[1] for line in lines)
        return found

    async def count(self) -> int:
        return sum(
            [int((await tell(self.net, self.host.name, f"GROUP {name}")).split()[1]) for name in GROUPS]
        )

    async def faults(self) -> list[str]:
        store = await Store.open(self.config.store)
        try:
            return await store.read(check.all)
        finally:
            await store.close()


class Theirs:
    """An INN on a host of the network."""

    def __init__(self, net: Network, name: str) -> None:
        self.host = net.host(name)
        assert self.host.address == ADDRESS[name]
        self.host.call("sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start")  # it is no root
        feeds = [
            Feed(other.partition(".")[0], other, PORT, host=ADDRESS[other]) for other in neighbours(name)
        ]
        folder = self.host.var.parent / "inn"
        self.inn = Inn(
            folder, name, GROUPS, feeds=feeds, senders=[f"{NET}.1", *ADDRESS.values()], port=PORT,
            address=self.host.address, prefix=self.host.command(),
        )  # fmt: skip

    async def start(self) -> None:
        if not self.inn.folder.exists():
            await asyncio.to_thread(self.inn.prepare)  # the name server answers meanwhile
        await self.inn.start()

    async def lies(self) -> Counter[str]:
        found = Counter[str]()
        for group in GROUPS:
            for data in self.inn.articles(group):
                at = data.index(b"Message-ID: ") + 12
                found[data[at : data.index(b"\r\n", at)].decode()] += 1
        return found

    async def count(self) -> int:
        return sum(len(self.inn.numbers(group)) for group in GROUPS)


async def tell(net: Network, name: str, *commands: str) -> str:
    """The answer to the last command."""
    return (await _say(net, name, commands))[0]


async def ask(net: Network, name: str, *commands: str) -> list[str]:
    """The lines that follow the answer to the last command."""
    return (await _say(net, name, commands, block=True))[1:]


async def _say(net: Network, name: str, commands: Sequence[str], *, block: bool = False) -> list[str]:
    reader, writer = await net.connect(name, PORT)
    try:
        async with asyncio.timeout(60):
            await reader.readline()
            for command in commands:
                writer.write(f"{command}\r\n".encode())
                lines = [(await reader.readline()).decode().rstrip()]
            while block and lines[0].startswith("2"):
                line = (await reader.readline()).decode().rstrip()
                if line == ".":
                    break
                lines.append(line)
            return lines
    finally:
        writer.close()


async def bring(
    net: Network, name: str, articles: Sequence[tuple[str, bytes]], *, streaming: bool = True
) -> None:
    """Brings articles to a server, all of which it must take."""
    reader, writer = await net.connect(name, PORT)
    try:
        await reader.readline()
        for ident, data in () if streaming else articles:
            writer.write(f"IHAVE <{ident}>\r\n".encode())
            assert (await reader.readline()).startswith(b"335")
            writer.write(data + b".\r\n")
            assert (await reader.readline()).startswith(b"235")
        if not streaming:
            return
        for start in range(0, len(articles), 100):
            page = articles[start : start + 100]
            for ident, data in page:
                writer.write(f"TAKETHIS <{ident}>\r\n".encode() + data + b".\r\n")
            answers = [await reader.readline() for _ in page]
            assert all(answer.startswith(b"239") for answer in answers), answers
    finally:
        writer.close()


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


async def settled(server: Ours | Theirs, expected: Counter[str]) -> None:
    """Until exactly these lie there; looks at names only when the numbers are right."""
    end = time.monotonic() + PATIENCE_S
    while await server.count() != expected.total() or await server.lies() != expected:
        if time.monotonic() > end:
            found = await server.lies()
            less, more = list((expected - found).items()), list((found - expected).items())
            raise AssertionError(f"{server.host.name}: -{less[:5]} +{more[:5]} {server.host.log}")
        await asyncio.sleep(0.5)


async def news_goes_on(net: Network) -> None:
    """A cancel of nothing at both places, every few seconds, until it is cancelled itself.

    What innfeed's queue does not hold waits in the buffer of its backlog file, which it looks at only when
    there is something new to send: with no news at all the last articles stay there (INN 2.7.1).
    """
    number = 1_000_000
    while True:
        await asyncio.sleep(3)
        for name, streaming in (("a.test", True), ("b.test", False)):
            number += 1
            await bring(net, name, cancels(range(number, number + 1)), streaming=streaming)


async def fetched_by_nntpget(here: Theirs, name: str, message_id: str) -> None:
    """INN's tool for single articles; it knows no port but 119."""
    told = f"{message_id}\n".encode()
    text = await asyncio.to_thread(here.inn.run, "nntpget", ADDRESS[name], check=False, input=told)
    assert f"Message-ID: {message_id}" in text, text


async def test_a_ring_of_five_falls_apart_and_mends() -> None:
    gone = range(0, ARTICLES, 10)
    expected = Counter[str]()
    for number in range(ARTICLES):
        if number not in gone:
            expected[f"<{number}@ring.test>"] = 2 if number % 5 == 0 else 1
    third = ARTICLES // 3
    async with network() as net:
        a = b = c = None
        others: list[Theirs] = []
        try:
            a = Ours(net, "a.test", acknowledge="received", to={"c.test": {"tls": "opportunistic"}})
            others.append(Theirs(net, "i1.test"))
            b = Ours(net, "b.test", streaming=False)
            others.append(Theirs(net, "i2.test"))
            c = Ours(net, "c.test", to={"a.test": {"xbatch": True, "packing": "gzip"}})
            servers: tuple[Ours | Theirs, ...] = (a, b, c, *others)
            for each in servers:
                await each.start()
            began = time.monotonic()
            await bring(net, "a.test", numbered(0, third))
            for each in (others[0], c):
                each.host.unplug()  # now a is alone, and b has i2 only
            await bring(net, "a.test", numbered(2 * third, ARTICLES))
            await bring(net, "b.test", numbered(third, 2 * third), streaming=False)
            await asyncio.sleep(2)
            assert await a.count() < expected.total()
            for each in (others[0], c):
                each.host.plug()
            await bring(net, "b.test", cancels(gone), streaming=False)
            more = asyncio.create_task(news_goes_on(net))
            try:
                await asyncio.gather(*[settled(each, expected) for each in servers])
            except AssertionError:
                counts = {each.host.name: await each.count() for each in servers}
                print(counts, *[f"== {their.host.name} {their.inn.log()}" for their in others])
                raise
            finally:
                more.cancel()
                with suppress(asyncio.CancelledError):
                    await more
            print(f"{ARTICLES} articles, {len(gone)} cancels: everywhere in {time.monotonic() - began:.1f} s")
            await fetched_by_nntpget(others[0], "a.test", f"<{ARTICLES - 1}@ring.test>")
            for ours in (a, b, c):
                await ours.end()
                assert await ours.faults() == []
        finally:
            for their in others:
                await asyncio.to_thread(their.inn.stop)
            for ours_ in (a, b, c):
                if ours_ is not None:
                    ours_.close()
