"""Sessions in any worker (docs/decisions/0120): two doors over one store, each with its own contexts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from quintet.mapi.http.crossing import Crossing
from tests.unit.mapi.http.house import House, house


@asynccontextmanager
async def pair(folder: Path) -> AsyncIterator[tuple[House, House]]:
    run = folder / "run"
    async with house(folder) as one, house(folder, number=1, store=one.store) as two:
        crossings = []
        for number, it in enumerate((one, two)):
            crossing = it.http.crossing = Crossing(run, number, it.http.begin_here)
            await crossing.start()
            crossings.append(crossing)
        try:
            yield one, two
        finally:
            for crossing in crossings:
                await crossing.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.005)


async def test_a_session_is_served_by_every_worker(tmp_path: Path) -> None:
    async with pair(tmp_path) as (one, two), one.client() as first, two.client() as second:
        opened = await first.post("Connect")
        done = await second.post("Execute", b"there", opened.cookie)
        assert (done.code, done.body) == (0, b"execute there")
        here = await first.post("Execute", b"here", done.cookie)
        assert (here.code, here.body) == (0, b"execute here")
        assert (await second.post("Execute", b"", done.cookie)).code == 15
        failed = await second.post("Execute", b"bad", here.cookie)
        assert failed.code == 12
        ended = await second.post("Disconnect", b"", failed.cookie)
        assert ended.code == 0
        assert one.toy.closed
        assert (await first.post("Execute", b"", ended.cookie)).code == 10


async def test_a_wait_elsewhere_wakes_and_ends_with_its_client(tmp_path: Path) -> None:
    async with pair(tmp_path) as (one, two), one.client() as first, two.client() as second:
        opened = await first.post("Connect")
        gone = asyncio.create_task(second.post("NotificationWait", b"", opened.cookie))
        context = next(iter(one.http.contexts._by_name.values()))
        await until(lambda: len(context.waiting) == 1)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        await until(lambda: not context.waiting)
        waiting = asyncio.create_task(second.post("NotificationWait", b"", opened.cookie))
        await until(lambda: len(context.waiting) == 1)
        one.toy.go.set()
        assert (await waiting).body.startswith(b"notificationwait")


async def test_reconnecting_at_another_worker_destroys_the_old_context(tmp_path: Path) -> None:
    """MS-OXCMAPIHTTP R1277."""
    async with pair(tmp_path) as (one, two), one.client() as first, two.client() as second:
        opened = await first.post("Connect")
        again = await second.post("Connect", b"", opened.cookie)
        assert again.cookie.startswith("MapiContext=1.")
        assert one.toy.closed
        assert (await first.post("Execute", b"", again.cookie)).body == b"execute "


async def test_a_worker_that_died_takes_its_sessions_along(tmp_path: Path) -> None:
    """R1283: the client hears 10 and connects anew."""
    async with pair(tmp_path) as (one, two), one.client() as first, two.client() as second:
        opened = await first.post("Connect")
        assert one.http.crossing is not None
        await one.http.crossing.close()
        assert (await second.post("Execute", b"", opened.cookie)).code == 10
        assert (await second.post("Connect", b"", opened.cookie)).code == 0
