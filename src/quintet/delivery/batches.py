"""Batches of articles, as rnews(1) reads them and peers without NNTP send them.

"#! rnews SIZE" and as many octets, again and again; "#! cunbatch" (gunbatch, bunbatch, ...) and compressed
batches behind it, whatever they are compressed with: gzip, bzip2, xz or compress(1).  Anything else is one
article.  `Unbatcher` takes a batch apart as it comes, `take` hands the articles to `arrivals`.
RFC 1036 3 and 5 and INN's rnews are what others follow.
"""

from __future__ import annotations

import asyncio
import bz2
import lzma
import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from quintet.delivery import lzw
from quintet.delivery.arrivalbatch import Fate
from quintet.delivery.arrivals import Arrivals, Source
from quintet.delivery.arrive import is_message_id

MAX_LINE = 256  # octets of a line that begins with "#!"
MAX_DEPTH = 3  # batches in batches
HEAD = 6  # octets that tell how something is compressed
PIECE = 64 * 1024  # octets that are unpacked at once
MAX_GROWTH = 200  # octets of text for each that came, at all depths together; gzip makes 1000 of nothing else
MAX_TEXT = 64 * 1024 * 1024  # octets of text that a small batch may have all the same
MAX_MEMORY = 128 * 1024 * 1024  # octets that xz may take: what it makes at most, by "-9", needs half of it
TOGETHER = 64  # articles filed together
MAX_TOGETHER = 1024 * 1024  # octets of them

_RNEWS = re.compile(rb"#! *rnews +(\d{1,12})\s*\Z")
_PACKED = re.compile(rb"#! *[a-z0-9]*unbatch\b")
_MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(<[^\r\n]*>)", re.IGNORECASE | re.MULTILINE)
_HEAD = 64 * 1024  # octets in which a Message-ID is looked for


class BadBatch(ValueError):
    """It cannot be read on from here; the articles before were given."""


@dataclass(slots=True)
class _Growth:
    """How much came, and what it was unpacked to: of batches in batches a little is a lot."""

    came: int = 0
    text: int = 0

    def add(self, size: int) -> None:
        """Raises BadBatch."""
        self.text += size
        if self.text > MAX_TEXT and self.text > MAX_GROWTH * self.came:
            raise BadBatch("it unpacks to more than a batch has")


