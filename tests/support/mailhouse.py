"""A house for mail tests: a store with accounts, auth, the inbound steps, SMTP services; time stands still.

Dialogues of SMTP and LMTP run in it: it is their `World` (``given``, ``do``, ``store``).
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from quintet.auth.identity import Identity
from quintet.auth.service import AuthService
from quintet.clock import FrozenClock
from quintet.config.auth import Auth
from quintet.config.nntp import Nntp
from quintet.config.smtp import Smtp
from quintet.config.store import Store as StoreConfig
from quintet.delivery.envelope import DeliverBy, Envelope, mailbox
from quintet.delivery.inbound import Inbound, Passage
from quintet.delivery.post import PostOffice
from quintet.errors import Reason, Refused, TryLater
from quintet.net.seam import Body, Peer
from quintet.smtp.desk import Role
from quintet.smtp.service import SmtpService
from quintet.store import access, accounts, entries, folders, groups, queue, senders, teams, trace
from quintet.store.content import content_of
from quintet.store.model import AccountId, AccountKind
from quintet.store.store import Store
from tests.support.prepared import prepare, settle

CHEAP = Auth(argon2_memory=64, argon2_time=1, scram_iterations=4096)
SMTP = Smtp(postmaster="alice@example.org", tarpit_s=0.0)
PEOPLE = ("alice", "bob", "carol")


@dataclass(frozen=True)
class Bytes:
    """A body that is there."""

    data: bytes
    dotless: bool = False

    @property
    def size(self) -> int:
        return len(self.data)

    def small(self, start: int, length: int) -> bytes | None:
        return self.data[start : start + length]

    async def chunks(self, start: int, length: int) -> AsyncIterator[bytes]:
        for at in range(start, start + length, 16):
            yield self.data[at : min(at + 16, start + length)]


class MailHouse:
    """Everything that takes mail, over one store."""

    def __init__(self, store: Store, auth: AuthService, clock: FrozenClock, config: Smtp = SMTP) -> None:
        self.store, self.auth, self.clock = store, auth, clock
        self.role = Role.MX
        self.starttls = True
        self.slept: list[float] = []
        self.meanwhile: Callable[[], None] = lambda: None  # happens while somebody sleeps
        self.values: dict[str, str] = {}
        self.urls: dict[str, bytes] = {}  # what BURL finds
        self.envelope = Envelope(Peer("none", "memory"))  # of the last message that was taken
        self.configure(config)

    def configure(self, config: Smtp) -> None:
        self.config = config
        self.inbound = Inbound(self.store, config, hostname="mx.example.org", clock=self.clock)
        self.office = PostOffice(
            self.store, Nntp(), hostname="mx.example.org", clock=self.clock, inbound=self.inbound
        )
        self.inbound.steps = (*self.inbound.steps, self._remember)

    async def _remember(self, passage: Passage) -> None:
        self.envelope = passage.envelope

    @property
    def service(self) -> SmtpService:
        return SmtpService(
            self.store,
            self.auth,
            self.config,
            role=self.role,
            inbound=self.inbound,
            hostname="mx.example.org",
            clock=self.clock,
            starttls=self.starttls,
            sleep=self._sleep,
            resolve_burl=self._resolve if self.urls else None,
        )

    async def _resolve(self, url: str, identity: Identity) -> Body:
        data = self.urls.get(url)
        if data is None:
            raise Refused(Reason.NO_SUCH_MESSAGE)
        if data == b"denied":
            raise Refused(Reason.NO_PERMISSION)
        if data == b"untrusted":
            raise Refused(Reason.NO_SUCH_DOMAIN)
        if data == b"later":
            raise TryLater(Reason.BUSY)
        return Bytes(data)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.meanwhile()
        await asyncio.sleep(0)

    # --- what the words of a dialogue mean ---------------------------------------------------

    async def given(self, text: str) -> None:
        """``role lmtp``, ``option max_errors 3``, ``alias sales to alice``, ``forward x to y@z``, ..."""
        words = text.split()
        match words:
            case ["role", name]:
                self.role = Role(name)
            case ["option", name, *rest]:
                self.configure(replace(self.config, **{name: _value(getattr(self.config, name), rest)}))
            case ["alias", address, "to", name]:
                await self.store.write(accounts.add_address, await self.account_id(name), address)
            case ["forward", address, "to", target]:
                await self.store.write(accounts.add_address, None, address, "forward", target)
            case ["forwards", name, *targets]:  # of an account; "only" in front: it keeps no copy
                number, only = await self.account_id(name), targets[0] == "only"
                await self.store.write(accounts.set_forward, number, targets[only:], keep=not only)
            case ["folder", name, "of", who]:
                await self.store.write(folders.create, await self.account_id(who), name)
            case ["may", name, "send", "as", address]:
                await self.store.write(senders.grant, await self.account_id(name), address)
            case ["shared", name]:
                await self.store.write(accounts.create, f"{name}@example.org", AccountKind.SHARED)
            case ["team", name, "with", *people]:
                await self.store.write(teams.create, name)
                for person in people:
                    await self.store.write(teams.join, name, await self.account_id(person))
            case ["INBOX", "of", who, "grants", identifier, letters]:
                await self.store.write(access.grant, (await self._inbox(who)).id, identifier, letters)
            case ["group", name, status, *moderator]:
                made = await self.store.write(groups.create, name, status, moderator="".join(moderator))
                self.values[name] = str(made.id)
            case ["domain", name]:
                await self.store.write(accounts.add_domain, name)
            case ["full", name]:
                number = await self.account_id(name)
                await self.store.write(accounts.change, number, quota_messages=1)
                await self.deliver(name)
            case ["quota", name, size]:
                await self.store.write(accounts.change, await self.account_id(name), quota_bytes=int(size))
            case ["disabled", name]:
                await self.store.write(accounts.change, await self.account_id(name), disabled=True)
            case ["url", url, "is", count, "octets"]:
                self.urls[url] = b"Subject: x\r\n\r\n" + b"0123456\r\n" * (int(count) // 9)
            case ["url", url, "is", *_]:
                raw = text.split(" is ", 1)[1]
                self.urls[url] = raw.encode().decode("unicode_escape").encode("latin-1")
            case ["starttls", "off"]:
                self.starttls = False
            case _:
                raise AssertionError(f"given {text!r}")
        self.inbound.directory.forget()

    async def do(self, text: str) -> None:
        await self.given(text)

    async def check(self, text: str) -> None:
        """``alice has 2``, ``alice's last TEXT``, ``queue has 1``, ``queue holds a@b``, ``slept 2.0``."""
        who, _, rest = text.partition(" ")
        if who == "queue":
            rows = self.store.peek(queue.listing)
            if rest.startswith("has "):
                assert len(rows) == int(rest[4:]), rows
            else:
                assert rest.removeprefix("holds ") in [row.address for row in rows], rows
        elif who == "group":
            name, _, rest = rest.partition(" ")
            found = self.store.peek(groups.find, name)
            assert found is not None
            assert found.messages == int(rest.removeprefix("has ")), found
        elif who == "slept":
            assert float(rest) in self.slept, self.slept
        elif who == "envelope":
            self._check_envelope(rest)
        elif who.endswith("'s"):
            last = await self.last(who[:-2])
            assert rest.removeprefix("last ").encode().decode("unicode_escape").encode("latin-1") in last, (
                last
            )
        elif rest.startswith("has "):
            assert await self.count(who) == int(rest[4:])
        else:
            raise AssertionError(f"store {text!r}")

    def _check_envelope(self, text: str) -> None:
        """``envid X``, ``notify success,delay``, ``by None``: of the last message taken, first recipient."""
        name, _, value = text.partition(" ")
        envelope, first = self.envelope, self.envelope.recipients[0]
        for holder in (envelope.wishes, first, envelope):
            if hasattr(holder, name):
                found = getattr(holder, name)
                break
        else:
            raise AssertionError(f"envelope {text!r}")
        if isinstance(found, tuple):
            found = ",".join(found)
        if isinstance(found, DeliverBy):
            found = f"{found.at - self.clock.now()} {found.mode} {found.trace}"
        elif name == "release_at" and found:
            found -= self.clock.now()
        assert str(found) == value, (text, found)

    # --- looking ------------------------------------------------------------------------------

    async def account_id(self, name: str) -> AccountId:
        found = self.store.peek(accounts.find, f"{name}@example.org")
        assert found is not None
        return found.id

    async def _inbox(self, name: str):
        folder = self.store.peek(folders.find, await self.account_id(name), "INBOX")
        assert folder is not None
        return folder

    async def count(self, name: str) -> int:
        return (await self._inbox(name)).messages

    async def messages(self, name: str) -> list[bytes]:
        """What is in the Inbox, whole, oldest first."""
        folder = await self._inbox(name)
        found = self.store.peek(entries.listing, folder.id)
        refs = [self.store.peek(entries.body_ref, folder.id, each.uid) for each in found]
        return [await asyncio.to_thread(self.store.read_body, ref) for ref in refs]

    async def last(self, name: str) -> bytes:
        return (await self.messages(name))[-1]

    async def queued(self) -> list[queue.Recipient]:
        return self.store.peek(queue.listing)

    async def queued_bytes(self, recipient: queue.Recipient) -> bytes:
        ref = self.store.peek(entries.message_body, recipient.message_row)
        return await asyncio.to_thread(self.store.read_body, ref)

    def traced(self) -> list[trace.Event]:
        return self.store.peek(trace.recent)[::-1]

    async def deliver(self, name: str, data: bytes = b"Subject: x\r\n\r\nx\r\n") -> None:
        """Something that lies there already."""
        from quintet.store.content import content_of

        folder = await self._inbox(name)
        await self.store.write(entries.add, [folder.id], content_of(data), received_at=self.clock.now())


