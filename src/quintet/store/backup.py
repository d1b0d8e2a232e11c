"""Backup while serving, and the way back.

The database is copied by SQLite's backup API in one read snapshot; bodies beside it never change, so they
are linked or copied afterwards.  A body that the snapshot names is on the disk before its row is, and is
removed a day after it at the earliest: so the copy is complete.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import apsw

from quintet.store import blobs, check, db

PAGES = 2000  # copied at a step

Progress = Callable[[str, int, int], None]  # what, done, of how many


class NotEmpty(Exception):
    """The target holds data already."""


def copy(source: Path, target: Path, progress: Progress | None = None) -> int:
    """A consistent copy of the data directory ``source``; returns the number of large bodies.

    Blocks: for a thread or a program of its own.  ``target`` must not hold a database.

    Raises:
        NotEmpty, OSError, apsw.Error.
    """
    if (target / "quintet.db").exists():
        raise NotEmpty(str(target))
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    _copy_database(source / "quintet.db", target / "quintet.db.part", progress)
    connection = db.open_sqlite(target / "quintet.db.part", writable=False)
    hashes = [
        bytes(sha256)
        for (sha256,) in connection.execute("SELECT sha256 FROM blob WHERE place = 1 ORDER BY id")
    ]
    connection.close()
    _copy_files(source, target, hashes, progress)
    # the name comes last: a copy that was interrupted is no backup
    os.rename(target / "quintet.db.part", target / "quintet.db")
    for left in ("-wal", "-shm"):
        (target / f"quintet.db.part{left}").unlink(missing_ok=True)
    blobs.flush_folder(target)
    return len(hashes)


def restore(source: Path, target: Path, progress: Progress | None = None) -> int:
    """The way back: a backup becomes a data directory; checked before it gets its name.

    Raises:
        NotEmpty: ``target`` holds data; ValueError: the backup is not sound.
    """
    if not (source / "quintet.db").exists():
        raise ValueError(f"{source}: no backup here")
    connection = db.open_sqlite(source / "quintet.db", writable=False)
    tx = db.SqliteTx(connection)
    try:
        broken = check.everything(tx, blobs.Blobs(source), sample=200)
    finally:
        tx.close()
    if broken:
        raise ValueError(f"{source}: {broken[0]}")
    return copy(source, target, progress)


def _copy_database(source: Path, target: Path, progress: Progress | None) -> None:
    target.unlink(missing_ok=True)
    reader = db.open_sqlite(source, writable=False)
    # one read transaction for all steps: a writer in between would make the copy begin anew
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM sqlite_master").fetchall()
    writer = apsw.Connection(str(target))
    writer.execute("PRAGMA synchronous = FULL")
    try:
        with writer.backup("main", reader, "main") as backup:
            while not backup.done:
                backup.step(PAGES)
                if progress is not None:
                    progress("database", backup.page_count - backup.remaining, backup.page_count)
        writer.execute("PRAGMA journal_mode = DELETE")  # one file, complete in itself
    finally:
        writer.close()
        reader.execute("ROLLBACK")
        reader.close()
    fd = os.open(target, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _copy_files(source: Path, target: Path, hashes: list[bytes], progress: Progress | None) -> None:
    here, there = blobs.Blobs(source), blobs.Blobs(target)
    folders = set()
    for done, sha256 in enumerate(hashes, 1):
        old, new = here.path(sha256), there.path(sha256)
        new.parent.mkdir(mode=0o700, exist_ok=True)
        folders.add(new.parent)
        if not new.exists():
            try:
                os.link(old, new)
            except OSError:
                _copy_file(old, new)  # another file system
        if progress is not None:
            progress("bodies", done, len(hashes))
    for folder in folders:
        blobs.flush_folder(folder)
    blobs.flush_folder(there.root)


def _copy_file(old: Path, new: Path) -> None:
    part = new.with_name(new.name + ".part")
    shutil.copyfile(old, part)
    fd = os.open(part, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(part, new)
