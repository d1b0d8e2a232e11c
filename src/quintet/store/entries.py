"""Entries: reading a folder, in the shapes that listings need.

Putting in, marking and taking away live in `filing`, `marking` and `moving`; their functions are
reached from here, so that a caller knows one name: ``entries.add``, ``entries.set_flags``.

Every range is (low, high), inclusive; every listing ascends by number.
"""

from __future__ import annotations

import functools
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from quintet.errors import Reason, Refused
from quintet.message.digest import Digest
from quintet.store import dialect, folders, history, ondemand
from quintet.store.db import Tx
from quintet.store.filing import add as add  # noqa: PLC0414 (part of this module's face)
from quintet.store.marking import set_flags as set_flags  # noqa: PLC0414 (the same)
from quintet.store.marking import states as states  # noqa: PLC0414 (the same)
from quintet.store.model import (
    AccountId,
    BodyRef,
    Changed,
    Entry,
    EntryId,
    FolderId,
    MessageId,
    Modseq,
    Uid,
    text_key,
    unpack_keywords,
)
from quintet.store.moving import copy as copy  # noqa: PLC0414 (the same)
from quintet.store.moving import expunge as expunge  # noqa: PLC0414 (the same)
from quintet.store.moving import move as move  # noqa: PLC0414 (the same)
from quintet.store.moving import replace_content as replace_content  # noqa: PLC0414 (the same)
from quintet.store.ranges import counted

COLUMNS = (
    "id, folder_id, uid, message_id, received_at, saved_at, flags, keywords, size, modseq, created_modseq"
)

LINE_COLUMNS = {
    "uid": "e.uid",
    "flags": "e.flags",  # bit mask, model.SEEN...
    "keywords": "e.keywords",  # packed: model.unpack_keywords
    "modseq": "e.modseq",
    "received_at": "e.received_at",
    "saved_at": "e.saved_at",
    "size": "e.size",  # prefix and blob
    "entry_id": "e.id",
    "message_row": "e.message_id",  # EMAILID
    "created_modseq": "e.created_modseq",
    "content_modseq": "e.content_modseq",
    "read_modseq": "e.read_modseq",
    "envelope": "m.envelope",
    "bodystructure": "m.bodystructure",
    "body": "m.body",
    "overview": "m.overview",  # Subject TAB ... TAB size TAB lines [TAB Xref: ...], no number, no CRLF
    "lines": "m.lines",
    "sent_at": "m.sent_at",  # None: use received_at
    "thread_key": "m.thread_key",
    "from_mailbox": "m.from_mailbox",
    "to_mailbox": "m.to_mailbox",
    "cc_mailbox": "m.cc_mailbox",
    "from_display": "m.from_display",
    "to_display": "m.to_display",
    "base_subject": "m.base_subject",
    "is_reply": "m.is_reply",
    "message_id": "m.message_id",  # text, with angle brackets, "" when absent
    "references": "m.refs",  # ids between spaces, oldest first
    "prefix": "m.prefix",
    "blob_id": "m.blob_id",
    ondemand.MARK: "length(m.envelope)",
}
"""What `lines` can read; ready octets are bytes."""

LINE = ("uid", "flags", "keywords", "modseq", "received_at", "size", "envelope", "bodystructure")

BODIES_LIMIT = 1024 * 1024  # bytes of small bodies that one `bodies` reads along


def get(tx: Tx, folder_id: FolderId, uid: Uid) -> Entry:
    """Raises Refused(NO_SUCH_MESSAGE)."""
    row = tx.one(f"SELECT {COLUMNS} FROM entry WHERE folder_id = ? AND uid = ?", folder_id, uid)
    if row is None:
        raise Refused(Reason.NO_SUCH_MESSAGE)
    return _entry(row)


def by_id(tx: Tx, entry_id: EntryId) -> Entry:
    """By its 48-bit number.  Raises Refused(NO_SUCH_MESSAGE)."""
    row = tx.one(f"SELECT {COLUMNS} FROM entry WHERE id = ?", entry_id)
    if row is None:
        raise Refused(Reason.NO_SUCH_MESSAGE)
    return _entry(row)


