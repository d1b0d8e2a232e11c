"""The heap of a serving process: what is let go of goes back to the system, and the collector looks less.

glibc raises its threshold for mapping a block on its own to the size of what was last freed: after the
first argon2 (19 MB), such blocks stay in the heaps of their threads for good.  1,000 logins then left
50 MB behind, with the threshold held down none.  Holding it also ends glibc's other adjustment: then
everything above 128 KB that is free at the end of the heap goes back to the system at once.  A listing makes
and frees 300 KB a page, and to touch them anew each time costs as much as to write them; so some are kept.
The rest is Python's business.
"""

from __future__ import annotations

import gc

M_TRIM_THRESHOLD = -1  # malloc.h
M_MMAP_THRESHOLD = -3
LARGE = 4 * 1024 * 1024  # bytes; larger blocks are mapped one by one, and unmapped when they are freed
SPARE = 2 * 1024 * 1024  # bytes free at the end of the heap that are kept: two of the largest pages
YOUNG = 5000  # objects made, less those freed, between two looks; 700 is meant for programs that end soon


def look_seldom() -> None:
    """Call first of all: to look through modules while they are imported took a tenth of a start."""
    gc.set_threshold(YOUNG, 10, 10)


def hold_down() -> None:
    """Call before the first large block; does nothing where the C library has no such switch."""
    import ctypes  # of no use to a command

    try:
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, LARGE)
        mallopt(M_TRIM_THRESHOLD, SPARE)
    except (OSError, AttributeError):
        return  # musl, macOS: they map by a fixed threshold


def settle() -> None:
    """Call once when everything stands: modules and tables are not looked through again."""
    gc.collect()
    gc.freeze()
    look_seldom()
