"""ENOSPC, EIO and a torn write at every write call of a delivery: a temporary refusal, and nothing lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from quintet.config.store import Store as StoreConfig
from quintet.errors import Reason, TryLater
from quintet.store import accounts, check, db, entries, folders
from quintet.store.blobs import Blobs
from quintet.store.model import FolderId
from quintet.store.store import Store
from tests.crash.faults import KINDS, Disk, FaultyVfs, faulty_files
from tests.support.stores import expect_sound

MAX_STEPS = 300  # a delivery that needs more writes has changed its nature
REASON = {"ENOSPC": {Reason.DISK_FULL}, "EIO": {Reason.STORAGE}, "torn": {Reason.STORAGE}}


def raw(number: int, size: int) -> bytes:
    head = f"Message-ID: <f{number}@example.org>\r\nSubject: {number}\r\n\r\n".encode()
    return head + b"0123456789abcdef0123456789abcd\r\n" * (size // 32)


async def deliver(store: Store, inbox: FolderId, number: int, size: int) -> None:
    """A delivery as every protocol does it: spool, finish, write."""
    spool = store.spool()
    try:
        data = raw(number, size)
        for start in range(0, len(data), 16_384):
            spool.write(data[start : start + 16_384])
        await store.write(
            entries.add, [inbox], await spool.finish(), prefix=b"Received: x\r\n", received_at=number
        )
    finally:
        spool.discard()


def held(folder: Path, numbers: range) -> tuple[list[str], dict[int, int]]:
    """Broken invariants of the data in ``folder``, opened anew, and how often each message is there."""
    tx = db.SqliteTx(db.open_sqlite(folder / "quintet.db", writable=True, sync="off"))
    try:
        broken = check.everything(tx, Blobs(folder))
        found = {n: len(entries.by_message_id(tx, None, f"<f{n}@example.org>")) for n in numbers}
        return broken, found
    finally:
        tx.close()


@pytest.mark.parametrize("size", [500, 80_000], ids=["small", "large"])
@pytest.mark.parametrize("kind", KINDS)
async def test_failure_at_any_write_refuses_and_loses_nothing(tmp_path: Path, kind: str, size: int) -> None:
    disk = Disk()
    vfs = FaultyVfs(disk, f"faulty-{kind}-{size}")
    data = tmp_path / "data"
    store = await Store.open(StoreConfig(data=str(data), map=0), vfs=f"faulty-{kind}-{size}")
    account = await store.write(accounts.create, "alice")
    inbox = store.peek(folders.find, account.id, "INBOX")
    assert inbox is not None
    accepted: set[int] = set()
    refused: set[int] = set()
    reasons: set[Reason] = set()
    number = 0

    def crash() -> None:
        # the folder as it is at this very moment, before anybody can tidy up
        shutil.copytree(data, tmp_path / "crashed", ignore=shutil.ignore_patterns("run", "gate"))

    disk.on_fault = crash
    with faulty_files(disk):
        for step in range(MAX_STEPS):
            number += 1
            disk.arm(kind, step)
            try:
                await deliver(store, inbox.id, number, size)
                accepted.add(number)
            except TryLater as later:
                refused.add(number)
                reasons.add(later.reason)
            failed = list(disk.failed)
            disk.disarm()
            assert list(store.blobs.spool.iterdir()) == []
            if not failed:
                break
            broken, found = held(tmp_path / "crashed", range(1, number + 1))
            shutil.rmtree(tmp_path / "crashed")
            assert not broken, (step, failed, broken)
            assert all(found[n] == 1 for n in accepted if n != number), (step, failed)
            assert all(times <= 1 for times in found.values()), (step, failed)
            # the disk works again: so does the store
            number += 1
            await deliver(store, inbox.id, number, size)
            accepted.add(number)
            expect_sound(store)
        else:
            pytest.fail(f"a delivery takes more than {MAX_STEPS} writes")
    assert reasons == REASON[kind]
    assert refused, "no write failed: the injection does not work"
    await store.close()
    broken, found = held(data, range(1, number + 1))
    assert not broken
    assert {n for n, times in found.items() if times == 1} == accepted
    assert {n for n, times in found.items() if times == 0} == refused
    vfs.unregister()
