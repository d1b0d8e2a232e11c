"""The folders that every mailbox and the public store have, and where they stand (MS-OXCSTOR 2.2.1.1.3).

Mail folders are the ones that all protocols show.  Beside them stand folders of kind "item": the root, what
hangs under it unseen, and those for appointments, contacts and the like.  They are made at the first logon.
What has no parent in the store stands under the subtree that users see.
"""

from __future__ import annotations

import sys
from typing import Final

from quintet.errors import Reason, Refused
from quintet.store import folders
from quintet.store.db import Tx
from quintet.store.model import Account, AccountKind, Folder, FolderId, FolderKind
from quintet.values import dataclass

ROOT: Final = "root"  # roles: what `Folder.role` says of them
SUBTREE: Final = "subtree"
NON_SUBTREE: Final = "nonsubtree"
SEARCH: Final = "search"
SEARCHES: Final = frozenset((SEARCH, "reminders"))  # what shows messages that lie elsewhere
MAX_TRIES = 100  # names that are tried for a folder whose own is taken


@dataclass(frozen=True, slots=True)
class Place:
    """One of the folders: its role, the name it gets, and its container class."""

    role: str
    name: str
    klass: str = "IPF.Note"
    kind: str = FolderKind.ITEM
    inside: bool = False  # under the root, where users do not see it


PRIVATE: Final = (
    Place(ROOT, "~", ""),
    Place(SUBTREE, "Top of Information Store", "", inside=True),
    Place("deferred", "Deferred Action", "", inside=True),
    Place("spooler", "Spooler Queue", "", inside=True),
    Place("common_views", "Common Views", "", inside=True),
    Place("schedule", "Schedule", "", inside=True),
    Place("finder", "Finder", "", inside=True),
    Place("views", "Views", "", inside=True),
    Place("shortcuts", "Shortcuts", "", inside=True),
    Place("freebusy", "Freebusy Data", "", inside=True),
    Place("reminders", "Reminders", "Outlook.Reminder", inside=True),
    Place("inbox", "INBOX", kind=FolderKind.MAIL),
    Place("drafts", "Drafts", kind=FolderKind.MAIL),
    Place("sent", "Sent", kind=FolderKind.MAIL),
    Place("junk", "Junk", kind=FolderKind.MAIL),
    Place("trash", "Trash", kind=FolderKind.MAIL),
    Place("outbox", "Outbox"),
    Place("calendar", "Calendar", "IPF.Appointment"),
    Place("contacts", "Contacts", "IPF.Contact"),
    Place("tasks", "Tasks", "IPF.Task"),
    Place("notes", "Notes", "IPF.StickyNote"),
    Place("journal", "Journal", "IPF.Journal"),
)
PUBLIC: Final = (
    Place(ROOT, "~", ""),
    Place(SUBTREE, "IPM_SUBTREE", "", inside=True),
    Place(NON_SUBTREE, "NON_IPM_SUBTREE", "", inside=True),
    Place("eforms", "EFORMS REGISTRY", "", inside=True),
    Place("freebusy", "SCHEDULE+ FREE BUSY", "", inside=True),
    Place("oab", "OFFLINE ADDRESS BOOK", "", inside=True),
)
CLASSES: Final = {place.role: place.klass for place in (*PRIVATE, *PUBLIC)}
INSIDE: Final = frozenset(place.role for place in (*PRIVATE, *PUBLIC) if place.inside) - {SUBTREE}
FRAME: Final = INSIDE | {ROOT, SUBTREE}  # no user's own: everybody who may log on sees that they are there

# in the order of RopLogon's FolderIds (MS-OXCSTOR 2.2.1.1.3, 2.2.1.1.4); "" is one that we do not have
LOGON_PRIVATE: Final = (
    ROOT, "deferred", "spooler", SUBTREE, "inbox", "outbox", "sent", "trash", "common_views", "schedule",
    "finder", "views", "shortcuts",
)  # fmt: skip
LOGON_PUBLIC: Final = (ROOT, SUBTREE, NON_SUBTREE, "eforms", "freebusy", "oab", "", "", "", "", "", "", "")


def of_account(account: Account) -> tuple[Place, ...]:
    return PUBLIC if account.kind == AccountKind.NEWS else PRIVATE


def find(tx: Tx, account: Account) -> dict[str, FolderId]:
    """The folders by their roles; those that are missing are left out."""
    rows = tx.all(
        "SELECT role, id FROM folder WHERE account_id = ? AND role <> '' ORDER BY id DESC", account.id
    )
    return {sys.intern(role): FolderId(number) for role, number in rows}  # thousands of sessions keep one


def complete(tx: Tx, account: Account) -> dict[str, FolderId]:
    """`find`, after making what is missing."""
    have = find(tx, account)
    for place in of_account(account):
        if place.role not in have:
            have[place.role] = _make(tx, account, place, have).id
    return have


def _make(tx: Tx, account: Account, place: Place, have: dict[str, FolderId]) -> Folder:
    """Under its own name, or that with a number behind it where a user has taken that.

    A mail folder of that name without a purpose of its own is taken for what it is called.
    """
    above = folders.get(tx, have[ROOT]).name + "/" if place.inside else ""
    there = folders.find(tx, account.id, above + place.name)
    if there is not None and there.kind == place.kind == FolderKind.MAIL and not there.role:
        folders.set_role(tx, there.id, place.role)
        return folders.get(tx, there.id)
    for number in range(1, MAX_TRIES):
        name = above + place.name + (f" {number}" if number > 1 else "")
        if folders.find(tx, account.id, name) is None:
            return folders.create(tx, account.id, name, place.kind, place.role)
    raise Refused(Reason.ALREADY_EXISTS, place.name)


def parent_of(folder: Folder, have: dict[str, FolderId]) -> FolderId:
    """The folder that one stands in; the root in itself."""
    if folder.role == ROOT:
        return folder.id
    return folder.parent_id if folder.parent_id is not None else have[SUBTREE]


def display_name(folder: Folder) -> str:
    """The last level of its path; groups have their whole name."""
    if folder.role == "inbox" and folder.name == folders.INBOX:
        return "Inbox"
    return folder.name if folder.kind == FolderKind.GROUP else folder.name.rpartition("/")[2]
