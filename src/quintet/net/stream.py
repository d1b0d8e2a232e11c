"""One connection's bytes: a transport below, TLS and DEFLATE between, a receiver above.

It is an ``asyncio.BufferedProtocol`` with one read buffer for all connections.  It knows no commands
and keeps no time but that of a handshake; the driver does the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from quintet.errors import Hangup, Reason
from quintet.net.filters import DeflateFilter, TlsFilter
from quintet.net.seam import TlsInfo

HIGH_WATER = 16 * 1024  # bytes not yet taken by the kernel above which a connection counts as slow
READ = 256 * 1024  # bytes of one read, in one buffer a thread: fifty articles of a peer are one batch
_PER_THREAD = threading.local()
_QUICK = getattr(socket, "TCP_QUICKACK", 0)  # Linux has it
_TCP = (socket.AF_INET, socket.AF_INET6) if _QUICK else ()


def _read_buffer() -> memoryview:
    """One buffer for a thread's connections: nothing else runs between filling and emptying it."""
    view = getattr(_PER_THREAD, "view", None)
    if view is None:
        view = _PER_THREAD.view = memoryview(bytearray(READ))
    assert isinstance(view, memoryview)
    return view


class Receiver(Protocol):
    """What a stream tells of: the driver, or what stands in front of it (a PROXY header)."""

    def received(self, data: bytes) -> None: ...
    def ended(self) -> None: ...
    def writable(self) -> None: ...
    def lost(self) -> None: ...


