"""How delivery speaks to the next host, whatever the protocol: what is asked, what comes back.

`smtp.client` implements `Transport`; the composition root joins them.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from quintet.delivery.envelope import Mailbox
from quintet.delivery.tlspolicy import HopPolicy
from quintet.net.seam import Body


class Result(enum.Enum):
    """What became of one recipient at the next host."""

    DONE = "relayed"  # the next host has it
    LATER = "deferred"  # try again
    NEVER = "bounced"  # trying again will not help


@dataclass(frozen=True, slots=True)
class Answer:
    """About one recipient; ``status`` is RFC 3463's "class.subject.detail"."""

    result: Result
    status: str
    text: str  # the peer's words with its code, or ours
    host: str = ""  # who said so; "" is ourselves


@dataclass(frozen=True, slots=True)
class Hop:
    """One place to connect to."""

    host: str  # name, for TLS and for people
    address: str  # IP, or "unix:/path"
    port: int
    tls: str = "may"  # of `config.queue.Route`
    user: str = ""
    password: str = ""
    lmtp: bool = False
    mx: bool = False  # the name service named it, so it might be ourselves
    source: str = ""  # local address
    connect_timeout_s: float = 30.0
    policy: HopPolicy | None = None  # what TLS must be; None: as ``tls`` says


@dataclass(frozen=True, slots=True)
class Letter:
    """One message as it leaves."""

    sender: Mailbox
    body: Body
    eight_bit: bool  # some byte is above 0x7F
    utf8_header: bool  # such a byte stands in the header (RFC 6532)
    narrowed: Callable[[], Awaitable[Letter | None]] | None = None  # the same in seven bits, if possible


class Link(Protocol):
    """One session with a host, good for several messages one after the other."""

    @property
    def usable(self) -> bool:
        """Another message may be sent."""
        ...

    @property
    def address(self) -> str:
        """Where it leads: `Hop.address`."""
        ...

    async def send(self, letter: Letter, recipients: Sequence[Mailbox]) -> list[Answer]:
        """Sends one message to several recipients in one transaction; one answer each, in order.

        Raises:
            TryLater(CLOSED): the session died before the host had anything; a fresh one may be tried at once.
        """
        ...

    async def close(self) -> None:
        """Ends it politely; never raises."""
        ...


class Transport(Protocol):
    """Opens sessions."""

    async def connect(self, hop: Hop) -> Link:
        """A session that greeted, is under TLS as the hop demands, and logged in.

        Raises:
            TryLater: not now, or not as the hop demands; another host may do.
            Refused(AUTH_FAILED, POLICY): it will not have us.
            Refused(LOOP): an ``mx`` hop that is ourselves.
        """
        ...
