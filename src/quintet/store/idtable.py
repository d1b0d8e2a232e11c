"""IdTable: one file of 32-bit tags, mapped by every process, that tells which ids were surely never added.

Open addressing over a power of two; a tag is the CRC of an id and says itself where it stands.  Whoever
adds holds the store's gate; readers take no lock: a slot is one aligned word, empty or whole.  What the
table says "perhaps" to must be asked of the database; what it says no to was never added.  Ids that are
chosen to collide cost a look at the database each, and nothing more: a probe ends after `PROBES` slots.
10,000,000 ids need 64 MiB, shared by all processes.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final
from zlib import crc32

HEAD = 4096  # bytes before the slots: a page of its own, so that it can be flushed alone
MAGIC = int.from_bytes(b"QNTIDS01")
MIN_SLOTS = 1 << 18  # 1 MiB, mostly holes until it is used
FULL = 0.7  # of the slots: a table that is fuller wants a larger successor
MAX_FULL = 0.9  # beyond this the table answers for nobody
PROBES = 64  # slots looked at; with 0.7 of them taken it is 6 on average

BUILDING: Final = 0  # ids are missing: a "no" of it means nothing
READY: Final = 1
RETIRED: Final = 2  # another file has its name now
PARTIAL: Final = (
    3  # ids are missing of which nobody has the text, so that they have no tag: a "no" means nothing
)

# words of the head
_MAGIC, _SLOTS, _USED, _STATE, _CLEAN, _NEXT, _BOOT, _STORE = 0, 1, 2, 3, 4, 5, 6, 8


def slots_for(count: int) -> int:
    """How many slots ``count`` ids should have: filled to 5/8 at most."""
    slots = MIN_SLOTS
    while slots * 5 < count * 8:
        slots *= 2
    return slots


class IdTable:
    """One file, open.  ``maybe`` may be asked from any thread; everything that changes it is ordered."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd
        self._map = mmap.mmap(fd, 0)
        self._view = memoryview(self._map)
        self._head = self._view[:HEAD].cast("Q")
        self._slots = self._view[HEAD:].cast("I")
        self._mask = len(self._slots) - PROBES - 1  # probes run on behind the last one, not around

    @classmethod
    def create(cls, path: Path, slots: int, store: bytes) -> IdTable:
        """An empty one that belongs to the store with that 16-byte token; replaces what has the name."""
        part = path.with_name(f"{path.name}.part")
        fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, HEAD + (slots + PROBES) * 4)  # a hole on a full disk would kill us
            with mmap.mmap(fd, HEAD) as head, memoryview(head) as view:
                with view.cast("Q") as words:
                    words[_MAGIC], words[_SLOTS] = MAGIC, slots
                view[_STORE * 8 : _STORE * 8 + 16] = store
                view[_BOOT * 8 : _BOOT * 8 + 16] = _boot_id()
            os.rename(part, path)
            fcntl.flock(fd, fcntl.LOCK_SH)
            return cls(path, fd)
        except BaseException:
            os.close(fd)
            part.unlink(missing_ok=True)
            raise

    @classmethod
    def open(cls, path: Path, store: bytes) -> IdTable | None:
        """The one that is there; None when there is none, or one that cannot be relied on.

        Not when it is another store's, nor after the machine stopped before it was flushed.
        """
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            slots = (os.fstat(fd).st_size - HEAD) // 4 - PROBES
            if slots < MIN_SLOTS or slots & (slots - 1):
                os.close(fd)
                return None
            fcntl.flock(fd, fcntl.LOCK_SH)
            found = cls(path, fd)
        except OSError:
            os.close(fd)
            raise
        view, head, boot = found._view, found._head, _boot_id()
        sound = (
            head[_MAGIC] == MAGIC
            and head[_SLOTS] == slots
            and bytes(view[_STORE * 8 : _STORE * 8 + 16]) == store
            and (head[_CLEAN] or (bytes(view[_BOOT * 8 : _BOOT * 8 + 16]) == boot and any(boot)))
        )
        if not sound:
            found.close()
            return None
        view[_BOOT * 8 : _BOOT * 8 + 16] = boot
        return found

    def close(self, *, flush: bool = False) -> None:
        """``flush``: when nobody else has it open, it is brought to the disk and outlives a power cut.

        Called under the lock of `opening`, or by who knows that nobody opens it now.
        """
        if flush and self.state in (READY, PARTIAL):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._map.flush()
                self._head[_CLEAN] = 1
                self._map.flush(0, HEAD)
        for view in (self._head, self._slots, self._view):
            view.release()
        self._map.close()
        os.close(self._fd)

    @property
    def state(self) -> int:
        return self._head[_STATE]

    @property
    def used(self) -> int:
        """Slots that are taken."""
        return self._head[_USED]

    @property
    def slots(self) -> int:
        return self._mask + 1

    @property
    def crowded(self) -> bool:
        return self.used > self.slots * FULL

    @property
    def successor(self) -> int:
        """Not 0 while another process fills the next table: what is added must go there too."""
        return self._head[_NEXT]

    def set_state(self, state: int) -> None:
        self._head[_STATE] = state

    def set_successor(self, number: int) -> None:
        self._head[_NEXT] = number

    def maybe(self, ids: Sequence[str]) -> list[str]:
        """Those of ``ids`` that may have been added, in their order; the others never were."""
        slots, mask, found = self._slots, self._mask, []
        for one in ids:
            tag = crc32(one.encode("utf-8", "replace")) or 1
            at = tag & mask
            held = slots[at]
            if held:
                end = at + PROBES
                while held != tag:
                    at += 1
                    if at == end:
                        break
                    held = slots[at]
                    if not held:
                        break
                if held:
                    found.append(one)
        return found

    def add(self, ids: Iterable[str], *, sync: bool = True) -> None:
        """Takes ids in.  The caller holds the gate of the store.

        The first to add after a flush says so on the disk (``sync``) before anything else.
        """
        head = self._head
        if head[_CLEAN]:
            head[_CLEAN] = 0
            if sync:
                self._map.flush(0, HEAD)
        self.add_tags([crc32(one.encode("utf-8", "replace")) for one in ids])

    def add_tags(self, tags: Iterable[int]) -> None:
        """The same by the CRCs of the ids, into a table that nobody else believes yet, or by `add`."""
        head, slots, mask = self._head, self._slots, self._mask
        used, most = head[_USED], int(self.slots * MAX_FULL)
        for each in tags:
            tag = each or 1
            start = tag & mask
            for at in range(start, start + PROBES):
                held = slots[at]
                if held == tag:
                    break
                if not held:
                    slots[at] = tag
                    used += 1
                    break
        head[_USED] = used
        if used > most and head[_STATE] in (READY, PARTIAL):
            head[_STATE] = BUILDING  # probes have become long: it is asked again when it has a successor


@contextlib.contextmanager
def opening(path: Path) -> Iterator[None]:
    """One process at a time opens, replaces or closes the table at ``path``."""
    fd = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _boot_id() -> bytes:
    """Names this run of the machine; zeros where it cannot be told (then only a flushed table counts)."""
    try:
        return bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", ""))
    except (OSError, ValueError):
        return bytes(16)
