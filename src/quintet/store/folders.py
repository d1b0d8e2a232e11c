"""Folders: the tree of places, their names, roles, counts and subscriptions.

Names are whole paths with "/" between levels, NFC, "INBOX" in capitals (RFC 9051 5.1).  Who may do
what is decided before by `store.access`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from quintet.errors import Reason, Refused, TryLater
from quintet.store import dialect, props
from quintet.store.db import Tx, bounded
from quintet.store.model import AccountId, Folder, FolderId, FolderKind, Modseq

MAX_NAME = 1000  # characters of a whole path; RFC 9051 sets none, file systems and clients stop near here
MAX_LEVELS = 100
MAX_SUBSCRIPTIONS = 50_000  # of one account: all its folders, and more newsgroups than anybody reads
INBOX = "INBOX"
TOP = "subtree"  # the role of the folder that stands for all without a parent, where an account has one

COLUMNS = (
    "id, account_id, parent_id, name, kind, role, uid_validity, uid_next, low, messages, unseen, deleted,"
    " bytes, highest_modseq, created_modseq, changed_modseq, quota_bytes, quota_messages, status,"
    " description, moderator, created_at, created_by, changed_at"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # RFC 9051 5.1: no controls


def normal_name(name: str) -> str:
    """A path as it is kept.

    Raises:
        Refused(BAD_NAME): an empty level, a control character, or too long.
    """
    name = unicodedata.normalize("NFC", name)
    levels = name.split("/")
    if not all(levels) or len(levels) > MAX_LEVELS or len(name) > MAX_NAME or _CONTROL.search(name):
        raise Refused(Reason.BAD_NAME, name)
    if levels[0].upper() == INBOX:
        levels[0] = INBOX
    return "/".join(levels)


def _too_much(name: str) -> bool:
    return len(name) > MAX_NAME or name.count("/") >= MAX_LEVELS


def create(
    tx: Tx,
    account_id: AccountId,
    name: str,
    kind: str = FolderKind.MAIL,
    role: str = "",
    *,
    parents: bool = True,
    status: str = "",
    description: str = "",
    created_by: str = "",
) -> Folder:
    """A new, empty folder; with ``parents`` the levels above that are missing.

    Raises:
        Refused(ALREADY_EXISTS | BAD_NAME | NO_SUCH_PARENT | NO_SUCH_ACCOUNT).
    """
    name = normal_name(name) if kind != FolderKind.GROUP else name
    if find(tx, account_id, name) is not None:
        raise Refused(Reason.ALREADY_EXISTS, name)
    parent_id = _parent(tx, account_id, name, kind, parents)
    modseq = _modseq(tx, account_id)
    folder_id = FolderId(tx.new_ids(1))
    tx.run(
        "INSERT INTO folder (id, account_id, parent_id, name, kind, role, uid_validity, highest_modseq,"
        " created_modseq, changed_modseq, status, description, created_at, created_by, changed_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        folder_id, account_id, parent_id, name, kind, role, _uid_validity(tx, account_id), modseq, modseq,
        modseq, status, description, tx.now, created_by, tx.now,
    )  # fmt: skip
    if kind != FolderKind.GROUP:
        _adopt(tx, account_id, folder_id, name)
    if parent_id is not None:
        from quintet.store import access  # it needs this module

        access.inherit(tx, folder_id, parent_id)
    tx.hint(account_id, folder_id)
    return get(tx, folder_id)


def _parent(tx: Tx, account_id: AccountId, name: str, kind: str, parents: bool) -> FolderId | None:
    above, _, _ = name.rpartition("/")
    if not above or kind == FolderKind.GROUP:
        return None
    found = tx.value("SELECT id FROM folder WHERE account_id = ? AND name = ?", account_id, above)
    if found is not None:
        return FolderId(found)
    if not parents:
        raise Refused(Reason.NO_SUCH_PARENT, above)
    return create(tx, account_id, above, kind).id


def _adopt(tx: Tx, account_id: AccountId, folder_id: FolderId, name: str) -> None:
    """Children that lost a parent of that name get this one."""
    for child, path in _below(tx, account_id, name):
        if "/" not in path[len(name) + 1 :]:
            tx.run("UPDATE folder SET parent_id = ? WHERE id = ?", folder_id, child)


def _below(tx: Tx, account_id: AccountId, name: str) -> list[tuple[FolderId, str]]:
    """Everything under a path.  Compared by prefix, because an order of texts differs with the engine."""
    rows = tx.all(
        "SELECT id, name FROM folder WHERE account_id = ? AND substr(name, 1, ?) = ? ORDER BY id",
        account_id, len(name) + 1, name + "/",
    )  # fmt: skip
    return [(FolderId(number), path) for number, path in rows]


def _uid_validity(tx: Tx, account_id: AccountId) -> int:
    """Seconds since 1970, but never one that the account had before (RFC 9051 2.3.1.1)."""
    last = int(tx.value("SELECT uid_validity FROM account WHERE id = ?", account_id))
    value = max(tx.now // 1000, last + 1)
    tx.run("UPDATE account SET uid_validity = ? WHERE id = ?", value, account_id)
    return value


def find(tx: Tx, account_id: AccountId, name: str) -> Folder | None:
    """By its path; the name is compared as it is kept, only INBOX in any case."""
    if name[:5].upper() == INBOX and (len(name) == 5 or name[5] == "/"):
        name = INBOX + name[5:]
    row = tx.one(f"SELECT {COLUMNS} FROM folder WHERE account_id = ? AND name = ?", account_id, name)
    if row is None and not name.isascii():
        normal = unicodedata.normalize("NFC", name)
        if normal != name:
            return find(tx, account_id, normal)
    return None if row is None else Folder(*row)


def number(tx: Tx, account_id: AccountId, name: str) -> FolderId | None:
    """Which folder has exactly this path: what an index alone tells."""
    found: FolderId | None = tx.value(
        "SELECT id FROM folder WHERE account_id = ? AND name = ?", account_id, name
    )
    return found


def fewer(tx: Tx, account_id: AccountId, most: int) -> bool:
    """True if the account has fewer than ``most`` folders, and subscriptions; counts no further."""
    return not any(
        tx.value(f"SELECT 1 FROM {table} WHERE account_id = ? LIMIT 1 OFFSET ?", account_id, most - 1)
        for table in ("folder", "subscription")
    )


def get(tx: Tx, folder_id: FolderId) -> Folder:
    """Raises Refused(NO_SUCH_FOLDER)."""
    row = tx.one(f"SELECT {COLUMNS} FROM folder WHERE id = ?", folder_id)
    if row is None:
        raise Refused(Reason.NO_SUCH_FOLDER)
    return Folder(*row)


def messages(tx: Tx, account_id: AccountId) -> int:
    """How many entries an account's folders show together."""
    sql = "SELECT CAST(coalesce(sum(messages), 0) AS BIGINT) FROM folder WHERE account_id = ?"
    return int(tx.value(sql, account_id))


