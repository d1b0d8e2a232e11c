"""Meetings: inviting, answering, changing, calling off, the whole of a series or one occurrence of it.

The organizer's appointment is the meeting; `invite` sends requests, and `MeetingResponse.apply` records in it
what comes back.  Who answers a request has the meeting in the own calendar (MS-OXOCAL 3.1.4).  A message
about one occurrence has that day in its identity; it changes an exception of the series, nothing else.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, TypeVar

from quintet.errors import BadSyntax
from quintet.mapi import pr
from quintet.mapi.api import fields
from quintet.mapi.api.calendar import Appointment, Busy, Occurrence, Response
from quintet.mapi.api.fields import Flag, Moment, Text
from quintet.mapi.api.item import Item, Message
from quintet.mapi.api.people import Person
from quintet.mapi.bag import Bag, Key
from quintet.mapi.convert import calendars
from quintet.mapi.convert import calkeys as keys
from quintet.mapi.convert.caltimes import filetime
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.globalid import GlobalId

if TYPE_CHECKING:
    from quintet.mapi.api.folder import Folder

Span = tuple[datetime.datetime, datetime.datetime]
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


_OF_SERIES = frozenset((  # what a message about one occurrence does not tell
    keys.RECUR, keys.RECURRENCE_TYPE, keys.CLIP_START, keys.CLIP_END, keys.ZONE_RECUR,
))  # fmt: skip


def invite(meeting: Appointment, text: str = "", day: datetime.date | None = None) -> None:
    """Sends requests to everybody who is required or optional; again after a change, as an update.

    Raises MapiError(NO_RECIPIENTS).
    """
    if not meeting.recipients():
        raise MapiError(Code.NO_RECIPIENTS, "nobody is invited")
    again = meeting.is_meeting
    meeting.sender = meeting.store.session.me
    sequence = (meeting.sequence or 0) + 1 if again else 0
    meeting.take({
        keys.STATE: _MEETING,
        keys.SEQUENCE: sequence,
        keys.RESPONSE: int(Response.ORGANIZER),
        keys.OWNER_CHANGE: _now(),
        pr.RESPONSE_REQUESTED: True,
    })  # fmt: skip
    for bag in meeting.mapi._item.recipients:
        if keys.TRACK_STATUS not in bag or (again and day is None):
            bag[keys.TRACK_STATUS] = int(Response.WAITING)
    meeting.mapi._changed = True
    meeting.save()
    request = _letter(meeting, MeetingRequest, text, day)
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


def call_off(meeting: Appointment, text: str = "", day: datetime.date | None = None) -> None:
    """Tells everybody that it does not take place, and deletes it; with ``day`` only that occurrence.

    Raises MapiError(ACCESS_DENIED): somebody else's meeting.
    """
    if meeting.is_meeting and meeting.response is not Response.ORGANIZER:
        raise MapiError(Code.ACCESS_DENIED, "only its organizer calls a meeting off")
    if meeting.is_meeting and meeting.recipients():
        meeting.take({keys.SEQUENCE: (meeting.sequence or 0) + 1})
        letter = _letter(meeting, MeetingCancellation, text, day)
        letter.subject = f"Canceled: {meeting.subject or ''}"
        letter.take({
            keys.STATE: _MEETING | _RECEIVED | _CANCELED,
            keys.BUSY: int(Busy.FREE),
            keys.INTENDED_BUSY: int(Busy.FREE),
            keys.OWNER_CHANGE: _now(),
        })  # fmt: skip
        letter.send()
    if day is None:
        meeting.delete()
    else:
        _drop(meeting, day)


def _drop(meeting: Appointment, day: datetime.date) -> None:
    """Takes one occurrence out of a series.  Raises MapiError(NOT_FOUND): there is none."""
    series = meeting.recurrence
    if series is None:
        raise MapiError(Code.NOT_FOUND, "it is no series")
    meeting.recurrence = series.without(day)
    meeting.save()


def _letter(meeting: Appointment, kind: type[M], text: str, day: datetime.date | None) -> M:
    """A message about a meeting for all who are invited."""
    letter = meeting.store.new(kind)
    letter.take(_told(meeting, day))
    if text:
        letter.body = text
    me = meeting.store.session.me
    letter.to = [one for one in meeting.to if one != me]
    letter.cc = [one for one in (*meeting.cc, *meeting.bcc) if one != me]
    return letter


def _told(meeting: Appointment, day: datetime.date | None) -> Bag:
    """What a message tells of a meeting, or of the occurrence of a day of it."""
    bag = meeting.props()
    told = {key: bag[key] for key in _SHARED if bag.get(key) is not None}
    if day is None:
        return told
    one = meeting.occurrence(day)
    for key in _OF_SERIES:
        told.pop(key, None)
    return told | _of_occurrence(one, told[keys.GLOBAL_ID])


def _of_occurrence(one: Occurrence, identity: bytes) -> Bag:
    """Where one occurrence differs from its series (MS-OXOCAL 3.1.4.7.2)."""
    start, end = filetime(one.start), filetime(one.end)
    own = GlobalId.read(identity)
    return {
        keys.GLOBAL_ID: GlobalId(own.data, one.original.date(), own.created).write(),
        keys.EXCEPTION_REPLACES: filetime(one.original),
        keys.IS_EXCEPTION: True,
        keys.RECURRING: False,
        pr.SUBJECT: one.subject,
        keys.LOCATION: one.location,
        **dict.fromkeys((keys.START, keys.COMMON_START, pr.START_DATE), start),
        **dict.fromkeys((keys.END, keys.COMMON_END, pr.END_DATE), end),
        keys.DURATION: round((one.end - one.start).total_seconds() / 60),
    }


def answer(
    meeting: Appointment,
    response: Response,
    text: str = "",
    day: datetime.date | None = None,
    propose: Span | None = None,
) -> None:
    """Tells the organizer of a meeting in the own calendar; see `Appointment.answer`."""
    organizer = meeting.organizer
    if not meeting.is_meeting or meeting.response is Response.ORGANIZER or organizer is None:
        raise MapiError(Code.ACCESS_DENIED, "there is no other organizer to answer to")
    told = {key: value for key, value in _told(meeting, day).items() if key in _IN_ANSWERS}
    if day is None:
        meeting.take(
            {keys.RESPONSE: int(response), keys.REPLY_TIME: _now(), keys.BUSY: _busy(meeting, response)}
        )
        meeting.save()
    _tell(meeting, organizer, told, response, text, propose)
    if response is Response.DECLINED and day is None:
        meeting.delete()
    elif response is Response.DECLINED and day is not None:
        _drop(meeting, day)


def _busy(about: Item, response: Response) -> int:
    """What an own copy is, after that answer."""
    intended = int(about.get(keys.INTENDED_BUSY, Busy.BUSY))
    return {Response.ACCEPTED: intended, Response.DECLINED: int(Busy.FREE)}.get(response, int(Busy.TENTATIVE))


def _tell(
    about: Item, organizer: Person | None, told: Bag, response: Response, text: str, propose: Span | None
) -> None:
    """Sends an answer about a request, or an appointment."""
    kind, word = _ANSWERS[response]
    letter = about.store.new(kind)
    letter.take(told)
    letter.subject = f"{'New Time Proposed' if propose else word}: {about.subject or ''}"
    letter.body = text
    letter.to = organizer
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


def _now() -> int:
    return fields.filetime(datetime.datetime.now(datetime.UTC))


def identity(item: Item) -> GlobalId | None:
    """Of an appointment, or of a message about one; None: it has none, or a damaged one."""
    raw = item.get(keys.GLOBAL_ID) or item.get(keys.CLEAN_ID)
    try:
        return GlobalId.read(raw) if raw else None
    except BadSyntax:
        return None


class MeetingMessage(Message):
    """What is sent about a meeting."""

    __slots__ = ()

    message_class = "IPM.Schedule.Meeting"

    start = Moment(keys.START)
    end = Moment(keys.END)
    location = Text(keys.LOCATION)

    @property
    def uid(self) -> str:
        found = identity(self)
        return found.uid() if found else ""

    @property
    def day(self) -> datetime.date | None:
        """Of the one occurrence of a series that it is about; None: it is about the whole meeting."""
        found = identity(self)
        return found.instance if found else None

    def appointment(self) -> Appointment | None:
        """The meeting in the own calendar; None: it is not there."""
        return find(self.store.calendar, self)

    def ics(self) -> bytes:
        """As iCalendar, with its METHOD (RFC 5546)."""
        return calendars.write([self.values()]).encode("utf-8")


def find(calendar: Folder, about: MeetingMessage) -> Appointment | None:
    """The appointment in a calendar that a message is about: that occurrence alone, or else the series."""
    wanted = identity(about)
    if wanted is None:
        return None
    series = None
    for item in calendar.items(Appointment, columns=(keys.CLEAN_ID, keys.GLOBAL_ID)):
        own = identity(item)
        if own is None or own.data != wanted.data:
            continue
        if own.instance == wanted.instance:
            return item
        if own.instance is None:
            series = item
    return series


class MeetingRequest(MeetingMessage):
    """An invitation, or an update of one."""

    __slots__ = ()

    message_class = keys.REQUEST

    def accept(self, text: str = "") -> Appointment:
        """Puts it into the calendar and tells the organizer."""
        return self._answer(Response.ACCEPTED, text)

    def tentative(self, text: str = "", *, propose: Span | None = None) -> Appointment:
        """Perhaps; ``propose`` is another time, from and to."""
        return self._answer(Response.TENTATIVE, text, propose)

    def decline(self, text: str = "", *, propose: Span | None = None) -> None:
        """Tells the organizer; what was in the calendar goes."""
        self._answer(Response.DECLINED, text, propose)

    def _answer(self, response: Response, text: str, propose: Span | None = None) -> Appointment:
        own = self._filed(response)
        if self.get(pr.RESPONSE_REQUESTED, True):
            bag = self.props()
            told = {key: bag[key] for key in _IN_ANSWERS if bag.get(key) is not None}
            _tell(self, self.sender, told, response, text, propose)
        if response is Response.DECLINED and not own.is_series_of(self.day):
            own.delete()
        return own

    def _filed(self, response: Response) -> Appointment:
        """The own copy, as the request says it is now."""
        own = self.appointment()
        if own is not None and (own.sequence or 0) > (self.get(keys.SEQUENCE) or 0):
            raise MapiError(Code.OBJECT_CHANGED, "there is a newer request for this meeting")
        if own is not None and own.is_series_of(self.day):
            return self._filed_in(own, response)
        if own is None:
            own = self.store.calendar.create(Appointment, save=False)
        bag = self.props()
        own.take({key: bag[key] for key in _SHARED if bag.get(key) is not None})
        if self.sender is not None:
            own.sender = self.sender
        own.to, own.cc = self.to, self.cc
        own.take({
            keys.STATE: _MEETING | _RECEIVED,
            keys.RESPONSE: int(response),
            keys.BUSY: _busy(self, response),
            keys.REPLY_TIME: _now(),
        })  # fmt: skip
        return own.save()

    def _filed_in(self, series: Appointment, response: Response) -> Appointment:
        """One occurrence of the own copy of a series, as the request says it is now."""
        own, day = series.recurrence, self.day
        assert own is not None
        assert day is not None
        if response is Response.DECLINED:
            series.recurrence = own.without(day)
        else:
            series.recurrence = own.changed(
                day, start=self.start, end=self.end, subject=self.subject, location=self.location
            )
        return series.save()


class MeetingResponse(MeetingMessage):
    """What somebody answered.  `apply` records it in the organizer's appointment."""

    __slots__ = ()

    message_class = "IPM.Schedule.Meeting.Resp"
    says = Response.NONE

    proposes = Flag(keys.COUNTER, doc="another time is proposed")
    proposed_start = Moment(keys.PROPOSED_START)
    proposed_end = Moment(keys.PROPOSED_END)

    def apply(self) -> Appointment | None:
        """Records the answer; gives the appointment, None where it is gone.

        An answer about one `day` of a series is not the answer to the others, and changes nothing.
        """
        own = self.appointment()
        sender = self.sender
        if own is None or sender is None or own.response is not Response.ORGANIZER:
            return None
        if (self.get(keys.SEQUENCE) or 0) < (own.sequence or 0) or own.is_series_of(self.day):
            return own  # it answers what is no longer so, or not the whole
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
        return own.save()

    def take_proposal(self, text: str = "") -> Appointment:
        """Moves the meeting, or the one occurrence, to the time that was proposed, and sends the update."""
        own, start, end = self.apply(), self.proposed_start, self.proposed_end
        if own is None or start is None or end is None:
            raise MapiError(Code.NOT_FOUND, "no meeting, or no other time")
        day, series = self.day, own.recurrence
        if day is not None and series is not None:
            own.recurrence = series.changed(day, start=start, end=end)
            own.save()
        else:
            day = None
            own.start, own.end = start, end
        invite(own, text, day)
        return own


