"""What a property store keeps of an account as a whole: replicas by short numbers, where classes arrive.

Message classes are kept in lower case, "" is every class; a class stands for those below it too.
"""

from __future__ import annotations

from quintet.errors import Reason, TryLater
from quintet.store.db import Tx
from quintet.store.model import AccountId, FolderId
from quintet.values import dataclass

FIRST_REPLICA = 2  # 1 is the account's own
MAX_REPLICAS = 1000  # of one account; each costs a row, and any client may name one


@dataclass(frozen=True, slots=True)
class Arrival:
    """Messages of a class arrive in a folder."""

    klass: str
    folder_id: FolderId
    changed_at: int  # UTC ms


def replica_guid(tx: Tx, account_id: AccountId, number: int) -> bytes | None:
    """The GUID behind a short number that was given before."""
    found = tx.value("SELECT guid FROM replica WHERE account_id = ? AND number = ?", account_id, number)
    return None if found is None else bytes(found)


def replica_number(tx: Tx, account_id: AccountId, guid: bytes, *, create: bool) -> int | None:
    """The short number of a GUID; made when it has none and ``create``.

    Raises TryLater(NUMBERS_EXHAUSTED): the account knows `MAX_REPLICAS` already.
    """
    found = tx.value("SELECT number FROM replica WHERE account_id = ? AND guid = ?", account_id, guid)
    if found is not None or not create:
        return None if found is None else int(found)
    last = tx.value("SELECT max(number) FROM replica WHERE account_id = ?", account_id)
    number = FIRST_REPLICA if last is None else int(last) + 1
    if number >= FIRST_REPLICA + MAX_REPLICAS:
        raise TryLater(Reason.NUMBERS_EXHAUSTED)
    tx.run("INSERT INTO replica (account_id, number, guid) VALUES (?, ?, ?)", account_id, number, guid)
    return number


def replicas(tx: Tx, account_id: AccountId) -> list[tuple[int, bytes]]:
    """All short numbers with their GUIDs, ascending."""
    rows = tx.all("SELECT number, guid FROM replica WHERE account_id = ? ORDER BY number", account_id)
    return [(number, bytes(guid)) for number, guid in rows]


def arrivals(tx: Tx, account_id: AccountId) -> list[Arrival]:
    """Where classes arrive, in the order of their names."""
    rows = tx.all(
        "SELECT class, folder_id, changed_at FROM arrival_place WHERE account_id = ? ORDER BY class",
        account_id,
    )
    return [Arrival(*row) for row in rows]


def arrival(tx: Tx, account_id: AccountId, klass: str) -> Arrival | None:
    """Where messages of a class arrive: the row of the class itself, or of the nearest above it."""
    above = klass.lower()
    while True:
        row = tx.one(
            "SELECT class, folder_id, changed_at FROM arrival_place WHERE account_id = ? AND class = ?",
            account_id, above,
        )  # fmt: skip
        if row is not None:
            return Arrival(*row)
        if not above:
            return None
        above = above.rpartition(".")[0]


def set_arrival(tx: Tx, account_id: AccountId, klass: str, folder_id: FolderId | None) -> None:
    """From now on messages of a class arrive there; None: they have no place of their own any more."""
    if folder_id is None:
        tx.run("DELETE FROM arrival_place WHERE account_id = ? AND class = ?", account_id, klass.lower())
        return
    tx.run(
        "INSERT INTO arrival_place (account_id, class, folder_id, changed_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (account_id, class) DO UPDATE SET folder_id = excluded.folder_id,"
        " changed_at = excluded.changed_at",
        account_id, klass.lower(), folder_id, tx.now,
    )  # fmt: skip
