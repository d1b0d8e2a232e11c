"""The history in memory: exact, shared by the workers, never behind the database."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from quintet.clock import FrozenClock
from quintet.config.store import Store as StoreConfig
from quintet.errors import Reason, Refused
from quintet.store import history, idtable, remembering
from quintet.store.db import DrivenTx, Tx
from quintet.store.idtable import IdTable
from quintet.store.store import Store

TOKEN = b"t" * 16


def tags(first: int, after: int) -> list[int]:
    return [history.hashed(one)[2] for one in ids(first, after)]


def ids(low: int, high: int) -> list[str]:
    return [f"<{number}@example.org>" for number in range(low, high)]


@asynccontextmanager
async def worker(folder: Path) -> AsyncIterator[Store]:
    store = await Store.open(StoreConfig(data=str(folder), sync="off"), clock=FrozenClock())
    try:
        yield store
    finally:
        await store.close()


def add(tx: Tx, low: int, high: int) -> None:
    for one in ids(low, high):
        history.remember(tx, one)


# --- the table --------------------------------------------------------------------------------------


def test_table_never_denies_what_was_added(tmp_path: Path) -> None:
    table = IdTable.create(tmp_path / "ids", idtable.MIN_SLOTS, TOKEN)
    table.add(ids(0, 50_000))
    assert table.maybe(ids(0, 50_000)) == ids(0, 50_000)
    wrong = table.maybe(ids(100_000, 150_000))
    assert len(wrong) < 10  # 50,000 tags of 32 bits: a wrong "perhaps" is one in 85,000
    table.close()


def test_table_for_which_there_is_no_room_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again each minute: a full disk must not cost a descriptor each time."""

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="No space"):
        IdTable.create(tmp_path / "ids", idtable.MIN_SLOTS, TOKEN)
    assert set(os.listdir("/proc/self/fd")) <= before  # what others left may be closed meanwhile
    assert list(tmp_path.iterdir()) == []


def test_table_full_of_ids_that_collide_ends_every_probe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idtable, "crc32", lambda octets: int(octets[1:-1]) * idtable.MIN_SLOTS + 7)
    table = IdTable.create(tmp_path / "ids", idtable.MIN_SLOTS, TOKEN)
    texts = [f"<{number}>" for number in range(1, 200)]
    table.add(texts)
    assert table.used == idtable.PROBES
    assert table.maybe(texts) == texts  # those that found no slot too
    table.close()


def test_table_of_another_store_or_damaged_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "ids"
    IdTable.create(path, idtable.MIN_SLOTS, TOKEN).close()
    assert IdTable.open(path, b"x" * 16) is None
    os.truncate(path, 5000)
    assert IdTable.open(path, TOKEN) is None
    path.unlink()
    assert IdTable.open(path, TOKEN) is None


def test_table_outlives_a_power_cut_only_when_it_was_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ids"
    table = IdTable.create(path, idtable.MIN_SLOTS, TOKEN)
    table.set_state(idtable.READY)
    table.add(ids(0, 10))
    table.close(flush=True)
    monkeypatch.setattr(idtable, "_boot_id", lambda: b"b" * 16)
    again = IdTable.open(path, TOKEN)
    assert again is not None
    assert again.maybe(ids(0, 11)) == ids(0, 10)
    again.add(ids(10, 11))
    again.close()
    assert IdTable.open(path, TOKEN) is not None  # the same run of the machine: the system has its pages
    monkeypatch.setattr(idtable, "_boot_id", lambda: b"c" * 16)
    assert IdTable.open(path, TOKEN) is None


def test_table_that_another_process_has_open_is_not_called_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = IdTable.create(tmp_path / "ids", idtable.MIN_SLOTS, TOKEN)
    table.set_state(idtable.READY)
    other = IdTable.open(tmp_path / "ids", TOKEN)
    assert other is not None
    table.close(flush=True)
    other.add(ids(0, 1))
    other.close()
    monkeypatch.setattr(idtable, "_boot_id", lambda: b"b" * 16)
    assert IdTable.open(tmp_path / "ids", TOKEN) is None


# --- the questions to the database ------------------------------------------------------------------


def test_among_finds_exactly_those_that_were_seen(tx: DrivenTx) -> None:
    add(tx, 0, 5)
    assert history.among(tx, ids(3, 9)) == set(ids(3, 5))
    assert history.among(tx, []) == set()


def test_page_goes_through_all_ids_once(tx: DrivenTx) -> None:
    add(tx, 0, 25)
    found: list[tuple[int, int]] = []
    while page := history.page(tx, found[-1][0] if found else 0, 10):
        found += page
    assert sorted(tag for _, tag in found) == sorted(tags(0, 25))
    assert history.count(tx) == 25


