"""The name of a client: what its address is called, where that name has the address as well.

Looked up once a connection, by the first that wants to know; ``peer.notes`` keeps it, where filters find it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from quintet.errors import TryLater

if TYPE_CHECKING:
    from quintet.net.dns import Resolver
    from quintet.net.seam import Peer

MAX_NAMES = 5  # of one address that are tried


class ClientNames:
    """One a process."""

    def __init__(self, resolver: Resolver, *, timeout_s: float) -> None:
        self._resolver, self._timeout_s = resolver, timeout_s

    async def of(self, peer: Peer) -> str:
        """The name, "" where there is none that proves itself, or nobody says so in time."""
        if "name" not in peer.notes:
            names: list[str] = []
            known = ""
            try:
                async with asyncio.timeout(self._timeout_s):
                    names = await self._resolver.ptr(peer.address)
                    known = await self._proved(peer.address, names)
            except (TryLater, TimeoutError, ValueError):  # ValueError: "unix"
                pass
            peer.notes["name"], peer.notes["reverse"] = known, names[0] if names else ""
        return str(peer.notes["name"])

    async def _proved(self, address: str, names: list[str]) -> str:
        kind = "AAAA" if ":" in address else "A"
        for name in names[:MAX_NAMES]:
            answer = await self._resolver.query(name, kind)
            if address in [each.address for each in answer.records]:
                return name.lower().rstrip(".")
        return ""
