"""Files of batch SMTP into a session that has no store behind it: every end is a clean one."""

import asyncio
from typing import Any

from quintet.errors import Problem, Reason
from quintet.net.seam import Ask, Input, Peer
from quintet.smtp import commands
from quintet.smtp.batch import Batch
from quintet.smtp.wire import SmtpWire
from tests.support.pieces import pieces

SEEDS = [
    b"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: x\r\n\r\n..\r\n.\r\nQUIT\r\n",
    b"MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nx\n.\nRSET\nQUIT\nMAIL FROM:<>\n",
    b"EHLO a\r\nBDAT 3\r\nabcBDAT 0 LAST\r\nSTARTTLS\r\nAUTH PLAIN\r\nDATA\r\n.\r\n",
]


class Session:
    """Takes every second message."""

    def __init__(self) -> None:
        self.bodies = 0

    def greet(self) -> list[bytes]:
        return [b"220 hi\r\n"]

    def handle(self, command: Any, following: Input) -> Any:
        match command:
            case commands.Data():
                self.bodies += 1
                return self._data(following) if self.bodies % 2 else [b"554 no\r\n"]
            case commands.Bdat():
                return self._bdat(command.size, following)
            case commands.StartTls():
                return [b"220 go\r\n", Ask.START_TLS]
            case commands.Quit():
                return [b"221 bye\r\n", Ask.CLOSE]
        return [b"250 ok\r\n"]

    async def _data(self, following: Input) -> Any:
        yield b"354 go\r\n"
        size = 0
        async for piece in following.dotted():
            size += len(piece)
        yield f"250 {size}\r\n".encode()

    async def _bdat(self, size: int, following: Input) -> Any:
        async for _ in following.counted(size):
            continue
        yield b"250 chunk\r\n"

    def problem(self, error: Problem, command: Any) -> list[bytes]:
        return [b"500 " + type(error).__name__.encode() + b"\r\n"]

    def farewell(self, reason: Reason) -> bytes:
        return b"421 bye\r\n"

    def close(self) -> None:
        return


class Service:
    def open(self, peer: Peer) -> Any:
        return SmtpWire(), Session()


async def told(data: bytes, chunk: int) -> list[Any]:
    batch = Batch(Service(), Peer("f", "unix"), pieces(data, chunk))  # type: ignore[arg-type]  # of the seam, without a name
    return [one async for one in batch.run()]


def target(data: bytes) -> None:
    async def both() -> None:
        whole = await told(data, 1 << 20)
        assert whole == await told(data, 7)
        assert all(one.code == 0 or 200 <= one.code < 600 for one in whole)

    asyncio.run(both())
