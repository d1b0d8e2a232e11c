"""One program of a workgroup, the same on every system: it asks what a system is able to do, and does it.

`run` files letters, sends and answers, plans alone and with another, keeps versions, searches, watches and
synchronizes by `quintet.mapi.api` alone;
what it did comes back, so that a test says what a system must have been able to do.
"""

from __future__ import annotations

import asyncio
import datetime
import time
import uuid
from collections.abc import Iterator
from typing import TypeVar

from quintet.mapi.api import (
    Appointment,
    Contact,
    Document,
    Folder,
    Item,
    MeetingCancellation,
    MeetingRequest,
    MeetingResponse,
    Message,
    Post,
    Response,
    Session,
    Store,
    Task,
    TaskAcceptance,
    TaskRequest,
    TaskUpdate,
    between,
)
from quintet.mapi.providers.base import Can

WAIT_S = 60.0  # until a letter is there
DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)
I = TypeVar("I", bound=Item)  # noqa: E741 (an item)
Did = set[str]


def run(mine: Session, theirs: Session | None = None, address: str = "", *, group: str = "") -> Did:
    """Works in ``mine``, writes to ``address``, whose owner answers from ``theirs``, posts in ``group``."""
    did: Did = set()
    store = mine.store
    if store.can(Can.SAVE):
        folder = _place(store)
        _file(store, folder, did)
        _search(folder, did)
        _sync(store, folder, did)
        _watch(store, folder, did)
        if store.can(Can.FOLDERS):
            _plan(store, did)
            folder.delete()
    if theirs is not None and address:
        did |= together(mine, theirs, address)
    if group:
        _post(store, group, did)
    return did


def together(mine: Session, theirs: Session, address: str) -> Did:
    """What takes two: letters, meetings, tasks."""
    did: Did = set()
    _write(mine, theirs, address, did)
    if all(each.store.can(Can.SAVE | Can.FOLDERS) for each in (mine, theirs)):
        _meet(mine, theirs, address, did)
        _assign(mine, theirs, address, did)
    return did


def _place(store: Store) -> Folder:
    """A folder of its own, where folders can be made."""
    if not store.can(Can.FOLDERS):
        return store.inbox
    return store.folder(f"Workgroup {uuid.uuid4().hex[:8]}/Plans", create=True)


def _only(found: Iterator[I] | list[I]) -> I:
    (one,) = found
    return one


# --- letters in folders -----------------------------------------------------------------------------------


def _file(store: Store, folder: Folder, did: Did) -> None:
    letter = folder.create(
        Message,
        subject="Größe: needle",
        body="One\r\nTwo\r\n",
        to="Bob <bob@example.com>",
        sender="Ann <ann@example.com>",
    )
    letter.attachments.add(b"notes " * 2000, name="notes.txt")
    letter.save()
    other = folder.create(Message, subject="Hay", body="Nothing here")
    found = _only(list(folder.items(where=Item.subject == "Größe: needle")))
    assert (found.body or "").split() == ["One", "Two"]
    assert found.attachments[0].data == b"notes " * 2000
    assert [one.subject for one in folder.items(order="subject")] == ["Größe: needle", "Hay"]
    did.add("files")
    if store.can(Can.READ_MARKS):
        found.read, other.read = True, False
        assert [one.read for one in folder.items(order="subject")] == [True, False]
        did.add("marks")
    if store.can(Can.PROPS):
        found.categories = ["red"]
        found.save()
        assert store.item(found.id).categories == ["red"]
        did.add("categories")
    if store.can(Can.FOLDERS):
        aside = folder.make("Aside")
        copied = other.copy(aside)
        moved = other.move(aside)
        assert len(aside) == 2
        assert [one.subject for one in folder.items()] == ["Größe: needle"]
        copied.delete(hard=True)
        moved.move(folder)
        aside.delete()
        did.add("moves")


def _search(folder: Folder, did: Did) -> None:
    assert [one.subject for one in folder.search("NEEDLE")] == ["Größe: needle"]
    assert folder.search("nothing is called so") == []
    did.add("searches")


def _sync(store: Store, folder: Folder, did: Did) -> None:
    first = folder.sync()
    assert len(first.changed) == len(folder)
    made = folder.create(Message, subject="Later")
    then = folder.sync(first.state)
    assert [one.subject for one in then.changed] == ["Later"]
    made.delete(hard=True)
    assert len(folder.sync(then.state).gone) == 1
    did.add("syncs")


