"""One listener: takes connections, finds out who they are, and gives each a driver.

PROXY headers, limits, implicit TLS and the graceful end are here; what is said is the service's
business, and which sockets there are is `sockets`'.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence

from quintet import log, metrics
from quintet.clock import Clock
from quintet.config import listeners
from quintet.config.net import Net
from quintet.errors import BadSyntax, Reason
from quintet.net import accepting, proxy, sockets
from quintet.net.driver import Driver
from quintet.net.limits import Limits, Networks, Shared
from quintet.net.seam import Peer, Service, TlsInfo
from quintet.net.stream import NOBODY, Stream

logger = log.get("net")


class Listener:
    """Serves one service on some sockets.

    ``context`` gives the TLS context (`tls.Contexts.giver`); without one, STARTTLS is refused and an
    implicit TLS listener cannot start.  ``shared`` counts connections with other workers.
    """

    def __init__(
        self,
        service: Service,
        opened: Sequence[socket.socket],
        config: listeners.Listener,
        *,
        clock: Clock,
        net: Net | None = None,
        context: Callable[[], ssl.SSLContext] | None = None,
        shared: Shared | None = None,
    ) -> None:
        if config.tls == "implicit" and context is None:
            raise ValueError(f"listener {config.name}: implicit TLS needs a certificate")
        self.service = service
        self.sockets = list(opened)
        self.name = config.name
        bound = self.sockets[0].getsockname()
        self.port = int(bound[1]) if isinstance(bound, tuple) else 0  # of the first socket; 0: a Unix socket
        self._clock = clock
        self._context = context if config.tls != "none" else None
        self._implicit = config.tls == "implicit"
        self._accepting: list[accepting.Accepting] = []
        self._drivers: set[Driver] = set()
        self._early: set[Stream] = set()  # no driver yet: PROXY header or TLS handshake
        self._empty = asyncio.Event()
        self._taken = metrics.CONNECTIONS.labels(self.name)
        self._gauge = metrics.OPEN.labels(self.name)
        self._draining = False
        self._shared = shared
        self._limits = Limits(0, 0, 0)
        self.reload(config, net or Net())

    def reload(self, config: listeners.Listener, net: Net) -> None:
        """Takes changed limits and waiting times; open connections stay and go on being counted."""
        old = self._limits
        self._limits = Limits(
            config.max_connections,
            config.max_per_address,
            config.rate_per_minute,
            net.unlimited,
            name=self.name,
            shared=self._shared,
        )
        self._limits.adopt(old)
        self._config, self._net = config, net
        self._proxies = Networks(config.proxy)

    async def start(self) -> None:
        """Begins to take connections."""
        for sock in self.sockets:
            self._accepting.append(await accepting.begin(sock, self._new, self._config.backlog))

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._drivers) + len(self._early)

    async def drain(self, deadline_s: float) -> None:
        """Takes no more connections, lets the open ones end, and cuts off what is left at the deadline.

        Idle sessions hear their farewell at once, busy ones after the command that runs.
        """
        self._draining = True
        for one in self._accepting:
            one.close()
        self._accepting.clear()
        for driver in list(self._drivers):
            driver.shutdown()
        for stream in list(self._early):
            stream.abort()
        if not await self._wait_empty(deadline_s):
            logger.warning("cut off", listener=self.name, connections=self.connections)
            for driver in list(self._drivers):
                driver.abort()
            await self._wait_empty(1.0)

    async def _wait_empty(self, seconds: float) -> bool:
        if not self.connections:
            return True
        self._empty.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    # --- a connection's first moments -----------------------------------------------------

    def _new(self) -> Stream:
        return Stream(self._made, context=self._context, handshake_timeout_s=self._net.handshake_timeout_s)

    def _made(self, stream: Stream) -> None:
        transport = stream.transport
        theirs, ours = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        peer = Peer(self._clock.token(5), "unix", listener=self.name, started_at=self._clock.now())
        if isinstance(theirs, tuple):
            peer.address, peer.port = _plain(theirs[0]), theirs[1]
            peer.local_address, peer.local_port = _plain(ours[0]), ours[1]
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        elif self._config.local_users:
            peer.user = sockets.user_at(transport.get_extra_info("socket"))
        self._taken.inc()
        if peer.address in self._proxies:
            self._early.add(stream)
            stream.receiver = _BehindProxy(self, stream, peer, self._net.proxy_timeout_s)
        else:
            self._known(stream, peer)

    def _known(self, stream: Stream, peer: Peer, rest: bytes = b"") -> None:
        """The client's address is known; ``rest`` came with the PROXY header."""
        self._early.discard(stream)
        reason = Reason.SHUTDOWN if self._draining else self._enter(peer.address)
        if reason is not None:
            self._turn_away(stream, peer, reason)
            return
        self._gauge.inc()
        if not self._implicit:
            self._open(stream, peer, rest)
            return
        assert self._context is not None
        self._early.add(stream)
        handshake = _Handshake(self, stream, peer)
        stream.receiver = handshake
        stream.secure(self._context(), handshake.done)
        if rest:
            stream.take(rest)

    def _enter(self, address: str) -> Reason | None:
        return self._limits.enter(address, self._clock.monotonic(), self._clock.now() / 1000)

    def _turn_away(self, stream: Stream, peer: Peer, reason: Reason) -> None:
        metrics.REFUSED.labels(self.name, reason.name.lower()).inc()
        logger.info("turned away", conn=peer.id, listener=self.name, address=peer.address, reason=reason.name)
        if not self._implicit:  # nobody would understand cleartext there
            _, session = self.service.open(peer)
            stream.write(session.farewell(reason))
            session.close()
        stream.close()

    def _open(self, stream: Stream, peer: Peer, rest: bytes = b"") -> None:
        try:
            wire, session = self.service.open(peer)
        except Exception as error:  # noqa: BLE001 - our bug must not leave a connection that nobody owns
            self._bug(peer, error)
            stream.receiver = NOBODY
            stream.abort()
            return
        driver = Driver(stream, wire, session, peer, write_timeout_s=self._net.write_timeout_s)
        driver.on_end = self._ended
        stream.receiver = driver
        self._drivers.add(driver)
        logger.debug("connected", conn=peer.id, listener=self.name, address=peer.address, port=peer.port)
        if rest:
            wire.feed(rest)
        driver.begin()

    def _bug(self, peer: Peer, error: Exception) -> None:
        metrics.BUGS.labels(self.name).inc()
        logger.error("bug", conn=peer.id, exc_info=error)
        self._left(peer)

    def _ended(self, driver: Driver) -> None:
        self._drivers.discard(driver)
        self._left(driver.peer)

    def _left(self, peer: Peer) -> None:
        self._limits.leave(peer.address)
        self._gauge.dec()
        if not self.connections:
            self._empty.set()

    def _lost_early(self, stream: Stream) -> None:
        self._early.discard(stream)
        if not self.connections:
            self._empty.set()


