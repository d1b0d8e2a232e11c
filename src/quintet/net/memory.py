"""A whole dialogue in memory, through the real driver: no socket, no time, no randomness.

For tests, fuzzing and measuring.  Only the lowest layer differs from a real connection: the transport
collects what is written, and TLS is either real over memory or merely said to stand.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from quintet.net.driver import Driver
from quintet.net.seam import Peer, Service, TlsInfo
from quintet.net.stream import Stream

PRETENDED = TlsInfo("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256, server_end_point=b"\0" * 32)


class MemoryTransport(asyncio.Transport):
    """Collects what is written.  With ``room`` it behaves like a peer that has not read yet."""

    def __init__(self, protocol: Stream, room: int | None = None) -> None:
        super().__init__()
        self._protocol = protocol
        self._room = room  # bytes that "the kernel" still takes; None: any number
        self._high = 64 * 1024
        self._waiting = bytearray()
        self._paused = False
        self._closing = False
        self._reading = True
        self.sent = bytearray()
        self.peak = 0  # the most bytes that ever waited
        self.closed = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._room is None:
            self.sent += data
            return
        now = min(self._room, len(data)) if not self._waiting else 0
        self.sent += data[:now]
        self._room -= now
        self._waiting += data[now:]
        self.peak = max(self.peak, len(self._waiting))
        if len(self._waiting) > self._high and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def read(self, count: int) -> None:
        """The peer reads: ``count`` more bytes get through."""
        assert self._room is not None
        now = min(count, len(self._waiting))
        self.sent += self._waiting[:now]
        del self._waiting[:now]
        self._room += count - now
        if self._paused and len(self._waiting) <= self._high // 4:
            self._paused = False
            self._protocol.resume_writing()
        if self._closing and not self._waiting:
            self._lose()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = high if high is not None else 64 * 1024

    def get_write_buffer_size(self) -> int:
        return len(self._waiting)

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            if not self._waiting:
                asyncio.get_running_loop().call_soon(self._lose)

    def abort(self) -> None:
        self._closing = True
        self._waiting.clear()
        asyncio.get_running_loop().call_soon(self._lose)

    def _lose(self) -> None:
        if not self.closed.is_set():
            self.closed.set()
            self._protocol.connection_lost(None)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class MemoryStream(Stream):
    """A stream whose STARTTLS merely says that TLS stands, unless a context was given."""

    __slots__ = ("starts",)

    def __init__(self, context: Callable[[], ssl.SSLContext] | None = None) -> None:
        super().__init__(context=context)
        self.starts = 0  # handshakes asked for

    async def start_tls(self) -> TlsInfo:
        self.starts += 1
        return await super().start_tls() if self.context is not None else PRETENDED


class Talk:
    """One open conversation: `send`, then look at `take`.

    ``room`` limits what the client reads before it says so by ``transport.read``.
    """

    def __init__(
        self,
        service: Service,
        *,
        address: str = "127.0.0.1",
        tls: TlsInfo | bool = False,
        room: int | None = None,
        context: Callable[[], ssl.SSLContext] | None = None,
        listener: str = "",
        started_at: int = 0,
        identity: str = "memory",
        write_timeout_s: float = 300.0,
    ) -> None:
        self.peer = Peer(
            identity, address, 1024, "127.0.0.1", 1, listener or service.name, started_at=started_at
        )
        if tls:
            self.peer.tls = tls if isinstance(tls, TlsInfo) else PRETENDED
        self.stream = MemoryStream(context)
        self.transport = MemoryTransport(self.stream, room)
        wire, self.session = service.open(self.peer)
        self.driver = Driver(self.stream, wire, self.session, self.peer, write_timeout_s=write_timeout_s)
        self.stream.receiver = self.driver
        self._quiet = asyncio.Event()
        self._taken = 0
        self.driver.on_quiet = self._quiet.set

    async def begin(self) -> None:
        """Lets the server greet."""
        self.stream.connection_made(self.transport)
        self.driver.begin()
        await self.settle()

    async def send(self, data: bytes, chunk: int = 4096) -> None:
        """Sends in pieces of ``chunk`` bytes, each as its own packet, and waits for the answers."""
        for start in range(0, len(data), chunk):
            while not self.transport.is_reading() and not self.transport.is_closing():
                await self.settle()
                await asyncio.sleep(0)
            if self.transport.is_closing():
                break
            piece = data[start : start + chunk]
            view = self.stream.get_buffer(len(piece))
            for part in range(0, len(piece), len(view)):
                some = piece[part : part + len(view)]
                view[: len(some)] = some
                self.stream.buffer_updated(len(some))
        await self.settle()

    async def settle(self) -> None:
        """Until it is the client's turn."""
        while not self.driver.waiting and not self.transport.closed.is_set():
            self._quiet.clear()
            await self._quiet.wait()
        await asyncio.sleep(0)  # a hint that came meanwhile is a call that waits
        while not self.driver.waiting and not self.transport.closed.is_set():
            self._quiet.clear()
            await self._quiet.wait()

    def take(self) -> bytes:
        """What came since the last `take`."""
        data = bytes(self.transport.sent[self._taken :])
        self._taken = len(self.transport.sent)
        return data

    async def end(self) -> None:
        """The client closes its side; returns when the connection is gone."""
        if not self.transport.is_closing():
            self.stream.eof_received()
        await self.settle()
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        await self.transport.closed.wait()
        await asyncio.sleep(0)

    @property
    def over(self) -> bool:
        """The server has closed the connection."""
        return self.transport.is_closing()


async def converse(
    service: Service,
    script: bytes,
    chunk: int = 4096,
    *,
    address: str = "127.0.0.1",
    tls: TlsInfo | bool = False,
    listener: str = "",
) -> bytes:
    """Sends ``script`` in packets of ``chunk`` bytes, closes, and gives back everything that was answered."""
    talk = Talk(service, address=address, tls=tls, listener=listener)
    await talk.begin()
    await talk.send(script, chunk)
    await talk.end()
    return bytes(talk.transport.sent)
