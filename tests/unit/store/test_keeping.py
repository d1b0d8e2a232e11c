"""Expunged mail that can be had back, and holds; on both engines."""

from __future__ import annotations

import pytest

from quintet.errors import Reason, Refused
from quintet.store import accounts, emptying, entries, folders, groups, history, keeping, sweep
from quintet.store.db import DrivenTx
from quintet.store.model import DELETED, FLAGGED, SEEN, Account, AccountId, Folder, FolderId, Uid
from tests.support.letters import letter

DAY_MS = 86_400_000


@pytest.fixture
def account(tx: DrivenTx) -> Account:
    accounts.add_domain(tx, "example.org")
    return accounts.create(tx, "alice@example.org")


@pytest.fixture
def inbox(tx: DrivenTx, account: Account) -> Folder:
    found = folders.find(tx, account.id, "INBOX")
    assert found is not None
    for number in range(1, 4):
        entries.add(tx, [found.id], letter(number), received_at=tx.now, flags=SEEN | FLAGGED)
    return found


def kept(tx: DrivenTx, account: Account) -> list[tuple[str, int]]:
    return [(one.folder_name, one.uid) for one in keeping.listing(tx, account.id)]


def empty_bin(tx: DrivenTx) -> None:
    sweep.garbage(tx, tx.now + 1)


def test_without_a_window_nothing_is_kept(tx: DrivenTx, account: Account, inbox: Folder) -> None:
    entries.expunge(tx, inbox.id, [1])
    assert kept(tx, account) == []
    empty_bin(tx)
    assert tx.value("SELECT count(*) FROM message") == 2


def test_expunged_mail_is_hidden_costs_no_quota_and_comes_back(
    tx: DrivenTx, account: Account, inbox: Folder
) -> None:
    keeping.set_window(tx, DAY_MS)
    before = accounts.get(tx, account.id).used_bytes
    entries.set_flags(tx, inbox.id, [2], "+", DELETED)
    entries.expunge(tx, inbox.id)
    assert entries.uids(tx, inbox.id).tolist() == [1, 3]
    assert accounts.get(tx, account.id).used_bytes < before
    empty_bin(tx)  # its content stays
    (found,) = keeping.listing(tx, account.id)
    ((place, pair),) = keeping.restore(tx, [found])
    assert (place, pair.source_uid, pair.target_uid) == (inbox.id, 2, 4)  # numbers never return
    entry = entries.get(tx, inbox.id, pair.target_uid)
    assert entry.flags == SEEN | FLAGGED
    assert entry.received_at == tx.now
    assert accounts.get(tx, account.id).used_bytes == before
    assert keeping.restore(tx, [found]) == []  # somebody else did it already
    assert kept(tx, account) == []


def test_moved_mail_is_not_kept_twice(tx: DrivenTx, account: Account, inbox: Folder) -> None:
    keeping.set_window(tx, DAY_MS)
    trash = folders.find(tx, account.id, "Trash")
    assert trash is not None
    entries.move(tx, inbox.id, [1], trash.id)
    assert kept(tx, account) == []
    keeping.hold(tx, account.id)
    entries.move(tx, inbox.id, [2], trash.id)
    assert kept(tx, account) == []  # it is still in the account
    keeping.hold(tx, account.id, inbox.id)
    entries.move(tx, inbox.id, [3], trash.id)
    assert kept(tx, account) == [("INBOX", 3)]  # but no longer in the folder


def test_folder_that_was_removed_comes_back_with_its_mail(
    tx: DrivenTx, account: Account, inbox: Folder
) -> None:
    keeping.set_window(tx, DAY_MS)
    work = folders.create(tx, account.id, "Work/Old")
    entries.copy(tx, inbox.id, [1, 2], work.id)
    folders.remove(tx, work.id)
    assert kept(tx, account) == [("Work/Old", 1), ("Work/Old", 2)]
    keeping.restore(tx, keeping.listing(tx, account.id))
    again = folders.find(tx, account.id, "Work/Old")
    assert again is not None
    assert again.messages == 2


