"""The own store in process passes what every provider has to; mail goes its way; two processes share it."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quintet.config.store import Store as StoreConfig
from quintet.mapi import pr, restrict
from quintet.mapi.bag import Item
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import glance
from quintet.mapi.providers import derive, listing, registry
from quintet.mapi.providers.base import (
    AddressBook,
    Criteria,
    Event,
    Kind,
    MessageStore,
    Opened,
    Special,
    View,
    Which,
)
from quintet.store import accounts, entries, folders, keeping
from quintet.store.content import content_of
from quintet.store.db import Tx
from quintet.store.store import Store
from tests.unit.mapi.providers import conformance
from tests.unit.mapi.providers.conformance import letter, refused, subjects

ANN, BOB = "ann@example.com", "bob@example.com"


def people(tx: Tx) -> None:
    accounts.add_domain(tx, "example.com")
    for name, title in ((ANN, "Ann Ahorn"), (BOB, "Bob Birke")):
        accounts.create(tx, name, display_name=title)
    keeping.set_window(tx, 86_400_000)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with Ann and Bob; nobody has it open."""
    folder = tmp_path_factory.mktemp("local")
    (folder / "quintet.toml").write_text(
        '[server]\nhostname = "mail.example.com"\n[store]\ndata = "data"\nsync = "off"\n'
    )

    async def fill() -> None:
        store = await Store.open(StoreConfig(data=folder / "data", sync="off"))
        await store.write(people)
        await store.close()

    asyncio.run(fill())
    return folder


@pytest.fixture
def empty(made: Path, tmp_path: Path) -> Path:
    """A copy of one's own; in the life of a process an account is there once, so what is known of it goes."""
    glance._heads.clear()
    return shutil.copytree(made, tmp_path / "own")


@pytest.fixture
def ann(empty: Path) -> Iterator[Opened]:
    opened = registry.opened("QUINTET", {"data": str(empty), "account": ANN})
    yield opened
    opened.close()


@pytest.fixture
def bob(empty: Path) -> Iterator[Opened]:
    opened = registry.opened("QUINTET", {"data": str(empty), "account": BOB})
    yield opened
    opened.close()


def store_of(opened: Opened) -> MessageStore:
    assert opened.store is not None
    return opened.store


class TestLocalStore(conformance.MessageStoreContract):
    @pytest.fixture
    def store(self, ann: Opened) -> MessageStore:
        return store_of(ann)


class TestLocalBook(conformance.AddressBookContract):
    @pytest.fixture
    def book(self, ann: Opened) -> AddressBook:
        assert ann.book is not None
        return ann.book

    def test_identity_is_in_the_book(self, ann: Opened) -> None:
        assert ann.book is not None
        assert ann.identity[pr.EMAIL_ADDRESS] == ANN
        assert ann.book.load(ann.identity[pr.ENTRYID])[pr.DISPLAY_NAME] == "Ann Ahorn"


def sent(store: MessageStore, item: Item) -> None:
    store.submit(store.save(store.special()[Special.OUTBOX], item))


def test_submitted_message_is_delivered_and_filed(ann: Opened, bob: Opened) -> None:
    one, two = store_of(ann), store_of(bob)
    sent(one, letter("Hello Bob", to=BOB))
    (entry,) = two.messages(two.special()[Special.INBOX]).ids()
    item = two.load(entry)
    assert item.props[pr.SUBJECT] == "Hello Bob"
    assert item.props[pr.SENDER_EMAIL_ADDRESS] == ANN
    assert subjects(one, one.special()[Special.SENT]) == ["Hello Bob"]
    assert subjects(one, one.special()[Special.OUTBOX]) == []


def test_message_that_nobody_takes_stays(ann: Opened) -> None:
    store = store_of(ann)
    with pytest.raises(MapiError):
        sent(store, letter("Hello", to="nobody@example.com"))
    assert subjects(store, store.special()[Special.OUTBOX]) == ["Hello"]


def test_news_of_what_another_process_does(ann: Opened, empty: Path) -> None:
    store = store_of(ann)
    seen: list[Event] = []
    cancel = store.watch(seen.append)

    def deliver(tx: Tx) -> None:
        account = accounts.find(tx, ANN)
        assert account is not None
        inbox = folders.by_role(tx, account.id, "inbox")
        assert inbox is not None
        entries.add(
            tx,
            [inbox.id],
            content_of(b"From: x@example.net\r\nSubject: new\r\n\r\nx\r\n"),
            received_at=tx.now,
        )

    async def another() -> None:
        other = await Store.open(StoreConfig(data=empty / "data", sync="off"))
        await other.write(deliver)
        await other.close()

    asyncio.run(another())
    end = time.monotonic() + conformance.WAIT_S
    while not any(event.kind is Kind.NEW_MAIL for event in seen) and time.monotonic() < end:
        time.sleep(0.01)
    (event,) = [event for event in seen if event.kind is Kind.NEW_MAIL]
    assert event.parent == store.special()[Special.INBOX]
    assert store.load(event.entry).props[pr.SUBJECT] == "new"
    cancel()


