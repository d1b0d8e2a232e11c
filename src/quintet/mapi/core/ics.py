"""IExchangeExportChanges: what changed in a folder since a state (MS-OXCFXICS, as an interface).

A state is a stream of bytes that a program keeps and never looks into; empty, or eight zeros, is the
beginning. It tells how far the provider was asked, which changes were handed over besides, where a program
stopped in between, and which came by an importer (`icsimport`) and so are not told to where they came from.

What was imported goes on by the source key that it has where it was made, here as there.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import msgspec

from quintet.errors import BadSyntax
from quintet.mapi import changelists, consts, match, names, pr
from quintet.mapi.bag import Bag, NamedTag
from quintet.mapi.core import message, structs, values
from quintet.mapi.core.errors import MAPIError, fail
from quintet.mapi.core.props import IMAPIProp
from quintet.mapi.core.stream import IStream
from quintet.mapi.core.structs import READSTATE, SPropValue
from quintet.mapi.core.unknown import IUnknown
from quintet.mapi.errors import MapiError
from quintet.mapi.providers import derive, listing
from quintet.mapi.providers.base import Can, Changes, EntryId, View
from quintet.mapi.types import Tag

if TYPE_CHECKING:
    from quintet.mapi.core.store import IMsgStore

ASSOCIATED: Tag = 0x67AA000B  # PidTagAssociated: it is a hidden message
MAX_STATE = 256 * 1024 * 1024  # bytes
START = bytes(8)  # what older programs write for the beginning
_SET = uuid.UUID("6f1c1f3e-6bb0-4c0b-9a53-0b7b6a2d9e11")
SYNC_KEY = NamedTag(_SET, "SourceKey", consts.PT_BINARY)
"""On what was imported: the source key that it has where it came from."""
SYNC_HISTORY = NamedTag(_SET, "PredecessorChangeList", consts.PT_BINARY)
"""The versions that were imported into it."""
SYNC_BASE = NamedTag(_SET, "Imported", consts.PT_BINARY)
"""What it said then: whoever changed it since has changed that (`icsimport.digest`)."""
OWN = (SYNC_KEY, SYNC_HISTORY, SYNC_BASE)


class State(msgspec.Struct):
    """``done``: marks of steps after ``normal`` and ``hidden`` that are known already, by `Step.name`.

    ``keys``: the source keys of what was imported, by its entry id here.
    """

    normal: bytes = b""
    hidden: bytes = b""
    done: dict[bytes, bytes] = {}
    keys: dict[bytes, bytes] = {}


class Step(NamedTuple):
    """One change of a message or a folder."""

    kind: str  # "changed", "read" or "gone"
    entry: EntryId
    mark: Any = None  # change key; read or not
    hidden: bool = False

    @property
    def name(self) -> bytes:
        """What it is called in a state: reading is apart from other changes."""
        return self.entry + _READ if self.kind == "read" else self.entry

    @property
    def said(self) -> bytes:
        return self.mark if isinstance(self.mark, bytes) else b"%d" % bool(self.mark)


_READ = b"\0read"


def read_state(stream: IStream | None) -> State:
    """Raises MAPIErrorCorruptData: no state of ours."""
    if stream is None:
        return State()
    stream.Seek(0)
    raw = stream.Read(MAX_STATE)
    if not raw or raw == START:
        return State()
    try:
        return msgspec.msgpack.decode(raw, type=State)
    except (msgspec.DecodeError, RecursionError) as error:
        raise fail("MAPI_E_CORRUPT_DATA", "no state of a synchronization") from error


def write_state(stream: IStream, state: State) -> None:
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
        self._before = self._after = State()
        self._steps: list[Step] | None = None
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
        self._before = read_state(stream)
        self._importer, self._flags, self._restriction = importer, flags, restriction
        self._at = 0
        found = self._find()
        self._steps = [] if flags & consts.SYNC_CATCHUP else found

    def Synchronize(self, step: int = 0) -> tuple[int, int]:
        """Hands over one change; gives how many there are, and how many of them are done.

        Raises what the importer raised, except SYNC_E_IGNORE and SYNC_E_OBJECT_DELETED; the same change comes
        again with the next call.
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
            write_state(stream, self._after)
            return
        done = dict(self._before.done)
        done.update({step.name: step.said for step in self._steps[: self._at]})
        state = State(self._before.normal, self._before.hidden, done, self._before.keys | self._after.keys)
        write_state(stream, state)

    def _find(self) -> list[Step]:
        raise fail("MAPI_E_NO_SUPPORT")

    def _hand_over(self, step: Step) -> None:
        raise fail("MAPI_E_NO_SUPPORT")

    def _left(self, steps: list[Step]) -> list[Step]:
        """Those that are not known yet; keys of what is gone are forgotten with it."""
        keys = self._before.keys | self._after.keys
        for step in steps:
            if step.kind == "gone":
                keys.pop(step.entry, None)
        self._after.keys = keys
        return [step for step in steps if self._before.done.get(step.name) != step.said]

    def _key(self, entry: EntryId, own: object = None) -> bytes:
        """The source key by which it goes; ``own``: what an importer has left on it."""
        known = own or self._before.keys.get(entry)
        return bytes(known) if isinstance(known, bytes) else self._store.source.source_key(entry)

    def _told(self, tell: Callable[[], Any]) -> Any:
        """What the importer gives; None for what it does not want."""
        try:
            return tell()
        except MAPIError as error:
            if error.hr in (consts.SYNC_E_IGNORE, consts.SYNC_E_OBJECT_DELETED):
                return None
            raise


