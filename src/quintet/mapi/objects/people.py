"""People whom a client names by their place in the address book: beside it stands their SMTP address then.

Clients take that out of the global list for everybody on this server ("EX" and a distinguished name), while
letters, envelopes and the other protocols know addresses alone.
"""

from __future__ import annotations

from typing import Final

from quintet.mapi.bag import Bag, Item
from quintet.mapi.convert import names as converted
from quintet.mapi.nspi import names
from quintet.mapi.objects import pid
from quintet.mapi.types import Tag
from quintet.store import directory
from quintet.store.db import Tx

BOOK = "EX"  # the type of addresses that are distinguished names


def complete(tx: Tx, item: Item) -> None:
    """Adds what is missing to recipients and senders; who is not found stays as they are."""
    for row in item.recipients:
        _say(tx, row, _ROW)
    for tags in (converted.SENDER, converted.REPRESENTING, converted.READ_RECEIPT_TO):
        _say(tx, item.props, (tags.kind, tags.email, tags.smtp, tags.entry, tags.search))


_ROW: Final = (pid.ADDRESS_TYPE, pid.EMAIL_ADDRESS, pid.SMTP_ADDRESS, pid.ENTRY_ID, pid.SEARCH_KEY)


def _say(tx: Tx, bag: Bag, tags: tuple[Tag, Tag, Tag, Tag, Tag]) -> None:
    kind, email, smtp, entry, search = tags
    told = bag.get(kind)
    if bag.get(smtp) or (told and not is_book(told)):
        return
    dn = bag.get(email) if told else None
    if not dn and isinstance(bag.get(entry), bytes):
        dn = names.read_or_none(bag[entry])
    if not isinstance(dn, str) or not dn.isascii() or (number := names.number_of(dn)) is None:
        return
    address = directory.address_of(tx, number)
    if address is not None:
        bag[smtp] = address
        bag[kind], bag[email] = BOOK, dn
        bag.setdefault(entry, names.permanent(bag.get(converted.DISPLAY_TYPE, 0) & 0xFF, dn))
        bag.setdefault(search, f"{BOOK}:{dn}".upper().encode("ascii") + b"\0")


def is_book(kind: object) -> bool:
    return isinstance(kind, str) and kind.upper() == BOOK