def _watch(store: Store, folder: Folder, did: Did) -> None:
    """What is made is told, by the system or by looking."""
    if not store.can(Can.NOTIFY):
        return

    async def first() -> str:
        async for change in folder.watch():
            if change.what == "created":
                return change.item.subject or "" if change.item else ""
        return ""

    async def both() -> str:
        task = asyncio.create_task(first())
        made = []
        async with asyncio.timeout(WAIT_S):
            while not task.done():  # when it begins to watch, nobody tells
                made.append(await asyncio.to_thread(folder.create, Message, subject="News"))
                await asyncio.wait({task}, timeout=3.0)
        for each in made:
            await asyncio.to_thread(each.delete, hard=True)
        return task.result()

    assert asyncio.run(both()) == "News"
    did.add("watches")


# --- plans ------------------------------------------------------------------------------------------------


def _plan(store: Store, did: Did) -> None:
    start = datetime.datetime(2026, 11, 30, 9, tzinfo=datetime.UTC)
    made = store.calendar.create(
        Appointment, subject="Standup", start=start, end=start + HOUR, location="Room 7"
    )
    made.recurrence = "FREQ=DAILY;COUNT=3"
    made.save()
    agenda = between(store.calendar, start, start + 7 * DAY)
    assert [one.start for one in agenda] == [start, start + DAY, start + 2 * DAY]
    made.delete(hard=True)
    did.add("appointments")
    task = store.tasks.create(Task, subject="Write it down", due=start.date())
    task.done = True
    task.save()
    found = store.item(task.id)
    assert isinstance(found, Task)
    assert (found.done, found.due) == (True, start.date())
    found.delete(hard=True)
    did.add("tasks")
    contact = store.contacts.create(Contact, name="Zoë Zimt", emails=["zoe@example.org"], company="Zimt & Co")
    known = store.item(contact.id)
    assert isinstance(known, Contact)
    assert (known.name, known.emails, known.company) == ("Zoë Zimt", ["zoe@example.org"], "Zimt & Co")
    known.delete(hard=True)
    did.add("contacts")
    folder = store.folder(f"Papers {uuid.uuid4().hex[:8]}", create=True)
    paper = folder.create(Document, name="plan.txt", content=b"1. Begin")
    paper.check_out()
    paper.check_in(b"1. Begin\r\n2. End", "with an end")
    (same,) = folder.items(Document)
    assert [(one.number, one.comment) for one in same.versions] == [(1, ""), (2, "with an end")]
    assert (same.content, same.checked_out_by) == (b"1. Begin\r\n2. End", None)
    folder.delete()
    did.add("versions")


# --- letters to others ------------------------------------------------------------------------------------


