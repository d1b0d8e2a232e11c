"""In front of every check: the throttle's delays; behind it: one log line and one count each.

Knows nothing of secrets and accounts; what delays are right is `auth.throttle`'s.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from prometheus_client import Counter

from quintet import log, metrics
from quintet.auth import throttle
from quintet.auth.identity import Identity
from quintet.clock import Clock
from quintet.config.auth import Auth
from quintet.errors import Reason, Refused, TryLater
from quintet.net.seam import Peer

MAX_WAITING = 2000  # delayed logins in one process; beyond it everybody who must wait is told to come later

logger = log.get("auth")

_counters: dict[tuple[str, str], Counter] = {}  # looking a labelled counter up costs more than counting


def count(scope: str, result: str) -> None:
    """Adds one to the metric of logins."""
    counter = _counters.get((scope, result))
    if counter is None:
        counter = _counters[scope, result] = metrics.LOGINS.labels(scope, result)
    counter.inc()


class Gate:
    """One a process; those with the same ``run`` and ``key`` count together."""

    def __init__(
        self,
        config: Auth,
        clock: Clock,
        sleep: Callable[[float], Awaitable[object]],
        *,
        run: Path | None = None,
        key: bytes = b"",
    ) -> None:
        self._max_waiting = config.max_waiting
        self._sleep = sleep
        self._throttle = throttle.Throttle(
            clock,
            free=config.free_failures,
            max_delay_s=config.max_delay_s,
            account_delay_s=config.account_delay_s,
            run=run,
            key=key,
        )
        self._waiting: dict[str, int] = {}  # by address; no entry is 0
        self._waiting_total = 0

    async def hold(self, peer: Peer, login: str, scope: str) -> None:
        """Waits as long as the throttle says, mostly not at all.

        Raises TryLater(THROTTLED) when too many logins of the address, or of all, wait already.
        """
        delay_s = self._throttle.delay(peer.address, login)
        if delay_s == 0:
            return
        address = throttle.blocks(peer.address)[0]
        waiting = self._waiting.get(address, 0)
        local = throttle.is_local(address)
        if (waiting >= self._max_waiting and not local) or self._waiting_total >= MAX_WAITING:
            count(scope, "throttled")
            logger.warning("login throttled", conn=peer.id, address=peer.address, account=login, scope=scope)
            raise TryLater(Reason.THROTTLED)
        self._waiting[address] = waiting + 1
        self._waiting_total += 1
        try:
            await self._sleep(delay_s)
        finally:
            self._waiting_total -= 1
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]

    def failed(
        self, peer: Peer, login: str, scope: str, mechanism: str, *, secret: str = "", guess: bool = True
    ) -> Refused:
        """Counts, logs, and gives the refusal to raise; ``guess`` if a secret was wrong."""
        if guess:
            self._throttle.failed(peer.address, login, secret)
        count(scope, "failed")
        logger.info(
            "login failed",
            conn=peer.id,
            address=peer.address,
            account=login,
            scope=scope,
            mechanism=mechanism,
            tls=_under(peer),
        )
        return Refused(Reason.AUTH_FAILED)

    def refused(self, peer: Peer, login: str, scope: str, reason: Reason) -> None:
        """Counts and logs somebody who proved to be ``login`` and may not enter all the same."""
        count(scope, "refused")
        logger.info(
            "login refused",
            conn=peer.id,
            address=peer.address,
            account=login,
            scope=scope,
            reason=reason.value,
        )

    def forget(self, name: str) -> None:
        """Forgives the failed logins of an address, a network or an account."""
        self._throttle.forget(name)

    def known(self, address: str, login: str) -> None:
        """Notes that ``login`` was used rightly from ``address``."""
        self._throttle.succeeded(address, login)

    def entered(self, peer: Peer, login: str, identity: Identity) -> None:
        """Counts and logs a success; the address is an owner's from now on."""
        self._throttle.succeeded(peer.address, login)
        count(identity.scope, "ok")
        logger.info(
            "login",
            conn=peer.id,
            address=peer.address,
            account=identity.name,
            scope=identity.scope,
            mechanism=identity.mechanism,
            app=identity.app,
            master=identity.master,
            tls=_under(peer),
        )


def _under(peer: Peer) -> str:
    """The TLS version and cipher, which RFC 8314 4 wants logged; "" for a clear connection."""
    return "" if peer.tls is None else str(peer.tls)
