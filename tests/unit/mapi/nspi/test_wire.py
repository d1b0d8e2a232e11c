"""What the address book says as it travels: return values, tags, types, ids, states (MS-OXNSPI 2.2)."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.config.address_book import AddressBook
from quintet.errors import BadSyntax
from quintet.mapi.nspi import bodies, consts, containers, entries, names, tables, view
from quintet.mapi.nspi import messages as m
from quintet.mapi.nspi.tables import Look
from quintet.mapi.restrict import Exist, Property, Relation, SubObject
from quintet.store import accounts, directory
from tests.unit.mapi.nspi.desk import BY_NAME, NAME, STAT, Desk
from tests.unit.mapi.nspi.desk import bound as bind
from tests.unit.mapi.nspi.test_view import SERVER, listing

LOST = 0x7FFFFFF0
ENTRY_ID, MEMBER, TITLE = 0x0FFF0102, 0x8009000D, 0x3A17001F


async def raw(desk: Desk, request: Any) -> bytes:
    """An answer as it travels."""
    kind = type(request).__name__.lower()
    return await desk.raw(kind, bodies.write_request(kind, request))


# --- return values (MS-OXCDATA 2.4, MS-OXNSPI 2.2.1.2) ------------------------------------------------------

FAILURES: Final = (
    ("R898", m.QueryColumns(), "00000000"),
    ("R899 R900 R664", m.SeekEntries(0, replace(STAT, sort=3), (NAME, "B")), "05400080"),
    ("R903 R904", m.QueryRows(count=1), "57000780"),
    ("R927 R928", m.GetMatches(state=replace(STAT, current=0x11, container=NAME), most=9), "05400080"),
    ("R937 R938", m.GetPropList(mid=LOST), "08010480"),
    ("R949 R950 R1048", m.SeekEntries(0, STAT, (NAME, "zz")), "0f010480"),
    ("R965 R966", m.GetMatches(state=STAT, filter=SubObject(0x0E12000D, Exist(NAME)), most=9), "17010480"),
    ("R973 R974", m.GetTemplateInfo(1, 0, None, 31337), "1e010480"),
    ("R975 R976", m.GetTemplateInfo(1, 0x77, None, 1252), "1f010480"),
    ("R989 R990 R1151", m.GetMatches(state=STAT, filter=Exist(NAME), most=2), "03040480"),
    ("R991 R992 R1372", m.ResolveNames(0, replace(STAT, container=0x99), None, ("a",)), "05040480"),
    ("R2070 R2071 R2003005", m.GetProps(0, STAT, (NAME,)), "80030400"),
)


@pytest.mark.parametrize(("cited", "request_", "code"), FAILURES, ids=[one[0] for one in FAILURES])
async def test_return_values(desk: Desk, cited: str, request_: Any, code: str):
    """MS-OXNSPI: the requirements of the table; the value stands behind a status of 0."""
    assert (await raw(desk, request_))[:8].hex() == "00000000" + code, cited


async def test_access_denied(desk: Desk):
    """MS-OXNSPI_R907, R908."""
    state = replace(STAT, current=await desk.mid("Bob Baker"))
    assert (await raw(desk, m.ModProps(0, state, (), ((TITLE, "x"),))))[4:8].hex() == "05000780"


async def test_values_that_properties_lack(desk: Desk):
    """MS-OXNSPI_R2054, R2055, R1512, R2697: PtypErrorCode with NotFound in place of the value."""
    state = replace(STAT, current=await desk.mid("Bob Baker"))
    answer = await raw(desk, m.GetProps(0, state, (TITLE,)))
    assert answer.endswith(bytes.fromhex("ff 01000000 0a00173a 0f010480 00000000"))


# --- property types (2.2.1.1) and tags ----------------------------------------------------------------------

CARD: Final = {
    TITLE: "Queen", 0x3A18001F: "Tea", 0x3A19001F: "B 12", 0x3A1A001F: "+1 2", 0x3A701102: [b"cert"],
    0x8C6A1102: [b"\0\1"],
}  # fmt: skip
VALUES: Final = (  # requirement, tag, the value's bytes
    ("R1505 R2691 R7109 R7110", 0x0FFE0003, "06000000"),
    ("R48 R6035 R6036", 0x39000003, "00000000"),
    ("R6605 R6606", 0x3F080003, "00000000"),
    ("R1506 R2698 R183", 0x3A40000B, "01"),
    ("R1509 R2700 R5986 R3", 0x3A18001F, "ff" + "Tea\0".encode("utf-16-le").hex()),
    ("R7116", 0x3A19001F, "ff" + "B 12\0".encode("utf-16-le").hex()),
    ("R7545", 0x3A1A001F, "ff" + "+1 2\0".encode("utf-16-le").hex()),
    ("R1507 R2701 R185", 0x3A18001E, "ff" + b"Tea\0".hex()),
    ("R6014 R6015", 0x3001001F, "ff" + "Zoë Novák\0".encode("utf-16-le").hex()),
    ("R8815 R8816", 0x3A20001F, "ff" + "Zoë Novák\0".encode("utf-16-le").hex()),
    ("R4981 R4982", 0x39FF001F, "ff" + "Zo? Nov?k\0".encode("utf-16-le").hex()),
    ("R5316 R5317", 0x3002001F, "ff" + "EX\0".encode("utf-16-le").hex()),
    ("R1508 R2707 R6889 R6890 R6891", 0x0FF80102, "ff10000000dca740c8c042101ab4b908002b2fe182"),
    ("R1516 R2719 R8875 R8876 R202", 0x3A701102, "ff01000000" + "ff04000000" + b"cert".hex()),
    ("R5309 R5310", 0x8C6A1102, "ff01000000" + "ff020000000001"),
    (
        "R1517 R2715 R208 R209", 0x800F101F,
        "ff02000000" + "".join("ff" + f"{one}:{who}@example.org\0".encode("utf-16-le").hex()
                               for one, who in (("SMTP", "zoe"), ("smtp", "z.novak"))),
    ),
    (
        "R1515 R2716 R199 R200", 0x800F101E,
        "ff02000000" + "".join("ff" + f"{one}:{who}@example.org\0".encode("ascii").hex()
                               for one, who in (("SMTP", "zoe"), ("smtp", "z.novak"))),
    ),
)  # fmt: skip


@pytest.mark.parametrize(("cited", "tag", "value"), VALUES, ids=[one[0] for one in VALUES])
async def test_types_and_tags(desk: Desk, cited: str, tag: int, value: str):
    """MS-OXNSPI: the requirements of the table; R23, R1656, R1658, R25, R26, R2: 16 bits, little-endian, as
    MS-OXCDATA has them; R220, R223, R224, R229: the tag, then a value of its type.
    """
    zoe = (await desk.view()).by_login("zoe@example.org")
    assert zoe is not None
    await desk.store.write(directory.set_card, zoe.number, entries.write_card(CARD))
    state = replace(STAT, current=zoe.mid, code_page=1252)
    answer = await raw(desk, m.GetProps(0, state, (tag,)))
    told = struct.pack("<BII", 0xFF, 1, tag) + bytes.fromhex(value)
    assert answer[12:-4] == told, cited  # status, return value and code page before it, no auxiliary buffer


async def test_ids_of_an_object(desk: Desk):
    """MS-OXNSPI_R4969, R4970, R6100, R6101, R6626, R6627, R7825, R7826, R8385, R8386, R8770, R8771,
    R5163, R5164, R6056, R6057.
    """
    bob = (await desk.view()).by_login("bob@example.org")
    assert bob is not None
    tags = (0xFFFD0003, ENTRY_ID, 0x0FF60102, 0x0FF90102, 0x300B0102, 0x39020102, 0x803C001F, 0x3003001F)
    answer = await desk.ask(m.GetProps(0, replace(STAT, current=bob.mid), tags))
    permanent = b"\0" * 4 + bytes.fromhex("dca740c8c042101ab4b908002b2fe182") + struct.pack("<II", 1, 0)
    permanent += bob.dn.encode() + b"\0"
    assert [value for _, value in answer.values] == [
        bob.mid, permanent, struct.pack("<I", bob.mid), permanent, b"EX:" + bob.dn.upper().encode() + b"\0",
        permanent, bob.dn, bob.dn,
    ]  # fmt: skip


async def test_what_lists_have(desk: Desk):
    """MS-OXNSPI_R892, R5798, R5799, R5800, R5806, R5807, R31, R1657: a table that is always empty; others
    have none.
    """
    staff, alice = [replace(STAT, current=await desk.mid(name)) for name in ("Staff", "Alice Adams")]
    tags = (0x0FFE0003, 0x360F000D, 0x36000003)
    answer = await desk.ask(m.GetProps(0, staff, tags))
    assert answer.values == ((0x0FFE0003, 8), (0x360F000D, None), (0x36000003, 9))
    person = await desk.ask(m.GetProps(0, alice, tags))
    assert [tag & 0xFFFF for tag, _ in person.values] == [3, 0xA, 0xA]


async def test_no_other_types(desk: Desk):
    """MS-OXNSPI_R38, R1658, R29, R27: all that is known has one of these types, and 16 bits of one."""
    allowed = {0x3, 0xB, 0x1E, 0x1F, 0x102, 0x40, 0xA, 0x101E, 0x101F, 0x1102, 0xD, 0x1, 0x0}
    for flags in (0, consts.UNICODE_TYPES):
        kinds = {tag & 0xFFFF for tag in (await desk.ask(m.QueryColumns(0, flags))).tags}
        assert kinds <= allowed
        assert (0x1F in kinds) is bool(flags)  # R115, R116
        assert (0x1E in kinds) is not bool(flags)


async def test_no_embedded_tables_where_they_are_skipped(desk: Desk):
    """MS-OXNSPI_R104: fSkipObjects holds for lists that the server makes, in NspiGetProps too."""
    state = replace(STAT, current=await desk.mid("Staff"))
    for flags, there in ((0, True), (consts.SKIP_OBJECTS, False)):
        answer = await desk.ask(m.GetProps(flags, state))
        assert any(tag & 0xFFFF == 0xD for tag, _ in answer.values) is there


# --- display types (2.2.1.3) --------------------------------------------------------------------------------


async def test_display_types(desk: Desk):
    """MS-OXNSPI_R46, R48, R49, R50, R1662, R53001, R59, R63, R64, R1663, R374 to R378, R405 to R409,
    R604, R606: those that say what is there, in the property and in both kinds of entry ids alike.
    """
    kinds = {"Alice Adams": 0, "Staff": 1, "$sales": 1, "info@example.org": 1, "misc.food": 2}
    for name, kind in kinds.items():
        state = replace(STAT, current=await desk.mid(name))
        found = dict((await desk.ask(m.GetProps(0, state, (0x39000003, ENTRY_ID)))).values)
        short = dict((await desk.ask(m.GetProps(consts.EPHEMERAL_IDS, state, (ENTRY_ID,)))).values)
        assert found[0x39000003] == kind
        assert struct.unpack_from("<I", found[ENTRY_ID], 24) == (kind,)
        assert struct.unpack_from("<I", short[ENTRY_ID], 24) == (kind,)
    every = await desk.ask(m.QueryRows(state=STAT, count=99, columns=(0x39000003,)))
    assert {row[0] for row in every.table.rows} == set(kinds.values())


async def test_the_display_type_of_containers(desk: Desk):
    """MS-OXNSPI_R56, R57, R1998, R1999: DT_CONTAINER is part of entry ids in the hierarchy, and told nowhere
    else: a container that is asked for as an object has no display type.
    """
    for row in (await desk.ask(m.GetSpecialTable(0, STAT))).rows:
        assert struct.unpack_from("<I", dict(row)[ENTRY_ID], 24) == (0x100,)
        assert 0x39000003 not in dict(row)
    for mid in (containers.USERS, containers.ALL_LISTS):
        answer = await desk.ask(m.GetProps(0, replace(STAT, current=mid), (0x39000003,)))
        assert answer.values == ((0x3900000A, 0x8004010F),)
        assert 0x39000003 not in (await desk.ask(m.GetPropList(mid=mid))).tags
    rows = await desk.ask(m.QueryRows(state=STAT, count=99, columns=(ENTRY_ID,)))
    assert len(rows.table.rows) > 5
    assert all(struct.unpack_from("<I", row[0], 24) != (0x100,) for row in rows.table.rows)


async def test_no_template_of_addresses(desk: Desk):
    """MS-OXNSPI_R109, R110, R752, R61, R1996, R1997, R521: the table of them is there, and has no rows."""
    for flags in (consts.CREATION_TEMPLATES, consts.CREATION_TEMPLATES | consts.UNICODE_STRINGS):
        for locale in (0, 0x409, 0x411):
            answer = await desk.ask(m.GetSpecialTable(flags, replace(STAT, template_locale=locale)))
            assert (answer.error, answer.rows) == (0, ())


# --- entry ids (2.2.9) --------------------------------------------------------------------------------------


async def test_permanent_ids_byte_by_byte(desk: Desk):
    """MS-OXNSPI_R382, R383, R384, R392 to R401, R1717 to R1720, R403, R404, R411."""
    sales = (await desk.view()).by_team("sales")
    assert sales is not None
    state = replace(STAT, current=sales.mid)
    [(tag, value)] = (await desk.ask(m.GetProps(0, state, (ENTRY_ID,)))).values
    assert tag == ENTRY_ID
    assert value[0] == 0x00
    assert value[1:4] == b"\0\0\0"
    assert value[4:20].hex() == "dca740c8c042101ab4b908002b2fe182"
    assert value[20:24] == b"\x01\0\0\0"
    assert value[24:28] == b"\x01\0\0\0"
    assert value[28:] == sales.dn.encode("ascii") + b"\0"


async def test_ephemeral_ids_byte_by_byte(desk: Desk):
    """MS-OXNSPI_R105, R355, R356, R361 to R374, R1713 to R1716, R380, R135, R137."""
    mid = await desk.mid("misc.food")
    state = replace(STAT, current=mid)
    [(_, value)] = (await desk.ask(m.GetProps(consts.EPHEMERAL_IDS, state, (ENTRY_ID,)))).values
    assert value[0] == 0x87
    assert value[1:4] == b"\0\0\0"
    assert value[4:20] == (await desk.view()).server.bytes_le
    assert value[20:24] == b"\x01\0\0\0"
    assert value[24:28] == b"\x02\0\0\0"
    assert value[28:] == mid.to_bytes(4, "little")


@pytest.mark.parametrize("display_type", [0, 1, 2, 6, 0x100, 0x7FFFFFFF])
async def test_the_display_type_is_no_part_of_an_id(desk: Desk, display_type: int):
    """MS-OXNSPI_R377, R1665, R408, R1666, R363, R394: whatever stands there, the same object is meant."""
    zoe = (await desk.view()).by_login("zoe@example.org")
    assert zoe is not None
    staff, view = await desk.mid("Staff"), await desk.view()
    for given_id in (
        names.permanent(display_type, zoe.dn),
        names.ephemeral(view.server, display_type, zoe.mid),
    ):
        for flags, there in ((0, True), (consts.DELETE, False)):  # R128, R129
            assert (await desk.ask(m.ModLinkAtt(flags, MEMBER, staff, (given_id,)))).error == 0
            held = await desk.ask(m.GetMatches(state=replace(STAT, current=staff, container=MEMBER), most=9))
            assert (zoe.mid in held.mids) is there


async def test_ids_of_another_server_mean_nothing(desk: Desk):
    """MS-OXNSPI_R353, R370: an ephemeral id holds for the server whose GUID it has."""
    mid, staff = await desk.mid("Zoë Novák"), await desk.mid("Staff")
    other = names.ephemeral(type((await desk.view()).server)(int=5), 0, mid)
    assert (await desk.ask(m.ModLinkAtt(0, MEMBER, staff, (other,)))).error == 0x80070005


async def test_ids_last(desk: Desk):
    """MS-OXNSPI_R357, R1994, R603, R605, R607, R608, R1995, R609, R610, R611, R627 to R631, R1993: in this
    session, in another of the same server, and when all around them has changed.
    """
    columns = (NAME, 0xFFFD0003, ENTRY_ID)
    at = STAT
    before = {}
    for flags in (0, consts.EPHEMERAL_IDS):
        before[flags] = (await desk.ask(m.QueryRows(flags, at, (), 99, columns))).table.rows
        assert before[flags] == (await desk.ask(m.QueryRows(flags, at, (), 99, columns))).table.rows
    server = (await desk.view()).server
    await desk.store.write(accounts.create, "aaron@example.org")
    other = replace(desk, session=await bind(desk.endpoint, desk.store, "bob@example.org"))
    assert (await other.view()).server == server
    for flags, rows in before.items():
        after = (await other.ask(m.QueryRows(flags, at, (), 99, columns))).table.rows
        assert [row for row in after if row[0] != "aaron@example.org"] == list(rows)


@pytest.mark.parametrize("mid", range(0x10))
async def test_ids_below_16_are_no_objects(desk: Desk, mid: int):
    """MS-OXNSPI_R349: where nothing else is said of them; R84."""
    assert (await desk.ask(m.GetPropList(mid=mid))).error == 0x80040108
    answer = await desk.ask(m.QueryRows(state=STAT, table=(mid,), count=1, columns=(NAME,)))
    assert answer.table.rows[0][0].code == 0x8004010F
    assert (await desk.ask(m.ResortRestriction(0, STAT, (mid,)))).mids == ()  # R1197
    assert (await desk.ask(m.CompareMinIds(0, STAT, mid, mid))).error == 0x80004005


# --- states (2.2.8) and positions (3.1.4.5) -----------------------------------------------------------------

KEPT: Final = ("sort", "code_page", "template_locale", "sort_locale")
SIZES: Final = {containers.GLOBAL: 9, containers.USERS: 5, containers.GROUPS: 3, containers.ALL_LISTS: 0}


@pytest.mark.parametrize("sort", [0, 3])
@pytest.mark.parametrize("container", SIZES)
@pytest.mark.parametrize("page", [1200, 1252, 932])
@pytest.mark.parametrize("locale", [0x409, 0x407, 0x411, 0])
async def test_states_say_where_they_are(desk: Desk, sort: int, container: int, page: int, locale: int):
    """MS-OXNSPI_R314, R318, R337, R340, R344, R799, R988: what a client chose stays; R309, R310, R321, R324,
    R325, R327 to R333, R500 to R503, R522 to R527, R537, R538, R556 to R563: the rest tells the place;
    R477, R480, R532, R533, R535, R1763, R569, R570, R572: in every language the same.
    """
    stat = replace(STAT, sort=sort, container=container, code_page=page, template_locale=locale)
    stat = replace(stat, sort_locale=locale)
    every = await desk.ask(m.QueryRows(state=stat, count=99, columns=(0xFFFD0003,)))
    mids = [row[0] & 0xFFFFFFFF for row in every.table.rows]
    assert len(mids) == SIZES[container]
    for delta in range(-1, len(mids) + 3):
        for request in (
            m.UpdateStat(0, replace(stat, delta=delta), True),
            m.QueryRows(0, replace(stat, delta=delta), (), 1),
        ):
            answer = await desk.ask(request)
            step = 1 if isinstance(request, m.QueryRows) else 0
            at = min(min(max(delta, 0), len(mids)) + step, len(mids))
            assert answer.error == 0
            assert [getattr(answer.state, name) for name in KEPT] == [getattr(stat, name) for name in KEPT]
            assert answer.state.container == container
            assert answer.state.delta == 0
            assert (answer.state.position, answer.state.total) == (at, len(mids))
            assert answer.state.current == (mids[at] if at < len(mids) else consts.END)


@pytest.mark.parametrize(("current", "position"), [
    (consts.BEGINNING, 0), (consts.END, len(BY_NAME)), (consts.CURRENT, 3),
])  # fmt: skip
async def test_places_that_have_ids(desk: Desk, current: int, position: int):
    """MS-OXNSPI_R77 to R83, R1742, R542, R1758, R791, R793, R1744: the beginning, the end, and the position
    that NumPos says; R1871, R1872: what stands in plDelta is not looked at.
    """
    stat = replace(STAT, current=current, position=3, total=len(BY_NAME))
    answer = await desk.ask(m.UpdateStat(0, stat))
    assert answer.state.position == position
    back = await desk.ask(m.UpdateStat(0, replace(stat, delta=-100), True))
    assert (back.state.position, back.delta) == (0, -position)
    assert back.state.current == await desk.mid(BY_NAME[0])


@given(
    st.integers(0, 1 << 32),
    st.integers(1, 1 << 32),
    st.integers(-(1 << 31), (1 << 31) - 1),
    st.integers(0, 40),
)
def test_fractions_of_any_table(position: int, total: int, delta: int, rows: int):
    """MS-OXNSPI_R564, R566, R574, R575, R581, R584, R586, R588, R589, R595, R597 to R601, R794: within the
    table, and as many rows further as there are.
    """
    book = _view(rows)
    stat = replace(STAT, current=consts.CURRENT, position=position, total=total, delta=delta)
    after, moved = tables.update(Look(book, view.EVERYTHING), stat)
    start = min(rows * position // total, rows)
    assert after.position == min(max(start + delta, 0), rows)
    assert moved == after.position - start
    assert after.total == rows
    assert after.current == (book.entries[after.position].mid if after.position < rows else consts.END)


def _view(rows: int) -> view.View:
    return view.made(listing(*((200 + at, f"u{at}") for at in range(rows))), SERVER)


# --- limits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["queryrows", "resortrestriction"])
async def test_arrays_that_are_too_long(desk: Desk, kind: str):
    """MS-OXNSPI_R139, R141: no more than 100,000 in an array; more than 65,535 is well."""
    many = tuple(range(0x1000, 0x1000 + 70_000))
    request = (
        m.QueryRows(0, STAT, many, 5, (NAME,)) if kind == "queryrows" else m.ResortRestriction(0, STAT, many)
    )
    assert (await desk.ask(request)).error == 0
    long = tuple(range(0x1000, 0x1000 + 100_001))
    request = (
        m.QueryRows(0, STAT, long, 5, (NAME,)) if kind == "queryrows" else m.ResortRestriction(0, STAT, long)
    )
    with pytest.raises(BadSyntax):
        await raw(desk, request)


async def test_templates_by_flag(desk: Desk):
    """MS-OXNSPI_R120, R121, R303, R1483, R1484: the drawing; a script where there is one."""
    both = await desk.ask(m.GetTemplateInfo(consts.TEMPLATE | consts.SCRIPT, 0, None, 1252))
    assert [tag >> 16 for tag, _ in both.values] == [0x0001, 0x0004]
    for locale in (0x409, 0x407, 0x411, 0):  # R1472, R1455
        one = await desk.ask(m.GetTemplateInfo(consts.TEMPLATE, 0, None, 1252, locale))
        assert one.values == both.values[:1]
    for display_type, locale in ((1, 0x407), (0x77, 0)):  # R1980 to R1983: with a DN neither is looked at
        named = [
            await desk.ask(m.GetTemplateInfo(consts.TEMPLATE, kind, b"/cn=x", 1252, where))
            for kind, where in ((0, 0x409), (display_type, locale))
        ]
        assert named[0] == named[1]


async def test_ambiguous_names(desk: Desk):
    """MS-OXNSPI_R85 to R90, R612 to R615, R618, R622, R1342, R1343, R1374, R1375, R1392, R1426, R1611: three
    outcomes, within the container.
    """
    told = await desk.ask(m.ResolveNames(0, STAT, (NAME,), ("nobody", "s", "zoe")))
    assert told.mids == (0, 1, 2)
    within = replace(STAT, container=containers.GROUPS)
    assert (await desk.ask(m.ResolveNames(0, within, (NAME,), ("zoe", "staff")))).mids == (0, 2)


async def test_a_session_begins_with_bind(desk: Desk):
    """MS-OXNSPI_R641, R642, R668, R674, R676, R689, R690, R692, R695, R701: whatever the flags say of
    anonymity the client is who the request says it is.
    """
    for flags in (0, consts.ANONYMOUS):
        opened = await desk.endpoint.open(
            desk.session.identity, bodies.write_request("bind", m.Bind(flags, STAT))
        )
        assert opened.state.identity == desk.session.identity
        assert opened.body[8:24] == (await desk.view()).server.bytes_le
    desk.config[0] = AddressBook(own_domain=True)
    assert (await desk.ask(m.Unbind())).error == 1


async def test_references_that_are_changed(desk: Desk):
    """MS-OXNSPI_R656, R1307, R1893, R1312, R1313, R1315, R1646: of lists their members, of people their
    delegates; of others nothing, and nothing then changes.
    """
    zoe = (await desk.view()).by_login("zoe@example.org")
    assert zoe is not None
    ids = (names.permanent(0, zoe.dn),)
    allowed = {("Staff", MEMBER), ("Alice Adams", 0x8015000D)}
    for name in ("Staff", "Alice Adams", "misc.food", "$sales", "info@example.org"):
        for tag in (MEMBER, 0x8015000D):
            at = replace(STAT, current=await desk.mid(name), container=tag)
            before = (await desk.ask(m.GetMatches(state=at, most=9))).mids
            error = (await desk.ask(m.ModLinkAtt(0, tag, at.current, ids))).error
            after = (await desk.ask(m.GetMatches(state=at, most=9))).mids
            assert (error == 0) is ((name, tag) in allowed)
            assert set(after) == {*before, zoe.mid} if error == 0 else after == before


async def test_certificates_are_kept(desk: Desk):
    """MS-OXNSPI_R1268, R1273: added, and all removed again."""
    alice = replace(STAT, current=await desk.mid("Alice Adams"))
    for tag in (0x3A701102, 0x8C6A1102):
        assert (await desk.ask(m.ModProps(0, alice, (), ((tag, [b"a", b"b"]),)))).error == 0
        assert (await desk.ask(m.GetProps(0, alice, (tag,)))).values == ((tag, [b"a", b"b"]),)
        assert (await desk.ask(m.ModProps(0, alice, (tag,), ()))).error == 0
        assert (await desk.ask(m.GetProps(0, alice, (tag,)))).values[0][0] & 0xFFFF == 0xA


async def test_a_property_of_the_wrong_width_matches(desk: Desk):
    """MS-OXNSPI_R144, R145, R147, R1124: bytes compare as bytes."""
    key = (await desk.mid("Staff")).to_bytes(4, "little")
    wanted = Property(Relation.EQUAL, 0x0FF60102, (0x0FF60102, key))
    assert (await desk.ask(m.GetMatches(state=STAT, filter=wanted, most=9))).mids == (
        await desk.mid("Staff"),
    )
