"""What was filed as it came, rendered when somebody asks for it, or when there is time.

Most articles of a news feed are read as they are or not at all: `content.Raw` is filed with its overview
line alone, and without a digest.  Mail that comes in a crowd has its digest, and waits for the crowd to go
(`Store.content_of`).  Whoever lists more of such rows than the overview gets them rendered all the same.  The
transaction is told of both (`Tx.unrendered`), and the store writes soon afterwards what is rendered, once for
all readers.  A row that is not rendered has an empty ENVELOPE, as no other of a message with bytes has.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from quintet.message.digest import Digest
from quintet.message.scan import scan
from quintet.store import content, dialect, filing
from quintet.store.content import Content
from quintet.store.db import Tx

OCTETS = ("envelope", "bodystructure", "body")
COLUMNS = frozenset(
    (*OCTETS, "thread_key", "from_mailbox", "to_mailbox", "cc_mailbox", "from_display", "to_display",
     "base_subject", "is_reply", "references")
)  # fmt: skip
"""Columns of `entries.LINE_COLUMNS` that mean nothing until a row is rendered."""

STEP = 100  # messages rendered in one transaction, in the writer's thread
MAX_WAITING = 20_000  # messages that are to be rendered: some seconds; others are when they are read again
MAX_KEPT = 1000  # messages of `Kept`, some 3 KB each
MAX_KEPT_SIZE = 8 * 1024  # bytes of what is rendered of one; larger ones are rendered again
MARK = "envelope_size"  # a column that is read along where none of OCTETS is asked for

Row = tuple[Any, ...]  # Any: of columns
Read = Callable[[tuple[str, ...]], list[Row]]


@functools.lru_cache(maxsize=256)
def mark(columns: tuple[str, ...]) -> int:
    """Which column tells that a row is not rendered: -1 none is needed, behind the last `MARK` is."""
    if COLUMNS.isdisjoint(columns):
        return -1
    return next((at for at, name in enumerate(columns) if name in OCTETS), len(columns))


def rows(tx: Tx, columns: tuple[str, ...], read: Read) -> list[Row]:
    """What ``read`` gives of columns, with everything rendered; it may be asked once more."""
    at = mark(columns)
    if at < 0:
        return read(columns)
    marked = at == len(columns)
    return finished(tx, columns, read((*columns, MARK) if marked else columns), read)


def finished(tx: Tx, columns: tuple[str, ...], found: list[Row], read: Read) -> list[Row]:
    """Rows that begin with ``columns``, and `MARK` where `mark` says so: rendered, without that."""
    at = mark(columns)
    if at < 0:
        return found
    if not all(map(operator.itemgetter(at), found)):
        numbers = [number for (number,) in read(("message_row",))]
        late = [number for row, number in zip(found, numbers, strict=False) if not row[at]]
        made = _made(tx, late)
        found = [
            _filled(columns, row, made[number]) if number in made else row
            for row, number in zip(found, numbers, strict=False)
        ]
        tx.unrendered(made)
    return [row[:at] + row[at + 1 :] for row in found] if at == len(columns) else found


class Kept:
    """What readers had rendered lately, by message row: in a crowd it is long until it is written.

    For transactions that read what is committed: a row of these never gets other bytes.  Any thread.
    """

    def __init__(self) -> None:
        self._found: dict[int, dict[str, object]] = {}

    def get(self, numbers: Sequence[int]) -> dict[int, dict[str, object]]:
        """Those that are there."""
        pairs = [(number, self._found.get(number)) for number in numbers]
        return {number: made for number, made in pairs if made is not None}

    def add(self, found: Mapping[int, dict[str, object]]) -> None:
        """The oldest ones make room for them."""
        for number, made in found.items():
            if sum([len(made[name]) for name in OCTETS]) <= MAX_KEPT_SIZE:  # type: ignore[misc, arg-type]  # octets
                self._found[number] = made
        while len(self._found) > MAX_KEPT:
            try:
                del self._found[next(iter(self._found))]
            except (KeyError, RuntimeError):  # another thread was there before
                return


def _made(tx: Tx, late: Sequence[int]) -> dict[int, dict[str, object]]:
    """The columns of messages, rendered now or lately; an item without bytes has none."""
    kept = tx.kept
    if kept is None:
        return _rendered(tx, late)
    found: dict[int, dict[str, object]] = kept.get(late)
    if len(found) < len(late):
        new = _rendered(tx, [number for number in late if number not in found])
        kept.add(new)
        found |= new
    return found


def _rendered(tx: Tx, late: Sequence[int]) -> dict[int, dict[str, object]]:
    """The same, rendered now."""
    members, param = dialect.among(tx.engine, late)
    bodies = tx.all(
        "SELECT m.id, b.digest, b.data FROM message m JOIN blob b ON b.id = m.blob_id"
        f" WHERE m.id {members}", param,
    )  # fmt: skip
    return {
        number: filing.columns(_content(packed, data)) for number, packed, data in bodies if data is not None
    }


def _content(packed: bytes, data: bytes) -> Content:
    try:
        found = digest(packed, data)
    except ValueError:
        found = scan(data)
    return content.of_digest(found, b"", data, None)


def _filled(columns: tuple[str, ...], row: Row, made: dict[str, object]) -> Row:
    start = [made[name] if name in COLUMNS else value for name, value in zip(columns, row, strict=False)]
    return (*start, *row[len(columns) :])


def digest(packed: bytes, data: bytes | None) -> Digest:
    """The digest of a blob's row, scanned now where it was filed without one.

    Raises ValueError: of another version; `digests.rebuild` scans again.
    """
    return Digest.from_bytes(packed) if packed or data is None else scan(data)


def write(tx: Tx, numbers: Sequence[int]) -> None:
    """Puts what is derived into the rows of messages that lack it."""
    members, param = dialect.among(tx.engine, numbers)
    late = tx.all(
        "SELECT m.id, m.prefix, m.overview, b.id, b.digest, b.data FROM message m"
        f" JOIN blob b ON b.id = m.blob_id WHERE m.id {members} AND m.ready = 0", param,
    )  # fmt: skip
    for number, prefix, overview, blob_id, packed, data in late:
        made = _content(packed, data)
        if not packed:
            tx.run("UPDATE blob SET digest = ? WHERE id = ?", made.digest.to_bytes(), blob_id)
        filing.refresh(tx, number, made, prefix, bytes(overview).partition(b"\tXref: ")[2])
