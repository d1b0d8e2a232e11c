"""On which days a recurrence falls, and what it is as an RRULE of iCalendar.

Pure.  The forms of RRULE are those of MS-OXCICAL 2.1.3.2.2; what a binary pattern cannot tell is refused, for
the caller to decide.  Times are local and without a zone.
"""

from __future__ import annotations

import datetime
import heapq
import itertools
import re
from collections.abc import Iterator
from dataclasses import replace

from quintet.errors import BadSyntax, Reason, Refused
from quintet.mapi import months
from quintet.mapi.recur import (
    DAY,
    LAST,
    NO_END,
    Appointment,
    Change,
    End,
    Frequency,
    Kind,
    Minutes,
    Pattern,
    minutes,
    moment,
)
from quintet.values import dataclass

MAX_OCCURRENCES = 100_000  # of a rule with an end: every day for 273 years
MAX_RULE = 1000  # characters
_WEEK = 7
_REFERENCE = datetime.date(1601, 1, 1).toordinal()
_LAST_DAY = datetime.date(4500, 8, 31).toordinal()  # of what has no end
_DAYS = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")
_HIJRI = (Kind.HIJRI_MONTH, Kind.HIJRI_MONTH_NTH, Kind.HIJRI_MONTH_END)
# calendars with Gregorian months, whatever they call their years; Hijri ones
_GREGORIAN_CALENDARS = frozenset((0, 1, 2, 3, 4, 5, 7, 9, 10, 11, 12))
_HIJRI_CALENDAR = 6


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One instance; ``original`` is when the series has it, ``change`` what is different."""

    start: datetime.datetime
    end: datetime.datetime
    original: datetime.datetime
    change: Change | None = None


def occurrences(
    one: Appointment, since: datetime.datetime | None = None, until: datetime.datetime | None = None
) -> Iterator[Occurrence]:
    """Those that end after ``since`` and begin before ``until``, by their beginning.

    Without ``until``, what has no end goes on to the year 4500.  Raises Refused(UNSUPPORTED): a calendar
    whose months we do not know.
    """
    length = datetime.timedelta(minutes=max(one.end - one.start, 0))
    begin = datetime.timedelta(minutes=one.start)
    gone = {*one.pattern.deleted, *(change.original // DAY * DAY for change in one.changes)}

    def regular() -> Iterator[Occurrence]:
        early = since is None or since <= moment(one.pattern.start)
        first = None if early or since is None else (since - length - begin).date()
        for day in days(one.pattern, first):
            start = datetime.datetime.combine(day, datetime.time()) + begin
            if until is not None and start >= until:
                return
            if minutes(day) not in gone:
                yield Occurrence(start, start + length, start)

    changed = sorted(
        (
            Occurrence(moment(each.start), moment(each.end), moment(each.original), each)
            for each in one.changes
        ),
        key=lambda each: each.start,
    )
    for found in heapq.merge(regular(), changed, key=lambda each: each.start):
        late = until is not None and found.start >= until
        if not late and (since is None or found.end > since or found.start >= since):
            yield found


def days(pattern: Pattern, since: datetime.date | None = None) -> Iterator[datetime.date]:
    """The days of the series from ``since`` on, deleted and changed ones too."""
    start = _ordinal(pattern.start)
    first = start if since is None else max(start, since.toordinal())
    stop = _LAST_DAY if pattern.end == End.NEVER else min(_ordinal(pattern.last), _LAST_DAY)
    steps = {Kind.DAY: _by_days, Kind.WEEK: _by_weeks}.get(pattern.kind, _by_months)
    for day in steps(pattern, start, first):
        if day > stop:
            return
        if day >= first:
            yield datetime.date.fromordinal(day)


def _ordinal(when: Minutes) -> int:
    return _REFERENCE + when // DAY


def _by_days(pattern: Pattern, start: int, first: int) -> Iterator[int]:
    step = max(pattern.period // DAY, 1)
    return itertools.count(start - (start - first) // step * step, step)


def _by_weeks(pattern: Pattern, start: int, first: int) -> Iterator[int]:
    week = start - (start - pattern.first_weekday) % _WEEK  # a Sunday's ordinal divides by seven
    step = pattern.period * _WEEK
    for begin in itertools.count(week + (first - week) // step * step, step):
        yield from (day for day in range(begin, begin + _WEEK) if pattern.days >> day % _WEEK & 1)


def _by_months(pattern: Pattern, start: int, first: int) -> Iterator[int]:
    system = _months_of(pattern)
    month = system.number(start)
    month += (system.number(first) - month) // pattern.period * pattern.period
    while (begin := system.first(month)) <= _LAST_DAY:
        yield begin + _place(pattern, begin, system.length(month))
        month += pattern.period


def _place(pattern: Pattern, begin: int, length: int) -> int:
    """Days from the month's first to the one that the pattern falls on."""
    if pattern.kind in (Kind.MONTH_NTH, Kind.HIJRI_MONTH_NTH):
        places = [place for place in range(length) if pattern.days >> (begin + place) % _WEEK & 1]
        return places[-1 if pattern.nth == LAST else pattern.nth - 1]
    if pattern.kind in (Kind.MONTH, Kind.HIJRI_MONTH):
        return min(pattern.day, length) - 1
    return length - 1


