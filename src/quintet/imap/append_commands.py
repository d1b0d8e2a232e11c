"""What APPEND and REPLACE bring, as values (RFC 9051 6.3.12, RFC 3502, RFC 4469, RFC 6855 4, RFC 8508).

Such a command is longer than a line: its text is cut by literals that the handler reads.  One `Stretch` is
what stands in a line up to the literal at its end.
"""

from __future__ import annotations

import enum

import msgspec

from quintet.store.entry_annotations import Remark
from quintet.values import dataclass


class Holds(enum.Enum):
    """What a literal is."""

    MESSAGE = enum.auto()  # a whole message
    TEXT = enum.auto()  # a piece of one (RFC 4469 5)
    REMARK = enum.auto()  # the value of an annotation (RFC 5257 4.7)
    URL = enum.auto()  # the URL of a piece, too long or too odd to be quoted


class Literal(msgspec.Struct, frozen=True):
    """A literal that is announced at the end of a line."""

    holds: Holds
    size: int  # bytes
    waits: bool  # True: the client waits for "+" (RFC 9051 4.3)
    binary: bool = False  # literal8
    utf8: bool = False  # wrapped as UTF8 (~{...}: a ")" follows (RFC 6855 4)
    begun: bytes = b""  # of REMARK: all that stands before it, from the message's beginning on


class Begin(msgspec.Struct, frozen=True):
    """A message begins: what stands before its text."""

    flags: tuple[bytes, ...]
    moment: int | None  # ms, UTC; None: now
    catenate: bool = False
    remarks: tuple[Remark, ...] = ()  # RFC 5257 4.7


@dataclass(frozen=True, slots=True)
class FromUrl:
    """The next piece of the message is what this URL names (RFC 4469 3)."""

    url: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The list of pieces is closed."""


Step = Begin | FromUrl | End


class Stretch(msgspec.Struct, frozen=True):
    """The arguments of one line."""

    steps: tuple[Step, ...]
    literal: Literal | None  # None: the command ends here
