"""Who a connection belongs to: the peers of the configuration, by address, certificate and account.

Host names among the addresses are resolved when the service starts and now and then after; until then a peer
that is known by name only is not recognised.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence

from cryptography import x509

from quintet import log
from quintet.config.peers import Peer
from quintet.errors import Problem

LOOK_UP_S = 15.0  # one name
AGAIN_S = 1800.0  # between two looks

logger = log.get("peers")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Peers:
    """All of them; one a process."""

    def __init__(self, configured: Sequence[Peer]) -> None:
        self.all = tuple(configured)
        self._networks: list[tuple[Network, Peer]] = []
        self._names: list[tuple[str, Peer]] = []
        self._resolved: dict[str, Peer] = {}
        self._by_certificate: dict[str, Peer] = {}
        self._by_account: dict[str, Peer] = {}
        self.connections: dict[str, int] = {}  # by name of peer, to us
        self._task: asyncio.Task[None] | None = None
        for peer in self.all:
            for word in peer.addresses:
                try:
                    self._networks.append((ipaddress.ip_network(word, strict=False), peer))
                except ValueError:
                    self._names.append((word, peer))
            for name in peer.certificates:
                self._by_certificate[name.lower()] = peer
            for name in peer.accounts:
                self._by_account[name.lower()] = peer
        self._networks.sort(key=lambda each: -each[0].prefixlen)  # the narrowest network decides

    def named(self, name: str) -> Peer | None:
        return next((peer for peer in self.all if peer.name == name), None)

    def of_address(self, address: str) -> Peer | None:
        """Who connects from there."""
        if not self._networks and not self._resolved:
            return None
        try:
            place = ipaddress.ip_address(address)
        except ValueError:
            return None
        mapped = getattr(place, "ipv4_mapped", None)
        place = mapped or place
        for network, peer in self._networks:
            if place in network:
                return peer
        return self._resolved.get(str(place))

    def of_account(self, name: str) -> Peer | None:
        return self._by_account.get(name.lower())

    def of_certificate(self, der: bytes) -> Peer | None:
        """Whose certificate it is, by its DNS names; it was verified already."""
        if not der or not self._by_certificate:
            return None
        try:
            found = x509.load_der_x509_certificate(der)
            names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            words = names.get_values_for_type(x509.DNSName)
        except (ValueError, x509.ExtensionNotFound):
            return None
        return next((peer for word in words if (peer := self._by_certificate.get(word.lower()))), None)

    # --- names -------------------------------------------------------------------------------

    def start(self) -> None:
        """Begins to resolve the names."""
        if self._names and self._task is None:
            self._task = asyncio.create_task(self._look_up(), name="peers")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _look_up(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            for name, peer in self._names:
                try:
                    async with asyncio.timeout(LOOK_UP_S):
                        found = await loop.getaddrinfo(name, None)
                except (OSError, TimeoutError, Problem, UnicodeError) as error:
                    logger.warning("peer not resolved", peer=peer.name, host=name, text=str(error))
                    continue
                for each in found:
                    self._resolved[str(each[4][0])] = peer
            await asyncio.sleep(AGAIN_S)
