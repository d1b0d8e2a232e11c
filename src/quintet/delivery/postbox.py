"""Articles that are posted at the same time are filed together: one statement a table for all of them.

For articles that ask for nothing and at which nobody looks before they are filed; `post` says which.  While
some are on their way to the disk, the next ones gather; and of who was told just now most are about to post
again, so the others wait a little for them: two crowds that take turns flush twice as often.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence

from quintet.delivery.control import acts
from quintet.delivery.postrights import Permit
from quintet.errors import TryLater
from quintet.store import trace
from quintet.store.arriving import Filing
from quintet.store.model import Added
from quintet.store.store import Store

GATHER_S = 0.004  # seconds that a batch waits to be whole; about what a flush takes
CROWD = 3  # articles of one batch: more come than one by one

_Waiting = tuple[acts.Post, asyncio.Future[list[Added] | None]]


class Postbox:
    """One a process."""

    def __init__(self, store: Store, host: str) -> None:
        self._store, self._host = store, host
        self._waiting: list[_Waiting] = []
        self._busy = False
        self._hoped = 0  # articles of the last batch, and of those who came meanwhile
        self._gathering: asyncio.TimerHandle | None = None

    def put(
        self, one: Filing, note: trace.Note, permit: Permit | None = None
    ) -> asyncio.Future[list[Added] | None]:
        """Its places when it is on the disk; None when it was not filed: who files it alone hears why."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Added] | None] = loop.create_future()
        self._waiting.append(((one, note, permit), future))
        if self._gathering is not None and len(self._waiting) >= self._hoped:
            self._gathering.cancel()
            self._gathering = None
            loop.call_soon(self._send)
        elif not self._busy:
            self._busy = True
            loop.call_soon(self._send)  # not at once: others of this turn come along
        return future

    def _send(self) -> None:
        self._gathering = None
        batch = [one for one in self._waiting[: acts.POSTED_AT_ONCE] if not one[1].cancelled()]
        del self._waiting[: acts.POSTED_AT_ONCE]
        self._busy = bool(batch)
        if not batch:
            return
        try:
            done = self._store.submit(acts.post_all, [one for one, _ in batch], host=self._host)
        except TryLater:  # at the end of the server
            self._tell(batch, [None] * len(batch))
        else:
            done.add_done_callback(functools.partial(self._filed, batch))

    def _filed(self, batch: Sequence[_Waiting], done: asyncio.Future[list[list[Added] | None]]) -> None:
        failed = done.cancelled() or done.exception() is not None
        self._tell(batch, [None] * len(batch) if failed else done.result())

    def _tell(self, batch: Sequence[_Waiting], results: Sequence[list[Added] | None]) -> None:
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
        self._hoped = min(len(batch) + len(self._waiting), acts.POSTED_AT_ONCE)
        if self._hoped < CROWD or len(self._waiting) >= self._hoped:
            self._send()
        else:
            self._gathering = asyncio.get_running_loop().call_later(GATHER_S, self._send)
