"""Letters as items (MS-OXCMAIL 2.2) and items as letters (2.1): what each header, body and part becomes."""

from __future__ import annotations

import email
import email.policy
import locale
from email.message import EmailMessage

import pytest

from quintet.errors import BadSyntax
from quintet.mapi import entrylists, ids, types
from quintet.mapi.bag import Attachment, Item, NamedTag
from quintet.mapi.convert import from_mime, languages, names, to_mime
from quintet.mapi.types import Value
from quintet.message.scan import scan


def letter(head: str, body: str = "Hello\n") -> bytes:
    return f"{head.strip()}\n\n{body}".replace("\n", "\r\n").encode()


def parsed(item: Item) -> EmailMessage:
    """What the standard library reads in the letter that an item becomes."""
    raw = b"".join(to_mime(item))
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"") and raw.isascii()
    found = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def _own(name: str) -> NamedTag:
    return NamedTag(names.INTERNET_HEADERS, name, types.STRING)


AT = types.of_ms(1_762_000_000_000)


@pytest.mark.parametrize(
    ("field", "key", "value"),
    [
        ("Message-ID: <1@example.org>", names.MESSAGE_ID, "<1@example.org>"),  # 2.1.3.2.11
        ("In-Reply-To: <0@example.org>", names.IN_REPLY_TO, "<0@example.org>"),
        ("References: <a@b> <c@d>", names.REFERENCES, "<a@b> <c@d>"),
        ("Date: Sat, 01 Nov 2025 12:26:40 +0000", names.SUBMIT_TIME, AT),
        ("Thread-Topic: =?utf-8?q?Gr=C3=B6=C3=9Fe?=", names.CONVERSATION_TOPIC, "Größe"),  # 2.2.3.2.7
        ("Thread-Index: " + "AQ" + "A" * 28, names.CONVERSATION_INDEX, b"\1" + bytes(21)),
        ("Thread-Index: short", names.CONVERSATION_INDEX, None),
        ("Importance: High", names.IMPORTANCE, 2),
        ("X-Priority: 5 (Lowest)", names.IMPORTANCE, 0),
        ("X-MSMail-Priority: Low", names.IMPORTANCE, 0),
        ("X-Nothing: said", names.IMPORTANCE, 1),
        ("Priority: urgent", names.PRIORITY, 1),
        ("Priority: urgent", names.IMPORTANCE, 2),  # 2.2.3.2.5
        ("X-Priority: 1\nPriority: non-urgent\nImportance: low", names.IMPORTANCE, 0),
        ("Priority: urgent\nImportance: normal", names.IMPORTANCE, 1),
        ("Sensitivity: Company-Confidential", names.SENSITIVITY, 3),  # 2.1.3.2.6
        ("Expires: Sat, 01 Nov 2025 12:26:40 +0000", names.EXPIRY_TIME, AT),
        ("Reply-By: Sat, 01 Nov 2025 12:26:40 +0000", names.REPLY_TIME, AT),
        ("Keywords: red, =?utf-8?q?gr=C3=BCn?=", names.KEYWORDS, ["red", "grün"]),
        ("X-Message-Flag: Call", names.FLAG_REQUEST, "Call"),
        ("X-Auto-Response-Suppress: DR, OOF", names.AUTO_RESPONSE_SUPPRESS, 17),  # 2.2.3.2.14
        ("X-Auto-Response-Suppress: All", names.AUTO_RESPONSE_SUPPRESS, -1),
        ("List-Unsubscribe: <mailto:a@b>", names.LIST_UNSUBSCRIBE, "<mailto:a@b>"),
        ("List-Help: <https://example.org/>", names.LIST_HELP, "<https://example.org/>"),
        ("Accept-Language: en, de", names.ACCEPT_LANGUAGE, "en, de"),  # 2.2.3.2.11
        ("Content-Language: de-AT", names.MESSAGE_LOCALE, 0x0C07),
        ("Content-Language: de-AT", names.LANGUAGES, None),  # nothing more to say
        ("Content-Language: pt-br; q=1, en", names.MESSAGE_LOCALE, 0x0416),
        ("Content-Language: pt-br, en", names.LANGUAGES, "pt-br, en"),
        ("Content-Language: de", names.MESSAGE_LOCALE, 0x0007),
        ("Content-Language: x-klingon", names.MESSAGE_LOCALE, None),
        ("Content-Language: x-klingon", names.LANGUAGES, "x-klingon"),
        ("Content-ID: <body@x>", names.BODY_CONTENT_ID, "body@x"),  # 2.2.3.2.24
        ("Content-Location: https://x/", names.BODY_CONTENT_LOCATION, "https://x/"),  # 2.2.3.2.26
        ("X-CallingTelephoneNumber: +1 555", names.CALLER_NUMBER, "+1 555"),  # 2.2.3.2.23
        ("X-VoiceMessageDuration: 12", names.VOICE_DURATION, 12),
        ("X-FaxNumberOfPages: many", names.FAX_PAGES, None),
        ("Return-Receipt-To: zoe@example.org", names.DELIVERY_REPORT, True),
        ("X-Mailer: Mutt", _own("x-mailer"), "Mutt"),  # MS-OXCPRPT 3.2.5.9 (R529): in lower case
        ("Organization: Us", names.ORGANIZATION, "Us"),
        ("X-Ham-Score: 3", _own("x-ham-score"), "3"),
        ("Received: by x; Sat, 01 Nov 2025 12:26:40 +0000", _own("received"), None),
        ("Received: by x; Sat, 01 Nov 2025 12:26:40 +0000", names.DELIVERY_TIME, AT),
    ],
)
def test_field_is_a_property_and_comes_back(field: str, key: types.Tag | NamedTag, value: Value) -> None:
    item = from_mime(letter("From: zoe@example.org\n" + field))
    assert item.props.get(key) == value
    if value is not None:
        again = from_mime(b"".join(to_mime(item)), received_ms=types.to_ms(AT))
        assert again.props.get(key) == value


