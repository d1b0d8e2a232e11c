"""A table of who may what, as Postfix's access(5) has it: hash, cidr, regexp and pcre in one file.

A line is a key and an act (`policy.acts`).  Keys are looked up whole, as `keys_of_address` and its kin give
them, then as networks in their order, then as expressions in theirs (`policy.patterns`).  Pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import field

from quintet.policy import acts, patterns
from quintet.policy.acts import Act
from quintet.policy.patterns import Patterns
from quintet.values import dataclass

NULL = "<>"  # how the null sender is looked up


@dataclass(slots=True)
class Networks:
    """Networks, of which the first that an address is in counts; by length, since there may be thousands."""

    lengths: dict[tuple[int, int], dict[int, tuple[int, Act]]] = field(default_factory=dict)
    count: int = 0

    def add(self, text: str, act: Act) -> None:
        """Raises ValueError: it is no network."""
        made = ipaddress.ip_network(text, strict=False)
        there = self.lengths.setdefault((made.version, made.max_prefixlen - made.prefixlen), {})
        there.setdefault(int(made.network_address), (self.count, act))
        self.count += 1

    def find(self, address: str) -> Act | None:
        """The act of the first network with that address in it."""
        try:
            known = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return None
        number, found = int(known), None
        for (version, host), there in self.lengths.items():
            if version == known.version and (one := there.get(number >> host << host)) is not None:
                found = one if found is None or one[0] < found[0] else found
        return None if found is None else found[1]


@dataclass(slots=True)
class AccessTable:
    """One table, as it was read."""

    plain: dict[str, Act] = field(default_factory=dict)
    networks: Networks = field(default_factory=Networks)
    patterns: Patterns[Act] = field(default_factory=Patterns)
    names: bool = False  # somebody may be meant who is not known by an address alone: of a table of clients

    def find(self, keys: Iterable[str], whole: Iterable[str], address: str = "") -> Act | None:
        """The act for the first of ``keys`` that is here, the network of ``address``, the first of ``whole``
        that an expression fits."""
        for key in keys:
            act = self.plain.get(key)
            if act is not None:
                return act
        if self.networks.count and address and (act := self.networks.find(address)) is not None:
            return act
        if self.patterns:
            for text in whole:
                found = self.patterns.find(text)
                if found is not None:
                    return filled(found.result, found)
        return None


def is_address(text: str) -> bool:
    """An IP address, and no name."""
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def filled(act: Act, found: patterns.Found[Act]) -> Act:
    """An act with what an expression found in place of its references."""
    if "$" not in act.text:
        return act
    return Act(act.do, found.filled(act.text), act.code, act.enhanced)


def read(text: str) -> AccessTable:
    """The source of a table.  Raises ValueError: the line and what is wrong with it."""
    table = AccessTable()

    def plain(key: str, said: str) -> None:
        act = acts.parse(said)
        if "/" in key:
            table.networks.add(key, act)
        else:
            table.plain[key.lower()] = act

    table.patterns = patterns.of(patterns.keyed(text, plain), acts.parse)
    table.names = bool(table.patterns) or any(":" not in key and key.upper() != key for key in table.plain)
    return table


# --- what is looked up ---------------------------------------------------------------------------


def keys_of_name(name: str) -> Iterator[str]:
    """A host or a domain, and all above it, each with a dot in front as well."""
    name = name.lower().rstrip(".")
    yield name
    at = name.find(".")
    while at >= 0:
        yield name[at:]
        yield name[at + 1 :]
        at = name.find(".", at + 1)


def keys_of_host(address: str, name: str) -> Iterator[str]:
    """A client: its name where one is known, its address, the networks above it by their octets."""
    if name:
        yield from keys_of_name(name)
    yield address.lower()
    mark = ":" if ":" in address else "."
    at = address.rfind(mark)
    while at > 0:
        yield address[:at].lower()
        at = address.rfind(mark, 0, at)


def keys_of_address(local: str, domain: str, separator: str) -> Iterator[str]:
    """An address: with its detail and without, its domain and what is above, its local part."""
    local, domain = local.lower(), domain.lower()
    if not domain:
        yield local or NULL
        return
    cut = local.find(separator, 1)
    names = [local] if cut < 0 else [local, local[:cut]]
    for name in names:
        yield f"{name}@{domain}"
    yield f"@{domain}"
    yield from keys_of_name(domain)
    for name in names:
        yield f"{name}@"
