"""Keeping: what was expunged and can be had back, and accounts or folders of which nothing may be lost.

An expunged message that is kept has no entry: nobody sees it, no quota counts it; its content stays until the
window is over (`lapse`) and no hold stands.  Restored, it is a new entry with a new number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from quintet.errors import Reason, Refused
from quintet.store import dialect, folders, ondemand, pages, props
from quintet.store.db import Tx
from quintet.store.filing import text
from quintet.store.model import (
    DELETED,
    AccountId,
    Copied,
    Folder,
    FolderId,
    FolderKind,
    MessageId,
    Uid,
)
from quintet.values import dataclass

WHOLE = FolderId(0)  # a hold on all folders of an account
WINDOW = "undelete"  # the setting: the longest window of any folder, ms
_COLUMNS = "folder_id, uid, account_id, folder_name, message_id, size, received_at, expunged_at"
_TITLE = {
    "base_subject": "base_subject",
    "from_display": "from_display",
    "message_id": "message_id",
    "message_row": "id",
    ondemand.MARK: "length(envelope)",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A message that can be had back."""

    folder_id: FolderId
    uid: Uid  # its number when it was there
    account_id: AccountId
    folder_name: str
    message_row: MessageId
    size: int
    received_at: int
    expunged_at: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing of it may be lost; ``folder_id`` 0 is the whole account."""

    account_id: AccountId
    folder_id: FolderId
    reason: str
    created_at: int


def set_window(tx: Tx, window_ms: int) -> None:
    """From now on expunged mail is kept so long, at most; 0: it is not."""
    tx.run(
        "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE"
        " SET value = excluded.value", WINDOW, str(window_ms),
    )  # fmt: skip


def keep(tx: Tx, folder: Folder, numbers: Sequence[int] | None = None, *, moved: bool = False) -> None:
    """Called before entries are taken away: notes them (None: all of the folder) when they are to be kept.

    ``moved``: they stay in the account; then only a hold on this very folder keeps them.
    """
    window, held = _facts(tx, folder, moved)
    if not held and (moved or not window or folder.kind == FolderKind.GROUP):
        return
    sql = (
        "INSERT INTO expunged (folder_id, uid, account_id, folder_name, message_id, flags, keywords, size,"
        " received_at, expunged_at, entry_id) SELECT folder_id, uid, CAST(? AS BIGINT), CAST(? AS TEXT),"
        " message_id, flags, keywords, size, received_at, CAST(? AS BIGINT), id FROM entry"
        " WHERE folder_id = ? AND hidden = 0"
    )
    params: tuple[object, ...] = (folder.account_id, folder.name, tx.now, folder.id)
    if numbers is not None:
        members, param = dialect.among(tx.engine, numbers)
        sql, params = f"{sql} AND uid {members}", (*params, param)
    tx.run(sql, *params)


def _facts(tx: Tx, folder: Folder, moved: bool) -> tuple[int, bool]:
    row = tx.one(
        "SELECT (SELECT value FROM setting WHERE name = ?),"
        " (SELECT count(*) FROM hold WHERE account_id = ? AND folder_id IN (?, ?))",
        WINDOW, folder.account_id, folder.id if moved else WHOLE, folder.id,
    )  # fmt: skip
    assert row is not None
    return int(row[0] or 0), bool(row[1])


# --- having back ------------------------------------------------------------------------------------


def listing(
    tx: Tx,
    account_id: AccountId,
    *,
    folder_name: str | None = None,
    since: int = 0,
    after: tuple[int, int, int] = (0, 0, 0),
    limit: int = 500,
) -> list[Kept]:
    """What can be had back, the first expunged first; ``after``: (time, folder, number) of the last one."""
    sql = f"SELECT {_COLUMNS} FROM expunged WHERE account_id = ? AND expunged_at >= ?"
    params: list[object] = [account_id, max(since, after[0])]
    if after[0]:
        sql += " AND (expunged_at, folder_id, uid) > (?, ?, ?)"
        params += after
    if folder_name is not None:
        sql += " AND folder_name = ?"
        params.append(folder_name)
    rows = tx.all(f"{sql} ORDER BY expunged_at, folder_id, uid LIMIT ?", *params, limit)
    return [Kept(*row) for row in rows]


def numbers(tx: Tx, folder_id: FolderId) -> list[int]:
    """Object numbers of what a folder lost and can have back, in the order in which it lay there."""
    rows = tx.all(
        "SELECT entry_id FROM expunged WHERE folder_id = ? AND entry_id <> 0 ORDER BY uid", folder_id
    )
    return [number for (number,) in rows]


def of_numbers(tx: Tx, folder_id: FolderId, wanted: Sequence[int]) -> dict[int, Kept]:
    """Those of a folder's by object numbers."""
    members, param = dialect.among(tx.engine, wanted)
    rows = tx.all(
        f"SELECT entry_id, {_COLUMNS} FROM expunged WHERE entry_id {members} AND entry_id <> 0"
        " AND folder_id = ?", param, folder_id,
    )  # fmt: skip
    return {row[0]: Kept(*row[1:]) for row in rows}