class _BehindProxy:
    """Waits for the PROXY header."""

    __slots__ = ("_data", "_listener", "_peer", "_stream", "_timer")

    def __init__(self, listener: Listener, stream: Stream, peer: Peer, seconds: float) -> None:
        self._listener, self._stream, self._peer = listener, stream, peer
        self._data = b""
        self._timer = asyncio.get_running_loop().call_later(seconds, self._fail, "no PROXY header in time")

    def received(self, data: bytes) -> None:
        self._data += data
        try:
            header = proxy.parse(self._data)
        except BadSyntax as error:
            self._fail(error.text)
            return
        if header is None:
            return
        self._timer.cancel()
        peer = self._peer
        if header.address:
            peer.address, peer.port = _plain(header.address), header.port
            peer.local_address, peer.local_port = _plain(header.local_address), header.local_port
        self._listener._known(self._stream, peer, self._data[header.size :])

    def ended(self) -> None:
        self._fail("end of input in the PROXY header")

    def writable(self) -> None:
        return

    def lost(self) -> None:
        self._timer.cancel()
        self._listener._lost_early(self._stream)

    def _fail(self, text: str) -> None:
        logger.info("proxy header", conn=self._peer.id, address=self._peer.address, text=text)
        metrics.REFUSED.labels(self._listener.name, "proxy").inc()
        self._timer.cancel()
        self._stream.abort()


class _Handshake:
    """Stands where the driver will be until TLS stands (implicit TLS)."""

    __slots__ = ("_listener", "_peer", "_stream")

    def __init__(self, listener: Listener, stream: Stream, peer: Peer) -> None:
        self._listener, self._stream, self._peer = listener, stream, peer

    def done(self, result: TlsInfo | Exception) -> None:
        listener = self._listener
        if isinstance(result, Exception):
            metrics.TLS.labels(listener.name, "failed").inc()
            logger.info("handshake failed", conn=self._peer.id, address=self._peer.address, text=str(result))
            return  # `lost` follows
        metrics.TLS.labels(listener.name, "ok").inc()
        self._peer.tls = result
        listener._early.discard(self._stream)
        listener._open(self._stream, self._peer)

    def received(self, data: bytes) -> None:
        return

    def ended(self) -> None:
        self._stream.abort()

    def writable(self) -> None:
        return

    def lost(self) -> None:
        self._listener._early.discard(self._stream)
        self._listener._left(self._peer)


def _plain(address: str) -> str:
    """An IPv4 address that came in IPv6 clothes, and a link-local one without its scope."""
    if address.startswith("::ffff:") and "." in address:
        return address[7:]
    return address.partition("%")[0]
