"""Lanes, ranks, rules and the suppression list of the queue, as transaction functions on both engines."""

from pathlib import Path

import pytest

from quintet.errors import Reason, Refused
from quintet.store import check, db, fetching, lanes, migrate, queue, queue_rules
from quintet.store.db import DrivenTx
from tests.support.letters import letter

MINUTE = 60_000


def put(tx: DrivenTx, *addresses: str, sender: str = "zoe@example.org", number: int = 1, **params) -> int:
    item = queue.QueueItem(letter(number), sender, prefix=b"Received: x\r\n", params=params)
    return queue.put(tx, item, [queue.To(address) for address in addresses])


def taken(tx: DrivenTx, limit: int = 100, **more) -> list[str]:
    return [one.address for one in queue.lease(tx, "me", tx.now + MINUTE, limit, **more)]


def test_higher_priority_goes_first_and_the_lower_still_gets_a_share(tx: DrivenTx) -> None:
    """RFC 6710 4."""
    put(tx, *[f"low{n}@x.example" for n in range(8)], priority=-3)
    put(tx, *[f"high{n}@x.example" for n in range(8)], priority=4)
    first = taken(tx, 8)
    assert [address[:4] for address in first] == ["high"] * 4 + ["low0", "low1", "low2", "low3"]


def test_mailing_to_many_leaves_half_of_the_room_to_single_letters(tx: DrivenTx) -> None:
    put(tx, *[f"member{n:04}@x.example" for n in range(1500)])
    for number in range(30):
        put(tx, f"single{number}@x.example", number=number)
    first = taken(tx, 40)
    assert sum(address.startswith("single") for address in first) == 20
    assert first[:20] == [f"single{n}@x.example" for n in range(20)]


def test_rank_is_four_times_the_priority_less_the_size_of_the_crowd() -> None:
    assert [lanes.rank(0, count) for count in (1, 10, 11, 101, 1001)] == [0, 0, -1, -2, -3]
    assert lanes.rank(1, 5000) > lanes.rank(0, 1)
    assert lanes.rank(99, 1) == 36


def test_domains_have_their_turn_one_after_the_other(tx: DrivenTx) -> None:
    put(tx, *[f"u{n}@big.example" for n in range(9)])
    for number in range(60):
        put(tx, f"v{number}@big.example", number=number)
    tx.now += 1
    put(tx, "w@small.example")
    tx.now += 1
    assert "w@small.example" not in taken(tx, 20)
    assert "w@small.example" in taken(tx, 1)  # though others are due for longer


def test_busy_domains_are_passed_over_and_only_takes_no_other(tx: DrivenTx) -> None:
    put(tx, "a@x.example", "b@y.example", "c@z.example")
    assert queue.next_due(tx, ["x.example", "y.example", "z.example"]) is None
    assert taken(tx, only=["z.example"]) == ["c@z.example"]
    assert taken(tx, busy=["x.example"]) == ["b@y.example"]
    assert taken(tx) == ["a@x.example"]


def test_resting_domain_is_left_alone_though_new_mail_comes(tx: DrivenTx) -> None:
    put(tx, "a@x.example")
    queue.rest(tx, ["x.example"], tx.now + MINUTE)
    put(tx, "b@x.example")
    assert taken(tx) == []
    assert queue.next_due(tx) == tx.now + MINUTE
    tx.now += MINUTE
    assert taken(tx) == ["a@x.example", "b@x.example"]


def flush(tx: DrivenTx, domain: str, *, below: bool = False) -> int:
    found = fetching.later(tx, [domain], below=below)
    return sum(queue.hurry(tx, ids, domains) for domains, ids in fetching._slices(found))


def test_much_mail_is_hurried_in_slices() -> None:
    found = {"a": range(1200), "b": [], "c": range(2000, 2003), **{f"d{n}": [] for n in range(1001)}}
    slices = list(fetching._slices(found))
    assert max(len(ids) for _, ids in slices) <= 2 * fetching.SLICE
    assert max(len(domains) for domains, _ in slices) <= fetching.SLICE
    assert [one for _, ids in slices for one in ids] == [*range(1200), *range(2000, 2003)]
    assert {domain for domains, _ in slices for domain in domains} == set(found)


