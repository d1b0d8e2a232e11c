"""The way of a message in, as a visible list of steps; any protocol that takes mail calls it.

At MAIL and RCPT: `Inbound.sender` and `Inbound.recipient` say at once what can be known then, so that
nothing is bounced later.  With the bytes there: `Inbound.accept` runs ``STEPS`` in order.  A step reads and
writes one `Passage`; checks (SPF, DKIM, ...) add to its verdict and its trace fields, filters replace
decisions.  When `accept` returns, all is flushed to disk.  RFC 5321 3.6, 4.2.5, 6.1 to 6.3.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from prometheus_client import Counter

from quintet import log, metrics
from quintet.clock import Clock
from quintet.config.smtp import Smtp
from quintet.delivery import filing, stamp
from quintet.delivery.directory import Directory
from quintet.delivery.envelope import Envelope, Mailbox, Recipient
from quintet.errors import Problem, Reason, Refused, TryLater
from quintet.store.content import Content
from quintet.store.store import Store

logger = log.get("delivery")


@dataclass(slots=True)
class Verdict:
    """What the checks found; the words of RFC 8601 2.7 by method ("spf": "pass")."""

    results: dict[str, str] = field(default_factory=dict)
    score: float = 0.0


@dataclass(slots=True)
class Passage:
    """One message on its way through the steps."""

    inbound: Inbound
    envelope: Envelope
    content: Content
    now: int
    each: bool  # the protocol tells each recipient's outcome
    verdict: Verdict = field(default_factory=Verdict)
    fields: list[bytes] = field(default_factory=list)  # trace fields besides ours, whole lines, top first
    decisions: list[filing.Decision] = field(default_factory=list)  # one a recipient, in the order of RCPT
    outcomes: list[Problem | None] = field(default_factory=list)  # the same order; None: it is there


Step = Callable[[Passage], Awaitable[None]]
Check = Callable[[Passage], Awaitable[None]]
Filter = Callable[[Passage, int], Awaitable[filing.Decision | None]]


async def identify(passage: Passage) -> None:
    """Refuses what cannot go on: loops (RFC 5321 6.3)."""
    hops = 0
    for name, _ in passage.content.digest.headers:
        if len(name) == 8 and name.lower() == b"received":
            hops += 1
    if hops > passage.inbound.config.max_hops:
        raise Refused(Reason.LOOP)


async def verify(passage: Passage) -> None:
    """Runs the checks of the sender: SPF, DKIM, DMARC, ARC, lists, scoring; in the order given."""
    for check in passage.inbound.checks:
        await check(passage)


async def decide(passage: Passage) -> None:
    """Decides for each recipient; the first filter with an opinion wins over the Inbox."""
    filters = passage.inbound.filters
    for number, recipient in enumerate(passage.envelope.recipients):
        decision: filing.Decision | None = None
        for each in filters:
            decision = await each(passage, number)
            if decision is not None:
                break
        passage.decisions.append(decision or filing.usual(recipient))


async def file(passage: Passage) -> None:
    """Puts everything where it belongs, in one transaction for all recipients."""
    inbound, envelope = passage.inbound, passage.envelope
    received = stamp.received(envelope, inbound.hostname, passage.now)
    work = filing.Work(
        envelope=envelope,
        content=passage.content,
        decisions=passage.decisions,
        received=b"".join(passage.fields) + received,
        now=passage.now,
        expires_at=inbound.expires_at(envelope, passage.now),
        each=passage.each,
    )
    try:
        passage.outcomes = await inbound.store.write(filing.file, work)
    except (Refused, TryLater) as problem:
        if problem.reason not in filing.ONE_RECIPIENT:
            raise
        inbound.directory.forget()
        passage.outcomes = await inbound.store.write(filing.file, replace(work, careful=True))


async def notify(passage: Passage) -> None:
    """Tells those who count; who waits for the folder or the queue was woken by the store."""
    envelope = passage.envelope
    passage.inbound.counted(envelope.protocol)
    for decision, problem in zip(passage.decisions, passage.outcomes, strict=True):
        _RESULTS[type(decision) if problem is None else filing.Reject].inc()
    logger.info(
        "accepted",
        conn=envelope.peer.id,
        id=envelope.id,
        size=passage.content.size,
        recipients=len(envelope.recipients),
    )


_RESULTS: dict[type[filing.Decision], Counter] = {
    filing.File: metrics.MAIL_TO.labels("filed"),
    filing.Send: metrics.MAIL_TO.labels("queued"),
    filing.Discard: metrics.MAIL_TO.labels("discarded"),
    filing.Reject: metrics.MAIL_TO.labels("refused"),
}

STEPS: tuple[Step, ...] = (identify, verify, decide, file, notify)


class Inbound:
    """One a process, shared by all who take mail.

    ``checks`` and ``filters`` are the places for verification and for scripts.
    """

    def __init__(
        self,
        store: Store,
        config: Smtp,
        *,
        hostname: str,
        clock: Clock,
        directory: Directory | None = None,
        expire_s: float = 5 * 86400.0,
        expire_report_s: float = 86400.0,
        steps: Sequence[Step] = STEPS,
        checks: Sequence[Check] = (),
        filters: Sequence[Filter] = (),
    ) -> None:
        self.store, self.config, self.hostname, self.clock = store, config, hostname, clock
        self.directory = directory or Directory(store, clock, postmaster=config.postmaster, hostname=hostname)
        self.steps, self.checks, self.filters = tuple(steps), tuple(checks), tuple(filters)
        self._ids_of, self._ids = clock.token(5), itertools.count(1)
        self._counters: dict[str, Counter] = {}
        self._expire_ms = round(expire_s * 1000), round(expire_report_s * 1000)
        self._relay_domains = frozenset(name.lower() for name in config.relay_domains)
        self._relay_networks = [ipaddress.ip_network(each) for each in config.relay_networks]

    def new_id(self) -> str:
        """Names one message in Received, log and trace: random for the process, counted within it."""
        return f"{self._ids_of}{next(self._ids):06x}"

    def counted(self, protocol: str) -> None:
        """One more message taken, for the metrics."""
        counter = self._counters.get(protocol)
        if counter is None:
            counter = self._counters[protocol] = metrics.MAIL_IN.labels(protocol)
        counter.inc()

    def expires_at(self, envelope: Envelope, now: int) -> int:
        """When mail that cannot leave is given back."""
        usual, report = self._expire_ms
        return now + (usual if envelope.sender else report)

    def sender(self, envelope: Envelope) -> None:
        """At MAIL: who logged in sends as themselves only (RFC 6409 6.1).  Raises Refused(SENDER_DENIED)."""
        identity = envelope.identity
        if identity is None or not self.config.check_sender or not envelope.sender:
            return
        if not self.directory.owns(identity.account_id, envelope.sender):
            raise Refused(Reason.SENDER_DENIED)

    def recipient(self, envelope: Envelope, address: Mailbox, *, local_only: bool = False) -> Recipient:
        """At RCPT: where mail for an address goes.  Never waits.

        ``local_only`` (LMTP) refuses everything that is not ours, whoever asks.

        Raises:
            Refused(NO_SUCH_ADDRESS): ours, and nobody has it.
            Refused(RELAY_DENIED): not ours, and the client may not send there.
            Refused(ACCOUNT_DISABLED), TryLater(OVER_QUOTA): there, but takes nothing now.
        """
        directory = self.directory
        found = directory.find(address, size=envelope.size, local_address=envelope.peer.local_address)
        if found is not None:
            return found
        if local_only or not self.may_relay(envelope, address):
            raise Refused(Reason.RELAY_DENIED)
        return Recipient(address)

    def may_relay(self, envelope: Envelope, address: Mailbox) -> bool:
        """The one place that decides about sending on: who logged in, trusted hosts, named domains."""
        if envelope.identity is not None:
            return True
        if address.domain in self._relay_domains:
            return True
        return bool(self._relay_networks) and self._trusted(envelope.peer.address)

    async def accept(
        self, envelope: Envelope, content: Content, *, each: bool = False
    ) -> list[Problem | None]:
        """Takes a message for all its recipients; when this returns it is on disk.

        One outcome a recipient, in order.  With ``each`` (LMTP) a problem may stand there, which concerns
        that recipient only; without, such a recipient is queued instead and tried again.

        Raises:
            Refused, TryLater: nothing was taken.
        """
        passage = Passage(self, envelope, content, self.clock.now(), each)
        for step in self.steps:
            await step(passage)
        return passage.outcomes

    def _trusted(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return any(ip in network for network in self._relay_networks if network.version == ip.version)
