"""The order of a table: which rows match, how they sort, under which headings (MS-OXCTABL 2.2.2.3).

A layout is made anew when rows or their values change; what a user expanded or collapsed is kept outside of
it, by the numbers of the headings: hashes of what a heading says, and so the same in the next layout.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any, Final, Protocol

from quintet.mapi import match, types
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.match import Matcher
from quintet.mapi.restrict import Restriction
from quintet.mapi.rows import Order, SortOrder
from quintet.mapi.types import Tag, Value
from quintet.values import dataclass

MAX_ROWS = 500_000  # that we sort or test ourselves; 200 MB of values at the worst
PAGE = 1000  # rows whose values are asked for at once
HEADING = 1 << 62  # in the number of every heading, in that of no row

INST_ID: Final[Tag] = 0x674D0014  # PidTagInstID
INSTANCE_NUM: Final[Tag] = 0x674E0003  # PidTagInstanceNum
ROW_TYPE: Final[Tag] = 0x0FF50003  # PidTagRowType
DEPTH: Final[Tag] = 0x30050003  # PidTagDepth
CONTENT_COUNT: Final[Tag] = 0x36020003  # PidTagContentCount
CONTENT_UNREAD: Final[Tag] = 0x36030003  # PidTagContentUnreadCount
READ: Final[Tag] = 0x0E69000B  # PidTagRead
LEAF_ROW, EMPTY_CATEGORY, EXPANDED_CATEGORY, COLLAPSED_CATEGORY = 1, 2, 3, 4  # 2.2.1.3
_OF_LEAVES = (INST_ID, INSTANCE_NUM, ROW_TYPE, DEPTH)

Spot = tuple[int, int]
"""A row and which of its instances; a heading's number and 0."""


class Rows(Protocol):
    """Where a table's rows come from.  A row goes by a number that stays its own.

    Text columns are asked for in their wide type and come as ``str``; a missing value is None.
    """

    def ids(self) -> Sequence[int]:
        """All rows, in the order that they have when nobody asked for one."""
        ...

    def values(self, ids: Sequence[int], keys: Sequence[Tag]) -> list[list[Value]]:
        """One list a row, one value a key.  A row that is gone meanwhile has None everywhere."""
        ...

    def columns(self) -> Sequence[Tag]:
        """All columns that some row may have (RopQueryColumnsAll)."""
        ...

    def version(self) -> Hashable:
        """Compares equal as long as neither rows nor values changed."""
        ...

    def moment(self) -> Hashable:
        """As `version`, where counts of what is in a row change without other rows coming of it."""
        return self.version()

    def touched(self, since: Any, dirty: Collection[int]) -> Collection[int] | None:  # Any: a `moment`
        """Rows whose values may be others than at a moment; ``dirty``: folders where something happened.

        None: nobody can tell.
        """
        return None

    def arranged(self, restriction: Restriction | None, order: SortOrder | None) -> Sequence[int] | None:
        """The rows that match, in order, where the source can do that faster; None: the table does it."""
        return None

    def parts(self, row: int, table: Tag) -> Sequence[Mapping[Tag, Value]]:
        """Recipients or attachments of a row, for restrictions that look at them."""
        return ()


