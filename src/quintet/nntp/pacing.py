"""How much one reader gets: connections at once, articles in a time, bytes in a second.

Counted by account, or by address (IPv6: /64) for who has not logged in.  Articles are counted for all
workers of the machine together, connections in each worker alone.  ``[[nntp.access]]`` says how much.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from quintet.clock import Clock
from quintet.config.policy import rate
from quintet.config.readers import Access
from quintet.net.limits import address_key
from quintet.net.seam import Replies, Slice, each
from quintet.nntp.wire import Status
from quintet.policy.rates import Meter
from quintet.store.slots import Slots

TABLE = 16_384  # posters remembered; 16 bytes each
BURST_S = 0.25  # seconds' worth of bytes that may be sent ahead of ``max_rate``
CALM = 1 << 20  # articles that the memory of a slow-down holds

Sleep = Callable[[float], Awaitable[None]]


class Pacing:
    """What all connections of a process count together.  ``run`` is the folder of the shared tables."""

    def __init__(self, clock: Clock, run: Path | None = None, sleep: Sleep = asyncio.sleep) -> None:
        self.clock, self.sleep = clock, sleep
        self._slots = Slots(TABLE, run / "counts.news_posts" if run is not None else None)
        self._open: dict[str, int] = {}

    # --- connections ------------------------------------------------------------------------

    def enter(self, who: str, most: int) -> bool:
        """Counts a connection; False, and not counted, when there are ``most`` already (0: no limit)."""
        count = self._open.get(who, 0)
        if most and count >= most:
            return False
        self._open[who] = count + 1
        return True

    def leave(self, who: str) -> None:
        """A connection that had entered is gone."""
        count = self._open.pop(who) - 1
        if count:
            self._open[who] = count

    # --- articles ---------------------------------------------------------------------------

    def posting_waits(self, who: str, rule: Access) -> float:
        """Seconds until one more article is within ``rule.posts``; 0 when it is."""
        meter = self._rate(rule)
        return meter.wait(f"{rule.posts} {who}", self.clock.now() / 1000) if meter is not None else 0.0

    def slowed(self, who: str, rule: Access) -> float:
        """Seconds that the next article of somebody who posts much has to wait."""
        meter = self._calm(rule)
        if meter is None:
            return 0.0
        over = int(meter.used(f"calm {who}", self.clock.now() / 1000) + 0.5) - rule.backoff_after
        return 0.0 if over < 0 else min(2.0 ** min(over, 30), rule.backoff_most_s)

    def posted(self, who: str, rule: Access) -> None:
        """Counts an article."""
        now = self.clock.now() / 1000
        for meter, name in ((self._rate(rule), f"{rule.posts} {who}"), (self._calm(rule), f"calm {who}")):
            if meter is not None:
                meter.take(name, now)

    def _rate(self, rule: Access) -> Meter | None:
        found = rate(rule.posts) if rule.posts else None
        return None if found is None else Meter("news_posts", *found, self._slots)

    def _calm(self, rule: Access) -> Meter | None:
        if not rule.backoff_after:
            return None
        return Meter("news_backoff", CALM, CALM * rule.backoff_forget_s, self._slots)


def who(address: str, name: str) -> str:
    """By what somebody is counted."""
    return name or address_key(address)


class Throttle:
    """One connection's ``max_rate``."""

    __slots__ = ("_free_at", "_pacing", "_rate")

    def __init__(self, pacing: Pacing, rate_: int) -> None:
        self._pacing, self._rate = pacing, rate_  # bytes a second
        self._free_at = 0.0

    async def replies(self, replies: Replies) -> AsyncGenerator[Any, None]:
        """The same replies, each as soon as the ones before it have taken their time."""
        async with aclosing(each(replies)) as source:
            async for reply in source:
                await self._wait()
                yield reply
                self._count(reply)

    def _count(self, reply: Any) -> None:
        if isinstance(reply, bytes):
            size = len(reply)
        elif isinstance(reply, Slice):
            size = reply.length
        else:
            size = len(reply.text) if isinstance(reply, Status) else 0
        self._free_at = max(self._free_at, self._pacing.clock.monotonic()) + size / self._rate

    async def _wait(self) -> None:
        ahead = self._free_at - self._pacing.clock.monotonic() - BURST_S
        if ahead > 0:
            await self._pacing.sleep(ahead)
