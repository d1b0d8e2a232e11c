"""Accounts, domains, addresses, credentials."""

import pytest

from quintet.errors import Reason, Refused
from quintet.store import accounts, entries, folders
from quintet.store.db import DrivenTx
from tests.support.letters import letter


def test_new_account_has_its_usual_folders_and_its_address(tx: DrivenTx) -> None:
    accounts.add_domain(tx, "Example.ORG")
    alice = accounts.create(tx, "Alice@example.org", display_name="Alice")
    assert alice.name == "alice@example.org"
    assert [(f.name, f.role) for f in folders.listing(tx, alice.id)] == [
        ("Archive", "archive"), ("Drafts", "drafts"), ("INBOX", "inbox"), ("Junk", "junk"), ("Sent", "sent"),
        ("Trash", "trash"),
    ]  # fmt: skip
    found = accounts.resolve(tx, "ALICE", "example.org")
    assert found is not None and found.account is not None and found.account.id == alice.id
    assert len(alice.guid) == 16
    with pytest.raises(Refused) as refused:
        accounts.create(tx, "ALICE@example.org")
    assert refused.value.reason is Reason.ALREADY_EXISTS


@pytest.mark.parametrize("name", ["", "a\0b", "a/b", "x" * 300])
def test_impossible_account_names_are_refused(tx: DrivenTx, name: str) -> None:
    with pytest.raises(Refused) as refused:
        accounts.create(tx, name)
    assert refused.value.reason is Reason.BAD_NAME


def test_address_is_resolved_exactly_then_by_detail_then_by_catch_all(tx: DrivenTx) -> None:
    accounts.add_domain(tx, "example.org")
    alice, bob = accounts.create(tx, "alice@example.org"), accounts.create(tx, "bob@example.org")
    accounts.add_address(tx, alice.id, "sales@example.org")
    accounts.add_address(tx, bob.id, "alice+private@example.org")

    def where(local: str) -> tuple[str, str] | None:
        found = accounts.resolve(tx, local, "example.org")
        return None if found is None or found.account is None else (found.account.name, found.detail)

    assert where("Sales") == ("alice@example.org", "")
    assert where("alice+lists") == ("alice@example.org", "lists")
    assert where("alice+a+b") == ("alice@example.org", "a+b")
    assert where("alice+private") == ("bob@example.org", "")
    assert where("nobody") is None
    accounts.add_address(tx, bob.id, "@example.org")
    assert where("nobody") == ("bob@example.org", "")
    assert accounts.resolve(tx, "alice", "example.com") is None


def test_forward_and_group_addresses(tx: DrivenTx) -> None:
    accounts.add_domain(tx, "example.org")
    accounts.add_address(tx, None, "team@example.org", "forward", "a@example.com b@example.com")
    accounts.add_address(tx, None, "misc.test@example.org", "group", "misc.test")
    team, group = (accounts.resolve(tx, name, "example.org") for name in ("team", "misc.test"))
    assert team is not None and team.forward == ("a@example.com", "b@example.com")
    assert group is not None and group.group == "misc.test"


def test_own_addresses_include_details_but_not_others(tx: DrivenTx) -> None:
    accounts.add_domain(tx, "example.org")
    alice, bob = accounts.create(tx, "alice@example.org"), accounts.create(tx, "bob@example.org")
    assert accounts.owns_address(tx, alice.id, "Alice+x@Example.org")
    assert not accounts.owns_address(tx, bob.id, "alice@example.org")
    assert not accounts.owns_address(tx, bob.id, "no address")


def test_internationalised_domain_is_one_domain(tx: DrivenTx) -> None:
    accounts.add_domain(tx, "münchen.example")
    assert accounts.domains(tx) == ["xn--mnchen-3ya.example"]
    assert accounts.is_local(tx, "MÜNCHEN.example")
    assert not accounts.is_local(tx, "")
    accounts.remove_domain(tx, "xn--mnchen-3ya.example")
    assert accounts.domains(tx) == []


def test_credentials_are_replaced_by_kind_and_name(tx: DrivenTx) -> None:
    alice = accounts.create(tx, "alice")
    accounts.put_credential(tx, alice.id, "argon2id", "one")
    kept = accounts.put_credential(tx, alice.id, "argon2id", "two")
    app = accounts.put_credential(tx, alice.id, "argon2id", "app", name="phone", scopes=("imap", "smtp"))
    accounts.touch_credential(tx, app)
    found = accounts.credentials(tx, alice.id)
    assert [(c.id, c.secret, c.scopes, c.last_used_at) for c in found] == [
        (kept, "two", (), 0), (app, "app", ("imap", "smtp"), tx.now),
    ]  # fmt: skip
    assert accounts.remove_credential(tx, alice.id, app)
    assert not accounts.remove_credential(tx, alice.id, app)


def test_removed_account_leaves_nothing_but_garbage(tx: DrivenTx) -> None:
    accounts.add_domain(tx, "example.org")
    alice = accounts.create(tx, "alice@example.org")
    inbox = folders.find(tx, alice.id, "INBOX")
    assert inbox is not None
    entries.add(tx, [inbox.id], letter(1), received_at=1)
    accounts.remove(tx, alice.id)
    assert accounts.find(tx, "alice@example.org") is None
    assert accounts.resolve(tx, "alice", "example.org") is None
    assert tx.value("SELECT count(*) FROM entry") == 0
    assert tx.value("SELECT count(*) FROM garbage") == 1
