"""The invariants of the store, numbered; run by tests, by ``quintet check`` and by a nightly job.

`everything` gives one line per broken invariant, beginning with its number, so that a test, a log and a
person speak of the same thing.  All are questions in SQL, so that a small store is checked in milliseconds.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from quintet.message.digest import Digest
from quintet.store import blobs, dialect, filing, history
from quintet.store.db import Tx
from quintet.store.ranges import RangeSet

SAMPLE = 2000  # blobs whose bytes are hashed again

_QUESTION = re.compile(r"^-- (\d+): (.+)\n([^;]+);", re.MULTILINE)


@functools.cache
def questions() -> list[tuple[int, str, str]]:
    """Number, words and SQL of the invariants that one statement can ask (schema/invariants.sql)."""
    text = resources.files("quintet.store.schema").joinpath("invariants.sql").read_text("utf-8")
    return [(int(n), what, sql.strip().rstrip(";")) for n, what, sql in re.findall(_QUESTION, text)]


def everything(tx: Tx, files: blobs.Blobs | None = None, *, sample: int = SAMPLE) -> list[str]:
    """All broken invariants, at most ten lines each; with ``files`` also the bodies beside the database."""
    broken: list[str] = []
    for number, what, sql in questions():
        if number == 19 and tx.engine == dialect.POSTGRESQL:
            continue  # a sequence there
        broken += [f"{number}: {what}: {row}" for row in tx.all(f"{sql} LIMIT 10")]
    for check in _CHECKS:
        broken += list(check(tx))
    broken += list(_bytes(tx, files, sample))
    return broken


all = everything  # noqa: A001 (the word of the interface: check.all)


def _seen(tx: Tx) -> Iterator[str]:
    """30 to 32: read marks are in range, in normal form, and counted."""
    rows = tx.all(
        "SELECT s.folder_id, s.account_id, s.uids, s.present, f.uid_next, s.modseq, f.highest_modseq"
        " FROM seen s JOIN folder f ON f.id = s.folder_id"
    )
    for folder_id, account_id, text, present, uid_next, modseq, highest in rows:
        where = f"folder {folder_id}, reader {account_id}"
        marks = RangeSet.parse(text)
        if str(marks) != text or (marks and (marks.highest >= uid_next or min(marks) < 1)):
            yield f"30: read marks out of range or form: {where}: {text[:100]}"
        if modseq > highest:
            yield f"31: read mark's change number above the folder's: {where}"
        here = sum(
            tx.value(
                "SELECT count(*) FROM entry WHERE folder_id = ? AND uid BETWEEN ? AND ? AND hidden = 0",
                folder_id, low, high,
            )
            for low, high in marks.ranges()
        )  # fmt: skip
        if here != present:
            yield f"32: read marks counted wrong: {where}: {present}, not {here}"


def _engine(tx: Tx) -> Iterator[str]:
    """33: the engine's own check of its pages, its foreign keys."""
    if tx.engine != dialect.SQLITE:
        return
    for row in tx.all("PRAGMA foreign_key_check")[:10]:
        yield f"33: foreign key: {row}"
    for (text,) in tx.all("PRAGMA quick_check(10)"):
        if text != "ok":
            yield f"33: damaged pages: {text}"


def _overview(tx: Tx) -> Iterator[str]:
    """50: the history knows the newest articles by their Message-IDs, and overview lines name these."""
    rows = tx.all(
        "SELECT h.id, h.key, h.rest, h.crc, m.message_id, m.overview FROM history h"
        " JOIN message m ON m.id = h.id WHERE h.gone = 0 ORDER BY h.id DESC LIMIT ?", SAMPLE,
    )  # fmt: skip
    for row_id, key, rest, crc, message_id, line in rows:
        columns = bytes(line).split(b"\t")
        named = columns[3].strip() if len(columns) > 3 else b""
        if named and named != message_id.encode("utf-8", "replace"):
            yield f"50: overview names {named[:100]!r}, the message {message_id[:100]}"
        if history.hashed(message_id) != (key, bytes(rest), crc):
            yield f"50: the history has another hash than that of {message_id[:100]}, row {row_id}"


_CHECKS: list[Callable[[Tx], Iterator[str]]] = [_seen, _engine, _overview]


class _Facts(NamedTuple):
    """What can be told of bytes without knowing what they are for."""

    size: int
    key: bytes
    dots: bool  # a line begins with one


def _of_row(blob_id: int, key: bytes, data: bytes) -> _Facts:
    named = hashlib.sha256(data).digest() if len(key) == 32 else filing.raw_key(blob_id, data)
    return _Facts(len(data), named, data.startswith(b".") or b"\n." in data)


def _of_file(path: Path) -> _Facts:
    """Of a large body, piece by piece: some are larger than the memory that is there."""
    hashed, size, dots, last = hashlib.sha256(), 0, False, b"\n"
    for piece in blobs.pieces(path):
        hashed.update(piece)
        size += len(piece)
        dots = dots or b"\n." in piece or (last == b"\n" and piece.startswith(b"."))
        last = piece[-1:]
    return _Facts(size, hashed.digest(), dots)


def _bytes(tx: Tx, files: blobs.Blobs | None, sample: int) -> Iterator[str]:
    """40 to 43: the newest blobs have their bytes, their hash and a digest that fits."""
    rows = tx.rows(
        "SELECT id, sha256, size, place, digest, data, dotless FROM blob ORDER BY id DESC LIMIT ?", sample
    )
    for blob_id, sha256, size, place, digest, data, dotless in rows:
        key = bytes(sha256)
        if place == 1:
            if files is None:
                continue
            try:
                facts = _of_file(files.path(key))
            except OSError:
                yield f"40: blob {blob_id}: its file is missing"
                continue
        else:
            facts = _of_row(blob_id, key, data)
        if (facts.size, facts.key) != (size, key):
            yield f"41: blob {blob_id}: its bytes are not those of its hash"
        if bool(dotless) == facts.dots:
            yield f"42: blob {blob_id}: wrong about lines that begin with a dot"
        if not digest and place == 0:
            continue  # filed as it came: `ondemand`
        try:
            found = Digest.from_bytes(bytes(digest))
        except ValueError as error:
            yield f"43: blob {blob_id}: {error}"
            continue
        if found.size != size:
            yield f"43: blob {blob_id}: digest of {found.size} bytes, not {size}"
