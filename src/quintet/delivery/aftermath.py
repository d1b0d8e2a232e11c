"""What answers mean: delivered, tried again, given up, and what the sender is told.

Queue rows, the report and the trace change in one transaction: a report is neither lost nor sent twice.
A report is never answered by a report; one that cannot be filed is dropped with a trace.
RFC 5321 6.1, 4.5.4.1, 4.5.5; RFC 3464.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from quintet import log, metrics
from quintet.clock import Clock
from quintet.config.queue import Queue
from quintet.delivery import backoff, dsn, filing
from quintet.delivery.directory import Directory
from quintet.delivery.envelope import Envelope, Mailbox, mailbox
from quintet.delivery.envelope import Recipient as Addressee
from quintet.delivery.transport import Answer, Result
from quintet.errors import Refused, TryLater
from quintet.message import headers
from quintet.net.seam import Peer
from quintet.store import db, entries, queue, trace
from quintet.store.content import content_of
from quintet.store.db import Tx
from quintet.store.model import MessageId
from quintet.store.queue import Recipient, RecipientId
from quintet.store.store import Store

MAX_INLINE = 20  # recipients settled between two turns of the loop
MAX_MESSAGE_ID = 900  # octets; a line holds 998 (RFC 5322 2.1.1)
MAX_TEXT = 500  # characters of an answer kept in queue and trace

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
    events: Sequence[tuple[str, dict[str, object]]] = ()  # trace: word and detail
    conn: str = ""
    reports: Sequence[filing.Work] = field(default=())


class Aftermath:
    """One a process."""

    def __init__(
        self, store: Store, config: Queue, *, directory: Directory, hostname: str, clock: Clock
    ) -> None:
        self._store, self._config, self._directory = store, config, directory
        self._hostname, self._clock = hostname, clock

    async def settle(self, recipients: Sequence[Recipient], answers: Sequence[Answer]) -> None:
        """Writes down what became of recipients of one message.  Raises TryLater: nothing was written."""
        now, config = self._clock.now(), self._config
        over: list[RecipientId] = []
        later: list[Later] = []
        failed: list[dsn.Fate] = []
        delayed: list[dsn.Fate] = []
        events: list[tuple[str, dict[str, object]]] = []
        chance = self._clock.random()  # one for all: who goes together now goes together next time
        for one, answer in zip(recipients, answers, strict=True):
            result, text = answer.result, answer.text[:MAX_TEXT]
            if result is Result.LATER and now >= one.expires_at:
                result = Result.NEVER
            if result is Result.LATER:
                due = backoff.next_try(one.attempts + 1, now, config.retry_s, chance)
                due = max(now + 1000, min(due, one.expires_at))
                warn = bool(one.sender) and backoff.warn(
                    one.created_at, now, config.delay_warning_s, one.delayed_notice
                )
                later.append(Later(one.id, due, text, warn))
                if warn:
                    delayed.append(_fate(one, answer, dsn.DELAYED, now))
            else:
                over.append(one.id)
                if result is Result.NEVER:
                    failed.append(_fate(one, answer, dsn.FAILED, now))
            metrics.MAIL_OUT.labels(result.value).inc()
            events.append(
                (
                    result.value,
                    {"to": one.address, "host": answer.host, "text": text, "try": one.attempts + 1},
                )
            )
        await self._write(recipients[0], over, later, events, [fates for fates in (failed, delayed) if fates])

    async def _write(
        self,
        one: Recipient,
        over: Sequence[RecipientId],
        later: Sequence[Later],
        events: list[tuple[str, dict[str, object]]],
        told: Sequence[Sequence[dsn.Fate]],
    ) -> None:
        row = MessageId(one.message_row)
        found = headers.msg_ids(self._store.peek(entries.digest, row).header(b"message-id") or b"")
        message_id = found[0] if found else ""
        reports = []
        for fates in told:
            work = await self._report(one, fates, message_id)
            if work is not None:
                reports.append(work)
            else:
                events.append(("dropped", {"why": "nobody to report to", "to": str(fates[0].address)}))
        settlement = Settlement(message_id, over, later, events, f"queue-{one.queue_id}", reports)
        for word, detail in events:
            logger.info(word, conn=settlement.conn, **detail)
        try:
            await self._store.write(_settle, settlement)
        except (Refused, TryLater) as problem:
            if not reports or problem.reason not in filing.ONE_RECIPIENT:
                raise
            # the sender's mailbox is full: the report waits in the queue
            waiting = [_queued(work) for work in reports]
            await self._store.write(
                _settle,
                Settlement(settlement.message_id, over, later, events, settlement.conn, waiting),
            )

    async def _report(self, one: Recipient, fates: Sequence[dsn.Fate], message_id: str) -> filing.Work | None:
        """The report to the sender, ready to be filed; None when there is nobody to tell."""
        sender = mailbox(one.sender)
        if not sender:
            return None
        try:
            to = self._directory.find(sender) or Addressee(sender)
        except TryLater:
            to = Addressee(sender)
        except Refused:
            return None
        now, ident = self._clock.now(), self._clock.token(8)
        about = await self._about(one, sender, message_id)
        data = dsn.report(about, fates, hostname=self._hostname, now=now, token=self._clock.token(12))
        envelope = Envelope(
            peer=Peer(f"queue-{one.queue_id}", ""),
            helo=self._hostname,
            id=ident,
            recipients=[to],
            eight_bit=not data.isascii(),
            utf8=not sender.ascii,
        )
        return filing.Work(
            envelope=envelope,
            content=content_of(data),
            decisions=[filing.usual(to)],
            received=b"",
            now=now,
            expires_at=now + round(self._config.expire_report_s * 1000),
            event="reported",
        )

    async def _about(self, one: Recipient, sender: Mailbox, message_id: str) -> dsn.About:
        """The message, whole when it is small, else its header block."""
        row = MessageId(one.message_row)
        ref = self._store.peek(entries.message_body, row)
        whole = ref.size <= self._config.return_size
        size = ref.size
        if not whole:
            digest = self._store.peek(entries.digest, row)
            size = min(len(ref.prefix) + digest.header_end, self._config.return_size)
        pieces = [piece async for piece in self._store.body(ref).chunks(0, size)]
        return dsn.About(
            sender,
            one.created_at,
            b"".join(pieces),
            whole,
            envelope_id=str(one.item_params.get("envid", "")),
            message_id=message_id if message_id.isascii() and len(message_id) <= MAX_MESSAGE_ID else "",
        )


def _fate(one: Recipient, answer: Answer, action: str, now: int) -> dsn.Fate:
    status, text = answer.status, answer.text
    if action == dsn.FAILED and answer.result is Result.LATER:
        status = "5.4.7"  # RFC 3463 3.5: delivery time expired
        text = f"{text} (given up after {one.attempts + 1} tries)"
    return dsn.Fate(
        mailbox(one.address),
        action,
        status,
        text,
        remote=answer.host,
        at=now,
        retry_until=one.expires_at if action == dsn.DELAYED else 0,
        original=str(one.params.get("orcpt", "")),
    )


def _queued(work: filing.Work) -> filing.Work:
    """The same report by way of the queue."""
    to = work.envelope.recipients[0].address
    return filing.Work(
        envelope=work.envelope,
        content=work.content,
        decisions=[filing.Send((str(to),))],
        received=work.received,
        now=work.now,
        expires_at=work.expires_at,
        event=work.event,
    )


def _quick(settlement: Settlement) -> bool:
    return len(settlement.over) + len(settlement.later) <= MAX_INLINE


@db.bounded(_quick)
def _settle(tx: Tx, settlement: Settlement) -> None:
    """Raises what filing a report raises: `filing.ONE_RECIPIENT`."""
    for work in settlement.reports:
        filing.file(tx, work)
    if settlement.over:
        queue.done(tx, list(settlement.over))
    for one in settlement.later:
        queue.defer(tx, one.id, one.due_at, one.text, delayed_notice=one.warned)
    for word, detail in settlement.events:
        trace.add(tx, tx.now, settlement.conn, word, None, settlement.message_id, detail)
