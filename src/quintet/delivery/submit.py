"""Submission: completes what a mail program left out, and cuts what must not leak, as the bytes pass.

Holds the header block only; the body passes through.  Date, Message-ID and From are added where they are
missing or none; addresses are judged and completed (`qualify`); a From that is not the sender's is told,
changed or refused; Bcc, Return-Path and what the rules name are removed; lines that are too long and octets
that nobody announced are mended.  Filing a copy in "Sent" is the client's business.  RFC 6409 section 8,
RFC 5322 2.1.1 and 3.6, RFC 2047.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from quintet.clock import Clock
from quintet.config.smtp import Smtp
from quintet.delivery import qualify
from quintet.delivery.envelope import Mailbox
from quintet.errors import Reason, Refused
from quintet.message import build, headers, words
from quintet.values import dataclass

MAX_AUTHORS = 100  # addresses of From that are looked up
MAX_HEADER = 1024 * 1024  # bytes; a header block that we must hold to complete it

_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*\n?")
_NAME = re.compile(rb"[!-9;-~]+")
_DROPPED = frozenset({b"bcc", b"resent-bcc", b"return-path"})

# of which a message has one (RFC 5322 3.6); what a second one says is not checked, so it does not pass
_ONCE = frozenset({b"from", b"sender", b"date", b"message-id", b"subject"})
MAX_LINE = 998  # octets without CRLF, RFC 5322 2.1.1
FOLD_AT = 78  # octets, where a line may be cut; RFC 5322 2.1.1

# RFC 5322 3.6.4, with any visible characters at both sides: odd ones are left, as others may refer to them
_MESSAGE_ID = re.compile(rb"\s*<[!-;=?A-~\x80-\xff]+@[!-;=?A-~\x80-\xff]+>\s*")

Owns = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says about a submitted header."""

    foreign: str = "sender"  # a From that is not the sender's: "keep", "sender", "rewrite", "refuse"
    cut: frozenset[bytes] = frozenset()  # fields that go besides Bcc, in lower case
    utf8: bool = True  # octets beyond ASCII may stand in the header (SMTPUTF8)
    addresses: tuple[qualify.Home, qualify.Ours] | None = None  # how they are judged; None: not at all

    @classmethod
    def of(
        cls, config: Smtp, *, utf8: bool, addresses: tuple[qualify.Home, qualify.Ours] | None = None
    ) -> Rules:
        cut = [*config.cut_fields, *(("received",) if config.cut_received else ())]
        return cls(config.foreign_from, frozenset(name.lower().encode() for name in cut), utf8, addresses)


class Completer:
    """Feed chunks, send on what comes back, then `finish`.

    ``sender`` is the envelope's, ``identity`` the address of who logged in (NULL when unknown);
    ``owns`` tells whether an address belongs to them.
    """

    __slots__ = ("_clock", "_held", "_hostname", "_identity", "_owns", "_passing", "_rules", "_sender")

    def __init__(
        self,
        *,
        sender: Mailbox,
        identity: Mailbox,
        owns: Owns,
        hostname: str,
        clock: Clock,
        rules: Rules = Rules(),
    ) -> None:
        self._sender, self._identity, self._owns = sender, identity, owns
        self._hostname, self._clock, self._rules = hostname, clock, rules
        self._held = b""
        self._passing = False

    def feed(self, chunk: bytes) -> bytes:
        """What can go on by now.

        Raises:
            Refused(TOO_BIG): a header block beyond MAX_HEADER.
            Refused(SENDER_DENIED): From is somebody else's, and the rules refuse that.
            Refused(BAD_CONTENT): an address that is none (RFC 6409 5.1).
        """
        if self._passing:
            return chunk
        searched = max(len(self._held) - 3, 0)
        self._held += chunk
        if self._held.startswith(b"\r\n"):
            end = 0
        else:
            found = self._held.find(b"\r\n\r\n", searched)
            if found < 0:
                if len(self._held) > MAX_HEADER:
                    raise Refused(Reason.TOO_BIG, "header block too big")
                return b""
            end = found + 2
        return self._complete(end)

    def finish(self) -> bytes:
        """The rest, for a message that ended within its header."""
        if self._passing:
            return b""
        if self._held and not self._held.endswith(b"\r\n"):
            self._held += b"\r\n"
        return self._complete(len(self._held))

    def _complete(self, end: int) -> bytes:
        block, rest = self._held[:end], self._held[end:]
        self._held, self._passing = b"", True
        return complete(
            block,
            sender=self._sender,
            identity=self._identity,
            owns=self._owns,
            hostname=self._hostname,
            clock=self._clock,
            rules=self._rules,
        ) + (rest or b"\r\n")


