"""Rounds of a worker that news wakes: at most one a second, at least one a minute, and tidying between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from quintet import log
from quintet.clock import Clock
from quintet.errors import Problem
from quintet.store import accounts
from quintet.store.model import NEWS
from quintet.store.store import Store

PAUSE_S = 1.0  # between rounds: a feed wakes us with each commit
LOOK_S = 60.0  # when nobody wakes us

logger = log.get("control")


async def run(
    store: Store,
    clock: Clock,
    look: Callable[[], Awaitable[object]],
    tidy: Callable[[], Awaitable[object]],
    *,
    tidy_s: float,
) -> None:
    """Calls ``look`` whenever something in a group or folder of news changed, and ``tidy`` each ``tidy_s``.

    Trouble with the store puts a round off.  Never ends by itself.
    """
    woken = asyncio.Event()
    while (account := store.peek(accounts.find, NEWS)) is None:  # noqa: ASYNC110 - no group yet
        await asyncio.sleep(LOOK_S)
    watch = store.watch(woken, None, account.id)
    tidied = clock.monotonic()
    try:
        while True:
            woken.clear()  # before looking: what comes meanwhile sets it again
            try:
                await look()
                if clock.monotonic() - tidied >= tidy_s:
                    tidied = clock.monotonic()
                    await tidy()
            except Problem as problem:
                logger.warning("put off", reason=problem.reason.value)
            await asyncio.sleep(PAUSE_S)
            try:
                async with asyncio.timeout(LOOK_S):
                    await woken.wait()
            except TimeoutError:
                continue
    finally:
        watch.close()
