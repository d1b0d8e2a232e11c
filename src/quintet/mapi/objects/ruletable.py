"""The rules of a folder, a row for each, as clients read and change them (MS-OXORULE 2.2.1, 3.2.5.2).

Kept are condition and actions as an extended rule has them (2.2.4.1.9, 2.2.4.1.10), with the mailbox's own
numbers for named properties.  A target is kept as it was given: an entry id, or the ServerEid of a ROP.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from quintet.errors import BadSyntax, Reason, Refused
from quintet.mapi import ids, match, names, pr, rules
from quintet.mapi.bag import Bag
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects.numbers import short
from quintet.mapi.restrict import Restriction
from quintet.mapi.rules import Action, State, Target, Template, TemplateEntry
from quintet.mapi.ruling import Rule
from quintet.mapi.table import Rows
from quintet.mapi.types import Tag, Value
from quintet.store import rules as kept

if TYPE_CHECKING:
    from quintet.mapi.objects.box import Box
    from quintet.mapi.objects.folder import Folder

_SERVERS: Final = State.ERROR | State.PARSE_ERROR  # bits that no client sets (R66, R77)
_PLAIN: Final[dict[str, Tag]] = {
    "id": pr.RULE_ID, "sequence": pr.RULE_SEQUENCE, "state": pr.RULE_STATE, "name": pr.RULE_NAME,
    "provider": pr.RULE_PROVIDER, "level": pr.RULE_LEVEL, "user_flags": pr.RULE_USER_FLAGS,
    "provider_data": pr.RULE_PROVIDER_DATA,
}  # fmt: skip

Restate = Callable[[Tag], Tag]


def _same(tag: Tag) -> Tag:
    return tag


def listing(folder: Folder, outside: Restate = _same) -> list[Bag]:
    """The rows, in the order in which the rules are tried; ``outside`` gives callers their own tags.

    Raises MapiError(ACCESS_DENIED): the reader does not own the folder.
    """
    _check(folder)
    return [_bag(row, outside) for row in kept.listing(folder.box.tx, folder.id)]


def _bag(row: kept.Rule, outside: Restate) -> Bag:
    told = {tag: getattr(row, name) for name, tag in _PLAIN.items()}
    bag: Bag = {tag: value for tag, value in told.items() if value is not None}
    rule = of_row(row)
    if rule.condition is not None:
        bag[pr.RULE_CONDITION] = names.restated(rule.condition, outside)
    if rule.actions:
        bag[pr.RULE_ACTIONS] = rules.restated(rule.actions, outside)
    return bag


class RuleRows(Rows):
    """The rules table that a ROP opens: as `listing`, with actions as a standard rule has them (2.2.5.1.2).

    A folder that takes no letters for somebody has none.  Raises MapiError(ACCESS_DENIED): as `listing`.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._rows()

    def _rows(self) -> list[kept.Rule]:
        folder = self._folder
        if folder.is_group or folder.is_search:
            return []
        _check(folder)
        return kept.listing(folder.box.tx, folder.id)

    def ids(self) -> Sequence[int]:
        return [row.id for row in self._rows()]

    def version(self) -> Hashable:
        return tuple(self._rows())

    def columns(self) -> Sequence[Tag]:
        return [*_PLAIN.values(), pr.RULE_CONDITION, pr.RULE_ACTIONS]

    def values(self, ids: Sequence[int], keys: Sequence[Tag]) -> list[list[Value]]:
        bags = {row.id: _bag(row, _same) for row in self._rows()}
        for bag in bags.values():
            actions = bag.get(pr.RULE_ACTIONS, ())
            bag[pr.RULE_ACTIONS] = tuple([_standard(self._folder.box, one) for one in actions]) or None
        return [[bags[number].get(key) if number in bags else None for key in keys] for number in ids]


def _standard(box: Box, action: Action) -> Action:
    """An action with ids of this store in place of entry ids; one that leads elsewhere stays."""
    data = action.data
    if not isinstance(data, Target | TemplateEntry):
        return action
    try:
        entry = ids.read(data.folder if isinstance(data, Target) else data.entry)
    except BadSyntax:  # a ServerEid, as it is wanted
        return action
    if isinstance(entry, ids.FolderEntry | ids.MessageEntry) and entry.folder.replica == box.replica:
        folder = short(entry.folder.counter)
        if isinstance(data, Target):
            return replace(action, data=replace(data, folder=ids.ServerId(folder, short(0)).write()))
        if isinstance(entry, ids.MessageEntry):
            return replace(action, data=Template(folder, short(entry.message.counter), data.guid))
    return action


