"""Who waits for a folder that a thousand others wait for."""

import asyncio

import pytest

from quintet.store.hints import TOGETHER, Hub, Watch
from quintet.store.model import AccountId, FolderId

MANY = 20 * TOGETHER
ACCOUNT, FOLDER = AccountId(1), FolderId(2)


@pytest.fixture
def hub() -> Hub:
    return Hub(None)


def _watches(hub: Hub, *, broad: bool) -> list[Watch]:
    return [
        hub.watch(asyncio.Event(), None if broad else [FOLDER], ACCOUNT if broad else None)
        for _ in range(MANY)
    ]


def _woken(watches: list[Watch]) -> int:
    return sum(watch.event.is_set() for watch in watches)


@pytest.mark.parametrize("broad", [False, True])
async def test_many_are_woken_some_in_each_turn_of_the_loop(hub: Hub, broad: bool) -> None:
    """So that others are served in between: each of the woken has something to look up and to say."""
    watches = _watches(hub, broad=broad)
    seen = []
    hub.publish({(ACCOUNT, FOLDER)})
    while (woken := _woken(watches)) < MANY:
        seen.append(woken)
        await asyncio.sleep(0)
    assert seen == list(range(TOGETHER, MANY, TOGETHER))


async def test_few_are_woken_at_once(hub: Hub) -> None:
    watches = _watches(hub, broad=False)
    for watch in watches[TOGETHER:]:
        watch.close()
    hub.publish({(ACCOUNT, FOLDER)})
    assert _woken(watches) == TOGETHER


async def test_who_goes_while_others_are_woken_is_no_trouble(hub: Hub) -> None:
    watches = _watches(hub, broad=False)
    hub.wake_all()
    for watch in watches[::2]:
        watch.close()
    for _ in range(MANY // TOGETHER):
        await asyncio.sleep(0)
    assert _woken(watches[1::2]) == MANY // 2


async def test_each_is_told_which_folder_it_is(hub: Hub) -> None:
    watches = _watches(hub, broad=True)
    for watch in watches:
        watch.dirty = set()
    hub.publish({(ACCOUNT, FOLDER), (ACCOUNT, FolderId(3))})
    for _ in range(MANY // TOGETHER):
        await asyncio.sleep(0)
    assert all(watch.dirty == {2, 3} for watch in watches)
