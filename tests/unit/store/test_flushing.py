"""Where a flush is waited for: on the loop while the disk is quick, else in the writer thread."""

import asyncio
import threading
import time
from collections.abc import Callable

import apsw
import pytest

from quintet.errors import Reason, Refused, TryLater
from quintet.store import db, writer
from quintet.store.db import DrivenTx, Tx, bounded
from quintet.store.store import Store

ENOUGH = 60  # commits after which one slow flush is forgotten


@bounded()
def set_value(tx: Tx, value: str) -> None:
    tx.run(
        "INSERT INTO setting (name, value) VALUES ('x', ?) ON CONFLICT (name) DO UPDATE SET value = ?",
        *[value] * 2,
    )


def value(tx: Tx) -> str | None:
    found: str | None = tx.value("SELECT value FROM setting WHERE name = 'x'")
    return found


@bounded()
def refused(tx: Tx) -> None:
    set_value(tx, "lost")
    raise Refused(Reason.NO_PERMISSION)


class Disk:
    """Stands between the writer and its transaction; tells in which thread each commit was made."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.takes_s = 0.0
        self.threads: list[str] = []
        self.written_back: list[str] = []
        tx: DrivenTx = store._writer._tx
        commit, write_back = tx.commit, tx.write_back

        def slowly() -> None:
            time.sleep(self.takes_s)
            self.threads.append(threading.current_thread().name)
            commit()

        def noted() -> None:
            self.written_back.append(threading.current_thread().name)
            write_back()

        _replace(monkeypatch, tx, commit=slowly, write_back=noted)


def _replace(monkeypatch: pytest.MonkeyPatch, tx: DrivenTx, **methods: Callable[[], None]) -> None:
    for name, method in methods.items():
        monkeypatch.setattr(type(tx), name, lambda _, method=method: method())


@pytest.fixture
def disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(store, monkeypatch)


@pytest.fixture(autouse=True)
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts as quick, where other tests keep the machine and its disk busy."""
    monkeypatch.setattr(writer, "BRISK_S", 0.05)
    monkeypatch.setattr(writer, "BRIEF_S", 1.0)


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, flushes are waited for on the loop."""
    monkeypatch.setattr(writer, "BRISK_S", 60.0)
    monkeypatch.setattr(writer, "BRIEF_S", 60.0)


async def committed(store: Store, disk: Disk, count: int) -> list[str]:
    """The threads of so many commits, one by one."""
    disk.threads.clear()
    for number in range(count):
        await store.write(set_value, str(number))
    return list(disk.threads)


async def test_the_loop_waits_for_a_quick_disk_itself(store: Store, disk: Disk) -> None:
    here = threading.current_thread().name
    threads = await committed(store, disk, ENOUGH)
    assert threads[0] == "store-writer"  # it is not known yet
    assert threads[-1] == here


async def test_a_slow_flush_sends_the_next_ones_to_the_thread(store: Store, disk: Disk) -> None:
    here = threading.current_thread().name
    await committed(store, disk, ENOUGH)
    disk.takes_s = 2 * writer.RECENT * writer.BRISK_S
    assert await committed(store, disk, 3) == [here, "store-writer", "store-writer"]
    disk.takes_s = 0.0
    threads = await committed(store, disk, ENOUGH)
    assert threads[:3] == ["store-writer"] * 3
    assert threads[-1] == here


async def test_a_slow_disk_never_holds_the_loop(store: Store, disk: Disk) -> None:
    disk.takes_s = 2 * writer.BRISK_S
    assert set(await committed(store, disk, 20)) == {"store-writer"}


@pytest.mark.usefixtures("brisk")
async def test_the_log_is_written_back_in_the_thread(
    store: Store, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = threading.current_thread().name
    assert (await committed(store, disk, ENOUGH))[-1] == here
    assert disk.written_back == []
    monkeypatch.setattr(db, "LOG_PAGES", 3)
    threads = await committed(store, disk, 10)
    assert here in threads
    assert set(disk.written_back) == {"store-writer"}


async def test_the_log_does_not_grow_without_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "LOG_PAGES", 20)
    for number in range(300):
        await store.write(set_value, str(number))
    log = store.config.data + "/quintet.db-wal"
    with open(log, "rb") as file:
        assert len(file.read()) < 60 * 4096


async def test_a_commit_that_fails_on_the_loop_keeps_nothing(
    store: Store, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = threading.current_thread().name
    assert (await committed(store, disk, ENOUGH))[-1] == here
    asked: list[str] = []

    def full() -> None:
        asked.append(threading.current_thread().name)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        _replace(broken, store._writer._tx, commit=full)
        with pytest.raises(TryLater):
            await store.write(set_value, "lost")
    assert asked == [here]
    assert store.peek(lambda tx: tx.value("SELECT value FROM setting WHERE name = 'x'")) == str(ENOUGH - 1)
    await store.write(set_value, "kept")
    assert store.peek(lambda tx: tx.value("SELECT value FROM setting WHERE name = 'x'")) == "kept"


async def test_who_is_alone_has_it_flushed_in_the_same_turn(store: Store, disk: Disk, brisk: None) -> None:
    disk.threads.clear()
    alone = store.submit(set_value, "alone")
    assert alone.done()
    assert disk.threads == [threading.current_thread().name]
    assert store.peek(value) == "alone"
    beside = [store.submit(set_value, str(number)) for number in range(2)]
    asyncio.get_running_loop().call_soon(lambda: None)
    shared = [store.submit(set_value, f"shared {number}") for number in range(2)]
    assert [one.done() for one in (*beside, *shared)] == [True, True, False, False]
    await asyncio.gather(*shared)
    assert len(disk.threads) == 4
    assert store.peek(value) == "shared 1"


async def test_what_fails_at_once_is_told_to_who_asked(store: Store, brisk: None) -> None:
    failed = store.submit(refused)
    assert failed.done()
    assert isinstance(failed.exception(), Refused)
    await store.write(set_value, "after")
    assert store.peek(value) == "after"


async def test_one_write_after_the_other_lets_others_run(store: Store, disk: Disk, brisk: None) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    await committed(store, disk, 20)
    beside.cancel()
    assert turns >= 20


async def test_a_short_question_never_sees_what_is_not_flushed(store: Store, disk: Disk) -> None:
    await store.write(set_value, "before")
    assert store.ask(value) == "before"
    disk.takes_s = 0.05
    writing = asyncio.ensure_future(store.write(set_value, "after"))
    seen = []
    while not writing.done():
        seen.append(store.ask(value))
        await asyncio.sleep(0.001)
    assert set(seen) == {"before"}
    assert len(seen) > 2
    assert store.ask(value) == "after"


async def test_a_short_question_is_answered_where_the_writer_cannot(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.write(set_value, "there")

    def busy(tx: Tx) -> str | None:
        if tx is store._writer._tx:
            raise apsw.BusyError
        return value(tx)

    assert store.ask(busy) == "there"
