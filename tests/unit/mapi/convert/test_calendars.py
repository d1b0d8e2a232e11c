"""iCalendar as appointments, meetings and tasks, and back (MS-OXCICAL 2.1.3.1, RFC 5545, RFC 5546)."""

from __future__ import annotations

import datetime
import re
import zoneinfo

import icalendar
import pytest
import vobject

from quintet.mapi import recur, rrule, timezones, types, zonenames
from quintet.mapi.bag import Attachment, Item, Key
from quintet.mapi.convert import calendars, calevents, calseries, difference, from_mime, names, to_mime
from quintet.mapi.convert import calkeys as keys
from quintet.mapi.globalid import GlobalId
from quintet.mapi.types import Value

HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n"
BERLIN = """BEGIN:VTIMEZONE
TZID:Mitte
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
"""


def calendar(
    *lines: str, method: str = "PUBLISH", times: bool = True, before: str = "", after: str = ""
) -> str:
    body = ["UID:u1", "DTSTAMP:20260101T000000Z"]
    body += ["DTSTART:20260105T090000Z", "DTEND:20260105T103000Z"] if times else []
    event = "\n".join(["BEGIN:VEVENT", *body, *lines, "END:VEVENT", ""])
    return HEAD + f"METHOD:{method}\n{before}{event}{after}END:VCALENDAR\n".replace("\n", "\r\n")


def only(text: str) -> Item:
    (item,) = calendars.read(text)
    return item


def utc(*when: int) -> int:
    return types.of_ms(int(datetime.datetime(*when, tzinfo=datetime.UTC).timestamp() * 1000))  # type: ignore[misc]


def _same(item: Item) -> Item:
    """The item as it comes back; foreign readers take what was written, and it says the same again."""
    text = calendars.write([item])
    for event in icalendar.Calendar.from_ical(text).walk():
        assert event.errors == []
    list(vobject.readComponents(text))
    again = only(text)
    kept = difference(item, again)
    assert not kept.change.props and not kept.change.gone and not kept.recipients and not kept.attachments, (
        kept
    )
    return again


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("SUMMARY:a\\, b\\;c\\nd", names.SUBJECT, "a, b;c d"),
        ("DESCRIPTION:one\\ntwo", names.BODY, "one\r\ntwo"),
        ("LOCATION:Room\\, 1", keys.LOCATION, "Room, 1"),
        ("CATEGORIES:red,a\\,b", names.KEYWORDS, ["red", "a,b"]),
        ("CONTACT:Zoe", keys.CONTACTS, ["Zoe"]),
        ("CLASS:PRIVATE", names.SENSITIVITY, 2),
        ("CLASS:X-PERSONAL", names.SENSITIVITY, 1),
        ("CLASS:PRIVATE", keys.PRIVATE, True),
        ("PRIORITY:1", names.IMPORTANCE, 2),
        ("PRIORITY:9", names.IMPORTANCE, 0),
        ("PRIORITY:0", names.IMPORTANCE, 1),
        ("X-MICROSOFT-CDO-IMPORTANCE:2", names.IMPORTANCE, 2),
        ("SEQUENCE:3", keys.SEQUENCE, 3),
        ("TRANSP:TRANSPARENT", keys.BUSY, 0),
        ("STATUS:TENTATIVE", keys.BUSY, 1),
        ("X-MICROSOFT-CDO-BUSYSTATUS:OOF", keys.BUSY, 3),  # 2.1.3.1.1.20.31
        ("X-NOTHING:x", keys.BUSY, 2),
        ("X-MICROSOFT-DISALLOW-COUNTER:TRUE", keys.NO_COUNTER, True),
        ("X-MICROSOFT-CDO-OWNERAPPTID:77", keys.OWNER_ID, 77),
        ("BEGIN:VALARM\nTRIGGER:-PT2H\nEND:VALARM", keys.REMINDER_DELTA, 120),
        ("BEGIN:VALARM\nTRIGGER:-PT2H\nEND:VALARM", keys.REMINDER_SIGNAL, utc(2026, 1, 5, 7)),
        ("BEGIN:VALARM\nTRIGGER;RELATED=END:-PT2H\nEND:VALARM", keys.REMINDER_DELTA, 15),
        ("X-NOTHING:x", keys.REMINDER_SET, False),
    ],
)
def test_property_of_an_event_comes_back(line: str, key: Key, value: Value) -> None:
    item = only(calendar(line))
    assert item.props[names.MESSAGE_CLASS] == "IPM.Appointment"
    assert item.props[key] == value
    assert _same(item).props[key] == value


