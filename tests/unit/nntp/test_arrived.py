"""NEWNEWS out of memory: what the store would say, but for articles that are gone since."""

import random
from pathlib import Path

import pytest

from quintet.nntp import arrived
from quintet.nntp.arrived import STRETCH_MS, Arrived
from tests.support.newshouse import NewsHouse, news_house


async def told(found: Arrived, since: int, wanted: arrived.Wanted) -> list[str]:
    return b"".join([page async for page in found.pages(since, wanted)]).decode().split()


def truth(posted: list[tuple[int, str, str]], since: int, names: set[str]) -> list[str]:
    return [text for at, text, name in sorted(posted) if at >= since and name in names]


@pytest.mark.parametrize("seed", range(4))
async def test_what_arrived_is_told_in_order(seed: int, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(arrived, "PAGE", 7)
    monkeypatch.setattr(arrived, "MAX_BACK", 5)
    chance = random.Random(seed)
    async with news_house(tmp_path) as house:
        await house.given("group local.a")
        await house.given("group local.b")
        monkeypatch.setattr(arrived, "MAX_BYTES", chance.choice((300, 1 << 20)))
        found = Arrived(house.store)
        start = house.clock.now()
        posted: list[tuple[int, str, str]] = []
        ids = {name: house.folder(name).id for name in ("local.a", "local.b")}
        for number in range(1, 60):
            name = chance.choice(["local.a", "local.b"])
            await house.add([name], number)
            posted.append((house.clock.now(), f"<{number}@{name}>", name))
            house.clock.advance(chance.choice([0.001, 1, 30, 400, 900]))
            for names in ({"local.a"}, {"local.a", "local.b"}):
                since = start + chance.randrange(house.clock.now() - start + 1) // 1000 * 1000
                wanted = frozenset(ids[name] for name in names)
                assert await told(found, since, wanted) == truth(posted, since, names)
            assert await told(found, start, None) == truth(posted, start, set(ids))
            assert found.bytes <= arrived.MAX_BYTES
            assert found.bytes == sum(one.size for one in found._held.values())


async def looks(house: NewsHouse, found: Arrived, since: int, monkeypatch) -> int:
    """How many reads of the store one listing costs."""
    count = 0
    read = house.store.read

    async def counting(*args, **more):
        nonlocal count
        count += 1
        return await read(*args, **more)

    monkeypatch.setattr(house.store, "read", counting)
    await told(found, since, None)
    monkeypatch.setattr(house.store, "read", read)
    return count


async def test_only_what_is_new_is_read(tmp_path: Path, monkeypatch) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.a")
        since = house.clock.now() // STRETCH_MS * STRETCH_MS
        found = Arrived(house.store)
        for number in range(1, 7):
            await house.add(["local.a"], number)
            house.clock.advance(STRETCH_MS / 1000)
        assert await looks(house, found, since, monkeypatch) == 6
        assert await looks(house, found, since, monkeypatch) == 0
        house.clock.advance(120)
        await house.add(["local.a"], 7)
        assert await looks(house, found, since, monkeypatch) == 1
        assert await looks(house, found, since, monkeypatch) == 0
        await house.given("cancel local.a 2")  # settled stretches stay as they are
        assert await looks(house, found, since, monkeypatch) <= 1
