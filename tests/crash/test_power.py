"""The power fails at every flush and between them: what was acknowledged is there, once, and all is sound.

The disk of these tests keeps what was flushed, and of what was not: nothing, all, or half a write.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import threading
from pathlib import Path

import apsw
import pytest

from quintet.config.store import Store as StoreConfig
from quintet.store import accounts, check, db, entries, folders
from quintet.store.blobs import Blobs
from quintet.store.content import content_of
from quintet.store.model import FolderId
from quintet.store.store import Store

CLIENTS, LETTERS = 8, 40
OUTAGES = 60


class Disk:
    """What of a database would still be there without power."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = {name: folder / name for name in ("quintet.db", "quintet.db-wal")}
        self.kept = dict.fromkeys(self.files, b"")
        self.lock = threading.Lock()

    def flushed(self, name: str) -> None:
        """All of a file is on the disk now."""
        path = self.files[name]
        data = path.read_bytes() if path.exists() else b""
        with self.lock:
            self.kept[name] = data

    def image(self, target: Path, chance: random.Random) -> None:
        """As the machine would find it: what was flushed, and perhaps some of what was not."""
        target.mkdir()
        with self.lock:
            kept = dict(self.kept)
        (target / "quintet.db").write_bytes(kept["quintet.db"])
        log, now = kept["quintet.db-wal"], self.files["quintet.db-wal"].read_bytes()
        upto = chance.choice((0, len(now), chance.randrange(len(now) + 1)))
        (target / "quintet.db-wal").write_bytes(now[:upto] + log[upto:])


class KeepingVfs(apsw.VFS):
    """SQLite's own file system; tells a `Disk` what SQLite flushes by itself."""

    def __init__(self, disk: Disk, name: str) -> None:
        self.disk = disk
        super().__init__(name, "")

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 (SQLite's word)
        return KeepingFile(self.disk, name, flags)


class KeepingFile(apsw.VFSFile):
    """A file of a `KeepingVfs`."""

    def __init__(self, disk: Disk, name: apsw.URIFilename | str | None, flags: list[int]) -> None:
        self.disk = disk
        self.name = Path(name.filename() if isinstance(name, apsw.URIFilename) else name or "").name
        super().__init__("", name, flags)

    def xSync(self, flags: int) -> None:  # noqa: N802 (SQLite's word)
        super().xSync(flags)
        if self.name in self.disk.files:
            self.disk.flushed(self.name)


def found(folder: Path, numbers: set[int]) -> tuple[list[str], set[int]]:
    """Broken invariants, and which messages are there once; more often is an error."""
    tx = db.SqliteTx(db.open_sqlite(folder / "quintet.db", writable=True, sync="off"))
    try:
        times = {n: len(entries.by_message_id(tx, None, f"<p{n}@example.org>")) for n in numbers}
        assert max(times.values(), default=0) <= 1
        return check.everything(tx, Blobs(folder)), {n for n, count in times.items() if count}
    finally:
        tx.close()


@pytest.mark.parametrize("seed", range(3))
async def test_power_fails_at_any_moment(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    disk = Disk(tmp_path / "data")
    vfs = KeepingVfs(disk, f"keeping-{seed}")
    store = await Store.open(StoreConfig(data=str(disk.folder), map=0), vfs=f"keeping-{seed}")
    tx = store._writer._tx
    assert isinstance(tx, db.SqliteTx)
    tx._connection.wal_autocheckpoint(150)  # pages: the log is written back and begun anew many times
    account = await store.write(accounts.create, "alice")
    inbox = store.peek(folders.find, account.id, "INBOX")
    assert inbox is not None
    acknowledged: set[int] = set()

    async def client(first: int, folder: FolderId) -> None:
        for number in range(first, first + LETTERS):
            letter = f"Message-ID: <p{number}@example.org>\r\n\r\n{'x' * chance.randrange(5000)}\r\n".encode()
            await store.write(entries.add, [folder], content_of(letter), received_at=number)
            acknowledged.add(number)

    work = asyncio.gather(*(client(n * LETTERS, inbox.id) for n in range(CLIENTS)))
    outages = 0
    while not work.done() and outages < OUTAGES:
        await asyncio.sleep(chance.random() * 0.004)
        told, image = set(acknowledged), tmp_path / "image"
        disk.image(image, chance)
        broken, there = found(image, told)
        assert not broken, broken
        assert there == told
        shutil.rmtree(image)
        outages += 1
    await work
    assert outages > 5
    await store.close()
    broken, there = found(disk.folder, acknowledged)
    assert not broken
    assert len(there) == CLIENTS * LETTERS
    vfs.unregister()
