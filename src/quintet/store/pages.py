"""Pages of entries for those who list by object numbers, hidden ones included, in any order that SQL has.

`entries` lists by numbers in a folder, for those who speak MIME; this lists what a property store shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from quintet.errors import Reason, Refused
from quintet.store import dialect
from quintet.store.db import Tx
from quintet.store.model import SEEN, EntryId, FolderId, MessageId, Modseq, Uid
from quintet.values import dataclass

MAX_PAGE = 1000  # entries of one question

SORTABLE: Final = {
    "received_at": "e.received_at",
    "size": "e.size",
    "content_modseq": "e.content_modseq",
    "id": "e.id",
    "uid": "e.uid",
}
"""What `ids` can sort by."""

_SHOWN = "e.folder_id = ? AND e.hidden = 0"
# by the index of those few: SQLite does not know that they are
_HIDDEN = "e.id IN (SELECT id FROM entry WHERE folder_id = ? AND hidden = 1)"

LINE: Final = (
    "e.id, e.folder_id, e.uid, e.message_id, e.flags, e.size, e.received_at, e.saved_at, e.content_modseq,"
    " e.hidden, m.blob_id, m.sent_at, m.message_id, m.from_display"
)
DIGEST: Final = (
    ", b.digest, CASE WHEN length(b.digest) = 0 THEN b.data END",
    " LEFT JOIN blob b ON b.id = m.blob_id",
)
"""What `lines` reads for a digest, and where it stands."""

_WHOLE = (
    "SELECT e.id, e.folder_id, e.uid, e.message_id, e.flags, e.size, e.received_at, e.saved_at, e.modseq,"
    " e.content_modseq, e.read_modseq, e.created_modseq, e.hidden, m.prefix, m.blob_id, b.size, b.sha256,"
    " b.place, b.data, b.digest FROM entry e JOIN message m ON m.id = e.message_id"
    " LEFT JOIN blob b ON b.id = m.blob_id WHERE e.id = ?"
)


@dataclass(frozen=True, slots=True)
class Whole:
    """An entry with its message and its body, as far as that lies in the row."""

    id: EntryId
    folder_id: FolderId
    uid: Uid
    message_row: MessageId
    flags: int
    size: int
    received_at: int
    saved_at: int
    modseq: Modseq
    content_modseq: Modseq
    read_modseq: Modseq
    created_modseq: Modseq
    hidden: int
    prefix: bytes
    blob_id: int | None  # None: an item without MIME
    blob_size: int
    sha256: bytes
    place: int  # 0: `data`, 1: a file
    data: bytes | None
    digest: bytes


def whole(tx: Tx, entry_id: int) -> Whole:
    """Raises Refused(NO_SUCH_MESSAGE)."""
    found = tx.one(_WHOLE, entry_id)
    if found is None:
        raise Refused(Reason.NO_SUCH_MESSAGE)
    return Whole(*found)


def ids(
    tx: Tx, folder_id: FolderId, *, hidden: bool = False, order: Sequence[tuple[str, bool]] = ()
) -> list[int]:
    """Object numbers of all entries of a folder.

    ``order``: names of `SORTABLE`, and whether descending; what is equal stays in the order of arrival, or
    against it where the first descends.
    """
    last = "DESC" if order and order[0][1] else "ASC"
    terms = [f"{SORTABLE[name]} {'DESC' if falling else 'ASC'}" for name, falling in order]
    rows = tx.all(
        f"SELECT e.id FROM entry e WHERE {_HIDDEN if hidden else _SHOWN}"
        f" ORDER BY {', '.join([*terms, f'e.uid {last}'])}",
        folder_id,
    )
    return [number for (number,) in rows]


def lines(tx: Tx, numbers: Iterable[int], *, digests: bool = False) -> list[tuple[Any, ...]]:
    """Rows of `LINE`, in no order; with ``digests`` what `ondemand.digest` takes behind (None: no MIME)."""
    members, param = dialect.among(tx.engine, numbers)
    more, join = DIGEST if digests else ("", "")
    return tx.all(
        f"SELECT {LINE}{more} FROM entry e JOIN message m ON m.id = e.message_id{join} WHERE e.id {members}",
        param,
    )


def size(tx: Tx, entry_id: int) -> int:
    """Bytes of an entry's message; 0 where there is none."""
    return int(tx.value("SELECT size FROM entry WHERE id = ?", entry_id) or 0)


def within(tx: Tx, folder_id: FolderId, numbers: Iterable[int]) -> list[tuple[EntryId, Uid, bool]]:
    """(object number, number, hidden) of those entries that lie in a folder, ascending."""
    members, param = dialect.among(tx.engine, numbers)
    rows = tx.all(
        f"SELECT id, uid, hidden FROM entry WHERE id {members} AND folder_id = ? ORDER BY uid",
        param, folder_id,
    )  # fmt: skip
    return [(EntryId(number), Uid(uid), bool(hidden)) for number, uid, hidden in rows]


def numbers(tx: Tx, folder_id: FolderId, uids: Iterable[int]) -> dict[int, EntryId]:
    """Object numbers of some entries of a folder, by their numbers there."""
    members, param = dialect.among(tx.engine, uids)
    return dict(tx.all(f"SELECT uid, id FROM entry WHERE folder_id = ? AND uid {members}", folder_id, param))


def hidden_count(tx: Tx, folder_id: FolderId) -> int:
    return int(tx.value("SELECT count(*) FROM entry WHERE folder_id = ? AND hidden = 1", folder_id))


