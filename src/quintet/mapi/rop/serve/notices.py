"""What a session is told unasked: subscriptions, tables, a queue of events (MS-OXCNOTIF 3.1.4.3, 3.1.5.1).

A hint of the store wakes; what happened is read from the store then (docs/decisions/0122).  Everything here
is the loop's but `subscribe`, `show`, `hide` and `forget`, which operations call in whatever thread they run;
they only note what `settle` does on the loop afterwards.
"""

from __future__ import annotations

import asyncio
import collections
import itertools
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from quintet.errors import Refused
from quintet.mapi.ids import ShortId
from quintet.mapi.rop.events import Event, Kind, TableEvent
from quintet.mapi.rop.others import Notify
from quintet.store import access, folders, pages, seen
from quintet.store.db import Tx
from quintet.store.hints import Watch
from quintet.store.model import AccountId, Folder, FolderId
from quintet.store.pages import Came
from quintet.store.store import Store

MAX_QUEUE = 256  # events that wait; what is beyond them is told by the tables and counts that change
MAX_TOLD = 50  # messages of a folder that are told one by one; of more only that the folder changed


@dataclass(slots=True, eq=False)
class Subscription:
    """RopRegisterNotification: which events, of what; ``folder`` None: of the whole store."""

    logon: int
    kinds: int
    account: AccountId
    reader: AccountId
    folder: FolderId | None = None
    message: int = 0  # 0: of any message
    inbox: FolderId | None = None  # where what comes is new mail


@dataclass(slots=True, eq=False)
class Shown:
    """A table that a client looks at, from its first row on until it is reset (R246 to R255, R272)."""

    logon: int
    account: AccountId
    folder: FolderId | None  # None: a table of folders
    version: Callable[[Tx], Hashable]
    seen: Hashable = None
    told: bool = False


@dataclass(slots=True)
class _Look:
    """What changed in a folder since it was looked at."""

    came: list[Came] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)  # object numbers
    gone: list[tuple[int, int, int]] = field(default_factory=list)  # number; folder and number it moved to
    many: bool = False
    total: int = 0
    unread: int = 0


class Notices:
    """Those of one session; ``event`` is set when there may be something."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.event = asyncio.Event()
        self.queue: collections.deque[Notify] = collections.deque()
        self._subscriptions: dict[int, Subscription] = {}
        self._tables: dict[int, Shown] = {}
        self._since: dict[FolderId, int] = {}  # the change number up to which a folder was looked at
        self._base: dict[AccountId, int] = {}  # that of folders that nobody looked at yet
        self._watches: dict[AccountId | None, Watch] = {}  # None: the one of single folders

    def __bool__(self) -> bool:
        return bool(self._subscriptions or self._tables)

    # --- in any thread --------------------------------------------------------------------------------

    def subscribe(self, tx: Tx, handle: int, one: Subscription) -> None:
        """From this transaction on."""
        if one.folder is None:
            top = tx.value("SELECT max(highest_modseq) FROM folder WHERE account_id = ?", one.account) or 0
            self._base.setdefault(one.account, top)
        else:
            self._since.setdefault(one.folder, folders.get(tx, one.folder).highest_modseq)
        self._subscriptions[handle] = one

    def show(self, tx: Tx, handle: int, table: Shown) -> None:
        """The client has looked at a table, as it is now."""
        table.seen, table.told = table.version(tx), False
        self._tables[handle] = table

    def hide(self, handle: int) -> None:
        """A table was reset: nothing is told of it before it is looked at again."""
        self._tables.pop(handle, None)

    def forget(self, handle: int) -> None:
        """The object is released."""
        self._subscriptions.pop(handle, None)
        self._tables.pop(handle, None)

    def searched(self, account: AccountId, folder: FolderId) -> None:
        """A search folder has found what there is (SearchComplete)."""
        event = Event(Kind.SEARCH_COMPLETE, _id(folder))
        for handle, one in list(self._subscriptions.items()):
            if one.account == account and one.kinds & Kind.SEARCH_COMPLETE and one.folder in (None, folder):
                self._put(handle, one.logon, event)

    # --- on the loop ------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Watches what is subscribed and shown now; new folders are looked at once."""
        wanted: dict[AccountId | None, set[FolderId] | None] = {}
        watched: list[Subscription | Shown] = [*self._subscriptions.values(), *self._tables.values()]
        for one in watched:
            if one.folder is None:
                wanted[one.account] = None
            else:
                single = wanted.setdefault(None, set())
                assert single is not None
                single.add(one.folder)
        for key in [key for key in self._watches if key not in wanted]:
            self._watches.pop(key).close()
        for account, single in wanted.items():
            watch = self._watches.get(account)
            if watch is None:
                watch = self._watches[account] = self._store.watch(
                    self.event, None if single is None else (), account
                )
                watch.dirty, watch.missed = set(), single is None
            for folder in (watch.folders or set()) - (single or set()) if single is not None else ():
                watch.remove(folder)
            for folder in (single or set()) - (watch.folders or set()):
                watch.add(folder)
                watch.wake(folder)

    def collect(self, tx: Tx) -> None:
        """Reads what happened in the folders that hints named."""
        self.event.clear()  # before reading: what comes meanwhile sets it again
        dirty: set[FolderId] = set()
        for account, watch in self._watches.items():
            assert watch.dirty is not None
            dirty |= watch.dirty
            if watch.missed:
                dirty |= self._known(tx, account)
            watch.dirty, watch.missed = set(), False
        if not dirty and not any(table.folder is None for table in self._tables.values()):
            return
        for folder in dirty:
            self._look(tx, folder)
        for handle, table in self._tables.items():
            if not table.told and (table.folder is None or table.folder in dirty):
                self._tell_table(tx, handle, table)

    def _known(self, tx: Tx, account: AccountId | None) -> set[FolderId]:
        """Everything that a watch is about, where it does not know what happened."""
        if account is None:
            watch = self._watches[None]
            return set(watch.folders or ())
        base = self._base.get(account, 0)
        rows = tx.all(
            "SELECT id FROM folder WHERE account_id = ? AND highest_modseq > ? LIMIT 1000", account, base
        )
        return {FolderId(number) for (number,) in rows}

    def _tell_table(self, tx: Tx, handle: int, table: Shown) -> None:
        try:
            now = table.version(tx)
        except Refused:  # its folder is gone
            now = None
        if now != table.seen:
            table.told = True
            flags = Kind.TABLE_MODIFIED | (Kind.MESSAGE if table.folder is not None else 0)
            self._put(handle, table.logon, Event(flags, table=TableEvent.CHANGED))

    def _look(self, tx: Tx, folder: FolderId) -> None:
        try:
            row = folders.get(tx, folder)
        except Refused:
            self._since.pop(folder, None)
            self._tell_gone(folder)
            return
        since = self._since.get(folder, self._base.get(row.account_id, row.highest_modseq))
        self._since[folder] = row.highest_modseq
        mine = [
            (handle, one)
            for handle, one in self._subscriptions.items()
            if one.folder == folder or (one.folder is None and one.account == row.account_id)
        ]
        if not mine or row.highest_modseq <= since:
            return
        reader = mine[0][1].reader
        if "r" not in access.of_folder(tx, reader, row):  # somebody else's, or no longer shared
            return
        look = _read(tx, row, since, reader)
        look.total, look.unread = row.messages, seen.unseen(tx, row, reader)
        for handle, one in mine:
            for event in _events(folder, look, one):
                self._put(handle, one.logon, event)

    def _tell_gone(self, folder: FolderId) -> None:
        for handle, one in self._subscriptions.items():
            if one.kinds & Kind.DELETED and one.folder in (None, folder):
                self._put(handle, one.logon, Event(Kind.DELETED, _id(folder)))

    def _put(self, handle: int, logon: int, event: Event) -> None:
        if len(self.queue) < MAX_QUEUE:
            self.queue.append(Notify(handle, logon, event))

    def take_fitting(self, room: int, size: Callable[[Notify], int]) -> list[Notify]:
        """The first events that fit into ``room`` bytes, by their ``size``; they leave the queue."""
        found = []
        while self.queue and (needed := size(self.queue[0])) <= room:
            room -= needed
            found.append(self.queue.popleft())
        return found

    def close(self) -> None:
        """Nothing is watched any more; who waits is woken."""
        for watch in self._watches.values():
            watch.close()
        self._watches.clear()
        self._subscriptions.clear()
        self._tables.clear()
        self.event.set()


