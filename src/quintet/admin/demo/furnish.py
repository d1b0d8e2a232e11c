"""Puts the demo content into a store; what is there already stays as it is."""

from __future__ import annotations

from quintet.admin.demo import articles, letters
from quintet.admin.demo.item import Item
from quintet.auth import admin as secrets
from quintet.config.auth import Auth
from quintet.store import accounts, entries, folders, groups, history
from quintet.store.content import content_of
from quintet.store.db import Tx
from quintet.store.model import Account
from quintet.store.store import Store

DOMAIN = "example.org"
PASSWORD = "demo"
ACCOUNTS = (
    ("alice@example.org", "Alice Liddell"),
    ("bob@example.org", "Bob Builder"),
    ("carol@example.org", "Carol Nguyễn"),
)
PATH_HOST = "news.example.org"


async def furnish(store: Store, auth: Auth) -> int:
    """Makes the demo accounts (password "demo"), groups, letters and articles that are missing.

    Returns how many letters and articles were added.  Done twice, it adds nothing the second time,
    also not what a user has deleted: content is added only together with its account or group.
    """
    fresh: set[str] = set()
    for name, display_name in ACCOUNTS:
        account = store.peek(accounts.find, name)
        if account is None:
            account = await store.write(_account, name, display_name)
            await secrets.set_password(store, account.id, PASSWORD, auth)
            fresh.add(name)
    for name, status, description in articles.GROUPS:
        if store.peek(groups.find, name) is None:
            await store.write(groups.create, name, status, description, created_by=f"news@{DOMAIN}")
            fresh.add(name)
    now = store.clock.now()
    added = 0
    for item in sorted((*letters.LETTERS, *articles.ARTICLES), key=lambda item: -item.age_h):
        if item.owner in fresh if not item.groups else fresh.intersection(item.groups):
            added += await store.write(_article if item.groups else _letter, item, now)
    return added


def _account(tx: Tx, name: str, display_name: str) -> Account:
    if not accounts.is_local(tx, DOMAIN):
        accounts.add_domain(tx, DOMAIN)
    account = accounts.create(tx, name, display_name=display_name)
    for folder in folders.listing(tx, account.id):
        folders.subscribe(tx, account.id, folder.name)
    return account


def _letter(tx: Tx, item: Item, now: int) -> int:
    account = accounts.find(tx, item.owner)
    folder = folders.find(tx, account.id, item.folder) if account else None
    if folder is None:
        return 0
    content = content_of(item.octets(now))
    received = item.folder in ("INBOX", "Junk")
    prefix = b"Return-Path: <postmaster@example.org>\r\n" if received else b""
    entries.add(
        tx,
        [folder.id],
        content,
        prefix=prefix,
        received_at=item.sent_at(now),
        flags=item.flags,
        keywords=item.keywords,
    )
    return 1


def _article(tx: Tx, item: Item, now: int) -> int:
    places = [folder for name in item.groups if (folder := groups.find(tx, name)) is not None]
    if not places or history.known(tx, item.message_id):
        return 0
    groups.file(
        tx,
        [folder.id for folder in places],
        content_of(item.octets(now)),
        path=f"{PATH_HOST}!not-for-mail".encode(),
        host=PATH_HOST,
        received_at=item.sent_at(now),
    )
    return 1
