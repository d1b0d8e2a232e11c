"""Frames IMAP commands out of bytes: lines with the literals inside them (RFC 9051 2.2.1, 4.3, RFC 7888).

Pure.  A short literal (a name, a password, a search text) is kept in its frame; the literal of an
APPEND is left in the buffer, for the handler to refuse or to stream.  `grammar` reads the frames.
"""

from __future__ import annotations

import re
import sys

from quintet.errors import BadSyntax, Hangup, Reason
from quintet.imap import append_grammar, commands, grammar
from quintet.net.lines import LineBuffer
from quintet.net.seam import Need

MAX_LINE = 64 * 1024  # bytes. RFC 2683 3.2.1.5 asks for 8000; some clients send long UID sets in one line
MAX_COMMAND = 256 * 1024  # bytes of a command with its short literals, once the client is known
MAX_GUEST_COMMAND = 16 * 1024  # bytes before that: names, secrets, a long bearer token
LITERAL_MINUS = 4096  # bytes. RFC 7888 5
MAX_EMPTY = 1000  # empty lines after each other; a few are a client's habit, more are nobody's
MAX_SKIP = 16 * 1024 * 1024  # bytes of a literal that came unasked and is refused; then we hang up

_LITERAL_END = re.compile(rb"\{([0-9]{1,19})(\+?)\}\Z")
_ENDLESS = re.compile(
    rb"\{[0-9]{20,}\+\}\Z"
)  # no number that RFC 7888 8 knows, but what follows is no command
_UPLOADS = rb"[^ ]+ +(?:APPEND|(?:UID +)?REPLACE +[^ ]+) +"  # up to the mailbox
_UPLOAD = re.compile(_UPLOADS + rb"[^ {]", re.IGNORECASE)
_UPLOAD_AFTER_NAME = re.compile(_UPLOADS + rb"\{[0-9]+\+?\}", re.IGNORECASE)


