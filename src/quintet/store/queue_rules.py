"""What the queue keeps back: rules that hold mail, and addresses that get none any more.

A rule holds what is queued after it was made, and `apply` what waits already.  The suppression list counts
addresses that failed for good; one that did so too often, or was put there by hand, is refused at once
instead of being tried again: big receivers judge a sender by how often it asks for users who do not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from quintet.errors import Reason, Refused
from quintet.store import dialect
from quintet.store.db import Tx, bounded, single
from quintet.store.filing import text
from quintet.values import dataclass

FIELDS: Final = ("sender", "recipient", "account", "size")
FOR_EVER = 253402300799000  # ms: the end of the year 9999
MAX_RULES = 1000  # each is compared with each recipient that is queued
DEAD = frozenset(("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"))
"""Statuses that speak of the address, not of the message or of us (RFC 3463 3.2, 3.3; RFC 7505)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """``pattern``: an address, @domain, .domain (all names below), *; an account's number; least bytes."""

    id: int
    field: str
    pattern: str
    reason: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Suppressed:
    """One address on the list.  ``until`` 0: only counted so far."""

    address: str
    reason: str
    bounces: int
    since: int  # ms
    until: int  # ms
    forget_at: int  # ms; the row is removed some time after


@bounded()
def add(tx: Tx, field: str, pattern: str, reason: str = "") -> Rule:
    """Raises Refused(BAD_NAME): no such field, or a pattern that means nothing; Refused(TOO_MANY)."""
    pattern = pattern.strip().lower()
    if field not in FIELDS or not pattern or (field in ("account", "size") and not pattern.isdigit()):
        raise Refused(Reason.BAD_NAME, f"{field}={pattern}")
    if tx.value("SELECT count(*) FROM queue_rule") >= MAX_RULES:
        raise Refused(Reason.TOO_MANY, f"there are {MAX_RULES} rules")
    rule = Rule(tx.new_ids(1), field, pattern, text(reason) or f"{field} {pattern}", tx.now)
    tx.run(
        "INSERT INTO queue_rule (id, field, pattern, reason, created_at) VALUES (?, ?, ?, ?, ?)",
        rule.id, rule.field, rule.pattern, rule.reason, rule.created_at,
    )  # fmt: skip
    return rule


@bounded()
def drop(tx: Tx, number: int) -> None:
    """The rule is gone; what it held stays held.  Raises Refused(NO_SUCH_MESSAGE)."""
    if not tx.run("DELETE FROM queue_rule WHERE id = ?", number):
        raise Refused(Reason.NO_SUCH_MESSAGE, f"rule {number}")


def listing(tx: Tx) -> list[Rule]:
    """All rules, the oldest first."""
    rows = tx.all("SELECT id, field, pattern, reason, created_at FROM queue_rule ORDER BY id")
    return [Rule(*row) for row in rows]


def fits(rules: Iterable[Rule], sender: str, recipient: str, account_id: int | None, size: int) -> str | None:
    """Why it is held: the reason of the first rule that fits; None when none does."""
    for rule in rules:
        if rule.field == "size":
            held = size >= int(rule.pattern)
        elif rule.field == "account":
            held = account_id == int(rule.pattern)
        else:
            held = _address_fits(rule.pattern, (sender if rule.field == "sender" else recipient).lower())
        if held:
            return rule.reason
    return None


def _address_fits(pattern: str, address: str) -> bool:
    domain = address.rpartition("@")[2]
    if pattern.startswith("@"):
        return domain == pattern[1:]
    if pattern.startswith("."):
        return domain.endswith(pattern)
    return pattern in ("*", address)


