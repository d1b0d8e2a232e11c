"""What is done about articles behind the sessions: control messages, notices, the moderators' queue.

One a process.  What it needs is loaded behind the open ports: it need not answer at once.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING

from quintet import log

if TYPE_CHECKING:
    from quintet.clock import Clock
    from quintet.config.root import Config
    from quintet.delivery.control.work import Controls
    from quintet.delivery.inbound import Inbound
    from quintet.store.store import Store

RETRY_S = 30.0  # after a bug of ours

logger = log.get("control")


class NewsWork:
    """Begun by `start`, ended by `close`; a changed configuration gets a new one."""

    def __init__(self, config: Config, store: Store, inbound: Inbound, clock: Clock) -> None:
        self._config, self._store, self._inbound, self._clock = config, store, inbound, clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="news")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        await asyncio.to_thread(importlib.import_module, "quintet.delivery.control.work")
        while True:
            try:
                await controls(self._config, self._store, self._inbound, self._clock).run()
            except Exception as bug:
                logger.error("control failed", exc_info=bug)  # noqa: TRY400 - ours has no exception()
                await asyncio.sleep(RETRY_S)


def controls(config: Config, store: Store, inbound: Inbound, clock: Clock) -> Controls:
    """For the server, and for the command that does one message by hand."""
    from quintet.delivery.control.letters import Letters  # as in `NewsWork`
    from quintet.delivery.control.work import Controls

    letters = Letters(inbound, config.news.newsmaster, config.hostname)
    return Controls(store, config.news, clock=clock, letters=letters)
