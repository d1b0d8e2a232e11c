"""Offers in progress: of two connections, in one worker or in two, only one is asked for an article."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.clock import FrozenClock, SystemClock
from quintet.delivery import offers
from quintet.delivery.offers import Offers

HOLD_S = 10.0


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[list[Offers]]:
    """Two of them, with the table that they share."""
    made = [Offers(SystemClock(), HOLD_S, tmp_path / "offers") for _ in range(2)]
    yield made
    for each in made:
        each.close()


def ids(*numbers: int) -> list[bytes]:
    return [b"<%d@x>" % number for number in numbers]


def test_two_workers_ask_one_peer_only(workers: list[Offers]) -> None:
    first, second = workers
    a, b = first.owner(), second.owner()
    assert first.ask(ids(1, 2), a) == [True, True]
    assert second.ask(ids(2, 3), b) == [False, True]
    assert first.ask(ids(3, 1), a) == [False, True]  # the own one again: yes
    assert len(first) == 2


def test_a_connection_that_ends_owes_nothing(workers: list[Offers]) -> None:
    first, second = workers
    a, b = first.owner(), second.owner()
    first.ask(ids(1), a)
    first.leave(a)
    assert second.ask(ids(1), b) == [True]
    assert len(first) == 0


def test_a_worker_that_died_is_waited_for_no_longer_than_that(
    workers: list[Offers], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = workers
    first.ask(ids(1), first.owner())
    b = second.owner()
    assert second.ask(ids(1), b) == [False]
    import time

    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + HOLD_S + 1)
    assert second.ask(ids(1), b) == [True]


def test_many_at_once_from_two_workers(workers: list[Offers]) -> None:
    """The same thousand ids offered to both at the same time: each is asked for once."""
    many = [b"<%d@race.test>" % number for number in range(1000)]
    answers: dict[int, list[bool]] = {0: [], 1: []}
    gate = threading.Barrier(2)

    def offer(at: int) -> None:
        owner = workers[at].owner()
        gate.wait()
        for start in range(0, len(many), 10):
            answers[at] += workers[at].ask(many[start : start + 10], owner)

    threads = [threading.Thread(target=offer, args=(at,)) for at in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    both = list(zip(answers[0], answers[1], strict=True))
    assert both.count((True, True)) == 0
    assert both.count((False, False)) == 0


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("aod"), st.integers(0, 3), st.integers(0, 6)), max_size=40))
def test_never_two_owners(steps: list[tuple[str, int, int]]) -> None:
    """Whatever is asked, done and left: nobody is asked for what another owes."""
    clock = FrozenClock()
    table = Offers(clock, HOLD_S)
    owners = [table.owner() for _ in range(4)]
    owes: dict[bytes, int] = {}
    for what, who, number in steps:
        (name,) = ids(number)
        if what == "a":
            (answer,) = table.ask([name], owners[who])
            assert answer is (owes.get(name, who) == who)
            if answer:
                owes[name] = who
        elif what == "o":
            table.leave(owners[who])
            owes = {each: by for each, by in owes.items() if by != who}
        else:
            table.done([name])
            owes.pop(name, None)
        assert len(table) == len(owes)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "MAX_OFFERS", 1000)
    table = Offers(FrozenClock(), HOLD_S)
    owner = table.owner()
    for number in range(0, 5000, 100):
        table.ask(ids(*range(number, number + 100)), owner)
    assert len(table) < 1100  # one batch more
    table.leave(owner)
    assert len(table) == 0


def test_memory_of_what_workers_share_is_bounded(workers: list[Offers]) -> None:
    """A connection that offers for days holds no list of all it ever offered."""
    owner = workers[0].owner()
    for number in range(0, 20_000, 1000):
        workers[0].ask(ids(*range(number, number + 1000)), owner)
        workers[0].done(ids(*range(number, number + 1000)))
    table = workers[0]._table
    assert table is not None
    assert sum(map(len, table._mine.values())) <= offers.MAX_OWED


def test_the_table_has_no_holes(workers: list[Offers], tmp_path: Path) -> None:
    """A page of a hole, written when the disk is full, is SIGBUS."""
    table = tmp_path / "offers"
    assert table.stat().st_blocks * 512 >= table.stat().st_size == offers.SLOTS * 16
    sparse = tmp_path / "sparse"  # as it was made before
    sparse.touch()
    os.truncate(sparse, offers.SLOTS * 16)
    each = Offers(SystemClock(), HOLD_S, sparse)
    assert sparse.stat().st_blocks * 512 >= offers.SLOTS * 16
    each.close()


def test_a_full_disk_leaves_each_worker_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    before = os.listdir("/proc/self/fd")
    each = Offers(SystemClock(), HOLD_S, tmp_path / "offers")
    assert os.listdir("/proc/self/fd") == before
    a, b = each.owner(), each.owner()
    assert each.ask(ids(1), a) == [True]
    assert each.ask(ids(1), b) == [False]
    each.leave(a)
    assert each.ask(ids(1), b) == [True]
    each.close()
