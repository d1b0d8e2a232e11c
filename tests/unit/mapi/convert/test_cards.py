"""vCard as contacts and distribution lists, and back (MS-OXVCARD 2.1.3)."""

from __future__ import annotations

import pytest
import vobject

from quintet.mapi import ids
from quintet.mapi.bag import Item, Key
from quintet.mapi.convert import cardkeys, cards, difference, from_mime, names, to_mime
from quintet.mapi.tags import tag
from quintet.mapi.types import Value
from tests.unit.mapi.convert.test_calendars import utc


def card(*lines: str, version: str = "3.0") -> str:
    return "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", "FN:Zoe Doe", *lines, "END:VCARD", ""])


def only(text: str) -> Item:
    (item,) = cards.read(text)
    return item


def _again(item: Item) -> Item:
    """The contact as it comes back; a foreign reader takes what was written."""
    text = cards.write([item])
    found = vobject.readOne(text)
    assert found.fn.value == item.props[names.DISPLAY_NAME]
    again = only(text)
    assert not difference(item, again), difference(item, again)
    return again


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("N:Doe;Zoe;Q.;Dr.;Jr.", cardkeys.SURNAME, "Doe"),
        ("N:Doe;Zoe;Q.;Dr.;Jr.", cardkeys.SUFFIX, "Jr."),
        ("N:D\\;oe;Zoe", cardkeys.SURNAME, "D;oe"),
        ("NICKNAME:zo", tag("PidTagNickname"), "zo"),
        ("ORG:Acme\\, Inc.;Sales", cardkeys.COMPANY, "Acme, Inc."),
        ("ORG:Acme;Sales", cardkeys.DEPARTMENT, "Sales"),
        ("TITLE:Boss", tag("PidTagTitle"), "Boss"),
        ("ROLE:Engineer", tag("PidTagProfession"), "Engineer"),
        ("EMAIL;TYPE=INTERNET:zoe@x.org", cardkeys.EMAILS[0].address, "zoe@x.org"),
        ("EMAIL:zoe@x.org", cardkeys.EMAILS[0].shown, "Zoe Doe (zoe@x.org)"),
        ("EMAIL:a@x.org\r\nEMAIL;TYPE=pref:b@x.org", cardkeys.EMAILS[0].address, "b@x.org"),
        ("EMAIL:a@x.org\r\nEMAIL;PREF=1:b@x.org", cardkeys.EMAILS[1].address, "a@x.org"),
        ("TEL;TYPE=WORK,VOICE:+1", tag("PidTagBusinessTelephoneNumber"), "+1"),
        ("TEL;TYPE=work:+1\r\nTEL;TYPE=work:+2", tag("PidTagBusiness2TelephoneNumber"), "+2"),
        ("TEL;TYPE=home:+1\r\nTEL;TYPE=home:+2", tag("PidTagHome2TelephoneNumber"), "+2"),
        ("TEL;TYPE=CELL:+1", tag("PidTagMobileTelephoneNumber"), "+1"),
        ("TEL;TYPE=WORK;TYPE=FAX:+1", tag("PidTagBusinessFaxNumber"), "+1"),
        ("TEL;TYPE=FAX:+1", tag("PidTagPrimaryFaxNumber"), "+1"),
        ("TEL;VALUE=uri;TYPE=\"voice,cell\":tel:+1", tag("PidTagMobileTelephoneNumber"), "+1"),
        ("TEL:+1", tag("PidTagOtherTelephoneNumber"), "+1"),
        ("X-MS-TEL;TYPE=ASSISTANT:+1", tag("PidTagAssistantTelephoneNumber"), "+1"),
        ("ADR;TYPE=HOME:;;1 Road;Town;R;99;Land", tag("PidTagHomeAddressCity"), "Town"),
        ("ADR;TYPE=WORK:Box;Off;1 Road;Town;R;99;Land", tag("PidTagOfficeLocation"), "Off"),
        ("ADR;TYPE=WORK,PREF:;;1 Road", cardkeys.POSTAL, 2),
        ("ADR:;;1 Road\\, 2", tag("PidTagOtherAddressStreet"), "1 Road, 2"),
        ("URL;TYPE=WORK:https://x.org", cardkeys.BUSINESS_PAGE, "https://x.org"),
        ("URL:https://x.org", cardkeys.PERSONAL_PAGE, "https://x.org"),
        ("BDAY:1990-02-03", tag("PidTagBirthday"), utc(1990, 2, 3)),
        ("BDAY:19900203T000000Z", tag("PidTagBirthday"), utc(1990, 2, 3)),
        ("ANNIVERSARY:2010-02-03", tag("PidTagWeddingAnniversary"), utc(2010, 2, 3)),
        ("NOTE:one\\ntwo", names.BODY, "one\r\ntwo"),
        ("CATEGORIES:a,b", names.KEYWORDS, ["a", "b"]),
        ("X-MS-CHILD:Joe", cardkeys.CHILDREN, ["Joe"]),
        ("CLASS:PRIVATE", names.SENSITIVITY, 2),
        ("IMPP:xmpp:zoe@x.org", cardkeys.MESSENGER, "zoe@x.org"),
        ("item1.TEL;type=CELL:+1", tag("PidTagMobileTelephoneNumber"), "+1"),  # a group (RFC 6350 3.3)
        ("TEL;CELL;VOICE:+1", tag("PidTagMobileTelephoneNumber"), "+1"),  # vCard 2.1
        ("NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=ISO-8859-1:Gr=FC=\r\n=DFe=0D=0Ax", names.BODY, "Grüße\r\nx"),
    ],
)  # fmt: skip
def test_property_of_a_contact_comes_back(line: str, key: Key, value: Value) -> None:
    item = only(card(line))
    assert item.props[names.MESSAGE_CLASS] == "IPM.Contact" and item.props[names.SUBJECT] == "Zoe Doe"
    assert item.props[key] == value
    _again(item)
    kept = difference(item, from_mime(b"".join(to_mime(item))))
    assert not kept.change.props and kept.change.gone == [names.TRANSPORT_HEADERS]


