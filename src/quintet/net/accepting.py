"""Taking connections from a listening socket, without a task and a turn of the loop for each.

asyncio's own server makes a coroutine, a task and a future for every connection, two turns of the loop more
than it takes; it serves in our place where the loop is not asyncio's.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any, Protocol

from quintet import log

AT_ONCE = 100  # connections taken in one turn of the loop, as by asyncio
RETRY_S = 1.0  # seconds until we look again after there were no descriptors, or no memory, as in asyncio
_SHORT_OF = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

logger = log.get("net")


class Accepting(Protocol):
    """What takes connections until it is closed."""

    def close(self) -> None: ...


async def begin(sock: socket.socket, make: Callable[[], asyncio.BaseProtocol], backlog: int) -> Accepting:
    """Listens on ``sock``, which is bound, and gives each connection to a protocol of its own."""
    loop = asyncio.get_running_loop()
    build = _builder(loop)
    if build is not None:
        return _Acceptor(loop, build, sock, make, backlog)
    serve: Any = loop.create_unix_server if sock.family == socket.AF_UNIX else loop.create_server
    server: asyncio.Server = await serve(make, sock=sock, backlog=backlog)
    return server


def _builder(loop: asyncio.AbstractEventLoop) -> Callable[..., object] | None:
    """The loop's own way from a connected socket to a transport, which is asyncio's alone."""
    return getattr(loop, "_make_socket_transport", None)


class _Acceptor:
    __slots__ = ("_build", "_loop", "_make", "_retry", "_sock")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        build: Callable[..., object],
        sock: socket.socket,
        make: Callable[[], asyncio.BaseProtocol],
        backlog: int,
    ) -> None:
        self._loop, self._build, self._sock, self._make = loop, build, sock, make
        self._retry: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        sock.listen(backlog)
        self._listen()

    def close(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def _listen(self) -> None:
        self._retry = None
        self._loop.add_reader(self._sock, self._accept)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connected, theirs = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _SHORT_OF:
                    raise
                logger.warning("connection not taken", text=str(error))
                self._loop.remove_reader(self._sock)  # it would be readable all the time
                self._retry = self._loop.call_later(RETRY_S, self._listen)
                return
            try:
                connected.setblocking(False)
                self._build(connected, self._make(), extra={"peername": theirs})
            except BaseException:
                connected.close()
                raise
