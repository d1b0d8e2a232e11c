"""Mailbox names to folders, with what this account may do there (RFC 9051 5.1.2, RFC 2342, RFC 4314 4).

Plain transaction functions.  Own folders stand at the root; newsgroups below ``Groups/``, what other
people share below ``Users/NAME/``, what shared accounts hold below ``Public/NAME/``.  To who may not look it
up, a folder that refuses something is not there (RFC 4314 6).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from quintet.errors import Reason, Refused
from quintet.imap.names import GROUPS, PUBLIC, USERS
from quintet.store import access, accounts, folders, groups, seen
from quintet.store.model import (
    ALL_FLAGS,
    DELETED,
    SEEN,
    Account,
    AccountId,
    AccountKind,
    Folder,
    FolderId,
    FolderKind,
)

if TYPE_CHECKING:
    from quintet.store.db import Tx

ALL_RIGHTS = access.ALL


class Place(msgspec.Struct, frozen=True):
    """A folder as one account sees it."""

    folder: Folder
    name: str  # from this account's point of view
    rights: str
    reader: AccountId | None  # whose \\Seen marks are shown, None: the entries' own flags

    def may(self, right: str) -> bool:
        return right in self.rights


def flag_bits(rights: str) -> int:
    """The system flags that these rights let somebody change (RFC 4314 4: s, t, w)."""
    bits = SEEN if "s" in rights else 0
    if "t" in rights:
        bits |= DELETED
    if "w" in rights:
        bits |= ALL_FLAGS & ~(SEEN | DELETED)
    return bits


def owner_of(tx: Tx, name: str) -> tuple[Account | None, str]:
    """Whose folder ``Users/NAME/rest`` or ``Public/NAME/rest`` means, and how it is called there."""
    prefix = USERS if name.startswith(USERS) else PUBLIC
    owner_name, _, rest = name.removeprefix(prefix).partition("/")
    owner = accounts.find(tx, owner_name) if rest else None
    if owner is None or (owner.kind == AccountKind.SHARED) != (prefix == PUBLIC):
        return None, rest
    return owner, rest


def find(tx: Tx, account_id: AccountId, name: str) -> Place | None:
    """The folder that ``name`` means to the account; None if there is none, or it may nothing there."""
    if name.startswith(GROUPS):
        folder = groups.find(tx, name.removeprefix(GROUPS))
    elif name.startswith((USERS, PUBLIC)):
        owner, rest = owner_of(tx, name)
        folder = folders.find(tx, owner.id, rest) if owner is not None else None
    else:
        folder = folders.find(tx, account_id, name)
    if folder is None or folder.kind == FolderKind.ITEM:
        return None
    return place(tx, account_id, folder, name)


def place(tx: Tx, account_id: AccountId, folder: Folder, name: str) -> Place | None:
    """``folder`` with the account's rights; None without any."""
    if folder.account_id == account_id:
        return Place(folder, name, ALL_RIGHTS, None)
    rights = access.of_folder(tx, account_id, folder)
    return Place(folder, name, rights, account_id) if rights else None


def get(tx: Tx, account_id: AccountId, name: str, rights: str = "l") -> Place:
    """As `find`, but must be there, with all of ``rights``.

    Raises:
        Refused(NO_SUCH_FOLDER): it is not, or it refuses and may not be looked up.
        Refused(NO_PERMISSION): one of ``rights`` is missing.
    """
    return allowed(find(tx, account_id, name), rights)


def again(tx: Tx, account_id: AccountId, name: str, last: Place | None, rights: str = "l") -> Place:
    """As `get`, where ``name`` most often still means ``last``, which was found before.

    An own folder keeps its number, its UIDVALIDITY and its kind as long as it has its name; nothing else of
    ``last`` is as it is now.
    """
    if (
        last is not None
        and last.name == name
        and last.reader is None
        and last.folder.account_id == account_id
        and folders.number(tx, account_id, last.folder.name) == last.folder.id
    ):
        return last
    return get(tx, account_id, name, rights)


def allowed(found: Place | None, rights: str) -> Place:
    """``found``, if it is there and has ``rights``; raises as `get`."""
    if found is not None and all(right in found.rights for right in rights):
        return found
    if found is None or not found.may("l"):
        raise Refused(Reason.NO_SUCH_FOLDER, "no such mailbox")
    raise Refused(Reason.NO_PERMISSION)


def own(tx: Tx, account_id: AccountId) -> Iterator[Place]:
    """The account's folders in the order of their names."""
    for folder in folders.listing(tx, account_id):
        if folder.kind == FolderKind.MAIL:
            yield Place(folder, folder.name, ALL_RIGHTS, None)


def newsgroups(tx: Tx, account_id: AccountId) -> Iterator[Place]:
    """The newsgroups that the account may look up, below ``Groups/``."""
    closed = access.of_groups(tx)
    for folder in groups.listing(tx):
        if folder.id not in closed:
            yield Place(folder, GROUPS + folder.name, access.open_group(folder.status), account_id)
            continue
        found = place(tx, account_id, folder, GROUPS + folder.name)
        if found is not None and found.may("l"):
            yield found


def shared(tx: Tx, account_id: AccountId) -> Iterator[Place]:
    """What other accounts share with this one, below ``Users/NAME/`` and ``Public/NAME/``."""
    for folder_id in access.shared_with(tx, account_id):
        folder = folders.get(tx, folder_id)
        if folder.kind != FolderKind.MAIL:
            continue
        found = place(tx, account_id, folder, _of_others(tx, folder))
        if found is not None and found.may("l"):
            yield found


def called_now(tx: Tx, account_id: AccountId, folder_id: FolderId) -> Place | None:
    """A folder under the name that it has now: it may have been renamed since it was selected."""
    try:
        folder = folders.get(tx, folder_id)
    except Refused:
        return None
    name = folder.name
    if folder.kind == FolderKind.GROUP:
        name = GROUPS + name
    elif folder.account_id != account_id:
        name = _of_others(tx, folder)
    return place(tx, account_id, folder, name)


def _of_others(tx: Tx, folder: Folder) -> str:
    owner = accounts.get(tx, folder.account_id)
    return f"{PUBLIC if owner.kind == AccountKind.SHARED else USERS}{owner.name}/{folder.name}"


def unseen(tx: Tx, where: Place) -> int:
    """How many messages this reader has not seen."""
    return where.folder.unseen if where.reader is None else seen.unseen(tx, where.folder, where.reader)
