"""Work that is cut off when it takes too long: matching an administrator's expressions.

Python's engine tries the ways of (a+)+$ one after the other, and there may be more of them than seconds in a
year.  It looks for signals while it does so: a timer of this process's own CPU time ends it.  Only in the
main thread, where loops run; elsewhere nothing is cut off.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from quintet import log
from quintet.errors import Reason, TryLater

A = TypeVar("A")
R = TypeVar("R")

LIMIT_S = 0.1  # CPU; what a usual expression takes for an address or a field is a few microseconds

logger = log.get("policy")


class Late(BaseException):
    """The time is over; raised anywhere inside, and no handler of `Exception` may keep it."""

    def __init__(self) -> None:
        super().__init__()
        self.at = ""  # the expression that was at work


class _Timer:
    """One a process."""

    def __init__(self) -> None:
        self.runs = self._known = False

    def prepare(self) -> None:
        """Raises ValueError outside of the main thread."""
        if not self._known:
            signal.signal(signal.SIGVTALRM, self._ring)
            self._known = True

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if self.runs:  # else it was over in time after all
            self.runs = False
            raise Late


_timer = _Timer()


def within(find: Callable[[A], R], what: A, limit_s: float = LIMIT_S) -> R:
    """What ``find`` says of ``what``; ``find`` does nothing but look, and leaves nothing half done.

    Raises TryLater(BUSY): it took longer; the log says which expression did.
    """
    if _timer.runs or threading.current_thread() is not threading.main_thread():
        return find(what)
    try:
        _timer.prepare()
        _timer.runs = True
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, limit_s)
            return find(what)
        finally:
            _timer.runs = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except Late as late:
        logger.warning("expression takes too long", expression=late.at[:200], limit_s=limit_s)
        raise TryLater(Reason.BUSY, "An expression of a table takes too long") from None
