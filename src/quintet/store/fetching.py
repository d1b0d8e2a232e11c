"""Sites that ask for their mail, or come for it themselves: what waits for them is due at once.

Who waits is read beside the writer, and then put forward in slices: however much it is, nobody else's
transaction waits for it.  RFC 1985 (ETRN), RFC 2645 (ATRN).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from quintet.store import lanes, queue
from quintet.store.db import Tx
from quintet.store.queue import Recipient

if TYPE_CHECKING:
    from quintet.store.store import Store

SLICE = 500  # recipients, or domains, of one transaction: 5 ms of the writer thread

Later = Mapping[str, Sequence[int]]
"""Recipients that wait until later, by domain."""


async def flush(store: Store, domain: str, *, below: bool = False) -> int:
    """A site asks for its mail: what waits for it is due now; returns how many recipients.

    ``below``: for all names below the domain as well ("@" in RFC 1985 5.2).  What is held stays held.
    Raises TryLater; what was put forward by then stays so.
    """
    found = await store.read(later, [domain], below=below)
    count = 0
    for domains, ids in _slices(found):
        count += await store.write(queue.hurry, ids, domains)
    return count


def later(tx: Tx, domains: Sequence[str], *, below: bool = False) -> Later:
    """Who waits for these domains and is not due yet; 8 bytes each."""
    wanted = dict.fromkeys(domains)
    if below:
        for row in tx.all("SELECT DISTINCT domain FROM queue_lane"):
            if row[0].endswith(tuple(f".{each}" for each in domains)):
                wanted[row[0]] = None
    return {
        each: array(
            "q",
            (
                row[0]
                for row in tx.rows(
                    "SELECT id FROM queue_recipient"
                    " WHERE state = 'waiting' AND domain = ? AND due_at > ? ORDER BY rank DESC, due_at",
                    each,
                    tx.now,
                )
            ),
        )
        for each in wanted
    }


def _slices(found: Later) -> Iterator[tuple[list[str], list[int]]]:
    """Domains and their recipients; a large domain in several slices, many small ones in one."""
    domains: list[str] = []
    ids: list[int] = []
    for domain, theirs in found.items():
        domains.append(domain)
        for start in range(0, len(theirs), SLICE):
            ids += theirs[start : start + SLICE]
            if len(ids) >= SLICE:
                yield domains, ids
                domains, ids = [domain], []
        if len(domains) >= SLICE:
            yield domains, ids
            domains, ids = [], []
    if domains:
        yield domains, ids


def take(
    tx: Tx, owner: str, until: int, domains: Sequence[str], limit: int, early: Sequence[int] = ()
) -> list[Recipient]:
    """Leases up to ``limit`` recipients that are due, or would be only later but are among ``early``."""
    if early:
        queue.hurry(tx, early, domains)
    for domain in domains:
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
