"""Contents tables: the messages of a folder as rows, its hidden ones, or those that can be had back.

Usual columns come with one SQL page (`glance`); stored properties lie over them; only a column that neither
knows makes an item of the row's MIME.  An invitation or a card may tell any property, an ordinary letter few.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from quintet.mapi.bag import Bag, Item, Key, NamedTag
from quintet.mapi.convert import bodies, differences, fields, names
from quintet.mapi.objects import flags, glance, happening, packed, pid, stored
from quintet.mapi.objects.glance import Head, Line
from quintet.mapi.objects.itemlike import MADE_BODIES, has_shown
from quintet.mapi.restrict import RECIPIENTS, Restriction
from quintet.mapi.rows import Order, SortOrder
from quintet.mapi.table import Rows
from quintet.mapi.types import Tag, Value
from quintet.message.digest import Digest
from quintet.store import folders, keeping, ondemand, pages, props
from quintet.store.model import FolderKind

if TYPE_CHECKING:
    from quintet.mapi.objects.folder import Folder

# what the database can put in order by itself; the order of numbers is the same everywhere
_SORTABLE: Final = {
    pid.DELIVERY_TIME: "received_at",
    pid.MESSAGE_SIZE: "size",
    pid.MESSAGE_SIZE_EXTENDED: "size",
    pid.CHANGE_NUMBER: "content_modseq",
    pid.MESSAGE_ID: "id",
    pid.ARTICLE_NUMBER: "uid",
}
_TOLD: Final[frozenset[Key]] = (
    frozenset(row.key for row in fields.TABLE)
    | differences.COMPUTED
    | {names.TRANSPORT_HEADERS, names.REPLY_ENTRIES, names.READ_RECEIPT, names.DELIVERY_REPORT}
)
"""Properties that the MIME of a letter may tell, and `glance` does not."""


class Contents(Rows):
    """The rows of one folder; ``hidden``: its associated messages."""

    def __init__(self, folder: Folder, *, hidden: bool = False) -> None:
        self.folder, self.hidden = folder, hidden

    def ids(self) -> Sequence[int]:
        return pages.ids(self.folder.box.tx, self.folder.id, hidden=self.hidden)

    def version(self) -> Hashable:
        """Raises MapiError(ACCESS_DENIED): the reader may not read the folder (any more)."""
        self.folder.check("r")
        found: Hashable = folders.get(self.folder.box.tx, self.folder.id).highest_modseq
        return found

    def touched(self, since: Any, dirty: Collection[int]) -> Collection[int] | None:  # Any: a version
        return happening.changed(self.folder, since)

    def columns(self) -> Sequence[Tag]:
        return [*glance.ENTRY, *glance.MIME, pid.BODY]

    def arranged(self, restriction: Restriction | None, order: SortOrder | None) -> Sequence[int] | None:
        """Dates, sizes and numbers are put in order by the database."""
        if restriction is not None or order is None or not self._is_sortable(order):
            return None
        keys = [(_SORTABLE[key.tag], key.order == Order.DESCENDING) for key in order.keys]
        return pages.ids(self.folder.box.tx, self.folder.id, hidden=self.hidden, order=keys)

    def _is_sortable(self, order: SortOrder) -> bool:
        """All keys are the database's; an item without MIME may have been told another time of delivery."""
        tags = [key.tag for key in order.keys]
        return all(tag in _SORTABLE for tag in tags) and (
            pid.DELIVERY_TIME not in tags or self.folder.kind != FolderKind.ITEM
        )

    def values(self, ids: Sequence[int], keys: Sequence[Tag]) -> list[list[Value]]:
        if not ids:
            return []
        if len(ids) > pages.MAX_PAGE:
            starts = range(0, len(ids), pages.MAX_PAGE)
            return [row for at in starts for row in self.values(ids[at : at + pages.MAX_PAGE], keys)]
        lines = self._lines(ids, keys)
        kept = props.of_many(self.folder.box.tx, props.ENTRY, ids)
        getters = [glance.ENTRY.get(key) or glance.MIME.get(key) for key in keys]
        told = [
            self._told(key) if getter is None else None for getter, key in zip(getters, keys, strict=True)
        ]
        quick = None if any(told) else [getter or _nothing for getter in getters]
        unknown = None in getters
        found = []
        for number in ids:
            line, own = lines.get(number), kept.get(number)
            if line is None:
                found.append([None] * len(keys))
                continue
            plain = line.blob_id is not None and own is None and (line.head.ordinary or not unknown)
            if quick is not None and plain:
                row = [getter(line) for getter in quick]
                if NotImplemented not in row:
                    found.append(row)
                    continue
            values = _Values(self, line, own or {})
            found.append([values.of(key, getters[at], told[at]) for at, key in enumerate(keys)])
        return found

    def _told(self, tag: Tag) -> Key | None:
        """What the item of a letter calls the property, if a letter can tell it at all."""
        if tag in MADE_BODIES:
            return tag
        key = self.folder.box.key_of(tag)
        if key in _TOLD or (isinstance(key, NamedTag) and key.guid == names.INTERNET_HEADERS):
            return key
        return None

    def _lines(self, ids: Sequence[int], keys: Sequence[Tag]) -> dict[int, Line]:
        if all(key in glance.ENTRY for key in keys):
            return {row[0]: Line(self.folder_of(row[1]), row) for row in self.lines(ids)}
        heads, found = glance.heads(str(self.folder.box.files.root)), dict[int, Line]()
        known = [number for number in ids if number in heads]
        for row in self.lines(known) if known else ():
            head = heads.get(row[0])
            if head is not None and head.message_row == row[3]:
                found[row[0]] = Line(self.folder_of(row[1]), row, head)
        fresh = [number for number in ids if number not in found]
        for row in self.lines(fresh, digests=True) if fresh else ():
            line = found[row[0]] = Line(self.folder_of(row[1]), row[:-2])
            if row[-2] is not None:
                line.head = Head(self._digest(row[-2], row[-1], line), line.message_row)
                glance.remember(heads, line)
        return found

    def _digest(self, packed: bytes, data: bytes | None, line: Line) -> Digest:
        """A digest of an older version is made anew, until `quintet reindex` has done it for good."""
        try:
            return ondemand.digest(packed, data)
        except ValueError:
            return stored.scanned(self.folder.box, self.row(line.id))

    def folder_of(self, number: int) -> Folder:
        """The folder that an entry lies in."""
        return self.folder

    def item(self, number: int) -> Item:
        """The whole item of a row."""
        box = self.folder.box
        return stored.item(box, self.row(number))

    def row(self, number: int) -> stored.Row:
        return stored.row(self.folder.box.tx, number)

    def lines(self, ids: Sequence[int], *, digests: bool = False) -> list[tuple[Any, ...]]:
        """The rows of `store.pages.lines`."""
        return pages.lines(self.folder.box.tx, ids, digests=digests)

    def parts(self, row: int, table: Tag) -> Sequence[Mapping[Tag, Value]]:
        item = self.item(row)
        bags = item.recipients if table == RECIPIENTS else [one.props for one in item.attachments]
        return [{key: value for key, value in bag.items() if isinstance(key, int)} for bag in bags]


