"""Who is sent away by name: clients by network, and those who did not log in by HELO name or sender.

The lists are `[policy.refuse]`.  An address of this machine is never refused as a client.
RFC 5321 3.1 (554 in place of the greeting), 4.2.2.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from quintet import log
from quintet.delivery import acting, matching
from quintet.delivery.checks import Check
from quintet.net.limits import LOOPBACK, Networks
from quintet.policy import outcomes

if TYPE_CHECKING:
    from quintet.config.policy import Refuse
    from quintet.delivery.envelope import Envelope
    from quintet.delivery.verdict import Verdict
    from quintet.net.seam import Peer

MACHINE = Networks(LOOPBACK)

logger = log.get("policy")


class Refusing(Check):
    """See the module.  Each method raises `outcomes.Refusal`."""

    def __init__(self, config: Refuse) -> None:
        self._clients = Networks(config.clients)
        self._senders = matching.addresses(config.senders)
        names = "|".join(matching.pattern(each) for each in config.helo)
        self._helo = re.compile(names, re.DOTALL) if names else None
        self._text = config.text

    def connect(self, peer: Peer, verdict: Verdict) -> None:
        if peer.address in self._clients and peer.address not in MACHINE:
            self._refuse(peer, "client", peer.address)

    def mail(self, envelope: Envelope, verdict: Verdict) -> None:
        """HELO names as well: who refused at HELO would not know yet who logs in."""
        peer, sender = envelope.peer, envelope.sender
        if envelope.identity is not None or peer.user or acting.welcome(verdict):
            return
        if self._helo is not None and self._helo.fullmatch(envelope.helo.lower()):
            self._refuse(peer, "helo", envelope.helo)
        if matching.address_fits(self._senders, sender):
            self._refuse(peer, "sender", str(sender) or "<>")

    def _refuse(self, peer: Peer, which: str, name: str) -> None:
        logger.info("refused by list", conn=peer.id, address=peer.address, list=which, name=name)
        raise outcomes.Refusal(outcomes.refuse(self._text))
