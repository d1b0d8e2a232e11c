"""What all connections of one SMTP or LMTP listener share: who they are, what they offer, whom they ask."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from quintet.auth.service import AuthService
from quintet.clock import Clock
from quintet.config.smtp import Smtp
from quintet.delivery.inbound import Inbound
from quintet.net.seam import Peer
from quintet.store.store import Store


class Role(enum.Enum):
    """What a listener is for."""

    MX = "smtp"  # mail from other hosts, for us (RFC 5321)
    SUBMISSION = "submission"  # mail from our users, for anybody (RFC 6409)
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
