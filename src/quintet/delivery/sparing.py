"""Log lines of which a peer can cause thousands a second: some in a minute, then how many more there were."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

MOST = 60  # lines for one name in one period: to see what goes wrong, a handful is enough
PERIOD_S = 60.0  # seconds from the first line on


class Sparing:
    """One kind of line; the names are few, as those of peers.

    ``more(name, count)`` is called at the end of a period that had ``count`` lines more.
    """

    def __init__(self, more: Callable[[str, int], object]) -> None:
        self._more = more
        self._seen: dict[str, int] = {}  # by name; a period runs for each
        self._ends: dict[str, asyncio.TimerHandle] = {}

    def tell(self, name: str, line: Callable[..., object], event: str, **fields: Any) -> None:
        """``line(event, **fields)``, as long as there is room for it."""
        seen = self._seen.get(name, 0)
        if not seen:
            self._ends[name] = asyncio.get_running_loop().call_later(PERIOD_S, self._end, name)
        self._seen[name] = seen + 1
        if seen < MOST:
            line(event, **fields)

    def _end(self, name: str) -> None:
        del self._ends[name]
        more = self._seen.pop(name) - MOST
        if more > 0:
            self._more(name, more)

    def close(self) -> None:
        """Tells now what there is to tell; lines may follow."""
        for name, timer in list(self._ends.items()):
            timer.cancel()
            self._end(name)
