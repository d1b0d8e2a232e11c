"""The cursor that reads one framed command: atoms, strings, numbers, lists (RFC 9051 9).

Pure.  A frame is the bytes of the command with its short literals in place (``{3}`` CRLF and three
octets); `wire` made sure that they are all there.  `grammar` and its siblings build commands.
"""

from __future__ import annotations

import re
from datetime import date as Date  # noqa: N812 (a type's name beside functions called date)
from itertools import pairwise

from quintet.errors import BadSyntax
from quintet.imap import sets

_ATOM = re.compile(rb'[^\x00-\x20(){%*"\\\]\x7f-\xff]+')
_ASTRING = re.compile(rb'[^\x00-\x20(){%*"\\\x7f-\xff]+')
_LIST_ATOM = re.compile(rb'[^\x00-\x20(){"\\\x7f]+')  # wildcards, and (leniently) UTF-8
_TAG = re.compile(rb'[^\x00-\x20(){%*"\\+\x7f-\xff]+')
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\x00]|\\["\\])*)"')
_LITERAL = re.compile(rb"(~?)\{([0-9]{1,19})\+?\}\r\n")
_NUMBER = re.compile(rb"[0-9]{1,19}")
_FLAG = re.compile(rb'\\?[^\x00-\x20(){%*"\\\]\x7f-\xff]+')
_SET = re.compile(rb"[0-9:*,]+|\$")
_DATE = re.compile(rb"([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})")
_DATE_TIME = re.compile(
    rb'"([ 0-9][0-9])-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"'
)
_ESCAPE = re.compile(rb'\\(["\\])')
MONTHS = (b"JAN", b"FEB", b"MAR", b"APR", b"MAY", b"JUN", b"JUL", b"AUG", b"SEP", b"OCT", b"NOV", b"DEC")
MAX_NUMBER64 = (1 << 63) - 1


class Cursor:
    """A position in a frame.  Each method takes one token and moves past it, or raises BadSyntax."""

    __slots__ = ("data", "position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data = data
        self.position = position

    # --- single octets ------------------------------------------------------------------------

    def space(self) -> None:
        """One SP; runs of them are forgiven, as every server does."""
        data, position = self.data, self.position
        if data[position : position + 1] != b" ":
            raise BadSyntax("expected a space" if position < len(data) else "missing argument")
        while data[position : position + 1] == b" ":
            position += 1
        self.position = position

    def accept(self, text: bytes) -> bool:
        """Moves past ``text`` if it comes next."""
        if self.data.startswith(text, self.position):
            self.position += len(text)
            if text == b"(" and self.peek() == b" ":
                self.space()
            return True
        # aioimaplib and hand-written scripts put blanks inside of parentheses, where they can mean nothing
        if text == b")" and self.peek() == b" ":
            position = self.position
            self.space()
            if self.peek() == b")":
                self.position += 1
                return True
            self.position = position
        return False

    def expect(self, text: bytes) -> None:
        if not self.accept(text):
            raise BadSyntax(f"expected {text.decode('ascii')!r}")

    def peek(self) -> bytes:
        """The next octet, or b"" at the end."""
        return self.data[self.position : self.position + 1]

    def end(self) -> None:
        """Nothing but blanks may remain."""
        if self.data[self.position :].strip(b" "):
            raise BadSyntax("unexpected argument")

    def at_end(self) -> bool:
        return self.position >= len(self.data)

    # --- words ----------------------------------------------------------------------------------

    def tag(self) -> bytes:
        return self._match(_TAG, "expected a tag")

    def atom(self) -> bytes:
        return self._match(_ATOM, "expected an atom")

    def word(self) -> bytes:
        """An atom in upper case."""
        return self._match(_ATOM, "expected a word").upper()

    def number(self) -> int:
        """An unsigned 32-bit number."""
        value = int(self._match(_NUMBER, "expected a number"))
        if value > sets.MAX_NUMBER:
            raise BadSyntax("number of more than 32 bits")
        return value

    def number64(self) -> int:
        """An unsigned 63-bit number."""
        value = int(self._match(_NUMBER, "expected a number"))
        if value > MAX_NUMBER64:
            raise BadSyntax("number of more than 63 bits")
        return value

    def sequence_set(self) -> sets.NumberSet:
        return sets.parse(self._match(_SET, "expected a sequence set"))

    def plain_set(self, *, ascending: bool = False) -> sets.NumberSet:
        """Numbers that a client remembers: neither ``*`` nor ``$`` (RFC 7162 7)."""
        found = self.sequence_set()
        if found.saved or any(sets.STAR in pair for pair in found.ranges):
            raise BadSyntax("expected numbers")
        ends = [number for pair in found.ranges for number in dict.fromkeys(pair)]
        if ascending and any(one >= other for one, other in pairwise(ends)):
            raise BadSyntax("expected numbers in ascending order")  # RFC 7162 3.2.5.2
        return found

    # --- strings --------------------------------------------------------------------------------

    def string(self) -> bytes:
        """Quoted or literal."""
        if self.peek() == b'"':
            found = _QUOTED.match(self.data, self.position)
            if found is None:
                raise BadSyntax("quoted string without end, or with a character that needs a literal")
            self.position = found.end()
            text = found[1]
            if not text.isascii():
                _check_utf8(text)
            return _ESCAPE.sub(rb"\1", text) if b"\\" in text else text
        found = _LITERAL.match(self.data, self.position)
        if found is None:
            raise BadSyntax("expected a string")
        start, size = found.end(), int(found[2])
        text = self.data[start : start + size]
        if len(text) < size:
            raise BadSyntax("literal is cut short")
        if not found[1] and b"\0" in text:
            raise BadSyntax("NUL in a literal")  # RFC 9051 4.3: only a literal8 may hold it
        self.position = start + size
        return text

    def astring(self) -> bytes:
        found = _ASTRING.match(self.data, self.position)
        if found is None:
            return self.string()
        self.position = found.end()
        return found[0]

    def nstring(self) -> bytes | None:
        if self.peek() in (b'"', b"{", b"~"):
            return self.string()
        if self.atom().upper() != b"NIL":
            raise BadSyntax("expected a string or NIL")
        return None

    def list_mailbox(self) -> bytes:
        """A mailbox name with wildcards."""
        found = _LIST_ATOM.match(self.data, self.position)
        if found is None:
            return self.string()
        self.position = found.end()
        return found[0]

    # --- composed ---------------------------------------------------------------------------------

    def flag(self) -> bytes:
        return self._match(_FLAG, "expected a flag")

    def flags(self) -> tuple[bytes, ...]:
        """``(\\Seen $Work)``; may be empty."""
        self.expect(b"(")
        found: list[bytes] = []
        while not self.accept(b")"):
            if found:
                self.space()
            found.append(self.flag())
        return tuple(found)

    def date(self) -> Date:
        """``1-Feb-1994``, quoted or not."""
        quoted = self.accept(b'"')
        found = _DATE.match(self.data, self.position)
        if found is None:
            raise BadSyntax("expected a date like 1-Feb-1994")
        self.position = found.end()
        if quoted:
            self.expect(b'"')
        return _date(found[1], found[2], found[3])

    def date_time(self) -> int:
        """``"17-Jul-1996 02:44:25 -0700"`` in UTC milliseconds since 1970."""
        found = _DATE_TIME.match(self.data, self.position)
        if found is None:
            raise BadSyntax('expected a date-time like "17-Jul-1996 02:44:25 -0700"')
        day, month, year, hours, minutes, seconds, sign, zone_hours, zone_minutes = found.groups()
        clock = int(hours), int(minutes), int(seconds)
        if clock[0] > 23 or clock[1] > 59 or clock[2] > 60 or int(zone_minutes) > 59:
            raise BadSyntax("no such time of day")
        self.position = found.end()
        zone = (int(zone_hours) * 60 + int(zone_minutes)) * (-1 if sign == b"-" else 1)
        days = _date(day.strip(), month, year).toordinal() - _EPOCH
        return (((days * 24 + clock[0]) * 60 + clock[1] - zone) * 60 + clock[2]) * 1000

    def _match(self, pattern: re.Pattern[bytes], complaint: str) -> bytes:
        found = pattern.match(self.data, self.position)
        if found is None:
            raise BadSyntax(complaint if self.position < len(self.data) else "missing argument")
        self.position = found.end()
        return found[0]


def is_tag(text: bytes) -> bool:
    return _TAG.fullmatch(text) is not None


def _check_utf8(text: bytes) -> None:
    """RFC 6855 3: what stands in quotes is UTF-8 or nothing."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadSyntax("string is not UTF-8") from error


_EPOCH = Date(1970, 1, 1).toordinal()


def _date(day: bytes, month: bytes, year: bytes) -> Date:
    try:
        return Date(int(year), MONTHS.index(month.upper()) + 1, int(day))
    except ValueError as error:
        raise BadSyntax("no such date") from error
