"""Clients, names and senders that a list in the name service names (DNSBL): asked at MAIL, about strangers.

The lists are `policy.refuse.dns_lists` and `[[policy.dns_list]]`; who is on one is refused, gets points, or
is welcome.  All are asked at once, and who is welcome is not refused.  What a list does not say in time
counts as no.  RFC 5782 2.1 (IPv4), 2.4 (IPv6), 2.2 (who is welcome), 2.3 (what an answer means), 3 (names).
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from quintet import log
from quintet.delivery import acting
from quintet.delivery.checks import Check, Later
from quintet.delivery.directory import ascii_domain
from quintet.errors import TryLater
from quintet.net.limits import LOOPBACK, Networks
from quintet.policy import outcomes

if TYPE_CHECKING:
    from quintet.config.policy import DnsList
    from quintet.config.smtp import Smtp
    from quintet.delivery.clientname import ClientNames
    from quintet.delivery.envelope import Envelope
    from quintet.delivery.verdict import Verdict
    from quintet.net.dns import Resolver

logger = log.get("policy")

_DOMAIN = re.compile(r"(?:[a-z0-9_-]{1,63}\.)+[a-z][a-z0-9-]{1,62}")


class DnsLists(Check):
    """One a process."""

    def __init__(
        self,
        lists: Sequence[DnsList],
        smtp: Smtp,
        resolver: Resolver,
        names: ClientNames,
        *,
        timeout_s: float,
    ) -> None:
        self._lists, self._names = tuple(lists), names
        self._exempt = Networks((*smtp.relay_networks, *LOOPBACK))
        self._resolver, self._timeout_s = resolver, timeout_s

    def mail(self, envelope: Envelope, verdict: Verdict) -> Later:
        """See `Check`.  Awaited, raises `outcomes.Refusal`."""
        peer = envelope.peer
        if envelope.identity is not None or peer.user or envelope.protocol == "LMTP":
            return None
        if acting.welcome(verdict) or peer.address in self._exempt or not reversed_name(peer.address):
            return None
        return self._look(envelope, verdict)

    async def _look(self, envelope: Envelope, verdict: Verdict) -> None:
        peer = envelope.peer
        if any(each.of == "client_name" for each in self._lists):
            await self._names.of(peer)
        asked = [(each, _name(each.of, envelope)) for each in self._lists]
        found = await asyncio.gather(*(self._listed(name, each) for each, name in asked))
        listed = [
            (each, name, why) for (each, name), why in zip(asked, found, strict=True) if why is not None
        ]
        for each, _, _ in listed:
            if each.then == "welcome":
                logger.info("welcome by list", conn=peer.id, address=peer.address, list=each.zone)
                acting.begun(verdict).welcome = True
                return
        for each, name, why in listed:
            shown = peer.address if each.of == "client" else name
            if each.then == "points":
                verdict.points[each.zone] = verdict.points.get(each.zone, 0.0) + each.points
                continue
            logger.info("refused by list", conn=peer.id, address=peer.address, list=each.zone, name=why)
            text = f"{shown} is listed at {each.zone}" + (f": {why}" if why else "")
            raise outcomes.Refusal(outcomes.refuse(text))

    async def _listed(self, name: str, wanted: DnsList) -> str | None:
        """What a list says about who it names, "" for nothing; None: it does not name it, or says nothing."""
        if not name:
            return None
        asked, why = f"{name}.{wanted.zone}", ""
        try:
            async with asyncio.timeout(self._timeout_s):
                answers = [record.address for record in (await self._resolver.query(asked, "A")).records]
        except (TryLater, TimeoutError):
            return None
        if not any(ipaddress.ip_address(each) in network for each in answers for network in wanted.answers):
            return None
        if wanted.then != "refuse":
            return why
        try:
            async with asyncio.timeout(self._timeout_s):
                why = b" ".join(await self._resolver.txt(asked)).decode("ascii", "replace")
        except (TryLater, TimeoutError):
            pass
        return why


def _name(of: str, envelope: Envelope) -> str:
    """What a list is asked for; "" where there is nothing to ask (RFC 5782 3: names as they are)."""
    peer = envelope.peer
    if of == "client":
        return reversed_name(peer.address)
    if of == "client_name":
        return _domain(str(peer.notes.get("name") or ""))
    return _domain(envelope.helo if of == "helo" else envelope.sender.domain)


def _domain(text: str) -> str:
    """A domain, A-labels; "" for what is none: addresses in brackets and without, single words."""
    name = ascii_domain(text.strip().rstrip("."))
    return name if _DOMAIN.fullmatch(name) else ""


def reversed_name(address: str) -> str:
    """How lists are asked for an address: its octets, or nibbles, backwards; "" for what has no address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    return found.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
