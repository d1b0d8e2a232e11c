"""Where mail for a domain goes: ours, a configured route, or the hosts that the name service names.

`Router.destination` decides from the configuration alone; `Router.ways` asks the name service and the TLS
policies, and gives every place to try in its order.  A temporary failure there is never taken for "no such
domain".  RFC 5321 section 5, RFC 7505 (null MX).
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import itertools
import socket
from collections.abc import AsyncGenerator, Collection, Sequence
from typing import Protocol

from quintet.clock import Clock
from quintet.config import places
from quintet.config.places import Place
from quintet.config.queue import Queue
from quintet.config.route import Route
from quintet.delivery import matching
from quintet.delivery.directory import Directory, ascii_domain
from quintet.delivery.envelope import Mailbox, mailbox
from quintet.delivery.matching import Travel
from quintet.delivery.routetables import RouteTables
from quintet.delivery.tlspolicy import Demand, HopPolicy, of_route
from quintet.delivery.transport import Hop
from quintet.errors import Problem, Reason, Refused, TryLater
from quintet.net.dns import Mx, Resolver
from quintet.store import accounts, entries
from quintet.store.model import AccountId, MessageId
from quintet.store.queue import Recipient
from quintet.store.store import Store
from quintet.values import dataclass

MAX_HOSTS = 20  # mail exchangers looked at, of one domain
MAX_ADDRESSES = 4  # of one host: with more, the second host would never have its turn
MAX_HOPS = 16  # places given at one attempt, over all hosts
MAX_OURS = 10_000  # domains of which it is remembered whether they are ours
OURS_S = 1.0  # how long that is believed
MAX_SITE = 200  # characters
LMTP_PORT = 24
SMTP_PORT = 25


class Unroutable(Refused):
    """Nobody takes mail for that domain, and that will not change; ``status`` is RFC 3463's."""

    def __init__(self, status: str, text: str, reason: Reason = Reason.NO_SUCH_DOMAIN) -> None:
        super().__init__(reason, text)
        self.status = status


class Policies(Protocol):
    """`delivery.tlspolicies.TlsPolicies`."""

    async def policy(
        self,
        domain: str,
        host: str,
        mx_secure: bool,
        *,
        demand: Demand = Demand.USUAL,
        port: int = 0,
        only_dane: bool = False,
    ) -> HopPolicy: ...


@dataclass(frozen=True, slots=True)
class Destination:
    """Recipients whose mail goes the same way share one; ``key`` names it."""

    key: str  # "local", "mx:example.net", "route:NAME"
    via: str  # "local" or one of config.route.Route.via
    domain: str  # for mx: whose MX
    route: Route
    name: str = ""  # of the route


@dataclass(frozen=True, slots=True)
class _Found:
    """One host, before its addresses are known."""

    place: Place
    mx: bool  # the name service named it
    secure: bool  # and that answer was validated
    domain: str  # whose exchanger it is: the recipient's domain, or the one that a route names


def _named(place: Place) -> _Found:
    """A host of the configuration."""
    return _Found(place, False, False, "")


def _by(route: Route, name: str, domain: str, mark: str = "") -> Destination:
    """Where a route of that name leads; ``mark`` tells it from others of the name."""
    key = f"route:{name}:{mark}" if mark else f"route:{name}"
    if route.via == "mx":
        key = f"{key}:{domain}"
    return Destination(key, route.via, domain, route, name)


