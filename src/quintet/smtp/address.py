"""The grammar of addresses in SMTP commands: paths, mailboxes, domains, address literals.

Pure.  Gives `delivery.envelope.Mailbox`; raises BadAddress for everything the grammar has not.
RFC 5321 4.1.2 and 4.1.3, RFC 6531 3.3.
"""

from __future__ import annotations

import ipaddress
import re

from quintet.delivery.envelope import NULL, Mailbox
from quintet.errors import BadSyntax

MAX_LOCAL = 64  # octets, RFC 5321 4.5.3.1.1
MAX_DOMAIN = 255  # octets, RFC 5321 4.5.3.1.2
MAX_PATH = 256  # octets with "<" and ">", RFC 5321 4.5.3.1.3; we count without a source route
MAX_LABEL = 63  # octets, RFC 1035 2.3.4

_ATEXT = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff-]"
# "_" is no letter of RFC 5321's sub-domain, but stands in names of real hosts.
_LABEL = rb"[A-Za-z0-9_\x80-\xff]+(?:-+[A-Za-z0-9_\x80-\xff]+)*"
_DOMAIN = _LABEL + rb"(?:\." + _LABEL + rb")*"
_LITERAL = rb"\[[!-Z^-~]+\]"
_ROUTE = re.compile(rb"(?:@(?:" + _DOMAIN + rb"|" + _LITERAL + rb")(?:,|:))+")
_PLAIN = re.compile(rb"(" + _ATEXT + rb"+(?:\." + _ATEXT + rb"+)*)@(" + _DOMAIN + rb"|" + _LITERAL + rb")")
_QUOTED = re.compile(
    rb'"((?:[\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\x20-\x7e])*)"@(' + _DOMAIN + rb"|" + _LITERAL + rb")"
)
_DOMAIN_ONLY = re.compile(_DOMAIN)
_GENERAL = re.compile(rb"[A-Za-z0-9-]*[A-Za-z0-9]:[!-Z^-~]+")
_ESCAPE = re.compile(r"\\(.)")


class BadAddress(BadSyntax):
    """What stands there is no address; RFC 5248 has codes of its own for it."""

    enhanced = "5.1.3"  # bad destination mailbox address syntax


class BadSender(BadAddress):
    """The same of a sender."""

    enhanced = "5.1.7"  # bad sender's mailbox address syntax


def take_path(text: bytes) -> tuple[Mailbox, bytes]:
    """Reads one path in angle brackets; gives the mailbox and what follows the ">".

    A source route is read and ignored (RFC 5321 4.1.1.3, appendix C).  ``<>`` gives `NULL`, which only
    MAIL may use; a bare ``<postmaster>`` has no domain, which only RCPT may use.

    UTF-8 is read whether or not SMTPUTF8 was asked for; whether it may stand here is the caller's.

    Raises:
        BadAddress: not a path, too long, or neither ASCII nor UTF-8.
    """
    text = text.lstrip(b" ")  # Deviates: a space after the colon is forbidden, and common
    if not text.startswith(b"<"):
        raise BadAddress("address must stand in angle brackets")
    if text.startswith(b"<>"):
        return NULL, text[2:]
    start = 1
    if text.startswith(b"<@"):
        route = _ROUTE.match(text, 1)
        if route is None or not route[0].endswith(b":") or b":" in _outside_literals(route[0][:-1]):
            raise BadAddress("malformed source route")
        start = route.end()
    found = _PLAIN.match(text, start)
    quoted = found is None
    if found is None:
        found = _QUOTED.match(text, start)
    if found is None:
        return _postmaster(text, start)
    end = found.end()
    if text[end : end + 1] != b">":
        raise BadAddress("malformed address")
    if end - start > MAX_PATH - 2:
        raise BadAddress("address too long")
    return _mailbox(found[1], found[2], quoted), text[end + 1 :]


def parse_mailbox(text: bytes) -> Mailbox:
    """A mailbox without brackets, as in configuration or `VRFY`.  Raises BadAddress."""
    found, rest = take_path(b"<" + text + b">")
    if rest or not found.domain or text.startswith(b"@"):
        raise BadAddress("not a mailbox")
    return found


def parse_domain(text: bytes) -> str:
    """A domain or an address literal, in lower case.  Raises BadAddress."""
    if len(text) > MAX_DOMAIN:
        raise BadAddress("domain too long")
    if text.startswith(b"["):
        return _literal(text)
    if not _DOMAIN_ONLY.fullmatch(text) or len(max(text.split(b"."), key=len)) > MAX_LABEL:
        raise BadAddress("malformed domain")
    return _text(text).lower()


def _mailbox(local: bytes, domain: bytes, quoted: bool) -> Mailbox:
    name = _text(local)
    if quoted:
        name = _ESCAPE.sub(r"\1", name)
    if len(local) > MAX_LOCAL and len(name.encode()) > MAX_LOCAL:
        raise BadAddress("local part too long")
    return Mailbox(name, parse_domain(domain))


def _postmaster(text: bytes, start: int) -> tuple[Mailbox, bytes]:
    """``<Postmaster>``: the one recipient that needs no domain (RFC 5321 4.1.1.3)."""
    end = start + len("postmaster")
    if start == 1 and text[start:end].lower() == b"postmaster" and text[end : end + 1] == b">":
        return Mailbox("postmaster", ""), text[end + 1 :]
    raise BadAddress("malformed address")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise BadAddress("address is not UTF-8") from None


def _literal(text: bytes) -> str:
    """``[192.0.2.1]``, ``[ipv6:2001:db8::1]`` in their shortest spelling, or a general literal as it came."""
    inner = text[1:-1]
    if not text.endswith(b"]") or not inner.isascii():
        raise BadAddress("malformed address literal")
    try:
        if inner[:5].lower() == b"ipv6:":
            return f"[ipv6:{ipaddress.IPv6Address(inner[5:].decode())}]"
        if b":" not in inner:
            return f"[{ipaddress.IPv4Address(inner.decode())}]"
    except ValueError:
        raise BadAddress("malformed address literal") from None
    if not _GENERAL.fullmatch(inner):
        raise BadAddress("malformed address literal")
    return text.decode().lower()


def _outside_literals(route: bytes) -> bytes:
    return re.sub(rb"\[[^\]]*\]", b"", route)
