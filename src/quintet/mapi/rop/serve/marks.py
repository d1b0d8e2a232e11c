"""What ReadFlags ask for: how messages are marked, and what becomes of receipts (MS-OXCMSG 2.2.3.10.1)."""

from __future__ import annotations

from quintet.mapi.objects import Wish
from quintet.mapi.rop.messages import ReadFlag

_KEEPS_MARKS = ReadFlag.GENERATE_RECEIPT_ONLY | ReadFlag.CLEAR_NOTIFY_READ | ReadFlag.CLEAR_NOTIFY_UNREAD


def read(flags: int) -> bool | None:
    """Whether messages are read from now on; None: that stays (R825, R827, R829)."""
    return None if flags & _KEEPS_MARKS else not flags & ReadFlag.CLEAR_READ_FLAG


def wish(flags: int) -> Wish | None:
    """Of their receipts; None: nothing."""
    if flags & ReadFlag.GENERATE_RECEIPT_ONLY:
        return Wish.SEND_ALSO_READ  # R825
    if flags & (ReadFlag.SUPPRESS_RECEIPT | ReadFlag.CLEAR_NOTIFY_READ):
        return Wish.NEVER  # R817, R827
    return Wish.SEND if read(flags) else None  # R815
