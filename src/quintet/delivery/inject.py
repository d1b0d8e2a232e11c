"""What an article's header must be before it may enter a group, and what we add to it.

Pure: bytes in, bytes out.  `read` takes the header apart, `complete` gives it as it is stored.  What must
hold in between is `injectchecks`'s, who may post where `post`'s business.  RFC 5536 section 3 (the fields),
RFC 5537 3.4 and 3.5 (posting, injecting).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from dataclasses import field
from typing import NamedTuple

from quintet.errors import BadSyntax, Reason, Refused
from quintet.message import cancellock, headers
from quintet.message.cancellock import Element
from quintet.policy.wildmat import wildmat
from quintet.values import dataclass

MAX_HEAD = 64 * 1024  # bytes of a header block; INN's limit for one is its read buffer, 32 KiB
MAX_LINE = 998  # octets without CRLF. RFC 5322 2.1.1
MAX_MESSAGE_ID = 250  # octets. RFC 5536 3.1.3

_NAME = re.compile(rb"[!-9;-~]+")
# bare CR and LF are part of a value, so that they are told in their turn
_LINE = rb"[^\r]*(?:\r(?!\n)[^\r]*)*"
_FIELD = re.compile(rb"([!-9;-~]+):(?=[ \t\r])(" + _LINE + rb"(?:\r\n[ \t]" + _LINE + rb")*)\r\n")
_MESSAGE_ID = re.compile(
    r"<[!#-'*+/-9=?A-Z^-~\-]+(?:\.[!#-'*+/-9=?A-Z^-~\-]+)*@"
    r"(?:[!#-'*+/-9=?A-Z^-~\-]+(?:\.[!#-'*+/-9=?A-Z^-~\-]+)*|\[[!-=?-Z^-~]*\])>"
)
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")
# RFC 5536 2.2: no line of a folded field is blank, the first one neither
_BLANK_FOLD = re.compile(rb"(?:\r\n[ \t]+|(?<=:)[ \t]*)(?=\r\n[ \t])|\r\n[ \t]+(?=\r\n)")

# RFC 5536 3: each at most once; the last two rows are mail's (RFC 5322 3.6)
ONCE = frozenset(
    b"approved archive control date distribution expires followup-to from injection-date injection-info"
    b" keywords lines message-id newsgroups organization path references sender subject summary supersedes"
    b" user-agent xref cancel-lock cancel-key bcc cc to in-reply-to reply-to mime-version content-type"
    b" content-transfer-encoding".split()
)
# RFC 5536 3.3, RFC 5537 3.4.1 and 3.5 (2): gone, never a poster's to set, or mail's
OBSOLETE = frozenset(
    b"also-control article-names article-updates date-received nntp-posting-date"
    b" nntp-posting-host posting-version relay-version see-also x-complaints-to x-trace".split()
)
SYSTEM = frozenset((b"xref", b"injection-info"))
# what a message carries that came by mail or from another group, dropped when it is put in by hand
TRANSPORT = (
    OBSOLETE | SYSTEM | frozenset((b"path", b"return-path", b"received", b"delivered-to", b"injection-date"))
)
# what must not leak, whoever posts, and what asks the readers of a group for receipts (RFC 8098 2.1)
DROPPED = frozenset((b"bcc", b"resent-bcc", b"disposition-notification-to"))
KNOWN = ONCE | OBSOLETE | SYSTEM  # fields whose empty ones are dropped, not refused


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
    faults: list[str] = field(default_factory=list)  # of fields that are not `KNOWN`, told late
    sound: bool = False  # no field has a `content_fault`
    _first: dict[bytes, str] = field(default_factory=dict)  # value of the first field of each name

    def add(self, one: Field) -> None:
        self.fields.append(one)
        self._first.setdefault(one.name, one.value)

    def get(self, name: bytes) -> str:
        """The value of a field, "" when it is missing."""
        return self._first.get(name, "")

    def has(self, name: bytes) -> bool:
        return name in self._first

    @property
    def names(self) -> Container[bytes]:
        return self._first.keys()


@dataclass(frozen=True, slots=True)
class Limits:
    """What is too much."""

    max_groups: int = 20
    max_age_ms: int = 10 * 86_400_000  # of Date; 0: none


def bad(text: str) -> Refused:
    return Refused(Reason.BAD_CONTENT, text)


def read(block: bytes, *, by_hand: bool = False) -> Proto:
    """Takes a header block (each line with its CRLF, no blank line) apart.

    Empty fields of standards, which tin sends and RFC 5536 2.2 forbids, are dropped.  What is wrong with
    other fields is kept in `Proto.faults`.  With ``by_hand`` (a message put into the group as it is) fields
    of transport are dropped as well, and old bytes pass.

    Raises:
        Refused(BAD_CONTENT): a line is too long, a field is obsolete or there twice.
    """
    proto = Proto(sound=_is_sound(block))
    for one in _fields(block, proto.faults):
        name = one.name
        if name in DROPPED or (by_hand and (name in TRANSPORT or not one.value)):
            continue
        if name in OBSOLETE:
            raise bad(f"Obsolete {_shown(one)} header field")
        if name in ONCE and proto.has(name):
            raise bad(f"Duplicate {_shown(one)} header field")
        if not one.value:
            if name not in KNOWN:
                proto.faults.append(f"Empty {_shown(one)} header field")
            continue
        if by_hand and not proto.sound:
            shown = one.raw[: len(name)]
            one = Field(name, b"%b: %b\r\n" % (shown, well_folded(one.raw[len(name) + 1 : -2])), one.value)
        proto.add(one)
        if not (by_hand or proto.sound or name in KNOWN) and (fault := content_fault(one)):
            proto.faults.append(fault)
    if by_hand and proto.faults:
        raise bad(proto.faults[0])
    return proto


def well_folded(value: bytes) -> bytes:
    """What stands behind a field's colon, without lines that hold nothing (RFC 5536 2.2); mail has such."""
    return b"\r\n".join(line for line in value.split(b"\r\n") if line.strip()).lstrip(b" \t")