def test_language_of_a_client_is_written() -> None:
    """MS-OXCMAIL 2.1.3.2.16; MS-LCID."""
    assert b"Content-Language: sv-SE\r\n" in b"".join(to_mime(Item({names.MESSAGE_LOCALE: 0x041D})))
    for number in (0, -1, 0x00FFFFFF):
        assert b"Content-Language" not in b"".join(to_mime(Item({names.MESSAGE_LOCALE: number})))
    told = {tag: languages.number(tag) for number in locale.windows_locale if (tag := languages.tag(number))}
    assert len(told) > 100
    assert all(number is not None and languages.tag(number) == tag for tag, number in told.items())


@pytest.mark.parametrize(
    ("subject", "prefix"),
    [
        ("Re: plan", "Re: "),
        ("FWD: plan", "FWD: "),
        ("Größe: plan", ""),  # five letters
        ("Auf: plan", "Auf: "),
        ("1: plan", ""),  # a digit
        ("Re:plan", "Re: "),  # any number of blanks
        ("Re:   plan", "Re: "),
        ("[x]: plan", "[x]: "),
        ("a b: plan", ""),
        (": plan", ""),
        ("plan", ""),
        ("", ""),
    ],
)
def test_subject_is_cut_at_its_prefix(subject: str, prefix: str) -> None:
    """MS-OXCMAIL 2.2.3.2.6.1; MS-OXCMSG_R1802."""
    bag = from_mime(f"From: a@b\r\nSubject: {subject}\r\n\r\n".encode()).props
    assert (bag[names.SUBJECT], bag[names.SUBJECT_PREFIX]) == (subject, prefix)
    assert bag[names.NORMALIZED_SUBJECT] == (subject.partition(":")[2].strip() if prefix else subject)
    assert bag[names.CONVERSATION_TOPIC] == bag[names.NORMALIZED_SUBJECT]


def test_subject_of_a_client_that_sets_only_its_pieces() -> None:
    item = Item({names.SUBJECT_PREFIX: "Re: ", names.NORMALIZED_SUBJECT: "Grüße"})
    assert parsed(item)["Subject"] == "Re: Grüße"