@pytest.mark.parametrize(
    ("times", "start", "minutes", "whole_day"),
    [
        ("DTSTART:20260105T090000Z\nDTEND:20260105T103000Z", utc(2026, 1, 5, 9), 90, False),
        ("DTSTART:20260105T090000Z\nDURATION:PT45M", utc(2026, 1, 5, 9), 45, False),
        ("DTSTART:20260105T090000Z", utc(2026, 1, 5, 9), 0, False),
        ("DTSTART:20260105T090000Z\nDTEND:20260104T090000Z", utc(2026, 1, 5, 9), 0, False),
        ("DTSTART;VALUE=DATE:20260105", utc(2026, 1, 5), 1440, True),
        ("DTSTART;VALUE=DATE:20260105\nDTEND;VALUE=DATE:20260108", utc(2026, 1, 5), 4320, True),
        (
            "DTSTART:20260105T000000\nDURATION:P1D\nX-MICROSOFT-CDO-ALLDAYEVENT:TRUE",
            utc(2026, 1, 5),
            1440,
            True,
        ),
        ("DTSTART;TZID=Europe/Berlin:20260705T090000", utc(2026, 7, 5, 7), 0, False),
        ("DTSTART;TZID=W. Europe Standard Time:20260105T090000", utc(2026, 1, 5, 8), 0, False),
        ("DTSTART;TZID=Mitte:20260705T090000", utc(2026, 7, 5, 7), 0, False),
        ("DTSTART:20260105T090000", utc(2026, 1, 5, 8), 0, False),  # floating: where the calendar is
        ("DTSTART;TZID=Nowhere:20260105T090000", utc(2026, 1, 5, 9), 0, False),
    ],
)
def test_times(times: str, start: int, minutes: int, whole_day: bool) -> None:
    before = BERLIN if "Mitte" in times or times == "DTSTART:20260105T090000" else ""
    item = only(calendar(times, times=False, before=before))
    bag = item.props
    assert (bag[keys.START], bag[keys.DURATION], bag[keys.WHOLE_DAY]) == (start, minutes, whole_day)
    assert bag[keys.COMMON_START] == bag[keys.START_DATE] == start
    assert bag[keys.END] == start + minutes * 600_000_000
    _same(item)


@pytest.mark.parametrize("times", ["", "DTSTART:soon", "DTSTART:20261301T000000Z", "DTSTART:2026"])
def test_event_without_a_time_is_no_appointment(times: str) -> None:
    assert calendars.read(calendar(times, times=False)) == []


def test_identity_is_the_uid() -> None:
    """MS-OXCICAL 2.1.3.1.1.20.26."""
    bag = only(calendar()).props
    assert GlobalId.read(bag[keys.GLOBAL_ID]).uid() == "u1" and bag[keys.CLEAN_ID] == bag[keys.GLOBAL_ID]
    one = only(calendar("RECURRENCE-ID:20260105T090000Z"))
    assert GlobalId.read(one.props[keys.GLOBAL_ID]).instance == datetime.date(2026, 1, 5)
    assert one.props[keys.IS_EXCEPTION] is True and one.props[keys.EXCEPTION_REPLACES] == utc(2026, 1, 5, 9)
    _same(one)


def test_appointment_of_a_client_without_identity_keeps_one() -> None:
    item = Item(
        {
            names.MESSAGE_CLASS: "IPM.Appointment",
            keys.START: utc(2026, 1, 5, 9),
            keys.END: utc(2026, 1, 5, 10),
        }
    )
    first, second = (only(calendars.write([item])) for _ in range(2))
    assert first.props[keys.CLEAN_ID] == second.props[keys.CLEAN_ID]


# --- meetings ------------------------------------------------------------------------------------------

