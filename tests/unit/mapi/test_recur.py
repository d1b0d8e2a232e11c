"""Recurrences: the bytes that MS-OXOCAL draws, the rules of MS-OXCICAL, and what dateutil makes of both."""

from __future__ import annotations

import datetime
import itertools
import zoneinfo

import pytest
from dateutil import rrule as dateutil_rrule

from quintet.errors import BadSyntax, Reason, Refused
from quintet.mapi import recur, rrule
from quintet.mapi.buffer import Writer
from quintet.mapi.globalid import GlobalId

D = datetime.date
T = datetime.datetime
START = T(2026, 3, 2, 9, 30)


def weekly(**more: object) -> recur.Pattern:
    plain = {"days": 0b0000010, "first": 8640, "end": recur.End.COUNT, "count": 12}
    fields = plain | {"start": recur.minutes(D(2007, 3, 26)), "last": recur.minutes(D(2007, 6, 11))} | more
    return recur.Pattern(recur.Frequency.WEEKLY, recur.Kind.WEEK, 1, **fields)


def test_bytes_of_a_weekly_recurrence() -> None:
    """MS-OXOCAL 2.2.1.44.1: versions, weekly, every week on Mondays, twelve times, no exceptions."""
    raw = recur.write(recur.Appointment(weekly(), 600, 630))
    head = "04300430" + "0b20" + "0100" + "0000" + "c0210000" + "01000000" + "00000000" + "02000000"
    end = "22200000" + "0c000000" + "00000000" + "00000000" + "00000000"
    dates = weekly().start.to_bytes(4, "little").hex() + weekly().last.to_bytes(4, "little").hex()
    tail = "06300000" + "09300000" + "58020000" + "76020000" + "0000" + "00000000" + "00000000"
    assert raw.hex() == head + end + dates + tail
    assert recur.read(raw).pattern == weekly()
    assert rrule.first_of(weekly()) == 8640  # six days: the first Sunday of 1601


def test_bytes_of_an_exception() -> None:
    """MS-OXOCAL 2.2.1.44.2, 2.2.1.44.4: narrow text, then wide text with the times again."""
    change = recur.Change(1000, 1030, 940, subject="Zoë", busy_status=2, highlight=5)
    writer = Writer()
    recur.put_pattern(writer, weekly())
    raw = recur.write(recur.Appointment(weekly(), 600, 630, (change,)))[len(writer.done()) + 16 :]
    times = "e8030000" + "06040000" + "ac030000"
    assert raw.hex() == (
        "0100" + times + "2100" + "0400" + "0300" + "5a6feb" + "02000000" + "00000000"
        + "04000000" + "05000000" + "00000000" + times + "0300" + "5a006f00eb00" + "00000000" + "00000000"
    )  # fmt: skip


def test_recurrence_that_ends_behind_its_exceptions_is_read() -> None:
    change = recur.Change(1000, 1030, 940, location="here")
    raw = recur.write(recur.Appointment(weekly(), 600, 630, (change,), 0x3008))
    extended = 4 + 12 + 2 + 8 + 4
    short = raw[: len(raw) - 4 - extended - 4]
    assert recur.read(short).changes == (change,)


