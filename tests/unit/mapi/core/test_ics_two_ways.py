"""Synchronization both ways: nothing echoes, nothing comes back, conflicts end, both sides are alike."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from quintet.clock import FrozenClock
from quintet.mapi import consts, pr
from quintet.mapi.core import errors
from quintet.mapi.core.stream import IStream
from quintet.mapi.core.structs import SPropValue
from quintet.mapi.providers import memory
from tests.support.twoways import Side, live, meet
from tests.unit.mapi.core.conftest import ANN, BOB, opened

_numbers = itertools.count()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def sides(clock: FrozenClock) -> Iterator[tuple[Side, Side]]:
    name = f"two ways {next(_numbers)}"
    memory.world(name, lambda title: memory.World(title, clock))
    found = []
    sessions = [opened(memory.world(name), one) for one in (ANN, BOB)]
    for session in sessions:
        store = session.OpenMsgStore(0, None, None, consts.MDB_WRITE)
        found.append(Side(store.OpenEntry(None, None, consts.MAPI_MODIFY).CreateFolder(1, "Here")))
    yield found[0], found[1]
    for session in sessions:
        session.Logoff()
    memory.forget(name)


def test_what_was_imported_is_not_told_back(sides: tuple[Side, Side]) -> None:
    one, other = sides
    one.write("a")
    one.write("b", read=True)
    assert one.tell(other) == 2
    assert other.tell(one) == 0
    assert other.shown() == [("a", False), ("b", True)]
    one.mark(one.rows()[0][2], read=True)
    assert one.tell(other) == 1
    assert other.tell(one) == 0
    one.folder.DeleteMessages([one.rows()[1][2]])
    assert one.tell(other) == 1
    assert other.tell(one) == 0
    assert other.shown() == [("a", True)]


def test_a_copy_goes_on_by_the_key_of_its_origin(sides: tuple[Side, Side]) -> None:
    one, other = sides
    entry = one.write("a")
    meet(one, other)
    other.change(other.rows()[0][2], "b")
    meet(one, other)
    assert one.rows() == [("b", False, entry)]
    other.folder.DeleteMessages([other.rows()[0][2]])
    meet(one, other)
    assert one.rows() == []


def test_the_last_change_wins(sides: tuple[Side, Side], clock: FrozenClock) -> None:
    for first, second in (sides, sides[::-1]):
        entry = first.write("a")
        meet(*sides)
        (row,) = [row for row in second.rows() if row[0] == "a"]
        first.change(entry, "early")
        clock.advance(5)
        second.change(row[2], "late")
        clock.advance(5)
        meet(*sides)
        assert ("late", False) in first.shown()
        assert "early" not in [subject for subject, _ in second.shown()]


def test_a_conflict_can_be_the_programs_to_decide(sides: tuple[Side, Side]) -> None:
    one, other = sides
    one.write("a")
    meet(one, other)
    one.change(one.rows()[0][2], "b")
    other.change(other.rows()[0][2], "c")
    importer = other.folder.OpenProperty(pr.COLLECTOR, consts.IID_IExchangeImportContentsChanges, 0, 0)
    importer.Config(other.state, consts.SYNC_NO_CONFLICTS)
    exporter = one.folder.OpenProperty(pr.CONTENTS_SYNCHRONIZER, consts.IID_IExchangeExportChanges, 0, 0)
    exporter.Config(one.state, consts.SYNC_NORMAL, importer)
    with pytest.raises(errors.MAPIError) as caught:
        exporter.Synchronize(0)
    assert caught.value.hr == consts.SYNC_E_CONFLICT


def test_what_was_deleted_stays_deleted(sides: tuple[Side, Side]) -> None:
    for first, second in (sides, sides[::-1]):
        entry = first.write("a")
        meet(*sides)
        ((_, _, copy),) = second.rows()
        first.folder.DeleteMessages([entry])
        second.change(copy, "b")
        meet(*sides)
        assert first.shown() == []


def test_what_the_origin_has_no_more_the_copy_has_not_either(sides: tuple[Side, Side]) -> None:
    one, other = sides
    entry = one.write("a")
    message = one.folder.OpenEntry(entry, None, consts.MAPI_MODIFY)
    message.SetProps([SPropValue(pr.COMMENT, "note")])
    message.SaveChanges(consts.KEEP_OPEN_READWRITE)
    meet(one, other)
    copy = other.folder.OpenEntry(other.rows()[0][2])
    assert copy.GetProps([pr.COMMENT], 0)[0].Value == "note"
    message.DeleteProps([pr.COMMENT])
    message.SaveChanges(0)
    meet(one, other)
    copy = other.folder.OpenEntry(other.rows()[0][2])
    assert copy.GetProps([pr.COMMENT], 0)[0].ulPropTag & 0xFFFF == consts.PT_ERROR


def test_a_move_that_is_told_as_one(sides: tuple[Side, Side]) -> None:
    one, other = sides
    one.write("a")
    meet(one, other)
    there = other.folder.store.OpenEntry(None, None, consts.MAPI_MODIFY).CreateFolder(1, "There")
    importer = there.OpenProperty(pr.COLLECTOR, consts.IID_IExchangeImportContentsChanges, 0, 0)
    state = IStream()
    importer.Config(state)
    source = other.folder.store.source
    key = one.folder.store.source.source_key(one.rows()[0][2])
    importer.ImportMessageMove(source.source_key(other.folder.entry), key, b"", b"new key", b"")
    importer.UpdateState(None)
    assert other.shown() == []
    assert Side(there).shown() == [("a", False)]
    exporter = there.OpenProperty(pr.CONTENTS_SYNCHRONIZER, consts.IID_IExchangeExportChanges, 0, 0)
    told: list[Any] = []

    class Importer:
        def ImportMessageChange(self, found: list[SPropValue], flags: int) -> None:
            told.append(found)

    exporter.Config(state, consts.SYNC_NORMAL, Importer())
    assert exporter.Synchronize(0) == (0, 0)
    with pytest.raises(errors.MAPIErrorNotFound):
        importer.ImportMessageMove(source.source_key(other.folder.entry), b"nobody's")


def test_folders_both_ways(sides: tuple[Side, Side]) -> None:
    def tell(side: Side, target: Side, state: IStream, back: IStream) -> int:
        importer = target.folder.OpenProperty(pr.COLLECTOR, consts.IID_IExchangeImportHierarchyChanges, 0, 0)
        importer.Config(back, 0)
        exporter = side.folder.OpenProperty(
            pr.HIERARCHY_SYNCHRONIZER, consts.IID_IExchangeExportChanges, 0, 0
        )
        exporter.Config(state, 0, importer, None, None, None, 0)
        steps = done = 0
        for _ in range(50):
            steps, done = exporter.Synchronize(done)
            if steps == done:
                break
        exporter.UpdateState(state)
        importer.UpdateState(None)
        return int(steps)

    def tree(side: Side) -> list[tuple[str, int]]:
        table = side.folder.GetHierarchyTable(consts.MAPI_UNICODE | consts.CONVENIENT_DEPTH)
        table.SetColumns([pr.DISPLAY_NAME, pr.DEPTH])
        return [(row[0].Value, row[1].Value) for row in table.QueryRows(50)]

    one, other = sides
    states = IStream(), IStream()
    one.folder.CreateFolder(1, "a").CreateFolder(1, "b")
    assert tell(one, other, *states) == 2
    assert tell(other, one, *states[::-1]) == 0
    (inner,) = other.folder.GetHierarchyTable().QueryRows(9)
    folder = other.folder.OpenEntry(inner[0].Value, None, consts.MAPI_MODIFY)
    folder.SetProps([SPropValue(pr.DISPLAY_NAME, "c")])
    folder.CreateFolder(1, "d")
    assert tell(other, one, *states[::-1]) == 2
    assert tell(one, other, *states) == 0
    assert tree(one) == tree(other) == [("c", 1), ("b", 2), ("d", 2)]
    other.folder.EmptyFolder()
    tell(other, one, *states[::-1])
    assert tree(one) == []
    assert (tell(one, other, *states), tell(other, one, *states[::-1])) == (0, 0)


@pytest.mark.parametrize("seed", range(12))
def test_any_life_on_both_sides(sides: tuple[Side, Side], seed: int, clock: FrozenClock) -> None:
    live(*sides, seed, 8, lambda: clock.advance(1))
