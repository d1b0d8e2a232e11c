"""SIGKILL while items are saved and messages sent: what was acknowledged is there, whole."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from quintet.config.store import Store as StoreConfig
from quintet.mapi import objects
from quintet.mapi.objects import Box, pid
from quintet.store import accounts, check, folders, pages, queue, rules
from quintet.store.db import Tx
from quintet.store.store import Store
from tests.crash.objectwriter import COPIES, FOLDERS, OWN, TOGETHER, WORDS

KILLS = 16


@pytest.mark.slow
async def test_saved_items_and_sent_messages_survive_kills(tmp_path: Path) -> None:
    data = tmp_path / "data"
    config = StoreConfig(data=str(data))
    store = await Store.open(config)
    await store.write(accounts.add_domain, "example.org")
    for name in ("ann@example.org", "bob@example.org"):
        await store.write(accounts.create, name)
    await store.close()
    out = await asyncio.to_thread(_kill, data)
    lines = [line.split() for line in out.splitlines()]
    words = [word.decode() for word in WORDS]
    told = {word: {int(n) for w, n in lines if w == word} for word in words}
    assert all(len(told[word]) > KILLS / 2 for word in words)
    store = await Store.open(config)
    try:
        assert store.peek(check.everything, store.blobs) == []
        ann, bob = (store.peek(accounts.find, f"{name}@example.org") for name in ("ann", "bob"))
        assert ann is not None
        assert bob is not None
        boxes = [await store.write(objects.logon, one.id, one.id, files=store.blobs) for one in (ann, bob)]
        await store.read(_look_at_items, boxes[0], told["saved"])
        await store.read(_look_at_mail, boxes, told["sent"])
        await store.read(_look_at_rules, boxes[0], told["ruled"], told["came"])
    finally:
        await store.close()


def _kill(data: Path) -> str:
    command = [sys.executable, "-m", "tests.crash.objectwriter", str(data), str(KILLS), "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def _look_at_items(tx: Tx, box: Box, saved: set[int]) -> None:
    """Each is there once, with its property, its attachment, and its letter where it lies among mail."""
    found: Counter[int] = Counter()
    with box.using(tx):
        for role in FOLDERS:
            for hidden in (False, True):
                for number in pages.ids(tx, box.special[role], hidden=hidden):
                    message = box.message(number)
                    own = message.value(OWN)
                    assert message.value(pid.SUBJECT) == f"item {own}"
                    size = 200_000 if own % 11 == 0 else 100
                    assert message.attachment(0).value(pid.ATTACH_DATA) == bytes(size)
                    found[own] += 1
    assert saved <= found.keys()
    assert set(found.values()) <= {1}


def _look_at_mail(tx: Tx, boxes: list[Box], sent: set[int]) -> None:
    """Bob has each that was acknowledged; Ann has none of them left as if it had never been sent."""
    ann, bob = boxes
    arrived = _subjects(tx, bob, "inbox")
    filed, waiting = _subjects(tx, ann, "sent"), _subjects(tx, ann, "outbox")
    for number in sent:
        assert arrived[f"mail {number}"] == 1
        assert filed[f"mail {number}"] == 1
    # a kill between acceptance and filing leaves it in the folder, marked; so nothing is lost
    assert set(arrived) - set(filed) <= set(waiting)
    with ann.using(tx):
        table = ann.folder(ann.special["outbox"]).contents()
        table.set_columns([pid.MESSAGE_FLAGS])
        assert all(flags & pid.MF_SUBMITTED for (flags,) in table.query(1000))


def _look_at_rules(tx: Tx, box: Box, ruled: set[int], came: set[int]) -> None:
    """A table is whole and no older than the last that was told; a letter is everywhere once, or nowhere."""
    names = Counter(row.name for row in rules.listing(tx, box.special["drafts"]))
    ((name, number),) = names.items()
    assert number == TOGETHER
    assert int(name.removeprefix("rules ")) >= max(ruled)
    copies = folders.find(tx, box.account.id, COPIES)
    assert copies is not None
    with box.using(tx):
        found = []
        for place in (box.special["inbox"], copies.id):
            table = box.folder(place).contents()
            table.set_columns([pid.SUBJECT, OWN])
            rows = [row for row in table.query(100_000) if row[0].startswith("came ")]
            assert all(own == 1 for _, own in rows)
            found.append(Counter(int(subject.removeprefix("came ")) for subject, _ in rows))
    queued = Counter(
        int(tx.value("SELECT message_id FROM message WHERE id = ?", one.message_row)[1:].partition("@")[0])
        for one in queue.listing(tx, limit=100_000)
        if one.address == "far@example.com"
    )
    assert found[0] == found[1] == queued
    assert set(queued.values()) <= {1}
    assert came <= queued.keys()


def _subjects(tx: Tx, box: Box, role: str) -> Counter[str]:
    with box.using(tx):
        table = box.folder(box.special[role]).contents()
        table.set_columns([pid.SUBJECT])
        return Counter(subject for (subject,) in table.query(100_000))
