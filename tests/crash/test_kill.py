"""SIGKILL at random moments: every letter that was acknowledged is there, exactly once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from quintet.config.store import Store as StoreConfig
from quintet.store import accounts, check, sweep
from quintet.store.store import Store
from tests.support.stores import expect_sound

KILLS = 200
ROUNDS = 10  # looked at in between


@pytest.mark.slow
async def test_acknowledged_letters_survive_200_kills(tmp_path: Path) -> None:
    data = tmp_path / "data"
    config = StoreConfig(data=str(data))
    store = await Store.open(config)
    await store.write(accounts.create, "alice")
    await store.close()
    acknowledged: set[int] = set()
    killed = 0
    for turn in range(ROUNDS):
        before = len(acknowledged)
        out = await asyncio.to_thread(_round, data, turn)
        for line in out.splitlines():
            if line.startswith("killed"):
                killed += int(line.split()[1])
            else:
                # numbers are unique in a round; rounds are told apart by a million of millions
                acknowledged.add(int(line) + turn * 10**12)
        assert len(acknowledged) > before, "nobody wrote anything"
        store = await Store.open(config)
        try:
            expect_sound(store)
            numbers = await store.read(_numbers, turn)
            expected = {n - turn * 10**12 for n in acknowledged if n // 10**12 == turn}
            assert not {n: times for n, times in numbers.items() if times > 1}
            assert expected <= set(numbers), sorted(expected - set(numbers))[:10]
            await store.write(_forget)
        finally:
            await store.close()
    assert killed >= KILLS
    store = await Store.open(config)
    assert await sweep.files(store) == 0  # orphans are younger than a day
    broken = store.peek(check.everything, store.blobs)
    await store.close()
    assert not broken


def _round(data: Path, seed: int) -> str:
    command = [
        sys.executable,
        "-m",
        "tests.crash.writer",
        str(data),
        str(KILLS // ROUNDS // 2),
        "2",
        str(seed),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def _numbers(tx, turn):  # type: ignore[no-untyped-def] # a transaction function of this test only
    rows = tx.all("SELECT m.message_id FROM entry e JOIN message m ON m.id = e.message_id")
    return Counter(int(text[2:].partition("@")[0]) for (text,) in rows)


def _forget(tx):  # type: ignore[no-untyped-def] # the same
    from quintet.store import entries, folders

    account = accounts.find(tx, "alice")
    for folder in folders.listing(tx, account.id):
        entries.expunge(tx, folder.id, list(entries.uids(tx, folder.id)))
