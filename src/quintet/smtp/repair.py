"""What a message may consist of, in any chunking: line ends, NUL and long lines mended or found out.

Pure.  Nothing here decides where a message ends (`net.dots`, BDAT); it sees to it that what we pass on cannot
be read differently by another server.  RFC 5321 2.3.8, 4.5.2 and 4.5.3.1.6, RFC 3030 3.
"""

from __future__ import annotations

import re

from quintet.errors import Reason, Refused

# CR or LF alone before a dot that ends its line, or right after a CRLF (where the reader took a dot away):
# another server could take it for the end of the message.
_HIDDEN_END = re.compile(rb"(?:(?<!\r)\n|\r(?!\n))\.[\r\n]|\r\n(?:\n|\r(?!\n))")
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


class Repairer:
    """Mends what it is told to.

    ``line_ends``: every bare CR and bare LF becomes CRLF.  ``guarded`` refuses what looks like an end of data
    that somebody wanted to smuggle past us; our own users may write what they like.  ``nul``: each becomes a
    space, so that nothing moves and no word is made of two.  ``longest``: octets after which a line is cut by
    CRLF and a space, which in a header is a folded line and begins no field; 0: never.
    """

    __slots__ = ("_bare", "_cr", "_guarded", "_line_ends", "_longest", "_nul", "_run", "_tail")

    def __init__(
        self, *, guarded: bool = False, line_ends: bool = True, nul: bool = False, longest: int = 0
    ) -> None:
        self._guarded, self._line_ends, self._nul, self._longest = guarded, line_ends, nul, longest
        self._cr = False  # a CR at the end of what came, whose LF may follow
        self._bare = False  # the tail has one
        self._tail = b"\r\n"  # the last octets before the next piece; DATA itself ended with CRLF
        self._run = 0  # octets of the line that is not whole yet

    def feed(self, data: bytes) -> bytes:
        """What came, mended.  Raises Refused(BARE_LINE_END)."""
        if self._nul and b"\0" in data:
            data = data.replace(b"\0", b" ")
        if self._line_ends:
            if self._cr:
                data = b"\r" + data
            self._cr = data.endswith(b"\r")
            data = self._mend(data[:-1] if self._cr else data)
        return self._cut(data) if self._longest else data

    def finish(self) -> bytes:
        """The CR that was held back, mended.  Raises as `feed`."""
        held, self._cr = self._cr, False
        return self._mend(b"\r") if held else b""

    def _mend(self, data: bytes) -> bytes:
        if not self._bare and not _has_bare(data):
            if data:
                self._tail = (self._tail + data if len(data) < 5 else data)[-5:]
            return data
        seen = self._tail.removeprefix(b"\n") + data  # an LF in front may have lost its CR
        if self._guarded and _HIDDEN_END.search(seen):
            raise Refused(Reason.BARE_LINE_END)
        self._tail = seen[-5:]
        self._bare = _has_bare(self._tail.removeprefix(b"\n"))
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")

    def _cut(self, data: bytes) -> bytes:
        if self._run + len(data) <= self._longest:  # nearly always: the limit is as large as a chunk
            end = data.rfind(b"\n")
            self._run = self._run + len(data) if end < 0 else len(data) - end - 1
            return data
        pieces: list[bytes] = []
        for line in _lines(data):
            text = line
            while self._run + len(text.rstrip(b"\r\n")) > self._longest:
                room = self._longest - self._run
                pieces += (text[:room], b"\r\n ")
                text, self._run = text[room:], 1
            pieces.append(text)
            self._run = 0 if text.endswith(b"\n") else self._run + len(text)
        return b"".join(pieces)


def _lines(data: bytes) -> list[bytes]:
    """Split behind each LF only: a bare CR ends no line."""
    found = [line + b"\n" for line in data.split(b"\n")]
    last = found.pop()[:-1]
    return [*found, last] if last else found


class BinaryGuard:
    """Watches the header of a binary message: the body may be any octets, the header may not (RFC 3030 3)."""

    __slots__ = ("_done", "_tail")

    def __init__(self) -> None:
        self._done = False
        self._tail = b"\r\n"  # an empty header ends at once

    def feed(self, data: bytes) -> bytes:
        """What came, unchanged.  Raises Refused(BARE_LINE_END), Refused(BAD_CONTENT) for a NUL."""
        if self._done or not data:
            return data
        seen = self._tail + data
        end = seen.find(b"\r\n\r\n")
        head = seen if end < 0 else seen[: end + 2]
        self._done = end >= 0
        self._tail = seen[-3:]
        if not self._done and head.endswith(b"\r"):
            head = head[:-1]  # its LF may follow; it stays in the tail
        found = _BARE.search(head.removeprefix(b"\n"))
        if found is not None:
            raise Refused(Reason.BARE_LINE_END)
        if b"\0" in head:
            raise Refused(Reason.BAD_CONTENT, "NUL in the header")
        return data

    def finish(self) -> bytes:
        """Nothing is held back.  Raises as `feed`."""
        if not self._done and self._tail.endswith(b"\r"):
            raise Refused(Reason.BARE_LINE_END)
        return b""


def _has_bare(data: bytes) -> bool:
    return not data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r")
