"""Reports as bytes: RFC 3464, RFC 3461 6, RFC 6533; read back by the library's own parser."""

import email
import email.policy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.clock import FrozenClock
from quintet.delivery import dsn, notify, wording
from quintet.delivery.envelope import Mailbox, mailbox

NOW = FrozenClock().now()


def fate(address="nobody@example.net", action=dsn.FAILED, **more) -> dsn.Fate:
    return dsn.Fate(mailbox(address), action, more.pop("status", "5.1.1"), **more)


def about(content=b"Subject: x\r\n\r\nbody\r\n", sender="alice@example.org", **more) -> dsn.About:
    return dsn.About(mailbox(sender), NOW, content, **{"whole": True, **more})


def report(*fates: dsn.Fate, **more) -> bytes:
    return dsn.report(about(**more), fates, hostname="mx.test", now=NOW, token="t")


def parsed(data: bytes):
    assert b"\n" not in data.replace(b"\r\n", b"")
    return email.message_from_bytes(data, policy=email.policy.default)


# --- RFC 3461 4.1, 5.2: who wants what ------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "what", "expected"),
    [
        ((), "failure", True),  # 5.2.6 (c)
        ((), "delay", True),  # 5.2.5 (b)
        ((), "success", False),  # 5.2.3 (c)
        (("never",), "failure", False),
        (("never",), "success", False),
        (("success",), "failure", False),  # 5.2.6 (b)
        (("success", "delay"), "delay", True),
        (("failure",), "delay", False),  # 5.2.5 (c)
    ],
)
def test_notify_says_what_is_told(said, what, expected):
    assert notify.wanted(said, what) is expected


@pytest.mark.parametrize(
    ("said", "members", "expected"),
    [
        (("success", "failure"), 1, ("success", "failure")),  # 5.2.7.2
        (("success", "failure"), 2, ("failure",)),  # 5.2.7.3 (c)
        (("success",), 3, ("never",)),
        (("never",), 3, ("never",)),
        ((), 3, ()),
    ],
)
def test_members_of_an_alias_inherit_all_but_success(said, members, expected):
    assert notify.inherited(said, members) == expected
    assert notify.inherited(said, members, mailing_list=True) == ()  # 5.2.7.1 (b)


# --- RFC 3464: the fields ------------------------------------------------------------------------


def test_report_has_three_parts_and_the_fields_of_rfc_3464():
    fates = [
        fate(diagnostic="550 no\r\nX-Injected: yes", remote="mx.example.net", at=NOW, command="RCPT TO:<x>"),
        fate("b@example.net", status="5.2.2", diagnostic="full", original="rfc822;B@example.net"),
    ]
    data = report(*fates, envelope_id="QQ1", received_from="client.test", log_id="abc1")
    whole = parsed(data)
    assert whole.get_content_type() == "multipart/report"
    assert whole.get_param("report-type") == "delivery-status"
    assert whole["Auto-Submitted"] == "auto-replied"
    text, status, original = whole.iter_parts()
    words = text.get_content().replace("\r\n", "\n")
    assert "<nobody@example.net>\n    There is no such address." in words
    assert "mx.example.net said: 550 no X-Injected: yes\n    in answer to: RCPT TO:<x>" in words
    assert "The mailbox is full." in words
    first, one, two = status.get_payload()
    assert list(first.items()) == [
        ("Original-Envelope-Id", "QQ1"),
        ("Reporting-MTA", "dns; mx.test"),
        ("Received-From-MTA", "dns; client.test"),
        ("Arrival-Date", "Fri, 21 Nov 2025 09:00:00 +0000"),
    ]
    assert list(one.items()) == [
        ("Final-Recipient", "rfc822; nobody@example.net"),
        ("Action", "failed"),
        ("Status", "5.1.1"),
        ("Remote-MTA", "dns; mx.example.net"),
        ("Diagnostic-Code", "smtp; 550 no X-Injected: yes"),
        ("Last-Attempt-Date", "Fri, 21 Nov 2025 09:00:00 +0000"),
        ("Final-Log-ID", "abc1"),
    ]
    assert two["Original-Recipient"] == "rfc822; B@example.net"
    assert (two["Status"], two["Remote-MTA"], two["Diagnostic-Code"]) == ("5.2.2", None, "x-quintet; full")
    assert original.get_content()["Subject"] == "x"


