"""Clients that are slow, talk out of turn, guess, or want to write into our log, our trace or a header."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from quintet import log
from quintet.net.memory import Talk, converse
from quintet.smtp.desk import Role
from tests.support.mailhouse import MailHouse, mail_house

HELLO = b"EHLO a.test\r\n"
ENVELOPE = b"MAIL FROM:<zoe@example.net>\r\nRCPT TO:<alice@example.org>\r\n"


@pytest.fixture
async def house(tmp_path: Path):
    async with mail_house(tmp_path) as made:
        yield made


async def traced(house: MailHouse) -> list:
    for _ in range(100):
        if events := house.traced():
            return events
        await asyncio.sleep(0.01)
    return []


# --- slow ----------------------------------------------------------------------------------------------


async def test_message_that_drips_is_cut_off(house: MailHouse, tmp_path: Path) -> None:
    talk = Talk(house.service)
    await talk.begin()
    await talk.send(HELLO + ENVELOPE + b"DATA\r\nSubject: x\r\n\r\n")
    talk.take()
    for _ in range(20):
        house.clock.advance(10)
        await talk.send(b"a")
    assert talk.take() == b"421 4.4.2 mx.example.org Idle too long, closing connection\r\n"
    assert talk.over
    await talk.end()
    assert await house.count("alice") == 0
    (event,) = await traced(house)
    assert event.event == "refused"
    assert event.detail["to"] == ["alice@example.org"]


async def test_message_at_the_slowest_allowed_pace_is_taken(house: MailHouse) -> None:
    talk = Talk(house.service)
    await talk.begin()
    await talk.send(HELLO + ENVELOPE + b"DATA\r\nSubject: x\r\n\r\n")
    for _ in range(60):
        house.clock.advance(10)
        await talk.send(b"a" * 638 + b"\r\n")
    talk.take()
    await talk.send(b".\r\n")
    assert talk.take().startswith(b"250 2.0.0 OK")
    await talk.end()


async def test_chunks_have_the_same_pace_and_time_between_them_does_not_count(house: MailHouse) -> None:
    talk = Talk(house.service)
    await talk.begin()
    await talk.send(HELLO + ENVELOPE + b"BDAT 14\r\nSubject: x\r\n\r\n")
    house.clock.advance(250)
    await talk.send(b"BDAT 1000 LAST\r\nab")
    talk.take()
    house.clock.advance(250)
    await talk.send(b"c")
    assert talk.take().startswith(b"421 4.4.2")
    await talk.end()


async def test_shutdown_waits_for_a_message_that_354_asked_for(house: MailHouse) -> None:
    """RFC 5321 3.8: a server closes between transactions only, where it can choose."""
    talk = Talk(house.service)
    await talk.begin()
    await talk.send(HELLO + ENVELOPE + b"DATA\r\n")
    assert b"\r\n354 " in talk.take()
    talk.driver.shutdown()
    await talk.send(b"Subject: x\r\n")
    assert talk.take() == b""
    await talk.send(b"\r\n.\r\n")
    taken, closing = talk.take().splitlines()
    assert taken.startswith(b"250 2.0.0 OK")
    assert closing.startswith(b"421 4.3.2 ")
    assert talk.over
    await talk.end()
    assert await house.count("alice") == 1


async def test_silence_is_counted_from_the_beginning_of_a_line(house: MailHouse) -> None:
    talk = Talk(house.service)
    await talk.begin()
    session = talk.driver.session
    assert session.timeout_s == 300.0
    await talk.send(b"NO")
    assert session.timeout_s == 300.0
    house.clock.advance(200)
    await talk.send(b"O")
    assert session.timeout_s == 100.0
    house.clock.advance(200)
    assert session.timeout_s == 0.0
    await talk.send(b"P\r\n")
    assert session.timeout_s == 300.0
    await talk.end()


# --- out of turn ------------------------------------------------------------------------------------------


EAGER = [
    ("talks_over_hello", [b"EHLO a.test\r\nMAIL FROM:<zoe@example.net>\r\n"]),
    ("pipelines_after_helo", [b"HELO a.test\r\n", ENVELOPE]),
    ("message_before_354", [HELLO, ENVELOPE + b"DATA\r\nSubject: x\r\n\r\n.\r\n"]),
]


@pytest.mark.parametrize(("note", "packets"), EAGER)
async def test_talking_out_of_turn_is_noted_for_the_checks(
    house: MailHouse, note: str, packets: list[bytes]
) -> None:
    house.configure(replace(house.config, withhold=["PIPECONNECT"]))
    talk = Talk(house.service)
    await talk.begin()
    for packet in packets:
        await talk.send(packet)
    assert talk.peer.notes[note] is True
    assert b"554" not in talk.take()
    await talk.end()


@pytest.mark.parametrize(("note", "packets"), EAGER)
async def test_talking_out_of_turn_is_refused_where_the_administrator_wants_that(
    house: MailHouse, note: str, packets: list[bytes]
) -> None:
    house.configure(replace(house.config, eager="refuse"))
    talk = Talk(house.service)
    await talk.begin()
    for packet in packets:
        await talk.send(packet)
    assert talk.take().endswith(b"554 5.5.0 You must wait for our answer\r\n")
    assert talk.over
    await talk.end()
    assert await house.count("alice") == 0


async def test_a_pipeline_as_the_standard_has_it_is_never_eager(house: MailHouse) -> None:
    house.configure(replace(house.config, eager="refuse"))
    talk = Talk(house.service)
    await talk.begin()
    for packet in (HELLO, ENVELOPE + b"DATA\r\n", b"Subject: x\r\n\r\n.\r\n" + ENVELOPE + b"DATA\r\n"):
        await talk.send(packet)
    assert talk.take().endswith(b"354 End data with <CR><LF>.<CR><LF>\r\n")
    await talk.end()


@pytest.mark.parametrize("greet_delay_s", [0.0, 2.0])
async def test_who_was_here_before_may_say_all_at_once(house: MailHouse, greet_delay_s: float) -> None:
    """Exim's PIPECONNECT: offered, and no fault, unless the administrator wants to see who cannot wait."""
    house.configure(replace(house.config, greet_delay_s=greet_delay_s))
    talk = Talk(house.service)
    group = HELLO + ENVELOPE + b"DATA\r\n"
    house.meanwhile = lambda: talk.driver.received(group)
    await talk.begin()
    if not greet_delay_s:
        await talk.send(group)
    await talk.send(b"Subject: x\r\n\r\n.\r\n")
    told = talk.take()
    assert (b"250-PIPECONNECT\r\n" in told) is (not greet_delay_s)
    assert [line[:3] for line in told.splitlines() if line[3:4] == b" "] == [
        b"220", b"250", b"250", b"250", b"354", b"250",
    ]  # fmt: skip
    assert set(talk.peer.notes) - {"name"} == (
        {"early_talker", "talks_over_hello"} if greet_delay_s else set()
    )
    await talk.end()


