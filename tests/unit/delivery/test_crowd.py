"""Letters that come at the same time are written together, and each fares as it would alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quintet.delivery.inbound import Inbound
from quintet.errors import Problem, Reason, TryLater
from quintet.store import filing, letters, queue
from quintet.store.content import Content, content_of
from quintet.store.db import Tx
from tests.support.mailhouse import MailHouse, envelope, inbound, mail_house

WAYS: list[tuple[str, ...]] = [
    ("alice",), ("bob",), ("carol",), ("alice", "bob"), ("alice", "sales"), ("alice",), ("out",), ("out",),
    ("carol", "out"), ("bob",),
]  # fmt: skip


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[MailHouse]:
    filing._lately.clear()
    async with mail_house(tmp_path) as made:
        await made.given("alias sales@example.org to alice")
        await made.given("forward out@example.org to zoe@example.net")
        yield made


def letter(number: int) -> Content:
    """As it comes in a crowd: nobody scanned it."""
    found = content_of(
        b"Message-ID: <%d@example.net>\r\nSubject: number %d\r\n\r\nbody\r\n" % (number, number), late=True
    )
    assert found.scanned is None
    return found


async def take(way: Inbound, number: int, *names: str) -> list[Problem | None] | Problem:
    try:
        return await way.accept(envelope(way, *names), letter(number))
    except Problem as problem:
        return problem


async def bodies(house: MailHouse, name: str) -> list[bytes]:
    return sorted(await house.messages(name))


async def state(house: MailHouse) -> list[list[bytes]]:
    """Every letter with what stands above it, but for the order in which they came."""
    sent = [await house.queued_bytes(row) for row in await house.queued()]
    return [await bodies(house, name) for name in ("alice", "bob", "carol")] + [sorted(sent)]


async def test_together_is_as_one_by_one(house: MailHouse, tmp_path: Path, monkeypatch) -> None:
    together: list[int] = []
    file_all, put_all = letters.file_all, queue.put_all

    def counted(tx: Tx, some: list[letters.Letter]) -> list[bool]:
        done = file_all(tx, some)
        together.append(sum(done))
        return done

    def counted_puts(tx: Tx, some: list[queue.Put]) -> list[bool]:
        done = put_all(tx, some)
        together.append(sum(done))
        return done

    way, before = inbound(house), house.store.commits
    monkeypatch.setattr(letters, "file_all", counted)
    monkeypatch.setattr(queue, "put_all", counted_puts)
    taken = await asyncio.gather(*(take(way, at, *names) for at, names in enumerate(WAYS)))
    assert taken == [[None] * len(names) for names in WAYS]
    assert house.store.commits <= before + 2
    assert sum(together) >= 7, together  # one way is mixed; who begins a commit may be alone in it
    async with mail_house(tmp_path / "other") as other:
        await other.given("alias sales@example.org to alice")
        await other.given("forward out@example.org to zoe@example.net")
        filing._lately.clear()
        alone = inbound(other)
        for at, names in enumerate(WAYS):
            assert await take(alone, at, *names) == [None] * len(names)
        assert await state(house) == await state(other)


async def test_one_that_is_full_keeps_nobody_from_theirs(house: MailHouse) -> None:
    await house.given("full bob")
    way = inbound(house)
    taken = await asyncio.gather(*(take(way, at, name) for at, name in enumerate(("alice", "bob", "carol"))))
    assert taken[0] == taken[2] == [None]
    assert isinstance(taken[1], TryLater)
    assert taken[1].reason is Reason.OVER_QUOTA
    assert [await house.count(name) for name in ("alice", "bob", "carol")] == [1, 1, 1]


async def test_the_same_letter_to_several_one_by_one_is_kept_once(house: MailHouse) -> None:
    way = inbound(house)
    taken = await asyncio.gather(*(take(way, 1, name) for name in ("alice", "bob", "carol")))
    assert taken == [[None]] * 3
    assert [await house.count(name) for name in ("alice", "bob", "carol")] == [1, 1, 1]
    assert house.store.peek(lambda tx: tx.value("SELECT count(*) FROM blob")) == 1
