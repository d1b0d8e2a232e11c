"""A message store over folders of MIME messages: Maildir, mbox, MH, IMAP, POP3 and news share it.

A row of a table is made of the header alone where that says it, and kept; marks are asked for anew each time.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence

from quintet.mapi import convert, pr, types
from quintet.mapi.bag import Bag, Data, Item, Key, NamedTag
from quintet.mapi.convert.names import KEYWORDS
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import base, derive, files, listing, mailboxes, watching
from quintet.mapi.providers.base import Can, EntryId, Event, Kind, Rows, Special, Thing, View
from quintet.mapi.providers.mailboxes import Head, Mailboxes, Marks, Place
from quintet.mapi.types import Value

KEPT_ROWS = 20_000  # about a kilobyte each
KEPT_KEYS = 10_000  # of messages that were replaced
PAGE = 500  # messages asked for at once
_Where = tuple[str, str]  # path and key
_STORE, _FOLDER, _MESSAGE = b"\0", b"\1", b"\2"
_UNNAMED = re.compile(r"[/\0\ud800-\udfff]")
_BODIES = frozenset((pr.BODY, pr.HTML, pr.RTF_COMPRESSED))  # a row of them is a whole message
_COUNTS = frozenset((pr.CONTENT_COUNT, pr.CONTENT_UNREAD))
_LETTERS = ("IPM.NOTE", "IPM.POST", "IPM.SCHEDULE", "REPORT")  # classes that MIME is made for
_FLAGGED, _REPLIED = 2, 102  # PidTagFlagStatus; PidTagLastVerbExecuted
_CLASSES = {
    Special.CALENDAR: "IPF.Appointment",
    Special.CONTACTS: "IPF.Contact",
    Special.TASKS: "IPF.Task",
    Special.NOTES: "IPF.StickyNote",
    Special.JOURNAL: "IPF.Journal",
}


class MailStore(base.MessageStore):
    """One account's folders.  ``identity`` names the account for ever: its ids depend on it.

    ``poll_s``: how often a watched system is looked at for what others did.
    """

    def __init__(self, name: str, identity: str, boxes: Mailboxes, *, poll_s: float = 15.0) -> None:
        self.name = name
        self.uid = hashlib.sha256(b"mail\0" + identity.encode()).digest()[:16]
        self.can = boxes.can | Can.NOTIFY
        self.entry_id = self._entry(_STORE)
        self.root = self.top = self._entry(_FOLDER)
        self.boxes = boxes
        self.lock = files.Guard()
        self._rows: OrderedDict[_Where, Bag] = OrderedDict()
        self._replaced: OrderedDict[_Where, _Where] = OrderedDict()
        self._watch = watching.Watch(self._look, poll_s)

    # --- ids ----------------------------------------------------------------------------------------

    def _entry(self, kind: bytes, path: str = "", key: str | None = None) -> EntryId:
        tail = path if key is None else f"{path}\0{key}"
        return bytes(4) + self.uid + kind + tail.encode("utf-8", "surrogateescape")  # as names of files are

    def folder_entry(self, path: str) -> EntryId:
        return self._entry(_FOLDER, path)

    def _parts(self, entry: EntryId) -> tuple[bytes, str, str]:
        """Raises MapiError(NOT_FOUND): no id of ours."""
        kind = entry[20:21]
        if entry[:20] != bytes(4) + self.uid or kind not in (_STORE, _FOLDER, _MESSAGE):
            raise MapiError(Code.NOT_FOUND)
        try:
            path, _, key = entry[21:].decode("utf-8", "surrogateescape").partition("\0")
        except UnicodeDecodeError:
            raise MapiError(Code.NOT_FOUND) from None
        if kind == _MESSAGE:
            path, key = self._now((path, key))
        return kind, path, key

    def _now(self, where: _Where) -> _Where:
        """Where a message is that this program changed: systems that keep letters give it another key."""
        first = where
        while where in self._replaced:
            where = self._replaced[where]
        if where != first:
            self._replaced[first] = where
            self._replaced.move_to_end(first)
        return where

    def _current(self, entry: EntryId) -> EntryId:
        """The id that a message has now; of what is none of ours the same."""
        try:
            return self._entry(*self._parts(entry))
        except MapiError:
            return entry

    def _replace(self, old: _Where, new: _Where) -> None:
        self._replaced[old] = new
        while len(self._replaced) > KEPT_KEYS:
            self._replaced.popitem(last=False)

    def _path(self, entry: EntryId) -> str:
        kind, path, _ = self._parts(entry)
        if kind != _FOLDER or (path and path not in self._places()):
            raise MapiError(Code.NOT_FOUND)
        return path

    def _places(self) -> dict[str, Place]:
        return {place.path: place for place in self.boxes.places()}

    # --- folders ------------------------------------------------------------------------------------

    def props(self) -> Bag:
        return {pr.DISPLAY_NAME: self.name}

    def special(self) -> Mapping[Special, EntryId]:
        with self.lock:
            return {
                place.special: self.folder_entry(place.path)
                for place in self.boxes.places()
                if place.special is not None
            }

    def folders(self, parent: EntryId) -> Rows:
        with self.lock:
            above = self._path(parent)
            places = self._places()
            found = {
                self.folder_entry(path): self._folder_bag(place, places)
                for path, place in places.items()
                if path and _above(path) == above
            }
            return _FolderRows(self, found)

    def folder(self, entry: EntryId) -> Bag:
        with self.lock:
            path = self._path(entry)
            places = self._places()
            place = places.get(path, Place(path, holds=False))
            return self._folder_bag(place, places) | self.counts(entry)

    def counts(self, entry: EntryId) -> Bag:
        """How much is in a folder: a question of its own to many systems."""
        with self.lock:
            path = self._path(entry)
            holds = self._places().get(path, Place(path, holds=False)).holds
            return {
                pr.CONTENT_COUNT: self.boxes.count(path) if holds else 0,
                pr.CONTENT_UNREAD: self.boxes.unread(path) if holds else 0,
            }

    def _folder_bag(self, place: Place, places: Iterable[str]) -> Bag:
        path = place.path
        entry = self.folder_entry(path)
        below = f"{path}/" if path else ""
        return {
            pr.ENTRYID: entry,
            pr.PARENT_ENTRYID: self.folder_entry(_above(path)),
            pr.RECORD_KEY: entry,
            pr.INSTANCE_KEY: entry,
            pr.OBJECT_TYPE: int(Thing.FOLDER),
            pr.DISPLAY_NAME: _shown(path.rpartition("/")[2]),
            pr.CONTAINER_CLASS: self._container_class(place),
            pr.FOLDER_TYPE: 1 if path else 0,
            pr.ASSOC_CONTENT_COUNT: 0,
            pr.SUBFOLDERS: any(one.startswith(below) and one != path for one in places),
        }

    def _container_class(self, place: Place) -> str:
        return _CLASSES.get(place.special, "IPF.Note") if place.special else "IPF.Note"

    def make_folder(self, parent: EntryId, props: Bag) -> EntryId:
        if props.get(pr.FOLDER_TYPE, 1) != 1 or Can.FOLDERS not in self.can:
            raise MapiError(Code.NOT_SUPPORTED)
        with self.lock:
            path = self._free(self._path(parent), props.get(pr.DISPLAY_NAME))
            self.boxes.make(path)
        entry = self.folder_entry(path)
        self._watch.tell(Event(Kind.CREATED, Thing.FOLDER, entry, parent))
        return entry

    def _free(self, above: str, name: object) -> str:
        """The path of a folder that is not there yet."""
        if not isinstance(name, str) or not name or _UNNAMED.search(name):
            raise MapiError(Code.INVALID_PARAMETER, "a folder's name is text without a slash")
        path = f"{above}/{name}" if above else name
        if path in self._places():
            raise MapiError(Code.COLLIDING_NAMES)
        return path

    def move_folder(self, folder: EntryId, parent: EntryId, name: str | None = None) -> EntryId:
        if Can.FOLDERS not in self.can:
            raise MapiError(Code.NOT_SUPPORTED)
        with self.lock:
            old, above = self._path(folder), self._path(parent)
            if not old or f"{above}/".startswith(f"{old}/"):
                raise MapiError(Code.FOLDER_CYCLE)
            new = self._free(above, name or old.rpartition("/")[2])
            self._rename(old, new)
        entry = self.folder_entry(new)
        self._watch.tell(
            Event(Kind.MOVED, Thing.FOLDER, entry, parent, folder, self.folder_entry(_above(old)))
        )
        return entry

    def _rename(self, old: str, new: str) -> None:
        self.boxes.rename(old, new)
        self._rows.clear()

    def delete_folder(self, folder: EntryId) -> None:
        if Can.FOLDERS not in self.can:
            raise MapiError(Code.NOT_SUPPORTED)
        with self.lock:
            path = self._path(folder)
            if not path:
                raise MapiError(Code.ACCESS_DENIED)
            self.boxes.drop(path)
            self._rows.clear()
        self._watch.tell(Event(Kind.DELETED, Thing.FOLDER, folder, self.folder_entry(_above(path))))

    # --- messages -----------------------------------------------------------------------------------

    def messages(self, folder: EntryId, view: View = View.NORMAL) -> Rows:
        if view is not View.NORMAL:
            raise MapiError(Code.NOT_SUPPORTED)
        return _Rows(self, folder)

    def keys(self, folder: EntryId) -> list[EntryId]:
        with self.lock:
            path = self._path(folder)
            if not self._places().get(path, Place("", holds=False)).holds:
                return []
            return [self._entry(_MESSAGE, path, key) for key in self.boxes.keys(path)]

    def _found(self, message: EntryId) -> tuple[str, str, Marks, Head]:
        """Where a message is, and what tells that it is there.  Raises MapiError(NOT_FOUND)."""
        kind, path, key = self._parts(message)
        marks = self.boxes.marks(path, [key]).get(key) if kind == _MESSAGE and key else None
        head = self.boxes.heads(path, [key]).get(key) if marks is not None else None
        if marks is None or head is None:
            raise MapiError(Code.NOT_FOUND, "the message is gone")
        return path, key, marks, head

    def mime(self, message: EntryId) -> bytes | Data | None:
        with self.lock:
            path, key, _, head = self._found(message)
            if not self.boxes.exact:
                return None
            return head.raw if head.whole else self.boxes.message(path, key)

    def load(self, message: EntryId) -> Item:
        with self.lock:
            path, key, marks, head = self._found(message)
            source = head.raw if head.whole else self.boxes.message(path, key)
        item = convert.from_mime(source, received_ms=head.received_ms)
        item.props = {**self._row(path, key, item, head), **self._marked(marks)}
        item.props[pr.MESSAGE_FLAGS] = _flags(marks, item.props)
        return item

    def _row(self, path: str, key: str, item: Item, head: Head) -> Bag:
        """All of a message but its marks."""
        row = derive.row_of(item)
        entry = self._entry(_MESSAGE, path, key)
        row |= {
            pr.ENTRYID: entry,
            pr.PARENT_ENTRYID: self.folder_entry(path),
            pr.RECORD_KEY: entry,
            pr.INSTANCE_KEY: entry,
            pr.MESSAGE_SIZE: min(head.size, 0x7FFFFFFF),
            pr.CREATION_TIME: types.of_ms(head.received_ms),
            pr.LAST_MODIFICATION_TIME: types.of_ms(head.received_ms),
            pr.CHANGE_KEY: self.uid + hashlib.sha256(entry).digest()[:6],
        }
        row.setdefault(pr.MESSAGE_DELIVERY_TIME, types.of_ms(head.received_ms))
        if not head.whole and head.attached:
            row[pr.HASATTACH] = True
        return row

    def _marked(self, marks: Marks) -> Bag:
        """What marks say."""
        bag: Bag = {}
        words = sorted([mark for mark in marks if not mark.startswith("\\")])
        if words:
            bag[KEYWORDS] = words
        if mailboxes.FLAGGED in marks:
            bag[pr.FLAG_STATUS] = _FLAGGED
        if mailboxes.ANSWERED in marks:
            bag[pr.LAST_VERB_EXECUTED] = _REPLIED
        return bag

    def values(self, ids: Sequence[EntryId], keys: Sequence[Key]) -> list[list[Value | None]]:
        """See `base.Rows`."""
        if not _BODIES.isdisjoint(keys):
            return [self._whole_row(one, keys) for one in ids]
        found: list[list[Value | None]] = []
        for start in range(0, len(ids), PAGE):
            page = ids[start : start + PAGE]
            with self.lock:
                rows = self._rows_of(page)
            for one in page:
                get = rows.get(one, {}).get
                found.append([get(key) for key in keys])
        return found

    def _whole_row(self, entry: EntryId, keys: Sequence[Key]) -> list[Value | None]:
        try:
            props = self.load(entry).props
        except MapiError as error:
            if error.code != Code.NOT_FOUND:
                raise
            props = {}
        return [props.get(key) for key in keys]

    def _rows_of(self, ids: Sequence[EntryId]) -> dict[EntryId, Bag]:
        by_path: dict[str, list[str]] = {}
        for one in ids:
            try:
                kind, path, key = self._parts(one)
            except MapiError:
                continue
            if kind == _MESSAGE and key:
                by_path.setdefault(path, []).append(key)
        found: dict[EntryId, Bag] = {}
        for path, keys in by_path.items():
            marks = self.boxes.marks(path, keys)
            self._fill(path, [key for key in marks if (path, key) not in self._rows])
            for key, words in marks.items():
                kept = self._rows.get((path, key))
                if kept is not None:
                    self._rows.move_to_end((path, key))
                    row = {**kept, **self._marked(words)}
                    row[pr.MESSAGE_FLAGS] = _flags(words, row)
                    found[self._entry(_MESSAGE, path, key)] = row
        while len(self._rows) > KEPT_ROWS:
            self._rows.popitem(last=False)
        return found

    def _fill(self, path: str, keys: Sequence[str]) -> None:
        for key, head in self.boxes.heads(path, keys).items() if keys else ():
            item = convert.from_mime(head.raw, received_ms=head.received_ms)
            row = self._row(path, key, item, head)
            for body in (*_BODIES, pr.TRANSPORT_MESSAGE_HEADERS):
                row.pop(body, None)
            self._rows[path, key] = row

    def save(
        self,
        folder: EntryId,
        item: Item,
        *,
        old: EntryId | None = None,
        expected: bytes | None = None,
        view: View = View.NORMAL,
    ) -> EntryId:
        if view is not View.NORMAL:
            raise MapiError(Code.NOT_SUPPORTED)
        now = time.time_ns() // 1_000_000
        if old is None:
            return self._filed(folder, item, _as_mime(item, now), now)
        with self.lock:
            before = self.load(old).props[pr.CHANGE_KEY]
            if expected is not None and expected != before:
                raise MapiError(Code.OBJECT_CHANGED)
            _, before_path, before_key = self._parts(old)
            entry = self._filed(folder, item, _as_mime(item, now), now, old)
            self.boxes.remove(before_path, [before_key])
            self._replace((before_path, before_key), self._parts(entry)[1:])
        return entry

    def add(self, folder: EntryId, item: Item, letter: bytes) -> EntryId:
        return self._filed(folder, item, (letter,), time.time_ns() // 1_000_000)

    def _filed(
        self, folder: EntryId, item: Item, pieces: Iterable[bytes], now_ms: int, old: EntryId | None = None
    ) -> EntryId:
        """A letter in a folder; ``old``: the one that it stands for now."""
        if Can.SAVE not in self.can:
            raise MapiError(Code.NOT_SUPPORTED)
        received = item.props.get(pr.MESSAGE_DELIVERY_TIME)
        at = now_ms if received is None else types.to_ms(received)
        with self.lock:
            path = self._path(folder)
            key = self.boxes.add(path, pieces, marks_of(item.props), at)
            self._replaced.pop((path, key), None)  # a key may come again, and is then this message's
        entry = self._entry(_MESSAGE, path, key)
        if old is None:
            self._watch.tell(Event(Kind.CREATED, Thing.MESSAGE, entry, folder))
        else:
            self._watch.tell(Event(Kind.MODIFIED, Thing.MESSAGE, entry, folder, old, folder))
        return entry

    def update(self, entry: EntryId, changes: Bag, gone: Collection[Key] = ()) -> None:
        with self.lock:
            kind, path, key = self._parts(entry)
            if kind == _FOLDER:
                self._update_folder(self._path(entry), changes, gone)
                return
            if kind != _MESSAGE or Can.PROPS not in self.can:
                raise MapiError(Code.NOT_SUPPORTED)
            if not {*changes, *gone} <= {KEYWORDS, pr.FLAG_STATUS, pr.MESSAGE_FLAGS}:
                raise MapiError(Code.NOT_SUPPORTED, "only flags and categories change without the content")
            self._remark(path, key, changes, gone)
        self._watch.tell(Event(Kind.MODIFIED, Thing.MESSAGE, entry, self.folder_entry(path)))

    def _update_folder(self, path: str, changes: Bag, gone: Collection[Key]) -> None:
        if set(changes) - {pr.DISPLAY_NAME} or gone or not path or Can.FOLDERS not in self.can:
            raise MapiError(Code.NOT_SUPPORTED)
        name = changes.get(pr.DISPLAY_NAME, path.rpartition("/")[2])
        if name != path.rpartition("/")[2]:
            self._rename(path, self._free(_above(path), name))

    def _remark(self, path: str, key: str, changes: Bag, gone: Collection[Key]) -> None:
        marks = self.boxes.marks(path, [key]).get(key)
        if marks is None:
            raise MapiError(Code.NOT_FOUND)
        props = {**self._marked(marks), pr.MESSAGE_FLAGS: _flags(marks, {}), **changes}
        for one in gone:
            props.pop(one, None)
        wanted = marks_of(props) | (marks & {mailboxes.ANSWERED})
        self.boxes.mark(path, [key], wanted - marks, marks - wanted)

    def mark_read(self, messages: Sequence[EntryId], read: bool) -> None:
        if Can.READ_MARKS not in self.can:
            raise MapiError(Code.NOT_SUPPORTED)
        word = frozenset((mailboxes.READ,))
        nothing: Marks = frozenset()
        with self.lock:
            grouped = self._by_path(messages)
            for path, keys in grouped.items():
                self.boxes.mark(path, keys, word if read else nothing, nothing if read else word)
        self._tell_all(Kind.MODIFIED, grouped)

    def _by_path(self, messages: Sequence[EntryId]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        places = self._places()
        for one in messages:
            try:
                kind, path, key = self._parts(one)
            except MapiError:
                continue
            if kind == _MESSAGE and path in places:
                found.setdefault(path, []).append(key)
        return found

    def _tell_all(self, kind: Kind, grouped: Mapping[str, Sequence[str]]) -> None:
        self._watch.tell(
            *[
                Event(kind, Thing.MESSAGE, self._entry(_MESSAGE, path, key), self.folder_entry(path))
                for path, keys in grouped.items()
                for key in keys
            ]
        )

    def move(self, messages: Sequence[EntryId], target: EntryId) -> list[EntryId]:
        return self._transfer(messages, target, keep=False)

    def copy(self, messages: Sequence[EntryId], target: EntryId) -> list[EntryId]:
        return self._transfer(messages, target, keep=True)

    def _transfer(self, messages: Sequence[EntryId], target: EntryId, *, keep: bool) -> list[EntryId]:
        if Can.SAVE not in self.can:
            raise MapiError(Code.NOT_SUPPORTED)
        kind = Kind.COPIED if keep else Kind.MOVED
        new: dict[EntryId, EntryId] = {}
        events = []
        with self.lock:
            place = self._path(target)
            for path, keys in self._by_path(messages).items():
                for key, made in zip(keys, self.boxes.transfer(path, keys, place, keep=keep), strict=True):
                    if made:
                        self._replaced.pop((place, made), None)
                        old, entry = self._entry(_MESSAGE, path, key), self._entry(_MESSAGE, place, made)
                        new[old] = entry
                        above = self.folder_entry(path)
                        events.append(Event(kind, Thing.MESSAGE, entry, target, old, above))
            found = [new.get(self._current(one), b"") for one in messages]
        self._watch.tell(*events)
        return found

    def delete(self, messages: Sequence[EntryId], *, hard: bool = False) -> int:
        with self.lock:
            grouped = self._by_path(messages)
            count = sum([self.boxes.remove(path, keys) for path, keys in grouped.items()])
        self._tell_all(Kind.DELETED, grouped)
        return count

    # --- what others do -----------------------------------------------------------------------------

    def watch(self, listener: base.Listener) -> base.Cancel:
        return self._watch.add(listener)

    def _look(self) -> watching.Picture:
        """What there is now: by folder and message, whether it was read."""
        with self.lock:
            self.boxes.refresh()
            found: watching.Picture = {}
            for place in self.boxes.places():
                if place.holds:
                    marks = self.boxes.marks(place.path, self.boxes.keys(place.path))
                    found[self.folder_entry(place.path)] = {
                        self._entry(_MESSAGE, place.path, key): words for key, words in marks.items()
                    }
            return found

    def refresh(self) -> None:
        with self.lock:
            self.boxes.refresh()
        self._watch.look()

    def close(self) -> None:
        self._watch.close()
        with self.lock:
            self.boxes.close()


class _Rows:
    """The messages of one folder."""

    def __init__(self, store: MailStore, folder: EntryId) -> None:
        self._store, self._folder = store, folder

    def ids(self) -> Sequence[EntryId]:
        return self._store.keys(self._folder)

    def values(self, ids: Sequence[EntryId], keys: Sequence[Key]) -> list[list[Value | None]]:
        return self._store.values(ids, keys)


class _FolderRows:
    """Folders right below one; how much is in them is asked for where a column tells it."""

    def __init__(self, store: MailStore, bags: Mapping[EntryId, Bag]) -> None:
        self._store, self._bags = store, bags

    def ids(self) -> Sequence[EntryId]:
        return list(self._bags)

    def values(self, ids: Sequence[EntryId], keys: Sequence[Key]) -> list[list[Value | None]]:
        bags = {one: self._bags[one] for one in ids if one in self._bags}
        if not _COUNTS.isdisjoint(keys):
            bags = {one: bag | self._store.counts(one) for one, bag in bags.items()}
        return listing.BagRows(bags).values(ids, keys)


def _as_mime(item: Item, now_ms: int) -> Iterable[bytes]:
    """What no letter says of a meeting, a task or a document goes along as TNEF (MS-OXCMAIL 2.4)."""
    kind = str(item.props.get(pr.MESSAGE_CLASS) or "IPM.NOTE").upper()
    if kind.startswith(_LETTERS):
        return convert.to_mime(item, now_ms=now_ms)
    plain = b"".join(convert.to_mime(item, now_ms=now_ms))
    lost = convert.difference(item, convert.from_mime(plain))
    names = [key for key in lost.change.props if isinstance(key, NamedTag) or key == pr.MESSAGE_CLASS]
    if lost.attachments is None and set(names) <= {KEYWORDS}:
        return (plain,)
    return convert.to_mime(item, now_ms=now_ms, tnef=True)


def _shown(name: str) -> str:
    """A name that is no text as text."""
    return name if name.isascii() else name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _above(path: str) -> str:
    return path.rpartition("/")[0]


def marks_of(props: Mapping[Key, Value]) -> Marks:
    """The marks that an item's properties ask for."""
    flags = props.get(pr.MESSAGE_FLAGS) or 0
    words = {str(word) for word in props.get(KEYWORDS) or ()}
    if flags & derive.READ:
        words.add(mailboxes.READ)
    if flags & derive.UNSENT:
        words.add(mailboxes.DRAFT)
    if props.get(pr.FLAG_STATUS) == _FLAGGED:
        words.add(mailboxes.FLAGGED)
    return frozenset(words)


def _flags(marks: Marks, row: Mapping[Key, Value]) -> int:
    """PidTagMessageFlags (MS-OXCMSG 2.2.1.6)."""
    flags = derive.READ if mailboxes.READ in marks else 0
    if mailboxes.DRAFT in marks:
        flags |= derive.UNSENT
    return flags | (derive.HAS_ATTACH if row.get(pr.HASATTACH) else 0)