class ExportContents(IExchangeExportChanges):
    """Changes of messages."""

    def _find(self) -> list[Step]:
        flags, source, steps = self._flags, self._store.source, []
        after = State(self._before.normal, self._before.hidden)
        if flags & consts.SYNC_NORMAL or not flags & consts.SYNC_ASSOCIATED:
            changes = source.changes(self._folder, self._before.normal)
            after.normal = changes.state
            steps += self._of(changes, View.NORMAL, after)
        if flags & consts.SYNC_ASSOCIATED and Can.ASSOCIATED in source.can:
            rows = source.messages(self._folder, View.ASSOCIATED)
            changes = Changes(*listing.compare(rows, self._before.hidden))
            after.hidden = changes.state
            steps += self._of(changes, View.ASSOCIATED, after)
        self._after = after
        return self._left(steps)

    def _of(self, changes: Changes, view: View, after: State) -> list[Step]:
        hidden = view is View.ASSOCIATED
        rows = self._store.source.messages(self._folder, view)
        wanted = self._matching(rows, changes.changed)
        told = rows.values(wanted, [pr.CHANGE_KEY, SYNC_KEY])
        steps = []
        for one, (key, own) in zip(wanted, told, strict=True):
            steps.append(Step("changed", one, bytes(key or b""), hidden))
            if own:
                after.keys[one] = bytes(own)
        if self._flags & consts.SYNC_READ_STATE:
            steps += [Step("read", one, read, hidden) for one, read in changes.read]
        if not self._flags & consts.SYNC_NO_DELETIONS:
            steps += [Step("gone", one, None, hidden) for one in changes.gone]
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
            if matcher.test(row, lambda table, one=one: derive.parts(load(one), table))  # type: ignore[misc]
        ]

    def _hand_over(self, step: Step) -> None:
        source = self._store.source
        key = self._key(step.entry, self._after.keys.get(step.entry))
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
        flags = consts.SYNC_ASSOCIATED if step.hidden else 0
        target = self._told(lambda: self._importer.ImportMessageChange(props, flags))
        if isinstance(target, IMAPIProp):
            own = message.IMessage(self._store, self._folder, step.entry, item, self._lock, writable=False)
            own.CopyTo(None, [names.tag(one) for one in OWN], 0, None, None, target, 0)
            target.SaveChanges(0)


