"""Large bodies are checked and scanned anew in pieces, whatever is wrong with their files; nobody waits."""

from __future__ import annotations

import asyncio
import threading
import tracemalloc
from pathlib import Path

import pytest

from quintet.message.digest import Digest
from quintet.net.seam import CHUNK
from quintet.store import accounts, check, digests, entries, folders
from quintet.store.store import Store
from tests.support.stores import expect_sound


async def put(store: Store, data: bytes) -> Path:
    """Files a body that has a file of its own; gives the file."""
    account = await store.write(accounts.create, "alice")
    found = store.peek(folders.find, account.id, "INBOX")
    assert found is not None
    spool = store.spool()
    for start in range(0, len(data), CHUNK):
        spool.write(data[start : start + CHUNK])
    await store.write(entries.add, [found.id], await spool.finish(), received_at=1)
    [(_, path)] = store.blobs.files()
    return path


def broken(store: Store) -> list[str]:
    return [line.partition(":")[0] for line in store.peek(check.everything, store.blobs)]


@pytest.mark.parametrize(
    "start", [b".", b"x" * (CHUNK - 1) + b"\n.", b"x" * (CHUNK - 2) + b"\n.", b"x" * CHUNK + b".\n"]
)
async def test_a_line_that_begins_with_a_dot_is_seen_at_any_place(store: Store, start: bytes) -> None:
    path = await put(store, start + b"y" * 3 * CHUNK)
    expect_sound(store)
    tell = "UPDATE blob SET dotless = 1 - dotless WHERE place = 1"
    await store.write(lambda tx: tx.run(tell))
    assert broken(store) == ["42"]
    await store.write(lambda tx: tx.run(tell))
    assert path.exists()


async def test_a_damaged_file_is_told(store: Store) -> None:
    path = await put(store, b"Subject: x\r\n\r\n" + b"0123456789abcdef" * CHUNK)
    whole = path.read_bytes()
    path.chmod(0o600)
    for damaged in (whole[:-1], whole + b"x", whole.replace(b"0123", b"0124", 1), b""):
        path.write_bytes(damaged)
        assert broken(store) == ["41"]
    path.unlink()
    assert broken(store) == ["40"]
    path.write_bytes(whole)
    expect_sound(store)


async def test_a_large_body_is_looked_at_in_pieces(store: Store) -> None:
    await put(store, b"Subject: x\r\n\r\n" + b"0123456789abcde\n" * 2**21)
    tracemalloc.start()
    try:
        assert broken(store) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * 2**20  # the body has 32 MB


async def test_others_write_while_large_bodies_are_scanned_anew(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(store, b"Subject: x\r\n\r\n" + b"y" * 3 * CHUNK)
    loop, begun, released = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    scan_file = digests._scan_file

    def slow(path: Path) -> Digest:
        loop.call_soon_threadsafe(begun.set)
        assert released.wait(60)
        return scan_file(path)

    monkeypatch.setattr(digests, "_scan_file", slow)
    async with asyncio.TaskGroup() as group:
        rebuilding = group.create_task(digests.rebuild(store))
        await begun.wait()
        try:
            await asyncio.wait_for(store.write(accounts.create, "bob"), 10)
        finally:
            released.set()
    assert rebuilding.result() == 1


async def test_a_body_that_is_gone_meanwhile_is_left_out(store: Store) -> None:
    path = await put(store, b"Subject: x\r\n\r\n" + b"y" * 3 * CHUNK)
    whole = path.read_bytes()
    path.unlink()
    assert await digests.rebuild(store) == 1
    assert broken(store) == ["40"]
    path.write_bytes(whole)
