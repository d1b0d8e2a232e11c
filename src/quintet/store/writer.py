"""Group commit: all waiting transactions, one flush.

Jobs that arrive together are run one after the other inside one ``BEGIN IMMEDIATE``, committed with
FULL durability, and only then answered.  Bounded jobs (`db.bounded`) run on the loop thread, between
its own work: their statements would otherwise trade the interpreter lock with the loop at every step.
Everything that may take long happens in the writer thread; so does the flush, except after few statements
where the last ones took less than waking the thread and the loop again is worth.

Optimistic: no savepoints, until a job fails after it had written; then the batch is rolled back
and run again with a savepoint around each; at once, where a job may not be run twice.  A gate file
orders the processes, fairly and without SQLite's sleeping busy handler.
"""

from __future__ import annotations

import asyncio
import collections
import fcntl
import functools
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw

from quintet import log
from quintet.clock import Clock
from quintet.errors import Problem, Reason, TryLater
from quintet.store import db

MAX_BATCH = 512  # transactions in one commit
MAX_LOOP_S = 0.008  # seconds the loop may be held by one batch; house rule: 10 ms
MAX_TURNS = 4  # turns of the loop in which one transaction is filled; a flush takes about as long
MAX_BEGIN_S = 10.0  # seconds to wait for another process before "busy"
CROWD = 3  # transactions in one commit: more come than one by one
CROWD_S = 0.1  # seconds that this is remembered after the flush
BRISK_S = 0.001  # seconds that a flush took lately, below which the loop waits for it
BRIEF_S = 0.004  # seconds that statements may have held the loop before it waits for their flush, too
RECENT = 8  # flushes of which "lately" is a smoothed mean
GATHER_S = 0.004  # seconds that a crowd's batch waits to be whole; about what a flush takes

logger = log.get("store")

Publish = Callable[[set[tuple[Any, Any]]], None]
Learned = Callable[[list[str]], None]
Late = Callable[[list[int]], None]


class Job:
    """One call of `Store.write` on its way."""

    __slots__ = ("args", "behind", "bounded", "error", "fn", "future", "kwargs", "once", "value")

    def __init__(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        future: asyncio.Future[Any],
        bounded: bool,
        once: bool = False,
        behind: bool = False,
    ) -> None:
        self.fn = fn
        self.args = args
        self.kwargs = kwargs
        self.future = future
        self.bounded = bounded
        self.once = once  # it must not be run a second time
        self.behind = behind  # nobody waits for it
        self.value: Any = None
        self.error: BaseException | None = None


class _Dirty(Exception):
    """A job failed after it had written: the batch must be isolated."""


