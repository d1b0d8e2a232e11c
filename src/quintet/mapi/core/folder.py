"""IMAPIFolder: a folder; what is done to it is done at once."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from quintet.mapi import consts, pr
from quintet.mapi.bag import Bag, Item, Key
from quintet.mapi.core import ics, icsimport, message, modify, structs, values
from quintet.mapi.core.container import IMAPIContainer
from quintet.mapi.core.errors import fail
from quintet.mapi.core.message import IMessage
from quintet.mapi.core.props import IMAPIProp
from quintet.mapi.core.table import IMAPITable, of_bags
from quintet.mapi.providers import derive, listing
from quintet.mapi.providers.base import Can, Criteria, EntryId, Kind, MessageStore, Thing, View, Which
from quintet.mapi.restrict import And

if TYPE_CHECKING:
    from quintet.mapi.core.store import IMsgStore

CONTENT_COLUMNS = (
    pr.ENTRYID, pr.INSTANCE_KEY, pr.MESSAGE_CLASS, pr.SUBJECT, pr.SENDER_NAME, pr.SENT_REPRESENTING_NAME,
    pr.DISPLAY_TO, pr.DISPLAY_CC, pr.DISPLAY_BCC, pr.MESSAGE_FLAGS, pr.MESSAGE_SIZE, pr.HASATTACH,
    pr.MESSAGE_DELIVERY_TIME, pr.CLIENT_SUBMIT_TIME, pr.LAST_MODIFICATION_TIME, pr.IMPORTANCE, pr.SENSITIVITY,
    pr.NORMALIZED_SUBJECT, pr.PARENT_ENTRYID, pr.RECORD_KEY, pr.SEARCH_KEY, pr.OBJECT_TYPE,
)  # fmt: skip
FOLDER_COLUMNS = (
    pr.ENTRYID, pr.INSTANCE_KEY, pr.DISPLAY_NAME, pr.DEPTH, pr.SUBFOLDERS, pr.CONTENT_COUNT,
    pr.CONTENT_UNREAD, pr.CONTAINER_CLASS, pr.FOLDER_TYPE, pr.COMMENT, pr.PARENT_ENTRYID, pr.RECORD_KEY,
    pr.OBJECT_TYPE,
)  # fmt: skip
_ACCESS = {
    Can.SAVE: consts.MAPI_ACCESS_MODIFY | consts.MAPI_ACCESS_DELETE | consts.MAPI_ACCESS_CREATE_CONTENTS,
    Can.FOLDERS: consts.MAPI_ACCESS_CREATE_HIERARCHY,
    Can.ASSOCIATED: consts.MAPI_ACCESS_CREATE_ASSOCIATED,
}
MAX_DEPTH = 1000  # folders below folders: a damaged tree ends here
SEARCH = 2  # PidTagFolderType


class IMAPIFolder(IMAPIContainer):
    """An open folder."""

    iids: ClassVar[tuple[str, ...]] = ("IID_IMAPIFolder",)
    computed = frozenset((
        pr.ENTRYID, pr.PARENT_ENTRYID, pr.RECORD_KEY, pr.STORE_ENTRYID, pr.STORE_RECORD_KEY, pr.CONTENT_COUNT,
        pr.CONTENT_UNREAD, pr.ASSOC_CONTENT_COUNT, pr.SUBFOLDERS, pr.FOLDER_TYPE, pr.OBJECT_TYPE, pr.ACCESS,
        pr.ACCESS_LEVEL, pr.INSTANCE_KEY, pr.MAPPING_SIGNATURE, pr.STORE_SUPPORT_MASK, pr.MDB_PROVIDER,
        pr.SOURCE_KEY, pr.PARENT_SOURCE_KEY, pr.MESSAGE_SIZE,
    ))  # fmt: skip

    def __init__(self, store: IMsgStore, entry: EntryId, *, writable: bool) -> None:
        super().__init__(store._lock, writable=writable)
        self.store, self.entry = store, entry
        store.source.folder(entry)  # says at once that there is none

    def _bag(self) -> Bag:
        level: Bag = {pr.ACCESS: self._access(), pr.ACCESS_LEVEL: int(self._writable)}
        return {**level, **self.store.source.folder(self.entry), **self.store.fixed}

    def _access(self) -> int:
        """As far as the system's abilities tell; one with rights tells more."""
        found: int = consts.MAPI_ACCESS_READ
        for flag, bits in _ACCESS.items() if self._writable else ():
            found |= bits if flag in self.store.source.can else 0
        return found

    def _take(self, changes: Bag, gone: Collection[Key]) -> None:
        self.store.source.update(self.entry, changes, gone)
        self.store.hub.did(Kind.MODIFIED, Thing.FOLDER, self.entry)

    # --- tables

    def GetContentsTable(self, flags: int = 0) -> IMAPITable:
        """Messages; the hidden ones with MAPI_ASSOCIATED, those that were deleted with SHOW_SOFT_DELETES."""
        view = View.NORMAL
        if flags & consts.MAPI_ASSOCIATED:
            view = View.ASSOCIATED
        elif flags & consts.SHOW_SOFT_DELETES:
            view = View.DELETED
        store = self.store
        about = b"" if self._bag().get(pr.FOLDER_TYPE) == SEARCH else self.entry
        return IMAPITable(
            store.source.messages(self.entry, view),
            CONTENT_COLUMNS,
            lock=self._lock,
            wide=bool(flags & consts.MAPI_UNICODE),
            fixed=store.fixed,
            hub=store.hub,
            about=about,
            of=Thing.MESSAGE,
            load=store.source.load,
            search=functools.partial(store.source.search, self.entry) if view is View.NORMAL else None,
        )

    def GetHierarchyTable(self, flags: int = 0) -> IMAPITable:
        """Folders right below; with CONVENIENT_DEPTH all below, each with its PR_DEPTH from 1 on."""
        deep = bool(flags & consts.CONVENIENT_DEPTH)
        return IMAPITable(
            _Folders(self.store, self.entry, deep=deep),
            FOLDER_COLUMNS,
            lock=self._lock,
            wide=bool(flags & consts.MAPI_UNICODE),
            fixed=self.store.fixed,
            hub=self.store.hub,
            about=b"" if deep else self.entry,
            of=Thing.FOLDER,
        )

    def OpenEntry(self, entry: bytes | None, iid: bytes | None = None, flags: int = 0) -> Any:
        """A message or a folder of the same store; None: this folder."""
        return self.store.OpenEntry(entry or self.entry, iid, flags)

    # --- messages

    def CreateMessage(self, iid: bytes | None = None, flags: int = 0) -> IMessage:
        """A new message, not yet saved; a hidden one with MAPI_ASSOCIATED.

        Where a system keeps nothing but letters can be sent it is one to be sent.  Raises MAPIErrorNoAccess.
        """
        keeps = Can.SAVE in self.store.source.can
        if not self._writable or not (keeps or self.store.transports()):
            raise fail("MAPI_E_NO_ACCESS")
        view = View.ASSOCIATED if flags & consts.MAPI_ASSOCIATED else View.NORMAL
        item = message.draft()
        return IMessage(self.store, self.entry, None, item, self._lock, writable=True, view=view)

    def CopyMessages(
        self,
        messages: Sequence[EntryId],
        iid: bytes | None,
        target: IMAPIFolder,
        ui: int = 0,
        progress: object = None,
        flags: int = 0,
    ) -> None:
        """Copies into ``target``, or moves (MESSAGE_MOVE); also into another store.

        Raises MAPIErrorNotFound: some were not there; the others are done.
        """
        move = bool(flags & consts.MESSAGE_MOVE)
        if target.store is self.store:
            source = self.store.source
            done = source.move(messages, target.entry) if move else source.copy(messages, target.entry)
            self._tell_moved(messages, done, target, move=move)
        else:
            done = [carried(self.store.source, one, target.store.source, target.entry) for one in messages]
            if move:
                self.store.source.delete([one for one, new in zip(messages, done, strict=True) if new])
        if b"" in done:
            raise fail("MAPI_E_NOT_FOUND", "some messages were not there")

    def _tell_moved(
        self, messages: Sequence[EntryId], done: Sequence[EntryId], target: IMAPIFolder, *, move: bool
    ) -> None:
        for old, new in zip(messages, done, strict=True):
            if new:
                self.store.hub.did(Kind.CREATED, Thing.MESSAGE, new, target.entry)
            if new and move:
                self.store.hub.did(Kind.DELETED, Thing.MESSAGE, old, self.entry)

    def DeleteMessages(
        self, messages: Sequence[EntryId], ui: int = 0, progress: object = None, flags: int = 0
    ) -> None:
        """Deletes; for ever with DELETE_HARD_DELETE."""
        hard = bool(flags & consts.DELETE_HARD_DELETE)
        self.store.source.delete(list(messages), hard=hard)
        for one in messages:
            self.store.hub.did(Kind.DELETED, Thing.MESSAGE, one, self.entry)

    def SetReadFlags(
        self, messages: Sequence[EntryId] | None, ui: int = 0, progress: object = None, flags: int = 0
    ) -> None:
        """Marks as read, or (CLEAR_READ_FLAG) unread; None: all in the folder.

        Receipts are sent as by IMessage.SetReadFlag, with SUPPRESS_RECEIPT none, with GENERATE_RECEIPT_ONLY
        nothing else is done.
        """
        source, read = self.store.source, not flags & consts.CLEAR_READ_FLAG
        chosen = list(source.messages(self.entry).ids() if messages is None else messages)
        if read and not flags & consts.SUPPRESS_RECEIPT:
            self._answer(chosen, flags)
        if flags & consts.GENERATE_RECEIPT_ONLY:
            return
        source.mark_read(chosen, read)
        for one in chosen:
            self.store.hub.did(Kind.MODIFIED, Thing.MESSAGE, one, self.entry)

    def _answer(self, messages: Sequence[EntryId], flags: int) -> None:
        """Sends the receipts that senders of these messages asked for."""
        from quintet.mapi.core import spool  # it knows messages

        if self.store.session is None:
            return
        source = self.store.source
        found = source.messages(self.entry).values(messages, [pr.READ_RECEIPT_REQUESTED])
        for one, (asked,) in zip(messages, found, strict=True):
            if asked:
                spool.answer(self.store, one, source.load(one), flags)

    def GetMessageStatus(self, entry: EntryId, flags: int = 0) -> int:
        """Its PR_MSG_STATUS.  Raises MAPIErrorNotFound."""
        return int(self.store.source.load(entry).props.get(pr.MSG_STATUS) or 0)

    def SetMessageStatus(self, entry: EntryId, status: int, mask: int) -> int:
        """Changes the bits of ``mask``; gives the status before."""
        old = self.GetMessageStatus(entry, 0)
        self.store.source.update(entry, {pr.MSG_STATUS: old & ~mask | status & mask})
        return old

    # --- folders

    def CreateFolder(
        self,
        kind: int,
        name: str | bytes,
        comment: str | bytes | None = "",
        iid: bytes | None = None,
        flags: int = 0,
    ) -> IMAPIFolder:
        """``kind``: FOLDER_GENERIC or FOLDER_SEARCH.  OPEN_IF_EXISTS opens one that is there.

        Raises MAPIErrorCollision, MAPIErrorInvalidParameter.
        """
        source = self.store.source
        name = _text(name)
        if kind not in (consts.FOLDER_GENERIC, SEARCH) or not name:
            raise fail("MAPI_E_INVALID_PARAMETER", "a folder has a kind and a name")
        if flags & consts.OPEN_IF_EXISTS:
            found = listing.named(source.folders(self.entry), name)
            if found is not None:
                return IMAPIFolder(self.store, found, writable=True)
        props: Bag = {pr.DISPLAY_NAME: name, pr.FOLDER_TYPE: kind}
        if comment:
            props[pr.COMMENT] = _text(comment)
        entry = source.make_folder(self.entry, props)
        self.store.hub.did(Kind.CREATED, Thing.FOLDER, entry, self.entry)
        return IMAPIFolder(self.store, entry, writable=True)

    def CopyFolder(
        self,
        entry: EntryId,
        iid: bytes | None,
        target: IMAPIFolder,
        name: str | bytes | None = None,
        ui: int = 0,
        progress: object = None,
        flags: int = 0,
    ) -> None:
        """Moves a folder (FOLDER_MOVE), or copies it; what is below goes too with COPY_SUBFOLDERS.

        Raises MAPIErrorCollision, MAPIErrorFolderCycle.
        """
        name = _text(name) if name else None
        if flags & consts.FOLDER_MOVE and target.store is self.store:
            new = self.store.source.move_folder(entry, target.entry, name or None)
            self.store.hub.did(Kind.MOVED, Thing.FOLDER, new, target.entry)
            return
        if self.store is target.store and target.entry in [entry, *below(self.store, entry)]:
            raise fail("MAPI_E_FOLDER_CYCLE")
        source = IMAPIFolder(self.store, entry, writable=False)
        bag = source._bag()
        made = target.CreateFolder(
            consts.FOLDER_GENERIC, name or bag[pr.DISPLAY_NAME], bag.get(pr.COMMENT) or "", None, 0
        )
        source._fill(made, deep=bool(flags & (consts.COPY_SUBFOLDERS | consts.FOLDER_MOVE)))
        if flags & consts.FOLDER_MOVE:
            self.store.source.delete_folder(entry)

    def _fill(self, target: IMAPIFolder, *, deep: bool) -> None:
        bag = {key: value for key, value in self._bag().items() if key not in self.computed}
        bag.pop(pr.DISPLAY_NAME, None)
        target.store.source.update(target.entry, bag)
        messages = list(self.store.source.messages(self.entry).ids())
        if messages:
            self.CopyMessages(messages, None, target)
        for one in self.store.source.folders(self.entry).ids() if deep else ():
            self.CopyFolder(one, None, target, None, 0, None, consts.COPY_SUBFOLDERS)

    def DeleteFolder(self, entry: EntryId, ui: int = 0, progress: object = None, flags: int = 0) -> None:
        """Raises MAPIErrorHasFolders, MAPIErrorHasMessages: without DEL_FOLDERS, DEL_MESSAGES."""
        source = self.store.source
        if not flags & consts.DEL_FOLDERS and source.folders(entry).ids():
            raise fail("MAPI_E_HAS_FOLDERS")
        search = source.folder(entry).get(pr.FOLDER_TYPE) == SEARCH
        if not flags & consts.DEL_MESSAGES and not search and source.messages(entry).ids():
            raise fail("MAPI_E_HAS_MESSAGES")
        source.delete_folder(entry)
        self.store.hub.did(Kind.DELETED, Thing.FOLDER, entry, self.entry)

    def EmptyFolder(self, ui: int = 0, progress: object = None, flags: int = 0) -> None:
        """Deletes all that is in it and below; hidden messages too with DEL_ASSOCIATED."""
        source = self.store.source
        hard = bool(flags & consts.DELETE_HARD_DELETE)
        views = [View.NORMAL]
        if flags & consts.DEL_ASSOCIATED and Can.ASSOCIATED in source.can:
            views.append(View.ASSOCIATED)
        for view in views:
            source.delete(list(source.messages(self.entry, view).ids()), hard=hard)
        for one in list(source.folders(self.entry).ids()):
            source.delete_folder(one)
        self.store.hub.did(Kind.MODIFIED, Thing.FOLDER, self.entry)

    def SaveContentsSort(self, order: structs.SSortOrderSet, flags: int = 0) -> None:
        """Not kept: each program sorts as it likes.  Raises MAPIErrorNoSupport."""
        raise fail("MAPI_E_NO_SUPPORT")

    # --- search folders

    def SetSearchCriteria(
        self, restriction: structs.SRestriction | None, folders: list[bytes] | None, flags: int = 0
    ) -> None:
        """What the folder shows from now on; None keeps what was said before.

        RECURSIVE_SEARCH looks below, STOP_SEARCH lets it rest.  Raises MAPIErrorNoSupport: no search folder.
        """
        source = self.store.source
        old: Criteria | None = None
        if restriction is None or folders is None:
            old = source.criteria(self.entry)
        criteria = Criteria(
            values.restriction(restriction)
            if restriction is not None
            else old.restriction
            if old
            else And(()),
            tuple(folders) if folders is not None else old.folders if old else (),
            recursive=bool(flags & consts.RECURSIVE_SEARCH),
            running=not flags & consts.STOP_SEARCH,
        )
        source.set_criteria(self.entry, criteria)
        self.store.hub.did(Kind.SEARCH_COMPLETE, Thing.FOLDER, self.entry)

    def GetSearchCriteria(self, flags: int = 0) -> tuple[structs.SRestriction, list[bytes], int]:
        """Restriction, folders, state (SEARCH_RUNNING, SEARCH_RECURSIVE).  Raises MAPIErrorNotInitialized."""
        found = self.store.source.criteria(self.entry)
        state = (consts.SEARCH_RUNNING if found.running else 0) | (
            consts.SEARCH_RECURSIVE if found.recursive else 0
        )
        return values.shown_restriction(found.restriction), list(found.folders), state

    # --- what opens behind properties

    def OpenProperty(self, tag: int, iid: bytes | None = None, options: int = 0, flags: int = 0) -> Any:
        """Rights, rules, synchronization: PR_ACL_TABLE, PR_RULES_TABLE, PR_CONTENTS_SYNCHRONIZER,
        PR_COLLECTOR.
        """
        if tag == pr.FOLDER_ASSOCIATED_CONTENTS:
            return self.GetContentsTable(options | consts.MAPI_ASSOCIATED)
        if iid == consts.IID_IMAPITable and tag == pr.CONTAINER_CONTENTS:
            return self.GetContentsTable(options)
        if iid == consts.IID_IMAPITable and tag == pr.CONTAINER_HIERARCHY:
            return self.GetHierarchyTable(options)
        if iid == consts.IID_IExchangeModifyTable:
            which = {pr.ACL_TABLE: Which.RIGHTS, pr.RULES_TABLE: Which.RULES}.get(tag)
            if which is None:
                raise fail("MAPI_E_NOT_FOUND")
            return modify.IExchangeModifyTable(self.store, self.entry, which)
        if iid == consts.IID_IExchangeExportChanges:
            return ics.exporter(self.store, self.entry, hierarchy=tag == pr.HIERARCHY_SYNCHRONIZER)
        if iid == consts.IID_IExchangeImportContentsChanges:
            return icsimport.ImportContentsChanges(self.store, self.entry)
        if iid == consts.IID_IExchangeImportHierarchyChanges:
            return icsimport.ImportHierarchyChanges(self.store, self.entry)
        return super().OpenProperty(tag, iid, options, flags)

    def _copy_parts(self, without: Collection[int], target: IMAPIProp, flags: int) -> None:
        if not isinstance(target, IMAPIFolder):
            return
        if pr.CONTAINER_CONTENTS >> 16 not in without:
            messages = list(self.store.source.messages(self.entry).ids())
            if messages:
                self.CopyMessages(messages, None, target, 0, None, flags & consts.MESSAGE_MOVE)
        if pr.CONTAINER_HIERARCHY >> 16 not in without:
            for one in self.store.source.folders(self.entry).ids():
                self.CopyFolder(one, None, target, None, 0, None, consts.COPY_SUBFOLDERS)


