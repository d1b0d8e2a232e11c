"""Annotations of entries: named values on a message in a folder, shared or private to a reader (RFC 5257).

They go when the entry goes, and along when it is copied.  What they take is booked with who pays for it:
shared ones with the folder's owner, private ones with their reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quintet.errors import Reason, Refused, TryLater
from quintet.store import dialect, folders, seen
from quintet.store.db import Tx
from quintet.store.model import (
    AccountId,
    Changed,
    Copied,
    Folder,
    FolderId,
    Modseq,
    Uid,
    unpack_keywords,
)
from quintet.values import dataclass

SHARED = AccountId(0)  # reader of what all see
EVERYBODY = AccountId(-1)  # as `Along.reader`: the private ones of all
MAX_GONE = 10  # names without a value that are remembered, of one kind on one entry

Live = tuple[int, str, int, bytes]  # UID, name, reader, value


@dataclass(frozen=True, slots=True)
class Remark:
    """One value to set; None takes it away."""

    name: str
    shared: bool
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much there may be."""

    count: int  # of one kind (shared, or one reader's) on one entry
    size: int  # bytes of these
    room: int  # bytes in an account that has no quota of its own; 0: no limit


@dataclass(frozen=True, slots=True)
class Along:
    """What goes along with a copy: the shared ones, and the private ones of ``reader`` (None: nobody's)."""

    shared: bool = True
    reader: AccountId | None = None
    room: int = 0  # as `Limits.room`


def sizes(tx: Tx, folder_id: FolderId, numbers: Sequence[int], reader: AccountId) -> list[tuple[int, int]]:
    """(UID, bytes of values) of those entries on which a reader sees any, ascending."""
    if not numbers or not _any(tx, folder_id, min(numbers), max(numbers)):
        return []
    members, param = dialect.among(tx.engine, numbers)
    return tx.all(
        "SELECT uid, CAST(sum(length(value)) AS BIGINT) FROM entry_annotation WHERE folder_id = ?"
        f" AND uid {members} AND reader_id IN (0, ?) AND value IS NOT NULL GROUP BY uid ORDER BY uid",
        folder_id, param, reader,
    )  # fmt: skip


def live(tx: Tx, folder_id: FolderId, numbers: Sequence[int], reader: AccountId) -> list[Live]:
    """What a reader sees on entries, by UID and name."""
    members, param = ("= ?", numbers[0]) if len(numbers) == 1 else dialect.among(tx.engine, numbers)
    rows = tx.all(
        "SELECT uid, name, reader_id, value FROM entry_annotation WHERE folder_id = ?"
        f" AND uid {members} AND reader_id IN (0, ?) AND value IS NOT NULL ORDER BY uid, name, reader_id",
        folder_id, param, reader,
    )  # fmt: skip
    return [(uid, name, whose, bytes(value)) for uid, name, whose, value in rows]


def called(
    tx: Tx, folder_id: FolderId, name: str, reader: AccountId, low: int, high: int, most: int
) -> list[tuple[int, bytes]]:
    """(UID, value) of all of one name and one kind (`SHARED`, or a reader's) in a range, ascending.

    At most ``most`` bytes of each value.
    """
    rows = tx.all(
        "SELECT uid, substr(value, 1, ?) FROM entry_annotation WHERE folder_id = ? AND uid BETWEEN ? AND ?"
        " AND reader_id = ? AND name = ? AND value IS NOT NULL ORDER BY uid",
        most, folder_id, low, high, reader, name,
    )  # fmt: skip
    return [(uid, bytes(value)) for uid, value in rows]


def changed(tx: Tx, folder_id: FolderId, after: int, upto: int, reader: AccountId) -> dict[Uid, list[str]]:
    """Names that changed for a reader after a change number and not after ``upto``, by UID."""
    found: dict[Uid, list[str]] = {}
    for uid, name in tx.all(
        "SELECT DISTINCT uid, name FROM entry_annotation WHERE folder_id = ? AND modseq > ? AND modseq <= ?"
        " AND reader_id IN (0, ?) ORDER BY uid, name", folder_id, after, upto, reader,
    ):  # fmt: skip
        found.setdefault(uid, []).append(name)
    return found


