"""A house for news tests: a store with accounts and groups, posting, the NNTP service; time stands still.

Dialogues of NNTP run in it: it is their `World` (``given``, ``do``, ``store``).
"""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quintet.auth import admin
from quintet.auth.service import AuthService
from quintet.clock import FrozenClock
from quintet.config.auth import Auth
from quintet.config.news import News
from quintet.config.nntp import Nntp
from quintet.config.peers import Peer as PeerConfig
from quintet.config.readers import Access
from quintet.config.smtp import Smtp
from quintet.config.store import Store as StoreConfig
from quintet.delivery.arrivals import Arrivals
from quintet.delivery.inbound import Inbound
from quintet.delivery.offers import Offers
from quintet.delivery.peers import Peers
from quintet.delivery.post import PostOffice
from quintet.delivery.screening import Screen
from quintet.message.headers import format_date
from quintet.net.seam import Peer
from quintet.nntp.service import NntpService
from quintet.policy.hooks import Hooks
from quintet.store import access, accounts, check, entries, folders, groups, history
from quintet.store.content import content_of
from quintet.store.db import Tx
from quintet.store.model import Folder
from quintet.store.store import Store
from tests.support.prepared import prepare

CHEAP = Auth(argon2_memory=64, argon2_time=1, scram_iterations=4096)
CONFIG = Nntp(post="anyone")
PEOPLE = ("alice", "bob")
HOST = "news.example.org"
ROOT = Path(__file__).resolve().parents[2]


