"""The provider in memory passes what every provider has to; and what only it has."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from quintet.mapi import pr
from quintet.mapi.bag import Item
from quintet.mapi.errors import Code
from quintet.mapi.providers import derive, memory, memstore, registry
from quintet.mapi.providers.base import AddressBook, MessageStore, Opened, Special
from tests.unit.mapi.providers import conformance
from tests.unit.mapi.providers.conformance import letter, refused, subjects


@pytest.fixture
def world() -> Iterator[memory.World]:
    name = str(uuid.uuid4())
    yield memory.world(name)
    memory.forget(name)


class TestMemoryStore(conformance.MessageStoreContract):
    @pytest.fixture
    def store(self, world: memory.World) -> MessageStore:
        found = world.account("ann@example.com").store
        assert found is not None
        return found


class TestMemoryBook(conformance.AddressBookContract):
    @pytest.fixture
    def book(self, world: memory.World) -> AddressBook:
        world.account("bob@example.com", "Bob Beispiel")
        found = world.account("ann@example.com").book
        assert found is not None
        return found

    def test_beginnings_of_words_resolve(self, book: AddressBook) -> None:
        assert len(book.resolve("bei")) == 1
        assert len(book.resolve("b b")) == 1
        assert book.resolve("=bob") != []  # the account, exactly
        assert book.resolve("=bei") == []


class TestLoopback(conformance.TransportContract):
    @pytest.fixture
    def sender(self, world: memory.World) -> Opened:
        self.other = world.account(self.receiver)
        return world.account("ann@example.com")

    def arrived(self, subject: str) -> Item | None:
        store = self.other.store
        assert store is not None
        for entry in store.messages(store.special()[Special.INBOX]).ids():
            item = store.load(entry)
            if item.props[pr.SUBJECT] == subject:
                return item
        return None

    def test_blind_copies_stay_blind_and_strangers_come_back(self, sender: Opened) -> None:
        assert sender.transport is not None
        item = letter("hidden", to="carol@elsewhere.example")
        item.recipients.append(conformance.recipient(self.receiver, derive.BCC))
        (failure,) = sender.transport.send(item, [0, 1])
        assert failure.recipient == 0
        found = self.arrived("hidden")
        assert found is not None
        assert [one[pr.EMAIL_ADDRESS] for one in found.recipients] == ["carol@elsewhere.example"]
        assert not found.props[pr.MESSAGE_FLAGS] & derive.READ


def test_service_is_registered_and_opened_by_its_options(world: memory.World) -> None:
    opened = registry.opened("memory", {"world": world.name, "account": "Ann@Example.com"})
    assert opened.identity[pr.EMAIL_ADDRESS] == "ann@example.com"
    assert opened.store is world.account("ann@example.com").store
    assert "MEMORY" in registry.names()
    refused(Code.INVALID_PARAMETER, registry.opened, "MEMORY", {"colour": "red"})
    refused(Code.NOT_FOUND, registry.opened, "NOBODY", {})
    refused(Code.LOGON_FAILED, registry.opened, "MEMORY", {"account": "a b"})


def test_mail_goes_to_the_folder_for_its_class(world: memory.World) -> None:
    store = world.account("ann@example.com").store
    assert isinstance(store, memstore.MemoryStore)
    folder = store.make_folder(store.top, {pr.DISPLAY_NAME: "Meetings"})
    store.set_receive_folder("IPM.Schedule", folder)
    item = letter("come")
    item.props[pr.MESSAGE_CLASS] = "IPM.Schedule.Meeting.Request"
    store.deliver(item)
    assert subjects(store, folder) == ["come"]