# --- known_many -------------------------------------------------------------------------------------


@pytest.mark.parametrize("built", [False, True])
async def test_known_many_is_exact_before_and_after_the_table_is_built(tmp_path: Path, built: bool) -> None:
    async with worker(tmp_path) as store:
        await store.write(add, 0, 300)
    (tmp_path / "history.ids").unlink()
    async with worker(tmp_path) as store:  # nothing is held from before
        if built:
            assert await remembering.whole(store) == 300
            table = store.known.table
            assert table is not None
            assert table.state == idtable.READY
        assert store.known_many(ids(200, 500)) == set(ids(200, 300))
        await store.write(add, 400, 450)
        assert store.known_many(ids(200, 500)) == set(ids(200, 300)) | set(ids(400, 450))


async def test_the_table_of_a_store_without_history_is_complete_at_once(tmp_path: Path) -> None:
    async with worker(tmp_path) as store:
        assert store.known.table is not None and store.known.table.state == idtable.READY
        await store.write(add, 0, 3)
        assert store.known.perhaps(ids(1, 5)) == ids(1, 3)
        assert store.known_many(ids(1, 5)) == set(ids(1, 3))


async def test_an_id_of_the_same_commit_is_known_to_the_next_job(tmp_path: Path) -> None:
    def seen(tx: Tx) -> list[str]:
        return sorted(tx.perhaps_known(ids(0, 5)))

    async with worker(tmp_path) as store:
        commits = store.commits
        _, before, _, both = await asyncio.gather(
            store.write(add, 0, 1), store.write(seen), store.write(add, 2, 3), store.write(seen)
        )
        assert store.commits == commits + 1
        assert (before, both) == (ids(0, 1), [*ids(0, 1), *ids(2, 3)])


async def test_what_one_worker_commits_all_others_know_at_once(tmp_path: Path) -> None:
    async with worker(tmp_path) as one, worker(tmp_path) as two:
        await remembering.whole(one)
        await one.write(add, 0, 10)
        assert two.known_many(ids(0, 12)) == set(ids(0, 10))
        await two.write(add, 10, 11)
        assert one.known_many(ids(0, 12)) == set(ids(0, 11))


async def test_what_was_rolled_back_is_not_known(tmp_path: Path) -> None:
    def fail(tx: Tx) -> None:
        add(tx, 0, 3)
        raise Refused(Reason.POLICY)

    async with worker(tmp_path) as store:
        await remembering.whole(store)
        with pytest.raises(Refused):
            await store.write(fail)
        assert store.known_many(ids(0, 3)) == set()
        await store.write(add, 2, 3)
        assert store.known_many(ids(0, 3)) == {"<2@example.org>"}


async def test_ids_that_come_while_a_table_is_built_are_in_it(tmp_path: Path) -> None:
    async with worker(tmp_path) as builder, worker(tmp_path) as other:
        await builder.write(add, 0, 20)
        number = await builder.write(builder.known.begin, 20)
        await other.write(add, 20, 30)
        await builder.write(add, 30, 40)
        assert await builder.write(builder.known.fill, number, tags(0, 20))
        assert await builder.write(builder.known.finish, number)
        for store in (builder, other):
            table = store.known.table
            assert table is not None
            assert (table.state, table.used) == (idtable.READY, 40)
            assert store.known_many(ids(0, 41)) == set(ids(0, 40))


async def test_builder_whose_lease_ran_out_does_no_harm(tmp_path: Path) -> None:
    async with worker(tmp_path) as slow, worker(tmp_path) as quick:
        assert slow.known.table is not None
        slow.known.table.set_state(idtable.BUILDING)
        await slow.write(add, 0, 20)
        number = await slow.write(slow.known.begin, 20)
        assert await remembering.whole(quick) == 20
        assert not await slow.write(slow.known.fill, number, tags(0, 5))
        assert not await slow.write(slow.known.finish, number)
        assert slow.known_many(ids(0, 30)) == set(ids(0, 20))


async def test_table_that_overflows_gets_a_larger_successor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idtable, "MIN_SLOTS", 256)
    async with worker(tmp_path) as store:
        await remembering.whole(store)
        await store.write(add, 0, 1000)
        assert store.known.wants_building
        store.known.committed(())
        store.known._recent.clear()
        assert store.known_many(ids(0, 1100)) == set(ids(0, 1000))
        await remembering.whole(store)
        table = store.known.table
        assert table is not None
        assert (table.slots, table.state) == (2048, idtable.READY)
        assert not store.known.wants_building
        store.known._recent.clear()
        assert store.known_many(ids(0, 1100)) == set(ids(0, 1000))


