"""Sites over real sockets: what is shared, what is slowed down, who goes first, who is left alone."""

import asyncio

import pytest

from quintet.config.queue import Limit
from quintet.config.route import Route
from quintet.delivery import sites
from quintet.delivery.shaping import Limits, Shape
from quintet.delivery.sites import Batch, Site
from quintet.store import fetching, queue, queue_rules
from tests.support.dnszone import dns_server
from tests.support.nexthost import next_host

MINUTE = 60_000


async def rcpts(host) -> list[str]:
    return [line[9:-1] for line in host.heard if line.startswith("RCPT")]


ZONE = """
one.test MX 10 mx.shared.test.
two.test MX 10 mx.shared.test.
three.test MX 10 mx.other.test.
mx.shared.test A 127.0.0.1
mx.other.test A 127.0.0.1
"""


async def test_domains_of_one_exchanger_share_limits_and_sessions(out):
    async with dns_server(ZONE) as zone, next_host() as host:
        limits = {"mx:mx.shared.test": Limit(connections=1)}
        runner = out.runner(resolver=zone.resolver(), port=host.port, limits=limits)
        for number in range(3):
            await out.queue(f"a{number}@one.test")
            await out.queue(f"b{number}@two.test")
        await runner.once()
        assert len(host.messages) == 6
        assert host.connections == 1
        await out.queue("c@three.test")
        await runner.once()
        assert host.connections == 2  # another name: another site, though the address is the same


async def test_session_ends_after_its_messages_and_transaction_has_its_recipients(out, to_host):
    async with next_host() as host:
        limits = {"route:next": Limit(connections=1, messages=2, recipients=3)}
        runner = out.runner(routes=to_host(host.port), limits=limits)
        await out.queue(*[f"u{n}@example.net" for n in range(10)])
        await runner.once()
        assert len(host.messages) == 4
        assert host.connections == 2
        assert [line.startswith("RCPT") for line in host.heard].count(True) == 10


async def test_rate_is_kept_and_the_rest_waits(out, to_host):
    async with next_host() as host:
        limits = {"*": Limit(rate="6/m")}  # ten seconds' worth is one message
        runner = out.runner(routes=to_host(host.port), limits=limits)
        for number in range(3):
            await out.queue(f"u{number}@example.net")
        await runner.once()
        assert len(host.messages) == 1
        out.house.clock.advance(10)
        runner._hire()
        while busy := runner._tasks | runner._behind:
            await asyncio.wait(busy)
        assert len(host.messages) == 2


async def test_site_that_is_gone_is_left_alone_without_counting_tries(out, to_host):
    async with next_host() as host:
        port = host.port
    runner = out.runner(routes=to_host(port), retry_s=[5.0])
    await out.queue("first@example.net")
    await runner.once()
    await out.queue("second@example.net")
    assert await runner.once() == 0
    first, second = await out.house.queued()
    assert (first.attempts, second.attempts, second.state) == (1, 0, "waiting")
    assert out.house.store.peek(queue.next_due) == out.house.clock.now() + 30_000
    out.house.clock.advance(31)
    assert await runner.once() == 2
    assert [row.attempts for row in await out.house.queued()] == [2, 1]


async def test_asking_for_mail_ends_the_pause(out, to_host):
    """RFC 1985 5.1: the queue of that host is processed at once."""
    async with next_host() as host:
        port = host.port
    runner = out.runner(routes=to_host(port))
    await out.queue("first@example.net")
    await runner.once()
    async with next_host(port=port) as host:
        await out.queue("second@example.net")
        assert await runner.once() == 0
        out.house.clock.advance(1)
        assert await runner.flush("example.net") == 1
        assert await runner.once() == 2
        assert sorted(await rcpts(host)) == ["first@example.net", "second@example.net"]


async def test_single_letters_do_not_wait_for_a_mailing(out, to_host):
    async with next_host() as host:
        runner = out.runner(routes=to_host(host.port), per_destination=1, max_recipients=10)
        await out.queue(*[f"member{n:03}@example.net" for n in range(500)])
        await runner._take()  # the mailing began
        for number in range(10):
            await out.queue(f"single{number}@example.net")
        await runner.once()
        heard = await rcpts(host)
        assert len(heard) == 510
        places = [at for at, address in enumerate(heard) if address.startswith("single")]
        assert places[-1] < 250


async def test_urgent_letters_go_first_and_the_others_still_go(out, to_host):
    """RFC 6710 4."""
    async with next_host() as host:
        runner = out.runner(routes=to_host(host.port), per_destination=1)
        for number in range(8):
            await out.queue(f"low{number}@example.net", params={"priority": -4})
            await out.queue(f"high{number}@example.net", params={"priority": 6})
        await runner.once()
        heard = [address[:3] for address in await rcpts(host)]
        assert heard[:3] == ["hig"] * 3
        assert heard[:8].count("low") == 2


