"""Recurrence as MAPI keeps it: PidLidAppointmentRecur, PidLidTaskRecurrence (MS-OXOCAL 2.2.1.44).

A binary pattern with its exceptions, as values and as bytes.  Which days it falls on, and what it is as an
RRULE, is in `rrule`.  Times are minutes since 1601 in the time zone of the appointment, as the structure has
them; `minutes` and `moment` convert.
"""

from __future__ import annotations

import datetime
import enum

from quintet.mapi.buffer import Reader, Writer, bad
from quintet.values import dataclass

Minutes = int
"""Since midnight of 1 January 1601, local time."""

DAY: Minutes = 24 * 60
NO_END: Minutes = 0x5AE980DF  # 31 August 4500, 23:59: the end of what does not end
_EPOCH = datetime.datetime(1601, 1, 1)  # noqa: DTZ001 - local time, wherever the appointment is
MAX_LENGTH = 10 * 366 * DAY  # of an occurrence
_VERSION, _VERSION2 = 0x3004, 0x3006
_HIGHLIGHTS = 0x3009  # the first writer that tells of highlights
_OLDEST = 0x3006  # writers before it had other exceptions


class Frequency(enum.IntEnum):
    DAILY = 0x200A
    WEEKLY = 0x200B
    MONTHLY = 0x200C
    YEARLY = 0x200D


class Kind(enum.IntEnum):
    """PatternType; the last three count in the Hijri calendar."""

    DAY = 0x0
    WEEK = 0x1
    MONTH = 0x2
    MONTH_NTH = 0x3
    MONTH_END = 0x4
    HIJRI_MONTH = 0xA
    HIJRI_MONTH_NTH = 0xB
    HIJRI_MONTH_END = 0xC


class End(enum.IntEnum):
    DATE = 0x2021
    COUNT = 0x2022
    NEVER = 0x2023


_NEVER_TOO = 0xFFFFFFFF
_NTH = (Kind.MONTH_NTH, Kind.HIJRI_MONTH_NTH)
LAST = 5  # as ``nth``: the last one of the month


@dataclass(frozen=True, slots=True)
class Pattern:
    """RecurrencePattern (2.2.1.44.1)."""

    frequency: Frequency
    kind: Kind
    period: int  # minutes for Kind.DAY, weeks for Kind.WEEK, else months
    start: Minutes  # midnight of the first occurrence's day
    days: int = 0  # of Kind.WEEK and the nth ones: 1 Sunday, 2 Monday ... 64 Saturday
    day: int = 0  # of Kind.MONTH and the like; beyond the month's end is its last day
    nth: int = 0  # 1 to 4, or LAST
    end: End = End.NEVER
    count: int = 10  # occurrences; 10 where there is no end
    last: Minutes = NO_END  # midnight of the last occurrence's day
    first_weekday: int = 0  # 0 Sunday
    deleted: tuple[Minutes, ...] = ()  # midnights of the occurrences that are not, or are changed
    modified: tuple[Minutes, ...] = ()  # midnights where the changed ones are now
    calendar: int = 0
    sliding: int = 0  # 1: a task that begins anew when the last one is done
    first: Minutes = 0  # FirstDateTime: see `rrule.first_of`


@dataclass(frozen=True, slots=True)
class Change:
    """One changed occurrence: ExceptionInfo and ExtendedException (2.2.1.44.2, 2.2.1.44.4).

    None stands for what is as in the series.
    """

    start: Minutes
    end: Minutes
    original: Minutes  # when it was to begin
    subject: str | None = None
    meeting_type: int | None = None
    reminder_delta: int | None = None  # minutes
    reminder_set: int | None = None
    location: str | None = None
    busy_status: int | None = None
    attachment: int | None = None
    sub_type: int | None = None  # 1: lasts whole days
    color: int | None = None
    body: bool = False  # the embedded message has another body
    highlight: int = 0  # PidLidChangeHighlight


@dataclass(frozen=True, slots=True)
class Appointment:
    """AppointmentRecurrencePattern (2.2.1.44.5)."""

    pattern: Pattern
    start: int  # minutes after midnight
    end: int  # minutes after the same midnight; beyond DAY for what lasts longer
    changes: tuple[Change, ...] = ()
    version: int = _HIGHLIGHTS


_SUBJECT, _LOCATION, _BODY = 0x0001, 0x0010, 0x0200
_NUMBERS = {  # override flags of four bytes, in the order of their fields
    "meeting_type": 0x0002,
    "reminder_delta": 0x0004,
    "reminder_set": 0x0008,
    "busy_status": 0x0020,
    "attachment": 0x0040,
    "sub_type": 0x0080,
    "color": 0x0100,
}
_BEFORE_LOCATION = ("meeting_type", "reminder_delta", "reminder_set")
_AFTER_LOCATION = ("busy_status", "attachment", "sub_type", "color")


