"""Queued mail that is for us after all: forwards to local names, and mailboxes that had no room.

Files it from the queue, or sends it on where an address stands for others; RFC 5321 3.9 (aliases).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from quintet.clock import Clock
from quintet.delivery import expand, filing, letter, sorting, togroup
from quintet.delivery.directory import Directory
from quintet.delivery.envelope import Envelope, mailbox
from quintet.delivery.envelope import Recipient as Addressee
from quintet.delivery.links import trouble
from quintet.delivery.lists import Deed, Lists
from quintet.delivery.transport import Answer, Result
from quintet.errors import Problem, Reason, Refused, TryLater
from quintet.net.dns import Resolver
from quintet.net.seam import Peer
from quintet.store import db, entries, lists, queue
from quintet.store.content import Content, content_of
from quintet.store.db import Tx
from quintet.store.model import BodyRef, MessageId
from quintet.store.queue import Recipient
from quintet.store.store import Store

if TYPE_CHECKING:
    from quintet.delivery.aftermath import Aftermath
    from quintet.delivery.reports import Reports
    from quintet.delivery.signing import Seal
    from quintet.delivery.sorting import Sorter


class Local:
    """One a process."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        *,
        clock: Clock,
        resolver: Resolver,
        sorter: Sorter | None = None,
        seal: Seal | None = None,
    ) -> None:
        self._store, self._directory, self._clock, self._sorter = store, directory, clock, sorter
        self._lists = Lists(store, clock=clock, resolver=resolver, seal=seal)

    async def deliver(self, recipients: Sequence[Recipient], aftermath: Aftermath) -> None:
        """Files or forwards for each; what cannot be is settled as any other answer.  Raises TryLater."""
        content: Content | None = None
        for one in recipients:
            try:
                found = self._directory.find(mailbox(one.address))
                if found is None:
                    raise TryLater(Reason.BUSY, "the domain has just left us")
                content = content or await self._content(one)
                work = await self._work(one, found, content, aftermath.reports)
                await self._post(work)
                deed = None
                if found.mailing_list:
                    deed = await self._lists.deed(one, found, content, work.received)
                await self._file(one, work, deed)
            except (Refused, TryLater) as problem:
                await aftermath.settle([one], [_answer(problem)])

    async def _file(self, one: Recipient, work: filing.Work, deed: Deed | None) -> None:
        """Raises `filing.ONE_RECIPIENT`, TryLater."""
        while True:
            try:
                found = await self._store.write(_file, one, work, deed)
            except (Refused, TryLater) as problem:
                again = work.tell is not None or any(
                    isinstance(each, filing.Sorted) for each in work.decisions
                )
                if work.careful or not again or problem.reason not in filing.ONE_RECIPIENT:
                    raise
                # the sender's own mailbox may have no room for the report, or a rule's folder be gone
                work = replace(work, careful=True)
                continue
            if found is None:
                return
            assert self._sorter is not None
            work = await sorting.settled(work, found, self._sorter)

    async def _work(
        self, one: Recipient, found: Addressee, content: Content, reports: Reports
    ) -> filing.Work:
        """All that the address stands for, in one transaction.  Raises Refused(LOOP), TryLater."""
        if self._directory.is_local(found.address.domain) and found.elsewhere:
            raise Refused(Reason.NO_SUCH_ADDRESS)
        ref = self._store.peek(entries.message_body, MessageId(one.message_row))
        now = self._clock.now()
        envelope = Envelope(
            peer=Peer(f"queue-{one.queue_id}", ""),
            sender=mailbox(one.sender),
            id=str(one.item_params.get("id", "")),
            eight_bit=bool(one.item_params.get("eight_bit")),
            utf8=bool(one.item_params.get("utf8")),
            helo=str(one.item_params.get("helo", "")),
            wishes=letter.wishes(one.item_params),
        )
        asked = replace(
            found, notify=tuple(one.params.get("notify", ())), orcpt=str(one.params.get("orcpt", ""))
        )
        trail = expand.delivered_to(content.digest) | expand.trail(ref.prefix)
        envelope.recipients = await expand.leads(self._store, self._directory, envelope, asked, trail, now)
        if not envelope.recipients:
            raise Refused(Reason.LOOP, "Mail loop: it was forwarded from here before")
        work = filing.Work(
            envelope=envelope,
            content=content,
            decisions=[
                filing.Discard() if each.group or found.mailing_list else filing.usual(each)
                for each in envelope.recipients
            ],
            received=ref.prefix,
            now=now,
            expires_at=one.expires_at,
            event="filed",
            rules=filing.Say.NOBODY if self._sorter is None else filing.Say.ASK,
        )
        trusted = one.account_id is not None
        return await reports.arriving(work, [asked], arrived_at=one.created_at, trusted=trusted)

    async def _post(self, work: filing.Work) -> None:
        """What a list or an alias sends into groups; whoever set that up may.  Raises Refused, TryLater."""
        recipients = [one for one in work.envelope.recipients if one.group]
        if recipients:
            await togroup.bring(self._directory, None, work.envelope, recipients, work.content)

    async def _content(self, one: Recipient) -> Content:
        """The message's bytes once more; the store finds that it has them and keeps them once."""
        ref = self._store.peek(entries.message_body, MessageId(one.message_row))
        return await asyncio.to_thread(self._read, ref)

    def _read(self, ref: BodyRef) -> Content:
        return content_of(self._store.read_body(ref)[len(ref.prefix) :])


@db.bounded(lambda one, work, deed: deed is None or not deed.steps)
def _file(tx: Tx, one: Recipient, work: filing.Work, deed: Deed | None) -> filing.Unsorted | None:
    """Into the folder, or to a list's members, and out of the queue, at once.

    Gives what rules have a say in: nothing is done then.  Raises `filing.ONE_RECIPIENT`.
    """
    if deed is None or not (deed.hold or deed.again):
        found = filing.file(tx, work)
        if isinstance(found, filing.Unsorted):
            return found
    for step in deed.steps if deed is not None else ():
        step(tx)
    if deed is not None and deed.hold:
        queue.hold(tx, one.id, lists.waiting(deed.hold))
    else:
        queue.done(tx, [one.id])
    return None


def _answer(problem: Problem) -> Answer:
    status, text = trouble(problem)
    return Answer(Result.LATER if isinstance(problem, TryLater) else Result.NEVER, status, text)
