"""Header blocks and the parts they describe: the half of the scanner that looks inside headers.

``fields`` cuts a header block; ``OpenPart`` is a part while its end is not
known yet, and becomes a ``Part`` when it is closed (RFC 5322 2.2, RFC 2045).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from quintet.message import params
from quintet.message.digest import Fields, Message, Part

MAX_FIELDS = 10_000  # fields kept of one header block; what is beyond is in the blob only
MAX_BOUNDARY = 250  # bytes; RFC 2046 5.1.1 allows 70, some mailers write a little more

_FOLD = re.compile(rb"\r?\n(?=[ \t])")

# RFC 3501 7.4.2: the fields an ENVELOPE shows; all that is kept of an embedded message.
ENVELOPE_FIELDS = frozenset(
    (
        b"date",
        b"subject",
        b"from",
        b"sender",
        b"reply-to",
        b"to",
        b"cc",
        b"bcc",
        b"in-reply-to",
        b"message-id",
    )
)


def fields(block: bytes) -> list[tuple[bytes, bytes]]:
    """Cut a header block into (name as it came, value unfolded and stripped), at most MAX_FIELDS.

    Lines without a field name are left out. A CR that is no line end stays in its value.
    """
    whole = block
    if b"\n " in whole:
        whole = whole.replace(b"\r\n ", b" ")
    if b"\n\t" in whole:
        whole = whole.replace(b"\r\n\t", b"\t")
    lines = whole.split(b"\r\n")
    if whole.count(b"\n") != len(lines) - 1:  # some lines end in LF alone
        lines = _FOLD.sub(b"", block).split(b"\n")
    words = [line.partition(b":") for line in lines]
    found = [(name, value.strip()) for name, colon, value in words if colon and name]
    names = b"".join([name for name, _ in found])
    if b" " in names or b"\t" in names:
        # RFC 5322 4.5: obsolete blanks before the colon; blanks inside make it no field
        found = [(name.rstrip(b" \t"), value) for name, value in found]
        found = [(name, value) for name, value in found if name and b" " not in name and b"\t" not in name]
    return found[:MAX_FIELDS] if len(found) > MAX_FIELDS else found


def lowered(block: bytes) -> bytes | None:
    """A header block in which each field begins with ``\\n``, its name in lower case and ``:``.

    None for one whose fields must be looked at one by one: with blanks before a colon, or too many.
    """
    if b" :" in block or b"\t:" in block or block.count(b"\n") > MAX_FIELDS:
        return None
    return b"\n" + block.lower()


def picked(block: bytes, lowered: bytes, names: Sequence[bytes]) -> dict[bytes, bytes]:
    """What `fields` has first under each of ``names`` (lower case), of a block whose lines end with CRLF.

    Without looking at all others, which a letter has three times as many of.  ``lowered`` is `lowered`'s.
    """
    first = {}
    for name in names:
        at = lowered.find(b"\n%b:" % name)
        if at < 0:
            continue
        start = at + len(name) + 1
        end = block.find(b"\r\n", start)
        while block.startswith((b" ", b"\t"), end + 2):
            end = block.find(b"\r\n", end + 2)
        value = block[start:end]
        if b"\n" in value:
            value = value.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t")
        first[name] = value.strip()
    return first


content_type = lru_cache(maxsize=512)(params.content_type)
_disposition = lru_cache(maxsize=64)(params.disposition)


@lru_cache(maxsize=64)
def encoding_of(value: bytes) -> str:
    """The transfer encoding's word in lower case, comments and stray text dropped (RFC 2045 6.1)."""
    text = params.strip_comments(value).strip().strip(b'"').split(b";", 1)[0].split(None, 1)
    return text[0].decode("latin-1").lower() if text else "7bit"


class OpenPart:
    """A part whose end is not known yet."""

    __slots__ = (
        "body_start", "boundary", "children", "default", "envelope", "header_start", "kind", "lines_before",
        "lines_left", "shadowed", "values",
    )  # fmt: skip

    def __init__(self, header_start: int, default: tuple[str, str]) -> None:
        self.header_start = header_start
        self.body_start = header_start
        self.default = default  # type and subtype where the header names none
        self.kind: tuple[str, str, params.Pairs] = (*default, ())
        self.values: dict[bytes, bytes] = {}  # the first field of each name, names in lower case
        self.boundary: bytes | None = None  # of a multipart that is being taken apart
        self.shadowed: int | None = None  # level of an outer multipart with the same boundary
        self.children: list[Part] = []
        self.envelope: Fields | None = None  # of the message this part is the body of
        self.lines_before = 0  # line ends before body_start

    def read(self, found: list[tuple[bytes, bytes]]) -> None:
        """Take the content fields and work out the type."""
        self.values = values = {name.lower(): value for name, value in reversed(found)}
        if (written := values.get(b"content-type")) is not None:
            kind = content_type(written) if len(written) < 60 else params.content_type(written)
            # RFC 2045 5.2: what has no readable type is plain text
            self.kind = kind or ("text", "plain", ())

    def wanted_boundary(self) -> bytes | None:
        """The boundary of a multipart, if it has a usable one."""
        pairs = self.kind[2]
        value = next((raw for name, raw in pairs if name == b"boundary"), None)
        if value is None:  # RFC 2231 allows it in pieces and with a charset
            value = params.decode(pairs).get("boundary", "").encode("utf-8", "replace") if pairs else b""
        value = value.rstrip(b" \t")
        return value if 0 < len(value) <= MAX_BOUNDARY else None

    def close(self, end: int, lines: int) -> Part:
        """Make the part. ``lines``: line ends between body_start and ``end``."""
        values = self.values
        get = values.get
        disposition: tuple[str, params.Pairs] | None = None
        shown = get(b"content-disposition")
        if shown is not None:
            disposition = _disposition(shown) if len(shown) < 30 else params.disposition(shown)
        encoding = values.get(b"content-transfer-encoding")
        kind, subtype, pairs = self.kind
        children = tuple(self.children)
        message = None
        if kind == "message" and children:
            message = Message(self.envelope or (), children[0])
            children = ()
        return Part(
            kind,
            subtype,
            pairs,
            get(b"content-id"),
            get(b"content-description"),
            "7bit" if encoding is None else encoding_of(encoding),
            disposition[0] if disposition else None,
            disposition[1] if disposition else (),
            get(b"content-language"),
            get(b"content-location"),
            get(b"content-md5"),
            self.header_start,
            self.body_start,
            end,
            lines,
            children,
            message,
        )
