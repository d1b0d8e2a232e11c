"""Tasks: VTODO as IPM.Task and back (RFC 5545 3.6.2; MS-OXOTASK 2.2.2).

MS-OXCICAL knows no tasks; what both sides can say is what its rules for appointments say.  Dates of a task
are local days, kept as midnights without a zone.
"""

from __future__ import annotations

import datetime

from quintet.errors import BadSyntax, Refused
from quintet.mapi import recur, rrule
from quintet.mapi.bag import Bag, Item, Key
from quintet.mapi.convert import addressing, bodies, calevents, envelope, names
from quintet.mapi.convert import calkeys as keys
from quintet.mapi.convert.caltimes import When, Zones, duration, filetime, moment
from quintet.mapi.convert.contentlines import Component, escaped_list

OPEN, RUNNING, DONE, WAITING, DEFERRED = 0, 1, 2, 3, 4  # PidLidTaskStatus (MS-OXOTASK 2.2.2.2.2)
MAX_UID = 1000  # characters
_STATUS = {"NEEDS-ACTION": OPEN, "IN-PROCESS": RUNNING, "COMPLETED": DONE, "CANCELLED": DEFERRED}
_STATUS_WORDS = {OPEN: "NEEDS-ACTION", RUNNING: "IN-PROCESS", DONE: "COMPLETED", DEFERRED: "CANCELLED"}


def is_task(bag: Bag) -> bool:
    own = str(bag.get(names.MESSAGE_CLASS, "")).lower()
    return own == keys.TASK.lower() or own.startswith(keys.TASK.lower() + ".")


def read(todo: Component, item: Item, zones: Zones) -> None:
    """Put what a VTODO says into ``item``."""
    bag = item.props
    bag[names.MESSAGE_CLASS] = keys.TASK
    calevents.put_organizer(todo, bag)
    calevents.put_texts(todo, bag)
    calevents.put_numbers(todo, bag)
    for key in (keys.SEQUENCE, keys.NO_COUNTER, keys.OWNER_ID):  # a meeting's
        bag.pop(key, None)
    start = _put_day(bag, zones.when(todo.get("DTSTART")), keys.TASK_START, keys.COMMON_START)
    due = _put_day(bag, _due(todo, zones), keys.TASK_DUE, keys.COMMON_END)
    _read_progress(todo, bag, zones)
    _read_recurrence(todo, bag, start or due)
    _read_reminder(todo, bag, zones, due or start)
    uid = (todo.text("UID") or "").strip()[:MAX_UID]
    if uid:
        bag[keys.TASK_GLOBAL_ID] = _identity(uid)
    owner = todo.get("ATTENDEE") or todo.get("ORGANIZER")
    if owner is not None and (one := calevents.address(owner)) is not None:
        bag[keys.TASK_OWNER] = addressing.person(one)[0]


def _due(todo: Component, zones: Zones) -> When | None:
    due = zones.when(todo.get("DUE"))
    start = zones.when(todo.get("DTSTART"))
    length = duration(todo.text("DURATION") or "")
    if due is None and start is not None and length is not None:
        try:
            return start.at(start.local + length)
        except OverflowError:
            return None
    return due


def _put_day(bag: Bag, when: When | None, local: Key, utc: Key) -> When | None:
    if when is not None:
        day = datetime.datetime.combine(when.local.date(), datetime.time(), datetime.UTC)
        bag[local] = filetime(day)
        bag[utc] = when.utc
    return when


def _read_progress(todo: Component, bag: Bag, zones: Zones) -> None:
    """STATUS, PERCENT-COMPLETE, COMPLETED: each of them may tell that it is done."""
    percent = (todo.text("PERCENT-COMPLETE") or "").strip()
    share = min(int(percent[:4]), 100) if percent.isascii() and percent.isdigit() else None
    status = _STATUS.get((todo.text("STATUS") or "").strip().upper())
    completed = zones.when(todo.get("COMPLETED"))
    if status is None:
        status = DONE if share == 100 or completed else RUNNING if share else OPEN
    done = status == DONE
    bag[keys.TASK_STATUS] = status
    bag[keys.TASK_COMPLETE] = done
    bag[keys.TASK_PERCENT] = 1.0 if done else (share or 0) / 100
    if done and completed is not None:
        bag[keys.TASK_COMPLETED] = completed.utc


def _read_recurrence(todo: Component, bag: Bag, begin: When | None) -> None:
    rule = todo.get("RRULE")
    bag[keys.TASK_RECURRING] = False
    if rule is None or begin is None:
        return
    try:
        pattern = rrule.from_rrule(rule.value, begin.local, None if begin.whole_day else begin.zone)
        bag[keys.TASK_RECURRENCE] = recur.write_pattern(pattern)
    except (BadSyntax, Refused):
        return
    bag[keys.TASK_RECURRING] = True


