"""Tables of who may what, as a client meets them."""

import gc
from pathlib import Path

import pytest

from quintet.auth.identity import Identity
from quintet.config import root
from quintet.config.access import Access
from quintet.config.policy import Policy, Refuse
from quintet.delivery import waysin
from quintet.delivery.accesschecks import AccessChecks
from quintet.delivery.acting import Acting
from quintet.delivery.clientname import ClientNames
from quintet.delivery.dnslists import DnsLists
from quintet.delivery.envelope import Mailbox, mailbox
from quintet.errors import Refused, TryLater
from quintet.net.dns import Resolver
from quintet.smtp import replies
from tests.support.dnszone import dns_server
from tests.support.mailhouse import LETTER, MailHouse, envelope, inbound, mail_house
from tests.support.policyhost import policy_host


@pytest.fixture
async def house(tmp_path: Path):
    async with mail_house(tmp_path) as made:
        yield made


def way_in(house: MailHouse, folder: Path, resolver: Resolver | None = None, more=(), **tables: str):
    """``client="..."``, ``sender="..."``: the text of a table of each kind; "client_all": for everybody."""
    blocks = []
    for name, text in tables.items():
        file = folder / name
        file.write_text(text)
        of, _, who = name.partition("_")
        blocks.append(Access(of=of, file=str(file), who="everybody" if who else "strangers"))
    names = ClientNames(resolver or Resolver(), timeout_s=3.0)
    acts = Acting()
    checks = [AccessChecks(blocks, ["198.51.100.0/24"], names, house.clock), *more, acts]
    return inbound(house, policy=Policy(), checks=checks, filters=[acts.filter])


async def sent(way, *names: str, **more) -> str:
    """The reply that a client hears: to MAIL, RCPT or the message."""
    made = envelope(way)
    for name, value in more.items():
        setattr(made, name, value)
    try:
        later = way.sender(made)
        if later is not None:
            await later
        for name in names or ("alice",):
            found = envelope(way, name).recipients[0]
            asked = way.probe(made, found)
            if asked is not None:
                await asked
            made.recipients.append(found)
        later = way.ready(made)
        if later is not None:
            await later
        await way.accept(made, LETTER)
    except (Refused, TryLater) as problem:
        return replies.problem(problem).decode().rstrip()
    return ""


@pytest.mark.parametrize(
    ("table", "text", "heard"),
    [
        ("client", "192.0.2.0/24 REJECT 5.7.9 not you", "550 5.7.9 not you"),
        ("helo", "a.test 554 5.7.1 no such host", "554 5.7.1 no such host"),
        ("sender", "example.net 450 4.1.8 later", "450 4.1.8 later"),
        ("recipient", "alice@ REJECT", "550 5.7.1 Refused by policy"),
        ("recipient", "bob@ REJECT", ""),
    ],
)
async def test_a_table_says_no(house, tmp_path, table, text, heard):
    assert await sent(way_in(house, tmp_path, **{table: text})) == heard
    assert await house.count("alice") == (not heard)


async def test_who_logged_in_or_may_relay_is_no_stranger(house, tmp_path):
    way = way_in(house, tmp_path, sender="example.org REJECT no\nexample.net REJECT no")
    alice = Identity(await house.account_id("alice"), "alice@example.org", "PLAIN", "smtp")
    as_alice = {"identity": alice, "sender": mailbox("alice@example.org")}
    assert await sent(way, **as_alice) == ""
    made = envelope(way)
    own = type(made.peer)("c2", "198.51.100.7")
    assert await sent(way, peer=own) == ""
    way = way_in(house, tmp_path, sender_all="example.org REJECT no")
    assert await sent(way, **as_alice) == "550 5.7.1 no"


async def test_mail_is_held_copied_redirected_thrown_away_and_marked(house, tmp_path):
    assert await sent(way_in(house, tmp_path, sender="example.net HOLD a look")) == ""
    assert await house.count("alice") == 0
    assert await sent(way_in(house, tmp_path, sender="example.net BCC bob@example.org")) == ""
    assert (await house.count("alice"), await house.count("bob")) == (1, 1)
    assert await sent(way_in(house, tmp_path, sender="example.net REDIRECT carol@example.org"), "alice") == ""
    assert (await house.count("alice"), await house.count("carol")) == (1, 1)
    assert await sent(way_in(house, tmp_path, sender="example.net DISCARD")) == ""
    assert await house.count("alice") == 1
    assert await sent(way_in(house, tmp_path, sender="/zoe/ PREPEND X-From: $0!")) == ""
    assert b"\r\nX-From: zoe!\r\n" in await house.last("alice")


