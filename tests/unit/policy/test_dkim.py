"""DKIM signatures: RFC 8463's example to the octet, what RFC 6376 3.4 gives as examples, keys."""

from __future__ import annotations

import base64
import hashlib
import re
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.policy import dkim

# RFC 8463 appendix A
ED25519 = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
RSA = """-----BEGIN RSA PRIVATE KEY-----
MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi
Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM
KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB
AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm
6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe
zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy
6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc
uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy
WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd
WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a
licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst
o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe
uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL
-----END RSA PRIVATE KEY-----
"""
MESSAGE = (
    textwrap.dedent("""\
    From: Joe SixPack <joe@football.example.com>
    To: Suzie Q <suzie@shopping.example.net>
    Subject: Is dinner ready?
    Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
    Message-ID: <20030712040037.46341.5F8J@football.example.com>

    Hi.

    We lost the game.  Are you hungry yet?

    Joe.
    """)
    .replace("\n", "\r\n")
    .encode()
)
HEAD, _, BODY = MESSAGE.partition(b"\r\n\r\n")
FIELDS = dkim.cut(HEAD)
BH = "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="


def _ed25519() -> dkim.Key:
    der = bytes.fromhex("302e020100300506032b657004220420") + base64.b64decode(ED25519)  # PKCS #8
    return dkim.read(
        f"-----BEGIN PRIVATE KEY-----\n{base64.b64encode(der).decode()}\n-----END PRIVATE KEY-----\n"
    )


def _hash(*pieces: bytes) -> bytes:
    made = dkim.BodyHash()
    for piece in pieces:
        made.feed(piece)
    return made.finish()


def test_the_hash_of_rfc_8463s_body() -> None:
    assert base64.b64encode(dkim.body_hash(BODY)).decode() == BH


@pytest.mark.parametrize(
    ("selector", "b"),
    [
        (
            "brisbane",
            "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==",
        ),
        (
            "test",
            (
                "F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQ"
                "TnGdaSGsgeefOsk2JzdA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8="
            ),
        ),
    ],
)
def test_rfc_8463s_example_is_signed_alike(selector: str, b: str) -> None:
    """Its own field, which has i= and q= and other folds, goes through what is signed here."""
    key = _ed25519() if selector == "brisbane" else dkim.read(RSA)
    names = b"from to subject date message-id from subject date".split()
    h = "from : to :\r\n subject" if selector == "brisbane" else "from : to : subject"
    rest = " : date : message-id : from : subject : date"
    own = (
        f" v=1; a={key.kind}-sha256; c=relaxed/relaxed;\r\n d=football.example.com; i=@football.example.com;"
        f"\r\n q=dns/txt; s={selector}; t=1528637909; h={h}{rest};\r\n bh={BH};\r\n b="
    ).encode()
    signed = b"".join((*dkim.named(FIELDS, names), dkim.canonical(b"DKIM-Signature", own)[:-2]))
    assert base64.b64encode(key.signature(signed)).decode() == b


def test_records_are_those_of_rfc_8463() -> None:
    assert _ed25519().record == "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    assert dkim.read(RSA).record == (
        "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR"
        "iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC"
        "DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3"
        "Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
    )


def test_header_of_rfc_6376s_example_is_relaxed() -> None:
    """RFC 6376 3.4.5."""
    assert dkim.named(dkim.cut(b"A: X\r\nB : Y\t\r\n\tZ  "), (b"a", b"b")) == [b"a:X\r\n", b"b:Y Z\r\n"]


@pytest.mark.parametrize(
    ("body", "relaxed"),
    [
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),  # RFC 6376 3.4.5
        (b"", b""),  # 3.4.4
        (b"\r\n\r\n \t\r\n", b""),
        (b"no end", b"no end\r\n"),
        (b"no end \t", b"no end\r\n"),
        (b"a\r\n\r\n\r\nb", b"a\r\n\r\n\r\nb\r\n"),
        (b"bare\rcr\nlf\r\r\n", b"bare\rcr\nlf\r\r\n"),
    ],
)
def test_body_is_relaxed(body: bytes, relaxed: bytes) -> None:
    assert dkim.body_hash(body) == hashlib.sha256(relaxed).digest()
    assert _hash(*(body[at : at + 1] for at in range(len(body)))) == dkim.body_hash(body)


def _slowly(body: bytes) -> bytes:
    """RFC 6376 3.4.4, word for word."""
    if not body.endswith(b"\r\n"):
        body += b"\r\n"
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body[:-2].split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


@given(
    st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"\r", b"\n", b"x", b" " * 9]), max_size=40),
    st.integers(1, 9),
)
def test_any_pieces_of_any_body_have_one_hash(words: list[bytes], size: int) -> None:
    body = b"".join(words)
    found = hashlib.sha256(_slowly(body)).digest()
    assert dkim.body_hash(body) == found
    assert _hash(*(body[at : at + size] for at in range(0, len(body), size))) == found


@given(
    st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"\r", b"xx", b" " * 9]), min_size=20, max_size=40),
    st.integers(1, 9),
)
def test_lines_without_end_are_hashed_as_they_come(words: list[bytes], size: int) -> None:
    body, usual = b"".join(words), dkim.MAX_OPEN
    dkim.MAX_OPEN = 3  # type: ignore[misc]
    try:
        found = _hash(*(body[at : at + size] for at in range(0, len(body), size)))
    finally:
        dkim.MAX_OPEN = usual  # type: ignore[misc]
    assert found == hashlib.sha256(_slowly(body)).digest()


def test_the_field_seals_what_readers_see() -> None:
    key = dkim.read(RSA)
    made = dkim.field(key, "football.example.com", "test", FIELDS, dkim.body_hash(BODY), 1528637909)
    assert made.endswith(b"\r\n")
    assert max(map(len, made.split(b"\r\n"))) <= dkim.MAX_LINE + 2
    ((name, value),) = dkim.cut(made[:-2])
    tags = dict(tag.strip().split("=", 1) for tag in re.sub(r"\s+", "", value.decode()).split(";"))
    assert name == b"DKIM-Signature"
    assert tags["bh"] == BH
    names = tags["h"].lower().split(":")
    assert {each: names.count(each) for each in ("from", "to", "cc", "subject", "message-id", "list-id")} == {
        "from": 2, "to": 2, "cc": 1, "subject": 2, "message-id": 2, "list-id": 0,
    }  # fmt: skip
    signed = b"".join(
        (
            *dkim.named(FIELDS, [each.encode() for each in names]),
            dkim.canonical(name, value[: value.rindex(b"b=") + 2])[:-2],
        )
    )
    assert key.signature(signed) == base64.b64decode(tags["b"])


def test_keys_that_nobody_believes_are_refused() -> None:
    with pytest.raises(dkim.BadKey, match="no private key"):
        dkim.read("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n")
    assert dkim.read(dkim.generate("ed25519").pem).kind == "ed25519"
    made = dkim.generate("rsa", 2048)
    assert dkim.read(made.pem).record == made.record


@pytest.mark.parametrize(
    ("text", "good"), [("2026a", True), ("a.b", True), ("", False), ("a_b", False), ("-a", False)]
)
def test_selectors(text: str, good: bool) -> None:
    assert dkim.is_selector(text) is good
