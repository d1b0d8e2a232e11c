"""Overview lines in stretches of many numbers, each kept in one piece for the next who reads it.

An overview line stands in its message's row, and those lie between bodies: who lists a group whose pages are
not in memory reads nearly the whole file.  A stretch that gets no more numbers is one row, some 150 KB in one
piece: a job makes it of what is `missing`, or a reader who comes before.  Whether it still holds is told by
the same two numbers as for what is held in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from quintet.store import articles, groups
from quintet.store.content import READY
from quintet.store.db import Tx, bounded
from quintet.store.model import NEWS, FolderId, FolderKind

SIZE = 512  # numbers of a stretch; 128 KiB of usual lines
LEAST = 32  # lines for which a reader has a row made
STEP = 100  # stretches forgotten at once

_KEEP = (
    "INSERT INTO overview_stretch (id, folder_id, low, high, gone, entries, ready, data)"
    " SELECT ?, id, ?, ?, ?, ?, ?, ? FROM folder WHERE id = ?"
    " ON CONFLICT (folder_id, low) DO UPDATE SET high = excluded.high, gone = excluded.gone,"
    " entries = excluded.entries, ready = excluded.ready, data = excluded.data"
)

# groups that have fewer stretches than were filled between their first article and their next number
_LACKING = (
    "SELECT f.id, f.low, f.uid_next, f.messages FROM folder f WHERE (f.uid_next - 1) / ? - (f.low - 1) / ?"
    " > (SELECT count(*) FROM overview_stretch s WHERE s.folder_id = f.id AND s.low > (f.low - 1) / ? * ?)"
    " AND f.uid_next > ? AND f.account_id = (SELECT id FROM account WHERE name = ?) AND f.kind = ? LIMIT ?"
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


def missing(tx: Tx, limit: int) -> list[tuple[FolderId, int, int]]:
    """Up to ``limit`` stretches that are not kept: group, first number, and `articles.Facts.gone` of it."""
    found: list[tuple[FolderId, int, int]] = []
    sizes = (SIZE,) * 5
    for folder_id, low, following, messages in tx.all(_LACKING, *sizes, NEWS, FolderKind.GROUP, limit):
        begin, end = _first(low), _first(following)
        kept = tx.all("SELECT low FROM overview_stretch WHERE folder_id = ? AND low >= ?", folder_id, begin)
        lacking = sorted(set(range(begin, end, SIZE)).difference(each for (each,) in kept))
        found += [(folder_id, each, following - 1 - messages) for each in lacking[: limit - len(found)]]
        if len(found) == limit:
            break
    return found


def _first(number: int) -> int:
    """Of the stretch that has the number."""
    return (number - 1) // SIZE * SIZE + 1


@bounded()
def keep(tx: Tx, one: Stretch) -> None:
    """For the next; a group that is gone meanwhile needs none."""
    tx.run(
        _KEEP, tx.new_ids(1), one.low, one.high, one.gone, one.entries, READY, one.data, one.folder_id
    )  # fmt: skip


def keep_all(tx: Tx, several: Sequence[Stretch]) -> None:
    for one in several:
        keep(tx, one)


def sweep(tx: Tx) -> int:
    """Forgets some stretches that lie below their group's first article; returns how many."""
    return tx.run(
        "DELETE FROM overview_stretch WHERE id IN (SELECT s.id FROM folder f JOIN overview_stretch s"
        " ON s.folder_id = f.id AND s.high < f.low WHERE f.kind = 'group' LIMIT ?)", STEP,
    )  # fmt: skip
