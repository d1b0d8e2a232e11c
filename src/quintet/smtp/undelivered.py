"""Who of a batch gets no mail, and how their senders hear of it.

Nobody waits for the replies to a batch, so whoever takes it answers for what it refuses: a report goes to the
sender of each message for the recipients that did not get it, whether their RCPT, the MAIL or the message was
refused.  A message of which nothing was taken because it may only be tried later is not reported: the file is
given again.  RFC 2442 (processing), RFC 3464; who is told stands in `delivery.notify`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace

from quintet import log
from quintet.delivery import dsn, filing, notify
from quintet.delivery.envelope import NULL, Mailbox
from quintet.delivery.inbound import Inbound
from quintet.errors import Problem
from quintet.smtp import commands, parameters
from quintet.smtp.parameters import Terms
from quintet.values import dataclass

MAX_HEAD = 64 * 1024  # octets of a message that a report returns at most
MAX_FATES = dsn.MAX_LISTED  # recipients of one report

logger = log.get("smtp")


@dataclass(frozen=True, slots=True)
class _To:
    """One recipient as the batch named it, and the reply that it got."""

    address: Mailbox
    notify: tuple[str, ...]
    orcpt: str
    reply: str


@dataclass(slots=True)
class _Message:
    """One transaction."""

    sender: Mailbox = NULL
    envid: str = ""
    refused: str = ""  # the reply to MAIL, when that was no
    taken: list[_To] = field(default_factory=list)
    others: list[_To] = field(default_factory=list)  # refused or put off at RCPT


class Undelivered:
    """One a batch: follows its transactions."""

    def __init__(self, inbound: Inbound, terms: Terms) -> None:
        self._inbound, self._terms = inbound, terms
        self._now: _Message | None = None
        self.reports = 0  # sent

    def mail(self, command: commands.Mail, reply: str) -> None:
        """MAIL was answered."""
        envid = ""
        try:
            asked = parameters.read_mail(command.parameters, self._terms, secure=True, trusted=True)
            envid = asked.wishes().envid
        except Problem:
            pass  # the reply says so
        self._now = _Message(command.sender, envid, "" if reply.startswith("2") else reply)

    def rcpt(self, command: commands.Rcpt, reply: str) -> None:
        """RCPT was answered."""
        message = self._now
        if message is None:
            return
        try:
            wishes, orcpt = parameters.read_rcpt(command.parameters)
        except Problem:
            wishes, orcpt = (), ""
        to = _To(command.recipient, wishes, orcpt, message.refused or reply)
        (message.taken if to.reply.startswith("2") else message.others).append(to)

    def forget(self) -> None:
        """The transaction ended without a message."""
        self._now = None

    async def message(self, head: bytes, reply: str) -> None:
        """The message came, beginning with ``head``, and was answered, perhaps once a recipient."""
        message, self._now = self._now, None
        if message is None or not message.sender:
            return
        lines = [line for line in reply.split("\r\n") if line]
        each = lines[1:-1] if reply.startswith("353") else lines  # draft-hall-prdr; else LMTP
        told = dict(enumerate(each)) if len(each) == len(message.taken) else {}
        last = lines[-1] if lines else "554 5.5.0 the batch ended within the message"
        lost = [replace(to, reply=told.get(number, last)) for number, to in enumerate(message.taken)]
        lost = [to for to in (*lost, *message.others) if not to.reply.startswith("2")]
        nobody = len(lost) == len(message.taken) + len(message.others)
        if nobody and all(to.reply.startswith("4") for to in lost):
            return
        fates = [self._fate(to) for to in lost if notify.wanted(to.notify, notify.FAILURE)]
        if fates:
            await self._report(message, fates[:MAX_FATES], head)

    def _fate(self, to: _To) -> dsn.Fate:
        # a status of another class is made one of failure by the report: nobody tries again
        words = to.reply.split("\r\n")[-1][4:].split(" ")
        return dsn.Fate(
            to.address,
            dsn.FAILED,
            words[0] if words else "",
            to.reply.replace("\r\n", " "),
            at=self._inbound.clock.now(),
            original=to.orcpt,
        )

    async def _report(self, message: _Message, fates: Sequence[dsn.Fate], head: bytes) -> None:
        reports = self._inbound.reports
        work = await reports.undelivered(message.sender, fates, head[:MAX_HEAD], envid=message.envid)
        if work is None:
            return
        store = self._inbound.store
        try:
            await store.write(filing.file, work)
        except Problem as problem:
            if problem.reason not in filing.ONE_RECIPIENT:
                raise
            to = str(
                work.envelope.recipients[0].address
            )  # its mailbox is full: the report waits in the queue
            await store.write(filing.file, replace(work, decisions=[filing.Send((to,))]))
        self.reports += 1
        logger.info("reported", sender=str(message.sender), recipients=len(fates))