class NewsHouse:
    """Everything that reads and takes news, over one store.  Without ``given group`` there is none."""

    def __init__(self, store: Store, auth: AuthService, clock: FrozenClock, config: Nntp = CONFIG) -> None:
        self.store, self.auth, self.clock = store, auth, clock
        self.starttls = True
        self.values: dict[str, str] = {}
        self.slept = 0.0  # seconds that readers were made to wait
        self.news = News()
        self.hooks: Hooks | None = None
        self.patches = pytest.MonkeyPatch()  # of limits; undone when the house closes
        self.configure(config)

    def configure(self, config: Nntp, news: News | None = None) -> None:
        self.config, self.news = config, news or self.news
        self.inbound = inbound = Inbound(self.store, Smtp(), hostname=HOST, clock=self.clock)
        self.office = PostOffice(
            self.store, config, self.news, hostname=HOST, clock=self.clock, inbound=inbound
        )
        brought = config.peer or any(rule.ihave for rule in config.access)
        self.arrivals = self._arrivals(config) if brought else None
        self.screen = Screen(self.store, self.news, self.clock, lambda: self.hooks)
        self.office.screen = self.screen
        if self.arrivals is not None:
            self.arrivals.screen = self.screen
        self.service = NntpService(
            self.store,
            self.auth,
            config,
            hostname=HOST,
            clock=self.clock,
            office=self.office,
            starttls=self.starttls,
            arrivals=self.arrivals,
        )
        self.service.pacing.sleep = self.sleep

    def _arrivals(self, config: Nntp) -> Arrivals:
        return Arrivals(
            self.store,
            config,
            self.news,
            hostname=HOST,
            clock=self.clock,
            peers=Peers(config.peer),
            offers=Offers(self.clock, config.offer_hold_s),
        )

    async def sleep(self, seconds: float) -> None:
        """Time passes at once, and is noted."""
        self.slept += seconds
        self.clock.advance(seconds)

    # --- what the words of a dialogue mean ---------------------------------------------------

    async def given(self, text: str) -> None:
        """``group local.test with 3``, ``group x status m moderator alice@example.org``, ``option read x``...

        ``cancel local.test 2`` takes an article away, ``rights local.test alice lrsp`` sets who may what,
        ``passed 10 s`` lets time pass, ``letter for alice`` and ``copy of 1 from x`` put other things in.
        """
        words = text.split()
        match words:
            case ["group", name, "with", count]:
                await self.store.write(groups.create, name)
                for number in range(1, int(count) + 1):
                    await self.add([name], number)
            case ["group", name, *rest]:
                options = dict(zip(rest[::2], rest[1::2], strict=True))
                if "description" in options:
                    options["description"] = options["description"].replace("_", " ")
                await self.store.write(groups.create, name, **options)
            case ["articles", names, low, high]:
                for number in range(int(low), int(high) + 1):
                    await self.add(names.split(","), number)
            case ["cancel", name, *numbers]:
                await self.store.write(entries.expunge, self.folder(name).id, [int(one) for one in numbers])
            case ["remove", name]:
                await self.store.write(groups.remove, self.folder(name).id)
            case ["rights", name, who, letters]:
                await self.store.write(access.grant, self.folder(name).id, who, letters)
            case ["option", name, *rest]:
                self.configure(
                    replace(self.config, **{name: _value(getattr(self.config, name), " ".join(rest))})
                )
            case ["references", name, count]:
                refs = " ".join(f"<r{number}@a-rather-long-name.example.org>" for number in range(int(count)))
                number = self.folder(name).high + 1
                data = article_bytes(number, [name]).replace(f"Article {number}".encode(), b"Long")
                data = data.partition(b"\r\n\r\n")[0] + f"\r\nReferences: {refs}\r\n\r\nx\r\n".encode()
                await self.file([name], data)
            case ["next", name, number]:
                await self.store.write(_next_number, self.folder(name).id, int(number))
            case ["access", *options]:
                self.configure(replace(self.config, access=(*self.config.access, _rule(options))))
            case ["people", name, *accounts]:
                self.configure(replace(self.config, people={**self.config.people, name: tuple(accounts)}))
            case ["news", name, *rest]:
                value = _value(getattr(self.news, name), " ".join(rest))
                self.configure(self.config, replace(self.news, **{name: value}))
            case ["peer", name, *rest]:
                given = {word.partition("=")[0]: word.partition("=")[2] for word in rest}
                peer = PeerConfig(name=name)
                for option, value in given.items():
                    kept = getattr(peer, option)
                    parts = tuple(value.split(";")) if isinstance(kept, tuple) else _value(kept, value)
                    peer = replace(peer, **{option: parts})
                self.configure(replace(self.config, peer=(*self.config.peer, peer)))
            case ["hooks", path]:
                self.hooks = Hooks(ROOT / path, timeout_s=1.0)
            case ["known", message_id]:
                await self.store.write(history.remember, message_id)
            case ["held", octets]:  # how long an article is that is not waited for in memory
                self.patches.setattr("quintet.nntp.stream.MAX_HELD", int(octets))
                self.patches.setattr("quintet.delivery.arrivals.IN_ROW", int(octets))
            case ["full"]:
                self.store.blobs.reserve = 1 << 60
                self.store.blobs._looked_at = -10.0
            case ["starttls", "off"]:
                self.starttls = False
                self.configure(self.config)
            case ["date", days]:
                at = self.clock.now() + int(float(days) * 86_400_000)
                self.values["date"] = format_date(at)
            case ["passed", seconds, "s"]:
                self.clock.advance(float(seconds))
            case _:
                raise AssertionError(f"given {text!r}")

    async def do(self, text: str) -> None:
        await self.given(text)

    async def check(self, text: str) -> None:
        """``local.test has 2``, ``local.test 1 holds TEXT``, ``alice has 1``, ``alice's last TEXT``."""
        who, _, rest = text.partition(" ")
        if who == "waited":  # ``waited 3.0 s``, in all
            assert f"{self.slept:.1f} s" == rest, self.slept
            return
        if who.endswith("'s"):
            data = await self.last(who[:-2])
            negative = rest.startswith("last not ")
            wanted = rest.removeprefix("last ").removeprefix("not ")
            raw = wanted.encode().decode("unicode_escape").encode("latin-1")
            assert (raw in data) is not negative, data
        elif who == "history":  # history knows <id>, history knows not <id>
            words = rest.split()
            assert self.store.peek(history.known, words[-1]) is ("not" not in words), rest
        elif rest.startswith("has ") and who in PEOPLE:
            inbox = await self.inbox(who)
            assert inbox.messages == int(rest[4:])
        elif rest.startswith("has "):
            for _ in range(400):  # two seconds: what was acknowledged when it came is filed behind the answer
                if self.folder(who).messages == int(rest[4:]):
                    break
                await asyncio.sleep(0.005)
            assert self.folder(who).messages == int(rest[4:])
        else:
            number, _, wanted = rest.partition(" holds ")
            data = self.article(who, int(number))
            negative = wanted.startswith("not ")
            raw = wanted.removeprefix("not ").encode().decode("unicode_escape").encode("latin-1")
            assert (raw in data) is not negative, data

    def compute(self, name: str, known: dict[str, str]) -> str:
        """``${plain}``: the SASL PLAIN response of alice."""
        assert name == "plain"
        return base64.b64encode(b"\0alice@example.org\0alice's secret").decode()

    # --- looking and filling ------------------------------------------------------------------

    def folder(self, name: str) -> Folder:
        found = self.store.peek(groups.find, name)
        if found is None:  # of the account's folders that are no groups
            news = self.store.peek(accounts.find, "news")
            assert news is not None
            found = self.store.peek(folders.find, news.id, name)
        assert found is not None
        return found

    def article(self, name: str, number: int) -> bytes:
        ref = self.store.peek(entries.bodies, self.folder(name).id, [number])[number]
        return self.store.read_body(ref)

    async def inbox(self, who: str) -> Folder:
        account = self.store.peek(accounts.find, f"{who}@example.org")
        assert account is not None
        found = self.store.peek(folders.find, account.id, "INBOX")
        assert found is not None
        return found

    async def last(self, who: str) -> bytes:
        inbox = await self.inbox(who)
        ref = self.store.peek(entries.bodies, inbox.id, [inbox.high])[inbox.high]
        return self.store.read_body(ref)

    async def add(self, names: list[str], number: int) -> None:
        """One article, like those of `article_bytes`, into groups, without the checks of posting."""
        await self.file(names, article_bytes(number, names))

    async def file(self, names: list[str], data: bytes) -> None:
        """An article as it is."""
        await self.store.write(
            groups.file,
            [self.folder(name).id for name in names],
            content_of(data),
            path=f"{HOST}!not-for-mail".encode(),
            host=HOST,
            received_at=self.clock.now(),
        )

    async def post(self, data: bytes, *, chunk: int = 1 << 20, identity=None, **more):
        """Posts bytes as they are."""

        async def chunks():
            for at in range(0, len(data), chunk):
                yield data[at : at + chunk]

        return await self.office.post(identity, Peer("c1", "192.0.2.7"), chunks(), **more)


