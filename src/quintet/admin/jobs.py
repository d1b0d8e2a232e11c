"""What the server does by itself, now and then: tidying the store.  One task, slow and patient."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from quintet import log
from quintet.clock import Clock
from quintet.errors import Problem
from quintet.store.store import Store

logger = log.get("jobs")


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do again and again."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[object]]


class Jobs:
    """One task a job; a job that fails is logged and tried again at its next time."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self.jobs: list[Job] = []

    def add(self, name: str, every_s: float, run: Callable[[], Awaitable[object]]) -> None:
        self.jobs.append(Job(name, every_s, run))

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._repeat(job), name=f"job {job.name}") for job in self.jobs]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, job: Job) -> None:
        while True:
            # not all workers at once
            await asyncio.sleep(job.every_s * (0.5 + self._clock.random()))
            try:
                await job.run()
            except Problem as problem:
                logger.warning("job put off", job=job.name, reason=problem.reason.value)
            except Exception as error:
                logger.error("job failed", job=job.name, exc_info=error)  # noqa: TRY400 - ours has no exception()
