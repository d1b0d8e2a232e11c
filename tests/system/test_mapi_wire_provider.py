"""A mailbox, public folders and the address book over MAPI over HTTP, on our own server as a program."""

from __future__ import annotations

import base64
import ssl
import time
from collections.abc import Iterator

import pytest

from quintet.config.expiry import Retention
from quintet.mapi import pr
from quintet.mapi.bag import Attachment
from quintet.mapi.errors import Code
from quintet.mapi.providers import registry
from quintet.mapi.providers.base import AddressBook, Can, Event, Kind, MessageStore, Opened, Special
from quintet.mapi.providers.wire import discover
from quintet.mapi.providers.wire.store import WireStore
from tests.support.server import HOST, PASSWORD, Spawned, spawn_server
from tests.unit.mapi.providers import conformance
from tests.unit.mapi.providers.conformance import letter, refused, subjects

ALICE, BOB = "alice@example.org", "bob@example.org"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spawned]:
    kept = (Retention(undelete=1.0),)
    with spawn_server(tmp_path_factory.mktemp("server"), retention=kept) as spawned:
        yield spawned


def opened(server: Spawned, address: str = ALICE, **more: str) -> Opened:
    settings = {"address": address, "password": PASSWORD, "url": f"http://{HOST}:{server.ports['http']}"}
    return registry.opened("MAPIHTTP", settings | more)


def store_of(one: Opened) -> MessageStore:
    assert one.store is not None
    return one.store


class TestWireStore(conformance.MessageStoreContract):
    @pytest.fixture
    def store(self, server: Spawned) -> Iterator[MessageStore]:
        one = opened(server)
        store = store_of(one)
        try:
            for place in (store.top, store.special()[Special.FINDER]):
                for entry in store.folders(place).ids():
                    if store.folder(entry)[pr.DISPLAY_NAME] in ("Trial", "Other", "A", "D", "Red"):
                        store.delete_folder(entry)
            yield store
        finally:
            one.close()


class TestWireBook(conformance.AddressBookContract):
    known = BOB

    @pytest.fixture
    def book(self, server: Spawned) -> Iterator[AddressBook]:
        one = opened(server)
        assert one.book is not None
        yield one.book
        one.close()


def test_autodiscover_tells_where_a_mailbox_is(server: Spawned) -> None:
    """MS-OXDSCLI 3.1.5; the address that it tells is the server's own name, which nobody resolves here."""
    url = f"http://{HOST}:{server.ports['http']}{discover.PATH}"
    secret = "Basic " + base64.b64encode(f"{ALICE}:{PASSWORD}".encode()).decode()
    context = ssl.create_default_context(cafile=server.folder / "data" / "self-signed.pem")
    context.check_hostname = False
    found = discover.find(ALICE, secret, url=url, context=context)
    assert "/mapi/emsmdb/?MailboxId=" in found.store
    assert "/mapi/nspi/?MailboxId=" in found.book
    wrong = "Basic " + base64.b64encode(f"{ALICE}:wrong".encode()).decode()
    refused(Code.LOGON_FAILED, discover.find, ALICE, wrong, url=url)
    refused(Code.NOT_FOUND, discover.find, BOB, secret, url=url)


def test_wrong_password_and_absent_server(server: Spawned) -> None:
    assert "Sesame-4711" not in refused(Code.LOGON_FAILED, opened, server, password="Sesame-4711")
    assert HOST in refused(Code.NETWORK_ERROR, opened, server, url=f"http://{HOST}:1")
    refused(Code.INVALID_PARAMETER, opened, server, url="mail.example.org")


