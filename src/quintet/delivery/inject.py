"""What an article's header must be before it may enter a group, and what we add to it.

Pure: bytes in, bytes out.  `read` takes the header apart, `check` refuses what no group may get, `complete`
gives the header as it is stored.  Who may post where is `post`'s business.  RFC 5536 section 3 (the
fields), RFC 5537 3.4 and 3.5 (posting, injecting); the order of checks and their words follow INN.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from quintet.errors import Reason, Refused
from quintet.message import headers

MAX_HEAD = 64 * 1024  # bytes of a header block; INN's limit for one is its read buffer, 32 KiB
MAX_LINE = 998  # octets without CRLF. RFC 5322 2.1.1
MAX_MESSAGE_ID = 250  # octets. RFC 5536 3.1.3
FUTURE_MS = 24 * 3600 * 1000  # RFC 5537 3.5: articles dated further ahead are refused

_NAME = re.compile(rb"[!-9;-~]+")
_FIELD = re.compile(rb"([!-9;-~]+):(?=[ \t\r])([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)\r\n")
_MESSAGE_ID = re.compile(
    r"<[!#-'*+/-9=?A-Z^-~\-]+(?:\.[!#-'*+/-9=?A-Z^-~\-]+)*@(?:[!#-'*+/-9=?A-Z^-~.\-]+|\[[!-=?-Z^-~]*\])>"
)
_GROUP = re.compile(r"[^\x00-\x20,*?!\[\]\\:/\x7f]+")  # RFC 5536 3.1.4, with letters beyond ASCII
_PATH = re.compile(r"[A-Za-z0-9._:!+-]+")  # RFC 5536 3.1.5
_DISTRIBUTION = re.compile(r"[A-Za-z0-9+_-]+")  # RFC 5536 3.2.4
_HOST = re.compile(rb"[^\s@.]+(?:\.[^\s@.]+)+|[0-9A-Fa-f:.]+")
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")

# RFC 5536 3: each at most once; the last two rows are mail's (RFC 5322 3.6)
ONCE = frozenset(
    b"approved archive control date distribution expires followup-to from injection-date injection-info"
    b" keywords lines message-id newsgroups organization path references sender subject summary supersedes"
    b" user-agent xref bcc cc to in-reply-to reply-to mime-version content-type"
    b" content-transfer-encoding".split()
)
# RFC 5536 3.3, RFC 5537 3.4.1: gone, or never a poster's to set
OBSOLETE = frozenset(
    b"also-control article-names article-updates date-received nntp-posting-date nntp-posting-host"
    b" posting-version relay-version see-also x-complaints-to x-trace".split()
)
SYSTEM = frozenset((b"xref", b"injection-info"))
# what a message carries that came by mail or from another group, dropped when it is put in by hand
TRANSPORT = (
    OBSOLETE | SYSTEM | frozenset((b"path", b"return-path", b"received", b"delivered-to", b"injection-date"))
)
CONTROLS = frozenset(("cancel", "newgroup", "rmgroup", "checkgroups"))  # what may be posted; RFC 5537 5
DROPPED = frozenset((b"bcc", b"resent-bcc"))  # what must not leak, whoever posts


class Field(NamedTuple):
    """One header field."""

    name: bytes  # lower case
    raw: bytes  # whole, with its CRLF
    value: str  # unfolded, without white space at its ends


@dataclass(slots=True)
class Proto:
    """A proto-article's header (RFC 5537 2): what the poster wrote, and what was understood of it."""

    fields: list[Field] = field(default_factory=list)
    groups: tuple[str, ...] = ()  # of Newsgroups, each once, in order
    message_id: str = ""
    path: str = ""  # the poster's, "" for none
    _first: dict[bytes, str] = field(default_factory=dict)  # value of the first field of each name

    def add(self, one: Field) -> None:
        self.fields.append(one)
        self._first.setdefault(one.name, one.value)

    def get(self, name: bytes) -> str:
        """The value of a field, "" when it is missing."""
        return self._first.get(name, "")

    def has(self, name: bytes) -> bool:
        return name in self._first


@dataclass(frozen=True, slots=True)
class Limits:
    """What is too much."""

    max_groups: int = 20
    max_age_ms: int = 10 * 86_400_000  # of Date; 0: none


def bad(text: str) -> Refused:
    return Refused(Reason.BAD_CONTENT, text)


