"""Appointments: single ones, series with their exceptions, and what of a calendar is busy."""

from __future__ import annotations

import datetime
import enum
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from quintet.errors import Problem
from quintet.mapi import pr, recur, rrule
from quintet.mapi.api import fields
from quintet.mapi.api.fields import Choice, Field, Flag, Span, Text
from quintet.mapi.api.item import Item
from quintet.mapi.api.people import Person
from quintet.mapi.bag import Bag
from quintet.mapi.convert import calendars, calevents, calseries
from quintet.mapi.convert import calkeys as keys
from quintet.mapi.convert.caltimes import When, put_zone, zone_of
from quintet.mapi.errors import Code, MapiError, of_problem
from quintet.mapi.globalid import GlobalId
from quintet.mapi.providers import derive

if TYPE_CHECKING:
    from quintet.mapi.api.folder import Folder

MAX_OCCURRENCES = 10_000  # that one question gives: a daily series of 27 years


class Busy(enum.IntEnum):
    FREE = 0
    TENTATIVE = 1
    BUSY = 2
    AWAY = 3
    ELSEWHERE = 4


class Response(enum.IntEnum):
    """What somebody said to an invitation (MS-OXOCAL 2.2.1.11)."""

    NONE = 0
    ORGANIZER = 1
    TENTATIVE = 2
    ACCEPTED = 3
    DECLINED = 4
    WAITING = 5


