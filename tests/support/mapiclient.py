"""A mailbox over MAPI/HTTP for tests: the client of the house, asked from a thread while the server runs."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from quintet.mapi.http.client import WAIT_S, Line, Mailbox
from quintet.mapi.ids import ShortId
from quintet.mapi.rop import folders, messages, properties, registry, stores, streams, tables
from quintet.mapi.rop.batch import Batch, Step

SUBJECT, BODY, CLASS = 0x0037001F, 0x1000001F, 0x001A001F
MID, FLAGS, FOLDER_ID, NAME = 0x674A0014, 0x0E070003, 0x67480014, 0x3001001F
INBOX, OUTBOX, SENT = 4, 5, 6  # of a logon's folders


def basic(name: str = "alice@example.org", secret: str = "demo") -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def short(value: int) -> ShortId:
    """A PtypInteger64 of a table as an id."""
    raw = (value & (1 << 64) - 1).to_bytes(8, "little")
    return ShortId(int.from_bytes(raw[:2], "little"), int.from_bytes(raw[2:], "big"))


@dataclass
class Box:
    """A session with one logon; every method runs the blocking client in a thread."""

    mailbox: Mailbox
    line: Line
    second: Line  # for what waits
    logon: int = 0
    handle: int = 0
    folders: tuple[ShortId, ...] = ()
    notices: list[Any] = field(default_factory=list)

    def batch(self) -> Batch:
        return self.mailbox.batch(self.logon)

    async def run(self, batch: Batch, *, plain: bool = False) -> Batch:
        done = await asyncio.to_thread(self.mailbox.execute, batch, plain=plain)
        self.notices += done.notices
        return done

    async def ask(self, body: Any, handle: Any = None, second: Any = None) -> Step:
        """One request alone; fails the test where it failed."""
        step = await self.try_(body, handle, second)
        assert step.told is not None
        assert step.told.code == 0, f"{type(body).__name__}: 0x{step.told.code:08X}"
        return step

    async def try_(self, body: Any, handle: Any = None, second: Any = None) -> Step:
        batch = self.batch()
        more = () if second is None else (second,)
        step = batch.add(body, self.handle if handle is None else handle, *more)
        await self.run(batch)
        return step

    async def open(self, body: Any, handle: Any = None) -> int:
        """The handle of what a request opens."""
        step = await self.ask(body, handle)
        assert step.opens is not None
        return step.opens.handle

    async def log_on(self, *, public: bool = False, dn: str = "", logon: int = 0) -> None:
        batch = self.mailbox.batch(logon)
        step = batch.add(stores.Logon(0 if public else 1, 2 if public else 0, 0, dn))
        await self.run(batch)
        assert step.told is not None
        assert step.told.code == 0, hex(step.told.code)
        assert step.opens is not None
        self.logon, self.handle, self.folders = logon, step.opens.handle, step.answer.logon.folders

    async def rows(self, table: int, tags: tuple[int, ...], count: int = 50) -> list[list[Any]]:
        batch = self.batch()
        batch.add(tables.SetColumns(0, tags), table)
        batch.add(tables.SeekRow(0, 0, False), table)
        step = batch.add(tables.QueryRows(0, True, count), table)
        await self.run(batch)
        assert step.told is not None
        assert step.told.code == 0, hex(step.told.code)
        return step.answer.rows

    async def contents(self, folder: int, tags: tuple[int, ...] = (MID, SUBJECT, FLAGS)) -> list[list[Any]]:
        table = await self.open(folders.GetContentsTable(0), folder)
        found = await self.rows(table, tags)
        await self.release(table)
        return found

    async def wait(self) -> bool:
        """NotificationWait."""
        return await asyncio.to_thread(self.mailbox.wait, self.second.post)

    async def release(self, handle: int) -> None:
        batch = self.batch()
        batch.add(registry.RELEASE, handle)
        await self.run(batch)

    async def folder(self, one: ShortId | int) -> int:
        number = self.folders[one] if isinstance(one, int) else one
        return await self.open(folders.OpenFolder(number, 0))

    async def values(self, handle: int, *tags: int) -> list[Any]:
        return (await self.ask(properties.GetPropertiesSpecific(0, True, tags), handle)).answer.row

    async def put(self, handle: int, **values: Any) -> None:
        tags = {"subject": SUBJECT, "body": BODY, "klass": CLASS}
        pairs = tuple((tags[name], value) for name, value in values.items())
        step = await self.ask(properties.SetProperties(pairs), handle)
        assert step.answer.problems == ()

    async def save(self, handle: int, flags: int = 0x0A) -> ShortId:
        return (await self.ask(messages.SaveChangesMessage(flags), handle)).answer.message

    async def stream(self, handle: int, tag: int, piece: int = 4096) -> bytes:
        opened = await self.open(streams.OpenStream(tag, 0), handle)
        found = b""
        while more := (await self.ask(streams.ReadStream(piece), opened)).answer.data:
            found += more
        await self.release(opened)
        return found


@asynccontextmanager
async def mapi(
    port: int, name: str = "alice@example.org", secret: str = "demo", *, log_on: bool = True, **how: Any
) -> AsyncIterator[Box]:
    """A connected session, with a logon to one's own mailbox."""
    url = f"http://127.0.0.1:{port}/mapi/emsmdb/?MailboxId=x"
    line = Line(url, lambda: basic(name, secret))
    box = Box(Mailbox(line.post), line, Line(url, lambda: basic(name, secret), timeout_s=WAIT_S))
    await asyncio.to_thread(box.mailbox.connect)
    try:
        if log_on:
            await box.log_on(**how)
        yield box
    finally:
        await asyncio.to_thread(box.mailbox.disconnect)
        line.close()
        box.second.close()
