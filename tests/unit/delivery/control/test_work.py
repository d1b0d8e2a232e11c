"""Group control messages from the moment they are filed to what they change."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from quintet.config.news import ControlRule, News
from quintet.delivery.control import acts, letters
from quintet.delivery.control.letters import Letters
from quintet.delivery.control.work import Controls
from quintet.store import cancels, controltasks, groups, history, trace
from quintet.store.content import content_of
from quintet.store.db import Tx
from tests.support import pgp
from tests.support.newshouse import HOST, NewsHouse, news_house

RULES = (
    ControlRule("all", "*", "*", "mail"),
    ControlRule("all", "boss@example.org", "local.*", "doit"),
    ControlRule("all", "signer@example.org", "local.*", "verify-local.admin=mail"),
    ControlRule("newgroup", "*", "drop.*", "drop"),
)
BOSS = News(control=RULES, newsmaster="alice@example.org", well_known=False)


def message(
    control: str, body: str = "", *more: str, sender: str = "boss@example.org", number: int = 1
) -> bytes:
    head = [
        f"From: <{sender}>", "Newsgroups: local.a", f"Subject: cmsg {control}", f"Control: {control}",
        f"Message-ID: <c{number}@x>", "Date: Fri, 21 Nov 2025 08:00:00 +0000", "Approved: boss@example.org",
        *more,
    ]  # fmt: skip
    return "\r\n".join([*head, "", body, ""]).encode()


class Desk:
    def __init__(self, house: NewsHouse, config: News) -> None:
        self.house, self.config = house, config
        self.controls = self.make()

    def make(self) -> Controls:
        sender = Letters(self.house.inbound, self.config.newsmaster, HOST)
        return Controls(self.house.store, self.config, clock=self.house.clock, letters=sender)

    async def take(self, data: bytes) -> dict[str, object]:
        """Files a message, works on it, and gives what the trace says of it."""
        content = content_of(data)
        await self.house.store.write(
            acts.file, [], content, path=b"p", host=HOST, received_at=1, rules=self.config,
        )  # fmt: skip
        while await self.controls.once():
            pass
        events = self.house.store.peek(trace.follow, content.message_id)
        assert self.house.store.peek(controltasks.waiting) == 0
        return next((dict(one.detail) for one in events if one.event == "control"), {})

    def group(self, name: str) -> tuple[str, str] | None:
        found = self.house.store.peek(groups.find, name)
        return None if found is None else (found.status, found.description)


@asynccontextmanager
async def desk(folder: Path, config: News = BOSS) -> AsyncIterator[Desk]:
    async with news_house(folder) as house:
        for name in ("local.a", "local.b", "other.c"):
            await house.given(f"group {name}")
        yield Desk(house, config)


async def test_tidying_keeps_no_more_withdrawals_than_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancels, "MAX_EARLY", 3)

    def count(tx: Tx) -> int:
        return int(tx.value("SELECT count(*) FROM early_cancel"))

    def keep(tx: Tx, most: int) -> None:
        for number in range(most):
            cancels.keep_early(tx, f"<{number}@far>", "<c@x>", "a@b", "")

    async with desk(tmp_path) as one:
        await one.house.store.write(keep, 5005)  # more than one transaction takes
        await one.controls._tidy()
        assert one.house.store.peek(count) == 3


async def test_newgroup_makes_a_group(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        body = "For your newsgroups file:\r\nlocal.new\tNew things (Moderated)"
        detail = await one.take(message("newgroup local.new moderated", body))
        assert one.group("local.new") == ("m", "New things")
        assert detail["changes"] == ["new local.new (moderated): New things"]
        assert detail["why"] == ""
        assert one.house.folder("control").messages == 1


async def test_newgroup_without_approved_is_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        data = message("newgroup local.new").replace(b"Approved: boss@example.org\r\n", b"")
        assert (await one.take(data))["why"] == "no Approved (RFC 5537 5.2.1)"
        assert one.group("local.new") is None


async def test_rmgroup_takes_a_group_with_its_articles(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.house.add(["local.a", "local.b"], 1)
        await one.house.add(["local.a"], 2)
        await one.take(message("rmgroup local.a"))
        assert one.group("local.a") is None
        assert one.house.folder("local.b").messages == 1
        assert one.house.store.peek(history.find, "<1@local.a>") is not None
        assert one.house.store.peek(history.find, "<2@local.a>") is None
        assert one.house.store.peek(history.known, "<2@local.a>")


async def test_who_is_not_heard_makes_the_newsmaster_be_asked(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        detail = await one.take(message("newgroup local.new", sender="x@example.net"))
        assert (one.group("local.new"), detail["why"]) == (None, "the rule says mail")
        letter = await one.house.last("alice")
        assert b"Subject: newgroup by x@example.net\r\n" in letter
        assert b"new local.new" in letter
        assert b"quintet control do '<c1@x>'" in letter
        await one.take(message("newgroup drop.it", number=2, sender="x@example.net"))
        await one.take(message("newgroup local.a", number=3, sender="x@example.net"))  # it is there already
        assert (await one.house.inbox("alice")).messages == 1


async def test_nobody_fills_the_newsmasters_mailbox(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        for _ in range(letters.MAX_AN_HOUR + 5):
            await one.controls.letters.send("x", "y")
        assert (await one.house.inbox("alice")).messages == letters.MAX_AN_HOUR
        one.house.clock.advance(3601)
        await one.controls.letters.send("x", "y")
        assert (await one.house.inbox("alice")).messages == letters.MAX_AN_HOUR + 1


async def test_a_message_id_is_quoted_for_the_shell(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        data = message("newgroup local.new", sender="x@example.net").replace(b"<c1@x>", b"<a'$b'@x>")
        await one.take(data)
        assert b"""quintet control do '<a'"'"'$b'"'"'@x>'""" in await one.house.last("alice")


async def test_sendsys_is_never_answered(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        for number, verb in enumerate(("sendsys", "version", "whogets local.a", "senduuname"), 1):
            assert (await one.take(message(verb, number=number)))["why"] == "not answered"
        assert (await one.house.inbox("alice")).messages == 0


async def test_checkgroups_changes_what_the_sender_speaks_for(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        body = "local.a\tAbout a\r\nlocal.new\tNew (Moderated)\r\nother.d\tNot his"
        await one.take(message("checkgroups local other #5", body))
        assert one.group("local.a") == ("y", "About a")
        assert one.group("local.new") == ("m", "New")
        assert one.group("local.b") is None
        assert (one.group("other.c"), one.group("other.d")) == (("y", ""), None)
        detail = await one.take(message("checkgroups local other #5", "local.a\tOld", number=2))
        assert detail["why"] == "serial number 5 is not newer than the last one"
        await one.take(
            message("checkgroups local other #6", "local.a\tNewer\r\nlocal.new\tNew (Moderated)", number=3)
        )
        assert one.group("local.a") == ("y", "Newer")


async def test_checkgroups_with_too_many_changes_asks(tmp_path: Path) -> None:
    async with desk(tmp_path, replace(BOSS, max_checkgroups=2)) as one:
        body = "\r\n".join(f"local.g{n}\tx" for n in range(3))
        detail = await one.take(message("checkgroups local", body))
        assert detail["why"] == "too many changes: 5"
        assert one.group("local.g1") is None
        assert b"remove local.b" in await one.house.last("alice")


async def test_a_worker_that_died_is_followed_and_nothing_is_done_twice(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        content = content_of(message("newgroup local.new"))
        await one.house.store.write(
            acts.file, [], content, path=b"p", host=HOST, received_at=1, rules=BOSS,
        )  # fmt: skip
        (task,) = await one.house.store.write(controltasks.lease, "dead", one.house.clock.now() + 1000)
        assert await one.controls.once() == 0
        one.house.clock.advance(2)
        assert await one.controls.once() == 1
        assert one.group("local.new") == ("y", "")
        asked = await one.make().read(task)  # the first one wakes up again
        assert asked is not None
        await one.house.store.write(groups.remove, one.house.folder("local.new").id)
        slow = one.make()
        await slow.carry_out(asked, await slow.judge(asked))
        assert one.group("local.new") is None


async def test_many_workers_do_each_message_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        for number in range(25):
            content = content_of(message(f"newgroup local.n{number}", number=number))
            await one.house.store.write(
                acts.file, [], content, path=b"p", host=HOST, received_at=1, rules=BOSS
            )
        workers = [one.make() for _ in range(4)]
        while any(await asyncio.gather(*(worker.once() for worker in workers))):
            pass
        assert one.house.store.peek(controltasks.waiting) == 0
        done = one.house.store.peek(trace.of_event, "control")
        assert sorted(event.message_id for event in done) == sorted(f"<c{number}@x>" for number in range(25))
        assert all(one.group(f"local.n{number}") == ("y", "") for number in range(25))


async def test_newsmaster_may_do_it_by_hand(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.take(message("newgroup local.new", sender="x@example.net"))
        row = one.house.store.peek(history.find, "<c1@x>")
        assert row is not None
        asked = await one.controls.read(controltasks.Task(0, row, "<c1@x>", "newgroup", 0))
        assert asked is not None
        await one.controls.carry_out(asked, await one.controls.judge(asked), by_hand="root")
        assert one.group("local.new") == ("y", "")


# --- with signatures ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pgp.Ring]:
    if why := pgp.missing():
        pytest.skip(why)
    made = pgp.Ring(tmp_path_factory.mktemp("gpg") / "home", "local.admin")
    yield made
    made.close()


async def test_only_a_good_signature_of_the_right_key_counts(tmp_path: Path, ring: pgp.Ring) -> None:
    async with desk(tmp_path, replace(BOSS, keyring=str(ring.keyring))) as one:
        data = message("newgroup local.new", sender="signer@example.org")
        assert (await one.take(data))["why"] == "no signature that can be read"
        bad = ring.sign(message("newgroup local.bad", sender="signer@example.org", number=2))
        bad = bad.replace(b"local.bad", b"local.worse")
        assert (await one.take(bad))["why"] == "the signature is wrong"
        good = ring.sign(message("newgroup local.new", sender="signer@example.org", number=3))
        assert (await one.take(good))["action"] == "verify-local.admin=mail"
        assert (one.group("local.new"), one.group("local.worse")) == (("y", ""), None)
        assert b"newgroup by signer@example.org: done" in await one.house.last("alice")


async def test_a_good_signature_of_another_key_does_not(tmp_path: Path, ring: pgp.Ring) -> None:
    rules = (*RULES, ControlRule("all", "signer@example.org", "local.*", "verify-somebody.else"))
    async with desk(tmp_path, replace(BOSS, control=rules, keyring=str(ring.keyring))) as one:
        data = ring.sign(message("newgroup local.new", sender="signer@example.org"))
        assert (await one.take(data))["why"] == "signed by local.admin, not by somebody.else"
        assert one.group("local.new") is None
