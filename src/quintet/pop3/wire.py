"""POP3 lines to commands; replies are bytes already.  Pure.  RFC 1939 3, RFC 2449 4."""

from __future__ import annotations

from typing import Any

from quintet.net.lines import LineBuffer
from quintet.net.seam import Need
from quintet.pop3 import commands

MAX_LINE = 12 * 1024  # bytes. RFC 2449 4 says 255; an initial response with a token is longer than that


class Wire:
    """`seam.Wire` of one connection."""

    __slots__ = ("_lines", "clear", "feed", "take", "take_line", "untake")

    owed = False  # see `seam.Wire`

    def __init__(self) -> None:
        lines = self._lines = LineBuffer(MAX_LINE)
        self.feed = lines.feed
        self.take = lines.take
        self.take_line = lines.take_line
        self.untake = lines.untake
        self.clear = lines.clear

    def next(self) -> commands.Command | Need:
        """A command, or Need.DATA.  Raises BadSyntax, Hangup(TOO_LONG)."""
        line = self._lines.take_line()
        return Need.DATA if line is None else commands.parse(line)

    def encode(self, reply: Any) -> bytes:
        """Text of a reply as a line."""
        return f"{reply}\r\n".encode()
