"""Rules: as a table that programs change, and as what happens to a message that comes (MS-OXORULE)."""

from __future__ import annotations

import pytest

from quintet.mapi import consts, pr
from quintet.mapi.core import errors, props
from quintet.mapi.core.folder import IMAPIFolder
from quintet.mapi.core.store import IMsgStore
from quintet.mapi.core.structs import (
    ACTION,
    ACTIONS,
    ROWENTRY,
    SContentRestriction,
    SPropValue,
    actBounce,
    actDeferAction,
    actFwdDelegate,
    actMoveCopy,
    actReply,
    actTag,
)
from quintet.mapi.providers import memory
from quintet.mapi.providers.base import Special
from tests.unit.mapi.core.conftest import ANN, BOB, recipient
from tests.unit.mapi.providers.conformance import letter

ACT, KEYS = consts.ST_ENABLED, (pr.RULE_ID, pr.RULE_NAME, pr.RULE_CONDITION, pr.RULE_ACTIONS)
ABOUT_CATS = SContentRestriction(
    consts.FL_SUBSTRING | consts.FL_IGNORECASE, pr.SUBJECT, SPropValue(pr.SUBJECT, "cats")
)


def action(kind: int, held: object = None, flavor: int = 0) -> ACTION:
    return ACTION(kind, flavor, None, None, 0, held)


def rule(name: str, *actions: ACTION, state: int = ACT, sequence: int = 10) -> ROWENTRY:
    return ROWENTRY(
        consts.ROW_ADD,
        [
            SPropValue(pr.RULE_NAME, name),
            SPropValue(pr.RULE_STATE, state),
            SPropValue(pr.RULE_SEQUENCE, sequence),
            SPropValue(pr.RULE_CONDITION, ABOUT_CATS),
            SPropValue(pr.RULE_ACTIONS, ACTIONS(1, list(actions))),
            SPropValue(pr.RULE_PROVIDER, "test"),
        ],
    )


def add(inbox: IMAPIFolder, *rows: ROWENTRY) -> None:
    table = inbox.OpenProperty(pr.RULES_TABLE, consts.IID_IExchangeModifyTable, 0, consts.MAPI_MODIFY)
    table.ModifyTable(0, list(rows))


def arrive(world: memory.World, subject: str = "Cats!", sender: str = BOB) -> None:
    """A letter from Bob to Ann."""
    opened = world.account(sender)
    assert opened.transport is not None
    item = letter(subject, to=ANN)
    item.props[pr.SENDER_EMAIL_ADDRESS] = sender
    opened.transport.send(item, [0])


def subjects(world: memory.World, address: str, folder: bytes | None = None) -> list[str]:
    store = world.stores[address]
    rows = store.messages(folder or store.special()[Special.INBOX])
    return [value for (value,) in rows.values(rows.ids(), [pr.SUBJECT])]


def test_rows_come_back_as_they_were_given(inbox: IMAPIFolder) -> None:
    given = [
        action(consts.OP_MOVE, actMoveCopy(b"store", b"folder")),
        action(consts.OP_REPLY, actReply(b"template", bytes(range(16)))),
        action(consts.OP_DEFER_ACTION, actDeferAction(b"data")),
        action(consts.OP_BOUNCE, actBounce(0x26)),
        action(consts.OP_FORWARD, actFwdDelegate([recipient(BOB)]), 0x4),
        action(consts.OP_TAG, actTag(SPropValue(pr.IMPORTANCE, 2))),
        action(consts.OP_DELETE),
        action(consts.OP_MARK_AS_READ),
    ]
    add(inbox, rule("all", *given))
    table = inbox.OpenProperty(pr.RULES_TABLE, consts.IID_IExchangeModifyTable, 0, 0).GetTable()
    table.SetColumns(KEYS)
    (row,) = table.QueryRows(9)
    assert row[1].Value == "all"
    assert row[2].Value == ABOUT_CATS
    assert row[3].Value == ACTIONS(1, given)
    add(inbox, ROWENTRY(consts.ROW_REMOVE, [row[0]]))
    assert table.GetRowCount() == 1  # as it was opened
    again = inbox.OpenProperty(pr.RULES_TABLE, consts.IID_IExchangeModifyTable, 0, 0).GetTable()
    assert again.GetRowCount() == 0


