"""Box: a logon to a mailbox or to the public folders, and everything that hangs on it (MS-OXCSTOR).

    box = await store.write(objects.logon, account.id, reader.id, files=store.blobs)
    await store.write_once(work, box)      # def work(tx, box): with box.using(tx): ...

Objects change in memory with what they write, so a change is run once; where it fails, the objects that it
touched are opened anew.  A box lives as long as the logon, a transaction only as long as a call, so objects
reach it through their box.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from quintet.errors import Problem, Reason, TryLater
from quintet.mapi import types
from quintet.mapi.bag import Bag, Key
from quintet.mapi.errors import Code, MapiError, of_problem
from quintet.mapi.objects import numbers, places, receiving
from quintet.mapi.objects.named import Names
from quintet.mapi.types import Named, Tag
from quintet.store import access, accounts, boxes, folders
from quintet.store.blobs import Blobs
from quintet.store.boxes import Arrival
from quintet.store.db import Tx
from quintet.store.model import Account, AccountId, AccountKind, EntryId, FolderId
from quintet.store.model import Folder as FolderRow
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.mapi.objects.errands import Errand
    from quintet.mapi.objects.folder import Folder
    from quintet.mapi.objects.message import Message
    from quintet.mapi.objects.searching import Answer

PUBLIC_PROVIDER: Final = uuid.UUID("9073441a-66aa-cd11-9bc8-00aa002fc45a")  # of entry ids (MS-OXCDATA 2.2.4)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who is logged on."""

    id: AccountId
    name: str  # of the account
    display_name: str
    address: str  # the first of its own, "" for none


def reader_of(tx: Tx, account_id: AccountId) -> Reader:
    """Raises Refused(NO_SUCH_ACCOUNT)."""
    account = accounts.get(tx, account_id)
    own = [one.address for one in accounts.addresses(tx, account_id) if one.kind == "primary"]
    address = own[0] if own else account.name if "@" in account.name else ""
    return Reader(account.id, account.name, account.display_name or account.name, address)


def logon(tx: Tx, account_id: AccountId, reader_id: AccountId, *, files: Blobs) -> Box:
    """Opens a mailbox, or the public folders (the account of the newsgroups); makes folders that are missing.

    To be run in a transaction that may write.

    Raises:
        MapiError(UNKNOWN_USER | LOGIN_PERMISSION): there is no such account, or it is disabled.
        MapiError(ACCESS_DENIED): it is somebody else's, and nothing in it is shared with the reader.
    """
    with mapped():
        account, reader = accounts.get(tx, account_id), reader_of(tx, reader_id)
        if account.disabled:
            raise MapiError(Code.LOGIN_PERMISSION)
        public = account.kind == AccountKind.NEWS
        if not public and account_id != reader_id and not _is_shared(tx, account_id, reader_id):
            raise MapiError(Code.ACCESS_DENIED)
        special = places.complete(tx, account)
        if not public:
            receiving.prime(tx, account, special)
        return Box(account, reader, special, files=files, owner=reader_of(tx, account_id))


def _is_shared(tx: Tx, account_id: AccountId, reader_id: AccountId) -> bool:
    return any(
        folders.get(tx, folder_id).account_id == account_id for folder_id in access.shared_with(tx, reader_id)
    )


@contextlib.contextmanager
def mapped() -> Iterator[None]:
    """Problems of the store as `MapiError`s; put it around each call whose error is to be told apart."""
    try:
        yield
    except Problem as problem:
        raise of_problem(problem) from problem


