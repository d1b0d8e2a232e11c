"""Small news servers that live off a reader's account: leafnode, and suck as the feeder of another server."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from quintet.config import root
from quintet.config.peers import Peer
from quintet.delivery.feeds.puller import Puller
from quintet.nntp.client import Connection
from quintet.store import check
from quintet.store.store import Store
from tests.interop.test_nntp_clients import needs, run
from tests.support import leafnode as leaves
from tests.support.feedhouse import GROUP, article, bring, count, ids, peer, text_of, until
from tests.support.leafnode import Leafnode
from tests.support.server import Server, configured, people, start_server, write_config

pytestmark = pytest.mark.interop

leafnode_is_here = pytest.mark.skipif(bool(leaves.missing()), reason=leaves.missing() or "there")
LOGIN = ("alice@example.org", "demo")
TAKING = {"peer": (peer("in"),), "path_host": "ours.test"}


def numbered(many: int, **more: str) -> list[tuple[str, bytes]]:
    return [(f"{number}@f.test", article(f"{number}@f.test", **more)) for number in range(many)]


@pytest.fixture
def leaf() -> Iterator[Leafnode]:
    """In a folder that its user can reach: those of pytest are closed to others."""
    with tempfile.TemporaryDirectory(prefix="leaf-") as name:
        Path(name).chmod(0o755)
        yield Leafnode(Path(name))


async def say(port: int, text: str) -> str:
    """Gives a server some lines; all that it answers until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(text.replace("\n", "\r\n").encode())
        async with asyncio.timeout(30):
            return (await reader.read()).decode()
    finally:
        writer.close()
        await writer.wait_closed()


@leafnode_is_here
async def test_leafnode_reads_and_posts_here(tmp_path: Path, leaf: Leafnode) -> None:
    """It logs in, fetches each article once, and brings what its own readers posted."""
    async with start_server(tmp_path / "a", only=("nntp",), nntp={**TAKING, "read": "authenticated"}) as a:
        sent = [*numbered(20), ("dots@f.test", article("dots@f.test", body="..\r\n.x\r\n"))]
        sent.append(("cross@f.test", article("cross@f.test", f"{GROUP},comp.lang.python")))
        await bring(a.ports["nntp"], sent)
        leaf.prepare(a.ports["nntp"], [GROUP, "comp.lang.python"], LOGIN)
        said = await asyncio.to_thread(leaf.fetch)
        assert said.count("storing <") == 22
        assert "authenticated as alice@example.org" in said
        stored = [
            path.read_bytes() for path in (leaf.folder / "spool/local/test").iterdir() if path.name.isdigit()
        ]
        assert len(stored) == 22
        assert any(one.endswith(b"\n\n..\n.x\n") for one in stored)  # it keeps articles as plain text
        with leaf.serving() as port:
            text = await say(
                port,
                f"POST\nFrom: bob@example.org\nNewsgroups: {GROUP}\nSubject: Leaf\n\n..hi\n.\nQUIT\n",
            )
        assert "\r\n240 " in text
        said = await asyncio.to_thread(leaf.fetch)
        assert "1 article posted" in said
        assert count(a) == 23
        (name,) = [each for each in ids(a) if leaves.HOST in each]
        assert b"\r\n\r\n.hi\r\n" in text_of(a, name)
        await asyncio.to_thread(leaf.fetch)
        said = await asyncio.to_thread(leaf.fetch)  # nothing comes or goes twice
        assert count(a) == 23
        assert "storing <" not in said
        assert await a.store.read(check.all) == []


async def pull(here: Server, source: Peer) -> int:
    """Looks once; how many articles were new."""
    app = here.app
    assert app.arrivals is not None

    async def connect(peer: Peer) -> Connection:
        return await Connection.open(peer, reader=True)

    return await Puller(app.store, source, connect, app.arrivals, clock=app.clock, limit=1_000_000).look()


