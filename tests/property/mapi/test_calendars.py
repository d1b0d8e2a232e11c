"""Recurrences, time zones and identities are read back as written; what RRULE tells is what comes of it."""

from __future__ import annotations

import datetime
import itertools

import pytest
from dateutil import rrule as dateutil_rrule
from hypothesis import given
from hypothesis import strategies as st

from quintet.errors import BadSyntax, Refused
from quintet.mapi import months, recur, rrule, timezones
from quintet.mapi.globalid import GlobalId
from quintet.mapi.timezones import Change, Definition, Rule
from tests.property.mapi.shapes import TEXT, U16, U32

KIND = st.sampled_from(recur.Kind)


@st.composite
def patterns(draw: st.DrawFn) -> recur.Pattern:
    kind = draw(KIND)
    weekdays = kind in (recur.Kind.WEEK, recur.Kind.MONTH_NTH, recur.Kind.HIJRI_MONTH_NTH)
    return recur.Pattern(
        draw(st.sampled_from(recur.Frequency)), kind,
        draw(st.integers(1, 99)) * (recur.DAY if kind == recur.Kind.DAY else 1),
        draw(U32),
        days=draw(st.integers(1, 127)) if weekdays else 0,
        day=0 if weekdays or kind == recur.Kind.DAY else draw(st.integers(1, 31)),
        nth=draw(st.integers(1, 5)) if weekdays and kind != recur.Kind.WEEK else 0,
        end=draw(st.sampled_from(recur.End)), count=draw(U32), last=draw(U32),
        first_weekday=draw(st.integers(0, 6)), deleted=tuple(draw(st.lists(U32, max_size=3))),
        modified=tuple(draw(st.lists(U32, max_size=3))), calendar=draw(st.sampled_from((0, 1, 6))),
        sliding=draw(st.integers(0, 1)), first=draw(U32),
    )  # fmt: skip


MAYBE = st.none() | U32
CHANGE = st.builds(
    recur.Change, U32, U32, U32, st.none() | TEXT, MAYBE, MAYBE, MAYBE, st.none() | TEXT, MAYBE, MAYBE, MAYBE,
    MAYBE, st.booleans(), st.just(0),
)  # fmt: skip
OFFSET = st.integers(0, recur.DAY - 1)
APPOINTMENT = st.builds(
    lambda pattern, start, more, changes, version: recur.Appointment(
        pattern, start, start + more, tuple(changes), version
    ),
    patterns(), OFFSET, st.integers(0, recur.MAX_LENGTH), st.lists(CHANGE, max_size=3),
    st.sampled_from((0x3008, 0x3009)),
)  # fmt: skip


@given(APPOINTMENT)
def test_recurrences(one):
    assert recur.read(recur.write(one)) == one


@given(APPOINTMENT, st.dates(datetime.date(1601, 1, 1)), st.integers(0, 400))
def test_any_recurrence_has_occurrences_at_little_cost(one, since, more):
    """In order, within the window, and at once wherever that is."""
    begin = datetime.datetime.combine(since, datetime.time())
    end = begin + datetime.timedelta(days=min(more, (datetime.date.max - since).days))
    found = [each.start for each in itertools.islice(rrule.occurrences(one, begin, end), 500)]
    assert found == sorted(found)
    assert all(start < end for start in found)
    whole = [each.start for each in itertools.islice(rrule.occurrences(one), 50)]
    if whole and begin <= whole[0] and whole[-1] < end:
        assert found[: len(whole)] == whole


WEEKDAYS = st.lists(
    st.sampled_from(("SU", "MO", "TU", "WE", "TH", "FR", "SA")), min_size=1, max_size=7, unique=True
)


@st.composite
def rules(draw: st.DrawFn) -> str:
    weekdays = ",".join(draw(WEEKDAYS))
    place = draw(st.sampled_from((-1, 1, 2, 3, 4)))
    # what RRULE skips and MAPI does not is no day of these
    day = draw(st.integers(1, 28) | st.just(-1))
    frequency = draw(
        st.sampled_from(
            (
                "FREQ=DAILY",
                f"FREQ=WEEKLY;BYDAY={weekdays};WKST={draw(st.sampled_from(('SU', 'MO', 'TH')))}",
                f"FREQ=MONTHLY;BYMONTHDAY={day}",
                f"FREQ=MONTHLY;BYDAY={weekdays};BYSETPOS={place}",
                f"FREQ=YEARLY;BYMONTHDAY={day};BYMONTH={draw(st.integers(1, 12))}",
                f"FREQ=YEARLY;BYDAY={weekdays};BYSETPOS={place};BYMONTH={draw(st.integers(1, 12))}",
            )
        )
    )
    end = draw(st.just("") | st.integers(1, 40).map(lambda count: f";COUNT={count}"))
    return f"{frequency};INTERVAL={draw(st.integers(1, 5))}{end}"


