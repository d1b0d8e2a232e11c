"""Structures of calendars as extract-msg reads them, which nobody here wrote."""

from __future__ import annotations

import datetime
import uuid
import zoneinfo

import pytest

from quintet.mapi import ids, recur, rrule, timezones, zonenames

structures = pytest.importorskip("extract_msg.structures")
START = datetime.datetime(2026, 3, 2, 9, 30)


# what falls on the nth weekday of a month it reads wrongly
@pytest.mark.parametrize("rule", ["FREQ=DAILY;INTERVAL=3;COUNT=7", "FREQ=WEEKLY;BYDAY=TU,TH;WKST=SU"])
def test_recurrence(rule: str) -> None:
    pattern = rrule.from_rrule(rule, START)
    raw = recur.write(recur.Appointment(pattern, 570, 600))
    theirs = structures.recurrence_pattern.RecurrencePattern(raw)
    assert theirs.firstDateTime == pattern.first
    assert theirs.period == pattern.period
    assert (theirs.startDate, theirs.endDate) == (pattern.start, pattern.last)
    assert theirs.occurrenceCount == pattern.count
    assert (int(theirs.recurFrequency), int(theirs.patternType)) == (pattern.frequency, pattern.kind)
    if pattern.kind == recur.Kind.WEEK:
        assert int(theirs.patternTypeSpecific) == pattern.days


def test_time_zone_definition() -> None:
    one = zonenames.definition_of(zoneinfo.ZoneInfo("Europe/Berlin"), range(2020, 2027))
    theirs = structures.time_zone_definition.TimeZoneDefinition(timezones.write_definition(one))
    assert theirs.keyName == one.name == "W. Europe Standard Time"
    (rule,) = theirs.rules
    assert (rule.bias, rule.standardBias, rule.daylightBias) == (-60, 0, -60)
    assert (rule.standardDate.month, rule.standardDate.day, rule.standardDate.hour) == (10, 5, 3)
    assert (rule.daylightDate.month, rule.daylightDate.dayOfWeek, rule.daylightDate.hour) == (3, 0, 2)


def test_time_zone_struct() -> None:
    rule = zonenames.rule_of(zoneinfo.ZoneInfo("America/New_York"), 2026)
    theirs = structures.time_zone_struct.TimeZoneStruct(timezones.write_struct(rule))
    assert (theirs.bias, theirs.daylightBias) == (300, -60)


def test_entry_ids() -> None:
    read = structures.entry_id.EntryID.autoCreate
    guid = uuid.UUID(int=5)
    letter = ids.MessageEntry(
        ids.PUBLIC_FOLDERS,
        ids.PUBLIC_MESSAGE,
        ids.LongId(guid, 0x070000000000),
        ids.LongId(guid, 0x080000000000),
    )
    one_off = read(ids.write(ids.OneOffEntry(ids.UNICODE, "Zoë", "SMTP", "zoe@example.org")))
    assert (one_off.displayName, one_off.addressType, one_off.emailAddress) == (
        "Zoë",
        "SMTP",
        "zoe@example.org",
    )
    assert read(ids.write(ids.AddressBookEntry(0, "/o=x/cn=a"))).X5000DN == b"/o=x/cn=a"
    store = read(ids.write(ids.StoreEntry("server", "/o=x/cn=a")))
    assert (store.serverShortname, store.mailboxDN) == (b"server", "/o=x/cn=a")
    assert read(ids.write(letter)).messageGlobalCounter == 8  # it reads counters as little-endian
    assert read(ids.write(ids.ContactEntry(1, letter))).entryID.folderGlobalCounter == 7
    assert read(ids.write(ids.PersonalListEntry(letter))).entryID.messageGlobalCounter == 8
    assert read(ids.write(ids.NewsgroupEntry("comp.lang.c"))).newsgroupName == b"comp.lang.c"
    wrapped = read(ids.write(ids.WrappedEntry(0xB5, ids.AddressBookEntry(0, "/o=x/cn=a"))))
    assert wrapped.embeddedEntryID.X5000DN == b"/o=x/cn=a"