def put(
    tx: Tx,
    folder_id: FolderId,
    numbers: Iterable[int],
    remarks: Sequence[Remark],
    reader: AccountId,
    limits: Limits,
    *,
    unchanged_since: int | None = None,
) -> tuple[list[Changed], list[Uid]]:
    """Sets the same values on entries; all of them or none.

    Returns the state after it of every entry that is there, and the numbers that were left alone because
    they changed after ``unchanged_since``, as `marking.set_flags` does.  A private remark in a folder that
    is not the reader's own is a change for this reader alone.

    Raises:
        Refused(NO_SUCH_FOLDER), Refused(TOO_MANY): more on one entry than ``limits`` let.
        TryLater(OVER_QUOTA).
    """
    folder = folders.get(tx, folder_id)
    alone = seen.is_own(folder, reader) and not any(one.shared for one in remarks)
    rows, late = _rows(tx, folder, numbers, reader, unchanged_since)
    if not rows or not remarks:
        return [], late
    uids = [row[0] for row in rows]
    written, grown = _written(tx, folder, uids, remarks, reader, limits)
    touched = sorted({row[1] for row in written})
    if touched:
        modseq = _note(tx, folder, touched, reader if alone else None)
        _write(tx, [(*row, modseq) for row in written])
        for whose, size in grown.items():
            _book(tx, folder.account_id if whose == SHARED else whose, size, limits.room)
        rows = _rows(tx, folder, uids, reader, None)[0]
    log = seen.log(tx, folder_id, reader) if seen.is_own(folder, reader) else []
    return [
        Changed(Uid(uid), flags, unpack_keywords(words), seen.modseq_of(log, uid, at))
        for uid, flags, words, at in rows
    ], late


def _rows(
    tx: Tx, folder: Folder, numbers: Iterable[int], reader: AccountId, unchanged_since: int | None
) -> tuple[list[tuple[int, int, str, int]], list[Uid]]:
    members, param = dialect.among(tx.engine, numbers)
    rows: list[tuple[int, int, str, int]] = tx.all(
        f"SELECT uid, flags, keywords, modseq FROM entry WHERE folder_id = ? AND uid {members}"
        " AND hidden = 0 ORDER BY uid", folder.id, param,
    )  # fmt: skip
    if unchanged_since is None:
        return rows, []
    mine = seen.changed_after(tx, folder.id, reader, unchanged_since) if seen.is_own(folder, reader) else None
    late = {r[0] for r in rows if r[3] > unchanged_since or (mine is not None and r[0] in mine)}
    return [row for row in rows if row[0] not in late], [Uid(uid) for uid in sorted(late)]


def _written(
    tx: Tx,
    folder: Folder,
    uids: Sequence[int],
    remarks: Sequence[Remark],
    reader: AccountId,
    limits: Limits,
) -> tuple[list[tuple[FolderId, int, AccountId, str, bytes | None]], dict[AccountId, int]]:
    """Rows to write, and how many bytes more each kind takes; what is not there is not taken away."""
    members, param = dialect.among(tx.engine, uids)
    there: dict[tuple[int, AccountId], dict[str, int]] = {}
    for uid, whose, name, size in tx.all(
        "SELECT uid, reader_id, name, length(value) FROM entry_annotation WHERE folder_id = ?"
        f" AND uid {members} AND reader_id IN (0, ?) AND value IS NOT NULL", folder.id, param, reader,
    ):  # fmt: skip
        there.setdefault((uid, AccountId(whose)), {})[name] = size + len(name)
    written, grown = [], {SHARED: 0, reader: 0}
    for uid in uids:
        for whose in (SHARED, reader):
            before = there.get((uid, whose), {})
            after = dict(before)
            for one in remarks:
                if one.shared != (whose == SHARED) or (one.value is None and one.name not in after):
                    continue
                after.pop(one.name, None)
                if one.value is not None:
                    after[one.name] = len(one.value) + len(one.name)
                written.append((folder.id, uid, whose, one.name, one.value))
            size, grew = sum(after.values()), sum(after.values()) - sum(before.values())
            if (len(after) > max(limits.count, len(before))) or (grew > 0 and size > limits.size):
                raise Refused(Reason.TOO_MANY, "too many annotations of one message")
            grown[whose] += grew
    return written, grown


def _note(tx: Tx, folder: Folder, uids: Sequence[int], alone: AccountId | None) -> Modseq:
    """The change number of a change to entries, for all or for one reader ``alone``."""
    if alone is not None:
        return seen.note(tx, folder, alone, uids)
    modseq = folders.book(tx, folder.account_id, 0, 0)
    tx.many(
        "UPDATE entry SET modseq = ? WHERE folder_id = ? AND uid = ?",
        [(modseq, folder.id, uid) for uid in uids],
    )
    folders.stir(tx, folder.id, modseq)
    tx.hint(folder.account_id, folder.id)
    return modseq


