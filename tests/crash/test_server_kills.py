"""The server is killed with SIGKILL under load, 200 times: what it acknowledged is there, once and whole.

Two servers side by side, each with clients of SMTP (DATA and BDAT, pipelined), LMTP, IMAP APPEND and NNTP
POST.  A round: start; compare everything that is new with the receipts of the last round, through IMAP and
NNTP; ask for every invariant; load; kill at a random moment.  A message without a receipt may be there or
not, but whole and once.  docs/crash-safety.md says why this holds.  A start with one worker is forked from a
process that has the modules loaded; with two workers, and for the last look, the whole program starts.

``QUINTET_KILLS=2000`` asks for more rounds, ``QUINTET_SEED=...`` for the same random choices again.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from quintet.store import blobs, check, db
from quintet.store.store import Store
from tests.support import reading
from tests.support.hammer import CLIENTS, GROUP, Ledger, hammering
from tests.support.server import people
from tests.support.victim import Mother, Victim

KILLS = int(os.environ.get("QUINTET_KILLS", "200"))
LANES = 2
ROUNDS_A_STORE = 20  # then a fresh data directory, so that looking at everything stays quick
SOONEST_S, LATEST_S = 0.05, 0.35  # after the load began
SEVERAL_WORKERS = 5  # every so many rounds of the second lane have two workers
SAMPLE = 200  # blobs hashed again in a round; all of them at the end
PLACES = tuple(reading.FOLDERS)


@dataclass(slots=True)
class Lane:
    """One server and its books."""

    victim: Victim
    mother: Mother
    ledger: Ledger
    there: dict[str, dict[str, int]] = field(default_factory=lambda: {place: {} for place in PLACES})
    highest: dict[str, int] = field(default_factory=dict)
    acknowledged: int = 0
    unacknowledged_there: int = 0
    kills: int = 0
    starting_s: float = 0.0
    checking_s: float = 0.0

    async def round(self, workers: int) -> None:
        began = time.monotonic()
        await self.victim.start(workers, self.mother if workers == 1 else None)
        self.starting_s += time.monotonic() - began
        await self.compare()
        rng = self.ledger.rng
        moment = rng.uniform(SOONEST_S, LATEST_S)
        async with hammering(self.victim.ports, self.ledger):
            if workers > 1 and rng.random() < 0.5:  # first one worker alone: its supervisor starts another
                await asyncio.sleep(moment / 2)
                rng.choice(self.victim.workers()).send_signal(signal.SIGKILL)
            await asyncio.sleep(moment)
            await self.victim.kill()
        self.kills += 1

    async def compare(self) -> None:
        """What is new in every folder against the receipts; then every invariant of the store."""
        began = time.monotonic()
        seen = await reading.look(self.victim.ports, PLACES, self.highest)
        seen_as_news = await reading.articles(self.victim.ports["nntp"], self.highest.get(GROUP, 0))
        assert seen_as_news == seen[GROUP], "an article differs between NNTP and IMAP"
        for place, messages in seen.items():
            for uid, stored in messages.items():
                self._one(place, uid, stored)
        for sent in self.ledger.open.values():
            for place in sent.places:
                known = sent.ident in self.there[place]
                assert known or place not in sent.acknowledged, f"lost: {sent.ident} in {place}"
                self.acknowledged += place in sent.acknowledged
                self.unacknowledged_there += known and place not in sent.acknowledged
        self.ledger.open.clear()
        assert not self.ledger.refused, self.ledger.refused[:10]
        await asyncio.to_thread(expect_sound, self.victim.data, SAMPLE)
        self.checking_s += time.monotonic() - began

    def _one(self, place: str, uid: int, stored: bytes) -> None:
        ident = reading.ident_of(stored)
        sent = self.ledger.open.get(ident)
        assert sent is not None, f"came again after it was seen: {ident} in {place}"
        assert ident not in self.there[place], f"twice: {ident} in {place}"
        assert reading.is_whole(sent, stored), f"not whole: {ident} in {place}"
        self.there[place][ident] = uid
        self.highest[place] = max(uid, self.highest.get(place, 0))

    async def last_look(self) -> None:
        """All of it once more, of all rounds; then an orderly end."""
        await self.victim.start()
        await self.compare()
        for place, messages in self.there.items():
            now = await reading.all_idents(self.victim.ports["imap"], place)
            assert now == {uid: ident for ident, uid in messages.items()}, place
        assert await self.victim.end() == 0
        await asyncio.to_thread(expect_sound, self.victim.data, 10**9)


def expect_sound(data: Path, sample: int) -> None:
    """Every invariant, read from outside the server on one snapshot."""
    tx = db.SqliteTx(db.open_sqlite(data / "quintet.db", writable=False))
    try:
        tx.begin(0, "BEGIN")
        broken = check.everything(tx, blobs.Blobs(data, sync=False), sample=sample)
        tx.rollback()
    finally:
        tx.close()
    assert not broken, "\n".join(broken)


async def _lane(number: int, folder: Path, seed: int, rounds: int) -> list[Lane]:
    mother, lives = Mother(), []
    try:
        for first in range(0, rounds, ROUNDS_A_STORE):
            home = folder / f"{number}.{first}"
            home.mkdir()
            some = range(first, min(first + ROUNDS_A_STORE, rounds))
            lives.append(await _life(number, home, seed, some, mother))
            shutil.rmtree(home)
    finally:
        mother.close()
    return lives


async def _life(number: int, home: Path, seed: int, rounds: range, mother: Mother) -> Lane:
    victim = Victim(home, tuple(dict.fromkeys(name for name, _ in CLIENTS)))
    name = f"{seed}.{number}.{rounds.start}"
    lane = Lane(victim, mother, Ledger(random.Random(name), name))
    try:
        await _furnish(victim)
        for at in rounds:
            await lane.round(2 if number and at % SEVERAL_WORKERS == SEVERAL_WORKERS - 1 else 1)
        await lane.last_look()
    except BaseException:
        sys.stderr.write(victim.log[-6000:])
        raise
    finally:
        await victim.kill()
        victim.close()
    return lane


async def _furnish(victim: Victim) -> None:
    """Accounts and groups, before the first start."""
    store = await Store.open(victim.config.store)
    try:
        await people(store, victim.config)
    finally:
        await store.close()


@pytest.mark.slow
async def test_200_kills_under_load_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    seed = int(os.environ.get("QUINTET_SEED", time.time_ns() % 1_000_000))
    print(f"QUINTET_SEED={seed}")
    began = time.monotonic()
    shares = [KILLS // LANES + (number < KILLS % LANES) for number in range(LANES)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_lane(at, tmp_path, seed, share)) for at, share in enumerate(shares)]
    for number, task in enumerate(tasks):
        lives = task.result()
        kills, kept = sum(life.kills for life in lives), sum(life.acknowledged for life in lives)
        print(
            f"server {number}: {kills} kills, {sum(life.ledger.number for life in lives)} messages begun, "
            f"{kept} promises kept, {sum(life.unacknowledged_there for life in lives)} more were there, "
            f"{sum(life.starting_s for life in lives):.1f} s starting, "
            f"{sum(life.checking_s for life in lives):.1f} s looking"
        )
        assert kills == shares[number]
        assert kept > 2 * kills  # there was a load worth the name
    print(f"{time.monotonic() - began:.1f} s")
