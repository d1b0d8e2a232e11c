"""IMAPITable: a view of rows with columns, restriction, order, categories, bookmarks and news.

The engine is `quintet.mapi.table`, the same that serves clients on the wire; here are its rows from a
provider, MAPI's call shapes, and notifications row by row.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import ClassVar, Protocol

from quintet.mapi import consts, layout, match, names, pr, types
from quintet.mapi.bag import Bag, Item, Key
from quintet.mapi.core import structs, values
from quintet.mapi.core.errors import fail
from quintet.mapi.core.notify import Hub, IMAPIAdviseSink
from quintet.mapi.core.tablewatch import KEY, News, TableWatch
from quintet.mapi.core.unknown import IUnknown
from quintet.mapi.providers import derive
from quintet.mapi.providers.base import EntryId, Event, Thing
from quintet.mapi.restrict import Restriction
from quintet.mapi.rows import SortOrder
from quintet.mapi.table import Origin, Rows, Table
from quintet.mapi.types import Tag, Value

_HIDDEN = (layout.INST_ID, layout.INSTANCE_NUM)

Load = Callable[[EntryId], Item]
Search = Callable[[Restriction], Collection[EntryId] | None]


class Source(Protocol):
    """What `IMAPITable` shows: `base.Rows`, and when it is stale."""

    def ids(self) -> Sequence[EntryId]: ...

    def values(self, ids: Sequence[EntryId], keys: Sequence[Key]) -> list[list[Value | None]]: ...


class _Numbered(Rows):
    """`layout.Rows` over a provider's rows: entry ids become numbers, numbers of names their keys."""

    def __init__(
        self,
        source: Source,
        version: Callable[[], Hashable],
        columns: Sequence[Tag],
        fixed: Mapping[Key, Value],
        load: Load | None,
        search: Search | None,
    ) -> None:
        self._source, self._version, self._columns, self._fixed = source, version, columns, fixed
        self._load, self._search = load, search
        self._numbers: dict[EntryId, int] = {}
        self._entries: dict[int, EntryId] = {}
        self._next = itertools.count(1)

    def number(self, entry: EntryId) -> int:
        found = self._numbers.get(entry)
        if found is None:
            found = self._numbers[entry] = next(self._next)
            self._entries[found] = entry
        return found

    def entry(self, number: int) -> EntryId | None:
        return self._entries.get(number)

    def ids(self) -> Sequence[int]:
        return [self.number(one) for one in self._source.ids()]

    def values(self, ids: Sequence[int], keys: Sequence[Tag]) -> list[list[Value]]:
        entries = [self._entries[one] for one in ids]
        found = self._source.values(entries, [names.key(tag) for tag in keys])
        for at, tag in enumerate(keys):
            if tag in self._fixed:
                for row in found:
                    row[at] = self._fixed[tag]
        return found

    def columns(self) -> Sequence[Tag]:
        return self._columns

    def version(self) -> Hashable:
        return self._version()

    def arranged(self, restriction: Restriction | None, order: SortOrder | None) -> Sequence[int] | None:
        """What the provider found, compared once more; sorting is the table's, and then it reads all
        anyway.
        """
        found = None
        if self._search is not None and restriction is not None and order is None:
            found = self._search(restriction)
        if found is None or restriction is None:
            return None
        matcher, near = match.compiled(restriction), set(found)
        ids = [self.number(one) for one in self._source.ids() if one in near]
        rows = zip(ids, self.values(ids, matcher.keys), strict=True)
        kept = [one for one, row in rows if matcher.test(row, functools.partial(self.parts, one))]
        return kept if matcher.limit is None else kept[: matcher.limit]

    def parts(self, row: int, table: Tag) -> Sequence[Mapping[Tag, Value]]:
        entry = self._entries.get(row)
        if self._load is None or entry is None:
            return ()
        return derive.parts(self._load(entry), table)


