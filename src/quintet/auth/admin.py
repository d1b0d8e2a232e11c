"""What an administrator, or an owner for themselves, does with secrets: set, add, list, remove, load many.

Hashing happens in threads, writing in one transaction each; nothing here reads a password back.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from quintet.auth import foreign, passwords, vault
from quintet.config.auth import SCOPES, Auth
from quintet.errors import Problem, Reason, Refused
from quintet.store import accounts
from quintet.store.db import Tx
from quintet.store.model import AccountId
from quintet.store.store import Store
from quintet.values import dataclass

BATCH = 100  # accounts hashed and written together; a cancelled load has lost no more


@dataclass(frozen=True, slots=True)
class AppPassword:
    """One app password as it may be shown."""

    name: str
    scopes: tuple[str, ...]  # empty: all protocols
    expires_at: int  # ms, 0 for never
    last_used_at: int  # ms, to the hour; 0 for never


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of one line of a load."""

    name: str
    made: bool  # False: it was there, and has a new password
    problem: str = ""  # why nothing was done


async def set_password(store: Store, account_id: AccountId, secret: str, config: Auth | None = None) -> None:
    """Gives the account a new password; remembered old ones end at once, app passwords stay.

    Raises:
        Refused(NO_SUCH_ACCOUNT, BAD_NAME for an empty password), BadSyntax for characters it cannot have.
    """
    found = store.peek(vault.secrets_of, account_id)
    shared = vault.shared_salts(found)
    rows = await asyncio.to_thread(passwords.hash_secret, secret, config, shared)
    await store.write(vault.replace_password, account_id, rows)


async def set_hashed(store: Store, account_id: AccountId, hashed: str) -> None:
    """Takes a password over as another system stored it (`auth.foreign`).

    Raises Refused(UNSUPPORTED) for a form that is not understood.
    """
    if not foreign.understood(hashed):
        raise Refused(Reason.UNSUPPORTED, "password hash of an unknown form")
    await store.write(vault.replace_password, account_id, [passwords.Row(passwords.PASSWORD, hashed)])


async def add_app_password(
    store: Store,
    account_id: AccountId,
    name: str,
    scopes: Sequence[str] = (),
    expires_at: int = 0,
    config: Auth | None = None,
) -> str:
    """A new random password for some protocols (none named: all); this is the one time it can be seen.

    Raises:
        Refused(BAD_NAME): no name, or a protocol that is none.
        Refused(ALREADY_EXISTS): the account has an app password of that name.
    """
    config = config or Auth()
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise Refused(Reason.BAD_NAME, "an app password needs a name of at most 100 letters")
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown:
        raise Refused(Reason.BAD_NAME, f"no such protocol: {unknown[0]}")
    found = store.peek(vault.secrets_of, account_id)
    shared = vault.own_salts(found) | vault.shared_salts(found)
    secret = passwords.new_app_password()
    verifiers = await asyncio.to_thread(passwords.scram_rows, secret, config, shared)
    rows = [passwords.Row(passwords.APP, passwords.hash_app_password(secret)), *verifiers]
    rows += passwords.nt_rows(secret, config)
    await store.write(vault.add_app, account_id, name, rows, tuple(scopes), expires_at)
    return secret


def app_passwords(store: Store, account_id: AccountId) -> list[AppPassword]:
    """Raises Refused(NO_SUCH_ACCOUNT)."""
    found = store.peek(vault.secrets_of, account_id)
    lasts: dict[str, int] = {}
    for row in found.secrets:  # a login by SCRAM is noted with its verifier
        lasts[row.name] = max(lasts.get(row.name, 0), row.last_used_at)
    return [
        AppPassword(row.name, tuple(sorted(row.scopes)), row.expires_at, lasts[row.name])
        for row in found.of_kind(passwords.APP)
    ]


async def remove_app_password(store: Store, account_id: AccountId, name: str) -> bool:
    """False when there was none; connections that are open stay open."""
    return await store.write(vault.remove_app, account_id, name)


async def add_certificate(store: Store, account_id: AccountId, name: str, fingerprint: str) -> None:
    """Lets a client certificate (SHA-256, hexadecimal, colons allowed) log in by EXTERNAL.

    Raises Refused(BAD_NAME) for what is no such fingerprint.
    """
    plain = fingerprint.replace(":", "").lower()
    if len(plain) != 64 or not all(letter in "0123456789abcdef" for letter in plain):
        raise Refused(Reason.BAD_NAME, "a SHA-256 fingerprint has 64 hexadecimal digits")
    await store.write(_put_certificate, account_id, name, plain)


def _put_certificate(tx: Tx, account_id: AccountId, name: str, fingerprint: str) -> None:
    accounts.put_credential(tx, account_id, passwords.CERTIFICATE, fingerprint, name=name)


async def load(
    store: Store, pairs: Iterable[tuple[str, str]], config: Auth | None = None, *, quick: bool = True
) -> AsyncIterator[Loaded]:
    """Makes accounts of (name, password) pairs, or gives those that are there the password; in order.

    A password in the form "{SCHEME}hash" is taken over as it is.  ``quick`` leaves argon2id to the first
    login (see `passwords`): a thousand take some three seconds on two cores, else twenty.
    """
    config = config or Auth()
    work = passwords.quick_rows if quick else passwords.hash_secret
    source = iter(pairs)
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="load") as pool:
        while batch := list(islice(source, BATCH)):
            made = [loop.run_in_executor(pool, _rows, work, secret, config) for _, secret in batch]
            rows = await asyncio.gather(*made)
            written = await asyncio.gather(
                *(_load_one(store, name, each) for (name, _), each in zip(batch, rows, strict=True))
            )
            for loaded in written:
                yield loaded


Rows = list[passwords.Row] | Problem


def _rows(work: Callable[[str, Auth], list[passwords.Row]], secret: str, config: Auth) -> Rows:
    try:
        if secret.startswith("{") and foreign.understood(secret):
            return [passwords.Row(passwords.PASSWORD, secret)]
        if foreign.is_named(secret):  # who has read the hash would log in with it, and nobody else
            raise Refused(Reason.UNSUPPORTED, "password hash of an unknown form")
        return work(secret, config)
    except Problem as problem:
        return problem


async def _load_one(store: Store, name: str, rows: Rows) -> Loaded:
    if isinstance(rows, Problem):
        return Loaded(name, made=False, problem=rows.text)
    try:
        return Loaded(name, await store.write(vault.load, name, rows))
    except Refused as problem:
        return Loaded(name, made=False, problem=problem.text)
