"""News of a search folder: what comes into it, goes out of it or changes in it lies in other folders.

A store tells of its folders; what a search folder shows is read as a table, whose rows are compared.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from quintet.mapi import consts, pr
from quintet.mapi.core import structs
from quintet.mapi.core.errors import MAPIError
from quintet.mapi.core.notify import IMAPIAdviseSink
from quintet.mapi.core.table import IMAPITable
from quintet.mapi.providers.base import EntryId, Event, Kind, Thing

Tell = Callable[[Event], object]
PAGE: Final = 1000  # rows that are read at once
_KINDS: Final = {
    consts.TABLE_ROW_ADDED: Kind.CREATED,
    consts.TABLE_ROW_DELETED: Kind.DELETED,
    consts.TABLE_ROW_MODIFIED: Kind.MODIFIED,
}


class SearchWatch:
    """Tells of one search folder, from its making until `end`."""

    def __init__(self, table: IMAPITable, folder: EntryId, tell: Tell) -> None:
        self._table, self._folder, self._tell = table, folder, tell
        table.SetColumns([pr.INSTANCE_KEY, pr.ENTRYID])
        self._read()
        self._connection = table.Advise(consts.fnevTableModified, IMAPIAdviseSink(self._hear))

    def end(self) -> None:
        self._table.Unadvise(self._connection)

    def _read(self) -> None:
        """What is shown now, by instance keys: of a row that goes nothing else is told."""
        self._entries: dict[bytes, EntryId] = {}
        self._table.SeekRow(consts.BOOKMARK_BEGINNING, 0)
        while rows := self._table.QueryRows(PAGE):
            self._entries |= {row[0].Value: row[1].Value for row in rows}

    def _hear(self, news: Sequence[structs.NOTIFICATION]) -> None:
        found = [
            event for one in news if isinstance(one, structs.TABLE_NOTIFICATION) for event in self._of(one)
        ]
        if found and not any(event.thing is Thing.FOLDER for event in found):
            found.append(Event(Kind.MODIFIED, Thing.FOLDER, self._folder))  # it holds another number
        for event in found:
            self._tell(event)

    def _of(self, one: structs.TABLE_NOTIFICATION) -> Iterator[Event]:
        if one.ulTableEvent == consts.TABLE_ERROR:
            return  # it is gone, or its server is away
        kind = _KINDS.get(one.ulTableEvent)
        if kind is None:  # too much happened to tell of each
            with contextlib.suppress(MAPIError):
                self._read()
            yield Event(Kind.MODIFIED, Thing.FOLDER, self._folder)
            return
        key = one.propIndex.Value
        if one.row:
            self._entries[key] = one.row[1].Value
        entry = self._entries.get(key)
        if kind is Kind.DELETED:
            self._entries.pop(key, None)
        if entry is not None:
            yield Event(kind, Thing.MESSAGE, entry, self._folder)
