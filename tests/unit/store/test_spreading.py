"""One message into many folders at once: the same as one after the other, but for the change numbers."""

import pytest

from quintet.errors import Reason, Refused, TryLater
from quintet.store import accounts, entries, folders
from quintet.store.db import DrivenTx
from quintet.store.model import DELETED, MAX_UID, SEEN, AccountId, FolderId
from tests.support.letters import PREFIX, letter

NAMES = ("alice", "bob", "carol")
SIZE = len(PREFIX) + letter(1).size


@pytest.fixture
def people(tx: DrivenTx) -> list[AccountId]:
    return [accounts.create(tx, name).id for name in NAMES]


@pytest.fixture
def inboxes(tx: DrivenTx, people: list[AccountId]) -> list[FolderId]:
    found = [folders.find(tx, each, "INBOX") for each in people]
    return [each.id for each in found if each is not None]


def counted(tx: DrivenTx) -> list[tuple[object, ...]]:
    columns = "uid_next, messages, unseen, deleted, bytes, highest_modseq"
    return tx.all(f"SELECT {columns} FROM folder ORDER BY id") + tx.all(
        "SELECT modseq, used_bytes, used_messages FROM account ORDER BY id"
    )


@pytest.mark.parametrize("flags", [0, SEEN, DELETED, SEEN | DELETED])
def test_together_is_as_one_by_one(tx: DrivenTx, inboxes: list[FolderId], flags: int) -> None:
    entries.add(tx, inboxes[1:2], letter(2), received_at=4)  # so that the numbers differ
    tx.savepoint()
    for each in inboxes:
        entries.add(tx, [each], letter(1), prefix=PREFIX, received_at=5, flags=flags, keywords=("a",))
    apart = counted(tx)
    listed = [entries.state(tx, each) for each in inboxes]
    tx.back_to_savepoint()
    added = entries.add(tx, inboxes, letter(1), prefix=PREFIX, received_at=5, flags=flags, keywords=("a",))
    assert counted(tx) == apart
    assert [entries.state(tx, each) for each in inboxes] == listed
    assert [each.folder_id for each in added] == inboxes
    assert [each.uid for each in added] == [1, 2, 1]
    assert len({each.entry_id for each in added}) == 3
    assert [entries.by_id(tx, each.entry_id).uid for each in added] == [1, 2, 1]


def test_folders_of_one_account_share_a_change_number(
    tx: DrivenTx, people: list[AccountId], inboxes: list[FolderId]
) -> None:
    other = folders.create(tx, people[0], "other").id
    before = accounts.get(tx, people[0])
    first, second, third = entries.add(
        tx, [inboxes[0], other, inboxes[1]], letter(1), prefix=PREFIX, received_at=5
    )
    assert first.modseq == second.modseq == folders.get(tx, other).highest_modseq
    after = accounts.get(tx, people[0])
    assert after.used_bytes == before.used_bytes + 2 * SIZE
    assert third.modseq == folders.get(tx, inboxes[1]).highest_modseq


@pytest.mark.parametrize("limit", ["quota_bytes", "quota_messages"])
def test_full_account_is_found_among_many(
    tx: DrivenTx, people: list[AccountId], inboxes: list[FolderId], limit: str
) -> None:
    """The second copy in an account counts as well."""
    other = folders.create(tx, people[0], "other").id
    room = SIZE * 2 if limit == "quota_bytes" else 2
    tx.run(f"UPDATE account SET {limit} = ? WHERE id = ?", room, people[0])
    entries.add(tx, [*inboxes, other], letter(1), prefix=PREFIX, received_at=5)
    tx.savepoint()
    with pytest.raises(TryLater) as caught:
        entries.add(tx, [*inboxes, other], letter(1), prefix=PREFIX, received_at=5)
    tx.back_to_savepoint()
    assert caught.value.reason is Reason.OVER_QUOTA


@pytest.mark.parametrize("limit", ["quota_bytes", "quota_messages"])
def test_full_folder_is_found_among_many(tx: DrivenTx, inboxes: list[FolderId], limit: str) -> None:
    tx.run(f"UPDATE folder SET {limit} = ? WHERE id = ?", SIZE if limit == "quota_bytes" else 1, inboxes[2])
    entries.add(tx, inboxes, letter(1), prefix=PREFIX, received_at=5)
    tx.savepoint()
    with pytest.raises(TryLater) as caught:
        entries.add(tx, inboxes, letter(1), prefix=PREFIX, received_at=5)
    tx.back_to_savepoint()
    assert caught.value.reason is Reason.OVER_QUOTA


def test_folder_that_is_gone_or_has_no_numbers(tx: DrivenTx, inboxes: list[FolderId]) -> None:
    tx.savepoint()
    with pytest.raises(Refused) as gone:
        entries.add(tx, [*inboxes, FolderId(1 << 40)], letter(1), received_at=5)
    tx.back_to_savepoint()
    assert gone.value.reason is Reason.NO_SUCH_FOLDER
    tx.savepoint()
    tx.run("UPDATE folder SET uid_next = ? WHERE id = ?", MAX_UID, inboxes[1])
    assert [one.uid for one in entries.add(tx, inboxes, letter(1), received_at=5)][1] == MAX_UID
    tx.back_to_savepoint()
    tx.savepoint()
    tx.run("UPDATE folder SET uid_next = ? WHERE id = ?", MAX_UID + 1, inboxes[1])
    with pytest.raises(TryLater) as spent:
        entries.add(tx, inboxes, letter(1), received_at=5)
    tx.back_to_savepoint()
    assert spent.value.reason is Reason.NUMBERS_EXHAUSTED
