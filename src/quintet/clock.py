"""Time and chance as arguments, so that tests can hold them still.

Inside the house a moment is an ``int`` of UTC milliseconds since 1970; durations for waiting
are ``float`` seconds.  Nothing but this module reads the system clock.
"""

from __future__ import annotations

import secrets
import time
from typing import Protocol


class Clock(Protocol):
    """What the house asks of time and chance."""

    def now(self) -> int:
        """UTC milliseconds since 1970."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def token(self, size: int = 16) -> str:
        """Random text of letters and digits (hexadecimal), ``size`` bytes of entropy."""
        ...

    def random(self) -> float:
        """A number in [0, 1), for jitter and equal-preference choices."""
        ...


class SystemClock:
    """The real one."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    def token(self, size: int = 16) -> str:
        return secrets.token_hex(size)

    def random(self) -> float:
        return secrets.randbelow(1 << 53) / (1 << 53)


class FrozenClock:
    """A clock that moves only when told; tokens count up."""

    def __init__(self, now: int = 1_763_715_600_000) -> None:
        self._now = now
        self._start = now
        self._count = 0

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start) / 1000

    def advance(self, seconds: float) -> None:
        self._now += round(seconds * 1000)

    def token(self, size: int = 16) -> str:
        self._count += 1
        return f"{self._count:0{2 * size}x}"

    def random(self) -> float:
        return 0.5
