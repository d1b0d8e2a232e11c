"""Meetings: inviting, answering, changing, calling off; and finding a time that suits everybody.

The organizer's appointment is the meeting; `invite` sends requests, and `MeetingResponse.apply` records in it
what comes back.  Who answers a request has the meeting in the own calendar (MS-OXOCAL 3.1.4).
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from quintet.mapi import pr
from quintet.mapi.api import fields
from quintet.mapi.api.calendar import Appointment, Busy, Response, between
from quintet.mapi.api.fields import Flag, Moment, Text
from quintet.mapi.api.item import Message
from quintet.mapi.api.people import Person
from quintet.mapi.bag import Key
from quintet.mapi.convert import calkeys as keys
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.globalid import GlobalId
from quintet.mapi.providers.base import Special

if TYPE_CHECKING:
    from quintet.mapi.api.folder import Folder
    from quintet.mapi.api.session import Session
    from quintet.mapi.api.store import Store

M = TypeVar("M", bound=Message)
_NEW, _FULL_UPDATE = 0x1, 0x10000  # PidLidMeetingType, MS-OXOCAL 2.2.6.5
_MEETING, _RECEIVED, _CANCELED = 1, 2, 4  # PidLidAppointmentStateFlags, 2.2.1.10
# what a request tells of its appointment
_SHARED: tuple[Key, ...] = (
    pr.SUBJECT, pr.BODY, pr.HTML, pr.INTERNET_CPID, pr.START_DATE, pr.END_DATE, pr.SENSITIVITY, pr.IMPORTANCE,
    keys.START, keys.END, keys.DURATION, keys.WHOLE_DAY, keys.LOCATION, keys.COMMON_START, keys.COMMON_END,
    keys.RECUR, keys.RECURRING, keys.RECURRENCE_TYPE, keys.CLIP_START, keys.CLIP_END, keys.ZONE_STRUCT,
    keys.ZONE_NAME, keys.ZONE_START, keys.ZONE_END, keys.ZONE_RECUR, keys.GLOBAL_ID, keys.CLEAN_ID,
    keys.SEQUENCE, keys.REMINDER_SET, keys.REMINDER_DELTA, keys.REMINDER_TIME, keys.REMINDER_SIGNAL,
    keys.NO_COUNTER, keys.PRIVATE,
)  # fmt: skip


def invite(meeting: Appointment, text: str = "") -> None:
    """Sends requests to everybody who is required or optional; again after a change, as an update.

    Raises MapiError(NO_RECIPIENTS).
    """
    store = meeting.store
    me = store.session.me
    if not meeting.recipients():
        raise MapiError(Code.NO_RECIPIENTS, "nobody is invited")
    again = meeting.is_meeting
    meeting.sender = me
    sequence = (meeting.sequence or 0) + 1 if again else 0
    meeting.take({
        keys.STATE: _MEETING,
        keys.SEQUENCE: sequence,
        keys.RESPONSE: int(Response.ORGANIZER),
        keys.OWNER_CHANGE: _now(),
        pr.RESPONSE_REQUESTED: True,
    })  # fmt: skip
    for bag in meeting.mapi._item.recipients:
        if again or keys.TRACK_STATUS not in bag:
            bag[keys.TRACK_STATUS] = int(Response.WAITING)
    meeting.mapi._changed = True
    meeting.save(force=True)
    request = _letter(meeting, MeetingRequest, text)
    request.take({
        keys.MEETING_TYPE: _FULL_UPDATE if again else _NEW,
        keys.INTENDED_BUSY: int(meeting.busy or Busy.BUSY),
        keys.BUSY: int(Busy.TENTATIVE),
        keys.STATE: _MEETING | _RECEIVED,
        keys.RESPONSE: int(Response.WAITING),
        pr.RESPONSE_REQUESTED: True,
        pr.REPLY_REQUESTED: True,
    })  # fmt: skip
    request.send()


def call_off(meeting: Appointment, text: str = "") -> None:
    """Tells everybody that it does not take place, and deletes it.

    Raises MapiError(ACCESS_DENIED): somebody else's meeting.
    """
    if meeting.is_meeting and meeting.response is not Response.ORGANIZER:
        raise MapiError(Code.ACCESS_DENIED, "only its organizer calls a meeting off")
    if meeting.is_meeting and meeting.recipients():
        meeting.take({keys.SEQUENCE: (meeting.sequence or 0) + 1})
        letter = _letter(meeting, MeetingCancellation, text)
        letter.subject = f"Canceled: {meeting.subject or ''}"
        letter.take({
            keys.STATE: _MEETING | _RECEIVED | _CANCELED,
            keys.BUSY: int(Busy.FREE),
            keys.INTENDED_BUSY: int(Busy.FREE),
            keys.OWNER_CHANGE: _now(),
        })  # fmt: skip
        letter.send()
    meeting.delete()


def _letter(meeting: Appointment, kind: type[M], text: str) -> M:
    """A message about a meeting for all who are invited."""
    letter = meeting.store.new(kind)
    bag = meeting.props()
    letter.take({key: bag[key] for key in _SHARED if bag.get(key) is not None})
    if text:
        letter.body = text
    me = meeting.store.session.me
    letter.to = [one for one in meeting.to if one != me]
    letter.cc = [one for one in (*meeting.cc, *meeting.bcc) if one != me]
    return letter


def _now() -> int:
    return fields.filetime(datetime.datetime.now(datetime.UTC))


class MeetingMessage(Message):
    """What is sent about a meeting."""

    message_class = "IPM.Schedule.Meeting"

    start = Moment(keys.START)
    end = Moment(keys.END)
    location = Text(keys.LOCATION)

    @property
    def uid(self) -> str:
        raw = self.get(keys.CLEAN_ID) or self.get(keys.GLOBAL_ID)
        return GlobalId.read(raw).uid() if raw else ""

    def appointment(self) -> Appointment | None:
        """The meeting in the own calendar; None: it is not there."""
        return find(self.store.calendar, self)


def find(calendar: Folder, about: MeetingMessage) -> Appointment | None:
    """The appointment in a calendar that a message is about."""
    wanted = about.get(keys.CLEAN_ID) or about.get(keys.GLOBAL_ID)
    if not wanted:
        return None
    clean = GlobalId.read(wanted).clean().write()
    for item in calendar.items(Appointment, columns=(keys.CLEAN_ID, keys.GLOBAL_ID)):
        raw = item.get(keys.CLEAN_ID) or item.get(keys.GLOBAL_ID)
        if raw and GlobalId.read(raw).clean().write() == clean:
            return item
    return None


class MeetingRequest(MeetingMessage):
    """An invitation, or an update of one."""

    message_class = keys.REQUEST

    def accept(self, text: str = "") -> Appointment:
        """Puts it into the calendar and tells the organizer."""
        return self._answer(Response.ACCEPTED, text)

    def tentative(
        self, text: str = "", *, propose: tuple[datetime.datetime, datetime.datetime] | None = None
    ) -> Appointment:
        """Perhaps; ``propose`` is another time, from and to."""
        return self._answer(Response.TENTATIVE, text, propose)

    def decline(
        self, text: str = "", *, propose: tuple[datetime.datetime, datetime.datetime] | None = None
    ) -> None:
        """Tells the organizer; what was in the calendar goes."""
        self._answer(Response.DECLINED, text, propose)

    def _answer(
        self,
        response: Response,
        text: str,
        propose: tuple[datetime.datetime, datetime.datetime] | None = None,
    ) -> Appointment:
        own = self._filed(response)
        if self.get(pr.RESPONSE_REQUESTED, True):
            self._tell(response, text, propose)
        if response is Response.DECLINED:
            own.delete()
        return own

    def _filed(self, response: Response) -> Appointment:
        """The own copy, as the request says it is now."""
        own = self.appointment()
        if own is not None and (own.sequence or 0) > (self.get(keys.SEQUENCE) or 0):
            raise MapiError(Code.OBJECT_CHANGED, "there is a newer request for this meeting")
        if own is None:
            own = self.store.calendar.create(Appointment, save=False)
        bag = self.props()
        own.take({key: bag[key] for key in _SHARED if bag.get(key) is not None})
        if self.sender is not None:
            own.sender = self.sender
        own.to, own.cc = self.to, self.cc
        busy = {Response.ACCEPTED: self.get(keys.INTENDED_BUSY, Busy.BUSY), Response.DECLINED: Busy.FREE}
        own.take({
            keys.STATE: _MEETING | _RECEIVED,
            keys.RESPONSE: int(response),
            keys.BUSY: int(busy.get(response, Busy.TENTATIVE)),
            keys.REPLY_TIME: _now(),
        })  # fmt: skip
        return own.save(force=True)

    def _tell(
        self, response: Response, text: str, propose: tuple[datetime.datetime, datetime.datetime] | None
    ) -> None:
        kind, word = _ANSWERS[response]
        letter = self.store.new(kind)
        bag = self.props()
        letter.take({key: bag[key] for key in _IN_ANSWERS if bag.get(key) is not None})
        letter.subject = f"{'New Time Proposed' if propose else word}: {self.subject or ''}"
        letter.body = text
        letter.to = [self.sender] if self.sender else []
        letter.take({keys.ATTENDEE_CHANGE: _now(), keys.REPLY_TIME: _now()})
        if propose is not None:
            start, end = propose
            letter.take({
                keys.COUNTER: True,
                keys.PROPOSED_START: fields.filetime(start),
                keys.PROPOSED_END: fields.filetime(end),
                keys.PROPOSED_DURATION: round((end - start).total_seconds() / 60),
            })  # fmt: skip
        letter.send()


class MeetingResponse(MeetingMessage):
    """What somebody answered.  `apply` records it in the organizer's appointment."""

    message_class = "IPM.Schedule.Meeting.Resp"
    says = Response.NONE

    proposes = Flag(keys.COUNTER, doc="another time is proposed")
    proposed_start = Moment(keys.PROPOSED_START)
    proposed_end = Moment(keys.PROPOSED_END)

    def apply(self) -> Appointment | None:
        """Records the answer; gives the appointment, None where it is gone."""
        own = self.appointment()
        sender = self.sender
        if own is None or sender is None or own.response is not Response.ORGANIZER:
            return None
        if (self.get(keys.SEQUENCE) or 0) < (own.sequence or 0):
            return own  # it answers what is no longer so
        known = False
        for bag in own.mapi._item.recipients:
            if Person.read(bag) == sender:
                bag[keys.TRACK_STATUS] = int(self.says)
                known = True
        if not known:  # somebody whom another one sent
            own.mapi._add_recipients(
                [{**sender.bag(), pr.RECIPIENT_TYPE: 2, keys.TRACK_STATUS: int(self.says)}], keep=True
            )
        own.mapi._changed, own.mapi._row = True, None
        return own.save(force=True)

    def take_proposal(self, text: str = "") -> Appointment:
        """Moves the meeting to the time that was proposed, and sends the update."""
        own = self.apply()
        if own is None or self.proposed_start is None or self.proposed_end is None:
            raise MapiError(Code.NOT_FOUND, "no meeting, or no other time")
        own.start, own.end = self.proposed_start, self.proposed_end
        invite(own, text)
        return own


