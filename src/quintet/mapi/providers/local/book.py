"""The server's address book in process: accounts, groups, lists, as `quintet.mapi.nspi` shows them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Final

from quintet.errors import BadSyntax
from quintet.mapi import ids, pr
from quintet.mapi.bag import Bag, Key
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.nspi import consts, links, names, properties
from quintet.mapi.nspi.containers import BY_MID, GLOBAL, HIERARCHY, Container
from quintet.mapi.nspi.entries import Entry
from quintet.mapi.nspi.properties import House
from quintet.mapi.nspi.tables import Look
from quintet.mapi.nspi.view import Eyes, View
from quintet.mapi.objects import Reader
from quintet.mapi.providers import base, listing
from quintet.mapi.providers.base import Can, EntryId, Rows, Thing
from quintet.mapi.providers.local.host import Host
from quintet.mapi.types import Error, Value

_ROOT: Final = 0xFF  # no container has this number
MAX_FOUND: Final = 100


def entry_id_of(reader: Reader) -> EntryId:
    """The address book's entry id of an account."""
    return names.permanent(consts.DT_MAILUSER, names.of_object(reader.id, reader.name))


class LocalBook(base.AddressBook):
    """As an account sees it: who is hidden from it is not there."""

    can = Can.GROUPS

    def __init__(self, host: Host, login: str) -> None:
        self._host, self._login = host, login
        self.name = "Address Book"
        self.uid = ids.ADDRESS_BOOK.bytes_le
        self.root = names.permanent(consts.DT_CONTAINER, names.of_container(_ROOT))
        self._house = House(uuid.UUID(int=0), host.config.hostname)

    def _look(self) -> tuple[View, Eyes]:
        view = self._host.run(self._host.directory.view())
        rules = self._host.config.address_book
        return view, view.eyes(self._login, rules.hide, own_domain=rules.own_domain)

    def _container(self, entry: EntryId) -> int | None:
        """The number of a container; None for something else."""
        try:
            found = ids.read(entry)
        except BadSyntax:
            return None
        return names.container_of(found.x500) if isinstance(found, ids.AddressBookEntry) else None

    def containers(self, parent: EntryId) -> Rows:
        number = self._container(parent)
        if number is None or (number != _ROOT and number not in BY_MID):
            raise MapiError(Code.NOT_FOUND)
        wanted = None if number == _ROOT else number
        below = [one for one in HIERARCHY if one.parent == wanted]
        return listing.BagRows({one.entry_id: self._container_bag(one) for one in below})

    def _container_bag(self, one: Container) -> Bag:
        kind = {GLOBAL: 0x00020000}.get(one.mid, consts.DT_CONTAINER)  # DT_GLOBAL
        return {
            pr.ENTRYID: one.entry_id,
            pr.DISPLAY_NAME: one.name,
            pr.OBJECT_TYPE: int(Thing.CONTAINER),
            pr.DISPLAY_TYPE: kind,
            pr.CONTAINER_FLAGS: one.flags,
            pr.DEPTH: one.depth,
            pr.INSTANCE_KEY: one.entry_id,
            pr.RECORD_KEY: one.entry_id,
            pr.EMS_AB_CONTAINERID: one.mid,
        }

    def entries(self, container: EntryId) -> Rows:
        number = self._container(container)
        if number == _ROOT:
            return listing.BagRows({})
        view, eyes = self._look()
        table = view.table(number, consts.BY_NAME, eyes) if number is not None else None
        if table is None:
            raise MapiError(Code.NOT_FOUND)
        return _EntryRows(self, list(table.rows))

    def load(self, entry: EntryId) -> Bag:
        number = self._container(entry)
        if number == _ROOT:
            return {
                pr.ENTRYID: self.root,
                pr.DISPLAY_NAME: self.name,
                pr.OBJECT_TYPE: int(Thing.CONTAINER),
                pr.CONTAINER_FLAGS: consts.AB_SUBCONTAINERS,
            }
        if number is not None and number in BY_MID:
            return self._container_bag(BY_MID[number])
        return self.bag_of(self._entry(entry))

    def _entry(self, entry: EntryId) -> Entry:
        view, eyes = self._look()
        found = view.by_entry_id(entry, eyes)
        if found is None:
            raise MapiError(Code.NOT_FOUND)
        return found

    def bag_of(self, entry: Entry) -> Bag:
        """Everything that an entry has; addresses as mail programs write them."""
        bag: Bag = {}
        for native, getter in properties.PROPERTIES.values():
            tag = properties.width(native, True)
            value = getter(entry, self._house)
            if value is not None and not isinstance(value, Error) and tag & 0xFFFF != 0xD:
                bag[tag] = value
        bag[pr.INSTANCE_KEY] = bag[pr.RECORD_KEY] = bag[pr.ENTRYID]
        if entry.address:
            bag |= {pr.ADDRTYPE: "SMTP", pr.EMAIL_ADDRESS: entry.address, pr.SMTP_ADDRESS: entry.address}
            bag[pr.SEARCH_KEY] = f"SMTP:{entry.address}".upper().encode() + b"\0"
        return bag

    def entry_id(self, entry: Entry) -> EntryId:
        return names.permanent(entry.display_type, entry.dn)

    def resolve(self, text: str, container: EntryId | None = None) -> list[EntryId]:
        number = GLOBAL if container is None else self._container(container)
        if number is None:
            raise MapiError(Code.NOT_FOUND)
        view, eyes = self._look()
        return [self.entry_id(one) for one in view.resolve(text, eyes, number, MAX_FOUND)]

    def members(self, group: EntryId) -> list[EntryId]:
        """Members whom the address book knows; the others are one-off entries."""
        entry = self._entry(group)
        if entry.display_type != consts.DT_DISTLIST:
            raise MapiError(Code.INVALID_OBJECT)
        view, eyes = self._look()
        look = Look(view, eyes)
        found = []
        for name in self._host.read(links.read, entry, links.MEMBER):
            known = links.entry_of(look, name)
            if known is not None:
                found.append(self.entry_id(known))
            elif "@" in name:
                found.append(ids.write(ids.OneOffEntry(ids.UNICODE, name, "SMTP", name)))
        return found

    def first(self) -> EntryId:
        return BY_MID[GLOBAL].entry_id


class _EntryRows:
    """Entries of a container, as they were when it was opened."""

    def __init__(self, book: LocalBook, entries: list[Entry]) -> None:
        self._book = book
        self._entries = {book.entry_id(one): one for one in entries}

    def ids(self) -> Sequence[EntryId]:
        return list(self._entries)

    def values(self, ids: Sequence[EntryId], keys: Sequence[Key]) -> list[list[Value | None]]:
        found = []
        for one in ids:
            entry = self._entries.get(one)
            bag = {} if entry is None else self._book.bag_of(entry)
            found.append([bag.get(key) for key in keys])
        return found
