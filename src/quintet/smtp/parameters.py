"""What MAIL and RCPT may carry beside the address: a table of readers each, from keyword to meaning.

Pure.  A keyword without a row, or one that this listener does not offer, is refused; what is read is handed
on in `delivery.envelope.Wishes` and honoured by the queue, the routes and the reports.  xtext and its
relatives are read and written here.  RFC 1870, 2852, 3030, 3461, 3865, 4865, 4954 5, 6152, 6531, 6533, 6710,
8689.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from quintet.clock import Clock
from quintet.delivery import verp
from quintet.delivery.envelope import USUAL, DeliverBy, Wishes
from quintet.errors import BadSyntax, Reason, Refused
from quintet.smtp import address
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.smtp.commands import Parameters

MAX_ENVID = 100  # octets before encoding, RFC 3461 4.4
MAX_ORCPT = 500  # octets with the address type, as they came, RFC 3461 4.2
MAX_SOLICIT = 1000  # octets, RFC 3865 2.2
MAX_PRIORITY = 9  # RFC 6710 3: -9 to 9
MINUTE_MS = 60_000

_NUMBER = re.compile(rb"[0-9]{1,20}")  # RFC 1870 3
_INTERVAL = re.compile(rb"[1-9][0-9]{0,8}")  # RFC 4865 3: future-release-integer
_BY = re.compile(rb"([+-]?[0-9]{1,9});([NRnr])([Tt]?)")  # RFC 2852 4
_DATE_TIME = re.compile(
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_PRIORITY = re.compile(rb"-?[1-9]|0")  # RFC 6710 7
_SOLICIT = re.compile(rb"[A-Za-z][A-Za-z0-9._:-]*(?:,[A-Za-z][A-Za-z0-9._:-]*)*")  # RFC 3865 2.2
_ORCPT = re.compile(rb"([A-Za-z0-9-]{1,40});(.+)", re.DOTALL)
_XTEXT = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")  # RFC 3461 4
_HEXCHAR = re.compile(rb"\+([0-9A-F]{2})")
_PRINTABLE = re.compile(rb"[ -~]*")
_UNITEXT = re.compile(r"(?:[^\x00- +=\\\x7f]|\\x\{[0-9A-Fa-f]{2,6}\})+")  # RFC 6533 3
_EMBEDDED = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NO_XCHAR = re.compile(rb"[^!-*,-<>-~]")
_NO_QCHAR = re.compile(r"[^!-*,-<>-\[\]-~]")
_NO_QUCHAR = re.compile(r"[\x00-\x20+=\\\x7f-\x9f]")

_VERP = re.compile(rb"[-+=]{2}")

_BODIES = {b"7BIT": (False, False), b"8BITMIME": (True, False), b"BINARYMIME": (True, True)}
_RETURNS = {b"FULL": "full", b"HDRS": "hdrs"}
_EVENTS = {b"SUCCESS": "success", b"FAILURE": "failure", b"DELAY": "delay"}


@dataclass(frozen=True, slots=True)
class Terms:
    """What one listener grants; the same for all its connections."""

    clock: Clock
    max_size: int  # bytes
    hold_max_s: int = 0  # seconds that a message may be held (RFC 4865); 0: not offered
    by_min_s: int = 0  # the shortest deadline taken with mode R (RFC 2852)
    unwanted: frozenset[str] = frozenset()  # solicitations that are refused, lower case (RFC 3865)
    prdr: bool = True

    @property
    def last_hold(self) -> int:
        """The latest HOLDUNTIL (ms), of the minute: EHLO says it, and says the same for a while."""
        return (self.clock.now() + self.hold_max_s * 1000) // MINUTE_MS * MINUTE_MS


class Asked:
    """What one MAIL asked for.  ``secure`` and ``trusted`` tell what this client may ask."""

    __slots__ = (
        "_wishes", "eight_bit", "prdr", "priority_said", "secure", "size", "terms", "trusted", "utf8",
    )  # fmt: skip

    def __init__(self, terms: Terms, secure: bool, trusted: bool) -> None:
        self.terms, self.secure, self.trusted = terms, secure, trusted
        self.size = 0
        self.eight_bit = self.utf8 = self.prdr = False
        self.priority_said: int | None = None  # with MT-PRIORITY, whether this client may ask for it or not
        self._wishes: dict[str, Any] | None = None  # Any: values of Wishes' fields by name

    def wish(self, name: str, value: Any) -> None:
        """Notes one; a name of `Wishes`.  Raises BadSyntax when it was said already in another way."""
        if self._wishes is None:
            self._wishes = {}
        if name in self._wishes:
            raise BadSyntax(
                "HOLDFOR and HOLDUNTIL exclude each other"
            )  # RFC 4865 4.2 (9); others are read once
        self._wishes[name] = value

    def wishes(self) -> Wishes:
        """All of them together, with what they mean for each other."""
        found = self._wishes
        if found is None:
            return USUAL
        held = found.get("release_at", 0)
        by: DeliverBy | None = found.get("by")
        if by is not None and held > by.at:  # RFC 4865 5.2.2
            raise BadSyntax("The message would be held beyond the time of BY")
        if found.get("require_tls") and found.get("ret") == "full":
            found["ret"] = "hdrs"  # RFC 8689 5: a report must not show more than its way protects
        return Wishes(**found)


def read_mail(parameters: Parameters, terms: Terms, *, secure: bool, trusted: bool) -> Asked:
    """The parameters of MAIL.

    ``trusted``: who logged in, or a host that may send anywhere.

    Raises:
        BadSyntax(UNSUPPORTED): a keyword that we have not, or not here.
        BadSyntax(SYNTAX): a value that it cannot have.
        Refused(TOO_BIG): SIZE is beyond our limit (RFC 1870 6.1).
        Refused(POLICY): a solicitation that is not wanted here (RFC 3865).
        Refused(TLS_REQUIRED): REQUIRETLS in the clear.
    """
    asked = Asked(terms, secure, trusted)
    for keyword, value in parameters:
        read = MAIL.get(keyword)
        if read is None:
            raise unsupported(keyword)
        read(asked, value)
    return asked


def read_rcpt(parameters: Parameters) -> tuple[tuple[str, ...], str]:
    """The parameters of RCPT: NOTIFY's words and ORCPT's address (RFC 3461 4.1, 4.2); raises BadSyntax."""
    notify: tuple[str, ...] = ()
    orcpt = ""
    for keyword, value in parameters:
        if keyword == "NOTIFY":
            notify = _notify(value)
        elif keyword == "ORCPT":
            orcpt = _orcpt(value)
        else:
            raise unsupported(keyword)
    return notify, orcpt


def unsupported(keyword: str) -> BadSyntax:
    """RFC 5321 4.1.1.11: 555."""
    return BadSyntax(f"Parameter {keyword} not supported", Reason.UNSUPPORTED)


# --- of MAIL --------------------------------------------------------------------------------------


def _size(asked: Asked, value: bytes | None) -> None:
    if value is None or not _NUMBER.fullmatch(value):
        raise BadSyntax("SIZE needs a number")
    asked.size = int(value)
    if asked.size > asked.terms.max_size:
        raise Refused(Reason.TOO_BIG)  # RFC 1870 6.1


def _body(asked: Asked, value: bytes | None) -> None:
    found = _BODIES.get((value or b"").upper())
    if found is None:
        raise BadSyntax("BODY is 7BIT, 8BITMIME or BINARYMIME")
    asked.eight_bit, binary = found
    if binary:
        asked.wish("binary", True)


def _utf8(asked: Asked, value: bytes | None) -> None:
    _bare("SMTPUTF8", value)
    asked.utf8 = True


def _prdr(asked: Asked, value: bytes | None) -> None:
    if not asked.terms.prdr:
        raise unsupported("PRDR")
    _bare("PRDR", value)
    asked.prdr = True


def _verp(asked: Asked, value: bytes | None) -> None:
    """Postfix's VERP_README: for who may send on; local parts hold no other delimiters than these."""
    if not asked.trusted:
        raise unsupported("XVERP")
    if value is not None and not _VERP.fullmatch(value):
        raise BadSyntax("XVERP has two delimiters, of + - and =")
    asked.wish("verp", value.decode() if value is not None else verp.DELIMITERS)


