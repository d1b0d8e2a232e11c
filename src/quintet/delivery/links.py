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


@dataclass(slots=True)
class Held:
    """A session in use or waiting, and what was done with it."""

    link: Link
    hop: Hop
    messages: int = 0


@dataclass(slots=True)
class _Idle:
    held: Held
    timer: asyncio.TimerHandle


class Links:
    """One a process."""

    def __init__(self, router: Router, transport: Transport, *, idle_s: float) -> None:
        self._router, self._transport, self._idle_s = router, transport, idle_s
        self._idle: dict[Hop, list[_Idle]] = {}
        self._last: dict[tuple[str, Demand], Hop] = {}  # the way that worked
        self._closing: set[asyncio.Task[None]] = set()
        self._count = 0

    def kept(self, destination: Destination, demand: Demand) -> Held | None:
        """A session that waits for more mail there."""
        hop = self._last.get((destination.key, demand))
        return None if hop is None else self._waiting(hop)

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
                    if problem.reason is Reason.TLS_REQUIRED:  # RFC 8689 4.2.1: another host may do
                        last = last if isinstance(last, TryLater) else problem
                        continue
                    if problem.reason is not Reason.LOOP:
                        raise
                    # RFC 5321 5.1: neither we nor what is no nearer than we
                    raise last or Unroutable("5.4.6", problem.text, Reason.LOOP) from None
                return held
        raise last or Unroutable("5.4.4", f"no mail host for {destination.domain} has an address")

    async def _one(self, destination: Destination, demand: Demand, hop: Hop) -> Held:
        held = self._waiting(hop)
        if held is None:
            held = Held(await self._transport.connect(hop), hop)
            metrics.LINKS.inc()
        if len(self._last) >= MAX_KNOWN:
            self._last.clear()
        self._last[destination.key, demand] = hop
        return held

    def _waiting(self, hop: Hop) -> Held | None:
        waiting = self._idle.get(hop)
        while waiting:
            idle = waiting.pop()
            self._count -= 1
            idle.timer.cancel()
            if not waiting:
                self._idle.pop(hop, None)
            if idle.held.link.usable:
                return idle.held
            self._close(idle.held.link)
        return None

    def keep(self, held: Held, most: int = 0) -> None:
        """Done with it for now; it is closed when no mail comes for a while, or after ``most`` messages."""
        held.messages += 1
        used_up = 0 < most <= held.messages
        if used_up or not held.link.usable or self._idle_s <= 0 or self._count >= MAX_IDLE:
            self._close(held.link)
            return
        timer = asyncio.get_running_loop().call_later(self._idle_s, self._too_long, held.hop)
        self._idle.setdefault(held.hop, []).append(_Idle(held, timer))
        self._count += 1

    def drop(self, held: Held) -> None:
        """It is of no use any more."""
        self._close(held.link)

    async def close(self) -> None:
        """Ends all that wait."""
        for waiting in list(self._idle.values()):
            for idle in waiting:
                idle.timer.cancel()
                self._close(idle.held.link)
        self._idle.clear()
        self._count = 0
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _too_long(self, hop: Hop) -> None:
        waiting = self._idle.get(hop)
        if waiting:
            self._count -= 1
            self._close(waiting.pop(0).held.link)  # the oldest: its timer fired
            if not waiting:
                del self._idle[hop]

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


_STATUS = {
    Reason.DNS: "4.4.3",
    Reason.TIMEOUT: "4.4.1",
    Reason.CLOSED: "4.4.1",
    Reason.TLS_REQUIRED: "4.7.5",
    Reason.AUTH_FAILED: "5.7.8",
    Reason.NO_SUCH_ADDRESS: "5.1.1",
    Reason.ACCOUNT_DISABLED: "5.2.1",
    Reason.OVER_QUOTA: "4.2.2",
    Reason.LOOP: "5.4.6",
}
