"""Policy services among the checks, `[[policy.service]]`: what they are told, and what they say.

The protocol is Postfix's SMTPD_POLICY_README: lines ``name=value``, a blank one, and ``action=...`` for an
answer.  Connections are kept for the next question.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING

from quintet import log
from quintet.delivery import acting
from quintet.delivery.accesschecks import Whom
from quintet.delivery.checks import Check, Later
from quintet.errors import Hangup, Reason, TryLater
from quintet.net.client import Client
from quintet.net.limits import LOOPBACK, Networks
from quintet.policy import acts

if TYPE_CHECKING:
    from quintet.config.access import Service
    from quintet.delivery.clientname import ClientNames
    from quintet.delivery.envelope import Envelope, Recipient
    from quintet.delivery.inbound import Passage
    from quintet.delivery.verdict import Verdict
    from quintet.policy.acts import Act

MAX_IDLE = 5  # connections kept for one service
MAX_LINES = 100  # of one answer
MAX_VALUE = 2000  # characters of one attribute

STATES = {"recipient": "RCPT", "data": "DATA", "end": "END-OF-MESSAGE"}

logger = log.get("policy")


class _Desk:
    """One service and the connections to it."""

    def __init__(self, config: Service, trusted: Networks) -> None:
        self.config, self.whom = config, Whom(config.who, config.only, trusted)
        self._idle: list[Client] = []
        # a reload makes others; whoever drops these tells nobody
        weakref.finalize(self, close, self._idle).atexit = False

    async def ask(self, told: bytes) -> Act:
        """Its answer; `acts.NOTHING` where it gives none and mail shall pass.  Raises TryLater."""
        try:
            return await self._asked(told)
        except (Hangup, ValueError) as error:
            logger.warning("policy service fails", address=self.config.address, text=str(error))
            if self.config.on_failure == "defer":
                raise TryLater(Reason.BUSY, "A policy service does not answer") from error
        return acts.NOTHING

    def close(self) -> None:
        """No connection is kept any more."""
        close(self._idle)

    async def _asked(self, told: bytes) -> Act:
        while self._idle:
            client = self._idle.pop()
            if client.closed or client.unread:
                client.abort()
                continue
            try:
                return await self._talk(client, told)
            except Hangup as error:
                if error.reason is Reason.TIMEOUT:
                    raise
                # it closed what was idle too long for it, as the question came
        host, port = self.config.place
        timeout_s = self.config.timeout_s
        return await self._talk(await Client.connect(host, port, timeout_s=timeout_s, bare_lf=True), told)

    async def _talk(self, client: Client, told: bytes) -> Act:
        try:
            await client.write(told)
            action = ""
            for _ in range(MAX_LINES):
                line = (await client.line()).decode("utf-8", "replace")
                if not line:
                    break
                name, _, value = line.partition("=")
                if name.strip() == "action":
                    action = value
            else:
                raise ValueError(f"an answer of more than {MAX_LINES} lines")
            if not action:
                raise ValueError("an answer without an action")
            act = acts.parse(action)
        except BaseException:  # also cancelled: the answer would be taken for the next one's
            client.abort()
            raise
        if len(self._idle) >= MAX_IDLE:
            close([self._idle.pop(0)])
        self._idle.append(client)
        return act


def close(clients: list[Client]) -> None:
    """Ends connections that nobody asks by."""
    while clients:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and they with it
            clients.pop().abort()


class Delegating(Check):
    """One a process, all services in their order."""

    def __init__(self, configured: Sequence[Service], trusted: Sequence[str], names: ClientNames) -> None:
        networks = Networks((*trusted, *LOOPBACK))
        self._desks = [_Desk(each, networks) for each in configured]
        self._names = names

    def close(self) -> None:
        """Lets the services go."""
        for desk in self._desks:
            desk.close()

    def _of(self, at: str, envelope: Envelope) -> list[_Desk]:
        return [one for one in self._desks if one.config.at == at and one.whom.concerns(envelope)]

    def rcpt(self, envelope: Envelope, recipient: Recipient, verdict: Verdict) -> Later:
        """See `Check`.  Awaited, raises Refused, TryLater."""
        desks = self._of("recipient", envelope)
        if not desks or acting.welcome(verdict, recipient):
            return None
        return self._ask(desks, envelope, verdict, recipient)

    def data(self, envelope: Envelope, verdict: Verdict) -> Later:
        """See `Check`.  Raises as `rcpt`."""
        desks = self._of("data", envelope)
        return self._ask(desks, envelope, verdict) if desks and not acting.welcome(verdict) else None

    def message(self, passage: Passage) -> Later:
        """See `Check`.  Raises as `rcpt`."""
        desks = self._of("end", passage.envelope)
        if not desks or acting.welcome(passage.verdict):
            return None
        return self._ask(desks, passage.envelope, passage.verdict, size=passage.content.size)

    async def _ask(
        self,
        desks: Sequence[_Desk],
        envelope: Envelope,
        verdict: Verdict,
        recipient: Recipient | None = None,
        size: int = 0,
    ) -> None:
        await self._names.of(envelope.peer)
        instance = f"{envelope.peer.id}.{acting.begun(verdict).number}"  # who counts recipients wants it
        for desk in desks:
            act = await desk.ask(question(desk.config, envelope, instance, recipient, size))
            if acting.take(act, envelope, verdict, desk.config.address, recipient):
                return


def question(
    config: Service, envelope: Envelope, instance: str, recipient: Recipient | None, size: int
) -> bytes:
    """All that is known, in the order of SMTPD_POLICY_README."""
    peer, tls = envelope.peer, envelope.peer.tls
    named = [str(each.address) for each in envelope.recipients]
    one = str(recipient.address) if recipient is not None else named[0] if len(named) == 1 else ""
    account = envelope.identity.name if envelope.identity is not None else ""
    told = {
        "request": "smtpd_access_policy",
        "protocol_state": STATES[config.at],
        "protocol_name": envelope.protocol,
        "helo_name": envelope.helo,
        "queue_id": envelope.id,
        "sender": str(envelope.sender),
        "recipient": one,
        "recipient_count": str(len(named)) if recipient is None else "0",
        "client_address": peer.address,
        "client_name": str(peer.notes.get("name") or "unknown"),
        "reverse_client_name": str(peer.notes.get("reverse") or peer.notes.get("name") or "unknown"),
        "instance": instance,
        "sasl_method": envelope.identity.mechanism.lower() if envelope.identity is not None else "",
        "sasl_username": account,
        "sasl_sender": envelope.wishes.submitter,
        "size": str(size or envelope.size),
        "encryption_protocol": tls.version if tls is not None else "",
        "encryption_cipher": tls.cipher if tls is not None else "",
        "encryption_keysize": str(tls.bits if tls is not None else 0),
        "client_port": str(peer.port),
        "policy_context": config.context,
        "server_address": peer.local_address,
        "server_port": str(peer.local_port),
    }
    lines = [f"{name}={_one_line(value)}\n" for name, value in told.items()]
    return "".join([*lines, "\n"]).encode("utf-8", "replace")


def _one_line(value: str) -> str:
    return "".join(char if char.isprintable() else " " for char in value)[:MAX_VALUE]