class Router:
    """One a process.

    ``names`` are our own: an MX record that points to one of them is not followed; ``listens`` are the
    addresses ("*" is every one) and ports where we take mail, for exchangers of another name that are we.
    """

    def __init__(
        self,
        config: Queue,
        directory: Directory,
        resolver: Resolver,
        *,
        names: Sequence[str],
        clock: Clock,
        policies: Policies | None = None,
        listens: Collection[tuple[str, int]] = (),
    ) -> None:
        self._config, self._directory, self._resolver, self._clock = config, directory, resolver, clock
        self._names = frozenset(name.lower().rstrip(".") for name in names if name)
        self._policies, self._listens = policies, tuple(listens)
        self._usual = Route()
        self._local: dict[str, tuple[bool, float]] = {}  # domain: is local, believed until
        self._rules = matching.rules(config.routes)
        self._by_account = any(rule.by_account for rule in self._rules)
        self._by_size = any(rule.by_size for rule in self._rules)
        self._tables = RouteTables(config.routes, clock)
        self._refuses = self._tables.ways or any(rule.route.via == "error" for rule in self._rules)

    # --- from the configuration ---------------------------------------------------------------

    def destination(
        self,
        domain: str,
        sender: Mailbox,
        *,
        recipient: Mailbox | None = None,
        account: str = "",
        size: int = 0,
        listener: str = "",
        secure: bool = True,
    ) -> Destination:
        """The first route that fits; else the domain's MX.  Our own domains are never routed away."""
        domain = ascii_domain(domain)
        if self._is_ours(domain):
            return Destination("local", "local", domain, self._usual)
        if not self._rules:
            return Destination(f"mx:{domain}", "mx", domain, self._usual)
        travel = Travel(domain, sender, recipient, account, size, listener, secure)
        for rule in self._rules:
            if rule.fits(travel) and (found := self._found(rule.name, rule.route, travel)) is not None:
                return found
        return Destination(f"mx:{domain}", "mx", domain, self._usual)

    def _found(self, name: str, route: Route, travel: Travel) -> Destination | None:
        """Where a route leads; None: its table does not know."""
        if not self._tables.any:
            return _by(route, name, travel.domain)
        found = self._tables.found(name, travel)
        return None if found is None else _by(found[1], found[0], travel.domain, found[2])

    def refusing(
        self, sender: Mailbox, recipient: Mailbox, *, account: str, listener: str, secure: bool
    ) -> Route | None:
        """The route that would bounce mail for good whatever its size; known before there is any."""
        if not self._refuses or self._by_size:
            return None
        found = self.destination(
            recipient.domain, sender, recipient=recipient, account=account, listener=listener, secure=secure
        )
        refuses = found.via == "error" and not found.route.status.startswith("4")
        return found.route if refuses else None

    def _is_ours(self, domain: str) -> bool:
        """Asked for every recipient that leaves; believed for a second."""
        now = self._clock.monotonic()
        known = self._local.get(domain)
        if known is None or known[1] <= now:
            if len(self._local) >= MAX_OURS:
                self._local.clear()
            known = self._local[domain] = self._directory.is_local(domain), now + OURS_S
        return known[0]

    def of_row(self, store: Store, one: Recipient) -> Destination:
        """`destination` of a queued recipient; reads from the store what the routes ask for, no more."""
        if not self._rules:
            return self.destination(one.domain, _NOBODY)
        wanted = self._config.routes.get(str(one.params.get("route", "")))
        if wanted is not None:  # an administrator's word for this one
            name, domain = str(one.params["route"]), ascii_domain(one.domain)
            travel = Travel(domain, mailbox(one.sender), mailbox(one.address))
            return self._found(name, wanted, travel) or _by(wanted, name, domain)
        arrived = one.item_params.get("arrived") or {}
        return self.destination(
            one.domain,
            mailbox(one.sender),
            recipient=mailbox(one.address),
            account=self._account(store, one) if self._by_account else "",
            size=store.peek(entries.message_body, MessageId(one.message_row)).size if self._by_size else 0,
            listener=str(arrived.get("listener", "")),
            secure=bool(arrived.get("tls", True)),
        )

    def _account(self, store: Store, one: Recipient) -> str:
        if one.account_id is None:
            return ""
        try:
            return store.peek(accounts.get, AccountId(one.account_id)).name
        except Refused:
            return ""  # it was removed meanwhile

    # --- from the name service ----------------------------------------------------------------

    async def site(self, destination: Destination) -> str:
        """A name for the hosts that a destination leads to: who shares them shares limits (MX roll-up).

        Never raises: while the name service has no answer it is the destination's own key.
        """
        if destination.via != "mx":
            return destination.key
        try:
            found = [each for group in await self._exchangers(destination.domain) for each in group]
        except Problem:
            return destination.key
        hosts = ",".join(sorted({each.place.host for each in found}))
        if len(hosts) > MAX_SITE:
            hosts = hashlib.sha256(hosts.encode()).hexdigest()
        return f"site:{destination.name}:{hosts}"

    async def ways(self, destination: Destination, *, demand: Demand = Demand.USUAL) -> AsyncGenerator[Hop]:
        """Every place to try, in order, with its TLS policy; at most `MAX_HOPS`.

        A host about which nothing can be known now is passed over; why is raised at the end, as what holds
        for the whole when no other place took the mail either.

        Raises:
            Unroutable: nobody takes mail there, or no host has an address.
            TryLater: the name service does not know now, or TLS policies do not.
            Refused(TLS_REQUIRED): the message demands what no host gives (RFC 8689 4.2.1).
        """
        if destination.via in ("pipe", "batch"):
            yield self._program(destination)
            return
        if destination.via not in ("mx", "smtp", "lmtp"):
            raise TryLater(Reason.BUSY, "mail for that host waits until it is fetched")
        trouble = _Trouble()
        groups = await self._groups(destination, trouble)
        fallback = [[_named(each) for each in equals] for equals in places.groups(destination.route.fallback)]
        given = 0
        for number, group in enumerate(itertools.chain(groups, fallback)):
            if trouble.loop is not None and number < len(groups):
                continue  # RFC 5321 5.1: neither we nor what is no nearer than we
            for found, addresses in await self._resolved(destination, self._shuffled(group), trouble):
                try:
                    policy = await self._policy(destination, found, demand)
                except (TryLater, Refused) as problem:
                    trouble.add(problem)
                    continue
                for address in addresses[:MAX_ADDRESSES]:
                    yield self._hop(destination, found, address, policy)
                    given += 1
                    if given >= MAX_HOPS:
                        return
        if trouble.worst is not None:
            raise trouble.worst
        if not given:
            raise Unroutable("5.4.4", f"no mail host for {destination.domain} has an address")

    async def _groups(self, destination: Destination, trouble: _Trouble) -> list[list[_Found]]:
        """Hosts of equal preference together, the best first.  Raises Unroutable."""
        if destination.via == "mx":
            try:
                return await self._exchangers(destination.domain)
            except TryLater as problem:
                trouble.add(problem)
                return []
        groups: list[list[_Found]] = []
        for equals in places.of(destination.route):
            groups.append([_named(each) for each in equals if not each.exchangers])
            for each in equals:
                if not each.exchangers:
                    continue
                try:
                    groups += await self._exchangers(each.host, each.port)
                except (TryLater, Unroutable) as problem:
                    trouble.add(problem)
        return groups

    async def _exchangers(self, domain: str, port: int = 0) -> list[list[_Found]]:
        """RFC 5321 5.1: by preference; we and all that is no nearer are left out."""
        if domain.startswith("["):
            return [[_Found(Place(_literal_host(domain)), True, False, domain)]]
        answer = await self._resolver.query(domain, "MX")
        if not answer.exists:
            raise Unroutable("5.1.2", f"domain {domain} does not exist")
        records = await self._resolver.mx(domain) if answer.records else []
        if not records:
            return [[_Found(Place(domain, port), True, answer.secure, domain)]]  # the implicit MX
        if len(records) == 1 and not records[0].host:
            raise Unroutable("5.1.10", f"domain {domain} takes no mail", Reason.NO_MAIL)  # RFC 7505 4.1
        own = min((mx.preference for mx in records if mx.host in self._names), default=None)
        nearer = [mx for mx in records if mx.host and (own is None or mx.preference < own)]
        if not nearer:
            raise Unroutable("5.4.6", f"mail for {domain} loops back to this host", Reason.LOOP)
        return [
            [_Found(Place(mx.host, port), True, answer.secure, domain) for mx in group]
            for group in _bounded(nearer)
        ]

    async def check(self, domain: str) -> None:
        """What is known of a domain without asking its hosts.

        Raises:
            Unroutable(NO_SUCH_DOMAIN | NO_MAIL): it does not exist, or says that it takes no mail (RFC 7505).
            Unroutable(LOOP), TryLater.
        """
        await self._exchangers(domain)

    def _shuffled(self, equals: Sequence[_Found]) -> list[_Found]:
        rest, ordered = list(equals), []
        while len(rest) > 1:
            ordered.append(rest.pop(int(self._clock.random() * len(rest))))
        return ordered + rest

    # --- addresses ----------------------------------------------------------------------------

    async def _resolved(
        self, destination: Destination, group: Sequence[_Found], trouble: _Trouble
    ) -> list[tuple[_Found, list[str]]]:
        """Hosts of one preference with their addresses; none of them when one is we (RFC 5321 5.1)."""
        resolved = []
        for found in group:
            try:
                addresses = await self._addresses_of(destination, found)
            except TryLater as problem:
                trouble.add(problem)
                continue
            port = self._port(destination, found)
            if found.mx and any(self._ours(address, port) for address in addresses):
                trouble.loop = Unroutable(
                    "5.4.6", f"mail for {destination.domain} loops back to this host", Reason.LOOP
                )
                trouble.add(trouble.loop)
                return []
            resolved.append((found, addresses))
        return resolved

    async def _addresses_of(self, destination: Destination, found: _Found) -> list[str]:
        host = found.place.host
        if destination.route.proxy:
            return [host]  # it has its own name service
        if found.mx or "." in host or ":" in host:
            return await self.addresses(host)
        # "localhost" and its like: names that only this machine knows
        try:
            known = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError as error:
            raise TryLater(Reason.DNS, f"host {host} is not known here") from error
        return list(dict.fromkeys(str(place[0]) for *_, place in known))

    async def addresses(self, host: str) -> list[str]:
        """IP addresses of a host, IPv6 and IPv4 by turns (RFC 8305 4); empty when it has none.

        Raises:
            TryLater(DNS): none is known, and there may be some.
        """
        if host.startswith("unix:"):
            return [host]
        try:
            return [str(ipaddress.ip_address(host.strip("[]")))]
        except ValueError:
            pass
        families: list[list[str]] = []
        trouble: TryLater | None = None
        for kind in _KINDS[self._config.families]:
            try:
                answer = await self._resolver.query(host, kind)
            except TryLater as problem:
                trouble = problem  # some servers choke on AAAA: the other family may do
                continue
            families.append([record.address for record in answer.records])
        found = [each for pair in itertools.zip_longest(*families) for each in pair if each]
        if not found and trouble is not None:
            raise trouble
        return found

    def _ours(self, address: str, port: int) -> bool:
        """We listen there."""
        if not any(number == port for _, number in self._listens):
            return False
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False  # a name that is the proxy's to resolve
        ip = getattr(ip, "ipv4_mapped", None) or ip
        for where, number in self._listens:
            if number != port or where.startswith("unix:"):
                continue
            if where == "*" or ipaddress.ip_address(where).is_unspecified:
                if _local(ip):
                    return True
            elif ip == ipaddress.ip_address(where):
                return True
        return False

    async def _policy(self, destination: Destination, found: _Found, demand: Demand) -> HopPolicy:
        """A route's own word stands; what it leaves open is the recipient domain's, or the relay's own."""
        host, word = found.place.host, destination.route.tls
        if word in ("may", "dane") and self._policies is not None and self._is_public(destination, found):
            return await self._policies.policy(
                found.domain or host,
                host,
                found.secure if found.mx else True,  # the configuration names it
                demand=demand,
                port=self._port(destination, found),
                only_dane=word == "dane",
            )
        policy = of_route(word, host)
        if demand is not Demand.REQUIRE or host.startswith("unix:"):
            return policy
        # RFC 8689 4.2.1: a certificate that proves the name, and a host that passes the demand on
        return HopPolicy(
            "verify", (host,), why="requiretls", proven=True, implicit=policy.implicit, strict=True
        )

    def _is_public(self, destination: Destination, found: _Found) -> bool:
        """Somebody may have published how to speak to it: a name, and we ask the name service ourselves."""
        if found.mx or destination.route.tls == "dane":
            return True
        host, route = found.place.host, destination.route
        return destination.via != "lmtp" and "." in host and not _is_address(host) and not route.proxy

    # --- hops ---------------------------------------------------------------------------------

    def _port(self, destination: Destination, found: _Found) -> int:
        usual = {"lmtp": LMTP_PORT, "mx": self._config.port}.get(destination.via, SMTP_PORT)
        return found.place.port or destination.route.port or usual

    def _hop(self, destination: Destination, found: _Found, address: str, policy: HopPolicy) -> Hop:
        """Everything a transport must know to connect there."""
        route, config = destination.route, self._config
        return Hop(
            host=found.place.host,
            address=address,
            port=self._port(destination, found),
            tls=route.tls,
            policy=policy,
            user=route.user,
            password=route.password,
            lmtp=destination.via == "lmtp",
            mx=found.mx,
            via=destination.via,
            helo=route.helo,
            source="" if route.sources else config.source_address,
            sources=tuple(route.sources),
            proxy=route.proxy,
            connect_timeout_s=config.connect_timeout_s,
            pipelining=route.pipelining,
            chunking=route.chunking,
            pipe_connect=route.pipe_connect,
            ignore=frozenset(word.upper() for word in route.ignore),
        )

    def _program(self, destination: Destination) -> Hop:
        route = destination.route
        what = route.file if destination.via == "batch" else next(iter(route.command), "")
        return Hop(
            host=what,
            address=what,
            port=0,
            via=destination.via,
            command=tuple(route.command),
            path=route.file,
            timeout_s=route.timeout_s,
        )


