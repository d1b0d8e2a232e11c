"""A feed to one peer: what is offered, put off, let go, and over how many connections; the peer is a sham."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from quintet.clock import FrozenClock
from quintet.config.peers import Peer
from quintet.delivery.feeds import feeder as feeders
from quintet.delivery.feeds.feeder import Feeder
from quintet.delivery.feeds.link import Most, Outgoing, Verdict
from quintet.delivery.feeds.select import Choice
from quintet.errors import Hangup, Reason, Refused, TryLater
from quintet.store import entries, feeding, groups
from quintet.store.content import content_of
from quintet.store.db import Tx
from quintet.store.store import Store
from tests.support.feedhouse import article, until
from tests.support.stores import open_store
from tests.support.turns import others

PATIENCE_S = 30.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GROW_S", "NOTE_S", "LOOK_S", "RECONNECT_S"):
        monkeypatch.setattr(feeders, name, 0.02)


class House:
    """A store with a group, articles, and a peer that answers as it is told."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = store.clock
        self.said: Callable[[str], Verdict] = lambda _: Verdict.TAKEN  # when it is offered, or sent
        self.offered = Counter[str]()
        self.sent: list[str] = []
        self.bodies: dict[str, Outgoing] = {}
        self.opened = self.most = self.open = 0
        self.slow = asyncio.Event()  # rounds wait for it
        self.slow.set()
        self.streams = True
        self.trouble: list[Exception] = []  # of the next connections

    async def opener(self, peer: Peer) -> Link:
        if self.trouble:
            raise self.trouble.pop(0)
        self.opened += 1
        self.open += 1
        self.most = max(self.most, self.open)
        return Link(self)

    async def put(self, *names: str, size: int = 10) -> None:
        group = self.store.peek(groups.find, "local.test")
        assert group is not None
        for name in names:
            content = content_of(article(name, body="x" * size + "\r\n"))
            await self.store.write(
                groups.file, [group.id], content, path=b"us.test!u", host="us.test",
                received_at=self.clock.now(), message_id=f"<{name}>",
            )  # fmt: skip

    @asynccontextmanager
    async def feed(self, **options: object) -> AsyncIterator[Feeder]:
        peer = Peer(name="them", host="127.0.0.1", send="*", **options)  # type: ignore[arg-type]
        made = Feeder(self.store, peer, self.opener, clock=self.clock, owner="here:1:x")  # type: ignore[arg-type]
        task = asyncio.create_task(made.run())
        await until(lambda: bool(self.store.peek(feeding.backlogs)))
        try:
            yield made
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert self.open == 0  # no connection is left open

    @property
    def backlog(self) -> feeding.Backlog:
        return self.store.peek(feeding.backlogs)[0]

    def advance(self, seconds: float) -> None:
        assert isinstance(self.clock, FrozenClock)
        self.clock.advance(seconds)


class Link:
    """One connection to the sham."""

    most = Most()

    def __init__(self, house: House) -> None:
        self._house = house

    @property
    def streams(self) -> bool:
        return self._house.streams

    async def round(
        self, articles: Sequence[Outgoing], offers: Sequence[str]
    ) -> tuple[list[Verdict], list[Verdict]]:
        house = self._house
        await house.slow.wait()
        house.offered.update(offers)
        house.sent += [one.message_id for one in articles]
        house.bodies.update({one.message_id: one for one in articles})
        told = [house.said(one.message_id) for one in articles]
        asked = [house.said(one) for one in offers]
        return told, [Verdict.WANTED if one in (Verdict.TAKEN, Verdict.REFUSED) else one for one in asked]

    async def offer_one(self, article: Outgoing) -> Verdict:
        house = self._house
        house.offered[article.message_id] += 1
        verdict = house.said(article.message_id)
        if verdict in (Verdict.TAKEN, Verdict.REFUSED):
            house.sent.append(article.message_id)
        return verdict

    async def close(self) -> None:
        self._house.open -= 1


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_store(tmp_path / "data") as store:
        await store.write(groups.create, "local.test")
        yield House(store)


def _idle(house: House) -> Callable[[], bool]:
    return lambda: house.backlog.ranges == 0 and not house.backlog.ahead