@pytest.mark.parametrize(
    ("place", "raw"),
    [
        (0, "0530"),  # version
        (4, "0e20"),  # frequency
        (6, "0500"),  # kind
        (14, "00000000"),  # period
        (22, "00000000"),  # no weekday
        (26, "24200000"),  # end
        (34, "07000000"),  # first weekday
        (38, "ffffff0f"),  # deleted instances
        (54, "05300000"),  # second version
        (62, "a0050000"),  # begins the next day
        (66, "00000000"),  # ends before it begins
        (66, "ffffffff"),  # ends after 8,000 years
    ],
)
def test_malformed_recurrences_are_refused(place: int, raw: str) -> None:
    whole = bytearray(recur.write(recur.Appointment(weekly(), 600, 630)))
    whole[place : place + len(raw) // 2] = bytes.fromhex(raw)
    with pytest.raises(BadSyntax):
        recur.read(bytes(whole))


# --- rules ----------------------------------------------------------------------------------------------

RULES = [
    # MS-OXCICAL 2.1.3.2.2.1 to 2.1.3.2.2.6, their examples and more
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=3;COUNT=7",
    "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR;COUNT=9",
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;BYDAY=TU,TH;INTERVAL=2;WKST=SU",
    "FREQ=WEEKLY;BYDAY=SU,MO;INTERVAL=2;WKST=SU;COUNT=8",
    "FREQ=WEEKLY;BYDAY=SU,MO;INTERVAL=2;WKST=MO;COUNT=8",
    "FREQ=WEEKLY;BYDAY=SA;INTERVAL=5;UNTIL=20270101T093000",
    "FREQ=MONTHLY",
    "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=14",
    "FREQ=MONTHLY;BYMONTHDAY=15;INTERVAL=3;COUNT=7",
    "FREQ=MONTHLY;BYDAY=SU;BYSETPOS=3",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=MONTHLY;BYDAY=1MO;COUNT=7",
    "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=MONTHLY;BYDAY=SU,MO,TU,WE,TH,FR,SA;BYSETPOS=-1;COUNT=5",
    "FREQ=YEARLY",
    "FREQ=YEARLY;BYMONTHDAY=10;BYMONTH=1;COUNT=3",
    "FREQ=YEARLY;BYDAY=SU;BYSETPOS=3;BYMONTH=6",
    "FREQ=YEARLY;BYDAY=MO;BYSETPOS=1;BYMONTH=10;INTERVAL=3;COUNT=7",
    "FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3;UNTIL=20400101",
]


def starts(pattern: recur.Pattern, most: int = 30) -> list[datetime.datetime]:
    one = recur.Appointment(pattern, START.hour * 60 + START.minute, 600)
    return [each.start for each in itertools.islice(rrule.occurrences(one), most)]


def of_dateutil(rule: str, most: int = 30) -> list[datetime.datetime]:
    return list(itertools.islice(dateutil_rrule.rrulestr(rule, dtstart=START), most))


@pytest.mark.parametrize("rule", RULES)
def test_rule_falls_on_the_days_that_dateutil_says(rule: str) -> None:
    pattern = rrule.from_rrule(rule, START)
    assert starts(pattern) == of_dateutil(rule)
    again = rrule.to_rrule(pattern, time=570)
    assert of_dateutil(again) == of_dateutil(rule)
    assert rrule.from_rrule(again, START).last == pattern.last
    assert recur.read_pattern(recur.write_pattern(pattern)) == pattern


def test_ends_are_told_both_ways() -> None:
    counted = rrule.from_rrule("FREQ=DAILY;INTERVAL=2;COUNT=3", START)
    assert (counted.end, counted.count, recur.moment(counted.last)) == (0x2022, 3, T(2026, 3, 6))
    until = rrule.from_rrule("FREQ=DAILY;INTERVAL=2;UNTIL=20260307", START)
    assert (until.end, until.count, until.last) == (0x2021, 3, counted.last)
    never = rrule.from_rrule("FREQ=DAILY", START)
    assert (never.end, never.count, never.last) == (0x2023, 10, 0x5AE980DF)


def test_until_is_of_the_zone() -> None:
    """RFC 5545 3.3.10: UNTIL in UTC; 07:30 in Berlin's summer is too early for 09:30."""
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    rule = "FREQ=DAILY;UNTIL=20260701T073000Z"
    pattern = rrule.from_rrule(rule, START, berlin)
    assert recur.moment(pattern.last).date() == D(2026, 7, 1)
    assert rrule.to_rrule(pattern, time=570, zone=berlin) == rule
    assert rrule.to_rrule(pattern, whole_day=True) == "FREQ=DAILY;UNTIL=20260701"
    earlier = rrule.from_rrule("FREQ=DAILY;UNTIL=20260701T072959Z", START, berlin)
    assert recur.moment(earlier.last).date() == D(2026, 6, 30)


def test_day_beyond_the_end_of_a_month_is_its_last() -> None:
    """MS-OXOCAL 2.2.1.44.1.4."""
    pattern = recur.Pattern(
        recur.Frequency.MONTHLY, recur.Kind.MONTH, 1, recur.minutes(D(2026, 1, 30)), day=30
    )
    assert [each.day for each in itertools.islice(rrule.days(pattern), 4)] == [30, 28, 30, 30]
    assert rrule.to_rrule(pattern) == "FREQ=MONTHLY;BYMONTHDAY=30"


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=HOURLY",
        "FREQ=DAILY;INTERVAL=2;BYDAY=MO",
        "FREQ=DAILY;BYHOUR=7",
        "FREQ=WEEKLY;BYDAY=1MO",
        "FREQ=WEEKLY;BYSETPOS=1",
        "FREQ=MONTHLY;BYDAY=MO",
        "FREQ=MONTHLY;BYDAY=1MO,2TU",
        "FREQ=MONTHLY;BYDAY=5MO",
        "FREQ=MONTHLY;BYMONTHDAY=1,15",
        "FREQ=MONTHLY;BYMONTHDAY=-2",
        "FREQ=MONTHLY;BYMONTH=6",
        "FREQ=YEARLY;BYDAY=20MO",
        "FREQ=YEARLY;BYYEARDAY=200",
        "FREQ=YEARLY;BYMONTH=1,7",
    ],
)
def test_rules_that_no_pattern_tells_are_refused(rule: str) -> None:
    """MS-OXCICAL 2.1.3.2.2: what fits no template."""
    with pytest.raises(Refused) as caught:
        rrule.from_rrule(rule, START)
    assert caught.value.reason == Reason.UNSUPPORTED


@pytest.mark.parametrize(
    "rule",
    ["", "DAILY", "FREQ=DAILY;FREQ=DAILY", "FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=2;UNTIL=20270101",
     "FREQ=DAILY;UNTIL=20269901", "FREQ=DAILY;UNTIL=20200101", "FREQ=WEEKLY;WKST=XX", "FREQ=DAILY;INTERVAL=0",
     "FREQ=WEEKLY;BYDAY=XX", "FREQ=DAILY;COUNT=999999", "FREQ=DAILY;" + "X" * 2000],
)  # fmt: skip
def test_what_is_no_rule_is_malformed(rule: str) -> None:
    with pytest.raises(BadSyntax):
        rrule.from_rrule(rule, START)


