"""What all connections of one SMTP or LMTP listener share: who they are, what they offer, whom they ask."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable
from dataclasses import field
from typing import TYPE_CHECKING

from quintet.auth.identity import Identity
from quintet.auth.service import AuthService
from quintet.clock import Clock
from quintet.config.smtp import Smtp
from quintet.delivery.inbound import Inbound
from quintet.net.limits import Networks
from quintet.net.seam import Body, Peer
from quintet.smtp.parameters import Terms
from quintet.smtp.refusals import Refusals
from quintet.store.store import Store
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.smtp.turn import Turns

ResolveBurl = Callable[[str, Identity], Awaitable[Body]]
"""What a URL of BURL leads to (RFC 4468), for who logged in.

Raises:
    Refused(NO_SUCH_MESSAGE): it leads nowhere.
    Refused(NO_PERMISSION): the URL does not allow it.
    TryLater: it cannot be fetched now.
"""


class Role(enum.Enum):
    """What a listener is for."""

    MX = "smtp"  # mail from other hosts, for us (RFC 5321)
    SUBMISSION = "submission"  # mail from our users, for anybody (RFC 6409)
    ODMR = "odmr"  # hosts that log in and fetch their mail (RFC 2645)
    LMTP = "lmtp"  # mail from a transfer agent, a status for each recipient (RFC 2033)


@dataclass(frozen=True, slots=True)
class Desk:
    """Shared and never changed; a reload makes a new one for new connections."""

    role: Role
    store: Store
    auth: AuthService
    inbound: Inbound
    config: Smtp
    hostname: str
    clock: Clock
    starttls: bool  # the listener has a certificate and is not under TLS from the start
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep)
    resolve_burl: ResolveBurl | None = None  # None: BURL is not offered
    turns: Turns | None = None  # None: neither ETRN nor ATRN, and so wherever RFC 6409 7 forbids them
    terms: Terms = field(init=False)
    trusted: Networks = field(init=False)  # may send anywhere without logging in
    xclient_from: Networks = field(init=False)
    xforward_from: Networks = field(init=False)
    refusals: Refusals = field(init=False)
    withheld: frozenset[str] = field(init=False)  # keywords of EHLO, in upper case
    pipe_connect: bool = field(init=False)  # who was here before need not wait for greeting and EHLO's answer

    def __post_init__(self) -> None:
        config, submission = self.config, self.role is Role.SUBMISSION
        turns = self.turns if self.role in (Role.MX, Role.ODMR) else None
        withheld = frozenset(word.upper() for word in config.withhold)
        made = {
            "turns": turns,
            "terms": Terms(
                clock=self.clock,
                max_size=config.max_message_size,
                hold_max_s=config.hold_max_s if submission else 0,  # RFC 4865 4.2: submission only
                by_min_s=config.by_min_s,
                unwanted=frozenset(word.lower() for word in config.no_soliciting),
                prdr=config.prdr and self.role is not Role.LMTP,  # LMTP tells each in any case
            ),
            "trusted": Networks(config.relay_networks),
            "xclient_from": Networks(config.xclient_from),
            "xforward_from": Networks(config.xforward_from),
            "withheld": withheld,
            "pipe_connect": "PIPECONNECT" not in withheld and self._may_talk_early(),
            "refusals": Refusals(self.store, self.clock, config.trace_refusals),
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)  # frozen for all others

    def _may_talk_early(self) -> bool:
        """Nothing is made of it there: an MX listener that waits or refuses wants to see it."""
        if self.role is Role.MX:
            return self.config.greet_delay_s <= 0 and self.config.eager == "note"
        return self.role is not Role.LMTP

    def offers_auth(self, peer: Peer) -> tuple[str, ...]:
        """Mechanisms that may be used on this connection now."""
        if self.role is Role.MX and not self.config.auth_on_mx:
            return ()
        if self.role is Role.LMTP or self.wants_tls(peer):
            return ()
        return self.auth.mechanisms(peer, "smtp")

    def wants_tls(self, peer: Peer) -> bool:
        """Nothing but STARTTLS is of use yet (RFC 8314 3.3)."""
        return (
            self.role is Role.SUBMISSION and self.config.require_tls and not peer.secure and not peer.loopback
        )
