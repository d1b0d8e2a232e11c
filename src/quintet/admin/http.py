"""The http and https listeners: aiohttp behind our own sockets, loaded when the first request comes.

A mail server is asked by HTTP now and then; until then the library's memory and import time are saved.
What is answered is ``pages``', below /mapi and /autodiscover ``mapidoor``'s, and at /send ``senddoor``'s.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from quintet import log
from quintet.admin.mapidoor import MapiDoor
from quintet.admin.once import Once
from quintet.admin.pages import Answer, Pages
from quintet.admin.senddoor import SendDoor
from quintet.config import listeners

if TYPE_CHECKING:
    from aiohttp import web

MAX_EARLY = 64 * 1024  # bytes a client may send while the library is loaded
KEEP_ALIVE_S = 30.0

logger = log.get("http")


class HttpListener:
    """Serves ``pages`` on some sockets; the same face as ``net.listener.Listener``."""

    def __init__(
        self,
        pages: Pages,
        sockets: Sequence[socket.socket],
        config: listeners.Listener,
        *,
        context: Callable[[], ssl.SSLContext] | None = None,
        mapi: MapiDoor | None = None,
        sending: SendDoor | None = None,
    ) -> None:
        self._mapi, self._sending = mapi, sending
        self.name = config.name
        self.sockets = list(sockets)
        self._pages = pages
        self._backlog = config.backlog
        self._context = context if config.tls == "implicit" else None
        self._servers: list[asyncio.Server] = []
        self._web: Once[web.Server] = Once(self._load)
        self._doors: set[_Door] = set()

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        for sock in self.sockets:
            context = self._context() if self._context else None
            make: Any = loop.create_unix_server if sock.family == socket.AF_UNIX else loop.create_server
            self._servers.append(
                await make(lambda: _Door(self), sock=sock, ssl=context, backlog=self._backlog)
            )

    @property
    def port(self) -> int:
        """TCP port of the first socket, 0 for a Unix socket."""
        name = self.sockets[0].getsockname()
        return int(name[1]) if isinstance(name, tuple) else 0

    @property
    def connections(self) -> int:
        """Open connections."""
        web = self._web.value
        return len(self._doors) + (len(web.connections) if web is not None else 0)

    async def drain(self, deadline_s: float) -> None:
        """Takes no more connections; requests that run may end."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        for door in list(self._doors):
            door.abort()
        if (web := await self._web.settle()) is not None:
            await web.shutdown(deadline_s)

    async def load(self) -> web.Server:
        """The library's server; imported in a thread so that the loop goes on."""
        return await self._web.get()

    async def _load(self) -> web.Server:
        library = await asyncio.to_thread(_import)
        made: web.Server = library.Server(
            self._handle, keepalive_timeout=KEEP_ALIVE_S, access_log=None, handler_cancellation=True
        )
        return made

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._mapi is not None and self._mapi.serves(request.path):
            return await self._mapi.handle(request)
        library = _import()
        if self._sending is not None and self._sending.serves(request.path):
            status, told, more = await self._sending.handle(request)
            common = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
            sent: web.Response = library.json_response(told, status=status, headers=common | more)
            return sent
        if request.method in ("GET", "HEAD"):
            answer = await self._pages.answer(request.path, request.remote or "unix", request.host)
        else:
            answer = Answer(405, "text/plain; charset=utf-8", b"only GET and HEAD\n")
        headers = {
            "Content-Type": answer.type,
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
            **({"Allow": "GET, HEAD"} if answer.status == 405 else {}),
        }
        response: web.Response = library.Response(status=answer.status, body=answer.body, headers=headers)
        return response


def _import() -> Any:
    from aiohttp import web  # a quarter of a second and ten megabytes, so only when asked

    return web


class _Door(asyncio.Protocol):
    """Holds a connection's first bytes while the library is loaded, then steps aside."""

    def __init__(self, listener: HttpListener) -> None:
        self._listener = listener
        self._early = bytearray()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._listener._doors.add(self)
        self._task = asyncio.get_running_loop().create_task(self._open())

    def data_received(self, data: bytes) -> None:
        self._early += data
        if len(self._early) > MAX_EARLY and self._transport is not None:
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener._doors.discard(self)
        if self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def _open(self) -> None:
        server = await self._listener.load()
        transport = self._transport
        self._listener._doors.discard(self)
        if transport is None or transport.is_closing():
            return
        handler = server()
        transport.set_protocol(handler)
        handler.connection_made(transport)
        transport.resume_reading()
        if self._early:
            handler.data_received(bytes(self._early))
