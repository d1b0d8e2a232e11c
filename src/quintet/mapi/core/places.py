"""Folders by what they are for, also on systems that begin with an Inbox and nothing else."""

from __future__ import annotations

from typing import Final

from quintet.mapi import pr
from quintet.mapi.bag import Bag
from quintet.mapi.core.notify import Hub
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import listing
from quintet.mapi.providers.base import Can, EntryId, Kind, MessageStore, Special, Thing

NAMES: Final = {
    Special.CALENDAR: ("Calendar", "IPF.Appointment"),
    Special.CONTACTS: ("Contacts", "IPF.Contact"),
    Special.TASKS: ("Tasks", "IPF.Task"),
    Special.NOTES: ("Notes", "IPF.StickyNote"),
    Special.JOURNAL: ("Journal", "IPF.Journal"),
    Special.DRAFTS: ("Drafts", "IPF.Note"),
    Special.SENT: ("Sent", "IPF.Note"),
    Special.DELETED: ("Trash", "IPF.Note"),
    Special.OUTBOX: ("Outbox", "IPF.Note"),
    Special.JUNK: ("Junk", "IPF.Note"),
}
"""What such a folder is called where it has to be made, and of which class it is."""


def names(which: Special) -> tuple[str, ...]:
    """What it is called; a server may have a folder of the first name that it does not show, as by IMAP."""
    name = NAMES[which][0]
    return name, f"{name} 2"


def found(source: MessageStore, which: Special) -> EntryId | None:
    """A folder by what it is for, made here once or there of its own accord; None: there is none."""
    known = source.special().get(which)
    if known is not None or which not in NAMES:
        return known
    rows = source.folders(source.top)
    return next((there for name in names(which) if (there := listing.named(rows, name))), None)


def place(source: MessageStore, hub: Hub, which: Special) -> EntryId:
    """A folder by what it is for; made where a system has folders but not this one.

    Raises MapiError(NOT_FOUND): there is none, and none can be made.
    """
    there = found(source, which)
    if there is not None:
        return there
    if Can.FOLDERS not in source.can or which not in NAMES:
        raise MapiError(Code.NOT_FOUND, f"{source.name} has no folder for {which.value}")
    for name in names(which):
        props: Bag = {pr.DISPLAY_NAME: name, pr.CONTAINER_CLASS: NAMES[which][1]}
        try:
            entry = source.make_folder(source.top, props)
        except MapiError as error:
            if error.code != Code.COLLIDING_NAMES:
                raise
            continue
        hub.did(Kind.CREATED, Thing.FOLDER, entry, source.top)
        return entry
    raise MapiError(Code.COLLIDING_NAMES, f"{source.name} has hidden folders of these names")


def sent(source: MessageStore, hub: Hub) -> EntryId | None:
    """Where copies of what was sent go; None on a system that keeps none."""
    keeps = Can.SAVE in source.can and Can.FOLDERS in source.can
    return place(source, hub, Special.SENT) if keeps else source.special().get(Special.SENT)


def writing(source: MessageStore, hub: Hub) -> EntryId:
    """Where a letter that is to be sent is written: the outbox, else the drafts.

    On a system that keeps nothing it is the Inbox: the letter is never saved there.
    """
    outbox = source.special().get(Special.OUTBOX)
    if outbox is not None:
        return outbox
    if Can.SAVE in source.can and Can.FOLDERS in source.can:
        return place(source, hub, Special.DRAFTS)
    return source.special().get(Special.DRAFTS) or source.special().get(Special.INBOX) or source.top
