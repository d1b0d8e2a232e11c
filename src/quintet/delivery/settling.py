"""What became of messages, on its way to the disk: behind the queue's back, and until the disk takes it.

A message that was sent and whose fate is forgotten is sent again when its lease has run out; so what the
disk refuses is tried again, and whoever sends through the same session waits (`transport.Turn`).
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quintet import log
from quintet.delivery.aftermath import Aftermath, Judged
from quintet.delivery.transport import Answer
from quintet.errors import Problem, TryLater
from quintet.message.outline import Headed
from quintet.store.queue import Recipient

FIRST_AGAIN_S, LAST_AGAIN_S = 1.0, 30.0  # between tries

logger = log.get("queue")


@dataclass(slots=True, eq=False)
class _Told:
    """What became of recipients of one message."""

    recipients: Sequence[Recipient]
    judged: Judged
    written: asyncio.Future[None]
    tries: int = 0  # that failed


class Settling:
    """One a runner.  ``over`` is called with recipients that are settled, or never will be by us."""

    def __init__(self, aftermath: Aftermath, over: Callable[[Sequence[Recipient]], None]) -> None:
        self._aftermath, self._over = aftermath, over
        self.writing: set[asyncio.Future[None]] = set()
        self._waiting: dict[_Told, asyncio.TimerHandle] = {}  # the disk would not have them
        self._stopping = False

    def write_down(
        self, recipients: Sequence[Recipient], answers: Sequence[Answer], head: Headed | None = None
    ) -> asyncio.Future[None]:
        """What comes back is done when it is on the disk, or never will be."""
        judged = self._aftermath.judge(recipients, answers, head)
        told = _Told(recipients, judged, asyncio.get_running_loop().create_future())
        self._write(told)
        return told.written

    def stop(self) -> None:
        """From here on each is tried once; those that wait, at once."""
        self._stopping = True
        for told, timer in list(self._waiting.items()):
            timer.cancel()
            self._write(told)

    def _write(self, told: _Told) -> None:
        self._waiting.pop(told, None)
        try:
            writing = asyncio.ensure_future(self._aftermath.write(told.judged))
        except Problem as problem:
            self._failed(told, problem)
            return
        self.writing.add(writing)
        writing.add_done_callback(functools.partial(self._done, told))

    def _done(self, told: _Told, writing: asyncio.Future[None]) -> None:
        self.writing.discard(writing)
        error = None if writing.cancelled() else writing.exception()
        if isinstance(error, Problem):
            self._failed(told, error)
            return
        if error is not None:
            logger.error("bug", exc_info=error)
        self._settled(told)

    def _failed(self, told: _Told, problem: Problem) -> None:
        not_settled(problem, told.recipients)
        if not isinstance(problem, TryLater) or self._stopping:
            self._settled(told)
            return
        wait_s = min(FIRST_AGAIN_S * 2**told.tries, LAST_AGAIN_S)
        told.tries += 1
        self._waiting[told] = asyncio.get_running_loop().call_later(wait_s, self._write, told)

    def _settled(self, told: _Told) -> None:
        self._over(told.recipients)
        if not told.written.done():  # whoever waited may have been cancelled, and it with them
            told.written.set_result(None)


def not_settled(problem: Problem, recipients: Sequence[Recipient]) -> None:
    """The store has no answer: when nobody tries again, the lease runs out."""
    logger.warning("not settled", text=str(problem), recipients=len(recipients))
