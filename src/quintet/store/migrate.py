"""Numbered schema files, applied in order, each in one transaction, and recorded.

Data that is newer than the program is refused: an old program would not keep invariants it does
not know.
"""

from __future__ import annotations

import functools
import re
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import apsw

from quintet.store import db, dialect, history

# what no SQL of both engines can say, after the statements of a file and in their transaction
_FILL: dict[int, Callable[[db.Tx], None]] = {85: history.from_texts}

_FILE = re.compile(r"(\d{4})_(\w+)\.sql")


class TooNew(Exception):
    """The data was written by a newer program; the text says which version it has."""


@functools.cache
def steps() -> tuple[tuple[int, str, str], ...]:
    """All migrations of this program in order: number, name, SQL."""
    files = resources.files("quintet.store.schema").iterdir()
    found = [
        (int(match[1]), match[2], file.read_text("utf-8"))
        for file in files
        if (match := _FILE.fullmatch(file.name))
    ]
    return tuple(sorted(found))


def statements(sql: str) -> list[str]:
    """The statements of a schema file; comments removed, no semicolons inside statements."""
    bare = "\n".join(line.split("--", 1)[0] for line in sql.splitlines())
    return [part.strip() for part in bare.split(";") if part.strip()]


def version(tx: db.Tx) -> int:
    """Number of the last applied migration; 0 for an empty database."""
    if tx.engine == dialect.SQLITE:
        there = tx.value("SELECT 1 FROM sqlite_master WHERE name = 'migration'")
    else:
        there = tx.value(
            "SELECT 1 FROM pg_tables WHERE tablename = 'migration' AND schemaname = current_schema()"
        )
    return int(tx.value("SELECT max(number) FROM migration") or 0) if there else 0


def _numbers(tx: db.Tx) -> set[int]:
    """Of the applied ones."""
    return {int(number) for (number,) in tx.all("SELECT number FROM migration")} if version(tx) else set()


def upgrade(tx: db.DrivenTx, now: int) -> list[str]:
    """Applies what is missing; returns the names of what was applied.

    Raises:
        TooNew: the data knows a migration that this program does not.
    """
    known = steps()
    if db.transact(tx, now, _numbers) == {number for number, _, _ in known}:
        return []  # at nearly every start
    applied = []
    tx.begin(now)
    try:
        tx.run(
            "CREATE TABLE IF NOT EXISTS migration"
            " (number BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)"
        )
        tx.commit()
    except BaseException:
        tx.rollback()
        raise
    for number, name, sql in known:
        tx.begin(now)  # each in its own transaction; the check inside, so two processes agree
        try:
            present = version(tx)
            if present > known[-1][0]:
                raise TooNew(f"the data has schema {present}, this program knows {known[-1][0]}")
            if not tx.one("SELECT 1 FROM migration WHERE number = ?", number):  # numbers come in any order
                for statement in statements(dialect.schema(sql, tx.engine)):
                    tx.run(statement)
                if number in _FILL:
                    _FILL[number](tx)
                tx.run("INSERT INTO migration (number, name, applied_at) VALUES (?, ?, ?)", number, name, now)
                applied.append(f"{number:04}_{name}")
            tx.commit()
        except BaseException:
            tx.rollback()
            raise
    return applied


def rehearse(data: Path, now: int) -> list[str]:
    """Tries the migrations on a copy of ``data/quintet.db``; returns what would be applied.

    Raises:
        TooNew, apsw.Error: what the real thing would raise.
    """
    with tempfile.TemporaryDirectory(prefix="rehearse-", dir=data) as folder:
        copy = Path(folder) / "quintet.db"
        source = db.open_sqlite(data / "quintet.db", writable=False)
        target = apsw.Connection(str(copy))
        with target.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(1000)
        target.close()
        source.close()
        tx = db.SqliteTx(db.open_sqlite(copy, writable=True, sync="off"))
        try:
            return upgrade(tx, now)
        finally:
            tx.close()
