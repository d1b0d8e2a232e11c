"""A mailbox's endpoint over a store in a folder, without HTTP: what operations do, and quickly."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quintet.auth.identity import Identity
from quintet.config.mapi import Mapi
from quintet.mapi import frame
from quintet.mapi.buffer import Reader, Writer
from quintet.mapi.http.client import Mailbox
from quintet.mapi.http.mailbox import MailboxEndpoint
from quintet.mapi.rop.batch import Batch
from quintet.store import accounts, folders, groups
from quintet.store.blobs import Spool
from quintet.store.db import Tx
from quintet.store.entries import add
from quintet.store.store import Store
from tests.support.mapiclient import Box
from tests.support.stores import open_store

LETTER = (
    "From: Bob <bob@example.org>\r\nTo: alice@example.org\r\nSubject: {}\r\n"
    "Date: Mon, 30 Nov 2026 04:43:32 +0000\r\nMessage-ID: <{}@example.org>\r\n\r\n{}\r\n"
)


def connect(dn: bytes = b"/o=x", code_page: int = 1252) -> bytes:
    writer = Writer()
    writer.text8(dn)
    for number in (0, code_page, 0x0409, 0x0409, 0):
        writer.u32(number)
    return writer.done()


def execute(raw: bytes, *, most: int = 0x10008, flags: int = 3) -> bytes:
    writer = Writer()
    for number in (flags, len(raw)):
        writer.u32(number)
    writer.put(raw)
    for number in (most, 0):
        writer.u32(number)
    return writer.done()


def executed(body: bytes) -> tuple[int, int, bytes]:
    """StatusCode, ErrorCode, the ROP buffer."""
    reader = Reader(body)
    status, error = reader.u32(), reader.u32()
    reader.u32()
    return status, error, reader.take(reader.u32())


@dataclass
class Direct(Box):
    """A `Box` that asks the endpoint itself."""

    desk: Desk | None = None
    state: Any = None

    async def run(self, batch: Batch, *, plain: bool = True) -> Batch:
        assert self.desk is not None
        raw = frame.wrap([batch.payload()], compress=False)
        body = await self.desk.endpoint.answer(self.state, "execute", execute(raw))
        status, error, found = executed(body)
        assert (status, error) == (0, 0)
        batch.read(frame.unwrap(found)[0])
        self.notices += batch.notices
        return batch


@dataclass
class Desk:
    store: Store
    endpoint: MailboxEndpoint
    people: dict[str, Identity] = field(default_factory=dict)
    states: list[Any] = field(default_factory=list)

    async def box(self, name: str = "alice", *, log_on: bool = True, **how: Any) -> Direct:
        opened = await self.endpoint.open(self.people[name], connect())
        self.states.append(opened.state)
        line: Any = None  # nothing is posted
        made = Direct(Mailbox(line), line, line, desk=self, state=opened.state)
        if log_on:
            await made.log_on(**how)
        return made

    async def letter(
        self, subject: str, body: str = "Hello.", name: str = "alice", folder: str = "INBOX"
    ) -> int:
        def put(tx: Tx) -> int:
            where = folders.find(tx, self.people[name].account_id, folder)
            assert where is not None
            spool = Spool(self.store.blobs)
            spool.write(LETTER.format(subject, subject.replace(" ", "."), body).encode())
            return add(tx, [where.id], spool.finish_now(), received_at=tx.now)[0].entry_id

        return await self.store.write(put)


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    async with open_store(folder / "data") as store:
        nobody: Any = None  # nothing is sent or posted here
        made = Desk(
            store,
            MailboxEndpoint(store, lambda: Mapi(wait_s=5), lambda: (nobody, nobody), "mail.example.org"),
        )
        for name in ("alice", "bob"):
            full = f"{name}@example.org"
            account = await store.write(accounts.create, full, display_name=name.capitalize())
            made.people[name] = Identity(account.id, full, "PLAIN", "mapi")
        await store.write(groups.create, "local.test", "y", "A test")
        yield made
        for state in made.states:
            made.endpoint.close(state)
