"""News of the own store: hints of any process, turned into events for listeners in a thread of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from quintet import log
from quintet.errors import Problem
from quintet.mapi.providers.base import Cancel, Event, Kind, Listener, Thing
from quintet.mapi.providers.listeners import Listeners
from quintet.mapi.rop import events
from quintet.mapi.rop.serve.listening import Subscription
from quintet.mapi.rop.serve.notices import Notices
from quintet.mapi.rop.serve.run import collect
from quintet.store import folders
from quintet.store.db import Tx
from quintet.store.model import FolderId

if TYPE_CHECKING:
    from quintet.mapi.ids import ShortId
    from quintet.mapi.objects import Box
    from quintet.mapi.providers.local.store import LocalStore

logger = log.get("mapi")

EVERYTHING = 0xFFFF
MAX_NEWS = 100_000  # of one look; they are told at once, so nothing waits for a client to fetch it
HANDLE = 1  # one subscription serves all listeners


class Watching:
    """The listeners of one store; what they are told is read once for all of them."""

    def __init__(self, store: LocalStore) -> None:
        self._store = store
        self._listeners = Listeners()
        self._task: asyncio.Task[None] | None = None
        store.host.run(self._begin())

    def add(self, listener: Listener) -> Cancel:
        return self._listeners.add(listener)

    def say(self, event: Event) -> None:
        """Tells of something that the store's hints do not."""
        self._store.host.tellers.submit(self._listeners.tell, [event])

    def close(self) -> None:
        self._listeners.clear()
        self._store.host.run(self._end())

    # --- on the loop --------------------------------------------------------------------------------

    async def _begin(self) -> None:
        self._notices = Notices(self._store.host.store, MAX_NEWS)
        self._store.host.store.peek(self._subscribe)
        self._notices.settle()
        self._task = asyncio.create_task(self._run(), name="mapi-watch")

    def _subscribe(self, tx: Tx) -> None:
        with self._store.box.twin().using(tx) as box:
            self._notices.subscribe(box, 0, HANDLE, Subscription(EVERYTHING))

    async def _end(self) -> None:
        self._notices.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        host = self._store.host
        while True:
            try:
                await collect(self._notices, host.store)
            except Problem as problem:  # the next hint comes
                logger.warning("news not read", reason=problem.reason.value)
            found = [event for one in self._notices.queue for event in self._of(one.event)]
            self._notices.queue.clear()
            if found:
                # what comes meanwhile waits where it is counted (`Notices`)
                await host.loop.run_in_executor(host.tellers, self._listeners.tell, found)
            await self._notices.event.wait()

    def _of(self, event: events.Event) -> Iterator[Event]:
        box, kind = self._store.box, Kind(event.flags & 0xFF)
        where, old_where = _entry(box, event.folder), _entry(box, event.old_folder)
        if event.flags & events.Kind.MESSAGE:
            entry = box.message_entry_id(event.folder.counter, event.message.counter)
            old = event.old_message.counter
            before = box.message_entry_id(event.old_folder.counter, old) if old else b""
            yield Event(kind, Thing.MESSAGE, entry, where, before, old_where, event.message_class)
        else:
            parent = _entry(box, event.parent) or self._parent(event.folder)
            yield Event(kind, Thing.FOLDER, where, parent, old_where, _entry(box, event.old_parent))

    def _parent(self, folder: ShortId) -> bytes:
        """Where a folder stands whose event does not tell; b"" for one that is gone."""
        store = self._store
        try:
            row = store.host.store.peek(folders.get, FolderId(folder.counter))
        except Problem:
            return b""
        return store.box.folder_entry_id(store.box.parent_of(row))


def _entry(box: Box, folder: ShortId) -> bytes:
    return box.folder_entry_id(folder.counter) if folder.counter else b""