@pytest.mark.parametrize("streams", [True, False])
async def test_all_is_sent_once_and_settled(house: House, *, streams: bool) -> None:
    house.streams = streams
    names = [f"{number}@x" for number in range(120)]
    async with house.feed():
        await house.put(*names)
        await until(lambda: len(house.sent) == 120)
        await until(_idle(house))
    assert Counter(house.sent) == Counter(f"<{name}>" for name in names)
    assert house.backlog.later == 0


@pytest.mark.parametrize("streams", [True, False])
async def test_what_is_put_off_comes_again_later(house: House, *, streams: bool) -> None:
    """431, 436 (RFC 4644 2.4.2, RFC 3977 6.3.2.2): again, each time after twice as long."""
    house.streams = streams
    house.said = lambda name: Verdict.LATER if name == "<busy@x>" else Verdict.TAKEN
    async with house.feed():
        await house.put("a@x", "busy@x")
        await until(lambda: house.backlog.later == 1)
        await until(_idle(house))  # it does not hold up the others
        assert house.sent == ["<a@x>"]
        first = house.store.peek(feeding.next_due, "them")
        house.advance(20)
        await asyncio.sleep(0.2)
        assert house.offered["<busy@x>"] == 1  # not yet
        house.advance(20)
        await until(lambda: house.offered["<busy@x>"] == 2)
        await until(lambda: (house.store.peek(feeding.next_due, "them") or 0) > house.clock.now())
        second = house.store.peek(feeding.next_due, "them")
        assert first is not None and second is not None
        assert second - house.clock.now() >= 40_000
        house.said = lambda _: Verdict.TAKEN
        house.advance(100)
        await until(lambda: "<busy@x>" in house.sent)
        await until(lambda: house.backlog.later == 0)
    assert house.sent.count("<busy@x>") == 1


async def test_what_is_put_off_again_and_again_is_let_go(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeders, "MAX_ATTEMPTS", 3)
    house.said = lambda _: Verdict.LATER
    async with house.feed():
        await house.put("a@x")
        for attempt in range(1, 5):
            await until(lambda attempt=attempt: house.offered["<a@x>"] == attempt)
            if attempt < 4:  # it is written down when it comes again
                now = house.clock.now()
                await until(lambda now=now: (house.store.peek(feeding.next_due, "them") or 0) > now)
            house.advance(2000)
        await until(lambda: house.backlog.later == 0)
        await asyncio.sleep(0.1)
    assert house.offered["<a@x>"] == 4


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("verdict", [Verdict.KNOWN, Verdict.REFUSED])
async def test_what_is_not_wanted_is_let_go(house: House, verdict: Verdict, *, streams: bool) -> None:
    """435, 438: known there; 437, 439: not taken.  Neither is ever offered again."""
    house.streams = streams
    house.said = lambda _: verdict
    async with house.feed() as feed:
        await house.put("a@x", "b@x")
        await until(lambda: feed.sent[verdict] == 2)
        await until(_idle(house))
        house.advance(100_000)
        await asyncio.sleep(0.2)
    assert house.offered == {"<a@x>": 1, "<b@x>": 1}
    assert house.backlog.later == 0
    assert len(house.sent) == (2 if verdict is Verdict.REFUSED else 0)


async def test_a_delayed_article_waits(house: House) -> None:
    async with house.feed(delay_s=60.0):
        await house.put("a@x")
        house.advance(30)
        await house.put("b@x")
        await asyncio.sleep(0.3)
        assert house.sent == []
        house.advance(31)
        await until(lambda: house.sent == ["<a@x>"])
        await asyncio.sleep(0.1)
        assert house.sent == ["<a@x>"]
        house.advance(30)
        await until(lambda: house.sent == ["<a@x>", "<b@x>"])


async def test_what_was_cancelled_meanwhile_is_not_sent(house: House) -> None:
    group = house.store.peek(groups.find, "local.test")
    assert group is not None
    async with house.feed(delay_s=60.0):
        await house.put("a@x", "b@x")
        await house.store.write(entries.expunge, group.id, [1])
        house.advance(61)
        await until(lambda: house.sent == ["<b@x>"])
        await until(_idle(house))


async def test_only_the_own_share_is_offered(house: House) -> None:
    names = [f"{number}@x" for number in range(60)]
    async with house.feed(hashfeed="1/2"):
        await house.put(*names)
        await until(_idle(house))
        await asyncio.sleep(0.1)
    first = set(house.sent)
    house.sent.clear()
    await house.store.write(feeding.close_feed, "them")
    async with house.feed(hashfeed="2/2"):
        await house.store.write(feeding.rewind, "them", 0)
        await house.put("more@x")
        await until(_idle(house))
        await until(lambda: len(first) + len(set(house.sent) - {"<more@x>"}) >= 60)
    assert not first & set(house.sent)
    assert first | set(house.sent) >= {f"<{name}>" for name in names}