class Unbatcher:
    """A push parser: `feed` gives the articles that became complete, `finish` the last one.

    Articles longer than ``limit`` octets are passed over and counted in ``too_long``.  `steps` is `feed` with
    a None after each piece of work, when others may have their turn.
    """

    def __init__(self, limit: int, depth: int = 0, growth: _Growth | None = None) -> None:
        self._limit, self._depth = limit, depth
        self._growth = _Growth() if growth is None else growth
        self._held = bytearray()
        self._wanted = -1  # octets of the article that is coming; -1: a line is awaited
        self._skip = 0  # octets of one that is passed over; -1: all that comes
        self._single = False  # all is one article
        self._packed: _Packed | None = None
        self.too_long = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Raises BadBatch."""
        return (each for each in self.steps(data) if each is not None)

    def steps(self, data: bytes) -> Iterator[bytes | None]:
        """Raises BadBatch."""
        if self._depth == 0:
            self._growth.came += len(data)
        if self._packed is not None:
            yield from self._packed.feed(data)
            return
        self._held += data
        while self._step():
            inner = self._inner()
            if inner is not None:
                rest, self._held = bytes(self._held), bytearray()
                yield from inner.feed(rest)
                return
            if 0 <= self._wanted <= len(self._held):
                article = bytes(self._held[: self._wanted])
                del self._held[: self._wanted]
                self._wanted = -1
                yield article

    def _inner(self) -> _Packed | None:
        return self._packed

    def finish(self) -> Iterator[bytes]:
        """The end of the input.  Raises BadBatch: in the middle of an article."""
        if self._packed is not None:
            yield from self._packed.finish()
            self.too_long += self._packed.inner.too_long
            return
        if self._wanted >= 0 or self._skip > 0:
            raise BadBatch("the batch ends in the middle of an article")
        if self._single and self._held:
            yield bytes(self._held)
        elif self._held.strip():
            if self._held.startswith(b"#!"):
                raise BadBatch("the batch ends in the middle of a line")
            yield bytes(self._held)
        self._held.clear()

    def _step(self) -> bool:
        """Looks at what stands at the front; False when more must come."""
        held = self._held
        if self._skip < 0:
            held.clear()
            return False
        if self._skip:
            gone = min(self._skip, len(held))
            del held[:gone]
            self._skip -= gone
            return not self._skip and bool(held)
        if self._wanted >= 0:
            return len(held) >= self._wanted
        if self._single:
            if len(held) > self._limit:
                self.too_long += 1
                self._single, self._skip = False, -1
                held.clear()
            return False
        return self._line()

    def _line(self) -> bool:
        held = self._held
        if len(held) < HEAD:
            return False
        if _opener(bytes(held[:HEAD])) is not None:
            self._unpack()
            return True
        if not held.startswith(b"#!"):
            self._single = True
            return len(held) > self._limit
        end = held.find(b"\n", 0, MAX_LINE)
        if end < 0:
            if len(held) >= MAX_LINE:
                raise BadBatch("a line that begins with #! has no end")
            return False
        line = bytes(held[:end])
        del held[: end + 1]
        found = _RNEWS.match(line)
        if found is not None:
            size = int(found[1])
            if size > self._limit:
                self.too_long += 1
                self._skip = size
            else:
                self._wanted = size
            return True
        if _PACKED.match(line):
            self._unpack()
            return True
        raise BadBatch(f"not a line of a batch: {line[:60].decode('latin-1')}")

    def _unpack(self) -> None:
        if self._depth >= MAX_DEPTH:
            raise BadBatch("too many batches in batches")
        self._packed = _Packed(Unbatcher(self._limit, self._depth + 1, self._growth), self._growth)


class _Codec(Protocol):
    """What the three decompressors of the library have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Member:
    """gzip, bzip2 or xz: one member after the other, perhaps with padding behind the last."""

    def __init__(self, make: Callable[[], _Codec]) -> None:
        self._make = make
        self._one = make()
        self._next = b""  # what stands behind a member

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._one.eof:
                data = self._next = self._next + data
                if len(data) < HEAD or _opener(data) is None:
                    self._next = data[:HEAD]
                    return
                self._one, self._next = self._make(), b""
            piece = self._one.decompress(data, PIECE)
            if piece:
                yield piece
            data = self._one.unused_data if self._one.eof else getattr(self._one, "unconsumed_tail", b"")
            if not data and (self._one.eof or len(piece) < PIECE):  # a full piece: more may be inside
                return

    def rest(self) -> bytes:
        if not self._one.eof:
            raise BadBatch("the compressed batch is cut off")
        return b""


class _Lzw:
    """compress(1)."""

    def __init__(self) -> None:
        self._one = lzw.Decompressor()

    def pieces(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), 512):  # a code may stand for 64 KiB
            yield self._one.decompress(data[start : start + 512])

    def rest(self) -> bytes:
        return self._one.finish()


_Opener = _Member | _Lzw


def _opener(head: bytes) -> _Opener | None:
    if head.startswith(b"\x1f\x8b"):
        return _Member(lambda: zlib.decompressobj(31))
    if head.startswith(b"BZh"):
        return _Member(bz2.BZ2Decompressor)
    if head.startswith(b"\xfd7zXZ"):
        return _Member(lambda: lzma.LZMADecompressor(memlimit=MAX_MEMORY))
    return _Lzw() if head.startswith(lzw.MAGIC) else None


