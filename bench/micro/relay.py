"""What it costs to send queued messages on: CPU and wall time a message, to a sink on loopback.

    .venv/bin/python -m bench.micro.relay [--messages 5000] [--recipients 1] [--profile]

The queue is filled first; only the runner is measured, with every flush to the disk.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import multiprocessing
import os
import pstats
import socket
import tempfile
import time
from pathlib import Path

from bench.loadgen.smtp import sink_main
from quintet import log
from quintet.clock import SystemClock
from quintet.config.queue import Queue
from quintet.config.route import Route
from quintet.config.store import Store as StoreConfig
from quintet.delivery.directory import Directory
from quintet.delivery.outbound import Runner
from quintet.net.dns import Resolver
from quintet.smtp.client import SmtpTransport
from quintet.store import queue
from quintet.store.content import content_of
from quintet.store.store import Store

LETTER = (
    b"From: a@example.org\r\nTo: b@example.net\r\nSubject: number %d\r\nMessage-ID: <%d@example.org>\r\n"
    b"Date: Fri, 21 Nov 2025 09:00:00 +0000\r\n\r\n" + b"A line of an ordinary letter, not long.\r\n" * 50
)


LIMIT_S = 120.0  # seconds: longer is no measurement


async def fill(store: Store, messages: int, recipients: int) -> None:
    for number in range(messages):
        item = queue.QueueItem(
            content_of(LETTER % (number, number)), "a@example.org", b"Received: from x by y; now\r\n"
        )
        to = [queue.To(f"u{number}.{each}@example.net") for each in range(recipients)]
        await store.write(queue.put, item, to)


async def measure(options: argparse.Namespace, port: int) -> None:
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        store = await Store.open(StoreConfig(data=str(Path(folder)), sync="off"))
        await fill(store, options.messages, options.recipients)
        await store.close()
        store = await Store.open(StoreConfig(data=str(Path(folder)), sync=options.sync))
        config = Queue(
            routes={"sink": Route(via="smtp", host="127.0.0.1", port=port, tls="never")},
            per_destination=options.sessions,
        )
        runner = Runner(
            store,
            config,
            directory=Directory(store, clock),
            resolver=Resolver(),
            transport=SmtpTransport("bench.example", clock=clock),
            hostname="bench.example",
            clock=clock,
        )
        profile = cProfile.Profile()
        before, began, transactions, commits = (
            time.process_time(),
            time.perf_counter(),
            store.transactions,
            store.commits,
        )
        running = asyncio.create_task(runner.run())
        if options.profile:
            profile.enable()
        while store.peek(lambda tx: tx.value("SELECT 1 FROM queue LIMIT 1")) is not None:
            await asyncio.sleep(0.005)
            if time.perf_counter() - began > LIMIT_S:
                raise SystemExit(f"stuck: {store.peek(queue.counts)}")
        profile.disable()
        cpu, wall = time.process_time() - before, time.perf_counter() - began
        print(
            f"{options.messages} messages of {options.recipients} recipients: {options.messages / wall:.0f}/s"
            f", {cpu / options.messages * 1e6:.0f} us CPU a message,"
            f" {(store.transactions - transactions) / options.messages:.2f} transactions and"
            f" {(store.commits - commits) / options.messages:.3f} commits a message"
        )
        await runner.stop(1.0)
        await running
        await store.close()
        if options.profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(45)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--recipients", type=int, default=1)
    parser.add_argument("--sessions", type=int, default=5)
    parser.add_argument("--sync", default="full")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    log.configure("info", stream=Path(os.devnull).open("w"))  # noqa: SIM115 (open to the end)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("fork")
    value, ready = context.Value("L", 0), context.Event()
    sink = context.Process(target=sink_main, args=(port, value, ready), daemon=True)
    sink.start()
    ready.wait(5)
    try:
        asyncio.run(measure(options, port))
        print(f"{value.value} messages at the sink")
    finally:
        sink.terminate()


if __name__ == "__main__":
    main()
