"""Authentication-Results: our own field written, fields that claim to be ours found (RFC 8601).

Reading goes no further than the authentication service identifier, which is all that the rule about foreign
fields needs (section 5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from quintet.delivery.verdict import Finding
from quintet.message.digest import Fields

NAME = b"authentication-results"
MAX_LINE = 76  # octets before a result goes on the next line
MAX_REASON = 200  # characters

_TOKEN = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+")  # RFC 2045 5.1 token
_PLAIN = re.compile(r"[^\x00- \"(),;<=>?\\\x7f]+")  # a pvalue that needs no quotes
_DOMAIN_PART = re.compile(r"[^\x00-,/:-@\[-`{-\x7f]+")  # A-Za-z0-9.- and what is not ASCII


def field(authserv_id: str, findings: Iterable[Finding]) -> bytes:
    """The whole field with its CRLF; "none" stands where no method was tried (RFC 8601 2.2)."""
    results = [_result(finding) for finding in findings] or ["none"]
    lines = [f"Authentication-Results: {_value(authserv_id)};"]
    for at, result in enumerate(results):
        end = ";" if at + 1 < len(results) else ""
        lines.append(f"\r\n\t{result}{end}")
    return ("".join(lines) + "\r\n").encode()


def _result(finding: Finding) -> str:
    """``spf=pass reason="..." smtp.mailfrom=a@b``, folded where it grows long."""
    words = [f"{_word(finding.method)}={_word(finding.result)}"]
    if finding.reason:
        words.append(f"reason={_quoted(finding.reason[:MAX_REASON])}")
    for name, value in finding.properties:
        ptype, _, prop = name.partition(".")
        words.append(f"{_word(ptype)}.{_word(prop)}={_pvalue(value)}")
    out, length = words[0], len(words[0])
    for word in words[1:]:
        gap = "\r\n\t " if length + len(word) > MAX_LINE else " "
        out += gap + word
        length = len(word) if gap != " " else length + 1 + len(word)
    return out


def _word(text: str) -> str:
    """A keyword of ours; whatever is none becomes "-" so that nothing can be smuggled in."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", text) or "-"


def _pvalue(text: str) -> str:
    """RFC 8601 2.2: a value, or an address whose local part may be quoted by itself."""
    local, at, domain = text.rpartition("@")
    if at and _DOMAIN_PART.fullmatch(domain):
        if not local or _PLAIN.fullmatch(local):
            return text
        return f"{_quoted(local.strip(chr(34)))}@{domain}"
    return _value(text)


def _value(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    clean = re.sub(r"[\x00-\x1f\x7f]", "?", text)
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def authserv_id(value: bytes) -> str:
    """The identifier that a field of that value bears; "" where there is none.  Any bytes are taken."""
    text = value.decode("utf-8", "replace")
    at = _skip(text, 0)
    if text[at : at + 1] == '"':
        end = at + 1
        out = []
        while end < len(text) and text[end] != '"':
            if text[end] == "\\":
                end += 1
            out.append(text[end : end + 1])
            end += 1
        return "".join(out).strip()
    found = _TOKEN.match(text, at)
    if found is None:  # a U-label (RFC 8616), or nothing that could be an identifier
        return re.split(r"[\s;(]", text[at:], maxsplit=1)[0]
    rest = re.match(r"[^\s;(]*", text[at:])
    return rest[0] if rest is not None else found[0]


def _skip(text: str, at: int) -> int:
    """Past white space and comments, nested as they like."""
    depth = 0
    while at < len(text):
        char = text[at]
        if char == "(":
            depth += 1
        elif char == ")" and depth:
            depth -= 1
        elif char == "\\" and depth:
            at += 1
        elif not depth and not char.isspace():
            return at
        at += 1
    return at


def claims(headers: Fields, own: str) -> bool:
    """Whether a message came with a field that bears our identifier."""
    for name, value in headers:
        if len(name) == len(NAME) and name.lower() == NAME and same(authserv_id(value), own):
            return True
    return False


def same(identifier: str, own: str) -> bool:
    """Identifiers are host names mostly: case and a last dot make no difference."""
    return identifier.lower().rstrip(".") == own.lower().rstrip(".")


_FIELD = re.compile(rb"[^\r\n]*(?:\r?\n|\r|\Z)(?:[ \t][^\r\n]*(?:\r?\n|\r|\Z))*")


def without_ours(header: bytes, own: str) -> bytes:
    """A header block without the fields that bear ``own``; all other bytes as they are (RFC 8601 5)."""
    kept = bytearray()
    at = 0
    while at < len(header):
        found = _FIELD.match(header, at)
        assert found is not None
        line = found[0]
        if not line:
            break
        name, colon, value = line.partition(b":")
        ours = colon and name.strip().lower() == NAME and same(authserv_id(value), own)
        if not ours:
            kept += line
        at = found.end()
    return bytes(kept)
