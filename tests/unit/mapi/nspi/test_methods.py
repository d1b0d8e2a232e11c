"""What every method answers: its return value, its outputs, and nothing of what cannot be seen (3.1.4.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from quintet.config.address_book import AddressBook
from quintet.mapi.nspi import bodies, consts, names
from quintet.mapi.nspi import messages as m
from quintet.mapi.restrict import Exist, Property, Relation
from quintet.store import accounts
from quintet.store.db import Tx
from tests.unit.mapi.nspi.desk import BY_NAME, DN, NAME, STAT, Desk

NARROW, TITLE, MEMBER = 0x3001001E, 0x3A17001F, 0x8009000D
LOST = 0x7FFFFFF0  # an id that nobody ever had
SUCCESS = 0x00000000
PERMITTED: Final = {  # MS-OXNSPI_R1520, R42, R1659, R1661: the values of MS-OXCDATA 2.4
    0x00000000, 0x00000001, 0x00000002, 0x00040380, 0x80004005, 0x80040102, 0x80040108, 0x8004010E,
    0x8004010F, 0x80040111, 0x80040117, 0x8004011E, 0x8004011F, 0x80040403, 0x80040405, 0x80070005,
    0x8007000E, 0x80070057,
}  # fmt: skip


async def asked(desk: Desk, kind: str) -> Any:
    """A request of a kind that every server can answer."""
    alice, staff = await desk.mid("Alice Adams"), await desk.mid("Staff")
    at = replace(STAT, current=alice)
    entry = (await desk.view()).by_mid(alice)
    assert entry is not None
    return {
        "GetSpecialTable": m.GetSpecialTable(consts.UNICODE_STRINGS, STAT),
        "UpdateStat": m.UpdateStat(0, STAT, True),
        "QueryColumns": m.QueryColumns(),
        "GetPropList": m.GetPropList(mid=alice),
        "GetProps": m.GetProps(0, at, (NAME,)),
        "QueryRows": m.QueryRows(0, STAT, (), 3, (NAME,)),
        "SeekEntries": m.SeekEntries(0, STAT, (NAME, "B"), None, (NAME,)),
        "GetMatches": m.GetMatches(state=STAT, filter=Exist(NAME), most=99, columns=(NAME,)),
        "ResortRestriction": m.ResortRestriction(0, STAT, (staff, alice)),
        "CompareMinIds": m.CompareMinIds(0, STAT, staff, alice),
        "DnToMinId": m.DnToMinId(0, (entry.dn.encode(),)),
        "ModProps": m.ModProps(0, at, (), ((TITLE, "Queen"),)),
        "ModLinkAtt": m.ModLinkAtt(0, MEMBER, staff, (names.permanent(0, entry.dn),)),
        "ResolveNames": m.ResolveNames(0, STAT, (NAME,), ("bob",)),
        "GetTemplateInfo": m.GetTemplateInfo(consts.TEMPLATE, consts.DT_MAILUSER, None, 1252),
    }[kind]


SUCCEEDS: Final = (  # with the outputs that then are there
    ("GetSpecialTable", "R717 R718 R726 R727 R728 R743 R765 R767 R454", ("rows", "version")),
    ("UpdateStat", "R643 R768 R775 R776 R800", ("state", "delta")),
    ("QueryColumns", "R801 R802 R808 R809 R810 R824 R827", ("tags",)),
    ("GetPropList", "R649 R828 R834 R835 R836 R854 R855 R858", ("tags",)),
    ("GetProps", "R650 R859 R866 R867 R868 R869 R885 R905 R915 R455", ("values",)),
    ("QueryRows", "R644 R916 R929 R930 R931 R950 R951 R962 R973 R983 R997 R456", ("state", "table")),
    ("SeekEntries", "R645 R998 R999 R1010 R1011 R1012 R1057 R1058 R1076 R458", ("state", "table")),
    ("GetMatches", "R646 R1077 R1091 R1092 R1095 R1096 R1097 R1155 R1166 R1167 R457", ("mids", "table")),
    ("ResortRestriction", "R647 R1168 R1175 R1176 R1177 R1201 R1209", ("mids", "state")),
    ("CompareMinIds", "R651 R1210 R1217 R1218 R1219 R1242", ("result",)),
    ("DnToMinId", "R648 R1243 R1249 R1250 R1251 R1262 R1264 R1266", ("mids",)),
    ("ModProps", "R652 R1267 R1276", ()),
    ("ModLinkAtt", "R655 R1306 R1317 R1340", ()),
    ("ResolveNames", "R659 R1393 R1394 R1403 R1650 R1404 R1405 R1406 R1425 R1443 R460", ("mids", "table")),
    ("GetTemplateInfo", "R654 R1444 R1456 R1457 R1458 R1478 R1490 R1492 R453", ("values",)),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "cited", "outputs"), SUCCEEDS, ids=[one[0] for one in SUCCEEDS])
async def test_what_nothing_speaks_against_succeeds(desk: Desk, kind: str, cited: str, outputs: Any):
    """MS-OXNSPI: the requirements that the table names; R897, R898: Success is 0."""
    answer = await desk.ask(await asked(desk, kind))
    assert answer.error == SUCCESS, cited
    for output in outputs:
        assert getattr(answer, output) not in (None, ()), cited


ODD: Final = (  # where the document leaves open what comes, but for the return value
    ("GetSpecialTable", {"flags": 0}, "R732"),
    ("UpdateStat", {"state": replace(STAT, current=consts.END, delta=-1)}, "R780"),
    ("GetProps", {"tags": (NARROW,)}, "R873"),
    ("QueryRows", {"columns": (NARROW,)}, "R935"),
    ("QueryRows", {"count": 0}, "R939"),
    ("SeekEntries", {"target": (NARROW, b"B")}, "R1016"),
    ("SeekEntries", {"table": (LOST, 0x11, 5)}, "R1020"),
    ("SeekEntries", {"reserved": 7}, "R1024"),
    ("GetMatches", {"filter": Property(Relation.EQUAL, NARROW, (NARROW, b"Staff"))}, "R1101"),
    ("GetMatches", {"reserved": 7}, "R1109"),
    ("ResortRestriction", {}, "R1181"),
    ("ResortRestriction", {"state": replace(STAT, sort=0x3E8)}, "R1185"),
    ("CompareMinIds", {}, "R1223"),
    ("ModProps", {"values": ((TITLE - 1, b"Queen"),)}, "R1280"),
    ("ResolveNames", {}, "R1359 R1410"),
    ("ResolveNames", {"reserved": 7}, "R1363 R1414"),
)


@pytest.mark.parametrize(("kind", "how", "cited"), ODD, ids=[f"{one[0]}-{one[2]}" for one in ODD])
async def test_what_is_left_open_has_a_permitted_return_value(desk: Desk, kind: str, how: Any, cited: str):
    """MS-OXNSPI: the requirements of the table, with R1520, R42, R1659, R1661."""
    answer = await desk.ask(replace(await asked(desk, kind), **how))
    assert answer.error in PERMITTED, cited


ABOUT: Final = (  # the request, and where in it an object is named
    ("UpdateStat", "R787", lambda mid: {"state": replace(STAT, current=mid)}),
    ("GetPropList", "R843", lambda mid: {"mid": mid}),
    ("GetProps", "R880", lambda mid: {"state": replace(STAT, current=mid)}),
    ("QueryRows", "R946", lambda mid: {"table": (mid,)}),
    ("QueryRows", "R946", lambda mid: {"state": replace(STAT, current=mid)}),
    ("SeekEntries", "R1031", lambda mid: {"table": (mid,)}),
    ("ResortRestriction", "R1192", lambda mid: {"mids": (mid,)}),
    ("CompareMinIds", "R1228", lambda mid: {"first": mid}),
    ("ModLinkAtt", "R1324", lambda mid: {"mid": mid}),
    ("ModProps", "R1286", lambda mid: {"state": replace(STAT, current=mid)}),
)


@pytest.mark.parametrize(("kind", "cited", "about"), ABOUT, ids=[f"{one[0]}-{one[1]}" for one in ABOUT])
async def test_who_is_hidden_does_not_exist(desk: Desk, kind: str, cited: str, about: Any):
    """MS-OXNSPI: the requirements of the table: the same answer as about an id that nobody ever had."""
    request, bob = await asked(desk, kind), await desk.mid("Bob Baker")
    seen = await desk.ask(replace(request, **about(bob)))
    desk.config[0] = AddressBook(hide=("bob@*",))
    hidden = await desk.ask(replace(request, **about(bob)))
    lost = await desk.ask(replace(request, **about(LOST)))
    assert _without(hidden, bob) == _without(lost, LOST), cited
    assert hidden != seen


def _without(answer: Any, mid: int) -> Any:
    """An answer but for the id in its state, which is the client's own."""
    state = getattr(answer, "state", None)
    if state is None or state.current != mid:
        return answer
    return replace(answer, state=replace(state, current=0))


