"""Copies for an archive: who gets one of a message though its sender did not name them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from quintet import log
from quintet.config.copies import Copy
from quintet.delivery.checks import Check, Later
from quintet.delivery.envelope import Mailbox, mailbox
from quintet.errors import Refused, TryLater

if TYPE_CHECKING:
    from quintet.delivery.inbound import Passage

logger = log.get("delivery")


class Copies(Check):
    """A check of nothing: it adds recipients to a message that has come."""

    def __init__(self, wanted: Sequence[Copy]) -> None:
        self._wanted = tuple(wanted)

    def message(self, passage: Passage) -> Later:
        envelope, named = passage.envelope, {one.address for one in passage.envelope.recipients}
        for one in self._wanted:
            to = mailbox(one.to)
            if to in named or not _fits(one.sender, (envelope.sender,)) or not _fits(one.recipient, named):
                continue
            named.add(to)
            try:
                passage.more.append(passage.inbound.anyone(to))
            except (Refused, TryLater) as problem:  # an archive that is full keeps no mail from arriving
                logger.warning("no copy", conn=envelope.peer.id, to=one.to, text=str(problem))
        return None


def _fits(pattern: str, boxes: Iterable[Mailbox]) -> bool:
    """One of the addresses is that one, or of that domain."""
    wanted = pattern.lower().removeprefix("@")
    return not wanted or any(wanted in (f"{box.local}@{box.domain}".lower(), box.domain) for box in boxes)