def test_program_that_failed_has_a_diagnostic_of_its_own_type():
    """RFC 3464 2.3.6."""
    data = report(fate(diagnostic="exit 67", kind="x-unix", remote="procmail"))
    assert b"Diagnostic-Code: x-unix; exit 67\r\n" in data
    assert b"Remote-MTA" not in data
    assert b"Diagnostic-Code: x-unix; exit 67\r\n" in report(fate(diagnostic="exit 67", kind="x-unix"))


def test_delayed_says_how_long_it_is_tried():
    data = report(fate(action=dsn.DELAYED, status="4.4.1", diagnostic="no answer", retry_until=NOW))
    assert b"Will-Retry-Until: Fri, 21 Nov 2025 09:00:00 +0000\r\n" in data
    assert b"It is tried until" in data


@pytest.mark.parametrize(
    ("action", "status", "expected"),
    [
        (dsn.FAILED, "4.4.1", "5.4.1"),
        (dsn.DELAYED, "5.2.2", "4.2.2"),
        (dsn.DELIVERED, "", "2.0.0"),
        (dsn.RELAYED, "250", "2.0.0"),
        (dsn.EXPANDED, "2.1.5\r\nX: y", "2.0.0"),
        (dsn.FAILED, "5.1.1000", "5.0.0"),
    ],
)
def test_status_fits_the_action(action, status, expected):
    """RFC 3464 2.3.4."""
    fields = list(parsed(report(fate(action=action, status=status))).iter_parts())[1].get_payload()[1]
    assert (fields["Action"], fields["Status"]) == (action, expected)


def test_report_of_the_header_only():
    data = report(fate(), content=b"Subject: x\r\n\r\n", whole=False)
    assert [part.get_content_type() for part in parsed(data).iter_parts()][2] == "text/rfc822-headers"


# --- RFC 6533: internationalised addresses ---------------------------------------------------------


def test_report_about_utf8_addresses_is_global():
    mail = "Subject: zoë\r\n\r\nbody\r\n".encode()
    data = report(fate("zoë@example.net", diagnostic="550 né", remote="mx.test"), content=mail)
    whole = parsed(data)
    kinds = [part.get_content_type() for part in whole.iter_parts()]
    assert kinds == ["text/plain", "message/global-delivery-status", "message/global"]
    assert whole.get_param("report-type") == "global-delivery-status"
    assert "Final-Recipient: utf-8; zoë@example.net\r\n".encode() in data
    assert "Diagnostic-Code: smtp; 550 né\r\n".encode() in data


def test_report_for_a_way_back_of_seven_bits_writes_letters_by_number():
    """RFC 6533 3 (utf-8-addr-xtext) and 4.5."""
    mail = "Subject: zoë\r\n\r\nbody\r\n".encode()
    one = fate("zo+ë@example.net", original="utf-8;Zoë@example.net", diagnostic="né", remote="mx.test")
    data = report(one, content=mail, seven_bit=True)
    assert data.isascii()
    kinds = [part.get_content_type() for part in parsed(data).iter_parts()]
    assert kinds == ["text/plain", "message/delivery-status", "message/global"]
    assert b"Final-Recipient: utf-8; zo\\x{2B}\\x{EB}@example.net\r\n" in data
    assert b"Original-Recipient: utf-8; Zo\\x{EB}@example.net\r\n" in data


def test_utf8_sender_is_reached_by_utf8_only():
    data = report(fate(), sender="zoë@example.net", seven_bit=True)
    assert b"message/global-delivery-status" in data


# --- languages ------------------------------------------------------------------------------------


def test_every_language_says_everything():
    places = {key: _places(wording.phrases("en"), key) for key in wording.phrases("en").keys()}  # noqa: SIM118
    assert len(places) > 30
    for tag in wording.LANGUAGES:
        words = wording.phrases(tag)
        assert {key: _places(words, key) for key in words.keys()} == places, tag  # noqa: SIM118


class _Seen(dict):
    def __missing__(self, key):
        self[key] = ""
        return ""


def _places(words, key):
    found = words._table
    for name in key.split("."):
        found = found[name]
    seen = _Seen()
    assert found.format_map(seen).strip()
    return set(seen)


@pytest.mark.parametrize("tag", wording.LANGUAGES)
@pytest.mark.parametrize("action", [dsn.FAILED, dsn.DELAYED, dsn.DELIVERED, dsn.RELAYED, dsn.EXPANDED])
def test_report_in_every_language(tag, action):
    whole = parsed(report(fate(action=action), language=tag))
    text = next(iter(whole.iter_parts()))
    words = wording.phrases(tag)
    assert whole["Subject"] == words.say(f"subject.{action}")
    body = " ".join(text.get_content().split())
    assert " ".join(words.say(f"text.{action}").split()) in body
    assert " ".join(wording.phrases("en").say(f"text.{action}").split()) in body
    assert text["Content-Language"] == ("en" if tag == "en" else f"{tag}, en")


