"""Connections over which articles go in batches, by XBATCH: nothing is offered, one word answers for all.

What a peer has already it passes over; a batch that is put off comes again whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from quintet.config.peers import Peer
from quintet.delivery.feeds import batch
from quintet.delivery.feeds.link import Most, Outgoing, Verdict
from quintet.nntp.client import Connection

# between two batches of a connection: innd names the file of a batch by the second and the connection, and
# would write the second one of a second over the first, which it has acknowledged
EVERY_S = 1.1


class Batching:
    """A `delivery.feeds.link.Link`."""

    streams = True
    most = Most(articles=400, size=4 * 1024 * 1024)

    def __init__(self, connection: Connection, packing: str) -> None:
        self._connection, self._packing = connection, packing
        self._next_at = 0.0  # of the loop's clock

    @classmethod
    async def open(cls, peer: Peer, *, ca_file: str = "") -> Batching:
        """Raises as `Connection.open`."""
        return cls(await Connection.open(peer, ca_file=ca_file, stream=False), peer.packing)

    async def round(
        self, articles: Sequence[Outgoing], offers: Sequence[str]
    ) -> tuple[list[Verdict], list[Verdict]]:
        data = await batch.made(articles, self._packing, labelled=True)
        if data:
            await self._in_turn()
        verdict = await self._connection.send_batch(data) if data else Verdict.TAKEN
        return [verdict] * len(articles), [Verdict.WANTED] * len(offers)

    async def _in_turn(self) -> None:
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(max(self._next_at - now, 0.0))
        self._next_at = max(self._next_at, now) + EVERY_S

    async def offer_one(self, article: Outgoing) -> Verdict:
        return (await self.round([article], []))[0][0]

    async def close(self) -> None:
        await self._connection.close()
