"""One peer's feed: what is new is chosen, offered, sent, and noted as done.

Connections are opened one by one while there is more to send than they carry, and closed when they are idle.
What is offered streams: a round sends the articles that were wanted of the last one and offers the next ones,
so a round trip carries both.  A peer that takes nearly everything is not asked first.
"""

from __future__ import annotations

import asyncio
import collections
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from quintet import log, metrics
from quintet.clock import Clock
from quintet.config.peers import Peer
from quintet.delivery.feeds.link import Link, Most, Opener, Outgoing, Verdict
from quintet.delivery.feeds.select import Choice
from quintet.errors import Hangup, Problem, Refused
from quintet.store import accounts, feeding, groups
from quintet.store.db import Tx
from quintet.store.feeding import Lease
from quintet.store.model import AccountId
from quintet.store.store import Store

RANGE = 200  # articles leased together
TURN_S = 0.004  # of choosing among them before others get their turn: a header may name 20,000 groups
QUEUED = 400  # chosen articles held in memory before more are leased
ROUND = Most().articles
BLIND_ABOVE, ASK_BELOW = 0.95, 0.90  # share of articles that are taken (innfeed: no-check-high, no-check-low)
WEIGHT = 0.02  # of one answer in that share
GROW_S = 1.0  # between two connections that are opened
FINISH_S = 3.0  # for what is being sent when we end; others go on with what is left
IDLE_S = 60.0  # a connection without work is closed
RETRY_S = 30.0  # an article that was put off; doubled with each attempt
MAX_RETRY_S = 1800.0
MAX_ATTEMPTS = 20  # then it is let go
RECONNECT_S = 1.0  # doubled up to the next
MAX_RECONNECT_S = 600.0
NOTE_S = 0.2  # how long what was settled waits to be noted together
RENEW_S = 30.0  # between two renewals of leases while nothing moves
LOOK_S = 30.0  # without a hint, and where articles are delayed at most
HELP_MS = 5000  # what waits for so long is also sent by workers that do not send first

_ONE = Most(articles=1)

logger = log.get("feed")


@dataclass(slots=True)
class Piece:
    """An article that was chosen."""

    row: int
    message_id: str
    size: int
    range: _Range | None  # None: it had been put off
    attempts: int = 0


class _Range:
    """A lease on its way: which of its rows are open."""

    __slots__ = ("high", "id", "noted", "open")

    def __init__(self, lease: Lease) -> None:
        self.id, self.high = lease.id, lease.high
        self.open: dict[int, None] = {}  # in order
        self.noted = lease.low

    @property
    def low(self) -> int:
        """The first row that is open; beyond the range when none is."""
        return next(iter(self.open), self.high + 1)