def apply(tx: Tx, rule: Rule, after: int = 0, limit: int = 500) -> tuple[int, int]:
    """Holds what waits already, ``limit`` recipients a call: how many, and where to go on (0: the end)."""
    rows = tx.all(
        "SELECT r.id, r.address, q.sender, q.account_id, m.size FROM queue_recipient r"
        " JOIN queue q ON q.id = r.queue_id JOIN message m ON m.id = q.message_id"
        " WHERE r.id > ? ORDER BY r.id LIMIT ?", after, limit,
    )  # fmt: skip
    held = [row[0] for row in rows if fits((rule,), row[2], row[1], row[3], row[4]) is not None]
    members, param = dialect.among(tx.engine, held)
    count = tx.run(
        "UPDATE queue_recipient SET state = 'held', hold_reason = ?, lease_owner = '', lease_until = 0"
        f" WHERE state = 'waiting' AND id {members}", rule.reason, param,
    )  # fmt: skip
    return count, rows[-1][0] if len(rows) == limit else 0


# --- addresses that get nothing any more ----------------------------------------------------------


@single
def blocked(tx: Tx, addresses: Sequence[str]) -> dict[str, str]:
    """Which of the addresses are on the list now (in lower case), and why."""
    members, param = dialect.among(tx.engine, [address.lower() for address in addresses])
    rows = tx.all(
        f"SELECT address, reason FROM suppression WHERE until > ? AND address {members}", tx.now, param
    )
    return {row[0]: row[1] for row in rows}


@bounded()
def suppress(tx: Tx, address: str, reason: str, until: int = FOR_EVER) -> None:
    """Put there by hand, or because its owner complained."""
    tx.run(
        "INSERT INTO suppression (address, reason, since, until, forget_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (address) DO UPDATE SET reason = excluded.reason, since = excluded.since,"
        " until = excluded.until, forget_at = excluded.forget_at",
        address.lower(), text(reason), tx.now, until, until,
    )  # fmt: skip


@bounded()
def allow(tx: Tx, address: str) -> None:
    """Mail is tried again, and its bounces are counted anew.  Raises Refused(NO_SUCH_ADDRESS)."""
    if not tx.run("DELETE FROM suppression WHERE address = ?", address.lower()):
        raise Refused(Reason.NO_SUCH_ADDRESS, address)


@bounded()
def bounced(tx: Tx, address: str, status: str, why: str, *, limit: int, window_ms: int, keep_ms: int) -> bool:
    """An address failed for good: counted when the status says that it is dead; True when it is on the list.

    ``limit`` failures, each within ``window_ms`` of the one before, put it there for ``keep_ms``.
    """
    if limit <= 0 or status not in DEAD:
        return False
    tx.run("DELETE FROM suppression WHERE forget_at < ?", tx.now)
    until: int = tx.value(
        "INSERT INTO suppression (address, reason, bounces, since, until, forget_at)"
        " VALUES (?, ?, 1, ?, ?, ?)"
        " ON CONFLICT (address) DO UPDATE SET bounces = suppression.bounces + 1,"
        " reason = CASE WHEN suppression.until > ? THEN suppression.reason ELSE excluded.reason END,"
        " forget_at = CASE WHEN suppression.until > ? THEN suppression.forget_at"
        " WHEN suppression.bounces + 1 >= ? THEN ? ELSE excluded.forget_at END,"
        " until = CASE WHEN suppression.until > ? THEN suppression.until"
        " WHEN suppression.bounces + 1 >= ? THEN ? ELSE 0 END RETURNING until",
        address.lower(), f"failed {limit} times: {text(why)}"[:500], tx.now,
        tx.now + keep_ms if limit == 1 else 0, tx.now + (keep_ms if limit == 1 else window_ms),
        tx.now, tx.now, limit, tx.now + keep_ms, tx.now, limit, tx.now + keep_ms,
    )  # fmt: skip
    return until > tx.now


def suppressed(tx: Tx, limit: int = 500, after: str = "") -> list[Suppressed]:
    """The list by address, those that are only counted among them."""
    rows = tx.all(
        "SELECT address, reason, bounces, since, until, forget_at FROM suppression"
        " WHERE address > ? ORDER BY address LIMIT ?", after, limit,
    )  # fmt: skip
    return [Suppressed(*row) for row in rows]
