"""Extended MAPI over the own store: what works in memory works there too."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from quintet import mapi
from quintet.auth import admin
from quintet.config import root
from quintet.mapi import consts, pr
from quintet.mapi.api import query
from quintet.mapi.core import errors, props, session
from quintet.mapi.core.profile import Profile, Profiles, used
from quintet.mapi.core.session import IMAPISession
from quintet.mapi.core.status import IMAPIStatus
from quintet.mapi.core.structs import SContentRestriction, SPropValue, SSort, SSortOrderSet
from quintet.mapi.errors import Code
from quintet.mapi.providers import registry
from quintet.store import accounts
from quintet.store.store import Store
from tests.unit.mapi.providers.conformance import refused
from tests.unit.mapi.providers.test_local import ANN, BOB, empty, made

__all__ = ["empty", "made"]


@pytest.fixture
def both(empty: Path) -> tuple[IMAPISession, IMAPISession]:
    one, two = (
        session.opened(Profile([used("QUINTET", None, {"data": str(empty), "account": name})]))
        for name in (ANN, BOB)
    )
    return one, two


def test_letter_from_ann_to_bob(both: tuple[IMAPISession, IMAPISession]) -> None:
    ann, bob = both
    store = ann.OpenMsgStore(0, None, None, consts.MDB_WRITE)
    outbox = store.OpenEntry(props.one(store, pr.IPM_OUTBOX_ENTRYID).Value, None, consts.MAPI_MODIFY)
    message = outbox.CreateMessage()
    message.SetProps([SPropValue(pr.SUBJECT, "Lunch?"), SPropValue(pr.BODY, "At noon.")])
    asked = [[SPropValue(pr.DISPLAY_NAME, "Bob Birke"), SPropValue(pr.RECIPIENT_TYPE, consts.MAPI_TO)]]
    message.ModifyRecipients(consts.MODRECIP_ADD, ann.OpenAddressBook().ResolveName(0, 0, None, asked))
    _, attach = message.CreateAttach()
    attach.SetProps([
        SPropValue(pr.ATTACH_METHOD, consts.ATTACH_BY_VALUE),
        SPropValue(pr.ATTACH_LONG_FILENAME, "menu.txt"),
        SPropValue(pr.ATTACH_DATA_BIN, b"soup"),
    ])  # fmt: skip
    attach.SaveChanges()
    message.SubmitMessage()

    theirs = bob.OpenMsgStore(0, None, None, consts.MDB_WRITE)
    inbox = theirs.OpenEntry(theirs.GetReceiveFolder("")[0], None, consts.MAPI_MODIFY)
    table = inbox.GetContentsTable(consts.MAPI_UNICODE)
    table.SetColumns([pr.ENTRYID, pr.SUBJECT, pr.SENDER_NAME, pr.HASATTACH])
    table.SortTable(SSortOrderSet([SSort(pr.MESSAGE_DELIVERY_TIME, consts.TABLE_SORT_DESCEND)], 0, 0))
    prefix = SContentRestriction(consts.FL_PREFIX, pr.SUBJECT, SPropValue(pr.SUBJECT, "Lunch"))
    table.Restrict(prefix)
    (row,) = table.QueryRows(10)
    assert [one.Value for one in row[1:]] == ["Lunch?", "Ann Ahorn", True]
    letter = inbox.OpenEntry(row[0].Value, None, consts.MAPI_MODIFY)
    assert props.one(letter, pr.BODY).Value.strip() == "At noon."
    assert props.one(letter.OpenAttach(0), pr.ATTACH_DATA_BIN).Value == b"soup"
    assert props.one(inbox, pr.CONTENT_UNREAD).Value == 1
    letter.SetReadFlag()
    letter.SetProps([SPropValue(pr.FLAG_STATUS, 2)])
    letter.SaveChanges()
    assert props.one(inbox, pr.CONTENT_UNREAD).Value == 0
    assert props.one(inbox.OpenEntry(row[0].Value), pr.FLAG_STATUS).Value == 2
    ann.Logoff()
    bob.Logoff()


def test_folders_and_the_calendar(both: tuple[IMAPISession, IMAPISession]) -> None:
    ann, bob = both
    store = ann.OpenMsgStore(0, None, None, consts.MDB_WRITE)
    inbox = store.OpenEntry(store.GetReceiveFolder("")[0])
    calendar = store.OpenEntry(props.one(inbox, pr.IPM_APPOINTMENT_ENTRYID).Value, None, consts.MAPI_MODIFY)
    assert props.one(calendar, pr.CONTAINER_CLASS).Value == "IPF.Appointment"
    talk = calendar.CreateMessage()
    talk.SetProps([SPropValue(pr.MESSAGE_CLASS, "IPM.Appointment"), SPropValue(pr.SUBJECT, "Talk")])
    talk.SaveChanges()
    top = store.OpenEntry(props.one(store, pr.IPM_SUBTREE_ENTRYID).Value)
    top.CreateFolder(consts.FOLDER_GENERIC, "Project").CreateFolder(consts.FOLDER_GENERIC, "Plans")
    table = top.GetHierarchyTable(consts.MAPI_UNICODE | consts.CONVENIENT_DEPTH)
    table.SetColumns([pr.DISPLAY_NAME, pr.DEPTH])
    rows = {row[0].Value: row[1].Value for row in table.QueryRows(100)}
    assert (rows["Project"], rows["Plans"], rows["Inbox"]) == (1, 2, 1)
    with pytest.raises(errors.MAPIErrorCollision):
        top.CreateFolder(consts.FOLDER_GENERIC, "Project")
    me = ann.OpenEntry(ann.QueryIdentity())
    assert props.one(me, pr.DISPLAY_NAME).Value == "Ann Ahorn"
    ann.Logoff()
    bob.Logoff()


LETTER = (
    b"From: Cid <cid@example.com>\r\nTo: ann@example.com\r\nSubject: Re: Plan\r\nKeywords: red\r\n"
    b"Message-ID: <a@example.com>\r\nX-Own: 1\r\nImportance: high\r\n\r\nAt noon.\r\n"
)


def test_what_a_listing_tells_is_what_its_items_say(empty: Path) -> None:
    with mapi.connect("QUINTET", data=empty, account=ANN) as one:
        folder = one.store.folder("Mixed", create=True)
        folder.add(eml=LETTER)
        folder.add(eml=LETTER.replace(b"Re: Plan", b"=?utf-8?q?Caf=C3=A9?="))
        folder.create(mapi.Contact, name="Zoe Zander")
        folder.create(mapi.Message, subject="own", to="zoe@elsewhere.example", categories=["blue"])
        every = [item.props() for item in folder.items()]
        for key in {key for bag in every for key in bag} - query.NEVER:
            assert [item.value(key) for item in folder.items()] == [bag.get(key) for bag in every], key


def test_password_of_the_login_is_changed(empty: Path, tmp_path: Path) -> None:
    """IMAPIStatus::ChangePassword: by who knows the old one; the profile keeps the new one."""
    asyncio.run(give_password(empty, "old"))
    profiles = Profiles(tmp_path / "profiles.json")
    with profiles.change() as book:
        where = {"data": str(empty), "account": ANN, "password": "old"}
        book.profiles["ann"] = Profile([used("QUINTET", None, where)])

    def logged_on() -> IMAPISession:
        return session.opened(profiles.read().profiles["ann"], name="ann", profiles=profiles)

    first = logged_on()
    parts = status(first)
    for old in ("", "another"):
        with pytest.raises(errors.MAPIErrorLogonFailed):
            parts[True].ChangePassword(old, "new")
    with pytest.raises(errors.MAPIErrorInvalidParameter):
        parts[True].ChangePassword("old", "")
    with pytest.raises(errors.MAPIErrorNoSupport):
        parts[False].ChangePassword("old", "new")
    parts[True].ChangePassword("old", "new")
    first.Logoff(0, 0, 0)
    assert profiles.read().profiles["ann"].services[0].settings["password"] == "new"
    logged_on().Logoff(0, 0, 0)
    refused(Code.LOGON_FAILED, registry.opened, "QUINTET", where)


def status(one: IMAPISession) -> dict[bool, IMAPIStatus]:
    """A part whose password can be changed, and one that has none."""
    table = one.GetStatusTable()
    table.SetColumns([pr.ENTRYID, pr.RESOURCE_METHODS])
    return {
        bool(row[1].Value & consts.STATUS_CHANGE_PASSWORD): one.OpenEntry(row[0].Value)
        for row in table.QueryRows(50)
    }


async def give_password(data: Path, secret: str) -> None:
    config = root.from_file(data if data.is_file() else data / "quintet.toml")
    store = await Store.open(config.store)
    account = store.peek(accounts.find, ANN)
    assert account is not None
    await admin.set_password(store, account.id, secret, config.auth)
    await store.close()
