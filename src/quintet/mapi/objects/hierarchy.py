"""Hierarchy tables: the folders right under one, or all below it, as rows (MS-OXCFOLD 3.1.1.1)."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Hashable, Sequence
from typing import TYPE_CHECKING, Any

from quintet.errors import Refused
from quintet.mapi.objects import pid, places
from quintet.mapi.objects.bagged import Bagged
from quintet.mapi.table import Rows
from quintet.mapi.types import Error, Tag, Value
from quintet.store import access, accounts, folders
from quintet.store.model import Folder as FolderRow
from quintet.store.model import FolderId, Modseq

if TYPE_CHECKING:
    from quintet.mapi.objects.box import Box
    from quintet.mapi.objects.folder import Folder

MAX_FOLDERS = 100_000  # rows of one table
MAX_COUNTED = 15  # search folders of one table whose counts are watched; no more than a box keeps current

Counts = tuple[int, int]
"""Messages, and those of them that are unread."""


class Hierarchy(Rows):
    """The rows; ``deep``: everything below, each under its parent, with its depth (R: Depth flag)."""

    def __init__(self, folder: Folder, *, deep: bool = False) -> None:
        self.folder, self.deep = folder, deep
        self._depths: dict[int, int] = {}

    def ids(self) -> Sequence[int]:
        self._depths = {}
        found: list[int] = []
        children = _children(self.folder)
        waiting = [(one, 1) for one in reversed(children.get(self.folder.id, []))]
        while waiting and len(found) < MAX_FOLDERS:
            one, depth = waiting.pop()
            found.append(one)
            self._depths[one] = depth
            if self.deep:
                waiting += [(each, depth + 1) for each in reversed(children.get(one, []))]
        return found

    def version(self) -> Hashable:
        return self.folder.box.tree_version()

    def moment(self) -> tuple[Hashable, Modseq]:
        box = self.folder.box
        return box.tree_version(), accounts.get(box.tx, box.account.id).modseq

    def touched(self, since: Any, dirty: Collection[int]) -> Collection[int]:  # Any: a moment
        """Those in which something happened: their counts may be others."""
        return folders.changed(self.folder.box.tx, since[1], dirty)

    def counts_of_searches(self) -> dict[int, Counts]:
        """What the search folders among the rows hold; of the first `MAX_COUNTED` of them."""
        box, keys = self.folder.box, (pid.CONTENT_COUNT, pid.CONTENT_UNREAD)
        known = {row.id for row in folders.listing(box.tx, box.account.id) if row.role in places.SEARCHES}
        watched = itertools.islice((one for one in self.ids() if one in known), MAX_COUNTED)
        return {one: (row[0], row[1]) for one in watched for row in (self._row(one, keys),)}

    def columns(self) -> Sequence[Tag]:
        from quintet.mapi.objects.folder import Folder

        return [*Folder.facts, pid.DEPTH]

    def values(self, ids: Sequence[int], keys: Sequence[Tag]) -> list[list[Value]]:
        return [self._row(number, keys) for number in ids]

    def _row(self, number: int, keys: Sequence[Tag]) -> list[Value]:
        from quintet.mapi.objects.folder import Folder

        box = self.folder.box
        try:
            one: Bagged = Folder(box, folders.get(box.tx, FolderId(number)))
        except Refused:
            return [None] * len(keys)
        found = [None if isinstance(value, Error) else value for value in one.get(keys)]
        for at, key in enumerate(keys):
            if key == pid.DEPTH:
                found[at] = self._depths.get(number, 1) if self.deep else 0
        return found


def _children(folder: Folder) -> dict[int, list[int]]:
    """Who stands under whom, of what the reader may see; by the order of names."""
    box = folder.box
    found: dict[int, list[int]] = {}
    rows = folders.listing(box.tx, box.account.id)
    seen = visible(box, rows)
    for row in rows:
        if row.id in seen:
            parent = box.parent_of(row)
            if parent != row.id:
                found.setdefault(parent, []).append(row.id)
    return found


def visible(box: Box, rows: Sequence[FolderRow]) -> set[int]:
    """Those that the reader may look up; rights are looked at only where somebody gave some."""
    if box.is_owner:
        return {row.id for row in rows}
    ruled = {
        number
        for (number,) in box.tx.all(
            "SELECT DISTINCT a.folder_id FROM access a JOIN folder f ON f.id = a.folder_id"
            " WHERE f.account_id = ?", box.account.id,
        )
    }  # fmt: skip
    return {
        row.id
        for row in rows
        if (
            "l" in access.of_folder(box.tx, box.reader.id, row)
            if row.id in ruled
            else "l" in box.rights_of(row)
        )
    }
