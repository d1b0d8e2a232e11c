"""What happens to a table that a client looks at (MS-OXCNOTIF 2.2.1.1.1, 3.1.4.3).

Row by row where that can be said (`quintet.mapi.tablenews`), else that the table changed (R268, R270).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from quintet.mapi import tablenews
from quintet.mapi.errors import MapiError
from quintet.mapi.ids import ShortId
from quintet.mapi.layout import HEADING, Layout, Spot
from quintet.mapi.objects import Box, numbers, pid
from quintet.mapi.objects.contents import Contents
from quintet.mapi.objects.hierarchy import Counts, Hierarchy
from quintet.mapi.objects.numbers import short
from quintet.mapi.objects.searching import Found
from quintet.mapi.rop.events import NOTHING, Event, Kind, Row, TableEvent
from quintet.mapi.rop.serve import values
from quintet.mapi.table import Table
from quintet.mapi.tablenews import Change, Picture, RowNews
from quintet.store.db import Tx
from quintet.store.model import AccountId, FolderId

_COUNTED: Final = frozenset((pid.CONTENT_COUNT, pid.CONTENT_UNREAD))
MAX_DATA = 0x4000  # bytes of a row that is told; of a longer one only that the table changed

_EVENTS: Final = {
    Change.ADDED: TableEvent.ROW_ADDED,
    Change.DELETED: TableEvent.ROW_DELETED,
    Change.MODIFIED: TableEvent.ROW_MODIFIED,
}


class Shown:
    """From the first row that the client asks for until it resets the table (R246 to R255, R272).

    ``quiet``: what the client itself does is not told (MS-OXCFOLD R809).
    """

    def __init__(self, box: Box, logon: int, table: Table, page: str, *, quiet: bool = False) -> None:
        self.logon, self.quiet = logon, quiet
        self._box, self._table, self._page = box, table, page
        self._source = table.source
        self._layout: Layout | None = None  # what the client was told of; None: its folder is gone
        self.look()

    @property
    def account(self) -> AccountId:
        return self._box.account.id

    @property
    def folder(self) -> FolderId | None:
        """The one folder that it depends on; None: on many."""
        if isinstance(self._source, Contents) and not isinstance(self._source, Found):
            return self._source.folder.id
        return None

    def look(self) -> None:
        """The client knows, or made, what there is now.  In a transaction of the box."""
        self._moment, self._layout = self._source.moment(), self._table.current()
        self._counts = self._counts_of_searches()

    def _counts_of_searches(self) -> dict[int, Counts]:
        """They change with folders elsewhere; asked only where the client sees them."""
        if isinstance(self._source, Hierarchy) and _COUNTED.intersection(self._table.columns):
            return self._source.counts_of_searches()
        return {}

    def concerns(self, dirty: Collection[int]) -> bool:
        """Whether something may have happened to it."""
        return bool(dirty) if self.folder is None else self.folder in dirty

    def news(self, tx: Tx, dirty: Collection[int]) -> list[Event]:
        """What happened since the client was told of it last."""
        if self._layout is None:
            return []
        try:
            with self._box.using(tx):
                return self._news(self._layout, dirty)
        except MapiError:  # its folder is gone, its rows are too many
            self._layout = None
            return [self.changed()]

    def hear_nothing(self, tx: Tx) -> None:
        """The client did it, and does not want to hear of that."""
        if self._layout is not None:
            with self._box.using(tx):
                self.look()

    def _news(self, before: Layout, dirty: Collection[int]) -> list[Event]:
        if self._source.moment() == self._moment:
            return []
        touched, counts = self._source.touched(self._moment, dirty), self._counts
        if isinstance(self._source, Contents) and not self._source.folder.may("r"):
            return []
        self.look()
        if touched is None:
            return [self.changed()]
        assert self._layout is not None
        touched = {*touched, *(one for one, each in self._counts.items() if counts.get(one) != each)}
        found = tablenews.compare(Picture.of(before), Picture.of(self._layout), touched)
        if found is None:
            return [self.changed()]
        return self._told(found)

    def _told(self, found: list[RowNews]) -> list[Event]:
        """Raises MapiError(NULL_OBJECT): the table has no columns."""
        rows = self._table.rows_of(found)
        there = [row for row in rows if row]
        data = values.encoder(self._table.columns, self._page, table=True)(there)
        if any(len(one) > MAX_DATA for one in data):
            return [self.changed()]
        left = iter(data)
        return [self._event(one, b"" if one.change is Change.DELETED else next(left)) for one in found]

    def _event(self, one: RowNews, data: bytes) -> Event:
        after = (NOTHING, NOTHING, 0) if one.after is None else self._row(one.after)
        return Event(self._flags, table=_EVENTS[one.change], row=self._row(one.spot), after=after, data=data)

    @property
    def _flags(self) -> int:
        if isinstance(self._source, Hierarchy):
            return Kind.TABLE_MODIFIED
        found = Kind.SEARCH_FOLDER if isinstance(self._source, Found) else Kind(0)
        return Kind.TABLE_MODIFIED | Kind.MESSAGE | found

    def _row(self, spot: Spot) -> Row:
        """Folder, message and instance; of a heading its number in the place of a message's."""
        number, instance = spot
        if isinstance(self._source, Hierarchy):
            return short(number), NOTHING, 0
        if number & HEADING:
            return NOTHING, ShortId(*numbers.from_wire(number)), instance
        assert isinstance(self._source, Contents)
        return short(self._source.folder.id), short(number), instance

    def changed(self) -> Event:
        """That something happened, and nobody can tell what."""
        return Event(self._flags, table=TableEvent.CHANGED)
