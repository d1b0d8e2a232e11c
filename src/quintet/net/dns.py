"""Questions to the name service: a thin, caching door over dnspython that tells the three "no" apart.

A name that does not exist (NXDOMAIN), a name without such records (NODATA) and trouble (no answer,
SERVFAIL) are different facts for a mail server.  What a trusted resolver validated is marked (RFC 4035
3.2.3).  Answers are remembered within the bounds of the configuration, negative ones as long as their SOA
says (RFC 2308).  An answer that does not fit a datagram is asked for again by TCP (RFC 7766).
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver
import dns.reversename

from quintet import metrics
from quintet.clock import Clock, SystemClock
from quintet.config.net import Dns, resolver_at
from quintet.errors import Reason, TryLater
from quintet.values import dataclass

MAX_RECORDS = 100  # of one answer; nobody needs more
NEGATIVE_TTL_S = 60  # where an answer brought no SOA
EDNS_SIZE = 1232  # bytes; the DNS flag day 2020


@dataclass(frozen=True, slots=True)
class Answer:
    """What the name service said: ``exists`` False is NXDOMAIN, no ``records`` otherwise NODATA."""

    name: str  # asked for, lower case, without a final dot
    canonical: str  # after CNAMEs
    records: tuple[Any, ...]  # dnspython's rdata
    exists: bool
    secure: bool  # validated by a resolver that we trust: the whole chain of CNAMEs, or that there is nothing
    expires_at: float  # monotonic seconds


@dataclass(frozen=True, slots=True)
class Mx:
    """One mail exchanger."""

    preference: int
    host: str  # lower case; "" for the null MX (RFC 7505)


class Resolver:
    """One a process.  Every method raises TryLater(DNS) when there is no answer to be had now."""

    def __init__(self, config: Dns | None = None, *, clock: Clock | None = None) -> None:
        config = config or Dns()
        self._clock = clock or SystemClock()
        self._config = config
        self._resolver = _of_the_system() if not config.nameservers else _plain()
        if config.nameservers:
            places = [resolver_at(text, config.port) for text in config.nameservers]
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(*place) for place in places]
        self._trusted = _trusted(config.trust_ad, self._resolver.nameservers)
        self._resolver.timeout = config.timeout_s
        self._resolver.lifetime = config.lifetime_s
        self._resolver.use_edns(0, dns.flags.DO, EDNS_SIZE)
        self._resolver.flags = dns.flags.RD | dns.flags.AD
        self._cache: dict[tuple[str, str], Answer] = {}
        self._asking: dict[tuple[str, str], asyncio.Task[Answer]] = {}

    async def query(self, name: str, kind: str) -> Answer:
        """Records of one type ("A", "MX", "TLSA"...); CNAMEs are followed."""
        key = (name.lower().rstrip("."), kind)
        known = self._cache.get(key)
        if known is not None and known.expires_at > self._clock.monotonic():
            return known
        task = self._asking.get(key)
        if task is None:  # those who ask the same at once share one question
            task = asyncio.get_running_loop().create_task(self._ask(*key))
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(task)

    async def addresses(self, host: str) -> list[str]:
        """IPv6 and then IPv4 addresses of a host, in the order of the answers; empty when it has none."""
        six, four = await asyncio.gather(self.query(host, "AAAA"), self.query(host, "A"))
        return [record.address for answer in (six, four) for record in answer.records]

    async def mx(self, domain: str) -> list[Mx]:
        """Mail exchangers by preference; when there are none, the domain itself is tried (RFC 5321 5.1)."""
        answer = await self.query(domain, "MX")
        return sorted(
            (Mx(each.preference, _text(each.exchange)) for each in answer.records),
            key=lambda mx: (mx.preference, mx.host),
        )

    async def txt(self, name: str) -> list[bytes]:
        """TXT records, the strings of each joined."""
        return [b"".join(each.strings) for each in (await self.query(name, "TXT")).records]

    async def ptr(self, address: str) -> list[str]:
        """Host names of an address."""
        name = dns.reversename.from_address(address).to_text()
        return [_text(each.target) for each in (await self.query(name, "PTR")).records]

    def forget(self) -> None:
        """Empties the cache."""
        self._cache.clear()

    async def _ask(self, name: str, kind: str) -> Answer:
        now = self._clock.monotonic()
        try:
            found = await self._resolver.resolve(name, kind, raise_on_no_answer=False, search=False)
            answer = self._answer(name, found, now)
        except dns.resolver.NXDOMAIN as error:
            response = next(iter(error.responses().values()), None)  # type: ignore[no-untyped-call]
            answer = Answer(name, name, (), False, self._secure(response), now + self._negative_ttl(response))
        except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel, UnicodeError, ValueError):
            # no such name can exist: RFC 1035 2.3.4
            return Answer(name, name, (), False, False, now)
        except (dns.exception.DNSException, OSError) as error:
            metrics.DNS.labels("trouble").inc()
            raise TryLater(Reason.DNS, f"{kind} of {name}: {type(error).__name__}") from error
        metrics.DNS.labels("answer" if answer.records else "none").inc()
        self._remember((name, kind), answer)
        return answer

    def _answer(self, name: str, found: dns.resolver.Answer, now: float) -> Answer:
        secure = self._secure(found.response)
        canonical = _text(found.canonical_name)
        if found.rrset is None:
            return Answer(name, canonical, (), True, secure, now + self._negative_ttl(found.response))
        ttl = min(max(found.rrset.ttl, self._config.min_ttl_s), self._config.max_ttl_s)
        return Answer(name, canonical, tuple(found.rrset)[:MAX_RECORDS], True, secure, now + ttl)

    def _negative_ttl(self, response: Any) -> float:
        """RFC 2308 5: the least of the SOA's TTL and its MINIMUM."""
        ttl = NEGATIVE_TTL_S
        for rrset in response.authority if response is not None else ():
            if rrset.rdtype == dns.rdatatype.SOA and len(rrset):
                ttl = min(rrset.ttl, rrset[0].minimum)
                break
        return min(max(ttl, self._config.min_ttl_s), self._config.negative_ttl_s)

    def _secure(self, response: Any) -> bool:
        return self._trusted and response is not None and bool(response.flags & dns.flags.AD)

    def _remember(self, key: tuple[str, str], answer: Answer) -> None:
        if len(self._cache) >= self._config.cache:
            now = self._clock.monotonic()
            self._cache = {k: v for k, v in self._cache.items() if v.expires_at > now}
            while self._cache and len(self._cache) >= self._config.cache:
                del self._cache[next(iter(self._cache))]  # the oldest
        if self._config.cache:
            self._cache[key] = answer


def _plain() -> dns.asyncresolver.Resolver:
    return dns.asyncresolver.Resolver(configure=False)


def _of_the_system() -> dns.asyncresolver.Resolver:
    """As /etc/resolv.conf says; without one this machine is asked, as resolv.conf(5) has it."""
    try:
        return dns.asyncresolver.Resolver()
    except dns.resolver.NoResolverConfiguration:
        made = _plain()
        made.nameservers = ["127.0.0.1"]
        return made


def _trusted(word: str, nameservers: Sequence[Any]) -> bool:
    """Whether the AD bit means something: ``auto`` believes what never left this machine."""
    if word != "auto":
        return word == "yes"
    places = [getattr(each, "address", each) for each in nameservers]
    return bool(places) and all(_loopback(str(each)) for each in places)


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""
