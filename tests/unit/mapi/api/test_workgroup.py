"""Planning with others: appointments, meetings, tasks, contacts and documents."""

from __future__ import annotations

import datetime

import icalendar
import pytest
import vobject

from quintet import mapi
from quintet.mapi.api import (
    Appointment,
    Busy,
    Contact,
    Document,
    Group,
    MeetingCancellation,
    MeetingRequest,
    MeetingResponse,
    Message,
    Note,
    Person,
    Progress,
    Recurrence,
    Response,
    Session,
    Task,
    TaskRequest,
    TaskUpdate,
    tasks,
)
from quintet.mapi.errors import Code
from quintet.mapi.providers.base import Can
from tests.unit.mapi.api.conftest import ANN, BOB, CAROL, DAY, HOUR, UTC, at, refused

# --- appointments


def test_appointment_keeps_its_time_and_zone(session: Session) -> None:
    made = session.store.calendar.create(
        Appointment, subject="Dentist", start=at(30, 9), end=at(30, 10), location="Town", busy=Busy.AWAY,
        remind=True, remind_before=datetime.timedelta(minutes=30), categories=["health"],
    )  # fmt: skip
    found = session.store.item(made.id)
    assert isinstance(found, Appointment)
    assert (found.start, found.end, found.duration) == (at(30, 9), at(30, 10), HOUR)
    assert found.start.utcoffset() == HOUR  # as clocks there show it
    assert (found.subject, found.location, found.busy) == ("Dentist", "Town", Busy.AWAY)
    assert (found.remind, found.remind_before) == (True, datetime.timedelta(minutes=30))
    assert found.categories == ["health"]
    calendar = icalendar.Calendar.from_ical(found.ics())
    (event,) = calendar.walk("VEVENT")
    assert event.decoded("DTSTART").astimezone(UTC) == at(30, 9)
    assert str(event["UID"]) == found.uid
    again = session.store.calendar.add(ics=found.ics())
    assert isinstance(again, Appointment)
    assert (again.start, again.uid) == (found.start, found.uid)
    refused(Code.INVALID_PARAMETER, session.store.calendar.create, Appointment, subject="No time")
    refused(
        Code.INVALID_PARAMETER, session.store.calendar.create, Appointment, start=at(30, 9), end=at(30, 8)
    )


def test_series_with_exceptions(session: Session) -> None:
    calendar = session.store.calendar
    made = calendar.create(Appointment, subject="Standup", start=at(2, 9), end=at(2, 9, 15), save=False)
    made.recurrence = "FREQ=WEEKLY;BYDAY=MO,WE;COUNT=6"
    assert made.recurrence is not None
    series = made.recurrence.without(datetime.date(2026, 11, 9)).changed(
        datetime.date(2026, 11, 11), start=at(12, 11), subject="Late standup"
    )
    made.recurrence = series
    made.save()
    found = session.store.item(made.id)
    assert isinstance(found, Appointment)
    assert found.is_series is True
    assert [(one.start, one.subject) for one in found.occurrences()] == [
        (at(2, 9), "Standup"), (at(4, 9), "Standup"), (at(12, 11), "Late standup"), (at(16, 9), "Standup"),
        (at(18, 9), "Standup"),
    ]  # fmt: skip
    calendar.create(Appointment, subject="Once", start=at(4, 8), end=at(4, 9, 10))
    shown = mapi.between(calendar, at(3, 0), at(13, 0))
    assert [one.subject for one in shown] == ["Once", "Standup", "Late standup"]
    assert mapi.free_busy(calendar, at(3, 0), at(5, 0))[0].end == at(4, 9, 15)  # what overlaps is one
    refused(Code.NOT_FOUND, series.without, datetime.date(2026, 11, 10))
    refused(Code.NOT_SUPPORTED, Recurrence.of, "FREQ=SECONDLY", at(2, 9), at(2, 10))
    refused(Code.INVALID_PARAMETER, Recurrence.of, "every Monday", at(2, 9), at(2, 10))
    made.recurrence = None
    assert len(made.save().occurrences()) == 1


def test_daily_series_keeps_its_hour_when_clocks_change() -> None:
    start = at(24, 9, month=10)
    series = Recurrence.of("FREQ=DAILY;COUNT=3", start, start + HOUR)
    assert [one.start.utcoffset() for one in series] == [2 * HOUR, HOUR, HOUR]
    assert [one.start.hour for one in series] == [9, 9, 9]
    assert series.rule.startswith("FREQ=DAILY")


# --- meetings


