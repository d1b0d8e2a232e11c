"""Overview lines in stretches of many numbers, each kept in one piece for the next who reads it.

An overview line stands in its message's row, and those lie between bodies: who lists a group whose pages are
not in memory reads nearly the whole file.  A stretch that was read once is one row, some 150 KB side by side.
Whether it still holds is told by the same two numbers as for what is held in memory.
"""

from __future__ import annotations

from typing import NamedTuple

from quintet.store import articles, groups
from quintet.store.content import READY
from quintet.store.db import Tx, bounded
from quintet.store.model import FolderId

LEAST = 32  # lines worth a row of their own
STEP = 100  # stretches forgotten at once

_KEEP = (
    "INSERT INTO overview_stretch (id, folder_id, low, high, gone, entries, ready, data)"
    " SELECT ?, id, ?, ?, ?, ?, ?, ? FROM folder WHERE id = ?"
    " ON CONFLICT (folder_id, low) DO UPDATE SET high = excluded.high, gone = excluded.gone,"
    " entries = excluded.entries, ready = excluded.ready, data = excluded.data"
)


class Stretch(NamedTuple):
    """The lines of the numbers from ``low`` to ``high``, all of which were given out."""

    folder_id: FolderId
    low: int
    high: int
    gone: int  # `articles.Facts.gone` before it was read
    data: bytes
    entries: int
    is_kept: bool


def read(tx: Tx, folder_id: FolderId, low: int, high: int, gone: int) -> Stretch:
    """As it was kept, or made of its messages."""
    row = tx.one(
        "SELECT gone, entries, data FROM overview_stretch WHERE folder_id = ? AND low = ? AND high = ?"
        " AND ready = ?", folder_id, low, high, READY,
    )  # fmt: skip
    if row is not None and (row[0] == gone or articles.count(tx, folder_id, low, high) == row[1]):
        return Stretch(folder_id, low, high, gone, bytes(row[2]), row[1], is_kept=True)
    data, entries, _ = groups.overview(tx, folder_id, low, high, high - low + 1)
    return Stretch(folder_id, low, high, gone, data, entries, is_kept=False)


@bounded()
def keep(tx: Tx, one: Stretch) -> None:
    """For the next; a group that is gone meanwhile needs none."""
    tx.run(
        _KEEP, tx.new_ids(1), one.low, one.high, one.gone, one.entries, READY, one.data, one.folder_id
    )  # fmt: skip


def sweep(tx: Tx) -> int:
    """Forgets some stretches that lie below their group's first article; returns how many."""
    return tx.run(
        "DELETE FROM overview_stretch WHERE id IN (SELECT s.id FROM folder f JOIN overview_stretch s"
        " ON s.folder_id = f.id AND s.high < f.low WHERE f.kind = 'group' LIMIT ?)", STEP,
    )  # fmt: skip
