"""Mail for hosts that are not always there: they ask for it (ETRN), or turn the connection around (ATRN).

A route names who may fetch mail of its domains (``fetched_by``); with ``via = "wait"`` nothing else ever
sends it.  After 250 to ATRN we are the client of the connection that the customer made.  RFC 1985, RFC 2645.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

from quintet import log
from quintet.delivery.directory import ascii_domain
from quintet.errors import BadSyntax, Reason, Refused
from quintet.net.seam import HandOver, Reply
from quintet.smtp import replies
from quintet.store import fetching

if TYPE_CHECKING:
    from quintet.auth.identity import Identity
    from quintet.clock import Clock
    from quintet.config.queue import Queue
    from quintet.delivery.inbound import Inbound
    from quintet.net.client import Client
    from quintet.net.seam import Peer


_NODE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?")

logger = log.get("smtp")


class Turns:
    """What waits for such hosts, and who may have it; one a service."""

    def __init__(self, inbound: Inbound, config: Queue, *, hostname: str, clock: Clock) -> None:
        self._inbound, self._config, self._hostname, self._clock = inbound, config, hostname, clock
        self._store = inbound.store

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
            count += await fetching.flush(self._store, domain, below=below)
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
            from quintet.smtp.turned import Giver  # all that sending takes: most servers never need it here

            giver = Giver(self._inbound, self._config, hostname=self._hostname, clock=self._clock)
            await giver.serve(client, domains, peer)

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
