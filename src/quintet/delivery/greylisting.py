"""Greylisting: who was never here hears "later" once; programs that do not come again are mostly spam's.

A network, a sender and a recipient that were never seen together wait; who came again in time is known, and
its network with it.  Moments stand in tables that all workers share and that outlive a restart.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from quintet import log
from quintet.clock import Clock
from quintet.config.policy import Greylist
from quintet.delivery import acting
from quintet.delivery.checks import Check
from quintet.net.limits import LOOPBACK, Networks, network_key
from quintet.policy import outcomes
from quintet.store.slots import Slots

if TYPE_CHECKING:
    from quintet.delivery.envelope import Envelope, Recipient
    from quintet.delivery.verdict import Verdict

DAY_S = 86_400.0

logger = log.get("policy")


class Greylisting(Check):
    """One a process; ``run`` is the folder of the shared tables."""

    def __init__(self, config: Greylist, trusted: list[str], run: Path, clock: Clock) -> None:
        self._config, self._clock = config, clock
        self._exempt = Networks((*trusted, *config.exempt, *LOOPBACK))
        self._first = Slots(config.table, run / "greylist.first")  # when somebody came first
        self._known = Slots(config.table, run / "greylist.known")  # until when a network is known

    def rcpt(self, envelope: Envelope, recipient: Recipient, verdict: Verdict) -> None:
        """See `Check`.  Raises `outcomes.Delay`."""
        peer, config = envelope.peer, self._config
        if envelope.identity is not None or peer.user or envelope.protocol == "LMTP":
            return
        if acting.welcome(verdict, recipient):
            return
        network = network_key(peer.address)
        if "/" not in network or peer.address in self._exempt:  # a socket has none
            return
        now = self._clock.now() / 1000
        if self._known.get(network) > now:
            self._known.put(network, now + config.known_days * DAY_S)
            return
        name = f"{network} {envelope.sender} {recipient.address}".lower()
        first = self._first.get(name)
        if not first or now - first > config.window_s or first > now:
            self._first.put(name, now)
            first = now
        wait_s = first + config.delay_s - now
        if wait_s <= 0:
            self._first.drop(name)
            self._known.put(network, now + config.known_days * DAY_S)
            logger.info("no longer greylisted", conn=peer.id, network=network)
            return
        logger.info("greylisted", conn=peer.id, sender=str(envelope.sender), recipient=str(recipient.address))
        text = f"Greylisted: please come again in {math.ceil(wait_s)} seconds"
        raise outcomes.Delay(outcomes.defer(text, 451, "4.7.1"))
