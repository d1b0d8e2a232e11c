"""What a pipeline brought along with MAIL or RCPT and needs no thought, answered in one go.  RFC 2920 3.1.

Each command has its reply, in order; only the way from one to the next is shorter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quintet.smtp import replies

if TYPE_CHECKING:
    from quintet.smtp.transaction import Transaction
    from quintet.smtp.wire import SmtpWire


def answered(reply: bytes, wire: SmtpWire, current: Transaction) -> bytes:
    """``reply``, and those to plain RCPT lines for addresses that are known, and to a DATA at the end.

    Where the last one is among them, ``wire.owed`` tells it.
    """
    addresses = wire.recipients()
    if addresses:
        taken = current.rcpt_known(addresses)
        wire.pass_over(addresses[:taken])
        reply += replies.RECIPIENT_OK * taken
        if taken < len(addresses):
            return reply
    if current.ready_at_once and wire.go_ahead():
        reply += replies.GO_AHEAD
    return reply
