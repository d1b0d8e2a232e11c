"""Seen: what each reader has read in a folder that many read.

A set of number ranges a reader and folder, as .newsrc keeps it, so that a group with a million articles
costs a reader a few bytes.  The owner of a mail folder uses the entries' own flag instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quintet.store import folders
from quintet.store.db import Tx, bounded
from quintet.store.model import AccountId, Folder, FolderId, FolderKind, Modseq
from quintet.store.ranges import RangeSet

MAX_LOG = 64  # remembered marks of one reader; older ones are merged, so told again rather than lost


def is_own(folder: Folder, reader: AccountId) -> bool:
    """Whether \\Seen in that folder is the reader's own: groups, and folders of somebody else."""
    return folder.kind == FolderKind.GROUP or folder.account_id != reader


def get(tx: Tx, folder_id: FolderId, account_id: AccountId) -> RangeSet:
    """What the reader has seen."""
    return RangeSet.parse(
        tx.value("SELECT uids FROM seen WHERE folder_id = ? AND account_id = ?", folder_id, account_id) or ""
    )


def unseen(tx: Tx, folder: Folder, account_id: AccountId) -> int:
    """How many entries the reader has not seen; exact, without counting."""
    if not is_own(folder, account_id):
        return folder.unseen
    present = tx.value(
        "SELECT present FROM seen WHERE folder_id = ? AND account_id = ?", folder.id, account_id
    )
    return folder.messages - (present or 0)


@bounded(
    lambda folder_id, account_id, numbers, *_, **__: isinstance(numbers, Sequence) and len(numbers) <= 32
)
def mark(
    tx: Tx, folder_id: FolderId, account_id: AccountId, numbers: Iterable[int], value: bool
) -> tuple[RangeSet, Modseq | None]:
    """Marks numbers as seen or not; returns the whole set, and the change number if anything changed.

    Raises:
        Refused(NO_SUCH_FOLDER).
    """
    return mark_ranges(tx, folder_id, account_id, RangeSet.of(numbers), value)


def mark_ranges(
    tx: Tx, folder_id: FolderId, account_id: AccountId, asked: RangeSet, value: bool
) -> tuple[RangeSet, Modseq | None]:
    """The same for ranges, as a news reader's catch-up gives them."""
    folder = folders.get(tx, folder_id)
    asked = asked & RangeSet([(1, folder.uid_next - 1)] if folder.uid_next > 1 else [])
    row = tx.one(
        "SELECT uids, present FROM seen WHERE folder_id = ? AND account_id = ?", folder_id, account_id
    )
    old, present = (RangeSet.parse(row[0]), row[1]) if row else (RangeSet(), 0)
    difference = asked - old if value else asked & old
    if not difference:
        return old, None
    new = old | difference if value else old - difference
    here = _present(tx, folder, difference)
    modseq = folders.book(tx, folder.account_id, 0, 0)
    tx.run(
        "INSERT INTO seen (folder_id, account_id, present, modseq, uids) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (folder_id, account_id) DO UPDATE"
        " SET present = excluded.present, modseq = excluded.modseq, uids = excluded.uids",
        folder_id, account_id, present + (here if value else -here), modseq, str(new),
    )  # fmt: skip
    _log(tx, folder_id, account_id, modseq, difference)
    folders.stir(tx, folder_id, modseq)
    tx.hint(folder.account_id, folder_id)
    return new, modseq


def note(tx: Tx, folder: Folder, account_id: AccountId, numbers: Iterable[int]) -> Modseq:
    """Something else changed for this reader alone; returns its change number."""
    modseq = folders.book(tx, folder.account_id, 0, 0)
    _log(tx, folder.id, account_id, modseq, RangeSet.of(numbers))
    folders.stir(tx, folder.id, modseq)
    tx.hint(folder.account_id, folder.id)
    return modseq


def _present(tx: Tx, folder: Folder, numbers: RangeSet) -> int:
    if folder.messages == folder.uid_next - folder.low:  # no holes from low on
        return len(numbers & RangeSet([(folder.low, folder.uid_next - 1)])) if folder.messages else 0
    sql = "SELECT count(*) FROM entry WHERE folder_id = ? AND uid BETWEEN ? AND ? AND hidden = 0"
    return sum(tx.value(sql, folder.id, low, high) for low, high in numbers.ranges())


def _log(tx: Tx, folder_id: FolderId, account_id: AccountId, modseq: int, numbers: RangeSet) -> None:
    tx.run(
        "INSERT INTO seen_change (folder_id, account_id, modseq, uids) VALUES (?, ?, ?, ?)",
        folder_id, account_id, modseq, str(numbers),
    )  # fmt: skip
    rows = tx.all(
        "SELECT modseq, uids FROM seen_change WHERE folder_id = ? AND account_id = ? ORDER BY modseq",
        folder_id, account_id,
    )  # fmt: skip
    if len(rows) <= MAX_LOG:
        return
    old = rows[: MAX_LOG // 2]
    merged = RangeSet()
    for _, text in old:
        merged = merged | RangeSet.parse(text)
    tx.run(
        "DELETE FROM seen_change WHERE folder_id = ? AND account_id = ? AND modseq <= ?",
        folder_id, account_id, old[-1][0],
    )  # fmt: skip
    tx.run(
        "INSERT INTO seen_change (folder_id, account_id, modseq, uids) VALUES (?, ?, ?, ?)",
        folder_id, account_id, old[-1][0], str(merged),
    )  # fmt: skip


def changed_after(tx: Tx, folder_id: FolderId, account_id: AccountId, modseq: int) -> RangeSet:
    """Numbers that the reader marked or unmarked after a change number."""
    found = RangeSet()
    for (text,) in tx.all(
        "SELECT uids FROM seen_change WHERE folder_id = ? AND account_id = ? AND modseq > ?",
        folder_id, account_id, modseq,
    ):  # fmt: skip
        found = found | RangeSet.parse(text)
    return found


Log = list[tuple[int, RangeSet]]  # (change number, what was marked or unmarked then), the latest first


def log(tx: Tx, folder_id: FolderId, account_id: AccountId) -> Log:
    """The reader's marks with their change numbers; at most `MAX_LOG` rows."""
    rows = tx.all(
        "SELECT modseq, uids FROM seen_change WHERE folder_id = ? AND account_id = ? ORDER BY modseq DESC",
        folder_id, account_id,
    )  # fmt: skip
    return [(modseq, RangeSet.parse(text)) for modseq, text in rows]


def modseq_of(marks: Log, uid: int, modseq: int) -> Modseq:
    """The change number that an entry has for a reader: its own ``modseq``, or that of a later mark."""
    for at, uids in marks:
        if at <= modseq:
            break
        if uid in uids:
            return Modseq(at)
    return Modseq(modseq)


def forget(tx: Tx, folder_id: FolderId, gone: RangeSet) -> None:
    """Entries are gone: they count for no reader any more."""
    for account_id, text, present in tx.all(
        "SELECT account_id, uids, present FROM seen WHERE folder_id = ?", folder_id
    ):
        fewer = len(RangeSet.parse(text) & gone)
        if fewer:
            tx.run(
                "UPDATE seen SET present = ? WHERE folder_id = ? AND account_id = ?",
                present - fewer, folder_id, account_id,
            )  # fmt: skip
