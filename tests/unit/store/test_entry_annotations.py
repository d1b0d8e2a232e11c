"""Annotations of entries: who sees them, who pays, what goes along with a copy, what goes away."""

import pytest

from quintet.errors import Reason, Refused, TryLater
from quintet.store import accounts, changes, check, entries, folders, migrate, seen
from quintet.store import entry_annotations as remarks
from quintet.store.db import DrivenTx
from quintet.store.entry_annotations import EVERYBODY, Along, Limits, Remark
from quintet.store.model import AccountId, FolderId
from tests.support.letters import letter

LIMITS = Limits(count=3, size=100, room=1000)
PRIVATE, SHARED = Remark("/c", False, b"mine"), Remark("/c", True, b"ours")


@pytest.fixture
def alice(tx: DrivenTx) -> AccountId:
    return accounts.create(tx, "alice").id


@pytest.fixture
def bob(tx: DrivenTx) -> AccountId:
    return accounts.create(tx, "bob").id


@pytest.fixture
def inbox(tx: DrivenTx, alice: AccountId) -> FolderId:
    found = folders.find(tx, alice, "INBOX")
    assert found is not None
    for number in range(1, 6):
        entries.add(tx, [found.id], letter(number), received_at=tx.now)
    return found.id


def values(tx: DrivenTx, folder: FolderId, reader: AccountId) -> list[tuple[int, str, bool, bytes]]:
    rows = remarks.live(tx, folder, range(1, 100), reader)
    return [(uid, name, whose == remarks.SHARED, value) for uid, name, whose, value in rows]


def broken(tx: DrivenTx) -> list[str]:
    """Numbers of broken invariants; the counter (19) is written at the end of a test."""
    numbers = [line.partition(":")[0] for line in check.everything(tx)]
    return [number for number in numbers if number != "19"]


def used(tx: DrivenTx, account: AccountId) -> int:
    return accounts.get(tx, account).used_remarks


def test_private_is_the_readers_and_shared_is_everybodys(
    tx: DrivenTx, inbox: FolderId, alice: AccountId, bob: AccountId
) -> None:
    remarks.put(tx, inbox, [1, 2], [PRIVATE, SHARED], alice, LIMITS)
    remarks.put(tx, inbox, [2], [Remark("/c", False, b"of bob")], bob, LIMITS)
    assert values(tx, inbox, alice) == [
        (1, "/c", True, b"ours"), (1, "/c", False, b"mine"),
        (2, "/c", True, b"ours"), (2, "/c", False, b"mine"),
    ]  # fmt: skip
    assert values(tx, inbox, bob)[1:] == [(2, "/c", True, b"ours"), (2, "/c", False, b"of bob")]
    assert (used(tx, alice), used(tx, bob)) == (24, 8)
    assert remarks.sizes(tx, inbox, [1, 2, 3], bob) == [(1, 4), (2, 10)]
    assert remarks.called(tx, inbox, "/c", bob, 1, 9, most=2) == [(2, b"of")]


def test_a_change_takes_a_number_and_is_told_by_name(
    tx: DrivenTx, inbox: FolderId, alice: AccountId, bob: AccountId
) -> None:
    before = folders.get(tx, inbox).highest_modseq
    done, late = remarks.put(tx, inbox, [1, 2, 77], [SHARED], alice, LIMITS)
    assert [(one.uid, one.modseq > before) for one in done] == [(1, True), (2, True)]
    assert not late
    assert remarks.changed(tx, inbox, before, done[0].modseq, bob) == {1: ["/c"], 2: ["/c"]}
    assert [one.uid for one in changes.since(tx, inbox, before).changed] == [1, 2]
    again, late = remarks.put(tx, inbox, [1, 3], [SHARED], alice, LIMITS, unchanged_since=before)
    assert ([one.uid for one in again], late) == ([3], [1])
    gone, _ = remarks.put(tx, inbox, [1], [Remark("/c", True, None)], alice, LIMITS)
    assert remarks.changed(tx, inbox, gone[0].modseq - 1, gone[0].modseq, bob) == {1: ["/c"]}
    same, _ = remarks.put(tx, inbox, [1], [Remark("/c", True, None)], alice, LIMITS)
    assert same == gone  # nothing was there: nothing changed


def test_private_change_in_anothers_folder_is_one_for_this_reader_alone(
    tx: DrivenTx, inbox: FolderId, alice: AccountId, bob: AccountId
) -> None:
    before = folders.get(tx, inbox).highest_modseq
    done, _ = remarks.put(tx, inbox, [2], [PRIVATE], bob, LIMITS)
    assert [one.uid for one in changes.since(tx, inbox, before, reader=bob).changed] == [2]
    assert changes.since(tx, inbox, before, reader=alice).changed == []
    assert seen.modseq_of(seen.log(tx, inbox, bob), 2, before) == done[0].modseq
    _, late = remarks.put(tx, inbox, [2], [PRIVATE], bob, LIMITS, unchanged_since=before)
    assert late == [2]