def test_people_are_rows_with_one_off_entry_ids() -> None:
    """MS-OXCMAIL 2.2.3.1, MS-OXCDATA 2.2.5.1."""
    item = from_mime(
        letter(
            'From: "Doe, Zoe" <zoe@example.org>\nSender: bot@example.org\n'
            "To: A <a@x.org>, Team: b@x.org, c@x.org;\nCc: d@x.org\n"
            "Bcc: =?utf-8?q?J=C3=B6rg?= <e@x.org>\nReply-To: Desk <desk@x.org>, f@x.org"
        )
    )
    rows = [
        (row[names.RECIPIENT_TYPE], row[names.DISPLAY_NAME], row[names.SMTP_ADDRESS])
        for row in item.recipients
    ]
    assert rows == [
        (names.TO, "A", "a@x.org"), (names.TO, "b@x.org", "b@x.org"), (names.TO, "c@x.org", "c@x.org"),
        (names.CC, "d@x.org", "d@x.org"), (names.BCC, "Jörg", "e@x.org"),
    ]  # fmt: skip
    entry = ids.read(item.recipients[0][names.ENTRY_ID])
    assert isinstance(entry, ids.OneOffEntry)
    assert (entry.name, entry.kind, entry.address) == ("A", "SMTP", "a@x.org")
    assert item.recipients[0][names.SEARCH_KEY] == b"SMTP:A@X.ORG\0"
    assert item.props[names.REPRESENTING.name] == "Doe, Zoe"
    assert item.props[names.SENDER.smtp] == "bot@example.org"
    assert item.props[names.REPLY_NAMES] == "Desk;f@x.org"
    assert len(entrylists.read_flat_list(item.props[names.REPLY_ENTRIES])) == 2
    back = parsed(item)
    assert str(back["From"]) == '"Doe, Zoe" <zoe@example.org>'
    assert str(back["Sender"]) == "bot@example.org"
    assert str(back["To"]) == "A <a@x.org>, b@x.org, c@x.org"
    assert str(back["Bcc"]) == "Jörg <e@x.org>"
    assert str(back["Reply-To"]) == "Desk <desk@x.org>, f@x.org"
    assert "Bcc" not in email.message_from_bytes(b"".join(to_mime(item, bcc=False)))
    forwarded = Item(attachments=[Attachment({names.ATTACH_METHOD: names.EMBEDDED}, item=item)])
    assert b"Bcc:" in b"".join(to_mime(forwarded))
    assert b"Bcc:" not in b"".join(to_mime(forwarded, bcc=False))


def test_who_is_named_alone_is_sender_and_author() -> None:
    """MS-OXCMAIL 2.2.3.1."""
    for field in ("From", "Sender"):
        bag = from_mime(letter(f"{field}: Zoe <zoe@example.org>")).props
        assert bag[names.SENDER.name] == bag[names.REPRESENTING.name] == "Zoe"
        assert "Sender" not in parsed(from_mime(letter("From: Zoe <zoe@example.org>")))


def test_read_receipt_names_who_wants_it() -> None:
    item = from_mime(letter("From: a@b.org\nDisposition-Notification-To: Desk <desk@b.org>"))
    assert item.props[names.READ_RECEIPT] is item.props[names.NON_READ_RECEIPT] is True
    assert str(parsed(item)["Disposition-Notification-To"]) == "Desk <desk@b.org>"
    asked = Item({names.READ_RECEIPT: True, names.REPRESENTING.smtp: "me@b.org"})
    assert str(parsed(asked)["Disposition-Notification-To"]) == "me@b.org"


def test_address_of_another_kind_is_encapsulated_and_comes_back() -> None:
    """MS-OXCMAIL 2.1.3.1: IMCEA."""
    x500 = "/o=Org/ou=Unit (1)/cn=Zoë_x"
    row = {
        names.ADDRESS_TYPE: "EX",
        names.EMAIL_ADDRESS: x500,
        names.DISPLAY_NAME: "Zoë",
        names.RECIPIENT_TYPE: 1,
    }
    raw = b"".join(to_mime(Item(recipients=[row])))
    assert b"IMCEAEX-_o=Org_ou=Unit+20+281+29_cn=Zo+C3+AB+5Fx@imcea.invalid" in raw
    again = from_mime(raw).recipients[0]
    assert (again[names.ADDRESS_TYPE], again[names.EMAIL_ADDRESS]) == ("EX", x500)
    assert names.SMTP_ADDRESS not in again


