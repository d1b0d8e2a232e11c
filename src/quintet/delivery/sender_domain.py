"""The domain of a sender: whether a report could ever reach it.

Asked of the name service at MAIL, where `smtp.sender_domain` wants it, of those who neither logged in nor
may relay.  What cannot be known now is taken.  RFC 7505 4.2, 6; RFC 3463 3.2 (X.1.8); RFC 5321 5.1.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from quintet import log
from quintet.delivery import acting
from quintet.delivery.checks import Check, Later
from quintet.delivery.directory import Directory, ascii_domain
from quintet.errors import TryLater
from quintet.net.limits import Networks
from quintet.policy import outcomes

if TYPE_CHECKING:
    from quintet.config.smtp import Smtp
    from quintet.delivery.envelope import Envelope
    from quintet.delivery.verdict import Verdict
    from quintet.net.dns import Resolver

NULL_MX = outcomes.refuse("Sender address has null MX", 550, "5.7.27")  # RFC 7505 6
UNKNOWN = outcomes.refuse("Domain of the sender's address does not exist", 550, "5.1.8")

logger = log.get("policy")


class SenderDomain(Check):
    """One a process."""

    def __init__(self, config: Smtp, directory: Directory, resolver: Resolver, *, timeout_s: float) -> None:
        self._must_exist = config.sender_domain == "known"
        self._exempt = Networks((*config.relay_networks, "127.0.0.0/8", "::1/128"))
        self._directory, self._resolver, self._timeout_s = directory, resolver, timeout_s

    def mail(self, envelope: Envelope, verdict: Verdict) -> Later:
        """See `Check`.  Awaited, raises `outcomes.Refusal`."""
        sender, peer = envelope.sender, envelope.peer
        if not sender or envelope.identity is not None or envelope.protocol == "LMTP":
            return None
        if acting.welcome(verdict):
            return None
        domain = ascii_domain(sender.domain)
        if not domain or domain.startswith("[") or peer.address in self._exempt:
            return None
        return None if self._directory.is_local(domain) else self._look(envelope, domain)

    async def _look(self, envelope: Envelope, domain: str) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                wrong = await self._wrong(domain)
        except (TryLater, TimeoutError):
            return
        if wrong is not None:
            peer = envelope.peer
            logger.info("sender refused", conn=peer.id, sender=str(envelope.sender), text=wrong.text)
            raise outcomes.Refusal(wrong)

    async def _wrong(self, domain: str) -> outcomes.Refuse | None:
        answer = await self._resolver.query(domain, "MX")
        exchangers = await self._resolver.mx(domain) if answer.records else []
        if len(exchangers) == 1 and not exchangers[0].host:
            return NULL_MX
        if not self._must_exist or exchangers:
            return None
        return None if answer.exists and await self._resolver.addresses(domain) else UNKNOWN
