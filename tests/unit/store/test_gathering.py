"""In a crowd a commit waits for those whom the last one answered, so that nobody waits for two flushes."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quintet.config.store import Store as StoreConfig
from quintet.store import writer
from quintet.store.db import Tx, bounded
from quintet.store.store import Store

CLIENTS, ROUNDS = 6, 10


@bounded()
def _note(tx: Tx, name: str) -> None:
    tx.run(
        "INSERT INTO setting (name, value) VALUES (?, '') ON CONFLICT (name) DO UPDATE SET value = ''", name
    )


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    monkeypatch.setattr(writer, "CROWD_S", 60.0)  # however slow the machine is
    store = await Store.open(StoreConfig(data=str(tmp_path)))
    yield store
    await store.close()


async def _client(store: Store, number: int, rounds: int) -> None:
    for _ in range(rounds):
        await store.write(_note, f"client {number}")
        await asyncio.sleep(0.0005 * number)  # on its way to the next


async def test_lock_step_clients_share_every_flush(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "GATHER_S", 60.0)
    before = store.commits
    await asyncio.gather(*(_client(store, number, ROUNDS) for number in range(CLIENTS)))
    assert store.commits - before == ROUNDS


async def test_who_does_not_come_again_is_not_waited_for_long(store: Store) -> None:
    await asyncio.gather(*(_client(store, number, 1) for number in range(CLIENTS)))
    before = store.commits
    async with asyncio.timeout(30):
        await _client(store, 0, 3)
    assert store.commits - before == 3


async def test_a_crowd_is_there_until_its_flush_is_done(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk takes long, what comes meanwhile is the crowd's."""
    monkeypatch.setattr(writer, "CROWD_S", 0.0)
    flushed, tx = threading.Event(), store._writer._tx
    commit = tx.commit
    monkeypatch.setattr(tx.__class__, "commit", lambda _: (flushed.wait(10), commit())[1])
    clients = [asyncio.create_task(_client(store, number, 1)) for number in range(CLIENTS)]
    await asyncio.sleep(0.05)
    assert store._writer.crowded
    flushed.set()
    await asyncio.gather(*clients)
    assert not store._writer.crowded


async def test_a_crowd_that_shares_its_commit_with_long_work_is_one_too(store: Store) -> None:
    """What may take long makes the whole batch the thread's."""

    def long_work(tx: Tx) -> None:  # it is not bounded
        _note(tx, "long work")

    clients = [_client(store, number, 1) for number in range(CLIENTS)]
    await asyncio.gather(store.write(long_work), *clients)
    assert store._writer.crowded
