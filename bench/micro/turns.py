"""How long single turns of the event loop take while large commands run: CPU of the loop's thread, not time.

    .venv/bin/python -m bench.micro.turns DATA USER [COMMAND ...]

DATA is a copy of a data directory; the user's password is "pw".  House rule: nothing holds the loop for
more than 10 ms, because everybody else waits meanwhile.  Prints the longest turns and the largest
resident size.
"""

from __future__ import annotations

import argparse
import asyncio
import asyncio.events
import resource
import time
from pathlib import Path

from bench.micro.imap import Client
from quintet import heap
from quintet.auth.service import AuthService
from quintet.config.auth import Auth
from quintet.config.store import Store as StoreConfig
from quintet.imap.service import ImapService
from quintet.store.store import Store

COMMANDS = (
    "SELECT INBOX",
    "FETCH 1:* (UID FLAGS)",
    "FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE)",
    "FETCH 1:* BODY.PEEK[]",
    "FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]",
    "UID SEARCH FLAGGED",
    "UID SEARCH SUBJECT report",
    "UID SEARCH BODY needle077",
    "SEARCH ALL",
    "UID SORT (DATE) UTF-8 ALL",
    "UID SORT (DATE) UTF-8 ALL",
    "STORE 1:* +FLAGS (\\Flagged)",
    "STORE 1:* -FLAGS.SILENT (\\Flagged)",
    "CREATE Turns",
    "COPY 1:* Turns",
    "SELECT Turns",
    "STORE 1:* +FLAGS.SILENT (\\Deleted)",
    "EXPUNGE",
)
turns: list[tuple[float, str]] = []


class Sink(bytearray):
    """Counts what a client would read."""

    count = 0

    def __iadd__(self, data: object) -> Sink:  # type: ignore[override,misc]
        self.count += len(data)  # type: ignore[arg-type]
        return self


_run = asyncio.events.Handle._run


def _timed(self: asyncio.events.Handle) -> None:
    began = time.thread_time()
    name = str(self)[:120]
    _run(self)
    turns.append((time.thread_time() - began, name))


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("user")
    parser.add_argument("command", nargs="*", default=COMMANDS)
    options = parser.parse_args()
    heap.hold_down()
    store = await Store.open(StoreConfig(data=str(options.data)))
    service = ImapService(store, AuthService(store, Auth(default_domain="bench.test")))
    client = Client(service)
    await client.begin()
    await client.say(b'LOGIN "%b" "pw"' % options.user.encode())
    await client.say(b"SELECT INBOX")
    client.transport.sent = sink = Sink()
    heap.settle()
    asyncio.events.Handle._run = _timed  # type: ignore[method-assign]
    for command in options.command:
        turns.clear()
        began = time.process_time()
        sink.count = 0
        await client.say(command.encode())
        took = time.process_time() - began
        worst = sorted(turns, reverse=True)[:3]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        longest = ", ".join(f"{each * 1000:.1f}" for each, _ in worst)
        print(f"{command:62} {took:6.2f} s {sink.count:12,} octets {len(turns):6} turns", end="")
        print(f", longest {longest} ms; {peak:.0f} MB", flush=True)
        if worst and worst[0][0] > 0.010:
            print(f"    {worst[0][1]}")
    await store.close()


if __name__ == "__main__":
    asyncio.run(main())
