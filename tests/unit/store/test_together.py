"""Calls of one function that are in one commit are run at once, where the function says how."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from quintet import log
from quintet.config.store import Store as StoreConfig
from quintet.errors import Reason, Refused
from quintet.store import db, writer
from quintet.store.db import Tx
from quintet.store.store import Store

SET = "INSERT INTO setting (name, value) VALUES (?, ?)"
ran: list[list[str]] = []


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    ran.clear()
    store = await Store.open(StoreConfig(data=str(tmp_path)))
    yield store
    await store.close()


def _many(tx: Tx, calls: Sequence[tuple[str]]) -> list[object]:
    ran.append([name for (name,) in calls])
    if any(name == "bug" for (name,) in calls):
        raise ZeroDivisionError
    if any(name.startswith("early") for (name,) in calls):
        raise Refused(Reason.POLICY)
    tx.many(SET, [(name, "together") for (name,) in calls if not name.startswith("alone")])
    if any(name.startswith("late") for (name,) in calls):
        raise Refused(Reason.POLICY)
    return [db.ALONE if name.startswith("alone") else f"{name} together" for (name,) in calls]


@db.together(_many)
@db.bounded()
def _set(tx: Tx, name: str) -> str:
    if name.endswith("bad"):
        raise Refused(Reason.DUPLICATE)
    tx.run(SET, name, "alone")
    return f"{name} alone"


@db.bounded()
def _other(tx: Tx, name: str) -> str:
    tx.run(SET, name, "other")
    return f"{name} other"


async def results(store: Store, *names: str) -> list[object]:
    return await asyncio.gather(
        *(store.write(_other if name.startswith("other") else _set, name) for name in names),
        return_exceptions=True,
    )


def kept(store: Store) -> dict[str, str]:
    return dict(store.peek(lambda tx: tx.all("SELECT name, value FROM setting")))


async def test_those_of_one_commit_are_run_at_once(store: Store) -> None:
    found = await results(store, "a", "other", "b", "c")
    assert found == ["a together", "other other", "b together", "c together"]
    assert ran == [["a", "b", "c"]]
    assert kept(store) == {"a": "together", "b": "together", "c": "together", "other": "other"}
    assert store.commits == 1


async def test_one_is_run_by_itself(store: Store) -> None:
    assert await results(store, "a", "other") == ["a alone", "other other"]
    assert ran == []


async def test_what_is_special_is_run_by_itself(store: Store) -> None:
    found = await results(store, "a", "alone", "alone bad", "b")
    assert found[:2] == ["a together", "alone alone"]
    assert isinstance(found[2], Refused)
    assert found[3] == "b together"
    assert kept(store) == {"a": "together", "alone": "alone", "b": "together"}


@pytest.mark.parametrize("when", ["early", "late"])
async def test_when_it_fails_each_is_run_by_itself(store: Store, when: str) -> None:
    """Before and after it wrote: nothing of it stays, and each hears its own."""
    found = await results(store, "a", when, "alone bad", "b")
    assert [found[0], found[1], found[3]] == ["a alone", f"{when} alone", "b alone"]
    assert isinstance(found[2], Refused)
    assert found[2].reason is Reason.DUPLICATE
    assert kept(store) == {"a": "alone", when: "alone", "b": "alone"}


async def test_the_loop_has_its_turn_between_the_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are in one commit, the parts in turns of their own."""
    monkeypatch.setattr(writer, "MAX_LOOP_S", 0.0)
    turns: list[int] = []

    async def count() -> None:
        while True:
            turns.append(len(ran))
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    names = [f"n{number}" for number in range(3 * db.AT_ONCE)]
    assert await results(store, *names) == [f"{name} together" for name in names]
    counting.cancel()
    assert [len(one) for one in ran] == [db.AT_ONCE] * 3
    assert {1, 2, 3} <= set(turns)
    assert store.commits == 1


async def test_a_bug_in_what_runs_them_together_is_told(store: Store) -> None:
    """Each is done all the same."""
    with log.capture("error") as events:
        assert await results(store, "a", "bug", "b") == ["a alone", "bug alone", "b alone"]
    assert [(event["event"], type(event["exc_info"])) for event in events] == [
        ("not run together", ZeroDivisionError)
    ]


async def test_very_many_are_run_in_parts(store: Store) -> None:
    names = [f"n{number}" for number in range(2 * db.AT_ONCE + 1)]
    found = await results(store, *names)
    assert [len(one) for one in ran] == [db.AT_ONCE, db.AT_ONCE]
    assert found == [*(f"{name} together" for name in names[:-1]), f"{names[-1]} alone"]
