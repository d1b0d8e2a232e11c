"""Rebuilding what is derived from bodies: digests, ready octets, sort keys (``quintet reindex``)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from quintet.message.digest import Digest
from quintet.message.scan import Scanner, scan
from quintet.store import blobs, content, filing
from quintet.store.content import Content
from quintet.store.db import Tx
from quintet.store.model import MessageId
from quintet.store.store import Store

STEP = 100  # messages of one transaction


class _Row(NamedTuple):
    """A message whose body is scanned anew; its bytes never change."""

    id: MessageId
    prefix: bytes
    overview: bytes
    blob_id: int
    sha256: bytes
    data: bytes | None  # None: it has a file


async def rebuild(store: Store, progress: Callable[[int], None] | None = None) -> int:
    """Everything, in small transactions, while serving; returns how many messages."""
    after, done = MessageId(0), 0
    while rows := await store.read(_following, after):
        # not in the transaction: who delivers would wait until large bodies are read
        made = await asyncio.to_thread(_scanned, rows, store.blobs)
        await store.write(_put, made)
        after, done = rows[-1].id, done + len(rows)
        if progress is not None:
            progress(done)
    return done


def _following(tx: Tx, after: MessageId) -> list[_Row]:
    rows = tx.all(
        "SELECT m.id, m.prefix, m.overview, b.id, b.sha256, b.data"
        " FROM message m JOIN blob b ON b.id = m.blob_id WHERE m.id > ? ORDER BY m.id LIMIT ?", after, STEP,
    )  # fmt: skip
    return [_Row(*row) for row in rows]


def _scanned(rows: list[_Row], files: blobs.Blobs) -> list[tuple[_Row, Content]]:
    """What the bodies say; without those that were taken away meanwhile."""
    found = []
    for row in rows:
        try:
            digest = scan(row.data) if row.data is not None else _scan_file(files.path(row.sha256))
        except FileNotFoundError:
            continue
        found.append((row, content.of_digest(digest, row.sha256, None, None)))
    return found


def _scan_file(path: Path) -> Digest:
    """In pieces: a large body never lies in memory."""
    scanner = Scanner()
    for piece in blobs.pieces(path):
        scanner.feed(piece)
    return scanner.finish()


def _put(tx: Tx, found: list[tuple[_Row, Content]]) -> None:
    for row, made in found:
        tx.run(
            "UPDATE blob SET digest = ?, dotless = ? WHERE id = ?",
            made.digest.to_bytes(), int(not made.has_dot_line), row.blob_id,
        )  # fmt: skip
        xref = bytes(row.overview).partition(b"\tXref: ")[2]
        filing.refresh(tx, row.id, made, row.prefix, xref)
