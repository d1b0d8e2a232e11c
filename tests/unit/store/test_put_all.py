"""Many messages are queued, and taken out of the queue, at once as one after the other."""

from __future__ import annotations

import random
from typing import Any

import pytest

from quintet.store import filing, queue, queue_rules
from quintet.store.content import skimmed
from quintet.store.db import DrivenTx
from quintet.store.model import MessageId
from tests.support.letters import PREFIX, letter

HOUR = 3_600_000
DOMAINS = ("a.example", "b.example", "resting.example")


@pytest.fixture(autouse=True)
def nothing_came_lately() -> None:
    filing._lately.clear()


def message(number: int, chance: random.Random, claim: queue.Claim | None) -> queue.Put:
    data = letter(number).data
    assert data is not None
    params: dict[str, Any] = {"id": f"q{number}"}  # Any: JSON
    if chance.random() < 0.2:
        params["priority"] = 4
    if chance.random() < 0.2:
        params["release_at"] = 1_763_715_600_000 + HOUR
    item = queue.QueueItem(skimmed(data), f"s{number}@example.org", PREFIX, params=params)
    to = [
        queue.To(f"u{each}.{number}@{chance.choice(DOMAINS)}", hold="looked at" if each == 3 else "")
        for each in range(chance.randrange(1, 5))
    ]
    return queue.Put(item, to, claim)


def kept(tx: DrivenTx) -> list[list[tuple[object, ...]]]:
    """Everything but the numbers of rows."""
    derived = ", ".join(f"m.{name}" for name in filing._DERIVED)
    return [
        tx.all(
            "SELECT q.account_id, q.sender, q.params, q.created_at, q.expires_at, q.release_at, m.prefix,"
            f" {derived}, b.size, b.dotless, b.place, b.digest, b.data FROM queue q"
            " JOIN message m ON m.id = q.message_id JOIN blob b ON b.id = m.blob_id ORDER BY q.sender"
        ),
        tx.all(
            "SELECT q.sender, r.address, r.domain, r.params, r.state, r.due_at, r.rank, r.hold_reason,"
            " r.lease_owner, r.lease_until FROM queue_recipient r JOIN queue q ON q.id = r.queue_id"
            " ORDER BY r.address"
        ),
        tx.all("SELECT domain, rank, due_at FROM queue_lane ORDER BY domain, rank"),
    ]


def taken(claim: queue.Claim) -> list[tuple[object, ...]]:
    return [
        (one.address, one.domain, one.params, one.state, one.due_at, one.sender, one.item_params, one.rank,
         one.expires_at, one.blocked)
        for one in claim.taken
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_together_is_as_one_by_one(tx: DrivenTx, seed: int) -> None:
    queue_rules.suppress(tx, "u0.3@a.example", "complained")
    queue_rules.add(tx, "recipient", "u1.4@a.example", "by hand")
    some: list[list[queue.Put]] = []
    claims = [queue.Claim("me", tx.now + HOUR, ("resting.example",)) for _ in range(2)]
    for claim in claims:
        chance = random.Random(seed)
        some.append([message(number, chance, claim if number % 3 else None) for number in range(15)])
    tx.savepoint()
    for one in some[0]:
        queue.put(tx, *one)
    apart = kept(tx)
    tx.back_to_savepoint()
    filing._lately.clear()
    assert queue.put_all(tx, some[1]) == [True] * 15
    assert kept(tx) == apart
    assert taken(claims[1]) == taken(claims[0])
    assert [one.sender for one in claims[1].taken if one.message_row not in claims[1].contents] == []
    assert [queue.get(tx, one.id) for one in claims[1].taken if not one.blocked] == [
        one for one in claims[1].taken if not one.blocked
    ]


def test_what_is_special_is_left_alone(tx: DrivenTx) -> None:
    """A message that is stored, a scanned one, the same bytes again, many recipients."""
    chance = random.Random(1)
    plain, again = message(1, chance, None), message(1, chance, None)
    row = filing.put(tx, letter(9), PREFIX)
    stored = queue.Put(queue.QueueItem(None, "x@example.org", message_row=MessageId(row)), plain.recipients)
    scanned = queue.Put(queue.QueueItem(letter(2), "x@example.org"), plain.recipients)
    many = message(3, chance, None)._replace(
        recipients=[queue.To(f"u{each}@a.example") for each in range(queue.FEW + 1)]
    )
    some = [stored, scanned, plain, again, many]
    assert queue.put_all(tx, some) == [False, False, True, False, False]
    assert tx.value("SELECT count(*) FROM queue") == 1
    queue.put(tx, *stored)  # its row is somebody's now


def test_those_that_left_go_together(tx: DrivenTx) -> None:
    """Each message with its last recipient, and no other."""
    chance = random.Random(2)
    claim = queue.Claim("me", tx.now + HOUR)
    puts = [message(number, chance, claim) for number in range(6)]
    queue.put_all(tx, puts)
    every = [row[0] for row in tx.all("SELECT id FROM queue_recipient ORDER BY id")]
    last = every.pop()
    queue.done(tx, every)
    assert tx.all("SELECT id FROM queue_recipient") == [(last,)]
    assert tx.value("SELECT count(*) FROM queue") == 1
    assert tx.value("SELECT count(*) FROM garbage") == 5
    queue.done(tx, [last])
    assert tx.value("SELECT count(*) FROM queue") == 0
    assert tx.value("SELECT count(*) FROM garbage") == 6
    queue.done(tx, [last])
    assert tx.value("SELECT count(*) FROM garbage") == 6
