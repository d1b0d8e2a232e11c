"""When a worker looks: woken, tidying although it is never idle, and going on after trouble."""

import asyncio
from pathlib import Path

import pytest

from quintet.delivery.control import rounds
from quintet.errors import Reason, TryLater
from tests.support.newshouse import news_house


async def test_it_looks_when_woken_tidies_in_time_and_survives_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "PAUSE_S", 0.001)
    async with news_house(tmp_path) as house:
        await house.given("group local.test")
        looks: list[int] = []
        tidied: list[int] = []
        enough = asyncio.Event()

        async def look() -> None:
            looks.append(len(looks))
            if len(looks) == 2:
                raise TryLater(Reason.BUSY)
            if len(looks) == 3:
                house.clock.advance(61)
            if len(looks) >= 4:
                enough.set()

        async def tidy() -> None:
            tidied.append(len(looks))

        task = asyncio.create_task(rounds.run(house.store, house.clock, look, tidy, tidy_s=60))
        async with asyncio.timeout(20):
            number = 0
            while not enough.is_set():
                number += 1
                await house.add(["local.test"], number)
                await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert tidied == [3]
        assert len(looks) >= 4