@pytest.mark.parametrize(
    "bad", [ACTIONS(1, []), ACTIONS(1, [action(99)]), ACTIONS(1, [action(1, "folder")]), "delete it"]
)
def test_actions_that_are_none(inbox: IMAPIFolder, bad: object) -> None:
    entry = ROWENTRY(consts.ROW_ADD, [SPropValue(pr.RULE_ACTIONS, bad)])
    with pytest.raises(errors.MAPIErrorInvalidParameter):
        add(inbox, entry)


def test_moving_copying_marking_and_tagging(
    world: memory.World, store: IMsgStore, inbox: IMAPIFolder
) -> None:
    one, two = inbox.CreateFolder(1, "Cats"), inbox.CreateFolder(1, "Copies")
    own = props.one(store, pr.ENTRYID).Value
    add(
        inbox,
        rule(
            "cats",
            action(consts.OP_TAG, actTag(SPropValue(pr.IMPORTANCE, 2))),
            action(consts.OP_MARK_AS_READ),
            action(consts.OP_MOVE, actMoveCopy(own, one.entry)),
            action(consts.OP_COPY, actMoveCopy(own, two.entry)),
        ),
    )
    arrive(world)
    arrive(world, "Dogs")
    assert subjects(world, ANN) == ["Dogs"]
    for folder in (one.entry, two.entry):
        assert subjects(world, ANN, folder) == ["Cats!"]
    (entry,) = world.stores[ANN].messages(one.entry).ids()
    found = world.stores[ANN].load(entry).props
    assert (found[pr.IMPORTANCE], found[pr.MESSAGE_FLAGS] & 1) == (2, 1)


def test_deleting_and_refusing(world: memory.World, inbox: IMAPIFolder) -> None:
    add(inbox, rule("cats", action(consts.OP_DELETE)))
    arrive(world)
    assert subjects(world, ANN) == []
    add(inbox, rule("no cats", action(consts.OP_BOUNCE, actBounce(0x26)), sequence=1))
    opened = world.account(BOB)
    assert opened.transport is not None
    (failure,) = opened.transport.send(letter("Cats again", to=ANN), [0])
    assert failure.recipient == 0


def test_forwarding_in_three_ways_and_replying(world: memory.World, inbox: IMAPIFolder) -> None:
    world.account("carol@example.com")
    template = inbox.CreateMessage(None, consts.MAPI_ASSOCIATED)
    template.SetProps([SPropValue(pr.SUBJECT, "Away"), SPropValue(pr.BODY, "No cats today.")])
    template.SaveChanges(consts.KEEP_OPEN_READWRITE)
    to = actFwdDelegate([recipient("carol@example.com")])
    add(
        inbox,
        rule(
            "cats",
            action(consts.OP_FORWARD, to),
            action(consts.OP_FORWARD, to, 0x2),
            action(consts.OP_FORWARD, to, 0x4),
            action(consts.OP_REPLY, actReply(props.one(template, pr.ENTRYID).Value, bytes(16))),
        ),
    )
    arrive(world)
    assert sorted(subjects(world, "carol@example.com")) == ["Cats!", "FW: Cats!", "FW: Cats!"]
    assert subjects(world, BOB) == ["Away"]
    assert subjects(world, ANN) == ["Cats!"]


def test_two_who_forward_to_each_other_come_to_an_end(world: memory.World, inbox: IMAPIFolder) -> None:
    add(inbox, rule("cats", action(consts.OP_FORWARD, actFwdDelegate([recipient(ANN)]), 0x2)))
    arrive(world)
    assert len(subjects(world, ANN)) == 6


def test_order_the_last_word_and_rules_that_rest(world: memory.World, inbox: IMAPIFolder) -> None:
    tag = [action(consts.OP_TAG, actTag(SPropValue(pr.IMPORTANCE, number))) for number in (0, 1, 2)]
    add(
        inbox,
        rule("second", tag[2], sequence=2, state=ACT | consts.ST_EXIT_LEVEL),
        rule("third", tag[0], sequence=3),
        rule("first", tag[1], sequence=1),
        rule("resting", action(consts.OP_DELETE), state=0),
        rule("away", action(consts.OP_DELETE), state=ACT | consts.ST_ONLY_WHEN_OOF),
    )
    arrive(world)
    (entry,) = world.stores[ANN].messages(inbox.entry).ids()
    assert world.stores[ANN].load(entry).props[pr.IMPORTANCE] == 2
