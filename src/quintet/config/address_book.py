"""The ``[address_book]`` section."""

from __future__ import annotations

from quintet.config.field import opt
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class AddressBook:
    """What people find of each other in the address book of MAPI clients."""

    hide: tuple[str, ...] = opt(
        (),
        'Login names, addresses or teams ("$NAME") that nobody finds but themselves; * and ? stand for what'
        " they do in file names.",
    )
    own_domain: bool = opt(False, "Show each account only entries of its own domain.")
    own_cards: bool = opt(
        True,
        "People may say more of themselves in their entry: telephone numbers, title, department, address."
        " Their certificates they may put there in any case.",
    )
