"""Access: who may do what in a folder, by the letters of RFC 4314.

The owner may everything.  Rows name accounts, teams ("$NAME"), "anyone" (all, also who did not log in),
"authenticated" or "anonymous" (who did not); "-" before the name takes rights away whatever gives them.
  Groups have a rule instead of rows, unless rows are there: whoever logged in
reads, keeps marks, and posts as far as the group's status allows.  The first row makes a group private:
from then on the rows alone count, and "anyone" or "authenticated" must be named to open it again.
"""

from __future__ import annotations

from collections.abc import Iterable

from quintet.errors import Reason, Refused
from quintet.store import folders, teams
from quintet.store.db import Tx
from quintet.store.model import AccountId, Folder, FolderId, FolderKind

ALL = "lrswipkxtean"  # RFC 4314 2.1, RFC 5257 3.4
ANYONE = "anyone"
AUTHENTICATED = "authenticated"
ANONYMOUS = "anonymous"
EVERYBODY = (ANYONE, AUTHENTICATED, ANONYMOUS)  # identifiers that are no account's name
MAX_ROWS = 1000  # identifiers of one folder
_GROUP = {"y": "lrsp", "m": "lrsp"}  # what posting means in a moderated group is delivery's business
_GROUP_READ = "lrs"


def rights(tx: Tx, account_id: AccountId | None, folder_id: FolderId) -> str:
    """The letters an account (None: nobody logged in) has; "" for a folder that is not there."""
    try:
        folder = folders.get(tx, folder_id)
    except Refused:
        return ""
    return of_folder(tx, account_id, folder)


def of_folder(tx: Tx, account_id: AccountId | None, folder: Folder) -> str:
    """The same when the folder is at hand."""
    if folder.account_id == account_id:
        return ALL
    rows = dict(tx.all("SELECT who, rights FROM access WHERE folder_id = ?", folder.id))
    if folder.kind == FolderKind.GROUP and not rows:
        return open_group(folder.status) if account_id is not None else "lr"
    if not rows:
        return ""
    names: tuple[str, ...] = (ANONYMOUS, ANYONE)
    if account_id is not None:
        name = tx.value("SELECT name FROM account WHERE id = ?", account_id) or ""
        names = (name, ANYONE, AUTHENTICATED, *_teams(tx, account_id, rows))
    return _sum(rows, names, names)


def of_groups(tx: Tx) -> set[FolderId]:
    """The groups that have rows, and so no longer the rule."""
    rows = tx.all(
        "SELECT DISTINCT a.folder_id FROM access a CROSS JOIN folder f WHERE f.id = a.folder_id"
        " AND f.kind = 'group'"
    )
    return {FolderId(number) for (number,) in rows}


def any_of_groups(tx: Tx) -> bool:
    """Whether there is such a group."""
    return (
        tx.value(
            "SELECT 1 FROM access a CROSS JOIN folder f WHERE f.id = a.folder_id AND f.kind = 'group' LIMIT 1"
        )
        is not None
    )


def open_group(status: str) -> str:
    """What everybody who logged in may in a group without rows."""
    return _GROUP.get(status, _GROUP_READ)


def by_name(tx: Tx, account_id: AccountId, folder: Folder) -> str:
    """The letters that an account has by its own name or a team's, not as one of everybody."""
    rows = dict(tx.all("SELECT who, rights FROM access WHERE folder_id = ?", folder.id))
    name = tx.value("SELECT name FROM account WHERE id = ?", account_id) or ""
    names = (name, *_teams(tx, account_id, rows))
    return _sum(rows, names, (*names, ANYONE, AUTHENTICATED))


def _teams(tx: Tx, account_id: AccountId, rows: dict[str, str]) -> list[str]:
    """Identifiers of the account's teams; not looked for where no row names any."""
    if not any(who.removeprefix("-").startswith(teams.MARK) for who in rows):
        return []
    return [teams.MARK + name for name in teams.of(tx, account_id)]


def _sum(rows: dict[str, str], given: Iterable[str], taken: Iterable[str]) -> str:
    plus = "".join(rows.get(name, "") for name in given)
    minus = "".join(rows.get("-" + name, "") for name in taken)
    return "".join(letter for letter in ALL if letter in plus and letter not in minus)


def is_known(tx: Tx, who: str) -> bool:
    """There is such an identifier: one of `EVERYBODY`, an account or a team, with "-" before it or not."""
    bare = who.lower().removeprefix("-")
    if bare.startswith(teams.MARK):
        return teams.is_there(tx, bare)
    return bare in EVERYBODY or tx.one("SELECT 1 FROM account WHERE name = ?", bare) is not None


def spelled(letters: str) -> str:
    """Letters as they are kept: the old "c" and "d" by the new ones, in one order (RFC 4314 2.1.1).

    Raises Refused(BAD_NAME): not a letter we know.
    """
    letters = letters.replace("c", "k").replace("d", "xte")
    if any(letter not in ALL for letter in letters):
        raise Refused(Reason.BAD_NAME, letters)
    return "".join(letter for letter in ALL if letter in letters)


