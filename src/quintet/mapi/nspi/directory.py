"""The copy of the directory that a process keeps: made when first asked, made anew when something changed.

Asking costs one small read; making it is done in a reader's thread, by one asker while the others wait.  A
large directory that changes all the time is not made all the time: after a making that was not quick it
rests so long that making takes a fifth of the time, and what is shown meanwhile is as old as that (10,000
accounts: 2 s).
"""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Final

from quintet.mapi.nspi.view import View, made
from quintet.store import directory
from quintet.store.db import Tx
from quintet.store.store import Store

REST: Final = 4  # times as long as the making took
QUICK_S: Final = 0.1  # seconds of CPU; such a making needs no rest (some 2,000 accounts)


class Directory:
    """One a process; belongs to one event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._view: View | None = None
        self._making: asyncio.Task[View] | None = None
        self._rest_until = 0.0

    async def view(self) -> View:
        """The directory as it is now, or as it was a moment ago.  Raises TryLater: the store has trouble."""
        view = self._view
        if view is not None:
            if self._store.ask(directory.version) == view.version:
                return view
            if self._store.clock.monotonic() < self._rest_until:
                return view
        if self._making is None:
            self._making = asyncio.create_task(self._make())
            self._making.add_done_callback(self._made)
        return await asyncio.shield(self._making)

    async def _make(self) -> View:
        view, took_s = await self._store.read(_read, self._view)
        self._view = view
        if took_s > QUICK_S:
            self._rest_until = self._store.clock.monotonic() + REST * took_s
        return view

    def _made(self, task: asyncio.Task[View]) -> None:
        self._making = None
        if not task.cancelled():
            task.exception()  # whoever waits hears it; nobody may be waiting any more


def _read(tx: Tx, before: View | None) -> tuple[View, float]:
    """A view, and the seconds of CPU that it took."""
    started = time.thread_time()
    view = made(directory.listing(tx), uuid.UUID(bytes=directory.server_name(tx)), before)
    return view, time.thread_time() - started
