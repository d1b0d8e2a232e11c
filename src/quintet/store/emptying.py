"""Emptying: a large folder loses its messages in many small transactions, because the writer is everybody's.

Each leaves the store whole: a message is where it was, or where it goes.  Who empties calls again until
nothing is left, and may be interrupted between two calls.
"""

from __future__ import annotations

from quintet.store import changes, folders, keeping, moving
from quintet.store.db import Tx
from quintet.store.entry_annotations import EVERYBODY, Along
from quintet.store.model import MAX_UID, AccountId, FolderId, FolderKind

TOMBSTONES = 10  # of these are forgotten in the time in which one message is taken away


def pour(tx: Tx, folder_id: FolderId, target: FolderId, last: int = MAX_UID, limit: int = MAX_UID) -> int:
    """Moves the lowest ``limit`` messages up to number ``last`` to another folder; how many there were.

    What everybody has written on them goes along.

    Raises:
        Refused(NO_SUCH_FOLDER): one of the two is gone.
        TryLater(NUMBERS_EXHAUSTED).
    """
    numbers = _lowest(tx, folder_id, last, limit)
    moving.move(tx, folder_id, numbers, target, along=Along(reader=EVERYBODY))
    return len(numbers)


def drain(tx: Tx, folder_id: FolderId, limit: int) -> int:
    """Takes away the lowest ``limit`` messages of a folder that is about to go, then what it knows of them.

    How many; 0: nothing is left that makes `folders.remove` long.

    Raises:
        Refused(NO_SUCH_FOLDER).
    """
    numbers = _lowest(tx, folder_id, MAX_UID, limit)
    if numbers:
        moving.expunge(tx, folder_id, numbers)
        return len(numbers)
    return changes.prune(tx, folder_id, folders.get(tx, folder_id).highest_modseq, limit * TOMBSTONES)


def strip(tx: Tx, account_id: AccountId, limit: int) -> int:
    """Takes away so many messages of an account that is about to go; none of them can be had back.

    How many; 0: nothing is left that makes `accounts.remove` long.

    Raises:
        Refused(NO_PERMISSION): it is on hold.
    """
    keeping.expect_free(tx, account_id)
    row = tx.one(
        "SELECT id FROM folder WHERE account_id = ? AND messages > 0 AND kind <> ? ORDER BY id LIMIT 1",
        account_id, FolderKind.GROUP,
    )  # fmt: skip
    if row is not None and (numbers := _lowest(tx, row[0], MAX_UID, limit)):
        moving.expunge(tx, row[0], numbers)
        changes.prune(tx, row[0], folders.get(tx, row[0]).highest_modseq, limit)
        return len(numbers)
    return keeping.forget_some(tx, account_id, limit)


def _lowest(tx: Tx, folder_id: FolderId, last: int, limit: int) -> list[int]:
    rows = tx.all(
        "SELECT uid FROM entry WHERE folder_id = ? AND uid <= ? AND hidden = 0 ORDER BY uid LIMIT ?",
        folder_id, last, limit,
    )  # fmt: skip
    return [uid for (uid,) in rows]
