"""Every line that the SMTP and LMTP server can say, and the one table from a problem to its words.

All replies are whole lines of bytes.  Enhanced codes: RFC 2034, 3463, 5248; which code may answer which
command: RFC 5321 4.2 and 4.3.2, RFC 4954 6, RFC 3030 2.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from quintet.delivery.ways import NotHere
from quintet.errors import Problem, Reason, Refused, TryLater
from quintet.policy import outcomes
from quintet.smtp.address import BadAddress

NEEDS_UTF8 = "Non-ASCII address needs SMTPUTF8"  # RFC 6531 3.5 gives it codes of its own, at RCPT
SENDER_NEEDS_UTF8 = "Non-ASCII sender needs SMTPUTF8"  # and at MAIL
UNQUALIFIED = "Domain is not fully qualified"
TOO_MANY_HELD = "You have too many messages held for later"
HEADER_TOO_BIG = "Header of the message too big"
HAS_NUL = "Message has a NUL"
NEEDS_UTF8_REPLY = "The answer needs SMTPUTF8"  # RFC 6531 3.7.4.2
NO_MEMBERS = "A list does not tell its members"
BURL_NOWHERE = "IMAP URL resolution failed"
BURL_DENIED = "IMAP URL authorization failed"
BURL_UNTRUSTED = "URL resolution requires trust relationship"
BURL_LATER = "IMAP URL cannot be resolved now"
LONG_LINE = "Message has a line that is too long"
MAX_TEXT = 400  # octets of a text that comes from elsewhere; the line's limit is 512 (RFC 5321 4.5.3.1.5)

_UNSAFE = re.compile(r"[^ -~]+")
_FINAL = re.compile(rb"(?m)^5(\d\d[ -])(?:5(?=\.\d))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def line(code: int, enhanced: str, text: str) -> bytes:
    """One reply line; whatever is not printable ASCII in ``text`` becomes "?" (no injection)."""
    text = _UNSAFE.sub("?", text)[:MAX_TEXT]
    return f"{code} {enhanced} {text}\r\n".encode() if enhanced else f"{code} {text}\r\n".encode()


def lines(code: int, enhanced: str, texts: Sequence[str]) -> bytes:
    """A multi-line reply (RFC 5321 4.2.1)."""
    head = f"{enhanced} " if enhanced else ""
    last = len(texts) - 1
    clean = [_UNSAFE.sub("?", text)[:MAX_TEXT] for text in texts]
    return "".join(
        f"{code}{' ' if i == last else '-'}{head}{text}\r\n" for i, text in enumerate(clean)
    ).encode()


def first(code: int, text: str) -> bytes:
    """The first line of a reply whose others follow (RFC 5321 4.2.1)."""
    return f"{code}-{_UNSAFE.sub('?', text)[:MAX_TEXT]}\r\n".encode()


READY_FOR_TLS = line(220, "2.0.0", "Ready to start TLS")  # RFC 3207 4
BYE = line(221, "2.0.0", "Bye")
AUTHENTICATED = line(235, "2.7.0", "Authentication succeeded")  # RFC 4954 4
OK = line(250, "2.0.0", "OK")
SENDER_OK = line(250, "2.1.0", "Sender OK")
RECIPIENT_OK = line(250, "2.1.5", "Recipient OK")
PRIORITY_LOWERED = line(250, "2.3.6", "0 is the priority that a stranger's message gets")  # RFC 6710 4.1
EACH_FOLLOWS = line(353, "", "A reply for each recipient follows")  # draft-hall-prdr 3
CANNOT_VERIFY = line(252, "2.5.0", "Cannot VRFY user, but will take message for it")  # RFC 5321 3.5.3
GO_AHEAD = line(354, "", "End data with <CR><LF>.<CR><LF>")
NO_EXPN = line(252, "2.5.0", "Cannot EXPN, but will take message for it")  # RFC 5321 7.3: no other code
NO_RECIPIENTS = line(554, "5.5.1", "No valid recipients")
NESTED = line(503, "5.5.1", "Sender already given")
HELLO_FIRST = line(503, "5.5.1", "Say hello first")
SENDER_FIRST = line(503, "5.5.1", "MAIL first")
RECIPIENT_FIRST = line(503, "5.5.1", "RCPT first")
NO_DATA_AFTER_BDAT = line(503, "5.5.1", "DATA after BDAT")  # RFC 3030 2
NO_DATA_FOR_BINARY = line(503, "5.5.1", "BINARYMIME needs BDAT")  # RFC 3030 3
TOO_EAGER = line(554, "5.5.0", "You must wait for our answer")  # RFC 2920 3.1
NOT_NOW = line(503, "5.5.1", "Not now")
NO_TURNING = line(502, "5.5.1", "Command not implemented here")  # RFC 2645 7
NO_STARTTLS = line(502, "5.5.1", "STARTTLS not available")
LMTP_WANTS_LHLO = line(500, "5.5.1", "This is LMTP: say LHLO")  # RFC 2033 4.1
SMTP_WANTS_EHLO = line(500, "5.5.1", "This is not LMTP")
FORWARDED = line(250, "2.0.0", "OK")
BURL_TAKEN = line(250, "2.5.0", "OK, waiting for more")  # RFC 4468 5
NO_BURL_RECIPIENTS = line(554, "5.5.0", "No recipients have been specified")  # RFC 4468 5
NOT_ALLOWED = line(550, "5.7.0", "Not from you")
TOO_MANY_MESSAGES = line(421, "4.5.0", "Too many messages in one connection, come again")  # RFC 9422 4.1


def queued(ident: str) -> bytes:
    """The end of a transaction: from here on the message is ours (RFC 5321 4.2.5)."""
    return f"250 2.0.0 OK {ident}\r\n".encode()


def delivered(address: str, ident: str) -> bytes:
    """The status of one recipient after the data (RFC 2033 4.2)."""
    return line(250, "2.1.5", f"<{address}> OK {ident}")


def addresses(code: int, texts: Sequence[str]) -> bytes:
    """Mailboxes for VRFY and EXPN; the only reply that may hold UTF-8 (RFC 6531 3.7.4.2)."""
    last = len(texts) - 1
    enhanced = "2.1.5" if code == 250 else "2.1.0"
    clean = (_CONTROL.sub("?", text)[:MAX_TEXT] for text in texts)
    return "".join(
        f"{code}{' ' if i == last else '-'}{enhanced} <{text}>\r\n" for i, text in enumerate(clean)
    ).encode()


def chunk_taken(size: int) -> bytes:
    """One BDAT that was not the last (RFC 3030 4.2)."""
    return f"250 2.0.0 {size} octets received\r\n".encode()


def challenge(encoded: bytes) -> bytes:
    return b"334 " + encoded + b"\r\n"  # RFC 4954 4


class Status(NamedTuple):
    """A reply code, its enhanced code and our words for it."""

    code: int
    enhanced: str
    text: str


PROBLEMS: dict[Reason, Status] = {
    Reason.SYNTAX: Status(501, "5.5.4", "Syntax error in parameters or arguments"),
    Reason.TOO_LONG: Status(500, "5.5.2", "Line too long"),  # RFC 5321 4.5.3.1.9
    Reason.TOO_MANY: Status(452, "4.5.3", "Too many recipients"),  # RFC 5321 4.5.3.1.10
    Reason.TOO_BIG: Status(552, "5.3.4", "Message too big"),  # RFC 1870 6.1
    Reason.UNKNOWN_COMMAND: Status(500, "5.5.1", "Command not recognized"),
    Reason.UNKNOWN_CHARSET: Status(501, "5.5.4", "Unknown charset"),
    Reason.UNSUPPORTED: Status(555, "5.5.4", "Parameter not supported"),  # RFC 5321 4.1.1.11
    Reason.WRONG_STATE: Status(503, "5.5.1", "Not now"),
    Reason.NO_SUCH_FOLDER: Status(550, "5.2.0", "No such mailbox"),
    Reason.NO_SUCH_PARENT: Status(550, "5.2.0", "No such mailbox"),
    Reason.NO_SUCH_MESSAGE: Status(550, "5.5.4", "No such message"),
    Reason.NO_SUCH_ACCOUNT: Status(550, "5.1.1", "No such user"),
    Reason.NO_SUCH_ADDRESS: Status(550, "5.1.1", "No such user here"),
    Reason.NO_SUCH_DOMAIN: Status(550, "5.1.2", "No such domain"),
    Reason.NO_MAIL: Status(556, "5.1.10", "Domain does not accept mail"),  # RFC 7504 4, RFC 7505 4.1
    Reason.NO_SUCH_SCRIPT: Status(550, "5.5.4", "No such script"),
    Reason.NO_SUCH_JOB: Status(550, "5.5.4", "No such job"),
    Reason.ALREADY_EXISTS: Status(550, "5.5.4", "Already exists"),
    Reason.HAS_CHILDREN: Status(550, "5.5.4", "Has children"),
    Reason.BAD_NAME: Status(553, "5.1.3", "Address not allowed"),
    Reason.IN_USE: Status(450, "4.2.1", "In use"),
    Reason.DUPLICATE: Status(554, "5.5.0", "Already have it"),
    Reason.NO_PERMISSION: Status(550, "5.7.1", "Not permitted"),
    Reason.AUTH_REQUIRED: Status(530, "5.7.0", "Authentication required"),  # RFC 4954 6
    Reason.AUTH_FAILED: Status(535, "5.7.8", "Authentication credentials invalid"),  # RFC 4954 6
    Reason.AUTH_MECHANISM: Status(504, "5.5.4", "Unrecognized authentication type"),  # RFC 4954 4
    Reason.AUTH_WEAK: Status(538, "5.7.11", "Encryption required for this mechanism"),  # RFC 4954 6
    Reason.AUTH_EXPIRED: Status(535, "5.7.8", "Credential expired"),
    Reason.AUTH_OTHER: Status(535, "5.7.8", "May not act as another"),
    Reason.AUTH_CANCELLED: Status(501, "5.7.0", "Authentication cancelled"),  # RFC 4954 4
    Reason.ACCOUNT_DISABLED: Status(550, "5.2.1", "Account disabled"),
    Reason.TLS_REQUIRED: Status(530, "5.7.0", "Must issue a STARTTLS command first"),  # RFC 3207 4
    Reason.RELAY_DENIED: Status(550, "5.7.1", "Relaying denied"),
    Reason.SENDER_DENIED: Status(550, "5.7.1", "Sender address not yours"),
    Reason.POLICY: Status(550, "5.7.1", "Refused by policy"),
    Reason.MODERATED: Status(550, "5.7.1", "Needs approval"),
    Reason.BAD_CONTENT: Status(554, "5.6.0", "Message malformed"),
    Reason.BARE_LINE_END: Status(554, "5.6.0", "Message has a bare CR or LF"),  # RFC 5321 2.3.8
    Reason.LOOP: Status(554, "5.4.6", "Mail loop: too many hops"),  # RFC 5321 6.3
    Reason.OVER_QUOTA: Status(452, "4.2.2", "Mailbox full"),
    Reason.DISK_FULL: Status(452, "4.3.1", "Insufficient system storage"),
    Reason.STORAGE: Status(451, "4.3.0", "Storage trouble"),
    Reason.BUSY: Status(451, "4.3.2", "Busy"),
    Reason.LOCKED: Status(450, "4.2.1", "Mailbox locked"),
    Reason.THROTTLED: Status(451, "4.7.1", "Slow down"),
    Reason.NUMBERS_EXHAUSTED: Status(452, "4.2.2", "Mailbox full"),
    Reason.DNS: Status(451, "4.4.3", "Name service trouble"),
    Reason.CLOSED: Status(421, "4.4.2", "Connection closed"),
    Reason.TIMEOUT: Status(421, "4.4.2", "Idle too long, closing connection"),  # RFC 5321 4.5.3.2
    Reason.SHUTDOWN: Status(421, "4.3.2", "Shutting down, try again soon"),  # RFC 5321 3.8
    Reason.TOO_MANY_ERRORS: Status(421, "4.7.0", "Too many errors, closing connection"),
    Reason.BUG: Status(451, "4.3.0", "Internal error"),
}


SPECIAL: dict[str, tuple[int, str]] = {
    NEEDS_UTF8: (553, "5.6.7"),
    SENDER_NEEDS_UTF8: (550, "5.6.7"),
    UNQUALIFIED: (554, "5.1.2"),  # RFC 6409 4.2
    TOO_MANY_HELD: (552, "5.7.16"),  # RFC 4865 6
    NEEDS_UTF8_REPLY: (553, "5.6.8"),
    NO_MEMBERS: (550, "5.7.2"),
    BURL_NOWHERE: (554, "5.6.6"),
    BURL_DENIED: (554, "5.7.0"),
    BURL_UNTRUSTED: (554, "5.7.8"),
    BURL_LATER: (451, "4.4.1"),
}
"""Words of ours that have codes of their own."""


def status(error: Problem, *, logging_in: bool = False) -> Status:
    """What a problem is called here.  What can be tried again is never said with a 5."""
    if isinstance(error, outcomes.Refusal | outcomes.Delay):
        return Status(error.code, error.enhanced, error.text)
    code, enhanced, text = PROBLEMS[error.reason]
    if logging_in:
        if error.reason is Reason.TOO_LONG:
            code, enhanced = 500, "5.5.6"  # RFC 4954 4
        elif error.reason is Reason.ACCOUNT_DISABLED:
            code, enhanced = 525, "5.7.13"  # RFC 5248 2.4: told to who knows the password
        elif isinstance(error, TryLater):
            code, enhanced = 454, "4.7.0"  # RFC 4954 6
    if error.text in SPECIAL:
        code, enhanced = SPECIAL[error.text]
    if isinstance(error, TryLater) and code >= 500:
        code, enhanced = 451, "4" + enhanced[1:]
    elif isinstance(error, Refused) and code < 500:
        code, enhanced = 550, "5" + enhanced[1:]  # the client must not come again and again
    if error.text and error.text != error.reason.value and error.reason is not Reason.BUG:
        text = error.text
    if isinstance(error, BadAddress):
        enhanced = error.enhanced
    elif isinstance(error, NotHere):
        code, enhanced = error.code, error.status
    return Status(code, enhanced, text)


def softened(reply: bytes) -> bytes:
    """A refusal for good as one for now, on each of its lines."""
    return _FINAL.sub(lambda found: b"4" + found[1] + (b"4" if found[0].endswith(b"5") else b""), reply)


def problem(error: Problem, *, logging_in: bool = False) -> bytes:
    """The reply to a problem."""
    return line(*status(error, logging_in=logging_in))


def farewell(reason: Reason, hostname: str) -> bytes:
    """The last line before we close: always 421, but for a command that ended it (RFC 5321 3.8)."""
    code, enhanced, text = PROBLEMS[reason]
    if code >= 500:
        return line(code, enhanced, text)
    return line(421, "4" + enhanced[1:], f"{hostname} {text}")
