"""Rules of the own store as programs change them, kept over a restart, run by whatever delivers."""

from __future__ import annotations

from pathlib import Path

import pytest

from quintet.mapi import consts, pr
from quintet.mapi.core import errors, props, session
from quintet.mapi.core.folder import IMAPIFolder
from quintet.mapi.core.profile import Profile, used
from quintet.mapi.core.session import IMAPISession
from quintet.mapi.core.store import IMsgStore
from quintet.mapi.core.structs import (
    ACTION,
    ACTIONS,
    MAPINAMEID,
    ROWENTRY,
    SContentRestriction,
    SExistRestriction,
    SOrRestriction,
    SPropValue,
    actMoveCopy,
    actTag,
)
from tests.unit.mapi.core.conftest import recipient
from tests.unit.mapi.providers.test_local import ANN, BOB, empty, made

__all__ = ["empty", "made"]

COLUMNS = [pr.RULE_ID, pr.RULE_NAME, pr.RULE_SEQUENCE, pr.RULE_STATE, pr.RULE_CONDITION, pr.RULE_ACTIONS]
ABOUT_CATS = SContentRestriction(
    consts.FL_SUBSTRING | consts.FL_IGNORECASE, pr.SUBJECT, SPropValue(pr.SUBJECT, "cats")
)


def logon(data: Path, name: str) -> IMAPISession:
    return session.opened(Profile([used("QUINTET", None, {"data": str(data), "account": name})]))


def opened(one: IMAPISession) -> tuple[IMsgStore, IMAPIFolder]:
    store = one.OpenMsgStore(0, None, None, consts.MDB_WRITE)
    return store, store.OpenEntry(store.GetReceiveFolder("")[0], None, consts.MAPI_MODIFY)


def rows(folder: IMAPIFolder) -> list[list[SPropValue]]:
    table = folder.OpenProperty(pr.RULES_TABLE, consts.IID_IExchangeModifyTable, 0, 0).GetTable()
    table.SetColumns(COLUMNS)
    return table.QueryRows(50)


def change(folder: IMAPIFolder, *entries: ROWENTRY, flags: int = 0) -> None:
    table = folder.OpenProperty(pr.RULES_TABLE, consts.IID_IExchangeModifyTable, 0, consts.MAPI_MODIFY)
    table.ModifyTable(flags, list(entries))


def added(name: str, *actions: ACTION, condition: object = ABOUT_CATS) -> ROWENTRY:
    return ROWENTRY(
        consts.ROW_ADD,
        [
            SPropValue(pr.RULE_NAME, name),
            SPropValue(pr.RULE_STATE, consts.ST_ENABLED),
            SPropValue(pr.RULE_SEQUENCE, 10),
            SPropValue(pr.RULE_PROVIDER, "test"),
            SPropValue(pr.RULE_CONDITION, condition),
            SPropValue(pr.RULE_ACTIONS, ACTIONS(1, list(actions))),
        ],
    )


def send(one: IMAPISession, subject: str) -> None:
    store, _ = opened(one)
    outbox = store.OpenEntry(props.one(store, pr.IPM_OUTBOX_ENTRYID).Value, None, consts.MAPI_MODIFY)
    message = outbox.CreateMessage()
    message.SetProps([SPropValue(pr.SUBJECT, subject), SPropValue(pr.BODY, "text")])
    message.ModifyRecipients(consts.MODRECIP_ADD, [recipient(ANN)])
    message.SubmitMessage()


def subjects(folder: IMAPIFolder) -> list[str]:
    table = folder.GetContentsTable(consts.MAPI_UNICODE)
    table.SetColumns([pr.SUBJECT])
    return sorted([row[0].Value for row in table.QueryRows(50)])


def test_rules_are_kept_and_run(empty: Path) -> None:
    ann = logon(empty, ANN)
    store, inbox = opened(ann)
    cats = inbox.CreateFolder(1, "Cats")
    colour = store.GetIDsFromNames([MAPINAMEID(consts.PS_PUBLIC_STRINGS, consts.MNID_STRING, "colour")], 2)[0]
    colour = colour & 0xFFFF0000 | consts.PT_UNICODE
    given = [
        ACTION(consts.OP_TAG, 0, None, None, 0, actTag(SPropValue(colour, "red"))),
        ACTION(consts.OP_MOVE, 0, None, None, 7, actMoveCopy(props.one(store, pr.ENTRYID).Value, cats.entry)),
    ]
    condition = SOrRestriction([ABOUT_CATS, SExistRestriction(colour)])
    change(inbox, added("cats", *given, condition=condition), added("none", given[0]))
    change(inbox, ROWENTRY(consts.ROW_REMOVE, [rows(inbox)[1][0]]))
    ann.Logoff()

    bob, ann = logon(empty, BOB), logon(empty, ANN)
    store, inbox = opened(ann)
    (row,) = rows(inbox)
    assert [one.Value for one in row[1:4]] == ["cats", 10, consts.ST_ENABLED]
    assert row[4].Value == condition
    assert row[5].Value == ACTIONS(1, given)
    send(bob, "Cats!")
    send(bob, "Dogs")
    cats = store.OpenEntry(cats.entry, None, consts.MAPI_MODIFY)
    assert (subjects(inbox), subjects(cats)) == (["Dogs"], ["Cats!"])
    table = cats.GetContentsTable(consts.MAPI_UNICODE)
    table.SetColumns([colour])
    assert table.QueryRows(1)[0][0].Value == "red"
    assert props.one(inbox, pr.HAS_RULES).Value is True
    change(inbox, ROWENTRY(consts.ROW_MODIFY, [row[0], SPropValue(pr.RULE_STATE, 0)]))
    send(bob, "More cats")
    assert subjects(inbox) == ["Dogs", "More cats"]
    change(inbox, added("new", given[0]), flags=consts.ROWLIST_REPLACE)
    assert [one[1].Value for one in rows(inbox)] == ["new"]
    change(inbox, flags=consts.ROWLIST_REPLACE)
    assert rows(inbox) == []
    for one in (ann, bob):
        one.Logoff()


def test_a_receive_folder_takes_what_comes(empty: Path) -> None:
    bob, ann = logon(empty, BOB), logon(empty, ANN)
    store, inbox = opened(ann)
    notes = inbox.CreateFolder(1, "Notes for me")
    store.SetReceiveFolder("IPM.Note", 0, notes.entry)
    send(bob, "Hello")
    assert (subjects(inbox), subjects(notes)) == ([], ["Hello"])
    store.SetReceiveFolder("IPM.Note", 0, None)
    send(bob, "Again")
    assert (subjects(inbox), subjects(notes)) == (["Again"], ["Hello"])
    for one in (ann, bob):
        one.Logoff()


def test_rows_that_cannot_be(empty: Path) -> None:
    ann = logon(empty, ANN)
    _, inbox = opened(ann)
    with pytest.raises(errors.MAPIErrorNotFound):
        change(inbox, ROWENTRY(consts.ROW_MODIFY, [SPropValue(pr.RULE_ID, 5)]))
    with pytest.raises(errors.MAPIErrorInvalidParameter):
        change(inbox, ROWENTRY(consts.ROW_ADD, [SPropValue(pr.RULE_NAME, "does nothing")]))
    assert rows(inbox) == []
    ann.Logoff()