class Acceptance(MeetingResponse):
    __slots__ = ()
    message_class = keys.ACCEPTANCE
    says = Response.ACCEPTED


class Refusal(MeetingResponse):
    __slots__ = ()
    message_class = keys.DECLINE
    says = Response.DECLINED


class Perhaps(MeetingResponse):
    __slots__ = ()
    message_class = keys.TENTATIVE
    says = Response.TENTATIVE


class MeetingCancellation(MeetingMessage):
    """It does not take place."""

    __slots__ = ()

    message_class = keys.CANCELLATION

    def apply(self) -> None:
        """Takes the meeting, or its one occurrence, out of the calendar, if its organizer says so."""
        own, day = self.appointment(), self.day
        if own is None or own.organizer != self.sender:
            return
        if day is not None and own.is_series_of(day):
            _drop(own, day)
        else:
            own.delete()


_ANSWERS: dict[Response, tuple[type[MeetingResponse], str]] = {
    Response.ACCEPTED: (Acceptance, "Accepted"),
    Response.TENTATIVE: (Perhaps, "Tentative"),
    Response.DECLINED: (Refusal, "Declined"),
}
_IN_ANSWERS = {*_SHARED, keys.EXCEPTION_REPLACES, keys.IS_EXCEPTION} - {
    pr.BODY, pr.HTML, pr.INTERNET_CPID, keys.REMINDER_SET,
}  # fmt: skip
