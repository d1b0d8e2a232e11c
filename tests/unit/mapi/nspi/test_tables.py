"""Tables: positions, rows, seeks, order (MS-OXNSPI 3.1.4.1.4, 8, 9, 11, 12 and 3.1.4.5)."""

from __future__ import annotations

from dataclasses import replace

from quintet.mapi.errors import Code
from quintet.mapi.nspi import consts, containers
from quintet.mapi.nspi import messages as m
from quintet.mapi.types import Error
from quintet.store import accounts
from tests.unit.mapi.nspi.desk import BY_NAME, DN, NAME, SMTP, STAT, Desk


async def test_the_global_list_is_sorted_by_name(desk: Desk):
    """MS-OXNSPI_R93, R1749, R967; marks do not count (R1820)."""
    assert await desk.names() == BY_NAME


HELD = {
    containers.USERS: ["Alice Adams", "Bob Baker", "carol@example.org", "Éva Elm", "Zoë Novák"],
    containers.GROUPS: ["$sales", "info@example.org", "Staff"],
    containers.LISTS: ["Staff"],
    containers.FOLDERS: ["misc.food"],
    containers.ALL_LISTS: [],
}


async def test_containers_hold_their_kinds(desk: Desk):
    for container, names in HELD.items():
        assert await desk.names(replace(STAT, container=container)) == names


async def test_no_such_container(desk: Desk):
    """MS-OXNSPI_R789, R882, R948, R1033, R1230, R1423: InvalidBookmark, and no state (R784, R1762, R1631)."""
    state = replace(STAT, container=0x99)
    for request in (
        m.UpdateStat(state=state),
        m.QueryRows(state=state, count=1),
        m.GetProps(state=state),
        m.SeekEntries(state=state, target=(NAME, "B")),
        m.CompareMinIds(state=state),
        m.ResolveNames(state=state, names=("bob",)),
    ):
        answer = await desk.ask(request)
        assert answer.error == Code.INVALID_BOOKMARK
        assert getattr(answer, "state", None) is None
        assert getattr(answer, "table", None) is None


async def test_rows_move_the_position(desk: Desk):
    """MS-OXNSPI_R1701: as NspiUpdateStat would, by the rows that came."""
    first = await desk.ask(m.QueryRows(state=STAT, count=4, columns=(NAME,)))
    assert [row[0] for row in first.table.rows] == BY_NAME[:4]
    assert first.state == replace(
        STAT, current=await desk.mid(BY_NAME[4]), position=4, total=len(BY_NAME), delta=0
    )
    rest = await desk.ask(m.QueryRows(state=first.state, count=100, columns=(NAME,)))
    assert [row[0] for row in rest.table.rows] == BY_NAME[4:]
    assert (rest.state.current, rest.state.position) == (consts.END, len(BY_NAME))
    end = await desk.ask(m.QueryRows(state=rest.state, count=100, columns=(NAME,)))
    assert (end.error, end.table.rows) == (0, ())


async def test_rows_begin_where_delta_says(desk: Desk):
    """MS-OXNSPI_R969."""
    assert await desk.names(replace(STAT, current=consts.END, delta=-2)) == BY_NAME[-2:]
    assert await desk.names(replace(STAT, delta=3), count=1) == [BY_NAME[3]]


async def test_columns_nobody_named(desk: Desk):
    """MS-OXNSPI_R1627: seven in this order, texts of the narrow type where there is a code page."""
    answer = await desk.ask(m.QueryRows(state=replace(STAT, code_page=1252, delta=8), count=1))
    assert answer.table.columns == (
        0xFFFD0003, 0x0FFE0003, 0x39000003, 0x3001001E, 0x3A1A001E, 0x3A18001E, 0x3A19001E
    )  # fmt: skip
    [row] = answer.table.rows
    assert row[:4] == [await desk.mid("Zoë Novák"), consts.OBJECT_USER, 0, b"Zo\xeb Nov\xe1k"]
    assert row[4:] == [Error(Code.NOT_FOUND)] * 3


async def test_rows_of_an_explicit_table(desk: Desk):
    """MS-OXNSPI_R958, R971, R985: in the client's order; one that is not there has errors for values."""
    mids = (await desk.mid("Zoë Novák"), 0x7FFFFFF0, await desk.mid("Bob Baker"))
    state = replace(STAT, container=0x99)  # R948: of no concern then
    answer = await desk.ask(m.QueryRows(state=state, table=mids, count=3, columns=(NAME, SMTP)))
    assert answer.table.rows == (
        ["Zoë Novák", "zoe@example.org"],
        [Error(Code.NOT_FOUND)] * 2,
        ["Bob Baker", "bob@example.org"],
    )
    assert answer.state == state


