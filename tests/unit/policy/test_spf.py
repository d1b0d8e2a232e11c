"""SPF: records, macros, limits; the examples of RFC 7208."""

from __future__ import annotations

import ipaddress
import time

import pytest

from quintet.policy import spf
from tests.support.dnszone import dns_server

ZONE = """
example.com. TXT "v=spf1 +mx a:colo.example.com/28 -all"
example.com. MX 10 mail-a.example.com.
example.com. A 192.0.2.10
mail-a.example.com. A 192.0.2.129
mail-a.example.com. AAAA 2001:db8::129
colo.example.com. A 192.0.2.66
soft.example. TXT "v=spf1 ip4:192.0.2.0/25 ip6:2001:db8::/32 ~all"
ask.example. TXT "v=spf1 ?all"
other.example. TXT "hello"
two.example. TXT "v=spf1 -all"
two.example. TXT "v=spf1 +all"
inc.example. TXT "v=spf1 include:soft.example -all"
incnone.example. TXT "v=spf1 include:other.example -all"
red.example. TXT "v=spf1 redirect=soft.example"
rednone.example. TXT "v=spf1 redirect=other.example"
silent.example. TXT "v=spf1 ip4:198.51.100.1"
loop.example. TXT "v=spf1 include:loop.example -all"
void.example. TXT "v=spf1 a:v1.example a:v2.example a:v3.example +all"
named.example. TXT "v=spf1 ptr -all"
mail.named.example. A 192.0.2.77
77.2.0.192.in-addr.arpa. PTR mail.named.example.
78.2.0.192.in-addr.arpa. PTR mail.named.example.
mac.example. TXT "v=spf1 exists:%{ir}.%{l1r+}._spf.%{d2} -all"
9.2.0.192.strong._spf.mac.example. A 127.0.0.2
CASE.example. TXT "V=SPF1 IP4:192.0.2.9 -ALL"
cafe.example. TXT "v=spf1 exp=why.example unknown=%{c}x -all"
long.example. TXT "v=spf1 ip4:192.0.2.9" " -all"
broken.example. TXT "v=spf1 a:down.example -all"
"""


@pytest.mark.parametrize(
    ("address", "sender", "result"),
    [
        ("192.0.2.129", "x@example.com", "pass"),
        ("192.0.2.65", "x@example.com", "pass"),  # a:colo with its /28
        ("192.0.2.81", "x@example.com", "fail"),
        ("2001:db8::129", "x@example.com", "pass"),
        ("::ffff:192.0.2.129", "x@example.com", "pass"),  # RFC 7208 5: as IPv4
        ("192.0.2.1", "x@soft.example", "pass"),
        ("192.0.2.200", "x@soft.example", "softfail"),
        ("2001:db9::1", "x@soft.example", "softfail"),
        ("192.0.2.1", "x@ask.example", "neutral"),
        ("192.0.2.1", "x@other.example", "none"),
        ("192.0.2.1", "x@nowhere.example", "none"),
        ("192.0.2.1", "x@localhost", "none"),  # 4.3: not a whole name
        ("192.0.2.1", "x@a..example", "none"),
        ("192.0.2.1", "x@two.example", "permerror"),  # 4.5
        ("192.0.2.1", "x@inc.example", "pass"),
        ("192.0.2.200", "x@inc.example", "fail"),  # 5.2: its softfail is no match
        ("192.0.2.1", "x@incnone.example", "permerror"),
        ("192.0.2.200", "x@red.example", "softfail"),
        ("192.0.2.1", "x@rednone.example", "permerror"),  # 6.1
        ("192.0.2.1", "x@silent.example", "neutral"),  # 4.7
        ("192.0.2.1", "x@loop.example", "permerror"),  # 4.6.4
        ("192.0.2.1", "x@void.example", "permerror"),  # 4.6.4
        ("192.0.2.77", "x@named.example", "pass"),
        ("192.0.2.78", "x@named.example", "fail"),  # 5.5: the name does not lead back
        ("192.0.2.9", "strong+bad@mac.example", "pass"),
        ("192.0.2.9", "weak+strong@mac.example", "fail"),
        ("192.0.2.9", "x@case.example", "pass"),  # 4.6.1
        ("192.0.2.1", "x@cafe.example", "fail"),
        ("192.0.2.9", "x@long.example", "pass"),  # 3.3: strings are put together
        ("192.0.2.1", "x@broken.example", "temperror"),
    ],
)
async def test_who_may_send(address: str, sender: str, result: str) -> None:
    async with dns_server(ZONE) as server:
        server.break_("down.example")
        domain = sender.partition("@")[2]
        found = await spf.check(server.resolver(), address, domain, sender, "helo.example")
        assert found.result == result, found


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 a:",
        "v=spf1 all:x",
        "v=spf1 all/8",
        "v=spf1 ip4",
        "v=spf1 ip4:1.2.3",
        "v=spf1 ip4:1.2.3.4/33",
        "v=spf1 ip4:1.2.3.4/08",
        "v=spf1 ip6:1.2.3.4",
        "v=spf1 ip6:::1/129",
        "v=spf1 a/33",
        "v=spf1 a//129",
        "v=spf1 a/",
        "v=spf1 include",
        "v=spf1 exists:",
        "v=spf1 ptr:",
        "v=spf1 what",
        "v=spf1 a:ex%ample.com",
        "v=spf1 exists:%{x}.example.com",
        "v=spf1 exists:%{d0}.example.com",
        "v=spf1 exists:%{c}.example.com",
        "v=spf1 a:example.com%",
        "v=spf1 a:foo",
        "v=spf1 redirect=a.example redirect=b.example",
        "v=spf1 exp=",
        "v=spf1 -all x=%{",
        "v=spf1 a:caf\xe9.example",
        "v=spf1 +-all",
    ],
)
async def test_records_that_are_none(record: str) -> None:
    with pytest.raises(spf._Permanent):
        spf.parse(record)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [  # RFC 7208 7.4
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ("%%%_%-x%{S}", "% %20xstrong-bad%40email.example.com"),
        ("%{p}", "unknown"),
        ("%{h}", "helo.example"),
    ],
)
async def test_macros(text: str, expanded: str) -> None:
    async with dns_server("") as server:
        asked = spf._Asked(
            server.resolver(),
            ipaddress.ip_address("192.0.2.3"),
            "strong-bad@email.example.com",
            "helo.example",
        )
        assert await asked.expand(text, "email.example.com") == expanded


async def test_a_name_that_comes_out_too_long_loses_labels() -> None:
    """RFC 7208 7.3."""
    async with dns_server("") as server:
        asked = spf._Asked(server.resolver(), ipaddress.ip_address("::1"), "a@b.example", "h")
        name = await asked.expand("%{i}." * 5 + "example.com", "b.example")
        assert len(name) <= 253
        assert name.endswith(".0.0.1.example.com")


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 a:x." + "a" * 60_000 + "!",
        "v=spf1 a:x." + "a" * 4000 + "!",
        "v=spf1 a:" + ".a" * 2000 + "-",
        "v=spf1 exists:" + "%{d}" * 1000 + "!",
        "v=spf1 a:x/" + "1" * 4000 + "x",
        "v=spf1 " + "/" * 4000,
        "v=spf1 x=" + "%" * 3999,
    ],
)
def test_a_hostile_record_costs_little(record: str) -> None:
    began = time.process_time()
    with pytest.raises(spf._Permanent):
        spf.parse(record)
    assert time.process_time() - began < 0.5
