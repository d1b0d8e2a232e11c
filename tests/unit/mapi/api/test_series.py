"""Series of meetings with several people: one occurrence that changes, another time, other systems."""

from __future__ import annotations

import datetime

from quintet.mapi.api import (
    Appointment,
    MeetingCancellation,
    MeetingRequest,
    MeetingResponse,
    Response,
    Session,
)
from quintet.mapi.errors import Code
from tests.unit.mapi.api.conftest import ANN, BOB, CAROL, DAY, HOUR, at, refused

# --- series with others


def organized(people: dict[str, Session]) -> tuple[Appointment, Session, Session]:
    """A weekly meeting of Ann with Bob and Carol, which both accepted."""
    ann, bob, carol = people[ANN], people[BOB], people[CAROL]
    meeting = ann.store.calendar.create(
        Appointment, subject="Jour fixe", start=at(30, 10), recurrence="FREQ=WEEKLY;COUNT=4",
        location="Room 1", required=["Bob", "Carol"],
    )  # fmt: skip
    meeting.invite()
    for one in (bob, carol):
        one.store.inbox.items(MeetingRequest)[0].accept()
        one.store.inbox.empty()
    for answer in ann.store.inbox.items(MeetingResponse):
        answer.apply()
    ann.store.inbox.empty()
    return meeting.refresh(), bob, carol


def days(session: Session) -> list[str]:
    """What of the meeting stands in a calendar."""
    found = session.store.calendar.items(Appointment)
    return [f"{one.start:%d.%m. %H:%M} {one.location}" for each in found for one in each.occurrences()]


USUAL = ["30.11. 10:00 Room 1", "07.12. 10:00 Room 1", "14.12. 10:00 Room 1", "21.12. 10:00 Room 1"]


def test_one_occurrence_is_moved_for_all(people: dict[str, Session]) -> None:
    meeting, bob, carol = organized(people)
    assert meeting.duration == datetime.timedelta(minutes=30)  # as nobody said how long
    later = at(7, 14, month=12)
    series = meeting.recurrence
    assert series is not None
    meeting.recurrence = series.changed(later.date(), start=later, location="Room 2")
    meeting.invite("Later, once", day=later.date())
    for one in (bob, carol):
        (request,) = one.store.inbox.items(MeetingRequest)
        assert (request.day, request.start) == (later.date(), later)
        assert b"RECURRENCE-ID" in request.ics()
        request.accept()
        assert days(one) == [USUAL[0], "07.12. 14:00 Room 2", *USUAL[2:]]
    for answer in people[ANN].store.inbox.items(MeetingResponse):
        assert answer.day == later.date()
        assert answer.apply() == meeting
    assert set(meeting.refresh().responses.values()) == {Response.ACCEPTED}  # of the series, as before


def test_answers_are_not_lost_to_who_did_not_see_them(people: dict[str, Session]) -> None:
    meeting = people[ANN].store.calendar.create(Appointment, subject="A", start=at(30, 10), required=["Bob"])
    meeting.invite()
    people[BOB].store.inbox.items(MeetingRequest)[0].accept()
    people[ANN].store.inbox.items(MeetingResponse)[0].apply()
    meeting.location = "Room 2"
    refused(Code.OBJECT_CHANGED, meeting.invite)
    assert list(meeting.refresh().responses.values()) == [Response.ACCEPTED]


def test_one_occurrence_is_called_off_for_all(people: dict[str, Session]) -> None:
    meeting, bob, carol = organized(people)
    day = at(14, 10, month=12).date()
    meeting.call_off("A holiday", day=day)
    for one in (bob, carol):
        (message,) = one.store.inbox.items(MeetingCancellation)
        assert message.day == day
        message.apply()
        message.apply()  # again: nothing more happens
        assert days(one) == [*USUAL[:2], USUAL[3]]
    assert days(people[ANN]) == [*USUAL[:2], USUAL[3]]
    refused(Code.NOT_FOUND, meeting.call_off, day=day + DAY)
    alone = people[ANN].store.calendar.create(Appointment, subject="Once", start=at(30, 10))
    refused(Code.NOT_FOUND, alone.call_off, day=alone.start.date())


def test_somebody_cannot_come_once_and_proposes_another_time(people: dict[str, Session]) -> None:
    meeting, bob, _ = organized(people)
    (own,) = bob.store.calendar.items(Appointment)
    own.answer(Response.DECLINED, "On holiday", day=at(7, 10, month=12).date())
    assert days(bob) == [USUAL[0], *USUAL[2:]]
    other = at(21, 16, month=12)
    own.answer(Response.TENTATIVE, "Later?", day=other.date(), propose=(other, other + HOUR))
    refusal, proposal = people[ANN].store.inbox.items(MeetingResponse, order="received")
    assert (refusal.subject, refusal.day) == ("Declined: Jour fixe", at(7, 10, month=12).date())
    assert refusal.apply() == meeting
    assert proposal.proposes
    proposal.take_proposal("Gladly")
    assert days(people[ANN]) == [*USUAL[:3], "21.12. 16:00 Room 1"]
    for request in bob.store.inbox.items(MeetingRequest):
        request.accept()
    assert days(bob) == [USUAL[0], USUAL[2], "21.12. 16:00 Room 1"]
    refused(Code.ACCESS_DENIED, meeting.answer, Response.ACCEPTED)


