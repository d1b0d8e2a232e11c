"""Questions to the name service: a thin, caching door over dnspython that tells the three "no" apart.

A name that does not exist (NXDOMAIN), a name without such records (NODATA) and trouble (no answer,
SERVFAIL) are different facts for a mail server.  The AD bit is passed on, for those who trust their
resolver.  Negative answers are remembered as long as their SOA says (RFC 2308).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.name
import dns.rdatatype
import dns.resolver
import dns.reversename

from quintet import metrics
from quintet.clock import Clock, SystemClock
from quintet.config.net import Dns
from quintet.errors import Reason, TryLater

MAX_TTL_S = 86_400
NEGATIVE_TTL_S = 60  # where an answer brought no SOA
EDNS_SIZE = 1232  # bytes; the DNS flag day 2020


@dataclass(frozen=True, slots=True)
class Answer:
    """What the name service said: ``exists`` False is NXDOMAIN, no ``records`` otherwise NODATA."""

    name: str  # asked for, lower case, without a final dot
    canonical: str  # after CNAMEs
    records: tuple[Any, ...]  # dnspython's rdata
    exists: bool
    authentic: bool  # the resolver has verified it (AD)
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
        self._resolver = dns.asyncresolver.Resolver(configure=not config.nameservers)
        if config.nameservers:
            self._resolver.nameservers = list(config.nameservers)
            self._resolver.port = config.port
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
            answer = _answer(name, found, now)
        except dns.resolver.NXDOMAIN as error:
            response = next(iter(error.responses().values()), None)  # type: ignore[no-untyped-call]
            authentic = bool(response is not None and response.flags & dns.flags.AD)
            ttl = _negative_ttl(response)
            answer = Answer(name, name, (), False, authentic, now + ttl)
        except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel, UnicodeError, ValueError):
            # no such name can exist: RFC 1035 2.3.4
            return Answer(name, name, (), False, False, now)
        except (dns.exception.DNSException, OSError) as error:
            metrics.DNS.labels("trouble").inc()
            raise TryLater(Reason.DNS, f"{kind} of {name}: {type(error).__name__}") from error
        metrics.DNS.labels("answer" if answer.records else "none").inc()
        self._remember((name, kind), answer)
        return answer

    def _remember(self, key: tuple[str, str], answer: Answer) -> None:
        if len(self._cache) >= self._config.cache:
            now = self._clock.monotonic()
            self._cache = {k: v for k, v in self._cache.items() if v.expires_at > now}
            while self._cache and len(self._cache) >= self._config.cache:
                del self._cache[next(iter(self._cache))]  # the oldest
        if self._config.cache:
            self._cache[key] = answer


def _answer(name: str, found: dns.resolver.Answer, now: float) -> Answer:
    records = tuple(found.rrset) if found.rrset is not None else ()
    ttl = found.rrset.ttl if found.rrset is not None else _negative_ttl(found.response)
    authentic = bool(found.response.flags & dns.flags.AD)
    return Answer(name, _text(found.canonical_name), records, True, authentic, now + min(ttl, MAX_TTL_S))


def _negative_ttl(response: Any) -> int:
    """RFC 2308 5: the least of the SOA's TTL and its MINIMUM."""
    for rrset in response.authority if response is not None else ():
        if rrset.rdtype == dns.rdatatype.SOA and len(rrset):
            return int(min(rrset.ttl, rrset[0].minimum, MAX_TTL_S))
    return NEGATIVE_TTL_S


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""
