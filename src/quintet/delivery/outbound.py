"""The queue runner: takes what is due, sends it, writes down what became of it.

Any number of processes may run one: a recipient is leased, and a lease that ran out is anybody's.  Work is
sorted by site, a group of hosts, each with a few sessions of its own (`delivery.sites`) and as fast as it
bears (`delivery.shaping`), so that one slow host holds up nobody else.  One attempt is `delivery.attempt`'s,
what an answer means for the queue and for the sender `delivery.aftermath`'s.
RFC 5321 4.5.4.1, 5; RFC 1985 (a site that asks for its mail).
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Collection, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quintet import log
from quintet.clock import Clock
from quintet.config.queue import Queue
from quintet.delivery import attempt, shaping
from quintet.delivery.aftermath import Aftermath
from quintet.delivery.attempt import Attempts, Outcome, Ready
from quintet.delivery.directory import Directory
from quintet.delivery.links import Links
from quintet.delivery.local import Local
from quintet.delivery.reports import Reports
from quintet.delivery.route import Destination, Policies, Router
from quintet.delivery.settling import Settling, not_settled
from quintet.delivery.shaping import Shape
from quintet.delivery.sites import Batch, Site, Sites
from quintet.delivery.sorting import Sorter
from quintet.delivery.transport import Answer, Transport, Turn
from quintet.errors import Problem, TryLater
from quintet.net.dns import Resolver
from quintet.store import db, fetching, leaving, queue
from quintet.store.content import Content
from quintet.store.db import Tx
from quintet.store.model import FolderId, MessageId
from quintet.store.queue import Recipient, RecipientId
from quintet.store.store import Store

if TYPE_CHECKING:
    from quintet.delivery.rewriting import Generic
    from quintet.delivery.signing import Seal

LEASE_MS = 15 * 60 * 1000  # renewed while we live; how long mail of a dead worker waits
RENEW_S = 5 * 60.0
LEASED_AT_ONCE = 100  # recipients of one look into the queue
MAX_IN_HAND = 2000  # recipients leased and not settled, in one process
CROWDED = 1000  # of them; beyond, a site has less room
DRAIN_S = 30.0  # what a transfer that runs gets at shutdown
CROWD_REST_S = 5.0  # for domains whose site has enough to do
SITE_S = 60.0  # how long we believe who shares hosts
MAX_KNOWN = 10_000  # destinations whose site is remembered
LOOK_S = 0.01  # from what became of one message to the next look into the queue, for all that come after it
FEW = 200  # recipients in hand below which new mail is sent before anybody looks for it
NEW_MS = 1000  # from the commit of a message that we leased with it to a look whether it is ours still
LOOKUPS = 100  # destinations whose site is looked up at a time

QUEUE_FOLDER = FolderId(0)  # the store hints it when something was queued

logger = log.get("queue")


@dataclass(slots=True)
class _Hand:
    """What one worker has in hand."""

    turn: Turn
    next: Ready | None = None  # to be sent next; the host may have heard of it

    @property
    def free(self) -> bool:
        return self.next is None


class Runner:
    """One a process.  `run` until `stop`; `once` does what is due now (tests, "flush").

    ``workers`` is the number of processes that run one: a rate is divided among them.
    """

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
        policies: Policies | None = None,
        listens: Collection[tuple[str, int]] = (),
        workers: int = 1,
        sorter: Sorter | None = None,
        generic: Generic | None = None,
        seal: Seal | None = None,
    ) -> None:
        self.store, self.config, self.clock = store, config, clock
        self.owner = f"{hostname}:{os.getpid()}:{clock.token(8)}"
        self.router = Router(
            config,
            directory,
            resolver,
            names=(hostname, config.helo),
            clock=clock,
            policies=policies,
            listens=listens,
        )
        self.links = Links(self.router, transport, idle_s=config.idle_s)
        self.aftermath = Aftermath(
            store, config, directory=directory, hostname=hostname, clock=clock, reports=reports
        )
        self._settling = Settling(self.aftermath, self._over_with)
        self.sites = Sites()
        self._attempts = Attempts(store, self.links, clock=clock, generic=generic)
        self._local = Local(store, directory, clock=clock, resolver=resolver, sorter=sorter, seal=seal)
        self._workers = workers
        self._site_of: dict[str, tuple[str, float]] = {}  # destination's key: site, believed until
        self._flushed_at = clock.now()
        self._in_hand: dict[RecipientId, Recipient] = {}
        self._new: dict[MessageId, tuple[Content, bytes]] = {}  # of those, what came a moment ago
        self._tasks: set[asyncio.Task[None]] = set()
        self._behind: set[asyncio.Task[None]] = set()  # sites looked up, leases given back
        self._lookups = asyncio.Semaphore(LOOKUPS)
        self._running = False
        self._backlog = True  # more waits in the queue than was taken at the last look, or nobody looked yet
        self._resting: dict[str, float] = {}  # domains that were put off, until when (monotonic)
        self._served = 0
        self._wake = asyncio.Event()
        self._looks_soon = False
        self._stopping = False

    # --- the life of a runner -----------------------------------------------------------------

    async def run(self) -> None:
        """Works until `stop` is called."""
        watch = self.store.watch(self._wake, [QUEUE_FOLDER])
        renewing = asyncio.create_task(self._renew())
        self._running = True
        try:
            await self._inherit()
            while not self._stopping:
                self._wake.clear()  # before looking: what comes in between sets it again
                try:
                    found, off = await self._take() if self.config.enabled else (0, 0)
                except TryLater as problem:
                    logger.warning("queue not readable", text=str(problem))
                    found, off = 0, 0
                if found == off:
                    await self._pause()
        finally:
            self._running = False
            renewing.cancel()
            watch.close()
            await asyncio.gather(renewing, return_exceptions=True)

    async def stop(self, drain_s: float = DRAIN_S) -> None:
        """Lets transfers end, gives back everything else, closes every session."""
        self._stopping = True
        self._wake.set()
        self._settling.stop()
        given_back = [one.id for batch in self.sites.everything() for one in batch.recipients]
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=drain_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*self._behind, *self._settling.writing, return_exceptions=True)
        try:
            await self.store.write(queue.release, list({*given_back, *self._in_hand}), self.owner)
        except TryLater as problem:
            logger.warning("leases not given back", text=str(problem))  # they run out
        await self.links.close()

    async def once(self) -> int:
        """Sends everything that is due now; returns how many recipients were tried."""
        total, found, off = 0, 1, 0
        while found:
            found, off = await self._take()
            total += found - off
            while busy := self._tasks | self._behind | self._settling.writing:
                await asyncio.wait(busy)
        return total

    async def flush(self, domain: str, *, below: bool = False) -> int:
        """Everything for a domain is tried now, by whichever worker comes first (RFC 1985)."""
        return await fetching.flush(self.store, domain, below=below)

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

    async def _take(self) -> tuple[int, int]:
        """Leases what is due and gives it to its sites; how many recipients, and how many were put off."""
        room = min(LEASED_AT_ONCE, MAX_IN_HAND - len(self._in_hand))
        if room <= 0:
            return 0, 0
        self._forgive()
        busy, now = self._busy(), self.clock.now()
        due = self.store.peek(queue.next_due, busy)
        if due is None or due > now:
            self._backlog = False
            return 0, 0  # without a transaction
        taken = await self.store.write(queue.lease, self.owner, now + LEASE_MS, room, busy=busy)
        self._backlog = len(taken) >= room
        off = self._distributed(taken)
        if excess := self.sites.excess(self._crowded):
            off += sum(len(batch.recipients) for batch in excess)
            self._put_off(excess, CROWD_REST_S)
        self._hire()
        return len(taken), off

    def _distributed(self, taken: Sequence[Recipient]) -> int:
        """Gives leased recipients to their sites; how many were put off."""
        for recipient in taken:
            self._in_hand[recipient.id] = recipient
        return sum([self._placed(batch) for batch in self._sorted(taken)])

    def claim(self) -> queue.Claim | None:
        """See `inbound.Claims`: while little is in hand and nothing waits, who comes need not wait either."""
        if not self._running or self._stopping or self._backlog or not self.config.enabled:
            return None
        if len(self._in_hand) >= FEW:
            return None
        if self._resting:
            now = self.clock.monotonic()
            self._resting = {domain: until for domain, until in self._resting.items() if until > now}
        return queue.Claim(self.owner, self.clock.now() + LEASE_MS, self._resting)

    def take_over(self, recipients: Sequence[Recipient], contents: queue.Contents) -> None:
        """See `inbound.Claims`."""
        if self._stopping:
            self._in_background(self._give_back(recipients, self.clock.now()))
            return
        self._new.update(contents)
        self._distributed(recipients)
        self._hire()

    @property
    def _crowded(self) -> bool:
        return len(self._in_hand) > CROWDED

    def _busy(self) -> list[str]:
        """Domains of which enough is in hand."""
        return sorted(self.sites.busy(self._crowded))

    def _forgive(self) -> None:
        """Sites that asked for their mail, or that an administrator wants tried, are trusted again."""
        for domain, at in self.store.peek(queue.flushed, self._flushed_at):
            self._flushed_at = max(self._flushed_at, at)
            for key, (site, _) in self._site_of.items():
                if key.rpartition(":")[2] == domain and site in self.sites.by_key:
                    self.sites.by_key[site].shape.forget()
            for each in self.sites:
                if domain in each.seen:
                    each.shape.forget()

    def _sorted(self, taken: Iterable[Recipient]) -> list[Batch]:
        """One batch a message and destination, no larger than one transaction may be."""
        batches: dict[tuple[int, str, str], Batch] = {}
        full: list[Batch] = []
        for recipient in taken:
            destination = self.router.of_row(self.store, recipient)
            apart = str(recipient.params.get("refused", "")) or recipient.blocked
            key = (recipient.queue_id, destination.key, apart)
            batch = batches.setdefault(key, Batch(destination, []))
            batch.recipients.append(recipient)
            most = self.config.max_recipients
            if destination.key in self._site_of:
                site = self.sites.by_key.get(self._site_of[destination.key][0])
                most = site.shape.limits.recipients if site is not None else most
            if len(batch.recipients) >= most or attempt.split(destination, recipient):
                full.append(batches.pop(key))
        return full + list(batches.values())

    def _placed(self, batch: Batch) -> int:
        """Gives a batch to its site, when that is known; returns how many recipients were put off."""
        destination = batch.destination
        if destination.via != "mx":
            return self._entered(self._site(destination, destination.key), batch)
        name, until = self._site_of.get(destination.key, ("", 0.0))
        if until > self.clock.monotonic():
            return self._entered(self._site(destination, name), batch)
        self._in_background(self._find(batch))
        return 0

    async def _find(self, batch: Batch) -> None:
        """Asks the name service who shares hosts with a destination."""
        async with self._lookups:
            name = await self.router.site(batch.destination)
        if len(self._site_of) >= MAX_KNOWN:
            self._site_of.clear()
        self._site_of[batch.destination.key] = name, self.clock.monotonic() + SITE_S
        self._entered(self._site(batch.destination, name), batch)
        self._hire()

    def _site(self, destination: Destination, name: str) -> Site:
        site = self.sites.by_key.get(name)
        if site is None:
            limits = shaping.limits(self.config, destination.domain, destination.key, name, self._workers)
            site = self.sites.by_key[name] = Site(name, Shape(limits, self.clock.monotonic()))
        return site

    def _entered(self, site: Site, batch: Batch) -> int:
        """Returns how many recipients were put off, because the site is left alone just now."""
        wait = site.shape.paused_until - self.clock.monotonic()
        if wait > 0:
            self._put_off([batch], wait)
            site.seen.update(one.domain for one in batch.recipients)
            until = self.clock.monotonic() + wait
            self._resting.update((one.domain, until) for one in batch.recipients)
            return len(batch.recipients)
        most = site.shape.limits.recipients
        for start in range(0, len(batch.recipients), most):
            site.add(Batch(batch.destination, batch.recipients[start : start + most]))
        return 0

    def _put_off(self, batches: Iterable[Batch], rest_s: float) -> None:
        """Gives them back untried, and has their domains rest."""
        recipients = [one for batch in batches for one in batch.recipients]
        if recipients:
            until = self.clock.now() + round(rest_s * 1000)
            self._in_background(self._give_back(recipients, until))

    async def _give_back(self, recipients: Sequence[Recipient], until: int) -> None:
        try:
            ids, domains = [one.id for one in recipients], {one.domain for one in recipients}
            await self.store.write(_put_back, ids, self.owner, sorted(domains), until)
        except TryLater as problem:
            logger.warning("leases not given back", text=str(problem))  # they run out
        finally:
            self._let_go(recipients)

    # --- working ------------------------------------------------------------------------------

    def _hire(self) -> None:
        """Starts workers where work waits and there may be more of them; first where there is none."""
        if self._stopping:
            return
        working = [site for site in self.sites if site.batches]
        working.sort(key=lambda site: (site.workers > 0, site.served))
        for site in working:
            wanted = min(site.batches, site.shape.connections - site.workers)
            for _ in range(wanted):
                if len(self._tasks) >= self.config.concurrency:
                    return
                if self._must_wait(site):
                    break
                site.workers += 1
                self._served = site.served = self._served + 1
                task = asyncio.get_running_loop().create_task(self._work(site))
                self._tasks.add(task)
                task.add_done_callback(functools.partial(self._ended, site))

    def _must_wait(self, site: Site) -> bool:
        """The site has its rate; somebody looks again when it may have more."""
        wait_s = site.shape.wait_s(self.clock.monotonic())
        if wait_s > 0 and not site.timer:
            site.timer = True
            asyncio.get_running_loop().call_later(wait_s, self._again, site)
        return wait_s > 0

    def _again(self, site: Site) -> None:
        site.timer = False
        self._hire()

    def _ended(self, site: Site, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        site.workers -= 1
        self.sites.tidy(site)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("bug", exc_info=error)
        self._hire()
        self._wake.set()

    async def _work(self, site: Site) -> None:
        hand = _Hand(Turn())
        try:
            while not hand.free or self._goes_on(site):
                ready = hand.next or await self._ready(site, hand.turn)
                hand.next = None
                if ready is None:
                    continue
                # the next message is under way meanwhile, but for its end: killed, we send one twice
                outcome, settling = await self._tried(site, ready, hand)
                await hand.turn.wait()
                hand.turn.settling = settling
                self._learnt(site, outcome)
                if site.shape.paused_until > self.clock.monotonic() or (hand.free and self._yields()):
                    break
            await hand.turn.wait()
        finally:
            if hand.next is not None:  # not sent after all
                self._attempts.drop(hand.next)
                rest_s = max(0.0, site.shape.paused_until - self.clock.monotonic())
                self._put_off([Batch(hand.next.destination, list(hand.next.recipients))], rest_s)

    def _goes_on(self, site: Site) -> bool:
        """There is another message for a worker of the site."""
        return (
            bool(site.batches)
            and not self._stopping
            and site.workers <= site.shape.connections
            and not self._must_wait(site)
        )

    def _yields(self) -> bool:
        """A site that has no worker gets the place."""
        return len(self._tasks) >= self.config.concurrency and any(
            site.batches and not site.workers for site in self.sites
        )

    def _follower(self, site: Site, before: Ready, hand: _Hand) -> Ready | None:
        """The message that goes next through the session that has just sent one, where that is certain."""
        if not self._goes_on(site) or self._yields():
            return None
        batch = site.first()
        if batch is None or batch.destination.key != before.destination.key:
            return None
        try:
            look = self._look(batch.recipients)
            if len(look.still) < len(batch.recipients) or self._known(batch.destination, batch.recipients):
                return None
            ready = self._attempts.ready(batch.destination, batch.recipients, look, hand.turn)
        except Problem:
            return None  # it has its turn, and its trouble then
        if ready.letter.demand is not before.letter.demand:
            return None
        site.pick()
        hand.next = ready
        return ready

    def _learnt(self, site: Site, outcome: Outcome) -> None:
        now = self.clock.monotonic()
        if outcome.unreachable is not None:
            site.shape.unreachable(now)
            # RFC 5321 4.5.4.1: what waits for a host that does not answer need not ask it again
            for each in site.empty():
                ids = [one.id for one in each.recipients]
                ours = self._ours(each, self.store.peek(queue.still_leased, ids, self.owner))
                if ours:
                    self._settling.write_down(ours, [outcome.unreachable] * len(ours))
            return
        site.shape.heard(outcome.mood, now)
        if site.shape.paused_until > now:
            site.seen.update(site.domains)
            self._put_off(site.empty(), site.shape.paused_until - now)

    async def _ready(self, site: Site, turn: Turn) -> Ready | None:
        """The next message that a host is to be asked for; None: it was settled without, or is gone."""
        batch = site.pick()
        assert batch is not None
        recipients, in_hand = batch.recipients, False
        try:
            look = self._look(recipients)
            recipients = self._ours(batch, look.still)
            if not recipients:
                return None
            known = self._known(batch.destination, recipients)
            if known is None and batch.destination.via == "local":
                await self._local.deliver(recipients, self.aftermath)
                return None
            in_hand = True
            if known is None:
                try:
                    return self._attempts.ready(batch.destination, recipients, look, turn)
                except Problem as problem:
                    known = [attempt.answer_to(problem)] * len(recipients)
            self._settling.write_down(recipients, known, look.head)
        except Problem as problem:
            not_settled(problem, recipients)
        finally:
            if not in_hand:
                self._let_go(recipients)
        return None

    def _known(self, destination: Destination, recipients: Sequence[Recipient]) -> Sequence[Answer] | None:
        return attempt.without_asking(destination, recipients, self.clock.now())

    async def _tried(self, site: Site, ready: Ready, hand: _Hand) -> tuple[Outcome, asyncio.Future[None]]:
        """Tries a message; what became of it is written down behind our back, until the future is done.

        The session need not wait for the disk.
        """
        outcome: Outcome | None = None
        following = functools.partial(self._follower, site, ready, hand)
        try:
            site.shape.sent(self.clock.monotonic())
            outcome = await self._attempts.make(ready, site.shape.limits.messages, following)
        finally:
            if outcome is None:
                self._let_go(ready.recipients)
        return outcome, self._settling.write_down(ready.recipients, outcome.answers, ready.head)

    def _look(self, recipients: Sequence[Recipient]) -> leaving.Look:
        row, store = MessageId(recipients[0].message_row), self.store
        new = self._new.pop(row, None)
        if new is not None and self.clock.now() - recipients[0].created_at < NEW_MS:
            found = leaving.of_new(*new, [one.id for one in recipients])
            if found is not None:
                return found
        if len(recipients) == 1:
            return store.peek(leaving.look_at_one, recipients[0].id, self.owner, row)
        return store.peek(leaving.look, [one.id for one in recipients], self.owner, row)

    def _ours(self, batch: Batch, still: set[RecipientId]) -> list[Recipient]:
        """Without who was held or removed, or went to somebody else, while the batch waited."""
        if len(still) == len(batch.recipients):
            return batch.recipients
        self._let_go([one for one in batch.recipients if one.id not in still])
        return [one for one in batch.recipients if one.id in still]

    def _over_with(self, recipients: Sequence[Recipient]) -> None:
        self._let_go(recipients)
        self._look_soon()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._behind.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, work: asyncio.Task[None]) -> None:
        self._behind.discard(work)
        if not work.cancelled() and (error := work.exception()) is not None:
            logger.error("bug", exc_info=error)
        self._look_soon()

    def _look_soon(self) -> None:
        if not self._looks_soon:
            self._looks_soon = True
            asyncio.get_running_loop().call_later(LOOK_S, self._look_again)

    def _look_again(self) -> None:
        self._looks_soon = False
        self._wake.set()

    def _let_go(self, recipients: Iterable[Recipient]) -> None:
        for recipient in recipients:
            self._in_hand.pop(recipient.id, None)
            self._new.pop(recipient.message_row, None)

    # --- waiting ------------------------------------------------------------------------------

    async def _pause(self) -> None:
        """Until something is queued, settled or due; never longer than ``poll_s``."""
        wait_s = self.config.poll_s
        if self.config.enabled and len(self._in_hand) < MAX_IN_HAND:
            due = self.store.peek(queue.next_due, self._busy())
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


@db.bounded(lambda ids, *_: len(ids) <= 100)
def _put_back(tx: Tx, ids: Sequence[RecipientId], owner: str, domains: Sequence[str], until: int) -> None:
    queue.release(tx, ids, owner)
    queue.rest(tx, domains, until)


def _alive(pid: str) -> bool:
    """A process of this machine; what is no number is taken for one."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OverflowError, PermissionError):
        return True
    return True
