"""Folders: their properties, their tables, and what is done to them and in them (MS-OXCFOLD).

Nothing here commits: the changes stand when the transaction of the box does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from quintet.errors import Refused
from quintet.mapi import types
from quintet.mapi.bag import Bag, Key
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import (
    defaults,
    members,
    moves,
    numbers,
    packed,
    permissions,
    pid,
    places,
    searching,
    stored,
)
from quintet.mapi.objects.bagged import Bagged, Fact, put_in
from quintet.mapi.objects.box import mapped
from quintet.mapi.objects.contents import Contents, Deleted
from quintet.mapi.objects.hierarchy import Hierarchy
from quintet.mapi.restrict import Restriction
from quintet.mapi.table import Table
from quintet.mapi.types import Tag, Value
from quintet.store import access, entries, folders, pages, props, seen
from quintet.store.model import SEEN, FolderId, FolderKind
from quintet.store.model import Folder as FolderRow
from quintet.store.ranges import RangeSet

if TYPE_CHECKING:
    from quintet.mapi.objects.box import Box
    from quintet.mapi.objects.message import Message

SLASH = "\u2215"  # stands in a path for a "/" within a name
MAX_TAG = 1 << 32  # above stand what are no properties (`searching`)
SEARCH_ROLE = "search"
ROOT_TYPE, GENERIC, SEARCH = 0, 1, 2  # PidTagFolderType (MS-OXCFOLD 2.2.2.2.2.7)


class Folder(Bagged):
    """One folder.  Its row is read anew in each transaction."""

    def __init__(self, box: Box, row: FolderRow) -> None:
        super().__init__(box)
        self.id: FolderId = row.id
        self.wire_id: int = numbers.on_wire(row.id)  # PidTagFolderId
        self._row, self._turn = row, box.turn
        self._own: Bag | None = None
        self._rights: str | None = None
        self._marks: RangeSet | None = None

    @classmethod
    def open(cls, box: Box, number: FolderId) -> Folder:
        """Raises MapiError(NOT_FOUND): there is none in this box, or the reader may not see it (R462)."""
        try:
            row = folders.get(box.tx, number)
        except Refused as problem:
            raise MapiError(Code.NOT_FOUND) from problem
        if row.account_id != box.account.id:
            raise MapiError(Code.NOT_FOUND)
        made = cls(box, row)
        if not made.may("l"):
            raise MapiError(Code.NOT_FOUND)
        return made

    @property
    def row(self) -> FolderRow:
        """Raises MapiError(OBJECT_DELETED): it is gone."""
        if self._turn != self.box.turn:
            self.refresh()
        return self._row

    def refresh(self) -> None:
        """Reads it anew: something in it was changed."""
        try:
            self._row, self._turn = folders.get(self.box.tx, self.id), self.box.turn
        except Refused as problem:
            raise MapiError(Code.OBJECT_DELETED) from problem
        self._own = self._rights = self._marks = None

    @property
    def kind(self) -> str:
        return self.row.kind

    @property
    def name(self) -> str:
        """PidTagDisplayName."""
        return places.display_name(self.row).replace(SLASH, "/")

    @property
    def is_group(self) -> bool:
        """A newsgroup: what is put here is posted."""
        return self.row.kind == FolderKind.GROUP

    @property
    def is_search(self) -> bool:
        return self.row.role == SEARCH_ROLE

    @property
    def is_special(self) -> bool:
        """One that every mailbox has: neither renamed, moved nor deleted."""
        return self.box.special.get(self.row.role) == self.id

    @property
    def parent(self) -> Folder:
        """The root's is itself."""
        return self.box.folder(self.box.parent_of(self.row))

    # --- rights -----------------------------------------------------------------------------------------

    def may(self, letters: str) -> bool:
        """Whether the reader has all of these rights (RFC 4314 2.1)."""
        row = self.row
        if self._rights is None:
            self._rights = self.box.rights_of(row)
        return all(letter in self._rights for letter in letters)

    def check(self, letters: str, code: Code = Code.ACCESS_DENIED) -> None:
        """Raises MapiError(code): some is missing."""
        if not self.may(letters):
            raise MapiError(code)

    # --- tables -----------------------------------------------------------------------------------------

    def contents(self, *, associated: bool = False, deleted: bool = False) -> Table:
        """The messages (RopGetContentsTable), the hidden ones, or those that can be had back.

        Raises MapiError(ACCESS_DENIED).
        """
        self.check("r")
        if deleted:
            return Table(Deleted(self))
        if self.is_search and not associated:
            return Table(searching.Found(self))
        return Table(Contents(self, hidden=associated))

    def hierarchy(self, *, deep: bool = False) -> Table:
        """The folders in it (RopGetHierarchyTable), or all below it."""
        return Table(Hierarchy(self, deep=deep))

    # --- permissions --------------------------------------------------------------------------------------

    def permissions(self) -> Table:
        """RopGetPermissionsTable.  Raises MapiError(ACCESS_DENIED)."""
        self.check("l")
        return Table(members.Members(self))

    def modify_permissions(self, grants: Iterable[members.Grant], *, replace: bool = False) -> None:
        """RopModifyPermissions.  Raises as `members.change`."""
        members.change(self, grants, replace=replace)

    def may_own(self, bit: int) -> bool:
        """Whether the reader may edit, or delete, what they made themselves (MS-OXCPERM 2.2.7)."""
        return bool(access.more_of(self.box.tx, self.box.reader.id, self.id) & bit)

    # --- searching ----------------------------------------------------------------------------------------

    def search_criteria(self) -> searching.Criteria:
        """RopGetSearchCriteria.  Raises as `searching.criteria`."""
        return searching.criteria(self)

    def search(self, restriction: Restriction | None, scope: Sequence[int], flags: int = 0) -> None:
        """RopSetSearchCriteria.  Raises as `searching.ask`."""
        searching.ask(self, restriction, scope, flags)

    # --- messages ---------------------------------------------------------------------------------------

    def message(self, number: int, *, deleted: bool = False) -> Message:
        """Opens one of its messages; ``deleted``: also one that can be had back, to be read (R325, R326).

        Raises MapiError(NOT_FOUND): it is not in here (R1477).
        """
        found = self.box.message(number, deleted=deleted)
        if found.folder.id != self.id and not self.is_search:
            raise MapiError(Code.NOT_FOUND)
        return found

    def create_message(self, *, associated: bool = False) -> Message:
        """Raises MapiError(ACCESS_DENIED)."""
        from quintet.mapi.objects.message import Message

        return Message.create(self, hidden=associated)

    def is_read(self, uid: int, flags: int) -> bool:
        """Whether the reader has read an entry."""
        if not seen.is_own(self.row, self.box.reader.id):
            return bool(flags & SEEN)
        if self._marks is None:
            self._marks = seen.get(self.box.tx, self.id, self.box.reader.id)
        return uid in self._marks

    def mark(self, uids: Sequence[int], *, set_: int = 0, clear: int = 0) -> None:
        """Sets and clears flags of entries; read state is the reader's own where it is that.

        Raises MapiError(ACCESS_DENIED).
        """
        for flags, mode in ((set_, "+"), (clear, "-")):
            if flags:
                self.check("s" if flags == SEEN else "w")
                entries.set_flags(
                    self.box.tx, self.id, list(uids), "+" if mode == "+" else "-", flags,
                    reader=self.box.reader.id,
                )  # fmt: skip
        self._turn = -1

    def unread(self) -> int:
        """Messages that the reader has not read."""
        if self.is_search:
            rows = searching.Found(self).values(searching.found(self), [pid.READ])
            return sum(not read for (read,) in rows)
        return seen.unseen(self.box.tx, self.row, self.box.reader.id)

    def associated_count(self) -> int:
        return pages.hidden_count(self.box.tx, self.id)

    # --- folders ----------------------------------------------------------------------------------------

    def subfolders(self) -> list[Folder]:
        """Those right under it that the reader may see."""
        return [self.box.folder(number) for number in Hierarchy(self).ids()]

    def create_folder(
        self,
        name: str,
        *,
        comment: str = "",
        search: bool = False,
        open_existing: bool = False,
        kind: str = "",
    ) -> tuple[Folder, bool]:
        """A new folder in it; True: there was one of that name, which is opened (R481 to R483).

        It holds what its parent holds: mail under mail, items under items; at the top mail, or ``kind``.

        Raises:
            MapiError(COLLIDING_NAMES): there is one, and it was not to be opened.
            MapiError(ACCESS_DENIED | NOT_SUPPORTED): the reader may not; groups are made by other means.
        """
        path = self.path_of(name)
        there = self.box.tx.value(
            "SELECT id FROM folder WHERE account_id = ? AND name = ?", self.box.account.id, path
        )
        if there is not None:
            if not open_existing:
                raise MapiError(Code.COLLIDING_NAMES)
            return self.box.folder(there), True
        self._check_children(search)
        made = folders.create(
            self.box.tx, self.box.account.id, path, self._kind_below(search, kind), SEARCH_ROLE * search,
            created_by=self.box.reader.name,
        )  # fmt: skip
        found = Folder(self.box, made)
        if comment:
            found.set([(pid.COMMENT, comment)])
        self._turn = -1
        return found, False

    def _kind_below(self, search: bool, wanted: str) -> str:
        if search or (self.kind == FolderKind.ITEM and self.row.role != places.SUBTREE):
            return FolderKind.ITEM
        if self.row.role == places.SUBTREE and wanted == FolderKind.ITEM:
            return wanted
        return FolderKind.MAIL

    def _check_children(self, search: bool) -> None:
        row = self.row
        if self.is_group or self.is_search or (search and self.box.public):
            raise MapiError(Code.NOT_SUPPORTED)
        if row.role == places.SUBTREE and self.box.public:
            raise MapiError(Code.ACCESS_DENIED, "groups are made by their administrator")
        self.check("k")

    def path_of(self, name: str) -> str:
        """Where a folder of that name stands.  Raises MapiError(INVALID_PARAMETER)."""
        if not name or not name.strip():
            raise MapiError(Code.INVALID_PARAMETER, "a folder needs a name")
        level = name.replace("/", SLASH)
        at_top = self.id == self.box.special.get(places.SUBTREE)
        with mapped():
            return folders.normal_name(level if at_top else f"{self.row.name}/{level}")

    def delete_messages(self, ids: Sequence[int], *, hard: bool = False) -> bool:
        """Takes messages away (R632); True: some could not be (PartialCompletion).

        Unless ``hard`` they can be had back for as long as the store keeps what was expunged.
        """
        return moves.delete(self, ids, hard=hard)

    def move_copy_messages(
        self, ids: Sequence[int], target: Folder, *, copy: bool
    ) -> tuple[dict[int, int], bool]:
        """Into another folder, of another box too; the new ids by the old ones, and whether some failed.

        Those that were deleted and can be had back come back in the other folder.

        Raises MapiError(SEARCH_FOLDER): the target is one (R1246); MapiError(ACCESS_DENIED).
        """
        return moves.move_copy(self, ids, target, copy=copy)

    def empty(self, *, hard: bool = False, associated: bool = False) -> bool:
        """Takes away all messages and folders in it (R1129, R617, R618); True: some could not be."""
        return moves.empty(self, hard=hard, associated=associated)

    def delete_folder(
        self, number: int, *, messages: bool = False, subfolders: bool = False, hard: bool = False
    ) -> bool:
        """Takes a folder in it away; True: it is still there, because it was not empty (R371, R1079).

        Raises MapiError(NOT_FOUND | ACCESS_DENIED | NOT_SUPPORTED) (R503 to R2509).
        """
        return moves.delete_folder(self, number, messages=messages, subfolders=subfolders, hard=hard)

    def move_folder(self, number: int, target: Folder, name: str) -> None:
        """Moves a folder in it under another, with a new name (R595 to R602)."""
        moves.move_folder(self, number, target, name)

    def copy_folder(self, number: int, target: Folder, name: str, *, deep: bool) -> Folder:
        """Copies a folder in it; ``deep``: with everything below (R605, R1122)."""
        return moves.copy_folder(self, number, target, name, deep=deep)

    def set_read_flags(self, ids: Sequence[int], value: bool) -> bool:
        """Marks messages as read or not, all of them if none are named; True: some could not be (R1514)."""
        return moves.set_read(self, ids, value)

    # --- properties -------------------------------------------------------------------------------------

    def _bag(self) -> Bag:
        row = self.row
        if self._own is None:
            self._own, _ = stored.own_values(self.box, props.get(self.box.tx, props.FOLDER, row.id))
        return self._own

    def _put(self, fresh: Bag) -> None:
        self.check("a" if not self.may("k") else "k")
        bag = dict(self._bag())
        put_in(bag, fresh)
        self._save(bag)

    def _drop(self, gone: Sequence[Key]) -> None:
        self.check("a" if not self.may("k") else "k")
        self._save({key: value for key, value in self._bag().items() if key not in gone})

    def _save(self, bag: Bag) -> None:
        """At once: a folder's properties need no commit of their own (R846)."""
        tx = self.box.tx
        raw = {self.box.tag_of(key, create=True): packed_value(key, value) for key, value in bag.items()}
        gone = [tag for tag in props.get(tx, props.FOLDER, self.id) if tag < MAX_TAG]
        props.remove(tx, props.FOLDER, self.id, gone)
        props.put(tx, props.FOLDER, self.id, {tag: value for tag, value in raw.items() if tag is not None})
        folders.touch(tx, self.id)
        self.refresh()

    def _set_fact(self, tag: Tag, value: Value) -> None:
        if tag == pid.DISPLAY_NAME and isinstance(value, str):
            self.rename(value)
        elif tag == pid.CONTAINER_CLASS and isinstance(value, str):
            self._put({pid.CONTAINER_CLASS: value})
        else:
            raise MapiError(Code.COMPUTED_VALUE)

    def rename(self, name: str) -> None:
        """Raises MapiError(ACCESS_DENIED | COLLIDING_NAMES | INVALID_PARAMETER)."""
        if name == self.name:
            return
        if self.is_special or self.is_group:
            raise MapiError(Code.ACCESS_DENIED)
        self.check("x")
        folders.rename(self.box.tx, self.id, self.parent.path_of(name))
        self.refresh()

    def _class(self) -> Value:
        told = self._bag().get(pid.CONTAINER_CLASS)
        if told is not None:
            return told
        usual = places.CLASSES.get(self.row.role, "" if self.kind == FolderKind.ITEM else "IPF.Note")
        return usual or None

    def _type(self) -> int:
        if self.row.role == places.ROOT:
            return ROOT_TYPE
        return SEARCH if self.is_search else GENERIC

    def _has_subfolders(self) -> bool:
        if self.id == self.box.special.get(places.SUBTREE):
            return True
        return self.box.tx.one("SELECT 1 FROM folder WHERE parent_id = ? LIMIT 1", self.id) is not None

    def _access(self) -> int:
        """PidTagAccess: modify, read, delete, create hierarchy, contents, associated (MS-OXCPRPT 2.2.1.1)."""
        return sum(
            bit
            for bit, letters in ((1, "w"), (2, "r"), (4, "x"), (8, "k"), (16, "i"), (32, "i"))
            if self.may(letters)
        )

    facts: ClassVar[Mapping[Tag, Fact]] = {
        pid.FOLDER_ID: lambda self: numbers.on_wire(self.id),
        pid.PARENT_FOLDER_ID: lambda self: numbers.on_wire(self.box.parent_of(self.row)),
        pid.ENTRY_ID: lambda self: self.box.folder_entry_id(self.id),
        pid.RECORD_KEY: lambda self: self.box.folder_entry_id(self.id),
        pid.PARENT_ENTRY_ID: lambda self: self.box.folder_entry_id(self.box.parent_of(self.row)),
        pid.SOURCE_KEY: lambda self: self.box.source_key(self.id),
        pid.PARENT_SOURCE_KEY: lambda self: self.box.source_key(self.box.parent_of(self.row)),
        pid.CHANGE_KEY: lambda self: self.box.source_key(self.row.changed_modseq),
        pid.CHANGE_NUMBER: lambda self: numbers.on_wire(self.row.changed_modseq),
        pid.PREDECESSORS: lambda self: numbers.write_changes(
            numbers.change(self.box.replica, self.row.changed_modseq)
        ),
        pid.MAPPING_SIGNATURE: lambda self: self.box.account.guid,
        pid.STORE_RECORD_KEY: lambda self: self.box.account.guid,
        pid.STORE_ENTRY_ID: lambda self: self.box.store_entry_id or None,
        pid.OBJECT_TYPE: lambda self: pid.FOLDER_OBJECT,
        pid.ACCESS: _access,
        pid.ACCESS_LEVEL: lambda self: int(self.may("w")),
        pid.DISPLAY_NAME: lambda self: self.name,
        pid.FOLDER_TYPE: _type,
        pid.CONTAINER_CLASS: _class,
        pid.CONTENT_COUNT: lambda self: len(searching.found(self)) if self.is_search else self.row.messages,
        pid.CONTENT_UNREAD: lambda self: self.unread(),
        pid.ASSOCIATED_COUNT: lambda self: self.associated_count(),
        pid.DELETED_COUNT: lambda self: self.row.uid_next - 1 - self.row.messages - self.associated_count(),
        pid.SUBFOLDERS: _has_subfolders,
        pid.MESSAGE_SIZE: lambda self: min(self.row.bytes, 0x7FFFFFFF),
        pid.MESSAGE_SIZE_EXTENDED: lambda self: self.row.bytes,
        pid.CREATION_TIME: lambda self: types.of_ms(self.row.created_at),
        **defaults.FACTS,
        pid.RIGHTS: lambda self: permissions.of_letters(
            self._letters(), access.more_of(self.box.tx, self.box.reader.id, self.id)
        ),
    }

    def _letters(self) -> str:
        self.may("l")
        return self._rights or ""


def packed_value(key: Key, value: Value) -> bytes:
    """A property of a folder as it is stored."""
    kind = key if isinstance(key, int) else key.kind
    return packed.value(kind, value)
