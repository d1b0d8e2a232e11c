"""NspiModProps (MS-OXNSPI 3.1.4.1.14): an account changes what the card of its own entry says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quintet.errors import BadSyntax
from quintet.mapi import types
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.nspi import codepages, entries, properties
from quintet.mapi.nspi.entries import Entry
from quintet.mapi.nspi.messages import Stat, Tagged, Tags
from quintet.mapi.nspi.tables import Look
from quintet.mapi.types import Tag, Value
from quintet.store import directory
from quintet.store.db import Tx
from quintet.store.model import AccountId

MAX_TEXT: Final = 1024  # characters of a text on a card


def own_entry(look: Look, stat: Stat, gone: Tags | None, *, cards: bool, wanted: Sequence[Tag]) -> Entry:
    """The entry that is to be changed.  ``cards``: people may change more than their certificates.

    Raises:
        MapiError(INVALID_PARAMETER): R1291, R1293.
        MapiError(INVALID_OBJECT): nothing that has a card (R1295).
        MapiError(ACCESS_DENIED): not one's own entry, or a property that is not for its owner (R1303).
    """
    entry = look.entry(stat.current)
    if gone is None or entry is None:
        raise MapiError(Code.INVALID_PARAMETER)
    if not entry.is_account:
        raise MapiError(Code.INVALID_OBJECT)
    allowed = (*properties.CERTIFICATES, *(properties.CARD if cards else ()))
    if entry.mid != look.eyes.own or any(properties.width(tag, True) not in allowed for tag in wanted):
        raise MapiError(Code.ACCESS_DENIED)
    return entry


def card_of(values: Sequence[Tagged], page: int) -> dict[int, bytes]:
    """Properties as a card keeps them; texts in Unicode (R464).  Raises MapiError(INVALID_PARAMETER)."""
    try:
        return entries.write_card(
            {properties.width(tag, True): _value(tag, value, page) for tag, value in values}
        )
    except BadSyntax as error:
        raise MapiError(Code.INVALID_PARAMETER, error.text) from error


def _value(tag: Tag, value: Value, page: int) -> Value:
    if types.type_of(tag) == types.STRING8 and value is not None:
        value = codepages.decode(value, page)
    if value is None or (isinstance(value, str) and len(value) > MAX_TEXT):
        raise BadSyntax("a value that is absent, or too long")
    if isinstance(value, list) and any(one is None for one in value):
        raise BadSyntax("a value that is absent")
    return value


def write(tx: Tx, entry: Entry, card: dict[int, bytes], gone: Sequence[Tag]) -> None:
    """First takes away, then sets (R1297 to R1301).  Raises MapiError(ACCESS_DENIED): too much for a card."""
    account = AccountId(entry.number)
    removed = [properties.width(tag, True) for tag in gone]
    after = {tag: raw for tag, raw in directory.card(tx, account).items() if tag not in removed} | card
    texts = sum(len(raw) for tag, raw in after.items() if tag not in directory.LARGE)
    if texts > directory.MAX_TEXTS or sum(map(len, after.values())) > directory.MAX_CARD:
        raise MapiError(Code.ACCESS_DENIED, "more than a card holds")
    directory.set_card(tx, account, card, removed)
