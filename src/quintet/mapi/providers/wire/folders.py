"""Folders of a store on the wire: what they are, made, moved, deleted, who may do what in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quintet.mapi import pr
from quintet.mapi.bag import Bag
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.ids import ShortId
from quintet.mapi.providers.base import EntryId
from quintet.mapi.providers.wire import loading, rows, saving
from quintet.mapi.providers.wire.entries import Entries, short
from quintet.mapi.providers.wire.link import Link, Talk, check
from quintet.mapi.rop import folders, others
from quintet.mapi.rop.batch import Slot
from quintet.mapi.rop.folders import DeleteFlag
from quintet.mapi.types import Error, Tag

GENERIC, SEARCH = 1, 2  # FolderType (MS-OXCFOLD 2.2.1.2.1)
PARENT: Final[Tag] = 0x67490014  # PidTagParentFolderId
REPLACE_ROWS, FREE_BUSY, ADD = 0x01, 0x02, 0x01  # MS-OXCPERM 2.2.2
RIGHTS: Final = (pr.ENTRYID, pr.MEMBER_ID, pr.MEMBER_NAME, pr.MEMBER_RIGHTS)
_SIMPLE_AND_DETAILED: Final = 0x1800  # of the rights: free and busy times


def opened(talk: Talk, entries: Entries, entry: EntryId) -> Slot:
    return talk.open(folders.OpenFolder(entries.folder_of(entry), 0))


def bag(link: Link, entries: Entries, entry: EntryId) -> Bag:
    """All that a folder says of itself."""
    talk = Talk(link)
    found = loading.every(talk, opened(talk, entries, entry))
    keys = link.keys_of(list(found))
    made: Bag = {key: value for key, value in zip(keys, found.values(), strict=True) if key is not None}
    return {**made, pr.ENTRYID: entry, pr.INSTANCE_KEY: entry}


def make(link: Link, entries: Entries, parent: EntryId, props: Bag) -> EntryId:
    talk = Talk(link)
    above = opened(talk, entries, parent)
    kind = SEARCH if props.get(pr.FOLDER_TYPE) == SEARCH else GENERIC
    name, comment = str(props.get(pr.DISPLAY_NAME) or ""), str(props.get(pr.COMMENT) or "")
    step = talk.ask(folders.CreateFolder((kind, False, False, name, comment)), above)
    talk.run()
    assert step.opens is not None
    told = (pr.DISPLAY_NAME, pr.COMMENT, pr.FOLDER_TYPE)
    saving.put(link, talk, step.opens, {key: value for key, value in props.items() if key not in told})
    talk.run()
    return entries.folder(check(step).folder)


def _parent(talk: Talk, folder: Slot) -> tuple[ShortId, str]:
    """Where a folder lies, and what it is called."""
    parent, name = loading.some(talk, folder, (PARENT, pr.DISPLAY_NAME))
    return short(parent), name


def move(link: Link, entries: Entries, entry: EntryId, target: EntryId, name: str | None) -> None:
    talk = Talk(link)
    parent, old_name = _parent(talk, opened(talk, entries, entry))
    source = talk.open(folders.OpenFolder(parent, 0))
    body = folders.MoveFolder(False, (entries.folder_of(entry), name or old_name))
    talk.ask(body, source, opened(talk, entries, target))
    talk.run()


def delete(link: Link, entries: Entries, entry: EntryId) -> None:
    """Raises MapiError(ACCESS_DENIED): something in it could not be."""
    talk = Talk(link)
    parent, _ = _parent(talk, opened(talk, entries, entry))
    above = talk.open(folders.OpenFolder(parent, 0))
    flags = DeleteFlag.MESSAGES | DeleteFlag.FOLDERS
    step = talk.ask(folders.DeleteFolder(flags, entries.folder_of(entry)), above)
    talk.run()
    if check(step).partial:
        raise MapiError(Code.ACCESS_DENIED)


# --- rights ---------------------------------------------------------------------------------------------


def rights(link: Link, entries: Entries, entry: EntryId) -> list[Bag]:
    """The permissions table (MS-OXCPERM 2.2.1)."""
    request = others.GetPermissionsTable(FREE_BUSY)
    found = rows.read(link, entries.folder_of(entry), request, RIGHTS)
    return [
        {
            key: value
            for key, value in zip(RIGHTS, row, strict=True)
            if value is not None and not isinstance(value, Error)
        }
        for row in found
    ]


def set_rights(link: Link, entries: Entries, entry: EntryId, table: Sequence[Bag]) -> None:
    """All rows at once (MS-OXCPERM 2.2.2.1, ReplaceRows)."""
    changes = []
    for row in table:
        who = (
            (pr.ENTRYID, row[pr.ENTRYID]) if row.get(pr.ENTRYID) else (pr.MEMBER_ID, row.get(pr.MEMBER_ID, 0))
        )
        changes.append(others.RowChange(ADD, (who, (pr.MEMBER_RIGHTS, row.get(pr.MEMBER_RIGHTS, 0)))))
    talk = Talk(link)
    body = others.ModifyPermissions(REPLACE_ROWS | FREE_BUSY, tuple(changes))
    talk.ask(body, opened(talk, entries, entry))
    talk.run()