async def test_suppressed_address_is_refused_at_once_with_the_reason(out, to_host):
    async with next_host() as host:
        await out.house.store.write(queue_rules.suppress, "Gone@example.net", "complained about us")
        runner = out.runner(routes=to_host(host.port))
        await out.queue("gone@example.net", "zoe@example.net")
        await runner.once()
        assert await rcpts(host) == ["zoe@example.net"]
        report = await out.house.last("alice")
        assert b"nothing is sent to this address any more: complained about us" in report
        assert (
            b"zoe@example.net" not in report.partition(b"message/delivery-status")[2].partition(b"\r\n--")[0]
        )


async def test_address_that_bounced_often_is_not_asked_again(out, to_host):
    async with next_host(replies={"RCPT TO:<GONE": "550 5.1.1 no such user"}) as host:
        runner = out.runner(routes=to_host(host.port), suppress_after=2)
        for _ in range(3):
            await out.queue("gone@example.net")
            await runner.once()
        assert len(await rcpts(host)) == 2
        assert await out.house.count("alice") == 3  # told each time


async def test_sender_names_the_recipient_on_a_route_with_verp(out, to_host):
    async with next_host() as host:
        runner = out.runner(routes=to_host(host.port, verp=True), per_destination=1)
        await out.queue("zoe@example.net", "yan@example.com")
        await out.queue("zoe@example.net", sender="")
        await runner.once()
        senders = sorted(line.split()[1] for line in host.heard if line.startswith("MAIL"))
        assert senders == [
            "FROM:<>",
            "FROM:<alice+yan=example.com@example.org>",
            "FROM:<alice+zoe=example.net@example.org>",
        ]


async def test_mail_past_its_deadline_is_returned_untried(out, to_host):
    """RFC 2852 4.1.4: mode R."""
    async with next_host() as host:
        runner = out.runner(routes=to_host(host.port))
        by = {"at": out.house.clock.now() + MINUTE, "mode": "R", "trace": False}
        await out.queue("late@example.net", params={"by": by})
        out.house.clock.advance(61)
        await runner.once()
        assert host.heard == []
        assert await out.house.queued() == []
        assert b"Status: 5.4.7" in await out.house.last("alice")


async def test_mail_that_is_fetched_waits_for_its_host(out):
    runner = out.runner(routes={"dialup": Route(domains=["example.net"], via="wait")})
    await out.queue("zoe@example.net")
    await runner.once()
    (row,) = await out.house.queued()
    assert (row.state, row.last_error) == ("waiting", "waits until its host comes for it")
    until = out.house.clock.now() + MINUTE
    assert await out.house.store.write(queue.lease, "atrn", until, 10, only=["example.net"]) == []
    assert await fetching.flush(out.house.store, "example.net") == 1
    fetched = await out.house.store.write(queue.lease, "atrn", until, 10, only=["example.net"])
    assert [one.address for one in fetched] == ["zoe@example.net"]


async def test_mail_that_nobody_fetches_is_told_of_and_given_up(out):
    """RFC 5321 4.5.4.1."""
    runner = out.runner(routes={"dialup": Route(via="wait")}, delay_warning_s=3600.0)
    await out.queue("zoe@example.net")
    await runner.once()
    assert await out.house.count("alice") == 0
    out.house.clock.advance(2 * 3600)
    await runner.once()
    assert b"Action: delayed" in await out.house.last("alice")
    out.house.clock.advance(5 * 86400)
    await runner.once()
    assert await out.house.queued() == []
    assert b"Status: 5.4.7" in await out.house.last("alice")


@pytest.mark.parametrize(("status", "waits"), [("4.7.0", True), ("5.1.2", False)])
async def test_error_route_says_its_status(out, status: str, waits: bool):
    runner = out.runner(routes={"no": Route(via="error", status=status, text="gone fishing")})
    await out.queue("zoe@example.net")
    await runner.once()
    assert [row.last_error for row in await out.house.queued()] == (["gone fishing"] if waits else [])
    if not waits:
        assert b"Status: 5.1.2" in await out.house.last("alice")


@pytest.mark.parametrize("crowded", [False, True])
async def test_site_with_much_to_do_gives_the_rest_back(out, to_host, crowded: bool):
    runner = out.runner(routes=to_host(1))
    runner._hire = lambda: None  # nobody works
    for _ in range(7):
        await out.queue(*[f"u{n}@slow.example" for n in range(90)])
    if crowded:
        runner._in_hand = dict.fromkeys(range(-1500, 0))
    for _ in range(7):
        await runner._take()
        while runner._behind:
            await asyncio.wait(runner._behind)
    waiting = sum(site.recipients for site in runner.sites)
    assert waiting <= (100 if crowded else 400)
    runner._in_hand = {}
    await out.queue("zoe@quick.example")
    assert [
        one.address
        for one in await out.house.store.write(
            queue.lease, "x", out.house.clock.now() + MINUTE, 100, busy=runner._busy()
        )
        if "quick" in one.address
    ] == ["zoe@quick.example"]


