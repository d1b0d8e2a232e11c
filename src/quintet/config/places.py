"""Hosts as a configuration names them: "mail.example.net:587", "[2001:db8::1]:25", "unix:/run/x", "mx:name".

Pure.  Several in one text, with commas, are equals that share the load.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from quintet.config import proxies
from quintet.config.route import Route
from quintet.values import dataclass

# A-Za-z0-9_ and what is not ASCII, then also . and -.  By what they are not, here and elsewhere: a set up to
# U+10FFFF takes 7 ms to compile, at every start.
_NAME = re.compile(r"[^\x00-/:-@\[-^`{-\x7f][^\x00-,/:-@\[-^`{-\x7f]*")


@dataclass(frozen=True, slots=True)
class Place:
    """One host; ``port`` 0 is the route's."""

    host: str  # name, IP address without brackets, or "unix:/path"
    port: int = 0
    exchangers: bool = False  # those of the name are meant


def place(text: str) -> Place:
    """Raises ValueError."""
    text = text.strip()
    if text.startswith("unix:"):
        if not text.startswith("unix:/") or "\0" in text:
            raise ValueError(f"expected unix:/path, got {text!r}")
        return Place(text)
    exchangers = text.lower().startswith("mx:")
    name = text[3:] if exchangers else text
    if name.startswith("["):
        inner, bracket, rest = name[1:].partition("]")
        rest = rest if bracket else "?"
        inner = inner[5:] if inner.lower().startswith("ipv6:") else inner
        given = rest[1:] if rest.startswith(":") else None if not rest else ""
        if _NAME.fullmatch(inner) and not exchangers and not is_address(inner):
            return Place(
                inner.lower().rstrip("."), _port(given, text)
            )  # as Postfix writes "not its exchangers"
        return Place(_address(inner, text), _port(given, text))
    if name.count(":") > 1:
        return Place(_address(name, text))
    host, colon, port = name.partition(":")
    if not _NAME.fullmatch(host):
        raise ValueError(f"expected a host, HOST:PORT, [IPv6]:PORT, unix:/path or mx:NAME, got {text!r}")
    return Place(host.lower().rstrip("."), _port(port if colon else None, text), exchangers)


def groups(texts: Sequence[str]) -> list[list[Place]]:
    """In the order in which they are tried; those of one group are equals.  Raises ValueError."""
    return [[place(each) for each in text.split(",")] for text in texts if text]


def of(route: Route) -> list[list[Place]]:
    """Where a route leads.  Raises ValueError."""
    return groups([route.host, *route.hosts])


def faults(route: Route) -> list[tuple[str, str]]:
    """What is wrong with a route although every value alone is right: option and sentence."""
    found = []
    for option, texts in (("host", [route.host]), ("hosts", route.hosts), ("fallback", route.fallback)):
        try:
            groups(texts)
        except ValueError as error:
            found.append((option, str(error)))
    if route.via in ("smtp", "lmtp") and not route.host and not route.hosts:
        found.append(("host", f"expected a host for via = {route.via!r}"))
    if route.via not in ("smtp", "lmtp"):
        said = f"is for via = 'smtp' or 'lmtp', and via is {route.via!r}"
        found += [(option, said) for option in ("host", "hosts") if getattr(route, option)]
    if route.table and route.via != "mx":
        found.append(("table", f"says where mail goes, and so does via = {route.via!r}"))
    if route.via == "pipe" and not route.command:
        found.append(("command", "expected a program for via = 'pipe'"))
    if route.via == "batch" and not route.file:
        found.append(("file", "expected a file for via = 'batch'"))
    if route.user and not route.password:
        found.append(("password", f"expected the password of {route.user!r}"))
    if route.proxy:
        try:
            proxies.parse(route.proxy)
        except ValueError as error:
            found.append(("proxy", str(error)))
    wrong = [text for text in route.sources if not is_address(text)]
    found += [("sources", f"expected an IP address, got {text!r}") for text in wrong]
    if not re.fullmatch(r"[45]\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})", route.status):
        found.append(("status", f"expected a status such as 5.7.1, got {route.status!r}"))
    if route.max_size and route.max_size < route.min_size:
        found.append(("max_size", "expected at least min_size"))
    return found


def is_address(text: str) -> bool:
    """An IP address of this machine might be written so."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _address(text: str, whole: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"expected an IP address, got {whole!r}") from None


def _port(text: str | None, whole: str) -> int:
    if text is None:
        return 0
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise ValueError(f"expected a port from 1 to 65535, got {whole!r}")
    return int(text)
