"""A sender's domain that no report could reach: RFC 7505 4.2 and 6, RFC 3463 3.2."""

from dataclasses import replace

import pytest

from quintet.auth.identity import Identity
from quintet.config.smtp import Smtp
from quintet.delivery.envelope import Envelope, mailbox
from quintet.delivery.sender_domain import SenderDomain
from quintet.delivery.verdict import Verdict
from quintet.net.seam import Peer
from quintet.policy.outcomes import Refusal
from quintet.smtp import replies
from tests.support.dnszone import dns_server

ZONE = """
mx.test. MX 10 mail.mx.test.
a.test. A 192.0.2.1
text.test. TXT "no host at all"
null.test. MX 0 .
two.test. MX 0 .
two.test. MX 10 mail.two.test.
"""


async def said(out, zone, sender: str, word: str = "known", peer: str = "192.0.2.9", **more) -> str:
    """The reply to MAIL, "" for none: it goes on."""
    config = Smtp(sender_domain=word, relay_networks=["198.51.100.0/24"])
    check = SenderDomain(config, out.house.inbound.directory, zone.resolver(), timeout_s=3.0)
    envelope = replace(Envelope(Peer("c1", peer), sender=mailbox(sender)), **more)
    later = check.mail(envelope, Verdict())
    try:
        if later is not None:
            await later
    except Refusal as refusal:
        return replies.problem(refusal).decode().rstrip()
    return ""


@pytest.mark.parametrize(
    ("sender", "reply"),
    [
        ("zoe@null.test", "550 5.7.27 Sender address has null MX"),
        ("zoe@NULL.test", "550 5.7.27 Sender address has null MX"),
        ("zoe@none.test", "550 5.1.8 Domain of the sender's address does not exist"),
        ("zoe@text.test", "550 5.1.8 Domain of the sender's address does not exist"),
        ("zoe@mx.test", ""),
        ("zoe@a.test", ""),  # RFC 5321 5.1: the implicit MX
        ("zoe@two.test", ""),  # RFC 7505 3: a null MX stands alone
        ("zoe@broken.test", ""),  # not known now
        ("zoe@[192.0.2.1]", ""),
        ("", ""),  # RFC 7505 4.2: the null reverse-path is another thing
    ],
)
async def test_who_could_not_be_told_of_a_failure_is_refused(out, sender, reply):
    async with dns_server(ZONE) as zone:
        zone.break_("broken.test")
        assert await said(out, zone, sender) == reply
        # RFC 3463 3.2: that a domain does not exist is more than a null MX says
        assert await said(out, zone, sender, "null_mx") == ("" if "5.1.8" in reply else reply)


async def test_own_domains_and_those_who_may_relay_are_not_asked(out):
    alice = Identity(await out.house.account_id("alice"), "alice@example.org", "PLAIN", "smtp")
    async with dns_server(ZONE) as zone:
        assert await said(out, zone, "zoe@example.org") == ""  # ours, whatever the name service says
        assert await said(out, zone, "zoe@null.test", identity=alice) == ""
        assert await said(out, zone, "zoe@null.test", protocol="LMTP") == ""
        for peer in ("127.0.0.1", "::1", "198.51.100.7"):
            assert await said(out, zone, "zoe@null.test", peer=peer) == ""
        assert zone.asked == []