async def test_what_is_hidden_is_in_no_list(desk: Desk):
    """MS-OXNSPI_R739, R818, R1116, R1258, R1370, R1421: not in tables, matches, names or DNs either."""
    bob = (await desk.view()).by_login("bob@example.org")
    assert bob is not None
    columns = (await desk.ask(m.QueryColumns())).tags
    hierarchy = (await desk.ask(m.GetSpecialTable(0, STAT))).rows
    desk.config[0] = AddressBook(hide=("bob@*",))
    assert await desk.names() == [name for name in BY_NAME if name != "Bob Baker"]
    every = await desk.ask(m.GetMatches(state=STAT, filter=Exist(NAME), most=99))
    assert bob.mid not in every.mids
    assert (await desk.ask(m.DnToMinId(0, (bob.dn.encode(),)))).mids == (0,)
    told = await desk.ask(m.ResolveNames(0, STAT, (NAME,), ("bob", bob.address, bob.dn)))
    assert told.mids == (consts.UNRESOLVED,) * 3
    assert (await desk.ask(m.QueryColumns())).tags == columns  # properties are nobody's secret
    assert (await desk.ask(m.GetSpecialTable(0, STAT))).rows == hierarchy


async def test_rows_are_those_of_get_props(desk: Desk):
    """MS-OXNSPI_R974, R975, R1694, R928, R955, R1009, R911: in order, each as NspiGetProps says."""
    columns = (NAME, DN, 0x39000003, 0x3A17001F, 0x0FFF0102)
    answer = await desk.ask(m.QueryRows(state=STAT, count=99, columns=columns))
    assert [row[0] for row in answer.table.rows] == BY_NAME
    for row in answer.table.rows:
        state = replace(STAT, current=await desk.mid(row[0]))
        one = await desk.ask(m.GetProps(0, state, columns))
        values = [getattr(value, "code", value) for value in row]
        assert values == [value for _, value in one.values]
        assert [tag >> 16 for tag, _ in one.values] == [tag >> 16 for tag in columns]  # R911


