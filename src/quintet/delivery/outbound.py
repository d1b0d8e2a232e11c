"""The queue runner: takes what is due, sends it, writes down what became of it.

Any number of processes may run one: a recipient is leased, and a lease that ran out is anybody's.  Work is
sorted into lanes, one a destination, each with a few sessions of its own, so that one slow host holds up
nobody else.  What an answer means for the queue and for the sender is `delivery.aftermath`'s.
RFC 5321 4.5.4.1, 5.
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from quintet import log
from quintet.clock import Clock
from quintet.config.queue import Queue
from quintet.delivery import letter as letters
from quintet.delivery.aftermath import Aftermath
from quintet.delivery.directory import Directory
from quintet.delivery.envelope import mailbox
from quintet.delivery.links import Links, trouble
from quintet.delivery.local import Local
from quintet.delivery.reports import Reports
from quintet.delivery.route import Destination, Router
from quintet.delivery.transport import Answer, Letter, Link, Result, To, Transport
from quintet.errors import Problem, Reason, TryLater
from quintet.net.dns import Resolver
from quintet.store import queue
from quintet.store.model import FolderId
from quintet.store.queue import Recipient, RecipientId
from quintet.store.store import Store

LEASE_MS = 15 * 60 * 1000  # renewed while we live; how long mail of a dead worker waits
RENEW_S = 5 * 60.0
LEASED_AT_ONCE = 100  # recipients of one look into the queue
MAX_IN_HAND = 1000  # recipients leased and not settled, in one process
MAX_LANE = 200  # recipients waiting in one lane; its domains are passed over beyond that
MAX_GONE = 3  # hosts that hang up before they have anything, at one attempt
DRAIN_S = 30.0  # what a transfer that runs gets at shutdown

QUEUE_FOLDER = FolderId(0)  # the store hints it when something was queued

logger = log.get("queue")


@dataclass(slots=True)
class Batch:
    """Recipients of one message that go the same way."""

    destination: Destination
    recipients: list[Recipient]


@dataclass(slots=True)
class Lane:
    """Everything that goes to one destination."""

    waiting: deque[Batch] = field(default_factory=deque)
    workers: int = 0

    @property
    def recipients(self) -> int:
        return sum(len(batch.recipients) for batch in self.waiting)


class Runner:
    """One a process.  `run` until `stop`; `once` does what is due now (tests, "flush")."""

    def __init__(
        self,
        store: Store,
        config: Queue,
        *,
        directory: Directory,
        resolver: Resolver,
        transport: Transport,
        hostname: str,
        clock: Clock,
        reports: Reports | None = None,
    ) -> None:
        self.store, self.config, self.clock = store, config, clock
        self.owner = f"{hostname}:{os.getpid()}:{clock.token(8)}"
        self.router = Router(config, directory, resolver, names=(hostname, config.helo), clock=clock)
        self.links = Links(self.router, transport, idle_s=config.idle_s)
        self.aftermath = Aftermath(
            store, config, directory=directory, hostname=hostname, clock=clock, reports=reports
        )
        self._local = Local(store, directory, clock=clock)
        self._lanes: dict[str, Lane] = {}
        self._in_hand: dict[RecipientId, Recipient] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._settling: set[asyncio.Task[None]] = set()  # answers on their way to the disk
        self._wake = asyncio.Event()
        self._stopping = False

    # --- the life of a runner -----------------------------------------------------------------

    async def run(self) -> None:
        """Works until `stop` is called."""
        watch = self.store.watch(self._wake, [QUEUE_FOLDER])
        renewing = asyncio.create_task(self._renew())
        try:
            await self._inherit()
            while not self._stopping:
                self._wake.clear()  # before looking: what comes in between sets it again
                try:
                    found = await self._take() if self.config.enabled else 0
                except TryLater as problem:
                    logger.warning("queue not readable", text=str(problem))
                    found = 0
                if not found:
                    await self._pause()
        finally:
            renewing.cancel()
            watch.close()
            await asyncio.gather(renewing, return_exceptions=True)

    async def stop(self, drain_s: float = DRAIN_S) -> None:
        """Lets transfers end, gives back everything else, closes every session."""
        self._stopping = True
        self._wake.set()
        given_back = [
            one.id for lane in self._lanes.values() for batch in lane.waiting for one in batch.recipients
        ]
        for lane in self._lanes.values():
            lane.waiting.clear()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=drain_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*self._settling, return_exceptions=True)
        await self._give_back({*given_back, *self._in_hand})
        await self.links.close()

    async def once(self) -> int:
        """Sends everything that is due now; returns how many recipients were tried."""
        total = 0
        while found := await self._take():
            total += found
            while busy := self._tasks | self._settling:
                await asyncio.wait(busy)
        return total

    async def _inherit(self) -> None:
        """Frees what workers of this host had in hand when they died; else their leases must run out."""
        host = self.owner.split(":")[0]
        try:
            for owner in self.store.peek(queue.lease_owners):
                name, _, rest = owner.partition(":")
                if name == host and not _alive(rest.partition(":")[0]):
                    count = await self.store.write(queue.take_back, owner)
                    logger.info("leases taken over", owner=owner, recipients=count)
        except TryLater as problem:
            logger.warning("queue not readable", text=str(problem))

    # --- taking -------------------------------------------------------------------------------

    async def _take(self) -> int:
        """Leases what is due and puts it into its lanes; returns how many recipients that were."""
        room = min(LEASED_AT_ONCE, MAX_IN_HAND - len(self._in_hand))
        if room <= 0:
            return 0
        until = self.clock.now() + LEASE_MS
        taken = await self.store.write(queue.lease, self.owner, until, room, busy=self._busy())
        for batch in self._sorted(taken):
            lane = self._lanes.setdefault(batch.destination.key, Lane())
            lane.waiting.append(batch)
        for recipient in taken:
            self._in_hand[recipient.id] = recipient
        self._hire()
        return len(taken)

    def _busy(self) -> list[str]:
        """Domains whose lane is full."""
        return sorted(
            {
                one.domain
                for lane in self._lanes.values()
                if lane.recipients >= MAX_LANE
                for batch in lane.waiting
                for one in batch.recipients
            }
        )

    def _sorted(self, taken: Iterable[Recipient]) -> list[Batch]:
        """One batch a message and destination, no larger than one transaction may be."""
        batches: dict[tuple[int, str, str], Batch] = {}
        full: list[Batch] = []
        for recipient in taken:
            sender = mailbox(recipient.sender)
            destination = self.router.destination(recipient.domain, sender)
            key = (recipient.queue_id, destination.key, str(recipient.params.get("refused", "")))
            batch = batches.setdefault(key, Batch(destination, []))
            batch.recipients.append(recipient)
            if len(batch.recipients) >= self.config.max_recipients:
                full.append(batches.pop(key))
        return full + list(batches.values())

    def _hire(self) -> None:
        """Starts workers where work waits and there may be more of them."""
        for key, lane in self._lanes.items():
            wanted = min(len(lane.waiting), self.config.per_destination - lane.workers)
            for _ in range(wanted):
                if len(self._tasks) >= self.config.concurrency or self._stopping:
                    return
                lane.workers += 1
                task = asyncio.get_running_loop().create_task(self._work(lane))
                self._tasks.add(task)
                task.add_done_callback(functools.partial(self._ended, key))

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        lane = self._lanes.get(key)
        if lane is not None:
            lane.workers -= 1
            if not lane.workers and not lane.waiting:
                del self._lanes[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("bug", exc_info=error)
        self._hire()
        self._wake.set()

    # --- working ------------------------------------------------------------------------------

    async def _work(self, lane: Lane) -> None:
        while lane.waiting and not self._stopping:
            batch = lane.waiting.popleft()
            unreachable = await self._settled(batch, None)
            if unreachable is not None:
                # RFC 5321 4.5.4.1: what waits for a host that does not answer need not ask it again
                waiting, lane.waiting = lane.waiting, deque()
                for each in waiting:
                    await self._settled(each, unreachable)

    async def _settled(self, batch: Batch, known: Answer | None) -> Answer | None:
        """Tries a batch, or takes a ``known`` answer; returns the answer of a host that is not there.

        What became of it is written down behind our back: the session need not wait for the disk.
        """
        recipients = batch.recipients
        over: asyncio.Task[None] | None = None
        try:
            self._keep_ours(batch)
            recipients = batch.recipients
            if not recipients:
                return None
            if batch.destination.via == "local" and "refused" not in recipients[0].params:
                await self._local.deliver(recipients, self.aftermath)
                return None
            unreachable = known
            if known is None:
                answers, unreachable = await self._answers(batch)
            else:
                answers = [known] * len(recipients)
            over = asyncio.get_running_loop().create_task(self._settle(recipients, answers))
            self._settling.add(over)
            over.add_done_callback(self._written)
        except Problem as problem:
            _not_settled(problem, recipients)
            return None
        else:
            return unreachable
        finally:
            if over is None:
                self._let_go(recipients)

    def _keep_ours(self, batch: Batch) -> None:
        """Drops who was held or removed, or went to somebody else, while the batch waited in its lane."""
        ids = [one.id for one in batch.recipients]
        still = self.store.peek(queue.still_leased, ids, self.owner)
        if len(still) < len(ids):
            self._let_go([one for one in batch.recipients if one.id not in still])
            batch.recipients = [one for one in batch.recipients if one.id in still]

    async def _settle(self, recipients: Sequence[Recipient], answers: Sequence[Answer]) -> None:
        try:
            await self.aftermath.settle(recipients, answers)
        except Problem as problem:
            _not_settled(problem, recipients)
        finally:
            self._let_go(recipients)

    def _written(self, task: asyncio.Task[None]) -> None:
        self._settling.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("bug", exc_info=error)
        self._wake.set()

    def _let_go(self, recipients: Iterable[Recipient]) -> None:
        for recipient in recipients:
            self._in_hand.pop(recipient.id, None)

    async def _answers(self, batch: Batch) -> tuple[list[Answer], Answer | None]:
        """One answer a recipient; the second value is what holds for all while no host is there."""
        destination, count = batch.destination, len(batch.recipients)
        refused = batch.recipients[0].params.get("refused")  # a filter's word, after others had taken it
        if refused:
            return [Answer(Result.NEVER, "5.7.1", str(refused))] * count, None
        if destination.via == "discard":
            return [Answer(Result.DONE, "2.0.0", "discarded")] * count, None
        if destination.via == "error":
            text = destination.route.text or "mail for this domain is refused"
            return [Answer(Result.NEVER, "5.7.1", text)] * count, None
        addresses = [letters.addressed(one) for one in batch.recipients]
        try:
            letter = letters.letter(self.store, batch.recipients[0])
            return await self._sent(destination, letter, addresses)
        except Problem as problem:
            return [_answer(problem)] * count, None

    async def _sent(
        self, destination: Destination, letter: Letter, addresses: Sequence[To]
    ) -> tuple[list[Answer], Answer | None]:
        """As `_answers`, by a session that waits or by new ones; a host that hangs up is passed over."""
        link = self.links.kept(destination)
        if link is not None:
            try:
                return await self._use(destination, link, letter, addresses), None
            except TryLater as problem:
                if problem.reason is not Reason.CLOSED:
                    raise
                # it had closed the idle session: that says nothing about the message
        gone: dict[str, Answer] = {}
        while True:
            try:
                link = await self.links.fresh(destination, but=gone)
            except Problem as problem:
                answer = next(iter(gone.values()), None) or _answer(problem)
                return [answer] * len(addresses), None if gone else answer
            try:
                return await self._use(destination, link, letter, addresses), None
            except TryLater as problem:
                if problem.reason is not Reason.CLOSED or len(gone) >= MAX_GONE:
                    raise
                gone[link.address] = _answer(problem)

    async def _use(
        self, destination: Destination, link: Link, letter: Letter, addresses: Sequence[To]
    ) -> list[Answer]:
        try:
            answers = await link.send(letter, addresses)
        except BaseException:
            self.links.drop(link)
            raise
        self.links.keep(destination, link)
        return answers

    # --- waiting ------------------------------------------------------------------------------

    async def _pause(self) -> None:
        """Until something is queued, settled or due; never longer than ``poll_s``."""
        wait_s = self.config.poll_s
        if self.config.enabled and len(self._in_hand) < MAX_IN_HAND:
            due = self.store.peek(queue.next_due)
            if due is not None:
                wait_s = min(wait_s, max(0.05, (due - self.clock.now()) / 1000))
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            if self._in_hand:
                try:
                    until = self.clock.now() + LEASE_MS
                    await self.store.write(queue.extend, list(self._in_hand), self.owner, until)
                except TryLater as problem:
                    logger.warning("leases not renewed", text=str(problem))

    async def _give_back(self, recipients: Iterable[RecipientId]) -> None:
        try:
            await self.store.write(queue.release, list(recipients), self.owner)
        except TryLater:
            return  # their leases run out


def _answer(problem: Problem) -> Answer:
    status, text = trouble(problem)
    return Answer(Result.LATER if isinstance(problem, TryLater) else Result.NEVER, status, text)


def _not_settled(problem: Problem, recipients: Sequence[Recipient]) -> None:
    """The store has no answer: the lease runs out, and they are tried again."""
    logger.warning("not settled", text=str(problem), recipients=len(recipients))


def _alive(pid: str) -> bool:
    """A process of this machine; what is no number is taken for one."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OverflowError, PermissionError):
        return True
    return True
