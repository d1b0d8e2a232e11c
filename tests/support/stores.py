"""Stores for tests: an empty one in a folder of its own, and the question whether it is sound."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from quintet.clock import FrozenClock
from quintet.config.store import Store as StoreConfig
from quintet.store import check
from quintet.store.store import Store
from tests.support.prepared import prepare, settle


def expect_sound(store: Store) -> None:
    """Every invariant of the store holds; call it at the end of whatever touched one."""
    broken = store.peek(check.everything, store.blobs)
    assert not broken, "\n".join(broken)


async def _settle(folder: Path) -> None:
    store = await Store.open(StoreConfig(data=str(folder), sync="off"), clock=FrozenClock())
    await settle(store)
    await store.close()


@asynccontextmanager
async def open_store(folder: Path, *, sync: str = "off") -> AsyncIterator[Store]:
    """A store in ``folder`` with example.org as its domain; checked when the test is over.

    Without flushes unless asked: what a test sees is the same, only faster.
    """
    await prepare(folder, "store", _settle)
    store = await Store.open(StoreConfig(data=str(folder), sync=sync, cache=1024 * 1024), clock=FrozenClock())
    try:
        yield store
        expect_sound(store)
    finally:
        await store.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store; import this fixture into the test module or its conftest."""
    async with open_store(tmp_path / "data") as opened:
        yield opened
