"""A connection that turned around: we give its customer what waits for them, as its client.  RFC 2645 5.3."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from quintet import log
from quintet.delivery import letter as letters
from quintet.delivery.aftermath import Aftermath
from quintet.delivery.tlspolicy import CLEAR, Demand
from quintet.delivery.transport import Answer, Hop, Link, Result
from quintet.errors import Problem, Reason, TryLater
from quintet.smtp.client import SmtpLink
from quintet.smtp.secured import Securer
from quintet.store import fetching, queue

if TYPE_CHECKING:
    from quintet.clock import Clock
    from quintet.config.queue import Queue
    from quintet.delivery.inbound import Inbound
    from quintet.net.client import Client
    from quintet.net.seam import Peer
    from quintet.store.queue import Recipient

LEASE_MS = 15 * 60 * 1000  # for the recipients in hand; whoever dies with them gives them back so late
AT_ONCE = 50  # recipients taken from the queue at a time
LOOKS = 5  # for mail that a queue runner has in hand just now
LOOK_S = 0.2

logger = log.get("smtp")


class Giver:
    """One a turned connection."""

    def __init__(self, inbound: Inbound, config: Queue, *, hostname: str, clock: Clock) -> None:
        self._store, self._config, self._hostname, self._clock = inbound.store, config, hostname, clock
        self._aftermath = Aftermath(
            inbound.store,
            config,
            directory=inbound.directory,
            hostname=hostname,
            clock=clock,
            reports=inbound.reports,
        )

    async def serve(self, client: Client, domains: Sequence[str], peer: Peer) -> None:
        """Greets as a client and gives what waits.  Never raises Problem."""
        host = peer.helo or "the customer"
        hop = Hop(host, peer.address, 0, policy=CLEAR)
        link = SmtpLink(client, hop, self._config.helo or self._hostname, self._clock)
        sent = 0
        try:
            await link.begin(Securer(self._clock, None), CLEAR)
            sent = await self.give(link, domains, secure=peer.secure)
        except Problem as problem:
            logger.info("turned connection failed", conn=peer.id, text=problem.text)
        finally:
            await link.close()
        logger.info("turned", conn=peer.id, domains=list(domains)[:10], recipients=sent)

    async def give(self, link: Link, domains: Collection[str], *, secure: bool) -> int:
        """Sends everything that waits for the domains, once; returns the number of recipients it took.

        Raises TryLater: the session is gone or the queue cannot be used; the rest waits on.
        """
        owner = f"{self._hostname}:{os.getpid()}:{self._clock.token(8)}"
        later = await self._store.read(fetching.later, sorted(domains))
        put_off = [one for ids in later.values() for one in ids]  # each given once, however it is answered
        given = at = 0
        while True:
            taken = await self._taken(owner, domains, put_off[at : at + AT_ONCE])
            at += AT_ONCE
            if not taken and at >= len(put_off):
                return given
            left = {one.id for one in taken}
            try:
                for batch in _batches(taken):
                    answers = await self._answers(link, batch, secure=secure)
                    await self._aftermath.settle(batch, answers)
                    left -= {one.id for one in batch}
                    given += sum(answer.result is Result.DONE for answer in answers)
            finally:
                if left:
                    await asyncio.shield(self._store.write(queue.release, sorted(left), owner))
            if not link.usable:
                raise TryLater(Reason.CLOSED, "the customer hung up")

    async def _taken(self, owner: str, domains: Collection[str], early: Sequence[int]) -> list[Recipient]:
        for _ in range(LOOKS):
            until = self._clock.now() + LEASE_MS
            taken = await self._store.write(fetching.take, owner, until, sorted(domains), AT_ONCE, early)
            if taken or not self._store.peek(fetching.any_leased, sorted(domains)):
                return taken
            await asyncio.sleep(LOOK_S)
        return []

    async def _answers(self, link: Link, batch: Sequence[Recipient], *, secure: bool) -> list[Answer]:
        letter = letters.letter(self._store, batch[0])
        if letter.demand is Demand.REQUIRE and not secure:
            answer = Answer(Result.LATER, "4.7.5", "the message may only go under TLS")
            return [answer] * len(batch)
        return await link.send(letter, [letters.addressed(one) for one in batch])


def _batches(taken: Sequence[Recipient]) -> list[list[Recipient]]:
    """One a message, in the order of the queue."""
    ordered = sorted(taken, key=lambda one: one.queue_id)
    return [list(group) for _, group in itertools.groupby(ordered, key=lambda one: one.queue_id)]