class Acceptance(MeetingResponse):
    message_class = keys.ACCEPTANCE
    says = Response.ACCEPTED


class Refusal(MeetingResponse):
    message_class = keys.DECLINE
    says = Response.DECLINED


class Perhaps(MeetingResponse):
    message_class = keys.TENTATIVE
    says = Response.TENTATIVE


class MeetingCancellation(MeetingMessage):
    """It does not take place."""

    message_class = keys.CANCELLATION

    def apply(self) -> None:
        """Takes the meeting out of the calendar, if it is its organizer who says so."""
        own = self.appointment()
        if own is not None and own.organizer == self.sender:
            own.delete()


_ANSWERS: dict[Response, tuple[type[MeetingResponse], str]] = {
    Response.ACCEPTED: (Acceptance, "Accepted"),
    Response.TENTATIVE: (Perhaps, "Tentative"),
    Response.DECLINED: (Refusal, "Declined"),
}
_IN_ANSWERS = tuple(
    [key for key in _SHARED if key not in (pr.BODY, pr.HTML, pr.INTERNET_CPID, keys.REMINDER_SET)]
)


# --- finding a time -----------------------------------------------------------------------------------------


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


def calendars_of(session: Session, people: Iterable[Person]) -> dict[Person, Folder]:
    """Calendars that this session may read: the own one, and those of stores that belong to these people.

    Who is not in it has none that is shared with us.
    """
    found: dict[Person, Folder] = {}
    for person in people:
        store = session.store if person == session.me else _store_of(session, person)
        entry = store.special(Special.CALENDAR) if store is not None else None
        if store is not None and entry is not None:
            found[person] = store.folder_of(entry)
    return found


def _store_of(session: Session, person: Person) -> Store | None:
    for store in session.stores:
        owner = store.source.props().get(pr.MAILBOX_OWNER_NAME) or store.name
        if person.address and person.address in str(owner).lower():
            return store
    return None


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

    ``hours``: of the day, in the zone of ``start``; ``step``: on what a time may begin.
    Raises MapiError(INVALID_PARAMETER): no length, or steps of nothing.
    """
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
