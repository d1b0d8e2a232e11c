"""Letters that are more than a note: signed and encrypted ones, articles, reports."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest

from quintet.mapi import types
from quintet.mapi.bag import Attachment, Bag, Item, Key
from quintet.mapi.convert import difference, from_mime, names, protected, reports, to_mime
from quintet.mapi.convert.sources import IN_MEMORY
from quintet.message import build
from tests.unit.mapi.convert.test_letters import letter

# --- S/MIME (MS-OXOSMIME 2.1) --------------------------------------------------------------------------

SIGNED = letter(
    'From: a@b\nSubject: signed\nContent-Type: multipart/signed; micalg="sha-256";\n'
    ' protocol="application/pkcs7-signature"; boundary=x',
    """preamble
--x
Content-Type: multipart/mixed; boundary=y

--y

  the text with blanks \x20
--y
Content-Type: image/png

png
--y--
--x
Content-Type: application/pkcs7-signature; name=smime.p7s
Content-Transfer-Encoding: base64

MAA=
--x--
epilogue
""",
)


def test_clear_signed_letter_is_one_attachment_and_its_text() -> None:
    item = from_mime(SIGNED)
    assert item.props[names.MESSAGE_CLASS] == "IPM.Note.SMIME.MultipartSigned"
    assert item.props[names.BODY] == "  the text with blanks  "
    (one,) = item.attachments
    assert one.props[names.ATTACH_MIME_TAG] == "multipart/signed"
    head, _, body = SIGNED.partition(b"\r\n\r\n")
    assert one.data == b"Content-Type:" + head.split(b"Content-Type:", 1)[1] + b"\r\n\r\n" + body


def test_clear_signed_letter_is_written_octet_by_octet() -> None:
    signed = SIGNED.replace(b"the text", "thé téxt".encode("latin-1")).replace(b"png\r\n", b"\npng\r\n")
    raw = b"".join(to_mime(from_mime(signed)))
    assert raw.partition(b"\r\n\r\n")[2] == signed.partition(b"\r\n\r\n")[2]
    again = from_mime(raw)
    assert again.attachments[0].data == from_mime(signed).attachments[0].data


def test_large_signed_letter_stays_where_it_is() -> None:
    signed = SIGNED.replace(b"the text", b"the text\r\n" * IN_MEMORY)
    item = from_mime(signed)
    data = item.attachments[0].data
    assert not isinstance(data, bytes) and data.size > IN_MEMORY
    assert data.read(0, 13) == b"Content-Type:" and data.read(data.size - 10, 99) == b"epilogue\r\n"
    assert b"".join(to_mime(item)).endswith(signed.partition(b"\r\n\r\n")[2])


def test_signed_letter_within_another_keeps_its_octets() -> None:
    inner = SIGNED.replace(b"the text", "thé text".encode("latin-1"))
    outer = Item(
        {names.BODY: "see"}, attachments=[Attachment({names.ATTACH_METHOD: 5}, item=from_mime(inner))]
    )
    raw = b"".join(to_mime(outer))
    assert inner.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") in raw
    assert b"message/rfc822" in raw and b"Content-Transfer-Encoding: 8bit" in raw


@pytest.mark.parametrize(
    ("kind", "message_class"),
    [
        ("application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", protected.OPAQUE_CLASS),
        ("application/x-pkcs7-mime; smime-type=signed-data", protected.OPAQUE_CLASS),
        ("application/octet-stream; name=smime.p7m", protected.OPAQUE_CLASS),
        ("application/pkcs7-mime; smime-type=certs-only", "IPM.Note"),
        ("application/octet-stream; name=other.bin", "IPM.Note"),
    ],
)
def test_opaque_letter(kind: str, message_class: str) -> None:
    raw = letter(f"From: a@b\nContent-Type: {kind}\nContent-Transfer-Encoding: base64", "MIAGCSqGSIb3DQ==\n")
    item = from_mime(raw)
    assert item.props[names.MESSAGE_CLASS] == message_class
    assert item.attachments[0].data == bytes.fromhex("308006092a864886f70d") and names.BODY not in item.props
    again = email.message_from_bytes(b"".join(to_mime(item)), policy=email.policy.default)
    if message_class == protected.OPAQUE_CLASS:
        assert str(again["Content-Type"]).replace('"', "") == kind
        assert again.get_payload(decode=True) == item.attachments[0].data
        assert not difference(item, from_mime(again.as_bytes())).attachments


def test_class_alone_makes_no_signature() -> None:
    for one in (
        Attachment({names.ATTACH_MIME_TAG: "multipart/signed"}, b"no header"),
        Attachment(item=Item()),
    ):
        item = Item({names.MESSAGE_CLASS: protected.SIGNED_CLASS, names.BODY: "text"}, attachments=[one])
        assert from_mime(b"".join(to_mime(item))).props[names.BODY].rstrip() == "text"


# --- articles ------------------------------------------------------------------------------------------

ARTICLE = letter(
    "Path: a!b!not-for-mail\nFrom: a@b.org\nNewsgroups: misc.test,alt.x\nSubject: Hi: there\n"
    "Followup-To: misc.test\nDistribution: world\nOrganization: Us\nApproved: m@b.org\nSupersedes: <0@b>\n"
    "Xref: s misc.test:7\nLines: 1"
)


def test_article_is_a_post() -> None:
    """MS-OXOPOST; MS-OXCMAIL 2.2.3.2.7: its topic is not made of its subject."""
    bag = from_mime(ARTICLE).props
    assert bag[names.MESSAGE_CLASS] == "IPM.Post" and names.CONVERSATION_TOPIC not in bag
    assert (bag[names.NEWSGROUPS], bag[names.FOLLOWUP_TO]) == ("misc.test,alt.x", "misc.test")
    assert (bag[names.NNTP_PATH], bag[names.XREF]) == ("a!b!not-for-mail", "s misc.test:7")
    raw = b"".join(to_mime(from_mime(ARTICLE)))
    for field in (
        b"Newsgroups: misc.test,alt.x",
        b"Distribution: world",
        b"Approved: m@b.org",
        b"Supersedes: <0@b>",
    ):
        assert field + b"\r\n" in raw
    assert b"Path:" not in raw and b"Xref:" not in raw


def test_article_that_was_mailed_too_is_a_note() -> None:
    mailed = from_mime(ARTICLE.replace(b"Subject", b"To: c@d.org\r\nSubject"))
    assert mailed.props[names.MESSAGE_CLASS] == "IPM.Note"


# --- reports about delivery (RFC 3464) -----------------------------------------------------------------

ORIGINAL = letter(
    "From: me@x.org\nTo: you@y.org\nSubject: lost\nMessage-ID: <lost@x>\n"
    "Date: Sat, 01 Nov 2025 12:26:40 +0000"
)
FATES = (
    b"Reporting-MTA: dns; mx.x.org\r\nArrival-Date: Sat, 01 Nov 2025 12:26:40 +0000\r\n\r\n"
    b"Original-Recipient: rfc822; You@Y.org\r\nFinal-Recipient: rfc822; you@y.org\r\nAction: failed\r\n"
    b"Status: 5.1.1\r\nRemote-MTA: dns; mx.y.org\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
    b"Last-Attempt-Date: Sat, 01 Nov 2025 12:26:40 +0000\r\n\r\n"
    b"Final-Recipient: rfc822; he@y.org\r\nAction: delayed\r\nStatus: 4.4.7\r\n"
)
HEAD = [
    ("From", "MAILER-DAEMON@x.org"),
    ("To", "Me <me@x.org>"),
    ("Subject", "Undelivered"),
    ("Date", "Sat, 01 Nov 2025 12:26:40 +0000"),
]


def _report(status: bytes = FATES, *, headers_only: bool = False) -> bytes:
    original = ORIGINAL.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if headers_only else ORIGINAL
    return build.multipart_report(HEAD, "It was lost.", status, original=original, headers_only=headers_only)


@pytest.mark.parametrize("headers_only", [False, True])
def test_report_of_a_failure(headers_only: bool) -> None:
    """MS-OXCMAIL 2.2.3.7: class, recipients with their fates, what it is about."""
    item = from_mime(_report(headers_only=headers_only))
    bag = item.props
    assert bag[names.MESSAGE_CLASS] == "REPORT.IPM.Note.NDR" and bag[names.BODY] == "It was lost.\r\n"
    assert bag[reports.REPORTING_MTA] == "mx.x.org"
    assert (bag[reports.ORIGINAL_SENDER.name], bag[reports.ORIGINAL_SENDER.email]) == ("Me", "me@x.org")
    assert (bag[reports.ORIGINAL_SUBJECT], bag[reports.ORIGINAL_MESSAGE_ID]) == ("lost", "<lost@x>")
    at = types.of_ms(1_762_000_000_000)
    assert bag[reports.ORIGINAL_SUBMIT_TIME] == bag[reports.REPORT_TIME] == at
    (first,) = item.recipients  # the delayed one is not of the worst
    assert (first[names.SMTP_ADDRESS], first[reports.STATUS], first[reports.DIAGNOSTIC]) == (
        "you@y.org",
        511,
        35,
    )
    assert (first[reports.REASON], first[reports.REMOTE_MTA]) == (1, "mx.y.org")
    assert first[reports.SUPPLEMENTARY] == "<mx.y.org #5.1.1 smtp; 550 5.1.1 no such user>"
    assert first[reports.REPORT_TEXT] == "550 5.1.1 no such user"
    assert first[reports.INTENDED] == "You@Y.org"
    assert len(item.attachments) == 1


def test_report_whose_first_part_lies_about_its_type() -> None:
    """RFC 6522 3: the second part is the one for machines."""
    raw = _report().replace(b"Content-Type: text/plain", b"Content-Type: message/delivery-status", 1)
    (first,) = from_mime(raw).recipients
    assert first[names.SMTP_ADDRESS] == "you@y.org"


@pytest.mark.parametrize(
    ("action", "status", "ending"),
    [
        ("failed", "5.0.0", "NDR"), ("delayed", "4.4.1", "Delayed.DR"), ("relayed", "2.0.0", "Relayed.DR"),
        ("delivered", "2.1.5", "DR"), ("expanded", "2.0.0", "Expanded.DR"),
    ],
)  # fmt: skip
def test_each_action_is_a_class_and_comes_back(action: str, status: str, ending: str) -> None:
    told = f"Reporting-MTA: dns; h\r\n\r\nFinal-Recipient: rfc822; a@b.org\r\nAction: {action}\r\n"
    told += f"Status: {status}\r\n"
    item = from_mime(_report(told.encode()))
    assert item.props[names.MESSAGE_CLASS] == f"REPORT.IPM.Note.{ending}"
    raw = b"".join(to_mime(item))
    assert f"Action: {action}\r\nStatus: {status}\r\n".encode() in raw
    assert difference(item, from_mime(raw)).recipients is None


def test_report_comes_back_whole() -> None:
    item = from_mime(_report())
    raw = b"".join(to_mime(item))
    back = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(back, EmailMessage) and back.get_param("report-type") == "delivery-status"
    assert [part.get_content_type() for part in back.iter_parts()] == [
        "text/plain", "message/delivery-status", "message/rfc822",
    ]  # fmt: skip
    assert str(back["To"]) == "Me <me@x.org>"
    found = difference(item, from_mime(raw))
    assert set(found.change.props) == {names.TRANSPORT_HEADERS} and found.recipients is None
    assert [one.base for one in found.attachments or []] in ([], [0])


@pytest.mark.parametrize(
    ("row", "lines"),
    [
        ({}, ["Status: 5.0.0"]),
        ({reports.DIAGNOSTIC: 35}, ["Status: 5.1.1"]),  # 2.1.3.6.1.2
        ({reports.DIAGNOSTIC: 46}, ["Status: 5.7.0"]),
        ({reports.STATUS: 522, reports.DIAGNOSTIC: 35}, ["Status: 5.2.2"]),
        ({reports.SUPPLEMENTARY: "own words"}, ["Status: 5.0.0", "X-Supplementary-Info: own words"]),
        ({reports.SUPPLEMENTARY: "< #5.7.26>"}, ["Status: 5.7.26"]),
        ({reports.REPORT_TEXT: "no"}, ["Diagnostic-Code: smtp; no"]),
    ],
)
def test_report_of_a_client(row: dict[Key, object], lines: list[str]) -> None:
    rows: list[Bag] = [{names.SMTP_ADDRESS: "you@y.org", **row}]
    item = Item({names.MESSAGE_CLASS: "REPORT.IPM.Note.NDR"}, rows)
    raw = b"".join(to_mime(item)).decode()
    assert all(f"\r\n{line}\r\n" in raw for line in ["Action: failed", *lines])


@pytest.mark.parametrize("status", [b"", b"\r\n\r\n", b"Action: failed", b"Final-Recipient: x\r\n\r\n" * 3])
def test_report_that_tells_nothing_is_a_failure_of_nobody(status: bytes) -> None:
    item = from_mime(_report(status))
    assert item.props[names.MESSAGE_CLASS] == "REPORT.IPM.Note.NDR"
    assert from_mime(b"".join(to_mime(item))).props[names.MESSAGE_CLASS] == "REPORT.IPM.Note.NDR"


# --- reports about reading (RFC 8098) ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("disposition", "ending"),
    [
        ("displayed", "IPNRN"),
        ("deleted", "IPNNRN"),
        ("dispatched", "IPNRN"),
        ("denied", "IPNNRN"),
        ("odd", "IPNRN"),
    ],
)
def test_read_receipt(disposition: str, ending: str) -> None:
    """MS-OXCMAIL 2.2.3.7: IPNRN it was read, IPNNRN it was not."""
    told = (
        "Reporting-UA: x\r\nOriginal-Recipient: rfc822; you@y.org\r\nFinal-Recipient: rfc822; you@y.org\r\n"
        f"Original-Message-ID: <lost@x>\r\nDisposition: manual-action/MDN-sent-manually; {disposition}\r\n"
    )
    raw = build.multipart_report(
        [("From", "you@y.org"), ("To", "me@x.org"), *HEAD[2:]],
        "read",
        told.encode(),
        report_type="disposition-notification",
    )
    item = from_mime(raw)
    bag = item.props
    assert bag[names.MESSAGE_CLASS] == f"REPORT.IPM.Note.{ending}"
    assert bag[reports.ORIGINAL_MESSAGE_ID] == "<lost@x>" and bag[reports.DISPOSITION] == disposition
    assert (reports.RECEIPT_TIME in bag) is (ending == "IPNRN")
    assert [row[names.SMTP_ADDRESS] for row in item.recipients] == ["me@x.org"]
    again = from_mime(b"".join(to_mime(item)))
    assert set(difference(item, again).change.props) == {names.TRANSPORT_HEADERS}


def test_read_receipt_of_a_client_is_a_report() -> None:
    item = Item({names.MESSAGE_CLASS: "REPORT.IPM.Note.IPNNRN", names.REPRESENTING.smtp: "you@y.org",
                 reports.ORIGINAL_MESSAGE_ID: "<lost@x>"})  # fmt: skip
    raw = b"".join(to_mime(item))
    assert b"report-type=disposition-notification" in raw
    assert (
        b"Final-Recipient: rfc822; you@y.org\r\nOriginal-Message-ID: <lost@x>\r\n"
        b"Disposition: automatic-action/MDN-sent-automatically; deleted\r\n" in raw
    )


def test_who_sent_a_read_receipt_read_the_letter() -> None:
    """MS-OXCMAIL 2.1.3.6.2: the sender before the one represented; the key that ties it to the letter."""
    item = Item({names.MESSAGE_CLASS: "REPORT.IPM.Note.IPNRN", names.REPRESENTING.smtp: "boss@y.org",
                 names.SENDER.smtp: "aide@y.org", names.SENDER.name: "Aïda",
                 reports.PARENT_KEY: b"\x00key"})  # fmt: skip
    raw = b"".join(to_mime(item))
    assert b"Final-Recipient: rfc822; aide@y.org\r\nX-Display-Name: =?utf-8?" in raw
    assert b"X-MSExch-Correlation-Key: AGtleQ==\r\n" in raw
    assert from_mime(raw).props[reports.PARENT_KEY] == b"\x00key"
    for ugly in (b"AGtle", b"=C3=A9", b"QUFB" * 500):
        spoilt = raw.replace(b"AGtleQ==", ugly)
        assert reports.PARENT_KEY not in from_mime(spoilt).props


# --- classes by Content-Class (MS-OXCMAIL 2.1.3.2.2, 2.2.3.2.15) -------------------------------------------


@pytest.mark.parametrize(
    ("value", "attached", "message_class"),
    [
        ("fax", "image/tiff", "IPM.Note.Microsoft.Fax"),
        ("fax", "image/png", "IPM.Note"),  # a fax without its picture is none
        ("Fax-CA", "image/tiff", "IPM.Note.Microsoft.Fax.CA"),
        ("missedcall", "image/png", "IPM.Note.Microsoft.Missed.Voice"),
        ("voice", "audio/mpeg", "IPM.Note.Microsoft.Voicemail.UM"),
        ("voice", "image/png", "IPM.Note"),
        ("urn:content-class:custom.Order", "image/png", "IPM.Note.Custom.Order"),
        ("InfoPathForm.Trip", "image/png", "IPM.InfoPathForm.Trip"),
        ("urn:content-classes:message", "image/png", "IPM.Note"),
    ],
)
def test_class_that_the_header_tells(value: str, attached: str, message_class: str) -> None:
    raw = letter(f"From: a@b.org\nContent-Class: {value}\nContent-Type: {attached}")
    item = from_mime(raw)
    assert item.props[names.MESSAGE_CLASS] == message_class
    again = from_mime(b"".join(to_mime(item)))
    assert again.props[names.MESSAGE_CLASS] == message_class
    own = Item({names.MESSAGE_CLASS: message_class}, attachments=item.attachments)
    assert from_mime(b"".join(to_mime(own))).props[names.MESSAGE_CLASS] == message_class


def test_classification_counts_where_it_is_said() -> None:
    """MS-OXCMAIL 2.2.3.2.22, 2.1.3.2.17."""
    head = "X-Microsoft-Classification: Secret\nX-Microsoft-ClassKeep: true"
    bag = from_mime(letter(f"X-Microsoft-Classified: true\n{head}")).props
    assert (bag[names.CLASSIFICATION], bag[names.CLASSIFICATION_KEPT]) == ("Secret", True)
    assert b"X-Microsoft-Classified: true\r\n" in b"".join(to_mime(Item(bag)))
    for first in ("", "X-Microsoft-Classified: false\n"):
        assert not {names.CLASSIFIED, *names.CLASSIFICATIONS} & from_mime(letter(first + head)).props.keys()
    assert b"X-Microsoft" not in b"".join(to_mime(Item({names.CLASSIFICATION: "Secret"})))
