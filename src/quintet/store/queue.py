"""Queue: messages on their way out, one row a recipient, leased to whoever works on them.

A lease that ran out is as good as none, so a process that died loses nothing; a recipient is deleted when it
was delivered, and the message with its last recipient.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NewType

from quintet.errors import Reason, Refused
from quintet.store import dialect, filing
from quintet.store.content import Content
from quintet.store.db import Tx, bounded
from quintet.store.model import AccountId, FolderId, MessageId

QueueId = NewType("QueueId", int)
RecipientId = NewType("RecipientId", int)

WAITING = "waiting"
LEASED = "leased"
HELD = "held"
FAILED = "failed"

_RECIPIENT = (
    "r.id, r.queue_id, r.address, r.domain, r.params, r.state, r.due_at, r.attempts, r.last_error,"
    " r.delayed_notice, q.message_id, q.account_id, q.sender, q.params, q.created_at, q.expires_at"
)
_FROM = "FROM queue_recipient r JOIN queue q ON q.id = r.queue_id"


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A message to be sent.  ``params`` are the envelope's: RET, ENVID, BODY, SMTPUTF8... as JSON values."""

    content: Content | None  # or a message that is stored already:
    sender: str  # "" for a bounce
    prefix: bytes = b""
    message_row: MessageId | None = None
    account_id: AccountId | None = None
    params: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON
    expires_at: int = 0  # 0: five days (RFC 5321 4.5.4.1)


@dataclass(frozen=True, slots=True)
class To:
    """One recipient of a `QueueItem`.  ``params``: NOTIFY, ORCPT."""

    address: str
    params: Mapping[str, Any] = field(default_factory=dict)
    domain: str = ""  # where it goes; the address's own when empty
    due_at: int = 0  # 0: now


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient as it stands in the queue."""

    id: RecipientId
    queue_id: QueueId
    address: str
    domain: str
    params: dict[str, Any]
    state: str
    due_at: int
    attempts: int
    last_error: str
    delayed_notice: bool  # a "delayed" DSN went out
    message_row: MessageId
    account_id: AccountId | None
    sender: str
    item_params: dict[str, Any]
    created_at: int
    expires_at: int


KEEP_MS = 5 * 24 * 3600 * 1000  # RFC 5321 4.5.4.1: give up after 4 to 5 days


@bounded(lambda item, recipients, *_, **__: len(recipients) <= 32)
def put(tx: Tx, item: QueueItem, recipients: Sequence[To]) -> QueueId:
    """Queues a message for its recipients; it is durable when the commit is."""
    message_row = item.message_row
    if message_row is None:
        assert item.content is not None
        message_row = filing.put_message(tx, item.content, item.prefix)
    first = tx.new_ids(1 + len(recipients))
    tx.run(
        "INSERT INTO queue (id, message_id, account_id, sender, params, created_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        first, message_row, item.account_id, item.sender, json.dumps(dict(item.params)), tx.now,
        item.expires_at or tx.now + KEEP_MS,
    )  # fmt: skip
    tx.many(
        "INSERT INTO queue_recipient (id, queue_id, address, domain, params, state, due_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (first + 1 + i, first, to.address, to.domain or to.address.rpartition("@")[2].lower(),
             json.dumps(dict(to.params)), WAITING, to.due_at or tx.now)
            for i, to in enumerate(recipients)
        ],
    )  # fmt: skip
    _hint(tx)
    return QueueId(first)


@bounded(lambda owner, until, limit=100, **_: limit <= 100)
def lease(tx: Tx, owner: str, until: int, limit: int = 100, *, busy: Sequence[str] = ()) -> list[Recipient]:
    """Takes up to ``limit`` recipients that are due, oldest first; nobody else gets them before ``until``.

    ``busy`` are domains that shall wait, because enough connections go there.
    """
    members, param = dialect.among(tx.engine, busy)
    rows = tx.all(
        f"SELECT {_RECIPIENT} {_FROM} WHERE r.state IN ('waiting', 'leased') AND r.due_at <= ?"
        f" AND NOT (r.domain {members}) ORDER BY r.due_at, r.id LIMIT ?",
        tx.now, param, limit,
    )  # fmt: skip
    if rows:
        tx.many(
            "UPDATE queue_recipient SET state = 'leased', due_at = ?, lease_owner = ?, lease_until = ?"
            " WHERE id = ?", [(until, owner, until, row[0]) for row in rows],
        )  # fmt: skip
    return [_recipient(row) for row in rows]


@bounded(lambda ids, *_, **__: len(ids) <= 32)
def extend(tx: Tx, ids: Sequence[RecipientId], owner: str, until: int) -> int:
    """Renews leases during a long transfer; returns how many were still ours."""
    members, param = dialect.among(tx.engine, ids)
    return tx.run(
        f"UPDATE queue_recipient SET due_at = ?, lease_until = ? WHERE id {members} AND lease_owner = ?"
        " AND state = 'leased'", until, until, param, owner,
    )  # fmt: skip


def still_leased(tx: Tx, ids: Sequence[RecipientId], owner: str) -> set[RecipientId]:
    """Which of the leases are still the owner's: the others were held, removed, or ran out meanwhile."""
    members, param = dialect.among(tx.engine, ids)
    rows = tx.all(
        f"SELECT id FROM queue_recipient WHERE id {members} AND state = 'leased' AND lease_owner = ?",
        param, owner,
    )  # fmt: skip
    return {RecipientId(row[0]) for row in rows}


