"""Filing, listing, marking, copying, expunging; counts and numbers that go with it."""

import pytest

from quintet.errors import Reason, Refused, TryLater
from quintet.store import accounts, changes, entries, folders, sweep
from quintet.store.db import DrivenTx
from quintet.store.model import ANSWERED, DELETED, FLAGGED, SEEN, AccountId, FolderId, unpack_keywords
from tests.support.letters import PREFIX, letter


@pytest.fixture
def alice(tx: DrivenTx) -> AccountId:
    return accounts.create(tx, "alice").id


@pytest.fixture
def inbox(tx: DrivenTx, alice: AccountId) -> FolderId:
    found = folders.find(tx, alice, "INBOX")
    assert found is not None
    return found.id


def fill(tx: DrivenTx, folder: FolderId, count: int) -> None:
    for number in range(1, count + 1):
        entries.add(tx, [folder], letter(number), prefix=PREFIX, received_at=tx.now + number)


def flags_of(tx: DrivenTx, folder: FolderId) -> dict[int, int]:
    return {uid: flags for uid, flags, _, _ in entries.state(tx, folder)}


def test_letter_is_one_blob_one_message_and_an_entry_in_each_place(tx: DrivenTx, inbox: FolderId) -> None:
    bob = accounts.create(tx, "bob")
    his = folders.find(tx, bob.id, "INBOX")
    assert his is not None
    first, second = entries.add(tx, [inbox, his.id], letter(1), prefix=PREFIX, received_at=5)
    assert (first.uid, second.uid) == (1, 1)
    assert first.entry_id != second.entry_id
    entries.add(tx, [inbox], letter(1), received_at=6)
    assert [tx.value(f"SELECT count(*) FROM {t}") for t in ("blob", "message", "entry")] == [1, 2, 3]
    entry = entries.get(tx, inbox, first.uid)
    assert entry.size == len(PREFIX) + letter(1).size
    assert entries.by_id(tx, first.entry_id) == entry
    folder = folders.get(tx, inbox)
    assert (folder.messages, folder.unseen, folder.uid_next) == (2, 2, 3)


def test_line_is_what_the_renderer_made(tx: DrivenTx, inbox: FolderId) -> None:
    content = letter(1)
    entries.add(tx, [inbox], content, prefix=PREFIX, received_at=5, flags=SEEN, keywords=("$Junk", "a"))
    ((uid, flags, words, envelope, structure, overview, sent),) = entries.lines(
        tx,
        inbox,
        1,
        10,
        columns=("uid", "flags", "keywords", "envelope", "bodystructure", "overview", "sent_at"),
    )
    assert (uid, flags, unpack_keywords(words)) == (1, SEEN, ("$Junk", "a"))
    assert content.ready is not None
    assert bytes(envelope) == content.ready.envelope
    assert bytes(structure) == content.ready.bodystructure
    size = len(PREFIX) + content.size
    assert bytes(overview) == content.overview + b"\t%d\t%d" % (size, content.lines)
    assert sent == 1_763_715_600_000
    assert entries.lines_of(tx, inbox, [1, 7], ("uid", "size")) == [(1, size)]


def test_bodies_come_back_byte_for_byte(tx: DrivenTx, inbox: FolderId) -> None:
    fill(tx, inbox, 5)
    found = entries.bodies(tx, inbox, [2, 3, 9])
    assert list(found) == [2, 3]
    assert found[2].data is not None  # type: ignore[index] # a plain number is a Uid here
    assert bytes(found[2].data) == letter(2).data  # type: ignore[index] # the same
    assert found[2].prefix == PREFIX  # type: ignore[index] # the same
    few = entries.bodies(tx, inbox, [1, 2, 3, 4, 5], limit=500)
    assert len(few) == 5
    assert [ref.data is not None for ref in few.values()].count(True) in (1, 2)
    with pytest.raises(Refused):
        entries.body_ref(tx, inbox, 99)  # type: ignore[arg-type] # the same


def test_flags_are_added_removed_and_replaced(tx: DrivenTx, inbox: FolderId) -> None:
    fill(tx, inbox, 3)
    entries.set_flags(tx, inbox, [1, 2], "+", SEEN | FLAGGED, ("Work",))
    assert flags_of(tx, inbox) == {1: SEEN | FLAGGED, 2: SEEN | FLAGGED, 3: 0}
    changed, _ = entries.set_flags(tx, inbox, [1], "-", FLAGGED, ("WORK",))
    assert (changed[0].flags, changed[0].keywords) == (SEEN, ())
    changed, _ = entries.set_flags(tx, inbox, [2], "=", DELETED, ("x", "X", "y"))
    assert (changed[0].flags, changed[0].keywords) == (DELETED, ("x", "y"))
    folder = folders.get(tx, inbox)
    assert (folder.unseen, folder.deleted) == (2, 1)
    assert entries.set_flags(tx, inbox, [77], "+", SEEN) == ([], [])


