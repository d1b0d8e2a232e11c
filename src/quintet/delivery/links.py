"""Sessions with other hosts: finding one that answers, and keeping it for the next message.

Goes through a destination's hosts and their addresses until one connects; an idle session waits a few
seconds for more mail to the same destination.  RFC 5321 5.1, 4.5.4.1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from quintet import metrics
from quintet.delivery.route import Destination, Router, Unroutable
from quintet.delivery.transport import Link, Transport
from quintet.errors import Problem, Reason, Refused, TryLater

MAX_TRIES = 8  # addresses tried at one attempt; the rest has its turn when the order is another
MAX_IDLE = 100  # sessions kept, over all destinations


@dataclass(slots=True)
class _Idle:
    link: Link
    timer: asyncio.TimerHandle


class Links:
    """One a process."""

    def __init__(self, router: Router, transport: Transport, *, idle_s: float) -> None:
        self._router, self._transport, self._idle_s = router, transport, idle_s
        self._idle: dict[str, list[_Idle]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._count = 0

    def kept(self, destination: Destination) -> Link | None:
        """A session that waits for more mail there."""
        waiting = self._idle.get(destination.key)
        while waiting:
            idle = waiting.pop()
            self._count -= 1
            idle.timer.cancel()
            if not waiting:
                self._idle.pop(destination.key, None)
            if idle.link.usable:
                return idle.link
            self._close(idle.link)
        return None

    async def fresh(self, destination: Destination, *, but: Collection[str] = ()) -> Link:
        """A new session with the first host that will; ``but`` are addresses to be passed over.

        Raises:
            Unroutable, Refused: no host, or one that will never have us.
            TryLater: none answers now, or the name service does not.
        """
        last: Problem | None = None
        tries = 0
        for host in await self._router.hosts(destination):
            try:
                addresses = await self._router.addresses(host)
            except TryLater as problem:
                last = problem
                continue
            for address in addresses:
                if tries >= MAX_TRIES:
                    break
                if address in but:
                    continue
                tries += 1
                try:
                    link = await self._transport.connect(self._router.hop(destination, host, address))
                except TryLater as problem:
                    last = problem
                    continue
                except Refused as problem:
                    if problem.reason is not Reason.LOOP:
                        raise
                    # RFC 5321 5.1: neither we nor what is no nearer than we
                    raise last or Unroutable("5.4.6", problem.text, Reason.LOOP) from None
                metrics.LINKS.inc()
                return link
        raise last or Unroutable("5.4.4", f"no mail host for {destination.domain} has an address")

    def keep(self, destination: Destination, link: Link) -> None:
        """Done with it for now; it is closed when no mail comes for a while."""
        if not link.usable or self._idle_s <= 0 or self._count >= MAX_IDLE:
            self._close(link)
            return
        timer = asyncio.get_running_loop().call_later(self._idle_s, self._too_long, destination.key)
        self._idle.setdefault(destination.key, []).append(_Idle(link, timer))
        self._count += 1

    def drop(self, link: Link) -> None:
        """It is of no use any more."""
        self._close(link)

    async def close(self) -> None:
        """Ends all that wait."""
        for waiting in list(self._idle.values()):
            for idle in waiting:
                idle.timer.cancel()
                self._close(idle.link)
        self._idle.clear()
        self._count = 0
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _too_long(self, key: str) -> None:
        waiting = self._idle.get(key)
        if waiting:
            self._count -= 1
            self._close(waiting.pop(0).link)  # the oldest: its timer fired
            if not waiting:
                del self._idle[key]

    def _close(self, link: Link) -> None:
        metrics.LINKS.dec()
        task = asyncio.get_running_loop().create_task(link.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def trouble(problem: Problem) -> tuple[str, str]:
    """Status and words for what kept us from the host."""
    if isinstance(problem, Unroutable):
        return problem.status, problem.text
    status = {
        Reason.DNS: "4.4.3",
        Reason.TIMEOUT: "4.4.1",
        Reason.CLOSED: "4.4.1",
        Reason.TLS_REQUIRED: "4.7.5",
        Reason.AUTH_FAILED: "5.7.8",
        Reason.NO_SUCH_ADDRESS: "5.1.1",
        Reason.ACCOUNT_DISABLED: "5.2.1",
        Reason.OVER_QUOTA: "4.2.2",
        Reason.LOOP: "5.4.6",
    }.get(problem.reason, "4.0.0")
    wanted = "4" if isinstance(problem, TryLater) else "5"
    return wanted + status[1:], problem.text