class _Packed:
    """Compressed data with a batch inside."""

    def __init__(self, inner: Unbatcher, growth: _Growth) -> None:
        self.inner, self._growth = inner, growth
        self._head = b""
        self._open: _Opener | None = None

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        if self._open is None:
            data = self._head = self._head + data
            if len(data) < HEAD:
                return
            self._open = _opener(data)
            if self._open is None:
                raise BadBatch("compressed in a way that is not known")
        try:
            for piece in self._open.pieces(data):
                self._growth.add(len(piece))
                yield from self.inner.steps(piece)
                yield None
        except (zlib.error, OSError, lzma.LZMAError, EOFError, lzw.BadLzw) as error:
            raise BadBatch(f"the compressed batch is damaged: {error}") from error

    def finish(self) -> Iterator[bytes]:
        if self._open is None:
            raise BadBatch("the compressed batch is cut off")
        try:
            rest = self._open.rest()
        except lzw.BadLzw as error:
            raise BadBatch(f"the compressed batch is damaged: {error}") from error
        yield from self.inner.feed(rest)
        yield from self.inner.finish()


def article(data: bytes) -> tuple[bytes, bytes]:
    """An article of a batch as it travels (CRLF), and its Message-ID ("<>" where it has none)."""
    if b"\r\n" not in data[:1024]:
        data = data.replace(b"\n", b"\r\n")
    if not data.endswith(b"\r\n"):
        data += b"\r\n"  # of the article: it travels with one, and :bytes counts it (RFC 3977 8.1.1)
    end = data.find(b"\r\n\r\n", 0, _HEAD)
    found = _MESSAGE_ID.search(data, 0, end if end >= 0 else _HEAD)
    own = found[1].strip() if found is not None else b""
    return (own if is_message_id(own) else b"<>"), data


# --- taking -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Taken:
    """What became of a batch."""

    taken: int = 0
    duplicates: int = 0
    refused: int = 0
    later: int = 0  # nothing was kept of these: the batch must come again
    faults: list[str] = field(default_factory=list)  # words about the first of those that were refused

    MAX_FAULTS = 20

    def fault(self, text: str) -> None:
        if len(self.faults) < self.MAX_FAULTS:
            self.faults.append(text)


async def take(arrivals: Arrivals, source: Source, chunks: AsyncIterator[bytes]) -> Taken:
    """Takes a batch as it comes; all that was taken is on the disk when it returns.

    A batch that is damaged is taken up to there, and the damage told as a fault.
    """
    done = Taken()
    limit = arrivals.max_article
    parser = Unbatcher(limit + limit // 4)  # line ends grow on the way
    held: list[tuple[bytes, bytes]] = []
    size = 0
    try:
        async for chunk in chunks:
            for start in range(0, len(chunk), PIECE):
                for data in parser.steps(chunk[start : start + PIECE]):
                    if data is None:
                        await asyncio.sleep(
                            0
                        )  # 64 KiB of text are 0.1 ms, but what came may hold 1000 times that
                        continue
                    held.append(article(data))
                    size += len(data)
                    if len(held) >= TOGETHER or size > MAX_TOGETHER:
                        await _file(arrivals, source, held, done)
                        size = 0
        held += [article(data) for data in parser.finish()]
    except BadBatch as bad:
        done.refused += 1
        done.fault(str(bad))
        async for _ in chunks:
            pass  # the rest belongs to it
    await _file(arrivals, source, held, done)
    if parser.too_long:
        done.refused += parser.too_long
        done.fault(f"{parser.too_long} articles are longer than {limit} octets")
    return done


def _shown(own: bytes) -> str:
    return own.decode() if is_message_id(own) else "an article without Message-ID"


async def _file(arrivals: Arrivals, source: Source, held: list[tuple[bytes, bytes]], done: Taken) -> None:
    items, held[:] = list(held), []
    if not items:
        return
    for (own, _), outcome in zip(
        items, await arrivals.take(source, [(*one, False) for one in items]), strict=True
    ):
        if outcome.fate is Fate.TAKEN:
            done.taken += 1
        elif outcome.fate is Fate.LATER:
            done.later += 1
            done.fault(f"{_shown(own)}: {outcome.text}")
        elif outcome.text == "Duplicate":
            done.duplicates += 1
        else:
            done.refused += 1
            done.fault(f"{_shown(own)}: {outcome.text}")
