"""Dates of header fields: RFC 5322 3.3 with the obsolete forms of 4.3, to and from UTC milliseconds."""

from __future__ import annotations

import functools
import re

from quintet.message import params

_FAST = re.compile(
    rb"(?:[A-Za-z]{3}, )?(\d{1,2} [A-Z][a-z]{2} \d{4}) ([01]\d|2[0-3]):([0-5]\d):([0-5]\d)"
    rb" ([+-](?:[01]\d|2[0-3])[0-5]\d)(?: \([^()\\]*\))?[ ]*"
)
_LOOSE = re.compile(
    rb"(?:[A-Za-z]{2,10}\.?[,\s]\s*)?(\d{1,2})[\s-]+([A-Za-z]{3})[A-Za-z]{0,6}\.?[\s,-]+(\d{2,4})"
    rb"(?:[\s,]+(\d{1,2})\s*[:.]\s*(\d\d)(?:\s*[:.]\s*(\d\d)(?:[.,]\d+)?)?)?\s*([AaPp][Mm]\b)?\s*([+-]\s?\d{1,4}|[A-Za-z]{1,5})?"
)
_NEWS = re.compile(
    rb"\s*(?:[A-Za-z]+\.?,?\s*)?\d{1,2}\s+[A-Za-z]+\.?\s+\d{2,}\s+(\d\d?)\s*:\s*(\d\d?)(?>(?:\s*:\s*(\d\d?))?)(?!\s*[+-]\s|\d)"
)
# ctime(3), as old news software and some libraries write: Thu Feb 13 23:32:54 1997
_CTIME = re.compile(
    rb"(?:[A-Za-z]{3,9},?\s+)?([A-Za-z]{3})[a-z]*\s+(\d{1,2}),?\s+(\d\d?):(\d\d)(?::(\d\d))?\s+(?:([A-Z]{3,4})\s+)?(\d{4})"
)
_ISO = re.compile(rb"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d))?(?:\.\d+)?\s*(Z|[+-]\d\d:?\d\d)?")

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
_MONTHS_AS_WRITTEN = {name.capitalize(): number for name, number in _MONTHS.items()}
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

# Minutes east of UTC. RFC 5322 4.3; military letters and unknown names count as UTC there.
_ZONES = {
    b"EST": -300, b"EDT": -240, b"CST": -360, b"CDT": -300,
    b"MST": -420, b"MDT": -360, b"PST": -480, b"PDT": -420,
    # Beyond the RFC, in use and unambiguous:
    b"BST": 60, b"CET": 60, b"CEST": 120, b"MET": 60, b"MEST": 120, b"EET": 120, b"EEST": 180, b"MSK": 180,
    b"JST": 540, b"KST": 540, b"AEST": 600, b"AEDT": 660,
}  # fmt: skip


