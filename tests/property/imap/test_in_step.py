"""Any number of sessions in two workers on one mailbox, with POP3, delivery and news, against a simple model.

The model is what a client keeps (`mirror`), changed only by the untagged answers that it was sent.  Clients
die in the middle and come back by QRESYNC to the other worker, from whatever they knew; told everything, each
must have the mailbox itself.  ``make fuzz`` runs many more seeds (IN_STEP_SEEDS).
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from quintet.config.nntp import Nntp
from quintet.config.pop3 import Pop3
from quintet.config.store import Store as StoreConfig
from quintet.delivery.post import PostOffice
from quintet.imap import format as fmt
from quintet.imap import updates
from quintet.imap.cmd import copy, expunge, resync, store
from quintet.imap.service import ImapService
from quintet.net.memory import Talk
from quintet.nntp.service import NntpService
from quintet.pop3.service import Pop3Service
from quintet.store import accounts, changes, entries, groups, seen
from quintet.store.content import content_of
from quintet.store.model import SEEN, Folder
from quintet.store.store import Store
from tests.support.mirror import KINDS, Mirror, Truth, agreed
from tests.unit.imap.world import World, letter, open_world

STEPS = 70
NEWSGROUP = "local.test"
GROUP = f"Groups/{NEWSGROUP}"
ALICE, BOB = "alice@example.org", "bob@example.org"
SEEDS = int(os.environ.get("IN_STEP_SEEDS", "10"))


class Workers:
    """Two stores on one data directory, each with the services of a worker."""

    def __init__(self, world: World, second: Store) -> None:
        self.world, self.stores = world, (world.store, second)
        self.imap = [world.service, ImapService(second, world.auth, world.config, clock=world.clock)]
        self.pop3 = [
            Pop3Service(one, world.auth, Pop3(), hostname="h", clock=world.clock) for one in self.stores
        ]
        self.nntp = [
            NntpService(
                one, world.auth, Nntp(), hostname="h", clock=world.clock,
                office=PostOffice(one, Nntp(), hostname="h", clock=world.clock),
            )
            for one in self.stores
        ]  # fmt: skip
        self.posted = 0
        self.names: dict[int, str] = {}  # of POP3, by UID

    def hint(self) -> None:
        """What the datagrams between the workers do a little later."""
        for one in self.stores:
            one.hub.wake_all()

    def folder(self, mailbox: str, who: str = ALICE) -> Folder:
        return self.world.folder(mailbox, who.partition("@")[0])

    def truth(self, mailbox: str, who: str) -> Truth:
        """UID to flags and MODSEQ as ``who`` must see them."""
        folder = self.folder(mailbox, who)
        reader = self.world.store.peek(accounts.find, who).id
        own = seen.is_own(folder, reader)
        marks = self.world.store.peek(seen.get, folder.id, reader)
        log = self.world.store.peek(seen.log, folder.id, reader) if own else []
        found = {}
        for row in self.world.store.peek(entries.listing, folder.id, limit=1000):
            bits = (row.flags & ~SEEN | (SEEN if row.uid in marks else 0)) if own else row.flags
            words = frozenset(fmt.flags(bits, row.keywords).decode().split())
            found[row.uid] = words, seen.modseq_of(log, row.uid, row.modseq)
        return found


async def news(workers: Workers, rng: random.Random, *lines: str) -> list[str]:
    """One reader's conversation with some worker: the lines of its answers."""
    talk = Talk(rng.choice(workers.nntp))
    await talk.begin()
    talk.take()
    login = ("AUTHINFO USER alice@example.org", "AUTHINFO PASS demo")
    await talk.send("".join(f"{line}\r\n" for line in (*login, *lines)).encode(), rng.choice((1, 9, 1000)))
    told = talk.take().decode().split("\r\n")[2:]
    await talk.end()
    return told


async def post(workers: Workers, rng: random.Random) -> None:
    """A reader posts, and finds at once what it posted."""
    workers.posted += 1
    head = ("From: alice@example.org", f"Subject: post {workers.posted}", f"Newsgroups: {NEWSGROUP}")
    mid = f"<post{workers.posted}@example.org>"
    told = await news(workers, rng, "POST", *head, f"Message-ID: {mid}", "", "Hello.", ".", f"STAT {mid}")
    assert [line[:3] for line in told if line] == ["340", "240", "223"], told


async def readers_agree(workers: Workers, rng: random.Random) -> None:
    """News readers of both workers see the numbers, counts and marks that are there."""
    there = sorted(workers.truth(GROUP, "alice@example.org"))
    told = await news(workers, rng, f"LISTGROUP {NEWSGROUP}", "OVER 1-")
    code, count, low, high, name = told[0].split()[:5]
    folder = workers.world.folder(GROUP)
    assert (code, name, int(count)) == ("211", NEWSGROUP, len(there))
    assert int(high) == folder.uid_next - 1
    assert int(low) == (there[0] if there else folder.uid_next)
    end = told.index(".")
    assert [int(line) for line in told[1:end]] == there
    over = [line for line in told[end + 1 :] if line and line != "."]
    assert over[0][:3] == ("224" if there else "423")
    assert [int(line.split("\t")[0]) for line in over[1:]] == there


