"""How large the transactions of a large command become."""

from __future__ import annotations

from typing import Any

import pytest

from quintet.imap.pace import Pace


class Counted:
    """A store whose transactions take a time for each message."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, each_s: float) -> None:
        self.now = 0.0
        self._each_s = each_s
        self.sizes: list[int] = []
        monkeypatch.setattr("quintet.imap.pace.time.perf_counter", lambda: self.now)

    async def write(self, work: Any, *args: Any) -> Any:
        return work(None, *args)

    def take(self, _: Any, uids: list[int]) -> int:
        self.now += self._each_s * len(uids)
        self.sizes.append(len(uids))
        return len(uids)


async def taken(store: Any, total: int, whole: int) -> list[int]:
    steps = Pace(total, whole)
    for page in range(0, total, 1000):
        for uids in steps.pieces(range(page, min(page + 1000, total))):
            assert await steps.write(store, len(uids), store.take, uids) == len(uids)
    return list(store.sizes)


async def test_few_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await taken(Counted(monkeypatch, 0.001), 1000, 1000) == [1000]


async def test_of_many_as_many_as_take_some_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = await taken(Counted(monkeypatch, 20e-6), 10_000, 1000)
    assert sizes[:3] == [100, 200, 200]
    assert max(sizes) == 200, "4 ms of 20 us each"
    assert sum(sizes) == 10_000


async def test_what_costs_little_goes_in_large_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = await taken(Counted(monkeypatch, 1e-6), 10_000, 1000)
    assert sizes[:4] == [100, 200, 400, 300]
    assert sizes[-1] == 1000


async def test_what_costs_very_much_goes_in_small_parts_but_not_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = await taken(Counted(monkeypatch, 0.01), 2000, 1000)
    assert sizes[:3] == [100, 20, 20]
    assert sum(sizes) == 2000
