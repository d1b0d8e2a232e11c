"""A client's numbering of one mailbox: sequence number <-> UID (RFC 9051 2.3.1, 5.2, 5.5).

Pure.  The view changes only when the client is told (EXISTS, EXPUNGE), so between two answers both
sides mean the same message by the same number.  What is gone but not told yet keeps its number.
A mailbox without gaps costs nothing; otherwise four bytes a message.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from quintet.imap import sets
from quintet.store.ranges import counted

Ranges = list[tuple[int, int]]


class View:
    """The messages that the client knows, in ascending UIDs."""

    __slots__ = ("_count", "_first", "_gone", "_uids")

    def __init__(self, uids: array[int] | None = None, *, first: int = 1, count: int = 0) -> None:
        """Either ``uids`` (ascending, of type "I"), or ``count`` of them from ``first`` without a gap."""
        self._uids = uids
        self._first = first
        self._count = count
        self._gone: set[int] = set()  # expunged, not told yet
        if uids is not None and (not uids or uids[-1] - uids[0] == len(uids) - 1):
            self._uids, self._first, self._count = None, uids[0] if uids else 1, len(uids)

    def __len__(self) -> int:
        return self._count if self._uids is None else len(self._uids)

    @property
    def largest(self) -> int:
        """The highest UID, 0 when empty."""
        if self._uids is None:
            return self._first + self._count - 1 if self._count else 0
        return self._uids[-1] if self._uids else 0

    @property
    def gone(self) -> int:
        """How many messages are expunged and not told."""
        return len(self._gone)

    @property
    def numbers_are_uids(self) -> bool:
        """Nothing ever went: every message's number is its UID."""
        return self._uids is None and self._first == 1

    def uid(self, number: int) -> int:
        """The UID of sequence ``number``, which must be one of 1..len."""
        return self._first + number - 1 if self._uids is None else self._uids[number - 1]

    def number(self, uid: int) -> int:
        """The sequence number of ``uid``, 0 when the view does not have it."""
        if self._uids is None:
            return uid - self._first + 1 if self._first <= uid < self._first + self._count else 0
        index = bisect_left(self._uids, uid)
        return index + 1 if index < len(self._uids) and self._uids[index] == uid else 0

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._first, self._first + self._count) if self._uids is None else self._uids)

    # --- sets -------------------------------------------------------------------------------------

    def uid_ranges(self, numbers: sets.NumberSet) -> Ranges | None:
        """UID ranges that hold exactly the messages of the sequence set; None if a number is too large.

        A range of sequence numbers is one range of UIDs: between them lie only messages that are gone.
        RFC 9051 9 (seq-number) wants BAD for a number above the count, ``*`` in an empty mailbox included.
        """
        count = len(self)
        ranges = numbers.resolve(count)
        if not ranges or ranges[0][0] < 1 or ranges[-1][1] > count:
            return None
        return [(self.uid(low), self.uid(high)) for low, high in ranges]

    def known_ranges(self, numbers: sets.NumberSet) -> Ranges:
        """A UID set cut to what the view has; unknown UIDs are ignored (RFC 9051 6.4.9)."""
        largest = self.largest
        if not largest:
            return []
        first = self.uid(1)
        return [
            (max(low, first), min(high, largest))
            for low, high in numbers.resolve(largest)
            if low <= largest and high >= first
        ]

    def uids(self, ranges: Ranges) -> list[int]:
        """The UIDs of the view in sorted, disjoint UID ``ranges``."""
        found: list[int] = []
        for low, high in ranges:
            found.extend(self._between(low, high))
        return found

    def within(self, ranges: Ranges) -> array[int]:
        """The same, four bytes each."""
        found = array("I")
        for low, high in ranges:
            inside = self._between(low, high)
            if isinstance(inside, range):
                inside = counted(inside.start, inside.stop - 1)
            found = found + inside if found else inside
        return found

    def pages(self, ranges: Ranges, size: int) -> Iterator[list[int]]:
        """The same, at most ``size`` at a time."""
        for low, high in ranges:
            while low <= high:
                found = list(self._between(low, high)[:size])
                if not found:
                    break
                yield found
                low = found[-1] + 1

    def batches(self, ranges: Ranges, size: int) -> Iterator[list[int]]:
        """The same, but many short ranges go together: a transaction's worth at a time.

        What was given may leave the view before the next is asked for.
        """
        held: list[int] = []
        for page in self.pages(ranges, size):
            if len(held) + len(page) > size:
                yield held
                held = []
            held += page
        if held:
            yield held

    def count(self, ranges: Ranges) -> int:
        """How many messages of the view lie in UID ``ranges``."""
        return sum(self._how_many(low, high) for low, high in ranges)

    def numbers(self, uids: Sequence[int]) -> Sequence[int]:
        """Sequence numbers of ascending ``uids``, 0 for one that the view does not have.

        Runs of neighbours, what a listing gives, cost one look-up.
        """
        if not uids:
            return ()
        start = self.run(uids[0], uids[-1], len(uids))
        if start:
            return range(start, start + len(uids))
        return [self.number(uid) for uid in uids]

    def run(self, first: int, last: int, size: int) -> int:
        """The sequence number of ``first``, if the view has ``size`` messages from it to ``last``; else 0."""
        start = self.number(first)
        if start and start + size - 1 <= len(self) and self.uid(start + size - 1) == last:
            return start  # as many messages as numbers: nothing lies between
        return 0

    def cut(self, ranges: Ranges, first: int, last: int) -> Ranges:
        """Of the messages in UID ``ranges``, those from the ``first`` to the ``last``, from 1, or back.

        Negative numbers count from the end, -1 being the last (RFC 9394 3.1).
        """
        first, last = min(first, last), max(first, last)
        if first < 0:
            total = self.count(ranges)
            first, last = max(total + 1 + first, 1), total + 1 + last
        found: Ranges = []
        for low, high in ranges:
            inside = self._how_many(low, high)
            if inside >= first:
                some = self._between(low, high)[max(first - 1, 0) : max(last, 0)]
                if some:
                    found.append((some[0], some[-1]))
            first, last = first - inside, last - inside
            if last < 1:
                break
        return found

    def number_ranges(self, uids: Sequence[int]) -> Ranges:
        """Sequence numbers of ascending ``uids`` as ranges."""
        return sets.runs([number for number in self.numbers(uids) if number])

    def _between(self, low: int, high: int) -> array[int] | range:
        if self._uids is None:
            return range(max(low, self._first), min(high + 1, self._first + self._count))
        return self._uids[bisect_left(self._uids, low) : bisect_right(self._uids, high)]

    def _how_many(self, low: int, high: int) -> int:
        if self._uids is None:
            return max(min(high + 1, self._first + self._count) - max(low, self._first), 0)
        return bisect_right(self._uids, high) - bisect_left(self._uids, low)

    def gaps(self, low: int, high: int) -> Iterator[tuple[int, int]]:
        """Ranges of numbers from ``low`` to ``high`` that the view does not have, one after the other."""
        present: Sequence[int] = self._between(low, high)
        if isinstance(present, range) and present:
            present = (present[0], present[-1]) if len(present) > 1 else (present[0],)
            if low < present[0]:
                yield low, present[0] - 1
            low = present[-1] + 1
            present = ()
        for uid in present:
            if low < uid:
                yield low, uid - 1
            low = uid + 1
        if low <= high:
            yield low, high

    # --- changes ------------------------------------------------------------------------------------

    def append(self, uids: Iterable[int]) -> int:
        """Adds new messages, ascending and above all others; those that are not are known already.

        Returns how many were added.  The caller tells EXISTS.
        """
        added, largest = 0, self.largest
        for uid in uids:
            if uid <= largest:
                continue
            if self._uids is None:
                if not self._count:
                    self._first = uid
                elif uid != self._first + self._count:
                    self._spread().append(uid)
                    largest, added = uid, added + 1
                    continue
                self._count += 1
            else:
                self._uids.append(uid)
            largest, added = uid, added + 1
        return added

    def vanish(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Notes messages as expunged; they keep their numbers until `expunge`."""
        for low, high in ranges:
            self._gone.update(self._between(low, high))

    def is_gone(self, uid: int) -> bool:
        return uid in self._gone

    def expunge(self) -> tuple[list[int], list[int]]:
        """Forgets what is gone.

        Returns (sequence numbers in the order to tell EXPUNGE: from the highest, so that no number
        shifts before it is told; the UIDs, ascending, for VANISHED).
        """
        if not self._gone:
            return [], []
        uids = sorted(self._gone)
        self._gone = set()
        numbers = self.numbers(uids)
        if self._uids is None and numbers[-1] - numbers[0] == len(numbers) - 1:
            if numbers[0] == 1:  # the oldest went: still without gaps
                self._first += len(numbers)
                self._count -= len(numbers)
                return list(numbers[::-1]), uids
            if numbers[-1] == self._count:  # the newest went
                self._count -= len(numbers)
                return list(numbers[::-1]), uids
        old = self._spread()
        kept, at = array("I"), 0
        for number in numbers:
            kept.extend(old[at : number - 1])
            at = number
        kept.extend(old[at:])
        self._uids = kept
        return list(numbers[::-1]), uids

    def _spread(self) -> array[int]:
        """The UIDs one by one, from now on."""
        if self._uids is None:
            self._uids = array("I", range(self._first, self._first + self._count))
        return self._uids