async def test_redirected_to_one_who_was_named_it_arrives_once(house, tmp_path):
    way = way_in(house, tmp_path, sender="example.net REDIRECT bob@example.org")
    assert await sent(way, "alice", "bob") == ""
    assert (await house.count("alice"), await house.count("bob")) == (0, 1)


async def test_redirected_to_nobody_it_waits(house, tmp_path):
    way = way_in(house, tmp_path, sender="example.net REDIRECT nobody@example.org")
    assert (await sent(way)).startswith("451 ")
    assert await house.count("alice") == 0


async def test_a_table_that_was_never_read_puts_mail_off(house, tmp_path):
    way = way_in(house, tmp_path, sender="example.net REJCT")
    assert (await sent(way)).startswith("45")


ZONE = """
9.2.0.192.in-addr.arpa. PTR forged.test.
9.2.0.192.in-addr.arpa. PTR mail.good.test.
mail.good.test. A 192.0.2.9
forged.test. A 192.0.2.10
9.2.0.192.bl.test. A 127.0.0.2
"""


async def test_the_name_of_a_client_must_have_its_address(house, tmp_path):
    async with dns_server(ZONE) as zone:
        way = way_in(house, tmp_path, zone.resolver(), client="forged.test REJECT forged")
        assert await sent(way) == ""
        way = way_in(house, tmp_path, zone.resolver(), client="good.test REJECT known")
        assert await sent(way) == "550 5.7.1 known"


async def test_no_name_is_looked_up_where_none_is_asked_for(house, tmp_path):
    async with dns_server(ZONE) as zone:
        assert await sent(way_in(house, tmp_path, zone.resolver(), client="203.0.113 REJECT")) == ""
        assert zone.asked == []


async def test_who_is_welcome_is_on_no_list(house, tmp_path):
    async with dns_server(ZONE) as zone:
        resolver = zone.resolver()
        listed = Policy(refuse=Refuse(dns_lists=("bl.test",))).dns_lists
        names = ClientNames(resolver, timeout_s=3.0)
        lists = DnsLists(listed, house.config, resolver, names, timeout_s=3.0)
        way = way_in(house, tmp_path, more=[lists], client="203.0.113 OK")
        assert (await sent(way)).startswith("550 5.7.1 192.0.2.9 is listed")
        way = way_in(
            house, tmp_path, more=[lists], client="192.0.2 OK", sender="example.net REJECT not asked"
        )
        assert await sent(way) == ""


async def test_a_welcome_recipient_is_the_only_one(house, tmp_path):
    way = way_in(house, tmp_path, recipient="alice@ OK\nbob@ REJECT")
    assert await sent(way, "alice") == ""
    assert await sent(way, "alice", "bob") == "550 5.7.1 Refused by policy"


async def test_what_the_configuration_names_is_asked(house, tmp_path):
    """Tables, services and checks of content as a server joins them."""
    (tmp_path / "senders").write_text("zoe@example.net PREPEND X-Table: yes\n")
    (tmp_path / "header").write_text("/^Subject: x/ REPLACE Subject: y\n")
    async with policy_host(tmp_path, lambda told: "PREPEND X-Service: yes") as (_, service):
        text = (
            f'[[policy.access]]\nof = "sender"\nfile = "senders"\n'
            f'[[policy.service]]\naddress = "{service.address}"\n'
            f'[policy.content]\nheader_checks = "header"\n[policy.verify]\nenabled = false\n'
            '[dns]\nnameservers = ["127.0.0.1:9"]\n[relay]\ncheck_timeout_s = 0.1\n'
        )
        config = root.from_text(text, folder=tmp_path)
        way = waysin.inbound(config, house.store, house.clock)
        assert await sent(way) == ""
        found = await house.last("alice")
        for line in (b"X-Table: yes", b"X-Service: yes", b"Subject: y"):
            assert b"\r\n%b\r\n" % line in found
        assert b"Subject: x" not in found
        del way
        gc.collect()  # whoever drops it lets the service go


async def test_an_expression_that_takes_too_long_keeps_mail_away(house, tmp_path):
    way = way_in(house, tmp_path, sender="/(a+)+$/ REJECT no")
    said = await sent(way, sender=Mailbox("a" * 40, "b.test"))
    assert said == "451 4.3.2 An expression of a table takes too long"
    assert await sent(way, sender=Mailbox("b", "b.test")) == ""
