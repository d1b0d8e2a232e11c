"""URLs of articles and newsgroups (RFC 5538): ``news:`` and ``nntp:``, as readers and people copy them.

Pure.  A query or a fragment is no part of either, and is refused.
"""

from __future__ import annotations

import re
import urllib.parse

from quintet.errors import BadSyntax
from quintet.values import dataclass

MAX_URL = 2000  # characters; a group's name has 460 octets at most, each three when encoded

_URL = re.compile(r"(?P<scheme>news|nntp):(?://(?P<server>[^/?#]*)(?:/|\Z))?(?P<rest>[^?#]*)", re.IGNORECASE)
_SERVER = re.compile(
    r"(?:[^@\[\]]*@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~%]+)(?::(?P<port>[0-9]{0,5}))?"
)
_WRONG_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CORE = re.compile(r"[!-=?-~]+@[!-=?-~]+")  # of a Message-ID: no blank, no ">"
_NUMBER = re.compile(r"[0-9]{1,16}")
_GROUPS = re.compile(r"[^\s!,@\\]*")


@dataclass(frozen=True, slots=True)
class NewsUrl:
    """One URL, decoded: an article by its Message-ID or by group and number, or groups."""

    server: str  # "": whatever server the reader uses
    port: int  # 0: none was named
    message_id: str = ""  # with its brackets
    groups: str = ""  # a group's name, or a pattern with * and ?; "*" for all
    number: int = 0  # in the one group


def is_one(text: str) -> bool:
    """Whether it begins as such a URL."""
    return text[:5].lower() in ("news:", "nntp:")


def parse(text: str) -> NewsUrl:
    """Raises BadSyntax."""
    found = _URL.fullmatch(text) if len(text) <= MAX_URL else None
    if found is None or _WRONG_ESCAPE.search(text):
        raise BadSyntax(f"not a news URL: {text[:100]}")
    server, port = _server(found["server"])
    if found["scheme"].lower() == "nntp":
        return _of_nntp(text, server, port, found["rest"])
    rest = _decoded(found["rest"])
    if "@" in rest:  # RFC 5538 4: it tells an article from groups
        if not _CORE.fullmatch(rest):
            raise BadSyntax(f"not a Message-ID: {rest[:100]}")
        return NewsUrl(server, port, message_id=f"<{rest}>")
    return NewsUrl(server, port, groups=_pattern(rest or ("*" if server else "")))


def _of_nntp(text: str, server: str, port: int, rest: str) -> NewsUrl:
    """RFC 5538 3: a server, a group, and perhaps a number."""
    group, slash, number = rest.partition("/")
    if not server or (slash and not _NUMBER.fullmatch(number)):
        raise BadSyntax(f"not nntp://SERVER/GROUP/NUMBER: {text[:100]}")
    name = _pattern(_decoded(group)) if group or slash else "*"  # Deviates: it may be a server alone
    if name != "*" and re.search(r"[*?\[]", name):
        raise BadSyntax(f"not a group: {name[:100]}")
    return NewsUrl(server, port, groups=name, number=int(number or 0))


def _server(text: str | None) -> tuple[str, int]:
    if not text:
        return "", 0
    found = _SERVER.fullmatch(text)
    if found is None or int(found["port"] or 0) > 65535:
        raise BadSyntax(f"not a server: {text[:100]}")
    return urllib.parse.unquote(found["host"]).strip("[]").lower(), int(found["port"] or 0)


def _pattern(name: str) -> str:
    if not name or not _GROUPS.fullmatch(name):
        raise BadSyntax(f"not a group: {name[:100]}")
    return name


def _decoded(text: str) -> str:
    try:
        return urllib.parse.unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise BadSyntax(f"not UTF-8: {text[:100]}") from error
