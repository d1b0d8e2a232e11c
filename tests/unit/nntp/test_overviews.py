"""Overview chunks: always what the store would say, whatever came and went."""

import asyncio
import random
from pathlib import Path

import pytest

from quintet.admin import jobs
from quintet.errors import TryLater
from quintet.nntp import chunks
from quintet.nntp.chunks import Overviews
from quintet.store import articles, check, entries, groups, overviews, sweep
from quintet.store.db import Tx
from quintet.store.model import FolderId
from tests.support.newshouse import NewsHouse, news_house


async def _truth(house: NewsHouse, low: int, high: int) -> bytes:
    folder_id = house.folder("local.test").id
    data, _, following = await house.store.read(groups.overview, folder_id, low, high, 100_000)
    assert following > high
    return data


async def _said(house: NewsHouse, held: Overviews, low: int, high: int) -> bytes:
    folder_id = house.folder("local.test").id
    facts = house.store.peek(articles.facts, folder_id)
    assert facts is not None
    low, high = max(low, facts.low), min(high, facts.uid_next - 1)
    if low > high:
        return b""
    pieces = held.at_once(folder_id, facts, low, high)
    if pieces is None:
        pieces = [page async for page in held.pages(folder_id, facts, low, high)]
    return b"".join(pieces)


@pytest.mark.parametrize("seed", range(5))
async def test_ranges_are_exact_whatever_came_and_went(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overviews, "SIZE", 8)
    monkeypatch.setattr(chunks, "AT_ONCE", 3)
    monkeypatch.setattr(overviews, "LEAST", 1)
    chance = random.Random(seed)
    async with news_house(tmp_path) as house:
        await house.given("group local.test with 20")
        held = Overviews(house.store, max_bytes=chance.choice((1000, 1 << 20)))
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
                    assert await _said(house, held, low, high) == await _truth(house, low, high)


async def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overviews, "SIZE", 4)
    async with news_house(tmp_path) as house:
        await house.given("group local.test with 40")
        held = Overviews(house.store, max_bytes=2000)
        for low in range(1, 41, 4):
            await _said(house, held, low, low + 3)
            assert held.bytes <= 2000
        assert held.bytes == sum(len(one.data) for one in held._chunks.values()) > 0


async def test_a_whole_stretch_is_kept_for_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read from one row, unless something of it has gone; what lies below the group is forgotten."""
    monkeypatch.setattr(overviews, "SIZE", 8)
    monkeypatch.setattr(overviews, "LEAST", 2)
    made: list[int] = []
    real = groups.overview

    def counted(
        tx: Tx, folder_id: FolderId, low: int, high: int, limit: int = 1000
    ) -> tuple[bytes, int, int]:
        made.append(low)
        return real(tx, folder_id, low, high, limit)

    async with news_house(tmp_path) as house:
        await house.given("group local.test with 20")
        truth = await _truth(house, 1, 20)
        monkeypatch.setattr(groups, "overview", counted)
        assert await _said(house, Overviews(house.store), 1, 20) == truth
        await house.store.write(lambda tx: None)  # behind what is kept
        assert made == [1, 9, 17]
        made.clear()
        assert await _said(house, Overviews(house.store), 1, 20) == truth
        assert made == [17]  # which may get more lines
        await house.given("cancel local.test 10")
        made.clear()
        lines = truth.splitlines(keepends=True)
        assert await _said(house, Overviews(house.store), 1, 20) == b"".join(lines[:9] + lines[10:])
        assert made == [9, 17]
        for number in range(1, 10):
            await house.given(f"cancel local.test {number}")
        assert house.store.peek(_kept) == [1, 9]
        await sweep.some(house.store)
        assert house.store.peek(_kept) == [9]
        await house.store.write(groups.remove, house.folder("local.test").id)
        assert house.store.peek(_kept) == []
        assert not house.store.peek(check.everything)


async def test_a_reader_who_is_faster_than_the_disk_has_few_stretches_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overviews, "SIZE", 4)
    monkeypatch.setattr(chunks, "MAX_KEEPING", 3)
    monkeypatch.setattr(overviews, "LEAST", 1)
    async with news_house(tmp_path) as house:
        await house.given("group local.test with 40")
        held, waiting = Overviews(house.store), asyncio.Event()

        async def quietly(*_: object) -> None:
            await waiting.wait()

        monkeypatch.setattr(house.store, "_quietly", quietly)
        try:
            assert await _said(house, held, 1, 40) == await _truth(house, 1, 40)
            assert len(held._keeping) == 3
        finally:
            waiting.set()
        await asyncio.sleep(0.01)
        assert not held._keeping


@pytest.mark.parametrize("most", [1, 1 << 20])
async def test_full_stretches_are_kept_before_somebody_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Also where a reader was before, and where some of a group have gone; and each once."""
    monkeypatch.setattr(overviews, "SIZE", 8)
    monkeypatch.setattr(overviews, "LEAST", 2)
    monkeypatch.setattr(jobs, "OVERVIEWS", 2)
    monkeypatch.setattr(jobs, "OVERVIEW_BYTES", most)
    async with news_house(tmp_path) as house:
        await house.given("group local.test with 43")
        for number in (*range(1, 10), 12, *range(25, 33)):
            await house.given(f"cancel local.test {number}")
        await _said(house, Overviews(house.store), 17, 24)
        await house.store.write(lambda tx: None)  # behind what is kept
        assert house.store.peek(_kept) == [17]
        before = house.store._writer.commits
        assert await jobs.overview(house.store)
        assert house.store._writer.commits == before + (2 if most == 1 else 1)
        assert not await jobs.overview(house.store)
        assert house.store.peek(_kept) == [9, 17, 25, 33]
        assert house.store.peek(overviews.missing, 10) == []
        monkeypatch.setattr(groups, "overview", None)
        facts = house.store.peek(articles.facts, house.folder("local.test").id)
        assert facts is not None
        for low, count in ((9, 6), (17, 8), (25, 0), (33, 8)):
            found = house.store.peek(overviews.read, house.folder("local.test").id, low, low + 7, facts.gone)
            assert found.is_kept
            assert found.data.count(b"\r\n") == found.entries == count


async def test_overviews_leave_the_reserve_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overviews, "SIZE", 8)
    async with news_house(tmp_path) as house:
        await house.given("group local.test with 20")
        house.store.blobs.reserve = 1 << 60
        house.store.blobs._looked_at = -1e9
        with pytest.raises(TryLater):
            await jobs.overview(house.store)
        assert house.store.peek(_kept) == []


def _kept(tx: Tx) -> list[int]:
    return [low for (low,) in tx.all("SELECT low FROM overview_stretch ORDER BY low")]