async def test_excessively_many_columns(desk: Desk):
    """MS-OXNSPI_R896, R982."""
    answer = await desk.ask(m.QueryRows(state=STAT, count=1, columns=(NAME,) * 501))
    assert answer.error == Code.TABLE_TOO_BIG


ABSOLUTE = [  # start, delta, place, really moved
    (consts.BEGINNING, 0, 0, 0),
    (consts.BEGINNING, 3, 3, 3),
    (consts.BEGINNING, -3, 0, 0),  # R1743
    (consts.END, 0, 9, 0),
    (consts.END, -1, 8, -1),
    (consts.BEGINNING, 100, 9, 9),  # R554, R1704
    ("Bob Baker", -1, 1, -1),  # R548
    ("Bob Baker", 1, 3, 1),  # R549
]


async def test_absolute_positions(desk: Desk):
    """MS-OXNSPI 3.1.4.5.1; R795 to R798."""
    for current, delta, place, moved in ABSOLUTE:
        start = await desk.mid(current) if isinstance(current, str) else current
        state = replace(STAT, current=start, delta=delta, position=77, total=88)  # R326001, R331001: ignored
        answer = await desk.ask(m.UpdateStat(state=state, delta_wanted=True))
        at = consts.END if place == len(BY_NAME) else await desk.mid(BY_NAME[place])
        assert answer.state == replace(STAT, current=at, position=place, total=len(BY_NAME))
        assert (answer.error, answer.delta) == (0, moved)


FRACTIONAL = [  # NumPos, TotalRecs, delta, place
    (0, 100, 0, 0),
    (50, 100, 0, 4),  # 9 * 50 / 100, truncated (R577, R578)
    (99, 100, 0, 8),
    (200, 100, 0, 9),  # R580
    (50, 100, -2, 2),  # R587
    (50, 100, 100, 9),  # R1747, R1748
    (50, 100, -100, 0),  # R1745, R1746
    (5, 0, 0, 0),  # of no rows: the beginning
]


async def test_fractional_positions(desk: Desk):
    """MS-OXNSPI 3.1.4.5.2."""
    for position, total, delta, place in FRACTIONAL:
        state = replace(STAT, current=consts.CURRENT, position=position, total=total, delta=delta)
        answer = await desk.ask(m.UpdateStat(state=state))
        at = consts.END if place == len(BY_NAME) else await desk.mid(BY_NAME[place])
        assert answer.state == replace(STAT, current=at, position=place, total=len(BY_NAME))
        assert answer.delta is None  # R1868


async def test_a_position_at_what_is_not_there(desk: Desk):
    """MS-OXNSPI_R792: NotFound; also what is in the book but not in the container (R545)."""
    for mid in (0x7FFFFFF0, await desk.mid("Staff")):
        state = replace(STAT, container=containers.USERS, current=mid)
        assert (await desk.ask(m.UpdateStat(state=state))).error == Code.NOT_FOUND


SOUGHT = [
    ("B", "Bob Baker"), ("bob baker", "Bob Baker"), ("Bob C", "carol@example.org"), ("zoe", "Zoë Novák"),
    ("", "$sales"), ("eva", "Éva Elm"),
]  # fmt: skip


async def test_a_seek(desk: Desk):
    """MS-OXNSPI_R1047, R1051, R1054, R1055: the first row not less; without case and marks."""
    for text, found in SOUGHT:
        answer = await desk.ask(m.SeekEntries(state=STAT, target=(NAME, text)))
        place, mid = BY_NAME.index(found), await desk.mid(found)
        assert answer.state == replace(STAT, current=mid, position=place, total=len(BY_NAME))
        assert answer.table is None


async def test_a_seek_in_a_code_page(desk: Desk):
    """MS-OXNSPI_R464: the narrow type in the client's code page."""
    state = replace(STAT, code_page=1252)
    answer = await desk.ask(m.SeekEntries(state=state, target=(0x3001001E, b"\xc9va"), columns=(NAME,)))
    assert answer.table.rows[0] == ["Éva Elm"]


