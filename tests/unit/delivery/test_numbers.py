"""Article numbers that another server gives (INN: xrefslave): the same here as there, never twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quintet.clock import SystemClock
from quintet.config.news import News
from quintet.config.nntp import Nntp
from quintet.config.peers import Peer
from quintet.delivery import arrive
from quintet.delivery.arrivalbatch import Fate, Outcome
from quintet.delivery.arrivals import Answer, Arrivals, Source
from quintet.delivery.arrive import Arriving, No
from quintet.delivery.offers import Offers
from quintet.delivery.peers import Peers
from quintet.message.headers import format_date
from quintet.store import articles, entries, groups
from quintet.store.store import Store
from tests.support.stores import open_store

PEER = Peer(name="master", addresses=("192.0.2.1",))


class Slave:
    """A server that takes its numbers from master.test."""

    def __init__(self, store: Store, acknowledge: str = "flushed") -> None:
        self.store = store
        config = Nntp(numbers_from="master.test", acknowledge=acknowledge)
        self.arrivals = Arrivals(
            store, config, News(), hostname="slave.test", clock=store.clock, peers=Peers([PEER]),
            offers=Offers(SystemClock(), 10),
        )  # fmt: skip
        self.source = Source(PEER, "192.0.2.1", "c1")

    def article(
        self, name: str, xref: str, names: str = "local.test", more: str = ""
    ) -> tuple[bytes, bytes, bool]:
        date = format_date(self.store.clock.now())
        whole = (
            f"Path: master.test!u\r\nFrom: a@x\r\nNewsgroups: {names}\r\nSubject: s\r\nDate: {date}\r\n"
            f"Message-ID: {name}\r\n{xref and f'Xref: {xref}' + chr(13) + chr(10)}{more}\r\nx\r\n"
        )
        return name.encode(), whole.encode(), False

    async def take(self, *given: tuple[bytes, bytes, bool]) -> list[Outcome]:
        return await self.arrivals.take(self.source, given)

    def numbers(self, name: str = "local.test") -> dict[int, str]:
        folder = self.store.peek(groups.find, name)
        assert folder is not None
        uids = self.store.peek(entries.uids, folder.id)
        return {uid: self.store.peek(articles.id_of, folder.id, uid) or "" for uid in uids}


@pytest.fixture
async def slave(tmp_path: Path) -> AsyncIterator[Slave]:
    async with open_store(tmp_path / "data") as store:
        for name in ("local.test", "local.other"):
            await store.write(groups.create, name)
        yield Slave(store)


async def test_numbers_are_those_of_the_master(slave: Slave) -> None:
    told = await slave.take(
        slave.article("<a@x>", "master.test local.test:7"),
        slave.article("<b@x>", "master.test local.test:9 local.other:3", "local.test,local.other"),
        slave.article("<c@x>", "MASTER.TEST local.test:10"),
    )
    assert [one.fate for one in told] == [Fate.TAKEN] * 3
    assert slave.numbers() == {7: "<a@x>", 9: "<b@x>", 10: "<c@x>"}
    assert slave.numbers("local.other") == {3: "<b@x>"}
    folder = slave.store.peek(groups.find, "local.test")
    assert folder is not None
    assert (folder.low, folder.high, folder.messages) == (7, 10, 3)
    found = slave.store.peek(articles.by_message_id, "<b@x>")
    assert found is not None
    assert b"\r\nXref: slave.test local.test:9 local.other:3\r\n" in slave.store.read_body(found.body)
    await slave.take(slave.article("<d@x>", "master.test local.test:12"))
    folder = slave.store.peek(groups.find, "local.test")
    assert folder is not None
    assert (folder.low, folder.high, folder.messages) == (7, 12, 4)


async def test_a_number_is_not_given_twice(slave: Slave) -> None:
    await slave.take(slave.article("<a@x>", "master.test local.test:7"))
    for number in (7, 6):
        (told,) = await slave.take(slave.article(f"<{number}@x>", f"master.test local.test:{number}"))
        assert told.fate is Fate.REFUSED
    assert slave.numbers() == {7: "<a@x>"}


async def test_groups_are_those_of_xref(slave: Slave) -> None:
    """What the master filed elsewhere (an alias, a control group) is here where it is there."""
    (told,) = await slave.take(
        slave.article("<a@x>", "master.test local.other:4 far.away:9", "local.test,far.away")
    )
    assert told.fate is Fate.TAKEN
    assert slave.numbers() == {}
    assert slave.numbers("local.other") == {4: "<a@x>"}
    (told,) = await slave.take(slave.article("<b@x>", "master.test far.away:10", "local.test"))
    assert told.text == 'Unwanted newsgroup "local.test"'


@pytest.mark.parametrize(
    ("xref", "text"),
    [
        ("", 'Missing "Xref" header field for xrefslave'),
        ("other.test local.test:7", 'Invalid "Xref" header field "other.test local.test:7"'),
        ("master.test", 'Invalid "Xref" header field "master.test"'),
        ("master.test local.test", 'Invalid "Xref" header field "master.test local.test"'),
        ("master.test local.test:0", 'Invalid "Xref" header field "master.test local.test:0"'),
        ("master.test local.test:x", 'Invalid "Xref" header field "master.test local.test:x"'),
        ("master.test local.test:²", 'Invalid "Xref" header field "master.test local.test:²"'),
        (
            "master.test local.test:2147483648",
            'Invalid "Xref" header field "master.test local.test:2147483648"',
        ),
        ("master.test local.test:7 x", 'Invalid "Xref" header field "master.test local.test:7 x"'),
    ],
)
async def test_17_xref_that_is_none(slave: Slave, xref: str, text: str) -> None:
    """Step 17 of INN's checks; the id is remembered."""
    (told,) = await slave.take(slave.article("<a@x>", xref))
    assert (told.fate, told.text) == (Fate.REFUSED, text)
    assert slave.store.known_many(["<a@x>"]) == {"<a@x>"}


async def test_acknowledged_before_the_flush(slave: Slave) -> None:
    early = Slave(slave.store, "received")
    for name, number in (("<a@x>", 5), ("<b@x>", 8)):
        told = early.arrivals.take_soon(
            early.source, *early.article(name, f"master.test local.test:{number}")
        )
        assert told is not None
        assert told.fate is Fate.TAKEN
    await early.arrivals.close()
    assert early.numbers() == {5: "<a@x>", 8: "<b@x>"}


async def test_a_bug_costs_one_batch_of_what_was_acknowledged(
    slave: Slave, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came behind it is filed all the same."""
    early = Slave(slave.store, "received")
    write, calls = slave.store.write_behind, 0

    async def broken(work: object, *rest: object, **more: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 1:
            early.arrivals.take_soon(early.source, *early.article("<b@x>", "master.test local.test:8"))
            raise RuntimeError("a bug")
        return await write(work, *rest, **more)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(slave.store, "write_behind", broken)
    early.arrivals.take_soon(early.source, *early.article("<a@x>", "master.test local.test:5"))
    await early.arrivals.close()
    assert early.numbers() == {8: "<b@x>"}
    assert early.arrivals.ask(early.source, [b"<a@x>"]) == [Answer.WANTED]  # it may come again


def test_fields_stay_as_they_came() -> None:
    raw = b"Path: a!b\r\nFrom: a\r\nNewsgroups: g\r\nSubject: s\r\nDate: x\r\nMessage-ID: <a@x>\r\n"
    article = arrive.read(raw + b"Xref: m\r\n g:1,\r\n\r\nx\r\n")
    assert isinstance(article, Arriving)
    assert isinstance(arrive.numbered(article, "m"), No)
