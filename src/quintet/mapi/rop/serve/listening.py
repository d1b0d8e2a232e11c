"""What the subscriptions of one logon are told: of messages, of counts, of folders (MS-OXCNOTIF 2.2.1.1).

The store is asked what happened since the last look, whoever did it (docs/decisions/0122).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import field
from typing import Final

from quintet.mapi.errors import MapiError
from quintet.mapi.ids import ShortId
from quintet.mapi.objects import Box, Folder, happening, pid, searching
from quintet.mapi.objects.contents import Contents
from quintet.mapi.objects.happening import FolderNews, Place, Tree
from quintet.mapi.objects.numbers import short
from quintet.mapi.objects.searching import Found
from quintet.mapi.rop.events import Event, Kind
from quintet.store import accounts
from quintet.store.db import Tx
from quintet.store.model import DRAFT, FolderId, Modseq
from quintet.store.pages import Came, Happened
from quintet.values import dataclass

MAX_TOLD = 50  # messages of a folder that are told one by one; of more only that the folder changed

_OF_FOLDERS: Final = Kind.CREATED | Kind.DELETED | Kind.MODIFIED | Kind.MOVED
_OF_MESSAGES: Final = _OF_FOLDERS | Kind.NEW_MAIL | Kind.COPIED
_HEAD: Final = (pid.MESSAGE_FLAGS, pid.MESSAGE_CLASS)

Told = Iterator[tuple[int, Event]]
"""Whom: the handle of a subscription; and what."""


@dataclass(slots=True, eq=False)
class Subscription:
    """RopRegisterNotification: which events, of what; ``folder`` None: of the whole store."""

    kinds: int
    folder: FolderId | None = None
    message: int = 0  # 0: of any message

    def hears(self, kind: Kind, *places: int) -> bool:
        """Whether it wants to hear of something that happened to, or in, one of these folders."""
        return bool(self.kinds & kind) and (self.folder is None or self.folder in places)


@dataclass(slots=True)
class _Known:
    """A folder as it was looked at last."""

    modseq: Modseq
    total: int = -1  # not looked at yet
    unread: int = -1


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a search folder showed when it was looked at last: messages, each with the folder it lies in."""

    moment: Hashable
    lying: Mapping[int, FolderId]


@dataclass(slots=True)
class _Look:
    """What is new in a folder; ``happened`` None: too much to tell of each message."""

    folder: Folder
    happened: Happened | None
    heads: dict[int, list[object]] = field(default_factory=dict)  # flags and class of what is new mail