class Feeder:
    """Sends to one peer until it is stopped."""

    def __init__(
        self, store: Store, peer: Peer, opener: Opener, *, clock: Clock, owner: str, first: bool = True
    ) -> None:
        self._store, self.peer, self._opener, self._clock = store, peer, opener, clock
        self._owner, self._first = owner, first
        self._choice = Choice(peer, self._is_moderated)
        self._queue: collections.deque[Piece] = collections.deque()
        self._ranges: dict[int, _Range] = {}
        self._later: list[tuple[int, int, int]] = []
        self._done: list[int] = []
        self._hint = asyncio.Event()  # something may have been filed
        self._work = asyncio.Event()  # there is something in the queue
        self._room = asyncio.Event()  # there is room in the queue
        self._settled = asyncio.Event()
        self._links: set[asyncio.Task[None]] = set()
        self._open: set[Link] = set()  # a task that is cancelled before it begins closes nothing
        self._taken = 0.5  # share of articles that the peer takes, lately
        self.blind = False
        self._stopping = False
        self._broken = 0  # connections in a row that came to nothing
        self.sent = collections.Counter[Verdict]()

    @property
    def connections(self) -> int:
        return len(self._links)

    async def run(self) -> None:
        """Until it is cancelled, or a bug ends a part of it; leases are given back then."""
        await self._store.write(feeding.open_feed, self.peer.name)
        await self._take_over()
        watch = self._store.watch(self._hint, None, await self._store.write(_news))
        parts = [
            asyncio.create_task(part(), name=f"feed {what} {self.peer.name}")
            for what, part in (("notes", self._note_all), ("connections", self._grow), ("choice", self._fill))
        ]
        try:
            ended, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part_ in ended:
                part_.result()  # raises: none of them ends by itself
        finally:
            watch.close()
            for each in parts:
                each.cancel()
            await self._finish_rounds()
            for each in self._links:
                each.cancel()
            await asyncio.gather(*parts, *self._links, return_exceptions=True)
            for link in list(self._open):
                await self._close(link)
            with suppress(Problem):
                await self._note()
                await self._store.write(feeding.give_back, self._owner)

    async def _finish_rounds(self) -> None:
        """What is being sent is answered, or it would be offered again by who comes after us."""
        self._stopping = True
        self._work.set()
        if self._links:
            await asyncio.wait(self._links, timeout=FINISH_S)

    async def _take_over(self) -> None:
        """Ends the leases of processes of this host that are no more."""
        host, _, rest = self._owner.partition(":")
        for owner in self._store.peek(feeding.owners, self.peer.name):
            theirs, _, process = owner.partition(":")
            pid = process.partition(":")[0]
            if theirs != host or owner == self._owner:
                continue
            if pid == rest.partition(":")[0] or not _alive(pid):
                await self._store.write(feeding.give_back, owner)

    # --- what is to be sent --------------------------------------------------------------------

    async def _fill(self) -> None:
        """Leases and chooses as long as there is room."""
        while True:
            if len(self._queue) >= QUEUED:
                self._room.clear()
                await self._room.wait()
                continue
            self._hint.clear()
            try:
                found = await self._more()
            except Problem as problem:
                logger.warning("feed not read", peer=self.peer.name, reason=problem.reason.value)
                await asyncio.sleep(RECONNECT_S)
                continue
            if not found:
                with suppress(TimeoutError):
                    async with asyncio.timeout(await self._nap()):
                        await self._hint.wait()
                if not self._first:
                    await asyncio.sleep(HELP_MS / 1000)

    async def _nap(self) -> float:
        due = self._store.peek(feeding.next_due, self.peer.name)
        wait = LOOK_S
        if due is not None:
            wait = min(wait, max((due - self._clock.now()) / 1000, 0.05))
        return min(wait, max(self.peer.delay_s / 2, 1.0)) if self.peer.delay_s else wait

    async def _more(self) -> bool:
        """Takes the next range, and what was put off and is due; False when there is neither."""
        name, before = self.peer.name, self._clock.now() - int(self.peer.delay_s * 1000) + 1
        if not self._first:
            before -= HELP_MS
        if not self._store.peek(feeding.waits, name, before):
            return False
        again = await self._store.write(feeding.take_later, name, RANGE)
        if again:
            attempts = dict(again)
            here = await self._store.read(feeding.still_here, list(attempts))
            waiting = {piece.row for piece in self._queue if piece.range is None}
            for row, message_id, size in here:
                if row in waiting:  # nothing could be sent for longer than a lease
                    continue
                self._queue.append(Piece(row, message_id, size, None, attempts[row]))
            self._done += list(attempts.keys() - {row for row, _, _ in here})  # expired
        lease = await self._store.write(feeding.take, name, self._owner, RANGE, before)
        if lease is not None:
            await self._choose(lease)
        if self._queue:
            self._work.set()
        return bool(again) or lease is not None

    async def _choose(self, lease: Lease) -> None:
        held = _Range(lease)
        chosen: list[Piece] = []
        low, until = lease.low, self._clock.monotonic() + TURN_S
        while low <= lease.high:
            articles, low = await self._store.read(feeding.listed, low, lease.high)
            for one in articles:
                if self._choice.wants(one):
                    held.open[one.row] = None
                    chosen.append(Piece(one.row, one.message_id, one.size, held))
                if self._clock.monotonic() > until:
                    await asyncio.sleep(0)
                    until = self._clock.monotonic() + TURN_S
        self._queue += chosen
        self._ranges[lease.id] = held  # not before: without open rows it would count as done
        self._settled.set()

    def _is_moderated(self, name: str) -> bool:
        found = self._store.peek(groups.find, name)
        return found is not None and found.status == "m"

    # --- connections -----------------------------------------------------------------------------

    async def _grow(self) -> None:
        """One connection when there is work, more while they do not suffice."""
        wait_s = RECONNECT_S
        while True:
            await self._work.wait()
            enough = len(self._links) and len(self._queue) < ROUND * len(self._links)
            if enough or len(self._links) >= self.peer.max_out:
                await asyncio.sleep(GROW_S)
                continue
            if self._broken:
                await asyncio.sleep(min(RECONNECT_S * 2 ** min(self._broken, 16), MAX_RECONNECT_S))
            try:
                link = await self._opener(self.peer)
            except Problem as problem:
                logger.warning("no connection", peer=self.peer.name, why=problem.text)
                await self._state(f"no connection: {problem.text}")
                if isinstance(problem, Refused):
                    wait_s = max(wait_s, MAX_RECONNECT_S / 4)
                await asyncio.sleep(wait_s * (0.75 + self._clock.random() / 2))
                wait_s = min(wait_s * 2, MAX_RECONNECT_S)
                continue
            wait_s = RECONNECT_S
            self._open.add(link)
            task = asyncio.create_task(self._carry(link), name=f"feed {self.peer.name}")
            self._links.add(task)
            task.add_done_callback(self._links.discard)
            await self._state("connected")
            await asyncio.sleep(GROW_S)

    async def _state(self, text: str) -> None:
        with suppress(Problem):
            await self._store.write(feeding.note, self.peer.name, text)

    async def _carry(self, link: Link) -> None:
        """Works on one connection until it is idle or gone."""
        hand: list[Piece] = []  # what is not settled when the connection ends
        try:
            while True:
                if not await self._wait_for_work():
                    break
                if link.streams:
                    await self._stream(link, hand)
                else:
                    await self._lock_step(link, hand)
        except Problem as problem:
            self._broken += 1
            logger.info("connection ended", peer=self.peer.name, why=problem.text)
            await self._state(f"connection ended: {problem.text}")
        finally:
            if hand:
                self._queue.extendleft(reversed(hand))
                self._work.set()
            await self._close(link)

    async def _close(self, link: Link) -> None:
        self._open.discard(link)
        with suppress(Hangup):
            await link.close()

    async def _wait_for_work(self) -> bool:
        """False when the connection is closed: there was none for so long, or all of it ends."""
        try:
            async with asyncio.timeout(IDLE_S):
                while not self._queue and not self._stopping:
                    self._work.clear()
                    await self._work.wait()
        except TimeoutError:
            return False
        return not self._stopping

    def _next(self, most: Most) -> list[Piece]:
        found: list[Piece] = []
        size = 0
        while self._queue and len(found) < most.articles and size < most.size:
            piece = self._queue.popleft()
            size += piece.size
            found.append(piece)
        if len(self._queue) < QUEUED:
            self._room.set()
        return found

    async def _stream(self, link: Link, hand: list[Piece]) -> None:
        """Rounds until the queue is empty and nothing that was wanted is left, or all ends."""
        wanted: list[Piece] = []
        while (self._queue or wanted) and not self._stopping:
            if self.blind:
                send, offers = [*wanted, *self._next(link.most)], list[Piece]()
                hand += [piece for piece in send if piece not in wanted]
            else:
                send, offers = wanted, self._next(link.most)
                hand += offers
            articles, here, gone = await self._load(send)
            self._settle(gone, hand)
            told, asked = await link.round(articles, [piece.message_id for piece in offers])
            for piece, verdict in zip(here, told, strict=True):
                self._judge(piece, verdict, hand, sent=True)
            wanted = []
            for piece, verdict in zip(offers, asked, strict=True):
                if verdict is Verdict.WANTED:
                    wanted.append(piece)
                    self._learn(good=True)
                else:
                    self._judge(piece, verdict, hand)

    async def _lock_step(self, link: Link, hand: list[Piece]) -> None:
        for piece in self._next(_ONE):
            hand.append(piece)
            articles, _, gone = await self._load([piece])
            self._settle(gone, hand)
            for article in articles:
                self._judge(piece, await link.offer_one(article), hand)

    async def _load(self, pieces: Sequence[Piece]) -> tuple[list[Outgoing], list[Piece], list[Piece]]:
        """The articles of pieces: what is sent, the pieces of these, and those that are gone meanwhile."""
        if not pieces:
            return [], [], []
        refs = await self._store.read(feeding.bodies, [piece.row for piece in pieces])
        here = [piece for piece in pieces if piece.row in refs]
        gone = [piece for piece in pieces if piece.row not in refs]
        articles = [
            Outgoing(piece.message_id, self._store.body(refs[piece.row]), self.peer.header_only)
            for piece in here
        ]
        return articles, here, gone

    # --- what became of it ---------------------------------------------------------------------

    def _judge(self, piece: Piece, verdict: Verdict, hand: list[Piece], *, sent: bool = False) -> None:
        self._broken = 0
        metrics.PEER_OUT.labels(self.peer.name, verdict.name.lower()).inc()
        self.sent[verdict] += 1
        if sent or verdict is Verdict.KNOWN:
            self._learn(good=verdict is Verdict.TAKEN)
        if verdict is Verdict.LATER and piece.attempts < MAX_ATTEMPTS:
            wait = min(RETRY_S * 2 ** min(piece.attempts, 10), MAX_RETRY_S)
            due = self._clock.now() + int(wait * 1000 * (0.75 + self._clock.random() / 2))
            self._later.append((piece.row, due, piece.attempts + 1))
        elif piece.range is None:
            self._done.append(piece.row)
        self._settle([piece], hand)

    def _learn(self, *, good: bool) -> None:
        self._taken += WEIGHT * ((1.0 if good else 0.0) - self._taken)
        if self._taken > BLIND_ABOVE:
            self.blind = True
        elif self._taken < ASK_BELOW:
            self.blind = False

    def _settle(self, pieces: Sequence[Piece], hand: list[Piece]) -> None:
        for piece in pieces:
            if piece.range is not None:
                piece.range.open.pop(piece.row, None)
            with suppress(ValueError):
                hand.remove(piece)
        if pieces:
            self._settled.set()

    async def _note_all(self) -> None:
        while True:
            try:
                async with asyncio.timeout(RENEW_S):
                    await self._settled.wait()
            except TimeoutError:
                if self._ranges:
                    with suppress(Problem):
                        await self._store.write(feeding.renew, self._owner)
                continue
            await asyncio.sleep(NOTE_S)
            self._settled.clear()
            try:
                await self._note()
            except Problem as problem:
                logger.warning("feed not noted", peer=self.peer.name, reason=problem.reason.value)
                self._settled.set()
                await asyncio.sleep(RECONNECT_S)

    async def _note(self) -> None:
        """Writes down how far every range came, and what was put off."""
        moved = [(each.id, each.low) for each in self._ranges.values() if each.low != each.noted]
        later, self._later = self._later, []
        done, self._done = self._done, []
        if not (moved or later or done):
            return
        try:
            await self._store.write(feeding.settle, self.peer.name, self._owner, moved, later, done)
        except Problem:
            self._later[:0], self._done[:0] = later, done
            raise
        for range_id, low in moved:
            held = self._ranges[range_id]
            held.noted = low
            if low > held.high:
                del self._ranges[range_id]


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _news(tx: Tx) -> AccountId:
    return accounts.news(tx).id
