"""What follows a command line: single lines, counted and dotted bodies, as a handler pulls them.

The one `seam.Input`.  It takes from the wire's buffer and asks the driver for more; whatever a handler
leaves half-read is passed over, because the rest of a body is no command.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from quintet.errors import Hangup, Reason
from quintet.net import dots
from quintet.net.seam import CHUNK, Wire

FIRST_PORTION = 8 * 1024  # bytes first taken for a dotted body: where many small ones are pipelined, what
# lies behind the first is not copied for each of them
MAX_PASSED = 1024 * 1024 * 1024  # bytes of a refused body that we read past before hanging up


class Following:
    """See `seam.Input`; one a connection.  ``fill`` waits for bytes in the wire, and raises Hangup."""

    __slots__ = ("_fill", "_open", "_wire", "body_flags")

    def __init__(self, wire: Wire, fill: Callable[[], Awaitable[None]]) -> None:
        self._wire = wire
        self._fill = fill
        self._open: dots.Reader | int | None = None  # the body that is being read: its reader, or bytes left
        self.body_flags: dots.Reader | None = None  # of the last dotted body: undoubled

    async def line(self, limit: int = 65536) -> bytes:
        while (line := self._wire.take_line(limit)) is None:
            await self._fill()
        return line

    async def counted(self, size: int) -> AsyncIterator[bytes]:
        self._open = size
        while size > 0:
            chunk = self._wire.take(min(size, CHUNK))
            if not chunk:
                await self._fill()
                continue
            size -= len(chunk)
            self._open = size
            yield chunk
        self._open = None

    async def dotted(self) -> AsyncIterator[bytes]:
        reader = self._open = self.body_flags = dots.Reader()
        portion = FIRST_PORTION
        while True:
            data = self._wire.take(portion)
            if not data:
                await self._fill()
                continue
            portion = min(portion * 2, CHUNK)
            piece = reader.feed(data)
            if reader.done:
                self._wire.untake(reader.rest)
                reader.rest = b""
                self._open = None
                if piece:
                    yield piece
                break
            if piece:
                yield piece

    async def pass_over(self) -> None:
        """Reads to the end of a body that was begun and not ended.  Raises Hangup."""
        rest, self._open, passed = self._open, None, 0
        while rest if isinstance(rest, int) else rest is not None and not rest.done:
            if passed > MAX_PASSED:
                raise Hangup(Reason.TOO_BIG)
            data = self._wire.take(min(rest, CHUNK) if isinstance(rest, int) else CHUNK)
            passed += len(data)
            if not data:
                await self._fill()
            elif isinstance(rest, int):
                rest -= len(data)
            else:
                assert rest is not None
                rest.feed(data)
                if rest.done:
                    self._wire.untake(rest.rest)
