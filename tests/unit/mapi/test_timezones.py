"""Time zones: the bytes that MS-OXOCAL draws, and that rules and zones of Python agree."""

from __future__ import annotations

import datetime
import zoneinfo

import pytest

from quintet.errors import BadSyntax
from quintet.mapi import timezones, zonenames
from quintet.mapi.timezones import Change, Definition, Rule, Zone

UTC = datetime.UTC
PACIFIC = Rule(480, 0, -60, Change(11, 0, 1, 2), Change(3, 0, 2, 2), 2026)


def test_bytes_of_a_struct() -> None:
    """MS-OXOCAL 2.2.1.39: three biases; a year and a date, twice."""
    raw = timezones.write_struct(PACIFIC)
    assert raw.hex() == (
        "e0010000" + "00000000" + "c4ffffff" + "0000" + "00000b00000001000200000000000000"
        + "0000" + "00000300000002000200000000000000"
    )  # fmt: skip
    assert timezones.read_struct(raw) == Rule(480, 0, -60, PACIFIC.to_standard, PACIFIC.to_daylight)


def test_bytes_of_a_definition() -> None:
    """MS-OXOCAL 2.2.1.41: header of its own size, rules of 66 bytes."""
    one = Definition("Zoë", (Rule(-60, year=2026, flags=3),))
    raw = timezones.write_definition(one)
    assert raw.hex() == (
        "0201" + "0c00" + "0200" + "0300" + "5a006f00eb00" + "0100"
        + "0201" + "3e00" + "0300" + "ea07" + "00" * 14 + "c4ffffff" + "00" * 40
    )  # fmt: skip
    assert timezones.read_definition(raw) == one


@pytest.mark.parametrize(
    ("place", "raw"),
    [(0, "03"), (2, "ff00"), (4, "0000"), (6, "ff00"), (14, "0000"), (14, "0200"), (16, "01"),
     (18, "3f"), (38, "ffffff7f"), (50, "00000d"), (50, "00000300070001"), (50, "00000300010006"),
     (50, "ea070300010020")],
)  # fmt: skip
def test_malformed_definitions_are_refused(place: int, raw: str) -> None:
    whole = bytearray(timezones.write_definition(Definition("Zoë", (Rule(-60, year=2026),))))
    whole[place : place + len(raw) // 2] = bytes.fromhex(raw)
    with pytest.raises(BadSyntax):
        timezones.read_definition(bytes(whole))


ZONES = [
    "Europe/Berlin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Auckland",
    "Africa/Casablanca", "Asia/Kathmandu", "America/Sao_Paulo", "Europe/Dublin", "Asia/Jerusalem", "UTC",
    "Pacific/Apia",
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "year"),
    [
        *((name, 2026) for name in ZONES),
        ("Europe/Moscow", 2011),
        ("Europe/Moscow", 2014),
        ("America/Sao_Paulo", 2014),
    ],
)
def test_rules_of_a_zone_agree_with_it(name: str, year: int) -> None:
    """Offsets, folds and gaps; Moscow turned its clocks once in 2011 and in 2014."""
    zone = zoneinfo.ZoneInfo(name)
    ours = Zone([zonenames.rule_of(zone, year)])
    when = datetime.datetime(year, 1, 2, tzinfo=UTC)
    while when < datetime.datetime(year, 12, 30, tzinfo=UTC):
        theirs, found = when.astimezone(zone), when.astimezone(ours)
        assert (found.replace(tzinfo=None), found.fold) == (theirs.replace(tzinfo=None), theirs.fold), when
        for fold in (0, 1):
            local = theirs.replace(tzinfo=None, fold=fold)
            assert ours.utcoffset(local) == zone.utcoffset(local), (local, fold)
        when += datetime.timedelta(hours=13, minutes=30)


def test_hours_that_come_twice_and_hours_that_do_not() -> None:
    """PEP 495 in New York: 1:30 twice on 1 November, 2:30 never on 8 March."""
    zone, ours = (
        zoneinfo.ZoneInfo("America/New_York"),
        Zone([zonenames.rule_of(zoneinfo.ZoneInfo("America/New_York"), 2026)]),
    )
    for month, day, hour in ((11, 1, 1), (3, 8, 2)):
        for fold in (0, 1):
            local = datetime.datetime(2026, month, day, hour, 30, fold=fold)
            assert ours.utcoffset(local) == zone.utcoffset(local)
            assert ours.dst(local) == zone.dst(local)
    assert ours.tzname(None) == ""
    assert ours.utcoffset(None) == datetime.timedelta(0)


def test_rules_hold_from_their_year_on() -> None:
    zone = zoneinfo.ZoneInfo("America/New_York")
    one = zonenames.definition_of(zone, range(2000, 2027))
    assert (one.name, [rule.year for rule in one.rules]) == ("Eastern Standard Time", [2000, 2007])
    assert [rule.flags for rule in one.rules] == [0, 3]
    ours = Zone(one.rules, one.name)
    for year in (2003, 2006, 2007, 2026):
        for month in range(1, 13):
            local = datetime.datetime(year, month, 10)
            assert ours.utcoffset(local) == zone.utcoffset(local)


def test_new_year_of_two_rules() -> None:
    """The rule of the local year holds, whatever year UTC has."""
    ours = Zone([Rule(-60, year=2025), Rule(-120, year=2026)])
    found = datetime.datetime(2025, 12, 31, 23, 30, tzinfo=UTC).astimezone(ours)
    assert (found.year, found.utcoffset()) == (2026, datetime.timedelta(hours=2))


def test_names_of_windows() -> None:
    assert zonenames.iana_zone("W. Europe Standard Time") == zoneinfo.ZoneInfo("Europe/Berlin")
    assert zonenames.iana_zone("Europe/Vienna") == zoneinfo.ZoneInfo("Europe/Vienna")
    assert zonenames.iana_zone("Nowhere") is None
    assert zonenames.iana_zone("../../etc/passwd") is None
    assert zonenames.iana_zone("a\0b") is None
    assert zonenames.windows_name("Europe/Berlin", 2026) == "W. Europe Standard Time"
    assert zonenames.windows_name("America/Toronto", 2026) == "Eastern Standard Time"
    assert zonenames.windows_name("Nowhere", 2026) is None
    assert zonenames.guess(PACIFIC, 2026) == zoneinfo.ZoneInfo("America/Los_Angeles")
    assert zonenames.guess(Rule(17), 2026) is None


def test_names_are_those_of_cldr() -> None:
    theirs = pytest.importorskip("icalendar.timezone.windows_to_olson").WINDOWS_TO_OLSON
    assert zonenames._names() == theirs


def test_first_and_last_year_have_no_turns() -> None:
    """What Python cannot tell is no error of whoever asks for the time."""
    zone = Zone([Rule(-60, 0, -60, Change(12, 0, 5, 23), Change(1, 1, 1, 0), 1)])
    hour = datetime.timedelta(hours=1)
    for year in (datetime.MINYEAR, datetime.MAXYEAR):
        assert datetime.datetime(year, 7, 1, tzinfo=zone).utcoffset() == hour
        assert datetime.datetime(year, 7, 1, tzinfo=UTC).astimezone(zone).utcoffset() == hour
    assert datetime.datetime(2026, 7, 1, tzinfo=zone).utcoffset() == 2 * hour
