"""Rates on the way in: who is counted, what is said, that workers count together."""

from pathlib import Path

import pytest

from quintet import log
from quintet.auth.identity import Identity
from quintet.config.policy import Rates
from quintet.delivery.envelope import Envelope, mailbox
from quintet.delivery.inbound import Inbound
from quintet.delivery.pace import Pace
from quintet.errors import Reason, Refused, TryLater
from quintet.net.limits import network_key
from quintet.net.seam import Peer
from quintet.policy import rates
from quintet.store import trace
from quintet.store.content import content_of
from tests.support.effort import steps
from tests.support.mailhouse import MailHouse, mail_house

LETTER = content_of(b"Message-ID: <1@example.net>\r\nSubject: x\r\n\r\nbody\r\n")


@pytest.fixture
async def house(tmp_path: Path):
    async with mail_house(tmp_path) as made:
        yield made


def paced(house: MailHouse, **limits) -> Inbound:
    meters = rates.Rates(Rates(table=1024, **limits), house.store.data / "run")
    check = Pace(meters, house.store, house.clock)
    return Inbound(house.store, house.config, hostname="mx.example.org", clock=house.clock, checks=[check])


def stranger(address: str = "192.0.2.9", sender: str = "zoe@example.net", **more) -> Envelope:
    return Envelope(peer=Peer("c1", address), sender=mailbox(sender), helo="a.test", **more)


async def own(house: MailHouse, name: str = "alice", **more) -> Envelope:
    identity = Identity(await house.account_id(name), f"{name}@example.org", "PLAIN", "smtp")
    return Envelope(
        peer=Peer("c1", "192.0.2.9"), sender=mailbox(f"{name}@example.org"), identity=identity, **more
    )


def named(way: Inbound, envelope: Envelope, address: str = "alice@example.org") -> None:
    """RCPT."""
    found = way.recipient(envelope, mailbox(address))
    assert way.probe(envelope, found) is None
    envelope.recipients.append(found)


def later(call, *arguments) -> str:
    with pytest.raises(TryLater) as caught:
        call(*arguments)
    assert caught.value.reason is Reason.THROTTLED
    return str(caught.value)


def test_connections_of_an_address_and_of_a_network(house):
    way = paced(house, address_connections="2/minute", network_connections="3/minute")
    for _ in range(2):
        assert way.connected(Peer("c", "192.0.2.1")) is None
    assert later(way.connected, Peer("c", "192.0.2.1")) == (
        "Too many connections from your address, try again in 30 s"
    )
    assert way.connected(Peer("c", "192.0.2.2")) is None
    assert "from your network" in later(way.connected, Peer("c", "192.0.2.3"))
    assert way.connected(Peer("c", "192.0.3.1")) is None
    house.clock.advance(31)
    assert way.connected(Peer("c", "192.0.2.1")) is None


def test_a_customer_of_ipv6_has_one_bucket(house):
    way = paced(house, address_connections="1/minute")
    assert way.connected(Peer("c", "2001:db8::1")) is None
    later(way.connected, Peer("c", "2001:db8::ffff:1"))
    assert way.connected(Peer("c", "2001:db8:0:1::1")) is None
    assert network_key("2001:db8:1:2::3") == "2001:db8:1::/48"
    assert network_key("::ffff:192.0.2.7") == network_key("192.0.2.200") == "192.0.2.0/24"


def test_this_machine_and_exempt_networks_are_not_counted(house):
    way = paced(house, address_connections="1/day", address_messages="1/day", exempt=("198.51.100.0/24",))
    for address in ("127.0.0.1", "::1", "unix", "memory", "198.51.100.7"):
        for _ in range(5):
            assert way.connected(Peer("c", address)) is None
            assert way.sender(stranger(address)) is None


def test_messages_of_strangers_by_address_and_by_sender_domain(house):
    way = paced(house, address_messages="3/hour", sender_messages="2/hour")
    for _ in range(2):
        way.sender(stranger())
    assert "from this sender's domain" in later(way.sender, stranger())
    way.sender(stranger(sender="zoe@other.example"))
    assert (
        later(way.sender, stranger(sender="yan@third.example"))
        == "Too many messages from your address, try again in 1200 s"
    )
    way.sender(stranger(sender="", address="192.0.2.77"))