def of_row(row: kept.Rule) -> Rule:
    """A rule as `ruling` tries it."""
    try:
        condition = None if row.condition is None else rules.read_condition(row.condition)[1]
        actions = () if row.actions is None else rules.read_actions(row.actions)[1]
    except BadSyntax:
        return Rule(row.id, row.sequence, row.state, row.provider or "", broken=True)
    return Rule(row.id, row.sequence, row.state, row.provider or "", condition, actions)


def change(folder: Folder, rows: Sequence[Bag], inside: Restate = _same) -> list[int]:
    """These are the folder's rules now; a row without a number gets one.  Their numbers, in their order.

    Raises:
        MapiError(ACCESS_DENIED): the reader does not own the folder.  MapiError(NOT_SUPPORTED): a group.
        MapiError(NOT_FOUND): no rule of the folder has that number.
        MapiError(INVALID_PARAMETER): a rule without actions, or a value that is none of its property's.
        MapiError(OUT_OF_MEMORY): more than a folder may have (R815).
    """
    _check(folder)
    present = {one.id: one for one in kept.listing(folder.box.tx, folder.id)}
    wanted = [_row(folder, bag, present, inside) for bag in rows]
    try:
        numbers = kept.replace(folder.box.tx, folder.id, wanted)
    except Refused as problem:
        code = Code.OUT_OF_MEMORY if problem.reason is Reason.TOO_MANY else Code.NOT_FOUND
        raise MapiError(code, problem.text) from problem
    folder.box.written()
    return numbers


def _row(folder: Folder, bag: Bag, present: dict[int, kept.Rule], inside: Restate) -> kept.Rule:
    number = bag.get(pr.RULE_ID) or 0
    old = present.get(number)
    if number and old is None:
        raise MapiError(Code.NOT_FOUND, "no rule of that number")
    condition, actions = bag.get(pr.RULE_CONDITION), bag.get(pr.RULE_ACTIONS)
    if not isinstance(actions, tuple) or not actions:
        raise MapiError(Code.INVALID_PARAMETER, "a rule without actions")
    try:
        if condition is not None:
            _test(condition)
            condition = rules.write_condition({}, names.restated(condition, inside))
        made = kept.Rule(
            id=number,
            folder_id=folder.id,
            sequence=_whole(bag.get(pr.RULE_SEQUENCE)),
            state=_whole(bag.get(pr.RULE_STATE)),
            name=_text(bag.get(pr.RULE_NAME)),
            provider=_text(bag.get(pr.RULE_PROVIDER)),
            level=bag.get(pr.RULE_LEVEL),
            user_flags=bag.get(pr.RULE_USER_FLAGS),
            provider_data=bag.get(pr.RULE_PROVIDER_DATA),
            condition=condition,
            actions=rules.write_actions({}, rules.restated(actions, inside)),
        )
    except (BadSyntax, TypeError, AttributeError, ValueError) as error:
        raise MapiError(Code.INVALID_PARAMETER, "no possible rule") from error
    if made == old:
        return made
    # another rule: what was wrong with the old one may be right now
    return replace(made, state=made.state & ~_SERVERS)


def _test(condition: Restriction) -> None:
    """What only a directory can answer is kept: some client may; it is an error when it is tried."""
    try:
        match.compiled(condition)
    except MapiError as error:
        if error.code != Code.TOO_COMPLEX:
            raise


def _whole(value: object) -> int:
    if value is None:
        return 0
    if not isinstance(value, int) or not -(1 << 31) <= value < 1 << 32:
        raise ValueError("no number of 32 bits")
    return value


def _text(value: object) -> str | None:
    if value is not None and (not isinstance(value, str) or "\0" in value):
        raise ValueError("no text")
    return value


def _check(folder: Folder) -> None:
    """Rules are the owner's, and say much about them: who may only read the folder is not shown them."""
    if folder.is_group or folder.is_search:
        raise MapiError(Code.NOT_SUPPORTED, "nothing arrives here for somebody")
    folder.check("a")
