"""Filter scripts of an account; at most one is active (RFC 5804 1.4).  What they mean is `policy`'s."""

from __future__ import annotations

from quintet.errors import Reason, Refused
from quintet.store.db import Tx
from quintet.store.model import AccountId
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Script:
    """One script."""

    name: str
    content: bytes
    active: bool
    changed_at: int


def put(tx: Tx, account_id: AccountId, name: str, content: bytes) -> None:
    """Adds or replaces a script; an active one stays active."""
    tx.run(
        "INSERT INTO script (id, account_id, name, content, changed_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (account_id, name) DO UPDATE"
        " SET content = excluded.content, changed_at = excluded.changed_at",
        tx.new_ids(1), account_id, name, content, tx.now,
    )  # fmt: skip


def get(tx: Tx, account_id: AccountId, name: str) -> Script:
    """Raises Refused(NO_SUCH_SCRIPT)."""
    for script in _all(tx, account_id, "AND name = ?", name):
        return script
    raise Refused(Reason.NO_SUCH_SCRIPT, name)


def listing(tx: Tx, account_id: AccountId) -> list[Script]:
    return _all(tx, account_id, "")


def active(tx: Tx, account_id: AccountId) -> Script | None:
    """The one that delivery runs."""
    found = _all(tx, account_id, "AND active = 1")
    return found[0] if found else None


def activate(tx: Tx, account_id: AccountId, name: str) -> None:
    """Makes one the active script; "" for none.  Raises Refused(NO_SUCH_SCRIPT)."""
    if name:
        get(tx, account_id, name)
    tx.run("UPDATE script SET active = 0 WHERE account_id = ?", account_id)
    tx.run("UPDATE script SET active = 1 WHERE account_id = ? AND name = ?", account_id, name)


def rename(tx: Tx, account_id: AccountId, old: str, new: str) -> None:
    """Raises Refused(NO_SUCH_SCRIPT | ALREADY_EXISTS)."""
    get(tx, account_id, old)
    if tx.one("SELECT 1 FROM script WHERE account_id = ? AND name = ?", account_id, new) is not None:
        raise Refused(Reason.ALREADY_EXISTS, new)
    tx.run("UPDATE script SET name = ? WHERE account_id = ? AND name = ?", new, account_id, old)


def remove(tx: Tx, account_id: AccountId, name: str) -> None:
    """Raises Refused(NO_SUCH_SCRIPT), Refused(IN_USE): it is active (RFC 5804 2.10)."""
    if get(tx, account_id, name).active:
        raise Refused(Reason.IN_USE, name)
    tx.run("DELETE FROM script WHERE account_id = ? AND name = ?", account_id, name)


def _all(tx: Tx, account_id: AccountId, where: str, *params: str) -> list[Script]:
    rows = tx.all(
        f"SELECT name, content, active, changed_at FROM script WHERE account_id = ? {where} ORDER BY name",
        account_id, *params,
    )  # fmt: skip
    return [Script(name, bytes(text), bool(on), at) for name, text, on, at in rows]
