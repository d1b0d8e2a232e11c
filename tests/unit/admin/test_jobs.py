"""Jobs are done by one worker at a time, again after their time, and survive their own failures."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from quintet import log
from quintet.admin import jobs
from quintet.clock import FrozenClock
from quintet.config.store import Store as StoreConfig
from quintet.errors import Reason, TryLater
from quintet.store import accounts, changes, entries, folders, sweep
from quintet.store import jobs as rows
from quintet.store.content import content_of
from quintet.store.db import Tx
from quintet.store.model import Folder
from quintet.store.store import Store
from tests.support.stores import expect_sound


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


async def test_job_that_failed_is_tried_again_soon_however_rare_it_is(store: Store) -> None:
    work = Work(error=KeyError("bug"))
    runner = jobs.Jobs(store, store.clock, (jobs.Job("rare", 24 * 3600.0, work),))
    with log.capture() as told:
        assert await runner.once() == 1
    assert [line["event"] for line in told] == ["job failed"]
    work.error = None
    assert isinstance(store.clock, FrozenClock)
    store.clock.advance(jobs.RETRY_S + 1)
    assert await runner.once() == 1
    assert [row.last_error for row in store.peek(rows.listing)] == [""]


async def test_job_whose_lease_ran_out_leaves_the_rest_to_who_has_it_now(store: Store) -> None:
    async def slow(_: Store) -> bool:
        assert isinstance(store.clock, FrozenClock)
        store.clock.advance(jobs.LEASE_MS / 1000 + 1)
        assert await store.write(rows.lease, "slow", "other", store.clock.now() + 60_000) is not None
        return True

    with log.capture() as told:
        assert await jobs.Jobs(store, store.clock, (jobs.Job("slow", 600.0, slow),)).once() == 1
    assert [line["event"] for line in told] == ["job lost"]
    [row] = store.peek(rows.listing)
    assert row.lease_owner == "other"


async def test_two_workers_share_the_jobs_and_do_none_twice(store: Store) -> None:
    work = Work()
    one, other = _jobs(store, work), _jobs(store, work)
    assert sum(await asyncio.gather(one.once(), other.once())) >= 1
    assert work.rounds == 1


async def test_tombstones_beyond_what_anybody_needs_are_forgotten(store: Store) -> None:
    def fill(tx: Tx) -> Folder:
        inbox = folders.find(tx, accounts.create(tx, "a@example.org").id, "INBOX")
        assert inbox is not None
        for number in range(30):
            entries.add(tx, [inbox.id], content_of(b"Subject: %d\r\n\r\n" % number), received_at=tx.now)
        for uid in range(1, 28):
            entries.expunge(tx, inbox.id, [uid], only_deleted=False)
        return folders.get(tx, inbox.id)

    inbox = await store.write(fill)
    before = inbox.highest_modseq - 27
    told = store.peek(changes.since, inbox.id, before)
    assert await sweep.tombstones(store, keep=10) == 17
    assert await sweep.tombstones(store, keep=10) == 0
    after = store.peek(changes.since, inbox.id, before)
    assert after.vanished == told.vanished == [(1, 27)]  # also who was away for long hears of all
    assert list(store.peek(entries.uids, inbox.id)) == [28, 29, 30]
    expect_sound(store)
