"""The whole way out: a letter in the queue, a zone, a next host under TLS, and what the sender is told."""

import pytest

from quintet.config.queue import Queue
from quintet.config.route import Route
from quintet.config.tls_out import TlsOut
from quintet.delivery.outbound import Runner
from quintet.delivery.tlspolicies import TlsPolicies
from quintet.delivery.tlstally import Tally
from quintet.net.mtasts import StsPolicy
from quintet.smtp.client import SmtpTransport
from quintet.store import queue
from tests.support import pki
from tests.support.dnszone import dns_server
from tests.support.nexthost import next_host
from tests.unit.delivery.conftest import LETTER, Out

OFFERS = ["PIPELINING", "8BITMIME", "STARTTLS"]


class Sts:
    """One policy for every domain, or none."""

    policy: StsPolicy | None = None

    async def find(self, _: str) -> StsPolicy | None:
        return self.policy


class World:
    """Mail for example.net goes to ``host`` by MX."""

    def __init__(self, out: Out, zone, host, holder: pki.Holder, ca_file: str) -> None:
        self.out, self.zone, self.host, self.holder, self.ca_file = out, zone, host, holder, ca_file
        self.tally, self.sts = Tally(), Sts()
        zone.add("example.net. MX 10 mx.example.net.\nmx.example.net. A 127.0.0.1")
        self.routed()

    def routed(self, most: int = 5, **routes: Route) -> None:
        """By these routes from here on, over so many connections."""
        out, zone, host = self.out, self.zone, self.host
        resolver = zone.resolver(cache=0)
        self.runner = Runner(
            out.house.store,
            Queue(
                routes=routes,
                port=host.port,
                connect_timeout_s=2.0,
                delay_warning_s=0.0,
                idle_s=0.0,
                per_destination=most,
            ),
            directory=out.house.inbound.directory,
            resolver=resolver,
            transport=SmtpTransport("us.example.org", clock=out.house.clock, ca_file=self.ca_file),
            hostname="us.example.org",
            clock=out.house.clock,
            policies=TlsPolicies({}, TlsOut(), resolver, sts=self.sts, tally=self.tally, port=host.port),
        )
        out.runners.append(self.runner)

    async def sent(
        self, data: bytes = LETTER, sender: str = "alice@example.org", **params
    ) -> tuple[int, list[str]]:
        """How many messages came through, and the last words about those that did not."""
        more = {"params": params} if params else {}
        await self.out.queue("bob@example.net", data=data, sender=sender, **more)
        await self.runner.once()
        rows = self.out.house.store.peek(queue.listing)
        return len(self.host.messages), [row.last_error for row in rows]


@pytest.fixture
async def world(out: Out, tmp_path):
    root = pki.authority()
    (tmp_path / "root.pem").write_bytes(root.certificate.public_bytes(pki.PEM))
    # the house's time stands still in the past, OpenSSL's does not
    holder = pki.issue(["mx.example.net"], root, days=(-4000, 4000))
    async with dns_server() as zone, next_host(offers=list(OFFERS), context=holder.context(tmp_path)) as host:
        yield World(out, zone, host, holder, str(tmp_path / "root.pem"))


async def test_letter_goes_by_a_host_that_dane_proves(world: World):
    world.zone.validates = True
    world.zone.add(f"_{world.host.port}._tcp.mx.example.net. TLSA {world.holder.tlsa(3, 1, 1)}")
    assert await world.sent() == (1, [])


async def test_letter_waits_while_the_host_proves_nothing(world: World):
    world.zone.validates = True
    other = pki.issue(["mx.example.net"])
    world.zone.add(f"_{world.host.port}._tcp.mx.example.net. TLSA {other.tlsa(3, 1, 1)}")
    count, [text] = await world.sent()
    assert count == 0
    assert "no TLSA record matches the certificate" in text
    assert not any(line.startswith("MAIL") for line in world.host.heard)


async def test_letter_waits_while_tlsa_records_cannot_be_had(world: World):
    world.zone.validates = True
    world.zone.broken_kinds.add("TLSA")
    count, [text] = await world.sent()
    assert count == 0
    assert "TLSA" in text
    assert world.host.connections == 0


async def test_relay_that_publishes_tlsa_records_must_prove_itself_by_them(world: World):
    # RFC 7672 2.2.2: a relay that was configured has records at its own name and port
    world.zone.validates = True
    relay = Route(via="smtp", host="mx.example.net", port=world.host.port)
    world.routed(relay=relay)
    assert await world.sent() == (1, [])
    other = pki.issue(["mx.example.net"])
    world.zone.add(f"_{world.host.port}._tcp.mx.example.net. TLSA {other.tlsa(3, 1, 1)}")
    count, [text] = await world.sent()
    assert count == 1
    assert "no TLSA record matches the certificate" in text


