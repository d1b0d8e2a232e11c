"""What a listener serves: one service a role, made by the composition root."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from quintet.auth.service import AuthService
from quintet.clock import Clock
from quintet.config.smtp import Smtp
from quintet.delivery.inbound import Inbound
from quintet.net.seam import Peer
from quintet.smtp.desk import Desk, ResolveBurl, Role
from quintet.smtp.session import SmtpSession
from quintet.smtp.wire import SmtpWire
from quintet.store.store import Store

if TYPE_CHECKING:
    from quintet.smtp.turn import Turns


class SmtpService:
    """MX, submission or LMTP.  ``starttls`` says that the listener can upgrade cleartext connections."""

    def __init__(
        self,
        store: Store,
        auth: AuthService,
        config: Smtp,
        *,
        role: Role,
        inbound: Inbound,
        hostname: str,
        clock: Clock,
        starttls: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        resolve_burl: ResolveBurl | None = None,
        turns: Turns | None = None,
    ) -> None:
        self.desk = Desk(
            role, store, auth, inbound, config, hostname, clock, starttls, sleep, resolve_burl, turns
        )

    @property
    def name(self) -> str:
        return self.desk.role.value

    def open(self, peer: Peer) -> tuple[SmtpWire, SmtpSession]:
        wire = SmtpWire(self.desk.config.max_command)
        return wire, SmtpSession(self.desk, peer, wire)
