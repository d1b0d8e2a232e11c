"""VEVENT as the properties of an appointment or a meeting (MS-OXCICAL 2.1.3.1.1.20).

Series and their exceptions are `calseries`'s; which calendars and letters become which items is
`calendars`'s.
"""

from __future__ import annotations

import datetime
import hashlib
import re

from quintet.errors import BadSyntax
from quintet.mapi import codepages
from quintet.mapi.bag import Bag, Item, Key
from quintet.mapi.convert import addressing, bodies, envelope, names
from quintet.mapi.convert import calkeys as keys
from quintet.mapi.convert.caltimes import When, Zones, duration, put_zone
from quintet.mapi.convert.contentlines import Component, Line
from quintet.mapi.globalid import GlobalId
from quintet.message.addresses import Address, mailboxes

MAX_ATTENDEES = 5000  # rows that a meeting gets
FREE, PENCILLED, TAKEN, AWAY = 0, 1, 2, 3  # PidLidBusyStatus (MS-OXOCAL 2.2.1.2)
ORGANIZER_FLAG, SENDABLE = 0x2, 0x1  # PidTagRecipientFlags (MS-OXOCAL 2.2.4.10.1)
IS_MEETING, IS_RECEIVED, IS_CANCELED = 1, 2, 4  # PidLidAppointmentStateFlags (MS-OXOCAL 2.2.1.10)
ACCEPTED, TENTATIVE, DECLINED = 3, 2, 4  # PidLidResponseStatus (MS-OXOCAL 2.2.1.11)

BUSY_WORDS = {"FREE": FREE, "TENTATIVE": PENCILLED, "BUSY": TAKEN, "OOF": AWAY, "WORKINGELSEWHERE": 4}
CLASSES = {"PUBLIC": 0, "X-PERSONAL": 1, "PRIVATE": 2, "CONFIDENTIAL": 3}  # PidTagSensitivity
PARTSTATS = {"ACCEPTED": ACCEPTED, "TENTATIVE": TENTATIVE, "DECLINED": DECLINED}  # all others: none yet
CLASS_WORDS = {number: word for word, number in CLASSES.items()}
PARTSTAT_WORDS = {number: word for word, number in PARTSTATS.items()}
MAX_SEQUENCE = 0x7FFFFFFF

_MAILTO = re.compile(r"mailto:", re.IGNORECASE)


# --- people -----------------------------------------------------------------------------------------------


def address(line: Line) -> Address | None:
    """The mailbox of a CAL-ADDRESS; None: it is none of mail."""
    value = line.value.strip()
    scheme = _MAILTO.match(value)
    spec = value[scheme.end() :] if scheme else line.param("EMAIL") or (value if "@" in value else "")
    found = mailboxes(f"<{spec.strip()}>".encode("utf-8", "replace"))
    if len(found) != 1 or not found[0].mailbox or not found[0].host:
        return None
    name = line.param("CN").strip().encode("utf-8", "replace")
    return Address(name or None, None, found[0].mailbox, found[0].host)


def put_organizer(event: Component, bag: Bag, name: str = "ORGANIZER") -> None:
    """In whose name it is, where the letter did not say (MS-OXCICAL 2.1.3.1.1.20.16)."""
    line = event.get(name)
    one = address(line) if line else None
    if one is not None and names.REPRESENTING.name not in bag:
        addressing.put_sender(bag, names.REPRESENTING, one)
        addressing.put_sender(bag, names.SENDER, one)


def attendees(event: Component) -> list[Bag]:
    """The recipient rows of ATTENDEE (MS-OXCICAL 2.1.3.1.1.20.2)."""
    rows = []
    for number, line in enumerate(event.all("ATTENDEE")):
        one = address(line)
        if one is None or number >= MAX_ATTENDEES:
            continue
        row = addressing.row(addressing.person(one), _role(line))
        row[keys.RECIPIENT_FLAGS] = SENDABLE
        row[keys.TRACK_STATUS] = PARTSTATS.get(line.param("PARTSTAT").upper(), 0)
        rows.append(row)
    return rows


def _role(line: Line) -> int:
    if line.param("CUTYPE").upper() in ("RESOURCE", "ROOM"):
        return names.BCC
    optional = line.param("ROLE").upper() in ("OPT-PARTICIPANT", "NON-PARTICIPANT")
    return names.CC if optional else names.TO


