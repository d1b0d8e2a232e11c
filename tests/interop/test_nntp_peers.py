"""Real news servers and their tools as peers, both ways: INN's innd, innfeed, innxmit, pullnews, actsync."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from pathlib import Path

import pytest

from quintet.admin import peerblock
from quintet.delivery.batches import Unbatcher
from quintet.store import check, feeding, groups
from tests.support import inn as news
from tests.support.feedhouse import GROUP, article, bring, count, ids, peer, until
from tests.support.inn import Feed, Inn, inn
from tests.support.server import Server, start_server

TAKING = {"peer": (peer("in"),), "path_host": "ours.test"}

pytestmark = [pytest.mark.interop, pytest.mark.skipif(bool(news.missing()), reason=news.missing() or "there")]


def numbered(many: int, name: str = "f.test", **more: str) -> list[tuple[str, bytes]]:
    return [(f"{number}@{name}", article(f"{number}@{name}", **more)) for number in range(many)]


def feeding_state(ours: Server) -> str:
    """For when something is wrong."""
    assert ours.app.feeds is not None
    feeders = [(name, each.sent, each.connections) for name, each in ours.app.feeds.feeders.items()]
    return f"{ours.store.peek(feeding.backlogs)} {feeders}"


async def by_inn(other: Inn, ours: Server, articles: list[tuple[str, bytes]]) -> None:
    """Gives articles to INN, and waits until its innfeed has brought them.

    Ten at a time: more than its queue holds, or what comes while it starts, waits in its backlog for minutes.
    """
    for start in (0, *range(1, len(articles), 10)):
        end = start + 10 if start else 1
        answers = await bring(other.port, articles[start:end])
        assert all(answer.startswith("239") for answer in answers), answers
        wanted = len(articles[:end])
        await until(lambda wanted=wanted: count(ours) == wanted, f"not all arrived {other.log()}")


@pytest.mark.parametrize("streaming", [True, False])
async def test_innd_takes_what_we_send(tmp_path: Path, *, streaming: bool) -> None:
    async with inn("inn.test", [GROUP]) as other:
        to_inn = peer(
            "inn",
            addresses=("127.0.0.2",),
            host="127.0.0.1",
            port=other.port,
            send="*",
            identity=("inn.test",),
            streaming=streaming,
        )
        sending = {"peer": (to_inn, peer("in")), "path_host": "ours.test"}
        async with start_server(tmp_path / "a", only=("nntp",), nntp=sending) as a:
            await until(lambda: bool(a.store.peek(feeding.backlogs)))
            dotted = [("dots@f.test", article("dots@f.test", body="..\r\n.x\r\n"))]
            answers = await bring(a.ports["nntp"], numbered(60) + dotted)
            assert all(answer.startswith("239") for answer in answers), answers
            try:
                await until(lambda: len(other.articles(GROUP)) == 61, "not all arrived")
            except AssertionError:
                print(feeding_state(a), other.log())
                raise
            data = other.articles(GROUP)
            assert all(one.startswith(b"Path: inn.test!") and b"ours.test!" in one[:80] for one in data), (
                data[0]
            )
            assert any(b"\r\n\r\n...\r\n..x\r\n" in one for one in data)  # stored as it travelled
            feeder = a.app.feeds.feeders["inn"]  # type: ignore[union-attr]  # there is one
            await until(lambda: feeder.sent.total() == 61)


async def test_innfeed_streams_to_us(tmp_path: Path) -> None:
    taking = {"peer": (peer("inn", identity=("inn.test",)),), "path_host": "ours.test"}
    async with start_server(tmp_path / "a", only=("nntp",), nntp=taking) as a:
        feeds = [Feed("ours", "ours.test", a.ports["nntp"])]
        async with inn("inn.test", [GROUP, "local.announce"], feeds=feeds) as other:
            sent = [*numbered(1, "first.test"), *numbered(50)]
            sent.append(("dots@f.test", article("dots@f.test", body=".\r\n..\r\n")))
            sent.append(("cross@f.test", article("cross@f.test", f"{GROUP},comp.lang.python")))
            await by_inn(other, a, sent)
            assert len(set(ids(a))) == 53
            assert count(a, "comp.lang.python") == 1
            # what we refuse for good is dropped there, not tried for ever
            await bring(other.port, [("bad@f.test", article("bad@f.test", "local.announce"))])
            await asyncio.sleep(1)
            assert count(a, "local.announce") == 0
        assert await a.store.read(check.all) == []


async def test_innd_takes_the_configuration_that_is_printed_for_it(tmp_path: Path) -> None:
    """`quintet peer add`: each part of the text goes into the file that is named above it."""
    async with (
        inn("inn.test", [GROUP], senders=("192.0.2.1",)) as other,
        start_server(tmp_path / "a", only=("nntp",), nntp={"path_host": "ours.test"}) as a,
    ):
        to_inn = peer(
            "inn.test", host="127.0.0.1", port=other.port, send="*,!local.none", identity=("inn.test",)
        )
        text = peerblock.for_inn(to_inn, "127.0.0.1", "ours.test", a.ports["nntp"])
        for part in re.split(r"(?m)^# (?=[a-z]+(?:\.conf)?\b)", text)[1:]:
            place = other.folder / "etc" / re.split("[:\n]", part)[0]
            place.write_text(place.read_text() + part.partition("\n")[2])
        assert (other.folder / "etc/newsfeeds").read_text().rstrip().endswith(":*:Tm:innfeed!")
        said = await asyncio.to_thread(
            other.run, "inncheck", "newsfeeds", "incoming.conf", "innfeed.conf", check=False
        )
        assert [line for line in said.splitlines() if not re.search("should be|may be", line)] == []
        await asyncio.to_thread(other.run, "ctlinnd", "reload", "all", "a test")
        await a.app.reload(
            dataclasses.replace(a.app.config, nntp=dataclasses.replace(a.app.config.nntp, peer=(to_inn,)))
        )
        await by_inn(other, a, numbered(3, "to.inn"))
        # what others bring goes the other way
        ours = dataclasses.replace(a.app.config.nntp, peer=(to_inn, peer("up", addresses=("127.0.0.3",))))
        await a.app.reload(dataclasses.replace(a.app.config, nntp=ours))
        answers = await bring(a.ports["nntp"], numbered(2, "to.ours"), source="127.0.0.3")
        assert all(answer.startswith("239") for answer in answers), answers
        await until(lambda: len(other.articles(GROUP)) == 5, "not all arrived")


async def test_innfeed_sends_one_by_one(tmp_path: Path) -> None:
    taking = {"peer": (peer("inn", streaming=False),), "path_host": "ours.test"}
    async with start_server(tmp_path / "a", only=("nntp",), nntp=taking) as a:
        feeds = [Feed("ours", "ours.test", a.ports["nntp"], streaming=False)]
        async with inn("inn.test", [GROUP], feeds=feeds) as other:
            await by_inn(other, a, numbered(30))
        assert sorted(ids(a)) == sorted(f"<{name}>" for name, _ in numbered(30))
        assert await a.store.read(check.all) == []


@pytest.mark.parametrize("stream", [True, False])
async def test_innxmit_sends_a_batch(tmp_path: Path, *, stream: bool) -> None:
    taking = {"peer": (peer("inn"),), "path_host": "ours.test"}
    async with (
        start_server(tmp_path / "a", only=("nntp",), nntp=taking) as a,
        inn("inn.test", [GROUP]) as other,
    ):
        await bring(other.port, numbered(20))
        await until(lambda: len(other.articles(GROUP)) == 20)
        names = sorted((other.folder / "spool/articles/local/test").iterdir(), key=lambda one: int(one.name))
        batch = other.folder / "spool/outgoing/ours"
        batch.write_text("".join(f"{path} <{number}@f.test>\n" for number, path in enumerate(names)))
        batch.chmod(0o666)
        options = ["-P", str(a.ports["nntp"])] + ([] if stream else ["-s"])
        text = await asyncio.to_thread(
            other.run, "innxmit", "-d", *options, "127.0.0.1", str(batch), check=False
        )
        assert count(a) == 20, text


async def test_pullnews_fetches_from_us(tmp_path: Path) -> None:
    taking = {"peer": (peer("in"),), "path_host": "ours.test"}
    async with (
        start_server(tmp_path / "a", only=("nntp",), nntp=taking) as a,
        inn("inn.test", [GROUP]) as other,
    ):
        await bring(a.ports["nntp"], numbered(10))
        config = other.folder / "pullnews.marks"
        config.write_text(f"127.0.0.1:{a.ports['nntp']}\n    {GROUP} 1 0\n")
        config.chmod(0o666)
        text = await asyncio.to_thread(
            other.run, "pullnews", "-c", str(config), "-s", f"127.0.0.1:{other.port}", "-t", "1", check=False
        )
        assert len(other.articles(GROUP)) == 10, text


async def test_actsync_compares_its_groups_with_ours(tmp_path: Path) -> None:
    """INN's list of groups is brought in line with LIST ACTIVE of ours."""
    async with (
        start_server(tmp_path / "a", only=("nntp",), nntp=TAKING) as a,
        inn("inn.test", [GROUP, "local.gone"]) as other,
    ):
        hosts = [f"127.0.0.1:{other.port}", f"127.0.0.1:{a.ports['nntp']}"]
        text = await asyncio.to_thread(other.run, "actsync", "-o", "c", "-p", "0", *hosts)
        assert "ctlinnd newgroup comp.lang.python y" in text
        assert "ctlinnd newgroup local.announce m" in text
        assert "ctlinnd rmgroup local.gone" in text
        assert f"group {GROUP}" not in text


