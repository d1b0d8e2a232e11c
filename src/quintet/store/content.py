"""Content: a body with everything that is derived from it, ready to be stored.

Made once, when the body arrives; a transaction only copies it into rows.  While many arrive, what only a
listing needs is left to be made later (`ondemand`), and a letter in which nothing is unusual is not even
scanned (`skimmed`).  What a scan means is the business of `quintet.message`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from quintet.message import entity, headers, render, scan
from quintet.message import keys as message_keys
from quintet.message.digest import Digest, Fields
from quintet.message.keys import SortKeys

READY = 1  # version of the ready octets; another number in a row means: render again; 0: not rendered yet


class Ready(msgspec.Struct, frozen=True):
    """What listings send, and sort by."""

    envelope: bytes
    body: bytes
    bodystructure: bytes
    keys: SortKeys


class Content(msgspec.Struct):  # a dataclass takes 3 us longer to make
    """One body; ``data`` when small, else ``path`` of its file.  Digest and hash are made when asked for."""

    size: int  # bytes
    lines: int
    fields: Fields | None  # see `headers`
    header_end: int
    overview: bytes  # Subject to References, without number, size, lines, Xref
    message_id: str  # with its angle brackets, or ""
    sent_at: int | None  # UTC ms
    data: bytes | None
    path: Path | None
    has_dot_line: bool
    ready: Ready | None = None  # None: to be rendered later, see `ondemand`
    lowered: bytes | None = None  # its header, as `entity.lowered` gives it
    scanned: Digest | None = None  # None: nothing is in it that anybody refuses, see `skimmed`
    hashed: bytes | None = None

    @property
    def headers(self) -> Fields:
        """All header fields, as they came."""
        found = self.fields
        if found is None:
            assert self.data is not None
            found = self.fields = tuple(entity.fields(self.data[: self.header_end - 2]))
        return found

    def count(self, name: bytes) -> int:
        """How many header fields have that name, which is in lower case."""
        if self.fields is None and self.lowered is not None:
            return self.lowered.count(b"\n%b:" % name)
        return sum([len(own) == len(name) and own.lower() == name for own, _ in self.headers])

    def has_more_fields(self, limit: int) -> bool:
        if self.fields is None and self.lowered is not None and self.lowered.count(b"\n") <= limit:
            return False  # no more fields than lines
        return len(self.headers) > limit

    @property
    def digest(self) -> Digest:
        found = self.scanned
        if found is None:
            assert self.data is not None
            found = self.scanned = scan.scan(self.data)
        return found

    @property
    def sha256(self) -> bytes:
        found = self.hashed
        if found is None:
            assert self.data is not None
            found = self.hashed = hashlib.sha256(self.data).digest()
        return found


class Raw(msgspec.Struct, frozen=True):
    """A small body that is filed as it came, with its overview alone: see `ondemand`."""

    size: int  # bytes
    lines: int
    has_dot_line: bool
    overview: bytes  # as in `Content`
    message_id: str
    sent_at: int | None
    data: bytes

    @property
    def digest(self) -> Digest:
        """Scanned anew each time."""
        return scan.scan(self.data)


def raw(
    data: bytes, header_end: int, fields: Mapping[bytes, bytes], message_id: str, sent_at: int | None,
    *, dotless: bool = False,
) -> Raw:  # fmt: skip
    """Of ``data``, whose header has these ``fields`` (first of each name in lower case) and ends there.

    ``dotless``: surely no line begins with a dot.
    """
    lines = data.count(b"\n", header_end) + (len(data) > header_end and not data.endswith(b"\n"))
    return Raw(
        len(data),
        lines,
        not dotless and (b"\n." in data or data.startswith(b".")),
        render.overview_of(fields),
        message_id,
        sent_at,
        data,
    )


def content_of(data: bytes, *, late: bool = False) -> Content:
    """The content of bytes that are at hand; ``late`` leaves rendering to `ondemand`.

    For bodies of any size; one beyond 64 KiB goes into the row all the same, so large ones
    should arrive through a `Spool`.
    """
    if late:
        return skimmed(data) or unrendered(data)
    return of_digest(scan.scan(data), hashlib.sha256(data).digest(), data, None)


def of_digest(digest: Digest, sha256: bytes, data: bytes | None, path: Path | None) -> Content:
    """Renders what was scanned."""
    made, keys = render.everything(digest), message_keys.sort_keys(digest)
    return Content(
        digest.size,
        digest.lines,
        digest.headers,
        digest.header_end,
        made.overview,
        keys.message_id or "",
        keys.sent_at,
        data,
        path,
        digest.has_dot_line,
        Ready(made.envelope, made.body, made.bodystructure, keys),
        None,
        digest,
        sha256,
    )


def unrendered(data: bytes) -> Content:
    """What was scanned, with what is looked up and sorted by before it is rendered."""
    digest = scan.scan(data)
    first = render.first_fields(digest.headers)
    found = _looked_up(first, digest.header_end, digest.lines, data, digest.has_dot_line)
    found.fields, found.scanned = digest.headers, digest
    return found


def skimmed(data: bytes) -> Content | None:
    """The same without a scan, of a letter of which it would tell nothing unusual; else None.

    Its lines all end with CRLF and are not too long, and there is no NUL: what is refused, in a header that
    is not too large, is not there.
    """
    header_end = data.find(b"\r\n\r\n") + 4
    ends = data.count(b"\n")
    if (
        header_end < 6
        or data.startswith(b"\r\n")
        or not data.endswith(b"\n")
        or not ends == data.count(b"\r") == data.count(b"\r\n")
        or b"\0" in data
        or header_end > scan.MAX_HEADER_BLOCK
    ):
        return None
    at = len(data)
    while at > scan.LONG_LINE + 2:  # from the end: each step passes over as many lines as are short enough
        start = data.find(b"\n", at - scan.LONG_LINE - 3, at - 1) + 1
        if not start:
            return None
        at = start
    block = data[: header_end - 2]
    lines = ends - block.count(b"\n") - 1
    dotted = b"\r\n." in data or data.startswith(b".")
    lowered = entity.lowered(block)
    if lowered is None:
        cut = tuple(entity.fields(block))
        found = _looked_up(render.first_fields(cut), header_end, lines, data, dotted)
        found.fields = cut
    else:
        first = entity.picked(block, lowered, render.OVERVIEW_FIELDS)
        found = _looked_up(first, header_end, lines, data, dotted)
        found.lowered = lowered
    return found


def _looked_up(first: dict[bytes, bytes], header_end: int, lines: int, data: bytes, dotted: bool) -> Content:
    """``first`` of at least `render.OVERVIEW_FIELDS`."""
    ids, date = headers.msg_ids(first.get(b"message-id", b"")), first.get(b"date")
    return Content(
        len(data),
        lines,
        None,
        header_end,
        render.overview_line(first),
        ids[0] if ids else "",
        headers.parse_date(date) if date else None,
        data,
        None,
        dotted,
    )
