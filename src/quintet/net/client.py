"""The client's side of a line protocol: connect, read lines, write, upgrade to TLS.

What the lines mean is the protocol's client (`smtp.client` and its like).  Every wait has an end.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence

from quintet.config import proxies
from quintet.errors import Hangup, Reason
from quintet.net import dots, outward
from quintet.net.lines import LineBuffer
from quintet.net.seam import CHUNK, Peer, TlsInfo
from quintet.net.stream import Stream

MAX_LINE = 16 * 1024  # bytes of a reply line; RFC 5321 4.5.3.1.5 says 512, some peers boast
MAX_UNREAD = 256 * 1024  # bytes a server may send ahead of our reading


class Client:
    """One connection to a server.

    Every method raises Hangup: TIMEOUT when ``timeout_s`` passed without progress, CLOSED when the
    connection is gone or TLS failed, TOO_LONG for a line without end.
    """

    def __init__(self, timeout_s: float = 60.0, max_line: int = MAX_LINE, bare_lf: bool = False) -> None:
        self.timeout_s = timeout_s
        self.address = ""  # IP of the server, or "unix"
        self.port = 0
        self.local_address = ""
        self.tls: TlsInfo | None = None
        self._lines = LineBuffer(max_line, bare_lf)
        self._stream = Stream(handshake_timeout_s=timeout_s)
        self._stream.receiver = self
        # who waits: for what, and until when (the loop's clock)
        self._waits: dict[asyncio.Future[None], tuple[str, float]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False
        self._lost = asyncio.Event()
        self._paused = False
        self._heard = False  # something, since we last said anything
        self.on_wait: Callable[[], None] | None = None  # called when it begins to wait for the peer

    @property
    def waiting(self) -> bool:
        """It is the peer's turn: to send, or to read."""
        return bool(self._waits)

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int = 0,
        *,
        timeout_s: float = 60.0,
        connect_timeout_s: float | None = None,
        source: str = "",
        sources: Sequence[str] = (),
        by_turn: bool = False,
        proxy: str = "",
        max_line: int = MAX_LINE,
        bare_lf: bool = False,
        tls: ssl.SSLContext | None = None,
        server_name: str = "",
    ) -> Client:
        """Connects to an IP address or host, or to "unix:/path"; ``tls`` shakes hands at once.

        ``source`` is the local address to come from, ``sources`` are several to choose from
        (`outward.source`).  A host name with several addresses is tried in the system's order; callers
        that care resolve it themselves.  With a ``proxy`` (`config.proxies`) the name goes there.
        """
        client = cls(timeout_s, max_line, bare_lf)
        way = proxies.parse(proxy) if proxy else None
        pool = (source,) if source else sources
        try:
            async with asyncio.timeout(connect_timeout_s or timeout_s):
                if way is None:
                    await client._open(host, port, pool, by_turn)
                else:
                    await client._open(way.host, way.port, pool, by_turn)
                    await outward.through(client, way, host, port)
        except TimeoutError as error:
            client.abort()
            raise Hangup(Reason.TIMEOUT, f"connecting to {host} took too long") from error
        except Hangup as error:
            client.abort()
            raise Hangup(error.reason, f"cannot connect to {host}: {error.text}") from error
        except OSError as error:
            client.abort()
            raise Hangup(Reason.CLOSED, f"cannot connect to {host}: {error.strerror or error}") from error
        except ValueError as error:  # of the codec for names, as for "a..b"; NUL
            client.abort()
            raise Hangup(Reason.CLOSED, f"cannot connect to {host}: not the name of a host") from error
        except BaseException:  # also cancelled
            client.abort()
            raise
        if tls is not None:
            try:
                await client.start_tls(tls, server_name or host)
            except BaseException:  # also cancelled: nobody has it who could close it
                client.abort()
                raise
        return client

    async def _open(self, host: str, port: int, pool: Sequence[str], by_turn: bool) -> None:
        """Connects this client.  Raises OSError, Hangup."""
        loop = asyncio.get_running_loop()
        if host.startswith("unix:"):
            await loop.create_unix_connection(lambda: self._stream, host[5:])
            self.address = "unix"
            return
        if not pool:
            await loop.create_connection(lambda: self._stream, host, port)
        else:
            await self._open_from(pool, host, port, by_turn)
        transport = self._stream.transport
        theirs, ours = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if theirs is None or ours is None:  # the kernel knows no peer of a connection that was reset
            raise ConnectionResetError("the connection was reset")
        (self.address, self.port), self.local_address = theirs[:2], ours[0]

    async def _open_from(self, pool: Sequence[str], host: str, port: int, by_turn: bool) -> None:
        """The same from one of our addresses, which must be of the host's family."""
        loop = asyncio.get_running_loop()
        last: OSError | Hangup | None = None
        for *_, found in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                local = outward.source(pool, str(found[0]), by_turn=by_turn)
                await loop.create_connection(lambda: self._stream, str(found[0]), port, local_addr=(local, 0))
            except (OSError, Hangup) as error:
                last = error
            else:
                return
        raise last or OSError("the host has no address")

    @classmethod
    def adopted(cls, stream: Stream, peer: Peer, early: bytes = b"", *, timeout_s: float = 60.0) -> Client:
        """Becomes the receiver of a connection that somebody else made; ``early`` came already."""
        client = cls(timeout_s)
        client._stream = stream
        client.address, client.port, client.tls = peer.address, peer.port, peer.tls
        client.local_address = peer.local_address
        stream.receiver = client
        client._lines.feed(early)
        client._ended = stream.closed
        return client

    @classmethod
    async def over(cls, sock: socket.socket, *, timeout_s: float = 60.0) -> Client:
        """A client on a socket that is connected already."""
        client = cls(timeout_s)
        sock.setblocking(False)
        await asyncio.get_running_loop().connect_accepted_socket(lambda: client._stream, sock)
        client.address = "unix"
        return client

    def released(self) -> tuple[Stream, bytes]:
        """Gives the connection to somebody else, who becomes its receiver; with it what came already."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._paused:
            self._paused = False
            self._stream.resume_reading()
        return self._stream, self._lines.take(MAX_UNREAD * 2)

    async def line(self) -> bytes:
        """The next line without its end; all of it within ``timeout_s``, however it drips."""
        found = self._lines.take_line()
        if found is None:
            until = asyncio.get_running_loop().time() + self.timeout_s
            while found is None:
                await self._fill(until)
                found = self._lines.take_line()
        return found

    async def dotted(self) -> AsyncIterator[bytes]:
        """A dot-terminated body, un-stuffed, in pieces."""
        reader = dots.Reader()
        while True:
            data = self._lines.take(CHUNK)
            if not data:
                await self._fill()
                continue
            piece = reader.feed(data)
            if reader.done:
                self._lines.untake(reader.rest)
            if piece:
                yield piece
            if reader.done:
                return

    async def counted(self, size: int) -> AsyncIterator[bytes]:
        """Exactly ``size`` bytes, in pieces."""
        while size > 0:
            data = self._lines.take(min(size, CHUNK))
            if not data:
                await self._fill()
                continue
            size -= len(data)
            yield data

    async def write(self, data: bytes) -> None:
        """Sends; returns when there is room for more."""
        if self._stream.closed:
            raise Hangup(Reason.CLOSED, "connection lost")
        self._heard = False
        self._stream.write(data)
        while self._stream.paused and not self._stream.closed:
            await self._wait("the server does not read")

    async def start_tls(self, context: ssl.SSLContext, server_name: str) -> TlsInfo:
        """Shakes hands; what came in clear before is dropped.  ``server_name`` is sent (SNI) and checked."""
        self._lines.clear()
        self.tls = await self._stream.secured(context, server_side=False, server_hostname=server_name or None)
        return self.tls

    def compress(self) -> None:
        """DEFLATE both ways from here on (RFC 4978, RFC 8054)."""
        self._stream.compress()

    @property
    def certificate(self) -> bytes:
        """The server's certificate (DER), verified or not; empty without TLS."""
        return self._stream.tls.certificate if self._stream.tls is not None else b""

    @property
    def chain(self) -> tuple[bytes, ...]:
        """All certificates that the server showed (DER), its own first, none verified; () without TLS."""
        return self._stream.tls.chain if self._stream.tls is not None else ()

    @property
    def unread(self) -> int:
        """Octets that came and nobody asked for yet."""
        return len(self._lines)

    @property
    def closed(self) -> bool:
        """Nothing can be sent any more, or the server said that nothing more comes."""
        return self._stream.closed or self._ended

    async def close(self) -> None:
        """Ends the connection after what was written; idempotent."""
        self._stream.close()
        try:
            async with asyncio.timeout(min(self.timeout_s, 5.0)):
                await self._lost.wait()
        except BaseException as error:  # also cancelled: what it was to send may wait for ever
            self.abort()
            if not isinstance(error, TimeoutError):
                raise

    def abort(self) -> None:
        """Ends the connection now."""
        self._stream.abort()

    async def _fill(self, until: float = 0.0) -> None:
        if self.closed:
            raise Hangup(Reason.CLOSED, "the server closed the connection")
        if self._paused:
            self._paused = False
            self._stream.resume_reading()
        if self._heard:
            self._stream.hurry()
        await self._wait("the server is silent", until)

    async def _wait(self, why: str, until: float = 0.0) -> None:
        """Until something happens on the connection, or ``until`` (the loop's time; 0.0: for ``timeout_s``).

        One task may write while another reads: both wait.
        """
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        until = until or loop.time() + self.timeout_s
        self._waits[waiter] = why, until
        # one timer for many waits, as most end soon: it looks again when it fires too early
        if self._timer is None or self._timer.when() > until:
            self._set_timer(loop, until)
        if self.on_wait is not None:
            self.on_wait()
        try:
            await waiter
        finally:
            del self._waits[waiter]

    def _set_timer(self, loop: asyncio.AbstractEventLoop, until: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(until, self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        later: list[float] = []
        for waiter, (why, until) in self._waits.items():
            if waiter.done():
                continue
            if now < until:
                later.append(until)
            else:
                waiter.set_exception(Hangup(Reason.TIMEOUT, why))
        if later:  # else the next wait sets it anew
            self._set_timer(loop, min(later))

    # --- stream.Receiver ----------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        self._heard = True
        self._lines.feed(data)
        if len(self._lines) > MAX_UNREAD and not self._paused:
            self._paused = True
            self._stream.pause_reading()
        self._wake()

    def ended(self) -> None:
        self._ended = True
        self._wake()

    def writable(self) -> None:
        self._wake()

    def lost(self) -> None:
        self._ended = True
        self._lost.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waits:
            if not waiter.done():
                waiter.set_result(None)
