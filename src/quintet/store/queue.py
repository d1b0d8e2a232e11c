"""Queue: messages on their way out, one row a recipient, leased to whoever works on them.

A lease that ran out is as good as none, so a process that died loses nothing; a recipient is deleted when it
was delivered, and the message with its last recipient.  Which domains have something due is `store.lanes`',
whom mail is held for and who gets none any more `store.queue_rules`'.  RFC 5321 4.5.4.1; RFC 4865
(release), RFC 2852 (deadline), RFC 6710 (priority).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from quintet.errors import Reason, Refused
from quintet.store import dialect, filing, lanes, queue_rules
from quintet.store.db import Tx, bounded, single
from quintet.store.model import AccountId, FolderId, MessageId
from quintet.store.queue_model import (
    FAILED,
    HELD,
    LEASED,
    WAITING,
    Claim,
    Contents,
    QueueId,
    QueueItem,
    Recipient,
    RecipientId,
    To,
    as_recipient,
    packed,
    unpacked,
)
from quintet.values import dataclass

__all__ = [  # of `queue_model`; part of this module's face
    "FAILED",
    "HELD",
    "LEASED",
    "WAITING",
    "Claim",
    "Contents",
    "QueueId",
    "QueueItem",
    "Recipient",
    "RecipientId",
    "To",
]

_RECIPIENT = (
    "r.id, r.queue_id, r.address, r.domain, r.params, r.state, r.due_at, r.attempts, r.last_error,"
    " r.delayed_notice, q.message_id, q.account_id, q.sender, q.params, q.created_at, q.expires_at,"
    " r.rank, r.hold_reason"
)
_FROM = "FROM queue_recipient r JOIN queue q ON q.id = r.queue_id"


KEEP_MS = 5 * 24 * 3600 * 1000  # RFC 5321 4.5.4.1: give up after 4 to 5 days
REMEMBER_FLUSH_MS = 3600 * 1000  # every worker has looked by then
_INSERT_QUEUE = (
    "INSERT INTO queue (id, message_id, account_id, sender, params, created_at, expires_at, release_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_RECIPIENT = (
    "INSERT INTO queue_recipient"
    " (id, queue_id, address, domain, params, state, due_at, rank, hold_reason, lease_owner, lease_until)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
FEW = 4  # recipients of a message that is queued, or leaves, together with others
LOOKS = 10  # times that a lease looks for lanes: those that seemed due and had nothing are right afterwards


@bounded(lambda item, recipients, *_, **__: len(recipients) <= 32)
def put(tx: Tx, item: QueueItem, recipients: Sequence[To], claim: Claim | None = None) -> QueueId:
    """Queues a message for its recipients; it is durable when the commit is.

    Of ``item.params`` it honours "priority", "release_at" and "by" itself.  With a ``claim`` those who are
    due and not held are leased by it.
    """
    message_row = item.message_row
    if message_row is None:
        assert item.content is not None
        message_row = filing.put(tx, item.content, item.prefix)
    first = tx.new_ids(1 + len(recipients))
    _write(tx, [_rows(tx, Put(item, recipients, claim), first, message_row, queue_rules.listing(tx))])
    return QueueId(first)


def put_all(tx: Tx, puts: Sequence[Put]) -> list[bool]:
    """`put` of letters in which nothing is special, a statement a table; False: not done, `put` does it.

    Those are scanned ones, messages that are stored already, copies of what came a moment ago, and ones to
    more than `FEW`, of which 64 would hold the loop too long.
    """
    row_id = tx.new_ids(sum([3 + len(one.recipients) for one in puts]))
    rules = queue_rules.listing(tx)
    blobs, messages = [], []
    made: list[Rows] = []
    results = []
    for one in puts:
        content = one.item.content
        few = len(one.recipients) <= FEW
        if not few or content is None or not filing.is_plain(content, row_id + 1):
            results.append(False)
            continue
        blob, message = filing.late_rows(content, row_id, one.item.prefix)
        blobs.append(blob)
        messages.append(message)
        made.append(_rows(tx, one, row_id + 2, MessageId(row_id), rules))
        results.append(True)
        row_id += 3 + len(one.recipients)
    if made:
        filing.write_late(tx, blobs, messages)
        _write(tx, made)
    return results


class Put(NamedTuple):
    """What `put` is told."""

    item: QueueItem
    recipients: Sequence[To]
    claim: Claim | None = None


class Rows(NamedTuple):
    """What `put` writes."""

    put: Put
    message_row: MessageId
    queue: tuple[Any, ...]  # Any, here and below: columns
    recipients: list[tuple[Any, ...]]
    waiting: list[tuple[str, int, int]]  # lanes
    claimed: list[tuple[int, To, str]]  # row, recipient, domain
    rank: int


def _rows(tx: Tx, one: Put, first: int, message_row: MessageId, rules: Sequence[queue_rules.Rule]) -> Rows:
    """``first`` is the row of the queue; recipients have the next ones."""
    item, recipients, claim = one
    release_at = int(item.params.get("release_at") or 0)
    row = (
        first, message_row, item.account_id, item.sender, packed(item.params), tx.now,
        _expiry(tx, item, release_at), release_at,
    )  # fmt: skip
    rank = lanes.rank(int(item.params.get("priority") or 0), len(recipients))
    size = _size(tx, item, message_row) if rules else 0
    rows: list[tuple[Any, ...]] = []
    waiting: list[tuple[str, int, int]] = []
    claimed: list[tuple[int, To, str]] = []
    for number, to in enumerate(recipients, first + 1):
        domain = to.domain or to.address.rpartition("@")[2].lower()
        due_at = max(to.due_at or tx.now, release_at)
        held: str | None = filing.text(to.hold) or None
        if held is None and rules:
            held = queue_rules.fits(rules, item.sender, to.address, item.account_id, size)
        owner, until = "", 0
        if held is not None:
            state = HELD
        elif claim is not None and due_at <= tx.now and domain not in claim.resting:
            state, owner, until = LEASED, claim.owner, claim.until
            due_at = until
            claimed.append((number, to, domain))
        else:
            state = WAITING
            waiting.append((domain, rank, due_at))
        rows.append(
            (
                number, first, to.address, domain, packed(to.params), state, due_at, rank, held or "", owner,
                until,
            )
        )  # fmt: skip
    return Rows(one, message_row, row, rows, waiting, claimed, rank)


def _write(tx: Tx, made: Sequence[Rows]) -> None:
    """Rows for messages that are there; their claims learn what they took."""
    tx.many(_INSERT_QUEUE, [one.queue for one in made])
    tx.many(_INSERT_RECIPIENT, [row for one in made for row in one.recipients])
    claimed = [to.address for one in made for _, to, _ in one.claimed]
    blocked = queue_rules.blocked(tx, claimed) if claimed else {}
    for one in made:
        item, _, claim = one.put
        if claim is None or not one.claimed:
            continue
        claim.taken += _taken(tx, one, claim, blocked)
        if item.content is not None:
            claim.contents[one.message_row] = item.content, item.prefix
    waiting = [lane for one in made for lane in one.waiting]
    if waiting:
        lanes.wait(tx, waiting)
        _hint(tx)


def _taken(tx: Tx, one: Rows, claim: Claim, blocked: Mapping[str, str]) -> list[Recipient]:
    """What `lease` would give of them."""
    item, number, expires_at = one.put.item, QueueId(one.queue[0]), one.queue[6]
    params = unpacked(one.queue[4])
    return [
        Recipient(
            RecipientId(row), number, to.address, domain, unpacked(packed(to.params)), LEASED, claim.until,
            0, "", False, one.message_row, item.account_id, item.sender, params, tx.now, expires_at, one.rank,
            "", blocked.get(to.address.lower(), ""),
        )
        for row, to, domain in one.claimed
    ]  # fmt: skip


@single
def held_by(tx: Tx, account_id: AccountId, limit: int) -> int:
    """How many messages an account has that wait for their release (RFC 4865), counted up to ``limit``."""
    return int(tx.value(
        "SELECT count(*) FROM (SELECT 1 FROM queue WHERE account_id = ? AND release_at > ?"
        " AND release_at > 0 LIMIT ?) AS held",
        account_id, tx.now, limit,
    ))  # fmt: skip


def _expiry(tx: Tx, item: QueueItem, release_at: int) -> int:
    """When it is given up: patience begins at the release; a deadline to return it by comes before."""
    expires_at = item.expires_at or tx.now + KEEP_MS
    if release_at > tx.now:
        expires_at += release_at - tx.now
    by = item.params.get("by")
    if by and by["mode"] == "R":
        expires_at = min(expires_at, int(by["at"]))
    return expires_at


def _size(tx: Tx, item: QueueItem, message_row: int) -> int:
    if item.content is not None:
        return item.content.size + len(item.prefix)
    return int(tx.value("SELECT size FROM message WHERE id = ?", message_row) or 0)


@bounded(lambda owner, until, limit=100, **_: limit <= 100)
def lease(
    tx: Tx,
    owner: str,
    until: int,
    limit: int = 100,
    *,
    busy: Collection[str] = (),
    only: Collection[str] = (),
) -> list[Recipient]:
    """Takes up to ``limit`` recipients that are due; nobody else gets them before ``until``.

    The higher rank comes first and gets half of the room, the next one half of what is left; within a rank
    the longest due lane, which then stands behind the others.  ``busy`` are domains that shall wait; with
    ``only``, no others are looked at.
    """
    freed = _ran_out(tx, limit)
    found: list[tuple[Any, ...]] = []
    for _ in range(LOOKS):
        ranked = lanes.due(tx, limit - len(found), busy, only)
        shares = lanes.shares(limit - len(found), len(ranked))
        for ours, share in zip(ranked, shares, strict=True):
            found += _from_lanes(tx, ours, share, owner, until)
        if len(found) >= limit:
            break
        if freed == limit:  # more may have run out, and those freed so far may be nothing for this owner
            freed = _ran_out(tx, limit)
        elif not ranked:
            break
    blocked = queue_rules.blocked(tx, [row[2] for row in found]) if found else {}
    return [as_recipient(row, blocked.get(row[2].lower(), "")) for row in found]


def _from_lanes(
    tx: Tx, ours: Sequence[lanes.Lane], share: int, owner: str, until: int
) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    each = max(lanes.AT_ONCE, share // len(ours))
    visited = []
    for domain, rank in ours:
        room = share - len(found)
        if room <= 0:
            break
        found += tx.all(
            f"SELECT {_RECIPIENT} {_FROM} WHERE r.state = 'waiting' AND r.domain = ? AND r.rank = ?"
            " AND r.due_at <= ? ORDER BY r.due_at, r.id LIMIT ?",
            domain, rank, tx.now, min(each, room),
        )  # fmt: skip
        visited.append((domain, rank))
    if found:
        tx.many(
            "UPDATE queue_recipient SET state = 'leased', due_at = ?, lease_owner = ?, lease_until = ?"
            " WHERE id = ?", [(until, owner, until, row[0]) for row in found],
        )  # fmt: skip
    lanes.turn(tx, visited)
    found.sort(key=lambda row: (row[6], row[0]))  # due_at, id: who was queued together goes together
    return found


def _ran_out(tx: Tx, limit: int) -> int:
    """Leases that nobody renewed: their recipients wait again; returns how many."""
    rows = tx.all(
        "SELECT id, domain, rank FROM queue_recipient WHERE state = 'leased' AND due_at <= ?"
        " ORDER BY due_at LIMIT ?", tx.now, limit,
    )  # fmt: skip
    if rows:
        _freed(tx, rows)
    return len(rows)


def _freed(tx: Tx, rows: Sequence[tuple[Any, ...]]) -> None:
    """Recipients (id, domain, rank) wait again, due now."""
    tx.many(
        "UPDATE queue_recipient SET state = 'waiting', due_at = ?, lease_owner = '', lease_until = 0"
        " WHERE id = ?", [(tx.now, row[0]) for row in rows],
    )  # fmt: skip
    lanes.wait(tx, [(row[1], row[2], tx.now) for row in rows])


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
    members, param = _among(tx, ids)
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
    rows = tx.all(
        "SELECT id, domain, rank FROM queue_recipient WHERE state = 'leased' AND lease_owner = ?", owner
    )
    if rows:
        _freed(tx, rows)
        _hint(tx)
    return len(rows)


@bounded(lambda ids, *_, **__: len(ids) <= 32)
def done(tx: Tx, ids: Sequence[RecipientId]) -> None:
    """Delivered (or reported as failed for good): the rows go, and the message with its last one."""
    members, param = _among(tx, ids)
    gone = tx.all(f"DELETE FROM queue_recipient WHERE id {members} RETURNING queue_id", param)
    items = {row[0] for row in gone}
    if not items:
        return
    members, param = dialect.among(tx.engine, items)
    over = tx.all(
        f"DELETE FROM queue WHERE id {members} AND NOT EXISTS"
        " (SELECT 1 FROM queue_recipient WHERE queue_id = queue.id) RETURNING message_id", param,
    )  # fmt: skip
    if over:
        tx.many(
            "INSERT INTO garbage (message_id, doomed_at) VALUES (?, ?)"
            " ON CONFLICT (message_id) DO UPDATE SET doomed_at = excluded.doomed_at",
            [(row[0], tx.now) for row in over],
        )


@bounded()
def defer(tx: Tx, recipient: RecipientId, due_at: int, error: str, *, delayed_notice: bool = False) -> None:
    """Not now: tried again at ``due_at``.  Who was held during the try stays held."""
    row = tx.one(
        "UPDATE queue_recipient SET state = CASE WHEN state = 'held' THEN 'held' ELSE 'waiting' END,"
        " due_at = ?, attempts = attempts + 1, last_error = ?,"
        " lease_owner = '', lease_until = 0,"
        " delayed_notice = CASE WHEN ? = 1 THEN 1 ELSE delayed_notice END WHERE id = ?"
        " RETURNING domain, rank, state",
        due_at, filing.text(error), int(delayed_notice), recipient,
    )  # fmt: skip
    if row is not None and row[2] == WAITING:
        lanes.wait(tx, [(row[0], row[1], due_at)])


@bounded()
def fail(tx: Tx, recipient: RecipientId, error: str) -> None:
    """Never: the row stays, failed, until its report is queued and `done` takes it."""
    tx.run(
        "UPDATE queue_recipient SET state = 'failed', attempts = attempts + 1, last_error = ?, due_at = ?,"
        " lease_owner = '', lease_until = 0 WHERE id = ?", filing.text(error), tx.now, recipient,
    )  # fmt: skip


@bounded(lambda ids, *_, **__: len(ids) <= 32)
def release(tx: Tx, ids: Sequence[RecipientId], owner: str) -> None:
    """Gives leases back untried (shutting down, or a destination that has to wait)."""
    members, param = dialect.among(tx.engine, ids)
    rows = tx.all(
        f"SELECT id, domain, rank FROM queue_recipient WHERE id {members} AND state = 'leased'"
        " AND lease_owner = ?", param, owner,
    )  # fmt: skip
    if rows:
        _freed(tx, rows)


def get(tx: Tx, recipient: RecipientId) -> Recipient:
    """Raises Refused(NO_SUCH_MESSAGE)."""
    row = tx.one(f"SELECT {_RECIPIENT} {_FROM} WHERE r.id = ?", recipient)
    if row is None:
        raise Refused(Reason.NO_SUCH_MESSAGE)
    return as_recipient(row)


def listing(
    tx: Tx, limit: int = 500, after: int = 0, *, state: str = "", domain: str = ""
) -> list[Recipient]:
    """What is in the queue, by id; of one state or one domain when asked."""
    where, params = "", []
    for column, value in (("state", state), ("domain", domain)):
        if value:
            where += f" AND r.{column} = ?"
            params.append(value)
    rows = tx.all(
        f"SELECT {_RECIPIENT} {_FROM} WHERE r.id > ?{where} ORDER BY r.id LIMIT ?", after, *params, limit
    )
    return [as_recipient(row) for row in rows]


def of_message(tx: Tx, number: int) -> list[Recipient]:
    """The recipient with that number, or all of the message with it; they are never the same."""
    rows = tx.all(
        f"SELECT {_RECIPIENT} {_FROM} WHERE r.id = ? UNION ALL"
        f" SELECT {_RECIPIENT} {_FROM} WHERE r.queue_id = ? ORDER BY 1", number, number,
    )  # fmt: skip
    return [as_recipient(row) for row in rows]


@bounded()
def hold(tx: Tx, recipient: RecipientId, reason: str = "") -> None:
    """Not tried until `retry`.  Raises Refused(NO_SUCH_MESSAGE)."""
    if not tx.run(
        "UPDATE queue_recipient SET state = 'held', due_at = ?, lease_owner = '', lease_until = 0,"
        " hold_reason = ? WHERE id = ?", tx.now, filing.text(reason), recipient,
    ):  # fmt: skip
        raise Refused(Reason.NO_SUCH_MESSAGE)


@bounded()
def retry(tx: Tx, recipient: RecipientId) -> None:
    """Tried at once; who is being tried just now is left alone, or it would be sent twice.

    Raises:
        Refused(NO_SUCH_MESSAGE).
    """
    row = tx.one("SELECT state, lease_until, domain, rank FROM queue_recipient WHERE id = ?", recipient)
    if row is None:
        raise Refused(Reason.NO_SUCH_MESSAGE)
    state, until, domain, rank = row
    if state == LEASED and until > tx.now:
        return
    tx.run(
        "UPDATE queue_recipient SET state = 'waiting', due_at = ?, lease_owner = '', lease_until = 0,"
        " hold_reason = '' WHERE id = ?", tx.now, recipient,
    )  # fmt: skip
    lanes.wait(tx, [(domain, rank, tx.now)])
    lanes.wake(tx, domain)
    _asked(tx, domain)
    _hint(tx)


@bounded()
def instruct(tx: Tx, recipient: RecipientId, name: str, value: str) -> None:
    """Notes what an administrator wants of one recipient: "route" or "refused"; and `retry`.

    Raises Refused(NO_SUCH_MESSAGE).
    """
    params = get(tx, recipient).params | {name: filing.text(value)}
    tx.run("UPDATE queue_recipient SET params = ? WHERE id = ?", packed(params), recipient)
    retry(tx, recipient)


@bounded()
def remove(tx: Tx, recipient: RecipientId) -> None:
    """Taken out without a report.  Raises Refused(NO_SUCH_MESSAGE)."""
    get(tx, recipient)
    done(tx, [recipient])


@bounded(lambda domains, *_, **__: len(domains) <= 32)
def rest(tx: Tx, domains: Collection[str], until: int) -> None:
    """What is due for these domains is left alone until then; `hurry` and `retry` end it."""
    lanes.rest(tx, domains, until)


@bounded(lambda ids, domains: len(ids) <= 32 and len(domains) <= 32)
def hurry(tx: Tx, ids: Sequence[int], domains: Collection[str]) -> int:
    """What waits until later, of these recipients, is due now; returns how many.

    Their ``domains`` are tried at once, whether they rest or are slow.  What is held stays held.
    """
    members, param = dialect.among(tx.engine, ids)
    count = tx.run(
        f"UPDATE queue_recipient SET due_at = ? WHERE state = 'waiting' AND due_at > ? AND id {members}",
        tx.now, tx.now, param,
    )  # fmt: skip
    for each in domains:
        lanes.wake(tx, each)
        _asked(tx, each)
    tx.run("DELETE FROM queue_flush WHERE at < ?", tx.now - REMEMBER_FLUSH_MS)
    _hint(tx)
    return count


def _asked(tx: Tx, domain: str) -> None:
    """Somebody wants a site tried now: every worker forgets how slow it was."""
    tx.run(
        "INSERT INTO queue_flush (domain, at) VALUES (?, ?)"
        " ON CONFLICT (domain) DO UPDATE SET at = excluded.at", domain, tx.now,
    )  # fmt: skip


def flushed(tx: Tx, since: int) -> list[tuple[str, int]]:
    """Sites that asked for their mail after ``since`` (ms), and when, the oldest first."""
    return [
        (row[0], row[1])
        for row in tx.all("SELECT domain, at FROM queue_flush WHERE at > ? ORDER BY at", since)
    ]


def counts(tx: Tx) -> dict[str, int]:
    """How many recipients are in each state."""
    rows = tx.all("SELECT state, count(*) FROM queue_recipient GROUP BY state ORDER BY state")
    return dict(rows)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for one domain."""

    domain: str
    recipients: int
    held: int
    tried: int  # of the recipients, at least once
    due_at: int  # of the first, ms
    rest_until: int  # ms; 0: it does not rest


