"""In whose name an account may send: its own addresses, those that it was given, those of shared accounts.

Which address is whose is `accounts`' to say; what is refused, and when, is delivery's.  RFC 6409 6.1.
"""

from __future__ import annotations

from quintet.errors import Reason, Refused
from quintet.store import access, accounts, folders
from quintet.store.db import Tx
from quintet.store.model import AccountId, AccountKind


def may_send_as(tx: Tx, account_id: AccountId, address: str) -> bool:
    """Whether an account may send in the name of that address: its own, or one that it was given.

    One of a shared account is given with the right "p" (RFC 4314 2.1) in that account's INBOX, by name or to
    a team: as "anyone", everybody may write to it, and nobody as it.
    """
    owner = accounts.owner_of_address(tx, address)
    if owner == account_id or (owner is not None and _posts_for(tx, account_id, owner)):
        return True
    local, at, domain = address.rpartition("@")
    if not at:
        return False
    try:
        domain = accounts.normal_domain(domain)
    except Refused:
        return False
    local = accounts.normal_local(local)
    plain = local.partition(accounts.SEPARATOR)[0] or local
    return (
        tx.one(
            "SELECT 1 FROM send_as WHERE account_id = ? AND address IN (?, ?, ?, '*')",
            account_id, f"{local}@{domain}", f"{plain}@{domain}", f"@{domain}",
        ) is not None
    )  # fmt: skip


def _posts_for(tx: Tx, account_id: AccountId, owner: AccountId) -> bool:
    if accounts.get(tx, owner).kind != AccountKind.SHARED:
        return False
    inbox = folders.find(tx, owner, folders.INBOX)
    return inbox is not None and "p" in access.by_name(tx, account_id, inbox)


def grant(tx: Tx, account_id: AccountId, address: str) -> None:
    """Lets an account send as ``address``: one, "@domain", or "*" for any.  Raises Refused(BAD_NAME)."""
    tx.run(
        "INSERT INTO send_as (account_id, address) VALUES (?, ?)"
        " ON CONFLICT (account_id, address) DO NOTHING",
        account_id, _pattern(address),
    )  # fmt: skip


def revoke(tx: Tx, account_id: AccountId, address: str) -> None:
    """Raises Refused(NO_SUCH_ADDRESS)."""
    if not tx.run("DELETE FROM send_as WHERE account_id = ? AND address = ?", account_id, _pattern(address)):
        raise Refused(Reason.NO_SUCH_ADDRESS, address)


def listing(tx: Tx, account_id: AccountId) -> list[str]:
    """What else an account may send as."""
    return [
        text
        for (text,) in tx.all("SELECT address FROM send_as WHERE account_id = ? ORDER BY address", account_id)
    ]


def _pattern(address: str) -> str:
    if address == "*":
        return address
    local, at, domain = address.rpartition("@")
    if not at:
        raise Refused(Reason.BAD_NAME, address)
    return f"{accounts.normal_local(local)}@{accounts.normal_domain(domain)}"