def minutes(when: datetime.datetime | datetime.date) -> Minutes:
    """Of a local time without a zone.  Raises BadSyntax: before 1601, or after what can be told."""
    if not isinstance(when, datetime.datetime):
        when = datetime.datetime.combine(when, datetime.time())
    found = (when - _EPOCH) // datetime.timedelta(minutes=1)
    if not 0 <= found <= 0xFFFFFFFF:
        raise bad("a time that no recurrence can tell")
    return found


def moment(when: Minutes) -> datetime.datetime:
    """The local time; any 32 bits are one."""
    return _EPOCH + datetime.timedelta(minutes=when)


# --- patterns -------------------------------------------------------------------------------------------


def get_pattern(reader: Reader) -> Pattern:
    """Raises BadSyntax: malformed, or a pattern that falls on no day."""
    if (reader.u16(), reader.u16()) != (_VERSION, _VERSION):
        raise bad("no such version of a recurrence")
    try:
        frequency, kind = Frequency(reader.u16()), Kind(reader.u16())
    except ValueError:
        raise bad("no such kind of recurrence") from None
    calendar, first, period, sliding = reader.u16(), reader.u32(), reader.u32(), reader.u32()
    days, day, nth = _get_specific(reader, kind)
    end = reader.u32()
    end = End.NEVER if end == _NEVER_TOO else end
    count, first_weekday = reader.u32(), reader.u32()
    deleted, modified = _dates(reader), _dates(reader)
    start, last = reader.u32(), reader.u32()
    if (
        not period
        or (kind == Kind.DAY and period % DAY)
        or first_weekday > 6
        or end not in (0x2021, 0x2022, 0x2023)
    ):
        raise bad("a recurrence of no period, week or end")
    return Pattern(
        frequency, kind, period, start, days, day, nth, End(end), count, last, first_weekday, deleted,
        modified, calendar, sliding, first,
    )  # fmt: skip


def _get_specific(reader: Reader, kind: Kind) -> tuple[int, int, int]:
    """Weekdays, day of the month and number of PatternTypeSpecific (2.2.1.44.1.3 to 2.2.1.44.1.6)."""
    days, day, nth = 0, 0, 0
    if kind == Kind.WEEK or kind in _NTH:
        days = reader.u32() & 0x7F
        if not days:
            raise bad("a recurrence on no day of the week")
        if kind in _NTH and not 1 <= (nth := reader.u32()) <= LAST:
            raise bad("no such week of a month")
    elif kind != Kind.DAY:
        day = reader.u32()
        if not 1 <= day <= 31 and kind not in (Kind.MONTH_END, Kind.HIJRI_MONTH_END):
            raise bad("no such day of a month")
    return days, day, nth


def _dates(reader: Reader) -> tuple[Minutes, ...]:
    return tuple([reader.u32() for _ in range(reader.counted(reader.u32(), 4))])


def put_pattern(writer: Writer, pattern: Pattern) -> None:
    for half in (_VERSION, _VERSION, pattern.frequency, pattern.kind, pattern.calendar):
        writer.u16(half)
    for number in (pattern.first, pattern.period, pattern.sliding):
        writer.u32(number)
    if pattern.kind == Kind.WEEK or pattern.kind in _NTH:
        writer.u32(pattern.days)
        if pattern.kind in _NTH:
            writer.u32(pattern.nth)
    elif pattern.kind != Kind.DAY:
        writer.u32(pattern.day)
    for number in (pattern.end, pattern.count, pattern.first_weekday):
        writer.u32(number)
    for dates in (pattern.deleted, pattern.modified):
        writer.u32(len(dates))
        for date in dates:
            writer.u32(date)
    writer.u32(pattern.start)
    writer.u32(pattern.last)


def read_pattern(raw: bytes) -> Pattern:
    """PidLidTaskRecurrence.  Raises BadSyntax: malformed."""
    return get_pattern(Reader(raw))


def write_pattern(pattern: Pattern) -> bytes:
    writer = Writer()
    put_pattern(writer, pattern)
    return writer.done()


# --- appointments ---------------------------------------------------------------------------------------


