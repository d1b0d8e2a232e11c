"""What a news client can ask: every command as a value, and the grammar of their arguments.

Pure.  `parse` turns one line into a `Command`; when a command may be given is the session's business.
Syntax: RFC 3977 section 9.2; authentication RFC 4643; TLS RFC 4642; older commands RFC 2980.
"""

from __future__ import annotations

import datetime
import re

from quintet.errors import BadSyntax, Reason
from quintet.values import dataclass

MAX_LINE = 512  # octets with CRLF. RFC 3977 3.1; AUTHINFO SASL lines may be longer (RFC 4643 2.4.2)
# of these more is taken: what SASL says, and ids that are too long, which peers understand as refused by 435,
# 438 and 439 alone; behind TAKETHIS an article follows in any case (RFC 4644 2.5.2)
LONGER = frozenset(("AUTHINFO", "CHECK", "IHAVE", "TAKETHIS"))
MAX_SASL_LINE = 12 * 1024  # octets: the longest initial response or answer that RFC 4643 3.1 allows
MAX_MESSAGE_ID = 250  # octets. RFC 3977 3.6

_RANGE = re.compile(r"(?=[\d-])(\d{1,16})?(?:(-)(\d{1,16})?)?\Z", re.ASCII)
_NUMBER = re.compile(r"\d{1,16}\Z", re.ASCII)
_DATE = re.compile(r"(\d{2}|\d{4})(\d\d)(\d\d)\Z", re.ASCII)
_TIME = re.compile(r"(\d\d)(\d\d)([0-5]\d|60)\Z", re.ASCII)
_SPACES = re.compile(r"[ \t]+")
_MESSAGE_ID = re.compile(r"<[!-=?-~]{1,248}>\Z")  # RFC 3977 9.8, without ">" inside


@dataclass(frozen=True, slots=True)
class Command:
    """A keyword in capitals and its arguments, as they came."""

    name: str
    args: tuple[str, ...] = ()
    rest: str = ""  # all after the keyword, unsplit, for those that take free text


# as they are written, where nothing follows
_ALONE = {name.encode(): Command(name) for name in ("DATE", "LAST", "NEXT", "POST", "QUIT", "STAT")}


@dataclass(frozen=True, slots=True)
class Range:
    """Article numbers; ``high`` None means up to the last one."""

    low: int
    high: int | None

    def upto(self, last: int) -> int:
        """The last number of the range when the group ends at ``last``."""
        return last if self.high is None else min(self.high, last)


def parse(line: bytes) -> Command:
    """One command line without its end.

    Raises:
        BadSyntax: not UTF-8 (RFC 3977 3.1), a NUL or CR, or longer than 512 octets.
        BadSyntax(UNKNOWN_COMMAND): an empty line.
    """
    if (alone := _ALONE.get(line)) is not None:
        return alone
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadSyntax("command is not UTF-8") from error
    if "\0" in text or "\r" in text:
        raise BadSyntax("control character in command")
    text = text.strip(" \t")
    words = _SPACES.split(text)
    if not text:
        raise BadSyntax("empty command", Reason.UNKNOWN_COMMAND)
    name = words[0].upper()
    rest = text[len(words[0]) :].lstrip(" \t")
    if len(line) > MAX_LINE - 2 and name not in LONGER:
        raise BadSyntax(f"command longer than {MAX_LINE} octets", Reason.TOO_LONG)
    return Command(name, tuple(words[1:]), rest)


def number_range(text: str) -> Range:
    """``n``, ``n-`` or ``n-m`` (RFC 3977 6.1.2.2, 8.3.2); a reversed one is valid and empty.

    Deviates: ``-m`` and ``-`` begin with the first article, as in INN; RFC 3977 9.8 has no such ranges.
    Raises BadSyntax for anything else, and for numbers of more than sixteen digits (RFC 3977 9.8).
    """
    match = _RANGE.match(text)
    if not match:
        raise BadSyntax("not a range of article numbers")
    low = int(match[1] or 1)
    if not match[2]:
        return Range(low, low)
    return Range(low, int(match[3]) if match[3] else None)


def number(text: str) -> int:
    """One article number, 1 to 16 digits (RFC 3977 9.8).  Raises BadSyntax."""
    if not _NUMBER.match(text):
        raise BadSyntax("not an article number")
    return int(text)


def date_time(date: str, time: str, zone: str, this_year: int) -> int:
    """The moment that ``[yy]yymmdd hhmmss [GMT]`` names, in UTC ms (RFC 3977 7.3.2).

    Without "GMT" it is in the server's own zone; ours is UTC.  Two digits of a year mean the last such
    year that is not in the future (``this_year``).

    Raises BadSyntax.
    """
    match = _DATE.match(date)
    clock = _TIME.match(time)
    if not match or not clock or zone.upper() not in ("", "GMT", "UTC"):  # pynntp says UTC
        raise BadSyntax("not a date and time")
    year = int(match[1])
    if len(match[1]) == 2:
        year += this_year // 100 * 100
        if year > this_year:
            year -= 100
    try:
        at = datetime.datetime(
            year,
            int(match[2]),
            int(match[3]),
            int(clock[1]),
            int(clock[2]),
            min(int(clock[3]), 59),  # 60 is a leap second
            tzinfo=datetime.UTC,
        )
    except ValueError:
        raise BadSyntax("no such date and time") from None
    return int(at.timestamp()) * 1000


def is_message_id(text: str) -> bool:
    """``<...>`` of at most 250 octets (RFC 3977 3.6, 9.8)."""
    return len(text) <= MAX_MESSAGE_ID and _MESSAGE_ID.match(text) is not None
