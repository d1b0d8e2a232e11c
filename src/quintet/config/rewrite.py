"""Addresses that are called something else: Postfix's canonical(5) and generic(5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from quintet.config.field import opt
from quintet.values import dataclass

CLASSES = ("envelope_sender", "envelope_recipient", "header_sender", "header_recipient")
MAPS = ("canonical", "sender_canonical", "recipient_canonical", "generic")

_EXPRESSION = re.compile(r"/((?:[^/\\]|\\.)+)/i?")
_VALUE = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^\s@<>,;:"()\\]*)@[^\s@<>,;:"()\\]+')

_KEYS = (
    "; keys are user@domain, user (of our domains), @domain, @.domain (all below it), or /expression/ "
    "with $1 in the value; a value @domain keeps the local part."
)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Section `[rewrite]`.  The names of files are those of the sources of Postfix's tables."""

    canonical: dict[str, str] = opt({}, f"Addresses and what they become in mail that comes in{_KEYS}")
    canonical_file: str = opt("", "More of them in a file, a key and a value a line; read when it changes.")
    canonical_classes: list[str] = opt(
        list(CLASSES), f"What of a message that changes: {', '.join(CLASSES)}; for the two below as well."
    )
    sender_canonical: dict[str, str] = opt({}, "The same for senders only, before it.")
    sender_canonical_file: str = opt("", "More of them in a file.")
    recipient_canonical: dict[str, str] = opt({}, "The same for recipients only, before it.")
    recipient_canonical_file: str = opt("", "More of them in a file.")
    headers_of: str = opt(
        "ours",
        "Whose header fields change: of who logged in, smtp.relay_networks and this machine, or everybody's, "
        "whose signatures break then.",
        choices=("ours", "everybody"),
    )
    generic: dict[str, str] = opt(
        {}, "Addresses and what they become, everywhere in mail that leaves by SMTP (mx and smtp routes)."
    )
    generic_file: str = opt("", "More of them in a file.")

    @property
    def coming(self) -> bool:
        """Something of what comes is to change."""
        return any(self.of(name) != ({}, "") for name in MAPS[:3])

    @property
    def leaving(self) -> bool:
        """Something of what leaves is to change."""
        return self.of("generic") != ({}, "")

    def of(self, name: str) -> tuple[dict[str, str], str]:
        """The entries and the file of one of `MAPS`."""
        return getattr(self, name), getattr(self, f"{name}_file")

    def beside(self, whole: Callable[[str], str]) -> Rewrite:
        """With the names of its files as ``whole`` makes them."""
        return replace(
            self,
            canonical_file=whole(self.canonical_file),
            sender_canonical_file=whole(self.sender_canonical_file),
            recipient_canonical_file=whole(self.recipient_canonical_file),
            generic_file=whole(self.generic_file),
        )

    def faults(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """What is wrong although every value alone is right: where, and a sentence each."""
        for at, name in enumerate(self.canonical_classes):
            if name not in CLASSES:
                yield ("canonical_classes", at), f"expected one of {', '.join(CLASSES)}, got {name!r}"
        for name in MAPS:
            for key, value in self.of(name)[0].items():
                if problem := fault(key, value):
                    yield (name, key), problem


def fault(key: str, value: str) -> str:
    """What is wrong with an entry of a table; "" when nothing is."""
    if key.startswith("/"):
        try:
            expression(key)
        except ValueError as error:
            return str(error)
        return ""  # what its value makes of an address is looked at then
    return "" if is_value(value) else f"expected user@domain or @domain, got {value!r}"


def is_value(text: str) -> bool:
    """An address, or a domain with "@" in front."""
    return _VALUE.fullmatch(text) is not None


def expression(key: str) -> re.Pattern[str]:
    """What stands between the slashes, without case.  Raises ValueError."""
    found = _EXPRESSION.fullmatch(key)
    if found is None:
        raise ValueError(f"expected /expression/, got {key!r}")
    try:
        return re.compile(found[1], re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:  # the latter of {9999999999}, and of many "("
        raise ValueError(f"{key[:80]}: {error}") from error
