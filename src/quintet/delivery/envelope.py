"""Who sends a message to whom: the values that travel beside the bytes, known to no protocol.

A `Mailbox` keeps the local part as it is meant (unquoted); `str()` writes it as it must stand on the
wire.  What may stand there is checked where it is read (`smtp.address`).  RFC 5321 2.3.1, 4.1.2.
"""

from __future__ import annotations

import functools
import re
from dataclasses import field
from typing import TYPE_CHECKING

from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.auth.service import Identity
    from quintet.delivery.verdict import Verdict
    from quintet.net.seam import Peer

# RFC 5321 4.1.2, RFC 6531 3.3: no control, space, special or dot, but those between
_ATOMS = re.compile(r"[^\x00- \"(),.:;<>@\[-\]\x7f]+(?:\.[^\x00- \"(),.:;<>@\[-\]\x7f]+)*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"(?:@(.*))?', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address.  The null reverse path has neither part, "postmaster" alone has no domain."""

    local: str  # unquoted, case kept
    domain: str  # lower case, U-labels as they came; "[192.0.2.1]", "[ipv6:::1]" for an address literal

    def __str__(self) -> str:
        return _written(self.local, self.domain)

    def __bool__(self) -> bool:
        return bool(self.local or self.domain)

    @property
    def literal(self) -> bool:
        """Names a host by its number (RFC 5321 4.1.3)."""
        return self.domain.startswith("[")

    @property
    def ascii(self) -> bool:
        """Can be said to a host without SMTPUTF8 as it stands."""
        return self.local.isascii() and self.domain.isascii()


@functools.lru_cache(maxsize=1024)  # each address of a letter is written about five times
def _written(local: str, domain: str) -> str:
    if not _ATOMS.fullmatch(local) and (local or domain):
        local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if domain.startswith("[ipv6:"):
        domain = "[IPv6:" + domain[6:]
    return f"{local}@{domain}" if domain else local


NULL = Mailbox("", "")  # the sender of reports, which never get an answer (RFC 5321 4.5.5)


@functools.lru_cache(maxsize=1024)
def mailbox(text: str) -> Mailbox:
    """Reads back what ``str(Mailbox)`` wrote; for values of our own (queue rows, configuration)."""
    if quoted := _QUOTED.fullmatch(text):
        return Mailbox(re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL), (quoted[2] or "").lower())
    at = text.find("@[") if text.endswith("]") else -1  # a literal may hold "@" as well
    if at < 0:
        at = text.rfind("@")
    return Mailbox(text[:at], text[at + 1 :].lower()) if at >= 0 else Mailbox(text, "")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a sender may ask of a transaction by parameters of MAIL; most ask for nothing."""

    binary: bool = False  # BODY=BINARYMIME (RFC 3030)
    ret: str = ""  # "full" or "hdrs" (RFC 3461 4.3)
    envid: str = ""  # decoded from xtext, printable ASCII (RFC 3461 4.4)
    require_tls: bool = False  # RFC 8689
    priority: int = 0  # -9 to 9 (RFC 6710)
    release_at: int = 0  # ms; not to be sent before (RFC 4865); 0: at once
    hold: str = ""  # how that was asked for, "for;60" or "until;2026-01-01T09:00:00Z"; reports say so
    by: DeliverBy | None = None  # RFC 2852
    solicit: str = ""  # keywords of the sender's solicitation (RFC 3865)
    submitter: str = ""  # AUTH= of a trusted client, decoded (RFC 4954 5)
    verp: str = ""  # the sender shall name each recipient, with these two delimiters (XVERP); "": as it is


@dataclass(frozen=True, slots=True)
class DeliverBy:
    """A deadline (RFC 2852 4)."""

    at: int  # ms
    mode: str  # "R": return what is late; "N": tell, and go on
    trace: bool = False  # a "relayed" report at each hop


USUAL = Wishes()


@dataclass(slots=True)
class Envelope:
    """One transaction as it comes in: filled by the protocol, read by the steps of delivery."""

    peer: Peer
    protocol: str = "ESMTP"  # the "with" of Received: RFC 3848, 6531
    identity: Identity | None = None  # who logged in
    sender: Mailbox = NULL
    recipients: list[Recipient] = field(default_factory=list)  # in the order of RCPT
    size: int = 0  # bytes as declared by MAIL SIZE=, 0 when not
    eight_bit: bool = False  # BODY=8BITMIME
    utf8: bool = False  # SMTPUTF8
    helo: str = ""
    id: str = ""  # the id of our Received line, in log and trace
    wishes: Wishes = USUAL  # what else the sender asked for
    verdict: Verdict | None = None  # what checks found so far; begun by the first that looks


GATEWAY = "gateway"  # the role of a gateway's address


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where one RCPT leads: to a folder of an account here, or (``folder_id`` 0) into the queue."""

    address: Mailbox
    account_id: int = 0
    folder_id: int = 0
    detail: str = ""  # of user+detail
    notify: tuple[str, ...] = ()  # of "never", "success", "failure", "delay" (RFC 3461 4.1); (): not said
    orcpt: str = ""  # "rfc822;bob@example.org" as it was meant (RFC 3461 4.2); "": not said
    group: str = ""  # a newsgroup that takes the message as an article
    expanded: str = ""  # the alias of several addresses that it came by; its reports say "expanded"
    mailing_list: int = 0  # number of the list that takes the message
    role: str = ""  # of a list's address: "post", "request", "bounces", ...
    leads: tuple[Recipient, ...] = ()  # what it stands for: folders here, addresses elsewhere; () is itself
    via: tuple[str, ...] = ()  # addresses of ours that forwarded it: its Delivered-To
    sender: Mailbox | None = None  # the envelope sender of this copy (SRS); None is the message's

    @property
    def elsewhere(self) -> bool:
        """It leaves by the queue as it stands: no folder, group or list of ours, and no alias."""
        return not (self.folder_id or self.leads or self.group or self.mailing_list)
