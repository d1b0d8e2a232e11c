"""How long one command may search, and how much of it is too much for the loop.

A hundred texts that are looked for in a hundred thousand messages are minutes of work, a thousand are hours,
and a client that asks for them need not wait for the answer.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from quintet.errors import Reason, Refused
from quintet.imap import commands

if TYPE_CHECKING:
    from quintet.imap.session import Session

MANY_KEYS = 64  # of one search: more are made ready in a turn of their own, and never asked on the loop
MAX_FOLLOWED = 200  # keys of results that are kept up to date: they are asked of every change


class Effort:
    """What is left of one command's time; looked at in reader threads too."""

    __slots__ = ("_end", "_over")

    def __init__(self, session: Session) -> None:
        self._end = time.monotonic() + session.house.config.search_time_s
        self._over = False

    def check(self) -> None:
        """Raises Refused(TOO_MANY): it took too long, or nobody waits for it any more."""
        if self._over or time.monotonic() > self._end:
            raise Refused(Reason.TOO_MANY, "this search takes too long")

    def stop(self) -> None:
        """Nobody waits for it any more; what still runs in a thread ends with its next look at a message."""
        self._over = True


def keys(key: commands.Key) -> int:
    """How many single questions a search key asks."""
    match key:
        case commands.And(some):
            return sum(map(keys, some))
        case commands.Or(left, right):
            return keys(left) + keys(right)
        case commands.Not(inner) | commands.Fuzzy(inner):
            return keys(inner)
        case _:
            return 1
