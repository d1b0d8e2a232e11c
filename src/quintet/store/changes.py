"""Changes: what happened in a folder since a change number.

A hint says "look"; this is the looking.  Every protocol turns the rows into its own words.
"""

from __future__ import annotations

from dataclasses import dataclass

from quintet.store import folders, seen
from quintet.store.db import Tx
from quintet.store.model import SEEN, AccountId, Changed, FolderId, Modseq, Uid, unpack_keywords
from quintet.store.ranges import RangeSet

LIMIT = 1000  # changed entries told at once
KEPT = 10_000  # tombstones of a folder; who synchronises daily never needs more


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened after a change number, up to ``highest_modseq``."""

    changed: list[Changed]  # new and changed entries, by number
    new_uids: list[Uid]  # those of them that did not exist before
    vanished: list[tuple[int, int]]  # ranges of numbers that are gone
    highest_modseq: Modseq  # where the next question begins
    more: bool  # ask again from there at once


def since(
    tx: Tx, folder_id: FolderId, modseq: int, *, reader: AccountId | None = None, limit: int = LIMIT
) -> Changes:
    """Everything after ``modseq``, at most about ``limit`` entries; all that share a number come together.

    With ``reader``, \\Seen in a shared folder is the reader's own, and the reader's marks are changes.

    Raises:
        Refused(NO_SUCH_FOLDER): it is gone.
    """
    folder = folders.get(tx, folder_id)
    if folder.highest_modseq <= modseq:
        return Changes([], [], [], Modseq(modseq), False)
    upto, more = _page(tx, folder_id, modseq, limit, folder.highest_modseq)
    rows = tx.all(
        "SELECT uid, flags, keywords, modseq, created_modseq FROM entry"
        " WHERE folder_id = ? AND modseq > ? AND modseq <= ? AND hidden = 0 ORDER BY uid",
        folder_id, modseq, upto,
    )  # fmt: skip
    changed = [Changed(uid, flags, unpack_keywords(words), at) for uid, flags, words, at, _ in rows]
    new = [uid for uid, _, _, _, created in rows if created > modseq]
    if reader is not None and seen.is_own(folder, reader):
        changed = _for_reader(tx, folder_id, modseq, reader, changed)
    return Changes(changed, new, _vanished(tx, folder_id, modseq, upto), Modseq(upto), more)


def _page(tx: Tx, folder_id: FolderId, modseq: int, limit: int, highest: int) -> tuple[int, bool]:
    """Up to which change number this page goes."""
    last = tx.value(
        "SELECT modseq FROM entry WHERE folder_id = ? AND modseq > ? ORDER BY modseq LIMIT 1 OFFSET ?",
        folder_id, modseq, limit - 1,
    )  # fmt: skip
    return (highest, False) if last is None or last >= highest else (last, True)


def _for_reader(
    tx: Tx, folder_id: FolderId, modseq: int, reader: AccountId, changed: list[Changed]
) -> list[Changed]:
    marks = seen.get(tx, folder_id, reader)
    told = {change.uid for change in changed}
    mine = seen.changed_after(tx, folder_id, reader, modseq)
    marked = [uid for uid in mine if uid not in told]
    for start in range(0, len(marked), LIMIT):
        piece = RangeSet.of(marked[start : start + LIMIT])
        for low, high in piece.ranges():
            changed += [
                Changed(uid, flags, unpack_keywords(words), at)
                for uid, flags, words, at in tx.all(
                    "SELECT uid, flags, keywords, modseq FROM entry"
                    " WHERE folder_id = ? AND uid BETWEEN ? AND ? AND hidden = 0 ORDER BY uid",
                    folder_id, low, high,
                )
            ]  # fmt: skip
    changed.sort(key=lambda change: change.uid)
    log = seen.log(tx, folder_id, reader)
    return [
        Changed(
            c.uid,
            c.flags | SEEN if c.uid in marks else c.flags & ~SEEN,
            c.keywords,
            seen.modseq_of(log, c.uid, c.modseq),
        )
        for c in changed
    ]


def vanished(tx: Tx, folder_id: FolderId, modseq: int) -> list[tuple[int, int]]:
    """Ranges of numbers that went after ``modseq``, and perhaps some that never came.

    Raises:
        Refused(NO_SUCH_FOLDER): the folder is gone.
    """
    return _vanished(tx, folder_id, modseq, folders.get(tx, folder_id).highest_modseq)


def _vanished(tx: Tx, folder_id: FolderId, modseq: int, upto: int) -> list[tuple[int, int]]:
    forgot = tx.value("SELECT forgot_modseq FROM folder WHERE id = ?", folder_id)
    if modseq < forgot:
        return absent(tx, folder_id)
    rows = tx.all(
        "SELECT uid FROM tombstone WHERE folder_id = ? AND modseq > ? AND modseq <= ? ORDER BY uid",
        folder_id, modseq, upto,
    )  # fmt: skip
    return RangeSet.of(uid for (uid,) in rows).ranges()


def absent(tx: Tx, folder_id: FolderId) -> list[tuple[int, int]]:
    """Every number that was given out and has no entry: right also when tombstones were pruned."""
    folder = folders.get(tx, folder_id)
    gaps = []
    expected = 1
    for (uid,) in tx.rows("SELECT uid FROM entry WHERE folder_id = ? AND hidden = 0 ORDER BY uid", folder_id):
        if uid > expected:
            gaps.append((expected, uid - 1))
        expected = uid + 1
    if expected < folder.uid_next:
        gaps.append((expected, folder.uid_next - 1))
    return gaps


def crowded(tx: Tx, keep: int = KEPT) -> list[tuple[FolderId, Modseq]]:
    """Folders with more tombstones than they need, and the change number up to which to `prune` them.

    A folder keeps as many as it has messages, and at least ``keep``: telling every number that is absent
    then costs no more than the tombstones would.
    """
    found = []
    for folder_id, messages in tx.all(
        "SELECT f.id, f.messages FROM folder f JOIN"
        " (SELECT folder_id, count(*) AS gone FROM tombstone GROUP BY folder_id) t ON t.folder_id = f.id"
        " WHERE t.gone > ? AND t.gone > f.messages", keep,
    ):  # fmt: skip
        modseq = tx.value(
            "SELECT modseq FROM tombstone WHERE folder_id = ? ORDER BY modseq DESC LIMIT 1 OFFSET ?",
            folder_id, max(keep, messages),
        )  # fmt: skip
        if modseq is not None:
            found.append((FolderId(folder_id), Modseq(modseq)))
    return found


def prune(tx: Tx, folder_id: FolderId, before_modseq: int, limit: int = LIMIT) -> int:
    """Forgets tombstones at or below a change number, at most ``limit``; returns how many.

    Who was away longer gets `absent`.
    """
    gone = tx.run(
        "DELETE FROM tombstone WHERE folder_id = ? AND uid IN"
        " (SELECT uid FROM tombstone WHERE folder_id = ? AND modseq <= ? ORDER BY modseq LIMIT ?)",
        folder_id, folder_id, before_modseq, limit,
    )  # fmt: skip
    if gone:
        tx.run(
            "UPDATE folder SET forgot_modseq = ? WHERE id = ? AND forgot_modseq < ?",
            before_modseq, folder_id, before_modseq,
        )  # fmt: skip
    return gone
