"""Taking articles back: all their places at once, and withdrawals that came before their article.

Who may is decided in `delivery`; here it is done.  The id stays known, so that the article does not come
again.
"""

from __future__ import annotations

from collections.abc import Collection

from quintet.store import dialect, entries, history
from quintet.store.db import Tx, bounded
from quintet.store.filing import text
from quintet.store.model import FolderId, MessageId, Uid
from quintet.values import dataclass

MAX_EARLY = 100_000  # withdrawals kept of articles that never came; the oldest go first
EARLY_MS = 14 * 86_400_000  # how long they are kept: longer than articles are on their way (RFC 5537 5.3)
MAX_CLAIMS = 20  # withdrawals of one article that are looked at


@dataclass(frozen=True, slots=True)
class Early:
    """Somebody asked for an article to be taken back before it came."""

    by_id: str  # the Message-ID of who asked
    author: str  # address, lower case
    keys: str  # what proves whose article it is


def places(tx: Tx, message_row: MessageId) -> list[tuple[FolderId, Uid]]:
    """Where an article lies in groups; copies that people keep in their own folders are theirs."""
    rows = tx.all(
        "SELECT e.folder_id, e.uid FROM entry e JOIN folder f ON f.id = e.folder_id"
        " WHERE e.message_id = ? AND e.hidden = 0 AND f.kind = 'group' ORDER BY e.folder_id, e.uid",
        message_row,
    )  # fmt: skip
    return [(FolderId(folder_id), Uid(uid)) for folder_id, uid in rows]


def remove(tx: Tx, message_row: MessageId) -> int:
    """Takes an article out of every group; its numbers become tombstones.  Returns in how many it was."""
    found = places(tx, message_row)
    for folder_id, uid in found:
        entries.expunge(tx, folder_id, [uid])
    history.detach(tx, message_row)
    return len(found)


@bounded()
def keep_early(tx: Tx, message_id: str, by_id: str, author: str, keys: str) -> None:
    """Remembers a withdrawal whose article is not here."""
    tx.run(
        "INSERT INTO early_cancel (message_id, by_id, author, keys, at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (message_id, by_id) DO NOTHING",
        message_id, by_id, text(author), text(keys), tx.now,
    )  # fmt: skip


def early(tx: Tx, message_id: str) -> list[Early]:
    """Who asked for an article before it came; nobody, nearly always."""
    rows = tx.all(
        "SELECT by_id, author, keys FROM early_cancel WHERE message_id = ? ORDER BY by_id LIMIT ?",
        message_id, MAX_CLAIMS,
    )  # fmt: skip
    return [Early(*row) for row in rows]


def early_among(tx: Tx, ids: Collection[str]) -> set[str]:
    """Those of the articles for which somebody asked before they came."""
    if tx.one("SELECT 1 FROM early_cancel LIMIT 1") is None:
        return set()  # as nearly always
    members, param = dialect.among(tx.engine, ids)
    rows = tx.all(f"SELECT message_id FROM early_cancel WHERE message_id {members}", param)
    return {text_ for (text_,) in rows}


@bounded()
def forget_early(tx: Tx, message_id: str) -> None:
    """Its article has come."""
    tx.run("DELETE FROM early_cancel WHERE message_id = ?", message_id)


def tidy(tx: Tx, limit: int = 5000) -> int:
    """Drops some of what is too old, and of what is too much; returns how many rows went."""
    gone = tx.run(
        "DELETE FROM early_cancel WHERE message_id IN"
        " (SELECT message_id FROM early_cancel WHERE at < ? ORDER BY at LIMIT ?)",
        tx.now - EARLY_MS, limit,
    )  # fmt: skip
    too_many = int(tx.value("SELECT count(*) FROM early_cancel")) - MAX_EARLY
    if too_many > 0:
        gone += tx.run(
            "DELETE FROM early_cancel WHERE message_id IN"
            " (SELECT message_id FROM early_cancel ORDER BY at LIMIT ?)", min(too_many, limit),
        )  # fmt: skip
    return gone