class Deleted(Contents):
    """What was taken out of a folder and can be had back (MS-OXCFOLD 3.1.1.2, SoftDeletes)."""

    def ids(self) -> Sequence[int]:
        return keeping.numbers(self.folder.box.tx, self.folder.id)

    def version(self) -> Hashable:
        self.folder.check("r")
        return tuple(self.ids())

    def touched(self, since: Hashable, dirty: Collection[int]) -> Collection[int]:
        """They only come and go."""
        return ()

    def arranged(self, restriction: Restriction | None, order: SortOrder | None) -> Sequence[int] | None:
        return None

    def lines(self, ids: Sequence[int], *, digests: bool = False) -> list[tuple[Any, ...]]:
        return keeping.lines(self.folder.box.tx, ids, digests=digests)

    def row(self, number: int) -> stored.Row:
        return keeping.whole(self.folder.box.tx, number)


def _nothing(line: Line) -> None:
    """A column that no letter has."""


class _Values:
    """The values of one row; its item is made at most once."""

    __slots__ = ("_item", "_kept", "_line", "_rows")

    def __init__(self, rows: Contents, line: Line, kept: dict[int, bytes]) -> None:
        self._rows, self._line, self._kept = rows, line, kept
        self._item: Item | None = None

    def of(self, tag: Tag, getter: Any, told: Key | None) -> Value:  # Any: a getter of `glance`, or None
        raw = self._kept.get(tag)
        if tag in _ATTACHED and self._line.head.attached is None:
            self._look_for_attachments()
        if raw is not None and tag not in _FLAGGED:
            if tag == pid.MESSAGE_FLAGS:
                return self._flags(raw)
            return None if raw == packed.GONE else packed.of_value(tag, raw)
        if getter is None:
            if self._line.blob_id is None:
                return self._from_item(tag) if tag in MADE_BODIES else None
            return self._from_item(tag) if told is not None or not self._line.head.ordinary else None
        if tag in glance.MIME and self._line.blob_id is None and tag not in _ALWAYS:
            return None
        value = getter(self._line)
        if value is NotImplemented:
            return self._from_item(tag)
        if raw is not None:
            return value if value is not None else packed.of_value(tag, raw)
        return value

    def _flags(self, raw: bytes) -> int:
        own: Bag = {pid.MESSAGE_FLAGS: packed.of_value(pid.MESSAGE_FLAGS, raw)}
        found: int = self._line.message_flags()
        return found | flags.shown(self._line.flags, own)

    def _look_for_attachments(self) -> None:
        """What the letter has is remembered with its head; what the item has instead may change."""
        if self._kept:
            self._line.head = copy.copy(self._line.head)
        self._line.head.attached = has_shown(self._whole())

    def _whole(self) -> Item:
        if self._item is None:
            self._item = self._rows.item(self._line.id)
        return self._item

    def _from_item(self, tag: Tag) -> Value:
        item = self._whole()
        key = self._rows.folder.box.key_of(tag)
        value = None if key is None else item.props.get(key)
        return bodies.synthesized(item.props, tag) if value is None and tag in MADE_BODIES else value


_FLAGGED = frozenset((pid.FLAG_STATUS, pid.LAST_VERB))  # the entry's flags are the truth of these
_ATTACHED = frozenset((pid.MESSAGE_FLAGS, pid.HAS_ATTACHMENTS))
_ALWAYS = frozenset((pid.MESSAGE_FLAGS, pid.HAS_ATTACHMENTS, pid.MESSAGE_CLASS))
