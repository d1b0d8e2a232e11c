"""Accounts, domains, addresses and credentials: who is here, and where mail for a name goes.

What a secret means and how it is checked is `quintet.auth`'s; here it is text.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from quintet.errors import Reason, Refused
from quintet.store import directory, entry_annotations, folders, keeping
from quintet.store.db import Tx, bounded
from quintet.store.model import NEWS, Account, AccountId, AccountKind, Modseq
from quintet.values import dataclass

COLUMNS = (
    "id, name, kind, display_name, modseq, quota_bytes, quota_messages, used_bytes, used_messages,"
    " language, disabled, created_at, guid, forward, keep_copy, mdn, used_remarks,"
    " quota_remarks"
)
SEPARATOR = "+"  # between user and detail (RFC 5233)
MOVED = "moved:"  # what the target of an address begins with that takes no mail any more
MAX_CHAIN = 10  # addresses that stand for addresses, one after the other
PLACES = (("INBOX", "inbox"), ("Drafts", "drafts"), ("Sent", "sent"), ("Junk", "junk"), ("Trash", "trash"),
          ("Archive", "archive"))  # fmt: skip
_BAD = re.compile(r"[\x00-\x1f\x7f/]")


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where mail for an address goes: an account, other addresses, or a group; one of the three."""

    account: Account | None
    detail: str  # after the separator: "tag" of user+tag
    forward: tuple[str, ...]
    group: str
    kind: str  # "primary", "alias", "forward", "group", "catchall", "list"
    mailing_list: int = 0  # number of the list
    role: str = ""  # of the list's address: "post", "request", "owner", ...
    moved: str | None = None  # it takes no mail any more; the new address, "" when that is not told


@dataclass(frozen=True, slots=True)
class Credential:
    """One secret in one form."""

    id: int
    kind: str
    name: str
    secret: str
    scopes: tuple[str, ...]  # empty: all
    expires_at: int  # 0: never
    created_at: int
    last_used_at: int


@dataclass(frozen=True, slots=True)
class Address:
    """One row of where mail goes."""

    address: str
    kind: str
    account_id: AccountId | None
    target: str


def normal_name(name: str) -> str:
    """An account's name as it is kept: NFC, lower case.  Raises Refused(BAD_NAME)."""
    name = unicodedata.normalize("NFC", name).lower().strip()
    if not name or len(name) > 255 or _BAD.search(name) or name[0] in "-$":  # marks where rights are given
        raise Refused(Reason.BAD_NAME, name)
    return name


def create(
    tx: Tx,
    name: str,
    kind: str = AccountKind.PERSON,
    display_name: str = "",
    quota_bytes: int = 0,
    quota_messages: int = 0,
) -> Account:
    """A new account with its usual folders (none for "news").

    Its name becomes its primary address when it has a domain that is ours.

    Raises:
        Refused(ALREADY_EXISTS | BAD_NAME).
    """
    name = normal_name(name)
    account_id = AccountId(tx.new_ids(1))
    if not tx.run(
        "INSERT INTO account (id, name, kind, display_name, guid, quota_bytes, quota_messages, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
        account_id, name, kind, display_name, os.urandom(16), quota_bytes, quota_messages, tx.now,
    ):  # fmt: skip
        raise Refused(Reason.ALREADY_EXISTS, name)
    if kind != AccountKind.NEWS:
        for place, role in PLACES:
            folders.create(tx, account_id, place, role=role)
            folders.subscribe(tx, account_id, place)
    directory.changed(tx)
    local, at, domain = name.rpartition("@")
    if at and is_local(tx, domain):
        add_address(tx, account_id, f"{local}@{domain}", "primary")
    return get(tx, account_id)


def news(tx: Tx) -> Account:
    """The account that owns the groups; made when it is not there."""
    return find(tx, NEWS) or create(tx, NEWS, AccountKind.NEWS)


def find(tx: Tx, name: str) -> Account | None:
    """By login name; without case."""
    return _account(tx.one(f"SELECT {COLUMNS} FROM account WHERE name = ?", name.lower()))


def get(tx: Tx, account_id: AccountId) -> Account:
    """Raises Refused(NO_SUCH_ACCOUNT)."""
    account = _account(tx.one(f"SELECT {COLUMNS} FROM account WHERE id = ?", account_id))
    if account is None:
        raise Refused(Reason.NO_SUCH_ACCOUNT)
    return account


