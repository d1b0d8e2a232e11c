"""What an administrator does while clients are busy: backup and restore, reload, an orderly end.

The clients are those of the kill test: SMTP, LMTP, IMAP APPEND and NNTP POST, with a receipt for each.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from quintet.store.store import Store
from tests.crash.test_server_kills import PLACES, expect_sound
from tests.support import reading, server
from tests.support.hammer import ALICE, CLIENTS, Ledger, Line, connected, hammering, login
from tests.support.victim import Victim, plain_environment

pytestmark = pytest.mark.slow

ENOUGH = 300  # receipts before something is done
PATIENCE_S = 60.0
PROTOCOLS = tuple(dict.fromkeys(name for name, _ in CLIENTS))


@asynccontextmanager
async def busy(folder: Path) -> AsyncIterator[tuple[Victim, Ledger]]:
    """A server with people and groups, started; ended at the end if it still runs."""
    folder.mkdir()
    victim = Victim(folder, PROTOCOLS)
    store = await Store.open(victim.config.store)
    await server.people(store, victim.config)
    await store.close()
    try:
        await victim.start()
        yield victim, Ledger(random.Random(7), folder.name)
    finally:
        await victim.kill()
        victim.close()


async def enough(ledger: Ledger, count: int = ENOUGH) -> None:
    """Until so many messages have a receipt."""
    async with asyncio.timeout(PATIENCE_S):
        while sum(bool(sent.acknowledged) for sent in ledger.open.values()) < count:
            await asyncio.sleep(0.01)


async def quintet(*arguments: str) -> str:
    """Runs a command; its output."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "quintet", *arguments),
        env=plain_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await program.communicate()
    assert program.returncode == 0, said.decode()
    return said.decode()


def receipts(ledger: Ledger) -> dict[str, set[str]]:
    """Place to the Message-IDs acknowledged there."""
    return {
        place: {ident for ident, sent in ledger.open.items() if place in sent.acknowledged}
        for place in PLACES
    }


async def held(victim: Victim, ledger: Ledger) -> dict[str, set[str]]:
    """Place to the Message-IDs that are there; each once, and whole."""
    found: dict[str, set[str]] = {}
    for place, messages in (await reading.look(victim.ports, PLACES, {})).items():
        idents = [reading.ident_of(stored) for stored in messages.values()]
        assert len(set(idents)) == len(idents), f"twice in {place}"
        for ident, stored in zip(idents, messages.values(), strict=True):
            assert reading.is_whole(ledger.open[ident], stored), ident
        found[place] = set(idents)
    return found


async def test_backup_under_load_restores_to_everything_acknowledged_before_it(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    async with busy(tmp_path / "busy") as (victim, ledger):
        async with hammering(victim.ports, ledger):
            await enough(ledger)
            before, began = receipts(ledger), time.monotonic()
            said = await quintet("backup", str(tmp_path / "copy"), "-c", str(victim.folder))
            took, after = time.monotonic() - began, receipts(ledger)
        assert said.startswith("backed up to")
        assert not ledger.refused
        print(f"{took:.1f} s; receipts: {_count(before)} when it began, {_count(after)} when it ended")
        assert after != before, "nothing came in meanwhile"

        elsewhere.mkdir()
        restored = Victim(elsewhere, PROTOCOLS)
        try:
            await quintet("restore", str(tmp_path / "copy"), "-c", str(elsewhere))
            await asyncio.to_thread(expect_sound, restored.data, 10**9)
            await restored.start()
            there = await held(restored, ledger)
            for place, idents in before.items():
                assert idents <= there[place], place
            assert await restored.end() == 0
        finally:
            await restored.kill()
            restored.close()


def _count(found: dict[str, set[str]]) -> int:
    return sum(map(len, found.values()))


async def test_sigterm_under_load_keeps_every_promise_and_ends_with_0(tmp_path: Path) -> None:
    async with busy(tmp_path / "busy") as (victim, ledger):
        async with hammering(victim.ports, ledger):
            await enough(ledger)
            began = time.monotonic()
            assert await victim.end() == 0
            print(f"drained in {time.monotonic() - began:.2f} s")
        assert not ledger.refused
        await asyncio.to_thread(expect_sound, victim.data, 10**9)
        await victim.start()
        there = await held(victim, ledger)
        for place, idents in receipts(ledger).items():
            assert idents <= there[place], place


async def test_everyone_hears_why_when_the_server_ends(tmp_path: Path) -> None:
    goodbyes = {"smtp": b"421 ", "lmtp": b"421 ", "imap": b"* BYE", "nntp": b"400 "}
    async with busy(tmp_path / "busy") as (victim, _):
        *heard, _ = await asyncio.gather(
            *(_last_words(victim.ports[name]) for name in goodbyes), _end_soon(victim)
        )
    for told, goodbye in zip(heard, goodbyes.values(), strict=True):
        assert told.startswith(goodbye)


async def _last_words(port: int) -> bytes:
    async with connected(port) as line:
        await line.line()
        told = await line.line()
        assert await line.reader.read() == b""
        return told


async def _end_soon(victim: Victim) -> None:
    async with connected(victim.ports["imap"]) as line:  # the others are connected before this one
        await line.line()
        await login(line, ALICE)
    assert await victim.end() == 0


async def test_reload_under_load_takes_an_option_and_drops_nobody(tmp_path: Path) -> None:
    async with busy(tmp_path / "busy") as (victim, ledger):
        async with connected(victim.ports["imap"]) as idle, hammering(victim.ports, ledger):
            await idle.line()
            await login(idle, ALICE)
            idle.send(b"s SELECT INBOX\r\ni IDLE\r\n")
            await enough(ledger)
            smaller = dataclasses.replace(victim.config.smtp, max_message_size=5_000_000)
            server.write_config(victim.folder, dataclasses.replace(victim.config, smtp=smaller))
            assert victim.process is not None
            victim.process.send_signal(signal.SIGHUP)
            async with asyncio.timeout(PATIENCE_S):
                while b"SIZE 5000000" not in await _offered(victim.ports["smtp"]):
                    await asyncio.sleep(0.02)
            await enough(ledger, 2 * ENOUGH)
            idle.send(b"DONE\r\nn NOOP\r\n")
            await _until(idle, b"n OK")
            assert not ledger.cut
        assert not ledger.refused
        there = await held(victim, ledger)
        assert all(idents <= there[place] for place, idents in receipts(ledger).items())


async def _offered(port: int) -> bytes:
    async with connected(port) as line:
        await line.line()
        line.send(b"EHLO x.example\r\n")
        offered = b""
        while not offered.endswith(b"\n") or offered.splitlines()[-1][3:4] == b"-":
            offered += await line.line()
        return offered


async def _until(line: Line, start: bytes) -> None:
    while not (await line.line()).startswith(start):
        pass
