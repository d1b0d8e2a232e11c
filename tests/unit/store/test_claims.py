"""What a runner leases in the transaction that queues it."""

from quintet.store import lanes, queue, queue_rules
from quintet.store.db import DrivenTx
from tests.support.letters import letter

HOUR = 3_600_000


def put(tx: DrivenTx, claim: queue.Claim | None, *addresses: str, due_at: int = 0, **params) -> None:
    item = queue.QueueItem(letter(1), "zoe@example.org", prefix=b"Received: x\r\n", params=params)
    to = [queue.To(each, {"notify": ["never"]}, due_at=due_at) for each in addresses]
    queue.put(tx, item, to, claim)


def test_claimed_mail_is_what_a_lease_would_give(tx: DrivenTx) -> None:
    put(tx, None, "a@x.example", "b@y.example", eight_bit=True)
    leased = queue.lease(tx, "me", tx.now + HOUR)
    queue.done(tx, [one.id for one in leased])
    claim = queue.Claim("me", tx.now + HOUR)
    put(tx, claim, "a@x.example", "b@y.example", eight_bit=True)
    told = [
        (one.address, one.domain, one.params, one.sender, one.item_params, one.created_at, one.expires_at,
         one.rank, one.attempts, one.blocked, one.account_id)
        for one in (*leased, *claim.taken)
    ]  # fmt: skip
    assert told[:2] == told[2:]
    assert [queue.get(tx, one.id) for one in claim.taken] == claim.taken
    assert queue.still_leased(tx, [one.id for one in claim.taken], "me") == {one.id for one in claim.taken}
    assert lanes.next_due(tx) is None
    assert queue.lease(tx, "other", tx.now + HOUR) == []


def test_claim_of_a_dead_runner_waits_again(tx: DrivenTx) -> None:
    claim = queue.Claim("me", tx.now + HOUR)
    put(tx, claim, "a@x.example")
    assert queue.take_back(tx, "me") == 1
    assert [one.id for one in queue.lease(tx, "other", tx.now + HOUR)] == [one.id for one in claim.taken]


def test_claim_that_ran_out_waits_again(tx: DrivenTx) -> None:
    claim = queue.Claim("me", tx.now + HOUR)
    put(tx, claim, "a@x.example")
    tx.now += HOUR + 1
    assert [one.id for one in queue.lease(tx, "other", tx.now + HOUR)] == [one.id for one in claim.taken]


def test_what_is_held_resting_or_not_due_is_not_claimed(tx: DrivenTx) -> None:
    queue_rules.add(tx, "recipient", "held@x.example", "by hand")
    claim = queue.Claim("me", tx.now + HOUR, ("resting.example",))
    put(tx, claim, "held@x.example", "a@resting.example", "b@x.example")
    assert [one.address for one in claim.taken] == ["b@x.example"]
    claim = queue.Claim("me", tx.now + HOUR)
    put(tx, claim, "c@x.example", due_at=tx.now + 1)
    put(tx, claim, "d@x.example", release_at=tx.now + HOUR)
    assert claim.taken == []
    assert [one.address for one in queue.lease(tx, "other", tx.now + HOUR)] == ["a@resting.example"]


def test_suppressed_address_is_told_with_the_claim(tx: DrivenTx) -> None:
    queue_rules.suppress(tx, "A@x.example", "complained")
    claim = queue.Claim("me", tx.now + HOUR)
    put(tx, claim, "a@X.example", "b@x.example")
    assert [one.blocked for one in claim.taken] == ["complained", ""]
