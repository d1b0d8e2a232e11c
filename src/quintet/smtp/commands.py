"""Every command that a client can give, as a value, and how it is read from its line.

Pure.  When a command is allowed is the session's business.  RFC 5321 4.1, RFC 2033 4.1, RFC 3030 2,
RFC 3207 4, RFC 4954 4.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from quintet.delivery.envelope import Mailbox
from quintet.errors import BadSyntax, Hangup, Reason
from quintet.smtp import address, proxied
from quintet.values import dataclass

MAX_TURNED = 100  # domains of one ATRN
MAX_ARGUMENT = 998  # octets of what is shown back or logged

_VERP = re.compile(rb"(?i:(XVERP))=([-+=]{2})")  # Postfix; no value of RFC 5321 4.1.2 has a "="
_PARAMETER = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~\x80-\xff]+))?")  # RFC 5321 4.1.2
_NUMBER = re.compile(rb"[0-9]{1,20}")  # RFC 1870 3
_MECHANISM = re.compile(rb"[A-Za-z0-9_-]{1,20}")  # RFC 4422 3.1
_URL = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")  # RFC 3986 3
_TURNED = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,253}[a-z0-9])?")  # RFC 2645 5.2.1
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# C1 controls and Unicode's line ends. Deviates: RFC 6531 3.3 allows them, but what is a line of its own to
# some program that reads headers or logs must not come from a client.
_WIDE_CONTROL = re.compile(rb"\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]")

# The usual path, in one step; whatever it does not match is read by the grammar.
_USUAL = re.compile(
    rb"<([A-Za-z0-9_+=-]{1,64}(?:\.[A-Za-z0-9_+=-]{1,20}){0,2})@([A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*)>"
    rb"(?: SIZE=([0-9]{1,20}))?(?: BODY=(7BIT|8BITMIME))?"
)

Parameters = tuple[tuple[str, bytes | None], ...]  # keyword in upper case, value or None


@dataclass(frozen=True, slots=True)
class Hello:
    """EHLO, HELO or LHLO.  ``domain`` is what the client calls itself, in no way verified."""

    verb: str
    domain: str


@dataclass(frozen=True, slots=True)
class Mail:
    sender: Mailbox
    parameters: Parameters = ()


@dataclass(frozen=True, slots=True)
class Rcpt:
    recipient: Mailbox
    parameters: Parameters = ()


@dataclass(frozen=True, slots=True)
class Data:
    pass


@dataclass(frozen=True, slots=True)
class Message:
    """No command: what follows DATA, un-stuffed; None when more than one read is needed for it."""

    whole: bytes | None


@dataclass(frozen=True, slots=True)
class Bdat:
    """``size`` octets follow at once, whatever we answer (RFC 3030 2)."""

    size: int
    last: bool


@dataclass(frozen=True, slots=True)
class Auth:
    mechanism: str  # upper case
    initial: bytes | None  # base64, b"=" for an empty one


@dataclass(frozen=True, slots=True)
class StartTls:
    pass


@dataclass(frozen=True, slots=True)
class Rset:
    pass


@dataclass(frozen=True, slots=True)
class Noop:
    pass


@dataclass(frozen=True, slots=True)
class Quit:
    pass


@dataclass(frozen=True, slots=True)
class Vrfy:
    name: bytes


@dataclass(frozen=True, slots=True)
class Expn:
    name: bytes


@dataclass(frozen=True, slots=True)
class Help:
    topic: bytes


@dataclass(frozen=True, slots=True)
class Burl:
    """Part of a message by reference (RFC 4468 3.5)."""

    url: str
    last: bool


@dataclass(frozen=True, slots=True)
class Xclient:
    attributes: dict[str, str]  # names in upper case; "" for what is not known


@dataclass(frozen=True, slots=True)
class Xforward:
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Etrn:
    node: str  # a domain, @domain or #queue


@dataclass(frozen=True, slots=True)
class Atrn:
    domains: tuple[str, ...]  # () is all that the client may have


Command = (
    Hello
    | Mail
    | Rcpt
    | Data
    | Message
    | Bdat
    | Burl
    | Auth
    | StartTls
    | Rset
    | Noop
    | Quit
    | Vrfy
    | Expn
    | Help
    | Xclient
    | Xforward
    | Etrn
    | Atrn
)


def parse(line: bytes) -> Command:
    """Reads one command line (without CRLF).

    Raises:
        BadSyntax(UNKNOWN_COMMAND): a verb that we do not have.
        BadSyntax(SYNTAX): wrong arguments, or a control character anywhere (so also a bare CR or LF).
        Hangup(SYNTAX): a BDAT without a readable size, or HTTP.
    """
    verb, _, rest = line.partition(b" ")
    read = READERS.get(verb.upper())
    if read is None:
        raise BadSyntax("command not recognized", Reason.UNKNOWN_COMMAND)
    if _CONTROL.search(rest) or (not rest.isascii() and _WIDE_CONTROL.search(rest)):
        raise BadSyntax("control character in command")
    return read(rest.rstrip(b" \t"))  # trailing white space: tolerated, RFC 5321 4.1.1


def _parameters(text: bytes) -> Parameters:
    if not text:
        return ()
    if not text.startswith(b" "):
        raise BadSyntax("space expected before parameters")
    found: dict[str, bytes | None] = {}
    for word in text.split(b" "):
        if not word:
            continue
        match = _PARAMETER.fullmatch(word) or _VERP.fullmatch(word)
        if match is None:
            raise BadSyntax("malformed parameter")
        keyword = match[1].decode().upper()
        if keyword in found:
            raise BadSyntax(f"parameter {keyword} given twice")
        found[keyword] = match[2]
    return tuple(found.items())


def _mail(rest: bytes) -> Mail:
    if rest[:5].upper() != b"FROM:":
        raise BadSyntax("MAIL FROM:<address> expected")
    found = _usual(rest, 5)
    if found is not None:
        return Mail(Mailbox(found[1].decode(), found[2].decode().lower()), _of_usual(found))
    try:
        sender, tail = address.take_path(rest[5:])
    except address.BadAddress as error:
        raise address.BadSender(error.text) from None
    if not sender.domain and sender:
        raise address.BadSender("sender needs a domain")
    return Mail(sender, _parameters(tail))


def _rcpt(rest: bytes) -> Rcpt:
    if rest[:3].upper() != b"TO:":
        raise BadSyntax("RCPT TO:<address> expected")
    found = _usual(rest, 3)
    if found is not None and found.lastindex == 2:
        return Rcpt(Mailbox(found[1].decode(), found[2].decode().lower()))
    recipient, tail = address.take_path(rest[3:])
    if not recipient:
        raise address.BadAddress("recipient must not be empty")
    return Rcpt(recipient, _parameters(tail))


def _usual(rest: bytes, start: int) -> re.Match[bytes] | None:
    """A plain address and what nearly all clients put behind it."""
    found = _USUAL.fullmatch(rest, start)
    if found is None or found.end(1) - start > address.MAX_LOCAL or len(found[2]) > address.MAX_LABEL:
        return None
    return found


def _of_usual(found: re.Match[bytes]) -> Parameters:
    size, body = found[3], found[4]
    if size is None:
        return () if body is None else (("BODY", body),)
    return (("SIZE", size),) if body is None else (("SIZE", size), ("BODY", body))


def _hello(verb: str) -> Callable[[bytes], Hello]:
    def read(rest: bytes) -> Hello:
        """Any one word is taken (RFC 5321 4.1.4).

        Deviates: RFC 5321 4.1.2 has 501 for characters that no domain has, and many clients send them.
        """
        name = rest.strip(b" ")
        if not name or b" " in name or len(name) > address.MAX_DOMAIN:
            raise BadSyntax(f"{verb} needs one domain")
        return Hello(verb, name.decode("utf-8", "replace"))

    return read


def _bdat(rest: bytes) -> Bdat:
    """Ends the connection when it cannot be read: nobody knows then where the message's octets end."""
    words = rest.split()
    sized = bool(words) and _NUMBER.fullmatch(words[0]) is not None
    if not sized or len(words) > 2 or (len(words) == 2 and words[1].upper() != b"LAST"):
        raise Hangup(Reason.SYNTAX, "BDAT size [LAST] expected")
    return Bdat(int(words[0]), len(words) == 2)


