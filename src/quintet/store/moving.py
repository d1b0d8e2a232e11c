"""Moving: copy, move, expunge, and giving an entry new content.

Copies share the message and its bytes.  Numbers are never used twice; what went leaves a tombstone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from quintet.errors import Reason, Refused, TryLater
from quintet.store import dialect, entry_annotations, filing, folders, history, keeping, props, seen
from quintet.store.content import Content
from quintet.store.db import Tx
from quintet.store.entry_annotations import Along
from quintet.store.model import (
    ALL_FLAGS,
    DELETED,
    MAX_UID,
    SEEN,
    AccountId,
    Added,
    Copied,
    EntryId,
    Folder,
    FolderId,
    FolderKind,
    Modseq,
    Uid,
)
from quintet.store.ranges import RangeSet

_COPIED = "uid, flags, keywords, size, received_at, message_id, id"
ALONG = Along()  # what goes along where nobody says otherwise
_INSERT = (
    "INSERT INTO entry (folder_id, uid, flags, keywords, size, received_at, modseq, message_id, id, saved_at,"
    " content_modseq, read_modseq, created_modseq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def copy(
    tx: Tx,
    folder_id: FolderId,
    numbers: Iterable[int],
    target: FolderId,
    *,
    reader: AccountId | None = None,
    taker: AccountId | None = None,
    flags: int = ALL_FLAGS,
    keywords: bool = True,
    along: Along = ALONG,
) -> list[Copied]:
    """Copies entries into ``target``; all of them or none.

    The new entries share their messages (and bytes) with the old ones; flags, keywords and the time of
    arrival go along.  \\Seen is that of ``reader`` where it is the reader's own, and becomes ``taker``'s own
    mark in a target where it is that.  ``flags`` are bits that go along, ``keywords`` whether these do,
    ``along`` says which annotations.
    Returns one pair per entry that is there, in ascending order, the order that COPYUID promises (RFC 4315
    section 3).

    Raises:
        Refused(NO_SUCH_FOLDER): one of the two is gone.
        TryLater(OVER_QUOTA | NUMBERS_EXHAUSTED).
    """
    source = folders.get(tx, folder_id)
    place = folders.get(tx, target)
    rows = _less(_rows(tx, source, numbers, reader), flags, keywords)
    uids = [row[0] for row in rows]
    kept = entry_annotations.held(tx, folder_id, uids, along)
    beside = props.held(tx, folder_id, uids)
    pairs = _insert_for(tx, place, rows, taker)
    entry_annotations.hand_over(tx, place, pairs, kept, along.room)
    props.hand_over(tx, place.id, pairs, beside, named=source.account_id == place.account_id)
    return pairs


def _less(rows: list[tuple[Any, ...]], flags: int, keywords: bool) -> list[tuple[Any, ...]]:
    """Rows without the flags and keywords that do not go along."""
    if flags == ALL_FLAGS and keywords:
        return rows
    return [(r[0], r[1] & flags, r[2] if keywords else "", *r[3:]) for r in rows]


def _insert_for(
    tx: Tx, target: Folder, rows: list[tuple[Any, ...]], taker: AccountId | None, first_id: int | None = None
) -> list[Copied]:
    """`insert_rows`; in a folder where \\Seen is the taker's own it becomes a mark."""
    if taker is None or not seen.is_own(target, taker):
        return insert_rows(tx, target, rows, first_id)
    marked = {r[0] for r in rows if r[1] & SEEN}
    pairs = insert_rows(tx, target, [(r[0], r[1] & ~SEEN, *r[2:]) for r in rows], first_id)
    if marked:
        numbers = [pair.target_uid for pair in pairs if pair.source_uid in marked]
        seen.mark(tx, target.id, taker, numbers, True)
    return pairs


def _rows(tx: Tx, source: Folder, numbers: Iterable[int], reader: AccountId | None) -> list[tuple[Any, ...]]:
    """What is copied of each entry, with the flags as ``reader`` sees them."""
    members, params = dialect.numbered(tx.engine, sorted(set(numbers)))
    rows = tx.all(
        f"SELECT {_COPIED} FROM entry WHERE folder_id = ? AND uid {members} AND hidden = 0 ORDER BY uid",
        source.id, *params,
    )  # fmt: skip
    return _seen_by(tx, source, rows, reader)


def _seen_by(
    tx: Tx, source: Folder, rows: list[tuple[Any, ...]], reader: AccountId | None
) -> list[tuple[Any, ...]]:
    """Rows of `_COPIED` with the reader's own \\Seen."""
    if not rows or reader is None or not seen.is_own(source, reader):
        return rows
    marks = seen.get(tx, source.id, reader)
    return [(r[0], r[1] & ~SEEN | (SEEN if r[0] in marks else 0), *r[2:]) for r in rows]


