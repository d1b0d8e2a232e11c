"""Rules of an account in memory: what becomes of a message that comes (MS-OXORULE 3.2.5.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from quintet.mapi import names, pr, rulemail, ruling
from quintet.mapi.bag import Bag, Item
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import derive
from quintet.mapi.rules import Action, Op, Recipient, Target, TemplateEntry
from quintet.mapi.ruling import Cause, Deed, Failure, Rule
from quintet.mapi.types import Tag, Value

MAX_HOPS = 5  # a message that rules made starts no more than so many further ones
HOPS: Tag = 0x67F00003  # on such a message, in this process only


@dataclass(slots=True)
class Delivered:
    """What became of a message."""

    refused: str = ""
    places: list[bytes] = field(default_factory=list)
    out: list[Item] = field(default_factory=list)  # to be sent
    filed: list[bytes] = field(default_factory=list)  # the ids that it has now
    failed: list[Failure[bytes]] = field(default_factory=list)


class Box:
    """What rules ask an account: rows by folder, messages by entry id, its owner."""

    def __init__(
        self,
        rows: Callable[[bytes], Iterable[Bag]],
        is_folder: Callable[[bytes], bool],
        load: Callable[[bytes], Item],
        me: Bag,
    ) -> None:
        self.rows, self.is_folder, self.load, self.me = rows, is_folder, load, me


class _Ground:
    """`ruling.Ground` of one message.  An account in memory is never Out of Office."""

    away = False

    def __init__(self, box: Box, item: Item) -> None:
        self._box, self._item = box, item
        self._bag = derive.row_of(item)

    def rules(self, folder: bytes) -> Sequence[Rule]:
        return [_rule(row) for row in self._box.rows(folder)]

    def values(self, tags: Sequence[Tag]) -> Sequence[Value]:
        return [self._bag.get(names.key(tag)) for tag in tags]

    def parts(self, table: Tag) -> Sequence[Mapping[Tag, Value]]:
        return derive.parts(self._item, table)

    def target(self, action: Action) -> bytes | None:
        if not isinstance(action.data, Target) or not self._box.is_folder(action.data.folder):
            raise MapiError(Code.NOT_FOUND)
        return action.data.folder

    def told(self, rule: Rule) -> bool:
        return False


def _rule(row: Bag) -> Rule:
    return Rule(
        row.get(pr.RULE_ID) or 0,
        row.get(pr.RULE_SEQUENCE) or 0,
        row.get(pr.RULE_STATE) or 0,
        row.get(pr.RULE_PROVIDER) or "",
        row.get(pr.RULE_CONDITION),
        row.get(pr.RULE_ACTIONS) or (),
    )


def run(folder: bytes, item: Item, box: Box) -> Delivered:
    """Runs the rules of a folder, and of those that it is moved to; the item is as they want it then."""
    outcome = ruling.run(folder, _Ground(box, item))
    found = Delivered(places=outcome.places, failed=outcome.failed)
    if outcome.refused is not None:
        found.refused = "the receiver's rules refuse it"
    if outcome.read:
        item.props[pr.MESSAGE_FLAGS] = item.props.get(pr.MESSAGE_FLAGS, 0) | derive.READ
    for deed in outcome.letters:
        made = _letter(item, deed, box)
        if made is None:
            found.failed.append(Failure(deed.folder, deed.rule, Cause.TEMPLATE, deed.number, deed.action))
        elif made.recipients and (hops := item.props.get(HOPS, 0) + 1) <= MAX_HOPS:
            made.props[HOPS] = hops
            found.out.append(made)
    for deed in outcome.tags:
        tag, value = deed.action.data  # type: ignore[misc]  # it was looked at before
        assert isinstance(tag, int)
        item.props[names.key(tag)] = value
    return found


def _letter(item: Item, deed: Deed[bytes], box: Box) -> Item | None:
    """What a rule sends, without recipients where there is nobody to have it; None: no such template."""
    action = deed.action
    if action.op in (Op.REPLY, Op.OOF_REPLY):
        try:
            assert isinstance(action.data, TemplateEntry)
            template = box.load(action.data.entry)
        except MapiError:
            return None
        author = rulemail.author(item)
        made = rulemail.replied(item, template, action, box.me)
        return rulemail.addressed(made, [] if author is None else [author])
    rows: tuple[Recipient, ...] = action.data  # type: ignore[assignment]  # those of a forward
    made = derive.copied(item) if rulemail.passes_whole(action) else rulemail.forwarded(item, action, box.me)
    return rulemail.addressed(made, rows)
