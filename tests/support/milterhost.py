"""A mail filter that does what a test says: it answers by step, and notes what it was told."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from quintet.config.milters import Milter

Answer = tuple[bytes, bytes]  # command, data
CONTINUE: Answer = (b"c", b"")


class MilterHost:
    def __init__(self, answers: Mapping[bytes, Sequence[Answer]], protocol: int, actions: int) -> None:
        self.answers, self._protocol, self._actions = answers, protocol, actions
        self.told: list[tuple[bytes, bytes]] = []  # without macros
        self.macros: dict[bytes, bytes] = {}  # by command
        self.connections = 0
        self.ended = asyncio.Event()  # a connection is over
        self.silent = False

    @property
    def commands(self) -> bytes:
        return b"".join([command for command, _ in self.told])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                (size,) = struct.unpack("!I", await reader.readexactly(4))
                data = await reader.readexactly(size)
                for command, said in self._said(data[:1], data[1:]):
                    writer.write(struct.pack("!I", len(said) + 1) + command + said)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.ended.set()
            writer.close()

    def _said(self, command: bytes, data: bytes) -> Sequence[Answer]:
        if self.silent:
            return ()
        if command == b"O":
            return self.answers.get(b"O", [(b"O", struct.pack("!III", 6, self._actions, self._protocol))])
        if command == b"D":
            self.macros[data[:1]] = data[1:]
            return ()
        self.told.append((command, data))
        found = self.answers.get(command)
        return [CONTINUE] if found is None else found


@asynccontextmanager
async def milter_host(
    folder: Path,
    answers: Mapping[bytes, Sequence[Answer]] | None = None,
    protocol: int = 0,
    actions: int = 0x3F,
) -> AsyncIterator[tuple[MilterHost, Milter]]:
    """One on a Unix socket in ``folder``, and the configuration that asks it."""
    host = MilterHost(answers or {}, protocol, actions)
    path = folder / "milter"
    server = await asyncio.start_unix_server(host.serve, path)
    try:
        yield host, Milter(address=f"unix:{path}", timeout_s=2.0)
    finally:
        server.close()
