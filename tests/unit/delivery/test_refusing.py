"""Clients, HELO names and senders that are refused by name: RFC 5321 3.1, 4.2.2."""

from pathlib import Path

import pytest

from quintet import log
from quintet.config.policy import Refuse
from quintet.delivery.checks import Places
from quintet.delivery.refusing import Refusing
from quintet.net.memory import converse
from quintet.smtp.desk import Role
from tests.support.mailhouse import MailHouse, mail_house

LISTS = Refuse(
    clients=("192.0.2.0/24", "127.0.0.0/8"),
    helo=("*.dynamic.test",),
    senders=("@bad.test", "zoe@half.test", "*@*.worse.test"),
    text="Not from you, see https://example.org/why",
)
NO = b"550 5.7.1 Not from you, see https://example.org/why\r\n"


@pytest.fixture
async def house(tmp_path: Path):
    async with mail_house(tmp_path) as made:
        made.inbound.places = Places.of((Refusing(LISTS),))
        yield made


async def test_a_client_of_a_refused_network_hears_554_in_place_of_the_greeting(house: MailHouse) -> None:
    with log.capture() as lines:
        said = await converse(house.service, b"EHLO a.test\r\n", address="192.0.2.7")
    assert [line[:4] for line in said.splitlines()] == [b"554 ", b"503 "]
    assert [(line["list"], line["name"]) for line in lines if line["event"] == "refused by list"] == [
        ("client", "192.0.2.7")
    ]
    assert (await converse(house.service, b"QUIT\r\n", address="127.0.0.1")).startswith(b"220 ")


@pytest.mark.parametrize(
    ("helo", "sender", "no"),
    [
        (b"a.test", b"zoe@BAD.test", True),
        (b"a.test", b"zoe@half.test", True),
        (b"a.test", b"joe@half.test", False),
        (b"a.test", b"x@very.worse.test", True),
        (b"p12.Dynamic.TEST", b"zoe@good.test", True),
        (b"dynamic.test", b"zoe@good.test", False),
        (b"a.test", b"", False),
    ],
)
async def test_senders_and_names_are_refused_at_mail(house: MailHouse, helo, sender, no) -> None:
    said = await converse(
        house.service, b"EHLO %s\r\nMAIL FROM:<%s>\r\nQUIT\r\n" % (helo, sender), address="198.51.100.1"
    )
    assert (NO in said) is no


async def test_who_logged_in_is_no_stranger(house: MailHouse) -> None:
    house.role = Role.SUBMISSION
    script = (
        b"EHLO p12.dynamic.test\r\nAUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAGRlbW8=\r\n"
        b"MAIL FROM:<alice@example.org>\r\n"
    )
    said = await converse(house.service, script, address="198.51.100.1", tls=True)
    assert said.endswith(b"250 2.1.0 Sender OK\r\n")
