"""Receipts that are due: messages which somebody opened who lets the server tell their senders so.

Accounts whose setting is "always" get rows here when they open something, those with "ask" when their program
says so; whether a message asks for a receipt, and whether one may be sent, is found out later and elsewhere.
The wait lets the reader's own program send it first.
"""

from __future__ import annotations

from collections.abc import Sequence

from quintet.store import dialect
from quintet.store.db import Tx, bounded
from quintet.store.model import DRAFT, SEEN, AccountId, FolderId, MessageId, Uid, unpack_keywords
from quintet.values import dataclass

ASK, ALWAYS = "ask", "always"
KEYWORD = "$MDNSent"  # RFC 3503: what a receipt was sent for
WAIT_MS = 5 * 60 * 1000  # a mail program that asks its user has sent its own by then, or was told not to


@dataclass(frozen=True, slots=True)
class Receipt:
    """One message that was opened."""

    id: int
    account_id: AccountId
    folder_id: FolderId
    uid: Uid
    due_at: int  # ms
    asked: bool  # the reader's program wants it sent
    message_row: MessageId  # of what was deleted unread; 0: of what was opened


@bounded()
def due(tx: Tx, account_id: AccountId, folder_id: FolderId, numbers: Sequence[int]) -> None:
    """Notes what was opened, for accounts that want it so, in folders of their own."""
    if _setting(tx, account_id, folder_id) == ALWAYS:
        _note(tx, account_id, folder_id, numbers, tx.now + WAIT_MS, asked=False)


def asked(
    tx: Tx, account_id: AccountId, folder_id: FolderId, numbers: Sequence[int], *, again: bool = False
) -> None:
    """The reader's program wants them sent, unless the account never sends any: say so before marking.

    ``again``: also for what was read before.
    """
    if not numbers or _setting(tx, account_id, folder_id) not in (ASK, ALWAYS):
        return
    members, param = dialect.among(tx.engine, numbers)
    unread = "" if again else f" AND flags & {SEEN} = 0"
    rows = tx.all(f"SELECT uid FROM entry WHERE folder_id = ? AND uid {members}{unread}", folder_id, param)
    found = [uid for (uid,) in rows]
    cancel(tx, folder_id, found)  # one that waits
    _note(tx, account_id, folder_id, found, tx.now, asked=True)


def unread(tx: Tx, account_id: AccountId, folder_id: FolderId, numbers: Sequence[int]) -> None:
    """The reader's program deletes these, and wants senders to know which of them were not read."""
    if not numbers or _setting(tx, account_id, folder_id) not in (ASK, ALWAYS):
        return
    members, param = dialect.among(tx.engine, numbers)
    rows = tx.all(
        f"SELECT uid, message_id, keywords FROM entry WHERE folder_id = ? AND uid {members}"
        f" AND flags & {SEEN | DRAFT} = 0", folder_id, param,
    )  # fmt: skip
    first = tx.new_ids(len(rows))
    tx.many(
        "INSERT INTO receipt (id, account_id, folder_id, uid, due_at, asked, message_id)"
        " VALUES (?, ?, ?, ?, ?, 1, ?)",
        [
            (first + at, account_id, folder_id, uid, tx.now, message_row)
            for at, (uid, message_row, words) in enumerate(rows)
            if KEYWORD.lower() not in map(str.lower, unpack_keywords(words))
        ],
    )


def cancel(tx: Tx, folder_id: FolderId, numbers: Sequence[int]) -> None:
    """None is sent for these that was not yet."""
    members, param = dialect.among(tx.engine, numbers)
    tx.run(f"DELETE FROM receipt WHERE folder_id = ? AND message_id = 0 AND uid {members}", folder_id, param)


def _setting(tx: Tx, account_id: AccountId, folder_id: FolderId) -> str | None:
    """The account's, in a folder of its own; None elsewhere."""
    found: str | None = tx.value(
        "SELECT a.mdn FROM account a JOIN folder f ON f.account_id = a.id"
        " WHERE a.id = ? AND f.id = ? AND f.kind = 'mail'", account_id, folder_id,
    )  # fmt: skip
    return found


def _note(
    tx: Tx, account_id: AccountId, folder_id: FolderId, numbers: Sequence[int], due_at: int, *, asked: bool
) -> None:
    first = tx.new_ids(len(numbers))
    tx.many(
        "INSERT INTO receipt (id, account_id, folder_id, uid, due_at, asked) VALUES (?, ?, ?, ?, ?, ?)",
        [(first + at, account_id, folder_id, uid, due_at, int(asked)) for at, uid in enumerate(numbers)],
    )


def ready(tx: Tx, limit: int = 100) -> list[Receipt]:
    """Those whose wait is over, oldest first."""
    rows = tx.all(
        "SELECT id, account_id, folder_id, uid, due_at, asked, message_id FROM receipt WHERE due_at <= ?"
        " ORDER BY due_at LIMIT ?", tx.now, limit,
    )  # fmt: skip
    return [
        Receipt(number, account_id, folder_id, uid, due_at, bool(told), message_row)
        for number, account_id, folder_id, uid, due_at, told, message_row in rows
    ]


@bounded()
def take(tx: Tx, receipt_id: int) -> bool:
    """Takes one off; False when another process did so before."""
    return tx.run("DELETE FROM receipt WHERE id = ?", receipt_id) > 0
