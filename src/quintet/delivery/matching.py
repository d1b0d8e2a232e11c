"""Which configured route fits a message on its way to one recipient: patterns compiled once, asked often.

Pure.  Names are compared as A-labels and without case; a pattern that cannot be meant fits nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from quintet.config.route import Route
from quintet.delivery.directory import ascii_domain
from quintet.delivery.envelope import Mailbox
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Travel:
    """What decides about a way: one message to one recipient."""

    domain: str  # where it goes, A-labels, lower case
    sender: Mailbox
    recipient: Mailbox | None = None
    account: str = ""  # login name of who submitted it
    size: int = 0  # bytes; 0: not known, fits no route that asks for a size
    listener: str = ""
    secure: bool = True  # it came under TLS, or is ours


class Rule:
    """One route's conditions."""

    def __init__(self, name: str, route: Route) -> None:
        self.name, self.route = name, route
        self._domains = tuple(_domain(each) for each in route.domains)
        self._senders = addresses(route.senders)
        self._recipients = addresses(route.recipients)
        self._accounts = frozenset(each.lower() for each in route.accounts)
        self._listeners = frozenset(route.listeners)
        self._secure = {"tls": True, "clear": False}.get(route.arrived)

    @property
    def by_account(self) -> bool:
        """The account must be known."""
        return bool(self._accounts)

    @property
    def by_size(self) -> bool:
        """The size must be known."""
        return bool(self.route.min_size or self.route.max_size)

    def fits(self, travel: Travel) -> bool:
        """All that the route names is so."""
        return (
            _domain_fits(self._domains, travel.domain)
            and (self._senders is None or address_fits(self._senders, travel.sender))
            and (self._recipients is None or address_fits(self._recipients, travel.recipient))
            and (not self._accounts or travel.account.lower() in self._accounts)
            and (not self._listeners or travel.listener in self._listeners)
            and (self._secure is None or self._secure is travel.secure)
            and self._size_fits(travel.size)
        )

    def _size_fits(self, size: int) -> bool:
        least, most = self.route.min_size, self.route.max_size
        return not self.by_size or (size >= max(least, 1) and (not most or size <= most))


def rules(routes: Mapping[str, Route]) -> list[Rule]:
    """In the order of the configuration."""
    return [Rule(name, route) for name, route in routes.items()]


@dataclass(frozen=True, slots=True)
class Addresses:
    """A list of addresses, sorted by how they are compared."""

    null: bool  # "<>"
    whole: frozenset[str]  # addresses
    domains: frozenset[str]  # of "@domain"
    patterns: re.Pattern[str] | None


def addresses(texts: Sequence[str]) -> Addresses | None:
    """A list ready to be asked; None when it is empty.  What has no "@" is a local part of any domain."""
    if not texts:
        return None
    whole, domains, patterns, null = set(), set(), [], False
    for text in texts:
        if text in ("<>", ""):
            null = True
        elif "*" in text or "?" in text:
            patterns.append(pattern(text))
        elif text.startswith("@"):
            domains.add(ascii_domain(text[1:]).rstrip("."))
        else:
            local, at, domain = text.rpartition("@")
            whole.add(_key(local, domain) if at else f"{domain.lower()}@")
    compiled = re.compile("|".join(patterns), re.DOTALL) if patterns else None
    return Addresses(null, frozenset(whole), frozenset(domains), compiled)


def pattern(text: str) -> str:
    """A regular expression for ``text``, in which ``*`` is anything and ``?`` one character; lower case.

    For `re.Pattern.fullmatch` with DOTALL.  What a star passes over is not tried again once the words behind
    it were found, which is right for all stars but the last: so the time is linear in what is compared.
    """
    first, *others = [
        "".join(["." if char == "?" else re.escape(char) for char in words])
        for words in re.sub(r"\*+", "*", text.lower()).split("*")
    ]
    if not others:
        return first
    return first + "".join([f"(?>.*?{words})" for words in others[:-1]]) + ".*" + others[-1]


def address_fits(wanted: Addresses | None, address: Mailbox | None) -> bool:
    """The address is in the list; an address that is not known is in none."""
    if address is None or wanted is None:
        return False
    if not address:
        return wanted.null
    domain = ascii_domain(address.domain)
    key = _key(address.local, domain)
    if key in wanted.whole or domain in wanted.domains or f"{address.local.lower()}@" in wanted.whole:
        return True
    return wanted.patterns is not None and wanted.patterns.fullmatch(key) is not None


def _key(local: str, domain: str) -> str:
    return f"{local.lower()}@{ascii_domain(domain)}"


def _domain(text: str) -> str:
    text = text.lower().rstrip(".") if len(text) > 1 else text
    return "." + ascii_domain(text[1:]) if text.startswith(".") else ascii_domain(text)


def _domain_fits(wanted: Sequence[str], domain: str) -> bool:
    return not wanted or any(
        each in ("*", domain) or (each.startswith(".") and domain.endswith(each)) for each in wanted
    )