PEOPLE = (
    'ORGANIZER;CN="Boss, The":mailto:boss@x.org',
    "ATTENDEE;CN=Zoe;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:MAILTO:zoe@x.org",
    "ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=ACCEPTED:mailto:joe@x.org",
    "ATTENDEE;CUTYPE=ROOM;PARTSTAT=TENTATIVE:mailto:room@x.org",
    "ATTENDEE:urn:uuid:none",
)


def test_meeting_request() -> None:
    item = only(calendar(*PEOPLE, method="REQUEST"))
    bag = item.props
    assert bag[names.MESSAGE_CLASS] == "IPM.Schedule.Meeting.Request"
    assert (bag[names.REPRESENTING.name], bag[names.REPRESENTING.smtp]) == ("Boss, The", "boss@x.org")
    rows = [
        (row[names.SMTP_ADDRESS], row[names.RECIPIENT_TYPE], row[keys.TRACK_STATUS])
        for row in item.recipients
    ]
    assert rows == [("zoe@x.org", 1, 0), ("joe@x.org", 2, 3), ("room@x.org", 3, 2)]
    assert (bag[keys.BUSY], bag[keys.INTENDED_BUSY]) == (1, 2)  # pencilled in until it is answered
    assert (
        bag[keys.STATE] == calevents.IS_MEETING | calevents.IS_RECEIVED
        and bag[keys.RESPONSE_REQUESTED] is True
    )
    _same(item)


def test_cancellation() -> None:
    item = only(calendar(*PEOPLE, "STATUS:CANCELLED", "SEQUENCE:2", method="CANCEL"))
    assert item.props[names.MESSAGE_CLASS] == "IPM.Schedule.Meeting.Canceled"
    assert item.props[keys.STATE] & calevents.IS_CANCELED and item.props[keys.BUSY] == 0
    _same(item)


@pytest.mark.parametrize(
    ("partstat", "ending"), [("ACCEPTED", "Pos"), ("DECLINED", "Neg"), ("TENTATIVE", "Tent")]
)
def test_answer(partstat: str, ending: str) -> None:
    """MS-OXCICAL 2.1.3.1.1.1: REPLY by the PARTSTAT of the one who answers."""
    answer = calendar(
        f"ATTENDEE;CN=Zoe;PARTSTAT={partstat}:mailto:zoe@x.org", "COMMENT:sorry", method="REPLY"
    )
    item = only(answer)
    assert item.props[names.MESSAGE_CLASS] == f"IPM.Schedule.Meeting.Resp.{ending}"
    assert item.props[names.REPRESENTING.smtp] == "zoe@x.org" and item.recipients == []
    assert item.props[keys.ATTENDEE_CHANGE] == item.props[keys.REPLY_TIME] == utc(2026, 1, 1)
    assert item.props[names.BODY] == "sorry"
    _same(item)
    item.recipients = [{names.SMTP_ADDRESS: "boss@x.org", names.RECIPIENT_TYPE: 1}]
    assert "ORGANIZER:mailto:boss@x.org\r\n" in calendars.write([item])


@pytest.mark.parametrize("line", ["ATTENDEE;PARTSTAT=DELEGATED:mailto:a@b.org", "X-NOBODY:x"])
def test_answer_that_is_none(line: str) -> None:
    assert calendars.read(calendar(line, method="REPLY")) == []


def test_counter_proposal_keeps_both_times() -> None:
    item = only(
        calendar(
            "ATTENDEE;PARTSTAT=TENTATIVE:mailto:zoe@x.org",
            "X-MS-OLK-ORIGINALSTART:20260105T070000Z",
            "X-MS-OLK-ORIGINALEND:20260105T080000Z",
            method="COUNTER",
        )
    )
    bag = item.props
    assert bag[names.MESSAGE_CLASS] == "IPM.Schedule.Meeting.Resp.Tent" and bag[keys.COUNTER] is True
    assert (bag[keys.PROPOSED_START], bag[keys.PROPOSED_DURATION]) == (utc(2026, 1, 5, 9), 90)
    assert (bag[keys.START], bag[keys.DURATION]) == (utc(2026, 1, 5, 7), 60)
    _same(item)


# --- series --------------------------------------------------------------------------------------------