def listing(tx: Tx, folder_id: FolderId, low: int = 1, high: int = 1 << 40, limit: int = 500) -> list[Entry]:
    rows = tx.all(
        f"SELECT {COLUMNS} FROM entry WHERE folder_id = ? AND uid BETWEEN ? AND ? AND hidden = 0"
        " ORDER BY uid LIMIT ?", folder_id, low, high, limit,
    )  # fmt: skip
    return [_entry(row) for row in rows]


def uids(tx: Tx, folder_id: FolderId, low: int = 1, high: int = 1 << 40) -> array[int]:
    """All numbers in a range, ascending, 4 bytes each; for a large folder in a reader thread.

    Where fewer numbers are missing than present, the missing ones are read instead: a folder of a
    million entries without many holes costs a few milliseconds, one full of holes 0.2 us an entry.
    """
    folder = folders.get(tx, folder_id)
    last = folder.uid_next - 1
    if low <= 1 and high >= last and folder.messages * 2 > last:
        gone = tx.all("SELECT uid FROM tombstone WHERE folder_id = ? ORDER BY uid", folder_id)
        # pruned tombstones and hidden entries leave holes that nobody wrote down: then it must be a scan
        if last - len(gone) == folder.messages:
            return _without(last, [uid for (uid,) in gone])
    found = array("I")
    numbers = dialect.joined_numbers(tx.engine, "uid")
    while True:
        # as one text for many: no tuple and no number object for each
        row = tx.one(
            f"SELECT {numbers}, count(*), max(uid) FROM (SELECT uid FROM entry WHERE folder_id = ?"
            " AND uid BETWEEN ? AND ? AND hidden = 0 ORDER BY uid LIMIT 10000) AS page",
            folder_id, low, high,
        )  # fmt: skip
        assert row is not None
        if row[1]:
            found.extend(map(int, row[0].split(",")))
        if row[1] < 10000:
            return found
        low = row[2] + 1


def _without(last: int, gone: list[int]) -> array[int]:
    """The numbers from 1 to ``last`` but those in ``gone``."""
    found = array("I")
    start = 1
    for uid in [*gone, last + 1]:
        if uid > start:
            found += counted(start, uid - 1)
        start = uid + 1
    return found


def count(tx: Tx, folder_id: FolderId, low: int = 1, high: int = 1 << 40) -> int:
    """How many entries a range has; for a whole folder see `Folder.messages`, which costs nothing."""
    return int(
        tx.value(
            "SELECT count(*) FROM entry WHERE folder_id = ? AND uid BETWEEN ? AND ? AND hidden = 0",
            folder_id, low, high,
        )
    )  # fmt: skip


def neighbour(tx: Tx, folder_id: FolderId, uid: int, *, after: bool) -> Uid | None:
    """The next (or the last) number that is present (RFC 3977 6.1.3, 6.1.4)."""
    sign, order = (">", "ASC") if after else ("<", "DESC")
    found = tx.value(
        f"SELECT uid FROM entry WHERE folder_id = ? AND uid {sign} ? AND hidden = 0"
        f" ORDER BY uid {order} LIMIT 1",
        folder_id, uid,
    )  # fmt: skip
    return None if found is None else Uid(found)


def state(
    tx: Tx, folder_id: FolderId, low: int = 1, high: int = 1 << 40, limit: int = 500
) -> list[tuple[int, int, str, int]]:
    """(uid, flags, packed keywords, modseq) of a range."""
    return tx.all(
        "SELECT uid, flags, keywords, modseq FROM entry WHERE folder_id = ? AND uid BETWEEN ? AND ?"
        " AND hidden = 0 ORDER BY uid LIMIT ?", folder_id, low, high, limit,
    )  # fmt: skip


def changed(row: tuple[int, int, str, int]) -> Changed:
    """A row of `state` as a value."""
    return Changed(Uid(row[0]), row[1], unpack_keywords(row[2]), Modseq(row[3]))


@functools.lru_cache(maxsize=256)
def _lines_sql(columns: tuple[str, ...], where: str) -> str:
    picked = [LINE_COLUMNS[name] for name in columns]
    join = " JOIN message m ON m.id = e.message_id" if any(c.startswith("m.") for c in picked) else ""
    return (
        f"SELECT {', '.join(picked)} FROM entry e{join} WHERE e.folder_id = ? AND {where} AND e.hidden = 0"
        " ORDER BY e.uid"
    )


