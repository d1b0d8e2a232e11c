"""What happened in a mailbox since somebody looked: in one folder, and to the tree of folders.

Both are read from the store, whoever did it; who is told what is another room's business.
"""

from __future__ import annotations

import dataclasses
import itertools
from array import array
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from quintet.mapi import tablenews
from quintet.mapi.objects import hierarchy
from quintet.store import folders, pages, seen
from quintet.store.model import Modseq
from quintet.store.pages import Happened
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.mapi.objects.box import Box
    from quintet.mapi.objects.foldercore import FolderCore


def since(folder: FolderCore, modseq: Modseq, most: int) -> Happened | None:
    """What came, changed and went, and what the reader marked; None: more than ``most``, or forgotten."""
    tx, row, reader = folder.box.tx, folder.row, folder.box.reader.id
    told = pages.happened(tx, row.id, modseq, most)
    if told is None or not seen.is_own(row, reader):
        return told
    marked = list(itertools.islice(seen.changed_after(tx, row.id, reader, modseq), most + 1))
    if len(marked) > most:
        return None
    known = {one.id for one in told.came} | set(told.changed)
    more = [one for one in pages.numbers(tx, row.id, marked).values() if one not in known]
    return dataclasses.replace(told, changed=[*told.changed, *more])


def changed(folder: FolderCore, modseq: Modseq) -> list[int] | None:
    """Messages with other values than at a change number; None: more than tables tell of, or forgotten."""
    told = since(folder, modseq, tablenews.MAX_NEWS)
    return None if told is None else told.changed


@dataclass(frozen=True, slots=True)
class Place:
    """A folder in the tree."""

    parent: int
    changed: Modseq  # when it changed itself: its name, its rights


@dataclass(frozen=True, slots=True)
class FolderNews:
    """A folder that came (no ``before``), went (no ``now``), moved or changed."""

    id: int
    before: Place | None
    now: Place | None


class Tree:
    """The folders that a reader sees, at a moment; 24 bytes for each."""

    __slots__ = ("_rows", "_shape")

    def __init__(self, box: Box) -> None:
        self._shape = box.tree_version()
        rows = folders.listing(box.tx, box.account.id)
        visible = hierarchy.visible(box, rows)
        self._rows = array("q")
        for row in rows:
            if row.id in visible:
                self._rows.extend((row.id, box.parent_of(row), row.changed_modseq))

    def is_current(self, box: Box) -> bool:
        return self._shape == box.tree_version()

    def places(self) -> Mapping[int, Place]:
        flat = iter(self._rows)
        rows = zip(flat, flat, flat, strict=True)
        return {number: Place(parent, Modseq(changed)) for number, parent, changed in rows}

    def compare(self, now: Tree) -> Iterator[FolderNews]:
        """What differs; what came before what is in it."""
        old, new = self.places(), now.places()
        for number, place in new.items():
            if old.get(number) != place:
                yield FolderNews(number, old.get(number), place)
        for number, place in old.items():
            if number not in new:
                yield FolderNews(number, place, None)
