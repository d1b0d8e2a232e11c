"""winmail.dat: opened on arrival, written on request (MS-OXCMAIL 2.1.3.2.26, 2.4)."""

from __future__ import annotations

import email
import uuid

import pytest
import tnefparse

from quintet.mapi import rtf, tnef, types
from quintet.mapi.bag import Attachment, Bag, Item, NamedTag
from quintet.mapi.convert import addressing, calkeys, from_mime, names, richwrite, tnefparts, to_mime
from quintet.mapi.convert.sources import Whole
from quintet.mapi.tags import tag
from quintet.message import build

FLAG = NamedTag(uuid.UUID(int=9), 3, types.INTEGER32)
FILE = Attachment(
    {names.ATTACH_METHOD: 1, names.ATTACH_LONG_NAME: "a.bin", names.ATTACH_MIME_TAG: "image/png"}, b"\0\1"
)


def _letter(
    carried: Bag, *, correlator: str = "", name: str = "winmail.dat", kind: str = "application/ms-tnef"
) -> bytes:
    stream = tnef.write(Item(carried, attachments=[FILE]))
    head = [("From", "a@b.org"), ("To", "c@d.org"), ("Subject", "outer"), ("Message-ID", "<1@b>")]
    if correlator:
        head.append(("X-MS-TNEF-Correlator", correlator))
    return build.compose(head, "plain words", [build.Attachment(stream, kind, name)])


def test_properties_and_attachments_come_out_of_the_part() -> None:
    html = rtf.compress(richwrite.of_html("<p>rich</p>"))
    item = from_mime(
        _letter({names.MESSAGE_CLASS: "IPM.Task", FLAG: 7, names.RTF: html, names.SUBJECT: "inner"})
    )
    bag = item.props
    assert (bag[names.MESSAGE_CLASS], bag[FLAG], bag[names.RTF]) == ("IPM.Task", 7, html)
    assert bag[names.BODY] == "plain words\r\n"
    assert bag[names.SUBJECT] == "outer", "the header says what the letter is called"
    assert [(one.props[names.ATTACH_LONG_NAME], one.data) for one in item.attachments] == [("a.bin", b"\0\1")]
    assert [row[names.SMTP_ADDRESS] for row in item.recipients] == ["c@d.org"]


@pytest.mark.parametrize("key", [tag("PidTagMessageFlags"), tag("PidTagMessageSize"), tag("PidTagMid")])
def test_properties_of_a_store_are_not_taken_from_a_stranger(key: int) -> None:
    assert key not in from_mime(_letter({key: 1})).props


def test_sender_of_the_header_counts() -> None:
    bag = from_mime(_letter({names.SENDER.smtp: "forged@b.org", names.SENDER.name: "Forged"})).props
    assert (bag[names.SENDER.smtp], bag[names.SENDER.name]) == ("a@b.org", "a@b.org")


@pytest.mark.parametrize(
    ("correlator", "key", "opened"),
    [
        ("<1@b>", b"<1@b>\0", True),
        ("<1@b>", b"<2@b>\0", False),  # it was attached to another letter and sent on
        ("", b"<2@b>\0", True),
        ("<1@b>", b"", True),
    ],
)
def test_part_of_another_letter_is_a_file(correlator: str, key: bytes, opened: bool) -> None:
    item = from_mime(_letter({FLAG: 7, tnefparts.CORRELATION_KEY: key}, correlator=correlator))
    assert (FLAG in item.props) is opened
    assert item.attachments[0].props[names.ATTACH_LONG_NAME] == ("a.bin" if opened else "winmail.dat")
    again = from_mime(b"".join(to_mime(item)))  # and sent on once more
    assert [one.data for one in again.attachments] == [one.data for one in item.attachments]
    assert FLAG not in again.props


def test_part_is_known_by_its_name_too() -> None:
    assert FLAG in from_mime(_letter({FLAG: 7}, kind="application/octet-stream")).props
    assert FLAG not in from_mime(_letter({FLAG: 7}, kind="application/octet-stream", name="other.dat")).props


