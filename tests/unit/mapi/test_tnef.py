"""TNEF: the bytes that MS-OXTNEF draws, and streams that others write."""

from __future__ import annotations

import struct

import pytest

from quintet.errors import BadSyntax
from quintet.mapi import guids, named, tnef
from quintet.mapi.bag import Attachment, Item
from quintet.mapi.tags import tag
from quintet.mapi.tnef import attributes as att
from quintet.mapi.tnef import reading

HEAD = bytes.fromhex("789f3e220100")
SUBJECT, BODY, CLASS = tag("PidTagSubject"), tag("PidTagBody"), tag("PidTagMessageClass")


SECOND = 11_644_473_601 * 10**7  # of 1970


def attribute(number: int, data: bytes, level: int = att.MESSAGE) -> bytes:
    return struct.pack("<BII", level, number, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def read(*attributes: bytes) -> Item:
    return tnef.read(HEAD + b"".join(attributes))


def test_bytes_of_a_small_item() -> None:
    """MS-OXTNEF 2.1.3.1, 2.1.3.2: signature, key, then level, id, length, data and checksum of each."""
    raw = tnef.write(Item({SUBJECT: "Hi"}), key=0x1234)
    assert raw.hex() == (
        "789f3e22" + "3412"
        + "01" + "06900800" + "04000000" + "00000100" + "0100"
        + "01" + "07900600" + "08000000" + "e9fd000000000000" + "e601"
        + "01" + "08800700" + "18000000" + b"IPM.Microsoft Mail.Note\0".hex() + "3108"
        + "01" + "04800100" + "03000000" + "486900" + "b100"
        + "01" + "03900600" + "38000000" + "02000000"
        + "1f001a00" + "01000000" + "12000000" + b"I\0P\0M\0.\0N\0o\0t\0e\0\0\0".hex() + "0000"
        + "1f003700" + "01000000" + "06000000" + "480069000000" + "0000" + "0604"
    )  # fmt: skip


def test_values_fill_whole_words() -> None:
    """MS-OXTNEF 2.1.3.4: 16-bit values, names and text are padded to four bytes."""
    raw = struct.pack("<IHHhh", 2, 2, 0x6700, -5, 0)
    raw += struct.pack("<HH", 0x1F, 0x8123) + guids.PS_PUBLIC_STRINGS.bytes_le
    raw += struct.pack("<II", 1, 6) + "Ab\0".encode("utf-16-le") + b"\0\0"
    raw += struct.pack("<II", 1, 6) + "cd\0".encode("utf-16-le")  # the last pad is not there
    found = read(attribute(att.MESSAGE_PROPS, raw))
    assert found.props == {0x67000002: -5, guids_key("Ab"): "cd"}


def guids_key(name: str):
    keywords = named.key("PidNameTitle")
    return type(keywords)(guids.PS_PUBLIC_STRINGS, name, 0x1F)


def test_text_is_of_the_code_page_that_was_told() -> None:
    page = attribute(att.OEM_CODEPAGE, struct.pack("<II", 1250, 0))
    props = struct.pack("<IHHII", 1, 0x1E, 0x1000, 1, 3) + b"\x8ea\0\0"
    found = read(page, attribute(att.SUBJECT, b"\x8eofie\0"), attribute(att.MESSAGE_PROPS, props))
    assert found.props == {SUBJECT: "Žofie", BODY: "Ža"}


@pytest.mark.parametrize(
    ("number", "data", "name", "value"),
    [
        # MS-OXTNEF 2.1.3.3
        (att.MESSAGE_CLASS, b"IPM.Microsoft Mail.Note\0", "PidTagMessageClass", "IPM.Note"),
        (att.MESSAGE_CLASS, b"IPM.Contact\0", "PidTagMessageClass", "IPM.Contact"),
        (att.PRIORITY, b"\1\0", "PidTagImportance", 2),
        (0x00038006, struct.pack("<7H", 1970, 1, 1, 0, 0, 1, 4), "PidTagMessageDeliveryTime", SECOND),
        (0x00018009, b"0aFF\0", "PidTagSearchKey", b"\x0a\xff"),
        (0x00068007, b"\x20", "PidTagMessageFlags", 3),
        (0x00068007, b"\x83", "PidTagMessageFlags", 0x18),
        (0x00050008, b"\xff\xff\xff\xff", "PidTagOwnerAppointmentId", -1),
        (0x00040009, b"\1\0", "PidTagResponseRequested", True),
        (0x00060002, b"ab", "PR_DELEGATION", b"ab"),
    ],
)  # fmt: skip
def test_attributes_are_properties(number: int, data: bytes, name: str, value: object) -> None:
    assert read(attribute(number, data)).props == {tag(name): value}


@pytest.mark.parametrize(
    ("number", "data"),
    [(att.PRIORITY, b"\7\0"), (att.DATE_SENT, bytes(14)), (0x00018009, b"xyz\0"), (0x00069999, b"x"),
     (0x00008000, bytes(8))],
)  # fmt: skip
def test_what_says_nothing_is_nothing(number: int, data: bytes) -> None:
    assert read(attribute(number, data)).props == {}


def test_people() -> None:
    triple = struct.pack("<4H", 4, 24, 4, 9) + b"Zoe\0" + b"SMTP:z@x\0"
    counted = struct.pack("<H", 4) + b"Bob\0" + struct.pack("<H", 9) + b"SMTP:b@x\0"
    found = read(attribute(0x00008000, triple), attribute(att.OWNER, counted)).props
    assert (found[tag("PidTagSenderName")], found[tag("PidTagSenderEmailAddress")]) == ("Zoe", "z@x")
    assert found[tag("PidTagSentRepresentingEmailAddress")] == "b@x"


def test_owner_of_an_answer_is_whom_it_is_for() -> None:
    """MS-OXTNEF 2.2.3.11."""
    counted = struct.pack("<H", 4) + b"Bob\0" + struct.pack("<H", 9) + b"SMTP:b@x\0"
    answer = attribute(att.MESSAGE_CLASS, b"IPM.Microsoft Schedule.MtgRespP\0")
    found = read(answer, attribute(att.OWNER, counted)).props
    assert found[tag("PidTagReceivedRepresentingAddressType")] == "SMTP"
    assert tag("PidTagSentRepresentingName") not in found


def test_property_counts_more_than_attribute() -> None:
    props = struct.pack("<IHHII", 1, 0x1F, 0x0037, 1, 4) + "b\0".encode("utf-16-le")
    for order in (1, -1):
        both = [attribute(att.SUBJECT, b"a\0"), attribute(att.MESSAGE_PROPS, props)][::order]
        assert read(*both).props == {SUBJECT: "b"}


# --- attachments ----------------------------------------------------------------------------------------


def test_attachments_begin_with_their_rendering() -> None:
    """MS-OXTNEF 2.1.3.3: a Mac's file is marked by a bit."""
    rendering = struct.pack("<HiHHI", 1, -1, 0, 0, 1)
    found = read(
        attribute(att.RENDERING, rendering, 2),
        attribute(att.ATTACHMENT_TITLE, b"a.txt\0", 2),
        attribute(att.ATTACHMENT_DATA, b"hello", 2),
        attribute(att.RENDERING, struct.pack("<HiHHI", 2, 7, 0, 0, 0), 2),
    ).attachments
    assert [each.data for each in found] == [b"hello", b""]
    assert found[0].props == {
        att.ATTACH_METHOD: 1, att.RENDERING_POSITION: -1, att.ATTACH_ENCODING: att.MAC_BINARY,
        att.ATTACH_FILENAME: "a.txt",
    }  # fmt: skip
    assert found[1].props[att.ATTACH_METHOD] == att.OLE


def test_attachments_of_every_method_are_read_back() -> None:
    ole = Attachment({att.ATTACH_METHOD: att.OLE, att.DISPLAY_NAME: "picture"}, b"storage")
    plain = Attachment({att.ATTACH_LONG_FILENAME: "Žluť.txt"}, b"x" * 5)
    message = Attachment({}, item=Item({SUBJECT: "inner"}, [], [plain]))
    found = tnef.read(tnef.write(Item({CLASS: "IPM.Note"}, [], [ole, plain, message]))).attachments
    assert (found[0].data, found[0].props[att.ATTACH_METHOD]) == (b"storage", att.OLE)
    assert (found[1].data, found[1].props[att.ATTACH_FILENAME]) == (b"xxxxx", "Žluť.txt")
    assert found[2].props[att.ATTACH_METHOD] == att.EMBEDDED
    assert found[2].item is not None
    assert found[2].item.attachments[0].data == b"xxxxx"


class Pieces:
    """Bytes elsewhere, of which fewer come than there are."""

    def __init__(self, size: int, there: int) -> None:
        self.size, self.there = size, there
        self.asked: list[tuple[int, int]] = []

    def read(self, start: int, most: int) -> bytes:
        self.asked.append((start, most))
        return b"\1" * min(most, self.there - start)


def test_large_attachment_is_read_in_pieces() -> None:
    data = Pieces(200_000, 200_000)
    pieces = list(tnef.chunks(Item({}, [], [Attachment({}, data)])))
    assert max(map(len, pieces)) <= 64 * 1024
    assert len(data.asked) == 4
    assert struct.pack("<H", 200_000 & 0xFFFF) in pieces  # the checksum
    assert tnef.read(b"".join(pieces)).attachments[0].data == b"\1" * 200_000


def test_attachment_that_is_shorter_than_it_says_ends_the_stream() -> None:
    with pytest.raises(BadSyntax):
        tnef.write(Item({}, [], [Attachment({}, Pieces(100_000, 70_000))]))


# --- hostile ones -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not TNEF at all",
        HEAD + attribute(att.SUBJECT, b"x", level=3),
        HEAD + b"\1" + struct.pack("<II", att.SUBJECT, 0xFFFFFFFF) + b"xx",
        HEAD + attribute(att.MESSAGE_PROPS, struct.pack("<I", 0xFFFFFFFF)),
        HEAD + attribute(att.MESSAGE_PROPS, struct.pack("<IHHI", 1, 0x101F, 0x1000, 0xFFFFFFFF)),
        HEAD + attribute(att.MESSAGE_PROPS, struct.pack("<IHH", 1, 0x99, 0x1000) + bytes(8)),
        HEAD
        + attribute(
            att.MESSAGE_PROPS, struct.pack("<IHH", 1, 3, 0x8000) + bytes(16) + b"\7\0\0\0" + bytes(8)
        ),
        HEAD + attribute(att.RECIPIENTS, struct.pack("<I", 10_001) + bytes(50_000)),
        HEAD + attribute(att.MESSAGE_PROPS, struct.pack("<I", 10_001) + bytes(100_000)),
        HEAD + attribute(att.RENDERING, bytes(14), 2) * (reading.MAX_ATTACHMENTS + 1),
    ],
)
def test_malformed_streams_are_refused(raw: bytes) -> None:
    with pytest.raises(BadSyntax):
        tnef.read(raw)