def _write(tx: Tx, rows: Sequence[tuple[FolderId, int, AccountId, str, bytes | None, int]]) -> None:
    tx.many(
        "INSERT INTO entry_annotation (folder_id, uid, reader_id, name, value, modseq)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (folder_id, uid, reader_id, name)"
        " DO UPDATE SET value = excluded.value, modseq = excluded.modseq",
        rows,
    )
    for folder_id, uid, whose in {row[:3] for row in rows if row[4] is None}:
        tx.run(
            "DELETE FROM entry_annotation WHERE folder_id = ? AND uid = ? AND reader_id = ? AND name IN"
            " (SELECT name FROM entry_annotation WHERE folder_id = ? AND uid = ? AND reader_id = ?"
            " AND value IS NULL ORDER BY modseq DESC, name LIMIT 100000 OFFSET ?)",
            folder_id, uid, whose, folder_id, uid, whose, MAX_GONE,
        )  # fmt: skip


def _book(tx: Tx, account_id: AccountId, size: int, room: int) -> None:
    """Raises TryLater(OVER_QUOTA): it grew beyond what the account may hold."""
    if not size:
        return
    row = tx.one(
        "UPDATE account SET used_remarks = used_remarks + ? WHERE id = ?"
        " RETURNING used_remarks, quota_remarks", size, account_id,
    )  # fmt: skip
    if row is not None and size > 0 and 0 < (row[1] or room) < row[0]:
        raise TryLater(Reason.OVER_QUOTA, "no room for annotations")


# --- with their entries -----------------------------------------------------------------------------


def held(tx: Tx, folder_id: FolderId, numbers: Sequence[int], along: Along) -> list[Live]:
    """What goes along with copies of these entries."""
    if not _any(tx, folder_id):
        return []
    members, param = dialect.among(tx.engine, numbers)
    kinds = [f"reader_id = {SHARED}"] if along.shared else []
    if along.reader is not None:
        kinds.append("reader_id <> 0" if along.reader == EVERYBODY else f"reader_id = {along.reader:d}")
    if not kinds:
        return []
    rows = tx.all(
        f"SELECT uid, name, reader_id, value FROM entry_annotation WHERE folder_id = ? AND uid {members}"
        f" AND value IS NOT NULL AND ({' OR '.join(kinds)}) ORDER BY uid", folder_id, param,
    )  # fmt: skip
    return [(uid, name, whose, bytes(value)) for uid, name, whose, value in rows]


def hand_over(tx: Tx, target: Folder, pairs: Iterable[Copied], kept: Sequence[Live], room: int = 0) -> None:
    """Puts what was `held` on the copies.  Raises TryLater(OVER_QUOTA) where ``room`` is a limit."""
    if not kept:
        return
    modseq = tx.value("SELECT highest_modseq FROM folder WHERE id = ?", target.id)
    numbers = {pair.source_uid: pair.target_uid for pair in pairs}
    rows = [
        (target.id, numbers[Uid(uid)], AccountId(whose), name, value, modseq)
        for uid, name, whose, value in kept
        if uid in numbers
    ]
    _write(tx, rows)
    taken: dict[AccountId, int] = {}
    for _, _, whose, name, value, _ in rows:
        payer = target.account_id if whose == SHARED else whose
        taken[payer] = taken.get(payer, 0) + len(name) + len(value)
    for payer, size in taken.items():
        _book(tx, payer, size, room)


def forget(tx: Tx, folder: Folder, numbers: Sequence[int] | None = None) -> None:
    """Takes away all of entries that go; without ``numbers`` of a whole folder."""
    if not _any(tx, folder.id):
        return
    where = "folder_id = ?"
    params: list[object] = [folder.id]
    if numbers is not None:
        members, param = dialect.among(tx.engine, numbers)
        where += f" AND uid {members}"
        params.append(param)
    taken = tx.all(
        "SELECT reader_id, CAST(sum(length(value) + length(name)) AS BIGINT) FROM entry_annotation"
        f" WHERE {where} AND value IS NOT NULL GROUP BY reader_id", *params,
    )  # fmt: skip
    tx.run(f"DELETE FROM entry_annotation WHERE {where}", *params)
    for whose, size in taken:
        _book(tx, folder.account_id if whose == SHARED else AccountId(whose), -size, 0)


def leave(tx: Tx, reader: AccountId) -> None:
    """Takes away the private ones of an account that goes."""
    tx.run("DELETE FROM entry_annotation WHERE reader_id = ? AND reader_id <> 0", reader)


def _any(tx: Tx, folder_id: FolderId, low: int = 0, high: int = 1 << 40) -> bool:
    sql = "SELECT 1 FROM entry_annotation WHERE folder_id = ? AND uid BETWEEN ? AND ? LIMIT 1"
    return tx.one(sql, folder_id, low, high) is not None