async def test_without_room_for_a_table_the_database_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> IdTable:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(IdTable, "create", refuse)
    async with worker(tmp_path) as store:
        await store.write(add, 0, 3)
        assert not store.known.wants_building
        assert store.known_many(ids(0, 5)) == set(ids(0, 3))


async def test_ids_forgotten_on_disk_are_forgotten_in_memory_within_two_hours(tmp_path: Path) -> None:
    async with worker(tmp_path) as store:
        clock = store.clock
        assert isinstance(clock, FrozenClock)
        await remembering.whole(store)
        await store.write(add, 0, 3)
        assert await store.write(history.sweep, store.clock.now() + 1) == 3
        for _ in range(2):
            clock.advance(3601)
            store.known_many(["<other@example.org>"])
        assert store.known_many(ids(0, 3)) == set()


def test_overview_that_names_another_id_is_found(tx: DrivenTx) -> None:
    from quintet.store import check, groups
    from tests.support.letters import letter

    group = groups.create(tx, "misc.test")
    groups.file(tx, [group.id], letter(1), path=b"x!y", host="x", received_at=tx.now)
    tx.savepoint()
    tx.run("UPDATE message SET message_id = '<other@example.org>'")
    broken = [line for line in check.everything(tx) if line.startswith("50: ")]
    tx.back_to_savepoint()
    row = history.find(tx, "<l1@example.org>")
    assert broken == [
        "50: overview names b'<l1@example.org>', the message <other@example.org>",
        f"50: the history has another hash than that of <other@example.org>, row {row}",
    ]


def test_each_number_of_an_invariant_is_one_question() -> None:
    import inspect
    import re

    from quintet.store import check

    asked = [number for number, _, _ in check.questions()]
    in_code = {int(number) for number in re.findall(r'f"(\d+): ', inspect.getsource(check))}
    assert len(asked) == len(set(asked))
    assert in_code >= {30, 33, 40, 50}
    assert in_code.isdisjoint(asked)


# --- ids of which only the MD5 came -----------------------------------------------------------------


def md5s(low: int, high: int) -> list[tuple[bytes, int]]:
    return [(history.md5(*history.hashed(one)[:2]), low) for one in ids(low, high)]


async def test_ids_by_their_md5_are_known_to_every_worker_at_once(tmp_path: Path) -> None:
    async with worker(tmp_path) as one, worker(tmp_path) as two:
        await one.write(add, 0, 10)
        await remembering.whole(two)
        assert not two.known_many(ids(20, 22))  # memory alone says so
        assert await one.write(one.known.admit, md5s(20, 22)) == 2
        assert two.known_many(ids(19, 22)) == set(ids(20, 22))
        assert await two.write(lambda tx: tx.perhaps_known(ids(8, 23))) == ids(8, 23)
        assert await two.write(history.add, ids(20, 21)[0], None, 5) is False


async def test_a_table_built_beside_such_ids_is_not_believed_before_they_are_gone(tmp_path: Path) -> None:
    async with worker(tmp_path) as one:
        await one.write(add, 0, 10)
        await one.write(one.known.admit, md5s(20, 23))
        await one.write(add, 30, 33)
        await one.write(one.known.admit, md5s(22, 25))  # one of them again
        assert await one.read(history.count) == 10 + 5 + 3
    (tmp_path / "history.ids").unlink()
    async with worker(tmp_path) as one:
        await remembering.whole(one)
        assert one.known.is_partial
        assert one.known_many(ids(0, 40)) == {*ids(0, 10), *ids(20, 25), *ids(30, 33)}
        assert await one.write(history.sweep, 21) == 3
        await remembering.some(one)
        assert one.known.is_partial
        assert await one.write(history.sweep, 23) == 2
        await remembering.some(one)
        assert not one.known.is_partial
        assert one.known.table is not None
        assert one.known.table.state == idtable.READY
    async with worker(tmp_path) as one:  # nor by what a process remembers of its own answers
        assert one.known_many(ids(0, 40)) == {*ids(0, 10), *ids(30, 33)}


def test_rows_by_md5_are_counted_and_found_on_both_engines(tx: DrivenTx) -> None:
    assert not history.has_hashes(tx)
    assert history.add_hashes(tx, []) == 0
    assert not history.has_hashes(tx)
    assert history.add_hashes(tx, md5s(1, 4)) == 3
    assert history.add_hashes(tx, md5s(3, 5)) == 1
    assert history.has_hashes(tx)
    assert history.among(tx, ids(0, 9)) == set(ids(1, 5))
    assert history.sweep(tx, 100) == 4
    assert not history.has_hashes(tx)
    history.no_more_hashes(tx)
    assert tx.value("SELECT count(*) FROM setting WHERE name LIKE 'history%'") == 0