def test_part_that_is_none_stays_a_file() -> None:
    raw = build.compose(
        [("From", "a@b.org")], "x", [build.Attachment(b"no TNEF", "application/ms-tnef", "winmail.dat")]
    )
    (one,) = from_mime(raw).attachments
    assert one.data == b"no TNEF"


def test_letter_with_tnef_carries_everything_to_mapi_and_the_words_to_others() -> None:
    rows: list[Bag] = [
        {names.SMTP_ADDRESS: "you@x.org", names.RECIPIENT_TYPE: 1},
        {names.SMTP_ADDRESS: "blind@x.org", names.RECIPIENT_TYPE: 3},
    ]
    bag: Bag = {names.MESSAGE_CLASS: "IPM.Note.Form", names.SUBJECT: "s", names.BODY: "words\r\n", FLAG: 7}
    bag |= {names.MESSAGE_ID: "<9@x>", names.REPRESENTING.smtp: "me@x.org"}
    within = Attachment({names.ATTACH_METHOD: 5}, item=Item({names.SUBJECT: "within"}))
    raw = b"".join(to_mime(Item(bag, rows, [FILE, within]), bcc=False, tnef=True))
    letter = email.message_from_bytes(raw)
    assert letter["X-MS-TNEF-Correlator"] == "<9@x>"
    plain, part = letter.get_payload()
    assert plain.get_payload() == "words\r\n" and part.get_content_type() == "application/ms-tnef"
    stream = part.get_payload(decode=True)
    assert isinstance(stream, bytes) and b"blind" not in raw and "blind".encode("utf-16-le") not in stream
    assert tnefparse.TNEF(stream).attachments[0].long_filename() == "a.bin"
    back = from_mime(raw)
    assert back.props[names.MESSAGE_CLASS] == "IPM.Note.Form" and back.props[FLAG] == 7
    assert back.attachments[0].data == b"\0\1"
    inner = back.attachments[1].item
    assert inner is not None and inner.props[names.SUBJECT] == "within"


def test_large_attachments_stream_through_tnef() -> None:
    big = bytes(range(256)) * 4000
    item = Item({names.BODY: "x"}, attachments=[Attachment(dict(FILE.props), Whole(big))])
    pieces = list(to_mime(item, tnef=True))
    assert max(map(len, pieces)) < 200_000
    assert from_mime(b"".join(pieces)).attachments[0].data == big


def test_what_asks_for_a_task_always_has_the_part() -> None:
    """MS-OXOTASK 2.2.3: the task lies within, and no header says what the message is."""
    task = Item({names.MESSAGE_CLASS: "IPM.Task", names.SUBJECT: "Paint", FLAG: 7})
    request = Item(
        {names.MESSAGE_CLASS: "IPM.TaskRequest", names.SUBJECT: "Paint", names.BODY: "Please"},
        attachments=[Attachment({names.ATTACH_METHOD: 5}, item=task)],
    )
    found = from_mime(b"".join(to_mime(request)))
    assert (found.props[names.MESSAGE_CLASS], found.props[names.BODY]) == ("IPM.TaskRequest", "Please")
    (within,) = found.attachments
    assert within.item is not None
    assert (within.item.props[names.MESSAGE_CLASS], within.item.props[FLAG]) == ("IPM.Task", 7)


def test_a_calendar_beside_the_part_is_what_the_item_is() -> None:
    """Not a file of it, though nobody wrote a text: recipients have their answers from it."""
    bag: Bag = {names.MESSAGE_CLASS: "IPM.Appointment", names.SUBJECT: "Lunch", FLAG: 7}
    bag |= {calkeys.START: 134_000_000_000_000_000, calkeys.END: 134_000_001_000_000_000}
    bag[calkeys.STATE] = 1
    who = addressing.row(("Bob", "SMTP", "bob@b.org"), 1) | {calkeys.TRACK_STATUS: 3}
    found = from_mime(b"".join(to_mime(Item(bag, [who]), tnef=True)))
    assert (found.props[names.MESSAGE_CLASS], found.props[FLAG]) == ("IPM.Appointment", 7)
    assert found.attachments == []
    assert [row[calkeys.TRACK_STATUS] for row in found.recipients] == [3]
