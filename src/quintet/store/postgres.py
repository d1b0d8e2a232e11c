"""PostgreSQL behind `db.Tx`: the same functions, the same schema, another engine.

Only what keeps the store honest is here: a transaction that the store's own tests run on.  Group
commit, readers and hints over it come with the engine as a product.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psycopg

from quintet.store import dialect
from quintet.store.model import AccountId, FolderId

BLOCK = 1 << 24  # object numbers a connection takes at once, as the schema says; 2**24 blocks are in 48 bits


class PgTx:
    """A transaction on a psycopg connection in autocommit mode; BEGIN and COMMIT are ours."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        assert connection.autocommit
        self._connection = connection
        self._next_id = self._end_id = 0
        self.now = 0
        self.hints: set[tuple[AccountId, FolderId]] = set()
        self.learned: list[str] = []
        self.late: list[int] = []

    @property
    def kept(self) -> None:
        """They are rendered for each reader."""
        return None

    @property
    def engine(self) -> dialect.Engine:
        return "postgresql"

    def _run(self, sql: str, params: tuple[Any, ...]) -> psycopg.Cursor[tuple[Any, ...]]:
        # without parameters psycopg leaves per cent signs alone; with them we have none in our SQL
        return self._connection.execute(dialect.placeholders(sql).encode(), params or None)

    def all(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        return self._run(sql, params).fetchall()

    def one(self, sql: str, *params: Any) -> tuple[Any, ...] | None:
        return self._run(sql, params).fetchone()

    def value(self, sql: str, *params: Any) -> Any:
        row = self.one(sql, *params)
        return None if row is None else row[0]

    def run(self, sql: str, *params: Any) -> int:
        return self._run(sql, params).rowcount

    def many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(dialect.placeholders(sql).encode(), rows)

    def rows(self, sql: str, *params: Any) -> Iterator[tuple[Any, ...]]:
        with self._connection.cursor(name="rows") as cursor:
            cursor.execute(dialect.placeholders(sql).encode(), params or None)
            yield from cursor

    def new_ids(self, count: int) -> int:
        assert count <= BLOCK
        if self._next_id + count > self._end_id:
            # the sequence counts in blocks: each connection gives out its own, and no two ever meet
            self._next_id = int(self.value("SELECT nextval('object_number')"))
            self._end_id = self._next_id + BLOCK
        first = self._next_id
        self._next_id += count
        return first

    def hint(self, account: AccountId, folder: FolderId) -> None:
        self.hints.add((account, folder))

    def learn(self, message_id: str) -> None:
        self.learned.append(message_id)

    def perhaps_known(self, message_ids: Sequence[str]) -> Sequence[str]:
        return message_ids

    def unrendered(self, message_rows: Iterable[int]) -> None:
        """Nothing: they are rendered for each reader."""

    def begin(self, now: int, sql: str = "BEGIN") -> None:
        del sql  # SQLite's IMMEDIATE has no counterpart: rows are locked as they are changed
        self._run("BEGIN", ())
        self.now = now
        self.hints = set()
        self.learned = []

    def seal(self) -> None:
        """Nothing: numbers come from a sequence."""

    def commit(self) -> None:
        self._run("COMMIT", ())

    def rollback(self) -> None:
        if self._connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            self._run("ROLLBACK", ())

    def savepoint(self) -> None:
        self._run("SAVEPOINT one", ())

    def release(self) -> None:
        self._run("RELEASE SAVEPOINT one", ())

    def back_to_savepoint(self) -> None:
        self._run("ROLLBACK TO SAVEPOINT one", ())
        self._run("RELEASE SAVEPOINT one", ())

    def mark(self) -> object:
        return object()  # never equal: whatever failed, the transaction is to be done again

    @property
    def overdue(self) -> bool:
        return False  # the log is the server's business

    def write_back(self) -> None:
        """Nothing."""

    def close(self) -> None:
        self._connection.close()
