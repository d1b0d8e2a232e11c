"""What dialogues cannot show: greeting delay, TLS in the same packet, lost connections, tables, the trace."""

import base64
import re
from dataclasses import replace
from pathlib import Path

import pytest

from quintet import log, metrics
from quintet.errors import Hangup, Reason, Refused, TryLater
from quintet.net.memory import Talk, converse
from quintet.smtp import replies
from quintet.smtp.desk import Role
from quintet.smtp.session import SmtpSession
from tests.support.mailhouse import MailHouse, mail_house

LETTER = b"EHLO a.test\r\nMAIL FROM:<zoe@example.net>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n"


@pytest.fixture
async def house(tmp_path: Path):
    async with mail_house(tmp_path) as made:
        yield made


def test_every_reason_has_words_and_codes_agree_with_their_class() -> None:
    assert set(replies.PROBLEMS) == set(Reason)
    for reason, (code, enhanced, text) in replies.PROBLEMS.items():
        assert 400 <= code < 600, reason
        assert re.fullmatch(r"[45]\.\d{1,3}\.\d{1,3}", enhanced)
        assert enhanced[0] == str(code)[0]
        assert text.isascii()
        for logging_in in (False, True):
            assert replies.status(TryLater(reason), logging_in=logging_in).code < 500
        assert replies.farewell(reason, "mx.test").startswith((b"4", b"5"))


def test_text_from_elsewhere_cannot_begin_a_line_of_its_own() -> None:
    line = replies.problem(Refused(Reason.POLICY, "no\r\n250 yes\r\n" + "x" * 1000))
    assert line.count(b"\r\n") == 1
    assert len(line) <= 512
    assert replies.problem(Hangup(Reason.BUG, "secret path")) == b"451 4.3.0 Internal error\r\n"


async def test_early_talker_is_noted_when_the_greeting_waits(house: MailHouse) -> None:
    house.configure(replace(house.config, greet_delay_s=2.0))
    talk = Talk(house.service)
    house.meanwhile = lambda: talk.driver.received(b"EHLO eager.test\r\n")
    await talk.begin()
    assert house.slept == [2.0]
    assert talk.peer.notes == {"early_talker": True}
    assert talk.take().startswith(b"220 mx.example.org ESMTP Quintet\r\n250-mx.example.org greets eager.test")
    await talk.end()


async def test_commands_in_the_packet_of_starttls_are_thrown_away(house: MailHouse) -> None:
    said = await converse(house.service, b"EHLO a.test\r\nSTARTTLS\r\nMAIL FROM:<x@example.net>\r\nQUIT\r\n")
    assert said.endswith(b"220 2.0.0 Ready to start TLS\r\n")


async def test_connection_lost_in_the_message_leaves_nothing(house: MailHouse, tmp_path: Path) -> None:
    talk = Talk(house.service)
    await talk.begin()
    await talk.send(LETTER)
    await talk.send(b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 20_000)
    assert list((tmp_path / "spool").iterdir())
    await talk.end()
    assert list((tmp_path / "spool").iterdir()) == []
    assert await house.count("alice") == 0


async def test_chunks_that_were_given_up_leave_nothing(house: MailHouse, tmp_path: Path) -> None:
    body = b"0123456789\r\n" * 20_000
    for ending in (b"RSET\r\n", b"EHLO a.test\r\n", b"STARTTLS\r\n", b"QUIT\r\n", b""):
        talk = Talk(house.service)
        await talk.begin()
        await talk.send(LETTER.replace(b"DATA", b"BDAT %d" % len(body)) + body)
        assert list((tmp_path / "spool").iterdir())
        await talk.send(ending)
        await talk.end()
        assert list((tmp_path / "spool").iterdir()) == []


