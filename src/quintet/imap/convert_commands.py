"""CONVERT, CONVERSIONS (RFC 5259) and UIDBATCHES (draft-ietf-mailmaint-imap-uidbatches), as values."""

from __future__ import annotations

from quintet.imap.commands import Command, Item
from quintet.imap.sets import NumberSet
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Conversions(Command):
    """RFC 5259 5.1: MIME types with wildcards, in lower case."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Convert(Command):
    """CONVERT and UID CONVERT (RFC 5259 6)."""

    uid: bool
    numbers: NumberSet
    target: str  # in lower case; "": what suits best
    params: tuple[tuple[str, str], ...]  # names in lower case
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class UidBatches(Command):
    """Ranges of UIDs that hold ``size`` messages each, the newest first; ``first`` to ``last`` of them."""

    size: int
    first: int = 1
    last: int | None = None
