"""Full-text search: an index of trigrams narrows, a verifier decides.

The index (``search.db``, FTS5) is built in the background by `index_some` and may be thrown away at any time;
what it does not hold yet is scanned.  So the answer is always exact: substrings without regard to case, in
decoded headers, bodies and the text of attachments (RFC 9051 6.4.4).  Of a pattern of one or two characters,
as most words of Chinese are, those trigrams are asked for that begin with it; where these stand nearly
everywhere, messages are scanned.

A message is indexed in pieces that overlap, so memory is bounded whatever its size.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import apsw

from quintet.message import collation, text, words
from quintet.message.digest import Digest
from quintet.message.scan import scan
from quintet.store import dialect, entries, ondemand
from quintet.store.db import TROUBLE, Tx, problem
from quintet.store.model import BodyRef, FolderId, Uid
from quintet.store.store import Store

Where = Literal["text", "body", "header"]

STEP = 200  # messages of one indexing step
PIECE = 32 * 1024  # characters of one row of the index
FEW = 5000  # messages that may match, looked up one by one; among more, a folder is walked through
GRAMS = 6  # trigrams asked of the index for one pattern; more cost more than they narrow further
KEPT = 4 * 1024 * 1024  # bytes of the texts of one message that stay decoded while questions are asked of it
VERSION = 3  # of what is put into the index; another number: built anew
END = "\n\n"  # behind a text, so that its last characters begin a trigram, too
MANY = 1000  # trigrams that begin with a short pattern; more are not asked for
OFTEN = 200_000  # pieces of text that these may stand in
SLICE = 200  # messages verified with one query
PAGE = 20_000  # entries looked at together: two megabytes

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS piece (id INTEGER PRIMARY KEY, message_row INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS piece_by_message ON piece (message_row);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
    text, content='', contentless_delete=1, detail='none', tokenize='trigram case_sensitive 1'
);
INSERT INTO state (name, value) VALUES ('version', {VERSION}), ('upto', 0) ON CONFLICT DO NOTHING;
"""


fold = collation.casemap  # how texts are put into the index, and compared where nobody asks for more


class Rows:
    """A set of message rows, a bit each: never more than an eighth of the highest number in bytes.

    ``few`` lists them, some perhaps twice, while there are at most `FEW`; then it is None.
    """

    __slots__ = ("_blocks", "few")

    def __init__(self) -> None:
        self._blocks: dict[int, bytearray] = {}
        self.few: list[int] | None = []

    def add(self, row: int) -> None:
        if self.few is not None:
            self.few.append(row)
            if len(self.few) > FEW:
                self.few = None
        block = self._blocks.get(row >> 15)
        if block is None:
            block = self._blocks[row >> 15] = bytearray(4096)
        block[(row & 32767) >> 3] |= 1 << (row & 7)

    @property
    def size(self) -> int:
        """Bytes, about."""
        return 5000 * len(self._blocks) + 40 * len(self.few or ())

    def __contains__(self, row: object) -> bool:
        assert isinstance(row, int)
        block = self._blocks.get(row >> 15)
        return block is not None and bool(block[(row & 32767) >> 3] & 1 << (row & 7))


