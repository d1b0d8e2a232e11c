"""Micro-benchmark of waiting sessions of MAPI over HTTP: what each costs the server that holds it.

python -m bench.micro.waits [sessions]

Mark (issue 6): 1,000 sessions that wait in NotificationWait, 40 KB of RSS each.  A session has a logon, a
subscription to the whole mailbox and a contents table that was looked at; ten belong to one account.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import http.client
import resource
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from aiohttp import web

from quintet.auth.identity import Identity
from quintet.clock import SystemClock
from quintet.config.mapi import Mapi
from quintet.config.store import Store as StoreConfig
from quintet.mapi import objects
from quintet.mapi.http.channel import Answer
from quintet.mapi.http.client import Mailbox
from quintet.mapi.http.contexts import Contexts
from quintet.mapi.http.entrance import Entrance
from quintet.mapi.http.mailbox import MailboxEndpoint
from quintet.mapi.http.service import MapiHttp
from quintet.mapi.objects import pid
from quintet.mapi.rop import events, folders, others, stores, tables
from quintet.store import accounts
from quintet.store.store import Store

EACH = 10  # sessions of an account
INBOX = 4  # of a logon's folders


class Everybody:
    """An entrance that believes what people say."""

    def __init__(self, people: dict[str, Identity]) -> None:
        self._people = people

    async def enter(self, request: web.BaseRequest) -> Identity:
        name, _, _ = (
            base64.b64decode(request.headers["Authorization"].partition(" ")[2]).decode().partition(":")
        )
        return self._people[name]


def resident_kb() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


class Sent(Exception):
    """The request is on its way, and its answer is left for later."""


def waiting(port: int, name: str) -> http.client.HTTPConnection:
    """The connection of a session that has logged on, subscribed and looked, and now waits."""
    line = http.client.HTTPConnection("127.0.0.1", port)
    token = "Basic " + base64.b64encode(f"{name}:".encode()).decode()

    def post(headers: Mapping[str, str], body: bytes) -> Answer:
        line.request("POST", "/mapi/emsmdb/", body, {**headers, "Authorization": token})
        if headers["X-RequestType"] == "NotificationWait":
            raise Sent
        response = line.getresponse()
        return response.status, response.getheaders(), response.read()

    box = Mailbox(post)
    box.connect()
    batch = box.batch()
    logon = batch.add(stores.Logon(1, 0, 0, ""))
    box.execute(batch)
    assert logon.opens is not None
    handle, inbox = logon.opens.handle, logon.answer.logon.folders[INBOX]
    batch = box.batch()
    batch.add(others.RegisterNotification(events.Kind.NEW_MAIL | events.Kind.CREATED, None), handle)
    folder = batch.add(folders.OpenFolder(inbox, 0), handle)
    assert folder.opens is not None
    table = batch.add(folders.GetContentsTable(0), folder.opens)
    assert table.opens is not None
    batch.add(tables.SetColumns(0, (pid.MESSAGE_ID, pid.SUBJECT)), table.opens)
    batch.add(tables.QueryRows(0, True, 50), table.opens)
    box.execute(batch)
    with contextlib.suppress(Sent):
        box.wait(post)
    return line


def client(port: int, first: int, count: int) -> None:
    """Holds the sessions until its input ends."""
    lines = [waiting(port, f"user{number // EACH}") for number in range(first, first + count)]
    print(len(lines), flush=True)
    sys.stdin.read()


async def hold(port: int, first: int, count: int) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "bench.micro.waits", "client", str(port), str(first), str(count))
    pipe = asyncio.subprocess.PIPE
    held = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert held.stdout is not None
    assert int(await held.stdout.readline()) == count
    return held


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = await Store.open(StoreConfig(data=str(Path(folder) / "data"), sync="off"))
        people = {}
        for number in range(count // EACH + 1):
            account = await store.write(accounts.create, f"user{number}")
            await store.write(objects.logon, account.id, account.id, files=store.blobs)
            people[account.name] = Identity(account.id, account.name, "PLAIN", "mapi")
        config = Mapi()
        nobody: Any = None  # nothing is sent or posted here
        contexts = Contexts(lambda: config, SystemClock())
        door = MapiHttp(contexts, cast(Entrance, Everybody(people)), lambda: config, SystemClock())
        door.register(
            "/mapi/emsmdb", MailboxEndpoint(store, lambda: config, lambda: (nobody, nobody), "here")
        )
        runner = web.ServerRunner(web.Server(door.handle, handler_cancellation=True))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        few = await hold(port, count, EACH)  # what the first ones load is not theirs
        before = resident_kb()
        many = await hold(port, 0, count)
        after = resident_kb()
        print(f"RSS of each of {len(contexts) - EACH} waiting sessions: {(after - before) / count:.1f} KB")
        for held in (few, many):
            held.terminate()
            await held.wait()
        await contexts.close()
        await runner.cleanup()
        await store.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["client"]:
        client(*map(int, sys.argv[2:]))
    else:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
