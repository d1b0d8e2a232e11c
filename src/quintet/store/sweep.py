"""Sweeping: content that no entry names, files that no row names, what was kept long enough.

Everything here is done in small steps, so that no commit waits for it.  The app's job runner calls
`some` until it says that nothing is left.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

from quintet.store import blobs, changes, history, trace
from quintet.store.db import Tx
from quintet.store.store import Store

STEP = 500  # messages of one transaction
DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Swept:
    """What one round took away."""

    messages: int
    blobs: int
    traces: int
    ids: int


def garbage(tx: Tx, before: int, limit: int = STEP, files: blobs.Blobs | None = None) -> tuple[int, int, int]:
    """Removes messages doomed before a time that really have no entry, are not queued and not kept.

    Returns (candidates looked at, messages, blobs removed).  A blob's file is left to `orphans`; its day of
    grace begins now, so that a backup or a session that knows it finishes undisturbed.
    """
    doomed = tx.all(
        "SELECT message_id FROM garbage WHERE doomed_at < ? ORDER BY message_id LIMIT ?", before, limit
    )
    messages = bodies = 0
    for (message_id,) in doomed:
        tx.run("DELETE FROM garbage WHERE message_id = ?", message_id)
        if (
            tx.one("SELECT 1 FROM entry WHERE message_id = ? LIMIT 1", message_id) is not None
            or tx.one("SELECT 1 FROM queue WHERE message_id = ? LIMIT 1", message_id) is not None
            or tx.one("SELECT 1 FROM expunged WHERE message_id = ? LIMIT 1", message_id) is not None
        ):
            continue
        blob_id = tx.value("SELECT blob_id FROM message WHERE id = ?", message_id)
        history.detach(tx, message_id)
        tx.run("DELETE FROM message WHERE id = ?", message_id)
        messages += 1
        if blob_id is not None and tx.one("SELECT 1 FROM message WHERE blob_id = ? LIMIT 1", blob_id) is None:
            sha256, place = tx.one("SELECT sha256, place FROM blob WHERE id = ?", blob_id) or (b"", 0)
            if place and files is not None:
                files.touch(bytes(sha256))
            bodies += tx.run("DELETE FROM blob WHERE id = ?", blob_id)
    return len(doomed), messages, bodies


def orphans(tx: Tx, candidates: list[tuple[bytes, Path]]) -> list[Path]:
    """Which of these old files no row names.  Run as a write, so that none is being filed meanwhile."""
    gone = []
    for sha256, path in candidates:
        if tx.one("SELECT 1 FROM blob WHERE sha256 = ? AND place = 1", sha256) is None:
            path.unlink(missing_ok=True)
            gone.append(path)
    return gone


async def some(store: Store) -> tuple[Swept, bool]:
    """One round; the second value says whether another would find more."""
    config, now = store.config, store.clock.now()
    before = now - config.garbage_age * 1000
    seen, messages, bodies = await store.write(garbage, before, files=store.blobs)
    traces = await store.write(trace.sweep, now - config.trace_days * DAY_MS)
    ids = await store.write(history.sweep, now - config.history_days * DAY_MS)
    return Swept(messages, bodies, traces, ids), seen >= STEP or traces >= 5000 or ids >= 5000


async def tombstones(store: Store, keep: int = changes.KEPT) -> int:
    """Forgets the oldest tombstones of folders that have too many; returns how many."""
    total = 0
    for folder_id, modseq in await store.read(changes.crowded, keep):
        while gone := await store.write(changes.prune, folder_id, modseq):
            total += gone
    return total


async def files(store: Store) -> int:
    """Removes orphans beside the database and forgotten spool files; returns how many.

    Only what is older than the configured age (a day): a younger file may belong to a transaction that
    is about to commit.
    """
    old = await asyncio.to_thread(_old_files, store)
    removed = 0
    for start in range(0, len(old), 100):
        removed += len(await store.write(orphans, old[start : start + 100]))
    return removed + await asyncio.to_thread(_old_spool, store)


def _old_files(store: Store) -> list[tuple[bytes, Path]]:
    before = time.time() - store.config.orphan_age  # files have the system's time, whatever the clock says
    return [(sha256, path) for sha256, path in store.blobs.files() if _age(path) < before]


def _old_spool(store: Store) -> int:
    before = time.time() - store.config.orphan_age
    removed = 0
    for path in store.blobs.spool.iterdir():
        if _age(path) < before:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _age(path: Path) -> float:
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return float("inf")  # gone meanwhile
