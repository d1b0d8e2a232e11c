"""An address book with a few people in it, and somebody who asks it as a client does, without HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from quintet.auth.identity import Identity
from quintet.config.address_book import AddressBook
from quintet.mapi.nspi import bodies, consts
from quintet.mapi.nspi import messages as m
from quintet.mapi.nspi.endpoint import AddressBookEndpoint
from quintet.mapi.nspi.view import View
from quintet.store import accounts, directory, groups, lists, teams
from quintet.store.db import Tx
from quintet.store.model import AccountKind
from quintet.store.store import Store

NAME, SMTP, DN = consts.of("DisplayName"), consts.of("SmtpAddress"), consts.of("EmailAddress")
STAT = m.Stat(code_page=1200)
PEOPLE = (
    ("alice@example.org", "Alice Adams"),
    ("bob@example.org", "Bob Baker"),
    ("zoe@example.org", "Zoë Novák"),
    ("eve@other.example", "Éva Elm"),
    ("carol@example.org", ""),
)
BY_NAME = [
    "$sales", "Alice Adams", "Bob Baker", "carol@example.org", "Éva Elm", "info@example.org", "misc.food",
    "Staff", "Zoë Novák",
]  # fmt: skip


def people(tx: Tx) -> None:
    """Five accounts in two domains, a list, a team, a forward, a group with an address and one without."""
    accounts.add_domain(tx, "example.org")
    accounts.add_domain(tx, "other.example")
    made = {}
    for login, shown in PEOPLE:
        made[login] = accounts.create(tx, login, AccountKind.PERSON, shown).id
    accounts.add_address(tx, made["zoe@example.org"], "z.novak@example.org")
    staff = lists.create(tx, "staff@example.org", ["alice@example.org"])
    lists.change(tx, staff.id, title="Staff")
    for address in ("bob@example.org", "somebody@far.example"):
        lists.join(tx, staff.id, address)
    teams.create(tx, "sales", "Those who sell")
    teams.join(tx, "sales", made["bob@example.org"])
    accounts.add_address(tx, None, "info@example.org", "forward", "alice@example.org zoe@example.org")
    groups.create(tx, "misc.food", description="What to eat")
    groups.create(tx, "misc.test")
    accounts.add_address(tx, None, "food@example.org", "group", "misc.food")


@dataclass
class Desk:
    """One session of one account."""

    store: Store
    endpoint: AddressBookEndpoint
    session: Any
    config: list[AddressBook]

    async def raw(self, kind: str, body: bytes) -> bytes:
        return await self.endpoint.answer(self.session, kind, body)

    async def ask(self, request: Any) -> Any:
        """The answer to a request, through its bytes and back."""
        kind = type(request).__name__.lower()
        return bodies.read_response(kind, await self.raw(kind, bodies.write_request(kind, request)))

    async def view(self) -> View:
        return await self.endpoint.directory.view()

    async def mid(self, name: str) -> int:
        """The Minimal Entry ID of who is shown by a name."""
        return next(entry.mid for entry in (await self.view()).entries if entry.name == name)

    async def names(self, stat: m.Stat = STAT, count: int = 100, **more: Any) -> list[Any]:
        answer = await self.ask(m.QueryRows(state=stat, count=count, columns=(NAME,), **more))
        assert answer.error == 0
        return [row[0] for row in answer.table.rows]

    async def become(self, login: str) -> Desk:
        """Another account at the same desk."""
        return replace(self, session=await bound(self.endpoint, self.store, login))


async def bound(endpoint: AddressBookEndpoint, store: Store, login: str) -> Any:
    account = store.peek(accounts.find, login)
    assert account is not None
    identity = Identity(account.id, account.name, "PLAIN", "mapi")
    opened = await endpoint.open(identity, bodies.write_request("bind", m.Bind(0, STAT)))
    return opened.state


@pytest.fixture
async def desk(store: Store) -> AsyncIterator[Desk]:
    await store.write(people)
    config = [AddressBook()]
    endpoint = AddressBookEndpoint(
        store, lambda: config[0], "mail.example.org", lambda: "https://mail.example.org"
    )
    yield Desk(store, endpoint, await bound(endpoint, store, "alice@example.org"), config)
    assert store.peek(directory.version) > 0