@pytest.mark.parametrize(
    ("kind", "address", "more", "told"),
    [
        ("EX", "/o=a@b", {}, ("EX", "/o=a@b")),  # an @ makes no mail address of it
        ("FAX", "1@2.example", {}, ("FAX", "1@2.example")),
        ("EX", "/o=a@b", {names.SMTP_ADDRESS: "zoe@example.org"}, ("SMTP", "zoe@example.org")),
        ("ZARAFA", "zoe@example.org", {}, ("SMTP", "zoe@example.org")),
        ("SMTP", "nowhere", {}, ("SMTP", "nowhere")),
    ],
)
def test_address_with_an_at_is_one_of_mail_where_its_kind_is(
    kind: str, address: str, more: dict[int, str], told: tuple[str, str]
) -> None:
    """MS-OXCMAIL 2.1.3.1."""
    row = {names.ADDRESS_TYPE: kind, names.EMAIL_ADDRESS: address, names.RECIPIENT_TYPE: 1, **more}
    raw = b"".join(to_mime(Item(recipients=[row])))
    again = from_mime(raw).recipients[0]
    assert (again[names.ADDRESS_TYPE], again[names.EMAIL_ADDRESS]) == told


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("IMCEAEX-_o=a+40b@imcea.invalid", ("EX", "/o=a@b")),
        ("IMCEAsmtp-zoe+40example.org@imcea.invalid", ("SMTP", "zoe@example.org")),
        ("IMCEA-x@imcea.invalid", ("SMTP", "IMCEA-x@imcea.invalid")),
        ("IMCEAE.X-x@imcea.invalid", ("SMTP", "IMCEAE.X-x@imcea.invalid")),
    ],
)
def test_encapsulation_of_others_is_read_and_written_as_it_was(spec: str, told: tuple[str, str]) -> None:
    item = from_mime(f"To: {spec}\r\n\r\n".encode())
    for one in (item, from_mime(b"".join(to_mime(item)))):
        [row] = one.recipients
        assert (row[names.ADDRESS_TYPE], row[names.EMAIL_ADDRESS]) == told


def test_recipient_known_by_entry_id_alone_and_one_without_address() -> None:
    entry = ids.write(ids.OneOffEntry(0x9001, "Zoe", "SMTP", "zoe@example.org"))
    rows = [{names.ENTRY_ID: entry}, {names.DISPLAY_NAME: "Somebody"}, {names.ENTRY_ID: b"?"}]
    assert b"To: Zoe <zoe@example.org>, Somebody:;\r\n" in b"".join(to_mime(Item(recipients=rows)))


def test_header_values_cannot_begin_another_field() -> None:
    item = Item(
        {names.SUBJECT: "a\r\nBcc: evil@x.org", _own("x-a"): "b\nX-C: d", _own("x b:"): "no field name"}
    )
    item.recipients = [{names.DISPLAY_NAME: 'q"\r\nX-D: e', names.SMTP_ADDRESS: "a@b.org\r\nX-E: f"}]
    back = parsed(item)
    assert not {"Bcc", "X-C", "X-D", "X-E"} & set(back.keys())


# --- bodies -----------------------------------------------------------------------------------------------


def test_plain_text_in_its_charset() -> None:
    raw = "From: a@b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nGrüße\r\n".encode("latin-1")
    bag = from_mime(raw).props
    assert (bag[names.BODY], bag[names.CODEPAGE], bag[names.NATIVE_BODY]) == ("Grüße\r\n", 28591, 1)
    assert names.HTML not in bag
    back = parsed(from_mime(raw))
    assert back.get_content_charset() == "iso-8859-1" and back.get_content() == "Grüße\r\n"