def arrived(store: Store, subject: str, kind: type[I] = Item) -> I:  # type: ignore[assignment]
    """The letter in the Inbox, after a fair wait."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        store.refresh()
        for one in store.inbox.items(kind, where=Item.subject == subject):
            return one
        time.sleep(0.1)
    raise AssertionError(f"no letter {subject!r} came")


def _taken(store: Store, subject: str, kind: type[I]) -> I:
    """The same; it is for the caller to do something with, and no more in the Inbox."""
    return arrived(store, subject, kind).move(store.drafts)  # type: ignore[return-value]


def _write(mine: Session, theirs: Session, address: str, did: Did) -> None:
    subject = f"Lunch {uuid.uuid4().hex[:8]}?"
    letter = _new(mine.store, subject, "At noon")
    letter.to = address
    letter.send()
    got = arrived(theirs.store, subject)
    assert (got.body or "").strip() == "At noon"
    if mine.store.can(Can.SAVE | Can.FOLDERS):
        _kept(mine.store, subject)
    did.add("sends")
    assert isinstance(got, Message)
    if theirs.store.can(Can.SAVE):
        got.reply("Fine").send()
        answer = arrived(mine.store, f"RE: {subject}")
        assert (answer.body or "").startswith("Fine")
        did.add("answers")
        answer.delete(hard=True)
    got.delete(hard=True)


def _kept(store: Store, subject: str) -> None:
    """A copy is among what was sent, and nothing is left among the drafts."""
    end = time.monotonic() + WAIT_S
    while not list(store.sent.items(where=Item.subject == subject)):
        assert time.monotonic() < end, f"no copy of {subject!r}"
        store.refresh()
        time.sleep(0.1)
    assert not list(store.drafts.items(where=Item.subject == subject))


def _days(store: Store, subject: str) -> list[str]:
    """What of a meeting stands in a calendar."""
    found = [one for one in store.calendar.items(Appointment) if one.subject == subject]
    return [f"{one.start:%d %H}" for each in found for one in each.occurrences()]


def _meet(mine: Session, theirs: Session, address: str, did: Did) -> None:
    """A series: one of its days is moved, another time is proposed for one, one is called off; then all."""
    start, title = datetime.datetime(2026, 12, 1, 9, tzinfo=datetime.UTC), f"Meeting {uuid.uuid4().hex[:8]}"
    meeting = mine.store.calendar.create(
        Appointment, subject=title, start=start, recurrence="FREQ=DAILY;COUNT=4", required=address
    )
    meeting.invite("As every day")
    _taken(theirs.store, title, MeetingRequest).accept("Gladly")
    _taken(mine.store, f"Accepted: {title}", MeetingResponse).apply()
    (meeting,) = mine.store.calendar.items(Appointment, where=Item.subject == title)
    assert list(meeting.responses.values()) == [Response.ACCEPTED]

    second, third = start + DAY, start + 2 * DAY
    series = meeting.recurrence
    assert series is not None
    meeting.recurrence = series.changed(second.date(), start=second + HOUR)
    meeting.invite("Later, once", day=second.date())
    _taken(theirs.store, title, MeetingRequest).accept()
    _taken(mine.store, f"Accepted: {title}", MeetingResponse)

    (own,) = theirs.store.calendar.items(Appointment, where=Item.subject == title)
    late = third + 3 * HOUR
    own.answer(Response.TENTATIVE, "Later?", day=third.date(), propose=(late, late + HOUR))
    _taken(mine.store, f"New Time Proposed: {title}", MeetingResponse).take_proposal()
    _taken(theirs.store, title, MeetingRequest).accept()
    (meeting,) = mine.store.calendar.items(Appointment, where=Item.subject == title)
    meeting.call_off("A holiday", day=(start + 3 * DAY).date())
    _taken(theirs.store, f"Canceled: {title}", MeetingCancellation).apply()
    assert _days(mine.store, title) == _days(theirs.store, title) == ["01 09", "02 10", "03 12"]

    (meeting,) = mine.store.calendar.items(Appointment, where=Item.subject == title)
    meeting.call_off()
    _taken(theirs.store, f"Canceled: {title}", MeetingCancellation).apply()
    assert _days(mine.store, title) == _days(theirs.store, title) == []
    did.add("meets")


def _assign(mine: Session, theirs: Session, address: str, did: Did) -> None:
    title = f"Paint {uuid.uuid4().hex[:8]}"
    mine.store.tasks.create(Task, subject=title, due=datetime.date(2026, 12, 24)).assign(address, "Please")
    own = _taken(theirs.store, title, TaskRequest).accept("Yes")
    assert own.due == datetime.date(2026, 12, 24)
    assert _taken(mine.store, f"Task Accepted: {title}", TaskAcceptance).apply() is not None
    own.percent = 50
    own.save().report("Half of it")
    update = _taken(mine.store, f"Task Update: {title}", TaskUpdate).apply()
    assert update is not None
    (task,) = mine.store.tasks.items(Task, where=Item.subject == title)
    assert (task.percent, task) == (50, update)
    task.delete(hard=True)
    did.add("assigns")


def _new(store: Store, subject: str, body: str) -> Message:
    made = store.new(Message)
    made.subject, made.body = subject, body
    return made


# --- posts for everybody ----------------------------------------------------------------------------------


def _post(store: Store, group: str, did: Did) -> None:
    folder = next(one for one in store.public.walk() if one.name == group)
    subject = f"To all {uuid.uuid4().hex[:8]}"
    post = folder.create(Post, save=False, subject=subject, body="Hello all")
    post.post()
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        for one in folder.items(where=Item.subject == subject):
            assert (one.body or "").strip() == "Hello all"
            did.add("posts")
            return
        store.refresh()
        time.sleep(0.1)
    raise AssertionError(f"no article {subject!r}")
