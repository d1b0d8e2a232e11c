"""Any number of sessions in two workers on one mailbox, with POP3, delivery and news, against a simple model.

The model is what a client keeps: numbers, flags, HIGHESTMODSEQ, changed only by the untagged answers that
it was sent, as RFC 9051 7.5 and RFC 7162 6 say.  Clients die in the middle and come back by QRESYNC to the
other worker, from whatever they knew; told everything, each must have the mailbox itself.  ``make fuzz`` runs
many more seeds (IN_STEP_SEEDS).
"""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from quintet.config.nntp import Nntp
from quintet.config.pop3 import Pop3
from quintet.config.store import Store as StoreConfig
from quintet.delivery.post import PostOffice
from quintet.imap import format as fmt
from quintet.imap import sets, updates
from quintet.imap.cmd import copy, expunge, resync, store
from quintet.imap.service import ImapService
from quintet.net.memory import Talk
from quintet.nntp.service import NntpService
from quintet.pop3.service import Pop3Service
from quintet.store import accounts, changes, entries, groups, seen
from quintet.store.content import content_of
from quintet.store.model import SEEN
from quintet.store.store import Store
from tests.unit.imap.world import World, letter, open_world

STEPS = 70
NEWSGROUP = "local.test"
GROUP = f"Groups/{NEWSGROUP}"
FLAGS = ("\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "$Work")
SEEDS = int(os.environ.get("IN_STEP_SEEDS", "10"))
_LINE = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE|FETCH)(?: \((.*)(?:\)|\}))?$")

Flags = frozenset[str]


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

    def hint(self) -> None:
        """What the datagrams between the workers do a little later."""
        for one in self.stores:
            one.hub.wake_all()

    def truth(self, mailbox: str, who: str) -> dict[int, tuple[Flags, int]]:
        """UID to flags and MODSEQ as ``who`` must see them."""
        folder = self.world.folder(mailbox)
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