def _series(*lines: str, after: str = "") -> Item:
    begin = "DTSTART;TZID=Mitte:20260105T090000\nDTEND;TZID=Mitte:20260105T100000"
    return only(calendar(begin, *lines, times=False, before=BERLIN, after=after))


@pytest.mark.parametrize(
    ("rule", "kind", "days"),
    [
        ("FREQ=DAILY;COUNT=3", 1, ["01-05", "01-06", "01-07"]),
        ("FREQ=WEEKLY;BYDAY=MO,FR;COUNT=3", 2, ["01-05", "01-09", "01-12"]),
        ("FREQ=MONTHLY;BYMONTHDAY=5;UNTIL=20260305T080000Z", 3, ["01-05", "02-05", "03-05"]),
        ("FREQ=MONTHLY;BYDAY=1MO;COUNT=2", 3, ["01-05", "02-02"]),
    ],
)
def test_series_comes_back(rule: str, kind: int, days: list[str]) -> None:
    """MS-OXCICAL 2.1.3.2."""
    item = _series(f"RRULE:{rule}")
    bag = item.props
    assert bag[keys.RECURRING] is True and bag[keys.RECURRENCE_TYPE] == kind
    series = calseries.of(bag)
    assert series is not None
    assert [f"{one.start:%m-%d}" for one in rrule.occurrences(series)] == days
    assert {one.start.hour for one in rrule.occurrences(series)} == {9}
    assert timezones.read_definition(bag[keys.ZONE_RECUR]).name == "Mitte"
    again = _same(item)
    vevent = vobject.readOne(calendars.write([again])).vevent
    assert [f"{one:%m-%d}" for one in vevent.rruleset] == days


CHANGED = """BEGIN:VEVENT
UID:u1
RECURRENCE-ID;TZID=Mitte:20260112T090000
DTSTART;TZID=Mitte:20260113T140000
DTEND;TZID=Mitte:20260113T150000
SUMMARY:moved
LOCATION:elsewhere
DESCRIPTION:why
ATTENDEE:mailto:other@x.org
END:VEVENT
"""


def test_exceptions_of_a_series() -> None:
    """MS-OXOCAL 2.2.1.44, 2.2.10: deleted days, changes, and hidden attachments with what is different."""
    item = _series(
        "RRULE:FREQ=WEEKLY;COUNT=4", "EXDATE;TZID=Mitte:20260119T090000", "SUMMARY:usual", after=CHANGED
    )
    series = calseries.of(item.props)
    assert series is not None
    starts = [f"{one.start:%m-%d %H}" for one in rrule.occurrences(series)]
    assert starts == ["01-05 09", "01-13 14", "01-26 09"]
    (change,) = series.changes
    assert (change.subject, change.location, change.body) == ("moved", "elsewhere", True)
    assert f"{recur.moment(change.original):%m-%d %H}" == "01-12 09"
    (one,) = item.attachments
    assert calseries.is_exception(one) and one.item is not None
    assert one.props[names.ATTACH_HIDDEN] is True and one.props[keys.EXCEPTION_START] == utc(2026, 1, 13, 14)
    assert one.item.props[names.MESSAGE_CLASS] == keys.EXCEPTION_CLASS
    assert one.item.props[names.BODY] == "why" and one.item.props[keys.START] == utc(2026, 1, 13, 13)
    again = _same(item)
    text = calendars.write([again])
    assert text.count("BEGIN:VEVENT") == 2 and "RECURRENCE-ID;TZID=Mitte:20260112T090000\r\n" in text


def test_series_of_whole_days() -> None:
    item = only(
        calendar(
            "DTSTART;VALUE=DATE:20260105",
            "RRULE:FREQ=DAILY;UNTIL=20260107",
            "EXDATE;VALUE=DATE:20260106",
            times=False,
        )
    )
    series = calseries.of(item.props)
    assert series is not None and [one.start.day for one in rrule.occurrences(series)] == [5, 7]
    assert "EXDATE;VALUE=DATE:20260106\r\n" in calendars.write([_same(item)])


