"""Fuzz target: any text as a calendar and as cards; what is read is written so that it says the same."""

from __future__ import annotations

from quintet.errors import BadSyntax
from quintet.mapi.convert import calendars, cards, difference

_HEAD = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\n"
_ZONE = (
    b"BEGIN:VTIMEZONE\r\nTZID:Z\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nTZOFFSETFROM:+0200\r\n"
    b"RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nBEGIN:DAYLIGHT\r\n"
    b"DTSTART:19700329T020000\r\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\r\nTZOFFSETFROM:+0100\r\n"
    b"TZOFFSETTO:+0200\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n"
)


def _text(*lines: str) -> bytes:
    return "\r\n".join([*lines, ""]).encode()


SEEDS = [
    _HEAD
    + _ZONE
    + _text(
        "BEGIN:VEVENT", "UID:1", "DTSTAMP:20260101T000000Z", "DTSTART;TZID=Z:20260105T100000",
        "DURATION:PT1H",
        "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=6", "EXDATE;TZID=Z:20260107T100000", "SUMMARY:a\\,b",
        'ORGANIZER;CN="B, T":mailto:b@x', "ATTENDEE;PARTSTAT=ACCEPTED:mailto:z@x",
        "BEGIN:VALARM", "TRIGGER:-PT15M", "END:VALARM", "END:VEVENT", "BEGIN:VEVENT", "UID:1",
        "RECURRENCE-ID;TZID=Z:20260112T100000", "DTSTART:20260113T100000Z", "END:VEVENT",
    ),
    _HEAD.replace(b"REQUEST", b"COUNTER")
    + _text(
        "BEGIN:VEVENT", "DTSTART;VALUE=DATE:20260105", "X-MS-OLK-ORIGINALSTART:20260105T000000Z",
        "ATTENDEE;PARTSTAT=TENTATIVE:mailto:a@b", "END:VEVENT",
    ),
    _HEAD
    + _text(
        "BEGIN:VTODO", "DUE:20260105T100000Z", "STATUS:COMPLETED", "RRULE:FREQ=YEARLY", "PERCENT-COMPLETE:40",
        "BEGIN:VALARM", "TRIGGER;VALUE=DATE-TIME:20260101T000000Z", "END:VALARM", "END:VTODO",
    ),
    _text(
        "BEGIN:VCARD", "VERSION:3.0", "FN:Z", "N:D;Z", "EMAIL;TYPE=PREF:z@x", "TEL;TYPE=WORK,FAX:1",
        "ADR;TYPE=HOME:;;s;c", "BDAY:1990-01-02", "PHOTO;ENCODING=b;TYPE=PNG:AAEC",
        "NOTE;QUOTED-PRINTABLE:a=", "b", "END:VCARD", "BEGIN:VCARD", "KIND:group", "FN:g",
        "MEMBER;CN=a:mailto:a@b", "END:VCARD",
    ),
]  # fmt: skip


def target(data: bytes) -> None:
    """One input."""
    text = data.decode("utf-8", "replace")
    for read, write in ((calendars.read, calendars.write), (cards.read, cards.write)):
        try:
            items = read(text)
        except BadSyntax:
            continue
        assert len(read(write(items))) <= len(items)
        for item in items[:5]:
            (again,) = read(write([item]))
            (third,) = read(write([again]))
            assert not difference(again, third)
