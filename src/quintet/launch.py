"""What starting a server takes before there is one: sockets, the user to become, systemd, a lean process.

Kept free of the event loop and of everything a protocol needs, so that the supervisor stays small.
systemd: sd_listen_fds(3), sd_notify(3).
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import socket
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from quintet.config.listeners import Listener
from quintet.config.root import Config
from quintet.net import sockets

SOCKETS = "QUINTET_SOCKETS"  # environment of a worker: JSON, listener name to descriptors
STATUS = "QUINTET_STATUS"  # environment of a worker: the descriptor it tells its supervisor on
NUMBER = "QUINTET_WORKER"  # environment of a worker: its number, from 0
COUNT = "QUINTET_WORKERS"  # environment of a worker: how many there are
BANNER = "QUINTET_BANNER"  # environment: text for standard output once the ports answer

Sockets = dict[str, list[socket.socket]]


class CannotStart(Exception):
    """A server cannot be started; the text is a sentence for people."""


def become(kind: str, path: Path, workers: int | None, banner: str = "") -> None:
    """Replaces this process by a lean one: ``kind`` is "worker" or "supervise".  Does not return."""
    command = [sys.executable, "-P", "-m", "quintet", kind, "-c", str(path.absolute())]
    if workers is not None:
        command += ["--workers", str(workers)]
    environ = {**os.environ, **({BANNER: banner} if banner else {})}
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, command, environ)  # noqa: S606 - our own interpreter, our own arguments


def announce() -> None:
    """Writes the text that waits for this moment, once."""
    banner = os.environ.pop(BANNER, "")
    if banner:
        sys.stdout.write(banner + "\n")
        sys.stdout.flush()


# --- sockets --------------------------------------------------------------------------------------


def open_sockets(config: Config, copies: int = 1) -> list[Sockets]:
    """The listening sockets by listener, ``copies`` times over on shared ports; inherited ones are shared.

    Raises:
        CannotStart: a port is taken, needs more rights, or does not exist here.
    """
    given = sockets.inherited()
    names = {listener.name for listener in enabled(config)}
    unnamed = {name: opened for name, opened in given.items() if name not in names}
    made: list[Sockets] = [{} for _ in range(copies)]
    try:
        for listener in enabled(config):
            for each, opened in zip(made, _open(listener, given, unnamed, copies, config), strict=True):
                each[listener.name] = opened
    except OSError as error:
        close_sockets(made)
        raise CannotStart(_explain(error)) from error
    return made


def enabled(config: Config) -> list[Listener]:
    """The listeners that are wanted."""
    return [each for each in config.listeners.values() if each.enabled]


def _open(
    listener: Listener, named: Sockets, unnamed: Sockets, copies: int, config: Config
) -> Iterable[list[socket.socket]]:
    inherited = named.get(listener.name) or _by_port(listener, unnamed)
    if inherited:
        return [inherited] * copies
    shared = copies > 1 and config.net.reuse_port and not listener.address.startswith("unix:")
    port, made = listener.port, []
    for _ in range(copies if shared else 1):
        opened = sockets.listen(
            listener.address,
            port,
            backlog=listener.backlog,
            reuse_port=shared,
            mode=int(listener.mode, 8),
            owner=listener.owner,
        )
        made.append(opened)
        if shared and not port:
            port = opened[0].getsockname()[1]
    return made if shared else made * copies


def _by_port(listener: Listener, given: Sockets) -> list[socket.socket]:
    """Sockets with our port under whatever name: a unit's sockets all have the unit's, unless told."""
    mine: list[socket.socket] = []
    for opened in given.values():
        fitting = [each for each in opened if listener.port and _port(each) == listener.port]
        mine += fitting
        opened[:] = [each for each in opened if each not in fitting]
    return mine


def _port(sock: socket.socket) -> int:
    name = sock.getsockname()
    return int(name[1]) if isinstance(name, tuple) else 0


def _explain(error: OSError) -> str:
    text = error.strerror or str(error)
    if isinstance(error, PermissionError) or "ermission denied" in text:
        return f"{text}; ports below 1024 need root or CAP_NET_BIND_SERVICE"
    if "in use" in text:
        return f"{text}; stop what listens there, or choose another port"
    return text


def close_sockets(made: Iterable[Sockets]) -> None:
    for each in made:
        for opened in each.values():
            for sock in opened:
                sock.close()


def pass_on(opened: Sockets) -> str:
    """Sockets as a worker's environment has them; the numbers stay the same in the child."""
    return json.dumps({name: [sock.fileno() for sock in each] for name, each in opened.items()})


def taken_over(environ: Mapping[str, str] = os.environ) -> Sockets | None:
    """The sockets that a supervisor passed on; None without one."""
    text = environ.get(SOCKETS, "")
    if not text:
        return None
    numbers: dict[str, list[int]] = json.loads(text)
    return {name: [_adopt(number) for number in each] for name, each in numbers.items()}


def _adopt(number: int) -> socket.socket:
    sock = socket.socket(fileno=number)
    sock.setblocking(False)
    os.set_inheritable(number, False)
    return sock


# --- rights ---------------------------------------------------------------------------------------


def drop_rights(config: Config) -> None:
    """Becomes the configured user when started as root; the data directory is made for them first.

    Raises:
        CannotStart: there is no such user or group.
    """
    name = config.server.user
    if not name or os.geteuid() != 0:
        return
    try:
        user = pwd.getpwnam(name)
    except KeyError as error:
        raise CannotStart(f"server.user: there is no user {name!r} on this machine") from error
    group = _group(config.server.group) if config.server.group else user.pw_gid
    data = config.data
    if not data.exists():
        data.mkdir(mode=0o700, parents=True)
        os.chown(data, user.pw_uid, group)
    os.setgroups(os.getgrouplist(name, group))
    os.setgid(group)
    os.setuid(user.pw_uid)
    os.environ["HOME"] = user.pw_dir


def _group(name: str) -> int:
    import grp  # only where a group is named

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise CannotStart(f"server.group: there is no group {name!r} on this machine") from error


# --- systemd --------------------------------------------------------------------------------------


def notify(state: str) -> None:
    """Tells the service manager, as sd_notify(3): "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=..."."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address[0] == "@":
        address = "\0" + address[1:]
    with contextlib.suppress(OSError):  # a manager that is gone needs no news
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.sendto(state.encode(), address)


def notify_reloading() -> None:
    """RELOADING=1 with the moment it began, which Type=notify-reload asks for."""
    now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notify(f"RELOADING=1\nMONOTONIC_USEC={now_us}")


def watchdog_s() -> float | None:
    """How often to say WATCHDOG=1: half of what the manager allows; None when it does not watch."""
    allowed = os.environ.get("WATCHDOG_USEC", "")
    pid = os.environ.get("WATCHDOG_PID", "")
    if not allowed.isdigit() or (pid and pid != str(os.getpid())):
        return None
    return int(allowed) / 2_000_000
