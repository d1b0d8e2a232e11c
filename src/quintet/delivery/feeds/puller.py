"""Fetching: articles of servers where we are only a reader come in as if a peer had sent them.

By the numbers of each group, or by NEWNEWS; how far each group was fetched is kept in the store, and noted
after the articles are on the disk, so that a crash asks for some again and loses none.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Protocol

from quintet import log
from quintet.clock import Clock
from quintet.config.peers import Peer
from quintet.delivery.arrivalbatch import Fate
from quintet.delivery.arrivals import Arrivals, Source
from quintet.delivery.arrive import is_message_id
from quintet.errors import Problem, Reason, TryLater
from quintet.policy.newsfilter import Says, patterns
from quintet.store import arriving, feeding
from quintet.store.store import Store

AT_ONCE = 50  # articles asked for in one go
LEASE_ROW = ""  # of `pull`: the time of the last look
OVERLAP_MS = 600_000  # NEWNEWS looks back so much further: clocks differ, and articles of one second

logger = log.get("pull")


class Reading(Protocol):
    """A connection as a reader; `quintet.nntp.client.Connection` is one.  Methods raise Hangup."""

    async def group(self, name: str) -> tuple[int, int] | None: ...
    async def active(self) -> list[str]: ...
    async def ids(self, low: int, high: int) -> list[tuple[int, str]] | None: ...
    async def new_ids(self, pattern: str, since: str) -> list[str] | None: ...
    def articles(self, which: Sequence[str], limit: int) -> AsyncIterator[bytes | None]: ...
    async def close(self) -> None: ...


class Connect(Protocol):
    async def __call__(self, peer: Peer) -> Reading:
        """Raises Hangup, TryLater, Refused."""
        ...


class Puller:
    """Fetches from one server, again and again."""

    def __init__(
        self, store: Store, peer: Peer, connect: Connect, arrivals: Arrivals, *, clock: Clock, limit: int
    ) -> None:
        self._store, self._peer, self._connect, self._arrivals = store, peer, connect, arrivals
        self._clock, self._limit = clock, limit
        self._source = Source(peer, peer.host, f"pull {peer.name}", arrivals.offers.owner())

    async def run(self) -> None:
        while True:
            with suppress(Problem):
                await self.look()
            await asyncio.sleep(self._peer.pull_every_s * (0.9 + self._clock.random() / 5))

    async def look(self) -> int:
        """Fetches once; how many articles were new here.  Raises Problem."""
        try:
            reading = await self._connect(self._peer)
        except Problem as problem:
            logger.warning("no connection", peer=self._peer.name, why=problem.text)
            raise
        try:
            if self._peer.pull_by == "newnews":
                return await self._by_time(reading)
            return await self._by_number(reading)
        except Problem as problem:
            logger.warning("fetching ended", peer=self._peer.name, why=problem.text)
            raise
        finally:
            with suppress(Problem):
                await reading.close()

    # --- by number -------------------------------------------------------------------------------

    async def _by_number(self, reading: Reading) -> int:
        count = 0
        upto = await self._store.read(feeding.fetched_upto, self._peer.name)
        for name in await self._groups(reading):
            found = await reading.group(name)
            if found is None:
                continue
            low, high = found
            since = upto.get(name)
            if since is None or since > high:  # never looked at, or the group was made anew there
                since = max(low - 1, high - self._peer.pull_first)
            first = max(low, since + 1)
            while first <= high:
                last = min(first + AT_ONCE * 4 - 1, high)
                count += await self._range(reading, first, last)
                await self._store.write(feeding.fetched, self._peer.name, name, last)
                first = last + 1
            if since >= high and name not in upto:
                await self._store.write(feeding.fetched, self._peer.name, name, high)
        return count

    async def _groups(self, reading: Reading) -> list[str]:
        """Those of its groups that we want, and have."""
        wanted = patterns(self._peer.pull)
        words = [word.strip() for word in self._peer.pull.split(",")]
        if any(mark in word for word in words for mark in "*?[!@\\"):
            names = [name for name in await reading.active() if wanted(name) is Says.YES]
        else:
            names = [word for word in words if word]
        here: set[str] = set()
        for start in range(0, len(names), 500):
            here |= (await self._store.read(arriving.groups, names[start : start + 500])).keys()
        return [name for name in names if name in here]

    async def _range(self, reading: Reading, low: int, high: int) -> int:
        listed = await reading.ids(low, high)
        if listed is None:  # it cannot be asked: fetch all, what is known is refused here
            return await self._fetch(reading, [str(number) for number in range(low, high + 1)])
        known = self._store.known_many([message_id for _, message_id in listed])
        return await self._fetch(reading, [str(number) for number, each in listed if each not in known])

    # --- by time ---------------------------------------------------------------------------------

    async def _by_time(self, reading: Reading) -> int:
        name, now = self._peer.name, self._clock.now()
        since = (await self._store.read(feeding.fetched_upto, name)).get(LEASE_ROW, now)
        at = datetime.datetime.fromtimestamp((since - OVERLAP_MS) / 1000, datetime.UTC)
        ids = await reading.new_ids(self._peer.pull, at.strftime("%Y%m%d %H%M%S"))
        if ids is None:
            logger.warning("no NEWNEWS there: fetching by number", peer=name)
            return await self._by_number(reading)
        count = 0
        ids = [each for each in ids if is_message_id(each.encode("latin-1"))]
        for start in range(0, len(ids), 500):
            page = ids[start : start + 500]
            known = self._store.known_many(page)
            count += await self._fetch(reading, [each for each in page if each not in known])
        await self._store.write(feeding.fetched, name, LEASE_ROW, now)
        return count

    # --- articles --------------------------------------------------------------------------------

    async def _fetch(self, reading: Reading, which: list[str]) -> int:
        """How many of them were taken.  Raises TryLater: none of the rest was kept."""
        taken = 0
        for start in range(0, len(which), AT_ONCE):
            asked = reading.articles(which[start : start + AT_ONCE], self._limit)
            items = [(announced(data), data, False) async for data in asked if data is not None]
            outcomes = await self._arrivals.take(self._source, items)
            taken += sum(outcome.fate is Fate.TAKEN for outcome in outcomes)
            for outcome in outcomes:
                if outcome.fate is Fate.LATER:
                    raise TryLater(Reason.STORAGE, outcome.text)
        return taken


def announced(data: bytes) -> bytes:
    """The Message-ID in a header; b"" for none."""
    end = data.find(b"\r\n\r\n")
    head = b"\r\n" + (data if end < 0 else data[: end + 2])
    at = head.lower().find(b"\r\nmessage-id:")
    if at < 0:
        return b""
    return head[at + 13 : head.find(b"\r\n", at + 2)].strip()
