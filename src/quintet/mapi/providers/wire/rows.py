"""Tables on the wire as rows of the contracts: read page by page, whole or around the rows that are wanted.

A cell of a table holds 255 characters or 510 bytes (MS-OXCTABL 2.2.2.5.2): what fills one is read again from
the message itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from quintet.mapi import pr
from quintet.mapi.bag import Key
from quintet.mapi.errors import MapiError
from quintet.mapi.ids import ShortId
from quintet.mapi.providers.base import EntryId
from quintet.mapi.providers.wire import loading
from quintet.mapi.providers.wire.entries import short
from quintet.mapi.providers.wire.link import Link, Talk, check
from quintet.mapi.restrict import Restriction
from quintet.mapi.rop import folders, registry, tables
from quintet.mapi.types import Error, Tag, Value

if TYPE_CHECKING:
    from quintet.mapi.providers.wire.store import WireStore

MID: Final[Tag] = 0x674A0014  # PidTagMid
FID: Final[Tag] = 0x67480014  # PidTagFolderId
PAGE = 0xFFFF  # rows that are asked for at once: as many as fit come
FULL_TEXT, FULL_BYTES = 255, 510  # of a cell
NEAR = 4  # times as many rows as wanted are worth one look at the table; fewer are asked for one by one
SLACK = 64  # rows
FEW = 4  # rows that are opened one by one before it is known where they stand


def read(
    link: Link,
    folder: ShortId,
    request: Any,  # a class of `rop` that opens a table
    tags: Sequence[Tag],
    *,
    start: int = 0,
    count: int | None = None,
    restriction: Restriction | None = None,
) -> list[list[Value]]:
    """Rows of a table, from ``start`` on; None where a cell is empty."""
    talk = Talk(link)
    table = talk.open(request, talk.open(folders.OpenFolder(folder, 0)))
    talk.ask(tables.SetColumns(0, tuple(tags)), table)
    if restriction is not None:
        talk.ask(tables.Restrict(0, restriction), table)
    if start:
        talk.ask(tables.SeekRow(0, start, False), table)
    found: list[list[Value]] = []
    while count is None or len(found) < count:
        most = PAGE if count is None else min(PAGE, count - len(found))
        step = talk.ask(tables.QueryRows(0, True, most), table)
        talk.run()
        rows = check(step).rows
        if not rows:
            break
        found += [[None if isinstance(value, Error) else value for value in row] for row in rows]
    talk.ask(registry.RELEASE, table)
    return found


class MessageRows:
    """The messages of one folder in one view."""

    def __init__(self, store: WireStore, folder: EntryId, flags: int) -> None:
        self._store, self._folder = store, folder
        self._request = folders.GetContentsTable(flags | folders.TableFlag.NO_NOTIFICATIONS)
        self._deleted = bool(flags & folders.TableFlag.SOFT_DELETES)
        self._places: dict[EntryId, int] = {}  # where each stood when all were asked for

    def ids(self) -> Sequence[EntryId]:
        return self._store.link.call(self._ids, again=True)

    def _ids(self) -> list[EntryId]:
        rows = read(self._store.link, self._number(), self._request, (FID, MID))
        found = list(self._entries(rows))
        self._places = {one: at for at, one in enumerate(found)}
        return found

    def _number(self) -> ShortId:
        return self._store.entries.folder_of(self._folder)

    def _entries(self, rows: Sequence[Sequence[Value]]) -> Iterator[EntryId]:
        make = self._store.entries.message
        return (make(short(row[0]), short(row[1])) for row in rows)

    def matching(self, restriction: Restriction) -> list[EntryId]:
        """Those that the server finds."""
        rows = read(self._store.link, self._number(), self._request, (FID, MID), restriction=restriction)
        return list(self._entries(rows))

    def values(self, ids: Sequence[EntryId], keys: Sequence[Key]) -> list[list[Value | None]]:
        return self._store.link.call(lambda: self._values(ids, keys), again=True)

    def _values(self, ids: Sequence[EntryId], keys: Sequence[Key]) -> list[list[Value | None]]:
        tags = self._store.link.tags_of(keys)
        asked = tuple(dict.fromkeys(tag for tag in tags if tag))
        found = self._around(ids, asked)
        single = [one for one in ids if one not in found]
        cut = [one for one, row in found.items() if any(map(_is_full, row))]
        for one in [*single, *cut]:
            row = self._whole(one, asked)
            if row is not None:
                found[one] = row
        at = {tag: place for place, tag in enumerate(asked)}
        places = [at.get(tag) for tag in tags]
        made: list[list[Value | None]] = []
        for one in ids:
            row = found.get(one)
            if row is None:
                made.append([None] * len(keys))
                continue
            values = [None if place is None else row[place] for place in places]
            made.append(
                [one if key == pr.INSTANCE_KEY else value for key, value in zip(keys, values, strict=True)]
            )
        return made

    def _around(self, ids: Sequence[EntryId], tags: Sequence[Tag]) -> dict[EntryId, list[Value]]:
        """What a part of the table has of them: nothing where they lie too far from each other."""
        if not self._places and len(ids) > FEW:
            self._ids()
        places = [self._places[one] for one in ids if one in self._places]
        if not places:
            return {}
        first, last = min(places), max(places)
        if last - first > NEAR * len(places) + SLACK:
            return {}
        rows = read(
            self._store.link,
            self._number(),
            self._request,
            (FID, MID, *tags),
            start=first,
            count=last - first + 1,
        )
        wanted = set(ids)
        return {one: row[2:] for one, row in zip(self._entries(rows), rows, strict=True) if one in wanted}

    def _whole(self, one: EntryId, tags: Sequence[Tag]) -> list[Value] | None:
        """The values of one message, however long; None where it went away."""
        pair = self._store.entries.maybe(one)
        if pair is None:
            return None
        try:
            return loading.values(self._store.link, pair, tags, deleted=self._deleted)
        except MapiError:
            return None


def _is_full(value: Value) -> bool:
    """The value fills its cell, so there may be more of it."""
    if isinstance(value, str):
        return len(value) >= FULL_TEXT
    return isinstance(value, bytes) and len(value) >= FULL_BYTES


class FolderRows:
    """The folders right below one."""

    def __init__(self, store: WireStore, parent: EntryId) -> None:
        self._store, self._parent = store, parent

    def _read(self, tags: Sequence[Tag]) -> dict[EntryId, list[Value]]:
        request = folders.GetHierarchyTable(folders.TableFlag.NO_NOTIFICATIONS)
        number = self._store.entries.folder_of(self._parent)
        rows = read(self._store.link, number, request, (FID, *tags))
        return {self._store.entries.folder(short(row[0])): row[1:] for row in rows}

    def ids(self) -> Sequence[EntryId]:
        return list(self._store.link.call(lambda: self._read(()), again=True))

    def values(self, ids: Sequence[EntryId], keys: Sequence[Key]) -> list[list[Value | None]]:
        return self._store.link.call(lambda: self._values(ids, keys), again=True)

    def _values(self, ids: Sequence[EntryId], keys: Sequence[Key]) -> list[list[Value | None]]:
        tags = self._store.link.tags_of(keys)
        rows = self._read([tag or pr.ENTRYID for tag in tags])
        nothing: list[Value] = [None] * len(keys)
        found = []
        for one in ids:
            row = rows.get(one, nothing)
            values = [value if tag else None for tag, value in zip(tags, row, strict=True)]
            known = row is not nothing
            found.append(
                [
                    one if known and key == pr.INSTANCE_KEY else value
                    for key, value in zip(keys, values, strict=True)
                ]
            )
        return found