def complete(
    block: bytes,
    *,
    sender: Mailbox,
    identity: Mailbox,
    owns: Owns,
    hostname: str,
    clock: Clock,
    rules: Rules = Rules(),
) -> bytes:
    """A header block (without the blank line) as it should have been.

    A first line that is no field makes it the beginning of a body, which stays as it is; but a first
    "From " line of an mbox goes.  Other lines that are no field stay where they are: programs differ in
    what they take them for, so a Bcc behind them is cut all the same.

    Raises:
        Refused(SENDER_DENIED, BAD_CONTENT): as `Completer.feed`.
    """
    kept: list[tuple[bytes, bytes]] = []  # name, field
    have: dict[bytes, bytes] = {}
    at = block.index(b"\n") + 1 if block.startswith((b"From ", b">From ")) else 0
    while at < len(block):
        found = _FIELD.match(block, at)
        if found is None:
            if not have:
                kept += [(b"", b"\r\n"), (b"", block[at:])]  # a message that has no header at all
                break
            end = block.find(b"\n", at) + 1 or len(block)
            kept.append((b"", block[at:end]))
            at = end
            continue
        field = found[0]
        at = found.end()
        name = _name(field)
        if _void(name, field):
            continue
        if rules.addresses is not None and name in qualify.FIELDS:
            field = qualify.qualified(field, *rules.addresses)
        again = name in have and name in _ONCE
        have.setdefault(name, field[field.index(b":") + 1 :])
        if not again and name not in _DROPPED and name not in rules.cut:
            kept.append((name, mended(field, utf8=rules.utf8)))
    author = identity or sender
    if author and b"from" in have and rules.foreign != "keep":
        kept = _honest(kept, have, author, owns, rules.foreign)
    return b"".join([*_missing(have, author, hostname, clock), *(field for _, field in kept)])


def _honest(
    kept: list[tuple[bytes, bytes]], have: dict[bytes, bytes], author: Mailbox, owns: Owns, policy: str
) -> list[tuple[bytes, bytes]]:
    """The fields with nobody's name in From or Sender that is not the author's to use.

    A message that is sent on under Resent-From keeps its own From (RFC 5322 3.6.6).
    """
    if b"sender" in have and not _authored(have[b"sender"], owns):
        kept = [one for one in kept if one[0] != b"sender"]
        del have[b"sender"]
        claimed = True
    else:
        claimed = False
    if _authored(have.get(b"resent-from", b""), owns):
        return kept
    if _authored(have[b"from"], owns):
        # whose Sender was a lie needs none, unless several wrote it (RFC 5322 3.6.2)
        return [(b"sender", f"Sender: <{author}>\r\n".encode()), *kept] if claimed else kept
    if policy == "refuse":
        raise Refused(Reason.SENDER_DENIED, "From address not yours")
    if policy == "sender":
        if b"sender" not in have:
            kept = [(b"sender", f"Sender: <{author}>\r\n".encode()), *kept]
        return kept
    named = headers.mailboxes(have[b"from"])
    shown = words.decode_words(named[0].name or b"") if named else ""
    new = build.header("From", f'"{_quoted(shown)}" <{author}>' if shown else f"<{author}>")
    kept = [(name, new if name == b"from" else field) for name, field in kept]
    if b"reply-to" not in have and named:
        kept.append((b"reply-to", b"Reply-To:" + have[b"from"].rstrip(b"\r\n") + b"\r\n"))
    return kept


def mended(field: bytes, *, utf8: bool) -> bytes:
    """A field with lines that fit (RFC 5322 2.1.1), in ASCII where the envelope announced nothing else."""
    if not utf8 and not field.isascii():
        field = _encoded(field)
    if len(field) <= MAX_LINE:
        return field
    return b"".join(map(_folded, field.splitlines(keepends=True)))


def _encoded(field: bytes) -> bytes:
    """Encoded words for octets that no one knows how to read; fields of parameters stay (RFC 2047 5)."""
    name, _, value = field.partition(b":")
    if _name(field).startswith(b"content-") or _name(field) in (b"received", b"dkim-signature"):
        return field
    text = words.decode_bytes(words.unfold(value).strip())
    made = build.header(name.rstrip().decode("ascii"), text)
    return made if made.isascii() else field  # an address itself cannot be encoded


def _folded(line: bytes) -> bytes:
    """One line as several, cut at spaces; in the middle of a word where it has none."""
    end = line[len(line.rstrip(b"\r\n")) :]
    line = line[: len(line) - len(end)]
    pieces = []
    while len(line) > MAX_LINE:
        at = line.rfind(b" ", 2, FOLD_AT)
        if at < 0 or not line[:at].strip():
            at = line.find(b" ", FOLD_AT, MAX_LINE)
        if at < 0 or line[:at].endswith(b":"):
            pieces.append(line[: MAX_LINE - 1])
            line = b" " + line[MAX_LINE - 1 :]
            continue
        pieces.append(line[:at])
        line = line[at:]
    return b"\r\n".join([*pieces, line]) + end


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _missing(have: dict[bytes, bytes], author: Mailbox, hostname: str, clock: Clock) -> list[bytes]:
    """RFC 6409 8.2, 8.3 and 8.1."""
    added: list[bytes] = []
    if b"date" not in have:
        added.append(f"Date: {headers.format_date(clock.now())}\r\n".encode())
    if b"message-id" not in have:
        domain = author.domain if author.domain and not author.literal else hostname
        added.append(f"Message-ID: <{clock.token(12)}@{domain}>\r\n".encode())
    if b"from" not in have and author:
        added.append(f"From: <{author}>\r\n".encode())
    return added


def _void(name: bytes, field: bytes) -> bool:
    """What we add ourselves, and what stands there is none: it goes (RFC 6409 8.2, 8.3)."""
    value = field[field.index(b":") + 1 :]
    if name == b"message-id":
        return not _MESSAGE_ID.fullmatch(value)
    if name == b"date":
        return headers.parse_date(words.unfold(value).strip()) is None
    return name in (b"from", b"sender") and not value.strip()


def _authored(value: bytes, owns: Owns) -> bool:
    """One of the authors is who sends."""
    return any(owns(one.spec) for one in headers.mailboxes(value)[:MAX_AUTHORS])


def _name(field: bytes) -> bytes:
    found = _NAME.match(field)
    assert found is not None
    return found[0].lower()