def history(bag: Bag) -> bytes:
    """The versions that a version has in it: its own, and those that were imported into it."""
    change_key = bytes(bag.get(pr.CHANGE_KEY) or b"")
    own = bytes(bag.get(pr.PREDECESSOR_CHANGE_LIST) or b"") or bytes([len(change_key) & 0xFF]) + change_key
    imported = bag.get(SYNC_HISTORY)
    try:
        return changelists.write(changelists.joined(changelists.read(own), changelists.read(imported or b"")))
    except BadSyntax:  # of a system that has other change keys
        return own


def _change_props(bag: Bag, key: bytes, step: Step) -> list[SPropValue]:
    """What an importer is told of a change (IExchangeImportContentsChanges::ImportMessageChange)."""
    change_key = bytes(bag.get(pr.CHANGE_KEY) or b"")
    return [
        SPropValue(pr.SOURCE_KEY, key),
        values.shown(pr.LAST_MODIFICATION_TIME, bag.get(pr.LAST_MODIFICATION_TIME)),
        SPropValue(pr.CHANGE_KEY, change_key),
        SPropValue(pr.PREDECESSOR_CHANGE_LIST, history(bag)),
        SPropValue(pr.ENTRYID, step.entry),
        SPropValue(ASSOCIATED, step.hidden),
        values.shown(pr.MESSAGE_FLAGS, bag.get(pr.MESSAGE_FLAGS) or 0),
    ]


class ExportHierarchy(IExchangeExportChanges):
    """Changes of folders below one, parents before children."""

    def _find(self) -> list[Step]:
        from quintet.mapi.core.folder import below  # it knows this module

        before = _folder_state(self._before.normal)
        bags = {one: self._store.source.folder(one) for one in below(self._store, self._folder)}
        now = {one: folder_digest(bag) for one, bag in bags.items()}
        keys = {one: bytes(bag[SYNC_KEY]) for one, bag in bags.items() if bag.get(SYNC_KEY)}
        self._after = State(msgspec.msgpack.encode(now), keys=keys)
        steps = [Step("changed", one, mark) for one, mark in now.items() if before.get(one) != mark]
        if not self._flags & consts.SYNC_NO_DELETIONS:
            steps += [Step("gone", one) for one in before if one not in now]
        return self._left(steps)

    def _hand_over(self, step: Step) -> None:
        source = self._store.source
        key = self._key(step.entry, self._after.keys.get(step.entry))
        if step.kind == "gone":
            self._importer.ImportFolderDeletion(0, [key])
            return
        bag = source.folder(step.entry)
        parent = bag[pr.PARENT_ENTRYID]
        above = b"" if parent == self._folder else self._key(parent, self._after.keys.get(parent))
        props = [SPropValue(pr.PARENT_SOURCE_KEY, above), SPropValue(pr.SOURCE_KEY, key)]
        for tag in (
            pr.LAST_MODIFICATION_TIME,
            pr.DISPLAY_NAME,
            pr.CONTAINER_CLASS,
            pr.COMMENT,
            pr.FOLDER_TYPE,
        ):
            props += [values.shown(tag, bag[tag])] if bag.get(tag) is not None else []
        props += [SPropValue(pr.CHANGE_KEY, step.mark), SPropValue(pr.ENTRYID, step.entry)]
        self._told(lambda: self._importer.ImportFolderChange(props))


def folder_digest(bag: Bag) -> bytes:
    """16 bytes that differ when a folder itself does."""
    told = (pr.DISPLAY_NAME, pr.PARENT_ENTRYID, pr.CONTAINER_CLASS, pr.COMMENT, pr.FOLDER_TYPE)
    return uuid.uuid5(uuid.NAMESPACE_OID, repr([bag.get(tag) for tag in told])).bytes


def _folder_state(raw: bytes) -> dict[bytes, bytes]:
    if not raw:
        return {}
    try:
        return msgspec.msgpack.decode(raw, type=dict[bytes, bytes])
    except (msgspec.DecodeError, RecursionError) as error:
        raise fail("MAPI_E_CORRUPT_DATA", "no state of folders") from error
