"""Entries by object numbers, hidden ones too; what came, changed, went and moved."""

import pytest

from quintet.store import accounts, entries, folders, items, pages
from quintet.store.db import DrivenTx
from quintet.store.model import SEEN, FolderId
from tests.support.letters import letter


@pytest.fixture
def places(tx: DrivenTx) -> tuple[FolderId, FolderId]:
    alice = accounts.create(tx, "alice").id
    found = [folders.find(tx, alice, name) for name in ("INBOX", "Trash")]
    assert found[0] is not None
    assert found[1] is not None
    return found[0].id, found[1].id


def add(tx: DrivenTx, folder: FolderId, number: int) -> int:
    (added,) = entries.add(tx, [folder], letter(number), received_at=1000 - number)
    return added.entry_id


def test_order_of_the_database(tx: DrivenTx, places: tuple[FolderId, FolderId]) -> None:
    inbox, _ = places
    first, second = add(tx, inbox, 1), add(tx, inbox, 2)
    hidden = items.add(tx, inbox, items.Facts(10), received_at=5, hidden=True).entry_id
    assert pages.ids(tx, inbox) == [first, second]
    assert pages.ids(tx, inbox, order=[("received_at", False)]) == [second, first]
    assert pages.ids(tx, inbox, hidden=True) == [hidden]
    assert pages.hidden_count(tx, inbox) == 1
    assert pages.within(tx, inbox, [second, hidden, 99]) == [(second, 2, False), (hidden, 3, True)]
    assert pages.numbers(tx, inbox, [1, 2]) == {1: first, 2: second}
    assert [row[0] for row in pages.lines(tx, [hidden])] == [hidden]
    assert items.remove_hidden(tx, folders.get(tx, inbox), [hidden, first]) == 1


def test_what_happened(tx: DrivenTx, places: tuple[FolderId, FolderId]) -> None:
    inbox, trash = places
    old, goes, stays = (add(tx, inbox, number) for number in (1, 2, 3))
    before = folders.get(tx, inbox).highest_modseq
    entries.set_flags(tx, inbox, [1], "+", SEEN)
    new = add(tx, inbox, 4)
    entries.move(tx, inbox, [2], trash)
    entries.expunge(tx, inbox, [3])
    entries.copy(tx, inbox, [1], trash)
    told = pages.happened(tx, inbox, before, 10)
    assert told is not None
    ((moved, copied),) = [tuple(pages.ids(tx, trash))]
    assert [(one.id, one.flags, one.moved_from, one.copied_from) for one in told.came] == [
        (new, 0, (0, 0), (0, 0))
    ]
    assert told.changed == [old]
    assert told.gone == [(goes, trash, moved), (stays, 0, 0)]
    there = pages.happened(tx, trash, 0, 10)
    assert there is not None
    assert [(one.id, one.moved_from, one.copied_from) for one in there.came] == [
        (moved, (inbox, goes), (0, 0)), (copied, (0, 0), (inbox, old)),
    ]  # fmt: skip
    assert pages.happened(tx, inbox, before, 3) is None
    assert pages.changed(tx, inbox, before) == ([old, new], {goes, stays})
    assert pages.changed(tx, inbox, before, 1) is None


def test_replaced_entry_is_changed_and_not_gone(tx: DrivenTx, places: tuple[FolderId, FolderId]) -> None:
    inbox, _ = places
    number = add(tx, inbox, 1)
    before = folders.get(tx, inbox).highest_modseq
    entries.replace_content(tx, entries.get(tx, inbox, 1).id, letter(2))
    told = pages.happened(tx, inbox, before, 10)
    assert told is not None
    assert (told.came, told.changed, told.gone) == ([], [number], [])


def test_marks_are_changes_of_the_object_and_reading_is_not(
    tx: DrivenTx, places: tuple[FolderId, FolderId]
) -> None:
    inbox, _ = places
    number = add(tx, inbox, 1)

    def counters() -> tuple[int, int, int]:
        whole = pages.whole(tx, number)
        return whole.modseq, whole.content_modseq, whole.read_modseq

    first = counters()[0]
    entries.set_flags(tx, inbox, [1], "+", SEEN)
    assert counters() == (first + 1, first, first + 1)
    entries.set_flags(tx, inbox, [1], "+", 4)
    assert counters() == (first + 2, first + 2, first + 1)
    entries.set_flags(tx, inbox, [1], "=", 0, ("word",))
    assert counters() == (first + 3, first + 3, first + 3)


def test_whether_folders_changed_is_told_without_reading_them(sqlite_tx: DrivenTx) -> None:
    (row,) = sqlite_tx.all("EXPLAIN QUERY PLAN " + folders._SHAPE, 1)
    assert "COVERING INDEX folder_by_change" in row[3]


def test_hidden_entries_are_found_without_reading_the_others(sqlite_tx: DrivenTx) -> None:
    for sql in (
        f"SELECT e.id FROM entry e WHERE {pages._HIDDEN} ORDER BY e.uid",
        "SELECT count(*) FROM entry WHERE folder_id = ? AND hidden = 1",
    ):
        plan = sqlite_tx.all("EXPLAIN QUERY PLAN " + sql, 1)
        assert any("entry_hidden (folder_id=?)" in row[3] for row in plan), plan
        assert not any("SCAN" in row[3] for row in plan), plan