async def test_header_only(house: House) -> None:
    async with house.feed(header_only=True):
        await house.put("a@x")
        await until(lambda: "<a@x>" in house.bodies)
    assert house.bodies["<a@x>"].header_only


# --- connections ------------------------------------------------------------------------------------


async def test_connections_grow_with_the_work_and_go_when_idle(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeders, "IDLE_S", 0.2)
    async with house.feed(max_out=3) as feed:
        await house.put("a@x")
        await until(lambda: house.sent == ["<a@x>"])
        assert house.most == 1
        house.slow.clear()
        await house.put(*[f"{number}@x" for number in range(400)])
        await until(lambda: feed.connections == 3)
        await asyncio.sleep(0.2)
        assert house.most == 3  # no more than it may have
        house.slow.set()
        await until(lambda: len(house.sent) == 401)
        await until(lambda: feed.connections == 0)
        assert house.open == 0
        await house.put("z@x")
        await until(lambda: "<z@x>" in house.sent)
    assert len(set(house.sent)) == len(house.sent) == 402


async def test_a_little_work_needs_one_connection(house: House) -> None:
    async with house.feed(max_out=8):
        for number in range(20):
            await house.put(f"{number}@x")
            await asyncio.sleep(0.01)
        await until(lambda: len(house.sent) == 20)
    assert house.most == 1


async def test_a_connection_that_breaks_loses_nothing(house: House) -> None:
    broken: list[str] = []

    def breaks(name: str) -> Verdict:
        if len(broken) < 3:
            broken.append(name)
            raise Hangup(Reason.CLOSED, "gone")
        return Verdict.TAKEN

    house.said = breaks
    names = [f"{number}@x" for number in range(70)]
    async with house.feed():
        await house.put(*names)
        await until(lambda: set(house.sent) >= {f"<{name}>" for name in names})
        await until(_idle(house))
    assert house.opened == 4