class _Trouble:
    """What kept hosts from being tried."""

    def __init__(self) -> None:
        self.worst: Problem | None = None  # what is told at the end: what may pass stands above what will not
        self.loop: Unroutable | None = None

    def add(self, problem: TryLater | Refused) -> None:
        if self.worst is None or isinstance(problem, TryLater):
            self.worst = problem


_NOBODY = Mailbox("", "")
_KINDS = {"both": ("AAAA", "A"), "ipv4": ("A",), "ipv6": ("AAAA",)}


def _bounded(nearer: Sequence[Mx]) -> list[list[Mx]]:
    """Exchangers of one preference together, without those named twice; `MAX_HOSTS` in all."""
    unique = {mx.host: mx for mx in sorted(nearer, key=lambda mx: -mx.preference)}  # the best of each name
    ordered = sorted(unique.values(), key=lambda mx: mx.preference)[:MAX_HOSTS]
    return [list(group) for _, group in itertools.groupby(ordered, key=lambda mx: mx.preference)]


def _local(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """The address is one of this machine: it can be bound to."""
    if ip.is_loopback or ip.is_unspecified:
        return True
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(ip), 0))
        except OSError:
            return False
    return True


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.startswith("unix:")
    return True


def _literal_host(domain: str) -> str:
    """[192.0.2.1] and [IPv6:...]; a literal of another kind leads nowhere."""
    inner = domain[1:-1]
    inner = inner[5:] if inner.lower().startswith("ipv6:") else inner
    try:
        return str(ipaddress.ip_address(inner))
    except ValueError:
        raise Unroutable("5.1.2", f"{domain} is no address that can be reached") from None