@pytest.mark.parametrize(
    ("accept", "content", "expected"),
    [
        ("de-AT, en;q=0.5", "", "de"),
        ("en;q=0.5, fr;q=0.8", "de", "fr"),
        ("xx", "pt-BR", "pt"),
        ("de;q=0, sv;q=0.1", "", "sv"),
        ("*", "zh-Hans", "zh"),
        ("", "", ""),
        ("\r\nX: y, de;;;", "=?utf-8?q?de?=", ""),
        ("x" * 10_000 + ",de", "", "de"),
    ],
)
def test_language_of_a_message(accept, content, expected):
    assert wording.wanted(accept, content) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("5.1.1", "no_mailbox"),
        ("5.1.10", "no_domain"),
        ("4.2.2", "full"),
        ("5.7.26", "proof"),
        ("5.7.30", "tls"),
        ("5.7.1", "policy"),
        ("4.4.1", "unreachable"),
        ("5.4.7", "expired"),
        ("4.5.3", "busy"),
        ("5.0.0", ""),
        ("", ""),
    ],
)
def test_status_in_plain_words(status, expected):
    assert wording.reason(status) == expected


# --- whatever others said ------------------------------------------------------------------------

ANY = st.text(max_size=60)
_LETTERS = st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"])
LOCAL = st.text(_LETTERS, min_size=1, max_size=20)


@given(
    local=LOCAL,
    action=st.sampled_from(sorted(dsn._CLASS)),
    status=st.one_of(ANY, st.from_regex(r"[245]\.\d\.\d", fullmatch=True)),
    diagnostic=ANY,
    remote=ANY,
    original=st.one_of(ANY, ANY.map(lambda text: "rfc822;" + text)),
    envelope_id=ANY,
    helo=ANY,
    content=st.binary(max_size=200),
    seven_bit=st.booleans(),
    language=st.sampled_from(["", *wording.LANGUAGES]),
)
def test_nothing_said_elsewhere_becomes_a_field(
    local, action, status, diagnostic, remote, original, envelope_id, helo, content, seven_bit, language
):
    address = Mailbox(local, "example.net")
    one = dsn.Fate(
        address, action, status, diagnostic, remote=remote, original=original, at=NOW, command=diagnostic
    )
    data = dsn.report(
        about(content, envelope_id=envelope_id, received_from=helo, language=language, seven_bit=seven_bit),
        [one, one],
        hostname="mx.test",
        now=NOW,
        token="t",
    )
    whole = email.message_from_bytes(data)
    assert sorted(whole.keys()) == sorted(
        ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
    )
    parts = whole.get_payload()
    assert len(parts) == (3 if content else 2)
    machine = data.split(b"\r\n\r\n", 3)
    assert machine
    fields = re.search(rb"\r\n\r\n((?:Original-Envelope-Id|Reporting-MTA): .*?\r\n)\r\n--", data, re.DOTALL)
    assert fields is not None
    about_it, first, second = fields[1].decode().removesuffix("\r\n").split("\r\n\r\n")
    assert first == second
    known = {
        "Original-Envelope-Id": 1, "Reporting-MTA": 1, "Received-From-MTA": 1, "Arrival-Date": 1,
        "Original-Recipient": 2, "Final-Recipient": 2, "Action": 2, "Status": 2, "Remote-MTA": 2,
        "Diagnostic-Code": 2, "Last-Attempt-Date": 2,
    }  # fmt: skip
    for group, block in ((1, about_it), (2, first)):
        lines = block.split("\r\n")
        names = [line.partition(": ")[0] for line in lines]
        assert all(known[name] == group for name in names), names
        assert len(set(names)) == len(names)
        assert all(len(line.encode()) <= 998 for line in lines)
        assert not any(mark in block for mark in "\v\f\x1c\x1d\x1e\x85\u2028\u2029")
    values = dict(line.split(": ", 1) for line in first.split("\r\n"))
    assert values["Action"] == action
    assert re.fullmatch(dsn._CLASS[action] + r"\.\d{1,3}\.\d{1,3}", values["Status"])
    kind, _, value = values["Final-Recipient"].partition("; ")
    if kind == "rfc822" and str(address).isprintable():
        assert value == str(address).strip()