def merge_attendees(item: Item, rows: list[Bag]) -> None:
    """What the calendar tells of the letter's recipients, and whom it names beyond them."""
    known = {str(row.get(names.SMTP_ADDRESS, "")).lower(): row for row in item.recipients}
    organizer = str(item.props.get(names.REPRESENTING.smtp, "")).lower()
    for row in rows:
        spec = str(row.get(names.SMTP_ADDRESS, "")).lower()
        if spec in known:
            for key in (keys.RECIPIENT_FLAGS, keys.TRACK_STATUS):
                known[spec].setdefault(key, row[key])
        elif spec != organizer:
            known[spec] = row
            item.recipients.append(row)


# --- times ------------------------------------------------------------------------------------------------


def span(event: Component, zones: Zones) -> tuple[When, When] | None:
    """Beginning and end (MS-OXCICAL 2.1.3.1.1.20.8, .10); None: it begins at no time."""
    start = zones.when(event.get("DTSTART"))
    if start is None:
        return None
    end = zones.when(event.get("DTEND"))
    if end is None:
        length = duration(event.text("DURATION") or "") or datetime.timedelta(days=int(start.whole_day))
        try:
            end = start.at(start.local + length)
        except OverflowError:
            end = start
    return start, end if end.utc >= start.utc else start


def put_times(bag: Bag, start: When, end: When) -> None:
    begin, stop = start.utc, end.utc
    bag[keys.START] = bag[keys.COMMON_START] = bag[keys.START_DATE] = begin
    bag[keys.END] = bag[keys.COMMON_END] = bag[keys.END_DATE] = stop
    bag[keys.DURATION] = min((stop - begin) // 600_000_000, 0x7FFFFFFF)


def is_whole_day(event: Component, start: When, end: When) -> bool:
    """MS-OXCICAL 2.1.3.1.1.20.28, .46: by dates, or because it says so and goes from midnight to midnight."""
    said = any(
        (event.text(name) or "").strip().upper() == "TRUE"
        for name in ("X-MICROSOFT-CDO-ALLDAYEVENT", "X-MICROSOFT-MSNCALENDAR-ALLDAYEVENT")
    )
    midnights = all(not (one.local.hour or one.local.minute) for one in (start, end))
    return start.whole_day or (said and midnights)


# --- the rest ---------------------------------------------------------------------------------------------


def put_texts(event: Component, bag: Bag) -> None:
    """Subject, body, place, categories."""
    subject = event.text("SUMMARY")
    if subject is not None and not bag.get(names.SUBJECT):
        envelope.put_subject(bag, subject)
    put_bodies(event, bag)
    place = event.text("LOCATION")
    if place is not None:
        bag[keys.LOCATION] = place
        bag[keys.WHERE] = place
    categories = [word for line in event.all("CATEGORIES") for word in line.texts() if word.strip()]
    if categories:
        bag[names.KEYWORDS] = categories
    contacts = [text for line in event.all("CONTACT") if (text := line.text)]
    if contacts:
        bag[keys.CONTACTS] = contacts


def put_bodies(event: Component, bag: Bag) -> None:
    """DESCRIPTION, COMMENT of an answer, and the HTML that Outlook writes beside it."""
    text = event.text("DESCRIPTION") or event.text("COMMENT")
    if text and names.BODY not in bag and names.HTML not in bag:
        bag[names.BODY] = text.replace("\n", "\r\n")
        bag[names.CODEPAGE] = codepages.UTF8
        bag[names.NATIVE_BODY] = bodies.PLAIN
        html = event.get("X-ALT-DESC")
        if html is not None and html.param("FMTTYPE").lower() == "text/html":
            bag[names.HTML] = html.text.encode("utf-8", "replace")
            bag[names.NATIVE_BODY] = bodies.MARKUP


def put_numbers(event: Component, bag: Bag) -> None:
    """Importance, sensitivity, sequence, whether others may propose."""
    priority = _number(event.text("PRIORITY"))
    if priority:  # 0: undefined
        bag[names.IMPORTANCE] = 2 if priority < 5 else 0 if priority > 5 else 1
    if (importance := _number(event.text("X-MICROSOFT-CDO-IMPORTANCE"))) is not None and importance <= 2:
        bag[names.IMPORTANCE] = importance
    sensitivity = CLASSES.get((event.text("CLASS") or "").strip().upper())
    if sensitivity is not None:
        bag[names.SENSITIVITY] = sensitivity
    bag[keys.PRIVATE] = bag.get(names.SENSITIVITY) == 2
    sequence = _number(event.text("X-MICROSOFT-CDO-APPT-SEQUENCE"))
    bag[keys.SEQUENCE] = sequence if sequence is not None else _number(event.text("SEQUENCE")) or 0
    if (owner := _number(event.text("X-MICROSOFT-CDO-OWNERAPPTID"))) is not None:
        bag[keys.OWNER_ID] = owner
    bag[keys.NO_COUNTER] = (event.text("X-MICROSOFT-DISALLOW-COUNTER") or "").strip().upper() == "TRUE"


def _number(text: str | None) -> int | None:
    text = (text or "").strip()
    return min(int(text[:12]), MAX_SEQUENCE) if text.isascii() and text.isdigit() else None


def busy(event: Component, *, whole_day: bool) -> int:
    """PidLidBusyStatus (MS-OXCICAL 2.1.3.1.1.20.31): what Outlook says, else TRANSP and STATUS."""
    for name in ("X-MICROSOFT-CDO-BUSYSTATUS", "X-MICROSOFT-MSNCALENDAR-BUSYSTATUS"):
        if (found := BUSY_WORDS.get((event.text(name) or "").strip().upper())) is not None:
            return found
    if (event.text("STATUS") or "").strip().upper() == "TENTATIVE":
        return PENCILLED
    free = (event.text("TRANSP") or "").strip().upper() == "TRANSPARENT"
    return FREE if free or (whole_day and event.get("TRANSP") is None) else TAKEN


def made_up_uid(bag: Bag, *said: Key) -> str:
    """A UID of what something says, for what has none, so that it stays the same."""
    text = repr([bag.get(key) for key in said])
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:40]


