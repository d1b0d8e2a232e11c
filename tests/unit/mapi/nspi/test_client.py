"""The client against the endpoint, without HTTP between them; and against servers that err."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from quintet.errors import BadSyntax
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.nspi import bodies, consts, containers, names
from quintet.mapi.nspi import client as client_module
from quintet.mapi.nspi import messages as m
from quintet.mapi.nspi.client import PAGE, Client
from quintet.store import accounts
from tests.unit.mapi.nspi.desk import BY_NAME, NAME, SMTP, Desk

ENTRY_ID, MEMBER = consts.of("EntryId"), consts.of("AddressBookMember")


def client_of(desk: Desk) -> Client:
    """For a thread beside the loop."""
    loop = asyncio.get_running_loop()

    def ask(kind: str, body: bytes) -> bytes:
        if kind == "Bind":
            opening = desk.endpoint.open(desk.session.identity, body)
            return asyncio.run_coroutine_threadsafe(opening, loop).result(10).body
        return asyncio.run_coroutine_threadsafe(desk.raw(kind.lower(), body), loop).result(10)

    return Client(ask)


async def test_all_entries_page_by_page(desk: Desk):
    await desk.store.write(
        lambda tx: [accounts.create(tx, f"u{at:03}@example.org") for at in range(PAGE + 30)]
    )
    client = client_of(desk)
    rows = await asyncio.to_thread(lambda: list(client.entries((NAME, SMTP), containers.USERS)))
    assert len(rows) == PAGE + 35
    assert len({row[SMTP] for row in rows}) == len(rows)
    assert await asyncio.to_thread(lambda: list(client.entries((NAME,), containers.ALL_LISTS))) == []


async def test_what_rows_lack_is_left_out(desk: Desk):
    client = client_of(desk)
    rows = await asyncio.to_thread(lambda: list(client.entries((NAME, SMTP))))
    assert rows[0] == {NAME: "$sales"}
    assert [row[NAME] for row in rows] == BY_NAME


async def test_a_session(desk: Desk):
    client = client_of(desk)
    assert await asyncio.to_thread(client.bind) == client.server == (await desk.view()).server
    await asyncio.to_thread(client.unbind)
    assert client.server is None


async def test_what_a_property_points_to(desk: Desk):
    """With entry ids that outlive the session, unlike those of NspiGetMatches itself (MS-OXNSPI_R1696)."""
    client = client_of(desk)
    team, [bob] = await desk.mid("$sales"), [e for e in (await desk.view()).entries if e.name == "Bob Baker"]
    permanent = names.permanent(bob.display_type, bob.dn)
    found = await asyncio.to_thread(client.linked, team, MEMBER, (NAME, ENTRY_ID))
    assert found == [{NAME: "Bob Baker", ENTRY_ID: permanent}]
    assert await asyncio.to_thread(client.search, "bob", (ENTRY_ID,)) == [{ENTRY_ID: permanent}]
    state = replace(client.state, current=team, container=MEMBER)
    answer = await asyncio.to_thread(client.get_matches, None, (ENTRY_ID,), state=state)
    assert len(answer.table.rows[0][0]) == 32
    with pytest.raises(MapiError) as caught:
        await asyncio.to_thread(client.linked, 0x7FFFFFF0, MEMBER, (NAME,))
    assert caught.value.code == Code.GENERAL_FAILURE


async def test_rows_of_many_ids(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client_module, "PAGE", 2)
    client = client_of(desk)
    mids = [await desk.mid(name) for name in BY_NAME]
    found = await asyncio.to_thread(client.rows, [*mids[::-1], 0x7FFFFFF0], (NAME,))
    assert [row.get(NAME) for row in found] == [*BY_NAME[::-1], None]


async def test_a_search_in_one_container(desk: Desk):
    client = client_of(desk)
    for container, names_ in ((containers.GLOBAL, ["Staff"]), (containers.USERS, [])):
        rows = await asyncio.to_thread(client.search, "staff", (NAME,), 9, container)
        assert [row[NAME] for row in rows] == names_


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (bytes(3), BadSyntax),
        ((5).to_bytes(4, "little") + bytes(4), MapiError),
        (bodies.write_response("querycolumns", m.Columns(0x80040111)), MapiError),
        (bodies.write_response("querycolumns", m.Columns(0x12345678)), MapiError),
    ],
)
def test_servers_that_err(raw, error):
    with pytest.raises(error):
        Client(lambda kind, body: raw).query_columns()


def test_an_outcome_without_its_row():
    """A server that promises more than it gives."""
    answer = m.Resolved(0, 1200, (consts.RESOLVED, consts.UNRESOLVED), m.Table((NAME,), ()))
    client = Client(lambda kind, body: bodies.write_response("resolvenames", answer))
    assert client.resolve(["a", "b"], (NAME,)) == [None, None]


def test_codes_that_nobody_knows():
    with pytest.raises(MapiError) as caught:
        Client(lambda kind, body: bodies.write_response("dntominid", m.Mapped(7))).dn_to_mids(["/o=x"])
    assert caught.value.code == Code.GENERAL_FAILURE
