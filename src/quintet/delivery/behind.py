"""Articles acknowledged before they are on the disk, on their way there (``acknowledge = "received"``).

Nobody waits for their flush, so they gather until it is worth one: a commit of a hundred costs little more
than one of ten.  Who asks for one of them, and the end of the server, do not wait so long: `hasten`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

GATHER_S = 0.02  # seconds that the first waits for others; a crash loses so much more
GATHERED = 128  # articles that are worth a flush
GATHERED_BYTES = 512 * 1024  # the same in bytes
MAX_UNFLUSHED = 1000  # articles acknowledged and not on the disk yet
MAX_BYTES = 16 * 1024 * 1024  # of these

Taken = TypeVar("Taken")


class Behind(Generic[Taken]):
    """One of `Arrivals`.  ``file`` files what is given in one transaction, and raises nothing."""

    def __init__(self, file: Callable[[list[Taken]], Awaitable[None]]) -> None:
        self._file = file
        self.ids: set[bytes] = set()  # of those that are not on the disk yet
        self._waiting: list[Taken] = []
        self._names: list[bytes] = []  # their Message-IDs
        self._size = 0  # bytes of those that wait
        self._unflushed = 0  # bytes of those, and of those that are being filed
        self._asked: list[asyncio.Future[None]] = []  # who wants those that wait now to be on the disk
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def takes(self, size: int) -> bool:
        """Whether there is room for one more."""
        return len(self.ids) < MAX_UNFLUSHED and self._unflushed + size <= MAX_BYTES

    def add(self, message_id: bytes, one: Taken, size: int) -> None:
        """From here on it is acknowledged."""
        self.ids.add(message_id)
        self._names.append(message_id)
        self._waiting.append(one)
        self._size += size
        self._unflushed += size
        if self._task is not None:
            return
        if self._enough():
            self._begin()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_S, self._begin)

    def hasten(self) -> asyncio.Future[None]:
        """Files what waits at once; done when all that was acknowledged so far is on the disk, or lost."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked.append(future)
        if self._task is None:
            self._begin()
        return future

    def _enough(self) -> bool:
        return len(self._waiting) >= GATHERED or self._size >= GATHERED_BYTES

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._task = asyncio.ensure_future(self._work())

    async def _work(self) -> None:
        while True:
            batch, self._waiting = self._waiting, []
            names, self._names = self._names, []
            asked, self._asked = self._asked, []
            size, self._size = self._size, 0
            if batch:
                await self._file(batch)
            self.ids.difference_update(names)
            self._unflushed -= size
            for future in asked:
                if not future.done():
                    future.set_result(None)
            if not self._asked and not self._enough():
                break
        self._task = None
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_later(GATHER_S, self._begin)

    async def close(self) -> None:
        """Waits for what was acknowledged already, and while it waits."""
        await self.hasten()
        while self._waiting:
            await self.hasten()
