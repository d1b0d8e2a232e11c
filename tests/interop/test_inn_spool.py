"""A spool that innd wrote is brought over; what we write for INN is read by INN's own programs."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import socket
from pathlib import Path

import pytest

from quintet.admin.transfer import inn_dump, inn_load
from quintet.store import entries, groups
from tests.support import inn as news
from tests.support.feedhouse import article, bring
from tests.support.inn import Inn, inn
from tests.support.stores import open_store

GROUPS = ("local.one", "local.two")
ARTICLES = 12

pytestmark = [pytest.mark.interop, pytest.mark.skipif(bool(news.missing()), reason=news.missing() or "there")]


async def test_spool_of_innd_comes_over_and_back(tmp_path: Path) -> None:
    async with inn("inn.example", GROUPS) as other:
        sent = []
        for number in range(ARTICLES):
            names = ",".join(GROUPS if number % 3 == 0 else GROUPS[:1])
            name = f"{number}@Feed.Example"
            sent.append((name, article(name, names, body="Hello\r\n.a dot\r\n")))
        answers = await bring(other.port, sent)
        assert all(answer.startswith("239") for answer in answers), answers
        await asyncio.to_thread(other.stop)
        texts = await _over(other, tmp_path)
        theirs = {line.split("\t")[0] for line in (other.folder / "db/history").read_text().splitlines()}
        ours = (tmp_path / "out/db/history").read_text().splitlines()
        assert {line.split("\t")[0] for line in ours} == theirs
        await asyncio.to_thread(_back, other, tmp_path / "out")
        for message_id, text in texts.items():
            token = (await asyncio.to_thread(other.run, "grephistory", message_id)).strip()
            assert token.startswith("@05"), token
            told = await asyncio.to_thread(other.run, "sm", "-R", token)
            assert told.encode().replace(b"\r\n..", b"\r\n.").removesuffix(b".\r\n") == text
        await other.start()
        assert await asyncio.to_thread(_read, other.port) == [
            f"211 {ARTICLES} 1 {ARTICLES} {GROUPS[0]}",
            *texts,
        ]


def _read(port: int) -> list[str]:
    """By a reader, who looks into the overview: the group, and the ids of its first articles."""
    with socket.create_connection(("127.0.0.1", port), 20) as talk, talk.makefile("rb") as lines:
        lines.readline()
        said = []
        for command in ("MODE READER", f"GROUP {GROUPS[0]}", "OVER 1-3"):
            talk.sendall(f"{command}\r\n".encode())
            said.append(lines.readline().decode().rstrip())
        ids = [lines.readline().decode().split("\t")[4] for _ in range(3)]
    return [said[1], *ids]


async def _over(other: Inn, folder: Path) -> dict[str, bytes]:
    """INN's spool into a store, and out of it again; some articles by their ids."""
    async with open_store(folder / "data") as store:
        result = await inn_load.load(store, other.folder / "db", other.folder / "spool")
        assert (result.added, result.failures) == (ARTICLES, 0)
        one, two = (store.peek(groups.find, name) for name in GROUPS)
        assert one is not None
        assert two is not None
        assert (one.low, one.high, one.messages) == (1, ARTICLES, ARTICLES)
        assert two.messages == ARTICLES // 3
        for name in ("control", "junk"):  # of ours only some have these, and innd needs them
            special = store.peek(groups.find, name)
            if special is not None:
                await store.write(groups.remove, special.id)
        await inn_dump.dump(store, folder / "out")
        refs = store.peek(entries.bodies, one.id, [1, 2, 3])
        rows = store.peek(entries.lines, one.id, 1, 3, columns=("uid", "message_id"))
        return {text: store.read_body(refs[uid]) for uid, text in rows}


def _back(other: Inn, out: Path) -> None:
    """What was written becomes INN's own."""
    for name in ("db", "spool"):
        shutil.rmtree(other.folder / name)
        shutil.copytree(out / name, other.folder / name)
    (other.folder / "spool/overview").mkdir()
    user = pwd.getpwnam(news.USER)
    for place in (other.folder, *other.folder.rglob("*")):
        os.chown(place, user.pw_uid, user.pw_gid)
    other.run("makedbz", "-i", "-o", cwd=other.folder / "db")
    other.run("makehistory", "-x", "-O")