def read(block: bytes, *, by_hand: bool = False) -> Proto:
    """Takes a header block (each line with its CRLF, no blank line) apart.

    Empty fields, which tin sends and RFC 5536 2.2 forbids, are dropped.  With ``by_hand`` (a message put
    into the group as it is) fields of transport are dropped as well, and old bytes pass.

    Raises:
        Refused(BAD_CONTENT): a line that is none, a field that must not be there, or twice.
    """
    if _BARE.search(block):
        raise bad("Bare CR, bare LF or NUL in the header")
    if not by_hand:
        try:
            block.decode()
        except UnicodeDecodeError:
            raise bad("Header is not UTF-8") from None
    proto = Proto()
    for one in _fields(block):
        name = one.name
        if name in DROPPED or not one.value or (by_hand and name in TRANSPORT):
            continue
        if name in OBSOLETE:
            raise bad(f"Obsolete {_shown(one)} header field")
        if name in SYSTEM:
            raise bad(f"Can't set system {_shown(one)} header field")
        if name in ONCE and proto.has(name):
            raise bad(f"Duplicate {_shown(one)} header field")
        proto.add(one)
    return proto


def _fields(block: bytes) -> list[Field]:
    """Whole fields.  Raises Refused(BAD_CONTENT) when something between them is none."""
    if len(block) > MAX_LINE and max(map(len, block.split(b"\r\n"))) > MAX_LINE:
        raise bad(f"Header line longer than {MAX_LINE} octets")
    found: list[Field] = []
    at = 0
    for match in _FIELD.finditer(block):
        if match.start() != at:
            break
        name, value = match.groups()
        if b"\r" in value:
            value = value.replace(b"\r\n", b"")
        found.append(Field(name.lower(), match[0], value.decode("utf-8", "replace").strip(" \t")))
        at = match.end()
    if at != len(block):
        raise bad(_fault(block[at : at + MAX_LINE]))
    return found


def _fault(rest: bytes) -> str:
    """What is wrong with the line where no field begins."""
    line = rest.partition(b"\r\n")[0]
    if line[:1] in (b" ", b"\t"):
        return "Header begins with a continuation line"
    name, colon, _ = line.partition(b":")
    if not colon or not _NAME.fullmatch(name):
        return f'No colon in header line "{line[:40].decode("utf-8", "replace")}"'
    return f"No space after the colon of {name[:60].decode()}"  # RFC 5536 2.2


def _shown(one: Field) -> str:
    return one.raw[: len(one.name)].decode()


def check(proto: Proto, now: int, limits: Limits, *, group: str = "") -> None:
    """Refuses what no group may get; fills in ``groups``, ``message_id`` and ``path``.

    ``group`` is the one into which the message is put by hand: Newsgroups may be missing then.

    Raises:
        Refused(BAD_CONTENT): and says which field is wrong.
        Refused(POLICY): a control message of a kind that nobody sends any more.
    """
    proto.groups = _newsgroups(proto, group, limits.max_groups)
    if group and not proto.has(b"subject"):
        proto.add(Field(b"subject", b"Subject: (no subject)\r\n", "(no subject)"))
    for name in (b"from", b"subject"):
        if not proto.has(name):
            raise bad(f"Missing {name.decode().capitalize()} header field")
    authors = headers.mailboxes(proto.get(b"from").encode())
    if not any(one.mailbox and _HOST.fullmatch(one.host) for one in authors):
        raise bad("From has no address")
    _check_control(proto)
    _check_dates(proto, now, limits.max_age_ms)
    proto.message_id = proto.get(b"message-id")
    if proto.message_id and not is_message_id(proto.message_id):
        raise bad("Message-ID is not one")
    proto.path = proto.get(b"path")
    if proto.path:
        if not _PATH.fullmatch(proto.path):
            raise bad("Path is not one")
        if ".POSTED" in proto.path:
            raise bad("Article was injected before")
    followup = proto.get(b"followup-to")
    if followup and followup != "poster" and not all(map(_GROUP.fullmatch, _names(followup))):
        raise bad("Followup-To names no group")
    if not all(map(_DISTRIBUTION.fullmatch, _names(proto.get(b"distribution")))):
        raise bad("Distribution is not one")


