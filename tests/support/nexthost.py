"""A next host for tests of what leaves: a small SMTP or LMTP server on loopback that does as it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support.serving import ended


@dataclass
class NextHost:
    """``replies`` overrides what is said to a command line (by its beginning, upper case)."""

    offers: list[str] = field(default_factory=lambda: ["PIPELINING", "SIZE 1000000", "8BITMIME", "SMTPUTF8"])
    replies: dict[str, str] = field(default_factory=dict)  # "RCPT TO:<BOB@" -> "550 5.1.1 no"; "" hangs up
    greeting: str = "220 next.test ESMTP"
    final: list[str] = field(default_factory=lambda: ["250 2.0.0 taken"])
    lmtp: bool = False
    gullible: bool = False  # takes DATA although nobody may have it
    context: ssl.SSLContext | None = None
    most: int = 0  # recipients of one transaction; the others hear 452
    dies: str = ""  # "body": hangs up after the message, unsaid; "envelope": after MAIL
    heard: list[str] = field(default_factory=list)  # command lines
    messages: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()
            try:
                await writer.wait_closed()
            except (ConnectionError, ssl.SSLError):
                pass

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(text: str) -> None:
            writer.write(text.encode() + b"\r\n")

        say(self.greeting)
        accepted = 0
        offers = self.offers  # STARTTLS is offered once a connection
        while line := await reader.readline():
            command = line.decode().rstrip("\r\n")
            self.heard.append(command)
            told = next((r for key, r in self.replies.items() if command.upper().startswith(key)), None)
            if told == "":
                return
            verb = command.split(" ")[0].upper()
            if told is not None:
                say(told)
                if verb == "DATA" and told.startswith("354"):
                    await self._data(reader, say, accepted)
            elif verb in ("EHLO", "LHLO"):
                say("\r\n".join(f"250-{each}" for each in ("next.test", *offers)) + "\r\n250 HELP")
            elif verb == "STARTTLS" and self.context is not None:
                say("220 go")
                await writer.start_tls(self.context)
                offers = [each for each in offers if each != "STARTTLS"]
            elif verb == "MAIL" and self.dies == "envelope":
                return
            elif verb == "RCPT" and self.most and accepted >= self.most:
                say("452 4.5.3 too many recipients")
            elif verb == "BDAT":
                _, size, *_last = command.split()
                body = await reader.readexactly(int(size))
                if not accepted:
                    say("503 5.5.1 for whom?")
                    continue
                self.messages.append(body)
                if self.dies == "body":
                    return
                for number in range(accepted if self.lmtp else 1):
                    say(self.final[min(number, len(self.final) - 1)])
                accepted = 0
            elif verb == "RCPT":
                accepted += 1
                say("250 2.1.5 ok")
            elif verb == "DATA" and not accepted and not self.gullible:
                say("554 5.5.1 for whom?")
            elif verb == "DATA":
                say("354 go")
                await self._data(reader, say, accepted)
                accepted = 0
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                say("250 ok")
            await writer.drain()

    async def _data(self, reader: asyncio.StreamReader, say, accepted: int) -> None:
        body = b""
        while (line := await reader.readline()) not in (b".\r\n", b""):
            body += line[1:] if line.startswith(b".") else line
        if not line:
            raise ConnectionResetError
        self.messages.append(body)
        if self.dies == "body":
            raise ConnectionResetError
        for number in range(accepted if self.lmtp else 1):
            say(self.final[min(number, len(self.final) - 1)])


@asynccontextmanager
async def next_host(
    address: str = "127.0.0.1", *, kind: type[NextHost] = NextHost, **options
) -> AsyncIterator[NextHost]:
    """One on a free port, or on the given one."""
    host = kind(**options)
    server = await asyncio.start_server(host.serve, address, host.port)
    host.port = server.sockets[0].getsockname()[1]
    try:
        yield host
    finally:
        await ended(server)
