"""Micro-benchmark of Execute, from an HTTP request to its answer: pages of a contents table, opening.

python -m bench.micro.execute [messages]

Marks (issue 6): 50 rows of 12 columns in a folder of 10,000 in 2 ms of CPU; opening a message in 1 ms.
The server's CPU alone: the client is another process.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

from aiohttp import web

from bench.micro.mapi import COLUMNS, fill
from bench.micro.waits import INBOX, Everybody
from quintet import heap
from quintet.auth.identity import Identity
from quintet.clock import SystemClock
from quintet.config.mapi import Mapi
from quintet.config.store import Store as StoreConfig
from quintet.mapi import ids, objects
from quintet.mapi.http.client import Line, Mailbox
from quintet.mapi.http.contexts import Contexts
from quintet.mapi.http.entrance import Entrance
from quintet.mapi.http.mailbox import MailboxEndpoint
from quintet.mapi.http.service import MapiHttp
from quintet.mapi.objects import numbers, pid
from quintet.mapi.rop import folders, messages, properties, stores, tables
from quintet.mapi.rop.batch import Slot, Step
from quintet.mapi.rows import Key, Order, SortOrder
from quintet.store import accounts
from quintet.store.store import Store

ANN = "Basic YW5uOg=="
ROWS = 50
QUERY_POSITION, RELEASE = 0x17, 0x01
PHASES = (
    "50 rows of 12 columns that nobody listed before",
    "50 rows of 12 columns, listed again",
    "50 rows of 12 columns, packed and obfuscated",
    "open a message, its subject and recipients",
    "an Execute that asks for nothing but the cursor",
)


class Asking:
    """The client: a session that looks at the inbox, newest first."""

    def __init__(self, port: int, total: int) -> None:
        self._box = Mailbox(Line(f"http://127.0.0.1:{port}/mapi/emsmdb/", lambda: ANN).post)
        self._box.connect()
        batch = self._box.batch()
        logon = batch.add(stores.Logon(1, 0, 0, ""))
        self._box.execute(batch)
        assert logon.opens is not None
        self._logon, self._inbox = logon.opens.handle, logon.answer.logon.folders[INBOX]
        batch = self._box.batch()
        folder = _opened(batch.add(folders.OpenFolder(self._inbox, 0), self._logon))
        table = _opened(batch.add(folders.GetContentsTable(0), folder))
        batch.add(tables.SetColumns(0, COLUMNS), table)
        batch.add(tables.SortTable(0, SortOrder((Key(pid.DELIVERY_TIME, Order.DESCENDING),))), table)
        batch.add(QUERY_POSITION, table)
        self._box.execute(batch)
        self._table, self._pages = table.handle, total // ROWS
        self._last: Slot | None = None  # the message that is open

    def page(self, number: int, *, plain: bool = True) -> list[ids.ShortId]:
        """The page's messages."""
        batch = self._box.batch()
        batch.add(tables.SeekRow(0, number % self._pages * ROWS, want_moved=False), self._table)
        asked = batch.add(tables.QueryRows(0, True, ROWS), self._table)
        self._box.execute(batch, plain=plain)
        rows = asked.answer.rows
        assert len(rows) == ROWS
        return [ids.ShortId(*numbers.from_wire(row[0])) for row in rows]

    def open(self, number: ids.ShortId) -> None:
        """And lets go of the one before, as a client does that goes from one to the next."""
        batch = self._box.batch()
        if self._last is not None:
            batch.add(RELEASE, self._last.handle)
        opened = batch.add(messages.OpenMessage(0x0FFF, self._inbox, 0, number), self._logon)
        slot = _opened(opened)
        batch.add(properties.GetPropertiesSpecific(0, True, (pid.SUBJECT, pid.SENDER_NAME)), slot)
        self._box.execute(batch, plain=True)
        assert opened.answer.recipients
        self._last = slot

    def nothing(self) -> None:
        batch = self._box.batch()
        batch.add(QUERY_POSITION, self._table)
        self._box.execute(batch, plain=True)


def _opened(step: Step) -> Slot:
    assert step.opens is not None
    return step.opens


def client(port: int, total: int) -> None:
    """Does one phase after the other, each when it is told to; says how many requests it made."""
    asking, pages = Asking(port, total), total // ROWS
    known = asking.page(0)

    def phase(number: int) -> int:
        if number == 0:
            for page in range(1, pages):
                known.extend(asking.page(page))
            return pages - 1
        if number in (1, 2):
            for page in range(pages):
                asking.page(page, plain=number == 1)
            return pages
        for one in known[:500]:
            asking.open(one) if number == 3 else asking.nothing()
        return min(500, len(known))

    for number in range(len(PHASES)):
        sys.stdin.readline()
        print(phase(number), flush=True)


async def measure(port: int, total: int) -> None:
    heap.settle()  # as a worker does
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "bench.micro.execute", "client", str(port), str(total))
    asking = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert asking.stdin is not None
    assert asking.stdout is not None
    await asyncio.sleep(2)  # it connects and looks once
    for name in PHASES:
        start = time.process_time()
        asking.stdin.write(b"\n")
        count = int(await asking.stdout.readline())
        print(f"{name:52} {(time.process_time() - start) / count * 1e3:8.3f} ms of CPU")
    await asking.wait()


async def main(total: int) -> None:
    heap.hold_down()
    with tempfile.TemporaryDirectory() as folder:
        store = await Store.open(StoreConfig(data=str(Path(folder) / "data"), sync="off"))
        account = await store.write(accounts.create, "ann")
        box = await store.write(objects.logon, account.id, account.id, files=store.blobs)
        for first in range(0, total, 1000):
            await store.write(fill, box.special["inbox"], first, min(1000, total - first))
        config, nobody = Mapi(), cast(Any, None)  # nothing is sent or posted here
        people = {"ann": Identity(account.id, "ann", "PLAIN", "mapi")}
        contexts = Contexts(lambda: config, SystemClock())
        door = MapiHttp(contexts, cast(Entrance, Everybody(people)), lambda: config, SystemClock())
        door.register(
            "/mapi/emsmdb", MailboxEndpoint(store, lambda: config, lambda: (nobody, nobody), "here")
        )
        runner = web.ServerRunner(web.Server(door.handle))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            await measure(runner.addresses[0][1], total)
        finally:
            await contexts.close()
            await runner.cleanup()
            await store.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["client"]:
        client(*map(int, sys.argv[2:]))
    else:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