def test_a_whole_series_goes_to_another_time(people: dict[str, Session]) -> None:
    meeting, bob, _ = organized(people)
    series = meeting.recurrence
    assert series is not None
    meeting.recurrence = series.without(at(14, 10, month=12).date())
    meeting.start, meeting.end = at(30, 15), at(30, 16)
    meeting.invite()
    bob.store.inbox.items(MeetingRequest)[0].accept()
    late = [day.replace("10:00", "15:00") for day in USUAL]
    assert days(bob) == [*late[:2], late[3]]  # what was taken out stays out
    meeting.refresh()
    meeting.start, meeting.end = at(1, 9, month=12), at(1, 10, month=12)  # from another day on: by its rule
    meeting.save()
    assert [day[:12] for day in days(people[ANN])] == [
        "01.12. 09:00",
        "08.12. 09:00",
        "15.12. 09:00",
        "22.12. 09:00",
    ]


def invitation(**changed: str) -> bytes:
    """What another system sends: a series, or one occurrence of it (RFC 5546 3.2.2)."""
    lines = {
        "METHOD": "REQUEST", "SEQUENCE": "0", "START": "20261201T120000Z", "END": "20261201T130000Z",
        "MORE": "RRULE:FREQ=WEEKLY;COUNT=3",
    } | changed  # fmt: skip
    ics = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:{METHOD}\r\nBEGIN:VEVENT\r\nUID:1@example.net\r\n"
        "DTSTAMP:20261101T000000Z\r\nSEQUENCE:{SEQUENCE}\r\nORGANIZER:mailto:zoe@example.net\r\n"
        "ATTENDEE:mailto:ann@example.com\r\nSUMMARY:Elsewhere\r\nDTSTART:{START}\r\nDTEND:{END}\r\n"
        "{MORE}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    ).format(**lines)
    head = (
        f"From: zoe@example.net\r\nTo: {ANN}\r\nSubject: Elsewhere\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/calendar; method={lines['METHOD']}\r\n\r\n"
    )
    return (head + ics).encode()


def test_exceptions_of_another_system(session: Session) -> None:
    """One occurrence that changes or falls out is no reason to touch the others."""
    inbox, calendar = session.store.inbox, session.store.calendar

    def took() -> list[str]:
        found = calendar.items(Appointment)
        return [f"{one.start:%d %H}" for each in found for one in each.occurrences()]

    inbox.add(eml=invitation()).accept()  # type: ignore[attr-defined]
    assert took() == ["01 12", "08 12", "15 12"]
    moved = invitation(
        SEQUENCE="1", START="20261208T150000Z", END="20261208T160000Z", MORE="RECURRENCE-ID:20261208T120000Z"
    )
    inbox.add(eml=moved).accept()  # type: ignore[attr-defined]
    assert took() == ["01 12", "08 15", "15 12"]
    gone = invitation(
        METHOD="CANCEL",
        SEQUENCE="2",
        START="20261215T120000Z",
        END="20261215T130000Z",
        MORE="RECURRENCE-ID:20261215T120000Z",
    )
    inbox.add(eml=gone).apply()  # type: ignore[attr-defined]
    assert took() == ["01 12", "08 15"]
    inbox.add(eml=invitation(METHOD="CANCEL", SEQUENCE="3")).apply()  # type: ignore[attr-defined]
    assert took() == []


def test_who_is_invited_to_one_occurrence_has_that_alone(session: Session) -> None:
    only = invitation(START="20261208T150000Z", END="20261208T160000Z", MORE="RECURRENCE-ID:20261208T120000Z")
    request = session.store.inbox.add(eml=only)
    assert isinstance(request, MeetingRequest)
    own = request.accept()
    assert [f"{one.start:%d %H}" for one in own.occurrences()] == ["08 15"]
    again = invitation(
        SEQUENCE="1", START="20261208T170000Z", END="20261208T180000Z", MORE="RECURRENCE-ID:20261208T120000Z"
    )
    session.store.inbox.add(eml=again).accept()  # type: ignore[attr-defined]
    (found,) = session.store.calendar.items(Appointment)
    assert [f"{one.start:%d %H}" for one in found.occurrences()] == ["08 17"]


def test_damaged_identity_is_no_meeting_of_ours(session: Session) -> None:
    own = session.store.calendar.create(Appointment, subject="Own", start=at(30, 9))
    own["PidLidGlobalObjectId"] = own["PidLidCleanGlobalObjectId"] = b"damaged"
    own.save()
    request = session.store.inbox.add(eml=invitation())
    assert isinstance(request, MeetingRequest)
    assert request.appointment() is None
    request.accept()
    assert len(session.store.calendar.items(Appointment)) == 2


# --- what is told without its order, and what is left out


def test_appointment_by_little(session: Session) -> None:
    calendar = session.store.calendar
    made = calendar.create(Appointment, recurrence="FREQ=DAILY;COUNT=2", start=at(30, 9))
    assert [one.end - one.start for one in made.occurrences()] == [datetime.timedelta(minutes=30)] * 2
    assert calendar.create(Appointment, duration=HOUR, start=at(30, 9)).end == at(30, 10)
    day = calendar.create(Appointment, start=datetime.date(2026, 12, 24), whole_day=True)
    assert day.duration == DAY
    refused(Code.INVALID_PARAMETER, calendar.create, Appointment, subject="When?")
    refused(Code.INVALID_PARAMETER, calendar.create, Appointment, recurrence="FREQ=DAILY")
    refused(Code.INVALID_PARAMETER, calendar.create, Appointment, start=at(30, 9), end=at(30, 8))
    refused(Code.NOT_FOUND, day.occurrence, datetime.date(2026, 12, 24))
