"""POP3: a maildrop as a store with one folder, and submission by SMTP (by `poplib` and `smtplib`).

Nothing can be filed or marked there; what is deleted is gone when the session ends, so one ends then.
"""

from __future__ import annotations

import contextlib
import poplib
import re
import ssl
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, TypeVar

from quintet.mapi import types
from quintet.mapi.bag import Data
from quintet.mapi.convert import envelope
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import files, identity, imap, nntp, smtp
from quintet.mapi.providers.allowance import Allowance
from quintet.mapi.providers.base import Can, Opened, Option, Service, Special
from quintet.mapi.providers.mailboxes import Head, Mailboxes, Marks, Place
from quintet.mapi.providers.mailstore import MailStore
from quintet.message import dates, entity

TIMEOUT_S = 60.0
SESSION_S = 30.0  # a maildrop is locked while a session lasts (RFC 1939 section 4), so it is short
MAX_LINE = 1024 * 1024  # bytes; a letter's line has 998 (RFC 5322 2.1.1), `poplib` takes 2048, senders more
MAX_ANSWER = 512 * 1024 * 1024  # bytes, as `allowance` counts; a server whose answer has no end
INBOX: Final = "Inbox"
_DATE = re.compile(rb"^Date:[ \t]*(.*?)\r?$", re.IGNORECASE | re.MULTILINE)
T = TypeVar("T")


class _Bounded(poplib.POP3):
    """Takes long lines, and no endless answers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: as there
        self._allowance = Allowance(MAX_ANSWER)
        super().__init__(*args, **kwargs)

    def _putline(self, line: bytes) -> None:
        self._allowance.renew()
        super()._putline(line)  # type: ignore[misc]  # the stubs hide it

    def _getline(self) -> tuple[bytes, int]:
        line = self.file.readline(MAX_LINE + 1)
        self._allowance.spend_line(line)
        if len(line) > MAX_LINE:
            raise ConnectionError("a line that is too long")
        if not line.endswith(b"\n"):
            raise ConnectionError("the server closed the connection")
        return line[:-1].removesuffix(b"\r"), len(line)


class _BoundedTls(_Bounded, poplib.POP3_SSL):
    pass


class Maildrop(Mailboxes):
    """Keys are unique ids (UIDL); equal letters that share one (RFC 1939 section 7) are told apart."""

    can = Can.NOTHING

    def __init__(self, connect: Callable[[], poplib.POP3]) -> None:
        self._connect = connect
        self._session: poplib.POP3 | None = None
        self._began = 0.0
        self._numbers: dict[str, tuple[int, int]] = {}  # of a key: its number in this session, its size
        self._call(lambda session: None)

    def _call(self, work: Callable[[poplib.POP3], T]) -> T:
        if self._session is not None and time.monotonic() - self._began > SESSION_S:
            self.refresh()
        for last in (False, True):
            try:
                if self._session is None:
                    self._session = self._connect()
                    self._began = time.monotonic()
                    self._list(self._session)
                return work(self._session)
            except poplib.error_proto as error:
                if not _is_refusal(error) or not self._numbers:
                    self._abandon()  # who knows where in its answer we are
                raise MapiError(Code.GENERAL_FAILURE, _text(error)) from error
            except (ValueError, IndexError) as error:
                self._abandon()
                raise MapiError(Code.CORRUPT_DATA, f"the server answers nonsense: {error}") from error
            except (OSError, EOFError) as error:
                self._abandon()
                if last:
                    raise MapiError(Code.NETWORK_ERROR, str(error)) from error
        raise AssertionError("a loop of two")

    def _list(self, session: poplib.POP3) -> None:
        """Raises ValueError: what is listed are no numbers."""
        self._numbers = {}
        sizes = {int(number): int(size) for number, size in (line.split()[:2] for line in session.list()[1])}
        alike: dict[str, int] = {}
        found: dict[str, tuple[int, int]] = {}
        for line in session.uidl()[1]:
            number, key = line.decode("ascii", "replace").split()[:2]
            alike[key] = alike.get(key, 0) + 1
            found[key if alike[key] == 1 else f"{key} {alike[key]}"] = int(number), sizes.get(int(number), 0)
        self._numbers = found

    def _held(self, key: str) -> tuple[int, int] | None:
        """A message's number and size in the session that there is now.

        One of several alike has another key once the others are gone.
        """
        return self._numbers.get(key) or self._numbers.get(key.partition(" ")[0])

    def _abandon(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(OSError, poplib.error_proto):
                session.close()

    def refresh(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(OSError, EOFError, poplib.error_proto):
                session.quit()

    close = refresh

    def places(self) -> list[Place]:
        return [Place(INBOX, Special.INBOX)]

    def keys(self, path: str) -> Sequence[str]:
        if path != INBOX:
            raise MapiError(Code.NOT_FOUND)
        return self._call(lambda session: list(self._numbers))

    def heads(self, path: str, keys: Sequence[str]) -> dict[str, Head]:
        found = {}
        for key in keys if path == INBOX else ():
            head = self._call(lambda session, key=key: self._head(session, key))  # type: ignore[misc]
            if head is not None:
                found[key] = head
        return found

    def _head(self, session: poplib.POP3, key: str) -> Head | None:
        held = self._held(key)
        if held is None:
            return None
        number, size = held
        if size <= files.WHOLE:
            raw = _lines(session.retr(number))
            return Head(raw, True, size, _received(raw))
        raw = _lines(session.top(number, 0))
        return files.cut(raw, size, _received(raw))

    def marks(self, path: str, keys: Sequence[str]) -> dict[str, Marks]:
        self._call(lambda session: None)
        nothing: Marks = frozenset()
        return {key: nothing for key in keys if path == INBOX and self._held(key)}

    def message(self, path: str, key: str) -> bytes | Data:
        def whole(session: poplib.POP3) -> bytes | None:
            held = self._held(key)
            return None if held is None else _lines(session.retr(held[0]))

        found = self._call(whole)
        if found is None:
            raise MapiError(Code.NOT_FOUND)
        return found

    def remove(self, path: str, keys: Collection[str]) -> int:
        """All in one session, which ends with it: numbers mean nothing in another (RFC 1939 section 5)."""
        gone: set[str] = set()

        def delete(session: poplib.POP3) -> None:
            here = {held[0]: key for key in keys if path == INBOX and (held := self._held(key)) is not None}
            gone.update(here.values())
            for number in here:
                session.dele(number)
            if here:
                session.quit()
                self._abandon()

        self._call(delete)
        return len(gone)


def _lines(answer: tuple[bytes, list[bytes], int]) -> bytes:
    return b"\r\n".join([*answer[1], b""])


def _received(raw: bytes) -> int:
    """No maildrop tells when something came: the first trace line does, else the Date."""
    headers = tuple(entity.fields(files.cut(raw, len(raw), 0).raw))
    at = envelope.delivered(headers)
    if at is not None:
        return types.to_ms(at)
    found = _DATE.search(raw)
    told = dates.parse_date(found[1]) if found else None
    return told if told is not None else 0


def _is_refusal(error: poplib.error_proto) -> bool:
    """Whether the server said no; else its words were none of the protocol's."""
    words = error.args[0] if error.args else b""
    return isinstance(words, bytes) and words.startswith(b"-ERR")


