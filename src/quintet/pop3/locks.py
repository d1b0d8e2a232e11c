"""The exclusive lock on a maildrop (RFC 1939 4), across all workers of a server.

One lock file for all maildrops, one byte of it for each: a worker that dies lets go of everything.
POSIX locks belong to a process and fall when any descriptor of the file is closed, so a process has one
`Locks` for a file, with one descriptor (`shared`); between its own sessions a set decides.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import ClassVar


class Locks:
    """Who reads which folder; cheap enough to be taken at every login."""

    _shared: ClassVar[dict[Path, Locks]] = {}

    @classmethod
    def shared(cls, path: Path) -> Locks:
        """The one object of this process for a lock file; each call wants its own `close`."""
        path = path.absolute()
        found = cls._shared.get(path)
        if found is None:
            found = cls._shared[path] = cls(path)
        found._users += 1
        return found

    def __init__(self, path: Path) -> None:
        self._path = path
        self._users = 0
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._held: set[int] = set()

    def take(self, folder_id: int) -> bool:
        """Locks a maildrop; False when another session has it."""
        if folder_id in self._held:
            return False
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, folder_id)
        except OSError:
            return False
        self._held.add(folder_id)
        return True

    def free(self, folder_id: int) -> None:
        """Unlocks it."""
        if folder_id in self._held:
            self._held.discard(folder_id)
            fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, folder_id)

    def close(self) -> None:
        """One user less; the last one lets go of everything."""
        self._users -= 1
        if self._users <= 0 and self._fd >= 0:
            self._shared.pop(self._path, None)
            os.close(self._fd)
            self._fd = -1
            self._held.clear()
