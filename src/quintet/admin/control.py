"""Orders to the running server: a Unix socket a worker in DATA/run, one JSON object a line each way.

The command line asks every worker and shows their answers as one; the HTTP pages use it to add up what
workers count.  Who may connect is decided by the mode of the directory (0700).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from quintet import log

PREFIX = "control."
MAX_LINE = 4 * 1024 * 1024  # bytes; the longest answer is one worker's metrics
ANSWER_S = 15.0  # a reload reads files and certificates

Request = dict[str, Any]
Answer = dict[str, Any]
Handler = Callable[[Request], Awaitable[Answer]]

logger = log.get("control")


class Control:
    """The server's side: ``handlers`` by the word under "do"."""

    def __init__(self, data: Path, handlers: dict[str, Handler]) -> None:
        self._run = data / "run"
        self._handlers = handlers
        self._server: asyncio.Server | None = None
        self._path = self._run / f"{PREFIX}{os.getpid()}"

    async def start(self) -> None:
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            sock.setblocking(False)
            with _reachable(self._path) as name:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name)  # of a process that had our number
                sock.bind(name)
            self._path.chmod(0o600)
            self._server = await asyncio.start_unix_server(self._serve, sock=sock, limit=MAX_LINE)
        except BaseException:
            sock.close()
            raise

    def add(self, order: str, handler: Handler) -> None:
        """Takes one more order."""
        self._handlers[order] = handler

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                answer = await self._answer(line)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError) as error:  # gone, or a line without end
            logger.debug("control connection ended", text=str(error))
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = json.loads(line)
            handler = self._handlers.get(request["do"])
        except (ValueError, KeyError, TypeError):
            return {"ok": False, "error": 'expected {"do": ...}'}
        if handler is None:
            return {"ok": False, "error": f"no such order; there are {', '.join(sorted(self._handlers))}"}
        try:
            return {"ok": True, "pid": os.getpid(), **await handler(request)}
        except Exception as error:
            logger.error("order failed", order=str(request["do"]), exc_info=error)  # noqa: TRY400 - ours has no exception()
            return {"ok": False, "pid": os.getpid(), "error": f"{type(error).__name__}: {error}"}


async def tell(data: Path, request: Request) -> list[Answer]:
    """Gives an order to every worker of the server on that data directory; their answers.

    None when no server runs.  A worker that does not answer in time is left out.
    """
    run = data / "run"
    if not run.is_dir():
        return []
    names = sorted(each.name for each in run.iterdir() if each.name.startswith(PREFIX))
    answers = await asyncio.gather(*(_ask(run / name, request) for name in names))
    return [answer for answer in answers if answer is not None]


async def _ask(path: Path, request: Request) -> Answer | None:
    try:
        async with asyncio.timeout(ANSWER_S):
            with _reachable(path) as name:
                reader, writer = await asyncio.open_unix_connection(name, limit=MAX_LINE)
            try:
                writer.write(json.dumps(request).encode() + b"\n")
                line = await reader.readline()
            finally:
                writer.close()
        answer: Answer = json.loads(line)
    except ConnectionRefusedError:
        os.unlink(path)  # its process died
        return None
    except (OSError, TimeoutError, ValueError):
        return None
    return answer


@contextlib.contextmanager
def _reachable(path: Path) -> Any:
    """The path, or a short one to the same place: a socket's name has room for about 100 bytes."""
    if len(os.fsencode(path)) < 100:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
