"""Properties of entries that point to other entries: members, owners, delegates (MS-OXOABK 2.2.5, 2.2.6).

They are read from the store when somebody asks, and hold names: an address, a login name, or "$" and a team.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from quintet.mapi.errors import Code, MapiError
from quintet.mapi.nspi import entries, properties
from quintet.mapi.nspi.entries import Entry, Kind
from quintet.mapi.nspi.tables import Look
from quintet.store import directory, lists, teams
from quintet.store.db import Tx
from quintet.store.model import AccountId

MEMBER, OWNER, MEMBER_OF, DELEGATES = 0x8009, 0x800C, 0x8008, 0x8015
MAX_LINKS: Final = 20_000  # names that are read at once
MAX_DELEGATES: Final = 100


def entry_of(look: Look, name: str) -> Entry | None:
    """The entry that a name in a link means; None for somebody outside."""
    if name.startswith(teams.MARK):
        return look.view.by_team(name[1:], look.eyes)
    return look.view.by_address(name, look.eyes) or look.view.by_login(name, look.eyes)


def _members(tx: Tx, entry: Entry) -> list[str]:
    if entry.kind is Kind.TEAM:
        return teams.members(tx, entry.key)
    if entry.kind is Kind.LIST:
        return [one.address for one in lists.members(tx, entry.number, limit=MAX_LINKS)]
    return list(entry.links) if entry.kind is Kind.FORWARD else []


def _owners(tx: Tx, entry: Entry) -> list[str]:
    return list(entry.links) if entry.kind is Kind.LIST else []


def _member_of(tx: Tx, entry: Entry) -> list[str]:
    found = [teams.MARK + name for name in teams.of(tx, AccountId(entry.number))] if entry.is_account else []
    for address in entry.addresses:
        found += lists.of(tx, address)
    return found


def _delegates(tx: Tx, entry: Entry) -> list[str]:
    return list(entry.card.get(properties.DELEGATES) or ())


READERS: Final[dict[int, Callable[[Tx, Entry], list[str]]]] = {
    MEMBER: _members,
    OWNER: _owners,
    MEMBER_OF: _member_of,
    DELEGATES: _delegates,
}


def read(tx: Tx, entry: Entry, number: int) -> list[str]:
    """What a property points to.  Raises Refused: the thing is gone meanwhile."""
    return READERS[number](tx, entry)


# --- changing ---------------------------------------------------------------------------------------------


def change(tx: Tx, look: Look, entry: Entry, number: int, names: Sequence[str], *, delete: bool) -> None:
    """NspiModLinkAtt (MS-OXNSPI 3.1.4.1.15): adds names to a link, or takes them off; all or none.

    Owners change who is on their list, and everybody who may act for them.

    Raises:
        MapiError(NOT_FOUND): no property that can be changed (R1326).
        MapiError(ACCESS_DENIED): not of this entry, or not by this account (R1647, R1338).
        Refused: of a name that cannot be one.
    """
    changer = CHANGES.get(number)
    if changer is None:
        raise MapiError(Code.NOT_FOUND)
    changer(tx, look, entry, names, delete)


def _change_members(tx: Tx, look: Look, entry: Entry, names: Sequence[str], delete: bool) -> None:
    own = look.entry(look.eyes.own)
    if entry.kind is not Kind.LIST or own is None:
        raise MapiError(Code.ACCESS_DENIED)
    if not {one.lower() for one in entry.links} & {one.lower() for one in own.addresses}:
        raise MapiError(Code.ACCESS_DENIED)
    for name in names:
        if delete:
            lists.leave(tx, entry.number, name)
        else:
            lists.join(tx, entry.number, name)


def _change_delegates(tx: Tx, look: Look, entry: Entry, names: Sequence[str], delete: bool) -> None:
    if not entry.is_account or entry.mid != look.eyes.own:
        raise MapiError(Code.ACCESS_DENIED)
    account = AccountId(entry.number)
    card = entries.read_card(directory.card(tx, account))
    held = dict.fromkeys(card.get(properties.DELEGATES) or ())
    for name in names:
        if delete:
            held.pop(name, None)
        else:
            held[name] = None
    if len(held) > MAX_DELEGATES:
        raise MapiError(Code.ACCESS_DENIED)
    kept = entries.write_card({properties.DELEGATES: list(held)}) if held else {}
    directory.set_card(tx, account, kept, () if held else (properties.DELEGATES,))


CHANGES: Final[dict[int, Callable[[Tx, Look, Entry, Sequence[str], bool], None]]] = {
    MEMBER: _change_members,
    DELEGATES: _change_delegates,
}
