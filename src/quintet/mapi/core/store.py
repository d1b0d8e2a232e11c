"""IMsgStore: an open message store."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, ClassVar

from quintet.mapi import consts, pr
from quintet.mapi.bag import Bag, Key
from quintet.mapi.core import folder as folders
from quintet.mapi.core import manage, notify, spool, structs
from quintet.mapi.core.errors import fail
from quintet.mapi.core.message import IMessage
from quintet.mapi.core.props import IMAPIProp
from quintet.mapi.core.searchwatch import SearchWatch
from quintet.mapi.core.table import IMAPITable, of_bags
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers.base import Can, EntryId, Event, Kind, MessageStore, Special, Thing, Transport

if TYPE_CHECKING:
    from quintet.mapi.core.session import IMAPISession

# What a flag of `Can` is among the bits of PR_STORE_SUPPORT_MASK
_MASK = {
    Can.SAVE: consts.STORE_MODIFY_OK | consts.STORE_CREATE_OK | consts.STORE_ATTACH_OK,
    Can.SEARCH_FOLDERS: consts.STORE_SEARCH_OK | consts.STORE_RESTRICTION_OK,
    Can.NOTIFY: consts.STORE_NOTIFY_OK,
    Can.SUBMIT: consts.STORE_SUBMIT_OK,
    Can.ITEMS: consts.STORE_MV_PROPS_OK | consts.STORE_OLE_OK | consts.STORE_RTF_OK,
}
_ALWAYS = (
    consts.STORE_ENTRYID_UNIQUE | consts.STORE_SORT_OK | consts.STORE_CATEGORIZE_OK | consts.STORE_UNICODE_OK
    | consts.STORE_HTML_OK
)  # fmt: skip
_IPM = {  # where a store says its special folders are (MS-OXOSFLD 2.2.3)
    Special.OUTBOX: pr.IPM_OUTBOX_ENTRYID,
    Special.SENT: pr.IPM_SENTMAIL_ENTRYID,
    Special.DELETED: pr.IPM_WASTEBASKET_ENTRYID,
    Special.FINDER: pr.FINDER_ENTRYID,
    Special.VIEWS: pr.COMMON_VIEWS_ENTRYID,
    Special.PUBLIC: pr.IPM_PUBLIC_FOLDERS_ENTRYID,
}
_VALID = {  # bits of PR_VALID_FOLDER_MASK
    Special.INBOX: consts.FOLDER_IPM_INBOX_VALID,
    Special.OUTBOX: consts.FOLDER_IPM_OUTBOX_VALID,
    Special.SENT: consts.FOLDER_IPM_SENTMAIL_VALID,
    Special.DELETED: consts.FOLDER_IPM_WASTEBASKET_VALID,
    Special.FINDER: consts.FOLDER_FINDER_VALID,
    Special.VIEWS: consts.FOLDER_COMMON_VIEWS_VALID,
}
_INBOX = {  # where the inbox and the root say theirs are (MS-OXOSFLD 2.2.3)
    Special.CALENDAR: pr.IPM_APPOINTMENT_ENTRYID,
    Special.CONTACTS: pr.IPM_CONTACT_ENTRYID,
    Special.JOURNAL: pr.IPM_JOURNAL_ENTRYID,
    Special.NOTES: pr.IPM_NOTE_ENTRYID,
    Special.TASKS: pr.IPM_TASK_ENTRYID,
    Special.REMINDERS: pr.REM_ONLINE_ENTRYID,
    Special.DRAFTS: pr.IPM_DRAFTS_ENTRYID,
}
SEARCHED = ("", "IPM", "REPORT")
_ROOTS = (pr.CONTAINER_HIERARCHY, pr.CONTAINER_CONTENTS, pr.FOLDER_ASSOCIATED_CONTENTS)


class IMsgStore(IMAPIProp):
    """An open store; everything that is opened through it shares its hub and the session's lock.

    ``more``: further interfaces by their ids, and what makes them.
    """

    more: ClassVar[dict[bytes, Callable[[IMsgStore], Any]]] = {}

    iids: ClassVar[tuple[str, ...]] = ("IID_IMsgStore",)
    computed = frozenset((
        pr.ENTRYID, pr.RECORD_KEY, pr.STORE_ENTRYID, pr.STORE_RECORD_KEY, pr.OBJECT_TYPE, pr.MDB_PROVIDER,
        pr.STORE_SUPPORT_MASK, pr.MAPPING_SIGNATURE, pr.VALID_FOLDER_MASK, pr.IPM_SUBTREE_ENTRYID,
        *_IPM.values(), pr.DEFAULT_STORE, pr.RESOURCE_TYPE, pr.ACCESS_LEVEL,
    ))  # fmt: skip

    def __init__(
        self, session: IMAPISession | None, source: MessageStore, lock: threading.RLock, *, writable: bool
    ) -> None:
        super().__init__(lock, writable=writable)
        self.session, self.source = session, source
        self.hub = notify.Hub(source) if session is None else session.hub(source)
        self._connections: set[int] = set()
        self._searches: dict[int, SearchWatch] = {}
        self.fixed: Bag = {
            pr.STORE_ENTRYID: source.entry_id,
            pr.STORE_RECORD_KEY: source.uid,
            pr.MAPPING_SIGNATURE: source.uid,
            pr.STORE_SUPPORT_MASK: support_mask(source),
            pr.MDB_PROVIDER: provider_uid(source),
        }

    def _bag(self) -> Bag:
        special = self.source.special()
        bag = {**self.source.props(), **self.fixed}
        bag |= {
            pr.ENTRYID: self.source.entry_id,
            pr.RECORD_KEY: self.source.uid,
            pr.OBJECT_TYPE: consts.MAPI_STORE,
            pr.ACCESS_LEVEL: int(self._writable and Can.SAVE in self.source.can),
            pr.DEFAULT_STORE: self.session is not None and self.session.sources()[0][1] is self.source,
            pr.IPM_SUBTREE_ENTRYID: self.source.top,
            pr.VALID_FOLDER_MASK: consts.FOLDER_IPM_SUBTREE_VALID
            | sum([bit for one, bit in _VALID.items() if one in special]),
        }
        bag |= {tag: special[one] for one, tag in _IPM.items() if one in special}
        if Special.OUTBOX not in special and self.transports():
            bag[pr.IPM_OUTBOX_ENTRYID] = special.get(Special.DRAFTS) or special.get(Special.INBOX)
        bag.setdefault(pr.DISPLAY_NAME, self.source.name)
        return bag

    def transports(self) -> list[Transport]:
        """What takes letters of this store, of whatever service of the session."""
        if self.session is None:
            return []
        return self.session.transports(self.session.service_of(self.source))

    def _take(self, changes: Bag, gone: Collection[Key]) -> None:
        self.source.update(self.source.entry_id, changes, gone)

    def QueryInterface(self, iid: bytes | None) -> Any:
        """The store itself; for IID_IExchangeManageStore what opens others' mailboxes."""
        if iid == consts.IID_IExchangeManageStore:
            return manage.IExchangeManageStore(self)
        if iid in self.more:
            return self.more[iid](self)
        return super().QueryInterface(iid)

    # --- opening

    def OpenEntry(self, entry: bytes | None, iid: bytes | None = None, flags: int = 0) -> Any:
        """A folder or a message; None: the root folder.  SHOW_SOFT_DELETES opens what was deleted, too.

        For reading only, unless MAPI_MODIFY or MAPI_BEST_ACCESS is given.
        Raises MAPIErrorNotFound; MAPIErrorInvalidEntryid: of another store; MAPIErrorInterfaceNotSupported:
        it is something else than ``iid`` says.
        """
        source = self.source
        entry = entry or source.root
        if entry == source.entry_id:
            return self
        if entry[4:20] != source.uid:
            raise fail("MAPI_E_INVALID_ENTRYID", "an entry id of another store")
        writable = self._writable and bool(flags & (consts.MAPI_MODIFY | consts.MAPI_BEST_ACCESS))
        deleted = bool(flags & consts.SHOW_SOFT_DELETES)
        if iid == consts.IID_IMessage and entry not in (
            source.root,
            source.top,
        ):  # opens it without a look first
            return self._message(entry, writable=writable, deleted=deleted)
        found: Any
        try:
            found = Folder(self, entry, writable=writable)
        except MapiError as error:
            if error.code != Code.NOT_FOUND:
                raise
            found = self._message(entry, writable=writable, deleted=deleted)
        return found.QueryInterface(iid)

    def _message(self, entry: EntryId, *, writable: bool, deleted: bool = False) -> IMessage:
        item = self.source.load(entry)
        if pr.DELETED_ON in item.props and not deleted:
            raise fail("MAPI_E_NOT_FOUND", "it was deleted")
        writable = writable and Can.SAVE in self.source.can
        folder = item.props.get(pr.PARENT_ENTRYID) or b""
        return IMessage(self, folder, entry, item, self._lock, writable=writable)

    def CompareEntryIDs(self, first: bytes, second: bytes, flags: int = 0) -> bool:
        return first == second

    # --- folders for what comes

    def GetReceiveFolder(self, message_class: str | bytes | None = "", flags: int = 0) -> tuple[EntryId, str]:
        """Where new messages of a class go, and the class that this was said for."""
        return self.source.receive_folder(_class(message_class))

    def SetReceiveFolder(
        self, message_class: str | bytes | None, flags: int = 0, entry: EntryId | None = None
    ) -> None:
        """``entry`` None: as for the class above it.  Raises MAPIErrorNoSupport."""
        self.source.set_receive_folder(_class(message_class), entry)

    def GetReceiveFolderTable(self, flags: int = 0) -> IMAPITable:
        """Classes and where they go, as far as one asks for the usual ones."""
        bags: dict[bytes, Bag] = {}
        for each in SEARCHED:
            entry, found = self.source.receive_folder(each)
            bags[found.encode()] = {pr.MESSAGE_CLASS: found, pr.ENTRYID: entry, pr.RECORD_KEY: entry}
        wide = bool(flags & consts.MAPI_UNICODE)
        return of_bags(bags, (pr.MESSAGE_CLASS, pr.ENTRYID, pr.RECORD_KEY), self._lock, wide=wide)

    def OpenProperty(self, tag: int, iid: bytes | None = None, options: int = 0, flags: int = 0) -> Any:
        """PR_RECEIVE_FOLDER_SETTINGS and what a root folder has open tables; anything else a stream."""
        if tag == pr.RECEIVE_FOLDER_SETTINGS and iid == consts.IID_IMAPITable:
            return self.GetReceiveFolderTable(options)
        if tag in _ROOTS:
            return self.OpenEntry(None, None, flags).OpenProperty(tag, iid, options, flags)
        return super().OpenProperty(tag, iid, options, flags)

    # --- sending

    def AbortSubmit(self, entry: EntryId, flags: int = 0) -> None:
        """Takes a message back that was not sent yet.  Raises MAPIErrorNotInQueue."""
        spool.abort(self, entry)

    def GetOutgoingQueue(self, flags: int = 0) -> IMAPITable:
        """What waits to be sent."""
        outbox = self.source.special().get(Special.OUTBOX)
        if outbox is None:
            raise fail("MAPI_E_NO_SUPPORT")
        return folders.queue_table(self, outbox)

    def StoreLogoff(self, flags: int = 0) -> int:
        """Ends notifications of this object; the session keeps the store."""
        while self._connections:
            self.hub.forget(self._connections.pop())
        return int(consts.LOGOFF_COMPLETE)

    def SetLockState(self, message: IMessage, state: int) -> None:
        """Only a spooler locks messages, and ours works while SubmitMessage runs.  Raises
        MAPIErrorNoSupport.
        """
        raise fail("MAPI_E_NO_SUPPORT")

    def FinishedMsg(self, flags: int, entry: EntryId) -> None:
        """As SetLockState: Raises MAPIErrorNoSupport."""
        raise fail("MAPI_E_NO_SUPPORT")

    def NotifyNewMail(self, notification: structs.NEWMAIL_NOTIFICATION) -> None:
        """Tells those who asked that a message came.  Raises MAPIErrorInvalidParameter: which one it does not
        say.
        """
        told = notification
        if not told.lpEntryID or not told.lpParentID:
            raise fail("MAPI_E_INVALID_PARAMETER", "a notification without a message and its folder")
        kind = str(told.lpszMessageClass or "")
        self.hub.tell(
            Event(Kind.NEW_MAIL, Thing.MESSAGE, told.lpEntryID, told.lpParentID, message_class=kind)
        )

    # --- news

    def Advise(self, entry: EntryId | None, mask: int, sink: notify.IMAPIAdviseSink) -> int:
        """Tells ``sink`` what happens to an object and right in it; None: anywhere in the store."""
        number = self.hub.advise(entry if entry != self.source.entry_id else None, mask, sink)
        self._connections.add(number)
        search = self.searched(entry, lambda event: notify.tell(sink, mask, event))
        if search is not None:
            self._searches[number] = search
        return number

    def searched(self, entry: EntryId | None, tell: Callable[[Event], object]) -> SearchWatch | None:
        """Has somebody told of what a search folder shows; None: it is none, and its store tells of it."""
        if entry is None or not self._is_search(entry):
            return None
        table = Folder(self, entry, writable=False).GetContentsTable(consts.MAPI_UNICODE)
        return SearchWatch(table, entry, tell)

    def _is_search(self, entry: EntryId) -> bool:
        if Can.SEARCH_FOLDERS not in self.source.can or entry == self.source.entry_id:
            return False
        try:
            return bool(self.source.folder(entry).get(pr.FOLDER_TYPE) == folders.SEARCH)
        except MapiError:  # a message, or nothing any more
            return False

    def Unadvise(self, connection: int) -> None:
        search = self._searches.pop(connection, None)
        if search is not None:
            search.end()
        self._connections.discard(connection)
        self.hub.forget(connection)


def _class(given: str | bytes | None) -> str:
    return given.decode("utf-8", "replace") if isinstance(given, bytes) else given or ""


class Folder(folders.IMAPIFolder):
    """A folder; the inbox and the root say where the others are."""

    def _bag(self) -> Bag:
        bag = super()._bag()
        special = self.store.source.special()
        if self.entry in (self.store.source.root, special.get(Special.INBOX)):
            bag |= {tag: special[one] for one, tag in _INBOX.items() if one in special}
        return bag


def support_mask(source: MessageStore) -> int:
    """PR_STORE_SUPPORT_MASK."""
    mask: int = _ALWAYS
    for flag, bits in _MASK.items():
        if flag in source.can:
            mask |= bits
    return mask if Can.SAVE in source.can else mask | consts.STORE_READONLY


def provider_uid(source: MessageStore) -> bytes:
    """PR_MDB_PROVIDER: of the kind of store, the same for all stores of a kind."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"quintet.mapi.{type(source).__name__}").bytes_le
