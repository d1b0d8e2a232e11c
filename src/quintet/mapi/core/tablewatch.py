"""What the sinks of a table are told: rows that come, go and change, and what became of the table itself.

Row by row where that can be said (`quintet.mapi.tablenews`), with PR_INSTANCE_KEY of the row and of the one
that it stands behind; TABLE_CHANGED where too much happened or nobody knows which rows; TABLE_ERROR when the
rows cannot be read, and TABLE_RELOAD when they can again.  TABLE_SORT_DONE, TABLE_RESTRICT_DONE and
TABLE_SETCOL_DONE follow the calls that asked for it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Final

from quintet.mapi import consts, pr, tablenews
from quintet.mapi.core import structs
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.layout import Spot
from quintet.mapi.providers.base import EntryId, Event, Kind, Thing
from quintet.mapi.table import Table
from quintet.mapi.tablenews import Change, Picture
from quintet.mapi.types import Value

KEY: Final = struct.Struct("<qI")  # an instance key: PidTagInstID, PidTagInstanceNum

_CHANGES: Final[Mapping[Change, int]] = {
    Change.ADDED: consts.TABLE_ROW_ADDED,
    Change.DELETED: consts.TABLE_ROW_DELETED,
    Change.MODIFIED: consts.TABLE_ROW_MODIFIED,
}
News = list[structs.TABLE_NOTIFICATION]
Counts = dict[int, list[Value]]
"""By row: messages, and those that are unread."""

MAX_COUNTED: Final = 15  # search folders of one table whose counts are watched
_COUNTED: Final = frozenset((pr.CONTENT_COUNT, pr.CONTENT_UNREAD))


class TableWatch:
    """The news of one table.  ``about``: whose events concern it, b"" for all; ``of``: what its rows are."""

    def __init__(
        self,
        table: Table,
        about: EntryId,
        of: Thing,
        number: Callable[[EntryId], int],
        show: Callable[[list[list[Value]]], list[list[structs.SPropValue]]],
    ) -> None:
        self._table, self._about, self._of, self._number, self._show = table, about, of, number, show
        self._before: Picture | None = None
        self._counts: Counts = {}
        self._forget()
        self.look()

    def _forget(self) -> None:
        self._stirred = False
        self._touched: set[int] = set()
        self._told: set[EntryId] = set()  # folders of whose messages single events told
        self._vague: set[EntryId] = set()  # folders that changed somehow

    def look(self) -> None:
        """From now on: who watches has seen the table as it is, or changed it so."""
        try:
            self._before, self._counts = self._table.picture(), self._counted()
        except MapiError:
            self._before, self._counts = None, {}

    def _counted(self) -> Counts:
        """What search folders among the rows hold: it changes with messages elsewhere."""
        if self._of is not Thing.FOLDER or _COUNTED.isdisjoint(self._table.columns):
            return {}
        source = self._table.source
        ids = source.ids()
        kinds = source.values(ids, [pr.FOLDER_TYPE])
        found = [one for one, (kind,) in zip(ids, kinds, strict=True) if kind == consts.FOLDER_SEARCH]
        found = found[:MAX_COUNTED]
        return dict(zip(found, source.values(found, sorted(_COUNTED)), strict=True))

    def heard(self, event: Event) -> News:
        """What is to be said of an event; nothing while others of the same moment follow."""
        near = not self._about or self._about in (event.entry, event.parent, event.old_parent)
        if near or (self._counts and event.thing is Thing.MESSAGE):
            self._note(event)
        if event.more or not self._stirred:
            return []
        touched, vague = self._touched, self._vague - self._told
        self._forget()
        return self._news(touched, vague=bool(vague))

    def _note(self, event: Event) -> None:
        if self._of is Thing.FOLDER and event.thing is Thing.MESSAGE:
            self._stirred |= bool(self._counts)
            return  # its folder's counts are told of with the folder, but for those of search folders
        self._stirred = True
        if self._of is Thing.MESSAGE and event.thing is Thing.FOLDER:
            if event.kind is Kind.MODIFIED:
                self._vague.add(event.entry)
            return
        self._told.update((event.parent, event.old_parent))
        if event.kind is Kind.MODIFIED:
            self._touched.add(self._number(event.entry))

    def _news(self, touched: set[int], *, vague: bool) -> News:
        before, self._before = self._before, None
        try:
            now, counts, old = self._table.picture(), self._counted(), self._counts
            self._before, self._counts = now, counts
            touched |= {one for one, each in counts.items() if old.get(one) != each}
            if before is None:
                return [_plain(consts.TABLE_RELOAD)]
            found = None if vague else tablenews.compare(before, now, touched)
            if found is None:
                return [_plain(consts.TABLE_CHANGED)]
            rows = self._show([row for row in self._table.rows_of(found) if row])
        except MapiError as error:
            return [] if before is None else [_plain(consts.TABLE_ERROR, error.code)]
        shown = iter(rows)
        return [
            structs.TABLE_NOTIFICATION(
                _CHANGES[one.change],
                0,
                index(one.spot),
                index(one.after) if one.after is not None else structs.NULL_PROP,
                [] if one.change is Change.DELETED else next(shown),
            )
            for one in found
        ]

    def done(self, what: int) -> News:
        """After a call that asked for it: TABLE_SORT_DONE and its like."""
        self.look()
        return [_plain(what)]


def index(spot: Spot) -> structs.SPropValue:
    """A row's PR_INSTANCE_KEY."""
    return structs.SPropValue(pr.INSTANCE_KEY, KEY.pack(*spot))


def _plain(what: int, code: int = Code.SUCCESS) -> structs.TABLE_NOTIFICATION:
    return structs.TABLE_NOTIFICATION(what, int(code), structs.NULL_PROP, structs.NULL_PROP, [])