def _months_of(pattern: Pattern) -> months.Months:
    if pattern.calendar == _HIJRI_CALENDAR or pattern.kind in _HIJRI:
        return months.Hijri()
    if pattern.calendar not in _GREGORIAN_CALENDARS:
        raise Refused(Reason.UNSUPPORTED, "a recurrence in a calendar that is not known here")
    return months.Gregorian()


def first_of(pattern: Pattern) -> Minutes:
    """FirstDateTime: where the pattern would have begun if it went back to 1601 (2.2.1.44.1)."""
    if pattern.kind == Kind.DAY:
        return pattern.start % pattern.period
    start = _ordinal(pattern.start)
    if pattern.kind == Kind.WEEK:
        week = start - (start - pattern.first_weekday) % _WEEK
        return (week - _REFERENCE) * DAY % (pattern.period * _WEEK * DAY)
    system = _months_of(pattern)
    reference = system.number(_REFERENCE)
    month = reference + (system.number(start) - reference) % pattern.period
    return max(system.first(month) - _REFERENCE, 0) * DAY  # a Hijri month of then began before 1601


# --- to RRULE -------------------------------------------------------------------------------------------


def to_rrule(
    pattern: Pattern, *, time: int = 0, zone: datetime.tzinfo | None = None, whole_day: bool = False
) -> str:
    """The value of an RRULE property (MS-OXCICAL 2.1.3.2.2.1 to 2.1.3.2.2.6).

    ``time`` is that of the start in minutes after midnight, of which UNTIL tells in UTC if there is a
    ``zone``, else in local time; a date if ``whole_day``.  A day beyond a month's end is written as it is,
    as MS-OXCICAL wants it, though a reader then skips that month.

    Raises Refused(UNSUPPORTED): a pattern of another calendar.
    """
    if not isinstance(_months_of(pattern), months.Gregorian):
        raise Refused(Reason.UNSUPPORTED, "no RRULE for a recurrence of this calendar")
    parts = _parts(pattern)
    if pattern.end == End.COUNT:
        parts.append(f"COUNT={pattern.count}")
    elif pattern.end == End.DATE:
        parts.append(f"UNTIL={_until(moment(pattern.last), time, zone, whole_day)}")
    if pattern.kind == Kind.WEEK:
        parts.append(f"WKST={_DAYS[pattern.first_weekday]}")
    return ";".join(parts)


