"""IExchangeImportContentsChanges and ...HierarchyChanges: takes into a folder what changed elsewhere.

What is imported keeps the source key of its origin beside it, by which later changes find it, and the
versions that it has seen.  Where both sides changed a message since they met (its list of versions does not
include ours), the one that was changed last wins; what was deleted here stays deleted.  A program that also
exports from here gives its state to Config and UpdateState: what was imported is not told back then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from quintet.errors import BadSyntax
from quintet.mapi import changelists, consts, pr
from quintet.mapi.bag import Bag, Item, Key
from quintet.mapi.changelists import Changes
from quintet.mapi.convert import sources
from quintet.mapi.core import ics, message, values
from quintet.mapi.core.errors import MAPIError, fail
from quintet.mapi.core.ics import ASSOCIATED, SYNC_BASE, SYNC_HISTORY, SYNC_KEY
from quintet.mapi.core.stream import IStream
from quintet.mapi.core.structs import READSTATE, SPropValue
from quintet.mapi.core.unknown import IUnknown
from quintet.mapi.errors import MapiError
from quintet.mapi.providers import derive
from quintet.mapi.providers.base import Can, EntryId, Kind, Thing, View

if TYPE_CHECKING:
    from quintet.mapi.core.store import IMsgStore

_PASSING = frozenset((
    pr.CHANGE_KEY, pr.PREDECESSOR_CHANGE_LIST, pr.LAST_MODIFICATION_TIME, pr.MESSAGE_FLAGS, pr.MESSAGE_SIZE,
    pr.READ, pr.ROWID, *ics.OWN,
))  # fmt: skip
"""What becomes another without anybody having written anything."""


def digest(item: Item) -> bytes:
    """16 bytes that differ when what a message says does; not by reading it, nor by keeping it."""
    hashed = hashlib.blake2b(digest_size=16)
    _put(hashed.update, item)
    return hashed.digest()


def _put(update: Callable[[bytes], None], item: Item) -> None:
    for bag in (item.props, *item.recipients):
        told = sorted([repr((key, value)) for key, value in bag.items() if key not in _PASSING])
        update("\n".join(told).encode("utf-8", "replace") + b"\0")
    for one in item.attachments:
        told = sorted([repr((key, value)) for key, value in one.props.items() if key not in _PASSING])
        update("\n".join(told).encode("utf-8", "replace") + b"\1")
        if one.item is not None:
            _put(update, one.item)
            continue
        for piece in sources.pieces(one.data):
            update(piece)


class _Importer(IUnknown):
    """What both have: what is here, and a state of exporting from here in which what comes is noted."""

    def __init__(self, store: IMsgStore, folder: EntryId) -> None:
        super().__init__(store._lock)
        self._store, self._folder = store, folder
        self._stream: IStream | None = None
        self._flags = 0
        self._imported: frozenset[bytes] = frozenset()  # source keys of what came before
        self._known: dict[bytes, EntryId] | None = None  # by the source keys they go by; None: not yet read
        self._noted: dict[bytes, bytes] = {}
        self._keys: dict[bytes, bytes] = {}

    def Config(self, stream: IStream | None, flags: int = 0) -> None:
        """``stream``: the state of exporting from this folder to where changes come from, if that is done.

        With SYNC_NO_CONFLICTS a conflict is raised (SYNC_E_CONFLICT) instead of decided.
        Raises MAPIErrorCorruptData.
        """
        self._imported = frozenset(ics.read_state(stream).keys.values())
        self._stream, self._flags = stream, flags
        self._noted, self._keys, self._known = {}, {}, None

    def UpdateState(self, stream: IStream | None) -> None:
        """Writes the state, with what was imported in it; None: into the stream of Config."""
        target = stream or self._stream
        if target is None:
            return
        state = ics.read_state(target)
        ics.write_state(
            target, ics.State(state.normal, state.hidden, state.done | self._noted, state.keys | self._keys)
        )

    def _note(self, kind: str, entry: EntryId, mark: object = None, key: bytes = b"") -> None:
        step = ics.Step(kind, entry, mark)
        self._noted[step.name] = step.said
        if key:
            self._keys[entry] = key

    def _every(self) -> dict[bytes, EntryId]:
        """What is here, by the source keys that it goes by."""
        raise fail("MAPI_E_NO_SUPPORT")

    def _find(self, key: bytes) -> EntryId | None:
        if self._known is None:
            self._known = self._every()
        return self._known.get(key)

    def _here(self, key: bytes, entry: EntryId) -> None:
        if self._known is not None:
            self._known[key] = entry

    def _is_own(self, key: bytes) -> bool:
        """It was made in this store."""
        source = self._store.source
        try:
            entry = source.entry_of(source.source_key(self._folder), key)
        except MapiError:
            return False
        return entry[4:20] == source.uid and source.source_key(entry) == key

    def _was_deleted(self, key: bytes) -> bool:
        """It was here once; asked when it is not."""
        return self._is_own(key) or key in self._imported


class _Imported(message.IMessage):
    """A message to which another's content is copied."""

    def __init__(
        self,
        importer: ImportContentsChanges,
        entry: EntryId | None,
        item: Item,
        told: Bag,
        view: View,
    ) -> None:
        super().__init__(
            importer._store, importer._folder, entry, item, importer._lock, writable=True, view=view
        )
        self._importer, self._told = importer, told
        self._changed = True  # whatever is copied to it

    def SaveChanges(self, flags: int = 0) -> None:
        """Keeps it, with what it is by now, so that a change by somebody else can be told from this one."""
        super().SaveChanges(flags)
        assert self._store is not None
        assert self._entry is not None
        source, entry = self._store.source, self._entry
        if Can.PROPS in source.can:
            source.update(entry, {SYNC_BASE: digest(source.load(entry))})
        if Can.READ_MARKS in source.can and pr.MESSAGE_FLAGS in self._told:
            source.mark_read([entry], bool(self._told[pr.MESSAGE_FLAGS] & consts.MSGFLAG_READ))
        now, key = source.load(entry).props, self._told[pr.SOURCE_KEY]
        self._importer._note("changed", entry, bytes(now.get(pr.CHANGE_KEY) or b""), key)
        self._importer._here(key, entry)


