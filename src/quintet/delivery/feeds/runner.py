"""All feeds of a process: a feeder for each peer that gets articles, a puller for each that is read.

Every worker has feeders; the first one sends, the others help with what has waited for seconds, and go on
where the first one died.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from quintet import log
from quintet.clock import Clock
from quintet.config.peers import Peer
from quintet.delivery.feeds import output
from quintet.delivery.feeds.feeder import Feeder
from quintet.delivery.feeds.link import Opener
from quintet.store.store import Store

AGAIN_S = 10.0  # after a bug in a feeder, before it begins anew

logger = log.get("feed")


class Feeds:
    """One a process."""

    def __init__(
        self,
        store: Store,
        peers: Sequence[Peer],
        opener: Opener,
        *,
        clock: Clock,
        owner: str,
        first: bool = True,
    ) -> None:
        self._store, self._peers, self._opener = store, peers, opener
        self._clock, self._owner, self._first = clock, owner, first
        self._tasks: list[asyncio.Task[None]] = []
        self.feeders: dict[str, Feeder] = {}

    def start(self) -> None:
        for peer in self._peers:
            if not peer.feeds:
                continue
            opener = output.opener(self._store.data, self._clock) if peer.output else self._opener
            feeder = Feeder(
                self._store,
                peer,
                opener,
                clock=self._clock,
                owner=f"{self._owner}/{peer.name}",
                first=self._first,
            )
            self.feeders[peer.name] = feeder
            self.keep(feeder.run, f"feed {peer.name}")

    def keep(self, run: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """Runs something as long as we are here, also after a bug in it."""
        self._tasks.append(asyncio.create_task(_again(run, name), name=name))

    async def close(self) -> None:
        """Ends the connections and gives the leases back."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()


async def _again(run: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
    while True:
        try:
            await run()
        except Exception as bug:
            logger.error("feed failed", feed=name, exc_info=bug)  # noqa: TRY400 - ours has no exception()
            await asyncio.sleep(AGAIN_S)
