"""One session on standard input and output, or on the socket that inetd gave: what `smtp` and `imap` share.

It works beside a running server or without one, over the same store.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from quintet.values import dataclass

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from quintet.clock import Clock
    from quintet.config.root import Config
    from quintet.net.seam import Peer, Service

STDIN, STDOUT, STDERR = 0, 1, 2
WAIT_S = 60.0  # without a connection, before a server that inetd started with "wait" ends
DRAIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Door:
    """A service, and how its sessions begin."""

    service: Service
    settings: Config
    clock: Clock
    context: Any = None  # what gives TLS contexts; None: no STARTTLS
    user: str = ""  # who is at the other end, unless that is another machine
    local_users: bool = False  # who comes by a listening Unix socket is whom the system says

    def peer(self, sock: socket.socket | None = None) -> Peer:
        """Who is at the other end."""
        from quintet.net import single

        return single.peer_of(sock, self.clock.token(5), user=self.user, started_at=self.clock.now())


def local_user() -> str:
    """The login name of who runs this, or the number of a user without one."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def keep_errors_apart() -> None:
    """inetd gives the connection as standard error too: nothing of ours may be said there."""
    from quintet import log

    for number in (STDIN, STDOUT):
        if _same(STDERR, number) and not os.isatty(STDERR):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, STDERR)
            os.close(nowhere)
    log.configure("warning")


def _same(one: int, other: int) -> bool:
    try:
        return os.path.sameopenfile(one, other)
    except OSError:  # one of them is closed
        return False


async def serve(door: Door) -> None:
    """Serves what standard input is: a connection, a listening socket (inetd's "wait"), or pipes."""
    from quintet.net import single

    given = single.socket_at(STDIN)
    if given is not None and single.listens(given):
        await _serve_listening(door, given)
        return
    if given is not None and _same(STDIN, STDOUT):
        await _serve_one(door, given, given, door.context)
        return
    if given is not None:
        given.close()  # ssh may give a socket for each direction
    bridge = single.Bridge(STDIN, STDOUT)
    await _serve_one(door, bridge.sock, None, None)
    bridge.finish()


async def _serve_one(
    door: Door,
    sock: socket.socket,
    given: socket.socket | None,
    context: Callable[[], Any] | None,
) -> None:
    import asyncio
    import signal

    from quintet.net import single
    from quintet.net.driver import Driver

    def opened(driver: Driver) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, driver.shutdown)

    peer = door.peer(given)
    await single.serve(door.service, sock, peer, net=door.settings.net, context=context, opened=opened)


async def _serve_listening(door: Door, sock: socket.socket) -> None:
    """inetd's "wait": connections until none came for a while."""
    import asyncio

    from quintet.config.listeners import Listener as Options
    from quintet.net.listener import Listener

    sock.setblocking(False)
    unix = not isinstance(sock.getsockname(), tuple)
    options = Options(
        name="stdio", tls="starttls" if door.context else "none", local_users=unix and door.local_users
    )
    listener = Listener(
        door.service, [sock], options, clock=door.clock, net=door.settings.net, context=door.context
    )
    await listener.start()
    quiet = 0.0
    while quiet < WAIT_S:
        await asyncio.sleep(1.0)
        quiet = 0.0 if listener.connections else quiet + 1.0
    await listener.drain(DRAIN_S)
