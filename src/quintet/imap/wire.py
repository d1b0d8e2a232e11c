"""Frames IMAP commands out of bytes: lines with the literals inside them (RFC 9051 2.2.1, 4.3, RFC 7888).

Pure.  A short literal (a name, a password, a search text) is kept in its frame; the literal of an
APPEND is left in the buffer, for the handler to refuse or to stream.  `grammar` reads the frames.
"""

from __future__ import annotations

import re

from quintet.errors import BadSyntax, Hangup, Reason
from quintet.imap import commands, grammar
from quintet.net.lines import LineBuffer
from quintet.net.seam import Need

MAX_LINE = 64 * 1024  # bytes. RFC 2683 3.2.1.5 asks for 8000; some clients send long UID sets in one line
MAX_COMMAND = 256 * 1024  # bytes of a command with its short literals, once the client is known
MAX_GUEST_COMMAND = 16 * 1024  # bytes before that: names, secrets, a long bearer token
MAX_SKIP = 16 * 1024 * 1024  # bytes of a literal that came unasked and is too long; then we hang up

_LITERAL_END = re.compile(rb"\{([0-9]{1,19})(\+?)\}\Z")
_UPLOAD = re.compile(rb"[^ ]+ +APPEND +[^ {]", re.IGNORECASE)
_UPLOAD_AFTER_NAME = re.compile(rb"[^ ]+ +APPEND +\{[0-9]+\+?\}\r\n", re.IGNORECASE)


class Wire:
    """The framing of one connection."""

    __slots__ = ("_frame", "_lines", "_missing", "_skip", "_too_long", "max_command")

    def __init__(self) -> None:
        self._lines = LineBuffer(MAX_LINE)
        self._frame = b""  # what came of a command that a literal interrupted
        self._missing = 0  # bytes of that literal still to come
        self._skip = 0  # bytes of an overlong literal still to throw away
        self._too_long = b""  # tag of a command that is read only to be refused
        self.max_command = MAX_GUEST_COMMAND

    def feed(self, data: bytes) -> None:
        self._lines.feed(data)

    def next(self) -> commands.Command | Need:
        """The next command.

        Raises:
            BadCommand: it cannot be understood, or is longer than a command may be.
            Hangup(TOO_LONG): a literal that came unasked is longer than `MAX_SKIP`.
        """
        while True:
            if (self._missing or self._skip) and not self._take_literal():
                return Need.DATA
            try:
                line = self._lines.take_line()
            except BadSyntax as error:
                tag, self._frame, self._too_long = self._too_long or grammar.tag_of(self._frame), b"", b""
                raise grammar.BadCommand(tag, error.text, error.reason) from None
            if line is None:
                return Need.DATA
            if not line and not self._frame and not self._too_long:
                continue  # an empty line between commands: some clients send one after a literal
            literal = _LITERAL_END.search(line) if line.endswith(b"}") else None
            if literal is None or (self._frame == b"" and not self._too_long and _UPLOAD.match(line)):
                return self._command(line)
            if _UPLOAD_AFTER_NAME.match(self._frame) and not self._too_long:
                return self._command(line)
            if self._begin_literal(line, int(literal[1]), waits=not literal[2]):
                return Need.LITERAL

    def take_line(self, limit: int) -> bytes | None:
        return self._lines.take_line(limit)

    def take(self, limit: int) -> bytes:
        return self._lines.take(limit)

    def untake(self, data: bytes) -> None:
        self._lines.untake(data)

    def clear(self) -> None:
        self._lines.clear()
        self._frame, self._missing, self._skip, self._too_long = b"", 0, 0, b""

    def encode(self, reply: object) -> bytes:
        """Only the "+" line: all other replies of this protocol are bytes already."""
        assert reply is Need.LITERAL
        return b"+ Ready for literal data\r\n"

    # --- inside -----------------------------------------------------------------------------------

    def _command(self, line: bytes) -> commands.Command:
        frame, self._frame = self._frame + line, b""
        if self._too_long:
            tag, self._too_long = self._too_long, b""
            raise grammar.BadCommand(tag, f"command longer than {self.max_command} bytes", Reason.TOO_LONG)
        return grammar.parse(frame)

    def _begin_literal(self, line: bytes, size: int, *, waits: bool) -> bool:
        """Notes the literal announced at the end of ``line``; True if the client waits for "+"."""
        fits = len(self._frame) + len(line) + size <= self.max_command and not self._too_long
        if not fits:
            tag = self._too_long or grammar.tag_of(self._frame + line)
            self._frame = b""
            if waits:  # refused instead of "+": the literal is never sent (RFC 9051 4.3)
                self._too_long = b""
                raise grammar.BadCommand(
                    tag, f"command longer than {self.max_command} bytes", Reason.TOO_LONG
                )
            if size > MAX_SKIP:
                raise Hangup(Reason.TOO_LONG, "literal too long")
            self._too_long, self._skip = tag, size
            return False
        self._frame += line + b"\r\n"
        self._missing = size
        return waits

    def _take_literal(self) -> bool:
        """Takes what is there of a literal; True when it is whole."""
        while self._skip:
            data = self._lines.take(min(self._skip, MAX_LINE))
            if not data:
                return False
            self._skip -= len(data)
        if len(self._lines) < self._missing:
            return False
        self._frame += self._lines.take(self._missing)
        self._missing = 0
        return True
