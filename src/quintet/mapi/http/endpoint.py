"""What a path of MAPI over HTTP stands for, and the few values that cross between it and the framing."""

from __future__ import annotations

import enum
from typing import Any, Protocol

from quintet.auth.identity import Identity
from quintet.mapi.buffer import Writer
from quintet.net.seam import Peer
from quintet.values import dataclass


class Code(enum.IntEnum):
    """X-ResponseCode (MS-OXCMAPIHTTP 2.2.3.3.3)."""

    SUCCESS = 0
    UNKNOWN_FAILURE = 1
    INVALID_VERB = 2
    INVALID_PATH = 3
    INVALID_HEADER = 4
    INVALID_REQUEST_TYPE = 5
    INVALID_CONTEXT_COOKIE = 6
    MISSING_HEADER = 7
    ANONYMOUS_NOT_ALLOWED = 8
    TOO_LARGE = 9
    CONTEXT_NOT_FOUND = 10
    NO_PRIVILEGE = 11
    INVALID_REQUEST_BODY = 12
    MISSING_COOKIE = 13
    INVALID_SEQUENCE = 15
    ENDPOINT_DISABLED = 16
    INVALID_RESPONSE = 17
    SHUTTING_DOWN = 18


@dataclass(frozen=True, slots=True)
class Begun:
    """A request that is accepted: the cookies to tell (2.2.3.2.3), or "" where there is no context."""

    context: str = ""
    sequence: str = ""
    waits: bool = False  # it ends with its client: nobody else has a use of it


class Wrong(Exception):
    """A request that is not accepted, or fails later; ``text`` is for people and safe to show.

    ``begun``: the cookies of the context that it was for, if it has one all the same (R1236).
    """

    def __init__(self, code: Code, text: str, begun: Begun = Begun()) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text
        self.begun = begun


class Failed(Exception):
    """The request is well formed and cannot be done: StatusCode of a failure response body."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def failure(status: int) -> bytes:
    """Every request type's failure response body: StatusCode, no auxiliary buffer (2.2.4.1.3 and others)."""
    writer = Writer()
    writer.u32(status)
    writer.u32(0)
    return writer.done()


@dataclass(frozen=True, slots=True)
class Opened:
    """What became of a request that makes a context; ``state`` None: refused, and there is none."""

    state: Any  # the endpoint's own
    body: bytes


class Endpoint(Protocol):
    """One path.  Request types are compared without case (some clients send them in capitals)."""

    @property
    def opening(self) -> str:
        """The request type that makes a context, in lower case: "connect", "bind"."""
        ...

    @property
    def closing(self) -> str:
        """The one that ends it: "disconnect", "unbind"; `answer` gives its body, then `close` is called."""
        ...

    @property
    def kinds(self) -> frozenset[str]:
        """All other request types but PING, in lower case."""
        ...

    @property
    def waiting(self) -> frozenset[str]:
        """Those of ``kinds`` that may be sent while another one runs (3.1.5.5), and end with their client."""
        ...

    async def open(self, identity: Identity, body: bytes, peer: Peer | None = None) -> Opened:
        """Makes a context for who came from ``peer``.  Raises as `answer`."""
        ...

    async def answer(self, state: Any, kind: str, body: bytes) -> bytes:
        """The success response body.

        Raises:
            BadSyntax: the body is malformed (X-ResponseCode 12).
            Failed: it cannot be done.
            Problem: of the store, a full disk perhaps; becomes a failure body.
        """
        ...

    def close(self, state: Any) -> None:
        """The context is gone, by request or by its age.  Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was read, from somebody known."""

    path: str  # as registered
    kind: str  # lower case
    identity: Identity
    body: bytes
    context: str = ""  # cookies as they came; "": none
    sequence: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """How a request ended; with a code that is not 0 the body is a sentence for people.

    ``begun`` is told to another worker with the refusal of a request.
    """

    code: int
    body: bytes
    begun: Begun = Begun()
