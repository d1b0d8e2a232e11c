"""The pure pieces of delivery: waits, trace fields, reports, completing what a mail program sends."""

import pytest

from quintet.clock import FrozenClock
from quintet.delivery import backoff, stamp
from quintet.delivery.envelope import NULL, Envelope, Mailbox, Recipient, mailbox
from quintet.delivery.submit import MAX_HEADER, Completer
from quintet.errors import Refused
from quintet.net.seam import Peer, TlsInfo

NOW = FrozenClock().now()


# --- waits ------------------------------------------------------------------------------------


def test_waits_follow_the_schedule_and_the_last_repeats():
    assert [backoff.next_try(n, 0, [60, 300], 0.5) for n in (1, 2, 3, 9)] == [
        60_000,
        300_000,
        300_000,
        300_000,
    ]


def test_waits_vary_by_a_tenth():
    assert backoff.next_try(1, 0, [100], 0.0) == 90_000
    assert backoff.next_try(1, 0, [100], 0.999999) == 110_000


@pytest.mark.parametrize(
    ("age_s", "warned", "expected"), [(10, False, False), (15_000, False, True), (15_000, True, False)]
)
def test_one_warning_after_its_time(age_s, warned, expected):
    assert backoff.warn(NOW - age_s * 1000, NOW, 4 * 3600, warned) is expected
    assert not backoff.warn(NOW - age_s * 1000, NOW, 0, warned)


# --- mailboxes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "text"),
    [
        (NULL, ""),
        (Mailbox("postmaster", ""), "postmaster"),
        (Mailbox("alice", "example.org"), "alice@example.org"),
        (Mailbox("a b", "example.org"), '"a b"@example.org'),
        (Mailbox('a"\\b', "example.org"), '"a\\"\\\\b"@example.org'),
        (Mailbox("", "example.org"), '""@example.org'),
        (Mailbox("a@b", "[192.0.2.1]"), '"a@b"@[192.0.2.1]'),
        (Mailbox("zoë", "bücher.example"), "zoë@bücher.example"),
        (Mailbox(".a", "example.org"), '".a"@example.org'),
        (Mailbox("a b", '[x:"@"]'), '"a b"@[x:"@"]'),  # RFC 5321 4.1.3: dcontent, found by fuzzing
        (Mailbox("a", "[x:@]"), "a@[x:@]"),
    ],
)
def test_mailbox_is_written_as_it_is_read(box, text):
    assert str(box) == text
    assert mailbox(text) == box


# --- trace fields -------------------------------------------------------------------------------


def envelope(helo="client.test", *, tls=None, address="192.0.2.9", **more) -> Envelope:
    return Envelope(peer=Peer("c1", address, tls=tls), helo=helo, id="abc", **more)


def test_received_names_the_recipient_only_when_there_is_one():
    one, two = (Recipient(Mailbox(name, "example.org")) for name in "ab")
    assert b"\r\n\tfor <a@example.org>;" in stamp.received(envelope(recipients=[one]), "mx", NOW)
    assert b"for" not in stamp.received(envelope(recipients=[one, two]), "mx", NOW)


@pytest.mark.parametrize(
    ("tls", "expected"),
    [
        ("TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
        ("ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
        ("AES128-SHA", ""),
    ],
)
def test_tls_clause_has_the_registered_name(tls, expected):
    assert stamp.registered_cipher(tls) == expected
    line = stamp.received(envelope(tls=TlsInfo("TLSv1.2", tls, 128)), "mx", NOW)
    assert b"with ESMTPS (TLSv1.2 cipher " + tls.encode() in line
    assert (b"\r\n\ttls " in line) is bool(expected)


@pytest.mark.parametrize(
    ("helo", "address", "expected"),
    [
        ("client.test", "192.0.2.9", b"from client.test ([192.0.2.9])\r\n"),
        ("client.test", "2001:db8::9", b"from client.test ([IPv6:2001:db8::9])\r\n"),
        ("[192.0.2.9]", "192.0.2.9", b"from [192.0.2.9] ([192.0.2.9])\r\n"),
        ("a)b(c\rd e;", "192.0.2.9", b"from [192.0.2.9] (helo=a?b?c?d?e;)\r\n"),
        ("client.test", "unix", b"from client.test\r\n"),
    ],
)
def test_client_in_received_can_inject_nothing(helo, address, expected):
    assert expected in stamp.received(envelope(helo, address=address), "mx", NOW)


# --- completing -----------------------------------------------------------------------------------


def complete(
    data: bytes, chunk: int = 1 << 20, *, owned=("alice@example.org",), sender="alice@example.org"
) -> bytes:
    completer = Completer(
        sender=mailbox(sender),
        identity=mailbox("alice@example.org"),
        owns=lambda address: address.lower() in owned,
        hostname="mx.example.org",
        clock=FrozenClock(),
    )
    pieces = [completer.feed(data[at : at + chunk]) for at in range(0, len(data), chunk)]
    return b"".join(pieces) + completer.finish()


WHOLE = (
    b"Date: Fri, 21 Nov 2025 09:00:00 +0000\r\nMessage-ID: <1@example.org>\r\nFrom: alice@example.org\r\n"
    b"\r\nbody\r\n\r\nmore\r\n"
)
MADE = b"Date: Fri, 21 Nov 2025 09:00:00 +0000\r\nMessage-ID: <000000000000000000000001@example.org>\r\n"


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1 << 20])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (WHOLE, WHOLE),
        (b"Subject: x\r\n\r\nb", MADE + b"From: <alice@example.org>\r\nSubject: x\r\n\r\nb"),
        (b"\r\nbody\r\n", MADE + b"From: <alice@example.org>\r\n\r\nbody\r\n"),
        (b"Subject: x\r\n", MADE + b"From: <alice@example.org>\r\nSubject: x\r\n\r\n"),
        (b"just text\r\n\r\nmore\r\n", MADE + b"From: <alice@example.org>\r\n\r\njust text\r\n\r\nmore\r\n"),
        (b"", MADE + b"From: <alice@example.org>\r\n\r\n"),
        (
            b"BCC:\r\n a@x,\r\n\tb@x\r\nReturn-Path: <q@x>\r\nResent-Bcc: c@x\r\n" + WHOLE,
            WHOLE,
        ),
        (b"From alice@x Fri Nov 21 09:00:00 2025\r\n" + WHOLE, WHOLE),  # an mbox's line
        (  # a line that is no field hides no Bcc
            b"Subject: x\r\nodd line\r\nBcc: c@x,\r\n d@x\r\n" + WHOLE,
            b"Subject: x\r\nodd line\r\n" + WHOLE,
        ),
        (b"odd\r\nBcc: text\r\n\r\nb", MADE + b"From: <alice@example.org>\r\n\r\nodd\r\nBcc: text\r\n\r\nb"),
        (
            WHOLE.replace(b"From: alice", b"From: Boss <boss@x>, alice"),
            WHOLE.replace(b"From: alice", b"From: Boss <boss@x>, alice"),
        ),
        (
            WHOLE.replace(b"alice@", b"carol@"),
            b"Sender: <alice@example.org>\r\n" + WHOLE.replace(b"alice@", b"carol@"),
        ),
    ],
)
def test_completed_in_every_chunking(data, expected, chunk):
    assert complete(data, chunk) == expected


def test_header_without_end_is_refused_before_it_fills_the_memory():
    completer = Completer(sender=NULL, identity=NULL, owns=lambda _: True, hostname="mx", clock=FrozenClock())
    with pytest.raises(Refused):
        for _ in range(MAX_HEADER // 1000 + 2):
            completer.feed(b"x" * 998 + b"\r\n")
