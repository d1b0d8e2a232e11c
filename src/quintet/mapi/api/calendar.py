"""Appointments: single ones, series with their exceptions, and what of a calendar is busy."""

from __future__ import annotations

import datetime
import enum
import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from quintet.mapi import pr, recur, rrule
from quintet.mapi.api import fields
from quintet.mapi.api.fields import Choice, Field, Flag, Span, Text
from quintet.mapi.api.item import Item
from quintet.mapi.api.people import Person
from quintet.mapi.api.series import Recurrence
from quintet.mapi.bag import Bag
from quintet.mapi.convert import calendars, calevents, calseries
from quintet.mapi.convert import calkeys as keys
from quintet.mapi.convert.caltimes import When, put_zone, zone_of
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.globalid import GlobalId
from quintet.mapi.providers import derive
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.mapi.api.folder import Folder

USUAL = datetime.timedelta(minutes=30)  # of an appointment whose end nobody told


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
        item._moved = True
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


class Appointment(Item):
    """Something at a time, perhaps again and again, perhaps with others."""

    __slots__ = ("_moved", "_zone")

    message_class = keys.APPOINTMENT
    late = ("end", "duration", "recurrence")

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

    _zone: datetime.tzinfo
    _moved: bool  # somebody set its start or end since it was read

    @property
    def zone(self) -> datetime.tzinfo:
        """The zone in which it takes place; UTC where it tells none."""
        if not hasattr(self, "_zone"):
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

    @duration.setter
    def duration(self, length: datetime.timedelta) -> None:
        """Raises MapiError(INVALID_PARAMETER): it has no start yet."""
        if self.start is None:
            raise MapiError(Code.INVALID_PARAMETER, "a length needs a start")
        self.end = self.start + length

    def _complete(self) -> None:
        """Without an end it takes half an hour, or the day.

        Raises MapiError(INVALID_PARAMETER): there is no start, or the end is before it.
        """
        if self.start is None:
            raise MapiError(Code.INVALID_PARAMETER, "an appointment has a start")
        if self.end is None:
            self.duration = datetime.timedelta(days=1) if self.whole_day else USUAL
        if self.end < self.start:
            raise MapiError(Code.INVALID_PARAMETER, "an appointment ends after it begins")

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
        """A `Recurrence`, or an RRULE; needs ``start``."""
        if value is None:
            self.take({keys.RECURRING: False, keys.RECURRENCE_TYPE: 0}, (keys.RECUR,))
            return
        if isinstance(value, str):
            self._complete()
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
        if series is not None:
            return [self._occurrence(one) for one in series.occurrences(since, until)]
        start, end = self.start, self.end
        if start is None or end is None or (until is not None and start >= until):
            return []
        if since is not None and end <= since and start < since:
            return []
        return [self._occurrence(rrule.Occurrence(start, end, start))]

    def _occurrence(self, one: rrule.Occurrence) -> Occurrence:
        found = Occurrence(
            one.start,
            one.end,
            self.subject or "",
            self.location or "",
            self.busy or Busy.FREE,
            self,
            one.original,
        )
        change = one.change
        if change is None:
            return found
        return replace(
            found,
            subject=found.subject if change.subject is None else change.subject,
            location=found.location if change.location is None else change.location,
            busy=found.busy if change.busy_status is None else Busy(change.busy_status),
        )

    def is_series_of(self, day: datetime.date | None) -> bool:
        """It is a series that has something on that day, or had before that was taken out."""
        series = self.recurrence
        return day is not None and series is not None and series.has(day)

    def occurrence(self, day: datetime.date) -> Occurrence:
        """That of a day of the series.  Raises MapiError(NOT_FOUND): there is none."""
        series = self.recurrence
        if series is None:
            raise MapiError(Code.NOT_FOUND, "it is no series")
        return self._occurrence(series.on(day))

    # --- with others: see `meetings`

    def invite(self, text: str = "", *, day: datetime.date | None = None) -> None:
        """Sends requests, or after a change an update; only of the occurrence of a ``day`` of a series."""
        from quintet.mapi.api import meetings  # it knows this class

        meetings.invite(self, text, day)

    def call_off(self, text: str = "", *, day: datetime.date | None = None) -> None:
        """Tells everybody that it does not take place, and deletes it; or only what is on a ``day``."""
        from quintet.mapi.api import meetings  # it knows this class

        meetings.call_off(self, text, day)

    def answer(
        self,
        response: Response,
        text: str = "",
        *,
        day: datetime.date | None = None,
        propose: tuple[datetime.datetime, datetime.datetime] | None = None,
    ) -> None:
        """Tells the organizer something else than before, of all or of the occurrence of a ``day``.

        What is declined goes.  Raises MapiError(ACCESS_DENIED): it is one's own, or no meeting.
        """
        from quintet.mapi.api import meetings  # it knows this class

        meetings.answer(self, response, text, day, propose)

    # --- life

    def before_save(self) -> None:
        """Completes what belongs together: duration, zone, identity, reminder."""
        changes: Bag = {}
        self._complete()
        start, end = self.start, self.end
        assert start is not None
        assert end is not None
        series = self.recurrence if getattr(self, "_moved", False) else None
        if series is not None and (series.first(), series.length) != (start, end - start):
            self.recurrence = series.moved(start, end)
        self._moved = False
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

    Raises MapiError(INVALID_PARAMETER): ``end`` is before ``start``; TypeError: a time has no zone.
    """
    if fields.zoned(end) < fields.zoned(start):
        raise MapiError(Code.INVALID_PARAMETER, "a time that ends before it begins")
    found: list[Occurrence] = []
    single = (Appointment.start < end) & (Appointment.end > start)
    series = Appointment.is_series == True  # noqa: E712 (a condition)
    columns = (keys.START, keys.END)
    for item in folder.items(Appointment, where=single | series, columns=columns):
        found += item.occurrences(start, end)
    return sorted(found, key=lambda one: (one.start, one.end))