@dataclass(frozen=True, slots=True)
class Header:
    """A heading, and the leaves from ``start`` to ``end`` that stand under it."""

    id: int
    depth: int  # headings above it
    says: Mapping[Tag, Value]  # the columns of its category and those above
    start: int
    end: int
    unread: int

    def value(self, key: Tag, expanded: bool) -> Value:
        if key == ROW_TYPE:
            return EXPANDED_CATEGORY if expanded else COLLAPSED_CATEGORY
        if key == CONTENT_COUNT:
            return self.end - self.start
        own = {INST_ID: self.id, INSTANCE_NUM: 0, DEPTH: self.depth, CONTENT_UNREAD: self.unread}
        return own[key] if key in own else self.says.get(key)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a table shows: all that a layout depends on besides the rows."""

    restriction: Restriction | None = None
    order: SortOrder | None = None
    instance: Tag | None = None  # the multi-value column whose values have rows of their own

    @property
    def digest(self) -> bytes:
        """16 bytes that differ when order or restriction do: to whom a collapse state belongs (R308)."""
        return hashlib.blake2b(repr((self.restriction, self.order)).encode(), digest_size=16).digest()


class Layout:
    """Rows in their order, under their headings; ``len`` are those that are visible."""

    def __init__(self, leaves: Sequence[int], instances: Sequence[int] | None, depth: int) -> None:
        self.leaves = leaves
        self.instances = instances  # which value of the instance column; None: there is no such column
        self.depth = depth  # of a leaf
        self.headers: list[Header] = []  # each before those under it
        self.expanded: set[int] = set()
        self._visible: list[int] | None = None  # a leaf's index, or -1 - that of a heading

    def __len__(self) -> int:
        return len(self.leaves if self._visible is None else self._visible)

    def header(self, at: int) -> Header | None:
        """The heading at a place, None where a leaf stands."""
        if self._visible is None or self._visible[at] >= 0:
            return None
        return self.headers[-1 - self._visible[at]]

    def spot(self, at: int) -> Spot:
        """What stands at a place."""
        header = self.header(at)
        return (header.id, 0) if header is not None else self._leaf(at)

    def _leaf(self, at: int) -> Spot:
        index = at if self._visible is None else self._visible[at]
        return self.leaves[index], self.instances[index] if self.instances is not None else 0

    def spots(self) -> list[Spot]:
        """What stands where."""
        return [self.spot(at) for at in range(len(self))]

    def marks(self) -> dict[int, Hashable]:
        """By the numbers of headings, all that they say but their places."""
        return {
            one.id: (repr(one.says), one.end - one.start, one.unread, one.id in self.expanded)
            for one in self.headers
        }

    def show(self, toggled: set[int], order: SortOrder | None) -> None:
        """Opens and closes headings: the outer ones that the order says, but for those ``toggled``."""
        if order is None or not order.categories:
            return
        self.expanded = {
            one.id for one in self.headers if (one.depth < order.expanded) != (one.id in toggled)
        }
        visible: list[int] = []
        closed = -1  # the depth of the closed heading that we are under
        for index, one in enumerate(self.headers):
            if 0 <= closed < one.depth:
                continue
            visible.append(-1 - index)
            closed = -1 if one.id in self.expanded else one.depth
            if closed < 0 and one.depth == order.categories - 1:
                visible.extend(range(one.start, one.end))
        self._visible = visible

    def values(
        self, source: Rows, places: Sequence[int], keys: Sequence[Tag], instance: Tag | None
    ) -> list[list[Value]]:
        """The columns of visible rows: of leaves from the source, of headings and instances from here."""
        if self._visible is None and self.instances is None:
            return self._plain(source, [self.leaves[at] for at in places], keys)
        headers = [self.header(at) for at in places]
        spots = [self._leaf(at) for at, one in zip(places, headers, strict=True) if one is None]
        known = iter(source.values([row for row, _ in spots], keys) if spots else ())
        where = iter(spots)
        bare = None if instance is None else match.wide(instance & ~types.INSTANCE)
        own = [at for at, key in enumerate(keys) if key in _OF_LEAVES or key == bare]
        found = []
        for one in headers:
            if one is not None:
                found.append([one.value(key, one.id in self.expanded) for key in keys])
                continue
            row, spot = next(known), next(where)
            for at in own:
                row[at] = self._own(spot, keys[at], row[at])
            found.append(row)
        return found

    def _plain(self, source: Rows, rows: Sequence[int], keys: Sequence[Tag]) -> list[list[Value]]:
        """`values` of a table without headings and instances, which most are."""
        found = source.values(rows, keys) if rows else []
        for at, key in enumerate(keys):
            if key in _OF_LEAVES:
                for number, values in zip(rows, found, strict=True):
                    values[at] = self._own((number, 0), key, values[at])
        return found

    def _own(self, spot: Spot, key: Tag, value: Value) -> Value:
        if key == INST_ID:
            return spot[0]
        if key == INSTANCE_NUM:
            return spot[1]
        if key == ROW_TYPE:
            return LEAF_ROW
        if key == DEPTH:  # of a tree of folders, the source knows it
            return self.depth or value or 0
        return value[spot[1]] if isinstance(value, list) and spot[1] < len(value) else None


# --- making one -----------------------------------------------------------------------------------------


def check(order: SortOrder) -> None:
    """Raises MapiError(INVALID_PARAMETER): keys or categories that cannot be (2.2.2.3.1)."""
    maximum = [at for at, key in enumerate(order.keys) if key.order == Order.MAXIMUM_CATEGORY]
    if not 0 <= order.expanded <= order.categories <= len(order.keys):
        raise MapiError(Code.INVALID_PARAMETER, "more categories than keys")
    if maximum and (maximum != [order.categories] or not order.categories):
        raise MapiError(Code.INVALID_PARAMETER, "a maximum of no category")  # R78, R79
    if len({key.tag for key in order.keys if key.tag & types.INSTANCE}) > 1:
        raise MapiError(Code.TOO_COMPLEX, "instances of more than one column")
    if any(
        types.type_of(key.tag) in (types.UNSPECIFIED, types.ERROR_CODE, types.OBJECT) for key in order.keys
    ):
        raise MapiError(Code.INVALID_PARAMETER, "a key of no possible type")


def arrange(source: Rows, wanted: Wanted) -> Layout:
    """The rows that match, in order, with their headings.

    Raises MapiError(TABLE_TOO_BIG): more than `MAX_ROWS` to sort or to test.
    """
    order = wanted.order
    if wanted.instance is None and (order is None or not order.categories):
        ready = source.arranged(wanted.restriction, order)
        if ready is not None:
            return Layout(ready, None, 0)
    rows = source.ids()
    if wanted.restriction is None and order is None and wanted.instance is None:
        return Layout(rows, None, 0)
    if len(rows) > MAX_ROWS:
        raise MapiError(Code.TABLE_TOO_BIG)
    if wanted.restriction is not None:
        rows = _matching(source, rows, match.compiled(wanted.restriction))
    instances: list[int] | None = None
    if wanted.instance is not None:
        rows, instances = _instances(source, rows, wanted.instance)
    if order is None:
        return Layout(rows, instances, 0)
    return _Sorting(source, rows, instances, order).layout()


def _pages(source: Rows, rows: Sequence[int], keys: Sequence[Tag]) -> list[list[Value]]:
    found: list[list[Value]] = []
    for start in range(0, len(rows), PAGE):
        found += source.values(rows[start : start + PAGE], keys)
    return found


def _matching(source: Rows, rows: Sequence[int], wanted: Matcher) -> Sequence[int]:
    """Those that match, in their order; no more than a count restriction wants."""
    found: list[int] = []
    for start in range(0, len(rows), PAGE):
        page = rows[start : start + PAGE]
        for row, values in zip(page, source.values(page, wanted.keys), strict=True):
            if wanted.limit is not None and len(found) >= wanted.limit:
                return found
            if wanted.test(values, functools.partial(source.parts, row)):
                found.append(row)
    return found


def _instances(source: Rows, rows: Sequence[int], tag: Tag) -> tuple[list[int], list[int]]:
    """A row for each value of a multi-value column; one for a row that has none (R433)."""
    found: list[int] = []
    numbers: list[int] = []
    for row, (value,) in zip(rows, _pages(source, rows, [tag & ~types.INSTANCE]), strict=True):
        count = len(value) if isinstance(value, list) and value else 1
        found += [row] * count
        numbers += range(count)
        if len(found) > MAX_ROWS:
            raise MapiError(Code.TABLE_TOO_BIG)
    return found, numbers


class _Sorting:
    """One sort: the values of the keys, then the order, then the headings."""

    def __init__(
        self, source: Rows, rows: Sequence[int], instances: list[int] | None, order: SortOrder
    ) -> None:
        self._rows, self._instances, self._order = rows, instances, order
        self._keys = order.keys
        tags = [match.wide(key.tag & ~types.INSTANCE) for key in order.keys]
        self._tags = tags
        self._values = _pages(source, rows, [*tags, READ] if order.categories else tags)
        if instances is not None:
            for at, key in enumerate(order.keys):
                if key.tag & types.INSTANCE:
                    self._split(at, instances)

    def _split(self, at: int, instances: list[int]) -> None:
        """Sorts and groups by the single values (R448)."""
        for row, number in zip(self._values, instances, strict=True):
            value = row[at]
            row[at] = value[number] if isinstance(value, list) and number < len(value) else None

    def layout(self) -> Layout:
        places = list(range(len(self._rows)))
        levels = self._order.categories
        maximum = self._maxima(levels) if levels < len(self._keys) else None
        for at in range(len(self._keys) - 1, -1, -1):
            key = self._keys[at]
            if key.order == Order.MAXIMUM_CATEGORY:
                continue
            places.sort(key=self._by(at), reverse=key.order == Order.DESCENDING)
            if at == levels - 1 and maximum is not None:
                places.sort(
                    key=lambda place: match.sort_key(maximum(place)), reverse=key.order == Order.DESCENDING
                )
        leaves = [self._rows[place] for place in places]
        numbers = [self._instances[place] for place in places] if self._instances is not None else None
        made = Layout(leaves, numbers, levels)
        if levels:
            self._headings(made, places, maximum)
        return made

    def _by(self, at: int) -> Callable[[int], tuple[int, Value]]:
        keys = [match.sort_key(row[at]) for row in self._values]
        return keys.__getitem__

    def _path(self, place: int, levels: int) -> tuple[Hashable, ...]:
        """What stands in the headings above a leaf, as it is compared."""
        return tuple(_hashable(match.sort_key(value)) for value in self._values[place][:levels])

    def _maxima(self, levels: int) -> Callable[[int], Value] | None:
        """For MaximumCategory: the greatest value of the key among those under a leaf's heading (R81)."""
        if self._keys[levels].order != Order.MAXIMUM_CATEGORY:
            return None
        greatest: dict[tuple[Hashable, ...], Value] = {}
        paths = [self._path(place, levels) for place in range(len(self._rows))]
        for path, row in zip(paths, self._values, strict=True):
            greatest[path] = max(greatest.get(path), row[levels], key=match.sort_key)
        return lambda place: greatest[paths[place]]

    def _headings(self, made: Layout, places: Sequence[int], maximum: Callable[[int], Value] | None) -> None:
        """One pass over the sorted leaves: a heading wherever a category begins."""
        levels = self._order.categories
        paths = [self._path(place, levels) for place in places]
        read = [0]  # how many of the leaves before are read
        for place in places:
            read.append(read[-1] + bool(self._values[place][-1]))
        starts: list[tuple[int, int]] = []  # where one begins, and its depth
        for at, path in enumerate(paths):
            old = paths[at - 1] if at else ()
            fresh = next((depth for depth in range(levels) if old[: depth + 1] != path[: depth + 1]), levels)
            starts += [(at, depth) for depth in range(fresh, levels)]
        open_until = [len(places)] * (levels + 1)  # where the next heading of each depth, or above, begins
        for at, depth in reversed(starts):
            end = min(open_until[: depth + 1])
            says = dict(zip(self._tags[: depth + 1], self._values[places[at]], strict=False))
            if maximum is not None and depth == levels - 1:
                says[self._tags[levels]] = maximum(places[at])
            number = _number(paths[at][: depth + 1])
            unread = end - at - (read[end] - read[at])
            made.headers.append(Header(number, depth, says, at, end, unread))
            open_until[depth] = at
        made.headers.reverse()


def _hashable(key: tuple[int, Value]) -> Hashable:
    there, value = key
    return there, tuple(value) if isinstance(value, list) else value


def _number(path: tuple[Hashable, ...]) -> int:
    """A heading's number: a hash of what it and those above it say."""
    raw = hashlib.blake2b(repr(path).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return HEADING | int.from_bytes(raw) >> 2
