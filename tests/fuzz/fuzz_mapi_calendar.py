"""Fuzz target: any bytes as a recurrence, a time zone, an identity or what threads and searches keep.

BadSyntax and Refused may come out.
"""

from __future__ import annotations

import datetime
import itertools
import uuid
from collections.abc import Callable

from quintet.errors import BadSyntax, Refused
from quintet.mapi import conversation, recur, reporttag, restrict, rrule, searchdefs, timezones
from quintet.mapi.globalid import GlobalId

_START = datetime.datetime(2026, 3, 2, 9, 30)
_CHANGE = recur.Change(1000, 1030, 940, "subject", 1, 2, 1, "location", 2, 1, 1, 3, body=True)
_RULE = timezones.Rule(480, 0, -60, timezones.Change(11, 0, 1, 2), timezones.Change(3, 0, 2, 2), 2026)

_SEARCH = searchdefs.Definition(
    text="ab", folders=(b"eid",), addresses=(((0x3001001F, "Zoe"),),), restriction=restrict.Exist(0x0037001F)
)
_RULES = ("FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO", "FREQ=MONTHLY;BYDAY=FR;BYSETPOS=-1", "FREQ=YEARLY;COUNT=3")
SEEDS: list[bytes] = [
    *(
        b"\0" + recur.write(recur.Appointment(rrule.from_rrule(rule, _START), 570, 600, (_CHANGE,)))
        for rule in _RULES
    ),
    b"\1" + timezones.write_struct(_RULE),
    b"\2" + timezones.write_definition(timezones.Definition("Pacific Standard Time", (_RULE, _RULE))),
    b"\3" + GlobalId.of_uid("a@b", datetime.date(2026, 3, 2)).write(),
    b"\4FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TU;WKST=SU;UNTIL=20270101T000000Z",
    b"\5" + conversation.answer(conversation.begin(0x01DC << 48, uuid.UUID(int=5)), 0x01DD << 48, 7),
    b"\6" + reporttag.write(reporttag.ReportTag(message=b"eid", text=b"Subject")),
    b"\7" + searchdefs.write(_SEARCH),
]


def _recurrence(raw: bytes) -> None:
    one = recur.read(raw)
    assert recur.read(recur.write(one)) == one
    late = datetime.datetime(2100, 1, 1)
    list(itertools.islice(rrule.occurrences(one, late), 5))
    rrule.to_rrule(one.pattern, time=one.start)


def _zone(raw: bytes) -> None:
    one = timezones.read_definition(raw)
    assert timezones.read_definition(timezones.write_definition(one)) == one
    datetime.datetime(2026, 3, 2, tzinfo=datetime.UTC).astimezone(timezones.Zone(one.rules))


_TARGETS: list[Callable[[bytes], object]] = [
    _recurrence,
    timezones.read_struct,
    _zone,
    lambda raw: GlobalId.read(raw).uid(),
    lambda raw: rrule.from_rrule(raw.decode("latin-1"), _START, datetime.UTC),
    conversation.read,
    reporttag.read,
    searchdefs.read,
]


def target(data: bytes) -> None:
    """The first byte says which structure."""
    if not data:
        return
    try:
        _TARGETS[data[0] % len(_TARGETS)](data[1:])
    except (BadSyntax, Refused):
        return
