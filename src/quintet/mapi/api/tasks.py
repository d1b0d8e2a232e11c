"""Tasks, alone and assigned to others; notes."""

from __future__ import annotations

import datetime
import enum
import uuid
from typing import Any

from quintet.errors import Problem
from quintet.mapi import named, pr, recur, rrule
from quintet.mapi.api import fields
from quintet.mapi.api.fields import Choice, Field, Flag, Span, Text
from quintet.mapi.api.item import Item, Message
from quintet.mapi.api.people import Peopled, Person
from quintet.mapi.bag import Attachment as Held
from quintet.mapi.bag import Bag, Key
from quintet.mapi.convert import calendars
from quintet.mapi.convert import calkeys as keys
from quintet.mapi.errors import Code, MapiError, of_problem
from quintet.mapi.globalid import GlobalId
from quintet.mapi.providers import derive

MODE = named.key("PidLidTaskMode")
STATE = named.key("PidLidTaskState")
OWNERSHIP = named.key("PidLidTaskOwnership")
ACCEPTANCE = named.key("PidLidTaskAcceptanceState")
ASSIGNER = named.key("PidLidTaskAssigner")
ACCEPTED = named.key("PidLidTaskAccepted")
# PidLidTaskMode, MS-OXOTASK 2.2.3.5
_EMBEDDED, _ACCEPT, _REJECT, _UPDATE = 1, 2, 3, 4
_NOT_ASSIGNED, _ASSIGNERS, _ASSIGNEES = 0, 1, 2  # PidLidTaskOwnership, 2.2.2.2.14


class Progress(enum.IntEnum):
    """PidLidTaskStatus (MS-OXOTASK 2.2.2.2.2)."""

    NOT_STARTED = 0
    IN_PROGRESS = 1
    COMPLETE = 2
    WAITING = 3
    DEFERRED = 4


class Day(Field[datetime.date]):
    """A day, which MAPI keeps as its midnight in UTC."""

    def __init__(self, key: Key, *, also: tuple[Key, ...] = ()) -> None:
        super().__init__(key, lambda value: fields.moment(value).date(), _midnight, also=also)


def _midnight(day: datetime.date) -> int:
    if isinstance(day, datetime.datetime):
        day = day.date()
    return fields.filetime(datetime.datetime.combine(day, datetime.time(), datetime.UTC))


def _part(percent: int) -> float:
    """Raises ValueError: less than nothing, or more than all of it."""
    if not 0 <= percent <= 100:
        raise ValueError(f"a task is done to between 0 and 100 percent: not {percent}")
    return percent / 100


