"""Articles acknowledged before the flush: how many share one, and who need not wait for others to come."""

import asyncio

import pytest

from quintet.delivery import behind
from quintet.delivery.behind import Behind


class Files:
    """What was filed, call by call; holds each until `go` when it is told to."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.go = asyncio.Event()
        self.go.set()
        self.behind = Behind[str](self.file)

    async def file(self, batch: list[str]) -> None:
        self.calls.append(batch)
        await self.go.wait()

    def add(self, *names: str, size: int = 10) -> None:
        for name in names:
            self.behind.add(name.encode(), name, size)


@pytest.fixture(autouse=True)
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time does not pass in these tests."""
    monkeypatch.setattr(behind, "GATHER_S", 1000.0)


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def names(count: int, first: int = 0) -> list[str]:
    return [str(number) for number in range(first, first + count)]


async def test_they_wait_until_there_are_enough() -> None:
    files = Files()
    files.add(*names(behind.GATHERED - 1))
    await turns()
    assert files.calls == []
    files.add("last")
    await turns()
    assert files.calls == [[*names(behind.GATHERED - 1), "last"]]
    assert files.behind.ids == set()


async def test_large_ones_are_enough_sooner() -> None:
    files = Files()
    files.add("a", "b", size=behind.GATHERED_BYTES // 2)
    await turns()
    assert files.calls == [["a", "b"]]


async def test_nobody_waits_longer_than_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind, "GATHER_S", 0.0)
    files = Files()
    files.go.clear()
    files.add("a")
    async with asyncio.timeout(10):
        while not files.calls:
            await asyncio.sleep(0)
        files.add("b")  # while a is being filed
        files.go.set()
        while files.behind.ids:
            await asyncio.sleep(0)
    assert files.calls == [["a"], ["b"]]


async def test_who_asks_for_one_does_not_wait_for_others() -> None:
    files = Files()
    files.add("a", "b")
    assert files.behind.ids == {b"a", b"b"}
    await files.behind.hasten()
    assert files.calls == [["a", "b"]]
    assert files.behind.ids == set()
    await files.behind.hasten()
    assert files.calls == [["a", "b"]]


async def test_who_asks_waits_for_those_that_are_being_filed_and_no_later_ones() -> None:
    files = Files()
    files.go.clear()
    files.add(*names(behind.GATHERED))
    await turns()
    files.add("asked for")
    told = files.behind.hasten()
    assert files.behind.ids == {each.encode() for each in (*names(behind.GATHERED), "asked for")}
    files.go.set()
    await turns()
    assert told.done()
    files.add("later")
    await turns()
    assert files.calls == [names(behind.GATHERED), ["asked for"]]
    assert files.behind.ids == {b"later"}
    await files.behind.close()
    assert files.calls[2:] == [["later"]]


async def test_one_who_asked_and_went_away_is_not_missed() -> None:
    files = Files()
    files.go.clear()
    files.add("a")
    files.behind.hasten().cancel()
    other = files.behind.hasten()
    files.go.set()
    await other
    assert files.calls == [["a"]]


async def test_no_more_are_acknowledged_than_may_be_lost() -> None:
    files = Files()
    files.go.clear()
    for first in range(0, behind.MAX_UNFLUSHED, 100):
        assert files.behind.takes(10)
        files.add(*names(100, first))
        await turns()
    assert not files.behind.takes(10)
    files.go.set()
    await files.behind.hasten()
    assert files.behind.takes(behind.MAX_BYTES)
    assert not files.behind.takes(behind.MAX_BYTES + 1)
    assert sum(len(call) for call in files.calls) == behind.MAX_UNFLUSHED
