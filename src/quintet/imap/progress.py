"""INPROGRESS: a command that takes long says now and then how far it is (RFC 9585).

So its client sees that we are alive, and can show something; a client's timer begins again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from quintet.imap import format as fmt
from quintet.net.seam import Ask

if TYPE_CHECKING:
    from quintet.imap.session import Session

EVERY_MS = 10_000  # RFC 9585: a client should hear something every 10 to 15 seconds
T = TypeVar("T")


def line(tag: bytes, done: int | None = None, total: int | None = None) -> bytes:
    """``* OK [INPROGRESS ("a1" 3 7)] ...``; NIL for what nobody knows, and for a tag with "]" (section 4)."""
    told = [b"NIL" if number is None else b"%d" % number for number in (done, total)]
    named = b"NIL" if b"]" in tag else fmt.string(tag)
    return b"* OK [INPROGRESS (%b %b)] Working\r\n" % (named, b" ".join(told))


class Progress:
    """Of a command that goes on step by step."""

    __slots__ = ("_at", "_now", "_tag", "_told", "_total")

    def __init__(self, session: Session, tag: bytes, total: int) -> None:
        self._now = session.house.clock.now
        self._tag, self._total = tag, total
        self._at = self._now()
        self._told = 0

    def at(self, done: int) -> tuple[Any, ...]:
        """What to tell after so many of all, if it is time; the number never falls, nor reaches the goal."""
        self._told = max(self._told, min(done, self._total - 1))
        now = self._now()
        if now - self._at < EVERY_MS:
            return ()
        self._at = now
        return line(self._tag, self._told, self._total), Ask.FLUSH


class Waiting(Generic[T]):
    """For work that tells nothing of itself: run `news` to its end, then read `result`."""

    def __init__(self, tag: bytes, work: Coroutine[Any, Any, T]) -> None:
        self._tag, self._work = tag, work
        self.result: T

    async def news(self) -> AsyncGenerator[Any, None]:
        task = asyncio.ensure_future(self._work)
        try:
            while not (await asyncio.wait({task}, timeout=EVERY_MS / 1000))[0]:
                yield line(self._tag)
                yield Ask.FLUSH
        finally:
            task.cancel()  # nobody waits for it any more; nothing to one that is done
        self.result = task.result()
