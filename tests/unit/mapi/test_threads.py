"""Conversation indexes, report tags and search folder definitions, byte by byte."""

from __future__ import annotations

import uuid

import pytest

from quintet.errors import BadSyntax
from quintet.mapi import conversation, reporttag, restrict, searchdefs
from quintet.mapi.reporttag import ReportTag
from quintet.mapi.searchdefs import Definition

GUID = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
TIME = 0x01DC_1234_5678_9ABC
YEAR = 365 * 86400 * 10**7


def test_head_of_a_thread() -> None:
    """MS-OXOMSG 2.2.1.3: 1, 40 bits of the time, the GUID, all big-endian."""
    raw = conversation.begin(TIME, GUID)
    assert raw.hex() == "01" + "01dc123456" + "00112233445566778899aabbccddeeff"
    assert conversation.read(raw) == conversation.Index(0x01DC_1234_5600_0000, GUID)


def test_older_head_keeps_sixteen_bits_more() -> None:
    raw = bytes.fromhex("01dc12345678") + GUID.bytes
    assert conversation.read(raw) == conversation.Index(0x01DC_1234_5678_0000, GUID)


@pytest.mark.parametrize(
    ("delay", "level"),
    [
        (0, "0000001e"),  # the head lost the low bits of its time, 0x789ABC
        (1 << 18, "0000001f"),
        (YEAR, f"{YEAR + 0x789ABC >> 18:08x}"),
        (2 * YEAR, f"{1 << 31 | 2 * YEAR + 0x789ABC >> 23:08x}"),  # 1.7 years and more
    ],
)
def test_answer_tells_its_delay(delay: int, level: str) -> None:
    raw = conversation.answer(conversation.begin(TIME, GUID), TIME + delay, 0x1AB)
    assert raw[22:].hex() == level + "ab"
    found = conversation.read(raw)
    assert abs(found.levels[0][0] - (delay + 0x789ABC)) < 1 << 23
    assert conversation.parent(raw) == raw[:22]
    assert conversation.parent(raw[:22]) == b""


def test_answer_to_a_message_from_the_future_has_no_delay() -> None:
    assert conversation.answer(conversation.begin(TIME, GUID), TIME - YEAR, 0)[22:] == bytes(5)


def test_thread_does_not_grow_for_ever() -> None:
    raw = conversation.begin(TIME, GUID)
    for _ in range(conversation.MAX_DEPTH + 1):
        raw = conversation.answer(raw + b"x", TIME, 0)
    assert len(raw) == 22 + 5


def test_identity_of_a_conversation() -> None:
    """MS-OXOMSG 2.2.1.2: of the index, or of the topic whatever its case."""
    raw = conversation.begin(TIME, GUID)
    assert conversation.identity(raw, "topic", tracked=True) == GUID.bytes
    topic = conversation.identity(raw, "topic", tracked=False)
    assert topic == conversation.identity(b"", "TOPIC", tracked=True)
    assert len(topic) == 16


@pytest.mark.parametrize("raw", ["", "01" * 21, "02" + "00" * 21, "01" * 24, "01" * (22 + 5 * 1001)])
def test_malformed_indexes_are_refused(raw: str) -> None:
    with pytest.raises(BadSyntax):
        conversation.read(bytes.fromhex(raw))


def test_answer_to_no_index_is_refused() -> None:
    with pytest.raises(BadSyntax):
        conversation.answer(b"\1", TIME, 0)


# --- report tags ----------------------------------------------------------------------------------------


def test_report_tag() -> None:
    """MS-OXOMSG 2.2.2.22: a cookie, a version, six counted parts."""
    tag = ReportTag(message=b"eid", text=b"Subject")
    raw = reporttag.write(tag)
    assert raw.hex() == (
        b"PCDFEB09\0".hex() + "01000100" + "00000000" * 2 + "03000000656964" + "00000000" * 2
        + "07000000" + b"Subject".hex()
    )  # fmt: skip
    assert reporttag.read(raw) == tag
    assert reporttag.write(ReportTag(search_folder=b"x"))[9:13].hex() == "01000200"


@pytest.mark.parametrize(
    "raw", [b"", b"PCDFEB09\0\1\0\3\0" + bytes(24), b"PCDFEB09\0\1\0\1\0\xff\xff\xff\xff"]
)
def test_malformed_report_tags_are_refused(raw: bytes) -> None:
    with pytest.raises(BadSyntax):
        reporttag.read(raw)


def test_report_tag_is_what_extract_msg_reads() -> None:
    theirs = pytest.importorskip("extract_msg.structures.report_tag").ReportTag
    found = theirs(reporttag.write(ReportTag(search_key=b"key", text=b"Subject")))
    assert (found.messageSearchKey, found.ansiText) == (b"key", b"Subject")


# --- search folders -------------------------------------------------------------------------------------


def test_definition_of_a_search_folder() -> None:
    """MS-OXOSRCH 2.2.1.2.8: with specific words (template 14), flags B, E and G."""
    one = Definition(text="ab", folders=(b"eid",), restriction=restrict.And((restrict.Exist(0x0037001F),)))
    assert one.flags == 0x4A
    raw = searchdefs.write(one)
    assert raw.hex() == (
        "04100000" + "0000004a" + "00000000" + "02" + "61006200" + "00000000" + "01000000" + "00"
        + "13000000" + "0100000000000000" + "0300000000000000" + "656964"
        + "00000000" + "00" + "01000000" + "081f003700" + "00000000"
    )  # fmt: skip
    assert searchdefs.read(raw) == one


def test_long_texts_have_longer_lengths() -> None:
    for length in (254, 255, 256, 65535):
        one = Definition(text="x" * length, folder_names="y" * length)
        assert searchdefs.read(searchdefs.write(one)) == one
    with pytest.raises(BadSyntax):
        searchdefs.write(Definition(text="x" * 65536))


@pytest.mark.parametrize("cut", [0, 9, 13, 20, 30, 45, 56])
def test_definition_cut_short_is_refused(cut: int) -> None:
    one = Definition(text="ab", folders=(b"eid",), restriction=restrict.Exist(1))
    with pytest.raises(BadSyntax):
        searchdefs.read(searchdefs.write(one)[:cut])


def test_too_many_addressees_are_refused() -> None:
    whole = Definition(addresses=((),) * (searchdefs.MAX_ADDRESSES + 1))
    with pytest.raises(BadSyntax):
        searchdefs.read(searchdefs.write(whole))
