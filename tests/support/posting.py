"""A client for networks: hands in many small letters over a few connections, and says which were taken."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from tests.support.network import Network


def letter(ident: str, sender: str, recipient: str, size: int = 1000) -> bytes:
    """A letter with this Message-ID; some of its lines are dots."""
    head = f"From: <{sender}>\r\nTo: <{recipient}>\r\nMessage-ID: <{ident}>\r\nSubject: {ident}\r\n\r\n"
    lines = (b".. and a line of a letter that goes a long way\r\n.\r\n" * (size // 50 + 1))[:size]
    return head.encode() + lines.rpartition(b"\r\n")[0] + b"\r\n"


async def post(
    net: Network, host: str, idents: Sequence[str], recipients: Sequence[str], sender: str = "a@start.test"
) -> list[str]:
    """Gives each letter to ``host`` over one connection, pipelined; the idents that were acknowledged."""
    reader, writer = await net.connect(host, 25)
    taken: list[str] = []

    async def said() -> bytes:
        while (line := await reader.readuntil(b"\n"))[3:4] == b"-":
            pass
        return line

    try:
        await said()
        writer.write(b"EHLO client.test\r\n")
        await said()
        head = f"MAIL FROM:<{sender}>\r\n" + "".join(f"RCPT TO:<{each}>\r\n" for each in recipients)
        for ident in idents:
            writer.write(head.encode() + b"DATA\r\n")
            replies = [await said() for _ in range(len(recipients) + 2)]
            if not replies[-1].startswith(b"354"):
                writer.write(b"RSET\r\n")
                await said()
                continue
            data = letter(ident, sender, recipients[0])
            writer.write((b"\r\n" + data).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n")
            if (await said()).startswith(b"250"):
                taken.append(ident)
        writer.write(b"QUIT\r\n")
        await said()
    except (OSError, asyncio.IncompleteReadError):
        pass  # the host died; what was taken was taken
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return taken


async def post_all(
    net: Network, host: str, idents: Sequence[str], recipient: str, connections: int = 10, **options: str
) -> list[str]:
    """The same over several connections at once."""
    parts = [idents[first::connections] for first in range(connections)]
    taken = await asyncio.gather(*(post(net, host, part, [recipient], **options) for part in parts if part))
    return [ident for part in taken for ident in part]
