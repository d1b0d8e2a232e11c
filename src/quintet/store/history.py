"""History: which Message-IDs of news were taken, or refused for good, so that none comes twice.

Kept longer than the articles themselves (RFC 5537 3.4, RFC 3977 6.3.2).
"""

from __future__ import annotations

from collections.abc import Collection

from quintet.store import dialect
from quintet.store.db import Tx, bounded
from quintet.store.model import MessageId


def known(tx: Tx, message_id: str) -> bool:
    """Whether that Message-ID (with angle brackets) was seen."""
    return tx.one("SELECT 1 FROM history WHERE message_id = ?", message_id) is not None


def among(tx: Tx, ids: Collection[str]) -> set[str]:
    """Those of the Message-IDs that were seen; 2 us an id.  `Store.known_many` asks memory first."""
    members, param = dialect.among(tx.engine, ids)
    return {text for (text,) in tx.all(f"SELECT message_id FROM history WHERE message_id {members}", param)}


def page(tx: Tx, after: str, limit: int) -> list[str]:
    """All ids, ``limit`` at a time, in an order of the engine's; ``after`` the last of the page before."""
    rows = tx.all(
        "SELECT message_id FROM history WHERE message_id > ? ORDER BY message_id LIMIT ?", after, limit
    )
    return [text for (text,) in rows]


def count(tx: Tx) -> int:
    """How many ids there are; looks at all of them."""
    return int(tx.value("SELECT count(*) FROM history"))


def find(tx: Tx, message_id: str) -> MessageId | None:
    """The message row of an article that is here; None when it never was or is gone."""
    row = tx.value("SELECT message_row FROM history WHERE message_id = ?", message_id)
    return None if row is None else MessageId(row)


@bounded()
def add(tx: Tx, message_id: str, message_row: MessageId | None, arrived_at: int) -> bool:
    """Notes an id; False when it was there (nothing changes then)."""
    tx.learn(message_id)
    return (
        tx.run(
            "INSERT INTO history (message_id, message_row, arrived_at) VALUES (?, ?, ?)"
            " ON CONFLICT (message_id) DO NOTHING",
            message_id, message_row, arrived_at,
        )
        > 0
    )  # fmt: skip


@bounded()
def remember(tx: Tx, message_id: str) -> None:
    """Notes an id whose article is not kept: refused for good, cancelled before it came."""
    add(tx, message_id, None, tx.now)


@bounded()
def forget(tx: Tx, message_id: str) -> None:
    """An id whose article was not kept may come again: it was held back, and is let go."""
    tx.run("DELETE FROM history WHERE message_id = ? AND message_row IS NULL", message_id)


@bounded()
def detach(tx: Tx, message_row: MessageId) -> None:
    """The article is gone; its id stays known."""
    tx.run("UPDATE history SET message_row = NULL WHERE message_row = ?", message_row)


@bounded(lambda message_rows: len(message_rows) <= 100)
def detach_gone(tx: Tx, message_rows: Collection[int]) -> None:
    """Those of the articles that are in no group any more are gone; their ids stay known."""
    members, param = dialect.among(tx.engine, message_rows)
    tx.run(
        # not a join: the planner would begin with all groups
        f"UPDATE history SET message_row = NULL WHERE message_row {members} AND NOT EXISTS"
        " (SELECT 1 FROM entry e WHERE e.message_id = history.message_row"
        " AND (SELECT f.kind FROM folder f WHERE f.id = e.folder_id) = 'group')",
        param,
    )  # fmt: skip


def sweep(tx: Tx, before: int, limit: int = 5000) -> int:
    """Forgets ids whose article is gone and that arrived before a time; returns how many."""
    return tx.run(
        "DELETE FROM history WHERE message_id IN (SELECT message_id FROM history"
        " WHERE arrived_at < ? AND message_row IS NULL ORDER BY arrived_at LIMIT ?)",
        before, limit,
    )  # fmt: skip
