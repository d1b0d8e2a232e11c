"""Mailbox names to folders, with what this account may do there (RFC 9051 5.1.2, RFC 2342, RFC 4314 4).

Plain transaction functions.  Own folders stand at the root; newsgroups below ``Groups/``, what other
accounts share below ``Users/NAME/``.  A folder that may not be looked up does not exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quintet.errors import Reason, Refused
from quintet.imap.names import GROUPS, USERS
from quintet.store import access, accounts, folders, groups, seen
from quintet.store.model import AccountId, Folder, FolderKind

if TYPE_CHECKING:
    from quintet.store.db import Tx

ALL_RIGHTS = "lrswipkxtea"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder as one account sees it."""

    folder: Folder
    name: str  # from this account's point of view
    rights: str
    reader: AccountId | None  # whose \\Seen marks are shown, None: the entries' own flags

    def may(self, right: str) -> bool:
        return right in self.rights


def find(tx: Tx, account_id: AccountId, name: str) -> Place | None:
    """The folder that ``name`` means to the account; None if there is none, or it may not know."""
    if name.startswith(GROUPS):
        folder = groups.find(tx, name.removeprefix(GROUPS))
    elif name.startswith(USERS):
        owner_name, _, rest = name.removeprefix(USERS).partition("/")
        owner = accounts.find(tx, owner_name) if rest else None
        folder = folders.find(tx, owner.id, rest) if owner is not None else None
    else:
        folder = folders.find(tx, account_id, name)
    if folder is None or folder.kind == FolderKind.ITEM:
        return None
    return place(tx, account_id, folder, name)


def place(tx: Tx, account_id: AccountId, folder: Folder, name: str) -> Place | None:
    """``folder`` with the account's rights; None without the right to look it up."""
    if folder.account_id == account_id:
        return Place(folder, name, ALL_RIGHTS, None)
    rights = access.of_folder(tx, account_id, folder)
    return Place(folder, name, rights, account_id) if "l" in rights else None


def get(tx: Tx, account_id: AccountId, name: str, rights: str = "") -> Place:
    """As `find`, but must be there.

    Raises:
        Refused(NO_SUCH_FOLDER): it is not.
        Refused(NO_PERMISSION): one of ``rights`` is missing.
    """
    found = find(tx, account_id, name)
    if found is None:
        raise Refused(Reason.NO_SUCH_FOLDER, "no such mailbox")
    if not all(right in found.rights for right in rights):
        raise Refused(Reason.NO_PERMISSION)
    return found


def own(tx: Tx, account_id: AccountId) -> Iterator[Place]:
    """The account's folders in the order of their names."""
    for folder in folders.listing(tx, account_id):
        if folder.kind == FolderKind.MAIL:
            yield Place(folder, folder.name, ALL_RIGHTS, None)


def newsgroups(tx: Tx, account_id: AccountId) -> Iterator[Place]:
    """The newsgroups that the account may look up, below ``Groups/``."""
    for folder in groups.listing(tx):
        found = place(tx, account_id, folder, GROUPS + folder.name)
        if found is not None:
            yield found


def shared(tx: Tx, account_id: AccountId) -> Iterator[Place]:
    """What other accounts share with this one, below ``Users/NAME/``."""
    for folder_id in access.shared_with(tx, account_id):
        folder = folders.get(tx, folder_id)
        if folder.kind != FolderKind.MAIL:
            continue
        owner = accounts.get(tx, folder.account_id)
        found = place(tx, account_id, folder, f"{USERS}{owner.name}/{folder.name}")
        if found is not None:
            yield found


def unseen(tx: Tx, where: Place) -> int:
    """How many messages this reader has not seen."""
    return where.folder.unseen if where.reader is None else seen.unseen(tx, where.folder, where.reader)
