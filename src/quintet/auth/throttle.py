"""Slowing those who guess, without locking the owner out.

Pure: failures and successes go in, seconds to wait come out.  Each failure counts against the
address (an IPv6 /64 is one address), its network (IPv4 /24, IPv6 /48; twenty times as patient) and the
account; counts halve every `HALF_LIFE_S`.

- An address that fails waits longer and longer, up to ``max_delay_s``, whatever name it tries.
- An account that is guessed at from everywhere costs a strange address up to ``account_delay_s``: the
  right password from a new place is delayed by seconds, never refused.
- An address from which the account logged in within `KNOWN_S` waits for neither; only its own failures
  on that account count, so that it cannot be used for guessing without end.
- This machine itself is no suspect (a webmail program asks for all its users): only the account counts.
- The same wrong password again, as a forgotten device sends it every minute, is no new guess.

All tables are bounded; the longest untouched is forgotten.  Each worker counts for itself.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from quintet.clock import Clock

HALF_LIFE_S = 300.0
KNOWN_S = 30 * 86400.0
FIRST_DELAY_S = 0.5
NETWORK_PATIENCE = 20  # failures of a network count as one of an address
KNOWN_PATIENCE = 3  # a known address may fail so many times more before it waits
MAX_ADDRESSES = 50_000  # some 10 MB
MAX_ACCOUNTS = 20_000
MAX_KNOWN = 50_000


@dataclass(slots=True)
class Count:
    """Failures, decaying."""

    value: float = 0.0
    at: float = 0.0  # monotonic seconds of ``value``
    last: bytes = b""  # hash of the last wrong secret

    def now(self, at: float) -> float:
        return float(self.value * 0.5 ** ((at - self.at) / HALF_LIFE_S))

    def add(self, at: float) -> None:
        self.value = self.now(at) + 1
        self.at = at


class Table:
    """Counts by key, bounded."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._counts: OrderedDict[str, Count] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    def value(self, key: str, at: float) -> float:
        count = self._counts.get(key)
        return 0.0 if count is None else count.now(at)

    def count(self, key: str) -> Count:
        """The count of ``key``, made if need be and now the youngest."""
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = Count()
            if len(self._counts) > self._size:
                self._counts.popitem(last=False)
        else:
            self._counts.move_to_end(key)
        return count

    def forget(self, key: str) -> None:
        self._counts.pop(key, None)


class Throttle:
    """The three counts and the addresses known to be an owner's."""

    def __init__(
        self, clock: Clock, *, free: int = 4, max_delay_s: float = 15.0, account_delay_s: float = 3.0
    ) -> None:
        self._clock = clock
        self._free = free
        self._max_delay_s = max_delay_s
        self._account_delay_s = account_delay_s
        self._key = secrets.token_bytes(16)
        self._addresses = Table(MAX_ADDRESSES)
        self._networks = Table(MAX_ADDRESSES)
        self._accounts = Table(MAX_ACCOUNTS)
        self._pairs = Table(MAX_ADDRESSES)
        self._known: OrderedDict[str, float] = OrderedDict()

    def delay(self, address: str, name: str) -> float:
        """Seconds to wait before a password of ``name`` from ``address`` is looked at; 0 mostly."""
        at = self._clock.monotonic()
        here, network = blocks(address)
        pair = f"{here} {name}"
        known = self._known.get(pair)
        if known is not None and at - known < KNOWN_S:
            return self._steps(self._pairs.value(pair, at) / KNOWN_PATIENCE, self._account_delay_s)
        by_account = self._steps(self._accounts.value(name, at), self._account_delay_s)
        if is_local(here):
            return by_account
        by_address = self._addresses.value(here, at)
        by_network = self._networks.value(network, at) / NETWORK_PATIENCE
        return max(self._steps(max(by_address, by_network), self._max_delay_s), by_account)

    def failed(self, address: str, name: str, secret: str = "") -> bool:
        """Counts a wrong ``secret`` (empty when there was none to see); False if it was no new guess."""
        at = self._clock.monotonic()
        here, network = blocks(address)
        pair = self._pairs.count(f"{here} {name}")
        if secret:
            seen = hashlib.blake2b(secret.encode(), digest_size=8, key=self._key).digest()
            if seen == pair.last:
                return False
            pair.last = seen
        for count in (
            pair,
            self._addresses.count(here),
            self._networks.count(network),
            self._accounts.count(name),
        ):
            count.add(at)
        return True

    def succeeded(self, address: str, name: str) -> None:
        """The address is an owner's from now on; its own failures on this account are forgiven."""
        here, _ = blocks(address)
        pair = f"{here} {name}"
        self._known[pair] = self._clock.monotonic()
        self._known.move_to_end(pair)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        self._pairs.forget(pair)

    def _steps(self, failures: float, longest_s: float) -> float:
        over = failures - self._free
        if over < 0 or failures <= 0:
            return 0.0
        return min(float(FIRST_DELAY_S * 2 ** min(over, 32.0)), longest_s)


def is_local(block: str) -> bool:
    """Whether what `blocks` gave first is this machine."""
    return block.startswith("127.") or block in ("::/64", "unix", "memory")


def blocks(address: str) -> tuple[str, str]:
    """What counts as one address, and as one network; text that is no IP address is both."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address, address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return (
                str(ipaddress.IPv6Network((int(ip), 64), strict=False)),
                str(ipaddress.IPv6Network((int(ip), 48), strict=False)),
            )
        ip = ip.ipv4_mapped
    return str(ip), str(ipaddress.IPv4Network((int(ip), 24), strict=False))
