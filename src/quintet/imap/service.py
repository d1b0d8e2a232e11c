"""What a listener serves: makes a wire and a session for each connection, and holds what they share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from quintet import log
from quintet.clock import Clock, SystemClock
from quintet.config.imap import Imap
from quintet.errors import Problem
from quintet.imap import capabilities, fields, newsgroups, orders, recents
from quintet.imap.cmd import select, thread
from quintet.imap.session import Session
from quintet.imap.wire import LITERAL_MINUS, Wire

if TYPE_CHECKING:
    from quintet.auth.service import AuthService
    from quintet.delivery.post import PostOffice
    from quintet.net.seam import Peer
    from quintet.store.model import FolderId
    from quintet.store.store import Store

logger = log.get("imap")


class House:
    """What all IMAP sessions of a process share."""

    def __init__(
        self,
        store: Store,
        auth: AuthService,
        config: Imap,
        *,
        hostname: str,
        clock: Clock,
        starttls: bool,
        office: PostOffice | None,
    ) -> None:
        self.store = store
        self.auth = auth
        self.config: Imap = config
        self.hostname = hostname
        self.clock = clock
        self.starttls = starttls
        self.office = office  # takes what is appended to newsgroups
        self.recents: recents.Recents = recents.Recents(self)
        self.unread: dict[FolderId, tuple[int, int | None]] = {}  # folder: modseq, first without \\Seen
        self.shapes: select.Shapes = {}
        self.told: dict[capabilities.Kind, tuple[Imap, bytes]] = {}
        self.orders = orders.Orders(store)
        self.fields = fields.Fields(store)
        self.newsgroups = newsgroups.Blocks()
        self.threads = thread.Kept()
        self._tasks: set[asyncio.Task[None]] = set()

    def can_start_tls(self, peer: Peer) -> bool:
        """STARTTLS is offered: there is a certificate, and this connection is in clear."""
        return self.starttls and peer.tls is None

    def later(self, work: Awaitable[object]) -> None:
        """Runs something whose end nobody waits for; a problem is logged."""
        task = asyncio.ensure_future(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _quietly(work: Awaitable[object]) -> None:
    try:
        await work
    except Problem as error:
        logger.warning("not noted", reason=error.reason.value)


class ImapService:
    """`seam.Service` for the listeners "imap" and "imaps"."""

    name = "imap"

    def __init__(
        self,
        store: Store,
        auth: AuthService,
        config: Imap | None = None,
        *,
        hostname: str = "localhost",
        clock: Clock | None = None,
        office: PostOffice | None = None,
        starttls: bool = True,
    ) -> None:
        self.house = House(
            store,
            auth,
            config or Imap(),
            hostname=hostname,
            clock=clock or SystemClock(),
            starttls=starttls,
            office=office,
        )

    def open(self, peer: Peer) -> tuple[Wire, Session]:
        wire = Wire(LITERAL_MINUS) if self.house.config.literals == "minus" else Wire()
        return wire, Session(self.house, peer, wire)

    def reload(self, config: Imap) -> None:
        """Takes a changed configuration; sessions that are open see it at their next command."""
        self.house.config = config

    async def close(self) -> None:
        """Waits for what sessions left to be noted."""
        await self.house.close()
