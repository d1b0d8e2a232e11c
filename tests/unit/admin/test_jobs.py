"""Jobs are done by one worker at a time, again after their time, and survive their own failures."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from quintet.admin import jobs
from quintet.clock import FrozenClock
from quintet.config.store import Store as StoreConfig
from quintet.errors import Reason, TryLater
from quintet.store import jobs as rows
from quintet.store.store import Store


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = await Store.open(StoreConfig(data=str(tmp_path / "data"), sync="off"), clock=FrozenClock())
    yield made
    await made.close()


class Work:
    """Counts its rounds; has ``left`` more at first; fails as told."""

    def __init__(self, left: int = 0, error: Exception | None = None) -> None:
        self.rounds, self.left, self.error = 0, left, error

    async def __call__(self, _: Store) -> bool:
        self.rounds += 1
        if self.error is not None:
            raise self.error
        self.left -= 1
        return self.left >= 0


def _jobs(store: Store, work: Work) -> jobs.Jobs:
    return jobs.Jobs(store, store.clock, (jobs.Job("work", 600.0, work),))


async def test_job_runs_until_nothing_is_left_and_again_after_its_time(store: Store) -> None:
    work = Work(left=2)
    runner = _jobs(store, work)
    assert await runner.once() == 1
    assert work.rounds == 3
    assert await runner.once() == 0
    assert isinstance(store.clock, FrozenClock)
    store.clock.advance(601)
    assert await runner.once() == 1


async def test_job_that_another_worker_has_is_left_alone(store: Store) -> None:
    until = store.clock.now() + 60_000
    assert await store.write(rows.lease, "work", "other", until) is not None
    work = Work()
    assert await _jobs(store, work).once() == 0
    assert isinstance(store.clock, FrozenClock)
    store.clock.advance(61)  # it died
    assert await _jobs(store, work).once() == 1


async def test_job_that_fails_is_noted_and_tried_later(store: Store) -> None:
    for error, text in ((TryLater(Reason.BUSY), "busy"), (KeyError("bug"), "KeyError")):
        runner = _jobs(store, Work(error=error))
        assert await runner.once() == 1
        [row] = store.peek(rows.listing)
        assert row.last_error == text
        assert row.lease_owner == ""
        assert isinstance(store.clock, FrozenClock)
        store.clock.advance(601)


async def test_the_real_jobs_run_on_an_empty_store(store: Store) -> None:
    assert await jobs.Jobs(store, store.clock).once() == len(jobs.JOBS)
    assert [row.last_error for row in store.peek(rows.listing)] == [""] * len(jobs.JOBS)
