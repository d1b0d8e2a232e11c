"""IExchangeExportChanges and its importers: what changed in a folder since a state (MS-OXCFXICS, as an
interface).

A state is a stream of bytes that a program keeps and never looks into; empty, or eight zeros, is the
beginning. It tells how far the provider was asked, and, where a program stopped in between, which changes it
had by then.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import msgspec

from quintet.mapi import consts, match, names, pr, restrict
from quintet.mapi.bag import Bag, Item, Key, NamedTag
from quintet.mapi.core import message, structs, values
from quintet.mapi.core.errors import MAPIError, fail
from quintet.mapi.core.props import IMAPIProp
from quintet.mapi.core.stream import IStream
from quintet.mapi.core.structs import READSTATE, SPropValue
from quintet.mapi.core.unknown import IUnknown
from quintet.mapi.errors import MapiError
from quintet.mapi.providers import listing
from quintet.mapi.providers.base import Can, Changes, EntryId, Kind, Thing, View
from quintet.mapi.types import Tag, Value

if TYPE_CHECKING:
    from quintet.mapi.core.store import IMsgStore

ASSOCIATED: Tag = 0x67AA000B  # PidTagAssociated: it is a hidden message
MAX_STATE = 256 * 1024 * 1024  # bytes
START = bytes(8)  # what older programs write for the beginning
SYNC_KEY = NamedTag(uuid.UUID("6f1c1f3e-6bb0-4c0b-9a53-0b7b6a2d9e11"), "SourceKey", consts.PT_BINARY)
"""On a message that was imported: the source key that it has where it came from."""


class _State(msgspec.Struct):
    """``done``: changes after ``normal`` and ``hidden`` that were handed over already, with their change
    keys.
    """

    normal: bytes = b""
    hidden: bytes = b""
    done: dict[bytes, bytes] = {}


class _Step(NamedTuple):
    kind: str  # "changed", "read" or "gone"
    entry: EntryId
    mark: Any = None  # change key; read or not
    hidden: bool = False


def _read_state(stream: IStream | None) -> _State:
    """Raises MAPIErrorCorruptData: no state of ours."""
    if stream is None:
        return _State()
    stream.Seek(0)
    raw = stream.Read(MAX_STATE)
    if not raw or raw == START:
        return _State()
    try:
        return msgspec.msgpack.decode(raw, type=_State)
    except msgspec.DecodeError as error:
        raise fail("MAPI_E_CORRUPT_DATA", "no state of a synchronization") from error


def _write_state(stream: IStream, state: _State) -> None:
    stream.SetSize(0)
    stream.Seek(0)
    stream.Write(msgspec.msgpack.encode(state))


def exporter(store: IMsgStore, folder: EntryId, *, hierarchy: bool) -> IExchangeExportChanges:
    """Of messages (PR_CONTENTS_SYNCHRONIZER) or of folders (PR_HIERARCHY_SYNCHRONIZER)."""
    return (ExportHierarchy if hierarchy else ExportContents)(store, folder)


class IExchangeExportChanges(IUnknown):
    """Config, then Synchronize until both its numbers are equal, then UpdateState.

    The importer is any object with the methods of IExchangeImportContentsChanges or ...HierarchyChanges.
    """

    iids: ClassVar[tuple[str, ...]] = ("IID_IExchangeExportChanges",)

    def __init__(self, store: IMsgStore, folder: EntryId) -> None:
        super().__init__(store._lock)
        self._store, self._folder = store, folder
        self._before = self._after = _State()
        self._steps: list[_Step] | None = None
        self._at = 0
        self._importer: Any = None  # a program's object
        self._flags = 0
        self._restriction: structs.SRestriction | None = None

    def Config(
        self,
        stream: IStream | None,
        flags: int,
        importer: object,
        restriction: structs.SRestriction | None = None,
        include: Sequence[int] | None = None,
        exclude: Sequence[int] | None = None,
        size: int = 0,
    ) -> None:
        """``flags``: SYNC_NORMAL, SYNC_ASSOCIATED, SYNC_READ_STATE, SYNC_NO_DELETIONS, SYNC_CATCHUP...

        SYNC_CATCHUP hands nothing over: the state afterwards is that of now.
        """
        self._before = _read_state(stream)
        self._importer, self._flags, self._restriction = importer, flags, restriction
        self._at = 0
        found = self._find()
        self._steps = [] if flags & consts.SYNC_CATCHUP else found

    def Synchronize(self, step: int = 0) -> tuple[int, int]:
        """Hands over one change; gives how many there are, and how many of them are done.

        Raises what the importer raised, except SYNC_E_IGNORE; the same change comes again with the next call.
        """
        if self._steps is None:
            raise fail("MAPI_E_UNCONFIGURED")
        if self._at < len(self._steps):
            self._hand_over(self._steps[self._at])
            self._at += 1
        return len(self._steps), self._at

    def UpdateState(self, stream: IStream) -> None:
        """Writes the state: what was handed over is in it."""
        if self._steps is None:
            raise fail("MAPI_E_UNCONFIGURED")
        if self._at >= len(self._steps):
            _write_state(stream, self._after)
            return
        done = dict(self._before.done)
        done.update({step.entry: _mark(step) for step in self._steps[: self._at]})
        _write_state(stream, _State(self._before.normal, self._before.hidden, done))

    def _find(self) -> list[_Step]:
        raise fail("MAPI_E_NO_SUPPORT")

    def _hand_over(self, step: _Step) -> None:
        raise fail("MAPI_E_NO_SUPPORT")

    def _left(self, steps: list[_Step]) -> list[_Step]:
        return [step for step in steps if self._before.done.get(step.entry) != _mark(step)]


def _mark(step: _Step) -> bytes:
    return step.mark if isinstance(step.mark, bytes) else b"%d" % bool(step.mark)


class ExportContents(IExchangeExportChanges):
    """Changes of messages."""

    def _find(self) -> list[_Step]:
        flags, source, steps = self._flags, self._store.source, []
        after = _State(self._before.normal, self._before.hidden)
        if flags & consts.SYNC_NORMAL or not flags & consts.SYNC_ASSOCIATED:
            changes = source.changes(self._folder, self._before.normal)
            after.normal = changes.state
            steps += self._of(changes, View.NORMAL)
        if flags & consts.SYNC_ASSOCIATED and Can.ASSOCIATED in source.can:
            rows = source.messages(self._folder, View.ASSOCIATED)
            changes = Changes(*listing.compare(rows, self._before.hidden))
            after.hidden = changes.state
            steps += self._of(changes, View.ASSOCIATED)
        self._after = after
        return self._left(steps)

    def _of(self, changes: Changes, view: View) -> list[_Step]:
        hidden = view is View.ASSOCIATED
        rows = self._store.source.messages(self._folder, view)
        wanted = self._matching(rows, changes.changed)
        keys = rows.values(wanted, [pr.CHANGE_KEY])
        steps = [
            _Step("changed", one, bytes(key or b""), hidden) for one, (key,) in zip(wanted, keys, strict=True)
        ]
        if self._flags & consts.SYNC_READ_STATE:
            steps += [_Step("read", one, read, hidden) for one, read in changes.read]
        if not self._flags & consts.SYNC_NO_DELETIONS:
            steps += [_Step("gone", one, None, hidden) for one in changes.gone]
        return steps

    def _matching(self, rows: Any, entries: list[EntryId]) -> list[EntryId]:
        if self._restriction is None:
            return entries
        matcher = match.compiled(values.restriction(self._restriction))
        found = rows.values(entries, [names.key(tag) for tag in matcher.keys])
        load = self._store.source.load
        return [
            one
            for one, row in zip(entries, found, strict=True)
            if matcher.test(row, functools.partial(_parts, load, one))
        ]

    def _hand_over(self, step: _Step) -> None:
        source = self._store.source
        key = source.source_key(step.entry)
        if step.kind == "gone":
            self._importer.ImportMessageDeletion(0, [key])
            return
        if step.kind == "read":
            flags = consts.MSGFLAG_READ if step.mark else 0
            self._importer.ImportPerUserReadStateChange([READSTATE(key, flags)])
            return
        try:
            item = source.load(step.entry)
        except MapiError:
            return  # it went meanwhile; the next time tells that it is gone
        props = _change_props(item.props, key, step)
        props.append(SPropValue(pr.STORE_ENTRYID, source.entry_id))
        target = self._ignored(props, step)
        if isinstance(target, IMAPIProp):
            own = message.IMessage(self._store, self._folder, step.entry, item, self._lock, writable=False)
            own.CopyTo(None, None, 0, None, None, target, 0)
            target.SaveChanges(0)

    def _ignored(self, props: list[SPropValue], step: _Step) -> Any:
        """What the importer gives for a change; None for one that it does not want."""
        flags = consts.SYNC_ASSOCIATED if step.hidden else 0
        try:
            return self._importer.ImportMessageChange(props, flags)
        except MAPIError as error:
            if error.hr == consts.SYNC_E_IGNORE:
                return None
            raise


def _parts(load: Any, entry: EntryId, table: Tag) -> Sequence[Mapping[Tag, Value]]:
    item: Item = load(entry)
    bags = item.recipients if table == restrict.RECIPIENTS else [one.props for one in item.attachments]
    return [{names.tag(key): value for key, value in bag.items()} for bag in bags]


def _change_props(bag: Bag, key: bytes, step: _Step) -> list[SPropValue]:
    """What an importer is told of a change (IExchangeImportContentsChanges::ImportMessageChange)."""
    change_key = bytes(bag.get(pr.CHANGE_KEY) or b"")
    history = bag.get(pr.PREDECESSOR_CHANGE_LIST) or bytes([len(change_key) & 0xFF]) + change_key
    return [
        SPropValue(pr.SOURCE_KEY, key),
        values.shown(pr.LAST_MODIFICATION_TIME, bag.get(pr.LAST_MODIFICATION_TIME)),
        SPropValue(pr.CHANGE_KEY, change_key),
        SPropValue(pr.PREDECESSOR_CHANGE_LIST, history),
        SPropValue(pr.ENTRYID, step.entry),
        SPropValue(ASSOCIATED, step.hidden),
        values.shown(pr.MESSAGE_FLAGS, bag.get(pr.MESSAGE_FLAGS) or 0),
    ]


class ExportHierarchy(IExchangeExportChanges):
    """Changes of folders below one, parents before children."""

    def _find(self) -> list[_Step]:
        from quintet.mapi.core.folder import below  # it knows this module

        before = _folder_state(self._before.normal)
        now = {one: self._digest(one) for one in below(self._store, self._folder)}
        self._after = _State(msgspec.msgpack.encode(now))
        steps = [_Step("changed", one, mark) for one, mark in now.items() if before.get(one) != mark]
        if not self._flags & consts.SYNC_NO_DELETIONS:
            steps += [_Step("gone", one) for one in before if one not in now]
        return self._left(steps)

    def _digest(self, entry: EntryId) -> bytes:
        bag = self._store.source.folder(entry)
        told = (pr.DISPLAY_NAME, pr.PARENT_ENTRYID, pr.CONTAINER_CLASS, pr.COMMENT, pr.FOLDER_TYPE)
        return uuid.uuid5(uuid.NAMESPACE_OID, repr([bag.get(tag) for tag in told])).bytes

    def _hand_over(self, step: _Step) -> None:
        source = self._store.source
        if step.kind == "gone":
            self._importer.ImportFolderDeletion(0, [source.source_key(step.entry)])
            return
        bag = source.folder(step.entry)
        parent = bag[pr.PARENT_ENTRYID]
        above = b"" if parent == self._folder else source.source_key(parent)
        props = [
            SPropValue(pr.PARENT_SOURCE_KEY, above),
            SPropValue(pr.SOURCE_KEY, source.source_key(step.entry)),
        ]
        for tag in (
            pr.LAST_MODIFICATION_TIME,
            pr.DISPLAY_NAME,
            pr.CONTAINER_CLASS,
            pr.COMMENT,
            pr.FOLDER_TYPE,
        ):
            props += [values.shown(tag, bag[tag])] if bag.get(tag) is not None else []
        props += [SPropValue(pr.CHANGE_KEY, step.mark), SPropValue(pr.ENTRYID, step.entry)]
        try:
            self._importer.ImportFolderChange(props)
        except MAPIError as error:
            if error.hr != consts.SYNC_E_IGNORE:
                raise


def _folder_state(raw: bytes) -> dict[bytes, bytes]:
    if not raw:
        return {}
    try:
        return msgspec.msgpack.decode(raw, type=dict[bytes, bytes])
    except msgspec.DecodeError as error:
        raise fail("MAPI_E_CORRUPT_DATA", "no state of folders") from error


# --- taking changes --------------------------------------------------------------------------------------


class ImportContentsChanges(IUnknown):
    """IExchangeImportContentsChanges of a folder: takes changes of messages from elsewhere.

    An imported message keeps the source key of its origin beside it, by which later changes find it.
    """

    iids: ClassVar[tuple[str, ...]] = ("IID_IExchangeImportContentsChanges",)

    def __init__(self, store: IMsgStore, folder: EntryId) -> None:
        super().__init__(store._lock)
        self._store, self._folder = store, folder
        self._known: dict[bytes, EntryId] | None = None

    def Config(self, stream: IStream | None, flags: int = 0) -> None:
        """The state is the exporter's business; here it is only carried."""
        self._known = None

    def UpdateState(self, stream: IStream | None) -> None:
        """Nothing of our own has to be kept."""

    def _find(self, key: bytes) -> EntryId | None:
        if self._known is None:
            source, self._known = self._store.source, {}
            for view in (View.NORMAL, View.ASSOCIATED):
                if view is View.ASSOCIATED and Can.ASSOCIATED not in source.can:
                    continue
                rows = source.messages(self._folder, view)
                ids = rows.ids()
                keys: list[Key] = [SYNC_KEY]
                for one, (foreign,) in zip(ids, rows.values(ids, keys), strict=True):
                    self._known[foreign or source.source_key(one)] = one
        return self._known.get(key)

    def ImportMessageChange(self, props: Sequence[SPropValue], flags: int = 0) -> message.IMessage:
        """The message to copy the new content to; it is kept by its SaveChanges.

        Raises MAPIError(SYNC_E_IGNORE): a version that is as new is here already.
        """
        bag = values.bag_of(props)
        key = bag.get(pr.SOURCE_KEY)
        if not key:
            raise fail("MAPI_E_INVALID_PARAMETER", "a change without PR_SOURCE_KEY")
        entry = self._find(key)
        if entry is None:
            hidden = bool(flags & consts.SYNC_ASSOCIATED) or bool(bag.get(ASSOCIATED))
            item = message.draft()
            item.props[SYNC_KEY] = key
            self._known = None
            view = View.ASSOCIATED if hidden else View.NORMAL
            return message.IMessage(
                self._store, self._folder, None, item, self._lock, writable=True, view=view
            )
        found: message.IMessage = self._store.OpenEntry(entry, consts.IID_IMessage, consts.MAPI_MODIFY)
        own, theirs = found._item.props.get(pr.LAST_MODIFICATION_TIME), bag.get(pr.LAST_MODIFICATION_TIME)
        if own is not None and theirs is not None and own > theirs:
            raise MAPIError.from_hresult(consts.SYNC_E_IGNORE)
        found._item.props[SYNC_KEY] = key
        return found

    def ImportMessageDeletion(self, flags: int, keys: Sequence[bytes]) -> None:
        """Those that are not here are passed over; SYNC_SOFT_DELETE lets them come back."""
        found = [entry for key in keys if (entry := self._find(key)) is not None]
        soft = bool(flags & consts.SYNC_SOFT_DELETE)
        self._store.source.delete(found, hard=not soft)
        for one in found:
            self._store.hub.did(Kind.DELETED, Thing.MESSAGE, one, self._folder)
        self._known = None

    def ImportPerUserReadStateChange(self, states: Sequence[READSTATE]) -> None:
        for read in (True, False):
            wanted = consts.MSGFLAG_READ if read else 0
            keys = [one.SourceKey for one in states if one.ulFlags & consts.MSGFLAG_READ == wanted]
            found = [entry for key in keys if (entry := self._find(key)) is not None]
            if found:
                self._store.source.mark_read(found, read)

    def ImportMessageMove(self, *keys: bytes) -> None:
        """Raises MAPIError(SYNC_E_IGNORE): a move comes as a deletion and a new message."""
        raise MAPIError.from_hresult(consts.SYNC_E_IGNORE)


