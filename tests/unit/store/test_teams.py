"""Teams: who is in them, and what that gives."""

import pytest

from quintet.errors import Reason, Refused
from quintet.store import access, accounts, check, folders, senders, teams
from quintet.store.db import DrivenTx
from quintet.store.model import AccountId, AccountKind, Folder


@pytest.fixture
def bob(tx: DrivenTx) -> AccountId:
    return accounts.create(tx, "bob").id


@pytest.fixture
def box(tx: DrivenTx) -> Folder:
    return folders.create(tx, accounts.create(tx, "alice").id, "box")


def test_members_join_once_and_leave(tx: DrivenTx, bob: AccountId) -> None:
    made = teams.create(tx, "$Staff", "all of us")
    assert (made.name, made.description, made.members) == ("staff", "all of us", 0)
    teams.join(tx, "Staff", bob)
    teams.join(tx, "$staff", bob)
    assert teams.members(tx, "staff") == ["bob"]
    assert teams.of(tx, bob) == ["staff"]
    assert [team.members for team in teams.listing(tx)] == [1]
    teams.leave(tx, "staff", bob)
    assert teams.of(tx, bob) == []
    for act in (lambda: teams.leave(tx, "staff", bob), lambda: teams.join(tx, "other", bob)):
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.reason is Reason.NO_SUCH_ACCOUNT
    with pytest.raises(Refused) as refused:
        teams.create(tx, "STAFF")
    assert refused.value.reason is Reason.ALREADY_EXISTS


@pytest.mark.parametrize("name", ["", "$", "a b", "-a", "a/b", "x" * 65, "ä"])
def test_names_that_cannot_be(name: str, tx: DrivenTx) -> None:
    with pytest.raises(Refused) as refused:
        teams.create(tx, name)
    assert refused.value.reason is Reason.BAD_NAME


@pytest.mark.parametrize("name", ["$staff", "-bob"])
def test_no_account_has_a_name_that_means_something_else_in_rights(name: str, tx: DrivenTx) -> None:
    with pytest.raises(Refused) as refused:
        accounts.create(tx, name)
    assert refused.value.reason is Reason.BAD_NAME


def test_rights_of_a_team_are_its_members(tx: DrivenTx, bob: AccountId, box: Folder) -> None:
    teams.create(tx, "staff")
    teams.create(tx, "guests")
    access.grant(tx, box.id, "$staff", "lrw")
    access.grant(tx, box.id, "-$guests", "w")
    assert access.rights(tx, bob, box.id) == ""
    assert access.shared_with(tx, bob) == []
    teams.join(tx, "staff", bob)
    assert access.rights(tx, bob, box.id) == "lrw"
    assert access.shared_with(tx, bob) == [box.id]
    teams.join(tx, "guests", bob)
    assert access.rights(tx, bob, box.id) == "lr"
    access.grant(tx, box.id, "bob", "i")
    access.grant(tx, box.id, "anyone", "p")
    assert access.rights(tx, bob, box.id) == "lrip"
    assert access.by_name(tx, bob, box) == "lri"
    tx.run("DELETE FROM team WHERE name = 'staff'")
    assert any(line.startswith("54:") for line in check.everything(tx))
    teams.create(tx, "staff")
    teams.remove(tx, "staff")
    assert access.rights(tx, bob, box.id) == "ip"
    assert "$staff" not in access.listing(tx, box.id)
    accounts.remove(tx, bob)
    assert teams.members(tx, "guests") == []


def test_identifiers_that_are_known(tx: DrivenTx, bob: AccountId) -> None:
    teams.create(tx, "staff")
    known = ("bob", "-Bob", "$staff", "-$STAFF", "anyone", "-authenticated", "anonymous")
    assert all(access.is_known(tx, who) for who in known)
    assert not any(access.is_known(tx, who) for who in ("staff", "$bob", "$", "", "zoe"))


def test_a_team_sends_as_a_shared_account(tx: DrivenTx) -> None:
    accounts.add_domain(tx, "example.org")
    bob = accounts.create(tx, "bob@example.org").id
    sales = accounts.create(tx, "sales@example.org", AccountKind.SHARED).id
    inbox = folders.find(tx, sales, "INBOX")
    assert inbox is not None
    teams.create(tx, "sellers")
    teams.join(tx, "sellers", bob)
    access.grant(tx, inbox.id, "anyone", "p")
    assert not senders.may_send_as(tx, bob, "sales@example.org")
    access.grant(tx, inbox.id, "$sellers", "p")
    assert senders.may_send_as(tx, bob, "sales@example.org")
    assert senders.may_send_as(tx, bob, "Sales+spring@example.org")
    assert not senders.may_send_as(tx, bob, "other@example.org")
    access.grant(tx, inbox.id, "-bob@example.org", "p")
    assert not senders.may_send_as(tx, bob, "sales@example.org")