class Gate:
    """The flock that lets one process write at a time."""

    __slots__ = ("_fd",)

    def __init__(self, path: Path | None) -> None:
        self._fd = -1 if path is None else os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def try_lock(self) -> bool:
        if self._fd >= 0:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def lock(self) -> None:
        if self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_EX)

    def unlock(self) -> None:
        if self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Writer:
    """The one writer of a process.  Everything but `_thread_main` and what it calls is the loop's."""

    def __init__(
        self,
        tx: db.DrivenTx,
        gate: Gate,
        clock: Clock,
        publish: Publish,
        *,
        learned: Learned = lambda _: None,
        late: Late = lambda _: None,
        inline: bool = True,
    ) -> None:
        self._tx = tx
        self._learned = learned
        self._late = late
        self._gate = gate
        self._clock = clock
        self._publish = publish
        self._inline = inline
        self._loop = asyncio.get_running_loop()
        self._waiting: collections.deque[Job] = collections.deque()
        self._busy = False  # a batch is under way
        self._apart = False  # each of its jobs has a savepoint
        self._planned = False  # `_start` will be called
        self._gathering: asyncio.TimerHandle | None = None  # when, if not all come before that
        self._hoped = 0  # transactions of the last commit, and of those who came meanwhile
        self._flush_s = 2 * BRISK_S  # smoothed; the first ones are in the thread
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._thread_main, name="store-writer", daemon=True)
        self._thread.start()
        self.commits = 0
        self.transactions = 0
        self._crowded_until = 0.0
        self._contended_until = 0.0

    @property
    def crowded(self) -> bool:
        """So much is written that what can be done later should be."""
        return time.monotonic() < self._crowded_until

    @property
    def resting(self) -> db.DrivenTx | None:
        """The connection, for a short read at once, while nobody writes with it; no thread has it then."""
        return None if self._busy or self._closed else self._tx

    def submit(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        once: bool = False,
        may_end: bool = False,
        behind: bool = False,
    ) -> asyncio.Future[Any]:
        """``may_end``: the future may be done when it is given, for who does not await it.

        ``behind``: nobody waits for it, so no more does the loop for its flush.
        """
        if self._closed:
            raise TryLater(Reason.SHUTDOWN)
        future = self._loop.create_future()
        bounded = self._inline and db.is_bounded(fn, args, kwargs)
        self._waiting.append(Job(fn, args, kwargs, future, bounded, once, behind))
        if self._gathering is not None:
            if len(self._waiting) >= self._hoped:
                self._gathering.cancel()
                self._gathering = None
                self._loop.call_soon(self._start)
        elif not self._busy and not self._planned:
            if may_end and bounded and self._alone():
                self._idle.clear()
                self._start()
            else:
                self._plan()
        return future

    async def close(self) -> None:
        """Commits what waits, then ends the thread."""
        self._closed = True
        await self._idle.wait()
        self._orders.put(None)
        await asyncio.to_thread(self._thread.join)
        self._tx.close()
        self._gate.close()

    # a batch, step by step

    def _alone(self) -> bool:
        """Nobody else has anything to do in this turn of the loop, and nobody wrote beside the last one.

        So nothing is to be shared, and two turns that a client waits for are saved.
        """
        ready: Any = getattr(self._loop, "_ready", self)  # Any: asyncio's own; another loop has none
        return not ready and self._hoped <= 1 and not self.crowded

    def _plan(self) -> None:
        """Not at once: what other handlers of this turn bring shares the flush.

        In a crowd, nor do we begin without those whom the last flush answered: they are about to ask again,
        and would be a second group; each group would wait for the other's flush before its own.
        """
        self._planned = True
        self._idle.clear()
        if self.crowded and len(self._waiting) < self._hoped:
            self._gathering = self._loop.call_later(GATHER_S, self._start)
        else:
            self._loop.call_soon(self._start)

    def _start(self) -> None:
        self._planned, self._gathering = False, None
        jobs = [job for job in self._take() if not job.future.cancelled()]
        if not jobs:
            self._rest()
            return
        self._busy = True
        if not all(job.bounded for job in jobs):
            self._count(jobs)
            self._orders.put(lambda: self._in_thread(jobs))
        elif self._gate.try_lock():
            try:
                self._tx.begin(self._clock.now())
            except apsw.BusyError:
                self._orders.put(lambda: self._begin_for_loop(jobs))
            except BaseException as error:  # noqa: BLE001 (told to every waiter)
                self._gate.unlock()
                self._finish(jobs, error)
            else:
                self._on_loop(jobs)
        else:
            self._contended_until = time.monotonic() + CROWD_S
            self._orders.put(lambda: self._begin_for_loop(jobs, lock=True))

    def _take(self) -> list[Job]:
        """The next batch: all bounded, or beginning with what is not."""
        waiting = self._waiting
        if len(waiting) <= MAX_BATCH:
            jobs = list(waiting)
            waiting.clear()
            return jobs
        return [waiting.popleft() for _ in range(MAX_BATCH)]

    def _on_loop(self, jobs: list[Job]) -> None:
        """Runs bounded jobs here; the transaction is open and the gate ours."""
        self._apart = False
        self._turn([], jobs, MAX_TURNS)

    def _turn(self, before: list[Job], jobs: list[Job], turns: int) -> None:
        """Goes on with the open transaction, in which ``before`` were run; ``turns`` are left with this one.

        What does not fit into one turn of the loop shares the flush; others are served in between.
        """
        # who came while the gate was another's: one flush, and one warming of the page cache, for all
        while self._waiting and self._waiting[0].bounded and len(before) + len(jobs) < MAX_BATCH:
            job = self._waiting.popleft()
            if not job.future.cancelled():
                jobs.append(job)
        until = time.monotonic() + MAX_LOOP_S
        try:
            done = self._run(jobs, until, before)
            filled, rest = before + jobs[:done], jobs[done:]
            if rest and turns > 1:
                self._loop.call_soon(self._turn, filled, rest, turns - 1)
                return
            self._tx.seal()
        except BaseException as error:  # noqa: BLE001 (told to every waiter)
            self._orders.put(functools.partial(self._abandon, before + jobs, error))
            return
        self._waiting.extendleft(reversed(rest))
        self._count(filled)
        if not before and self._waited_for_here(filled, until - MAX_LOOP_S):
            self._commit_here(filled)
        else:
            self._orders.put(lambda: self._commit(filled))

    def _count(self, jobs: list[Job]) -> None:
        """So many in one commit are a crowd, until some time after it."""
        if len(jobs) >= CROWD:
            self._crowded_until = math.inf  # however long the flush takes

    def _waited_for_here(self, jobs: list[Job], began: float) -> bool:
        """Whether to wait for the flush on the loop: it is short, and hardly anybody asks meanwhile.

        Waking the thread and the loop again is a twentieth of what ten clients wait for, a tenth of what one
        does.  Where others ask while these are flushed, here or elsewhere, the loop has better to do.
        """
        now = time.monotonic()
        return (
            self._flush_s < BRISK_S
            and now < began + BRIEF_S
            and len(jobs) >= self._hoped
            and now > self._contended_until
            and not any(job.behind for job in jobs)
        )

    def _commit_here(self, jobs: list[Job]) -> None:
        """Waits for the flush on the loop; what may take longer goes to the thread."""
        try:
            self._flush()
        except BaseException as error:  # noqa: BLE001 (told to every waiter)
            self._orders.put(functools.partial(self._abandon, jobs, error))
            return
        if self._tx.overdue:
            self._orders.put(lambda: self._committed(jobs))
        else:
            self._gate.unlock()
            self._finish(jobs, None)

    def _finish(self, jobs: list[Job], trouble: BaseException | None) -> None:
        """The answers; on the loop thread, after the flush."""
        if trouble is None:
            self.commits += 1
            self.transactions += len(jobs)
            if hints := self._tx.hints:
                self._publish(hints)
            if self._tx.learned:
                self._learned(self._tx.learned)
            if self._tx.late:
                self._late(self._tx.late)
        else:
            trouble = _told(trouble)
        for job in jobs:
            future = job.future
            if future.done():
                continue
            if trouble is not None:
                future.set_exception(trouble if job.error is None else _told(job.error))
            elif job.error is not None:
                future.set_exception(_told(job.error))
            else:
                future.set_result(job.value)
        self._busy = False
        if self._crowded_until == math.inf:
            self._crowded_until = time.monotonic() + CROWD_S
        self._hoped = min(len(jobs) + len(self._waiting), MAX_BATCH)
        self._rest()

    def _rest(self) -> None:
        if self._waiting:
            self._plan()
        else:
            self._idle.set()

    def _run(self, jobs: list[Job], until: float, before: list[Job] | None = None) -> int:
        """Runs jobs in the open transaction; returns how many before the time was over.

        ``before`` were run in it already; they are run again when it must be rolled back.
        """
        self._apart = self._apart or any(job.once for job in jobs)
        if self._apart:
            return self._run_apart(jobs, until)
        try:
            return self._run_together(jobs, until)
        except _Dirty:
            self._tx.rollback()
            self._tx.begin(self._clock.now())
            self._apart = True
            if before:
                self._run_apart(before, math.inf)
            return self._run_apart(jobs, until)

    def _run_together(self, jobs: list[Job], until: float) -> int:
        tx, clock = self._tx, time.monotonic
        count = self._run_alike(jobs, until) if len(jobs) > 1 else 0
        if 0 < count < len(jobs) and clock() > until:
            return count
        for job in jobs[count:]:
            before = tx.mark()
            try:
                job.value = job.fn(tx, *job.args, **job.kwargs)
            except db.TROUBLE:
                raise
            except Exception as error:  # noqa: BLE001 (told to its waiter)
                if tx.mark() != before:
                    raise _Dirty from None
                job.error = error
            count += 1
            if clock() > until:
                break
        return count

    def _run_alike(self, jobs: list[Job], until: float) -> int:
        """Runs those of the same function at once where that costs less; they come first in ``jobs`` then.

        Returns how many were run.
        """
        alike: dict[Any, list[Job]] = {}
        for job in jobs:
            many = getattr(job.fn, "together", None)
            if many is not None and not job.kwargs:
                alike.setdefault(many, []).append(job)
        ran: set[Job] = set()
        for many, found in alike.items():
            for start in range(0, len(found), db.AT_ONCE):
                some = found[start : start + db.AT_ONCE]
                if len(some) > 1 and not (ran and time.monotonic() > until):
                    ran.update(self._run_at_once(many, some))
        if ran:
            jobs.sort(key=lambda job: job not in ran)
        return len(ran)

    def _run_at_once(self, many: Callable[..., Sequence[Any]], jobs: list[Job]) -> list[Job]:
        """Returns those that were run."""
        before = self._tx.mark()
        try:
            results = many(self._tx, [job.args for job in jobs])
        except db.TROUBLE:
            raise
        except Exception as error:
            if not isinstance(error, Problem):
                logger.error("not run together", exc_info=error)  # noqa: TRY400 - ours has no exception()
            if self._tx.mark() != before:
                raise _Dirty from None
            return []
        ran = []
        for job, result in zip(jobs, results, strict=True):
            if result is not db.ALONE:
                job.value = result
                ran.append(job)
        return ran

    def _run_apart(self, jobs: list[Job], until: float) -> int:
        tx, count = self._tx, 0
        for job in jobs:
            job.error = None
            tx.savepoint()
            try:
                job.value = job.fn(tx, *job.args, **job.kwargs)
            except db.TROUBLE:
                raise
            except Exception as error:  # noqa: BLE001 (told to its waiter)
                tx.back_to_savepoint()
                job.error = error
            else:
                tx.release()
            count += 1
            if time.monotonic() > until:
                break
        return count

    def _flush(self) -> None:
        """Commits; how long it took decides where the next ones are made."""
        began = time.monotonic()
        self._tx.commit()
        self._flush_s += (time.monotonic() - began - self._flush_s) / RECENT

    # in the writer thread

    def _thread_main(self) -> None:
        while (order := self._orders.get()) is not None:
            order()

    def _tell(self, fn: Callable[..., None], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(fn, *args)
        except RuntimeError:
            # the loop was closed under us: nobody is left who could be answered
            self._tx.rollback()
            self._gate.unlock()

    def _begin(self) -> None:
        until = time.monotonic() + MAX_BEGIN_S
        while True:
            try:
                self._tx.begin(self._clock.now())
                return
            except apsw.BusyError:
                # somebody without the gate: a tool of another make, or a recovery
                if time.monotonic() > until:
                    raise
                time.sleep(0.005)

    def _begin_for_loop(self, jobs: list[Job], lock: bool = False) -> None:
        try:
            if lock:
                self._gate.lock()
            self._begin()
        except BaseException as error:  # noqa: BLE001 (told to every waiter)
            self._gate.unlock()
            self._tell(self._finish, jobs, error)
        else:
            self._tell(self._on_loop, jobs)

    def _in_thread(self, jobs: list[Job]) -> None:
        try:
            self._gate.lock()
            self._begin()
            self._apart = False
            self._run(jobs, math.inf)
        except BaseException as error:  # noqa: BLE001 (told to every waiter)
            self._abandon(jobs, error)
        else:
            self._commit(jobs)

    def _commit(self, jobs: list[Job]) -> None:
        try:
            self._flush()
        except BaseException as error:  # noqa: BLE001 (told to every waiter)
            self._abandon(jobs, error)
        else:
            self._committed(jobs)

    def _committed(self, jobs: list[Job]) -> None:
        if self._tx.overdue:
            self._tx.write_back()
        self._gate.unlock()
        self._tell(self._finish, jobs, None)

    def _abandon(self, jobs: list[Job], error: BaseException) -> None:
        try:
            self._tx.rollback()
        except apsw.Error:
            # the connection is of no use any more; the next begin says so to its waiters
            pass
        self._gate.unlock()
        self._tell(self._finish, jobs, error)


def _told(error: BaseException) -> BaseException:
    """A Problem stays what it is, trouble of the engine becomes TryLater; a bug stays a bug."""
    if isinstance(error, Problem) or not isinstance(error, db.TROUBLE):
        return error
    told = db.problem(error)
    told.__cause__ = error
    return told
