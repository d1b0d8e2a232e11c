"""Lists of clients in the name service: RFC 5782."""

import pytest

from quintet.auth.identity import Identity
from quintet.config.policy import Policy, Refuse, dns_list
from quintet.config.smtp import Smtp
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
    config = Refuse(dns_lists=lists or ("bl.test", "other.test"))
    smtp = Smtp(relay_networks=["198.51.100.0/24"])
    check = DnsLists(config, smtp, zone.resolver(), timeout_s=3.0)
    later = check.mail(Envelope(Peer("c1", address), sender=mailbox("zoe@example.net"), **more), Verdict())
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


def test_names_of_addresses():
    assert reversed_name("192.0.2.9") == "9.2.0.192"
    assert (
        reversed_name("2001:db8::1").startswith("1.0.0.0.") and reversed_name("2001:db8::1").count(".") == 31
    )


@pytest.mark.parametrize("text", ["", "bl", "bl.test=", "bl.test=hello", "bl..test", "http://bl.test"])
def test_a_list_that_is_none_is_a_mistake_of_the_configuration(text):
    assert dns_list(text) is None
    assert len(Policy(refuse=Refuse(dns_lists=(text,))).faults()) == 1
