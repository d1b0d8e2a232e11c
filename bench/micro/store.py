"""Micro-benchmark of the store: deliveries, listings, overview, bodies; CPU and wall a unit.

python -m bench.micro.store [deliveries]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
import tracemalloc

from quintet.config.store import Store as StoreConfig
from quintet.store import accounts, content, entries, folders, groups
from quintet.store.store import Store

BODY = (
    b"From: Zoe <zoe@example.org>\r\nTo: Ann <ann@example.org>\r\nSubject: number %07d\r\n"
    b"Date: Fri, 21 Nov 2025 09:00:00 +0000\r\nMessage-ID: <m%d@bench.example>\r\n"
    b"References: <m0@bench.example>\r\n\r\n" + b"Some words to fill a line of an ordinary letter.\r\n" * 36
)


def report(what: str, count: int, wall: float, cpu: float) -> None:
    print(f"{what:44} {count:8}  wall {wall / count * 1e6:8.2f} us  cpu {cpu / count * 1e6:8.2f} us")


class Timer:
    def __enter__(self) -> Timer:
        self.start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall = time.perf_counter() - self.start[0]
        self.cpu = time.process_time() - self.start[1]


async def deliveries(
    store: Store, places: list[int], made: list[content.Content], at_once: int, name: str
) -> None:
    todo = iter(enumerate(made))

    async def one() -> None:
        for i, item in todo:
            await store.write(
                entries.add, [places[i % len(places)]], item, prefix=b"Received: x\r\n", received_at=1
            )

    commits = store.commits
    with Timer() as timer:
        await asyncio.gather(*(one() for _ in range(at_once)))
    report(f"{name}, {at_once} at once", len(made), timer.wall, timer.cpu)
    print(f"{'':44} {len(made) / timer.wall:8.0f}/s in {store.commits - commits} commits")


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = await Store.open(StoreConfig(data=folder))
        owners = [await store.write(accounts.create, f"u{i}") for i in range(50)]
        boxes = []
        for owner in owners:
            found = store.peek(folders.find, owner.id, "INBOX")
            assert found
            boxes.append(found.id)
        group = await store.write(groups.create, "bench.test")
        with Timer() as timer:
            made = [content.content_of(BODY % (i, i)) for i in range(count)]
        report("scan, hash and render 2 KB", count, timer.wall, timer.cpu)
        await deliveries(store, boxes, made[: count // 10], 1, "deliver to 50 inboxes")
        await deliveries(store, boxes[:1], made[count // 10 : count // 4], 10, "deliver to 1 inbox")
        await deliveries(store, boxes, made[count // 4 :], 50, "deliver to 50 inboxes")

        news = [content.content_of(BODY % (i, i + count)) for i in range(count)]

        async def feed(items: list[content.Content]) -> None:
            for item in items:
                await store.write(groups.file, [group.id], item, path=b"news!x", host="news", received_at=1)

        with Timer() as timer:
            await asyncio.gather(*(feed(news[i::50]) for i in range(50)))
        report("file articles, 50 at once", count, timer.wall, timer.cpu)

        for turn in ("cold", "warm"):
            with Timer() as timer:
                low, lines, size = 1, 0, 0
                while low <= count:
                    data, got, low = store.peek(groups.overview, group.id, low, count)
                    lines += got
                    size += len(data)
            report(f"overview lines, {turn} ({size // lines} bytes each)", lines, timer.wall, timer.cpu)
        for turn in ("cold", "warm"):
            with Timer() as timer:
                low = got = 0
                while rows := store.peek(entries.lines, group.id, low + 1, count):
                    low = rows[-1][0]
                    got += len(rows)
            report(f"FETCH line columns, {turn}", got, timer.wall, timer.cpu)
        flags = ("uid", "flags", "keywords", "size")
        with Timer() as timer:
            low = got = 0
            while rows := store.peek(entries.lines, group.id, low + 1, count, 500, flags):
                low = rows[-1][0]
                got += len(rows)
        report("flags and sizes only", got, timer.wall, timer.cpu)
        with Timer() as timer:
            got = 0
            for low in range(1, count, 100):
                got += len(store.peek(entries.bodies, group.id, list(range(low, low + 100))))
        report("bodies of 2 KB, 100 a query", got, timer.wall, timer.cpu)
        with Timer() as timer:
            for low in range(1, count, 10):
                store.peek(entries.bodies, group.id, [low])
        report("bodies, one a query", count // 10, timer.wall, timer.cpu)
        tracemalloc.start()
        with Timer() as timer:
            numbers = await store.read(entries.uids, group.id)
        print(f"uids: {len(numbers)}, peak {tracemalloc.get_traced_memory()[1] / 1e6:.1f} MB")
        tracemalloc.stop()
        with Timer() as timer:
            numbers = await store.read(entries.uids, group.id)
        report("uids of a folder", len(numbers), timer.wall, timer.cpu)
        await store.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