def _value(old: object, words: list[str]) -> object:
    if isinstance(old, bool):
        return words == ["true"]
    if isinstance(old, list):
        return words
    return type(old)(*words[:1])


async def _settle(folder: Path) -> None:
    store = await Store.open(StoreConfig(data=str(folder), sync="off"), clock=FrozenClock())
    await settle(store, PEOPLE, CHEAP)
    await store.close()


House = TypeVar("House", bound=MailHouse)


@asynccontextmanager
async def mail_house(folder: Path, kind: type[House] = MailHouse) -> AsyncIterator[House]:  # type: ignore[assignment]
    """Opens one in ``folder``: alice, bob and carol at example.org with the password "demo"."""
    await prepare(folder, "mail house", _settle)
    clock = FrozenClock()
    store = await Store.open(StoreConfig(data=str(folder), sync="off", readers=1), clock=clock)
    auth = AuthService(store, CHEAP, clock=clock)
    try:
        yield kind(store, auth, clock)
    finally:
        await auth.close()
        await store.close()


LETTER = content_of(b"Message-ID: <1@example.net>\r\nSubject: x\r\n\r\nbody\r\n")


def inbound(house: MailHouse, **more: Any) -> Inbound:
    return Inbound(house.store, house.config, hostname="mx.example.org", clock=house.clock, **more)


def envelope(way: Inbound, *names: str) -> Envelope:
    """From a stranger, to people of example.org."""
    made = Envelope(peer=Peer("c1", "192.0.2.9"), sender=mailbox("zoe@example.net"), helo="a.test", id="abc")
    for name in names:
        made.recipients.append(way.recipient(made, mailbox(f"{name}@example.org")))
    return made
