"""A program on the own store beside a running server: letters go both ways, and every protocol sees them."""

from __future__ import annotations

import imaplib
import smtplib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quintet.mapi import consts, pr
from quintet.mapi.core import session
from quintet.mapi.core.folder import IMAPIFolder
from quintet.mapi.core.notify import IMAPIAdviseSink
from quintet.mapi.core.profile import Profile, used
from quintet.mapi.core.session import IMAPISession
from quintet.mapi.core.store import IMsgStore
from quintet.mapi.core.structs import NEWMAIL_NOTIFICATION, SPropValue
from tests.support.server import HOST, PASSWORD, Spawned, spawn_server

ALICE, BOB = "alice@example.org", "bob@example.org"
WAIT_S = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spawned]:
    with spawn_server(tmp_path_factory.mktemp("server"), workers=2) as spawned:
        yield spawned


@pytest.fixture
def mapi(server: Spawned) -> Iterator[IMAPISession]:
    settings = {"data": str(server.folder), "account": ALICE, "password": PASSWORD}
    opened = session.opened(Profile([used("QUINTET", None, settings)]))
    yield opened
    opened.Logoff()


@pytest.fixture
def store(mapi: IMAPISession) -> IMsgStore:
    return mapi.OpenMsgStore(0, None, None, consts.MDB_WRITE)


@pytest.fixture
def inbox(store: IMsgStore) -> IMAPIFolder:
    found: IMAPIFolder = store.OpenEntry(store.GetReceiveFolder("")[0], None, consts.MAPI_MODIFY)
    return found


def awaited(found: Callable[[], object]) -> object:
    end = time.monotonic() + WAIT_S
    while not (value := found()) and time.monotonic() < end:
        time.sleep(0.05)
    return value


def imap(server: Spawned, user: str) -> imaplib.IMAP4:
    client = imaplib.IMAP4(HOST, server.ports["imap"])
    client.login(user, PASSWORD)
    client.select("INBOX")
    return client


def test_letter_by_smtp_is_news_for_the_program(
    server: Spawned, store: IMsgStore, inbox: IMAPIFolder
) -> None:
    news: list[object] = []
    store.Advise(inbox.entry, consts.fnevNewMail, IMAPIAdviseSink(news.extend))
    with smtplib.SMTP(HOST, server.ports["smtp"]) as smtp:
        smtp.sendmail(BOB, [ALICE], f"From: {BOB}\r\nTo: {ALICE}\r\nSubject: Knock\r\n\r\nHello.\r\n")
    assert awaited(lambda: news)
    (mail,) = news
    assert isinstance(mail, NEWMAIL_NOTIFICATION)
    message = inbox.OpenEntry(mail.lpEntryID, None, consts.MAPI_MODIFY)
    assert message.GetProps([pr.SUBJECT])[0].Value == "Knock"
    message.SetReadFlag()
    client = imap(server, ALICE)
    assert client.search(None, "SEEN SUBJECT Knock")[1][0]
    client.logout()


def test_letter_of_the_program_is_fetched_by_imap(
    server: Spawned, mapi: IMAPISession, store: IMsgStore
) -> None:
    outbox = store.OpenEntry(store.GetProps([pr.IPM_OUTBOX_ENTRYID])[0].Value, None, consts.MAPI_MODIFY)
    message = outbox.CreateMessage()
    message.SetProps([SPropValue(pr.SUBJECT, "Grüße"), SPropValue(pr.BODY, "From a program.")])
    asked = [[SPropValue(pr.DISPLAY_NAME, BOB), SPropValue(pr.RECIPIENT_TYPE, consts.MAPI_TO)]]
    message.ModifyRecipients(consts.MODRECIP_ADD, mapi.OpenAddressBook().ResolveName(0, 0, None, asked))
    message.SubmitMessage()
    client = imap(server, BOB)

    def there() -> bytes | None:
        client.noop()
        found = client.search(None, "TEXT", '"From a program."')[1][0]
        return found or None

    number = awaited(there)
    assert isinstance(number, bytes)
    _, data = client.fetch(number.decode(), "(BODY[])")
    raw = data[0][1]  # type: ignore[index]
    assert b"From: " in raw and ALICE.encode() in raw
    assert b"Subject: =?utf-8?" in raw.replace(b"UTF-8", b"utf-8")
    client.logout()
    sent = store.OpenEntry(store.GetProps([pr.IPM_SENTMAIL_ENTRYID])[0].Value)
    assert sent.GetContentsTable().GetRowCount() == 1


def test_wrong_password_lets_nobody_in(server: Spawned, tmp_path: Path) -> None:
    from quintet.mapi.core import errors

    settings = {"data": str(server.folder), "account": ALICE, "password": "wrong"}
    with pytest.raises(errors.MAPIErrorLogonFailed):
        session.opened(Profile([used("QUINTET", None, settings)]))
