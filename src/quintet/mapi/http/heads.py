"""The heads of requests and answers (MS-OXCMAPIHTTP 2.2.2, 2.2.3): checked, echoed, written.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from typing import Final

from quintet.mapi.http.endpoint import Begun, Code, Wrong
from quintet.values import dataclass

BINARY: Final = "application/mapi-http"
DIAGNOSTIC: Final = "text/html"  # of every answer whose code is not 0 (R2038)
SERVER: Final = "Exchange/15.01.2507.000"  # R165: clients read from it what a server can
CONTEXT, SEQUENCE = "MapiContext", "MapiSequence"

_GUID = r"\{?[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?"
_REQUEST_ID = re.compile(_GUID + r":\d{1,20}")  # R130
_KIND = re.compile(r"[A-Za-z]{1,40}")
_COOKIE = re.compile(r"(?:^|;)\s*(MapiContext|MapiSequence)=([^;\s]{0,200})")
MAX_CLIENT_INFO = 256  # bytes; a GUID and a counter


@dataclass(frozen=True, slots=True)
class Head:
    """What a request's head says."""

    kind: str  # lower case
    context: str
    sequence: str | None


def _echoes(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The headers to repeat, as far as they came and can be repeated (R2040, R156)."""
    for name in ("X-RequestType", "X-RequestId", "X-ClientInfo"):
        value = headers.get(name, "")
        if value and len(value) <= MAX_CLIENT_INFO and value.isascii() and value.isprintable():
            yield name, value


def read(method: str, headers: Mapping[str, str]) -> Head:
    """Checks a head.  Raises Wrong with the code that 2.2.3.3.3 has for it."""
    if method != "POST":  # R3
        raise Wrong(Code.INVALID_VERB, "requests are made by POST")
    for name in ("X-RequestType", "X-RequestId", "Content-Type"):  # R38
        if not headers.get(name):
            raise Wrong(Code.MISSING_HEADER, f"{name} is missing")
    if headers["Content-Type"].partition(";")[0].strip().lower() != BINARY:  # R67
        raise Wrong(Code.INVALID_HEADER, f"Content-Type is not {BINARY}")
    if not _REQUEST_ID.fullmatch(headers["X-RequestId"]):
        raise Wrong(Code.INVALID_HEADER, "X-RequestId is not a GUID, a colon and a number")
    if len(headers.get("X-ClientInfo", "")) > MAX_CLIENT_INFO:
        raise Wrong(Code.INVALID_HEADER, "X-ClientInfo is too long")
    kind = headers["X-RequestType"]
    if not _KIND.fullmatch(kind):
        raise Wrong(Code.INVALID_REQUEST_TYPE, "X-RequestType is not a word")
    context, sequence = cookies(headers.get("Cookie", ""))
    return Head(kind.lower(), context, sequence)


def cookies(text: str) -> tuple[str, str | None]:
    """MapiContext ("" for none) and MapiSequence of a Cookie header (2.2.3.2.4)."""
    found = dict(_COOKIE.findall(text))
    return found.get(CONTEXT, ""), found.get(SEQUENCE)


def answer(asked: Mapping[str, str], code: int) -> list[tuple[str, str]]:
    """Headers of every answer (R44, R164); ``code`` 0 promises a binary body (R2037)."""
    return [
        ("Content-Type", BINARY if not code else DIAGNOSTIC),
        ("Cache-Control", "private"),
        *_echoes(asked),
        ("X-ResponseCode", str(int(code))),
        ("X-ServerApplication", SERVER),
    ]


def of_context(begun: Begun, path: str, *, secure: bool, idle_s: float) -> list[tuple[str, str]]:
    """The cookies, on every answer that has a context (R1236), and when one is forgotten (R167)."""
    expiration = ("X-ExpirationInfo", str(round(idle_s * 1000)))
    if not begun.context:
        return [expiration]
    tail = f"; path={path}; HttpOnly" + ("; Secure" if secure else "")
    return [
        ("Set-Cookie", f"{CONTEXT}={begun.context}{tail}"),
        ("Set-Cookie", f"{SEQUENCE}={begun.sequence}{tail}"),
        expiration,
    ]


def additional(code: int, started_s: float, elapsed_ms: int) -> bytes:
    """DONE, the additional headers and the empty line, all before the response body (3.2.5.2)."""
    lines = [
        "DONE",
        *([f"X-ResponseCode: {int(code)}", f"Content-Type: {DIAGNOSTIC}"] if code else []),
        f"X-ElapsedTime: {elapsed_ms}",
        f"X-StartTime: {formatdate(started_s, usegmt=True)}",
    ]
    return "\r\n".join((*lines, "", "")).encode()
