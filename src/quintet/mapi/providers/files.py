"""What providers that keep messages in files share."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
import threading
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers.mailboxes import Head

WHOLE = 64 * 1024  # bytes of a message that a listing reads whole
HEADER = 256 * 1024  # bytes of a header; what is longer is cut
PIECE = 64 * 1024


class Guard:
    """A lock; what files fail with behind it are errors of MAPI (`meaning`)."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._lock.release()
        if isinstance(error, OSError):
            raise meaning(error) from error


def meaning(error: OSError) -> MapiError:
    return MapiError(_CODES.get(error.errno or 0, Code.DISK_ERROR), str(error))


_CODES = {
    errno.ENOENT: Code.NOT_FOUND,
    errno.ENOTDIR: Code.NOT_FOUND,
    errno.EACCES: Code.ACCESS_DENIED,
    errno.EPERM: Code.ACCESS_DENIED,
    errno.EROFS: Code.ACCESS_DENIED,
    errno.ENOSPC: Code.OUT_OF_DISK,
    errno.EDQUOT: Code.OUT_OF_DISK,
    errno.EFBIG: Code.OUT_OF_DISK,
    errno.EEXIST: Code.COLLIDING_NAMES,
    errno.ENOTEMPTY: Code.COLLIDING_NAMES,
    errno.ENAMETOOLONG: Code.INVALID_PARAMETER,
    errno.EINVAL: Code.INVALID_PARAMETER,
    errno.EILSEQ: Code.INVALID_PARAMETER,
}


class FileData:
    """A file's content (`bag.Data`).

    ``find``: where it is after another program renamed it.
    """

    def __init__(self, path: Path, find: Callable[[], Path | None] = lambda: None) -> None:
        self._path, self._find = path, find
        self._size = os.stat(path).st_size

    @property
    def size(self) -> int:
        return self._size

    def read(self, start: int, most: int) -> bytes:
        """Raises MapiError(NOT_FOUND and others): it is gone."""
        try:
            try:
                file = self._path.open("rb")
            except FileNotFoundError:
                self._path = self._find() or self._path
                file = self._path.open("rb")
            with file:
                file.seek(start)
                return file.read(max(min(most, self._size - start), 0))
        except OSError as error:
            raise meaning(error) from error

    def pieces(self) -> Iterator[bytes]:
        for start in range(0, self._size, PIECE):
            yield self.read(start, PIECE)


class TempData:
    """A temporary file's content (`bag.Data`); the file lives as long as somebody refers to it."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size = file, size
        weakref.finalize(self, file.close)
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        return self._size

    def read(self, start: int, most: int) -> bytes:
        with self._lock:
            self._file.seek(start)
            return self._file.read(min(most, self._size - start))


def kept(pieces: Iterable[bytes]) -> TempData:
    """A copy."""
    copy = tempfile.TemporaryFile()  # noqa: SIM115 (lives with the value)
    try:
        for piece in pieces:
            copy.write(piece)
        return TempData(copy, copy.tell())
    except BaseException:
        copy.close()
        raise


def head(path: Path) -> Head | None:
    """What a listing needs of the message in a file; None: it went away."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            received = status.st_mtime_ns // 1_000_000
            if status.st_size <= WHOLE:
                return Head(file.read(), True, status.st_size, received)
            return cut(file.read(HEADER), status.st_size, received)
    except (FileNotFoundError, IsADirectoryError):
        return None


def cut(start: bytes, size: int, received_ms: int) -> Head:
    """A head of the first bytes of a large message."""
    ends = [end for end in (start.find(b"\r\n\r\n"), start.find(b"\n\n")) if end >= 0]
    header = start[: min(ends)] if ends else start
    mixed = b"multipart/mixed" in header.lower()
    return Head(header + b"\r\n\r\n", False, size, received_ms, mixed)


def write(path: Path, pieces: Iterable[bytes], received_ms: int) -> None:
    """A new file, flushed, with the time of arrival as its own; all of it or none."""
    with path.open("xb") as file:
        try:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            path.unlink()
            raise
    os.utime(path, ns=(received_ms * 1_000_000, received_ms * 1_000_000))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Others of us wait meanwhile, in whatever process; it leaves nothing behind."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def sync(folder: Path) -> None:
    """Flushes a directory's entries."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def directories(root: Path, skip: Collection[str] = ()) -> Iterator[Path]:
    """Every directory below ``root`` (not itself), parents first; none with a dot before, no links."""
    for one in sorted(os.scandir(root), key=lambda entry: entry.name):
        if one.is_dir(follow_symlinks=False) and one.name not in skip and not one.name.startswith("."):
            yield Path(one.path)
            with suppress(FileNotFoundError, PermissionError):  # it went, or is not for us
                yield from directories(Path(one.path), skip)
