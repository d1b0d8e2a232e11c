"""What a submitted header becomes: RFC 6409 8, RFC 5322 2.1.1 and 3.6."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.clock import FrozenClock
from quintet.config.smtp import Smtp
from quintet.delivery.envelope import mailbox
from quintet.delivery.submit import MAX_LINE, Rules, complete, mended
from quintet.errors import Reason, Refused
from quintet.message import headers, words

ALICE = mailbox("alice@example.org")
TOP = "Date: Fri, 21 Nov 2025 09:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n"


USUAL = Rules()


def made(text: str | bytes, rules: Rules = USUAL) -> bytes:
    return complete(
        TOP.encode() + (text if isinstance(text, bytes) else text.encode()),
        sender=ALICE,
        identity=ALICE,
        owns=lambda address: address.lower() == "alice@example.org",
        hostname="mx",
        clock=FrozenClock(),
        rules=rules,
    ).removeprefix(TOP.encode())


def test_a_foreign_from_is_kept_told_changed_or_refused():
    text = "From: Big Boss <boss@x.example>\r\n"
    assert made(text, Rules("keep")) == text.encode()
    assert made(text) == b"Sender: <alice@example.org>\r\n" + TOP.encode() + text.encode()
    assert made(text, Rules("rewrite")) == (
        b'From: "Big Boss" <alice@example.org>\r\nReply-To: Big Boss <boss@x.example>\r\n'
    )
    with pytest.raises(Refused) as refused:
        made(text, Rules("refuse"))
    assert refused.value.reason is Reason.SENDER_DENIED


def test_rewriting_leaves_a_reply_to_alone():
    text = "From: boss@x.example\r\nReply-To: z@z.example\r\n"
    assert made(text, Rules("rewrite")) == b"From: <alice@example.org>\r\nReply-To: z@z.example\r\n"


def test_a_sender_that_is_a_lie_is_replaced():
    text = "From: boss@x.example\r\nSender: boss@x.example\r\n"
    assert b"Sender: <alice@example.org>\r\n" in made(text)
    assert b"Sender: boss" not in made(text)


def test_only_the_first_from_passes():
    assert made("From: alice@example.org\r\nFrom: boss@x.example\r\n") == b"From: alice@example.org\r\n"


def test_a_resent_message_keeps_its_author():
    text = "Resent-From: alice@example.org\r\nFrom: boss@x.example\r\n"
    assert made(text, Rules("refuse")) == text.encode()


def test_fields_that_leak_are_cut():
    config = Smtp(cut_received=True, cut_fields=["X-Originating-IP"])
    text = (
        "Received: from [10.0.0.1]\r\n\tby x\r\nX-originating-ip: [10.0.0.1]\r\nFrom: alice@example.org\r\n"
    )
    assert made(text, Rules.of(config, utf8=False)) == b"From: alice@example.org\r\n"


@pytest.mark.parametrize("charset", ["utf-8", "windows-1252"])
def test_octets_that_nobody_announced_become_encoded_words(charset):
    raw = "From: Zoë <alice@example.org>\r\nSubject: Grüße, wie geht's\r\n".encode(charset)
    coded = made(raw, Rules(utf8=False))
    assert coded.isascii()
    assert words.decode_words(coded.partition(b"Subject:")[2].strip()) == "Grüße, wie geht's"
    assert (
        headers.mailboxes(coded.partition(b"From:")[2].partition(b"\r\n")[0])[0].spec == "alice@example.org"
    )
    assert made(raw) == raw


@pytest.mark.parametrize("value", ["word " * 600, "x" * 5000, "a@b.example, " * 300, " " * 3000 + "x"])
def test_long_lines_are_folded_and_say_the_same(value):
    field = f"To: {value}\r\n".encode()
    folded = mended(field, utf8=True)
    assert max(map(len, folded.split(b"\r\n"))) <= MAX_LINE
    assert re.sub(rb"\s", b"", folded) == re.sub(rb"\s", b"", field)
    assert all(line[:1] in b" \t" for line in folded.split(b"\r\n")[1:] if line)


@given(st.binary(max_size=3000), st.booleans())
def test_any_field_stays_one_field(value: bytes, utf8: bool):
    value = value.replace(b"\r", b"").replace(b"\n", b"")
    folded = mended(b"X-Any: " + value + b"\r\n", utf8=utf8)
    lines = folded.removesuffix(b"\r\n").split(b"\r\n")
    assert max(map(len, lines)) <= MAX_LINE
    assert lines[0].startswith(b"X-Any:")
    assert all(line.startswith((b" ", b"\t")) for line in lines[1:])
    assert utf8 or folded.isascii()


@given(st.binary(max_size=400), st.sampled_from(["keep", "sender", "rewrite", "refuse"]), st.booleans())
def test_any_header_block_comes_out_without_bcc(block: bytes, policy: str, utf8: bool):
    try:
        found = made(b"Subject: x\r\nBcc: a@b.example\r\n" + block, Rules(policy, utf8=utf8))
    except Refused:
        found = b""  # by that policy, and only then
        refused = True
    else:
        refused = False
    assert not refused or policy == "refuse"
    assert not re.search(rb"^(?:resent-)?bcc[ \t]*:", found, re.IGNORECASE | re.MULTILINE)
