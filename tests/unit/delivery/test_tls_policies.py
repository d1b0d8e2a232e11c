"""Which TLS a hop needs: rules, DANE, MTA-STS and what messages demand, against a name service on loopback.

RFC 7672 2.2, RFC 8461 2, 4 and 5, RFC 8689 4.2.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from quintet.config.tls_out import TlsOut, TlsRule
from quintet.delivery.tlspolicies import NotAllowed, NotProvable, TlsPolicies
from quintet.delivery.tlspolicy import CLEAR, OPPORTUNISTIC, Demand, HopPolicy, Outcome, demand, of_route
from quintet.delivery.tlstally import MAX_A_DOMAIN, Applied, Tally
from quintet.errors import Reason, TryLater
from quintet.message import scan
from quintet.net.mtasts import StsPolicy
from tests.support.dnszone import DnsServer, dns_server

DIGEST = "ab" * 32
ZONE = f"""
example.net. MX 10 mx.example.net.
mx.example.net. A 192.0.2.1
_25._tcp.mx.example.net. TLSA 3 1 1 {DIGEST}
plain.example.net. A 192.0.2.2
old.example.net. A 192.0.2.3
_25._tcp.old.example.net. TLSA 1 1 1 {DIGEST}
alias.example.net. CNAME real.example.com.
real.example.com. A 192.0.2.4
_25._tcp.real.example.com. TLSA 2 0 1 {DIGEST}
both.example.net. CNAME bare.example.com.
bare.example.com. A 192.0.2.5
_25._tcp.both.example.net. TLSA 3 1 1 {DIGEST}
"""


class Sts:
    """Policies that are there."""

    def __init__(self, **policies: StsPolicy) -> None:
        self.policies = {name.replace("_", "."): policy for name, policy in policies.items()}

    async def find(self, domain: str) -> StsPolicy | None:
        return self.policies.get(domain)


ENFORCED = StsPolicy("enforce", 86_400, ("mx.example.net", "*.example.com"))
TESTED = StsPolicy("testing", 86_400, ("mx.example.net",))


@asynccontextmanager
async def policies(
    rules: dict[str, TlsRule] | None = None, sts: StsPolicy | None = None, **options
) -> AsyncIterator[tuple[TlsPolicies, DnsServer, Tally]]:
    async with dns_server(ZONE) as server:
        server.validates = True
        tally = Tally()
        source = Sts(example_net=sts) if sts else Sts()
        made = TlsPolicies(rules or {}, TlsOut(**options), server.resolver(), sts=source, tally=tally)
        yield made, server, tally


def told(tally: Tally) -> list[tuple[str, str, str]]:
    """(domain, policy type, kind) of everything counted."""
    found = []
    for domain, details in tally.take().items():
        for text, _ in details:
            each = json.loads(text)
            found.append((domain, each["type"], each.get("kind", "")))
    return found


# --- nothing, and rules ---------------------------------------------------------------------------------


async def test_without_anything_published_what_is_offered_is_taken():
    async with policies() as (made, _, _):
        assert await made.policy("example.net", "plain.example.net", True) == OPPORTUNISTIC


@pytest.mark.parametrize(
    "rule, found",
    [
        (TlsRule("none"), HopPolicy("none", why="rule")),
        (TlsRule("may"), HopPolicy("may", why="rule", fallback=CLEAR)),
        (TlsRule("must"), HopPolicy("must", why="rule")),
        (TlsRule("verify"), HopPolicy("verify", ("mx.example.net",), why="rule")),
        (
            TlsRule("verify", (".example.com",)),
            HopPolicy("verify", (".example.com",), why="rule", proven=True),
        ),
        (
            TlsRule("pinned", fingerprints=(":".join(["AB"] * 32),)),
            HopPolicy("verify", pins=(DIGEST,), why="rule", proven=True),
        ),
    ],
)
async def test_rule_stands_above_what_the_domain_says(rule, found):
    async with policies({"example.net": rule}, ENFORCED) as (made, server, _):
        assert await made.policy("example.net", "mx.example.net", False) == found
        assert server.asked == []


async def test_nearest_rule_is_taken():
    rules = {"*": TlsRule("must"), ".net": TlsRule("none"), ".example.net": TlsRule("may")}
    async with policies(rules) as (made, _, _):
        for domain, level in (
            ("a.b.example.net", "may"),
            ("example.net", "none"),
            ("net", "must"),
            ("example.org", "must"),
        ):
            assert (await made.policy(domain, "mx.example.org", False)).level == level, domain


async def test_route_says_it_in_its_own_words():
    assert of_route("never", "a").level == "none"
    assert of_route("may", "a").fallback == CLEAR
    assert of_route("must", "a").mandatory
    assert of_route("verify", "a").names == ("a",)
    assert of_route("implicit", "a").implicit


# --- DANE -----------------------------------------------------------------------------------------------


async def test_secure_tlsa_records_must_match():
    async with policies() as (made, _, _):
        found = await made.policy("example.net", "MX.example.net.", True)
    assert (found.level, found.why, found.proven, found.fallback) == ("verify", "dane", True, None)
    assert [str(each) for each in found.tlsa] == [f"3 1 1 {DIGEST}"]
    assert found.sni == "mx.example.net"
    assert found.names == ("mx.example.net", "example.net")  # RFC 7672 3.2.2


async def test_insecure_mx_has_no_dane():
    async with policies() as (made, server, _):
        assert await made.policy("example.net", "mx.example.net", False) == OPPORTUNISTIC
        assert not [each for each in server.asked if each[1] == "TLSA"]


async def test_insecure_address_is_not_asked_for_tlsa():
    # RFC 7672 2.2.2: name servers that cannot answer such questions are those of unsigned zones
    async with policies() as (made, server, _):
        server.unsign("mx.example.net")
        assert await made.policy("example.net", "mx.example.net", True) == OPPORTUNISTIC
        assert not [each for each in server.asked if each[1] == "TLSA"]


async def test_insecure_tlsa_answer_counts_for_nothing():
    async with policies() as (made, server, _):
        server.unsign("_25._tcp.mx.example.net")
        assert await made.policy("example.net", "mx.example.net", True) == OPPORTUNISTIC


async def test_resolver_that_is_not_trusted_has_no_dane():
    async with dns_server(ZONE) as server:
        server.validates = True
        made = TlsPolicies({}, TlsOut(), server.resolver(trust_ad="no"))
        assert await made.policy("example.net", "mx.example.net", True) == OPPORTUNISTIC


async def test_unusable_records_mean_tls_without_proof():
    async with policies() as (made, _, tally):
        found = await made.policy("example.net", "old.example.net", True)
        assert (found.level, found.tlsa, found.fallback) == ("must", (), None)
        assert told(tally) == [("example.net", "tlsa", "tlsa-invalid")]


@pytest.mark.parametrize("kind", ("TLSA", "A"))
async def test_lookup_that_fails_is_no_denial(kind):
    # RFC 7672 2.1.1, 2.2: bogus answers and silence put the host off
    async with policies() as (made, server, tally):
        server.broken_kinds.add(kind)
        with pytest.raises(TryLater) as caught:
            await made.policy("example.net", "mx.example.net", True)
        assert caught.value.reason is Reason.DNS
        assert told(tally) == [("example.net", "tlsa", "dnssec-invalid")]


async def test_alias_is_tried_by_its_last_name_first():
    async with policies() as (made, _, _):
        found = await made.policy("example.net", "alias.example.net", True)
        assert found.sni == "real.example.com"
        assert found.names == ("real.example.com", "example.net")
        found = await made.policy("example.net", "both.example.net", True)
        assert found.sni == "both.example.net"


async def test_secure_alias_of_an_insecure_name_is_tried_by_its_own():
    async with policies() as (made, server, _):
        server.unsign("bare.example.com")
        assert (await made.policy("example.net", "both.example.net", True)).sni == "both.example.net"


async def test_mandatory_dane_sends_nothing_without_records():
    async with policies({"example.net": TlsRule("dane")}, dane=False) as (made, _, tally):
        assert (await made.policy("example.net", "mx.example.net", True)).why == "dane"
        for host, secure in (
            ("plain.example.net", True),
            ("mx.example.net", False),
            ("old.example.net", True),
        ):
            with pytest.raises(NotAllowed) as caught:
                await made.policy("example.net", host, secure)
            assert caught.value.status == "4.7.5"
        assert ("example.net", "tlsa", "dane-required") in told(tally)


async def test_dane_can_be_left_out():
    async with policies(dane=False) as (made, _, _):
        assert await made.policy("example.net", "mx.example.net", True) == OPPORTUNISTIC


async def test_address_literals_have_neither():
    # RFC 7672 2.2, RFC 8461 3.4
    async with policies(sts=ENFORCED) as (made, server, _):
        assert await made.policy("[192.0.2.1]", "192.0.2.1", False) == OPPORTUNISTIC
        assert await made.policy("example.net", "2001:db8::1", True) == OPPORTUNISTIC
        assert server.asked == []


# --- MTA-STS --------------------------------------------------------------------------------------------


async def test_enforced_policy_wants_a_proved_name():
    async with policies(sts=ENFORCED) as (made, _, tally):
        found = await made.policy("example.net", "mx.example.net", False)
        assert (found.level, found.names, found.why) == ("verify", ("mx.example.net",), "mta-sts")
        assert found.fallback is None
        found.tell(Outcome("certificate-expired", "x"))
        found.tell(Outcome(""))
        assert sorted(told(tally)) == [
            ("example.net", "sts", ""),
            ("example.net", "sts", "certificate-expired"),
        ]


async def test_host_outside_an_enforced_policy_is_not_used():
    # RFC 8461 5: like a host that cannot be reached
    async with policies(sts=ENFORCED) as (made, _, tally):
        with pytest.raises(NotAllowed) as caught:
            await made.policy("example.net", "plain.example.net", False)
        assert "plain.example.net is not among" in caught.value.text
        assert told(tally) == [("example.net", "sts", "validation-failure")]


async def test_tested_policy_only_tells():
    async with policies(sts=TESTED) as (made, _, tally):
        found = await made.policy("example.net", "mx.example.net", False)
        assert (found.level, found.fallback) == ("verify", OPPORTUNISTIC)
        assert await made.policy("example.net", "plain.example.net", False) == OPPORTUNISTIC
        assert told(tally) == [("example.net", "sts", "validation-failure")]


async def test_policy_none_is_no_policy():
    async with policies(sts=StsPolicy("none", 86_400, ())) as (made, _, _):
        assert await made.policy("example.net", "mx.example.net", False) == OPPORTUNISTIC


async def test_mta_sts_can_be_left_out():
    async with policies(sts=ENFORCED, mta_sts=False) as (made, _, _):
        assert await made.policy("example.net", "plain.example.net", False) == OPPORTUNISTIC


async def test_dane_stands_above_mta_sts():
    # RFC 8461 2
    async with policies(sts=TESTED) as (made, _, _):
        found = await made.policy("example.net", "mx.example.net", True)
        assert (found.why, found.fallback) == ("dane", None)
        assert (await made.policy("example.net", "old.example.net", True)).level == "must"


async def test_unusable_dane_leaves_an_enforced_policy_in_force():
    sts = StsPolicy("enforce", 86_400, ("old.example.net",))
    async with policies(sts=sts) as (made, _, _):
        assert (await made.policy("example.net", "old.example.net", True)).why == "mta-sts"


# --- what messages demand -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host, secure, sts, why",
    [
        ("mx.example.net", True, None, "dane"),
        ("mx.example.net", False, ENFORCED, "mta-sts"),
        ("mx.example.net", False, TESTED, "mta-sts"),
        ("plain.example.net", True, None, "requiretls"),
        ("example.net", False, None, "requiretls"),  # the domain itself, without MX records
    ],
)
async def test_requiretls_wants_a_proved_host_and_certificate(host, secure, sts, why):
    # RFC 8689 4.2.1
    async with policies(sts=sts) as (made, _, _):
        found = await made.policy("example.net", host, secure, demand=Demand.REQUIRE)
    assert (found.level, found.strict, found.fallback, found.why) == ("verify", True, None, why)


@pytest.mark.parametrize(
    "rules, host",
    [
        ({}, "mx.example.net"),  # an MX that nothing proves
        ({}, "192.0.2.1"),
        ({"example.net": TlsRule("none")}, "mx.example.net"),
        ({"example.net": TlsRule("must")}, "mx.example.net"),
    ],
)
async def test_requiretls_does_not_go_where_nothing_is_proved(rules, host):
    async with policies(rules) as (made, _, _):
        with pytest.raises(NotProvable) as caught:
            await made.policy("example.net", host, False, demand=Demand.REQUIRE)
        assert caught.value.status == "5.7.10"


async def test_tls_required_no_passes_over_what_the_domain_published():
    # RFC 8689 3, 4.2.2
    async with policies(sts=ENFORCED) as (made, server, tally):
        found = await made.policy("example.net", "plain.example.net", True, demand=Demand.IGNORE)
        assert found == OPPORTUNISTIC
        found.tell(Outcome("starttls-not-supported"))
        assert told(tally) == []  # RFC 8460 3
        assert server.asked == []


async def test_tls_required_no_does_not_pass_over_our_own_rule():
    async with policies({"example.net": TlsRule("must")}) as (made, _, _):
        found = await made.policy("example.net", "mx.example.net", True, demand=Demand.IGNORE)
        assert found.level == "must"


@pytest.mark.parametrize(
    "head, require, null, wanted",
    [
        (b"", False, False, Demand.USUAL),
        (b"", True, False, Demand.REQUIRE),
        (b"", True, True, Demand.USUAL),  # RFC 8689 5: a report must not be lost
        (b"TLS-Required: No\r\n", False, False, Demand.IGNORE),
        (b"tls-required:\r\n no \r\n", False, False, Demand.IGNORE),
        (b"TLS-Required: No\r\n", True, False, Demand.REQUIRE),  # RFC 8689 4.1
        (b"TLS-Required: Yes\r\n", False, False, Demand.USUAL),
        (b"TLS-Required: No\r\nTLS-Required: No\r\n", False, False, Demand.USUAL),  # RFC 8689 3
    ],
)
def test_what_a_message_demands(head, require, null, wanted):
    digest = scan.scan(b"From: a@example.org\r\n" + head + b"\r\nbody\r\n")
    assert demand(require, null, digest) is wanted


# --- counting -------------------------------------------------------------------------------------------


def test_tally_adds_up_and_keeps_its_bounds():
    tally = Tally()
    for number in range(MAX_A_DOMAIN * 2):
        tally.count(
            "a.example", Applied(), "mx", Outcome("validation-failure", f"reason {number}" + "x" * 9999)
        )
        tally.count("b.example", Applied(), "mx", Outcome(""))
    found = tally.take()
    assert len(found["a.example"]) == MAX_A_DOMAIN == tally.lost
    assert [sessions for _, sessions in found["b.example"]] == [2 * MAX_A_DOMAIN]
    assert all(len(text) < 600 for text, _ in found["a.example"])
    assert tally.take() == {}