def _burl(rest: bytes) -> Burl:
    words = rest.split()
    if not 1 <= len(words) <= 2 or not _URL.fullmatch(words[0]):
        raise BadSyntax("BURL url [LAST] expected")
    if len(words) == 2 and words[1].upper() != b"LAST":
        raise BadSyntax("BURL url [LAST] expected")
    return Burl(words[0].decode(), len(words) == 2)


def _auth(rest: bytes) -> Auth:
    words = rest.split()
    if not 1 <= len(words) <= 2 or not _MECHANISM.fullmatch(words[0]):
        raise BadSyntax("AUTH mechanism [initial-response] expected")
    return Auth(words[0].decode().upper(), words[1] if len(words) == 2 else None)


def _bare(command: Command) -> Callable[[bytes], Command]:
    def read(rest: bytes) -> Command:
        if rest:
            raise BadSyntax("no argument expected")
        return command

    return read


def _named(kind: type[Vrfy] | type[Expn]) -> Callable[[bytes], Command]:
    def read(rest: bytes) -> Command:
        if not rest:
            raise BadSyntax("a name is expected")
        return kind(rest[:MAX_ARGUMENT])

    return read


def _node(rest: bytes) -> str:
    if not rest or b" " in rest or len(rest) > address.MAX_DOMAIN + 1:
        raise BadSyntax("ETRN needs one domain")
    return rest.decode("utf-8", "replace")


