"""Numbers by name, shared by all processes of a machine: a bounded table in a mapped file.

For what must be counted together and may be a little wrong: rates, failed logins.  A name is kept as a keyed
hash of 64 bits, a number as one float, so that each is written in one piece: a reader never sees half of one.
Two processes that change the same number at the same moment may lose one of the two changes; nothing worse
can happen, and no lock is taken.

Numbers must grow with their worth: when a row is full the smallest is forgotten.  So they are moments
(until when, since when), which a restart of program or machine leaves valid.

Measured: `get` or `put` of a name used lately 0.16 us, of another one 3 us.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import secrets
from pathlib import Path

from quintet import log

WAYS = 8  # slots of a row: a name may stand in any of them, 128 bytes side by side
MAX_PLACES = 8192  # names whose slot is remembered in this process
MAGIC = b"QNTSLOT1"
HEADER = 64  # bytes: magic, rows, key of the hash, nothing

logger = log.get("store")


class Slots:
    """See the module.  Without a ``path`` the table belongs to this process alone.

    ``size`` is how many numbers fit, rounded up to whole rows; an existing file of another size is replaced.
    Where no file can be made (a full disk), the table is this process's own, and the log says so.
    """

    def __init__(self, size: int, path: Path | None = None) -> None:
        self._rows = max(1, -(-size // WAYS))
        memory = None
        if path is not None:
            try:
                memory = _mapped(path, self._rows)
            except OSError as error:
                logger.warning("counts are not shared", path=str(path), text=str(error))
        if memory is None:
            memory = mmap.mmap(-1, _length(self._rows))
            memory[:HEADER] = _header(self._rows)
        self._memory = memory
        self._key = memory[16:32]
        self._view = memoryview(memory)
        self._names = self._view[HEADER:].cast("Q")
        self._numbers = self._view[HEADER:].cast("d")
        self._places: dict[str, tuple[int, int]] = {}  # hash, index of the slot

    def close(self) -> None:
        """Lets go of the memory."""
        self._names.release()
        self._numbers.release()
        self._view.release()
        self._memory.close()

    def get(self, name: str) -> float:
        """The number of a name; 0.0 where there is none."""
        place = self._places.get(name)
        if place is not None and self._names[place[1]] == place[0]:
            return self._numbers[place[1] + 1]
        found = self._find(name)
        return 0.0 if found < 0 else self._numbers[found + 1]

    def put(self, name: str, number: float) -> None:
        """Keeps a number; it may be forgotten when many larger ones come."""
        place = self._places.get(name)
        if place is not None and self._names[place[1]] == place[0]:
            self._numbers[place[1] + 1] = number
            return
        found = self._find(name, make=True)
        self._numbers[found + 1] = number

    def drop(self, name: str) -> None:
        """Forgets a number, if it is there."""
        found = self._find(name)
        if found >= 0:
            self._names[found] = 0
            self._numbers[found + 1] = 0.0

    def clear(self) -> None:
        """Forgets all."""
        for index in range(0, self._rows * WAYS * 2, 2):
            self._names[index] = 0
            self._numbers[index + 1] = 0.0

    def count(self, above: float = 0.0) -> int:
        """How many numbers are greater; looks at all, some 4 ms for 65,536."""
        return sum(number > above for number in self._numbers[1::2].tolist())

    def _find(self, name: str, *, make: bool = False) -> int:
        """Index of the slot, -1 if there is none; with ``make`` the least worthy one of the row is taken."""
        digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8, key=self._key).digest()
        number = int.from_bytes(digest, "little") or 1
        start = number % self._rows * WAYS * 2
        names, found, least = self._names, -1, 0.0
        for index in range(start, start + WAYS * 2, 2):
            own = names[index]
            if own == number:
                self._remember(name, number, index)
                return index
            value = self._numbers[index + 1] if own else float("-inf")
            if found < 0 or value < least:
                found, least = index, value
        if not make:
            return -1
        self._numbers[found + 1] = 0.0
        names[found] = number
        self._remember(name, number, found)
        return found

    def _remember(self, name: str, number: int, index: int) -> None:
        if len(self._places) >= MAX_PLACES:
            self._places.clear()
        self._places[name] = (number, index)


def _length(rows: int) -> int:
    return HEADER + rows * WAYS * 16


def _header(rows: int) -> bytes:
    return (MAGIC + rows.to_bytes(8, "little") + secrets.token_bytes(16)).ljust(HEADER, b"\0")


def _mapped(path: Path, rows: int) -> mmap.mmap:
    """The file in memory; made, or made anew as another file, when it is none of ours.  Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # for the moment in which a file is made
        try:
            return _opened(path, rows)
        except (FileNotFoundError, ValueError):
            return _made(path, rows)
    finally:
        os.close(lock)


def _opened(path: Path, rows: int) -> mmap.mmap:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        head = os.read(fd, HEADER)
        whole = os.fstat(fd).st_size == _length(rows)
        if not whole or head[:8] != MAGIC or head[8:16] != rows.to_bytes(8, "little"):
            raise ValueError("another table")
        return mmap.mmap(fd, _length(rows))
    finally:
        os.close(fd)


def _made(path: Path, rows: int) -> mmap.mmap:
    """A new file takes the old one's name, so that who has that mapped never loses ground under it."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        # all blocks now: a page of a hole, written when the disk is full, would kill the process
        os.posix_fallocate(fd, 0, _length(rows))
        os.pwrite(fd, _header(rows), 0)
        memory = mmap.mmap(fd, _length(rows))
        os.rename(fresh, path)
        return memory
    except OSError:
        os.unlink(fresh)
        raise
    finally:
        os.close(fd)
