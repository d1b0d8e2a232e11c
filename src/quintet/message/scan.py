"""Scanner: a message goes in, in chunks of any size, and its Digest comes out.

One pass in linear time, ``bytes.find`` where others read lines. Any chunking
gives the same digest, and no bytes whatever raise: what is malformed is kept
as text of the part it stands in. Memory is bounded by one header block and
the limits below, not by the message. Decoding, names and dates are for
``headers``; rendering for ``render`` (RFC 5322 2.1, RFC 2045, RFC 2046 5.1).

Lines end at LF, with a CR before it or not.
"""

from __future__ import annotations

import re

from quintet.message.digest import VERSION, Digest
from quintet.message.entity import ENVELOPE_FIELDS, OpenPart, fields

MAX_HEADER_BLOCK = 1024 * 1024  # bytes of the message's header; what is beyond is body. Postfix: 100 KiB
MAX_PART_HEADER = 64 * 1024  # bytes of the header of a part
MAX_NESTED_HEADERS = 8 * 1024 * 1024  # bytes of all part headers together; then parts are not split further
MAX_PARTS = (
    10_000  # parts and embedded messages; what follows stays in the last one. Sendmail: 20 levels, no count
)
MAX_DEPTH = 100  # levels; deeper multiparts and messages stay whole. Dovecot's and Postfix's limits are alike
MAX_DELIMITER = 998  # bytes of a line that may be a boundary delimiter (RFC 5322 2.1.1)
LONG_LINE = 998  # bytes without the line end; longer ones are noted (RFC 5322 2.1.1)
MANY_MISSES = (
    200  # lines of a window that only look like delimiters, until an expression looks for the real ones
)
MAX_EXPRESSION = 2000  # bytes of boundaries in it: making it must cost less than the misses did
WINDOW = 256 * 1024  # bytes looked at together

_HEADER_STOP = re.compile(rb"\n(?:\r?\n|--)")
# sre looks for a leading literal with memchr: twice as fast as bytes.find of two bytes
_DOT_LINE = re.compile(rb"\n\.")
_BARE_CR = re.compile(rb"\r(?!\n)")
_BLANK = re.compile(rb"\r?\n")
_PLAIN = ("text", "plain")
_EMBEDDED = ("message", "rfc822")
_MESSAGE_TYPES = frozenset(("rfc822", "global"))


def scan(content: bytes) -> Digest:
    """Return the digest of a whole message."""
    scanner = Scanner()
    if len(content) <= WINDOW:
        return scanner._whole(content)
    view = memoryview(content)
    for start in range(0, len(view), WINDOW):
        scanner.feed(view[start : start + WINDOW])
    return scanner.finish()