def by_role(tx: Tx, account_id: AccountId, role: str) -> Folder | None:
    """The account's folder for a purpose (RFC 6154)."""
    row = tx.one(
        f"SELECT {COLUMNS} FROM folder WHERE account_id = ? AND role = ? ORDER BY id LIMIT 1",
        account_id,
        role,
    )
    return None if row is None else Folder(*row)


def listing(tx: Tx, account_id: AccountId) -> list[Folder]:
    """All folders of an account, in the order of their names (by code point)."""
    rows = tx.all(f"SELECT {COLUMNS} FROM folder WHERE account_id = ?", account_id)
    return sorted((Folder(*row) for row in rows), key=lambda folder: folder.name)


def room(tx: Tx, account_id: AccountId, name: str, limit: int) -> bool:
    """True if an account may have ``name`` and the levels above it that are missing: ``limit`` in all."""
    levels = name.split("/")
    paths = ["/".join(levels[:depth]) for depth in range(1, len(levels) + 1)]
    missing = sum(1 for path in paths if find(tx, account_id, path) is None)
    have = tx.value("SELECT count(*) FROM folder WHERE account_id = ?", account_id)
    return not missing or int(have) + missing <= limit


def children(tx: Tx, folder_id: FolderId) -> list[Folder]:
    """The folders right under one, in the order of their names."""
    rows = tx.all(f"SELECT {COLUMNS} FROM folder WHERE parent_id = ?", folder_id)
    return sorted((Folder(*row) for row in rows), key=lambda folder: folder.name)


def is_above(tx: Tx, account_id: AccountId, name: str) -> bool:
    """Whether an account has anything below a name, which need not be there itself."""
    found = find(tx, account_id, name)
    if found is not None and tx.one("SELECT 1 FROM folder WHERE parent_id = ? LIMIT 1", found.id) is not None:
        return True
    start = f"{name}/"  # a level between them may be missing
    found_below = tx.one(
        "SELECT 1 FROM folder WHERE account_id = ? AND substr(name, 1, ?) = ? LIMIT 1",
        account_id, len(start), start,
    )  # fmt: skip
    return found_below is not None


