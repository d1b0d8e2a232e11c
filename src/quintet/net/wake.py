"""An event that calls, so that ten thousand idling connections need no ten thousand tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Wake(asyncio.Event):
    """What a session gives as its `seam.Session.watch`; a plain ``asyncio.Event`` works but costs a task."""

    def __init__(self) -> None:
        super().__init__()
        self._notify: Callable[[], None] | None = None

    def notify(self, callback: Callable[[], None] | None) -> None:
        """Calls ``callback`` whenever the event is set, until told otherwise."""
        self._notify = callback

    def set(self) -> None:
        was_set = self.is_set()
        super().set()
        if self._notify is not None and not was_set:
            asyncio.get_running_loop().call_soon(self._call)

    def _call(self) -> None:
        if self._notify is not None:
            self._notify()


async def relay(watch: asyncio.Event, call: Callable[[], None]) -> None:
    """Calls once when a plain event is set; this task is over by then."""
    await watch.wait()
    asyncio.get_running_loop().call_soon(call)
