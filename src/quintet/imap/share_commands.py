"""What a client asks about rights (RFC 4314), metadata (RFC 5464) and quotas (RFC 9208), as values."""

from __future__ import annotations

from quintet.imap.commands import Command
from quintet.values import dataclass


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


@dataclass(frozen=True, slots=True)
class GetMetadata(Command):
    """RFC 5464 4.2; an empty mailbox asks of the server.  ``depth`` is 0, 1, or -1 for infinity."""

    mailbox: bytes
    entries: tuple[str, ...]
    max_size: int | None = None  # bytes
    depth: int = 0


@dataclass(frozen=True, slots=True)
class SetMetadata(Command):
    """RFC 5464 4.3; a value of None removes the entry."""

    mailbox: bytes
    values: tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class GetQuota(Command):
    """RFC 9208 4.1.1."""

    root: bytes


@dataclass(frozen=True, slots=True)
class GetQuotaRoot(Command):
    """RFC 9208 4.1.2."""

    mailbox: bytes


@dataclass(frozen=True, slots=True)
class SetQuota(Command):
    """RFC 9208 4.1.3: resources in upper case, with their limits."""

    root: bytes
    limits: tuple[tuple[bytes, int], ...]