def outline(tx: Tx, account_id: AccountId) -> list[tuple[str, str]]:
    """Name and role of each mail folder of an account, in no order: what a list of 10,000 needs."""
    # the kind is looked at here: in the SQL it makes SQLite walk through everybody's folders of that kind
    rows = tx.all("SELECT name, role, kind FROM folder WHERE account_id = ?", account_id)
    return [(name, role) for name, role, kind in rows if kind == FolderKind.MAIL]


def count(tx: Tx, account_id: AccountId) -> int:
    """How many folders with mail an account has."""
    # counted so for the same reason as in `outline`
    return int(
        tx.value(
            "SELECT count(CASE WHEN kind = 'mail' THEN 1 END) FROM folder WHERE account_id = ?", account_id
        )
    )


def set_role(tx: Tx, folder_id: FolderId, role: str) -> None:
    """Gives a role, and takes it from the folder that had it."""
    folder = get(tx, folder_id)
    modseq = _modseq(tx, folder.account_id)
    if role and (other := by_role(tx, folder.account_id, role)) is not None:
        tx.run(
            "UPDATE folder SET role = '', changed_modseq = ?, changed_at = ?"
            " WHERE account_id = ? AND role = ?",
            modseq, tx.now, folder.account_id, role,
        )  # fmt: skip
        tx.hint(folder.account_id, other.id)
    tx.run(
        "UPDATE folder SET role = ?, changed_modseq = ?, changed_at = ? WHERE id = ?",
        role, modseq, tx.now, folder_id,
    )  # fmt: skip
    tx.hint(folder.account_id, folder_id)


_SHAPE = (
    "SELECT count(*), coalesce(max(changed_modseq), 0), coalesce(max(id), 0) FROM folder WHERE account_id = ?"
)


def shape(tx: Tx, account_id: AccountId) -> tuple[int, int, int]:
    """Numbers that differ once a folder of the account came, went, or changed itself."""
    row = tx.one(_SHAPE, account_id)
    assert row is not None
    return row[0], row[1], row[2]


def changed(tx: Tx, modseq: Modseq, among: Iterable[int]) -> list[FolderId]:
    """Those of some folders of an account in which something happened after a change number."""
    members, param = dialect.among(tx.engine, among)
    rows = tx.all(f"SELECT id FROM folder WHERE id {members} AND highest_modseq > ?", param, modseq)
    return [FolderId(number) for (number,) in rows]


def changed_of(tx: Tx, account_id: AccountId, modseq: Modseq, limit: int = 1000) -> list[FolderId]:
    """Folders of an account in which something happened after a change number, up to ``limit`` of them."""
    rows = tx.all(
        "SELECT id FROM folder WHERE account_id = ? AND highest_modseq > ? LIMIT ?",
        account_id, modseq, limit,
    )  # fmt: skip
    return [FolderId(number) for (number,) in rows]


def touch(tx: Tx, folder_id: FolderId) -> Modseq:
    """Something that only its properties tell has changed of the folder itself: its next change number."""
    folder = get(tx, folder_id)
    modseq = _modseq(tx, folder.account_id)
    tx.run(
        "UPDATE folder SET changed_modseq = ?, highest_modseq = ?, changed_at = ? WHERE id = ?",
        modseq, modseq, tx.now, folder_id,
    )  # fmt: skip
    tx.hint(folder.account_id, folder_id)
    return modseq


def stir(tx: Tx, folder_id: FolderId, modseq: Modseq) -> None:
    """Notes that something in it changed that its counts do not tell."""
    tx.run("UPDATE folder SET highest_modseq = ?, stirred_at = ? WHERE id = ?", modseq, tx.now, folder_id)


def stirred(tx: Tx, folder: Folder) -> int:
    """When something right in it last came, changed or went, an entry or a folder; UTC ms."""
    is_top = folder.role == TOP
    times = (
        tx.value("SELECT stirred_at FROM folder WHERE id = ?", folder.id),
        tx.value("SELECT saved_at FROM entry WHERE folder_id = ? ORDER BY uid DESC LIMIT 1", folder.id),
        tx.value("SELECT max(changed_at) FROM folder WHERE parent_id = ?", folder.id),
        tx.value(
            "SELECT changed_at FROM folder WHERE account_id = ? AND parent_id IS NULL AND id <> ?"
            " ORDER BY changed_modseq DESC LIMIT 1", folder.account_id, folder.id,
        ) if is_top else 0,
    )  # fmt: skip
    return max(folder.created_at, *(time or 0 for time in times))