@pytest.mark.parametrize(
    "lines", [["RRULE:FREQ=HOURLY"], ["RRULE:FREQ=DAILY", "RDATE:20260110T090000Z"], ["RRULE:FREQ=DAILY"] * 2]
)
def test_series_that_no_pattern_tells_keeps_its_text(lines: list[str]) -> None:
    item = only(calendar(*lines))
    assert keys.RECUR not in item.props and item.props[keys.RECURRING] is False
    (one,) = item.attachments
    assert isinstance(one.data, bytes) and lines[0].encode() in one.data
    assert one.props[names.ATTACH_LONG_NAME] == "series.ics"


@pytest.mark.parametrize("day", ["00010101T000000", "16010101T000000", "99991231T235959"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Tokyo", "America/New_York", "Mitte"])
def test_event_at_the_calendar_s_edge_is_read_and_written(day: str, zone: str) -> None:
    """00010101 is what some programs write for no date at all."""
    line = f"DTSTART;TZID={zone}:{day}"
    for more in ("X-NOTHING:x", "RRULE:FREQ=DAILY;COUNT=3", "DURATION:P1D", "DTEND:99991231T235959Z"):
        item = only(calendar(line, more, times=False, before=BERLIN))
        assert 0 <= item.props[keys.START] <= item.props[keys.END]
        assert calendars.write([item]).count("BEGIN:VEVENT") == 1


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_last_time_of_all_is_written(zone: str) -> None:
    found = zonenames.definition_of(zoneinfo.ZoneInfo(zone), [2026])
    item = only(calendar())
    item.props |= {keys.ZONE_START: timezones.write_definition(found), keys.START: utc(9999, 12, 31, 23, 30)}
    assert re.search(r"DTSTART;TZID=[^:]*:99991(230|231)T", calendars.write([item]))


def test_month_in_digits_that_are_no_number_is_none() -> None:
    zone = BERLIN.replace("BYMONTH=10", "BYMONTH=\u00b2")
    item = only(calendar("DTSTART;TZID=Mitte:20260105T090000", times=False, before=zone))
    assert item.props[keys.START] == utc(2026, 1, 5, 8)


# --- tasks ---------------------------------------------------------------------------------------------


def _task(*lines: str) -> Item:
    todo = "\r\n".join(["BEGIN:VTODO", "UID:t1", "DTSTAMP:20260101T000000Z", *lines, "END:VTODO", ""])
    return only(HEAD + todo + "END:VCALENDAR\r\n")


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("SUMMARY:do it", names.SUBJECT, "do it"),
        ("DUE;VALUE=DATE:20260105", keys.TASK_DUE, utc(2026, 1, 5)),
        ("DUE:20260105T170000Z", keys.TASK_DUE, utc(2026, 1, 5)),  # MS-OXOTASK: a local day
        ("DTSTART;VALUE=DATE:20260105", keys.TASK_START, utc(2026, 1, 5)),
        ("STATUS:IN-PROCESS", keys.TASK_STATUS, 1),
        ("STATUS:COMPLETED", keys.TASK_COMPLETE, True),
        ("STATUS:CANCELLED", keys.TASK_STATUS, 4),
        ("PERCENT-COMPLETE:40", keys.TASK_PERCENT, 0.4),
        ("PERCENT-COMPLETE:40", keys.TASK_STATUS, 1),
        ("PERCENT-COMPLETE:100", keys.TASK_COMPLETE, True),
        ("STATUS:COMPLETED\r\nCOMPLETED:20260105T170000Z", keys.TASK_COMPLETED, utc(2026, 1, 5, 17)),
        (
            "BEGIN:VALARM\r\nTRIGGER;VALUE=DATE-TIME:20260105T080000Z\r\nEND:VALARM",
            keys.REMINDER_TIME,
            utc(2026, 1, 5, 8),
        ),
        ("CLASS:CONFIDENTIAL", names.SENSITIVITY, 3),
        ("X-NOTHING:x", keys.TASK_STATUS, 0),
    ],
)
def test_property_of_a_task_comes_back(line: str, key: Key, value: Value) -> None:
    item = _task(line)
    assert item.props[names.MESSAGE_CLASS] == "IPM.Task" and item.props[key] == value
    text = calendars.write([item])
    assert [one.errors for one in icalendar.Calendar.from_ical(text).walk("VTODO")] == [[]]
    assert only(text).props[key] == value
    assert from_mime(b"".join(to_mime(item))).props[key] == value


