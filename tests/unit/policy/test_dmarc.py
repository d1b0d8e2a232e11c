"""DMARC: where the policy stands, whose domains belong together."""

from __future__ import annotations

import time

import pytest

from quintet.policy import dmarc
from tests.support.dnszone import dns_server

ZONE = """
_dmarc.strict.example. TXT "v=DMARC1; p=reject; sp=quarantine; adkim=s; aspf=s"
_dmarc.own.strict.example. TXT "v=DMARC1; p=none"
_dmarc.test.example. TXT "v=DMARC1; p=reject; t=y"
_dmarc.pct.example. TXT "v=DMARC1; p=quarantine; pct=0"
_dmarc.twice.example. TXT "v=DMARC1; p=none"
_dmarc.twice.example. TXT "v=DMARC1; p=reject"
_dmarc.odd.example. TXT "v=DMARC1; p=whatever"
_dmarc.gov.example. TXT "v=DMARC1; p=reject; psd=y"
_dmarc.dept.gov.example. TXT "v=DMARC1; p=quarantine; psd=n"
"""


@pytest.mark.parametrize(
    ("domain", "found"),
    [
        ("strict.example", dmarc.Policy("strict.example", "reject", True, True)),
        ("a.b.strict.example", dmarc.Policy("strict.example", "quarantine", True, True)),
        ("own.strict.example", dmarc.Policy("strict.example", "none")),
        ("test.example", dmarc.Policy("test.example", "quarantine")),
        ("pct.example", dmarc.Policy("pct.example", "none")),
        ("twice.example", None),
        ("odd.example", dmarc.Policy("odd.example", "none")),
        ("nothing.example", None),
        ("a.agency.gov.example", dmarc.Policy("agency.gov.example", "reject")),
        ("x.dept.gov.example", dmarc.Policy("dept.gov.example", "quarantine")),
    ],
)
async def test_what_a_domain_published(domain: str, found: dmarc.Policy | None) -> None:
    async with dns_server(ZONE) as server:
        assert await dmarc.policy(server.resolver(), domain) == found


@pytest.mark.parametrize(
    ("author", "proven", "strict", "aligned"),
    [
        ("a.example.org", "a.example.org", True, True),
        ("a.example.org", "example.org", True, False),
        ("a.example.org", "example.org", False, True),
        ("a.example.org", "b.example.org", False, True),
        ("a.example.org", "badexample.org", False, False),
        ("a.example.org", "", False, False),
        ("a.example.org", "org", False, False),
    ],
)
def test_alignment(author: str, proven: str, strict: bool, aligned: bool) -> None:
    """RFC 7489 3.1."""
    assert dmarc.Policy("example.org").aligned(author, proven, strict) is aligned


def test_a_long_name_costs_few_questions() -> None:
    names = dmarc.walk(".".join("abcdefghijklm") + ".example.org")
    assert len(names) <= dmarc.MAX_WALK
    assert names[-1] == "example.org"
    assert dmarc.walk("example") == ["example"]


def test_a_hostile_record_costs_little() -> None:
    began = time.process_time()
    for _ in range(100):
        assert dmarc.record(b"v=DMARC1; p=" + b" " * 1900 + b"x" + b" " * 60_000) is not None
    assert time.process_time() - began < 0.5
