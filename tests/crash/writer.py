"""A program to be killed: forks writers, kills each at a random moment, again and again.

    python -m tests.crash.writer DATA ROUNDS WRITERS SEED

Each writer delivers letters, small and large, and prints a letter's number when, and only when, the store
said that it is written.  The parent never opens the store: a fork is all that a round costs.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time

from quintet.config.store import Store as StoreConfig
from quintet.errors import TryLater
from quintet.store import accounts, content, entries, folders
from quintet.store.store import Store


def body(number: int) -> bytes:
    head = f"Message-ID: <k{number}@example.org>\r\nSubject: {number}\r\n\r\n".encode()
    return head + b"Some words of a letter that somebody kills.\r\n" * (3000 if number % 9 == 0 else 20)


async def work(data: str, first: int) -> None:
    store = await Store.open(StoreConfig(data=data))
    account = store.peek(accounts.find, "alice")
    assert account
    inbox, archive = (store.peek(folders.find, account.id, name) for name in ("INBOX", "Archive"))
    assert inbox
    assert archive

    async def one(start: int) -> None:
        for number in range(start, first + 100_000, 4):
            spool = store.spool()
            try:
                spool.write(body(number))
                (added,) = await store.write(
                    entries.add, [inbox.id], await spool.finish(), received_at=number
                )
            except TryLater:
                continue
            finally:
                spool.discard()
            os.write(1, b"%d\n" % number)  # one write, so a line is never torn
            if number % 5 == 0:
                await store.write(entries.move, inbox.id, [added.uid], archive.id)
            elif number % 3 == 0:
                await store.write(entries.set_flags, inbox.id, [added.uid], "+", 1)

    await asyncio.gather(*(one(first + i) for i in range(4)))


def main(data: str, rounds: int, writers: int, seed: int) -> None:
    chance = random.Random(seed)
    for turn in range(rounds):
        children = []
        for writer in range(writers):
            pid = os.fork()
            if pid == 0:
                asyncio.run(work(data, (turn * writers + writer) * 1_000_000))
                os._exit(0)
            children.append(pid)
        for pid in chance.sample(children, len(children)):
            time.sleep(chance.uniform(0.005, 0.12))
            os.kill(pid, signal.SIGKILL)
        for pid in children:
            os.waitpid(pid, 0)
        os.write(1, b"killed %d\n" % len(children))


if __name__ == "__main__":
    content.content_of(body(1))  # everything is imported before the first fork
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