class Task(Item):
    """Something to do."""

    __slots__ = ()

    message_class = keys.TASK
    late = ("recurrence",)

    start = Day(keys.TASK_START, also=(keys.COMMON_START,))
    due = Day(keys.TASK_DUE, also=(keys.COMMON_END,))
    status = Choice(keys.TASK_STATUS, Progress)
    percent = Field[int](keys.TASK_PERCENT, lambda part: round(part * 100), _part)
    completed = Day(keys.TASK_COMPLETED)
    owner = Text(keys.TASK_OWNER)
    effort = Span(keys.TASK_ESTIMATE)
    worked = Span(keys.TASK_ACTUAL)
    remind = Flag(keys.REMINDER_SET)
    is_done = Flag(keys.TASK_COMPLETE, fixed=True)

    @property
    def recurrence(self) -> str | None:
        """The rule by which it is to be done again, an RRULE (RFC 5545 3.3.10)."""
        raw = self.get(keys.TASK_RECURRENCE) if self.get(keys.TASK_RECURRING) else None
        try:
            return None if raw is None else rrule.to_rrule(recur.read_pattern(raw), whole_day=True)
        except Problem as error:
            raise MapiError(of_problem(error).code, error.text) from error

    @recurrence.setter
    def recurrence(self, rule: str | None) -> None:
        """Raises MapiError(INVALID_PARAMETER): no rule, or neither ``start`` nor ``due`` was told;
        NOT_SUPPORTED: MAPI has no such rule.
        """
        first = self.start or self.due
        if rule is None:
            self.take({keys.TASK_RECURRING: False}, (keys.TASK_RECURRENCE,))
        elif first is None:
            raise MapiError(Code.INVALID_PARAMETER, "what recurs has a first day: start or due")
        else:
            try:
                pattern = rrule.from_rrule(rule, datetime.datetime.combine(first, datetime.time()))
            except Problem as error:
                raise MapiError(of_problem(error).code, f"{rule}: {error.text}") from error
            self.take({keys.TASK_RECURRENCE: recur.write_pattern(pattern), keys.TASK_RECURRING: True})

    @property
    def done(self) -> bool:
        return self.is_done is True

    @done.setter
    def done(self, value: bool) -> None:
        """All that says it, together."""
        today = _midnight(datetime.datetime.now(datetime.UTC).date())
        status = Progress.COMPLETE if value else Progress.IN_PROGRESS
        self.take(
            {
                keys.TASK_COMPLETE: bool(value),
                keys.TASK_STATUS: int(status),
                keys.TASK_PERCENT: 1.0 if value else 0.0,
                **({keys.TASK_COMPLETED: today} if value else {}),
            },
            () if value else (keys.TASK_COMPLETED,),
        )

    def before_save(self) -> None:
        bag = self.props()
        changes: Bag = {}
        if keys.TASK_STATUS not in bag:
            changes |= {keys.TASK_STATUS: 0, keys.TASK_PERCENT: 0.0, keys.TASK_COMPLETE: False}
        if keys.TASK_GLOBAL_ID not in bag:
            changes[keys.TASK_GLOBAL_ID] = GlobalId.of_uid(str(uuid.uuid4())).write()
        changes.setdefault(pr.MESSAGE_FLAGS, bag.get(pr.MESSAGE_FLAGS, 0) & ~derive.UNSENT)
        self.take({key: value for key, value in changes.items() if bag.get(key) != value})

    def assign(self, to: Person | Peopled | str, text: str = "") -> None:
        """Asks somebody to do it (MS-OXOTASK 3.1.4.4); the own copy stays, to be kept up to date.

        Raises MapiError(AMBIGUOUS_RECIPIENT): one person does a task; (INVALID_PARAMETER): it is oneself.
        """
        people = self.store.session.people(to)
        if len(people) != 1:
            raise MapiError(Code.AMBIGUOUS_RECIPIENT, f"one person does a task: not {len(people)}")
        (person,) = people
        me = self.store.session.me
        if person == me:
            raise MapiError(Code.INVALID_PARAMETER, "a task is assigned to somebody else")
        self.take({OWNERSHIP: _ASSIGNERS, ASSIGNER: str(me), keys.TASK_OWNER: person.name or person.address})
        self.save()
        _send(self, TaskRequest, person, _EMBEDDED, self.subject or "", text)

    def report(self, text: str = "") -> None:
        """Tells who assigned it how far it is (MS-OXOTASK 3.1.4.6).

        Raises MapiError(NOT_FOUND): nobody did.
        """
        who = self.get(ASSIGNER)
        if self.get(OWNERSHIP) != _ASSIGNEES or not who:
            raise MapiError(Code.NOT_FOUND, "nobody assigned this task")
        (person,) = self.store.session.people(who)
        _send(self, TaskUpdate, person, _UPDATE, f"Task Update: {self.subject or ''}", text)

    def ics(self) -> bytes:
        """As iCalendar."""
        return calendars.write([self.values()]).encode("utf-8")


def _send(task: Task, kind: type[TaskMessage], to: Person, mode: int, subject: str, text: str) -> None:
    letter = task.store.new(kind)
    letter.subject, letter.body = subject, text
    letter.to = to
    inner = derive.copied(task.values())
    letter.take({MODE: mode, keys.TASK_GLOBAL_ID: task.get(keys.TASK_GLOBAL_ID)})
    letter.attach(Held({pr.ATTACH_METHOD: derive.EMBEDDED, pr.DISPLAY_NAME: task.subject or ""}, item=inner))
    letter.send()


