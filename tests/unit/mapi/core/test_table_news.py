"""What sinks of a table hear: each row that comes, goes, changes or moves, and what becomes of the table."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quintet.mapi import consts, pr
from quintet.mapi.core import props
from quintet.mapi.core.folder import IMAPIFolder
from quintet.mapi.core.message import IMessage
from quintet.mapi.core.notify import IMAPIAdviseSink
from quintet.mapi.core.store import IMsgStore
from quintet.mapi.core.structs import (
    SPropertyRestriction,
    SPropValue,
    SSort,
    SSortOrderSet,
)
from quintet.mapi.core.table import IMAPITable
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers.base import Event, Kind, Thing
from quintet.mapi.providers.listeners import Listeners
from quintet.mapi.providers.memstore import MemoryStore
from tests.unit.mapi.core.tableclient import Client, subjects_of

Write = Callable[..., IMessage]


@pytest.fixture
def table(write: Write, inbox: IMAPIFolder) -> IMAPITable:
    for subject in "bd":
        write(subject)
    found = subjects_of(inbox)
    found.SortTable(SSortOrderSet([SSort(pr.SUBJECT, 0)], 0, 0))
    return found


def test_rows_come_change_move_and_go(table: IMAPITable, write: Write, inbox: IMAPIFolder) -> None:
    client = Client(table)
    message = write("c")
    assert client.check() == ["+c"]
    message.SetProps([SPropValue(pr.SUBJECT, "e")])
    message.SaveChanges(consts.KEEP_OPEN_READWRITE)
    assert client.check() == ["*e"]
    assert client.shown() == "bde"
    message.SetReadFlag(consts.CLEAR_READ_FLAG)
    assert client.check() == ["*e"]
    inbox.DeleteMessages([props.one(message, pr.ENTRYID).Value])
    assert client.check() == ["-e"]
    table.Unadvise(client.connection)
    write("z")
    assert client.said == []


def test_what_the_program_asks_of_the_table_is_confirmed(table: IMAPITable, write: Write) -> None:
    client = Client(table)
    table.SortTable(SSortOrderSet([SSort(pr.SUBJECT, 1)], 0, 0))
    table.Restrict(
        SPropertyRestriction(consts.RELOP_GT, pr.SUBJECT, SPropValue(pr.SUBJECT, "c"))
    )  # the order of the two is not changed by what comes
    table.SetColumns([pr.SUBJECT, pr.INSTANCE_KEY])
    assert client.said == ["sorted", "restricted", "columns"]
    client.said.clear()
    client.rows = {row[1].Value: row[0].Value for row in table.QueryRows(9)}
    assert client.shown() == "d"
    write("a")
    assert client.said == []  # it is not shown
    write("f")
    assert client.check() == ["+f"]
    assert client.shown() == "fd"


def test_headings_are_rows_that_count(write: Write, inbox: IMAPIFolder) -> None:
    write("x", SPropValue(pr.SENDER_NAME, "Ann"))
    table = inbox.GetContentsTable(consts.MAPI_UNICODE)
    table.SetColumns([pr.SENDER_NAME, pr.INSTANCE_KEY, pr.CONTENT_COUNT])
    table.SortTable(SSortOrderSet([SSort(pr.SENDER_NAME, 0)], 1, 1))
    client = Client(table)
    write("y", SPropValue(pr.SENDER_NAME, "Ann"))
    assert client.check() == ["*Ann", "+Ann"]
    heading = next(iter(client.rows))
    table.CollapseRow(heading)
    client.rows = {heading: "Ann"}
    write("z", SPropValue(pr.SENDER_NAME, "Bob"))
    assert client.check() == ["+Bob", "+Bob"]
    write("z", SPropValue(pr.SENDER_NAME, "Ann"))
    assert client.check() == ["*Ann"]


def test_too_much_is_told_as_one_change(
    table: IMAPITable, inbox: IMAPIFolder, store: IMsgStore, write: Write
) -> None:
    source = store.source
    assert isinstance(source, MemoryStore)
    client = Client(table)
    item = source.load(source.messages(inbox.entry).ids()[0])
    tell, source._listeners = source._listeners, Listeners()
    entries = [source.save(inbox.entry, item) for _ in range(201)]
    source._listeners = tell
    for one in entries[:2]:
        source._tell(Event(Kind.CREATED, Thing.MESSAGE, one, inbox.entry))
    assert client.said == ["changed"]


def test_a_folder_that_changed_somehow_may_have_changed_everywhere(
    table: IMAPITable, inbox: IMAPIFolder, store: IMsgStore
) -> None:
    """A store that has too much to tell says only that the folder changed."""
    client = Client(table)
    assert isinstance(store.source, MemoryStore)
    store.source._tell(Event(Kind.MODIFIED, Thing.FOLDER, inbox.entry, store.source.top))
    assert client.said == ["changed"]


def test_rows_that_cannot_be_read_and_can_again(
    table: IMAPITable, inbox: IMAPIFolder, store: IMsgStore, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = store.source
    assert isinstance(source, MemoryStore)
    codes: list[int] = []
    client = Client(table)
    table.Advise(
        consts.fnevTableModified,
        IMAPIAdviseSink(lambda news: codes.extend([one.hResult for one in news])),  # type: ignore[union-attr]
    )
    shown = source._shown

    def broken(*_: object) -> None:
        raise MapiError(Code.NETWORK_ERROR)

    monkeypatch.setattr(source, "_shown", broken)
    event = Event(Kind.MODIFIED, Thing.MESSAGE, source.entry_id, inbox.entry)
    source._tell(event)
    source._tell(event)
    monkeypatch.setattr(source, "_shown", shown)
    write("c")
    assert client.said == ["error", "reload"]
    assert codes == [Code.NETWORK_ERROR, 0]
    write("e")
    assert client.said[2:] == ["+e"]


def test_folders_come_change_and_go(store: IMsgStore) -> None:
    top = store.OpenEntry(store.source.top, None, consts.MAPI_MODIFY)
    table = top.GetHierarchyTable(consts.MAPI_UNICODE)
    table.SetColumns([pr.DISPLAY_NAME, pr.INSTANCE_KEY])
    client = Client(table)
    made = top.CreateFolder(consts.FOLDER_GENERIC, "Plans")
    assert client.check() == ["+Plans"]
    made.SetProps([SPropValue(pr.DISPLAY_NAME, "Old plans")])
    assert client.check() == ["*Old plans"]
    message = made.CreateMessage()
    message.SaveChanges(0)
    assert client.check() == ["*Old plans"]  # its counts
    top.DeleteFolder(made.entry, 0, None, consts.DEL_MESSAGES)
    assert client.check() == ["-Old plans"]
