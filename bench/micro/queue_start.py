"""A queue of a million recipients: how long it takes to start, to take the first batch, and how much memory.

    .venv/bin/python -m bench.micro.queue_start [--recipients 1000000] [--domains 50000]

Fills a temporary store by `executemany`, then measures in a fresh process: opening, the first lease of a
runner, a hundred more with their settlement, and the resident size at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from quintet.clock import SystemClock
from quintet.config.store import Store as StoreConfig
from quintet.store import db, lanes, queue
from quintet.store.content import content_of
from quintet.store.store import Store

LETTER = b"From: a@example.org\r\nMessage-ID: <1@example.org>\r\nSubject: many\r\n\r\nbody\r\n"
A_MESSAGE = 100  # recipients


async def fill(data: Path, recipients: int, domains: int) -> None:
    """A queue as a list host has it: messages of 100 recipients over many domains, all due."""
    store = await Store.open(StoreConfig(data=str(data), sync="off"))
    item = queue.QueueItem(content_of(LETTER), "a@example.org", expires_at=2**50)
    await store.write(queue.put, item, [queue.To("first@example.net")])
    message = store.peek(lambda tx: tx.value("SELECT message_id FROM queue"))
    await store.close()
    tx = db.SqliteTx(db.open_sqlite(data / "quintet.db", writable=True, sync="off"))
    now = SystemClock().now()
    tx.begin(now)
    first = tx.new_ids(recipients + recipients // A_MESSAGE + 1)
    items = range(first, first + recipients // A_MESSAGE)
    tx.many(
        "INSERT INTO queue (id, message_id, sender, created_at, expires_at)"
        " VALUES (?, ?, 'a@example.org', ?, ?)",
        ((number, message, now, 2**50) for number in items),
    )
    tx.many(
        "INSERT INTO queue_recipient (id, queue_id, address, domain, state, due_at, rank)"
        " VALUES (?, ?, ?, ?, 'waiting', ?, ?)",
        _rows(items, recipients, domains, now),
    )
    tx.run(
        "INSERT INTO queue_lane (domain, rank, due_at) SELECT domain, rank, min(due_at) FROM queue_recipient"
        " WHERE state = 'waiting' AND rank < 0 GROUP BY domain, rank"
    )
    tx.commit()
    tx.close()


def _rows(items: range, recipients: int, domains: int, now: int) -> Iterator[tuple[object, ...]]:
    rank = lanes.rank(0, A_MESSAGE)
    for number in range(recipients):
        domain = f"d{number % domains}.example"
        item = items[min(number // A_MESSAGE, len(items) - 1)]
        yield items.stop + number, item, f"u{number}@{domain}", domain, now - 1000, rank


async def measure(data: Path) -> dict[str, float]:
    """In the process that is measured."""
    process = psutil.Process()
    before = process.memory_info().rss
    began = time.perf_counter()
    store = await Store.open(StoreConfig(data=str(data), sync="off"))
    opened = time.perf_counter()
    store.peek(queue.lease_owners)
    store.peek(queue.next_due)
    until = store.clock.now() + 900_000
    first = await store.write(queue.lease, "me", until, 100)
    leased = time.perf_counter()
    taken = len(first)
    for _ in range(100):
        await store.write(queue.done, [one.id for one in first])
        first = await store.write(queue.lease, "me", until, 100)
        taken += len(first)
    ended = time.perf_counter()
    counting = time.perf_counter()
    await store.read(queue.counts)
    counted = time.perf_counter()
    peak = process.memory_info()
    await store.close()
    return {
        "open_s": opened - began,
        "first_lease_s": leased - opened,
        "a_lease_and_done_ms": (ended - leased) * 10,
        "recipients": taken,
        "counts_s": counted - counting,
        "rss_mb": peak.rss / 2**20,
        "mapped_mb": peak.shared / 2**20,  # of it: the database file, which all processes share
        "grown_mb": (peak.rss - before) / 2**20,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipients", type=int, default=1_000_000)
    parser.add_argument("--domains", type=int, default=50_000)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        print(json.dumps(asyncio.run(measure(options.measure))))
        return
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        began = time.perf_counter()
        asyncio.run(fill(data, options.recipients, options.domains))
        print(f"filled in {time.perf_counter() - began:.1f} s")
        command = [sys.executable, "-m", "bench.micro.queue_start", "--measure", folder]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
