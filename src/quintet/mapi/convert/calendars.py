"""Calendars: iCalendar as items and back (MS-OXCICAL 2.1.3.1), and calendars within letters (MS-OXCMAIL)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quintet.errors import BadSyntax
from quintet.mapi.bag import Attachment, Bag, Item
from quintet.mapi.convert import calevents, calseries, caltasks, calwrite, names
from quintet.mapi.convert import calkeys as keys
from quintet.mapi.convert.caltimes import Zones, vtimezone
from quintet.mapi.convert.contentlines import Component, parse, written

PRODUCT = "-//Quintet//MAPI//EN"
MAX_ITEMS = 10_000  # of one calendar
MAX_PART = 5000  # lines of a calendar in a letter; they are read each time the letter is opened

_CLASSES = {"REQUEST": keys.REQUEST, "CANCEL": keys.CANCELLATION, "PUBLISH": keys.APPOINTMENT}
_ANSWERS = {"ACCEPTED": keys.ACCEPTANCE, "DECLINED": keys.DECLINE, "TENTATIVE": keys.TENTATIVE}
# PidTagIconIndex (MS-OXOCAL 2.2.1.49): of one meeting or appointment, and of a series
_ICONS = {
    keys.APPOINTMENT: 0x400, keys.REQUEST: 0x404, keys.ACCEPTANCE: 0x405, keys.DECLINE: 0x406,
    keys.TENTATIVE: 0x407, keys.CANCELLATION: 0x408,
}  # fmt: skip
_SERIES, _MEETING = 1, 2  # what is added for an appointment
_NEW_REQUEST, _UPDATE = 0x1, 0x10000  # PidLidMeetingType (MS-OXOCAL 2.2.6.5)


# --- calendars --------------------------------------------------------------------------------------------


def read(text: str) -> list[Item]:
    """The appointments, meetings and tasks of a calendar, at most `MAX_ITEMS`.

    Raises BadSyntax: too long, or nested too deeply.
    """
    items: list[Item] = []
    for calendar in parse(text):
        if calendar.name != "VCALENDAR":
            continue
        zones = Zones(calendar)
        method = _method(calendar)
        for group in _groups(calendar)[: MAX_ITEMS - len(items)]:
            item = Item({names.IMPORTANCE: 1, names.PRIORITY: 0, names.SENSITIVITY: 0})
            if _read_group(group, item, zones, method):
                items.append(item)
    return items


def write(items: Iterable[Item], *, method: str | None = None) -> str:
    """A calendar with these items; what is neither appointment, meeting nor task is left out.

    ``method``: what it is for; None: that of its only item, PUBLISH of several.
    """
    items = list(items)
    if method is None:
        method = calwrite.method_of(items[0].props) if len(items) == 1 else None
    return written(_calendar(items, method or "PUBLISH", html=True))


def _calendar(items: Sequence[Item], method: str, *, html: bool) -> Component:
    calendar = Component("VCALENDAR")
    calendar.add("METHOD", method)
    calendar.add("PRODID", PRODUCT)
    calendar.add("VERSION", "2.0")
    zones: dict[str, Component] = {}
    parts: list[Component] = []
    for item in items:
        if caltasks.is_task(item.props):
            parts.append(caltasks.write(item))
        elif calwrite.method_of(item.props) is not None:
            events = calwrite.Events(item, html=html)
            parts += events.components()
            if events.definition is not None:
                zones.setdefault(events.definition.name, vtimezone(events.definition))
    calendar.children = [*zones.values(), *parts]
    return calendar


def _method(calendar: Component) -> str:
    return (calendar.text("METHOD") or "PUBLISH").strip().upper()


def _groups(calendar: Component) -> list[list[Component]]:
    """The events of each UID together, the one that is no exception first; each task alone."""
    found: dict[str, list[Component]] = {}
    for number, one in enumerate(calendar.children):
        if one.name == "VTODO":
            found[f"\n{number}"] = [one]
        elif one.name == "VEVENT":
            found.setdefault((one.text("UID") or "").strip() or f"\n{number}", []).append(one)
    for group in found.values():
        group.sort(key=lambda one: one.get("RECURRENCE-ID") is not None)
    return list(found.values())


# --- one item ---------------------------------------------------------------------------------------------


def _read_group(group: list[Component], item: Item, zones: Zones, method: str) -> bool:
    """Make ``item`` what a group of components says; False: they say nothing."""
    first = group[0]
    if first.name == "VTODO":
        caltasks.read(first, item, zones)
        return True
    kind = _class_of(first, method)
    times = calevents.put_event(first, item, zones) if kind is not None else None
    if kind is None or times is None:
        return False
    bag = item.props
    bag[names.MESSAGE_CLASS] = kind
    answer = method in ("REPLY", "COUNTER")
    calevents.put_stamp(first, bag, zones, of_attendee=answer)
    if answer:
        _read_answer(first, item, zones, method)
    else:
        calevents.put_organizer(first, bag)
        calevents.merge_attendees(item, calevents.attendees(first))
    series = first.get("RRULE") is not None or first.get("RDATE") is not None
    if series and not calseries.read(first, group[1:], item, zones, *times):
        _keep(item, group, zones)
    asked = any(line.has("RSVP", "TRUE") for line in first.all("ATTENDEE"))
    _put_state(item, kind, asked=asked)
    return True


def _class_of(event: Component, method: str) -> str | None:
    """The message class (MS-OXCICAL 2.1.3.1.1.1); None: of no such calendar."""
    if method == "REPLY":
        line = event.get("ATTENDEE")
        return _ANSWERS.get(line.param("PARTSTAT").upper()) if line else None
    return keys.TENTATIVE if method == "COUNTER" else _CLASSES.get(method)


def _read_answer(event: Component, item: Item, zones: Zones, method: str) -> None:
    """Who answers is the sender; what they propose instead stands beside the time that was."""
    bag = item.props
    calevents.put_organizer(event, bag, "ATTENDEE")
    bag[keys.REPLY_TIME] = bag.get(keys.ATTENDEE_CHANGE, bag[keys.START])
    if method == "COUNTER":
        bag[keys.COUNTER] = True
        bag[keys.PROPOSED_START], bag[keys.PROPOSED_END] = bag[keys.START], bag[keys.END]
        bag[keys.PROPOSED_DURATION] = bag[keys.DURATION]
        was = [zones.when(event.get(name)) for name in ("X-MS-OLK-ORIGINALSTART", "X-MS-OLK-ORIGINALEND")]
        if was[0] is not None and was[1] is not None:
            calevents.put_times(bag, was[0], was[1])


def _put_state(item: Item, kind: str, *, asked: bool) -> None:
    """What the kind of item implies (MS-OXOCAL 2.2.1.10, 2.2.1.11, 2.2.6)."""
    bag = item.props
    meeting = kind != keys.APPOINTMENT or bool(item.recipients)
    state = calevents.IS_MEETING if meeting else 0
    if kind == keys.REQUEST:
        # who is asked pencils it in until they answer
        bag[keys.INTENDED_BUSY] = bag[keys.BUSY]
        bag[keys.BUSY] = calevents.PENCILLED
        bag[keys.MEETING_TYPE] = _UPDATE if bag.get(keys.SEQUENCE) else _NEW_REQUEST
        bag[keys.RESPONSE_REQUESTED] = bag[keys.REPLY_REQUESTED] = asked
        state |= calevents.IS_RECEIVED
    elif kind == keys.CANCELLATION:
        bag[keys.INTENDED_BUSY] = bag[keys.BUSY] = calevents.FREE
        state |= calevents.IS_RECEIVED | calevents.IS_CANCELED
    bag[keys.STATE] = state
    bag.setdefault(keys.RECURRING, False)
    bag.setdefault(keys.IS_RECURRING, False)
    icon = _ICONS[kind]
    if kind == keys.APPOINTMENT:
        icon += (_MEETING if meeting else 0) + (_SERIES if bag[keys.RECURRING] else 0)
    bag[keys.ICON] = icon


def _keep(item: Item, group: list[Component], zones: Zones) -> None:
    """A series that MAPI cannot tell: its first occurrence is the item, its text is attached."""
    calendar = Component("VCALENDAR", children=[*zones.components(), *group])
    calendar.add("PRODID", PRODUCT)
    calendar.add("VERSION", "2.0")
    bag: Bag = {
        names.ATTACH_METHOD: names.BY_VALUE,
        names.ATTACH_LONG_NAME: "series.ics",
        names.ATTACH_MIME_TAG: "text/calendar",
        names.RENDERING_POSITION: names.NOT_RENDERED,
        names.ATTACH_FLAGS: 0,
    }
    item.attachments.append(Attachment(bag, written(calendar).encode("utf-8", "replace")))


# --- in letters -------------------------------------------------------------------------------------------


def read_part(text: str, item: Item) -> bool:
    """Make a letter the meeting, appointment or task that its calendar tells (MS-OXCMAIL 2.2.3.3).

    False: it tells of none, or of several; nothing was done then.
    """
    try:
        calendars = [one for one in parse(text, most=MAX_PART) if one.name == "VCALENDAR"]
    except BadSyntax:
        return False
    groups = _groups(calendars[0]) if len(calendars) == 1 else []
    if len(groups) != 1:
        return False
    return _read_group(groups[0], item, Zones(calendars[0]), _method(calendars[0]))


def part(item: Item) -> tuple[bytes, str] | None:
    """The calendar that belongs into an item's letter, and its method (MS-OXCMAIL 2.1.3.3.8); None: none."""
    bag = item.props
    method = "PUBLISH" if caltasks.is_task(bag) else calwrite.method_of(bag)
    if method is None:
        return None
    calendar = _calendar([item], method, html=False)
    if not any(one.name in ("VEVENT", "VTODO") for one in calendar.children):
        return None
    return written(calendar).encode("utf-8", "replace"), method
