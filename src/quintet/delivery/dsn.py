"""Reports about mail: failed, delayed, relayed; as a message that any program can read.

Pure: gives bytes, files nothing.  multipart/report of a text for people, a machine-readable part and the
message (whole or its header).  The envelope of a report has a null sender, so that no report is ever
answered by a report.  RFC 3464, RFC 3461 6, RFC 6522 (report), RFC 6533 (internationalised addresses).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from quintet.delivery.envelope import Mailbox
from quintet.message import build, headers

MAX_DIAGNOSTIC = 900  # octets of what a peer said; a line holds 998 (RFC 5322 2.1.1)
MAX_LISTED = 1000  # recipients told in one report

FAILED = "failed"
DELAYED = "delayed"
RELAYED = "relayed"

_UNSAFE = re.compile(r"[\x00-\x1f\x7f]+")

_SUBJECTS = {
    FAILED: "Undelivered mail returned to sender",
    DELAYED: "Delayed mail (still being tried)",
    RELAYED: "Mail relayed",
}
_TEXTS = {
    FAILED: "Your message could not be delivered to the recipients below. It will not be tried again.",
    DELAYED: "Your message has not yet been delivered to the recipients below.\r\n"
    "You need do nothing: it is tried again until the time given.",
    RELAYED: "Your message was handed to the next mail server for the recipients below.",
}


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one recipient."""

    address: Mailbox
    action: str  # FAILED, DELAYED, RELAYED
    status: str  # "5.1.1" (RFC 3463)
    diagnostic: str = ""  # the peer's words, or ours
    remote: str = ""  # host that said so; "" is ourselves
    at: int = 0  # ms, last try
    retry_until: int = 0  # ms; DELAYED only
    original: str = ""  # ORCPT as given, "rfc822;bob@example.org"


@dataclass(frozen=True, slots=True)
class About:
    """The message a report is about."""

    sender: Mailbox
    arrived_at: int  # ms
    content: bytes  # whole message or header block
    whole: bool
    envelope_id: str = ""  # ENVID
    message_id: str = ""  # "<x@y>", of the message


def report(about: About, fates: Sequence[Fate], *, hostname: str, now: int, token: str) -> bytes:
    """The report as it is sent, CRLF line ends.  All ``fates`` have one action."""
    action = fates[0].action
    international = not about.sender.ascii or any(not fate.address.ascii for fate in fates)
    thread = [("In-Reply-To", about.message_id), ("References", about.message_id)] if about.message_id else []
    return build.multipart_report(
        [
            ("From", f"Mail delivery system <postmaster@{hostname}>"),
            ("To", f"<{about.sender}>"),
            ("Subject", _SUBJECTS[action]),
            ("Date", headers.format_date(now)),
            ("Message-ID", f"<{token}@{hostname}>"),
            *thread,  # RFC 3834 3.1.6
            ("Auto-Submitted", "auto-replied"),  # RFC 3834 5
        ],
        _for_people(about, fates, action, hostname),
        _for_machines(about, fates, hostname, international).encode(),
        report_type="global-delivery-status" if international else "delivery-status",
        original=about.content,
        headers_only=not about.whole,
    )


def _for_people(about: About, fates: Sequence[Fate], action: str, hostname: str) -> str:
    lines = [f"This is the mail system at {hostname}.", "", _TEXTS[action], ""]
    for fate in fates[:MAX_LISTED]:
        lines.append(f"<{fate.address}>")
        said = _one_line(fate.diagnostic) or f"status {fate.status}"
        lines.append(f"    {fate.remote} said: {said}" if fate.remote else f"    {said}")
        if fate.action == DELAYED and fate.retry_until:
            lines.append(f"    It is tried until {headers.format_date(fate.retry_until)}.")
        lines.append("")
    if len(fates) > MAX_LISTED:
        lines += [f"and {len(fates) - MAX_LISTED} more.", ""]
    lines.append(f"The message arrived here on {headers.format_date(about.arrived_at)}.")
    return "\r\n".join(lines) + "\r\n"


def _for_machines(about: About, fates: Sequence[Fate], hostname: str, international: bool) -> str:
    """RFC 3464 2.2 (about the message) and 2.3 (each recipient), blank lines between."""
    lines = [f"Reporting-MTA: dns; {hostname}"]
    if about.envelope_id:
        lines.append(f"Original-Envelope-Id: {_one_line(about.envelope_id)}")
    lines.append(f"Arrival-Date: {headers.format_date(about.arrived_at)}")
    for fate in fates[:MAX_LISTED]:
        kind = "utf-8" if international and not fate.address.ascii else "rfc822"
        lines.append("")
        if fate.original:
            lines.append(f"Original-Recipient: {_one_line(fate.original)}")
        lines += [
            f"Final-Recipient: {kind}; {fate.address}",
            f"Action: {fate.action}",
            f"Status: {fate.status}",
        ]
        if fate.remote:
            lines.append(f"Remote-MTA: dns; {_one_line(fate.remote)}")
            if fate.diagnostic:
                lines.append(f"Diagnostic-Code: smtp; {_one_line(fate.diagnostic)}")
        if fate.at:
            lines.append(f"Last-Attempt-Date: {headers.format_date(fate.at)}")
        if fate.retry_until:
            lines.append(f"Will-Retry-Until: {headers.format_date(fate.retry_until)}")
    return "\r\n".join(lines) + "\r\n"


def _one_line(text: str) -> str:
    """What came from elsewhere, unable to start a line of its own; ASCII, as field values must be."""
    clean = _UNSAFE.sub(" ", text).encode("ascii", "replace").decode()
    return clean[:MAX_DIAGNOSTIC].strip()
