"""The address book in memory: everybody of the world, and a personal container that can be written."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Sequence

from quintet.mapi import pr
from quintet.mapi.bag import Bag
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import base, listing
from quintet.mapi.providers.base import Can, EntryId, Event, Kind, Rows, Thing
from quintet.mapi.providers.listeners import Listeners

GLOBAL, PERSONAL = b"\1", b"\2"
_USER, _LIST = 0, 1  # PidTagDisplayType: DT_MAILUSER, DT_DISTLIST


def _uid(*names: str) -> bytes:
    return hashlib.sha256("\0".join(names).encode()).digest()[:16]


def person_id(world: str, address: str) -> EntryId:
    return bytes(4) + _uid("book", world) + b"\4" + address.encode()


def person(world: str, address: str, title: str) -> tuple[EntryId, Bag]:
    """An entry of the global list."""
    entry = person_id(world, address)
    return entry, {
        pr.ENTRYID: entry,
        pr.OBJECT_TYPE: int(Thing.MAIL_USER),
        pr.DISPLAY_TYPE: _USER,
        pr.DISPLAY_NAME: title,
        pr.ADDRTYPE: "SMTP",
        pr.EMAIL_ADDRESS: address,
        pr.SMTP_ADDRESS: address,
        pr.ACCOUNT: address.partition("@")[0],
        pr.SEARCH_KEY: f"SMTP:{address.upper()}".encode() + b"\0",
        pr.RECORD_KEY: entry,
        pr.INSTANCE_KEY: entry,
    }


class MemoryBook(base.AddressBook):
    """One account's view: the global list is everybody's, the personal container its own."""

    can = Can.WRITE | Can.GROUPS | Can.NOTIFY

    def __init__(self, world: str, address: str, people: dict[EntryId, Bag], lock: threading.RLock) -> None:
        self.name = "Address Book"
        self.uid = _uid("book", world)
        self._head = bytes(4) + self.uid
        self.root = self._head + b"\0"
        self._people = people
        self._own: dict[EntryId, Bag] = {}
        self._members: dict[EntryId, list[EntryId]] = {}
        self._numbers = itertools.count(1)
        self._prefix = self._head + b"\5" + address.encode() + b"\0"
        self._lock = lock
        self._listeners = Listeners()

    def _container(self, kind: bytes, title: str) -> Bag:
        entry = self._head + kind
        return {
            pr.ENTRYID: entry,
            pr.PARENT_ENTRYID: self.root,
            pr.DISPLAY_NAME: title,
            pr.OBJECT_TYPE: int(Thing.CONTAINER),
            pr.DISPLAY_TYPE: 0x00020000 if kind == GLOBAL else 0x00030000,  # DT_GLOBAL, DT_LOCAL
            pr.CONTAINER_FLAGS: 0x1 | (0x4 if kind == PERSONAL else 0x8),
            pr.DEPTH: 0,
            pr.INSTANCE_KEY: entry,
            pr.RECORD_KEY: entry,
        }

    def _containers(self) -> dict[EntryId, Bag]:
        both = (self._container(GLOBAL, "Global Address List"), self._container(PERSONAL, "Personal"))
        return {bag[pr.ENTRYID]: bag for bag in both}

    def containers(self, parent: EntryId) -> Rows:
        if parent == self.root:
            return listing.BagRows(self._containers())
        if parent in self._containers():
            return listing.BagRows({})
        raise MapiError(Code.NOT_FOUND)

    def entries(self, container: EntryId) -> Rows:
        with self._lock:
            if container == self._head + GLOBAL:
                return listing.BagRows(dict(self._people))
            if container == self._head + PERSONAL:
                return listing.BagRows(dict(self._own))
        if container == self.root:
            return listing.BagRows({})
        raise MapiError(Code.NOT_FOUND)

    def load(self, entry: EntryId) -> Bag:
        if entry == self.root:
            return {
                pr.ENTRYID: entry,
                pr.DISPLAY_NAME: self.name,
                pr.OBJECT_TYPE: int(Thing.CONTAINER),
                pr.CONTAINER_FLAGS: 0x2,  # AB_SUBCONTAINERS
            }
        with self._lock:
            found = self._people.get(entry) or self._own.get(entry) or self._containers().get(entry)
            if found is None:
                raise MapiError(Code.NOT_FOUND)
            return dict(found)

    def members(self, group: EntryId) -> list[EntryId]:
        with self._lock:
            if self.load(group)[pr.OBJECT_TYPE] != Thing.DIST_LIST:
                raise MapiError(Code.INVALID_OBJECT)
            return list(self._members.get(group, []))

    def resolve(self, text: str, container: EntryId | None = None) -> list[EntryId]:
        if container is not None:
            return super().resolve(text, container)
        with self._lock:
            return listing.resolve(listing.BagRows({**self._people, **self._own}), text)

    def save(self, container: EntryId, props: Bag, old: EntryId | None = None) -> EntryId:
        if container != self._head + PERSONAL:
            raise MapiError(Code.ACCESS_DENIED)
        with self._lock:
            if old is not None and old not in self._own:
                raise MapiError(Code.NOT_FOUND)
            entry = old or self._prefix + next(self._numbers).to_bytes(8, "big")
            group = props.get(pr.OBJECT_TYPE) == Thing.DIST_LIST
            bag: Bag = {pr.DISPLAY_NAME: "", pr.DISPLAY_TYPE: _LIST if group else _USER, **props}
            bag.setdefault(pr.OBJECT_TYPE, int(Thing.MAIL_USER))
            if pr.EMAIL_ADDRESS in bag:
                bag.setdefault(pr.ADDRTYPE, "SMTP")
                if bag[pr.ADDRTYPE] == "SMTP":
                    bag.setdefault(pr.SMTP_ADDRESS, bag[pr.EMAIL_ADDRESS])
            bag |= {
                pr.ENTRYID: entry,
                pr.PARENT_ENTRYID: container,
                pr.INSTANCE_KEY: entry,
                pr.RECORD_KEY: entry,
            }
            self._own[entry] = bag
        self._tell(Kind.CREATED if old is None else Kind.MODIFIED, entry)
        return entry

    def set_members(self, group: EntryId, members: Sequence[EntryId]) -> None:
        with self._lock:
            if group not in self._own or self._own[group][pr.OBJECT_TYPE] != Thing.DIST_LIST:
                raise MapiError(Code.ACCESS_DENIED)
            self._members[group] = list(dict.fromkeys(members))
        self._tell(Kind.MODIFIED, group)

    def delete(self, entries: Sequence[EntryId]) -> int:
        gone = []
        with self._lock:
            for one in entries:
                if self._own.pop(one, None) is not None:
                    self._members.pop(one, None)
                    gone.append(one)
        for one in gone:
            self._tell(Kind.DELETED, one)
        return len(gone)

    def watch(self, listener: base.Listener) -> base.Cancel:
        return self._listeners.add(listener)

    def _tell(self, kind: Kind, entry: EntryId) -> None:
        self._listeners.tell([Event(kind, Thing.MAIL_USER, entry, self._head + PERSONAL)])
