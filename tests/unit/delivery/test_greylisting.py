"""Greylisting: who comes again is known, who does not is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from quintet.auth.identity import Identity
from quintet.config.policy import Greylist
from quintet.delivery.envelope import Envelope, mailbox
from quintet.delivery.greylisting import Greylisting
from quintet.net.seam import Peer
from quintet.policy import outcomes
from tests.support.mailhouse import MailHouse, inbound, mail_house


class Door:
    """Asks for alice, as a server with greylisting."""

    def __init__(self, house: MailHouse, run: Path) -> None:
        self.house, self.run = house, run
        self.again()

    def again(self, **options: Any) -> None:
        """A new process, or a reload."""
        check = Greylisting(
            Greylist(**{"delay_s": 60.0, **options}), ["198.51.100.0/24"], self.run, self.house.clock
        )
        self.way = inbound(self.house, checks=[check])

    def ask(
        self,
        address: str = "192.0.2.9",
        *,
        sender: str = "zoe@good.example",
        to: str = "alice@example.org",
        **more: Any,
    ) -> str:
        """The code, or "" for a recipient that is taken."""
        made = Envelope(peer=Peer("c1", address), sender=mailbox(sender), helo="a.test", id="abc", **more)
        try:
            later = self.way.probe(made, self.way.recipient(made, mailbox(to)))
        except outcomes.Delay as delay:
            return f"{delay.code} {delay.enhanced}"
        assert later is None
        return ""


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with mail_house(tmp_path / "house") as house:
        yield Door(house, tmp_path / "run")


LATER = "451 4.7.1"


async def test_who_comes_again_in_time_is_taken_and_known(door: Door) -> None:
    clock = door.house.clock
    assert door.ask() == LATER
    clock.advance(59)
    assert door.ask() == LATER
    clock.advance(2)
    assert door.ask(sender="other@good.example") == LATER  # not what waited
    assert door.ask("192.0.2.77") == ""  # another host of the same network
    assert door.ask(sender="other@good.example", to="bob@example.org") == ""  # the network is known
    clock.advance(35 * 86_400)
    assert door.ask() == ""
    clock.advance(35 * 86_400)
    assert door.ask() == ""  # from its last mail on
    clock.advance(37 * 86_400)
    assert door.ask() == LATER


async def test_the_wait_is_as_long_as_it_is_said_to_be(door: Door) -> None:
    assert door.ask() == LATER
    door.house.clock.advance(59.999)
    assert door.ask() == LATER
    door.house.clock.advance(0.001)
    assert door.ask() == ""


async def test_who_comes_too_late_begins_anew(door: Door) -> None:
    assert door.ask() == LATER
    door.house.clock.advance(3 * 86_400)
    assert door.ask() == LATER
    door.house.clock.advance(61)
    assert door.ask() == ""


async def test_a_restart_forgets_nothing(door: Door) -> None:
    assert door.ask() == LATER
    door.house.clock.advance(61)
    door.again()
    assert door.ask() == ""
    door.again()
    assert door.ask(sender="x@y.example") == ""


async def test_a_clock_that_was_set_back_locks_nobody_out(door: Door) -> None:
    assert door.ask() == LATER
    door.house.clock.advance(-86_400)
    assert door.ask() == LATER
    door.house.clock.advance(61)
    assert door.ask() == ""


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "198.51.100.7", "203.0.113.5", "unix"])
async def test_who_never_waits(door: Door, address: str) -> None:
    door.again(exempt=("203.0.113.0/24",))
    assert door.ask(address) == ""


async def test_users_and_neighbours_never_wait(door: Door) -> None:
    who = Identity(await door.house.account_id("alice"), "alice@example.org", "PLAIN", "smtp")
    assert door.ask(identity=who) == ""
    assert door.ask(protocol="LMTP") == ""
    assert door.ask(sender="") == LATER  # reports do
