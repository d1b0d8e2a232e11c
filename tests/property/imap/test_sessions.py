"""Random commands in three sessions, deliveries and expunges between them, against a simple model.

The model keeps, for each session, the list of messages that the client must believe in, changed only by
the untagged answers it was sent, as a client does.  After a NOOP it must be the mailbox itself.
"""

from __future__ import annotations

import asyncio
import random
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest

from quintet.net.memory import Talk
from quintet.store import entries
from tests.unit.imap.world import World, open_world

SESSIONS = 3
STEPS = 120
FLAGS = ("\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "$Work")
_UNTAGGED = re.compile(rb"\* (\d+) (EXISTS|RECENT|EXPUNGE|FETCH)(?: \((.*))?$")


class Client:
    """One session and what its client believes."""

    def __init__(self, world: World, number: int, *, qresync: bool) -> None:
        self.world, self.number, self.qresync = world, number, qresync
        self.talk = Talk(world.service, identity=f"c{number}")
        self.messages: list[dict[str, Any]] = []  # {"uid": int | None, "flags": frozenset | None}
        self.count = 0
        self.last_exists = 0

    async def begin(self) -> None:
        await self.talk.begin()
        await self.command("LOGIN alice@example.org demo")
        if self.qresync:
            await self.command("ENABLE QRESYNC")
        await self.command("ENABLE IMAP4rev2")
        await self.command("SELECT INBOX")
        await self.command("FETCH 1:* (UID FLAGS)", may_fail=True)

    async def command(self, text: str, *, may_fail: bool = False) -> bytes:
        self.count += 1
        tag = b"t%d" % self.count
        self.talk.take()
        may_expunge = not text.split(maxsplit=1)[0].upper().startswith(("FETCH", "STORE", "SEARCH"))
        await self.talk.send(tag + b" " + text.encode() + b"\r\n", random.choice((1, 5, 1000)))
        answer = self.talk.take()
        lines = answer.split(b"\r\n")
        assert lines[-1] == b""
        assert lines[-2].startswith(tag + b" "), (text, answer)
        if not may_fail:
            assert lines[-2].startswith(tag + b" OK"), (text, answer)
        before = [message["uid"] for message in self.messages]
        for line in lines[:-2]:
            self.hear(line, may_expunge=may_expunge)
        if not may_expunge:
            for message, uid in zip(self.messages, before, strict=False):
                assert uid is None or message["uid"] == uid, "a number changed its meaning"
        if self.qresync and any(message["uid"] is None for message in self.messages):
            await self.command(
                "UID FETCH 1:* (UID)"
            )  # VANISHED names messages by UID: such a client asks at once
        return answer

    def hear(self, line: bytes, *, may_expunge: bool) -> None:
        """Does with an untagged answer what a client must (RFC 9051 7.5)."""
        if line.startswith(b"* VANISHED "):
            assert self.qresync
            assert may_expunge
            gone = {
                uid
                for piece in line.split()[2].decode().split(",")
                for uid in range(int(piece.split(":")[0]), int(piece.split(":")[-1]) + 1)
            }
            known = {message["uid"] for message in self.messages}
            assert gone <= known | ({None} if None in known else set()) or None in known
            self.messages = [message for message in self.messages if message["uid"] not in gone]
            return
        found = _UNTAGGED.match(line)
        if found is None:
            return
        number, what = int(found[1]), found[2]
        if what == b"EXISTS":
            assert number >= len(self.messages), "EXISTS never takes messages away"
            self.messages += [{"uid": None, "flags": None} for _ in range(number - len(self.messages))]
        elif what == b"EXPUNGE":
            assert may_expunge, line
            assert not self.qresync
            assert 1 <= number <= len(self.messages)
            del self.messages[number - 1]
        elif what == b"FETCH":
            assert 1 <= number <= len(self.messages), line
            message = self.messages[number - 1]
            if uid := re.search(rb"UID (\d+)", found[3]):
                assert message["uid"] in (None, int(uid[1])), (line, message)
                message["uid"] = int(uid[1])
            if flags := re.search(rb"FLAGS \(([^)]*)\)", found[3]):
                message["flags"] = frozenset(flags[1].decode().split())

    async def agree(self) -> None:
        """Told everything, the client's mailbox is the store's."""
        await self.command("NOOP")
        if self.messages:
            await self.command("UID FETCH 1:* (UID)")  # names for what EXISTS told of
        folder = self.world.folder("INBOX")
        rows = self.world.store.peek(entries.listing, folder.id)
        assert [message["uid"] for message in self.messages] == [row.uid for row in rows]
        names = {1: "\\Seen", 2: "\\Answered", 4: "\\Flagged", 8: "\\Deleted", 16: "\\Draft"}
        for message, row in zip(self.messages, rows, strict=True):
            if message["flags"] is not None:
                expected = {name for bit, name in names.items() if row.flags & bit} | set(row.keywords)
                assert message["flags"] == expected, (self.number, row.uid)

    def pick(self, rng: random.Random) -> str:
        """A sequence set of what the client believes in."""
        low, high = sorted(rng.choices(range(1, len(self.messages) + 1), k=2))
        return rng.choice((f"{low}:{high}", f"{high}:{low}", f"{low},{high}", str(low), f"{low}:*"))

    def pick_uids(self, rng: random.Random) -> str:
        low, high = sorted(rng.choices(range(1, 60), k=2))
        return rng.choice((f"{low}:{high}", f"{low}:*", str(low), "1:*"))


async def step(world: World, clients: list[Client], rng: random.Random) -> None:
    client = rng.choice(clients)
    flag = rng.choice(FLAGS)
    mode = rng.choice(("+", "-", ""))
    if client.messages and rng.random() < 0.45:
        chosen = client.pick(rng)
        text = rng.choice(
            (
                f"FETCH {chosen} (UID FLAGS)",
                f"FETCH {chosen} (FLAGS BODY[TEXT])",
                f"STORE {chosen} {mode}FLAGS ({flag})",
                f"STORE {chosen} +FLAGS (\\Deleted)",
                f"SEARCH {chosen} NOT KEYWORD $Work",
                f"COPY {rng.randint(1, len(client.messages))} INBOX",
                f"MOVE {chosen} Trash",
            )
        )
        await client.command(text, may_fail=True)
        return
    chosen = client.pick_uids(rng)
    match rng.randint(0, 6):
        case 0:
            await world.fill("INBOX", rng.randint(1, 3))
        case 1:
            await client.command("EXPUNGE")
        case 2:
            await client.command(f"UID EXPUNGE {chosen}")
        case 3:
            await client.command(f"UID FETCH {chosen} FLAGS")
        case 4:
            await client.command(f"UID STORE {chosen} {mode}FLAGS ({flag})")
        case 5:
            await client.agree()
        case 6:
            uids = list(world.store.peek(entries.uids, world.folder("INBOX").id))
            if uids:
                await world.expunge("INBOX", str(rng.choice(uids)))


@pytest.mark.parametrize("seed", range(12))
async def test_every_session_sees_the_same_mailbox(seed: int) -> None:
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        async with open_world(Path(folder) / "data", people=("alice",)) as world:
            await world.fill("INBOX", 6)
            clients = [Client(world, n, qresync=n == 2) for n in range(SESSIONS)]
            for client in clients:
                await client.begin()
            async with asyncio.timeout(60):
                for _ in range(STEPS):
                    await step(world, clients, rng)
                for client in clients:
                    await client.agree()
            seen = {tuple(message["uid"] for message in client.messages) for client in clients}
            assert len(seen) == 1
            for client in clients:
                await client.talk.end()
