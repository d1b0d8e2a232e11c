"""Bodies on their way in and out: spool, files beside the database, streaming.

A small body (up to 64 KiB) stays in memory and goes into its row.  A larger one is written to a spool
file while it arrives, and, when it is complete: fsync, rename to ``blobs/ab/cdef...``, fsync of the
folder; only then may a transaction name it (docs/crash-safety.md).  A file that no row names is an
orphan, swept a day later.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from quintet.errors import Reason, Refused, TryLater
from quintet.message.scan import Scanner
from quintet.net.seam import CHUNK
from quintet.store import content, db
from quintet.store.content import Content
from quintet.store.model import IN_ROW, BodyRef

SPACE_S = 1.0  # seconds for which a look at the free space counts
ROW = 4096  # bytes that a message takes beside its body
STEP = 16 * 1024  # bytes scanned before the time is looked at: of nothing but parts, that takes 10 ms
TURN_S = 0.005  # of scanning before others get their turn

_names = iter(range(1 << 62))
_fsync = os.fsync  # named here, so that a test can make them fail
_write = os.write
_rename = os.rename


class Blobs:
    """The folder of large bodies and the spool."""

    def __init__(self, data: Path, *, sync: bool = True, reserve: int = 0) -> None:
        self.reserve = reserve  # bytes of free space below which nothing new is taken
        self._looked_at = -SPACE_S
        self._left = 0  # bytes that may be given out until the next look
        self.root = data / "blobs"
        self.spool = data / "spool"
        self.sync = sync
        for folder in (self.root, self.spool):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if sync:
            flush_folder(data)
        self._known: set[str] = set()  # folders that were made and flushed by us or were there
        self._lock = threading.Lock()

    def path(self, sha256: bytes) -> Path:
        name = sha256.hex()
        return self.root / name[:2] / name[2:]

    def settle(self, spooled: Path, fd: int, sha256: bytes) -> Path:
        """Makes a complete spool file durable under its final name.

        An existing file of that name is replaced: it has the same bytes, and the fresh date keeps
        the sweep away until a row names it.
        """
        target = self.path(sha256)
        if self.sync:
            _fsync(fd)
        self._folder(target.parent)
        _rename(spooled, target)
        if self.sync:
            flush_folder(target.parent)
        return target

    def check_space(self, size: int = 0) -> None:
        """Books the space for a body of ``size`` bytes.

        Between two looks it counts what it gave out, so that a fast sender cannot eat the reserve.

        Raises:
            TryLater(DISK_FULL): less is free than the reserve that expunging and commits need.
        """
        now = time.monotonic()
        need = 2 * size + ROW  # in the log, and in the database
        if now - self._looked_at >= SPACE_S or self._left < need:
            state = os.statvfs(self.root)
            self._left = state.f_bavail * state.f_frsize - self.reserve
            self._looked_at = now
        if self._left < need:
            raise TryLater(Reason.DISK_FULL)
        self._left -= need

    def touch(self, sha256: bytes) -> None:
        """Makes a file young again: a day passes before a sweep takes it."""
        path = self.path(sha256)
        if path.exists():
            os.utime(path)

    def _folder(self, folder: Path) -> None:
        if folder.name in self._known:
            return
        with self._lock:
            folder.mkdir(mode=0o700, exist_ok=True)
            if self.sync:
                flush_folder(self.root)
            self._known.add(folder.name)

    def files(self) -> Iterator[tuple[bytes, Path]]:
        """Every stored file with the hash that its name says."""
        for folder in sorted(self.root.iterdir()):
            if len(folder.name) != 2 or not folder.is_dir():
                continue
            for path in sorted(folder.iterdir()):
                try:
                    yield bytes.fromhex(folder.name + path.name), path
                except ValueError:
                    continue  # not ours


def pieces(path: Path) -> Iterator[bytes]:
    """A file from its beginning, never whole in memory."""
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            yield piece


def flush_folder(folder: Path) -> None:
    """A rename is durable when its folder is."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _fsync(fd)
    finally:
        os.close(fd)


class Spool:
    """One body while it arrives.  Call `finish`, and `discard` in a ``finally``, whatever happened."""

    __slots__ = ("_blobs", "_chunks", "_content_of", "_fd", "_hash", "_path", "_scanner", "size")

    def __init__(self, blobs: Blobs, content_of: Callable[[bytes], Content] = content.content_of) -> None:
        self._blobs, self._content_of = blobs, content_of  # the second for a small body
        self._chunks: list[bytes] = []
        self._scanner: Scanner | None = None
        self._hash: Any = None  # of hashlib, once there is a file
        self._fd = -1
        self._path: Path | None = None
        self.size = 0  # bytes

    def write(self, chunk: bytes) -> None:
        """Takes the next bytes.

        Raises:
            TryLater(DISK_FULL | STORAGE): the spool file cannot take them.
        """
        for piece in self._kept(chunk):
            assert self._scanner is not None
            self._scanner.feed(piece)

    async def take(self, chunk: bytes) -> None:
        """`write`, on a loop that has others to serve: 256 KiB of empty parts are scanned in 75 ms.

        Raises as `write`.
        """
        until = time.monotonic() + TURN_S
        for piece in self._kept(chunk):
            view = memoryview(piece)
            for at in range(0, len(view), STEP):
                assert self._scanner is not None
                self._scanner.feed(view[at : at + STEP])
                if time.monotonic() > until:
                    await asyncio.sleep(0)
                    until = time.monotonic() + TURN_S

    async def finish(self) -> Content:
        """The whole body as `Content`; when it is large, durable in its file.

        Raises:
            TryLater(DISK_FULL | STORAGE): it could not be made durable.
        """
        self._blobs.check_space(self.size)
        if self._fd < 0:
            return self._content_of(b"".join(self._chunks))
        return await asyncio.to_thread(self._settle)

    def finish_now(self) -> Content:
        """The same for callers that are in a thread anyway."""
        self._blobs.check_space(self.size)
        return self._content_of(b"".join(self._chunks)) if self._fd < 0 else self._settle()

    def discard(self) -> None:
        """Removes what is left of it; may be called at any time, also twice."""
        self._chunks.clear()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None

    def _kept(self, chunk: bytes) -> list[bytes]:
        """Keeps the next bytes; what of all that came is now to be scanned."""
        self.size += len(chunk)
        if self._fd < 0:
            self._chunks.append(chunk)
            return self._to_file() if self.size > IN_ROW else []
        self._hash.update(chunk)
        self._append(chunk)
        return [chunk]

    def _to_file(self) -> list[bytes]:
        path = self._blobs.spool / f"{os.getpid()}-{next(_names)}"
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise db.problem(error) from error
        self._path = path
        self._scanner = Scanner()
        self._hash = hashlib.sha256()
        for chunk in self._chunks:
            self._hash.update(chunk)
        held, self._chunks = self._chunks, []
        self._append(b"".join(held))
        return held

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[_write(self._fd, view) :]
        except OSError as error:
            raise db.problem(error) from error

    def _settle(self) -> Content:
        assert self._path is not None
        assert self._scanner is not None
        sha256 = self._hash.digest()
        try:
            target = self._blobs.settle(self._path, self._fd, sha256)
        except OSError as error:
            raise db.problem(error) from error
        self._path = None
        return content.of_digest(self._scanner.finish(), sha256, None, target)