async def test_explicit_tables_are_snapshots(desk: Desk):
    """MS-OXNSPI_R505 to R512: a list of ids, which still holds who has gone."""
    found = await desk.ask(m.GetMatches(state=STAT, filter=Exist(NAME), most=99))
    bob = await desk.mid("Bob Baker")
    await desk.store.write(lambda tx: _remove(tx, "bob@example.org"))
    rows = await desk.ask(m.QueryRows(state=STAT, table=found.mids, count=99, columns=(NAME,)))
    assert len(rows.table.rows) == len(BY_NAME)
    assert rows.table.rows[found.mids.index(bob)][0].code == 0x8004010F
    assert bob not in (await desk.ask(m.GetMatches(state=STAT, filter=Exist(NAME), most=99))).mids


def _remove(tx: Tx, login: str) -> None:
    account = accounts.find(tx, login)
    assert account is not None
    accounts.remove(tx, account.id)


async def test_get_matches_asks_no_container(desk: Desk):
    """MS-OXNSPI_R1130, R1132, R1133, R1137, R1141, R513, R514: the object is meant wherever it stands."""
    staff = await desk.mid("Staff")
    state = replace(STAT, current=staff, container=MEMBER)
    answer = await desk.ask(m.GetMatches(state=state, most=9))
    assert (answer.error, answer.mids) == (SUCCESS, (await desk.mid("Bob Baker"),))
    empty = replace(STAT, current=await desk.mid("Bob Baker"), container=0x8015000D)
    assert (await desk.ask(m.GetMatches(state=empty, most=9))).error == SUCCESS  # no values are no error


@pytest.mark.parametrize("tag", [NAME, 0x39000003, 0x0FFF0102])
async def test_only_references_can_be_followed(desk: Desk, tag: int):
    """MS-OXNSPI_R517, R927, R928: an error, NotSupported, where a value refers to no object."""
    state = replace(STAT, current=await desk.mid("Staff"), container=tag)
    raw = await desk.raw("getmatches", bodies.write_request("getmatches", m.GetMatches(state=state, most=9)))
    assert raw[4:8] == bytes.fromhex("02010480")