def test_restored_where_it_is_wanted(tx: DrivenTx, account: Account, inbox: Folder) -> None:
    keeping.set_window(tx, DAY_MS)
    entries.expunge(tx, inbox.id, [3])
    keeping.restore(tx, keeping.listing(tx, account.id), "Rescued")
    rescued = folders.find(tx, account.id, "Rescued")
    assert rescued is not None
    assert rescued.messages == 1


def test_lapsed_mail_is_swept(tx: DrivenTx, account: Account, inbox: Folder) -> None:
    keeping.set_window(tx, DAY_MS)
    entries.expunge(tx, inbox.id, [1, 2])
    ((one, name, role), _) = keeping.before(tx, tx.now + 1)
    assert (name, role) == ("alice@example.org", "inbox")
    assert keeping.before(tx, tx.now) == []
    assert keeping.lapse(tx, [(one.folder_id, one.uid)]) == 1
    assert keeping.lapse(tx, [(one.folder_id, one.uid)]) == 0
    empty_bin(tx)
    assert tx.value("SELECT count(*) FROM message") == 2
    assert kept(tx, account) == [("INBOX", 2)]


def test_listing_goes_on_behind_what_was_seen(tx: DrivenTx, account: Account, inbox: Folder) -> None:
    keeping.set_window(tx, DAY_MS)
    entries.expunge(tx, inbox.id, [1, 2, 3])
    first = keeping.listing(tx, account.id, limit=2)
    last = first[-1]
    rest = keeping.listing(tx, account.id, after=(last.expunged_at, last.folder_id, last.uid))
    assert [one.uid for one in first + rest] == [1, 2, 3]
    assert keeping.listing(tx, account.id, since=tx.now + 1) == []
    assert keeping.listing(tx, account.id, folder_name="Work") == []


def test_on_hold_everything_is_kept_and_nothing_lapses(tx: DrivenTx, account: Account, inbox: Folder) -> None:
    keeping.hold(tx, account.id, reason="case 7")
    entries.expunge(tx, inbox.id, [1])
    assert kept(tx, account) == [("INBOX", 1)]
    assert keeping.before(tx, tx.now + 1) == []
    assert keeping.lapse(tx, [(inbox.id, Uid(1))]) == 0
    assert keeping.lift(tx, account.id)
    assert not keeping.lift(tx, account.id)
    assert keeping.lapse(tx, [(inbox.id, Uid(1))]) == 1


def test_hold_on_a_folder_outlives_the_folder(tx: DrivenTx, account: Account, inbox: Folder) -> None:
    work = folders.create(tx, account.id, "Work")
    entries.copy(tx, inbox.id, [1], work.id)
    keeping.hold(tx, account.id, work.id, "case 8")
    assert [(one.folder_id, one.reason) for one in keeping.holds(tx)] == [(work.id, "case 8")]
    folders.remove(tx, work.id)
    entries.expunge(tx, inbox.id, [2])
    assert kept(tx, account) == [("Work", 1)]


def test_account_on_hold_cannot_be_removed(tx: DrivenTx, account: Account, inbox: Folder) -> None:
    keeping.hold(tx, account.id)
    tx.savepoint()
    with pytest.raises(Refused) as refused:
        accounts.remove(tx, account.id)
    tx.back_to_savepoint()
    assert refused.value.reason is Reason.NO_PERMISSION
    keeping.lift(tx, account.id)
    keeping.set_window(tx, DAY_MS)
    entries.expunge(tx, inbox.id, [1])
    accounts.remove(tx, account.id)
    empty_bin(tx)
    assert tx.value("SELECT count(*) FROM message") == 0


