"""Time zones as MAPI keeps them, and as Python has them (MS-OXOCAL 2.2.1.39, 2.2.1.41).

A structure holds rules: the distance from UTC in minutes, to the west, and the two dates of a year on which
daylight saving time ends and begins.  `Zone` is a tzinfo of such rules; `zonenames` makes rules of any other
tzinfo and knows what Windows calls them.
"""

from __future__ import annotations

import calendar
import datetime
import struct
from collections.abc import Sequence

from quintet.mapi.buffer import Reader, Writer, bad
from quintet.values import dataclass

MAX_RULES = 1024  # MS-OXOCAL 2.2.1.41
MAX_NAME = 260  # characters of a key name
MAX_BIAS = 24 * 60 - 1  # minutes; what Python holds for an offset

_SYSTEM_TIME = struct.Struct("<8H")
_BIASES = struct.Struct("<3i")
_RULE_SIZE = 0x3E
RECURRING = 0x0001  # flags of a rule: the one that a series goes by
EFFECTIVE = 0x0002  # the one that holds for the appointment
_MINUTE = datetime.timedelta(minutes=1)
_NOTHING = datetime.timedelta(0)


@dataclass(frozen=True, slots=True)
class Change:
    """SYSTEMTIME as a rule: the ``week``th ``weekday`` (0 Sunday) of a month, 5 the last one; or, with a
    ``year``, the day ``week`` of that one year.  Local time, as it was until then."""

    month: int
    weekday: int
    week: int
    hour: int
    minute: int = 0
    second: int = 0
    millisecond: int = 0
    year: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """TZRule, or the whole of a TimeZoneStruct: minutes west of UTC, and when they change.

    UTC = local time + ``bias`` + ``standard`` or ``daylight``.  Changes are None where nothing changes.
    """

    bias: int
    standard: int = 0
    daylight: int = 0
    to_standard: Change | None = None
    to_daylight: Change | None = None
    year: int = 0  # from which on it holds
    flags: int = 0


@dataclass(frozen=True, slots=True)
class Definition:
    """TimeZoneDefinition: the name that Windows has for the zone, and rules by rising year."""

    name: str
    rules: tuple[Rule, ...]


# --- bytes ----------------------------------------------------------------------------------------------


def read_struct(raw: bytes) -> Rule:
    """PidLidTimeZoneStruct; 48 bytes.  Raises BadSyntax: malformed."""
    reader = Reader(raw)
    biases = _get_biases(reader)
    reader.u16()  # the year once more, here and below
    to_standard = _get_change(reader)
    reader.u16()
    return Rule(*biases, to_standard, _get_change(reader))


def write_struct(rule: Rule) -> bytes:
    writer = Writer()
    writer.pack(_BIASES, rule.bias, rule.standard, rule.daylight)
    for change in (rule.to_standard, rule.to_daylight):
        writer.u16(change.year if change else 0)
        _put_change(writer, change)
    return writer.done()


def read_definition(raw: bytes) -> Definition:
    """PidLidAppointmentTimeZoneDefinition*.  Raises BadSyntax: malformed, or without a rule."""
    reader = Reader(raw)
    version = reader.u16()
    header = Reader(reader.take(reader.u16()))
    if version & 0xFF != 2 or header.u16() & 0x0002 == 0:
        raise bad("no such version of a time zone")
    length = header.u16()
    if length > MAX_NAME:
        raise bad("a time zone's name that is too long")
    name = header.take(length * 2).decode("utf-16-le", "surrogatepass")
    number = reader.counted(header.u16(), _RULE_SIZE + 4)
    if not 1 <= number <= MAX_RULES:
        raise bad("a time zone without rules, or with too many")
    return Definition(name, tuple([_get_rule(reader) for _ in range(number)]))


