"""Where rules of a folder have their say: what comes into it is looked at before it is filed.

Who understands rules is a `Sorter`, joined from above (`Inbound.sorter`).  The transaction that files asks
whether a folder has any (`filing.Unsorted`); only then is anybody asked, and the same transaction does what
the rules want.  Nothing that goes wrong here keeps a message from its folder.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from quintet import log
from quintet.delivery import filing
from quintet.errors import TryLater
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.delivery.envelope import Envelope, Recipient
    from quintet.store.content import Content

MAX_TRIES = 3  # rules that are made while a message is looked at

logger = log.get("delivery")


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message for one recipient, about to be filed in a folder that has rules."""

    home: filing.File
    recipient: Recipient
    envelope: Envelope
    content: Content
    received: bytes  # the trace lines that will stand above it
    now: int
    expires_at: int


class Sorter(Protocol):
    """Knows what rules mean."""

    async def sort(self, one: Arrived) -> filing.Decision:
        """What the rules make of it: `filing.Sorted`, or a refusal.  Raises TryLater: it cannot look now."""


async def settled(work: filing.Work, unsorted: filing.Unsorted, sorter: Sorter) -> filing.Work:
    """The same work with decisions that need no further look, for the recipients that were told.

    Two names of one mailbox have one copy, and their rules are run once.  Raises TryLater.
    """
    decisions = list(work.decisions)
    seen: set[int] = set()
    for number in unsorted.numbers:
        home = decisions[number]
        assert isinstance(home, filing.File)
        if home.folder_id in seen:
            decisions[number] = filing.Discard()
            continue
        seen.add(home.folder_id)
        one = Arrived(
            home,
            work.envelope.recipients[number],
            work.envelope,
            work.content,
            work.received,
            work.now,
            work.expires_at,
        )
        decisions[number] = await _sorted(one, sorter)
    tries = work.tries + 1
    say = filing.Say.ASK if tries < MAX_TRIES else filing.Say.NOBODY
    return replace(work, decisions=decisions, tries=tries, rules=say)


async def _sorted(one: Arrived, sorter: Sorter) -> filing.Decision:
    try:
        return await sorter.sort(one)
    except TryLater:
        raise
    except Exception as bug:  # a mistake of ours costs nobody a letter
        logger.error("rules not run", id=one.envelope.id, folder=one.home.folder_id, exc_info=bug)  # noqa: TRY400
        return filing.Sorted(one.home, (one.home,))
