"""The tree of folders: names, renaming, removal, subscriptions (RFC 9051 6.3)."""

import pytest

from quintet.errors import Reason, Refused
from quintet.store import accounts, entries, folders
from quintet.store.db import DrivenTx
from quintet.store.model import AccountId, Folder
from tests.support.letters import letter


@pytest.fixture
def alice(tx: DrivenTx) -> AccountId:
    return accounts.create(tx, "alice").id


def inbox_of(tx: DrivenTx, alice: AccountId) -> Folder:
    found = folders.find(tx, alice, "inbox")
    assert found is not None
    return found


def names(tx: DrivenTx, alice: AccountId) -> list[str]:
    usual = {place for place, _ in accounts.PLACES}
    return [f.name for f in folders.listing(tx, alice) if f.name not in usual]


def test_missing_levels_are_created(tx: DrivenTx, alice: AccountId) -> None:
    deep = folders.create(tx, alice, "a/b/c")
    assert names(tx, alice) == ["a", "a/b", "a/b/c"]
    assert deep.parent_id is not None and folders.get(tx, deep.parent_id).name == "a/b"
    with pytest.raises(Refused) as refused:
        folders.create(tx, alice, "x/y", parents=False)
    assert refused.value.reason is Reason.NO_SUCH_PARENT


@pytest.mark.parametrize(
    "name", ["", "/", "a//b", "a/", "a\rb", "a\0", "\ud800", "x" * 1001, "/".join("a" * 101)]
)
def test_impossible_names_are_refused(tx: DrivenTx, alice: AccountId, name: str) -> None:
    with pytest.raises(Refused) as refused:
        folders.create(tx, alice, name)
    assert refused.value.reason is Reason.BAD_NAME


def test_names_are_as_long_and_as_deep_as_they_may_be(tx: DrivenTx, alice: AccountId) -> None:
    for longest, more in (("x" * folders.MAX_NAME, "x"), ("/".join("x" * folders.MAX_LEVELS), "/x")):
        assert folders.create(tx, alice, longest).name == longest
        with pytest.raises(Refused):
            folders.create(tx, alice, longest + more)


def test_inbox_has_no_case_others_have(tx: DrivenTx, alice: AccountId) -> None:
    assert inbox_of(tx, alice).name == "INBOX"
    assert folders.create(tx, alice, "iNbOx/sub").name == "INBOX/sub"
    assert folders.find(tx, alice, "Inbox/sub") is not None
    folders.create(tx, alice, "Work")
    assert folders.find(tx, alice, "work") is None
    with pytest.raises(Refused):
        folders.create(tx, alice, "InBox")


def test_decomposed_name_finds_the_composed_folder(tx: DrivenTx, alice: AccountId) -> None:
    made = folders.create(tx, alice, "Cafe\u0301")
    assert made.name == "Café"
    found = folders.find(tx, alice, "Cafe\u0301")
    assert found is not None and found.id == made.id


def test_rename_takes_the_tree_along(tx: DrivenTx, alice: AccountId) -> None:
    top = folders.create(tx, alice, "a")
    folders.create(tx, alice, "a/b/c")
    folders.create(tx, alice, "ab")
    renamed = folders.rename(tx, top.id, "z/y")
    assert renamed.id == top.id
    assert names(tx, alice) == ["ab", "z", "z/y", "z/y/b", "z/y/b/c"]
    with pytest.raises(Refused) as refused:
        folders.rename(tx, top.id, "z/y/inside")
    assert refused.value.reason is Reason.BAD_NAME
    with pytest.raises(Refused) as refused:
        folders.rename(tx, top.id, "ab")
    assert refused.value.reason is Reason.ALREADY_EXISTS


def test_renaming_inbox_moves_its_messages_and_leaves_its_children(tx: DrivenTx, alice: AccountId) -> None:
    inbox = inbox_of(tx, alice)
    folders.create(tx, alice, "INBOX/child")
    entries.add(tx, [inbox.id], letter(1), received_at=1)
    entries.add(tx, [inbox.id], letter(2), received_at=2, flags=1)
    moved = folders.rename(tx, inbox.id, "Old")
    assert (moved.messages, moved.unseen) == (2, 1)
    assert inbox_of(tx, alice).messages == 0
    assert "INBOX/child" in names(tx, alice)


def test_removed_folder_leaves_its_children_and_a_tombstone(tx: DrivenTx, alice: AccountId) -> None:
    top, below = folders.create(tx, alice, "a"), folders.create(tx, alice, "a/b")
    entries.add(tx, [top.id], letter(1), received_at=1)
    with pytest.raises(Refused) as refused:
        folders.remove(tx, top.id, refuse_children=True)
    assert refused.value.reason is Reason.HAS_CHILDREN
    folders.remove(tx, top.id)
    assert names(tx, alice) == ["a/b"]
    assert folders.get(tx, below.id).parent_id is None
    assert accounts.get(tx, alice).used_messages == 0
    assert tx.value("SELECT name FROM folder_tombstone WHERE folder_id = ?", top.id) == "a"
    again = folders.create(tx, alice, "a")
    assert folders.get(tx, below.id).parent_id == again.id
    assert again.uid_validity > top.uid_validity  # RFC 9051 2.3.1.1
    assert again.id != top.id


def test_subscription_outlives_its_folder(tx: DrivenTx, alice: AccountId) -> None:
    folder = folders.create(tx, alice, "lists")
    for name in ("lists", "lists", "inbox", "never/was"):
        folders.subscribe(tx, alice, name)
    folders.remove(tx, folder.id)
    assert {"lists", "INBOX", "never/was"} <= set(folders.subscriptions(tx, alice))
    folders.unsubscribe(tx, alice, "lists")
    assert "lists" not in folders.subscriptions(tx, alice)


def test_subscriptions_have_an_end(tx: DrivenTx, alice: AccountId, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names outlive what they name, so a client could pile them up."""
    monkeypatch.setattr(folders, "MAX_SUBSCRIPTIONS", len(folders.subscriptions(tx, alice)) + 2)
    for name in ("one", "two", "one"):
        folders.subscribe(tx, alice, name)
    with pytest.raises(Refused) as caught:
        folders.subscribe(tx, alice, "three")
    assert caught.value.reason is Reason.TOO_MANY
    folders.unsubscribe(tx, alice, "one")
    folders.subscribe(tx, alice, "three")


def test_role_moves_from_folder_to_folder(tx: DrivenTx, alice: AccountId) -> None:
    other = folders.create(tx, alice, "Bin")
    folders.set_role(tx, other.id, "trash")
    found = folders.by_role(tx, alice, "trash")
    assert found is not None and found.id == other.id
    trash = folders.find(tx, alice, "Trash")
    assert trash is not None and trash.role == ""