async def test_early_talker_is_sent_away_where_the_administrator_wants_that(house: MailHouse) -> None:
    house.configure(replace(house.config, greet_delay_s=2.0, eager="refuse"))
    talk = Talk(house.service)
    house.meanwhile = lambda: talk.driver.received(b"EHLO eager.test\r\n")
    await talk.begin()
    assert talk.take() == b"554 5.5.0 You must wait for our answer\r\n"
    assert talk.over
    await talk.end()


# --- guessing, and what is left of it -----------------------------------------------------------------------


async def test_who_guesses_addresses_waits_and_is_shown_the_door(house: MailHouse) -> None:
    house.configure(replace(house.config, tarpit_s=3.0, tarpit_errors=4, max_errors=8))
    guesses = b"".join(b"RCPT TO:<guess%d@example.org>\r\n" % number for number in range(20))
    said = await converse(house.service, HELLO + b"MAIL FROM:<zoe@example.net>\r\n" + guesses)
    assert said.count(b"550 5.1.1 No such user here") == 8
    assert said.endswith(b"421 4.7.0 mx.example.org Too many errors, closing connection\r\n")
    assert house.slept == [3.0] * 4


async def test_refused_recipient_is_in_the_trace(house: MailHouse) -> None:
    await converse(house.service, HELLO + ENVELOPE.replace(b"alice", b"nobody"))
    (event,) = await traced(house)
    assert (event.event, event.conn) == ("refused", "memory")
    assert event.detail == {
        "from": "zoe@example.net",
        "to": ["nobody@example.org"],
        "command": "rcpt",
        "reply": "550 5.1.1 No such user here",
        "client": "127.0.0.1",
        "helo": "a.test",
    }


async def test_message_refused_after_its_data_is_found_by_its_id(house: MailHouse) -> None:
    await house.given("option max_hops 10")
    letter = b"Message-ID: <7@example.net>\r\n" + b"Received: x\r\n" * 11 + b"\r\n.\r\n"
    await converse(house.service, HELLO + ENVELOPE + b"DATA\r\n" + letter)
    (event,) = await traced(house)
    assert (event.event, event.message_id) == ("refused", "<7@example.net>")
    assert event.detail["to"] == ["alice@example.org"]
    assert event.detail["reply"].startswith("554 5.4.6")


