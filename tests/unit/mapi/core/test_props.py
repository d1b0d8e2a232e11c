"""IMAPIProp: reading, setting, deleting, copying properties; widths of text; names; streams."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable

import pytest

from quintet.mapi import consts, pr
from quintet.mapi.core import errors, props
from quintet.mapi.core.folder import IMAPIFolder
from quintet.mapi.core.message import IMessage
from quintet.mapi.core.store import IMsgStore
from quintet.mapi.core.stream import IN_MEMORY, IStream
from quintet.mapi.core.structs import MAPINAMEID, SPropValue
from quintet.mapi.core.values import FileTime, unixtime

Write = Callable[..., IMessage]
SUBJECT_A = pr.SUBJECT - 1
OWN = uuid.UUID("b0a1c2d3-0000-4000-8000-112233445566").bytes


def test_text_comes_in_the_width_that_is_asked_for(write: Write) -> None:
    message = write("Größe €")
    wide, narrow = message.GetProps([pr.SUBJECT, SUBJECT_A])
    assert wide == SPropValue(pr.SUBJECT, "Größe €")
    assert narrow == SPropValue(SUBJECT_A, "Größe €".encode("cp1252"))


def test_narrow_text_is_set_as_bytes(write: Write) -> None:
    message = write("x")
    message.SetProps([SPropValue(SUBJECT_A, b"caf\xe9")])
    assert props.one(message, pr.SUBJECT).Value == "café"


def test_absent_property_is_an_error_value(write: Write) -> None:
    (found,) = write("x").GetProps([pr.FLAG_STATUS])
    assert found == SPropValue(pr.FLAG_STATUS & 0xFFFF0000 | consts.PT_ERROR, consts.MAPI_E_NOT_FOUND)
    with pytest.raises(errors.MAPIErrorNotFound):
        props.one(write("y"), pr.FLAG_STATUS)


def test_tag_without_a_type_finds_the_property(write: Write) -> None:
    message = write("x")
    (narrow,) = message.GetProps([pr.SUBJECT & 0xFFFF0000])
    (wide,) = message.GetProps([pr.SUBJECT & 0xFFFF0000], consts.MAPI_UNICODE)
    (number,) = message.GetProps([pr.MESSAGE_SIZE & 0xFFFF0000])
    assert (narrow.ulPropTag, wide.ulPropTag, number.ulPropTag) == (SUBJECT_A, pr.SUBJECT, pr.MESSAGE_SIZE)


def test_all_properties_in_both_widths(write: Write) -> None:
    message = write("x")
    wide = {one.ulPropTag for one in message.GetProps(None, consts.MAPI_UNICODE)}
    narrow = {one.ulPropTag for one in message.GetProps(None, 0)}
    assert pr.SUBJECT in wide
    assert SUBJECT_A in narrow
    assert wide == set(message.GetPropList(consts.MAPI_UNICODE))
    assert props.find(message.GetProps(None, 0), pr.SUBJECT & 0xFFFF0000) is not None


@pytest.mark.parametrize(
    "tag,given,seen",
    [
        (pr.CLIENT_SUBMIT_TIME, unixtime(1_700_000_000), unixtime(1_700_000_000)),
        (pr.CLIENT_SUBMIT_TIME, 133_444_736_000_000_000, FileTime(133_444_736_000_000_000)),
        (
            pr.CLIENT_SUBMIT_TIME,
            datetime.datetime(2023, 11, 14, 22, 13, 20, tzinfo=datetime.UTC),
            unixtime(1_700_000_000),
        ),
        (pr.FLAG_STATUS, 0xFFFFFFFF, -1),  # as C programs give it
        (pr.READ_RECEIPT_REQUESTED, 1, True),
        (0x68010048, OWN, OWN),
        (0x68010048, uuid.UUID(bytes_le=OWN), OWN),
        (0x6802101F, ["a", "b"], ["a", "b"]),
        (0x6803101E, [b"a"], [b"a"]),
        (0x68041102, [b"a", b""], [b"a", b""]),
        (0x68050005, 3, 3.0),
        (0x68061040, [unixtime(1)], [unixtime(1)]),
    ],
)
def test_values_of_each_type(write: Write, tag: int, given: object, seen: object) -> None:
    message = write("x")
    assert message.SetProps([SPropValue(tag, given)]) == []
    assert message.GetProps([tag]) == [SPropValue(tag, seen)]


@pytest.mark.parametrize(
    "tag,value",
    [
        (pr.SUBJECT, 7),
        (pr.FLAG_STATUS, "x"),
        (pr.FLAG_STATUS, 1 << 40),
        (0x68010048, b"short"),
        (0x6802101F, 5),
    ],
)
def test_value_of_another_type_is_refused(write: Write, tag: int, value: object) -> None:
    with pytest.raises(errors.MAPIErrorInvalidParameter):
        write("x").SetProps([SPropValue(tag, value)])


def test_what_is_computed_is_a_problem_and_no_error(write: Write) -> None:
    message = write("x")
    (problem,) = message.SetProps([SPropValue(pr.SUBJECT, "y"), SPropValue(pr.ENTRYID, b"mine")])
    assert (problem.ulIndex, problem.ulPropTag, problem.scode) == (1, pr.ENTRYID, consts.MAPI_E_COMPUTED)
    assert props.one(message, pr.SUBJECT).Value == "y"
    (problem,) = message.DeleteProps([pr.MESSAGE_SIZE])
    assert problem.scode == consts.MAPI_E_COMPUTED


def test_deleted_properties_are_gone_after_saving(write: Write, inbox: IMAPIFolder) -> None:
    message = write("x", SPropValue(pr.FLAG_STATUS, 2))
    message.DeleteProps([pr.FLAG_STATUS])
    message.SaveChanges()
    again = inbox.OpenEntry(props.one(message, pr.ENTRYID).Value)
    assert again.GetProps([pr.FLAG_STATUS])[0].Value == consts.MAPI_E_NOT_FOUND


def test_saving_closes_what_was_not_kept_open(write: Write) -> None:
    message = write("x")
    message.SaveChanges(0)
    with pytest.raises(errors.MAPIErrorNoAccess):
        message.SetProps([SPropValue(pr.SUBJECT, "y")])


# --- names


def test_named_properties_have_numbers_from_0x8000(write: Write, store: IMsgStore) -> None:
    name = MAPINAMEID(OWN, consts.MNID_STRING, "Colour")
    (tag,) = store.GetIDsFromNames([name], consts.MAPI_CREATE)
    assert tag >> 16 >= 0x8000
    assert tag & 0xFFFF == consts.PT_UNSPECIFIED
    message = write("x", SPropValue(tag | consts.PT_UNICODE, "red"))
    assert message.GetProps([tag | consts.PT_UNICODE])[0].Value == "red"
    assert message.GetProps([tag], consts.MAPI_UNICODE)[0].Value == "red"
    assert message.GetNamesFromIDs([tag | consts.PT_UNICODE]) == [name]
    assert name in store.GetNamesFromIDs(None, OWN)
    assert name not in store.GetNamesFromIDs(None, OWN, consts.MAPI_NO_STRINGS)


def test_unknown_name_without_create_is_an_error_value(store: IMsgStore) -> None:
    name = MAPINAMEID(uuid.uuid4().bytes, consts.MNID_ID, 0x8101)
    assert store.GetIDsFromNames([name], 0) == [consts.PT_ERROR]
    with pytest.raises(errors.MAPIErrorInvalidParameter):
        store.GetIDsFromNames([MAPINAMEID(OWN, consts.MNID_ID, "text")], 0)


# --- copies


def test_copy_to_copies_all_but_what_is_excluded(write: Write, inbox: IMAPIFolder) -> None:
    source = write("subject", SPropValue(pr.BODY, "body"), SPropValue(pr.IMPORTANCE, 2))
    target = inbox.CreateMessage()
    assert source.CopyTo(None, [pr.BODY], 0, None, None, target, 0) == []
    assert props.one(target, pr.SUBJECT).Value == "subject"
    assert props.one(target, pr.IMPORTANCE).Value == 2
    with pytest.raises(errors.MAPIErrorNotFound):
        props.one(target, pr.BODY)
    assert target.GetRecipientTable().GetRowCount() == 1


def test_copy_props_copies_what_is_named(write: Write, inbox: IMAPIFolder) -> None:
    source, target = write("subject", SPropValue(pr.BODY, "body")), inbox.CreateMessage()
    source.CopyProps([pr.BODY], 0, None, None, target, 0)
    assert props.one(target, pr.BODY).Value == "body"
    assert props.one(target, pr.SUBJECT).Value == ""
    assert target.GetRecipientTable().GetRowCount() == 0
    source.CopyProps([pr.MESSAGE_RECIPIENTS], 0, None, None, target, 0)
    assert target.GetRecipientTable().GetRowCount() == 1


def test_copy_keeps_what_the_target_has_and_moves(write: Write, inbox: IMAPIFolder) -> None:
    source, target = write("one", SPropValue(pr.FLAG_STATUS, 2)), inbox.CreateMessage()
    target.SetProps([SPropValue(pr.SUBJECT, "two")])
    source.CopyProps(
        [pr.SUBJECT, pr.FLAG_STATUS], 0, None, None, target, consts.MAPI_NOREPLACE | consts.MAPI_MOVE
    )
    assert props.one(target, pr.SUBJECT).Value == "two"
    assert props.one(target, pr.FLAG_STATUS).Value == 2
    assert source.GetProps([pr.FLAG_STATUS])[0].Value == consts.MAPI_E_NOT_FOUND
    with pytest.raises(errors.MAPIErrorNoAccess):
        source.CopyTo(None, None, 0, None, None, source, 0)


# --- streams


def test_stream_reads_and_writes_text(write: Write) -> None:
    message = write("x", SPropValue(pr.BODY, "Grüße"))
    stream = message.OpenProperty(pr.BODY, consts.IID_IStream, 0, 0)
    assert stream.Read(1000) == "Grüße".encode("utf-16-le")
    with pytest.raises(errors.MAPIErrorNoAccess):
        stream.Write(b"x")
    stream = message.OpenProperty(pr.BODY, consts.IID_IStream, 0, consts.MAPI_MODIFY | consts.MAPI_CREATE)
    stream.Write("new".encode("utf-16-le"))
    assert props.one(message, pr.BODY).Value == "Grüße"  # until it is committed
    stream.Commit()
    assert props.one(message, pr.BODY).Value == "new"


def test_saving_commits_streams(write: Write, inbox: IMAPIFolder) -> None:
    message = write("x")
    message.OpenProperty(pr.BODY, consts.IID_IStream, 0, consts.MAPI_MODIFY | consts.MAPI_CREATE).Write(
        b"a\0"
    )
    message.SaveChanges()
    again = inbox.OpenEntry(props.one(message, pr.ENTRYID).Value)
    assert props.one(again, pr.BODY).Value == "a"


def test_stream_of_nothing(write: Write) -> None:
    message = write("x")
    with pytest.raises(errors.MAPIErrorNotFound):
        message.OpenProperty(pr.BODY, consts.IID_IStream, 0, consts.MAPI_MODIFY)
    with pytest.raises(errors.MAPIErrorNoSupport):
        message.OpenProperty(pr.FLAG_STATUS, consts.IID_IStream, 0, 0)
    with pytest.raises(errors.MAPIErrorInterfaceNotSupported):
        message.OpenProperty(pr.BODY, consts.IID_IMAPITable, 0, 0)


def test_stream_in_memory_does_what_a_file_does() -> None:
    stream = IStream()
    assert stream.Write(b"hello world") == 11
    assert stream.Seek(-5, 2) == 6
    assert stream.Read(100) == b"world"
    assert stream.Read(1) == b""
    stream.SetSize(5)
    assert stream.Stat().cbSize == 5
    assert stream.Seek(8) == 8
    stream.Write(b"!")
    stream.Seek(0)
    assert stream.Read(100) == b"hello\0\0\0!"
    twin = stream.Clone()
    stream.Seek(0)
    assert stream.CopyTo(IStream(), 4) == (4, 4)  # read, written
    assert twin.Seek(0) == 0
    assert twin.Read(5) == b"hello"
    with pytest.raises(errors.MAPIErrorInvalidParameter):
        stream.Seek(-1)


def test_large_stream_goes_to_a_file(write: Write, inbox: IMAPIFolder) -> None:
    message = write("x")
    _, attach = message.CreateAttach()
    attach.SetProps([SPropValue(pr.ATTACH_METHOD, consts.ATTACH_BY_VALUE)])
    stream = attach.OpenProperty(
        pr.ATTACH_DATA_BIN, consts.IID_IStream, 0, consts.MAPI_MODIFY | consts.MAPI_CREATE
    )
    piece = bytes(range(256)) * 1024
    for _ in range(2 * IN_MEMORY // len(piece)):
        stream.Write(piece)
    stream.Commit()
    attach.SaveChanges()
    message.SaveChanges()
    again = inbox.OpenEntry(props.one(message, pr.ENTRYID).Value)
    found = again.OpenAttach(0).OpenProperty(pr.ATTACH_DATA_BIN, consts.IID_IStream, 0, 0)
    assert found.Stat().cbSize == 2 * IN_MEMORY
    found.Seek(-256, 2)
    assert found.Read(256) == bytes(range(256))
    assert props.one(again, pr.MESSAGE_SIZE).Value > 2 * IN_MEMORY


def test_filetime_tells_both_ways() -> None:
    time = unixtime(0)
    assert time.filetime == 116_444_736_000_000_000
    time.unixtime = 1.5
    assert (time.unixtime, time.datetime.microsecond) == (1.5, 500_000)
    assert unixtime(1) < unixtime(2) <= unixtime(2)
    assert repr(unixtime(0)) == "1970/01/01 00:00:00 GMT"


def test_stream_goes_back_to_its_last_commit(write: Write) -> None:
    message = write("x", SPropValue(pr.BODY, "first"))
    stream = message.OpenProperty(pr.BODY, consts.IID_IStream, 0, consts.MAPI_MODIFY)
    stream.Write("other".encode("utf-16-le"))
    stream.Commit()
    stream.Write(b"????")
    assert stream.Clone().Seek(0, 2) == 14  # what was written, committed or not
    stream.Revert()
    stream.Seek(0)
    assert stream.Read(99).decode("utf-16-le") == "other"
    assert props.one(message, pr.BODY).Value == "other"
    bare = IStream()
    bare.Write(b"kept")
    bare.Commit()
    bare.SetSize(1)
    bare.Revert()
    assert (bare.Stat().cbSize, bare.Seek(0), bare.Read(9)) == (4, 0, b"kept")


def test_errors_say_what_they_are_called() -> None:
    error = errors.fail("MAPI_E_NOT_FOUND", "no such folder")
    assert (repr(error), error.name) == ("MAPI error 8004010F", "MAPI_E_NOT_FOUND")
    assert str(error) == "MAPI error 8004010F (MAPI_E_NOT_FOUND: no such folder)"
    assert str(errors.MAPIError.from_hresult(0x4D9)) == "MAPI error 4D9"
