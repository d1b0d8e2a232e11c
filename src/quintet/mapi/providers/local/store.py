"""A mailbox of the own store, or the public folders, as a message store (`base.MessageStore`).

Each call is one transaction over the objects of `quintet.mapi.objects`; ids are those that clients on the
wire see.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from quintet.errors import BadSyntax
from quintet.mapi import ids, objects, pr
from quintet.mapi.bag import Bag, Data, Item, Key
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import Box, Folder, Message, Reader, numbers, receiving, searching
from quintet.mapi.objects.bagged import Bagged
from quintet.mapi.objects.contents import Contents
from quintet.mapi.objects.hierarchy import Hierarchy
from quintet.mapi.providers import base, derive, listing
from quintet.mapi.providers.base import Can, EntryId, Rows, Special, View, Which
from quintet.mapi.providers.local import extras, saving, watching
from quintet.mapi.providers.local.host import Host
from quintet.mapi.rop.serve.storebag import StoreObject
from quintet.mapi.types import Error, Tag, Value
from quintet.store import pages
from quintet.store.db import Tx
from quintet.store.model import AccountId, FolderId, FolderKind

T = TypeVar("T")

_NUMBER = 8  # bytes of the change number before a state
_MESSAGE, _MESSAGE_AT = 70, 62  # bytes of a message's entry id, and where its number is (MS-OXCDATA 2.2.4.2)

_ROLES = {
    Special.INBOX: "inbox",
    Special.OUTBOX: "outbox",
    Special.SENT: "sent",
    Special.DELETED: "trash",
    Special.DRAFTS: "drafts",
    Special.JUNK: "junk",
    Special.CALENDAR: "calendar",
    Special.CONTACTS: "contacts",
    Special.TASKS: "tasks",
    Special.NOTES: "notes",
    Special.JOURNAL: "journal",
    Special.VIEWS: "common_views",
    Special.FINDER: "finder",
    Special.REMINDERS: "reminders",
}


class LocalStore(base.MessageStore):
    """One logon.  Its box serves one call at a time."""

    can = (
        Can.SAVE | Can.FOLDERS | Can.ITEMS | Can.PROPS | Can.READ_MARKS | Can.ASSOCIATED | Can.NOTIFY
        | Can.SUBMIT | Can.SOFT_DELETE | Can.SEARCH_FOLDERS | Can.RIGHTS | Can.RULES | Can.RECEIVE_FOLDERS
        | Can.CHANGES | Can.PASSWORD
    )  # fmt: skip

    def __init__(self, host: Host, owner: AccountId, reader: Reader) -> None:
        self.host = host
        self.box: Box = host.write(objects.logon, owner, reader.id, files=host.store.blobs)
        self._lock = threading.RLock()
        self.uid = self.box.provider.bytes_le
        self.entry_id = bytes(4) + self.uid + b"\0store"
        self.box.store_entry_id = self.entry_id
        self._head = self.box.message_entry_id(0, 0)[:38]
        self.root = self.box.folder_entry_id(self.box.special["root"])
        self.top = self.box.folder_entry_id(self.box.special["subtree"])
        self.name = "Public Folders" if self.box.public else f"Mailbox - {self.box.owner.display_name}"
        self._watching: watching.Watching | None = None

    def change_password(self, old: str, new: str) -> None:
        self.host.run(self.host.change_password(self.box.reader, old, new))

    # --- transactions -------------------------------------------------------------------------------

    def read(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:  # Any: those of ``work``
        """Runs it over the box, on one snapshot."""
        with self._lock:
            return self.host.read(self._within, work, args, kwargs)

    def write(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:  # Any: those of ``work``
        """Runs it over the box in a transaction, then the errands that it left."""
        with self._lock:
            done, errands = self.host.write(self._written, work, args, kwargs)
            self.host.do(self.box, errands)
            return done

    def _within(self, tx: Tx, work: Callable[..., T], args: Any, kwargs: Any) -> T:
        with self.box.using(tx):
            return work(*args, **kwargs)

    def _written(self, tx: Tx, work: Callable[..., T], args: Any, kwargs: Any) -> tuple[T, list[Any]]:
        self.box.take_errands()  # of a run that came to nothing
        with self.box.using(tx):
            done = work(*args, **kwargs)
        return done, self.box.take_errands()

    # --- ids ----------------------------------------------------------------------------------------

    def _parsed(self, entry: EntryId) -> ids.FolderEntry | ids.MessageEntry:
        """Raises MapiError(NOT_FOUND): not of this store."""
        try:
            found = ids.read(entry)
        except BadSyntax:
            raise MapiError(Code.NOT_FOUND) from None
        if (
            not isinstance(found, ids.FolderEntry | ids.MessageEntry)
            or found.folder.replica != self.box.replica
        ):
            raise MapiError(Code.NOT_FOUND)
        return found

    def _folder(self, entry: EntryId) -> Folder:
        found = self._parsed(entry)
        if not isinstance(found, ids.FolderEntry):
            raise MapiError(Code.NOT_FOUND)
        return self.box.folder(found.folder.counter)

    def _number(self, entry: EntryId) -> int | None:
        """A message's number; None for an id of something else."""
        if len(entry) == _MESSAGE and entry.startswith(self._head) and entry[46:62] == self._head[-16:]:
            return int.from_bytes(entry[_MESSAGE_AT:68], "big")  # ten times as fast: listings ask for all
        try:
            found = self._parsed(entry)
        except MapiError:
            return None
        return found.message.counter if isinstance(found, ids.MessageEntry) else None

    def _message(self, entry: EntryId, *, deleted: bool = False) -> Message:
        number = self._number(entry)
        if number is None:
            raise MapiError(Code.NOT_FOUND)
        return self.box.message(number, deleted=deleted)

    def _entry(self, message: Message) -> EntryId:
        return self.box.message_entry_id(message.folder.id, message.number)

    def _by_folder(self, messages: Iterable[EntryId]) -> dict[FolderId, list[int]]:
        """Those that are there, under the folders that they lie in now."""
        found: dict[FolderId, list[int]] = {}
        wanted = [number for number in map(self._number, messages) if number is not None]
        for start in range(0, len(wanted), pages.MAX_PAGE):
            for row in pages.lines(self.box.tx, wanted[start : start + pages.MAX_PAGE]):
                found.setdefault(FolderId(row[1]), []).append(row[0])
        return found

    # --- looking ------------------------------------------------------------------------------------

    def props(self) -> Bag:
        return self.read(lambda: {pr.DISPLAY_NAME: self.name, **self.bag_of(StoreObject(self.box))})

    def special(self) -> Mapping[Special, EntryId]:
        if self.box.public:
            return {Special.PUBLIC: self.top}
        have = self.box.special
        return {one: self.box.folder_entry_id(have[role]) for one, role in _ROLES.items() if have.get(role)}

    def folders(self, parent: EntryId) -> Rows:
        self.read(self._folder, parent)
        return _FolderRows(self, parent)

    def folder(self, entry: EntryId) -> Bag:
        return self.read(lambda: self.bag_of(self._folder(entry)))

    def messages(self, folder: EntryId, view: View = View.NORMAL) -> Rows:
        self.read(self._folder, folder)
        return _MessageRows(self, folder, view)

    def load(self, message: EntryId) -> Item:
        return self.read(self._load, message)

    def _load(self, entry: EntryId) -> Item:
        message = self._message(entry, deleted=True)
        item = derive.copied(message.item)
        item.props |= self.bag_of(message)
        body = message.value(pr.BODY)
        if body is not None:
            item.props[pr.BODY] = body
        derive.complete_subject(item.props)
        item.props[pr.INSTANCE_KEY] = item.props[pr.ENTRYID]
        if not pages.present(self.box.tx, [message.number]):
            item.props[pr.DELETED_ON] = item.props.get(pr.LAST_MODIFICATION_TIME, self.box.now())
        item.props.setdefault(pr.MESSAGE_DELIVERY_TIME, item.props.get(pr.CREATION_TIME))
        return item

    def mime(self, message: EntryId) -> bytes | Data | None:
        return self.read(lambda: self._message(message, deleted=True).original)

    def bag_of(self, one: Bagged) -> Bag:
        """Everything that an object says of itself, by keys."""
        bag = dict(one._bag())
        for tag, fact in one.facts.items():
            value = fact(one)
            if value is not None and not isinstance(value, Error):
                bag[tag] = value
        return bag

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
        def work() -> Message:
            if old is None:
                target = self._folder(folder)
                message = saving.fresh(target, item, hidden=view is View.ASSOCIATED)
            else:
                message = self._message(old)
                saving.replace(message, item, expected)
            message.save(force=True)
            return message

        with self._lock:
            return self._entry(self.write(work))

    def add(self, folder: EntryId, item: Item, letter: bytes) -> EntryId:
        def work() -> Message:
            message = saving.fresh(self._folder(folder), item, hidden=False)
            message.letter = letter if message.is_mime and not message.folder.is_group else None
            message.save()
            return message

        with self._lock:
            return self._entry(self.write(work))

    def update(self, entry: EntryId, changes: Bag, gone: Collection[Key] = ()) -> None:
        self.write(self._update, entry, changes, gone)

    def _update(self, entry: EntryId, changes: Bag, gone: Collection[Key]) -> None:
        one: Bagged
        if entry == self.entry_id:
            one = StoreObject(self.box)
        elif self._number(entry) is None:
            one = self._folder(entry)
        else:
            one = self._message(entry)
        saving.apply(one, changes, gone)
        if isinstance(one, Message):
            one.save(force=True)

    def mark_read(self, messages: Sequence[EntryId], read: bool) -> None:
        def work() -> None:
            for folder, chosen in self._by_folder(messages).items():
                self.box.folder(folder).set_read_flags(chosen, read)

        self.write(work)

    def move(self, messages: Sequence[EntryId], target: EntryId) -> list[EntryId]:
        return self.write(self._go, messages, target, copy=False)

    def copy(self, messages: Sequence[EntryId], target: EntryId) -> list[EntryId]:
        return self.write(self._go, messages, target, copy=True)

    def _go(self, messages: Sequence[EntryId], target: EntryId, *, copy: bool) -> list[EntryId]:
        to, pairs = self._folder(target), dict[int, int]()
        present = self._by_folder(messages)
        for folder, chosen in (*present.items(), *self._deleted(messages, present).items()):
            if folder == to.id and not copy and chosen is present.get(folder):
                pairs.update(zip(chosen, chosen, strict=True))
                continue
            made, _ = self.box.folder(folder).move_copy_messages(chosen, to, copy=copy)
            pairs.update(made)
        found = [pairs.get(self._number(one) or 0) for one in messages]
        return [b"" if number is None else self.box.message_entry_id(to.id, number) for number in found]

    def _deleted(
        self, messages: Iterable[EntryId], present: Mapping[FolderId, list[int]]
    ) -> dict[FolderId, list[int]]:
        """Those that are not there any more, under the folders that their ids name."""
        there = {number for numbers in present.values() for number in numbers}
        found: dict[FolderId, list[int]] = {}
        for entry in messages:
            number = self._number(entry)
            if number is not None and number not in there:
                place = FolderId(int.from_bytes(entry[38:44], "big"))
                found.setdefault(place, []).append(number)
        return found

    def delete(self, messages: Sequence[EntryId], *, hard: bool = False) -> int:
        def work() -> int:
            places = self._by_folder(messages)
            for folder, chosen in places.items():
                self.box.folder(folder).delete_messages(chosen, hard=hard)
            return sum([len(chosen) for chosen in places.values()])

        return self.write(work)

    def submit(self, message: EntryId) -> None:
        self.write(lambda: self._message(message).submit())

    # --- folders ------------------------------------------------------------------------------------

    def make_folder(self, parent: EntryId, props: Bag) -> EntryId:
        def work() -> EntryId:
            holds = props.get(pr.CONTAINER_CLASS)
            made, _ = self._folder(parent).create_folder(
                str(props.get(pr.DISPLAY_NAME) or ""),
                comment=str(props.get(pr.COMMENT) or ""),
                search=props.get(pr.FOLDER_TYPE) == saving.SEARCH,
                kind=FolderKind.ITEM if holds not in (None, "", "IPF.Note") else "",
            )
            skipped = (pr.DISPLAY_NAME, pr.COMMENT, pr.FOLDER_TYPE)
            saving.apply(made, {key: value for key, value in props.items() if key not in skipped}, ())
            return self.box.folder_entry_id(made.id)

        return self.write(work)

    def move_folder(self, folder: EntryId, parent: EntryId, name: str | None = None) -> EntryId:
        def work() -> None:
            one = self._folder(folder)
            one.parent.move_folder(one.id, self._folder(parent), name or one.name)

        self.write(work)
        return folder

    def delete_folder(self, folder: EntryId) -> None:
        def work() -> None:
            one = self._folder(folder)
            if one.parent.delete_folder(one.id, messages=True, subfolders=True):
                raise MapiError(Code.ACCESS_DENIED)

        self.write(work)

    # --- the rest -----------------------------------------------------------------------------------

    def changes(self, folder: EntryId, state: bytes) -> base.Changes:
        since = int.from_bytes(state[:_NUMBER], "big")
        now, touched = self.read(lambda: extras.touched(self._folder(folder), since))
        if touched == ([], []):
            return base.Changes(state, [], [], [])
        found = base.Changes(*listing.compare(self.messages(folder), state[_NUMBER:], touched))
        return replace(found, state=now.to_bytes(_NUMBER, "big") + found.state)

    def source_key(self, entry: EntryId) -> bytes:
        found = self._parsed(entry)
        number = found.message.counter if isinstance(found, ids.MessageEntry) else found.folder.counter
        return self.box.source_key(number)

    def criteria(self, folder: EntryId) -> base.Criteria:
        return self.read(lambda: extras.criteria(self._folder(folder)))

    def set_criteria(self, folder: EntryId, criteria: base.Criteria) -> None:
        def work() -> None:
            scope = [self._folder(one).id for one in criteria.folders]
            extras.set_criteria(self._folder(folder), criteria, scope)

        self.write(work)
        if self._watching is not None and criteria.running:  # what it shows is there at once
            self._watching.say(base.Event(base.Kind.SEARCH_COMPLETE, base.Thing.FOLDER, folder))

    def table(self, folder: EntryId, which: Which) -> list[Bag]:
        return self.read(lambda: extras.table(self._folder(folder), which))

    def set_table(self, folder: EntryId, which: Which, rows: Sequence[Bag]) -> None:
        self.write(lambda: extras.set_table(self._folder(folder), which, rows))

    def change_table(
        self, folder: EntryId, which: Which, change: Callable[[list[Bag]], Sequence[Bag]]
    ) -> None:
        def work() -> None:
            one = self._folder(folder)
            extras.set_table(one, which, change(extras.table(one, which)))

        self.write(work)

    def receive_folder(self, message_class: str) -> tuple[EntryId, str]:
        found, number = self.read(lambda: receiving.find(self.box, message_class))
        return self.box.folder_entry_id(number), found

    def set_receive_folder(self, message_class: str, folder: EntryId | None) -> None:
        def work() -> None:
            receiving.change(self.box, message_class, 0 if folder is None else self._folder(folder).id)

        self.write(work)

    def entry_of(self, folder_key: bytes, message_key: bytes = b"") -> EntryId:
        try:
            keys = [numbers.of_key(key) for key in (folder_key, message_key) if key]
        except BadSyntax:
            raise MapiError(Code.NOT_FOUND) from None
        if not keys or any(replica != self.box.replica for replica, _ in keys):
            raise MapiError(Code.NOT_FOUND)
        if len(keys) == 1:
            return self.box.folder_entry_id(keys[0][1])
        return self.box.message_entry_id(keys[0][1], keys[1][1])

    def watch(self, listener: base.Listener) -> base.Cancel:
        with self._lock:
            if self._watching is None:
                self._watching = watching.Watching(self)
            return self._watching.add(listener)

    def close(self) -> None:
        if self._watching is not None:
            self._watching.close()
            self._watching = None


