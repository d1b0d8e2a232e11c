"""A client of a mailbox over MAPI over HTTP: Connect, Execute, NotificationWait, Disconnect.

Blocking, over `http.client`; who waits for notifications does so in a thread of its own, over a connection of
its own, as the protocol wants it (MS-OXCMAPIHTTP 3.1.5.5).  `channel` keeps the session between requests.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from quintet.errors import Hangup, Reason
from quintet.mapi import frame
from quintet.mapi.buffer import Reader, Writer, bad
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.http.channel import Answer, Channel, ChannelError, Post
from quintet.mapi.rop.batch import Batch
from quintet.mapi.types import Tag

MAX_ANSWER = 4 * 1024 * 1024  # bytes
MAX_ROP_OUT = 0x10008  # bytes of answers that we take in one Execute
TIMEOUT_S = 60.0
WAIT_S = 330.0  # a notification is waited for five minutes, with a sign of life every half minute


class Line:
    """A way to post: one connection to a URL, opened when it is needed and again when it broke.

    ``authorization`` gives the header for each request.
    """

    def __init__(
        self,
        url: str,
        authorization: Callable[[], str],
        *,
        timeout_s: float = TIMEOUT_S,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._url = urlsplit(url)
        self._authorization = authorization
        self._timeout_s = timeout_s
        self._tls = context
        self._http: http.client.HTTPConnection | None = None

    def post(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Raises Hangup: the connection broke, or the answer is longer than any may be."""
        if self._http is None:
            self._http = self._open()
        path = self._url.path + (f"?{self._url.query}" if self._url.query else "")
        try:
            self._http.request("POST", path, body, {**headers, "Authorization": self._authorization()})
            response = self._http.getresponse()
            raw = response.read(MAX_ANSWER + 1)
        except (OSError, http.client.HTTPException, ValueError) as error:  # a name that nobody can have
            self.close()
            raise Hangup(Reason.CLOSED, f"{self._url.hostname}: {error}") from error
        if len(raw) > MAX_ANSWER:
            self.close()
            raise Hangup(Reason.TOO_BIG)
        return response.status, response.getheaders(), raw

    def _open(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme != "https":
            return http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        context = self._tls or ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=context)

    def abort(self) -> None:
        """Ends a request that another thread waits in: it raises Hangup there."""
        waiting = self._http.sock if self._http is not None else None
        if waiting is not None:
            with contextlib.suppress(OSError):
                waiting.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """May be called twice; the next request opens it again."""
        if self._http is not None:
            self._http.close()
            self._http = None


class Mailbox:
    """A session of the mailbox endpoint over ``post``; all methods may raise ChannelError."""

    def __init__(self, post: Post) -> None:
        self._channel = Channel(post)
        self.name = ""  # of who is connected
        self.columns: dict[int, Sequence[Tag]] = {}  # of open tables, for `Batch`

    def connect(self, dn: str = "/", *, code_page: int = 1252) -> None:
        """Raises MapiError: refused."""
        writer = Writer()
        writer.text8(dn.encode("ascii", "replace"))
        for number in (0, code_page, 0x0409, 0x0409, 0):
            writer.u32(number)
        reader = Reader(self._channel.ask("Connect", writer.done()))
        _check(reader)
        reader.take(12)
        reader.text8()
        self.name = reader.text()

    def batch(self, logon: int = 0) -> Batch:
        return Batch(logon, self.columns)

    def execute(self, batch: Batch, *, plain: bool = False) -> Batch:
        """Sends a batch and reads the answers into it.  ``plain``: neither compressed nor obfuscated.

        Raises MapiError: the whole of it failed; BadSyntax: not an answer.
        """
        wrapped = frame.wrap([batch.payload()], compress=not plain, obfuscate=not plain)
        writer = Writer()
        writer.u32(3 if plain else 0)
        writer.u32(len(wrapped))
        writer.put(wrapped)
        writer.u32(MAX_ROP_OUT)
        writer.u32(0)
        reader = Reader(self._channel.ask("Execute", writer.done()))
        _check(reader)
        reader.u32()
        payloads = frame.unwrap(reader.take(reader.u32()))
        if len(payloads) != 1:
            raise bad("more frames than were asked for")
        batch.read(payloads[0])
        return batch

    def wait(self, post: Post) -> bool:
        """Waits over another connection; True: there are events, which the next Execute brings."""
        reader = Reader(self._channel.beside(post).ask("NotificationWait", bytes(8)))
        _check(reader)
        return reader.u32() != 0

    def disconnect(self) -> None:
        """Ends the session; one that is gone already is as good."""
        try:
            self._channel.ask("Disconnect", bytes(4))
        except (ChannelError, Hangup):
            pass
        self._channel.forget()


def _check(reader: Reader) -> None:
    """StatusCode and ErrorCode.  Raises MapiError."""
    for number in (reader.u32(), reader.u32()):
        if number:
            code = Code(number) if number in Code._value2member_map_ else Code.GENERAL_FAILURE
            raise MapiError(code, f"error 0x{number:08X}")
