"""What acts of tables and policy services lead to (`policy.acts`): at once, and when the message is filed.

What must wait for the message is kept in the verdict, of the connection's client or of the message.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from quintet import log
from quintet.delivery import expand, filing, weighing
from quintet.delivery.checks import Check, Later
from quintet.delivery.envelope import Recipient, mailbox
from quintet.errors import Reason, Refused, TryLater
from quintet.policy.acts import Act, Do

if TYPE_CHECKING:
    from quintet.delivery.envelope import Envelope
    from quintet.delivery.inbound import Passage
    from quintet.delivery.verdict import Verdict

MAX_COPIES = 20  # recipients that tables add to one message
MAX_FIELDS = 100  # fields that they add
MAX_FIELD = 4000  # characters of one

logger = log.get("policy")


@dataclass(slots=True)
class Said:
    """What was said of a message so far."""

    welcome: bool = False  # the client, or the message
    recipient: str = ""  # the one for whom it is welcome, besides
    discard: bool = False
    hold: str = ""  # why; "": it is not
    to: str = ""  # the address that gets it instead; "": who was named
    copies: list[str] = field(default_factory=list)
    instead: Sequence[Recipient] = ()  # where ``to`` leads
    fields: int = 0
    number: int = field(default_factory=itertools.count(1).__next__)  # another one for each message

    def copy(self) -> Said:
        return Said()  # a connection has none


def of(verdict: Verdict) -> Said | None:
    """What was said, where anything was."""
    found = verdict.notes.get("acts")
    return found if isinstance(found, Said) else None


def begun(verdict: Verdict) -> Said:
    """The same, begun where nothing was said yet."""
    found = of(verdict)
    if found is None:
        found = Said()
        verdict.notes["acts"] = found
    return found


def welcome(verdict: Verdict, recipient: Recipient | None = None) -> bool:
    """A table said OK: lists of the name service, greylists and services do not ask about it."""
    found = of(verdict)
    if found is None:
        return False
    return found.welcome or (recipient is not None and found.recipient == str(recipient.address))


def take(
    act: Act, envelope: Envelope, verdict: Verdict, where: str, recipient: Recipient | None = None
) -> bool:
    """Does what can be done now, and keeps the rest; True where nobody else is to be asked.

    ``recipient``: it was said of one; only a welcome concerns that one alone.

    Raises outcomes.Refusal, outcomes.Delay.
    """
    if act.do is Do.NOTHING:
        return False
    logger.info(
        act.do.value,
        conn=envelope.peer.id,
        id=envelope.id,
        sender=str(envelope.sender),
        by=where,
        text=act.text[:200],
    )
    if act.do is Do.REFUSE:
        raise act.refuse()
    if act.do is Do.DEFER:
        raise act.defer()
    said = begun(verdict)
    match act.do:
        case Do.WELCOME:
            if recipient is None:
                said.welcome = True
            else:
                said.recipient = str(recipient.address)
            return True
        case Do.DISCARD:
            said.discard = True
            return True
        case Do.HOLD:
            said.hold = act.text or where
        case Do.REDIRECT:
            said.to = act.text
        case Do.COPY if len(said.copies) < MAX_COPIES:
            said.copies.append(act.text)
        case Do.PREPEND if said.fields < MAX_FIELDS:
            said.fields += 1
            verdict.fields.append(b"%b\r\n" % _flat(act.text).encode("utf-8", "replace"))
        case _:
            pass
    return False


def _flat(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:MAX_FIELD]


class Acting(Check):
    """Stands behind all that take acts; its `filter` among the filters."""

    def message(self, passage: Passage) -> Later:
        """Adds the recipients that were wished for."""
        said = of(passage.verdict)
        if said is None or said.discard:
            return None
        for address in said.copies:
            self._add(passage, address)
        if said.to:
            found = self._add(passage, said.to)
            if found is None:
                raise TryLater(Reason.BUSY, "Mail is to go to an address that is not there")
            said.instead = found.leads or (found,)
        return None

    def _add(self, passage: Passage, address: str) -> Recipient | None:
        try:
            found = passage.inbound.anyone(mailbox(address))
        except (Refused, TryLater) as problem:
            envelope = passage.envelope
            logger.warning("recipient not added", conn=envelope.peer.id, address=address, text=str(problem))
            return None
        passage.more.append(found)
        return found

    async def filter(self, passage: Passage, number: int) -> filing.Decision | None:
        """A `checks.Filter`."""
        said = of(passage.verdict)
        if said is None:
            return None
        recipient = passage.envelope.recipients[number]
        if said.discard:
            return filing.Discard()
        if said.instead and not any(_same(recipient, one) for one in said.instead):
            copied = {each.lower() for each in said.copies}
            if expand.named(passage, number).lower() not in copied:
                return filing.Discard()
        if said.hold:
            return await weighing.quarantine(passage, recipient, said.hold)
        return None


def _same(one: Recipient, other: Recipient) -> bool:
    if one.folder_id or other.folder_id:
        return one.folder_id == other.folder_id
    return one.address == other.address
