"""Appointments and meetings as VEVENT (MS-OXCICAL 2.1.3.1.1.20)."""

from __future__ import annotations

import datetime

from quintet.errors import BadSyntax, Refused
from quintet.mapi import codepages, recur, rrule
from quintet.mapi.bag import Bag, Item, Key
from quintet.mapi.convert import addressing, bodies, calevents, calseries, envelope, names
from quintet.mapi.convert import calkeys as keys
from quintet.mapi.convert.caltimes import filetime, moment, zone_of
from quintet.mapi.convert.contentlines import Component, Params, escaped_list
from quintet.mapi.globalid import GlobalId
from quintet.mapi.recur import DAY, Appointment, Change
from quintet.mapi.timezones import Definition

_BUSY = {number: word for word, number in reversed(calevents.BUSY_WORDS.items())}
_ANSWERS = {keys.ACCEPTANCE: "ACCEPTED", keys.DECLINE: "DECLINED", keys.TENTATIVE: "TENTATIVE"}
_ROLES = {names.TO: "REQ-PARTICIPANT", names.CC: "OPT-PARTICIPANT", names.BCC: "NON-PARTICIPANT"}
_NOON = 12 * 36_000_000_000


def method_of(bag: Bag) -> str | None:
    """What the calendar of such an item is for (MS-OXCICAL 2.1.3.1.1.1); None: it is no calendar's."""
    kind = _kind(bag)
    if kind in _ANSWERS:
        return "COUNTER" if bag.get(keys.COUNTER) else "REPLY"
    return {keys.APPOINTMENT: "PUBLISH", keys.REQUEST: "REQUEST", keys.CANCELLATION: "CANCEL"}.get(kind)


def _kind(bag: Bag) -> str:
    """The message class, without what a form adds to it."""
    own = str(bag.get(names.MESSAGE_CLASS, "")).lower()
    known = (keys.APPOINTMENT, keys.REQUEST, keys.CANCELLATION, *_ANSWERS)
    return next((one for one in known if own == one.lower() or own.startswith(one.lower() + ".")), "")


