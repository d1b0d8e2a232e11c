"""Backup while serving, restore, migrations."""

import asyncio
import shutil
from pathlib import Path

import pytest

from quintet.config.store import Store as StoreConfig
from quintet.store import accounts, backup, db, entries, folders, migrate
from quintet.store.model import FolderId
from quintet.store.store import Store
from tests.support.letters import letter
from tests.support.stores import expect_sound


async def filled(store: Store) -> FolderId:
    account = await store.write(accounts.create, "alice")
    found = store.peek(folders.find, account.id, "INBOX")
    assert found is not None
    for number in range(5):
        await store.write(entries.add, [found.id], letter(number), received_at=1)
    spool = store.spool()
    spool.write(b"Subject: large\r\n\r\n" + b"z" * 200_000)
    await store.write(entries.add, [found.id], await spool.finish(), received_at=1)
    return found.id


async def test_backup_taken_while_serving_is_whole(store: Store, tmp_path: Path) -> None:
    inbox = await filled(store)
    told: list[tuple[str, int, int]] = []
    copying = asyncio.create_task(
        asyncio.to_thread(backup.copy, store.data, tmp_path / "copy", lambda *step: told.append(step))
    )
    for number in range(10, 30):
        await store.write(entries.add, [inbox], letter(number), received_at=1)
    assert await copying == 1
    assert told[-1] == ("bodies", 1, 1)
    with pytest.raises(backup.NotEmpty):
        backup.copy(store.data, tmp_path / "copy")
    assert await asyncio.to_thread(backup.restore, tmp_path / "copy", tmp_path / "new") == 1
    restored = await Store.open(StoreConfig(data=str(tmp_path / "new"), sync="off"))
    try:
        there = restored.peek(folders.get, inbox)
        assert 6 <= there.messages <= 26
        ref = restored.peek(entries.body_ref, inbox, 6)
        assert (await asyncio.to_thread(restored.read_body, ref)).endswith(b"z" * 100)
        expect_sound(restored)
    finally:
        await restored.close()


async def test_damaged_backup_is_not_restored(store: Store, tmp_path: Path) -> None:
    await filled(store)
    backup.copy(store.data, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "blobs")
    with pytest.raises(ValueError, match="40: blob"):
        backup.restore(tmp_path / "copy", tmp_path / "new")
    with pytest.raises(ValueError, match="no backup"):
        backup.restore(tmp_path / "nothing", tmp_path / "new")


def test_data_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    tx = db.SqliteTx(db.open_sqlite(tmp_path / "quintet.db", writable=True, sync="off"))
    assert migrate.upgrade(tx, 1) == [f"{number:04}_{name}" for number, name, _ in migrate.steps()]
    assert migrate.upgrade(tx, 2) == []
    tx.run("INSERT INTO migration (number, name, applied_at) VALUES (9999, 'future', 3)")
    with pytest.raises(migrate.TooNew, match="9999"):
        migrate.upgrade(tx, 4)
    tx.close()


def test_rehearsal_changes_nothing(tmp_path: Path) -> None:
    tx = db.SqliteTx(db.open_sqlite(tmp_path / "quintet.db", writable=True, sync="off"))
    tx.run("CREATE TABLE other (x INTEGER)")
    assert migrate.rehearse(tmp_path, 1)[0] == "0001_base"
    assert migrate.version(tx) == 0
    tx.close()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("rehearse")] == []


def test_failed_migration_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "steps", lambda: [(1, "bad", "CREATE TABLE a (x INTEGER); SELECT nonsense")])
    tx = db.SqliteTx(db.open_sqlite(tmp_path / "quintet.db", writable=True, sync="off"))
    with pytest.raises(Exception, match="nonsense"):
        migrate.upgrade(tx, 1)
    assert tx.value("SELECT count(*) FROM sqlite_master WHERE name = 'a'") == 0
    assert migrate.version(tx) == 0
    tx.close()