class Scanner:
    """Push parser: ``feed`` chunks in order, then ``finish`` once."""

    __slots__ = (
        "_at", "_bare_cr", "_base", "_boundaries", "_buffer", "_counted", "_dots", "_eight_bit",
        "_header_end", "_headers", "_in_header", "_limit", "_line_ends", "_longest", "_nested", "_nul",
        "_open", "_pairs", "_parts", "_resume", "_root", "_run_on",
    )  # fmt: skip

    def __init__(self) -> None:
        self._buffer: bytes | bytearray = bytearray()
        self._base = 0  # blob offset of the buffer's first byte; all offsets below are of the blob
        self._limit = 0  # up to here lines are complete, or too long to matter
        self._at = 0  # up to here the body was searched
        self._resume = 0  # where the search for a header's end goes on
        self._counted = 0  # up to here line ends were counted
        self._line_ends = 0
        self._in_header = True
        self._open = [OpenPart(0, _PLAIN)]  # the message, then the part in it that is open, and so on
        self._boundaries: dict[bytes, int] = {}  # open boundary -> level of its multipart
        self._parts = 1
        self._nested = 0  # bytes of part headers so far
        self._headers: tuple[tuple[bytes, bytes], ...] = ()
        self._header_end = 0
        self._root = self._open[0]
        self._dots = self._eight_bit = self._bare_cr = self._nul = False
        self._pairs = 0  # line ends that are CRLF; `_count` knows them all in the end
        self._longest = 0
        self._run_on = 0  # bytes of the unfinished line before _limit

    def feed(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the message."""
        if len(chunk) > WINDOW:
            view = memoryview(chunk)
            for start in range(0, len(view), WINDOW):
                self.feed(view[start : start + WINDOW])
            return
        buffer = self._buffer
        assert isinstance(buffer, bytearray)
        size = len(buffer)
        buffer += chunk
        newline = buffer.rfind(b"\n", size)
        if newline >= 0:
            self._advance(self._base + newline + 1)
        if len(buffer) - (self._limit - self._base) > MAX_DELIMITER + 2:
            # an unfinished line that is no delimiter; a last CR waits for its LF
            self._advance(self._base + len(buffer) - (buffer[-1] == 0x0D))

    def finish(self) -> Digest:
        """Return the digest of all that was fed."""
        end = self._base + len(self._buffer)
        self._advance(end)
        self._structure(final=True)
        return self._digest(end)

    def _whole(self, content: bytes) -> Digest:
        """The fast way: everything is here, nothing needs to be copied or kept."""
        self._buffer = content
        size = len(content)
        if size:
            self._measure(content)
            self._limit = size
        self._structure(final=True)
        return self._digest(size)

    def _advance(self, limit: int) -> None:
        """Look at the buffer up to ``limit`` and let go of what is done with."""
        buffer = self._buffer
        assert isinstance(buffer, bytearray)
        if limit <= self._limit:
            return
        self._measure(bytes(buffer[self._limit - self._base : limit - self._base]))
        self._limit = limit
        self._structure(final=False)
        keep = limit - 2  # a delimiter that comes next owns the line end before it
        if self._in_header:
            keep = min(keep, self._open[-1].header_start - 2)
        if keep > self._base:
            self._count(keep)
            del buffer[: keep - self._base]
            self._base = keep

    def _measure(self, window: bytes) -> None:
        """Note the facts about lines and bytes of a window that begins where the last one ended."""
        begun = self._run_on
        size = len(window)
        if not self._dots:
            self._dots = (begun == 0 and window[0] == 0x2E) or _DOT_LINE.search(window) is not None
        if not self._eight_bit:
            self._eight_bit = not window.isascii()
        if not self._nul:
            self._nul = b"\0" in window
        bare_cr = _BARE_CR.search(window)
        if bare_cr is not None:
            self._bare_cr = True
            self._pairs += window.count(b"\r\n")
        else:
            self._pairs += window.count(b"\r")
        # one look for a line end in each 1000 bytes finds the lines that are too long
        at = window.find(b"\n") + 1
        if at == 0:
            self._run_on = begun + size
            if self._run_on > LONG_LINE:
                self._longest = max(self._longest, self._run_on)
            return
        if begun + at > LONG_LINE:
            self._note_line(begun + at - 1, window[max(at - 2, 0)])
        while at < size:
            end = window.rfind(b"\n", at, at + LONG_LINE + 1) + 1
            if end == 0:
                end = window.find(b"\n", at + LONG_LINE) + 1
                if end == 0:
                    break
                self._note_line(end - 1 - at, window[end - 2])
            at = end
        self._run_on = size - at
        if self._run_on > LONG_LINE:
            self._longest = max(self._longest, self._run_on)

    def _note_line(self, length: int, last: int) -> None:
        """Take note of a long line; ``length`` is without LF, ``last`` its last byte."""
        length -= last == 0x0D
        if length > LONG_LINE and length > self._longest:
            self._longest = length

    def _count(self, upto: int) -> int:
        """Line ends before ``upto``, which never goes back."""
        if upto > self._counted:
            base = self._base
            self._line_ends += self._buffer.count(b"\n", self._counted - base, upto - base)
            self._counted = upto
        return self._line_ends

    def _structure(self, *, final: bool) -> None:
        """Go on through headers and bodies as far as the window reaches."""
        while self._read_header(final=final) if self._in_header else self._read_body():
            pass

    def _read_header(self, *, final: bool) -> bool:
        """Look for the end of the open part's header; False when more is needed."""
        part = self._open[-1]
        start, base, buffer = part.header_start, self._base, self._buffer
        room = MAX_HEADER_BLOCK if part is self._root else MAX_PART_HEADER
        stop = start + room
        stop = min(stop, self._limit)
        at = start - 1 if self._resume < start else self._resume
        if start == 0 and at == 0 and (found := _BLANK.match(buffer)):
            self._begin_body(b"", found.end())
            return True
        search = _HEADER_STOP.search
        while found := search(buffer, at - base if at > base else 0, stop - base):
            newline, end = found.span()
            at = end + base
            if buffer[end - 1] == 0x0A:
                self._begin_body(bytes(buffer[start - base : newline + 1]), at)
                return True
            if self._boundaries and self._delimiter(newline + base):
                return True
        if stop == start + room:
            end = buffer.rfind(b"\n", start - base, stop - base) + 1 + base
            end = end if end > start else stop
        elif final:
            end = self._limit
        else:
            self._resume = self._limit - 1
            return False
        self._begin_body(bytes(buffer[start - base : end - base]), end)
        return True

    def _begin_body(self, block: bytes, body_start: int) -> None:
        """The open part's header is complete: read it, and see what its body is."""
        part = self._open[-1]
        self._end_header(part, block, body_start)
        self._in_header = False
        self._at = body_start
        kind, subtype, _ = part.kind
        if len(self._open) > MAX_DEPTH or self._nested > MAX_NESTED_HEADERS:
            return
        if kind == "multipart":
            boundary = part.wanted_boundary()
            if boundary is not None:
                part.boundary = boundary
                part.shadowed = self._boundaries.get(boundary)
                self._boundaries[boundary] = len(self._open) - 1
        elif kind == "message" and subtype in _MESSAGE_TYPES and self._parts < MAX_PARTS:
            self._push(body_start, _PLAIN)

    def _end_header(self, part: OpenPart, block: bytes, body_start: int) -> None:
        """Keep what the block says about the part and, if it is one, about its message."""
        found = fields(block) if block else []
        part.read(found)
        part.body_start = body_start
        part.lines_before = self._count(body_start)
        if part is self._root:
            self._headers = tuple(found)
            self._header_end = body_start
            return
        self._nested += len(block)
        outer = self._open[-2]
        if outer.kind[0] == "message":
            outer.envelope = tuple([one for one in found if one[0].lower() in ENVELOPE_FIELDS])

    def _push(self, header_start: int, default: tuple[str, str]) -> None:
        self._open.append(OpenPart(header_start, default))
        self._parts += 1
        self._in_header = True
        self._resume = header_start - 1

    def _read_body(self) -> bool:
        """Look for the next delimiter; False when the window is used up."""
        limit = self._limit
        if not self._boundaries:
            self._at = limit
            return False
        base, find = self._base, self._buffer.find
        stop = limit - base
        at = self._at - 1 - base if self._at > base else 0
        misses = 0
        while (at := find(b"\n--", at, stop)) >= 0:
            if self._delimiter(at + base):
                return True
            at += 3
            misses += 1
            if misses == MANY_MISSES and (search := self._expression()) is not None:
                return self._search_body(search, at)
        self._at = limit
        return False

    def _search_body(self, search: re.Pattern[bytes], at: int) -> bool:
        """`_read_body` for a body made to be slow: a million lines of "--" cost 20 ms instead of 900."""
        base, limit = self._base, self._limit
        while found := search.search(self._buffer, at, limit - base):
            if self._delimiter(found.start() + base):
                return True
            at = found.start() + 3
        self._at = limit
        return False

    def _expression(self) -> re.Pattern[bytes] | None:
        """Matches every line that `_delimiter` takes now; None where it would be too large."""
        if sum(map(len, self._boundaries)) > MAX_EXPRESSION:
            return None
        full = self._parts >= MAX_PARTS or self._nested > MAX_NESTED_HEADERS
        words = b"|".join(map(re.escape, self._boundaries))
        # re keeps what it compiled: the next window asks for the same
        return re.compile(rb"\n--(?:%b)%b[ \t\r]*(?:\n|\Z)" % (words, b"--" if full else b"(?:--)?"))

    def _delimiter(self, newline: int) -> bool:
        """Act on the line after ``newline``, which starts with "--"; False if it is no delimiter.

        A delimiter is the boundary, maybe "--", maybe blanks, and nothing more.
        Deviates from RFC 2046 5.1.1, which is content with a matching start:
        mailers nest boundaries of which one begins with the other.
        """
        base, buffer = self._base, self._buffer
        start = newline + 3 - base
        end = buffer.find(b"\n", start, self._limit - base)
        if end < 0:
            end = self._limit - base  # the message's last line, or one that is too long
        if end - start + 2 > MAX_DELIMITER:
            return False
        line = bytes(buffer[start:end]).rstrip(b" \t\r")
        level = self._boundaries.get(line)
        closing = level is None and line.endswith(b"--")
        if closing:
            level = self._boundaries.get(line[:-2])
        if level is None:
            return False
        if not closing and (self._parts >= MAX_PARTS or self._nested > MAX_NESTED_HEADERS):
            return False
        cut = newline - (newline > 0 and buffer[newline - base - 1] == 0x0D)
        if self._in_header:
            self._cut_header(cut, newline + 1)
        self._close(level + 1, cut)
        multipart = self._open[-1]
        after = end + 1 + base
        after = min(after, self._limit)  # the last line of all, without an end
        if closing:
            self._forget(multipart)
            self._in_header = False
            self._at = after
        else:
            digest_default = multipart.kind[1] == "digest"  # RFC 2046 5.1.5
            self._push(after, _EMBEDDED if digest_default else _PLAIN)
        return True

    def _cut_header(self, cut: int, line_start: int) -> None:
        """A delimiter stands where the blank line should: the part has no body."""
        part = self._open[-1]
        base = self._base
        block = bytes(self._buffer[part.header_start - base : line_start - base])
        self._end_header(part, block, max(part.header_start, cut))

    def _forget(self, multipart: OpenPart) -> None:
        """A multipart's boundary counts no more; an outer one it hid counts again."""
        assert multipart.boundary is not None
        if multipart.shadowed is None:
            del self._boundaries[multipart.boundary]
        else:
            self._boundaries[multipart.boundary] = multipart.shadowed
        multipart.boundary = None

    def _close(self, level: int, cut: int) -> None:
        """Close all open parts from the innermost up to ``level``; they end at ``cut``."""
        end = cut
        while len(self._open) > level:
            part = self._open.pop()
            if part.boundary is not None:
                self._forget(part)
            end = max(end, part.body_start)
            self._open[-1].children.append(part.close(end, self._count(end) - part.lines_before))

    def _digest(self, size: int) -> Digest:
        self._close(1, size)
        root = self._root
        lines = self._count(size) - root.lines_before
        return Digest(
            VERSION,
            size,
            lines + (size > root.body_start and self._run_on > 0),
            self._header_end,
            self._headers,
            root.close(size, lines),
            self._dots,
            self._eight_bit,
            self._bare_cr,
            self._count(size) != self._pairs,
            self._nul,
            self._longest,
        )