def oldest(tx: Tx) -> Account | None:
    """The person's account that was made first and may be used; None while there is none."""
    return _account(
        tx.one(
            f"SELECT {COLUMNS} FROM account WHERE kind = ? AND disabled = 0 ORDER BY id LIMIT 1",
            AccountKind.PERSON,
        )
    )


def listing(tx: Tx) -> list[Account]:
    return [_some(row) for row in tx.all(f"SELECT {COLUMNS} FROM account ORDER BY name")]


def change(
    tx: Tx,
    account_id: AccountId,
    *,
    display_name: str | None = None,
    quota_bytes: int | None = None,
    quota_messages: int | None = None,
    language: str | None = None,
    disabled: bool | None = None,
    mdn: str | None = None,
    quota_remarks: int | None = None,
) -> Account:
    """Sets what is given.  Raises Refused(NO_SUCH_ACCOUNT)."""
    old = get(tx, account_id)
    tx.run(
        "UPDATE account SET display_name = ?, quota_bytes = ?, quota_messages = ?, language = ?,"
        " disabled = ?, mdn = ?, quota_remarks = ? WHERE id = ?",
        old.display_name if display_name is None else display_name,
        old.quota_bytes if quota_bytes is None else quota_bytes,
        old.quota_messages if quota_messages is None else quota_messages,
        old.language if language is None else language,
        int(old.disabled if disabled is None else disabled),
        old.mdn if mdn is None else mdn,
        old.quota_remarks if quota_remarks is None else quota_remarks,
        account_id,
    )
    if display_name not in (None, old.display_name):
        directory.changed(tx)
    return get(tx, account_id)


def remove(tx: Tx, account_id: AccountId) -> None:
    """The account with all its folders, addresses and secrets; its messages are swept later.

    Raises:
        Refused(NO_SUCH_ACCOUNT), Refused(NO_PERMISSION): it is on hold.
    """
    account = get(tx, account_id)
    for folder in folders.listing(tx, account_id):
        folders.remove(tx, folder.id)
    keeping.forget_account(tx, account_id)
    tx.run("DELETE FROM prop WHERE kind = 0 AND object_id = ?", account_id)
    # what was its own in others' folders; a later account of that name must not find it
    tx.run("DELETE FROM annotation WHERE reader_id = ?", account_id)
    entry_annotations.leave(tx, account_id)
    tx.run("DELETE FROM access WHERE who IN (?, ?)", account.name, "-" + account.name)
    tx.run("DELETE FROM access_more WHERE who = ?", account.name)
    tx.run("DELETE FROM account WHERE id = ?", account_id)
    directory.changed(tx)


@bounded()
def next_modseq(tx: Tx, account_id: AccountId) -> Modseq:
    """The next change number, under the account's lock until the commit.

    Raises:
        Refused(NO_SUCH_ACCOUNT).
    """
    modseq = tx.value("UPDATE account SET modseq = modseq + 1 WHERE id = ? RETURNING modseq", account_id)
    if modseq is None:
        raise Refused(Reason.NO_SUCH_ACCOUNT)
    return Modseq(modseq)


def use(tx: Tx, account_id: AccountId, size: int, messages: int) -> Modseq:
    """Books ``size`` bytes and ``messages`` more (or fewer), and takes a change number.

    Raises:
        TryLater(OVER_QUOTA): it grew beyond what the account may hold.
    """
    return folders.book(tx, account_id, size, messages)


# domains and addresses


def normal_domain(domain: str) -> str:
    """Lower case, ASCII form (A-labels).  Raises Refused(BAD_NAME)."""
    domain = unicodedata.normalize("NFC", domain.strip()).lower().rstrip(".")
    if not domain.isascii():
        import idna  # only names of many alphabets need its tables

        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except idna.IDNAError:
            raise Refused(Reason.BAD_NAME, domain) from None
    if not domain or len(domain) > 255 or _BAD.search(domain) or " " in domain:
        raise Refused(Reason.BAD_NAME, domain)
    return domain


def normal_local(local: str) -> str:
    """A local part as it is compared: NFC, without case."""
    return unicodedata.normalize("NFC", local).lower()


