"""Cancels where NNTP cannot show them: other views, rights, the trace, many workers, both engines."""

from pathlib import Path

from quintet.auth.identity import Identity
from quintet.config.news import News
from quintet.delivery.control import acts, orders
from quintet.message.scan import scan
from quintet.store import access, accounts, cancels, changes, controltasks, entries, history, trace
from quintet.store.content import content_of
from tests.support.newshouse import HOST, NewsHouse, news_house

RULES = News()


def article(*fields: str, group: str = "local.test", sender: str = "Alice <alice@example.org>") -> bytes:
    head = [f"From: {sender}", f"Newsgroups: {group}", "Subject: s", "Date: Fri, 21 Nov 2025 08:00:00 +0000"]
    return "\r\n".join([*head, *fields, "", "text", ""]).encode()


async def file(house: NewsHouse, data: bytes, *names: str, rules: News = RULES, who=acts.NOBODY):
    """As a feed files it."""
    content = content_of(data)
    return await house.store.write(
        acts.file, [house.folder(name).id for name in names], content, path=b"peer!x", host=HOST,
        received_at=1, rules=rules, who=who,
    )  # fmt: skip


async def test_cancel_reaches_every_view_and_the_trace(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        for name in ("local.a", "local.b", "control.cancel"):
            await house.given(f"group {name}")
        await file(house, article("Message-ID: <1@x>", group="local.a,local.b"), "local.a", "local.b")
        since = house.folder("local.a").highest_modseq
        added = await file(house, article("Message-ID: <c@x>", "Control: cancel <1@x>"), "local.a")
        assert [one.folder_id for one in added] == [house.folder("control.cancel").id]
        for name in ("local.a", "local.b"):  # what IMAP says as VANISHED
            folder = house.folder(name)
            assert (folder.messages, folder.low, folder.uid_next) == (0, 2, 2)
            told = house.store.peek(changes.since, folder.id, since)
            assert told.vanished == [(1, 1)]
        assert house.store.peek(history.known, "<1@x>")
        assert house.store.peek(history.find, "<1@x>") is None
        (event,) = [one for one in house.store.peek(trace.follow, "<1@x>") if one.event == "cancelled"]
        assert event.detail == {"by": "<c@x>", "how": "cancel", "author": "alice@example.org", "groups": 2}


async def test_a_copy_in_ones_own_folder_stays(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.test")
        await file(house, article("Message-ID: <1@x>"), "local.test")
        inbox = await house.inbox("bob")
        await house.store.write(entries.copy, house.folder("local.test").id, [1], inbox.id)
        await file(house, article("Message-ID: <c@x>", "Control: cancel <1@x>"), "local.test")
        assert house.folder("local.test").messages == 0
        assert (await house.inbox("bob")).messages == 1


async def test_refused_cancel_says_why(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.test")
        await file(house, article("Message-ID: <1@x>", "Cancel-Lock: sha256:AAAA"), "local.test")
        await file(house, article("Message-ID: <c@x>", "Control: cancel <1@x>"), "local.test")
        (event,) = house.store.peek(trace.follow, "<1@x>")
        assert (event.event, event.detail["why"]) == ("cancel refused", "no key opens its lock")
        assert house.folder("local.test").messages == 1


async def test_moderator_may_cancel_by_right(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.test")
        await house.given("rights local.test bob@example.org lrse")
        await file(house, article("Message-ID: <1@x>", "Cancel-Lock: sha256:AAAA"), "local.test")
        bob = house.store.peek(accounts.find, "bob@example.org")
        assert bob is not None
        cancel = article("Message-ID: <c@x>", "Control: cancel <1@x>", sender="bob@example.org")
        await file(house, cancel, "local.test", who=acts.Who("c1", bob.id))
        assert house.folder("local.test").messages == 0


async def test_third_parties_only_where_that_is_allowed(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.test")
        await file(house, article("Message-ID: <1@x>"), "local.test")
        spam = article("Message-ID: <c1@x>", "Control: cancel <1@x>", sender="canceller@example.net")
        await file(house, spam, "local.test")
        assert house.folder("local.test").messages == 1
        again = article("Message-ID: <c2@x>", "Control: cancel <1@x>", sender="canceller@example.net")
        await file(house, again, "local.test", rules=News(third_party_cancels=True))
        assert house.folder("local.test").messages == 0


async def test_sender_is_as_good_as_from(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.test")
        await file(house, article("Message-ID: <1@x>", "Sender: Real <real@x.example>"), "local.test")
        cancel = article("Message-ID: <c@x>", "Control: cancel <1@x>", sender="REAL@x.example")
        await file(house, cancel, "local.test")
        assert house.folder("local.test").messages == 0


async def test_early_cancel_with_a_key_opens_the_lock_when_it_comes(tmp_path: Path) -> None:
    """A forged cancel that runs ahead of a locked article keeps nobody out."""
    lock = "Cancel-Lock: sha256:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="  # of the key "test"
    async with news_house(tmp_path) as house:
        await house.given("group local.test")
        await file(house, article("Message-ID: <c1@x>", "Control: cancel <1@x>"), "local.test")
        assert await file(house, article("Message-ID: <1@x>", lock), "local.test")
        await file(
            house,
            article("Message-ID: <c2@x>", "Control: cancel <2@x>", "Cancel-Key: sha256:test"),
            "local.test",
        )
        assert not await file(house, article("Message-ID: <2@x>", lock), "local.test")
        assert house.store.peek(history.known, "<2@x>")
        assert house.store.peek(cancels.early, "<2@x>") == []


async def test_where_all_is_heeded_the_id_is_known_at_once(tmp_path: Path) -> None:
    """So that peers hear "duplicate" before they send it."""
    async with news_house(tmp_path) as house:
        await house.given("group local.test")
        await file(
            house, article("Message-ID: <c@x>", "Control: cancel <1@x>"), "local.test",
            rules=News(docancels="all"),
        )  # fmt: skip
        assert house.store.peek(history.known, "<1@x>")


async def test_article_that_cancels_itself_stays(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.test")
        await file(house, article("Message-ID: <1@x>", "Supersedes: <1@x>"), "local.test")
        assert house.folder("local.test").messages == 1


async def test_group_control_leaves_a_task_and_offers_leave_none(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await file(house, article("Message-ID: <1@x>", "Control: newgroup local.new"))
        await file(house, article("Message-ID: <2@x>", "Control: ihave <9@x> peer"))
        (task,) = await house.store.write(controltasks.lease, "w1", house.clock.now() + 1000)
        assert (task.verb, task.message_id, task.attempts) == ("newgroup", "<1@x>", 1)
        assert await house.store.write(controltasks.lease, "w2", house.clock.now() + 1000) == []
        house.clock.advance(2)  # the worker died: another one takes it, and then the first may not end it
        assert len(await house.store.write(controltasks.lease, "w2", house.clock.now() + 1000)) == 1
        assert not await house.store.write(controltasks.done, task.id, "w1")
        assert await house.store.write(controltasks.done, task.id, "w2")


async def test_withdrawals_of_articles_that_never_came_are_forgotten(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.test")
        await file(house, article("Message-ID: <c@x>", "Control: cancel <1@x>"), "local.test")
        assert len(house.store.peek(cancels.early, "<1@x>")) == 1
        house.clock.advance(15 * 86_400)
        assert await house.store.write(cancels.tidy) == 1
        assert house.store.peek(cancels.early, "<1@x>") == []


async def test_cancel_of_what_somebody_else_posted_needs_more_than_a_login(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.test")
        bob = house.store.peek(accounts.find, "bob@example.org")
        assert bob is not None
        await house.post(article("Message-ID: <1@x>"))
        await house.post(
            article("Control: cancel <1@x>", sender="bob@example.org"),
            identity=Identity(bob.id, bob.name, "PLAIN", "nntp"),
        )
        assert house.folder("local.test").messages == 1
        assert house.store.peek(access.listing, house.folder("local.test").id) == {}


def test_orders_are_read_from_the_header() -> None:
    def read(*fields: str, nocem: tuple[str, ...] = ()) -> orders.Order | None:
        return orders.read(scan(article(*fields)), nocem)

    assert read() is None
    assert read("Subject: cmsg cancel <1@x>", "Also-Control: cancel <1@x>") is None
    order = read("Control: \t CANCEL  <1@x>  <2@x>")
    assert order is not None
    assert (order.verb, order.target, order.arguments) == ("cancel", "<1@x>", ("<1@x>", "<2@x>"))
    order = read("Control: ;;")
    assert order is not None
    assert order.verb == "unknown"
    order = read("Control: cancel 1@x")
    assert order is not None
    assert order.target == ""
    order = read(nocem=("news.lists.filters", "local.test"))
    assert order is not None
    assert (order.verb, order.is_control) == ("nocem", False)
