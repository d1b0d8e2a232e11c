"""Bytes to SMTP commands and back: framing only, for SMTP and LMTP alike.

Pure.  A line ends with CRLF and nothing else (RFC 5321 2.3.8); what is not a command is told by BadSyntax.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from quintet.net import dots
from quintet.net.lines import LineBuffer
from quintet.net.seam import Need
from quintet.smtp import commands

# octets with CRLF, where nobody configured another bound: 512 (RFC 5321 4.5.3.1.4) plus what the extensions
# add; AUTH alone asks for 12288 (RFC 4954 4), and one bound for all is simpler than one a verb.
MAX_COMMAND = 12288 + 512
AT_ONCE = 100  # recipients that are looked at together
_RCPT: Final = b"RCPT TO:<"
_DATA: Final = b"DATA\r\n"
_END: Final = b">\r\n"
_BETWEEN: Final = (_END + _RCPT).decode()
_ATOM: Final = rb"[A-Za-z0-9_+=-]+"
_PLAIN: Final = re.compile(
    b"(?:%b%b(?:\\.%b)*@[A-Za-z0-9.-]+%b){1,%d}" % (_RCPT, _ATOM, _ATOM, _END, AT_ONCE)
)
WHOLE = 48 * 1024  # octets of a message that is handed over in one piece, if one read brought it all


class SmtpWire(LineBuffer):
    """The wire of one connection."""

    __slots__ = ("_owed", "one_by_one")

    def __init__(self, max_command: int = MAX_COMMAND) -> None:
        super().__init__(max_command)
        self._owed = False
        self.one_by_one = False  # each command is to be answered by itself: `recipients` finds none

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

    def recipients(self) -> list[str]:
        """The addresses of plain RCPT lines that come next, as they stand there; `pass_over` takes them."""
        if self.one_by_one or not self._data.startswith(_RCPT, self._at):
            return []
        found = _PLAIN.match(self._data, self._at)
        return found[0][len(_RCPT) : -len(_END)].decode().split(_BETWEEN) if found else []

    def pass_over(self, addresses: Sequence[str]) -> None:
        """Takes the lines of the first of what `recipients` gave."""
        self.take(sum(map(len, addresses)) + len(addresses) * (len(_RCPT) + len(_END)))

    def go_ahead(self) -> bool:
        """Whether a DATA is the last that came; if so it is taken, and a message expected."""
        if self.one_by_one or len(self) != len(_DATA) or not self._data.endswith(_DATA):
            return False
        self.take(len(_DATA))
        self._owed = True
        return True

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
