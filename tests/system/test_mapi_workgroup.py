"""The workgroup program of `tests.support.workgroup` on our own server, by each of its doors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from quintet import mapi
from quintet.mapi.api import Session
from tests.support import workgroup
from tests.support.server import HOST, PASSWORD, Spawned, spawn_server

ALICE, BOB = "alice@example.org", "bob@example.org"
FILES = {"files", "marks", "moves", "searches", "syncs", "watches"}
PLANS = {"appointments", "tasks", "contacts", "versions"}
LETTERS = {"sends", "answers", "meets", "assigns"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spawned]:
    with spawn_server(tmp_path_factory.mktemp("server")) as spawned:
        yield spawned


def wire(server: Spawned, address: str) -> Session:
    url = f"http://{HOST}:{server.ports['http']}"
    return mapi.connect("MAPIHTTP", address=address, password=PASSWORD, url=url)


def imap(server: Spawned, address: str) -> Session:
    return mapi.connect(
        "IMAP", host=HOST, port=str(server.ports["imap"]), tls="no", user=address, password=PASSWORD,
        smtp_host=HOST, smtp_port=str(server.ports["submission"]), smtp_tls="no", poll="0.2",
    )  # fmt: skip


def news(server: Spawned, address: str) -> Session:
    return mapi.connect(
        "NNTP", host=HOST, port=str(server.ports["nntp"]), tls="no", user=address, password=PASSWORD,
        address=address,
    )  # fmt: skip


def test_over_the_wire(server: Spawned) -> None:
    with wire(server, ALICE) as alice, wire(server, BOB) as bob:
        assert workgroup.run(alice, bob, BOB) == FILES | {"categories"} | PLANS | LETTERS


def test_by_imap_and_submission(server: Spawned) -> None:
    with imap(server, ALICE) as alice, imap(server, BOB) as bob:
        assert workgroup.run(alice, bob, BOB) == FILES | {"categories"} | PLANS | LETTERS


def test_by_both(server: Spawned) -> None:
    """One writes over the wire, the other answers by IMAP."""
    with wire(server, ALICE) as alice, imap(server, BOB) as bob:
        assert workgroup.together(alice, bob, BOB) == LETTERS


def test_by_news(server: Spawned) -> None:
    with news(server, ALICE) as alice:
        assert workgroup.run(alice, group="local.test") == {"posts"}
