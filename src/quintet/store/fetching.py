"""Queued mail of domains whose hosts come for it themselves, whenever it is due."""

from __future__ import annotations

from collections.abc import Sequence

from quintet.store import lanes, queue
from quintet.store.db import Tx
from quintet.store.queue import Recipient


def take(
    tx: Tx, owner: str, until: int, domains: Sequence[str], limit: int, *, first: bool
) -> list[Recipient]:
    """Leases up to ``limit`` recipients; with ``first`` also those that had been put off until later."""
    for domain in domains:
        if first:
            queue.flush(tx, domain)
        else:
            lanes.wake(tx, domain)
    return queue.lease(tx, owner, until, limit, only=domains)


def any_waits(tx: Tx, domains: Sequence[str]) -> bool:
    """There is mail for one of the domains that is neither held nor failed."""
    return any(
        tx.one(
            "SELECT 1 FROM queue_recipient WHERE domain = ? AND state IN ('waiting', 'leased') LIMIT 1",
            domain,
        )
        for domain in domains
    )


def any_leased(tx: Tx, domains: Sequence[str]) -> bool:
    """Somebody has mail for one of the domains in hand."""
    return any(
        tx.one("SELECT 1 FROM queue_recipient WHERE domain = ? AND state = 'leased' LIMIT 1", domain)
        for domain in domains
    )