def add_domain(tx: Tx, domain: str) -> None:
    """Nothing happens when it is there.  Raises Refused(BAD_NAME)."""
    tx.run(
        "INSERT INTO domain (name, created_at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
        normal_domain(domain), tx.now,
    )  # fmt: skip


def remove_domain(tx: Tx, domain: str) -> None:
    """With all its addresses; accounts stay.  Raises Refused(NO_SUCH_DOMAIN)."""
    if not tx.run("DELETE FROM domain WHERE name = ?", normal_domain(domain)):
        raise Refused(Reason.NO_SUCH_DOMAIN, domain)
    directory.changed(tx)


def domains(tx: Tx) -> list[str]:
    return [name for (name,) in tx.all("SELECT name FROM domain ORDER BY name")]


def is_local(tx: Tx, domain: str) -> bool:
    """Whether mail for that domain is ours to deliver; a name that cannot be is not."""
    try:
        return tx.one("SELECT 1 FROM domain WHERE name = ?", normal_domain(domain)) is not None
    except Refused:
        return False


def add_address(
    tx: Tx, account_id: AccountId | None, address: str, kind: str = "alias", target: str = ""
) -> None:
    """Sends mail for ``address`` to an account, or to ``target`` (kinds "forward", "group", "list").

    "@domain" is the catch-all; a target "@other" of it keeps the local part.  A target `MOVED` and an
    address, or nothing, is where senders are told to turn.  An address that is there is pointed anew.

    Raises:
        Refused(NO_SUCH_DOMAIN): the domain is not ours.
    """
    local, _, domain = address.rpartition("@")
    domain = normal_domain(domain)
    if not is_local(tx, domain):
        raise Refused(Reason.NO_SUCH_DOMAIN, domain)
    tx.run(
        "INSERT INTO address (id, domain, local, kind, account_id, target, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (domain, local) DO UPDATE"
        " SET kind = excluded.kind, account_id = excluded.account_id, target = excluded.target",
        tx.new_ids(1), domain, normal_local(local), kind if local else "catchall", account_id, target, tx.now,
    )  # fmt: skip
    directory.changed(tx)


def remove_address(tx: Tx, address: str) -> None:
    """Raises Refused(NO_SUCH_ADDRESS)."""
    local, _, domain = address.rpartition("@")
    if not tx.run(
        "DELETE FROM address WHERE domain = ? AND local = ?", normal_domain(domain), normal_local(local)
    ):
        raise Refused(Reason.NO_SUCH_ADDRESS, address)
    directory.changed(tx)


def address(tx: Tx, text: str) -> Address | None:
    """The address of that very name; "@domain" is the catch-all.  Raises Refused(NO_SUCH_DOMAIN)."""
    local, _, domain = text.rpartition("@")
    row = tx.one(
        "SELECT kind, account_id, target FROM address WHERE domain = ? AND local = ?",
        normal_domain(domain), normal_local(local),
    )  # fmt: skip
    return None if row is None else Address(text, *row)


def addresses(tx: Tx, account_id: AccountId | None = None) -> list[Address]:
    """All addresses, or those of one account."""
    where, params = ("WHERE account_id = ?", (account_id,)) if account_id is not None else ("", ())
    rows = tx.all(
        f"SELECT local, domain, kind, account_id, target FROM address {where} ORDER BY domain, local", *params
    )
    return [Address(f"{local}@{domain}", kind, owner, target) for local, domain, kind, owner, target in rows]