def top(tx: Tx, limit: int = 20) -> list[Waiting]:
    """The domains that most wait for; reads the whole queue."""
    rows = tx.all(
        "SELECT r.domain, count(*) AS waiting, sum(CASE WHEN state = 'held' THEN 1 ELSE 0 END),"
        " sum(CASE WHEN attempts > 0 THEN 1 ELSE 0 END), min(r.due_at),"
        " coalesce((SELECT max(rest_until) FROM queue_lane l"
        " WHERE l.domain = r.domain AND rest_until > ?), 0)"
        " FROM queue_recipient r GROUP BY r.domain ORDER BY waiting DESC, r.domain LIMIT ?", tx.now, limit,
    )  # fmt: skip
    return [Waiting(*row) for row in rows]


def next_due(tx: Tx, busy: Collection[str] = ()) -> int | None:
    """When the next recipient is due, ms, or earlier; None when nothing waits but for ``busy`` domains."""
    times = [
        lanes.next_due(tx, busy),
        tx.value("SELECT min(due_at) FROM queue_recipient WHERE state = 'leased'"),
    ]
    return min((at for at in times if at is not None), default=None)


def _among(tx: Tx, ids: Sequence[RecipientId]) -> tuple[str, object]:
    """`dialect.among`; most messages have one recipient, and a list costs the engine more."""
    return ("= ?", ids[0]) if len(ids) == 1 else dialect.among(tx.engine, ids)


def _hint(tx: Tx) -> None:
    """Wakes the runner: it watches folder 0 of account 0, which nobody else has."""
    tx.hint(AccountId(0), FolderId(0))
