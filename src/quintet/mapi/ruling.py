"""What the rules of a folder want with a message that comes into it (MS-OXORULE 3.2.5.1): pure.

`run` tries the rules in their order and says what is to be done; doing it is the business of whoever keeps
the message.  A rule that cannot be carried out is told in `Outcome.failed`, and what it would have taken away
stays where it is: no rule loses a message by its own fault.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Final, Generic, Protocol, TypeVar

from quintet.mapi import match
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.restrict import Restriction
from quintet.mapi.rules import Action, Op, State
from quintet.mapi.types import Tag, Value
from quintet.values import dataclass

MAX_DEPTH: Final = 8  # folders that a message is led through, one's rule after another's
MAX_PLACES: Final = 50  # folders that one message is filed in
MAX_LETTERS: Final = 20  # that one message makes rules send
MAX_RECIPIENTS: Final = 200  # of all of them

F = TypeVar("F")
"""A folder, as whoever runs the rules calls it."""


class Cause(enum.IntEnum):
    """PidTagRuleError (2.2.7.2): why a rule could not be carried out."""

    GENERIC = 0x1
    PARSING = 0x4
    PROCESSING = 0x5
    MOVE_COPY = 0x6
    PERMISSION = 0x7
    TEMPLATE = 0xA
    EXECUTION = 0xB
    QUOTA = 0xC
    TOO_MANY_RECIPIENTS = 0xD


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.  ``condition`` None is met by every message; ``broken``: nobody can read what is kept."""

    id: int
    sequence: int = 0
    state: int = 0
    provider: str = ""
    condition: Restriction | None = None
    actions: tuple[Action, ...] = ()
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Deed(Generic[F]):
    """One action that is to be done: the rule's ``number``-th, in the folder whose rule it is."""

    folder: F
    rule: Rule
    number: int
    action: Action


@dataclass(frozen=True, slots=True)
class Failure(Generic[F]):
    """One that is not done; ``action`` None: the rule itself is wrong."""

    folder: F
    rule: Rule
    cause: Cause
    number: int = 0
    action: Action | None = None


@dataclass(slots=True)
class Outcome(Generic[F]):
    """What is to be done.  ``places``: where the message is filed, each folder once; none: nowhere."""

    places: list[F] = field(default_factory=list)
    read: bool = False
    tags: list[Deed[F]] = field(default_factory=list)
    letters: list[Deed[F]] = field(default_factory=list)  # replies, forwards, what goes to delegates
    deferred: list[Deed[F]] = field(default_factory=list)  # for the client to do
    refused: Deed[F] | None = None
    failed: list[Failure[F]] = field(default_factory=list)
    told: list[Rule] = field(default_factory=list)  # rules that keep a list of whom they have answered


class Ground(Protocol[F]):
    """What running rules needs to know."""

    away: bool  # the mailbox is Out of Office

    def rules(self, folder: F) -> Sequence[Rule]:
        """Those of a folder, in any order."""

    def values(self, tags: Sequence[Tag]) -> Sequence[Value]:
        """Properties of the message; None or an `Error` for what it has not."""

    def parts(self, table: Tag) -> Sequence[Mapping[Tag, Value]]:
        """Its recipients or attachments."""

    def target(self, action: Action) -> F | None:
        """The folder that a move or copy means; None: one that only the client reaches.

        Raises MapiError: there is none.
        """

    def told(self, rule: Rule) -> bool:
        """Whether the sender stands on the list of those whom the rule has answered."""


def run(folder: F, ground: Ground[F]) -> Outcome[F]:
    """What the rules want with a message that is filed in ``folder``."""
    running = _Running(ground)
    running.folder(folder)
    found = running.outcome
    found.places = list(dict.fromkeys(found.places))
    return found


