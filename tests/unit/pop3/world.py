"""The world of POP3 dialogues and tests: a store, accounts alice and bob, and words about their messages.

given N messages [in FOLDER]        small ones, "message K" in the subject, Date-less, two body lines
given message in FOLDER: TEXT       one message; escapes as in Python bytes
given 200 KB message                one that streams, with dots at the beginnings of its lines
given group NAME with N articles
given folder NAME
given config KEY=VALUE              of the [pop3] section; "apop" switches APOP on
do deliver / expunge N / fail       another message; somebody else removes UID N; storage fails from here
store FOLDER has UIDS / unlocked    what must hold ("1 3", "nothing")
"""

from __future__ import annotations

import dataclasses
import hashlib
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from quintet.auth import admin
from quintet.auth.service import AuthService
from quintet.clock import FrozenClock
from quintet.config.auth import Auth
from quintet.config.pop3 import Pop3
from quintet.config.store import Store as StoreConfig
from quintet.errors import Reason, TryLater
from quintet.pop3.service import Pop3Service
from quintet.store import accounts, entries, folders, groups
from quintet.store.content import content_of
from quintet.store.store import Store
from tests.support.prepared import prepare

FAST = Auth(argon2_memory=8, argon2_time=1, scram=(), apop=True, hash_threads=1)
NOW = 1_763_715_600_000


def small(number: int) -> bytes:
    return (
        f"From: ann@example.org\r\nSubject: message {number}\r\n\r\n"
        f"line one of {number}\r\n.line with a dot\r\n"
    ).encode()


class World:
    """See the module; made by `opened`."""

    listener = "pop3"

    def __init__(self, store: Store, auth: AuthService, clock: FrozenClock) -> None:
        self.store, self.auth, self.clock = store, auth, clock
        self.config = Pop3()
        self.starttls = True
        self._service: Pop3Service | None = None
        self.values: dict[str, str] = {}

    @property
    def service(self) -> Pop3Service:
        if self._service is None:
            self._service = Pop3Service(
                self.store,
                self.auth,
                self.config,
                hostname="pop.example.org",
                clock=self.clock,
                starttls=self.starttls,
            )
        return self._service

    def close(self) -> None:
        if self._service is not None:
            self._service.close()

    async def add(self, folder: str, data: bytes, owner: str = "alice@example.org") -> None:
        account = self.store.peek(accounts.find, owner)
        assert account is not None
        place = self.store.peek(folders.find, account.id, folder)
        assert place is not None, folder
        await self.store.write(entries.add, [place.id], content_of(data), received_at=NOW)

    async def given(self, text: str) -> None:
        words = text.split(" ")
        match words:
            case [count, "messages"]:
                for number in range(1, int(count) + 1):
                    await self.add("INBOX", small(number))
            case [count, "messages", "in", folder]:
                for number in range(1, int(count) + 1):
                    await self.add(folder, small(number))
            case ["message", "in", *_]:
                folder, _, raw = text[len("message in ") :].partition(": ")
                await self.add(
                    folder,
                    raw.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1"),
                )
            case ["large", "message"]:
                await self.add_large(200_000)
            case ["group", name, "with", count, "articles"]:
                group = await self.store.write(groups.create, name)
                for number in range(1, int(count) + 1):
                    data = f"Message-ID: <{number}@n>\r\n".encode() + small(number)
                    await self.store.write(
                        groups.file,
                        [group.id],
                        content_of(data),
                        path=b"n!not-for-mail",
                        host="n",
                        received_at=NOW,
                    )
            case ["folder", *name]:
                account = self.store.peek(accounts.find, "alice@example.org")
                assert account is not None
                await self.store.write(folders.create, account.id, " ".join(name))
            case ["config", setting]:
                key, _, value = setting.partition("=")
                kind: Any = type(getattr(self.config, key))
                made = value == "True" if kind is bool else kind(value)
                self.config = dataclasses.replace(self.config, **{key: made})
            case ["apop", "off"]:
                self.auth.config = dataclasses.replace(self.auth.config, apop=False)
            case ["no", "TLS"]:
                self.starttls = False
            case _:
                raise ValueError(f"given what? {text}")

    async def add_large(self, size: int) -> None:
        spool = self.store.spool()
        try:
            spool.write(b"From: ann@example.org\r\nSubject: large\r\n\r\n")
            for number in range(size // 50):
                spool.write(b".%046d\r\n" % number + b"" if number % 2 else b"%047d\r\n" % number)
            content = await spool.finish()
            account = self.store.peek(accounts.find, "alice@example.org")
            assert account is not None
            inbox = self.store.peek(folders.find, account.id, "INBOX")
            assert inbox is not None
            await self.store.write(entries.add, [inbox.id], content, received_at=NOW)
        finally:
            spool.discard()

    async def do(self, text: str) -> None:
        match text.split(" "):
            case ["deliver"]:
                await self.add("INBOX", small(99))
            case ["expunge", uid]:
                account = self.store.peek(accounts.find, "alice@example.org")
                assert account is not None
                inbox = self.store.peek(folders.find, account.id, "INBOX")
                assert inbox is not None
                await self.store.write(entries.expunge, inbox.id, [int(uid)])
            case ["fail"]:

                async def fail(*_: object, **__: object) -> Any:
                    raise TryLater(Reason.STORAGE)

                self.store.write = fail  # type: ignore[method-assign]
            case ["wait", seconds]:
                self.clock.advance(float(seconds))
            case _:
                raise ValueError(f"do what? {text}")

    async def check(self, text: str) -> None:
        if text == "unlocked":
            assert not self.service.locks._held
            return
        name, _, wanted = text.partition(" has ")
        account = self.store.peek(accounts.find, "alice@example.org")
        assert account is not None
        folder = self.store.peek(folders.find, account.id, name)
        assert folder is not None
        found = " ".join(map(str, self.store.peek(entries.uids, folder.id)))
        assert (found or "nothing") == wanted, f"{name} has {found}"

    def compute(self, name: str, values: dict[str, str]) -> str:
        if name == "apop":
            return hashlib.md5((values["banner"] + "secret").encode()).hexdigest()
        raise KeyError(name)


async def _settle(folder: Path) -> None:
    store = await Store.open(StoreConfig(data=str(folder), sync="off"), clock=FrozenClock(NOW))
    for name in ("alice@example.org", "bob@example.org"):
        account = await store.write(accounts.create, name)
        await admin.set_password(store, account.id, "secret", FAST)
    await store.close()


@asynccontextmanager
async def opened(folder: Path) -> Any:
    await prepare(folder, "pop3", _settle)
    clock = FrozenClock(NOW)
    store = await Store.open(StoreConfig(data=str(folder), sync="off"), clock=clock)
    auth = AuthService(store, FAST, clock=clock)
    world = World(store, auth, clock)
    try:
        yield world
    finally:
        world.close()
        await auth.close()
        await store.close()
