"""Actions of rules: between the structures of programs (ACTIONS) and the values that providers keep.

A target is an entry id here, as in extended rules (MS-OXORULE 2.2.5.1.2.1).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from quintet.mapi import rules
from quintet.mapi.core import structs as s
from quintet.mapi.core.errors import fail
from quintet.mapi.rules import Action, Op
from quintet.mapi.types import Tag, Value

VERSION = 1  # EDK_RULES_VERSION
MAX_ACTIONS = rules.MAX_ACTIONS

Prop = Callable[[s.SPropValue], tuple[Tag, Value]]
Show = Callable[[Tag, Value], s.SPropValue]


def taken(given: s.ACTIONS, prop: Prop) -> tuple[Action, ...]:
    """Raises MAPIErrorInvalidParameter: no action of that kind, or too many."""
    if not 0 < len(given.lpAction) <= MAX_ACTIONS:
        raise fail("MAPI_E_INVALID_PARAMETER", "a rule without actions, or with too many")
    try:
        return tuple([_taken(one, prop) for one in given.lpAction])
    except (ValueError, AttributeError, TypeError) as error:
        raise fail("MAPI_E_INVALID_PARAMETER", str(error)) from error


def _taken(one: s.ACTION, prop: Prop) -> Action:
    op, held = Op(one.acttype), one.actobj
    data: Any = None
    if op in (Op.MOVE, Op.COPY):
        data = rules.Target(held.FldEntryId, held.StoreEntryId or b"\0")
    elif op in (Op.REPLY, Op.OOF_REPLY):
        data = rules.TemplateEntry(held.EntryId, uuid.UUID(bytes_le=held.guidReplyTemplate))
    elif op == Op.DEFER:
        data = bytes(held.data)
    elif op == Op.BOUNCE:
        data = rules.Bounce(held.scBounceCode)
    elif op in (Op.FORWARD, Op.DELEGATE):
        data = tuple([tuple([prop(each) for each in row]) for row in held.lpadrlist])
    elif op == Op.TAG:
        data = prop(held.propTag)
    return Action(op, data, one.ulActionFlavor, one.ulFlags)


def shown(kept: tuple[Action, ...], show: Show) -> s.ACTIONS:
    """The other way."""
    return s.ACTIONS(VERSION, [_shown(one, show) for one in kept])


def _shown(one: Action, show: Show) -> s.ACTION:
    data: Any = one.data
    held: Any = None
    if isinstance(data, rules.Target):
        held = s.actMoveCopy(data.store, data.folder)
    elif isinstance(data, rules.TemplateEntry):
        held = s.actReply(data.entry, data.guid.bytes_le)
    elif isinstance(data, bytes):
        held = s.actDeferAction(data)
    elif isinstance(data, rules.Bounce):
        held = s.actBounce(int(data))
    elif one.op == Op.TAG and isinstance(data, tuple):
        held = s.actTag(show(*data))
    elif isinstance(data, tuple):
        held = s.actFwdDelegate([[show(*each) for each in row] for row in data])
    return s.ACTION(int(one.op), one.flavor, None, None, one.flags, held)
