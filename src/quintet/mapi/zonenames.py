"""From a tzinfo to the rules that MAPI keeps, and between the names of Windows and of IANA.

The list of names is beside this file and read when first asked.
"""

from __future__ import annotations

import datetime
import functools
import zoneinfo
from collections.abc import Iterable
from dataclasses import replace
from importlib import resources

from quintet.mapi.timezones import EFFECTIVE, RECURRING, Change, Definition, Rule

_MINUTE = datetime.timedelta(minutes=1)
_DAY = datetime.timedelta(days=1)
_STEP = 12 * _DAY  # between looks at an offset: daylight saving time stops for the 29 days of Ramadan

_Turn = tuple[datetime.datetime, datetime.timedelta, datetime.timedelta]  # UTC, offset before, offset after


def definition_of(zone: datetime.tzinfo, years: Iterable[int], name: str = "") -> Definition:
    """A TimeZoneDefinition that agrees with ``zone`` in ``years``, which rise.

    ``name`` is what Windows calls it; without one it is looked up, and else the zone's own name stands there.
    """
    found: list[Rule] = []
    for year in years:
        rule = rule_of(zone, year)
        if not found or replace(found[-1], year=year) != rule:
            found.append(rule)
    found[-1] = replace(found[-1], flags=RECURRING | EFFECTIVE)
    if not name:
        key = getattr(zone, "key", "")  # of a ZoneInfo
        name = windows_name(key, found[-1].year) or key or str(zone)
    return Definition(name[:260], tuple(found))


def rule_of(zone: datetime.tzinfo, year: int) -> Rule:
    """The rule of one year.

    Of a year with more than two turns, or with three offsets, the last two turns are told; of one with a
    single turn, the other is New Year's, so that it agrees throughout.
    """
    turns = _turns(zone, year)[-2:]
    if not turns:
        return Rule(_west(_offset(zone, datetime.datetime(year, 1, 2, tzinfo=datetime.UTC))), year=year)
    changes = {after: _change(utc + before) for utc, before, after in turns}
    if len(turns) == 1:
        changes[turns[0][1]] = Change(1, 0, 1, 0, year=year)
    standard, daylight = min(changes), max(changes)
    saved = _west(daylight) - _west(standard)
    return Rule(_west(standard), 0, saved, changes[standard], changes[daylight], year)


def _turns(zone: datetime.tzinfo, year: int) -> list[_Turn]:
    """When the offset changes in a year of local time, found by halving the steps on which it does."""
    found = []
    low = datetime.datetime(year, 1, 1, tzinfo=datetime.UTC) - _DAY
    stop = low + 368 * _DAY
    before = _offset(zone, low)
    while low < stop:
        high = low + _STEP
        if (after := _offset(zone, high)) != before:
            while high - low > _MINUTE:
                middle = low + (high - low) // 2 // _MINUTE * _MINUTE
                low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
            after = _offset(zone, high)  # where two turns are near each other, that of the first
            if (high + before).year == year:
                found.append((high, before, after))
        low, before = high, after
    return found


def _offset(zone: datetime.tzinfo, utc: datetime.datetime) -> datetime.timedelta:
    return utc.astimezone(zone).utcoffset() or datetime.timedelta(0)


def _west(offset: datetime.timedelta) -> int:
    return -(offset // _MINUTE)


def _change(local: datetime.datetime) -> Change:
    """The day as the nth weekday of its month, the last one where it is."""
    last = (local + 7 * _DAY).month != local.month
    week = 5 if last else (local.day - 1) // 7 + 1
    return Change(local.month, local.isoweekday() % 7, week, local.hour, local.minute)


# --- names ----------------------------------------------------------------------------------------------


@functools.cache
def _names() -> dict[str, str]:
    """IANA zones by the names of Windows."""
    lines = resources.files("quintet.mapi").joinpath("timezones.tsv").read_text("utf-8").splitlines()
    return dict(line.split("\t") for line in lines if not line.startswith("#"))


def iana_zone(name: str) -> zoneinfo.ZoneInfo | None:
    """The zone that Windows, or IANA itself, calls so; None for a name that is not known here."""
    try:
        return zoneinfo.ZoneInfo(_names().get(name, name))
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return None


def windows_name(zone: str, year: int) -> str | None:
    """What Windows calls an IANA zone, else one of the same rules in ``year``."""
    for name, theirs in _names().items():
        if theirs == zone:
            return name
    found = iana_zone(zone)
    return None if found is None else _by_rule(year).get(rule_of(found, year))


def guess(rule: Rule, year: int) -> zoneinfo.ZoneInfo | None:
    """An IANA zone of these rules in ``year``, for a TimeZoneStruct that came without a name."""
    bias = rule.bias + rule.standard
    plain = Rule(
        bias,
        0,
        rule.daylight - rule.standard if rule.to_daylight else 0,
        rule.to_standard,
        rule.to_daylight,
        year,
    )
    name = _by_rule(year).get(plain)
    return None if name is None else iana_zone(name)


@functools.lru_cache(maxsize=4)
def _by_rule(year: int) -> dict[Rule, str]:
    """Names of Windows by their rules in a year: the first of each."""
    found: dict[Rule, str] = {}
    for name in _names():
        zone = iana_zone(name)
        if zone is not None:
            found.setdefault(rule_of(zone, year), name)
    return found
