"""What the own store has beyond folders and messages: rights, search folders, what changed in a folder."""

from __future__ import annotations

from collections.abc import Sequence

from quintet.mapi import match, names, pr
from quintet.mapi.bag import Bag
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import Box, Folder, members, ruletable, searching
from quintet.mapi.providers.base import Criteria, Which
from quintet.mapi.restrict import Restriction
from quintet.mapi.types import Tag
from quintet.store import folders, pages, seen


def table(folder: Folder, which: Which) -> list[Bag]:
    """Rights or rules.  Raises MapiError(ACCESS_DENIED)."""
    if which is Which.RIGHTS:
        return rights(folder)
    return ruletable.listing(folder, lambda tag: _outside(folder.box, tag))


def set_table(folder: Folder, which: Which, rows: Sequence[Bag]) -> None:
    """These are all rows now.  Raises MapiError: as `members.change` and `ruletable.change`."""
    if which is Which.RIGHTS:
        set_rights(folder, rows)
    else:
        ruletable.change(folder, rows, lambda tag: _inside(folder.box, tag))


def rights(folder: Folder) -> list[Bag]:
    """A row for each who has some."""
    return [
        {
            pr.MEMBER_ID: one.id,
            pr.MEMBER_NAME: one.name,
            pr.MEMBER_RIGHTS: one.rights,
            pr.MEMBER_ENTRYID: one.entry_id,
        }
        for one in members.listing(folder)
    ]


def set_rights(folder: Folder, rows: Sequence[Bag]) -> None:
    """Makes the rows those: what differs is granted, who is left out loses all."""
    before = {one.id: one for one in members.listing(folder)}
    grants = []
    kept = {members.DEFAULT, members.ANONYMOUS}  # these rows are always there
    for row in rows:
        number, wanted = row.get(pr.MEMBER_ID), row.get(pr.MEMBER_RIGHTS, 0) & 0xFFFFFFFF
        if number is None:
            grants.append(members.Grant(wanted, entry_id=bytes(row.get(pr.MEMBER_ENTRYID) or b"")))
            continue
        kept.add(number)
        if number not in before or before[number].rights != wanted:
            grants.append(members.Grant(wanted, member=number))
    grants += [members.Grant(None, member=number) for number in before if number not in kept]
    folder.modify_permissions(grants)


def touched(folder: Folder, since: int) -> tuple[int, tuple[list[bytes], list[bytes]] | None]:
    """The folder's change number; and the messages that may have changed or gone after an older one, or None
    where too much did to tell.
    """
    box = folder.box
    row = folders.get(box.tx, folder.id)
    told = pages.changed(box.tx, row.id, since) if 0 < since <= row.highest_modseq else None
    if told is None or folder.is_search:
        return row.highest_modseq, None
    came, went = dict.fromkeys(told[0]), told[1]
    if seen.is_own(row, box.reader.id):
        marked = list(seen.changed_after(box.tx, row.id, box.reader.id, since))
        hidden = set(pages.ids(box.tx, row.id, hidden=True))
        found = pages.numbers(box.tx, row.id, marked).values()
        came |= dict.fromkeys([number for number in found if number not in hidden])
    there = [box.message_entry_id(row.id, number) for number in came]
    gone = [box.message_entry_id(row.id, number) for number in sorted(went) if number not in came]
    return row.highest_modseq, (there, gone)


def criteria(folder: Folder) -> Criteria:
    """Raises MapiError(NOT_SUPPORTED): no search folder; (NOT_INITIALIZED): it was asked nothing yet."""
    box = folder.box
    if not folder.is_search:
        raise MapiError(Code.NOT_SUPPORTED, "no search folder")
    found = folder.search_criteria()
    scope = tuple([box.folder_entry_id(number) for number in found.scope])
    restriction = names.restated(found.restriction, lambda tag: _outside(box, tag))
    return Criteria(restriction, scope, found.recursive, running=not found.static)


def set_criteria(folder: Folder, asked: Criteria, scope: Sequence[int]) -> None:
    """Raises MapiError(NOT_SUPPORTED | FOLDER_CYCLE | TOO_COMPLEX | NOT_FOUND)."""
    if not folder.is_search:
        raise MapiError(Code.NOT_SUPPORTED, "no search folder")
    if folder.id in scope:
        raise MapiError(Code.FOLDER_CYCLE)
    flags = searching.RESTART | (searching.RECURSIVE if asked.recursive else searching.SHALLOW)
    if not asked.running:
        flags |= searching.STATIC
    folder.search(_stated(folder.box, asked.restriction), scope, flags)


def _stated(box: Box, restriction: Restriction) -> Restriction:
    return names.restated(restriction, lambda tag: _inside(box, tag))


def _inside(box: Box, tag: Tag) -> Tag:
    """The store's number of a named property for the process's one."""
    found = box.tag_of(names.key(match.wide(tag)), create=True)
    return tag if found is None else found


def _outside(box: Box, tag: Tag) -> Tag:
    key = box.key_of(tag)
    return tag if key is None else names.tag(key)