def _stir_above(tx: Tx, folder: Folder) -> None:
    """A folder goes from where it is."""
    if folder.parent_id is not None:
        tx.run("UPDATE folder SET stirred_at = ? WHERE id = ?", tx.now, folder.parent_id)
        return
    tx.run(
        "UPDATE folder SET stirred_at = ? WHERE account_id = ? AND role = ? AND role <> ''",  # by its index
        tx.now, folder.account_id, TOP,
    )  # fmt: skip


def rename(tx: Tx, folder_id: FolderId, new: str, *, most: int | None = None) -> Folder:
    """Moves a folder with everything under it to another name.

    Renaming INBOX moves its messages to a new folder and leaves INBOX, empty, with its children
    (RFC 9051 6.3.6).  Where it has more than ``most`` they stay: the caller moves them (`emptying.pour`).
    Returns the folder that has the new name.

    Raises:
        Refused(NO_SUCH_FOLDER | ALREADY_EXISTS | BAD_NAME).
    """
    folder = get(tx, folder_id)
    new = normal_name(new)
    if find(tx, folder.account_id, new) is not None:
        raise Refused(Reason.ALREADY_EXISTS, new)
    if folder.name == INBOX:
        return _rename_inbox(tx, folder, new, most)
    if new.startswith(folder.name + "/"):
        raise Refused(Reason.BAD_NAME, new)  # into itself
    children = _below(tx, folder.account_id, folder.name)
    if any(_too_much(new + path[len(folder.name) :]) for _, path in children):
        raise Refused(Reason.BAD_NAME, new)
    # children that stand under the new name already would collide, unless they move away themselves
    moving = {path for _, path in children} | {folder.name}
    taken = {path for _, path in _below(tx, folder.account_id, new)} - moving
    if any(new + path[len(folder.name) :] in taken for _, path in children):
        raise Refused(Reason.ALREADY_EXISTS, new)
    parent_id = _parent(tx, folder.account_id, new, folder.kind, True)
    modseq = _modseq(tx, folder.account_id)
    if parent_id != folder.parent_id:
        _stir_above(tx, folder)
    tx.run(
        "UPDATE folder SET name = ?, parent_id = ?, changed_modseq = ?, highest_modseq = ?, changed_at = ?"
        " WHERE id = ?",
        new, parent_id, modseq, modseq, tx.now, folder_id,
    )  # fmt: skip
    children.sort(key=lambda child: len(child[1]))  # a name above is free before one below takes it
    for child, path in children:
        tx.run(
            "UPDATE folder SET name = ?, changed_modseq = ?, highest_modseq = ?, changed_at = ? WHERE id = ?",
            new + path[len(folder.name) :], modseq, modseq, tx.now, child,
        )  # fmt: skip
        tx.hint(folder.account_id, child)
    _adopt(tx, folder.account_id, folder_id, new)
    tx.hint(folder.account_id, folder_id)
    return get(tx, folder_id)


def _rename_inbox(tx: Tx, inbox: Folder, new: str, most: int | None) -> Folder:
    from quintet.store import annotations, emptying  # they need this module

    target = create(tx, inbox.account_id, new)
    annotations.copy(tx, inbox.id, target.id)  # RFC 5464 4.1
    if most is None or inbox.messages <= most:
        emptying.pour(tx, inbox.id, target.id)
    return get(tx, target.id)


def remove(tx: Tx, folder_id: FolderId, *, refuse_children: bool = False) -> None:
    """Removes a folder and the entries in it; folders under it stay, under a name that has no folder.

    Raises:
        Refused(NO_SUCH_FOLDER), Refused(HAS_CHILDREN): only if ``refuse_children``.
    """
    from quintet.store import entry_annotations  # it needs this module

    folder = get(tx, folder_id)
    if refuse_children and tx.one("SELECT 1 FROM folder WHERE parent_id = ?", folder_id) is not None:
        raise Refused(Reason.HAS_CHILDREN, folder.name)
    from quintet.store import history, keeping  # they need this module

    keeping.keep(tx, folder)
    tx.run("UPDATE folder SET parent_id = NULL WHERE parent_id = ?", folder_id)
    tx.run(
        "INSERT INTO garbage (message_id, doomed_at) SELECT DISTINCT message_id, CAST(? AS BIGINT) FROM entry"
        " WHERE folder_id = ? ON CONFLICT (message_id) DO NOTHING",
        tx.now, folder_id,
    )  # fmt: skip
    hidden = tx.one(
        "SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM entry"
        " WHERE folder_id = ? AND hidden = 1",
        folder_id,
    )
    assert hidden is not None
    tx.run(
        "DELETE FROM prop WHERE kind IN (2, 3, 4) AND object_id IN (SELECT id FROM entry WHERE folder_id = ?)"
        f" AND {props.NOT_KEPT}", folder_id,
    )  # fmt: skip
    tx.run("DELETE FROM prop WHERE kind = 1 AND object_id = ?", folder_id)
    tx.run("DELETE FROM annotation WHERE folder_id = ?", folder_id)
    entry_annotations.forget(tx, folder)
    articles = [row for (row,) in tx.all("SELECT message_id FROM entry WHERE folder_id = ?", folder_id)]
    tx.run("DELETE FROM entry WHERE folder_id = ?", folder_id)
    if folder.kind == FolderKind.GROUP:
        history.detach_gone(tx, articles)
    modseq = book(tx, folder.account_id, -folder.bytes - hidden[1], -folder.messages - hidden[0])
    tx.run(
        "INSERT INTO folder_tombstone (account_id, folder_id, name, modseq) VALUES (?, ?, ?, ?)",
        folder.account_id, folder_id, folder.name, modseq,
    )  # fmt: skip
    _stir_above(tx, folder)
    tx.run("DELETE FROM folder WHERE id = ?", folder_id)
    tx.hint(folder.account_id, folder_id)


