"""SIGKILL in the middle of expiry, of an import and of a gateway's round: nothing half done, nothing twice.

`LONG` (environment: QUINTET_LONG) kills ten times as often.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quintet.admin.transfer import inn
from quintet.config.expiry import Expire, Retention
from quintet.config.store import Store as StoreConfig
from quintet.delivery import expiry
from quintet.store import accounts, entries, folders, groups, history, keeping
from quintet.store.content import content_of
from quintet.store.store import Store
from tests.support.letters import letter
from tests.support.stores import expect_sound

KILLS = 80 if os.environ.get("QUINTET_LONG") else 8
ARTICLES = 6000
MAIL = 1500

# forked by `_killed`: everything is imported, so that a life begins with the work
LIVES = """
import asyncio, os, sys, time
from quintet.config.expiry import Expire, Retention
from quintet.config.store import Store as StoreConfig
from quintet.delivery import expiry
from quintet.admin.transfer import inn_load
from quintet.store.store import Store
from pathlib import Path

async def expire(data):
    store = await Store.open(StoreConfig(data=data))
    rules = expiry.Rules([Expire(default=10.0)], [Retention(max_messages=300, undelete=5.0)])
    os.write(1, b"begun\\n")
    expiry.SLICE = 20
    await expiry.run(store, rules)
    os.write(1, b"done\\n")
    await store.close()

async def bring(data, db, spool):
    store = await Store.open(StoreConfig(data=data))
    inn_load.AT_ONCE = 10
    os.write(1, b"begun\\n")
    await inn_load.load(store, Path(db), Path(spool))
    os.write(1, b"done\\n")
    await store.close()

asyncio.run(globals()[sys.argv[1]](*sys.argv[2:]))
"""


def _life(chance: random.Random, *arguments: str, kill: bool, most_s: float) -> bool:
    """One life of a worker, ended by SIGKILL at a random moment; True when it came to its end."""
    process = subprocess.Popen(
        [sys.executable, "-c", LIVES, *arguments], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"begun\n"
        if kill:
            time.sleep(chance.uniform(0, most_s))
            process.send_signal(signal.SIGKILL)
        said = process.stdout.read()
    process.wait(60)
    return said == b"done\n"


@pytest.mark.slow
async def test_expiry_killed_anywhere_takes_each_article_once(tmp_path: Path) -> None:
    data = tmp_path / "data"
    config = StoreConfig(data=str(data))
    store = await Store.open(config)
    old = store.clock.now() - 20 * 86_400_000
    places = [await store.write(groups.create, f"local.{number}") for number in range(3)]
    account = await store.write(accounts.create, "alice")
    inbox = store.peek(folders.find, account.id, "INBOX")
    assert inbox is not None

    def fill(tx, start):  # type: ignore[no-untyped-def] # a transaction function of this test only
        for number in range(start, start + 500):
            text = f"From: a@b.example\r\nMessage-ID: <{number}@e>\r\nSubject: s\r\n\r\nx\r\n"
            where = [places[number % 3].id, *([places[0].id] if number % 3 and number % 5 == 0 else [])]
            at = old if number < ARTICLES - 500 else tx.now
            groups.file(tx, where, content_of(text.encode()), path=b"x!y", host="x", received_at=at)

    def mail(tx, start):  # type: ignore[no-untyped-def] # the same
        for number in range(start, start + 500):
            entries.add(tx, [inbox.id], letter(number), received_at=tx.now)

    for start in range(0, ARTICLES, 500):
        await store.write(fill, start)
    for start in range(0, MAIL, 500):
        await store.write(mail, start)
    await store.write(keeping.set_window, 5 * 86_400_000)
    await store.close()

    chance, finished = random.Random(5), 0
    for _ in range(KILLS):
        finished += _life(chance, "expire", str(data), kill=True, most_s=0.5)
        store = await Store.open(config)
        expect_sound(store)
        await store.close()
    assert finished < KILLS, "nothing was killed in the middle"
    assert _life(chance, "expire", str(data), kill=False, most_s=0)
    store = await Store.open(config)
    try:
        expect_sound(store)
        assert store.peek(history.count) == ARTICLES
        left = set(range(ARTICLES - 500, ARTICLES))
        known = store.known_many([f"<{number}@e>" for number in range(ARTICLES)])
        assert len(known) == ARTICLES
        ids = store.peek(lambda tx: [row[0] for row in tx.all(
            "SELECT m.message_id FROM history h JOIN message m ON m.id = h.id AND gone = 0")])  # fmt: skip
        assert set(ids) == {f"<{number}@e>" for number in left}
        assert len(store.peek(entries.uids, inbox.id)) == 300
        kept = store.peek(keeping.listing, account.id, limit=10_000)
        assert len(kept) == MAIL - 300  # each can be had back, once
        for place in places:
            folder = store.peek(groups.get, place.id)
            assert folder.low > 1
            assert folder.high == folder.uid_next - 1
        again = expiry.Rules([Expire(default=10.0)], [Retention(max_messages=300, undelete=5.0)])
        assert await expiry.rehearse(store, again) == []
    finally:
        await store.close()


@pytest.mark.slow
async def test_import_killed_anywhere_brings_each_article_once(tmp_path: Path) -> None:
    db, spool, data = tmp_path / "db", tmp_path / "spool", tmp_path / "data"
    db.mkdir()
    names = {1: "local.a", 2: "local.b"}
    count = 1500
    (db / "active").write_text("".join(f"{name} {count:010d} 0000000001 y\n" for name in names.values()))
    lines = []
    for number in range(1, count + 1):
        places = [(1, number)] if number % 3 else [(1, number), (2, number)]
        xref = " ".join(f"{names[at]}:{uid}" for at, uid in places)
        text = (
            f"Path: o!n\r\nFrom: a@b.example\r\nNewsgroups: local.a\r\nSubject: s\r\n"
            f"Date: Fri, 21 Nov 2025 08:00:00 +0000\r\nMessage-ID: <{number}@o.example>\r\n"
            f"Xref: o {xref}\r\n\r\nx\r\n"
        )
        for at, uid in places:
            path = inn.file_of(spool / "articles", names[at], uid)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(inn.write_article(text.encode()))
        lines.append(
            inn.history_line(
                inn.hashed(f"<{number}@o.example>"), 1_763_700_000 + number, inn.token_of(*places[0])
            )
        )
    (spool / "tradspool.map").write_text("local/a 1\nlocal/b 2\n")
    (db / "history").write_text("".join(lines))

    chance, finished = random.Random(6), 0
    for _ in range(KILLS):
        finished += _life(chance, "bring", str(data), str(db), str(spool), kill=True, most_s=0.4)
        store = await Store.open(StoreConfig(data=str(data)))
        expect_sound(store)
        await store.close()
    assert finished < KILLS, "nothing was killed in the middle"
    assert _life(chance, "bring", str(data), str(db), str(spool), kill=False, most_s=0)
    store = await Store.open(StoreConfig(data=str(data)))
    try:
        expect_sound(store)
        assert store.peek(history.count) == count
        for name, step in (("local.a", 1), ("local.b", 3)):
            folder = store.peek(groups.find, name)
            assert folder is not None
            assert list(store.peek(entries.uids, folder.id)) == list(range(step, count + 1, step))
            arrived = [one.received_at for one in store.peek(entries.listing, folder.id, limit=count)]
            assert arrived == sorted(arrived)
    finally:
        await store.close()