class Zoned(Field[datetime.datetime]):
    """A time of an appointment, told in the appointment's own zone."""

    def __init__(self, key: object, also: Iterable[object], doc: str) -> None:
        super().__init__(key, fields.moment, fields.filetime, also=also, doc=doc)  # type: ignore[arg-type]

    def __get__(self, item, owner=None):  # type: ignore[no-untyped-def]  # as Field has it
        found = super().__get__(item, owner)
        if isinstance(found, datetime.datetime):
            return found.astimezone(item.zone)
        return found

    def __set__(self, item: Item, value: datetime.datetime | datetime.date | None) -> None:
        assert isinstance(item, Appointment)
        if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
            value = datetime.datetime.combine(value, datetime.time(), item.zone)
        if value is not None and value.tzinfo is None:
            value = value.replace(tzinfo=item.zone)
        super().__set__(item, value)
        if value is not None and value.tzinfo not in (None, item.zone, datetime.UTC):
            item.zone = value.tzinfo


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that an appointment takes place; of a series, ``original`` is when it was to be."""

    start: datetime.datetime
    end: datetime.datetime
    subject: str
    location: str
    busy: Busy
    item: Appointment
    original: datetime.datetime


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

    # --- exceptions

    def without(self, day: datetime.date) -> Recurrence:
        """The same, but not on that day.  Raises MapiError(NOT_FOUND): it was not then anyway."""
        midnight = self._midnight(day)
        pattern = self.value.pattern
        changes = tuple(
            [one for one in self.value.changes if one.original // recur.DAY * recur.DAY != midnight]
        )
        pattern = replace(
            pattern,
            deleted=tuple(sorted({*pattern.deleted, midnight})),
            modified=tuple(sorted([one.start // recur.DAY * recur.DAY for one in changes])),
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
        others = [one for one in self.value.changes if one.original // recur.DAY * recur.DAY != midnight]
        changes = tuple(sorted([*others, change], key=lambda one: one.start))
        pattern = replace(
            self.value.pattern,
            deleted=tuple(sorted({*self.value.pattern.deleted, midnight})),
            modified=tuple(sorted([one.start // recur.DAY * recur.DAY for one in changes])),
        )
        return Recurrence(replace(self.value, pattern=pattern, changes=changes), self.zone)

    def _midnight(self, day: datetime.date) -> recur.Minutes:
        if isinstance(day, datetime.datetime):
            day = (self._local(day) if day.tzinfo else day).date()  # type: ignore[union-attr]
        if next(rrule.days(self.value.pattern, day), None) != day:
            raise MapiError(Code.NOT_FOUND, f"nothing of the series is on {day}")
        return recur.minutes(day)

    def __repr__(self) -> str:
        return f"<Recurrence {self.rule}>"


class Appointment(Item):
    """Something at a time, perhaps again and again, perhaps with others."""

    message_class = keys.APPOINTMENT

    start = Zoned(keys.START, (keys.COMMON_START, keys.START_DATE), "when it begins")
    end = Zoned(keys.END, (keys.COMMON_END, keys.END_DATE), "when it ends")
    location = Text(keys.LOCATION)
    whole_day = Flag(keys.WHOLE_DAY)
    busy = Choice(keys.BUSY, Busy)
    private = Flag(keys.PRIVATE)
    remind = Flag(keys.REMINDER_SET)
    remind_before = Span(keys.REMINDER_DELTA)
    response = Choice(keys.RESPONSE, Response, doc="what I said, of a meeting")
    sequence = Field[int](keys.SEQUENCE)
    is_series = Flag(keys.RECURRING, fixed=True)

    _zone: datetime.tzinfo | None = None

    @property
    def zone(self) -> datetime.tzinfo:
        """The zone in which it takes place; that of this machine where it tells none."""
        if self._zone is None:
            found = zone_of(self.props())
            self._zone = found[0] if found else datetime.UTC
        return self._zone

    @zone.setter
    def zone(self, zone: datetime.tzinfo) -> None:
        self._zone = zone

    @property
    def duration(self) -> datetime.timedelta:
        if self.start is None or self.end is None:
            return datetime.timedelta()
        length: datetime.timedelta = self.end - self.start
        return length

    @property
    def uid(self) -> str:
        """Its name in iCalendar, the same in all copies of a meeting; "" before the first `save`."""
        raw = self.get(keys.CLEAN_ID) or self.get(keys.GLOBAL_ID)
        return GlobalId.read(raw).uid() if raw else ""

    # --- who

    @property
    def organizer(self) -> Person | None:
        return self.sender

    @property
    def required(self) -> list[Person]:
        return [one for one in self.to if one != self.organizer]

    @required.setter
    def required(self, who: Person | str | Iterable[Person | str] | None) -> None:
        self.to = who

    @property
    def optional(self) -> list[Person]:
        return self.cc

    @optional.setter
    def optional(self, who: Person | str | Iterable[Person | str] | None) -> None:
        self.cc = who

    @property
    def rooms(self) -> list[Person]:
        """What is booked for it."""
        return self.bcc

    @rooms.setter
    def rooms(self, who: Person | str | Iterable[Person | str] | None) -> None:
        self.bcc = who

    @property
    def is_meeting(self) -> bool:
        return bool((self.value(keys.STATE) or 0) & calevents.IS_MEETING)

    @property
    def responses(self) -> dict[Person, Response]:
        """What the invited said, as far as the organizer's copy knows."""
        return {
            Person.read(bag): Response(bag.get(keys.TRACK_STATUS) or 0)
            for bag in self.mapi._item.recipients
            if bag.get(keys.TRACK_STATUS, 0) in list(Response)
        }

    # --- again and again

    @property
    def recurrence(self) -> Recurrence | None:
        found = calseries.of(self.props())
        return None if found is None else Recurrence(found, self.zone)

    @recurrence.setter
    def recurrence(self, value: Recurrence | str | None) -> None:
        """A `Recurrence`, or an RRULE; needs ``start`` and ``end``."""
        if value is None:
            self.take({keys.RECURRING: False, keys.RECURRENCE_TYPE: 0}, (keys.RECUR,))
            return
        if isinstance(value, str):
            if self.start is None or self.end is None:
                raise MapiError(Code.INVALID_PARAMETER, "a series needs a first start and an end")
            value = Recurrence.of(value, self.start, self.end)
        pattern = value.value.pattern
        last = recur.moment(min(pattern.last, recur.NO_END))
        self.take({
            keys.RECUR: recur.write(value.value),
            keys.RECURRING: True,
            keys.RECURRENCE_TYPE: list(recur.Frequency).index(pattern.frequency) + 1,
            keys.CLIP_START: fields.filetime(recur.moment(pattern.start).replace(tzinfo=datetime.UTC)),
            keys.CLIP_END: fields.filetime(last.replace(tzinfo=datetime.UTC)),
        })  # fmt: skip

    def occurrences(
        self, since: datetime.datetime | None = None, until: datetime.datetime | None = None
    ) -> list[Occurrence]:
        """When it takes place within a time, the changed ones as they are now."""
        series = self.recurrence
        subject, place, busy = self.subject or "", self.location or "", self.busy or Busy.FREE
        if series is None:
            start, end = self.start, self.end
            if start is None or end is None or (until and start >= until) or (since and end <= since < end):
                return []
            if since is not None and end <= since and start < since:
                return []
            return [Occurrence(start, end, subject, place, busy, self, start)]
        found = []
        for one in series.occurrences(since, until):
            change = one.change
            found.append(
                Occurrence(
                    one.start,
                    one.end,
                    subject if change is None or change.subject is None else change.subject,
                    place if change is None or change.location is None else change.location,
                    busy if change is None or change.busy_status is None else Busy(change.busy_status),
                    self,
                    one.original,
                )
            )
        return found

    # --- with others: see `meetings`

    def invite(self, text: str = "") -> None:
        """Sends requests, or after a change an update."""
        from quintet.mapi.api import meetings  # it knows this class

        meetings.invite(self, text)

    def call_off(self, text: str = "") -> None:
        """Tells everybody that it does not take place, and deletes it."""
        from quintet.mapi.api import meetings  # it knows this class

        meetings.call_off(self, text)

    # --- life

    def before_save(self) -> None:
        """Completes what belongs together: duration, zone, identity, reminder."""
        changes: Bag = {}
        start, end = self.start, self.end
        if start is None or end is None or end < start:
            raise MapiError(Code.INVALID_PARAMETER, "an appointment has a start, and an end not before it")
        bag = self.props()
        when = When(start.replace(tzinfo=None), self.zone, bool(self.whole_day))
        put_zone(changes, when, recurring=bool(bag.get(keys.RECURRING)))
        changes[keys.DURATION] = min(round((end - start).total_seconds() / 60), 0x7FFFFFFF)
        if not bag.get(keys.GLOBAL_ID):
            identity = GlobalId.of_uid(str(uuid.uuid4())).write()
            changes |= {keys.GLOBAL_ID: identity, keys.CLEAN_ID: identity}
        if keys.BUSY not in bag:
            changes[keys.BUSY] = Busy.FREE if self.whole_day else Busy.BUSY
        if self.remind:
            delta = bag.get(keys.REMINDER_DELTA, 15)
            at = fields.filetime(start)
            changes |= {
                keys.REMINDER_DELTA: delta,
                keys.REMINDER_TIME: at,
                keys.REMINDER_SIGNAL: at - delta * 600_000_000,
            }
        changes[keys.RECURRING] = bool(bag.get(keys.RECURRING))
        changes[keys.STATE] = bag.get(keys.STATE) or 0
        flags = bag.get(pr.MESSAGE_FLAGS, 0)
        changes[pr.MESSAGE_FLAGS] = flags & ~derive.UNSENT  # it is no draft of a letter
        self.take({key: value for key, value in changes.items() if bag.get(key) != value})

    def ics(self) -> bytes:
        """As iCalendar."""
        return calendars.write([self.values()]).encode("utf-8")


def between(folder: Folder, start: datetime.datetime, end: datetime.datetime) -> list[Occurrence]:
    """What takes place in a calendar from ``start`` on and before ``end``, series too, in order.

    Raises MapiError(INVALID_PARAMETER): ``end`` is before ``start``.
    """
    if end < start:
        raise MapiError(Code.INVALID_PARAMETER, "a time that ends before it begins")
    found: list[Occurrence] = []
    single = (Appointment.start < end) & (Appointment.end > start)
    series = Appointment.is_series == True  # noqa: E712 (a condition)
    columns = (keys.START, keys.END)
    for item in folder.items(Appointment, where=single | series, columns=columns):
        found += item.occurrences(start, end)
    return sorted(found, key=lambda one: (one.start, one.end))
