"""IStream: a property as bytes that are read and written piece by piece.

Text is UTF-16 for PT_UNICODE and 8 bits wide for PT_STRING8, without an end mark (MS-OXCPRPT 2.2.14).  What
is large stays outside of memory: read by reference, written to a temporary file.
"""

from __future__ import annotations

import tempfile
import threading
import weakref
from collections.abc import Callable
from typing import IO, ClassVar

from quintet.mapi import consts
from quintet.mapi.bag import Data
from quintet.mapi.core.errors import fail
from quintet.mapi.core.structs import STATSTG
from quintet.mapi.core.unknown import IUnknown
from quintet.mapi.providers import files

IN_MEMORY = 1024 * 1024  # bytes; what is written beyond goes to a file
PIECE = 256 * 1024  # bytes that are copied at once
MAX_SIZE = 2 * 1024 * 1024 * 1024 - 1  # bytes, as PidTagAttachSize tells them
STREAM_SEEK_SET, STREAM_SEEK_CUR, STREAM_SEEK_END = 0, 1, 2


class IStream(IUnknown):
    """An open stream; `IStream()` is one in memory.

    ``save``, where the stream belongs to a property, is given the whole content by Commit, and by the object
    that the stream belongs to when that is saved.
    """

    iids: ClassVar[tuple[str, ...]] = ("IID_IStream", "IID_ISequentialStream")

    def __init__(
        self,
        content: bytes | Data = b"",
        save: Callable[[bytes | Data], None] | None = None,
        lock: threading.RLock | None = None,
        *,
        writable: bool = True,
    ) -> None:
        super().__init__(lock)
        self._may_write = writable
        self._content = content
        self._save = save
        self._own: IO[bytes] | None = None  # once it was written
        self._size = len(content) if isinstance(content, bytes) else content.size
        self._at = 0
        self.dirty = False

    def Read(self, count: int) -> bytes:
        """Up to ``count`` bytes; fewer only at the end."""
        most = max(0, min(count, self._size - self._at))
        if self._own is not None:
            self._own.seek(self._at)
            found = self._own.read(most)
        elif isinstance(self._content, bytes):
            found = self._content[self._at : self._at + most]
        else:
            found = self._content.read(self._at, most)
        self._at += len(found)
        return found

    def Write(self, data: bytes) -> int:
        """How many bytes were written: all.  Raises MAPIErrorNoAccess, MAPIErrorTooBig."""
        file = self._writable()
        if self._at + len(data) > MAX_SIZE:
            raise fail("MAPI_E_TOO_BIG")
        if self._at > self._size:
            self.SetSize(self._at)
        file.seek(self._at)
        file.write(data)
        self._at += len(data)
        self._size = max(self._size, self._at)
        return len(data)

    def _writable(self) -> IO[bytes]:
        if not self._may_write:
            raise fail("MAPI_E_NO_ACCESS")
        if self._own is None:
            self._own = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 (as the stream)
            weakref.finalize(self, self._own.close)
            content = self._content
            for start in range(0, self._size, PIECE):
                piece = (
                    content[start : start + PIECE]
                    if isinstance(content, bytes)
                    else content.read(start, PIECE)
                )
                self._own.write(piece)
        self.dirty = True
        return self._own

    def Seek(self, offset: int, origin: int = STREAM_SEEK_SET) -> int:
        """The new place, from the beginning.  Raises MAPIErrorInvalidParameter: before the beginning."""
        starts = {STREAM_SEEK_SET: 0, STREAM_SEEK_CUR: self._at, STREAM_SEEK_END: self._size}
        if origin not in starts or starts[origin] + offset < 0:
            raise fail("MAPI_E_INVALID_PARAMETER", "a place before the beginning")
        self._at = starts[origin] + offset
        return self._at

    def SetSize(self, size: int) -> None:
        """Cuts, or fills with zeros.  Raises MAPIErrorNoAccess, MAPIErrorTooBig."""
        file = self._writable()
        if not 0 <= size <= MAX_SIZE:
            raise fail("MAPI_E_TOO_BIG")
        file.truncate(min(size, self._size))
        file.seek(0, 2)
        for start in range(self._size, size, PIECE):
            file.write(bytes(min(PIECE, size - start)))
        self._size = size

    def CopyTo(self, target: IStream, count: int) -> tuple[int, int]:
        """Copies up to ``count`` bytes from here on into another stream; how many were read, and written."""
        done = 0
        while done < count and (piece := self.Read(min(PIECE, count - done))):
            target.Write(piece)
            done += len(piece)
        return done, done

    def Commit(self, flags: int = 0) -> None:
        """What was written becomes the property's value; the object still has to be saved."""
        if not self.dirty or self._own is None:
            return
        self._content, self.dirty = self._copied(self._own), False
        if self._save is not None:
            self._save(self._content)

    def _copied(self, file: IO[bytes]) -> bytes | Data:
        """What was written so far."""
        file.seek(0)
        if self._size <= IN_MEMORY:
            return file.read(self._size)
        return files.kept(iter(lambda: file.read(PIECE), b""))

    def Revert(self) -> None:
        """Forgets what was written since the last Commit."""
        if self.dirty:
            self._own, self.dirty = None, False
            content = self._content
            self._size = len(content) if isinstance(content, bytes) else content.size
            self._at = min(self._at, self._size)

    def Stat(self, flags: int = 0) -> STATSTG:
        return STATSTG(self._size)

    def Clone(self) -> IStream:
        """Another reader of the same content, at the same place."""
        content = self._content if self._own is None or not self.dirty else self._copied(self._own)
        twin = IStream(content, None, self._lock, writable=False)
        twin._at = self._at
        return twin

    def LockRegion(self, offset: int, size: int, kind: int) -> None:
        """Not here: nobody else writes what this object holds.  Raises MAPIErrorNoSupport."""
        raise fail("MAPI_E_NO_SUPPORT")

    UnlockRegion = LockRegion


def opened(
    kind: int,
    content: bytes | Data | str,
    save: Callable[[bytes | Data | str], None] | None,
    lock: threading.RLock,
) -> IStream:
    """A stream over a property of a type; text is turned on the way in and out."""
    if kind not in (consts.PT_UNICODE, consts.PT_STRING8):
        assert not isinstance(content, str)
        return IStream(content, save, lock, writable=save is not None)
    codec = "utf-16-le" if kind == consts.PT_UNICODE else "cp1252"
    raw = content.encode(codec, "replace") if isinstance(content, str) else content

    def turned(data: bytes | Data) -> None:
        assert save is not None
        whole = data if isinstance(data, bytes) else data.read(0, data.size)
        save(whole.decode(codec, "replace").rstrip("\0"))

    return IStream(raw, None if save is None else turned, lock, writable=save is not None)
