"""The message store in memory: what `base.MessageStore` asks, in its simplest working form."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from quintet.clock import Clock
from quintet.mapi import pr, types
from quintet.mapi.bag import Bag, Item, Key
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import base, derive, listing, memfolders, memrules
from quintet.mapi.providers.base import Can, Criteria, EntryId, Event, Kind, Rows, Special, Thing, View, Which
from quintet.mapi.providers.listeners import Listeners
from quintet.mapi.rules import State
from quintet.mapi.types import Value

_FOLDER, _MESSAGE, _STORE = b"\1", b"\2", b"\0"
_FIXED = frozenset((pr.ENTRYID, pr.PARENT_ENTRYID, pr.RECORD_KEY, pr.OBJECT_TYPE, pr.CREATION_TIME))


@dataclass(slots=True)
class Folder:
    entry: EntryId
    parent: EntryId
    props: Bag
    messages: dict[View, dict[EntryId, Message]] = field(default_factory=lambda: {view: {} for view in View})
    criteria: Criteria | None = None
    tables: dict[Which, list[Bag]] = field(default_factory=dict)


@dataclass(slots=True)
class Message:
    entry: EntryId
    folder: Folder
    view: View
    item: Item
    row: Bag = field(default_factory=dict)


class MemoryStore(base.MessageStore):
    """One account's folders; every method takes the world's lock, events leave after it is free."""

    can = (
        Can.SAVE | Can.FOLDERS | Can.ITEMS | Can.PROPS | Can.READ_MARKS | Can.ASSOCIATED | Can.SOFT_DELETE
        | Can.SEARCH_FOLDERS | Can.RIGHTS | Can.RULES | Can.RECEIVE_FOLDERS | Can.NOTIFY
    )  # fmt: skip

    def __init__(self, world: str, address: str, clock: Clock, lock: threading.RLock) -> None:
        self.name = f"Mailbox - {address}"
        self.uid = hashlib.sha256(f"store\0{world}\0{address}".encode()).digest()[:16]
        self.entry_id = bytes(4) + self.uid + _STORE
        self._clock, self._lock = clock, lock
        self._numbers = itertools.count(1)
        self._props: Bag = {}
        self._folders: dict[EntryId, Folder] = {}
        self._messages: dict[EntryId, Message] = {}
        self._listeners = Listeners()
        self._receive: dict[str, EntryId] = {}
        self.root = self._add_folder(b"", {pr.DISPLAY_NAME: "", pr.FOLDER_TYPE: 0})
        self.top, self._special = memfolders.plant(self._add_folder, self.root)
        reminders = self._folders[self._special[Special.REMINDERS]]
        reminders.criteria = memfolders.reminders(self.top, self._special)

    def _entry(self, kind: bytes) -> EntryId:
        return bytes(4) + self.uid + kind + next(self._numbers).to_bytes(8, "big")

    def _now(self) -> int:
        return types.of_ms(self._clock.now())

    def _tell(self, *events: Event) -> None:
        self._listeners.tell(events)

    # --- looking ------------------------------------------------------------------------------------

    def props(self) -> Bag:
        with self._lock:
            return {pr.DISPLAY_NAME: self.name, **self._props}

    def special(self) -> Mapping[Special, EntryId]:
        return self._special

    def _folder(self, entry: EntryId) -> Folder:
        found = self._folders.get(entry)
        if found is None:
            raise MapiError(Code.NOT_FOUND)
        return found

    def folders(self, parent: EntryId) -> Rows:
        with self._lock:
            self._folder(parent)
            below = [one for one in self._folders.values() if one.parent == parent]
            return listing.BagRows({one.entry: self._folder_bag(one) for one in below})

    def folder(self, entry: EntryId) -> Bag:
        with self._lock:
            return self._folder_bag(self._folder(entry))

    def _folder_bag(self, folder: Folder) -> Bag:
        normal = self._shown(folder)
        unread = sum([not one.row[pr.MESSAGE_FLAGS] & derive.READ for one in normal])
        return {
            **folder.props,
            pr.ENTRYID: folder.entry,
            pr.PARENT_ENTRYID: folder.parent or folder.entry,
            pr.RECORD_KEY: folder.entry,
            pr.INSTANCE_KEY: folder.entry,
            pr.OBJECT_TYPE: int(Thing.FOLDER),
            pr.CONTENT_COUNT: len(normal),
            pr.CONTENT_UNREAD: unread,
            pr.ASSOC_CONTENT_COUNT: len(folder.messages[View.ASSOCIATED]),
            pr.SUBFOLDERS: any(one.parent == folder.entry for one in self._folders.values()),
        }

    def _shown(self, folder: Folder, view: View = View.NORMAL) -> Collection[Message]:
        if folder.criteria is None or view is not View.NORMAL:
            return folder.messages[view].values()
        return memfolders.found(folder.criteria, self._within(folder.criteria))

    def _within(self, criteria: Criteria) -> Iterator[Message]:
        """Messages of the folders that a search looks in."""
        pending = [one for one in criteria.folders if one in self._folders]
        seen: set[EntryId] = set()
        while pending:
            entry = pending.pop()
            if entry in seen:
                continue
            seen.add(entry)
            yield from self._folders[entry].messages[View.NORMAL].values()
            if criteria.recursive:
                pending += [one.entry for one in self._folders.values() if one.parent == entry]

    def messages(self, folder: EntryId, view: View = View.NORMAL) -> Rows:
        return _Rows(self, folder, view)

    def load(self, message: EntryId) -> Item:
        with self._lock:
            found = self._message(message)
            item = derive.copied(found.item)
            item.props = dict(found.row)
            return item

    def _message(self, entry: EntryId) -> Message:
        found = self._messages.get(entry)
        if found is None:
            raise MapiError(Code.NOT_FOUND)
        return found

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
        with self._lock:
            if old is None:
                target = self._folder(folder)
                if target.criteria is not None or target.props.get(pr.FOLDER_TYPE) == memfolders.SEARCH:
                    raise MapiError(Code.ACCESS_DENIED)
                message = Message(self._entry(_MESSAGE), target, view, item)
                message.item = derive.copied(item)
                message.item.props.setdefault(pr.CREATION_TIME, self._now())
            else:
                message = self._message(old)
                if expected is not None and message.row[pr.CHANGE_KEY] != expected:
                    raise MapiError(Code.OBJECT_CHANGED)
                created = message.row[pr.CREATION_TIME]
                message.item = derive.copied(item)
                message.item.props[pr.CREATION_TIME] = created
            self._file(message)
        kind = Kind.CREATED if old is None else Kind.MODIFIED
        self._tell(*self._events(kind, message))
        return message.entry

    def _file(self, message: Message) -> None:
        """Puts it where it belongs, with all that a table shows."""
        message.folder.messages[message.view][message.entry] = message
        self._messages[message.entry] = message
        row = derive.row_of(message.item)
        number = next(self._numbers).to_bytes(6, "big")
        row |= {
            pr.ENTRYID: message.entry,
            pr.PARENT_ENTRYID: message.folder.entry,
            pr.RECORD_KEY: message.entry,
            pr.INSTANCE_KEY: message.entry,
            pr.CHANGE_KEY: self.uid + number,
            pr.LAST_MODIFICATION_TIME: self._now(),
            pr.ACCESS: 0x3F,
            pr.ACCESS_LEVEL: 1,
        }
        row.setdefault(pr.SEARCH_KEY, hashlib.sha256(message.entry).digest()[:16])
        row.setdefault(pr.MESSAGE_DELIVERY_TIME, row[pr.CREATION_TIME])
        if message.view is View.ASSOCIATED:
            row[pr.MESSAGE_FLAGS] |= derive.ASSOCIATED
        message.row = row

    def _events(self, kind: Kind, message: Message) -> list[Event]:
        return [
            Event(kind, Thing.MESSAGE, message.entry, message.folder.entry),
            Event(Kind.MODIFIED, Thing.FOLDER, message.folder.entry, message.folder.parent),
        ]

    def deliver(self, item: Item, me: Bag | None = None) -> memrules.Delivered:
        """What comes from outside, into the folder for its class, or where that folder's rules say.

        ``me``: who the receiver is, for what the rules send.
        """
        item.props[pr.MESSAGE_DELIVERY_TIME] = self._now()
        message_class = str(item.props.get(pr.MESSAGE_CLASS, "IPM.Note"))
        folder, _ = self.receive_folder(message_class)
        box = memrules.Box(
            lambda one: self.table(one, Which.RULES), self._folders.__contains__, self.load, me or {}
        )
        found = memrules.run(folder, item, box)
        for failure in found.failed:
            self._mark(failure.folder, failure.rule.id, State.ERROR)
        for place in [] if found.refused else found.places:
            entry = self.save(place, item)
            found.filed.append(entry)
            event = Event(Kind.NEW_MAIL, Thing.MESSAGE, entry, place, message_class=message_class)
            self._tell(event)
        return found

    def _mark(self, folder: EntryId, number: int, bits: int) -> None:
        with self._lock:
            for row in self._folder(folder).tables.get(Which.RULES, ()):
                if row.get(pr.RULE_ID) == number:
                    row[pr.RULE_STATE] = (row.get(pr.RULE_STATE) or 0) | bits

    def update(self, entry: EntryId, changes: Bag, gone: Collection[Key] = ()) -> None:
        with self._lock:
            if entry == self.entry_id:
                _change(self._props, changes, gone)
                events = [Event(Kind.MODIFIED, Thing.STORE, entry)]
            elif entry in self._folders:
                events = self._update_folder(self._folders[entry], changes, gone)
            else:
                message = self._message(entry)
                _change(message.item.props, changes, gone)
                self._file(message)
                events = self._events(Kind.MODIFIED, message)
        self._tell(*events)

    def _update_folder(self, folder: Folder, changes: Bag, gone: Collection[Key]) -> list[Event]:
        if pr.DISPLAY_NAME in changes:
            if not folder.parent:
                raise MapiError(Code.ACCESS_DENIED)
            self._free(folder.parent, changes[pr.DISPLAY_NAME], folder.entry)
        _change(folder.props, changes, [key for key in gone if key != pr.DISPLAY_NAME])
        return [Event(Kind.MODIFIED, Thing.FOLDER, folder.entry, folder.parent)]

    def mark_read(self, messages: Sequence[EntryId], read: bool) -> None:
        events = []
        with self._lock:
            for entry in messages:
                one = self._messages.get(entry)
                if one is None or bool(one.row[pr.MESSAGE_FLAGS] & derive.READ) == read:
                    continue
                for bag in (one.row, one.item.props):
                    flags = bag.get(pr.MESSAGE_FLAGS, 0)
                    bag[pr.MESSAGE_FLAGS] = flags | derive.READ if read else flags & ~derive.READ
                events += self._events(Kind.MODIFIED, one)
        self._tell(*events)

    def move(self, messages: Sequence[EntryId], target: EntryId) -> list[EntryId]:
        return self._go(messages, target, copy=False)

    def copy(self, messages: Sequence[EntryId], target: EntryId) -> list[EntryId]:
        return self._go(messages, target, copy=True)

    def _go(self, messages: Sequence[EntryId], target: EntryId, *, copy: bool) -> list[EntryId]:
        events, found = [], []
        kind = Kind.COPIED if copy else Kind.MOVED
        with self._lock:
            folder = self._folder(target)
            for entry in messages:
                one = self._messages.get(entry)
                if one is None:
                    found.append(b"")
                    continue
                old = one.folder
                made = self._put(one, folder, copy=copy)
                found.append(made.entry)
                events.append(
                    Event(kind, Thing.MESSAGE, made.entry, target, old_entry=entry, old_parent=old.entry)
                )
                if not copy:
                    events.append(Event(Kind.MODIFIED, Thing.FOLDER, old.entry, old.parent))
                events.append(Event(Kind.MODIFIED, Thing.FOLDER, target, folder.parent))
        self._tell(*events)
        return found

    def _put(self, one: Message, folder: Folder, *, copy: bool) -> Message:
        """Into a folder; what was deleted is back there."""
        view = View.NORMAL if one.view is View.DELETED else one.view
        if copy:
            one = Message(self._entry(_MESSAGE), folder, view, derive.copied(one.item))
        else:
            del one.folder.messages[one.view][one.entry]
            one.folder, one.view = folder, view
        self._file(one)
        return one

    def delete(self, messages: Sequence[EntryId], *, hard: bool = False) -> int:
        events: list[Event] = []
        with self._lock:
            for entry in messages:
                one = self._messages.get(entry)
                if one is None or (one.view is View.DELETED and not hard):
                    continue
                del one.folder.messages[one.view][entry]
                if hard or one.view is View.ASSOCIATED:
                    del self._messages[entry]
                else:
                    one.view = View.DELETED
                    one.row[pr.DELETED_ON] = self._now()
                    one.folder.messages[View.DELETED][entry] = one
                events += self._events(Kind.DELETED, one)
        self._tell(*events)
        return sum([event.kind is Kind.DELETED for event in events])

    # --- folders ------------------------------------------------------------------------------------

    def _add_folder(self, parent: EntryId, props: Bag) -> EntryId:
        entry = self._entry(_FOLDER)
        now = self._now()
        made: Bag = {pr.FOLDER_TYPE: 1, pr.CREATION_TIME: now, pr.LAST_MODIFICATION_TIME: now, pr.COMMENT: ""}
        self._folders[entry] = Folder(entry, parent, made | props)
        return entry

    def _free(self, parent: EntryId, name: str, mine: EntryId = b"") -> None:
        if not name:
            raise MapiError(Code.INVALID_PARAMETER)
        for one in self._folders.values():
            taken = one.props[pr.DISPLAY_NAME].casefold() == name.casefold()
            if one.parent == parent and one.entry != mine and taken:
                raise MapiError(Code.COLLIDING_NAMES)

    def make_folder(self, parent: EntryId, props: Bag) -> EntryId:
        with self._lock:
            self._folder(parent)
            self._free(parent, props.get(pr.DISPLAY_NAME, ""))
            entry = self._add_folder(parent, props)
        self._tell(Event(Kind.CREATED, Thing.FOLDER, entry, parent))
        return entry

    def move_folder(self, folder: EntryId, parent: EntryId, name: str | None = None) -> EntryId:
        with self._lock:
            found, above = self._folder(folder), self._folder(parent)
            old = found.parent
            if not old or folder in self._special.values() or folder == self.top:
                raise MapiError(Code.ACCESS_DENIED)
            while above.parent or above.entry == folder:
                if above.entry == folder:
                    raise MapiError(Code.FOLDER_CYCLE)
                above = self._folder(above.parent)
            self._free(parent, name or found.props[pr.DISPLAY_NAME], folder)
            found.parent = parent
            if name:
                found.props[pr.DISPLAY_NAME] = name
        self._tell(Event(Kind.MOVED, Thing.FOLDER, folder, parent, old_entry=folder, old_parent=old))
        return folder

    def delete_folder(self, folder: EntryId) -> None:
        events = []
        with self._lock:
            if folder in self._special.values() or folder in (self.root, self.top):
                raise MapiError(Code.ACCESS_DENIED)
            self._folder(folder)
            pending = [folder]
            while pending:
                entry = pending.pop()
                pending += [one.entry for one in self._folders.values() if one.parent == entry]
                gone = self._folders.pop(entry)
                for messages in gone.messages.values():
                    for message in messages:
                        del self._messages[message]
                events.append(Event(Kind.DELETED, Thing.FOLDER, entry, gone.parent))
        self._tell(*events)

    # --- what some systems have ---------------------------------------------------------------------

    def watch(self, listener: base.Listener) -> base.Cancel:
        return self._listeners.add(listener)

    def criteria(self, folder: EntryId) -> Criteria:
        with self._lock:
            found = self._folder(folder)
            if found.props[pr.FOLDER_TYPE] != memfolders.SEARCH:
                raise MapiError(Code.NOT_SUPPORTED)
            if found.criteria is None:
                raise MapiError(Code.NOT_INITIALIZED)
            return found.criteria

    def set_criteria(self, folder: EntryId, criteria: Criteria) -> None:
        with self._lock:
            found = self._folder(folder)
            if found.props[pr.FOLDER_TYPE] != memfolders.SEARCH:
                raise MapiError(Code.NOT_SUPPORTED)
            if folder in criteria.folders:
                raise MapiError(Code.FOLDER_CYCLE)
            found.criteria = criteria
        self._tell(Event(Kind.SEARCH_COMPLETE, Thing.FOLDER, folder, found.parent))

    def table(self, folder: EntryId, which: Which) -> list[Bag]:
        with self._lock:
            first = memfolders.nobody_else() if which is Which.RIGHTS else []
            return [dict(row) for row in self._folder(folder).tables.get(which, first)]

    def set_table(self, folder: EntryId, which: Which, rows: Sequence[Bag]) -> None:
        with self._lock:
            found = self._folder(folder)
            found.tables[which] = [dict(row) for row in rows]
            for row in found.tables[which]:
                row.setdefault(pr.MEMBER_ID if which is Which.RIGHTS else pr.RULE_ID, next(self._numbers))
        self._tell(Event(Kind.MODIFIED, Thing.FOLDER, folder, found.parent))

    def receive_folder(self, message_class: str) -> tuple[EntryId, str]:
        with self._lock:
            wanted = message_class.casefold()
            while wanted:
                if wanted in self._receive:
                    return self._receive[wanted], wanted
                wanted = wanted.rpartition(".")[0]
            return self._receive.get("", self._special[Special.INBOX]), ""

    def set_receive_folder(self, message_class: str, folder: EntryId | None) -> None:
        with self._lock:
            if folder is None:
                self._receive.pop(message_class.casefold(), None)
            else:
                self._folder(folder)
                self._receive[message_class.casefold()] = folder


class _Rows:
    """The messages of a folder as they are when asked."""

    def __init__(self, store: MemoryStore, folder: EntryId, view: View) -> None:
        self._store, self._entry, self._view = store, folder, view
        self.ids()  # says at once that there is no such folder

    def ids(self) -> Sequence[EntryId]:
        store = self._store
        with store._lock:
            return [one.entry for one in store._shown(store._folder(self._entry), self._view)]

    def values(self, ids: Sequence[EntryId], keys: Sequence[Key]) -> list[list[Value | None]]:
        store = self._store
        nothing: Bag = {}
        with store._lock:
            messages = store._messages
            rows = [messages[one].row if one in messages else nothing for one in ids]
            return [[row.get(key) for key in keys] for row in rows]


def _change(bag: Bag, changes: Bag, gone: Collection[Key]) -> None:
    bag.update({key: value for key, value in changes.items() if key not in _FIXED})
    for key in gone:
        bag.pop(key, None)