class IMAPITable(IUnknown):
    """An open table.

    ``columns``: what is shown until SetColumns; ``fixed``: properties that are the same in each row;
    ``hub`` and ``about``: whose events make it stale; ``of``: what its rows are; ``load``: for restrictions
    on recipients.
    """

    iids: ClassVar[tuple[str, ...]] = ("IID_IMAPITable",)
    minus_one_is_all: ClassVar[bool] = False  # what programs for python-mapi mean by QueryRows(-1)

    def __init__(
        self,
        source: Source,
        columns: Sequence[Tag],
        *,
        lock: threading.RLock,
        wide: bool = True,
        fixed: Mapping[Key, Value] | None = None,
        hub: Hub | None = None,
        about: EntryId = b"",
        of: Thing = Thing.MAIL_USER,
        load: Load | None = None,
        search: Search | None = None,
    ) -> None:
        super().__init__(lock)
        version = (lambda: 0) if hub is None else (lambda: hub.version(about))
        self._rows = _Numbered(source, version, columns, fixed or {}, load, search)
        self._table = Table(self._rows)
        self._hub, self._about, self._of = hub, about, of
        self._shown = tuple([values.tag(names.key(tag), wide=wide) for tag in columns])
        self._sinks: dict[int, IMAPIAdviseSink] = {}
        self._connections = itertools.count(1)
        self._listening: int | None = None
        self._watch: TableWatch | None = None
        self._bookmarks: dict[int, bytes] = {}
        self._marks = itertools.count(3)  # 0, 1 and 2 are the predefined ones
        self._set(self._shown)

    def _set(self, tags: Sequence[Tag]) -> None:
        engine = [match.wide(tag) for tag in tags if tag & 0xFFFF != consts.PT_NULL]
        self._table.set_columns([*_HIDDEN, *engine])
        self._shown = tuple(tags)

    def _told(self, found: list[list[Value]]) -> list[list[structs.SPropValue]]:
        """Rows as a program sees them: the instance key is made here, of the engine's two numbers."""
        tags = self._shown
        places: list[int | None] = []
        at = len(_HIDDEN)
        for tag in tags:
            null = tag & 0xFFFF == consts.PT_NULL
            places.append(None if null else at)
            at += not null
        keyed = [place for tag, place in zip(tags, places, strict=True) if tag == pr.INSTANCE_KEY]
        for row in found:
            for place in keyed:
                assert place is not None
                row[place] = KEY.pack(row[0], row[1] or 0)
        if None in places:
            plain = [[row[place] if place is not None else 0 for place in places] for row in found]
        else:
            plain = [row[len(_HIDDEN) :] for row in found]
        return values.shown_rows(tags, plain)

    # --- columns, rows, order

    def SetColumns(self, tags: Sequence[int], flags: int = 0) -> None:
        """Chooses the columns.  Raises MAPIErrorInvalidParameter: none, or a type that no column has."""
        self._set(tags)
        self._done(consts.TABLE_SETCOL_DONE)

    def QueryColumns(self, flags: int = 0) -> list[int]:
        """The columns; with TBL_ALL_COLUMNS all that rows may have."""
        if flags & consts.TBL_ALL_COLUMNS:
            return sorted({*self._shown, *self._rows.columns()})
        return list(self._shown)

    def GetRowCount(self, flags: int = 0) -> int:
        return len(self._table)

    def QueryRows(self, count: int, flags: int = 0) -> list[list[structs.SPropValue]]:
        """Up to ``count`` rows from the cursor on; before it, for a negative count.

        TBL_NOADVANCE leaves the cursor where it is.
        """
        advance = not flags & consts.TBL_NOADVANCE
        if count == -1 and self.minus_one_is_all:
            count = len(self._table)
        return self._told(self._table.query(abs(count), forward=count >= 0, advance=advance))

    def Restrict(self, restriction: structs.SRestriction | None, flags: int = 0) -> None:
        """Shows only what matches; None: everything.  Raises MAPIErrorTooComplex."""
        self._table.restrict(None if restriction is None else values.restriction(restriction))
        self._bookmarks.clear()
        self._done(consts.TABLE_RESTRICT_DONE)

    def SortTable(self, order: structs.SSortOrderSet | None, flags: int = 0) -> None:
        """Orders, and makes headings of the first ``cCategories`` keys."""
        self._table.sort(None if order is None or not order.aSort else values.sort_order(order))
        self._bookmarks.clear()
        self._done(consts.TABLE_SORT_DONE)

    def QuerySortOrder(self) -> structs.SSortOrderSet:
        return values.shown_order(self._table.order)

    # --- the cursor

    def SeekRow(self, bookmark: int, rows: int) -> int:
        """Moves from a bookmark; gives by how many rows.  Raises MAPIErrorInvalidBookmark."""
        if bookmark in (Origin.BEGINNING, Origin.CURRENT, Origin.END):
            return self._table.seek(Origin(bookmark), rows)
        return self._table.seek_bookmark(self._mark(bookmark), rows)[0]

    def SeekRowApprox(self, numerator: int, denominator: int) -> None:
        self._table.seek_fraction(numerator, denominator)

    def QueryPosition(self) -> tuple[int, int, int]:
        """The row's number, and the place as a fraction."""
        at, total = self._table.position()
        return at, at, max(total, 1)

    def FindRow(self, restriction: structs.SRestriction, bookmark: int, flags: int = 0) -> None:
        """Goes to the next row that matches, or (DIR_BACKWARD) the one before.  Raises MAPIErrorNotFound."""
        wanted, backwards = values.restriction(restriction), bool(flags & consts.DIR_BACKWARD)
        if bookmark in (Origin.BEGINNING, Origin.CURRENT, Origin.END):
            self._table.find(wanted, Origin(bookmark), backwards=backwards)
        else:
            self._table.find(wanted, backwards=backwards, bookmark=self._mark(bookmark))

    def CreateBookmark(self) -> int:
        return self._kept(self._table.create_bookmark())

    def _kept(self, mark: bytes) -> int:
        number = next(self._marks)
        self._bookmarks[number] = mark
        return number

    def _mark(self, bookmark: int) -> bytes:
        if bookmark not in self._bookmarks:
            raise fail("MAPI_E_INVALID_BOOKMARK")
        return self._bookmarks[bookmark]

    def FreeBookmark(self, bookmark: int) -> None:
        """Raises MAPIErrorInvalidBookmark."""
        self._table.free_bookmark(self._mark(bookmark))
        del self._bookmarks[bookmark]

    # --- categories

    def ExpandRow(
        self, instance_key: bytes, rows: int, flags: int = 0
    ) -> tuple[list[list[structs.SPropValue]], int]:
        """Opens a heading; the first ``rows`` rows below it, and how many more there are."""
        shown, found = self._table.expand(_instance(instance_key)[0], rows)
        self._looked()
        return self._told(found), shown - len(found)

    def CollapseRow(self, instance_key: bytes, flags: int = 0) -> int:
        """Closes a heading; how many rows that hides."""
        hidden = self._table.collapse(_instance(instance_key)[0])
        self._looked()
        return hidden

    def GetCollapseState(self, flags: int, instance_key: bytes) -> bytes:
        return self._table.collapse_state(*_instance(instance_key))

    def SetCollapseState(self, flags: int, state: bytes) -> int:
        """A bookmark of the row that was given to GetCollapseState."""
        mark = self._table.set_collapse_state(state)
        self._looked()
        return self._kept(mark)

    # --- states

    def GetStatus(self) -> tuple[int, int]:
        """Nothing is ever under way here: complete, and the table follows what happens."""
        return consts.TBLSTAT_COMPLETE, consts.TBLTYPE_DYNAMIC

    def WaitForCompletion(self, flags: int, timeout_ms: int) -> int:
        return int(consts.TBLSTAT_COMPLETE)

    def Abort(self) -> None:
        """Nothing is under way."""

    # --- news

    def Advise(self, mask: int, sink: IMAPIAdviseSink) -> int:
        """Tells of rows that come, go and change, and of the table (fnevTableModified); see `tablewatch`.

        Raises MAPIErrorNoSupport: the rows never change, or other events are asked for.
        """
        if self._hub is None or not mask & consts.fnevTableModified:
            raise fail("MAPI_E_NO_SUPPORT")
        number = next(self._connections)
        self._sinks[number] = sink
        if self._watch is None:
            self._watch = TableWatch(self._table, self._about, self._of, self._rows.number, self._told)
            self._listening = self._hub.listen(self._event)
        return number

    def Unadvise(self, connection: int) -> None:
        self._sinks.pop(connection, None)
        if not self._sinks and self._listening is not None and self._hub is not None:
            self._hub.forget(self._listening)
            self._listening = self._watch = None

    def _event(self, event: Event) -> None:
        with self._lock:
            news = self._watch.heard(event) if self._watch is not None else []
            sinks = list(self._sinks.values())
        self._tell(sinks, news)

    def _done(self, what: int) -> None:
        if self._watch is not None:
            self._tell(list(self._sinks.values()), self._watch.done(what))

    def _looked(self) -> None:
        """The program has changed by itself which rows it sees."""
        if self._watch is not None:
            self._watch.look()

    def _tell(self, sinks: Sequence[IMAPIAdviseSink], news: News) -> None:
        for sink in sinks if news else ():
            sink.OnNotify(news)


def _instance(key: bytes) -> tuple[int, int]:
    if len(key) != KEY.size:
        raise fail("MAPI_E_INVALID_PARAMETER", "no instance key of this table")
    row, instance = KEY.unpack(key)
    return row, instance


def of_bags(
    bags: Mapping[bytes, Bag], columns: Sequence[Tag], lock: threading.RLock, *, wide: bool = True
) -> IMAPITable:
    """A table of rows that stand in memory: stores, services, recipients, rights."""
    from quintet.mapi.providers.listing import BagRows

    used = {names.tag(key) for bag in bags.values() for key in bag}
    more = sorted(used - set(columns) - {types.NULL})
    return IMAPITable(BagRows(bags), [*columns, *more], lock=lock, wide=wide)
