"""How much TLS a hop needs: the administrator's rule, else DANE, else MTA-STS, else what is offered.

DANE stands above MTA-STS (RFC 8461 2).  RFC 7672 2 (when TLSA records count), RFC 8461 4 and 5 (what a
policy demands), RFC 8689 4.2 (what a message demands).
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from quintet.config.tls_out import TlsOut, TlsRule
from quintet.delivery.tlspolicy import CLEAR, OPPORTUNISTIC, Demand, HopPolicy, Outcome
from quintet.delivery.tlstally import Applied, Tally
from quintet.errors import Reason, Refused, TryLater
from quintet.net import dane
from quintet.net.dane import Tlsa
from quintet.net.dns import Resolver
from quintet.net.mtasts import StsPolicy
from quintet.values import dataclass

# RFC 8460 4.3
DNSSEC_INVALID = "dnssec-invalid"
DANE_REQUIRED = "dane-required"
TLSA_INVALID = "tlsa-invalid"
NOT_IN_POLICY = "validation-failure"


class NotAllowed(TryLater):
    """A host must not be used now; ``status`` is RFC 3463's.  Another host of the domain may do."""

    def __init__(self, text: str, status: str = "4.7.5") -> None:
        super().__init__(Reason.TLS_REQUIRED, text)
        self.status = status


class NotProvable(Refused):
    """A message that demands TLS cannot go by a host, and trying again will not help (RFC 8689 4.2.1)."""

    def __init__(self, text: str) -> None:
        super().__init__(Reason.TLS_REQUIRED, text)
        self.status = "5.7.10"


class StsSource(Protocol):
    """`delivery.stsstore.StsPolicies`."""

    async def find(self, domain: str) -> StsPolicy | None: ...


@dataclass(frozen=True, slots=True)
class _Anchors:
    """Secure TLSA records of a host."""

    base: str  # the name they stand at (RFC 7672 2.2.3)
    records: tuple[Tlsa, ...]


