"""A real server for tests over sockets: in this process (`start_server`), or as a program (`spawn_server`).

Both listen on free ports of 127.0.0.1 and have the accounts alice, bob and carol@example.org with the
password "demo", and the groups local.test, local.announce (moderated) and comp.lang.python.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quintet.admin import control
from quintet.admin.demo import articles
from quintet.admin.demo.furnish import ACCOUNTS, DOMAIN, PASSWORD, furnish
from quintet.app import App
from quintet.auth import admin as secrets
from quintet.clock import Clock
from quintet.config import describe, root
from quintet.config.listeners import STANDARD, Listener
from quintet.store import accounts, groups
from quintet.store.db import Tx
from quintet.store.store import Store

HOST = "127.0.0.1"
HOSTNAME = "mail.example.org"
START_S = 60.0  # seconds; two cores that many tests share take ten times as long as one alone
STOP_S = 60.0

Sections = Mapping[str, Mapping[str, Any] | tuple[Any, ...]]

FAST: dict[str, dict[str, Any]] = {
    "server": {"hostname": HOSTNAME, "workers": 1, "drain_s": 5.0},
    "store": {"sync": "off"},
    "auth": {"argon2_memory": 64, "argon2_time": 1, "scram_iterations": 4096, "default_domain": DOMAIN},
    "log": {"level": "warning"},
    "smtp": {"postmaster": f"alice@{DOMAIN}"},
}
"""What tests change: cheap hashes, no flushing, little talk."""


@dataclass(slots=True)
class Server:
    """A server in this process."""

    app: App
    ports: dict[str, int]  # by listener: smtp, submission, submissions, lmtp, pop3, pop3s, imap, ...

    @property
    def store(self) -> Store:
        return self.app.store

    @property
    def certificate(self) -> Path:
        """What a client must trust."""
        return self.app.config.data / "self-signed.pem"


@asynccontextmanager
async def start_server(
    folder: Path,
    *,
    letters: bool = False,
    only: tuple[str, ...] = (),
    clock: Clock | None = None,
    **sections: Any,
) -> AsyncIterator[Server]:
    """A running server with its data in ``folder``; ``only`` some protocols.

    Options go by section: ``start_server(tmp_path, smtp={"max_recipients": 100})``; ``listeners`` is a
    dict of `Listener`.  ``letters`` puts the demo's letters and articles in.
    """
    config = configured(folder, sections)
    await _prepare(config, letters)
    app = App(config, only=only, clock=clock)
    await app.start()
    try:
        yield Server(app, {name: each.port for name, each in app.listeners.items()})
    finally:
        await app.stop(1.0)


def configured(folder: Path, sections: Sections | None = None) -> root.Config:
    """The configuration of a test server."""
    config = root.Config(listeners={each.name: _local(each) for each in STANDARD})
    config = dataclasses.replace(config, store=dataclasses.replace(config.store, data=str(folder / "data")))
    for given in (FAST, sections or {}):
        for name, options in given.items():
            if name == "listeners":
                config = dataclasses.replace(config, listeners=dict(options))
            elif isinstance(options, tuple):  # blocks, as those of retention
                config = dataclasses.replace(config, **{name: options})
            else:
                section = dataclasses.replace(getattr(config, name), **options)
                config = dataclasses.replace(config, **{name: section})
    return config


def _local(listener: Listener) -> Listener:
    return dataclasses.replace(listener, address=HOST, port=0)


async def _prepare(config: root.Config, letters: bool) -> None:
    store = await Store.open(config.store)
    try:
        if letters:
            await furnish(store, config.auth)
        else:
            await people(store, config)
    finally:
        await store.close()


def lay_out(folder: Path, **sections: Any) -> Path:
    """Writes ``folder``/quintet.toml and makes its accounts and groups, without a server.

    Not from inside a running event loop.
    """
    config = configured(folder, sections)
    asyncio.run(_prepare(config, letters=False))
    write_config(folder, config)
    return folder


async def people(store: Store, config: root.Config) -> None:
    """The accounts and groups, without any message; what is there stays."""
    for name, display in ACCOUNTS:
        if store.peek(accounts.find, name) is None:
            account = await store.write(_account, name, display)
            await secrets.set_password(store, account, PASSWORD, config.auth)
    for name, status, description in articles.GROUPS:
        if store.peek(groups.find, name) is None:
            await store.write(groups.create, name, status, description)


def _account(tx: Tx, name: str, display: str) -> Any:
    if not accounts.is_local(tx, DOMAIN):
        accounts.add_domain(tx, DOMAIN)
    return accounts.create(tx, name, display_name=display).id


# --- as a program -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Spawned:
    """A server that runs as a program of its own."""

    folder: Path
    process: subprocess.Popen[bytes]
    ports: dict[str, int]
    notices: list[str]  # what it told the service manager, in order
    log: Path  # its standard error

    @property
    def config(self) -> Path:
        return self.folder / "quintet.toml"

    @property
    def pid(self) -> int:
        return self.process.pid

    def status(self) -> list[dict[str, Any]]:
        """One answer from each worker."""
        return asyncio.run(control.tell(self.folder / "data", {"do": "status"}))

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Tells it to end and waits; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@contextmanager
def spawn_server(
    folder: Path, *, workers: int = 1, letters: bool = False, prepare: bool = True, **sections: Any
) -> Iterator[Spawned]:
    """Writes ``folder``/quintet.toml and runs ``quintet serve``; ready when this gives it.

    Not from inside a running event loop.  Ports are free ones, told by the server itself.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = configured(folder, sections)
    config = dataclasses.replace(config, server=dataclasses.replace(config.server, workers=workers))
    path = write_config(folder, config)
    if prepare:
        asyncio.run(_prepare(config, letters))
    told = folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        told.unlink(missing_ok=True)
        manager.bind(str(told))
        manager.settimeout(START_S)
        with (folder / "log").open("ab") as errors:
            command = [sys.executable, "-m", "quintet", "serve", "-c", str(path)]
            process = subprocess.Popen(
                command, env={**os.environ, "NOTIFY_SOCKET": str(told)}, stderr=errors, stdout=errors
            )
        spawned = Spawned(folder, process, {}, [], folder / "log")
        try:
            _await_ready(spawned, manager)
            listener = threading.Thread(target=_listen, args=(manager, spawned.notices), daemon=True)
            listener.start()
            spawned.ports = {each["name"]: each["port"] for each in spawned.status()[0]["listeners"]}
            yield spawned
        finally:
            spawned.stop()
            with contextlib.suppress(OSError):
                manager.shutdown(socket.SHUT_RDWR)


