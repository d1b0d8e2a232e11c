"""IMsgStore and IMAPIFolder: opening, folders, copies, search folders, rights, news."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from quintet.mapi import consts, pr
from quintet.mapi.core import errors, props
from quintet.mapi.core.folder import IMAPIFolder
from quintet.mapi.core.message import IMessage
from quintet.mapi.core.notify import IMAPIAdviseSink
from quintet.mapi.core.session import IMAPISession
from quintet.mapi.core.store import IMsgStore
from quintet.mapi.core.structs import (
    NEWMAIL_NOTIFICATION,
    OBJECT_NOTIFICATION,
    ROWENTRY,
    SContentRestriction,
    SPropValue,
    SSort,
    SSortOrderSet,
)
from quintet.mapi.providers import memory
from tests.unit.mapi.core.conftest import ANN, BOB, opened
from tests.unit.mapi.providers.conformance import letter

Write = Callable[..., IMessage]
GENERIC, SEARCH = consts.FOLDER_GENERIC, consts.FOLDER_SEARCH


def value(source: props.IMAPIProp, tag: int) -> object:
    return props.one(source, tag).Value


def column(table: object, tag: int) -> list[object]:
    table.SetColumns([tag])  # type: ignore[attr-defined]
    return [row[0].Value for row in table.QueryRows(1000)]  # type: ignore[attr-defined]


def test_store_tells_what_it_can_and_where_its_folders_are(store: IMsgStore) -> None:
    mask = value(store, pr.STORE_SUPPORT_MASK)
    assert isinstance(mask, int)
    assert mask & consts.STORE_MODIFY_OK
    assert mask & consts.STORE_SEARCH_OK
    assert not mask & consts.STORE_SUBMIT_OK
    assert not mask & consts.STORE_READONLY
    for tag, title in (
        (pr.IPM_SENTMAIL_ENTRYID, "Sent Items"),
        (pr.IPM_WASTEBASKET_ENTRYID, "Deleted Items"),
        (pr.IPM_OUTBOX_ENTRYID, "Outbox"),
        (pr.IPM_SUBTREE_ENTRYID, "Top of Information Store"),
    ):
        assert value(store.OpenEntry(value(store, tag)), pr.DISPLAY_NAME) == title
    assert value(store, pr.VALID_FOLDER_MASK) & consts.FOLDER_IPM_INBOX_VALID  # type: ignore[operator]


def test_inbox_and_root_say_where_the_calendar_is(store: IMsgStore, inbox: IMAPIFolder) -> None:
    """MS-OXOSFLD 2.2.3: PidTagIpmAppointmentEntryId on both."""
    for folder in (inbox, store.OpenEntry(None)):
        found = store.OpenEntry(value(folder, pr.IPM_APPOINTMENT_ENTRYID))
        assert value(found, pr.CONTAINER_CLASS) == "IPF.Appointment"


def test_store_opened_for_reading_refuses_changes(mapi: IMAPISession, store: IMsgStore) -> None:
    reading = mapi.OpenMsgStore(0, None, None, 0)
    folder = reading.OpenEntry(reading.GetReceiveFolder("")[0], None, consts.MAPI_BEST_ACCESS)
    with pytest.raises(errors.MAPIErrorNoAccess):
        folder.CreateMessage()
    with pytest.raises(errors.MAPIErrorNoAccess):
        reading.SetProps([SPropValue(pr.COMMENT, "x")])
    store.SetProps([SPropValue(pr.COMMENT, "x")])
    assert value(reading, pr.COMMENT) == "x"


def test_entry_ids_of_others(store: IMsgStore) -> None:
    with pytest.raises(errors.MAPIErrorInvalidEntryid):
        store.OpenEntry(bytes(40))
    with pytest.raises(errors.MAPIErrorNotFound):
        store.OpenEntry(bytes(4) + store.source.uid + b"nothing")
    assert store.CompareEntryIDs(b"a", b"a")
    assert not store.CompareEntryIDs(b"a", b"b")


def test_folders_are_made_found_and_deleted(inbox: IMAPIFolder, write: Write) -> None:
    made = inbox.CreateFolder(GENERIC, "Project", "About it")
    assert value(made, pr.COMMENT) == "About it"
    with pytest.raises(errors.MAPIErrorCollision):
        inbox.CreateFolder(GENERIC, "project")
    again = inbox.CreateFolder(GENERIC, "project", "", None, consts.OPEN_IF_EXISTS)
    assert again.entry == made.entry
    made.CreateFolder(GENERIC, "Inner")
    inbox.CopyMessages([value(write("x"), pr.ENTRYID)], None, made)  # type: ignore[list-item]
    with pytest.raises(errors.MAPIErrorHasFolders):
        inbox.DeleteFolder(made.entry, 0, None, consts.DEL_MESSAGES)
    with pytest.raises(errors.MAPIErrorHasMessages):
        inbox.DeleteFolder(made.entry, 0, None, consts.DEL_FOLDERS)
    inbox.DeleteFolder(made.entry, 0, None, consts.DEL_FOLDERS | consts.DEL_MESSAGES)
    assert inbox.GetHierarchyTable().GetRowCount() == 0


def test_folders_below_folders(store: IMsgStore) -> None:
    root = store.OpenEntry(None)
    a = root.CreateFolder(GENERIC, "a")
    b = a.CreateFolder(GENERIC, "b")
    b.CreateFolder(GENERIC, "c")
    assert column(a.GetHierarchyTable(consts.MAPI_UNICODE), pr.DISPLAY_NAME) == ["b"]
    table = a.GetHierarchyTable(consts.CONVENIENT_DEPTH)
    table.SetColumns([pr.DISPLAY_NAME, pr.DEPTH])
    assert [(row[0].Value, row[1].Value) for row in table.QueryRows(9)] == [("b", 1), ("c", 2)]


def test_folder_is_moved_and_copied(store: IMsgStore, write: Write, inbox: IMAPIFolder) -> None:
    root = store.OpenEntry(None)
    one, two = root.CreateFolder(GENERIC, "one"), root.CreateFolder(GENERIC, "two")
    inner = one.CreateFolder(GENERIC, "inner")
    inner.SetProps([SPropValue(pr.CONTAINER_CLASS, "IPF.Task")])
    inbox.CopyMessages([value(write("x"), pr.ENTRYID)], None, inner)  # type: ignore[list-item]
    one.CopyFolder(inner.entry, None, two, "copy", 0, None, consts.COPY_SUBFOLDERS)
    (copied,) = column(two.GetHierarchyTable(), pr.ENTRYID)
    copy = store.OpenEntry(copied)
    assert (value(copy, pr.DISPLAY_NAME), value(copy, pr.CONTAINER_CLASS)) == ("copy", "IPF.Task")
    assert value(copy, pr.CONTENT_COUNT) == 1
    root.CopyFolder(one.entry, None, two, None, 0, None, consts.FOLDER_MOVE)
    assert sorted(column(two.GetHierarchyTable(consts.MAPI_UNICODE), pr.DISPLAY_NAME)) == ["copy", "one"]  # type: ignore[type-var]
    with pytest.raises(errors.MAPIErrorFolderCycle):
        root.CopyFolder(two.entry, None, two, "again", 0, None, 0)


def test_messages_move_within_and_across_stores(world: memory.World) -> None:
    session = opened(world, ANN, BOB)
    table = session.GetMsgStoresTable()
    one, two = (session.OpenMsgStore(0, entry, None, consts.MDB_WRITE) for entry in column(table, pr.ENTRYID))
    ann, bob = (each.OpenEntry(each.GetReceiveFolder("")[0], None, consts.MAPI_MODIFY) for each in (one, two))
    message = ann.CreateMessage()
    message.SetProps([SPropValue(pr.SUBJECT, "across")])
    message.SaveChanges(consts.KEEP_OPEN_READWRITE)
    ann.CopyMessages([value(message, pr.ENTRYID)], None, bob, 0, None, consts.MESSAGE_MOVE)
    assert (value(ann, pr.CONTENT_COUNT), value(bob, pr.CONTENT_COUNT)) == (0, 1)
    (entry,) = column(bob.GetContentsTable(), pr.ENTRYID)
    sub = bob.CreateFolder(GENERIC, "sub")
    bob.CopyMessages([entry], None, sub, 0, None, consts.MESSAGE_MOVE)
    with pytest.raises(errors.MAPIErrorNotFound):
        bob.CopyMessages([bytes(4) + two.source.uid + b"gone"], None, sub)
    assert value(two.OpenEntry(column(sub.GetContentsTable(), pr.ENTRYID)[0]), pr.SUBJECT) == "across"
    session.Logoff()
    with pytest.raises(errors.MAPIErrorEndOfSession):
        session.OpenMsgStore()


def test_deleted_messages_can_come_back(inbox: IMAPIFolder, write: Write) -> None:
    entry = value(write("x"), pr.ENTRYID)
    inbox.DeleteMessages([entry])  # type: ignore[list-item]
    assert inbox.GetContentsTable().GetRowCount() == 0
    assert column(inbox.GetContentsTable(consts.SHOW_SOFT_DELETES), pr.ENTRYID) == [entry]
    inbox.CopyMessages([entry], None, inbox, 0, None, consts.MESSAGE_MOVE)  # type: ignore[list-item]
    assert inbox.GetContentsTable().GetRowCount() == 1
    inbox.DeleteMessages([entry], 0, None, consts.DELETE_HARD_DELETE)  # type: ignore[list-item]
    assert inbox.GetContentsTable(consts.SHOW_SOFT_DELETES).GetRowCount() == 0


def test_emptying(inbox: IMAPIFolder, write: Write) -> None:
    write("x")
    inbox.CreateFolder(GENERIC, "inner")
    inbox.CreateMessage(None, consts.MAPI_ASSOCIATED).SaveChanges()
    inbox.EmptyFolder()
    assert inbox.GetContentsTable(consts.MAPI_ASSOCIATED).GetRowCount() == 1
    inbox.EmptyFolder(0, None, consts.DEL_ASSOCIATED)
    tables = (
        inbox.GetContentsTable(consts.MAPI_ASSOCIATED),
        inbox.GetContentsTable(),
        inbox.GetHierarchyTable(),
    )
    assert [table.GetRowCount() for table in tables] == [0, 0, 0]


def test_read_flags_and_status_of_many(inbox: IMAPIFolder, write: Write) -> None:
    entries = [value(write(text), pr.ENTRYID) for text in "ab"]
    inbox.SetReadFlags(None, 0, None, consts.CLEAR_READ_FLAG)
    assert value(inbox, pr.CONTENT_UNREAD) == 2
    inbox.SetReadFlags(entries[:1])  # type: ignore[arg-type]
    assert value(inbox, pr.CONTENT_UNREAD) == 1
    assert inbox.SetMessageStatus(entries[0], consts.MSGSTATUS_TAGGED, 0xFF) == 0  # type: ignore[arg-type]
    assert inbox.GetMessageStatus(entries[0]) == consts.MSGSTATUS_TAGGED  # type: ignore[arg-type]


def test_search_folder(store: IMsgStore, inbox: IMAPIFolder, write: Write) -> None:
    finder = store.OpenEntry(value(store, pr.FINDER_ENTRYID))
    folder = finder.CreateFolder(SEARCH, "About cats")
    with pytest.raises(errors.MAPIErrorNotInitialized):
        folder.GetSearchCriteria()
    cats = SContentRestriction(
        consts.FL_SUBSTRING | consts.FL_IGNORECASE, pr.SUBJECT, SPropValue(pr.SUBJECT, "cat")
    )
    news: list[OBJECT_NOTIFICATION] = []
    store.Advise(folder.entry, consts.fnevSearchComplete, IMAPIAdviseSink(news.extend))
    folder.SetSearchCriteria(cats, [inbox.entry], consts.RECURSIVE_SEARCH)
    assert [one.ulEventType for one in news] == [consts.fnevSearchComplete]
    restriction, folders, state = folder.GetSearchCriteria()
    assert (restriction, folders) == (cats, [inbox.entry])
    assert state == consts.SEARCH_RUNNING | consts.SEARCH_RECURSIVE
    table = folder.GetContentsTable(consts.MAPI_UNICODE)
    write("Cats!")
    write("Dogs")
    assert column(table, pr.SUBJECT) == ["Cats!"]
    folder.SetSearchCriteria(None, None, consts.STOP_SEARCH)
    assert folder.GetSearchCriteria()[2] == 0
    with pytest.raises(errors.MAPIErrorNoSupport):
        inbox.GetSearchCriteria()


def test_rights_are_changed_row_by_row(inbox: IMAPIFolder) -> None:
    acl = inbox.OpenProperty(pr.ACL_TABLE, consts.IID_IExchangeModifyTable, 0, consts.MAPI_MODIFY)
    bob = [SPropValue(pr.MEMBER_NAME, "Bob"), SPropValue(pr.MEMBER_RIGHTS, consts.rightsReadOnly)]
    acl.ModifyTable(0, [ROWENTRY(consts.ROW_ADD, bob)])
    table = acl.GetTable()
    table.SetColumns([pr.MEMBER_ID, pr.MEMBER_NAME, pr.MEMBER_RIGHTS])
    (own,) = [row for row in table.QueryRows(9) if row[1].Value == "Bob"]
    changed = [own[0], SPropValue(pr.MEMBER_RIGHTS, consts.rightsAll)]
    acl.ModifyTable(0, [ROWENTRY(consts.ROW_MODIFY, changed)])
    assert consts.rightsAll in column(acl.GetTable(), pr.MEMBER_RIGHTS)
    acl.ModifyTable(0, [ROWENTRY(consts.ROW_REMOVE, [own[0]])])
    assert "Bob" not in column(acl.GetTable(), pr.MEMBER_NAME)
    with pytest.raises(errors.MAPIErrorNotFound):
        acl.ModifyTable(0, [ROWENTRY(consts.ROW_REMOVE, [own[0]])])
    with pytest.raises(errors.MAPIErrorNotFound):
        inbox.OpenProperty(pr.SUBJECT, consts.IID_IExchangeModifyTable, 0, 0)


def test_receive_folders(store: IMsgStore, inbox: IMAPIFolder, world: memory.World) -> None:
    meetings = inbox.CreateFolder(GENERIC, "Meetings")
    store.SetReceiveFolder("IPM.Schedule", 0, meetings.entry)
    entry, found = store.GetReceiveFolder("IPM.Schedule.Meeting.Request")
    assert (entry, found.casefold()) == (meetings.entry, "ipm.schedule")
    assert store.GetReceiveFolder("IPM.Note")[0] == inbox.entry
    assert inbox.entry in column(store.GetReceiveFolderTable(), pr.ENTRYID)


def test_news_of_mail_and_objects(store: IMsgStore, inbox: IMAPIFolder, world: memory.World) -> None:
    news: list[object] = []

    def note(found: Sequence[object]) -> None:
        news.extend(found)

    every = consts.fnevNewMail | consts.fnevObjectCreated | consts.fnevObjectMoved
    connection = store.Advise(inbox.entry, every, IMAPIAdviseSink(note))
    world.stores[ANN].deliver(letter("new"))
    (mail,) = [one for one in news if isinstance(one, NEWMAIL_NOTIFICATION)]
    assert (mail.lpParentID, mail.lpszMessageClass) == (inbox.entry, "IPM.Note")
    other = store.OpenEntry(None).CreateFolder(GENERIC, "Other")
    inbox.CopyMessages([mail.lpEntryID], None, other, 0, None, consts.MESSAGE_MOVE)
    moved = [one for one in news if isinstance(one, OBJECT_NOTIFICATION)][-1]
    assert moved.ulEventType == consts.fnevObjectMoved
    assert (moved.lpParentID, moved.lpOldParentID) == (other.entry, inbox.entry)
    store.Unadvise(connection)
    assert store._connections == set()
    news.clear()
    world.stores[ANN].deliver(letter("more"))
    assert news == []


def test_events_are_counted_only_for_what_a_table_shows(
    store: IMsgStore, inbox: IMAPIFolder, world: memory.World
) -> None:
    table = inbox.GetContentsTable()
    assert table.GetRowCount() == 0
    for number in range(5):
        world.stores[ANN].deliver(letter(str(number)))
    assert table.GetRowCount() == 5
    assert set(store.hub._counts) == {inbox.entry}


def test_sink_that_fails_harms_nobody(store: IMsgStore, world: memory.World) -> None:
    def fail(found: Sequence[object]) -> None:
        raise ValueError("a program's own bug")

    news: list[object] = []
    store.Advise(None, consts.fnevNewMail, IMAPIAdviseSink(fail))
    store.Advise(None, consts.fnevNewMail, IMAPIAdviseSink(news.extend))
    world.stores[ANN].deliver(letter("new"))
    assert len(news) == 1
    store.StoreLogoff()
    world.stores[ANN].deliver(letter("more"))
    assert len(news) == 1


def test_what_is_not_kept_is_said(inbox: IMAPIFolder, store: IMsgStore) -> None:
    with pytest.raises(errors.MAPIErrorNoSupport):
        inbox.SaveContentsSort(SSortOrderSet([SSort(pr.SUBJECT, 0)], 0, 0))
    with pytest.raises(errors.MAPIErrorNoSupport):
        store.FinishedMsg(0, b"")
    with pytest.raises(errors.MAPIErrorInterfaceNotSupported):
        inbox.QueryInterface(consts.IID_IMessage)
    assert inbox.QueryInterface(consts.IID_IMAPIContainer) is inbox
