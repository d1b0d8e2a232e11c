"""Who a message is from, as far as its domains say: SPF, DKIM and DMARC, one after the other.

Writes findings into the verdict; when it is asked, and what follows, is `delivery.proving`'s.
RFC 7208, RFC 6376, RFC 7489, RFC 8601 2.7.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from quintet.delivery import hashing
from quintet.delivery.directory import ascii_domain
from quintet.errors import TryLater
from quintet.message import headers, words
from quintet.message.digest import Fields
from quintet.net.dns import Resolver
from quintet.policy import dkim, dkimverify, dmarc, spf
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.clock import Clock
    from quintet.config.net import Dns
    from quintet.config.policy import Verify
    from quintet.delivery.envelope import Envelope
    from quintet.delivery.inbound import Passage
    from quintet.delivery.verdict import Verdict

MAX_DOMAIN = 255  # octets of an author's domain that is looked at (RFC 5321 4.5.3.1.2)

_SLOW = "the name service is too slow"


@dataclass(frozen=True, slots=True)
class Failed:
    """A message that its author's domain does not prove, and what that domain wishes."""

    author: str
    wish: str


class Verification:
    """One a process."""

    def __init__(self, config: Verify, dns: Dns, *, clock: Clock, resolver: Resolver | None = None) -> None:
        self._timeout_s, self._clock = config.timeout_s, clock
        self._resolver = resolver or Resolver(dns, clock=clock)

    async def spf(self, envelope: Envelope, verdict: Verdict) -> str:
        """RFC 7208 2.3, 2.4: the sender's domain, or the host's own name for a report."""
        sender, helo = envelope.sender, envelope.helo
        domain = ascii_domain(sender.domain) if sender else helo.lower()
        named = str(sender) if sender else f"postmaster@{domain}"
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await spf.check(self._resolver, envelope.peer.address, domain, named, helo)
        except TimeoutError:
            found = spf.Result("temperror", _SLOW)
        about = {"smtp_mailfrom": str(sender)} if sender else {"smtp_helo": helo}
        verdict.add("spf", found.result, found.why, **about)
        return found.result

    async def message(self, passage: Passage) -> Failed | None:
        """All three at once; None: DMARC did not fail.  Raises TryLater(STORAGE)."""
        envelope, verdict = passage.envelope, passage.verdict
        now = self._clock.now() // 1000
        found: list[dkimverify.Signature] = []

        def bodies(fields: Fields) -> list[dkim.BodyHash]:
            found.extend(dkimverify.signatures(fields, now))
            return [one.body for one in found]

        fields = await hashing.fed(passage.content, bodies)
        authors = _authors(fields)
        known = {finding.method: finding.result for finding in verdict.findings}.get("spf", "")
        spf_result, signed, policy = await asyncio.gather(
            self._known(known) if known else self.spf(envelope, verdict),
            self._dkim(found, fields),
            self._policy(authors),
        )
        for one in signed or [dkimverify.Result("none")]:
            about = {"header_d": one.domain, "header_s": one.selector, "header_b": one.b}
            given = {name: value for name, value in about.items() if value}
            verdict.add("dkim", one.result, one.why, **given)
        if len(authors) != 1:  # RFC 7489 6.6.1: nobody says whose policy holds
            verdict.add("dmarc", "permerror" if authors else "none", "not one author's domain")
            return None
        (author,) = authors
        if not isinstance(policy, dmarc.Policy):
            verdict.add("dmarc", policy, header_from=author)
            return None
        sender = ascii_domain(envelope.sender.domain) if envelope.sender else envelope.helo.lower()
        proofs = [(one.result, one.domain, policy.strict_dkim) for one in signed]
        proofs.append((spf_result, sender, policy.strict_spf))
        results = {result for result, name, strict in proofs if policy.aligned(author, name, strict)}
        result = "pass" if "pass" in results else "temperror" if "temperror" in results else "fail"
        verdict.add("dmarc", result, f"p={policy.wish}", header_from=author)
        return Failed(author, policy.wish) if result == "fail" else None

    async def _known(self, result: str) -> str:
        return result

    async def _dkim(
        self, found: Sequence[dkimverify.Signature], fields: Fields
    ) -> Sequence[dkimverify.Result]:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await dkimverify.verify(found, fields, self._resolver)
        except TimeoutError:
            return [one.result("temperror", _SLOW) for one in found]

    async def _policy(self, authors: set[str]) -> dmarc.Policy | str:
        """RFC 7489 6.6.3; what is to be said where there is none."""
        if len(authors) != 1:
            return "none"
        try:
            async with asyncio.timeout(self._timeout_s):
                return await dmarc.policy(self._resolver, next(iter(authors))) or "none"
        except (TryLater, TimeoutError):
            return "temperror"


def _authors(fields: Fields) -> set[str]:
    """Domains of the addresses in From, A-labels; two are as many as any number."""
    found: set[str] = set()
    for name, value in fields:
        if name.strip().lower() != b"from":
            continue
        for one in headers.mailboxes(value):
            if one.host and len(one.host) <= MAX_DOMAIN:
                found.add(ascii_domain(words.decode_bytes(one.host)))
            if len(found) > 1:
                return found
    return found
