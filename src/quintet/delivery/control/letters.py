"""Letters to the newsmaster about control messages: what was asked for, and what was done."""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Sequence

from quintet import log
from quintet.delivery.control.groupchanges import Change
from quintet.delivery.control.orders import Order
from quintet.delivery.envelope import NULL, Envelope, Mailbox, Recipient, mailbox
from quintet.delivery.inbound import Inbound
from quintet.errors import Problem
from quintet.message import build, headers
from quintet.net.seam import Peer
from quintet.store.content import content_of

MAX_AN_HOUR = 30  # letters to the newsmaster, of one process; more is only logged
MAX_LISTED = 500  # changes that one letter lists

logger = log.get("control")


class Letters:
    """One a process.  Without ``inbound``, or an address, nothing is sent."""

    def __init__(self, inbound: Inbound | None, address: str, hostname: str) -> None:
        self._inbound, self._address, self._hostname = inbound, address, hostname
        self._sent: deque[float] = deque(maxlen=MAX_AN_HOUR)  # monotonic seconds

    def _room(self, now: float) -> bool:
        """Anybody may send control messages, and must not fill a mailbox by them."""
        if len(self._sent) == MAX_AN_HOUR and now - self._sent[0] < 3600:
            return False
        self._sent.append(now)
        return True

    async def asked(self, message_id: str, order: Order, changes: Sequence[Change], why: str) -> None:
        """Somebody wants groups to be changed, and the newsmaster shall say whether."""
        text = (
            f"{order.author} asks by the control message {message_id} for:\n\n{_listed(changes)}\n\n"
            f"It was not done: {why}.\nTo do it all the same:\n\n"
            f"    quintet control do {shlex.quote(message_id)}\n"  # whoever sent it chose those letters
        )
        await self.send(f"{order.verb} by {order.author}", text)

    async def done(self, message_id: str, order: Order, changes: Sequence[Change]) -> None:
        """Groups were changed."""
        text = f"As {order.author} asked by the control message {message_id}:\n\n{_listed(changes)}\n"
        await self.send(f"{order.verb} by {order.author}: done", text)

    async def send(self, subject: str, text: str, *, to: Mailbox | None = None, answers: str = "") -> None:
        """One letter, to the newsmaster or to somebody else (``answers`` a Message-ID).

        What cannot be sent is logged: the effect does not wait for it.
        """
        if self._inbound is None or not (self._address or to):
            return
        if to is None and not self._room(self._inbound.clock.monotonic()):
            logger.warning("newsmaster not told: too many letters", subject=subject)
            return
        inbound, to = self._inbound, to or mailbox(self._address)
        now, clock = inbound.clock.now(), inbound.clock
        fields = [
            ("From", f"Quintet <usenet@{self._hostname}>"),
            ("To", str(to)),
            ("Subject", subject),
            ("Date", headers.format_date(now)),
            ("Message-ID", f"<{clock.token(12)}@{self._hostname}>"),
            ("Auto-Submitted", "auto-replied" if answers else "auto-generated"),  # RFC 3834 5
            *([("In-Reply-To", answers)] if answers else []),
        ]
        envelope = Envelope(Peer("control", ""), protocol="local", sender=NULL, id=clock.token(6))
        try:
            found = inbound.directory.find(to)
            envelope.recipients.append(found or Recipient(to))
            await inbound.accept(envelope, content_of(build.compose(fields, text)))
        except Problem as problem:
            logger.warning("letter not sent", to=str(to), why=problem.text, subject=subject)


def _listed(changes: Sequence[Change]) -> str:
    lines = [f"    {one}" for one in changes[:MAX_LISTED]]
    if len(changes) > MAX_LISTED:
        lines.append(f"    ... and {len(changes) - MAX_LISTED} more")
    return "\n".join(lines)