class Index:
    """``search.db`` of one data directory; safe to use from several threads."""

    def __init__(self, data: Path) -> None:
        self._path = data / "search.db"
        self._lock = threading.Lock()
        self._connection: apsw.Connection | None = None
        self._asking = threading.Lock()
        self._asked: apsw.Connection | None = None  # for questions, which must not wait for the indexing

    def _open(self) -> apsw.Connection:
        if self._connection is None:
            connection = self._connect()
            connection.execute(_SCHEMA)
            version = connection.execute("SELECT value FROM state WHERE name = 'version'").fetchone()
            if version != (VERSION,):
                self._empty(connection)
            self._connection = connection
        return self._connection

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(str(self._path))
        connection.set_busy_timeout(5000)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # it can be built anew
        connection.execute("PRAGMA cache_size = -8192")
        return connection

    def _question(self) -> apsw.Connection:
        if self._asked is None:
            if self._connection is None:
                with self._lock:
                    self._open()  # makes the tables
            asked = self._connect()
            asked.execute("CREATE VIRTUAL TABLE temp.gram USING fts5vocab(main, words, 'row')")
            self._asked = asked
        return self._asked

    def _empty(self, connection: apsw.Connection) -> None:
        with connection:
            connection.execute("DROP TABLE words")
            connection.execute("DELETE FROM piece")
            connection.execute("DELETE FROM state")
            connection.execute(_SCHEMA)

    def clear(self) -> None:
        """Throws everything away."""
        with self._lock:
            self._empty(self._open())

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
        with self._asking:
            if self._asked is not None:
                self._asked.close()
                self._asked = None

    def upto(self) -> int:
        """Messages with a row number up to this are indexed."""
        with self._lock:
            row = self._open().execute("SELECT value FROM state WHERE name = 'upto'").fetchone()
        assert row is not None
        return int(row[0])

    def put(self, documents: Iterable[tuple[int, Iterator[str]]], upto: int) -> None:
        """Adds messages (row number, folded pieces of text) and moves the mark, together."""
        with self._lock:
            connection = self._open()
            with connection:
                for message_row, pieces in documents:
                    for piece in pieces:
                        connection.execute("INSERT INTO piece (message_row) VALUES (?)", (message_row,))
                        connection.execute(
                            "INSERT INTO words (rowid, text) VALUES (?, ?)",
                            (connection.last_insert_rowid(), piece),
                        )
                connection.execute("UPDATE state SET value = ? WHERE name = 'upto'", (upto,))

    def candidates(self, pattern: str) -> tuple[Rows, int]:
        """Which messages may hold a folded pattern, of those up to a row: 0 where the index is of no help.

        Returns both from one snapshot: the index may be thrown away at any moment.
        """
        found = Rows()
        with self._asking:
            connection = self._question()
            with connection:
                query = _query(connection, pattern)
                if query is None:
                    found.few = None
                    return found, 0
                row = connection.execute("SELECT value FROM state WHERE name = 'upto'").fetchone()
                for (message_row,) in connection.execute(
                    "SELECT p.message_row FROM words w JOIN piece p ON p.id = w.rowid WHERE words MATCH ?",
                    (query,),
                ):
                    found.add(message_row)
        assert row is not None
        return found, int(row[0])

    def rows(self, after: int, limit: int) -> list[int]:
        """Messages in the index, to see which are gone."""
        with self._lock:
            found = self._open().execute(
                "SELECT DISTINCT message_row FROM piece WHERE message_row > ? ORDER BY message_row LIMIT ?",
                (after, limit),
            )
            return [row for (row,) in found]

    def forget(self, message_rows: Sequence[int]) -> None:
        """Removes messages that are gone."""
        with self._lock:
            connection = self._open()
            with connection:
                for row in message_rows:
                    ids = connection.execute("SELECT id FROM piece WHERE message_row = ?", (row,)).fetchall()
                    connection.executemany("DELETE FROM words WHERE rowid = ?", ids)
                    connection.execute("DELETE FROM piece WHERE message_row = ?", (row,))


def _query(connection: apsw.Connection, pattern: str) -> str | None:
    """What to ask of the index; None: it would not narrow."""
    if len(pattern) >= 3:
        return " AND ".join(f'"{gram}"' for gram in grams(pattern))
    last = pattern + 2 * chr(sys.maxunicode)
    often, found = 0, list[str]()
    for gram, pieces in connection.execute(
        "SELECT term, doc FROM gram WHERE term >= ? AND term <= ?", (pattern, last)
    ):
        often += pieces
        if often > OFTEN or len(found) == MANY:
            return None
        found.append('"' + gram.replace('"', '""') + '"')
    return " OR ".join(found) or '""'


