"""Listening sockets: TCP over IPv4 and IPv6, Unix sockets, and those inherited from systemd."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import MutableMapping
from pathlib import Path

EVERY_IPV4 = "0.0.0.0"  # noqa: S104 - what "*" in the configuration asks for
FIRST_INHERITED = 3  # sd_listen_fds(3)


def listen(address: str, port: int, *, backlog: int = 1024, reuse_port: bool = False) -> list[socket.socket]:
    """Opens what a listener's address means: an IP address, "*" for every one, "unix:/path".

    For "*" with port 0, IPv4 and IPv6 get the same free port.  Raises OSError that names the address.
    """
    if address.startswith("unix:"):
        return [listen_unix(address[5:], backlog=backlog)]
    if address not in ("*", ""):
        return [_tcp(address, port, backlog, reuse_port)]
    if not has_ipv6():
        return [_tcp(EVERY_IPV4, port, backlog, reuse_port)]
    first = _tcp("::", port, backlog, reuse_port)
    try:
        return [first, _tcp(EVERY_IPV4, port or first.getsockname()[1], backlog, reuse_port)]
    except OSError:
        first.close()
        raise


def has_ipv6() -> bool:
    """This machine speaks IPv6 at all."""
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _tcp(address: str, port: int, backlog: int, reuse_port: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # the protocol by name: asyncio sets TCP_NODELAY only on sockets that tell it, and without it the
    # greeting after a TLS handshake waits 40 ms for the client's delayed acknowledgement
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port and hasattr(socket, "SO_REUSEPORT"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen on {address} port {port}: {error.strerror}") from error
    return sock


def listen_unix(path: str, *, backlog: int = 1024, mode: int = 0o666) -> socket.socket:
    """A Unix socket; one that a dead process left behind is replaced.  Access is its folder's matter."""
    where = Path(path)
    if where.exists():
        if not stat.S_ISSOCK(where.stat().st_mode):
            raise OSError(f"cannot listen on {path}: there is something that is no socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            if probe.connect_ex(path) == 0:
                raise OSError(f"cannot listen on {path}: another process does")
        where.unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        where.chmod(mode)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen on {path}: {error.strerror}") from error
    return sock


def inherited(environ: MutableMapping[str, str] | None = None) -> dict[str, list[socket.socket]]:
    """Sockets handed over by socket activation, by name (FileDescriptorName=), each name's in order.

    Sockets without a name are under "".  The variables are removed, so that children do not take them.
    """
    environ = os.environ if environ is None else environ
    pid, count, names = (environ.pop(key, "") for key in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"))
    if pid != str(os.getpid()) or not count.isdigit():
        return {}
    labels = names.split(":") if names else []
    found: dict[str, list[socket.socket]] = {}
    for at in range(int(count)):
        sock = socket.socket(fileno=FIRST_INHERITED + at)
        sock.setblocking(False)
        os.set_inheritable(sock.fileno(), False)
        label = labels[at] if at < len(labels) else ""
        found.setdefault("" if label == "unknown" else label, []).append(sock)
    return found
