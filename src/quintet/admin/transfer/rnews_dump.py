"""Writes articles as a batch for rnews(1): "#! rnews SIZE" and as many octets, perhaps compressed."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from quintet.errors import Problem
from quintet.store import entries, groups
from quintet.store.db import Tx
from quintet.store.model import BodyRef, FolderId, MessageId
from quintet.store.store import Store

PAGE = 200  # articles looked up at once
MAX_ARTICLE = 64 * 1024 * 1024  # bytes; larger ones are left out
KINDS = ("none", "gzip", "bzip2")
_HEADS = {"none": b"", "gzip": b"#! cunbatch\n", "bzip2": b"#! bunbatch\n"}

Step = Callable[[int], None]


async def dump(
    store: Store,
    target: Path,
    wanted: Callable[[str], bool],
    since: int,
    compress: str,
    step: Step = lambda _: None,
) -> int:
    """Articles of groups that are ``wanted`` and that arrived at or after a time; returns how many.

    A file is written beside and takes its name when it is complete.  Raises OSError.
    """
    names = {folder.id: folder.name for folder in await store.read(groups.listing)}
    chosen = {number for number, name in names.items() if wanted(name)}
    if str(target) == "-":
        return await _write(store, sys.stdout.buffer, chosen, since, compress, step)
    part = target.with_name(target.name + ".part")
    with part.open("wb") as file:
        count = await _write(store, file, chosen, since, compress, step)
    part.replace(target)
    return count


async def _write(
    store: Store, file: BinaryIO, chosen: set[FolderId], since: int, compress: str, step: Step
) -> int:
    file.write(_HEADS[compress])
    out: BinaryIO = file
    if compress == "gzip":
        out = cast(BinaryIO, gzip.GzipFile(fileobj=file, mode="wb"))
    elif compress == "bzip2":
        out = cast(BinaryIO, bz2.BZ2File(file, "wb"))
    count = 0
    after = (0, 0)
    while page := await store.read(_page, since, after):
        for row in [row for _, row in page]:
            data = await asyncio.to_thread(_article, store, await store.read(_body, row, chosen))
            if data:
                out.write(b"#! rnews %d\n%b" % (len(data), data))
                count += 1
                step(1)
        after = (page[-1][0], page[-1][1])
    if out is not file:
        out.close()
    file.flush()
    return count


def _page(tx: Tx, since: int, after: tuple[int, int]) -> list[tuple[int, MessageId]]:
    """(arrival, row) of articles behind the last one, oldest first."""
    return tx.all(
        "SELECT arrived_at, id FROM history WHERE gone = 0"
        " AND arrived_at >= ? AND (arrived_at > ? OR id > ?)"
        " ORDER BY arrived_at, id LIMIT ?", max(since, after[0]), after[0], after[1], PAGE,
    )  # fmt: skip


def _body(tx: Tx, row: MessageId, chosen: set[FolderId]) -> BodyRef | None:
    """None: it is in none of the groups, or has gone meanwhile."""
    here = any(folder_id in chosen for folder_id, _ in entries.places(tx, row))
    return entries.message_body(tx, row) if here else None


def _article(store: Store, ref: BodyRef | None) -> bytes:
    """In the form of a batch; empty when it has gone meanwhile, or is too large."""
    if ref is None or ref.size > MAX_ARTICLE:
        return b""
    try:
        return store.read_body(ref).replace(b"\r\n", b"\n")
    except Problem:
        return b""
