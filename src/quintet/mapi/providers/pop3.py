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
from typing import Final, TypeVar

from quintet.mapi import types
from quintet.mapi.bag import Data
from quintet.mapi.convert import envelope
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import files, identity, imap, smtp
from quintet.mapi.providers.base import Can, Opened, Option, Service, Special
from quintet.mapi.providers.mailboxes import Head, Mailboxes, Marks, Place
from quintet.mapi.providers.mailstore import MailStore
from quintet.message import dates, entity

TIMEOUT_S = 60.0
SESSION_S = 30.0  # a maildrop is locked while a session lasts (RFC 1939 section 4), so it is short
INBOX: Final = "Inbox"
_DATE = re.compile(rb"^Date:[ \t]*(.*?)\r?$", re.IGNORECASE | re.MULTILINE)
T = TypeVar("T")


class Maildrop(Mailboxes):
    """Keys are unique ids (UIDL)."""

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
            if self._session is None:
                self._session = self._connect()
                self._began = time.monotonic()
                self._list(self._session)
            try:
                return work(self._session)
            except poplib.error_proto as error:
                raise MapiError(Code.GENERAL_FAILURE, _text(error)) from error
            except (OSError, EOFError) as error:
                self._abandon()
                if last:
                    raise MapiError(Code.NETWORK_ERROR, str(error)) from error
        raise AssertionError("a loop of two")

    def _list(self, session: poplib.POP3) -> None:
        sizes = {int(number): int(size) for number, size in (line.split()[:2] for line in session.list()[1])}
        self._numbers = {}
        for line in session.uidl()[1]:
            number, _, key = line.decode("ascii", "replace").partition(" ")
            self._numbers[key] = int(number), sizes.get(int(number), 0)

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
        for key in keys:
            held = self._numbers.get(key) if path == INBOX else None
            if held is not None:
                number, size = held
                if size <= files.WHOLE:
                    raw = self._call(lambda session, number=number: _lines(session.retr(number)))  # type: ignore[misc]
                    found[key] = Head(raw, True, size, _received(raw))
                else:
                    raw = self._call(lambda session, number=number: _lines(session.top(number, 0)))  # type: ignore[misc]
                    found[key] = files.cut(raw, size, _received(raw))
        return found

    def marks(self, path: str, keys: Sequence[str]) -> dict[str, Marks]:
        self._call(lambda session: None)
        nothing: Marks = frozenset()
        return {key: nothing for key in keys if path == INBOX and key in self._numbers}

    def message(self, path: str, key: str) -> bytes | Data:
        held = self._numbers.get(key)
        if held is None:
            raise MapiError(Code.NOT_FOUND)
        return self._call(lambda session: _lines(session.retr(held[0])))

    def remove(self, path: str, keys: Collection[str]) -> int:
        self._call(lambda session: None)
        here = [self._numbers[key][0] for key in keys if path == INBOX and key in self._numbers]
        for number in here:
            self._call(lambda session, number=number: session.dele(number))  # type: ignore[misc]
        if here:
            self._call(lambda session: session.quit())
            self._abandon()
        return len(here)


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


def _text(error: Exception) -> str:
    words = error.args[0] if error.args else b""
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)


def _connector(options: Mapping[str, str]) -> Callable[[], poplib.POP3]:
    host, port, tls = options["host"], int(options["port"]), options["tls"]
    trusted = smtp.context(options)

    def connect() -> poplib.POP3:
        session: poplib.POP3 | None = None
        try:
            if tls == "yes":
                session = poplib.POP3_SSL(host, port, timeout=TIMEOUT_S, context=trusted)
            else:
                session = poplib.POP3(host, port, timeout=TIMEOUT_S)
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
