"""How values are written to a client: strings, flags, dates, mailbox names (RFC 9051 4, 9).

Pure.  What a FETCH line is made of is in `render`; this holds the pieces that every answer uses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from quintet.imap import utf7

_ASTRING = re.compile(rb'[^\x00-\x20(){%*"\\\x7f-\xff]+')
_UNQUOTABLE = re.compile(rb"[\x00\r\n]")
_EIGHT_BIT = re.compile(rb"[\x80-\xff]")
_ESCAPE = re.compile(rb'(["\\])')
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MAX_QUOTED = 1024  # octets; a longer string travels as a literal, which no client has to scan

# The five system flags by the store's bits (RFC 9051 2.3.2), in the order that we write them.
SYSTEM_FLAGS = ((1, b"\\Seen"), (2, b"\\Answered"), (4, b"\\Flagged"), (8, b"\\Deleted"), (16, b"\\Draft"))
FLAG_BITS = {name.upper(): bit for bit, name in SYSTEM_FLAGS}
FLAG_TEXT = tuple(
    b" ".join(name for bit, name in SYSTEM_FLAGS if flags & bit) for flags in range(32)
)  # ready for each bit mask
RECENT = b"\\Recent"


def string(value: bytes, *, utf8: bool = False) -> bytes:
    """A quoted string where the octets allow it, else a literal.

    ``utf8`` is true once the client may be sent UTF-8 in quoted strings (RFC 9051 4.3, RFC 6855 3).
    """
    if len(value) > MAX_QUOTED or _UNQUOTABLE.search(value) or (not utf8 and _EIGHT_BIT.search(value)):
        return b"{%d}\r\n%b" % (len(value), value)
    return b'"%b"' % _ESCAPE.sub(rb"\\\1", value)


def nstring(value: bytes | None, *, utf8: bool = False) -> bytes:
    return b"NIL" if value is None else string(value, utf8=utf8)


def octets(value: bytes | None, *, utf8: bool = False) -> bytes:
    """A string of any octets, or NIL: a literal8 where it holds NUL (RFC 4466 6, RFC 9051 9)."""
    if value is not None and b"\0" in value:
        return b"~{%d}\r\n%b" % (len(value), value)
    return nstring(value, utf8=utf8 and value is not None and _is_utf8(value))


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def astring(value: bytes, *, utf8: bool = False) -> bytes:
    """As an atom where possible: what old clients parse best."""
    if _ASTRING.fullmatch(value) and value.upper() != b"NIL":
        return value
    return string(value, utf8=utf8)


def mailbox(name: str, *, utf8: bool) -> bytes:
    """A mailbox name as this client reads it: UTF-8, or modified UTF-7 (RFC 3501 5.1.3)."""
    return astring(name.encode("utf-8"), utf8=True) if utf8 else astring(utf7.encode(name))


def normalized(raw: bytes, name: str, attributes: bytes = b"") -> bytes:
    """Tells a client of IMAP4rev2 that its ``raw`` means ``name`` (RFC 9051 6.3.9.7); b"" if it knows."""
    told = name.encode("utf-8")
    if raw.removesuffix(b"/") == told:
        return b""
    return b'* LIST (%b) "/" %b ("OLDNAME" (%b))\r\n' % (
        attributes,
        astring(told, utf8=True),
        astring(raw, utf8=True),
    )


def flags(bits: int, keywords: Iterable[str] = (), *, recent: bool = False) -> bytes:
    """``\\Seen $Work`` without the parentheses."""
    text = FLAG_TEXT[bits & 31]
    words = [word.encode("ascii", "replace") for word in keywords]
    if text:
        words.insert(0, text)
    if recent:
        words.append(RECENT)
    return b" ".join(words)


@lru_cache(maxsize=4096)
def _minute(minutes: int) -> bytes:
    """What stands before the seconds; letters come in bursts, so minutes repeat."""
    moment = datetime.fromtimestamp(minutes * 60, UTC)
    text = f'"{moment.day:2d}-{_MONTHS[moment.month - 1]}-{moment.year:04d} {moment:%H:%M}:'
    return text.encode("ascii")


_SECONDS = tuple(b'%02d +0000"' % second for second in range(60))
_EARLIEST = -62135596800_000  # ms: year 1
_LATEST = 253402300799_000  # ms: year 9999


def date_time(moment: int) -> bytes:
    """INTERNALDATE of UTC milliseconds, quoted: ``"17-Jul-1996 09:44:25 +0000"``."""
    seconds = min(max(moment, _EARLIEST), _LATEST) // 1000
    return _minute(seconds // 60) + _SECONDS[seconds % 60]


def date_times(moments: Sequence[int]) -> list[bytes]:
    """The same of many."""
    if min(moments) < _EARLIEST or max(moments) > _LATEST:
        return [date_time(moment) for moment in moments]
    minute, rest = _minute, _SECONDS
    return [minute(moment // 60_000) + rest[moment // 1000 % 60] for moment in moments]


def text(words: str) -> bytes:
    """Text for people in an answer: one line of printable ASCII."""
    return re.sub(rb"[^\x20-\x7e]+", b" ", words.encode("ascii", "replace"))
