"""Folders: their tables, and what is done to them and in them (MS-OXCFOLD 3.2.5.1 and on).

Nothing here commits: the changes stand when the transaction of the box does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import members, moves, pid, places, searching
from quintet.mapi.objects.contents import Contents, Deleted
from quintet.mapi.objects.foldercore import SEARCH_ROLE, FolderCore, Wish
from quintet.mapi.objects.hierarchy import Hierarchy
from quintet.mapi.restrict import Restriction
from quintet.mapi.table import Table
from quintet.store import access, folders, pages
from quintet.store.model import FolderKind

if TYPE_CHECKING:
    from quintet.mapi.objects.message import Message


class Folder(FolderCore):
    """One folder.  Its row is read anew in each transaction."""

    # --- tables ----------------------------------------------------------------------------------------

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

    # --- permissions -----------------------------------------------------------------------------------

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

    # --- searching -------------------------------------------------------------------------------------

    def search_criteria(self) -> searching.Criteria:
        """RopGetSearchCriteria.  Raises as `searching.criteria`."""
        return searching.criteria(self)

    def search(self, restriction: Restriction | None, scope: Sequence[int], flags: int = 0) -> None:
        """RopSetSearchCriteria.  Raises as `searching.ask`."""
        searching.ask(self, restriction, scope, flags)

    def unread(self) -> int:
        """Messages that the reader has not read; of a search folder, of those that it shows."""
        if not self.is_search:
            return super().unread()
        shown = searching.found(self)
        if self.box.is_owner:
            return pages.unseen(self.box.tx, shown)
        return sum(not read for (read,) in searching.Found(self).values(shown, [pid.READ]))

    # --- messages --------------------------------------------------------------------------------------

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

    # --- folders ---------------------------------------------------------------------------------------

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
        self.box.written()
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

    def delete_messages(self, ids: Sequence[int], *, hard: bool = False, tell_unread: bool = False) -> bool:
        """Takes messages away (R632); True: some could not be (PartialCompletion).

        ``tell_unread``: senders who asked for receipts hear of what was not read (R1148).

        Unless ``hard`` they can be had back for as long as the store keeps what was expunged.
        """
        return moves.delete(self, ids, hard=hard, tell_unread=tell_unread)

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

    def copy_folder(self, number: int, target: Folder, name: str, *, deep: bool) -> tuple[Folder, bool]:
        """Copies a folder in it; ``deep``: with everything below (R605, R1122).

        True beside it: something could not be copied (R1121).
        """
        return moves.copy_folder(self, number, target, name, deep=deep)

    def set_read_flags(self, ids: Sequence[int], value: bool | None, wish: Wish | None = None) -> bool:
        """Marks messages as read or not, all of them if none are named; True: some could not be (R1514).

        None: the marks stay.  ``wish``: of their receipts.
        """
        return moves.set_read(self, ids, value, wish)