def test_meeting_is_proposed_answered_changed_and_called_off(people: dict[str, Session]) -> None:
    ann, bob, carol = (people[one] for one in (ANN, BOB, CAROL))
    meeting = ann.store.calendar.create(
        Appointment, subject="Plan", start=at(30, 14), end=at(30, 15), location="Room 1",
        required=["Bob"], optional=[CAROL],
    )  # fmt: skip
    meeting.invite("Please come")
    assert meeting.responses == {Person(BOB): Response.WAITING, Person(CAROL): Response.WAITING}
    (request,) = bob.store.inbox.items(MeetingRequest)
    assert (request.subject, request.start, request.location) == ("Plan", at(30, 14), "Room 1")
    assert (request.body or "").strip() == "Please come"
    own = request.accept("I will be there")
    assert (own.busy, own.response, own.organizer) == (Busy.BUSY, Response.ACCEPTED, Person(ANN))
    assert [one.subject for one in bob.store.calendar] == ["Plan"]
    (other,) = carol.store.inbox.items(MeetingRequest)
    other.tentative(propose=(at(30, 16), at(30, 17)))
    answers = {one.sender: one for one in ann.store.inbox.items(MeetingResponse)}
    assert set(answers) == {Person(BOB), Person(CAROL)}
    answers[Person(BOB)].apply()
    moved = answers[Person(CAROL)].take_proposal("At four then")
    assert (moved.start, moved.sequence) == (at(30, 16), 1)
    update = bob.store.inbox.items(MeetingRequest)[-1]
    refused(Code.OBJECT_CHANGED, request.accept) if update.accept().sequence else None
    (kept,) = bob.store.calendar.items(Appointment)
    assert (kept.start, kept.uid) == (at(30, 16), meeting.uid)
    late = answers[Person(BOB)].apply()  # an answer to the old time changes nothing
    assert late is not None
    assert late.responses[Person(BOB)] is Response.WAITING
    ann.store.inbox.items(MeetingResponse)[-1].apply()
    assert ann.store.item(meeting.id).responses[Person(BOB)] is Response.ACCEPTED  # type: ignore[attr-defined]
    refused(Code.ACCESS_DENIED, kept.call_off)
    found = ann.store.item(meeting.id)
    assert isinstance(found, Appointment)
    found.call_off("No more")
    (notice,) = bob.store.inbox.items(MeetingCancellation)
    notice.apply()
    assert len(bob.store.calendar) == 0
    assert len(ann.store.calendar) == 0


def test_who_declines_has_it_no_more(people: dict[str, Session]) -> None:
    ann, bob = people[ANN], people[BOB]
    meeting = ann.store.calendar.create(
        Appointment, subject="Plan", start=at(30, 14), end=at(30, 15), required=[BOB]
    )
    meeting.invite()
    bob.store.inbox.items(MeetingRequest)[0].decline("Sorry")
    assert len(bob.store.calendar) == 0
    (answer,) = ann.store.inbox.items(MeetingResponse)
    assert answer.subject == "Declined: Plan"
    own = answer.apply()
    assert own is not None
    assert own.responses == {Person(BOB): Response.DECLINED}
    lonely = ann.store.calendar.create(Appointment, subject="Alone", start=at(30, 9), end=at(30, 10))
    refused(Code.NO_RECIPIENTS, lonely.invite)


def test_time_that_suits_everybody(people: dict[str, Session]) -> None:
    ann, bob = people[ANN], people[BOB]
    ann.store.calendar.create(Appointment, subject="A", start=at(30, 9), end=at(30, 11))
    bob.store.calendar.create(Appointment, subject="B", start=at(30, 11), end=at(30, 16, 10))
    bob.store.calendar.create(Appointment, subject="free", start=at(30, 9), end=at(30, 17), busy=Busy.FREE)
    calendars = {ann.me: ann.store.calendar, bob.me: bob.store.calendar}
    found = mapi.find_times(calendars, datetime.timedelta(minutes=30), at(30, 0), at(30, 0) + 3 * DAY, most=3)
    assert found[0] == (at(30, 16, 30), at(30, 17))
    assert found[1][0] == at(30, 0).replace(day=1, month=12, hour=9)
    assert mapi.find_times(calendars, HOUR, at(28, 0), at(29, 23)) == []  # a weekend
    strangers = [Person("zoe@example.net")]
    assert mapi.calendars_of(ann, [ann.me, bob.me, *strangers]) == calendars
    refused(Code.INVALID_PARAMETER, mapi.find_times, calendars, datetime.timedelta(), at(28, 0), at(29, 0))


# --- tasks and notes


def test_task_is_done(session: Session) -> None:
    made = session.store.tasks.create(
        Task, subject="Report", start=datetime.date(2026, 11, 30), due=datetime.date(2026, 12, 4), percent=25,
        status=Progress.IN_PROGRESS,
    )  # fmt: skip
    found = session.store.item(made.id)
    assert isinstance(found, Task)
    assert (found.due, found.percent, found.done) == (datetime.date(2026, 12, 4), 25, False)
    found.done = True
    again = session.store.item(found.save().id)
    assert isinstance(again, Task)
    assert (again.done, again.percent, again.status) == (True, 100, Progress.COMPLETE)
    (todo,) = icalendar.Calendar.from_ical(again.ics()).walk("VTODO")
    assert str(todo["STATUS"]) == "COMPLETED"


