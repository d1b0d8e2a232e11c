"""Spreading: one message into many folders, four statements for all of them.

Folder by folder, as `filing.add` does it for one, each costs the writer 12 us; together it is 6 us, of which
3 are the pages of the entry.  Numbers are taken under the locks of account and folder, as there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quintet.errors import Reason, Refused, TryLater
from quintet.store import dialect, folders
from quintet.store.db import Tx
from quintet.store.model import (
    DELETED,
    MAX_UID,
    SEEN,
    AccountId,
    Added,
    EntryId,
    FolderId,
)

_READ = (
    "SELECT f.id, f.account_id, f.uid_next, a.modseq, a.quota_bytes, a.used_bytes, a.quota_messages,"
    " a.used_messages, f.quota_bytes, f.bytes, f.quota_messages, f.messages"
    " FROM folder f JOIN account a ON a.id = f.account_id WHERE f.id {members}{locked}"
)
_TAKE = (
    "UPDATE account SET modseq = ?, used_bytes = used_bytes + ?, used_messages = used_messages + ?"
    " WHERE id = ?"
)
_NUMBER = (
    "UPDATE folder SET uid_next = ?, messages = messages + 1, unseen = unseen + ?, deleted = deleted + ?,"
    " bytes = bytes + ?, highest_modseq = ? WHERE id = ?"
)


def places(tx: Tx, folder_ids: Sequence[FolderId], size: int, flags: int) -> list[Added]:
    """Counts a message of ``size`` into each folder, named once; its places, in their order.

    Folders of one account share a change number.

    Raises:
        Refused(NO_SUCH_FOLDER): one is gone.
        TryLater(OVER_QUOTA | NUMBERS_EXHAUSTED).
    """
    members, param = dialect.among(tx.engine, folder_ids)
    locked = dialect.locked(tx.engine, "a.id, f.id")
    found = {row[0]: row for row in tx.all(_READ.format(members=members, locked=locked), param)}
    if len(found) != len(folder_ids):
        raise Refused(Reason.NO_SUCH_FOLDER)
    entry_id = tx.new_ids(len(folder_ids))
    copies: dict[AccountId, int] = {}
    added = []
    for number, folder_id in enumerate(folder_ids, entry_id):
        row = found[folder_id]
        owner, uid = row[1], row[2]
        count = copies[owner] = copies.get(owner, 0) + 1
        if uid > MAX_UID:
            raise TryLater(Reason.NUMBERS_EXHAUSTED)
        if row[4] or row[6] or row[8] or row[10]:
            _check(row, size, count)
        added.append(Added(folder_id, uid, EntryId(number), row[3] + 1))
        tx.hint(owner, folder_id)
    unseen, deleted = int(not flags & SEEN), int(bool(flags & DELETED))
    owners = {row[1]: row[3] + 1 for row in found.values()}
    tx.many(_TAKE, [(owners[owner], size * count, count, owner) for owner, count in copies.items()])
    tx.many(_NUMBER, [(one.uid + 1, unseen, deleted, size, one.modseq, one.folder_id) for one in added])
    return added


def _check(row: tuple[Any, ...], size: int, copies: int) -> None:
    """``row`` is one of _READ (Any: of the engine), as it was before.  Raises TryLater(OVER_QUOTA)."""
    for (limit, used, limit_messages, messages), count in ((row[4:8], copies), (row[8:12], 1)):
        folders.check_quota((limit, used + count * size, limit_messages, messages + count), size, count)
