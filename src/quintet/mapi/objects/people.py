"""People whom a client names by their place in the address book: beside it stands their SMTP address then.

Clients take that out of the global list for everybody on this server ("EX" and a distinguished name), while
letters, envelopes and the other protocols know addresses alone.
"""

from __future__ import annotations

from typing import Final

from quintet.errors import BadSyntax, Refused
from quintet.mapi import entrylists
from quintet.mapi.bag import Bag, Item
from quintet.mapi.convert import addressing
from quintet.mapi.convert import names as converted
from quintet.mapi.nspi import names
from quintet.mapi.objects import pid
from quintet.mapi.types import Tag
from quintet.store import accounts, directory
from quintet.store.db import Tx
from quintet.store.model import Account, AccountId

BOOK = "EX"  # the type of addresses that are distinguished names


def complete(tx: Tx, item: Item) -> None:
    """Adds what is missing to recipients and senders; who is not found stays as they are."""
    for row in item.recipients:
        _say(tx, row, _ROW)
    for tags in (converted.SENDER, converted.REPRESENTING, converted.READ_RECEIPT_TO):
        _say(tx, item.props, (tags.kind, tags.email, tags.smtp, tags.entry, tags.search))
    if isinstance(item.props.get(converted.REPLY_ENTRIES), bytes):
        _say_replies(tx, item.props)


def account_of(tx: Tx, dn: str, own: Account) -> Account | None:
    """Whose mailbox a DN names.

    Clients that were set up by hand send a DN of which only the last name is right: that is a login name,
    perhaps without the domain of whoever asks (``own``).
    """
    number = names.number_of(dn)
    last = dn.rpartition("=")[2].lower()
    try:
        if number is not None:
            return accounts.get(tx, AccountId(number))
    except Refused:
        return None
    found = accounts.find(tx, last)
    if found is None and "@" not in last:
        found = accounts.find(tx, f"{last}@{own.name.partition('@')[2]}")
    return found


_ROW: Final = (pid.ADDRESS_TYPE, pid.EMAIL_ADDRESS, pid.SMTP_ADDRESS, pid.ENTRY_ID, pid.SEARCH_KEY)


def _say(tx: Tx, bag: Bag, tags: tuple[Tag, Tag, Tag, Tag, Tag]) -> None:
    kind, email, smtp, entry, search = tags
    told = bag.get(kind)
    if bag.get(smtp) or (told and not is_book(told)):
        return
    dn = bag.get(email) if told else None
    if not dn and isinstance(bag.get(entry), bytes):
        dn = names.read_or_none(bag[entry])
    address = _address_of(tx, dn)
    if address is not None and isinstance(dn, str):
        bag[smtp] = address
        bag[kind], bag[email] = BOOK, dn
        bag.setdefault(entry, names.permanent(bag.get(converted.DISPLAY_TYPE, 0) & 0xFF, dn))
        bag.setdefault(search, f"{BOOK}:{dn}".upper().encode("ascii") + b"\0")


def _address_of(tx: Tx, dn: object) -> str | None:
    if not isinstance(dn, str) or not dn.isascii() or (number := names.number_of(dn)) is None:
        return None
    return directory.address_of(tx, number)


def _say_replies(tx: Tx, bag: Bag) -> None:
    """An entry id says all there is of who is to have the answer: so it becomes one of an address."""
    try:
        entries = entrylists.read_flat_list(bag[converted.REPLY_ENTRIES])
    except BadSyntax:
        return
    shown = str(bag.get(converted.REPLY_NAMES) or "").split(";")
    after = []
    for one, name in zip(entries, [*shown, *[""] * len(entries)], strict=False):
        address = _address_of(tx, names.read_or_none(one))
        after.append(one if address is None else addressing.one_off(name.strip() or address, "SMTP", address))
    if after != entries:
        bag[converted.REPLY_ENTRIES] = entrylists.write_flat_list(after)


def is_book(kind: object) -> bool:
    return isinstance(kind, str) and kind.upper() == BOOK