def _parts(pattern: Pattern) -> list[str]:
    weekdays = ",".join(name for place, name in enumerate(_DAYS) if pattern.days >> place & 1)
    if pattern.kind == Kind.DAY:
        return ["FREQ=DAILY", *_interval(pattern.period // DAY)]
    if pattern.kind == Kind.WEEK:
        return ["FREQ=WEEKLY", f"BYDAY={weekdays}", *_interval(pattern.period)]
    if pattern.kind == Kind.MONTH_NTH:
        place = -1 if pattern.nth == LAST else pattern.nth
        found = [f"BYDAY={weekdays}", f"BYSETPOS={place}"]
    else:
        day = pattern.day if pattern.kind == Kind.MONTH and pattern.day < 31 else -1
        found = [f"BYMONTHDAY={day}"]
    if pattern.period % 12:
        return ["FREQ=MONTHLY", *found, *_interval(pattern.period)]
    month = moment(pattern.start).month
    return ["FREQ=YEARLY", *found, f"BYMONTH={month}", *_interval(pattern.period // 12)]


def _interval(period: int) -> list[str]:
    return [f"INTERVAL={period}"] if period != 1 else []


def _until(last: datetime.datetime, time: int, zone: datetime.tzinfo | None, whole_day: bool) -> str:
    if whole_day:
        return f"{last:%Y%m%d}"
    last = last.replace(hour=0, minute=0) + datetime.timedelta(minutes=time)
    if zone is None:
        return f"{last:%Y%m%dT%H%M%S}"
    return f"{last.replace(tzinfo=zone).astimezone(datetime.UTC):%Y%m%dT%H%M%SZ}"


# --- from RRULE -----------------------------------------------------------------------------------------

_KNOWN = frozenset(
    ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS",
     "BYHOUR", "BYMINUTE", "BYSECOND")
)  # fmt: skip
_WEEKDAY = re.compile(r"([+-]?\d{1,2})?(SU|MO|TU|WE|TH|FR|SA)")
_UNTIL = re.compile(r"(\d{8})(?:T(\d{6})(Z)?)?")


def from_rrule(text: str, start: datetime.datetime, zone: datetime.tzinfo | None = None) -> Pattern:
    """The pattern of an RRULE whose DTSTART is ``start``, in local time; ``zone`` is what UNTIL is told for.

    It begins with the first day from ``start`` on that the rule falls on.

    Raises:
        BadSyntax: no RRULE, or one of no occurrence.
        Refused(UNSUPPORTED): a rule that no pattern can tell.
        Refused(TOO_MANY): more than `MAX_OCCURRENCES` before its end.
    """
    rule = _parsed(text)
    for name, value in (("BYHOUR", start.hour), ("BYMINUTE", start.minute), ("BYSECOND", start.second)):
        if _number(rule.pop(name, str(value)), 0, 59) != value:
            raise _unsupported()
    maker = _MAKERS.get(rule.pop("FREQ", ""))
    if maker is None:
        raise _unsupported()
    end, wkst = _end(rule, start, zone), _weekday(rule.pop("WKST", "MO"))
    interval = _number(rule.pop("INTERVAL", "1"), 1, 9999)
    pattern = replace(maker(rule, start, interval), first_weekday=wkst)
    if rule:
        raise _unsupported()
    return _ended(pattern, start, end)


def _parsed(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    if len(text) > MAX_RULE:
        raise BadSyntax("an RRULE that is too long", Reason.TOO_LONG)
    for part in text.strip().rstrip(";").upper().split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value or name in found:
            raise _malformed()
        found[name] = value
    if not found.keys() <= _KNOWN:
        raise _unsupported()
    return found


def _unsupported() -> Refused:
    return Refused(Reason.UNSUPPORTED, "a recurrence that MAPI cannot tell")


def _malformed() -> BadSyntax:
    return BadSyntax("not an RRULE", Reason.BAD_CONTENT)


def _number(text: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[+-]?\d{1,6}", text, re.ASCII) or not least <= int(text) <= most:
        raise _malformed() if "," not in text else _unsupported()
    return int(text)


def _weekday(text: str) -> int:
    if text not in _DAYS:
        raise _malformed()
    return _DAYS.index(text)


def _end(
    rule: dict[str, str], start: datetime.datetime, zone: datetime.tzinfo | None
) -> int | datetime.date | None:
    """How many occurrences, the last possible day, or no end."""
    count, until = rule.pop("COUNT", None), rule.pop("UNTIL", None)
    if count is not None:
        if until is not None:
            raise _malformed()
        return _number(count, 1, MAX_OCCURRENCES)
    if until is None:
        return None
    match = _UNTIL.fullmatch(until)
    if match is None:
        raise _malformed()
    try:
        when = datetime.datetime.strptime(match[1] + (match[2] or "235959"), "%Y%m%d%H%M%S")  # noqa: DTZ007
    except ValueError:
        raise _malformed() from None
    if match[3] and zone is not None:
        try:
            when = when.replace(tzinfo=datetime.UTC).astimezone(zone).replace(tzinfo=None)
        except OverflowError:
            raise _malformed() from None
    day = when.date()
    if when.time() < start.time() and day > datetime.date.min:
        day -= datetime.timedelta(days=1)
    return day


def _ended(pattern: Pattern, start: datetime.datetime, end: int | datetime.date | None) -> Pattern:
    """With its true start, and with both ends told whichever the rule told."""
    found = days(pattern, start.date())
    first = next(found, None)
    if first is None:
        raise _malformed()
    pattern = replace(pattern, start=minutes(first))
    if end is None:
        pattern = replace(pattern, end=End.NEVER, count=10, last=NO_END)
        return replace(pattern, first=first_of(pattern))
    if isinstance(end, int):
        every = [first, *itertools.islice(found, end - 1)]
    else:
        until = end
        rest = itertools.takewhile(lambda day: day <= until, itertools.chain((first,), found))
        every = list(itertools.islice(rest, MAX_OCCURRENCES + 1))
    if not every:
        raise _malformed()
    if len(every) > MAX_OCCURRENCES:
        raise Refused(Reason.TOO_MANY, "a recurrence of too many occurrences")
    kind = End.COUNT if isinstance(end, int) else End.DATE
    pattern = replace(pattern, end=kind, count=len(every), last=minutes(every[-1]))
    return replace(pattern, first=first_of(pattern))


def _daily(rule: dict[str, str], start: datetime.datetime, interval: int) -> Pattern:
    if "BYDAY" in rule:
        if interval != 1:
            raise _unsupported()
        return replace(_weekly(rule, start, 1), frequency=Frequency.DAILY)
    return Pattern(Frequency.DAILY, Kind.DAY, interval * DAY, minutes(start.date()))


def _weekly(rule: dict[str, str], start: datetime.datetime, interval: int) -> Pattern:
    weekdays = rule.pop("BYDAY", _DAYS[start.isoweekday() % _WEEK])
    mask, numbers = _mask(weekdays)
    if numbers:
        raise _unsupported()
    return Pattern(Frequency.WEEKLY, Kind.WEEK, interval, minutes(start.date()), days=mask)


def _monthly(rule: dict[str, str], start: datetime.datetime, interval: int) -> Pattern:
    pattern = Pattern(Frequency.MONTHLY, Kind.MONTH, interval, minutes(start.date()))
    if "BYDAY" in rule:
        mask, numbers = _mask(rule.pop("BYDAY"))
        if numbers and ("BYSETPOS" in rule or len(numbers) > 1 or mask.bit_count() > 1):
            raise _unsupported()
        nth = numbers[0] if numbers else _number(rule.pop("BYSETPOS", "0"), -366, 366)
        if nth not in (-1, 1, 2, 3, 4):
            raise _unsupported()
        return replace(pattern, kind=Kind.MONTH_NTH, days=mask, nth=LAST if nth == -1 else nth)
    day = _number(rule.pop("BYMONTHDAY", str(start.day)), -31, 31)
    if day == 0 or day < -1:
        raise _unsupported()
    return replace(pattern, day=31 if day == -1 else day)


def _yearly(rule: dict[str, str], start: datetime.datetime, interval: int) -> Pattern:
    if "BYMONTH" not in rule and ("BYDAY" in rule or "BYMONTHDAY" in rule):
        raise _unsupported()
    month = _number(rule.pop("BYMONTH", str(start.month)), 1, 12)
    pattern = _monthly(rule, start, interval * 12)
    frequency = Frequency.YEARLY if interval == 1 else Frequency.MONTHLY
    anchor = datetime.date(start.year, month, 1)
    return replace(pattern, frequency=frequency, start=minutes(anchor))


def _mask(text: str) -> tuple[int, list[int]]:
    """Weekdays as bits, and the numbers before them."""
    mask, numbers = 0, []
    for item in text.split(","):
        match = _WEEKDAY.fullmatch(item)
        if match is None:
            raise _malformed()
        mask |= 1 << _DAYS.index(match[2])
        if match[1]:
            numbers.append(int(match[1]))
    return mask, numbers


_MAKERS = {"DAILY": _daily, "WEEKLY": _weekly, "MONTHLY": _monthly, "YEARLY": _yearly}
