"""A mailbox or the public folders of a server, over its mailbox endpoint, as a message store.

What one method does goes in as few Executes as it can; objects are open only as long as they are needed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, TypeVar

from quintet.mapi import ids, pr
from quintet.mapi.bag import Bag, Item, Key
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.ids import LongId, MessageEntry, ShortId
from quintet.mapi.providers import base, derive
from quintet.mapi.providers.base import Can, Criteria, EntryId, Rows, Special, View, Which
from quintet.mapi.providers.wire import folders as trees
from quintet.mapi.providers.wire import loading, moving, rows, saving, searching, watching
from quintet.mapi.providers.wire.entries import Entries
from quintet.mapi.providers.wire.link import Link, Talk, check
from quintet.mapi.restrict import Restriction
from quintet.mapi.rop import folders, messages, stores
from quintet.mapi.rop.folders import TableFlag
from quintet.mapi.rop.messages import OpenMode, ReadFlag, SaveFlag

_SPECIAL: Final = {  # places in a private logon's list of folders (MS-OXCROPS 2.2.3.1.2)
    Special.INBOX: 4,
    Special.OUTBOX: 5,
    Special.SENT: 6,
    Special.DELETED: 7,
    Special.VIEWS: 8,
    Special.FINDER: 10,
}
_ROOT, _PRIVATE_TOP, _PUBLIC_TOP, _INBOX = 0, 3, 1, 4
_TOLD: Final = {  # properties of the Inbox that name folders (MS-OXOSFLD 2.2.3)
    Special.CALENDAR: 0x36D00102,
    Special.CONTACTS: 0x36D10102,
    Special.JOURNAL: 0x36D20102,
    Special.NOTES: 0x36D30102,
    Special.TASKS: 0x36D40102,
    Special.REMINDERS: 0x36D50102,
    Special.DRAFTS: 0x36D70102,
}
_HOLDS: Final = {  # container classes of those
    "IPF.Appointment": Special.CALENDAR,
    "IPF.Contact": Special.CONTACTS,
    "IPF.Journal": Special.JOURNAL,
    "IPF.StickyNote": Special.NOTES,
    "IPF.Task": Special.TASKS,
}
_ADDITIONAL, _JUNK_AT = 0x36D81102, 4  # PidTagAdditionalRenEntryIds
_FLAGS: Final = {
    View.NORMAL: TableFlag(0),
    View.ASSOCIATED: TableFlag.ASSOCIATED,
    View.DELETED: TableFlag.SOFT_DELETES,
}
T = TypeVar("T")


class WireStore(base.MessageStore):
    """One logon over one session."""

    can = (
        Can.SAVE | Can.FOLDERS | Can.ITEMS | Can.PROPS | Can.READ_MARKS | Can.ASSOCIATED | Can.SOFT_DELETE
        | Can.SEARCH_FOLDERS | Can.RIGHTS | Can.RECEIVE_FOLDERS | Can.NOTIFY | Can.SUBMIT
    )  # fmt: skip

    def __init__(self, link: Link, owner: str = "") -> None:
        """``owner``: of another's mailbox."""
        self.link = link
        logon = link.logon
        self.public = isinstance(logon, stores.PublicLogon)
        provider = ids.PUBLIC_FOLDERS if self.public else logon.mailbox
        self.entries = Entries(link, provider, public=self.public)
        self.uid = provider.bytes_le
        self.entry_id = bytes(4) + self.uid + b"\0store"
        self.root = self.entries.folder(logon.folders[_ROOT])
        self.top = self.entries.folder(logon.folders[_PUBLIC_TOP if self.public else _PRIVATE_TOP])
        self.name = "Public Folders" if self.public else f"Mailbox - {owner or link.name}"
        if self.public:
            self.can &= ~(Can.RECEIVE_FOLDERS | Can.SUBMIT)
        self._special: dict[Special, EntryId] | None = None
        self._watching: watching.Watching | None = None

    def _reading(self, work: Callable[..., T], *args: Any) -> T:  # Any: those of ``work``
        return self.link.call(lambda: work(*args), again=True)

    def _writing(self, work: Callable[..., T], *args: Any) -> T:  # Any: those of ``work``
        return self.link.call(lambda: work(*args))

    # --- looking ------------------------------------------------------------------------------------

    def props(self) -> Bag:
        def work() -> Bag:
            found = loading.every(Talk(self.link), self.link.handle)
            keys = self.link.keys_of(list(found))
            bag = {key: value for key, value in zip(keys, found.values(), strict=True) if key is not None}
            return {**bag, pr.DISPLAY_NAME: self.name, pr.ENTRYID: self.entry_id}

        return self._reading(work)

    def special(self) -> Mapping[Special, EntryId]:
        if self._special is None:
            self._special = {Special.PUBLIC: self.top} if self.public else self._reading(self._find_special)
        return self._special

    def _find_special(self) -> dict[Special, EntryId]:
        numbers = self.link.logon.folders
        found = {one: self.entries.folder(numbers[at]) for one, at in _SPECIAL.items() if numbers[at].counter}
        talk = Talk(self.link)
        inbox = talk.open(folders.OpenFolder(numbers[_INBOX], 0))
        try:
            told = loading.some(talk, inbox, [*_TOLD.values(), _ADDITIONAL])
        except MapiError as error:
            if error.code not in (Code.NOT_FOUND, Code.ACCESS_DENIED):
                raise
            return found | self._shared()  # another's mailbox, of which we see some folders
        found |= {one: entry for one, entry in zip(_TOLD, told, strict=False) if entry}
        additional = told[-1] or []
        if len(additional) > _JUNK_AT and additional[_JUNK_AT]:
            found[Special.JUNK] = additional[_JUNK_AT]
        return found

    def _shared(self) -> dict[Special, EntryId]:
        """Folders right below the top that are known by what they hold; the first of a kind."""
        below = rows.FolderRows(self, self.top)
        found: dict[Special, EntryId] = {}
        entries = below.ids()
        for entry, (kind,) in zip(entries, below.values(entries, [pr.CONTAINER_CLASS]), strict=True):
            if kind in _HOLDS:
                found.setdefault(_HOLDS[kind], entry)
        return found

    def folders(self, parent: EntryId) -> Rows:
        self.entries.folder_of(parent)
        return rows.FolderRows(self, parent)

    def folder(self, entry: EntryId) -> Bag:
        return self._reading(trees.bag, self.link, self.entries, entry)

    def messages(self, folder: EntryId, view: View = View.NORMAL) -> Rows:
        self.entries.folder_of(folder)
        return rows.MessageRows(self, folder, _FLAGS[view])

    def load(self, message: EntryId) -> Item:
        item = self._reading(lambda: loading.item(self.link, self.entries.pair_of(message)))
        derive.complete_subject(item.props)
        item.props[pr.INSTANCE_KEY] = item.props[pr.ENTRYID] = message
        item.props.setdefault(pr.MESSAGE_DELIVERY_TIME, item.props.get(pr.CREATION_TIME))
        return item

    def search(self, folder: EntryId, restriction: Restriction) -> Collection[EntryId] | None:
        def work() -> Collection[EntryId] | None:
            stated = searching.to_server(self.link, restriction)
            return None if stated is None else rows.MessageRows(self, folder, 0).matching(stated)

        try:
            return self._reading(work)
        except MapiError as error:
            if error.code in (Code.TOO_COMPLEX, Code.NOT_SUPPORTED, Code.INVALID_PARAMETER):
                return None
            raise

    # --- messages -----------------------------------------------------------------------------------

    def save(
        self,
        folder: EntryId,
        item: Item,
        *,
        old: EntryId | None = None,
        expected: bytes | None = None,
        view: View = View.NORMAL,
    ) -> EntryId:
        def work() -> EntryId:
            if old is None:
                place = self.entries.folder_of(folder)
                number = saving.fresh(self.link, place, item, hidden=view is View.ASSOCIATED)
            else:
                place, before = self.entries.pair_of(old)
                number = saving.replace(self.link, (place, before), item, expected)
            return self.entries.message(place, number)

        return self._writing(work)

    def update(self, entry: EntryId, changes: Bag, gone: Collection[Key] = ()) -> None:
        self._writing(self._update, entry, changes, gone)

    def _update(self, entry: EntryId, changes: Bag, gone: Collection[Key]) -> None:
        talk = Talk(self.link)
        pair = self.entries.maybe(entry)
        if entry == self.entry_id:
            handle: Any = self.link.handle  # Any: a number, or a slot
        elif pair is not None:
            handle, _ = loading.opened(talk, pair, OpenMode.READ_WRITE)
        else:
            handle = talk.open(folders.OpenFolder(self.entries.folder_of(entry), 0))
        saving.put(self.link, talk, handle, changes)
        saving.remove(self.link, talk, handle, gone)
        if pair is not None:  # notes stand beside what another saves meanwhile
            flags = SaveFlag.FORCE_SAVE | SaveFlag.KEEP_OPEN_READ_WRITE
            talk.ask(messages.SaveChangesMessage(flags), handle)
        talk.run()

    def mark_read(self, messages: Sequence[EntryId], read: bool) -> None:
        self._writing(self._mark_read, messages, read)

    def _mark_read(self, chosen: Sequence[EntryId], read: bool) -> None:
        talk = Talk(self.link)
        flags = ReadFlag.SUPPRESS_RECEIPT | (0 if read else ReadFlag.CLEAR_READ_FLAG)  # MS-OXCMSG R823
        for folder, found in moving.by_folder(self.entries, chosen).items():
            handle = talk.open(folders.OpenFolder(folder, 0))
            numbers = [self.entries.pair_of(one)[1] for one in found]
            for start in range(0, len(numbers), _AT_ONCE):
                part = tuple(numbers[start : start + _AT_ONCE])
                talk.ask(folders.SetReadFlags(False, flags, part), handle, size=8 * len(part), may_fail=True)
        talk.run()

    def move(self, messages: Sequence[EntryId], target: EntryId) -> list[EntryId]:
        return self._writing(lambda: moving.transfer(self.link, self.entries, messages, target, copy=False))

    def copy(self, messages: Sequence[EntryId], target: EntryId) -> list[EntryId]:
        return self._writing(lambda: moving.transfer(self.link, self.entries, messages, target, copy=True))

    def delete(self, messages: Sequence[EntryId], *, hard: bool = False) -> int:
        return self._writing(lambda: moving.delete(self.link, self.entries, messages, hard=hard))

    def submit(self, message: EntryId) -> None:
        def work() -> None:
            talk = Talk(self.link)
            handle, _ = loading.opened(talk, self.entries.pair_of(message), OpenMode.READ_WRITE)
            talk.ask(messages.SubmitMessage(0), handle)
            talk.run()

        self._writing(work)

    # --- folders ------------------------------------------------------------------------------------

    def make_folder(self, parent: EntryId, props: Bag) -> EntryId:
        return self._writing(trees.make, self.link, self.entries, parent, props)

    def move_folder(self, folder: EntryId, parent: EntryId, name: str | None = None) -> EntryId:
        self._writing(trees.move, self.link, self.entries, folder, parent, name)
        return folder

    def delete_folder(self, folder: EntryId) -> None:
        self._writing(trees.delete, self.link, self.entries, folder)

    def criteria(self, folder: EntryId) -> Criteria:
        return self._reading(searching.criteria, self.link, self.entries, folder)

    def set_criteria(self, folder: EntryId, criteria: Criteria) -> None:
        self._writing(searching.set_criteria, self.link, self.entries, folder, criteria)

    def table(self, folder: EntryId, which: Which) -> list[Bag]:
        if which is not Which.RIGHTS:
            raise MapiError(Code.NOT_SUPPORTED)
        return self._reading(trees.rights, self.link, self.entries, folder)

    def set_table(self, folder: EntryId, which: Which, rows: Sequence[Bag]) -> None:
        if which is not Which.RIGHTS:
            raise MapiError(Code.NOT_SUPPORTED)
        self._writing(trees.set_rights, self.link, self.entries, folder, rows)

    # --- the rest -----------------------------------------------------------------------------------

    def receive_folder(self, message_class: str) -> tuple[EntryId, str]:
        if self.public:
            raise MapiError(Code.NO_RECEIVE_FOLDER)

        def work() -> tuple[EntryId, str]:
            talk = Talk(self.link)
            step = talk.ask(stores.GetReceiveFolder(message_class))
            talk.run()
            found = check(step)
            return self.entries.folder(found.folder), found.message_class

        return self._reading(work)

    def set_receive_folder(self, message_class: str, folder: EntryId | None) -> None:
        def work() -> None:
            number = ShortId(0, 0) if folder is None else self.entries.folder_of(folder)
            talk = Talk(self.link)
            talk.ask(stores.SetReceiveFolder(number, message_class))
            talk.run()

        self._writing(work)

    def source_key(self, entry: EntryId) -> bytes:
        found = self.entries.parsed(entry)
        one = found.message if isinstance(found, MessageEntry) else found.folder
        return one.replica.bytes_le + one.counter.to_bytes(6, "big")

    def entry_of(self, folder_key: bytes, message_key: bytes = b"") -> EntryId:
        keys = [key for key in (folder_key, message_key) if key]
        numbers = [self.link.short(_long(key)) for key in keys]
        if not numbers:
            raise MapiError(Code.NOT_FOUND)
        if len(numbers) == 1:
            return self.entries.folder(numbers[0])
        return self.entries.message(numbers[0], numbers[1])

    def watch(self, listener: base.Listener) -> base.Cancel:
        with self.link.lock:
            if self._watching is None:
                self._watching = watching.Watching(self.link, self.entries)
            return self._watching.add(listener)

    def refresh(self) -> None:
        if self._watching is not None:
            self._watching.look()

    def close(self) -> None:
        if self._watching is not None:
            self._watching.close()
            self._watching = None
        self.link.close()


KEY = 22  # bytes of a PidTagSourceKey: a replica's GUID and a counter
_AT_ONCE = 1000  # messages in one request


def _long(key: bytes) -> LongId:
    if len(key) != KEY:
        raise MapiError(Code.NOT_FOUND)
    return LongId(uuid.UUID(bytes_le=key[:16]), int.from_bytes(key[16:], "big"))
