"""Finding a time that suits everybody: what of calendars is taken, and whose calendars there are."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING

from quintet.mapi.api import fields
from quintet.mapi.api.calendar import Busy, between
from quintet.mapi.api.people import Person
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers.base import Special
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.mapi.api.folder import Folder
    from quintet.mapi.api.session import Session
    from quintet.mapi.api.whom import Given


@dataclass(frozen=True, slots=True)
class Taken:
    """A time in which somebody is not free."""

    start: datetime.datetime
    end: datetime.datetime
    busy: Busy


def free_busy(calendar: Folder, start: datetime.datetime, end: datetime.datetime) -> list[Taken]:
    """When the owner of a calendar is not free, in order; times that touch or overlap are one."""
    found: list[Taken] = []
    for one in between(calendar, start, end):
        if one.busy is Busy.FREE:
            continue
        last = found[-1] if found else None
        if last is not None and last.busy is one.busy and one.start <= last.end:
            found[-1] = Taken(last.start, max(last.end, one.end), one.busy)
        else:
            found.append(Taken(one.start, one.end, one.busy))
    return found


_HIDDEN = (
    Code.NOT_SUPPORTED, Code.NOT_FOUND, Code.ACCESS_DENIED, Code.LOGON_FAILED, Code.LOGIN_PERMISSION,
    Code.UNKNOWN_USER,
)  # fmt: skip


def calendars_of(session: Session, people: Given) -> dict[Person, Folder]:
    """Calendars that this session may read: the own one, and those that these people share with us.

    Who is not in it shares none, or is of another system.
    """
    found: dict[Person, Folder] = {}
    for person in session.people(people):
        try:
            store = session.mailbox(person)
            entry = store.special(Special.CALENDAR)
            if entry is not None:
                store.source.messages(entry).ids()  # says at once that one may not
                found[person] = store.folder_of(entry)
        except MapiError as error:
            if error.code not in _HIDDEN:
                raise
    return found


def find_times(
    calendars: Mapping[Person, Folder],
    length: datetime.timedelta,
    start: datetime.datetime,
    end: datetime.datetime,
    *,
    hours: tuple[int, int] = (9, 17),
    step: datetime.timedelta = datetime.timedelta(minutes=30),
    weekends: bool = False,
    most: int = 10,
) -> list[tuple[datetime.datetime, datetime.datetime]]:
    """Times within which all of these people are free, the earliest first.

    ``calendars``: those that `calendars_of` gives, or others by person.  ``hours``: of the day, in the zone
    of ``start``; ``step``: on what a time may begin.
    Raises MapiError(INVALID_PARAMETER): no length, or steps of nothing; TypeError: a time without a zone.
    """
    if not isinstance(calendars, Mapping):
        raise TypeError("find_times takes calendars by person: those of calendars_of(session, people)")
    fields.zoned(start)
    fields.zoned(end)
    if length <= datetime.timedelta() or step <= datetime.timedelta():
        raise MapiError(Code.INVALID_PARAMETER, "a length and a step are positive")
    taken = sorted(
        [(one.start, one.end) for folder in calendars.values() for one in free_busy(folder, start, end)]
    )
    found: list[tuple[datetime.datetime, datetime.datetime]] = []
    at = start
    while at + length <= end and len(found) < most:
        stop = at + length
        clash = next((until for begin, until in taken if begin < stop and until > at), None)
        if clash is not None:
            at += max(-(-(clash - at) // step), 1) * step
        elif _in_hours(at, stop, hours, weekends=weekends):
            found.append((at, stop))
            at += step
        else:
            at += step
    return found


def _in_hours(
    start: datetime.datetime, end: datetime.datetime, hours: tuple[int, int], *, weekends: bool
) -> bool:
    if not weekends and start.weekday() >= 5:
        return False
    day = start.replace(hour=0, minute=0, second=0, microsecond=0)
    return day + datetime.timedelta(hours=hours[0]) <= start and end <= day + datetime.timedelta(
        hours=hours[1]
    )
