"""Rules of an account in memory: what becomes of a message that comes (MS-OXORULE 3.2.5.1)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quintet.mapi import match, names, pr, restrict
from quintet.mapi.bag import Attachment, Bag, Item
from quintet.mapi.errors import MapiError
from quintet.mapi.providers import derive
from quintet.mapi.rules import Action, Flavor, Op, Recipient, State, Target, TemplateEntry
from quintet.mapi.types import Tag, Value

MAX_HOPS = 5  # a message that rules made starts no more than so many further ones
HOPS: Tag = 0x67F00003  # on such a message, in this process only


@dataclass(slots=True)
class Outcome:
    """What the rules want.  ``moved``: it is filed there only; ``copies``: there too."""

    item: Item
    moved: list[bytes] = field(default_factory=list)
    copies: list[bytes] = field(default_factory=list)
    deleted: bool = False
    refused: str = ""
    out: list[Item] = field(default_factory=list)  # to be sent
    filed: list[bytes] = field(default_factory=list)  # the ids that it has now


def run(rows: Iterable[Bag], item: Item, load: Callable[[bytes], Item], me: Bag) -> Outcome:
    """Runs the enabled rules in their order; one that nobody can answer is passed over."""
    found = Outcome(item)
    for row in sorted(rows, key=lambda row: row.get(pr.RULE_SEQUENCE) or 0):
        state = row.get(pr.RULE_STATE) or 0
        if not state & State.ENABLED or state & State.ONLY_WHEN_OOF or not _matches(row, item):
            continue
        for action in row.get(pr.RULE_ACTIONS) or ():
            _act(found, action, load, me)
        if state & State.EXIT_LEVEL:
            break
    return found


def _matches(row: Bag, item: Item) -> bool:
    condition = row.get(pr.RULE_CONDITION)
    if condition is None:
        return True
    try:
        matcher = match.compiled(condition)
    except MapiError:
        return False
    bag = derive.row_of(item)
    return matcher.test([bag.get(names.key(tag)) for tag in matcher.keys], functools.partial(parts, item))


def parts(item: Item, table: Tag) -> Sequence[Mapping[Tag, Value]]:
    """Recipients or attachments, as restrictions look at them."""
    bags = item.recipients if table == restrict.RECIPIENTS else [one.props for one in item.attachments]
    return [{names.tag(key): value for key, value in bag.items()} for bag in bags]


def _act(found: Outcome, action: Action, load: Callable[[bytes], Item], me: Bag) -> None:
    props = found.item.props
    if action.op in (Op.MOVE, Op.COPY) and isinstance(action.data, Target):
        (found.moved if action.op == Op.MOVE else found.copies).append(action.data.folder)
    elif action.op == Op.DELETE:
        found.deleted = True
    elif action.op == Op.MARK_AS_READ:
        props[pr.MESSAGE_FLAGS] = props.get(pr.MESSAGE_FLAGS, 0) | derive.READ
    elif action.op == Op.BOUNCE:
        found.refused = "the receiver's rules refuse it"
    elif action.op == Op.TAG and isinstance(action.data, tuple):
        tag, value = action.data
        assert isinstance(tag, int)
        props[names.key(tag)] = value
    elif action.op in (Op.FORWARD, Op.DELEGATE) and isinstance(action.data, tuple):
        rows: Any = action.data  # recipients, with these actions
        _send(found, _forwarded(found.item, action, me), rows)
    elif action.op == Op.REPLY and isinstance(action.data, TemplateEntry):
        _reply(found, action.data, load, me)


def _send(found: Outcome, item: Item, rows: Iterable[Recipient]) -> None:
    hops = found.item.props.get(HOPS, 0) + 1
    if hops > MAX_HOPS:
        return
    item.props[HOPS] = hops
    item.recipients = [
        {pr.RECIPIENT_TYPE: derive.TO, **{tag: value for tag, value in row if tag != pr.RECIPIENT_TYPE}}
        for row in rows
    ]
    found.out.append(item)


def _forwarded(item: Item, action: Action, me: Bag) -> Item:
    """As it is, or within another message."""
    if action.flavor & Flavor.UNCHANGED or action.op == Op.DELEGATE:
        return derive.copied(item)
    subject = item.props.get(pr.SUBJECT) or ""
    sender: Bag = {
        pr.SENDER_NAME: me.get(pr.DISPLAY_NAME),
        pr.SENDER_ADDRTYPE: me.get(pr.ADDRTYPE),
        pr.SENDER_EMAIL_ADDRESS: me.get(pr.EMAIL_ADDRESS),
    }
    made = derive.copied(item)
    if action.flavor & Flavor.AS_ATTACHMENT:
        made = Item({pr.MESSAGE_CLASS: "IPM.Note", pr.BODY: ""})
        made.attachments.append(
            Attachment(
                {pr.ATTACH_METHOD: derive.EMBEDDED, pr.DISPLAY_NAME: subject}, item=derive.copied(item)
            )
        )
    for part in (pr.SUBJECT_PREFIX, pr.NORMALIZED_SUBJECT):
        made.props.pop(part, None)
    made.props[pr.SUBJECT] = f"FW: {subject}"
    made.props.update(sender)
    return made


def _reply(found: Outcome, template: TemplateEntry, load: Callable[[bytes], Item], me: Bag) -> None:
    """The template, to who wrote; nobody answers a message without an author."""
    address = found.item.props.get(pr.SENDER_EMAIL_ADDRESS)
    try:
        item = load(template.entry)
    except MapiError:
        return
    if not address:
        return
    kind = found.item.props.get(pr.SENDER_ADDRTYPE, "SMTP")
    name = found.item.props.get(pr.SENDER_NAME, address)
    item.props[pr.MESSAGE_CLASS] = "IPM.Note"
    item.props[pr.SENDER_NAME] = me.get(pr.DISPLAY_NAME)
    item.props[pr.SENDER_ADDRTYPE] = me.get(pr.ADDRTYPE)
    item.props[pr.SENDER_EMAIL_ADDRESS] = me.get(pr.EMAIL_ADDRESS)
    row = ((pr.DISPLAY_NAME, name), (pr.ADDRTYPE, kind), (pr.EMAIL_ADDRESS, address))
    _send(found, item, (row,))