def test_etrn_makes_what_waits_due_and_ends_a_rest(tx: DrivenTx) -> None:
    """RFC 1985 5."""
    put(tx, "a@x.example", "b@sub.x.example", "c@other.example")
    for one in queue.lease(tx, "me", tx.now + MINUTE):
        queue.defer(tx, one.id, tx.now + 30 * MINUTE, "451 busy")
    queue.rest(tx, ["x.example", "sub.x.example", "other.example"], tx.now + 10 * MINUTE)
    assert taken(tx) == []
    before = tx.now - 1
    assert flush(tx, "x.example") == 1
    assert taken(tx) == ["a@x.example"]
    assert flush(tx, "x.example", below=True) == 1
    assert taken(tx) == ["b@sub.x.example"]
    assert {domain for domain, _ in queue.flushed(tx, before)} == {"x.example", "sub.x.example"}
    assert queue.flushed(tx, tx.now) == []


def test_mail_for_later_is_not_due_before_and_expires_later(tx: DrivenTx) -> None:
    """RFC 4865 4."""
    put(tx, "a@x.example", release_at=tx.now + 5 * MINUTE)
    (one,) = queue.listing(tx)
    assert one.expires_at == tx.now + 5 * MINUTE + queue.KEEP_MS
    assert taken(tx) == []
    assert queue.next_due(tx) == tx.now + 5 * MINUTE
    tx.now += 5 * MINUTE
    assert taken(tx) == ["a@x.example"]


def test_deadline_to_return_is_the_end_and_deadline_to_tell_is_not(tx: DrivenTx) -> None:
    """RFC 2852 4.1.4."""
    put(tx, "a@x.example", by={"at": tx.now + MINUTE, "mode": "R", "trace": False})
    put(tx, "b@x.example", by={"at": tx.now + MINUTE, "mode": "N", "trace": False})
    returned, told = queue.listing(tx)
    assert (returned.expires_at, told.expires_at) == (tx.now + MINUTE, tx.now + queue.KEEP_MS)


@pytest.mark.parametrize(
    ("field", "pattern", "held"),
    [
        ("sender", "@example.org", ["a@x.example", "b@sub.x.example"]),
        ("sender", "zoe@EXAMPLE.org", ["a@x.example", "b@sub.x.example"]),
        ("recipient", "@x.example", ["a@x.example"]),
        ("recipient", ".x.example", ["b@sub.x.example"]),
        ("recipient", "*", ["a@x.example", "b@sub.x.example"]),
        ("size", "100000", []),
        ("size", "5", ["a@x.example", "b@sub.x.example"]),
        ("account", "77", []),
    ],
)
def test_rule_holds_what_comes_and_what_waits(
    tx: DrivenTx, field: str, pattern: str, held: list[str]
) -> None:
    put(tx, "a@x.example", "b@sub.x.example")
    rule = queue_rules.add(tx, field, pattern, "looked at")
    assert queue_rules.apply(tx, rule) == (len(held), 0)
    assert [one.address for one in queue.listing(tx, state="held")] == held
    put(tx, "a@x.example", "b@sub.x.example", number=2)
    found = queue.listing(tx, state="held")
    assert sorted(one.address for one in found) == sorted(held * 2)
    assert {one.hold_reason for one in found} <= {"looked at"}
    queue_rules.drop(tx, rule.id)
    for one in found:
        queue.retry(tx, one.id)
    assert len(taken(tx)) == 4


@pytest.mark.parametrize(("field", "pattern"), [("colour", "red"), ("size", "big"), ("sender", " ")])
def test_rule_that_means_nothing_is_refused(tx: DrivenTx, field: str, pattern: str) -> None:
    with pytest.raises(Refused) as refused:
        queue_rules.add(tx, field, pattern)
    assert refused.value.reason is Reason.BAD_NAME


def bounced(tx: DrivenTx, status: str = "5.1.1") -> bool:
    return queue_rules.bounced(
        tx, "Gone@X.example", status, "550 no such user", limit=3, window_ms=10 * MINUTE, keep_ms=30 * MINUTE
    )