class ImportHierarchyChanges(IUnknown):
    """IExchangeImportHierarchyChanges of a folder: makes, renames and deletes folders below it."""

    iids: ClassVar[tuple[str, ...]] = ("IID_IExchangeImportHierarchyChanges",)

    def __init__(self, store: IMsgStore, folder: EntryId) -> None:
        super().__init__(store._lock)
        self._store, self._folder = store, folder
        self._known: dict[bytes, EntryId] = {}

    def Config(self, stream: IStream | None, flags: int = 0) -> None:
        """The state is the exporter's business; here it is only carried."""

    def UpdateState(self, stream: IStream | None) -> None:
        """Nothing of our own has to be kept."""

    def _find(self, key: bytes) -> EntryId | None:
        from quintet.mapi.core.folder import below  # it knows this module

        source = self._store.source
        if not self._known:
            for one in below(self._store, self._folder):
                self._known[source.folder(one).get(SYNC_KEY) or source.source_key(one)] = one
        return self._known.get(key)

    def ImportFolderChange(self, props: Sequence[SPropValue]) -> None:
        """Raises MAPIError(SYNC_E_NO_PARENT)."""
        bag, source = values.bag_of(props), self._store.source
        key, above = bag.get(pr.SOURCE_KEY), bag.get(pr.PARENT_SOURCE_KEY)
        if not key:
            raise fail("MAPI_E_INVALID_PARAMETER", "a change without PR_SOURCE_KEY")
        parent = self._folder if not above else self._find(above)
        if parent is None:
            raise MAPIError.from_hresult(consts.SYNC_E_NO_PARENT)
        told: Bag = {
            tag: bag[tag]
            for tag in (pr.DISPLAY_NAME, pr.CONTAINER_CLASS, pr.COMMENT)
            if bag.get(tag) is not None
        }
        entry = self._find(key)
        if entry is None:
            entry = source.make_folder(
                parent, {pr.FOLDER_TYPE: bag.get(pr.FOLDER_TYPE, 1), **told, SYNC_KEY: key}
            )
            self._known[key] = entry
            self._store.hub.did(Kind.CREATED, Thing.FOLDER, entry, parent)
            return
        now = source.folder(entry)
        if now[pr.PARENT_ENTRYID] != parent:
            self._known[key] = entry = source.move_folder(entry, parent, told.get(pr.DISPLAY_NAME))
        source.update(entry, {tag: value for tag, value in told.items() if now.get(tag) != value})
        self._store.hub.did(Kind.MODIFIED, Thing.FOLDER, entry, parent)

    def ImportFolderDeletion(self, flags: int, keys: Sequence[bytes]) -> None:
        for key in keys:
            entry = self._find(key)
            if entry is not None:
                self._store.source.delete_folder(entry)
                self._store.hub.did(Kind.DELETED, Thing.FOLDER, entry)
        self._known.clear()
