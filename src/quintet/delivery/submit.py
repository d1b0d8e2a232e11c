"""Submission: completes what a mail program left out, and cuts what must not leak, as the bytes pass.

Holds the header block only; the body passes through.  Date, Message-ID and From are added where they are
missing, Sender where From is not the sender's, Bcc and Return-Path are removed.  Filing a copy in "Sent" is
the client's business.  RFC 6409 section 8, RFC 5322 3.6.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from quintet.clock import Clock
from quintet.delivery.envelope import Mailbox
from quintet.errors import Reason, Refused
from quintet.message import headers

MAX_AUTHORS = 100  # addresses of From that are looked up
MAX_HEADER = 1024 * 1024  # bytes; a header block that we must hold to complete it

_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*\n?")
_NAME = re.compile(rb"[!-9;-~]+")
_DROPPED = frozenset({b"bcc", b"resent-bcc", b"return-path"})

Owns = Callable[[str], bool]


class Completer:
    """Feed chunks, send on what comes back, then `finish`.

    ``sender`` is the envelope's, ``identity`` the address of who logged in (NULL when unknown);
    ``owns`` tells whether an address belongs to them.
    """

    __slots__ = ("_clock", "_held", "_hostname", "_identity", "_owns", "_passing", "_sender")

    def __init__(
        self, *, sender: Mailbox, identity: Mailbox, owns: Owns, hostname: str, clock: Clock
    ) -> None:
        self._sender, self._identity, self._owns = sender, identity, owns
        self._hostname, self._clock = hostname, clock
        self._held = b""
        self._passing = False

    def feed(self, chunk: bytes) -> bytes:
        """What can go on by now.  Raises Refused(TOO_BIG) for a header block beyond MAX_HEADER."""
        if self._passing:
            return chunk
        searched = max(len(self._held) - 3, 0)
        self._held += chunk
        if self._held.startswith(b"\r\n"):
            end = 0
        else:
            found = self._held.find(b"\r\n\r\n", searched)
            if found < 0:
                if len(self._held) > MAX_HEADER:
                    raise Refused(Reason.TOO_BIG, "header block too big")
                return b""
            end = found + 2
        return self._complete(end)

    def finish(self) -> bytes:
        """The rest, for a message that ended within its header."""
        if self._passing:
            return b""
        if self._held and not self._held.endswith(b"\r\n"):
            self._held += b"\r\n"
        return self._complete(len(self._held))

    def _complete(self, end: int) -> bytes:
        block, rest = self._held[:end], self._held[end:]
        self._held, self._passing = b"", True
        return complete(
            block,
            sender=self._sender,
            identity=self._identity,
            owns=self._owns,
            hostname=self._hostname,
            clock=self._clock,
        ) + (rest or b"\r\n")


def complete(
    block: bytes, *, sender: Mailbox, identity: Mailbox, owns: Owns, hostname: str, clock: Clock
) -> bytes:
    """A header block (without the blank line) as it should have been.

    A first line that is no field makes it the beginning of a body, which stays as it is; but a first
    "From " line of an mbox goes.  Other lines that are no field stay where they are: programs differ in
    what they take them for, so a Bcc behind them is cut all the same.
    """
    kept: list[bytes] = []
    have: dict[bytes, bytes] = {}
    at = block.index(b"\n") + 1 if block.startswith((b"From ", b">From ")) else 0
    while at < len(block):
        found = _FIELD.match(block, at)
        if found is None:
            if not have:
                kept += [b"\r\n", block[at:]]  # a message that has no header at all
                break
            end = block.find(b"\n", at) + 1 or len(block)
            kept.append(block[at:end])
            at = end
            continue
        field = found[0]
        at = found.end()
        name = _name(field)
        have.setdefault(name, field[field.index(b":") + 1 :])
        if name not in _DROPPED:
            kept.append(field)
    return b"".join(_missing(have, sender, identity, owns, hostname, clock)) + b"".join(kept)


def _missing(
    have: dict[bytes, bytes],
    sender: Mailbox,
    identity: Mailbox,
    owns: Owns,
    hostname: str,
    clock: Clock,
) -> list[bytes]:
    added: list[bytes] = []
    author = identity or sender
    if b"date" not in have:
        added.append(f"Date: {headers.format_date(clock.now())}\r\n".encode())
    if not have.get(b"message-id", b"").strip():
        domain = author.domain if author.domain and not author.literal else hostname
        added.append(f"Message-ID: <{clock.token(12)}@{domain}>\r\n".encode())
    if b"from" not in have:
        if author:
            added.append(f"From: <{author}>\r\n".encode())
    elif author and b"sender" not in have and not _authored(have[b"from"], owns):
        added.append(f"Sender: <{author}>\r\n".encode())
    return added


def _authored(value: bytes, owns: Owns) -> bool:
    """One of the authors is who sends."""
    return any(owns(one.spec) for one in headers.mailboxes(value)[:MAX_AUTHORS])


def _name(field: bytes) -> bytes:
    found = _NAME.match(field)
    assert found is not None
    return found[0].lower()
