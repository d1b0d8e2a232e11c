"""Routes that have a table: where each recipient's, or each sender's mail goes, and passwords for hosts.

The files are the sources of Postfix's transport(5), of its tables of sender_dependent_relayhost_maps and of
smtp_sasl_password_maps, read again when they change.  A table that was never read, or that names a route that
is not there, keeps mail waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import field, replace
from typing import Generic, TypeVar

from quintet.clock import Clock
from quintet.config import places
from quintet.config.places import Place
from quintet.config.route import Route
from quintet.delivery.directory import ascii_domain
from quintet.delivery.envelope import Mailbox
from quintet.delivery.matching import Travel
from quintet.delivery.watched import Watched
from quintet.errors import TryLater
from quintet.policy import patterns
from quintet.policy.patterns import Patterns
from quintet.store import accounts
from quintet.values import dataclass

T = TypeVar("T")

SERVICES = {"smtp": 25, "lmtp": 24, "submission": 587, "smtps": 465, "submissions": 465}
OURS = ("local", "virtual")  # transports of Postfix that lead to people there

_LATER = "4.3.5"  # RFC 3463 3.4: system incorrectly configured
_SMTP = ("", "smtp", "relay")


@dataclass(frozen=True, slots=True)
class Table(Generic[T]):
    """One table, as it was read."""

    plain: Mapping[str, T] = field(default_factory=dict)
    patterns: Patterns[str] = field(default_factory=Patterns)


@dataclass(frozen=True, slots=True)
class Way:
    """What stands behind a key: another route, or what differs from the one that has the table."""

    via: str  # of config.route.Route; "route": the one called ``name``; "next": the next that fits
    hosts: tuple[str, ...] = ()  # as `config.places` reads them; (): the domain's own, or the route's
    name: str = ""
    text: str = ""
    status: str = ""


# --- reading ---------------------------------------------------------------------------------------


def transports(text: str) -> Table[Way]:
    """The source of transport(5).  Raises ValueError: the line and what is wrong with it."""
    return _read(text, way)


def relayhosts(text: str) -> Table[Way]:
    """The same of sender_dependent_relayhost_maps."""
    return _read(text, lambda said: Way("smtp", _hosts(said, "smtp")) if said != "DUNNO" else Way("next"))


def passwords(text: str) -> Table[tuple[str, str]]:
    """The same of smtp_sasl_password_maps: user and password."""
    return _read(text, _password)


def of_kind(table_of: str) -> Callable[[str], Table[Way]]:
    """What reads the table of a route."""
    return relayhosts if table_of == "sender" else transports


def _read(text: str, meaning: Callable[[str], T]) -> Table[T]:
    plain: dict[str, T] = {}

    def take(key: str, said: str) -> None:
        if not said:
            raise ValueError("expected a key and a value")
        plain[key.lower()] = meaning(said)

    def checked(said: str) -> str:
        if "$" not in said:
            meaning(said)
        return said

    expressions = patterns.keyed(text, take)
    return Table(plain, patterns.of(expressions, checked))


def _password(said: str) -> tuple[str, str]:
    user, colon, password = said.partition(":")
    if not colon or not user:
        raise ValueError("expected user:password")
    return user, password


def way(said: str) -> Way:
    """What ``transport:nexthop`` means.  Raises ValueError."""
    name, colon, hop = said.partition(":")
    name, hop = name.strip(), hop.strip()
    if not colon or "[" in name:
        raise ValueError(f"expected TRANSPORT:NEXTHOP, such as smtp:[host]:25, got {said[:80]!r}")
    if not name and not hop:
        return Way("next")  # as if it did not stand here
    if name in _SMTP:
        return Way("smtp", _hosts(hop, "smtp")) if hop else Way("mx")
    if name == "lmtp":
        return Way("lmtp", _hosts(hop, "lmtp"))
    if name == "discard":
        return Way("discard")
    if name in ("error", "retry"):
        status, _, text = hop.partition(" ")
        class_ = "5" if name == "error" else "4"
        if not (status[:2] == f"{class_}." and status.replace(".", "").isdigit() and status.count(".") == 2):
            status, text = f"{class_}.7.1" if name == "error" else "4.3.0", hop
        return Way("error", text=text.strip(), status=status)
    if name in OURS:
        raise ValueError(f"{name} is nothing to say: mail for people here never leaves")
    return Way("route", _hosts(hop, "smtp") if hop else (), name)


def _hosts(said: str, via: str) -> tuple[str, ...]:
    """Next hops, in their order, as a route writes them.  Raises ValueError."""
    found = tuple(_host(each.strip(), via) for each in said.split(",") if each.strip())
    if not found:
        raise ValueError(f"expected a host, got {said[:80]!r}")
    return found


def _host(said: str, via: str) -> str:
    if said.startswith("unix:"):
        path = said[5:]
        if not path.startswith("/"):
            raise ValueError(f"expected unix:/path, got {said!r}")
        return said
    exact = said.startswith("[") or via == "lmtp"
    said = said.removeprefix("inet:")
    host, colon, port = said.rpartition(":")
    if colon and port.lower() in SERVICES:
        said = f"{host}:{SERVICES[port.lower()]}"
    found = places.place(said if exact else f"mx:{said}")
    if found.exchangers and found.host.replace(".", "").isdigit():
        found = replace(found, exchangers=False)
    return written(found)


def written(found: Place) -> str:
    """A place as a configuration has it."""
    host = f"[{found.host}]" if ":" in found.host and not found.host.startswith("unix:") else found.host
    port = f":{found.port}" if found.port else ""
    return f"{'mx:' if found.exchangers else ''}{host}{port}"


# --- looking up ------------------------------------------------------------------------------------


def _keys_of_recipient(box: Mailbox) -> Iterator[str]:
    """transport(5): the address, its domain, what is above with a dot, and last of all the star."""
    local, domain = box.local.lower(), ascii_domain(box.domain)
    cut = local.find(accounts.SEPARATOR, 1)
    for name in [local] if cut < 0 else [local, local[:cut]]:
        yield f"{name}@{domain}"
    yield domain
    at = domain.find(".")
    while at >= 0:
        yield domain[at:]
        at = domain.find(".", at + 1)


def _keys_of_sender(box: Mailbox) -> Iterator[str]:
    if not box:
        yield "<>"
        return
    local, domain = box.local.lower(), ascii_domain(box.domain)
    cut = local.find(accounts.SEPARATOR, 1)
    for name in [local] if cut < 0 else [local, local[:cut]]:
        yield f"{name}@{domain}"
    yield f"@{domain}"


def _keys_of_host(text: str, port: int) -> Iterator[str]:
    """A host, as tables of passwords write it."""
    found = places.place(text)
    number = found.port or port
    names = [found.host] if found.exchangers else [f"[{found.host}]", found.host]
    for name in names:
        if number:
            yield f"{name}:{number}"
            yield from (f"{name}:{service}" for service, known in SERVICES.items() if known == number)
    yield from names


def _way(table: Table[Way], route: Route, travel: Travel) -> Way | None:
    if route.table_of == "sender":
        return of_sender(table, travel.sender)
    return of_recipient(table, travel.recipient or Mailbox("", travel.domain))


def of_sender(table: Table[Way], box: Mailbox) -> Way | None:
    """What a table of senders says.  Raises TryLater; ValueError: what an expression made of an address."""
    return _known(table, _keys_of_sender(box), box, lambda said: Way("smtp", _hosts(said, "smtp")))


def of_recipient(table: Table[Way], box: Mailbox) -> Way | None:
    """The same of a table of recipients; a domain is asked about without a local part."""
    return _known(table, _keys_of_recipient(box), box, way)


def _known(table: Table[Way], keys: Iterator[str], box: Mailbox, meaning: Callable[[str], Way]) -> Way | None:
    for key in keys:
        if (known := table.plain.get(key)) is not None:
            return known
    if table.patterns and (found := table.patterns.find(str(box))) is not None:
        return meaning(found.filled(found.result))
    return table.plain.get("*")


class RouteTables:
    """The tables of all routes; one a process."""

    def __init__(self, routes: Mapping[str, Route], clock: Clock) -> None:
        self._routes = routes
        self._ways: dict[str, Watched[Table[Way]]] = {}
        self._passwords: dict[str, Watched[Table[tuple[str, str]]]] = {}
        for name, route in routes.items():
            what = f"table of the route {name}"
            if route.table:
                self._ways[name] = Watched(route.table, clock, of_kind(route.table_of), what)
            if route.passwords:
                self._passwords[name] = Watched(route.passwords, clock, passwords, f"{what} (passwords)")

    @property
    def any(self) -> bool:
        """There is a table to look into."""
        return bool(self._ways or self._passwords)

    @property
    def ways(self) -> bool:
        """There is one that may refuse mail."""
        return bool(self._ways)

    def found(self, name: str, travel: Travel) -> tuple[str, Route, str] | None:
        """Where a route leads one message: its name, the route, and what tells it from others of that name.

        None: its table does not say, and the next route has its turn.
        """
        route, mark = self._routes[name], ""
        try:
            if name in self._ways:
                known = _way(self._ways[name].get(), route, travel)
                if known is None or known.via == "next":
                    return None
                name, route, mark = self._applied(known, name, route)
            if name in self._passwords:
                pair = self._password(self._passwords[name].get(), route, travel)
                if pair is not None:
                    route = replace(route, user=pair[0], password=pair[1])
                    mark = f"{mark}:{pair[0]}" if mark else pair[0]
        except TryLater as problem:
            return name, _waiting(route, problem.text), "unread"
        except ValueError as error:  # what an expression made of an address
            return name, _waiting(route, str(error)), "mistaken"
        return name, route, mark

    def _applied(self, known: Way, name: str, route: Route) -> tuple[str, Route, str]:
        if known.via == "route":
            other = self._routes.get(known.name)
            if other is None:
                return name, _waiting(route, f"there is no route {known.name!r}"), "nowhere"
            if not known.hosts:
                return known.name, other, ""
            made = replace(other, host=known.hosts[0], hosts=list(known.hosts[1:]))
            return known.name, made, ",".join(known.hosts)
        if known.via == "error":
            made = replace(route, via="error", text=known.text, status=known.status)
            return name, made, f"{known.status} {known.text}"
        if known.via not in ("smtp", "lmtp"):
            return name, replace(route, via=known.via, host="", hosts=[]), known.via
        made = replace(route, via=known.via, host=known.hosts[0], hosts=list(known.hosts[1:]))
        return name, made, ",".join(known.hosts)

    @staticmethod
    def _password(table: Table[tuple[str, str]], route: Route, travel: Travel) -> tuple[str, str] | None:
        for key in _keys_of_sender(travel.sender):
            if (pair := table.plain.get(key)) is not None:
                return pair
        for text in (route.host, *route.hosts):
            for key in _keys_of_host(text, route.port) if text else ():
                if (pair := table.plain.get(key)) is not None:
                    return pair
        return None


def _waiting(route: Route, text: str) -> Route:
    return replace(route, via="error", text=text, status=_LATER)


def mistakes(table: Table[Way], routes: Collection[str]) -> list[str]:
    """Routes that a table names and that are not there."""
    names = {one.name for one in table.plain.values() if one.via == "route"}
    return [f"there is no route {name!r}" for name in sorted(names - set(routes))]
