"""A folder as a maildrop: which one a login name means, its snapshot, its bodies, its update.

Message numbers are places in the snapshot (from 1); what other sessions do meanwhile changes nothing of
it, only a body may turn out to be gone.  RFC 1939 4 to 6.
"""

from __future__ import annotations

from array import array

from quintet.errors import Reason, Refused, TryLater
from quintet.pop3.locks import Locks
from quintet.store import access, accounts, entries, folders, groups, reading
from quintet.store.blobs import StoredBody
from quintet.store.db import Tx
from quintet.store.model import SEEN, AccountId, Folder, FolderId, FolderKind
from quintet.store.store import Store
from quintet.store.trace import Note
from quintet.values import dataclass

SEPARATOR = "+"  # between account and folder in a login name
AT_ONCE = 500  # messages whose snapshot is taken on the loop's own thread
AHEAD = 32  # messages whose bodies one query brings
AHEAD_BYTES = 128 * 1024  # bytes of them at most
GROUPS = "Groups/"
USERS = "Users/"
MAX_MESSAGES = 5_000_000  # 60 MB of snapshot


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that somebody may read as a maildrop."""

    folder: Folder
    account_id: AccountId  # of who reads
    may_delete: bool


def split_name(tx: Tx, name: str, default_domain: str = "") -> tuple[str, str]:
    """The account's name and the folder's in a login name; "" for the inbox.

    ``user+folder``, ``user+folder@domain`` and ``user@domain+folder`` mean the same; a name that is an
    account's as a whole is never split.
    """
    if SEPARATOR not in name:
        return name, ""
    for whole in (name, f"{name}@{default_domain}" if default_domain and "@" not in name else ""):
        if whole and accounts.find(tx, whole.lower()) is not None:
            return name, ""
    user, _, rest = name.partition(SEPARATOR)
    if "@" in user:
        return user, rest
    folder, at, domain = rest.rpartition("@")
    return (f"{user}@{domain}", folder) if at else (user, rest)


def find(tx: Tx, account_id: AccountId, name: str) -> Place:
    """The folder that the name after the separator means.

    A folder's path, also in other case; ``Groups/comp.lang.python`` is a newsgroup, ``Users/bob/Sent``
    somebody else's folder as far as it is shared.  Items (contacts...) are no maildrops.

    Raises:
        Refused(NO_SUCH_FOLDER): it is not there, or must not be seen.
    """
    folder = _find(tx, account_id, name)
    if folder is None or folder.kind == FolderKind.ITEM:
        raise Refused(Reason.NO_SUCH_FOLDER, name)
    rights = access.of_folder(tx, account_id, folder)
    if "r" not in rights:
        raise Refused(Reason.NO_SUCH_FOLDER, name)
    may_delete = folder.kind != FolderKind.GROUP and "t" in rights and "e" in rights
    return Place(folder, account_id, may_delete)


def _find(tx: Tx, account_id: AccountId, name: str) -> Folder | None:
    if not name:
        return folders.find(tx, account_id, "INBOX")
    if name[: len(GROUPS)].lower() == GROUPS.lower():
        return groups.find(tx, name[len(GROUPS) :]) or groups.find(tx, name[len(GROUPS) :].lower())
    if name[: len(USERS)].lower() == USERS.lower():
        owner, _, path = name[len(USERS) :].partition("/")
        account = accounts.find(tx, owner.lower())
        return _find(tx, account.id, path) if account is not None else None
    exact = folders.find(tx, account_id, name)
    if exact is not None:
        return exact
    folded = name.casefold()
    return next((each for each in folders.listing(tx, account_id) if each.name.casefold() == folded), None)


def snapshot(tx: Tx, folder_id: int, below: int) -> tuple[array[int], array[int]]:
    """UIDs and sizes of a folder, in the order of UIDs, below a UID."""
    uids, sizes = array("I"), array("Q")
    for uid, size in tx.rows(
        "SELECT uid, size FROM entry WHERE folder_id = ? AND uid < ? AND hidden = 0 ORDER BY uid LIMIT ?",
        folder_id, below, MAX_MESSAGES,
    ):  # fmt: skip
        uids.append(uid)
        sizes.append(size)
    return uids, sizes


class Maildrop:
    """What one session sees; made by `opened`, ended by `close`."""

    __slots__ = (
        "_last",
        "_locked",
        "_locks",
        "_ready",
        "_store",
        "deleted",
        "place",
        "retrieved",
        "sizes",
        "uids",
    )

    def __init__(self, store: Store, locks: Locks, place: Place) -> None:
        self._store, self._locks, self.place = store, locks, place
        self._locked = False
        self._last = 0  # message number whose body was asked for last
        self._ready: dict[int, StoredBody] = {}  # by UID; bodies that came with the last query
        self.uids: array[int] = array("I")
        self.sizes: array[int] = array("Q")
        self.deleted: set[int] = set()  # message numbers
        self.retrieved: set[int] = set()  # message numbers, until they are noted

    def lock(self) -> None:
        """Takes the lock, unless nothing can be deleted.  Raises TryLater(IN_USE)."""
        if self.place.may_delete:
            if not self._locks.take(self.place.folder.id):
                raise TryLater(Reason.IN_USE)
            self._locked = True

    @property
    def large(self) -> bool:
        """Its snapshot takes too long for the loop's thread."""
        return self.place.folder.messages > AT_ONCE

    def look(self) -> None:
        """Takes the snapshot at once."""
        folder = self.place.folder
        if folder.messages:
            self.uids, self.sizes = self._store.peek(snapshot, folder.id, folder.uid_next)

    async def look_long(self) -> None:
        """Takes the snapshot in a reader thread."""
        folder = self.place.folder
        self.uids, self.sizes = await self._store.read(snapshot, folder.id, folder.uid_next)

    def close(self) -> None:
        """Lets go of the lock; idempotent."""
        if self._locked:
            self._locked = False
            self._locks.free(self.place.folder.id)
        self._ready.clear()

    @property
    def count(self) -> int:
        """Messages not marked as deleted."""
        return len(self.uids) - len(self.deleted)

    @property
    def size(self) -> int:
        """Their bytes."""
        return sum(self.sizes) - sum(self.sizes[number - 1] for number in self.deleted)

    def check(self, number: int) -> None:
        """Raises Refused(NO_SUCH_MESSAGE): there is no such number, or it is marked as deleted."""
        if not 0 < number <= len(self.uids) or number in self.deleted:
            raise Refused(Reason.NO_SUCH_MESSAGE)

    def uid(self, number: int) -> str:
        """Its unique id (RFC 1939 7): the folder's UIDVALIDITY and the UID, the same for ever."""
        return f"{self.place.folder.uid_validity}.{self.uids[number - 1]}"

    def body(self, number: int) -> StoredBody:
        """A message's bytes; those that follow it are read along.

        Raises:
            Refused(NO_SUCH_MESSAGE): taken away by another session.
        """
        uid = self.uids[number - 1]
        found = self._ready.pop(uid, None)
        if found is None:
            ahead = AHEAD if number == self._last + 1 else 1  # one after the other: more of them will follow
            wanted: list[int] = []
            total = 0
            for at in range(number - 1, min(number - 1 + ahead, len(self.uids))):
                total += self.sizes[at]
                if wanted and total > AHEAD_BYTES:
                    break
                wanted.append(self.uids[at])
            refs = self._store.peek(entries.bodies, self.place.folder.id, wanted, AHEAD_BYTES)
            self._ready = {key: self._store.body(ref) for key, ref in refs.items()}
            found = self._ready.pop(uid, None)
            if found is None:
                raise Refused(Reason.NO_SUCH_MESSAGE, "vanished")
        self._last = number
        return found

    def reading(self, conn: str) -> tuple[Note, FolderId, list[int]] | None:
        """What `reading.entries` needs to note what was retrieved and not noted yet; None for nothing."""
        if not self.retrieved:
            return None
        note = reading.by(conn, self.place.account_id, "pop3")
        some = sorted(self.retrieved)[: reading.MOST]
        return note, self.place.folder.id, [self.uids[number - 1] for number in some]

    async def update(self, mark_seen: bool, conn: str) -> None:
        """The UPDATE state (RFC 1939 6): removes what is marked, in one transaction.

        Raises:
            TryLater, Refused: nothing was removed.
        """
        gone = [self.uids[number - 1] for number in sorted(self.deleted)]
        seen = (
            [self.uids[number - 1] for number in sorted(self.retrieved - self.deleted)] if mark_seen else []
        )
        if gone or seen:
            await self._store.write(_update, self.place, gone, seen, self.reading(conn))
            self.retrieved.clear()


def _update(
    tx: Tx, place: Place, gone: list[int], seen: list[int], read: tuple[Note, FolderId, list[int]] | None
) -> None:
    if read is not None:
        reading.entries(tx, *read)
    if seen:
        entries.set_flags(tx, place.folder.id, seen, "+", SEEN, (), reader=place.account_id)
    if gone:
        entries.expunge(tx, place.folder.id, gone)