def grams(pattern: str) -> list[str]:
    """The trigrams to ask for, spread over the pattern; quotes are doubled for the query."""
    found = list(dict.fromkeys(pattern[i : i + 3] for i in range(len(pattern) - 2)))
    if len(found) > GRAMS:
        found = found[:: len(found) // GRAMS + 1]
    return [gram.replace('"', '""') for gram in found]


def usable(pattern: str) -> bool:
    """Whether the index can help: there is something, and nothing that the engine ends a text at."""
    return pattern != "" and "\0" not in pattern


# what a message says


class Document:
    """A message as search sees it; what was decoded of one that is not large is kept for other questions."""

    def __init__(self, digest: Digest, prefix: bytes, read: Callable[[int, int], bytes]) -> None:
        self.digest = digest
        self._prefix = prefix
        self._read = read
        self._head: str | None = None
        self._pieces: list[str] = []
        self._rest: Iterator[str] | None = None
        self._asked = False

    def head(self) -> str:
        """Its header fields, ours among them, decoded."""
        if self._head is None:
            own = text.searchable_headers(scan(self._prefix + b"\r\n")) + "\n" if self._prefix else ""
            self._head = own + text.searchable_headers(self.digest)
        return self._head

    def texts(self) -> Iterator[str]:
        """Its bodies and attachments, in overlapping pieces."""
        if sum(part.end - part.body_start for part in text.leaves(self.digest.root)) > KEPT:
            yield from text.body_texts(self.digest, self._read)
            return
        if self._rest is None:
            self._rest = text.body_texts(self.digest, self._read)
        yield from self._pieces
        for piece in self._rest:
            self._pieces.append(piece)
            yield piece

    def fields(self, name: str) -> list[str]:
        """The decoded values of a header field."""
        digests = (scan(self._prefix + b"\r\n"), self.digest) if self._prefix else (self.digest,)
        return [words.decode_words(value) for one in digests for value in one.all(name)]

    def has(self, folded: str, where: Where, header: str = "", fold: Callable[[str], str] = fold) -> bool:
        """Whether it holds a text, which was folded by the same ``fold``."""
        if where == "header":
            return any(folded in fold(value) for value in self.fields(header))
        holds = collation.finder(folded, fold)
        if where == "text" and holds(self.head()):
            return True
        if len(folded) <= text.OVERLAP // 2:
            plain = folded.isascii() and fold in (collation.casemap, collation.ascii_casemap)
            if plain and not self._asked:  # who asks once more asks about what is decoded for all
                self._asked = True
                return text.holds(self.digest, self._read, folded.encode("ascii"), holds)
            return any(map(holds, self.texts()))
        # longer than the pieces overlap: rare, so the whole text is joined
        return folded in fold("\n".join(self.texts()))

    def pieces(self) -> Iterator[str]:
        """Everything, folded, in pieces that overlap."""
        yield from _cut(fold(self.head()))
        for piece in self.texts():
            yield from _cut(fold(piece))


def _cut(whole: str) -> Iterator[str]:
    whole = whole.replace("\0", " ") + END
    for start in range(0, max(len(whole), 1), PIECE):
        yield whole[max(start - text.OVERLAP, 0) : start + PIECE]


def _documents(tx: Tx, store: Store, rows: Sequence[int]) -> Iterator[tuple[int, Document]]:
    """Messages by row number, one body in memory at a time."""
    members, param = dialect.among(tx.engine, rows)
    found = tx.rows(
        "SELECT m.id, m.prefix, b.id, b.size, b.sha256, b.place, b.digest, b.data"
        f" FROM message m JOIN blob b ON b.id = m.blob_id WHERE m.id {members} ORDER BY m.id", param,
    )  # fmt: skip
    for row_id, prefix, blob_id, size, sha256, place, packed, data in found:
        read = _reader(store, BodyRef(blob_id, b"", size, False, sha256, not place, data))
        try:
            digest = ondemand.digest(packed, data)
        except ValueError:
            digest = scan(read(0, size))  # of another version; reindex will write it anew
        yield row_id, Document(digest, prefix, read)


def _reader(store: Store, ref: BodyRef) -> Callable[[int, int], bytes]:
    if ref.in_row:
        data = ref.data or b""
        return lambda start, end: data[start:end]
    path = store.blobs.path(ref.sha256)

    def read(start: int, end: int) -> bytes:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    return read


# the job


def _next_rows(tx: Tx, after: int, limit: int) -> list[int]:
    return [row for (row,) in tx.all("SELECT id FROM message WHERE id > ? ORDER BY id LIMIT ?", after, limit)]


def _index_step(tx: Tx, store: Store, limit: int) -> tuple[int, bool]:
    index = store.search_index()
    rows = _next_rows(tx, index.upto(), limit)
    if rows:
        documents = ((row, document.pieces()) for row, document in _documents(tx, store, rows))
        index.put(documents, rows[-1])
    return len(rows), len(rows) == limit


async def index_some(store: Store, limit: int = STEP) -> tuple[int, bool]:
    """Indexes the next messages; returns (how many, whether there are more).

    For the job runner, under the lease of job "search": two at once would do the work twice.

    Raises:
        TryLater(DISK_FULL | STORAGE): the index cannot be written; nothing else depends on it.
    """
    try:
        return await store.read(_index_step, store, limit)
    except TROUBLE as error:
        raise problem(error) from error


def _prune_step(tx: Tx, store: Store, after: int) -> tuple[int, int]:
    rows = store.search_index().rows(after, 5000)
    if not rows:
        return 0, 0
    members, param = dialect.among(tx.engine, rows)
    here = {row for (row,) in tx.all(f"SELECT id FROM message WHERE id {members}", param)}
    gone = [row for row in rows if row not in here]
    store.search_index().forget(gone)
    return rows[-1], len(gone)


async def prune(store: Store) -> int:
    """Removes messages from the index that the sweep took away; returns how many."""
    after = total = 0
    while True:
        after, gone = await store.read(_prune_step, store, after)
        total += gone
        if not after:
            return total


async def rebuild(store: Store, progress: Callable[[int], None] | None = None) -> int:
    """Builds the index anew; searches stay exact meanwhile, only slower."""
    await asyncio.to_thread(store.search_index().clear)
    done, more = 0, True
    while more:
        count, more = await index_some(store)
        done += count
        if progress is not None:
            progress(done)
    return done


# the question


def _find(
    tx: Tx,
    store: Store,
    folder_id: FolderId,
    pattern: str,
    where: Where,
    header: str,
    numbers: set[int] | None,
) -> list[Uid]:
    folded = fold(pattern)
    candidates, upto = store.search_index().candidates(folded) if usable(folded) else (Rows(), 0)
    found: list[Uid] = []
    after = 0
    while page := entries.lines(tx, folder_id, after + 1, 1 << 40, PAGE, ("uid", "message_row")):
        after = page[-1][0]
        places: dict[int, list[Uid]] = {}  # a message may stand in a folder twice
        for uid, row in page:
            if (numbers is None or uid in numbers) and (row > upto or row in candidates):
                places.setdefault(row, []).append(uid)
        ordered = sorted(places)
        for start in range(0, len(ordered), SLICE):
            for row, document in _documents(tx, store, ordered[start : start + SLICE]):
                if document.has(folded, where, header):
                    found.extend(places[row])
    return sorted(found)


async def find(
    store: Store,
    folder_id: FolderId,
    pattern: str,
    where: Where = "text",
    *,
    header: str = "",
    numbers: Iterable[int] | None = None,
) -> list[Uid]:
    """Numbers of the entries that hold ``pattern``, ascending; exact.

    ``where``: "header" (the field named ``header``), "body", or "text" (both).  ``numbers`` restricts the
    question.

    Raises:
        TryLater(STORAGE): a body cannot be read.
    """
    wanted = None if numbers is None else set(numbers)
    try:
        return await store.read(_find, store, folder_id, pattern, where, header, wanted)
    except TROUBLE as error:
        raise problem(error) from error