class _EngineRows:
    """The rows of a table's source, by entry ids and keys."""

    def __init__(self, store: LocalStore, folder: EntryId) -> None:
        self._store, self._folder = store, folder

    def _source(self) -> Contents | Hierarchy:
        raise MapiError(Code.NOT_SUPPORTED)

    def ids(self) -> Sequence[EntryId]:
        return self._store.read(self._ids)

    def _ids(self) -> list[EntryId]:
        raise MapiError(Code.NOT_SUPPORTED)

    def values(self, ids: Sequence[EntryId], keys: Sequence[Key]) -> list[list[Value | None]]:
        return self._store.read(self._values, ids, keys)

    def _values(self, entries: Sequence[EntryId], keys: Sequence[Key]) -> list[list[Value | None]]:
        tags = [self._store.box.tag_of(key) for key in keys]
        known: list[Tag] = [tag for tag in tags if tag is not None]
        places = [None if tag is None else at for at, tag in enumerate_known(tags)]
        numbers = [self._of(entry) for entry in entries]
        rows = self._source().values([number or 0 for number in numbers], known)
        if len(known) == len(keys) and None not in numbers and pr.INSTANCE_KEY not in keys:
            return rows  # as they are: what most listings ask for
        found = []
        for entry, number, row in zip(entries, numbers, rows, strict=True):
            values = [None if place is None or number is None else row[place] for place in places]
            for at, key in enumerate(keys):
                if key == pr.INSTANCE_KEY and number is not None:
                    values[at] = entry
            found.append(values)
        return found

    def _of(self, entry: EntryId) -> int | None:
        raise MapiError(Code.NOT_SUPPORTED)


