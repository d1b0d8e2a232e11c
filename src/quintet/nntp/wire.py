"""NNTP bytes to commands, and status lines to bytes (RFC 3977 3.1).  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quintet.net.lines import LineBuffer
from quintet.net.seam import Need
from quintet.nntp import commands


@dataclass(frozen=True, slots=True)
class Status:
    """A status line; every one needs text after its code, or some readers take it for damage."""

    code: int
    text: str


class Wire(LineBuffer):
    """Commands end with CRLF; a lone LF is taken too, as INN does for terminals."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(max_line=commands.MAX_SASL_LINE, bare_lf=True)

    def next(self) -> commands.Command | Need:
        """The next command.  Raises what `LineBuffer.take_line` and `commands.parse` raise."""
        line = self.take_line()
        return Need.DATA if line is None else commands.parse(line)

    def encode(self, reply: Any) -> bytes:  # Any: a Status; nothing else is yielded besides bytes
        assert isinstance(reply, Status)
        return f"{reply.code} {reply.text}\r\n".encode()
