"""Keys that the server makes for itself, and senders that a token stands for.

What they sign is delivery's business; all workers share them, and a backup holds them.
"""

from __future__ import annotations

import os

from quintet.store.db import Tx, bounded

KEY_SIZE = 32  # bytes


def find(tx: Tx, name: str) -> bytes | None:
    """A key, None while nobody has made it."""
    value = tx.value("SELECT value FROM secret WHERE name = ?", name)
    return None if value is None else bytes(value)


@bounded()
def make(tx: Tx, name: str) -> bytes:
    """The key of that name; made at random when it is not there."""
    tx.run(
        "INSERT INTO secret (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
        name, os.urandom(KEY_SIZE),
    )  # fmt: skip
    value = find(tx, name)
    assert value is not None
    return value


@bounded()
def keep_sender(tx: Tx, token: str, address: str, expires_at: int) -> None:
    """Remembers whom a token stands for; those that have ended are forgotten."""
    tx.run(
        "INSERT INTO return_path (token, address, expires_at) VALUES (?, ?, ?)"
        " ON CONFLICT (token) DO UPDATE SET expires_at = excluded.expires_at",
        token, address, expires_at,
    )  # fmt: skip
    tx.run("DELETE FROM return_path WHERE expires_at < ?", tx.now)


def sender(tx: Tx, token: str) -> str:
    """Whom a token stands for; "" when nobody knows any more."""
    return (
        tx.value("SELECT address FROM return_path WHERE token = ? AND expires_at >= ?", token, tx.now) or ""
    )
