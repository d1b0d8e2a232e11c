"""A web server on loopback that answers each path as it is told, and remembers what was asked."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support.serving import ended


@dataclass
class WebHost:
    """``answer`` is sent whole to every request; "" hangs up, None says nothing at all."""

    answer: bytes | None = b""
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)  # line, fields, body
    port: int = 0

    def says(self, body: bytes, status: str = "200 OK", kind: str = "text/plain", more: str = "") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        self.answer = head.encode() + body

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *rest = head.rstrip().split("\r\n")
            fields = {
                name.lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)
            }
            body = await reader.readexactly(int(fields.get("content-length", "0")))
            self.asked.append((line, fields, body))
            if self.answer is None:
                await reader.read()
            else:
                writer.write(self.answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def web_host(context: ssl.SSLContext) -> AsyncIterator[WebHost]:
    """One on a free port, under TLS."""
    host = WebHost()
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0, ssl=context)
    host.port = server.sockets[0].getsockname()[1]
    try:
        yield host
    finally:
        await ended(server)
