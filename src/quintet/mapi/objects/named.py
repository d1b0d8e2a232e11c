"""Named properties: an account's own numbers for them (MS-OXCPRPT 3.2.5.9, 3.2.5.10).

A number is given once and never changes, so what was looked up may be remembered as long as a logon lasts.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from quintet.errors import Reason, TryLater
from quintet.mapi import guids, types
from quintet.mapi.bag import Key, NamedTag
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.types import Named, Tag
from quintet.store import props
from quintet.store.db import Tx
from quintet.store.model import AccountId

MAX_NAME = 255  # characters: 8 bits tell its size in bytes on the wire (MS-OXCDATA 2.6.1)


class Names:
    """The map of one account, with what was asked before."""

    def __init__(self, account_id: AccountId) -> None:
        self._account_id = account_id
        self._numbers: dict[Named, int] = {}
        self._names: dict[int, Named] = {}

    def number(self, tx: Tx, named: Named, *, create: bool = False) -> int:
        """The property id of a name; 0 where it has none (R220).

        Raises MapiError(OUT_OF_MEMORY): there is no number left for a new one (R53502).
        """
        named = normal(named)
        if named.guid == guids.PS_MAPI:  # names for ids that need none (R642)
            return named.name if isinstance(named.name, int) and 0 < named.name < props.FIRST_NAMED else 0
        found = self._numbers.get(named)
        if found is None:
            try:
                found = props.named(
                    tx, self._account_id, named.guid.bytes_le, _text(named.name), create=create
                )
            except TryLater as problem:
                if problem.reason is not Reason.NUMBERS_EXHAUSTED:
                    raise
                raise MapiError(Code.OUT_OF_MEMORY, "no number is left for another name") from problem
            if found is None:
                return 0
            if not create:  # what was just made is gone again if the transaction is
                self._keep(named, found)
        return found

    def named(self, tx: Tx, number: int) -> Named | None:
        """The name of a property id; ids below 0x8000 are their own names (R518 to R524)."""
        if number < props.FIRST_NAMED:
            return Named(guids.PS_MAPI, number)
        found = self._names.get(number)
        if found is None:
            row = props.name_of(tx, self._account_id, number)
            if row is None:
                return None
            found = Named(uuid.UUID(bytes_le=row[0]), _of_text(row[1]))
            self._keep(found, number)
        return found

    def every(self, tx: Tx) -> list[tuple[int, Named]]:
        """All of the account's (RopQueryNamedProperties), by number."""
        return [
            (number, Named(uuid.UUID(bytes_le=guid), _of_text(text)))
            for number, guid, text in props.every_name(tx, self._account_id)
        ]

    def key(self, tx: Tx, tag: Tag) -> Key:
        """What a bag calls a property: a tag by its name where it has one.  Raises MapiError(NOT_FOUND)."""
        number = types.id_of(tag)
        if number < props.FIRST_NAMED:
            return tag
        found = self.named(tx, number)
        if found is None:
            raise MapiError(Code.NOT_FOUND, "no property has that number")
        return NamedTag(found.guid, found.name, tag & 0xFFFF)

    def tag(self, tx: Tx, key: Key, *, create: bool = False) -> Tag | None:
        """The inverse of `key`; None for a name that has no number."""
        if not isinstance(key, NamedTag):
            return key
        number = self.number(tx, Named(key.guid, key.name), create=create)
        return types.tag_of(number, key.kind) if number else None

    def tags(self, tx: Tx, keys: Sequence[Key]) -> list[Tag]:
        """Those of the keys that have a number."""
        return [tag for key in keys if (tag := self.tag(tx, key)) is not None]

    def _keep(self, named: Named, number: int) -> None:
        self._numbers[named] = number
        self._names[number] = named


def normal(named: Named) -> Named:
    """As it is kept: names of header fields in lower case (R529).

    Raises MapiError(INVALID_PARAMETER): a text of no possible length.
    """
    if isinstance(named.name, int):
        return named
    if not 0 < len(named.name) <= MAX_NAME or "\0" in named.name:
        raise MapiError(Code.INVALID_PARAMETER, "no possible name")
    if named.guid == guids.PS_INTERNET_HEADERS:
        return Named(named.guid, named.name.lower())
    return named


def _text(name: int | str) -> str:
    """A name as the store has it: "#n" for a number, so a text that begins so has another mark before it."""
    if isinstance(name, int):
        return f"#{name}"
    text = name.encode("utf-8", "replace").decode("utf-8")
    return "#" + text if text.startswith("#") else text


def _of_text(text: str) -> int | str:
    if not text.startswith("#"):
        return text
    return text[1:] if text.startswith("##") else int(text[1:])
