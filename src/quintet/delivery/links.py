"""Sessions with other hosts: finding one that answers, and keeping it for the next message.

Goes through the ways to a destination until one connects; an idle session waits a few seconds for more
mail.  It serves every destination that would open the very same one: domains that share an exchanger
share its sessions.  RFC 5321 5.1, 4.5.4.1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from quintet import metrics
from quintet.delivery.route import Destination, Router, Unroutable
from quintet.delivery.tlspolicy import Demand
from quintet.delivery.transport import Hop, Link, Transport
from quintet.errors import Problem, Reason, Refused, TryLater

MAX_TRIES = 8  # addresses tried at one attempt; the rest has its turn when the order is another
MAX_IDLE = 100  # sessions kept, over all destinations
MAX_KNOWN = 10_000  # destinations whose last way is remembered


@dataclass(slots=True, eq=False)
class _Way:
    """One place to connect to, and the sessions with it that wait, the one that waits longest first."""

    hop: Hop
    waiting: list[Held]
    known: bool = True  # of `Links`; else another may stand for the same place


@dataclass(slots=True, eq=False)
class Held:
    """A session in use or waiting, and what was done with it."""

    link: Link
    way: _Way
    messages: int = 0
    until: float = 0.0  # the loop's time when it has waited long enough


class Links:
    """One a process."""

    def __init__(self, router: Router, transport: Transport, *, idle_s: float) -> None:
        self._router, self._transport, self._idle_s = router, transport, idle_s
        self._ways: dict[Hop, _Way] = {}
        self._last: dict[tuple[str, Demand], _Way] = {}  # the way that worked
        self._sweep: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._count = 0

    def kept(self, destination: Destination, demand: Demand) -> Held | None:
        """A session that waits for more mail there."""
        way = self._last.get((destination.key, demand))
        return None if way is None else self._waiting(way)

    async def fresh(
        self, destination: Destination, demand: Demand = Demand.USUAL, *, but: Collection[str] = ()
    ) -> Held:
        """A session with the first host that will; ``but`` are addresses to be passed over.

        Raises:
            Unroutable, Refused: no host, or one that will never have us.
            TryLater: none answers now, or the name service does not.
        """
        last: Problem | None = None
        tries = 0
        # cast: an asynchronous generator, which the annotation of `ways` does not say
        async with aclosing(cast("Any", self._router.ways(destination, demand=demand))) as hops:
            while True:
                try:
                    hop: Hop = await anext(hops)
                except StopAsyncIteration:
                    break
                except Problem as problem:
                    raise (last if isinstance(last, TryLater) else problem) from None
                if hop.address in but:
                    continue
                if tries >= MAX_TRIES:
                    break
                tries += 1
                try:
                    held = await self._one(destination, demand, hop)
                except TryLater as problem:
                    last = problem
                    continue
                except Refused as problem:
                    # RFC 8689 4.2.1: another host may do; RFC 7504 3: this one never does
                    if problem.reason in (Reason.TLS_REQUIRED, Reason.NO_MAIL):
                        last = last if isinstance(last, TryLater) else problem
                        continue
                    if problem.reason is not Reason.LOOP:
                        raise
                    # RFC 5321 5.1: neither we nor what is no nearer than we
                    raise last or Unroutable("5.4.6", problem.text, Reason.LOOP) from None
                return held
        raise last or Unroutable("5.4.4", f"no mail host for {destination.domain} has an address")

    async def _one(self, destination: Destination, demand: Demand, hop: Hop) -> Held:
        if len(self._last) >= MAX_KNOWN or len(self._ways) >= MAX_KNOWN:
            self._forget()
        way = self._ways.setdefault(hop, _Way(hop, []))
        held = self._waiting(way)
        if held is None:
            held = Held(await self._transport.connect(hop), way)
            metrics.LINKS.inc()
        self._last[destination.key, demand] = way
        return held

    def _forget(self) -> None:
        """All but where sessions wait."""
        self._last.clear()
        for way in self._ways.values():
            way.known = bool(way.waiting)
        self._ways = {hop: way for hop, way in self._ways.items() if way.known}

    def _waiting(self, way: _Way) -> Held | None:
        while way.waiting:
            held = way.waiting.pop()
            self._count -= 1
            if held.link.usable:
                return held
            self._close(held.link)
        return None

    def keep(self, held: Held, most: int = 0) -> None:
        """Done with it for now; it is closed when no mail comes for a while, or after ``most`` messages."""
        held.messages += 1
        used_up = 0 < most <= held.messages
        if used_up or not held.link.usable or self._idle_s <= 0 or self._count >= MAX_IDLE:
            self._close(held.link)
            return
        loop = asyncio.get_running_loop()
        held.until = loop.time() + self._idle_s
        if not held.way.known:
            held.way = self._ways.setdefault(held.way.hop, _Way(held.way.hop, []))
        held.way.waiting.append(held)
        self._count += 1
        if self._sweep is None:  # one timer for all: most wait for a moment only
            self._sweep = loop.call_at(held.until, self._end_idle)

    def drop(self, held: Held) -> None:
        """It is of no use any more."""
        self._close(held.link)

    async def close(self) -> None:
        """Ends all that wait."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for way in self._ways.values():
            for held in way.waiting:
                self._close(held.link)
            way.waiting.clear()
        self._count = 0
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _end_idle(self) -> None:
        """Closes who has waited long enough, and looks again when the next one has."""
        loop, self._sweep = asyncio.get_running_loop(), None
        now = loop.time()
        for way in self._ways.values():
            while way.waiting and way.waiting[0].until <= now:
                self._count -= 1
                self._close(way.waiting.pop(0).link)
        first = min((way.waiting[0].until for way in self._ways.values() if way.waiting), default=None)
        if first is not None:
            self._sweep = loop.call_at(first, self._end_idle)

    def _close(self, link: Link) -> None:
        metrics.LINKS.dec()
        task = asyncio.get_running_loop().create_task(link.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def trouble(problem: Problem) -> tuple[str, str]:
    """Status and words for what kept us from the host."""
    status: str = getattr(problem, "status", "")
    if not status:
        status = _STATUS.get(problem.reason, "4.0.0")
        status = ("4" if isinstance(problem, TryLater) else "5") + status[1:]
    return status, problem.text


_STATUS = {  # RFC 3463 3.2 to 3.8; X.0.0 is for what has no code of its own (RFC 3463 3.1)
    Reason.DNS: "4.4.3",
    Reason.TIMEOUT: "4.4.1",
    Reason.CLOSED: "4.4.1",
    Reason.TLS_REQUIRED: "4.7.5",
    Reason.AUTH_FAILED: "5.7.8",
    Reason.NO_SUCH_ADDRESS: "5.1.1",
    Reason.ACCOUNT_DISABLED: "5.2.1",
    Reason.OVER_QUOTA: "4.2.2",
    Reason.NUMBERS_EXHAUSTED: "4.2.2",
    Reason.NO_SUCH_FOLDER: "5.2.0",
    Reason.NO_SUCH_ACCOUNT: "5.1.1",
    Reason.NO_SUCH_DOMAIN: "5.1.2",
    Reason.NO_MAIL: "5.1.10",  # RFC 7505 4.1
    Reason.BAD_NAME: "5.1.3",
    Reason.BAD_CONTENT: "5.6.0",  # RFC 3463 3.7
    Reason.TOO_BIG: "5.3.4",
    Reason.NO_PERMISSION: "5.7.1",
    Reason.RELAY_DENIED: "5.7.1",
    Reason.SENDER_DENIED: "5.7.1",
    Reason.POLICY: "5.7.1",
    Reason.MODERATED: "5.7.1",
    Reason.DISK_FULL: "4.3.1",  # RFC 3463 3.4
    Reason.STORAGE: "4.3.0",
    Reason.BUSY: "4.3.2",
    Reason.LOCKED: "4.2.1",
    Reason.THROTTLED: "4.7.1",
    Reason.LOOP: "5.4.6",
}
