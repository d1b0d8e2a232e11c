"""What answers mean: delivered, tried again, given up, and what the sender is told.

Queue rows, the report and the trace change in one transaction: a report is neither lost nor sent twice.
A report is never answered by a report; one that cannot be filed is dropped with a trace.
RFC 5321 6.1, 4.5.4.1, 4.5.5; RFC 3461 5.2; RFC 2852 4 (deadlines); RFC 3464.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import field, replace

from quintet import log, metrics
from quintet.clock import Clock
from quintet.config.queue import Queue
from quintet.config.reports import Reports as ReportsConfig
from quintet.delivery import backoff, dsn, filing, notify, verp
from quintet.delivery.directory import Directory
from quintet.delivery.envelope import mailbox
from quintet.delivery.reports import Reports
from quintet.delivery.transport import Answer, Result
from quintet.errors import Refused, TryLater
from quintet.message import headers
from quintet.message.outline import Headed
from quintet.store import db, entries, queue, queue_rules, trace
from quintet.store.db import Tx
from quintet.store.model import MessageId
from quintet.store.queue import Recipient, RecipientId
from quintet.store.store import Store
from quintet.values import dataclass

MAX_INLINE = 20  # recipients settled between two turns of the loop
MAX_TEXT = 500  # characters of an answer kept in queue and trace

_COUNTED = {result.value: metrics.MAIL_OUT.labels(result.value) for result in Result}

logger = log.get("queue")


@dataclass(frozen=True, slots=True)
class Later:
    """One recipient that is tried again."""

    id: RecipientId
    due_at: int
    text: str
    warned: bool


@dataclass(frozen=True, slots=True)
class Settlement:
    """Everything that one transaction writes."""

    message_id: str
    over: Sequence[RecipientId] = ()
    later: Sequence[Later] = ()
    failed: Sequence[tuple[str, str]] = ()  # of ``over``: address and status
    suppress_after: int = 0  # of config.queue
    suppress_window_ms: int = 0
    suppress_ms: int = 0
    events: Sequence[tuple[str, dict[str, object]]] = ()  # trace: word and detail
    conn: str = ""
    reports: Sequence[filing.Work] = ()


@dataclass(slots=True)
class Judged:
    """What the answers about recipients of one message come to."""

    one: Recipient  # any of them
    head: Headed | None = None  # of the message, when it is known
    over: list[RecipientId] = field(default_factory=list)
    later: list[Later] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    fates: dict[str, list[dsn.Fate]] = field(default_factory=dict)  # what is told, by action
    events: list[tuple[str, dict[str, object]]] = field(default_factory=list)


class Aftermath:
    """One a process."""

    def __init__(
        self,
        store: Store,
        config: Queue,
        *,
        directory: Directory,
        hostname: str,
        clock: Clock,
        reports: Reports | None = None,
    ) -> None:
        self._store, self._config, self._clock = store, config, clock
        self.reports = reports or Reports(
            store, ReportsConfig(), directory=directory, hostname=hostname, clock=clock
        )

    def settle(
        self, recipients: Sequence[Recipient], answers: Sequence[Answer], head: Headed | None = None
    ) -> Awaitable[None]:
        """Writes down what became of recipients of one message, whose header may be known already.

        What comes back is done when it is on the disk.  It or the call raises TryLater: nothing was written.
        """
        return self.write(self.judge(recipients, answers, head))

    def judge(
        self, recipients: Sequence[Recipient], answers: Sequence[Answer], head: Headed | None = None
    ) -> Judged:
        """What answers mean, counted and logged; to be written down by `write`."""
        now, found = self._clock.now(), Judged(recipients[0], head)
        chance: float | None = None
        for one, answer in zip(recipients, answers, strict=True):
            result, text = answer.result, answer.text[:MAX_TEXT]
            if result is Result.NEVER and self._config.soft_bounce:
                result = Result.LATER
            if result is Result.LATER and now >= one.expires_at:
                result = Result.NEVER
            if result is Result.LATER:
                if chance is None:  # one for all: who goes together now goes together next time
                    chance = self._clock.random()
                later = self._later(one, text, now, chance)
                found.later.append(later)
                action = dsn.DELAYED if later.warned else ""
            else:
                found.over.append(one.id)
                action = _told(one, answer, result)
            if result is Result.NEVER:
                found.failed.append((one.address, answer.status))
            if action:
                found.fates.setdefault(action, []).append(_fate(one, answer, action, now))
            _COUNTED[result.value].inc()
            detail = {"to": one.address, "host": answer.host, "text": text, "try": one.attempts + 1}
            found.events.append((result.value, detail))
            logger.info(result.value, conn=f"queue-{one.queue_id}", **detail)
        return found

    def write(self, found: Judged) -> Awaitable[None]:
        """As `settle`; may be called again when it failed."""
        if found.head is None:
            found.head = self._store.peek(entries.digest, MessageId(found.one.message_row))
        if found.fates:
            return self._report(found, found.head)
        # nobody is told, as of most mail: no task of its own, which would cost as much as the writing
        return self._store.submit(_settle, self._settlement(found, found.head))

    def _later(self, one: Recipient, text: str, now: int, chance: float) -> Later:
        """The next try, and whether the sender is warned by now; not beyond a deadline that lies ahead."""
        config = self._config
        due = backoff.next_try(one.attempts + 1, now, config.retry_s, chance)
        deadline = int((one.item_params.get("by") or {}).get("at", 0))
        ends = min(one.expires_at, deadline) if deadline > now else one.expires_at
        due = max(now + 1000, min(due, ends))
        warn = backoff.warn(one.created_at, now, config.delay_warning_s, one.delayed_notice)
        warn = warn or (_late(one, now) and not one.delayed_notice)  # RFC 2852 4.1.3: mode N
        warn = warn and bool(one.sender) and notify.wanted(notify.kept(one.params), notify.DELAY)
        return Later(one.id, due, text, warn)

    async def _report(self, found: Judged, head: Headed) -> None:
        """`write` where somebody is to hear of it."""
        one, reports = _reported(found.one), []
        dropped: list[tuple[str, dict[str, object]]] = []
        for action, fates in found.fates.items():
            work = await self.reports.queued(
                one,
                fates,
                expires_at=self._clock.now() + round(self._config.expire_report_s * 1000),
                return_size=self._config.return_size,
            )
            if work is not None:
                reports.append(work)
            else:
                why = "nobody to report to" if one.sender else "report of a report"
                dropped.append(("dropped", {"why": why, "what": action, "to": str(fates[0].address)}))
        settlement = self._settlement(found, head)
        settlement = replace(settlement, reports=reports, events=[*found.events, *dropped])
        try:
            await self._store.write(_settle, settlement)
        except (Refused, TryLater) as problem:
            if not reports or problem.reason not in filing.ONE_RECIPIENT:
                raise
            # the sender's mailbox is full: the report waits in the queue; postmaster's does not
            waiting = [_queued(work) for work in reports] if one.sender else []
            if not waiting:
                dropped.append(("dropped", {"why": "postmaster's mailbox is full"}))
            settlement = replace(settlement, reports=waiting, events=[*found.events, *dropped])
            await self._store.write(_settle, settlement)
        for word, detail in dropped:
            logger.info(word, conn=settlement.conn, **detail)

    def _settlement(self, found: Judged, head: Headed) -> Settlement:
        ids = headers.msg_ids(head.header(b"message-id") or b"")
        return Settlement(
            message_id=ids[0] if ids else "",
            over=found.over,
            later=found.later,
            failed=found.failed,
            suppress_after=self._config.suppress_after,
            suppress_window_ms=round(self._config.suppress_window_s * 1000),
            suppress_ms=round(self._config.suppress_s * 1000),
            events=found.events,
            conn=f"queue-{found.one.queue_id}",
        )


def _told(one: Recipient, answer: Answer, result: Result) -> str:
    """The action that the sender is to hear of, "" for none: RFC 3461 5.2.2, 5.2.3, 5.2.6."""
    wishes = notify.kept(one.params)
    if result is Result.NEVER:
        return dsn.FAILED if notify.wanted(wishes, notify.FAILURE) else ""
    taken = answer.host or answer.final  # somebody has it, and it was not thrown away
    if not one.sender or not taken or notify.NEVER in wishes:
        return ""
    by = one.item_params.get("by")
    if by and not answer.final and (by.get("trace") or not answer.punctual):
        return dsn.RELAYED  # RFC 2852 4.1.4: whether the next host reports or not
    if answer.passed_on or not notify.wanted(wishes, notify.SUCCESS):
        return ""
    return dsn.DELIVERED if answer.final else dsn.RELAYED


def _reported(one: Recipient) -> Recipient:
    """Whose sender is whom a report goes to: one that names the recipient where the client asked for it."""
    between = one.item_params.get("verp")
    if not isinstance(between, str):
        return one
    sender = verp.sender_for(mailbox(one.sender), mailbox(one.address), between)
    return replace(one, sender=str(sender))


def _late(one: Recipient, now: int) -> bool:
    """It had a deadline that has passed."""
    return 0 < int((one.item_params.get("by") or {}).get("at", 0)) <= now


def _fate(one: Recipient, answer: Answer, action: str, now: int) -> dsn.Fate:
    status, text = answer.status, answer.text
    if action == dsn.FAILED and answer.result is Result.LATER:
        status = "5.4.7"  # RFC 3463 3.5: delivery time expired
        text = f"{text} (given up after {one.attempts + 1} tries)"
    if action == dsn.DELAYED and _late(one, now):
        status = "4.4.7"  # RFC 2852 4.1.3
    return dsn.Fate(
        mailbox(one.address),
        action,
        status,
        text,
        kind=answer.kind,
        remote=answer.host,
        command=answer.command,
        at=now,
        retry_until=one.expires_at if action == dsn.DELAYED else 0,
        original=str(one.params.get("orcpt", "")),
    )


def _queued(work: filing.Work) -> filing.Work:
    """The same report by way of the queue."""
    return replace(work, decisions=[filing.Send((str(work.envelope.recipients[0].address),))])


def _quick(settlement: Settlement) -> bool:
    return len(settlement.over) + len(settlement.later) <= MAX_INLINE


def _settle_all(tx: Tx, calls: Sequence[tuple[Settlement]]) -> list[db.Alone | None]:
    """Of messages that are over, as most are at their first try; the others are left alone."""
    plain = [not (one.reports or one.later or one.failed) and len(one.over) <= queue.FEW for (one,) in calls]
    over = [one for (one,), fits in zip(calls, plain, strict=True) if fits]
    if over:
        queue.done(tx, [each for one in over for each in one.over])
        trace.note_letters(
            tx,
            [
                (trace.Note(one.conn, word, None, detail), None, one.message_id, ())
                for one in over
                for word, detail in one.events
            ],
        )
    return [None if fits else db.ALONE for fits in plain]


@db.together(_settle_all)
@db.bounded(_quick)
def _settle(tx: Tx, settlement: Settlement) -> None:
    """Raises what filing a report raises: `filing.ONE_RECIPIENT`."""
    for work in settlement.reports:
        filing.file(tx, work)
    if settlement.over:
        queue.done(tx, list(settlement.over))
    for address, status in settlement.failed if settlement.suppress_after else ():
        queue_rules.bounced(
            tx,
            address,
            status,
            status,
            limit=settlement.suppress_after,
            window_ms=settlement.suppress_window_ms,
            keep_ms=settlement.suppress_ms,
        )
    for one in settlement.later:
        queue.defer(tx, one.id, one.due_at, one.text, delayed_notice=one.warned)
    for word, detail in settlement.events:
        trace.add(tx, tx.now, settlement.conn, word, None, settlement.message_id, detail)
