"""Servers of asyncio that tests run, ended so that no accepted connection stays open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
# of the loop: a connection that was accepted last gets its transport in a task, which then closes it
TURNS = 3


async def ended(server: asyncio.Server) -> None:
    """Closes a server.  `Server.wait_closed` gives the loop no turn, so a test that is over at once would
    cancel that task, and leave the connection to the garbage collector."""
    server.close()
    for _ in range(TURNS):
        await asyncio.sleep(0)
    await server.wait_closed()


@asynccontextmanager
async def serving(serve: Serve, host: str = "127.0.0.1", port: int = 0, **more: Any) -> AsyncIterator[int]:
    """One that answers as ``serve`` says; gives its port.  ``more``: of `asyncio.start_server`."""
    server = await asyncio.start_server(serve, host, port, **more)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        await ended(server)