@pytest.mark.parametrize(
    "trouble",
    [Hangup(Reason.CLOSED, "no route"), TryLater(Reason.BUSY, "400"), Refused(Reason.NO_PERMISSION)],
)
async def test_no_connection_is_tried_again(
    house: House, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    monkeypatch.setattr(feeders, "MAX_RECONNECT_S", 0.1)
    house.trouble = [trouble] * 3
    async with house.feed():
        await house.put("a@x")
        await until(lambda: "no connection" in house.backlog.state)
        await until(lambda: bool(house.sent))
    assert house.sent == ["<a@x>"] and not house.trouble


async def test_a_peer_that_takes_connections_and_drops_them_is_left_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a program that fails each time: tried again, each time after twice as long."""
    monkeypatch.setattr(feeders, "MAX_RECONNECT_S", 0.7)

    def drops(name: str) -> Verdict:
        raise Hangup(Reason.CLOSED, "go away")

    house.said = drops
    async with house.feed():
        await house.put("a@x")
        await until(lambda: house.opened >= 1)
        await asyncio.sleep(1.2)
        assert house.opened <= 8
        house.said = lambda _: Verdict.TAKEN
        await until(lambda: house.sent == ["<a@x>"])


async def test_a_bug_in_one_part_ends_the_feed_so_that_it_begins_anew(house: House) -> None:
    """`runner` logs it and starts another one; a feed that only stood still would be noticed by nobody."""
    house.trouble = [ValueError("a bug")]
    peer = Peer(name="them", host="127.0.0.1", send="*")
    made = Feeder(house.store, peer, house.opener, clock=house.clock, owner="here:1:x")  # type: ignore[arg-type]
    running = asyncio.create_task(made.run())
    await until(lambda: bool(house.store.peek(feeding.backlogs)))
    await house.put("a@x")
    async with asyncio.timeout(30):
        with pytest.raises(ValueError, match="a bug"):
            await running
    async with house.feed():
        await until(lambda: house.sent == ["<a@x>"])


async def test_blind_when_nearly_all_is_taken_and_asking_when_not(house: House) -> None:
    """innfeed: no-check-high 95, no-check-low 90."""
    async with house.feed() as feed:
        await house.put(*[f"{number}@x" for number in range(300)])
        await until(lambda: len(house.sent) == 300)
        assert feed.blind
        asked = sum(house.offered.values())
        await house.put("blind@x")
        await until(lambda: "<blind@x>" in house.sent)
        assert sum(house.offered.values()) == asked
        house.said = lambda _: Verdict.REFUSED
        await house.put(*[f"r{number}@x" for number in range(30)])
        await until(lambda: not feed.blind and feed.sent[Verdict.REFUSED] == 30)
        house.said = lambda _: Verdict.KNOWN
        sent = len(house.sent)
        await house.put("k@x")
        await until(lambda: house.offered["<k@x>"] == 1)
        assert len(house.sent) == sent


async def test_a_paused_feed_sends_nothing(house: House) -> None:
    async with house.feed():
        await house.store.write(feeding.pause, "them", True)
        await house.put("a@x")
        await asyncio.sleep(0.2)
        assert house.sent == []
        await house.store.write(feeding.pause, "them", False)
        await house.put("b@x")
        await until(lambda: house.sent == ["<a@x>", "<b@x>"])


async def test_others_have_their_turn_between_headers_that_take_long(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{number}@x" for number in range(30)]
    wants, seen = Choice.wants, list[int]()
    async with others() as turns, house.feed(delay_s=60.0):

        def slowly(self: Choice, one: feeding.Listed) -> bool:
            house.advance(0.01)  # as with thousands of groups
            seen.append(turns.count)
            return wants(self, one)

        monkeypatch.setattr(Choice, "wants", slowly)
        await house.put(*names)
        house.advance(61)
        await until(lambda: len(house.sent) == 30)
    assert len(seen) == len(set(seen)) == 30


async def test_all_are_sent_once_where_few_headers_are_read_together(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{number}@x" for number in range(30)]
    monkeypatch.setattr(feeding, "HEADS", 1000)  # of four articles or so
    read, pages = feeding.listed, list[int]()

    def reading(tx: Tx, low: int, high: int) -> tuple[list[feeding.Listed], int]:
        found = read(tx, low, high)
        pages.append(len(found[0]))
        return found

    monkeypatch.setattr(feeding, "listed", reading)
    async with house.feed(delay_s=60.0, max_out=1):
        await house.put(*names)
        house.advance(61)
        await until(lambda: len(house.sent) >= 30)
        await until(lambda: not house.store.peek(feeding.backlogs)[0].ranges)
    assert house.sent == [f"<{name}>" for name in names]
    assert sum(pages) == 30
    assert max(pages) < 10


async def test_who_lets_it_go_on_or_go_back_waits_for_no_look(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeders, "LOOK_S", 3600.0)
    async with house.feed():
        await house.put("1@x")
        await until(lambda: house.sent == ["<1@x>"])
        await house.store.write(feeding.pause, "them", True)
        await house.put("2@x")
        await asyncio.sleep(0.05)
        assert house.sent == ["<1@x>"]
        await house.store.write(feeding.pause, "them", False)
        await until(lambda: house.sent == ["<1@x>", "<2@x>"])
        await house.store.write(feeding.rewind, "them", 0)
        await until(lambda: house.sent[2:] == ["<1@x>", "<2@x>"])


async def test_who_ends_in_the_middle_offers_nothing_twice(house: House) -> None:
    """A server that is stopped and started again goes on where it was."""
    names = [f"{number}@x" for number in range(130)]
    async with house.feed(max_out=1):
        await house.put(*names)
        await until(lambda: len(house.sent) >= 20)
        house.slow.clear()  # now a round is under way
        asyncio.get_running_loop().call_later(0.2, house.slow.set)
    before = len(house.sent)
    async with house.feed(max_out=1):
        await until(lambda: len(set(house.sent)) == 130)
        await until(_idle(house))
    assert before < 130
    assert len(house.sent) == 130
    assert house.offered.most_common(1)[0][1] == 1


async def test_who_ends_waits_for_no_peer_for_ever(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeders, "FINISH_S", 0.2)
    async with asyncio.timeout(30):
        async with house.feed():
            house.slow.clear()
            await house.put("a@x")
            await until(lambda: house.open == 1)
    assert house.backlog.ahead or house.backlog.ranges  # it is there for the next
