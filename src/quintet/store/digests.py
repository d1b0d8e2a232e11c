"""Rebuilding what is derived from bodies: digests, ready octets, sort keys (``quintet reindex``)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from quintet.message.digest import Digest
from quintet.message.scan import Scanner, scan
from quintet.net.seam import CHUNK
from quintet.store import blobs, content, filing
from quintet.store.db import Tx
from quintet.store.store import Store

STEP = 100  # messages of one transaction


def step(tx: Tx, files: blobs.Blobs, after: int, limit: int = STEP) -> tuple[int, int]:
    """Scans and renders the next messages anew; returns (the last row number, how many); 0 rows: done."""
    rows = tx.all(
        "SELECT m.id, m.prefix, m.overview, b.id, b.sha256, b.place, b.data"
        " FROM message m JOIN blob b ON b.id = m.blob_id WHERE m.id > ? ORDER BY m.id LIMIT ?", after, limit,
    )  # fmt: skip
    for row_id, prefix, overview, blob_id, sha256, place, data in rows:
        digest = _scan_file(files.path(bytes(sha256))) if place else scan(data)
        made = content.of_digest(digest, bytes(sha256), None, None)
        tx.run(
            "UPDATE blob SET digest = ?, dotless = ? WHERE id = ?",
            made.digest.to_bytes(), int(not made.has_dot_line), blob_id,
        )  # fmt: skip
        xref = bytes(overview).partition(b"\tXref: ")[2]
        filing.refresh(tx, row_id, made, prefix, xref)
    return (rows[-1][0], len(rows)) if rows else (after, 0)


def _scan_file(path: Path) -> Digest:
    """In pieces: a large body never lies in memory."""
    scanner = Scanner()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            scanner.feed(chunk)
    return scanner.finish()


async def rebuild(store: Store, progress: Callable[[int], None] | None = None) -> int:
    """Everything, in small transactions, while serving; returns how many messages."""
    after = done = 0
    while True:
        after, count = await store.write(step, store.blobs, after)
        if not count:
            return done
        done += count
        if progress is not None:
            progress(done)
