"""Contact folders that are shared: containers for those who may read them, and for nobody else."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from quintet.errors import Reason, TryLater
from quintet.mapi import objects, restrict
from quintet.mapi.errors import Code
from quintet.mapi.guids import PSETID_ADDRESS
from quintet.mapi.nspi import consts, contacts, containers
from quintet.mapi.nspi import messages as m
from quintet.mapi.nspi.containers import Container
from quintet.mapi.nspi.view import View
from quintet.mapi.objects import stored
from quintet.mapi.types import Error, Named, tag_of
from quintet.store import access, accounts, pages, props
from quintet.store.db import Tx
from quintet.store.model import FolderId
from tests.unit.mapi.nspi.desk import BY_NAME, NAME, SMTP, STAT, Desk

CLASS, COMPANY, PHONE = 0x001A001F, consts.of("CompanyName"), consts.of("BusinessTelephoneNumber")
EMAIL, KIND, EMAIL2, FILE_AS = 0x8083, 0x8082, 0x8093, 0x8005
CONTACTS: tuple[dict[Any, str], ...] = (
    {NAME: "Yves Young", EMAIL: "yves@far.example", KIND: "SMTP", EMAIL2: "y@far.example", PHONE: "+1"},
    {FILE_AS: "Zed, Xaver", EMAIL: "xaver@far.example"},
    {COMPANY: "Acme", EMAIL: "/o=x/cn=y", KIND: "EX"},
)


def furnish(tx: Tx, desk: Desk, login: str = "zoe@example.org", top: str = "") -> int:
    """Zoë's contacts; gives their folder, a new one of the name ``top``."""
    account = accounts.find(tx, login)
    assert account is not None
    box = objects.logon(tx, account.id, account.id, files=desk.store.blobs)
    with box.using(tx):
        folder = box.subtree.create_folder(top)[0] if top else box.folder(box.special["contacts"])
        folder.set([(0x3613001F, "IPF.Contact")])
        for one in CONTACTS:
            message = folder.create_message()
            message.set([(CLASS, "IPM.Contact")])
            for key, value in one.items():
                lid = key if key < 0x10000 else 0
                number = box.property_ids([Named(PSETID_ADDRESS, lid)], create=True)[0] if lid else 0
                message.set([(tag_of(number, 0x1F) if lid else key, value)])
            message.save()
        return int(folder.id)


@pytest.fixture
async def folder(desk: Desk) -> int:
    """Shared with Alice, who sits at the desk."""
    number = await desk.store.write(furnish, desk)
    await desk.store.write(access.grant, number, "alice@example.org", "lrs")
    return number


async def hierarchy(desk: Desk) -> list[tuple[int, str]]:
    rows = (await desk.ask(m.GetSpecialTable(consts.UNICODE_STRINGS, STAT, 0))).rows
    return [(dict(row)[0xFFFD0003], dict(row)[NAME]) for row in rows[6:]]


async def test_a_container_each(desk: Desk, folder: int):
    assert await hierarchy(desk) == [(folder, "Contacts (Zoë Novák)")]
    assert await desk.names(replace(STAT, container=folder)) == ["Acme", "Yves Young", "Zed, Xaver"]
    assert await desk.names() == BY_NAME  # the global list is of this server
    version = (await desk.ask(m.GetSpecialTable(4, STAT, 0))).version
    assert (await desk.ask(m.GetSpecialTable(4, STAT, version))).rows == ()


async def test_what_a_contact_says(desk: Desk, folder: int):
    state = replace(STAT, container=folder, delta=1)
    tags = (NAME, SMTP, consts.of("AddressType"), consts.of("EmailAddress"), PHONE, consts.of("DisplayType"),
            consts.of("AddressBookProxyAddresses"), consts.of("SearchKey"))  # fmt: skip
    answer = await desk.ask(m.QueryRows(state=state, count=1, columns=tags))
    [row] = answer.table.rows
    assert row[:5] == ["Yves Young", "yves@far.example", "SMTP", "yves@far.example", "+1"]
    assert row[5:7] == [consts.DT_REMOTE_MAILUSER, ["SMTP:yves@far.example", "smtp:y@far.example"]]
    assert row[7] == b"SMTP:YVES@FAR.EXAMPLE\0"


async def test_contacts_by_their_ids(desk: Desk, folder: int):
    state = replace(STAT, container=folder)
    first = await desk.ask(m.UpdateStat(state=replace(state, delta=1)))
    mid = first.state.current
    found = await desk.ask(m.GetProps(0, replace(STAT, current=mid), (NAME, 0x0FFF0102)))
    assert found.values[0] == (NAME, "Yves Young")
    dn = found.values[1][1][28:-1]
    nobody = b"/o=x"
    assert (await desk.ask(m.DnToMinId(0, (dn, nobody, f"/guid={folder:032X}".encode())))).mids == (
        mid,
        0,
        folder,
    )
    assert await desk.names(state, 3, table=(mid, await desk.mid("Bob Baker"))) == ["Yves Young", "Bob Baker"]
    assert (await desk.ask(m.CompareMinIds(0, state, mid, mid))).result == 0
    assert (await desk.ask(m.ModProps(0, replace(state, current=mid), (), ()))).error == Code.INVALID_OBJECT


