"""Bytes to SMTP commands and back: framing only, for SMTP and LMTP alike.

Pure.  A line ends with CRLF and nothing else (RFC 5321 2.3.8); what is not a command is told by BadSyntax.
"""

from __future__ import annotations

from typing import Any

from quintet.net.lines import LineBuffer
from quintet.net.seam import Need
from quintet.smtp import commands

# octets with CRLF, where nobody configured another bound: 512 (RFC 5321 4.5.3.1.4) plus what the extensions
# add; AUTH alone asks for 12288 (RFC 4954 4), and one bound for all is simpler than one a verb.
MAX_COMMAND = 12288 + 512


class SmtpWire(LineBuffer):
    """The wire of one connection."""

    __slots__ = ()

    def __init__(self, max_command: int = MAX_COMMAND) -> None:
        super().__init__(max_command)

    def next(self) -> commands.Command | Need:
        """The next command.  Raises BadSyntax (answered, then it goes on), Hangup(TOO_LONG)."""
        line = self.take_line()
        return Need.DATA if line is None else commands.parse(line)

    def encode(self, reply: Any) -> bytes:  # Any: of the seam; all our replies are bytes already
        raise TypeError(f"not a reply: {reply!r}")
