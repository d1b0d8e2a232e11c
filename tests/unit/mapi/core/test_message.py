"""IMessage and IAttach: recipients, attachments, saving, sending; and what happens to what is not sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quintet.mapi import consts, pr, rtf
from quintet.mapi.bag import Item
from quintet.mapi.core import errors, props
from quintet.mapi.core.folder import IMAPIFolder
from quintet.mapi.core.message import IMessage
from quintet.mapi.core.session import IMAPISession
from quintet.mapi.core.store import IMsgStore
from quintet.mapi.core.structs import SPropValue
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import derive, memory, memstore
from quintet.mapi.providers.base import Special
from tests.unit.mapi.core.conftest import BOB, recipient
from tests.unit.mapi.providers.conformance import letter

Write = Callable[..., IMessage]
KEEP = consts.KEEP_OPEN_READWRITE


def value(source: object, tag: int) -> object:
    assert isinstance(source, props.IMAPIProp)
    return props.one(source, tag).Value


def received(world: memory.World, address: str = BOB) -> list[Item]:
    store = world.stores[address]
    return [store.load(one) for one in store.messages(store.special()[Special.INBOX]).ids()]


def names(message: IMessage) -> list[str]:
    table = message.GetRecipientTable(consts.MAPI_UNICODE)
    table.SetColumns([pr.EMAIL_ADDRESS])
    return [row[0].Value for row in table.QueryRows(50)]


def test_new_message_is_in_the_folder_once_it_is_saved(inbox: IMAPIFolder) -> None:
    message = inbox.CreateMessage()
    assert inbox.GetContentsTable().GetRowCount() == 0
    message.SaveChanges(KEEP)
    assert inbox.GetContentsTable().GetRowCount() == 1
    assert value(message, pr.PARENT_ENTRYID) == inbox.entry
    assert value(message, pr.MESSAGE_CLASS) == "IPM.Note"


def test_hidden_message_is_in_the_other_table(inbox: IMAPIFolder) -> None:
    inbox.CreateMessage(None, consts.MAPI_ASSOCIATED).SaveChanges()
    assert inbox.GetContentsTable().GetRowCount() == 0
    assert inbox.GetContentsTable(consts.MAPI_ASSOCIATED).GetRowCount() == 1


def test_recipients_are_added_changed_and_removed(write: Write, inbox: IMAPIFolder) -> None:
    message = write("x", to="a@example.com")
    message.ModifyRecipients(
        consts.MODRECIP_ADD, [recipient("b@example.com", 2), recipient("c@example.com", 3)]
    )
    assert names(message) == ["a@example.com", "b@example.com", "c@example.com"]
    assert value(message, pr.DISPLAY_CC) == "b"
    changed = [SPropValue(pr.ROWID, 1), *recipient("d@example.com", 2)]
    message.ModifyRecipients(consts.MODRECIP_MODIFY, [changed])
    message.ModifyRecipients(consts.MODRECIP_REMOVE, [[SPropValue(pr.ROWID, 0)]])
    assert names(message) == ["d@example.com", "c@example.com"]
    message.SaveChanges()
    assert names(inbox.OpenEntry(value(message, pr.ENTRYID))) == ["d@example.com", "c@example.com"]


def test_recipients_are_replaced(write: Write) -> None:
    message = write("x")
    message.ModifyRecipients(0, [recipient("z@example.com")])
    assert names(message) == ["z@example.com"]
    with pytest.raises(errors.MAPIErrorNotFound):
        message.ModifyRecipients(consts.MODRECIP_REMOVE, [[SPropValue(pr.ROWID, 99)]])
    with pytest.raises(errors.MAPIErrorUnknownFlags):
        message.ModifyRecipients(0x80, [])


def test_attachments_are_made_changed_and_deleted(write: Write, inbox: IMAPIFolder) -> None:
    message = write("x")
    number, attach = message.CreateAttach()
    attach.SetProps([
        SPropValue(pr.ATTACH_METHOD, consts.ATTACH_BY_VALUE),
        SPropValue(pr.ATTACH_LONG_FILENAME, "a.txt"),
        SPropValue(pr.ATTACH_DATA_BIN, b"content"),
    ])  # fmt: skip
    assert message.GetAttachmentTable().GetRowCount() == 0  # until it is saved
    attach.SaveChanges(KEEP)
    attach.SetProps([SPropValue(pr.ATTACH_LONG_FILENAME, "b.txt")])
    attach.SaveChanges()
    second, other = message.CreateAttach()
    other.SaveChanges()
    assert (number, second) == (0, 1)
    message.DeleteAttach(second)
    message.SaveChanges()
    again = inbox.OpenEntry(value(message, pr.ENTRYID))
    assert value(again, pr.HASATTACH) is True
    table = again.GetAttachmentTable(consts.MAPI_UNICODE)
    table.SetColumns([pr.ATTACH_NUM, pr.ATTACH_LONG_FILENAME])
    assert [(row[0].Value, row[1].Value) for row in table.QueryRows(9)] == [(0, "b.txt")]
    found = again.OpenAttach(0)
    assert value(found, pr.ATTACH_DATA_BIN) == b"content"
    with pytest.raises(errors.MAPIErrorNoAccess):
        found.SetProps([SPropValue(pr.ATTACH_LONG_FILENAME, "c.txt")])
    with pytest.raises(errors.MAPIErrorNotFound):
        again.OpenAttach(7)
    with pytest.raises(errors.MAPIErrorNoAccess):
        again.DeleteAttach(0)


def test_message_within_a_message(write: Write, inbox: IMAPIFolder) -> None:
    message = write("outer")
    _, attach = message.CreateAttach()
    inner = attach.OpenProperty(
        pr.ATTACH_DATA_OBJ, consts.IID_IMessage, 0, consts.MAPI_CREATE | consts.MAPI_MODIFY
    )
    inner.SetProps([SPropValue(pr.SUBJECT, "inner")])
    inner.ModifyRecipients(consts.MODRECIP_ADD, [recipient("deep@example.com")])
    with pytest.raises(errors.MAPIErrorNoSupport):
        inner.SubmitMessage()
    inner.SaveChanges()
    attach.SaveChanges()
    message.SaveChanges()
    found = inbox.OpenEntry(value(message, pr.ENTRYID)).OpenAttach(0)
    assert value(found, pr.ATTACH_METHOD) == consts.ATTACH_EMBEDDED_MSG
    opened = found.OpenProperty(pr.ATTACH_DATA_OBJ, consts.IID_IMessage, 0, 0)
    assert value(opened, pr.SUBJECT) == "inner"
    assert names(opened) == ["deep@example.com"]
    with pytest.raises(errors.MAPIErrorNoAccess):
        opened.SetProps([SPropValue(pr.SUBJECT, "changed")])


def test_two_who_save_the_same_message(write: Write, inbox: IMAPIFolder) -> None:
    entry = value(write("x"), pr.ENTRYID)
    one = inbox.OpenEntry(entry, None, consts.MAPI_MODIFY)
    two = inbox.OpenEntry(entry, None, consts.MAPI_MODIFY)
    one.SetProps([SPropValue(pr.SUBJECT, "one")])
    one.SaveChanges()
    two.SetProps([SPropValue(pr.SUBJECT, "two")])
    with pytest.raises(errors.MAPIErrorObjectChanged):
        two.SaveChanges(KEEP)
    assert two.GetLastError(consts.MAPI_E_OBJECT_CHANGED) is not None
    two.SaveChanges(consts.FORCE_SAVE)
    assert value(inbox.OpenEntry(entry), pr.SUBJECT) == "two"


def test_notes_on_a_message_need_no_new_version(write: Write, inbox: IMAPIFolder) -> None:
    """Flags and categories are set beside what another saves meanwhile."""
    entry = value(write("x"), pr.ENTRYID)
    one = inbox.OpenEntry(entry, None, consts.MAPI_MODIFY)
    two = inbox.OpenEntry(entry, None, consts.MAPI_MODIFY)
    one.SetProps([SPropValue(pr.SUBJECT, "one")])
    one.SaveChanges()
    two.SetProps([SPropValue(pr.FLAG_STATUS, 2)])
    two.SaveChanges()
    found = inbox.OpenEntry(entry)
    assert (value(found, pr.SUBJECT), value(found, pr.FLAG_STATUS)) == ("one", 2)


def test_subject_and_its_parts_stay_in_step(write: Write) -> None:
    message = write("RE: one")
    assert (value(message, pr.SUBJECT_PREFIX), value(message, pr.NORMALIZED_SUBJECT)) == ("RE: ", "one")
    message.SetProps([SPropValue(pr.SUBJECT, "two")])
    assert (value(message, pr.SUBJECT_PREFIX), value(message, pr.NORMALIZED_SUBJECT)) == ("", "two")
    message.SetProps([SPropValue(pr.SUBJECT_PREFIX, "FW: "), SPropValue(pr.NORMALIZED_SUBJECT, "three")])
    assert value(message, pr.SUBJECT) == "FW: three"


def test_read_flag(write: Write, inbox: IMAPIFolder) -> None:
    message = write("x")
    message.SetReadFlag(consts.CLEAR_READ_FLAG)
    assert value(inbox, pr.CONTENT_UNREAD) == 1
    message.SetReadFlag()
    assert value(inbox, pr.CONTENT_UNREAD) == 0
    assert value(message, pr.MESSAGE_FLAGS) & consts.MSGFLAG_READ  # type: ignore[operator]


# --- sending


def test_sent_message_arrives_and_is_filed(world: memory.World, store: IMsgStore, inbox: IMAPIFolder) -> None:
    sent = value(store, pr.IPM_SENTMAIL_ENTRYID)
    message = inbox.CreateMessage()
    message.SetProps([SPropValue(pr.SUBJECT, "Hello"), SPropValue(pr.SENTMAIL_ENTRYID, sent)])
    message.ModifyRecipients(consts.MODRECIP_ADD, [recipient(BOB)])
    message.SubmitMessage()
    (item,) = received(world)
    assert item.props[pr.SENDER_EMAIL_ADDRESS] == "ann@example.com"
    assert item.props[pr.SENT_REPRESENTING_NAME] == "Ann Ahorn"
    assert pr.CLIENT_SUBMIT_TIME in item.props
    assert inbox.GetContentsTable().GetRowCount() == 0
    folder = store.OpenEntry(sent)
    table = folder.GetContentsTable()
    table.SetColumns([pr.MESSAGE_FLAGS])
    (row,) = table.QueryRows(9)
    assert row[0].Value & (consts.MSGFLAG_SUBMIT | consts.MSGFLAG_UNSENT) == 0
    assert row[0].Value & consts.MSGFLAG_FROMME


def test_sent_message_is_gone_where_that_is_wanted(world: memory.World, inbox: IMAPIFolder) -> None:
    message = inbox.CreateMessage()
    message.SetProps([SPropValue(pr.DELETE_AFTER_SUBMIT, True)])
    message.ModifyRecipients(consts.MODRECIP_ADD, [recipient(BOB)])
    message.SubmitMessage()
    assert len(received(world)) == 1
    assert inbox.GetContentsTable().GetRowCount() == 0


def test_sending_on_behalf_of_another_keeps_whom(world: memory.World, inbox: IMAPIFolder) -> None:
    message = inbox.CreateMessage()
    message.SetProps([SPropValue(pr.SENT_REPRESENTING_EMAIL_ADDRESS, "boss@example.com")])
    message.ModifyRecipients(consts.MODRECIP_ADD, [recipient(BOB)])
    message.SubmitMessage()
    (item,) = received(world)
    assert item.props[pr.SENT_REPRESENTING_EMAIL_ADDRESS] == "boss@example.com"
    assert item.props[pr.SENDER_EMAIL_ADDRESS] == "ann@example.com"


def test_nobody_to_send_to(inbox: IMAPIFolder) -> None:
    with pytest.raises(errors.MAPIErrorNoRecipients):
        inbox.CreateMessage().SubmitMessage()


def test_refused_recipients_come_back_as_a_report(world: memory.World, inbox: IMAPIFolder) -> None:
    message = inbox.CreateMessage()
    message.SetProps([SPropValue(pr.SUBJECT, "Hello")])
    other = [*recipient("x"), SPropValue(pr.ADDRTYPE, "FAX")]
    message.ModifyRecipients(
        consts.MODRECIP_ADD,
        [recipient(BOB), recipient("nobody@example.com"), [*other[:1], other[-1], *other[2:4]]],
    )
    message.SubmitMessage()
    assert len(received(world)) == 1
    table = inbox.GetContentsTable(consts.MAPI_UNICODE)
    table.SetColumns([pr.MESSAGE_CLASS, pr.ENTRYID])
    report = next(row[1].Value for row in table.QueryRows(9) if row[0].Value == "REPORT.IPM.Note.NDR")
    found = inbox.OpenEntry(report)
    assert "nobody@example.com" in names(found)
    assert "FAX" in str(value(found, pr.BODY))
    inner = found.OpenAttach(0).OpenProperty(pr.ATTACH_DATA_OBJ, consts.IID_IMessage, 0, 0)
    assert value(inner, pr.SUBJECT) == "Hello"


def test_unreachable_system_leaves_the_message_for_later(
    world: memory.World,
    mapi: IMAPISession,
    store: IMsgStore,
    inbox: IMAPIFolder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def down(*args: object) -> None:
        raise MapiError(Code.NETWORK_ERROR)

    with monkeypatch.context() as patch:
        patch.setattr(memory.Loopback, "send", down)
        for subject in ("one", "two"):
            message = inbox.CreateMessage()
            message.SetProps([SPropValue(pr.SUBJECT, subject)])
            message.ModifyRecipients(consts.MODRECIP_ADD, [recipient(BOB)])
            message.SubmitMessage()
        assert mapi.FlushQueues() == 0
    queue = store.GetOutgoingQueue()
    queue.SetColumns([pr.ENTRYID])
    entries = [row[0].Value for row in queue.QueryRows(9)]
    assert len(entries) == 2
    store.AbortSubmit(entries[0])
    with pytest.raises(errors.MAPIErrorNotInQueue):
        store.AbortSubmit(entries[0])
    assert mapi.FlushQueues() == 1
    assert [item.props[pr.SUBJECT] for item in received(world)] == ["two"]


def test_refusal_of_the_whole_is_an_error_and_leaves_the_message(
    inbox: IMAPIFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise MapiError(Code.ACCESS_DENIED)

    monkeypatch.setattr(memory.Loopback, "send", refuse)
    message = inbox.CreateMessage()
    message.ModifyRecipients(consts.MODRECIP_ADD, [recipient(BOB)])
    with pytest.raises(errors.MAPIErrorNoAccess):
        message.SubmitMessage()
    table = inbox.GetContentsTable()
    table.SetColumns([pr.MESSAGE_FLAGS])
    assert not table.QueryRows(1)[0][0].Value & derive.SUBMITTED


# --- receipts and bodies


def test_receipt_is_sent_once_to_who_asked(world: memory.World, inbox: IMAPIFolder) -> None:
    item = letter("please tell me")
    item.props |= {pr.READ_RECEIPT_REQUESTED: True, pr.SENDER_EMAIL_ADDRESS: BOB}
    entry = world.stores["ann@example.com"].deliver(item).filed[0]
    message = inbox.OpenEntry(entry, None, consts.MAPI_MODIFY)
    message.SetReadFlag(consts.SUPPRESS_RECEIPT)
    assert received(world) == []
    message.SetReadFlag(consts.GENERATE_RECEIPT_ONLY)
    message.SetReadFlag()
    (note,) = received(world)
    assert note.props[pr.MESSAGE_CLASS] == "REPORT.IPM.Note.IPNRN"
    assert note.props[pr.SUBJECT] == "Read: please tell me"


def test_each_form_of_the_body_is_made_of_the_other(write: Write, inbox: IMAPIFolder) -> None:
    message = write("x", SPropValue(pr.HTML, b"<p>Hello <b>you</b></p>"))
    assert "Hello you" in str(value(message, pr.BODY))
    message.SetProps([SPropValue(pr.BODY, "other")])
    message.SaveChanges()
    again = inbox.OpenEntry(value(message, pr.ENTRYID))
    assert value(again, pr.BODY) == "other"
    assert b"other" in value(again, pr.HTML)  # type: ignore[operator]


def test_receipts_of_many(world: memory.World, inbox: IMAPIFolder) -> None:
    """IMAPIFolder::SetReadFlags: to each unread message whose sender asked, once."""
    found = []
    for number in range(3):
        item = letter(f"letter {number}")
        item.props |= {pr.READ_RECEIPT_REQUESTED: number < 2, pr.SENDER_EMAIL_ADDRESS: BOB}
        found.append(world.stores["ann@example.com"].deliver(item).filed[0])
    inbox.SetReadFlags(found[:1], 0, None, consts.SUPPRESS_RECEIPT)
    assert received(world) == []
    inbox.SetReadFlags(None)
    assert [one.props[pr.SUBJECT] for one in received(world)] == ["Read: letter 1"]  # that of 0 was read
    inbox.SetReadFlags(None, 0, None, consts.CLEAR_READ_FLAG)
    inbox.SetReadFlags(None, 0, None, consts.GENERATE_RECEIPT_ONLY)
    assert len(received(world)) == 2  # now that of 0
    table = inbox.GetContentsTable()
    table.SetColumns([pr.MESSAGE_FLAGS])
    assert [row[0].Value & derive.READ for row in table.QueryRows(9)] == [0, 0, 0]
    inbox.SetReadFlags(None)
    assert len(received(world)) == 2


def test_receipt_on_a_system_that_cannot_note_it(
    world: memory.World, inbox: IMAPIFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = letter("please tell me")
    item.props |= {pr.READ_RECEIPT_REQUESTED: True, pr.SENDER_EMAIL_ADDRESS: BOB}
    entry = world.stores["ann@example.com"].deliver(item).filed[0]

    def refuse(*_: object) -> None:
        raise MapiError(Code.NOT_SUPPORTED)

    monkeypatch.setattr(memstore.MemoryStore, "update", refuse)
    for _ in range(2):
        inbox.OpenEntry(entry, None, consts.MAPI_MODIFY).SetReadFlag()
    assert len(received(world)) == 1


def test_compressed_rtf_is_made_where_it_is_asked_for(write: Write) -> None:
    message = write("x", SPropValue(pr.HTML, b"<p>Hello <b>you</b></p>"))
    raw = value(message, pr.RTF_COMPRESSED)
    assert b"fromhtml" in rtf.decompress(raw)  # type: ignore[arg-type]
    stream = message.OpenProperty(pr.RTF_COMPRESSED, consts.IID_IStream, 0, 0)
    assert stream.Read(1 << 20) == raw
    assert pr.RTF_COMPRESSED not in message.GetPropList()


def test_how_a_message_was_opened_and_what_one_may(write: Write, inbox: IMAPIFolder) -> None:
    entry = value(write("x"), pr.ENTRYID)
    reading, writing = inbox.OpenEntry(entry), inbox.OpenEntry(entry, None, consts.MAPI_MODIFY)
    assert (value(reading, pr.ACCESS_LEVEL), value(writing, pr.ACCESS_LEVEL)) == (0, consts.MAPI_MODIFY)
    assert value(writing, pr.ACCESS) == value(inbox, pr.ACCESS) == 0x3F
    assert value(writing, pr.MSG_STATUS) == 0
    writing.SaveChanges()
    assert value(writing, pr.ACCESS_LEVEL) == 0
