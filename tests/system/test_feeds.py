"""Articles go from server to server: streaming, one by one, in batches, in part, under TLS, and to files."""

from __future__ import annotations

import asyncio
import bz2
import dataclasses
import gzip
from pathlib import Path

import pytest

from quintet.delivery.feeds.link import Verdict
from quintet.nntp.client import Connection
from quintet.store import check, feeding
from tests.support import pki
from tests.support.feedhouse import article, bring, count, ids, peer, text_of, until
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
            assert set(ids(b)) == set(ids(a))


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


@pytest.mark.parametrize("packing", ["none", "gzip", "bzip2"])
async def test_batches_by_xbatch(tmp_path: Path, packing: str) -> None:
    """A peer gets whole batches, as INN takes them."""
    taking = {"peer": (peer("a", identity=("a.test",)),), "path_host": "b.test"}
    async with start_server(tmp_path / "b", only=("nntp",), nntp=taking) as b:
        to_b = peer(
            "b", host="127.0.0.1", port=b.ports["nntp"], send="*", identity=("b.test",), xbatch=True,
            packing=packing,
        )  # fmt: skip
        async with start_server(
            tmp_path / "a", only=("nntp",), nntp={"peer": (to_b,), "path_host": "a.test"}
        ) as a:
            await until(lambda: bool(a.store.peek(feeding.backlogs)))
            sent = [*numbered(120), ("dots@f.test", article("dots@f.test", body=".\r\n..x\r\n"))]
            await bring(a.ports["nntp"], sent)
            await until(lambda: count(b) == 121, "not all arrived")
            await until(lambda: a.store.peek(feeding.backlogs)[0].ranges == 0)
            assert sorted(ids(b)) == sorted(f"<{ident}>" for ident, _ in sent)
            assert b"\r\n\r\n.\r\n..x\r\n" in text_of(b, "<dots@f.test>")
        assert await b.store.read(check.all) == []


async def test_a_peer_that_takes_no_batches_gets_none(tmp_path: Path) -> None:
    async with start_server(tmp_path / "b", only=("nntp",)) as b:
        to_b = peer("b", host="127.0.0.1", port=b.ports["nntp"], send="*", xbatch=True)
        async with start_server(tmp_path / "a", only=("nntp",), nntp={"peer": (to_b,)}) as a:
            await until(lambda: bool(a.store.peek(feeding.backlogs)))
            await bring(a.ports["nntp"], numbered(1))
            await until(lambda: "XBATCH: 480" in a.store.peek(feeding.backlogs)[0].state)
            assert a.store.peek(feeding.backlogs)[0].ranges == 1  # it waits


async def test_packed_batches_in_files_and_pipes(tmp_path: Path) -> None:
    peers = (
        peer("file", output="batch:out/batch.gz", send="*", packing="gzip", addresses=("192.0.2.1",)),
        peer("pipe", output=f"pipe:cat >>{tmp_path}/piped", send="*", packing="bzip2",
             addresses=("192.0.2.2",)),
        peer("in"),
    )  # fmt: skip
    async with start_server(tmp_path / "a", only=("nntp",), nntp={"peer": peers}) as a:
        await until(lambda: len(a.store.peek(feeding.backlogs)) == 2)
        settled = lambda: all(not one.ranges and not one.ahead for one in a.store.peek(feeding.backlogs))  # noqa: E731
        await bring(a.ports["nntp"], numbered(2))
        await until(settled)
        await bring(a.ports["nntp"], numbered(1, "g.test"))
        await until(settled)
        batch = gzip.decompress((a.app.config.data / "out/batch.gz").read_bytes())  # one file of all rounds
        assert batch.count(b"#! rnews ") == 3
        piped = (tmp_path / "piped").read_bytes()
        parts = piped.split(b"#! bunbatch\n")[1:]
        assert b"".join(bz2.decompress(part) for part in parts).count(b"#! rnews ") == 3


