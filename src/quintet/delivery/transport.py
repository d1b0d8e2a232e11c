"""How delivery speaks to the next host, whatever the protocol: what is asked, what comes back.

`smtp.client` implements `Transport`; the composition root joins them.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from quintet.delivery.envelope import USUAL, Mailbox, Wishes
from quintet.delivery.tlspolicy import Demand, HopPolicy
from quintet.net.seam import Body
from quintet.values import dataclass


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
    passed_on: bool = False  # done, and the host reports from here on: it offered DSN (RFC 3461 5.2.1)
    punctual: bool = (
        False  # done, and the host keeps a deadline from here on: it offered DELIVERBY (RFC 2852)
    )
    final: bool = False  # done for good: delivered into a mailbox (LMTP, a program), not only relayed
    kind: str = "smtp"  # whose words: RFC 3464 2.3.6 diagnostic type; "x-unix" for a program
    command: str = ""  # what was answered: "RCPT TO:<x@y>", "end of data"; "" when nobody was asked


@dataclass(frozen=True, slots=True)
class To:
    """One recipient as a host hears of it."""

    address: Mailbox
    notify: tuple[str, ...] = ()  # as `envelope.Recipient.notify`
    orcpt: str = ""  # as `envelope.Recipient.orcpt`; "": none was given


@dataclass(frozen=True, slots=True)
class Hop:
    """One place to connect to."""

    host: str  # name, for TLS and for people; the program of a pipe, the file of a batch
    address: str  # IP, or "unix:/path"; through a proxy the name
    port: int
    tls: str = "may"  # of `config.route.Route`; means something where there is no ``policy``
    policy: HopPolicy | None = None  # how much TLS; None: what ``tls`` says
    user: str = ""
    password: str = ""
    lmtp: bool = False
    mx: bool = False  # the name service named it, so it might be ourselves
    via: str = "smtp"  # of `config.route.Route`: "mx", "smtp", "lmtp", "pipe" or "batch"
    helo: str = ""  # what we call ourselves; "": as everywhere
    source: str = ""  # local address
    sources: tuple[str, ...] = ()  # several of them, used by turns
    proxy: str = ""  # URL
    command: tuple[str, ...] = ()  # for a pipe
    path: str = ""  # of a batch file
    timeout_s: float = 0.0  # for a program; 0: the usual
    connect_timeout_s: float = 30.0
    pipelining: bool = True  # used when it is offered
    chunking: bool = True  # the same
    pipe_connect: bool = False  # the same, to say EHLO with the connection
    ignore: frozenset[str] = frozenset()  # keywords of EHLO, in upper case, as if they were not said


@dataclass(slots=True, eq=False)
class Turn:
    """The order of what one worker sends: what the last message came to may be on its way to the disk."""

    settling: asyncio.Future[None] | None = None

    async def wait(self) -> None:
        if self.settling is not None and not self.settling.done():
            await self.settling


@dataclass(frozen=True, slots=True)
class Letter:
    """One message as it leaves."""

    sender: Mailbox
    body: Body
    eight_bit: bool  # some byte is above 0x7F
    utf8_header: bool  # such a byte stands in the header (RFC 6532)
    narrowed: Callable[[], Awaitable[Letter | None]] | None = None  # the same in seven bits, if possible
    wishes: Wishes = USUAL  # ``binary``: the body may hold bare CR, LF and NUL, and never goes by DATA
    demand: Demand = Demand.USUAL  # how much TLS the message itself asks for
    after: Turn | None = None  # of the worker that sends it

    async def turn(self) -> None:
        """Before a host may have the whole message: what the same session sent before is settled.

        Whoever sends killed letters again so sends no more than one a session twice.
        """
        if self.after is not None:
            await self.after.wait()


Following = Callable[[], tuple[Letter, Sequence[To]] | None]


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

    async def send(
        self, letter: Letter, recipients: Sequence[To], following: Following | None = None
    ) -> list[Answer]:
        """Sends one message to several recipients in one transaction; one answer each, in order.

        ``following`` may be asked, at the end of the message, what `send` is given next; the host may hear
        of that at once, so it must come next, unless the session is closed.

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
            Refused(NO_MAIL): it takes no mail from anybody; another host may do.
        """
        ...


class Asking(Protocol):
    """Asks hosts without sending anything."""

    async def ask(self, hop: Hop, to: To) -> Answer:
        """What a host says to RCPT from the null sender; ``Answer.command`` tells which command it answered.

        Raises:
            TryLater, Refused: no session, as `Transport.connect`, or it died.
        """
        ...
