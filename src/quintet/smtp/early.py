"""Hosts that were met before and take EHLO, and STARTTLS, along with the connection (Exim's PIPECONNECT).

What a host offered is believed for a day, by name and address; whoever finds it otherwise forgets it and
begins again without.  Two round trips less in a session that goes under TLS, one in another.
"""

from __future__ import annotations

from collections import OrderedDict

from quintet.clock import Clock
from quintet.delivery.transport import Hop
from quintet.smtp.heard import Offers

WORD = "PIPECONNECT"
MAX_MET = 10_000  # hosts
KEEP_S = 86_400.0

_Key = tuple[str, str, int, str, str, tuple[str, ...]]


class Met:
    """One a process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hosts: OrderedDict[_Key, tuple[bool, float]] = OrderedDict()

    def begins(self, hop: Hop, *, wants_tls: bool) -> tuple[str, ...] | None:
        """What may be said with the connection besides EHLO; None: not even that."""
        known = self._hosts.get(_key(hop)) if hop.pipe_connect else None
        if known is None or known[1] < self._clock.monotonic():
            return None
        return ("STARTTLS",) if known[0] and wants_tls else ()

    def note(self, hop: Hop, offers: Offers) -> None:
        """What the host offered first, in clear unless TLS came before everything."""
        self.forget(hop)
        if hop.pipe_connect and WORD in offers and "PIPELINING" in offers:
            self._hosts[_key(hop)] = "STARTTLS" in offers, self._clock.monotonic() + KEEP_S
            if len(self._hosts) > MAX_MET:
                self._hosts.popitem(last=False)

    def forget(self, hop: Hop) -> None:
        self._hosts.pop(_key(hop), None)


def _key(hop: Hop) -> _Key:
    """What a host offers may depend on who asks."""
    return hop.host, hop.address, hop.port, hop.helo, hop.source, hop.sources
