"""Reports about mail: failed, delayed, delivered, relayed, expanded; as a message that any program can read.

Pure: gives bytes, files nothing.  multipart/report of a text for people in their language and in English, a
machine-readable part, and the message or its header.  The envelope of a report has a null sender, so that no
report is ever answered by a report.  DSN-Gateway is never ours to write: we translate no foreign reports.
RFC 3464, RFC 3461 6, RFC 6522 (report), RFC 6533 (internationalised addresses).
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from quintet.delivery import wording
from quintet.delivery.envelope import Mailbox
from quintet.message import build, headers
from quintet.values import dataclass

MAX_DIAGNOSTIC = 900  # octets of what a peer said; a line holds 998 (RFC 5322 2.1.1)
MAX_LISTED = 1000  # recipients told in one report
WIDTH = 76  # columns of what people read; RFC 5322 2.1.1

FAILED = "failed"
DELAYED = "delayed"
DELIVERED = "delivered"
RELAYED = "relayed"
EXPANDED = "expanded"

_CLASS = {FAILED: "5", DELAYED: "4", DELIVERED: "2", RELAYED: "2", EXPANDED: "2"}  # RFC 3464 2.3.4
# CR and LF, other controls, and what Unicode takes for the end of a line: programs split at it
_UNSAFE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff]+")
_STATUS = re.compile(r"[245](\.(?:0|[1-9][0-9]{0,2})\.(?:0|[1-9][0-9]{0,2}))")  # RFC 3463 2
_TYPED = re.compile(r"([A-Za-z0-9-]{1,30});[ ]?(.*)")
_OUTSIDE = re.compile(r"[^!-*,-<>-\[\]-~]")  # of QCHAR: RFC 6533 3
_HOST = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[A-Za-z0-9:.]+\]")


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one recipient."""

    address: Mailbox
    action: str  # FAILED, DELAYED, DELIVERED, RELAYED, EXPANDED
    status: str  # "5.1.1" (RFC 3463)
    diagnostic: str = ""  # the peer's words, or ours
    kind: str = "smtp"  # of diagnostic where ``remote`` said it; "x-unix": a program's exit
    remote: str = ""  # host or program that said so; "" is ourselves
    command: str = ""  # what it answered: "RCPT TO:<bob@example.org>"
    at: int = 0  # ms, last try
    retry_until: int = 0  # ms; DELAYED only
    original: str = ""  # ORCPT as it was meant, "rfc822;bob@example.org"


@dataclass(frozen=True, slots=True)
class About:
    """The message a report is about."""

    sender: Mailbox
    arrived_at: int  # ms
    content: bytes  # whole message or header block
    whole: bool
    envelope_id: str = ""  # ENVID
    message_id: str = ""  # "<x@y>", of the message
    log_id: str = ""  # ours: the id of our Received line
    received_from: str = ""  # what the client called itself
    language: str = ""  # of the sender, of `wording.LANGUAGES`; "": unknown
    seven_bit: bool = False  # the way back may take no 8-bit header (RFC 6533 4.5)
    deliver_by: int = 0  # ms; the deadline that was asked for (RFC 2852 5)
    hold: str = ""  # the release that was asked for, as `envelope.Wishes.hold`


def report(about: About, fates: Sequence[Fate], *, hostname: str, now: int, token: str) -> bytes:
    """The report as it is sent, CRLF line ends.  All ``fates`` have one action."""
    action = fates[0].action
    narrow = about.seven_bit and about.sender.ascii  # who has a UTF-8 address can be reached by UTF-8 only
    international = not narrow and not _plain(about, fates)
    languages = tuple(dict.fromkeys((about.language or wording.DEFAULT, wording.DEFAULT)))
    subject = wording.phrases(languages[0]).say(f"subject.{action}")
    message_id = _one_line(about.message_id)
    thread = [("In-Reply-To", message_id), ("References", message_id)] if message_id else []
    return build.multipart_report(
        [
            ("From", f"Mail delivery system <postmaster@{hostname}>"),
            ("To", f"<{about.sender}>"),
            ("Subject", subject),
            ("Date", headers.format_date(now)),
            ("Message-ID", f"<{token}@{hostname}>"),
            *thread,  # RFC 3834 3.1.6
            ("Auto-Submitted", "auto-replied"),  # RFC 3834 5
        ],
        "\r\n\r\n".join(_for_people(about, fates, hostname, wording.phrases(tag)) for tag in languages),
        _for_machines(about, fates, hostname, international).encode(),
        report_type="global-delivery-status" if international else "delivery-status",
        original=about.content,
        headers_only=not about.whole,
        languages=languages,
        seven_bit=narrow,
    )


def _plain(about: About, fates: Sequence[Fate]) -> bool:
    return about.sender.ascii and all(fate.address.ascii and fate.original.isascii() for fate in fates)


# --- for people -------------------------------------------------------------------------------------


