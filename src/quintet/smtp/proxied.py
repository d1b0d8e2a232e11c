"""XCLIENT and XFORWARD: what a proxy or a filter says about the client that it speaks for.

Pure.  Who may say it is the session's business (named addresses only); XCLIENT then puts the client in the
speaker's place, XFORWARD is for log and trace.  Postfix's XCLIENT_README and XFORWARD_README; values are
xtext (RFC 3461 4).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from quintet.errors import BadSyntax
from quintet.smtp import parameters

MAX_VALUE = 255  # octets, XFORWARD_README

UNKNOWN = ("[UNAVAILABLE]", "[TEMPUNAVAIL]")

_ATTRIBUTE = re.compile(rb"([A-Za-z]{2,12})=([!-<>-~]+)")
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_PRINTABLE = re.compile(r"[!-~]+")


def _host(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise BadSyntax("not a host name")
    return text.lower()


def _ip(text: str) -> str:
    try:
        if text[:5].upper() == "IPV6:":
            return str(ipaddress.IPv6Address(text[5:]))
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise BadSyntax("not an address") from None


def _port(text: str) -> str:
    if not (text.isdecimal() and text.isascii() and len(text) <= 5 and int(text) < 65536):
        raise BadSyntax("not a port")
    return text


def _protocol(text: str) -> str:
    if text.upper() not in ("SMTP", "ESMTP", "LMTP"):
        raise BadSyntax("not a protocol")
    return text.upper()


def _word(text: str) -> str:
    if not _PRINTABLE.fullmatch(text):
        raise BadSyntax("not printable")
    return text


def _source(text: str) -> str:
    if text.upper() not in ("LOCAL", "REMOTE"):
        raise BadSyntax("LOCAL or REMOTE expected")
    return text.upper()


Reader = Callable[[str], str]
XCLIENT: dict[str, Reader] = {
    "NAME": _host,
    "ADDR": _ip,
    "PORT": _port,
    "PROTO": _protocol,
    "HELO": _word,
    "LOGIN": _word,
    "DESTADDR": _ip,
    "DESTPORT": _port,
}
XFORWARD: dict[str, Reader] = {
    "NAME": _host,
    "ADDR": _ip,
    "PORT": _port,
    "PROTO": _protocol,
    "HELO": _word,
    "IDENT": _word,
    "SOURCE": _source,
}


def read(rest: bytes, readers: dict[str, Reader]) -> dict[str, str]:
    """The attributes of one command line; "" for what the speaker does not know either.

    Raises BadSyntax.
    """
    found: dict[str, str] = {}
    for word in rest.split():
        match = _ATTRIBUTE.fullmatch(word)
        reader = readers.get(match[1].decode().upper()) if match is not None else None
        if match is None or reader is None:
            raise BadSyntax("attribute expected: " + " ".join(readers))
        try:
            text = parameters.unxtext(match[2]).decode()
        except UnicodeDecodeError:
            raise BadSyntax("attribute is not UTF-8") from None
        if len(match[2]) > MAX_VALUE:
            raise BadSyntax("attribute too long")
        unknown = text.upper() in UNKNOWN
        found[match[1].decode().upper()] = "" if unknown else reader(text)
    if not found:
        raise BadSyntax("attribute expected: " + " ".join(readers))
    return found
