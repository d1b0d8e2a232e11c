"""What providers that keep messages in files share."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from quintet.mapi.providers.mailboxes import Head

WHOLE = 64 * 1024  # bytes of a message that a listing reads whole
HEADER = 256 * 1024  # bytes of a header; what is longer is cut
PIECE = 64 * 1024


class FileData:
    """A file's content (`bag.Data`), or a part of it from ``start`` on, ``size`` bytes."""

    def __init__(self, path: Path, start: int = 0, size: int | None = None) -> None:
        self._path, self._start = path, start
        self._size = os.stat(path).st_size - start if size is None else size

    @property
    def size(self) -> int:
        return self._size

    def read(self, start: int, most: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(self._start + start)
            return file.read(max(min(most, self._size - start), 0))

    def pieces(self) -> Iterator[bytes]:
        for start in range(0, self._size, PIECE):
            yield self.read(start, PIECE)


def head(path: Path) -> Head | None:
    """What a listing needs of the message in a file; None: it went away."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            received = status.st_mtime_ns // 1_000_000
            if status.st_size <= WHOLE:
                return Head(file.read(), True, status.st_size, received)
            return cut(file.read(HEADER), status.st_size, received)
    except FileNotFoundError:
        return None


def cut(start: bytes, size: int, received_ms: int) -> Head:
    """A head of the first bytes of a large message."""
    ends = [end for end in (start.find(b"\r\n\r\n"), start.find(b"\n\n")) if end >= 0]
    header = start[: min(ends)] if ends else start
    mixed = b"multipart/mixed" in header.lower()
    return Head(header + b"\r\n\r\n", False, size, received_ms, mixed)


def write(path: Path, pieces: Iterable[bytes], received_ms: int) -> None:
    """A new file, flushed, with the time of arrival as its own."""
    with path.open("xb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    os.utime(path, ns=(received_ms * 1_000_000, received_ms * 1_000_000))


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
            yield from directories(Path(one.path), skip)