def test_flag_that_is_set_already_changes_no_modseq(tx: DrivenTx, inbox: FolderId) -> None:
    fill(tx, inbox, 1)
    first, _ = entries.set_flags(tx, inbox, [1], "+", SEEN)
    again, _ = entries.set_flags(tx, inbox, [1], "+", SEEN)
    assert first == again


def test_unchangedsince_leaves_newer_entries_alone(tx: DrivenTx, inbox: FolderId) -> None:
    # RFC 7162 3.1.3
    fill(tx, inbox, 3)
    before = folders.get(tx, inbox).highest_modseq
    entries.set_flags(tx, inbox, [2], "+", SEEN)
    changed, modified = entries.set_flags(tx, inbox, [1, 2, 3], "+", FLAGGED, unchanged_since=before)
    assert [c.uid for c in changed] == [1, 3]
    assert modified == [2]
    assert flags_of(tx, inbox)[2] == SEEN


def test_copy_shares_the_message_and_keeps_flags(tx: DrivenTx, alice: AccountId, inbox: FolderId) -> None:
    fill(tx, inbox, 4)
    entries.set_flags(tx, inbox, [2], "+", SEEN | ANSWERED, ("k",))
    target = folders.create(tx, alice, "t").id
    pairs = entries.copy(tx, inbox, [4, 2, 9], target)
    assert [(p.source_uid, p.target_uid) for p in pairs] == [(2, 1), (4, 2)]
    assert flags_of(tx, target) == {1: SEEN | ANSWERED, 2: 0}
    assert (
        entries.get(tx, target, pairs[0].target_uid).message_id
        == entries.get(tx, inbox, pairs[0].source_uid).message_id
    )
    assert tx.value("SELECT count(*) FROM message") == 4


def test_move_leaves_tombstones_and_needs_no_room(tx: DrivenTx, alice: AccountId, inbox: FolderId) -> None:
    fill(tx, inbox, 3)
    accounts.change(tx, alice, quota_messages=3)
    target = folders.create(tx, alice, "t").id
    assert [(p.source_uid, p.target_uid) for p in entries.move(tx, inbox, [1, 3], target)] == [(1, 1), (3, 2)]
    assert list(entries.uids(tx, inbox)) == [2]
    assert changes.since(tx, inbox, 0).vanished == [(1, 1), (3, 3)]
    assert folders.get(tx, inbox).low == 2
    tx.savepoint()
    with pytest.raises(TryLater) as full:
        entries.copy(tx, inbox, [2], target)
    assert full.value.reason is Reason.OVER_QUOTA
    tx.back_to_savepoint()


def test_move_within_one_folder_gives_new_numbers(tx: DrivenTx, inbox: FolderId) -> None:
    fill(tx, inbox, 2)
    entries.move(tx, inbox, [1], inbox)
    assert list(entries.uids(tx, inbox)) == [2, 3]


def test_expunge_takes_what_is_marked_and_only_that(tx: DrivenTx, inbox: FolderId) -> None:
    fill(tx, inbox, 5)
    entries.set_flags(tx, inbox, [1, 2, 4], "+", DELETED)
    assert entries.expunge(tx, inbox, [1, 3], only_deleted=True) == [1]
    assert entries.expunge(tx, inbox) == [2, 4]
    assert entries.expunge(tx, inbox) == []
    assert entries.expunge(tx, inbox, [5]) == [5]
    folder = folders.get(tx, inbox)
    assert (folder.messages, folder.low, folder.uid_next) == (1, 3, 6)
    entries.expunge(tx, inbox, [3])
    assert folders.get(tx, inbox).low == 6


def test_changes_tell_new_changed_and_gone(tx: DrivenTx, inbox: FolderId) -> None:
    fill(tx, inbox, 3)
    cursor = changes.since(tx, inbox, 0).highest_modseq
    assert changes.since(tx, inbox, cursor).changed == []
    fill(tx, inbox, 1)
    entries.set_flags(tx, inbox, [2], "+", SEEN)
    entries.expunge(tx, inbox, [1])
    found = changes.since(tx, inbox, cursor)
    assert [c.uid for c in found.changed] == [2, 4]
    assert found.new_uids == [4]
    assert found.vanished == [(1, 1)]
    assert not found.more


def test_changes_come_in_pages_without_gaps(tx: DrivenTx, inbox: FolderId) -> None:
    fill(tx, inbox, 20)
    cursor, told = 0, []
    while True:
        page = changes.since(tx, inbox, cursor, limit=7)
        told += [c.uid for c in page.changed]
        cursor = page.highest_modseq
        if not page.more:
            break
    assert told == list(range(1, 21))