def lines(
    tx: Tx,
    folder_id: FolderId,
    low: int,
    high: int,
    limit: int = 500,
    columns: tuple[str, ...] = LINE,
) -> list[tuple[Any, ...]]:
    """Rows of a range as tuples of the asked ``columns`` (names of `LINE_COLUMNS`)."""
    return ondemand.rows(tx, columns, functools.partial(_read, tx, folder_id, low, high, limit))


def _read(
    tx: Tx, folder_id: FolderId, low: int, high: int, limit: int, columns: tuple[str, ...]
) -> list[tuple[Any, ...]]:
    sql = _lines_sql(columns, "e.uid BETWEEN ? AND ?") + " LIMIT ?"
    return tx.all(sql, folder_id, low, high, limit)


def lines_where(
    tx: Tx,
    folder_id: FolderId,
    low: int,
    high: int,
    limit: int,
    columns: tuple[str, ...],
    condition: tuple[str, list[int | str]],
) -> list[tuple[Any, ...]]:
    """As `lines`, of what meets an SQL ``condition`` (on the entry as ``e``, and its parameters)."""

    def read(names: tuple[str, ...]) -> list[tuple[Any, ...]]:
        sql = _lines_sql(names, f"e.uid BETWEEN ? AND ? AND ({condition[0]})") + " LIMIT ?"
        return tx.all(sql, folder_id, low, high, *condition[1], limit)

    return ondemand.rows(tx, columns, read)


def keyworded(
    tx: Tx, folder_id: FolderId, words: Sequence[str], limit: int, columns: tuple[str, ...]
) -> list[tuple[Any, ...]]:
    """As `lines`, of entries with one of some keywords (lower case); costs what has any keyword at all."""
    wanted = " OR ".join(["' ' || lower(e.keywords) || ' ' LIKE ?"] * len(words))

    def read(names: tuple[str, ...]) -> list[tuple[Any, ...]]:
        sql = _lines_sql(names, f"e.keywords <> '' AND e.keywords > '' AND ({wanted})")
        # the plus keeps SQLite from walking through the folder instead of the index
        sql = sql.replace("ORDER BY e.uid", "ORDER BY +e.uid") + " LIMIT ?"
        return tx.all(sql, folder_id, *[f"% {word} %" for word in words], limit)

    return ondemand.rows(tx, columns, read)


def uids_where(
    tx: Tx, folder_id: FolderId, low: int, high: int, condition: tuple[str, list[int | str]]
) -> array[int]:
    """The numbers in a range that meet a condition, ascending; about 0.2 us an entry of the range."""
    row = tx.one(
        f"SELECT {dialect.joined_numbers(tx.engine, 'uid')} FROM (SELECT e.uid FROM entry e"
        f" WHERE e.folder_id = ? AND e.uid BETWEEN ? AND ? AND e.hidden = 0 AND ({condition[0]})"
        " ORDER BY e.uid) AS page",
        folder_id, low, high, *condition[1],
    )  # fmt: skip
    return array("I", map(int, row[0].split(","))) if row is not None and row[0] else array("I")


def of_messages(tx: Tx, folder_id: FolderId, rows: Sequence[int], above: int, most: int) -> list[Uid] | None:
    """Numbers of a folder's entries with one of the message ``rows``, or with one ``above``; ascending.

    None where more than ``most`` messages anywhere are above.
    """
    # the plus keeps SQLite from walking through the folder
    late = tx.all(
        "SELECT folder_id, uid FROM entry WHERE message_id > ? ORDER BY message_id LIMIT ?", above, most + 1
    )
    if len(late) > most:
        return None
    members, param = dialect.among(tx.engine, rows)
    known = tx.all(f"SELECT uid FROM entry WHERE message_id {members} AND +folder_id = ?", param, folder_id)
    return sorted({uid for (uid,) in known} | {uid for folder, uid in late if folder == folder_id})


def lines_of(
    tx: Tx, folder_id: FolderId, numbers: Iterable[int], columns: tuple[str, ...] = LINE
) -> list[tuple[Any, ...]]:
    """The same for a set of numbers; those that are not there are left out."""
    members, param = dialect.among(tx.engine, numbers)
    return ondemand.rows(
        tx, columns, lambda names: tx.all(_lines_sql(names, f"e.uid {members}"), folder_id, param)
    )


