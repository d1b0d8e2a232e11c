"""Articles posted at the same time: one transaction, and each poster hears of the own one."""

import asyncio
from pathlib import Path

import pytest

from quintet.delivery import postbox
from quintet.delivery.post import Posted
from quintet.errors import Reason, Refused, TryLater
from quintet.store import entries, groups, trace
from tests.support.newshouse import HOST, NewsHouse, news_house


def article(name: str, group: str = "local.talk", *fields: str) -> bytes:
    head = ["From: Bob <bob@example.org>", f"Newsgroups: {group}", "Subject: s", f"Message-ID: <{name}@x>"]
    return "\r\n".join([*head, *fields, "", f"text of {name}", ".dot", ""]).encode()


async def posted(house: NewsHouse, *given: bytes) -> list[Posted | BaseException]:
    return await asyncio.gather(*(house.post(one) for one in given), return_exceptions=True)


async def test_articles_posted_together_are_filed_in_one_transaction(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.talk with 0")
        await house.given("group local.other with 0")
        before = house.store.transactions
        told = await posted(
            house, *(article(str(n), "local.talk,local.other" if n == 3 else "local.talk") for n in range(9))
        )
        assert house.store.transactions == before + 1
        numbers = [one.number("local.talk") for one in told if isinstance(one, Posted)]
        assert numbers == [1, 2, 3, 4, 5, 6, 7, 8, 9]
        assert isinstance(told[3], Posted)
        assert [(one.uid, name) for one, name in zip(told[3].added, told[3].groups, strict=True)] == [
            (4, "local.talk"),
            (1, "local.other"),
        ]
        assert f"Xref: {HOST} local.talk:4 local.other:1\r\n".encode() in house.article("local.talk", 4)
        assert house.article("local.talk", 9).endswith(b"\r\n\r\ntext of 8\r\n.dot\r\n")
        (event,) = house.store.peek(trace.follow, "<3@x>")
        talk, other = house.folder("local.talk").id, house.folder("local.other").id
        assert (event.event, event.detail["places"]) == ("posted", [[talk, 4], [other, 1]])
        assert (event.message_id, "message_id" in event.detail) == ("<3@x>", False)
        names = {one.message_id for one in house.store.peek(trace.recent, 9)}
        assert names == {f"<{n}@x>" for n in range(9)} | {"<3@x>"}
        found = house.store.peek(entries.by_message_id, None, "<8@x>")
        assert [one.uid for one in found] == [9]


async def test_an_article_is_followed_beyond_its_end(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.talk with 0")
        await posted(house, article("a"), article("b"))
        house.clock.advance(60)
        await house.post(article("c", "local.talk", "Control: cancel <a@x>"))
        assert house.store.peek(entries.by_message_id, None, "<a@x>") == []
        events = house.store.peek(trace.follow, "<a@x>")
        assert [(one.event, one.message_id) for one in events] == [
            ("posted", "<a@x>"),
            ("cancelled", "<a@x>"),
        ]
        assert [one.event for one in house.store.peek(trace.follow, "<a@x>", 1)] == ["posted"]
        assert house.store.peek(trace.follow, "<b@y>") == []


async def test_one_that_cannot_be_filed_hears_why_and_the_others_are_filed(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.talk with 0")
        await house.given("group local.full with 1")
        full = house.folder("local.full")
        await house.store.write(groups.change, full.id, quota_messages=1)
        told = await posted(
            house,
            article("a"),
            article("a"),
            article("b", "local.full"),
            article("c", "local.talk,local.full"),
        )
        assert isinstance(told[0], Posted)
        assert [one.reason for one in told if isinstance(one, Refused | TryLater)] == [
            Reason.DUPLICATE,
            Reason.OVER_QUOTA,
            Reason.OVER_QUOTA,
        ]
        assert (house.folder("local.talk").messages, house.folder("local.full").messages) == (1, 1)
        assert not house.store.known_many(["<b@x>", "<c@x>"])


@pytest.mark.parametrize("field", ["Expires: Fri, 21 Nov 2035 08:00:00 +0000", "Supersedes: <0@x>"])
async def test_an_article_that_asks_for_something_goes_alone(tmp_path: Path, field: str) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.talk with 0")
        await posted(house, article("a", "local.talk", field))
        ends = house.store.peek(lambda tx: tx.value("SELECT count(*) FROM article_end"))
        assert ends == field.startswith("Expires")
        assert house.folder("local.talk").messages == 1


async def test_who_was_told_just_now_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postbox, "GATHER_S", 60.0)  # however slow the machine is
    async with news_house(tmp_path) as house:
        await house.given("group local.talk with 0")
        await posted(house, *(article(str(n)) for n in range(4)))
        before = house.store.transactions

        async def late(number: int) -> Posted:
            for _ in range(3 * number):  # turns of the loop
                await asyncio.sleep(0)
            if number == 3:  # with whom all are there: after them nobody is waited for so long
                monkeypatch.setattr(postbox, "GATHER_S", 0.004)
            return await house.post(article(f"late{number}"))

        told = await asyncio.gather(*(late(number) for number in range(4)))
        assert [one.number("local.talk") for one in told] == [5, 6, 7, 8]
        assert house.store.transactions == before + 1
        alone = await asyncio.wait_for(house.post(article("alone")), 30)  # the others do not come again
        assert alone.number("local.talk") == 9