def lines(tx: Tx, wanted: Sequence[int], *, digests: bool = False) -> list[tuple[Any, ...]]:
    """As `pages.lines`, as if these were there; when they went stands for when they were saved."""
    members, param = dialect.among(tx.engine, wanted)
    more, join = pages.DIGEST if digests else ("", "")
    return tx.all(
        "SELECT x.entry_id, x.folder_id, x.uid, x.message_id, x.flags, x.size, x.received_at, x.expunged_at,"
        f" 0, 0, m.blob_id, m.sent_at, m.message_id, m.from_display{more}"
        f" FROM expunged x JOIN message m ON m.id = x.message_id{join}"
        f" WHERE x.entry_id {members} AND x.entry_id <> 0", param,
    )  # fmt: skip


def whole(tx: Tx, entry_id: int) -> pages.Whole:
    """As `pages.whole`.  Raises Refused(NO_SUCH_MESSAGE)."""
    row = tx.one(
        "SELECT x.entry_id, x.folder_id, x.uid, x.message_id, x.flags, x.size, x.received_at, x.expunged_at,"
        " 0, 0, 0, 0, 0, m.prefix, m.blob_id, b.size, b.sha256, b.place, b.data, b.digest FROM expunged x"
        " JOIN message m ON m.id = x.message_id LEFT JOIN blob b ON b.id = m.blob_id"
        " WHERE x.entry_id = ? AND x.entry_id <> 0",
        entry_id,
    )  # fmt: skip
    if row is None:
        raise Refused(Reason.NO_SUCH_MESSAGE)
    return pages.Whole(*row)


def title(tx: Tx, kept: Kept) -> tuple[str, str, str]:
    """Base subject, sender's name and Message-ID, for people."""

    def read(names: tuple[str, ...]) -> list[ondemand.Row]:
        columns = ", ".join([_TITLE[name] for name in names])
        return tx.all(f"SELECT {columns} FROM message WHERE id = ?", kept.message_row)

    rows = ondemand.rows(tx, ("base_subject", "from_display", "message_id"), read)
    return (rows[0][0], rows[0][1], rows[0][2]) if rows else ("", "", "")


def restore(tx: Tx, kept: Sequence[Kept], target: str = "") -> list[tuple[FolderId, Copied]]:
    """Files kept messages again, in their folder (made anew when it is gone) or in ``target``.

    Flags and keywords are as they were, but for \\Deleted.  What was restored meanwhile is left out.
    Returns folder and numbers of each, in their order.

    Raises:
        Refused(NO_PERMISSION): articles of a group; they come back by being posted.
        TryLater(OVER_QUOTA | NUMBERS_EXHAUSTED).
    """
    from quintet.store import moving  # it needs this module

    done = []
    for one in kept:
        row = tx.one(
            "DELETE FROM expunged WHERE folder_id = ? AND uid = ? RETURNING uid, flags, keywords, size,"
            " received_at, message_id, entry_id", one.folder_id, one.uid,
        )  # fmt: skip
        if row is None:
            continue
        place = _place(tx, one, target or one.folder_name)
        (pair,) = moving.insert_rows(tx, place, [(row[0], row[1] & ~DELETED, *row[2:6])])
        if row[6]:
            props.rename_entry(tx, row[6], place.id, pair.target_uid)
        done.append((place.id, pair))
    return done


def _place(tx: Tx, one: Kept, name: str) -> Folder:
    """The folder of a name, made anew when it is gone; only one for items takes what never was MIME."""
    has_mime = tx.value("SELECT blob_id FROM message WHERE id = ?", one.message_row) is not None
    kind = FolderKind.MAIL if has_mime else FolderKind.ITEM
    place = folders.find(tx, one.account_id, name) or folders.create(tx, one.account_id, name, kind)
    if place.kind == FolderKind.GROUP or (not has_mime and place.kind != FolderKind.ITEM):
        raise Refused(Reason.NO_PERMISSION, f"{name} does not take it")
    return place


def lapse(tx: Tx, rows: Sequence[tuple[FolderId, Uid]]) -> int:
    """These can no longer be had back; their content is swept.  Those on hold stay.  Returns how many."""
    gone: list[int] = []
    for folder_id, uid in rows:
        row = tx.one(
            "DELETE FROM expunged WHERE folder_id = ? AND uid = ? AND NOT EXISTS (SELECT 1 FROM hold h"
            " WHERE h.account_id = expunged.account_id AND h.folder_id IN (0, expunged.folder_id))"
            " RETURNING message_id, entry_id", folder_id, uid,
        )  # fmt: skip
        if row is not None:
            gone.append(row[0])
            if row[1]:
                props.forget_entry(tx, row[1])
    _doom(tx, gone)
    return len(gone)


