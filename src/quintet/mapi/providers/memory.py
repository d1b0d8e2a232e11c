"""A messaging system in memory: accounts that write to each other, for tests, trials and as the reference.

Everything of the contracts is here in its simplest working form.  A `World` is a system with its accounts;
the service MEMORY opens an account of the world that its options name, and worlds live as long as the
process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from quintet.clock import Clock, SystemClock
from quintet.mapi import pr
from quintet.mapi.bag import Bag, Item
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import base, derive, membook, memstore
from quintet.mapi.providers.base import Failure, Opened, Option, Service

_worlds: dict[str, World] = {}
_guard = threading.Lock()


class World:
    """Accounts by address (in small letters), each with a store; one lock for all of them."""

    def __init__(self, name: str, clock: Clock | None = None) -> None:
        self.name = name
        self.clock = clock or SystemClock()
        self.lock = threading.RLock()
        self.stores: dict[str, memstore.MemoryStore] = {}
        self.books: dict[str, membook.MemoryBook] = {}
        self.people: dict[bytes, Bag] = {}

    def account(self, address: str, title: str | None = None) -> Opened:
        """An account's three providers; made when it is new.  ``title``: how the person is called."""
        key = address.strip().lower()
        if not key or any(letter.isspace() for letter in key):
            raise MapiError(Code.LOGON_FAILED)
        with self.lock:
            if key not in self.stores:
                self.people.update([membook.person(self.name, key, title or key.partition("@")[0])])
                self.stores[key] = memstore.MemoryStore(self.name, key, self.clock, self.lock)
                self.books[key] = membook.MemoryBook(self.name, key, self.people, self.lock)
            me = membook.person_id(self.name, key)
            return Opened(
                store=self.stores[key],
                book=self.books[key],
                transport=Loopback(self),
                identity={
                    tag: value
                    for tag, value in self.people[me].items()
                    if tag in (pr.ENTRYID, pr.DISPLAY_NAME, pr.ADDRTYPE, pr.EMAIL_ADDRESS, pr.SMTP_ADDRESS)
                },
            )


class Loopback(base.Transport):
    """Files in the inboxes of the same world; nobody else is reached."""

    name = "Loopback"
    kinds = ("SMTP",)

    def __init__(self, world: World) -> None:
        self._world = world

    def send(self, item: Item, recipients: Sequence[int]) -> list[Failure]:
        failures = []
        reached: dict[str, tuple[int, memstore.MemoryStore]] = {}
        for number in recipients:
            one = item.recipients[number]
            address = str(one.get(pr.SMTP_ADDRESS) or one.get(pr.EMAIL_ADDRESS) or "").lower()
            store = self._world.stores.get(address)
            if store is None:
                failures.append(Failure(number, f"nobody here is called {address}"))
            else:
                reached.setdefault(address, (number, store))
        for address, (number, store) in reached.items():
            me = self._world.people[membook.person_id(self._world.name, address)]
            outcome = store.deliver(_seen_by_receivers(item), me)
            if outcome.refused:
                failures.append(Failure(number, outcome.refused))
            for made in outcome.out:
                self.send(made, range(len(made.recipients)))
        return failures


def _seen_by_receivers(item: Item) -> Item:
    """Without the blind copies, and as something that came (MS-OXOMSG 2.2.1)."""
    sent = derive.copied(item)
    sent.recipients = [
        one for one in sent.recipients if one.get(pr.RECIPIENT_TYPE, derive.TO) & 0xF != derive.BCC
    ]
    mine = derive.READ | derive.UNSENT | derive.SUBMITTED | derive.FROM_ME
    sent.props[pr.MESSAGE_FLAGS] = sent.props.get(pr.MESSAGE_FLAGS, 0) & ~mine
    for tag in (pr.SENTMAIL_ENTRYID, pr.DELETE_AFTER_SUBMIT, pr.DISPLAY_BCC):
        sent.props.pop(tag, None)
    return sent


def world(name: str, make: Callable[[str], World] = World) -> World:
    """The world of a name, made when it is new."""
    with _guard:
        if name not in _worlds:
            _worlds[name] = make(name)
        return _worlds[name]


def forget(name: str) -> None:
    """Ends a world; what was opened of it stays usable, and alone."""
    with _guard:
        _worlds.pop(name, None)


def _open(options: Mapping[str, str]) -> Opened:
    found, other = world(options["world"]), options["mailbox"].strip().lower()
    opened = found.account(options["account"], options["name"] or None)
    if other and other not in found.stores:
        raise MapiError(Code.NOT_FOUND, f"nobody here is called {other}")
    return replace(opened, store=found.stores[other]) if other else opened


SERVICE = Service(
    name="MEMORY",
    title="Messages in memory",
    open=_open,
    options=(
        Option("world", "which system in memory", "default"),
        Option("account", "the address", "user@example.com"),
        Option("name", "how the person is called; empty: as the address says", ""),
        Option("mailbox", "another's mailbox; empty: one's own", ""),
    ),
    mailbox="mailbox",
)