def _text(error: Exception) -> str:
    words = error.args[0] if error.args else b""
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)


def _connector(options: Mapping[str, str]) -> Callable[[], poplib.POP3]:
    host, port, tls = options["host"], int(options["port"]), options["tls"]
    trusted = smtp.context(options)

    def connect() -> poplib.POP3:
        session: poplib.POP3 | None = None
        if nntp.CONTROL.search(options["user"] + options["password"]):
            raise MapiError(Code.LOGON_FAILED, "POP3 has no words for such a name or password")
        try:
            if tls == "yes":
                session = _BoundedTls(host, port, timeout=TIMEOUT_S, context=trusted)
            else:
                session = _Bounded(host, port, timeout=TIMEOUT_S)
            if tls == "starttls":
                session.stls(context=trusted)
            session.user(options["user"])
            session.pass_(options["password"])
        except poplib.error_proto as error:
            if session is not None:
                session.close()
            raise MapiError(Code.LOGON_FAILED, _text(error)) from error
        except (OSError, EOFError, ssl.SSLError) as error:
            if session is not None:
                session.close()
            raise MapiError(Code.NETWORK_ERROR, f"{host}: {error}") from error
        return session

    return connect


def _open(options: Mapping[str, str]) -> Opened:
    address = options["address"] or options["user"]
    store = MailStore(
        options["name"] or address,
        f"pop3:{options['user']}@{options['host']}:{options['port']}",
        Maildrop(_connector(options)),
        poll_s=float(options["poll"]),
    )
    return Opened(
        store=store, transport=imap.submission(options), identity=identity.of(address, options["name"])
    )


SERVICE = Service(
    name="POP3",
    title="POP3 and submission",
    open=_open,
    options=(
        *[
            Option(each.name, each.help, "995", each.secret) if each.name == "port" else each
            for each in imap.CONNECTION
        ],
        *imap.SENDING,
        Option("poll", "seconds between two looks at a watched maildrop", "60"),
    ),
    resources=frozenset(("store", "transport")),
)
