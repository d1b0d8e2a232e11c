"""What is done about articles behind the sessions: control messages, notices, the moderators' queue.

One a process.  What it needs is loaded behind the open ports: it need not answer at once.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from quintet import log

if TYPE_CHECKING:
    from quintet.clock import Clock
    from quintet.config.root import Config
    from quintet.delivery.control.work import Controls
    from quintet.delivery.inbound import Inbound
    from quintet.delivery.moderation import Moderation
    from quintet.delivery.post import PostOffice
    from quintet.store.store import Store

RETRY_S = 30.0  # after a bug of ours

logger = log.get("control")


class NewsWork:
    """Begun by `start`, ended by `close`; a changed configuration gets a new one."""

    def __init__(
        self, config: Config, store: Store, inbound: Inbound, office: PostOffice, clock: Clock
    ) -> None:
        self._config, self._store, self._inbound = config, store, inbound
        self._office, self._clock = office, clock
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        screen = self._office.screen
        self._tasks = [
            *([asyncio.create_task(screen.mode("stopped", "running"))] if screen is not None else []),
            asyncio.create_task(self._run(self._controls), name="control"),
            asyncio.create_task(self._run(self._moderation), name="moderation"),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._tasks and self._office.screen is not None:
            await self._office.screen.mode("running", "stopped", "shutdown or reload")

    async def _run(self, work: Callable[[], Awaitable[None]]) -> None:
        await asyncio.to_thread(importlib.import_module, "quintet.delivery.control.work")
        while True:
            try:
                await work()
            except Exception as bug:
                logger.error("news work failed", exc_info=bug)  # noqa: TRY400 - ours has no exception()
                await asyncio.sleep(RETRY_S)

    async def _controls(self) -> None:
        await controls(self._config, self._store, self._inbound, self._clock).run()

    async def _moderation(self) -> None:
        await moderation(self._config, self._store, self._inbound, self._office, self._clock).run()


def controls(config: Config, store: Store, inbound: Inbound, clock: Clock) -> Controls:
    """For the server, and for the command that does one message by hand."""
    from quintet.delivery.control.letters import Letters  # as in `NewsWork`
    from quintet.delivery.control.work import Controls

    letters = Letters(inbound, config.news.newsmaster, config.hostname)
    return Controls(store, config.news, clock=clock, letters=letters)


def moderation(
    config: Config, store: Store, inbound: Inbound, office: PostOffice, clock: Clock
) -> Moderation:
    """For the server, and for `quintet moderate`."""
    from quintet.delivery.control.letters import Letters  # as in `NewsWork`
    from quintet.delivery.moderation import Moderation

    letters = Letters(inbound, config.news.newsmaster, config.hostname)
    return Moderation(store, office, letters, hostname=config.hostname, clock=clock)
