"""What large things cost: a million in a mailbox, a thousand who wait, a letter of 200 MB, a lazy reader.

Each test prints its figures (``pytest -s``) and asserts them with room for a busy machine; the marks are
those of a quiet one.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import resource
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from quintet.store import accounts, entries, folders
from quintet.store.content import content_of
from quintet.store.db import Tx
from quintet.store.model import FolderId
from quintet.store.store import Store
from tests.crash.test_server_kills import expect_sound
from tests.support.hammer import ALICE, HOST, PASSWORD, POOL, Line, connected, login
from tests.support.server import people
from tests.support.victim import Victim, plain_environment

pytestmark = pytest.mark.slow

MB = 1024 * 1024
MILLION = 1_000_000
IDLERS = 1000
LARGE = 200 * MB  # of a letter
LETTERS = 100_000  # in the mbox


class Memory:
    """What a process holds now, and its peak while somebody asks."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.peak = 0

    def now(self) -> int:
        """Resident bytes."""
        held = int(self._process.memory_info().rss)
        self.peak = max(self.peak, held)
        return held

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Measures the peak during the block."""
        self.peak = 0
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        while True:
            self.now()
            await asyncio.sleep(0.02)


@asynccontextmanager
async def serving(victim: Victim) -> AsyncIterator[Memory]:
    """The server, running."""
    try:
        await victim.start()
        assert victim.process is not None
        yield Memory(victim.process.pid)
        assert await victim.end() == 0
    finally:
        await victim.kill()
        victim.close()


async def furnished(victim: Victim) -> Store:
    """The store of a server that does not run yet, with people in it; close it."""
    store = await Store.open(victim.config.store)
    await people(store, victim.config)
    return store


def victim_in(folder: Path, *protocols: str, **sections: Any) -> Victim:
    return Victim(folder, protocols, store={"sync": "off"}, **sections)


async def asked(line: Line, command: str) -> list[bytes]:
    """The lines of the answer to an IMAP command."""
    line.send(b"q " + command.encode() + b"\r\n")
    got = [await line.line()]
    while not got[-1].startswith(b"q "):
        got.append(await line.line())
    assert got[-1].startswith(b"q OK"), got[-1]
    return got


# --- a mailbox of a million ---------------------------------------------------------------------------


def fill(tx: Tx, folder_id: FolderId, count: int) -> None:
    """Makes ``count`` messages out of the one that is there, without going through a protocol."""
    more, first = count - 1, tx.new_ids(count - 1)
    account_id, modseq, size = tx.all(
        "SELECT a.id, a.modseq, e.size FROM folder f JOIN account a ON a.id = f.account_id"
        " JOIN entry e ON e.folder_id = f.id WHERE f.id = ?",
        folder_id,
    )[0]
    tx.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        " INSERT INTO entry (folder_id, uid, flags, keywords, size, received_at, modseq, message_id, id,"
        " saved_at, content_modseq, read_modseq, created_modseq, hidden)"
        " SELECT e.folder_id, 1 + i, i % 2, '', e.size, e.received_at, ? + i, e.message_id, ? + i - 1,"
        " e.saved_at, ? + i, ? + i, ? + i, 0 FROM n, entry e WHERE e.folder_id = ? AND e.uid = 1",
        more, modseq, first, modseq, modseq, modseq, folder_id,
    )  # fmt: skip
    tx.run(
        "UPDATE folder SET messages = ?, unseen = ?, bytes = ?, uid_next = ?, highest_modseq = ?"
        " WHERE id = ?",
        count, 1 + more // 2, count * size, count + 1, modseq + more, folder_id,
    )  # fmt: skip
    tx.run(
        "UPDATE account SET modseq = ?, used_messages = used_messages + ?, used_bytes = used_bytes + ?"
        " WHERE id = ?",
        modseq + more, more, more * size, account_id,
    )  # fmt: skip


def busy_s(victim: Victim) -> float:
    """What the server has worked; how long it took says as much about the rest of the machine."""
    return sum(each.cpu_times().user + each.cpu_times().system for each in victim.processes())


async def test_mailbox_of_a_million_opens_at_once_and_is_small(tmp_path: Path) -> None:
    victim = victim_in(tmp_path, "imap")
    store = await furnished(victim)
    alice = store.peek(accounts.find, ALICE)
    assert alice is not None
    folder = await store.write(folders.create, alice.id, "Huge")
    letter = content_of(b"From: a@example.org\r\nSubject: one of many\r\nMessage-ID: <1@x>\r\n\r\nHello\r\n")
    await store.write(entries.add, [folder.id], letter, received_at=1)
    began = time.monotonic()
    await store.write(fill, folder.id, MILLION)
    print(f"rows made in {time.monotonic() - began:.1f} s")
    await store.close()
    expect_sound(victim.data, 10)
    async with serving(victim) as memory, connected(victim.ports["imap"]) as line:
        await line.line()
        await login(line, ALICE)
        await asked(line, "SELECT INBOX")
        before, began = memory.now(), busy_s(victim)
        opened = await asked(line, "SELECT Huge")
        took, grown = busy_s(victim) - began, memory.now() - before
        assert b"* 1000000 EXISTS\r\n" in opened
        print(f"SELECT of 1,000,000: {took * 1000:.0f} ms, {grown / MB:.1f} MB")
        for command in (
            "FETCH 999990:* (UID FLAGS)",
            "UID FETCH 500000 (FLAGS ENVELOPE)",
            "UID SEARCH 7,999999 SEEN",
        ):
            began = time.monotonic()
            await asked(line, command)
            print(f"{command}: {(time.monotonic() - began) * 1000:.1f} ms")
        assert took < 1.5  # the mark is 0.5 s
        assert grown < 60 * MB  # the mark is 40 MB


# --- a thousand who wait ---------------------------------------------------------------------------------


async def test_a_thousand_idle_connections_cost_little_each(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * IDLERS + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"only {hard} open files are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    victim = victim_in(tmp_path, "imap", "lmtp")
    await (await furnished(victim)).close()
    async with serving(victim) as memory, contextlib.AsyncExitStack() as stack:
        await _idler(stack, victim.ports["imap"])
        before = memory.now()
        idling = [await _idler(stack, victim.ports["imap"]) for _ in range(IDLERS)]
        each = (memory.now() - before) / IDLERS
        began = time.monotonic()
        await _deliver(victim.ports["lmtp"])
        for line in idling:
            while b"EXISTS" not in await line.line():
                pass
        print(
            f"{IDLERS} in IDLE: {each / 1024:.1f} KB each; all heard after {time.monotonic() - began:.2f} s"
        )
        assert each < 60 * 1024  # the mark is 30 KB


async def _idler(stack: contextlib.AsyncExitStack, port: int) -> Line:
    line = await stack.enter_async_context(connected(port))
    await line.line()
    await login(line, ALICE)
    line.send(b"s SELECT INBOX\r\ni IDLE\r\n")
    while not (await line.line()).startswith(b"+"):
        pass
    return line


async def _deliver(port: int) -> None:
    async with connected(port) as line:
        await line.reply()
        await line.ask("LHLO x.example")
        line.send(f"MAIL FROM:<>\r\nRCPT TO:<{ALICE}>\r\nDATA\r\n".encode())
        for _ in range(3):
            await line.reply()
        assert (await line.ask("Subject: now\r\n\r\nHello\r\n.")).startswith(b"250")


# --- a letter of 200 MB ----------------------------------------------------------------------------------


async def test_letter_of_200_mb_flows_through_and_a_client_that_does_not_read_costs_nothing(
    tmp_path: Path,
) -> None:
    victim = victim_in(tmp_path, "smtp", "imap", "pop3", smtp={"max_message_size": 2 * LARGE})
    await (await furnished(victim)).close()
    async with serving(victim) as memory:
        await _deliver_by_smtp(victim.ports["smtp"])  # a small one first, so that everything is loaded
        assert await _fetched(victim.ports["imap"], 1) == await _retrieved(victim.ports["pop3"], 1)
        before = memory.now()
        figures = []
        async with memory.watched():
            began = time.monotonic()
            sent = await _deliver_by_smtp(victim.ports["smtp"], LARGE)
            figures.append(("in by SMTP", time.monotonic() - began, memory.peak - before))
        for name, out, port in (("IMAP", _fetched, "imap"), ("POP3", _retrieved, "pop3")):
            async with memory.watched():
                began = time.monotonic()
                size, body = await out(victim.ports[port], 2)
                figures.append((f"out by {name}", time.monotonic() - began, memory.peak - before))
            assert size > LARGE
            assert body == sent, name
        for name, took, grown in figures:
            print(f"200 MB {name}: {took:.1f} s, {grown / MB:.1f} MB more")
            assert grown < 30 * MB, name
        await _stalled(victim.ports["imap"], memory)


async def _stalled(port: int, memory: Memory) -> None:
    """A client asks for 200 MB and reads nothing: the server waits, and others do not notice."""
    before = memory.now()
    with socket.create_connection((HOST, port), timeout=20) as lazy:
        lazy.sendall(f"a LOGIN {ALICE} {PASSWORD}\r\nb SELECT INBOX\r\nc FETCH 2 BODY.PEEK[]\r\n".encode())
        async with connected(port) as line:
            await line.line()
            await login(line, ALICE)
            await asked(line, "SELECT INBOX")
            slowest, until = 0.0, time.monotonic() + 1.0
            while time.monotonic() < until:
                began = time.monotonic()
                await asked(line, "FETCH 1 (FLAGS ENVELOPE)")
                slowest = max(slowest, time.monotonic() - began)
        grown = memory.now() - before
        print(
            f"a client that reads nothing: {grown / MB:.2f} MB; another waits at most {slowest * 1000:.0f} ms"
        )
        assert grown < 3 * MB  # the mark is 1 MB
        assert slowest < 1.0


_CHUNK = POOL[: POOL.index(b"\r\n", MB // 4) + 2].replace(b"\r\n.", b"\r\n:")


async def _deliver_by_smtp(port: int, size: int = 0) -> bytes:
    """Sends a letter of at least ``size`` bytes; the hash of its body."""
    async with connected(port) as line:
        await line.reply()
        await line.ask("EHLO x.example")
        line.send(f"MAIL FROM:<>\r\nRCPT TO:<{ALICE}>\r\nDATA\r\n".encode())
        for _ in range(3):
            await line.reply()
        line.send(b"Subject: large\r\n\r\n")
        body = hashlib.sha256()
        for _ in range(size // len(_CHUNK) + 1):
            body.update(_CHUNK)
            line.send(_CHUNK)
            await line.writer.drain()
        reply = await line.ask(".")
        assert reply.startswith(b"250"), reply
        return body.digest()


async def _fetched(port: int, number: int) -> tuple[int, bytes]:
    """Size of a message, and the hash of its body, by IMAP."""
    async with connected(port) as line:
        await line.line()
        await login(line, ALICE)
        await asked(line, "EXAMINE INBOX")
        line.send(f"f FETCH {number} BODY.PEEK[]\r\n".encode())
        announced = await line.line()
        size = int(announced[announced.index(b"{") + 1 : announced.index(b"}")])
        return size, await _hashed(line, size)


async def _retrieved(port: int, number: int) -> tuple[int, bytes]:
    """The same by POP3 (no line of it begins with a dot)."""
    async with connected(port) as line:
        await line.line()
        for command in (f"USER {ALICE}", f"PASS {PASSWORD}", f"LIST {number}"):
            answer = await line.ask(command)
            assert answer.startswith(b"+OK"), answer
        size = int(answer.split()[2])
        assert (await line.ask(f"RETR {number}")).startswith(b"+OK")
        found = await _hashed(line, size)
        assert await line.line() == b".\r\n"
        assert (await line.ask("QUIT")).startswith(b"+OK")
        return size, found


async def _hashed(line: Line, size: int) -> bytes:
    """The hash of a message's body; takes ``size`` bytes."""
    left = size
    while left:
        header = await line.line()
        left -= len(header)
        if header == b"\r\n":
            break
    body = hashlib.sha256()
    while left:
        data = await line.reader.read(min(left, MB))
        assert data, "cut off"
        body.update(data)
        left -= len(data)
    return body.digest()


