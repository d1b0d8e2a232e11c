"""Clients that make, rename, remove and subscribe mailboxes; NOTIFY tells another one (RFC 5465 5.4, 5.5).

What it keeps, changed only by the LIST lines that it is sent, must be what LIST says when it asks.
"""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

from quintet.net.memory import Talk
from tests.unit.imap.world import World, open_world

SEEDS = int(os.environ.get("IN_STEP_SEEDS", "10"))
STEPS = 60
LEVELS = ("a", "b", "c")
_LISTED = re.compile(r'\* LIST \((.*?)\) "/" (\S+)(?: \("OLDNAME" \((\S+)\)\))?$')

Tree = dict[str, frozenset[str]]  # names and their words


def some_name(rng: random.Random) -> str:
    return "/".join(rng.choices(LEVELS, k=rng.randint(1, 3)))


async def ask(talk: Talk, text: str) -> list[str]:
    await talk.send(f"x {text}\r\n".encode())
    lines = talk.take().decode().split("\r\n")
    assert lines[-2].startswith("x "), lines
    return lines


async def tree(talk: Talk) -> Tree:
    """All that is there, and what is subscribed to, as LIST has it."""
    lines = await ask(talk, 'LIST "" "*" RETURN (SUBSCRIBED CHILDREN)')
    found = [match for line in lines if (match := _LISTED.match(line))]
    return {match[2]: words_of(match[1]) for match in found}


def words_of(text: str) -> frozenset[str]:
    return frozenset(
        word for word in text.split() if word in ("\\Subscribed", "\\HasChildren", "\\HasNoChildren")
    )


class Observer:
    """Keeps names; of each the words that it was told last."""

    def __init__(self, known: Tree) -> None:
        self.known = dict(known)
        self.told: set[str] = set()  # since the last look

    def hear(self, lines: list[str]) -> None:
        for line in lines:
            match = _LISTED.match(line)
            if match is None:
                continue
            words, name, old = match.groups()
            if old is not None:
                self.rename(old, name)
            self.told.add(name)
            if "\\NonExistent" in words:
                self.known.pop(name, None)
            else:
                self.known[name] = words_of(words)

    def rename(self, old: str, new: str) -> None:
        moved = [name for name in self.known if name == old or name.startswith(f"{old}/")]
        for name in moved:
            self.known[new + name[len(old) :]] = self.known.pop(name)


async def step(world: World, actors: list[Talk], rng: random.Random) -> str:
    talk, one, other = rng.choice(actors), some_name(rng), some_name(rng)
    text = rng.choice(
        (f"CREATE {one}", f"CREATE {one}", f"DELETE {one}", f"RENAME {one} {other}", f"SUBSCRIBE {one}",
         f"UNSUBSCRIBE {one}")
    )  # fmt: skip
    lines = await ask(talk, text)
    world.store.hub.wake_all()
    return f"{text}: {lines[-2]}"


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_an_observer_knows_every_name(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        talks = [Talk(world.service) for _ in range(4)]
        for talk in talks:
            await talk.begin()
            await ask(talk, "LOGIN alice@example.org demo")
        *actors, watching = talks
        observer = Observer(await tree(watching))
        await ask(watching, "NOTIFY SET (PERSONAL (MailboxName SubscriptionChange))")
        done = []
        for _ in range(STEPS):
            together = rng.choice((1, 1, 1, 3))
            for _ in range(together):
                done.append(await step(world, actors, rng))
            await watching.settle()
            observer.hear(watching.take().decode().split("\r\n"))
            there = await tree(actors[0])
            assert observer.known.keys() == there.keys(), done[-3:]
            for name in observer.told & there.keys() if together == 1 else ():
                assert observer.known[name] == there[name], (name, done[-3:])
            observer.told.clear()
        for talk in talks:
            await talk.end()


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_an_observer_knows_what_is_shared(seed: int, tmp_path: Path) -> None:
    """Who is given the right to look up sees a mailbox made, who loses it sees it removed (RFC 5465 5.4)."""
    rng = random.Random(seed)
    async with open_world(tmp_path / "data", people=("alice", "bob")) as world:
        owner, asking, watching = (Talk(world.service) for _ in range(3))
        for talk, who in ((owner, "bob"), (asking, "alice"), (watching, "alice")):
            await talk.begin()
            await ask(talk, f"LOGIN {who}@example.org demo")
        await ask(watching, "NOTIFY SET (SUBTREE Users (MailboxName))")
        observer, done = Observer({}), []
        for _ in range(STEPS):
            one, other = some_name(rng), some_name(rng)
            text = rng.choice(
                (f"CREATE {one}", f"SETACL {one} alice@example.org lr", f"SETACL {one} alice@example.org l",
                 f"DELETEACL {one} alice@example.org", f"RENAME {one} {other}", f"DELETE {one}")
            )  # fmt: skip
            done.append(f"{text}: {(await ask(owner, text))[-2]}")
            world.store.hub.wake_all()
            await watching.settle()
            observer.hear(watching.take().decode().split("\r\n"))
            lines = await ask(asking, 'LIST "" "Users/*"')
            found = [match for line in lines if (match := _LISTED.match(line))]
            there = {match[2] for match in found if "\\NonExistent" not in match[1]}
            assert observer.known.keys() == there, done[-3:]
        for talk in (owner, asking, watching):
            await talk.end()
