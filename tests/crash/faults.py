"""Broken disks for tests: the n-th write, flush, open or rename fails, or is torn in the middle."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from quintet.store import blobs

KINDS = ("ENOSPC", "EIO", "torn")


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
        super().xSync(flags)

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
        real[1](fd)

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
