"""Header blocks and the parts they describe: the half of the scanner that looks inside headers.

``fields`` cuts a header block; ``OpenPart`` is a part while its end is not
known yet, and becomes a ``Part`` when it is closed (RFC 5322 2.2, RFC 2045).
"""

from __future__ import annotations

import re
from functools import lru_cache

from quintet.message import params
from quintet.message.digest import Fields, Message, Part

MAX_FIELDS = 10_000  # fields kept of one header block; what is beyond is in the blob only
MAX_BOUNDARY = 250  # bytes; RFC 2046 5.1.1 allows 70, some mailers write a little more

# One match per line, so that a line that is no field is stepped over whole.
_FIELD = re.compile(rb"(?:([^\x00-\x20:]+)[ \t]*:[ \t]*([^\r\n]*)|[^\n]*)\r?(?:\n|\Z)")
_FIELD_BARE_CR = re.compile(rb"(?:([^\x00-\x20:]+)[ \t]*:[ \t]*([^\n]*)|[^\n]*)(?:\n|\Z)")
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_NOTHING = (b"", b"")

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
    if b"\n " in block or b"\n\t" in block:
        if block.count(b"\r\n") == block.count(b"\n"):
            block = block.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t")
        else:
            block = _FOLD.sub(b"", block)
    if block.count(b"\r") == block.count(b"\r\n"):
        found: list[tuple[bytes, bytes]] = _FIELD.findall(block)
        strip = b" \r\n" in block or b"\t\r\n" in block or b" \n" in block or b"\t\n" in block
    else:
        found = _FIELD_BARE_CR.findall(block)
        strip = True
    if found and found[-1] == _NOTHING:
        found.pop()  # the empty match at the end
    if _NOTHING in found:
        found = [one for one in found if one != _NOTHING]
    if strip:
        found = [(name, value.rstrip(b" \t\r")) for name, value in found]
    return found[:MAX_FIELDS] if len(found) > MAX_FIELDS else found


_content_type = lru_cache(maxsize=512)(params.content_type)
_disposition = lru_cache(maxsize=64)(params.disposition)


@lru_cache(maxsize=64)
def _encoding(value: bytes) -> str:
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
        self.values: dict[bytes, bytes] = {}  # first field of each content-* name
        self.boundary: bytes | None = None  # of a multipart that is being taken apart
        self.shadowed: int | None = None  # level of an outer multipart with the same boundary
        self.children: list[Part] = []
        self.envelope: Fields | None = None  # of the message this part is the body of
        self.lines_before = 0  # line ends before body_start

    def read(self, found: list[tuple[bytes, bytes]]) -> None:
        """Take the content fields and work out the type."""
        values: dict[bytes, bytes] = {}
        for name, value in found:
            if name[:1] in b"Cc" and len(name) > 10:
                name = name.lower()
                if name.startswith(b"content-") and name not in values:
                    values[name] = value
        self.values = values
        value = values.get(b"content-type")
        if value is not None:
            kind = _content_type(value) if len(value) < 60 else params.content_type(value)
            # RFC 2045 5.2: what has no readable type is plain text
            self.kind = kind or ("text", "plain", ())

    def wanted_boundary(self) -> bytes | None:
        """The boundary of a multipart, if it has a usable one."""
        for name, value in self.kind[2]:
            if name == b"boundary":
                value = value.rstrip(b" \t")
                return value if 0 < len(value) <= MAX_BOUNDARY else None
        return None

    def close(self, end: int, lines: int) -> Part:
        """Make the part. ``lines``: line ends between body_start and ``end``."""
        values = self.values
        get = values.get
        disposition = None
        if (value := get(b"content-disposition")) is not None:
            disposition = _disposition(value) if len(value) < 30 else params.disposition(value)
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
            "7bit" if encoding is None else _encoding(encoding),
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
