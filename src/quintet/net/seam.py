"""The seam between bytes and meaning: the few types that cross it, and nothing else.

A `Wire` (pure) turns bytes into commands.  A `Session` knows one protocol and the store, but no
socket and no clock of its own.  The driver (`net.driver`) owns bytes, time and waiting, and is the
only code that touches a stream.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import field
from typing import TYPE_CHECKING, Any, Protocol

from quintet.errors import Problem, Reason
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.net.client import Client

CHUNK = 64 * 1024  # bytes moved at once, in and out


class Need(enum.Enum):
    """Why a wire has no command yet."""

    DATA = enum.auto()  # more bytes
    LITERAL = enum.auto()  # the peer waits for "+" before it sends a short literal (IMAP)


class Ask(enum.Enum):
    """Replies that are requests to the driver, as data, so that a test sees them as values."""

    FLUSH = enum.auto()  # write out before going on
    START_TLS = enum.auto()  # flush, drop what came early, shake hands, call session.secured()
    COMPRESS = enum.auto()  # flush, then raw DEFLATE both ways (RFC 4978, RFC 8054)
    PLAIN = enum.auto()  # flush, then no DEFLATE any more (RFC 8437 4.1)
    CLOSE = enum.auto()  # flush and end the connection


class Body(Protocol):
    """Stored bytes by reference (prefix and blob as one range); made by the store."""

    @property
    def size(self) -> int: ...  # bytes

    @property
    def dotless(self) -> bool: ...  # True: no line starts with ".", so stuffing is a copy

    def small(self, start: int, length: int) -> bytes | None:
        """The bytes at once when that costs no waiting (held in a row), else None."""
        ...

    def chunks(self, start: int, length: int) -> AsyncIterator[bytes]:
        """The bytes in pieces of at most CHUNK; never holds more than two."""
        ...


@dataclass(frozen=True, slots=True)
class Slice:
    """An outgoing body by reference; the driver opens and streams it, at the client's pace."""

    body: Body
    start: int
    length: int
    dotted: bool = False  # stuff dots, add a missing final CRLF, end with "." CRLF


@dataclass(frozen=True, slots=True)
class HandOver:
    """The roles turn around: flush, then `take` speaks to the peer as its client (RFC 2645 5.3).

    The connection ends when it returns.  It is cancelled when the listener must end.
    """

    take: Callable[[Client], Awaitable[None]]


class Pending:
    """A handler's answer that one future decides: no task, and no generator, while it is waited for.

    ``then`` is called once when ``future`` is done, however it ended and also when the peer is gone by then;
    it gives the replies, or raises any `Problem`.
    """

    __slots__ = ("future", "then")

    def __init__(self, future: asyncio.Future[Any], then: Callable[[], Replies]) -> None:
        self.future = future
        self.then = then


Reply = Any  # bytes (as they go out), Slice, Ask, HandOver, or a value that the session's own wire encodes
Replies = AsyncGenerator[Reply, None] | Sequence[Reply] | Iterator[Reply] | Pending
"""What a handler gives: an async generator when it waits for anything, else simply a list.

An iterator is a list whose replies are made as they are sent; it raises nothing.
Where the only thing to wait for is one future, a `Pending` costs a fifth of a generator in a task.
"""


async def settled(replies: Any) -> Any:  # Any: Replies, or an iterator over a list's rest
    """Replies that are no `Pending` any more; for who is in a task anyway.  Raises what ``then`` raises."""
    while type(replies) is Pending:
        await asyncio.wait((replies.future,))
        replies = replies.then()
    return replies


async def each(replies: Replies) -> AsyncGenerator[Reply, None]:
    """Replies of any kind one by one, for who passes on another's.  Raises what they raise."""
    given = await settled(replies)
    if isinstance(given, AsyncGenerator):
        async with aclosing(given) as source:
            async for reply in source:
                yield reply
    else:
        for reply in given:
            yield reply


class Input(Protocol):
    """What follows a command line: pulled by the handler, fed by the driver."""

    async def line(self, limit: int = 65536) -> bytes:
        """One line without its CRLF, as for a SASL response.  Raises BadSyntax(TOO_LONG), Hangup."""
        ...

    def counted(self, size: int) -> AsyncIterator[bytes]:
        """Exactly ``size`` bytes in chunks of at most CHUNK (APPEND literal, BDAT)."""
        ...

    def dotted(self) -> AsyncIterator[bytes]:
        """A dot-terminated body, un-stuffed, CRLF kept (DATA, POST, IHAVE).

        Only CRLF "." CRLF ends it.  ``bare`` of the driver's reader is told through
        `Reason.BARE_LINE_END` when the session's wire asks for strictness.
        """
        ...