async def test_a_seek_that_finds_nothing(desk: Desk):
    """MS-OXNSPI_R1048, R1039, R1043."""
    assert (await desk.ask(m.SeekEntries(state=STAT, target=(NAME, "zz")))).error == Code.NOT_FOUND
    for sort in (consts.BY_PHONETIC_NAME, consts.BY_NAME_READ_ONLY):
        answer = await desk.ask(m.SeekEntries(state=replace(STAT, sort=sort), target=(NAME, "B")))
        assert answer.error == Code.GENERAL_FAILURE
    for target in ((SMTP, "bob"), (NAME, None), None):
        answer = await desk.ask(m.SeekEntries(state=STAT, target=target))
        assert answer.error == Code.GENERAL_FAILURE


async def test_a_seek_in_an_explicit_table(desk: Desk):
    """MS-OXNSPI_R1037, R1052, R1755: rows from the one that was found on."""
    mids = tuple([await desk.mid(name) for name in ("Alice Adams", "Éva Elm", "Zoë Novák")])
    answer = await desk.ask(m.SeekEntries(state=STAT, target=(NAME, "C"), table=mids, columns=(NAME,)))
    assert answer.state == replace(STAT, current=mids[1], position=1, total=3)
    assert answer.table.rows == (["Éva Elm"], ["Zoë Novák"])


async def test_rows_of_a_seek_have_ephemeral_ids(desk: Desk):
    """MS-OXNSPI_R1695: fEphID."""
    answer = await desk.ask(m.SeekEntries(state=STAT, target=(NAME, "Bob"), columns=(0x0FFF0102,)))
    assert answer.table.rows[0][0][:4] == b"\x87\0\0\0"


async def test_comparing(desk: Desk):
    """MS-OXNSPI_R1234 to R1240, MS-OXCMAPIHTTP_R2109 to R2112."""
    alice, bob = await desk.mid("Alice Adams"), await desk.mid("Bob Baker")
    for first, second, result in ((alice, bob, -1), (bob, alice, 1), (bob, bob, 0)):
        assert (await desk.ask(m.CompareMinIds(0, STAT, first, second))).result == result
    assert (await desk.ask(m.CompareMinIds(0, STAT, alice, 0x7FFFFFF0))).error == Code.GENERAL_FAILURE
    folders = replace(STAT, container=containers.FOLDERS)
    assert (await desk.ask(m.CompareMinIds(0, folders, alice, bob))).error == Code.GENERAL_FAILURE


async def test_resorting(desk: Desk):
    """MS-OXNSPI_R1196 to R1205, R1759."""
    alice, bob = await desk.mid("Alice Adams"), await desk.mid("Bob Baker")
    answer = await desk.ask(m.ResortRestriction(0, replace(STAT, current=bob), (bob, 0x7FFFFFF0, alice)))
    assert answer.mids == (alice, bob)
    assert answer.state == replace(STAT, current=bob, position=1, total=2)
    answer = await desk.ask(m.ResortRestriction(0, replace(STAT, current=bob, position=5), (alice,)))
    assert answer.state == replace(STAT, current=consts.BEGINNING, position=0, total=1)
    odd = await desk.ask(m.ResortRestriction(0, replace(STAT, sort=7), (alice,)))
    assert (odd.error, odd.mids, odd.state) == (Code.GENERAL_FAILURE, None, None)  # R1189, R1757


async def test_by_how_names_sound(desk: Desk):
    """MS-OXNSPI_R95: those that nobody told sound as they are written."""
    mid = await desk.mid("Zoë Novák")
    zoe = await desk.become("zoe@example.org")
    tag = consts.of("AddressBookPhoneticDisplayName")
    told = await zoe.ask(m.ModProps(0, replace(STAT, current=mid), (), ((tag, "Aaz"),)))
    assert told.error == 0
    sounding = replace(STAT, sort=consts.BY_PHONETIC_NAME, container=containers.USERS)
    assert (await desk.names(sounding))[0] == "Zoë Novák"
    assert (await desk.names(replace(STAT, container=containers.USERS)))[-1] == "Zoë Novák"


async def test_ids_outlive_sessions_and_changes(desk: Desk):
    """MS-OXNSPI_R611, R1706, R2001: the same object, the same ids, whoever asks and whatever happens."""
    mid, names = await desk.mid("Bob Baker"), (await desk.view()).by_login("bob@example.org")
    await desk.store.write(accounts.create, "aaa@example.org")
    other = await desk.become("bob@example.org")
    answer = await other.ask(m.QueryRows(state=STAT, table=(mid,), count=1, columns=(NAME, DN)))
    assert names is not None
    assert answer.table.rows == (["Bob Baker", names.dn],)
    assert await other.mid("aaa@example.org")
