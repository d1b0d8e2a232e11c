"""History: which Message-IDs of news were taken, or refused for good, so that none comes twice.

Kept longer than the articles themselves (RFC 5537 3.4, RFC 3977 6.3.2), and by hashes: the text of an id
stands with its message.  Of two ids whose hashes begin with the same 64 bits the second counts as known; the
chance that ten million ids have such a pair is 1 in 370,000.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Collection, Iterable, Sequence
from zlib import crc32

from quintet.store import dialect
from quintet.store.db import Tx, bounded
from quintet.store.model import MessageId

INSERT = "INSERT INTO history (id, arrived_at, gone, key, rest, crc) VALUES (?, ?, ?, ?, ?, ?)"
_NEW = f"{INSERT} ON CONFLICT (key) DO NOTHING"
_HALVES = struct.Struct(">q8s")
HASH_ONLY = -1  # in place of a tag: of that id only the MD5 came (`add_hashes`)
_HASHES = "history hashes"  # setting: numbers of the first and of the last such row


Hash = tuple[int, bytes, int]
"""What is kept of a Message-ID: the halves of its MD5, and its tag in `idtable`."""


def hashed(message_id: str) -> Hash:
    """Of a Message-ID with angle brackets.  MD5 as in INN's history."""
    raw = message_id.encode("utf-8", "replace")
    front, rest = _HALVES.unpack(hashlib.md5(raw, usedforsecurity=False).digest())
    return front, rest, crc32(raw)


def key(message_id: str) -> int:
    """By which it is looked up."""
    return hashed(message_id)[0]


def md5(key: int, rest: bytes) -> bytes:
    """The whole hash again."""
    return _HALVES.pack(key, rest)


def row(message_id: str, row_id: int, arrived_at: int, *, gone: bool = False) -> tuple[object, ...]:
    """For `INSERT`."""
    return (row_id, arrived_at, int(gone), *hashed(message_id))


def known(tx: Tx, message_id: str) -> bool:
    """Whether that Message-ID (with angle brackets) was seen."""
    found = tx.one("SELECT 1 FROM history WHERE key = ?", key(message_id)) is not None
    return found or bool(_came_small(tx, (message_id,)))


def among(tx: Tx, ids: Collection[str]) -> set[str]:
    """Those of the Message-IDs that were seen; 2 us an id.  `Store.known_many` asks memory first."""
    names = {key(one): one for one in ids}
    members, param = dialect.among(tx.engine, names)
    found = {names[each] for (each,) in tx.all(f"SELECT key FROM history WHERE key {members}", param)}
    return found | _came_small(tx, ids)


def _came_small(tx: Tx, ids: Collection[str]) -> set[str]:
    """Those with capitals behind their "@" of which only INN's MD5 came: INN takes them as small letters."""
    small: dict[int, list[str]] = {}
    for one in ids:
        left, _, right = one.rpartition("@")
        if right != right.lower():
            small.setdefault(key(f"{left}@{right.lower()}"), []).append(one)
    if not small:
        return set()
    members, param = dialect.among(tx.engine, small)
    rows = tx.all(f"SELECT key FROM history WHERE key {members} AND crc = ?", param, HASH_ONLY)
    return {one for (each,) in rows for one in small[each]}


def page(tx: Tx, after: int, limit: int) -> list[tuple[int, int]]:
    """The tags of all ids, ``limit`` at a time: (row, tag); ``after`` the last row of the page before."""
    return tx.all("SELECT id, crc FROM history WHERE id > ? ORDER BY id LIMIT ?", after, limit)


def count(tx: Tx) -> int:
    """How many ids there are; looks at all of them."""
    return int(tx.value("SELECT count(*) FROM history"))


def find(tx: Tx, message_id: str) -> MessageId | None:
    """The message row of an article that is here; None when it never was or is gone."""
    found = tx.value("SELECT id FROM history WHERE key = ? AND gone = 0", key(message_id))
    return None if found is None else MessageId(found)


def row_of(tx: Tx, message_id: str) -> int | None:
    """The number that an article has or had as a message; an id that came without one has its own."""
    found: int | None = tx.value("SELECT id FROM history WHERE key = ?", key(message_id))
    return found


@bounded()
def add(tx: Tx, message_id: str, message_row: MessageId | None, arrived_at: int) -> bool:
    """Notes an id; False when it was there (nothing changes then)."""
    tx.learn(message_id)
    if _came_small(tx, (message_id,)):
        return False
    row_id = tx.new_ids(1) if message_row is None else message_row
    return tx.run(_NEW, *row(message_id, row_id, arrived_at, gone=message_row is None)) > 0