class Wire(Protocol):
    """Bytes to commands and replies to bytes; pure; one instance a connection."""

    @property
    def owed(self) -> bool:
        """The peer was told to go on: what comes next belongs to the command before (SMTP DATA)."""
        ...

    def feed(self, data: bytes) -> None: ...

    def next(self) -> Any:
        """A command value, or `Need`.  Raises BadSyntax (answered, then goes on) or Hangup."""
        ...

    def take_line(self, limit: int) -> bytes | None:
        """A raw line without CRLF if one is there (for `Input.line`)."""
        ...

    def take(self, limit: int) -> bytes:
        """At most ``limit`` raw bytes of what is buffered (for `Input.counted`, `Input.dotted`)."""
        ...

    def untake(self, data: bytes) -> None:
        """Puts bytes back in front: what a dotted body left over."""
        ...

    def clear(self) -> None:
        """Throws away everything buffered (STARTTLS: it was not protected)."""
        ...

    def encode(self, reply: Any) -> bytes:
        """A reply value of this protocol as bytes with CRLF; `Need.LITERAL` gives the "+" line."""
        ...


@dataclass(frozen=True, slots=True)
class TlsInfo:
    """What is known of a protected connection."""

    version: str  # "TLSv1.3"
    cipher: str
    bits: int
    sni: str = ""
    peer_certificate: bytes = b""  # DER, verified; empty when the client gave none
    server_end_point: bytes = b""  # tls-server-end-point channel binding (RFC 5929)

    def __str__(self) -> str:
        """For logs: "TLSv1.3 TLS_AES_256_GCM_SHA384"."""
        return f"{self.version} {self.cipher}"


@dataclass(slots=True)
class Peer:
    """One connection as sessions see it; the driver fills it in."""

    id: str  # connection id that runs through log, metrics and trace
    address: str  # IP of the client (after a PROXY header), or "unix", "memory"
    port: int = 0
    local_address: str = ""
    local_port: int = 0
    listener: str = ""  # name of the listener: "smtp", "submission", "imaps"...
    tls: TlsInfo | None = None
    started_at: int = 0  # ms, UTC
    helo: str = ""
    user: str = ""  # login name of the local user at the other end, where the system vouches for it
    notes: dict[str, Any] = field(default_factory=dict)  # what hooks attach

    @property
    def loopback(self) -> bool:
        """From this machine: cleartext secrets are tolerated there."""
        return self.address.startswith("127.") or self.address in ("::1", "unix", "memory")

    @property
    def secure(self) -> bool:
        return self.tls is not None


class Session(Protocol):
    """Semantics of one connection; no sockets, no clock of its own."""

    @property
    def wants_push(self) -> bool:
        """True in IDLE and under NOTIFY: the driver then waits for input *or* `watch`."""
        ...

    @property
    def watch(self) -> asyncio.Event | None:
        """Set by the store when something changed; only looked at while `wants_push`."""
        ...

    @property
    def timeout_s(self) -> float:
        """Seconds of silence allowed in the present state."""
        ...

    def greet(self) -> Replies: ...

    def handle(self, command: Any, following: Input) -> Replies:
        """Answers one command.  May raise (or its generator may raise) any `Problem`."""
        ...

    def poll(self) -> Replies:
        """What changed meanwhile; called when `watch` was set while `wants_push`."""
        ...

    def problem(self, error: Problem, command: Any | None) -> Replies:
        """The one table from reason to words; ``command`` is None for a wire's BadSyntax."""
        ...

    def farewell(self, reason: Reason) -> bytes:
        """The last line before we close: SHUTDOWN, TIMEOUT, TOO_MANY_ERRORS, BUG... (b"" for none)."""
        ...

    def secured(self, tls: TlsInfo) -> None:
        """TLS stands: forget what the client said before."""
        ...

    def close(self) -> None:
        """The connection is gone; release locks and watches.  Never raises."""
        ...


class Service(Protocol):
    """What a listener serves; one a protocol and role."""

    @property
    def name(self) -> str: ...

    def open(self, peer: Peer) -> tuple[Wire, Session]: ...