class ImportContentsChanges(_Importer):
    """IExchangeImportContentsChanges of a folder."""

    iids: ClassVar[tuple[str, ...]] = ("IID_IExchangeImportContentsChanges",)

    def _every(self) -> dict[bytes, EntryId]:
        return _keys_in(self._store, self._folder)

    def ImportMessageChange(self, props: Sequence[SPropValue], flags: int = 0) -> message.IMessage:
        """The message to copy the new content to; it is kept by its SaveChanges.

        Raises MAPIError(SYNC_E_IGNORE): a version that is as new is here already, or one that wins over it.
        MAPIError(SYNC_E_OBJECT_DELETED): it was deleted here.  MAPIError(SYNC_E_CONFLICT): see Config.
        """
        told = values.bag_of(props)
        key = told.get(pr.SOURCE_KEY)
        if not key:
            raise fail("MAPI_E_INVALID_PARAMETER", "a change without PR_SOURCE_KEY")
        entry = self._find(key)
        theirs = bytes(told.get(pr.PREDECESSOR_CHANGE_LIST) or b"")
        if entry is None:
            if self._was_deleted(key):
                raise MAPIError.from_hresult(consts.SYNC_E_OBJECT_DELETED)
            hidden = bool(flags & consts.SYNC_ASSOCIATED) or bool(told.get(ASSOCIATED))
            item = message.draft()
            item.props |= {SYNC_KEY: key, SYNC_HISTORY: theirs}
            return _Imported(self, None, item, told, View.ASSOCIATED if hidden else View.NORMAL)
        old = self._store.source.load(entry)
        self._decide(old, told)
        kept: Bag = {tag: value for tag, value in old.props.items() if tag in message.IMessage.computed}
        seen = _joined(ics.history(old.props), theirs)
        item = Item({**kept, SYNC_KEY: key, SYNC_HISTORY: seen})  # the rest is what they say
        flags_now = old.props.get(pr.MESSAGE_FLAGS) or 0
        view = View.ASSOCIATED if flags_now & derive.ASSOCIATED else View.NORMAL
        return _Imported(self, entry, item, told, view)

    def _decide(self, old: Item, told: Bag) -> None:
        """Returns if theirs is to be taken (MS-OXCFXICS 3.1.5.6.2.1)."""
        theirs, new = _read(told.get(pr.PREDECESSOR_CHANGE_LIST)), _version(told.get(pr.CHANGE_KEY))
        ours, own = _read(ics.history(old.props)), _version(old.props.get(pr.CHANGE_KEY))
        if new is not None and ours is not None and changelists.includes(ours, new):
            raise MAPIError.from_hresult(consts.SYNC_E_IGNORE)
        if theirs is not None and own is not None and changelists.includes(theirs, own):
            return
        base = old.props.get(SYNC_BASE)
        if base is not None and base == digest(old):
            return  # nobody wrote here since it was imported
        if self._flags & consts.SYNC_NO_CONFLICTS:
            raise MAPIError.from_hresult(consts.SYNC_E_CONFLICT)
        mine, other = old.props.get(pr.LAST_MODIFICATION_TIME), told.get(pr.LAST_MODIFICATION_TIME)
        if mine is not None and other is not None and mine > other:
            raise MAPIError.from_hresult(consts.SYNC_E_IGNORE)

    def ImportMessageDeletion(self, flags: int, keys: Sequence[bytes]) -> None:
        """Those that are not here are passed over; SYNC_SOFT_DELETE lets them come back."""
        found = {key: entry for key in keys if (entry := self._find(key)) is not None}
        soft = bool(flags & consts.SYNC_SOFT_DELETE)
        self._store.source.delete(list(found.values()), hard=not soft)
        for key, one in found.items():
            self._store.hub.did(Kind.DELETED, Thing.MESSAGE, one, self._folder)
            self._note("gone", one)
            if self._known is not None:
                del self._known[key]

    def ImportPerUserReadStateChange(self, states: Sequence[READSTATE]) -> None:
        for read in (True, False):
            wanted = consts.MSGFLAG_READ if read else 0
            keys = [one.SourceKey for one in states if one.ulFlags & consts.MSGFLAG_READ == wanted]
            found = [entry for key in keys if (entry := self._find(key)) is not None]
            if found:
                self._store.source.mark_read(found, read)
            for one in found:
                self._note("read", one, read)

    def ImportMessageMove(
        self, folder: bytes, key: bytes, history: bytes = b"", new_key: bytes = b"", change: bytes = b""
    ) -> None:
        """A message of another folder of this store, by the source keys of both, has moved here.

        From now on it goes by ``new_key``.  Raises MAPIErrorNotFound.
        """
        source = self._store.source
        place = self._folder_of(folder)
        entry = None if place is None else _keys_in(self._store, place).get(key)
        if entry is None or place is None:
            raise fail("MAPI_E_NOT_FOUND", "no such message")
        (moved,) = source.move([entry], self._folder)
        if not moved:
            raise fail("MAPI_E_NOT_FOUND", "it went meanwhile")
        if Can.PROPS in source.can:
            seen = _joined(ics.history(source.load(moved).props), history)
            source.update(moved, {SYNC_KEY: new_key or key, SYNC_HISTORY: seen})
        self._store.hub.did(Kind.MOVED, Thing.MESSAGE, moved, self._folder)
        now = source.load(moved).props
        self._note("changed", moved, bytes(now.get(pr.CHANGE_KEY) or b""), new_key or key)
        self._here(new_key or key, moved)

    def _folder_of(self, key: bytes) -> EntryId | None:
        """A folder of the store by its source key here, or where it came from."""
        from quintet.mapi.core.folder import below  # it knows this module

        source = self._store.source
        for one in below(self._store, source.root):
            if key in (source.source_key(one), source.folder(one).get(SYNC_KEY)):
                return one
        return None


