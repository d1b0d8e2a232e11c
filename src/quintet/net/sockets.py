"""Listening sockets: TCP over IPv4 and IPv6, Unix sockets, and those inherited from systemd."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import stat
import struct
from collections.abc import MutableMapping
from pathlib import Path

EVERY_IPV4 = "0.0.0.0"  # noqa: S104 - what "*" in the configuration asks for
_CREDENTIALS = struct.Struct("3i")  # process, user, group
FIRST_INHERITED = 3  # sd_listen_fds(3)


def listen(
    address: str,
    port: int,
    *,
    backlog: int = 1024,
    reuse_port: bool = False,
    mode: int = 0o666,
    owner: str = "",
) -> list[socket.socket]:
    """Opens what a listener's address means: an IP address, "*" for every one, "unix:/path".

    For "*" with port 0, IPv4 and IPv6 get the same free port.  ``mode`` and ``owner`` are of a Unix socket
    (`listen_unix`).  Raises OSError that names the address.
    """
    if address.startswith("unix:"):
        return [listen_unix(address[5:], backlog=backlog, mode=mode, owner=owner)]
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


def listen_unix(path: str, *, backlog: int = 1024, mode: int = 0o666, owner: str = "") -> socket.socket:
    """A Unix socket; one that a dead process left behind is replaced.

    ``owner`` is "user", "user:group" or ":group"; "" leaves it ours.  Raises OSError that names the path.
    """
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
        if owner:
            os.chown(path, *_ids(owner))
        where.chmod(mode)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen on {path}: {error.strerror or error}") from error
    return sock


def _ids(owner: str) -> tuple[int, int]:
    """User and group by number; -1 for what stays.  Raises OSError for who is not known."""
    user, _, group = owner.partition(":")
    try:
        return (
            pwd.getpwnam(user).pw_uid if user else -1,
            grp.getgrnam(group).gr_gid if group else -1,
        )
    except KeyError as error:
        raise OSError(f"no such user or group: {owner}") from error


def user_at(sock: socket.socket) -> str:
    """The login name of who connected to a Unix socket, as the kernel says (unix(7), SO_PEERCRED).

    A user id without a name is given as its number; "" where the kernel does not say.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        return ""
    _, uid, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


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
