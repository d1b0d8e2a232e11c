"""A mailbox of 1,000,000 messages: how long it takes to open, to page through and to search; memory.

    .venv/bin/python -m bench.million DIR PORT [--messages 1000000]

Fills a store below DIR, if it is not there yet, with small letters that are all different (some 5 minutes,
and 5 more for the index of their texts), starts a server on it and asks.  `make bench` calls it with
``--only IM``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.heavy import watched
from bench.workloads import Result
from quintet.auth import admin
from quintet.config.auth import Auth
from quintet.config.store import Store as StoreConfig
from quintet.store import accounts, entries, folders, search
from quintet.store.content import content_of
from quintet.store.db import Tx
from quintet.store.model import FolderId
from quintet.store.store import Store

MESSAGES = 1_000_000
BATCH = 2000  # letters of a transaction
RARE = 10_000  # one letter in so many holds a needle of its own
PAGES, SEARCHES = 50, 10
BESIDE = 4
OVERVIEW = b"(UID FLAGS ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE)"
LIMIT_S = 120.0
CONFIG = """\
[server]
hostname = "mx.bench.test"
workers = 1

[store]
data = "data"

[auth]
default_domain = "bench.test"

[listeners.imap]
protocol = "imap"
address = "127.0.0.1"
port = {port}
"""
WORDS = ("harbour", "meadow", "copper", "lantern", "winter", "travel", "garden", "silver", "window", "bridge")


def letter(number: int, rng: random.Random) -> bytes:
    words = " ".join(rng.choices(WORDS, k=40))
    rare = f"needle{number // RARE:05} " if not number % RARE else ""
    return (
        f"From: Sender {number % 977} <s{number % 977}@example.net>\r\nTo: one@bench.test\r\n"
        f"Subject: {rng.choice(WORDS)} {number}\r\nMessage-ID: <{number}@million.bench.test>\r\n"
        f"Date: Fri, 21 Nov 2025 09:{number % 60:02}:00 +0000\r\n\r\n{rare}{words}\r\n"
    ).encode()


async def fill(data: Path, messages: int) -> None:
    """An account "one" with ``messages`` in its INBOX, all of them in the index."""
    store = await Store.open(StoreConfig(data=str(data), sync="off"))
    await store.write(accounts.add_domain, "bench.test")
    account = await store.write(accounts.create, "one@bench.test")
    await admin.set_password(store, account.id, "pw", Auth())
    for number in range(1, BESIDE + 1):  # who ask small things beside it
        other = await store.write(accounts.create, f"u{number:04}@bench.test")
        await admin.set_password(store, other.id, "pw", Auth())
    inbox = store.peek(folders.find, account.id, "INBOX")
    assert inbox is not None
    rng = random.Random(1)
    for start in range(0, messages, BATCH):
        letters = [letter(number, rng) for number in range(start, min(start + BATCH, messages))]
        await store.write(_file, inbox.id, letters)
        if not start % 100_000:
            print(f"  {start:,} letters", flush=True)
    done, more = 0, True
    while more:
        count, more = await search.index_some(store, BATCH)
        done += count
        if not done % 100_000:
            print(f"  {done:,} in the index", flush=True)
    await store.close()


def _file(tx: Tx, folder_id: FolderId, letters: list[bytes]) -> None:
    for text in letters:
        entries.add(tx, [folder_id], content_of(text), received_at=1_763_715_600_000)


class Line:
    """One connection, in lock-step."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), LIMIT_S)
        self._file = self._socket.makefile("rb")
        self._file.readline()

    def ask(self, command: bytes) -> float:
        """Milliseconds until the tagged OK."""
        began = time.perf_counter()
        self._socket.sendall(b"a " + command + b"\r\n")
        while not (line := self._file.readline()).startswith(b"a "):
            if not line:
                raise SystemExit("the server hung up")
        if not line.startswith(b"a OK"):
            raise SystemExit(f"{command[:60]!r}: {line!r}")
        return 1000 * (time.perf_counter() - began)


@contextlib.contextmanager
def serving(home: Path, port: int) -> Iterator[int]:
    """A server of ``home``; its process."""
    (home / "quintet.toml").write_text(CONFIG.format(port=port))
    command = [sys.executable, "-m", "quintet", "serve", "-c", str(home / "quintet.toml")]
    with (home / "log").open("ab") as log:
        server = subprocess.Popen(command, cwd=home, stdout=log, stderr=log)
    try:
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.02)
        yield server.pid
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def measure(home: Path, port: int, messages: int, beside: Callable[[int], Result]) -> Result:
    """What the page tells; ``beside`` runs STORE 1:* with others asking meanwhile, given the process."""
    if not (home / "filled").exists():
        (home / "data").mkdir(parents=True, exist_ok=True)
        asyncio.run(fill(home / "data", messages))
        (home / "filled").touch()
    rng = random.Random(2)
    with serving(home, port) as pid, watched(pid) as memory:
        line = Line(port)
        line.ask(b'LOGIN "one" "pw"')
        first = line.ask(b"SELECT INBOX")
        again = [line.ask(b"SELECT INBOX") for _ in range(5)]
        pages = [
            line.ask(b"FETCH %d:%d %b" % (at, at + 99, OVERVIEW))
            for at in (rng.randrange(1, messages - 100) for _ in range(PAGES))
        ]
        rare = [line.ask(b'UID SEARCH BODY "needle%05d"' % (number % 100)) for number in range(SEARCHES)]
        asked = memory.peak
        stored = beside(pid)
        return {
            "messages": messages,
            "select_first_ms": first,
            "select_ms": statistics.median(again),
            "page_ms": statistics.median(pages),
            "page_max_ms": max(pages),
            "search_ms": statistics.median(rare),
            "search_max_ms": max(rare),
            "peak_mb": asked / 1e6,
            "store_s": stored.get("extra", {}).get("heavy_s"),
            "store_p99_ms": stored.get("p99_ms"),
            "store_peak_mb": memory.peak / 1e6,
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dir", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    options = parser.parse_args()

    def store(_: int) -> Result:
        line = Line(options.port)
        line.ask(b'LOGIN "one" "pw"')
        line.ask(b"SELECT INBOX")
        return {"extra": {"heavy_s": line.ask(b"STORE 1:* +FLAGS.SILENT (\\Flagged)") / 1000}}

    print(measure(options.dir, options.port, options.messages, store))


if __name__ == "__main__":
    main()
