"""Groups: numbers, cross-posts, overview, history, read marks of each reader."""

import pytest

from quintet.errors import Reason, Refused, TryLater
from quintet.store import (
    access,
    accounts,
    annotations,
    changes,
    check,
    entries,
    folders,
    groups,
    history,
    overviews,
    seen,
    sweep,
)
from quintet.store.db import DrivenTx
from quintet.store.model import SEEN, AccountId, Added, Folder, FolderId
from quintet.store.ranges import RangeSet
from tests.support.letters import letter


@pytest.fixture
def group(tx: DrivenTx) -> Folder:
    return groups.create(tx, "misc.test", description="Tests")


def post(tx: DrivenTx, group: Folder, number: int, *more: Folder) -> list[Added]:
    ids = [group.id, *(one.id for one in more)]
    return groups.file(
        tx,
        ids,
        letter(number),
        path=b"news.example!not-for-mail",
        host="news.example",
        received_at=tx.now + number,
    )


def test_crosspost_is_one_message_with_its_numbers_in_xref(tx: DrivenTx, group: Folder) -> None:
    other = groups.create(tx, "misc.food")
    post(tx, group, 1)
    places = post(tx, group, 2, other)
    assert [(p.folder_id, p.uid) for p in places] == [(group.id, 2), (other.id, 1)]
    (ref,) = entries.bodies(tx, other.id, [1]).values()
    assert ref.prefix == b"Path: news.example!not-for-mail\r\nXref: news.example misc.test:2 misc.food:1\r\n"
    data, lines, after = groups.overview(tx, group.id, 1, 100)
    assert (lines, after) == (2, 101)
    content = letter(2)
    line = b"2\t%b\t%d\t3\tXref: news.example misc.test:2 misc.food:1\r\n" % (content.overview, ref.size)
    assert data.endswith(b"\r\n" + line)
    assert tx.value("SELECT count(*) FROM message") == 2
    row = history.find(tx, "<l2@example.org>")
    assert row is not None
    assert groups.overview_of(tx, row) == b"0" + line[1:]


def test_known_message_id_is_refused(tx: DrivenTx, group: Folder) -> None:
    post(tx, group, 1)
    with pytest.raises(Refused) as refused:
        post(tx, group, 1)
    assert refused.value.reason is Reason.DUPLICATE
    history.remember(tx, "<l9@example.org>")
    assert history.known(tx, "<l9@example.org>")
    with pytest.raises(Refused):
        post(tx, group, 9)
    assert groups.get(tx, group.id).messages == 1


def test_overview_comes_in_pages(tx: DrivenTx, group: Folder) -> None:
    for number in range(1, 8):
        post(tx, group, number)
    entries.expunge(tx, group.id, [3])
    pages, low = [], 1
    while low <= 7:
        data, lines, low = groups.overview(tx, group.id, low, 7, limit=2)
        pages.append([int(line.split(b"\t")[0]) for line in data.splitlines()])
        assert len(pages[-1]) == lines
    assert pages == [[1, 2], [4, 5], [6, 7]]
    assert groups.overview(tx, group.id, 50, 60) == (b"", 0, 61)


def test_stretches_that_nobody_kept_are_found_above_the_low_water_mark(
    tx: DrivenTx, group: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overviews, "SIZE", 3)
    for number in range(1, 9):
        post(tx, group, number)
    assert overviews.missing(tx, 10) == [(group.id, 1, 0), (group.id, 4, 0)]  # 7 and 8 are no whole stretch
    overviews.keep(tx, overviews.read(tx, group.id, 4, 6, 0))
    assert overviews.missing(tx, 10) == [(group.id, 1, 0)]
    entries.expunge(tx, group.id, [1, 2, 3])
    assert overviews.missing(tx, 10) == []
    post(tx, group, 9)
    assert overviews.missing(tx, 10) == [(group.id, 7, 3)]
    assert overviews.missing(tx, 0) == []


def test_low_water_mark_follows_expiry_and_never_falls(tx: DrivenTx, group: Folder) -> None:
    assert (group.low, group.high) == (1, 0)  # RFC 3977 6.1.1.2: empty
    for number in range(1, 4):
        post(tx, group, number)
    old = entries.received_before(tx, group.id, tx.now + 3)
    assert entries.expunge(tx, group.id, old) == [1, 2]
    now = groups.get(tx, group.id)
    assert (now.low, now.high, now.messages) == (3, 3, 1)
    entries.expunge(tx, group.id, [3])
    now = groups.get(tx, group.id)
    assert (now.low, now.high, now.messages) == (4, 3, 0)
    assert sweep.garbage(tx, tx.now + 1)[1] == 3
    assert history.known(tx, "<l1@example.org>")
    assert history.find(tx, "<l1@example.org>") is None


