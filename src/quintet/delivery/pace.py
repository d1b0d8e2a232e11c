"""Rates as a check: who is counted when, what a client hears, what an administrator is told.

By address and network (of those who did not log in), by account, by the sender's and the recipient's domain.
LMTP is not counted: the host in front of us is no suspect.  What a bucket is, is `policy.rates`'.  RFC 5321
4.5.3.1.10 and 4.2.1: "later" is always a 4yz; RFC 3463 3.8 (4.7.1).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING

from quintet import log, metrics
from quintet.clock import Clock
from quintet.delivery.checks import Check
from quintet.errors import Reason, TryLater
from quintet.net.limits import LOOPBACK, Networks, address_key, network_key
from quintet.policy import rates
from quintet.policy.rates import Meter, Rates
from quintet.store import trace
from quintet.store.model import AccountId

if TYPE_CHECKING:
    from quintet.auth.service import Identity
    from quintet.delivery.envelope import Envelope, Mailbox, Recipient
    from quintet.delivery.inbound import Passage
    from quintet.delivery.verdict import Verdict
    from quintet.errors import Problem
    from quintet.net.seam import Peer
    from quintet.store.store import Store

ALERT_S = 3600.0  # between two warnings about one account and rate
MAX_ALERTED = 1000  # accounts whose last warning is remembered

_GUESSED = frozenset(
    (
        Reason.NO_SUCH_ADDRESS,
        Reason.NO_SUCH_ACCOUNT,
        Reason.NO_SUCH_DOMAIN,
        Reason.NO_MAIL,
        Reason.RELAY_DENIED,
    )
)
_WORDS = {
    "connections": "Too many connections",
    "messages": "Too many messages",
    "recipients": "Too many recipients",
    "bytes": "Too much mail",
    "failed": "Too many unknown recipients",
}
_WHO = {
    "address": "from your address",
    "network": "from your network",
    "account": "from your account",
    "sender": "from this sender's domain",
    "recipient": "for this recipient",
    "domain": "for this domain",
}

logger = log.get("policy")


class Pace(Check):
    """See the module.  Raises TryLater(THROTTLED) with the seconds to wait in its text."""

    def __init__(self, meters: Rates, store: Store, clock: Clock) -> None:
        self._clock, self._store = clock, store
        config, get = meters.config, meters.get
        self._exempt = Networks((*config.exempt, *LOOPBACK))
        self._exempt_accounts = frozenset(name.lower() for name in config.exempt_accounts)
        self._alert = config.account_alert
        self._alerted: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._failed = get("address_failed")
        # rows of meters: what is counted by address, network, account, sender's domain
        self._connections = get("address_connections"), get("network_connections")
        self._messages = _Row(meters, "messages")
        self._recipients = _Row(meters, "recipients")
        self._bytes = _Row(meters, "bytes")
        self._to, self._to_domain = get("recipient_messages"), get("domain_recipients")

    def connect(self, peer: Peer, verdict: Verdict) -> None:
        keys = self._keys(peer)
        if keys is None:
            return
        wanted = [(meter, key, 1.0) for meter, key in zip(self._connections, keys, strict=True) if meter]
        self._use(wanted, peer)

    def mail(self, envelope: Envelope, verdict: Verdict) -> None:
        if envelope.protocol == "LMTP":
            return
        wanted = self._uses(self._messages, envelope, 1.0)
        if envelope.size:
            for meter, key, size in self._uses(self._bytes, envelope, float(envelope.size)):
                self._check(meter, key, size, envelope.peer, envelope.identity)
        self._use(wanted, envelope.peer, envelope.identity)

    def asked(self, envelope: Envelope, address: Mailbox) -> None:
        """Who tried too many addresses that are not there learns nothing about this one."""
        if self._failed is None or envelope.identity is not None or envelope.protocol == "LMTP":
            return
        keys = self._keys(envelope.peer)
        if keys is not None:
            self._check(self._failed, keys[0], 1.0, envelope.peer, None)

    def refused(self, envelope: Envelope, address: Mailbox, problem: Problem) -> None:
        if self._failed is None or envelope.identity is not None or problem.reason not in _GUESSED:
            return
        keys = self._keys(envelope.peer)
        if keys is not None and envelope.protocol != "LMTP":
            self._failed.take(keys[0], self._now())

    def rcpt(self, envelope: Envelope, recipient: Recipient, verdict: Verdict) -> None:
        if envelope.protocol == "LMTP":
            return
        wanted = self._uses(self._recipients, envelope, 1.0)
        address = recipient.address
        if (self._to is not None or self._to_domain is not None) and not self._free(envelope):
            if self._to is not None:
                wanted.append((self._to, f"{address.local.lower()}@{address.domain}", 1.0))
            if self._to_domain is not None:
                wanted.append((self._to_domain, address.domain, 1.0))
        self._use(wanted, envelope.peer, envelope.identity)

    def message(self, passage: Passage) -> None:
        envelope = passage.envelope
        if envelope.protocol != "LMTP":
            wanted = self._uses(self._bytes, envelope, float(passage.content.size))
            self._use(wanted, envelope.peer, envelope.identity)

    # --- whose bucket ----------------------------------------------------------------------------

    def _uses(self, row: _Row, envelope: Envelope, amount: float) -> list[rates.Use]:
        """The buckets of one kind that a transaction draws from."""
        identity = envelope.identity
        if identity is not None:
            if row.account is None or identity.name.lower() in self._exempt_accounts:
                return []
            return [(row.account, identity.name.lower(), amount)]
        if not row.strangers:
            return []
        keys = self._keys(envelope.peer)
        if keys is None:
            return []
        wanted: list[rates.Use] = []
        if row.address is not None:
            wanted.append((row.address, keys[0], amount))
        if row.network is not None:
            wanted.append((row.network, keys[1], amount))
        if row.sender is not None and envelope.sender.domain:
            wanted.append((row.sender, envelope.sender.domain, amount))
        return wanted

    def _free(self, envelope: Envelope) -> bool:
        """Not counted at all."""
        if envelope.identity is not None:
            return envelope.identity.name.lower() in self._exempt_accounts
        return self._keys(envelope.peer) is None

    def _keys(self, peer: Peer) -> tuple[str, str] | None:
        """Address and network as they are counted; None: not at all (this machine, exempt networks)."""
        keys: tuple[str, tuple[str, str] | None] | None = peer.notes.get("pace")
        if keys is None or keys[0] != peer.address:  # XCLIENT changes it
            counted = peer.address not in self._exempt and any(mark in peer.address for mark in ".:")
            found = (address_key(peer.address), network_key(peer.address)) if counted else None
            keys = peer.notes["pace"] = peer.address, found
        return keys[1]

    # --- counting --------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._clock.now() / 1000

    def _use(self, wanted: list[rates.Use], peer: Peer, identity: Identity | None = None) -> None:
        if not wanted:
            return
        now = self._now()
        full = rates.use(wanted, now)
        if full is not None:
            raise self._later(*full, peer, identity)
        if identity is not None:
            for meter, name, _ in wanted:
                if meter.name.startswith("account") and meter.used(name, now) >= self._alert * meter.limit:
                    self._warn(meter, name, identity, peer, now)

    def _check(self, meter: Meter, name: str, amount: float, peer: Peer, identity: Identity | None) -> None:
        """Looks, and takes nothing."""
        wait_s = meter.wait(name, self._now(), amount)
        if wait_s > 0:
            raise self._later(meter, name, wait_s, peer, identity)

    def _later(
        self, meter: Meter, name: str, wait_s: float, peer: Peer, identity: Identity | None
    ) -> TryLater:
        who, _, what = meter.name.partition("_")
        metrics.RATED.labels(meter.name).inc()
        logger.info(
            "rate exceeded",
            conn=peer.id,
            address=peer.address,
            rate=meter.name,
            name=name,
            limit=meter.limit,
            wait_s=math.ceil(wait_s),
        )
        if identity is not None and who == "account":
            self._warn(meter, name, identity, peer, self._now())
        words = f"{_WORDS[what]} {_WHO[who]}, try again in {max(1, math.ceil(wait_s))} s"
        return TryLater(Reason.THROTTLED, words)

    def _warn(self, meter: Meter, name: str, identity: Identity, peer: Peer, now: float) -> None:
        """An account that sends so much may be in a thief's hands: said once an hour."""
        key = meter.name, name
        last = self._alerted.get(key)
        if last is not None and 0 <= now - last < ALERT_S:
            return
        self._alerted[key] = now
        self._alerted.move_to_end(key)
        if len(self._alerted) > MAX_ALERTED:
            self._alerted.popitem(last=False)
        metrics.ALERTS.labels(meter.name).inc()
        facts = {
            "rate": meter.name,
            "used": round(meter.used(name, now)),
            "limit": meter.limit,
            "window_s": meter.window_s,
            "address": peer.address,
        }
        logger.warning("account near its limit", conn=peer.id, account=identity.name, **facts)
        self._store.later(
            trace.add, self._clock.now(), peer.id, "limit", AccountId(identity.account_id), detail=facts
        )


class _Row:
    """One kind of thing, counted by whom."""

    __slots__ = ("account", "address", "network", "sender", "strangers")

    def __init__(self, meters: Rates, what: str) -> None:
        self.address = meters.get(f"address_{what}")
        self.network = meters.get(f"network_{what}")
        self.account = meters.get(f"account_{what}")
        self.sender = meters.get(f"sender_{what}")
        self.strangers = self.address is not None or self.network is not None or self.sender is not None
