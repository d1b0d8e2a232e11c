"""What must hold however much happened: a client comes back in bounded memory, one that never reads goes.

GONE=1000000 in the environment makes it a million expunges instead of the 30,000 that take a second.
"""

from __future__ import annotations

import asyncio
import os
import time
import tracemalloc
from pathlib import Path

import pytest

from quintet.net.memory import Talk
from quintet.store import entries
from tests.unit.imap.world import World, letter, open_world

pytestmark = pytest.mark.unmeasured

GONE = int(os.environ.get("GONE", "30000"))  # every second message of twice as many: a range each
STATES = max(GONE // 10, 100)  # the same, where a client comes back from many older states
MEMORY = 12 * 1024 * 1024 + 8 * GONE  # bytes; two arrays of the UIDs that are there, 4 bytes each
LOGIN = b"a LOGIN alice@example.org demo\r\na ENABLE QRESYNC IMAP4rev2\r\n"


async def half_gone(world: World, gone: int = GONE) -> None:
    """Messages with odd numbers are there, the others were expunged one by one; rows made directly."""
    await world.put("INBOX", letter(1))
    folder = world.folder("INBOX")

    def rows(tx):
        row = tx.one("SELECT message_id, size FROM entry WHERE folder_id = ?", folder.id)
        first = tx.new_ids(3 * gone)
        tx.many(
            "INSERT INTO entry (folder_id, uid, flags, keywords, size, received_at, modseq, message_id, id,"
            " saved_at, content_modseq, read_modseq, created_modseq)"
            " VALUES (?, ?, 0, '', ?, 0, 3, ?, ?, 0, 3, 3, 3)",
            ((folder.id, 2 * n + 1, row[1], row[0], first + n) for n in range(1, gone)),
        )
        tx.many(
            "INSERT INTO tombstone (folder_id, uid, entry_id, modseq) VALUES (?, ?, ?, ?)",
            ((folder.id, 2 * n, first + gone + n, 100 + n) for n in range(1, gone + 1)),
        )
        tx.run(
            "UPDATE folder SET uid_next = ?, messages = ?, unseen = ?, bytes = ?, highest_modseq = ?"
            " WHERE id = ?",
            2 * gone + 1, gone, gone, gone * row[1], 100 + gone, folder.id,
        )  # fmt: skip
        tx.run(
            "UPDATE account SET modseq = ?, used_messages = ?, used_bytes = ? WHERE id = ?",
            200 + gone, gone, gone * row[1], folder.account_id,
        )  # fmt: skip

    await world.store.write(rows)


async def missed(talk: Talk, command: str) -> tuple[int, int]:
    """How many numbers VANISHED told, and the most memory that was held meanwhile, in bytes."""
    told, count = b"", 0
    await talk.send(LOGIN)
    talk.take()
    tracemalloc.start()
    sending = asyncio.ensure_future(talk.send(b"b " + command.encode() + b"\r\n"))
    while not sending.done() or talk.transport.get_write_buffer_size():
        talk.transport.read(100_000)
        await asyncio.sleep(0)
        told += talk.take()
        talk.transport.sent.clear()
        talk._taken = 0
        *lines, told = told.split(b"\r\n")
        count += sum(line.count(b",") + 1 for line in lines if line.startswith(b"* VANISHED (EARLIER)"))
        assert all(len(line) < 65_536 for line in lines), "clients read lines of 64 KiB"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    await sending
    return count, peak


@pytest.mark.parametrize("forgotten", [False, True])
async def test_every_second_message_went_and_the_client_hears_it_in_bounded_memory(
    tmp_path: Path, forgotten: bool
) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await half_gone(world)
        if forgotten:
            await world.store.write(
                lambda tx: tx.run("UPDATE folder SET forgot_modseq = 90 WHERE name = 'INBOX'")
            )
        validity = world.folder("INBOX").uid_validity
        talk = Talk(world.service, room=100_000)
        await talk.begin()
        count, peak = await missed(talk, f"SELECT INBOX (QRESYNC ({validity} 50))")
        assert count == GONE
        assert peak < MEMORY, f"{peak} bytes"
        await talk.end()


@pytest.mark.parametrize("known", [0, 1, STATES // 3, STATES - 1, STATES])
async def test_a_client_hears_what_it_missed_from_any_older_state(tmp_path: Path, known: int) -> None:
    """``known`` of the expunges it had heard before; which messages it still has tells us the rest."""
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await half_gone(world, STATES)
        validity = world.folder("INBOX").uid_validity
        for more, expected in (
            ("", STATES - known),
            (f" {2 * known + 1}:{2 * STATES}", STATES - known),
            (" 1:10", max(5 - known, 0)),
        ):
            talk = Talk(world.service, room=100_000)
            await talk.begin()
            count, peak = await missed(talk, f"SELECT INBOX (QRESYNC ({validity} {100 + known}{more}))")
            assert count == expected, more
            assert peak < MEMORY, f"{peak} bytes"
            await talk.end()


WATCH = b"c NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange))\r\n"


@pytest.mark.parametrize("wish", [b"c IDLE\r\n", WATCH])
async def test_who_wants_news_and_never_reads_is_closed(tmp_path: Path, wish: bytes) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 200)
        deaf = Talk(world.service, room=5000, write_timeout_s=0.05)
        await deaf.begin()
        await deaf.send(LOGIN + b"b SELECT INBOX\r\n" + wish)
        folder = world.folder("INBOX")
        started = time.monotonic()
        for turn in range(400):
            await world.store.write(entries.set_flags, folder.id, list(range(1, 201)), "+-"[turn % 2], 4, ())
            await asyncio.sleep(0.001)
            if deaf.transport.closed.is_set():
                break
        assert deaf.transport.closed.is_set(), f"still there after {time.monotonic() - started} s"
        assert deaf.transport.peak < 512 * 1024, "what waits for it is bounded"
        assert not world.store.hub.by_folder.get(folder.id), "nothing of it is left"
