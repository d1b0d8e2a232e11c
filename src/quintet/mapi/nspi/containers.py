"""The containers of the address book: which there are, what each holds, their hierarchy (MS-OXOABK 3.1.4.1).

Each is made by what entries are, so nobody tends it and nobody writes into it.
"""

from __future__ import annotations

from typing import Final

from quintet.mapi.nspi import consts, names
from quintet.mapi.nspi.entries import Kind
from quintet.values import dataclass

GLOBAL: Final = 0  # the global address list, whatever its DN
ALL_LISTS: Final = 0x10  # holds the others, and no entry
USERS: Final = 0x11
GROUPS: Final = 0x12
LISTS: Final = 0x13
FOLDERS: Final = 0x14

_USERS = frozenset((Kind.PERSON, Kind.SHARED))
_GROUPS = frozenset((Kind.LIST, Kind.FORWARD, Kind.TEAM))


@dataclass(frozen=True, slots=True)
class Container:
    """A row of the hierarchy."""

    mid: int  # PidTagAddressBookContainerId
    name: str
    kinds: frozenset[Kind]  # of the entries that it holds
    parent: int | None = None

    @property
    def dn(self) -> str:
        return names.of_container(self.mid)

    @property
    def depth(self) -> int:
        return 0 if self.parent is None else 1

    @property
    def flags(self) -> int:
        """PidTagContainerFlags."""
        inner = consts.AB_SUBCONTAINERS if self.mid == ALL_LISTS else consts.AB_RECIPIENTS
        return inner | consts.AB_UNMODIFIABLE

    @property
    def entry_id(self) -> bytes:
        """R1865: permanent, of the display type of containers."""
        return names.permanent(consts.DT_CONTAINER, self.dn)


HIERARCHY: Final = (
    Container(GLOBAL, "Global Address List", frozenset(Kind) - {Kind.CONTACT}),
    Container(ALL_LISTS, "All Address Lists", frozenset()),
    Container(USERS, "All Users", _USERS, ALL_LISTS),
    Container(GROUPS, "All Groups", _GROUPS, ALL_LISTS),
    Container(LISTS, "Mailing Lists", frozenset((Kind.LIST,)), ALL_LISTS),
    Container(FOLDERS, "Public Folders", frozenset((Kind.GROUP,)), ALL_LISTS),
)
BY_MID: Final = {one.mid: one for one in HIERARCHY}
KINDS: Final = {one.mid: one.kinds for one in HIERARCHY}
