"""A door with a toy endpoint on a free port of 127.0.0.1, and a client that shows everything it gets."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from quintet.auth import admin
from quintet.auth.identity import Identity
from quintet.auth.service import AuthService
from quintet.clock import SystemClock
from quintet.config.auth import Auth
from quintet.config.mapi import Mapi
from quintet.config.store import Store as StoreConfig
from quintet.errors import BadSyntax
from quintet.mapi.http.contexts import Contexts
from quintet.mapi.http.endpoint import Failed, Opened
from quintet.mapi.http.entrance import Entrance
from quintet.mapi.http.service import MapiHttp
from quintet.net.seam import Peer
from quintet.store import accounts
from quintet.store.store import Store

PATH = "/mapi/toy"
FAST = Auth(argon2_memory=64, argon2_time=1, scram_iterations=4096, default_domain="example.org")


class Toy:
    """Counts, waits, fails: as told by the body."""

    opening = "connect"
    closing = "disconnect"
    kinds = frozenset(("execute", "notificationwait"))
    waiting = frozenset(("notificationwait",))

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.waits = asyncio.Event()  # somebody does, for `go`
        self.closed: list[str] = []

    async def open(self, identity: Identity, body: bytes, peer: Peer | None = None) -> Opened:
        if body == b"no":
            return Opened(None, b"refused")
        return Opened(identity.name, b"hello " + identity.name.encode())

    async def answer(self, state: Any, kind: str, body: bytes) -> bytes:
        if body.startswith(b"wait") or (kind in self.waiting and not body):
            self.waits.set()
            await self.go.wait()
        if body.endswith(b"bad"):
            raise BadSyntax("bad body")
        if body == b"fail":
            raise Failed(0x1234)
        if body == b"bug":
            raise RuntimeError("a bug")
        return kind.encode() + b" " + body

    def close(self, state: Any) -> None:
        self.closed.append(state)


@dataclass
class Answer:
    """An answer as it came: the head, the metatags, additional headers, the body."""

    status: int
    headers: Any
    code: int | None
    tags: list[str] = field(default_factory=list)
    additional: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def cookie(self) -> str:
        """A Cookie header that goes on from here."""
        pairs = [value.partition(";")[0] for value in self.headers.getall("Set-Cookie", [])]
        return "; ".join(pairs)


def parse(status: int, headers: Any, raw: bytes) -> Answer:
    code = int(headers["X-ResponseCode"]) if "X-ResponseCode" in headers else None
    found = Answer(status, headers, code, body=raw)
    if code != 0:
        return found
    lines, rest = [], raw
    while True:
        line, _, rest = rest.partition(b"\r\n")
        lines.append(line.decode())
        if line == b"DONE":
            break
    found.tags = lines
    while True:
        line, _, rest = rest.partition(b"\r\n")
        if not line:
            break
        name, _, value = line.decode().partition(": ")
        found.additional[name] = value
    found.body = rest
    return found


@dataclass
class Client:
    """One client instance."""

    http: aiohttp.ClientSession
    base: str
    guid: str = field(default_factory=lambda: f"{{{uuid.uuid4()}}}".upper())
    counter: int = 0

    def headers(self, kind: str, cookie: str = "", **more: str) -> dict[str, str]:
        self.counter += 1
        found = {
            "X-RequestType": kind,
            "X-RequestId": f"{self.guid}:{self.counter}",
            "X-ClientInfo": "{2EF33C39-49C8-421C-B876-CDF7F2AC3AA0}:123",
            "X-ClientApplication": "Outlook/15.01.0000.0000",
            "Content-Type": "application/mapi-http",
            **({"Cookie": cookie} if cookie else {}),
        }
        found.update({name.replace("_", "-"): value for name, value in more.items()})
        return {name: value for name, value in found.items() if value != "-"}

    async def post(
        self, kind: str, body: bytes = b"", cookie: str = "", *, path: str = PATH, **more: str
    ) -> Answer:
        async with self.http.post(
            self.base + path, data=body, headers=self.headers(kind, cookie, **more)
        ) as response:
            return parse(response.status, response.headers, await response.read())


def basic(name: str = "alice@example.org", secret: str = "demo") -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


@dataclass
class House:
    toy: Toy
    http: MapiHttp
    auth: AuthService
    port: int
    store: Store

    @asynccontextmanager
    async def client(self, login: str | None = "") -> AsyncIterator[Client]:
        headers = {} if login is None else {"Authorization": login or basic()}
        async with aiohttp.ClientSession(headers=headers, cookie_jar=aiohttp.DummyCookieJar()) as http:
            yield Client(http, f"http://127.0.0.1:{self.port}")


@asynccontextmanager
async def house(
    folder: Path, config: Mapi | None = None, auth: Auth = FAST, number: int = 0, store: Store | None = None
) -> AsyncIterator[House]:
    config = config or Mapi()
    clock = SystemClock()
    own = store is None
    store = store or await Store.open(StoreConfig(data=str(folder / "data"), sync="off"))
    service = AuthService(store, auth, key=b"k" * 32)
    if own:
        for name in ("alice@example.org", "bob@example.org"):
            account = await store.write(lambda tx, name=name: accounts.create(tx, name).id)
            await admin.set_password(store, account, "demo", auth)
    http = MapiHttp(
        Contexts(lambda: config, clock, number=number),
        Entrance(service, lambda: config, "mail.example.org"),
        lambda: config,
        clock,
        number=number,
    )
    toy = Toy()
    http.register(PATH, toy)
    runner = web.ServerRunner(web.Server(http.handle, handler_cancellation=True))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    try:
        yield House(toy, http, service, port, store)
    finally:
        http.contexts.drain()
        toy.go.set()
        await runner.cleanup()
        await http.contexts.close()
        await service.close()
        if own:
            await store.close()
