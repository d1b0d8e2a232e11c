"""Properties that no MIME can carry, and the account's numbers for named ones.

A property of what came as MIME is derived where it is read; it is never stored here as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from quintet.errors import Reason, TryLater
from quintet.store.db import Tx
from quintet.store.model import AccountId

ACCOUNT: Final = 0  # what a property belongs to: `kind` of the functions below
FOLDER: Final = 1
ENTRY: Final = 2
RECIPIENT: Final = 3  # of an entry; `part` is its row
ATTACHMENT: Final = 4  # of an entry; `part` is its number

FIRST_NAMED: Final = 0x8000  # MS-OXCPRPT 3.2.5.9: named properties have ids from here
LAST_NAMED: Final = 0xFFFE


def get(tx: Tx, kind: int, object_id: int, part: int = 0) -> dict[int, bytes]:
    """All properties of an object (or of one part of it): value by tag."""
    return dict(
        tx.all(
            "SELECT tag, value FROM prop WHERE kind = ? AND object_id = ? AND part = ? ORDER BY tag",
            kind, object_id, part,
        )
    )  # fmt: skip


def put(tx: Tx, kind: int, object_id: int, values: Mapping[int, bytes], part: int = 0) -> None:
    """Sets properties; those not named stay."""
    tx.many(
        "INSERT INTO prop (kind, object_id, part, tag, value) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (kind, object_id, part, tag) DO UPDATE SET value = excluded.value",
        [(kind, object_id, part, tag, value) for tag, value in values.items()],
    )


def remove(tx: Tx, kind: int, object_id: int, tags: Iterable[int] | None = None, part: int = 0) -> None:
    """Removes some properties, or all of the part."""
    if tags is None:
        tx.run("DELETE FROM prop WHERE kind = ? AND object_id = ? AND part = ?", kind, object_id, part)
        return
    tx.many(
        "DELETE FROM prop WHERE kind = ? AND object_id = ? AND part = ? AND tag = ?",
        [(kind, object_id, part, tag) for tag in tags],
    )


def parts(tx: Tx, kind: int, object_id: int) -> list[int]:
    """Numbers of the parts that have properties."""
    rows = tx.all(
        "SELECT DISTINCT part FROM prop WHERE kind = ? AND object_id = ? ORDER BY part", kind, object_id
    )
    return [part for (part,) in rows]


def named(tx: Tx, account_id: AccountId, guid: bytes, name: str, *, create: bool = True) -> int | None:
    """The account's number for a named property ("#n" for a numeric name); made when it is not there.

    Raises:
        TryLater(NUMBERS_EXHAUSTED): the account has used all of them.
    """
    found = tx.value(
        "SELECT id FROM named_prop WHERE account_id = ? AND guid = ? AND name = ?", account_id, guid, name
    )
    if found is not None or not create:
        return None if found is None else int(found)
    last = tx.value("SELECT max(id) FROM named_prop WHERE account_id = ?", account_id)
    number = FIRST_NAMED if last is None else last + 1
    if number > LAST_NAMED:
        raise TryLater(Reason.NUMBERS_EXHAUSTED)
    tx.run(
        "INSERT INTO named_prop (account_id, id, guid, name) VALUES (?, ?, ?, ?)",
        account_id,
        number,
        guid,
        name,
    )
    return int(number)


def name_of(tx: Tx, account_id: AccountId, number: int) -> tuple[bytes, str] | None:
    """The inverse of `named`."""
    row = tx.one("SELECT guid, name FROM named_prop WHERE account_id = ? AND id = ?", account_id, number)
    return None if row is None else (bytes(row[0]), row[1])
