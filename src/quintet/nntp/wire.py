"""NNTP bytes to commands, and status lines to bytes (RFC 3977 3.1).  Pure."""

from __future__ import annotations

from typing import Any

from quintet.net.lines import LineBuffer
from quintet.net.seam import Need
from quintet.nntp import commands, fetches
from quintet.nntp.fetches import Run
from quintet.nntp.stream import Articles, Cancels, Checks, Frames, Offer, Sending, Sent
from quintet.values import dataclass

_TOGETHER = (b"CHECK ", b"TAKETHIS ", b"IHAVE ", b"<")  # what `Frames.take` takes


@dataclass(frozen=True, slots=True)
class Status:
    """A status line; every one needs text after its code, or some readers take it for damage."""

    code: int
    text: str

    def line(self) -> bytes:
        """One line, whatever it quotes: a bare LF of a client's must not make two of it."""
        text = self.text
        if not text.isprintable():
            text = "".join([char if char.isprintable() else "?" for char in text])
        return f"{self.code} {text}\r\n".encode()


class Wire(LineBuffer):
    """Commands end with CRLF; a lone LF is taken too, as INN does for terminals."""

    __slots__ = ("_frames", "awaited")

    def __init__(self) -> None:
        super().__init__(max_line=commands.MAX_SASL_LINE, bare_lf=True)
        self._frames = Frames()
        self.awaited: bytes | None = None  # the Message-ID of the article that comes next (IHAVE, POST)

    @property
    def owed(self) -> bool:
        """An article was asked for."""
        return self.awaited is not None

    def next(self) -> commands.Command | Checks | Cancels | Articles | Offer | Sent | Sending | Run | Need:
        """The next command, or a run of them.

        Raises what `LineBuffer.take_line` and `commands.parse` raise.
        """
        if self._at == len(self._data):  # as most often behind a command
            self._data = b""
            self._at = self._searched = 0
            return Need.DATA
        if self.awaited is not None:
            sent, at = self._frames.sent(self._data, self._at, self.awaited)
            if sent is None:
                return Need.DATA
            self._at = self._searched = at
            self.awaited = None
            return sent
        if self._data.startswith(_TOGETHER, self._at) and not self._skipped:
            together, at = self._frames.take(self._data, self._at)
            if at < 0:
                return Need.DATA
            if together is not None:
                self._at = self._searched = at
                return together
        if not self._skipped:
            run, at = fetches.take(self._data, self._at)
            if run is not None:
                self._at = self._searched = at
                return run
        while (line := self.take_line()) is not None:
            if line.strip(b" \t"):  # passes over lines with nothing in them, as INN does
                return commands.parse(line)
        return Need.DATA

    def encode(self, reply: Any) -> bytes:  # Any: a Status; nothing else is yielded besides bytes
        assert isinstance(reply, Status)
        return reply.line()
