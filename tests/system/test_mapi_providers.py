"""Providers for other systems, tried on our own server: each passes what every provider has to."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from quintet.mapi import pr
from quintet.mapi.bag import Item
from quintet.mapi.errors import Code
from quintet.mapi.providers import registry
from quintet.mapi.providers.base import Can, MessageStore, Opened, Special
from tests.support.server import HOST, PASSWORD, Spawned, spawn_server
from tests.unit.mapi.providers import conformance
from tests.unit.mapi.providers.conformance import letter, refused, subjects

ALICE, BOB = "alice@example.org", "bob@example.org"
WAIT_S = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spawned]:
    with spawn_server(tmp_path_factory.mktemp("server")) as spawned:
        yield spawned


def imap(server: Spawned, user: str, **more: str) -> Opened:
    settings = {
        "host": HOST,
        "port": str(server.ports["imap"]),
        "tls": "no",
        "user": user,
        "password": PASSWORD,
    }
    sending = {"smtp_host": HOST, "smtp_port": str(server.ports["submission"]), "smtp_tls": "no"}
    return registry.opened("IMAP", settings | sending | more)


def found(store: MessageStore, subject: str) -> Item | None:
    """The message in the Inbox, or None after a fair wait."""
    inbox = store.special()[Special.INBOX]
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        store.refresh()
        rows = store.messages(inbox)
        for one, (text,) in zip(ids := rows.ids(), rows.values(ids, [pr.SUBJECT]), strict=True):
            if text == subject:
                return store.load(one)
        time.sleep(0.1)
    return None


class TestImap(conformance.MessageStoreContract):
    @pytest.fixture
    def store(self, server: Spawned) -> Iterator[MessageStore]:
        opened = imap(server, ALICE, poll="0.2")
        assert opened.store is not None
        try:
            for entry in opened.store.folders(opened.store.top).ids():
                if opened.store.folder(entry)[pr.DISPLAY_NAME] in ("Trial", "Other", "A", "D"):
                    opened.store.delete_folder(entry)
            yield opened.store
        finally:
            opened.close()

    def test_lost_connection_is_made_anew(self, store: MessageStore) -> None:
        entry = store.save(store.special()[Special.INBOX], letter("before"))
        store.boxes._client.socket().close()  # type: ignore[attr-defined]
        assert store.load(entry).props[pr.SUBJECT] == "before"
        assert store.delete([entry]) == 1


class TestSubmission(conformance.TransportContract):
    receiver = BOB

    @pytest.fixture
    def sender(self, server: Spawned) -> Iterator[Opened]:
        self.server = server
        opened = imap(server, ALICE, name="Alice")
        yield opened
        opened.close()

    def arrived(self, subject: str) -> Item | None:
        opened = imap(self.server, BOB)
        assert opened.store is not None
        try:
            return found(opened.store, subject)
        finally:
            opened.close()

    def test_message_arrives(self, sender: Opened) -> None:
        """As `letter` writes it, from an address that is not alice's: the server says so."""
        assert sender.transport is not None
        item = letter("Forged", to=self.receiver)
        refused(Code.SEND_AS_DENIED, sender.transport.send, item, [0])
        item.props[pr.SENDER_EMAIL_ADDRESS] = ALICE
        item.props[pr.SUBJECT] = subject = f"Across {uuid.uuid4()}"
        item.recipients.append(conformance.recipient("nobody@example.org"))
        (failure,) = sender.transport.send(item, [0, 1])
        assert failure.recipient == 1
        assert failure.text.startswith("550 ")
        got = self.arrived(subject)
        assert got is not None
        assert got.props[pr.BODY].split() == ["Hello"]


def test_large_message_comes_piece_by_piece(server: Spawned) -> None:
    opened = imap(server, ALICE)
    assert opened.store is not None
    item = letter("Large")
    content = bytes(range(256)) * 8192
    item.attachments.append(conformance.Attachment({pr.ATTACH_LONG_FILENAME: "large.bin"}, content))
    inbox = opened.store.special()[Special.INBOX]
    entry = opened.store.save(inbox, item)
    (one,) = opened.store.load(entry).attachments
    assert not isinstance(one.data, bytes)
    assert conformance.content(one) == content
    assert opened.store.delete([entry]) == 1
    opened.close()


def test_wrong_password_and_absent_server(server: Spawned, tmp_path: Path) -> None:
    assert "Sesame-4711" not in refused(Code.LOGON_FAILED, imap, server, ALICE, password="Sesame-4711")
    assert HOST in refused(Code.NETWORK_ERROR, imap, server, ALICE, port="1")


def test_listing_asks_for_headers_alone(server: Spawned) -> None:
    """Calendar objects are read whole, since only their body says what they are."""
    opened = imap(server, BOB)
    store = opened.store
    assert store is not None
    folder = store.make_folder(store.top, {pr.DISPLAY_NAME: f"Listing {uuid.uuid4().hex}"})
    for number in range(5):
        store.save(folder, letter(f"Letter {number}", body="x" * 10_000))
    asked: list[str] = []
    client = store.boxes._client  # type: ignore[attr-defined]
    plain = client.fetch
    client.fetch = lambda messages, data: (asked.append(data[0]), plain(messages, data))[1]
    assert subjects(store, folder) == [f"Letter {number}" for number in range(5)]
    assert not [what for what in asked if "BODY.PEEK[]" in what]
    asked.clear()
    assert subjects(store, folder) == [f"Letter {number}" for number in range(5)]
    assert not [what for what in asked if "HEADER" in what]  # kept; only the flags are new
    store.delete_folder(folder)
    opened.close()


