"""An address book over NSPI passes what every address book has to, and outlives the server's sessions."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from quintet.auth.identity import Identity
from quintet.config.address_book import AddressBook as Rules
from quintet.config.store import Store as StoreConfig
from quintet.errors import Hangup, Reason
from quintet.mapi import pr
from quintet.mapi.errors import Code
from quintet.mapi.http.channel import Answer, ChannelError
from quintet.mapi.http.client import Line
from quintet.mapi.nspi.endpoint import AddressBookEndpoint
from quintet.mapi.providers.base import AddressBook, Thing
from quintet.mapi.providers.wire.book import WireBook
from quintet.store import accounts, lists, teams
from quintet.store.db import Tx
from quintet.store.store import Store
from tests.unit.mapi.providers import conformance
from tests.unit.mapi.providers.conformance import refused

MANY = 130


def people(tx: Tx) -> int:
    accounts.add_domain(tx, "example.com")
    ann = accounts.create(tx, "ann@example.com", display_name="Ann Ahorn").id
    bob = accounts.create(tx, "bob@example.com", display_name="Bob Birke").id
    staff = lists.create(tx, "staff@example.com", ["ann@example.com"])
    lists.join(tx, staff.id, "bob@example.com")
    lists.join(tx, staff.id, "far@elsewhere.example")
    teams.create(tx, "sales", "")
    teams.join(tx, "sales", bob)
    for number in range(MANY):
        accounts.create(tx, f"x{number}@example.com", display_name=f"Xaver {number:03}")
    return int(ann)


class Server:
    """An endpoint on a loop of its own; ``trouble`` is raised by the next requests."""

    def __init__(self, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.store = self.do(Store.open(StoreConfig(data=folder, sync="off")))
        self.who = Identity(self.do(self.store.write(people)), "ann@example.com", "PLAIN", "mapi")
        self.endpoint = AddressBookEndpoint(self.store, Rules, "mail.example.com", lambda: "https://x")
        self.session: Any = None
        self.trouble: list[Exception] = []
        self.asked: list[str] = []

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def ask(self, kind: str, body: bytes) -> bytes:
        self.asked.append(kind)
        if self.trouble:
            raise self.trouble.pop(0)
        if kind == "Bind":
            opened = self.do(self.endpoint.open(self.who, body))
            self.session = opened.state
            return bytes(opened.body)
        return bytes(self.do(self.endpoint.answer(self.session, kind.lower(), body)))

    def stop(self) -> None:
        self.do(self.store.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("nspi"))
    yield made
    made.stop()


class Posts(Line):
    """A connection without a network: the head of an answer, then what the endpoint says."""

    def __init__(self, server: Server) -> None:
        super().__init__("http://mail.example.com/mapi/nspi/", lambda: "")
        self._server = server

    def post(self, headers: Mapping[str, str], body: bytes) -> Answer:
        found = self._server.ask(headers["X-RequestType"], body)
        return 200, [("X-ResponseCode", "0")], b"PROCESSING\r\nDONE\r\nX-ElapsedTime: 1\r\n\r\n" + found


@pytest.fixture
def book(server: Server) -> Iterator[WireBook]:
    made = WireBook(Posts(server))
    yield made
    made.close()
    server.asked.clear()


class TestWireBook(conformance.AddressBookContract):
    @pytest.fixture
    def book(self, book: WireBook) -> AddressBook:
        return book


def test_containers_and_what_is_in_them(book: WireBook) -> None:
    top = book.containers(book.root)
    assert [one[0] for one in top.values(top.ids(), (pr.DISPLAY_NAME,))] == [
        "Global Address List", "All Address Lists",
    ]  # fmt: skip
    assert book.first() == top.ids()[0]
    below = book.containers(top.ids()[1])
    titles = [one[0] for one in below.values(below.ids(), (pr.DISPLAY_NAME,))]
    assert titles == ["All Users", "All Groups", "Mailing Lists", "Public Folders"]
    groups = book.entries(below.ids()[1])
    keys = (pr.DISPLAY_NAME, pr.SMTP_ADDRESS, pr.ADDRTYPE, pr.EMAIL_ADDRESS, pr.OBJECT_TYPE)
    assert groups.values(groups.ids(), keys)[1] == [
        "staff", "staff@example.com", "SMTP", "staff@example.com", Thing.DIST_LIST,
    ]  # fmt: skip
    assert book.containers(below.ids()[0]).ids() == []
    assert book.entries(book.root).ids() == []
    assert book.load(book.root)[pr.OBJECT_TYPE] == Thing.CONTAINER
    [ann] = book.resolve("ann")
    refused(Code.NOT_FOUND, book.containers, ann)
    assert book.resolve("ann", below.ids()[1]) == []


def test_pages_of_rows(book: WireBook) -> None:
    rows = book.entries(book.first())
    ids = rows.ids()
    assert len(ids) == MANY + 4
    [gone] = book.entries(book.first()).values([b"nobody"], (pr.DISPLAY_NAME,))
    assert gone == [None]
    found = rows.values(ids[::-1], (pr.DISPLAY_NAME, pr.INSTANCE_KEY))
    assert found[0] == [f"Xaver {MANY - 1:03}", ids[-1]]
    assert [one[1] for one in found] == ids[::-1]


def test_more_are_meant_than_anybody_chooses_from(book: WireBook) -> None:
    found = book.resolve("xaver")
    assert len(found) == 100
    assert book.load(found[0])[pr.DISPLAY_NAME] == "Xaver 000"


def test_members_that_the_book_knows(book: WireBook) -> None:
    [bob] = book.resolve("bob birke")
    [staff] = book.resolve("staff")
    [sales] = book.resolve("$sales")
    assert book.members(staff) == book.members(sales) == [bob]
    refused(Code.INVALID_OBJECT, book.members, bob)
    refused(Code.NOT_FOUND, book.members, b"nothing")


def test_a_session_that_was_lost(book: WireBook, server: Server) -> None:
    assert book.resolve("ann")
    server.asked.clear()
    for trouble in (ChannelError(10, 200, "gone"), Hangup(Reason.CLOSED)):
        server.trouble = [trouble]
        assert len(book.resolve("ann")) == 1
        assert server.asked == ["ResolveNames", "Bind", "ResolveNames"]
        server.asked.clear()
    server.trouble = [Hangup(Reason.CLOSED), Hangup(Reason.CLOSED)]
    refused(Code.NETWORK_ERROR, book.resolve, "ann")
    for status, code in ((401, Code.LOGON_FAILED), (503, Code.NETWORK_ERROR)):
        server.trouble = [ChannelError(None, status, ""), ChannelError(None, status, "")]
        refused(code, book.resolve, "ann")
    server.trouble.clear()
    assert book.resolve("ann")
