"""Queued mail that is for us after all: forwards to local names, and mailboxes that had no room.

Files it from the queue, or sends it on where an address stands for others; RFC 5321 3.9 (aliases).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from quintet.clock import Clock
from quintet.delivery import filing
from quintet.delivery.directory import Directory, ascii_domain
from quintet.delivery.envelope import Envelope, mailbox
from quintet.delivery.links import trouble
from quintet.delivery.transport import Answer, Result
from quintet.errors import Problem, Reason, Refused, TryLater
from quintet.net.seam import Peer
from quintet.store import db, entries, queue
from quintet.store.content import Content, content_of
from quintet.store.db import Tx
from quintet.store.model import BodyRef, MessageId
from quintet.store.queue import Recipient
from quintet.store.store import Store

if TYPE_CHECKING:
    from quintet.delivery.aftermath import Aftermath

MAX_FORWARDS = 20  # addresses that stand for addresses, one after the other


class Local:
    """One a process."""

    def __init__(self, store: Store, directory: Directory, *, clock: Clock) -> None:
        self._store, self._directory, self._clock = store, directory, clock

    async def deliver(self, recipients: Sequence[Recipient], aftermath: Aftermath) -> None:
        """Files or forwards for each; what cannot be is settled as any other answer.  Raises TryLater."""
        content: Content | None = None
        for one in recipients:
            try:
                found = self._directory.find(mailbox(one.address))
                if found is None:
                    raise TryLater(Reason.BUSY, "the domain has just left us")
                if found.folder_id:
                    content = content or await self._content(one)
                    await self._store.write(
                        _file, one, self._work(one, content, filing.File(found.folder_id))
                    )
                elif int(one.item_params.get("forwards", 0)) >= MAX_FORWARDS:
                    raise Refused(Reason.LOOP, "the address stands for itself, after all")
                else:
                    await self._store.write(_forward, one, found.targets)
            except (Refused, TryLater) as problem:
                await aftermath.settle([one], [_answer(problem)])

    def _work(self, one: Recipient, content: Content, decision: filing.Decision) -> filing.Work:
        found = self._directory.find(mailbox(one.address))
        assert found is not None
        ref = self._store.peek(entries.message_body, MessageId(one.message_row))
        envelope = Envelope(
            peer=Peer(f"queue-{one.queue_id}", ""),
            sender=mailbox(one.sender),
            recipients=[found],
            id=str(one.item_params.get("id", "")),
        )
        return filing.Work(
            envelope=envelope,
            content=content,
            decisions=[decision],
            received=ref.prefix,
            now=self._clock.now(),
            expires_at=one.expires_at,
            event="filed",
        )

    async def _content(self, one: Recipient) -> Content:
        """The message's bytes once more; the store finds that it has them and keeps them once."""
        ref = self._store.peek(entries.message_body, MessageId(one.message_row))
        return await asyncio.to_thread(self._read, ref)

    def _read(self, ref: BodyRef) -> Content:
        return content_of(self._store.read_body(ref)[len(ref.prefix) :])


@db.bounded()
def _file(tx: Tx, one: Recipient, work: filing.Work) -> None:
    """Into the folder and out of the queue, at once.  Raises `filing.ONE_RECIPIENT`."""
    filing.file(tx, work)
    queue.done(tx, [one.id])


@db.bounded()
def _forward(tx: Tx, one: Recipient, targets: Sequence[str]) -> None:
    """The same message for other recipients, and this one is over."""
    item = queue.QueueItem(
        content=None,
        sender=one.sender,
        message_row=one.message_row,
        account_id=one.account_id,
        params={**one.item_params, "forwards": int(one.item_params.get("forwards", 0)) + 1},
        expires_at=one.expires_at,
    )
    queue.put(tx, item, [queue.To(each, domain=ascii_domain(mailbox(each).domain)) for each in targets])
    queue.done(tx, [one.id])


def _answer(problem: Problem) -> Answer:
    status, text = trouble(problem)
    return Answer(Result.LATER if isinstance(problem, TryLater) else Result.NEVER, status, text)