def test_neighbours_step_over_holes(tx: DrivenTx, group: Folder) -> None:
    for number in range(1, 5):
        post(tx, group, number)
    entries.expunge(tx, group.id, [2, 3])
    assert groups.get(tx, group.id).messages == 2
    assert entries.neighbour(tx, group.id, 1, after=True) == 4
    assert entries.neighbour(tx, group.id, 4, after=False) == 1
    assert entries.neighbour(tx, group.id, 4, after=True) is None


def test_readers_marks_are_their_own(tx: DrivenTx, group: Folder) -> None:
    alice, bob = accounts.create(tx, "alice").id, accounts.create(tx, "bob").id
    for number in range(1, 6):
        post(tx, group, number)
    cursor = groups.get(tx, group.id).highest_modseq
    changed, _ = entries.set_flags(tx, group.id, [1, 2, 4], "+", SEEN, reader=alice)
    assert [c.flags for c in changed] == [SEEN] * 3
    assert str(seen.get(tx, group.id, alice)) == "1-2,4"
    assert seen.unseen(tx, groups.get(tx, group.id), alice) == 2
    assert seen.unseen(tx, groups.get(tx, group.id), bob) == 5
    assert [c.uid for c in changes.since(tx, group.id, cursor, reader=alice).changed] == [1, 2, 4]
    assert changes.since(tx, group.id, cursor, reader=bob).changed == []
    entries.expunge(tx, group.id, [4, 5])
    assert seen.unseen(tx, groups.get(tx, group.id), alice) == 1
    marks, modseq = seen.mark_ranges(tx, group.id, alice, RangeSet.parse("1-1000000"), True)
    assert (str(marks), modseq is not None) == ("1-5", True)
    assert seen.unseen(tx, groups.get(tx, group.id), alice) == 0
    entries.set_flags(tx, group.id, [1], "-", SEEN, reader=alice)
    assert seen.unseen(tx, groups.get(tx, group.id), alice) == 1
    assert seen.mark(tx, group.id, alice, [1], False)[1] is None


def test_many_marks_are_merged_and_none_is_lost(tx: DrivenTx, group: Folder) -> None:
    alice = accounts.create(tx, "alice").id
    count = 2 * seen.MAX_LOG
    for number in range(1, count + 1):
        post(tx, group, number)
    cursor = groups.get(tx, group.id).highest_modseq
    for uid in range(1, count + 1):
        seen.mark(tx, group.id, alice, [uid], True)
    assert tx.value("SELECT count(*) FROM seen_change") <= seen.MAX_LOG
    assert len(changes.since(tx, group.id, cursor, reader=alice).changed) == count


def test_quota_of_a_group(tx: DrivenTx, group: Folder) -> None:
    groups.change(tx, group.id, quota_messages=1)
    post(tx, group, 1)
    tx.savepoint()
    with pytest.raises(TryLater) as full:
        post(tx, group, 2)
    assert full.value.reason is Reason.OVER_QUOTA
    tx.back_to_savepoint()
    assert not history.known(tx, "<l2@example.org>")


def test_article_numbers_end_at_31_bits(tx: DrivenTx, group: Folder) -> None:
    # RFC 3977 section 6
    tx.run("UPDATE folder SET uid_next = ?, low = ? WHERE id = ?", 0x7FFFFFFF, 0x7FFFFFFF, group.id)
    post(tx, group, 1)
    tx.savepoint()
    with pytest.raises(TryLater) as over:
        post(tx, group, 2)
    assert over.value.reason is Reason.NUMBERS_EXHAUSTED
    tx.back_to_savepoint()


def test_arrivals_are_paged_and_chosen_by_group(tx: DrivenTx, group: Folder) -> None:
    other = groups.create(tx, "misc.food")
    for number in range(1, 5):
        post(tx, group, number, *([other] if number == 2 else []))
    history.remember(tx, "<refused@x>")
    late = tx.now + 3600_000
    first = groups.arrived(tx, tx.now + 2, late, None, limit=2)
    assert [text for text, _, _ in first] == ["<l2@example.org>", "<l3@example.org>"]
    rest = groups.arrived(tx, tx.now + 2, late, None, after=first[-1][1:])
    assert [text for text, _, _ in rest] == ["<l4@example.org>"]
    chosen = groups.arrived(tx, 0, late, [other.id])
    assert [text for text, _, _ in chosen] == ["<l2@example.org>"]
    assert groups.arrived(tx, 0, tx.now, [group.id]) == []
    assert groups.count_arrivals(tx, 0, late) == 5
    assert groups.last_arrival(tx) == max(at for _, at, _ in (*first, *rest))