@bounded()
def remember(tx: Tx, message_id: str) -> None:
    """Notes an id whose article is not kept: refused for good, cancelled before it came."""
    add(tx, message_id, None, tx.now)


@bounded()
def remember_all(tx: Tx, message_ids: Collection[str]) -> None:
    """Notes many of them."""
    first = tx.new_ids(len(message_ids))
    for message_id in message_ids:
        tx.learn(message_id)
    tx.many(_NEW, [row(one, row_id, tx.now, gone=True) for row_id, one in enumerate(message_ids, first)])


def add_hashes(tx: Tx, hashes: Sequence[tuple[bytes, int]]) -> int:
    """Notes ids whose article is gone, by MD5 and arrival (ms); returns how many were new.

    For `Known.admit`: who asks memory first must learn that it does not know them.
    """
    first = tx.new_ids(len(hashes))
    added = sum(
        tx.run(_NEW, row_id, arrived_at, 1, *_HALVES.unpack(whole), HASH_ONLY)
        for row_id, (whole, arrived_at) in enumerate(hashes, first)
    )
    if added:
        begin = _hash_rows(tx)[0] or first
        tx.run(
            "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE"
            " SET value = excluded.value", _HASHES, f"{begin} {first + len(hashes) - 1}",
        )  # fmt: skip
    return added


def has_hashes(tx: Tx) -> bool:
    """Whether there are ids of which only the MD5 came; looks at the rows that were made with them."""
    begin, end = _hash_rows(tx)
    return bool(begin) and (
        tx.one("SELECT 1 FROM history WHERE id BETWEEN ? AND ? AND crc = ? LIMIT 1", begin, end, HASH_ONLY)
        is not None
    )


def _hash_rows(tx: Tx) -> tuple[int, int]:
    found = tx.value("SELECT value FROM setting WHERE name = ?", _HASHES)
    begin, _, end = (found or "0 0").partition(" ")
    return int(begin), int(end)


def no_more_hashes(tx: Tx) -> None:
    """The last of them is gone."""
    tx.run("DELETE FROM setting WHERE name = ?", _HASHES)


@bounded()
def forget(tx: Tx, message_id: str) -> None:
    """An id whose article was not kept may come again: it was held back, and is let go."""
    tx.run("DELETE FROM history WHERE key = ? AND gone = 1", key(message_id))


@bounded()
def detach(tx: Tx, message_row: MessageId) -> None:
    """The article is gone; its id stays known."""
    tx.run("UPDATE history SET gone = 1 WHERE id = ?", message_row)


@bounded(lambda message_rows: len(message_rows) <= 100)
def detach_gone(tx: Tx, message_rows: Collection[int]) -> None:
    """Those of the articles that are in no group any more are gone; their ids stay known."""
    members, param = dialect.among(tx.engine, message_rows)
    tx.run(
        # not a join: the planner would begin with all groups
        f"UPDATE history SET gone = 1 WHERE id {members} AND NOT EXISTS"
        " (SELECT 1 FROM entry e WHERE e.message_id = history.id"
        " AND (SELECT f.kind FROM folder f WHERE f.id = e.folder_id) = 'group')",
        param,
    )  # fmt: skip


def sweep(tx: Tx, before: int, limit: int = 5000) -> int:
    """Forgets ids whose article is gone and that arrived before a time; returns how many."""
    return tx.run(
        "DELETE FROM history WHERE id IN (SELECT id FROM history"
        " WHERE arrived_at < ? AND gone = 1 ORDER BY arrived_at LIMIT ?)",
        before, limit,
    )  # fmt: skip


def from_texts(tx: Tx) -> None:
    """Fills `history_hash` from the table of before, which had the texts (schema 85)."""
    after = ""
    while page := _texts(tx, after):
        first = tx.new_ids(len(page))
        tx.many(
            INSERT.replace("INTO history", "INTO history_hash"),
            _rows(page, first),
        )
        after = page[-1][0]


def _texts(tx: Tx, after: str) -> list[tuple[str, int | None, int]]:
    return tx.all(
        "SELECT message_id, message_row, arrived_at FROM history WHERE message_id > ?"
        " ORDER BY message_id LIMIT 5000", after,
    )  # fmt: skip


def _rows(page: Iterable[tuple[str, int | None, int]], first: int) -> list[tuple[object, ...]]:
    return [
        row(text, own if message_row is None else message_row, arrived_at, gone=message_row is None)
        for own, (text, message_row, arrived_at) in enumerate(page, first)
    ]