async def maildrop(workers: Workers, rng: random.Random) -> None:
    """POP3 has the same messages under their UIDs, and takes one away."""
    there = sorted(workers.truth("INBOX", ALICE))
    talk = Talk(rng.choice(workers.pop3))
    await talk.begin()
    await talk.send(f"USER {ALICE}\r\nPASS demo\r\n".encode())
    talk.take()
    await talk.send(b"STAT\r\n")
    assert int(talk.take().split()[1]) == len(there)
    await talk.send(b"UIDL\r\n")
    rows = [line.split() for line in talk.take().decode().split("\r\n")[1:] if line and line != "."]
    assert [int(number) for number, _ in rows] == list(range(1, len(there) + 1))
    ids = {uid: name for uid, (_, name) in zip(there, rows, strict=True)}
    assert len(set(ids.values())) == len(ids)
    for uid, name in ids.items():
        assert workers.names.setdefault(uid, name) == name, "a UIDL changed (RFC 1939 7)"
    if there:
        await talk.send(b"RETR 1\r\n")
        assert talk.take().startswith(b"+OK")
        await talk.send(b"DELE 1\r\n")
        assert talk.take().startswith(b"+OK")
        await talk.send(b"QUIT\r\n")
        assert sorted(workers.truth("INBOX", ALICE)) == there[1:]
    await talk.end()


@asynccontextmanager
async def open_workers(folder: Path) -> AsyncIterator[Workers]:
    async with open_world(folder, people=("alice", "bob")) as world:
        config = StoreConfig(data=str(folder), sync="off", cache=1024 * 1024)
        second = await Store.open(config, clock=world.clock)
        workers = Workers(world, second)
        try:
            yield workers
        finally:
            await workers.imap[1].close()
            await second.close()


async def elsewhere(workers: Workers, rng: random.Random, mailbox: str) -> None:
    """Something happens to the mailbox without any of the clients."""
    stores, folder = rng.choice(workers.stores), workers.world.folder(mailbox)
    uids = list(stores.peek(entries.uids, folder.id))
    what = rng.random()
    if what < 0.15 and mailbox == GROUP:
        await post(workers, rng)
    elif what < 0.45:
        for _ in range(rng.choice((1, 1, 2, 9))):
            number = workers.world.folder(mailbox).uid_next
            if mailbox == GROUP:
                await stores.write(
                    groups.file, [folder.id], content_of(letter(number)), path=b"n!x", host="n", received_at=0
                )
            else:
                await stores.write(entries.add, [folder.id], content_of(letter(number)), received_at=0)
    elif what < 0.6 and uids:
        await stores.write(entries.expunge, folder.id, rng.sample(uids, rng.randint(1, len(uids)) // 2))
    elif what < 0.8 and uids:
        chosen = rng.sample(uids, rng.randint(1, len(uids)))
        await stores.write(entries.set_flags, folder.id, sorted(chosen), rng.choice("+-"), 4, ())
    elif what < 0.9 and mailbox == "INBOX":
        await maildrop(workers, rng)
    else:
        modseq = workers.world.folder(mailbox).highest_modseq
        await stores.write(changes.prune, folder.id, rng.randint(0, modseq))


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_all_sessions_are_in_step(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    small = rng.choice((1, 3, 500))
    for module, name in (
        (updates, "PAGE"), (resync, "GONE"), (resync, "RANGES"), (expunge, "SLICE"), (copy, "SLICE"),
        (copy, "WHOLE"), (store, "PAGE"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, small)
    async with open_workers(tmp_path / "data") as workers, asyncio.timeout(60):
        await workers.world.given("group local.test with 3 articles")
        await workers.world.fill("INBOX", 5)
        mailbox = rng.choice(("INBOX", "INBOX", GROUP))
        if mailbox == GROUP:
            places = [(kind, GROUP, rng.choice((ALICE, BOB))) for kind in rng.sample(KINDS, 6)]
        else:
            places = [(kind, "INBOX", ALICE) for kind in (*KINDS, "qresync")]
            places += [(kind, "Trash", ALICE) for kind in rng.sample(KINDS, 2)]
        clients = [Mirror(workers, rng, *place) for place in places]
        for client in clients:
            await client.begin()
        for _ in range(STEPS):
            chance, client = rng.random(), rng.choice(clients)
            if chance < 0.3:
                await elsewhere(workers, rng, client.mailbox)
            elif chance < 0.4:
                await client.die()
                for _ in range(rng.randint(0, 3)):
                    await elsewhere(workers, rng, client.mailbox)
                await client.begin()
            elif chance < 0.5:
                await client.agree()
                if mailbox == GROUP:
                    await readers_agree(workers, rng)
            else:
                await client.act()
            workers.hint()
            for one in clients:
                await one.talk.settle()
                one.heard(may_expunge=one.idle)
        for client in clients:
            await client.agree()
        assert agreed(clients)
        for client in clients:
            await client.die()
        if mailbox == GROUP:
            await readers_agree(workers, rng)
