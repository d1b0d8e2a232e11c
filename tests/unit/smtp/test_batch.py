"""Batch SMTP files (RFC 2442), read by a session over a real store."""

from __future__ import annotations

import email
from collections.abc import Sequence
from pathlib import Path

import pytest

from quintet.net.seam import Peer
from quintet.smtp.batch import Batch, Told
from quintet.smtp.desk import Role
from quintet.smtp.undelivered import Undelivered
from tests.support.mailhouse import MailHouse, mail_house
from tests.support.pieces import pieces

HEAD = b"EHLO a.test\r\nMAIL FROM:<x@y.test>\r\n"
LETTER = b"DATA\r\nSubject: hi\r\n\r\n..dot\r\n.\r\n"
BOB = b"RCPT TO:<bob@example.org>\r\n"
NOBODY = b"RCPT TO:<nobody@example.org>\r\n"


async def take(house: MailHouse, data: bytes, chunk: int = 65536) -> tuple[list[Told], int]:
    desk = house.service.desk
    undelivered = Undelivered(desk.inbound, desk.terms)
    batch = Batch(house.service, Peer("batch", "unix"), pieces(data, chunk), undelivered)
    told = [one async for one in batch.run()]
    return told, batch.accepted


def codes(told: Sequence[Told]) -> list[int]:
    return [one.code for one in told]


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 65536])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
async def test_file_is_taken_in_every_chunking(tmp_path: Path, chunk: int, end: bytes) -> None:
    async with mail_house(tmp_path) as house:
        data = (HEAD + BOB + NOBODY + LETTER + b"QUIT\r\n").replace(b"\r\n", end)
        told, accepted = await take(house, data, chunk)
        assert codes(told) == [250, 250, 250, 550, 250, 221]
        assert [one.command for one in told][2:5] == [
            "RCPT TO:<bob@example.org>",
            "RCPT TO:<nobody@example.org>",
            "DATA",
        ]
        assert accepted == 1
        assert (await house.last("bob")).endswith(b"Subject: hi\r\n\r\n.dot\r\n")


async def test_each_recipient_is_told_of_though_they_come_together(tmp_path: Path) -> None:
    """What a pipeline lets a session take in one go is answered line by line here."""
    async with mail_house(tmp_path) as house:
        told, _ = await take(house, HEAD + BOB + BOB + BOB + LETTER)
        assert codes(told) == [250, 250, 250, 250, 250, 250]
        assert [one.command for one in told][2:5] == ["RCPT TO:<bob@example.org>"] * 3


@pytest.mark.parametrize("chunk", [1, 5, 65536])
async def test_message_that_nobody_may_have_is_passed_over(tmp_path: Path, chunk: int) -> None:
    """RFC 2442: the client did not hear the refusal, so its message follows; it holds no commands."""
    async with mail_house(tmp_path) as house:
        evil = b"DATA\r\nMAIL FROM:<evil@y.test>\r\nQUIT\r\n..\r\n.\r\n"
        data = HEAD + NOBODY + evil + b"MAIL FROM:<other@y.test>\r\n" + BOB + LETTER
        told, accepted = await take(house, data, chunk)
        assert codes(told) == [250, 250, 550, 554, 250, 250, 250]
        assert accepted == 1
        assert (await house.last("bob")).startswith(b"Return-Path: <other@y.test>")


@pytest.mark.parametrize("chunk", [1, 5, 65536])
async def test_chunks_that_nobody_may_have_are_passed_over(tmp_path: Path, chunk: int) -> None:
    async with mail_house(tmp_path) as house:
        refused = NOBODY + b"BDAT 6\r\nQUIT\r\nBDAT 2 LAST\r\n\r\n"
        data = HEAD + refused + b"MAIL FROM:<other@y.test>\r\n" + BOB + b"BDAT 12 LAST\r\nSubject: x\r\n"
        told, accepted = await take(house, data, chunk)
        assert codes(told) == [250, 250, 550, 554, 554, 250, 250, 250]
        assert accepted == 1
        assert (await house.last("bob")).startswith(b"Return-Path: <other@y.test>")


async def test_files_put_together_are_several_sessions(tmp_path: Path) -> None:
    async with mail_house(tmp_path) as house:
        one = HEAD + BOB + LETTER + b"QUIT\r\n"
        told, accepted = await take(house, one + one + b"MAIL FROM:<x@y.test>\r\n" + BOB + LETTER)
        assert accepted == 3
        assert all(one.code < 400 for one in told)


async def test_file_may_begin_with_mail(tmp_path: Path) -> None:
    async with mail_house(tmp_path) as house:
        _, accepted = await take(house, b"MAIL FROM:<>\r\n" + BOB + LETTER)
        assert accepted == 1


@pytest.mark.parametrize(
    "end",
    [b"DATA\r\nSubject: cut\r\n", b"DATA\r\nSubject: cut\r\n\r\n.", b"BDAT 100 LAST\r\nshort", b"RCPT TO"],
)
async def test_torn_file_gives_nothing(tmp_path: Path, end: bytes) -> None:
    async with mail_house(tmp_path) as house:
        told, accepted = await take(house, HEAD + BOB + end)
        assert (told[-1].code, told[-1].refused, accepted) == (0, True, 0)
        assert await house.count("bob") == 0


