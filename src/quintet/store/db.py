"""Transactions and connections: what a transaction function sees, and the SQLite behind it.

`Tx` is all that the functions of the store know of a database.  A function must have no effect but
through its ``tx``: it is rerun when a neighbour in the same commit failed.  Grouping, durability and
threads are `store.writer`'s and `store.store`'s.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import apsw

from quintet.errors import Reason, TryLater
from quintet.store import dialect
from quintet.store.model import AccountId, FolderId

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

LOG_PAGES = 4000  # of 4 KB: writing the log back costs two flushes and a page write each
STATEMENTS = 200  # prepared statements kept by a connection; the store has about 150
# apsw's limit.  `many` puts its statement back for each row, at the cost of what is oldest
MOST_STATEMENTS = 512


class Tx(Protocol):
    """One transaction.  SQL with ``?`` placeholders in the common subset of both engines."""

    now: int  # UTC ms, the same throughout the transaction

    @property
    def kept(self) -> Any:
        """An `ondemand.Kept`, which this module must not know; None where nothing is kept."""
        ...

    @property
    def engine(self) -> dialect.Engine: ...

    def all(self, sql: str, *params: Any) -> list[tuple[Any, ...]]: ...

    def one(self, sql: str, *params: Any) -> tuple[Any, ...] | None: ...

    def value(self, sql: str, *params: Any) -> Any:
        """First column of the first row, or None.  (Any: the column's type is the caller's knowledge.)"""
        ...

    def run(self, sql: str, *params: Any) -> int:
        """Executes; returns how many rows changed."""
        ...

    def many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None: ...

    def rows(self, sql: str, *params: Any) -> Iterator[tuple[Any, ...]]: ...

    def savepoint(self) -> None:
        """Marks a place to go back to; the innermost is meant by the next call of either of these."""
        ...

    def release(self) -> None: ...

    def back_to_savepoint(self) -> None: ...

    def new_ids(self, count: int) -> int:
        """The first of ``count`` object numbers that nobody had before."""
        ...

    def hint(self, account: AccountId, folder: FolderId) -> None:
        """Says after the commit that something changed there."""
        ...

    def learn(self, message_id: str) -> None:
        """Says, before the commit, that the history has this id."""
        ...

    def perhaps_known(self, message_ids: Sequence[str]) -> Sequence[str]:
        """Those of the ids that the history may have; the others it has not, whoever writes."""
        ...

    def unrendered(self, message_rows: Iterable[int]) -> None:
        """Says that these messages shall be rendered soon: read or filed, and not yet so (`ondemand`)."""
        ...


def bounded(test: Callable[..., bool] | bool = True) -> Callable[[F], F]:
    """Marks a transaction function that takes at most about a millisecond.

    `Store.write` then runs it between two turns of the event loop instead of in the writer thread, so
    that its statements do not fight the loop for the interpreter.
    ``test`` may decide from the arguments (without ``tx``).
    """

    def mark(fn: F) -> F:
        fn.__dict__["bounded"] = test
        return fn

    return mark


class Alone:
    """What a function that runs many calls at once gives for one that it did not run."""


ALONE = Alone()
AT_ONCE = 64  # calls that are run at once, at most: a few milliseconds


def together(many: Callable[[Tx, Sequence[tuple[Any, ...]]], Sequence[Any]]) -> Callable[[F], F]:
    """Marks a transaction function of which many calls in one commit cost less when ``many`` runs them.

    ``many`` takes each call's arguments (without ``tx``) and gives their results; `ALONE` for one that is
    to be run by itself, of which it has done nothing.  Their order does not matter.
    """

    def mark(fn: F) -> F:
        fn.__dict__["together"] = many
        return fn

    return mark


def single(fn: F) -> F:
    """Marks a read of one statement: it is a snapshot by itself, and `Store.peek` begins none for it."""
    fn.__dict__["single"] = True
    return fn


def is_bounded(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    test = getattr(fn, "bounded", False)
    return bool(test(*args, **kwargs)) if callable(test) else bool(test)


class SqliteTx:
    """A transaction on an apsw connection; made once a connection and used again."""

    __slots__ = (
        "_connection",
        "_execute",
        "_logged",
        "_next_id",
        "_reading",
        "_sealed",
        "_starts",
        "_used_ids",
        "doubt",
        "hints",
        "kept",
        "late",
        "learned",
        "now",
        "render",
        "teach",
    )

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._logged = 0  # pages in the log, where `write_back` is somebody's business
        self._next_id = 0
        self._used_ids = False
        self._sealed = 0  # how far into `learned` was told
        self._starts: list[int] = []  # in `learned`: where each open savepoint began
        self._reading: list[apsw.Cursor] = []  # given out by `rows`
        self.now = 0
        self.hints: set[tuple[AccountId, FolderId]] = set()
        self.learned: list[str] = []  # ids for the history
        self.late: list[int] = []  # message rows that shall be rendered after the commit
        self.teach: Callable[[list[str]], None] | None = None  # told of them just before the commit
        self.doubt: Callable[[Sequence[str]], Sequence[str]] | None = None  # which ids were perhaps taught
        self.kept: Any = None  # of a reader: what `ondemand` rendered lately
        self.render: Callable[[Iterable[int]], None] | None = None  # told of what is read unrendered

    @property
    def engine(self) -> dialect.Engine:
        return "sqlite"

    def all(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        return self._execute(sql, params).fetchall()

    def one(self, sql: str, *params: Any) -> tuple[Any, ...] | None:
        cursor = self._execute(sql, params)
        try:
            row: tuple[Any, ...] | None = cursor.fetchone()
        finally:
            cursor.close()  # resets the statement: an open one would keep the read snapshot
        return row

    def value(self, sql: str, *params: Any) -> Any:
        row = self.one(sql, *params)
        return None if row is None else row[0]

    def run(self, sql: str, *params: Any) -> int:
        self._execute(sql, params)
        return self._connection.changes()

    def many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self._connection.executemany(sql, rows)

    def rows(self, sql: str, *params: Any) -> Iterator[tuple[Any, ...]]:
        cursor = self._execute(sql, params)
        self._reading.append(cursor)
        return cursor

    def new_ids(self, count: int) -> int:
        if not self._used_ids:
            self._next_id = self.value("SELECT next FROM counter WHERE name = 'id'")
            self._used_ids = True
        first = self._next_id
        self._next_id += count
        return first

    def hint(self, account: AccountId, folder: FolderId) -> None:
        self.hints.add((account, folder))

    def learn(self, message_id: str) -> None:
        self.learned.append(message_id)

    def perhaps_known(self, message_ids: Sequence[str]) -> Sequence[str]:
        if self.doubt is None:
            return message_ids
        found = list(self.doubt(message_ids))
        if self.learned:  # by this commit: `teach` comes at its end
            found += set(self.learned).intersection(message_ids)
        return found

    def unrendered(self, message_rows: Iterable[int]) -> None:
        if self.render is not None:
            self.render(message_rows)
        else:
            self.late.extend(message_rows)

    # for whoever drives the transaction

    def begin(self, now: int, sql: str = "BEGIN IMMEDIATE") -> None:
        """Raises apsw.BusyError when another process writes."""
        self._execute(sql)
        self.now = now
        self._used_ids = False
        self.hints = set()
        if self.learned:
            self.learned = []
        if self.late:
            self.late = []
        self._sealed = 0
        self._starts.clear()

    def _let_go(self) -> None:
        """Closes what was read halfway: an error that is told in another thread may still hold it.

        There must be no use of a connection in two threads at once (`open_sqlite`, ``alone``).
        """
        for cursor in self._reading:
            cursor.close(True)
        self._reading.clear()

    def seal(self) -> None:
        """The last statement before the commit; apart, so that the flushing thread has none but that."""
        if self._reading:
            self._let_go()
        if self._used_ids:
            self._execute("UPDATE counter SET next = ? WHERE name = 'id'", (self._next_id,))
            self._used_ids = False
        if len(self.learned) > self._sealed:
            self._sealed = len(self.learned)
            if self.teach is not None:
                self.teach(self.learned)

    def commit(self) -> None:
        self.seal()
        self._execute("COMMIT")

    def part_from_log(self) -> None:
        """From now on no commit writes the log back: whoever commits does, when it is ``overdue``."""

        def logged(connection: apsw.Connection, name: str, pages: int) -> int:
            self._logged = pages
            return apsw.SQLITE_OK

        self._connection.set_wal_hook(logged)

    @property
    def overdue(self) -> bool:
        """Whether the log ought to be written back now."""
        return self._logged >= LOG_PAGES

    def write_back(self) -> None:
        """Writes the log into the file, as far as no reader needs it; the commits in it stand either way."""
        with contextlib.suppress(apsw.Error):  # the next commit tries again
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def rollback(self) -> None:
        """Safe to call when the engine has rolled back by itself (disk full)."""
        if self._reading:
            self._let_go()
        if self._connection.in_transaction:
            self._execute("ROLLBACK")
        self._used_ids = False

    def savepoint(self) -> None:
        self._execute("SAVEPOINT one")
        self._starts.append(len(self.learned))

    def release(self) -> None:
        self._execute("RELEASE one")
        self._starts.pop()

    def back_to_savepoint(self) -> None:
        self._execute("ROLLBACK TO one")
        self._execute("RELEASE one")
        del self.learned[self._starts.pop() :]

    def mark(self) -> object:
        """Compares equal as long as nothing was changed."""
        return self._connection.total_changes()

    def close(self) -> None:
        self._connection.close()


class DrivenTx(Tx, Protocol):
    """A transaction together with what its driver calls; both engines have one."""

    hints: set[tuple[AccountId, FolderId]]
    learned: list[str]
    late: list[int]

    def begin(self, now: int, sql: str = ...) -> None: ...
    def seal(self) -> None: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def mark(self) -> object: ...
    @property
    def overdue(self) -> bool: ...
    def write_back(self) -> None: ...
    def close(self) -> None: ...


def open_sqlite(
    path: Path,
    *,
    writable: bool,
    sync: str = "full",
    cache: int = 16 * 1024 * 1024,
    mapped: int = 0,
    vfs: str | None = None,
    alone: bool = False,
    statements: int = STATEMENTS,
) -> apsw.Connection:
    """A connection with our pragmas: WAL, foreign keys, FULL.

    ``alone``: never used by two threads at once, so SQLite needs no locks inside it: a row read costs a
    third less (docs/decisions/0040).

    Raises:
        TryLater(DISK_FULL | STORAGE | BUSY): the file cannot be opened now.
    """
    try:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        if alone:
            flags |= apsw.SQLITE_OPEN_NOMUTEX
        connection = apsw.Connection(str(path), flags=flags, vfs=vfs, statementcachesize=statements)
        connection.set_busy_timeout(10_000)
        # else a statement with a bound in it is planned anew for each value, at more than most of ours cost
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        # before a file is made; and of readers too: whoever closes last writes the log back into the file
        connection.execute(f"PRAGMA synchronous = {'FULL' if sync == 'full' else 'OFF'}")
        if writable:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
            connection.execute("PRAGMA journal_size_limit = 67108864")
        else:
            connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = -{cache // 1024}")
        connection.execute(f"PRAGMA mmap_size = {mapped}")
        connection.execute("PRAGMA temp_store = MEMORY")
    except apsw.Error as error:
        raise problem(error) from error
    return connection


def transact(tx: DrivenTx, now: int, fn: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Runs one function in a transaction of its own, at once; for tools and tests."""
    tx.begin(now)
    try:
        result = fn(tx, *args, **kwargs)
        tx.commit()
    except BaseException:
        tx.rollback()
        raise
    return result


def problem(error: BaseException) -> TryLater:
    """What a trouble of the engine or the file system means to whoever asked."""
    if isinstance(error, apsw.FullError):
        return TryLater(Reason.DISK_FULL)
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return TryLater(Reason.BUSY)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return TryLater(Reason.DISK_FULL)
    return TryLater(Reason.STORAGE)


# what `problem` is for; anything else that a transaction function raises is its own affair
TROUBLE: tuple[type[BaseException], ...] = (
    apsw.FullError,
    apsw.IOError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.NoMemError,
    OSError,
)