def _is_sound(block: bytes) -> bool:
    """Whether surely no field has a `content_fault`, as nearly all headers have none."""
    ends = block.count(b"\n")
    return (
        block.isascii()
        and ends == block.count(b"\r") == block.count(b"\r\n")
        and b"\0" not in block
        and b":\t" not in block
        and not (b"\r\n " in block or b"\r\n\t" in block)
    )


def content_fault(one: Field) -> str:
    """What is wrong with a field's content, whatever it means (RFC 5536 2.2); "" for nothing."""
    if _BARE.search(one.raw):
        return f"Bare CR, bare LF or NUL in {_shown(one)} header field"
    if _BLANK_FOLD.search(one.raw, len(one.name)):
        return f"Blank line in folded {_shown(one)} header field"
    if one.raw[len(one.name) + 1 : len(one.name) + 2] != b" ":
        return f"No space after the colon of {_shown(one)}"
    try:
        one.raw.decode()
    except UnicodeDecodeError:
        return f"{_shown(one)} header field is not UTF-8"
    return ""


def _fields(block: bytes, faults: list[str]) -> list[Field]:
    """Whole fields; lines that are none are passed over and noted.  Raises Refused(BAD_CONTENT): too long."""
    if len(block) > MAX_LINE and max(map(len, block.split(b"\r\n"))) > MAX_LINE:
        raise bad(f"Header line longer than {MAX_LINE} octets")
    found: list[Field] = []
    at = 0
    while at < len(block):
        match = _FIELD.match(block, at)
        if match is None:
            faults.append(_fault(block[at : at + MAX_LINE]))
            end = block.find(b"\r\n", at)
            at = len(block) if end < 0 else end + 2
            continue
        name, value = match.groups()
        if b"\r\n" in value:
            value = value.replace(b"\r\n", b"")
        found.append(Field(name.lower(), match[0], value.decode("utf-8", "replace").strip(" \t")))
        at = match.end()
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
    distribution: str = ""  # used when the poster gave none
    sender: str | None = None  # who was logged in, "" for nobody; None leaves the poster's Sender
    locks: Callable[[str], Sequence[Element]] | None = None  # of a Message-ID. RFC 8315 3.1, 3.2
    keys: Callable[[str], Sequence[Element]] | None = None  # of the article that is taken back. RFC 8315 3.3
    drop: frozenset[bytes] = frozenset()  # fields that are not to be seen
    injected: bool = False  # Injection-Date although the poster gave Message-ID and Date


def complete(proto: Proto, add: Additions) -> bytes:
    """The header block as it is stored: no Path and no Xref, which each server sets for itself.

    Date and Message-ID are added where they are missing.  Injection-Info always and Injection-Date, unless
    the poster gave both (then the article may be injected elsewhere as well, RFC 5537 3.5), are content:
    every server passes them on unchanged, so they are part of the blob.
    """
    dropped = {b"path", *add.drop}
    if not proto.message_id:
        proto.message_id = add.message_id
    fields: list[tuple[str, str]] = []
    if add.sender is not None:
        dropped.add(b"sender")
        fields.append(("Sender", add.sender))
    for name, made in _locks_and_keys(proto, add):
        dropped.add(name.lower().encode())
        fields.append((name, made))
    fields += missing(proto.names, add)
    kept = [one.raw for one in proto.fields if one.name not in dropped]
    return b"".join(kept) + "".join([f"{name}: {text}\r\n" for name, text in fields if text]).encode()


