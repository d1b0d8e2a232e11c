"""For tests with real mail programs: a server with some letters, how a program is run, what is stored."""

from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import functools
import os
import pty
import re
import shutil
import struct
import termios
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import jwt
import pytest

from quintet.store import accounts, entries, folders, groups
from quintet.store.content import content_of
from quintet.store.db import Tx
from quintet.store.model import Folder
from tests.support.server import Server, start_server

HOST = "127.0.0.1"
USER, PASSWORD = "alice@example.org", "demo"
TIME_S = 60.0  # for one program, on a busy machine
QUIET_S = 0.1
RECEIVED_AT = 1_763_715_600_000  # 2025-11-21 09:00 UTC
SECRET = "a secret that issuer and server share"


def program(name: str) -> str:
    """The program's path; the test is skipped where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@asynccontextmanager
async def mail_server(
    folder: Path, *, letters: int = 5, only: tuple[str, ...] = ("imap",), **sections: Any
) -> AsyncIterator[Server]:
    """A server with `letter` 1 to ``letters`` in the inbox of `USER`; it takes tokens made by `token`."""
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "token.key"
    key.write_text(SECRET)
    auth = {"token_keys": (f"hs256:{key}",), **sections.pop("auth", {})}
    async with start_server(folder, only=only, auth=auth, **sections) as running:
        await fill(running, letters)
        yield running


def offering(server: Server, *mechanisms: str) -> None:
    """From now on the server offers these SASL mechanisms only, so that a client has no choice."""
    server.app.auth.reload(dataclasses.replace(server.app.auth.config, mechanisms=mechanisms))


@functools.cache
def token(user: str = USER) -> str:
    """A bearer token as an issuer would give it, good for an hour."""
    return jwt.encode({"email": user, "exp": int(time.time()) + 3600}, SECRET, "HS256")


def letter(number: int) -> bytes:
    return (
        f"From: Zoe <zoe@example.net>\r\nTo: {USER}\r\nSubject: Letter {number}\r\n"
        f"Date: Fri, 21 Nov 2025 09:{number % 60:02}:00 +0000\r\nMessage-ID: <m{number}@example.net>\r\n"
        f"\r\nText of letter {number}.\r\n.starts with a dot\r\n"
    ).encode()


async def fill(server: Server, count: int, name: str = "INBOX", *, first: int = 1) -> None:
    """Delivers letters ``first`` and on, all at once."""
    folder = folder_of(server, name).id

    def add(tx: Tx) -> None:
        for number in range(first, first + count):
            entries.add(tx, [folder], content_of(letter(number)), received_at=RECEIVED_AT + number * 1000)

    await server.store.write(add)


async def deliver(
    server: Server, raw: bytes, name: str = "INBOX", *, at: int = 0, group: str | None = None
) -> None:
    """Puts a message into a folder of `USER`, or into a group."""
    if group is None:
        target = folder_of(server, name).id
    else:
        found = server.store.peek(groups.find, group)
        assert found is not None, group
        target = found.id
    await server.store.write(entries.add, [target], content_of(raw), received_at=RECEIVED_AT + at * 1000)


def folder_of(server: Server, name: str) -> Folder:
    account = server.store.peek(accounts.find, USER)
    assert account is not None
    found = server.store.peek(folders.find, account.id, name)
    assert found is not None, name
    return found


def names(server: Server) -> list[str]:
    """Paths of all folders."""
    account = server.store.peek(accounts.find, USER)
    assert account is not None
    return sorted(each.name for each in server.store.peek(folders.listing, account.id))


def rows(server: Server, name: str = "INBOX") -> list[Any]:
    return server.store.peek(entries.listing, folder_of(server, name).id)


async def until(what: Callable[[], object], *, seconds: float = TIME_S) -> None:
    """Waits for a client that does things when it finds the time."""
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.02)


async def idling(server: Server) -> None:
    """Waits until some client is in IDLE, and has been for a moment."""

    def seen() -> bool:
        drivers = [each for listener in server.app.listeners.values() for each in listener._drivers]
        return any(getattr(each.session, "idling", b"") for each in drivers)

    await until(seen)
    await asyncio.sleep(0.05)
    await until(seen)


def flags(server: Server, name: str = "INBOX") -> dict[int, int]:
    """UID to flags as the store has them: SEEN and so on of `store.model`."""
    return {row.uid: row.flags for row in rows(server, name)}


async def run(
    *command: str, home: Path, stdin: bytes = b"", ok: tuple[int, ...] = (0,), seconds: float = TIME_S
) -> str:
    """Runs a program with a home of its own; its output."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "dumb", "LC_ALL": "C.UTF-8"},
        cwd=home,
    )
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate(stdin)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    text = output.decode("utf-8", "replace")
    assert process.returncode in ok, f"{command[0]} ended with {process.returncode}:\n{text[-3000:]}"
    return text


class Screen:
    """A program in a terminal: keys go in, what it draws comes out.  For ``async with``."""

    LINES, COLUMNS = 40, 120

    def __init__(self, *command: str, home: Path) -> None:
        self._command, self._home = command, home
        self.drawn = ""

    async def __aenter__(self) -> Self:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", self.LINES, self.COLUMNS, 0, 0))
        os.set_blocking(self._ours, False)
        path = "/usr/local/bin:/usr/bin:/bin"
        environment = {"HOME": str(self._home), "PATH": path, "TERM": "xterm", "LC_ALL": "C.UTF-8"}
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            cwd=self._home,
            start_new_session=True,
        )
        os.close(theirs)
        asyncio.get_running_loop().add_reader(self._ours, self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)

    def _read(self) -> None:
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # EIO: the program has ended
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._ours)
        self.drawn += _ESCAPES.sub("", data.decode("utf-8", "replace"))

    async def keys(self, text: str, shows: str = "") -> None:
        """Presses keys when the program has nothing more to draw; waits until it shows ``shows`` (anew)."""
        before = None
        while before != (before := self.drawn):  # some programs throw away what was typed ahead
            await asyncio.sleep(QUIET_S)
        self.drawn = ""
        os.write(self._ours, text.encode())
        await self.shows(shows)

    async def shows(self, text: str) -> str:
        """What is drawn when ``text`` is in it; AssertionError when it does not come."""
        try:
            await until(lambda: text in self.drawn, seconds=TIME_S)
        except TimeoutError:
            raise AssertionError(f"no {text!r} on the screen, only:\n{self.drawn[-3000:]}") from None
        return self.drawn

    async def ended(self) -> int:
        return await asyncio.wait_for(self._process.wait(), TIME_S)


_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?>]*[A-Za-z]|[()][A-Z0-9]|[=>78])")