class Events:
    """The VEVENTs of one item, and the zone that they need."""

    def __init__(self, item: Item, *, html: bool) -> None:
        self._item, self._bag, self._html = item, item.props, html
        found = zone_of(item.props)
        self._zone: datetime.tzinfo = found[0] if found else datetime.UTC
        self.definition: Definition | None = found[1] if found else None
        self._whole_day = bool(item.props.get(keys.WHOLE_DAY))
        self._kind = _kind(item.props)

    def components(self) -> list[Component]:
        """The appointment, then its changed occurrences; [] where it has no time."""
        start, end = self._span(self._bag)
        if start is None or end is None:
            return []
        event = self._event(self._item, start, end)
        series = calseries.of(self._bag)
        if series is None:
            replaces = self._bag.get(keys.EXCEPTION_REPLACES)
            if isinstance(replaces, int):
                self._time(event, "RECURRENCE-ID", replaces)
            return [event]
        try:
            self._put_series(event, series)
        except Refused:  # another calendar's: what iCalendar cannot tell stays with the item
            return [event]
        return [event, *(self._changed(one, series) for one in series.changes)]

    # --- one event -----------------------------------------------------------------------------------

    def _event(self, item: Item, start: int, end: int) -> Component:
        bag = item.props
        event = Component("VEVENT")
        self._put_people(event, item)
        self._put_texts(event, bag)
        event.add_text("UID", uid_of(self._bag))
        event.add("DTSTAMP", f"{moment(self._stamp()):%Y%m%dT%H%M%SZ}")
        self._time(event, "DTSTART", start)
        self._time(event, "DTEND", max(end, start))
        if self._bag.get(keys.COUNTER):
            for name, key in (("X-MS-OLK-ORIGINALSTART", keys.START), ("X-MS-OLK-ORIGINALEND", keys.END)):
                if isinstance(bag.get(key), int):
                    self._time(event, name, bag[key])
        self._put_numbers(event, bag)
        self._put_reminder(event, bag)
        return event

    def _span(self, bag: Bag) -> tuple[int | None, int | None]:
        """When it is, of a counter proposal when it shall be."""
        if bag.get(keys.COUNTER) and isinstance(bag.get(keys.PROPOSED_START), int):
            return bag[keys.PROPOSED_START], bag.get(keys.PROPOSED_END)
        start, end = _first(bag, keys.START, keys.COMMON_START), _first(bag, keys.END, keys.COMMON_END)
        return start, start if end is None else end

    def _stamp(self) -> int:
        answer = self._kind in _ANSWERS
        for key in (keys.ATTENDEE_CHANGE if answer else keys.OWNER_CHANGE, names.SUBMIT_TIME, keys.START):
            if isinstance(self._bag.get(key), int):
                return int(self._bag[key])
        return filetime(datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))

    def _time(self, event: Component, name: str, time: int) -> None:
        """A time in the zone of the appointment; a date where it lasts whole days."""
        local = moment(time)
        if self._whole_day:
            if self.definition is None and time % (2 * _NOON):
                local = moment(time + _NOON)  # midnight somewhere: the nearest one is meant
            local = local.astimezone(self._zone)
            event.add(name, f"{local:%Y%m%d}", {"VALUE": ["DATE"]})
        elif self.definition is None:
            event.add(name, f"{local:%Y%m%dT%H%M%SZ}")
        else:
            local = local.astimezone(self._zone)
            event.add(name, f"{local:%Y%m%dT%H%M%S}", {"TZID": [self.definition.name]})

    def _put_texts(self, event: Component, bag: Bag) -> None:
        event.add_text("SUMMARY", envelope.subject(bag))
        text = bodies.plain_of(bag)
        if text is not None:
            event.add_text("DESCRIPTION", text)
        html = bag.get(names.HTML)
        if self._html and isinstance(html, bytes) and html:
            shown = codepages.decode(html, bag.get(names.CODEPAGE))
            event.add_text("X-ALT-DESC", shown, {"FMTTYPE": ["text/html"]})
        place = bag.get(keys.LOCATION) or bag.get(keys.WHERE)
        if isinstance(place, str) and place:
            event.add_text("LOCATION", place)
        if isinstance(words := bag.get(names.KEYWORDS), list) and words:
            event.add("CATEGORIES", escaped_list(words))
        for contact in bag.get(keys.CONTACTS) or ():
            event.add_text("CONTACT", contact)

    def _put_numbers(self, event: Component, bag: Bag) -> None:
        own = self._bag
        event.add("CLASS", calevents.CLASS_WORDS.get(own.get(names.SENSITIVITY, 0), "PUBLIC"))
        event.add("PRIORITY", {0: "9", 2: "1"}.get(own.get(names.IMPORTANCE, 1), "5"))
        event.add("SEQUENCE", str(max(own.get(keys.SEQUENCE) or 0, 0)))
        intended = keys.INTENDED_BUSY if self._kind == keys.REQUEST else keys.BUSY
        busy = _first(bag, intended, keys.BUSY)
        busy = calevents.TAKEN if busy is None else busy
        event.add("TRANSP", "TRANSPARENT" if busy == calevents.FREE else "OPAQUE")
        canceled = self._kind == keys.CANCELLATION
        event.add("STATUS", "CANCELLED" if canceled else "TENTATIVE" if busy == 1 else "CONFIRMED")
        event.add("X-MICROSOFT-CDO-BUSYSTATUS", _BUSY.get(busy, "BUSY"))
        event.add("X-MICROSOFT-CDO-IMPORTANCE", str(own.get(names.IMPORTANCE, 1)))
        if self._whole_day:
            event.add("X-MICROSOFT-CDO-ALLDAYEVENT", "TRUE")
        if isinstance(owner := own.get(keys.OWNER_ID), int) and owner >= 0:
            event.add("X-MICROSOFT-CDO-OWNERAPPTID", str(owner))
        if own.get(keys.NO_COUNTER):
            event.add("X-MICROSOFT-DISALLOW-COUNTER", "TRUE")

    def _put_reminder(self, event: Component, bag: Bag) -> None:
        delta = bag.get(keys.REMINDER_DELTA, 0)
        if bag.get(keys.REMINDER_SET) and isinstance(delta, int) and delta >= 0:
            alarm = Component("VALARM")
            alarm.add("ACTION", "DISPLAY")
            alarm.add("DESCRIPTION", "REMINDER")
            alarm.add("TRIGGER", f"-PT{delta}M", {"RELATED": ["START"]})
            event.children.append(alarm)

    # --- people --------------------------------------------------------------------------------------

    def _put_people(self, event: Component, item: Item) -> None:
        """Who calls the meeting and who is called; of an answer the other way round."""
        bag = self._bag
        if self._kind in _ANSWERS:
            for row in self._item.recipients[:1]:
                self._person(event, "ORGANIZER", row, {})
            who = _sender_row(bag)
            if who is not None:
                self._person(event, "ATTENDEE", who, {"PARTSTAT": [_ANSWERS[self._kind]]})
            return
        organizer = calevents.ORGANIZER_FLAG
        rows = [row for row in item.recipients if not row.get(keys.RECIPIENT_FLAGS, 0) & organizer]
        if (who := _sender_row(bag)) is not None:  # RFC 5546 3.2.1: of what is published too
            self._person(event, "ORGANIZER", who, {})
        for row in rows:
            kind = row.get(names.RECIPIENT_TYPE, names.TO) & 0x0F
            params: Params = {"CUTYPE": ["RESOURCE"]} if kind == names.BCC else {}
            params["ROLE"] = [_ROLES.get(kind, "REQ-PARTICIPANT")]
            params["PARTSTAT"] = [calevents.PARTSTAT_WORDS.get(row.get(keys.TRACK_STATUS, 0), "NEEDS-ACTION")]
            if bag.get(keys.RESPONSE_REQUESTED, True):
                params["RSVP"] = ["TRUE"]
            self._person(event, "ATTENDEE", row, params)

    def _person(self, event: Component, name: str, row: Bag, params: Params) -> None:
        spec = row.get(names.SMTP_ADDRESS) or row.get(names.EMAIL_ADDRESS)
        shown = row.get(names.DISPLAY_NAME)
        if not isinstance(spec, str) or "@" not in spec:
            return
        if isinstance(shown, str) and shown and shown != spec:
            params = {"CN": [shown], **params}
        event.add(name, f"mailto:{addressing.clean(spec)}", params)

    # --- series --------------------------------------------------------------------------------------

    def _put_series(self, event: Component, series: Appointment) -> None:
        zone = None if self._whole_day else self._zone
        rule = rrule.to_rrule(series.pattern, time=series.start, zone=zone, whole_day=self._whole_day)
        event.add("RRULE", rule)
        changed = {one.original // DAY * DAY for one in series.changes}
        for day in series.pattern.deleted:
            if day not in changed:
                self._local(event, "EXDATE", day + series.start)

    def _local(self, event: Component, name: str, minutes: recur.Minutes) -> None:
        local = recur.moment(minutes)
        if self._whole_day:
            event.add(name, f"{local:%Y%m%d}", {"VALUE": ["DATE"]})
        elif self.definition is None:
            event.add(name, f"{local:%Y%m%dT%H%M%SZ}")
        else:
            event.add(name, f"{local:%Y%m%dT%H%M%S}", {"TZID": [self.definition.name]})

    def _changed(self, change: Change, series: Appointment) -> Component:
        """One changed occurrence: the series' properties, those of its own message, those of the pattern."""
        own = calseries.embedded(self._item, change, self._zone)
        bag = dict(self._bag)
        people = self._item.recipients
        if own is not None:
            bag |= own.props
            people = own.recipients or people
        if change.subject is not None:
            bag[names.SUBJECT] = change.subject
        if change.location is not None:
            bag[keys.LOCATION] = change.location
        if change.reminder_set is not None:
            bag[keys.REMINDER_SET] = bool(change.reminder_set)
        if change.reminder_delta is not None:
            bag[keys.REMINDER_DELTA] = change.reminder_delta
        if change.busy_status is not None:
            bag[keys.BUSY] = bag[keys.INTENDED_BUSY] = change.busy_status
        start, end = (
            filetime(recur.moment(time).replace(tzinfo=self._zone)) for time in (change.start, change.end)
        )
        event = self._event(Item(bag, people), start, end)
        self._local(event, "RECURRENCE-ID", change.original)
        return event


def _first(bag: Bag, *wanted: Key) -> int | None:
    """The first of these properties that is a number."""
    return next((found for key in wanted if isinstance(found := bag.get(key), int)), None)


def _sender_row(bag: Bag) -> Bag | None:
    """The one in whose name it is, as a recipient row."""
    for who in (names.REPRESENTING, names.SENDER):
        spec = bag.get(who.smtp) or bag.get(who.email)
        if isinstance(spec, str) and "@" in spec:
            return {names.SMTP_ADDRESS: spec, names.DISPLAY_NAME: bag.get(who.name)}
    return None


def uid_of(bag: Bag) -> str:
    """UID; what has no identity yet gets one of what it says, so that it stays the same."""
    for key in (keys.CLEAN_ID, keys.GLOBAL_ID):
        raw = bag.get(key)
        if isinstance(raw, bytes):
            try:
                return GlobalId.read(raw).clean().uid()
            except BadSyntax:
                continue
    return calevents.made_up_uid(bag, names.SUBJECT, keys.START, keys.END, keys.LOCATION, names.BODY)
