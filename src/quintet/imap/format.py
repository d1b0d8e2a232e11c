"""How values are written to a client: strings, flags, dates, mailbox names (RFC 9051 4, 9).

Pure.  What a FETCH line is made of is in `render`; this holds the pieces that every answer uses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date

from quintet.imap import utf7

_ASTRING = re.compile(rb'[^\x00-\x20(){%*"\\\x7f-\xff]+')
_UNQUOTABLE = re.compile(rb"[\x00\r\n]")
_EIGHT_BIT = re.compile(rb"[\x80-\xff]")
_ESCAPE = re.compile(rb'(["\\])')
MAX_DAYS = 4096  # remembered: half a megabyte
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


_DAY = 86_400_000  # ms


class _Days(dict[int, bytes]):
    """A date as INTERNALDATE begins with it, by days since 1970.

    Days repeat, also where letters do not come in bursts.
    """

    def __missing__(self, day: int) -> bytes:
        if len(self) >= MAX_DAYS:
            self.clear()
        # a zone, or MAPI, may lead out of the years that can be written
        when = date.fromordinal(min(max(day + _EPOCH, 1), date.max.toordinal()))
        text = f'"{when.day:2d}-{_MONTHS[when.month - 1]}-{when.year:04d} '
        found = self[day] = text.encode("ascii")
        return found


_EPOCH = date(1970, 1, 1).toordinal()
_DAYS = _Days()
_MINUTES = tuple(b"%02d:%02d:" % divmod(minute, 60) for minute in range(24 * 60))
_SECONDS = tuple(b'%02d +0000"' % second for second in range(60))


def date_time(moment: int) -> bytes:
    """INTERNALDATE of UTC milliseconds, quoted: ``"17-Jul-1996 09:44:25 +0000"``."""
    return date_times((moment,))[0]


def date_times(moments: Sequence[int]) -> list[bytes]:
    """The same of many."""
    days, minutes, seconds = _DAYS, _MINUTES, _SECONDS
    return [
        days[moment // _DAY] + minutes[(second := moment % _DAY // 1000) // 60] + seconds[second % 60]
        for moment in moments
    ]


def text(words: str) -> bytes:
    """Text for people in an answer: one line of printable ASCII."""
    return re.sub(rb"[^\x20-\x7e]+", b" ", words.encode("ascii", "replace"))
