"""Where clients look up the special folders: entry ids on the root folder and on the Inbox (MS-OXOSFLD)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from quintet.mapi.objects import places
from quintet.mapi.objects.bagged import Fact
from quintet.mapi.types import Tag, Value

if TYPE_CHECKING:
    from quintet.mapi.objects.folder import Folder

ROLES: Final[dict[Tag, str]] = {
    0x36D00102: "calendar",
    0x36D10102: "contacts",
    0x36D20102: "journal",
    0x36D30102: "notes",
    0x36D40102: "tasks",
    0x36D50102: "reminders",
    0x36D70102: "drafts",
}
"""PidTagIpmAppointmentEntryId and its like."""

ADDITIONAL: Final[Tag] = 0x36D81102  # PidTagAdditionalRenEntryIds: conflicts, failures, junk
_JUNK_AT: Final = 4


def _entry(folder: Folder, role: str) -> Value:
    number = folder.box.special.get(role)
    return folder.box.folder_entry_id(number) if number and _tells(folder) else None


def _tells(folder: Folder) -> bool:
    return not folder.box.public and folder.row.role in (places.ROOT, "inbox")


def _additional(folder: Folder) -> Value:
    """The fifth is junk mail's; the others are of clients that synchronize."""
    junk = _entry(folder, "junk")
    return None if junk is None else [b""] * _JUNK_AT + [junk]


def _of(role: str) -> Fact:
    return lambda folder: _entry(folder, role)


FACTS: Final[dict[Tag, Fact]] = {tag: _of(role) for tag, role in ROLES.items()} | {ADDITIONAL: _additional}
