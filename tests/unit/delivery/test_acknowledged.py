"""What was acknowledged when it was received: filed together, known to all, filed when the server ends."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from quintet.config.peers import Peer
from quintet.delivery import behind
from quintet.delivery.arrivalbatch import DUPLICATE, TAKEN
from quintet.delivery.arrivals import Answer, Arrivals, Source
from quintet.delivery.peers import Peers
from quintet.message.dates import format_date
from quintet.store import history
from tests.support.newshouse import CONFIG, HOST, NewsHouse, news_house

PEERS = (Peer(name="up", accept="*"), Peer(name="down", accept="*"))


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[NewsHouse]:
    monkeypatch.setattr(behind, "GATHER_S", 1000.0)  # nothing is filed because time passed
    async with news_house(tmp_path, replace(CONFIG, peer=PEERS, acknowledge="received")) as made:
        await made.given("group local.talk with 0")
        yield made


def arrivals(house: NewsHouse) -> Arrivals:
    assert house.arrivals is not None
    return house.arrivals


def source(house: NewsHouse, peer: Peer = PEERS[0]) -> Source:
    return Source(peer, "127.0.0.1", "c", arrivals(house).offers.owner())


def article(house: NewsHouse, name: str, group: str = "local.talk") -> bytes:
    return (
        f"Path: p!q\r\nFrom: a@example.org\r\nNewsgroups: {group}\r\nSubject: s\r\n"
        f"Date: {format_date(house.clock.now())}\r\nMessage-ID: <{name}@x>\r\n\r\ntext of {name}\r\n"
    ).encode()


def reread(house: NewsHouse) -> Arrivals:
    """As after a reload."""
    old = arrivals(house)
    return Arrivals(
        house.store, house.config, house.news, hostname=HOST, clock=house.clock,
        peers=Peers(house.config.peer), offers=old.offers, behind=old.behind,
    )  # fmt: skip


async def test_those_of_two_peers_share_a_commit_and_keep_their_order(house: NewsHouse) -> None:
    here, two = arrivals(house), [source(house, one) for one in PEERS]
    for number in range(20):
        told = here.take_soon(two[number % 2], b"<%d@x>" % number, article(house, str(number)), True)
        assert told is TAKEN
    commits = house.store.commits
    await here.behind.hasten()
    assert house.store.commits == commits + 1
    texts = [house.article("local.talk", number).rpartition(b"text of ")[2] for number in range(1, 21)]
    for first in (0, 1):
        ours = [int(text) for text in texts if int(text) % 2 == first]
        assert ours == sorted(ours)
        assert len(ours) == 10


async def test_one_on_its_way_is_known_to_other_peers_and_over_a_reload(house: NewsHouse) -> None:
    here, other = arrivals(house), source(house, PEERS[1])
    assert here.ask_one(source(house), b"<a@x>") is Answer.WANTED
    assert here.take_soon(source(house), b"<a@x>", article(house, "a"), True) is TAKEN
    for each in (here, reread(house)):
        assert each.ask(other, [b"<a@x>", b"<b@x>"])[0] is Answer.KNOWN
        assert each.ask_one(other, b"<a@x>") is Answer.KNOWN
        assert each.take_soon(other, b"<a@x>", article(house, "a"), True) is DUPLICATE
        (taken,) = await each.take(other, [(b"<a@x>", article(house, "a"), True)])
        assert taken is DUPLICATE
    assert house.folder("local.talk").messages == 0


async def test_the_end_of_the_server_and_a_reload_lose_nothing(house: NewsHouse) -> None:
    here, after = arrivals(house), reread(house)
    assert here.take_soon(source(house), b"<a@x>", article(house, "a"), True) is TAKEN
    assert after.take_soon(source(house), b"<b@x>", article(house, "b"), True) is TAKEN
    refused = after.take_soon(source(house), b"<c@x>", article(house, "c", "no.such"), True)
    assert refused is not None
    assert refused.text == 'Unwanted newsgroup "no.such"'
    await after.close()
    assert house.folder("local.talk").messages == 2
    assert house.store.peek(history.known, "<c@x>")
    await here.close()