def _text(given: str | bytes) -> str:
    """A name as programs give it, in either width."""
    return given.decode("utf-8", "replace") if isinstance(given, bytes) else given


def carried(source: MessageStore, entry: EntryId, target: MessageStore, folder: EntryId) -> EntryId:
    """A copy of a message in a folder of another store; what came as MIME stays the same bytes."""
    item, letter = source.load(entry), source.mime(entry)
    item.props = {
        key: value for key, value in item.props.items() if key not in IMessage.computed or key == pr.HASATTACH
    }
    if letter is None:
        return target.save(folder, item)
    return target.add(folder, item, letter if isinstance(letter, bytes) else letter.read(0, letter.size))


class _Folders:
    """Folders right below one, or all below it, with PR_DEPTH."""

    def __init__(self, store: IMsgStore, entry: EntryId, *, deep: bool) -> None:
        self._store, self._entry, self._deep = store, entry, deep
        self._depths: dict[EntryId, int] = {}

    def ids(self) -> Sequence[EntryId]:
        if not self._deep:
            found = list(self._store.source.folders(self._entry).ids())
            self._depths = dict.fromkeys(found, 0)
            return found
        self._depths = dict(_walk(self._store, self._entry, 1))
        return list(self._depths)

    def values(self, ids: Sequence[EntryId], keys: Sequence[Key]) -> list[list[Any]]:
        rows = self._store.source.folders(self._entry)
        if not self._deep:
            found = rows.values(ids, keys)
        else:
            bags = [self._store.source.folder(one) for one in ids]
            found = [[bag.get(key) for key in keys] for bag in bags]
        for at, key in enumerate(keys):
            if key == pr.DEPTH:
                for one, row in zip(ids, found, strict=True):
                    row[at] = self._depths.get(one, 0)
        return found


def _walk(store: IMsgStore, entry: EntryId, depth: int) -> Iterator[tuple[EntryId, int]]:
    """Folders below, each before those below it."""
    if depth > MAX_DEPTH:
        return
    for one in store.source.folders(entry).ids():
        yield one, depth
        yield from _walk(store, one, depth + 1)


def below(store: IMsgStore, entry: EntryId) -> list[EntryId]:
    """All folders below one."""
    return [one for one, _ in _walk(store, entry, 1)]


def queue_table(store: IMsgStore, outbox: EntryId) -> IMAPITable:
    """What waits to be sent (IMsgStore::GetOutgoingQueue)."""
    bags = {}
    for one in store.source.messages(outbox).ids():
        item: Item = store.source.load(one)
        if item.props.get(pr.MESSAGE_FLAGS, 0) & derive.SUBMITTED:
            bags[one] = item.props
    return of_bags(bags, CONTENT_COLUMNS, store._lock)