def _check_control(proto: Proto) -> None:
    """RFC 5536 3.2.3, 3.2.12, RFC 5537 5.3: what a control message must be to be posted."""
    replaced = proto.get(b"supersedes")
    if replaced and not is_message_id(replaced):
        raise bad("Supersedes is not a Message-ID")
    if not proto.has(b"control"):
        return
    if replaced:
        raise bad("Control and Supersedes exclude each other")
    verb, *arguments = proto.get(b"control").split()
    if verb.lower() not in CONTROLS:
        raise Refused(Reason.POLICY, f'"{verb[:40]}" is not a control message that is taken here')
    if verb.lower() == "cancel" and not (arguments and is_message_id(arguments[0])):
        raise bad("Control: cancel without a Message-ID")
    if verb.lower() in ("newgroup", "rmgroup") and not (arguments and _GROUP.fullmatch(arguments[0])):
        raise bad(f"Control: {verb.lower()} without a group")


def _newsgroups(proto: Proto, group: str, most: int) -> tuple[str, ...]:
    names = list(dict.fromkeys(_names(proto.get(b"newsgroups"))))
    if group and not proto.has(b"newsgroups"):
        proto.add(Field(b"newsgroups", f"Newsgroups: {group}\r\n".encode(), group))
        names = [group]
    if not names:
        raise bad("Missing Newsgroups header field")
    if not all(map(_GROUP.fullmatch, names)):
        raise bad("Newsgroups is not a list of groups")
    if group and group not in names:
        raise bad(f"Newsgroups does not name {group}")
    if len(names) > most:
        raise bad(f"More than {most} groups")
    return tuple(names)


def _names(value: str) -> list[str]:
    return [name.strip() for name in value.split(",")] if value else []


def _check_dates(proto: Proto, now: int, max_age_ms: int) -> None:
    for name in (b"date", b"injection-date", b"expires"):
        value = proto.get(name)
        if not value:
            continue
        shown = name.decode().title()
        at = headers.parse_date(value.encode())
        if at is None:
            raise bad(f"{shown} is no date")
        if name != b"expires" and at > now + FUTURE_MS:
            raise bad(f"{shown} is in the future")
        if name == b"date" and 0 < max_age_ms < now - at:
            raise bad("Date is too old")


def is_message_id(text: str) -> bool:
    """RFC 5536 3.1.3: dot-atom@dot-atom or literal, at most 250 octets."""
    return len(text) <= MAX_MESSAGE_ID and _MESSAGE_ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Additions:
    """What the injecting agent knows and the poster does not."""

    message_id: str  # used when the poster gave none
    now: int
    injection_info: str
    organization: str = ""


def complete(proto: Proto, add: Additions) -> bytes:
    """The header block as it is stored: no Path and no Xref, which each server sets for itself.

    Date and Message-ID are added where they are missing.  Injection-Info always and Injection-Date, unless
    the poster gave both (then the article may be injected elsewhere as well, RFC 5537 3.5), are content:
    every server passes them on unchanged, so they are part of the blob.
    """
    kept = [one.raw for one in proto.fields if one.name != b"path"]
    have_date, have_id = proto.has(b"date"), bool(proto.message_id)
    date = f"{headers.format_date(add.now)}\r\n"
    if not have_date:
        kept.append(f"Date: {date}".encode())
    if not have_id:
        proto.message_id = add.message_id
        kept.append(f"Message-ID: {add.message_id}\r\n".encode())
    if add.organization and not proto.has(b"organization"):
        kept.append(f"Organization: {add.organization}\r\n".encode())
    if not (have_date and have_id) and not proto.has(b"injection-date"):
        kept.append(f"Injection-Date: {date}".encode())
    kept.append(f"Injection-Info: {add.injection_info}\r\n".encode())
    return b"".join(kept)


def to_moderator(proto: Proto, address: str, message_id: str, now: int) -> bytes:
    """The header of a submission by mail: as it was posted, and addressed (RFC 5537 3.5.1)."""
    kept = [one.raw for one in proto.fields if one.name not in (b"path", b"to", b"cc")]
    if not proto.message_id:
        proto.message_id = message_id
        kept.append(f"Message-ID: {message_id}\r\n".encode())
    if not proto.has(b"date"):
        kept.append(f"Date: {headers.format_date(now)}\r\n".encode())
    return f"To: {address}\r\n".encode() + b"".join(kept)


def injection_info(host: str, parts: Sequence[tuple[str, str]]) -> str:
    """The value of Injection-Info (RFC 5536 3.2.8), a parameter a line."""
    pieces = [host]
    pieces += [f'{name}="{_quoted(value)}"' for name, value in parts if value]
    return ";\r\n\t".join(pieces)


def _quoted(value: str) -> str:
    if not value.isprintable():
        value = "".join(char for char in value if char.isprintable())
    return value.replace("\\", "\\\\").replace('"', '\\"')
