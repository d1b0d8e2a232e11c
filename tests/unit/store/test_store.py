"""The asynchronous door: group commit, isolation, watches, bodies, two processes on one folder."""

import asyncio
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quintet.config.store import Store as StoreConfig
from quintet.errors import Reason, Refused, TryLater
from quintet.store import accounts, blobs, db, entries, folders, sweep, writer
from quintet.store.content import Content
from quintet.store.db import Tx, bounded
from quintet.store.model import AccountId, FolderId
from quintet.store.store import Store
from tests.support.letters import PREFIX, letter
from tests.support.stores import expect_sound, open_store
from tests.support.turns import others


async def inbox_of(store: Store, name: str = "alice") -> FolderId:
    account = await store.write(accounts.create, name)
    found = store.peek(folders.find, account.id, "INBOX")
    assert found is not None
    return found.id


@bounded()
def set_value(tx: Tx, name: str, value: str) -> None:
    tx.run("INSERT INTO setting (name, value) VALUES (?, ?)", name, value)


@bounded()
def fail_after_writing(tx: Tx, error: Exception) -> None:
    set_value(tx, "half", "written")
    raise error


def values(tx: Tx) -> list[str]:
    return [name for (name,) in tx.all("SELECT name FROM setting ORDER BY name")]


async def test_what_waits_together_is_committed_together(store: Store) -> None:
    before = store.commits
    await asyncio.gather(*(store.write(set_value, f"n{i}", "") for i in range(50)))
    assert store.commits - before == 1
    assert len(store.peek(values)) == 50


async def test_what_changes_memory_is_run_once(store: Store) -> None:
    runs: list[str] = []

    def once(tx: Tx, name: str) -> None:
        runs.append(name)
        set_value(tx, name, "")
        tx.savepoint()  # what a function may do for its own parts
        set_value(tx, name + " undone", "")
        tx.back_to_savepoint()

    failing = store.write(fail_after_writing, Refused(Reason.POLICY))
    await asyncio.gather(store.write_once(once, "a"), failing, store.write(once, "b"), return_exceptions=True)
    assert runs == ["a", "b"]
    assert store.peek(values) == ["a", "b"]


@pytest.mark.parametrize("plain", [False, True], ids=["on the loop", "in the thread"])
async def test_failed_neighbour_is_isolated(store: Store, plain: bool) -> None:
    def in_thread(tx: Tx, name: str) -> None:
        set_value(tx, name, "")

    first = in_thread if plain else lambda tx, name: set_value(tx, name, "")
    if not plain:
        first = bounded()(first)
    results = await asyncio.gather(
        store.write(first, "a"),
        store.write(fail_after_writing, Refused(Reason.POLICY)),
        store.write(first, "b"),
        store.write(fail_after_writing, ZeroDivisionError("a bug")),
        return_exceptions=True,
    )
    assert [type(r) for r in results] == [type(None), Refused, type(None), ZeroDivisionError]
    assert store.peek(values) == ["a", "b"]


