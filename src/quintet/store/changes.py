"""Changes: what happened in a folder since a change number.

A hint says "look"; this is the looking.  Every protocol turns the rows into its own words.
"""

from __future__ import annotations

from quintet.store import folders, seen
from quintet.store.db import Tx
from quintet.store.model import SEEN, AccountId, Changed, FolderId, Modseq, Uid, unpack_keywords
from quintet.store.ranges import RangeSet
from quintet.values import dataclass

LIMIT = 1000  # changed entries told at once
GONE = 10  # times as many that went: they cost less
FEW = 50  # entries that changed, and that went, which are read without a look at how many there are
KEPT = 10_000  # tombstones of a folder; who synchronises daily never needs more


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened after a change number, up to ``highest_modseq``."""

    changed: list[Changed]  # new and changed entries, by number
    new_uids: list[Uid]  # those of them that did not exist before
    vanished: list[tuple[int, int]]  # ranges of numbers that are gone
    highest_modseq: Modseq  # where the next question begins
    more: bool  # ask again from there at once
    untouched: frozenset[Uid] = frozenset()  # those of the new ones that are as they came
    cleared: int = 0  # `vanished` is complete up to this change number, which may be far ahead


def since(
    tx: Tx,
    folder_id: FolderId,
    modseq: int,
    *,
    reader: AccountId | None = None,
    limit: int = LIMIT,
    cleared: int = 0,
    gone: bool = True,
) -> Changes:
    """Everything after ``modseq``, at most about ``limit`` entries; all that share a number come together.

    With ``reader``, \\Seen in a shared folder is the reader's own, and the reader's marks are changes.
    What is gone is told from ``cleared`` on, where that is later (`Changes.cleared` of the page before);
    not at all without ``gone``.

    Raises:
        Refused(NO_SUCH_FOLDER): it is gone.
    """
    if reader is None and gone and (few := _few(tx, folder_id, modseq, limit, cleared)) is not None:
        return few
    folder = folders.get(tx, folder_id)
    if folder.highest_modseq <= modseq:
        return Changes([], [], [], Modseq(modseq), False)
    upto = _page(tx, folder_id, modseq, limit, folder.highest_modseq, gone)
    rows = tx.all(
        "SELECT uid, flags, keywords, modseq, created_modseq FROM entry"
        " WHERE folder_id = ? AND modseq > ? AND modseq <= ? AND hidden = 0 ORDER BY uid",
        folder_id, modseq, upto,
    )  # fmt: skip
    changed, new, untouched = _told(rows, modseq)
    if reader is not None and seen.is_own(folder, reader):
        marked = _marked(tx, folder_id, reader, modseq, upto)
        untouched = {uid for uid in untouched if uid not in marked}
        changed = _for_reader(tx, folder_id, reader, changed, marked)
    start = max(modseq, cleared)
    vanished: list[tuple[int, int]] = []
    if gone and start < forgotten(tx, folder_id):
        vanished, cleared = absent(tx, folder_id), folder.highest_modseq
    elif gone and start < upto:
        vanished = _tombstones(tx, folder_id, start, upto)
    more = upto < folder.highest_modseq
    return Changes(changed, new, vanished, Modseq(upto), more, frozenset(untouched), cleared)


Row = tuple[Uid, int, str, Modseq, Modseq]  # uid, flags, packed keywords, modseq, created_modseq


def _told(rows: list[Row], modseq: int) -> tuple[list[Changed], list[Uid], set[Uid]]:
    """What `Changes` tells of them: all, the new ones, and those of these that are as they came."""
    changed = [Changed(uid, flags, unpack_keywords(words), at) for uid, flags, words, at, _ in rows]
    new = [uid for uid, _, _, _, created in rows if created > modseq]
    return changed, new, {uid for uid, _, _, at, created in rows if created > modseq and at == created}


def _few(tx: Tx, folder_id: FolderId, modseq: int, limit: int, cleared: int) -> Changes | None:
    """`since` for the owner where little happened, as nearly always: three short statements instead of six.

    None where there may be more than `FEW` of a kind, or ``limit``, or not all that went is known one by one.
    """
    most, start = min(limit, FEW), max(modseq, cleared)
    row = tx.one("SELECT highest_modseq, forgot_modseq FROM folder WHERE id = ?", folder_id)
    if row is None or start < row[1]:
        return None
    if row[0] <= modseq:
        return Changes([], [], [], Modseq(modseq), False)
    rows: list[Row] = tx.all(
        "SELECT uid, flags, keywords, modseq, created_modseq FROM entry"
        " WHERE folder_id = ? AND modseq > ? AND hidden = 0 ORDER BY modseq, uid LIMIT ?",
        folder_id, modseq, most + 1,
    )  # fmt: skip
    lost = tx.all(
        "SELECT uid FROM tombstone WHERE folder_id = ? AND modseq > ? ORDER BY modseq LIMIT ?",
        folder_id, start, most + 1,
    )  # fmt: skip
    if len(rows) > most or len(lost) > most:
        return None
    rows.sort()
    changed, new, untouched = _told(rows, modseq)
    vanished = RangeSet.of(uid for (uid,) in lost).ranges() if lost else []
    return Changes(changed, new, vanished, Modseq(row[0]), False, frozenset(untouched), cleared)


def _page(tx: Tx, folder_id: FolderId, modseq: int, limit: int, highest: int, gone: bool) -> int:
    """Up to which change number this page goes."""
    upto = highest
    for table, most in (("entry", limit), ("tombstone", limit * GONE)):
        if table == "entry" or gone:
            last = tx.value(
                f"SELECT modseq FROM {table} WHERE folder_id = ? AND modseq > ?"
                " ORDER BY modseq LIMIT 1 OFFSET ?", folder_id, modseq, most - 1,
            )  # fmt: skip
            upto = upto if last is None else min(upto, last)
    return upto


def arrivals(tx: Tx, folder_id: FolderId, after: int, limit: int = LIMIT) -> list[Uid]:
    """Numbers above ``after`` that have an entry, ascending: what came, whatever was done to it since."""
    rows = tx.all(
        "SELECT uid FROM entry WHERE folder_id = ? AND uid > ? AND hidden = 0 ORDER BY uid LIMIT ?",
        folder_id, after, limit,
    )  # fmt: skip
    return [uid for (uid,) in rows]


def numbers(tx: Tx, folder_id: FolderId, modseq: int, most: int) -> list[Uid] | None:
    """Numbers of entries that came or changed after ``modseq``, ascending; None if more than ``most``."""
    rows = tx.all(
        "SELECT uid FROM entry WHERE folder_id = ? AND modseq > ? ORDER BY modseq LIMIT ?",
        folder_id, modseq, most + 1,
    )  # fmt: skip
    return sorted(uid for (uid,) in rows) if len(rows) <= most else None


def _marked(tx: Tx, folder_id: FolderId, reader: AccountId, modseq: int, upto: int) -> RangeSet:
    """What the reader marked or unmarked after ``modseq`` and not after ``upto``."""
    found = RangeSet()
    for at, uids in seen.log(tx, folder_id, reader):
        if modseq < at <= upto:
            found = found | uids
    return found


def _for_reader(
    tx: Tx, folder_id: FolderId, reader: AccountId, changed: list[Changed], mine: RangeSet
) -> list[Changed]:
    marks = seen.get(tx, folder_id, reader)
    told = {change.uid for change in changed}
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


def forgotten(tx: Tx, folder_id: FolderId) -> int:
    """The change number up to which tombstones were pruned."""
    found: int = tx.value("SELECT forgot_modseq FROM folder WHERE id = ?", folder_id) or 0
    return found


def _tombstones(tx: Tx, folder_id: FolderId, modseq: int, upto: int) -> list[tuple[int, int]]:
    rows = tx.all(
        "SELECT uid FROM tombstone WHERE folder_id = ? AND modseq > ? AND modseq <= ? ORDER BY uid",
        folder_id, modseq, upto,
    )  # fmt: skip
    return RangeSet.of(uid for (uid,) in rows).ranges()


def gone(
    tx: Tx, folder_id: FolderId, modseq: int, upto: int, low: int, high: int, limit: int
) -> tuple[list[Uid], int] | None:
    """Numbers from ``low`` to ``high`` that went after ``modseq`` and not after ``upto``, ascending.

    At most about ``limit``; with them the number from which to ask again, 0 when these were all.  None
    when too much was forgotten to tell: then everything that is absent must be taken as gone.
    """
    if modseq < forgotten(tx, folder_id):
        return None
    rows = tx.all(
        "SELECT uid FROM tombstone WHERE folder_id = ? AND modseq > ? AND modseq <= ?"
        " ORDER BY modseq LIMIT ?", folder_id, modseq, upto, limit + 1,
    )  # fmt: skip
    if len(rows) <= limit:
        return sorted(uid for (uid,) in rows if low <= uid <= high), 0
    rows = tx.all(  # by number; the plus keeps the index by change number out
        "SELECT uid FROM tombstone WHERE folder_id = ? AND uid BETWEEN ? AND ?"
        " AND +modseq > ? AND +modseq <= ? ORDER BY uid LIMIT ?",
        folder_id, low, high, modseq, upto, limit,
    )  # fmt: skip
    return [uid for (uid,) in rows], rows[-1][0] + 1 if len(rows) == limit else 0


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