def test_window_is_reached_without_walking_there() -> None:
    pattern = rrule.from_rrule("FREQ=WEEKLY;BYDAY=MO;INTERVAL=2", START)
    one = recur.Appointment(pattern, 570, 600)
    found = list(rrule.occurrences(one, T(4000, 1, 1), T(4000, 2, 1)))
    assert [each.start.weekday() for each in found] == [0, 0, 0]
    assert (found[0].start.date() - START.date()).days % 14 == 0


def test_exceptions_replace_and_move_what_the_series_has() -> None:
    pattern = rrule.from_rrule("FREQ=DAILY;COUNT=4", START)
    days = [recur.minutes(D(2026, 3, day)) for day in (2, 3, 4, 5)]
    moved = recur.Change(days[3] + 60, days[3] + 90, days[1] + 570, subject="later")
    one = recur.Appointment(pattern, 570, 600, (moved,))
    found = list(rrule.occurrences(one))
    assert [(each.start.day, each.start.hour, each.change is not None) for each in found] == [
        (2, 9, False), (4, 9, False), (5, 1, True), (5, 9, False),
    ]  # fmt: skip
    assert found[2].original == T(2026, 3, 3, 9, 30)
    during = list(rrule.occurrences(one, T(2026, 3, 4, 9, 45), T(2026, 3, 5, 9, 30)))
    assert [each.start.day for each in during] == [4, 5]


def test_period_beyond_the_end_of_time_has_one_occurrence() -> None:
    for kind, months in ((recur.Kind.MONTH, 0xFFFFFFFF), (recur.Kind.HIJRI_MONTH, 0xFFFFFFFF)):
        pattern = recur.Pattern(recur.Frequency.MONTHLY, kind, months, recur.minutes(D(2026, 1, 30)), day=31)
        assert len(list(rrule.days(pattern))) == 1


def test_hijri_months() -> None:
    """1 Ramadan of 1446 and 1447 by the arithmetic calendar; no RRULE tells them."""
    pattern = recur.Pattern(
        recur.Frequency.YEARLY, recur.Kind.HIJRI_MONTH, 12, recur.minutes(D(2025, 3, 1)), day=1
    )
    assert list(itertools.islice(rrule.days(pattern), 2)) == [D(2025, 3, 1), D(2026, 2, 18)]
    with pytest.raises(Refused):
        rrule.to_rrule(pattern)
    lunar = recur.Pattern(
        recur.Frequency.MONTHLY, recur.Kind.MONTH, 1, recur.minutes(D(2025, 3, 1)), day=1, calendar=15
    )
    with pytest.raises(Refused):
        next(rrule.days(lunar))


@pytest.mark.parametrize(
    ("pattern", "first"),
    [
        ("FREQ=DAILY;INTERVAL=3", 2880),  # 155,288 days after 1 January 1601
        ("FREQ=WEEKLY;BYDAY=MO;INTERVAL=2;WKST=SU", 18720),
        ("FREQ=MONTHLY;INTERVAL=3", 84960),  # March: of January, February and March the third
        ("FREQ=YEARLY", 84960),
    ],
)
def test_first_date_time(pattern: str, first: int) -> None:
    """MS-OXOCAL 2.2.1.44.1: the beginning of the series, taken back to 1601."""
    assert rrule.from_rrule(pattern, START).first == first


# --- identities -----------------------------------------------------------------------------------------


def test_identity_of_a_uid() -> None:
    """MS-OXOCAL 2.2.1.27, MS-OXCICAL 2.1.3.1.1.20.26."""
    one = GlobalId.of_uid("a@b", D(2026, 3, 2))
    assert one.write().hex() == (
        "040000008200e00074c5b7101a82e008" + "07ea0302" + "00" * 16 + "10000000"
        + b"vCal-Uid\x01\0\0\0a@b\0".hex()
    )  # fmt: skip
    assert GlobalId.read(one.write()) == one
    assert one.uid() == "a@b"
    assert one.clean().write()[16:20] == bytes(4)


def test_identity_that_mapi_made_is_its_own_uid() -> None:
    one = GlobalId(b"\x01\x02" * 8, None, 5)
    assert one.uid() == one.write().hex().upper()
    assert GlobalId.of_uid(one.uid().lower(), D(2026, 3, 2)) == GlobalId(one.data, D(2026, 3, 2), 5)
    odd = one.uid() + "xyz"
    assert GlobalId.of_uid(odd).uid() == odd


@pytest.mark.parametrize("place", [0, 17, 18, 36])
def test_malformed_identities_are_refused(place: int) -> None:
    raw = bytearray(GlobalId.of_uid("a@b", D(2026, 3, 2)).write())
    raw[place] = 0xFF
    with pytest.raises(BadSyntax):
        GlobalId.read(bytes(raw[:-1]) if place == 17 else bytes(raw))