def grant(tx: Tx, folder_id: FolderId, who: str, letters: str) -> None:
    """Sets the rights of ``who`` (a name, "$" and a team's, one of `EVERYBODY`, or "-" and one of these).

    No letters is the same as `revoke`.  Raises Refused(NO_SUCH_FOLDER), Refused(BAD_NAME): not a letter we
    know, Refused(TOO_MANY).
    """
    folder = folders.get(tx, folder_id)
    packed = spelled(letters)
    if not packed:
        revoke(tx, folder_id, who)
        return
    if tx.value("SELECT count(*) FROM access WHERE folder_id = ?", folder_id) >= MAX_ROWS:
        raise Refused(Reason.TOO_MANY, "too many identifiers")
    tx.run(
        "INSERT INTO access (folder_id, who, rights) VALUES (?, ?, ?)"
        " ON CONFLICT (folder_id, who) DO UPDATE SET rights = excluded.rights",
        folder_id, who.lower(), packed,
    )  # fmt: skip
    tx.hint(folder.account_id, folder_id)
    _tell(tx, folder_id, who)


def revoke(tx: Tx, folder_id: FolderId, who: str) -> None:
    """Takes the row away; nothing happens when there is none."""
    folder = folders.get(tx, folder_id)
    tx.run("DELETE FROM access WHERE folder_id = ? AND who = ?", folder_id, who.lower())
    tx.hint(folder.account_id, folder_id)
    _tell(tx, folder_id, who)


def _tell(tx: Tx, folder_id: FolderId, who: str) -> None:
    """Those who may see now what they did not, or no more; not everybody at once."""
    bare = who.lower().removeprefix("-")
    if bare.startswith(teams.MARK):
        rows = tx.all("SELECT account_id FROM team_member WHERE team = ?", bare.removeprefix(teams.MARK))
    else:
        rows = tx.all("SELECT id FROM account WHERE name = ?", bare)
    for (account_id,) in rows:
        tx.hint(AccountId(account_id), folder_id)


def inherit(tx: Tx, folder_id: FolderId, parent_id: FolderId) -> None:
    """A new folder has the rights of the one above it (RFC 4314 4, CREATE)."""
    tx.run(
        "INSERT INTO access (folder_id, who, rights) SELECT CAST(? AS BIGINT), who, rights FROM access"
        " WHERE folder_id = ?", folder_id, parent_id,
    )  # fmt: skip
    for who in listing(tx, folder_id):
        _tell(tx, folder_id, who)


def current(tx: Tx, account_id: AccountId, folder_id: FolderId) -> str | None:
    """As `rights`; None for a folder that is gone."""
    try:
        return of_folder(tx, account_id, folders.get(tx, folder_id))
    except Refused:
        return None


def listing(tx: Tx, folder_id: FolderId) -> dict[str, str]:
    """Rights by name; the owner's, which are implied, are not among them."""
    return dict(tx.all("SELECT who, rights FROM access WHERE folder_id = ? ORDER BY who", folder_id))


def shared_with(tx: Tx, account_id: AccountId) -> list[FolderId]:
    """Folders of other people that an account may look up ("l")."""
    name = tx.value("SELECT name FROM account WHERE id = ?", account_id)
    rows = tx.all(
        "SELECT DISTINCT a.folder_id FROM access a JOIN folder f ON f.id = a.folder_id"
        " WHERE (a.who IN (?, 'anyone', 'authenticated')"
        " OR a.who IN (SELECT '$' || team FROM team_member WHERE account_id = ?))"
        " AND f.account_id <> ? AND f.kind <> 'group' ORDER BY a.folder_id", name, account_id, account_id,
    )  # fmt: skip
    return [FolderId(number) for (number,) in rows if "l" in rights(tx, account_id, FolderId(number))]


# rights that no letter tells: a property store's own


def more(tx: Tx, folder_id: FolderId) -> dict[str, int]:
    """Bits by name, of those that have any."""
    return dict(tx.all("SELECT who, bits FROM access_more WHERE folder_id = ?", folder_id))


def set_more(tx: Tx, folder_id: FolderId, who: str, bits: int) -> None:
    """Sets the bits of ``who``; 0 takes the row away.  Raises Refused(TOO_MANY)."""
    if not bits:
        tx.run("DELETE FROM access_more WHERE folder_id = ? AND who = ?", folder_id, who.lower())
        return
    if tx.value("SELECT count(*) FROM access_more WHERE folder_id = ?", folder_id) >= MAX_ROWS:
        raise Refused(Reason.TOO_MANY, "too many identifiers")
    tx.run(
        "INSERT INTO access_more (folder_id, who, bits) VALUES (?, ?, ?)"
        " ON CONFLICT (folder_id, who) DO UPDATE SET bits = excluded.bits",
        folder_id, who.lower(), bits,
    )  # fmt: skip


def more_of(tx: Tx, account_id: AccountId, folder_id: FolderId) -> int:
    """All bits that an account has, by its own name, a team's, or as one of everybody."""
    rows = more(tx, folder_id)
    if not rows:
        return 0
    name = tx.value("SELECT name FROM account WHERE id = ?", account_id) or ""
    found = 0
    for who in (name, ANYONE, AUTHENTICATED, *_teams(tx, account_id, dict.fromkeys(rows, ""))):
        found |= rows.get(who, 0)
    return found