async def test_what_needs_an_answer_is_refused(tmp_path: Path) -> None:
    async with mail_house(tmp_path) as house:
        house.starttls = False
        told, accepted = await take(house, b"EHLO a\r\nSTARTTLS\r\nBOGUS\r\n" + HEAD[13:] + BOB + LETTER)
        assert codes(told) == [250, 502, 500, 250, 250, 250]
        assert accepted == 1


async def test_lmtp_tells_the_worst_of_its_answers(tmp_path: Path) -> None:
    async with mail_house(tmp_path) as house:
        house.role = Role.LMTP
        data = HEAD.replace(b"EHLO", b"LHLO") + BOB + b"RCPT TO:<carol@example.org>\r\n"
        told, accepted = await take(house, data + LETTER)
        assert (told[-1].code, accepted, told[-1].text.count("\r\n")) == (250, 1, 1)


async def test_empty_file_says_nothing(tmp_path: Path) -> None:
    async with mail_house(tmp_path) as house:
        assert await take(house, b"") == ([], 0)


# --- what senders are told: RFC 2442, processing ---------------------------------------------------------

ALICE = b"MAIL FROM:<alice@example.org>"
POST = b"DATA\r\nSubject: hi\r\nMessage-ID: <1@example.org>\r\n\r\nbody\r\n.\r\n"


async def reported(house: MailHouse) -> list[tuple[str, str]]:
    """Recipient and status of each failure that alice was told of, and the message's header with it."""
    if not await house.count("alice"):
        return []
    report = email.message_from_bytes(await house.last("alice"))
    _, status, original = report.get_payload()
    assert "Message-ID: <1@example.org>" in original.get_payload()
    fields = status.get_payload()[1:]
    assert {one["Action"] for one in fields} == {"failed"}
    return [(one["Final-Recipient"].partition("; ")[2], one["Status"]) for one in fields]


@pytest.mark.parametrize("chunk", [1, 7, 65536])
async def test_sender_hears_of_recipients_that_were_refused(tmp_path: Path, chunk: int) -> None:
    async with mail_house(tmp_path) as house:
        data = b"EHLO a.test\r\n" + ALICE + b"\r\n" + BOB + NOBODY + POST
        _, accepted = await take(house, data, chunk)
        assert accepted == 1
        assert await reported(house) == [("nobody@example.org", "5.1.1")]


async def test_sender_hears_of_a_message_that_nobody_may_have(tmp_path: Path) -> None:
    async with mail_house(tmp_path) as house:
        for message in (POST, b"BDAT 41 LAST\r\nSubject: x\r\nMessage-ID: <1@example.org>\r\n"):
            await take(house, ALICE + b"\r\n" + NOBODY + message)
            assert await reported(house) == [("nobody@example.org", "5.1.1")]
        assert await house.count("alice") == 2


async def test_sender_hears_of_a_message_that_was_refused_itself(tmp_path: Path) -> None:
    async with mail_house(tmp_path) as house:
        await house.given("option max_header_fields 1")
        _, accepted = await take(house, ALICE + b"\r\n" + BOB + POST)
        assert accepted == 0
        assert [name for name, _ in await reported(house)] == ["bob@example.org"]


async def test_sender_that_is_refused_hears_of_everybody(tmp_path: Path) -> None:
    async with mail_house(tmp_path) as house:
        await house.given("option max_message_size 1000")
        await take(house, ALICE + b" SIZE=1001\r\n" + BOB + NOBODY + POST)
        assert await reported(house) == [("bob@example.org", "5.3.4"), ("nobody@example.org", "5.3.4")]


@pytest.mark.parametrize(
    "said",
    [
        b"MAIL FROM:<>\r\n" + BOB + NOBODY + POST,  # a report is never answered
        ALICE + b"\r\n" + BOB + NOBODY[:-2] + b" NOTIFY=NEVER\r\n" + POST,
        ALICE + b"\r\n" + BOB + NOBODY[:-2] + b" NOTIFY=SUCCESS\r\n" + POST,
        ALICE + b"\r\n" + NOBODY + b"RSET\r\n" + ALICE + b"\r\n" + BOB + POST,
        ALICE + b"\r\n" + BOB + NOBODY,  # no message came
    ],
)
async def test_nobody_hears_of_what_nobody_asked_for(tmp_path: Path, said: bytes) -> None:
    async with mail_house(tmp_path) as house:
        await take(house, b"EHLO a.test\r\n" + said)
        assert await house.count("alice") == 0


async def test_message_that_was_only_put_off_is_not_told_of(tmp_path: Path) -> None:
    """The file is given again; whoever got it would get it twice otherwise."""
    async with mail_house(tmp_path) as house:
        await house.given("option max_recipients 1")
        await house.given("full bob")
        await take(house, ALICE + b"\r\n" + BOB + POST)
        assert await reported(house) == []
        carol = b"RCPT TO:<carol@example.org>\r\n"
        await take(house, ALICE + b"\r\n" + carol + BOB + POST)
        assert [name for name, _ in await reported(house)] == ["bob@example.org"]


async def test_recipients_of_an_lmtp_batch_are_told_of_one_by_one(tmp_path: Path) -> None:
    async with mail_house(tmp_path) as house:
        await house.given("role lmtp")
        await house.given("full bob")
        data = b"LHLO a.test\r\n" + ALICE + b"\r\n" + BOB + b"RCPT TO:<carol@example.org>\r\n" + POST
        await take(house, data)
        assert [name for name, _ in await reported(house)] == ["bob@example.org"]
