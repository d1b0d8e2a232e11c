"""News of search folders: of what they show, which lies elsewhere, and of how much it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quintet.mapi import consts, pr
from quintet.mapi.api import Session
from quintet.mapi.core import props, session
from quintet.mapi.core.folder import IMAPIFolder
from quintet.mapi.core.message import IMessage
from quintet.mapi.core.notify import IMAPIAdviseSink
from quintet.mapi.core.profile import Profile, used
from quintet.mapi.core.session import IMAPISession
from quintet.mapi.core.store import IMsgStore
from quintet.mapi.core.structs import SContentRestriction, SPropValue
from quintet.mapi.providers import memory
from quintet.mapi.providers.base import Kind
from tests.unit.mapi.core.conftest import ANN
from tests.unit.mapi.core.tableclient import WAIT_S, Client
from tests.unit.mapi.providers.test_local import empty, made

__all__ = ["empty", "made"]


class Watched:
    """A store with a search folder of what has "needle" in its subject."""

    def __init__(self, opened: IMAPISession) -> None:
        self.session = opened
        self.store: IMsgStore = opened.OpenMsgStore(0, None, None, consts.MDB_WRITE)
        self.inbox: IMAPIFolder = self.store.OpenEntry(
            self.store.GetReceiveFolder("")[0], None, consts.MAPI_MODIFY
        )
        finder = props.one(self.store, pr.FINDER_ENTRYID).Value
        self.finder: IMAPIFolder = self.store.OpenEntry(finder, None, consts.MAPI_MODIFY)
        self.found = self.finder.CreateFolder(2, "Needles")
        wanted = SContentRestriction(consts.FL_SUBSTRING, pr.SUBJECT, SPropValue(pr.SUBJECT, "needle"))
        self.found.SetSearchCriteria(wanted, [self.inbox.entry], 0)

    def write(self, subject: str) -> IMessage:
        message = self.inbox.CreateMessage()
        message.SetProps([SPropValue(pr.SUBJECT, subject)])
        message.SaveChanges(consts.KEEP_OPEN_READWRITE)
        return message


@pytest.fixture(params=["memory", "local"])
def watched(request: pytest.FixtureRequest, world: memory.World) -> Iterator[Watched]:
    if request.param == "memory":
        service = used("MEMORY", None, {"world": world.name, "account": ANN})
    else:
        data: Path = request.getfixturevalue("empty")
        service = used("QUINTET", None, {"data": str(data), "account": ANN})
    opened = session.opened(Profile([service]))
    yield Watched(opened)
    opened.Logoff()


def wait(ready: Callable[[], bool], news: object) -> None:
    end = time.monotonic() + WAIT_S
    while not ready() and time.monotonic() < end:
        time.sleep(0.01)
    assert ready(), news


def test_messages_come_change_and_go(watched: Watched) -> None:
    """As in any folder: the message, and that the folder changed."""
    old = watched.write("an old needle")
    told: list[Any] = []
    connection = watched.store.Advise(watched.found.entry, 0xFF, IMAPIAdviseSink(told.extend))
    folder, inbox = watched.found.entry, watched.inbox.entry

    def heard(kind: Kind, entry: bytes, parent: bytes = folder) -> None:
        wanted = (int(kind), entry, parent)
        wait(lambda: wanted in [(one.ulEventType, one.lpEntryID, one.lpParentID) for one in told], told)
        told.clear()

    number = props.one(watched.write("hay"), pr.ENTRYID).Value
    new = watched.write("a new needle")
    entry = props.one(new, pr.ENTRYID).Value
    heard(Kind.CREATED, entry)
    new.SetReadFlag(consts.CLEAR_READ_FLAG)
    heard(Kind.MODIFIED, entry)
    new.SetProps([SPropValue(pr.SUBJECT, "a pin")])
    new.SaveChanges(consts.KEEP_OPEN_READWRITE)
    heard(Kind.DELETED, entry)
    watched.inbox.DeleteMessages([props.one(old, pr.ENTRYID).Value])
    heard(Kind.MODIFIED, folder, b"")
    assert not [one for one in told if number == one.lpEntryID or one.lpParentID == inbox]
    watched.store.Unadvise(connection)
    told.clear()
    watched.write("another needle")
    time.sleep(0.2)
    assert told == []


def test_only_the_kinds_that_were_asked_for(watched: Watched) -> None:
    told: list[Any] = []
    new = watched.write("a needle")
    watched.store.Advise(watched.found.entry, consts.fnevObjectDeleted, IMAPIAdviseSink(told.extend))
    watched.write("another needle")
    watched.inbox.DeleteMessages([props.one(new, pr.ENTRYID).Value])
    wait(lambda: bool(told), told)
    assert {one.ulEventType for one in told} == {consts.fnevObjectDeleted}


def test_counts_are_values_of_the_hierarchy(watched: Watched) -> None:
    """Where a program shows them; another one hears nothing of it."""
    table = watched.finder.GetHierarchyTable(consts.MAPI_UNICODE)
    table.SetColumns([pr.CONTENT_COUNT, pr.INSTANCE_KEY])
    other = watched.finder.GetHierarchyTable(consts.MAPI_UNICODE)
    other.SetColumns([pr.DISPLAY_NAME, pr.INSTANCE_KEY])
    silent = Client(other)
    told: list[Any] = []
    table.Advise(consts.fnevTableModified, IMAPIAdviseSink(told.extend))
    message = watched.write("a needle")
    wait(lambda: [one.row[0].Value for one in told] == [1], told)
    watched.inbox.DeleteMessages([props.one(message, pr.ENTRYID).Value])
    wait(lambda: [one.row[0].Value for one in told] == [1, 0], told)
    assert {one.ulTableEvent for one in told} == {consts.TABLE_ROW_MODIFIED}
    assert silent.said == []


def test_the_layer_watches_too(watched: Watched) -> None:
    """``async for change in folder.watch()``, where the folder is a search."""
    layer = Session(watched.session)
    folder = layer.store.folder_of(watched.found.entry)

    async def first() -> str:
        async for change in folder.watch():
            if change.what == "created" and change.item is not None:
                return change.item.subject or ""
        return ""

    async def both() -> str:
        task = asyncio.create_task(first())
        async with asyncio.timeout(WAIT_S):
            while not task.done():  # when it begins to watch, nobody tells
                await asyncio.to_thread(watched.write, "hay")
                await asyncio.to_thread(watched.write, "a needle")
                await asyncio.wait({task}, timeout=0.3)
        return task.result()

    assert asyncio.run(both()) == "a needle"