def _ret(asked: Asked, value: bytes | None) -> None:
    found = _RETURNS.get((value or b"").upper())
    if found is None:
        raise BadSyntax("RET is FULL or HDRS")
    asked.wish("ret", found)


def _envid(asked: Asked, value: bytes | None) -> None:
    if not value:
        raise BadSyntax("ENVID needs a value")
    text = unxtext(value)
    if len(text) > MAX_ENVID or not _PRINTABLE.fullmatch(text):
        raise BadSyntax("ENVID is up to 100 printable characters")
    asked.wish("envid", text.decode())


def _require_tls(asked: Asked, value: bytes | None) -> None:
    _bare("REQUIRETLS", value)
    if not asked.secure:
        raise Refused(Reason.TLS_REQUIRED)  # RFC 8689 2: only within TLS
    asked.wish("require_tls", True)


def _hold_for(asked: Asked, value: bytes | None) -> None:
    limit = asked.terms.hold_max_s
    if not limit:
        raise unsupported("HOLDFOR")
    if value is None or not _INTERVAL.fullmatch(value):
        raise BadSyntax("HOLDFOR needs a number of seconds")
    if int(value) > limit:
        raise BadSyntax(f"HOLDFOR is {limit} seconds at most")
    asked.wish("release_at", asked.terms.clock.now() + int(value) * 1000)
    asked.wish("hold", f"for;{int(value)}")


