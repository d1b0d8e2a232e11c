"""Routing against a test zone: RFC 5321 section 5, RFC 7505, and routes of the configuration."""

import pytest

from quintet.config.queue import Queue
from quintet.config.route import Route
from quintet.delivery.envelope import NULL, Mailbox
from quintet.delivery.route import Router, Unroutable
from quintet.errors import TryLater
from tests.support.dnszone import dns_server

ZONE = """
two.test MX 20 far.two.test.
two.test MX 10 near.two.test.
near.two.test A 192.0.2.1
near.two.test AAAA 2001:db8::1
far.two.test A 192.0.2.2
equal.test MX 10 a.equal.test.
equal.test MX 10 b.equal.test.
equal.test MX 10 c.equal.test.
bare.test A 192.0.2.3
alias.test CNAME two.test.
null.test MX 0 .
loop.test MX 10 mx.example.org.
backup.test MX 10 real.backup.test.
backup.test MX 20 mx.example.org.
backup.test MX 30 behind.backup.test.
text.test TXT "nothing else"
"""


@pytest.fixture
async def zone():
    async with dns_server(ZONE) as server:
        server.break_("broken.test")
        yield server


def router(out, zone, routes=None, **options) -> Router:
    config = Queue(routes=routes or {}, **options)
    directory = out.house.inbound.directory
    return Router(config, directory, zone.resolver(), names=("mx.example.org",), clock=out.house.clock)


async def hosts(routing: Router, domain: str) -> list[str]:
    return await routing.hosts(routing.destination(domain, NULL))


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("two.test", ["near.two.test", "far.two.test"]),
        ("TWO.test", ["near.two.test", "far.two.test"]),
        ("bare.test", ["bare.test"]),  # RFC 5321 5.1: implicit MX
        ("text.test", ["text.test"]),  # has no address either, which is found out later
        ("alias.test", ["near.two.test", "far.two.test"]),
        ("backup.test", ["real.backup.test"]),  # we are its backup: only those nearer than we
        ("[192.0.2.7]", ["192.0.2.7"]),
        ("[IPv6:2001:db8::7]", ["2001:db8::7"]),
    ],
)
async def test_hosts(out, zone, domain, expected):
    assert await hosts(router(out, zone), domain) == expected


@pytest.mark.parametrize(
    ("domain", "status"),
    [
        ("missing.test", "5.1.2"),
        ("null.test", "5.1.10"),
        ("loop.test", "5.4.6"),
        ("[x-tag:y]", "5.1.2"),
    ],
)
async def test_no_way(out, zone, domain, status):
    with pytest.raises(Unroutable) as caught:
        await hosts(router(out, zone), domain)
    assert caught.value.status == status


async def test_name_service_trouble_is_never_no_such_domain(out, zone):
    with pytest.raises(TryLater):
        await hosts(router(out, zone), "broken.test")


async def test_equal_preference_is_shuffled(out, zone):
    routing = router(out, zone)
    seen = set()
    for chance in (0.0, 0.4, 0.7, 0.99):
        out.house.clock.random = lambda chance=chance: chance
        order = await hosts(routing, "equal.test")
        assert sorted(order) == ["a.equal.test", "b.equal.test", "c.equal.test"]
        seen.add(order[0])
    assert seen == {"a.equal.test", "b.equal.test", "c.equal.test"}


async def test_both_families_of_addresses(out, zone):
    routing = router(out, zone)
    assert await routing.addresses("near.two.test") == ["2001:db8::1", "192.0.2.1"]
    assert await routing.addresses("text.test") == []
    assert await routing.addresses("[192.0.2.9]") == ["192.0.2.9"]
    assert await routing.addresses("unix:/run/x") == ["unix:/run/x"]


async def test_domain_without_any_address_fails_for_good_and_broken_dns_does_not(out, zone):
    runner = out.runner(resolver=zone.resolver())
    await out.queue("a@text.test", "b@broken.test", "c@missing.test")
    await runner.once()
    assert [row.address for row in await out.house.queued()] == ["b@broken.test"]
    reports = b"".join(await out.house.messages("alice"))
    assert b"a@text.test\r\nAction: failed\r\nStatus: 5.4.4" in reports
    assert b"c@missing.test\r\nAction: failed\r\nStatus: 5.1.2" in reports


def test_routes_by_domain_and_sender_in_order(out, zone):
    routes = {
        "boss": Route(
            domains=["example.net"], senders=["boss@example.org", "@vip.example.org"], via="smtp", host="fast"
        ),
        "net": Route(domains=["example.net", ".example.net"], via="smtp", host="relay"),
        "all": Route(via="mx", tls="must"),
    }
    routing = router(out, zone, routes)

    def way(domain: str, sender: str) -> str:
        local, _, host = sender.partition("@")
        return routing.destination(domain, Mailbox(local, host)).key

    assert way("example.net", "boss@example.org") == "route:boss"
    assert way("example.net", "x@vip.example.org") == "route:boss"
    assert way("Example.NET", "alice@example.org") == "route:net"
    assert way("sub.example.net", "alice@example.org") == "route:net"
    assert way("example.com", "alice@example.org") == "route:all:example.com"
    assert way("example.org", "alice@example.org") == "local"
    assert routing.destination("example.com", NULL).via == "mx"


def test_hop_takes_port_and_tls_from_route_or_queue(out, zone):
    routing = router(out, zone, {"r": Route(domains=["a.test"], via="lmtp", host="h")}, port=2525)
    assert routing.hop(routing.destination("b.test", NULL), "mx.b.test", "192.0.2.1").port == 2525
    lmtp = routing.hop(routing.destination("a.test", NULL), "h", "192.0.2.1")
    assert (lmtp.port, lmtp.lmtp) == (24, True)
