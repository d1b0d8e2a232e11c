"""Messages as objects: what came as MIME, what is made by properties, what saving does (MS-OXCMSG)."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from quintet.mapi import types
from quintet.mapi.bag import Bag
from quintet.mapi.convert import bodies
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import Box, numbers, pid, stored
from quintet.mapi.objects import message as messages
from quintet.mapi.types import Error, Named, Value
from quintet.message.digest import Digest
from quintet.store import entries, folders, items
from quintet.store.db import DrivenTx
from quintet.store.model import ANSWERED, DRAFT, FLAGGED, SEEN, EntryId

Deliver = Callable[..., int]


def raw_of(tx: DrivenTx, number: int) -> bytes:
    return bytes(
        tx.value(
            "SELECT b.data FROM entry e JOIN message m ON m.id = e.message_id JOIN blob b ON b.id = m.blob_id"
            " WHERE e.id = ?", number,
        )
    )  # fmt: skip


def uid_of(tx: DrivenTx, number: int) -> int:
    return int(tx.value("SELECT uid FROM entry WHERE id = ?", number))


def test_letter_shows_its_properties(box: Box, deliver: Deliver) -> None:
    number = deliver()
    message = box.message(number)
    assert message.get([pid.SUBJECT, pid.NORMALIZED_SUBJECT, pid.SENDER_NAME, pid.BODY]) == [
        "Re: Café menu", "Café menu", "Zoë", "Soup.",
    ]  # fmt: skip
    assert message.get([pid.MESSAGE_ID, pid.FOLDER_ID, pid.ASSOCIATED]) == [
        numbers.on_wire(number), numbers.on_wire(box.special["inbox"]), False,
    ]  # fmt: skip
    assert message.get([pid.DISPLAY_TO, pid.DISPLAY_CC]) == ["Ann; bob@example.org", "carl@example.org"]
    assert message.value(pid.MESSAGE_FLAGS) == pid.MF_HAS_ATTACH
    assert message.value(pid.HAS_ATTACHMENTS) is True
    assert message.get([0x12340003]) == [Error(Code.NOT_FOUND)]  # MS-OXCPRPT_R874
    assert message.get([0x00370000]) == [(types.STRING, "Re: Café menu")]  # without a type: its own
    assert message.get([0x0037001E]) == ["Re: Café menu"]
    assert [row[pid.DISPLAY_NAME] for row in message.recipients.values()] == [
        "Ann", "bob@example.org", "carl@example.org",
    ]  # fmt: skip
    attached = message.attachment(message.numbers()[0])
    assert (attached.data, attached.value(pid.ATTACH_DATA)) == (b"PDF", b"PDF")


def test_all_properties_are_those_that_are_listed(box: Box, deliver: Deliver) -> None:
    """MS-OXCPRPT_R471, R472."""
    message = box.message(deliver())
    assert [tag for tag, _ in message.everything()] == message.tags()
    assert pid.SUBJECT in message.tags()


def test_what_mime_does_not_carry_leaves_letter_and_number_alone(
    tx: DrivenTx, box: Box, deliver: Deliver
) -> None:
    number = deliver()
    before, uid = raw_of(tx, number), uid_of(tx, number)
    (reminder,) = box.property_ids([Named(uuid.UUID(int=5), 0x8502)], create=True)
    tag = types.tag_of(reminder, types.TIME)
    message = box.message(number)
    assert message.set([(tag, 1234567890), (pid.FLAG_STATUS, 2), (pid.LAST_VERB, 103)]) == []
    assert message.value(tag) == 1234567890  # MS-OXCPRPT_R476
    assert isinstance(box.message(number).get([tag])[0], Error)  # R478: not before it is saved
    message.save()
    again = box.message(number)
    assert again.get([tag, pid.FLAG_STATUS, pid.LAST_VERB]) == [1234567890, 2, 103]
    assert (raw_of(tx, number), uid_of(tx, number)) == (before, uid)
    assert entries.by_id(tx, EntryId(number)).flags == FLAGGED | ANSWERED
    entries.set_flags(tx, box.special["inbox"], [uid], "-", FLAGGED | ANSWERED)
    again = box.message(number)
    assert [type(value) for value in again.get([pid.FLAG_STATUS, pid.LAST_VERB])] == [Error, Error]


def test_other_content_is_another_letter_with_the_same_id(tx: DrivenTx, box: Box, deliver: Deliver) -> None:
    """docs/decisions/0117: a new message and a new number, the same object."""
    number = deliver()
    (reminder,) = box.property_ids([Named(uuid.UUID(int=5), "kept")], create=True)
    message = box.message(number)
    message.set([(pid.SUBJECT, "Fwd: tea"), (types.tag_of(reminder, types.INTEGER32), 7)])
    assert message.value(pid.NORMALIZED_SUBJECT) == "tea"
    assert message.save() == number
    assert uid_of(tx, number) == 2
    raw = raw_of(tx, number)
    assert b"Subject: Fwd: tea\r\n" in raw
    assert b"menu.pdf" in raw
    again = box.message(number)
    assert again.get([pid.SUBJECT, types.tag_of(reminder, types.INTEGER32)]) == ["Fwd: tea", 7]
    assert again.attachment(0).data == b"PDF"


def test_deleted_property_stays_deleted(box: Box, deliver: Deliver) -> None:
    """MS-OXCPRPT_R485, R486."""
    number = deliver()
    message = box.message(number)
    assert message.remove([pid.INTERNET_REFERENCES, 0x007D001F, pid.MESSAGE_ID]) == [
        *message.remove([pid.MESSAGE_ID])[:0],
        type(message.remove([pid.MESSAGE_ID])[0])(2, pid.MESSAGE_ID, Code.COMPUTED_VALUE),
    ]
    message.save()
    assert isinstance(box.message(number).get([0x007D001F])[0], Error)  # the transport's headers


def test_draft_is_a_correct_letter_for_everybody(tx: DrivenTx, box: Box) -> None:
    drafts = box.folder(box.special["drafts"])
    message = drafts.create_message()
    assert message.value(pid.MESSAGE_FLAGS) == 0x409  # MS-OXCMSG_R1480
    assert message.get([pid.IMPORTANCE, pid.MESSAGE_CLASS]) == [1, "IPM.Note"]  # R341, R342
    message.set([(pid.SUBJECT, "Grüße"), (pid.BODY, "Hallo\r\n")])
    message.modify_recipients(
        {0: {pid.RECIPIENT_TYPE: 1, pid.DISPLAY_NAME: "Bob", pid.SMTP_ADDRESS: "b@x.org"}}
    )
    assert folders.get(tx, drafts.id).messages == 0  # R339
    number = message.save()
    digest = Digest.from_bytes(tx.value("SELECT digest FROM blob ORDER BY id DESC LIMIT 1"))
    assert digest.header("to") == b"Bob <b@x.org>"
    assert digest.header("from") == b"Ann Ames <ann@example.org>"
    assert digest.header("date") is not None
    assert entries.by_id(tx, EntryId(number)).flags == SEEN | DRAFT
    again = box.message(number)
    assert again.get([pid.SUBJECT, pid.BODY]) == ["Grüße", "Hallo\r\n"]
    assert again.recipients[0][pid.DISPLAY_NAME] == "Bob"


def test_contact_is_no_letter(tx: DrivenTx, box: Box) -> None:
    contacts = box.folder(box.special["contacts"])
    message = contacts.create_message()
    message.set([(pid.MESSAGE_CLASS, "IPM.Contact"), (pid.DISPLAY_NAME, "Dora"), (0x3A06001F, "Do")])
    photo = message.create_attachment()
    photo.set([(0x3704001F, "photo.jpg"), (pid.ATTACH_DATA, b"JPG" * 1000)])
    photo.save()
    number = message.save()
    assert tx.one("SELECT m.blob_id FROM entry e JOIN message m ON m.id = e.message_id") == (None,)
    again = box.message(number)
    assert again.get([pid.MESSAGE_CLASS, pid.DISPLAY_NAME, 0x3A06001F]) == ["IPM.Contact", "Dora", "Do"]
    assert again.attachment(0).data == b"JPG" * 1000
    again.set([(0x3A06001F, "Dora")])
    again.delete_attachment(0)
    again.save()
    last = box.message(number)
    assert (last.value(0x3A06001F), last.numbers()) == ("Dora", [])


def test_hidden_message_is_not_counted(tx: DrivenTx, box: Box) -> None:
    inbox = box.inbox
    message = inbox.create_message(associated=True)
    message.set([(pid.MESSAGE_CLASS, "IPM.Configuration.X"), (pid.SUBJECT, "settings")])
    number = message.save()
    assert folders.get(tx, inbox.id).messages == 0
    assert list(entries.uids(tx, inbox.id)) == []
    assert inbox.value(pid.ASSOCIATED_COUNT) == 1
    assert box.message(number).value(pid.ASSOCIATED) is True
    assert items.remove_hidden(tx, folders.get(tx, inbox.id), [EntryId(number)]) == 1


def test_second_of_two_that_save_is_told(box: Box, deliver: Deliver) -> None:
    """MS-OXCMSG_R704, R705, R1053."""
    number = deliver()
    one, other = box.message(number), box.message(number)
    one.set([(pid.SUBJECT, "one")])
    other.set([(pid.SUBJECT, "other")])
    one.save()
    with pytest.raises(MapiError) as caught:
        other.save()
    assert caught.value.code == Code.OBJECT_CHANGED
    other.save(force=True)
    assert box.message(number).value(pid.SUBJECT) == "other"


def test_read_state_is_no_change_of_content(box: Box, deliver: Deliver) -> None:
    """MS-OXCMSG_R1710: not the change key; house.md 7.8."""
    number = deliver()
    message = box.message(number)
    before = message.value(pid.CHANGE_KEY)
    assert message.set_read(True) is True
    assert message.set_read(True) is False
    assert message.value(pid.MESSAGE_FLAGS) & pid.MF_READ
    assert box.message(number).value(pid.CHANGE_KEY) == before


def test_recipients_are_replaced_whole(box: Box, deliver: Deliver) -> None:
    """MS-OXCMSG_R389 to R395, R1491."""
    number = deliver()
    message = box.message(number)
    message.modify_recipients({1: None, 2: {pid.DISPLAY_NAME: "New", pid.SMTP_ADDRESS: "n@x.org"}, 9: {
        pid.RECIPIENT_TYPE: 3, pid.DISPLAY_NAME: "Blind", pid.SMTP_ADDRESS: "z@x.org"}})  # fmt: skip
    assert list(message.recipients) == [0, 2, 9]
    assert message.get([pid.DISPLAY_TO, pid.DISPLAY_BCC]) == ["Ann; New", "Blind"]
    assert list(box.message(number).recipients) == [0, 1, 2]
    message.save()
    assert list(box.message(number).recipients) == [0, 1, 2]
    assert box.message(number).value(pid.DISPLAY_BCC) == "Blind"
    message = box.message(number)
    message.remove_recipients()
    message.remove_recipients()
    message.save()
    assert box.message(number).recipients == {}


def test_embedded_message_is_kept(box: Box) -> None:
    """MS-OXCMSG_R481."""
    for role in ("drafts", "calendar"):
        message = box.folder(box.special[role]).create_message()
        message.set([(pid.SUBJECT, "outer"), (pid.BODY, "see inside")])
        attached = message.create_attachment()
        inner = attached.embedded(create=True)
        inner.set([(pid.SUBJECT, "inner"), (pid.BODY, "deep"), (0x66100003, 5)])
        inner.save()
        attached.save()
        found = box.message(message.save()).attachment(0).embedded()
        assert found.get([pid.SUBJECT, pid.BODY, 0x66100003]) == ["inner", "deep", 5]


def test_objects_are_bounded(box: Box, deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    number = deliver()
    message = box.message(number)
    many = [(types.tag_of(one, types.INTEGER32), 1) for one in range(0x6610, 0x6610 + 5000)]
    with pytest.raises(MapiError) as caught:
        message.set(many)
    assert caught.value.code == Code.OUT_OF_RESOURCES
    with pytest.raises(MapiError) as caught:
        message.modify_recipients({at: {pid.DISPLAY_NAME: "x"} for at in range(6000)})
    assert caught.value.code == Code.OUT_OF_RESOURCES
    monkeypatch.setattr(stored, "MAX_ATTACHMENTS", 2)
    message.create_attachment().save()
    with pytest.raises(MapiError) as caught:
        message.create_attachment()
    assert caught.value.code == Code.MAX_ATTACHMENTS  # MS-OXCMSG_R1060
    monkeypatch.setattr(messages, "MAX_SIZE", 100)
    with pytest.raises(MapiError) as caught:
        message.save()
    assert caught.value.code == Code.MAX_SUBMISSION


@pytest.mark.parametrize(
    ("tag", "value", "code"),
    [
        (pid.MESSAGE_ID, 5, Code.COMPUTED_VALUE),
        (0x00370000, "x", Code.INVALID_PARAMETER),
        (pid.SUBJECT, "nul\0", Code.INVALID_PARAMETER),
        (0x66100003, "text", Code.INVALID_PARAMETER),
        (0x66100003, 1 << 40, Code.INVALID_PARAMETER),
        (0x9999001F, "nobody's name", Code.INVALID_PARAMETER),
    ],
)
def test_what_cannot_be_set_is_told(box: Box, deliver: Deliver, tag: int, value: object, code: Code) -> None:
    """MS-OXCPRPT_R475, R47505."""
    message = box.message(deliver())
    troubles = message.set([(0x66110003, 1), (tag, value)])
    assert [(one.index, one.tag, one.code) for one in troubles] == [(1, tag, code)]
    assert message.value(0x66110003) == 1


def test_a_body_that_is_made_is_made_once(tx: DrivenTx, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """MS-OXBBODY 2.1.3: asked for as a property and again as a stream; anew when another form is written."""
    made: list[int] = []
    synthesized = bodies.synthesized

    def spied(bag: Bag, key: int) -> Value | None:
        made.append(key)
        return synthesized(bag, key)

    monkeypatch.setattr(bodies, "synthesized", spied)
    message = box.inbox.create_message()
    message.set([(pid.HTML, b"<p>one</p>")])
    assert [message.value(pid.BODY) for _ in range(2)] == ["one\r\n"] * 2
    assert made == [pid.BODY]
    message.set([(pid.HTML, b"<p>two</p>")])
    assert message.value(pid.BODY) == "two\r\n"
