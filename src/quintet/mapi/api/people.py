"""People: who sends, who receives, who is in an address book."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import field
from typing import Protocol

from quintet.mapi import pr
from quintet.mapi.bag import Bag
from quintet.mapi.convert.addressing import one_off, search_key
from quintet.values import dataclass

_PARTS = re.compile(r'(?:"[^"]*"|[^;,])+')  # between commas and semicolons, those within quotes apart
_WRITTEN = re.compile(r'\s*"?(?P<name>[^"<]*?)"?\s*<(?P<address>[^<>\s]+@[^<>\s]+)>\s*')


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an address.  Two of the same address are equal, whatever they are called."""

    address: str
    name: str = field(default="", compare=False)
    kind: str = "SMTP"  # or "NNTP", "EX", "FAX"...
    entry: bytes = field(default=b"", compare=False, repr=False)

    def __str__(self) -> str:
        if not self.name or self.name == self.address:
            return self.address
        return f"{self.name} <{self.address}>"

    @classmethod
    def read(cls, bag: Bag) -> Person:
        """A recipient's or an address book entry's properties."""
        address = str(bag.get(pr.SMTP_ADDRESS) or bag.get(pr.EMAIL_ADDRESS) or "")
        kind = "SMTP" if "@" in address else str(bag.get(pr.ADDRTYPE) or "SMTP")
        name = str(bag.get(pr.DISPLAY_NAME) or "")
        return cls(
            address.lower() if kind == "SMTP" else address, name, kind, bytes(bag.get(pr.ENTRYID) or b"")
        )

    @classmethod
    def parse(cls, text: str) -> Person | None:
        """What is written like ``Ann <ann@example.com>`` or ``ann@example.com``; None: a mere name."""
        found = _WRITTEN.fullmatch(text)
        if found:
            return cls(found["address"].lower(), found["name"].strip())
        bare = text.strip()
        return cls(bare.lower(), bare) if "@" in bare and not any(map(str.isspace, bare)) else None

    def bag(self) -> Bag:
        """As a recipient."""
        name = self.name or self.address
        return {
            pr.DISPLAY_NAME: name,
            pr.ADDRTYPE: self.kind,
            pr.EMAIL_ADDRESS: self.address,
            pr.ENTRYID: self.entry or one_off(name, self.kind, self.address),
            pr.SEARCH_KEY: search_key(self.kind, self.address),
            **({pr.SMTP_ADDRESS: self.address} if self.kind == "SMTP" else {}),
        }


class Peopled(Protocol):
    """What stands for people: a contact, a group of them."""

    def people(self) -> list[Person]: ...


def people(
    given: Person | Peopled | str | Iterable[Person | Peopled | str] | None,
    meant: Callable[[str], Iterable[Person]],
) -> list[Person]:
    """What programs write: one or several people, as such, as addresses or as names to be looked up.

    A text may name several, with commas or semicolons between.  ``meant``: whom a name means.
    Raises as ``meant``; TypeError: something else.
    """
    if given is None:
        return []
    if isinstance(given, Person):
        return [given]
    if isinstance(given, str):
        found: list[Person] = []
        for part in filter(str.strip, _PARTS.findall(given)):
            written = Person.parse(part)
            found += meant(part.strip()) if written is None else [written]
        return found
    if hasattr(given, "people"):
        return given.people()
    if isinstance(given, Iterable):
        return [one for each in given for one in people(each, meant)]
    raise TypeError(f"people are a Person, a text, or several of them: not {given!r}")
