"""The server's address book in process: accounts, groups, lists, as `quintet.mapi.nspi` shows them; contact
folders that others share; and one's own, which can be written (`personal`).
"""

from __future__ import annotations

import functools
import threading
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from quintet.errors import BadSyntax
from quintet.mapi import ids, pr
from quintet.mapi.bag import Bag, Key
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.nspi import consts, contacts, links, names, properties
from quintet.mapi.nspi.containers import BY_MID, GLOBAL, HIERARCHY, Container
from quintet.mapi.nspi.entries import Entry
from quintet.mapi.nspi.properties import House
from quintet.mapi.nspi.tables import Look
from quintet.mapi.objects import Reader
from quintet.mapi.providers import base, listing
from quintet.mapi.providers.base import Can, EntryId, Rows, Thing
from quintet.mapi.providers.local.host import Host
from quintet.mapi.providers.local.personal import Personal
from quintet.mapi.types import Error, Value

if TYPE_CHECKING:
    from quintet.mapi.providers.local.store import LocalStore

_ROOT: Final = 0xFF  # no container has this number
MAX_FOUND: Final = 100


def entry_id_of(reader: Reader) -> EntryId:
    """The address book's entry id of an account."""
    return names.permanent(consts.DT_MAILUSER, names.of_object(reader.id, reader.name))


class LocalBook(base.AddressBook):
    """As an account sees it: who is hidden from it is not there."""

    can = Can.GROUPS | Can.WRITE | Can.NOTIFY

    def __init__(self, host: Host, reader: Reader, own: LocalStore) -> None:
        self._host, self._reader = host, reader
        self._personal = Personal(own)
        self._shelves = contacts.Shelves()
        self.name = "Address Book"
        self.uid = ids.ADDRESS_BOOK.bytes_le
        self.root = names.permanent(consts.DT_CONTAINER, names.of_container(_ROOT))
        self._house = House(uuid.UUID(int=0), host.config.hostname)
        self._lock = threading.Lock()

    def _look(self) -> Look:
        view = self._host.run(self._host.directory.view())
        rules = self._host.config.address_book
        eyes = view.eyes(self._reader.name, rules.hide, own_domain=rules.own_domain)
        with self._lock:
            kept, files = self._shelves.snapshot(), self._host.store.blobs
            found = self._host.read(contacts.of, self._reader.id, view.server, kept, files)
            self._shelves.keep(found)
        return Look(view, eyes, {number: shelf for number, (_, shelf) in found.items()})

    def _container(self, entry: EntryId) -> int | None:
        """The number of a container; None for something else."""
        try:
            found = ids.read(entry)
        except BadSyntax:
            return None
        return names.container_of(found.x500) if isinstance(found, ids.AddressBookEntry) else None

    def containers(self, parent: EntryId) -> Rows:
        number, look = self._container(parent), self._look()
        if number is None or (number != _ROOT and not self._is_container(look, number)):
            raise MapiError(Code.NOT_FOUND)
        wanted = None if number == _ROOT else number
        every = (*HIERARCHY, *[shelf.container for shelf in look.shelves.values()])
        found = {one.entry_id: self._container_bag(one) for one in every if one.parent == wanted}
        if number == _ROOT:
            found[self._personal.entry_id] = self._personal.container()
        return listing.BagRows(found)

    def _is_container(self, look: Look, number: int) -> bool:
        return number in BY_MID or number in look.shelves or number == self._personal.number

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
        if number == self._personal.number:
            return self._personal.rows()
        table = self._look().table(number, consts.BY_NAME) if number is not None else None
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
        if number == self._personal.number:
            return self._personal.container()
        if number is not None:
            found = BY_MID[GLOBAL] if number == GLOBAL else self._look().container(number)
            if found is None:
                raise MapiError(Code.NOT_FOUND)
            return self._container_bag(found)
        return self._load(self._look(), entry)

    def _load(self, look: Look, entry: EntryId) -> Bag:
        """Of somebody in the directory, or of one's own.  Raises MapiError(NOT_FOUND)."""
        known = look.by_entry_id(entry)
        return self._personal.load(entry) if known is None else self.bag_of(known)

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
        """Without a container one's own contacts are asked for whom the global list does not know."""
        number = GLOBAL if container is None else self._container(container)
        if number is None:
            raise MapiError(Code.NOT_FOUND)
        if number == self._personal.number:
            return self._personal.resolve(text)
        found = [self.entry_id(one) for one in self._look().resolve(text, number, MAX_FOUND)]
        return found or (self._personal.resolve(text) if container is None else [])

    def members(self, group: EntryId) -> list[EntryId]:
        """Members whom the address book knows; the others are one-off entries."""
        look = self._look()
        entry = look.by_entry_id(group)
        if entry is None:
            return self._personal.members(group, lambda one: look.by_entry_id(one) is not None)
        if entry.display_type != consts.DT_DISTLIST:
            raise MapiError(Code.INVALID_OBJECT)
        found = []
        for name in self._host.read(links.read, entry, links.MEMBER):
            known = links.entry_of(look, name)
            if known is not None:
                found.append(self.entry_id(known))
            elif "@" in name:
                found.append(ids.write(ids.OneOffEntry(ids.UNICODE, name, "SMTP", name)))
        return found

    # --- one's own ----------------------------------------------------------------------------------

    def save(self, container: EntryId, props: Bag, old: EntryId | None = None) -> EntryId:
        """Raises MapiError(ACCESS_DENIED): the directory is its administrator's."""
        if container != self._personal.entry_id or (
            old is not None and self._look().by_entry_id(old) is not None
        ):
            raise MapiError(Code.ACCESS_DENIED)
        return self._personal.save(props, old)

    def set_members(self, group: EntryId, members: Sequence[EntryId]) -> None:
        look = self._look()
        if look.by_entry_id(group) is not None:
            raise MapiError(Code.ACCESS_DENIED)
        self._personal.set_members(group, members, functools.partial(self._load, look))

    def delete(self, entries: Sequence[EntryId]) -> int:
        look = self._look()
        return self._personal.delete([one for one in entries if look.by_entry_id(one) is None])

    def watch(self, listener: base.Listener) -> base.Cancel:
        """News of one's own contacts; the directory tells of nothing by itself."""
        return self._personal.watch(listener)

    def close(self) -> None:
        """One's own mailbox may be open for this alone."""
        self._personal.store.close()

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
