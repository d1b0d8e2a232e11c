"""The queue of a moderated group: who works on it, what approving and rejecting do, and repeats do not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from quintet.auth.identity import Identity
from quintet.config.news import News
from quintet.delivery import moderation, modqueue
from quintet.delivery.control.letters import Letters
from quintet.delivery.moderation import Moderation
from quintet.errors import Reason, Refused, TryLater
from quintet.message.headers import format_date
from quintet.store import access, accounts, entries, folders, groups, jobs, trace
from quintet.store.model import NEWS, Folder
from tests.support.newshouse import HOST, NewsHouse, news_house

QUEUE = News(moderation="queue")


def article(
    *fields: str, sender: str = "Bob <bob@example.org>", number: int = 1, group: str = "local.mod"
) -> bytes:
    head = [
        f"From: {sender}",
        f"Newsgroups: {group}",
        "Subject: Please",
        f"Message-ID: <s{number}@x>",
        *fields,
    ]
    return "\r\n".join([*head, "", "text", ""]).encode()


class Desk:
    def __init__(self, house: NewsHouse) -> None:
        self.house = house
        self.desk = self.another()

    def another(self) -> Moderation:
        letters = Letters(self.house.inbound, "", HOST)
        house = self.house
        return Moderation(house.store, house.office, letters, hostname=HOST, clock=house.clock)

    def folder(self, name: str) -> Folder:
        news = self.house.store.peek(accounts.find, NEWS)
        assert news is not None
        found = self.house.store.peek(folders.find, news.id, name)
        assert found is not None, name
        return found

    def waiting(self) -> list[modqueue.Waiting]:
        return self.house.store.peek(modqueue.waiting)

    async def put(self, level: str, uid: int = 1) -> None:
        """As a mail program moves it."""
        source, target = self.folder("Moderation/local.mod"), self.folder(f"Moderation/local.mod/{level}")
        await self.house.store.write(entries.move, source.id, [uid], target.id)


@asynccontextmanager
async def desk(folder: Path, news: News = QUEUE) -> AsyncIterator[Desk]:
    async with news_house(folder) as house:
        house.configure(house.config, news)
        await house.given("group local.mod status m moderator alice@example.org")
        await house.given("group local.open")
        yield Desk(house)


async def test_submission_waits_where_its_moderator_sees_it(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        posted = await one.house.post(article(group="local.open,local.mod"))
        assert posted.mailed_to == "alice@example.org"
        assert (one.house.folder("local.mod").messages, one.house.folder("local.open").messages) == (0, 0)
        assert (await one.house.inbox("alice")).messages == 0
        (it,) = one.waiting()
        assert (it.group, it.message_id, it.subject, it.author) == ("local.mod", "<s1@x>", "Please", "Bob")
        alice = one.house.store.peek(accounts.find, "alice@example.org")
        bob = one.house.store.peek(accounts.find, "bob@example.org")
        assert alice is not None
        assert bob is not None
        for level, letters in (("", "lrswite"), ("/Approved", "lrsi"), ("/Rejected", "lrsi")):
            place = one.folder(f"Moderation/local.mod{level}")
            assert set(one.house.store.peek(access.of_folder, alice.id, place)) == set(letters)
            assert one.house.store.peek(access.of_folder, bob.id, place) == ""


async def test_moved_to_approved_it_is_posted_under_its_name(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.house.post(article(group="local.open,local.mod"))
        assert await one.desk.once() == 0
        await one.put("Approved")
        assert await one.desk.once() == 1
        data = one.house.article("local.mod", 1)
        assert b"\r\nApproved: alice@example.org\r\n" in data
        assert b"\r\nMessage-ID: <s1@x>\r\n" in data
        assert b"Xref: news.example.org local.open:1 local.mod:1\r\n" in data
        assert b"\r\nTo: " not in data
        assert one.waiting() == []
        assert one.folder("Moderation/local.mod/Approved").messages == 0
        events = [event.event for event in one.house.store.peek(trace.follow, "<s1@x>")]
        assert events == ["submitted", "posted", "approved"]


async def test_one_that_waited_long_tells_when_it_was_approved(tmp_path: Path) -> None:
    """RFC 5537 3.6: by its Date alone it would be too old for others, whose limit is ten days."""
    async with desk(tmp_path) as one:
        await one.house.post(article())
        date = format_date(one.house.clock.now()).encode()
        one.house.clock.advance(12 * 86_400)
        await one.put("Approved")
        assert await one.desk.once() == 1
        data = one.house.article("local.mod", 1)
        assert b"\r\nDate: %b\r\n" % date in data
        assert b"\r\nInjection-Date: %b\r\n" % format_date(one.house.clock.now()).encode() in data


@pytest.mark.parametrize(("word", "messages"), [("$Approved", 1), ("$rejected", 0)])
async def test_a_keyword_says_the_same(tmp_path: Path, word: str, messages: int) -> None:
    async with desk(tmp_path) as one:
        await one.house.post(article())
        place = one.folder("Moderation/local.mod")
        await one.house.store.write(entries.set_flags, place.id, [1], "+", 0, (word,))
        assert await one.desk.once() == 1
        assert one.house.folder("local.mod").messages == messages
        assert one.waiting() == []


async def test_rejected_it_goes_back_to_who_posted_it(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        bob = one.house.store.peek(accounts.find, "bob@example.org")
        assert bob is not None
        who = Identity(bob.id, bob.name, "PLAIN", "nntp")
        await one.house.post(article(sender="Forged <alice@example.org>"), identity=who)
        await one.put("Rejected")
        assert await one.desk.once() == 1
        letter = await one.house.last("bob")
        assert b"Subject: Rejected: Please\r\n" in letter
        assert b"In-Reply-To: <s1@x>\r\n" in letter
        assert b"Auto-Submitted: auto-replied\r\n" in letter
        assert one.house.folder("local.mod").messages == 0
        await one.house.post(article())  # it may be tried again
        (it,) = one.waiting()
        await one.desk.reject(it, "Not here, please.", "root")
        assert b"Not here, please." in await one.house.last("bob")


async def test_what_was_approved_by_letter_leaves_the_queue(tmp_path: Path) -> None:
    async with desk(tmp_path, News(moderation="both")) as one:
        await one.house.post(article())
        assert (await one.house.inbox("alice")).messages == 1
        alice = one.house.store.peek(accounts.find, "alice@example.org")
        assert alice is not None
        by_letter = article("Approved: alice@example.org")
        await one.house.post(by_letter, identity=Identity(alice.id, alice.name, "PLAIN", "nntp"))
        gone = one.house.store.peek(modqueue.posted)
        assert [it.message_id for it in gone] == ["<s1@x>"]
        await one.house.store.write(modqueue.sweep, gone)
        assert one.waiting() == []
        assert one.house.store.peek(modqueue.posted) == []


async def test_other_keywords_hide_no_decision(tmp_path: Path) -> None:
    """Mail programs set keywords of their own: more of these than one round takes hid what came behind."""
    async with desk(tmp_path) as one:
        for number in range(modqueue.ROUND + 2):
            await one.house.post(article(number=number))
        place = one.folder("Moderation/local.mod")
        await one.house.store.write(
            entries.set_flags, place.id, [*range(1, modqueue.ROUND + 2)], "+", 0, ("NonJunk",)
        )
        await one.house.store.write(
            entries.set_flags, place.id, [modqueue.ROUND + 2], "+", 0, ("A", "$Approved")
        )
        assert await one.desk.once() == 1
        assert one.house.folder("local.mod").messages == 1


async def test_one_that_is_put_off_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk(tmp_path) as one:
        await one.house.post(article())
        await one.house.post(article(number=2))
        await one.put("Approved", 1)
        await one.put("Approved", 2)
        approve = one.desk.approve

        async def stubborn(it: modqueue.Waiting) -> None:
            if it.message_id == "<s1@x>":
                raise TryLater(Reason.BUSY, "Local rules cannot be asked")
            await approve(it)

        monkeypatch.setattr(one.desk, "approve", stubborn)
        assert await one.desk.once() == 1
        assert b"Message-ID: <s2@x>" in one.house.article("local.mod", 1)
        assert one.folder("Moderation/local.mod/Approved").messages == 1
        monkeypatch.undo()
        assert await one.desk.once() == 1


async def test_a_submission_is_found_by_each_of_its_names(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.house.post(article())
        find = one.house.store.peek
        for name in ("<s1@x>", "s1@x", "local.mod:1"):
            found = find(modqueue.find, name, "Quarantine")
            assert found is not None, name
            assert (found.message_id, found.group, found.subject) == ("<s1@x>", "local.mod", "Please")
        for name in (
            "<s2@x>",
            "local.mod:2",
            "local.mod:0",
            "local.mod:",
            "Quarantine:1",
            "local.open:1",
            "",
        ):
            assert find(modqueue.find, name, "Quarantine") is None, name
        await one.put("Approved")
        assert find(modqueue.find, "<s1@x>", "Quarantine") is None  # decided already


async def test_the_same_submission_waits_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.house.post(article())
        with pytest.raises(Refused) as caught:
            await one.house.post(article())
        assert caught.value.reason is Reason.DUPLICATE


async def test_two_workers_and_a_crash_post_it_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.house.post(article())
        await one.put("Approved")
        await one.house.store.write(jobs.lease, "moderation", "other", one.house.clock.now() + 1000)
        assert await one.desk.once() == 0
        one.house.clock.advance(2)
        data = moderation.approved(article(), "alice@example.org")  # the other one came so far, and died
        await one.house.add(["local.open"], 1)
        alice = one.house.store.peek(accounts.find, "alice@example.org")
        assert alice is not None
        await one.house.post(data, identity=Identity(alice.id, alice.name, "PLAIN", "nntp"))
        assert await one.another().once() == 1
        assert one.house.folder("local.mod").messages == 1
        assert one.waiting() == []


async def test_what_cannot_be_posted_comes_back_marked(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.house.post(article())
        await one.put("Approved")
        await one.house.store.write(groups.change, one.house.folder("local.mod").id, status="n")
        assert await one.desk.once() == 0
        place = one.folder("Moderation/local.mod")
        (row,) = one.house.store.peek(entries.listing, place.id)
        assert row.keywords == ("$Failed",)
        assert await one.desk.once() == 0
        (event,) = [e for e in one.house.store.peek(trace.follow, "<s1@x>") if e.event == "not posted"]
        assert "Posting to local.mod is not allowed" in event.detail["why"]


async def test_moderator_by_right_and_no_longer(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.house.store.write(groups.change, one.house.folder("local.mod").id, moderator="")
        with pytest.raises(Refused) as caught:
            await one.house.post(article())
        assert caught.value.reason is Reason.MODERATED  # nobody would ever look
        await one.house.given("rights local.mod bob@example.org lrspi")
        await one.house.given("rights local.mod anyone lrp")
        await one.house.post(article())
        place = one.folder("Moderation/local.mod")
        assert list(one.house.store.peek(access.listing, place.id)) == ["bob@example.org"]
        await one.house.store.write(
            groups.change, one.house.folder("local.mod").id, moderator="alice@example.org"
        )
        await one.house.given("rights local.mod bob@example.org lrsp")
        await one.house.post(article(number=2))
        assert list(one.house.store.peek(access.listing, place.id)) == ["alice@example.org"]


async def test_an_approved_article_takes_nothing_back_by_itself(tmp_path: Path) -> None:
    """Supersedes in a submission counts as its author's, not as the queue's."""
    async with desk(tmp_path) as one:
        await one.house.add(["local.open"], 1)
        await one.house.post(article("Supersedes: <1@local.open>"))
        await one.put("Approved")
        assert await one.desk.once() == 1
        assert one.house.folder("local.open").messages == 1


def test_an_approval_replaces_what_was_claimed() -> None:
    data = b"To: x@y\r\nApproved: me\r\nX: a\r\n b\r\n\r\nTo: body\r\n"
    assert moderation.approved(data, "alice@x") == b"X: a\r\n b\r\nApproved: alice@x\r\n\r\nTo: body\r\n"
    assert moderation.approved(b"X: a\r\n", "m") == b"X: a\r\nApproved: m\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "prefix", "who"),
    [
        (b"From: a@b\r\n\r\n", b"", "a@b"),
        (b"From: a@b\r\nReply-To: X <c@d>\r\n\r\n", b"", "c@d"),
        (b"From: a@b\r\n\r\n", b"Return-Path: <p@q>\r\n", "p@q"),
        (b"From: nobody\r\n\r\nFrom: a@b\r\n", b"", ""),
    ],
)
def test_who_is_told(data: bytes, prefix: bytes, who: str) -> None:
    assert str(moderation.author(data, prefix)) == who


async def test_a_cross_post_needs_the_word_of_each_groups_moderators(tmp_path: Path) -> None:
    """RFC 5537 3.9: who moderates one group says nothing about another."""
    async with desk(tmp_path) as one:
        await one.house.given("group local.bob status m moderator bob@example.org")
        await one.house.given("group local.too status m moderator alice@example.org")
        await one.house.post(article(group="local.mod,local.too,local.bob"))
        await one.put("Approved")
        assert await one.desk.once() == 1
        assert [it.group for it in one.waiting()] == ["local.bob"]
        assert one.house.folder("local.mod").messages == 0
        place = one.folder("Moderation/local.bob")
        await one.house.store.write(entries.set_flags, place.id, [1], "+", 0, ("$Approved",))
        assert await one.desk.once() == 1
        assert one.waiting() == []
        names = ("local.mod", "local.too", "local.bob")
        assert [one.house.folder(name).messages for name in names] == [1, 1, 1]
        events = [event.event for event in one.house.store.peek(trace.follow, "<s1@x>")]
        assert events == ["submitted", "passed on", "posted", "approved"]


async def test_a_group_that_nobody_here_moderates_keeps_a_cross_post_back(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.house.given("group far.away status m moderator mod@far.example")
        await one.house.post(article(group="local.mod,far.away"))
        await one.put("Approved")
        assert await one.desk.once() == 0
        (it,) = one.waiting()
        (event,) = [e for e in one.house.store.peek(trace.follow, "<s1@x>") if e.event == "not posted"]
        assert event.detail["why"] == "far.away is moderated elsewhere"
        await one.desk.approve(it, "root")  # who administers this server may
        assert one.house.folder("local.mod").messages == 1