def before(
    tx: Tx, expunged_before: int, after: tuple[int, int, int] = (0, 0, 0), limit: int = 500
) -> list[tuple[Kept, str, str]]:
    """Everything kept that was expunged before a time, the first first, with account and role of the folder.

    What is on hold is left out.  A folder that is gone has no role.
    """
    columns = ", ".join(f"x.{name}" for name in _COLUMNS.split(", "))
    rows = tx.all(
        f"SELECT {columns}, a.name, coalesce(f.role, '') FROM expunged x"
        " JOIN account a ON a.id = x.account_id"
        " LEFT JOIN folder f ON f.id = x.folder_id"
        " WHERE x.expunged_at < ? AND (x.expunged_at, x.folder_id, x.uid) > (?, ?, ?)"
        " AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.account_id = x.account_id"
        " AND h.folder_id IN (0, x.folder_id)) ORDER BY x.expunged_at, x.folder_id, x.uid LIMIT ?",
        expunged_before, *after, limit,
    )  # fmt: skip
    return [(Kept(*row[:-2]), row[-2], row[-1]) for row in rows]


def forget_account(tx: Tx, account_id: AccountId) -> None:
    """Before an account goes.  Raises Refused(NO_PERMISSION): it, or a folder of it, is on hold."""
    expect_free(tx, account_id)
    rows = tx.all("SELECT DISTINCT message_id FROM expunged WHERE account_id = ?", account_id)
    _doom(tx, [row for (row,) in rows])
    tx.run(
        "DELETE FROM prop WHERE kind IN (2, 3, 4) AND object_id IN"
        " (SELECT entry_id FROM expunged WHERE account_id = ? AND entry_id <> 0)", account_id,
    )  # fmt: skip
    tx.run("DELETE FROM expunged WHERE account_id = ?", account_id)


def expect_free(tx: Tx, account_id: AccountId) -> None:
    """Raises Refused(NO_PERMISSION): it, or a folder of it, is on hold."""
    if tx.one("SELECT 1 FROM hold WHERE account_id = ? LIMIT 1", account_id) is not None:
        raise Refused(Reason.NO_PERMISSION, "It is on hold: nothing of it may be lost")


def forget_some(tx: Tx, account_id: AccountId, limit: int) -> int:
    """So many of what could be had back of an account that is about to go; how many there were."""
    rows = tx.all("SELECT folder_id, uid FROM expunged WHERE account_id = ? LIMIT ?", account_id, limit)
    return lapse(tx, rows)


def _doom(tx: Tx, messages: Sequence[int]) -> None:
    tx.many(
        "INSERT INTO garbage (message_id, doomed_at) VALUES (?, ?) ON CONFLICT (message_id) DO NOTHING",
        [(message_row, tx.now) for message_row in messages],
    )


# --- holds ------------------------------------------------------------------------------------------


def hold(tx: Tx, account_id: AccountId, folder_id: FolderId = WHOLE, reason: str = "") -> None:
    """Nothing of the account, or of that folder, may be lost from now on; again, it gets a new reason.

    Raises Refused(NO_SUCH_ACCOUNT | NO_SUCH_FOLDER).
    """
    if tx.one("SELECT 1 FROM account WHERE id = ?", account_id) is None:
        raise Refused(Reason.NO_SUCH_ACCOUNT)
    if folder_id and folders.get(tx, folder_id).account_id != account_id:
        raise Refused(Reason.NO_SUCH_FOLDER)
    tx.run(
        "INSERT INTO hold (account_id, folder_id, reason, created_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (account_id, folder_id) DO UPDATE SET reason = excluded.reason",
        account_id, folder_id, text(reason), tx.now,
    )  # fmt: skip


def lift(tx: Tx, account_id: AccountId, folder_id: FolderId = WHOLE) -> bool:
    """Ends a hold; False when there was none.  What was kept only for it goes with the next expiry."""
    return tx.run("DELETE FROM hold WHERE account_id = ? AND folder_id = ?", account_id, folder_id) > 0


def holds(tx: Tx) -> list[Hold]:
    rows = tx.all("SELECT account_id, folder_id, reason, created_at FROM hold ORDER BY account_id, folder_id")
    return [Hold(*row) for row in rows]


def is_held(holding: Sequence[Hold]) -> Callable[[AccountId, FolderId], bool]:
    """A question to a list of holds: may nothing be lost there?"""
    places = {(one.account_id, one.folder_id) for one in holding}

    def held(account_id: AccountId, folder_id: FolderId) -> bool:
        return (account_id, 0) in places or (account_id, folder_id) in places

    return held
