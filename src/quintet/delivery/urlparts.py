"""What of a message an IMAP URL means: its section and its partial range, as a body (RFC 5092 6).

For URLFETCH and BURL (`urlauth`), and for CATENATE of IMAP.  Nothing is parsed: a part is a range of the
stored bytes, and only a list of header fields is made anew.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from quintet.errors import Reason, Refused
from quintet.message import digest as digests
from quintet.message import imapurl, section
from quintet.message.digest import Digest
from quintet.message.imapurl import ImapUrl
from quintet.net.seam import CHUNK, Body
from quintet.store import entries
from quintet.store.db import Tx
from quintet.store.model import BodyRef, Folder, Uid
from quintet.values import dataclass

MAX_HEADER = 4 * 1024 * 1024  # bytes of a header block that HEADER.FIELDS looks through


@dataclass(frozen=True, slots=True)
class Found:
    """The message that a URL leads to."""

    ref: BodyRef
    digest: Digest | None  # only where it was asked for, or a section needs it


@dataclass(frozen=True, slots=True)
class Piece:
    """What a URL names of its message."""

    whole: Body  # the section
    partial: tuple[int, int | None] | None  # what of it is wanted: first octet, octets
    part: digests.Part | None  # the entity whose body it is; None: a header, or the text of a message

    @property
    def body(self) -> Body:
        """The octets that are wanted, as they are stored."""
        if self.partial is None:
            return self.whole
        start, end = cut(self.partial, self.whole.size)
        return Part(self.whole, start, end - start)


def locate(tx: Tx, folder: Folder, url: ImapUrl, *, with_digest: bool = False) -> Found:
    """Raises Refused(NO_SUCH_MESSAGE): not there, or another UIDVALIDITY."""
    if url.uid_validity is not None and url.uid_validity != folder.uid_validity:
        raise Refused(Reason.NO_SUCH_MESSAGE)
    ref = entries.body_ref(tx, folder.id, Uid(url.uid))
    digest = None
    if with_digest or url.section.path or url.section.text:
        digest = entries.digests(tx, folder.id, [url.uid]).get(Uid(url.uid))
        if digest is None:
            raise Refused(Reason.NO_SUCH_MESSAGE)
    return Found(ref, digest)


async def piece(found: Found, body: Body, url: ImapUrl) -> Piece:
    """What ``url`` names of a message whose bytes are ``body``.

    Raises:
        Refused(NO_SUCH_MESSAGE): it has no such part.
        TryLater(STORAGE): not now.
    """
    wanted = url.section
    start, end = _range(found, wanted, body.size)
    if wanted.fields:
        chunks = body.chunks(start, min(end - start, MAX_HEADER))
        block = b"".join([chunk async for chunk in chunks])
        names = {name.upper().encode() for name in wanted.fields}
        text = section.filter_header(block, names, wanted.text.endswith("NOT"))
        return Piece(Text(text), url.partial, None)
    part = None
    if wanted.path and not wanted.text and found.digest is not None:
        part = section.part(found.digest, wanted.path)
    whole = body if (start, end) == (0, body.size) else Part(body, start, end - start)
    return Piece(whole, url.partial, part)


def cut(partial: tuple[int, int | None], size: int) -> tuple[int, int]:
    """The octets of ``size`` that PARTIAL leaves (RFC 5092 6.1): start, end."""
    first, length = partial
    start = min(first, size)
    return start, size if length is None else min(start + length, size)


def _range(found: Found, wanted: imapurl.Section, size: int) -> tuple[int, int]:
    """Octets of a section in prefix and blob together."""
    if not wanted.path and not wanted.text:
        return 0, size
    assert found.digest is not None
    prefix = len(found.ref.prefix)
    text = wanted.text.partition(".")[0]
    where = section.locate(found.digest, wanted.path, text)
    if where is None:
        raise Refused(Reason.NO_SUCH_MESSAGE, "no such part")
    ours = text == "HEADER" and not wanted.path  # our trace fields are header too
    start = 0 if ours else where[0] + prefix
    return min(start, size), min(where[1] + prefix, size)


class Part:
    """`seam.Body`: a range of another."""

    dotless = False  # of the part nobody knows

    def __init__(self, body: Body, start: int, size: int) -> None:
        self._body, self._start, self.size = body, start, size

    def small(self, start: int, length: int) -> bytes | None:
        return self._body.small(self._start + start, min(length, max(self.size - start, 0)))

    def chunks(self, start: int, length: int) -> AsyncIterator[bytes]:
        return self._body.chunks(self._start + start, min(length, max(self.size - start, 0)))


class Text:
    """`seam.Body`: bytes at hand."""

    dotless = False

    def __init__(self, text: bytes) -> None:
        self._text, self.size = text, len(text)

    def small(self, start: int, length: int) -> bytes | None:
        return self._text[start : start + length]

    async def chunks(self, start: int, length: int) -> AsyncIterator[bytes]:
        for at in range(start, min(start + length, self.size), CHUNK):
            yield self._text[at : min(at + CHUNK, start + length)]
