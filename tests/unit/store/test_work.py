"""Queue, jobs, scripts, properties, annotations, trace, read marks as ranges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.errors import Reason, Refused
from quintet.store import accounts, annotations, entries, folders, jobs, props, queue, scripts, sweep, trace
from quintet.store.db import DrivenTx
from quintet.store.ranges import RangeSet
from tests.support.letters import letter


def put(tx: DrivenTx, *addresses: str) -> queue.QueueId:
    item = queue.QueueItem(letter(1), "zoe@example.org", prefix=b"Received: x\r\n", params={"RET": "HDRS"})
    return queue.put(tx, item, [queue.To(address, {"NOTIFY": "FAILURE"}) for address in addresses])


def test_recipient_is_leased_to_one_until_the_lease_runs_out(tx: DrivenTx) -> None:
    put(tx, "a@x.example", "b@y.example")
    first = queue.lease(tx, "one", tx.now + 1000)
    assert [(r.address, r.domain, r.sender) for r in first] == [
        ("a@x.example", "x.example", "zoe@example.org"), ("b@y.example", "y.example", "zoe@example.org"),
    ]  # fmt: skip
    assert first[0].item_params == {"RET": "HDRS"} and first[0].params == {"NOTIFY": "FAILURE"}
    assert queue.lease(tx, "two", tx.now + 1000) == []
    assert queue.extend(tx, [first[0].id], "one", tx.now + 5000) == 1
    assert queue.extend(tx, [first[0].id], "two", tx.now + 5000) == 0
    tx.now += 1000
    assert [r.address for r in queue.lease(tx, "two", tx.now + 1000)] == ["b@y.example"]
    assert entries.message_body(tx, first[0].message_row).size == letter(1).size + 13


def test_deferred_recipient_waits_and_a_busy_domain_too(tx: DrivenTx) -> None:
    put(tx, "a@x.example", "b@y.example")
    one = queue.lease(tx, "me", tx.now + 9, busy=["y.example"])[0]
    queue.defer(tx, one.id, tx.now + 60_000, "450 later", delayed_notice=True)
    assert [r.address for r in queue.lease(tx, "me", tx.now + 9)] == ["b@y.example"]
    tx.now += 60_000
    again = next(r for r in queue.lease(tx, "me", tx.now + 9) if r.id == one.id)
    assert (again.attempts, again.last_error, again.delayed_notice) == (1, "450 later", True)


def test_message_goes_with_its_last_recipient(tx: DrivenTx) -> None:
    put(tx, "a@x.example", "b@y.example")
    one, two = queue.lease(tx, "me", tx.now + 9)
    queue.done(tx, [one.id])
    assert sweep.garbage(tx, tx.now + 1)[1] == 0
    queue.fail(tx, two.id, "550 no")
    assert queue.counts(tx) == {"failed": 1}
    queue.done(tx, [two.id])
    assert queue.counts(tx) == {}
    assert sweep.garbage(tx, tx.now + 1)[1] == 1


def test_held_recipient_is_not_leased_until_retried(tx: DrivenTx) -> None:
    put(tx, "a@x.example")
    (one,) = queue.listing(tx)
    queue.hold(tx, one.id)
    assert queue.lease(tx, "me", tx.now + 9) == []
    assert queue.next_due(tx) is None
    queue.retry(tx, one.id)
    (leased,) = queue.lease(tx, "me", tx.now + 9)
    queue.release(tx, [leased.id], "me")
    assert queue.get(tx, one.id).state == queue.WAITING
    queue.remove(tx, one.id)
    with pytest.raises(Refused):
        queue.get(tx, one.id)


def test_job_is_leased_to_one_at_a_time(tx: DrivenTx) -> None:
    assert jobs.lease(tx, "sweep", "a", tx.now + 100) is not None
    assert jobs.lease(tx, "sweep", "b", tx.now + 100) is None
    tx.now += 100
    taken = jobs.lease(tx, "sweep", "b", tx.now + 100)
    assert taken is not None and taken.lease_owner == "b"
    with pytest.raises(Refused) as lost:
        jobs.finish(tx, "sweep", "a", tx.now)
    assert lost.value.reason is Reason.NO_SUCH_JOB
    jobs.finish(tx, "sweep", "b", tx.now + 10, state="cursor 7", error="")
    assert jobs.lease(tx, "sweep", "b", tx.now + 100) is None
    tx.now += 10
    again = jobs.lease(tx, "sweep", "a", tx.now + 100)
    assert again is not None and again.state == "cursor 7"


def test_one_script_is_active(tx: DrivenTx) -> None:
    # RFC 5804 2.8 to 2.11
    alice = accounts.create(tx, "alice").id
    scripts.put(tx, alice, "one", b"keep;")
    scripts.put(tx, alice, "two", b"stop;")
    scripts.put(tx, alice, "one", b"discard;")
    scripts.activate(tx, alice, "one")
    scripts.activate(tx, alice, "two")
    active = scripts.active(tx, alice)
    assert active is not None and active.name == "two"
    with pytest.raises(Refused) as refused:
        scripts.remove(tx, alice, "two")
    assert refused.value.reason is Reason.IN_USE
    with pytest.raises(Refused) as refused:
        scripts.rename(tx, alice, "one", "two")
    assert refused.value.reason is Reason.ALREADY_EXISTS
    scripts.rename(tx, alice, "one", "three")
    scripts.activate(tx, alice, "")
    scripts.remove(tx, alice, "two")
    assert [(s.name, s.content) for s in scripts.listing(tx, alice)] == [("three", b"discard;")]


def test_properties_and_their_names(tx: DrivenTx) -> None:
    alice = accounts.create(tx, "alice").id
    inbox = folders.find(tx, alice, "INBOX")
    assert inbox is not None
    (added,) = entries.add(tx, [inbox.id], letter(1), received_at=1)
    props.put(tx, props.ENTRY, added.entry_id, {0x10: b"a", 0x20: b"b"})
    props.put(tx, props.ENTRY, added.entry_id, {0x10: b"c"})
    props.put(tx, props.ATTACHMENT, added.entry_id, {1: b"x"}, part=3)
    assert props.get(tx, props.ENTRY, added.entry_id) == {0x10: b"c", 0x20: b"b"}
    assert props.parts(tx, props.ATTACHMENT, added.entry_id) == [3]
    props.remove(tx, props.ENTRY, added.entry_id, [0x20])
    assert props.get(tx, props.ENTRY, added.entry_id) == {0x10: b"c"}
    first = props.named(tx, alice, b"g" * 16, "Keywords")
    assert first == 0x8000
    assert props.named(tx, alice, b"g" * 16, "#7") == 0x8001
    assert props.named(tx, alice, b"g" * 16, "Keywords") == first
    assert props.named(tx, alice, b"h" * 16, "Keywords", create=False) is None
    assert props.name_of(tx, alice, 0x8001) == (b"g" * 16, "#7")
    entries.expunge(tx, inbox.id, [added.uid])
    assert props.get(tx, props.ENTRY, added.entry_id) == {}


def test_annotations_are_shared_or_private(tx: DrivenTx) -> None:
    alice = accounts.create(tx, "alice").id
    annotations.put(tx, alice, annotations.ON_ACCOUNT, annotations.SHARED, "/Shared/Comment", b"x")
    annotations.put(tx, alice, annotations.ON_ACCOUNT, alice, "/private/comment", b"y")
    assert annotations.get(tx, alice, annotations.ON_ACCOUNT, annotations.SHARED) == {"/shared/comment": b"x"}
    annotations.put(tx, alice, annotations.ON_ACCOUNT, annotations.SHARED, "/shared/comment", None)
    assert annotations.get(tx, alice, annotations.ON_ACCOUNT, annotations.SHARED) == {}


def test_trace_follows_a_message(tx: DrivenTx) -> None:
    alice = accounts.create(tx, "alice").id
    inbox = folders.find(tx, alice, "INBOX")
    assert inbox is not None
    trace.add(tx, tx.now - 1, "c1", "accepted", None, "<l1@example.org>", {"from": "192.0.2.1"})
    note = trace.Note("c1", "filed", alice, {"by": "rule"})
    entries.add(tx, [inbox.id], letter(1), received_at=1, trace_note=note)
    found = trace.follow(tx, "<l1@example.org>")
    assert [(e.event, e.detail) for e in found] == [
        ("accepted", {"from": "192.0.2.1"}), ("filed", {"by": "rule", "places": [[inbox.id, 1]]}),
    ]  # fmt: skip
    assert [e.event for e in trace.recent(tx, 1)] == ["filed"]
    assert trace.sweep(tx, tx.now) == 1


numbers = st.sets(st.integers(1, 60))


@given(numbers, numbers)
def test_ranges_are_sets(one: set[int], two: set[int]) -> None:
    a, b = RangeSet.of(one), RangeSet.of(two)
    assert set(a | b) == one | two
    assert set(a & b) == one & two
    assert set(a - b) == one - two
    assert len(a) == len(one)
    assert RangeSet.parse(str(a)) == a
    assert [n for n in range(70) if n in a] == sorted(one)
    assert a.highest == max(one, default=0)
