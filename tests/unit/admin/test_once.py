"""What is made once, and tried again where that failed."""

from __future__ import annotations

import asyncio

import pytest

from quintet.admin.once import Once


class Maker:
    """Fails as often as it is told to, and counts."""

    def __init__(self, failures: int = 0) -> None:
        self.failures, self.made = failures, 0
        self.go = asyncio.Event()

    async def make(self) -> str:
        self.made += 1
        await self.go.wait()
        if self.made <= self.failures:
            raise OSError("not now")
        return f"number {self.made}"


async def test_all_who_ask_get_the_same() -> None:
    maker = Maker()
    once = Once(maker.make)
    assert once.value is None
    assert await once.settle() is None
    asking = [asyncio.create_task(once.get()) for _ in range(3)]
    await asyncio.sleep(0)
    asking[0].cancel()  # one gives up
    await asyncio.sleep(0)
    assert once.value is None
    maker.go.set()
    assert await asyncio.gather(*asking[1:]) == ["number 1"] * 2
    assert (await once.get(), once.value, await once.settle(), maker.made) == (*["number 1"] * 3, 1)


async def test_a_failure_is_no_end() -> None:
    maker = Maker(failures=1)
    maker.go.set()
    once = Once(maker.make)
    with pytest.raises(OSError, match="not now"):
        await once.get()
    assert once.value is None
    assert await once.settle() is None
    assert await once.get() == "number 2"
