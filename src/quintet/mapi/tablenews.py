"""What happened to the rows of a table between two looks: pure, for everybody who tells of tables.

Extended MAPI's tables (TABLE_ROW_ADDED, TABLE_ROW_DELETED, TABLE_ROW_MODIFIED, TABLE_CHANGED) and RopNotify's
events (MS-OXCNOTIF 2.2.1.1.1, 3.1.4.3) say the same things, so both say them from here::

    before = table.picture()                              # when the client has looked at the table
    ...                                                   # a hint: something happened
    now = table.picture()
    news = tablenews.compare(before, now, touched)        # numbers of the rows whose values may be others
    if news is None:                                      # too much to tell row by row: TableChanged
    for one, row in zip(news, table.rows_of(news)):       # `row`: the columns; [] of what is deleted

Whoever carries the news out in their order, each row put right behind ``after``, has the table as it is now.
"""

from __future__ import annotations

import bisect
import enum
from array import array
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Final

from quintet.mapi.layout import Layout, Spot
from quintet.values import dataclass

MAX_NEWS: Final = 200  # rows told one by one; of more the table only says that it changed


class Change(enum.Enum):
    """What became of a row."""

    ADDED = enum.auto()
    DELETED = enum.auto()
    MODIFIED = enum.auto()  # other values, another place, or both


@dataclass(frozen=True, slots=True)
class RowNews:
    """One change.  ``after``: the row that it now stands right behind; None: it is the first.

    ``at``: its place in the table as it is now, from 0.  What is deleted has neither.
    """

    change: Change
    spot: Spot
    after: Spot | None = None
    at: int = -1


class Picture:
    """The visible rows at a moment, 8 bytes for each where no column has instances."""

    __slots__ = ("_instances", "_marks", "_rows")

    def __init__(self, spots: Sequence[Spot], marks: Mapping[int, Hashable] | None = None) -> None:
        """``marks``: what headings say of the rows under them, since nothing else tells when that changes."""
        self._rows = array("q", [row for row, _ in spots])
        instances = array("I", [number for _, number in spots])
        self._instances = instances if any(instances) else None
        self._marks = marks or {}

    @classmethod
    def of(cls, layout: Layout) -> Picture:
        return cls(layout.spots(), layout.marks())

    def __len__(self) -> int:
        return len(self._rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Picture) and self._parts() == other._parts()

    __hash__ = None  # type: ignore[assignment]

    def _parts(self) -> tuple[object, ...]:
        return self._rows, self._instances, self._marks

    def spots(self) -> list[Spot]:
        """What stands where."""
        return list(zip(self._rows, self._instances or bytes(len(self._rows)), strict=True))

    def says(self, spot: Spot) -> Hashable:
        """What a heading says; None for any other row."""
        return self._marks.get(spot[0])


def compare(
    before: Picture, now: Picture, touched: Collection[int] = (), *, most: int = MAX_NEWS
) -> list[RowNews] | None:
    """What to tell, in the order in which it is to be carried out; None: more than ``most`` changes.

    ``touched``: numbers of rows whose values may have changed, all their instances.  Costs one pass over both
    pictures, and a sort where rows have changed places.
    """
    if not touched and before == now:
        return []
    old, new = before.spots(), now.spots()
    was, here = set(old), set(new)
    gone = [spot for spot in old if spot not in here]
    stayed = [spot for spot in new if spot in was]
    changed = {spot for spot in stayed if spot[0] in touched or before.says(spot) != now.says(spot)}
    if len(gone) + len(new) - len(stayed) + len(changed) > most:
        return None
    changed |= _moved(
        [spot for spot in old if spot in here and spot not in changed],
        [spot for spot in stayed if spot not in changed],
    )
    if len(gone) + len(new) - len(stayed) + len(changed) > most:
        return None
    news = [RowNews(Change.DELETED, spot) for spot in gone]
    prior: Spot | None = None
    for at, spot in enumerate(new):
        if spot not in was:
            news.append(RowNews(Change.ADDED, spot, prior, at))
        elif spot in changed:
            news.append(RowNews(Change.MODIFIED, spot, prior, at))
        prior = spot
    return news


def _moved(old: Sequence[Spot], new: Sequence[Spot]) -> set[Spot]:
    """The fewest of the same rows that have to go elsewhere: all but a longest run that rises."""
    if old == new:
        return set()
    start, end = 0, len(old)
    while old[start] == new[start]:
        start += 1
    while old[end - 1] == new[end - 1]:
        end -= 1
    places = {spot: at for at, spot in enumerate(old[start:end])}
    part = new[start:end]
    tops: list[int] = []  # the lowest place that a rising run of each length can end with
    ends: list[int] = []  # and where in `part` that is
    links: list[int] = []  # what stands before each in the best run that ends with it
    for index, spot in enumerate(part):
        place = places[spot]
        at = bisect.bisect_left(tops, place)
        links.append(ends[at - 1] if at else -1)
        tops[at : at + 1], ends[at : at + 1] = [place], [index]
    kept, index = set(), ends[-1]
    while index >= 0:
        kept.add(part[index])
        index = links[index]
    return set(part) - kept
