"""Senders that name the recipient, so that a report of any form tells who failed (VERP).

``news@example.org`` to ``zoe@example.net`` leaves as ``news+zoe=example.net@example.org``: a detail of an
address of ours (RFC 5233).  Clients may ask for it, with other delimiters, by XVERP (Postfix's VERP_README).
Pure.  After D. J. Bernstein's "Variable Envelope Return Paths".
"""

from __future__ import annotations

from quintet.delivery.envelope import Mailbox

DELIMITERS = "+="
MAX_LOCAL = 64  # octets, RFC 5321 4.5.3.1.1


def delimiters(asked: object) -> str:
    """Those of a message: what its client said, else the usual ones."""
    return asked if isinstance(asked, str) and asked else DELIMITERS


def sender_for(sender: Mailbox, recipient: Mailbox, between: str = DELIMITERS) -> Mailbox:
    """The sender of mail to one recipient; ``sender`` itself where there is no room, and for reports.

    ``between``: before the recipient, and in place of its "@".
    """
    local = f"{sender.local}{between[0]}{recipient.local}{between[1]}{recipient.domain}"
    if not sender or not recipient.domain or recipient.literal or len(local.encode()) > MAX_LOCAL:
        return sender
    return Mailbox(local, sender.domain)


def recipient_of(detail: str) -> Mailbox | None:
    """Whom a report to ``user+detail`` is about; None when the detail is none of ours."""
    local, found, domain = detail.rpartition("=")
    if not found or not local or not domain or domain.strip(".") != domain or "@" in detail:
        return None
    return Mailbox(local, domain.lower())
