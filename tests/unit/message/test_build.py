"""Composed messages: read back by our scanner and by the standard library."""

from __future__ import annotations

import email
import email.policy

import pytest

from quintet.message import build, headers, render
from quintet.message.scan import scan

TOP = [("From", "Zoë <zoe@x.example>"), ("To", "a@x.example, Bö <b@x.example>"), ("Subject", "Käse und Brot")]


def test_a_short_ascii_text_is_7bit() -> None:
    content = build.compose([("Subject", "x")], "hello\nworld")
    assert content == (
        b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n\r\nhello\r\nworld\r\n"
    )


@pytest.mark.parametrize(
    "text", ["", "plain\n", "é\n", "x" * 2000 + "\n", ".dot\nFrom here\n", "a \nb\t\n", "日本\n" * 50]
)
def test_texts_are_read_back(text: str) -> None:
    content = build.compose(TOP, text)
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert message.get_content().replace("\r\n", "\n") == text
    assert str(message["subject"]) == "Käse und Brot"
    assert message["from"].addresses[0].display_name == "Zoë"
    assert message["to"].addresses[1].display_name == "Bö"
    assert content.isascii()
    digest = scan(content)
    assert not digest.bare_lf
    assert not digest.bare_cr
    assert digest.longest_line == 0


def test_attachments_and_html() -> None:
    files = [
        build.Attachment(
            b"\0\xff" * 300, "image/png", "Grüße aus Köln, ein ziemlich langer Name für eine Datei.png"
        ),
        build.Attachment(b"Subject: in\r\n\r\nhi\r\n", "message/rfc822"),
        build.Attachment(b"x", filename='a "b" \\c.txt', inline=True, description="é"),
        build.Attachment(b"y", filename="plain.txt"),
    ]
    content = build.compose(TOP, "text\n", files, html="<p>text</p>")
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert message.get_body(("plain",)).get_content() == "text\r\n"
    assert message.get_body(("html",)).get_content() == "<p>text</p>\r\n"
    parts = list(message.iter_attachments())
    assert [part.get_filename() for part in parts] == [
        files[0].filename,
        None,
        files[2].filename,
        "plain.txt",
    ]
    assert parts[0].get_content() == files[0].content
    root = scan(content).root
    assert [part.filename for part in root.children[1:]] == [
        files[0].filename,
        None,
        files[2].filename,
        "plain.txt",
    ]
    assert root.children[2].message is not None
    assert root.children[2].message.header("subject") == b"in"
    assert root.children[3].disposition == "inline"


def test_a_line_end_in_a_value_starts_no_field() -> None:
    content = build.compose([("Subject", "a\r\nBcc: evil@x.example"), ("To", "a@b\nX: y")], "")
    assert [name for name, _ in scan(content).headers][:3] == [b"Subject", b"To", b"MIME-Version"]


@pytest.mark.parametrize("name", ["", "A B", "A:", "Ä", "A\r\n"])
def test_a_wrong_field_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="field name"):
        build.compose([(name, "x")], "")


@pytest.mark.parametrize("name", ["Content-Type", "mime-version"])
def test_mime_fields_are_ours(name: str) -> None:
    with pytest.raises(ValueError, match="written by compose"):
        build.compose([(name, "x")], "")


def test_long_fields_are_folded() -> None:
    content = build.compose(
        [("Subject", "word " * 60), ("References", " ".join(f"<{n}@x.example>" for n in range(30)))], ""
    )
    digest = scan(content)
    assert all(len(line) <= build.FOLD_AT for line in content.split(b"\r\n"))
    assert digest.header("Subject") == ("word " * 60).strip().encode()
    assert len(headers.msg_ids(digest.header("References") or b"")) == 30


RECIPIENTS = [
    ("a@x.example, B <b@x.example>", b"a@x.example, B <b@x.example>"),  # ASCII stays as the caller wrote it
    ("Bö <b@x.example>", b"=?utf-8?b?QsO2?= <b@x.example>"),
    ("Bö: a@x.example, C <c@x.example>;", b"=?utf-8?b?QsO2?=: a@x.example, C <c@x.example>;"),
    ('"Q, \\"x\\"" <q@x.example>, é@x.example', '"Q, \\"x\\"" <q@x.example>, é@x.example'.encode()),
]


@pytest.mark.parametrize(("value", "expected"), RECIPIENTS)
def test_recipients(value: str, expected: bytes) -> None:
    # an address in UTF-8 needs SMTPUTF8 and stays as it is (RFC 6532 3.2)
    assert build.header("To", value) == b"To: " + expected + b"\r\n"


def test_a_boundary_is_in_no_part() -> None:
    first = build.compose([], "x", [build.Attachment(b"Subject: x\r\n\r\n", "message/rfc822")])
    boundary = scan(first).root.params[0][1]
    second = build.compose(
        [], "x", [build.Attachment(first, "message/rfc822"), build.Attachment(boundary, "message/rfc822")]
    )
    assert scan(second).root.params[0][1] not in {boundary, b""}
    assert len(scan(second).root.children) == 3


def test_a_report() -> None:
    # RFC 6522 3, RFC 3464 2
    original = b"Subject: lost\r\nFrom: a@b\r\n\r\n"
    status = b"Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; x@y\r\n"
    status += b"Action: failed\r\nStatus: 5.1.1\r\n"
    content = build.multipart_report(TOP, "sorry\n", status, original=original, headers_only=True)
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert kinds == ["text/plain", "message/delivery-status", "text/rfc822-headers"]
    assert message.get_payload(1).get_payload(1)["Status"] == "5.1.1"
    assert b'"delivery-status"' in render.bodystructure(scan(content))
    whole = build.multipart_report(
        TOP,
        "x",
        status,
        original="Subject: zoë\r\n".encode() + original + b"\xff",
        report_type="global-delivery-status",
    )
    root = scan(whole).root
    assert [part.content_type for part in root.children] == [
        "text/plain",
        "message/global-delivery-status",
        "message/global",
    ]
    assert root.children[2].encoding == "8bit"
