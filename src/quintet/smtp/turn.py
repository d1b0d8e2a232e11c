"""Mail for hosts that are not always there: they ask for it (ETRN), or turn the connection around (ATRN).

A route names who may fetch mail of its domains (``fetched_by``); with ``via = "wait"`` nothing else ever
sends it.  After 250 to ATRN we are the client of the connection that the customer made.  RFC 1985, RFC 2645.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
from collections.abc import AsyncGenerator, Collection, Sequence
from typing import TYPE_CHECKING

from quintet import log
from quintet.delivery import letter as letters
from quintet.delivery.aftermath import Aftermath
from quintet.delivery.directory import ascii_domain
from quintet.delivery.tlspolicy import CLEAR, Demand
from quintet.delivery.transport import Answer, Hop, Link, Result
from quintet.errors import BadSyntax, Problem, Reason, Refused, TryLater
from quintet.net.seam import HandOver, Reply
from quintet.smtp import replies
from quintet.smtp.client import SmtpLink
from quintet.smtp.secured import Securer
from quintet.store import fetching, queue

if TYPE_CHECKING:
    from quintet.auth.identity import Identity
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

_NODE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?")

logger = log.get("smtp")


class Turns:
    """What waits for such hosts, and who may have it; one a service."""

    def __init__(self, inbound: Inbound, config: Queue, *, hostname: str, clock: Clock) -> None:
        self._inbound, self._config, self._hostname, self._clock = inbound, config, hostname, clock
        self._store = inbound.store
        self._aftermath = Aftermath(
            inbound.store,
            config,
            directory=inbound.directory,
            hostname=hostname,
            clock=clock,
            reports=inbound.reports,
        )

    @property
    def fetched(self) -> bool:
        """There is somebody who may fetch."""
        return any(route.fetched_by for route in self._config.routes.values())

    # --- ETRN -----------------------------------------------------------------------------------

    async def etrn(self, node: str, *, known: bool) -> bytes:
        """RFC 1985 5: the queue for a host is looked at now.  ``known`` clients may name any.

        Raises BadSyntax, TryLater.
        """
        name = node.lstrip("@")
        if node.startswith("#"):
            wanted = self._of_route(node[1:])
        elif not _NODE.fullmatch(name):
            raise BadSyntax("ETRN needs a domain, @domain or #queue")
        else:
            domain = ascii_domain(name)
            wanted = [(domain, node.startswith("@"))] if known or self._relayed(domain) else []
        if not wanted:
            return replies.line(459, "4.7.1", f"Node {name} not allowed")
        count = 0
        for domain, below in wanted:
            count += await self._store.write(queue.flush, domain, below=below)
            count += self._store.peek(fetching.any_waits, [domain])
        if not count:
            return replies.line(251, "2.0.0", f"OK, no messages waiting for node {name}")
        return replies.line(250, "2.0.0", f"OK, queuing for node {name} started")

    def _of_route(self, name: str) -> list[tuple[str, bool]]:
        """The domains of a route, each with whether all below it are meant."""
        route = self._config.routes.get(name)
        domains = [] if route is None else [each for each in route.domains if each != "*"]
        return [(ascii_domain(each.lstrip(".")), each.startswith(".")) for each in domains]

    def _relayed(self, domain: str) -> bool:
        """One that we take mail for, to send it on."""
        named = (each for route in self._config.routes.values() for each in route.domains)
        return domain in self._inbound.config.relay_domains or any(
            each == domain or (each.startswith(".") and domain.endswith(each)) for each in named
        )

    # --- ATRN -----------------------------------------------------------------------------------

    async def atrn(
        self, asked: Sequence[str], identity: Identity | None, peer: Peer
    ) -> AsyncGenerator[Reply, None]:
        """RFC 2645 5.2.1.  Raises Refused(AUTH_REQUIRED), TryLater."""
        if identity is None:
            raise Refused(Reason.AUTH_REQUIRED)
        allowed = self._allowed(identity.name)
        domains = list(dict.fromkeys(map(ascii_domain, asked))) or list(allowed)
        if not domains or not set(domains) <= allowed:
            yield replies.line(450, "4.7.1", "ATRN request refused")
            return
        if not self._store.peek(fetching.any_waits, domains):
            yield replies.line(453, "4.0.0", "You have no mail")
            return
        yield replies.line(250, "2.0.0", "OK now reversing the connection")

        async def take(client: Client) -> None:
            await self._serve(client, domains, peer)

        yield HandOver(take)

    def _allowed(self, name: str) -> set[str]:
        """Domains whose mail an account may fetch."""
        return {
            ascii_domain(domain)
            for route in self._config.routes.values()
            if name.lower() in map(str.lower, route.fetched_by)
            for domain in route.domains
            if not domain.startswith((".", "*"))
        }

    async def _serve(self, client: Client, domains: Sequence[str], peer: Peer) -> None:
        """RFC 2645 5.3: greets as a client and gives what waits."""
        host = peer.helo or "the customer"
        hop = Hop(host, peer.address, 0, policy=CLEAR)
        link = SmtpLink(client, hop, self._config.helo or self._hostname, self._clock.token(18))
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
        given, first = 0, True
        while True:
            taken = await self._taken(owner, domains, first=first)
            if not taken:
                return given
            first, left = False, {one.id for one in taken}
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

    async def _taken(self, owner: str, domains: Collection[str], *, first: bool) -> list[Recipient]:
        for _ in range(LOOKS):
            until = self._clock.now() + LEASE_MS
            taken = await self._store.write(
                fetching.take, owner, until, sorted(domains), AT_ONCE, first=first
            )
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
