"""Offers in progress: which articles a peer was asked to send, so that no second one sends them meanwhile.

INN calls it the work-in-progress table.  In one process it is a dictionary; several workers share a table of
fixed size in a mapped file, under a lock held for one batch.  An offer ends when its article came, when its
connection ends, or after ``hold_s`` seconds.  Losing an entry costs a second transfer, never an article.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import mmap
import os
import struct
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from quintet import log
from quintet.clock import Clock

MAX_OFFERS = 100_000  # of one process; beyond it the oldest are forgotten
SLOTS = 1 << 16  # of the shared table; 16 bytes each
MAX_OWED = 4096  # slots remembered of a connection: 4 times what a pipeline holds; others end by themselves
WINDOW = 8  # slots looked at for one id

_SLOT = struct.Struct("<QII")  # hash of the id, end in seconds, owner
_numbers = itertools.count(1)

logger = log.get("arrivals")


class Offers:
    """What this process, or with ``shared`` all of its kind, has asked for."""

    def __init__(self, clock: Clock, hold_s: float, shared: Path | None = None) -> None:
        self._clock, self._hold_s = clock, hold_s
        self._held: dict[bytes, tuple[int, float]] = {}  # id -> (owner, end); ends grow from front to back
        self._count: dict[int, int] = {}  # owner -> how many of them
        self._table = _shared(shared, hold_s) if shared is not None else None

    def owner(self) -> int:
        """A number for a connection."""
        return (os.getpid() << 12 ^ next(_numbers)) & 0xFFFFFFFF

    def ask(self, ids: Sequence[bytes], owner: int) -> list[bool]:
        """For each id: True when ``owner`` may be asked for it, False when another is sending it now."""
        now = self._clock.monotonic()
        self._expire(now)
        held, end = self._held, now + self._hold_s
        answers = []
        for each in ids:
            has = held.get(each)
            if has is not None and has[0] != owner:
                answers.append(False)
                continue
            if has is None:
                held[each] = owner, end
                self._count[owner] = self._count.get(owner, 0) + 1
            answers.append(True)
        if self._table is not None and any(answers):
            self._share(ids, answers, owner)
        return answers

    def _share(self, ids: Sequence[bytes], answers: list[bool], owner: int) -> None:
        assert self._table is not None
        asked = [at for at, answer in enumerate(answers) if answer]
        for at, free in zip(asked, self._table.claim([ids[at] for at in asked], owner), strict=True):
            if not free:
                answers[at] = False
                self._forget(ids[at])

    def done(self, ids: Iterable[bytes]) -> None:
        """Their articles came, whatever became of them."""
        for each in ids:
            self._forget(each)

    def leave(self, owner: int) -> None:
        """The connection is gone; others may be asked for what it owed."""
        if self._count.pop(owner, 0):
            for each in [each for each, (by, _) in self._held.items() if by == owner]:
                del self._held[each]
        if self._table is not None:
            self._table.leave(owner)

    def close(self) -> None:
        """Ends it; idempotent."""
        table, self._table = self._table, None
        if table is not None:
            table.close()

    def __len__(self) -> int:
        return len(self._held)

    def _forget(self, each: bytes) -> None:
        has = self._held.pop(each, None)
        if has is not None:
            left = self._count.get(has[0], 1) - 1
            if left > 0:
                self._count[has[0]] = left
            else:
                self._count.pop(has[0], None)

    def _expire(self, now: float) -> None:
        while self._held:
            first, (_, end) = next(iter(self._held.items()))
            if end > now and len(self._held) < MAX_OFFERS:
                return
            self._forget(first)


def _shared(path: Path, hold_s: float) -> _Table | None:
    try:
        return _Table(path, hold_s)
    except OSError as error:  # no room for it: two workers may ask for the same article
        logger.warning("offers not shared", reason=error.strerror)
        return None


class _Table:
    """The part that processes share.  Times are the system's monotonic seconds, alike for all of them."""

    def __init__(self, path: Path, hold_s: float) -> None:
        self._hold_s = max(1, int(hold_s))
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # all blocks now: a page of a hole, written when the disk is full, would kill the process
            os.posix_fallocate(self._fd, 0, SLOTS * _SLOT.size)
            self._map = mmap.mmap(self._fd, SLOTS * _SLOT.size)
        except OSError:
            os.close(self._fd)
            raise
        self._mine: dict[int, deque[int]] = {}  # owner -> offsets of the last ones

    def claim(self, ids: Sequence[bytes], owner: int) -> list[bool]:
        import time  # the one clock that processes share; tests of one process do not come here

        now = int(time.monotonic())
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            return [self._claim(int.from_bytes(_hash(each), "little"), owner, now) for each in ids]
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _claim(self, key: int, owner: int, now: int) -> bool:
        place = -1
        soonest = 1 << 32
        base = key % SLOTS
        for step in range(WINDOW):
            at = (base + step) % SLOTS * _SLOT.size
            other, end, by = _SLOT.unpack_from(self._map, at)
            if other == key and end > now:
                if by != owner:
                    return False
                place = at
                break
            if end <= now:
                end = 0
            if end < soonest:
                place, soonest = at, end
        _SLOT.pack_into(self._map, place, key, now + self._hold_s, owner)
        if owner not in self._mine:
            self._mine[owner] = deque(maxlen=MAX_OWED)
        self._mine[owner].append(place)
        return True

    def leave(self, owner: int) -> None:
        places = self._mine.pop(owner, None)
        if not places:
            return
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            for at in places:
                if _SLOT.unpack_from(self._map, at)[2] == owner:
                    _SLOT.pack_into(self._map, at, 0, 0, 0)
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        self._map.close()
        os.close(self._fd)


def _hash(each: bytes) -> bytes:
    return hashlib.blake2b(each, digest_size=8).digest()
