"""Files of Outlook: the streams that MS-OXMSG names, and what must be refused."""

from __future__ import annotations

import struct
import uuid

import pytest

from quintet.errors import BadSyntax
from quintet.mapi import guids, msgfile, named
from quintet.mapi.bag import Attachment, Item, NamedTag
from quintet.mapi.msgfile import compound, layout, reading
from quintet.mapi.msgfile.compound import Storage, Stream
from quintet.mapi.tags import tag

SUBJECT, BODY = tag("PidTagSubject"), tag("PidTagBody")


def streams(item: Item) -> dict[str, bytes]:
    """Every stream of a file by its path."""
    found: dict[str, bytes] = {}

    def walk(storage: Storage, path: str) -> None:
        for name, node in storage.entries.items():
            if isinstance(node, Storage):
                walk(node, f"{path}{name}/")
            elif isinstance(node, Stream):
                found[path + name] = node.load()

    walk(compound.read(msgfile.write(item)), "")
    return found


def test_properties_of_a_message() -> None:
    """MS-OXMSG 2.4.1.1, 2.4.2.1, 2.4.2.2: numbers of parts, then 16 bytes a property."""
    found = streams(Item({SUBJECT: "Hi", 0x00170003: 2, 0x67000048: uuid.UUID(int=1)}, [{}], []))
    head = bytes(8) + struct.pack("<4I", 1, 0, 1, 0) + bytes(8)
    assert found["__properties_version1.0"].hex() == (
        head.hex()
        + "1f001a00" + "06000000" + "12000000" + "00000000"  # 2 more than the stream
        + "1f003700" + "06000000" + "06000000" + "00000000"
        + "03001700" + "06000000" + "02000000" + "00000000"
        + "48000067" + "06000000" + "10000000" + "00000000"
        + "03000d34" + "06000000" + "790e0400" + "00000000"
    )  # fmt: skip
    assert found["__substg1.0_0037001F"] == b"H\0i\0"
    assert found["__substg1.0_67000048"] == uuid.UUID(int=1).bytes_le
    part = found["__recip_version1.0_#00000000/__properties_version1.0"]
    assert part.hex() == "00" * 8 + "03000030" + "06000000" + "00" * 8


def test_multi_values() -> None:
    """MS-OXMSG 2.1.4: packed, or a stream of lengths and a stream for each."""
    item = Item({0x67001003: [1, 2], 0x6701101F: ["a", ""], 0x67021102: [b"x"]})
    found = streams(item)
    assert found["__substg1.0_67001003"].hex() == "0100000002000000"
    assert found["__substg1.0_6701101F"].hex() == "0400000002000000"
    assert found["__substg1.0_6701101F-00000000"] == b"a\0\0\0"
    assert found["__substg1.0_6701101F-00000001"] == b"\0\0"
    assert found["__substg1.0_67021102"].hex() == "0100000000000000"
    assert found["__substg1.0_67021102-00000000"] == b"x"
    assert item.props.items() <= msgfile.read(msgfile.write(item)).props.items()


def test_names_are_kept_once_for_the_whole_file() -> None:
    """MS-OXMSG 2.2.3: GUIDs beyond the two known ones, entries, texts, and where to look."""
    location, keywords = named.key("PidLidLocation"), named.key("PidNameKeywords")
    inner = Item({location: "there"})
    found = streams(Item({location: "here", keywords: ["a"]}, [], [Attachment({}, item=inner)]))
    at = "__nameid_version1.0/"
    assert found[at + "__substg1.0_00020102"] == guids.PSETID_APPOINTMENT.bytes_le
    assert (
        found[at + "__substg1.0_00030102"].hex()
        == "08820000" + "0600" + "0000" + "00000000" + "0500" + "0100"
    )
    assert found[at + "__substg1.0_00040102"] == b"\x10\0\0\0" + "Keywords".encode("utf-16-le")
    assert found["__substg1.0_8000001F"] == b"h\0e\0r\0e\0"
    assert found["__attach_version1.0_#00000000/__substg1.0_3701000D/__substg1.0_8000001F"].startswith(b"t\0")
    # 2.2.3.2.2.1: 0x1000 + (0x8208 xor 6) mod 0x1F
    assert (
        found[at + f"__substg1.0_{0x1000 + (0x8208 ^ 6) % 31:04X}0102"].hex() == "08820000" + "0600" + "0000"
    )


def test_header_names_are_looked_for_in_small_letters() -> None:
    """The checksum of "x-mailer", and the stream it leads to, as Microsoft's support told them."""
    assert layout.bucket("x-mailer", 3) == ("__substg1.0_100F0102", 0xFF504E89)
    found = streams(Item({NamedTag(guids.PS_INTERNET_HEADERS, "X-Mailer", 0x1F): "us"}))
    assert found["__nameid_version1.0/__substg1.0_100F0102"].hex() == "894e50ff" + "0700" + "0000"


