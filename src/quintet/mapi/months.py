"""Months of the calendars that a recurrence can count in, as numbers of days and of months.

A day is its proleptic Gregorian ordinal, a month the number of months before it.  The Hijri calendar is the
arithmetic one with eleven leap years in thirty, which Windows calls Hijri; calendars that go by the moon's
sighting or by a table are not here.
"""

from __future__ import annotations

import calendar
import datetime
from typing import Protocol

from quintet.values import dataclass

_HIJRI_EPOCH = 227_014  # the day before 1 Muharram of the year 1


class Months(Protocol):
    def number(self, day: int) -> int:
        """The month that a day is in."""

    def first(self, month: int) -> int:
        """The first day of a month."""

    def length(self, month: int) -> int:
        """Days of a month."""


@dataclass(frozen=True, slots=True)
class Gregorian:
    def number(self, day: int) -> int:
        found = datetime.date.fromordinal(day)
        return found.year * 12 + found.month - 1

    def first(self, month: int) -> int:
        if month // 12 > datetime.MAXYEAR:  # a period may lead anywhere
            return datetime.date.max.toordinal() + 1
        return datetime.date(month // 12, month % 12 + 1, 1).toordinal()

    def length(self, month: int) -> int:
        return calendar.monthrange(month // 12, month % 12 + 1)[1]


@dataclass(frozen=True, slots=True)
class Hijri:
    """Months of 30 and 29 days by turns; the last has 30 in a leap year."""

    def number(self, day: int) -> int:
        # 10,631 days are thirty years; from an estimate that is at most one month off
        month = (day - _HIJRI_EPOCH - 1) * 360 // 10_631 + 12
        while self.first(month) > day:
            month -= 1
        while self.first(month + 1) <= day:
            month += 1
        return month

    def first(self, month: int) -> int:
        year, place = month // 12, month % 12
        return _HIJRI_EPOCH + 1 + (year - 1) * 354 + (3 + 11 * year) // 30 + (59 * place + 1) // 2

    def length(self, month: int) -> int:
        return self.first(month + 1) - self.first(month)
