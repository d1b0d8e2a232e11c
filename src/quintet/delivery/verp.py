"""Senders that name the recipient, so that a report of any form tells who failed (VERP).

``news@example.org`` to ``zoe@example.net`` leaves as ``news+zoe=example.net@example.org``: a detail of an
address of ours (RFC 5233).  Pure.  After D. J. Bernstein's "Variable Envelope Return Paths".
"""

from __future__ import annotations

from quintet.delivery.envelope import Mailbox

MAX_LOCAL = 64  # octets, RFC 5321 4.5.3.1.1


def sender_for(sender: Mailbox, recipient: Mailbox) -> Mailbox:
    """The sender of mail to one recipient; ``sender`` itself where there is no room, and for reports."""
    local = f"{sender.local}+{recipient.local}={recipient.domain}"
    if not sender or not recipient.domain or recipient.literal or len(local.encode()) > MAX_LOCAL:
        return sender
    return Mailbox(local, sender.domain)


def recipient_of(detail: str) -> Mailbox | None:
    """Whom a report to ``user+detail`` is about; None when the detail is none of ours."""
    local, found, domain = detail.rpartition("=")
    if not found or not local or not domain or domain.strip(".") != domain or "@" in detail:
        return None
    return Mailbox(local, domain.lower())
