"""Tables of the own store tell row by row what others do, in whatever session or process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quintet.mapi import consts, pr
from quintet.mapi.core.session import IMAPISession
from quintet.mapi.core.structs import SPropValue, SSort, SSortOrderSet
from tests.unit.mapi.core.tableclient import Client, subjects_of
from tests.unit.mapi.providers.test_local import ANN, BOB, empty, made
from tests.unit.mapi.providers.test_local_rules import logon, opened, send

__all__ = ["empty", "made"]
BY_SUBJECT = SSortOrderSet([SSort(pr.SUBJECT, 0)], 0, 0)


@pytest.fixture
def three(empty: Path) -> Iterator[tuple[IMAPISession, IMAPISession, IMAPISession]]:
    """Ann's session that watches, another one of hers, and Bob's."""
    found = logon(empty, ANN), logon(empty, ANN), logon(empty, BOB)
    yield found
    for one in found:
        one.Logoff()


def test_messages(three: tuple[IMAPISession, IMAPISession, IMAPISession]) -> None:
    ann, other, bob = three
    _, inbox = opened(ann)
    table = inbox.GetContentsTable(consts.MAPI_UNICODE)
    table.SetColumns([pr.SUBJECT, pr.INSTANCE_KEY, pr.ENTRYID])
    table.SortTable(BY_SUBJECT)
    client = Client(table)
    send(bob, "b")
    assert client.wait("+b") == ["+b"]
    send(bob, "a")
    assert client.wait("+a") == ["+a"]
    assert client.shown() == "ab"
    store, theirs = opened(other)
    table.SeekRow(consts.BOOKMARK_BEGINNING, 0)
    first = table.QueryRows(1)[0][2].Value
    theirs.SetReadFlags([first], 0, None, 0)
    assert client.wait("*a") == ["*a"]
    message = store.OpenEntry(first, None, consts.MAPI_MODIFY)
    message.SetProps([SPropValue(pr.SUBJECT, "c")])
    message.SaveChanges(0)
    client.wait("*c")
    assert client.shown() == "bc"
    theirs.DeleteMessages([first])
    assert client.wait("-c") == ["-c"]


def test_more_messages_than_are_told_one_by_one(
    three: tuple[IMAPISession, IMAPISession, IMAPISession],
) -> None:
    ann, other, _ = three
    _, inbox = opened(ann)
    table = subjects_of(inbox)
    _, theirs = opened(other)
    for number in range(60):
        message = theirs.CreateMessage()
        message.SetProps([SPropValue(pr.SUBJECT, f"m{number}")])
        message.SaveChanges(0)
    assert table.GetRowCount() == 60
    client = Client(table)
    client.said.clear()
    theirs.SetReadFlags(None, 0, None, consts.CLEAR_READ_FLAG)
    theirs.SetReadFlags(None, 0, None, 0)
    client.wait("changed")


def test_folders_and_their_counts(three: tuple[IMAPISession, IMAPISession, IMAPISession]) -> None:
    ann, other, bob = three
    store, _ = opened(ann)
    top = store.OpenEntry(store.source.top)
    table = top.GetHierarchyTable(consts.MAPI_UNICODE)
    table.SetColumns([pr.DISPLAY_NAME, pr.INSTANCE_KEY, pr.CONTENT_COUNT])
    client = Client(table)
    theirs, _ = opened(other)
    there = theirs.OpenEntry(theirs.source.top, None, consts.MAPI_MODIFY)
    plans = there.CreateFolder(consts.FOLDER_GENERIC, "Plans")
    assert client.wait("+Plans") == ["+Plans"]
    plans.SetProps([SPropValue(pr.DISPLAY_NAME, "Zebra plans")])
    assert "*Zebra plans" in client.wait("*Zebra plans")
    send(bob, "Hello")
    assert "*Inbox" in client.wait("*Inbox")
    there.DeleteFolder(plans.entry)
    assert client.wait("-Zebra plans") == ["-Zebra plans"]