def _domains(rest: bytes) -> tuple[str, ...]:
    words = tuple(word.strip().lower() for word in rest.decode("ascii", "replace").split(",")) if rest else ()
    if len(words) > MAX_TURNED or not all(map(_TURNED.fullmatch, words)):
        raise BadSyntax("ATRN domain[,domain...] expected")
    return words


def _web(rest: bytes) -> Command:
    """A browser was talked into speaking to us; its form fields shall not be commands."""
    raise Hangup(Reason.SYNTAX)


_NOOP = Noop()

READERS: dict[bytes, Callable[[bytes], Command]] = {
    b"EHLO": _hello("EHLO"),  # RFC 5321 4.1.1.1
    b"HELO": _hello("HELO"),
    b"LHLO": _hello("LHLO"),  # RFC 2033 4.1
    b"MAIL": _mail,  # RFC 5321 4.1.1.2
    b"RCPT": _rcpt,  # RFC 5321 4.1.1.3
    b"DATA": _bare(Data()),  # RFC 5321 4.1.1.4
    b"BDAT": _bdat,  # RFC 3030 2
    b"BURL": _burl,  # RFC 4468 3.5
    b"RSET": _bare(Rset()),  # RFC 5321 4.1.1.5
    b"VRFY": _named(Vrfy),  # RFC 5321 4.1.1.6
    b"EXPN": _named(Expn),  # RFC 5321 4.1.1.7
    b"HELP": lambda rest: Help(rest[:MAX_ARGUMENT]),  # RFC 5321 4.1.1.8
    b"NOOP": lambda rest: _NOOP,  # RFC 5321 4.1.1.9: an argument is ignored
    b"QUIT": _bare(Quit()),  # RFC 5321 4.1.1.10
    b"AUTH": _auth,  # RFC 4954 4
    b"STARTTLS": _bare(StartTls()),  # RFC 3207 4
    b"ETRN": lambda rest: Etrn(_node(rest)),  # RFC 1985 5
    b"ATRN": lambda rest: Atrn(_domains(rest)),  # RFC 2645 5.2.1
    b"XCLIENT": lambda rest: Xclient(proxied.read(rest, proxied.XCLIENT)),
    b"XFORWARD": lambda rest: Xforward(proxied.read(rest, proxied.XFORWARD)),
    **dict.fromkeys((b"GET", b"POST", b"PUT", b"CONNECT", b"OPTIONS"), _web),
}
