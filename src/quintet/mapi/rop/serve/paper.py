"""Bytes that are written in pieces: in memory while they are few, then in a file that has no name."""

from __future__ import annotations

import os
import tempfile

IN_MEMORY = 256 * 1024  # bytes


class Paper:
    """As `bag.Data`, and to be written; the file is gone with the object."""

    __slots__ = ("_file", "_memory", "size")

    def __init__(self) -> None:
        self.size = 0
        self._memory = bytearray()
        self._file = -1

    @property
    def weight(self) -> int:
        """What it costs: an open file costs something of its own."""
        return self.size + (IN_MEMORY if self._file >= 0 else 0)

    def read(self, start: int, most: int) -> bytes:
        """Up to ``most`` bytes from ``start``; fewer only at the end."""
        if self._file >= 0:
            return os.pread(self._file, max(min(most, self.size - start), 0), start)
        return bytes(self._memory[start : start + most])

    def write(self, start: int, data: bytes) -> None:
        """What lies between the end and ``start`` becomes zeros."""
        end = start + len(data)
        if self._file < 0 and end > IN_MEMORY:
            self._to_file()
        if self._file >= 0:
            while data:
                written = os.pwrite(self._file, data, start)
                start, data = start + written, data[written:]
        else:
            if start > len(self._memory):
                self._memory.extend(bytes(start - len(self._memory)))
            self._memory[start:end] = data
        self.size = max(self.size, end)

    def resize(self, size: int) -> None:
        """Cuts, or goes on with zeros."""
        if self._file < 0 and size > IN_MEMORY:
            self._to_file()
        if self._file >= 0:
            os.ftruncate(self._file, size)
        elif size < len(self._memory):
            del self._memory[size:]
        else:
            self._memory.extend(bytes(size - len(self._memory)))
        self.size = size

    def _to_file(self) -> None:
        with tempfile.TemporaryFile() as file:
            self._file = os.dup(file.fileno())
        memory, self._memory = self._memory, bytearray()
        os.pwrite(self._file, memory, 0)

    def __del__(self) -> None:
        if self._file >= 0:
            os.close(self._file)