def lease_owners(tx: Tx) -> list[str]:
    """Everybody who has a lease."""
    return [
        row[0] for row in tx.all("SELECT DISTINCT lease_owner FROM queue_recipient WHERE state = 'leased'")
    ]


@bounded()
def take_back(tx: Tx, owner: str) -> int:
    """Ends all leases of an owner that is known to be dead; returns how many there were."""
    count = tx.run(
        "UPDATE queue_recipient SET state = 'waiting', due_at = ?, lease_owner = '', lease_until = 0"
        " WHERE state = 'leased' AND lease_owner = ?", tx.now, owner,
    )  # fmt: skip
    if count:
        _hint(tx)
    return count


@bounded(lambda ids, *_, **__: len(ids) <= 32)
def done(tx: Tx, ids: Sequence[RecipientId]) -> None:
    """Delivered (or reported as failed for good): the rows go, and the message with its last one."""
    members, param = dialect.among(tx.engine, ids)
    items = {row[0] for row in tx.all(f"SELECT queue_id FROM queue_recipient WHERE id {members}", param)}
    tx.run(f"DELETE FROM queue_recipient WHERE id {members}", param)
    for item in items:
        row = tx.one("SELECT message_id FROM queue WHERE id = ?", item)
        if row is None or tx.one("SELECT 1 FROM queue_recipient WHERE queue_id = ?", item) is not None:
            continue
        tx.run("DELETE FROM queue WHERE id = ?", item)
        tx.run(
            "INSERT INTO garbage (message_id, doomed_at) VALUES (?, ?)"
            " ON CONFLICT (message_id) DO UPDATE SET doomed_at = excluded.doomed_at", row[0], tx.now,
        )  # fmt: skip


@bounded()
def defer(tx: Tx, recipient: RecipientId, due_at: int, error: str, *, delayed_notice: bool = False) -> None:
    """Not now: tried again at ``due_at``.  Who was held during the try stays held."""
    tx.run(
        "UPDATE queue_recipient SET state = CASE WHEN state = 'held' THEN 'held' ELSE 'waiting' END,"
        " due_at = ?, attempts = attempts + 1, last_error = ?,"
        " lease_owner = '', lease_until = 0,"
        " delayed_notice = CASE WHEN ? = 1 THEN 1 ELSE delayed_notice END WHERE id = ?",
        due_at, filing.text(error), int(delayed_notice), recipient,
    )  # fmt: skip


