"""Broken disks for tests: the n-th write, flush, open or rename fails, or is torn in the middle."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import apsw

from quintet.config.store import Store as StoreConfig
from quintet.store import blobs, check, db
from quintet.store.db import Tx
from quintet.store.store import Store
from tests.support.stores import expect_sound

KINDS = ("ENOSPC", "EIO", "torn")
MAX_STEPS = 300  # a delivery that needs more writes has changed its nature

Attempt = Callable[[int], Awaitable[bool]]  # sends the message of that number; whether it was accepted
Held = Callable[[Tx, int], int]  # how often the message of that number is there


class Disk:
    """Counts what is asked of the disk while it is armed, and fails at the chosen step."""

    def __init__(self) -> None:
        self.kind = ""
        self.at = -1
        self.count = 0
        self.failed: list[str] = []
        self.on_fault: Callable[[], None] | None = None

    def arm(self, kind: str, at: int) -> None:
        self.kind, self.at, self.count, self.failed = kind, at, 0, []

    def disarm(self) -> None:
        self.at = -1

    def due(self, what: str) -> bool:
        """Whether this step fails; a full disk stays full until it is disarmed."""
        if self.at < 0:
            return False
        now, self.count = self.count, self.count + 1
        if now == self.at or (self.failed and self.kind == "ENOSPC" and what != "sync"):
            self.failed.append(what)
            return True
        return False

    def crash_point(self) -> None:
        """What the disk would hold if the machine stopped here."""
        if self.on_fault is not None and len(self.failed) == 1:
            self.on_fault()

    def sqlite_error(self) -> Exception:
        return apsw.FullError("injected") if self.kind == "ENOSPC" else apsw.IOError("injected")

    def os_error(self) -> OSError:
        number = errno.ENOSPC if self.kind == "ENOSPC" else errno.EIO
        return OSError(number, os.strerror(number))


class FaultyVfs(apsw.VFS):
    """SQLite's own file system, with a `Disk` that fails; ``name`` is what connections ask for."""

    def __init__(self, disk: Disk, name: str) -> None:
        self.disk = disk
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: Any) -> FaultyFile:  # noqa: N802 (SQLite's word)
        return FaultyFile(self.disk, name, flags)


class FaultyFile(apsw.VFSFile):
    """A file on a `FaultyVfs`."""

    def __init__(self, disk: Disk, name: Any, flags: Any) -> None:
        self.disk = disk
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 (SQLite's word)
        if self.disk.due("write"):
            if self.disk.kind == "torn":
                super().xWrite(bytes(data)[: len(data) // 2], offset)
            self.disk.crash_point()
            raise self.disk.sqlite_error()
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 (SQLite's word)
        if self.disk.due("sync"):
            self.disk.crash_point()
            raise self.disk.sqlite_error()
        # nothing is really flushed: what a test looks at is in the system's cache

    def xTruncate(self, size: int) -> None:  # noqa: N802 (SQLite's word)
        if self.disk.due("truncate"):
            self.disk.crash_point()
            raise self.disk.sqlite_error()
        super().xTruncate(size)


@contextmanager
def faulty_files(disk: Disk) -> Iterator[None]:
    """The spool's writes, flushes and renames fail too."""
    real = blobs._write, blobs._fsync, blobs._rename

    def write(fd: int, data: Any) -> int:
        if disk.due("spool write"):
            if disk.kind == "torn":
                real[0](fd, bytes(data)[: len(data) // 2])
            disk.crash_point()
            raise disk.os_error()
        return real[0](fd, data)

    def fsync(fd: int) -> None:
        if disk.due("sync"):
            disk.crash_point()
            raise disk.os_error()

    def rename(old: Path, new: Path) -> None:
        if disk.due("rename"):
            disk.crash_point()
            raise disk.os_error()
        real[2](old, new)

    blobs._write, blobs._fsync, blobs._rename = write, fsync, rename
    try:
        yield
    finally:
        blobs._write, blobs._fsync, blobs._rename = real


class BrokenDisk:
    """A store whose disk fails at each write in turn."""

    def __init__(self, store: Store, data: Path, disk: Disk, kind: str) -> None:
        self.store, self.data, self._disk, self._kind = store, data, disk, kind
        self._crashed = data.with_name("crashed")
        self._accepted: set[int] = set()
        self._refused: set[int] = set()
        self._number = 0
        disk.on_fault = self._crash

    def _crash(self) -> None:
        # the folder as it is at this very moment, before anybody can tidy up
        shutil.copytree(self.data, self._crashed, ignore=shutil.ignore_patterns("run", "gate"))

    async def fail_each_write(self, attempt: Attempt, held: Held) -> set[int]:
        """Attempts messages, each with one more write before the failure, until one needs no more.

        Gives the numbers of those that were refused.

        After each failure: what was accepted before is there once, nothing is there twice, every invariant
        holds, in the folder as it was at the failure; and the next message, on a disk that works again, is
        taken.
        """
        with faulty_files(self._disk):
            for step in range(MAX_STEPS):
                self._disk.arm(self._kind, step)
                await self._attempt(attempt)
                failed = list(self._disk.failed)
                self._disk.disarm()
                if not failed:
                    break
                self._expect_kept(held, (step, failed))
                assert await self._attempt(attempt), (step, failed)
                expect_sound(self.store)
            else:
                raise AssertionError(f"a delivery takes more than {MAX_STEPS} writes")
        assert step, "no write failed: the injection does not work"
        await self.store.close()
        broken, found = self._look(self.data, held)
        assert not broken
        assert {number for number, times in found.items() if times == 1} == self._accepted
        assert {number for number, times in found.items() if times == 0} == self._refused
        return self._refused

    async def _attempt(self, attempt: Attempt) -> bool:
        self._number += 1
        taken = await attempt(self._number)
        (self._accepted if taken else self._refused).add(self._number)
        return taken

    def _expect_kept(self, held: Held, where: object) -> None:
        broken, found = self._look(self._crashed, held)
        shutil.rmtree(self._crashed)
        assert not broken, (where, broken)
        assert all(found[n] == 1 for n in self._accepted if n != self._number), where
        assert all(times <= 1 for times in found.values()), where

    def _look(self, folder: Path, held: Held) -> tuple[list[str], dict[int, int]]:
        """Broken invariants of the data in ``folder``, opened anew, and how often each message is there."""
        tx = db.SqliteTx(db.open_sqlite(folder / "quintet.db", writable=True, sync="off"))
        try:
            broken = check.everything(tx, blobs.Blobs(folder))
            return broken, {number: held(tx, number) for number in range(1, self._number + 1)}
        finally:
            tx.close()


@asynccontextmanager
async def broken_disk(data: Path, kind: str) -> AsyncIterator[BrokenDisk]:
    """A store in ``data`` whose disk can fail; `BrokenDisk.fail_each_write` makes it."""
    disk = Disk()
    name = f"faulty-{uuid.uuid4().hex}"
    vfs = FaultyVfs(disk, name)
    store = await Store.open(StoreConfig(data=str(data), map=0), vfs=name)
    try:
        yield BrokenDisk(store, data, disk, kind)
    finally:
        await store.close()
        vfs.unregister()
