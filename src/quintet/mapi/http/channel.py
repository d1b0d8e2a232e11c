"""The client's side of MAPI over HTTP: one session context at one endpoint, over any way to post.

Pure but for the way to post, which is given: it takes headers and a body, and gives the status, the headers
(a name may come twice) and the whole body, de-chunked.  So it serves mailbox and address book alike, and
runs over whatever HTTP library there is.  MS-OXCMAPIHTTP 2.2.2, 2.2.3, 3.1.5.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Final

Answer = tuple[int, Iterable[tuple[str, str]], bytes]
Post = Callable[[Mapping[str, str], bytes], Answer]

BINARY: Final = "application/mapi-http"
_LOST: Final = frozenset((6, 10, 13))  # X-ResponseCode: another cookie, no context, no cookie (2.2.3.3.3)
_METATAGS: Final = frozenset((b"PROCESSING", b"PENDING"))
MAX_LINES: Final = 10_000  # metatags and headers before a body


class ChannelError(Exception):
    """The server did not do it; ``code`` is X-ResponseCode, None where there was none (HTTP said no)."""

    def __init__(self, code: int | None, status: int, text: str) -> None:
        super().__init__(code, status, text)
        self.code = code
        self.status = status
        self.text = text

    def __str__(self) -> str:
        return f"{self.text or 'the server refused'} (HTTP {self.status}, X-ResponseCode {self.code})"

    @property
    def lost(self) -> bool:
        """The session context is gone: bind or connect again (3.1.5.7)."""
        return self.code in _LOST


class Channel:
    """Sends requests one after the other and keeps the cookies between them (R1149)."""

    def __init__(self, post: Post, *, application: str = "Outlook/15.01.0000.0000") -> None:
        self._post = post
        self._application = application  # what servers expect of a client's name: Outlook/ and three numbers
        self._instance = f"{{{uuid.uuid4()}}}".upper()
        self._requests = 0
        self._cookies: dict[str, str] = {}

    def ask(self, kind: str, body: bytes = b"") -> bytes:
        """The response body to a request of a type.  Raises ChannelError."""
        self._requests += 1
        headers = {
            "X-RequestType": kind,
            "X-RequestId": f"{self._instance}:{self._requests}",
            "X-ClientInfo": f"{self._instance}:{self._requests}",
            "X-ClientApplication": self._application,
            "Content-Type": BINARY,
            "Accept": BINARY,
        }
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        status, found, raw = self._post(headers, body)
        given = [(name.lower(), value) for name, value in found]
        for name, value in given:
            if name == "set-cookie":
                key, _, rest = value.partition("=")
                self._cookies[key.strip()] = rest.partition(";")[0].strip()
        _check(status, dict(given), raw)
        return _body(status, raw)

    def beside(self, post: Post) -> Channel:
        """The same session context over another connection, for a request beside another one (R1170).

        It begins with our cookies and keeps those that it gets: when it ends, they are older than ours.
        """
        made = Channel(post, application=self._application)
        made._instance, made._cookies = self._instance, dict(self._cookies)
        return made

    def forget(self) -> None:
        """Begins anew: the next request has no cookies."""
        self._cookies.clear()


def _check(status: int, headers: Mapping[str, str], raw: bytes) -> None:
    """Raises ChannelError: the head says that the request failed (2.2.3.3.3)."""
    code = headers.get("x-responsecode", "")
    if status != 200 or not code.isdigit():
        raise ChannelError(None, status, "")
    if int(code):
        raise ChannelError(int(code), status, raw[:200].decode("utf-8", "replace").strip())


def _body(status: int, raw: bytes) -> bytes:
    """What follows the metatags and the additional headers (2.2.7); a later failure is in these (R2229)."""
    rest = raw
    for _ in range(MAX_LINES):
        line, found, rest = rest.partition(b"\r\n")
        if not found:
            break
        if line == b"DONE":
            return _after_headers(status, rest)
        if line not in _METATAGS:
            break
    raise ChannelError(None, status, "an answer without its metatags")


def _after_headers(status: int, rest: bytes) -> bytes:
    code = 0
    for _ in range(MAX_LINES):
        line, found, rest = rest.partition(b"\r\n")
        if not found:
            raise ChannelError(None, status, "additional headers without an end")
        if not line:
            if code:
                raise ChannelError(code, status, rest[:200].decode("utf-8", "replace").strip())
            return rest
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"x-responsecode" and value.strip().isdigit():
            code = int(value)
    raise ChannelError(None, status, "too many additional headers")