_PER_THREAD = threading.local()


def _read_buffer() -> memoryview:
    """One buffer for a thread's reads, each copied out of it at once: a new one would be zeroed first."""
    view = getattr(_PER_THREAD, "view", None)
    if view is None:
        view = _PER_THREAD.view = memoryview(bytearray(CHUNK))
    assert isinstance(view, memoryview)
    return view


class StoredBody:
    """`seam.Body` over a stored prefix and blob."""

    __slots__ = ("_data", "_load", "_path", "_prefix", "dotless", "size")

    def __init__(self, ref: BodyRef, blobs: Blobs, load: Callable[[BodyRef], bytes | None]) -> None:
        self.size = ref.size
        self.dotless = ref.dotless
        self._prefix = ref.prefix
        self._data = ref.data if ref.blob_id is not None else b""
        self._path = None if ref.in_row or ref.blob_id is None else blobs.path(ref.sha256)
        self._load: Callable[[], bytes | None] = lambda: load(ref)

    def small(self, start: int, length: int) -> bytes | None:
        """See `seam.Body`.  Raises Refused(NO_SUCH_MESSAGE): swept meanwhile."""
        data = self._data
        if data is None:
            if start + length <= len(self._prefix):
                return self._prefix[start : start + length]
            if self._path is not None:
                return None
            data = self._load()
            if data is None:
                raise Refused(Reason.NO_SUCH_MESSAGE)
            self._data = data
        prefix = self._prefix
        if not start and length >= self.size:
            return prefix + data if prefix else data
        head = prefix[start : start + length]
        rest = length - len(head)
        if rest <= 0:
            return head
        begin = max(start - len(prefix), 0)
        return head + data[begin : begin + rest]

    async def chunks(self, start: int, length: int) -> AsyncIterator[bytes]:
        """See `seam.Body`.  Raises TryLater(STORAGE): the file cannot be read."""
        data = self.small(start, length)
        if data is not None:
            for at in range(0, len(data), CHUNK):
                yield data[at : at + CHUNK]
            return
        length = min(length, self.size - start)
        if head := self._prefix[start : start + length]:
            yield head
            length -= len(head)
        begin = max(start - len(self._prefix), 0)
        assert self._path is not None
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise TryLater(Reason.STORAGE) from error
        try:
            while length > 0:
                piece = await self._read(fd, begin, min(length, CHUNK))
                yield piece
                begin += len(piece)
                length -= len(piece)
        finally:
            os.close(fd)

    def beginning(self, length: int) -> bytes:
        """The first bytes, for who needs the header only; from a file they are read here and now.

        Raises TryLater(STORAGE): the file cannot be read.
        """
        data = self.small(0, length)
        if data is not None:
            return data
        assert self._path is not None
        try:
            with self._path.open("rb") as file:
                return self._prefix + file.read(length - len(self._prefix))
        except OSError as error:
            raise TryLater(Reason.STORAGE) from error

    async def _read(self, fd: int, start: int, length: int) -> bytes:
        """From the file cache at once; from the disk in a thread, so that the loop never waits."""
        try:
            try:
                view = _read_buffer()[:length]
                got = os.preadv(fd, [view], start, os.RWF_NOWAIT)
                piece = bytes(view[:got])
            except (BlockingIOError, OSError, AttributeError):
                # not cached, or a file system that cannot tell
                piece = await asyncio.to_thread(os.pread, fd, length, start)
        except OSError as error:
            raise TryLater(Reason.STORAGE) from error
        if not piece:
            raise TryLater(Reason.STORAGE)  # shorter than its row says: damaged
        return piece


def read_all(blobs: Blobs, ref: BodyRef, data: bytes | None) -> bytes:
    """Prefix and blob in one piece, for jobs in threads.  Raises TryLater(STORAGE), Refused."""
    if ref.blob_id is None:
        return ref.prefix
    if not ref.in_row:
        try:
            data = blobs.path(ref.sha256).read_bytes()
        except OSError as error:
            raise TryLater(Reason.STORAGE) from error
    if data is None:
        raise Refused(Reason.NO_SUCH_MESSAGE)
    return ref.prefix + data