async def test_innd_takes_batches_that_we_send(tmp_path: Path) -> None:
    """XBATCH: innd keeps the batch for its rnews, which reads what `quintet rnews` would."""
    async with inn("inn.test", [GROUP], options="xbatch: true\n") as other:
        to_inn = peer(
            "inn", addresses=("127.0.0.2",), host="127.0.0.1", port=other.port, send="*",
            identity=("inn.test",), xbatch=True, packing="gzip",
        )  # fmt: skip
        sending = {"peer": (to_inn, peer("in")), "path_host": "ours.test"}
        async with start_server(tmp_path / "a", only=("nntp",), nntp=sending) as a:
            await until(lambda: bool(a.store.peek(feeding.backlogs)))
            await bring(a.ports["nntp"], numbered(30))
            kept = other.folder / "spool/incoming"
            await until(lambda: _in_batches(kept) == 30, "not all arrived")
            await until(lambda: a.store.peek(feeding.backlogs)[0].ranges == 0)
            assert (count(a), _in_batches(kept)) == (30, 30)
            assert await a.store.read(check.all) == []


def _in_batches(folder: Path) -> int:
    """Articles in all batches of a folder."""
    count = 0
    for path in folder.iterdir():
        if path.is_file() and not path.name.startswith("."):
            batch = Unbatcher(1_000_000)
            count += len([*batch.feed(path.read_bytes()), *batch.finish()])
    return count


async def test_we_fetch_from_inns_reader(tmp_path: Path) -> None:
    async with inn("inn.test", [GROUP]) as other:
        await bring(other.port, numbered(25))
        source = peer("inn", addresses=(), host="127.0.0.1", port=other.port, pull=GROUP, pull_first=1000)
        fetching = {"peer": (dataclasses.replace(source, accept="*"),), "path_host": "ours.test"}
        async with start_server(tmp_path / "a", only=("nntp",), nntp=fetching) as a:
            await until(lambda: count(a) == 25, "not all fetched")
            assert a.store.peek(groups.find, GROUP) is not None
