"""Expiring: which entries of a folder are too old or too many, found a page at a time.

Everything here reads; what is found is taken away by `remove`, in slices.  Numbers ascend with arrival, so
the old ones are a range at the lower end: `boundary` finds it by halving, and nobody looks at the young ones.
Which rules there are, and for which folder, is said by the caller.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from quintet.errors import Refused
from quintet.store import dialect, folders, history, keeping, moving
from quintet.store.db import Tx
from quintet.store.model import FLAGGED, AccountId, Folder, FolderId, FolderKind, Uid
from quintet.store.ranges import RangeSet
from quintet.values import dataclass

PAGE = 1000  # entries looked at in one reading
HELD = 100_000  # entries of all folders together that `over_total` has in memory: 20 MB
ROUND = 10_000  # entries that `over_total` gives at once
DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Clause:
    """One rule about articles: for which it is meant, and how long they stay after they arrived (ms)."""

    min_size: int = 0
    max_size: int = 0  # 0: of any size
    dated: bool | None = None  # only with, or only without, an end that the poster gave
    minimum: int = 0
    default: int = 0  # 0: for ever
    maximum: int = 0  # 0: no limit

    def fits(self, size: int, ends_at: int | None) -> bool:
        return (
            size >= self.min_size
            and (not self.max_size or size <= self.max_size)
            and (self.dated is None or self.dated == (ends_at is not None))
        )

    def end(self, arrived_at: int, ends_at: int | None) -> int | None:
        """When it goes; None: never."""
        if ends_at is None:
            return arrived_at + self.default if self.default else None
        latest = min(ends_at, arrived_at + self.maximum) if self.maximum else ends_at
        return max(latest, arrived_at + self.minimum)

    @property
    def soonest(self) -> int:
        """No article goes by age that is younger; 0: none goes by age alone."""
        return min((age for age in (self.default, self.maximum) if age), default=0)


class Found(NamedTuple):
    """An entry that is to go."""

    uid: Uid
    size: int
    at: int  # when it came
    why: str  # "age", "date" (the poster's), "count", "size", "total"


class Place(NamedTuple):
    """A folder, as far as expiry needs it."""

    id: FolderId
    account_id: int
    account: str
    name: str
    kind: str
    role: str
    status: str
    messages: int
    bytes: int
    oldest_at: int  # when the entry with the lowest number came into it


def places(tx: Tx, after: int, limit: int = 2000) -> list[Place]:
    """Folders with entries, in the order of their ids."""
    rows = tx.all(
        "SELECT f.id, f.account_id, a.name, f.name, f.kind, f.role, f.status, f.messages, f.bytes,"
        " (SELECT e.saved_at FROM entry e WHERE e.folder_id = f.id ORDER BY e.uid LIMIT 1)"
        " FROM folder f JOIN account a ON a.id = f.account_id WHERE f.id > ? AND f.messages > 0"
        " ORDER BY f.id LIMIT ?", after, limit,
    )  # fmt: skip
    return [Place(*row) for row in rows]


def boundary(tx: Tx, folder_id: FolderId, before: int, *, saved: bool = False) -> int:
    """The highest number that came before a time, as far as numbers ascend with arrival; 0: none did.

    ``saved``: by the time it came into the folder, which always ascends with the numbers.
    """
    column = "saved_at" if saved else "received_at"
    low = int(tx.value("SELECT min(uid) FROM entry WHERE folder_id = ?", folder_id) or 0) - 1
    high = int(tx.value("SELECT max(uid) FROM entry WHERE folder_id = ?", folder_id) or 0)
    if low < 0:
        return 0
    while low < high:  # all up to `low` came before, none above `high` did
        middle = (low + high + 1) // 2
        row = tx.one(
            f"SELECT uid, {column} FROM entry WHERE folder_id = ? AND uid <= ? ORDER BY uid DESC LIMIT 1",
            folder_id, middle,
        )  # fmt: skip
        if row is None or row[1] < before:
            low = middle
        else:
            high = min(int(row[0]), middle) - 1
    return low


def aged_small(
    tx: Tx, wanted: Sequence[tuple[FolderId, Sequence[Clause]]], now: int
) -> dict[FolderId, list[Found]]:
    """`aged` of many folders that have no more than `PAGE` entries each, in one reading."""
    found: dict[FolderId, list[Found]] = {}
    for folder_id, clauses in wanted:
        soonest = min((one.soonest for one in clauses if one.soonest), default=0)
        rows = tx.all(
            _AGED + " AND e.received_at <= ? ORDER BY e.uid LIMIT ?", folder_id, now - soonest, PAGE
        )
        gone = _aged(rows, clauses, now)
        if gone:
            found[folder_id] = gone
    return found


_AGED = (
    "SELECT e.uid, e.size, e.received_at, a.expires_at FROM entry e"
    " LEFT JOIN article_end a ON a.message_row = e.message_id"
    " WHERE e.folder_id = ? AND e.hidden = 0"
)


def aged(
    tx: Tx, folder_id: FolderId, clauses: Sequence[Clause], now: int, after: int, upto: int
) -> tuple[list[Found], int]:
    """Articles that are too old, of the next `PAGE` behind number ``after`` and up to ``upto``.

    The first clause that fits an article decides.  Those whose poster's date is over are left to `dated`.
    Returns them, and the number to go on behind (0: done).
    """
    rows = tx.all(
        _AGED + " AND e.uid > ? AND e.uid <= ? ORDER BY e.uid LIMIT ?", folder_id, after, upto, PAGE
    )
    return _aged(rows, clauses, now), rows[-1][0] if len(rows) == PAGE else 0


def _aged(rows: list[tuple[Any, ...]], clauses: Sequence[Clause], now: int) -> list[Found]:
    found = []
    for uid, size, arrived_at, ends_at in rows:
        for clause in clauses:
            if clause.fits(size, ends_at):
                end = clause.end(arrived_at, ends_at)
                if end is not None and end <= now and (ends_at is None or ends_at > now):
                    found.append(Found(uid, size, arrived_at, "age" if ends_at is None else "date"))
                break
    return found


def ended(
    tx: Tx, now: int, after: tuple[int, int, int] = (-(1 << 62), 0, 0)
) -> list[tuple[int, int, FolderId]]:
    """(end, message, folder) of articles in groups whose date is over, `PAGE` of them behind the last one."""
    rows = tx.all(
        "SELECT a.expires_at, a.message_row, e.folder_id FROM article_end a"
        " JOIN entry e ON e.message_id = a.message_row JOIN folder f ON f.id = e.folder_id"
        " WHERE a.expires_at >= ? AND a.expires_at <= ?"
        " AND (a.expires_at, a.message_row, e.folder_id) > (?, ?, ?) AND f.kind = 'group'"
        " ORDER BY a.expires_at, a.message_row, e.folder_id LIMIT ?", after[0], now, *after, PAGE,
    )  # fmt: skip
    return [(ends_at, message_row, FolderId(folder_id)) for ends_at, message_row, folder_id in rows]


def dated(
    tx: Tx, folder_id: FolderId, messages: Sequence[int], clauses: Sequence[Clause], now: int
) -> list[Found]:
    """Of the messages of `ended` in one group: those that may go."""
    members, param = dialect.among(tx.engine, messages)
    found = []
    for uid, size, arrived_at, ends_at in tx.all(
        "SELECT e.uid, e.size, e.received_at, a.expires_at FROM entry e"
        " JOIN article_end a ON a.message_row = e.message_id"
        f" WHERE e.message_id {members} AND e.folder_id = ? AND e.hidden = 0 ORDER BY e.uid",
        param, folder_id,
    ):  # fmt: skip
        clause = next((one for one in clauses if one.fits(size, ends_at)), None)
        end = None if clause is None else clause.end(arrived_at, ends_at)
        if end is not None and end <= now:
            found.append(Found(uid, size, arrived_at, "date"))
    return found


def oldest(
    tx: Tx,
    folder_id: FolderId,
    after: int,
    upto: int = 1 << 40,
    *,
    keep_flagged: bool = False,
    saved: bool = False,
    limit: int = 0,
) -> list[Found]:
    """The next entries behind a number, oldest first: ``limit`` of them, 0 for `PAGE`."""
    column = "saved_at" if saved else "received_at"
    flagged = f" AND flags & {FLAGGED} = 0" if keep_flagged else ""
    rows = tx.all(
        f"SELECT uid, size, {column} FROM entry WHERE folder_id = ? AND uid > ? AND uid <= ? AND hidden = 0"
        f"{flagged} ORDER BY uid LIMIT ?", folder_id, after, upto, limit or PAGE,
    )  # fmt: skip
    return [Found(uid, size, at, "age") for uid, size, at in rows]


def surplus(
    tx: Tx,
    folder_id: FolderId,
    after: int,
    messages: int,
    size: int,
    gone: RangeSet,
    *,
    keep_flagged: bool = False,
) -> tuple[list[Found], int]:
    """The oldest entries that must go so that ``messages`` fewer and ``size`` bytes fewer are left.

    Of the next `PAGE` behind number ``after``; those in ``gone`` are going anyway and count for nothing.
    Returns them, and the number to go on behind (0: done).
    """
    found: list[Found] = []
    page = oldest(tx, folder_id, after, keep_flagged=keep_flagged)
    for one in page:
        if messages <= 0 and size <= 0:
            return found, 0
        if one.uid not in gone:
            found.append(one._replace(why="count" if messages > 0 else "size"))
            messages -= 1
            size -= one.size
    return found, page[-1].uid if len(page) == PAGE else 0


def over_total(
    tx: Tx, after: Mapping[FolderId, int], size: int, gone: Mapping[FolderId, RangeSet]
) -> dict[FolderId, list[Found]]:
    """The oldest entries of many folders that must go so that ``size`` bytes fewer are left in all.

    ``after`` has the number in each folder behind which to look.  No more than `ROUND` of them: the caller
    goes on behind those.
    """
    limit = max(1, min(PAGE, HELD // max(1, len(after))))

    def walk(folder_id: FolderId, last: int) -> Iterator[tuple[int, FolderId, Found]]:
        left = gone.get(folder_id, RangeSet())
        while True:
            page = oldest(tx, folder_id, last, limit=limit)
            for one in page:
                if one.uid not in left:
                    yield one.at, folder_id, one
            if len(page) < limit:
                return
            last = page[-1].uid

    found: dict[FolderId, list[Found]] = {}
    every = heapq.merge(*(walk(folder_id, last) for folder_id, last in after.items()))
    for _, folder_id, one in itertools.islice(every, ROUND):
        if size <= 0:
            break
        size -= one.size
        found.setdefault(folder_id, []).append(one._replace(why="total"))
    return found


# --- taking away ------------------------------------------------------------------------------------


def remove(tx: Tx, wanted: Sequence[tuple[FolderId, Sequence[int], bool]]) -> list[int]:
    """Takes entries of some folders away, given as (folder, numbers, from all groups too).

    Returns how many entries went by each.  A folder that is gone, or on hold by now, keeps what it has.
    """
    held = keeping.is_held(keeping.holds(tx))
    messages: list[int] = []
    counts = [_remove(tx, folder_id, numbers, all_, held, messages) for folder_id, numbers, all_ in wanted]
    history.detach_gone(tx, messages)
    return counts


def _remove(
    tx: Tx,
    folder_id: FolderId,
    numbers: Sequence[int],
    everywhere: bool,
    held: Callable[[AccountId, FolderId], bool],
    messages: list[int],
) -> int:
    """``messages`` gets the rows of what went."""
    try:
        folder = folders.get(tx, folder_id)
    except Refused:
        return 0
    if held(folder.account_id, folder_id):
        return 0
    if everywhere:
        return sum(
            _remove(tx, place, uids, False, held, messages)
            for place, uids in _everywhere(tx, folder, numbers).items()
        )
    rows = moving.chosen(tx, folder, numbers)
    if rows:
        moving.remove_rows(tx, folder, rows, detach=False)
        messages += [row[4] for row in rows]
    return len(rows)


def _everywhere(tx: Tx, folder: Folder, numbers: Sequence[int]) -> dict[FolderId, list[int]]:
    members, param = dialect.among(tx.engine, numbers)
    chosen: dict[FolderId, list[int]] = {}
    for place, uid in tx.all(
        "SELECT other.folder_id, other.uid FROM entry e JOIN entry other ON other.message_id = e.message_id"
        " JOIN folder f ON f.id = other.folder_id"
        f" WHERE e.folder_id = ? AND e.uid {members} AND other.hidden = 0 AND f.kind = ?"
        " ORDER BY other.folder_id, other.uid",
        folder.id, param, FolderKind.GROUP,
    ):  # fmt: skip
        chosen.setdefault(FolderId(place), []).append(uid)
    return chosen
