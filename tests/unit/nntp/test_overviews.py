"""Overview chunks: always what the store would say, whatever came and went."""

import random
from pathlib import Path

import pytest

from quintet.nntp import chunks
from quintet.nntp.chunks import Overviews
from quintet.store import articles, entries, groups
from tests.support.newshouse import NewsHouse, news_house


async def _truth(house: NewsHouse, low: int, high: int) -> bytes:
    folder_id = house.folder("local.test").id
    data, _, following = await house.store.read(groups.overview, folder_id, low, high, 100_000)
    assert following > high
    return data


async def _said(house: NewsHouse, overviews: Overviews, low: int, high: int) -> bytes:
    folder_id = house.folder("local.test").id
    facts = house.store.peek(articles.facts, folder_id)
    assert facts is not None
    low, high = max(low, facts.low), min(high, facts.uid_next - 1)
    if low > high:
        return b""
    pieces = overviews.at_once(folder_id, facts, low, high)
    if pieces is None:
        pieces = [page async for page in overviews.pages(folder_id, facts, low, high)]
    return b"".join(pieces)


@pytest.mark.parametrize("seed", range(5))
async def test_ranges_are_exact_whatever_came_and_went(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "SIZE", 8)
    monkeypatch.setattr(chunks, "AT_ONCE", 3)
    chance = random.Random(seed)
    async with news_house(tmp_path) as house:
        await house.given("group local.test with 20")
        overviews = Overviews(house.store, max_bytes=chance.choice((1000, 1 << 20)))
        number = 20
        for _ in range(120):
            match chance.randrange(6):
                case 0:
                    number += 1
                    await house.add(["local.test"], number)
                case 1:
                    gone = house.store.peek(entries.uids, house.folder("local.test").id)
                    if gone:
                        await house.given(f"cancel local.test {chance.choice(gone)}")
                case _:
                    low = chance.randrange(1, number + 3)
                    high = chance.choice((low, low + 3, low + 20, number + 5))
                    assert await _said(house, overviews, low, high) == await _truth(house, low, high)


async def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "SIZE", 4)
    async with news_house(tmp_path) as house:
        await house.given("group local.test with 40")
        overviews = Overviews(house.store, max_bytes=2000)
        for low in range(1, 41, 4):
            await _said(house, overviews, low, low + 3)
            assert overviews.bytes <= 2000
        assert overviews.bytes == sum(len(one.data) for one in overviews._chunks.values()) > 0