async def test_large_articles_with_and_without_their_bodies(tmp_path: Path) -> None:
    """Those that the store keeps in files."""
    big = article("big@f.test", body="x" * 70 + "\r\n.dot\r\n" + ("y" * 70 + "\r\n") * 6000)
    async with (
        start_server(tmp_path / "b", only=("nntp",), nntp={"peer": (peer("a"),)}) as b,
        start_server(tmp_path / "c", only=("nntp",), nntp={"peer": (peer("a"),)}) as c,
    ):
        peers = (
            peer("b", host="127.0.0.1", port=b.ports["nntp"], send="*", addresses=("192.0.2.1",)),
            peer("c", host="127.0.0.1", port=c.ports["nntp"], send="*", header_only=True),
        )
        async with start_server(tmp_path / "a", only=("nntp",), nntp={"peer": peers}) as a:
            await until(lambda: len(a.store.peek(feeding.backlogs)) == 2)
            assert (await bring(a.ports["nntp"], [("big@f.test", big)]))[0].startswith("239")
            await until(lambda: count(b) == 1 and count(c) == 1, "not all arrived")
            size = len(text_of(a, "<big@f.test>"))
            assert text_of(b, "<big@f.test>").endswith(big[big.index(b"\r\n\r\n") :])
            header = text_of(c, "<big@f.test>")
            assert size > 400_000
            assert len(header) < 1000
            assert header.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("shown", ["right", "other", "none"])
async def test_a_peer_known_by_its_certificate(tmp_path: Path, shown: str) -> None:
    """Articles are taken from who shows the certificate, and from nobody else."""
    authority = pki.authority()
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(authority.certificate.public_bytes(pki.PEM))
    files = {"none": ""}
    for name, host in (("right", "a.test"), ("other", "evil.test")):
        files[name] = str(pki.issue([host], by=authority).save(tmp_path / f"{name}.pem"))
    known = peer("a", addresses=(), certificates=("a.test",), require_tls=True)
    taking = {"peer": (known,), "path_host": "b.test", "read": "authenticated"}
    async with start_server(
        tmp_path / "b", only=("nntp",), nntp=taking, tls={"client_ca": str(ca_file)}
    ) as b:
        to_b = peer(
            "b", addresses=("192.0.2.1",), host="127.0.0.1", port=b.ports["nntp"], send="*", tls="starttls",
            verify=False, certificate=files[shown],
        )  # fmt: skip
        sending = {"peer": (to_b, peer("in")), "path_host": "a.test"}
        async with start_server(tmp_path / "a", only=("nntp",), nntp=sending) as a:
            await until(lambda: bool(a.store.peek(feeding.backlogs)))
            await bring(a.ports["nntp"], numbered(3))
            if shown == "right":
                await until(lambda: count(b) == 3, "not all arrived")
            else:
                await until(lambda: "480" in a.store.peek(feeding.backlogs)[0].state, "not refused")
                assert count(b) == 0


async def test_a_reload_begins_and_ends_feeds_and_keeps_offers(tmp_path: Path) -> None:
    """What was asked of a peer before is asked of no other after it; nothing is left running."""
    async with start_server(tmp_path / "b", only=("nntp",), nntp={"peer": (peer("a"),)}) as b:
        known = peer("in", addresses=("127.0.0.1", "localhost"))
        async with start_server(tmp_path / "a", only=("nntp",), nntp={"peer": (known,)}) as a:
            old = await Connection.open(peer("a", host="127.0.0.1", port=a.ports["nntp"]))
            assert (await old.round([], ["<x@f.test>"]))[1] == [Verdict.WANTED]
            to_b = peer("b", addresses=("192.0.2.1",), host="127.0.0.1", port=b.ports["nntp"], send="*")
            for peers in ((known, to_b), (known,), (known, to_b)):
                config = a.app.config
                nntp = dataclasses.replace(config.nntp, peer=peers)
                await a.app.reload(dataclasses.replace(config, nntp=nntp))
            new = await Connection.open(peer("a", host="127.0.0.1", port=a.ports["nntp"]))
            assert (await new.round([], ["<x@f.test>"]))[1] == [Verdict.LATER]
            assert (await old.round([], ["<y@f.test>"]))[1] == [Verdict.WANTED]
            assert (await new.round([], ["<y@f.test>"]))[1] == [Verdict.LATER]
            await old.close()
            await until(lambda: len(a.app.arrivals.offers) == 0)  # type: ignore[union-attr]  # there are peers
            await new.close()
            await until(lambda: bool(a.store.peek(feeding.backlogs)))
            await bring(a.ports["nntp"], numbered(5))
            await until(lambda: count(b) == 5, "not all arrived")
            names = [task.get_name() for task in asyncio.all_tasks()]
            assert names.count("peers") == 1
            assert names.count("feed b") <= 2  # the feeder, and its connection