def write_definition(one: Definition) -> bytes:
    """Raises BadSyntax: no rule, too many, or a name that is too long."""
    raw = one.name.encode("utf-16-le", "surrogatepass")
    if not 1 <= len(one.rules) <= MAX_RULES or len(raw) > MAX_NAME * 2:
        raise bad("a time zone that cannot be told")
    writer = Writer()
    writer.u16(0x0102)
    for half in (6 + len(raw), 0x0002, len(raw) // 2):
        writer.u16(half)
    writer.put(raw)
    writer.u16(len(one.rules))
    for rule in one.rules:
        for half in (0x0102, _RULE_SIZE, rule.flags, rule.year):
            writer.u16(half)
        writer.put(bytes(14))
        writer.pack(_BIASES, rule.bias, rule.standard, rule.daylight)
        _put_change(writer, rule.to_standard)
        _put_change(writer, rule.to_daylight)
    return writer.done()


def _get_rule(reader: Reader) -> Rule:
    version, size, flags, year = reader.u16(), reader.u16(), reader.u16(), reader.u16()
    if version & 0xFF != 2 or size != _RULE_SIZE:
        raise bad("no such version of a time zone's rule")
    reader.take(14)  # zeros, which Outlook does not always write
    return Rule(*_get_biases(reader), _get_change(reader), _get_change(reader), year, flags)


def _get_biases(reader: Reader) -> tuple[int, int, int]:
    bias, standard, daylight = (int(number) for number in reader.unpack(_BIASES))
    if max(abs(bias), abs(standard), abs(daylight), abs(bias + standard), abs(bias + daylight)) > MAX_BIAS:
        raise bad("a time zone farther than a day from UTC")
    return bias, standard, daylight


def _get_change(reader: Reader) -> Change | None:
    year, month, weekday, week, hour, minute, second, millisecond = (
        int(number) for number in reader.unpack(_SYSTEM_TIME)
    )
    if not month:
        return None
    if month > 12 or hour > 23 or minute > 59 or second > 59 or millisecond > 999:
        raise bad("no such time of a year")
    if (year and not 1 <= week <= 31) or (not year and not (1 <= week <= 5 and weekday <= 6)):
        raise bad("no such day of a month")
    return Change(month, weekday, week, hour, minute, second, millisecond, year)


def _put_change(writer: Writer, change: Change | None) -> None:
    if change is None:
        writer.put(bytes(16))
        return
    writer.pack(
        _SYSTEM_TIME, change.year, change.month, change.weekday, change.week, change.hour, change.minute,
        change.second, change.millisecond,
    )  # fmt: skip


# --- rules as a tzinfo ----------------------------------------------------------------------------------


class Zone(datetime.tzinfo):
    """A tzinfo of rules, with the folds and gaps of PEP 495."""

    def __init__(self, rules: Sequence[Rule], name: str = "") -> None:
        self._rules = sorted(rules, key=lambda rule: rule.year)
        self._name = name
        self._years: dict[int, _Year] = {}

    def __repr__(self) -> str:
        return f"Zone({self._name!r})"

    def utcoffset(self, when: datetime.datetime | None) -> datetime.timedelta:
        if when is None:
            return _NOTHING
        year, local = self._year(when.year), when.replace(tzinfo=None, fold=0)
        found = year.opening
        for utc, before, after in year.turns:
            if utc + (min if when.fold else max)(before, after) <= local:
                found = after
        return found

    def dst(self, when: datetime.datetime | None) -> datetime.timedelta:
        return _NOTHING if when is None else self.utcoffset(when) - self._year(when.year).standard

    def tzname(self, when: datetime.datetime | None) -> str:
        return self._name

    def fromutc(self, when: datetime.datetime) -> datetime.datetime:
        utc = when.replace(tzinfo=None)
        year = self._year(utc.year)
        offset, fold = year.opening, False
        for turn, before, after in year.turns:
            if turn <= utc:
                offset, fold = after, utc - turn < before - after
        local = utc + offset
        if local.year != utc.year:  # there the rule of another year holds
            other = self._year(local.year)
            later = local.year > utc.year or not other.turns
            local, fold = utc + (other.opening if later else other.turns[-1][2]), False
        return local.replace(tzinfo=self, fold=int(fold))

    def _year(self, year: int) -> _Year:
        found = self._years.get(year)
        if found is None:
            rules = [rule for rule in self._rules if rule.year <= year]
            # before the first one, the first one holds
            found = self._years[year] = _year_of(rules[-1] if rules else self._rules[0], year)
        return found


@dataclass(frozen=True, slots=True)
class _Year:
    """What a rule makes of a year: distances east of UTC, and the turns (UTC, before, after) in order."""

    standard: datetime.timedelta
    opening: datetime.timedelta
    turns: tuple[tuple[datetime.datetime, datetime.timedelta, datetime.timedelta], ...] = ()


def _year_of(rule: Rule, year: int) -> _Year:
    standard = -(rule.bias + rule.standard) * _MINUTE
    daylight = -(rule.bias + rule.daylight) * _MINUTE
    changes = [
        (_when(change, year), after)
        for change, after in ((rule.to_daylight, daylight), (rule.to_standard, standard))
        if change is not None and change.year in (0, year)
    ]
    # in UTC a turn of the first or the last year may lie where Python has no year
    edge = year in (datetime.MINYEAR, datetime.MAXYEAR)
    if rule.to_daylight is None or rule.to_standard is None or not changes or edge:
        return _Year(standard, standard)
    changes.sort(key=lambda change: change[0])
    opening = before = daylight if changes[0][1] == standard else standard
    turns = []
    for wall, after in changes:
        turns.append((wall - before, before, after))
        before = after
    return _Year(standard, opening, tuple(turns))


def _when(change: Change, year: int) -> datetime.datetime:
    """The local time of a change, as clocks go until then."""
    first = datetime.date(year, change.month, 1)
    place = change.week - 1
    if not change.year:
        place = (change.weekday - first.isoweekday()) % 7 + place * 7
    length = calendar.monthrange(year, change.month)[1]
    while place >= length:
        place -= 7  # the fifth is the last, of four too
    time = datetime.time(change.hour, change.minute, change.second, change.millisecond * 1000)
    return datetime.datetime.combine(first + datetime.timedelta(days=place), time)
