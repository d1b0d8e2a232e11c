"""The write-ahead log gets its length at the start, so that no flush has to make it longer.

A flush that also makes a file longer has to write where its blocks are: on ext4 it takes five times as long
as one into blocks that are there.  The engine writes over its log again and again and lets go of it when
the last connection closes, so that every start began with some hundreds of such flushes.  Zeros behind the
last frame are no frame to it: whoever reads a log stops there (SQLite, "WAL-mode File Format", 4.1).
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from quintet.store.db import LOG_PAGES, Tx

FRAME = 24 + 4096  # bytes of a page in the log
LENGTH = 32 + (LOG_PAGES + 200) * FRAME  # of the log when it is written back, and the commit that tells so
PIECE = 1024 * 1024  # bytes written at once


def lengthen(_: Tx, log: Path) -> None:
    """Writes zeros behind the end of a log that is shorter than it will become, and flushes them.

    Nobody else writes into it, for a transaction is open.  Not `db.bounded`: it may take as long as the disk
    needs for 16 MB.  Where there is no room the log stays as it was.
    """
    with contextlib.suppress(OSError), log.open("r+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        try:
            for start in range(end, LENGTH, PIECE):
                file.write(bytes(min(PIECE, LENGTH - start)))
            os.fsync(file.fileno())
        except OSError:
            file.truncate(end)
