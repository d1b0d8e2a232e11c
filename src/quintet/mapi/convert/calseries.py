"""Series: RRULE, EXDATE and RECURRENCE-ID as PidLidAppointmentRecur, and back (MS-OXCICAL 2.1.3.2).

An exception is a change in the pattern and, as Outlook keeps it, a hidden attachment with the properties that
are different (MS-OXOCAL 2.2.10).  What a pattern cannot tell is no series here: `read` says so.
"""

from __future__ import annotations

import datetime
from dataclasses import replace

from quintet.errors import BadSyntax, Refused
from quintet.mapi import recur, rrule
from quintet.mapi.bag import Attachment, Bag, Item
from quintet.mapi.convert import calevents, names
from quintet.mapi.convert import calkeys as keys
from quintet.mapi.convert.caltimes import When, Zones, filetime
from quintet.mapi.convert.contentlines import Component
from quintet.mapi.recur import DAY, Appointment, Change, End, Frequency

MAX_EXCEPTIONS = 1000  # changed or deleted occurrences of a series
IS_EXCEPTION_ATTACHMENT = 0x2  # PidTagAttachmentFlags: afException (MS-OXCMSG 2.2.2.23)
_TYPES = {Frequency.DAILY: 1, Frequency.WEEKLY: 2, Frequency.MONTHLY: 3, Frequency.YEARLY: 4}
_FOREVER = datetime.datetime(4500, 8, 31, 23, 59, tzinfo=datetime.UTC)


def read(
    event: Component, changed: list[Component], item: Item, zones: Zones, start: When, end: When
) -> bool:
    """Put the series of ``event`` and of its ``changed`` occurrences into ``item``.

    False: a rule, or another date (RDATE), that no pattern can tell; nothing was put.
    """
    lines = list(event.all("RRULE"))
    if len(lines) != 1 or event.get("RDATE") is not None or event.get("EXRULE") is not None:
        return False
    try:
        pattern = rrule.from_rrule(lines[0].value, start.local, None if start.whole_day else start.zone)
        changes = _changes(changed[:MAX_EXCEPTIONS], event, zones, start)
        series = _series(pattern, _deleted(event, zones, start), [one for _, one in changes], start, end)
        raw = recur.write(series)
    except (BadSyntax, Refused):
        return False
    bag = item.props
    bag[keys.RECUR] = raw
    bag[keys.RECURRING] = bag[keys.IS_RECURRING] = True
    bag[keys.RECURRENCE_TYPE] = _TYPES[series.pattern.frequency]
    bag[keys.CLIP_START] = _midnight(series.pattern.start, start)
    forever = series.pattern.end is End.NEVER
    bag[keys.CLIP_END] = filetime(_FOREVER) if forever else _midnight(series.pattern.last, start)
    item.attachments += [_attachment(one, event, zones, start) for one, _ in changes]
    return True


def _midnight(minutes: recur.Minutes, like: When) -> int:
    return filetime(recur.moment(minutes).replace(tzinfo=like.zone))


def _deleted(event: Component, zones: Zones, start: When) -> set[recur.Minutes]:
    """The days of EXDATE."""
    values = [(value, line) for line in event.all("EXDATE") for value in line.value.split(",")]
    return {
        recur.minutes(when.local) // DAY * DAY
        for value, line in values[:MAX_EXCEPTIONS]
        if (when := _in_zone(zones.value(value, line), start)) is not None
    }