@functools.lru_cache(maxsize=256)
def _whole_sql(columns: tuple[str, ...]) -> str:
    picked = ", ".join((*(LINE_COLUMNS[name] for name in columns), *WHOLE))
    return (
        f"SELECT {picked} FROM entry e JOIN message m ON m.id = e.message_id"
        " LEFT JOIN blob b ON b.id = m.blob_id"
        " WHERE e.folder_id = ? AND e.uid BETWEEN ? AND ? AND e.hidden = 0 ORDER BY e.uid LIMIT ?"
    )


_BODY = (
    "SELECT e.uid, m.blob_id, m.prefix, m.size, b.dotless, b.sha256, b.place"
    " FROM entry e JOIN message m ON m.id = e.message_id LEFT JOIN blob b ON b.id = m.blob_id"
    " WHERE e.folder_id = ? AND "
)


def body_ref(tx: Tx, folder_id: FolderId, uid: Uid) -> BodyRef:
    """Where the bytes of an entry are.  Raises Refused(NO_SUCH_MESSAGE)."""
    row = tx.one(_BODY + "e.uid = ?", folder_id, uid)
    if row is None:
        raise Refused(Reason.NO_SUCH_MESSAGE)
    return _ref(row, None)


def body_refs(tx: Tx, folder_id: FolderId, numbers: Sequence[int]) -> dict[Uid, BodyRef]:
    """The same for many; what is not there is left out."""
    members, param = dialect.among(tx.engine, numbers)
    rows = tx.all(_BODY + f"e.uid {members} ORDER BY e.uid", folder_id, param)
    return {row[0]: _ref(row, None) for row in rows}


def bodies(
    tx: Tx, folder_id: FolderId, numbers: Sequence[int], limit: int = BODIES_LIMIT
) -> dict[Uid, BodyRef]:
    """The same, with the bytes of small bodies read along, up to ``limit`` bytes in all.

    What lies beyond the limit, or beside the database, comes without ``data``.
    """
    if len(numbers) == 1:
        row = tx.one(_BODY.replace(" FROM", ", b.data FROM", 1) + "e.uid = ?", folder_id, numbers[0])
        return {} if row is None else {row[0]: _ref(row, row[7])}
    members, param = dialect.among(tx.engine, numbers)
    found: dict[Uid, BodyRef] = {}
    sql = _BODY.replace(" FROM", ", b.data FROM", 1) + f"e.uid {members} ORDER BY e.uid"
    total = 0
    for row in tx.rows(sql, folder_id, param):
        total += row[3]
        if total > limit and found:
            break
        found[row[0]] = _ref(row, row[7])
    if len(found) < len(numbers):
        rest = [uid for uid in numbers if uid not in found]
        found.update(body_refs(tx, folder_id, rest))
    return found


WHOLE = ("m.blob_id", "m.prefix", "m.size", "b.dotless", "b.sha256", "b.place", "b.data")


def whole(
    tx: Tx, folder_id: FolderId, low: int, high: int, limit: int, columns: tuple[str, ...], room: int
) -> tuple[list[tuple[Any, ...]], int]:
    """Rows of a range as `lines` gives them, with those of `WHOLE` behind; and what is left of ``room``.

    Stops when ``room`` bytes of bodies were read along.  Bodies beside the database come without data.
    """
    found: list[tuple[Any, ...]] = []
    names = (*columns, ondemand.MARK) if ondemand.mark(columns) == len(columns) else columns
    for row in tx.rows(_whole_sql(names), folder_id, low, high, limit):
        found.append(row)
        if row[-1] is not None:
            room -= len(row[-1])
            if room <= 0:
                break
    return ondemand.finished(
        tx, columns, found, functools.partial(_read, tx, folder_id, low, high, limit)
    ), room


def message_body(tx: Tx, message_row: MessageId) -> BodyRef:
    """The bytes of a message, whether or not it (still) has an entry.  Raises Refused(NO_SUCH_MESSAGE)."""
    row = tx.one(
        "SELECT 0, m.blob_id, m.prefix, m.size, b.dotless, b.sha256, b.place"
        " FROM message m LEFT JOIN blob b ON b.id = m.blob_id WHERE m.id = ?", message_row,
    )  # fmt: skip
    if row is None:
        raise Refused(Reason.NO_SUCH_MESSAGE)
    return _ref(row, None)


