"""How many connections a listener takes: in all, from one address, and how fast.  Pure.

An address is one IPv4 address or one IPv6 /64, the least that one customer gets.  Several workers count
together through a `Shared`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Protocol

from quintet.errors import Reason

MAX_KNOWN = 50_000  # addresses whose pace is remembered
LOOPBACK = ("127.0.0.0/8", "::1/128")  # this machine


class Networks:
    """A set of networks; asking costs a dictionary look-up for an address seen before."""

    __slots__ = ("_known", "_networks")

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ipaddress.ip_network(each, strict=False) for each in networks]
        self._known: dict[str, bool] = {}

    def __contains__(self, address: str) -> bool:
        if not self._networks:
            return False
        known = self._known.get(address)
        if known is None:
            known = self._find(address)
            if len(self._known) > 1000:
                self._known.clear()
            self._known[address] = known
        return known

    def _find(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False  # "unix", "memory"
        return any(found in network for network in self._networks if network.version == found.version)


class Shared(Protocol):
    """What other workers count, and ours for them."""

    def put(self, name: str, count: int) -> None:
        """What this worker has of a name."""
        ...

    def others(self, name: str) -> int:
        """What the other workers have of it."""
        ...

    def pace(self, name: str, now: float, per_minute: int) -> bool:
        """One more fits into a rate; then it is taken.  ``now`` is in seconds since 1970."""
        ...


class Limits:
    """Counts the connections of one listener.  ``per_minute`` 0 sets no pace.

    ``shared`` counts with the other workers, under ``name``, the listener's.
    """

    def __init__(
        self,
        total: int,
        per_address: int,
        per_minute: int,
        unlimited: Iterable[str] = (),
        *,
        name: str = "",
        shared: Shared | None = None,
    ) -> None:
        self._total, self._per_address, self._per_minute = total, per_address, per_minute
        self._unlimited = Networks(unlimited)
        self._name, self._shared = name, shared
        self._counts: dict[str, int] = {}
        self._paces: dict[str, tuple[float, float]] = {}  # tokens left, when
        self.open = 0

    def enter(self, address: str, now: float, since_1970: float = 0.0) -> Reason | None:
        """Counts a connection; a reason when it must be turned away (then it is not counted).

        ``now`` is monotonic, ``since_1970`` what all workers mean by the same moment; both in seconds.
        """
        if self.open + self._others() >= self._total:
            return Reason.TOO_MANY
        if address in ("unix", "") or address in self._unlimited:
            self._opened(1)
            return None
        key = address_key(address)
        count = self._counts.get(key, 0)
        if count + self._others(key) >= self._per_address:
            return Reason.TOO_MANY
        if self._per_minute and not self._in_pace(key, now, since_1970):
            return Reason.THROTTLED
        self._put(key, count + 1)
        self._opened(1)
        return None

    def leave(self, address: str) -> None:
        """A connection that had entered is gone."""
        self._opened(-1)
        key = address_key(address)
        count = self._counts.get(key, 0)
        if count:
            self._put(key, count - 1)

    def _others(self, key: str = "") -> int:
        return 0 if self._shared is None else self._shared.others(f"{self._name} {key}")

    def _put(self, key: str, count: int) -> None:
        if count:
            self._counts[key] = count
        else:
            self._counts.pop(key, None)
        if self._shared is not None:
            self._shared.put(f"{self._name} {key}", count)

    def _opened(self, more: int) -> None:
        self.open += more
        if self._shared is not None:
            self._shared.put(f"{self._name} ", self.open)

    def _in_pace(self, key: str, now: float, since_1970: float) -> bool:
        if self._shared is None:
            return self._pace(key, now)
        return self._shared.pace(f"{self._name} {key}", since_1970, self._per_minute)

    def adopt(self, other: Limits) -> None:
        """Goes on counting what another counted."""
        self._counts, self._paces, self.open = other._counts, other._paces, other.open

    def _pace(self, key: str, now: float) -> bool:
        full = float(self._per_minute)
        tokens, at = self._paces.get(key, (full, now))
        tokens = min(full, tokens + (now - at) * full / 60)
        if len(self._paces) > MAX_KNOWN:
            self._paces = {k: v for k, v in self._paces.items() if now - v[1] < 60}
            if len(self._paces) > MAX_KNOWN:
                self._paces.clear()  # an attack from more addresses than we remember
        if tokens < 1:
            self._paces[key] = (tokens, now)
            return False
        self._paces[key] = (tokens - 1, now)
        return True


def address_key(address: str) -> str:
    """What counts as one address."""
    if ":" not in address:
        return address
    try:
        number = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if number.ipv4_mapped is not None:
        return str(number.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(number) >> 64 << 64, 64)))


def network_key(address: str) -> str:
    """What counts as one network: an IPv4 /24, an IPv6 /48."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return str(ipaddress.IPv6Network((int(found) >> 80 << 80, 48)))
        found = found.ipv4_mapped
    return str(ipaddress.IPv4Network((int(found) >> 8 << 8, 24)))