def test_task_is_assigned_accepted_and_reported(people: dict[str, Session]) -> None:
    ann, bob = people[ANN], people[BOB]
    task = ann.store.tasks.create(Task, subject="Paint", due=datetime.date(2026, 12, 24))
    task.assign("Bob", "Would you?")
    (request,) = bob.store.inbox.items(TaskRequest)
    own = request.accept("Yes")
    assert (own.subject, own.due, own.owner) == ("Paint", datetime.date(2026, 12, 24), "Bob Beispiel")
    own.percent = 50
    own.save()
    own.report("Half")
    for update in ann.store.inbox.items(TaskUpdate):
        update.apply()
    assert ann.store.item(task.id).percent == 50  # type: ignore[attr-defined]
    other = ann.store.tasks.create(Task, subject="Sing")
    other.assign(BOB)
    bob.store.inbox.items(TaskRequest, where=Message.subject == "Sing")[0].decline()
    (refusal,) = ann.store.inbox.items(tasks.TaskRefusal)
    refusal.apply()
    assert ann.store.item(other.id).owner == "Ann"  # type: ignore[attr-defined]
    refused(Code.NOT_FOUND, other.report)
    refused(Code.INVALID_PARAMETER, other.assign, ANN)  # oneself
    with pytest.raises(ValueError, match="between 0 and 100"):
        other.percent = 200


def test_update_of_a_task_that_is_ones_own_again_changes_nothing(people: dict[str, Session]) -> None:
    ann, bob = people[ANN], people[BOB]
    task = ann.store.tasks.create(Task, subject="Paint")
    task.assign(BOB)
    own = bob.store.inbox.items(TaskRequest)[0].accept()
    task.refresh().take({tasks.OWNERSHIP: 0})  # it is not Bob's any more
    task.save()
    own.subject = "Something else"
    own.save().report()
    assert [update.apply() for update in ann.store.inbox.items(TaskUpdate)] == [None, None]
    assert task.refresh().subject == "Paint"


def test_note_is_called_by_its_first_line(session: Session) -> None:
    made = session.store.notes.create(Note, body="Milk\r\nand bread\r\n")
    assert session.store.item(made.id).subject == "Milk"


# --- contacts


def test_contact_and_vcard(session: Session) -> None:
    made = session.store.contacts.create(
        Contact, given_name="Zoë", surname="Zimt", emails=["zoe@example.org", "z@example.org"],
        mobile="+49 1", company="Spices", birthday=datetime.date(1990, 2, 3),
    )  # fmt: skip
    found = session.store.item(made.id)
    assert isinstance(found, Contact)
    assert (found.name, found.email) == ("Zoë Zimt", "zoe@example.org")
    if Can.ITEMS in session.store.source.can:  # no vCard tells it
        assert found.file_as == "Zimt, Zoë"
    assert (found.emails[1], found.mobile, found.birthday) == (
        "z@example.org",
        "+49 1",
        datetime.date(1990, 2, 3),
    )
    assert found.person == Person("zoe@example.org")
    card = vobject.readOne(found.vcf().decode())
    assert card.fn.value == "Zoë Zimt"
    again = session.store.contacts.add(vcf=found.vcf())
    assert isinstance(again, Contact)
    assert again.email == "zoe@example.org"
    both = session.store.contacts.add_all(vcf=found.vcf() + again.vcf())
    assert len(both) == 2


def test_group_of_people(people: dict[str, Session]) -> None:
    ann = people[ANN]
    made = ann.store.contacts.create(Group, name="Team", members=["Bob", "Dora <dora@example.com>"])
    found = ann.store.item(made.id)
    assert isinstance(found, Group)
    assert [str(one) for one in found.members] == [
        "Bob Beispiel <bob@example.com>",
        "Dora <dora@example.com>",
    ]
    letter = ann.store.new(Message)
    letter.to = found.members
    assert len(letter.to) == 2


# --- documents


