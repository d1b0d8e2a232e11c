"""Synchronization with the own store: against memory and itself, both ways, over restarts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quintet.mapi import consts, pr
from quintet.mapi.core import session
from quintet.mapi.core.profile import Profile, used
from quintet.mapi.core.session import IMAPISession
from quintet.mapi.core.stream import IStream
from quintet.mapi.providers import memory
from tests.support.twoways import Side, live, meet
from tests.unit.mapi.providers.test_local import ANN, BOB, empty, made
from tests.unit.mapi.providers.test_local_rules import logon, opened, send

__all__ = ["empty", "made"]


def side(one: IMAPISession) -> Side:
    store = one.OpenMsgStore(0, None, None, consts.MDB_WRITE)
    top = store.OpenEntry(store.source.top, None, consts.MAPI_MODIFY)
    return Side(top.CreateFolder(1, "Here", "", None, consts.OPEN_IF_EXISTS))


@pytest.fixture
def ann(empty: Path) -> Iterator[IMAPISession]:
    found = logon(empty, ANN)
    yield found
    found.Logoff()


@pytest.fixture
def other(request: pytest.FixtureRequest, empty: Path) -> Iterator[Callable[[], IMAPISession]]:
    """Opens the other side: another mailbox of the store, or an account in memory."""
    name = f"beside {request.node.name}"
    found: list[IMAPISession] = []

    def make() -> IMAPISession:
        if request.param == "own":
            found.append(logon(empty, BOB))
        else:
            found.append(
                session.opened(Profile([used("MEMORY", None, {"world": name, "account": "x@example.com"})]))
            )
        return found[-1]

    yield make
    for one in found:
        one.Logoff()
    memory.forget(name)


@pytest.mark.parametrize("other", ["own", "memory"], indirect=True)
@pytest.mark.parametrize("seed", range(3))
def test_any_life_on_both_sides(ann: IMAPISession, other: Callable[[], IMAPISession], seed: int) -> None:
    live(side(ann), side(other()), seed, 5, lambda: time.sleep(0.002))


@pytest.mark.parametrize("other", ["own"], indirect=True)
def test_states_survive_a_restart(ann: IMAPISession, other: Callable[[], IMAPISession], empty: Path) -> None:
    one, two = side(ann), side(other())
    for text in "abc":
        one.write(text)
    meet(one, two)
    one.state.Seek(0)
    kept = one.state.Read(1 << 20)
    one.change(one.rows()[0][2], "d")
    one.folder.DeleteMessages([one.rows()[0][2]])
    again = logon(empty, ANN)
    fresh = side(again)
    fresh.state.Write(kept)
    assert fresh.tell(two) == 2
    assert fresh.shown() == two.shown() == [("c", False), ("d", False)]
    assert two.tell(fresh) == 0
    again.Logoff()


def test_letters_that_come_are_exported_whole(ann: IMAPISession, empty: Path) -> None:
    """What came as MIME, with its recipients and its state, and once."""
    bob = logon(empty, BOB)
    _, inbox = opened(ann)
    send(bob, "Hello")
    target = side(bob)
    source = Side(inbox)
    assert source.tell(target) == 1
    assert target.shown() == [("Hello", False)]
    table = target.folder.GetContentsTable(consts.MAPI_UNICODE)
    table.SetColumns([pr.SENDER_EMAIL_ADDRESS, pr.DISPLAY_TO, pr.MESSAGE_CLASS])
    ((sender, to, klass),) = table.QueryRows(9)
    assert (sender.Value, to.Value, klass.Value) == (BOB, "ann", "IPM.Note")
    assert source.tell(target) == 0
    trash = ann.OpenMsgStore(0, None, None, consts.MDB_WRITE)
    there = trash.OpenEntry(trash.source.top, None, consts.MAPI_MODIFY).CreateFolder(1, "Moved")
    inbox.CopyMessages([source.rows()[0][2]], None, there, 0, None, consts.MESSAGE_MOVE)
    assert source.tell(target) == 1
    assert target.shown() == []
    assert Side(there, IStream()).tell(target) == 1
    assert target.shown() == [("Hello", False)]
    bob.Logoff()
