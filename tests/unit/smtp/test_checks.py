"""Checks of the way in, as a session asks them: at once or after waiting, and what their refusals do."""

import asyncio
from pathlib import Path

import pytest

from quintet.delivery.checks import Check, Places
from quintet.errors import Problem, Reason, Refused, TryLater
from quintet.net.memory import converse
from quintet.smtp.desk import Role
from tests.support.mailhouse import MailHouse, mail_house

LETTER = (
    b"EHLO a.test\r\nMAIL FROM:<zoe@example.net>\r\nRCPT TO:<alice@example.org>\r\n"
    b"RCPT TO:<bob@example.org>\r\nDATA\r\nSubject: x\r\n\r\n.\r\n"
)
CHUNKS = LETTER.replace(b"DATA\r\nSubject: x\r\n\r\n.\r\n", b"BDAT 14 LAST\r\nSubject: x\r\n\r\nNOOP\r\n")


@pytest.fixture
async def house(tmp_path: Path):
    async with mail_house(tmp_path) as made:
        yield made


def placed(house: MailHouse, place: str, *, slow: bool, problem: Problem | None) -> list[str]:
    """Puts a check at one place; gives the list of what it was asked."""
    asked: list[str] = []

    def at_once(self: Check, *arguments: object) -> None:
        asked.append(place)
        if problem is not None:
            raise problem

    def later(self: Check, *arguments: object) -> object:
        async def wait() -> None:
            await asyncio.sleep(0)
            at_once(self)

        return wait()

    check = type("Asking", (Check,), {place: later if slow else at_once})()
    house.inbound.places = Places.of((check,))
    return asked


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize(
    ("place", "times"), [("connect", 1), ("helo", 1), ("mail", 1), ("rcpt", 2), ("data", 1)]
)
@pytest.mark.parametrize("script", [LETTER, CHUNKS])
async def test_each_place_is_asked_and_a_letter_passes(
    house: MailHouse, place: str, times: int, slow: bool, script: bytes
) -> None:
    asked = placed(house, place, slow=slow, problem=None)
    said = await converse(house.service, script)
    assert asked == [place] * times
    assert b"250 2.0.0 OK 0" in said
    assert await house.count("alice") == await house.count("bob") == 1


REFUSALS = [
    ("helo", b"550 5.7.1 go away"),
    ("mail", b"550 5.7.1 go away"),
    ("rcpt", b"550 5.7.1 go away"),
    ("data", b"550 5.7.1 go away"),
]


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize(("place", "reply"), REFUSALS)
@pytest.mark.parametrize("script", [LETTER, CHUNKS])
async def test_refusal_is_that_commands_answer_and_nothing_is_taken(
    house: MailHouse, place: str, reply: bytes, slow: bool, script: bytes
) -> None:
    placed(house, place, slow=slow, problem=Refused(Reason.POLICY, "go away"))
    said = await converse(house.service, script)
    assert reply + b"\r\n" in said
    assert b"250 2.0.0 OK 0" not in said
    if script is CHUNKS:
        assert said.endswith(b"250 2.0.0 OK\r\n")  # the chunk was read past, NOOP was heard
    assert await house.count("alice") == 0


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Refused(Reason.POLICY, "listed"), b"554 5.7.1 mx.example.org listed\r\n"),
        (TryLater(Reason.THROTTLED), b"421 4.7.1 mx.example.org Slow down\r\n"),
    ],
)
async def test_turned_away_instead_of_greeted(
    house: MailHouse, problem: Problem, line: bytes, slow: bool
) -> None:
    placed(house, "connect", slow=slow, problem=problem)
    assert await converse(house.service, b"") == line


@pytest.mark.parametrize("slow", [False, True])
async def test_who_is_turned_away_for_good_may_say_quit_and_nothing_else(
    house: MailHouse, slow: bool
) -> None:
    """RFC 5321 3.1: a server MUST still wait for QUIT; 503 to what comes before it."""
    placed(house, "connect", slow=slow, problem=Refused(Reason.POLICY, "listed"))
    commands = (
        b"EHLO a.test\r\nNOOP\r\nMAIL FROM:<z@x.test>\r\nSTARTTLS\r\nVRFY alice\r\nBDAT 6\r\nQUIT\r\nQUIT\r\n"
    )
    said = (await converse(house.service, commands)).splitlines()
    assert said[0] == b"554 5.7.1 mx.example.org listed"
    assert [each[:9] for each in said[1:-1]] == [b"503 5.5.1"] * 6
    assert said[-1].startswith(b"221 2.0.0")
    placed(house, "connect", slow=slow, problem=TryLater(Reason.THROTTLED))
    assert len((await converse(house.service, commands)).splitlines()) == 1


async def test_lmtp_is_for_our_own_and_not_checked_at_connect(house: MailHouse) -> None:
    house.role = Role.LMTP
    placed(house, "connect", slow=False, problem=Refused(Reason.POLICY))
    assert (await converse(house.service, b"QUIT\r\n")).startswith(b"220 ")


async def test_recipient_refused_after_waiting_counts_as_one_refused_at_once(house: MailHouse) -> None:
    placed(house, "rcpt", slow=True, problem=TryLater(Reason.THROTTLED))
    said = await converse(house.service, LETTER.split(b"DATA")[0] + b"DATA\r\n")
    assert said.count(b"451 4.7.1 Slow down\r\n") == 2
    assert said.endswith(b"554 5.5.1 No valid recipients\r\n")
