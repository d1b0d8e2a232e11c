"""One connection that is there already: standard input and output, or a socket that inetd passed on.

A transport is any ordered stream.  What is no socket (pipes of ssh, files, terminals) is carried to one by
two threads, so that the driver, TLS and waiting are the same everywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Callable

from quintet.config.net import Net
from quintet.net.client import Client
from quintet.net.driver import Driver
from quintet.net.seam import CHUNK, Peer, Service
from quintet.net.stream import Stream

LAST_S = 30.0  # for what was said last to be read by a pipe's other end


async def serve(
    service: Service,
    sock: socket.socket,
    peer: Peer,
    *,
    net: Net | None = None,
    context: Callable[[], ssl.SSLContext] | None = None,
    opened: Callable[[Driver], None] | None = None,
) -> None:
    """Speaks on a connected socket until the connection ends; ``opened`` is told the driver."""
    limits = net or Net()
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    stream = Stream(context=context, handshake_timeout_s=limits.handshake_timeout_s)
    try:
        sock.setblocking(False)
        wire, session = service.open(peer)
        driver = Driver(stream, wire, session, peer, write_timeout_s=limits.write_timeout_s)
        driver.on_end = lambda _: over.set()
        stream.receiver = driver
        await loop.connect_accepted_socket(lambda: stream, sock)
    except BaseException:  # it is nobody's yet, and the other end would wait for an answer
        sock.close()
        raise
    driver.begin()
    if opened is not None:
        opened(driver)
    try:
        await over.wait()
    except asyncio.CancelledError:
        driver.abort()
        await over.wait()
        raise


async def resume(service: Service, client: Client, peer: Peer, *, net: Net | None = None) -> None:
    """Serves on a connection that we made and spoke on as a client until now (RFC 2645 5.3)."""
    over = asyncio.Event()
    stream, early = client.released()
    wire, session = service.open(peer)
    driver = Driver(stream, wire, session, peer, write_timeout_s=(net or Net()).write_timeout_s)
    driver.on_end = lambda _: over.set()
    stream.receiver = driver
    wire.feed(early)
    driver.begin()
    if stream.closed:
        driver.lost()
    try:
        await over.wait()
    except asyncio.CancelledError:
        driver.abort()
        await over.wait()
        raise


def peer_of(sock: socket.socket | None, identity: str, *, user: str = "", started_at: int = 0) -> Peer:
    """Who is at the other end: of a TCP socket its address, else somebody on this machine."""
    peer = Peer(identity, "unix", listener="stdio", user=user, started_at=started_at)
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        theirs, ours = sock.getpeername(), sock.getsockname()
        peer.address, peer.port = theirs[0].removeprefix("::ffff:").partition("%")[0], theirs[1]
        peer.local_address, peer.local_port = ours[0].removeprefix("::ffff:").partition("%")[0], ours[1]
        peer.user = ""  # nobody vouches for who connects from elsewhere
    return peer


def socket_at(number: int) -> socket.socket | None:
    """The stream socket that a descriptor is, as a copy of its own; None for what is none."""
    try:
        found = socket.socket(fileno=os.dup(number))
    except OSError:
        return None
    if found.type == socket.SOCK_STREAM and found.family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
        return found
    found.close()
    return None


def listens(sock: socket.socket) -> bool:
    """It is a listening socket: inetd's "wait"."""
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


class Bridge:
    """Carries two descriptors to one end of a socket pair; ``sock`` is the other end."""

    def __init__(self, read: int, write: int) -> None:
        self.sock, self._inner = socket.socketpair()
        self._read, self._write = read, write
        self._out = threading.Thread(target=self._carry_out, name="stdout", daemon=True)
        threading.Thread(target=self._carry_in, name="stdin", daemon=True).start()
        self._out.start()

    def finish(self) -> None:
        """Waits until the last words went out; whoever does not read them is not waited for long."""
        self._out.join(LAST_S)

    def _carry_in(self) -> None:
        with contextlib.suppress(OSError):  # our end is gone, or the other: nothing more to carry
            while data := os.read(self._read, CHUNK):
                self._inner.sendall(data)
        with contextlib.suppress(OSError):
            self._inner.shutdown(socket.SHUT_WR)

    def _carry_out(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._inner.recv(CHUNK):
                while data:
                    data = data[os.write(self._write, data) :]
        with contextlib.suppress(OSError):
            self._inner.shutdown(socket.SHUT_RD)  # who reads no more hears no more