def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 in the proleptic Gregorian calendar."""
    if month <= 2:
        year -= 1
        month += 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719469


def _stamp(year: int, month: int, day: int, time: tuple[int, int, int], zone: int) -> int | None:
    """Milliseconds, or None where the calendar has no such day."""
    if not 1 <= day <= _MONTH_DAYS[month - 1] or not 1900 <= year <= 9999:
        return None
    hour, minute, second = time
    if hour > 23 or minute > 59 or second > 60:
        hour = minute = second = 0  # RFC 5256 2.2: an invalid time is 00:00:00
    return ((_days(year, month, day) * 1440 + hour * 60 + minute - zone) * 60 + second) * 1000


@functools.lru_cache(maxsize=256)
def _zone(raw: bytes | None) -> int:
    """Minutes east of UTC; what is invalid is UTC (RFC 5256 2.2)."""
    if not raw:
        return 0
    if raw[:1] in b"+-":
        digits = raw[1:].strip().replace(b":", b"").rjust(4, b"0")
        hours, minutes = int(digits[:2]), int(digits[2:])
        if minutes > 59 or hours > 23:
            return 0
        return (hours * 60 + minutes) * (-1 if raw[:1] == b"-" else 1)
    return _ZONES.get(raw.upper(), 0)


def _year(raw: bytes) -> int:
    """RFC 5322 4.3: two digits 00-49 are 2000-2049, other two or three digits count from 1900."""
    year = int(raw)
    if len(raw) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(raw) == 3 else year


def parse_date(raw: bytes) -> int | None:
    """Return a Date field's value as UTC milliseconds, or None where no date can be read.

    Invalid zones count as UTC and an invalid time as 00:00:00 (RFC 5256 2.2).
    """
    at = _parse_fast(raw)
    return _parse_loose(raw) if at is None else at


def parse_news_date(raw: bytes) -> int | None:
    """The same, or None, for a date that no server of news takes (RFC 5536 3.1.1).

    Taken are the forms of RFC 5322 3.3 and 4.3, with a little on top, as INN's servers take them; those of
    ctime, ISO 8601 and RFC 850 are not, nor are a day without a time and a time that is none.
    """
    at = _parse_fast(raw)
    if at is not None:
        return at
    found = _NEWS.match(params.strip_comments(raw[:1000]))
    if found is None or int(found[1]) > 23 or int(found[2]) > 59 or int(found[3] or 0) > 60:
        return None
    return _parse_loose(raw)


def _parse_fast(raw: bytes) -> int | None:
    """Of a date as nearly all are; None for others."""
    if fast := _FAST.fullmatch(raw):
        date, hour, minute, second, zone = fast.groups()
        day = _midnight(date)
        if day is not None:
            return day + ((int(hour) * 60 + int(minute) - _zone(zone)) * 60 + int(second)) * 1000
    return None


@functools.lru_cache(maxsize=512)
def _midnight(date: bytes) -> int | None:
    """When a day "30 Nov 2026" begins in UTC, in milliseconds; None where there is no such day."""
    day, name, year = date.split(b" ")
    month = _MONTHS_AS_WRITTEN.get(name)
    return None if month is None else _stamp(int(year), month, int(day), (0, 0, 0), 0)


def _parse_loose(raw: bytes) -> int | None:
    value = params.strip_comments(raw[:1000]).strip()
    if found := _LOOSE.match(value):
        day, name, year, hour, minute, second, half, zone_text = found.groups()
        month = _MONTHS.get(name.lower())
        if month is None:
            return None
        hours = int(hour or 0)
        if half and 1 <= hours <= 12:
            hours = hours % 12 + (12 if half.lower() == b"pm" else 0)
        return _stamp(
            _year(year), month, int(day), (hours, int(minute or 0), int(second or 0)), _zone(zone_text)
        )
    if found := _CTIME.match(value):
        name, day, hour, minute, second, zone_text, year = found.groups()
        month = _MONTHS.get(name.lower())
        if month is None:
            return None
        return _stamp(
            int(year), month, int(day), (int(hour), int(minute), int(second or 0)), _zone(zone_text)
        )
    if found := _ISO.match(value):
        year, number, day, hour, minute, second, zone_text = found.groups()
        if not 1 <= int(number) <= 12:
            return None
        zone = 0 if zone_text == b"Z" else _zone(zone_text)
        return _stamp(int(year), int(number), int(day), (int(hour), int(minute), int(second or 0)), zone)
    return None


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month, day of a count of days from 1970-01-01."""
    days += 719468
    era, of_era = divmod(days, 146097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


def format_date(at_ms: int) -> str:
    """Return ``at_ms`` (UTC milliseconds) as RFC 5322 3.3 writes it, zone +0000."""
    return _second(at_ms // 1000)


@functools.lru_cache(maxsize=64)  # much is stamped with the second that it is
def _second(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    year, month, day = _civil(days)
    weekday = _DAY_NAMES[(days + 3) % 7]
    return (
        f"{weekday}, {day:02d} {_MONTH_NAMES[month - 1]} {year:04d} "
        f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d} +0000"
    )
