"""An innd with readers and peers is moved by one command, and its reader and peers go on where they were."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from quintet.admin import cli
from quintet.app import App
from quintet.config import root
from tests.support import inn as news
from tests.support.feedhouse import article, bring, count, peer, until
from tests.support.inn import Feed, inn
from tests.support.server import Server, start_server

GROUPS = ("local.one", "local.test", "local.bad")

pytestmark = [pytest.mark.interop, pytest.mark.skipif(bool(news.missing()), reason=news.missing() or "there")]


async def asked(port: int, *commands: str) -> list[str]:
    """The first lines of answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = [await reader.readline()]
    for command in commands:
        writer.write(f"{command}\r\n".encode())
        answers.append(await reader.readline())
        if answers[-1].startswith((b"221", b"215")):
            while await reader.readline() != b".\r\n":
                pass
    writer.close()
    return [answer.decode().rstrip() for answer in answers]


async def test_one_command_moves_an_innd_with_readers_and_peers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with start_server(
        tmp_path / "next", only=("nntp",), nntp={"peer": (peer("inn.example"),)}
    ) as after:
        feeds = [Feed("next.example", "next.example", after.ports["nntp"])]
        options = ' patterns: "local.*,@local.bad"\n'
        async with inn("inn.example", GROUPS, feeds=feeds, senders=("127.0.0.1",)) as other:
            place = other.folder / "etc/incoming.conf"
            place.write_text(
                place.read_text().replace('"127.0.0.1"\n', '"127.0.0.1, up.example"\n' + options)
            )
            sent = [(f"{number}@up", article(f"{number}@up", "local.one")) for number in range(5)]
            assert all(answer.startswith("239") for answer in await bring(other.port, sent))
            theirs = await asked(other.port, "MODE READER", "GROUP local.one", "STAT 3", "HEAD 5")
            await asyncio.to_thread(other.stop)
            file = tmp_path / "moved/quintet.toml"
            etc = str(other.folder / "etc")
            data = ["--db", str(other.folder / "db"), "--spool", str(other.folder / "spool")]
            words = ["import", "inn", "--etc", etc, "-c", str(file), *data]
            moved = await asyncio.to_thread(cli.run, words)
            assert moved == 0, capsys.readouterr().err
        file.write_text(file.read_text().replace("port = 563", "port = 0"))
        app = App(root.from_file(file))
        await app.start()
        try:
            here = Server(app, {name: each.port for name, each in app.listeners.items()})
            assert here.ports["nntp"] == other.port
            ours = await asked(here.ports["nntp"], "MODE READER", "GROUP local.one", "STAT 3", "HEAD 5")
            assert [each.split()[:3] for each in ours[2:]] == [each.split()[:3] for each in theirs[2:]]
            names = {"0@up": "local.one", "new@up": "local.test", "bad@up": "local.test,local.bad"}
            new = [(each, article(each, groups)) for each, groups in names.items()]
            answers = await bring(here.ports["nntp"], new)
            assert [answer[:3] for answer in answers] == ["439", "239", "439"]
            await until(lambda: count(after, "local.test") == 1, "the feed goes on")
        finally:
            await app.stop(1.0)
