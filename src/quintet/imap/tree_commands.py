"""Commands about the connection itself and its language, and the older ways to list (see each).

Apart from `commands`, because few sessions use them.
"""

from __future__ import annotations

from quintet.imap.commands import Command, List
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Compress(Command):
    """RFC 4978 3."""

    algorithm: bytes


@dataclass(frozen=True, slots=True)
class Unauthenticate(Command):
    """RFC 8437 3."""


@dataclass(frozen=True, slots=True)
class Language(Command):
    """RFC 5255 3.2; without ranges the languages are asked for."""

    ranges: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Comparator(Command):
    """RFC 5255 4.7; without patterns the one in use is asked for."""

    patterns: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Xlist(List):
    """LIST as old mobile clients ask, which know special uses by other names; no standard has it."""
