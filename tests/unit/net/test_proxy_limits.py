"""PROXY headers by table and by accident; limits with a clock that stands still."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.errors import BadSyntax, Reason
from quintet.net.limits import Limits, Networks, address_key
from quintet.net.proxy import SIGNATURE, Header, parse

V4 = bytes([192, 0, 2, 1, 198, 51, 100, 2]) + (1024).to_bytes(2, "big") + (25).to_bytes(2, "big")
V6 = bytes.fromhex("20010db8" + "0" * 22 + "01" + "20010db8" + "0" * 22 + "02") + b"\x04\x00\x00\x19"


def v2(command: int, family: int, payload: bytes) -> bytes:
    return SIGNATURE + bytes([0x20 | command, family]) + len(payload).to_bytes(2, "big") + payload


GOOD = [
    (b"PROXY TCP4 192.0.2.1 198.51.100.2 1024 25\r\n", Header(43, "192.0.2.1", 1024, "198.51.100.2", 25)),
    (b"PROXY TCP6 2001:DB8::1 2001:db8::2 1 65535\r\n", Header(44, "2001:db8::1", 1, "2001:db8::2", 65535)),
    (b"PROXY UNKNOWN\r\n", Header(15)),
    (b"PROXY UNKNOWN what ever follows\r\n", Header(33)),
    (v2(1, 0x11, V4), Header(28, "192.0.2.1", 1024, "198.51.100.2", 25)),
    (v2(1, 0x21, V6), Header(52, "2001:db8::1", 1024, "2001:db8::2", 25)),
    (v2(1, 0x11, V4 + b"\x04\x00\x03abc"), Header(34, "192.0.2.1", 1024, "198.51.100.2", 25)),  # a TLV
    (v2(0, 0x00, b""), Header(16)),  # LOCAL: the proxy's own health check
    (v2(1, 0x31, b"x" * 216), Header(232)),  # a Unix socket behind the proxy
]
BAD = [
    b"EHLO me\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 1024\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 1024 65536\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 01 25\r\n",
    b"PROXY TCP4 ::1 198.51.100.2 1 25\r\n",
    b"PROXY TCP6 fe80::1%eth0 ::1 1 25\r\n",
    b"PROXY TCP4 192.0.2.999 198.51.100.2 1 25\r\n",
    b"PROXY UDP4 192.0.2.1 198.51.100.2 1 25\r\n",
    b"PROXY TCP4 \xff 198.51.100.2 1 25\r\n",
    b"PROXY " + b"x" * 120,
    SIGNATURE + b"\x11\x11\x00\x0c" + V4,  # version 1 in binary
    SIGNATURE + b"\x22\x11\x00\x0c" + V4,  # unknown command
    v2(1, 0x11, V4[:8]),
    SIGNATURE + b"\x21\x11\xff\xff",
]


@pytest.mark.parametrize(("data", "header"), GOOD)
def test_good_headers_in_any_chunking(data: bytes, header: Header) -> None:
    assert header.size == len(data)
    for cut in range(1, len(data)):
        assert parse(data[:cut]) is None
    assert parse(data + b"EHLO me\r\n") == header


@pytest.mark.parametrize("data", BAD)
def test_bad_headers_are_refused(data: bytes) -> None:
    with pytest.raises(BadSyntax):
        parse(data)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=60).map(lambda b: SIGNATURE + b),
        st.binary(max_size=120).map(lambda b: b"PROXY TCP4 " + b),
    )
)
def test_anything_gives_a_header_or_bad_syntax(data: bytes) -> None:
    try:
        header = parse(data)
    except BadSyntax:
        return
    assert header is None or 0 < header.size <= len(data)


def test_one_address_and_all_addresses_have_limits() -> None:
    limits = Limits(3, 2, 0)
    assert [limits.enter("192.0.2.1", 0), limits.enter("192.0.2.1", 0)] == [None, None]
    assert limits.enter("192.0.2.1", 0) is Reason.TOO_MANY
    assert limits.enter("192.0.2.2", 0) is None
    assert limits.enter("192.0.2.3", 0) is Reason.TOO_MANY
    limits.leave("192.0.2.1")
    assert limits.enter("192.0.2.1", 0) is None
    assert limits.open == 3


def test_ipv6_counts_by_customer() -> None:
    assert address_key("2001:db8::1") == address_key("2001:db8::ffff:1") == "2001:db8::/64"
    assert address_key("::ffff:192.0.2.1") == "192.0.2.1"
    assert address_key("unix") == "unix"
    limits = Limits(10, 1, 0)
    assert limits.enter("2001:db8::1", 0) is None
    assert limits.enter("2001:db8::2", 0) is Reason.TOO_MANY
    assert limits.enter("2001:db8:1::2", 0) is None


def test_pace_of_one_address() -> None:
    limits = Limits(1000, 1000, 60)
    assert all(limits.enter("192.0.2.1", 0.0) is None for _ in range(60))
    assert limits.enter("192.0.2.1", 0.5) is Reason.THROTTLED
    assert limits.enter("192.0.2.2", 0.5) is None
    assert limits.enter("192.0.2.1", 2.0) is None


def test_named_networks_know_no_limit() -> None:
    limits = Limits(5, 1, 1, unlimited=("127.0.0.0/8", "::1/128"))
    assert [limits.enter(address, 0) for address in ("127.0.0.1", "127.0.0.1", "::1", "unix")] == [None] * 4
    for address in ("127.0.0.1", "127.0.0.1", "::1", "unix"):
        limits.leave(address)
    assert limits.open == 0
    networks = Networks(["10.0.0.0/8", "2001:db8::/32"])
    assert "10.1.2.3" in networks
    assert "2001:db8::9" in networks
    assert "192.0.2.1" not in networks
    assert "unix" not in networks
    assert "10.0.0.1" not in Networks([])
