"""Copies for an archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from quintet.config.copies import Copy, faults
from quintet.delivery.copies import Copies
from quintet.errors import Refused
from quintet.store import accounts
from tests.support.mailhouse import LETTER, MailHouse, envelope, inbound, mail_house


@pytest.fixture
async def house(tmp_path: Path):
    async with mail_house(tmp_path) as made:
        yield made


async def sent(house: MailHouse, *copies: Copy, to: str = "alice", each: bool = False):
    way = inbound(house, checks=[Copies(copies)])
    return await way.accept(envelope(way, to), LETTER, each=each)


@pytest.mark.parametrize("each", [False, True])
async def test_archive_gets_a_copy_that_nobody_hears_of(house, each):
    assert await sent(house, Copy(to="carol@example.org"), each=each) == [None]
    assert [await house.count(name) for name in ("alice", "carol")] == [1, 1]
    assert b"carol" not in await house.last("alice")
    assert b"for <alice@example.org>" in await house.last("carol")


async def test_copy_for_elsewhere_is_queued_and_its_bounce_is_not_the_senders(house):
    """RFC 3461 4.1: NOTIFY=NEVER."""
    await sent(house, Copy(to="archive@elsewhere.example"))
    (row,) = await house.queued()
    assert (row.address, row.params["notify"]) == ("archive@elsewhere.example", ["never"])


@pytest.mark.parametrize(
    ("wanted", "copied"),
    [
        ({"sender": "zoe@example.net"}, 1),
        ({"sender": "example.net"}, 1),
        ({"sender": "@EXAMPLE.net"}, 1),
        ({"sender": "net"}, 0),
        ({"sender": "alice@example.org"}, 0),
        ({"recipient": "Alice@example.org"}, 1),
        ({"recipient": "bob@example.org"}, 0),
        ({"sender": "example.net", "recipient": "example.com"}, 0),
    ],
)
async def test_copies_of_some_mail_only(house, wanted, copied):
    await sent(house, Copy(to="carol@example.org", **wanted))
    assert await house.count("carol") == copied


async def test_who_has_it_already_gets_it_once(house):
    await sent(
        house, Copy(to="alice@example.org"), Copy(to="carol@example.org"), Copy(to="carol@example.org")
    )
    assert [await house.count(name) for name in ("alice", "carol")] == [1, 1]


async def test_archive_that_cannot_be_reached_keeps_no_mail_from_arriving(house):
    await sent(house, Copy(to="nobody@example.org"))
    assert await house.count("alice") == 1


async def test_refused_message_is_not_copied(house):
    with pytest.raises(Refused):
        await sent(house, Copy(to="carol@example.org"), to="nobody")
    assert await house.count("carol") == 0


async def test_copy_of_an_alias_for_several_goes_beside_them(house):
    await house.store.write(
        accounts.add_address, None, "staff@example.org", "forward", "alice@example.org,bob@example.org"
    )
    assert await sent(house, Copy(to="carol@example.org"), to="staff") == [None]
    assert [await house.count(name) for name in ("alice", "bob", "carol")] == [1, 1, 1]


def test_address_of_an_archive_is_an_address():
    assert faults([Copy(to="a@b.test"), Copy(), Copy(to="@b"), Copy(to="a")]) == [
        (1, "to", "expected an address, got ''"),
        (2, "to", "expected an address, got '@b'"),
        (3, "to", "expected an address, got 'a'"),
    ]
