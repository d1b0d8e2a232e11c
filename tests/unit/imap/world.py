"""The world that IMAP dialogues are played in: a store, three accounts, a service; time stands still.

given   INBOX with 3 messages            plain letters numbered from 1, of alice unless "of bob" follows
given   NAME holds FILE-OR-TEXT          one message; ``\\r\\n`` as in Python bytes
given   NAME without 2,3                 those UIDs were expunged before
given   folder NAME                      an empty folder
given   group NAME with 3 articles
given   quota 10000                      of alice, in bytes
given   quota admin carol                may set quotas
given   shared NAME with folder FOLDER   a shared account; who logs in may read and mark (lrs) that folder
given   team staff with bob carol
given   NAME of bob grants alice lrs     or $staff
given   group NAME grants alice lrsp     a group's own rows
given   pictures | no pictures           they can be converted, or not; skipped without Pillow
given   clock runs 6                     seconds at each look at it
given   saved ranges 2                   more are not kept by SEARCH RETURN (SAVE)
given   option NAME VALUE                of the [imap] section; of a list, one more
do      deliver N to NAME | expunge NAME 2 | flag NAME 2 \\Seen | forget NAME | remove NAME | wait 5
        join staff bob | leave staff bob | remove team staff
        settle (what runs behind the commands)
store   NAME has UIDS | NAME uid 2 flags \\Seen $x | sound
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quintet.auth.service import AuthService
from quintet.clock import FrozenClock
from quintet.config.auth import Auth
from quintet.config.imap import Imap
from quintet.config.nntp import Nntp
from quintet.config.store import Store as StoreConfig
from quintet.delivery.post import PostOffice
from quintet.imap import format as fmt
from quintet.imap import sets
from quintet.imap.service import ImapService
from quintet.message import pictures
from quintet.store import access, accounts, changes, entries, folders, groups, teams
from quintet.store.content import content_of
from quintet.store.model import AccountKind, Folder
from quintet.store.store import Store
from tests.support.prepared import prepare, settle
from tests.support.stores import expect_sound

CHEAP = Auth(argon2_memory=64, argon2_time=1, scram_iterations=4096)
PEOPLE = ("alice", "bob", "carol")
START = 1_763_715_600_000  # Fri, 21 Nov 2025 09:00:00 UTC


def letter(number: int, words: str = "") -> bytes:
    """A plain letter of 200 bytes or so."""
    return (
        f"From: Zoe <zoe@example.net>\r\nTo: alice@example.org\r\nSubject: Letter {number}\r\n"
        f"Date: Fri, 21 Nov 2025 09:{number % 60:02}:00 +0000\r\nMessage-ID: <m{number}@example.net>\r\n"
        f"\r\nThis is letter {number}. {words}\r\n"
    ).encode()


class RunningClock(FrozenClock):
    """Each look at it takes ``step_s``."""

    step_s = 0.0

    def now(self) -> int:
        self.advance(self.step_s)
        return super().now()


class World:
    """One store with its service; made anew for each dialogue."""

    def __init__(self, store: Store, auth: AuthService, clock: RunningClock, office: Any = None) -> None:
        self.store, self.auth, self.clock, self.office = store, auth, clock, office
        self.config = Imap()
        self.patches = pytest.MonkeyPatch()
        self.values: dict[str, str] = {}
        self._service: ImapService | None = None

    @property
    def service(self) -> ImapService:
        if self._service is None:
            self._service = ImapService(
                self.store,
                self.auth,
                self.config,
                hostname="imap.example.org",
                clock=self.clock,
                office=self.office,
            )
        return self._service

    def folder(self, name: str, owner: str = "alice") -> Folder:
        if name.startswith("Groups/"):
            found = self.store.peek(groups.find, name.removeprefix("Groups/"))
        else:
            account = self.store.peek(accounts.find, f"{owner}@example.org")
            found = self.store.peek(folders.find, account.id, name)
        assert found is not None, name
        return found

    async def put(self, name: str, data: bytes, owner: str = "alice", **more: Any) -> None:
        folder = self.folder(name, owner)
        content = content_of(data)
        await self.store.write(
            entries.add, [folder.id], content, received_at=more.pop("at", self.clock.now()), **more
        )

    async def fill(self, name: str, count: int, owner: str = "alice") -> None:
        start = self.folder(name, owner).uid_next
        for number in range(start, start + count):
            await self.put(name, letter(number), owner, at=START + number * 60_000)

    async def given(self, text: str) -> None:
        text, _, owner = text.partition(" of ")
        owner, _, rest = owner.partition(" ")
        owner = owner or "alice"
        words = text.split()
        match words:
            case ["folder", name]:
                account = self.store.peek(accounts.find, f"{owner}@example.org")
                await self.store.write(folders.create, account.id, name)
            case ["group", name, "grants", who, letters]:
                who = who if who.startswith("$") else f"{who}@example.org"
                await self.store.write(access.grant, self.folder(f"Groups/{name}").id, who, letters)
            case ["group", name, *more]:
                folder = await self.store.write(groups.create, name)
                for number in range(1, int(more[1]) + 1 if more else 1):
                    content = content_of(letter(number))
                    await self.store.write(
                        groups.file, [folder.id], content, path=b"news.example.org!not-for-mail",
                        host="news.example.org", received_at=START + number * 60_000,
                    )  # fmt: skip
            case ["shared", name, "with", "folder", place]:
                made = await self.store.write(accounts.create, f"{name}@example.org", AccountKind.SHARED)
                folder = await self.store.write(folders.create, made.id, place)
                await self.store.write(access.grant, folder.id, access.AUTHENTICATED, "lrs")
            case ["quota", "admin", name]:
                self.config = replace(self.config, quota_admins=(f"{name}@example.org",))
            case ["quota", size]:
                account = self.store.peek(accounts.find, "alice@example.org")
                await self.store.write(accounts.change, account.id, quota_bytes=int(size))
            case ["team", name, "with", *people]:
                await self.store.write(teams.create, name)
                for person in people:
                    account = self.store.peek(accounts.find, f"{person}@example.org")
                    await self.store.write(teams.join, name, account.id)
            case [name] if rest.startswith("grants $"):
                who, letters = rest.split()[1:]
                await self.store.write(access.grant, self.folder(name, owner).id, who, letters)
            case ["no", "pictures"]:
                self.patches.setattr(pictures, "available", lambda: False)
            case ["longest", "command", octets]:
                for module in ("session", "cmd.append"):
                    self.patches.setattr(f"quintet.imap.{module}.MAX_COMMAND", int(octets))
            case ["saved", "ranges", most]:
                self.patches.setattr("quintet.imap.cmd.search.MAX_SAVED", int(most))
            case ["pictures"]:
                pytest.importorskip("PIL", reason="Pillow (the extra images) is not installed")
            case ["clock", "runs", seconds]:
                self.clock.step_s = float(seconds)
            case ["option", name, *values]:
                self.config = replace(self.config, **{name: self._option(name, values)})
            case [name, "with", count, _]:
                await self.fill(name, int(count), owner)
            case [name, "without", uids]:
                await self.expunge(name, uids, owner)
            case [name] if rest.startswith("grants"):
                who, letters = rest.split()[1:]
                await self.store.write(
                    access.grant, self.folder(name, owner).id, f"{who}@example.org", letters
                )
            case [name, "holds", *_]:
                data = text.split(" holds ", 1)[1].encode().decode("unicode_escape").encode("latin-1")
                await self.put(name, data, owner)
            case _:
                raise ValueError(text)

    def _option(self, name: str, values: list[str]) -> Any:
        before = getattr(self.config, name)
        if isinstance(before, tuple):
            return (*before, " ".join(values))
        return values[0] if isinstance(before, str) else type(before)(int(values[0]))

    async def expunge(self, name: str, uids: str, owner: str = "alice") -> None:
        numbers = [n for low, high in sets.parse(uids.encode()).resolve(1) for n in range(low, high + 1)]
        await self.store.write(entries.expunge, self.folder(name, owner).id, numbers)

    async def do(self, text: str) -> None:
        match text.split():
            case ["deliver", count, "to", name]:
                await self.fill(name, int(count))
            case ["expunge", name, uids]:
                await self.expunge(name, uids)
            case ["flag", name, uid, *flags]:
                bits = sum(fmt.FLAG_BITS.get(flag.upper().encode(), 0) for flag in flags)
                words = tuple(flag for flag in flags if not flag.startswith("\\"))
                await self.store.write(entries.set_flags, self.folder(name).id, [int(uid)], "=", bits, words)
            case ["forget", name]:  # all tombstones, as the sweep does when there are too many
                folder = self.folder(name)
                await self.store.write(changes.prune, folder.id, folder.highest_modseq)
            case ["join", team, person]:
                account = self.store.peek(accounts.find, f"{person}@example.org")
                await self.store.write(teams.join, team, account.id)
            case ["leave", team, person]:
                account = self.store.peek(accounts.find, f"{person}@example.org")
                await self.store.write(teams.leave, team, account.id)
            case ["remove", "team", name]:
                await self.store.write(teams.remove, name)
            case ["remove", name]:
                await self.store.write(folders.remove, self.folder(name).id)
            case ["settle"]:
                await self.service.house.close()  # what runs behind the commands comes to its end
            case ["wait", seconds]:
                self.clock.advance(float(seconds))
            case _:
                raise ValueError(text)

    async def check(self, text: str) -> None:
        match text.split():
            case ["sound"]:
                expect_sound(self.store)
            case [name, "has", *uids]:
                have = list(self.store.peek(entries.uids, self.folder(name).id))
                assert sets.write(sets.runs(have)).decode() == "".join(uids), have
            case [name, "uid", uid, "flags", *flags]:
                entry = self.store.peek(entries.get, self.folder(name).id, int(uid))
                assert fmt.flags(entry.flags, entry.keywords).decode().split() == flags, entry
            case _:
                raise ValueError(text)


def _config(folder: Path) -> StoreConfig:
    return StoreConfig(data=str(folder), sync="off", cache=1024 * 1024)


async def _settle(folder: Path, people: tuple[str, ...]) -> None:
    store = await Store.open(_config(folder), clock=RunningClock(START))
    await settle(store, people, CHEAP)
    await store.close()


@asynccontextmanager
async def open_world(folder: Path, people: tuple[str, ...] = PEOPLE) -> AsyncIterator[World]:
    """A world in ``folder``; its store is checked at the end."""
    await prepare(folder, ("imap", people), lambda model: _settle(model, people))
    clock = RunningClock(START)
    store = await Store.open(_config(folder), clock=clock)
    auth = AuthService(store, CHEAP, clock=clock, key=b"k" * 32)
    world = None
    try:
        world = World(store, auth, clock, PostOffice(store, Nntp(), hostname="news.example.org", clock=clock))
        yield world
        await world.service.close()
        expect_sound(store)
    finally:
        if world is not None:
            world.patches.undo()
        await auth.close()
        await store.close()
