"""When mail is asked to prove where it is from, and what follows; the asking is `delivery.verification`'s.

What came out stands in Authentication-Results, for people, rules, hooks and scores; refusing is for who asks
for it in `[policy.verify]`.  Nothing is asked about who logged in, may relay, or is this host.  RFC 8601,
RFC 7372 3.2.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import ipaddress
from typing import TYPE_CHECKING

from quintet import log
from quintet.delivery import filing, weighing
from quintet.delivery.checks import Check, Later
from quintet.net.limits import LOOPBACK, Networks
from quintet.policy import outcomes

if TYPE_CHECKING:
    from quintet.clock import Clock
    from quintet.config.net import Dns
    from quintet.config.policy import Verify
    from quintet.delivery.envelope import Envelope
    from quintet.delivery.inbound import Passage
    from quintet.delivery.verdict import Verdict
    from quintet.delivery.verification import Verification
    from quintet.net.dns import Resolver

NOT_ALLOWED = outcomes.refuse("This host may not send for the sender's domain (SPF)", 550, "5.7.23")

logger = log.get("policy")


class Proving(Check):
    """One a process; its `filter` stands among the filters."""

    def __init__(
        self,
        config: Verify,
        trusted: list[str],
        dns: Dns,
        *,
        clock: Clock,
        resolver: Resolver | None = None,
    ) -> None:
        self._config, self._dns, self._clock, self._resolver = config, dns, clock, resolver
        self._exempt = Networks((*trusted, *LOOPBACK))
        self._made: Verification | None = None
        self._strange_known = functools.lru_cache(maxsize=1024)(self._strange)  # asked for each message

    async def _verification(self) -> Verification:
        """Loaded with the first message from elsewhere: it brings the resolver and the arithmetic."""
        if self._made is None:
            module = await asyncio.to_thread(importlib.import_module, "quintet.delivery.verification")
            self._made = module.Verification(
                self._config, self._dns, clock=self._clock, resolver=self._resolver
            )
        return self._made

    def _asks(self, envelope: Envelope) -> bool:
        peer = envelope.peer
        if envelope.identity is not None or peer.user or envelope.protocol == "LMTP":
            return False
        return self._strange_known(peer.address)

    def _strange(self, address: str) -> bool:
        return _is_address(address) and address not in self._exempt

    def mail(self, envelope: Envelope, verdict: Verdict) -> Later:
        """See `Check`.  Awaited, raises `outcomes.Refusal`."""
        if self._config.spf != "refuse" or not self._asks(envelope):
            return None
        return self._at_mail(envelope, verdict)

    async def _at_mail(self, envelope: Envelope, verdict: Verdict) -> None:
        if await (await self._verification()).spf(envelope, verdict) == "fail":
            logger.info("spf refused", conn=envelope.peer.id, sender=str(envelope.sender))
            raise outcomes.Refusal(NOT_ALLOWED)

    def message(self, passage: Passage) -> Later:
        """See `Check`.  Awaited, raises `outcomes.Refusal`."""
        return self._message(passage) if self._asks(passage.envelope) else None

    async def _message(self, passage: Passage) -> None:
        failed = await (await self._verification()).message(passage)
        if failed is None or self._config.dmarc != "follow":
            return
        logger.info("dmarc failed", conn=passage.envelope.peer.id, author=failed.author, wish=failed.wish)
        if failed.wish == "reject":
            text = f"{failed.author} says that this is not from there (DMARC)"
            raise outcomes.Refusal(outcomes.refuse(text, 550, "5.7.1"))
        if failed.wish == "quarantine":
            passage.verdict.notes["dmarc"] = _Junk()

    async def filter(self, passage: Passage, number: int) -> filing.Decision | None:
        """A `checks.Filter`: Junk, where the author's domain wishes that."""
        recipient = passage.envelope.recipients[number]
        if "dmarc" not in passage.verdict.notes or not recipient.account_id:
            return None
        return weighing.junk(passage, recipient)


class _Junk:
    """A `verdict.Note`."""

    def copy(self) -> _Junk:
        return self


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