def test_html_stays_octets_in_its_code_page() -> None:
    """MS-OXCMAIL 2.2.3.3: PidTagHtml as it came, PidTagInternetCodepage beside it."""
    html = "<p>Gr\u00fc\u00dfe \u20ac</p>\r\n"
    raw = b"From: a@b\r\nContent-Type: text/html; charset=windows-1252\r\n\r\n" + html.encode("cp1252")
    item = from_mime(raw)
    assert item.props[names.HTML] == html.encode("cp1252")
    assert (item.props[names.CODEPAGE], item.props[names.NATIVE_BODY]) == (1252, 3)
    back = parsed(item)
    assert [part.get_content_type() for part in back.iter_parts()] == ["text/plain", "text/html"]
    assert back.get_body(("plain",)).get_content() == "Grüße €\r\n"  # type: ignore[union-attr]
    assert from_mime(b"".join(to_mime(item))).props[names.HTML] == html.encode("cp1252")


def test_html_in_a_charset_without_code_page_is_utf8() -> None:
    raw = b"From: a@b\r\nContent-Type: text/html; charset=x-martian\r\n\r\n<p>\xc3\xa9\xff</p>"
    bag = from_mime(raw).props
    assert bag[names.CODEPAGE] == 65001
    assert bag[names.HTML].decode() == "<p>Ã©ÿ</p>"


def test_text_that_its_code_page_cannot_say_becomes_utf8() -> None:
    back = parsed(Item({names.BODY: "€ Ж", names.CODEPAGE: 28591}))
    assert back.get_content_charset() == "utf-8" and back.get_content() == "€ Ж\r\n"


def test_second_text_of_a_mixed_letter_is_attached() -> None:
    raw = letter(
        "From: a@b\nContent-Type: multipart/mixed; boundary=x",
        "--x\n\nthe body\n--x\nContent-Type: text/plain\n\na list's footer\n--x--\n",
    )
    item = from_mime(raw)
    assert item.props[names.BODY] == "the body"
    assert [one.data for one in item.attachments] == [b"a list's footer"]
    assert item.attachments[0].props[names.ATTACH_LONG_NAME] == "ATT00001.txt"


def test_multipart_without_its_boundary_still_shows_its_text() -> None:
    raw = letter("From: a@b\nContent-Type: multipart/mixed; boundary=gone", "what they wrote\n")
    assert from_mime(raw).props[names.BODY] == "what they wrote\r\n"


# --- attachments ------------------------------------------------------------------------------------------

RELATED = letter(
    "From: a@b\nContent-Type: multipart/alternative; boundary=x",
    """--x

plain
--x
Content-Type: multipart/related; boundary=y; start="<root>"

--y
Content-Type: image/png; name="logo.png"
Content-ID: <logo@x>
Content-Transfer-Encoding: base64

AAEC
--y
Content-Type: text/html
Content-ID: <root>

<img src="cid:logo%40x">
--y--
--x--
""",
)


def test_picture_of_the_html_is_related_hidden_and_returns_into_it() -> None:
    """MS-OXCMAIL 2.2.3.4.1; MS-OXCMSG_R964: the content id that the body refers to."""
    item = from_mime(RELATED)
    assert item.props[names.BODY] == "plain" and b"cid:" in item.props[names.HTML]
    (logo,) = item.attachments
    assert logo.data == b"\0\1\2" and logo.props[names.ATTACH_CONTENT_ID] == "logo@x"
    assert logo.props[names.ATTACH_FLAGS] == names.IN_BODY and logo.props[names.ATTACH_HIDDEN] is True
    back = parsed(item)
    shape = [part.get_content_type() for part in back.walk()]
    assert shape == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]


def test_attachment_properties_come_back() -> None:
    one = Attachment(
        {
            names.ATTACH_METHOD: names.BY_VALUE,
            names.ATTACH_LONG_NAME: "Bericht für Zoë, 2026 — Zusammenfassung der Ergebnisse.pdf",
            names.ATTACH_MIME_TAG: "application/pdf",
            names.ATTACH_CONTENT_LOCATION: "https://example.org/r.pdf",
            names.DISPLAY_NAME: "Der Bericht",
            names.CREATION_TIME: AT,
            names.MODIFICATION_TIME: AT,
        },
        bytes(range(256)) * 1000,
    )
    back = from_mime(b"".join(to_mime(Item({names.BODY: "x"}, attachments=[one])))).attachments[0]
    assert {key: back.props[key] for key in one.props} == one.props
    data = back.data
    assert not isinstance(data, bytes), "large parts stay where they are"
    assert data.size == 256_000 and data.read(0, 1 << 20) == one.data
    assert isinstance(one.data, bytes) and data.read(1000, 50) == one.data[1000:1050]
    assert back.props[names.ATTACH_EXTENSION] == ".pdf"
    assert back.props[names.ATTACH_NAME] == "Berich~1.pdf"


