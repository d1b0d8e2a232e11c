"""Between workers: a request whose context another worker holds is done there (docs/decisions/0120).

Each worker listens on a Unix socket in ``run/``.  A connection carries one request: the call, then how it
began, then how it ended, each as four bytes of length and MessagePack.  Closing it gives the request up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from quintet import log
from quintet.mapi.http.contexts import Running
from quintet.mapi.http.endpoint import Begun, Call, Code, Done, Wrong

BEGIN_S = 10.0  # seconds that another worker has to take a request
MAX_MESSAGE = 4 * 1024 * 1024  # bytes; a response has 1 MiB at most
PREFIX = "mapi."

logger = log.get("mapi")


class Crossing:
    """One a process: asks other workers, and answers them by ``here``."""

    def __init__(self, run: Path, number: int, here: Callable[[Call], Awaitable[Running]]) -> None:
        self._run = run
        self._name = f"{PREFIX}{number}"
        self._here = here
        self._server: asyncio.Server | None = None
        self._folder = -1

    async def start(self) -> None:
        """Listens.  A socket that a worker of our number left behind is replaced.  Raises OSError."""
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = os.open(self._run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            (self._run / self._name).unlink(missing_ok=True)
            own.bind(self._path(self._name))
            self._server = await asyncio.start_unix_server(self._serve, sock=own)
        except BaseException:
            own.close()
            os.close(self._folder)
            raise

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            (self._run / self._name).unlink(missing_ok=True)
            os.close(self._folder)
            self._server = None

    def _path(self, name: str) -> str:
        """A socket's path is limited to about 100 bytes: a long one is named through its folder."""
        path = str(self._run / name)
        return path if len(path) <= 100 else f"/proc/self/fd/{self._folder}/{name}"

    # --- asking -------------------------------------------------------------------------------------

    async def begin(self, number: int, call: Call) -> Running:
        """Has worker ``number`` begin a request.  Raises Wrong: it does not, or is gone with its contexts."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._path(f"{PREFIX}{number}"))
        except OSError:
            raise Wrong(Code.CONTEXT_NOT_FOUND, "there is no such session context (any more)") from None
        try:
            _put(writer, call)
            async with asyncio.timeout(BEGIN_S):
                begun = await _get(reader)
        except (OSError, EOFError, TimeoutError, msgspec.MsgspecError):
            writer.close()
            raise Wrong(Code.CONTEXT_NOT_FOUND, "the session context is gone") from None
        except BaseException:
            writer.close()
            raise
        if not isinstance(begun, Begun):
            writer.close()
            code = begun.code if isinstance(begun, Done) else Code.UNKNOWN_FAILURE
            cookies = begun.begun if isinstance(begun, Done) else Begun()
            raise Wrong(Code(code), begun.body.decode(), cookies)
        finish = asyncio.get_running_loop().create_task(_finish(reader, writer))
        return Running(begun, finish)

    # --- answering ----------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, msgspec.MsgspecError):  # who asked is gone
            await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = await _get(reader)
        if not isinstance(call, Call):
            return
        try:
            running = await self._here(call)
        except Wrong as wrong:
            _put(writer, Done(wrong.code, wrong.text.encode(), wrong.begun))
            await writer.drain()
            return
        _put(writer, running.begun)
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait((gone, running.done), return_when=asyncio.FIRST_COMPLETED)
            if not running.done.done():  # only a request that waits is given up; others end as they would
                if running.begun.waits:
                    running.done.cancel()
                return
            cancelled = Done(Code.SHUTTING_DOWN, b"the session context, or the server, is ending")
            _put(writer, cancelled if running.done.cancelled() else running.done.result())
            await writer.drain()
        finally:
            gone.cancel()


async def _finish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Done:
    try:
        done = await _get(reader)
        if isinstance(done, Done):
            return done
    except (OSError, EOFError, msgspec.MsgspecError):
        pass
    finally:
        writer.close()
    return Done(Code.CONTEXT_NOT_FOUND, b"the session context is gone")


Message = Call | Begun | Done
_KINDS: dict[bytes, type[Call] | type[Begun] | type[Done]] = {b"C": Call, b"B": Begun, b"D": Done}
_TAGS = {kind: tag for tag, kind in _KINDS.items()}


def _put(writer: asyncio.StreamWriter, message: Message) -> None:
    packed = _TAGS[type(message)] + msgspec.msgpack.encode(message)
    writer.write(len(packed).to_bytes(4, "big") + packed)


async def _get(reader: asyncio.StreamReader) -> Message:
    """Raises EOFError: gone; MsgspecError: nonsense."""
    size = int.from_bytes(await reader.readexactly(4), "big")
    if not 1 < size <= MAX_MESSAGE:
        raise msgspec.DecodeError("a message of an impossible size")
    packed = await reader.readexactly(size)
    found: Message = msgspec.msgpack.decode(packed[1:], type=_KINDS[packed[:1]])
    return found
