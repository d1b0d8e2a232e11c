"""Content: a body with everything that is derived from it, ready to be stored.

Made once, when the body arrives; a transaction only copies it into rows.  While many arrive, what only a
listing needs is left to be made later (`ondemand`).  What a scan means is the business of `quintet.message`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from quintet.message import headers, render, scan
from quintet.message import keys as message_keys
from quintet.message.digest import Digest
from quintet.message.keys import SortKeys

READY = 1  # version of the ready octets; another number in a row means: render again; 0: not rendered yet


class Ready(msgspec.Struct, frozen=True):
    """What listings send, and sort by."""

    envelope: bytes
    body: bytes
    bodystructure: bytes
    keys: SortKeys


class Content(msgspec.Struct, frozen=True):  # a dataclass that is frozen takes 3 us longer to make
    """One body, hashed and scanned; ``data`` when small, else ``path`` of its file."""

    sha256: bytes
    size: int  # bytes
    digest: Digest
    packed: bytes  # the digest as it is stored
    overview: bytes  # Subject to References, without number, size, lines, Xref
    message_id: str  # with its angle brackets, or ""
    sent_at: int | None  # UTC ms
    data: bytes | None
    path: Path | None
    has_dot_line: bool
    ready: Ready | None  # None: to be rendered later, see `ondemand`

    @property
    def lines(self) -> int:
        return self.digest.lines


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
    data: bytes, header_end: int, fields: Mapping[bytes, bytes], message_id: str, sent_at: int | None
) -> Raw:
    """Of ``data``, whose header has these ``fields`` (first of each name in lower case) and ends there."""
    lines = data.count(b"\n", header_end) + (len(data) > header_end and not data.endswith(b"\n"))
    return Raw(
        len(data),
        lines,
        b"\n." in data or data.startswith(b"."),
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
    digest, sha256 = scan.scan(data), hashlib.sha256(data).digest()
    return unrendered(digest, sha256, data) if late else of_digest(digest, sha256, data, None)


def of_digest(digest: Digest, sha256: bytes, data: bytes | None, path: Path | None) -> Content:
    """Renders what was scanned."""
    made, keys = render.everything(digest), message_keys.sort_keys(digest)
    return Content(
        sha256,
        digest.size,
        digest,
        digest.to_bytes(),
        made.overview,
        keys.message_id or "",
        keys.sent_at,
        data,
        path,
        digest.has_dot_line,
        Ready(made.envelope, made.body, made.bodystructure, keys),
    )


def unrendered(digest: Digest, sha256: bytes, data: bytes) -> Content:
    """What was scanned, with what is looked up and sorted by before it is rendered."""
    first = render.first_fields(digest.headers)
    ids, date = headers.msg_ids(first.get(b"message-id", b"")), first.get(b"date")
    return Content(
        sha256,
        digest.size,
        digest,
        digest.to_bytes(),
        render.overview_line(first),
        ids[0] if ids else "",
        headers.parse_date(date) if date else None,
        data,
        None,
        digest.has_dot_line,
        None,
    )
