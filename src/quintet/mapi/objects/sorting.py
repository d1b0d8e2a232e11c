"""Rules at delivery: what a letter says is held against the rules of its folder (MS-OXORULE 3.2.5.1).

`Sorter` is what `delivery.sorting` asks.  The letter becomes an item and the rules are tried in a reader's
thread; letters that rules send are made there too.  What is to be done is done by the transaction that files
the letter (`ruledeeds`), all of it or nothing.  Before the rules stands the class: a letter of a class that
has a receive folder is for that folder, and for its rules (MS-OXCSTOR 3.2.5.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from quintet.delivery import filing
from quintet.errors import BadSyntax, Reason, Refused
from quintet.mapi import convert, ids, pr, ruling
from quintet.mapi.bag import Data, Item
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import packed, pid, places, ruledeeds, ruleletters, ruletable
from quintet.mapi.objects.box import Box, mapped, reader_of
from quintet.mapi.objects.itemlike import CC, TO, ItemLike
from quintet.mapi.objects.numbers import OWN_REPLICA
from quintet.mapi.objects.stored import File
from quintet.mapi.restrict import RECIPIENTS
from quintet.mapi.rules import Action, Bounce, Target, folder_of
from quintet.mapi.ruling import Outcome, Rule
from quintet.mapi.types import Tag, Value
from quintet.store import accounts, boxes, folders, props, rules
from quintet.store.blobs import Blobs
from quintet.store.db import Tx
from quintet.store.model import SEEN, AccountId, FolderId, FolderKind

if TYPE_CHECKING:
    from quintet.clock import Clock
    from quintet.delivery.inbound import Inbound
    from quintet.delivery.sorting import Arrived

MAX_LOOKED: Final = 256 * 1024  # characters of one property that conditions look at
_WORDS: Final[Mapping[Bounce, str]] = {
    Bounce.TOO_LARGE: "The recipient takes no message of this size",
    Bounce.CANNOT_DISPLAY: "The recipient cannot display this message",
    Bounce.DENIED: "The recipient does not take this message",
}


@dataclass(slots=True)
class Plan:
    """What is to be done with one letter."""

    box: Box
    outcome: Outcome[FolderId]
    letters: list[ruleletters.Made] = field(default_factory=list)


class Sorter:
    """`delivery.sorting.Sorter` over the store of a way in."""

    def __init__(self, inbound: Inbound) -> None:
        self._inbound = inbound

    async def sort(self, one: Arrived) -> filing.Decision:
        """See `delivery.sorting.Sorter`."""
        store = self._inbound.store
        plan = await store.read(_plan, one, store.blobs, self._inbound.hostname, self._inbound.clock)
        works = await ruleletters.works(plan.letters, one, self._inbound, plan.box.owner)
        outcome = plan.outcome
        refused = _refusal(outcome)
        if refused and not (outcome.places or works or outcome.failed or outcome.told):
            return filing.Reject(Refused(Reason.POLICY, refused))
        flags = one.home.flags | (SEEN if outcome.read else 0)
        found = tuple([filing.File(each, flags, one.home.keywords) for each in outcome.places])
        deeds = ruledeeds.Deeds(plan.box, outcome, works, one.envelope.sender)
        return filing.Sorted(one.home, found, deeds.carry_out, refused)


def _refusal(outcome: Outcome[FolderId]) -> str:
    if outcome.refused is None:
        return ""
    code = outcome.refused.action.data
    return _WORDS[code if isinstance(code, Bounce) else Bounce.DENIED]


def _plan(tx: Tx, one: Arrived, files: Blobs, hostname: str, clock: Clock) -> Plan:
    """Everything that needs no more than reading.  Raises TryLater: the letter cannot be read."""
    account = accounts.get(tx, AccountId(one.recipient.account_id))
    reader = reader_of(tx, account.id)
    box = Box(account, reader, places.find(tx, account), files=files, owner=reader)
    with box.using(tx):
        item = _item(one)
        own = ruleletters.own_addresses(tx, account, one)
        _say_mine(item, own)
        folder = _receive_folder(tx, account.id, FolderId(one.home.folder_id), item)
        ground = _Ground(box, item, one)
        outcome = ruling.run(folder, ground)
        plan = Plan(box, outcome)
        if outcome.letters:
            maker = ruleletters.Maker(box, item, one, own, hostname, clock)
            plan.letters = maker.all(outcome)
            if not outcome.places and outcome.refused is None and outcome.failed:
                outcome.places.append(folder)  # what was to be passed on and then deleted is not lost
    return plan


def _item(one: Arrived) -> Item:
    content = one.content
    source: bytes | Data
    if content.data is not None:
        source = content.data
    else:
        assert content.path is not None
        source = File(content.path, content.size)
    item = convert.from_mime(source, content.digest, received_ms=one.now, prefix=one.received)
    item.props[pid.MESSAGE_FLAGS] = pid.MF_READ if one.home.flags & SEEN else 0
    item.props[pid.MESSAGE_SIZE_EXTENDED] = len(one.received) + content.size
    return item


def _say_mine(item: Item, own: frozenset[str]) -> None:
    """PidTagMessageToMe, PidTagMessageCcMe, PidTagMessageRecipientMe (MS-OXCMSG 2.2.1.28 and on)."""
    kinds = {
        row.get(pid.RECIPIENT_TYPE, TO) & 0x0F
        for row in item.recipients
        if str(row.get(pid.SMTP_ADDRESS) or row.get(pid.EMAIL_ADDRESS) or "").lower() in own
    }
    item.props[pr.MESSAGE_TO_ME] = TO in kinds
    item.props[pr.MESSAGE_CC_ME] = CC in kinds
    item.props[pr.MESSAGE_RECIP_ME] = bool(kinds & {TO, CC})


def _receive_folder(tx: Tx, account: AccountId, home: FolderId, item: Item) -> FolderId:
    """Where the class of a letter is for; only what would come into the Inbox goes elsewhere."""
    if folders.get(tx, home).role != "inbox":
        return home
    klass = str(item.props.get(pid.MESSAGE_CLASS) or "IPM.Note")
    found = boxes.arrival(tx, account, klass)
    return home if found is None or found.klass == rules.NO_LETTERS else found.folder_id


class _Seen(ItemLike):
    """The letter as rules see it; its size is that of the whole."""

    facts = {
        tag: fact
        for tag, fact in ItemLike.facts.items()
        if tag not in (pid.MESSAGE_SIZE, pid.MESSAGE_SIZE_EXTENDED)
    } | {pid.MESSAGE_SIZE: lambda self: min(self.item.props[pid.MESSAGE_SIZE_EXTENDED], 0x7FFFFFFF)}


class _Ground:
    """`ruling.Ground` of one letter in its mailbox."""

    def __init__(self, box: Box, item: Item, one: Arrived) -> None:
        self._box, self._item, self._sender = box, item, str(one.envelope.sender)
        self._seen = _Seen(box, item, writable=False)
        self._known: dict[Tag, Value] = {}
        self._parts: dict[Tag, Sequence[Mapping[Tag, Value]]] = {}  # by tables, for all rules
        self.away = is_away(box)

    def rules(self, folder: FolderId) -> Sequence[Rule]:
        return [ruletable.of_row(row) for row in rules.listing(self._box.tx, folder)]

    def values(self, tags: Sequence[Tag]) -> Sequence[Value]:
        fresh = [tag for tag in tags if tag not in self._known]
        for tag, value in zip(fresh, self._seen.get(fresh), strict=True):
            self._known[tag] = value[:MAX_LOOKED] if isinstance(value, str | bytes) else value
        return [self._known[tag] for tag in tags]

    def parts(self, table: Tag) -> Sequence[Mapping[Tag, Value]]:
        if table not in self._parts:
            item = self._item
            bags = item.recipients if table == RECIPIENTS else [one.props for one in item.attachments]
            self._parts[table] = [
                {key: value for key, value in bag.items() if isinstance(key, int)} for bag in bags
            ]
        return self._parts[table]

    def target(self, action: Action) -> FolderId | None:
        if not isinstance(action.data, Target):
            raise MapiError(Code.INVALID_PARAMETER)
        number = _number(self._box, action.data)
        if number is None:
            return None
        with mapped():
            row = folders.get(self._box.tx, number)
        if row.account_id != self._box.account.id or row.kind == FolderKind.GROUP or row.role == "search":
            raise MapiError(Code.NOT_FOUND, "no folder that letters may go to")
        return number

    def told(self, rule: Rule) -> bool:
        return bool(self._sender) and rules.told(self._box.tx, rule.id, self._sender)[1] > 0


def _number(box: Box, target: Target) -> FolderId | None:
    """The folder of this mailbox that is meant, by entry id or ServerEid; None: the client may know it."""
    if not target.here:
        return None
    try:
        entry = ids.read(target.folder)
    except BadSyntax:
        entry = None
    if isinstance(entry, ids.FolderEntry):
        return FolderId(entry.folder.counter) if entry.folder.replica == box.replica else None
    try:
        short = folder_of(target)
    except BadSyntax:
        return None
    return None if short is None or short.replica != OWN_REPLICA else FolderId(short.counter)


def is_away(box: Box) -> bool:
    """PidTagOutOfOfficeState of the mailbox."""
    raw = props.get(box.tx, props.ACCOUNT, box.account.id).get(pr.OOF_STATE)
    return raw is not None and bool(packed.of_value(pr.OOF_STATE, raw))