def test_address_of_a_contact_can_be_written_to() -> None:
    """MS-OXOCNTC 2.2.1.2: an entry id beside each address."""
    entry = ids.read(only(card("EMAIL:zoe@x.org")).props[cardkeys.EMAILS[0].entry])
    assert isinstance(entry, ids.OneOffEntry) and (entry.name, entry.address) == ("Zoe Doe", "zoe@x.org")


@pytest.mark.parametrize(
    "photo", ["PHOTO;ENCODING=b;TYPE=PNG:AAEC", "PHOTO:data:image/png;base64,AAEC", "PHOTO;PNG;BASE64:AAEC"]
)
def test_picture_is_an_attachment(photo: str) -> None:
    item = only(card(photo))
    (one,) = item.attachments
    assert one.data == b"\0\1\2" and one.props[cardkeys.CONTACT_PHOTO] is True
    assert item.props[cardkeys.HAS_PICTURE] is True
    assert "PHOTO;ENCODING=b;TYPE=" in cards.write([item])


@pytest.mark.parametrize(
    "photo", ["PHOTO:https://x.org/p.png", "PHOTO;ENCODING=b:", "PHOTO:data:image/png,raw"]
)
def test_picture_elsewhere_is_not_fetched(photo: str) -> None:
    assert only(card(photo)).attachments == []


def test_name_of_its_parts() -> None:
    item = only("BEGIN:VCARD\r\nN:Doe;Zoe\r\nEND:VCARD\r\n")
    assert item.props[names.DISPLAY_NAME] == "Zoe Doe"


def test_group_is_a_distribution_list() -> None:
    """MS-OXOCNTC 2.2.2; RFC 6350 6.1.4."""
    item = only(card("KIND:group", "MEMBER;CN=Joe:mailto:joe@x.org", "MEMBER:urn:uuid:1", version="4.0"))
    assert item.props[names.MESSAGE_CLASS] == "IPM.DistList" and item.props[cardkeys.GROUP_NAME] == "Zoe Doe"
    (entry,) = map(ids.read, item.props[cardkeys.MEMBERS])
    assert isinstance(entry, ids.OneOffEntry) and (entry.name, entry.address) == ("Joe", "joe@x.org")
    again = only(cards.write([item]))
    assert not difference(item, again)
    assert not difference(item, from_mime(b"".join(to_mime(item)))).change.props


def test_several_cards_and_what_is_none() -> None:
    text = card() + "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n" + card("TITLE:x")
    items = cards.read(text)
    assert len(items) == 2
    assert cards.write([*items, Item({names.MESSAGE_CLASS: "IPM.Note"})]).count("BEGIN:VCARD") == 2


def test_card_attached_to_a_letter_stays_a_file() -> None:
    """Only a card that is a form of the body makes the letter a contact."""
    raw = (
        b"From: a@b.org\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhi\r\n"
        b"--x\r\nContent-Type: text/vcard\r\n\r\n" + card().encode() + b"\r\n--x--\r\n"
    )
    item = from_mime(raw)
    assert item.props[names.MESSAGE_CLASS] == "IPM.Note" and len(item.attachments) == 1


def test_line_end_within_an_address_begins_no_line() -> None:
    text = cards.write([only(card("URL:http://x.org/\\nEND:VCARD\\nBEGIN:VCARD\\nFN:Mallory"))])
    assert len(cards.read(text)) == 1
    assert text.count("\r\n") == text.count("\n")
