"""The write-ahead log that has its length from the start holds what it held, and a crash takes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from quintet.config.store import Store as StoreConfig
from quintet.store import db, loglength
from quintet.store.db import Tx
from quintet.store.store import Store


def put(tx: Tx, name: str) -> None:
    tx.run("INSERT INTO setting (name, value) VALUES (?, 'x')", name)


def names(tx: Tx) -> list[str]:
    return [name for (name,) in tx.all("SELECT name FROM setting WHERE value = 'x' ORDER BY name")]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "data" / "quintet.db-wal"


async def opened(log: Path, sync: str = "full") -> Store:
    return await Store.open(StoreConfig(data=str(log.parent), sync=sync))


async def lengthened(store: Store) -> None:
    store.lengthen_log()
    await store.write(put, "after")  # in its turn


async def test_a_log_is_as_long_as_it_becomes_and_grows_no_more(log: Path) -> None:
    store = await opened(log)
    await lengthened(store)
    assert log.stat().st_size == loglength.LENGTH
    for number in range(50):
        await store.write(put, f"{number:02}")
    assert log.stat().st_size == loglength.LENGTH
    await store.close()


async def test_what_was_in_the_log_before_stays_in_it(log: Path) -> None:
    store = await opened(log)
    await store.write(put, "a")
    before = log.read_bytes()
    await lengthened(store)
    assert log.read_bytes()[: len(before)] == before
    assert store.peek(names) == ["a", "after"]
    await store.close()


async def test_a_crash_finds_everything_before_the_zeros(log: Path, tmp_path: Path) -> None:
    store = await opened(log)
    await store.write(put, "a")
    await lengthened(store)
    await store.write(put, "b")
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("quintet.db", "quintet.db-wal"):
        shutil.copy(log.with_name(name), crashed / name)
    await store.close()
    tx = db.SqliteTx(db.open_sqlite(crashed / "quintet.db", writable=True))
    assert names(tx) == ["a", "after", "b"]
    assert tx.value("PRAGMA integrity_check") == "ok"
    db.transact(tx, 0, put, "c")
    tx.close()
    tx = db.SqliteTx(db.open_sqlite(crashed / "quintet.db", writable=True))
    assert names(tx) == ["a", "after", "b", "c"]
    tx.close()


async def test_a_full_disk_leaves_the_log_as_it_was(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await opened(log)
    await store.write(put, "a")
    before = log.stat().st_size

    def full(_: int) -> Any:
        assert log.stat().st_size == loglength.LENGTH
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    store.lengthen_log()
    await store.read(names)  # a turn of the loop, and the writer has begun
    await store.write(put, "b")
    assert before < log.stat().st_size < loglength.LENGTH
    assert store.peek(names) == ["a", "b"]
    await store.close()


async def test_where_nothing_is_flushed_nothing_is_lengthened(log: Path) -> None:
    store = await opened(log, sync="off")
    await lengthened(store)
    assert log.stat().st_size < loglength.LENGTH
    await store.close()
