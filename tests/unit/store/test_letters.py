"""Many letters at once are filed as one after the other would be."""

from __future__ import annotations

import random

import pytest

from quintet.store import accounts, entries, filing, folders, letters, trace
from quintet.store.content import skimmed
from quintet.store.db import DrivenTx
from quintet.store.letters import Letter
from quintet.store.model import MAX_UID, FolderId
from tests.support.letters import PREFIX, letter

NAMES = ("alice", "bob", "carol")


@pytest.fixture
def places(tx: DrivenTx) -> list[FolderId]:
    """Two folders of each of three accounts; none of the bytes came lately."""
    filing._lately.clear()
    found = []
    for name in NAMES:
        account = accounts.create(tx, name).id
        inbox = folders.find(tx, account, "INBOX")
        assert inbox is not None
        found += [inbox.id, folders.create(tx, account, "other").id]
    return found


def unread(number: int, folder_ids: list[FolderId], *, subject: str = "") -> Letter:
    data = letter(number, subject=subject).data
    assert data is not None
    content = skimmed(data)
    assert content is not None
    note = trace.Note(f"conn{number}", "accepted", None, {"id": f"q{number}"})
    return Letter(tuple(folder_ids), content, PREFIX, 1000 + number, note)


def one_by_one(tx: DrivenTx, some: list[Letter]) -> None:
    for one in some:
        entries.add(
            tx,
            one.folder_ids,
            one.content,
            prefix=one.prefix,
            received_at=one.received_at,
            trace_note=one.note,
        )
    filing._lately.clear()


def kept(tx: DrivenTx) -> list[list[tuple[object, ...]]]:
    """Everything but the numbers of rows."""
    derived = ", ".join(f"m.{name}" for name in filing._DERIVED)
    return [
        tx.all(
            "SELECT e.folder_id, e.uid, e.flags, e.keywords, e.size, e.received_at, e.modseq, e.saved_at,"
            f" e.content_modseq, e.read_modseq, e.created_modseq, m.prefix, {derived}, b.size, b.dotless,"
            " b.place, b.digest, b.data FROM entry e JOIN message m ON m.id = e.message_id"
            " JOIN blob b ON b.id = m.blob_id ORDER BY e.folder_id, e.uid"
        ),
        tx.all("SELECT at, conn, event, account_id, message_id, detail FROM trace ORDER BY conn"),
        tx.all(
            "SELECT id, uid_next, messages, unseen, deleted, bytes, highest_modseq FROM folder ORDER BY id"
        ),
        tx.all("SELECT id, modseq, used_bytes, used_messages FROM account ORDER BY id"),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_together_is_as_one_by_one(tx: DrivenTx, places: list[FolderId], seed: int) -> None:
    chance = random.Random(seed)
    some = [
        unread(number, chance.sample(places, chance.choice((1, 1, 1, 2, 3, letters.FEW))))
        for number in range(20)
    ]
    tx.savepoint()
    one_by_one(tx, some)
    apart = kept(tx)
    assert len(apart[0]) >= 20
    tx.back_to_savepoint()
    assert letters.file_all(tx, some) == [True] * 20
    assert kept(tx) == apart


def test_watchers_hear_and_it_is_rendered_later(tx: DrivenTx, places: list[FolderId]) -> None:
    tx.hints.clear()
    letters.file_all(tx, [unread(1, places[:1]), unread(2, places[:1])])
    assert {folder for _, folder in tx.hints} == {places[0]}
    if tx.engine == "sqlite":  # the other one renders what is read unrendered
        assert sorted(tx.late) == [row[0] for row in tx.all("SELECT id FROM message ORDER BY id")]


@pytest.mark.parametrize("limit", ["quota_bytes", "quota_messages"])
@pytest.mark.parametrize("table", ["account", "folder"])
def test_what_is_full_takes_what_it_can(tx: DrivenTx, places: list[FolderId], table: str, limit: str) -> None:
    """Of three letters of a size two fit; the same as one by one, where the third is refused."""
    some = [unread(number, places[:1], subject="same") for number in (1, 2, 3)] + [unread(4, places[2:3])]
    size = len(PREFIX) + some[0].content.size
    number = tx.value("SELECT account_id FROM folder WHERE id = ?", places[0])
    wanted = 2 if limit == "quota_messages" else 2 * size
    tx.run(
        f"UPDATE {table} SET {limit} = ? WHERE id = ?", wanted, number if table == "account" else places[0]
    )
    assert letters.file_all(tx, some) == [True, True, False, True]
    assert tx.value("SELECT messages FROM folder WHERE id = ?", places[0]) == 2


def test_two_folders_of_a_full_account_need_room_for_both(tx: DrivenTx, places: list[FolderId]) -> None:
    number = tx.value("SELECT account_id FROM folder WHERE id = ?", places[0])
    tx.run("UPDATE account SET quota_messages = 1 WHERE id = ?", number)
    assert letters.file_all(tx, [unread(1, places[:2]), unread(2, places[:1])]) == [False, True]


def test_what_is_special_is_left_alone(tx: DrivenTx, places: list[FolderId]) -> None:
    """A folder that is gone, numbers at their end, a scanned letter, many folders, the same bytes again."""
    tx.run("UPDATE folder SET uid_next = ? WHERE id = ?", MAX_UID + 1, places[5])
    scanned = Letter(tuple(places[:1]), letter(9), PREFIX, 5, trace.Note("c", "accepted"))
    some = [
        unread(1, [FolderId(987_654)]),
        unread(2, [places[0], FolderId(987_654)]),
        unread(3, places[5:]),
        scanned,
        unread(4, places[:5]),
        unread(5, places[:1]),
        unread(5, places[1:2]),
    ]
    assert letters.file_all(tx, some) == [False, False, False, False, False, True, False]
    assert tx.value("SELECT count(*) FROM message") == 1


def test_the_same_bytes_are_kept_once(tx: DrivenTx, places: list[FolderId]) -> None:
    """What came with others a moment ago is found by who files the next one alone."""
    assert letters.file_all(tx, [unread(1, places[:1]), unread(2, places[:1])]) == [True, True]
    again = unread(1, places[1:2])
    entries.add(tx, again.folder_ids, again.content, prefix=PREFIX, received_at=5)
    assert tx.value("SELECT count(*) FROM message") == 3
    assert tx.value("SELECT count(*) FROM blob") == 2