def _id(number: int) -> ShortId:
    return ShortId(1 if number else 0, number)


def _read(tx: Tx, folder: Folder, since: int, reader: AccountId) -> _Look:
    """What came, changed and went, and what the reader marked."""
    found = _Look()
    told = pages.happened(tx, folder.id, since, MAX_TOLD)
    if told is None:
        found.many = True
        return found
    found.came, found.changed, found.gone = told.came, told.changed, told.gone
    if seen.is_own(folder, reader):
        marked = itertools.islice(seen.changed_after(tx, folder.id, reader, since), MAX_TOLD)
        fresh = {one.id for one in told.came} | set(told.changed)
        found.changed += [
            one for one in pages.numbers(tx, folder.id, list(marked)).values() if one not in fresh
        ]
    return found


def _events(folder: FolderId, look: _Look, one: Subscription) -> Iterable[Event]:
    """The events that a subscription is about (2.2.1.1)."""
    where, message = _id(folder), int(Kind.MESSAGE)
    for new in look.came:
        if one.message in (0, new.id):
            yield from _arrival(folder, new, one)
    if one.kinds & Kind.MODIFIED:
        for number in look.changed:
            if one.message in (0, number):
                yield Event(Kind.MODIFIED | message, where, _id(number))
    for number, place, to in look.gone:
        if one.message not in (0, number):
            continue
        if not to or not one.kinds & Kind.MOVED:
            if one.kinds & Kind.DELETED:
                yield Event(Kind.DELETED | message, where, _id(number))
        elif one.folder is not None:  # who watches everything hears of it from where it went
            yield Event(Kind.MOVED | message, _id(place), _id(to), old_folder=where, old_message=_id(number))
    if one.kinds & Kind.MODIFIED and not one.message:
        flags = Kind.MODIFIED | Kind.TOTAL | Kind.UNREAD
        yield Event(flags, where, total=look.total, unread=look.unread)


def _arrival(folder: FolderId, new: Came, one: Subscription) -> Iterable[Event]:
    """A message that is new in a folder: it came, was moved there or copied."""
    where, message, number = _id(folder), int(Kind.MESSAGE), _id(new.id)
    for kind, (place, old) in ((Kind.MOVED, new.moved_from), (Kind.COPIED, new.copied_from)):
        if old and one.kinds & kind:
            yield Event(kind | message, where, number, old_folder=_id(place), old_message=_id(old))
            return
    if one.kinds & Kind.NEW_MAIL and folder == one.inbox and not new.moved_from[1]:
        yield Event(Kind.NEW_MAIL | message, where, number, message_class="IPM.Note")
    if one.kinds & Kind.CREATED:
        yield Event(Kind.CREATED | message, where, number)
