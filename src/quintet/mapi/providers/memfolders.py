"""The folders that an account in memory begins with, what its search folders find, and its first rights."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from quintet.mapi import match, names, pr, reminding
from quintet.mapi.bag import Bag
from quintet.mapi.providers import derive
from quintet.mapi.providers.base import Criteria, EntryId, Special

if TYPE_CHECKING:
    from quintet.mapi.providers.memstore import Message

SEARCH = 2  # PidTagFolderType
TITLES = {  # MS-OXOSFLD 2.2.2: what it is for, what people call it, what it holds
    Special.INBOX: ("Inbox", "IPF.Note"),
    Special.OUTBOX: ("Outbox", "IPF.Note"),
    Special.SENT: ("Sent Items", "IPF.Note"),
    Special.DELETED: ("Deleted Items", "IPF.Note"),
    Special.DRAFTS: ("Drafts", "IPF.Note"),
    Special.JUNK: ("Junk E-mail", "IPF.Note"),
    Special.CALENDAR: ("Calendar", "IPF.Appointment"),
    Special.CONTACTS: ("Contacts", "IPF.Contact"),
    Special.TASKS: ("Tasks", "IPF.Task"),
    Special.NOTES: ("Notes", "IPF.StickyNote"),
    Special.JOURNAL: ("Journal", "IPF.Journal"),
}


def plant(add: Callable[[EntryId, Bag], EntryId], root: EntryId) -> tuple[EntryId, dict[Special, EntryId]]:
    """Makes the folders; gives the top of people's folders, and the special ones."""
    top = add(root, {pr.DISPLAY_NAME: "Top of Information Store"})
    special = {
        Special.VIEWS: add(root, {pr.DISPLAY_NAME: "Common Views"}),
        Special.FINDER: add(root, {pr.DISPLAY_NAME: "Finder"}),
    }
    for one, (title, holds) in TITLES.items():
        special[one] = add(top, {pr.DISPLAY_NAME: title, pr.CONTAINER_CLASS: holds})
    kept: Bag = {pr.DISPLAY_NAME: "Reminders", pr.CONTAINER_CLASS: "Outlook.Reminder", pr.FOLDER_TYPE: SEARCH}
    special[Special.REMINDERS] = add(root, kept)
    return top, special


def reminders(top: EntryId, special: Mapping[Special, EntryId]) -> Criteria:
    """What the Reminders folder shows."""
    apart = [special[one] for one in (Special.DELETED, Special.JUNK, Special.DRAFTS, Special.OUTBOX)]
    asked = reminding.asked([names.tag(key) for key in reminding.KEYS], apart)
    return Criteria(asked, (top,), recursive=True)


def found(criteria: Criteria, messages: Iterable[Message]) -> list[Message]:
    """Those that a search folder shows.  Raises MapiError: a restriction that nobody can answer."""
    matcher = match.compiled(criteria.restriction)
    keys = [names.key(tag) for tag in matcher.keys]
    shown = []
    for one in messages:
        parts = functools.partial(derive.parts, one.item)
        if matcher.test([one.row.get(key) for key in keys], parts):
            shown.append(one)
    return shown if matcher.limit is None else shown[: matcher.limit]


def nobody_else() -> list[Bag]:
    """The two rows that each folder has: everybody else, and who is not known (MS-OXCPERM 2.2.4)."""
    return [
        {pr.MEMBER_ID: 0, pr.MEMBER_NAME: "", pr.MEMBER_ENTRYID: b"", pr.MEMBER_RIGHTS: 0},
        {pr.MEMBER_ID: -1, pr.MEMBER_NAME: "Anonymous", pr.MEMBER_ENTRYID: b"", pr.MEMBER_RIGHTS: 0},
    ]
