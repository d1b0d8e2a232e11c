"""Alice's mailbox with rules, for tests of what they do at delivery."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from quintet.config.queue import Queue
from quintet.delivery.envelope import NULL, mailbox
from quintet.delivery.outbound import Runner
from quintet.mapi import objects, pr, restrict
from quintet.mapi.objects import Box, pid, ruletable
from quintet.mapi.objects.sorting import Sorter
from quintet.mapi.restrict import Content, Where
from quintet.mapi.rules import Action, State, Target
from quintet.net.dns import Resolver
from quintet.smtp.client import SmtpTransport
from quintet.store import check, folders, rules
from quintet.store.content import content_of
from quintet.store.db import Tx
from quintet.store.model import FolderId
from tests.support.mailhouse import MailHouse, envelope, mail_house

ON = State.ENABLED
CATS = Content(Where.SUBSTRING, 1, pr.SUBJECT, (pr.SUBJECT, "cats"))
LETTER = (
    b"Message-ID: <%d@example.net>\r\nFrom: Zoe <zoe@example.net>\r\nTo: <alice@example.org>\r\n%b"
    b"Subject: %b\r\nDate: Fri, 21 Nov 2025 09:00:00 +0000\r\n\r\n%b\r\n"
)


class Desk:
    """Alice's mailbox, her rules, and letters to her."""

    def __init__(self, house: MailHouse, box: Box) -> None:
        self.house, self.box = house, box
        self.sent = 0
        house.inbound.sorter = Sorter(house.inbound)

    async def run(self, work: Callable[..., Any], *args: Any) -> Any:
        def within(tx: Tx) -> Any:
            with self.box.using(tx):
                return work(*args)

        return await self.house.store.write_once(within)

    async def folder(self, name: str) -> FolderId:
        store, account = self.house.store, self.box.account.id
        found = store.peek(folders.find, account, name)
        return found.id if found else (await store.write(folders.create, account, name)).id

    async def target(self, name: str) -> Target:
        number = await self.folder(name)
        return Target(await self.run(self.box.folder_entry_id, number))

    async def rules(self, *rows: dict[int, Any], of: str = "INBOX") -> list[int]:
        number = await self.folder(of)
        return await self.run(lambda: ruletable.change(self.box.folder(number), rows))

    async def arrive(
        self,
        subject: bytes = b"Cats!",
        *to: str,
        more: bytes = b"",
        body: bytes = b"text",
        sender: str = "zoe@example.net",
        each: bool = False,
    ) -> list[Any]:
        self.sent += 1
        made = envelope(self.house.inbound, *(to or ("alice",)))
        made.sender = mailbox(sender) if sender else NULL
        content = content_of(LETTER % (self.sent, more, subject, body))
        return await self.house.inbound.accept(made, content, each=each)

    async def subjects(self, name: str = "INBOX") -> list[str]:
        return await self.look(name, pid.SUBJECT)

    async def look(self, name: str, tag: int) -> list[Any]:
        number = self.box.special.get(name) or await self.folder(name)

        def rows() -> list[Any]:
            table = self.box.folder(number).contents()
            table.set_columns([tag])
            return [value for (value,) in table.query(100)]

        return await self.run(rows)

    async def errors(self) -> list[tuple[str, int]]:
        """Class and cause of what the client is told."""
        classes = await self.look("deferred", pid.MESSAGE_CLASS)
        causes = await self.look("deferred", pr.RULE_ERROR)
        return list(zip(classes, causes, strict=True))

    async def states(self, of: str = "INBOX") -> list[int]:
        number = await self.folder(of)
        return [row.state for row in self.house.store.peek(rules.listing, number)]

    async def flush(self) -> None:
        """Runs the queue until nothing is left for mailboxes here."""
        runner = Runner(
            self.house.store,
            Queue(connect_timeout_s=1.0),
            directory=self.house.inbound.directory,
            resolver=Resolver(),
            transport=SmtpTransport("mx.example.org", clock=self.house.clock),
            hostname="mx.example.org",
            clock=self.house.clock,
            sorter=self.house.inbound.sorter,
        )
        for _ in range(8):
            await runner.once()
        await runner.stop(1.0)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with mail_house(tmp_path) as house:
        alice = await house.account_id("alice")
        box = await house.store.write(objects.logon, alice, alice, files=house.store.blobs)
        yield Desk(house, box)
        assert house.store.peek(check.everything, house.store.blobs) == []


def rule(*actions: Action, on: restrict.Restriction | None = CATS, state: int = ON, at: int = 10) -> Any:
    row: dict[int, Any] = {pr.RULE_ACTIONS: actions, pr.RULE_STATE: state, pr.RULE_SEQUENCE: at}
    row |= {pr.RULE_NAME: "one", pr.RULE_PROVIDER: "test"}
    return row if on is None else row | {pr.RULE_CONDITION: on}


def to(*addresses: str) -> tuple[Any, ...]:
    return tuple([
        ((pr.DISPLAY_NAME, one), (pr.ADDRTYPE, "SMTP"), (pr.EMAIL_ADDRESS, one)) for one in addresses
    ])  # fmt: skip
