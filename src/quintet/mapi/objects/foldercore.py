"""What a folder is: its row, the reader's rights and marks in it, its properties (MS-OXCFOLD 2.2.2)."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Self

from quintet.errors import Refused
from quintet.mapi import changelists, types
from quintet.mapi.bag import Bag, Key
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import defaults, numbers, packed, permissions, pid, places, searching, stored
from quintet.mapi.objects.bagged import Bagged, Fact, put_in
from quintet.mapi.objects.box import mapped
from quintet.mapi.types import Tag, Value
from quintet.store import access, accounts, entries, folders, pages, props, receipts, rules, seen
from quintet.store.model import SEEN, FolderId, FolderKind
from quintet.store.model import Folder as FolderRow
from quintet.store.ranges import RangeSet

if TYPE_CHECKING:
    from quintet.mapi.objects.box import Box
    from quintet.mapi.objects.folder import Folder

MAX_TAG = 1 << 32  # above stand what are no properties (`searching`)
SLASH = "\u2215"  # stands in a path for a "/" within a name
SEARCH_ROLE = places.SEARCH
IPM, SEARCHING, NORMAL, RULED = 0x1, 0x2, 0x4, 0x8  # PidTagFolderFlags
ROOT_TYPE, GENERIC, SEARCH = 0, 1, 2  # PidTagFolderType (MS-OXCFOLD 2.2.2.2.2.7)


class Wish(enum.Enum):
    """What a reader wants of the receipts that senders may have asked for."""

    SEND = enum.auto()  # for what becomes read
    SEND_ALSO_READ = enum.auto()
    NEVER = enum.auto()


class FolderCore(Bagged):
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
    def open(cls, box: Box, number: FolderId) -> Self:
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
        return self.row.role in places.SEARCHES

    @property
    def is_special(self) -> bool:
        """One that every mailbox has: neither renamed, moved nor deleted."""
        return self.row.role != SEARCH_ROLE and self.box.special.get(self.row.role) == self.id

    @property
    def parent(self) -> Folder:
        """The root's is itself."""
        return self.box.folder(self.box.parent_of(self.row))

    # --- rights ----------------------------------------------------------------------------------------

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

    def access_of_messages(self) -> int:
        """Bits of PidTagAccess that messages of everybody have here, besides that they may be read."""
        return pid.ACCESS_MODIFY * self.may("w") | pid.ACCESS_DELETE * self.may("te")

    # --- marks -----------------------------------------------------------------------------------------

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
        self.box.written()

    def receipts(self, uids: Sequence[int], wish: Wish) -> None:
        """What becomes of receipts for these messages; to be said before they are marked."""
        tx = self.box.tx
        if wish is not Wish.NEVER:
            receipts.asked(tx, self.box.reader.id, self.id, uids, again=wish is Wish.SEND_ALSO_READ)
        elif self.box.is_owner:
            receipts.cancel(tx, self.id, uids)

    def unread(self) -> int:
        """Messages that the reader has not read."""
        return seen.unseen(self.box.tx, self.row, self.box.reader.id)

    def associated_count(self) -> int:
        return pages.hidden_count(self.box.tx, self.id)

    # --- properties ------------------------------------------------------------------------------------

    def _bag(self) -> Bag:
        row = self.row
        if self._own is None:
            self._own, _ = stored.own_values(self.box, props.get(self.box.tx, props.FOLDER, row.id))
        return self._own

    def check_writable(self) -> None:
        """Raises MapiError(ACCESS_DENIED): the reader does not own the folder (MS-OXCPERM R116)."""
        self.check("a")

    def _put(self, fresh: Bag) -> None:
        self.check_writable()
        bag = dict(self._bag())
        put_in(bag, fresh)
        self._save(bag)

    def _drop(self, gone: Sequence[Key]) -> None:
        self.check_writable()
        self._save({key: value for key, value in self._bag().items() if key not in gone})

    def _save(self, bag: Bag) -> None:
        """At once: a folder's properties need no commit of their own (R846)."""
        tx = self.box.tx
        raw = {self.box.tag_of(key, create=True): packed_value(key, value) for key, value in bag.items()}
        gone = [tag for tag in props.get(tx, props.FOLDER, self.id) if tag < MAX_TAG]
        props.remove(tx, props.FOLDER, self.id, gone)
        props.put(tx, props.FOLDER, self.id, {tag: value for tag, value in raw.items() if tag is not None})
        folders.touch(tx, self.id)
        self.box.written()

    def take_properties(self, other: FolderCore) -> None:
        """Those of its original, for a copy; named ones too, which have other ids in another mailbox."""
        if bag := other._bag():
            self._put(bag)

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
        self.box.written()

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

    def _flags(self) -> int:
        """PidTagFolderFlags (MS-OXCFOLD 2.2.2.2.1.5)."""
        row, box = self.row, self.box
        root = folders.get(box.tx, box.special[places.ROOT]).name
        seen = row.role == places.SUBTREE or not (row.role == places.ROOT or row.name.startswith(root + "/"))
        kind = SEARCHING if self.is_search else NORMAL
        return IPM * seen | kind | RULED * rules.any_in(box.tx, row.id)

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
        pid.PREDECESSORS: lambda self: changelists.write(
            changelists.change(self.box.replica, self.row.changed_modseq)
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
        # what comes and goes changes the account's counter, and so do other things
        pid.HIERARCHY_CHANGE: lambda self: accounts.get(self.box.tx, self.box.account.id).modseq & 0x7FFFFFFF,
        pid.SUBFOLDERS: _has_subfolders,
        pid.MESSAGE_SIZE: lambda self: min(self.row.bytes, 0x7FFFFFFF),
        pid.MESSAGE_SIZE_EXTENDED: lambda self: self.row.bytes,
        pid.CREATION_TIME: lambda self: types.of_ms(self.row.created_at),
        pid.LAST_MODIFICATION: lambda self: types.of_ms(self.row.changed_at),
        pid.LOCAL_COMMIT_TIME: lambda self: types.of_ms(self.row.changed_at),
        pid.LOCAL_COMMIT_TIME_MAX: lambda self: types.of_ms(folders.stirred(self.box.tx, self.row)),
        pid.FOLDER_FLAGS: _flags,
        **defaults.FACTS,
        pid.HAS_RULES: lambda self: rules.any_in(self.box.tx, self.id),
        pid.RIGHTS: lambda self: permissions.of_letters(
            self._letters(), access.more_of(self.box.tx, self.box.reader.id, self.id)
        ),
    }

    def _letters(self) -> str:
        self.may("l")
        return self._rights or ""

    def path_of(self, name: str) -> str:
        """Where a folder of that name stands.  Raises MapiError(INVALID_PARAMETER)."""
        if not name or not name.strip():
            raise MapiError(Code.INVALID_PARAMETER, "a folder needs a name")
        level = name.replace("/", SLASH)
        at_top = self.id == self.box.special.get(places.SUBTREE)
        with mapped():
            return folders.normal_name(level if at_top else f"{self.row.name}/{level}")


def packed_value(key: Key, value: Value) -> bytes:
    """A property of a folder as it is stored."""
    kind = key if isinstance(key, int) else key.kind
    return packed.value(kind, value)