def _keys_in(store: IMsgStore, folder: EntryId) -> dict[bytes, EntryId]:
    """The messages of a folder by the source keys that they go by, of their origin or here."""
    source, known = store.source, {}
    for view in (View.NORMAL, View.ASSOCIATED):
        if view is View.ASSOCIATED and Can.ASSOCIATED not in source.can:
            continue
        rows = source.messages(folder, view)
        ids = rows.ids()
        keys: list[Key] = [SYNC_KEY]
        for one, (foreign,) in zip(ids, rows.values(ids, keys), strict=True):
            known[foreign or source.source_key(one)] = one
    return known


def _read(raw: object) -> Changes | None:
    """None: a list of another system's making."""
    try:
        return changelists.read(raw) if isinstance(raw, bytes) and raw else None
    except BadSyntax:
        return None


def _version(key: object) -> Changes | None:
    """A change key as a list of its own."""
    return _read(bytes([len(key)]) + key) if isinstance(key, bytes) and 0 < len(key) < 256 else None


def _joined(one: bytes, other: bytes) -> bytes:
    first, second = _read(one), _read(other)
    if first is None or second is None:
        return one if second is None else other
    return changelists.write(changelists.joined(first, second))


class ImportHierarchyChanges(_Importer):
    """IExchangeImportHierarchyChanges of a folder: makes, renames, moves and deletes folders below it."""

    iids: ClassVar[tuple[str, ...]] = ("IID_IExchangeImportHierarchyChanges",)

    def _every(self) -> dict[bytes, EntryId]:
        from quintet.mapi.core.folder import below  # it knows this module

        source = self._store.source
        return {
            source.folder(one).get(SYNC_KEY) or source.source_key(one): one
            for one in below(self._store, self._folder)
        }

    def ImportFolderChange(self, props: Sequence[SPropValue]) -> None:
        """Raises MAPIError(SYNC_E_NO_PARENT): its parent is not here; (SYNC_E_OBJECT_DELETED): it was deleted
        here; (SYNC_E_CYCLE): it would be in itself.
        """
        bag, source = values.bag_of(props), self._store.source
        key, above = bag.get(pr.SOURCE_KEY), bag.get(pr.PARENT_SOURCE_KEY)
        if not key:
            raise fail("MAPI_E_INVALID_PARAMETER", "a change without PR_SOURCE_KEY")
        entry, parent = self._find(key), self._folder if not above else self._find(above)
        if entry is None and self._was_deleted(key):
            raise MAPIError.from_hresult(consts.SYNC_E_OBJECT_DELETED)
        if parent is None:
            raise MAPIError.from_hresult(consts.SYNC_E_NO_PARENT)
        told: Bag = {
            tag: bag[tag]
            for tag in (pr.DISPLAY_NAME, pr.CONTAINER_CLASS, pr.COMMENT)
            if bag.get(tag) is not None
        }
        if entry is None:
            fresh = {pr.FOLDER_TYPE: bag.get(pr.FOLDER_TYPE, 1), **told, SYNC_KEY: key}
            entry = source.make_folder(parent, fresh)
            self._store.hub.did(Kind.CREATED, Thing.FOLDER, entry, parent)
        else:
            entry = self._change(entry, parent, told)
            self._store.hub.did(Kind.MODIFIED, Thing.FOLDER, entry, parent)
        self._here(key, entry)
        self._note("changed", entry, ics.folder_digest(source.folder(entry)), key)

    def _change(self, entry: EntryId, parent: EntryId, told: Mapping[Key, object]) -> EntryId:
        source = self._store.source
        now = source.folder(entry)
        if now[pr.PARENT_ENTRYID] != parent:
            try:
                entry = source.move_folder(entry, parent, str(told.get(pr.DISPLAY_NAME) or "") or None)
            except MapiError as error:
                if error.code == consts.MAPI_E_FOLDER_CYCLE:
                    raise MAPIError.from_hresult(consts.SYNC_E_CYCLE) from error
                raise
            now = source.folder(entry)
        changes: Bag = {tag: value for tag, value in told.items() if now.get(tag) != value}
        if changes:
            source.update(entry, changes)
        return entry

    def ImportFolderDeletion(self, flags: int, keys: Iterable[bytes]) -> None:
        from quintet.mapi.core.folder import below  # it knows this module

        for key in keys:
            entry = self._find(key)
            if entry is None:
                continue
            gone = {entry, *below(self._store, entry)}
            self._store.source.delete_folder(entry)
            self._store.hub.did(Kind.DELETED, Thing.FOLDER, entry)
            for one in gone:
                self._note("gone", one)
            if self._known is not None:
                self._known = {known: one for known, one in self._known.items() if one not in gone}