def _for_people(about: About, fates: Sequence[Fate], hostname: str, words: wording.Phrases) -> str:
    """One language's text: what happened, to whom, why in plain words, and what the other host said."""
    action = fates[0].action
    lines = [words.say("hello", host=hostname), "", *_wrapped(words.say(f"text.{action}")), ""]
    for fate in fates[:MAX_LISTED]:
        lines += [f"<{_one_line(str(fate.address))}>", *_explained(fate, words), ""]
    if len(fates) > MAX_LISTED:
        lines += [words.say("more", count=str(len(fates) - MAX_LISTED)), ""]
    lines += _wrapped(words.say("arrived", date=headers.format_date(about.arrived_at)))
    return "\r\n".join(lines)


def _explained(fate: Fate, words: wording.Phrases) -> list[str]:
    lines = []
    status = _status(fate)
    reason = wording.reason(status) if fate.action in (FAILED, DELAYED) else ""
    if reason:
        lines += _wrapped(words.say(f"reason.{reason}"), "    ")
    said = _one_line(fate.diagnostic) or status
    if fate.remote:
        lines.append("    " + words.say("said", host=_one_line(fate.remote), text=said))
        if fate.command:
            lines.append("    " + words.say("answer_to", command=_one_line(fate.command)))
    elif fate.action in (FAILED, DELAYED):
        lines.append(f"    {said}")
    if fate.action == DELAYED and fate.retry_until:
        lines += _wrapped(words.say("until", date=headers.format_date(fate.retry_until)), "    ")
    return lines


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


# --- for machines -----------------------------------------------------------------------------------


def _for_machines(about: About, fates: Sequence[Fate], hostname: str, international: bool) -> str:
    """RFC 3464 2.2 (about the message) and 2.3 (each recipient), blank lines between."""
    lines = []
    if about.envelope_id:
        lines.append(f"Original-Envelope-Id: {_ascii(about.envelope_id)}")
    lines.append(f"Reporting-MTA: dns; {hostname}")
    if _HOST.fullmatch(about.received_from):
        lines.append(f"Received-From-MTA: dns; {about.received_from[:MAX_DIAGNOSTIC]}")
    lines.append(f"Arrival-Date: {headers.format_date(about.arrived_at)}")
    if about.deliver_by:
        lines.append(f"Deliver-By-Date: {headers.format_date(about.deliver_by)}")  # RFC 2852 5
    if about.hold:
        lines.append(f"Future-Release-Request: {_ascii(about.hold)}")  # RFC 4865 5.1.2
    for fate in fates[:MAX_LISTED]:
        lines += ["", *_fields(about, fate, international)]
    return "\r\n".join(lines) + "\r\n"


def _fields(about: About, fate: Fate, international: bool) -> list[str]:
    lines = []
    if original := named(fate.original, international):
        lines.append(f"Original-Recipient: {original}")
    lines += [
        f"Final-Recipient: {typed('rfc822', str(fate.address), international)}",
        f"Action: {fate.action}",
        f"Status: {_status(fate)}",
    ]
    said = (_one_line if international else _ascii)(fate.diagnostic)
    if fate.remote and fate.kind == "smtp":
        remote = _ascii(fate.remote)
        lines.append(f"Remote-MTA: dns; {remote}")
    if said:
        kind = fate.kind if fate.remote or fate.kind != "smtp" else "x-quintet"
        lines.append(f"Diagnostic-Code: {kind}; {said}")
    if fate.at:
        lines.append(f"Last-Attempt-Date: {headers.format_date(fate.at)}")
    if about.log_id:
        lines.append(f"Final-Log-ID: {_ascii(about.log_id)}")
    if fate.retry_until and fate.action == DELAYED:
        lines.append(f"Will-Retry-Until: {headers.format_date(fate.retry_until)}")
    return lines


def typed(kind: str, address: str, international: bool) -> str:
    """An address with its type, as Original-Recipient and Final-Recipient have it (RFC 6533 3).

    What is not ASCII is of the type "utf-8": as it is where the report may have it, else each such
    character by its number.
    """
    address = _one_line(address)
    if not address.isascii():
        kind = "utf-8"
        if not international:
            address = _OUTSIDE.sub(lambda found: f"\\x{{{ord(found[0]):02X}}}", address)
    return f"{kind}; {address}"


def named(original: str, international: bool) -> str:
    """What stands in Original-Recipient for an ORCPT as it was meant; "" for what is none."""
    found = _TYPED.fullmatch(_one_line(original))
    return typed(found[1].lower(), found[2], international) if found else ""


def _status(fate: Fate) -> str:
    """The status as it must stand: of the action's class, the general one where there is none."""
    group = _CLASS[fate.action]
    found = _STATUS.fullmatch(fate.status)
    return group + found[1] if found else f"{group}.0.0"


def _one_line(text: str) -> str:
    """What came from elsewhere, unable to start a line of its own, and short enough for one."""
    clean = _UNSAFE.sub(" ", text).strip()
    return clean.encode("utf-8", "replace")[:MAX_DIAGNOSTIC].decode("utf-8", "ignore").strip()


def _ascii(text: str) -> str:
    return _one_line(text).encode("ascii", "replace").decode()