def _series(
    pattern: recur.Pattern, deleted: set[recur.Minutes], changes: list[Change], start: When, end: When
) -> Appointment:
    time = start.local.hour * 60 + start.local.minute
    pattern = replace(
        pattern,
        deleted=tuple(sorted(deleted | {one.original // DAY * DAY for one in changes})),
        modified=tuple(sorted([one.start // DAY * DAY for one in changes])),
    )
    length = max((end.utc - start.utc) // 600_000_000, 0)
    return Appointment(pattern, time, time + length, tuple(sorted(changes, key=lambda one: one.start)))


def _changes(
    changed: list[Component], master: Component, zones: Zones, start: When
) -> list[tuple[Component, Change]]:
    """The changed occurrences that there are, the first of several for one."""
    found: dict[recur.Minutes, tuple[Component, Change]] = {}
    for one in changed:
        change = _change(one, master, zones, start)
        if change is not None:
            found.setdefault(change.original // DAY, (one, change))
    return list(found.values())


def _in_zone(when: When | None, like: When) -> When | None:
    """The same moment by the clocks of the series; a date is the day that they show."""
    if when is None or when.whole_day or like.whole_day:
        return when
    try:
        local = when.local.replace(tzinfo=when.zone).astimezone(like.zone)
    except (OverflowError, ValueError):
        return None
    return like.at(local.replace(tzinfo=None))


def _change(one: Component, master: Component, zones: Zones, start: When) -> Change | None:
    """What is different in one occurrence; None: it is none of this series."""
    original = _in_zone(zones.when(one.get("RECURRENCE-ID")), start)
    times = calevents.span(one, zones)
    if original is None or times is None:
        return None
    begin, stop = (_in_zone(when, start) for when in times)
    if begin is None or stop is None:
        return None
    first = recur.minutes(original.local)
    if original.whole_day:  # of the day, whatever its time
        first += start.local.hour * 60 + start.local.minute
    return Change(
        recur.minutes(begin.local),
        recur.minutes(stop.local),
        first,
        subject=_other(one.text("SUMMARY"), master.text("SUMMARY")),
        location=_other(one.text("LOCATION"), master.text("LOCATION")),
        busy_status=calevents.busy(one, whole_day=times[0].whole_day),
        body=_other(one.text("DESCRIPTION"), master.text("DESCRIPTION")) is not None,
    )


def _other(own: str | None, usual: str | None) -> str | None:
    return own if own is not None and own != usual else None


def _attachment(one: Component, master: Component, zones: Zones, start: When) -> Attachment:
    """The properties of a changed occurrence, as an embedded message (MS-OXOCAL 2.2.10.1)."""
    item = Item({names.MESSAGE_CLASS: keys.EXCEPTION_CLASS})
    times = calevents.put_event(one, item, zones)
    assert times is not None  # `_change` read them
    bag: Bag = {
        names.ATTACH_METHOD: names.EMBEDDED,
        names.ATTACH_HIDDEN: True,
        names.ATTACH_FLAGS: 0,
        names.RENDERING_POSITION: names.NOT_RENDERED,
        names.DISPLAY_NAME: item.props.get(names.SUBJECT, ""),
        keys.ATTACHMENT_FLAGS: IS_EXCEPTION_ATTACHMENT,
    }
    begin, stop = (_in_zone(when, start) or when for when in times)
    # local times, as if they were UTC (MS-OXOCAL 2.2.10.1.4, .5)
    bag[keys.EXCEPTION_START] = filetime(begin.local.replace(tzinfo=datetime.UTC))
    bag[keys.EXCEPTION_END] = filetime(stop.local.replace(tzinfo=datetime.UTC))
    if _said(one, "ATTENDEE") != _said(master, "ATTENDEE"):
        item.recipients = calevents.attendees(one)
    if _said(one, "DESCRIPTION") == _said(master, "DESCRIPTION"):
        for key in (names.BODY, names.CODEPAGE, names.NATIVE_BODY, names.HTML):
            item.props.pop(key, None)
    return Attachment(bag, item=item)


def _said(one: Component, name: str) -> list[tuple[str, object]]:
    return [(line.value, line.params) for line in one.all(name)]


# --- back -------------------------------------------------------------------------------------------------


def of(bag: Bag) -> Appointment | None:
    """The series of an appointment; None: it is none, or is malformed."""
    raw = bag.get(keys.RECUR)
    if not isinstance(raw, bytes) or not raw:
        return None
    try:
        return recur.read(raw)
    except BadSyntax:
        return None


def is_exception(one: Attachment) -> bool:
    """Whether an attachment is a changed occurrence, and nothing for people."""
    flags = one.props.get(keys.ATTACHMENT_FLAGS, 0)
    return one.item is not None and bool(flags & IS_EXCEPTION_ATTACHMENT)


def embedded(item: Item, change: Change, zone: datetime.tzinfo) -> Item | None:
    """The message that tells more of a change: it replaces the same moment (MS-OXOCAL 2.2.10.1.6)."""
    original = filetime(recur.moment(change.original).replace(tzinfo=zone))
    start = filetime(recur.moment(change.start).replace(tzinfo=datetime.UTC))
    for one in item.attachments:
        if not is_exception(one) or one.item is None:
            continue
        replaces = one.item.props.get(keys.EXCEPTION_REPLACES)
        if replaces == original or (replaces is None and one.props.get(keys.EXCEPTION_START) == start):
            return one.item
    return None
