"""Fetching from servers that are odd: their answers cost an article at most, and never hold up the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from quintet.config.news import News
from quintet.config.nntp import Nntp
from quintet.config.peers import Peer
from quintet.delivery.arrivals import Arrivals
from quintet.delivery.feeds import puller
from quintet.delivery.feeds.puller import Puller
from quintet.delivery.offers import Offers
from quintet.delivery.peers import Peers
from quintet.errors import Hangup, Problem, Reason
from quintet.message.headers import format_date
from quintet.store import groups
from quintet.store.store import Store
from tests.support.feedhouse import GROUP, count
from tests.support.stores import open_store


class Odd:
    """A server with articles by number, some of them odd."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.held: dict[int, tuple[str, bytes | None]] = {}
        self.asked: list[str] = []
        self.new: list[str] | None = None  # what NEWNEWS says
        self.tells_ids = True
        self.breaks_at = 0  # the connection ends with that request
        self.closed = 0

    def add(self, name: str, *, of: str = "", names: str = GROUP) -> None:
        """An article that is listed as ``name``; ``of`` is what it calls itself."""
        date = format_date(self._store.clock.now())
        data = (
            f"Path: them!u\r\nFrom: a@x\r\nNewsgroups: {names}\r\nSubject: s\r\nDate: {date}\r\n"
            f"Message-ID: {of or name}\r\n\r\nx\r\n"
        )
        self.held[len(self.held) + 1] = name, data.encode()

    async def group(self, name: str) -> tuple[int, int] | None:
        return (1, len(self.held)) if name == GROUP else None

    async def active(self) -> list[str]:
        return [GROUP, "far.away", "far.away."]

    async def ids(self, low: int, high: int) -> list[tuple[int, str]] | None:
        if not self.tells_ids:
            return None
        return [(number, name) for number, (name, _) in self.held.items() if low <= number <= high]

    async def new_ids(self, pattern: str, since: str) -> list[str] | None:
        return self.new

    async def articles(self, which: Sequence[str], limit: int) -> AsyncIterator[bytes | None]:
        by_id = dict(self.held.values())
        for each in which:
            self.asked.append(each)
            if len(self.asked) == self.breaks_at:
                raise Hangup(Reason.CLOSED, "gone")
            yield by_id.get(each) if each.startswith("<") else self.held.get(int(each), ("", None))[1]

    async def close(self) -> None:
        self.closed += 1


class Fetching:
    """A store, and a puller that reads an odd server."""

    def __init__(self, store: Store, **options: object) -> None:
        self.store, self.server = store, Odd(store)
        peer = Peer(name="them", host="192.0.2.1", **{"pull": "local.*", **options})  # type: ignore[arg-type]
        offers = Offers(store.clock, 10)
        self.arrivals = Arrivals(
            store, Nntp(), News(), hostname="us.test", clock=store.clock, peers=Peers([peer]), offers=offers
        )
        self.puller = Puller(store, peer, self._connect, self.arrivals, clock=store.clock, limit=100_000)

    async def _connect(self, peer: Peer) -> Odd:
        return self.server


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "data") as opened:
        await opened.write(groups.create, GROUP)
        yield opened


@pytest.mark.parametrize("tells_ids", [True, False])
async def test_by_number_each_once(store: Store, *, tells_ids: bool) -> None:
    work = Fetching(store)
    work.server.tells_ids = tells_ids
    for number in range(90):
        work.server.add(f"<{number}@x>")
    assert await work.puller.look() == 90
    work.server.add("<90@x>")
    assert await work.puller.look() == 1
    assert await work.puller.look() == 0
    assert count(store) == 91
    assert len(work.server.asked) == 91
    assert work.server.closed == 3


async def test_what_was_there_before_is_fetched_up_to_a_number(store: Store) -> None:
    work = Fetching(store, pull_first=5)
    for number in range(20):
        work.server.add(f"<{number}@x>")
    assert await work.puller.look() == 5
    assert work.server.asked == ["16", "17", "18", "19", "20"]


async def test_nothing_of_what_was_there_before(store: Store) -> None:
    work = Fetching(store, pull_first=0)
    work.server.add("<1@x>")
    assert await work.puller.look() == 0
    work.server.add("<2@x>")
    assert await work.puller.look() == 1
    assert work.server.asked == ["2"]


async def test_a_group_that_was_made_anew_there(store: Store) -> None:
    work = Fetching(store)
    for number in range(9):
        work.server.add(f"<{number}@x>")
    assert await work.puller.look() == 9
    work.server.held.clear()
    work.server.add("<new@x>")
    assert await work.puller.look() == 1


async def test_a_connection_that_breaks_costs_nothing(store: Store) -> None:
    work = Fetching(store, pull_first=1000)
    for number in range(120):
        work.server.add(f"<{number}@x>")
    work.server.breaks_at = 70
    with pytest.raises(Hangup):
        await work.puller.look()
    assert work.server.closed == 1
    assert count(store) == 50  # the first lot was on the disk
    assert await work.puller.look() == 70
    assert count(store) == 120


@pytest.mark.parametrize("by", ["number", "newnews"])
async def test_odd_articles_are_passed_over(store: Store, by: str) -> None:
    work = Fetching(store, pull_by=by)
    server = work.server
    server.add("<a@x>")
    server.add("<listed@x>", of="<other@x>")
    server.add("<far@x>", names="far.away")
    server.add("<gone@x>")
    server.held[4] = "<gone@x>", None
    server.add("<b@x>")
    server.new = [name for name, _ in server.held.values()]
    await work.puller.look()
    assert count(store) in (2, 3)
    assert {"<a@x>", "<b@x>"} <= work.arrivals._store.known_many(["<a@x>", "<b@x>", "<gone@x>"])


async def test_ids_that_are_none_are_not_asked_for(store: Store) -> None:
    """A line with a blank would be another command, or none: the answers must stay in step."""
    work = Fetching(store, pull_by="newnews")
    work.server.add("<a@x>")
    work.server.new = ["", "nonsense", "<a b@x>", "<a@x>", "<x>", "ä"]
    assert await work.puller.look() == 1
    assert work.server.asked == ["<a@x>"]


async def test_all_ids_of_a_long_answer_are_looked_at(store: Store) -> None:
    work = Fetching(store, pull_by="newnews")
    work.server.add("<last@x>")
    work.server.new = [f"<{number}@none>" for number in range(2000)] + ["<last@x>"]
    assert await work.puller.look() == 1


async def test_without_newnews_by_number(store: Store) -> None:
    work = Fetching(store, pull_by="newnews")
    work.server.add("<a@x>")
    assert await work.puller.look() == 1


async def test_a_full_disk_puts_it_off(store: Store) -> None:
    work = Fetching(store)
    work.server.add("<a@x>")
    store.blobs.reserve = 1 << 60
    store.blobs._looked_at = -10.0
    with pytest.raises(Problem):
        await work.puller.look()
    store.blobs.reserve = 0
    store.blobs._looked_at = -10.0
    assert await work.puller.look() == 1


def test_what_an_article_calls_itself() -> None:
    assert puller.announced(b"From: a\r\nMESSAGE-ID: <a@x> \r\n\r\nMessage-ID: <b@x>\r\n") == b"<a@x>"
    assert puller.announced(b"From: a\r\n\r\nMessage-ID: <b@x>\r\n") == b""
    assert puller.announced(b"Message-ID: <a@x>\r\n") == b"<a@x>"
