"""Items: entries that never were MIME (contacts, appointments, drafts of them), and entries that are hidden.

Their content is their properties (`props`); the message row holds what sorts them and their size.  Only a
folder of kind "item" shows them; hidden ones lie in any folder and are never listed to those who speak MIME.
"""

from __future__ import annotations

from collections.abc import Sequence

from quintet.errors import Reason, Refused
from quintet.store import dialect, filing, folders
from quintet.store.content import READY
from quintet.store.db import Tx
from quintet.store.filing import text
from quintet.store.model import (
    Added,
    EntryId,
    Folder,
    FolderId,
    MessageId,
    Modseq,
    Uid,
    text_key,
)
from quintet.values import dataclass

_MESSAGE = (
    "INSERT INTO message (id, blob_id, prefix, envelope, bodystructure, overview, body, size, lines,"
    " message_key, sent_at, thread_key, from_mailbox, to_mailbox, cc_mailbox, from_display, to_display,"
    " base_subject, is_reply, ready, message_id, refs)"
    " VALUES (?, NULL, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, '', '', '', ?, ?, ?, 0, ?, ?, '')"
)
_ENTRY = (
    "INSERT INTO entry (folder_id, uid, flags, keywords, size, received_at, modseq, message_id, id, saved_at,"
    " content_modseq, read_modseq, created_modseq, hidden) VALUES (?, ?, ?, '', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_FOUND = (
    "SELECT e.folder_id, e.uid, e.size, e.message_id, e.hidden, f.account_id FROM entry e"
    " JOIN folder f ON f.id = e.folder_id WHERE e.id = ?"
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rows of an item hold besides its properties."""

    size: int  # bytes of all properties
    subject: str = ""
    sender: str = ""
    recipient: str = ""  # the first
    sent_at: int | None = None  # UTC ms
    message_id: str = ""  # with angle brackets


def add(
    tx: Tx, folder_id: FolderId, facts: Facts, *, received_at: int, flags: int = 0, hidden: bool = False
) -> Added:
    """A new item.  Raises Refused(NO_SUCH_FOLDER), TryLater(OVER_QUOTA | NUMBERS_EXHAUSTED)."""
    account_id, modseq = filing.take(tx, folder_id, facts.size)
    if hidden:
        uid = _hidden_number(tx, folder_id, modseq)
    else:
        uid = filing.number(tx, folder_id, facts.size, flags, modseq)
    entry_id = EntryId(tx.new_ids(1))
    tx.run(
        _ENTRY, folder_id, uid, flags, facts.size, received_at, modseq, _put(tx, facts), entry_id, tx.now,
        modseq, modseq, modseq, int(hidden),
    )  # fmt: skip
    tx.hint(account_id, folder_id)
    return Added(folder_id, uid, entry_id, modseq)


def _hidden_number(tx: Tx, folder_id: FolderId, modseq: Modseq) -> Uid:
    """Hidden entries take a number as all do, but are not counted."""
    row = tx.one(
        "UPDATE folder SET uid_next = uid_next + 1, highest_modseq = ? WHERE id = ? RETURNING uid_next",
        modseq, folder_id,
    )  # fmt: skip
    if row is None:
        raise Refused(Reason.NO_SUCH_FOLDER)
    return Uid(row[0] - 1)


def _put(tx: Tx, facts: Facts) -> MessageId:
    row_id = MessageId(tx.new_ids(1))
    key = text_key(facts.message_id)
    tx.run(
        _MESSAGE, row_id, b"", b"", b"", b"", b"", facts.size, key, facts.sent_at, key, text(facts.sender),
        text(facts.recipient), text(facts.subject), READY, text(facts.message_id),
    )  # fmt: skip
    return row_id


def replace(tx: Tx, entry_id: EntryId, facts: Facts) -> Modseq:
    """An item has changed; it keeps its number, because nobody who lists by numbers sees it.

    Raises Refused(NO_SUCH_MESSAGE), TryLater(OVER_QUOTA).
    """
    row = tx.one(_FOUND, entry_id)
    if row is None:
        raise Refused(Reason.NO_SUCH_MESSAGE)
    folder_id, uid, size, old, hidden, account_id = row
    modseq = folders.book(tx, account_id, facts.size - size, 0)
    tx.run(
        "UPDATE entry SET message_id = ?, size = ?, modseq = ?, content_modseq = ?"
        " WHERE folder_id = ? AND uid = ?",
        _put(tx, facts), facts.size, modseq, modseq, folder_id, uid,
    )  # fmt: skip
    _doom(tx, [old])
    tx.run(
        "UPDATE folder SET bytes = bytes + ?, highest_modseq = ?, stirred_at = ? WHERE id = ?",
        0 if hidden else facts.size - size, modseq, tx.now, folder_id,
    )  # fmt: skip
    tx.hint(account_id, folder_id)
    return modseq


def touch(tx: Tx, entry_id: EntryId) -> Modseq:
    """Something that no MIME carries has changed of an entry: a new change number, the same content.

    Raises Refused(NO_SUCH_MESSAGE).
    """
    row = tx.one(_FOUND, entry_id)
    if row is None:
        raise Refused(Reason.NO_SUCH_MESSAGE)
    folder_id, uid, _, _, _, account_id = row
    modseq = folders.book(tx, account_id, 0, 0)
    tx.run(
        "UPDATE entry SET modseq = ?, content_modseq = ? WHERE folder_id = ? AND uid = ?",
        modseq, modseq, folder_id, uid,
    )  # fmt: skip
    folders.stir(tx, folder_id, modseq)
    tx.hint(account_id, folder_id)
    return modseq


def remove_hidden(tx: Tx, folder: Folder, ids: Sequence[EntryId]) -> int:
    """Takes hidden entries away for good; returns how many there were."""
    members, param = dialect.among(tx.engine, ids)
    rows = tx.all(
        f"SELECT uid, id, size, message_id FROM entry WHERE id {members} AND folder_id = ? AND hidden = 1",
        param, folder.id,
    )  # fmt: skip
    if not rows:
        return 0
    modseq = folders.book(tx, folder.account_id, -sum(row[2] for row in rows), -len(rows))
    tx.many(
        "INSERT INTO tombstone (folder_id, uid, entry_id, modseq) VALUES (?, ?, ?, ?)",
        [(folder.id, uid, entry_id, modseq) for uid, entry_id, _, _ in rows],
    )
    tx.many("DELETE FROM entry WHERE folder_id = ? AND uid = ?", [(folder.id, row[0]) for row in rows])
    tx.many("DELETE FROM prop WHERE kind IN (2, 3, 4) AND object_id = ?", [(row[1],) for row in rows])
    _doom(tx, [row[3] for row in rows])
    folders.stir(tx, folder.id, modseq)
    tx.hint(folder.account_id, folder.id)
    return len(rows)


def _doom(tx: Tx, messages: Sequence[int]) -> None:
    tx.many(
        "INSERT INTO garbage (message_id, doomed_at) VALUES (?, ?) ON CONFLICT (message_id) DO UPDATE"
        " SET doomed_at = excluded.doomed_at",
        [(message_row, tx.now) for message_row in messages],
    )