class Stream(asyncio.BufferedProtocol):
    """Bytes in and out of one connection.

    ``made`` is called once there is a transport; ``receiver`` must be set by then.  ``context`` gives
    the server's TLS context when a client asks for STARTTLS.
    """

    __slots__ = (
        "_buffer",
        "_deflate",
        "_handshake",
        "_handshake_timer",
        "_made",
        "_server_side",
        "_tls",
        "closed",
        "context",
        "handshake_timeout_s",
        "paused",
        "receiver",
        "transport",
    )

    def __init__(
        self,
        made: Callable[[Stream], None] | None = None,
        *,
        context: Callable[[], ssl.SSLContext] | None = None,
        handshake_timeout_s: float = 60.0,
    ) -> None:
        self._made = made
        self.context = context
        self.handshake_timeout_s = handshake_timeout_s
        self.receiver: Receiver = NOBODY
        self.transport: asyncio.Transport = _NO_TRANSPORT
        self.closed = False
        self.paused = False  # the peer does not read what we write
        self._tls: TlsFilter | None = None
        self._deflate: DeflateFilter | None = None
        self._handshake: Callable[[TlsInfo | Exception], None] | None = None
        self._handshake_timer: asyncio.TimerHandle | None = None
        self._server_side = True
        self._buffer = _read_buffer()

    # --- what asyncio calls -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER)
        if self._made is not None:
            made, self._made = self._made, None
            try:
                made(self)
            except BaseException:  # our bug must not leave a connection that nobody owns
                transport.abort()
                raise

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.take(self._buffer[:nbytes])

    def take(self, data: memoryview | bytes) -> None:
        """Handles what came from the socket (or was left over by a PROXY header)."""
        if self._tls is not None:
            self._decrypt(data)
        elif self._deflate is not None:
            self.inflate(bytes(data))
        else:
            self.receiver.received(bytes(data))

    def eof_received(self) -> bool:
        if self._handshake is not None:
            self._shaken(ConnectionResetError("end of input in the TLS handshake"))
            return False
        self.receiver.ended()
        return True  # what was asked for is still answered

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        self.paused = False
        if self._handshake is not None:
            self._shaken(error or ConnectionResetError("connection lost in the TLS handshake"))
        receiver, self.receiver = self.receiver, NOBODY
        self._tls = self._deflate = None
        receiver.lost()

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self.receiver.writable()

    # --- what the driver calls ----------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Sends; ``paused`` then tells whether to wait for `Receiver.writable`."""
        if self.closed or self.transport.is_closing() or not data:
            return
        if self._deflate is not None:
            data = self._deflate.compress(data)
        if self._tls is not None:
            try:
                data = self._tls.encrypt(data)
            except ssl.SSLError:
                self.abort()  # the peer ended TLS or broke it: nothing can be said any more
                return
        self.transport.write(data)

    def hurry(self) -> None:
        """The peer has begun something, whose rest its kernel may keep until ours acknowledges the beginning.

        Many programs write a literal and its line end, or each line of an article, by themselves, and not all
        switch off Nagle's algorithm; we have nothing to say yet that an acknowledgement could go with, and by
        itself it goes after 40 ms.
        """
        sock = self.transport.get_extra_info("socket")
        if sock is not None and sock.family in _TCP:
            with contextlib.suppress(OSError):  # it is gone: somebody else hears of it
                sock.setsockopt(socket.IPPROTO_TCP, _QUICK, 1)

    def pause_reading(self) -> None:
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self._deflate is not None and self._deflate.held:
            asyncio.get_running_loop().call_soon(self.inflate, b"")
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def close(self) -> None:
        """Ends the connection after what was written."""
        if self._tls is not None and self._handshake is None and not self.transport.is_closing():
            self.transport.write(self._tls.close())
        self.transport.close()

    def abort(self) -> None:
        self.transport.abort()

    def compress(self) -> None:
        """DEFLATE both ways from here on."""
        self._deflate = DeflateFilter()

    def plain(self, last: bytes) -> None:
        """Sends ``last``, and from here on no DEFLATE, either way."""
        deflate = self._deflate
        if deflate is None:
            self.write(last)
            return
        self._deflate = None
        self.write(deflate.finish(last))
        if deflate.rest:
            asyncio.get_running_loop().call_soon(self._not_deflated, deflate.rest)

    def _not_deflated(self, data: bytes) -> None:
        if not self.closed:
            self.receiver.received(data)

    def inflate(self, data: bytes) -> None:
        """Hands compressed input on; what would be too much at once follows in the next turns."""
        deflate = self._deflate
        if deflate is None:
            return
        try:
            piece = deflate.decompress(data)
        except zlib.error:
            self.abort()
            return
        if piece:
            self.receiver.received(piece)
        if deflate.held and self.transport.is_reading() and self._deflate is deflate:
            asyncio.get_running_loop().call_soon(self.inflate, b"")

    # --- TLS ------------------------------------------------------------------------------------

    def secure(
        self,
        context: ssl.SSLContext,
        done: Callable[[TlsInfo | Exception], None],
        *,
        server_side: bool = True,
        server_hostname: str | None = None,
    ) -> None:
        """Shakes hands; ``done`` hears how it went, the connection is aborted when it went wrong."""
        self._server_side = server_side
        self._handshake = done
        loop = asyncio.get_running_loop()
        self._handshake_timer = loop.call_later(
            self.handshake_timeout_s, self._shaken, TimeoutError("TLS handshake took too long")
        )
        self._tls = TlsFilter(context, server_side=server_side, server_hostname=server_hostname)
        if not server_side:
            self._shake()

    async def start_tls(self) -> TlsInfo:
        """The server's side of STARTTLS.  Raises Hangup(CLOSED) when the handshake fails."""
        if self.context is None:
            raise Hangup(Reason.UNSUPPORTED, "no TLS here")
        return await self.secured(self.context(), server_side=True)

    async def secured(
        self, context: ssl.SSLContext, *, server_side: bool, server_hostname: str | None = None
    ) -> TlsInfo:
        """`secure` as a coroutine; raises Hangup when the handshake fails."""
        future: asyncio.Future[TlsInfo] = asyncio.get_running_loop().create_future()

        def done(result: TlsInfo | Exception) -> None:
            if future.done():
                return
            if isinstance(result, Exception):
                problem = Hangup(Reason.CLOSED, f"TLS: {result}")
                problem.__cause__ = result  # tells those who ask what was wrong with a certificate
                future.set_exception(problem)
            else:
                future.set_result(result)

        self.secure(context, done, server_side=server_side, server_hostname=server_hostname)
        return await future

    @property
    def _shaking(self) -> bool:
        return self._handshake is not None

    @property
    def tls(self) -> TlsFilter | None:
        return self._tls

    def _shake(self) -> None:
        assert self._tls is not None
        try:
            finished = self._tls.handshake()
            said = self._tls.outgoing()
        except (ssl.SSLError, OSError) as error:
            if said := self._tls.outgoing():
                self.transport.write(said)  # the alert that tells why
            self._shaken(error)
            return
        if said:
            self.transport.write(said)
        if finished:
            self._shaken(None)

    def _shaken(self, error: Exception | None) -> None:
        done, self._handshake = self._handshake, None
        if self._handshake_timer is not None:
            self._handshake_timer.cancel()
            self._handshake_timer = None
        if done is None:
            return
        if error is not None:
            done(error)
            if isinstance(error, ssl.SSLError):
                self.transport.close()  # lets the alert out
            else:
                self.transport.abort()
            return
        assert self._tls is not None
        done(self._tls.info(server_side=self._server_side))

    def _decrypt(self, data: memoryview | bytes) -> None:
        tls = self._tls
        assert tls is not None
        tls.feed(data)
        if self._handshake is not None:
            self._shake()
            if self._shaking or self.transport.is_closing():
                return
        try:
            pieces = tls.decrypted()
            said = tls.outgoing()
        except ssl.SSLError:
            self.abort()
            return
        if said:
            self.transport.write(said)
        if pieces:
            plain = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            if self._deflate is not None:
                self.inflate(plain)
            else:
                self.receiver.received(plain)
        if tls.ended and not self.closed:
            self.receiver.ended()


class _Nobody:
    """Hears events before there is a receiver and after it was let go."""

    def received(self, data: bytes) -> None:
        return

    ended = writable = lost = lambda self: None


class _NoTransport:
    """Stands where the transport will be, until `connection_made`."""

    close = abort = lambda self: None

    def get_extra_info(self, name: str) -> None:
        return None

    def is_closing(self) -> bool:
        return True


NOBODY: Any = _Nobody()
_NO_TRANSPORT: Any = _NoTransport()
