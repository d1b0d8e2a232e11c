"""Bytes to SMTP commands and back: framing only, for SMTP and LMTP alike.

Pure.  A line ends with CRLF and nothing else (RFC 5321 2.3.8); what is not a command is told by BadSyntax.
"""

from __future__ import annotations

from typing import Any

from quintet.net import dots
from quintet.net.lines import LineBuffer
from quintet.net.seam import Need
from quintet.smtp import commands

# octets with CRLF, where nobody configured another bound: 512 (RFC 5321 4.5.3.1.4) plus what the extensions
# add; AUTH alone asks for 12288 (RFC 4954 4), and one bound for all is simpler than one a verb.
MAX_COMMAND = 12288 + 512
WHOLE = 48 * 1024  # octets of a message that is handed over in one piece, if one read brought it all


class SmtpWire(LineBuffer):
    """The wire of one connection."""

    __slots__ = ("_owed",)

    def __init__(self, max_command: int = MAX_COMMAND) -> None:
        super().__init__(max_command)
        self._owed = False

    @property
    def owed(self) -> bool:
        """See `seam.Wire`: 354 was said, and nothing of the message came yet."""
        return self._owed

    def expect_message(self) -> None:
        """What comes next is a message, not a command: `next` gives `commands.Message`."""
        self._owed = True

    def clear(self) -> None:
        super().clear()
        self._owed = False

    def next(self) -> commands.Command | Need:
        """The next command.  Raises BadSyntax (answered, then it goes on), Hangup(TOO_LONG)."""
        if self._owed:
            return self._message() if len(self) else Need.DATA
        line = self.take_line()
        return Need.DATA if line is None else commands.parse(line)

    def _message(self) -> commands.Message:
        """The message, un-stuffed, when all of it is there; else only that it begins."""
        self._owed = False
        came = self.take(WHOLE)
        found = dots.first(came)
        if found is None:
            self.untake(came)
            return commands.Message(None)
        whole, rest = found
        if rest:
            self.untake(rest)
        return commands.Message(whole)

    def encode(self, reply: Any) -> bytes:  # Any: of the seam; all our replies are bytes already
        raise TypeError(f"not a reply: {reply!r}")
