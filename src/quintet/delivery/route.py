"""Where mail for a domain goes: ours, a configured route, or the hosts that the name service names.

`Router.destination` decides from the configuration alone; `Router.hosts` asks the name service.  A
temporary failure there is never taken for "no such domain".  RFC 5321 section 5, RFC 7505 (null MX).
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from quintet.clock import Clock
from quintet.config.queue import Queue
from quintet.config.route import Route
from quintet.delivery.directory import Directory, ascii_domain
from quintet.delivery.envelope import Mailbox
from quintet.delivery.transport import Hop
from quintet.errors import Reason, Refused
from quintet.net.dns import Mx, Resolver

MAX_HOSTS = 20  # mail exchangers looked at, of one domain
LMTP_PORT = 24


class Unroutable(Refused):
    """Nobody takes mail for that domain, and that will not change; ``status`` is RFC 3463's."""

    def __init__(self, status: str, text: str, reason: Reason = Reason.NO_SUCH_DOMAIN) -> None:
        super().__init__(reason, text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Destination:
    """Recipients whose mail goes the same way share one; ``key`` names it."""

    key: str  # "local", "mx:example.net", "route:NAME"
    via: str  # "local" or one of config.queue.Route.via
    domain: str  # for mx: whose MX
    route: Route


class Router:
    """One a process.  ``names`` are our own: an MX record that points to one of them is not followed."""

    def __init__(
        self, config: Queue, directory: Directory, resolver: Resolver, *, names: Sequence[str], clock: Clock
    ) -> None:
        self._config, self._directory, self._resolver, self._clock = config, directory, resolver, clock
        self._names = frozenset(name.lower().rstrip(".") for name in names)
        self._usual = Route()

    def destination(self, domain: str, sender: Mailbox) -> Destination:
        """The first route that fits; else the domain's MX.  Our own domains are never routed away."""
        domain = ascii_domain(domain)
        if self._directory.is_local(domain):
            return Destination("local", "local", domain, self._usual)
        for name, route in self._config.routes.items():
            if _domain_fits(route.domains, domain) and _sender_fits(route.senders, sender):
                if route.via == "mx":
                    return Destination(f"route:{name}:{domain}", "mx", domain, route)
                return Destination(f"route:{name}", route.via, domain, route)
        return Destination(f"mx:{domain}", "mx", domain, self._usual)

    async def hosts(self, destination: Destination) -> list[str]:
        """Hosts in the order in which they are to be tried, not yet resolved.

        Raises:
            Unroutable: nobody takes mail there.
            TryLater(DNS): nobody knows at the moment.
        """
        if destination.via != "mx":
            return [destination.route.host]
        domain = destination.domain
        if domain.startswith("["):
            return [_literal_host(domain)]
        answer = await self._resolver.query(domain, "MX")
        if not answer.exists:
            raise Unroutable("5.1.2", f"domain {domain} does not exist")
        exchangers = await self._resolver.mx(domain) if answer.records else []
        if not exchangers:
            return [domain]  # the implicit MX: RFC 5321 5.1
        if len(exchangers) == 1 and not exchangers[0].host:
            raise Unroutable("5.1.10", f"domain {domain} takes no mail")  # RFC 7505 4.1
        return self._in_order(domain, exchangers)

    def _in_order(self, domain: str, exchangers: Sequence[Mx]) -> list[str]:
        """By preference, equals at random; we ourselves and all that is no nearer are left out."""
        own = min((mx.preference for mx in exchangers if mx.host in self._names), default=None)
        nearer = [mx for mx in exchangers if mx.host and (own is None or mx.preference < own)]
        if not nearer:
            raise Unroutable("5.4.6", f"mail for {domain} loops back to this host", Reason.LOOP)
        ordered: list[str] = []
        nearer.sort(key=lambda mx: mx.preference)
        for _, group in itertools.groupby(nearer, key=lambda mx: mx.preference):
            equals = [mx.host for mx in group]
            while equals:
                ordered.append(equals.pop(int(self._clock.random() * len(equals))))
        return list(dict.fromkeys(ordered))[:MAX_HOSTS]

    async def addresses(self, host: str) -> list[str]:
        """IP addresses of a host, IPv6 first; empty when it has none.  Raises TryLater(DNS)."""
        if host.startswith("unix:"):
            return [host]
        try:
            return [str(ipaddress.ip_address(host.strip("[]")))]
        except ValueError:
            return await self._resolver.addresses(host)

    def hop(self, destination: Destination, host: str, address: str) -> Hop:
        """Everything a transport must know to connect there."""
        route, config = destination.route, self._config
        usual = LMTP_PORT if destination.via == "lmtp" else config.port if destination.via == "mx" else 25
        return Hop(
            host=host,
            address=address,
            port=route.port or usual,
            tls=route.tls,
            user=route.user,
            password=route.password,
            lmtp=destination.via == "lmtp",
            mx=destination.via == "mx",
            source=config.source_address,
            connect_timeout_s=config.connect_timeout_s,
        )


def _literal_host(domain: str) -> str:
    """[192.0.2.1] and [IPv6:...]; a literal of another kind leads nowhere."""
    inner = domain[1:-1]
    inner = inner[5:] if inner.lower().startswith("ipv6:") else inner
    try:
        return str(ipaddress.ip_address(inner))
    except ValueError:
        raise Unroutable("5.1.2", f"{domain} is no address that can be reached") from None


def _domain_fits(patterns: Sequence[str], domain: str) -> bool:
    return not patterns or any(
        pattern in ("*", domain) or (pattern.startswith(".") and domain.endswith(pattern))
        for pattern in map(str.lower, patterns)
    )


def _sender_fits(patterns: Sequence[str], sender: Mailbox) -> bool:
    if not patterns:
        return True
    full, domain = str(sender).lower(), f"@{sender.domain.lower()}"
    return any(pattern in (full, domain) for pattern in map(str.lower, patterns))
