"""The directory: all who can be written to, in one reading, and a number that tells when to read again.

Accounts, lists, teams, forwards and groups with an address change rarely and are looked up often, so whoever
shows them keeps a copy and compares `version`.  Every function that changes one of them calls `changed`; who
is on a list or in a team does not stand in the copy, so that a busy list costs nothing here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from quintet.store import dialect, known, props
from quintet.store.db import Tx, single
from quintet.store.model import AccountId, AccountKind, FolderId
from quintet.values import dataclass

CARD = 1  # `part` of an account's properties: what its entry says beyond name and addresses
LARGE = (0x3A701102, 0x8C6A1102)  # certificates: kept out of the copy, read one by one
MAX_CARD = 64 * 1024  # bytes of one account's card, certificates included
MAX_TEXTS = 8 * 1024  # of it beside certificates: every copy of the directory has them
MAX_ITEM_VALUE = 2048  # bytes of one value of an item that is shown
_VERSION = "directory"  # the setting


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything in one snapshot; rows as the tables have them."""

    version: int
    accounts: Sequence[tuple[int, str, str, str]]  # id, login name, kind, display name
    addresses: Sequence[tuple[int, str, str, int | None, str]]  # id, address, kind, account, target
    lists: Sequence[tuple[int, str, str, str]]  # id, address, title, owners with spaces between
    teams: Sequence[tuple[str, str]]  # name, description
    groups: Mapping[str, tuple[int, str]]  # folder and description of those that an address names
    cards: Mapping[int, Mapping[int, bytes]]  # properties by tag, by account


def changed(tx: Tx) -> None:
    """Says that something in the directory is not as it was."""
    tx.run(
        "INSERT INTO setting (name, value) VALUES (?, '1') ON CONFLICT (name)"
        " DO UPDATE SET value = CAST(CAST(setting.value AS BIGINT) + 1 AS TEXT)", _VERSION,
    )  # fmt: skip


@single
def version(tx: Tx) -> int:
    """Differs when something changed since."""
    return int(tx.value("SELECT value FROM setting WHERE name = ?", _VERSION) or 0)


def listing(tx: Tx) -> Listing:
    """All of it; 10,000 accounts take about 50 ms, so not on the loop."""
    addresses = [
        (number, f"{local}@{domain}", kind, owner, target)
        for number, local, domain, kind, owner, target in tx.all(
            "SELECT id, local, domain, kind, account_id, target FROM address WHERE local <> ''"
            " ORDER BY domain, local"
        )
    ]
    cards: dict[int, dict[int, bytes]] = {}
    for account_id, tag, value in tx.rows(
        "SELECT object_id, tag, value FROM prop WHERE kind = ? AND part = ?", props.ACCOUNT, CARD
    ):
        if tag not in LARGE:
            cards.setdefault(account_id, {})[tag] = bytes(value)
    return Listing(
        version(tx),
        tx.all("SELECT id, name, kind, display_name FROM account WHERE kind <> ?", AccountKind.NEWS),
        addresses,
        tx.all("SELECT id, address, title, owners FROM mailing_list"),
        tx.all("SELECT name, description FROM team"),
        _groups(tx, {target for _, _, kind, _, target in addresses if kind == "group"}),
        cards,
    )


def _groups(tx: Tx, names: set[str]) -> dict[str, tuple[int, str]]:
    found: dict[str, tuple[int, str]] = {}
    for name in names:  # few of many groups have an address
        row = tx.one(
            "SELECT f.id, f.description FROM folder f JOIN account a ON a.id = f.account_id"
            " WHERE a.kind = ? AND f.name = ? AND f.kind = 'group'", AccountKind.NEWS, name,
        )  # fmt: skip
        if row is not None:
            found[name] = row
    return found


def address_of(tx: Tx, number: int) -> str | None:
    """Where mail goes for what has a number: an account, a list, an address by itself, a group's folder."""
    found: str | None = tx.value(
        "SELECT local || '@' || domain FROM address WHERE account_id = ? AND kind = 'primary'"
        " UNION ALL SELECT address FROM mailing_list WHERE id = ?"
        " UNION ALL SELECT local || '@' || domain FROM address WHERE id = ? AND kind IN ('forward', 'group')"
        " UNION ALL SELECT min(a.local || '@' || a.domain) FROM folder f JOIN address a ON a.target = f.name"
        " AND a.kind = 'group' WHERE f.id = ? AND f.kind = 'group' HAVING count(*) > 0 LIMIT 1",
        number, number, number, number,
    )  # fmt: skip
    return found


def large(tx: Tx, accounts: Sequence[AccountId]) -> dict[int, dict[int, bytes]]:
    """The properties of cards that a `Listing` leaves out; for as many accounts as one page shows."""
    members, param = dialect.among(tx.engine, accounts)
    found: dict[int, dict[int, bytes]] = {}
    for account_id, tag, value in tx.all(
        f"SELECT object_id, tag, value FROM prop WHERE kind = ? AND object_id {members} AND part = ?",
        props.ACCOUNT, param, CARD,
    ):  # fmt: skip
        if tag in LARGE:
            found.setdefault(account_id, {})[tag] = bytes(value)
    return found


def items(
    tx: Tx, folder_id: FolderId, tags: Sequence[int], most: int, most_bytes: int
) -> dict[int, dict[int, bytes]]:
    """Some stored properties of a folder's first ``most`` items: value by tag, by entry.

    Long values are left out; so is all that comes after ``most_bytes`` of values.
    """
    members, param = dialect.among(tx.engine, tags)
    found: dict[int, dict[int, bytes]] = {}
    for number, tag, value in tx.rows(
        "SELECT e.id, p.tag, p.value FROM (SELECT id FROM entry WHERE folder_id = ? AND hidden = 0"
        " ORDER BY uid LIMIT ?) e JOIN prop p ON p.kind = ? AND p.object_id = e.id AND p.part = 0"
        f" AND p.tag {members} AND length(p.value) <= ?",
        folder_id, most, props.ENTRY, param, MAX_ITEM_VALUE,
    ):  # fmt: skip
        most_bytes -= len(value)
        if most_bytes < 0:
            break
        found.setdefault(number, {})[tag] = bytes(value)
    return found


def card(tx: Tx, account_id: AccountId) -> dict[int, bytes]:
    """All that one account's entry says beyond name and addresses: value by tag."""
    return props.get(tx, props.ACCOUNT, account_id, CARD)


def set_card(tx: Tx, account_id: AccountId, values: Mapping[int, bytes], gone: Sequence[int] = ()) -> None:
    """Sets and removes properties of an account's card; who may is the caller's business."""
    props.remove(tx, props.ACCOUNT, account_id, gone, CARD)
    props.put(tx, props.ACCOUNT, account_id, values, CARD)
    changed(tx)


def server_name(tx: Tx) -> bytes:
    """16 bytes that are this store's and no other's, the same in all its workers and for ever."""
    token = tx.value("SELECT value FROM secret WHERE name = ?", known.TOKEN) or b""
    return hashlib.sha256(b"directory " + bytes(token)).digest()[:16]