def batch(rank: int, number: int) -> Batch:
    one = queue.Recipient(
        number, number, "a@x", "x", {}, "leased", 0, 0, "", False, 1, None, "", {}, number, 0, rank
    )
    return Batch(None, [one])


def test_every_fourth_batch_is_the_oldest() -> None:
    site = Site("s", Shape(Limits(1, 1), 0))
    for number in range(100, 112):
        site.add(batch(0, number))
    site.add(batch(-3, 1))
    order = [site.pick().rank for _ in range(5)]
    assert order == [0, 0, 0, -3, 0]
    assert site.recipients == site.batches == 8
    assert site.last().recipients[0].id == 111
    assert len(list(site.empty())) == 7 and site.idle


@pytest.mark.parametrize(("waiting", "let_go"), [(2, 0), (3, 1), (6, 4)])
def test_what_waits_beyond_the_room_of_its_site_is_let_go(
    monkeypatch: pytest.MonkeyPatch, waiting: int, let_go: int
) -> None:
    monkeypatch.setattr(sites, "MAX_WAITING", 1)
    every = sites.Sites()
    site = every.by_key["s"] = Site("s", Shape(Limits(1, 1), 0))
    for number in range(waiting):
        site.add(batch(0, number))
    assert [one.recipients[0].id for one in every.excess(False)] == list(range(waiting))[::-1][:let_go]


def test_the_only_batch_of_a_site_stays_however_large_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites, "MAX_WAITING", 1)
    every = sites.Sites()
    site = every.by_key["s"] = Site("s", Shape(Limits(1, 1), 0))
    site.add(Batch(None, [one.recipients[0] for one in (batch(0, 1), batch(0, 2), batch(0, 3))]))
    assert every.excess(False) == []
    site.add(batch(0, 4))
    assert [one.recipients[0].id for one in every.excess(False)] == [4]
    assert (site.batches, site.recipients) == (1, 3)


async def test_sender_names_the_recipient_where_the_client_asked_for_it_and_so_do_reports(out, to_host):
    """XVERP: what comes back, from the next host or from here, tells by its address about whom."""
    async with next_host(replies={"RCPT TO:<NOBODY": "550 5.1.1 who is that"}) as host:
        runner = out.runner(routes=to_host(host.port), per_destination=1)
        await out.queue(
            "zoe@a.example", "nobody@a.example", params={"verp": "-="}, sender="alice@elsewhere.example"
        )
        await runner.once()
        await runner.once()
    assert [line.split(" SIZE")[0] for line in host.heard if line.startswith("MAIL")][:2] == [
        "MAIL FROM:<alice-zoe=a.example@elsewhere.example>",
        "MAIL FROM:<alice-nobody=a.example@elsewhere.example>",
    ]
    assert [line for line in host.heard if line.startswith("RCPT")][2:] == [
        "RCPT TO:<alice-nobody=a.example@elsewhere.example>"
    ]


async def test_administrator_sends_one_message_another_way_and_returns_another(out, to_host):
    async with next_host() as usual, next_host() as other:
        routes = {
            "other": Route(domains=["nobody.example"], via="smtp", host="127.0.0.1", port=other.port),
            **to_host(usual.port),
        }
        runner = out.runner(routes=routes)
        await out.queue("zoe@a.example", "yan@a.example", "xan@a.example", "wan@a.example")
        zoe, yan, xan, _ = await out.house.queued()
        await out.house.store.write(queue.instruct, zoe.id, "route", "other")
        await out.house.store.write(queue.instruct, yan.id, "route", "gone since")
        await out.house.store.write(queue.hold, xan.id)
        await out.house.store.write(queue.instruct, xan.id, "refused", "we do not send this")
        await runner.once()
    assert [line for line in other.heard if line.startswith("RCPT")] == ["RCPT TO:<zoe@a.example>"]
    assert [line for line in usual.heard if line.startswith("RCPT")] == [
        "RCPT TO:<yan@a.example>",
        "RCPT TO:<wan@a.example>",
    ]
    report = await out.house.last("alice")
    assert b"Final-Recipient: rfc822; xan@a.example" in report
    assert b"we do not send this" in report
    assert await out.house.queued() == []


async def test_words_of_ehlo_that_a_host_does_not_mean_are_passed_over(out, to_host):
    async with next_host(offers=["PIPELINING", "SIZE 10", "DSN"]) as host:
        await out.queue("zoe@a.example", params={"ret": "full"})
        await out.runner(routes=to_host(host.port, ignore=["size", "Dsn"])).once()
    assert host.heard[1] == "MAIL FROM:<alice@example.org>"
    assert len(host.messages) == 1