def _read_reminder(todo: Component, bag: Bag, zones: Zones, anchor: When | None) -> None:
    alarm = next(todo.of("VALARM"), None)
    trigger = alarm.get("TRIGGER") if alarm else None
    bag[keys.REMINDER_SET] = False
    if trigger is None:
        return
    at = zones.when(trigger)
    before = duration(trigger.value)
    if at is None and before is not None and anchor is not None:
        try:
            at = anchor.at(anchor.local + before)
        except OverflowError:
            return
    if at is not None:
        bag[keys.REMINDER_SET] = True
        bag[keys.REMINDER_TIME] = bag[keys.REMINDER_SIGNAL] = at.utc


def write(item: Item) -> Component:
    """The VTODO of a task."""
    bag = item.props
    todo = Component("VTODO")
    uid = bag.get(keys.TASK_GLOBAL_ID)
    stamp = bag.get(names.MODIFICATION_TIME) or bag.get(names.SUBMIT_TIME) or bag.get(keys.TASK_START) or 0
    todo.add_text("UID", _uid(uid) if isinstance(uid, bytes) and uid else _made_up(bag))
    todo.add("DTSTAMP", f"{moment(stamp):%Y%m%dT%H%M%SZ}")
    todo.add_text("SUMMARY", envelope.subject(bag))
    if (text := bodies.plain_of(bag)) is not None:
        todo.add_text("DESCRIPTION", text)
    for name, key in (("DTSTART", keys.TASK_START), ("DUE", keys.TASK_DUE)):
        if isinstance(time := bag.get(key), int):
            todo.add(name, f"{moment(time):%Y%m%d}", {"VALUE": ["DATE"]})
    _write_progress(todo, bag)
    todo.add("CLASS", calevents.CLASS_WORDS.get(bag.get(names.SENSITIVITY, 0), "PUBLIC"))
    todo.add("PRIORITY", {0: "9", 2: "1"}.get(bag.get(names.IMPORTANCE, 1), "5"))
    if isinstance(words := bag.get(names.KEYWORDS), list) and words:
        todo.add("CATEGORIES", escaped_list(words))
    for contact in bag.get(keys.CONTACTS) or ():
        todo.add_text("CONTACT", contact)
    _write_recurrence(todo, bag)
    if bag.get(keys.REMINDER_SET) and isinstance(at := bag.get(keys.REMINDER_TIME), int):
        alarm = Component("VALARM")
        alarm.add("ACTION", "DISPLAY")
        alarm.add("DESCRIPTION", "REMINDER")
        alarm.add("TRIGGER", f"{moment(at):%Y%m%dT%H%M%SZ}", {"VALUE": ["DATE-TIME"]})
        todo.children.append(alarm)
    return todo


def _identity(uid: str) -> bytes:
    """The inverse of `_uid`."""
    try:
        raw = bytes.fromhex(uid)
    except ValueError:
        return uid.encode("utf-8", "replace")
    return raw if _uid(raw) == uid else uid.encode("utf-8", "replace")


def _uid(raw: bytes) -> str:
    """The UID that came, or the GUID that MAPI gave."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.hex()
    return text if text.isprintable() else raw.hex()


def _made_up(bag: Bag) -> str:
    return calevents.made_up_uid(bag, names.SUBJECT, keys.TASK_START, keys.TASK_DUE, names.BODY)


def _write_progress(todo: Component, bag: Bag) -> None:
    done = bool(bag.get(keys.TASK_COMPLETE)) or bag.get(keys.TASK_STATUS) == DONE
    word = _STATUS_WORDS.get(bag.get(keys.TASK_STATUS, OPEN), "NEEDS-ACTION")
    todo.add("STATUS", "COMPLETED" if done else word)
    share = bag.get(keys.TASK_PERCENT, 0.0)
    todo.add("PERCENT-COMPLETE", "100" if done else str(round(min(max(share, 0.0), 1.0) * 100)))
    if done and isinstance(at := bag.get(keys.TASK_COMPLETED), int):
        todo.add("COMPLETED", f"{moment(at):%Y%m%dT%H%M%SZ}")


def _write_recurrence(todo: Component, bag: Bag) -> None:
    raw = bag.get(keys.TASK_RECURRENCE)
    if not bag.get(keys.TASK_RECURRING) or not isinstance(raw, bytes):
        return
    try:
        todo.add("RRULE", rrule.to_rrule(recur.read_pattern(raw), whole_day=True))
    except (BadSyntax, Refused):
        return  # no rule of iCalendar; it stays with the item