# --- POP3 ---------------------------------------------------------------------------------------------------


def pop3(server: Spawned, user: str, **more: str) -> Opened:
    settings = {
        "host": HOST,
        "port": str(server.ports["pop3"]),
        "tls": "no",
        "user": user,
        "password": PASSWORD,
    }
    return registry.opened("POP3", settings | more)


class TestPop3(conformance.MessageStoreContract):
    @pytest.fixture
    def store(self, server: Spawned) -> Iterator[MessageStore]:
        opened = pop3(server, "carol@example.org")
        assert opened.store is not None
        yield opened.store
        opened.close()


def test_maildrop_is_read_and_emptied(server: Spawned) -> None:
    filing = imap(server, "carol@example.org").store
    assert filing is not None
    inbox = filing.special()[Special.INBOX]
    filing.delete(list(filing.messages(inbox).ids()))
    for number, body in enumerate(("short", "x" * 100_000)):
        filing.save(inbox, letter(f"Letter {number}", body=body))
    opened = pop3(server, "carol@example.org")
    store = opened.store
    assert store is not None
    drop = store.special()[Special.INBOX]
    assert subjects(store, drop) == ["Letter 0", "Letter 1"]
    one, two = store.messages(drop).ids()
    assert store.load(two).props[pr.BODY].count("x") == 100_000
    assert store.delete([one]) == 1
    opened.close()
    filing.refresh()
    assert subjects(filing, inbox) == ["Letter 1"]
    filing.close()


# --- news ---------------------------------------------------------------------------------------------------


def news(server: Spawned, **more: str) -> Opened:
    settings = {
        "host": HOST,
        "port": str(server.ports["nntp"]),
        "tls": "no",
        "user": ALICE,
        "password": PASSWORD,
    }
    return registry.opened("NNTP", settings | more)


class TestNews(conformance.MessageStoreContract):
    @pytest.fixture
    def store(self, server: Spawned) -> Iterator[MessageStore]:
        opened = news(server)
        assert opened.store is not None
        yield opened.store
        opened.close()

    def test_special_folders_are_folders(self, store: MessageStore) -> None:
        assert store.special() == {Special.PUBLIC: store.top}

    def test_receive_folders(self, store: MessageStore) -> None:
        assert Can.RECEIVE_FOLDERS not in store.can
        refused(Code.NO_RECEIVE_FOLDER, store.receive_folder, "IPM.Note")

    @pytest.fixture
    def folder(self, store: MessageStore) -> bytes:
        return group(store, "local.test")

    def test_a_row_that_went_away_is_empty(self, store: MessageStore, folder: bytes) -> None:
        nothing = bytes(4) + store.uid + b"\xff" * 40
        assert store.messages(folder).values([nothing], [pr.SUBJECT]) == [[None]]


def group(store: MessageStore, name: str) -> bytes:
    rows = store.folders(store.top)
    ids = rows.ids()
    return next(
        one for one, (text,) in zip(ids, rows.values(ids, [pr.DISPLAY_NAME]), strict=True) if text == name
    )


def test_posting_reading_and_marks(server: Spawned, tmp_path: Path) -> None:
    newsrc = tmp_path / "newsrc"
    newsrc.write_text("comp.lang.python! 1-3\n# a remark\n")
    opened = news(server, newsrc=str(newsrc), name="Alice", address=ALICE)
    store = opened.store
    assert store is not None
    assert opened.transport is not None
    item = letter("By MAPI", body="Two\r\n.lines\r\n")
    item.props[pr.SENDER_EMAIL_ADDRESS] = ALICE
    del item.props[pr.CLIENT_SUBMIT_TIME]
    names = ("local.test", "comp.lang.python")
    item.recipients = [{pr.ADDRTYPE: "NNTP", pr.EMAIL_ADDRESS: name, pr.DISPLAY_NAME: name} for name in names]
    assert opened.transport.send(item, [0, 1]) == []
    for name in names:
        folder = group(store, name)
        entry = list(store.messages(folder).ids())[-1]
        assert subjects(store, folder)[-1] == "By MAPI"
        found = store.load(entry)
        assert found.props[pr.BODY] == "Two\r\n.lines\r\n"
        assert f"Newsgroups: {','.join(names)}" in found.props[pr.TRANSPORT_MESSAGE_HEADERS]
    store.mark_read([entry], True)
    assert store.folder(folder)[pr.CONTENT_UNREAD] == 0
    assert "comp.lang.python! 1-3\n" in newsrc.read_text()
    assert "# a remark" in newsrc.read_text()
    item.recipients[0][pr.EMAIL_ADDRESS] = "nowhere.at.all"
    (failure,) = opened.transport.send(item, [0])
    assert failure.text.startswith("441 ")
    opened.close()
