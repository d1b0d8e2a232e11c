"""What we write as .msg is read by extract-msg and olefile."""

from __future__ import annotations

import datetime
import io

import pytest

from quintet.mapi import msgfile, named, rtf
from quintet.mapi.bag import Attachment, Item
from quintet.mapi.tags import tag

extract_msg = pytest.importorskip("extract_msg")
PUBLIC, APPOINTMENT = "{00020329-0000-0000-C000-000000000046}", "{00062002-0000-0000-C000-000000000046}"
RTF = b"{\\rtf1\\ansi\\pard hello rich world}"


def item() -> Item:
    inner = Item(
        {tag("PR_SUBJECT"): "inner", tag("PR_BODY"): "deep"},
        [
            {
                tag("PR_DISPLAY_NAME"): "Bob",
                tag("PR_EMAIL_ADDRESS"): "bob@example.org",
                tag("PR_RECIPIENT_TYPE"): 1,
            }
        ],
        [Attachment({tag("PR_ATTACH_LONG_FILENAME"): "in.txt"}, b"inside")],
    )
    return Item(
        {
            tag("PR_SUBJECT"): "Zoë's Žlutý kůň 😀",
            tag("PR_MESSAGE_CLASS"): "IPM.Note",
            tag("PR_IMPORTANCE"): 2,
            tag("PR_BODY"): "line\r\n" * 2000,
            tag("PR_RTF_COMPRESSED"): rtf.compress(RTF),
            tag("PR_HTML"): b"<p>hello</p>",
            tag("PR_CLIENT_SUBMIT_TIME"): 133_000_000_000_000_000,
            tag("PR_SENDER_NAME"): "Zoë",
            tag("PR_SENDER_EMAIL_ADDRESS"): "zoe@example.org",
            named.key("PidLidLocation"): "room",
            named.key("PidLidBusyStatus"): 2,
            named.key("PidNameKeywords"): ["red", "grün"],
        },
        [
            {
                tag("PR_DISPLAY_NAME"): "Zoë",
                tag("PR_EMAIL_ADDRESS"): "zoe@example.org",
                tag("PR_RECIPIENT_TYPE"): 1,
            },
            {
                tag("PR_DISPLAY_NAME"): "Jan",
                tag("PR_EMAIL_ADDRESS"): "jan@example.org",
                tag("PR_RECIPIENT_TYPE"): 2,
            },
        ],
        [
            Attachment({tag("PR_ATTACH_LONG_FILENAME"): "Žluť.bin"}, bytes(range(256)) * 40_000),
            Attachment({tag("PR_DISPLAY_NAME"): "a message"}, item=inner),
            Attachment({tag("PR_ATTACH_LONG_FILENAME"): "empty.txt"}, b""),
        ],
    )


def test_extract_msg_reads_all_of_it() -> None:
    with extract_msg.openMsg(msgfile.write(item())) as found:
        assert found.subject == "Zoë's Žlutý kůň 😀"
        assert found.body == "line\r\n" * 2000
        assert found.htmlBody == b"<p>hello</p>"
        assert found.rtfBody == RTF
        assert found.importance == 2
        assert found.date == datetime.datetime(2022, 6, 18, 4, 26, 40, tzinfo=datetime.UTC)
        assert [(each.name, each.email, int(each.type)) for each in found.recipients] == [
            ("Zoë", "zoe@example.org", 1), ("Jan", "jan@example.org", 2),
        ]  # fmt: skip
        assert found.getNamedProp("Keywords", PUBLIC) == ["red", "grün"]
        assert found.getNamedProp("8208", APPOINTMENT) == "room"
        assert found.getNamedProp("8205", APPOINTMENT) == 2
        data, message, empty = found.attachments
        assert (data.longFilename, data.data) == ("Žluť.bin", bytes(range(256)) * 40_000)
        assert (empty.longFilename, empty.data or b"") == ("empty.txt", b"")
        inner = message.data
        assert (inner.subject, inner.body) == ("inner", "deep")
        assert inner.recipients[0].email == "bob@example.org"
        assert inner.attachments[0].data == b"inside"


def test_olefile_finds_nothing_wrong() -> None:
    olefile = pytest.importorskip("olefile")
    with olefile.OleFileIO(
        io.BytesIO(msgfile.write(item())), raise_defects=olefile.DEFECT_INCORRECT
    ) as found:
        assert found.parsing_issues == []
        assert found.root.clsid == "00020D0B-0000-0000-C000-000000000046"


def test_what_extract_msg_writes_is_read(tmp_path) -> None:
    """An embedded message that it exports as a file of its own."""
    path = tmp_path / "out.msg"
    with extract_msg.openMsg(msgfile.write(item())) as found:
        found.attachments[1].data.export(path)
    again = msgfile.read(path.read_bytes())
    assert again.props[tag("PR_SUBJECT")] == "inner"
    assert again.attachments[0].data == b"inside"
