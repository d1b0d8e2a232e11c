"""Receipts: who asked to be told that a message was read, whether a server may answer, and with what bytes.

Pure; RFC 8098, with the forms of RFC 6533 5.  What the reader would have to be asked about is not sent: a
receipt to another address than the Return-Path, to several, or with options that we do not know (2.1, 2.2);
nor one to a list or for an automatic message.  When it is sent is `receipts`' business.
"""

from __future__ import annotations

import re

from quintet.delivery import dsn, wording
from quintet.delivery.envelope import NULL, Mailbox, mailbox
from quintet.message import build, headers
from quintet.message.digest import Digest
from quintet.values import dataclass

PRODUCT = "Quintet"
MAX_FIELD = 900  # octets; a line holds 998

_REQUIRED = re.compile(rb"=\s*required\b", re.IGNORECASE)
_PATH = re.compile(r"<(.+@.+)>")
_BULK = (b"bulk", b"list", b"junk")
_LISTS = ("List-Id", "List-Post", "List-Unsubscribe", "Mailing-List")


@dataclass(frozen=True, slots=True)
class Read:
    """The message that was read, and by whom."""

    reader: Mailbox  # the address it came to
    name: str  # the reader's, for people; may be ""
    subject: str
    message_id: str  # "<x@y>", "" when it had none
    original: str  # Original-Recipient as it stands above the message, "rfc822; bob@example.org"; or ""
    header: bytes  # its header block
    displayed: bool = True  # False: it was deleted without that


def prefix_field(prefix: bytes, name: str) -> str:
    """A field that we put above a message at delivery; "" when it is not there."""
    wanted = name.lower() + ":"
    for line in prefix.decode("utf-8", "replace").split("\r\n"):
        if line.lower().startswith(wanted):
            return line[len(wanted) :].strip()
    return ""


def asked_by(digest: Digest, prefix: bytes) -> Mailbox:
    """Who may be sent a receipt without asking the reader; NULL for nobody (RFC 8098 2.1, 2.2)."""
    fields = digest.all("Disposition-Notification-To")
    if len(fields) != 1 or automatic(digest):
        return NULL
    if any(_REQUIRED.search(value) for value in digest.all("Disposition-Notification-Options")):
        return NULL  # 2.2: something that must be understood, and we understand nothing
    path = _PATH.fullmatch(prefix_field(prefix, "Return-Path"))
    wanted = {one.spec.strip() for one in headers.mailboxes(fields[0])}
    if path is None or len(wanted) != 1:
        return NULL
    asks, sender = mailbox(wanted.pop()), mailbox(path[1])
    # 2.1: the local part with its case, the domain without; quoting does not count
    return sender if asks == sender and asks.local and asks.domain else NULL


def automatic(digest: Digest) -> bool:
    """Lists, programs, reports: nobody there waits for a receipt."""
    automatic = (digest.header("Auto-Submitted") or b"no").strip().lower()
    return (
        not automatic.startswith(b"no")
        or (digest.header("Precedence") or b"").strip().lower() in _BULK
        or any(digest.header(name) is not None for name in _LISTS)
        or digest.header("Newsgroups") is not None
        or (digest.root.type, digest.root.subtype) == ("multipart", "report")
    )


def notification(
    to: Mailbox, read: Read, *, language: str, hostname: str, now: int, token: str, seven_bit: bool
) -> bytes:
    """The receipt as it is sent, CRLF line ends; ``language`` is of `wording.LANGUAGES`."""
    narrow = seven_bit and to.ascii
    international = not narrow and not (to.ascii and read.reader.ascii and read.original.isascii())
    words, english = wording.phrases(language), wording.phrases(wording.DEFAULT)
    address = str(read.reader)
    said = "receipt." if read.displayed else "receipt.unread_"
    texts = dict.fromkeys(each.say(f"{said}text", address=address) for each in (words, english))
    who = f"<{address}>" if not read.name else f"{_phrase(read.name)} <{address}>"
    thread = [(name, read.message_id) for name in ("In-Reply-To", "References") if read.message_id]
    return build.multipart_report(
        [
            ("From", who),
            ("To", f"<{to}>"),
            ("Subject", words.say(f"{said}subject", subject=read.subject[:MAX_FIELD])),
            ("Date", headers.format_date(now)),
            ("Message-ID", f"<{token}@{hostname}>"),
            *thread,
            ("Auto-Submitted", "auto-replied"),
        ],
        "\r\n\r\n".join(texts) + "\r\n",
        _fields(read, hostname, international).encode(),
        report_type="global-disposition-notification" if international else "disposition-notification",
        original=read.header,
        headers_only=True,
        languages=tuple(dict.fromkeys((language, wording.DEFAULT))),
        seven_bit=narrow,
    )


def _fields(read: Read, hostname: str, international: bool) -> str:
    """RFC 8098 3.1: what was done with the message, by whose leave."""
    lines = [f"Reporting-UA: {hostname}; {PRODUCT}"]
    if original := dsn.named(read.original, international):
        lines.append(f"Original-Recipient: {original}")
    lines.append(f"Final-Recipient: {dsn.typed('rfc822', str(read.reader), international)}")
    if read.message_id:
        lines.append(f"Original-Message-ID: {read.message_id}")
    done = "displayed" if read.displayed else "deleted"
    lines.append(f"Disposition: manual-action/MDN-sent-automatically; {done}")
    return "\r\n".join(lines) + "\r\n"


def _phrase(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