def read(raw: bytes, charset: str = "latin-1") -> Appointment:
    """PidLidAppointmentRecur.  ``charset`` is of exceptions that have no wide text.

    What lies behind the structure is nobody's.  Raises BadSyntax: malformed.
    """
    reader = Reader(raw)
    pattern = get_pattern(reader)
    reader_version, version = reader.u32(), reader.u32()
    if reader_version != _VERSION2 or version < _OLDEST:
        raise bad("no such version of a recurrence")
    start, end = reader.u32(), reader.u32()
    if start >= DAY or not start <= end <= start + MAX_LENGTH:
        raise bad("an appointment that begins on another day, or ends before")
    infos = [_get_info(reader, charset) for _ in range(reader.counted(reader.u16(), 14))]
    if not len(reader):  # some writers end here
        return Appointment(pattern, start, end, tuple([_plain(info) for _, info in infos]), version)
    _skip_block(reader)
    changes = tuple([_get_extended(reader, version, flags, info) for flags, info in infos])
    _skip_block(reader)
    return Appointment(pattern, start, end, changes, version)


def write(one: Appointment, charset: str = "latin-1") -> bytes:
    """The same as bytes.  Raises BadSyntax: a text or a number that its field cannot hold."""
    writer = Writer()
    put_pattern(writer, one.pattern)
    for number in (_VERSION2, one.version, one.start, one.end):
        writer.u32(number)
    writer.u16(len(one.changes))
    for change in one.changes:
        _put_info(writer, change, charset)
    writer.u32(0)
    for change in one.changes:
        _put_extended(writer, change, one.version)
    writer.u32(0)
    return writer.done()


def _skip_block(reader: Reader) -> None:
    """A reserved block: its size, and bytes that nobody knows."""
    reader.take(reader.u32())


def _get_info(reader: Reader, charset: str) -> tuple[int, dict[str, object]]:
    found: dict[str, object] = {name: reader.u32() for name in ("start", "end", "original")}
    flags = reader.u16()
    if flags & _SUBJECT:
        found["subject"] = _get_narrow(reader, charset)
    _get_numbers(reader, flags, _BEFORE_LOCATION, found)
    if flags & _LOCATION:
        found["location"] = _get_narrow(reader, charset)
    _get_numbers(reader, flags, _AFTER_LOCATION, found)
    found["body"] = bool(flags & _BODY)
    return flags, found


def _get_numbers(reader: Reader, flags: int, names: tuple[str, ...], found: dict[str, object]) -> None:
    for name in names:
        if flags & _NUMBERS[name]:
            found[name] = reader.u32()


def _get_narrow(reader: Reader, charset: str) -> str:
    """Two lengths, the first of which counts a NUL that is not there."""
    reader.u16()
    return reader.take(reader.u16()).decode(charset, "replace")


def _get_extended(reader: Reader, version: int, flags: int, found: dict[str, object]) -> Change:
    if version >= _HIGHLIGHTS:
        block = Reader(reader.take(reader.u32()))
        found["highlight"] = block.u32() if len(block) >= 4 else 0
    _skip_block(reader)
    if flags & (_SUBJECT | _LOCATION):
        reader.take(12)  # the three times once more
        for flag, name in ((_SUBJECT, "subject"), (_LOCATION, "location")):
            if flags & flag:
                found[name] = reader.take(reader.u16() * 2).decode("utf-16-le", "surrogatepass")
        _skip_block(reader)
    return _plain(found)


def _plain(found: dict[str, object]) -> Change:
    return Change(**found)  # type: ignore[arg-type]  # the names are fields, each of its type


def _put_info(writer: Writer, change: Change, charset: str) -> None:
    numbers = {name: value for name in _NUMBERS if (value := getattr(change, name)) is not None}
    flags = sum(_NUMBERS[name] for name in numbers) | (_BODY if change.body else 0)
    flags |= (_SUBJECT if change.subject is not None else 0) | (
        _LOCATION if change.location is not None else 0
    )
    for when in (change.start, change.end, change.original):
        writer.u32(when)
    writer.u16(flags)
    _put_narrow(writer, change.subject, charset)
    for name in _BEFORE_LOCATION:
        if name in numbers:
            writer.u32(numbers[name])
    _put_narrow(writer, change.location, charset)
    for name in _AFTER_LOCATION:
        if name in numbers:
            writer.u32(numbers[name])


def _put_narrow(writer: Writer, text: str | None, charset: str) -> None:
    if text is None:
        return
    raw = text.encode(charset, "replace")
    writer.u16(len(raw) + 1)
    writer.u16(len(raw))
    writer.put(raw)


def _put_extended(writer: Writer, change: Change, version: int) -> None:
    if version >= _HIGHLIGHTS:
        writer.u32(4)
        writer.u32(change.highlight)
    writer.u32(0)
    if change.subject is None and change.location is None:
        return
    for when in (change.start, change.end, change.original):
        writer.u32(when)
    for text in (change.subject, change.location):
        if text is not None:
            raw = text.encode("utf-16-le", "surrogatepass")
            writer.u16(len(raw) // 2)
            writer.put(raw)
    writer.u32(0)