class TaskMessage(Message):
    """What is sent about a task; the task itself is within."""

    __slots__ = ()

    def task(self) -> Task | None:
        """The task in the own folder; None: it is not there."""
        wanted = self.get(keys.TASK_GLOBAL_ID)
        if wanted is None:
            return None
        items = self.store.tasks.items(Task, columns=(keys.TASK_GLOBAL_ID,))
        return next((one for one in items if one.get(keys.TASK_GLOBAL_ID) == wanted), None)

    def _within(self) -> Bag:
        for one in self.attachments:
            if one.values is not None:
                return one.values.props
        raise MapiError(Code.CORRUPT_DATA, "no task is in it")


class TaskRequest(TaskMessage):
    """Somebody asks for something to be done."""

    __slots__ = ()

    message_class = "IPM.TaskRequest"

    def accept(self, text: str = "") -> Task:
        """The task is mine now, in the own folder; who asked is told."""
        own = self.task() or self.store.tasks.create(Task, save=False)
        assigner: Bag = {ASSIGNER: str(self.sender)} if self.sender else {}
        own.take(_kept(self._within()) | {OWNERSHIP: _ASSIGNEES, ACCEPTED: True} | assigner)
        me = self.store.session.me
        own.owner = me.name or me.address
        own.save()
        if self.sender is not None:
            _send(own, TaskAcceptance, self.sender, _ACCEPT, f"Task Accepted: {self.subject or ''}", text)
        return own

    def decline(self, text: str = "") -> None:
        if self.sender is None:
            return
        letter = self.store.new(TaskRefusal)
        letter.subject, letter.body, letter.to = f"Task Declined: {self.subject or ''}", text, [self.sender]
        letter.take({MODE: _REJECT, keys.TASK_GLOBAL_ID: self.get(keys.TASK_GLOBAL_ID)})
        letter.send()


class TaskUpdate(TaskMessage):
    """How far it is."""

    __slots__ = ()

    message_class = "IPM.TaskRequest.Update"

    def apply(self) -> Task | None:
        """Brings the own copy up to date; None: it is gone, or was assigned to nobody."""
        own = self.task()
        if own is not None and own.get(OWNERSHIP) != _ASSIGNERS:
            return None
        if own is not None:
            kept = _kept(self._within())
            kept.pop(OWNERSHIP, None)
            own.take(kept)
            own.save()
        return own


class TaskAcceptance(TaskUpdate):
    __slots__ = ()
    message_class = "IPM.TaskRequest.Accept"


class TaskRefusal(TaskMessage):
    __slots__ = ()
    message_class = "IPM.TaskRequest.Decline"

    def apply(self) -> Task | None:
        """The task is one's own again."""
        own = self.task()
        if own is not None:
            me = self.store.session.me
            own.take({OWNERSHIP: _NOT_ASSIGNED, keys.TASK_OWNER: me.name or me.address})
            own.save()
        return own


_DESCRIBES: frozenset[Any] = frozenset((
    pr.SUBJECT, pr.BODY, pr.IMPORTANCE, pr.SENSITIVITY, keys.TASK_START, keys.TASK_DUE, keys.TASK_STATUS,
    keys.TASK_PERCENT, keys.TASK_COMPLETE, keys.TASK_COMPLETED, keys.TASK_ESTIMATE, keys.TASK_ACTUAL,
    keys.TASK_GLOBAL_ID, keys.COMMON_START, keys.COMMON_END, keys.TASK_OWNER, ASSIGNER,
))  # fmt: skip


def _kept(bag: Bag) -> Bag:
    return {key: value for key, value in bag.items() if key in _DESCRIBES and value is not None}


class Note(Item):
    """A slip of paper; its subject is its first line."""

    __slots__ = ()

    message_class = "IPM.StickyNote"

    color = Field[int](named.key("PidLidNoteColor"))

    def before_save(self) -> None:
        first = (self.body or "").strip().partition("\n")[0].strip()[:255]
        if self.subject != first:
            self.subject = first
