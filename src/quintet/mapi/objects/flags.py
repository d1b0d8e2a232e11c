"""Flags that both an entry and a property tell: read, draft, answered, flagged (MS-OXCMSG 2.2.1.6).

The entry's flags are the truth, because every protocol sets them; a property says what they cannot (that a
follow-up is complete, that everybody was answered).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from quintet.mapi.bag import Bag, Key
from quintet.mapi.objects import pid
from quintet.store.model import ANSWERED, DRAFT, FLAGGED, SEEN

FOLLOW_UP: Final = 2  # PidTagFlagStatus: flagged (1 is: done)
REPLIED, REPLIED_TO_ALL = 102, 103  # PidTagLastVerbExecuted
_VERBS = (REPLIED, REPLIED_TO_ALL)
_OWN = (  # bits of PidTagMessageFlags that are kept as they were set
    pid.MF_SUBMITTED | pid.MF_FROM_ME | pid.MF_RESEND | pid.MF_NOTIFY_READ | pid.MF_NOTIFY_UNREAD
    | pid.MF_INTERNET
)  # fmt: skip


def of_message(bag: Bag, *, read: bool | None) -> int:
    """The flags of a message that is saved for the first time; read, unless it was said otherwise (R1480)."""
    told = bag.get(pid.MESSAGE_FLAGS, pid.MF_UNSENT)
    found = 0 if read is False else SEEN
    found |= DRAFT if told & pid.MF_UNSENT else 0
    found |= FLAGGED if bag.get(pid.FLAG_STATUS) == FOLLOW_UP else 0
    return found | (ANSWERED if bag.get(pid.LAST_VERB) in _VERBS else 0)


def of_changes(bag: Bag, changed: Collection[Key], before: int) -> int:
    """The flags after some properties were set or deleted."""
    found = before
    if pid.FLAG_STATUS in changed:
        found = found & ~FLAGGED | (FLAGGED if bag.get(pid.FLAG_STATUS) == FOLLOW_UP else 0)
    if pid.LAST_VERB in changed:
        found = found & ~ANSWERED | (ANSWERED if bag.get(pid.LAST_VERB) in _VERBS else 0)
    return found


def shown(state: int, bag: Bag) -> int:
    """PidTagMessageFlags of an entry, without the bits for reading and attachments."""
    own: int = bag.get(pid.MESSAGE_FLAGS, 0) & _OWN
    return own | (pid.MF_UNSENT if state & DRAFT else 0)


def overlay(bag: Bag, state: int) -> None:
    """Puts into a bag what the entry's flags say; what they contradict goes."""
    if state & FLAGGED:
        bag[pid.FLAG_STATUS] = FOLLOW_UP
    elif bag.get(pid.FLAG_STATUS) == FOLLOW_UP:
        del bag[pid.FLAG_STATUS]
    if state & ANSWERED:
        if bag.get(pid.LAST_VERB) not in _VERBS:
            bag[pid.LAST_VERB] = REPLIED
    elif bag.get(pid.LAST_VERB) in _VERBS:
        del bag[pid.LAST_VERB]


def without(bag: Bag) -> Bag:
    """A bag without what the flags say anyway: that is not stored a second time."""
    told = {pid.FLAG_STATUS: FOLLOW_UP, pid.LAST_VERB: REPLIED}
    return {key: value for key, value in bag.items() if key not in told or told[key] != value}