class Box:
    """One logon.  ``special``: the folders by their roles (`places`)."""

    def __init__(
        self,
        account: Account,
        reader: Reader,
        special: Mapping[str, FolderId],
        *,
        files: Blobs,
        owner: Reader,
    ) -> None:
        self.account, self.reader, self.owner = account, reader, owner
        self.special = dict(special)
        self.files = files
        self.public = account.kind == AccountKind.NEWS
        self.is_owner = account.id == reader.id
        self.replica = uuid.UUID(bytes_le=account.guid)
        self.names = Names(account.id)
        self.searches: dict[int, Answer] = {}  # by folder; see `searching`
        self.errands: list[Errand] = []  # what is to be done after the transaction; see `errands`
        self.store_entry_id = b""  # PidTagStoreEntryId; said by who knows the server's name
        self.turn = 0  # counts transactions and changes: what was read before is read anew
        self._tx: Tx | None = None

    def twin(self) -> Box:
        """The same logon once more, for who works beside it in another thread."""
        made = Box(self.account, self.reader, self.special, files=self.files, owner=self.owner)
        made.store_entry_id = self.store_entry_id
        return made

    # --- the transaction ------------------------------------------------------------------------------

    @property
    def tx(self) -> Tx:
        assert self._tx is not None, "no transaction: with box.using(tx)"
        return self._tx

    @contextlib.contextmanager
    def using(self, tx: Tx) -> Iterator[Box]:
        """The transaction for the calls inside; problems come out as `MapiError`s."""
        outer, self._tx = self._tx, tx
        self.turn += 1
        try:
            with mapped():
                yield self
        finally:
            self._tx = outer

    def written(self) -> None:
        """The store was changed: what objects have read of it is read anew."""
        self.turn += 1

    def take_errands(self) -> list[Errand]:
        """What the calls of this transaction left to be done after it; each once."""
        found, self.errands = self.errands, []
        return found

    # --- objects ----------------------------------------------------------------------------------------

    def folder(self, number: int) -> Folder:
        """Opens a folder.  Raises MapiError(NOT_FOUND): gone, or not for the reader to see (R469, R470)."""
        from quintet.mapi.objects.folder import Folder

        return Folder.open(self, FolderId(number))

    def message(self, number: int, *, deleted: bool = False) -> Message:
        """Opens a message, wherever it is; ``deleted``: also one that can be had back.

        Raises MapiError(NOT_FOUND | ACCESS_DENIED).
        """
        from quintet.mapi.objects.message import Message

        return Message.open(self, EntryId(number), deleted=deleted)

    def logon_folders(self) -> list[int]:
        """The folders that RopLogon names, in its order; 0 for one that we do not have."""
        order = places.LOGON_PUBLIC if self.public else places.LOGON_PRIVATE
        return [self.special.get(role, 0) for role in order]

    @property
    def inbox(self) -> Folder:
        return self.folder(self.special["inbox"])

    @property
    def subtree(self) -> Folder:
        """The folder under which users see theirs."""
        return self.folder(self.special[places.SUBTREE])

    # --- named properties -------------------------------------------------------------------------------

    def key_of(self, tag: Tag) -> Key | None:
        """What a bag calls a property; None for a number that no name has."""
        try:
            return self.names.key(self.tx, tag)
        except MapiError:
            return None

    def named(self, number: int) -> Named | None:
        return self.names.named(self.tx, number)

    def tag_of(self, key: Key, *, create: bool = False) -> Tag | None:
        return self.names.tag(self.tx, key, create=create)

    def tags_of(self, bag: Bag) -> list[Tag]:
        """Tags of everything in a bag that has one."""
        return self.names.tags(self.tx, list(bag))

    def property_ids(self, wanted: Iterable[Named], *, create: bool = False) -> list[int]:
        """Numbers of names, 0 where there is none (RopGetPropertyIdsFromNames, R222).

        With ``create`` new ones are given, if the reader may (R532).  Raises MapiError(OUT_OF_MEMORY).
        """
        create = create and (self.is_owner or self.public)
        return [self.names.number(self.tx, one, create=create) for one in wanted]

    def property_names(self, ids: Iterable[int]) -> list[Named | None]:
        """Names of numbers, None where there is none (RopGetNamesFromPropertyIds)."""
        return [self.named(number) for number in ids]

    # --- where messages arrive --------------------------------------------------------------------------

    def receive_folder(self, klass: str) -> tuple[str, FolderId]:
        """RopGetReceiveFolder: the class that is configured, and the folder.  Raises as `receiving.find`."""
        return receiving.find(self, klass)

    def receive_folders(self) -> list[Arrival]:
        """RopGetReceiveFolderTable.  Raises as `receiving.table`."""
        return receiving.table(self)

    def set_receive_folder(self, klass: str, folder_id: int) -> None:
        """RopSetReceiveFolder; 0 deletes.  Raises as `receiving.change`."""
        receiving.change(self, klass, folder_id)

    # --- replicas ---------------------------------------------------------------------------------------

    def replica_guid(self, number: int) -> uuid.UUID:
        """The replica behind a short number (RopLongTermIdFromId).  Raises MapiError(NOT_FOUND) (R946)."""
        if number == numbers.OWN_REPLICA:
            return self.replica
        found = boxes.replica_guid(self.tx, self.account.id, number)
        if found is None:
            raise MapiError(Code.NOT_FOUND)
        return uuid.UUID(bytes_le=found)

    def replica_number(self, replica: uuid.UUID, *, create: bool = True) -> int:
        """The short number of a replica, a new one if need be (RopIdFromLongTermId).

        Raises:
            MapiError(INVALID_PARAMETER): no GUID (R94801).  MapiError(NOT_FOUND): none, and not ``create``.
            MapiError(PARAMETER_OVERFLOW): too many are known already (R1249).
        """
        if replica == self.replica:
            return numbers.OWN_REPLICA
        if not replica.int:
            raise MapiError(Code.INVALID_PARAMETER)
        try:
            found = boxes.replica_number(self.tx, self.account.id, replica.bytes_le, create=create)
        except TryLater as problem:
            if problem.reason is not Reason.NUMBERS_EXHAUSTED:
                raise
            raise MapiError(Code.PARAMETER_OVERFLOW) from problem
        if found is None:
            raise MapiError(Code.NOT_FOUND)
        return found

    # --- identifiers --------------------------------------------------------------------------------------

    @property
    def provider(self) -> uuid.UUID:
        """What entry ids of this store begin with (MS-OXCDATA 2.2.4.1)."""
        return PUBLIC_PROVIDER if self.public else self.replica

    def source_key(self, number: int) -> bytes:
        """PidTagSourceKey of a folder or message; with a change number PidTagChangeKey."""
        return numbers.key(self.replica, number)

    def folder_entry_id(self, folder_id: int) -> bytes:
        return numbers.folder_entry(self.provider, self.replica, folder_id, public=self.public)

    def message_entry_id(self, folder_id: int, number: int) -> bytes:
        return numbers.message_entry(self.provider, self.replica, folder_id, number, public=self.public)

    def parent_of(self, row: FolderRow) -> FolderId:
        """The folder in which one stands; the root in itself."""
        return places.parent_of(row, self.special)

    def rights_of(self, row: FolderRow) -> str:
        """The letters that the reader has in a folder (`store.access`).

        What every store has, so that there is a tree, everybody sees who may log on.
        """
        if self.is_owner:
            return access.ALL
        if row.role in places.FRAME:
            return "lr" if self.public else "l"
        return access.of_folder(self.tx, self.reader.id, row)

    def tree_version(self) -> Hashable:
        """Compares equal as long as no folder came, went or changed itself."""
        found: Hashable = folders.shape(self.tx, self.account.id)
        return found

    def now(self) -> int:
        """The transaction's time as a FILETIME."""
        return types.of_ms(self.tx.now)
