"""What became of TLS with other domains' hosts, day by day, until these domains were told.

Details are JSON of `delivery.tlstally`; days count from 1970, UTC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from quintet.store.db import Tx, bounded
from quintet.store.filing import text
from quintet.values import dataclass

DAY_MS = 86_400_000
MAX_A_DOMAIN = 1000  # different outcomes of one domain on one day; a report that is longer helps nobody
MAX_REPORTS = 100_000  # domains and days that are owed a report


@dataclass(frozen=True, slots=True)
class Owed:
    """A report that is due."""

    domain: str
    day: int
    tries: int
    due_at: int


@bounded()
def add(tx: Tx, day: int, found: Mapping[str, Sequence[tuple[str, int]]], due_at: Mapping[str, int]) -> None:
    """Adds details and their sessions, by domain; ``due_at`` says when each domain is to be told."""
    room = MAX_REPORTS - int(tx.value("SELECT COUNT(*) FROM tls_report"))
    for domain, details in found.items():
        known = tx.value("SELECT 1 FROM tls_report WHERE domain = ? AND day = ?", domain, day)
        if known is None:
            if room <= 0:
                continue
            room -= 1
            tx.run(
                "INSERT INTO tls_report (domain, day, due_at) VALUES (?, ?, ?)", domain, day, due_at[domain]
            )
        there = int(tx.value("SELECT COUNT(*) FROM tls_result WHERE domain = ? AND day = ?", domain, day))
        for detail, sessions in details:
            key = hashlib.sha256(detail.encode()).hexdigest()[:32]
            if tx.run(
                "UPDATE tls_result SET sessions = sessions + ? WHERE domain = ? AND day = ? AND key = ?",
                sessions, domain, day, key,
            ):  # fmt: skip
                continue
            if there < MAX_A_DOMAIN:
                there += 1
                tx.run(
                    "INSERT INTO tls_result (domain, day, key, detail, sessions) VALUES (?, ?, ?, ?, ?)",
                    domain, day, key, text(detail), sessions,
                )  # fmt: skip


def due(tx: Tx, limit: int) -> list[Owed]:
    """Reports to be sent now, oldest first; never of a day that is not over."""
    rows = tx.all(
        "SELECT domain, day, tries, due_at FROM tls_report WHERE due_at <= ? AND day < ?"
        " ORDER BY due_at LIMIT ?",
        tx.now, tx.now // DAY_MS, limit,
    )  # fmt: skip
    return [Owed(*row) for row in rows]


def details(tx: Tx, domain: str, day: int) -> list[tuple[str, int]]:
    """What a report is made of: details and their sessions."""
    return [
        (str(detail), int(sessions))
        for detail, sessions in tx.all(
            "SELECT detail, sessions FROM tls_result WHERE domain = ? AND day = ? ORDER BY key", domain, day
        )
    ]


@bounded()
def later(tx: Tx, domain: str, day: int, due_at: int) -> None:
    """It could not be sent; it is tried again."""
    tx.run(
        "UPDATE tls_report SET due_at = ?, tries = tries + 1 WHERE domain = ? AND day = ?",
        due_at,
        domain,
        day,
    )


@bounded()
def done(tx: Tx, domain: str, day: int) -> None:
    """The domain was told, or will not be."""
    tx.run("DELETE FROM tls_result WHERE domain = ? AND day = ?", domain, day)
    tx.run("DELETE FROM tls_report WHERE domain = ? AND day = ?", domain, day)
