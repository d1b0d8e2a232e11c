"""What header fields mean: the one door to words, dates, addresses and parameters.

Every function takes a field's raw value (folded or not) and never raises.
RFC 5322, 2047, 2231, 6532.
"""

from __future__ import annotations

import re

from quintet.message import params
from quintet.message.addresses import Address, Group, mailboxes, parse_addresses
from quintet.message.dates import format_date, parse_date, parse_news_date
from quintet.message.words import codec_name, decode_bytes, decode_words, encode_words, unfold

__all__ = [
    "Address",
    "Group",
    "codec_name",
    "decode_bytes",
    "decode_words",
    "encode_words",
    "format_date",
    "mailboxes",
    "msg_ids",
    "parse_addresses",
    "parse_date",
    "parse_news_date",
    "parse_params",
    "unfold",
]

MAX_IDS = 1000  # of one References field; RFC 5537 3.4.4 lets posters trim far below

_ID = re.compile(rb"<[ \t]*([^<>\x00-\x20]+(?:[ \t]+[^<>\x00-\x20]+)*)[ \t]*>")
_PLAIN_ID = re.compile(r"<[^<>\x00-\x20]+>")
_SPACE = re.compile(rb"[ \t]+")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_NEEDS_NO_QUOTES = re.compile(rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]+")
_ESCAPED = re.compile(rb"\\(.)")
_SPECIAL = re.compile(rb'(["\\])')
_MAX_QUOTED = 998  # bytes of an id whose quotes are looked at: a line of RFC 5322 2.1.1


def msg_ids(raw: bytes) -> list[str]:
    """Return the message ids of Message-ID, In-Reply-To or References, in order, at most MAX_IDS.

    Normalised for comparison as RFC 5256 section 3 asks (REFERENCES, step 1): angle brackets kept,
    white space taken out, ``<"a.b"@c>`` and ``<a."\\b"@c>`` are ``<a.b@c>``. Words between ids are ignored.
    """
    if raw.isascii() and b"\n" not in raw and b'"' not in raw:
        plain = _PLAIN_ID.findall(raw.decode("ascii"))
        if len(plain) == raw.count(b"<"):
            return plain[:MAX_IDS]
    found: list[str] = []
    for inner in _ID.findall(unfold(raw)):
        if b" " in inner or b"\t" in inner:
            inner = _SPACE.sub(b"", inner)
        if b'"' in inner and len(inner) <= _MAX_QUOTED:
            inner = _QUOTED.sub(_unquoted, inner)
        found.append("<" + decode_bytes(inner) + ">")
        if len(found) == MAX_IDS:
            break
    return found


def _unquoted(found: re.Match[bytes]) -> bytes:
    """A quoted string without its quotes, or, where it needs them, with as few backslashes as may be."""
    text = _ESCAPED.sub(rb"\1", found[1])
    return text if _NEEDS_NO_QUOTES.fullmatch(text) else b'"%b"' % _SPECIAL.sub(rb"\\\1", text)


def parse_params(raw: bytes) -> tuple[str, dict[str, str]]:
    """Return the leading value in lower case (``text/plain``, ``attachment``) and its parameters.

    Parameters are for people: lower-case names, RFC 2231 continuations joined,
    charsets decoded. An unreadable leading value is the empty string.
    """
    raw = unfold(raw)
    if found := params.content_type(raw):
        return f"{found[0]}/{found[1]}", params.decode(found[2])
    if word := params.disposition(raw):
        return word[0], params.decode(word[1])
    return "", params.decode(params.raw(raw))
