"""ETRN and ATRN: dialogues in every chunking, over a real store."""

from __future__ import annotations

from pathlib import Path

import pytest

from quintet.clock import FrozenClock
from quintet.config.queue import Queue
from quintet.config.route import Route
from quintet.net.memory import Talk
from quintet.smtp.desk import Role
from quintet.smtp.service import SmtpService
from quintet.smtp.turn import Turns
from quintet.store import queue
from quintet.store.content import content_of
from tests.support import dialogue
from tests.support.mailhouse import MailHouse, mail_house

DIALOGUES = dialogue.load("turn")
HOUR_MS = 3_600_000


class TurnHouse:
    """A mail house whose customers come for their mail."""

    def __init__(self, house: MailHouse) -> None:
        self.house = house
        self.routes: dict[str, Route] = {}
        house.role = Role.ODMR

    @property
    def service(self) -> SmtpService:
        service = self.house.service
        turns = Turns(
            self.house.inbound,
            Queue(routes=self.routes),
            hostname="mx.example.org",
            clock=self.house.clock,
        )
        return SmtpService(
            self.house.store,
            self.house.auth,
            self.house.config,
            role=service.desk.role,
            inbound=self.house.inbound,
            hostname="mx.example.org",
            clock=self.house.clock,
            turns=turns,
        )

    async def given(self, text: str) -> None:
        match text.split():
            case ["role", name]:
                self.house.role = Role(name)
            case ["route", domains, "fetched", "by", name]:
                route = Route(domains=domains.split(","), via="wait", fetched_by=[name])
                self.routes[f"r{len(self.routes)}"] = route
            case ["queued", address]:
                data = f"Subject: for {address}\r\n\r\n.a dot\r\n".encode()
                item = queue.QueueItem(sender="zoe@far.test", content=content_of(data))
                clock = self.house.clock
                await self.house.store.write(
                    queue.put, item, [queue.To(address, due_at=clock.now() + HOUR_MS)]
                )
            case _:
                raise AssertionError(text)

    async def do(self, text: str) -> None:
        await self.given(text)

    async def check(self, text: str) -> None:
        rows = {row.address: row for row in await self.house.queued()}
        match text.split():
            case ["queue", "lacks", address]:
                assert address not in rows
            case ["queue", "waits", "for", address]:
                assert rows[address].state == "waiting"
            case ["queue", "due", address]:
                assert rows[address].due_at <= self.house.clock.now()
            case _:
                await self.house.check(text)


@pytest.mark.parametrize(("one", "chunks"), list(dialogue.cases("turn")))
async def test_turn(one: dialogue.Dialogue, chunks: tuple[int, ...], tmp_path: Path) -> None:
    for chunk in chunks:
        async with mail_house(tmp_path / str(chunk)) as house:
            await one.run(TurnHouse(house), chunk)


async def test_many_messages_are_given_in_rounds(tmp_path: Path) -> None:
    """More than one lease's worth, what was put off long ago among them; each once."""
    async with mail_house(tmp_path) as house:
        world = TurnHouse(house)
        await world.given("route customer.test fetched by alice@example.org")
        for number in range(120):
            await world.given(f"queued u{number}@customer.test")
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(
            b"EHLO customer.test\r\nAUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAGRlbW8=\r\nATRN\r\n220 hi\r\n"
        )
        seen: list[bytes] = []
        while not talk.over:
            said = talk.take()
            last = said.rstrip(b"\r\n").rpartition(b"\r\n")[2]
            if last.startswith(b"RCPT"):
                seen.append(last)
            await talk.send({b"DATA": b"354 go\r\n", b"QUIT": b"221 bye\r\n"}.get(last, b"250 ok\r\n"))
        assert sorted(seen) == sorted(b"RCPT TO:<u%d@customer.test>" % number for number in range(120))
        assert await house.queued() == []
        assert isinstance(house.clock, FrozenClock)