def write_config(folder: Path, config: root.Config) -> Path:
    """The configuration as a file, which ``quintet serve`` and every command take.

    Only what differs from the default, which each start and each command would read for longer than most
    commands take.
    """
    config = dataclasses.replace(config, store=dataclasses.replace(config.store, data="data"))
    path = folder / "quintet.toml"
    told = [
        line for header, line in _options(config) if line == header or (_kind(header), line) not in _DEFAULTS
    ]
    path.write_text("\n".join(told) + "\n", encoding="utf-8")
    return path


def _options(config: root.Config) -> Iterator[tuple[str, str]]:
    """The lines of a whole file, each with the header that it stands under."""
    header = ""
    for line in describe.effective(config).splitlines():
        header = line if line.startswith("[") else header
        yield header, line


def _kind(header: str) -> str:
    """Listeners have their defaults in common."""
    return "[listeners.x]" if header.startswith("[listeners.") else header


_DEFAULTS = frozenset(_options(dataclasses.replace(root.Config(), listeners={"x": Listener()})))


def _await_ready(spawned: Spawned, manager: socket.socket) -> None:
    manager.settimeout(0.2)
    for _ in range(round(START_S / 0.2)):
        with contextlib.suppress(TimeoutError):
            text = manager.recv(4096).decode()
            spawned.notices.append(text)
            if "READY=1" in text:
                manager.settimeout(None)
                return
        if spawned.process.poll() is not None:
            break
    raise AssertionError(f"the server did not start:\n{spawned.log.read_text()}")


def _listen(manager: socket.socket, notices: list[str]) -> None:
    with contextlib.suppress(OSError):
        while data := manager.recv(4096):
            notices.append(data.decode())
