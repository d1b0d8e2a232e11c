"""How many messages of a large command go into one transaction: others who want to write wait for its end.

What a message costs there differs by command, by what lies beside it and by the machine, so it is measured as
it goes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from quintet.store.db import Tx
    from quintet.store.store import Store

T = TypeVar("T")

GOAL_S = 0.004  # seconds of statements in one transaction; its flush takes a quarter of that, or as long
FIRST = 100  # messages of the first transaction
LEAST = 20  # of any: however slow, a flush for each message would be slower
STEADY = 2  # times as many as before, at most


class Pace:
    """Of one command over ``total`` messages."""

    __slots__ = ("_begun", "_measured", "_most", "size")

    def __init__(self, total: int, whole: int, most: int | None = None) -> None:
        """``whole``: so many go together, as they always did; ``most``: of more, in one transaction."""
        self._measured = total > whole
        self._begun = False
        self._most = most or whole
        self.size = min(FIRST, self._most) if self._measured else max(total, 1)  # messages to take next

    def pieces(self, uids: Sequence[int]) -> Iterator[list[int]]:
        """The parts of a page, one transaction's worth at a time."""
        at = 0
        while at < len(uids):
            some = list(uids[at : at + self.size])
            yield some
            at += len(some)

    async def write(self, store: Store, count: int, work: Callable[..., T], *args: Any) -> T:
        """``work(tx, *args)``, which handles ``count`` messages.

        Between two of many, who waits already goes first: in one transaction with ours he would wait for all
        of it once more.
        """
        if not self._measured:
            return await store.write(work, *args)
        if self._begun:
            await asyncio.sleep(0)
        self._begun = True
        return await store.write(self._timed, count, work, *args)

    def _timed(self, tx: Tx, count: int, work: Callable[..., T], *args: Any) -> T:
        """In the writer's thread."""
        began = time.perf_counter()
        try:
            return work(tx, *args)
        finally:
            took = max(time.perf_counter() - began, 1e-6)
            fit = int(count * GOAL_S / took) if count >= self.size else self.size
            self.size = max(min(fit, STEADY * self.size, self._most), min(LEAST, self._most))