def _modseq(tx: Tx, account_id: AccountId) -> Modseq:
    return book(tx, account_id, 0, 0)


def book(tx: Tx, account_id: AccountId, size: int, messages: int) -> Modseq:
    """Takes the account's next change number, and books what it now holds more (or less).

    Raises:
        Refused(NO_SUCH_ACCOUNT), TryLater(OVER_QUOTA): it grew beyond what it may hold.
    """
    row = tx.one(
        "UPDATE account SET modseq = modseq + 1, used_bytes = used_bytes + ?,"
        " used_messages = used_messages + ?"
        " WHERE id = ? RETURNING modseq, quota_bytes, used_bytes, quota_messages, used_messages",
        size, messages, account_id,
    )  # fmt: skip
    if row is None:
        raise Refused(Reason.NO_SUCH_ACCOUNT)
    check_quota(row[1:], size, messages)
    return Modseq(row[0])


def check_quota(row: Sequence[Any], size: int, messages: int) -> None:
    """``row``: quota_bytes, used_bytes, quota_messages, used_messages.  Raises TryLater(OVER_QUOTA)."""
    quota_bytes, used_bytes, quota_messages, used_messages = row
    if (quota_bytes and size > 0 and used_bytes > quota_bytes) or (
        quota_messages and messages > 0 and used_messages > quota_messages
    ):
        raise TryLater(Reason.OVER_QUOTA)


def deleted_bytes(tx: Tx, folder: Folder) -> int:
    """What its entries that are marked \\Deleted hold; looks at all entries if there is any."""
    if not folder.deleted:
        return 0
    return int(
        tx.value(
            "SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM entry WHERE folder_id = ? AND flags & 8 <> 0"
            " AND hidden = 0", folder.id,
        )
    )  # fmt: skip


# subscriptions are names (RFC 9051 6.3.7): they outlive what they name


def subscribes(tx: Tx, account_id: AccountId, count: int) -> bool:
    """To so many names or more."""
    many = "SELECT 1 FROM subscription WHERE account_id = ? LIMIT 1 OFFSET ?"
    return tx.value(many, account_id, count - 1) is not None


@bounded()
def subscribe(tx: Tx, account_id: AccountId, name: str) -> None:
    """Raises Refused(TOO_MANY) beyond `MAX_SUBSCRIPTIONS`: names that are gone are among them."""
    name = _subscribed(name)
    there = "SELECT 1 FROM subscription WHERE account_id = ? AND name = ?"
    if subscribes(tx, account_id, MAX_SUBSCRIPTIONS) and not tx.value(there, account_id, name):
        raise Refused(Reason.TOO_MANY, "too many subscriptions")
    tx.run(
        "INSERT INTO subscription (account_id, name) VALUES (?, ?) ON CONFLICT (account_id, name) DO NOTHING",
        account_id, name,
    )  # fmt: skip
    tx.hint(account_id, FolderId(0))


@bounded()
def unsubscribe(tx: Tx, account_id: AccountId, name: str) -> None:
    tx.run("DELETE FROM subscription WHERE account_id = ? AND name = ?", account_id, _subscribed(name))
    tx.hint(account_id, FolderId(0))


def subscriptions(tx: Tx, account_id: AccountId) -> list[str]:
    return sorted(
        name for (name,) in tx.all("SELECT name FROM subscription WHERE account_id = ?", account_id)
    )


def _subscribed(name: str) -> str:
    name = unicodedata.normalize("NFC", name)
    return INBOX if name.upper() == INBOX else name
