"""Signatures of others: what is believed of them, and what is not (RFC 6376 6)."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.errors import Reason, TryLater
from quintet.policy import dkim, dkimverify
from tests.unit.policy.test_dkim import BODY, HEAD, RSA

KEY = dkim.read(RSA)
NOW = 1_528_637_909
RECORD = KEY.record.encode()
PLACE = "test._domainkey.football.example.com"
SIGNED = dkim.field(KEY, "football.example.com", "test", dkim.cut(HEAD), dkim.body_hash(BODY), NOW)
# RFC 8463 A.3, both signatures
EXAMPLE = b"""\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
""".replace(b"\n", b"\r\n")
KEYS = {
    "brisbane._domainkey.football.example.com": [
        b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    ],
    PLACE: [RECORD],
}


class Keys:
    """A name service that knows some texts."""

    def __init__(self, texts: dict[str, list[bytes]]) -> None:
        self.texts = texts

    async def txt(self, name: str) -> list[bytes]:
        if "down" in self.texts:
            raise TryLater(Reason.DNS, "no answer")
        return self.texts.get(name, [])


async def worth(message: bytes, texts: dict[str, list[bytes]] | None = None, now: int = NOW) -> list[str]:
    head, _, body = message.partition(b"\r\n\r\n")
    fields = dkim.cut(head)
    found = dkimverify.signatures(fields, now)
    for one in found:
        for at in range(0, len(body), 7):
            one.body.feed(body[at : at + 7])
    results = await dkimverify.verify(found, fields, Keys(KEYS if texts is None else texts))
    return [f"{one.result} {one.why}".strip() for one in results]


def whole(field: bytes = SIGNED, head: bytes = HEAD, body: bytes = BODY) -> bytes:
    return field + head + b"\r\n\r\n" + body


async def test_both_signatures_of_rfc_8463_hold() -> None:
    assert await worth(whole(EXAMPLE)) == ["pass", "pass"]


@pytest.mark.parametrize(
    ("message", "result"),
    [
        (whole(), "pass"),
        (whole(head=HEAD.replace(b"Is dinner", b"Is  dinner").replace(b"Date: ", b"DATE:\r\n\t")), "pass"),
        (whole(body=BODY + b"\r\n\r\n"), "pass"),
        (whole(head=b"Received: by us\r\n" + HEAD), "pass"),
        (whole(head=HEAD.replace(b"Is dinner", b"Was dinner")), "fail the signature does not fit"),
        (whole(head=HEAD + b"\r\nSubject: another"), "fail the signature does not fit"),  # sealed
        (whole(head=b"From: x@y.example\r\n" + HEAD), "fail the signature does not fit"),
        (whole(body=BODY.replace(b"Joe.", b"Jim.")), "fail the body was changed"),
        (whole(body=BODY + b"more\r\n"), "fail the body was changed"),
        (whole(SIGNED.replace(b"v=1", b"v=2")), "neutral of another version"),
        (whole(SIGNED.replace(b"rsa-sha256", b"rsa-sha1")), "permerror by rsa-sha1"),  # RFC 8301 3.1
        (whole(SIGNED.replace(b"From:From:", b"")), "permerror From is not signed"),
        (whole(SIGNED.replace(b"v=1;", b"v=1; i=@example.com;")), "permerror i= is not within d="),
        (whole(SIGNED.replace(b"v=1;", b"v=1; x=1528637900;")), "neutral over before it began"),
        (whole(SIGNED.replace(b"v=1;", b"v=1; l=x;")), "neutral l= is no number"),
        (whole(SIGNED.replace(b"v=1;", b"v=1; v=1;")), "neutral not a list of tags"),
        (whole(SIGNED.replace(b"relaxed/relaxed", b"odd")), "neutral in an unknown form"),
        (whole(b"DKIM-Signature: v=1\r\n"), "neutral without a="),
        (whole(b"DKIM-Signature:\r\n"), "neutral without v="),
    ],
)
async def test_what_a_signature_is_worth(message: bytes, result: str) -> None:
    assert await worth(message) == [result]


@pytest.mark.parametrize(
    ("record", "result"),
    [
        (RECORD.replace(b"v=DKIM1; ", b""), "pass"),
        (RECORD + b"; t=s; s=email; h=sha1:sha256", "pass"),
        (b"v=DKIM1; k=rsa; p=", "permerror the key was revoked"),
        (RECORD.replace(b"DKIM1", b"DKIM2"), "permerror the key is of another kind"),
        (RECORD.replace(b"k=rsa", b"k=ed25519"), "permerror the key is of another kind"),
        (RECORD + b"; h=sha1", "permerror the key is not for this hash"),
        (RECORD + b"; s=tlsrpt", "permerror the key is not for mail"),
        (b"v=DKIM1; p=AAAA", "permerror the key cannot be read"),
        (b"hello", "permerror the key cannot be read"),
    ],
)
async def test_what_keys_are_good_for(record: bytes, result: str) -> None:
    assert await worth(whole(), {PLACE: [record]}) == [result]


async def test_keys_that_are_not_there() -> None:
    assert await worth(whole(), {}) == ["permerror there is no key"]
    assert await worth(whole(), {PLACE: [RECORD, RECORD]}) == ["permerror there are several keys"]
    assert await worth(whole(), {"down": []}) == ["temperror no answer"]


async def test_a_signature_ends_when_it_says_so() -> None:
    field = SIGNED.replace(b"v=1;", b"v=1; x=%d;" % (NOW + 10))
    assert await worth(whole(field), now=NOW + 11) == ["fail too old"]


async def test_a_body_of_which_only_the_beginning_is_signed_proves_little() -> None:
    """RFC 6376 8.2: anybody could add to it."""
    made = dkim.BodyHash(10)
    made.feed(BODY)
    bh = base64.b64encode(made.finish())
    names = [b"From"]
    bare = (
        b" v=1; a=rsa-sha256; c=relaxed/relaxed; d=football.example.com; s=test; l=10; h=From; bh="
        + bh
        + b"; b="
    )
    signed = b"".join((*dkim.named(dkim.cut(HEAD), names), dkim.canonical(b"DKIM-Signature", bare)[:-2]))
    field = b"DKIM-Signature:" + bare + base64.b64encode(KEY.signature(signed)) + b"\r\n"
    assert await worth(whole(field)) == ["policy only the beginning of the body is signed"]
    assert await worth(whole(field, body=BODY[:5])) == ["fail the body was changed"]


async def test_only_some_of_many_signatures_are_looked_at() -> None:
    """RFC 6376 8.4."""
    assert len(await worth(whole(SIGNED * 50))) == dkimverify.MAX_SIGNATURES


@given(st.binary(max_size=300))
def test_nothing_that_stands_in_a_field_is_too_much(value: bytes) -> None:
    for one in dkimverify.signatures(((b"DKIM-Signature", value),), NOW):
        one.body.feed(b"x\r\n")


@pytest.mark.parametrize(
    "value",
    [
        b"v=1; a=" + b" " * 400_000 + b"x",
        b";" * 400_000,
        b"v=1; " + b"x=1;" * 100_000,
        b"v=1; a=rsa-sha256; c=relaxed/relaxed; d=" + b"a" * 400_000 + b"; s=s; h=from; bh=x; b=x",
        b"v=1; a=rsa-sha256; c=relaxed/relaxed; d=a.example; s=s; h=" + b"from:" * 80_000 + b"; bh=x; b=x",
        b"v=1; b" + b" " * 400_000 + b"=x",
    ],
)
async def test_a_field_as_long_as_a_header_may_be_costs_little_and_is_not_told_on(value: bytes) -> None:
    began = time.process_time()
    fields = ((b"From", b" a@b.example"), (b"DKIM-Signature", value))
    found = dkimverify.signatures(fields, NOW)
    results = await dkimverify.verify(found, fields, Keys({"s._domainkey.a.example": [RECORD]}))
    assert time.process_time() - began < 1
    assert all(one.result != "pass" and len(one.domain + one.why + one.b) < 400 for one in results)
