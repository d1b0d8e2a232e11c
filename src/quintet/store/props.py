"""Properties that no MIME can carry, and the account's numbers for named ones.

A property of what came as MIME is derived where it is read; it is never stored here as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from quintet.errors import Reason, TryLater
from quintet.store import dialect
from quintet.store.db import Tx
from quintet.store.model import AccountId, Copied, FolderId, Uid

ACCOUNT: Final = 0  # what a property belongs to: `kind` of the functions below
FOLDER: Final = 1
ENTRY: Final = 2
RECIPIENT: Final = 3  # of an entry; `part` is its row
ATTACHMENT: Final = 4  # of an entry; `part` is its number

FIRST_NAMED: Final = 0x8000  # MS-OXCPRPT 3.2.5.9: named properties have ids from here
LAST_NAMED: Final = 0xFFFE

# a condition on rows of `prop`: theirs is no entry that can be had back; the index has no rows with 0
NOT_KEPT: Final = (
    "NOT EXISTS (SELECT 1 FROM expunged x WHERE x.entry_id = prop.object_id AND x.entry_id <> 0)"
)


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


def every_name(tx: Tx, account_id: AccountId) -> list[tuple[int, bytes, str]]:
    """The account's numbers with set and name, ascending."""
    rows = tx.all("SELECT id, guid, name FROM named_prop WHERE account_id = ? ORDER BY id", account_id)
    return [(number, bytes(guid), name) for number, guid, name in rows]


def of_many(tx: Tx, kind: int, numbers: Iterable[int]) -> dict[int, dict[int, bytes]]:
    """The properties of many objects (not of their parts): value by tag, by object."""
    members, param = dialect.among(tx.engine, numbers)
    found: dict[int, dict[int, bytes]] = {}
    for number, tag, value in tx.all(
        f"SELECT object_id, tag, value FROM prop WHERE kind = ? AND object_id {members} AND part = 0",
        kind, param,
    ):  # fmt: skip
        found.setdefault(number, {})[tag] = value
    return found


def forget_entry(tx: Tx, entry_id: int) -> None:
    """Takes away everything that lies beside an entry: its own properties, its recipients', attachments'."""
    tx.run("DELETE FROM prop WHERE kind IN (2, 3, 4) AND object_id = ?", entry_id)


# --- with an entry to where it goes --------------------------------------------------------------------

Beside = dict[Uid, list[tuple[int, int, int, bytes]]]
"""What lies beside entries, by their numbers: (kind, part, tag, value)."""


def any_of_entries(tx: Tx) -> bool:
    """Some entry somewhere has properties; where there are none at all, moving mail costs nothing more."""
    return tx.one("SELECT 1 FROM prop WHERE kind = 2 LIMIT 1") is not None


def held(tx: Tx, folder_id: FolderId, uids: Sequence[int]) -> Beside:
    """What lies beside some entries of a folder."""
    if not any_of_entries(tx):
        return {}
    members, param = dialect.among(tx.engine, uids)
    found: Beside = {}
    for uid, *row in tx.all(
        "SELECT e.uid, p.kind, p.part, p.tag, p.value FROM entry e JOIN prop p ON p.object_id = e.id"
        f" WHERE p.kind IN (2, 3, 4) AND e.folder_id = ? AND e.uid {members}", folder_id, param,
    ):  # fmt: skip
        found.setdefault(uid, []).append((row[0], row[1], row[2], row[3]))
    return found


def hand_over(
    tx: Tx, folder_id: FolderId, pairs: Sequence[Copied], beside: Beside, *, named: bool = True
) -> None:
    """Puts it beside the new entries; ``named``: also what only the old account has numbers for."""
    if not beside:
        return
    targets = {pair.target_uid: pair.source_uid for pair in pairs if pair.source_uid in beside}
    members, param = dialect.among(tx.engine, list(targets))
    rows = []
    for uid, number in tx.all(
        f"SELECT uid, id FROM entry WHERE folder_id = ? AND uid {members}", folder_id, param
    ):
        rows += [
            (kind, number, part, tag, value)
            for kind, part, tag, value in beside[targets[uid]]
            if named or tag >> 16 < FIRST_NAMED
        ]
    tx.many("INSERT INTO prop (kind, object_id, part, tag, value) VALUES (?, ?, ?, ?, ?)", rows)


def rename_entry(tx: Tx, old: int, folder_id: FolderId, uid: Uid) -> None:
    """What lay beside the object number ``old`` now lies beside the entry with that number in a folder."""
    tx.run(
        "UPDATE prop SET object_id = (SELECT id FROM entry WHERE folder_id = ? AND uid = ?)"
        " WHERE kind IN (2, 3, 4) AND object_id = ?", folder_id, uid, old,
    )  # fmt: skip
