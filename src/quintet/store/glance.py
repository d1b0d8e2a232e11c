"""What a session that looks at one folder asks again and again, each in microseconds.

Whether anything changed, which keywords are in use, where the first unread entry is.
"""

from __future__ import annotations

from quintet.store import dialect, seen
from quintet.store.db import Tx, single
from quintet.store.model import AccountId, Folder, FolderId, Uid

MAX_KEYWORDS = 500  # different sets of keywords looked at; a session learns of others when it meets them
MAX_SCAN = 20_000  # entries looked at for the first unread one: about 2 ms


def highest(tx: Tx, folder_id: FolderId) -> int | None:
    """The folder's change number; None when it is gone."""
    found: int | None = tx.value("SELECT highest_modseq FROM folder WHERE id = ?", folder_id)
    return found


def keywords(tx: Tx, folder_id: FolderId) -> tuple[str, ...]:
    """Keywords in use, each in one spelling; steps through the index from one set to the next."""
    found: dict[str, str] = {}
    last = ""
    for _ in range(MAX_KEYWORDS):
        last = tx.value(
            "SELECT keywords FROM entry WHERE folder_id = ? AND keywords <> '' AND keywords > ?"
            " ORDER BY keywords LIMIT 1", folder_id, last,
        )  # fmt: skip
        if last is None:
            break
        for word in last.split():
            found.setdefault(word.lower(), word)
    return tuple(found.values())


def first_unseen(tx: Tx, folder: Folder, reader: AccountId | None) -> Uid | None:
    """The lowest number without \\Seen; None when there is none, or none within `MAX_SCAN` entries."""
    if reader is not None and seen.is_own(folder, reader):
        marks = seen.get(tx, folder.id, reader)
        at = folder.low
        for low, high in marks.ranges():
            if at < low:
                break
            at = max(at, Uid(high + 1))
        found = tx.value(
            "SELECT min(uid) FROM entry WHERE folder_id = ? AND uid >= ? AND hidden = 0", folder.id, at
        )
        # between two marks may be nothing but gaps: then the next ranges must be asked, which is rare
        return None if found is None or found in marks else Uid(found)
    if not folder.unseen:
        return None
    # no order outside: with one, both engines would look at all of `MAX_SCAN` before they answer
    found = tx.value(
        "SELECT uid FROM (SELECT uid, flags FROM entry WHERE folder_id = ? AND hidden = 0"
        " ORDER BY uid LIMIT ?) AS first WHERE flags & 1 = 0 LIMIT 1", folder.id, MAX_SCAN,
    )  # fmt: skip
    return None if found is None else Uid(found)


@single
def marks(tx: Tx, folder_id: FolderId, low: int, high: int, limit: int) -> tuple[list[str], list[str]] | None:
    """Numbers and flags of the first entries of a range, as decimal texts; None where one has keywords.

    Neither a tuple nor a number is made for an entry: it takes a third less time than to read rows.
    """
    numbers = dialect.joined_numbers(tx.engine, "uid"), dialect.joined_numbers(tx.engine, "flags")
    row = tx.one(
        f"SELECT {numbers[0]}, {numbers[1]}, max(keywords) FROM (SELECT uid, flags, keywords FROM entry"
        " WHERE folder_id = ? AND uid BETWEEN ? AND ? AND hidden = 0 ORDER BY uid LIMIT ?) AS page",
        folder_id, low, high, limit,
    )  # fmt: skip
    assert row is not None
    if row[0] is None:
        return [], []
    return (row[0].split(","), row[1].split(",")) if not row[2] else None
