"""Who works on queued mail: leases against an administrator's hand, and against workers that died."""

import asyncio
import subprocess
import sys

import pytest

from quintet.store import queue
from tests.support.nexthost import next_host

HOUR_MS = 3_600_000


@pytest.fixture
async def leased(out) -> queue.Recipient:
    """One recipient in the hands of a worker."""
    await out.queue("zoe@example.net")
    store = out.house.store
    return (await store.write(queue.lease, "mx.example.org:1:a", out.house.clock.now() + HOUR_MS, 10))[0]


async def state(out) -> list[str]:
    return [row.state for row in await out.house.queued()]


async def test_held_during_a_try_stays_held(out, leased) -> None:
    store, now = out.house.store, out.house.clock.now()
    await store.write(queue.hold, leased.id)
    await store.write(queue.defer, leased.id, now + 1000, "450 busy")
    assert await state(out) == ["held"]
    await store.write(queue.retry, leased.id)
    assert await state(out) == ["waiting"]


async def test_retry_during_a_try_sends_nothing_twice(out, leased) -> None:
    store = out.house.store
    await store.write(queue.retry, leased.id)
    assert await state(out) == ["leased"]
    assert await store.write(queue.lease, "another", out.house.clock.now() + HOUR_MS, 10) == []
    out.house.clock.advance(3601)
    await store.write(queue.retry, leased.id)
    assert await state(out) == ["waiting"]


@pytest.mark.parametrize("hand", [queue.hold, queue.remove])
async def test_held_or_removed_while_it_waits_in_its_lane_is_not_sent(out, to_host, hand) -> None:
    async with next_host() as host:
        runner = out.runner(routes=to_host(host.port), concurrency=1)
        await out.queue("zoe@example.net")
        await out.queue("yan@example.net")
        runner._hire = lambda: None  # nobody works yet
        await runner._take()
        first = (await out.house.queued())[0]
        await out.house.store.write(hand, first.id)
        del runner._hire
        runner._hire()
        while busy := runner._tasks | runner._behind:
            await asyncio.wait(busy)
        assert [line for line in host.heard if line.startswith("RCPT")] == ["RCPT TO:<yan@example.net>"]
        assert runner._in_hand == {}


async def test_leases_of_a_process_that_died_are_freed_at_once(out, to_host) -> None:
    async with next_host() as host:
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        await out.queue("zoe@example.net")
        until = out.house.clock.now() + HOUR_MS
        await out.house.store.write(queue.lease, f"mx.example.org:{gone.pid}:a", until, 10)
        await out.queue("yan@example.net")
        living = out.runner(routes=to_host(host.port))
        await out.house.store.write(queue.lease, living.owner, until, 10)
        runner = out.runner(routes=to_host(host.port))
        running = asyncio.create_task(runner.run())
        async with asyncio.timeout(30):
            while len(await out.house.queued()) > 1:
                await asyncio.sleep(0.01)
        await runner.stop(1.0)
        await running
        assert [line for line in host.heard if line.startswith("RCPT")] == ["RCPT TO:<zoe@example.net>"]
        assert await state(out) == ["leased"]  # that worker lives
