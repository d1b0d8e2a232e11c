"""Patience: how long a connection waits for its peer, with one timer that is moved only when it must."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from quintet.errors import Reason


class Patience:
    """``lost`` is called with the reason given to `expect` when its time is over; `stop` stops counting."""

    __slots__ = ("_deadline", "_loop", "_lost", "_reason", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, lost: Callable[[Reason], None]) -> None:
        self._loop, self._lost = loop, lost
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0  # loop time; 0: not counting
        self._reason = Reason.TIMEOUT

    def expect(self, seconds: float, reason: Reason) -> None:
        """Starts to count anew.  The timer that runs is kept, unless it would fire too late."""
        self._reason = reason
        self._deadline = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._tick)

    def stop(self) -> None:
        """Nothing is waited for; the timer finds that out by itself."""
        self._deadline = 0.0

    def end(self) -> None:
        """For good: no timer, and nobody is held by us any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._lost = _nobody

    def _tick(self) -> None:
        self._timer = None
        if not self._deadline:
            return  # busy: the next `expect` sets a timer
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._tick)
            return
        self._deadline = 0.0
        self._lost(self._reason)


def _nobody(reason: Reason) -> None:
    """Stands where the connection was."""
