"""Sequence sets: what a client writes to name messages (RFC 9051 9, `sequence-set`).

Pure.  A set is ranges of numbers, ``STAR`` standing for the largest in use; `view` turns them into
messages.  `write` and `merge` serve the answers (COPYUID, ESEARCH, VANISHED).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from quintet.errors import BadSyntax, Reason
from quintet.values import dataclass

STAR = 0  # "*"; no message has the number 0
MAX_NUMBER = 4294967295  # RFC 9051 9: nz-number is an unsigned 32-bit integer
MAX_RANGES = 20_000  # a 64 KiB line can hold no more than about 32,000

_SET = re.compile(rb"(?:[1-9][0-9]{0,9}|\*)(?::(?:[1-9][0-9]{0,9}|\*))?"
                  rb"(?:,(?:[1-9][0-9]{0,9}|\*)(?::(?:[1-9][0-9]{0,9}|\*))?)*")  # fmt: skip

Ranges = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class NumberSet:
    """What was written: ranges in the order given, or ``$`` (RFC 5182: the saved search result)."""

    ranges: tuple[tuple[int, int], ...] = ()
    saved: bool = False

    def resolve(self, largest: int) -> Ranges:
        """Sorted, disjoint, joined ranges with ``*`` as ``largest`` (RFC 9051 9: any order of ends)."""
        pairs = []
        for low, high in self.ranges:
            low, high = low or largest, high or largest
            pairs.append((low, high) if low <= high else (high, low))
        return join(pairs)

    def moves(self, largest: int) -> bool:
        """``*`` alone, or with what is not in use yet: a larger number changes more than an end."""
        return any(STAR in pair and (max(pair) == STAR or max(pair) > largest) for pair in self.ranges)


def parse(text: bytes) -> NumberSet:
    """Reads a whole ``sequence-set``.  Raises BadSyntax, TOO_MANY past `MAX_RANGES`."""
    if text == b"$":
        return NumberSet(saved=True)
    if _SET.fullmatch(text) is None:
        raise BadSyntax("not a sequence set")
    if text.count(b",") >= MAX_RANGES:
        raise BadSyntax("sequence set of too many ranges", Reason.TOO_MANY)
    ranges = []
    for piece in text.split(b","):
        first, _, last = piece.partition(b":")
        low = STAR if first == b"*" else int(first)
        high = low if not last else STAR if last == b"*" else int(last)
        if low > MAX_NUMBER or high > MAX_NUMBER:
            raise BadSyntax("number of more than 32 bits")
        ranges.append((low, high))
    return NumberSet(tuple(ranges))


def join(pairs: Iterable[tuple[int, int]]) -> Ranges:
    """The same numbers as sorted ranges without overlaps or neighbours."""
    joined: Ranges = []
    for low, high in sorted(pairs):
        if joined and low <= joined[-1][1] + 1:
            if high > joined[-1][1]:
                joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return joined


def runs(numbers: Sequence[int]) -> Ranges:
    """Ranges of ascending ``numbers``; also of descending ones they would be single pairs."""
    found: Ranges = []
    start = previous = None
    for number in numbers:
        if previous is not None and start is not None and number == previous + 1:
            previous = number
            continue
        if start is not None and previous is not None:
            found.append((start, previous))
        start = previous = number
    if start is not None and previous is not None:
        found.append((start, previous))
    return found


def write(ranges: Iterable[tuple[int, int]]) -> bytes:
    """``1:3,5`` (bytes; empty for no ranges)."""
    return b",".join(b"%d" % low if low == high else b"%d:%d" % (low, high) for low, high in ranges)


def contains(ranges: Ranges, number: int) -> bool:
    """True if ``number`` lies in the sorted, disjoint ``ranges``; O(log n)."""
    low, high = 0, len(ranges)
    while low < high:
        middle = (low + high) // 2
        if ranges[middle][1] < number:
            low = middle + 1
        else:
            high = middle
    return low < len(ranges) and ranges[low][0] <= number


def intersect(one: Ranges, other: Ranges) -> Ranges:
    """Numbers in both; both sorted and disjoint."""
    if len(one) == 1:
        one, other = other, one
    if one and len(other) == 1 and other[0][0] <= one[0][0] and one[-1][1] <= other[0][1]:
        return list(one)  # as where a set is cut to a mailbox
    found: Ranges = []
    i = j = 0
    while i < len(one) and j < len(other):
        low, high = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if low <= high:
            found.append((low, high))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return found


def size(ranges: Iterable[tuple[int, int]]) -> int:
    """How many numbers."""
    return sum(high - low + 1 for low, high in ranges)
