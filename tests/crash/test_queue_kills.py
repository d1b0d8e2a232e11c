"""A queue runner killed with SIGKILL while it relays and reports, again and again; another takes its leases.

What was queued arrives at the next host, or its sender has a report; nothing is lost.  A letter arrives twice
only when the host took it and the runner died before that was written down (RFC 5321 6.1): at a kill, a
session has one such letter and no more, as the end of the next is not said before the last is written down.
"""

from __future__ import annotations

import asyncio
import collections
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from quintet.clock import SystemClock
from quintet.config.queue import Limit, Queue
from quintet.config.route import Route
from quintet.config.store import Store as StoreConfig
from quintet.delivery.directory import Directory
from quintet.delivery.outbound import Runner
from quintet.net.dns import Resolver
from quintet.smtp.client import SmtpTransport
from quintet.store import accounts, entries, folders, queue
from quintet.store.content import content_of
from quintet.store.store import Store
from tests.support.nexthost import NextHost, next_host
from tests.support.stores import expect_sound

LETTERS = 150
KILLS = int(os.environ.get("QUINTET_QUEUE_KILLS", "12"))
SESSIONS = 5
LIMIT_S = 120.0


def _runner(store: Store, port: int) -> Runner:
    clock = SystemClock()
    config = Queue(
        routes={"next": Route(via="smtp", host="127.0.0.1", port=port, tls="never")},
        per_destination=SESSIONS,
        limits={"*": Limit(adaptive=False)},  # it shall not rest from this host
        retry_s=[1.0],
        poll_s=0.2,
        suppress_after=0,
    )
    return Runner(
        store,
        config,
        directory=Directory(store, clock),
        resolver=Resolver(),
        transport=SmtpTransport("mx.example.org", clock=clock),
        hostname="mx.example.org",
        clock=clock,
    )


def _work(data: str, port: int) -> None:
    """A worker: runs the queue until it is killed."""

    async def work() -> None:
        store = await Store.open(StoreConfig(data=data, sync="off"))
        await _runner(store, port).run()

    asyncio.run(work())


class Unsteady(NextHost):
    """A next host that sometimes dies after DATA, between recipients, or says what is no reply."""

    rng = random.Random(7)
    unsaid = 0  # letters taken without a word

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.replies = {"RCPT TO:<NOBODY": "550 5.1.1 who is that"}
        match self.rng.randrange(12):
            case 0:
                self.replies["RCPT TO:<U1"] = ""
            case 1:
                self.replies["DATA"] = "what?"
            case 2:
                self.replies["MAIL"] = "421 4.3.2 enough"
        await super().serve(reader, writer)

    async def _data(self, reader: asyncio.StreamReader, say, accepted: int) -> None:
        dies = self.rng.randrange(15) == 0
        await super()._data(reader, (lambda _: None) if dies else say, accepted)
        if dies:
            Unsteady.unsaid += 1
            raise ConnectionResetError  # it has the message, and nobody hears so


async def _fill(data: str) -> None:
    store = await Store.open(StoreConfig(data=data, sync="off"))
    await store.write(accounts.add_domain, "example.org")
    await store.write(accounts.create, "alice@example.org")
    for number in range(LETTERS):
        letter = f"Message-ID: <{number}@example.org>\r\nSubject: {number}\r\n\r\nx\r\n".encode()
        to = [f"u{number}@far.example"] + ([f"nobody{number}@far.example"] if number % 5 == 0 else [])
        await store.write(
            queue.put,
            queue.QueueItem(content_of(letter), "alice@example.org"),
            [queue.To(each) for each in to],
        )
    await store.close()


def _names(messages: list[bytes]) -> collections.Counter[str]:
    """The numbers of letters."""
    return collections.Counter(
        line.partition(b"<")[2].partition(b"@")[0].decode()
        for message in messages
        for line in message.split(b"\r\n")
        if line.startswith(b"Message-ID:")
    )


def _reported(store: Store) -> set[str]:
    account = store.peek(accounts.find, "alice@example.org")
    assert account is not None
    inbox = store.peek(folders.find, account.id, "INBOX")
    assert inbox is not None
    found = set()
    for entry in store.peek(entries.listing, inbox.id):
        data = store.read_body(store.peek(entries.body_ref, inbox.id, entry.uid)).decode()
        found |= {
            line.partition("; ")[2] for line in data.split("\r\n") if line.startswith("Final-Recipient")
        }
    return found


@pytest.mark.slow
async def test_killed_runners_lose_no_letter_and_no_report(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    await _fill(data)
    rng = random.Random(11)
    context = multiprocessing.get_context("forkserver")  # a worker begins with everything imported
    context.set_forkserver_preload([__name__])
    kills = unsure = 0
    async with next_host(kind=Unsteady) as host:
        store = await Store.open(StoreConfig(data=data, sync="off"))
        ends = time.monotonic() + LIMIT_S
        while store.peek(queue.counts) and time.monotonic() < ends:
            worker = context.Process(target=_work, args=(data, host.port), daemon=True)
            worker.start()
            began, unsaid = len(host.messages), Unsteady.unsaid
            while len(host.messages) == began and store.peek(queue.counts) and worker.is_alive():
                if time.monotonic() > ends:
                    break
                await asyncio.sleep(0.01)
            if kills < KILLS:
                await asyncio.sleep(rng.uniform(0.0, 0.03))
                kills += bool(store.peek(queue.counts))
            else:
                while store.peek(queue.counts) and time.monotonic() < ends:
                    await asyncio.sleep(0.05)
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)
            await asyncio.to_thread(worker.join)
            left = {row.address.partition("@")[0][1:] for row in store.peek(queue.listing)}
            taken = len(left & set(_names(host.messages[began:]))) - (Unsteady.unsaid - unsaid)
            assert taken <= SESSIONS
            unsure += max(0, taken)
        assert store.peek(queue.counts) == {}
        arrived = _names(host.messages)
        reported = await asyncio.to_thread(_reported, store)
        expect_sound(store)
        await store.close()
    assert kills >= 3  # it was killed at its work
    assert set(arrived) == {str(number) for number in range(LETTERS)}  # nothing is lost
    assert reported == {f"nobody{number}@far.example" for number in range(0, LETTERS, 5)}
    twice = sum(arrived.values()) - LETTERS
    assert twice <= unsure + Unsteady.unsaid
    print(
        f"{kills} kills, {host.connections} sessions, {twice} letters twice ({Unsteady.unsaid} of the host's)"
    )
