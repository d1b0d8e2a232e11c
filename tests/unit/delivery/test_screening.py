"""Filters of articles: EMP, hooks that fail, quarantine and the way out of it, and what the trace tells."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from quintet.config.news import News
from quintet.delivery import emp, modqueue, quarantine, screening
from quintet.delivery.control.letters import Letters
from quintet.delivery.moderation import Moderation
from quintet.delivery.screening import Fate, Screen, Sender, Word
from quintet.errors import Reason, Refused, TryLater
from quintet.net.seam import Peer
from quintet.nntp import transit
from quintet.nntp.stream import Checks
from quintet.policy.hooks import Hooks
from quintet.store import accounts, entries, folders, groups, history, trace
from quintet.store.content import content_of
from quintet.store.model import NEWS
from tests.support.newshouse import HOST, ROOT, NewsHouse, news_house

IMPORTS = "from quintet.policy.hooks import *\n"
LONG = b"A text that is long enough to be counted when it comes again and again.\r\n"


def article(
    number: int = 1, subject: str = "Buy pills", group: str = "local.test", body: bytes = LONG
) -> bytes:
    head = [
        f"Newsgroups: {group}",
        f"Subject: {subject}",
        f"Message-ID: <q{number}@x>",
        "From: A <a@example.org>",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def hooks(folder: Path, text: str, **options) -> Hooks:
    path = folder / "hooks.py"
    path.write_text(IMPORTS + text)
    return Hooks(path, **options)


async def ask(house: NewsHouse, data: bytes = article()) -> Fate:
    return await house.screen.article(Sender("c1", "192.0.2.1"), "<q1@x>", ["local.test"], content_of(data))


# --- EMP --------------------------------------------------------------------------------------------------


def test_the_same_text_has_the_same_hash() -> None:
    plain = emp.body_hash(LONG, 40)
    assert len(plain) == 32
    assert emp.body_hash(b"> " + LONG.upper() + b"\r\n 4711 \r\n-- \r\nsomebody", 40) == plain
    assert emp.body_hash(LONG.replace(b"long", b"short"), 40) != plain
    assert emp.body_hash(b"too short", 40) == ""
    assert emp.body_hash(b"1234567890 " * 10, 40) == ""  # no letters at all


def test_counting_is_bounded_and_rolls(tmp_path: Path) -> None:
    counter = emp.Emp(News(emp_limit=3, emp_table=1024), tmp_path)
    said = [counter.too_often(LONG, ["local.a"], 1000.0) for _ in range(5)]
    assert said[:3] == ["", "", ""]
    assert all("more than 3 times in 1 h" in text for text in said[3:])
    assert counter.too_often(LONG, ["local.a"], 1000.0 + 1201) == ""  # a third of the hour: room for one
    again = emp.Emp(News(emp_limit=3, emp_table=1024), tmp_path)  # another worker, or after a restart
    assert again.too_often(LONG, ["local.a"], 1000.0 + 1202) != ""
    for number in range(5000):
        counter.too_often(b"%b %x" % (LONG, number), ["local.a"], 2000.0)
    assert (tmp_path / "counts.emp").stat().st_size < 1024 * 16 + 100


def test_exempt_groups_and_no_limit(tmp_path: Path) -> None:
    counter = emp.Emp(News(emp_limit=1, emp_exempt="local.answers,control.*"), tmp_path)
    assert [counter.too_often(LONG, ["local.answers"], 1.0) for _ in range(3)] == ["", "", ""]
    assert counter.too_often(LONG, ["local.answers", "local.a"], 1.0) == ""
    assert counter.too_often(LONG, ["local.answers", "local.a"], 1.0) != ""
    assert not emp.Emp(News(), tmp_path).active
    assert News(emp_exempt="a b").faults() == [
        "news.emp_exempt: expected patterns such as local.*, got 'a b'"
    ]
    assert News(quarantine="a/b").faults() == ["news.quarantine: expected the name of a folder, got 'a/b'"]


# --- hooks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        ("None", Fate(Word.FILE)),
        ("accept()", Fate(Word.FILE)),
        ("refuse('no, thanks')", Fate(Word.REFUSE, "no, thanks")),
        ("quarantine()", Fate(Word.QUARANTINE, "a hook said so")),
        ("discard()", Fate(Word.DROP, "a hook said so")),
    ],
)
async def test_every_answer_has_its_outcome(tmp_path: Path, answer: str, fate: Fate) -> None:
    async with news_house(tmp_path / "data") as house:
        house.hooks = hooks(tmp_path, f"def article(a): return {answer}\n")
        assert await ask(house) == fate


@pytest.mark.parametrize(
    "text",
    [
        "def article(a): raise ValueError('oh')\n",
        "def article(a): return 17\n",
        "def article(a): return file_into('x')\n",
        "import asyncio\nasync def article(a): await asyncio.sleep(60)\n",
        "def article(a): raise SystemExit\n",
        "import time\ndef article(a): time.sleep(3)\n",
    ],
)
async def test_what_goes_wrong_in_a_hook_is_contained(tmp_path: Path, text: str) -> None:
    async with news_house(tmp_path / "data") as house:
        house.hooks = hooks(tmp_path, text, timeout_s=0.2)
        with pytest.raises(TryLater) as caught:
            await ask(house)
        assert caught.value.reason is Reason.BUSY
        house.hooks = hooks(tmp_path, text, timeout_s=0.2, failure="accept")
        assert (await ask(house)).word is Word.FILE


async def test_a_hook_sees_the_article_and_who_brings_it(tmp_path: Path) -> None:
    text = (
        "def article(a):\n    with a.open() as file:\n        body = file.read().count(b'text')\n"
        "    return refuse(f'{a.feed} {a.peer.address} {a.peer.account} {a.groups} {a.size}'\n"
        "                  f' {a.header(\"subject\")} {body}')\n"
    )
    async with news_house(tmp_path / "data") as house:
        house.hooks = hooks(tmp_path, text)
        sender = Sender("c1", "192.0.2.1", "bob", "up")
        fate = await house.screen.article(sender, "<q1@x>", ["a", "b"], content_of(article()))
        assert fate.text == f"up 192.0.2.1 bob ('a', 'b') {len(article())} Buy pills 1"


async def test_ids_are_asked_in_one_turn(tmp_path: Path) -> None:
    text = "def message_id(o): return refuse('odd') if o.message_id[1] in '13579' else None\n"
    async with news_house(tmp_path / "data") as house:
        house.hooks = hooks(tmp_path, text)
        ids = [f"<{number}@x>" for number in range(5)]
        assert await house.screen.offers(Sender("c", "::1", peer="up"), ids) == {
            "<1@x>": "odd",
            "<3@x>": "odd",
        }
        house.hooks = hooks(tmp_path, "def message_id(o): raise KeyError\n")
        with pytest.raises(TryLater):
            await house.screen.offers(Sender("c", "::1", peer="up"), ids)
        house.hooks = hooks(tmp_path, "def message_id(o): return quarantine()\n", failure="accept")
        assert await house.screen.offers(Sender("c", "::1", peer="up"), ids) == {}


async def test_what_a_hook_says_is_one_line_of_an_answer(tmp_path: Path) -> None:
    """Also to an offer: a line end in it must not make an answer to the next one."""
    text = "def message_id(o): return refuse('no\\r\\n238 <b@x>')\n"
    async with news_house(tmp_path / "data") as house:
        await house.given("peer up addresses=127.0.0.1")
        house.hooks = hooks(tmp_path, text)
        _, session = house.service.open(Peer("c1", "127.0.0.1"))
        replies = transit.checks(session, Checks([b"<a@x>", b"<b@x>"]))
        assert isinstance(replies, AsyncGenerator)
        said = b"".join([reply async for reply in replies])
        assert said.count(b"\r\n") == 2
        assert said.startswith(b"438 <a@x> no")
        session.close()


async def test_mode_is_told_and_its_failure_stops_nothing(tmp_path: Path) -> None:
    async with news_house(tmp_path / "data") as house:
        house.hooks = Hooks(ROOT / "contrib/hooks/example.py")
        await house.screen.mode("stopped", "running")
        await house.screen.mode("running", "stopped", "shutdown")
        told = house.hooks._functions["mode"].__globals__["MODES"]
        assert told == [("stopped", "running", ""), ("running", "stopped", "shutdown")]
        house.hooks = hooks(tmp_path, "def mode(change): raise ValueError\n")
        await house.screen.mode("stopped", "running")


async def test_without_filters_nothing_is_asked(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        assert not house.screen.looks
        assert not house.screen.looks_at_ids
        assert await ask(house) == screening.FILE


# --- quarantine -------------------------------------------------------------------------------------------


def desk(house: NewsHouse) -> Moderation:
    letters = Letters(house.inbound, "", HOST)
    return Moderation(house.store, house.office, letters, hostname=HOST, clock=house.clock)


async def held(house: NewsHouse) -> list[modqueue.Waiting]:
    return house.store.peek(modqueue.held, house.news.quarantine)


async def start(house: NewsHouse, folder: Path, **news) -> None:
    house.configure(house.config, News(newsmasters=("bob@example.org",), **news))
    house.hooks = hooks(
        folder, "def article(a): return quarantine() if 'pills' in a.header('Subject') else None\n"
    )
    await house.given("group local.test")


async def test_what_is_held_back_can_be_let_go(tmp_path: Path) -> None:
    async with news_house(tmp_path / "data") as house:
        await start(house, tmp_path)
        posted = await house.post(article())
        assert (posted.groups, posted.message_id) == ((), "<q1@x>")
        assert house.folder("local.test").messages == 0
        assert house.store.peek(history.known, "<q1@x>")
        with pytest.raises(Refused):
            await house.post(article())
        (one,) = await held(house)
        ref = house.store.peek(entries.body_ref, one.folder_id, one.uid)
        assert quarantine.why(ref.prefix) == "a hook said so"
        names = await desk(house).release(one, "root")
        assert names == ("local.test",)
        data = house.article("local.test", 1)
        assert data.startswith(b"Path: news.example.org!.POSTED.192.0.2.7!not-for-mail\r\nXref: ")
        assert b"X-Quarantine" not in data
        assert await held(house) == []
        assert house.store.peek(history.find, "<q1@x>") is not None
        told = [(event.event, event.detail) for event in house.store.peek(trace.follow, "<q1@x>")]
        assert [word for word, _ in told] == ["quarantined", "released"]
        assert told[0][1]["why"] == "a hook said so"
        assert told[1][1]["by"] == "root"


@pytest.mark.parametrize(
    ("level", "word"), [("Approved", ""), ("", "$Approved"), ("Rejected", ""), ("", "$Rejected")]
)
async def test_newsmasters_decide_in_their_mail_program(tmp_path: Path, level: str, word: str) -> None:
    async with news_house(tmp_path / "data") as house:
        await start(house, tmp_path)
        await house.post(article())
        (one,) = await held(house)
        news = house.store.peek(accounts.find, NEWS)
        assert news is not None
        if level:
            target = house.store.peek(folders.find, news.id, f"Quarantine/{level}")
            assert target is not None
            await house.store.write(entries.move, one.folder_id, [one.uid], target.id)
        else:
            await house.store.write(entries.set_flags, one.folder_id, [one.uid], "+", 0, (word,))
        assert await desk(house).once() == 1
        assert house.folder("local.test").messages == (1 if "Approved" in level + word else 0)
        assert await held(house) == []
        assert await desk(house).once() == 0


async def test_quarantine_is_no_group_and_only_for_newsmasters(tmp_path: Path) -> None:
    async with news_house(tmp_path / "data") as house:
        await start(house, tmp_path)
        await house.post(article())
        assert house.store.peek(groups.find, "Quarantine") is None
        assert [one.name for one in house.store.peek(groups.listing)] == ["local.test"]
        (one,) = await held(house)
        rows = house.store.peek(
            lambda tx: tx.all("SELECT who FROM access WHERE folder_id = ?", one.folder_id)
        )
        assert rows == [("bob@example.org",)]


async def test_what_nobody_lets_go_is_thrown_away_in_time(tmp_path: Path) -> None:
    async with news_house(tmp_path / "data") as house:
        await start(house, tmp_path, quarantine_days=2)
        await house.post(article())
        house.clock.advance(86_400)
        assert await house.store.write(quarantine.sweep, house.news) == 0
        house.clock.advance(86_401)
        assert await house.store.write(quarantine.sweep, house.news) == 1
        assert await held(house) == []


async def test_what_has_no_group_any_more_stays(tmp_path: Path) -> None:
    async with news_house(tmp_path / "data") as house:
        await start(house, tmp_path)
        await house.post(article())
        await house.store.write(groups.remove, house.folder("local.test").id)
        (one,) = await held(house)
        with pytest.raises(Refused):
            await desk(house).release(one, "root")
        assert len(await held(house)) == 1


async def test_two_posts_at_once_are_held_once(tmp_path: Path) -> None:
    async with news_house(tmp_path / "data") as house:
        await start(house, tmp_path)
        done = await asyncio.gather(house.post(article()), house.post(article()), return_exceptions=True)
        assert sorted(type(one).__name__ for one in done) == ["Posted", "Refused"]
        assert len(await held(house)) == 1


async def test_cancels_are_not_counted_as_the_same_text(tmp_path: Path) -> None:
    async with news_house(tmp_path / "data") as house:
        house.configure(house.config, replace(News(), emp_limit=1))
        await house.given("group local.test")
        cancel = article(9, body=LONG).replace(b"Subject", b"Control: cancel <z@x>\r\nSubject")
        assert isinstance(house.screen, Screen)
        assert [(await ask(house, cancel)).word for _ in range(3)] == [Word.FILE] * 3
        assert [(await ask(house)).word for _ in range(2)] == [Word.FILE, Word.QUARANTINE]


async def test_a_cancel_reaches_what_is_held_back(tmp_path: Path) -> None:
    """Its author's counts when it is let go; somebody else's does not."""
    async with news_house(tmp_path / "data") as house:
        await start(house, tmp_path)
        for number, sender in ((1, "mallory@example.net"), (2, "a@example.org")):
            await house.post(article(number))
            cancel = article(10 + number, subject="no").replace(b"a@example.org", sender.encode())
            cancel = cancel.replace(b"Subject: no", b"Subject: no\r\nControl: cancel <q%d@x>" % number)
            await house.post(cancel)
        names = [await desk(house).release(one, "root") for one in await held(house)]
        assert names == [("local.test",), ()]
        assert house.folder("local.test").messages == 1
        assert await held(house) == []


async def test_a_refusal_stands_in_the_trace(tmp_path: Path) -> None:
    async with news_house(tmp_path / "data") as house:
        await house.given("group local.test")
        house.hooks = hooks(tmp_path, "def article(a): return refuse('not here')\n")
        with pytest.raises(Refused) as caught:
            await house.post(article())
        assert caught.value.text == "not here"
        await asyncio.gather(*house.store._behind)
        (event,) = house.store.peek(trace.follow, "<q1@x>")
        assert (event.event, event.detail["why"]) == ("refused", "not here")


async def test_what_needs_a_moderator_goes_to_the_queue(tmp_path: Path) -> None:
    async with news_house(tmp_path / "data") as house:
        await start(house, tmp_path)
        await house.given("group local.mod status m moderator alice@example.org")
        await house.post(article(group="local.test,local.mod"))
        (one,) = await held(house)
        assert await desk(house).release(one, "root") == ("the queue of local.mod",)
        assert house.folder("local.test").messages == house.folder("local.mod").messages == 0
        (it,) = house.store.peek(modqueue.waiting)
        assert (it.group, it.message_id) == ("local.mod", "<q1@x>")