class Client:
    """One client with its cache, which outlives its connections."""

    def __init__(self, workers: Workers, rng: random.Random, kind: str, mailbox: str, who: str) -> None:
        self.workers, self.rng, self.kind, self.mailbox, self.who = workers, rng, kind, mailbox, who
        self.cache: dict[int, Flags | None] = {}
        self.numbers: list[int] = []  # UID by number, 0 for one that is not known yet
        self.validity = self.highest = 0
        self.tags = 0
        self.idle = False
        self.whole = True  # it knew the UID of every message when it died
        self._told = self._code = 0  # highest MODSEQ and last HIGHESTMODSEQ since the last tagged answer
        self._gone: set[int] = set()  # VANISHED before its UID was known

    @property
    def condstore(self) -> bool:
        return self.kind != "plain"

    @property
    def vanishes(self) -> bool:
        return self.kind in ("qresync", "notify")

    async def begin(self) -> None:
        """Connects to some worker, and brings the cache up to date."""
        self.talk = Talk(self.rng.choice(self.workers.imap))
        self.idle = False
        await self.talk.begin()
        await self.command(f"LOGIN {self.who} demo")
        await self.command(
            "ENABLE IMAP4rev2" + {"plain": "", "condstore": " CONDSTORE"}.get(self.kind, " QRESYNC")
        )
        if self.kind == "notify":
            await self.command(
                "NOTIFY SET (SELECTED-DELAYED (MessageNew (UID FLAGS) MessageExpunge FlagChange))"
            )
        known, self.numbers = sorted(self.cache), []
        if self.vanishes and self.highest:
            uids = sets.write(sets.runs(known))
            match = ""
            if known and self.rng.random() < 0.5:
                at = sorted(self.rng.sample(range(len(known)), min(3, len(known))))
                match = f" ({','.join(str(n + 1) for n in at)} {','.join(str(known[n]) for n in at)})"
            some = f" {uids.decode()}{match}" if known and self.rng.random() < 0.7 else ""
            await self.command(f"SELECT {self.mailbox} (QRESYNC ({self.validity} {self.highest}{some}))")
            self.expect("after QRESYNC", {uid: flags for uid, flags in self.cache.items() if uid in known})
        else:
            self.cache.clear()
            await self.command(f"SELECT {self.mailbox}")
        self.numbers = [0] * len(self.numbers)
        await self.learn()

    async def die(self) -> None:
        self.whole = 0 not in self.numbers
        await self.talk.end()

    async def learn(self) -> None:
        """Asks for what it does not know, as a client does that keeps a whole copy."""
        while 0 in self.numbers and not self.idle:
            self._gone.clear()
            await self.command("UID FETCH 1:* (UID FLAGS" + (" MODSEQ)" if self.condstore else ")"))

    async def command(self, text: str, *, fails: bool = False) -> bytes:
        self.tags += 1
        tag = b"t%d" % self.tags
        self.heard(may_expunge=self.idle or self.kind != "notify")
        await self.talk.send(tag + b" " + text.encode() + b"\r\n", self.rng.choice((1, 7, 1000)))
        name = text.split(maxsplit=1)[0]
        last = self.heard(may_expunge=name not in ("FETCH", "STORE", "SEARCH"))
        if name == "IDLE":
            assert last == b"+ idling"
            return last
        assert last.startswith(tag + b" "), (text, last)
        assert fails or last.startswith(tag + b" OK"), (text, last)
        code = re.search(rb"\[HIGHESTMODSEQ (\d+)\]", last)
        if code:
            self._code = int(code[1])
        self.highest = self._code or max(self.highest, self._told)  # RFC 7162 6
        self._told = self._code = 0
        return last

    def heard(self, *, may_expunge: bool) -> bytes:
        """Does what a client must with each untagged answer; returns the last line of another kind."""
        other = b""
        for line in self.talk.take().split(b"\r\n"):
            if line.startswith(b"* VANISHED "):
                self.vanished(line, may_expunge)
            elif code := re.match(rb"\* OK \[(HIGHESTMODSEQ|UIDVALIDITY) (\d+)\]", line):
                if code[1] == b"UIDVALIDITY":
                    self.validity = int(code[2])
                else:
                    self._code = int(code[2])
            elif found := _LINE.match(line):
                self.untagged(int(found[1]), found[2], found[3] or b"", may_expunge)
            elif line and (not line.startswith(b"* ") or line.startswith(b"* BYE")):
                other = line
        return other

    def vanished(self, line: bytes, may_expunge: bool) -> None:
        assert self.vanishes
        uids = {uid for low, high in sets.parse(line.split()[-1]).resolve(0) for uid in range(low, high + 1)}
        for uid in uids:
            self.cache.pop(uid, None)
        if b"(EARLIER)" in line:
            return
        assert may_expunge, line
        unknown = uids - set(self.numbers)
        assert len(unknown) <= self.numbers.count(0), "VANISHED of what was never there (RFC 7162 3.2.10)"
        kept = [uid for uid in self.numbers if uid not in uids]
        for _ in unknown:
            kept.remove(0)
        if unknown:  # which of them is which is not known any more
            kept = [0] * len(kept)
        self.numbers = kept

    def untagged(self, number: int, what: bytes, items: bytes, may_expunge: bool) -> None:
        if what == b"EXISTS":
            assert number >= len(self.numbers), "EXISTS takes nothing away"
            self.numbers += [0] * (number - len(self.numbers))
            return
        assert 1 <= number <= len(self.numbers), (number, what, items)
        if what == b"EXPUNGE":
            assert may_expunge
            assert not self.vanishes
            self.cache.pop(self.numbers.pop(number - 1), None)
            return
        uid = re.search(rb"UID (\d+)", items)
        assert uid is not None or not self.condstore, "UID is told to who counts in MODSEQs (RFC 7162 3.2.4)"
        if uid is not None:
            assert self.numbers[number - 1] in (0, int(uid[1])), "a number changed its meaning"
            self.numbers[number - 1] = int(uid[1])
        known = self.numbers[number - 1]
        if (flags := re.search(rb"FLAGS \(([^)]*)\)", items)) and known:
            self.cache[known] = frozenset(flags[1].decode().split()) - {"\\Recent"}
        if modseq := re.search(rb"MODSEQ \((\d+)\)", items):
            assert self.condstore
            self._told = max(self._told, int(modseq[1]))
            self.compare(known, flags, int(modseq[1]))

    def compare(self, uid: int, flags: re.Match[bytes] | None, modseq: int) -> None:
        """An answer is what was true at its MODSEQ; a later change is in no earlier answer."""
        now = self.workers.truth(self.mailbox, self.who).get(uid)
        if now is None:
            return
        assert modseq <= now[1], (self.kind, uid, modseq, now)
        if flags and modseq == now[1]:
            assert frozenset(flags[1].decode().split()) - {"\\Recent"} == now[0], (self.kind, uid, now)

    def expect(self, when: str, cache: dict[int, Flags | None]) -> None:
        truth = self.workers.truth(self.mailbox, self.who)
        new = max(cache, default=0)
        assert cache == {uid: truth[uid][0] for uid in truth if uid in cache}, (when, self.kind)
        missing = [uid for uid in truth if uid <= new and uid not in cache]
        assert not (self.whole and missing), (when, self.kind)

    async def agree(self) -> None:
        """Told everything, the client has the mailbox."""
        if self.idle:
            await self.done()
        await self.command("NOOP")
        await self.learn()
        truth = self.workers.truth(self.mailbox, self.who)
        assert self.numbers == sorted(truth), (self.kind, self.numbers, sorted(truth))
        assert {uid: self.cache[uid] for uid in truth} == {uid: one[0] for uid, one in truth.items()}, (
            self.kind
        )
        if self.condstore and truth:
            self.talk.take()
            await self.talk.send(b"m UID FETCH 1:* (MODSEQ)\r\n")
            told = dict(re.findall(rb"UID (\d+) MODSEQ \((\d+)\)", self.talk.take()))
            assert {int(uid): int(at) for uid, at in told.items()} == {u: one[1] for u, one in truth.items()}

    async def done(self) -> None:
        self.heard(may_expunge=True)
        self.idle = False
        await self.talk.send(b"DONE\r\n")
        assert b" OK" in self.heard(may_expunge=True)
        await self.learn()

    def pick(self) -> str:
        low, high = sorted(self.rng.choices(range(1, len(self.numbers) + 1), k=2))
        return self.rng.choice((f"{low}:{high}", f"{low},{high}", str(low), f"{high}:*"))

    async def act(self) -> None:
        """One random thing that a client does."""
        rng = self.rng
        if self.idle:
            await self.done()
            return
        flag, mode = rng.choice(FLAGS), rng.choice(("+", "-", ""))
        low = rng.randint(1, 40)
        uids = rng.choice((str(low), f"{low}:{low + 9}", "1:*"))
        silent = rng.choice(("", ".SILENT"))
        since = f"(UNCHANGEDSINCE {self.highest}) " if self.condstore and rng.random() < 0.4 else ""
        texts = [
            "NOOP", "EXPUNGE", f"UID EXPUNGE {uids}", f"UID STORE {uids} {since}{mode}FLAGS{silent} ({flag})",
            f'UID STORE {uids} {since}ANNOTATION (/comment (value.{rng.choice(("priv", "shared"))} "x"))',
            f"UID FETCH {uids} FLAGS", f"UID COPY {low} INBOX", f"UID MOVE {uids} Trash", "IDLE", "IDLE",
        ]  # fmt: skip
        if self.numbers:
            texts += [
                f"STORE {self.pick()} {since}{mode}FLAGS{silent} ({flag})",
                f"STORE {self.pick()} +FLAGS (\\Deleted)",
                f"FETCH {self.pick()} (UID FLAGS BODY[TEXT])"
                if self.condstore
                else f"FETCH {self.pick()} FLAGS",
                f"MOVE {self.pick()} Trash",
            ]
        text = rng.choice(texts)
        self.idle = text == "IDLE"
        await self.command(text, fails=True)
        if silent and "STORE" in text:
            await self.refresh()
        await self.learn()

    async def refresh(self) -> None:
        """.SILENT: what it set itself it knows without being told; we let it ask."""
        await self.command("UID FETCH 1:* (UID FLAGS" + (" MODSEQ)" if self.condstore else ")"))


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
        talk = Talk(rng.choice(workers.pop3))
        await talk.begin()
        await talk.send(b"USER alice@example.org\r\nPASS demo\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n")
        await talk.end()
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
        kinds = ["plain", "condstore", "qresync", "qresync", "notify"]
        people = (
            ["alice@example.org"] * 5 if mailbox == "INBOX" else ["alice@example.org", "bob@example.org"] * 3
        )
        clients = [Client(workers, rng, kind, mailbox, who) for kind, who in zip(kinds, people, strict=False)]
        for client in clients:
            await client.begin()
        for _ in range(STEPS):
            chance, client = rng.random(), rng.choice(clients)
            if chance < 0.3:
                await elsewhere(workers, rng, mailbox)
            elif chance < 0.4:
                await client.die()
                for _ in range(rng.randint(0, 3)):
                    await elsewhere(workers, rng, mailbox)
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
        assert len({tuple(client.numbers) for client in clients}) == 1
        for client in clients:
            await client.die()
        if mailbox == GROUP:
            await readers_agree(workers, rng)
