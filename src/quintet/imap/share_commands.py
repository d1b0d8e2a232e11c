"""What a client asks about rights (RFC 4314), metadata (RFC 5464) and quotas (RFC 9208), as values."""

from __future__ import annotations

from dataclasses import dataclass

from quintet.imap.commands import Command


@dataclass(frozen=True, slots=True)
class SetAcl(Command):
    """SETACL, and DELETEACL as mode "=" with no letters (RFC 4314 3.1, 3.2)."""

    mailbox: bytes
    identifier: bytes
    mode: str  # "+", "-" or "="
    letters: str


@dataclass(frozen=True, slots=True)
class GetAcl(Command):
    """RFC 4314 3.3."""

    mailbox: bytes


@dataclass(frozen=True, slots=True)
class ListRights(Command):
    """RFC 4314 3.4."""

    mailbox: bytes
    identifier: bytes


@dataclass(frozen=True, slots=True)
class MyRights(Command):
    """RFC 4314 3.5."""

    mailbox: bytes