class Listening:
    """One logon's subscriptions by their handles, and up to where their client was told."""

    def __init__(self, box: Box, logon: int) -> None:
        self.box, self.logon = box, logon
        self.subscriptions: dict[int, Subscription] = {}
        self._base: Modseq | None = None  # that of folders that were not looked at yet
        self._known: dict[FolderId, _Known] = {}
        self._tree: Tree | None = None
        self._searches: dict[FolderId, _Shown] = {}

    @property
    def searches(self) -> bool:
        """Whether a look at what happened is a search."""
        return bool(self._searches)

    def subscribe(self, handle: int, one: Subscription) -> None:
        """From this transaction of the box on."""
        if self._base is None:
            self._base = accounts.get(self.box.tx, self.box.account.id).modseq
        if self._tree is None and one.kinds & _OF_FOLDERS:
            self._tree = Tree(self.box)
        if one.folder is not None and one.folder not in self._known:
            folder = self.box.folder(one.folder)
            self._known[one.folder] = _known(folder)
            if folder.is_search and one.kinds & _OF_MESSAGES:
                self._searches[one.folder] = _shown(Found(folder))
        self.subscriptions[handle] = one

    def drop(self, handle: int) -> bool:
        """Ends a subscription; False: it was none of this logon's."""
        one = self.subscriptions.pop(handle, None)
        if one is not None and all(one.folder != other.folder for other in self.subscriptions.values()):
            self._searches.pop(one.folder or FolderId(0), None)
        return one is not None

    def collect(self, tx: Tx, dirty: Collection[FolderId]) -> Told:
        """What happened; ``dirty`` are the folders that hints named."""
        with self.box.using(tx):
            if self._tree is not None and not self._tree.is_current(self.box):
                before, self._tree = self._tree, Tree(self.box)
                for news in before.compare(self._tree):
                    yield from self._of_folder(news)
            for number in dirty:
                if any(one.hears(_OF_MESSAGES, number) for one in self.subscriptions.values()):
                    yield from self._look(number)
            for number in list(self._searches) if dirty else ():
                yield from self._search(number, dirty)

    # --- folders ------------------------------------------------------------------------------------------

    def _of_folder(self, news: FolderNews) -> Told:
        kind, now, before = _kind(news)
        if kind is Kind.DELETED:
            self._known.pop(FolderId(news.id), None)
        elif kind is Kind.CREATED:
            assert self._base is not None
            self._known[FolderId(news.id)] = _Known(self._base, 0, 0)
        places = [news.id] if kind is Kind.MODIFIED else [news.id, now.parent, before.parent]
        event = Event(kind, short(news.id), parent=short(now.parent))
        if kind is Kind.MOVED:
            event = Event(
                kind, short(news.id), parent=short(now.parent), old_folder=short(news.id),
                old_parent=short(before.parent),
            )  # fmt: skip
        for handle, one in self.subscriptions.items():
            if one.hears(kind, *places) and not one.message:
                yield handle, event

    # --- search folders -----------------------------------------------------------------------------------

    def _search(self, number: FolderId, dirty: Collection[FolderId]) -> Told:
        """What came into a search folder, went out of it, or changed in it (R119)."""
        before = self._searches[number]
        try:
            rows = Found(self.box.folder(number))
            now = _shown(rows)
            if now.moment == before.moment:
                return
            touched = rows.touched(before.moment, dirty)
        except MapiError:  # it is gone, or a folder that it looked at
            self._searches.pop(number, None)
            return
        self._searches[number] = now
        came, gone = now.lying.keys() - before.lying.keys(), before.lying.keys() - now.lying.keys()
        changed = (now.lying.keys() & before.lying.keys()).intersection(touched or ())
        news = [(Kind.DELETED, each, before.lying[each]) for each in sorted(gone)]
        news += [(Kind.CREATED, each, now.lying[each]) for each in sorted(came)]
        news += [(Kind.MODIFIED, each, now.lying[each]) for each in sorted(changed)]
        if not news and touched is not None:
            return
        if touched is None or len(news) > MAX_TOLD:
            news = []
        mine = {handle: one for handle, one in self.subscriptions.items() if one.folder == number}
        counts = Event(0)
        if any(one.kinds & Kind.MODIFIED and not one.message for one in mine.values()):
            flags = Kind.MODIFIED | (Kind.TOTAL if came or gone else 0) | Kind.UNREAD
            counts = Event(flags, short(number), total=len(now.lying), unread=rows.folder.unread())
        for handle, one in mine.items():
            for kind, message, place in news:
                if one.kinds & kind and one.message in (0, message):
                    flags = kind | Kind.SEARCH_FOLDER | Kind.MESSAGE
                    yield handle, Event(flags, short(place), short(message), parent=short(number))
            if one.kinds & Kind.MODIFIED and not one.message:
                yield handle, counts

    # --- messages -----------------------------------------------------------------------------------------

    def _look(self, number: FolderId) -> Told:
        try:
            folder = self.box.folder(number)
        except MapiError:  # gone, or no longer the reader's to see
            self._known.pop(number, None)
            return
        row = folder.row
        assert self._base is not None
        known = self._known.get(number) or _Known(self._base)
        if row.highest_modseq <= known.modseq or folder.is_search or not folder.may("r"):
            return
        fresh = self._known[number] = _known(folder)
        look = _Look(folder, happening.since(folder, known.modseq, MAX_TOLD))
        counts = _counts(short(number), known, fresh, look.happened)
        for handle, one in self.subscriptions.items():
            if one.folder in (None, number):
                for event in self._of_messages(look, one):
                    yield handle, event
                if counts is not None and one.kinds & Kind.MODIFIED and not one.message:
                    yield handle, counts

    def _of_messages(self, look: _Look, one: Subscription) -> Iterable[Event]:
        if look.happened is None:
            return
        where, message = short(look.folder.id), int(Kind.MESSAGE)
        for new in look.happened.came:
            if one.message in (0, new.id):
                yield from self._arrival(look, new, one)
        for number in look.happened.changed if one.kinds & Kind.MODIFIED else ():
            if one.message in (0, number):
                yield Event(Kind.MODIFIED | message, where, short(number))
        for number, place, to in look.happened.gone:
            if one.message not in (0, number):
                continue
            if not to or not one.kinds & Kind.MOVED:
                if one.kinds & Kind.DELETED:
                    yield Event(Kind.DELETED | message, where, short(number))
            elif one.folder is not None:  # who watches everything hears of it from where it went
                new_place, new_number = short(place), short(to)
                yield Event(
                    Kind.MOVED | message, new_place, new_number, old_folder=where, old_message=short(number)
                )

    def _arrival(self, look: _Look, new: Came, one: Subscription) -> Iterable[Event]:
        """A message that is new in a folder: it came, was moved there or copied."""
        where, message, number = short(look.folder.id), int(Kind.MESSAGE), short(new.id)
        for kind, (place, old) in ((Kind.MOVED, new.moved_from), (Kind.COPIED, new.copied_from)):
            if old and one.kinds & kind:
                yield Event(kind | message, where, number, old_folder=short(place), old_message=short(old))
                return
        inbox = look.folder.id == self.box.special.get("inbox")
        if one.kinds & Kind.NEW_MAIL and inbox and not new.moved_from[1] and not new.flags & DRAFT:
            yield self._new_mail(look, where, number)
        if one.kinds & Kind.CREATED:
            yield Event(Kind.CREATED | message, where, number)

    def _new_mail(self, look: _Look, where: ShortId, number: ShortId) -> Event:
        """With the flags and the class that the message has (R214, R223)."""
        if not look.heads:
            assert look.happened is not None
            ids = [new.id for new in look.happened.came]
            look.heads.update(zip(ids, Contents(look.folder).values(ids, _HEAD), strict=True))
        flags, klass = look.heads[number.counter]
        return Event(
            Kind.NEW_MAIL | Kind.MESSAGE, where, number,
            message_flags=flags if isinstance(flags, int) else 0,
            message_class=klass if isinstance(klass, str) else "IPM.Note",
        )  # fmt: skip


