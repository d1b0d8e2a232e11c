"""Connections of `IMAPClient` to servers that are not trusted: long lines, but no endless answers."""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Callable, Mapping
from typing import Any, cast

from imapclient import IMAPClient, imap4, tls
from imapclient.exceptions import LoginError

from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import smtp
from quintet.mapi.providers.allowance import Allowance

TIMEOUT_S = 60.0
MAX_LINE = 16 * 1024 * 1024  # bytes; `imaplib` takes a million, a SEARCH of a large folder tells more
MAX_LINES = 64 * 1024 * 1024  # bytes, as `allowance` counts: what is taken apart is many objects
MAX_ANSWER = 512 * 1024 * 1024  # bytes of letters in one; a server whose answer has no end
NONSENSE = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError, MemoryError)


class _Bounded(imaplib.IMAP4):
    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: as there
        self._letters, self._lines = Allowance(MAX_ANSWER), Allowance(MAX_LINES)
        super().__init__(*args, **kwargs)

    def send(self, data: Any) -> None:
        self._letters.renew()
        self._lines.renew()
        super().send(data)

    def read(self, size: int) -> bytes:
        self._letters.spend(size)
        found = super().read(size)
        if len(found) < size:
            raise ConnectionError("the server closed the connection")
        return found

    def readline(self) -> bytes:
        line = cast("bytes", self.file.readline(MAX_LINE + 1))
        if len(line) > MAX_LINE:
            raise ConnectionError("a line that is too long")
        self._lines.spend_line(line)
        return line


class _BoundedPlain(_Bounded, imap4.IMAP4WithTimeout):  # type: ignore[misc]  # as below
    pass


class _BoundedTls(_Bounded, tls.IMAP4_TLS):  # type: ignore[misc]
    pass


class Client(IMAPClient):  # type: ignore[misc]  # it has no types
    def _create_IMAP4(self) -> _Bounded:  # noqa: N802 (as there)
        connect = self._timeout.connect
        if self.ssl:
            return _BoundedTls(self.host, self.port, self.ssl_context, connect)
        return _BoundedPlain(self.host, self.port, connect)


def connector(options: Mapping[str, str]) -> Callable[[], IMAPClient]:
    """What connects and logs in.  Raises (when called) MapiError(LOGON_FAILED, NETWORK_ERROR)."""
    host, tls = options["host"], options["tls"]
    context = smtp.context(options)

    def connect() -> IMAPClient:
        try:
            client = Client(
                host, int(options["port"]), ssl=tls == "yes", ssl_context=context, timeout=TIMEOUT_S
            )
        except (OSError, imaplib.IMAP4.error, ssl.SSLError, *NONSENSE) as error:
            raise MapiError(Code.NETWORK_ERROR, f"{host}: {error}") from error
        client.folder_encode = False  # one name that is none would hide them all
        try:
            if tls == "starttls":
                client.starttls(context)
            client.login(options["user"], options["password"])
        except UnicodeError:  # its text would tell a piece of the password
            client.shutdown()
            raise MapiError(Code.LOGON_FAILED, "LOGIN takes names and passwords of ASCII alone") from None
        except LoginError as error:
            client.shutdown()
            raise MapiError(Code.LOGON_FAILED, str(error)) from error
        except (OSError, imaplib.IMAP4.error, *NONSENSE) as error:
            client.shutdown()
            raise MapiError(Code.NETWORK_ERROR, f"{host}: {error}") from error
        return client

    return connect
