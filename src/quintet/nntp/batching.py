"""Connections over which articles go in batches, by XBATCH: nothing is offered, one word answers for all.

What a peer has already it passes over; a batch that is put off comes again whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from quintet.config.peers import Peer
from quintet.delivery.feeds import batch
from quintet.delivery.feeds.link import Outgoing, Verdict
from quintet.nntp.client import Connection


class Batching:
    """A `delivery.feeds.link.Link`."""

    streams = True

    def __init__(self, connection: Connection, packing: str) -> None:
        self._connection, self._packing = connection, packing

    @classmethod
    async def open(cls, peer: Peer, *, ca_file: str = "") -> Batching:
        """Raises as `Connection.open`."""
        return cls(await Connection.open(peer, ca_file=ca_file, stream=False), peer.packing)

    async def round(
        self, articles: Sequence[Outgoing], offers: Sequence[str]
    ) -> tuple[list[Verdict], list[Verdict]]:
        data = await batch.made(articles, self._packing, labelled=True)
        verdict = await self._connection.send_batch(data) if data else Verdict.TAKEN
        return [verdict] * len(articles), [Verdict.WANTED] * len(offers)

    async def offer_one(self, article: Outgoing) -> Verdict:
        return (await self.round([article], []))[0][0]

    async def close(self) -> None:
        await self._connection.close()