async def test_recipient_refused_after_the_data_is_in_the_trace_beside_the_others(house: MailHouse) -> None:
    house.role = Role.LMTP
    await house.given("quota bob 500")
    both = ENVELOPE + b"RCPT TO:<bob@example.org>\r\nDATA\r\n"
    letter = b"Message-ID: <8@example.net>\r\n\r\n" + b"0123456789\r\n" * 60 + b".\r\n"
    await converse(house.service, HELLO.replace(b"EHLO", b"LHLO") + both + letter)
    await asyncio.sleep(0.05)
    events = {event.event: event for event in house.traced()}
    assert events["refused"].detail["to"] == ["bob@example.org"]
    assert events["refused"].message_id == "<8@example.net>" == events["accepted"].message_id


async def test_what_a_filter_forwards_is_in_the_trace_of_one_message(house: MailHouse) -> None:
    house.configure(replace(house.config, xforward_from=["127.0.0.1"]))
    letter = ENVELOPE + b"DATA\r\nSubject: x\r\n\r\n.\r\n"
    await converse(house.service, HELLO + b"XFORWARD NAME=spike.test ADDR=192.0.2.7\r\n" + letter + letter)
    first, second = house.traced()
    assert first.detail["forwarded"] == {"client_name": "spike.test", "client_addr": "192.0.2.7"}
    assert "forwarded" not in second.detail


async def test_trace_of_refusals_is_bounded(house: MailHouse) -> None:
    house.configure(replace(house.config, trace_refusals=5, max_errors=1000))
    guesses = b"".join(b"RCPT TO:<guess%d@example.org>\r\n" % number for number in range(200))
    await converse(house.service, HELLO + b"MAIL FROM:<zoe@example.net>\r\n" + guesses)
    await traced(house)
    await asyncio.sleep(0.05)
    assert len(house.traced()) == 5


# --- injection ------------------------------------------------------------------------------------------


INJECTED = [
    b"EHLO a.test\rReceived:x\r\n",
    b"EHLO a.test\nMAIL FROM:<x@example.net>\r\n",
    b"EHLO a.test\r\nMAIL FROM:<zoe\n@example.net>\r\n",
    b'EHLO a.test\r\nMAIL FROM:<"zoe\\\r\nBcc: x"@example.net>\r\n',
    b"EHLO a.test\r\nMAIL FROM:<zoe@example.net> ENVID=a+0D+0AX\r\n",
    b"EHLO a.test\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.org> ORCPT=rfc822;a+0D+0AX\r\n",
    b"EHLO a.test\r\nMAIL FROM:<zo\x00e@example.net>\r\n",
    b"EHLO a.test\r\nMAIL FROM:<zo\xe2\x80\xa8e@example.net> SMTPUTF8\r\nRSET\r\n",
    b"EHLO x\xc2\x85Received:z\r\n",
    b"EHLO x\xe2\x80\xa9Received:z\r\n",
    b"VRFY a\x0bb\r\nNOOP \x1b[2J\r\n",
]


@pytest.mark.parametrize("packet", INJECTED)
async def test_nothing_that_a_client_says_makes_a_line_of_its_own(house: MailHouse, packet: bytes) -> None:
    with log.capture() as lines:
        said = await converse(house.service, packet)
    for line in said.split(b"\r\n")[:-1]:
        assert line[:3].isdigit(), line
        assert line[3:4] in b" -"
        assert all(0x20 <= octet < 0x7F for octet in line), line
    for row in lines:
        for value in row.values():
            assert len(str(value).splitlines()) <= 1, row


async def test_name_of_a_client_cannot_write_into_received(house: MailHouse) -> None:
    for name in (b"x)by(y", b"[192.0.2.1])(evil", b"a;b", b'"a"', b"a(b\\", "b\u00fccher".encode()):
        letter = b"EHLO " + name + b"\r\n" + ENVELOPE + b"DATA\r\nSubject: x\r\n\r\n.\r\n"
        await converse(house.service, letter)
        header = (await house.last("alice")).split(b"\r\n\r\n")[0]
        names_of_fields = [
            line.split(b":")[0] for line in header.split(b"\r\n") if line[:1] not in (b"\t", b" ")
        ]
        assert names_of_fields == [b"Return-Path", b"Delivered-To", b"Received", b"Subject"], name
        received = header.split(b"Received: ")[1].split(b"\r\n\tby ")[0]
        assert received.count(b"(") == received.count(b")") == 1, received
