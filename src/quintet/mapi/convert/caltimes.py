"""Times of iCalendar (RFC 5545 3.3.4-6) as FILETIMEs, and its time zones (3.6.5) as those of MAPI.

A TZID that IANA or Windows knows is that zone; others are what their VTIMEZONE says
(MS-OXCICAL 2.1.3.1.1.19).
"""

from __future__ import annotations

import datetime
import re
from dataclasses import replace
from functools import lru_cache

from quintet.errors import BadSyntax
from quintet.mapi import timezones, types, zonenames
from quintet.mapi.bag import Bag
from quintet.mapi.convert import calkeys as keys
from quintet.mapi.convert.contentlines import Component, Line
from quintet.mapi.timezones import Change, Definition, Rule, Zone
from quintet.values import dataclass

MAX_ZONES = 100  # VTIMEZONE components of a calendar
MAX_CHANGES = 1000  # STANDARD and DAYLIGHT components of one

_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?")
_DURATION = re.compile(
    r"([+-]?)P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?"
)
_OFFSET = re.compile(r"([+-])(\d\d)(\d\d)(\d\d)?")
_BYDAY = re.compile(r"([+-]?\d{1,2})(SU|MO|TU|WE|TH|FR|SA)")
_DAYS = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")
_EPOCH = datetime.datetime(1601, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)
_LAST = datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC)  # a day that ends by every clock
_YEARS = (1602, 9998)  # whose rules a zone is asked for: the year before and after must be there too


@dataclass(frozen=True, slots=True)
class When:
    """A date or a time: as clocks show it, and the zone in which they do."""

    local: datetime.datetime  # without a zone
    zone: datetime.tzinfo
    whole_day: bool
    tzid: str = ""

    @property
    def utc(self) -> types.Value:
        """The FILETIME."""
        return filetime(self.local.replace(tzinfo=self.zone))

    def at(self, local: datetime.datetime) -> When:
        """Another time of the same clocks."""
        return replace(self, local=local)


