"""A process killed with SIGKILL while it accepts mail and sends it on at once; another takes its leases.

What was accepted, and lay leased by the dead (decision 0211), arrives; each session has at most one letter
twice (RFC 5321 6.1).
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from quintet.clock import SystemClock
from quintet.config.smtp import Smtp
from quintet.config.store import Store as StoreConfig
from quintet.delivery.envelope import Envelope, Recipient, mailbox
from quintet.delivery.inbound import Inbound
from quintet.net.seam import Peer
from quintet.store import queue
from quintet.store.content import content_of
from quintet.store.store import Store
from tests.crash.test_queue_kills import SESSIONS, _names, _runner
from tests.support.nexthost import next_host
from tests.support.stores import expect_sound

KILLS = int(os.environ.get("QUINTET_QUEUE_KILLS", "12"))
LIMIT_S = 120.0


def _work(data: str, port: int, first: int, told: Connection) -> None:
    """Accepts letters with running numbers, tells of each, and sends them, until it is killed."""

    async def work() -> None:
        store = await Store.open(StoreConfig(data=data, sync="off"))
        runner = _runner(store, port)
        way = Inbound(store, Smtp(), hostname="mx.example.org", clock=SystemClock())
        way.claims = runner
        running = asyncio.create_task(runner.run())
        number = first
        while first >= 0:
            envelope = Envelope(peer=Peer("c", "127.0.0.1"), sender=mailbox("a@example.org"), id=f"i{number}")
            envelope.recipients.append(Recipient(mailbox(f"u{number}@far.example")))
            letter = f"Message-ID: <{number}@example.org>\r\nSubject: x\r\n\r\nx\r\n".encode()
            await way.accept(envelope, content_of(letter))
            told.send(number)
            number += 1
            await asyncio.sleep(0.001)
        await running

    asyncio.run(work())


@pytest.mark.slow
async def test_letters_that_were_claimed_by_the_dead_arrive(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    rng = random.Random(5)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    accepted: set[int] = set()
    claimed = 0
    async with next_host() as host:
        store = await Store.open(StoreConfig(data=data, sync="off"))
        for kill in range(KILLS + 1):
            ours, theirs = context.Pipe(duplex=False)
            first = -1 if kill == KILLS else 10_000 * kill  # the last one only sends
            worker = context.Process(target=_work, args=(data, host.port, first, theirs), daemon=True)
            worker.start()
            ends = time.monotonic() + LIMIT_S
            if first < 0:
                while store.peek(queue.counts) and time.monotonic() < ends:
                    await asyncio.sleep(0.05)
            else:
                await asyncio.to_thread(ours.poll, LIMIT_S)  # it is at work
                await asyncio.sleep(rng.uniform(0.05, 0.3))
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)
            await asyncio.to_thread(worker.join)
            while ours.poll():
                try:
                    accepted.add(ours.recv())
                except EOFError:
                    break
            claimed += store.peek(queue.counts).get(queue.LEASED, 0)
        assert store.peek(queue.counts) == {}
        arrived = _names(host.messages)
        expect_sound(store)
        await store.close()
    assert claimed > 0
    assert {str(number) for number in accepted} <= set(arrived)
    assert sum(arrived.values()) - len(arrived) <= KILLS * SESSIONS
