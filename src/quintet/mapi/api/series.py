"""Series: a rule, and what is different on some days."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import replace

from quintet.errors import Problem
from quintet.mapi import recur, rrule
from quintet.mapi.errors import Code, MapiError, of_problem

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
MAX_OCCURRENCES = 10_000  # that one question gives: a daily series of 27 years


class Recurrence:
    """The series of an appointment: a rule, and what is different on some days."""

    def __init__(self, value: recur.Appointment, zone: datetime.tzinfo) -> None:
        self.value, self.zone = value, zone

    @classmethod
    def of(cls, rule: str, start: datetime.datetime, end: datetime.datetime) -> Recurrence:
        """By an RRULE of iCalendar (RFC 5545 3.3.10): ``"FREQ=WEEKLY;BYDAY=MO,WE;COUNT=10"``.

        Raises MapiError(NOT_SUPPORTED): MAPI has no such series; INVALID_PARAMETER: no rule.
        """
        zone = start.tzinfo or datetime.UTC
        local = start.replace(tzinfo=None)
        length = round((end - start).total_seconds() / 60)
        minutes = local.hour * 60 + local.minute
        try:
            pattern = rrule.from_rrule(rule, local, zone)
        except Problem as error:
            raise MapiError(of_problem(error).code, f"{rule}: {error.text}") from error
        return cls(recur.Appointment(pattern, minutes, minutes + length), zone)

    @property
    def rule(self) -> str:
        return rrule.to_rrule(self.value.pattern, time=self.value.start, zone=self.zone)

    @property
    def length(self) -> datetime.timedelta:
        """Of an occurrence."""
        return datetime.timedelta(minutes=self.value.end - self.value.start)

    def first(self) -> datetime.datetime:
        """When the first occurrence begins, or was to begin."""
        return recur.moment(self.value.pattern.start + self.value.start).replace(tzinfo=self.zone)

    def _local(self, at: datetime.datetime | None) -> datetime.datetime | None:
        return None if at is None else at.astimezone(self.zone).replace(tzinfo=None)

    def occurrences(
        self, since: datetime.datetime | None = None, until: datetime.datetime | None = None
    ) -> Iterator[rrule.Occurrence]:
        """Those within a time, with zones; at most `MAX_OCCURRENCES`."""
        found = rrule.occurrences(self.value, self._local(since), self._local(until))
        for _, one in zip(range(MAX_OCCURRENCES), found, strict=False):
            yield replace(
                one,
                start=one.start.replace(tzinfo=self.zone),
                end=one.end.replace(tzinfo=self.zone),
                original=one.original.replace(tzinfo=self.zone),
            )

    def __iter__(self) -> Iterator[rrule.Occurrence]:
        return self.occurrences()

    def on(self, day: datetime.date) -> rrule.Occurrence:
        """The one that the series has on a day, wherever it was moved to.

        Raises MapiError(NOT_FOUND): there is none, or it was taken out.
        """
        midnight = self._midnight(day)
        original = recur.moment(midnight + self.value.start).replace(tzinfo=self.zone)
        for one in self.value.changes:
            if _day(one.original) == midnight:
                begin, stop = [recur.moment(at).replace(tzinfo=self.zone) for at in (one.start, one.end)]
                return rrule.Occurrence(begin, stop, original, one)
        if midnight in self.value.pattern.deleted:
            raise MapiError(Code.NOT_FOUND, f"what was on {day} was taken out of the series")
        return rrule.Occurrence(original, original + self.length, original)

    # --- exceptions

    def without(self, day: datetime.date) -> Recurrence:
        """The same, but not on that day.  Raises MapiError(NOT_FOUND): it was not then anyway."""
        return self._otherwise(self._midnight(day))

    def _otherwise(self, midnight: recur.Minutes, *instead: recur.Change) -> Recurrence:
        """The same, but with ``instead`` for what the rule has on a day, changed or not."""
        others = [one for one in self.value.changes if _day(one.original) != midnight]
        changes = tuple(sorted([*others, *instead], key=lambda one: one.start))
        pattern = replace(
            self.value.pattern,
            deleted=tuple(sorted({*self.value.pattern.deleted, midnight})),
            modified=tuple(sorted([_day(one.start) for one in changes])),
        )
        return Recurrence(replace(self.value, pattern=pattern, changes=changes), self.zone)

    def changed(
        self,
        day: datetime.date,
        *,
        start: datetime.datetime | None = None,
        end: datetime.datetime | None = None,
        subject: str | None = None,
        location: str | None = None,
    ) -> Recurrence:
        """The same, but that day otherwise.  Raises MapiError(NOT_FOUND): it is not on that day."""
        midnight = self._midnight(day)
        usual_start = recur.moment(midnight + self.value.start)
        usual_end = recur.moment(midnight + self.value.end)
        begin = self._local(start) if start is not None else usual_start
        assert begin is not None
        stop = self._local(end) if end is not None else begin + (usual_end - usual_start)
        assert stop is not None
        change = recur.Change(
            recur.minutes(begin), recur.minutes(stop), midnight + self.value.start, subject, location=location
        )
        return self._otherwise(midnight, change)

    def moved(self, start: datetime.datetime, end: datetime.datetime) -> Recurrence:
        """The same series from another first start on.

        At another hour of the same day each occurrence moves, but for those that were changed; from another
        day on it is a new series by the same rule, without exceptions.
        """
        begin, stop = self._local(start), self._local(end)
        assert begin is not None
        assert stop is not None
        old, first = self.value, recur.moment(self.value.pattern.start)
        if begin.date() != first.date():
            return Recurrence.of(_unbound(self.rule, first), start.astimezone(self.zone), end)
        at = begin.hour * 60 + begin.minute
        length = round((stop - begin).total_seconds() / 60)
        changes = tuple([replace(one, original=_day(one.original) + at) for one in old.changes])
        return Recurrence(replace(old, start=at, end=at + length, changes=changes), self.zone)

    def has(self, day: datetime.date) -> bool:
        """The rule falls on that day, whatever became of it."""
        return next(rrule.days(self.value.pattern, day), None) == day

    def _midnight(self, day: datetime.date) -> recur.Minutes:
        if isinstance(day, datetime.datetime):
            day = (self._local(day) if day.tzinfo else day).date()  # type: ignore[union-attr]
        if not self.has(day):
            raise MapiError(Code.NOT_FOUND, f"nothing of the series is on {day}")
        return recur.minutes(day)

    def __repr__(self) -> str:
        return f"<Recurrence {self.rule}>"


def _day(at: recur.Minutes) -> recur.Minutes:
    """The midnight before."""
    return at // recur.DAY * recur.DAY


def _unbound(rule: str, first: datetime.datetime) -> str:
    """A rule without the day of its first start, where it only says that: it follows the start then."""
    parts = dict([part.split("=", 1) for part in rule.split(";")])
    if parts["FREQ"] == "WEEKLY" and parts.get("BYDAY") == WEEKDAYS[first.weekday()]:
        del parts["BYDAY"]
    if parts.get("BYMONTHDAY") == str(first.day):
        del parts["BYMONTHDAY"]
        if parts.get("BYMONTH") == str(first.month):
            del parts["BYMONTH"]
    return ";".join([f"{name}={value}" for name, value in parts.items()])
