"""Marking: flags and keywords of entries, by the owner or by one of many readers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from quintet.store import dialect, folders, reading, seen, trace
from quintet.store.db import Tx, bounded
from quintet.store.model import (
    DELETED,
    SEEN,
    AccountId,
    Changed,
    Folder,
    FolderId,
    Modseq,
    Uid,
    pack_keywords,
    unpack_keywords,
)

Mode = Literal["+", "-", "="]
Row = tuple[int, int, str, int, int]  # uid, flags, packed keywords, modseq, read_modseq

_SET = "UPDATE entry SET flags = ?, keywords = ?, modseq = ?"
# read state is counted apart; any other mark is a change of the object (MODSEQ counts all of them)
_MARK = _SET + ", content_modseq = ? WHERE folder_id = ? AND uid "
_READ = _SET + ", read_modseq = ? WHERE folder_id = ? AND uid "
_BOTH = _SET + ", content_modseq = ?, read_modseq = ? WHERE folder_id = ? AND uid "

MAX_KEYWORDS = 100  # on one entry; Dovecot allows 26 a mailbox in its index, Cyrus 128
CHUNK = 1000  # entries changed by one statement batch


@bounded(lambda folder_id, numbers, *_, **__: isinstance(numbers, Sequence) and len(numbers) <= 32)
def set_flags(
    tx: Tx,
    folder_id: FolderId,
    numbers: Iterable[int],
    mode: Mode,
    flags: int,
    keywords: Sequence[str] = (),
    *,
    unchanged_since: int | None = None,
    reader: AccountId | None = None,
    trace_note: trace.Note | None = None,
    folder: Folder | None = None,
) -> tuple[list[Changed], list[Uid]]:
    """Adds, removes or replaces flags and keywords; ``folder`` where this transaction has read it already.

    Returns the state after it of every entry that was addressed and is there, and the numbers that were
    left alone because they changed after ``unchanged_since`` (RFC 7162 3.1.3; 0 asks whether they have the
    keyword at all).  An entry that already was as asked keeps its modseq.  With ``reader``, \\Seen in a
    shared folder is that reader's own.  With ``trace_note``, messages that become \\Seen are noted as read
    (`reading`).

    Raises:
        Refused(NO_SUCH_FOLDER).
    """
    folder = folder or folders.get(tx, folder_id)
    own_seen = reader is not None and seen.is_own(folder, reader)
    marks = seen.get(tx, folder_id, reader) if own_seen and reader is not None else None
    members, params = dialect.numbered(tx.engine, sorted(set(numbers)))
    rows: list[Row] = tx.all(
        "SELECT uid, flags, keywords, modseq, read_modseq FROM entry"
        f" WHERE folder_id = ? AND uid {members} AND hidden = 0 ORDER BY uid",
        folder_id, *params,
    )  # fmt: skip
    modified = []
    if unchanged_since is not None:
        mine = seen.changed_after(tx, folder_id, reader, unchanged_since) if own_seen and reader else None
        modified = [Uid(r[0]) for r in rows if r[3] > unchanged_since or (mine is not None and r[0] in mine)]
        if not unchanged_since and not flags and keywords and mode != "=":
            asked = {word.lower() for word in keywords}  # what was never there cannot have changed
            modified = [Uid(r[0]) for r in rows if asked & set(r[2].lower().split())]
        if modified:
            late = set(modified)
            rows = [row for row in rows if row[0] not in late]
    if trace_note is not None and flags & SEEN and mode != "-":
        fresh = [row[0] for row in rows if (not row[1] & SEEN if marks is None else row[0] not in marks)]
        reading.entries(tx, trace_note, folder_id, fresh)
    if marks is None:
        return _write(tx, folder, rows, mode, flags, keywords), modified
    # \Seen is the reader's, everything else the folder's
    shared = _write(tx, folder, rows, mode, flags & ~SEEN, keywords, keep=SEEN)
    touched = [row[0] for row in rows]
    assert reader is not None
    if mode == "=" or flags & SEEN:
        want = mode == "+" or (mode == "=" and bool(flags & SEEN))
        marks, _ = seen.mark(tx, folder_id, reader, touched, want)
    log = seen.log(tx, folder_id, reader)
    return [
        Changed(
            c.uid,
            c.flags | SEEN if c.uid in marks else c.flags & ~SEEN,
            c.keywords,
            seen.modseq_of(log, c.uid, c.modseq),
        )
        for c in shared
    ], modified


def states(
    tx: Tx, folder_id: FolderId, numbers: Iterable[int], *, reader: AccountId | None = None
) -> list[Changed]:
    """Flags, keywords and change numbers as they are, as ``reader`` sees them; ascending.

    Raises:
        Refused(NO_SUCH_FOLDER).
    """
    return set_flags(tx, folder_id, list(numbers), "+", 0, reader=reader)[0]


def _write(
    tx: Tx, folder: Folder, rows: list[Row], mode: Mode, flags: int, keywords: Sequence[str], keep: int = 0
) -> list[Changed]:
    """Changes the entries' own flags; ``keep`` are bits that stay as they are."""
    result = []
    updates: dict[tuple[int, str, str], list[int]] = {}  # what entries become, and by which statement
    unseen = deleted = 0
    modseq = 0
    for uid, old, old_words, old_modseq, _ in rows:
        new = _apply(mode, old, flags) & ~keep | old & keep
        words = _apply_words(mode, old_words, keywords)
        if new == old and words == old_words:
            result.append(Changed(Uid(uid), old, unpack_keywords(old_words), Modseq(old_modseq)))
            continue
        if not modseq:
            modseq = folders.book(tx, folder.account_id, 0, 0)
        unseen += (not new & SEEN) - (not old & SEEN)
        deleted += bool(new & DELETED) - bool(old & DELETED)
        updates.setdefault((new, words, _statement(old ^ new, words != old_words)), []).append(uid)
        result.append(Changed(Uid(uid), new, unpack_keywords(words), Modseq(modseq)))
    if updates:
        for (new, words, sql), uids in updates.items():
            members, params = dialect.numbered(tx.engine, uids)
            numbers = [modseq] * (3 if sql is _BOTH else 2)
            tx.run(sql + members, new, words, *numbers, folder.id, *params)
        tx.run(
            "UPDATE folder SET unseen = unseen + ?, deleted = deleted + ?, highest_modseq = ?,"
            " stirred_at = ? WHERE id = ?", unseen, deleted, modseq, tx.now, folder.id,
        )  # fmt: skip
        tx.hint(folder.account_id, folder.id)
    return result


def _statement(changed: int, words: bool) -> str:
    """Which counters a change of these flags (and keywords) moves."""
    if not changed & SEEN:
        return _MARK
    return _BOTH if words or changed & ~SEEN else _READ


def _apply(mode: Mode, old: int, flags: int) -> int:
    if mode == "+":
        return old | flags
    if mode == "-":
        return old & ~flags
    return flags


def _apply_words(mode: Mode, old: str, keywords: Sequence[str]) -> str:
    """Keywords are compared without case; the first spelling stays (RFC 9051 2.3.2)."""
    if not keywords:
        return "" if mode == "=" else old
    have = {} if mode == "=" else {word.lower(): word for word in old.split()}
    for word in keywords:
        if mode == "-":
            have.pop(word.lower(), None)
        elif len(have) < MAX_KEYWORDS:
            have.setdefault(word.lower(), word)
    return pack_keywords(tuple(have.values()))
