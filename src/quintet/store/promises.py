"""What other domains promise about TLS: their policies as they were fetched, until they run out.

What a policy means is `net.mtasts`'s, when one is fetched `delivery.stsstore`'s.
"""

from __future__ import annotations

from quintet.store.db import Tx, bounded
from quintet.store.filing import text
from quintet.values import dataclass

MAX_PROMISES = 100_000  # domains; when there are more, those that were not asked for longest go
DAY_MS = 86_400_000
SPARE = 1000  # rows removed at once when there are too many


@dataclass(frozen=True, slots=True)
class Promise:
    """One domain's policy; ``version`` is the id its name service row had."""

    domain: str
    version: str
    body: str
    fetched_at: int
    expires_at: int
    tried_at: int
    used_at: int
    error: str


_COLUMNS = "domain, version, body, fetched_at, expires_at, tried_at, used_at, error"


def find(tx: Tx, domain: str) -> Promise | None:
    """The row of a domain, run out or not."""
    row = tx.one(f"SELECT {_COLUMNS} FROM tls_promise WHERE domain = ?", domain)
    return None if row is None else Promise(*row)


@bounded()
def put(tx: Tx, domain: str, version: str, body: str, expires_at: int, used_at: int | None = None) -> None:
    """Remembers what was fetched just now; ``used_at`` None: it was fetched because mail goes there."""
    tx.run(
        f"INSERT INTO tls_promise ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, '')"
        " ON CONFLICT (domain) DO UPDATE SET version = excluded.version, body = excluded.body,"
        " fetched_at = excluded.fetched_at, expires_at = excluded.expires_at, tried_at = excluded.tried_at,"
        " used_at = excluded.used_at, error = ''",
        domain, version, text(body), tx.now, expires_at, tx.now, tx.now if used_at is None else used_at,
    )  # fmt: skip


@bounded()
def failed(tx: Tx, domain: str, error: str) -> None:
    """A try to fetch it again came to nothing; what is there stays until it runs out."""
    tx.run("UPDATE tls_promise SET tried_at = ?, error = ? WHERE domain = ?", tx.now, text(error), domain)


@bounded()
def used(tx: Tx, domain: str) -> None:
    """It was asked for today."""
    tx.run("UPDATE tls_promise SET used_at = ? WHERE domain = ?", tx.now, domain)


def stale(tx: Tx, fetched_before: int, tried_before: int, used_after: int, limit: int) -> list[Promise]:
    """Living ones that ought to be fetched again, oldest first."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM tls_promise WHERE fetched_at < ? AND tried_at < ? AND used_at > ?"
        " AND expires_at > ? ORDER BY fetched_at LIMIT ?",
        fetched_before, tried_before, used_after, tx.now, limit,
    )  # fmt: skip
    return [Promise(*row) for row in rows]


def listing(tx: Tx, limit: int) -> list[Promise]:
    """By name."""
    return [
        Promise(*row) for row in tx.all(f"SELECT {_COLUMNS} FROM tls_promise ORDER BY domain LIMIT ?", limit)
    ]


@bounded()
def forget(tx: Tx, domain: str) -> bool:
    """Drops one; False when there was none."""
    return tx.run("DELETE FROM tls_promise WHERE domain = ?", domain) > 0


@bounded()
def tidy(tx: Tx, limit: int = SPARE) -> int:
    """Drops some of what ran out, and of what is too much; returns how many."""
    gone = tx.run(
        "DELETE FROM tls_promise WHERE domain IN"
        " (SELECT domain FROM tls_promise WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)",
        tx.now, limit,
    )  # fmt: skip
    too_many = int(tx.value("SELECT COUNT(*) FROM tls_promise")) - MAX_PROMISES
    if too_many > 0:
        gone += tx.run(
            "DELETE FROM tls_promise WHERE domain IN"
            " (SELECT domain FROM tls_promise ORDER BY used_at LIMIT ?)",
            min(too_many, limit),
        )
    return gone