def test_recipients_by_address_recipient_and_domain(house):
    way = paced(house, address_recipients="4/hour", recipient_messages="2/hour", domain_recipients="3/hour")
    one = stranger()
    named(way, one)
    named(way, one, "Alice@example.org")
    assert "for this recipient" in later(named, way, one)
    named(way, one, "bob@example.org")
    assert "for this domain" in later(named, way, one, "carol@example.org")
    other = stranger("203.0.113.1")
    assert "for this domain" in later(named, way, other, "carol@example.org")


def test_who_guesses_addresses_learns_nothing_more(house):
    way = paced(house, address_failed="2/hour")
    one = stranger()
    for name in ("x", "y"):
        with pytest.raises(Refused):
            way.recipient(one, mailbox(f"{name}@example.org"))
    for name in ("z", "alice"):  # there or not: the same answer
        text = later(way.recipient, one, mailbox(f"{name}@example.org"))
        assert text == "Too many unknown recipients from your address, try again in 1800 s"
    named(way, stranger("192.0.2.10"))


async def test_accounts_have_limits_of_their_own_and_no_others(house):
    way = paced(
        house,
        address_messages="1/day",
        sender_messages="1/day",
        account_messages="2/day",
        account_recipients="3/day",
    )
    one = await own(house)
    way.sender(one)
    way.sender(one)
    assert "from your account" in later(way.sender, one)
    for number in range(3):
        named(way, one, f"x{number}@elsewhere.example")
    assert "Too many recipients from your account" in later(named, way, one, "y@elsewhere.example")
    way.sender(await own(house, "bob"))


async def test_exempt_accounts(house):
    way = paced(
        house, account_messages="1/day", recipient_messages="1/day", exempt_accounts=("Alice@example.org",)
    )
    one = await own(house)
    for _ in range(5):
        way.sender(one)
        named(way, one, "bob@example.org")
    other = await own(house, "bob")
    way.sender(other)
    assert later(way.sender, other)  # who is not exempt


async def test_a_stolen_password_is_noticed(house):
    way = paced(house, account_recipients="10/day", account_alert=0.5)
    one = await own(house)
    with log.capture() as lines:
        for number in range(10):
            named(way, one, f"x{number}@elsewhere.example")
        later(named, way, one, "y@elsewhere.example")
        house.clock.advance(8641)
        named(way, one, "y@elsewhere.example")
    warned = [line for line in lines if line["event"] == "account near its limit"]
    assert [(line["account"], line["used"], line["limit"]) for line in warned] == [
        ("alice@example.org", 5, 10),
        ("alice@example.org", 10, 10),
    ]
    assert [line["level"] for line in warned] == ["warning"] * 2
    await house.store.write(trace.add, 0, "x", "last")  # behind the notes that nobody waits for
    noted = [event for event in house.traced() if event.event == "limit"]
    assert noted[0].account_id == one.identity.account_id
    assert noted[0].detail["rate"] == "account_recipients"


async def test_bytes_are_refused_at_mail_where_declared_else_after_the_data(house):
    way = paced(house, address_bytes="100 KB/hour")
    one = stranger(size=90 * 1024)
    way.sender(one)
    named(way, one)
    assert await way.accept(one, content_of(b"a: b\r\n\r\n" + b"x" * 90 * 1024)) == [None]
    assert "Too much mail from your address" in later(way.sender, stranger(size=20 * 1024))
    two = stranger()
    way.sender(two)
    named(way, two)
    with pytest.raises(TryLater):
        await way.accept(two, content_of(b"a: b\r\n\r\n" + b"x" * 20 * 1024))
    assert await house.count("alice") == 1


def test_lmtp_is_not_counted(house):
    way = paced(house, address_messages="1/day", address_recipients="1/day", address_failed="1/day")
    for _ in range(3):
        one = stranger(protocol="LMTP")
        way.sender(one)
        named(way, one)
        with pytest.raises(Refused):
            way.recipient(one, mailbox("nobody@example.org"))


def test_workers_count_together(house):
    first = paced(house, address_messages="2/hour")
    second = paced(house, address_messages="2/hour")
    first.sender(stranger())
    second.sender(stranger())
    assert later(first.sender, stranger()) == later(second.sender, stranger())


async def test_cost_of_a_command(house):
    """No more work than a few calls where nothing is configured, and little where much is."""
    one = stranger()
    limits = {f"{who}_messages": "1000000000/s" for who in ("address", "network", "sender")}
    way = paced(house, **limits)
    way.sender(one)  # the first makes what is remembered
    assert steps(lambda: house.inbound.sender(one)) < 60
    assert steps(lambda: way.sender(one)) < 600