async def test_relay_that_must_have_tlsa_records_gets_nothing_without(world: World):
    relay = Route(via="smtp", host="mx.example.net", port=world.host.port, tls="dane")
    world.zone.add(f"_{world.host.port}._tcp.mx.example.net. TLSA {world.holder.tlsa(2, 0, 1)}")
    world.routed(relay=relay)
    count, [text] = await world.sent()  # nobody validated them
    assert count == 0
    assert "no usable TLSA records" in text
    world.zone.validates = True
    world.zone.add(f"_{world.host.port}._tcp.mx.example.net. TLSA {world.holder.tlsa(3, 1, 1)}")
    world.routed(relay=relay)
    world.out.house.clock.advance(3600)
    await world.runner.once()
    assert len(world.host.messages) == 1


async def test_enforced_policy_of_a_relay_is_met(world: World):
    # RFC 8461 3.4: the relay's name is the policy domain
    world.routed(relay=Route(via="smtp", host="mx.example.net", port=world.host.port))
    world.sts.policy = StsPolicy("enforce", 86_400, ("mx.example.net",))
    assert await world.sent() == (1, [])
    world.host.offers.remove("STARTTLS")
    assert (await world.sent())[0] == 1


async def test_stripped_starttls_is_seen_where_a_policy_is_known(world: World):
    # RFC 8461 10: the attack it is made against
    world.host.offers.remove("STARTTLS")
    assert await world.sent() == (1, [])
    world.sts.policy = StsPolicy("enforce", 86_400, ("mx.example.net",))
    count, [text] = await world.sent()
    assert count == 1
    assert "offers no TLS" in text


async def test_enforced_policy_is_met(world: World):
    world.sts.policy = StsPolicy("enforce", 86_400, ("*.example.net",))
    assert await world.sent() == (1, [])


async def test_host_that_the_policy_does_not_name_is_not_connected_to(world: World):
    world.sts.policy = StsPolicy("enforce", 86_400, ("mx.example.com",))
    count, [text] = await world.sent()
    assert count == 0
    assert "not among the hosts of the MTA-STS policy" in text
    assert world.host.connections == 0


async def test_tls_required_no_goes_all_the_same(world: World):
    # RFC 8689 4.2.2
    world.sts.policy = StsPolicy("enforce", 86_400, ("mx.example.com",))
    assert await world.sent(b"TLS-Required: No\r\n" + LETTER) == (1, [])


@pytest.mark.parametrize(
    "offers, named, code",
    [
        ([*OFFERS, "REQUIRETLS"], True, ""),
        (OFFERS, True, "5.7.30"),
        (["REQUIRETLS"], True, "5.7.10"),
        ([*OFFERS, "REQUIRETLS"], False, "5.7.10"),
    ],
)
async def test_requiretls_goes_on_or_comes_back(world: World, offers, named, code):
    # RFC 8689 4.2.1
    world.host.offers[:] = offers
    if named:
        world.sts.policy = StsPolicy("enforce", 86_400, ("mx.example.net",))
    count, waiting = await world.sent(require_tls=True)
    if not code:
        assert (count, waiting) == (1, [])
        assert any(line.startswith("MAIL") and "REQUIRETLS" in line for line in world.host.heard)
        return
    assert (count, waiting) == (0, [])
    report = await world.out.house.last("alice")
    assert f"Status: {code}".encode() in report


@pytest.mark.parametrize("offers", [OFFERS, ["REQUIRETLS"]])
async def test_what_one_letter_demands_is_no_trouble_of_its_host(world: World, offers):
    # RFC 8689 4.2.1 speaks of that message; what waits for the host beside it goes on
    world.host.offers[:] = offers
    world.sts.policy = None if "STARTTLS" not in offers else StsPolicy("enforce", 86_400, ("mx.example.net",))
    world.routed(most=1)
    await world.out.queue("bob@example.net", params={"require_tls": True})
    for name in ("carol", "dave", "erin"):
        await world.out.queue(f"{name}@example.net")
    await world.runner.once()
    assert len(world.host.messages) == 3
    assert world.out.house.store.peek(queue.listing) == []
    assert b"bob@example.net" in await world.out.house.last("alice")
    assert await world.out.house.count("alice") == 1


@pytest.mark.parametrize("offers", [[*OFFERS, "REQUIRETLS"], OFFERS, ["REQUIRETLS"]])
async def test_report_about_requiretls_asks_for_it_and_goes_all_the_same(world: World, offers):
    # RFC 8689 5
    world.host.offers[:] = offers
    assert await world.sent(sender="", require_tls=True) == (1, [])
    (said,) = (line for line in world.host.heard if line.startswith("MAIL FROM:<>"))
    assert said.endswith(" REQUIRETLS") is (len(offers) > len(OFFERS))