def put_identity(event: Component, bag: Bag, zones: Zones) -> None:
    """The global object id of UID and RECURRENCE-ID (MS-OXCICAL 2.1.3.1.1.20.26, .20)."""
    replaced = zones.when(event.get("RECURRENCE-ID"))
    uid = (event.text("UID") or "").strip() or made_up_uid(
        bag, names.SUBJECT, keys.START, keys.END, keys.LOCATION, names.BODY
    )
    try:
        found = GlobalId.of_uid(uid, replaced.local.date() if replaced else None)
    except BadSyntax:
        return
    bag[keys.GLOBAL_ID] = found.write()
    bag[keys.CLEAN_ID] = found.clean().write()
    bag[keys.IS_EXCEPTION] = replaced is not None
    if replaced is not None:
        bag[keys.EXCEPTION_REPLACES] = replaced.utc


def put_reminder(event: Component, bag: Bag, start: int) -> None:
    """The first VALARM that tells a time before the beginning (MS-OXCICAL 2.1.3.1.1.20.62)."""
    alarm = next(event.of("VALARM"), None)
    trigger = alarm.get("TRIGGER") if alarm else None
    if trigger is None:
        bag[keys.REMINDER_SET] = False
        return
    before = duration(trigger.value)
    delta = -before // datetime.timedelta(minutes=1) if before is not None else None
    if delta is None or not 0 <= delta < 0x7FFFFFFF or trigger.param("RELATED").upper() == "END":
        delta = 15  # what MS-OXCICAL 2.1.3.1.1.20.62.2 takes for all others
    bag[keys.REMINDER_SET] = True
    bag[keys.REMINDER_DELTA] = delta
    bag[keys.REMINDER_TIME] = start
    bag[keys.REMINDER_SIGNAL] = max(start - delta * 600_000_000, 0)


def put_stamp(event: Component, bag: Bag, zones: Zones, *, of_attendee: bool) -> None:
    """DTSTAMP: when its author wrote it (MS-OXCICAL 2.1.3.1.1.20.9)."""
    stamp = zones.when(event.get("DTSTAMP"))
    if stamp is not None:
        bag[keys.ATTENDEE_CHANGE if of_attendee else keys.OWNER_CHANGE] = stamp.utc


def put_event(event: Component, item: Item, zones: Zones) -> tuple[When, When] | None:
    """All that one VEVENT says of itself; its times, None: it has none, and nothing was said."""
    times = span(event, zones)
    if times is None:
        return None
    bag = item.props
    start, end = times
    put_texts(event, bag)
    put_numbers(event, bag)
    put_times(bag, start, end)
    bag[keys.WHOLE_DAY] = is_whole_day(event, start, end)
    bag[keys.BUSY] = busy(event, whole_day=bag[keys.WHOLE_DAY])
    put_identity(event, bag, zones)
    put_reminder(event, bag, start.utc)
    put_zone(bag, start, recurring=event.get("RRULE") is not None)
    return times
