"""Annotations: named remarks on an account or a folder, shared or private to a reader (RFC 5464)."""

from __future__ import annotations

from quintet.store.db import Tx
from quintet.store.model import AccountId, FolderId

SHARED = AccountId(0)  # `reader` of a remark that all see
ON_ACCOUNT = FolderId(0)  # `folder_id` of a remark on the account itself


def get(tx: Tx, account_id: AccountId, folder_id: FolderId, reader: AccountId) -> dict[str, bytes]:
    """All remarks of one kind: value by name, in lower case."""
    rows = tx.all(
        "SELECT name, value FROM annotation WHERE account_id = ? AND folder_id = ? AND reader_id = ?"
        " ORDER BY name", account_id, folder_id, reader,
    )  # fmt: skip
    return {name: bytes(value) for name, value in rows}


def room(tx: Tx, account_id: AccountId, folder_id: FolderId, reader: AccountId) -> tuple[int, int]:
    """How many remarks of one kind there are, and their bytes."""
    row = tx.one(
        "SELECT count(*), CAST(coalesce(sum(length(value)), 0) AS BIGINT) FROM annotation"
        " WHERE account_id = ? AND folder_id = ? AND reader_id = ?", account_id, folder_id, reader,
    )  # fmt: skip
    assert row is not None
    return row[0], row[1]


def copy(tx: Tx, folder_id: FolderId, target: FolderId) -> None:
    """All remarks on a folder, also of its readers, for another folder of the same account."""
    tx.run(
        "INSERT INTO annotation (account_id, folder_id, reader_id, name, value)"
        " SELECT account_id, CAST(? AS BIGINT), reader_id, name, value FROM annotation WHERE folder_id = ?",
        target, folder_id,
    )  # fmt: skip


def put(
    tx: Tx, account_id: AccountId, folder_id: FolderId, reader: AccountId, name: str, value: bytes | None,
    *, quiet: bool = False,
) -> None:  # fmt: skip
    """Sets a remark; None takes it away.  ``quiet``: it is a note of ours, for which nobody waits."""
    name = name.lower()  # RFC 5464 3: without case
    if not quiet:
        tx.hint(account_id, folder_id)
    if value is None:
        tx.run(
            "DELETE FROM annotation WHERE account_id = ? AND folder_id = ? AND reader_id = ? AND name = ?",
            account_id, folder_id, reader, name,
        )  # fmt: skip
        return
    tx.run(
        "INSERT INTO annotation (account_id, folder_id, reader_id, name, value) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (account_id, folder_id, reader_id, name) DO UPDATE SET value = excluded.value",
        account_id, folder_id, reader, name, value,
    )  # fmt: skip
