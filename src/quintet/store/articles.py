"""Articles and groups in the shapes that news readers ask for, each in one query.

What changes a group is in `groups`; here is only reading: an article with its id and bytes, the facts
by which a copy of a group's overview is known to be good, what changed in the list of groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quintet.message.digest import Digest
from quintet.store import folders, history, ondemand
from quintet.store.db import Tx, single
from quintet.store.model import NEWS, BodyRef, Folder, FolderId, MessageId, Modseq, Uid
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Article:
    """One article, ready to be sent."""

    uid: Uid  # 0 when it was asked for by its Message-ID
    message_row: MessageId
    message_id: str  # with angle brackets; "" when it has none
    body: BodyRef  # with data when that is small
    packed: bytes  # digest of the blob, as it is stored

    @property
    def digest(self) -> Digest | None:
        """What a scan found in the blob: where the header ends; None for an item without MIME."""
        return None if self.body.blob_id is None else ondemand.digest(self.packed, self.body.data)


@dataclass(frozen=True, slots=True)
class Facts:
    """What tells whether something remembered of a folder still holds."""

    uid_next: int
    low: int
    messages: int

    @property
    def gone(self) -> int:
        """How many numbers were given out and have no entry (any more); it never goes down."""
        return self.uid_next - 1 - self.messages


_COLUMNS = (
    "m.id, m.message_id, m.blob_id, m.prefix, m.size, b.dotless, b.sha256, b.place, b.data, b.digest"
    " FROM message m LEFT JOIN blob b ON b.id = m.blob_id"
)
_BY_NUMBER = (
    f"SELECT e.uid, {_COLUMNS} JOIN entry e ON e.message_id = m.id WHERE e.folder_id = ? AND e.hidden = 0"
)


@single
def facts(tx: Tx, folder_id: FolderId) -> Facts | None:
    """None for a folder that is gone."""
    row = tx.one("SELECT uid_next, low, messages FROM folder WHERE id = ?", folder_id)
    return None if row is None else Facts(*row)


def count(tx: Tx, folder_id: FolderId, low: int, high: int) -> int:
    """How many articles a range of numbers has."""
    found: int = tx.value(
        "SELECT count(*) FROM entry WHERE folder_id = ? AND uid BETWEEN ? AND ? AND hidden = 0",
        folder_id, low, high,
    )  # fmt: skip
    return found


def article(tx: Tx, folder_id: FolderId, uid: int) -> Article | None:
    """By its number."""
    row = tx.one(_BY_NUMBER + " AND e.uid = ?", folder_id, uid)
    return None if row is None else _article(row)


def following(tx: Tx, folder_id: FolderId, uid: int, count: int, limit: int) -> list[Article]:
    """Up to ``count`` articles from number ``uid`` on, until they hold ``limit`` bytes."""
    found: list[Article] = []
    total = 0
    rows = tx.rows(_BY_NUMBER + " AND e.uid >= ? ORDER BY e.uid LIMIT ?", folder_id, uid, count)
    for row in rows:
        found.append(_article(row))
        total += row[5]
        if total >= limit:
            break
    return found


def by_message_id(tx: Tx, message_id: str) -> Article | None:
    """The article of that Message-ID, if it was filed in a group and is still there."""
    row = tx.one(
        f"SELECT 0, {_COLUMNS} WHERE m.id = (SELECT id FROM history WHERE key = ? AND gone = 0)",
        history.key(message_id),
    )
    return None if row is None else _article(row)


Packed = tuple[MessageId, str, bytes, int, bytes | None]
"""Row, Message-ID, prefix, whether dotless, the blob's bytes; None: they are in a file, or not asked for."""


def packed(tx: Tx, folder_id: FolderId, numbers: Sequence[int], *, bodies: bool) -> dict[int, Packed]:
    """Some articles by number, at most a few dozen; those that are not there are left out."""
    columns, join = _packed(bodies)
    rows = tx.rows(
        f"SELECT e.uid, {columns} FROM entry e JOIN message m ON m.id = e.message_id {join}"
        f" WHERE e.folder_id = ? AND e.hidden = 0 AND e.uid IN ({_places(len(numbers))})",
        folder_id, *sorted(numbers),
    )  # fmt: skip
    return {row[0]: row[1:] for row in rows}


def packed_by_id(tx: Tx, message_ids: Sequence[str], *, bodies: bool) -> dict[str, Packed]:
    """Some articles by Message-ID; only those that are in a group."""
    columns, join = _packed(bodies)
    names = {history.key(one): one for one in message_ids}
    rows = tx.rows(
        f"SELECT h.key, {columns} FROM history h JOIN message m ON m.id = h.id {join}"
        f" WHERE h.key IN ({_places(len(names))}) AND h.gone = 0 AND EXISTS (SELECT 1 FROM entry e"
        " JOIN folder f ON f.id = e.folder_id WHERE e.message_id = m.id AND e.hidden = 0"
        " AND f.kind = 'group')", *names,
    )  # fmt: skip
    return {names[row[0]]: row[1:] for row in rows}


