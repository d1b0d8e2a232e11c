"""What the server does by itself, now and then, one worker at a time: tidying, checking.

A job is leased in the store, so workers do not do it twice and one that died is followed by another.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

from quintet import log
from quintet.clock import Clock
from quintet.errors import Problem
from quintet.store import jobs
from quintet.store.db import Tx
from quintet.store.store import Store
from quintet.values import dataclass

LOOK_S = 60.0  # how often a worker looks whether something is due
RETRY_S = 300.0  # a job that failed is due again, or sooner where that is its habit
LEASE_MS = 15 * 60 * 1000  # a round must be shorter; a worker that died is waited for so long
OVERVIEWS = 64  # stretches of one round: 10 MB
OVERVIEW_BYTES = 1 << 20  # of one transaction; where a group has few articles left, stretches are small
SHOWN = 20  # broken invariants named in the log

logger = log.get("jobs")


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do again and again.  ``run`` does one bounded round; True asks for another at once."""

    name: str
    every_s: float
    run: Callable[[Store], Awaitable[bool]]


async def tidy(store: Store) -> bool:
    """Content without entries, old traces, old Message-IDs."""
    from quintet.store import sweep  # what runs once an hour need not be loaded at the start

    swept, more = await sweep.some(store)
    if swept.messages or swept.blobs:
        logger.info("swept", messages=swept.messages, blobs=swept.blobs, traces=swept.traces, ids=swept.ids)
    return more


async def tidy_files(store: Store) -> bool:
    """Files that no row names."""
    from quintet.store import sweep  # as above

    removed = await sweep.files(store)
    if removed:
        logger.info("swept files", files=removed)
    return False


async def forget(store: Store) -> bool:
    """Tombstones beyond those that anybody who was away needs."""
    from quintet.store import sweep  # as above

    gone = await sweep.tombstones(store)
    if gone:
        logger.info("tombstones forgotten", tombstones=gone)
    return False


async def inspect(store: Store) -> bool:
    """The invariants, every night; a broken one is our bug and is said loudly."""
    from quintet.store import check  # as above

    broken = await store.read(check.everything, store.blobs)
    for text in broken[:SHOWN]:
        logger.error("invariant broken", text=str(text))
    return False


async def index(store: Store) -> bool:
    """Texts that the search index does not have yet; what is not there is scanned until then."""
    from quintet.store import search  # as above

    _, more = await search.index_some(store)
    return more


async def prune_index(store: Store) -> bool:
    """Texts of messages that are gone."""
    from quintet.store import search  # as above

    await search.prune(store)
    return False


async def remember(store: Store) -> bool:
    """The table of known Message-IDs: a round of building one where it is needed."""
    from quintet.store import remembering  # as above

    return await remembering.some(store)


async def overview(store: Store) -> bool:
    """Overview lines of full stretches of groups side by side, before somebody asks for them."""
    from quintet.store import overviews  # as above

    wanted = await store.read(overviews.missing, OVERVIEWS)
    made, size = [], 0
    for folder_id, low, gone in wanted:
        found = await store.read(overviews.read, folder_id, low, low + overviews.SIZE - 1, gone)
        store.blobs.check_space(len(found.data))
        made.append(found)
        size += len(found.data)
        if size > OVERVIEW_BYTES:
            await store.write(overviews.keep_all, made)
            made, size = [], 0
    if made:
        await store.write(overviews.keep_all, made)
    return len(wanted) == OVERVIEWS


HOUR = 3600.0
JOBS = (
    Job("overview", 30.0, overview),  # before those that may take minutes
    Job("search", 30.0, index),
    Job("search prune", 24 * HOUR, prune_index),
    Job("history", 30.0, remember),
    Job("tidy", HOUR / 6, tidy),
    Job("tidy files", 24 * HOUR, tidy_files),
    Job("tombstones", 24 * HOUR, forget),
    Job("inspect", 24 * HOUR, inspect),
)


class Jobs:
    """One a process; looks now and then, and works on what is due and free."""

    def __init__(self, store: Store, clock: Clock, wanted: tuple[Job, ...] = JOBS) -> None:
        self._store = store
        self._clock = clock
        self._wanted = wanted
        self._owner = f"{os.getpid()}.{clock.token(4)}"
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="jobs")

    async def close(self) -> None:
        """Ends in the middle of a round if need be: a round is made of transactions."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def once(self) -> int:
        """Does everything that is due now; returns how many jobs that were."""
        due = self._store.peek(_due, [job.name for job in self._wanted])
        return sum([await self._do(job) for job in self._wanted if job.name in due])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S * (0.5 + self._clock.random()))  # not all workers at once
            try:
                await self.once()
            except Problem as problem:
                logger.warning("jobs put off", reason=problem.reason.value)
            except Exception as bug:  # must not end the jobs for good
                logger.error("jobs failed", exc_info=bug)  # noqa: TRY400 - ours has no exception()

    async def _do(self, job: Job) -> bool:
        until = self._clock.now() + LEASE_MS
        if await self._store.write(jobs.lease, job.name, self._owner, until) is None:
            return False
        error = ""
        try:
            while await job.run(self._store):
                until = self._clock.now() + LEASE_MS
                if await self._store.write(jobs.lease, job.name, self._owner, until) is None:
                    logger.warning("job lost", job=job.name)  # it took longer than its lease
                    return True
        except Problem as problem:
            error = problem.text
            logger.warning("job put off", job=job.name, reason=problem.reason.value)
        except Exception as bug:  # must not end the server
            error = type(bug).__name__
            logger.error("job failed", job=job.name, exc_info=bug)  # noqa: TRY400 - ours has no exception()
        pause_s = min(job.every_s, RETRY_S) if error else job.every_s
        due_at = self._clock.now() + round(pause_s * 1000)
        await self._store.write(jobs.finish, job.name, self._owner, due_at, "", error)
        return True


def _due(tx: Tx, names: list[str]) -> set[str]:
    """The jobs nobody works on that are due; one never done before is due."""
    rows = {row.name: row for row in jobs.listing(tx)}
    return {
        name
        for name in names
        if name not in rows or (rows[name].due_at <= tx.now and rows[name].lease_until <= tx.now)
    }
