"""Articles go from server to server: streaming, one by one, put off, delayed, in part, and to files."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from quintet.nntp.client import Connection
from quintet.store import check, feeding
from tests.support.feedhouse import article, bring, count, ids, peer, until
from tests.support.server import configured, start_server


def numbered(many: int, name: str = "f.test", **more: str) -> list[tuple[str, bytes]]:
    return [(f"{number}@{name}", article(f"{number}@{name}", **more)) for number in range(many)]


@pytest.mark.parametrize("streaming", [True, False])
async def test_every_article_arrives_once(tmp_path: Path, *, streaming: bool) -> None:
    taking = {"peer": (peer("a", streaming=streaming, identity=("a.test",)),), "path_host": "b.test"}
    async with start_server(tmp_path / "b", only=("nntp",), nntp=taking) as b:
        to_b = peer("b", host="127.0.0.1", port=b.ports["nntp"], send="*", identity=("b.test",))
        sending = {"peer": (to_b,), "path_host": "a.test"}
        async with start_server(tmp_path / "a", only=("nntp",), nntp=sending) as a:
            await until(lambda: bool(a.app.feeds and a.store.peek(feeding.backlogs)))
            sent = numbered(300)
            assert all(answer.startswith("239") for answer in await bring(a.ports["nntp"], sent))
            await until(lambda: count(b) == 300, "not all arrived")
            assert sorted(ids(b)) == sorted(f"<{ident}>" for ident, _ in sent)
            await until(lambda: a.store.peek(feeding.backlogs)[0].ranges == 0)
            backlog = a.store.peek(feeding.backlogs)[0]
            assert (backlog.ahead, backlog.later) == (0, 0)
            feeder = a.app.feeds.feeders["b"]  # type: ignore[union-attr]  # there is one
            assert feeder.sent.total() == 300  # none was offered twice
            assert feeder.blind is streaming
        assert await b.store.read(check.all) == []


async def test_a_peer_that_was_down_gets_all_of_it(tmp_path: Path) -> None:
    taking = {"peer": (peer("a"),), "path_host": "b.test"}
    async with start_server(tmp_path / "b", only=("nntp",), nntp=taking) as b:
        port = b.ports["nntp"]
    to_b = peer("b", host="127.0.0.1", port=port, send="*")
    sending = {"peer": (to_b,), "path_host": "a.test"}
    async with start_server(tmp_path / "a", only=("nntp",), nntp=sending) as a:
        await until(lambda: bool(a.store.peek(feeding.backlogs)))
        await bring(a.ports["nntp"], numbered(50))
        await until(lambda: "no connection" in a.store.peek(feeding.backlogs)[0].state)
    at = configured(tmp_path).listeners
    at = {**at, "nntp": dataclasses.replace(at["nntp"], port=port)}
    async with (
        start_server(tmp_path / "b", only=("nntp",), nntp=taking, listeners=at) as b,
        start_server(tmp_path / "a", only=("nntp",), nntp=sending) as a,
    ):
        await until(lambda: count(b) == 50, "not all arrived after a restart")
        assert len(set(ids(b))) == 50


async def test_a_ring_ends(tmp_path: Path) -> None:
    """Two servers that feed each other: nothing goes round, nothing comes back."""
    taking = {"peer": (peer("a", identity=("a.test",)),), "path_host": "b.test"}
    async with start_server(tmp_path / "b", only=("nntp",), nntp=taking) as b:
        to_b = peer("b", host="127.0.0.1", port=b.ports["nntp"], send="*", identity=("b.test",))
        async with start_server(
            tmp_path / "a", only=("nntp",), nntp={"peer": (to_b,), "path_host": "a.test"}
        ) as a:
            await until(lambda: bool(a.store.peek(feeding.backlogs)))
            await bring(a.ports["nntp"], numbered(20, path="b.test!user") + numbered(20, "g.test"))
            await until(lambda: count(b) == 20, "not all arrived")
            await asyncio.sleep(0.5)
            assert all("@g.test>" in one for one in ids(b))  # the others have b.test in Path


async def test_what_goes_into_files(tmp_path: Path) -> None:
    peers = (
        peer("list", output="file:out/list", send="*,!comp.*", addresses=("192.0.2.1",)),
        peer("batch", output="batch:out/batch", send="comp.*", header_only=True, addresses=("192.0.2.2",)),
        peer("pipe", output=f"pipe:cat >>{tmp_path}/piped", send="*", max_groups=1, addresses=("192.0.2.3",)),
        peer("in"),
    )
    async with start_server(tmp_path / "a", only=("nntp",), nntp={"peer": peers}) as a:
        await until(lambda: len(a.store.peek(feeding.backlogs)) == 3)
        more = [
            ("x@f.test", article("x@f.test", "comp.lang.python")),
            ("y@f.test", article("y@f.test", "local.test,comp.lang.python")),
        ]
        await bring(a.ports["nntp"], numbered(2) + more)
        out = a.app.config.data / "out"
        await until(
            lambda: all(each.ranges == 0 and not each.ahead for each in a.store.peek(feeding.backlogs))
        )
        listed = (out / "list").read_text().splitlines()
        assert [line.split()[0] for line in listed] == ["<0@f.test>", "<1@f.test>", "<y@f.test>"]
        batch = (out / "batch").read_bytes()
        assert batch.count(b"#! rnews ") == 2
        assert b"Hello" not in batch
        assert b"\nBytes: " in batch
        assert b"\r" not in batch
        piped = (tmp_path / "piped").read_bytes()
        assert piped.count(b"#! rnews ") == 3
        assert piped.count(b"Hello\n") == 3


@pytest.mark.parametrize("by", ["number", "newnews"])
async def test_fetching_as_a_reader(tmp_path: Path, by: str) -> None:
    async with start_server(tmp_path / "b", only=("nntp",), nntp={"peer": (peer("a"),)}) as b:
        await bring(b.ports["nntp"], numbered(130))
        source = peer(
            "b",
            addresses=(),
            host="127.0.0.1",
            port=b.ports["nntp"],
            pull="local.*",
            pull_by=by,
            pull_first=1000,
        )
        fetching = {"peer": (source,), "path_host": "a.test"}
        async with start_server(tmp_path / "a", only=("nntp",), nntp=fetching) as a:
            if by == "number":
                await until(lambda: count(a) == 130, "not all fetched")
            else:
                await until(lambda: count(a) >= 130, "not all fetched")
            assert len(set(ids(a))) == 130


@pytest.mark.parametrize("tls", ["starttls", "implicit", "opportunistic"])
async def test_a_peer_that_wants_tls_and_a_login(tmp_path: Path, tls: str) -> None:
    known = peer("a", addresses=(), accounts=("alice@example.org",), require_tls=True)
    async with start_server(
        tmp_path / "b", only=("nntp",), nntp={"peer": (known,), "path_host": "b.test"}
    ) as b:
        to_b = peer(
            "b",
            addresses=("192.0.2.1",),
            host="127.0.0.1",
            port=b.ports["nntps" if tls == "implicit" else "nntp"],
            send="*",
            tls=tls,
            verify=False,
            user="alice@example.org",
            password="demo",
        )
        sending = {"peer": (to_b, peer("in")), "path_host": "a.test"}
        async with start_server(tmp_path / "a", only=("nntp",), nntp=sending) as a:
            await until(lambda: bool(a.store.peek(feeding.backlogs)))
            await bring(a.ports["nntp"], numbered(5))
            await until(lambda: count(b) == 5, "not all arrived")


async def test_what_is_sent_is_compressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not to a peer on the same machine; here it is said to be another."""
    monkeypatch.setattr(Connection, "_local", False)
    async with start_server(tmp_path / "b", only=("nntp",), nntp={"peer": (peer("a"),)}) as b:
        port = b.ports["nntp"]
        to_b = peer("b", addresses=("192.0.2.1",), host="127.0.0.1", port=port, send="*")
        link = await Connection.open(to_b)
        assert link.compressed
        await link.close()
        async with start_server(tmp_path / "a", only=("nntp",), nntp={"peer": (to_b, peer("in"))}) as a:
            await until(lambda: bool(a.store.peek(feeding.backlogs)))
            await bring(a.ports["nntp"], numbered(20))
            await until(lambda: count(b) == 20, "not all arrived")
