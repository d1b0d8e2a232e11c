"""RangeSet: numbers as ranges, the way a news reader's .newsrc writes them ("1-512,514")."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator

MAX_COUNTED = 2_000_000  # numbers kept by `counted`: 8 MB
_counted = [array("I")]  # 1, 2, 3, ...: copying them is a hundred times faster than making them


def counted(low: int, high: int) -> array[int]:
    """The numbers from ``low`` to ``high``, four bytes each."""
    if high > MAX_COUNTED:
        return array("I", range(low, high + 1))
    known = _counted[0]
    if len(known) < high:
        known = _counted[0] = array("I", range(1, high + 1))  # readers in other threads keep theirs
    return known[low - 1 : high]


class RangeSet:
    """An immutable set of positive numbers, held as sorted, separate, inclusive ranges."""

    __slots__ = ("_highs", "_lows")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        lows: list[int] = []
        highs: list[int] = []
        for low, high in sorted(ranges):
            if highs and low <= highs[-1] + 1:
                highs[-1] = max(high, highs[-1])
            else:
                lows.append(low)
                highs.append(high)
        self._lows = lows
        self._highs = highs

    @classmethod
    def parse(cls, text: str) -> RangeSet:
        """The inverse of `str`; our own text, so anything else is a ValueError."""
        ranges = []
        for piece in text.split(",") if text else ():
            low, _, high = piece.partition("-")
            ranges.append((int(low), int(high or low)))
        return cls(ranges)

    @classmethod
    def of(cls, numbers: Iterable[int]) -> RangeSet:
        """From single numbers in any order."""
        result = cls()
        lows, highs = result._lows, result._highs
        for number in sorted(numbers):
            if highs and number <= highs[-1] + 1:
                highs[-1] = number
            else:
                lows.append(number)
                highs.append(number)
        return result

    def __str__(self) -> str:
        return ",".join(
            str(low) if low == high else f"{low}-{high}"
            for low, high in zip(self._lows, self._highs, strict=True)
        )

    def __repr__(self) -> str:
        return f"RangeSet({str(self)!r})"

    def __bool__(self) -> bool:
        return bool(self._lows)

    def __len__(self) -> int:
        """How many numbers."""
        return sum(self._highs) - sum(self._lows) + len(self._lows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RangeSet) and self._lows == other._lows and self._highs == other._highs

    def __hash__(self) -> int:
        return hash((tuple(self._lows), tuple(self._highs)))

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._lows, number) - 1
        return at >= 0 and number <= self._highs[at]

    def __iter__(self) -> Iterator[int]:
        for low, high in self.ranges():
            yield from range(low, high + 1)

    def ranges(self) -> list[tuple[int, int]]:
        """All (low, high), ascending."""
        return list(zip(self._lows, self._highs, strict=True))

    @property
    def highest(self) -> int:
        return self._highs[-1] if self._highs else 0

    def __or__(self, other: RangeSet) -> RangeSet:
        return RangeSet(self.ranges() + other.ranges())

    def __and__(self, other: RangeSet) -> RangeSet:
        out = []
        mine, theirs = self.ranges(), other.ranges()
        i = j = 0
        while i < len(mine) and j < len(theirs):
            low, high = max(mine[i][0], theirs[j][0]), min(mine[i][1], theirs[j][1])
            if low <= high:
                out.append((low, high))
            if mine[i][1] < theirs[j][1]:
                i += 1
            else:
                j += 1
        return RangeSet(out)

    def __sub__(self, other: RangeSet) -> RangeSet:
        out = []
        theirs = other.ranges()
        j = 0
        for low, high in self.ranges():
            while j < len(theirs) and theirs[j][1] < low:
                j += 1
            k = j
            while k < len(theirs) and theirs[k][0] <= high:
                if theirs[k][0] > low:
                    out.append((low, theirs[k][0] - 1))
                low = theirs[k][1] + 1
                k += 1
            if low <= high:
                out.append((low, high))
        return RangeSet(out)