@given(rules(), st.datetimes(datetime.datetime(1990, 1, 1), datetime.datetime(2050, 1, 1)))
def test_rules_fall_where_dateutil_says(rule, start):
    start = start.replace(second=0, microsecond=0)
    pattern = rrule.from_rrule(rule, start)
    one = recur.Appointment(pattern, start.hour * 60 + start.minute, 1440)
    ours = [each.start for each in itertools.islice(rrule.occurrences(one), 20)]
    assert ours == list(itertools.islice(dateutil_rrule.rrulestr(rule, dtstart=start), 20))
    assert rrule.from_rrule(rrule.to_rrule(pattern), start) == pattern


@given(st.text(st.sampled_from("FREQ=DAILYWEKMONTHBY;,UNTIL1234567890SUOZ-+"), max_size=60))
def test_any_text_is_a_rule_or_refused(text):
    try:
        rrule.from_rrule(text, datetime.datetime(2026, 3, 2, 9, 30))
        rrule.from_rrule("FREQ=DAILY;" + text, datetime.datetime(2026, 3, 2, 9, 30))
    except (BadSyntax, Refused) as error:
        assert error.text  # noqa: PT017 - that nothing else is raised is what counts


@given(
    st.dates(datetime.date(1601, 1, 1), datetime.date(4500, 1, 1)),
    st.sampled_from((months.Hijri(), months.Gregorian())),
)
def test_months_hold_their_days(day, system):
    number = day.toordinal()
    month = system.number(number)
    assert system.first(month) <= number < system.first(month) + system.length(month)
    assert system.first(month) + system.length(month) == system.first(month + 1)


RELATIVE = st.builds(
    Change, st.integers(1, 12), st.integers(0, 6), st.integers(1, 5), st.integers(0, 23), st.integers(0, 59)
)
ABSOLUTE = st.builds(
    Change,
    st.integers(1, 12),
    st.just(0),
    st.integers(1, 31),
    st.integers(0, 23),
    year=st.integers(1601, 4000),
)
CHANGES = st.none() | RELATIVE | ABSOLUTE
BIAS = st.integers(-719, 719)
RULE = st.builds(Rule, BIAS, BIAS, BIAS, CHANGES, CHANGES, U16, U16)


@given(st.builds(Definition, TEXT, st.lists(RULE, min_size=1, max_size=4).map(tuple)))
def test_time_zones(one):
    assert timezones.read_definition(timezones.write_definition(one)) == one
    rule = Rule(*(getattr(one.rules[0], name) for name in Rule.__slots__[:5]))
    assert timezones.read_struct(timezones.write_struct(rule)) == rule


@given(
    st.lists(RULE, min_size=1, max_size=3),
    st.datetimes(datetime.datetime(1602, 1, 1), datetime.datetime(4000, 1, 1)),
)
def test_any_rules_make_a_tzinfo(rules, when):
    zone = timezones.Zone(rules)
    local = when.replace(tzinfo=datetime.UTC).astimezone(zone)
    assert abs(local.utcoffset()) < datetime.timedelta(days=1)


@given(st.builds(GlobalId, st.binary(max_size=30), st.none() | st.dates(), st.integers(0, (1 << 64) - 1)))
def test_identities(one):
    assert GlobalId.read(one.write()) == one


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30))
def test_uids(uid):
    assert GlobalId.of_uid(uid).uid() == uid


GETTERS = (recur.read, recur.read_pattern, timezones.read_struct, timezones.read_definition, GlobalId.read)


@pytest.mark.parametrize("number", range(len(GETTERS)))
@given(raw=st.binary(max_size=120))
def test_any_bytes_are_read_or_refused(number, raw):
    try:
        GETTERS[number](raw)
    except BadSyntax as error:
        assert error.text  # noqa: PT017 - that nothing else is raised is what counts
