"""Which messages are \\Recent, and for whom: the first session that is told of them (RFC 3501 2.3.2).

One number a folder: the lowest UID that no session was told of.  It is kept as an annotation whose name
is no client's to see, so workers and restarts agree.  A session that is told of an arrival claims it
at once in memory and notes it behind; a SELECT claims in a transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quintet.store import annotations as remarks  # the name means something else in a module with futures
from quintet.store.model import AccountId

if TYPE_CHECKING:
    from quintet.imap.service import House
    from quintet.store.db import Tx
    from quintet.store.model import Folder, FolderId

OURS = "imap."  # how names of our own notes begin, which no client sees or sets
NAME = f"{OURS}recent"
EVERYBODY = AccountId(0)


class Recents:
    """The claims of one process; what is written is the truth, this spares writing it again."""

    __slots__ = ("_claimed", "_house")

    def __init__(self, house: House) -> None:
        self._house = house
        self._claimed: dict[FolderId, int] = {}  # folder -> lowest UID that is free, as far as we know

    def fresh(self, folder: Folder) -> bool:
        """True if the folder may have messages that nobody was told of."""
        return self._claimed.get(folder.id, 0) < folder.uid_next and folder.messages > 0

    async def select(
        self, account_id: AccountId, folder_id: FolderId, uid_next: int
    ) -> tuple[int, int] | None:
        """Claims all up to ``uid_next``; the range of UIDs that is now recent here, if any."""
        if self._claimed.get(folder_id, 0) >= uid_next:
            return None
        first = await self._house.store.write(claim, account_id, folder_id, uid_next)
        self._claimed[folder_id] = max(uid_next, self._claimed.get(folder_id, 0))
        return (first, uid_next - 1) if first < uid_next else None

    def claim(
        self, account_id: AccountId, folder_id: FolderId, first: int, last: int
    ) -> list[tuple[int, int]]:
        """Claims arrivals ``first`` to ``last`` for a session that selected the folder before."""
        first = max(first, self._claimed.get(folder_id, first))
        if first > last:
            return []
        self._claimed[folder_id] = last + 1
        self._house.later(self._house.store.write(claim, account_id, folder_id, last + 1))
        return [(first, last)]

    def peek(self, tx: Tx, account_id: AccountId, folder_id: FolderId) -> int:
        """The lowest UID that is free, claiming nothing (EXAMINE, STATUS)."""
        return max(lowest(tx, account_id, folder_id), self._claimed.get(folder_id, 0))


def lowest(tx: Tx, account_id: AccountId, folder_id: FolderId) -> int:
    value = remarks.get(tx, account_id, folder_id, EVERYBODY).get(NAME)
    return int(value) if value else 1


def claim(tx: Tx, account_id: AccountId, folder_id: FolderId, uid_next: int) -> int:
    """Moves the mark to ``uid_next``; where it stood before."""
    before = lowest(tx, account_id, folder_id)
    if before < uid_next:
        remarks.put(tx, account_id, folder_id, EVERYBODY, NAME, b"%d" % uid_next, quiet=True)
    return before


def entries(tx: Tx, account_id: AccountId, folder_id: FolderId, reader: AccountId) -> dict[str, bytes]:
    """Remarks that are clients' entries (RFC 5464 3.2), without what is noted here."""
    found = remarks.get(tx, account_id, folder_id, reader)
    return {name: value for name, value in found.items() if not name.startswith(OURS)}
