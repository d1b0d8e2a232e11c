"""Addresses of a submitted header: RFC 6409 4.2 and 5.1, RFC 5322 3.4."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.delivery.qualify import qualified
from quintet.errors import Reason, Refused
from quintet.message.addresses import mailboxes


def made(value: str | bytes) -> bytes:
    raw = value if isinstance(value, bytes) else value.encode()
    return qualified(
        b"To: " + raw + b"\r\n",
        lambda local: "example.org" if local in ("bob", "alice", "b.ob") else "",
        lambda domain: domain == "lan",
    )[4:-2]


@pytest.mark.parametrize(
    "value",
    [
        "bob@example.org",
        "Bob <bob@example.org>, alice@example.org",
        '"Builder, Bob" <bob@example.org>',
        "undisclosed-recipients:;",
        "friends: bob@example.org, Alice <alice@example.org>;, zoe@example.net",
        "",  # Outlook's empty Cc
        ", ,bob@example.org,",  # RFC 5322 4.4
        "bob@example.org (the (real) one)",
        "Bob Q. Public <bob@example.org>",  # obs-phrase
        "<@a.example,@b.example:bob@example.org>",  # obs-route
        "bob . smith @ example . org",  # obs-local-part, obs-domain
        "bob@[192.0.2.1], bob@[IPv6:2001:db8::1]",
        "=?utf-8?Q?B=C3=B6b_(x),_@:?= <bob@example.org>",
        "jörg@bücher.example",
        "bob@example.org <bob@example.org>",  # no name by the letter, and common
        "[List] Bob <bob@example.org>",
        "bob@lan",
        "Bob\r\n <bob@example.org>,\r\n\talice@example.org",
    ],
)
def test_what_is_well_stays_as_it_is(value):
    assert made(value) == value.encode()


@pytest.mark.parametrize(
    ("value", "whole"),
    [
        ("bob", "bob@example.org"),
        ("Bob <bob>, alice (that one)", "Bob <bob@example.org>, alice@example.org (that one)"),
        ("all: bob, zoe@example.net;", "all: bob@example.org, zoe@example.net;"),
        ("b.ob", "b.ob@example.org"),
    ],
)
def test_a_bare_name_gets_the_domain_where_it_stands(value, whole):
    assert made(value) == whole.encode()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("zoe", "has no domain"),
        ("zoe@sales", "not fully qualified"),
        ("<bob@example.org", "No proper address"),
        ("bob@@example.org", "No proper address"),
        ("bob@example..org", "No proper address"),
        (".bob@example.org", "No proper address"),
        ("a..b@example.org", "No proper address"),
        ("@example.org", "No proper address"),
        ("bob@", "No proper address"),
        ("Bob (the builder <bob@example.org>", "No proper address"),
        ('"Bob <bob@example.org>', "No proper address"),
        ("bob example.org", "No proper address"),
        ("Bob <bob@example.org> alice@example.org", "No proper address"),
        ("friends: bob@example.org", "No proper address"),
        ("a: b: bob@example.org;;", "No proper address"),
        ("<>", "No proper address"),
        ("bob@example.org;", "No proper address"),
        ("bob@-example.org", "No proper address"),
        ("bob\x00@example.org", "No proper address"),
        (b"bob@exam\\ple.org", "No proper address"),
    ],
)
def test_what_is_no_address_is_refused(value, why):
    with pytest.raises(Refused, match=why) as refused:
        made(value)
    assert refused.value.reason is Reason.BAD_CONTENT


@given(st.text(alphabet='ab.@<>,;:()"\\[] \r\n=?é', max_size=60).map(str.encode) | st.binary(max_size=60))
def test_what_passes_has_whole_addresses(value: bytes):
    """Also as the tolerant reader sees it: nobody may find another address there (RFC 6409 4.2)."""
    try:
        whole = made(value)
    except Refused:
        return
    assert made(whole) == whole
    assert all(one.host or not one.mailbox for one in mailboxes(whole))


def test_a_long_field_takes_no_time():
    made(b"bob@example.org, " * 15_000)
    with pytest.raises(Refused):
        made(b"(" * 100_000)
    with pytest.raises(Refused):
        made(b'"' + b"\\" * 100_000)