def article_bytes(number: int, names: list[str]) -> bytes:
    """Article ``number``: its subject, id and body tell which it is."""
    return (
        f"From: Alice <alice@example.org>\r\nNewsgroups: {','.join(names)}\r\nSubject: Article {number}\r\n"
        f"Date: Fri, 21 Nov 2025 08:00:00 +0000\r\nMessage-ID: <{number}@{names[0]}>\r\n"
        f"X-Number: {number}\r\n\r\nThis is article {number}.\r\n.It has a line with a dot.\r\n"
    ).encode()


def _value(old: Any, text: str) -> object:
    if isinstance(old, bool):
        return text == "true"
    if isinstance(old, tuple):
        return tuple(text.split())
    return type(old)(text.replace("\\n", "\n")) if isinstance(old, str) else type(old)(text)


def _next_number(tx: Tx, folder_id: int, number: int) -> None:
    """A group near the end of its numbers."""
    tx.run("UPDATE folder SET uid_next = ?, low = ? WHERE id = ?", number, number, folder_id)


def _rule(options: list[str]) -> Access:
    """``read=local.*,!local.a accounts=a,b tls=true posts=2/hour``: one block of [[nntp.access]]."""
    given = {}
    for option in options:
        name, _, text = option.partition("=")
        old = getattr(Access(), name)
        if isinstance(old, tuple):
            given[name] = tuple(text.split(","))
        else:
            given[name] = _value(old, text.replace("_", " ") if name == "reject" else text)
    rule = Access(**given)
    assert not list(rule.faults(frozenset(one[1:] for one in rule.accounts)))
    return rule


async def _settle(folder: Path) -> None:
    store = await Store.open(StoreConfig(data=str(folder), sync="off"), clock=FrozenClock())
    await store.write(accounts.add_domain, "example.org")
    for name in PEOPLE:
        account = await store.write(accounts.create, f"{name}@example.org")
        await admin.set_password(store, account.id, f"{name}'s secret", CHEAP)
    await store.close()


@asynccontextmanager
async def news_house(folder: Path, config: Nntp = CONFIG) -> AsyncIterator[NewsHouse]:
    """Opens the house; at the end the invariants of the store must hold."""
    await prepare(folder, "news house", _settle)
    clock = FrozenClock()
    store = await Store.open(StoreConfig(data=str(folder), sync="off"), clock=clock)
    auth = AuthService(store, CHEAP, clock=clock)
    house = NewsHouse(store, auth, clock, config)
    try:
        yield house
        if house.arrivals is not None:
            await house.arrivals.behind.close()
        assert await store.read(check.all) == []
    finally:
        house.patches.undo()
        await auth.close()
        await store.close()