def test_limits_hold_and_nothing_of_what_breaks_them_stays(
    tx: DrivenTx, inbox: FolderId, alice: AccountId
) -> None:
    three = [Remark(f"/{name}", False, b"1") for name in "abc"]
    remarks.put(tx, inbox, [1], three, alice, LIMITS)
    for more in (Remark("/d", False, b"1"), Remark("/a", False, b"x" * 101)):
        with pytest.raises(Refused) as refused:
            remarks.put(tx, inbox, [2, 1], [more], alice, LIMITS)
        assert refused.value.reason is Reason.TOO_MANY
    assert used(tx, alice) == 9
    remarks.put(tx, inbox, [1], [Remark("/a", False, None), Remark("/d", False, b"1")], alice, LIMITS)
    assert [name for _, name, _, _ in values(tx, inbox, alice)] == ["/b", "/c", "/d"]
    accounts.change(tx, alice, quota_remarks=30)
    with pytest.raises(TryLater) as later:
        remarks.put(tx, inbox, [2, 3, 4, 5], [Remark("/longer", False, b"")], alice, LIMITS)
    assert later.value.reason is Reason.OVER_QUOTA
    remarks.forget(tx, folders.get(tx, inbox))


def test_names_that_went_are_remembered_and_not_for_ever(
    tx: DrivenTx, inbox: FolderId, alice: AccountId
) -> None:
    for number in range(3 * remarks.MAX_GONE):
        remarks.put(tx, inbox, [1], [Remark(f"/{number}", True, b"")], alice, LIMITS)
        remarks.put(tx, inbox, [1], [Remark(f"/{number}", True, None)], alice, LIMITS)
    assert tx.value("SELECT count(*) FROM entry_annotation") == remarks.MAX_GONE
    assert used(tx, alice) == 0


def test_copies_take_the_shared_along_and_the_private_of_one(
    tx: DrivenTx, inbox: FolderId, alice: AccountId, bob: AccountId
) -> None:
    for reader in (alice, bob):
        remarks.put(tx, inbox, [1, 3], [PRIVATE, SHARED], reader, LIMITS)
    his = folders.find(tx, bob, "INBOX")
    assert his is not None
    entries.copy(tx, inbox, [1, 2], his.id, along=Along(reader=bob))
    assert [row[1:] for row in values(tx, his.id, bob)] == [("/c", True, b"ours"), ("/c", False, b"mine")]
    assert values(tx, his.id, alice) == [(1, "/c", True, b"ours")]
    entries.move(tx, inbox, [3], his.id, along=Along(shared=False, reader=alice))
    assert values(tx, his.id, alice)[1:] == [(3, "/c", False, b"mine")]
    drafts = folders.create(tx, alice, "Other")
    entries.move(tx, inbox, [1], drafts.id, along=Along(reader=EVERYBODY))
    assert len(values(tx, drafts.id, alice)) == len(values(tx, drafts.id, bob)) == 2
    assert values(tx, inbox, alice) == []
    with pytest.raises(TryLater):
        entries.copy(tx, drafts.id, [1], inbox, along=Along(reader=alice, room=1))
    remarks.forget(tx, folders.get(tx, inbox))  # half of that copy: the caller would roll it back
    tx.run("UPDATE account SET used_remarks = 0 WHERE id = ?", alice)
    remarks.forget(tx, drafts)
    tx.run("UPDATE account SET used_remarks = 0")
    remarks.forget(tx, his)
    tx.run("UPDATE account SET used_remarks = 0")


def test_what_goes_takes_its_annotations_along(
    tx: DrivenTx, inbox: FolderId, alice: AccountId, bob: AccountId
) -> None:
    remarks.put(tx, inbox, [1, 2, 3], [PRIVATE, SHARED], alice, LIMITS)
    remarks.put(tx, inbox, [1, 2, 3], [PRIVATE], bob, LIMITS)
    entries.expunge(tx, inbox, [1])
    assert (used(tx, alice), used(tx, bob)) == (24, 12)
    folders.rename(tx, inbox, "Old")
    old = folders.find(tx, alice, "Old")
    assert old is not None
    assert len(values(tx, old.id, bob)) == 4
    assert broken(tx) == []
    folders.remove(tx, old.id)
    assert (used(tx, alice), used(tx, bob)) == (0, 0)
    assert tx.value("SELECT count(*) FROM entry_annotation") == 0


def test_account_that_goes_leaves_no_private_ones(
    tx: DrivenTx, inbox: FolderId, alice: AccountId, bob: AccountId
) -> None:
    remarks.put(tx, inbox, [1], [PRIVATE], bob, LIMITS)
    remarks.put(tx, inbox, [1], [SHARED], alice, LIMITS)
    accounts.remove(tx, bob)
    assert values(tx, inbox, bob) == [(1, "/c", True, b"ours")]
    assert broken(tx) == []


def test_broken_annotations_are_found(tx: DrivenTx, inbox: FolderId, alice: AccountId) -> None:
    remarks.put(tx, inbox, [1], [SHARED], alice, LIMITS)
    tx.run("UPDATE entry_annotation SET uid = 99, reader_id = 987654")
    assert broken(tx) == ["51", "52", "53"]
    tx.run("DELETE FROM entry_annotation")
    tx.run("UPDATE account SET used_remarks = 0")


def test_a_migration_with_a_lower_number_is_applied_later(tx: DrivenTx) -> None:
    known = {number for number, _, _ in migrate.steps()}
    assert {number for (number,) in tx.all("SELECT number FROM migration")} == known
