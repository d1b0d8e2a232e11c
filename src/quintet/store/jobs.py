"""Jobs: background work that one process at a time does, by a lease that runs out."""

from __future__ import annotations

from quintet.errors import Reason, Refused
from quintet.store.db import Tx, bounded
from quintet.store.filing import text
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class JobRow:
    """One kind of work.  ``state`` is the job's own note: a cursor, a count."""

    name: str
    due_at: int
    lease_owner: str
    lease_until: int
    state: str
    last_error: str


@bounded()
def lease(tx: Tx, name: str, owner: str, until: int) -> JobRow | None:
    """Takes the job when it is due and nobody has it; a job that is not known is due at once."""
    tx.run("INSERT INTO job (name, due_at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", name, tx.now)
    row = tx.one(
        "UPDATE job SET lease_owner = ?, lease_until = ? WHERE name = ? AND due_at <= ?"
        " AND (lease_until <= ? OR lease_owner = ?)"
        " RETURNING name, due_at, lease_owner, lease_until, state, last_error",
        owner, until, name, tx.now, tx.now, owner,
    )  # fmt: skip
    return None if row is None else JobRow(*row)


@bounded()
def hurry(tx: Tx, name: str) -> None:
    """Makes a job due now, unless somebody is at it."""
    tx.run("UPDATE job SET due_at = ? WHERE name = ? AND lease_until <= ?", tx.now, name, tx.now)


@bounded()
def finish(tx: Tx, name: str, owner: str, due_at: int, state: str = "", error: str = "") -> None:
    """Gives the lease back; the job is due again at ``due_at``.

    Raises:
        Refused(NO_SUCH_JOB): the lease ran out and somebody else has it.
    """
    if not tx.run(
        "UPDATE job SET due_at = ?, state = ?, last_error = ?, lease_owner = '', lease_until = 0"
        " WHERE name = ? AND lease_owner = ?", due_at, state, text(error), name, owner,
    ):  # fmt: skip
        raise Refused(Reason.NO_SUCH_JOB, name)


@bounded()
def beat(tx: Tx) -> None:
    """Writes something: proof that the store can be written."""
    tx.run(
        "INSERT INTO job (name, due_at) VALUES ('beat', ?)"
        " ON CONFLICT (name) DO UPDATE SET due_at = excluded.due_at", tx.now,
    )  # fmt: skip


def listing(tx: Tx) -> list[JobRow]:
    rows = tx.all("SELECT name, due_at, lease_owner, lease_until, state, last_error FROM job ORDER BY name")
    return [JobRow(*row) for row in rows]