# --- an mbox of 100,000 ----------------------------------------------------------------------------------


async def test_import_and_export_of_100_000_letters_stay_small(tmp_path: Path) -> None:
    victim = victim_in(tmp_path, "imap")
    await (await furnished(victim)).close()
    mbox = tmp_path / "old.mbox"
    with mbox.open("w") as file:
        for number in range(LETTERS):
            file.write(
                "From x@example.org Mon Jan  5 10:00:00 2026\nFrom: x@example.org\n"
                f"Subject: letter {number}\nMessage-ID: <{number}@old.example>\n"
                f"\nThe text of letter {number}.\n\n"
            )
    where = ("--account", ALICE, "--folder", "Old", "--config", str(tmp_path))
    said, peak = await _commanded("import", "mbox", str(mbox), *where)
    assert f"{LETTERS} added" in said
    assert peak < 120 * MB
    for kind in ("mbox", "maildir"):
        said, peak = await _commanded("export", kind, str(tmp_path / kind), *where)
        assert f"{LETTERS} messages written" in said
        assert peak < 120 * MB, kind  # with all of the database mapped it was three times as much
    victim.close()
    expect_sound(victim.data, 10)


async def _commanded(*words: str) -> tuple[str, int]:
    """What a command says, and the most memory that it held, in bytes."""
    began = time.monotonic()
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "quintet", *words),
        env=plain_environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    memory = Memory(program.pid)
    with contextlib.suppress(psutil.NoSuchProcess):
        async with memory.watched():
            said, _ = await program.communicate()
    took = time.monotonic() - began
    assert program.returncode == 0, said.decode()
    print(f"{words[0]} {words[1]}: {took:.1f} s, {LETTERS / took:.0f} a second, {memory.peak / MB:.0f} MB")
    return said.decode(), memory.peak