async def test_what_takes_several_turns_shares_a_flush(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_LOOP_S", 0.0)  # one transaction a turn
    before = store.commits
    async with others() as turns:
        await asyncio.gather(*(store.write(set_value, f"n{i}", "") for i in range(2 * writer.MAX_TURNS)))
    assert store.commits - before == 2
    assert turns.count >= 2 * writer.MAX_TURNS  # others were served in between
    assert len(store.peek(values)) == 2 * writer.MAX_TURNS


async def test_failure_in_a_later_turn_undoes_no_earlier_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_LOOP_S", 0.0)
    results = await asyncio.gather(
        store.write(set_value, "a", ""),
        store.write(set_value, "b", ""),
        store.write(fail_after_writing, Refused(Reason.POLICY)),
        store.write(set_value, "c", ""),
        return_exceptions=True,
    )
    assert [type(r) for r in results] == [type(None), type(None), Refused, type(None)]
    assert store.peek(values) == ["a", "b", "c"]


async def test_refusal_before_writing_costs_no_second_run(store: Store) -> None:
    runs = []

    @bounded()
    def refuse(tx: Tx) -> None:
        raise Refused(Reason.POLICY)

    @bounded()
    def count(tx: Tx) -> None:
        runs.append(tx.now)
        set_value(tx, "x", "")

    results = await asyncio.gather(store.write(count), store.write(refuse), return_exceptions=True)
    assert isinstance(results[1], Refused)
    assert len(runs) == 1


async def test_cancelled_waiter_disturbs_nobody(store: Store) -> None:
    waiting = asyncio.ensure_future(store.write(set_value, "gone", ""))
    other = asyncio.ensure_future(store.write(set_value, "stays", ""))
    await asyncio.sleep(0)
    waiting.cancel()
    await other
    assert "stays" in store.peek(values)


async def test_closed_store_says_so(tmp_path: Path) -> None:
    store = await Store.open(StoreConfig(data=str(tmp_path), sync="off"))
    last = asyncio.ensure_future(store.write(set_value, "last", ""))
    await asyncio.sleep(0)
    await store.close()
    await last  # what was asked before is still done
    with pytest.raises(TryLater):
        await store.write(set_value, "late", "")


async def test_readers_cannot_write(store: Store) -> None:
    with pytest.raises(TryLater):
        await store.read(set_value, "x", "")
    with pytest.raises(TryLater):
        store.peek(set_value, "x", "")


async def test_hint_reaches_the_watchers_of_that_folder_only(store: Store) -> None:
    mine, other = await inbox_of(store), await inbox_of(store, "bob")
    here, there, everywhere = asyncio.Event(), asyncio.Event(), asyncio.Event()
    watch, _, broad = (
        store.watch(here, [mine]), store.watch(there, [other]),
        store.watch(everywhere, None, store.peek(folders.get, mine).account_id),
    )  # fmt: skip
    await store.write(entries.add, [mine], letter(1), received_at=1)
    assert (here.is_set(), there.is_set(), everywhere.is_set()) == (True, False, True)
    here.clear()
    everywhere.clear()
    watch.remove(mine)
    broad.close()
    await store.write(entries.add, [mine], letter(2), received_at=1)
    assert (here.is_set(), everywhere.is_set()) == (False, False)
    watch.add(other)
    await store.write(entries.add, [other], letter(3), received_at=1)
    assert here.is_set()
    watch.close()
    watch.close()


async def test_two_processes_share_a_folder_and_hear_each_other(tmp_path: Path) -> None:
    async with open_store(tmp_path) as one:
        two = await Store.open(one.config, clock=one.clock)
        try:
            inbox = await inbox_of(one)
            heard = asyncio.Event()
            two.watch(heard, [inbox])
            await asyncio.gather(
                *(
                    s.write(entries.add, [inbox], letter(i), received_at=i)
                    for i in range(30)
                    for s in (one, two)
                )
            )
            await one.write(entries.add, [inbox], letter(99), received_at=1)
            heard.clear()
            await one.write(entries.add, [inbox], letter(100), received_at=1)
            async with asyncio.timeout(30):
                await heard.wait()
            assert list(two.peek(entries.uids, inbox)) == list(range(1, 63))
        finally:
            await two.close()


async def test_slow_poll_finds_what_no_hint_told(store: Store) -> None:
    woken = asyncio.Event()
    store.watch(woken, [FolderId(7), FolderId(8)])
    store.hub.compare({FolderId(7): 1, FolderId(8): 1})
    assert not woken.is_set()
    store.hub.compare({FolderId(7): 1, FolderId(8): 2})
    assert woken.is_set()


async def spooled(store: Store, data: bytes, step: int) -> tuple[blobs.Spool, Content]:
    spool = store.spool()
    for start in range(0, len(data), step):
        spool.write(data[start : start + step])
    return spool, await spool.finish()


@pytest.mark.parametrize("size", [0, 10, 65_535, 65_536, 65_537, 400_000])
@pytest.mark.parametrize("step", [1000, 65_536])
async def test_body_goes_in_and_out_unchanged(store: Store, size: int, step: int) -> None:
    inbox = await inbox_of(store)
    data = b"Subject: x\r\n\r\n" + (b"0123456789abcde\n" * (size // 16 + 1))[:size]
    spool, content = await spooled(store, data, step)
    try:
        assert (content.path is not None) == (len(data) > 65_536)
        await store.write(entries.add, [inbox], content, prefix=PREFIX, received_at=1)
    finally:
        spool.discard()
    ref = store.peek(entries.body_ref, inbox, 1)
    body = store.body(ref)
    whole = PREFIX + data
    assert b"".join([piece async for piece in body.chunks(0, body.size)]) == whole
    for start, length in ((0, 5), (len(PREFIX) - 3, 10), (len(PREFIX) + 2, 7), (len(whole) - 4, 100)):
        got = b"".join([piece async for piece in store.body(ref).chunks(start, length)])
        assert got == whole[start : start + length]
        small = store.body(ref).small(start, length)
        assert small is None or small == whole[start : start + length]
    assert await asyncio.to_thread(store.read_body, ref) == whole
    assert list(store.blobs.spool.iterdir()) == []


@pytest.mark.parametrize("step", [70_000, 262_144, 1 << 20])
async def test_others_have_their_turn_while_a_body_of_many_parts_is_taken(
    store: Store, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """What is made of it is what `write` makes."""
    monkeypatch.setattr(blobs, "TURN_S", 0.0)
    data = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n.\r\n" * 60_000
    once, wanted = await spooled(store, data, step)
    spool = store.spool()
    try:
        async with others() as turns:
            for start in range(0, len(data), step):
                await spool.take(data[start : start + step])
        assert turns.count >= len(data) // blobs.STEP
        found = await spool.finish()
        assert (found.digest, found.sha256, found.size, found.lines, found.path) == (
            wanted.digest, wanted.sha256, wanted.size, wanted.lines, wanted.path
        )  # fmt: skip
        assert found.path is not None
        assert found.path.read_bytes() == data
    finally:
        spool.discard()
        once.discard()


async def test_discarded_spool_leaves_nothing(store: Store) -> None:
    spool = store.spool()
    spool.write(b"x" * 100_000)
    assert len(list(store.blobs.spool.iterdir())) == 1
    spool.discard()
    spool.discard()
    assert list(store.blobs.spool.iterdir()) == []


async def test_swept_body_is_refused_and_its_file_goes_when_old(tmp_path: Path) -> None:
    config = StoreConfig(data=str(tmp_path), sync="off", garbage_age=0, orphan_age=0)
    store = await Store.open(config)
    inbox = await inbox_of(store)
    spool, content = await spooled(store, b"\r\n" + b"y" * 100_000, 50_000)
    spool.discard()
    await store.write(entries.add, [inbox], content, received_at=1)
    await store.write(entries.add, [inbox], letter(1), received_at=1)
    small, large = (store.peek(entries.body_ref, inbox, uid) for uid in (2, 1))
    assert await sweep.files(store) == 0  # a row names it
    await store.write(entries.expunge, inbox, [1, 2])
    await asyncio.sleep(0.002)  # the doom is in the past now
    assert (await sweep.some(store))[0].messages == 2
    assert await sweep.files(store) == 1
    with pytest.raises(Refused):
        store.body(small).small(0, 10)
    with pytest.raises(TryLater):
        [piece async for piece in store.body(large).chunks(0, 10)]
    expect_sound(store)
    await store.close()


async def test_unknown_account_for_a_watch_is_no_error(store: Store) -> None:
    event = asyncio.Event()
    store.watch(event, None, AccountId(12345)).close()
    assert not event.is_set()


async def test_nothing_new_is_taken_when_the_disk_is_nearly_full(tmp_path: Path) -> None:
    store = await Store.open(StoreConfig(data=str(tmp_path), sync="off", reserve=1 << 62))
    spool = store.spool()
    spool.write(b"Subject: x\r\n\r\n")
    with pytest.raises(TryLater) as full:
        await spool.finish()
    assert full.value.reason is Reason.DISK_FULL
    await store.write(set_value, "others", "go on")
    await store.close()


def test_the_reserve_is_not_eaten_between_two_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = 100_000_000
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=free, f_frsize=1))
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)
    made = blobs.Blobs(tmp_path, sync=False, reserve=90_000_000)
    for _ in range(4):
        made.check_space(1_000_000)
    free -= 8_000_000  # as it was said
    made.check_space(900_000)
    with pytest.raises(TryLater) as full:
        made.check_space(1_000_000)
    assert full.value.reason is Reason.DISK_FULL
    free += 8_000_000  # somebody tidied up: that is seen at once
    made.check_space(1_000_000)


async def test_a_worker_that_starts_waits_for_one_that_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = StoreConfig(data=str(tmp_path / "data"), sync="off")
    await (await Store.open(config)).close()
    other = db.open_sqlite(tmp_path / "data" / "quintet.db", writable=True, sync="off", cache=1024 * 1024)
    init, ending = Store.__init__, threading.Timer(0.2, other.execute, ("COMMIT",))

    def interrupted(self: Store, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        other.execute("BEGIN IMMEDIATE")
        ending.start()

    monkeypatch.setattr(Store, "__init__", interrupted)
    try:
        store = await Store.open(config)
        assert not other.in_transaction  # it has let go before
        await store.close()
    finally:
        ending.join()
        other.close()
