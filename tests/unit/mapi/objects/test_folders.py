"""Folders: what a logon finds, tables of folders and messages, and what is done to them (MS-OXCFOLD)."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from quintet.mapi import objects, pr, restrict, rules, types
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.guids import PSETID_ADDRESS, PSETID_APPOINTMENT
from quintet.mapi.objects import Box, Folder, numbers, pid, ruletable
from quintet.mapi.restrict import Relation
from quintet.mapi.rows import Key, Order, SortOrder
from quintet.mapi.table import Table
from quintet.mapi.types import Error, Named
from quintet.store import access, accounts, entries, folders, groups, keeping, pages
from quintet.store.blobs import Blobs
from quintet.store.content import content_of
from quintet.store.db import DrivenTx
from quintet.store.model import SEEN, Account, FolderKind

Deliver = Callable[..., int]


def special(box: Box, role: str) -> Folder:
    return box.folder(box.special[role])


def names(table: Table) -> list[object]:
    table.set_columns([pid.DISPLAY_NAME])
    return [row[0] for row in table.query(100)]


def letter(number: int, subject: str = "") -> bytes:
    return (
        f"From: p{number}@example.net\r\nTo: ann@example.org\r\nSubject: {subject or f'letter {number}'}\r\n"
        f"Message-ID: <{number}@example.net>\r\n\r\nText {number}\r\n"
    ).encode()


# --- the logon ------------------------------------------------------------------------------------


def test_first_logon_makes_what_a_mailbox_has(tx: DrivenTx, box: Box, ann: Account, files: Blobs) -> None:
    """MS-OXCSTOR_R119, R817."""
    ids = box.logon_folders()
    assert len(ids) == 13
    assert all(ids)
    assert len(set(ids)) == 13
    again = objects.logon(tx, ann.id, ann.id, files=files)
    assert again.logon_folders() == ids
    assert set(names(box.subtree.hierarchy())) == {
        "Inbox", "Drafts", "Sent", "Junk", "Trash", "Archive", "Outbox", "Calendar", "Contacts", "Tasks",
        "Notes", "Journal",
    }  # fmt: skip
    assert {"Finder", "Views", "Common Views", "Top of Information Store"} <= set(
        names(special(box, "root").hierarchy())
    )
    shown = {name for name, _ in folders.outline(tx, ann.id)}
    assert shown == {"INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"}  # what others list


def test_folder_of_a_user_with_that_name_is_not_taken(tx: DrivenTx, files: Blobs) -> None:
    accounts.add_domain(tx, "example.com")
    bob = accounts.create(tx, "bob@example.com")
    folders.create(tx, bob.id, "Calendar")
    folders.create(tx, bob.id, "~")
    box = objects.logon(tx, bob.id, bob.id, files=files)
    with box.using(tx):
        assert special(box, "calendar").name == "Calendar 2"
        assert special(box, "calendar").value(pid.CONTAINER_CLASS) == "IPF.Appointment"
        assert "Calendar" in names(box.subtree.hierarchy())


def test_strangers_and_the_disabled_are_turned_away(tx: DrivenTx, box: Box, files: Blobs) -> None:
    eve = accounts.create(tx, "eve@example.org")
    with pytest.raises(MapiError) as caught:
        objects.logon(tx, box.account.id, eve.id, files=files)
    assert caught.value.code == Code.ACCESS_DENIED  # MS-OXCSTOR_R3107
    accounts.change(tx, eve.id, disabled=True)
    with pytest.raises(MapiError) as caught:
        objects.logon(tx, eve.id, eve.id, files=files)
    assert caught.value.code == Code.LOGIN_PERMISSION


def test_delegate_sees_what_was_shared_and_no_more(
    tx: DrivenTx, box: Box, deliver: Deliver, files: Blobs
) -> None:
    number = deliver()
    bob = accounts.create(tx, "bob@example.org")
    access.grant(tx, box.special["inbox"], bob.name, "lrs")
    shared = objects.logon(tx, box.account.id, bob.id, files=files)
    with shared.using(tx):
        assert names(shared.subtree.hierarchy()) == ["Inbox"]
        message = shared.message(number)
        with pytest.raises(MapiError) as caught:
            message.set([(pid.SUBJECT, "mine now")])
            message.save()
        assert caught.value.code == Code.ACCESS_DENIED
        assert message.set_read(True)  # his own mark
        with pytest.raises(MapiError) as caught:
            shared.folder(shared.special["drafts"])
        assert caught.value.code == Code.NOT_FOUND  # MS-OXCFOLD_R470
        assert shared.inbox.delete_messages([number]) is True
    assert box.message(number).is_read is False


# --- tables -----------------------------------------------------------------------------------------


def test_contents_rows_come_from_stored_columns(box: Box, deliver: Deliver) -> None:
    number = deliver()
    table = box.inbox.contents()
    columns = [
        pid.MESSAGE_ID, pid.SUBJECT, pid.NORMALIZED_SUBJECT, pid.SENDER_NAME, pid.REPRESENTING_ADDRESS,
        pid.DISPLAY_TO, pid.DISPLAY_CC, pid.MESSAGE_CLASS, pid.HAS_ATTACHMENTS, pid.IMPORTANCE,
        pid.MESSAGE_FLAGS, pid.INTERNET_ID, pid.READ, pid.CONVERSATION_TOPIC,
    ]  # fmt: skip
    table.set_columns(columns)
    (row,) = table.query(10)
    message = box.message(number)
    assert row == message.get(columns)  # a list and the object say the same
    assert row[1:4] == ["Re: Café menu", "Café menu", "Zoë"]


def test_rows_say_what_objects_say_of_everything(box: Box, deliver: Deliver) -> None:
    """Whatever column: stored over MIME, items without MIME, a body, a rare field."""
    deliver(b"From: a@x.org\r\nImportance: High\r\nX-Odd: 5\r\nSubject: x\r\n\r\nBody\r\n")
    deliver()
    number = deliver(flags=SEEN)
    message = box.message(number)
    message.set([(pid.FLAG_STATUS, 2), (0x66100003, 9), (pid.LAST_VERB, 102)])
    message.save()
    contact = special(box, "contacts").create_message()
    contact.set([(pid.MESSAGE_CLASS, "IPM.Contact"), (pid.DISPLAY_NAME, "D"), (pid.SUBJECT, "s")])
    contact.modify_recipients(
        {0: {pid.RECIPIENT_TYPE: 1, pid.DISPLAY_NAME: "R", pid.SMTP_ADDRESS: "r@x.org"}}
    )
    contact.save()
    for role in ("inbox", "contacts"):
        folder = special(box, role)
        table = folder.contents()
        columns = [*table.all_columns(), 0x66100003, pid.DISPLAY_NAME, pid.HTML, 0x007D001F]
        table.set_columns(columns)
        for row in table.query(10):
            (one,) = [value for tag, value in zip(columns, row, strict=True) if tag == pid.MESSAGE_ID]
            told = box.message(numbers.from_wire(one)[1]).get(columns)
            differ = {
                f"{tag:08X}": (value, said)
                for tag, value, said in zip(columns, row, told, strict=True)
                if value != said and not (value is None and isinstance(said, Error))
            }
            assert differ == {}, role


INVITATION = (
    b"From: zoe@example.net\r\nTo: ann@example.org\r\nSubject: Lunch\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/calendar; charset=utf-8; method=REQUEST\r\n\r\n"
    b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:u1\r\n"
    b"ORGANIZER:mailto:zoe@example.net\r\nATTENDEE:mailto:ann@example.org\r\nLOCATION:Room\r\n"
    b"DTSTAMP:20251121T090000Z\r\nDTSTART:20251124T120000Z\r\nDTEND:20251124T130000Z\r\nSUMMARY:Lunch\r\n"
    b"END:VEVENT\r\nEND:VCALENDAR\r\n"
)


def test_invitations_and_cards_tell_their_own_columns(box: Box, deliver: Deliver) -> None:
    """In the inbox, and in a folder that was made at the top, where items are kept as letters."""
    asked = [
        Named(PSETID_APPOINTMENT, 0x820D), Named(PSETID_APPOINTMENT, 0x8208), Named(PSETID_ADDRESS, 0x8083),
    ]  # fmt: skip
    start, place, email = box.property_ids(asked, create=True)
    start, place, email = start << 16 | 0x40, place << 16 | 0x1F, email << 16 | 0x1F
    deliver(INVITATION)
    deliver()
    made = box.subtree.create_folder("More")[0]
    for values in (
        [(pid.MESSAGE_CLASS, "IPM.Appointment"), (start, 134084844000000000), (place, "Room")],
        [(pid.MESSAGE_CLASS, "IPM.Contact"), (email, "dora@example.net")],
    ):
        message = made.create_message()
        message.set(values)
        message.save()
    found = []
    for folder in (box.inbox, made):
        table = folder.contents()
        table.set_columns([pid.MESSAGE_CLASS, start, place, email])
        found += table.query(9)
        table.restrict(restrict.Property(Relation.GREATER, start, (start, 0)))
        assert len(table) == 1
    assert found == [
        ["IPM.Schedule.Meeting.Request", 134084592000000000, "Room", None],
        ["IPM.Note", None, None, None],
        ["IPM.Appointment", 134084844000000000, "Room", None],
        ["IPM.Contact", None, None, "dora@example.net"],
    ]


def test_order_by_delivery_and_by_subject(tx: DrivenTx, box: Box) -> None:
    for number, (subject, at) in enumerate((("b", 30), ("Re: a", 10), ("C", 20))):
        entries.add(tx, [box.special["inbox"]], content_of(letter(number, subject)), received_at=at)
    table = box.inbox.contents()
    table.set_columns([pid.SUBJECT])
    table.sort(SortOrder((Key(pid.DELIVERY_TIME, Order.DESCENDING),)))
    assert table.query(9) == [["b"], ["C"], ["Re: a"]]
    table.sort(SortOrder((Key(pid.NORMALIZED_SUBJECT, Order.ASCENDING),)))
    assert table.query(9) == [["Re: a"], ["b"], ["C"]]
    table.restrict(
        restrict.Property(Relation.EQUAL, pid.DELIVERY_TIME, (pid.DELIVERY_TIME, 116444736000300000))
    )
    assert table.query(9) == [["b"]]


def test_restriction_on_recipients_looks_into_rows(box: Box, deliver: Deliver) -> None:
    deliver()
    table = box.inbox.contents()
    table.set_columns([pid.SUBJECT])
    for name, count in (("carl@example.org", 1), ("nobody", 0)):
        part = restrict.Content(restrict.Where.FULL_STRING, 1, pid.DISPLAY_NAME, (pid.DISPLAY_NAME, name))
        table.restrict(restrict.SubObject(restrict.RECIPIENTS, part))
        assert len(table) == count


def test_table_sees_what_others_change(tx: DrivenTx, box: Box, deliver: Deliver) -> None:
    deliver()
    table = box.inbox.contents()
    table.set_columns([pid.READ])
    assert table.query(9) == [[False]]
    entries.set_flags(tx, box.special["inbox"], [1], "+", SEEN)
    deliver()
    table.seek(table_origin(), 0)
    assert table.query(9) == [[True], [False]]


def table_origin() -> object:
    from quintet.mapi.table import Origin

    return Origin.BEGINNING


def test_deep_hierarchy_has_depths(box: Box) -> None:
    one, _ = box.subtree.create_folder("One")
    one.create_folder("Two")
    table = box.subtree.hierarchy(deep=True)
    table.set_columns([pid.DISPLAY_NAME, pid.DEPTH])
    rows = table.query(99)
    assert [row for row in rows if row[0] in ("One", "Two", "Inbox")] == [
        ["Inbox", 1],
        ["One", 1],
        ["Two", 2],
    ]


def test_folder_tells_its_counts(box: Box, deliver: Deliver) -> None:
    deliver()
    deliver(flags=SEEN)
    inbox = box.inbox
    assert inbox.get([pid.CONTENT_COUNT, pid.CONTENT_UNREAD, pid.FOLDER_TYPE, pid.SUBFOLDERS]) == [
        2,
        1,
        1,
        False,
    ]
    assert box.subtree.value(pid.SUBFOLDERS) is True
    assert special(box, "root").value(pid.FOLDER_TYPE) == 0
    assert inbox.value(pid.CONTAINER_CLASS) == "IPF.Note"


def test_counts_follow_within_a_transaction(box: Box) -> None:
    drafts = special(box, "drafts")
    assert drafts.value(pid.CONTENT_COUNT) == 0
    message = special(box, "drafts").create_message()
    message.set([(pid.SUBJECT, "x")])
    number = message.save()
    assert drafts.value(pid.CONTENT_COUNT) == 1
    special(box, "drafts").delete_messages([number])
    assert drafts.value(pid.CONTENT_COUNT) == 0


# --- folders that come and go -----------------------------------------------------------------------


def test_create_open_and_refuse(tx: DrivenTx, box: Box) -> None:
    """MS-OXCFOLD_R481 to R483, R1065."""
    made, there = box.subtree.create_folder("Proj/ect", comment="why")
    assert (there, made.name, made.value(pid.COMMENT), made.kind) == (
        False,
        "Proj/ect",
        "why",
        FolderKind.MAIL,
    )
    with pytest.raises(MapiError) as caught:
        box.subtree.create_folder("Proj/ect")
    assert caught.value.code == Code.COLLIDING_NAMES
    again, there = box.subtree.create_folder("Proj/ect", open_existing=True)
    assert (there, again.id) == (True, made.id)
    inner, _ = special(box, "calendar").create_folder("Team")
    assert inner.kind == FolderKind.ITEM
    assert inner.parent.id == box.special["calendar"]
    for bad in ("", "  ", "a\0b"):
        with pytest.raises(MapiError) as caught:
            made.create_folder(bad)
        assert caught.value.code == Code.INVALID_PARAMETER


def test_rename_by_its_display_name(tx: DrivenTx, box: Box) -> None:
    made, _ = box.subtree.create_folder("Old")
    made.create_folder("Child")
    assert made.set([(pid.DISPLAY_NAME, "New")]) == []
    assert folders.get(tx, made.id).name == "New"
    assert {name for name, _ in folders.outline(tx, box.account.id)} >= {"New", "New/Child"}
    (trouble,) = box.inbox.set([(pid.DISPLAY_NAME, "Mine")])
    assert trouble.code == Code.ACCESS_DENIED


def test_folder_tells_when_it_changed_itself(tx: DrivenTx, box: Box, deliver: Deliver) -> None:
    """MS-OXCFOLD_R342, R3001: its messages and folders do not count."""
    made, _ = box.subtree.create_folder("Old")
    began = made.value(pid.CREATION_TIME)
    tx.now += 60_000
    made.create_folder("Child")
    times = [pid.LAST_MODIFICATION, pid.LOCAL_COMMIT_TIME]
    assert made.get(times) == [began, began]
    made.set([(pid.DISPLAY_NAME, "New")])
    assert made.get(times) == [began + 600_000_000] * 2
    tx.now += 60_000
    made.set([(0x3004001F, "why")])
    assert made.get(times) == [began + 1_200_000_000] * 2
    assert made.parent.value(pid.LAST_MODIFICATION) < began + 600_000_000


def test_folder_tells_when_something_in_it_changed(tx: DrivenTx, box: Box, deliver: Deliver) -> None:
    """MS-OXCFOLD_R3002 to R3004: messages and folders right in it count, what lies deeper does not."""
    made, _ = box.subtree.create_folder("Old")

    def stirs(*folders: Folder) -> None:
        """What was done just now changed something in all of these, and in no other one."""
        now = types.of_ms(tx.now)
        times = {one.id: one.value(pid.LOCAL_COMMIT_TIME_MAX) for one in (box.subtree, made, box.inbox)}
        assert {number for number, time in times.items() if time == now} == {one.id for one in folders}
        tx.now += 60_000
        box.written()

    stirs(box.subtree, made, box.inbox)  # all were made now
    one, two = deliver(letter(1)), deliver(letter(2))
    stirs(box.inbox)
    box.inbox.set_read_flags([one], True)
    stirs(box.inbox)
    box.message(two).set([(pid.SUBJECT, "three")])
    stirs()  # it is not saved
    box.inbox.move_copy_messages([one], made, copy=False)
    stirs(box.inbox, made)
    box.inbox.delete_messages([two])
    stirs(box.inbox)
    child, _ = made.create_folder("Child")
    stirs(made)
    deeper, _ = child.create_folder("Deeper")
    stirs()
    child.set([(pid.COMMENT, "why")])
    stirs(made)
    child.move_folder(deeper.id, made, "Deeper")
    stirs(made)
    made.delete_folder(child.id)
    stirs(made)
    box.subtree.delete_folder(made.id, messages=True, subfolders=True)
    assert box.subtree.value(pid.LOCAL_COMMIT_TIME_MAX) == types.of_ms(tx.now)


def test_folder_tells_what_it_is(box: Box) -> None:
    """MS-OXCFOLD_R1035103, R1035105, R1035107, R1035109."""
    made, _ = special(box, "finder").create_folder("Found", search=True)
    ruletable.change(box.inbox, [{pr.RULE_ACTIONS: (rules.Action(rules.Op.DELETE),)}])
    found = [box.inbox, box.subtree, special(box, "root"), special(box, "views"), made]
    assert [one.value(pid.FOLDER_FLAGS) for one in found] == [0x1 | 0x4 | 0x8, 0x1 | 0x4, 0x4, 0x4, 0x2]


def test_hierarchy_change_number_grows(tx: DrivenTx, box: Box) -> None:
    """MS-OXCFOLD_R352: whenever a subfolder is added or deleted."""
    seen = [box.subtree.value(pid.HIERARCHY_CHANGE)]
    made, _ = box.subtree.create_folder("Below")
    seen.append(box.subtree.value(pid.HIERARCHY_CHANGE))
    box.subtree.delete_folder(made.id)
    seen.append(box.subtree.value(pid.HIERARCHY_CHANGE))
    assert seen[0] < seen[1] < seen[2]


def test_delete_folder_that_is_not_empty(tx: DrivenTx, box: Box) -> None:
    """MS-OXCFOLD_R371, R1079, R816, R817."""
    made, _ = box.subtree.create_folder("Full")
    entries.add(tx, [made.id], content_of(letter(1)), received_at=1)
    made.create_folder("Inner")
    assert box.subtree.delete_folder(made.id) is True
    assert box.subtree.delete_folder(made.id, messages=True) is True
    assert box.subtree.delete_folder(made.id, messages=True, subfolders=True) is False
    with pytest.raises(MapiError) as caught:
        box.subtree.delete_folder(made.id)
    assert caught.value.code == Code.NOT_FOUND  # R507
    with pytest.raises(MapiError) as caught:
        box.subtree.delete_folder(box.special["inbox"])
    assert caught.value.code == Code.ACCESS_DENIED


def test_move_and_copy_folders(tx: DrivenTx, box: Box) -> None:
    """MS-OXCFOLD_R595 to R605, R1122."""
    one, _ = box.subtree.create_folder("One")
    two, _ = box.subtree.create_folder("Two")
    child, _ = one.create_folder("Child")
    entries.add(tx, [child.id], content_of(letter(1)), received_at=1)
    named = types.tag_of(box.property_ids([Named(uuid.UUID(int=2), "colour")], create=True)[0], types.STRING)
    one.set([(named, "blue"), (pid.COMMENT, "the first")])
    copied, failed = box.subtree.copy_folder(one.id, two, "Copy", deep=True)
    assert failed is False
    assert copied.get([named, pid.COMMENT]) == ["blue", "the first"]
    assert [each.name for each in copied.subfolders()] == ["Child"]
    assert copied.subfolders()[0].value(pid.CONTENT_COUNT) == 1
    with pytest.raises(MapiError) as caught:
        box.subtree.move_folder(one.id, child, "x")
    assert caught.value.code == Code.FOLDER_CYCLE
    box.subtree.move_folder(one.id, two, "Moved")
    assert folders.get(tx, child.id).name == "Two/Moved/Child"
    with pytest.raises(MapiError) as caught:
        box.subtree.move_folder(two.id, special(box, "calendar"), "")
    assert caught.value.code == Code.NOT_SUPPORTED


# --- messages that go elsewhere ---------------------------------------------------------------------


def test_move_keeps_letter_and_properties(tx: DrivenTx, box: Box, deliver: Deliver) -> None:
    number = deliver()
    message = box.message(number)
    message.set([(0x66100003, 9)])
    message.save()
    pairs, failed = box.inbox.move_copy_messages([number, 999999], special(box, "trash"), copy=False)
    assert failed is True  # MS-OXCFOLD_R586
    again = box.message(pairs[number])
    assert (again.folder.id, again.value(0x66100003)) == (box.special["trash"], 9)
    with pytest.raises(MapiError) as caught:
        box.message(number)
    assert caught.value.code == Code.NOT_FOUND
    pairs, _ = special(box, "trash").move_copy_messages([again.number], box.inbox, copy=True)
    assert box.message(pairs[again.number]).value(0x66100003) == 9
    assert tx.value("SELECT count(*) FROM message") == 1  # copies share the bytes


def test_item_becomes_a_letter_in_a_mail_folder(tx: DrivenTx, box: Box) -> None:
    contact = special(box, "contacts").create_message()
    contact.set([(pid.MESSAGE_CLASS, "IPM.Contact"), (pid.SUBJECT, "Dora"), (0x3A06001F, "Dora")])
    number = contact.save()
    pairs, failed = special(box, "contacts").move_copy_messages([number], special(box, "trash"), copy=False)
    assert failed is False
    again = box.message(pairs[number])
    assert again.row is not None
    assert again.row.blob_id is not None
    assert again.get([pid.MESSAGE_CLASS, 0x3A06001F]) == ["IPM.Contact", "Dora"]
    back, _ = special(box, "trash").move_copy_messages([again.number], special(box, "contacts"), copy=False)
    assert box.message(back[again.number]).value(pid.MESSAGE_CLASS) == "IPM.Contact"


def test_to_another_mailbox_named_properties_get_its_numbers(
    tx: DrivenTx, box: Box, deliver: Deliver, files: Blobs
) -> None:
    bob = accounts.create(tx, "bob@example.org")
    his = objects.logon(tx, bob.id, bob.id, files=files)
    with his.using(tx):
        access.grant(tx, his.special["inbox"], box.reader.name, "lrswi")
        his.property_ids([Named(uuid.UUID(int=1), n) for n in range(5)], create=True)
    there = objects.logon(tx, bob.id, box.reader.id, files=files)
    name = Named(uuid.UUID(int=5), "mine")
    (own,) = box.property_ids([name], create=True)
    number = deliver()
    message = box.message(number)
    message.set([(types.tag_of(own, types.INTEGER32), 7)])
    message.save()
    with there.using(tx):
        pairs, _ = box.inbox.move_copy_messages([number], there.inbox, copy=True)
        (other,) = there.property_ids([name])
        assert other != own
        assert there.message(pairs[number]).value(types.tag_of(other, types.INTEGER32)) == 7


def test_soft_deleted_comes_back_with_its_properties(tx: DrivenTx, box: Box, deliver: Deliver) -> None:
    keeping.set_window(tx, 86_400_000)
    contact = special(box, "contacts").create_message()
    contact.set([(pid.MESSAGE_CLASS, "IPM.Contact"), (0x3A06001F, "Dora")])
    gone = [(special(box, "contacts"), contact.save()), (box.inbox, deliver())]
    for folder, number in gone:
        assert folder.delete_messages([number]) is False
    kept = keeping.listing(tx, box.account.id)
    assert len(kept) == 2
    keeping.restore(tx, kept)
    table = special(box, "contacts").contents()
    table.set_columns([0x3A06001F])
    assert table.query(9) == [["Dora"]]


def test_soft_deleted_is_seen_read_and_moved_back(tx: DrivenTx, box: Box, deliver: Deliver) -> None:
    """MS-OXCFOLD soft deleted tables; MS-OXCMSG_R325, R326, R335."""
    keeping.set_window(tx, 86_400_000)
    number = deliver()
    message = box.message(number)
    message.set([(0x66100003, 9)])
    message.save()
    box.inbox.delete_messages([number])
    table = box.inbox.contents(deleted=True)
    table.set_columns([pid.MESSAGE_ID, pid.SUBJECT, 0x66100003])
    assert table.query(9) == [[numbers.on_wire(number), "Re: Café menu", 9]]
    assert box.inbox.value(pid.DELETED_COUNT) == 1
    with pytest.raises(MapiError) as caught:
        box.inbox.message(number)
    assert caught.value.code == Code.NOT_FOUND
    gone = box.inbox.message(number, deleted=True)
    assert gone.value(0x66100003) == 9
    with pytest.raises(MapiError) as caught:
        gone.set([(pid.SUBJECT, "x")])
    assert caught.value.code == Code.ACCESS_DENIED
    pairs, failed = box.inbox.move_copy_messages([number], special(box, "archive"), copy=False)
    assert failed is False
    assert box.message(pairs[number]).get([pid.SUBJECT, 0x66100003]) == ["Re: Café menu", 9]
    assert len(table) == 0


def test_hard_deleted_does_not(tx: DrivenTx, box: Box, deliver: Deliver) -> None:
    keeping.set_window(tx, 86_400_000)
    number = deliver()
    message = box.message(number)
    message.set([(0x66100003, 9)])
    message.save()
    assert box.inbox.delete_messages([number], hard=True) is False
    assert keeping.listing(tx, box.account.id) == []


def test_empty_folder(tx: DrivenTx, box: Box) -> None:
    """MS-OXCFOLD_R1129, R617, R618, R3012."""
    made, _ = box.subtree.create_folder("Full")
    entries.add(tx, [made.id], content_of(letter(1)), received_at=1)
    hidden = made.create_message(associated=True)
    hidden.set([(pid.SUBJECT, "rule")])
    hidden.save()
    made.create_folder("Inner")
    assert made.empty() is False
    assert made.get([pid.CONTENT_COUNT, pid.ASSOCIATED_COUNT, pid.SUBFOLDERS]) == [0, 1, False]
    assert made.empty(associated=True) is False
    assert made.value(pid.ASSOCIATED_COUNT) == 0
    with pytest.raises(MapiError) as caught:
        box.subtree.empty()
    assert caught.value.code == Code.NOT_SUPPORTED


# --- public folders ---------------------------------------------------------------------------------


def test_groups_are_public_folders(tx: DrivenTx, ann: Account, files: Blobs) -> None:
    news = accounts.news(tx)
    groups.create(tx, "misc.test", "y")
    public = objects.logon(tx, news.id, ann.id, files=files)
    with public.using(tx):
        assert public.logon_folders()[:6] != [0] * 6
        assert names(public.subtree.hierarchy()) == ["misc.test"]
        (group,) = public.subtree.subfolders()
        assert group.is_group
        groups.file(
            tx, [group.id], content_of(letter(1)), path=b"x!not-for-mail", host="x.org", received_at=1
        )  # fmt: skip
        bob = accounts.create(tx, "bob@example.org")
        other = objects.logon(tx, news.id, bob.id, files=files)
        (number,) = pages.ids(tx, group.id)
        assert public.message(number).set_read(True)
        assert group.get([pid.CONTENT_COUNT, pid.CONTENT_UNREAD]) == [1, 0]
        with other.using(tx):  # each reader has marks of their own
            assert other.message(number).is_read is False
            assert other.folder(group.id).value(pid.CONTENT_UNREAD) == 1
            assert other.message(number).value(pid.MESSAGE_CLASS) in ("IPM.Post", "IPM.Note")
        with pytest.raises(MapiError) as caught:
            public.subtree.create_folder("mine")
        assert caught.value.code == Code.ACCESS_DENIED
