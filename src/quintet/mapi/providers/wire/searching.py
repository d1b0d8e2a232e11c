"""Restrictions on the wire, where properties with names have the server's numbers; search folders."""

from __future__ import annotations

from quintet.mapi import names
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers.base import Criteria, EntryId
from quintet.mapi.providers.wire import folders as trees
from quintet.mapi.providers.wire.entries import Entries
from quintet.mapi.providers.wire.link import Link, Talk, check
from quintet.mapi.restrict import Restriction
from quintet.mapi.rop import folders
from quintet.mapi.types import Tag

STOP, RESTART, RECURSIVE, SHALLOW = 0x1, 0x2, 0x4, 0x8  # SearchFlags (MS-OXCFOLD 2.2.1.4.1)


def to_server(link: Link, restriction: Restriction, *, create: bool = False) -> Restriction | None:
    """With the server's numbers; None where it knows a name not at all."""
    tags = sorted(names.tags_of(restriction))
    theirs = dict(zip(tags, link.tags_of([names.key(tag) for tag in tags], create=create), strict=True))
    if not all(theirs.values()):
        return None
    return names.restated(restriction, lambda tag: _typed(theirs, tag))


def _typed(known: dict[Tag, Tag], tag: Tag) -> Tag:
    """The other number under the same type: a value's may be that of one among many."""
    for one, other in known.items():
        if one >> 16 == tag >> 16:
            return other & ~0xFFFF | tag & 0xFFFF
    return tag


def of_server(link: Link, restriction: Restriction) -> Restriction:
    """The inverse, with the numbers of this process."""
    tags = sorted(names.tags_of(restriction))
    keys = link.keys_of(tags)
    ours = {tag: tag if key is None else names.tag(key) for tag, key in zip(tags, keys, strict=True)}
    return names.restated(restriction, lambda tag: _typed(ours, tag))


def criteria(link: Link, entries: Entries, entry: EntryId) -> Criteria:
    """Raises MapiError(NOT_INITIALIZED): it was given none; (NOT_SUPPORTED): it is no search folder."""
    talk = Talk(link)
    body = folders.GetSearchCriteria(True, True, True)
    step = talk.ask(body, trees.opened(talk, entries, entry))
    talk.run()
    found = check(step)
    if found.restriction is None:
        raise MapiError(Code.NOT_INITIALIZED)
    places = tuple([entries.folder(one) for one in found.folders])
    return Criteria(of_server(link, found.restriction), places, bool(found.flags & RECURSIVE))


def set_criteria(link: Link, entries: Entries, entry: EntryId, asked: Criteria) -> None:
    stated = to_server(link, asked.restriction, create=True)
    places = tuple([entries.folder_of(one) for one in asked.folders])
    flags = (RESTART if asked.running else STOP) | (RECURSIVE if asked.recursive else SHALLOW)
    talk = Talk(link)
    body = folders.SetSearchCriteria(stated, places, flags)
    talk.ask(body, trees.opened(talk, entries, entry))
    talk.run()