@pytest.mark.parametrize(
    "name",
    ["", "a b", "a*", "a?b", "a,b", "a[b", "x" * 500, "a/b", "a:b", ".a", "a.", "a..b", ".", "poster"],
)
def test_impossible_group_names_are_refused(tx: DrivenTx, name: str) -> None:
    """RFC 5536 3.1.4."""
    with pytest.raises(Refused) as refused:
        groups.create(tx, name)
    assert refused.value.reason is Reason.BAD_NAME


def test_groups_are_listed_found_changed_and_removed(tx: DrivenTx, group: Folder) -> None:
    groups.create(tx, "alt.test", "m", moderator="mod@example.org")
    assert [(g.name, g.status, g.moderator) for g in groups.listing(tx)] == [
        ("alt.test", "m", "mod@example.org"), ("misc.test", "y", ""),
    ]  # fmt: skip
    assert groups.listing(tx, tx.now + 1) == []
    assert groups.set(tx, group.id, status="x").status == "x"
    assert groups.find(tx, "Misc.test") is None
    groups.remove(tx, group.id)
    assert groups.find(tx, "misc.test") is None


def test_rights_in_groups_and_shared_folders(tx: DrivenTx, group: Folder) -> None:
    alice, bob = accounts.create(tx, "alice"), accounts.create(tx, "bob")
    assert access.rights(tx, bob.id, group.id) == "lrsp"
    assert access.rights(tx, None, group.id) == "lr"
    groups.change(tx, group.id, status="n")
    assert access.rights(tx, bob.id, group.id) == "lrs"
    box = folders.create(tx, alice.id, "shared")
    assert access.rights(tx, alice.id, box.id) == access.ALL
    assert access.rights(tx, bob.id, box.id) == ""
    access.grant(tx, box.id, "bob", "lrswd")
    access.grant(tx, box.id, "-anyone", "x")
    assert access.rights(tx, bob.id, box.id) == "lrswte"
    assert access.shared_with(tx, bob.id) == [box.id]
    assert access.listing(tx, box.id) == {"-anyone": "x", "bob": "lrswxte"}
    access.revoke(tx, box.id, "bob")
    assert access.rights(tx, bob.id, box.id) == ""
    with pytest.raises(Refused):
        access.grant(tx, box.id, "bob", "lZ")


def test_what_an_account_had_in_others_folders_goes_with_it(tx: DrivenTx) -> None:
    alice, bob = accounts.create(tx, "alice"), accounts.create(tx, "bob")
    box = folders.find(tx, alice.id, "INBOX")
    assert box is not None
    for who in ("bob", "-bob", "anyone"):
        access.grant(tx, box.id, who, "lr")
    annotations.put(tx, alice.id, box.id, bob.id, "comment", b"of bob")
    annotations.put(tx, alice.id, box.id, annotations.SHARED, "comment", b"for all")
    accounts.remove(tx, bob.id)
    assert access.listing(tx, box.id) == {"anyone": "lr"}
    assert annotations.room(tx, alice.id, box.id, bob.id) == (0, 0)
    assert annotations.room(tx, alice.id, box.id, annotations.SHARED) == (1, 7)
    assert check.everything(tx) == []


def test_broken_remarks_and_rights_are_found(tx: DrivenTx) -> None:
    alice = accounts.create(tx, "alice")
    box = folders.find(tx, alice.id, "INBOX")
    assert box is not None
    annotations.put(tx, alice.id, FolderId(987_654), annotations.SHARED, "x", b"")
    annotations.put(tx, alice.id, box.id, AccountId(987_654), "x", b"")
    tx.run("INSERT INTO access (folder_id, who, rights) VALUES (?, 'bob', '')", box.id)
    assert [line.partition(":")[0] for line in check.everything(tx)] == ["44", "45", "46"]
    tx.run("DELETE FROM access WHERE rights = ''")
    tx.run("DELETE FROM annotation WHERE folder_id = 987654 OR reader_id = 987654")