def _hold_until(asked: Asked, value: bytes | None) -> None:
    limit = asked.terms.hold_max_s
    if not limit:
        raise unsupported("HOLDUNTIL")
    if value is None or not _DATE_TIME.fullmatch(value):
        raise BadSyntax("HOLDUNTIL needs a date and time")
    try:
        at = round(datetime.fromisoformat(value.decode().upper()).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise BadSyntax("HOLDUNTIL needs a date and time that there is") from None
    if at > asked.terms.last_hold:  # RFC 4865 4.2 (8): than what was announced
        raise BadSyntax(f"HOLDUNTIL is {limit} seconds from now at most")
    asked.wish("release_at", at if at > asked.terms.clock.now() else 0)  # what is past holds nothing
    asked.wish("hold", f"until;{value.decode().upper()}")


def _by(asked: Asked, value: bytes | None) -> None:
    """RFC 2852 4: a deadline in seconds from now."""
    found = _BY.fullmatch(value or b"")
    if found is None:
        raise BadSyntax("BY is seconds;N or seconds;R")
    seconds, mode = int(found[1]), found[2].decode().upper()
    if mode == "R" and seconds <= 0:
        raise BadSyntax("BY with R needs a time to come")
    if mode == "R" and seconds < asked.terms.by_min_s:
        # RFC 2852 3: what is shorter than EHLO said is a 55z
        raise BadSyntax(f"BY is {asked.terms.by_min_s} seconds at least", Reason.UNSUPPORTED)
    asked.wish("by", DeliverBy(asked.terms.clock.now() + seconds * 1000, mode, bool(found[3])))


def _priority(asked: Asked, value: bytes | None) -> None:
    if value is None or not _PRIORITY.fullmatch(value):
        raise BadSyntax("MT-PRIORITY is -9 to 9")
    number = asked.priority_said = int(value)
    if number > 0 and not asked.trusted:  # RFC 6710 4.1: strangers may ask for less only
        number = 0
    if number:
        asked.wish("priority", number)


def _solicit(asked: Asked, value: bytes | None) -> None:
    if value is None or len(value) > MAX_SOLICIT or not _SOLICIT.fullmatch(value):
        raise BadSyntax("SOLICIT needs keywords")
    words = value.decode()
    wanted(words, asked.terms)
    asked.wish("solicit", words)


def wanted(solicitation: str, terms: Terms) -> None:
    """RFC 3865 2.4: refuses what is not wanted here, and says what.  Raises Refused(POLICY)."""
    for word in solicitation.split(","):
        if word.lower() in terms.unwanted:
            raise Refused(Reason.POLICY, f"Not wanted here: SOLICIT={word}")


def _auth(asked: Asked, value: bytes | None) -> None:
    """RFC 4954 5: who submitted the message elsewhere; believed of those whom we trust, else passed over."""
    if not value:
        raise BadSyntax("AUTH needs a mailbox or <>")
    text = unxtext(value)
    if text != b"<>":
        try:
            box = address.parse_mailbox(text)
        except address.BadAddress:
            raise BadSyntax("AUTH needs a mailbox or <>") from None
        if asked.trusted:
            asked.wish("submitter", str(box))


def _bare(keyword: str, value: bytes | None) -> None:
    if value is not None:
        raise BadSyntax(f"{keyword} has no value")


Reader = Callable[[Asked, bytes | None], None]
MAIL: dict[str, Reader] = {
    "SIZE": _size,  # RFC 1870 3
    "BODY": _body,  # RFC 6152 2, RFC 3030 3
    "SMTPUTF8": _utf8,  # RFC 6531 3.4
    "RET": _ret,  # RFC 3461 4.3
    "ENVID": _envid,  # RFC 3461 4.4
    "REQUIRETLS": _require_tls,  # RFC 8689 2
    "HOLDFOR": _hold_for,  # RFC 4865 3
    "HOLDUNTIL": _hold_until,  # RFC 4865 3
    "BY": _by,  # RFC 2852 4
    "MT-PRIORITY": _priority,  # RFC 6710 3
    "SOLICIT": _solicit,  # RFC 3865 2.3
    "AUTH": _auth,  # RFC 4954 5
    "PRDR": _prdr,  # draft-hall-prdr
    "XVERP": _verp,  # Postfix
}


# --- of RCPT --------------------------------------------------------------------------------------


def _notify(value: bytes | None) -> tuple[str, ...]:
    words = (value or b"").upper().split(b",")
    if words == [b"NEVER"]:
        return ("never",)
    try:
        return tuple(dict.fromkeys(_EVENTS[word] for word in words))
    except KeyError:
        raise BadSyntax("NOTIFY is NEVER, or some of SUCCESS, FAILURE, DELAY") from None


def _orcpt(value: bytes | None) -> str:
    """``type;address`` as it was meant, printable (RFC 3461 4.2, RFC 6533 3)."""
    found = _ORCPT.fullmatch(value or b"")
    if found is None or len(value or b"") > MAX_ORCPT:
        raise BadSyntax("ORCPT is type;address")
    kind = found[1].decode().lower()
    if kind == "utf-8":
        return f"{kind};{_unitext(found[2])}"
    text = unxtext(found[2])
    if not text.strip() or not _PRINTABLE.fullmatch(text):
        raise BadSyntax("ORCPT is printable ASCII in xtext")
    return f"{kind};{text.decode()}"


def _unitext(raw: bytes) -> str:
    """An address of the type utf-8, in whichever of its three forms it came."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise BadSyntax("ORCPT is not UTF-8") from None
    if not _UNITEXT.fullmatch(text) or _UNPRINTABLE.search(text):
        raise BadSyntax("malformed address in ORCPT")
    meant = _EMBEDDED.sub(_embedded, text)
    # RFC 6533 3: what is no address once decoded is passed on as it came; so no control character gets out
    return text if _UNPRINTABLE.search(meant) else meant


def _embedded(found: re.Match[str]) -> str:
    number = int(found[1], 16)
    return chr(number) if number <= 0x10FFFF else "\0"


# --- encodings ------------------------------------------------------------------------------------


def unxtext(raw: bytes) -> bytes:
    """The octets that an xtext stands for (RFC 3461 4).  Raises BadSyntax."""
    if not _XTEXT.fullmatch(raw):
        raise BadSyntax("malformed xtext")
    if b"+" not in raw:
        return raw
    return _HEXCHAR.sub(lambda found: bytes.fromhex(found[1].decode()), raw)


def xtext(text: str | bytes) -> bytes:
    """Any octets as xtext."""
    raw = text.encode() if isinstance(text, str) else text
    return _NO_XCHAR.sub(lambda found: b"+%02X" % found[0][0], raw)


def orcpt_value(orcpt: str, *, utf8: bool) -> bytes:
    """What stands behind ``ORCPT=`` for an original recipient; ``utf8``: the host offers SMTPUTF8.

    The type utf-8 goes as utf-8-addr-unitext, or as utf-8-addr-xtext to a host without (RFC 6533 3).
    """
    kind, _, text = orcpt.partition(";")
    if kind != "utf-8":
        return kind.encode() + b";" + xtext(text)
    unsafe = _NO_QUCHAR if utf8 else _NO_QCHAR
    return (kind + ";" + unsafe.sub(lambda found: f"\\x{{{ord(found[0]):02X}}}", text)).encode()