def missing(have: Container[bytes], add: Additions) -> list[tuple[str, str]]:
    """What every article has, and one with these fields has not; "" leaves one out."""
    both = b"date" in have and b"message-id" in have
    date = "" if both and not add.injected else headers.format_date(add.now)
    fields: list[tuple[str, str]] = []
    if b"date" not in have:
        fields.append(("Date", date))
    if b"message-id" not in have:
        fields.append(("Message-ID", add.message_id))
    if b"organization" not in have:
        fields.append(("Organization", add.organization))
    if b"distribution" not in have:
        fields.append(("Distribution", add.distribution))
    if date and b"injection-date" not in have:
        fields.append(("Injection-Date", date))
    fields.append(("Injection-Info", add.injection_info))
    return fields


def _locks_and_keys(proto: Proto, add: Additions) -> list[tuple[str, str]]:
    """Cancel-Lock of this article, and Cancel-Key of the one that it takes back; "" leaves one out."""
    made = []
    if add.locks is not None:
        own = cancellock.extended(proto.get(b"cancel-lock"), add.locks(proto.message_id))
        made.append(("Cancel-Lock", folded(own)))
    old = taken_back(proto)
    if add.keys is not None and old:
        own = cancellock.extended(proto.get(b"cancel-key"), add.keys(old))
        made.append(("Cancel-Key", folded(own)))
    return made


def taken_back(proto: Proto) -> str:
    """The Message-ID of the article that this one cancels or supersedes; "" for none."""
    verb, _, rest = proto.get(b"control").partition(" ")
    old = rest.strip() if verb.lower() == "cancel" else proto.get(b"supersedes")
    return old if is_message_id(old) else ""


def folded(value: str) -> str:
    """A list of words, one a line."""
    return "\r\n\t".join(value.split())


def to_moderator(proto: Proto, address: str, message_id: str, now: int) -> bytes:
    """The header of a submission by mail: as it was posted, and addressed (RFC 5537 3.5.1)."""
    kept = [one.raw for one in proto.fields if one.name not in (b"to", b"cc")]
    if not proto.message_id:
        proto.message_id = message_id
        kept.append(f"Message-ID: {message_id}\r\n".encode())
    if not proto.has(b"date"):
        kept.append(f"Date: {headers.format_date(now)}\r\n".encode())
    return f"To: {address}\r\n".encode() + b"".join(kept)


def moderator_for(group: str, lines: Sequence[str]) -> str:
    """The address of the first line of ``patterns:template`` that fits a group, or "" (RFC 6048 2.4)."""
    for line in lines:
        patterns, _, template = line.partition(":")
        if template and _fits(patterns, (group,)):
            return re.sub(
                "%[s%]", lambda found: group.replace(".", "-") if found[0] == "%s" else "%", template
            )
    return ""


def _fits(patterns: str, groups: Sequence[str]) -> bool:
    """Whether a pattern of the configuration fits one of the groups; one that is none fits nothing."""
    try:
        return any(map(wildmat(patterns), groups))
    except BadSyntax:
        return False


def distribution_for(groups: Sequence[str], lines: Sequence[str]) -> str:
    """What lines of ``weight:patterns:name`` give as Distribution (RFC 3977 7.6.5): the heaviest."""
    best: tuple[int, str] | None = None
    for line in lines:
        weight, _, rest = line.partition(":")
        patterns, _, name = rest.rpartition(":")
        if not weight.strip().isdigit() or not patterns:
            continue
        if (best is None or int(weight) > best[0]) and _fits(patterns, groups):
            best = int(weight), name
    return best[1] if best is not None else ""


def injection_info(host: str, parts: Sequence[tuple[str, str]]) -> str:
    """The value of Injection-Info (RFC 5536 3.2.8), a parameter a line."""
    pieces = [host]
    pieces += [f'{name}="{_quoted(value)}"' for name, value in parts if value]
    return ";\r\n\t".join(pieces)


def _quoted(value: str) -> str:
    if not value.isprintable():
        value = "".join(char for char in value if char.isprintable())
    return value.replace("\\", "\\\\").replace('"', '\\"')
