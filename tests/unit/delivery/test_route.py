"""Routing against a test zone: RFC 5321 section 5, RFC 7505, and routes of the configuration."""

import pytest

from quintet.config.queue import Queue
from quintet.config.route import Route
from quintet.delivery.envelope import NULL, Mailbox
from quintet.delivery.route import MAX_HOPS, Router, Unroutable
from quintet.delivery.tlspolicy import Demand, HopPolicy
from quintet.delivery.transport import Hop
from quintet.errors import Reason, TryLater
from quintet.store import accounts
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
crowd.test MX 10 h0.crowd.test.
h0.crowd.test A 192.0.2.100
crowd.test MX 10 h1.crowd.test.
h1.crowd.test A 192.0.2.101
crowd.test MX 10 h2.crowd.test.
h2.crowd.test A 192.0.2.102
crowd.test MX 10 h3.crowd.test.
h3.crowd.test A 192.0.2.103
crowd.test MX 10 h4.crowd.test.
h4.crowd.test A 192.0.2.104
crowd.test MX 10 h5.crowd.test.
h5.crowd.test A 192.0.2.105
crowd.test MX 10 h6.crowd.test.
h6.crowd.test A 192.0.2.106
crowd.test MX 10 h7.crowd.test.
h7.crowd.test A 192.0.2.107
crowd.test MX 10 h8.crowd.test.
h8.crowd.test A 192.0.2.108
crowd.test MX 10 h9.crowd.test.
h9.crowd.test A 192.0.2.109
crowd.test MX 10 h10.crowd.test.
h10.crowd.test A 192.0.2.110
crowd.test MX 10 h11.crowd.test.
h11.crowd.test A 192.0.2.111
crowd.test MX 10 h12.crowd.test.
h12.crowd.test A 192.0.2.112
crowd.test MX 10 h13.crowd.test.
h13.crowd.test A 192.0.2.113
crowd.test MX 10 h14.crowd.test.
h14.crowd.test A 192.0.2.114
crowd.test MX 10 h15.crowd.test.
h15.crowd.test A 192.0.2.115
crowd.test MX 10 h16.crowd.test.
h16.crowd.test A 192.0.2.116
crowd.test MX 10 h17.crowd.test.
h17.crowd.test A 192.0.2.117
crowd.test MX 10 h18.crowd.test.
h18.crowd.test A 192.0.2.118
crowd.test MX 10 h19.crowd.test.
h19.crowd.test A 192.0.2.119
crowd.test MX 10 h20.crowd.test.
h20.crowd.test A 192.0.2.120
crowd.test MX 10 h21.crowd.test.
h21.crowd.test A 192.0.2.121
crowd.test MX 10 h22.crowd.test.
h22.crowd.test A 192.0.2.122
crowd.test MX 10 h23.crowd.test.
h23.crowd.test A 192.0.2.123
crowd.test MX 10 h24.crowd.test.
h24.crowd.test A 192.0.2.124
alias.test CNAME two.test.
null.test MX 0 .
loop.test MX 10 mx.example.org.
backup.test MX 10 real.backup.test.
backup.test MX 20 mx.example.org.
backup.test MX 30 behind.backup.test.
text.test TXT "nothing else"
cname.test MX 10 alias.near.test.
alias.near.test CNAME near.two.test.
a.equal.test A 192.0.2.11
b.equal.test A 192.0.2.12
c.equal.test A 192.0.2.13
real.backup.test A 192.0.2.14
behind.backup.test A 192.0.2.15
renamed.test MX 10 other-name.test.
renamed.test MX 20 near.two.test.
nearer.test MX 5 near.two.test.
nearer.test MX 10 other-name.test.
nearer.test MX 10 a.equal.test.
nearer.test MX 20 b.equal.test.
other-name.test A 127.0.0.1
many.test A 192.0.2.21
many.test A 192.0.2.22
many.test A 192.0.2.23
many.test A 192.0.2.24
many.test A 192.0.2.25
many.test AAAA 2001:db8::21
many.test AAAA 2001:db8::22
half.test MX 10 broken.test.
half.test MX 20 near.two.test.
gone.test MX 10 nowhere.test.
gone.test MX 20 near.two.test.
nothing.test MX 10 nowhere.test.
same.test MX 10 far.two.test.
same.test MX 10 near.two.test.
"""


@pytest.fixture
async def zone():
    async with dns_server(ZONE) as server:
        server.break_("broken.test")
        yield server


def router(out, zone, routes=None, listens=(), **options) -> Router:
    config = Queue(routes=routes or {}, **options)
    directory = out.house.inbound.directory
    return Router(
        config, directory, zone.resolver(), names=("mx.example.org",), clock=out.house.clock, listens=listens
    )


async def hops(routing: Router, domain: str, **more) -> list[Hop]:
    return [hop async for hop in routing.ways(routing.destination(domain, NULL), **more)]


async def hosts(routing: Router, domain: str) -> list[str]:
    return list(dict.fromkeys(hop.host for hop in await hops(routing, domain)))


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("two.test", ["near.two.test", "far.two.test"]),
        ("TWO.test", ["near.two.test", "far.two.test"]),
        ("bare.test", ["bare.test"]),  # RFC 5321 5.1: implicit MX
        ("cname.test", ["alias.near.test"]),  # a target that is an alias: not allowed, and common
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
        ("text.test", "5.4.4"),
        ("nothing.test", "5.4.4"),
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


async def test_trouble_with_one_host_or_family_leaves_the_others(out, zone):
    routing = router(out, zone)
    found = routing.ways(routing.destination("half.test", NULL))
    assert [(await anext(found)).host, (await anext(found)).host] == ["near.two.test"] * 2
    with pytest.raises(TryLater):  # when near.two.test does not take it, there may still be broken.test
        await anext(found)
    assert await hosts(routing, "gone.test") == ["near.two.test"]
    zone.broken_kinds.add("AAAA")
    assert await router(out, zone).addresses("near.two.test") == ["192.0.2.1"]
    zone.broken_kinds.add("A")
    with pytest.raises(TryLater):
        await router(out, zone).addresses("far.two.test")


async def test_we_are_found_by_address_and_port_when_the_name_is_another(out, zone):
    listens = [("*", 2525), ("unix:/run/x", 0)]
    routing = router(out, zone, port=2525, listens=listens)
    with pytest.raises(Unroutable, match="loops back"):
        await hosts(routing, "renamed.test")
    with pytest.raises(Unroutable, match="loops back"):
        await hosts(routing, "[127.0.0.1]")
    with pytest.raises(Unroutable, match="loops back"):
        await hosts(routing, "[IPv6:::ffff:127.0.0.1]")
    # RFC 5321 5.1: those at our preference are left out too; what is nearer is tried
    found = routing.ways(routing.destination("nearer.test", NULL))
    assert [(await anext(found)).host, (await anext(found)).host] == ["near.two.test"] * 2
    with pytest.raises(Unroutable, match="loops back"):
        await anext(found)
    # the same machine at another port is somebody else
    assert await hosts(router(out, zone, port=2526, listens=listens), "renamed.test") != []
    assert await hosts(router(out, zone, port=2525, listens=[("192.0.2.99", 2525)]), "renamed.test") != []
    with pytest.raises(Unroutable):
        await hosts(router(out, zone, port=2525, listens=[("127.0.0.1", 2525)]), "renamed.test")


async def test_hosts_and_addresses_have_bounds(out, zone):
    many = await hops(router(out, zone), "many.test")
    assert [":" in hop.address for hop in many] == [True, False, True, False]
    assert len(await hops(router(out, zone), "crowd.test")) == MAX_HOPS
    four = await hops(router(out, zone, families="ipv4"), "many.test")
    assert len({hop.address for hop in four} & {f"192.0.2.{n}" for n in range(21, 26)}) == 4
    six = await hops(router(out, zone, families="ipv6"), "many.test")
    assert sorted(hop.address for hop in six) == ["2001:db8::21", "2001:db8::22"]


async def test_destinations_with_the_same_exchangers_are_one_site(out, zone):
    routing = router(out, zone, {"strict": Route(domains=["alias.test"], tls="must")})

    async def site(domain: str) -> str:
        return await routing.site(routing.destination(domain, NULL))

    assert await site("two.test") == await site("same.test")
    assert await site("two.test") != await site("alias.test")  # another route: sessions of another kind
    assert await site("bare.test") != await site("two.test")
    assert await site("broken.test") == "mx:broken.test"
    assert await site("missing.test") == "mx:missing.test"
    assert len(await site("crowd.test")) < 250


async def test_hosts_of_a_route_in_order_equals_by_chance_and_fallback_at_last(out, zone):
    routes = {
        "smart": Route(
            domains=["a.test"],
            via="smtp",
            host="192.0.2.1:587",
            hosts=["[2001:db8::1]:26, 192.0.2.2", "mx:two.test", "bare.test"],
            fallback=["192.0.2.9"],
            port=2525,
        ),
        "mx": Route(domains=["broken.test", "two.test"], fallback=["192.0.2.9:26"]),
        "here": Route(domains=["b.test"], via="smtp", host="localhost"),
    }
    routing = router(out, zone, routes)
    places = [(hop.address, hop.port) for hop in await hops(routing, "a.test")]
    assert places[0] == ("192.0.2.1", 587)
    assert sorted(places[1:3]) == [("192.0.2.2", 2525), ("2001:db8::1", 26)]
    assert places[3:] == [
        ("2001:db8::1", 2525), ("192.0.2.1", 2525), ("192.0.2.2", 2525), ("192.0.2.3", 2525),
        ("192.0.2.9", 2525),
    ]  # fmt: skip
    last = (await hops(routing, "two.test"))[-1]
    assert (last.address, last.port, last.mx) == ("192.0.2.9", 26, False)
    found = routing.ways(routing.destination("broken.test", NULL))
    assert (await anext(found)).address == "192.0.2.9"  # the name service is no reason to wait
    assert {hop.address for hop in await hops(routing, "b.test")} <= {"127.0.0.1", "::1"}


async def test_what_a_program_or_a_proxy_needs(out, zone):
    routes = {
        "p": Route(domains=["p.test"], via="pipe", command=["/bin/cat", "-"], timeout_s=5.0),
        "b": Route(domains=["b.test"], via="batch", file="/var/spool/out.bsmtp"),
        "w": Route(domains=["w.test"], via="wait", fetched_by=["site"]),
        "x": Route(domains=["two.test"], proxy="socks5://192.0.2.80:1080", sources=["192.0.2.81"]),
    }
    routing = router(out, zone, routes)
    (pipe,), (batch,) = await hops(routing, "p.test"), await hops(routing, "b.test")
    assert (pipe.via, pipe.command, pipe.timeout_s) == ("pipe", ("/bin/cat", "-"), 5.0)
    assert (batch.via, batch.path) == ("batch", "/var/spool/out.bsmtp")
    with pytest.raises(TryLater):
        await hops(routing, "w.test")
    near, far = await hops(routing, "two.test")
    assert (near.address, far.address) == ("near.two.test", "far.two.test")  # the proxy resolves them
    assert (near.proxy, near.sources, near.source) == ("socks5://192.0.2.80:1080", ("192.0.2.81",), "")


class Rules:
    """TLS policies that know two hosts."""

    def __init__(self) -> None:
        self.asked, self.more = [], []

    async def policy(self, domain, host, mx_secure, *, demand=Demand.USUAL, port=0, only_dane=False):
        self.asked.append((domain, host, mx_secure, demand))
        self.more.append((host, port, only_dane))
        if host == "near.two.test":
            raise TryLater(Reason.TLS_REQUIRED, "not in the policy")
        return HopPolicy("verify", (host,), why="mta-sts")


async def test_tls_policy_is_asked_once_a_host_unless_the_route_says(out, zone):
    zone.validates = True
    routes = {
        "r": Route(domains=["bare.test"], tls="must"),
        "s": Route(domains=["s.test"], via="smtp", host="x.y"),
    }
    config, policies = Queue(routes=routes), Rules()
    directory, clock = out.house.inbound.directory, out.house.clock
    routing = Router(config, directory, zone.resolver(), names=(), clock=clock, policies=policies)
    found = routing.ways(routing.destination("two.test", NULL), demand=Demand.IGNORE)
    assert (await anext(found)).policy == HopPolicy("verify", ("far.two.test",), why="mta-sts")
    with pytest.raises(TryLater):
        await anext(found)
    assert policies.asked == [
        ("two.test", "near.two.test", True, Demand.IGNORE),
        ("two.test", "far.two.test", True, Demand.IGNORE),
    ]
    (hop,) = await hops(routing, "bare.test")
    assert hop.policy is not None and (hop.policy.level, hop.policy.why) == ("must", "route")
    (hop,) = await hops(routing, "bare.test", demand=Demand.REQUIRE)  # RFC 8689 4.2.1
    assert hop.policy is not None and (hop.policy.level, hop.policy.strict) == ("verify", True)
    assert len(policies.asked) == 2


@pytest.mark.parametrize(
    "route, asked",
    [
        (Route(via="smtp", host="relay.two.test"), [("relay.two.test", 25, False)]),
        (Route(via="smtp", host="relay.two.test", port=587, tls="dane"), [("relay.two.test", 587, True)]),
        (Route(via="smtp", host="relay.two.test:26", tls="must"), []),
        (Route(via="smtp", host="192.0.2.9"), []),
        (Route(via="smtp", host="192.0.2.9", tls="dane"), [("192.0.2.9", 25, True)]),
        (Route(via="lmtp", host="relay.two.test"), []),
        (Route(via="smtp", host="relay.two.test", proxy="socks5://proxy.test:1080"), []),
        (Route(via="smtp", host="mx:bare.test"), [("bare.test", 25, False)]),
        (
            Route(via="mx", domains=["r.test"], fallback=["relay.two.test"]),
            [("nowhere.two.test", 25, False), ("relay.two.test", 25, False)],
        ),
    ],
)
async def test_policy_of_a_relay_is_that_of_its_own_name(out, zone, route, asked):
    # RFC 7672 2.2.2, RFC 8461 3.4
    zone.add("relay.two.test. A 192.0.2.8\nr.test. MX 10 nowhere.two.test.")
    policies, config = Rules(), Queue(routes={"r": route})
    directory, clock = out.house.inbound.directory, out.house.clock
    routing = Router(config, directory, zone.resolver(), names=(), clock=clock, policies=policies)
    assert await hops(routing, "r.test")
    assert policies.more == asked
    assert all(domain == host and secure for domain, host, secure, _ in policies.asked if "relay" in host)


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


async def test_hop_takes_port_and_tls_from_route_or_queue(out, zone):
    routing = router(out, zone, {"r": Route(domains=["a.test"], via="lmtp", host="192.0.2.1")}, port=2525)
    assert (await hops(routing, "bare.test"))[0].port == 2525
    (lmtp,) = await hops(routing, "a.test")
    assert (lmtp.port, lmtp.lmtp, lmtp.mx) == (24, True, False)


async def test_routes_by_everything_else(out, zone):
    routes = {
        "people": Route(recipients=["Bob@example.net", "info-?@*.example.net"], via="discard"),
        "reports": Route(senders=["<>"], domains=["example.net"], via="error"),
        "lists": Route(senders=["*-bounces@example.org"], via="smtp", host="lists"),
        "mine": Route(accounts=["Alice"], via="smtp", host="alices"),
        "big": Route(min_size=1000, via="smtp", host="slow"),
        "small": Route(max_size=10, via="smtp", host="fast"),
        "door": Route(listeners=["submission"], via="smtp", host="door"),
        "open": Route(arrived="clear", via="smtp", host="open"),
        "names": Route(domains=["b\u00fccher.test", ".Example.COM."], via="smtp", host="named"),
    }
    routing = router(out, zone, routes)
    anybody = Mailbox("x", "example.org")

    def way(to: str, sender: Mailbox = anybody, **more) -> str:
        local, _, host = to.partition("@")
        return routing.destination(host, sender, recipient=Mailbox(local, host), **more).name

    assert way("bob@EXAMPLE.net") == "people"
    assert way("info-7@a.example.net") == "people"
    assert way("info-77@a.example.net") == ""
    assert way("joe@example.net", NULL) == "reports"
    assert way("joe@example.net", Mailbox("list-bounces", "example.org")) == "lists"
    assert way("joe@example.net", account="alice") == "mine"
    assert way("joe@example.net", size=1000) == "big"
    assert way("joe@example.net", size=10) == "small"
    assert way("joe@example.net", size=11) == ""
    assert way("joe@example.net", listener="submission") == "door"
    assert way("joe@example.net", secure=False) == "open"
    assert way("joe@xn--bcher-kva.test") == "names"
    assert way("joe@b\u00fccher.test") == "names"
    assert way("joe@deep.example.com") == "names"
    assert way("joe@example.com") == ""


async def test_queued_mail_brings_what_routes_ask_for(out, zone):
    routes = {
        "big": Route(min_size=500, via="smtp", host="slow"),
        "mine": Route(
            accounts=["alice@example.org"], arrived="clear", listeners=["smtp"], via="smtp", host="alices"
        ),
    }
    routing = router(out, zone, routes)
    account = out.house.store.peek(accounts.find, "alice@example.org")
    more = {"account_id": account.id, "params": {"arrived": {"listener": "smtp", "tls": False}}}
    await out.queue("a@two.test", **more)
    await out.queue("b@two.test", data=b"Subject: x\r\n\r\n" + b"x" * 500 + b"\r\n")
    await out.queue("c@two.test")
    rows = await out.house.queued()
    assert [routing.of_row(out.house.store, row).name for row in rows] == ["mine", "big", ""]
