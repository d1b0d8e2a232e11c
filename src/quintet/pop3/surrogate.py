"""A message whose header needs UTF-8, for a client that did not ask for it (RFC 6856 2.1).

Only the header is made ASCII, after RFC 6858: words become encoded words (RFC 2047), an address that
cannot be written in ASCII becomes an empty group named after it.  The body goes as it is.  Pure.
"""

from __future__ import annotations

import base64
import re

ENCODED = 45  # bytes of text in one encoded word: 60 of base64 and 12 around are within RFC 2047 2's 75
_ADDRESS = re.compile(rb"<([^<>\r\n]*[\x80-\xff][^<>\r\n]*)>")
_RUN = re.compile(
    rb"[^\s<>(),;:\"]*[\x80-\xff][^\s<>(),;:\"]*(?:[ \t]+[^\s<>(),;:\"]*[\x80-\xff][^\s<>(),;:\"]*)*"
)
_QUOTED = re.compile(rb'"((?:[^"\\\r\n]|\\[^\r\n])*[\x80-\xff](?:[^"\\\r\n]|\\[^\r\n])*)"')
ADDRESS_FIELDS = frozenset(
    b"from to cc bcc sender reply-to return-path delivered-to resent-from resent-to resent-cc resent-bcc"
    b" resent-sender disposition-notification-to".split()
)


def split(data: bytes) -> int:
    """Bytes of the header with its empty line; all of it when there is none."""
    if data.startswith(b"\r\n"):
        return 2
    end = data.find(b"\r\n\r\n")
    return len(data) if end < 0 else end + 4


def header(raw: bytes) -> bytes:
    """The header in ASCII, line ends as they were."""
    if raw.isascii():
        return raw
    return b"".join(
        line if line.isascii() else _field(line)
        for line in re.findall(rb".*?\r\n(?![ \t])|.+\Z", raw, re.DOTALL)
    )


def _field(field: bytes) -> bytes:
    name, colon, value = field.partition(b":")
    if not name.isascii() or not colon:
        return name.decode("utf-8", "replace").encode("ascii", "replace") + colon + _words(value)
    if name.strip().lower() in ADDRESS_FIELDS:
        value = _QUOTED.sub(lambda found: _encoded(re.sub(rb"\\(.)", rb"\1", found[1])), value)
        value = _ADDRESS.sub(_empty_group, value)
    return name + colon + _words(value)


def _empty_group(found: re.Match[bytes]) -> bytes:
    return _encoded(b"<" + found[1] + b">") + b" :;"


def _words(value: bytes) -> bytes:
    return _RUN.sub(lambda found: _encoded(found[0]), value)


def _encoded(text: bytes) -> bytes:
    try:
        words, charset = text.decode("utf-8"), b"UTF-8"
    except UnicodeDecodeError:
        words, charset = text.decode("latin-1"), b"UNKNOWN-8BIT"  # RFC 1428
    codec = "utf-8" if charset == b"UTF-8" else "latin-1"
    pieces, piece = [], b""
    for char in words:
        raw = char.encode(codec)
        if len(piece) + len(raw) > ENCODED:
            pieces.append(piece)
            piece = b""
        piece += raw
    pieces.append(piece)
    return b"\r\n ".join(b"=?" + charset + b"?B?" + base64.b64encode(each) + b"?=" for each in pieces)