def renumber(tx: Tx, folder_id: FolderId, uid: Uid, entry_id: EntryId) -> None:
    """Gives a new entry the object number that was told before there was an entry; it has no properties."""
    tx.run("UPDATE entry SET id = ? WHERE folder_id = ? AND uid = ?", entry_id, folder_id, uid)


def removed(tx: Tx, folder_id: FolderId) -> int:
    """How many entries of a folder were taken away, as far as that is remembered."""
    return int(tx.value("SELECT count(*) FROM tombstone WHERE folder_id = ?", folder_id))


def present(tx: Tx, numbers: Sequence[int]) -> list[int]:
    """Those of some object numbers that have an entry, ascending."""
    members, param = dialect.among(tx.engine, numbers)
    return [number for (number,) in tx.all(f"SELECT id FROM entry WHERE id {members} ORDER BY id", param)]


def lying(tx: Tx, numbers: Sequence[int]) -> list[tuple[int, FolderId]]:
    """`present`, each with the folder in which it lies."""
    members, param = dialect.among(tx.engine, numbers)
    rows = tx.all(f"SELECT id, folder_id FROM entry WHERE id {members} ORDER BY id", param)
    return [(number, FolderId(place)) for number, place in rows]


def unseen(tx: Tx, numbers: Sequence[int]) -> int:
    """How many of some entries do not have the flag that they were seen."""
    members, param = dialect.among(tx.engine, numbers)
    return int(tx.value(f"SELECT count(*) FROM entry WHERE id {members} AND flags & {SEEN} = 0", param))


def changed(
    tx: Tx, folder_id: FolderId, modseq: int, limit: int = MAX_PAGE
) -> tuple[list[int], set[int]] | None:
    """Object numbers of visible entries that came or changed after a change number, and of those that went.

    None: more than ``limit``, or too much was forgotten to tell.
    """
    if (tx.value("SELECT forgot_modseq FROM folder WHERE id = ?", folder_id) or 0) > modseq:
        return None
    came = tx.all(
        "SELECT id FROM entry WHERE folder_id = ? AND modseq > ? AND hidden = 0 ORDER BY modseq LIMIT ?",
        folder_id, modseq, limit + 1,
    )  # fmt: skip
    went = tx.all(
        "SELECT entry_id FROM tombstone WHERE folder_id = ? AND modseq > ? ORDER BY modseq LIMIT ?",
        folder_id, modseq, limit + 1,
    )  # fmt: skip
    if len(came) > limit or len(went) > limit:
        return None
    return [number for (number,) in came], {number for (number,) in went}


# --- what happened ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Came:
    """An entry that is new in a folder."""

    id: int
    flags: int
    moved_from: tuple[int, int]  # folder and object number that it had; (0, 0): it was not moved here
    copied_from: tuple[int, int]  # those of an older entry of the account with the same message


@dataclass(frozen=True, slots=True)
class Happened:
    """What happened in a folder after a change number; by object numbers, hidden entries too."""

    came: list[Came]
    changed: list[int]
    gone: list[tuple[int, int, int]]  # object number; and, where it was moved to: folder and number


def happened(tx: Tx, folder_id: FolderId, modseq: int, limit: int) -> Happened | None:
    """None: more than ``limit`` things, or too much was forgotten to tell."""
    if (tx.value("SELECT forgot_modseq FROM folder WHERE id = ?", folder_id) or 0) > modseq:
        return None
    rows = tx.all(
        "SELECT id, flags, created_modseq FROM entry WHERE folder_id = ? AND modseq > ?"
        " ORDER BY modseq, uid LIMIT ?", folder_id, modseq, limit + 1,
    )  # fmt: skip
    gone = tx.all(
        "SELECT t.entry_id, coalesce(e.folder_id, 0), t.moved_to FROM tombstone t"
        " LEFT JOIN entry e ON e.id = t.moved_to"
        " WHERE t.folder_id = ? AND t.modseq > ? ORDER BY t.modseq, t.uid LIMIT ?",
        folder_id, modseq, limit + 1,
    )  # fmt: skip
    if len(rows) + len(gone) > limit:
        return None
    new = [number for number, _, created in rows if created > modseq]
    moved, copied = _moved(tx, new), _copied(tx, new)
    came = [
        Came(number, flags, moved.get(number, (0, 0)), copied.get(number, (0, 0)))
        for number, flags, created in rows
        if created > modseq
    ]
    # what was replaced under its own number has a tombstone too, and is not gone
    there = set(present(tx, [number for number, _, _ in gone]))
    return Happened(
        came,
        [number for number, _, created in rows if created <= modseq],
        [(number, place, to if place else 0) for number, place, to in gone if number not in there],
    )


def _moved(tx: Tx, numbers: Sequence[int]) -> dict[int, tuple[int, int]]:
    members, param = dialect.among(tx.engine, numbers)
    rows = tx.all(
        f"SELECT moved_to, folder_id, entry_id FROM tombstone WHERE moved_to {members} AND moved_to <> 0",
        param,
    )
    return {number: (folder_id, old) for number, folder_id, old in rows}


def _copied(tx: Tx, numbers: Sequence[int]) -> dict[int, tuple[int, int]]:
    members, param = dialect.among(tx.engine, numbers)
    rows = tx.all(
        "SELECT e.id, o.folder_id, o.id FROM entry e JOIN folder f ON f.id = e.folder_id"
        " JOIN entry o ON o.message_id = e.message_id AND o.id < e.id"
        " JOIN folder g ON g.id = o.folder_id AND g.account_id = f.account_id"
        f" WHERE e.id {members} ORDER BY o.id DESC", param,
    )  # fmt: skip
    return {number: (folder_id, old) for number, folder_id, old in rows}