class Wire:
    """The framing of one connection."""

    __slots__ = (
        "_empty", "_frame", "_lines", "_missing", "_named", "_refusal", "_skip", "max_command", "max_unasked",
    )  # fmt: skip

    owed = False  # see `seam.Wire`

    def __init__(self, max_unasked: int = sys.maxsize) -> None:
        """``max_unasked``: bytes of a literal that a client may send without waiting (RFC 7888 5)."""
        self.max_unasked = max_unasked
        self._lines = LineBuffer(MAX_LINE)
        self._frame = bytearray()  # what came of a command that a literal interrupted
        self._named = False  # the first of its literals is the name of the mailbox of an upload
        self._empty = 0  # empty lines since the last command
        self._missing = 0  # bytes of that literal still to come
        self._skip = 0  # bytes of a refused command's literal still to throw away
        self._refusal: grammar.BadCommand | None = None  # what a command is read to its end for
        self.max_command = MAX_GUEST_COMMAND

    def feed(self, data: bytes) -> None:
        self._lines.feed(data)

    def next(self) -> commands.Command | Need:
        """The next command.

        Raises:
            BadCommand: it cannot be understood, or is longer than a command may be.
            Hangup(TOO_LONG): a literal that comes unasked is longer than `MAX_SKIP`.
            Hangup(TOO_LONG): more than `MAX_EMPTY` empty lines.
        """
        while True:
            if (self._missing or self._skip) and not self._take_literal():
                return Need.DATA
            try:
                line = self._lines.take_line()
            except BadSyntax as error:
                tag = self._refusal.tag if self._refusal else grammar.tag_of(bytes(self._frame))
                self._frame, self._refusal = bytearray(), None
                raise grammar.BadCommand(tag, error.text, error.reason) from None
            if line is None:
                return Need.DATA
            if not line and not self._frame and not self._refusal:
                self._empty += 1  # between commands: some clients send one after a literal
                if self._empty > MAX_EMPTY:
                    raise Hangup(Reason.TOO_LONG, "nothing but empty lines")
                continue
            self._empty = 0
            literal = _LITERAL_END.search(line) if line.endswith(b"}") else None
            if literal is None:
                if line.endswith(b"+}") and _ENDLESS.search(line):
                    raise Hangup(Reason.TOO_LONG, "literal too long")
                return self._command(line)
            if literal[2] and int(literal[1]) > self.max_unasked and not self._refusal:
                self._refuse_unasked(line, int(literal[1]))
            elif not self._refusal and self._is_upload(line):
                command = self._upload(line, int(literal[1]), waits=not literal[2])
                if command is not None:
                    return command
            elif self._begin_literal(line, int(literal[1]), waits=not literal[2]):
                return Need.LITERAL

    def take_line(self, limit: int) -> bytes | None:
        return self._lines.take_line(limit)

    def take(self, limit: int) -> bytes:
        return self._lines.take(limit)

    def take_ended(self, size: int) -> bytes | None:
        """A literal that ends its command, when all of both is there; they are taken then."""
        return self._lines.take_ended(size)

    def untake(self, data: bytes) -> None:
        self._lines.untake(data)

    def clear(self) -> None:
        self._lines.clear()
        self._frame, self._missing, self._skip, self._refusal = bytearray(), 0, 0, None

    def encode(self, reply: object) -> bytes:
        """Only the "+" line: all other replies of this protocol are bytes already."""
        assert reply is Need.LITERAL
        return b"+ Ready for literal data\r\n"

    # --- inside -----------------------------------------------------------------------------------

    def _command(self, line: bytes) -> commands.Command:
        if self._frame:
            line, self._frame = bytes(self._frame + line), bytearray()
        if self._refusal:
            refusal, self._refusal = self._refusal, None
            raise refusal
        return grammar.parse(line)

    def _is_upload(self, line: bytes) -> bool:
        """True for the line of an APPEND or REPLACE that ends in a literal of its message."""
        return self._named if self._frame else bool(_UPLOAD.match(line))

    def _upload(self, line: bytes, size: int, *, waits: bool) -> commands.Command | None:
        """The APPEND; None if it makes no sense but its message comes all the same.

        That message is no command: taken for one, a letter could make its reader's client ask for anything.
        """
        if not self._frame and (known := append_grammar.usual(line)) is not None:
            return commands.Append(*known)
        try:
            return self._command(line)
        except grammar.BadCommand as refusal:
            if waits:
                raise
            self._refuse(refusal, size)
            return None

    def _refuse_unasked(self, line: bytes, size: int) -> None:
        """RFC 7888 5: too large to come without waiting."""
        tag, self._frame = grammar.tag_of(bytes(self._frame + line)), bytearray()
        self._refuse(grammar.BadCommand(tag, "literal too long to come unasked", Reason.TOO_BIG), size)

    def _refuse(self, refusal: grammar.BadCommand, size: int) -> None:
        """Reads past a literal that came unasked, and to the end of its command (RFC 7888 4)."""
        if size > MAX_SKIP:
            raise Hangup(Reason.TOO_LONG, "literal too long")
        self._refusal, self._skip = refusal, size

    def _begin_literal(self, line: bytes, size: int, *, waits: bool) -> bool:
        """Notes the literal announced at the end of ``line``; True if the client waits for "+"."""
        if self._refusal or len(self._frame) + len(line) + size > self.max_command:
            refusal = self._refusal or grammar.BadCommand(
                grammar.tag_of(bytes(self._frame + line)),
                f"command longer than {self.max_command} bytes",
                Reason.TOO_LONG,
            )
            self._frame = bytearray()
            if waits:  # refused instead of "+": the literal is never sent (RFC 9051 4.3)
                self._refusal = None
                raise refusal
            self._refuse(refusal, size)
            return False
        if not self._frame:
            self._named = _UPLOAD_AFTER_NAME.fullmatch(line) is not None
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