@leafnode_is_here
@pytest.mark.parametrize("by", ["number", "newnews"])  # it has no NEWNEWS: by number then as well
async def test_we_fetch_from_leafnode(tmp_path: Path, leaf: Leafnode, by: str) -> None:
    """Its server has what it fetched itself; we read it like anybody, each article once."""
    async with start_server(tmp_path / "a", only=("nntp",), nntp=TAKING) as a:
        sent = [*numbered(70), ("dots@f.test", article("dots@f.test", body="..\r\n.x\r\n"))]
        await bring(a.ports["nntp"], sent)
        leaf.prepare(a.ports["nntp"], [GROUP])
        await asyncio.to_thread(leaf.fetch)
        with leaf.serving() as port:
            source = peer(
                "leaf", addresses=(), host="127.0.0.1", port=port, pull=GROUP, pull_by=by, pull_first=1000
            )
            async with start_server(
                tmp_path / "b", only=("nntp",), nntp={"peer": (source,), "path_host": "b.test"}
            ) as b:
                await until(lambda: count(b) == 71, "not all fetched")
                assert b"\r\n\r\n..\r\n.x\r\n" in text_of(b, "<dots@f.test>")
                await bring(a.ports["nntp"], [("new@f.test", article("new@f.test"))])
                await asyncio.to_thread(leaf.fetch)
                assert await pull(b, source) == 1
                assert await pull(b, source) == 0
                assert len(set(ids(b))) == count(b) == 72
                assert await b.store.read(check.all) == []


@needs("suck")
async def test_suck_feeds_another_server_by_ihave(tmp_path: Path) -> None:
    """It reads from one of ours, and offers what it got to another one."""
    taking = {"peer": (peer("suck"),), "path_host": "b.test"}
    async with (
        start_server(tmp_path / "a", only=("nntp",), nntp=TAKING) as a,
        start_server(tmp_path / "b", only=("nntp",), nntp=taking) as b,
    ):
        sent = [*numbered(12), ("dots@f.test", article("dots@f.test", body="..\r\n.x\r\n"))]
        await bring(a.ports["nntp"], sent)
        await bring(b.ports["nntp"], [sent[3]])  # known there
        (tmp_path / "sucknewsrc").write_text(f"{GROUP} 0\n")
        (tmp_path / "Msgs").mkdir()
        await run(
            "suck", f"127.0.0.1:{a.ports['nntp']}", "-M", "-m", "-dd", ".", "-dt", ".", "-dm", "Msgs", "-bp",
            "-hl", f"127.0.0.1:{b.ports['nntp']}", home=tmp_path,
        )  # fmt: skip
        assert count(b) == 13
        assert len(set(ids(b))) == 13
        assert b"\r\n\r\n..\r\n.x\r\n" in text_of(b, "<dots@f.test>")


@needs("suck")
async def test_what_suck_batched_comes_in_by_rnews(tmp_path: Path) -> None:
    """suck -br writes a batch, and `quintet rnews` takes it while the server runs."""
    with tempfile.TemporaryDirectory() as name:
        config = write_config(Path(name), configured(Path(name)))
        async with start_server(tmp_path / "a", only=("nntp",), nntp=TAKING) as a:
            sent = [*numbered(5), ("dots@f.test", article("dots@f.test", body="..\r\n.x\r\n"))]
            await bring(a.ports["nntp"], sent)
            (tmp_path / "sucknewsrc").write_text(f"{GROUP} 0\n")
            (tmp_path / "Msgs").mkdir()
            await run(
                "suck", f"127.0.0.1:{a.ports['nntp']}", "-M", "-m", "-dd", ".", "-dt", ".", "-dm", "Msgs",
                "-br", "batch", home=tmp_path,
            )  # fmt: skip
        batches = [path for path in tmp_path.iterdir() if path.name.startswith("batch")]
        b = await Store.open(root.from_file(config).store)
        try:
            await people(b, root.from_file(config))
        finally:
            await b.close()
        quintet = [sys.executable, "-m", "quintet", "rnews", "-c", str(config)]
        await run(*quintet, *map(str, batches), home=tmp_path)
        b = await Store.open(root.from_file(config).store)
        try:
            assert count(b) == 6
        finally:
            await b.close()
