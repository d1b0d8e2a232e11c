"""Tables: columns, restriction, order, categories, cursor, bookmarks over rows of any source (MS-OXCTABL).

Pure.  The rows themselves are a `Rows`: a folder's contents, its folders, recipients, an address book.  A
table sees its source anew whenever `Rows.version` says that something changed; cursor and bookmarks then
stay at their rows, or go to the next one that is left (2.2.2.10.2).  How values are written is the wire's
matter, and so is cutting them (R122).  The order itself is `layout`'s.
"""

from __future__ import annotations

import enum
import functools
import struct
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from quintet.mapi import layout, match, tablenews, types
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.layout import Layout, Spot, Wanted
from quintet.mapi.layout import Rows as Rows  # noqa: PLC0414 (part of this module's face)
from quintet.mapi.match import Matcher
from quintet.mapi.restrict import Restriction
from quintet.mapi.rows import SortOrder
from quintet.mapi.tablenews import Picture, RowNews
from quintet.mapi.types import Tag, Value

MAX_BOOKMARKS = 1000  # of one table; a client keeps a few
MAX_STATE = 60_000  # bytes of a collapse state; its size travels in 16 bits
PAGE = 256  # rows whose values are asked for at once while searching

_STATE = struct.Struct("<16sqI")  # of a collapse state: to what it belongs, the cursor's row and instance
_ID = struct.Struct("<q")
_COLUMN_KINDS = frozenset((
    types.INTEGER16, types.INTEGER32, types.FLOATING32, types.FLOATING64, types.CURRENCY, types.FLOATING_TIME,
    types.BOOLEAN, types.OBJECT, types.INTEGER64, types.STRING8, types.STRING, types.TIME, types.GUID,
    types.SERVER_ID, types.RESTRICTION, types.RULE_ACTION, types.BINARY,
))  # fmt: skip
_NEVER_MANY = (types.BOOLEAN, types.OBJECT, types.SERVER_ID, types.RESTRICTION, types.RULE_ACTION)


class Origin(enum.IntEnum):
    """The predefined bookmarks (2.2.2.1.1)."""

    BEGINNING = 0
    CURRENT = 1
    END = 2


@dataclass(slots=True)
class _Mark:
    """A place that stays with its row; without a row it is the beginning or the end."""

    at: int
    spot: Spot | None = None
    lost: bool = False  # the row is no longer there; `at` is that of the next one


