"""MTA-STS, TLSA and TLSRPT records of any bytes: a value or a refusal, and what we write we read back."""

import datetime
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.delivery import tlsrpt
from quintet.errors import BadSyntax
from quintet.net import chains, dane, mtasts

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
NAME = st.lists(LABEL, min_size=2, max_size=4).map(".".join)
PATTERN = st.builds(lambda star, name: star + name, st.sampled_from(("", "*.")), NAME)
POLICIES = st.builds(
    mtasts.StsPolicy,
    st.sampled_from(("enforce", "testing")),
    st.integers(0, mtasts.MAX_AGE_S),
    st.lists(PATTERN, min_size=1, max_size=20, unique=True).map(tuple),
)
FIELDS = st.lists(
    st.sampled_from(
        (
            b"v=STSv1",
            b"v=TLSRPTv1",
            b"id=1",
            b"rua=mailto:a@b.test",
            b"rua=https://b.test",
            b" ",
            b"x=y",
            b"=",
        )
    ),
    max_size=6,
).map(b";".join)


@given(POLICIES)
def test_policy_is_read_as_it_was_written(policy):
    assert mtasts.parse(policy.text().encode()) == policy


@given(POLICIES, st.integers(0), st.binary(max_size=4))
def test_damaged_policy_is_a_policy_or_a_refusal(policy, at, junk):
    raw = policy.text().encode()
    at %= len(raw)
    try:
        found = mtasts.parse(raw[:at] + junk + raw[at + len(junk) :])
    except BadSyntax:
        return
    assert mtasts.parse(found.text().encode()) == found


@given(st.binary(max_size=200))
def test_any_bytes_are_a_policy_or_a_refusal(raw):
    try:
        assert mtasts.parse(raw).mode in mtasts.MODES
    except BadSyntax:
        return


@given(st.lists(st.one_of(FIELDS, st.binary(max_size=60)), max_size=3))
def test_any_records_name_an_id_or_none(records):
    found = mtasts.record_id(records)
    assert found is None or (found.isascii() and found.isalnum() and len(found) <= 32)


@given(st.lists(st.one_of(FIELDS, st.binary(max_size=60)), max_size=3))
def test_any_records_name_places_for_reports_or_none(records):
    found = tlsrpt.destinations(records)
    assert len(found) <= tlsrpt.MAX_URIS
    for each in found:
        address = tlsrpt.mail_address(each)
        assert address or each.startswith("https://")
        assert not set(address) & set(' \r\n<>"(),:;[]\\\0')


@given(st.text(max_size=80))
def test_any_text_is_a_mail_address_or_none(text):
    address = tlsrpt.mail_address("mailto:" + text)
    assert not address or (address.count("@") == 1 and address.isascii() and address.isprintable())


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.binary(min_size=1, max_size=100))
def test_tlsa_is_read_as_it_was_written(usage, selector, matching, data):
    record = dane.Tlsa(usage, selector, matching, data)
    assert dane.read(str(record)) == record
    assert record.usable in (True, False)
    assert record.fits(data) is (selector == 0 and matching == 0)


@given(st.text(max_size=80))
def test_any_text_is_a_tlsa_record_or_a_refusal(text):
    try:
        record = dane.read(text)
    except BadSyntax:
        return
    assert dane.read(str(record)) == record


@given(PATTERN, NAME)
def test_star_stands_for_one_label(pattern, name):
    covered = chains.covers(pattern, name)
    if pattern.startswith("*."):
        assert covered is (name.partition(".")[2] == pattern[2:] and "." in pattern[2:])
        assert not chains.covers(pattern, "extra." + name) or name == pattern[2:]
    else:
        assert covered is (pattern == name)


@given(st.lists(st.binary(max_size=200), max_size=3))
def test_any_chain_is_refused_in_our_words(chain):
    with pytest.raises(chains.Untrusted) as caught:
        dane.verify([dane.read("2 0 1 " + "ab" * 32)], chain, ["a.test"], datetime.datetime.now(datetime.UTC))
    assert caught.value.kind == chains.NOT_TRUSTED


@given(NAME, st.integers(0, 40_000), st.text(max_size=50), st.text(max_size=20))
def test_report_and_letter_hold_any_reason(domain, day, reason, organization):
    detail = json.dumps(
        {"type": "sts", "domain": domain, "lines": [], "mx": [], "kind": "validation-failure", "host": "h",
         "sending": "", "receiving": "", "reason": reason}
    )  # fmt: skip
    us = tlsrpt.Reporter(organization, "postmaster@example.org", "mx.example.org")
    made = tlsrpt.report(domain, day, [(detail, 1)], us, "t")
    raw = tlsrpt.letter(made, us, "r@example.com", 0, "t")
    assert raw.isascii()
    assert raw.count(b"\r\n\r\n") >= 3