def test_account_is_stripped_in_slices_before_it_goes(tx: DrivenTx, account: Account, inbox: Folder) -> None:
    keeping.set_window(tx, DAY_MS)
    total = folders.get(tx, inbox.id).messages
    assert total > 1
    other = folders.create(tx, account.id, "Other")
    entries.copy(tx, inbox.id, entries.uids(tx, inbox.id), other.id)
    keeping.hold(tx, account.id, other.id)
    with pytest.raises(Refused) as refused:
        emptying.strip(tx, account.id, 1)
    assert refused.value.reason is Reason.NO_PERMISSION
    assert accounts.get(tx, account.id).used_messages == 2 * total, "nothing was taken from what is on hold"
    keeping.lift(tx, account.id, other.id)
    steps = 0
    while taken := emptying.strip(tx, account.id, 1):
        assert taken == 1
        steps += 1
    assert steps == 4 * total, "each from its folder, and then from what could be had back"
    assert accounts.get(tx, account.id).used_messages == 0
    for table in ("entry", "expunged", "tombstone"):
        assert tx.value(f"SELECT count(*) FROM {table}") == 0
    accounts.remove(tx, account.id)
    empty_bin(tx)
    assert tx.value("SELECT count(*) FROM message") == 0


def test_hold_needs_what_it_names(tx: DrivenTx, account: Account) -> None:
    with pytest.raises(Refused):
        keeping.hold(tx, AccountId(12345))
    other = accounts.create(tx, "bob@example.org")
    place = folders.find(tx, other.id, "INBOX")
    assert place is not None
    with pytest.raises(Refused):
        keeping.hold(tx, account.id, place.id)


def test_articles_are_kept_only_on_hold_and_do_not_come_back_by_themselves(tx: DrivenTx) -> None:
    keeping.set_window(tx, DAY_MS)
    group = groups.create(tx, "misc.test")
    for number in (1, 2):
        groups.file(
            tx, [group.id], letter(number), path=b"x!not-for-mail", host="x", received_at=tx.now
        )  # fmt: skip
    entries.expunge(tx, group.id, [1])
    assert keeping.before(tx, tx.now + 1) == []
    keeping.hold(tx, group.account_id, group.id)
    entries.expunge(tx, group.id, [2])
    (found,) = keeping.listing(tx, group.account_id)
    with pytest.raises(Refused):
        keeping.restore(tx, [found])
    tx.run("DELETE FROM hold")
    keeping.forget_account(tx, group.account_id)


def test_article_that_left_its_last_group_is_no_longer_found_by_its_id(tx: DrivenTx) -> None:
    one, two = groups.create(tx, "misc.one"), groups.create(tx, "misc.two")
    groups.file(
        tx, [one.id, two.id], letter(1), path=b"x!not-for-mail", host="x", received_at=tx.now
    )  # fmt: skip
    entries.expunge(tx, one.id, [1])
    assert history.find(tx, "<l1@example.org>") is not None
    entries.expunge(tx, two.id, [1])
    assert history.find(tx, "<l1@example.org>") is None
    assert history.known(tx, "<l1@example.org>")
    assert groups.arrived(tx, 0, tx.now + 1, None) == []


def test_removed_group_takes_its_articles_out_of_the_history(tx: DrivenTx) -> None:
    group = groups.create(tx, "misc.one")
    groups.file(tx, [group.id], letter(1), path=b"x!not-for-mail", host="x", received_at=tx.now)
    groups.remove(tx, group.id)
    assert history.find(tx, "<l1@example.org>") is None
    assert history.known(tx, "<l1@example.org>")


def test_is_held_knows_whole_accounts_and_single_folders() -> None:
    account, other = AccountId(1), AccountId(2)
    held = keeping.is_held(
        [keeping.Hold(account, keeping.WHOLE, "", 0), keeping.Hold(other, FolderId(7), "", 0)]
    )
    assert held(account, FolderId(3))
    assert held(other, FolderId(7))
    assert not held(other, FolderId(8))