def test_attachments_of_every_method() -> None:
    inner = Item({SUBJECT: "inner"}, [{tag("PidTagDisplayName"): "Zoe"}], [Attachment({}, b"deep")])
    storage = Storage({"CONTENTS": b"picture", "sub": Storage({"x": b"1"})})
    ole = b"".join(compound.write(storage))
    item = Item({}, [], [
        Attachment({}, b"bytes"), Attachment({}, item=inner),
        Attachment({layout.ATTACH_METHOD: layout.OLE}, ole),
        Attachment({layout.ATTACH_METHOD: layout.OLE}, b"not a compound file"),
    ])  # fmt: skip
    found = msgfile.read(msgfile.write(item)).attachments
    assert found[0].data == b"bytes"
    assert found[1].item is not None
    assert found[1].item.props[SUBJECT] == "inner"
    assert found[1].item.attachments[0].data == b"deep"
    assert isinstance(found[2].data, bytes)
    assert compound.read(found[2].data).entries.keys() == storage.entries.keys()
    assert found[3].data == b"not a compound file"


def test_what_a_file_cannot_hold_is_left_out() -> None:
    """2.4.2.2: a text has one character at the least."""
    item = Item({SUBJECT: "", BODY: "x", 0x670000FD: None, 0x6701000A: 5, 0x67020102: b""})
    assert msgfile.read(msgfile.write(item)).props == {
        BODY: "x", 0x67020102: b"", layout.MESSAGE_CLASS: "IPM.Note", layout.SUPPORT_MASK: 0x40E79,
    }  # fmt: skip


def narrow(entries: dict[str, object], rows: list[tuple[int, bytes]]) -> bytes:
    props = bytes(32) + b"".join(struct.pack("<II8s", number, 6, value) for number, value in rows)
    return b"".join(compound.write(Storage({"__properties_version1.0": props, **entries})))


def test_text_of_a_code_page() -> None:
    raw = narrow(
        {"__substg1.0_0037001E": b"\x8eofie", "__substg1.0_6700101E": b"\4\0\0\0",
         "__substg1.0_6700101E-00000000": b"\x8ea\0"},
        [(0x3FFD0003, (1250).to_bytes(4, "little")), (0x0037001E, b"\6"), (0x6700101E, b"\4")],
    )  # fmt: skip
    found = msgfile.read(raw).props
    assert (found[SUBJECT], found[0x6700101F]) == ("Žofie", ["Ža"])


def test_what_is_not_there_is_no_property() -> None:
    raw = narrow(
        {"__substg1.0_67000048": b"short", "__substg1.0_67020102": b"x"},
        [(0x0037001F, b"\6"), (0x67000048, b"\x10"), (0x80000003, b"\1"), (0x3701000D, b"\xff" * 8),
         (0x670200FD, b"")],
    )  # fmt: skip
    assert msgfile.read(raw).props == {}


@pytest.mark.parametrize(
    "entries",
    [
        {"__properties_version1.0": bytes(32 + 16 * (reading.MAX_PROPS + 1))},
        {"__attach_version1.0_#0000": Storage()},
        {"__recip_version1.0_#xyz": Storage()},
    ],
)
def test_malformed_files_are_refused(entries: dict[str, object]) -> None:
    with pytest.raises(BadSyntax):
        msgfile.read(narrow(entries, []))


def test_too_many_recipients_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = msgfile.write(Item({}, [{}] * 4))
    assert len(msgfile.read(raw).recipients) == 4
    monkeypatch.setattr(reading, "MAX_PARTS", 3)
    with pytest.raises(BadSyntax):
        msgfile.read(raw)


def test_file_without_a_message_is_refused() -> None:
    with pytest.raises(BadSyntax):
        msgfile.read(b"".join(compound.write(Storage())))


def test_multi_value_of_fewer_values_is_refused() -> None:
    raw = narrow({"__substg1.0_6700101F": b"\4\0\0\0"}, [(0x6700101F, b"\4")])
    with pytest.raises(BadSyntax):
        msgfile.read(raw)


def test_names_that_lead_nowhere_are_no_names() -> None:
    entries = (
        struct.pack("<IHH", 0x8208, 0x7FFE, 0) + struct.pack("<IHH", 100, 5, 1) + struct.pack("<IHH", 0, 5, 2)
    )
    names = Storage({layout.ENTRIES: entries, layout.STRINGS: b"\xff\0\0\0ab"})
    rows = [(number << 16 | 3, b"\1") for number in (0x8000, 0x8001, 0x8002)]
    assert msgfile.read(narrow({layout.NAMES: names}, rows)).props == {}


def test_messages_nested_too_deeply_are_refused() -> None:
    item = Item({SUBJECT: "deep"})
    for _ in range(reading.MAX_EMBEDDED):
        item = Item({}, [], [Attachment({}, item=item)])
    assert msgfile.read(msgfile.write(item)).attachments
    with pytest.raises(BadSyntax):
        msgfile.write(Item({}, [], [Attachment({}, item=item)]))


@pytest.mark.parametrize("props", [{0x00170003: 1 << 40}, {0x67001003: [1 << 40]}])
def test_value_that_is_none_of_its_type_is_refused(props: dict[int, object]) -> None:
    with pytest.raises(BadSyntax):
        msgfile.write(Item(props))
