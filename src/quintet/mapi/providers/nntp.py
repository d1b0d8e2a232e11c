"""A reader's side of NNTP, synchronous: as much as a message store needs (RFC 3977, 4642, 4643, 4644)."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import Iterator

from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers.allowance import Allowance
from quintet.net import dots

TIMEOUT_S = 60.0
MAX_LINE = 64 * 1024  # bytes; an overview line of a hostile server is no longer
MAX_ANSWER = 256 * 1024 * 1024  # bytes, as `allowance` counts; all groups, or a group of millions of articles
MAX_DIGITS = 16  # of an article number (RFC 3977 section 8 and 9.8)
CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""What no line of a protocol may hold."""
UNAVAILABLE = 400  # RFC 3977 3.2.1: and the connection is closed


class Answer(Exception):
    """What the server said was not what was hoped for."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code, self.text = code, text


class Connection:
    """One session.

    Raises MapiError(NETWORK_ERROR, LOGON_FAILED, SERVER_BUSY) where it begins, `Answer` later.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        context: ssl.SSLContext | None,
        starttls: bool,
        user: str,
        password: str,
    ) -> None:
        self._host = host
        try:
            self._socket = socket.create_connection((host, port), TIMEOUT_S)
        except OSError as error:
            raise MapiError(Code.NETWORK_ERROR, f"{host}: {error}") from error
        try:
            self._begin(context, starttls=starttls, user=user, password=password)
        except Answer as error:
            self.close()
            code = Code.SERVER_BUSY if error.code == UNAVAILABLE else Code.LOGON_FAILED
            raise MapiError(code, f"{host}: {error.code} {error.text}") from error
        except OSError as error:
            self.close()
            raise MapiError(Code.NETWORK_ERROR, f"{host}: {error}") from error
        except BaseException:
            self.close()
            raise

    def _begin(self, context: ssl.SSLContext | None, *, starttls: bool, user: str, password: str) -> None:
        if context is not None and not starttls:
            self._secure(context)
        self._file = self._socket.makefile("rb")
        self._hear(200, 201)
        if context is not None and starttls:
            self.ask("STARTTLS", 382)
            self._file.close()
            self._secure(context)
            self._file = self._socket.makefile("rb")
        try:
            self.ask("MODE READER", 200, 201)
        except Answer as error:  # 500 and 502: it is one for readers only
            if error.code == UNAVAILABLE:
                raise
        if user and self.ask(f"AUTHINFO USER {user}", 281, 381)[0] == 381:
            self.ask(f"AUTHINFO PASS {password}", 281)

    def _secure(self, context: ssl.SSLContext) -> None:
        self._socket = context.wrap_socket(self._socket, server_hostname=self._host)

    def _line(self) -> bytes:
        line = self._file.readline(MAX_LINE)
        if not line.endswith(b"\n"):
            raise ConnectionError("the server closed the connection, or a line is too long")
        return line[:-1].removesuffix(b"\r")

    def _hear(self, *wanted: int) -> tuple[int, str]:
        line = self._line().decode("utf-8", "replace")
        code, _, text = line.partition(" ")
        number = int(code) if len(code) == 3 and code.isdecimal() else 0
        if number not in wanted:
            raise Answer(number, text)
        return number, text

    def ask(self, command: str, *wanted: int) -> tuple[int, str]:
        """Says a command; the code and the text of the answer, which is one of those that are wanted."""
        if CONTROL.search(command):
            raise MapiError(Code.INVALID_PARAMETER)
        self._socket.sendall(command.encode() + b"\r\n")
        return self._hear(*wanted)

    def lines(self, command: str, *wanted: int) -> Iterator[bytes]:
        """The lines of a multi-line answer, un-stuffed (RFC 3977 3.1.1); it has to be read to its end.

        Raises ConnectionError: there is more than `MAX_ANSWER`.
        """
        self.ask(command, *wanted)
        allowance = Allowance(MAX_ANSWER)
        while (line := self._line()) != b".":
            allowance.spend_line(line)
            yield line[1:] if line.startswith(b".") else line

    def post(self, article: bytes) -> None:
        self.ask("POST", 340)
        self._socket.sendall(dots.whole(article))
        self._hear(240)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendall(b"QUIT\r\n")
        if hasattr(self, "_file"):
            self._file.close()
        self._socket.close()


def number_of(text: str | bytes) -> int | None:
    """An article number, or a count; None for what is none (RFC 3977 9.8)."""
    return int(text) if text.isdigit() and text.isascii() and len(text) <= MAX_DIGITS else None
