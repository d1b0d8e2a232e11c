"""A logon as a whole: receive folders, replicas, named properties (MS-OXCSTOR, MS-OXCPRPT 3.2.5.10)."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from quintet.mapi import guids, objects
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import Box
from quintet.mapi.types import Named
from quintet.store import accounts, boxes, props
from quintet.store.blobs import Blobs
from quintet.store.db import DrivenTx

SET = uuid.UUID("00062008-0000-0000-c000-000000000046")


def test_receive_folder_of_the_nearest_class(box: Box) -> None:
    """MS-OXCSTOR_R847 to R1224, R3115 to R3122, R1235, R864."""
    inbox, calendar = box.special["inbox"], box.special["calendar"]
    assert box.receive_folder("IPM.MY.Class") == ("ipm", inbox)
    assert box.receive_folder("MY.Class.SOMETHING") == ("", inbox)
    assert box.receive_folder("") == ("", inbox)
    box.set_receive_folder("IPM.Schedule.Meeting", calendar)
    assert box.receive_folder("ipm.schedule.MEETING.Request") == ("ipm.schedule.meeting", calendar)
    box.set_receive_folder("IPM.Schedule.Meeting", box.special["tasks"])
    assert box.receive_folder("IPM.Schedule.Meeting") == ("ipm.schedule.meeting", box.special["tasks"])
    assert len(box.receive_folders()) == 5  # R876
    box.set_receive_folder("IPM.Schedule.Meeting", 0)
    assert box.receive_folder("IPM.Schedule.Meeting") == ("ipm", inbox)


@pytest.mark.parametrize("klass", [".a", "a.", "a..b", "a\tb", "ä", "x" * 255])
def test_class_that_cannot_be(box: Box, klass: str) -> None:
    """MS-OXCSTOR_R202 to R207, R59785, R858."""
    for call in (lambda: box.receive_folder(klass), lambda: box.set_receive_folder(klass, 1)):
        with pytest.raises(MapiError) as caught:
            call()
        assert caught.value.code == Code.INVALID_PARAMETER


@pytest.mark.parametrize(
    ("klass", "there", "code"),
    [
        ("IPM", True, Code.ACCESS_DENIED),  # R859
        ("report.ipm", True, Code.ACCESS_DENIED),  # R272
        ("", False, Code.GENERAL_FAILURE),  # R860
        ("MY", None, Code.NOT_FOUND),  # R871
    ],
)
def test_receive_folder_that_cannot_be_set(box: Box, klass: str, there: bool | None, code: Code) -> None:
    number = 99_999_999 if there is None else box.special["trash"] if there else 0
    with pytest.raises(MapiError) as caught:
        box.set_receive_folder(klass, number)
    assert caught.value.code == code


def test_public_folders_have_no_receive_folder(tx: DrivenTx, box: Box, tmp_path: Path) -> None:
    """MS-OXCSTOR_R59783, R856, R875."""
    news = accounts.news(tx)
    public = objects.logon(tx, news.id, box.reader.id, files=Blobs(tmp_path, sync=False))
    with public.using(tx):
        for call in (
            lambda: public.receive_folder("IPM"),
            lambda: public.set_receive_folder("x", 5),
            public.receive_folders,
        ):
            with pytest.raises(MapiError) as caught:
                call()
            assert caught.value.code == Code.NOT_SUPPORTED


def test_replicas_keep_their_numbers(tx: DrivenTx, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """MS-OXCSTOR_R946 to R953, R1249, R94801."""
    monkeypatch.setattr(boxes, "MAX_REPLICAS", 2)
    assert box.replica_number(box.replica) == 1
    assert box.replica_guid(1) == box.replica
    one, two = uuid.UUID(int=1), uuid.UUID(int=2)
    assert (box.replica_number(one), box.replica_number(two), box.replica_number(one)) == (2, 3, 2)
    assert box.replica_guid(3) == two
    for call, code in (
        (lambda: box.replica_guid(9), Code.NOT_FOUND),
        (lambda: box.replica_number(uuid.UUID(int=3)), Code.PARAMETER_OVERFLOW),
        (lambda: box.replica_number(uuid.UUID(int=0)), Code.INVALID_PARAMETER),
        (lambda: box.replica_number(uuid.UUID(int=4), create=False), Code.NOT_FOUND),
    ):
        with pytest.raises(MapiError) as caught:
            call()
        assert caught.value.code == code


def test_named_properties(box: Box) -> None:
    """MS-OXCPRPT_R518 to R535, R220, R222."""
    one, text = Named(SET, 0x8502), Named(SET, "#text")
    header = Named(guids.PS_INTERNET_HEADERS, "X-Odd")
    assert box.property_ids([one, text, header]) == [0, 0, 0]
    ids = box.property_ids([one, text, header], create=True)
    assert ids == [0x8000, 0x8001, 0x8002]
    assert box.property_ids([text, Named(guids.PS_INTERNET_HEADERS, "x-oDD"), one]) == [
        0x8001,
        0x8002,
        0x8000,
    ]
    assert box.property_names([*ids, 0x37, 0x8003]) == [
        one, text, Named(guids.PS_INTERNET_HEADERS, "x-odd"), Named(guids.PS_MAPI, 0x37), None,
    ]  # fmt: skip
    assert box.property_ids([Named(guids.PS_MAPI, 0x37), Named(guids.PS_MAPI, "x")], create=True) == [0x37, 0]
    assert [number for number, _ in box.names.every(box.tx)] == ids


def test_numbers_of_names_run_out(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """MS-OXCPRPT_R53502."""
    monkeypatch.setattr(props, "LAST_NAMED", 0x8001)
    box.property_ids([Named(SET, number) for number in range(2)], create=True)
    with pytest.raises(MapiError) as caught:
        box.property_ids([Named(SET, 5)], create=True)
    assert caught.value.code == Code.OUT_OF_MEMORY


def test_names_that_cannot_be(box: Box) -> None:
    for bad in ("", "x" * 256, "a\0b"):
        with pytest.raises(MapiError) as caught:
            box.property_ids([Named(SET, bad)], create=True)
        assert caught.value.code == Code.INVALID_PARAMETER