def filetime(when: datetime.datetime) -> int:
    """Of a time with a zone; what lies outside is the nearest that can be told."""
    try:
        return min(max((when - _EPOCH) // _MICROSECOND * 10, 0), types.MAX_TIME)
    except OverflowError:
        return 0


def moment(time: int) -> datetime.datetime:
    """A FILETIME as UTC, to the second; no later than any zone's calendar goes."""
    try:
        return min(_EPOCH + datetime.timedelta(seconds=time // 10_000_000), _LAST)
    except OverflowError:
        return _LAST


class Zones:
    """The zones of one calendar."""

    def __init__(self, calendar: Component) -> None:
        self._described = {}
        for number, one in enumerate(calendar.of("VTIMEZONE")):
            if number < MAX_ZONES and (name := one.text("TZID")):
                self._described[name] = one
        self._found: dict[str, datetime.tzinfo] = {}
        self._usual = calendar.text("X-WR-TIMEZONE") or next(
            iter(self._described), ""
        )  # of times without one

    def components(self) -> list[Component]:
        """What the calendar says of its zones."""
        return list(self._described.values())

    def zone(self, tzid: str) -> datetime.tzinfo:
        """The zone of that name; UTC for one that nobody knows."""
        found = self._found.get(tzid)
        if found is None:
            found = self._found[tzid] = self._lookup(tzid)
        return found

    def _lookup(self, tzid: str) -> datetime.tzinfo:
        known = zonenames.iana_zone(tzid) if tzid and len(tzid) < 100 else None
        if known is not None:
            return known
        rule = rule_of(self._described[tzid]) if tzid in self._described else None
        return datetime.UTC if rule is None else Zone((rule,), tzid)

    def when(self, line: Line | None) -> When | None:
        """The time that a property tells; None: there is none, or it is none."""
        return None if line is None else self.value(line.value, line)

    def value(self, text: str, line: Line) -> When | None:
        """One of several values of a property."""
        found = _TIME.fullmatch(text.strip().upper())
        if found is None:
            return None
        year, month, day, hour, minute, second, utc = found.groups()
        try:
            local = datetime.datetime(  # noqa: DTZ001 - its zone stands beside it
                int(year), int(month), int(day), int(hour or 0), int(minute or 0), min(int(second or 0), 59)
            )
        except ValueError:
            return None
        tzid = "" if utc else line.param("TZID") or self._usual
        return When(local, self.zone(tzid) if tzid else datetime.UTC, hour is None, tzid)


def duration(text: str) -> datetime.timedelta | None:
    """RFC 5545 3.3.6."""
    found = _DURATION.fullmatch(text.strip().upper())
    if found is None or not any(found.groups()[1:]):
        return None
    weeks, days, hours, minutes, seconds = (int(one or 0) for one in found.groups()[1:])
    length = datetime.timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -length if found.group(1) == "-" else length


# --- VTIMEZONE --------------------------------------------------------------------------------------------


def rule_of(component: Component) -> Rule | None:
    """The rule that holds last; None: it tells no offset."""
    standard = _latest(component, "STANDARD")
    daylight = _latest(component, "DAYLIGHT")
    if standard is None:
        return None if daylight is None else Rule(-daylight[0])
    west = -standard[0]
    if daylight is None or standard[1] is None or daylight[1] is None:
        return Rule(west)
    return Rule(west, 0, standard[0] - daylight[0], standard[1], daylight[1])


def _latest(component: Component, name: str) -> tuple[int, Change | None] | None:
    """Minutes east of UTC, and when of the year they begin, of the last component of that kind."""
    found: list[tuple[str, int, Change | None]] = []
    for number, one in enumerate(component.of(name)):
        offset = _OFFSET.fullmatch((one.text("TZOFFSETTO") or "").strip())
        if offset is None or number >= MAX_CHANGES:
            continue
        sign, hours, minutes, _ = offset.groups()
        east = (int(hours) * 60 + int(minutes)) * (-1 if sign == "-" else 1)
        begin = one.text("DTSTART") or ""
        found.append((begin, max(min(east, timezones.MAX_BIAS), -timezones.MAX_BIAS), _change(one, begin)))
    return max(found, key=lambda each: each[0])[1:] if found else None


def _change(one: Component, begin: str) -> Change | None:
    """When the year's change is: by its rule, else by the day on which it began."""
    start = _TIME.fullmatch(begin.strip())
    if start is None or start.group(4) is None:
        return None
    try:
        year, month, day, hour, minute = (int(part) for part in start.groups()[:5])
        local = datetime.datetime(year, month, day, hour, minute)  # noqa: DTZ001 - local time
    except ValueError:
        return None
    rule = dict(part.split("=", 1) for part in (one.text("RRULE") or "").upper().split(";") if "=" in part)
    wanted, weekday = rule.get("BYMONTH", str(local.month)), _BYDAY.fullmatch(rule.get("BYDAY", ""))
    if weekday is None:
        week = min((local.day - 1) // 7 + 1, 5)
        return Change(local.month, local.isoweekday() % 7, week, local.hour, local.minute)
    nth = int(weekday.group(1))
    if not wanted.isdecimal() or not 1 <= int(wanted) <= 12 or not (1 <= nth <= 4 or nth in (-1, 5)):
        return None
    week = 5 if nth in (-1, 5) else nth
    return Change(int(wanted), _DAYS.index(weekday.group(2)), week, local.hour, local.minute)


def vtimezone(definition: Definition) -> Component:
    """A zone for readers that do not know its name (MS-OXCICAL 2.1.3.1.1.19)."""
    rule = definition.rules[-1]
    component = Component("VTIMEZONE")
    component.add_text("TZID", definition.name)
    standard, daylight = -(rule.bias + rule.standard), -(rule.bias + rule.daylight)
    if rule.to_standard is None or rule.to_daylight is None:
        daylight = standard
    component.children.append(_observance("STANDARD", daylight, standard, rule.to_standard))
    if daylight != standard:
        component.children.append(_observance("DAYLIGHT", standard, daylight, rule.to_daylight))
    return component


def _observance(name: str, before: int, after: int, change: Change | None) -> Component:
    one = Component(name)
    hour, minute = (change.hour, change.minute) if change else (0, 0)
    one.add("DTSTART", f"16010101T{hour:02}{minute:02}00")
    if change is not None:
        nth = -1 if change.week == 5 else change.week
        one.add("RRULE", f"FREQ=YEARLY;BYDAY={nth}{_DAYS[change.weekday]};BYMONTH={change.month}")
    one.add("TZOFFSETFROM", _offset(before))
    one.add("TZOFFSETTO", _offset(after))
    return one


def _offset(east: int) -> str:
    return f"{'-' if east < 0 else '+'}{abs(east) // 60:02}{abs(east) % 60:02}"


# --- properties -------------------------------------------------------------------------------------------


def put_zone(bag: Bag, when: When, *, recurring: bool) -> None:
    """Say in which zone an appointment is (MS-OXOCAL 2.2.1.39-43); UTC goes without saying."""
    if when.zone is datetime.UTC:
        return
    year = min(max(when.local.year, _YEARS[0]), _YEARS[1])
    if isinstance(when.zone, Zone):
        rule = zonenames.rule_of(when.zone, year)
        flags = timezones.RECURRING | timezones.EFFECTIVE
        definition = Definition(when.tzid[: timezones.MAX_NAME], (replace(rule, flags=flags),))
    else:
        definition = _definition(when.zone, year)
    raw = timezones.write_definition(definition)
    bag[keys.ZONE_START] = bag[keys.ZONE_END] = raw
    bag[keys.ZONE_NAME] = definition.name
    if recurring:
        bag[keys.ZONE_RECUR] = raw
        bag[keys.ZONE_STRUCT] = timezones.write_struct(definition.rules[-1])


@lru_cache(maxsize=256)
def _definition(zone: datetime.tzinfo, year: int) -> Definition:
    """Of a zone that IANA knows; looking for its turns takes a third of a millisecond."""
    return zonenames.definition_of(zone, [year])


def zone_of(bag: Bag) -> tuple[datetime.tzinfo, Definition] | None:
    """The zone of an appointment; None: it tells none."""
    for key in (keys.ZONE_RECUR, keys.ZONE_START, keys.ZONE_END):
        raw = bag.get(key)
        if isinstance(raw, bytes) and raw:
            try:
                definition = timezones.read_definition(raw)
            except BadSyntax:
                continue
            return Zone(definition.rules, definition.name), definition
    raw = bag.get(keys.ZONE_STRUCT)
    if isinstance(raw, bytes) and raw:
        try:
            rule = timezones.read_struct(raw)
        except BadSyntax:
            return None
        name = bag.get(keys.ZONE_NAME)
        definition = Definition(name if isinstance(name, str) and name else "Local", (rule,))
        return Zone(definition.rules, definition.name), definition
    return None
