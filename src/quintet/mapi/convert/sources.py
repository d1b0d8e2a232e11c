"""Octets of a letter: the whole, and the content of one part without its transfer encoding, by reference."""

from __future__ import annotations

from collections.abc import Iterator

from quintet.mapi.bag import Data
from quintet.message import transfer
from quintet.message.digest import Part

IN_MEMORY = 64 * 1024  # bytes of a part, encoded; larger ones stay where they are
PIECE = 57 * 1024  # bytes read at once; whole lines of base64, when it is encoded
MAX_LINE = 1000  # bytes of a line of base64 that is still one; RFC 2045 6.8 allows 76
_PLAIN = frozenset(("7bit", "8bit", "binary"))
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


class Whole:
    """Bytes that are in memory, as `Data`."""

    __slots__ = ("_raw", "size")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self.size = len(raw)

    def read(self, start: int, most: int) -> bytes:
        return self._raw[start : start + most]


class Range:
    """Some bytes of other data: a part that has no transfer encoding."""

    __slots__ = ("_data", "_start", "size")

    def __init__(self, data: Data, start: int, size: int) -> None:
        self._data, self._start, self.size = data, start, size

    def read(self, start: int, most: int) -> bytes:
        return self._data.read(self._start + start, min(most, max(self.size - start, 0)))


class Decoded:
    """The content of an encoded part.

    Reading on from where the last read ended costs its own length.  Base64 in lines of one length, which is
    what programs write, is read from any place at once; anything else is decoded again up to there.
    """

    __slots__ = ("_at", "_encoding", "_held", "_lines", "_raw", "_read_to", "_size", "_tap")

    def __init__(self, raw: Data, encoding: str) -> None:
        self._raw, self._encoding = raw, encoding
        self._size: int | None = None
        self._lines: tuple[int, int] | None = None  # bytes of a line: encoded with its end, and decoded
        self._seek(0, 0)

    def _seek(self, read_to: int, at: int) -> None:
        """Go on with the encoded byte ``read_to``, where content ``at`` begins."""
        self._tap = transfer.decoder(self._encoding)
        self._held = b""
        self._at = at  # of the content: where _held begins
        self._read_to = read_to  # of the encoded bytes

    def _more(self) -> bool:
        """Decode a piece more; False at the end."""
        if self._read_to >= self._raw.size:
            return False
        piece = self._raw.read(self._read_to, PIECE)
        self._read_to += len(piece)
        self._held += self._tap.feed(piece)
        if not piece or self._read_to >= self._raw.size:
            self._read_to = self._raw.size
            self._held += self._tap.finish()
        return True

    @property
    def size(self) -> int:
        if self._size is None:
            self._lines = self._survey() if self._encoding == "base64" else None
            if self._lines is None:
                self._size = sum(len(piece) for piece in decoded(self._raw, self._encoding))
            else:
                encoded, content = self._lines
                full = _full_lines(self._raw.size, encoded)
                tail = self._raw.read(full * encoded, encoded)
                self._size = full * content + len(transfer.decode("base64", tail))
        return self._size

    def _survey(self) -> tuple[int, int] | None:
        """Bytes of a line, encoded with its end and decoded; None: the lines are not all alike."""
        length = self._raw.read(0, MAX_LINE + 2).find(b"\r\n")
        if length <= 0 or length % 4:
            return None
        line = length + 2
        step = max(PIECE // line, 1) * line
        end = _full_lines(self._raw.size, line) * line
        for start in range(0, end, step):
            piece = self._raw.read(start, min(step, end - start))
            number = len(piece) // line
            ends = piece[length::line], piece[length + 1 :: line]
            # nothing but letters and the ends: no padding, no blank that would move what follows
            if ends != (b"\r" * number, b"\n" * number) or len(piece.translate(None, _LETTERS)) != 2 * number:
                return None
        return line, length // 4 * 3

    def read(self, start: int, most: int) -> bytes:
        if start != self._at and self.size and self._lines is not None:
            encoded, content = self._lines
            self._seek(start // content * encoded, start // content * content)
        elif start < self._at:
            self._seek(0, 0)
        while self._at + len(self._held) < start + most and self._more():
            gone = min(max(start - self._at, 0), len(self._held))
            self._held = self._held[gone:]
            self._at += gone
        taken = self._held[start - self._at : start - self._at + most]
        self._held = self._held[start - self._at + len(taken) :]
        self._at = start + len(taken)
        return taken


def _full_lines(size: int, line: int) -> int:
    """Lines before the last one, which may be shorter, or padded."""
    return max(size - 1, 0) // line


def decoded(raw: Data, encoding: str) -> Iterator[bytes]:
    """The content without its encoding, piece by piece."""
    tap = transfer.decoder(encoding)
    for piece in pieces(raw):
        yield tap.feed(piece)
    yield tap.finish()


def pieces(data: bytes | Data) -> Iterator[bytes]:
    """All of it, at most `PIECE` bytes at once."""
    if isinstance(data, bytes):
        data = Whole(data)
    for start in range(0, data.size, PIECE):
        yield data.read(start, PIECE)


def same(one: bytes | Data, other: bytes | Data) -> bool:
    """Whether both are the same bytes."""
    if isinstance(one, bytes) and isinstance(other, bytes):
        return one == other
    size = len(one) if isinstance(one, bytes) else one.size
    if size != (len(other) if isinstance(other, bytes) else other.size):
        return False
    return all(a == b for a, b in zip(pieces(one), pieces(other), strict=True))


class Letter:
    """A message's bytes, from which parts are read."""

    __slots__ = ("_data",)

    def __init__(self, source: bytes | Data) -> None:
        self._data: Data = Whole(source) if isinstance(source, bytes) else source

    def range(self, start: int, end: int) -> bytes:
        return self._data.read(start, end - start)

    def header(self, part: Part) -> bytes:
        return self._data.read(part.header_start, part.body_start - part.header_start)

    def raw(self, part: Part) -> bytes:
        """The body as it is encoded."""
        return self._data.read(part.body_start, part.size)

    def body(self, part: Part) -> Data:
        """The body as it is encoded, by reference."""
        return Range(self._data, part.body_start, part.size)

    def text(self, part: Part) -> bytes:
        """The content."""
        return transfer.decode(part.encoding, self.raw(part))

    def content(self, part: Part) -> bytes | Data:
        """The content: in memory where it is small."""
        if part.size <= IN_MEMORY:
            return self.text(part)
        raw = self.body(part)
        return raw if part.encoding in _PLAIN else Decoded(raw, part.encoding)


class Joined:
    """Some bytes, then other data."""

    __slots__ = ("_data", "_first", "size")

    def __init__(self, first: bytes, data: Data) -> None:
        self._first, self._data = first, data
        self.size = len(first) + data.size

    def read(self, start: int, most: int) -> bytes:
        head = self._first[start : start + most]
        after = max(start - len(self._first), 0)
        return head + self._data.read(after, most - len(head)) if len(head) < most else head

    def small(self) -> bytes | Data:
        """All of it where that is little, else itself."""
        return self.read(0, self.size) if self.size <= IN_MEMORY else self