async def test_trace_tells_who_brought_it_and_where_it_went(house: MailHouse) -> None:
    await converse(house.service, LETTER + b"Message-ID: <1@example.net>\r\n\r\n.\r\n")
    (event,) = house.traced()
    assert (event.event, event.conn, event.message_id) == ("accepted", "memory", "<1@example.net>")
    assert event.detail["from"] == "zoe@example.net"
    assert event.detail["to"] == ["alice@example.org"]
    assert event.detail["with"] == "ESMTP"
    assert len(event.detail["places"]) == 1


async def test_one_blob_for_all_recipients(house: MailHouse) -> None:
    more = b"RCPT TO:<bob@example.org>\r\nRCPT TO:<carol@example.org>\r\nDATA\r\n"
    await converse(house.service, LETTER.replace(b"DATA\r\n", more) + b"Subject: x\r\n\r\n.\r\n")
    assert house.store.peek(lambda tx: tx.value("SELECT count(*) FROM blob")) == 1
    assert house.store.peek(lambda tx: tx.value("SELECT count(*) FROM message")) == 1
    assert [await house.count(name) for name in ("alice", "bob", "carol")] == [1, 1, 1]
    assert b"for <" not in await house.last("bob")


async def test_disk_full_is_said_and_nothing_is_lost_or_kept(
    house: MailHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise TryLater(Reason.DISK_FULL)

    monkeypatch.setattr(house.store, "submit", full)
    said = await converse(house.service, LETTER + b"Subject: x\r\n\r\n.\r\nNOOP\r\n")
    assert said.endswith(b"452 4.3.1 Insufficient system storage\r\n250 2.0.0 OK\r\n")


async def test_bug_is_neutral_and_the_connection_goes_on(
    house: MailHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("inner thought")

    monkeypatch.setattr(house.inbound, "recipient", broken)
    said = await converse(house.service, LETTER + b"NOOP\r\n")
    assert b"451 4.3.0 Internal error\r\n" in said
    assert b"inner thought" not in said
    assert said.endswith(b"250 2.0.0 OK\r\n")


async def test_trusted_networks_and_relay_domains_may_send_on(house: MailHouse) -> None:
    config = replace(house.config, relay_networks=["192.0.2.0/24"], relay_domains=["Backup.example"])
    house.configure(config)
    line = b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<x@example.net>\r\nRCPT TO:<x@backup.example>\r\n"
    ok, no = b"250 2.1.5 Recipient OK\r\n", b"550 5.7.1 Relaying denied\r\n"
    assert (await converse(house.service, line, address="192.0.2.7")).endswith(ok + ok)
    assert (await converse(house.service, line, address="2001:db8::1")).endswith(no + ok)
    assert (await converse(house.service, line, address="unix")).endswith(no + ok)


async def test_submission_offers_no_login_in_the_clear(house: MailHouse) -> None:
    house.role = Role.SUBMISSION
    assert b"AUTH" not in await converse(house.service, b"EHLO a\r\n", address="192.0.2.7")
    assert b"AUTH SCRAM" in await converse(house.service, b"EHLO a\r\n", address="192.0.2.7", tls=True)


async def test_only_who_knows_the_password_hears_that_an_account_is_disabled(house: MailHouse) -> None:
    # RFC 5248 2.4 (X.7.13): "occurs after a successful authentication to a disabled account"
    await house.given("disabled alice")
    house.role = Role.SUBMISSION
    right, wrong = (base64.b64encode(b"\0alice@example.org\0" + word) for word in (b"demo", b"nothing"))
    lines = b"EHLO a\r\nAUTH PLAIN %s\r\nAUTH PLAIN %s\r\n" % (wrong, right)
    said = (await converse(house.service, lines, tls=True)).splitlines()
    assert [line[:10] for line in said[-2:]] == [b"535 5.7.8 ", b"525 5.7.13"]


async def test_too_many_commands_that_move_nothing(house: MailHouse) -> None:
    said = await converse(house.service, b"NOOP\r\n" * 1100)
    assert said.endswith(b"421 4.7.0 mx.example.org Too many errors, closing connection\r\n")
    assert said.count(b"250 2.0.0 OK\r\n") == 1000


async def test_a_priority_is_logged_as_it_was_asked_for(house: MailHouse) -> None:
    # RFC 6710 4.1 (3)
    script = b"".join(
        b"MAIL FROM:<zoe@example.net> MT-PRIORITY=%d\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n\r\n.\r\n"
        % each
        for each in (5, -2)
    )
    with log.capture() as lines:
        await converse(house.service, b"EHLO c.test\r\n" + script)
    told = [(line["asked"], line["given"]) for line in lines if line["event"] == "priority"]
    assert told == [(5, 0), (-2, -2)]
    accepted = [line for line in lines if line["event"] == "accepted"]
    assert [line["sender"] for line in accepted] == ["zoe@example.net"] * 2
    assert [event.detail.get("priority", 0) for event in house.traced()] == [0, -2]


async def test_every_refusal_is_a_line_in_the_log_and_counts(house: MailHouse) -> None:
    house.role = Role.LMTP
    before = metrics.MAIL_REFUSED.labels("lmtp", "550")._value.get()
    await house.given("option max_hops 10")
    script = (
        b"LHLO c.test\r\nMAIL FROM:<zoe@example.net>\r\nRCPT TO:<nobody@example.org>\r\n"
        b"RCPT TO:<alice@example.org>\r\nDATA\r\n" + b"Received: x\r\n" * 11 + b"\r\n.\r\n"
        b"MAIL FROM:<zoe@example.net> FOO\r\nGET / HTTP/1.1\r\n"
    )
    with log.capture() as lines:
        await converse(house.service, script)
    told = [line for line in lines if line["event"] == "refused"]
    assert [(line["command"], line["reply"][:9]) for line in told] == [
        ("rcpt", "550 5.1.1"),
        ("data", "554 5.4.6"),
        ("mail", "555 5.5.4"),
        ("", "501 5.5.4"),
    ]
    assert told[0]["recipient"] == "nobody@example.org"
    assert (told[1]["sender"], told[1]["to"]) == ("zoe@example.net", ["alice@example.org"])
    assert len({line["conn"] for line in told}) == 1
    assert metrics.MAIL_REFUSED.labels("lmtp", "550")._value.get() == before + 1


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("group", "handled"),
    [
        (b"RCPT TO:<alice@example.org>\r\nDATA\r\n", 1),
        (b"RCPT TO:<alice@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n", 1),
        (b"RCPT TO:<alice@example.org>\r\nRCPT TO:<nobody@example.org>\r\nDATA\r\n", 3),
        (b"RCPT TO:<nobody@example.org>\r\nDATA\r\n", 3),
        (b"RCPT TO:<alice@example.org>\r\nRCPT TO:<nobody@example.org>\r\nRCPT TO:<bob@example.org>\r\n", 3),
        (b"DATA\r\n", 2),
        (b"RCPT TO:<alice@example.org>\r\ndata\r\n", 2),
        (b"RCPT TO:<alice@example.org>\r\nDATA\r\nNOOP\r\n", 3),  # an early message, and no end of a group
        (b"RCPT TO:<alice@example.org> NOTIFY=NEVER\r\nDATA\r\n", 2),
    ],
)
async def test_pipeline_is_answered_as_its_commands_are(
    house: MailHouse, monkeypatch, known, group, handled
) -> None:
    """RFC 2920 3.1: every command has its reply, in order; those that need no thought cost one step."""
    start = b"EHLO a.test\r\nMAIL FROM:<zoe@example.net>\r\n"
    once = await converse(house.service, start + group, 1)
    if not known:
        house.inbound.directory.forget()
    seen = []
    handle = SmtpSession.handle
    monkeypatch.setattr(
        SmtpSession, "handle", lambda self, command, rest: seen.append(command) or handle(self, command, rest)
    )
    assert await converse(house.service, start + group) == once
    if known:
        assert len(seen) == 1 + handled
