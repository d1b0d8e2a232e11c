"""Clients that a list in the name service names (DNSBL): refused at MAIL, unless they logged in or may relay.

The lists are `policy.refuse.dns_lists`.  What a list does not say in time counts as no.
RFC 5782 2.1 (IPv4), 2.4 (IPv6), 2.2 and 2.3 (what an answer means).
"""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING

from quintet import log
from quintet.config.policy import DnsList, dns_list
from quintet.delivery import acting
from quintet.delivery.checks import Check, Later
from quintet.errors import TryLater
from quintet.net.limits import Networks
from quintet.policy import outcomes

if TYPE_CHECKING:
    from quintet.config.policy import Refuse
    from quintet.config.smtp import Smtp
    from quintet.delivery.envelope import Envelope
    from quintet.delivery.verdict import Verdict
    from quintet.net.dns import Resolver

logger = log.get("policy")


class DnsLists(Check):
    """One a process."""

    def __init__(self, config: Refuse, smtp: Smtp, resolver: Resolver, *, timeout_s: float) -> None:
        self._lists = [found for text in config.dns_lists if (found := dns_list(text)) is not None]
        self._exempt = Networks((*smtp.relay_networks, "127.0.0.0/8", "::1/128"))
        self._resolver, self._timeout_s = resolver, timeout_s

    def mail(self, envelope: Envelope, verdict: Verdict) -> Later:
        """See `Check`.  Awaited, raises `outcomes.Refusal`."""
        peer = envelope.peer
        if (
            envelope.identity is not None
            or peer.user
            or envelope.protocol == "LMTP"
            or acting.welcome(verdict)
        ):
            return None
        if peer.address in self._exempt or not (name := reversed_name(peer.address)):
            return None
        return self._look(envelope, name)

    async def _look(self, envelope: Envelope, name: str) -> None:
        peer = envelope.peer
        for each, why in zip(
            self._lists,
            await asyncio.gather(*(self._listed(name, each) for each in self._lists)),
            strict=True,
        ):
            if why is not None:
                logger.info("refused by list", conn=peer.id, address=peer.address, list=each.zone, name=why)
                text = f"{peer.address} is listed at {each.zone}" + (f": {why}" if why else "")
                raise outcomes.Refusal(outcomes.refuse(text))

    async def _listed(self, name: str, wanted: DnsList) -> str | None:
        """What a list says about who it names, "" for nothing; None: it does not name it, or says nothing."""
        asked, why = f"{name}.{wanted.zone}", ""
        try:
            async with asyncio.timeout(self._timeout_s):
                answers = [record.address for record in (await self._resolver.query(asked, "A")).records]
        except (TryLater, TimeoutError):
            return None
        if not any(ipaddress.ip_address(each) in network for each in answers for network in wanted.answers):
            return None
        try:
            async with asyncio.timeout(self._timeout_s):
                why = b" ".join(await self._resolver.txt(asked)).decode("ascii", "replace")
        except (TryLater, TimeoutError):
            pass
        return why


def reversed_name(address: str) -> str:
    """How lists are asked for an address: its octets, or nibbles, backwards; "" for what has no address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    return found.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
