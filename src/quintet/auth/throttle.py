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

All tables are bounded; the least count, or the oldest mark, is forgotten.  Workers that are given the same
folder count together, and go on with their counts after a restart.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import secrets
from pathlib import Path

from quintet.clock import Clock
from quintet.store.slots import Slots

HALF_LIFE_S = 300.0
KNOWN_S = 30 * 86400.0
SEEN_S = 86400.0  # a wrong password is known again for so long after it came last
FIRST_DELAY_S = 0.5
NETWORK_PATIENCE = 20  # failures of a network count as one of an address
KNOWN_PATIENCE = 3  # a known address may fail so many times more before it waits
MAX_ADDRESSES = 50_000  # 16 bytes each
MAX_ACCOUNTS = 20_000
MAX_KNOWN = 50_000


class Table:
    """Failures by key, decaying.

    A count is kept as the moment at which it will have decayed to one: a single number, which the table
    that workers share holds in one piece.
    """

    def __init__(self, size: int, path: Path | None = None) -> None:
        self._slots = Slots(size, path)

    def __len__(self) -> int:
        return self._slots.count()

    def value(self, key: str, at: float) -> float:
        one_at = self._slots.get(key)
        if one_at == 0.0:
            return 0.0
        # rounded, because seconds since 1970 have no room for more; never more than a clock set back allows
        return round(2 ** min((one_at - at) / HALF_LIFE_S, 32.0), 6)

    def add(self, key: str, at: float) -> None:
        self._slots.put(key, at + HALF_LIFE_S * math.log2(self.value(key, at) + 1))

    def forget(self, key: str) -> None:
        self._slots.drop(key)


class Throttle:
    """The three counts and the addresses known to be an owner's.

    ``run`` is the folder that workers share, ``key`` (which they share too) hides wrong secrets there.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        free: int = 4,
        max_delay_s: float = 15.0,
        account_delay_s: float = 3.0,
        run: Path | None = None,
        key: bytes = b"",
    ) -> None:
        self._clock = clock
        self._free = free
        self._max_delay_s = max_delay_s
        self._account_delay_s = account_delay_s
        self._key = key or secrets.token_bytes(16)

        def path(name: str) -> Path | None:
            return run / f"counts.login.{name}" if run is not None else None

        self._addresses = Table(MAX_ADDRESSES, path("addresses"))
        self._networks = Table(MAX_ADDRESSES, path("networks"))
        self._accounts = Table(MAX_ACCOUNTS, path("accounts"))
        self._pairs = Table(MAX_ADDRESSES, path("pairs"))
        self._known = Slots(MAX_KNOWN, path("known"))
        self._seen = Slots(MAX_ADDRESSES, path("seen"))

    def delay(self, address: str, name: str) -> float:
        """Seconds to wait before a password of ``name`` from ``address`` is looked at; 0 mostly."""
        at = self._now()
        here, network = blocks(address)
        pair = f"{here} {name}"
        known = self._known.get(pair)
        if known and at - known < KNOWN_S:
            return self._steps(self._pairs.value(pair, at) / KNOWN_PATIENCE, self._account_delay_s)
        by_account = self._steps(self._accounts.value(name, at), self._account_delay_s)
        if is_local(here):
            return by_account
        by_address = self._addresses.value(here, at)
        by_network = self._networks.value(network, at) / NETWORK_PATIENCE
        return max(self._steps(max(by_address, by_network), self._max_delay_s), by_account)

    def failed(self, address: str, name: str, secret: str = "") -> bool:
        """Counts a wrong ``secret`` (empty when there was none to see); False if it was no new guess."""
        at = self._now()
        here, network = blocks(address)
        pair = f"{here} {name}"
        if secret and self._again(pair, secret, at):
            return False
        self._pairs.add(pair, at)
        self._addresses.add(here, at)
        self._networks.add(network, at)
        self._accounts.add(name, at)
        return True

    def _again(self, pair: str, secret: str, at: float) -> bool:
        """Whether that wrong secret was tried there before; notes it."""
        text = f"{pair}\0{secret}".encode("utf-8", "surrogatepass")
        hidden = hashlib.blake2b(text, digest_size=16, key=self._key).hexdigest()
        seen = self._seen.get(hidden)
        self._seen.put(hidden, at)
        return bool(seen) and abs(at - seen) < SEEN_S

    def succeeded(self, address: str, name: str) -> None:
        """The address is an owner's from now on; its own failures on this account are forgiven."""
        here, _ = blocks(address)
        pair = f"{here} {name}"
        self._known.put(pair, self._now())
        self._pairs.forget(pair)

    def forget(self, name: str) -> None:
        """Forgives the failures of an address, a network or an account; knows nothing else of them."""
        for table in (self._addresses, self._networks, self._accounts):
            table.forget(name)

    def _now(self) -> float:
        """Seconds since 1970: what workers share outlives them."""
        return self._clock.now() / 1000

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