def test_task_that_recurs() -> None:
    item = _task("DTSTART;VALUE=DATE:20260105", "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=3")
    assert item.props[keys.TASK_RECURRING] is True
    pattern = recur.read_pattern(item.props[keys.TASK_RECURRENCE])
    assert pattern.count == 3
    assert "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=3;WKST=MO\r\n" in calendars.write([item])


# --- in letters ----------------------------------------------------------------------------------------


def test_meeting_request_by_mail_is_a_meeting_and_is_written_as_one() -> None:
    """MS-OXCMAIL 2.2.3.3, 2.1.3.3.8: the calendar is the last form of the body."""
    item = only(calendar(*PEOPLE, "SUMMARY:Plan", "DESCRIPTION:text", method="REQUEST"))
    raw = b"".join(to_mime(item))
    assert b"Content-Type: text/calendar; charset=utf-8; method=REQUEST\r\n" in raw
    back = from_mime(raw)
    kept = difference(item, back)
    assert not kept.change.props and kept.change.gone == [names.TRANSPORT_HEADERS] and kept.recipients is None
    assert back.props[names.BODY] == "text\r\n" and back.attachments == []


def test_letter_that_is_a_calendar_alone() -> None:
    raw = (
        b"From: boss@x.org\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\n"
        + calendar("DESCRIPTION:text", "SUMMARY:Plan", method="REQUEST").encode()
    )
    item = from_mime(raw)
    assert item.props[names.MESSAGE_CLASS] == "IPM.Schedule.Meeting.Request"
    assert (item.props[names.SUBJECT], item.props[names.BODY]) == ("Plan", "text")


@pytest.mark.parametrize(
    "text", ["no calendar", calendar(times=False), calendar(after="BEGIN:VEVENT\nUID:2\nEND:VEVENT\n")]
)
def test_calendar_that_is_no_meeting_is_attached(text: str) -> None:
    raw = b"From: a@b.org\r\nContent-Type: text/calendar\r\n\r\n" + text.encode()
    item = from_mime(raw)
    assert item.props[names.MESSAGE_CLASS] == "IPM.Note"
    assert [one.data for one in item.attachments] == [text.encode()]


def test_appointment_of_a_client_is_a_letter_with_a_calendar() -> None:
    item = Item({names.MESSAGE_CLASS: "IPM.Appointment", names.SUBJECT: "x", keys.START: utc(2026, 1, 5, 9),
                 keys.END: utc(2026, 1, 5, 10), keys.BUSY: 3, keys.LOCATION: "here"})  # fmt: skip
    back = from_mime(b"".join(to_mime(item)))
    assert item.props.items() <= back.props.items()


def test_appointment_with_a_file_and_no_text_stays_one() -> None:
    """A calendar directly beside other parts would be read as a file."""
    item = Item({names.MESSAGE_CLASS: "IPM.Appointment", names.SUBJECT: "x", keys.START: utc(2026, 1, 5, 9),
                 keys.END: utc(2026, 1, 5, 10)})  # fmt: skip
    item.attachments.append(Attachment({names.ATTACH_LONG_NAME: "a.bin"}, b"\0\1"))
    back = from_mime(b"".join(to_mime(item)))
    assert item.props.items() <= back.props.items()
    assert [one.data for one in back.attachments] == [b"\0\1"]


def test_several_items_and_what_is_none() -> None:
    item = only(calendar())
    text = calendars.write([item, Item({names.MESSAGE_CLASS: "IPM.Note"}), _task("SUMMARY:t")])
    assert [one.props[names.MESSAGE_CLASS] for one in calendars.read(text)] == ["IPM.Appointment", "IPM.Task"]
    assert "METHOD:PUBLISH\r\n" in text


@pytest.mark.parametrize("raw", [b"t1", b"\x04\0\0\0\x82\0\xe0\0", "Zo\u00eb".encode(), b"ABCDEF", b"61"])
def test_identity_of_a_task_comes_back(raw: bytes) -> None:
    """As text where it is one, in hexadecimal else."""
    item = _task()
    item.props[keys.TASK_GLOBAL_ID] = raw
    assert only(calendars.write([item])).props[keys.TASK_GLOBAL_ID] == raw