class _Running(Generic[F]):
    def __init__(self, ground: Ground[F]) -> None:
        self._ground = ground
        self.outcome: Outcome[F] = Outcome()
        self._through: list[F] = []  # folders whose rules were tried
        self._set: dict[Tag, Value] = {}  # by rules so far
        self._recipients = 0

    def folder(self, folder: F) -> None:
        """Tries the rules of one; afterwards the message has its places."""
        if folder in self._through or len(self._through) >= MAX_DEPTH:
            self.outcome.places.append(folder)
            return
        self._through.append(folder)
        stays, ended = True, False
        for rule in sorted(self._ground.rules(folder), key=lambda rule: (rule.sequence, rule.id)):
            only_away = bool(rule.state & State.ONLY_WHEN_OOF)
            if not rule.state & State.ENABLED or (only_away and not self._ground.away):  # R516, R517
                continue
            if ended and not only_away:  # R560, R807, R550
                continue
            if not self._holds(folder, rule):
                continue
            kept, deleted = self._act(folder, rule)
            stays = stays and kept
            ended = ended or deleted or bool(rule.state & State.EXIT_LEVEL)
        if stays:
            self.outcome.places.append(folder)

    def _holds(self, folder: F, rule: Rule) -> bool:
        if rule.broken:
            self.outcome.failed.append(Failure(folder, rule, Cause.PARSING))
            return False
        keeps = bool(rule.state & State.KEEP_OOF_HISTORY) and any(
            one.op == Op.OOF_REPLY for one in rule.actions
        )
        if keeps and self._ground.told(rule):  # R557
            return False
        if rule.condition is not None:
            try:
                matcher = match.compiled(rule.condition)
                row = self._row(matcher.keys)
                if not matcher.test(row, self._ground.parts):
                    return False
            except MapiError:
                self.outcome.failed.append(Failure(folder, rule, Cause.PROCESSING))
                return False
        if keeps:
            self.outcome.told.append(rule)  # R558
        return True

    def _row(self, keys: Sequence[Tag]) -> list[Value]:
        values = self._ground.values(keys)
        return [self._set.get(key, value) for key, value in zip(keys, values, strict=True)]

    def _act(self, folder: F, rule: Rule) -> tuple[bool, bool]:
        """Notes what a rule wants; whether the message stays in the folder, and whether it was deleted."""
        moved = deleted = failed = False
        before = len(self.outcome.deferred)
        for number, action in enumerate(rule.actions):
            deed = Deed(folder, rule, number, action)
            try:
                if action.op == Op.DELETE:
                    deleted = True
                elif action.op == Op.MOVE:
                    moved = self._move(deed) or moved
                else:
                    _DOERS[action.op](self, deed)
            except _Failed as trouble:
                failed = True
                self.outcome.failed.append(Failure(folder, rule, trouble.cause, number, action))
        # what was to go somewhere first, and did not, is not taken away
        deleted = deleted and not failed and len(self.outcome.deferred) == before
        refused = self.outcome.refused is not None
        return not (moved or deleted or refused), deleted or refused

    def _move(self, deed: Deed[F]) -> bool:
        target = self._target(deed)
        if target is None or target == deed.folder:
            return False
        self.folder(target)  # R512: its rules come before the next one here
        return True

    def _copy(self, deed: Deed[F]) -> None:
        target = self._target(deed)
        if target is not None:
            self.outcome.places.append(target)

    def _target(self, deed: Deed[F]) -> F | None:
        if len(self.outcome.places) >= MAX_PLACES:
            raise _Failed(Cause.MOVE_COPY)
        try:
            found = self._ground.target(deed.action)
        except MapiError as error:
            denied = error.code == Code.ACCESS_DENIED
            raise _Failed(Cause.PERMISSION if denied else Cause.MOVE_COPY) from error
        if found is None:  # R563
            self.outcome.deferred.append(deed)
        return found

    def _letter(self, deed: Deed[F]) -> None:
        data = deed.action.data
        self._recipients += len(data) if isinstance(data, tuple) else 1
        if len(self.outcome.letters) >= MAX_LETTERS or self._recipients > MAX_RECIPIENTS:
            raise _Failed(Cause.TOO_MANY_RECIPIENTS)
        self.outcome.letters.append(deed)

    def _defer(self, deed: Deed[F]) -> None:
        self.outcome.deferred.append(deed)

    def _refuse(self, deed: Deed[F]) -> None:
        self.outcome.refused = self.outcome.refused or deed

    def _tag(self, deed: Deed[F]) -> None:
        data = deed.action.data
        if not isinstance(data, tuple) or len(data) != 2 or not isinstance(data[0], int):
            raise _Failed(Cause.PARSING)
        self._set[match.wide(data[0])] = data[1]
        self.outcome.tags.append(deed)

    def _mark(self, deed: Deed[F]) -> None:
        self.outcome.read = True


class _Failed(Exception):
    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause = cause


_DOERS: Final[Mapping[Op, Callable[[_Running[F], Deed[F]], None]]] = {
    Op.COPY: _Running._copy,
    Op.REPLY: _Running._letter,
    Op.OOF_REPLY: _Running._letter,
    Op.FORWARD: _Running._letter,
    Op.DELEGATE: _Running._letter,
    Op.DEFER: _Running._defer,
    Op.BOUNCE: _Running._refuse,
    Op.TAG: _Running._tag,
    Op.MARK_AS_READ: _Running._mark,
}