def _places(count: int) -> str:
    """Placeholders; a list of them costs a third less than `dialect.among` where it is short."""
    return ", ".join("?" * count)


def _packed(bodies: bool) -> tuple[str, str]:
    """Columns of `Packed`, and the join that they need."""
    if not bodies:
        return "m.id, m.message_id, m.prefix, 1, NULL", ""
    return "m.id, m.message_id, m.prefix, b.dotless, b.data", "LEFT JOIN blob b ON b.id = m.blob_id"


def by_row(tx: Tx, message_row: MessageId) -> Article | None:
    """One article by the row of its message."""
    row = tx.one(f"SELECT 0, {_COLUMNS} WHERE m.id = ?", message_row)
    return None if row is None else _article(row)


def groups_of(tx: Tx, message_row: MessageId) -> list[FolderId]:
    """The groups where a message is filed."""
    rows = tx.all(
        "SELECT e.folder_id FROM entry e JOIN folder f ON f.id = e.folder_id"
        " WHERE e.message_id = ? AND e.hidden = 0 AND f.kind = 'group' ORDER BY e.folder_id", message_row,
    )  # fmt: skip
    return [FolderId(number) for (number,) in rows]


def named_groups_of(tx: Tx, message_row: MessageId) -> list[tuple[FolderId, str]]:
    """The same with their names."""
    rows = tx.all(
        "SELECT e.folder_id, f.name FROM entry e JOIN folder f ON f.id = e.folder_id"
        " WHERE e.message_id = ? AND e.hidden = 0 AND f.kind = 'group' ORDER BY e.folder_id", message_row,
    )  # fmt: skip
    return [(FolderId(number), name) for number, name in rows]


def id_of(tx: Tx, folder_id: FolderId, uid: int) -> str | None:
    """The Message-ID of a number ("" when it has none); None when there is no such number."""
    found: str | None = tx.value(
        "SELECT m.message_id FROM entry e JOIN message m ON m.id = e.message_id"
        " WHERE e.folder_id = ? AND e.uid = ? AND e.hidden = 0", folder_id, uid,
    )  # fmt: skip
    return found


def headers(
    tx: Tx, folder_id: FolderId, low: int, high: int, limit: int
) -> list[tuple[int, bytes, Digest | None]]:
    """(number, prefix, digest) of a range, for header fields that no overview holds."""
    rows = tx.all(
        "SELECT e.uid, m.prefix, b.digest, CASE WHEN length(b.digest) = 0 THEN b.data END"
        " FROM entry e JOIN message m ON m.id = e.message_id"
        " LEFT JOIN blob b ON b.id = m.blob_id"
        " WHERE e.folder_id = ? AND e.uid BETWEEN ? AND ? AND e.hidden = 0 ORDER BY e.uid LIMIT ?",
        folder_id, low, high, limit,
    )  # fmt: skip
    return [
        (uid, prefix, None if packed is None else ondemand.digest(packed, data))
        for uid, prefix, packed, data in rows
    ]


def news_modseq(tx: Tx) -> Modseq:
    """Moves with every change of any group; 0 when there are none."""
    return Modseq(tx.value("SELECT modseq FROM account WHERE name = ?", NEWS) or 0)


def changed_groups(tx: Tx, since: int) -> tuple[list[Folder], list[FolderId]]:
    """Groups that changed (counts, status, name) after a change number, and those that are gone since."""
    account_id = tx.value("SELECT id FROM account WHERE name = ?", NEWS)
    if account_id is None:
        return [], []
    rows = tx.all(
        f"SELECT {folders.COLUMNS} FROM folder"
        " WHERE account_id = ? AND kind = 'group' AND highest_modseq > ?", account_id, since,
    )  # fmt: skip
    gone = tx.all(
        "SELECT folder_id FROM folder_tombstone WHERE account_id = ? AND modseq > ?", account_id, since
    )
    return [Folder(*row) for row in rows], [FolderId(number) for (number,) in gone]


def restricted_groups(tx: Tx) -> frozenset[FolderId]:
    """Groups that have access rows, so that not everybody has the same rights there."""
    # the left side of a CROSS JOIN is read first: few rows of access, not all groups
    rows = tx.all(
        "SELECT DISTINCT a.folder_id FROM access a CROSS JOIN folder f"
        " WHERE f.id = a.folder_id AND f.kind = 'group'"
    )
    return frozenset(FolderId(number) for (number,) in rows)


def _article(row: tuple[Any, ...]) -> Article:
    uid, message_row, message_id, blob_id, prefix, size, dotless, sha256, place, data, digest = row
    if blob_id is None:
        return Article(uid, message_row, message_id, BodyRef(None, prefix, size, True, b"", True, b""), b"")
    body = BodyRef(blob_id, prefix, size, bool(dotless), sha256, not place, data)
    return Article(uid, message_row, message_id, body, digest)