def enumerate_known(tags: Sequence[Tag | None]) -> Iterable[tuple[int, Tag | None]]:
    """Each tag with its place among those that are known."""
    at = 0
    for tag in tags:
        yield at, tag
        at += tag is not None


class _MessageRows(_EngineRows):
    def __init__(self, store: LocalStore, folder: EntryId, view: View) -> None:
        super().__init__(store, folder)
        self._view = view

    def _source(self) -> Contents:
        folder = self._store._folder(self._folder)
        source = folder.contents(
            associated=self._view is View.ASSOCIATED, deleted=self._view is View.DELETED
        ).source
        assert isinstance(source, Contents)
        return source

    def _ids(self) -> list[EntryId]:
        source = self._source()
        box, numbers = self._store.box, source.ids()
        if not isinstance(source, searching.Found):
            head = box.message_entry_id(source.folder.id, 0)[:_MESSAGE_AT]
            return [head + number.to_bytes(6, "big") + b"\0\0" for number in numbers]
        found = []
        for start in range(0, len(numbers), pages.MAX_PAGE):
            places = {row[0]: row[1] for row in pages.lines(box.tx, numbers[start : start + pages.MAX_PAGE])}
            found += [
                box.message_entry_id(places[number], number)
                for number in numbers[start : start + pages.MAX_PAGE]
                if number in places
            ]
        return found

    def _of(self, entry: EntryId) -> int | None:
        return self._store._number(entry)


class _FolderRows(_EngineRows):
    def _source(self) -> Hierarchy:
        return Hierarchy(self._store._folder(self._folder))

    def _ids(self) -> list[EntryId]:
        return [self._store.box.folder_entry_id(number) for number in self._source().ids()]

    def _of(self, entry: EntryId) -> int | None:
        try:
            return self._store._parsed(entry).folder.counter
        except MapiError:
            return None
