"""Sweeping: content that no entry names, files that no row names, what was kept long enough.

Everything here is done in small steps, so that no commit waits for it.  The app's job runner calls
`some` until it says that nothing is left.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Set
from pathlib import Path

from quintet.store import blobs, changes, dialect, history, overviews, trace
from quintet.store.db import Tx
from quintet.store.store import Store
from quintet.values import dataclass

STEP = 2000  # messages of one transaction: about 20 ms
DAY_MS = 24 * 3600 * 1000
_HOLDERS = ("entry", "queue", "expunged")  # tables by which a message is still needed


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
    doomed = [
        message_id
        for (message_id,) in tx.all(
            "SELECT message_id FROM garbage WHERE doomed_at < ? ORDER BY message_id LIMIT ?", before, limit
        )
    ]
    if not doomed:
        return 0, 0, 0
    members, param = dialect.among(tx.engine, doomed)
    tx.run(f"DELETE FROM garbage WHERE message_id {members}", param)
    unused = "".join(
        [f" AND NOT EXISTS (SELECT 1 FROM {table} WHERE message_id = m.id)" for table in _HOLDERS]
    )
    gone = dict(tx.all(f"SELECT m.id, m.blob_id FROM message m WHERE m.id {members}{unused}", param))
    if not gone:
        return len(doomed), 0, 0
    members, param = dialect.among(tx.engine, gone)
    tx.run(f"UPDATE history SET gone = 1 WHERE id {members} AND gone = 0", param)
    tx.run(f"DELETE FROM message WHERE id {members}", param)
    return len(doomed), len(gone), _bodies(tx, {each for each in gone.values() if each is not None}, files)


def _bodies(tx: Tx, candidates: Set[int], files: blobs.Blobs | None) -> int:
    """Removes those of the blobs that no message has any more; returns how many."""
    members, param = dialect.among(tx.engine, candidates)
    gone = tx.all(
        f"DELETE FROM blob WHERE id {members} AND NOT EXISTS"
        " (SELECT 1 FROM message m WHERE m.blob_id = blob.id) RETURNING place, sha256", param
    )  # fmt: skip
    if files is not None:
        for place, sha256 in gone:
            if place:
                files.touch(bytes(sha256))
    return len(gone)


def orphans(tx: Tx, candidates: list[tuple[bytes, Path]]) -> list[Path]:
    """Which of these old files no row names.  Run as a write, so that none is being filed meanwhile."""
    gone = []
    for sha256, path in candidates:
        if tx.one("SELECT 1 FROM blob WHERE sha256 = ? AND place = 1", sha256) is None:
            path.unlink(missing_ok=True)
            gone.append(path)
    return gone


async def some(store: Store) -> tuple[Swept, bool]:
    """One round; the second value says whether another would find more.

    The small things come when no more content is to be taken away: asking for each is a transaction.
    """
    config, now = store.config, store.clock.now()
    before = now - config.garbage_age * 1000
    seen, messages, bodies = await store.write(garbage, before, files=store.blobs)
    if seen >= STEP:
        return Swept(messages, bodies, traces=0, ids=0), True
    traces = await store.write(trace.sweep, now - config.trace_days * DAY_MS)
    ids = await store.write(history.sweep, now - config.history_days * DAY_MS)
    stretches = await store.write(overviews.sweep)
    more = traces >= 5000 or ids >= 5000 or stretches >= overviews.STEP
    return Swept(messages, bodies, traces, ids), more


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