@pytest.mark.parametrize(
    ("written", "name", "short"),
    [
        ("filename=a.txt", "a.txt", "a.txt"),
        ("filename*=utf-8''Gr%C3%B6%C3%9Fe.txt", "Größe.txt", "Gre~1.txt"),
        ("filename*0=long; filename*1=er.jpeg", "longer.jpeg", "longer~1.jpe"),
        ('filename="../../etc/passwd"', "passwd", "passwd"),
        ('filename="C:\\\\dir\\\\x?.exe"', "x.exe", "x.exe"),
        ('filename="=?utf-8?q?=C3=A9t=C3=A9?=.txt"', "été.txt", "t~1.txt"),
        ("size=1", "ATT00001.dat", "ATT00001.dat"),
    ],
)
def test_file_names_in_all_their_forms(written: str, name: str, short: str) -> None:
    """RFC 2183 2.3, RFC 2231; a path is never part of it (MS-OXCMAIL 2.2.3.4.1)."""
    raw = letter(f"From: a@b\nContent-Type: application/x-y\nContent-Disposition: attachment; {written}")
    bag = from_mime(raw).attachments[0].props
    assert (bag[names.ATTACH_LONG_NAME], bag[names.ATTACH_NAME]) == (name, short)


def test_name_of_a_file_by_what_else_tells_one() -> None:
    """MS-OXCMAIL 2.2.3.4.1.1: uuencode names its file; a description is better than nothing."""
    head = "From: a@b\nContent-Type: application/x-y\nContent-Transfer-Encoding: "
    (one,) = from_mime(letter(head + "x-uuencode", "begin 644 a file.txt\n#86)C\n`\nend\n")).attachments
    assert (one.props[names.ATTACH_LONG_NAME], one.data) == ("a file.txt", b"abc")
    (two,) = from_mime(letter(head + "7bit\nContent-Description: The plan", "x")).attachments
    assert two.props[names.ATTACH_LONG_NAME] == two.props[names.DISPLAY_NAME] == "The plan"


def test_embedded_message_is_an_item_with_its_whole_header() -> None:
    inner = letter("From: in@x.org\nTo: you@x.org\nSubject: Inner: one\nX-Own: kept", "inner text\n")
    raw = letter("From: a@b\nSubject: outer\nContent-Type: multipart/mixed; boundary=x", "--x\n\nhi\n--x\n")
    raw = raw.removesuffix(b"\r\n") + b"\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--x--\r\n"
    (one,) = from_mime(raw).attachments
    assert one.item is not None and one.props[names.ATTACH_METHOD] == names.EMBEDDED
    assert one.props[names.DISPLAY_NAME] == one.item.props[names.SUBJECT] == "Inner: one"
    assert one.props[names.ATTACH_LONG_NAME] == "Inner one.eml"
    assert one.item.props[_own("x-own")] == "kept" and one.item.props[names.BODY] == "inner text\r\n"
    back = parsed(from_mime(raw))
    embedded = next(part for part in back.walk() if part.get_content_type() == "message/rfc822")
    assert embedded.get_content()["Subject"] == "Inner: one"


def test_message_that_came_in_base64_is_opened_too() -> None:
    """Against RFC 2046 5.2.1, and seen."""
    raw = letter(
        "From: a@b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64",
        "U3ViamVjdDogaW4KCmJvZHk=\n",
    )
    (one,) = from_mime(raw).attachments
    assert one.item is not None and one.item.props[names.SUBJECT] == "in"


def test_messages_in_messages_end_somewhere() -> None:
    raw = b"Subject: x\r\nContent-Type: message/rfc822\r\n\r\n" * 90 + b"Subject: last\r\n\r\nend"
    item, depth = from_mime(raw), 0
    while item.attachments and item.attachments[0].item is not None:
        item, depth = item.attachments[0].item, depth + 1
    assert depth == 32 and item.attachments[0].data
    nested = Item()
    for _ in range(40):
        nested = Item(attachments=[Attachment(item=nested)])
    with pytest.raises(BadSyntax):
        b"".join(to_mime(nested))


