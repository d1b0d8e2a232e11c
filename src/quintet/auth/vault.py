"""What auth reads and writes in the store: transaction functions, and nothing else.

A login name is an account's name; case does not matter.  An account's credentials are rows of
a kind (`passwords`), and rows of the same ``name`` belong to one app password.
"""

from __future__ import annotations

from collections.abc import Sequence

from quintet.auth import passwords, scram
from quintet.errors import Reason, Refused
from quintet.store import accounts
from quintet.store.db import Tx
from quintet.store.model import Account, AccountId
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Secret:
    """One credential row as auth sees it."""

    id: int
    kind: str
    name: str  # of the app password; empty for the account's own
    stored: str
    scopes: frozenset[str]  # protocols; empty means all
    expires_at: int  # ms, 0 for never
    last_used_at: int  # ms

    def serves(self, scope: str) -> bool:
        return not self.scopes or scope in self.scopes


@dataclass(frozen=True, slots=True)
class Found:
    """An account with its secrets."""

    account: Account
    secrets: tuple[Secret, ...]

    def of_kind(self, kind: str) -> list[Secret]:
        return [secret for secret in self.secrets if secret.kind == kind]


def shared_salts(found: Found) -> passwords.Salts:
    """Salt and rounds by kind that new verifiers must have: those of the account's app passwords.

    A SCRAM server tells the salt before it knows which of several secrets the client will use.
    """
    salts: passwords.Salts = {}
    for row in found.secrets:
        verifier = scram.parse(row.stored) if row.name else None
        if verifier is not None:
            salts[row.kind] = (verifier.salt, verifier.iterations)
    return salts


def own_salts(found: Found) -> passwords.Salts:
    """Salt and rounds by kind of the account's own verifiers."""
    salts: passwords.Salts = {}
    for row in found.secrets:
        verifier = None if row.name else scram.parse(row.stored)
        if verifier is not None:
            salts[row.kind] = (verifier.salt, verifier.iterations)
    return salts


def lookup(tx: Tx, name: str) -> Found | None:
    """The account that logs in as ``name`` (lower case), if there is one."""
    account = accounts.find(tx, name)
    return None if account is None else _with_secrets(tx, account)


def lookup_address(tx: Tx, local: str, domain: str) -> Found | None:
    """The account that has exactly this address: neither a catch-all nor a subaddress makes an owner."""
    resolved = accounts.resolve(tx, local, domain)
    if resolved is None or resolved.account is None or resolved.detail or resolved.kind == "catchall":
        return None
    return _with_secrets(tx, resolved.account)


def _with_secrets(tx: Tx, account: Account) -> Found:
    rows = accounts.credentials(tx, account.id)
    return Found(
        account,
        tuple(
            Secret(
                row.id,
                row.kind,
                row.name,
                row.secret,
                frozenset(row.scopes),
                row.expires_at,
                row.last_used_at,
            )
            for row in rows
        ),
    )


def unchanged(tx: Tx, credential_id: int, stored: str) -> tuple[bool, int] | None:
    """(account disabled, expiry in ms or 0) of a credential that is still ``stored``, else None."""
    row = tx.one(
        "SELECT a.disabled, c.expires_at FROM credential c JOIN account a ON a.id = c.account_id"
        " WHERE c.id = ? AND c.secret = ?",
        credential_id,
        stored,
    )
    return None if row is None else (bool(row[0]), row[1])


def secrets_of(tx: Tx, account_id: AccountId) -> Found:
    """Raises Refused(NO_SUCH_ACCOUNT)."""
    return _with_secrets(tx, accounts.get(tx, account_id))


def replace_password(tx: Tx, account_id: AccountId, rows: Sequence[passwords.Row]) -> None:
    """Puts the rows of a new password in the place of all rows of the old one; app passwords stay."""
    for credential in accounts.credentials(tx, account_id):
        if not credential.name and credential.kind != passwords.CERTIFICATE:
            accounts.remove_credential(tx, account_id, credential.id)
    for row in rows:
        accounts.put_credential(tx, account_id, row.kind, row.secret)


def upgrade(tx: Tx, account_id: AccountId, seen: str, rows: Sequence[passwords.Row]) -> bool:
    """`replace_password` by the same password in better form, unless it changed since ``seen`` was stored."""
    current = accounts.credentials(tx, account_id)
    if not any(credential.secret == seen and not credential.name for credential in current):
        return False
    replace_password(tx, account_id, rows)
    return True


def add_app(
    tx: Tx,
    account_id: AccountId,
    name: str,
    rows: Sequence[passwords.Row],
    scopes: tuple[str, ...],
    expires_at: int,
) -> None:
    """Stores an app password.

    Raises:
        Refused(ALREADY_EXISTS): the account has one of that name.
    """
    found = secrets_of(tx, account_id)
    if any(secret.name == name for secret in found.of_kind(passwords.APP)):
        raise Refused(Reason.ALREADY_EXISTS, name)
    if len(found.of_kind(passwords.APP)) >= passwords.MAX_APP_PASSWORDS:
        raise Refused(Reason.TOO_MANY, "app passwords")
    for row in rows:
        accounts.put_credential(
            tx, account_id, row.kind, row.secret, name=name, scopes=scopes, expires_at=expires_at
        )


def remove_app(tx: Tx, account_id: AccountId, name: str) -> bool:
    """False when there was none of that name."""
    gone = [
        credential for credential in accounts.credentials(tx, account_id) if name and credential.name == name
    ]
    for credential in gone:
        accounts.remove_credential(tx, account_id, credential.id)
    return bool(gone)


def load(tx: Tx, name: str, rows: Sequence[passwords.Row]) -> bool:
    """Gives account ``name`` a password, making the account if there is none; True if it was made."""
    account = accounts.find(tx, name)
    made = account is None
    if account is None:
        account = accounts.create(tx, name)
    replace_password(tx, account.id, rows)
    return made