class TlsPolicies:
    """One a process.  ``port`` is where the hosts listen; ``sts`` and ``tally`` may be missing."""

    def __init__(
        self,
        rules: Mapping[str, TlsRule],
        config: TlsOut,
        resolver: Resolver,
        *,
        sts: StsSource | None = None,
        tally: Tally | None = None,
        port: int = 25,
    ) -> None:
        self._rules = {name.lower().rstrip("."): rule for name, rule in rules.items()}
        self._config, self._resolver, self._port = config, resolver, port
        self._sts = sts if config.mta_sts else None
        self._tally = tally if config.reports else None

    async def policy(
        self,
        domain: str,
        host: str,
        mx_secure: bool,
        *,
        demand: Demand = Demand.USUAL,
        port: int = 0,
        only_dane: bool = False,
    ) -> HopPolicy:
        """For mail to ``domain`` (A-labels) by way of its mail exchanger ``host``.

        ``mx_secure``: the answer that named the host was validated (DNSSEC).  For a relay that was configured
        both names are its own (RFC 7672 2.2.2, RFC 8461 3.4).  ``port`` is where that listens, ``only_dane``:
        nothing goes there without TLSA records, whatever a rule says.

        Raises:
            TryLater(DNS): TLSA records cannot be had now; nothing may be sent to that host (RFC 7672 2.2).
            NotAllowed: that host must not be used: it is not in the domain's MTA-STS policy, or a rule
                demands TLSA records that it has not.
            NotProvable: a message that demands TLS may not go there.
        """
        domain, host = domain.lower().rstrip("."), host.lower().rstrip(".")
        rule = self._rule(domain) if not only_dane else _DANE
        port = port or self._port
        if rule is not None and rule.level not in ("auto", "dane"):
            found = _of_rule(rule, host, mx_secure)
        elif demand is Demand.IGNORE and (rule is None or rule.level == "auto"):
            return OPPORTUNISTIC  # and nobody is told: RFC 8460 3, of reports' own sessions
        elif _is_address(host) and not only_dane:
            found = OPPORTUNISTIC  # RFC 7672 2.2, RFC 8461 3.4: neither speaks of addresses
        else:
            must = rule is not None and rule.level == "dane"
            found = await self._published(domain, host, port, mx_secure, must)
        return self._strict(found, domain, host, mx_secure) if demand is Demand.REQUIRE else found

    def _rule(self, domain: str) -> TlsRule | None:
        """The domain's own rule, else that of the nearest ".parent", else that of "*"."""
        found = self._rules.get(domain)
        parent = domain
        while found is None and parent:
            parent = parent.partition(".")[2]
            found = self._rules.get(f".{parent}") if parent else self._rules.get("*")
        return found

    async def _published(
        self, domain: str, host: str, port: int, mx_secure: bool, only_dane: bool
    ) -> HopPolicy:
        """What the domain and its host say of themselves."""
        anchors = None
        if (self._config.dane or only_dane) and mx_secure:
            try:
                anchors = await self._anchors(host, port)
            except TryLater as problem:
                self._tell(
                    domain, Applied("tlsa", host, (), (host,)), host, Outcome(DNSSEC_INVALID, problem.text)
                )
                raise
        if anchors is not None and any(each.usable for each in anchors.records):
            return self._by_dane(domain, host, anchors)
        if only_dane:
            self._tell(domain, Applied("tlsa", host, (), (host,)), host, Outcome(DANE_REQUIRED))
            raise NotAllowed(f"{host} has no usable TLSA records that are proved by DNSSEC")
        promised = None if self._sts is None else await self._sts.find(domain)
        if promised is not None and (
            promised.mode == "enforce" or (promised.mode == "testing" and not anchors)
        ):
            return self._by_sts(domain, host, promised)
        if anchors is not None:
            applied = Applied("tlsa", anchors.base, tuple(map(str, anchors.records)), (host,))
            self._tell(domain, applied, host, Outcome(TLSA_INVALID, "no usable record"))
            return HopPolicy("must", why="dane", sni=anchors.base)  # RFC 7672 2.2
        return replace(OPPORTUNISTIC, tell=self._teller(domain, Applied(), host))

    def _by_dane(self, domain: str, host: str, anchors: _Anchors) -> HopPolicy:
        applied = Applied("tlsa", anchors.base, tuple(map(str, anchors.records)), (host,))
        return HopPolicy(
            "verify",
            tuple(dict.fromkeys((anchors.base, domain))),  # RFC 7672 3.2.2
            tuple(each for each in anchors.records if each.usable),
            why="dane",
            proven=True,
            sni=anchors.base,
            tell=self._teller(domain, applied, host),
        )

    def _by_sts(self, domain: str, host: str, promised: StsPolicy) -> HopPolicy:
        applied = Applied("sts", domain, tuple(promised.lines()), promised.mx)
        testing = promised.mode == "testing"
        if not promised.allows(host):
            text = f"{host} is not among the hosts of the MTA-STS policy of {domain}"
            self._tell(domain, applied, host, Outcome(NOT_IN_POLICY, text))
            if testing:
                return OPPORTUNISTIC
            raise NotAllowed(text)
        return HopPolicy(
            "verify",
            (host,),
            why="mta-sts",
            proven=True,
            fallback=OPPORTUNISTIC if testing else None,
            tell=self._teller(domain, applied, host),
        )

    def _strict(self, found: HopPolicy, domain: str, host: str, mx_secure: bool) -> HopPolicy:
        """RFC 8689 4.2.1: a name that is proved, and a certificate that proves it."""
        if found.level == "verify" and found.proven:
            return replace(found, strict=True, fallback=None)
        # a domain without MX records is its own host: nobody else named it
        if found.level != "none" and (mx_secure or host == domain) and not _is_address(host):
            return replace(
                found,
                level="verify",
                names=(host,),
                why="requiretls",
                proven=True,
                strict=True,
                fallback=None,
            )
        raise NotProvable(
            f"nothing proves that {host} is a mail host of {domain}, and the message demands it"
        )

    async def _anchors(self, host: str, port: int) -> _Anchors | None:
        """Secure TLSA records of a host (RFC 7672 2.2.2, 2.2.3); None: there are none, or they prove nothing.

        Raises:
            TryLater(DNS): it cannot be known.
        """
        both = await asyncio.gather(self._resolver.query(host, "AAAA"), self._resolver.query(host, "A"))
        there = [each for each in both if each.records]
        if not there:
            return None
        bases = [host]
        if all(each.secure for each in there):
            bases = [there[0].canonical, host]
        elif there[0].canonical == host or not (await self._resolver.query(host, "CNAME")).secure:
            return None  # and their TLSA queries often fail: they are not asked
        for base in dict.fromkeys(bases):
            answer = await self._resolver.query(f"_{port}._tcp.{base}", "TLSA")
            if answer.secure and answer.records:
                return _Anchors(base, dane.records(answer.records))
        return None

    def _teller(self, domain: str, applied: Applied, host: str) -> functools.partial[None]:
        return functools.partial(self._tell, domain, applied, host)

    def _tell(self, domain: str, applied: Applied, host: str, outcome: Outcome) -> None:
        if self._tally is not None:
            self._tally.count(domain, applied, host, outcome)

    def trouble(self, domain: str, kind: str, text: str) -> None:
        """A policy that could not be fetched, for the report (RFC 8461 6); `StsPolicies.trouble`."""
        self._tell(domain, Applied("sts", domain), "", Outcome(kind, text))


_DANE = TlsRule("dane")


def _of_rule(rule: TlsRule, host: str, mx_secure: bool) -> HopPolicy:
    if rule.level == "none":
        return replace(CLEAR, why="rule")
    if rule.level == "may":
        return replace(OPPORTUNISTIC, why="rule")
    if rule.level == "must":
        return HopPolicy("must", why="rule")
    if rule.level == "pinned":
        pins = tuple(each.replace(":", "").lower() for each in rule.fingerprints)
        return HopPolicy("verify", pins=pins, why="rule", proven=True)
    return HopPolicy("verify", rule.names or (host,), why="rule", proven=mx_secure or bool(rule.names))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
