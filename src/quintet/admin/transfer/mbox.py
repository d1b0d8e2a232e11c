"""mbox files, the mboxrd way (RFC 4155): From_ lines between messages, ">From " quoted once more.

Flags travel in Status, X-Status and X-Keywords, as mutt, alpine and Dovecot write them.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from quintet.admin.transfer.incoming import CHUNK, Crlf, Incoming
from quintet.message.digest import Digest
from quintet.store.model import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN

# "From " sender, then anything with a time and a year: what asctime writes, and its many variants
_FROM = re.compile(rb"From \S*.*\d{1,2}:\d\d(?::\d\d)?.*\b\d{4}\b")
_ASCTIME = re.compile(rb"([A-Z][a-z]{2})\s+(\d{1,2})\s+(\d{1,2}):(\d\d)(?::(\d\d))?.*?(\d{4})")
_QUOTED = re.compile(rb">+From ")
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_LETTERS = {"R": SEEN, "A": ANSWERED, "F": FLAGGED, "D": DELETED, "T": DRAFT}


def read(path: Path, folder: str, step: Callable[[int], None] = lambda _: None) -> Iterator[Incoming]:
    """The messages of one file; ``step`` is told the bytes that were read.

    Raises:
        ValueError: the file does not begin with a From_ line.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        lines = _Lines(file, step)
        if lines.line and not _FROM.match(lines.line):
            raise ValueError(f"{path}: not an mbox file, it does not begin with a From line")
        number = 0
        while lines.line:
            number += 1
            received_at = _moment(lines.line)
            lines.advance()
            chunks = lines.message()
            yield Incoming(f"{path}, message {number}", folder, chunks, received_at, status_headers=True)
            for _ in chunks:
                pass  # what the taker left unread


class _Lines:
    """The file line by line; an endless line comes in pieces, so none is ever held whole."""

    def __init__(self, file: BinaryIO, step: Callable[[int], None]) -> None:
        self._file, self._step = file, step
        self.begins = True  # the present piece begins a line
        self.line = b""
        self.advance()

    def advance(self) -> None:
        self.begins = not self.line or self.line.endswith(b"\n")
        self.line = self._file.readline(CHUNK)
        self._step(len(self.line))

    def message(self) -> Iterator[bytes]:
        """Up to the next From_ line; the empty line before that one belongs to it."""
        crlf = Crlf()
        held: list[bytes] = []
        size, empty = 0, b""
        while self.line:
            line = self.line
            if self.begins and empty and _FROM.match(line):
                break
            if empty:
                held.append(empty)
                empty = b""
            if self.begins and line in (b"\n", b"\r\n"):
                empty = line
            else:
                if self.begins and _QUOTED.match(line):
                    line = line[1:]
                held.append(line)
                size += len(line)
            self.advance()
            if size >= CHUNK:
                yield crlf.feed(b"".join(held))
                held, size = [], 0
        yield crlf.feed(b"".join(held)) + crlf.finish()


def _moment(line: bytes) -> int:
    found = _ASCTIME.search(line)
    if not found or found[1] not in _MONTHS:
        return 0
    month = _MONTHS.index(found[1]) + 1
    day, hour, minute = int(found[2]), int(found[3]), int(found[4])
    try:
        at = datetime(int(found[6]), month, day, hour, minute, int(found[5] or 0), tzinfo=UTC)
    except ValueError:
        return 0
    return timegm(at.utctimetuple()) * 1000


def flags_of(digest: Digest) -> tuple[int, tuple[str, ...]]:
    """Flags and keywords by the status fields of a message's header."""
    letters = (digest.header("status") or b"") + (digest.header("x-status") or b"")
    flags = 0
    for letter in letters.decode("ascii", "replace"):
        flags |= _LETTERS.get(letter, 0)
    words = (digest.header("x-keywords") or b"").decode("utf-8", "replace").replace(",", " ")
    return flags, tuple(word for word in words.split() if word.isascii())


# --- out ------------------------------------------------------------------------------------------


def from_line(sender: bytes, received_at: int) -> bytes:
    """The line that begins a message."""
    at = datetime.fromtimestamp(received_at / 1000, UTC)
    month = _MONTHS[at.month - 1].decode()
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[at.weekday()]
    return b"From %b %s\n" % (
        sender or b"MAILER-DAEMON",
        f"{day} {month} {at.day:2} {at:%H:%M:%S} {at.year}".encode(),
    )


def status_lines(flags: int, keywords: tuple[str, ...]) -> bytes:
    """The header lines that carry the flags."""
    status = ("R" if flags & SEEN else "") + "O"
    extra = "".join(letter for letter, bit in _LETTERS.items() if letter != "R" and flags & bit)
    lines = f"Status: {status}\n" + (f"X-Status: {extra}\n" if extra else "")
    return (lines + (f"X-Keywords: {' '.join(keywords)}\n" if keywords else "")).encode()


class Quoter:
    """Turns a message with CRLF into mboxrd lines with LF, and puts the status lines behind the header.

    Status lines that came with the message are left out: ours tell the flags of now.
    """

    def __init__(self, status: bytes) -> None:
        self._status = status
        self._left = b""  # an unfinished line
        self._header = True
        self._skipping = False
        self._inside = False  # in a line so long that its beginning went out already

    def feed(self, chunk: bytes) -> bytes:
        data, out = self._left + chunk, b""
        self._left = b""
        if self._inside:
            end = data.find(b"\n") + 1
            if not end:
                return data
            self._inside = False
            out, data = data[:end].replace(b"\r\n", b"\n"), data[end:]
        end = data.rfind(b"\n") + 1
        out += b"".join([self._line(line + b"\n") for line in data[:end].split(b"\n")[:-1]])
        rest = data[end:]
        if len(rest) > CHUNK:
            self._inside = True
            return out + self._line(rest)
        self._left = rest
        return out

    def _line(self, line: bytes) -> bytes:
        line = line[:-2] + b"\n" if line.endswith(b"\r\n") else line
        if self._header:
            if line == b"\n":
                self._header = False
                return self._status + line
            if line[:1] not in (b" ", b"\t"):
                name = line.split(b":", 1)[0].lower()
                self._skipping = name in (b"status", b"x-status", b"x-keywords")
            if self._skipping:
                return b""
        return b">" + line if line.startswith(b"From ") or _QUOTED.match(line) else line

    def finish(self) -> bytes:
        """The last line, and the empty line that ends a message."""
        last = self._line(self._left + b"\n") if self._left else b"\n" if self._inside else b""
        if self._header:
            last += self._status + b"\n"
        return last + b"\n"
