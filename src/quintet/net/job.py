"""What the driver has in hand: replies that need waiting, and what stands where a session was."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from quintet.errors import Reason


class Job:
    """Replies that need waiting, and the command they answer (None: none)."""

    __slots__ = ("command", "replies")

    def __init__(
        self, replies: Any, command: Any
    ) -> None:  # replies: Replies or an iterator of a list's rest
        self.replies = replies
        self.command = command


class _Gone:
    """Stands where a session was, so that late events find something that holds nothing."""

    wants_push = False
    watch = None
    timeout_s = 0.0

    def farewell(self, reason: Reason) -> bytes:
        return b""

    def close(self) -> None:
        return


GONE: Any = _Gone()  # Any: late events call no more than this
TURN = object()  # a reply that lets others run
_turning: list[object] = []  # one for each pipeline that has more to do, and lets others run


def chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    """A reply that could not be put yet, and those behind it."""
    yield first
    yield from rest


async def turn() -> None:
    """Lets others run."""
    _turning.append(TURN)
    try:
        await asyncio.sleep(0)
    finally:
        _turning.pop()


def share(whole_s: float) -> float:
    """Seconds for one of the pipelines that want to go on, of what all may have in a turn of the loop."""
    return whole_s / (1 + len(_turning))