def resolve(tx: Tx, local: str, domain: str) -> Resolved | None:
    """Where mail for local@domain goes; None when nobody is there.

    First the address itself, then without what follows the last separators, then the catch-all.
    """
    try:
        domain = normal_domain(domain)
    except Refused:
        return None
    local = normal_local(local)
    tries = [(local, "")]
    at = local.rfind(SEPARATOR)
    while at > 0:
        tries.append((local[:at], local[at + 1 :]))
        at = local.rfind(SEPARATOR, 0, at)
    tries = [*tries[:4], ("", "")]  # a local part of separators only must not cost a hundred probes
    for name, detail in tries:
        row = tx.one(
            "SELECT kind, account_id, target FROM address WHERE domain = ? AND local = ?", domain, name
        )
        if row is not None:
            kind, account_id, target = row
            if account_id is not None:  # the catch-all of an account learns whom the letter was for
                return Resolved(get(tx, account_id), detail, (), "", kind)
            if kind == "list":
                number, _, role = target.partition(" ")
                return Resolved(None, detail, (), "", kind, int(number), role)
            if kind == "group":
                return Resolved(None, detail, (), target, kind)
            if target.startswith(MOVED):
                there = target.removeprefix(MOVED)
                moved = local + there if there.startswith("@") else there
                return Resolved(None, detail, (), "", kind, moved=moved)
            targets = target.replace(",", " ").split()
            # the catch-all "@old" to "@new" is a whole domain under another name
            forward = tuple(local + one if one.startswith("@") else one for one in targets)
            return Resolved(None, detail, forward, "", kind)
    return None


def owns_address(tx: Tx, account_id: AccountId, address: str) -> bool:
    """Whether mail for that address comes to the account, and to nobody else."""
    return owner_of_address(tx, address) == account_id


def owner_of_address(tx: Tx, address: str) -> AccountId | None:
    """The one account that mail for an address comes to.

    So an account owns its addresses with every detail, what its catch-all takes, and an alias that stands
    for it alone.
    """
    for _ in range(MAX_CHAIN):
        local, at, domain = address.rpartition("@")
        found = resolve(tx, local, domain) if at else None
        if found is None:
            return None
        if found.account is not None:
            return found.account.id
        if len(found.forward) != 1:
            return None
        address = found.forward[0]
    return None


def set_forward(tx: Tx, account_id: AccountId, targets: Sequence[str], *, keep: bool = True) -> Account:
    """Sends a copy of all mail for an account to ``targets``; () ends it.

    Without ``keep`` the account itself gets nothing.  Raises Refused(NO_SUCH_ACCOUNT).
    """
    get(tx, account_id)
    tx.run(
        "UPDATE account SET forward = ?, keep_copy = ? WHERE id = ?",
        " ".join(targets), int(keep or not targets), account_id,
    )  # fmt: skip
    return get(tx, account_id)


# credentials


def credentials(tx: Tx, account_id: AccountId) -> list[Credential]:
    rows = tx.all(
        "SELECT id, kind, name, secret, scopes, expires_at, created_at, last_used_at"
        " FROM credential WHERE account_id = ? ORDER BY id", account_id,
    )  # fmt: skip
    return [
        Credential(number, kind, name, secret, tuple(scopes.split()), expires, created, used)
        for number, kind, name, secret, scopes, expires, created, used in rows
    ]


@bounded()
def put_credential(
    tx: Tx,
    account_id: AccountId,
    kind: str,
    secret: str,
    *,
    name: str = "",
    scopes: tuple[str, ...] = (),
    expires_at: int = 0,
) -> int:
    """Adds a secret, or replaces the one of the same kind and name; returns its id.

    Raises:
        Refused(NO_SUCH_ACCOUNT).
    """
    get(tx, account_id)
    tx.run("DELETE FROM credential WHERE account_id = ? AND kind = ? AND name = ?", account_id, kind, name)
    number = tx.new_ids(1)
    tx.run(
        "INSERT INTO credential (id, account_id, kind, name, secret, scopes, expires_at, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        number, account_id, kind, name, secret, " ".join(scopes), expires_at, tx.now,
    )  # fmt: skip
    return number


@bounded()
def remove_credential(tx: Tx, account_id: AccountId, credential_id: int) -> bool:
    """False when there was none."""
    return tx.run("DELETE FROM credential WHERE account_id = ? AND id = ?", account_id, credential_id) > 0


@bounded()
def touch_credential(tx: Tx, credential_id: int) -> None:
    """Notes that it was used just now."""
    tx.run("UPDATE credential SET last_used_at = ? WHERE id = ?", tx.now, credential_id)


def _account(row: tuple[Any, ...] | None) -> Account | None:
    return None if row is None else _some(row)


def _some(row: tuple[Any, ...]) -> Account:
    *columns, disabled, created_at, guid, forward, keep, mdn, used, quota = row
    return Account(*columns, bool(disabled), created_at, bytes(guid), forward, bool(keep), mdn, used, quota)  # type: ignore[call-arg] # ten columns
