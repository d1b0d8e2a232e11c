"""A client of MAPI over HTTP: one session of a mailbox (MS-OXCMAPIHTTP 3.1.5.1 and on).

Blocking, over `http.client`; who waits for notifications does so in a thread of its own with a connection of
its own, as the protocol wants it (3.1.5.5).
"""

from __future__ import annotations

import http.client
import re
import ssl
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from quintet.errors import BadSyntax, Hangup, Reason, Refused
from quintet.mapi import frame
from quintet.mapi.buffer import Reader, Writer, bad
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.rop.batch import Batch

MAX_ANSWER = 4 * 1024 * 1024  # bytes
MAX_ROP_OUT = 0x10008  # bytes of answers that we take in one Execute
TIMEOUT_S = 60.0
WAIT_S = 330.0  # a notification is waited for five minutes, with a sign of life every half minute
_COOKIE = re.compile(r"(Mapi(?:Context|Sequence))=([^;]*)")


class NotAccepted(Refused):
    """X-ResponseCode of a request that the server did not accept, or failed later."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(Reason.WRONG_STATE, text)
        self.code = code


class Connection:
    """One session at an endpoint.  ``authorization`` gives the header for each request."""

    def __init__(
        self,
        url: str,
        authorization: Callable[[], str],
        *,
        context: ssl.SSLContext | None = None,
        application: str = "Quintet/1.0",
    ) -> None:
        self._url = urlsplit(url)
        self._authorization = authorization
        self._tls = context
        self._application = application
        self._instance = f"{{{uuid.uuid4()}}}".upper()
        self._counter = 0
        self._http: http.client.HTTPConnection | None = None
        self.cookies: dict[str, str] = {}

    def _open(self, timeout_s: float) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            context = self._tls or ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
        return http.client.HTTPConnection(host, port, timeout=timeout_s)

    def ask(self, kind: str, body: bytes = b"") -> bytes:
        """The response body of a request.

        Raises:
            NotAccepted: with its X-ResponseCode.  Refused(AUTH_FAILED): not logged in.
            Hangup: the connection broke.  BadSyntax: not an answer of the protocol.
        """
        if self._http is None:
            self._http = self._open(TIMEOUT_S)
        try:
            return self._exchange(self._http, kind, body)
        except (OSError, http.client.HTTPException) as error:
            self._http.close()
            self._http = None
            raise Hangup(Reason.CLOSED, "the connection broke") from error

    def wait(self) -> bool:
        """NotificationWait on a connection of its own: True when there are events to fetch."""
        connection = self._open(WAIT_S)
        try:
            writer = Writer()
            writer.u32(0)
            writer.u32(0)
            reader = Reader(self._exchange(connection, "NotificationWait", writer.done()))
        except (OSError, http.client.HTTPException) as error:
            raise Hangup(Reason.CLOSED, "the connection broke") from error
        finally:
            connection.close()
        _checked(reader)
        return reader.u32() != 0

    def _exchange(self, connection: http.client.HTTPConnection, kind: str, body: bytes) -> bytes:
        self._counter += 1
        headers = {
            "Content-Type": "application/mapi-http",
            "X-RequestType": kind,
            "X-RequestId": f"{self._instance}:{self._counter}",
            "X-ClientInfo": f"{self._instance}:1",
            "X-ClientApplication": self._application,
            "Authorization": self._authorization(),
        }
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        path = self._url.path + (f"?{self._url.query}" if self._url.query else "")
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        raw = response.read(MAX_ANSWER + 1)
        if response.status in (401, 403):
            raise Refused(Reason.AUTH_FAILED)
        if response.status != 200 or len(raw) > MAX_ANSWER:
            raise Hangup(Reason.CLOSED, f"the server answered {response.status}")
        for value in response.headers.get_all("Set-Cookie") or ():
            if found := _COOKIE.match(value):
                self.cookies[found[1]] = found[2]
        return unstream(int(response.headers.get("X-ResponseCode") or 1), raw)

    def close(self) -> None:
        """Lets go of the connection; the session goes on until it is ended or too old."""
        if self._http is not None:
            self._http.close()
            self._http = None


def unstream(code: int, raw: bytes) -> bytes:
    """The body behind metatags and additional headers (2.2.7, 3.1.5.6).

    Raises NotAccepted; BadSyntax: not such a stream.
    """
    if code:
        raise NotAccepted(code, raw[:200].decode("utf-8", "replace"))
    rest = raw
    while True:
        line, found, rest = rest.partition(b"\r\n")
        if not found or line not in (b"PROCESSING", b"PENDING", b"DONE"):
            raise bad("no metatag where one must be")
        if line == b"DONE":
            break
    head, found, body = rest.partition(b"\r\n\r\n")
    if not found:
        raise bad("additional headers without an end")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"x-responsecode" and value.strip() != b"0":
            raise NotAccepted(
                int(value) if value.strip().isdigit() else 1, body[:200].decode("utf-8", "replace")
            )
    return body


def _checked(reader: Reader) -> None:
    """StatusCode and ErrorCode.  Raises MapiError."""
    for code in (reader.u32(), reader.u32()):
        if code:
            raise MapiError(_code(code), f"error 0x{code:08X}")


def _code(number: int) -> Code:
    try:
        return Code(number)
    except ValueError:
        return Code.GENERAL_FAILURE


class Mailbox:
    """A session of the mailbox endpoint."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.name = ""  # of who is connected
        self.columns: dict[int, Any] = {}  # of open tables, for `Batch`

    def connect(self, dn: str = "/", *, code_page: int = 1252) -> None:
        """Raises MapiError, and as `Connection.ask`."""
        writer = Writer()
        writer.text8(dn.encode("ascii", "replace"))
        for number in (0, code_page, 0x0409, 0x0409, 0):
            writer.u32(number)
        reader = Reader(self.connection.ask("Connect", writer.done()))
        _checked(reader)
        reader.take(12)
        reader.text8()
        self.name = reader.text()

    def batch(self, logon: int = 0) -> Batch:
        return Batch(logon, self.columns)

    def execute(self, batch: Batch, *, plain: bool = False) -> Batch:
        """Sends a batch and reads the answers into it.  ``plain``: neither compressed nor obfuscated.

        Raises MapiError: the whole of it failed; and as `Connection.ask`.
        """
        wrapped = frame.wrap([batch.payload()], compress=not plain, obfuscate=not plain)
        writer = Writer()
        writer.u32(3 if plain else 0)
        writer.u32(len(wrapped))
        writer.put(wrapped)
        writer.u32(MAX_ROP_OUT)
        writer.u32(0)
        reader = Reader(self.connection.ask("Execute", writer.done()))
        _checked(reader)
        reader.u32()
        payloads = frame.unwrap(reader.take(reader.u32()))
        if len(payloads) != 1:
            raise bad("more frames than were asked for")
        batch.read(payloads[0])
        return batch

    def disconnect(self) -> None:
        """Ends the session; one that is gone already is as good."""
        writer = Writer()
        writer.u32(0)
        try:
            self.connection.ask("Disconnect", writer.done())
        except (Refused, Hangup, BadSyntax):
            pass
        self.connection.close()
