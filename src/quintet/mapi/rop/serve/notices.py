"""What a session is told unasked: subscriptions, tables, a queue of events (MS-OXCNOTIF 3.1.4.3, 3.1.5.1).

A hint of the store wakes; what happened is read from the store then (docs/decisions/0122).  Operations call
`subscribe`, `show`, `looked`, `hide`, `forget`, `searched` and `collect` in whatever thread they run; these
only note what `settle` does on the loop afterwards, whose everything else is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from quintet.mapi.objects import Box
from quintet.mapi.objects.numbers import short
from quintet.mapi.rop.events import Event, Kind, TableEvent
from quintet.mapi.rop.others import Notify
from quintet.mapi.rop.serve.listening import Listening, Subscription
from quintet.mapi.rop.serve.shown import Shown
from quintet.store import accounts, folders
from quintet.store.db import Tx
from quintet.store.hints import Watch
from quintet.store.model import AccountId, FolderId, Modseq
from quintet.store.store import Store
from quintet.values import dataclass

MAX_QUEUE = 256  # events that wait; a table whose rows are too many for it says only that it changed


@dataclass(frozen=True, slots=True)
class Hints:
    """Folders in which something may have happened; accounts in which it may have been anywhere."""

    folders: frozenset[FolderId] = frozenset()
    missed: frozenset[AccountId] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.folders or self.missed)


class Notices:
    """Those of one session; ``event`` is set when there may be something.  ``most``: that wait to be told."""

    def __init__(self, store: Store, most: int = MAX_QUEUE) -> None:
        self._store, self._most = store, most
        self.event = asyncio.Event()
        self.queue: list[Notify] = []
        self._listening: dict[int, Listening] = {}  # by the number of the logon
        self._tables: dict[int, Shown] = {}
        self._accounts: dict[AccountId, Watch] = {}
        self._since: dict[AccountId, Modseq] = {}  # up to where nothing of an account was missed
        self._folders: Watch | None = None  # the single ones that tables show

    def __bool__(self) -> bool:
        return bool(self._listening or self._tables)

    # --- in any thread --------------------------------------------------------------------------------

    def subscribe(self, box: Box, logon: int, handle: int, one: Subscription) -> None:
        """From this transaction of the box on."""
        found = self._listening.get(logon)
        if found is None or found.box is not box:
            found = self._listening[logon] = Listening(box, logon)
        found.subscribe(handle, one)
        self._begin(box)

    def show(self, box: Box, handle: int, make: Callable[[], Shown]) -> None:
        """The client looks at a table; what becomes of it is told from the first time on."""
        if handle not in self._tables:
            self._tables[handle] = make()
            self._begin(box)

    def _begin(self, box: Box) -> None:
        account = box.account.id
        if account not in self._since:
            self._since[account] = accounts.get(box.tx, account).modseq

    def shows(self, handle: int) -> bool:
        """Whether the client looks at a table."""
        return handle in self._tables

    def looked(self, handle: int) -> None:
        """The client has arranged a table anew: it is told of what happens to that."""
        if handle in self._tables:
            self._tables[handle].look()

    def hide(self, handle: int) -> None:
        """A table was reset: nothing is told of it before it is looked at again."""
        if self._tables.pop(handle, None) is not None:
            self._take_back(handle)

    def forget(self, handle: int) -> None:
        """The object is released."""
        self.hide(handle)
        for number, one in list(self._listening.items()):
            if one.drop(handle):
                self._take_back(handle)
                if not one.subscriptions:
                    del self._listening[number]

    def _take_back(self, handle: int) -> None:
        """Events of what the client has let go of mean nothing to it."""
        if any(one.handle == handle for one in self.queue):
            self.queue = [one for one in self.queue if one.handle != handle]

    def searched(self, box: Box, folder: FolderId) -> None:
        """A search folder has found what there is (SearchComplete)."""
        for one in self._listening.values():
            for handle, each in one.subscriptions.items():
                if one.box.account.id == box.account.id and each.hears(Kind.SEARCH_COMPLETE, folder):
                    self._put(handle, one.logon, Event(Kind.SEARCH_COMPLETE, short(folder)))

    def collect(self, tx: Tx, hints: Hints, *, own: bool = False) -> None:
        """Reads what happened; ``own``: after a change of this client, and whatever came with it."""
        dirty = set(hints.folders)
        for account in hints.missed & self._since.keys():
            dirty.update(folders.changed_of(tx, account, self._since[account]))
            self._since[account] = accounts.get(tx, account).modseq
        for one in self._listening.values():
            for handle, event in one.collect(tx, dirty):
                self._put(handle, one.logon, event)
        for handle, table in self._tables.items():
            if not self._concerned(table, hints):
                continue
            if own and table.quiet:
                table.hear_nothing(tx)
            else:
                self._put_rows(handle, table, table.news(tx, dirty))

    def _concerned(self, table: Shown, hints: Hints) -> bool:
        return table.account in hints.missed or table.concerns(hints.folders)

    def heavy(self, hints: Hints) -> bool:
        """Whether `collect` has to arrange a table anew, or to search, which is too much for the loop."""
        if any(one.searches for one in self._listening.values()):
            return True
        return any(self._concerned(table, hints) for table in self._tables.values())

    def _put(self, handle: int, logon: int, event: Event) -> None:
        if len(self.queue) < self._most:
            self.queue.append(Notify(handle, logon, event))

    def _put_rows(self, handle: int, table: Shown, events: list[Event]) -> None:
        """Nothing more of a table that is known to have changed somehow; no rows where they are too many."""
        if any(one.handle == handle and one.event.table == TableEvent.CHANGED for one in self.queue):
            return
        if len(self.queue) + len(events) > self._most:
            self._take_back(handle)
            events = [table.changed()]
        self.queue.extend([Notify(handle, table.logon, event) for event in events])

    # --- on the loop ------------------------------------------------------------------------------------

    def take(self) -> Hints:
        """What hints named since the last time."""
        self.event.clear()  # before reading: what comes meanwhile sets it again
        folders: set[FolderId] = set()
        missed: set[AccountId] = set()
        for account, watch in self._accounts.items():
            if watch.missed:
                missed.add(account)
            folders |= _taken(watch)
        if self._folders is not None:
            if self._folders.missed:
                folders |= self._folders.folders or set()
            folders |= _taken(self._folders)
        return Hints(frozenset(folders), frozenset(missed))

    def settle(self) -> None:
        """Watches what is subscribed and shown now; what is new is looked at once."""
        tables = self._tables.values()
        accounts = {one.box.account.id for one in self._listening.values()}
        accounts |= {table.account for table in tables if table.folder is None}
        self._watch_accounts(accounts)
        self._watch_folders({table.folder for table in tables if table.folder is not None})

    def _watch_accounts(self, wanted: Iterable[AccountId]) -> None:
        for account in self._accounts.keys() - set(wanted):
            self._accounts.pop(account).close()
        for account in set(wanted) - self._accounts.keys():
            watch = self._accounts[account] = self._store.watch(self.event, None, account)
            watch.dirty, watch.missed = set(), True
            self.event.set()

    def _watch_folders(self, wanted: set[FolderId]) -> None:
        if not wanted and self._folders is not None:
            self._folders.close()
            self._folders = None
        if not wanted:
            return
        if self._folders is None:
            self._folders = self._store.watch(self.event, (), None)
            self._folders.dirty = set()
        watch, known = self._folders, set(self._folders.folders or ())
        for folder in known - wanted:
            watch.remove(folder)
        for folder in wanted - known:
            watch.add(folder)
            watch.wake(folder)

    def take_fitting(self, room: int, size: Callable[[Notify], int]) -> list[Notify]:
        """The first events that fit into ``room`` bytes, by their ``size``; they leave the queue."""
        found = []
        while self.queue and (needed := size(self.queue[0])) <= room:
            room -= needed
            found.append(self.queue.pop(0))
        return found

    def close(self) -> None:
        """Nothing is watched any more; who waits is woken."""
        self._listening.clear()
        self._tables.clear()
        self.settle()
        self.event.set()


def _taken(watch: Watch) -> set[FolderId]:
    assert watch.dirty is not None
    found, watch.dirty, watch.missed = watch.dirty, set(), False
    return found
