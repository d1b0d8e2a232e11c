"""Buffers of operations and the bodies of requests and answers, octet by octet (MS-OXCROPS 2.2.2)."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from quintet.errors import BadSyntax
from quintet.mapi import restrict
from quintet.mapi.buffer import Writer
from quintet.mapi.ids import LongId, ShortId
from quintet.mapi.rop import events, folders, messages, others, properties, registry, stores, streams, tables
from quintet.mapi.rows import Key, Order, SortOrder
from quintet.mapi.types import Named

FID = ShortId(1, 0x0A0B)
FID_HEX = "0100" + "000000000a0b"  # the replica little-endian, the counter big-endian
GUID = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")

REQUESTS: list[tuple[Any, str]] = [
    (registry.RELEASE, "01 07 02"),
    (stores.Logon(1, 0x01000004, 0, "/o=x"), "fe 07 02 01 04000001 00000000 0500 2f6f3d7800"),
    (stores.Logon(1, 0, 0, ""), "fe 07 02 01 00000000 00000000 0000"),
    (stores.GetReceiveFolder("IPM"), "27 07 02 49504d00"),
    (stores.LongTermIdFromId(FID), "43 07 02" + FID_HEX),
    (stores.IdFromLongTermId(LongId(GUID, 5)), "44 07 02" + GUID.bytes_le.hex() + "000000000005 0000"),
    (folders.OpenFolder(FID, 0), "02 07 02 03" + FID_HEX + "00"),
    (
        folders.CreateFolder((1, True, False, "a", "b")),
        "1c 07 02 03 01 01 01 00 61000000 62000000",
    ),
    (folders.CreateFolder((1, False, False, b"a", b"")), "1c 07 02 03 01 00 00 00 6100 00"),
    (folders.DeleteFolder(0x05, FID), "1d 07 02 05" + FID_HEX),
    (folders.MoveCopyMessages((FID,), False, True), "33 07 02 03 0100" + FID_HEX + "00 01"),
    (folders.CopyFolder(False, True, (FID, "x")), "36 07 02 03 00 01 01" + FID_HEX + "78000000"),
    (folders.SetReadFlags(False, 4, (FID,)), "66 07 02 00 04 0100" + FID_HEX),
    (tables.SetColumns(0, (0x0037001F,)), "12 07 02 00 0100 1f003700"),
    (
        tables.SortTable(0, SortOrder((Key(0x0E060040, Order.DESCENDING),), 0, 0)),
        "13 07 02 00 0100 0000 0000 4000060e 01",
    ),
    (tables.Restrict(0, restrict.Exist(0x0037001F)), "14 07 02 00 0500 08 1f003700"),
    (tables.Restrict(0, None), "14 07 02 00 0000"),
    (tables.QueryRows(0, True, 50), "15 07 02 00 01 3200"),
    (tables.SeekRow(1, -2, True), "18 07 02 01 feffffff 01"),
    (tables.FindRow(1, None, 0, b"\1\2"), "4f 07 02 01 0000 00 0200 0102"),
    (tables.ExpandRow(10, 0x0102), "59 07 02 0a00 0201000000000000"),
    (messages.OpenMessage(0xFFF, FID, 3, FID), "03 07 02 03 ff0f" + FID_HEX + "03" + FID_HEX),
    (messages.SaveChangesMessage(0x0A), "0c 07 03 02 0a"),  # the response handle stands first
    (
        messages.ModifyRecipients(messages.Changes((0x39FE001F,), (messages.ChangedRecipient(9, 1, b"xy"),))),
        "0e 07 02 0100 1f00fe39 0100 09000000 01 0200 7879",
    ),
    (messages.SetMessageReadFlag(5, b""), "11 07 03 02 05"),
    (messages.SubmitMessage(0), "32 07 02 00"),
    (properties.GetPropertiesSpecific(0, True, (0x0037001F,)), "07 07 02 0000 0100 0100 1f003700"),
    (properties.SetProperties(((0x00170003, 1),)), "0a 07 02 0a00 0100 03001700 01000000"),
    (
        properties.GetPropertyIdsFromNames(2, (Named(GUID, 0x8005),)),
        "56 07 02 02 0100 00" + GUID.bytes_le.hex() + "05800000",
    ),
    (streams.OpenStream(0x1000001F, 0), "2b 07 02 03 1f000010 00"),
    (streams.ReadStream(0x1000), "2c 07 02 0010"),
    (streams.ReadStream(0x20000), "2c 07 02 beba 00000200"),  # R3212
    (streams.SeekStream(0, -1), "2e 07 02 00 ffffffffffffffff"),
    (others.RegisterNotification(0x0102, None), "29 07 02 03 0201 01"),
    (others.RegisterNotification(0x0402, (FID, FID)), "29 07 02 03 0204 00 00" + FID_HEX + FID_HEX),  # R20005
    (
        others.ModifyPermissions(2, (others.RowChange(1, ((0x66710014, 7),)),)),
        "40 07 02 02 0100 01 0100 14007166 0700000000000000",
    ),
]


@pytest.mark.parametrize("body, octets", REQUESTS)
def test_requests_are_written_and_read(body: Any, octets: str) -> None:
    writer = Writer()
    registry.put_request(writer, body, 7, 2, 3)
    raw = writer.done()
    assert raw.hex() == octets.replace(" ", "")
    buffer = registry.read(registry.join(raw, [1, 2]))
    (asked,) = buffer.asked
    assert asked.body == (None if isinstance(body, int) else body)
    assert (asked.logon, asked.index) == (7, 2)
    assert buffer.handles == [1, 2]


ANSWERS: list[tuple[Any, Any, str]] = [
    (folders.OpenFolder(FID, 0), folders.OpenFolderAnswer(False, None), "02 03 00000000 00 00"),
    (
        folders.OpenFolder(FID, 0),
        folders.OpenFolderAnswer(True, (1, ("srv",))),
        "02 03 00000000 01 01 0100 0100 73727600",
    ),
    (folders.DeleteFolder(1, FID), folders.Partial(False), "1d 02 00000000 00"),
    (tables.QueryRows(0, True, 1), tables.QueryRowsAnswer(2, ()), "15 02 00000000 02 0000"),
    (
        messages.OpenMessage(0, FID, 0, FID),
        messages.OpenMessageAnswer(False, None, "Hi", 1, (), (messages.OpenRecipient(1, 0xFFF, b"r"),)),
        "03 03 00000000 00 00 04 480069000000 0100 0000 01 01 ff0f 0000 0100 72",
    ),
    (
        messages.SaveChangesMessage(0),
        messages.SaveChangesMessageAnswer(2, FID),
        "0c 03 00000000 02" + FID_HEX,
    ),
    (
        messages.SetMessageReadFlag(0, b""),
        messages.SetMessageReadFlagAnswer((False, b"")),
        "11 03 00000000 00",
    ),
    (streams.ReadStream(5), streams.ReadStreamAnswer(b"abc"), "2c 02 00000000 0300 616263"),
    (
        folders.GetSearchCriteria(True, True, True),
        folders.GetSearchCriteriaAnswer(None, 7, (FID,), 1),
        "31 02 00000000 0000 07 0100" + FID_HEX + "01000000",
    ),
]


@pytest.mark.parametrize("ask, body, octets", ANSWERS)
def test_answers_are_written_and_read(ask: Any, body: Any, octets: str) -> None:
    writer = Writer()
    registry.put_request(writer, ask, 7, 2, 3)
    (asked,) = registry.read(registry.join(writer.done(), [])).asked
    answer = Writer()
    registry.put_answer(answer, asked, body)
    raw = answer.done()
    assert raw.hex() == octets.replace(" ", "")
    (told,) = registry.read_answers(registry.join(raw, [])).told
    assert told.code == 0
    assert told.body == body or told.body.rows == []


@pytest.mark.parametrize(
    "ask, code, octets",
    [
        (folders.OpenFolder(FID, 0), 0x8004010F, "02 03 0f010480"),
        (folders.DeleteFolder(1, FID), 0x8004010F, "1d 02 0f010480 00"),  # PartialCompletion is always there
        (streams.ReadStream(1), 0x8004010F, "2c 02 0f010480 0000"),  # R3224: so is DataSize
        (folders.MoveCopyMessages((), False, True), 0x503, "33 02 03050000 03000000 00"),  # R790
        (properties.CopyTo(False, True, 0, ()), 0x503, "39 02 03050000 03000000"),
        (properties.CopyTo(False, True, 0, ()), 0x80040102, "39 02 02010480"),
    ],
)
def test_failures_end_where_they_must(ask: Any, code: int, octets: str) -> None:
    writer = Writer()
    registry.put_request(writer, ask, 7, 2, 3)
    (asked,) = registry.read(registry.join(writer.done(), [])).asked
    answer = Writer()
    registry.put_failure(answer, asked, code)
    raw = answer.done()
    assert raw.hex() == octets.replace(" ", "")
    (told,) = registry.read_answers(registry.join(raw, [])).told
    assert (told.code, told.body) == (code, None)


def test_public_logons_send_client_data() -> None:
    """R2094, R2095: 24 bytes more, also when the logon stands in the same buffer."""
    writer = Writer()
    registry.put_request(writer, stores.Logon(0, 0, 0, ""), 4, 0)
    registry.put_request(writer, messages.SetMessageReadFlag(1, b"x" * 24), 4, 0, 0)
    found = registry.read(registry.join(writer.done(), [0]))
    assert found.asked[1].body.client_data == b"x" * 24
    writer = Writer()
    registry.put_request(writer, messages.SetMessageReadFlag(1, b"x" * 24), 4, 0, 0)
    raw = registry.join(writer.done(), [0])
    assert registry.read(raw, {4}).asked[0].body.client_data == b"x" * 24
    with pytest.raises(BadSyntax):
        registry.read(raw, set())


@pytest.mark.parametrize(
    "number", [0x00, 0x28, 0x3C, 0x3D, 0x62, 0x65, 0x6A, 0x71, 0x7C, 0x83, 0x94, 0xB3, 0x2A]
)
def test_reserved_operations_make_a_buffer_unreadable(number: int) -> None:
    """R1413, R18, R180001; R4422: RopNotify and its like are no requests."""
    with pytest.raises(BadSyntax):
        registry.read(registry.join(bytes((number, 0, 0)), []))


UNSERVED = {
    0x53: "00 00 01 02",
    0x54: "00 0300 616263",
    0x9D: "00 0300 616263",
    0x4E: "00 beba 0010",
    0x4C: "00 00 01 02",
    0x4B: "00 00 0100 0102030405060708 01 02",
    0x4D: "00 00 00 00000000 00 0100 1f003700",
    0x69: "00 00 00 00 00 0000",
    0x86: "00 000102030405",
    0x70: "00 00 01 00 0000 0000 00000000 0000",
    0x72: "00 00 00 0000",
    0x73: "00 0000 0000",
    0x74: "00 00 0000",
    0x75: "00 02017340 00000000",
    0x76: "00 02000000 6162",
    0x77: "00",
    0x78: "00 00000000 01000000 61 00000000 00000000 00000000",
    0x7E: "00 00 01",
    0x7F: "00 00000100",
    0x80: "00 0200 6162",
    0x82: "00 00",
    0x93: "00 0400 00000000",
    0x57: "00 0100 61 0100 62",
}


@pytest.mark.parametrize("number", sorted(UNSERVED))
def test_what_nobody_serves_is_read_to_its_end(number: int) -> None:
    """The operation behind it is found."""
    raw = bytes((number, 0)) + bytes.fromhex(UNSERVED[number].replace(" ", "")) + b"\x01\0\0"
    first, second = registry.read(registry.join(raw, [])).asked
    assert first.rop.id == number
    assert second.rop.id == registry.RELEASE


@pytest.mark.parametrize(
    "raw",
    [b"", b"\0\0", b"\1\0", b"\x05\0\1\0", b"\x03\0\1", b"\x02\0\0\0\0", b"\x05\0\1\0\0" + b"\0" * 4 * 257],
)
def test_malformed_buffers(raw: bytes) -> None:
    """R7: the size counts itself; R4675: the rest is a table of handles."""
    with pytest.raises(BadSyntax):
        registry.read(raw)


def test_notices_are_read_between_answers() -> None:
    """MS-OXCNOTIF 2.2.1.4.1.2; MS-OXCROPS 2.2.14.2, 2.2.14.3, 2.2.15.1, 2.2.15.2."""
    event = events.Event(events.Kind.NEW_MAIL | events.Kind.MESSAGE, FID, FID, message_class="IPM.Note")
    told = [
        others.Notify(0x07000003, 7, event),
        others.Backoff(7, 1000, (others.BackoffRop(0x15, 500),), b""),
        others.Pending(1),
        others.BufferTooSmall(300, b"rest"),
    ]
    writer = Writer()
    numbers = (registry.NOTIFY, registry.BACKOFF, registry.PENDING, registry.TOO_SMALL)
    for number, one in zip(numbers, told, strict=True):
        registry.put_notice(writer, number, one)
    assert registry.read_answers(registry.join(writer.done(), [])).told == told


ROW = (FID, ShortId(1, 2), 0)
EVENTS = [
    (
        events.Event(
            events.Kind.NEW_MAIL | events.Kind.MESSAGE, FID, FID, message_flags=1, message_class="x"
        ),
        27,
    ),
    (events.Event(events.Kind.CREATED | events.Kind.MESSAGE, FID, FID, tags=(0x0037001F,)), 24),
    (events.Event(events.Kind.CREATED, FID, parent=FID), 20),
    (events.Event(events.Kind.DELETED | events.Kind.MESSAGE, FID, FID), 18),
    (events.Event(events.Kind.DELETED, FID, parent=FID), 18),
    (events.Event(events.Kind.MODIFIED | events.Kind.TOTAL | events.Kind.UNREAD, FID, total=3, unread=1), 20),
    (events.Event(events.Kind.MOVED | events.Kind.MESSAGE, FID, FID, old_folder=FID, old_message=FID), 34),
    (events.Event(events.Kind.COPIED, FID, parent=FID, old_folder=FID, old_parent=FID), 34),
    (events.Event(events.Kind.SEARCH_COMPLETE, FID), 10),
    (events.Event(events.Kind.TABLE_MODIFIED, table=events.TableEvent.CHANGED), 4),
    (
        events.Event(
            events.Kind.TABLE_MODIFIED | events.Kind.MESSAGE,
            table=events.TableEvent.ROW_ADDED,
            row=ROW,
            after=ROW,
            data=b"row",
        ),
        49,
    ),
    (
        events.Event(
            events.Kind.TABLE_MODIFIED | events.Kind.MESSAGE, table=events.TableEvent.ROW_DELETED, row=ROW
        ),
        24,
    ),
    (
        events.Event(
            events.Kind.TABLE_MODIFIED,
            table=events.TableEvent.ROW_MODIFIED,
            row=(FID, events.NOTHING, 0),
            after=(FID, events.NOTHING, 0),
            data=b"r",
        ),
        23,
    ),
]


@pytest.mark.parametrize("event, size", EVENTS)
def test_events(event: events.Event, size: int) -> None:
    """MS-OXCNOTIF R124 to R226: which fields are there."""
    from quintet.mapi.buffer import Reader

    writer = Writer()
    events.put(writer, event)
    raw = writer.done()
    assert len(raw) == size
    assert events.get(Reader(raw)) == event


def test_logon_answers() -> None:
    """MS-OXCROPS 2.2.3.1.2, 2.2.3.1.3: 160 and 139 octets behind ReturnValue."""
    time = stores.LogonTime(1, 2, 3, 4, 5, 6, 2026)
    private = stores.PrivateLogon(1, (FID,) * 13, 7, GUID, 1, GUID, time, 0, 0)
    public = stores.PublicLogon(0, (FID,) * 13, 1, GUID, GUID)
    for logon, size in ((private, 160), (public, 139)):
        writer = Writer()
        registry.put_request(writer, stores.Logon(logon.flags, 0, 0, ""), 0, 0)
        (asked,) = registry.read(registry.join(writer.done(), [0])).asked
        answer = Writer()
        registry.put_answer(answer, asked, stores.LogonAnswer(logon))
        raw = answer.done()
        assert len(raw) == 6 + size
        assert registry.read_answers(registry.join(raw, [])).told[0].body.logon == logon
