"""Content lines, appointments, cards: what is written is read again, and any text is read or refused."""

from __future__ import annotations

import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.errors import BadSyntax
from quintet.mapi import types
from quintet.mapi.bag import Item
from quintet.mapi.convert import calendars, cardkeys, cards, contentlines, difference, names
from quintet.mapi.convert import calkeys as keys
from quintet.mapi.convert.contentlines import Component, Line

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=90)
SOME = TEXT.filter(str.strip).map(str.strip)
NAME = st.text("ABCXYZ-0123456789", min_size=1, max_size=12)
WORD = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)
ADDRESS = st.builds("{}@{}.example".format, WORD, WORD)
TIME = st.datetimes(datetime.datetime(1990, 1, 1), datetime.datetime(2090, 1, 1)).map(
    lambda at: types.of_ms(int(at.replace(second=0, microsecond=0, tzinfo=datetime.UTC).timestamp()) * 1000)
)

LINES = st.builds(
    lambda name, params, text: Line("X" + name, params, contentlines.escaped(text)),
    NAME, st.dictionaries(NAME.map("P{}".format), st.lists(SOME, min_size=1, max_size=3), max_size=3), TEXT,
)  # fmt: skip


@given(st.lists(LINES, max_size=5))
def test_content_lines(lines: list[Line]) -> None:
    component = Component("VCARD", lines, [Component("X", lines)])
    text = contentlines.written(component)
    assert all(len(row.encode()) <= 75 for row in text.split("\r\n"))
    assert contentlines.parse(text) == [component]


@given(st.lists(TEXT | st.just("a\\n"), max_size=5))
def test_escapes(texts: list[str]) -> None:
    line = Line("X", {}, contentlines.escaped_list(texts))
    assert line.texts() == (texts or [""])


PEOPLE = st.lists(
    st.builds(
        lambda address, name, kind, status: {
            names.SMTP_ADDRESS: address, names.EMAIL_ADDRESS: address, names.DISPLAY_NAME: name,
            names.RECIPIENT_TYPE: kind, keys.TRACK_STATUS: status,
        },
        ADDRESS, SOME, st.integers(1, 3), st.sampled_from((0, 2, 3, 4)),
    ),
    max_size=3, unique_by=lambda row: row[names.SMTP_ADDRESS],
)  # fmt: skip

EVENTS = st.builds(
    lambda kind, props, start, length, people: Item(
        {
            names.MESSAGE_CLASS: kind, keys.START: start, keys.END: start + length * 600_000_000,
            **props, names.REPRESENTING.smtp: "boss@x.org",
        },
        people,
    ),
    st.sampled_from((keys.APPOINTMENT, keys.REQUEST, keys.CANCELLATION)),
    st.fixed_dictionaries(
        {},
        optional={
            names.SUBJECT: TEXT, names.BODY: TEXT.filter(bool), keys.LOCATION: TEXT.filter(bool),
            names.IMPORTANCE: st.integers(0, 2), names.SENSITIVITY: st.integers(0, 3),
            keys.SEQUENCE: st.integers(0, 9), keys.OWNER_ID: st.integers(0, 9),
            keys.NO_COUNTER: st.booleans(),
            names.KEYWORDS: st.lists(TEXT.filter(str.strip), min_size=1, max_size=3),
        },
    ),
    TIME, st.integers(0, 5000), PEOPLE,
)  # fmt: skip


@settings(max_examples=100)
@given(EVENTS)
def test_appointments(item: Item) -> None:
    (again,) = calendars.read(calendars.write([item]))
    kept = difference(item, again)
    assert not kept.change.props
    assert [row.change.props for row in kept.recipients or []] in ([], [{}] * len(item.recipients))
    assert len(again.recipients) == len(item.recipients)
    (third,) = calendars.read(calendars.write([again]))
    assert not difference(again, third)


CONTACTS = st.fixed_dictionaries(
    {names.DISPLAY_NAME: SOME},
    optional={
        **dict.fromkeys((cardkeys.SURNAME, cardkeys.GIVEN, cardkeys.COMPANY), SOME),
        **{email.address: ADDRESS for email in cardkeys.EMAILS[:1]},
        **{row.key: WORD for row in cardkeys.TELEPHONES if "2" not in str(row)},
        names.BODY: TEXT.filter(bool),
    },
)  # fmt: skip


@settings(max_examples=100)
@given(CONTACTS)
def test_contacts(props: dict[types.Tag, types.Value]) -> None:
    item = Item({names.MESSAGE_CLASS: cardkeys.CONTACT, **props})
    (again,) = cards.read(cards.write([item]))
    (third,) = cards.read(cards.write([again]))
    assert not difference(again, third)
    assert again.props[names.DISPLAY_NAME] == props[names.DISPLAY_NAME]


TOKENS = (
    "BEGIN:VCALENDAR\n", "END:VCALENDAR\n", "BEGIN:VEVENT\n", "END:VEVENT\n", "BEGIN:VTODO\n",
    "END:VTODO\n", "BEGIN:VCARD\n", "END:VCARD\n", "BEGIN:VTIMEZONE\n", "END:VTIMEZONE\n",
    "BEGIN:STANDARD\n", "TZID:X\n", "METHOD:REPLY\n", "METHOD:COUNTER\n", "DTSTART:20260105T100000\n",
    "DTSTART;TZID=X:99991231T235959\n", "DTEND:00010101\n", "DURATION:P999999W\n", "RRULE:FREQ=DAILY\n",
    "RRULE:FREQ=MONTHLY;BYDAY=5MO;COUNT=99999\n", "EXDATE:20260105T100000,x\n",
    "RECURRENCE-ID:20260106T100000\n", "UID:a\n", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:@\n",
    "TZOFFSETTO:+9999\n", "ORGANIZER:mailto:a@b\n", "BEGIN:VALARM\nTRIGGER:-P999999D\nEND:VALARM\n",
    "SEQUENCE:99999999999999999999\n", "N:;;;\n", "ADR;TYPE=WORK:;;\n", "PHOTO;ENCODING=b:!!\n",
    "KIND:group\n", "BDAY:--0203\n", "X;=:\n", ";:\n", ":\n", " x\n", "\ufeff\n",
    "NOTE;ENCODING=QUOTED-PRINTABLE:=\n",
)  # fmt: skip


@settings(max_examples=200)
@given(st.lists(st.sampled_from(TOKENS), max_size=25))
def test_any_text_is_read_or_refused(tokens: list[str]) -> None:
    text = "BEGIN:VCALENDAR\nMETHOD:REQUEST\n" + "".join(tokens)
    for read, write in ((calendars.read, calendars.write), (cards.read, cards.write)):
        try:
            items = read(text)
        except BadSyntax:
            assert text.count("BEGIN:") > contentlines.MAX_DEPTH
            continue
        read(write(items))
    calendars.read_part(text, Item())
