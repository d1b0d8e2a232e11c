"""A proxy as a configuration names it: "socks5://user:password@host:1080", "http://host:3128".  Pure.

How one is spoken to is `net.outward`'s.  RFC 3986 3.2 (what stands before the host, escapes by "%").
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from quintet.values import dataclass

MAX_WORD = 255  # bytes of a name, a user or a password in SOCKS5: their length is one byte
EXPECTED = "expected socks5://host:port or http://host:port"
PORTS = {"socks5": 1080, "http": 3128}


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a proxy is, and how to talk to it."""

    kind: str  # "socks5" or "http"
    host: str
    port: int
    user: str = ""
    password: str = ""


def parse(url: str) -> Proxy:
    """``socks5://[user:password@]host[:port]`` or ``http://...``; escapes by "%".

    Raises ValueError; it does not repeat the URL, which may hold a password.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(EXPECTED) from None  # its own words may show what they should not
    if not host or port == 0 or parts.scheme not in PORTS or parts.path not in ("", "/") or parts.query:
        raise ValueError(EXPECTED)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if len(user.encode()) > MAX_WORD or len(password.encode()) > MAX_WORD:
        raise ValueError(f"user and password of a proxy have at most {MAX_WORD} bytes")
    return Proxy(parts.scheme, host, port or PORTS[parts.scheme], user, password)
