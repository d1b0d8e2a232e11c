"""Entries of the address book, made from the rows of the store's directory.

An entry has a Minimal Entry ID that is the same in every session and worker: the number that the store gave
the thing, as long as it has 31 bits, else a hash of it above these (docs/decisions/0124).
"""

from __future__ import annotations

import enum
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any, Final

from quintet.errors import BadSyntax
from quintet.mapi import types
from quintet.mapi.buffer import Reader, Writer
from quintet.mapi.nspi import consts, names
from quintet.mapi.types import Tag, Value
from quintet.store.directory import Listing
from quintet.store.model import AccountKind
from quintet.values import dataclass

_HASHED: Final = 1 << 31  # Minimal Entry IDs from here on are hashes
MAX_CARD_VALUE: Final = 32 * 1024  # bytes of one property of a card


class Kind(enum.Enum):
    """What stands behind an entry."""

    __hash__ = object.__hash__  # members are single; that of `Enum` is a call in Python for every entry

    PERSON = "person"
    SHARED = "shared"  # a mailbox that several people use
    LIST = "list"  # a mailing list
    FORWARD = "forward"  # an address that stands for others
    TEAM = "team"  # accounts that are given rights together; it has no address
    GROUP = "group"  # a newsgroup with an address: a public folder that takes mail
    CONTACT = "contact"  # somebody elsewhere, in a contact folder that is shared


DISPLAY_TYPES: Final = {
    Kind.PERSON: consts.DT_MAILUSER,
    Kind.SHARED: consts.DT_MAILUSER,
    Kind.LIST: consts.DT_DISTLIST,
    Kind.FORWARD: consts.DT_DISTLIST,
    Kind.TEAM: consts.DT_DISTLIST,
    Kind.GROUP: consts.DT_FORUM,
    Kind.CONTACT: consts.DT_REMOTE_MAILUSER,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of the address book."""

    mid: int
    kind: Kind
    number: int  # of the account, list, address, group's folder or contact; 0 for a team
    key: str  # login name, list's or forward's address, team's or group's name, contact's DN
    dn: str
    name: str  # shown
    address: str  # SMTP; "" for what takes no mail
    others: tuple[str, ...] = ()  # more addresses
    about: str = ""  # a description
    links: tuple[str, ...] = ()  # addresses: a list's owners, a forward's targets
    card: Mapping[Tag, Value] = field(default_factory=dict)

    @property
    def display_type(self) -> int:
        return DISPLAY_TYPES[self.kind]

    @property
    def domain(self) -> str:
        """Of the address; lower case, "" without one."""
        return self.address.rpartition("@")[2].lower()

    @property
    def is_account(self) -> bool:
        return self.kind in (Kind.PERSON, Kind.SHARED)

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self.address, *self.others) if self.address else self.others


class Minimal:
    """Gives Minimal Entry IDs; ``before`` are those of the view that this one follows, by DN."""

    def __init__(self, before: Mapping[str, int]) -> None:
        self._before = before
        self._taken = {mid for mid in before.values() if mid >= _HASHED}

    def of(self, number: int, dn: str) -> int:
        """``number`` 0: none that the store gave."""
        if consts.FIRST_MID + 0x30 <= number < _HASHED:
            return number
        known = self._before.get(dn)
        if known is not None:
            return known
        mid = zlib.crc32(dn.lower().encode()) | _HASHED
        while mid in self._taken:
            mid = (mid + 1) | _HASHED
        self._taken.add(mid)
        return mid


def read(listing: Listing, before: Mapping[str, int]) -> list[Entry]:
    """All entries, in no order."""
    return list(_read(listing, Minimal(before)))


def _read(listing: Listing, minimal: Minimal) -> Iterator[Entry]:
    owned: dict[int, list[tuple[bool, str]]] = {}
    for _, address, kind, account_id, _ in listing.addresses:
        if account_id is not None:
            owned.setdefault(account_id, []).append((kind != "primary", address))
    for number, login, kind, shown in sorted(listing.accounts):
        dn = names.of_object(number, login)
        own = [address for _, address in sorted(owned.get(number, ()))]
        yield Entry(
            minimal.of(number, dn),
            Kind.SHARED if kind == AccountKind.SHARED else Kind.PERSON,
            number,
            login,
            dn,
            shown or login,
            own[0] if own else "",
            tuple(own[1:]),
            card=read_card(listing.cards.get(number, {})),
        )
    for number, address, title, owners in listing.lists:
        dn = names.of_object(number, address)
        local = address.rpartition("@")[0]
        mid = minimal.of(number, dn)
        yield Entry(mid, Kind.LIST, number, address, dn, title or local, address, links=tuple(owners.split()))
    for name, about in listing.teams:
        dn = names.of_team(name)
        yield Entry(minimal.of(0, dn), Kind.TEAM, 0, name, dn, f"${name}", "", about=about)
    yield from _addressed(listing, minimal)


def _addressed(listing: Listing, minimal: Minimal) -> Iterator[Entry]:
    """Addresses that are entries by themselves: forwards, and those of groups (one entry a group)."""
    groups: dict[str, list[str]] = {}
    for number, address, kind, account_id, target in listing.addresses:
        if kind == "group" and target in listing.groups:
            groups.setdefault(target, []).append(address)
        elif kind == "forward" and account_id is None:
            dn = names.of_object(number, address)
            links = tuple(target.replace(",", " ").split())
            yield Entry(
                minimal.of(number, dn), Kind.FORWARD, number, address, dn, address, address, links=links
            )
    for name, found in groups.items():
        number, about = listing.groups[name]
        dn = names.of_object(number, name)
        mid = minimal.of(number, dn)
        yield Entry(mid, Kind.GROUP, number, name, dn, name, found[0], tuple(found[1:]), about)


# --- cards ------------------------------------------------------------------------------------------------


def read_card(raw: Mapping[int, bytes]) -> dict[Tag, Value]:
    """The properties of a card as values; one that cannot be read is not there."""
    found: dict[Tag, Value] = {}
    for tag, value in raw.items():
        reader = Reader(value, wide=True)
        try:
            found[tag] = types.get(reader, types.type_of(tag))
        except BadSyntax:
            continue
    return found


def write_card(values: Mapping[Tag, Any]) -> dict[int, bytes]:
    """The same as they are kept.  Raises BadSyntax: a value that is none of its type, or too large."""
    made: dict[int, bytes] = {}
    for tag, value in values.items():
        writer = Writer(wide=True)
        types.put(writer, types.type_of(tag), value)
        made[tag] = writer.done()
        if len(made[tag]) > MAX_CARD_VALUE:
            raise BadSyntax("a property that is too large")
    return made
