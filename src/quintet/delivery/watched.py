"""A file of an administrator's, read again when it changes; while it cannot be read, what was known holds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from quintet import log
from quintet.clock import Clock
from quintet.errors import Reason, TryLater

LOOK_S = 2.0  # how often the file's date is looked at
MAX_SIZE = 64 * 1024 * 1024  # bytes; two million addresses

logger = log.get("delivery")

T = TypeVar("T")


class Watched(Generic[T]):
    """``read`` makes what is wanted of the text; its ValueError says what is wrong with it."""

    def __init__(self, path: str, clock: Clock, read: Callable[[str], T], what: str) -> None:
        self._path, self._clock, self._read, self._what = Path(path), clock, read, what
        self._found: T | None = None
        self._seen: tuple[int, int] | None = None  # date and size of what was read
        self._look_at = 0.0

    def get(self) -> T:
        """Raises TryLater(STORAGE): the file was never read."""
        now = self._clock.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._refresh()
        if self._found is None:
            raise TryLater(Reason.STORAGE, f"The {self._what} cannot be read")
        return self._found

    def _refresh(self) -> None:
        try:
            status = os.stat(self._path)
            seen = (status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return
            if status.st_size > MAX_SIZE:
                raise ValueError(f"larger than {MAX_SIZE} bytes")
            self._found = self._read(self._path.read_text("utf-8"))
            self._seen = seen
        except (OSError, ValueError) as error:
            self._seen = None
            logger.warning("file not read", what=self._what, path=str(self._path), why=str(error))