def _ref(row: tuple[Any, ...], data: bytes | None) -> BodyRef:
    if row[1] is None:
        return BodyRef(None, row[2], row[3], True, b"", True, b"")
    return BodyRef(row[1], row[2], row[3], bool(row[4]), row[5], not row[6], data)


_DIGEST = "SELECT b.digest, CASE WHEN length(b.digest) = 0 THEN b.data END"


def digest(tx: Tx, message_row: MessageId) -> Digest:
    """What a scan of the message's blob found; offsets are of the blob, without the prefix.

    Raises:
        Refused(NO_SUCH_MESSAGE): gone, or an item without MIME.
        ValueError: of another version; `digests.rebuild` scans again.
    """
    row = tx.one(f"{_DIGEST} FROM message m JOIN blob b ON b.id = m.blob_id WHERE m.id = ?", message_row)
    if row is None:
        raise Refused(Reason.NO_SUCH_MESSAGE)
    return ondemand.digest(*row)


def digests(tx: Tx, folder_id: FolderId, numbers: Sequence[int]) -> dict[Uid, Digest]:
    """Of many entries, by ascending numbers; for searches in headers."""
    members, params = dialect.numbered(tx.engine, numbers)
    rows = tx.rows(
        f"{_DIGEST}, e.uid FROM entry e JOIN message m ON m.id = e.message_id"
        f" JOIN blob b ON b.id = m.blob_id WHERE e.folder_id = ? AND e.uid {members} ORDER BY e.uid",
        folder_id, *params,
    )  # fmt: skip
    return {uid: ondemand.digest(packed, data) for packed, data, uid in rows}


def by_message_id(tx: Tx, account_id: AccountId | None, message_id: str) -> list[Entry]:
    """Every entry whose Message-ID is that text (with angle brackets), in one account or all."""
    columns = ", ".join(f"e.{name}" for name in COLUMNS.split(", "))
    sql = (
        f"SELECT {columns} FROM message m JOIN entry e ON e.message_id = m.id"
        # an article has no key until it is rendered
        " WHERE (m.message_key = ? OR m.id = (SELECT id FROM history WHERE key = ? AND gone = 0))"
        " AND m.message_id = ? AND e.hidden = 0"
    )
    words = text_key(message_id), history.key(message_id), message_id
    if account_id is None:
        return [_entry(row) for row in tx.all(sql + " ORDER BY e.id", *words)]
    sql += " AND e.folder_id IN (SELECT id FROM folder WHERE account_id = ?) ORDER BY e.id"
    return [_entry(row) for row in tx.all(sql, *words, account_id)]


def places(tx: Tx, message_row: MessageId) -> list[tuple[FolderId, Uid]]:
    """Where a message is filed."""
    rows = tx.all(
        "SELECT folder_id, uid FROM entry WHERE message_id = ? AND hidden = 0 ORDER BY folder_id, uid",
        message_row,
    )
    return [(folder_id, uid) for folder_id, uid in rows]


def received_before(tx: Tx, folder_id: FolderId, before: int, limit: int = 1000) -> list[Uid]:
    """The lowest numbers that arrived before a time, for expiry; stops at the first that is younger."""
    found = []
    for uid, at in tx.rows(
        "SELECT uid, received_at FROM entry WHERE folder_id = ? ORDER BY uid LIMIT ?", folder_id, limit
    ):
        if at >= before:
            break
        found.append(uid)
    return found


def last_until(tx: Tx, folder_id: FolderId, until: int) -> int:
    """The highest number that arrived until a time; 0 when there is none."""
    found = tx.value(
        "SELECT uid FROM entry WHERE folder_id = ? AND received_at <= ? ORDER BY uid DESC LIMIT 1",
        folder_id, until,
    )  # fmt: skip
    return int(found or 0)


def _entry(row: tuple[Any, ...]) -> Entry:
    ids, arrived, rest = row[:4], row[4:7], row[8:]
    return Entry(
        ids[0], ids[1], ids[2], ids[3], arrived[0], arrived[1], arrived[2], unpack_keywords(row[7]), *rest
    )