def insert_rows(
    tx: Tx, target: Folder, rows: list[tuple[Any, ...]], first_id: int | None = None
) -> list[Copied]:
    """Files messages that are there, as (any number, flags, keywords, size, arrival, message row, ...).

    ``first_id`` is the first of as many object numbers, where the caller has taken them already.
    """
    if not rows:
        return []
    size = sum(row[3] for row in rows)
    if target.uid_next + len(rows) - 1 > MAX_UID:
        raise TryLater(Reason.NUMBERS_EXHAUSTED, target.name)
    modseq = folders.book(tx, target.account_id, size, len(rows))
    entry_id = tx.new_ids(len(rows)) if first_id is None else first_id
    uid = target.uid_next
    tx.many(
        _INSERT,
        [
            (target.id, uid + i, row[1], row[2], row[3], row[4], modseq, row[5], entry_id + i, tx.now, modseq,
             modseq, modseq)
            for i, row in enumerate(rows)
        ],
    )  # fmt: skip
    row = tx.one(
        "UPDATE folder SET uid_next = uid_next + ?, messages = messages + ?, unseen = unseen + ?,"
        " deleted = deleted + ?, bytes = bytes + ?, highest_modseq = ? WHERE id = ?"
        " RETURNING quota_bytes, bytes, quota_messages, messages",
        len(rows), len(rows), sum(not row[1] & SEEN for row in rows),
        sum(bool(row[1] & DELETED) for row in rows), size, modseq, target.id,
    )  # fmt: skip
    assert row is not None
    folders.check_quota(row, size, len(rows))
    tx.hint(target.account_id, target.id)
    return [Copied(Uid(row[0]), Uid(uid + i)) for i, row in enumerate(rows)]


def move(
    tx: Tx,
    folder_id: FolderId,
    numbers: Iterable[int],
    target: FolderId,
    *,
    reader: AccountId | None = None,
    taker: AccountId | None = None,
    flags: int = ALL_FLAGS,
    keywords: bool = True,
    along: Along = ALONG,
) -> list[Copied]:
    """`copy`, then takes the old entries away, in one transaction (RFC 6851).

    Raises:
        Refused(NO_SUCH_FOLDER), TryLater(OVER_QUOTA | NUMBERS_EXHAUSTED).
    """
    source, place = folders.get(tx, folder_id), folders.get(tx, target)
    if source.account_id == place.account_id:
        # what moves inside an account needs no room, so the old ones go first
        found = _rows(tx, source, numbers, None)
        if not found:
            return []
        uids = [row[0] for row in found]
        rows = _less(_seen_by(tx, source, found, reader), flags, keywords)
        kept = entry_annotations.held(tx, folder_id, uids, along)
        beside = props.held(tx, folder_id, uids)
        keeping.keep(tx, source, uids, moved=True)
        first_id = tx.new_ids(len(rows))
        gone = [(row[0], row[6], row[1], row[3], row[5]) for row in found]
        _take_away(tx, source, gone, moved_to=first_id)
        pairs = _insert_for(tx, folders.get(tx, target), rows, taker, first_id)
        entry_annotations.hand_over(tx, place, pairs, kept)
        props.hand_over(tx, place.id, pairs, beside)
        return pairs
    pairs = copy(
        tx,
        folder_id,
        numbers,
        target,
        reader=reader,
        taker=taker,
        flags=flags,
        keywords=keywords,
        along=along,
    )
    expunge(tx, folder_id, [pair.source_uid for pair in pairs])
    return pairs


def expunge(
    tx: Tx,
    folder_id: FolderId,
    numbers: Iterable[int] | None = None,
    *,
    only_deleted: bool = False,
    after: int = 0,
    limit: int = MAX_UID,
) -> list[Uid]:
    """Takes entries away for good; returns their numbers, ascending.

    Without ``numbers`` all that are marked \\Deleted; with them exactly those, or with ``only_deleted``
    those of them that are marked (UID EXPUNGE, RFC 4315 2.1).  Only numbers above ``after``, at most
    ``limit`` of them: who takes many away does it in slices.  Content is swept later.

    Raises:
        Refused(NO_SUCH_FOLDER).
    """
    folder = folders.get(tx, folder_id)
    if numbers is None and not folder.deleted:
        return []
    rows = tx.all(*_chosen(tx, folder, numbers, only_deleted, after, limit))
    if rows:
        remove_rows(tx, folder, rows)
    return [row[0] for row in rows]


def _chosen(
    tx: Tx, folder: Folder, numbers: Iterable[int] | None, only_deleted: bool, after: int, limit: int
) -> tuple[Any, ...]:
    """The question for the rows of `remove_rows`: SQL and parameters."""
    sql = "SELECT uid, id, flags, size, message_id FROM entry WHERE folder_id = ? AND uid > ? AND hidden = 0"
    params: tuple[Any, ...] = (folder.id, after)
    if numbers is None or only_deleted:
        sql += f" AND flags & {DELETED} <> 0"
    if numbers is not None:
        members, some = dialect.numbered(tx.engine, sorted(set(numbers)))
        sql += f" AND uid {members}"
        params += some
    return (sql + " ORDER BY uid LIMIT ?", *params, limit)


def chosen(tx: Tx, folder: Folder, numbers: Sequence[int]) -> list[tuple[Any, ...]]:
    """The rows of `remove_rows` for some numbers, ascending."""
    return tx.all(*_chosen(tx, folder, numbers, False, 0, MAX_UID))