def test_address_that_bounced_often_is_suppressed_for_a_while(tx: DrivenTx) -> None:
    assert [bounced(tx), bounced(tx), bounced(tx)] == [False, False, True]
    put(tx, "gone@x.example", "there@x.example")
    one, two = queue.lease(tx, "me", tx.now + MINUTE)
    assert one.blocked == "failed 3 times: 550 no such user" and not two.blocked
    assert bounced(tx)
    (row,) = queue_rules.suppressed(tx)
    assert (row.address, row.bounces, row.until) == ("gone@x.example", 4, tx.now + 30 * MINUTE)
    tx.now += 30 * MINUTE
    assert queue_rules.blocked(tx, ["gone@x.example"]) == {}


def test_bounces_far_apart_or_about_something_else_do_not_count(tx: DrivenTx) -> None:
    assert not bounced(tx) and not bounced(tx)
    tx.now += 11 * MINUTE
    assert not bounced(tx)
    assert queue_rules.suppressed(tx)[0].bounces == 1
    assert not any(bounced(tx, "5.7.1") for _ in range(5))


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        ("5.1.1", True), ("5.1.2", True), ("5.1.3", True), ("5.1.6", True), ("5.1.10", True), ("5.2.1", True),
        ("5.0.0", False), ("5.1.0", False), ("5.1.4", False), ("5.1.7", False), ("5.1.8", False),
        ("5.2.0", False), ("5.2.2", False), ("5.2.3", False), ("5.3.4", False), ("5.4.4", False),
        ("4.1.1", False),
    ],
)  # fmt: skip
def test_what_speaks_of_the_address_counts(tx: DrivenTx, status: str, counts: bool) -> None:
    """RFC 3463 3.2, 3.3, RFC 7505 4.2: not what is full, too large, or said of who sends."""
    bounced(tx, status)
    assert tx.value("SELECT count(*) FROM suppression") == counts


def test_suppressed_by_hand_until_allowed(tx: DrivenTx) -> None:
    queue_rules.suppress(tx, "Gone@x.example", "complained")
    assert queue_rules.blocked(tx, ["GONE@x.example"]) == {"gone@x.example": "complained"}
    queue_rules.allow(tx, "gone@X.example")
    assert queue_rules.blocked(tx, ["gone@x.example"]) == {}
    with pytest.raises(Refused):
        queue_rules.allow(tx, "gone@x.example")


def test_what_waits_is_counted_by_domain(tx: DrivenTx) -> None:
    put(tx, "a@x.example", "b@x.example", "c@y.example")
    queue.hold(tx, queue.listing(tx)[0].id)
    assert [(w.domain, w.recipients, w.held) for w in queue.top(tx)] == [
        ("x.example", 2, 1),
        ("y.example", 1, 0),
    ]


def test_lease_from_a_deep_queue_reads_no_more_than_it_takes(tmp_path: Path) -> None:
    """The small sister of bench/micro/queue_start.py: no step of a lease reads or sorts the whole queue."""
    tx = db.SqliteTx(db.open_sqlite(tmp_path / "quintet.db", writable=True, sync="off"))
    migrate.upgrade(tx, 1)
    tx.begin(10_000)
    first = put(tx, "first@d0.example")
    names = [f"d{n % 40}.example" for n in range(20_000)]
    rows = [(first + 10 + n, first, f"u{n}@{name}", name, n % 5000) for n, name in enumerate(names)]
    tx.many(
        "INSERT INTO queue_recipient (id, queue_id, address, domain, state, due_at)"
        " VALUES (?, ?, ?, ?, 'waiting', ?)", rows,
    )  # fmt: skip
    lanes.wait(tx, [(domain, 0, due_at) for _, _, _, domain, due_at in rows])
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return False

    tx._connection.set_progress_handler(count, 100)
    assert len(queue.lease(tx, "me", 20_000, 100)) == 100
    first_steps, steps = steps, 0
    assert len(queue.lease(tx, "me", 20_000, 100, busy=[f"d{n}.example" for n in range(20)])) == 100
    assert queue.next_due(tx) is not None
    assert first_steps < 1000 and steps < 1000  # hundreds of instructions; the whole queue has millions
    assert not check.everything(tx)
    tx.rollback()
    tx.close()