async def test_contacts_are_found(desk: Desk, folder: int):
    state = replace(STAT, container=folder)
    typed = ("yves", "y@far.example", "zed", "bob")
    answer = await desk.ask(m.ResolveNames(0, state, (NAME,), typed))
    assert answer.mids == (consts.RESOLVED,) * 3 + (consts.UNRESOLVED,)
    wanted = restrict.Content(restrict.Where.PREFIX, 1, NAME, (NAME, "z"))
    answer = await desk.ask(m.GetMatches(state=state, filter=wanted, most=9, columns=(NAME,)))
    assert answer.table.rows == (["Zed, Xaver"],)
    answer = await desk.ask(m.SeekEntries(state=state, target=(NAME, "b"), columns=(NAME,)))
    assert answer.table.rows[0] == ["Yves Young"]
    assert (await desk.ask(m.ResolveNames(0, STAT, (NAME,), typed))).mids[:3] == (consts.UNRESOLVED,) * 3


async def test_a_folder_as_clients_make_it(desk: Desk):
    """At the top, with the class of contacts only afterwards: what is in it is kept as letters."""
    folder = await desk.store.write(furnish, desk, "zoe@example.org", "Friends")
    await desk.store.write(access.grant, folder, "alice@example.org", "lrs")
    assert await hierarchy(desk) == [(folder, "Friends (Zoë Novák)")]
    answer = await desk.ask(m.QueryRows(state=replace(STAT, container=folder), count=9, columns=(NAME, SMTP)))
    assert [row[0] for row in answer.table.rows] == ["Acme", "Yves Young", "Zed, Xaver"]
    assert answer.table.rows[1][1] == "yves@far.example"


async def test_who_may_not_read_them_sees_none(desk: Desk, folder: int):
    bob = await desk.become("bob@example.org")
    assert await hierarchy(bob) == []
    state = replace(STAT, container=folder)
    mid = (await desk.ask(m.UpdateStat(state=replace(state, delta=1)))).state.current
    assert (await bob.ask(m.QueryRows(state=state, count=9))).error == Code.INVALID_BOOKMARK
    assert (await bob.ask(m.GetProps(0, replace(STAT, current=mid), (NAME,)))).error == consts.ERRORS_RETURNED
    await desk.store.write(access.grant, folder, "bob@example.org", "l")  # may look it up, not read it
    assert await hierarchy(bob) == []
    await desk.store.write(access.revoke, folder, "alice@example.org")
    assert (await desk.ask(m.QueryRows(state=state, count=9))).error == Code.INVALID_BOOKMARK


async def test_a_folder_is_read_again_when_it_changed(desk: Desk, folder: int):
    state = replace(STAT, container=folder)
    shelves = desk.endpoint._shelves
    await desk.names(state)
    before = shelves.snapshot()[folder]
    await desk.names(state)
    assert shelves.snapshot()[folder] is before
    await desk.store.write(furnish, desk)
    assert len(await desk.names(state)) == 6
    assert shelves.snapshot()[folder] is not before


async def test_other_folders_are_none(desk: Desk, folder: int):
    """What is shared and holds no contacts is no container."""

    def share(tx: Tx) -> None:
        zoe = accounts.find(tx, "zoe@example.org")
        assert zoe is not None
        box = objects.logon(tx, zoe.id, zoe.id, files=desk.store.blobs)
        with box.using(tx):
            for role in ("calendar", "inbox"):
                access.grant(tx, box.folder(box.special[role]).id, "alice@example.org", "lrs")
            made = box.subtree.create_folder("Friends", kind="item")[0]
            made.set([(0x3613001F, "IPF.Contact.Special")])
            access.grant(tx, made.id, "alice@example.org", "lrs")

    await desk.store.write(share)
    assert [name for _, name in await hierarchy(desk)] == ["Contacts (Zoë Novák)", "Friends (Zoë Novák)"]


async def test_what_is_too_much_is_not_shown(desk: Desk, folder: int, monkeypatch: pytest.MonkeyPatch):
    def grow(tx: Tx) -> None:
        for number in pages.ids(tx, FolderId(folder)):
            props.put(
                tx, props.ENTRY, number, {consts.of("Title"): b"t\0" * 900 + b"\0\0", COMPANY: bytes(4000)}
            )

    await desk.store.write(grow)
    state = replace(STAT, container=folder)
    answer = await desk.ask(m.QueryRows(state=state, count=9, columns=(consts.of("Title"), COMPANY)))
    assert [row[0] for row in answer.table.rows] == ["t" * 900] * 3
    assert [isinstance(row[1], Error) for row in answer.table.rows] == [True] * 3
    desk.endpoint._shelves = contacts.Shelves()
    monkeypatch.setattr(contacts, "MAX_SIZE", 4000)
    assert len(await desk.names(state)) == 2


async def test_a_letter_that_cannot_be_read(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    folder = await desk.store.write(furnish, desk, "zoe@example.org", "Friends")
    await desk.store.write(access.grant, folder, "alice@example.org", "lrs")
    whole = stored.item
    numbers = await desk.store.read(pages.ids, folder)

    def item(box: Any, row: Any) -> Any:
        if row.id == numbers[0]:
            raise TryLater(Reason.STORAGE)
        return whole(box, row)

    monkeypatch.setattr(stored, "item", item)
    assert await desk.names(replace(STAT, container=folder)) == ["Acme", "Zed, Xaver"]


def test_no_more_is_kept_than_may_be(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(contacts, "MAX_KEPT", 3)

    view = View((), uuid.UUID(int=1))
    shelves = contacts.Shelves()
    one = Container(containers.ALL_LISTS, "x", frozenset())
    for number in (1, 2, 3):
        shelves.keep({number: (1, contacts.Shelf(one, view, 2))})
        assert list(shelves.snapshot()) == [number]
