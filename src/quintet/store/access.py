"""Access: who may do what in a folder, by the letters of RFC 4314.

The owner may everything.  Groups have a rule instead of rows, unless rows are there: whoever logged in
reads, keeps marks, and posts as far as the group's status allows.  The first row makes a group private:
from then on the rows alone count, and "anyone" or "authenticated" must be named to open it again.
"""

from __future__ import annotations

from quintet.errors import Reason, Refused
from quintet.store import folders
from quintet.store.db import Tx
from quintet.store.model import AccountId, Folder, FolderId, FolderKind

ALL = "lrswipkxtea"  # RFC 4314 2.1
ANYONE = "anyone"
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
        return _GROUP.get(folder.status, _GROUP_READ) if account_id is not None else "lr"
    if not rows:
        return ""
    name = "" if account_id is None else tx.value("SELECT name FROM account WHERE id = ?", account_id) or ""
    plus = (rows.get(name) or "") + rows.get(ANYONE, "")
    minus = rows.get("-" + name, "") + rows.get("-" + ANYONE, "")
    if name:
        plus += rows.get("authenticated", "")
    return "".join(letter for letter in ALL if letter in plus and letter not in minus)


def grant(tx: Tx, folder_id: FolderId, who: str, letters: str) -> None:
    """Sets the rights of ``who`` (an account's name, "anyone", "authenticated", or "-name").

    No letters is the same as `revoke`.  Raises Refused(NO_SUCH_FOLDER | BAD_NAME): not a letter we know.
    """
    folder = folders.get(tx, folder_id)
    letters = letters.replace("c", "k").replace("d", "xte")  # RFC 4314 2.1.1: the old letters
    if not letters.isascii() or any(letter not in ALL for letter in letters):
        raise Refused(Reason.BAD_NAME, letters)
    if not letters:
        revoke(tx, folder_id, who)
        return
    packed = "".join(letter for letter in ALL if letter in letters)
    tx.run(
        "INSERT INTO access (folder_id, who, rights) VALUES (?, ?, ?)"
        " ON CONFLICT (folder_id, who) DO UPDATE SET rights = excluded.rights",
        folder_id, who.lower(), packed,
    )  # fmt: skip
    tx.hint(folder.account_id, folder_id)


def revoke(tx: Tx, folder_id: FolderId, who: str) -> None:
    """Takes the row away; nothing happens when there is none."""
    folder = folders.get(tx, folder_id)
    tx.run("DELETE FROM access WHERE folder_id = ? AND who = ?", folder_id, who.lower())
    tx.hint(folder.account_id, folder_id)


def listing(tx: Tx, folder_id: FolderId) -> dict[str, str]:
    """Rights by name; the owner's, which are implied, are not among them."""
    return dict(tx.all("SELECT who, rights FROM access WHERE folder_id = ? ORDER BY who", folder_id))


def shared_with(tx: Tx, account_id: AccountId) -> list[FolderId]:
    """Folders of other people that an account may look up ("l")."""
    name = tx.value("SELECT name FROM account WHERE id = ?", account_id)
    rows = tx.all(
        "SELECT DISTINCT a.folder_id FROM access a JOIN folder f ON f.id = a.folder_id"
        " WHERE a.who IN (?, 'anyone', 'authenticated') AND f.account_id <> ? AND f.kind <> 'group'"
        " ORDER BY a.folder_id", name, account_id,
    )  # fmt: skip
    return [FolderId(number) for (number,) in rows if "l" in rights(tx, account_id, FolderId(number))]
