"""Tasks that an article left behind: written with it, leased, and gone with their effect.

What a task means is `delivery`'s; see `queue` for the shape of a lease.
"""

from __future__ import annotations

from quintet.store.db import Tx, bounded
from quintet.store.model import MessageId
from quintet.values import dataclass

MAX_WAITING = 20_000  # tasks; an article that comes when there are more leaves none


@dataclass(frozen=True, slots=True)
class Task:
    """One article to be worked on."""

    id: int
    message_row: MessageId
    message_id: str
    verb: str
    attempts: int


@bounded()
def add(tx: Tx, message_row: MessageId, message_id: str, verb: str) -> bool:
    """Leaves a task, due at once; False when there are too many."""
    if tx.value("SELECT count(*) FROM control_task") >= MAX_WAITING:
        return False
    tx.run(
        "INSERT INTO control_task (id, message_row, message_id, verb, due_at) VALUES (?, ?, ?, ?, ?)",
        tx.new_ids(1), message_row, message_id, verb, tx.now,
    )  # fmt: skip
    return True


@bounded()
def lease(tx: Tx, owner: str, until: int, limit: int = 10) -> list[Task]:
    """Takes tasks that are due and that nobody has, oldest first."""
    rows = tx.all(
        "SELECT id FROM control_task WHERE due_at <= ? AND lease_until <= ? ORDER BY due_at, id LIMIT ?",
        tx.now, tx.now, limit,
    )  # fmt: skip
    found = []
    for (number,) in rows:
        row = tx.one(
            "UPDATE control_task SET lease_owner = ?, lease_until = ?, attempts = attempts + 1 WHERE id = ?"
            " RETURNING id, message_row, message_id, verb, attempts", owner, until, number,
        )  # fmt: skip
        assert row is not None
        found.append(Task(*row))
    return found


@bounded()
def done(tx: Tx, task_id: int, owner: str) -> bool:
    """Ends a task; False when the lease ran out and somebody else has it: then nothing may be done."""
    return tx.run("DELETE FROM control_task WHERE id = ? AND lease_owner = ?", task_id, owner) > 0


@bounded()
def again(tx: Tx, task_id: int, owner: str, due_at: int) -> None:
    """Gives a task back, to be tried later."""
    tx.run(
        "UPDATE control_task SET due_at = ?, lease_owner = '', lease_until = 0"
        " WHERE id = ? AND lease_owner = ?", due_at, task_id, owner,
    )  # fmt: skip


def waiting(tx: Tx) -> int:
    return int(tx.value("SELECT count(*) FROM control_task"))


def due(tx: Tx) -> bool:
    """Whether there is something to lease now."""
    found = tx.one(
        "SELECT 1 FROM control_task WHERE due_at <= ? AND lease_until <= ? LIMIT 1", tx.now, tx.now
    )
    return found is not None


def serial(tx: Tx, scope: str) -> int:
    """The last serial number of a list of groups that was heeded; -1 for none."""
    found = tx.value("SELECT value FROM setting WHERE name = ?", f"checkgroups {scope[:200]}")
    return -1 if found is None else int(found)


@bounded()
def set_serial(tx: Tx, scope: str, number: int) -> None:
    tx.run(
        "INSERT INTO setting (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        f"checkgroups {scope[:200]}", str(number),
    )  # fmt: skip