class Table:
    """One open table.  ``loose``: columns may be without a type, as an address book's are; such a value comes
    as (type, value), as `types.UNSPECIFIED` is written.
    """

    def __init__(self, source: Rows, *, loose: bool = False) -> None:
        self.source = source
        self._loose = loose
        self._marks: dict[bytes, _Mark] = {}
        self._given = 0  # bookmarks so far
        self._cursor = _Mark(0)
        self._columns: tuple[Tag, ...] | None = None
        self._wanted = Wanted()
        self._layout: Layout | None = None
        self._seen: Hashable = None  # the version that the layout shows
        self._toggled: set[int] = set()  # headings that are not as the order says at first

    @property
    def weight(self) -> int:
        """Bytes that its order takes, about."""
        return 0 if self._layout is None else 48 * len(self._layout.leaves)

    # --- what is shown -----------------------------------------------------------------------------

    @property
    def columns(self) -> tuple[Tag, ...]:
        """Raises MapiError(NULL_OBJECT): none were set (R428)."""
        if self._columns is None:
            raise MapiError(Code.NULL_OBJECT, "no columns were set")
        return self._columns

    @property
    def order(self) -> SortOrder | None:
        return self._wanted.order

    @property
    def restriction(self) -> Restriction | None:
        return self._wanted.restriction

    @property
    def instance(self) -> Tag | None:
        """The column whose values have rows of their own."""
        return self._wanted.instance

    def set_columns(self, tags: Sequence[Tag]) -> None:
        """Chooses the columns; one that has the instance bit gives a row to each of its values (R433).

        Raises MapiError(INVALID_PARAMETER): a type that no column has (R435), or none at all; the table then
        has no columns (R429).
        """
        self._columns = None
        if not tags or not all(map(self._is_column, tags)):
            raise MapiError(Code.INVALID_PARAMETER, "a column of no possible type")
        self._check_instances(tags)
        self._columns = tuple(tags)
        self._rearrange()

    def _is_column(self, tag: Tag) -> bool:
        kind = tag & 0xFFFF
        if kind == types.UNSPECIFIED:
            return self._loose
        one = kind & ~(types.MULTIPLE | types.INSTANCE)
        if not kind & types.MULTIPLE:
            return not kind & types.INSTANCE and one in _COLUMN_KINDS
        return one in _COLUMN_KINDS and one not in _NEVER_MANY

    def _check_instances(self, tags: Sequence[Tag]) -> None:
        keys = [key.tag for key in self._wanted.order.keys] if self._wanted.order is not None else []
        if len({tag for tag in (*tags, *keys) if tag & types.INSTANCE}) > 1:
            raise MapiError(Code.TOO_COMPLEX, "instances of more than one column")

    def all_columns(self) -> Sequence[Tag]:
        """RopQueryColumnsAll."""
        return self.source.columns()

    def restrict(self, restriction: Restriction | None) -> None:
        """Shows only what matches; forgets bookmarks, goes to the beginning (R451 to R453).

        Raises MapiError(TOO_COMPLEX | INVALID_PARAMETER): as `match.compiled`; what was in force stays.
        """
        if restriction is not None:
            match.compiled(restriction)
        self._anew(Wanted(restriction, self._wanted.order))

    def sort(self, order: SortOrder | None) -> None:
        """Orders rows and makes categories; forgets bookmarks, goes to the beginning (R437 to R439).

        Raises MapiError(INVALID_PARAMETER | TOO_COMPLEX): as `layout.check`; what was in force stays.
        """
        if order is not None:
            layout.check(order)
        self._anew(Wanted(self._wanted.restriction, order))

    def reset(self) -> None:
        """Columns, restriction, order and bookmarks as if the table had just been opened (R553 to R562)."""
        self._columns = None
        self._anew(Wanted())

    def _anew(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._toggled.clear()
        self._marks.clear()
        self._cursor = _Mark(0)
        self._layout = None
        self._rearrange()

    def _rearrange(self) -> None:
        """Takes up the instance column that columns or order name."""
        order = self._wanted.order
        keys = [key.tag for key in order.keys] if order is not None else []
        instance = next((tag for tag in (*(self._columns or ()), *keys) if tag & types.INSTANCE), None)
        if instance != self._wanted.instance:
            self._wanted = Wanted(self._wanted.restriction, order, instance)
            self._layout = None

    def _rows(self) -> Layout:
        """The rows as they are now; cursor and bookmarks follow theirs."""
        version = self.source.version()
        if self._layout is None or version != self._seen:
            fresh = layout.arrange(self.source, self._wanted)
            fresh.show(self._toggled, self._wanted.order)
            old, self._layout, self._seen = self._layout, fresh, version
            if old is not None:
                self._follow(old.spots(), fresh)
        return self._layout

    def _follow(self, old: Sequence[Spot], new: Layout) -> None:
        """Every place goes to its row in ``new``, or to the first one behind it that is left."""
        marks = [self._cursor, *self._marks.values()]
        places = {spot: at for at, spot in enumerate(new.spots())} if any(m.spot for m in marks) else {}
        for mark in marks:
            if mark.spot is None:
                mark.at = len(new) if mark.at else 0
            elif mark.spot in places:
                mark.at, mark.lost = places[mark.spot], False
            else:
                mark.lost = True
                left = (places[spot] for spot in old[mark.at :] if spot in places)
                mark.at = next(left, len(new))

    # --- reading and moving -------------------------------------------------------------------------

    def __len__(self) -> int:
        """Rows that are visible."""
        return len(self._rows())

    def position(self) -> tuple[int, int]:
        """The current row's number from 0, and how many rows there are (R491)."""
        total = len(self._rows())
        return self._cursor.at, total

    def query(self, count: int, *, forward: bool = True, advance: bool = True) -> list[list[Value]]:
        """Up to ``count`` rows from the cursor, in the table's order also when read backwards (R468, R469).

        Who cannot tell how many will fit asks without ``advance``, then says `seek`.
        """
        columns = self.columns
        rows = self._rows()
        at = self._cursor.at
        start, end = (at, min(at + count, len(rows))) if forward else (max(at - count, 0), at)
        found = self._values(rows, range(start, end), columns)
        if advance:
            self._go(rows, end if forward else start)
        return found

    def origin(self, *, forward: bool = True) -> Origin:
        """Where the cursor stands after reading in that direction (R724 to R726)."""
        at, total = self.position()
        if forward:
            return Origin.END if at >= total else Origin.CURRENT
        return Origin.BEGINNING if at <= 0 else Origin.CURRENT

    def seek(self, origin: Origin, rows: int) -> int:
        """Moves the cursor; returns by how many rows, negative for backwards (R496, R497)."""
        shown = self._rows()
        start = {Origin.BEGINNING: 0, Origin.CURRENT: self._cursor.at, Origin.END: len(shown)}[origin]
        return self._moved(shown, start, rows)

    def seek_fraction(self, numerator: int, denominator: int) -> None:
        """To about that part of the table (R514 to R516).  Raises MapiError(INVALID_BOOKMARK): of nothing."""
        if denominator == 0:
            raise MapiError(Code.INVALID_BOOKMARK, "a fraction of nothing")
        rows = self._rows()
        self._go(rows, len(rows) if numerator >= denominator else len(rows) * numerator // denominator)

    def _moved(self, rows: Layout, start: int, by: int) -> int:
        target = min(max(start + by, 0), len(rows))
        self._go(rows, target)
        return target - start

    def _go(self, rows: Layout, at: int) -> None:
        self._cursor = _Mark(at, rows.spot(at) if 0 < at < len(rows) else None)

    def find(
        self,
        restriction: Restriction,
        origin: Origin = Origin.CURRENT,
        *,
        backwards: bool = False,
        bookmark: bytes = b"",
    ) -> tuple[list[Value], bool]:
        """The next row that matches becomes the current one; True: the bookmark's row is gone (R534 to R538).

        Backwards the search begins before the row that it starts from (R241).
        Raises MapiError(NOT_FOUND): the cursor stays; MapiError(TOO_COMPLEX | INVALID_PARAMETER).
        """
        columns, wanted = self.columns, match.compiled(restriction)
        rows = self._rows()
        mark = self._mark(bookmark) if bookmark else None
        starts = {Origin.BEGINNING: 0, Origin.CURRENT: self._cursor.at, Origin.END: len(rows)}
        found = self._first(rows, wanted, mark.at if mark is not None else starts[origin], backwards)
        if found is None:
            raise MapiError(Code.NOT_FOUND)
        self._go(rows, found)
        (row,) = self._values(rows, range(found, found + 1), columns)
        return row, mark is not None and mark.lost

    def _first(self, rows: Layout, wanted: Matcher, start: int, backwards: bool) -> int | None:
        places = range(start - 1, -1, -1) if backwards else range(start, len(rows))
        for at in range(0, len(places), PAGE):
            page = places[at : at + PAGE]
            values = rows.values(self.source, page, wanted.keys, self._wanted.instance)
            for place, row in zip(page, values, strict=True):
                if wanted.test(row, self._parts_of(rows, place)):
                    return place
        return None

    def _parts_of(self, rows: Layout, place: int) -> match.Parts:
        if rows.header(place) is not None:
            return match.no_parts
        return functools.partial(self.source.parts, rows.spot(place)[0])

    def _values(self, rows: Layout, places: Sequence[int], columns: Sequence[Tag]) -> list[list[Value]]:
        keys = [self._resolved(tag) for tag in columns] if self._loose else list(map(_bare, columns))
        found = rows.values(self.source, places, keys, self._wanted.instance)
        untyped = [at for at, tag in enumerate(columns) if tag & 0xFFFF == types.UNSPECIFIED]
        for row in found if untyped else ():
            for at in untyped:
                if not match.is_absent(row[at]):
                    row[at] = (types.type_of(keys[at]), row[at])
        return found

    def _resolved(self, tag: Tag) -> Tag:
        """The column as the source knows it, with the type that it has there."""
        if tag & 0xFFFF != types.UNSPECIFIED:
            return _bare(tag)
        return _bare(next((each for each in self.source.columns() if each >> 16 == tag >> 16), tag))

    # --- news ---------------------------------------------------------------------------------------

    def current(self) -> Layout:
        """What is shown now: another object whenever the rows, their order or what they say are others."""
        return self._rows()

    def picture(self) -> Picture:
        """The visible rows, to be compared with those of another moment (`tablenews.compare`)."""
        return Picture.of(self._rows())

    def rows_of(self, news: Sequence[RowNews]) -> list[list[Value]]:
        """The columns of rows that were added or modified, [] for the others; right after `picture`."""
        columns, rows = self.columns, self._rows()
        there = [one.at for one in news if one.change is not tablenews.Change.DELETED]
        values = iter(self._values(rows, there, columns))
        return [[] if one.change is tablenews.Change.DELETED else next(values) for one in news]

    # --- bookmarks ----------------------------------------------------------------------------------

    def create_bookmark(self) -> bytes:
        """Marks the current row (R522).  Raises MapiError(OUT_OF_RESOURCES): more than `MAX_BOOKMARKS`."""
        rows = self._rows()
        at = self._cursor.at
        return self._bookmark(_Mark(at, rows.spot(at) if at < len(rows) else None))

    def _bookmark(self, mark: _Mark) -> bytes:
        if len(self._marks) >= MAX_BOOKMARKS:
            raise MapiError(Code.OUT_OF_RESOURCES, "too many bookmarks")
        self._given += 1
        name = self._given.to_bytes(4, "little")
        self._marks[name] = mark
        return name

    def free_bookmark(self, bookmark: bytes) -> None:
        """R545.  Raises MapiError(INVALID_BOOKMARK): there is none of that name (R5521)."""
        self._mark(bookmark)
        del self._marks[bookmark]

    def seek_bookmark(self, bookmark: bytes, rows: int) -> tuple[int, bool]:
        """As `seek`, from a bookmark; True: its row is no longer there (R503 to R506).

        Raises MapiError(INVALID_BOOKMARK): sorting, restricting or resetting forgot it (R505).
        """
        shown = self._rows()
        mark = self._mark(bookmark)
        return self._moved(shown, mark.at, rows), mark.lost

    def _mark(self, bookmark: bytes) -> _Mark:
        found = self._marks.get(bookmark)
        if found is None:
            raise MapiError(Code.INVALID_BOOKMARK)
        return found

    # --- categories ---------------------------------------------------------------------------------

    def expand(self, category: int, most: int) -> tuple[int, list[list[Value]]]:
        """Opens a heading; returns how many rows that shows, and up to ``most`` of them (R567).

        The cursor stays at its row.  Raises MapiError(NOT_FOUND | NOT_COLLAPSED) (R570, R571).
        """
        columns = self.columns
        at, is_open = self._heading(category)
        if is_open:
            raise MapiError(Code.NOT_COLLAPSED)
        shown = self._toggle(category)
        rows = self._rows()
        return shown, self._values(rows, range(at + 1, at + 1 + min(shown, most)), columns)

    def collapse(self, category: int) -> int:
        """Closes a heading; returns how many rows that hides (R573).  Raises MapiError(NOT_FOUND |
        NOT_EXPANDED).
        """
        self.columns  # noqa: B018 (R8261: not before there are some)
        if not self._heading(category)[1]:
            raise MapiError(Code.NOT_EXPANDED)
        return -self._toggle(category)

    def _heading(self, category: int) -> tuple[int, bool]:
        """Where a heading stands among the visible rows, and whether it is open."""
        rows = self._rows()
        for at in range(len(rows)):
            header = rows.header(at)
            if header is not None and header.id == category:
                return at, category in rows.expanded
        raise MapiError(Code.NOT_FOUND)

    def _toggle(self, category: int) -> int:
        """Opens or closes; returns how many rows there are more."""
        rows = self._rows()
        old = rows.spots()
        self._toggled ^= {category}
        rows.show(self._toggled, self._wanted.order)
        self._follow(old, rows)
        return len(rows) - len(old)

    def collapse_state(self, row: int, instance: int) -> bytes:
        """Which headings are open, and a row, for `set_collapse_state` (2.2.2.19).

        Raises MapiError(TABLE_TOO_BIG): more headings were touched than a state tells.
        """
        self.columns  # noqa: B018 (R8265)
        state = _STATE.pack(self._wanted.digest, row, instance)
        state += b"".join(_ID.pack(one) for one in sorted(self._toggled))
        if len(state) > MAX_STATE:
            raise MapiError(Code.TABLE_TOO_BIG)
        return state

    def set_collapse_state(self, state: bytes) -> bytes:
        """Opens and closes as ``state`` says; returns a bookmark of its row (2.2.2.20).

        Raises MapiError(INVALID_PARAMETER): malformed, or of another order or restriction (R308).
        """
        self.columns  # noqa: B018 (R8267)
        rest = len(state) - _STATE.size
        if rest < 0 or rest % _ID.size or len(state) > MAX_STATE:
            raise MapiError(Code.INVALID_PARAMETER, "no state of a table")
        belongs, row, instance = _STATE.unpack_from(state)
        if belongs != self._wanted.digest:
            raise MapiError(Code.INVALID_PARAMETER, "the state of another table")
        rows = self._rows()
        old = rows.spots()
        self._toggled = {one for (one,) in _ID.iter_unpack(state[_STATE.size :])}
        rows.show(self._toggled, self._wanted.order)
        self._follow(old, rows)
        spots = rows.spots()
        at = next((at for at, spot in enumerate(spots) if spot == (row, instance)), None)
        return self._bookmark(_Mark(0, lost=True) if at is None else _Mark(at, (row, instance)))


def _bare(tag: Tag) -> Tag:
    """The column in wide text, and without the instance bit."""
    return match.wide(tag & ~types.INSTANCE)
