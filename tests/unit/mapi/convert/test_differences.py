"""What MIME does not carry is kept, and no more than that."""

from __future__ import annotations

import uuid

from quintet.mapi import types
from quintet.mapi.bag import Attachment, Item, NamedTag
from quintet.mapi.convert import calkeys as keys
from quintet.mapi.convert import cardkeys, difference, from_mime, is_content, merge, names, to_mime
from quintet.mapi.tags import tag

CATEGORY = NamedTag(uuid.UUID(int=7), "Colour", types.STRING)
ICON = tag("PidTagIconIndex")


def _derived(stored: Item) -> Item:
    return from_mime(b"".join(to_mime(stored)))


def _row(address: str, kind: int = 1) -> dict[object, object]:
    return {names.SMTP_ADDRESS: address, names.EMAIL_ADDRESS: address, names.RECIPIENT_TYPE: kind}


def test_what_mime_says_is_not_kept_again() -> None:
    stored = Item({names.SUBJECT: "Größe", names.BODY: "Hello\r\n", names.MESSAGE_CLASS: "IPM.Note"})
    stored.recipients = [{**_row("a@b.org"), names.DISPLAY_NAME: "A"}]
    stored.attachments = [
        Attachment({names.ATTACH_LONG_NAME: "a.bin", names.ATTACH_MIME_TAG: "image/png"}, b"\0\1")
    ]
    found = difference(stored, _derived(stored))
    assert found.change.props == {} and found.recipients is None and found.attachments is None
    assert found.change.gone == [names.TRANSPORT_HEADERS]  # nobody sent it yet


def test_other_properties_are_kept_and_come_back() -> None:
    stored = Item({names.SUBJECT: "x", ICON: 256, CATEGORY: "red", names.MESSAGE_CLASS: "IPM.Note.Form"})
    derived = _derived(stored)
    found = difference(stored, derived)
    assert found.change.props == {ICON: 256, CATEGORY: "red", names.MESSAGE_CLASS: "IPM.Note.Form"}
    assert found.change.props.items() <= merge(derived, found).props.items()


def test_deleted_property_stays_deleted() -> None:
    derived = from_mime(b"From: a@b.org\r\nX-Mailer: Mutt\r\nKeywords: red\r\n\r\nhi")
    stored = Item({key: value for key, value in derived.props.items() if key != names.KEYWORDS})
    found = difference(stored, derived)
    assert found.change.gone == [names.KEYWORDS] and not found.change.props
    assert names.KEYWORDS not in merge(derived, found).props


def test_recipients_in_another_order_and_with_more_to_say() -> None:
    stored = Item(
        recipients=[_row("c@x.org", 2), {**_row("a@x.org"), tag("PidTagRowid"): 7}, _row("b@x.org")]
    )  # type: ignore[list-item]
    derived = _derived(stored)
    found = difference(stored, derived)
    assert found.recipients is not None and [row.base for row in found.recipients] == [2, 0, 1]
    assert [row.change.props for row in found.recipients] == [{}, {tag("PidTagRowid"): 7}, {}]
    merged = merge(derived, found).recipients
    assert [row[names.SMTP_ADDRESS] for row in merged] == ["c@x.org", "a@x.org", "b@x.org"]


def test_recipient_without_an_address_is_kept_whole() -> None:
    stored = Item(recipients=[{names.DISPLAY_NAME: "Somebody", names.RECIPIENT_TYPE: 1}])
    derived = _derived(stored)
    assert derived.recipients == []
    assert merge(derived, difference(stored, derived)).recipients == stored.recipients


def test_attachments_differ_by_properties_not_by_their_bytes() -> None:
    big = bytes(range(256)) * 500
    stored = Item(
        attachments=[Attachment({names.ATTACH_LONG_NAME: "a", ICON: 1}, big), Attachment({}, b"second")]
    )
    derived = _derived(stored)
    found = difference(stored, derived)
    assert found.attachments is not None
    assert [(one.base, one.data) for one in found.attachments] == [(0, None), (1, None)]
    assert found.attachments[0].change.props == {ICON: 1}
    merged = merge(derived, found)
    assert merged.attachments[0].props[ICON] == 1 and merged.attachments[1].data == b"second"


def test_embedded_messages_differ_within() -> None:
    stored = Item(
        attachments=[Attachment({names.ATTACH_METHOD: 5}, item=Item({names.SUBJECT: "in", ICON: 3}))]
    )
    derived = _derived(stored)
    found = difference(stored, derived)
    assert found.attachments is not None and found.attachments[0].item is None
    inner = merge(derived, found).attachments[0].item
    assert inner is not None and inner.props[ICON] == 3 and inner.props[names.SUBJECT] == "in"


def test_attachment_that_the_letter_does_not_have_and_one_that_it_loses() -> None:
    derived = from_mime(b"From: a@b\r\nContent-Type: application/x-y; name=a.bin\r\n\r\nbytes")
    stored = Item(dict(derived.props), attachments=[Attachment({ICON: 1}, b"other", item=None)])
    merged = merge(derived, difference(stored, derived))
    assert [(one.data, one.props.get(ICON)) for one in merged.attachments] == [(b"other", 1)]
    bare = Item(dict(derived.props))
    assert merge(derived, difference(bare, derived)).attachments == []


def test_merge_changes_neither() -> None:
    derived = from_mime(b"From: a@b\r\nTo: c@d\r\n\r\nhi")
    before = repr(derived)
    merge(derived, difference(Item({ICON: 1}), derived)).props[ICON] = 2
    assert repr(derived) == before


def test_which_properties_make_another_letter() -> None:
    for key in (names.SUBJECT, names.BODY, names.HTML, names.SENDER.name, names.IMPORTANCE):
        assert is_content(key)
    assert is_content(NamedTag(names.INTERNET_HEADERS, "x-mailer", types.STRING))
    for kind, key in (
        ("IPM.Appointment", keys.LOCATION), ("IPM.Schedule.Meeting.Request", keys.START),
        ("IPM.Task.Own", keys.TASK_DUE), ("IPM.Contact", cardkeys.SURNAME),
        ("IPM.DistList", cardkeys.MEMBERS),
    ):  # fmt: skip
        assert is_content(key, kind) and not is_content(key, "IPM.Note")
    assert not is_content(keys.REMINDER_SET, "IPM.Appointment")
    for other in (names.KEYWORDS, names.FLAG_STATUS, names.FLAG_REQUEST, ICON, CATEGORY, names.REPLY_TIME):
        assert not is_content(other)