def test_document_has_versions_and_one_holder(people: dict[str, Session]) -> None:
    ann = people[ANN]
    folder = ann.store.folder("Plans", create=True)
    made = folder.create(Document, name="plan.txt", content=b"one")
    assert (made.title, made.latest, made.content) == ("plan", 1, b"one")
    assert made.check_out() == b"one"
    other = ann.store.item(made.id)
    assert isinstance(other, Document)
    assert other.checked_out_by == ANN
    made.check_in(b"two", "better")
    made.restore(1)
    made.save()
    found = ann.store.item(made.id)
    assert isinstance(found, Document)
    assert [(one.number, one.data, one.comment) for one in found.versions] == [
        (1, b"one", ""), (2, b"two", "better"), (3, b"one", "version 1 again"),
    ]  # fmt: skip
    assert found.versions[0].author == ANN
    refused(Code.ACCESS_DENIED, found.check_in, b"x")
    refused(Code.NOT_FOUND, found.restore, 9)
    rival = ann.store.item(made.id)
    assert isinstance(rival, Document)
    rival.mapi  # read before the other one takes it  # noqa: B018
    found.check_out()
    rival.take({mapi.api.documents.HOLDER: BOB})
    rival.mapi._changed = True
    refused(Code.OBJECT_CHANGED, rival.save)
    assert rival.refresh().checked_out_by == ANN
    found.undo_check_out()
    assert ann.store.item(made.id).checked_out_by is None  # type: ignore[attr-defined]


def test_document_of_somebody_else_is_not_changed(people: dict[str, Session]) -> None:
    ann = people[ANN]
    folder = ann.store.folder("Plans", create=True)
    made = folder.create(Document, name="plan.txt", content=b"one")
    made.take({mapi.api.documents.HOLDER: BOB})
    made.save()
    refused(Code.ACCESS_DENIED, made.check_out)
    refused(Code.ACCESS_DENIED, made.add_version, b"two")


def test_items_as_msg_files(session: Session) -> None:
    made = session.store.inbox.create(Message, subject="Größe", body="Text", to=BOB)
    found = session.store.drafts.add(msg=made.msg())
    assert (found.subject, found.to) == ("Größe", [Person(BOB)])
    if Can.ITEMS in session.store.source.can:
        note = session.store.notes.create(Note, body="Milk")
        assert isinstance(session.store.notes.add(msg=note.msg()), Note)
    refused(Code.INVALID_PARAMETER, session.store.drafts.add, msg=b"none")
    refused(Code.INVALID_PARAMETER, session.store.drafts.add, ics=b"")


def test_task_that_recurs(session: Session) -> None:
    tasks_folder = session.store.tasks
    made = tasks_folder.create(
        Task, recurrence="FREQ=WEEKLY;BYDAY=MO;COUNT=3", due=datetime.date(2026, 11, 30), subject="Water"
    )
    found = session.store.item(made.id)
    assert isinstance(found, Task)
    assert found.recurrence == "FREQ=WEEKLY;BYDAY=MO;COUNT=3;WKST=MO"
    (todo,) = icalendar.Calendar.from_ical(found.ics()).walk("VTODO")
    assert todo["RRULE"]["FREQ"] == ["WEEKLY"]
    found.recurrence = None
    assert session.store.item(found.save().id).recurrence is None  # type: ignore[attr-defined]
    refused(Code.INVALID_PARAMETER, tasks_folder.create, Task, recurrence="FREQ=DAILY")
    refused(
        Code.INVALID_PARAMETER, tasks_folder.create, Task, due=datetime.date(2026, 1, 1), recurrence="often"
    )


def test_one_person_does_a_task(people: dict[str, Session]) -> None:
    task = people[ANN].store.tasks.create(Task, subject="Paint")
    refused(Code.AMBIGUOUS_RECIPIENT, task.assign, f"{BOB}, {CAROL}")
    refused(Code.AMBIGUOUS_RECIPIENT, task.assign, "")


def test_letters_to_own_contacts_and_groups(people: dict[str, Session]) -> None:
    ann = people[ANN]
    contacts = ann.store.contacts
    zoe = contacts.create(Contact, name="Zoe Zander", email="Zoe@example.net")
    nobody = contacts.create(Contact, name="No Address")
    team = contacts.create(Group, name="Team", members=["Bob", zoe])
    letter = ann.store.new(Message)
    for given in (team, [team], "Team", "bob; zoe zander", [BOB, zoe, nobody]):
        letter.to = given
        assert letter.to == [Person(BOB), Person("zoe@example.net")]
    assert ann.resolve("Zoe Zander") == zoe.person
    refused(Code.NOT_FOUND, ann.resolve, "Team")  # several are not one
    refused(Code.NOT_FOUND, ann.people, "No Address")
    letter.to = '"Ahorn, Zoe" <zoe@example.net>, Bob'
    assert [one.name for one in letter.to] == ["Ahorn, Zoe", "Bob Beispiel"]
    with pytest.raises(TypeError):
        letter.to = 5


def test_what_is_no_calendar_and_no_card(session: Session) -> None:
    letter = session.store.drafts.create(Message, subject="Only text")
    refused(Code.NOT_SUPPORTED, letter.ics)
    refused(Code.NOT_SUPPORTED, letter.vcf)