def test_message_attached_as_bytes_keeps_its_bytes() -> None:
    one = Attachment(
        {names.ATTACH_MIME_TAG: "message/rfc822", names.ATTACH_LONG_NAME: "a.eml"}, b"Subject: x\n\n\xff"
    )
    back = from_mime(b"".join(to_mime(Item(attachments=[one])))).attachments[0]
    assert back.data == one.data and back.item is None


def test_digest_and_trace_lines_that_are_known_are_used() -> None:
    raw = letter("From: a@b\nSubject: x")
    item = from_mime(raw, scan(raw), prefix=b"Received: by us\r\n", received_ms=1_762_000_000_000)
    assert item.props[names.TRANSPORT_HEADERS] == "Received: by us\r\nFrom: a@b\r\nSubject: x\r\n\r\n"
    assert item.props[names.DELIVERY_TIME] == AT


def test_date_of_an_item_that_tells_none() -> None:
    assert b"Date: Sat, 01 Nov 2025 12:26:40 +0000" in b"".join(to_mime(Item(), now_ms=1_762_000_000_000))
    assert b"Date:" not in b"".join(to_mime(Item()))


@pytest.mark.parametrize(
    ("head", "octets", "page"),
    [
        ("text/html", "<p>é".encode(), 65001),
        ("text/html", "<p>é".encode("latin-1"), 1252),
        ("text/html", "<meta charset=iso-8859-2><p>ą".encode("iso-8859-2"), 28592),
        ("text/html", b'<meta http-equiv="Content-Type" content="text/html; charset=koi8-r"><p>\xc1', 20866),
        ("text/html; charset=us-ascii", "<p>é".encode(), 65001),
        ("text/html; charset=iso-8859-1", "<meta charset=utf-8><p>é".encode("latin-1"), 28591),
        ("text/html", b"<meta charset=utf-16><p>x", 20127),
        ("text/html", b"<p>x", 20127),
        ("text/plain", "é".encode(), 65001),
        ("text/plain", "é".encode("cp1252"), 1252),
        ("text/plain", b"<meta charset=koi8-r>x", 20127),
    ],
)
def test_charset_that_the_letter_does_not_name_or_names_wrong(head: str, octets: bytes, page: int) -> None:
    """MS-OXCMAIL 2.2.3.3: a code page that clients can show the octets with."""
    bag = from_mime(b"From: a@b\r\nContent-Type: " + head.encode() + b"\r\n\r\n" + octets).props
    assert bag[names.CODEPAGE] == page
    if "html" in head:
        assert bag[names.HTML] == octets
    again = from_mime(
        b"".join(to_mime(from_mime(b"Content-Type: " + head.encode() + b"\r\n\r\n" + octets)))
    ).props
    assert again.get(names.HTML, b"").strip() == bag.get(names.HTML, b"").strip()


def test_flag_of_the_sender_is_a_flag() -> None:
    """MS-OXOFLAG 2.2.1.1."""
    assert from_mime(letter("X-Message-Flag: Call back")).props[names.FLAG_STATUS] == 2


def test_words_that_no_line_holds_are_cut() -> None:
    back = parsed(
        Item({names.SUBJECT: "x" * 3000, _own("x-a"): "y" * 2000, names.REPRESENTING.smtp: "z" * 999 + "@b"})
    )
    assert str(back["Subject"]) == "x" * 3000


def test_part_that_is_written_as_it_is_cannot_end_the_letter() -> None:
    """RFC 2046 5.1.1: the boundary depends on what it must not stand in."""
    one = Attachment({names.ATTACH_MIME_TAG: "message/x-own"}, b"first")
    item = Item({names.BODY: "x"}, attachments=[one])
    boundary = b"".join(to_mime(item)).partition(b'boundary="')[2].partition(b'"')[0]
    one.data = b"first\r\n--" + boundary + b"--\r\nlast"
    assert from_mime(b"".join(to_mime(item))).attachments[0].data == one.data