def _shown(rows: Found) -> _Shown:
    return _Shown(rows.version(), searching.lying(rows.folder))


def _known(folder: Folder) -> _Known:
    return _Known(folder.row.highest_modseq, folder.row.messages, folder.unread())


def _kind(news: FolderNews) -> tuple[Kind, Place, Place]:
    """What happened to a folder, where it is, and where it was; twice the same where it came or went."""
    now, before = news.now or news.before, news.before or news.now
    assert now is not None
    assert before is not None
    if news.before is None:
        return Kind.CREATED, now, before
    if news.now is None:
        return Kind.DELETED, now, before
    return (Kind.MODIFIED if now.parent == before.parent else Kind.MOVED), now, before


def _counts(where: ShortId, known: _Known, fresh: _Known, happened: Happened | None) -> Event | None:
    """That a folder holds another number of messages, or of unread ones (R113, R116), or changed somehow."""
    moved = happened is None or bool(happened.came or happened.gone)
    total = moved if known.total < 0 else fresh.total != known.total
    unread = known.unread < 0 or fresh.unread != known.unread
    if not total and not unread and happened is not None:
        return None
    flags = Kind.MODIFIED | (Kind.TOTAL if total else 0) | (Kind.UNREAD if unread else 0)
    return Event(flags, where, total=fresh.total, unread=fresh.unread)