def test_few_changes_are_told_as_many_are(
    tx: DrivenTx, inbox: FolderId, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tx, inbox, 12)
    for uid in (2, 9, 5):
        entries.set_flags(tx, inbox, [uid, uid + 1], "+", SEEN, ("k",))
        entries.expunge(tx, inbox, [uid - 1])
        fill(tx, inbox, 1)
    changes.prune(tx, inbox, folders.get(tx, inbox).highest_modseq - 5)
    highest = folders.get(tx, inbox).highest_modseq
    asked = [(modseq, cleared) for modseq in range(highest + 2) for cleared in (0, highest - 4, highest)]
    short = [changes.since(tx, inbox, modseq, cleared=cleared) for modseq, cleared in asked]
    for few in (-1, 2):  # never, and where only some are few
        monkeypatch.setattr(changes, "FEW", few)
        assert [changes.since(tx, inbox, modseq, cleared=cleared) for modseq, cleared in asked] == short


def test_pruned_tombstones_are_told_as_everything_absent(tx: DrivenTx, inbox: FolderId) -> None:
    fill(tx, inbox, 5)
    cursor = changes.since(tx, inbox, 0).highest_modseq
    entries.expunge(tx, inbox, [2, 5])
    changes.prune(tx, inbox, folders.get(tx, inbox).highest_modseq)
    fill(tx, inbox, 1)
    assert changes.since(tx, inbox, cursor).vanished == [(2, 2), (5, 5)]


def test_replaced_content_keeps_the_entry_and_takes_a_new_number(tx: DrivenTx, inbox: FolderId) -> None:
    (added,) = entries.add(tx, [inbox], letter(1), received_at=7, flags=SEEN, keywords=("k",))
    new = entries.replace_content(tx, added.entry_id, letter(2))
    assert (new.entry_id, new.uid) == (added.entry_id, 2)
    entry = entries.get(tx, inbox, new.uid)
    assert (entry.flags, entry.keywords, entry.received_at) == (SEEN, ("k",), 7)
    assert changes.since(tx, inbox, added.modseq).vanished == [(1, 1)]
    assert entries.digest(tx, entry.message_id).header("Subject") == b"letter 2"


def test_quota_of_bytes_and_messages(tx: DrivenTx, alice: AccountId, inbox: FolderId) -> None:
    size = letter(1).size
    accounts.change(tx, alice, quota_bytes=size * 2 + 1)
    for _ in range(2):
        entries.add(tx, [inbox], letter(1), received_at=1)
    tx.savepoint()
    with pytest.raises(TryLater) as full:
        entries.add(tx, [inbox], letter(1), received_at=1)
    assert full.value.reason is Reason.OVER_QUOTA
    tx.back_to_savepoint()
    accounts.change(tx, alice, quota_bytes=0, quota_messages=2)
    assert accounts.get(tx, alice).full


def test_numbers_end_at_32_bits(tx: DrivenTx, inbox: FolderId) -> None:
    tx.run("UPDATE folder SET uid_next = ?, low = ? WHERE id = ?", 0xFFFFFFFF, 0xFFFFFFFF, inbox)
    entries.add(tx, [inbox], letter(1), received_at=1)
    tx.savepoint()
    with pytest.raises(TryLater) as over:
        entries.add(tx, [inbox], letter(2), received_at=1)
    assert over.value.reason is Reason.NUMBERS_EXHAUSTED
    tx.back_to_savepoint()
    assert list(entries.uids(tx, inbox)) == [0xFFFFFFFF]


def test_found_by_message_id_in_one_account_or_all(tx: DrivenTx, alice: AccountId, inbox: FolderId) -> None:
    fill(tx, inbox, 2)
    assert [e.uid for e in entries.by_message_id(tx, alice, "<l2@example.org>")] == [2]
    assert [e.uid for e in entries.by_message_id(tx, None, "<l2@example.org>")] == [2]
    other = accounts.create(tx, "bob").id
    assert entries.by_message_id(tx, other, "<l2@example.org>") == []


def test_swept_only_when_no_entry_is_left(tx: DrivenTx, alice: AccountId, inbox: FolderId) -> None:
    fill(tx, inbox, 2)
    target = folders.create(tx, alice, "t").id
    entries.copy(tx, inbox, [1], target)
    entries.expunge(tx, inbox, [1, 2])
    assert sweep.garbage(tx, tx.now + 1) == (2, 1, 1)
    assert sweep.garbage(tx, tx.now + 1) == (0, 0, 0)
    assert len(entries.bodies(tx, target, [1])) == 1
    entries.expunge(tx, target, [1])
    assert sweep.garbage(tx, tx.now) == (0, 0, 0)  # too young
    assert sweep.garbage(tx, tx.now + 1) == (1, 1, 1)
    assert tx.value("SELECT count(*) FROM blob") == 0


def test_text_that_engines_do_not_take_is_mended(tx: DrivenTx, inbox: FolderId) -> None:
    from quintet.store.content import content_of

    raw = b"From: =?utf-16?b?2AA=?= <a@b>\r\nSubject: =?utf-8?q?a=00b?=\r\nMessage-ID: <a\0b@c>\r\n\r\n\0\xff"
    entries.add(tx, [inbox], content_of(raw), received_at=1)
    assert "\0" not in tx.value("SELECT base_subject FROM message")
