"""For tests with real mail programs: a server with some letters, how a program is run, what is stored."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest

from quintet.store import accounts, entries, folders, groups
from quintet.store.content import content_of
from tests.support.server import Server, start_server

HOST = "127.0.0.1"
USER, PASSWORD = "alice@example.org", "demo"
TIME_S = 60.0  # for one program, on a busy machine
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
        f"Date: Fri, 21 Nov 2025 09:{number:02}:00 +0000\r\nMessage-ID: <m{number}@example.net>\r\n"
        f"\r\nText of letter {number}.\r\n.starts with a dot\r\n"
    ).encode()


async def fill(server: Server, count: int, name: str = "INBOX", *, first: int = 1) -> None:
    """Delivers letters ``first`` and on."""
    for number in range(first, first + count):
        await deliver(server, letter(number), name, at=number)


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
    received_at = 1_763_715_600_000 + at * 1000
    await server.store.write(entries.add, [target], content_of(raw), received_at=received_at)


def folder_of(server: Server, name: str) -> folders.Folder:
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


async def until(what: Callable[[], object], *, seconds: float = 20.0) -> None:
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


async def run(*command: str, home: Path, stdin: bytes = b"", ok: tuple[int, ...] = (0,)) -> str:
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
        async with asyncio.timeout(TIME_S):
            output, _ = await process.communicate(stdin)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    text = output.decode("utf-8", "replace")
    assert process.returncode in ok, f"{command[0]} ended with {process.returncode}:\n{text[-3000:]}"
    return text