@bounded()
def fail(tx: Tx, recipient: RecipientId, error: str) -> None:
    """Never: the row stays, failed, until its report is queued and `done` takes it."""
    tx.run(
        "UPDATE queue_recipient SET state = 'failed', attempts = attempts + 1, last_error = ?, due_at = ?,"
        " lease_owner = '', lease_until = 0 WHERE id = ?", filing.text(error), tx.now, recipient,
    )  # fmt: skip


@bounded()
def release(tx: Tx, recipient: RecipientId) -> None:
    """Gives a lease back untried (shutting down)."""
    tx.run(
        "UPDATE queue_recipient SET state = 'waiting', due_at = ?, lease_owner = '', lease_until = 0"
        " WHERE id = ? AND state = 'leased'", tx.now, recipient,
    )  # fmt: skip


def get(tx: Tx, recipient: RecipientId) -> Recipient:
    """Raises Refused(NO_SUCH_MESSAGE)."""
    row = tx.one(f"SELECT {_RECIPIENT} {_FROM} WHERE r.id = ?", recipient)
    if row is None:
        raise Refused(Reason.NO_SUCH_MESSAGE)
    return _recipient(row)


def listing(tx: Tx, limit: int = 500, after: int = 0, *, state: str = "") -> list[Recipient]:
    """What is in the queue, by id; of one state when asked."""
    where, params = ("AND r.state = ?", (state,)) if state else ("", ())
    rows = tx.all(
        f"SELECT {_RECIPIENT} {_FROM} WHERE r.id > ? {where} ORDER BY r.id LIMIT ?", after, *params, limit
    )
    return [_recipient(row) for row in rows]


@bounded()
def hold(tx: Tx, recipient: RecipientId) -> None:
    """Not tried until `retry`.  Raises Refused(NO_SUCH_MESSAGE)."""
    _set(tx, recipient, HELD, tx.now)


@bounded()
def retry(tx: Tx, recipient: RecipientId) -> None:
    """Tried at once; who is being tried just now is left alone, or it would be sent twice.

    Raises:
        Refused(NO_SUCH_MESSAGE).
    """
    state, until = tx.one("SELECT state, lease_until FROM queue_recipient WHERE id = ?", recipient) or ("", 0)
    if state == LEASED and until > tx.now:
        return
    _set(tx, recipient, WAITING, tx.now)
    _hint(tx)


def remove(tx: Tx, recipient: RecipientId) -> None:
    """Taken out without a report.  Raises Refused(NO_SUCH_MESSAGE)."""
    get(tx, recipient)
    done(tx, [recipient])


def counts(tx: Tx) -> dict[str, int]:
    """How many recipients are in each state."""
    rows = tx.all("SELECT state, count(*) FROM queue_recipient GROUP BY state ORDER BY state")
    return dict(rows)


def next_due(tx: Tx) -> int | None:
    """When the next recipient is due, ms; None for an empty queue."""
    due: int | None = tx.value("SELECT min(due_at) FROM queue_recipient WHERE state IN ('waiting', 'leased')")
    return due


def _set(tx: Tx, recipient: RecipientId, state: str, due_at: int) -> None:
    if not tx.run(
        "UPDATE queue_recipient SET state = ?, due_at = ?, lease_owner = '', lease_until = 0 WHERE id = ?",
        state, due_at, recipient,
    ):  # fmt: skip
        raise Refused(Reason.NO_SUCH_MESSAGE)


def _hint(tx: Tx) -> None:
    """Wakes the runner: it watches folder 0 of account 0, which nobody else has."""
    tx.hint(AccountId(0), FolderId(0))


def _recipient(row: tuple[Any, ...]) -> Recipient:
    return Recipient(
        row[0], row[1], row[2], row[3], json.loads(row[4]), row[5], row[6], row[7], row[8], bool(row[9]),
        row[10], row[11], row[12], json.loads(row[13]), row[14], row[15],
    )  # fmt: skip