def test_messages_nested_too_deeply_are_refused() -> None:
    item = Item({SUBJECT: "deep"})
    for _ in range(reading.MAX_EMBEDDED):
        item = Item({}, [], [Attachment({}, item=item)])
    raw = tnef.write(item)
    assert tnef.read(raw).attachments
    with pytest.raises(BadSyntax):
        tnef.write(Item({}, [], [Attachment({}, item=item)]))
    inner = guids.INTERFACES["IID_IMessage"].bytes_le + raw
    props = struct.pack("<IHHII", 1, 0x0D, 0x3701, 1, len(inner)) + inner + bytes(-len(inner) % 4)
    with pytest.raises(BadSyntax):
        read(attribute(att.RENDERING, bytes(14), 2), attribute(att.ATTACHMENT_PROPS, props, 2))


def test_large_messages_nest_less_deeply(monkeypatch: pytest.MonkeyPatch) -> None:
    item = Item({}, [], [Attachment({}, b"x" * 10_000)])
    for _ in range(3):
        item = Item({}, [], [Attachment({}, item=item)])
    raw = tnef.write(item)
    monkeypatch.setattr(reading, "MAX_NESTED", 35_000)
    assert tnef.read(raw).attachments
    monkeypatch.setattr(reading, "MAX_NESTED", 25_000)
    with pytest.raises(BadSyntax):
        tnef.read(raw)


def test_what_tnef_cannot_tell_is_left_out() -> None:
    item = Item({SUBJECT: "x", 0x3FF700FD: b"", 0x6700000A: 5, 0x67010003: None, 0x6702101F: []})
    assert tnef.read(tnef.write(item)).props == {CLASS: "IPM.Note", SUBJECT: "x"}


def test_long_texts_are_whole_in_the_list_alone() -> None:
    """libytnef 2.0 takes 100 bytes with their NUL."""
    subject, name = "\u017elu\u0165" * 40, "n" * 200 + ".docx"
    made = tnef.write(Item({SUBJECT: subject}, [], [Attachment({0x3707001F: name}, b"x")]))
    back = tnef.read(made)
    assert back.props[SUBJECT] == subject
    (file,) = back.attachments
    assert (file.props[0x3707001F], file.props[0x3704001F]) == (name, "n" * 94 + ".docx")
