"""A client for a protocol of lines, as little as a test needs to talk to a real server."""

from __future__ import annotations

import asyncio

from tests.support.server import Server

WAIT_S = 60.0  # a busy machine is no defect


class Line:
    """A client that sends lines and waits for a line with a certain beginning."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, server: Server, listener: str) -> Line:
        line = cls(*await asyncio.open_connection("127.0.0.1", server.ports[listener]))
        await line._reader.readline()
        return line

    async def say(self, text: str, until: str) -> str:
        """Sends a line; everything up to the line that begins with ``until``."""
        self._writer.write(f"{text}\r\n".encode())
        got = ""
        while True:
            line = (await asyncio.wait_for(self._reader.readline(), WAIT_S)).decode()
            assert line, got
            got += line
            if line.startswith(until):
                return got

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()