def remove_rows(tx: Tx, folder: Folder, rows: list[tuple[Any, ...]], *, detach: bool = True) -> Modseq:
    """Takes away entries given as (uid, id, flags, size, message row); returns the change number.

    They can be had back for a while where the folder has a window for that.  An article that is in no
    group any more has gone from the history's point of view too: only its id stays known.  Without
    ``detach`` the caller sees to that, for many folders at once.
    """
    keeping.keep(tx, folder, [row[0] for row in rows])
    modseq = _take_away(tx, folder, rows)
    if detach and folder.kind == FolderKind.GROUP:
        history.detach_gone(tx, [row[4] for row in rows])
    return modseq


def _take_away(tx: Tx, folder: Folder, rows: list[tuple[Any, ...]], *, moved_to: int | None = None) -> Modseq:
    """``moved_to``: the first object number of as many entries that the same messages get in their order."""
    size = sum(row[3] for row in rows)
    modseq = folders.book(tx, folder.account_id, -size, -len(rows))
    members, uids = dialect.numbered(tx.engine, [row[0] for row in rows])
    if moved_to is None:
        tx.run(
            "INSERT INTO tombstone (folder_id, uid, entry_id, modseq)"
            f" SELECT folder_id, uid, id, CAST(? AS BIGINT) FROM entry WHERE folder_id = ? AND uid {members}",
            modseq, folder.id, *uids,
        )  # fmt: skip
    else:
        tx.many(
            "INSERT INTO tombstone (folder_id, uid, entry_id, modseq, moved_to) VALUES (?, ?, ?, ?, ?)",
            [(folder.id, row[0], row[1], modseq, moved_to + i) for i, row in enumerate(rows)],
        )
    tx.run(f"DELETE FROM entry WHERE folder_id = ? AND uid {members}", folder.id, *uids)
    if moved_to is None:  # else no message loses its last entry
        members, messages = dialect.among(tx.engine, [row[4] for row in rows])
        tx.run(
            "INSERT INTO garbage (message_id, doomed_at)"
            f" SELECT id, CAST(? AS BIGINT) FROM message WHERE id {members}"
            " ON CONFLICT (message_id) DO UPDATE SET doomed_at = excluded.doomed_at",
            tx.now, messages,
        )  # fmt: skip
    if folder.kind == FolderKind.ITEM or props.any_of_entries(tx):
        tx.many(
            f"DELETE FROM prop WHERE kind IN (2, 3, 4) AND object_id = ? AND {props.NOT_KEPT}",
            [(row[1],) for row in rows],
        )
    entry_annotations.forget(tx, folder, [row[0] for row in rows])
    lowest = None
    if len(rows) < folder.messages:
        lowest = tx.value("SELECT min(uid) FROM entry WHERE folder_id = ? AND hidden = 0", folder.id)
    tx.run(
        "UPDATE folder SET messages = messages - ?, unseen = unseen - ?, deleted = deleted - ?,"
        " bytes = bytes - ?, highest_modseq = ?, stirred_at = ?, low = ? WHERE id = ?",
        len(rows), sum(not row[2] & SEEN for row in rows), sum(bool(row[2] & DELETED) for row in rows), size,
        modseq, tx.now, folder.uid_next if lowest is None else lowest, folder.id,
    )  # fmt: skip
    seen.forget(tx, folder.id, RangeSet.of(row[0] for row in rows))
    tx.hint(folder.account_id, folder.id)
    return modseq


def replace_content(tx: Tx, entry_id: EntryId, content: Content, *, prefix: bytes = b"") -> Added:
    """An entry gets other content: the same entry id, a new message and a new number.

    What lies beside it (`props`) goes: the caller knows what of it is still true.  Numbers are immutable for
    those who list by them (RFC 9051 2.3.1.1), so the old one becomes a tombstone.

    Raises:
        Refused(NO_SUCH_MESSAGE), TryLater(OVER_QUOTA | NUMBERS_EXHAUSTED).
    """
    row = tx.one(
        "SELECT uid, id, flags, size, message_id, folder_id, keywords, received_at, created_modseq"
        " FROM entry WHERE id = ? AND hidden = 0", entry_id,
    )  # fmt: skip
    if row is None:
        raise Refused(Reason.NO_SUCH_MESSAGE)
    folder = folders.get(tx, row[5])
    keeping.keep(tx, folder, [row[0]])
    # the old version may be had back, but the object's number is in use
    tx.run("UPDATE expunged SET entry_id = 0 WHERE folder_id = ? AND uid = ?", folder.id, row[0])
    _take_away(tx, folder, [row[:5]])
    message_id = filing.put_message(tx, content, prefix)
    size = len(prefix) + content.size
    _, modseq = filing.take(tx, folder.id, size)
    uid = filing.number(tx, folder.id, size, row[2], modseq)
    tx.run(
        _INSERT, folder.id, uid, row[2], row[6], size, row[7], modseq, message_id, entry_id, tx.now, modseq,
        modseq, row[8],
    )  # fmt: skip
    return Added(folder.id, uid, entry_id, modseq)
