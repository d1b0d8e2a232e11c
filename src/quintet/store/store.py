"""Store: the only asynchronous door to everything that is kept.

    folder = store.peek(folders.find, account.id, "INBOX")      # at once, bounded
    rows = await store.read(entries.listing, folder.id, ...)    # in a reader thread
    added = await store.write(entries.add, [folder.id], ...)    # after the flush

Transaction functions are plain: nothing can wait for a client, a resolver or a disk inside one.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import apsw

from quintet import log as events
from quintet.clock import Clock, SystemClock
from quintet.config.store import Store as StoreConfig
from quintet.errors import Problem
from quintet.store import blobs, content, db, dialect, hints, history, known, loglength, migrate, ondemand
from quintet.store.blobs import Spool, StoredBody
from quintet.store.content import Content
from quintet.store.db import Tx
from quintet.store.model import AccountId, BodyRef, FolderId, Uid
from quintet.store.writer import CROWD_S, Gate, Writer

if TYPE_CHECKING:
    from quintet.store import search

T = TypeVar("T")
P = ParamSpec("P")

logger = events.get("store")

SLOW_POLL_S = 30.0  # seconds; covers a hint between processes that was lost


class Store:
    """One data directory, open.  Made by `Store.open`, ended by `close`; belongs to one event loop."""

    def __init__(self, config: StoreConfig, clock: Clock, token: bytes, *, vfs: str | None = None) -> None:
        self.config = config
        self.clock = clock
        self.data = Path(config.data)
        self.blobs = blobs.Blobs(self.data, sync=config.sync == "full", reserve=config.reserve)
        self.hub = hints.Hub(self.data / "run")
        self.known = known.Known(self.data, token, sync=config.sync == "full", monotonic=clock.monotonic)
        self._vfs = vfs
        self._peek = db.SqliteTx(self._connect(writable=False, alone=True, mapped=config.map))
        self._readers: queue.SimpleQueue[db.SqliteTx] = queue.SimpleQueue()
        self._open_readers: list[db.SqliteTx] = []
        self._pool = ThreadPoolExecutor(max_workers=config.readers, thread_name_prefix="store-reader")
        self._index: search.Index | None = None
        self._writer: Writer
        self._polling: asyncio.Task[None] | None = None
        self._behind: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._unrendered: set[int] = set()  # message rows that were read or filed, and shall be rendered
        self._kept = ondemand.Kept()
        self._tend(self._peek)
        self._fresh = 0  # our commits when `peek` was last asked: of none after it has that its pages

    @classmethod
    async def open(
        cls, config: StoreConfig, *, clock: Clock | None = None, log: Any = None, vfs: str | None = None
    ) -> Store:
        """Opens (and makes, or migrates) the data directory.

        ``log``: anything with ``info(event, **fields)``; told which migrations were applied.

        Raises:
            migrate.TooNew: written by a newer program.
            TryLater(DISK_FULL | STORAGE | BUSY): cannot be opened now.
        """
        clock = clock or SystemClock()
        data = Path(config.data)
        data.mkdir(mode=0o700, parents=True, exist_ok=True)  # noqa: ASYNC240 (once, before anything runs)
        connection = db.open_sqlite(
            data / "quintet.db",
            writable=True,
            sync=config.sync,
            cache=config.cache,
            vfs=vfs,
            alone=True,
            statements=db.MOST_STATEMENTS,
        )
        tx = db.SqliteTx(connection)
        try:
            applied = migrate.upgrade(tx, clock.now())
            store = cls(config, clock, db.transact(tx, clock.now(), known.token), vfs=vfs)
        except BaseException:
            tx.close()
            raise
        if applied and log is not None:
            log.info("migrated", steps=applied)
        tx.teach, tx.doubt = store.known.before_commit, store.known.perhaps
        db.transact(tx, clock.now(), store.known.begin_empty)
        connection.set_busy_timeout(0)  # waiting is the writer's business, never the loop's
        tx.part_from_log()
        store._writer = Writer(
            tx,
            Gate(data / "gate"),
            clock,
            store.hub.publish,
            learned=store.known.committed,
            late=store._render_soon,
        )
        store.hub.listen()
        store._polling = asyncio.create_task(store._slow_poll())
        return store

    async def close(self) -> None:
        """Commits what waits, then lets go of everything."""
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
        self._unrendered.clear()  # it is done again for whoever reads them next
        await asyncio.gather(*self._behind, return_exceptions=True)
        await self._writer.close()
        self.known.close()
        self.hub.close()
        self._pool.shutdown(wait=True)
        if self._index is not None:
            self._index.close()
        for tx in (*self._open_readers, self._peek):
            tx.close()

    def peek(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a read at once, on the loop thread: only what is bounded (500 rows, 1 MiB).

        Raises:
            TryLater(STORAGE | BUSY): the database cannot be read; and what ``fn`` raises.
        """
        self._fresh = self._writer.commits
        return _read(self._peek, self.clock, fn, args, kwargs)

    def ask(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`peek` for a function of a single statement, which is a snapshot by itself, about a row or two.

        A third of the cost of `peek`; after our own commit a tenth, for the writer still has its pages, and
        answers while it has nothing to write (docs/decisions/0234).  ``fn`` has no use of ``tx.now``.
        Raises as `peek`.
        """
        writer = self._writer
        try:
            if self._fresh != writer.commits and (tx := writer.resting) is not None:
                try:
                    return fn(tx, *args, **kwargs)
                except apsw.BusyError:  # it never waits
                    pass
            return fn(self._peek, *args, **kwargs)
        except db.TROUBLE as error:
            raise db.problem(error) from error

    async def read(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a read in a reader thread, on one snapshot; for anything longer than `peek` may take."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read_here, fn, args, kwargs)

    async def write(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a change; returns when it is on the disk.

        ``fn`` may be run twice, so it has no effect but through its ``tx``.

        Raises:
            Problem: what ``fn`` raised; nothing of it was kept.
            TryLater(DISK_FULL | STORAGE | BUSY | SHUTDOWN): not written.
        """
        result: T = await self._writer.submit(fn, args, kwargs)
        return result

    async def write_behind(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`write` for what was acknowledged already: nobody is waiting.  Raises as `write`."""
        result: T = await self._writer.submit(fn, args, kwargs, behind=True)
        return result

    async def write_once(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`write` for a function that also changes objects in memory: it is run once, and never again.

        Raises as `write`.  When it raises, what ``fn`` changed in memory may stand and nothing of it is kept.
        """
        result: T = await self._writer.submit(fn, args, kwargs, once=True)
        return result

    def submit(
        self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        """`write` without waiting: the future is done when it is on the disk, or has its problem.

        It may be done at once, where nobody else wants anything; so no loop awaits one after the other.
        Raises TryLater(SHUTDOWN).
        """
        return self._writer.submit(fn, args, kwargs, may_end=True)

    def later(
        self, fn: Callable[Concatenate[Tx, P], object], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Task[None]:
        """A change whose end nobody waits for: a note, a mark.  What cannot be written is only logged.

        The task is for who asks for many and has to know how many of them are not over.
        """
        task = asyncio.ensure_future(self._quietly(fn, args, kwargs))
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)
        return task

    def lengthen_log(self) -> None:
        """Soon, for a process that goes on writing: the log of what is flushed gets its length."""
        if self.config.sync == "full":
            self.later(loglength.lengthen, self.data / "quintet.db-wal")

    async def _quietly(self, fn: Callable[..., object], args: Any, kwargs: Any) -> None:
        try:
            await self._writer.submit(fn, args, kwargs)
        except Problem as problem:
            logger.warning("not noted", reason=problem.reason.value)

    def _tend(self, reader: db.SqliteTx) -> None:
        """What is read unrendered is rendered soon, and kept until then."""
        reader.render, reader.kept = self._unrendered_read, self._kept

    def _unrendered_read(self, message_rows: Iterable[int]) -> None:
        """In any thread: these were read, and nothing was rendered of them yet."""
        self._loop.call_soon_threadsafe(self._render_soon, message_rows)

    def _render_soon(self, message_rows: Iterable[int]) -> None:
        begun = bool(self._unrendered)
        room = ondemand.MAX_WAITING - len(self._unrendered)
        self._unrendered.update(itertools.islice(message_rows, room))
        if self._unrendered and not begun:
            task = asyncio.ensure_future(self._render())
            self._behind.add(task)
            task.add_done_callback(self._behind.discard)

    async def _render(self) -> None:
        """Writes what readers had rendered for them, so that it is done once, and what was filed in a crowd.

        While a crowd is there it waits; after each step it rests as long as that took, for others.
        """
        try:
            while self._unrendered:
                if self._writer.crowded:
                    await asyncio.sleep(CROWD_S)
                    continue
                step = list(itertools.islice(self._unrendered, ondemand.STEP))
                began = time.monotonic()
                await self._quietly(ondemand.write, (step,), {})
                self._unrendered.difference_update(step)
                await asyncio.sleep(min(time.monotonic() - began, CROWD_S))
        finally:
            self._unrendered.clear()

    def known_many(self, ids: Collection[str]) -> set[str]:
        """Those of the Message-IDs (with brackets) that the history of news has, by any worker's commits.

        At once, on the loop thread; under a microsecond for one that is new or was seen lately, 2 us for
        one that must be looked up: a thousand at a time.  Raises TryLater(STORAGE | BUSY).
        """
        return self.known.many(ids, self._ask_history)

    def _ask_history(self, ids: Sequence[str]) -> set[str]:
        return self.peek(history.among, ids)

    def spool(self) -> Spool:
        """Where an incoming body goes."""
        return Spool(self.blobs, self.content_of)

    def content_of(self, data: bytes) -> Content:
        """A small body that arrived; rendered at once, unless so much arrives that this is left for later."""
        return content.content_of(data, late=self._late)

    def skimmed(self, data: bytes) -> Content | None:
        """The same in a crowd, of a letter that nobody would mend or refuse for its octets; else None.

        Raises TryLater(DISK_FULL): there is no room for it.
        """
        if not self._late:
            return None
        self.blobs.check_space(len(data))
        return content.skimmed(data)

    @property
    def _late(self) -> bool:
        return self._writer.crowded and len(self._unrendered) < ondemand.MAX_WAITING

    def body(self, row: BodyRef) -> StoredBody:
        """A stored body for a `seam.Slice`."""
        return StoredBody(row, self.blobs, self._load)

    def read_body(self, row: BodyRef) -> bytes:
        """Prefix and blob in one piece; blocks, so for small ones or in threads (not the loop's)."""
        if row.data is not None or not row.in_row or row.blob_id is None:
            return blobs.read_all(self.blobs, row, row.data)
        return blobs.read_all(self.blobs, row, self._read_here(_blob_data, (row.blob_id,), {}))

    def watch(
        self,
        event: asyncio.Event,
        folders: Iterable[FolderId] | None,
        account: AccountId | None = None,
    ) -> hints.Watch:
        """Sets ``event`` after each commit that touched one of ``folders`` (None: any of ``account``)."""
        return self.hub.watch(event, folders, account)

    async def search_text(
        self,
        folder_id: FolderId,
        pattern: str,
        where: search.Where = "text",
        *,
        header: str = "",
        numbers: Iterable[int] | None = None,
    ) -> list[Uid]:
        """See `search.find`: exact, by the index as far as it reaches."""
        from quintet.store import search  # it knows this class

        return await search.find(self, folder_id, pattern, where, header=header, numbers=numbers)

    def search_index(self) -> search.Index:
        """The index of trigrams; opened when it is first asked."""
        if self._index is None:
            from quintet.store import search  # it knows this class

            self._index = search.Index(self.data)
        return self._index

    @property
    def commits(self) -> int:
        return self._writer.commits

    @property
    def transactions(self) -> int:
        return self._writer.transactions

    def connect(self, *, writable: bool = False) -> apsw.Connection:
        """A connection of one's own, for jobs that keep one (backup, rebuilding)."""
        return self._connect(writable=writable)

    def _connect(self, *, writable: bool, alone: bool = False, mapped: int = 0) -> apsw.Connection:
        # only the loop maps: each mapping counts anew in what the process holds (docs/decisions/0041)
        config = self.config
        return db.open_sqlite(
            self.data / "quintet.db",
            writable=writable,
            sync=config.sync,
            cache=config.cache,
            mapped=mapped,
            vfs=self._vfs,
            alone=alone,
        )

    def _read_here(self, fn: Callable[..., T], args: Any, kwargs: Any) -> T:
        try:
            tx = self._readers.get_nowait()
        except queue.Empty:
            tx = db.SqliteTx(self._connect(writable=False, alone=True))
            self._tend(tx)
            self._open_readers.append(tx)
        try:
            return _read(tx, self.clock, fn, args, kwargs)
        finally:
            self._readers.put(tx)

    def _load(self, ref: BodyRef) -> bytes | None:
        assert ref.blob_id is not None
        return self.peek(_blob_data, ref.blob_id)

    async def _slow_poll(self) -> None:
        while True:
            await asyncio.sleep(SLOW_POLL_S)
            folders = list(self.hub.by_folder)
            modseqs: dict[FolderId, int] = {}
            try:
                for start in range(0, len(folders), 500):
                    modseqs.update(await self.read(_modseqs, folders[start : start + 500]))
            except Problem as problem:  # the disk has trouble: others say so, and the next look comes
                logger.warning("hints not compared", reason=problem.reason.value)
                continue
            self.hub.compare(modseqs)


def _read(tx: db.SqliteTx, clock: Clock, fn: Callable[..., T], args: Any, kwargs: Any) -> T:
    try:
        if getattr(fn, "single", False):
            tx.now = clock.now()
            return fn(tx, *args, **kwargs)
        tx.begin(clock.now(), "BEGIN")  # one snapshot for all statements of fn
        try:
            return fn(tx, *args, **kwargs)
        finally:
            tx.rollback()
    except db.TROUBLE as error:
        raise db.problem(error) from error


def _blob_data(tx: Tx, blob_id: int) -> bytes | None:
    data: bytes | None = tx.value("SELECT data FROM blob WHERE id = ?", blob_id)
    return data


def _modseqs(tx: Tx, numbers: list[FolderId]) -> dict[FolderId, int]:
    members, param = dialect.among(tx.engine, numbers)
    return dict(tx.all(f"SELECT id, highest_modseq FROM folder WHERE id {members}", param))
