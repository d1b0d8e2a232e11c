"""Receipts that are due: messages which somebody opened who lets the server tell their senders so.

Only accounts whose setting is "always" get rows here; whether a message asks for a receipt, and whether one
may be sent, is found out later and elsewhere.  The wait lets the reader's own program send it first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quintet.store.db import Tx, bounded
from quintet.store.model import AccountId, FolderId, Uid

ALWAYS = "always"
WAIT_MS = 5 * 60 * 1000  # a mail program that asks its user has sent its own by then, or was told not to


@dataclass(frozen=True, slots=True)
class Receipt:
    """One message that was opened."""

    id: int
    account_id: AccountId
    folder_id: FolderId
    uid: Uid
    due_at: int  # ms


@bounded()
def due(tx: Tx, account_id: AccountId, folder_id: FolderId, numbers: Sequence[int]) -> None:
    """Notes what was opened, for accounts that want it so, in folders of their own."""
    wanted = tx.one(
        "SELECT 1 FROM account a JOIN folder f ON f.account_id = a.id"
        " WHERE a.id = ? AND a.mdn = ? AND f.id = ? AND f.kind = 'mail'",
        account_id, ALWAYS, folder_id,
    )  # fmt: skip
    if wanted is None:
        return
    first = tx.new_ids(len(numbers))
    tx.many(
        "INSERT INTO receipt (id, account_id, folder_id, uid, due_at) VALUES (?, ?, ?, ?, ?)",
        [(first + at, account_id, folder_id, uid, tx.now + WAIT_MS) for at, uid in enumerate(numbers)],
    )


def ready(tx: Tx, limit: int = 100) -> list[Receipt]:
    """Those whose wait is over, oldest first."""
    rows = tx.all(
        "SELECT id, account_id, folder_id, uid, due_at FROM receipt WHERE due_at <= ?"
        " ORDER BY due_at LIMIT ?", tx.now, limit,
    )  # fmt: skip
    return [Receipt(*row) for row in rows]


@bounded()
def take(tx: Tx, receipt_id: int) -> bool:
    """Takes one off; False when another process did so before."""
    return tx.run("DELETE FROM receipt WHERE id = ?", receipt_id) > 0
