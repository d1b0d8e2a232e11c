"""Something that is made when it is first asked for, for all who ask meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """``make`` runs on the loop; where it fails, who asks next has it run again."""

    def __init__(self, make: Callable[[], Awaitable[T]]) -> None:
        self._make = make
        self._task: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Who gives up asking does not end the making.  Raises what ``make`` raises."""
        if self._task is None or (self._task.done() and self.value is None):
            self._task = asyncio.create_task(self._run())
        return await asyncio.shield(self._task)

    async def _run(self) -> T:
        return await self._make()

    @property
    def value(self) -> T | None:
        """What was made; None before, and after a failure."""
        task = self._task
        if task is None or not task.done() or task.cancelled() or task.exception() is not None:
            return None
        return task.result()

    async def settle(self) -> T | None:
        """Waits for a making that runs, and gives `value`; begins none."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        return self.value
