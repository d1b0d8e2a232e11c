"""Distinguished names and entry ids of the address book (MS-OXNSPI 2.2.9, MS-OXOABK 2.2.1.1).  Pure.

An object's DN holds the number that the store gave it, which never means anything else again; the name behind
it is for people.  So a DN that lies in old messages finds its object whatever it is called by now (R386).
"""

from __future__ import annotations

import re
import struct
import uuid
from typing import Final

from quintet.errors import BadSyntax
from quintet.mapi import ids
from quintet.mapi.buffer import bad
from quintet.values import dataclass

ORGANIZATION: Final = "/o=Quintet/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)"
RECIPIENTS: Final = ORGANIZATION + "/cn=Recipients/cn="
SERVERS: Final = ORGANIZATION + "/cn=Configuration/cn=Servers/cn="
MAILBOXES: Final = "/cn=Microsoft Private MDB"
GLOBAL_LIST: Final = "/"  # gal-addrlist-dn
MAX_DN = 1024  # characters

_OBJECT = re.compile(re.escape(RECIPIENTS) + "([0-9a-f]{12})-[^/]*", re.IGNORECASE)
_TEAM = re.compile(re.escape(RECIPIENTS) + r"\$([^/]+)", re.IGNORECASE)
_SERVER = re.compile(re.escape(SERVERS) + "([^/]+)(?:/.*)?", re.IGNORECASE)
_STRANGE = re.compile(r"[^A-Za-z0-9._@+-]+")

_EPHEMERAL = struct.Struct("<4s16sIII")
_PERMANENT = struct.Struct("<4s16sII")
_EPHEMERAL_FLAGS, _PERMANENT_FLAGS = b"\x87\0\0\0", b"\0\0\0\0"


def of_object(number: int, name: str) -> str:
    """The DN of what the store numbers: an account, a list, an alias, a group."""
    return f"{RECIPIENTS}{number:012x}-{_STRANGE.sub('_', name)[:64]}"


def of_team(name: str) -> str:
    """A team has no number, but a name that cannot change."""
    return f"{RECIPIENTS}${name}"


def number_of(dn: str) -> int | None:
    """The store's number in an object's DN; None for another DN, or none."""
    found = _OBJECT.fullmatch(dn[:MAX_DN])
    return int(found[1], 16) if found else None


def team_of(dn: str) -> str | None:
    """The team that a DN names, in lower case."""
    found = _TEAM.fullmatch(dn[:MAX_DN])
    return found[1].lower() if found else None


def of_server(host: str) -> str:
    return SERVERS + host


def of_mailboxes(host: str) -> str:
    """The DN of a server's mailboxes (PidTagAddressBookHomeMessageDatabase)."""
    return of_server(host) + MAILBOXES


def server_of(dn: str) -> str | None:
    """The host in a server's DN, or in that of something below it; lower case."""
    found = _SERVER.fullmatch(dn[:MAX_DN])
    return found[1].lower() if found else None


def of_container(number: int) -> str:
    """addresslist-dn: "/guid=" and 32 digits; number 0 is the global list."""
    return f"/guid={number:032X}" if number else GLOBAL_LIST


def container_of(dn: str) -> int | None:
    if dn == GLOBAL_LIST:
        return 0
    found = re.fullmatch("/guid=([0-9a-fA-F]{32})", dn)
    return int(found[1], 16) if found else None


@dataclass(frozen=True, slots=True)
class Ephemeral:
    """2.2.9.2: an object of one session's server, by its Minimal Entry ID."""

    server: uuid.UUID
    mid: int


def permanent(display_type: int, dn: str) -> bytes:
    """A PermanentEntryID (2.2.9.3).  Raises BadSyntax: no DN that can be told."""
    if not dn.isascii() or "\0" in dn:
        raise bad("a name that is not ASCII")
    head = _PERMANENT.pack(_PERMANENT_FLAGS, ids.ADDRESS_BOOK.bytes_le, 1, display_type)
    return head + dn.encode("ascii") + b"\0"


def ephemeral(server: uuid.UUID, display_type: int, mid: int) -> bytes:
    """An EphemeralEntryID (2.2.9.2)."""
    return _EPHEMERAL.pack(_EPHEMERAL_FLAGS, server.bytes_le, 1, display_type, mid)


def read(raw: bytes) -> Ephemeral | str:
    """Either kind of entry id; a permanent one is its DN.  The display type is no part of it (R379, R410).

    Raises BadSyntax: no entry id of an address book.
    """
    if raw[:4] == _EPHEMERAL_FLAGS and len(raw) == _EPHEMERAL.size:
        _, server, one, _, mid = _EPHEMERAL.unpack(raw)
        if one != 1:
            raise bad("no such version of an address book's entry id")
        return Ephemeral(uuid.UUID(bytes_le=server), mid)
    found = ids.read(raw)
    if not isinstance(found, ids.AddressBookEntry):
        raise bad("an entry id of something else than the address book")
    return found.x500


def read_or_none(raw: bytes) -> Ephemeral | str | None:
    try:
        return read(raw)
    except BadSyntax:
        return None
