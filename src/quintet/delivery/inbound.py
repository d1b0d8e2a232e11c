"""The way of a message in, as a visible list of steps; any protocol that takes mail calls it.

At connection, hello, MAIL and RCPT: `Inbound.connected` to `Inbound.ready` say what can be known then, so
that nothing is bounced later.  With the bytes there: `Inbound.accept` runs ``STEPS`` in order.  A step reads
and writes one `Passage`; checks (SPF, DKIM, ...) add to its verdict, scores give points, filters replace
decisions: their places are typed in `delivery.checks`.  When `accept` returns, all is flushed to disk.
RFC 5321 3.6, 4.2.5, 6.1 to 6.3.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from prometheus_client import Counter

from quintet import log, metrics
from quintet.clock import Clock
from quintet.config.policy import Policy
from quintet.config.reports import Reports as ReportsConfig
from quintet.config.smtp import Smtp
from quintet.delivery import (
    authres,
    checks,
    expand,
    filing,
    lists,
    sorting,
    stamp,
    togroup,
    verdict,
    weighing,
)
from quintet.delivery.checks import Check, Filter, Later, Places, Probe, Score
from quintet.delivery.directory import Directory
from quintet.delivery.envelope import Envelope, Mailbox, Recipient
from quintet.delivery.names import Names
from quintet.delivery.reports import Reports
from quintet.delivery.verdict import Verdict
from quintet.errors import Problem, Reason, Refused, TryLater
from quintet.net.seam import Peer
from quintet.store import queue
from quintet.store.content import Content
from quintet.store.model import AccountId
from quintet.store.store import Store

if TYPE_CHECKING:
    from quintet.delivery.rewriting import Canonical

logger = log.get("delivery")


@dataclass(slots=True)
class Passage:
    """One message on its way through the steps."""

    inbound: Inbound
    envelope: Envelope
    content: Content
    now: int
    each: bool  # the protocol tells each recipient's outcome
    verdict: Verdict = field(default_factory=Verdict)  # begun at connection, by the early checks
    fields: list[bytes] = field(default_factory=list)  # trace fields besides ours, whole lines, top first
    decisions: list[filing.Decision] = field(default_factory=list)  # one a recipient, in the order of RCPT
    outcomes: list[Problem | None] = field(default_factory=list)  # the same order; None: it is there
    more: list[Recipient] = field(default_factory=list)  # nobody named them: copies, filters' wishes
    asked: Envelope | None = None  # as the client named the recipients, before aliases were followed
    of: list[int] = field(default_factory=list)  # for each recipient, which of ``asked`` it is of; -1: none
    work: filing.Work | None = None  # what the transaction does
    filing: asyncio.Future[list[Problem | None] | filing.Unsorted] | None = None  # and its outcome


Step = Callable[[Passage], Awaitable[Any] | None]
"""What comes back must be awaited, unless it is None; ``passage.filing`` itself is only waited for."""


def identify(passage: Passage) -> None:
    """Refuses what cannot go on: loops (RFC 5321 6.3)."""
    if passage.content.count(b"received") > passage.inbound.config.max_hops:
        raise Refused(Reason.LOOP)


def verify(passage: Passage) -> Later:
    """Runs the checks of the message: DKIM, ARC, DMARC, hooks, rates; in the order given."""
    return checks.run(passage.inbound.places.message, passage)


def weigh(passage: Passage) -> Later:
    """Adds up the points of checks and scores, and refuses what has too many."""
    if passage.inbound.scores:
        return _weigh(passage)
    if passage.verdict.points:
        weighing.refuse(passage)
    return None


async def _weigh(passage: Passage) -> None:
    for score in passage.inbound.scores:
        later = score(passage)
        if later is not None:
            await later
    if passage.verdict.points:
        weighing.refuse(passage)


def cleanse(passage: Passage) -> Later:
    """Removes results that claim to be ours and came from outside (RFC 8601 5)."""
    inbound = passage.inbound
    content = passage.content
    if (
        content.count(authres.NAME)
        and authres.claims(content.headers, inbound.authserv_id)
        and not inbound.trusts(passage.envelope.peer.address)
    ):
        return _cleanse(passage)
    return None


async def _cleanse(passage: Passage) -> None:
    passage.content = await weighing.without_foreign(passage)


def tell(passage: Passage) -> None:
    """Writes our own results and tags above the message."""
    verdict = passage.verdict
    if verdict.findings:
        passage.fields.append(authres.field(passage.inbound.authserv_id, verdict.findings))
    passage.fields += verdict.fields
    passage.fields += weighing.tags(passage)


def decide(passage: Passage) -> Later:
    """Decides for each recipient; the first filter with an opinion wins, then points, then the Inbox."""
    if passage.inbound.filters or passage.verdict.points:
        return _decide(passage)
    passage.decisions += map(filing.usual, passage.envelope.recipients)
    return None


async def _decide(passage: Passage) -> None:
    filters = passage.inbound.filters
    for number, recipient in enumerate(passage.envelope.recipients):
        decision: filing.Decision | None = None
        for each in filters:
            decision = await each(passage, number)
            if decision is not None:
                break
        if decision is None and passage.verdict.points:
            decision = await weighing.decide(passage, recipient)
        passage.decisions.append(decision or filing.usual(recipient))


def file(passage: Passage) -> Awaitable[Any]:
    """Puts everything where it belongs, in one transaction for all recipients."""
    inbound, envelope = passage.inbound, passage.envelope
    received = stamp.received(
        passage.asked or envelope,
        inbound.hostname,
        passage.now,
        hide=inbound.config.hide_client and envelope.identity is not None,
    )
    work = filing.Work(
        envelope=envelope,
        content=passage.content,
        decisions=passage.decisions,
        received=b"".join(passage.fields) + received,
        now=passage.now,
        expires_at=inbound.expires_at(envelope, passage.now),
        each=passage.each,
        rules=filing.Say.QUEUE if inbound.sorter is None else filing.Say.ASK,
    )
    passage.work = work
    asked = (passage.asked or envelope).recipients
    if inbound.reports.wanted(work, asked):
        return _file_and_report(passage, asked)
    if inbound.claims is not None and any(type(one) is filing.Send for one in passage.decisions):
        passage.filing = _file_and_claim(work, inbound.store, inbound.claims)
    else:
        fn, arguments = filing.call(work)
        passage.filing = inbound.store.submit(fn, *arguments)
    return passage.filing


def _file_and_claim(
    work: filing.Work, store: Store, claims: Claims
) -> asyncio.Future[list[Problem | None] | filing.Unsorted]:
    """What goes elsewhere is sent as soon as it is on the disk, if the runner has time for it."""
    claim = claims.claim()
    fn, arguments = filing.call(replace(work, claim=claim))
    written = store.submit(fn, *arguments)

    def taken(done: asyncio.Future[list[Problem | None] | filing.Unsorted]) -> None:
        if claim is None or not claim.taken:
            return
        if done.cancelled():  # whoever waited is gone: it is there all the same, most often
            claims.take_over(claim.taken, {})
        elif done.exception() is None:
            claims.take_over(claim.taken, claim.contents)

    written.add_done_callback(taken)
    return written


async def _file_and_report(passage: Passage, asked: Sequence[Recipient]) -> None:
    inbound, work = passage.inbound, passage.work
    assert work is not None
    trusted = passage.envelope.identity is not None
    passage.work = await inbound.reports.arriving(work, asked, trusted=trusted)
    passage.filing = inbound.store.submit(filing.file, passage.work)
    await asyncio.wait((passage.filing,))


def filed(passage: Passage) -> Later:
    """What became of it; what one recipient alone is in the way of is done again, with care."""
    assert passage.filing is not None
    try:
        found = passage.filing.result()
    except (Refused, TryLater) as problem:
        if problem.reason not in filing.ONE_RECIPIENT:
            raise
        return _file_again(passage)
    if isinstance(found, filing.Unsorted):
        return _sort(passage, found)
    passage.outcomes = found
    return None


async def _sort(passage: Passage, found: filing.Unsorted) -> None:
    """Asks the rules, then files what they say."""
    inbound = passage.inbound
    assert passage.work is not None
    if inbound.sorter is not None:  # else the queue's runner asks them
        passage.work = await sorting.settled(passage.work, found, inbound.sorter)
        passage.decisions = list(passage.work.decisions)
    try:
        again = await inbound.store.write(filing.file, passage.work)
    except (Refused, TryLater) as problem:
        if problem.reason not in filing.ONE_RECIPIENT:
            raise
        await _file_again(passage)
        return
    if isinstance(again, filing.Unsorted):
        await _sort(passage, again)
    else:
        passage.outcomes = again


async def _file_again(passage: Passage) -> None:
    inbound, work = passage.inbound, passage.work
    assert work is not None
    inbound.directory.forget()
    found = await inbound.store.write(filing.file, replace(work, careful=True))
    if isinstance(found, filing.Unsorted):
        await _sort(passage, found)
    else:
        passage.outcomes = found


def notify(passage: Passage) -> None:
    """Tells those who count; who waits for the folder or the queue was woken by the store."""
    envelope = passage.envelope
    passage.inbound.counted(envelope.protocol)
    results: list[type[filing.Decision]] = [
        type(decision) if problem is None else filing.Reject
        for decision, problem in zip(passage.decisions, passage.outcomes, strict=True)
    ]
    for kind in set(results):
        _RESULTS[kind].inc(results.count(kind))
    logger.info(
        "accepted",
        conn=envelope.peer.id,
        id=envelope.id,
        address=envelope.peer.address,
        sender=str(envelope.sender),
        size=passage.content.size,
        recipients=len(envelope.recipients),
    )
    for told in passage.inbound.places.accepted:
        told(passage)


_RESULTS: dict[type[filing.Decision], Counter] = {
    filing.File: metrics.MAIL_TO.labels("filed"),
    filing.Sorted: metrics.MAIL_TO.labels("filed"),
    filing.Send: metrics.MAIL_TO.labels("queued"),
    filing.Discard: metrics.MAIL_TO.labels("discarded"),
    filing.Reject: metrics.MAIL_TO.labels("refused"),
}

STEPS: tuple[Step, ...] = (
    identify,
    verify,
    weigh,
    cleanse,
    tell,
    expand.expand,
    decide,
    togroup.post,
    file,
    filed,
    notify,
)


class Claims(Protocol):
    """The queue runner, as who queues mail sees it."""

    def claim(self) -> queue.Claim | None:
        """What leases mail in the transaction that queues it; None: it shall wait its turn."""
        ...

    def take_over(self, recipients: Sequence[queue.Recipient], contents: queue.Contents) -> None:
        """The transaction is committed, or perhaps was; these were taken by it.

        ``contents`` are those of messages that are surely there.
        """
        ...


class Begun:
    """A message on its way: call `go` until it gives None, awaiting what it gives; then ask `outcomes`."""

    __slots__ = ("_envelope", "_passage", "_steps")

    def __init__(self, passage: Passage, steps: Sequence[Step]) -> None:
        self._passage, self._steps, self._envelope = passage, iter(steps), passage.envelope

    def go(self) -> Awaitable[Any] | None:
        """Runs steps up to the first that has to wait.  Raises Refused, TryLater: nothing was taken."""
        passage = self._passage
        for step in self._steps:
            later = step(passage)
            if later is not None:
                return later
        return None

    @property
    def flushing(self) -> asyncio.Future[list[Problem | None] | filing.Unsorted] | None:
        """What `go` gave when all that is left to wait for is the disk; go on when it is done."""
        return self._passage.filing

    async def rest(self, later: Awaitable[Any] | None) -> list[Problem | None]:
        """Waits for what `go` gave and goes on to the end.  Raises as `go`."""
        while later is not None:
            flushing = self._passage.filing
            if flushing is not None and later is flushing:
                await asyncio.wait((flushing,))  # its outcome, and its problem, are the next step's
            else:
                await later
            later = self.go()
        return self.outcomes()

    def outcomes(self) -> list[Problem | None]:
        """One a recipient, in the order of RCPT."""
        passage = self._passage
        if passage.asked is None:
            return passage.outcomes
        return expand.outcomes(passage.of, passage.outcomes, len(self._envelope.recipients))


class Inbound:
    """One a process, shared by all who take mail.

    ``checks``, ``scores``, ``filters`` and ``probes`` are explained in `delivery.checks`.
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
        reports: ReportsConfig | None = None,
        steps: Sequence[Step] = STEPS,
        policy: Policy | None = None,
        checks: Sequence[Check] = (),
        scores: Sequence[Score] = (),
        filters: Sequence[Filter] = (),
        probes: Sequence[Probe] = (),
        canonical: Canonical | None = None,
    ) -> None:
        self.store, self.config, self.hostname, self.clock = store, config, hostname, clock
        self.directory = directory or Directory(store, clock, hostname=hostname, config=config)
        self.reports = Reports(
            store, reports or ReportsConfig(), directory=self.directory, hostname=hostname, clock=clock
        )
        self.policy = policy or Policy()
        self.authserv_id = self.policy.authserv_id or hostname
        self.steps, self.places = tuple(steps), Places.of(checks)
        self.scores, self.filters, self.probes = tuple(scores), tuple(filters), tuple(probes)
        self.names = canonical or Names()
        if canonical is not None:
            self.steps = (self.steps[0], canonical.step, *self.steps[1:])
        self.claims: Claims | None = None  # joined from above
        self.sorter: sorting.Sorter | None = None  # runs the rules of folders; joined from above
        self._ids_of, self._ids = clock.token(5), itertools.count(1)
        self._counters: dict[str, Counter] = {}
        self._expire_ms = round(expire_s * 1000), round(expire_report_s * 1000)
        self._relay_domains = frozenset(name.lower() for name in config.relay_domains)
        self._relay_networks = [ipaddress.ip_network(each) for each in config.relay_networks]
        self._trusted_known = functools.lru_cache(maxsize=1024)(self._trusted)  # asked at each RCPT

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

    # --- before the bytes: what is returned must be awaited, unless it is None ---------------

    def connected(self, peer: Peer) -> Later:
        """Before the greeting.  Raises Refused, TryLater, Hangup: the client is turned away."""
        methods = self.places.connect
        return checks.run(methods, peer, verdict.of_peer(peer)) if methods else None

    def greeted(self, peer: Peer) -> Later:
        """At HELO, EHLO and LHLO; ``peer.helo`` is set.  Raises as checks do."""
        methods = self.places.helo
        return checks.run(methods, peer, verdict.of_peer(peer)) if methods else None

    def sender(self, envelope: Envelope) -> Later:
        """At MAIL: who logged in sends as themselves only (RFC 6409 6.1).

        Raises Refused(SENDER_DENIED), and what checks raise.
        """
        identity = envelope.identity
        if (
            identity is not None
            and self.config.check_sender
            and envelope.sender
            and not self.directory.owns(identity.account_id, self.names.sender(envelope.sender))
        ):
            raise Refused(Reason.SENDER_DENIED)
        methods = self.places.mail
        return checks.run(methods, envelope, verdict.of_message(envelope)) if methods else None

    def probe(self, envelope: Envelope, recipient: Recipient) -> Awaitable[Recipient | None] | None:
        """At RCPT, after `recipient`: what may have to wait.  None: nothing, the recipient may be taken.

        Else await it: it gives the recipient to take instead (None: the same), or raises.  Raises at once
        what checks know at once.
        """
        methods = self.places.rcpt
        probes = self.probes if recipient.elsewhere else ()
        try:
            if methods:
                later = checks.run(methods, envelope, recipient, verdict.of_message(envelope))
                if later is not None:
                    return self._probe(envelope, recipient, later, probes)
            for number, probe in enumerate(probes, 1):
                asked = probe(envelope, recipient)
                if asked is not None:
                    return self._probe(envelope, recipient, asked, probes[number:])
        except Problem as problem:
            self._told_refused(envelope, recipient.address, problem)
            raise
        return None

    async def _probe(
        self,
        envelope: Envelope,
        recipient: Recipient,
        first: Awaitable[Recipient | None],
        probes: Sequence[Probe],
    ) -> Recipient | None:
        """The rest of `probe`, from what waits first."""
        try:
            recipient = await first or recipient
            for probe in probes:
                asked = probe(envelope, recipient)
                recipient = (await asked if asked is not None else None) or recipient
        except Problem as problem:
            self._told_refused(envelope, recipient.address, problem)
            raise
        return recipient

    def ready(self, envelope: Envelope) -> Later:
        """At DATA and the first BDAT, before the client is told to go ahead.  Raises as checks do."""
        methods = self.places.data
        return checks.run(methods, envelope, verdict.of_message(envelope)) if methods else None

    def _told_refused(self, envelope: Envelope, address: Mailbox, problem: Problem) -> None:
        for told in self.places.refused:
            told(envelope, address, problem)

    def recipient(self, envelope: Envelope, address: Mailbox, *, local_only: bool = False) -> Recipient:
        """At RCPT: where mail for an address goes.  Never waits.

        ``local_only`` (LMTP) refuses everything that is not ours, whoever asks.

        Raises:
            Refused(NO_SUCH_ADDRESS): ours, and nobody has it.
            Refused(RELAY_DENIED): not ours, and the client may not send there.
            Refused(ACCOUNT_DISABLED), TryLater(OVER_QUOTA): there, but takes nothing now.
            TryLater(THROTTLED): the client asked for too many that are not there.
        """
        for asks in self.places.asked:
            asks(envelope, address)
        try:
            if not envelope.sender and len(envelope.recipients) >= self.config.max_report_recipients:
                raise TryLater(Reason.TOO_MANY)
            named = self.names.recipient(address)
            found = self.directory.find(named, size=envelope.size, local_address=envelope.peer.local_address)
            if found is not None:
                if found.group:
                    togroup.allow(self, envelope, found)
                elif found.mailing_list:
                    lists.allow(self, envelope, found)
                return found if named is address else _renamed(found, address)
            ours = named is not address and self.directory.is_local(address.domain)  # and leads elsewhere
            if local_only or not (ours or self.may_relay(envelope, address)):
                raise Refused(Reason.RELAY_DENIED)
            if named.domain in self._relay_domains and self.directory.relays(named) is False:
                raise Refused(Reason.NO_SUCH_ADDRESS)
        except Problem as problem:
            self._told_refused(envelope, address, problem)
            raise
        return Recipient(address) if named is address else _renamed(Recipient(named), address)

    def writes_as(self, account_id: AccountId, author: Mailbox) -> bool:
        """An account may call itself so in From: its own address, or what becomes one (`[rewrite]`)."""
        return self.directory.owns(account_id, self.names.author(author))

    def anyone(self, address: Mailbox) -> Recipient:
        """Where a copy that no client asked for goes.  Raises Refused, TryLater as `recipient`."""
        return self.directory.find(address) or Recipient(address)

    def known_recipients(self, envelope: Envelope, addresses: Sequence[str]) -> Sequence[Recipient]:
        """What `recipient` and `probe` would say to the first of the addresses, where it is known and plain.

        As far as the memory of the directory goes and nobody is to be asked about each; `recipient` tells
        about the one after them.
        """
        places = self.places
        if places.asked or places.rcpt or not envelope.sender or not self.names.plain:
            return ()
        return self.directory.known(addresses, size=envelope.size)

    def may_relay(self, envelope: Envelope, address: Mailbox) -> bool:
        """The one place that decides about sending on: who logged in, trusted hosts, named domains."""
        if envelope.identity is not None or envelope.peer.user:
            return True
        if address.domain in self._relay_domains:
            return True
        return self.trusts(envelope.peer.address)

    async def accept(
        self, envelope: Envelope, content: Content, *, each: bool = False
    ) -> list[Problem | None]:
        """Takes a message for all its recipients; when this returns it is on disk.

        One outcome a recipient, in order.  With ``each`` (LMTP) a problem may stand there, which concerns
        that recipient only; without, such a recipient is queued instead and tried again.

        Raises:
            Refused, TryLater: nothing was taken.
        """
        begun = self.begin(envelope, content, each=each)
        return await begun.rest(begun.go())

    def begin(self, envelope: Envelope, content: Content, *, each: bool = False) -> Begun:
        """The same for who drives the steps: whoever has nothing but one future to wait for needs no task."""
        now = self.clock.now()
        return Begun(Passage(self, envelope, content, now, each, verdict.of_message(envelope)), self.steps)

    def trusts(self, address: str) -> bool:
        """Whether a host is one of ours: it may relay, and its word about a message counts."""
        return bool(self._relay_networks) and self._trusted_known(address)

    def _trusted(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return any(ip in network for network in self._relay_networks if network.version == ip.version)


def _renamed(recipient: Recipient, named: Mailbox) -> Recipient:
    """What a canonical name leads to; the address as it was named is the original one (RFC 3461 4.2)."""
    return replace(recipient, orcpt=f"{'rfc822' if named.ascii else 'utf-8'};{named}")
