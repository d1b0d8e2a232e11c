"""Mail that the queue runner leases in the transaction that accepts it."""

import asyncio
import functools
from contextlib import asynccontextmanager

import pytest

from quintet.delivery.envelope import Envelope, Recipient, mailbox
from quintet.errors import Reason, TryLater
from quintet.net.seam import Peer
from quintet.store import leaving, queue
from quintet.store.content import content_of
from tests.support.nexthost import next_host
from tests.unit.delivery.conftest import LETTER


async def until(done, limit_s: float = 5.0) -> None:
    async with asyncio.timeout(limit_s):
        while not done():
            await asyncio.sleep(0.01)


def accepted(way, letter: bytes, *addresses: str):
    made = Envelope(peer=Peer("c1", "127.0.0.1"), sender=mailbox("alice@example.org"), id="abc")
    made.recipients += [Recipient(mailbox(each)) for each in addresses]
    return way.accept(made, content_of(letter))


@asynccontextmanager
async def claiming(out, **options):
    """A runner that runs, and leases what comes in; with the way in."""
    runner, way = out.runner(**options), out.house.inbound
    way.claims = runner
    running = asyncio.create_task(runner.run())
    await until(lambda: runner.claim() is not None)
    yield runner, way
    await runner.stop(1.0)
    await running


@pytest.fixture
def leases(monkeypatch):
    """How often the queue was looked through."""
    seen = []
    lease = queue.lease

    @functools.wraps(lease)
    def counted(*arguments, **more):
        seen.append(found := lease(*arguments, **more))
        return found

    monkeypatch.setattr(queue, "lease", counted)
    return seen


async def test_new_mail_is_sent_without_a_look_into_the_queue(out, to_host, leases):
    async with next_host() as host, claiming(out, routes=to_host(host.port)) as (_, way):
        for number in range(3):
            await accepted(way, b"Subject: %d\r\n\r\nx\r\n" % number, "zoe@a.example", "bob@b.example")
        await until(lambda: not out.house.store.peek(lambda tx: tx.all("SELECT id FROM queue")))
        assert len([one for one in host.heard if one.startswith("RCPT")]) == 6
        assert leases == []


@pytest.mark.parametrize("why", ["disabled", "backlog", "busy", "stopping", "not running"])
async def test_new_mail_waits_its_turn_where_the_runner_has_no_time(out, to_host, why):
    runner = out.runner(routes=to_host(1), enabled=why != "disabled")
    running = asyncio.create_task(runner.run())
    if why != "disabled":
        await until(lambda: runner.claim() is not None)
    match why:
        case "backlog":
            runner._backlog = True
        case "busy":
            runner._in_hand = dict.fromkeys(range(200))
        case "stopping" | "not running":
            await runner.stop(1.0)
            await running
            runner._stopping = why == "stopping"
    assert runner.claim() is None
    runner._in_hand = {}
    if why not in ("backlog", "busy"):  # else it is taken in its turn
        way = out.house.inbound
        way.claims = runner
        await accepted(way, b"Subject: x\r\n\r\nx\r\n", "zoe@a.example")
        assert [row.state for row in await out.house.queued()] == ["waiting"]
    await runner.stop(1.0)
    await running


async def test_mail_of_a_transaction_that_failed_is_not_taken_over(out, to_host, monkeypatch):
    runner = out.runner(routes=to_host(1))
    running = asyncio.create_task(runner.run())
    await until(lambda: runner.claim() is not None)
    way, taken = out.house.inbound, []
    way.claims = runner
    monkeypatch.setattr(runner, "take_over", taken.append)
    put = queue.put

    def failing(*arguments):
        put(*arguments)
        raise TryLater(Reason.DISK_FULL)

    monkeypatch.setattr(queue, "put", failing)
    with pytest.raises(TryLater):
        await accepted(way, b"Subject: x\r\n\r\nx\r\n", "zoe@a.example")
    assert taken == []
    assert await out.house.queued() == []
    await runner.stop(1.0)
    await running


async def test_mail_for_a_host_that_is_left_alone_rests_like_the_other(out, to_host):
    """It was claimed once, put back, and is not claimed again while the host rests."""
    async with claiming(out, routes=to_host(1), per_destination=1) as (runner, way):  # nobody is there
        for number in range(30):
            await accepted(way, b"Subject: %d\r\n\r\nx\r\n" % number, f"u{number}@a.example")
        await until(lambda: not runner._in_hand)
        rows = await out.house.queued()
        assert len(rows) == 30
        assert {row.state for row in rows} == {"waiting"}


async def test_mail_taken_over_while_the_runner_stops_is_given_back(out, to_host):
    runner = out.runner(routes=to_host(1))
    running = asyncio.create_task(runner.run())
    await until(lambda: runner.claim() is not None)
    claim = runner.claim()
    item = queue.QueueItem(content_of(LETTER), "alice@example.org", b"Received: x\r\n")
    await out.house.store.write(queue.put, item, [queue.To("zoe@a.example")], claim)
    runner._stopping = True
    runner.take_over(claim.taken, claim.contents)
    states = "SELECT state FROM queue_recipient"
    await until(lambda: out.house.store.peek(lambda tx: tx.all(states)) == [("waiting",)])
    await runner.stop(1.0)
    await running


async def test_new_mail_is_sent_from_memory_for_a_moment(out, to_host, monkeypatch):
    """Its bytes and its lease are as they were committed; later, and of other mail, the store is asked."""
    asked = []
    look = leaving.look_at_one

    @functools.wraps(look)
    def counted(tx, recipient, *rest):
        asked.append(queue.get(tx, recipient).address)
        return look(tx, recipient, *rest)

    monkeypatch.setattr(leaving, "look_at_one", counted)
    async with next_host() as host, claiming(out, routes=to_host(host.port)) as (runner, way):
        await accepted(way, b"Subject: new\r\n\r\n.x\r\n", "zoe@a.example")
        await until(lambda: len(host.messages) == 1)
        assert host.messages[0].endswith(b"Subject: new\r\n\r\n.x\r\n")
        assert asked == []
        await out.queue("bob@b.example")
        await until(lambda: len(host.messages) == 2)
        assert asked == ["bob@b.example"]
    assert runner._new == {}


async def test_new_mail_that_waited_is_asked_for(out, to_host):
    """Somebody may have held it meanwhile."""
    async with next_host() as host:
        runner = out.runner(routes=to_host(host.port), per_destination=1)
        claim = queue.Claim(runner.owner, out.house.clock.now() + 60_000)
        item = queue.QueueItem(content_of(LETTER), "alice@example.org")
        await out.house.store.write(queue.put, item, [queue.To("zoe@a.example")], claim)
        await out.house.store.write(queue.hold, claim.taken[0].id)
        out.house.clock.advance(2.0)
        runner.take_over(claim.taken, claim.contents)
        await until(lambda: not runner._in_hand)
        assert host.messages == []
        assert runner._new == {}