def test_submitted_message_arrives_and_is_filed(server: Spawned) -> None:
    one, two = opened(server), opened(server, BOB)
    mine, theirs = store_of(one), store_of(two)
    seen: list[Event] = []
    cancel = theirs.watch(seen.append)
    item = letter("By ROPs", to=BOB)
    item.props[pr.SENDER_EMAIL_ADDRESS] = ALICE
    item.attachments.append(Attachment({pr.ATTACH_LONG_FILENAME: "large.bin"}, bytes(range(256)) * 4096))
    mine.submit(mine.save(mine.special()[Special.OUTBOX], item))
    end = time.monotonic() + conformance.WAIT_S
    while not any(event.kind is Kind.NEW_MAIL for event in seen) and time.monotonic() < end:
        time.sleep(0.05)
    (event,) = [event for event in seen if event.kind is Kind.NEW_MAIL]
    assert event.parent == theirs.special()[Special.INBOX]
    found = theirs.load(event.entry)
    assert (found.props[pr.SUBJECT], found.props[pr.SENDER_EMAIL_ADDRESS]) == ("By ROPs", ALICE)
    assert not isinstance(found.attachments[0].data, bytes)
    assert conformance.content(found.attachments[0]) == bytes(range(256)) * 4096
    assert subjects(mine, mine.special()[Special.SENT]) == ["By ROPs"]
    assert mine.delete(list(mine.messages(mine.special()[Special.SENT]).ids()), hard=True) == 1
    cancel()
    one.close()
    two.close()


def test_session_that_was_lost_is_made_anew(server: Spawned) -> None:
    one = opened(server)
    store = store_of(one)
    entry = store.save(store.special()[Special.DRAFTS], letter("kept"))
    assert isinstance(store, WireStore)
    assert store.link.mailbox is not None
    store.link.mailbox._channel.forget()  # as if the server had been started anew
    assert store.load(entry).props[pr.SUBJECT] == "kept"
    assert store.delete([entry], hard=True) == 1
    one.close()


def test_long_values_and_many_rows_come_whole(server: Spawned) -> None:
    """MS-OXCTABL 2.2.2.5.2: a cell holds 255 characters; what is longer is read from the message."""
    one = opened(server)
    store = store_of(one)
    folder = store.make_folder(store.top, {pr.DISPLAY_NAME: "Trial long"})
    long = "x" * 300
    for number in range(40):
        store.save(folder, letter(f"{number} {long if number == 7 else ''}", body="b" * 5000))
    item = store.load(store.messages(folder).ids()[0])
    assert item.props[pr.BODY].strip() == "b" * 5000
    assert f"7 {long}" in subjects(store, folder)
    rows = store.messages(folder)
    ids = rows.ids()
    values = rows.values([ids[30], ids[3]], [pr.SUBJECT, pr.BODY])
    assert [(row[0].strip(), len(row[1].strip())) for row in values] == [("30", 5000), ("3", 5000)]
    store.delete_folder(folder)
    one.close()


def test_public_folders_are_a_store_beside(server: Spawned) -> None:
    one = opened(server)
    (public,) = one.more_stores
    rows = public.folders(public.top)
    names = [name for (name,) in rows.values(rows.ids(), [pr.DISPLAY_NAME])]
    assert names
    assert public.special() == {Special.PUBLIC: public.top}
    assert Can.SUBMIT not in public.can
    one.close()


def test_answers_of_those_who_were_invited_are_kept(server: Spawned) -> None:
    """MS-OXOCAL 2.2.4.10.2: PidTagRecipientTrackStatus is a column of the recipients that opening tells."""
    one = opened(server)
    store = store_of(one)
    item = letter("Meeting")
    item.props[pr.MESSAGE_CLASS] = "IPM.Appointment"
    item.recipients[0] |= {pr.RECIPIENT_TRACKSTATUS: 3, pr.RECIPIENT_FLAGS: 1}
    entry = store.save(store.special()[Special.CALENDAR], item)
    (found,) = store.load(entry).recipients
    assert (found[pr.RECIPIENT_TRACKSTATUS], found[pr.RECIPIENT_FLAGS]) == (3, 1)
    assert store.delete([entry], hard=True) == 1
    one.close()
