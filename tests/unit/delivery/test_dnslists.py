"""Lists of clients in the name service: RFC 5782."""

import pytest

from quintet.auth.identity import Identity
from quintet.config.policy import NameList, Policy, Refuse, dns_list
from quintet.config.smtp import Smtp
from quintet.delivery import acting
from quintet.delivery.clientname import ClientNames
from quintet.delivery.dnslists import DnsLists, reversed_name
from quintet.delivery.envelope import Envelope, mailbox
from quintet.delivery.verdict import Verdict
from quintet.net.seam import Peer
from quintet.policy.outcomes import Refusal
from tests.support.dnszone import dns_server

ZONE = """
9.2.0.192.bl.test. A 127.0.0.2
9.2.0.192.bl.test. TXT "see https://bl.test/192.0.2.9"
10.2.0.192.bl.test. A 127.255.255.254
11.2.0.192.bl.test. A 127.0.0.1
12.2.0.192.bl.test. A 127.0.0.9
13.2.0.192.bl.test. A 192.0.2.1
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.other.test. A 127.0.0.3
"""


async def said(zone, address: str, *lists: str, **more) -> str:
    config = Policy(refuse=Refuse(dns_lists=lists or ("bl.test", "other.test")))
    return await asked(zone, config, address, **more)


async def asked(zone, config: Policy, address: str, verdict: Verdict | None = None, **more) -> str:
    smtp = Smtp(relay_networks=["198.51.100.0/24"])
    resolver = zone.resolver()
    names = ClientNames(resolver, timeout_s=3.0)
    check = DnsLists(config.dns_lists, smtp, resolver, names, timeout_s=3.0)
    later = check.mail(
        Envelope(Peer("c1", address), **{"sender": mailbox("zoe@example.net"), **more}), verdict or Verdict()
    )
    try:
        if later is not None:
            await later
    except Refusal as refusal:
        return f"{refusal.code} {refusal.text}"
    return ""


async def test_who_is_listed_is_refused_and_told_by_whom_and_why():
    async with dns_server(ZONE) as zone:
        assert await said(zone, "192.0.2.9") == (
            "550 192.0.2.9 is listed at bl.test: see https://bl.test/192.0.2.9"
        )
        assert await said(zone, "2001:db8::1") == "550 2001:db8::1 is listed at other.test"  # RFC 5782 2.4
        assert await said(zone, "::ffff:192.0.2.9") != ""
        assert await said(zone, "192.0.2.8") == ""


@pytest.mark.parametrize("last", [10, 11, 13])
async def test_answers_that_are_none_list_nobody(last):
    # RFC 5782 2.3, 5; 127.255.255.254: the question came by a resolver that everybody uses
    async with dns_server(ZONE) as zone:
        assert await said(zone, f"192.0.2.{last}") == ""


async def test_only_some_answers_may_count():
    async with dns_server(ZONE) as zone:
        assert await said(zone, "192.0.2.9", "bl.test=127.0.0.8/29") == ""
        assert await said(zone, "192.0.2.12", "bl.test=127.0.0.4, 127.0.0.8/29") != ""


async def test_a_list_that_does_not_answer_lists_nobody():
    async with dns_server(ZONE) as zone:
        zone.break_("9.2.0.192.bl.test")
        assert await said(zone, "192.0.2.9") == ""


async def test_users_own_networks_and_this_machine_are_not_looked_up():
    alice = Identity(1, "alice@example.org", "PLAIN", "smtp")
    async with dns_server(ZONE) as zone:
        assert await said(zone, "192.0.2.9", identity=alice) == ""
        assert await said(zone, "192.0.2.9", protocol="LMTP") == ""
        for address in ("127.0.0.2", "198.51.100.9", "unix"):
            assert await said(zone, address) == ""
        assert zone.asked == []


NAMES = """
bad.example.dbl.test. A 127.0.1.2
bad.example.dbl.test. TXT "spam"
mail.bad.test.dbl.test. A 127.0.1.2
xn--bcher-kva.example.dbl.test. A 127.0.1.2
9.2.0.192.wl.test. A 127.0.5.1
9.2.0.192.bl.test. A 127.0.0.2
9.2.0.192.in-addr.arpa. PTR mail.bad.test.
mail.bad.test. A 192.0.2.9
"""


@pytest.mark.parametrize(
    ("of", "more", "heard"),
    [
        ("sender", {"sender": mailbox("zoe@bad.example")}, "550 bad.example is listed at dbl.test: spam"),
        (
            "sender",
            {"sender": mailbox("zoe@bücher.example")},
            "550 xn--bcher-kva.example is listed at dbl.test",
        ),
        ("sender", {"sender": mailbox("zoe@good.example")}, ""),
        ("sender", {"sender": mailbox("")}, ""),
        ("helo", {"helo": "mail.bad.test."}, "550 mail.bad.test is listed at dbl.test"),
        ("helo", {"helo": "[192.0.2.9]"}, ""),
        ("helo", {"helo": "192.0.2.9"}, ""),  # such lists answer questions about addresses with nonsense
        ("helo", {"helo": "localhost"}, ""),
        ("client_name", {}, "550 mail.bad.test is listed at dbl.test"),
    ],
)
async def test_lists_of_names(of, more, heard):
    # RFC 5782 3
    async with dns_server(NAMES) as zone:
        config = Policy(dns_list=(NameList(zone="dbl.test", of=of),))
        assert await asked(zone, config, "192.0.2.9", **more) == heard


async def test_who_is_welcome_is_refused_by_no_list():
    # RFC 5782 2.2
    async with dns_server(NAMES) as zone:
        welcome = NameList(zone="wl.test=127.0.5.0/24", then="welcome")
        config = Policy(refuse=Refuse(dns_lists=("bl.test",)), dns_list=(welcome,))
        verdict = Verdict()
        assert await asked(zone, config, "192.0.2.9", verdict) == ""
        assert acting.welcome(verdict)
        zone.asked.clear()
        assert await asked(zone, config, "192.0.2.9", verdict) == ""
        assert zone.asked == []


async def test_lists_that_only_count():
    async with dns_server(NAMES) as zone:
        config = Policy(
            dns_list=(
                NameList(zone="bl.test", then="points", points=2.5),
                NameList(zone="wl.test", then="points", points=-1),
                NameList(zone="dbl.test", of="sender", then="points", points=9),
            )
        )
        verdict = Verdict()
        assert await asked(zone, config, "192.0.2.9", verdict) == ""
        assert verdict.points == {"bl.test": 2.5, "wl.test": -1}


def test_names_of_addresses():
    assert reversed_name("192.0.2.9") == "9.2.0.192"
    assert (
        reversed_name("2001:db8::1").startswith("1.0.0.0.") and reversed_name("2001:db8::1").count(".") == 31
    )


@pytest.mark.parametrize("text", ["", "bl", "bl.test=", "bl.test=hello", "bl..test", "http://bl.test"])
def test_a_list_that_is_none_is_a_mistake_of_the_configuration(text):
    assert dns_list(text) is None
    assert len(Policy(refuse=Refuse(dns_lists=(text,))).faults()) == 1