def test_who_is_let_in(empty: Path, tmp_path: Path) -> None:
    where = {"data": str(empty)}
    refused(Code.LOGON_FAILED, registry.opened, "QUINTET", {**where, "account": "nobody@example.com"})
    refused(Code.LOGON_FAILED, registry.opened, "QUINTET", {**where, "account": ANN, "password": "wrong"})
    refused(Code.ACCESS_DENIED, registry.opened, "QUINTET", {**where, "account": ANN, "mailbox": BOB})
    refused(Code.INVALID_PARAMETER, registry.opened, "QUINTET", {"data": str(tmp_path), "account": ANN})
    (tmp_path / "quintet.toml").write_text("nonsense = 1\n")
    refused(Code.INVALID_PARAMETER, registry.opened, "QUINTET", {"data": str(tmp_path), "account": ANN})


def test_message_keeps_its_id_when_it_changes(ann: Opened) -> None:
    store = store_of(ann)
    drafts = store.special()[Special.DRAFTS]
    entry = store.save(drafts, letter("one"))
    item = store.load(entry)
    item.props[pr.BODY] = "another text"
    assert store.save(drafts, item, old=entry, expected=item.props[pr.CHANGE_KEY]) == entry
    assert store.load(entry).props[pr.BODY].strip() == "another text"


def test_appointment_keeps_what_it_has(ann: Opened) -> None:
    store = store_of(ann)
    item = Item(
        {pr.MESSAGE_CLASS: "IPM.Appointment", pr.SUBJECT: "Talk", pr.START_DATE: 133_444_736_000_000_000}
    )
    entry = store.save(store.special()[Special.CALENDAR], item)
    found = store.load(entry).props
    assert (found[pr.MESSAGE_CLASS], found[pr.SUBJECT], found[pr.START_DATE]) == (
        "IPM.Appointment", "Talk", 133_444_736_000_000_000,
    )  # fmt: skip


@pytest.fixture
def shared(ann: Opened, bob: Opened, empty: Path) -> Iterator[MessageStore]:
    """Ann's mailbox, opened by Bob, who may do anything in the Inbox and the trash."""
    one = store_of(ann)
    for place in (Special.INBOX, Special.DELETED):
        rows = one.table(one.special()[place], Which.RIGHTS)
        rows.append({pr.MEMBER_ENTRYID: bob.identity[pr.ENTRYID], pr.MEMBER_RIGHTS: 0x7FB})
        one.set_table(one.special()[place], Which.RIGHTS, rows)
    opened = registry.opened("QUINTET", {"data": str(empty), "account": BOB, "mailbox": ANN})
    yield store_of(opened)
    opened.close()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("whose", ["own", "shared"])
def test_changes_are_those_between_two_listings(
    whose: str, seed: int, ann: Opened, request: pytest.FixtureRequest
) -> None:
    """The store tells what changed by its change numbers; two listings say what that must be."""
    store: MessageStore = store_of(ann) if whose == "own" else request.getfixturevalue("shared")
    inbox, trash = store.special()[Special.INBOX], store.special()[Special.DELETED]
    chance = random.Random(seed)
    told, listed = store.changes(inbox, b""), listing.compare(store.messages(inbox), b"")
    for _ in range(12):
        for _ in range(chance.randrange(4)):
            step(store, inbox, trash, chance)
        told = store.changes(inbox, told.state)
        listed = listing.compare(store.messages(inbox), listed[0])
        assert sorted(told.changed) == sorted(listed[1])
        assert sorted(told.read) == sorted(listed[2])
        assert sorted(told.gone) == sorted(listed[3])


def step(store: MessageStore, inbox: bytes, trash: bytes, chance: random.Random) -> None:
    """Something that happens to a message."""
    here, there = store.messages(inbox).ids(), store.messages(trash).ids()
    kind = chance.randrange(10)
    if kind < 3 or not here:
        view = View.ASSOCIATED if kind == 0 else View.NORMAL
        store.save(inbox, letter(str(chance.random())), view=view)
        return
    some = chance.sample(list(here), chance.randint(1, min(3, len(here))))
    if kind < 5:
        store.mark_read(some, chance.random() < 0.7)
    elif kind == 5:
        store.update(some[0], {pr.SUBJECT: "changed", pr.NORMALIZED_SUBJECT: "changed"})
    elif kind == 6:
        store.delete(some, hard=chance.random() < 0.5)
    elif kind == 7:
        store.move(some, trash)
    elif kind == 8 and there:
        store.move(there[:1], inbox)
    else:
        store.copy(some, inbox)


def test_a_search_says_when_it_is_done_and_drafts_are_no_mail(ann: Opened) -> None:
    store = store_of(ann)
    told: list[Event] = []
    cancel = store.watch(told.append)
    inbox = store.special()[Special.INBOX]
    draft = letter("mine")
    draft.props[pr.MESSAGE_FLAGS] = derive.UNSENT
    store.save(inbox, draft)
    found = store.make_folder(store.special()[Special.FINDER], {pr.DISPLAY_NAME: "All", pr.FOLDER_TYPE: 2})
    wanted = restrict.Exist(pr.SUBJECT)
    store.set_criteria(found, Criteria(wanted, (inbox,)))
    conformance.until(lambda: any(one.kind is Kind.SEARCH_COMPLETE and one.entry == found for one in told))
    conformance.until(lambda: any(one.kind is Kind.CREATED and one.parent == inbox for one in told))
    assert not any(one.kind is Kind.NEW_MAIL for one in told)
    cancel()
