"""Lanes: which domains have mail that is due, so that nobody reads the whole queue to find the next batch.

One row a domain and rank with waiting recipients, kept beside `queue_recipient` by `store.queue`.  A row may
say "due" too early, never too late: whoever looks puts it right.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from quintet.store import dialect
from quintet.store.db import Tx

MANY = (10, 100, 1000)  # recipients of a message; beyond each it yields one rank
MAX_PRIORITY = 9  # RFC 6710 3: -9 to 9
AT_ONCE = 20  # recipients taken from one lane before the next one has its turn, where several are due

Lane = tuple[str, int]  # domain, rank


def rank(priority: int, recipients: int) -> int:
    """Where a recipient stands: higher goes first.  A priority outweighs any number of recipients."""
    bulk = sum(recipients > limit for limit in MANY)
    return 4 * min(MAX_PRIORITY, max(-MAX_PRIORITY, priority)) - bulk


def wait(tx: Tx, lanes: Iterable[tuple[str, int, int]]) -> None:
    """Somebody waits in these lanes (domain, rank) and is due then (ms)."""
    soonest: dict[Lane, int] = {}
    for domain, at_rank, due_at in lanes:
        known = soonest.get((domain, at_rank))
        soonest[domain, at_rank] = due_at if known is None else min(known, due_at)
    tx.many(
        "INSERT INTO queue_lane (domain, rank, due_at) VALUES (?, ?, ?) ON CONFLICT (domain, rank) DO UPDATE"
        " SET due_at = CASE WHEN excluded.due_at < queue_lane.rest_until THEN queue_lane.rest_until"
        " ELSE excluded.due_at END WHERE excluded.due_at < queue_lane.due_at",
        [(*lane, due_at) for lane, due_at in sorted(soonest.items())],
    )


def due(tx: Tx, count: int, busy: Collection[str], only: Collection[str]) -> list[list[Lane]]:
    """Lanes with mail that is due: one list a rank, highest first, in each the longest due first."""
    found = []
    for at_rank in _ranks(tx):
        sql, params = "SELECT domain FROM queue_lane WHERE rank = ? AND due_at <= ?", [at_rank, tx.now]
        for names, word in ((busy, "NOT "), (only, "")):
            if names:
                members, param = dialect.among(tx.engine, names)
                sql += f" AND {word}(domain {members})"
                params.append(param)  # type: ignore[arg-type]  # a list of mixed parameters
        rows = tx.all(f"{sql} ORDER BY due_at LIMIT ?", *params, count)
        if rows:
            found.append([(row[0], at_rank) for row in rows])
    return found


def shares(room: int, ranks: int) -> list[int]:
    """What each rank may have of ``room``: half of what is left, so that the lowest gets something too."""
    parts = []
    for number in range(ranks):
        part = room if number == ranks - 1 else (room + 1) // 2
        parts.append(part)
        room -= part
    return parts


def turn(tx: Tx, lanes: Iterable[Lane]) -> None:
    """Puts lanes that were looked into right, and behind the others that are due."""
    for domain, at_rank in lanes:
        first = tx.value(
            "SELECT min(due_at) FROM queue_recipient WHERE state = 'waiting' AND domain = ? AND rank = ?",
            domain, at_rank,
        )  # fmt: skip
        if first is None:
            tx.run("DELETE FROM queue_lane WHERE domain = ? AND rank = ?", domain, at_rank)
        else:
            tx.run(
                "UPDATE queue_lane SET due_at = ?, rest_until = ? WHERE domain = ? AND rank = ?",
                max(first, tx.now), tx.now, domain, at_rank,
            )  # fmt: skip


def rest(tx: Tx, domains: Collection[str], until: int) -> None:
    """Nobody looks for mail to these domains before ``until``, ms."""
    members, param = dialect.among(tx.engine, domains)
    tx.run(
        f"UPDATE queue_lane SET rest_until = ?, due_at = CASE WHEN due_at < ? THEN ? ELSE due_at END"
        f" WHERE domain {members} AND rest_until < ?", until, until, until, param, until,
    )  # fmt: skip


def wake(tx: Tx, domain: str) -> None:
    """Ends a rest; looked into at once."""
    tx.run("UPDATE queue_lane SET due_at = ?, rest_until = ? WHERE domain = ?", tx.now, tx.now, domain)


def next_due(tx: Tx, busy: Collection[str] = ()) -> int | None:
    """When the next lane that is not ``busy`` is due, ms."""
    members, param = dialect.among(tx.engine, busy)
    times = [
        at
        for at_rank in _ranks(tx)
        if (
            at := tx.value(
                f"SELECT due_at FROM queue_lane WHERE rank = ? AND NOT (domain {members})"
                " ORDER BY due_at LIMIT 1", at_rank, param,
            )
        )
        is not None
    ]  # fmt: skip
    return min(times, default=None)


def _ranks(tx: Tx) -> Iterator[int]:
    """All ranks in use, highest first; a few index probes, however many lanes there are."""
    at: Any = tx.value("SELECT max(rank) FROM queue_lane")  # Any: of a row
    while at is not None:
        yield at
        at = tx.value("SELECT max(rank) FROM queue_lane WHERE rank < ?", at)
