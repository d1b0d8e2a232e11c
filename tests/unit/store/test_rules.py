"""Rules of folders as rows: order, limits, which folders have a say, whom a rule has told."""

from dataclasses import replace

import pytest

from quintet.errors import Reason, Refused
from quintet.store import accounts, boxes, folders, rules
from quintet.store.db import DrivenTx
from quintet.store.model import FolderId
from quintet.store.rules import Rule


@pytest.fixture
def inbox(tx: DrivenTx) -> FolderId:
    found = folders.find(tx, accounts.create(tx, "alice").id, "INBOX")
    assert found is not None
    return found.id


def one(folder: FolderId, sequence: int = 0, **more: object) -> Rule:
    return Rule(0, folder, sequence, 1, "name", "provider", actions=b"x", **more)  # type: ignore[arg-type]


def test_rows_in_their_order(tx: DrivenTx, inbox: FolderId) -> None:
    assert not rules.any_in(tx, inbox)
    before = folders.get(tx, inbox).changed_modseq
    first, second = rules.replace(tx, inbox, [one(inbox, 5, condition=b"c"), one(inbox, 1, level=0)])
    assert folders.get(tx, inbox).changed_modseq > before
    found = rules.listing(tx, inbox)
    assert found == [
        replace(one(inbox, 1, level=0), id=second), replace(one(inbox, 5, condition=b"c"), id=first),
    ]  # fmt: skip
    rules.tell(tx, first, "Zoe@example.net", since=0)
    kept = replace(found[1], state=0)
    (same, third) = rules.replace(tx, inbox, [kept, one(inbox, 9)])
    assert same == first
    assert third not in (first, second)
    assert rules.told(tx, first, "zoe@EXAMPLE.net") == (tx.now, 1)
    folders.remove(tx, folders.create(tx, folders.get(tx, inbox).account_id, "Other").id)
    assert rules.any_in(tx, inbox)


def test_who_has_a_say(tx: DrivenTx, inbox: FolderId) -> None:
    account = folders.get(tx, inbox).account_id
    other = folders.create(tx, account, "Other").id
    assert rules.with_say(tx, [inbox, other]) == set()
    rules.replace(tx, other, [replace(one(other), state=0)])
    boxes.set_arrival(tx, account, "", inbox)
    boxes.set_arrival(tx, account, "IPC", other)
    assert rules.with_say(tx, [inbox]) == set()
    (number,) = rules.replace(tx, other, [one(other)])
    assert rules.with_say(tx, [inbox, other]) == {other}
    assert rules.with_say(tx, [other]) == {other}
    boxes.set_arrival(tx, account, "IPM.Note", other)
    assert rules.with_say(tx, [inbox, other]) == {inbox, other}
    assert rules.set_bits(tx, number, 2)
    assert not rules.set_bits(tx, number, 2)
    assert [row.state for row in rules.listing(tx, other)] == [3]


def test_limits(tx: DrivenTx, inbox: FolderId) -> None:
    for wanted in (
        [one(inbox)] * (rules.MAX_RULES + 1), [one(inbox, condition=bytes(rules.MAX_BYTES))],
    ):  # fmt: skip
        with pytest.raises(Refused) as caught:
            rules.replace(tx, inbox, wanted)
        assert caught.value.reason is Reason.TOO_MANY
    assert rules.listing(tx, inbox) == []


def test_whom_a_rule_has_told(tx: DrivenTx, inbox: FolderId, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_TOLD", 2)
    (number,) = rules.replace(tx, inbox, [one(inbox)])
    now = tx.now
    for _ in range(2):
        rules.tell(tx, number, "a@b.org", since=0)
    assert rules.told(tx, number, "a@b.org") == (now, 2)
    tx.now += 10
    rules.tell(tx, number, "a@b.org", since=now + 5)
    assert rules.told(tx, number, "a@b.org") == (now + 10, 1)
    for name in ("b", "c"):
        tx.now += 1
        rules.tell(tx, number, f"{name}@b.org", since=0)
    assert rules.told(tx, number, "a@b.org") == (0, 0)
    rules.forget_told(tx, folders.get(tx, inbox).account_id)
    assert rules.told(tx, number, "c@b.org") == (0, 0)
    rules.tell(tx, number + 999, "c@b.org", since=0)  # a rule that is gone
    rules.replace(tx, inbox, [])
